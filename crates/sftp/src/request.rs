//! What a client asks (draft §6).

use crate::{Attributes, Extended, packet};
use nacre_wire::{DecodeError, DecodeErrorKind, Reader, WriteExt};

/// SSH_FXF_READ.
pub const FXF_READ: u32 = 0x01;
/// SSH_FXF_WRITE.
pub const FXF_WRITE: u32 = 0x02;
/// SSH_FXF_APPEND.
pub const FXF_APPEND: u32 = 0x04;
/// SSH_FXF_CREAT.
pub const FXF_CREAT: u32 = 0x08;
/// SSH_FXF_TRUNC.
pub const FXF_TRUNC: u32 = 0x10;
/// SSH_FXF_EXCL.
pub const FXF_EXCL: u32 = 0x20;

/// A request. Paths are bytes; relative ones count from the folder the server started in. Handles are what the
/// server gave. Offsets and lengths are bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request<'a> {
    /// Opens a file; `flags` of `FXF_…`, `attributes` for one that is made.
    Open { path: &'a [u8], flags: u32, attributes: Attributes },
    /// Gives a handle back.
    Close { handle: &'a [u8] },
    /// Reads up to `length` bytes.
    Read { handle: &'a [u8], offset: u64, length: u32 },
    /// Writes all of `data`.
    Write { handle: &'a [u8], offset: u64, data: &'a [u8] },
    /// Attributes of a path, a link not followed.
    Lstat { path: &'a [u8] },
    /// Attributes of an open file.
    Fstat { handle: &'a [u8] },
    /// Sets attributes of a path.
    Setstat { path: &'a [u8], attributes: Attributes },
    /// Sets attributes of an open file.
    Fsetstat { handle: &'a [u8], attributes: Attributes },
    /// Opens a folder.
    Opendir { path: &'a [u8] },
    /// The next names of a folder.
    Readdir { handle: &'a [u8] },
    /// Removes a file.
    Remove { path: &'a [u8] },
    /// Makes a folder.
    Mkdir { path: &'a [u8], attributes: Attributes },
    /// Removes an empty folder.
    Rmdir { path: &'a [u8] },
    /// The absolute form of a path.
    Realpath { path: &'a [u8] },
    /// Attributes of a path, links followed.
    Stat { path: &'a [u8] },
    /// Renames; an existing `new` is an error.
    Rename { old: &'a [u8], new: &'a [u8] },
    /// Where a link points.
    Readlink { path: &'a [u8] },
    /// Makes `link`, which points to `target`. On the wire the target comes first, as OpenSSH does it (its PROTOCOL,
    /// section 4.1), not as in the draft.
    Symlink { target: &'a [u8], link: &'a [u8] },
    /// An extension.
    Extended(Extended<'a>),
    /// A type that version 3 does not have.
    Unknown { kind: u8 },
}

impl<'a> Request<'a> {
    /// Reads one from a packet's type byte on; INIT is not one. Gives the request id too.
    ///
    /// # Errors
    /// The id, if that much could be read, and what is malformed.
    pub fn decode(packet: &'a [u8]) -> Result<(u32, Self), (Option<u32>, DecodeError)> {
        let mut reader = Reader::new(packet);
        let kind = reader.u8("type").map_err(|error| (None, error))?;
        let id = reader.u32("request-id").map_err(|error| (None, error))?;
        let request = Self::read(kind, &mut reader).and_then(|request| reader.finish().map(|()| request));
        request.map(|request| (id, request)).map_err(|error| (Some(id), error))
    }

    fn read(kind: u8, reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let handle = |reader: &mut Reader<'a>| reader.string("handle");
        let path = |reader: &mut Reader<'a>| reader.string("path");
        Ok(match kind {
            packet::OPEN => {
                Self::Open { path: path(reader)?, flags: reader.u32("pflags")?, attributes: Attributes::read(reader)? }
            }
            packet::CLOSE => Self::Close { handle: handle(reader)? },
            packet::READ => {
                Self::Read { handle: handle(reader)?, offset: reader.u64("offset")?, length: reader.u32("len")? }
            }
            packet::WRITE => {
                Self::Write { handle: handle(reader)?, offset: reader.u64("offset")?, data: reader.string("data")? }
            }
            packet::LSTAT => Self::Lstat { path: path(reader)? },
            packet::FSTAT => Self::Fstat { handle: handle(reader)? },
            packet::SETSTAT => Self::Setstat { path: path(reader)?, attributes: Attributes::read(reader)? },
            packet::FSETSTAT => Self::Fsetstat { handle: handle(reader)?, attributes: Attributes::read(reader)? },
            packet::OPENDIR => Self::Opendir { path: path(reader)? },
            packet::READDIR => Self::Readdir { handle: handle(reader)? },
            packet::REMOVE => Self::Remove { path: path(reader)? },
            packet::MKDIR => Self::Mkdir { path: path(reader)?, attributes: Attributes::read(reader)? },
            packet::RMDIR => Self::Rmdir { path: path(reader)? },
            packet::REALPATH => Self::Realpath { path: path(reader)? },
            packet::STAT => Self::Stat { path: path(reader)? },
            packet::RENAME => Self::Rename { old: reader.string("oldpath")?, new: reader.string("newpath")? },
            packet::READLINK => Self::Readlink { path: path(reader)? },
            packet::SYMLINK => Self::Symlink { target: reader.string("targetpath")?, link: reader.string("linkpath")? },
            packet::EXTENDED => Self::Extended(Extended::read(reader)?),
            packet::STATUS..=packet::ATTRS | packet::EXTENDED_REPLY | packet::INIT | packet::VERSION => {
                return Err(DecodeError { kind: DecodeErrorKind::WrongMessage, field: "type" });
            }
            kind => {
                reader.rest();
                Self::Unknown { kind }
            }
        })
    }

    /// Its type.
    pub fn kind(&self) -> u8 {
        match self {
            Self::Open { .. } => packet::OPEN,
            Self::Close { .. } => packet::CLOSE,
            Self::Read { .. } => packet::READ,
            Self::Write { .. } => packet::WRITE,
            Self::Lstat { .. } => packet::LSTAT,
            Self::Fstat { .. } => packet::FSTAT,
            Self::Setstat { .. } => packet::SETSTAT,
            Self::Fsetstat { .. } => packet::FSETSTAT,
            Self::Opendir { .. } => packet::OPENDIR,
            Self::Readdir { .. } => packet::READDIR,
            Self::Remove { .. } => packet::REMOVE,
            Self::Mkdir { .. } => packet::MKDIR,
            Self::Rmdir { .. } => packet::RMDIR,
            Self::Realpath { .. } => packet::REALPATH,
            Self::Stat { .. } => packet::STAT,
            Self::Rename { .. } => packet::RENAME,
            Self::Readlink { .. } => packet::READLINK,
            Self::Symlink { .. } => packet::SYMLINK,
            Self::Extended(_) => packet::EXTENDED,
            Self::Unknown { kind } => *kind,
        }
    }

    /// Appends it as a whole packet.
    pub fn encode(&self, id: u32, out: &mut Vec<u8>) {
        packet::append(out, self.kind(), |out| {
            out.put_u32(id);
            self.write(out);
        });
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Open { path, flags, attributes } => {
                out.put_string(path);
                out.put_u32(*flags);
                attributes.write(out);
            }
            Self::Close { handle } | Self::Fstat { handle } | Self::Readdir { handle } => out.put_string(handle),
            Self::Read { handle, offset, length } => {
                out.put_string(handle);
                out.put_u64(*offset);
                out.put_u32(*length);
            }
            Self::Write { handle, offset, data } => {
                out.put_string(handle);
                out.put_u64(*offset);
                out.put_string(data);
            }
            Self::Lstat { path }
            | Self::Opendir { path }
            | Self::Remove { path }
            | Self::Rmdir { path }
            | Self::Realpath { path }
            | Self::Stat { path }
            | Self::Readlink { path } => out.put_string(path),
            Self::Setstat { path: place, attributes }
            | Self::Fsetstat { handle: place, attributes }
            | Self::Mkdir { path: place, attributes } => {
                out.put_string(place);
                attributes.write(out);
            }
            Self::Rename { old: first, new: second } | Self::Symlink { target: first, link: second } => {
                out.put_string(first);
                out.put_string(second);
            }
            Self::Extended(extended) => extended.write(out),
            Self::Unknown { .. } => {}
        }
    }

    /// Appends a WRITE but for its data, `length` bytes that must follow from elsewhere.
    pub fn encode_write_head(id: u32, (handle, offset, length): (&[u8], u64, u32), out: &mut Vec<u8>) {
        let start = out.len();
        packet::append(out, packet::WRITE, |out| {
            out.put_u32(id);
            out.put_string(handle);
            out.put_u64(offset);
            out.put_u32(length);
        });
        packet::lengthen(out, start, length);
    }

    /// Appends a WRITE whose data `fill` puts straight into the packet: it is given `length` bytes of space and says how
    /// many it filled. With none or an error nothing is appended.
    ///
    /// # Errors
    /// Those of `fill`.
    pub fn encode_write<E>(
        id: u32,
        (handle, offset, length): (&[u8], u64, usize),
        out: &mut Vec<u8>,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        packet::append_filled(out, length, fill, |out| {
            out.put_u8(packet::WRITE);
            out.put_u32(id);
            out.put_string(handle);
            out.put_u64(offset);
        })
    }
}
