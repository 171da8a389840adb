//! The fixes by name.

use crate::Protocol;
use std::fmt;

/// One fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fix {
    /// The server signs the exchange.
    F1,
    /// A MAC over the ciphertext.
    F2,
    /// Messages are counted.
    F3,
    /// Each direction has its own keys.
    F4,
    /// Fresh keys for each connection.
    F5,
    /// Sizes that cannot be searched, values that are checked.
    F6,
    /// The user signs the exchange.
    F7,
    /// Keys are replaced on the way.
    F8,
    /// Nothing may be slipped into the exchange.
    F9,
    /// Limits, and logs that hold no secrets.
    F10,
}

/// Where a protocol stands with a fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The switch changes something.
    Switch,
    /// The protocol is so already: the switch changes nothing.
    Already,
    /// There is no such switch.
    Never,
}

impl Fix {
    /// All of them.
    pub const ALL: [Self; 10] =
        [Self::F1, Self::F2, Self::F3, Self::F4, Self::F5, Self::F6, Self::F7, Self::F8, Self::F9, Self::F10];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F1 => "F1",
            Self::F2 => "F2",
            Self::F3 => "F3",
            Self::F4 => "F4",
            Self::F5 => "F5",
            Self::F6 => "F6",
            Self::F7 => "F7",
            Self::F8 => "F8",
            Self::F9 => "F9",
            Self::F10 => "F10",
        }
    }

    /// The fix with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fix| fix.name().eq_ignore_ascii_case(name))
    }

    /// What it is, in a sentence.
    pub const fn about(self) -> &'static str {
        match self {
            Self::F1 => "the server signs everything both sides sent, with a key that the client knows",
            Self::F2 => "every message carries a seal (a MAC) that only the two ends can make; it is checked first",
            Self::F3 => "messages are counted: one that comes twice, late or not at all is seen",
            Self::F4 => "each direction has its own key",
            Self::F5 => "the key comes from numbers made for this connection and then forgotten",
            Self::F6 => "numbers too large to search, and what the other side sends is checked",
            Self::F7 => "the user signs everything both sides sent, with a key that the server knows",
            Self::F8 => "after 16 messages the key is replaced, and the old one cannot be had from the new",
            Self::F9 => "nothing that is not due may come during the exchange, and counting begins anew after it",
            Self::F10 => "strangers cost little, may ask for little, and logs hold no keys",
        }
    }

    const fn place(self, protocol: Protocol) -> Place {
        match (protocol, self) {
            (Protocol::Ssh, Self::F9) => Place::Switch,
            (Protocol::Ssh, _) => Place::Already,
            (_, Self::F1 | Self::F3 | Self::F7)
            | (Protocol::DhChat | Protocol::RsaChat, Self::F2 | Self::F8 | Self::F10)
            | (Protocol::DhChat | Protocol::RsaChat | Protocol::MiniSsh, Self::F4)
            | (Protocol::RsaChat, Self::F5)
            | (Protocol::DhChat | Protocol::ToySocket, Self::F6)
            | (Protocol::MiniSsh, Self::F8) => Place::Switch,
            (Protocol::DhChat, Self::F5 | Self::F9) => Place::Already,
            _ => Place::Never,
        }
    }

    /// Whether a protocol can be told to have it.
    pub fn goes_with(self, protocol: Protocol) -> bool {
        self.place(protocol) != Place::Never
    }
}

/// Switches that are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fixes(u16);

impl Fixes {
    /// None.
    pub const NONE: Self = Self(0);

    /// Whether one is on.
    pub const fn has(self, fix: Fix) -> bool {
        self.0 & 1 << fix as u16 != 0
    }

    /// With one more.
    #[must_use]
    pub const fn with(self, fix: Fix) -> Self {
        Self(self.0 | 1 << fix as u16)
    }

    /// Those that are on, in order.
    pub fn iter(self) -> impl Iterator<Item = Fix> {
        Fix::ALL.into_iter().filter(move |fix| self.has(*fix))
    }

    /// Reads `F1,F2` for a protocol.
    ///
    /// # Errors
    /// A sentence about the first name that is no fix of it.
    pub fn read(text: &str, protocol: Protocol) -> Result<Self, String> {
        text.split(',').try_fold(Self::NONE, |fixes, name| {
            let name = name.trim();
            match Fix::from_name(name) {
                None => Err(format!("'{}' is no fix: they are F1 to F10", name.escape_debug())),
                Some(fix) if !fix.goes_with(protocol) => Err(format!("{} has no {}", protocol.name(), fix.name())),
                Some(fix) => Ok(fixes.with(fix)),
            }
        })
    }
}

impl From<Fix> for Fixes {
    fn from(fix: Fix) -> Self {
        Self::NONE.with(fix)
    }
}

impl fmt::Display for Fixes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(Fix::name).collect();
        f.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lab_fixes_are_read_as_they_are_written() {
        let fixes = Fixes::read("F3,f1, F10", Protocol::DhChat);
        assert_eq!(fixes.map(|fixes| fixes.to_string()), Ok("F1,F3,F10".to_owned()));
        assert_eq!(Fixes::read("F11", Protocol::DhChat), Err("'F11' is no fix: they are F1 to F10".to_owned()));
        assert_eq!(Fixes::read("F2", Protocol::MiniSsh), Err("mini-ssh has no F2".to_owned()));
        assert_eq!(Fixes::read("F9", Protocol::DhChat), Ok(Fix::F9.into()));
    }
}
