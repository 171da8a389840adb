//! Nicks and room names: what they may be, and when two are too alike (threat U4).

use crate::limits::{NICK_CHARS, ROOM_CHARS};
use crate::look_alikes::skeleton;
use crate::text;
use std::fmt;
use std::sync::Arc;
use unicode_normalization::UnicodeNormalization;
use unicode_security::MixedScript;
use unicode_security::general_security_profile::IdentifierType;

/// Names nobody may take: the engine speaks under them, or people would believe it did.
const RESERVED: &[&str] = &["system", "server", "chat", "nacre", "you", "everyone", "here", "root", "op", "moderator"];

/// Why a name is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadName {
    /// Nothing is left of it.
    Empty,
    /// More characters than allowed; holds the bound.
    TooLong(usize),
    /// It does not begin with a letter.
    NoLetterFirst,
    /// A character that is neither letter, digit, `-` nor `_`.
    Character(char),
    /// Letters of several scripts, which look like others.
    Scripts,
    /// A name the server keeps for itself.
    Reserved,
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::TooLong(most) => write!(f, "it has more than {most} characters"),
            Self::NoLetterFirst => f.write_str("it must begin with a letter"),
            Self::Character(c) => write!(f, "{} may not be in it; letters, digits, - and _ may", c.escape_default()),
            Self::Scripts => f.write_str("it mixes letters of different scripts"),
            Self::Reserved => f.write_str("the server keeps that name for itself"),
        }
    }
}

impl std::error::Error for BadName {}

/// A person's name: NFKC, up to 24 letters, digits, `-` and `_` of one script, a letter first.
/// Compare two by their [`Keys`], not as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Nick(Arc<str>);

impl Nick {
    /// Reads what a person wished for.
    pub fn parse(wish: &str) -> Result<Self, BadName> {
        let name: String = wish.trim().nfkc().collect();
        check(&name, NICK_CHARS)?;
        if !name.chars().next().is_some_and(char::is_alphabetic) {
            return Err(BadName::NoLetterFirst);
        }
        let nick = Self(name.into());
        let keys = nick.keys();
        if RESERVED.iter().any(|word| Keys::of(word).clashes(&keys)) {
            return Err(BadName::Reserved);
        }
        Ok(nick)
    }

    /// For whose wish cannot be a nick.
    pub fn guest() -> Self {
        Self(Arc::from("guest"))
    }

    /// As it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same text, shared.
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// What must be free for this nick to be taken.
    pub fn keys(&self) -> Keys {
        Keys::of(&self.0)
    }

    /// The nick with a number after it, cut so that it still fits: for whom the wish is taken.
    pub fn numbered(&self, number: u32) -> Self {
        let tail = number.to_string();
        let head: String = self.0.chars().take(NICK_CHARS.saturating_sub(tail.len())).collect();
        Self(format!("{head}{tail}").into())
    }
}

impl fmt::Display for Nick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a name looks like: two names clash if they share a key. The first key finds names that
/// differ in case or in look-alike small letters, the second those whose capitals look alike
/// (capital I beside small l). UTS #39 §4.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Keys {
    /// The skeleton of the lower case.
    pub folded: Arc<str>,
    /// The lower case of the skeleton.
    pub drawn: Arc<str>,
}

impl Keys {
    /// Of any text, valid as a name or not.
    pub fn of(name: &str) -> Self {
        let folded = skeleton(&text::fold(name));
        let shape = skeleton(&name.nfkc().collect::<String>());
        let drawn = skeleton(&text::fold(&shape));
        Self { folded: folded.into(), drawn: drawn.into() }
    }

    /// Whether people could take one for the other.
    pub fn clashes(&self, other: &Self) -> bool {
        self.both().any(|key| other.both().any(|theirs| theirs == key))
    }

    /// Both keys; they are often equal.
    pub fn both(&self) -> impl Iterator<Item = &Arc<str>> {
        [&self.folded, &self.drawn].into_iter()
    }
}

/// A room's name without its `#`: lower case, up to 32 letters, digits, `-` and `_` of one script.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomName(Arc<str>);

