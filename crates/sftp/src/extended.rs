//! The extended requests that Nacre speaks (draft §8): OpenSSH's (its PROTOCOL file, section 4), hashes as in
//! draft-ietf-secsh-filexfer-extensions §3, and two of Nacre's own.

use crate::Attributes;
use nacre_wire::{DecodeError, DecodeErrorKind, Reader, WriteExt};

/// `posix-rename@openssh.com`: a rename that replaces.
pub const POSIX_RENAME: &str = "posix-rename@openssh.com";
/// `statvfs@openssh.com`: the file system of a path.
pub const STATVFS: &str = "statvfs@openssh.com";
/// `fstatvfs@openssh.com`: the file system of a handle.
pub const FSTATVFS: &str = "fstatvfs@openssh.com";
/// `hardlink@openssh.com`: one more name of a file.
pub const HARDLINK: &str = "hardlink@openssh.com";
/// `fsync@openssh.com`: to the disk.
pub const FSYNC: &str = "fsync@openssh.com";
/// `lsetstat@openssh.com`: SETSTAT that does not follow a link.
pub const LSETSTAT: &str = "lsetstat@openssh.com";
/// `limits@openssh.com`: what the server bears.
pub const LIMITS: &str = "limits@openssh.com";
/// `expand-path@openssh.com`: REALPATH that knows `~` and `~user`.
pub const EXPAND_PATH: &str = "expand-path@openssh.com";
/// `copy-data`: a copy without the bytes travelling.
pub const COPY_DATA: &str = "copy-data";
/// `home-directory`: the home folder of a user.
pub const HOME_DIRECTORY: &str = "home-directory";
/// `users-groups-by-id@openssh.com`: names for numbers.
pub const USERS_GROUPS: &str = "users-groups-by-id@openssh.com";
/// The name by which a server announces both hash requests.
pub const CHECK_FILE: &str = "check-file";
/// `check-file-handle`: hashes of an open file.
pub const CHECK_FILE_HANDLE: &str = "check-file-handle";
/// `check-file-name`: hashes of a named file.
pub const CHECK_FILE_NAME: &str = "check-file-name";
/// Nacre's: how many names a file has. `string path` (not followed) is answered by EXTENDED_REPLY `uint64 links`.
pub const LINK_COUNT: &str = "link-count@nacre.invalid";
/// Nacre's: where an open file has data. `string handle`, `uint64 offset` is answered by EXTENDED_REPLY with pairs
/// `uint64 start`, `uint64 end` in rising order, at most [`MAX_RANGES`], from the offset on; fewer than that many:
/// what follows the last is a hole to the end.
pub const DATA_RANGES: &str = "data-ranges@nacre.invalid";

/// The most pairs in an answer to [`DATA_RANGES`].
pub const MAX_RANGES: usize = 1000;

/// The most numbers of each kind in [`Extended::UsersGroupsById`]; a packet holds no more names.
pub const MAX_IDS: usize = 8192;

