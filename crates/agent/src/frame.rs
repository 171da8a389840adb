//! Messages on a stream: a `uint32` length in bytes, then that many bytes, of which the first is
//! the message's number (RFC 9987 §5).

use crate::error::AgentError;
use nacre_wire::WriteExt;

/// The most bytes of one message, its length field not counted: what OpenSSH takes, and enough for
/// any list of keys a person has (threat G1).
pub const MAX_FRAME: usize = 256 * 1024;

const LENGTH_FIELD: usize = 4;

/// Takes the first whole message out of `buffer`, without its length field; at least one byte long.
/// `None` means that the rest of it has still to arrive. The length is judged as soon as its four
/// bytes are here, so nobody waits for, or makes room for, what would be refused anyway.
///
/// # Errors
/// The length is 0 or above [`MAX_FRAME`]. There is no way to find the next message after that, so
/// the stream is to be closed.
pub fn next_frame(buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, AgentError> {
    let Some(field) = buffer.first_chunk::<LENGTH_FIELD>() else { return Ok(None) };
    let announced = u32::from_be_bytes(*field);
    let length = match usize::try_from(announced) {
        Ok(0) => return Err(AgentError::FrameEmpty),
        Ok(length) if length <= MAX_FRAME => length,
        _ => return Err(AgentError::FrameTooLong { length: announced }),
    };
    let Some(frame) = buffer.get(LENGTH_FIELD..LENGTH_FIELD + length).map(<[u8]>::to_vec) else { return Ok(None) };
    buffer.drain(..LENGTH_FIELD + length);
    Ok(Some(frame))
}

/// Appends one message with its length field.
///
/// # Errors
/// It is longer than [`MAX_FRAME`]; `out` is as it was.
pub fn put_frame(out: &mut Vec<u8>, message: &[u8]) -> Result<(), AgentError> {
    if message.len() > MAX_FRAME {
        return Err(AgentError::RequestTooLong { length: message.len() });
    }
    out.put_string(message);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn g01_a_length_of_4_gib_is_refused_on_its_four_bytes() {
        for length in [u32::MAX, 1 << 31, u32::try_from(MAX_FRAME).unwrap() + 1] {
            let mut buffer = length.to_be_bytes().to_vec();
            assert_eq!(next_frame(&mut buffer), Err(AgentError::FrameTooLong { length }));
        }
    }

    #[test]
    fn g01_a_length_of_0_is_refused() {
        assert_eq!(next_frame(&mut vec![0; 4]), Err(AgentError::FrameEmpty));
    }

    #[test]
    fn the_longest_message_passes_and_one_more_byte_does_not() {
        let mut buffer = Vec::new();
        put_frame(&mut buffer, &vec![7; MAX_FRAME]).unwrap();
        assert_eq!(next_frame(&mut buffer).unwrap().unwrap().len(), MAX_FRAME);
        assert!(buffer.is_empty());
        let length = MAX_FRAME + 1;
        assert_eq!(put_frame(&mut buffer, &vec![7; length]), Err(AgentError::RequestTooLong { length }));
        assert!(buffer.is_empty());
    }

    #[test]
    fn part_of_a_message_waits_and_what_follows_stays() {
        let whole = [0, 0, 0, 2, 5, 6, 0, 0];
        for cut in 0..6 {
            let mut buffer = whole.get(..cut).unwrap().to_vec();
            assert_eq!(next_frame(&mut buffer).unwrap(), None, "{cut}");
            assert_eq!(buffer.len(), cut);
        }
        let mut buffer = whole.to_vec();
        assert_eq!(next_frame(&mut buffer).unwrap(), Some(vec![5, 6]));
        assert_eq!(buffer, [0, 0]);
    }
}
