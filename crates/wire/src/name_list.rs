//! `name-list`, RFC 4251 §5: comma-separated US-ASCII names.

use crate::reader::{DecodeError, DecodeErrorKind};

/// The longest name-list read, in bytes (threat T8).
pub const MAX_NAME_LIST_BYTES: usize = 16 * 1024;
/// The most names in one list (threat T8).
pub const MAX_NAMES: usize = 1024;

/// A checked list of names, as it stands in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameList<'a>(&'a str);

impl<'a> NameList<'a> {
    /// Checks a list: printable ASCII, no empty name, within the bounds.
    ///
    /// # Errors
    /// Any of that does not hold.
    pub fn parse(bytes: &'a [u8], field: &'static str) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_NAME_LIST_BYTES {
            return Err(DecodeError { kind: DecodeErrorKind::TooLong, field });
        }
        let bad = DecodeError { kind: DecodeErrorKind::BadNameList, field };
        if !bytes.iter().all(|b| (0x21..0x7f).contains(b)) {
            return Err(bad);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| bad)?;
        if !text.is_empty() && text.split(',').any(str::is_empty) {
            return Err(bad);
        }
        if text.split(',').count() > MAX_NAMES {
            return Err(DecodeError { kind: DecodeErrorKind::TooLong, field });
        }
        Ok(Self(text))
    }

    /// The names in order of preference.
    pub fn iter(self) -> impl Iterator<Item = &'a str> {
        self.0.split(',').filter(|name| !name.is_empty())
    }

    /// True when the name is in the list.
    pub fn contains(self, name: &str) -> bool {
        self.iter().any(|n| n == name)
    }

    /// The list as it was written.
    pub fn as_str(self) -> &'a str {
        self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn t08_malformed_lists_are_refused() {
        for bad in ["a,", ",a", "a,,b", ",", "a b", "a\0", "é"] {
            assert!(NameList::parse(bad.as_bytes(), "l").is_err(), "{bad:?}");
        }
        assert!(NameList::parse(&vec![b'a'; MAX_NAME_LIST_BYTES + 1], "l").is_err());
        let many = vec!["a"; MAX_NAMES + 1].join(",");
        assert!(NameList::parse(many.as_bytes(), "l").is_err());
    }

    #[test]
    fn an_empty_list_holds_no_name() {
        assert_eq!(NameList::parse(b"", "l").unwrap().iter().count(), 0);
        assert!(NameList::parse(b"a,b", "l").unwrap().contains("b"));
    }
}
