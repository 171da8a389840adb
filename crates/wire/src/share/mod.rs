//! What a client and the master of a shared connection say to each other (OpenSSH PROTOCOL.mux, version 4): frames on a
//! Unix socket, whose sizes and numbers are all `uint32`. Descriptors travel beside them and are none of this module's.

mod reply;
mod request;

pub use reply::Reply;
pub use request::{End, Forward, ForwardKind, NewSession, Request};

use crate::{DecodeError, DecodeErrorKind, Reader, WriteExt};

/// The version of the protocol.
pub const VERSION: u32 = 4;
/// The most bytes of one frame, its length field not counted: what OpenSSH's master takes.
pub const MAX_FRAME: usize = 256 * 1024;
/// The most variables of one session.
pub const MAX_VARIABLES: usize = 4096;
/// The most extensions that a greeting may name.
const MAX_EXTENSIONS: usize = 64;
/// The number of HELLO, which both sides send.
const HELLO: u32 = 1;
const LENGTH_FIELD: usize = 4;

/// Takes the first whole frame out of `buffer`, without its length field. `None` means that the rest of it has still to
/// arrive; the length is judged as soon as its four bytes are here.
///
/// # Errors
/// It is longer than [`MAX_FRAME`]. There is no way to find the next one after that.
pub fn next_frame(buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, DecodeError> {
    let Some(field) = buffer.first_chunk::<LENGTH_FIELD>() else { return Ok(None) };
    let length = usize::try_from(u32::from_be_bytes(*field)).unwrap_or(usize::MAX);
    if length > MAX_FRAME {
        return Err(DecodeError { kind: DecodeErrorKind::TooLong, field: "frame" });
    }
    let Some(frame) = buffer.get(LENGTH_FIELD..LENGTH_FIELD + length).map(<[u8]>::to_vec) else { return Ok(None) };
    buffer.drain(..LENGTH_FIELD + length);
    Ok(Some(frame))
}

/// A frame's number and the fields that follow, with the length in front.
fn frame(number: u32, fields: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut body = Vec::new();
    body.put_u32(number);
    fields(&mut body);
    let mut out = Vec::with_capacity(LENGTH_FIELD + body.len());
    out.put_string(body);
    out
}

/// What follows the number of HELLO: the version, then extensions, none of which is known.
fn hello(reader: &mut Reader<'_>) -> Result<u32, DecodeError> {
    let version = reader.u32("protocol version")?;
    for _ in 0..MAX_EXTENSIONS {
        if reader.remaining() == 0 {
            return Ok(version);
        }
        reader.string("extension name")?;
        reader.string("extension value")?;
    }
    Err(DecodeError { kind: DecodeErrorKind::TooLong, field: "extensions" })
}

fn text(reader: &mut Reader<'_>, field: &'static str) -> Result<String, DecodeError> {
    reader.text(field).map(str::to_owned)
}

#[cfg(test)]
mod tests;
