//! Reading RFC 4251 §5 data types out of bytes a stranger sent.
//!
//! A length is compared with the bytes left before anything is done with it, nothing is copied
//! and nothing allocated (threat T18). Decoders end with [`Reader::finish`], so that bytes nobody
//! asked for are an error too.

use crate::name_list::NameList;

/// What was wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeErrorKind {
    /// The message ends before the field does.
    Truncated,
    /// Bytes stand after the last field.
    Trailing,
    /// Text that is not UTF-8.
    NotUtf8,
    /// An mpint that is negative or has needless leading bytes.
    BadMpint,
    /// A name-list with a byte that is not printable US-ASCII, an empty name or too many names.
    BadNameList,
    /// A value outside what the field may hold.
    BadValue,
    /// Longer or more than its bound.
    TooLong,
    /// Another message, or none, stands here.
    WrongMessage,
}

/// A message that could not be read: which field, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeError {
    /// What was wrong.
    pub kind: DecodeErrorKind,
    /// The field, by its name in the RFC.
    pub field: &'static str,
}

impl std::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let why = match self.kind {
            DecodeErrorKind::Truncated => "ends too early",
            DecodeErrorKind::Trailing => "is followed by bytes that do not belong to the message",
            DecodeErrorKind::NotUtf8 => "is not UTF-8",
            DecodeErrorKind::BadMpint => "is not a canonical non-negative mpint",
            DecodeErrorKind::BadNameList => "is not a valid name-list",
            DecodeErrorKind::BadValue => "has a value it must not have",
            DecodeErrorKind::TooLong => "is longer than allowed",
            DecodeErrorKind::WrongMessage => "is not the expected message",
        };
        write!(f, "field `{}` {why}", self.field)
    }
}

impl std::error::Error for DecodeError {}

/// A cursor over one message.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn fail<T>(kind: DecodeErrorKind, field: &'static str) -> Result<T, DecodeError> {
        Err(DecodeError { kind, field })
    }

    /// The next `n` bytes as they are.
    ///
    /// # Errors
    /// Fewer are left.
    pub fn bytes(&mut self, n: usize, field: &'static str) -> Result<&'a [u8], DecodeError> {
        match self.rest.split_at_checked(n) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Self::fail(DecodeErrorKind::Truncated, field),
        }
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let taken = self.bytes(N, field)?;
        taken.try_into().or_else(|_| Self::fail(DecodeErrorKind::Truncated, field))
    }

    /// `byte`.
    ///
    /// # Errors
    /// Nothing is left.
    pub fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        self.array::<1>(field).map(|[b]| b)
    }

    /// `boolean`: every non-zero value is true (RFC 4251 §5).
    ///
    /// # Errors
    /// Nothing is left.
    pub fn bool(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        self.u8(field).map(|b| b != 0)
    }

    /// `uint32`.
    ///
    /// # Errors
    /// Fewer than 4 bytes are left.
    pub fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.array(field).map(u32::from_be_bytes)
    }

    /// `uint64`.
    ///
    /// # Errors
    /// Fewer than 8 bytes are left.
    pub fn u64(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        self.array(field).map(u64::from_be_bytes)
    }

    /// `string`: any bytes.
    ///
    /// # Errors
    /// The length is more than what is left.
    pub fn string(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let len = self.u32(field)?;
        match usize::try_from(len) {
            Ok(len) => self.bytes(len, field),
            Err(_) => Self::fail(DecodeErrorKind::Truncated, field),
        }
    }

    /// `string` that must be UTF-8 text.
    ///
    /// # Errors
    /// As [`Reader::string`], or it is not UTF-8.
    pub fn text(&mut self, field: &'static str) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.string(field)?).or_else(|_| Self::fail(DecodeErrorKind::NotUtf8, field))
    }

    /// `mpint` that is not negative: its big-endian magnitude without leading zeros (empty for 0).
    ///
    /// # Errors
    /// It is negative or not in its one canonical form (threat T12).
    pub fn mpint(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        match self.string(field)? {
            [] => Ok(&[]),
            [first, ..] if *first >= 0x80 => Self::fail(DecodeErrorKind::BadMpint, field),
            [0, magnitude @ ..] => match magnitude {
                [second, ..] if *second >= 0x80 => Ok(magnitude),
                _ => Self::fail(DecodeErrorKind::BadMpint, field),
            },
            magnitude => Ok(magnitude),
        }
    }

    /// `name-list`.
    ///
    /// # Errors
    /// As [`NameList::parse`].
    pub fn name_list(&mut self, field: &'static str) -> Result<NameList<'a>, DecodeError> {
        NameList::parse(self.string(field)?, field)
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Takes all that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Ends the message.
    ///
    /// # Errors
    /// Bytes are left.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Self::fail(DecodeErrorKind::Trailing, "end of message") }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn t18_lengths_beyond_the_message_are_refused_before_use() {
        let mut r = Reader::new(&[0xff, 0xff, 0xff, 0xff, 1]);
        assert_eq!(r.string("f").unwrap_err().kind, DecodeErrorKind::Truncated);
    }

    #[test]
    fn t12_only_the_canonical_mpint_is_read() {
        let read = |bytes: &[u8]| {
            let mut all = vec![0, 0, 0, u8::try_from(bytes.len()).unwrap()];
            all.extend_from_slice(bytes);
            Reader::new(&all).mpint("m").map(<[u8]>::to_vec)
        };
        assert_eq!(read(&[]).unwrap(), Vec::<u8>::new());
        assert_eq!(read(&[0x7f]).unwrap(), vec![0x7f]);
        assert_eq!(read(&[0, 0x80]).unwrap(), vec![0x80]);
        for bad in [&[0][..], &[0x80], &[0, 0x7f], &[0, 0, 0x80], &[0xff]] {
            assert_eq!(read(bad).unwrap_err().kind, DecodeErrorKind::BadMpint, "{bad:?}");
        }
    }

    #[test]
    fn bytes_after_the_last_field_are_an_error() {
        let mut r = Reader::new(&[1, 2]);
        r.u8("a").unwrap();
        assert_eq!(r.finish().unwrap_err().kind, DecodeErrorKind::Trailing);
    }
}
