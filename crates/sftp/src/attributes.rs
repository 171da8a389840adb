//! ATTRS: what is told of a file, or asked to be set (draft §5).

use nacre_wire::{DecodeError, DecodeErrorKind, Reader, WriteExt};

const SIZE: u32 = 0x1;
const OWNER: u32 = 0x2;
const PERMISSIONS: u32 = 0x4;
const TIMES: u32 = 0x8;
const EXTENDED: u32 = 0x8000_0000;

/// The most extended pairs that are read.
const MAX_EXTENDED: u32 = 64;

/// The bits of a mode that tell what kind of file it is (`S_IFMT`, POSIX).
pub const KIND_BITS: u32 = 0o170_000;

/// A name and its data.
pub type Pair = (Vec<u8>, Vec<u8>);

/// Each field is absent when it was not told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Bytes.
    pub size: Option<u64>,
    /// User id and group id.
    pub owner: Option<(u32, u32)>,
    /// POSIX mode: kind of file and permissions.
    pub permissions: Option<u32>,
    /// Last access and last modification, in seconds since 1970.
    pub times: Option<(u32, u32)>,
    /// Pairs of a name and its data.
    pub extended: Vec<Pair>,
}

/// What kind of file a mode names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device, socket, pipe, or something the other side has a name for.
    Other,
}

impl Attributes {
    /// What kind of file it is, if that was told.
    pub fn kind(&self) -> Option<Kind> {
        self.permissions.and_then(|mode| match mode & KIND_BITS {
            0o100_000 => Some(Kind::File),
            0o040_000 => Some(Kind::Directory),
            0o120_000 => Some(Kind::Symlink),
            0 => None,
            _ => Some(Kind::Other),
        })
    }

    /// Reads them.
    ///
    /// # Errors
    /// Truncated, or more than 64 extended pairs. Unknown flags are an error: what follows them is not known.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let flags = reader.u32("attribute flags")?;
        if flags & !(SIZE | OWNER | PERMISSIONS | TIMES | EXTENDED) != 0 {
            return Err(DecodeError { kind: DecodeErrorKind::BadValue, field: "attribute flags" });
        }
        let has = |flag| flags & flag != 0;
        let size = if has(SIZE) { Some(reader.u64("size")?) } else { None };
        let owner = if has(OWNER) { Some((reader.u32("uid")?, reader.u32("gid")?)) } else { None };
        let permissions = if has(PERMISSIONS) { Some(reader.u32("permissions")?) } else { None };
        let times = if has(TIMES) { Some((reader.u32("atime")?, reader.u32("mtime")?)) } else { None };
        let extended = if has(EXTENDED) { read_extended(reader)? } else { Vec::new() };
        Ok(Self { size, owner, permissions, times, extended })
    }

    /// Appends them.
    pub fn write(&self, out: &mut Vec<u8>) {
        let flag = |there: bool, flag: u32| if there { flag } else { 0 };
        out.put_u32(
            flag(self.size.is_some(), SIZE)
                | flag(self.owner.is_some(), OWNER)
                | flag(self.permissions.is_some(), PERMISSIONS)
                | flag(self.times.is_some(), TIMES)
                | flag(!self.extended.is_empty(), EXTENDED),
        );
        if let Some(size) = self.size {
            out.put_u64(size);
        }
        if let Some((uid, gid)) = self.owner {
            out.put_u32(uid);
            out.put_u32(gid);
        }
        if let Some(permissions) = self.permissions {
            out.put_u32(permissions);
        }
        if let Some((access, modification)) = self.times {
            out.put_u32(access);
            out.put_u32(modification);
        }
        if !self.extended.is_empty() {
            out.put_u32(u32::try_from(self.extended.len()).unwrap_or(u32::MAX));
            for (name, data) in &self.extended {
                out.put_string(name);
                out.put_string(data);
            }
        }
    }
}

fn read_extended(reader: &mut Reader<'_>) -> Result<Vec<Pair>, DecodeError> {
    let count = reader.u32("extended count")?;
    if count > MAX_EXTENDED {
        return Err(DecodeError { kind: DecodeErrorKind::TooLong, field: "extended count" });
    }
    let mut pairs = Vec::new();
    for _ in 0..count {
        pairs.push((reader.string("extended type")?.to_vec(), reader.string("extended data")?.to_vec()));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn every_combination_of_fields_survives_the_round_trip() {
        for bits in 0..32u32 {
            let has = |bit: u32| bits & bit != 0;
            let attributes = Attributes {
                size: has(1).then_some(u64::MAX - 1),
                owner: has(2).then_some((1, 2)),
                permissions: has(4).then_some(0o100_644),
                times: has(8).then_some((3, 4)),
                extended: if has(16) { vec![(b"a@b".to_vec(), b"c".to_vec())] } else { Vec::new() },
            };
            let mut out = Vec::new();
            attributes.write(&mut out);
            let mut reader = Reader::new(&out);
            assert_eq!(Attributes::read(&mut reader).unwrap(), attributes);
            reader.finish().unwrap();
            for cut in 0..out.len() {
                assert!(Attributes::read(&mut Reader::new(&out[..cut])).is_err(), "{bits} cut at {cut}");
            }
        }
    }

    #[test]
    fn f04_flags_and_counts_that_lie_are_refused() {
        for bad in [&[0, 0, 0, 0x10][..], &[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], &[0x80, 0, 0, 0, 0, 0, 0, 65]] {
            assert!(Attributes::read(&mut Reader::new(bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn kinds_follow_the_mode() {
        let kind = |mode| Attributes { permissions: Some(mode), ..Attributes::default() }.kind();
        assert_eq!(kind(0o100_600), Some(Kind::File));
        assert_eq!(kind(0o040_755), Some(Kind::Directory));
        assert_eq!(kind(0o120_777), Some(Kind::Symlink));
        assert_eq!(kind(0o010_600), Some(Kind::Other));
        assert_eq!(kind(0o600), None);
        assert_eq!(Attributes::default().kind(), None);
    }
}