impl RoomName {
    /// Reads a name with or without `#`.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let name = text.trim();
        let name = text::fold(name.strip_prefix('#').unwrap_or(name));
        check(&name, ROOM_CHARS)?;
        Ok(Self(name.into()))
    }

    /// The room for who names none, unless the embedder chooses another.
    pub fn lobby() -> Self {
        Self(Arc::from("lobby"))
    }

    /// Without `#`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What must be free for a room of this name to be made.
    pub fn keys(&self) -> Keys {
        Keys::of(&self.0)
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

fn check(name: &str, most: usize) -> Result<(), BadName> {
    if name.is_empty() {
        return Err(BadName::Empty);
    }
    if name.chars().count() > most {
        return Err(BadName::TooLong(most));
    }
    // A letter that UTS #39 recommends against is one few can read and many are fooled by.
    let odd = |c: &char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_') || is_common_letter(*c));
    if let Some(c) = name.chars().find(odd) {
        return Err(BadName::Character(c));
    }
    if !name.is_single_script() {
        return Err(BadName::Scripts);
    }
    Ok(())
}

fn is_common_letter(c: char) -> bool {
    let kind = unicode_security::GeneralSecurityProfile::identifier_type(c);
    let common = matches!(kind, Some(IdentifierType::Recommended | IdentifierType::Inclusion));
    common && (c.is_alphanumeric() || unicode_normalization::char::is_combining_mark(c))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn alike(one: &str, other: &str) -> bool {
        Nick::parse(one).unwrap().keys().clashes(&Nick::parse(other).unwrap().keys())
    }

    #[test]
    fn u04_look_alikes_clash() {
        assert!(alike("Alice", "alice"));
        assert!(alike("Alice", "AIice"), "capital i for small l");
        assert!(alike("modern", "modem"), "rn for m");
        assert!(alike("paul", "pau1"));
        assert!(alike("cop", "сор"), "all Cyrillic, looks Latin");
        assert!(!alike("alice", "alicia"));
        assert!(!alike("bob", "rob"));
    }

    #[test]
    fn u04_odd_nicks_are_refused() {
        for (wish, why) in [
            ("", BadName::Empty),
            ("   ", BadName::Empty),
            ("аdmin", BadName::Scripts),
            ("a b", BadName::Character(' ')),
            ("a\u{202e}b", BadName::Character('\u{202e}')),
            ("a\u{200b}b", BadName::Character('\u{200b}')),
            ("a\x1b[31m", BadName::Character('\x1b')),
            ("[SYSTEM]", BadName::Character('[')),
            ("system", BadName::Reserved),
            ("SYSTEM", BadName::Reserved),
            ("5ystem", BadName::NoLetterFirst),
            ("7", BadName::NoLetterFirst),
            ("-a", BadName::NoLetterFirst),
            ("ab🙂", BadName::Character('🙂')),
            ("aaaaaaaaaaaaaaaaaaaaaaaaa", BadName::TooLong(NICK_CHARS)),
        ] {
            assert_eq!(Nick::parse(wish), Err(why), "{wish:?}");
        }
    }

    #[test]
    fn good_nicks_of_many_scripts_pass() {
        for wish in ["Alice", "bob-2", "élodie", "Ольга", "Γιώργος", "田中", "さくら", "مریم", "o_o"]
        {
            assert_eq!(Nick::parse(wish).unwrap().as_str(), wish);
        }
        assert_eq!(Nick::parse("Ａlice").unwrap().as_str(), "Alice");
        assert_eq!(Nick::parse(&"x".repeat(24)).unwrap().numbered(12).as_str().len(), 24);
    }

    #[test]
    fn rooms_are_lower_case_and_take_the_sign_or_not() {
        assert_eq!(RoomName::parse("#Rust").unwrap(), RoomName::parse("rust").unwrap());
        assert_eq!(RoomName::parse("#Rust").unwrap().to_string(), "#rust");
        assert_eq!(RoomName::parse("#2026").unwrap().as_str(), "2026");
        assert_eq!(RoomName::parse("#"), Err(BadName::Empty));
        assert_eq!(RoomName::parse("a.b"), Err(BadName::Character('.')));
    }
}
