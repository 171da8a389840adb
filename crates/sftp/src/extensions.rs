//! What a server announces in VERSION (draft §4), and the two replies of extensions that have a shape of their own.

use crate::attributes::Pair;
use crate::{VERSION, extended, packet};
use nacre_wire::{DecodeError, DecodeErrorKind, Reader, WriteExt};

/// The most announced pairs that are read.
const MAX_ANNOUNCED: usize = 256;

/// The names and data of a VERSION, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extensions(Vec<Pair>);

impl Extensions {
    /// All that a server of ours knows.
    pub fn ours() -> Self {
        let known: [(&str, &str); 14] = [
            (extended::POSIX_RENAME, "1"),
            (extended::STATVFS, "2"),
            (extended::FSTATVFS, "2"),
            (extended::HARDLINK, "1"),
            (extended::FSYNC, "1"),
            (extended::LSETSTAT, "1"),
            (extended::LIMITS, "1"),
            (extended::EXPAND_PATH, "1"),
            (extended::COPY_DATA, "1"),
            (extended::HOME_DIRECTORY, "1"),
            (extended::USERS_GROUPS, "1"),
            (extended::CHECK_FILE, "sha256,sha512"),
            (extended::LINK_COUNT, "1"),
            (extended::DATA_RANGES, "1"),
        ];
        Self(known.map(|(name, data)| (name.into(), data.into())).into())
    }

    /// Those for which `keep` says so, by name.
    #[must_use]
    pub fn only(mut self, keep: impl Fn(&[u8]) -> bool) -> Self {
        self.0.retain(|(name, _)| keep(name));
        self
    }

    /// Names and data.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(name, data)| (name.as_slice(), data.as_slice()))
    }

    /// The data of an extension, if it is announced.
    pub fn data(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(known, _)| *known == name.as_bytes()).map(|(_, data)| data)
    }

    /// Whether an extension is announced. OpenSSH's are only those of the version that we speak.
    pub fn has(&self, name: &str) -> bool {
        let version: &[u8] = match name {
            extended::STATVFS | extended::FSTATVFS => b"2",
            extended::CHECK_FILE => return self.data(name).is_some(),
            _ => b"1",
        };
        self.data(name) == Some(version)
    }

    /// Appends VERSION 3 with them as a whole packet.
    pub fn encode(&self, out: &mut Vec<u8>) {
        packet::append(out, packet::VERSION, |out| {
            out.put_u32(VERSION);
            for (name, data) in &self.0 {
                out.put_string(name);
                out.put_string(data);
            }
        });
    }

    /// Reads VERSION from its type byte on: the server's version, and what it announces.
    ///
    /// # Errors
    /// Malformed, more than 256 pairs, or another packet.
    pub fn decode(packet: &[u8]) -> Result<(u32, Self), DecodeError> {
        let mut reader = Reader::new(packet);
        if reader.u8("type")? != packet::VERSION {
            return Err(DecodeError { kind: DecodeErrorKind::WrongMessage, field: "type" });
        }
        let version = reader.u32("version")?;
        let mut pairs = Vec::new();
        while reader.remaining() > 0 {
            if pairs.len() == MAX_ANNOUNCED {
                return Err(DecodeError { kind: DecodeErrorKind::TooLong, field: "extensions" });
            }
            pairs.push((reader.string("extension-name")?.to_vec(), reader.string("extension-data")?.to_vec()));
        }
        Ok((version, Self(pairs)))
    }
}

/// What a server bears, from `limits@openssh.com`; 0 says that it does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a packet.
    pub packet: u64,
    /// Bytes of a READ.
    pub read: u64,
    /// Bytes of a WRITE.
    pub write: u64,
    /// Handles at a time.
    pub handles: u64,
}

impl Limits {
    /// Reads the data of its EXTENDED_REPLY.
    ///
    /// # Errors
    /// Malformed.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(data);
        let mut next = |field| reader.u64(field);
        let limits = Self {
            packet: next("max-packet-length")?,
            read: next("max-read-length")?,
            write: next("max-write-length")?,
            handles: next("max-open-handles")?,
        };
        reader.finish()?;
        Ok(limits)
    }

    /// The data of its EXTENDED_REPLY.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for number in [self.packet, self.read, self.write, self.handles] {
            out.put_u64(number);
        }
        out
    }
}

/// A file system, from `statvfs@openssh.com`. Fields are those of statvfs(3), in its order and units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statvfs {
    /// `f_bsize`, `f_frsize`, `f_blocks`, `f_bfree`, `f_bavail`, `f_files`, `f_ffree`, `f_favail`, `f_fsid`.
    pub numbers: [u64; 9],
    /// Read only (bit 1 on the wire).
    pub read_only: bool,
    /// Set-user-id bits are ignored (bit 2 on the wire).
    pub no_setuid: bool,
    /// `f_namemax`.
    pub longest_name: u64,
}

impl Statvfs {
    /// Bytes of a block as the counts of blocks are meant.
    pub fn block(&self) -> u64 {
        self.numbers[1]
    }

    /// Reads the data of its EXTENDED_REPLY.
    ///
    /// # Errors
    /// Malformed.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(data);
        let mut numbers = [0; 9];
        for number in &mut numbers {
            *number = reader.u64("statvfs")?;
        }
        let flags = reader.u64("f_flag")?;
        let longest_name = reader.u64("f_namemax")?;
        reader.finish()?;
        Ok(Self { numbers, read_only: flags & 1 != 0, no_setuid: flags & 2 != 0, longest_name })
    }

    /// The data of its EXTENDED_REPLY.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for number in self.numbers {
            out.put_u64(number);
        }
        out.put_u64(u64::from(self.read_only) | u64::from(self.no_setuid) << 1);
        out.put_u64(self.longest_name);
        out
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn version_survives_the_round_trip() {
        let mut out = Vec::new();
        Extensions::ours().encode(&mut out);
        let (version, read) = Extensions::decode(packet::split(&out).unwrap().unwrap()).unwrap();
        assert_eq!((version, &read), (3, &Extensions::ours()));
        assert!(read.iter().all(|(name, _)| read.has(str::from_utf8(name).unwrap())));
        assert!(!read.only(|name| name != b"copy-data").has(extended::COPY_DATA));
    }

    #[test]
    fn limits_and_statvfs_survive_the_round_trip_and_no_more_and_no_less() {
        let limits = Limits { packet: 1, read: 2, write: 3, handles: 4 };
        assert_eq!(Limits::decode(&limits.encode()), Ok(limits));
        let told =
            Statvfs { numbers: [1, 2, 3, 4, 5, 6, 7, 8, 9], read_only: true, no_setuid: false, longest_name: 255 };
        assert_eq!(Statvfs::decode(&told.encode()), Ok(told));
        let mut longer = limits.encode();
        longer.push(0);
        assert!(Limits::decode(&longer).is_err());
        assert!(Limits::decode(&longer[..31]).is_err());
        assert!(Statvfs::decode(&told.encode()[1..]).is_err());
    }
}