/// An extended request, its name read. Paths and handles are as in the requests of the draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extended<'a> {
    /// [`POSIX_RENAME`].
    PosixRename { old: &'a [u8], new: &'a [u8] },
    /// [`STATVFS`].
    Statvfs { path: &'a [u8] },
    /// [`FSTATVFS`].
    Fstatvfs { handle: &'a [u8] },
    /// [`HARDLINK`].
    Hardlink { old: &'a [u8], new: &'a [u8] },
    /// [`FSYNC`].
    Fsync { handle: &'a [u8] },
    /// [`LSETSTAT`].
    Lsetstat { path: &'a [u8], attributes: Attributes },
    /// [`LIMITS`].
    Limits,
    /// [`EXPAND_PATH`].
    ExpandPath { path: &'a [u8] },
    /// [`COPY_DATA`]; a length of 0 goes to the end of the file.
    CopyData { from: &'a [u8], from_offset: u64, length: u64, to: &'a [u8], to_offset: u64 },
    /// [`HOME_DIRECTORY`]; an empty name is the user's own.
    HomeDirectory { user: &'a [u8] },
    /// [`USERS_GROUPS`].
    UsersGroupsById { users: Vec<u32>, groups: Vec<u32> },
    /// [`CHECK_FILE_HANDLE`] or [`CHECK_FILE_NAME`].
    CheckFile { file: CheckedFile<'a>, check: Check<'a> },
    /// [`LINK_COUNT`].
    LinkCount { path: &'a [u8] },
    /// [`DATA_RANGES`].
    DataRanges { handle: &'a [u8], offset: u64 },
    /// A name we do not know.
    Unknown { name: &'a [u8] },
}

/// The file whose hashes are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckedFile<'a> {
    /// By handle.
    Handle(&'a [u8]),
    /// By path; links are followed.
    Path(&'a [u8]),
}

/// What of a file to hash, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check<'a> {
    /// Names of hashes with commas between, the best liked first, such as `sha256,sha512`.
    pub algorithms: &'a [u8],
    /// Where to begin.
    pub offset: u64,
    /// How many bytes; 0 goes to the end of the file.
    pub length: u64,
    /// One hash for each block of so many bytes; 0: one hash of all.
    pub block: u32,
}

impl<'a> Extended<'a> {
    /// Reads name and data to the end of the packet.
    ///
    /// # Errors
    /// Malformed. A name we do not know is no error.
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let name = reader.string("extended request")?;
        Ok(match str::from_utf8(name).unwrap_or_default() {
            POSIX_RENAME => Self::PosixRename { old: reader.string("oldpath")?, new: reader.string("newpath")? },
            STATVFS => Self::Statvfs { path: reader.string("path")? },
            FSTATVFS => Self::Fstatvfs { handle: reader.string("handle")? },
            HARDLINK => Self::Hardlink { old: reader.string("oldpath")?, new: reader.string("newpath")? },
            FSYNC => Self::Fsync { handle: reader.string("handle")? },
            LSETSTAT => Self::Lsetstat { path: reader.string("path")?, attributes: Attributes::read(reader)? },
            LIMITS => Self::Limits,
            EXPAND_PATH => Self::ExpandPath { path: reader.string("path")? },
            COPY_DATA => Self::CopyData {
                from: reader.string("read-from-handle")?,
                from_offset: reader.u64("read-from-offset")?,
                length: reader.u64("read-data-length")?,
                to: reader.string("write-to-handle")?,
                to_offset: reader.u64("write-to-offset")?,
            },
            HOME_DIRECTORY => Self::HomeDirectory { user: reader.string("username")? },
            USERS_GROUPS => {
                Self::UsersGroupsById { users: read_ids(reader, "uids")?, groups: read_ids(reader, "gids")? }
            }
            CHECK_FILE_HANDLE => {
                Self::CheckFile { file: CheckedFile::Handle(reader.string("handle")?), check: Check::read(reader)? }
            }
            CHECK_FILE_NAME => {
                Self::CheckFile { file: CheckedFile::Path(reader.string("name")?), check: Check::read(reader)? }
            }
            LINK_COUNT => Self::LinkCount { path: reader.string("path")? },
            DATA_RANGES => Self::DataRanges { handle: reader.string("handle")?, offset: reader.u64("offset")? },
            _ => {
                reader.rest();
                Self::Unknown { name }
            }
        })
    }

    /// The name it goes by.
    pub fn name(&self) -> &[u8] {
        match self {
            Self::PosixRename { .. } => POSIX_RENAME.as_bytes(),
            Self::Statvfs { .. } => STATVFS.as_bytes(),
            Self::Fstatvfs { .. } => FSTATVFS.as_bytes(),
            Self::Hardlink { .. } => HARDLINK.as_bytes(),
            Self::Fsync { .. } => FSYNC.as_bytes(),
            Self::Lsetstat { .. } => LSETSTAT.as_bytes(),
            Self::Limits => LIMITS.as_bytes(),
            Self::ExpandPath { .. } => EXPAND_PATH.as_bytes(),
            Self::CopyData { .. } => COPY_DATA.as_bytes(),
            Self::HomeDirectory { .. } => HOME_DIRECTORY.as_bytes(),
            Self::UsersGroupsById { .. } => USERS_GROUPS.as_bytes(),
            Self::CheckFile { file: CheckedFile::Handle(_), .. } => CHECK_FILE_HANDLE.as_bytes(),
            Self::CheckFile { file: CheckedFile::Path(_), .. } => CHECK_FILE_NAME.as_bytes(),
            Self::LinkCount { .. } => LINK_COUNT.as_bytes(),
            Self::DataRanges { .. } => DATA_RANGES.as_bytes(),
            Self::Unknown { name } => name,
        }
    }

    /// Appends name and data.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.put_string(self.name());
        match self {
            Self::PosixRename { old, new } | Self::Hardlink { old, new } => {
                out.put_string(old);
                out.put_string(new);
            }
            Self::Statvfs { path } | Self::ExpandPath { path } | Self::LinkCount { path } => out.put_string(path),
            Self::Fstatvfs { handle } | Self::Fsync { handle } => out.put_string(handle),
            Self::Lsetstat { path, attributes } => {
                out.put_string(path);
                attributes.write(out);
            }
            Self::CopyData { from, from_offset, length, to, to_offset } => {
                out.put_string(from);
                out.put_u64(*from_offset);
                out.put_u64(*length);
                out.put_string(to);
                out.put_u64(*to_offset);
            }
            Self::HomeDirectory { user } => out.put_string(user),
            Self::UsersGroupsById { users, groups } => {
                for ids in [users, groups] {
                    out.put_string(ids.iter().flat_map(|id| id.to_be_bytes()).collect::<Vec<u8>>());
                }
            }
            Self::CheckFile { file, check } => {
                let (CheckedFile::Handle(file) | CheckedFile::Path(file)) = file;
                out.put_string(file);
                check.write(out);
            }
            Self::DataRanges { handle, offset } => {
                out.put_string(handle);
                out.put_u64(*offset);
            }
            Self::Limits | Self::Unknown { .. } => {}
        }
    }
}

impl<'a> Check<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            algorithms: reader.string("hash-algorithm-list")?,
            offset: reader.u64("start-offset")?,
            length: reader.u64("length")?,
            block: reader.u32("block-size")?,
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.put_string(self.algorithms);
        out.put_u64(self.offset);
        out.put_u64(self.length);
        out.put_u32(self.block);
    }
}

/// The answer to [`Extended::CheckFile`]: `string` hash algorithm, then the hashes, nothing between them. It covers the
/// blocks from the beginning on, as many as there are or as a packet holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckReply<'a> {
    /// Which of the algorithms asked for was taken.
    pub algorithm: &'a [u8],
    /// One hash after the other.
    pub hashes: &'a [u8],
}

impl<'a> CheckReply<'a> {
    /// The most bytes of hashes: a packet without its header and the longest name of an algorithm.
    pub const MAX_HASHES: usize = crate::MAX_PACKET - 64;

    /// Reads the data of its EXTENDED_REPLY.
    ///
    /// # Errors
    /// Malformed.
    pub fn decode(data: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(data);
        let mut algorithm = reader.string("hash-algo-used")?;
        // The draft's text repeats the request's name first, and some servers follow it.
        if algorithm == CHECK_FILE.as_bytes() {
            algorithm = reader.string("hash-algo-used")?;
        }
        Ok(Self { algorithm, hashes: reader.rest() })
    }

    /// The data of its EXTENDED_REPLY.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(4 + self.algorithm.len() + self.hashes.len());
        out.put_string(self.algorithm);
        out.extend_from_slice(self.hashes);
        out
    }
}

/// The data of the answer to [`Extended::DataRanges`].
pub fn encode_ranges(ranges: &[(u64, u64)]) -> Vec<u8> {
    ranges.iter().flat_map(|(start, end)| [start.to_be_bytes(), end.to_be_bytes()]).flatten().collect()
}

/// Reads the answer to [`Extended::DataRanges`]: starts and ends in rising order, none empty.
///
/// # Errors
/// Malformed, more than [`MAX_RANGES`], or not in order.
pub fn decode_ranges(data: &[u8]) -> Result<Vec<(u64, u64)>, DecodeError> {
    let bad = |kind| DecodeError { kind, field: "ranges" };
    let (numbers, rest) = data.as_chunks::<8>();
    if !rest.is_empty() || numbers.len() % 2 != 0 {
        return Err(bad(DecodeErrorKind::Truncated));
    }
    if numbers.len() / 2 > MAX_RANGES {
        return Err(bad(DecodeErrorKind::TooLong));
    }
    let numbers: Vec<u64> = numbers.iter().map(|number| u64::from_be_bytes(*number)).collect();
    let ranges: Vec<(u64, u64)> = numbers.as_chunks::<2>().0.iter().map(|[start, end]| (*start, *end)).collect();
    let apart = ranges.windows(2).all(|pair| matches!(pair, [(_, end), (start, _)] if end < start));
    if !apart || ranges.iter().any(|(start, end)| start >= end) {
        return Err(bad(DecodeErrorKind::BadValue));
    }
    Ok(ranges)
}

fn read_ids(reader: &mut Reader<'_>, field: &'static str) -> Result<Vec<u32>, DecodeError> {
    let bytes = reader.string(field)?;
    let (ids, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(DecodeError { kind: DecodeErrorKind::BadValue, field });
    }
    if ids.len() > MAX_IDS {
        return Err(DecodeError { kind: DecodeErrorKind::TooLong, field });
    }
    Ok(ids.iter().map(|id| u32::from_be_bytes(*id)).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn check_replies_survive_the_round_trip() {
        let reply = CheckReply { algorithm: b"sha256", hashes: &[7; 64] };
        assert_eq!(CheckReply::decode(&reply.encode()), Ok(reply));
        assert!(CheckReply::decode(b"\0\0\0\x07sha256").is_err());
        let repeated = [&b"\0\0\0\x0acheck-file"[..], &reply.encode()].concat();
        assert_eq!(CheckReply::decode(&repeated), Ok(reply));
    }

    #[test]
    fn f08_ranges_that_overlap_or_go_back_are_refused() {
        let good = [(0, 4096), (8192, u64::MAX)];
        assert_eq!(decode_ranges(&encode_ranges(&good)).unwrap(), good);
        assert_eq!(decode_ranges(b"").unwrap(), []);
        for bad in [&[(5, 5)][..], &[(6, 5)], &[(0, 9), (8, 10)], &[(8, 9), (0, 1)], &[(0, 9), (9, 10)]] {
            assert!(decode_ranges(&encode_ranges(bad)).is_err(), "{bad:?}");
        }
        assert!(decode_ranges(&[0; 8]).is_err());
        assert!(decode_ranges(&[0; 17]).is_err());
        let many: Vec<_> = (0..=1000).map(|n| (n * 3, n * 3 + 1)).collect();
        assert!(decode_ranges(&encode_ranges(&many)).is_err());
    }
}
