//! What a server answers (draft §7).

use crate::{Attributes, Code, Name, packet};
use nacre_wire::{DecodeError, DecodeErrorKind, Reader, WriteExt};

/// The bytes of [`Reply::data_head`].
pub const DATA_HEAD: usize = 13;

/// A reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply<'a> {
    /// How it went, with words for people that must be cleaned before they are shown.
    Status { code: Code, message: &'a [u8] },
    /// A file or folder is open.
    Handle(&'a [u8]),
    /// Bytes of a file, at least one.
    Data(&'a [u8]),
    /// Names.
    Names(Vec<Name>),
    /// Attributes.
    Attributes(Attributes),
    /// The answer to an extension, of its own shape.
    Extended(&'a [u8]),
}

impl<'a> Reply<'a> {
    /// Reads one from a packet's type byte on; VERSION is not one. Gives the id of its request too.
    ///
    /// # Errors
    /// Malformed, or not a reply.
    pub fn decode(packet: &'a [u8]) -> Result<(u32, Self), DecodeError> {
        let mut reader = Reader::new(packet);
        let kind = reader.u8("type")?;
        let id = reader.u32("request-id")?;
        let reply = match kind {
            packet::STATUS => {
                let code = Code::from_number(reader.u32("status code")?);
                // Servers of older versions end here.
                let message = if reader.remaining() == 0 { &[][..] } else { reader.string("error message")? };
                reader.rest();
                Self::Status { code, message }
            }
            packet::HANDLE => Self::Handle(read_handle(&mut reader)?),
            packet::DATA => Self::Data(reader.string("data")?),
            packet::NAME => Self::Names(read_names(&mut reader)?),
            packet::ATTRS => Self::Attributes(Attributes::read(&mut reader)?),
            packet::EXTENDED_REPLY => Self::Extended(reader.rest()),
            _ => return Err(DecodeError { kind: DecodeErrorKind::WrongMessage, field: "type" }),
        };
        reader.finish()?;
        Ok((id, reply))
    }

    /// Appends it as a whole packet.
    pub fn encode(&self, id: u32, out: &mut Vec<u8>) {
        match self {
            Self::Status { code, message } => packet::append(out, packet::STATUS, |out| {
                out.put_u32(id);
                out.put_u32(code.number());
                out.put_string(message);
                out.put_string("");
            }),
            Self::Handle(handle) => packet::append(out, packet::HANDLE, |out| {
                out.put_u32(id);
                out.put_string(handle);
            }),
            Self::Data(data) => packet::append(out, packet::DATA, |out| {
                out.put_u32(id);
                out.put_string(data);
            }),
            Self::Names(names) => packet::append(out, packet::NAME, |out| {
                out.put_u32(id);
                out.put_u32(u32::try_from(names.len()).unwrap_or(u32::MAX));
                names.iter().for_each(|name| name.write(out));
            }),
            Self::Attributes(attributes) => packet::append(out, packet::ATTRS, |out| {
                out.put_u32(id);
                attributes.write(out);
            }),
            Self::Extended(data) => packet::append(out, packet::EXTENDED_REPLY, |out| {
                out.put_u32(id);
                out.extend_from_slice(data);
            }),
        }
    }

    /// Appends a STATUS with the code's own words.
    pub fn encode_status(id: u32, code: Code, out: &mut Vec<u8>) {
        Reply::Status { code, message: code.words().unwrap_or("Unknown status").as_bytes() }.encode(id, out);
    }

    /// The head of a DATA packet with `length` bytes, at most a packet's: from its length field up to the bytes themselves.
    pub fn data_head(id: u32, length: u32) -> [u8; DATA_HEAD] {
        let mut head = [0; DATA_HEAD];
        let numbers = [length.saturating_add(9).to_be_bytes(), id.to_be_bytes(), length.to_be_bytes()];
        let places = [0..4, 5..9, 9..13];
        for (place, number) in places.into_iter().zip(numbers) {
            if let Some(place) = head.get_mut(place) {
                place.copy_from_slice(&number);
            }
        }
        if let Some(kind) = head.get_mut(4) {
            *kind = packet::DATA;
        }
        head
    }

    /// Appends DATA that `fill` puts straight into the packet: it is given `length` bytes of space and says how many it
    /// filled. With none or an error nothing is appended.
    ///
    /// # Errors
    /// Those of `fill`.
    pub fn encode_data<E>(
        id: u32,
        length: usize,
        out: &mut Vec<u8>,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        packet::append_filled(out, length, fill, |out| {
            out.put_u8(packet::DATA);
            out.put_u32(id);
        })
    }
}

fn read_handle<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    let handle = reader.string("handle")?;
    if handle.len() > crate::MAX_HANDLE {
        return Err(DecodeError { kind: DecodeErrorKind::TooLong, field: "handle" });
    }
    Ok(handle)
}

/// The count is compared with the bytes that are there: an entry has at least 12 (threat F8).
fn read_names(reader: &mut Reader<'_>) -> Result<Vec<Name>, DecodeError> {
    let count = reader.u32("count")?;
    if usize::try_from(count).map_or(true, |count| count > reader.remaining() / 12) {
        return Err(DecodeError { kind: DecodeErrorKind::Truncated, field: "count" });
    }
    (0..count).map(|_| Name::read(reader)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_head_and_its_bytes_are_a_data_packet() {
        let mut whole = Vec::new();
        Reply::Data(b"bytes").encode(0x0102_0304, &mut whole);
        let mut parts = Reply::data_head(0x0102_0304, 5).to_vec();
        parts.extend(b"bytes");
        assert_eq!(parts, whole);
    }
}
