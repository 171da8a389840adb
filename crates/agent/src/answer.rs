//! What the agent answers.

use crate::error::AgentError;
use crate::number;
use crate::signature::Signature;
use nacre_wire::{DecodeError, Reader, text};

/// The most keys one list may hold: OpenSSH's bound, far above what a server lets anyone try.
pub const MAX_IDENTITIES: usize = 2048;

/// The most bytes of a comment that are kept.
pub const MAX_COMMENT: usize = 1024;

/// Two empty strings: fewer bytes than this hold no identity.
const SMALLEST_IDENTITY: usize = 8;

/// A key that the agent holds (RFC 9987, "Requesting a List of Keys").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The public key or certificate in its wire form (RFC 4253 §6.6), not examined here.
    pub public_key: Vec<u8>,
    /// What the agent calls it: one line of clean text of at most [`MAX_COMMENT`] bytes and a mark
    /// where it was cut.
    pub comment: String,
}

/// An answer of the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// `SSH_AGENT_IDENTITIES_ANSWER`: the keys, in the agent's order.
    Identities(Vec<Identity>),
    /// `SSH_AGENT_SIGN_RESPONSE`.
    Signature(Signature),
    /// `SSH_AGENT_SUCCESS`.
    Success,
    /// `SSH_AGENT_FAILURE`: refused, no such key, or a request or extension the agent does not know.
    Failure,
    /// `SSH_AGENT_EXTENSION_FAILURE`: the extension is known, but failed.
    ExtensionFailure,
}

impl Answer {
    /// Reads one message, without its length field.
    ///
    /// # Errors
    /// It is malformed, counts more keys than possible, or is no answer to what a [`crate::Request`] asks.
    pub fn decode(message: &[u8]) -> Result<Self, AgentError> {
        let Some((&number, body)) = message.split_first() else { return Err(AgentError::FrameEmpty) };
        let malformed = |error| AgentError::Decode { number, error };
        let mut reader = Reader::new(body);
        let answer = match number {
            number::FAILURE => Self::Failure,
            number::SUCCESS => Self::Success,
            number::EXTENSION_FAILURE => Self::ExtensionFailure,
            number::IDENTITIES_ANSWER => Self::Identities(identities(&mut reader)?),
            number::SIGN_RESPONSE => {
                let blob = reader.string("signature").map_err(malformed)?;
                Self::Signature(Signature::decode(blob).map_err(malformed)?)
            }
            _ => return Err(AgentError::NotAnAnswer { number }),
        };
        reader.finish().map_err(malformed)?;
        Ok(answer)
    }

    /// The message's number.
    pub const fn number(&self) -> u8 {
        match self {
            Self::Identities(_) => number::IDENTITIES_ANSWER,
            Self::Signature(_) => number::SIGN_RESPONSE,
            Self::Success => number::SUCCESS,
            Self::Failure => number::FAILURE,
            Self::ExtensionFailure => number::EXTENSION_FAILURE,
        }
    }

    /// Whether this is an answer to the request of that number (RFC 9987 §5.1: failure is one to all).
    pub const fn answers(&self, request: u8) -> bool {
        match self {
            Self::Failure => true,
            Self::Identities(_) => request == number::REQUEST_IDENTITIES,
            Self::Signature(_) => request == number::SIGN_REQUEST,
            Self::Success => !matches!(request, number::REQUEST_IDENTITIES | number::SIGN_REQUEST),
            Self::ExtensionFailure => request == number::EXTENSION,
        }
    }
}

fn identities(reader: &mut Reader<'_>) -> Result<Vec<Identity>, AgentError> {
    let malformed = |error| AgentError::Decode { number: number::IDENTITIES_ANSWER, error };
    let count = reader.u32("nkeys").map_err(malformed)?;
    let possible = (reader.remaining() / SMALLEST_IDENTITY).min(MAX_IDENTITIES);
    // Room is made only for what the bytes at hand can fill (threat G1).
    let room = usize::try_from(count).ok().filter(|count| *count <= possible);
    let Some(room) = room else { return Err(AgentError::TooManyIdentities { count, possible }) };
    let mut list = Vec::with_capacity(room);
    for _ in 0..room {
        list.push(identity(reader).map_err(malformed)?);
    }
    Ok(list)
}

