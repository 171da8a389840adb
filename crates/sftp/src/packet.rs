//! Packets in a stream: `uint32 length`, `byte type`, then the rest (draft §3).

use crate::MAX_PACKET;
use nacre_wire::WriteExt;

/// SSH_FXP_INIT.
pub const INIT: u8 = 1;
/// SSH_FXP_VERSION.
pub const VERSION: u8 = 2;
/// SSH_FXP_OPEN.
pub const OPEN: u8 = 3;
/// SSH_FXP_CLOSE.
pub const CLOSE: u8 = 4;
/// SSH_FXP_READ.
pub const READ: u8 = 5;
/// SSH_FXP_WRITE.
pub const WRITE: u8 = 6;
/// SSH_FXP_LSTAT.
pub const LSTAT: u8 = 7;
/// SSH_FXP_FSTAT.
pub const FSTAT: u8 = 8;
/// SSH_FXP_SETSTAT.
pub const SETSTAT: u8 = 9;
/// SSH_FXP_FSETSTAT.
pub const FSETSTAT: u8 = 10;
/// SSH_FXP_OPENDIR.
pub const OPENDIR: u8 = 11;
/// SSH_FXP_READDIR.
pub const READDIR: u8 = 12;
/// SSH_FXP_REMOVE.
pub const REMOVE: u8 = 13;
/// SSH_FXP_MKDIR.
pub const MKDIR: u8 = 14;
/// SSH_FXP_RMDIR.
pub const RMDIR: u8 = 15;
/// SSH_FXP_REALPATH.
pub const REALPATH: u8 = 16;
/// SSH_FXP_STAT.
pub const STAT: u8 = 17;
/// SSH_FXP_RENAME.
pub const RENAME: u8 = 18;
/// SSH_FXP_READLINK.
pub const READLINK: u8 = 19;
/// SSH_FXP_SYMLINK.
pub const SYMLINK: u8 = 20;
/// SSH_FXP_STATUS.
pub const STATUS: u8 = 101;
/// SSH_FXP_HANDLE.
pub const HANDLE: u8 = 102;
/// SSH_FXP_DATA.
pub const DATA: u8 = 103;
/// SSH_FXP_NAME.
pub const NAME: u8 = 104;
/// SSH_FXP_ATTRS.
pub const ATTRS: u8 = 105;
/// SSH_FXP_EXTENDED.
pub const EXTENDED: u8 = 200;
/// SSH_FXP_EXTENDED_REPLY.
pub const EXTENDED_REPLY: u8 = 201;

/// The bytes of the length field.
pub const LENGTH: usize = 4;

/// A length no packet may have: 0, or more than [`MAX_PACKET`]. What follows it cannot be told apart any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadLength(pub u32);

impl std::fmt::Display for BadLength {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "an SFTP packet of {} bytes was announced; 1 to {MAX_PACKET} are allowed", self.0)?;
        // A login script that prints text is the usual reason, so show the text.
        let text = self.0.to_be_bytes();
        if text.iter().all(|b| (0x20..0x7f).contains(b)) {
            write!(f, " (the bytes read as text: \"{}\"", String::from_utf8_lossy(&text))?;
            write!(f, "; does a login script print something?)")?;
        }
        Ok(())
    }
}

impl std::error::Error for BadLength {}

/// The first packet of `stream`, from its type byte on, or `None` when it is not there as a whole.
/// It took [`LENGTH`] bytes more than its own of the stream.
///
/// # Errors
/// Its length is out of bounds, known as soon as the length itself is there.
pub fn split(stream: &[u8]) -> Result<Option<&[u8]>, BadLength> {
    let Some((length, rest)) = stream.split_first_chunk::<LENGTH>() else { return Ok(None) };
    let length = u32::from_be_bytes(*length);
    match usize::try_from(length) {
        Ok(bytes) if (1..=MAX_PACKET).contains(&bytes) => Ok(rest.get(..bytes)),
        _ => Err(BadLength(length)),
    }
}

/// Appends a packet of type `kind` whose rest `write` appends; its length is filled in afterwards.
pub fn append(out: &mut Vec<u8>, kind: u8, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.put_u32(0);
    out.put_u8(kind);
    write(out);
    fill_length(out, start);
}

/// Writes the length of the packet that starts at `start` and goes to the end.
pub(crate) fn fill_length(out: &mut [u8], start: usize) {
    let length = u32::try_from(out.len().saturating_sub(start + LENGTH)).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(start..start + LENGTH) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

/// Has the packet at `start`, the last one, end with `count` bytes more than are there yet.
pub(crate) fn lengthen(out: &mut [u8], start: usize, count: u32) {
    let here = u32::try_from(out.len().saturating_sub(start + LENGTH)).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(start..start + LENGTH) {
        place.copy_from_slice(&here.saturating_add(count).to_be_bytes());
    }
}

/// Appends a packet that ends with a `string`, which `fill` puts straight into its place: it is given `length` bytes of
/// space and says how many it filled. `head` appends what comes before, from the type byte on. With none filled, or an
/// error, nothing is appended.
pub(crate) fn append_filled<E>(
    out: &mut Vec<u8>,
    length: usize,
    fill: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    head: impl FnOnce(&mut Vec<u8>),
) -> Result<usize, E> {
    let start = out.len();
    out.put_u32(0);
    head(out);
    let data = out.len() + LENGTH;
    out.resize(data + length, 0);
    let filled = fill(out.get_mut(data..).unwrap_or_default());
    let count = filled.as_ref().map_or(0, |count| (*count).min(length));
    if count == 0 {
        out.truncate(start);
        return filled.map(|_| 0);
    }
    out.truncate(data + count);
    fill_length(out, data - LENGTH);
    fill_length(out, start);
    Ok(count)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_packet_is_found_when_it_is_whole() {
        let mut stream = Vec::new();
        append(&mut stream, STATUS, |out| out.extend(b"abc"));
        stream.extend(b"next");
        for cut in 0..8 {
            assert_eq!(split(&stream[..cut]), Ok(None), "{cut}");
        }
        assert_eq!(split(&stream), Ok(Some(&b"\x65abc"[..])));
    }

    #[test]
    fn f04_lengths_out_of_bounds_are_refused_before_anything_is_kept() {
        let longest = u32::try_from(MAX_PACKET).unwrap();
        assert_eq!(split(&longest.to_be_bytes()), Ok(None));
        for bad in [0, longest + 1, u32::MAX] {
            assert_eq!(split(&bad.to_be_bytes()), Err(BadLength(bad)));
        }
        assert!(BadLength(u32::from_be_bytes(*b"Welc")).to_string().contains("\"Welc\"; does a login script"));
    }
}