fn identity(reader: &mut Reader<'_>) -> Result<Identity, DecodeError> {
    let public_key = reader.string("key blob")?.to_vec();
    let comment = text::clean_line(reader.string("comment")?, MAX_COMMENT);
    Ok(Identity { public_key, comment })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nacre_wire::{DecodeErrorKind, WriteExt};

    fn list(count: u32, keys: &[(&[u8], &[u8])]) -> Vec<u8> {
        let mut message = vec![12];
        message.put_u32(count);
        for (key, comment) in keys {
            message.put_string(key);
            message.put_string(comment);
        }
        message
    }

    fn kind(message: &[u8]) -> DecodeErrorKind {
        match Answer::decode(message).unwrap_err() {
            AgentError::Decode { error, .. } => error.kind,
            other => unreachable!("{other}"),
        }
    }

    #[test]
    fn keys_come_in_the_agents_order() {
        let answer = Answer::decode(&list(2, &[(b"K1", b"me@here"), (b"K2", b"")])).unwrap();
        let expected = vec![
            Identity { public_key: b"K1".to_vec(), comment: "me@here".into() },
            Identity { public_key: b"K2".to_vec(), comment: String::new() },
        ];
        assert_eq!(answer, Answer::Identities(expected));
        assert_eq!(Answer::decode(&list(0, &[])).unwrap(), Answer::Identities(vec![]));
    }

    #[test]
    fn g01_a_million_identities_are_refused_before_room_is_made() {
        for count in [1_000_000, u32::MAX] {
            let error = Answer::decode(&list(count, &[(b"K", b"c")])).unwrap_err();
            assert_eq!(error, AgentError::TooManyIdentities { count, possible: 1 });
        }
    }

    #[test]
    fn g01_the_count_is_bounded_even_when_the_bytes_are_there() {
        let at_bound = vec![(&b""[..], &b""[..]); MAX_IDENTITIES];
        let Answer::Identities(all) = Answer::decode(&list(2048, &at_bound)).unwrap() else { unreachable!() };
        assert_eq!(all.len(), MAX_IDENTITIES);
        let over = vec![(&b""[..], &b""[..]); 3000];
        let error = Answer::decode(&list(3000, &over)).unwrap_err();
        assert_eq!(error, AgentError::TooManyIdentities { count: 3000, possible: MAX_IDENTITIES });
    }

    #[test]
    fn g01_a_count_that_is_not_the_bytes_is_refused() {
        assert_eq!(kind(&list(1, &[(b"K1", b"c"), (b"K2", b"c")])), DecodeErrorKind::Trailing);
        assert_eq!(kind(&list(2, &[(b"a long key", b"c")])), DecodeErrorKind::Truncated);
        assert_eq!(kind(&[12, 0, 0]), DecodeErrorKind::Truncated);
    }

    #[test]
    fn u01_a_comment_cannot_drive_the_terminal() {
        let mut comment = b"\x1b]0;owned\x07\nnext\xff".to_vec();
        comment.extend_from_slice(&[b'x'; 5000]);
        let Answer::Identities(keys) = Answer::decode(&list(1, &[(b"K", &comment)])).unwrap() else { unreachable!() };
        let comment = &keys.first().unwrap().comment;
        assert!(!comment.chars().any(char::is_control), "{comment:?}");
        assert!(comment.len() <= MAX_COMMENT + '…'.len_utf8());
    }

    #[test]
    fn bytes_that_do_not_belong_are_refused() {
        for number in [5, 6, 28] {
            assert!(Answer::decode(&[number]).is_ok());
            assert_eq!(kind(&[number, 0]), DecodeErrorKind::Trailing);
        }
    }

    #[test]
    fn only_answers_are_answers() {
        for number in (0..=255).filter(|number| ![5, 6, 12, 14, 28].contains(number)) {
            assert_eq!(Answer::decode(&[number, 0]), Err(AgentError::NotAnAnswer { number }));
        }
        assert_eq!(Answer::decode(&[]), Err(AgentError::FrameEmpty));
    }

    #[test]
    fn g01_no_cut_or_flipped_byte_passes_for_more_than_it_is() {
        let whole = list(2, &[(b"key one", b"c"), (b"key two", b"d")]);
        for cut in 0..whole.len() {
            assert!(Answer::decode(whole.get(..cut).unwrap()).is_err(), "cut at {cut}");
        }
        for place in 0..whole.len() {
            for bit in 0..8 {
                let mut bent = whole.clone();
                *bent.get_mut(place).unwrap() ^= 1 << bit;
                if let Ok(Answer::Identities(keys)) = Answer::decode(&bent) {
                    let held: usize = keys.iter().map(|key| key.public_key.len()).sum();
                    assert!(keys.len() <= 2 && held <= whole.len());
                }
            }
        }
    }
}
