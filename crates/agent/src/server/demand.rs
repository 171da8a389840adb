//! What a client asks, as the agent reads it (RFC 9987 §5).

use crate::constraint::{DestinationConstraint, RESTRICT_DESTINATION};
use crate::number;
use crate::request::{CONSTRAIN_CONFIRM, CONSTRAIN_EXTENSION, CONSTRAIN_LIFETIME};
use nacre_wire::{DecodeError, DecodeErrorKind, Reader};
use std::time::Duration;

/// The longest comment that is kept, in bytes.
pub const MAX_COMMENT: usize = 4096;

/// The constraints on a key's use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Constraints {
    /// The key is forgotten after so long.
    pub lifetime: Option<Duration>,
    /// A person is asked before each use.
    pub confirm: bool,
    /// Where the key may be used; empty for everywhere.
    pub destinations: Vec<DestinationConstraint>,
}

/// `SSH_AGENTC_ADD_IDENTITY` and `SSH_AGENTC_ADD_ID_CONSTRAINED`.
#[derive(PartialEq, Eq)]
pub struct Add<'a> {
    /// Key type, the key's numbers and the comment: for [`super::Vault::open`].
    pub form: &'a [u8],
    /// The comment again.
    pub comment: &'a [u8],
    /// How it may be used.
    pub constraints: Constraints,
}

/// `session-bind@openssh.com`.
#[derive(Debug, PartialEq, Eq)]
pub struct Bind<'a> {
    /// The host's key.
    pub host_key: &'a [u8],
    /// The session identifier.
    pub session_identifier: &'a [u8],
    /// The host's signature of it.
    pub signature: &'a [u8],
    /// Whether the connection is forwarded to that host.
    pub is_forwarding: bool,
}

/// A request.
#[derive(PartialEq, Eq)]
pub enum Demand<'a> {
    /// Which keys are held?
    Identities,
    /// Sign this.
    Sign {
        /// The key or certificate.
        public_key: &'a [u8],
        /// What to sign.
        data: &'a [u8],
        /// See [`crate::SignFlags`]; other bits may be set.
        flags: u32,
    },
    /// Hold this key.
    Add(Add<'a>),
    /// Forget this key.
    Remove(&'a [u8]),
    /// Forget all.
    RemoveAll,
    /// Do nothing until the passphrase is said again.
    Lock(&'a [u8]),
    /// The passphrase.
    Unlock(&'a [u8]),
    /// The connection is for this host.
    Bind(Bind<'a>),
    /// Which extensions are there?
    Query,
    /// An extension that is not known.
    UnknownExtension,
    /// A request about tokens, or one that is not known.
    Unsupported,
}

impl<'a> Demand<'a> {
    /// Reads one message, without its length field.
    ///
    /// # Errors
    /// It is malformed, or has a constraint that would not be enforced (threat G2).
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(message);
        let demand = match reader.u8("number")? {
            number::REQUEST_IDENTITIES => Self::Identities,
            number::SIGN_REQUEST => Self::Sign {
                public_key: reader.string("public key")?,
                data: reader.string("data")?,
                flags: reader.u32("flags")?,
            },
            number::ADD_IDENTITY => Self::Add(add(reader.rest(), false)?),
            number::ADD_ID_CONSTRAINED => Self::Add(add(reader.rest(), true)?),
            number::REMOVE_IDENTITY => Self::Remove(reader.string("public key")?),
            number::REMOVE_ALL_IDENTITIES => Self::RemoveAll,
            number::LOCK => Self::Lock(reader.string("passphrase")?),
            number::UNLOCK => Self::Unlock(reader.string("passphrase")?),
            number::EXTENSION => return extension(reader),
            _ => return Ok(Self::Unsupported),
        };
        reader.finish()?;
        Ok(demand)
    }
}

fn extension(mut reader: Reader<'_>) -> Result<Demand<'_>, DecodeError> {
    let demand = match reader.string("extension")? {
        name if name == crate::request::SESSION_BIND.as_bytes() => Demand::Bind(Bind {
            host_key: reader.string("host key")?,
            session_identifier: reader.string("session identifier")?,
            signature: reader.string("signature")?,
            is_forwarding: reader.bool("is forwarding")?,
        }),
        name if name == super::QUERY.as_bytes() => Demand::Query,
        _ => return Ok(Demand::UnknownExtension),
    };
    reader.finish()?;
    Ok(demand)
}

/// How many fields follow the type of a key (RFC 9987 §3.2, and for certificates OpenSSH PROTOCOL.certkeys); every one
/// of them is a string or has the form of one.
fn fields_of(key_type: &[u8]) -> Option<usize> {
    let certified = key_type.strip_suffix(super::CERTIFICATE.as_bytes());
    Some(match (certified.unwrap_or(key_type), certified.is_some()) {
        (b"ssh-ed25519", false) => 2,
        (b"ssh-ed25519", true) | (b"ecdsa-sha2-nistp256" | b"ecdsa-sha2-nistp384" | b"ecdsa-sha2-nistp521", false) => 3,
        (b"ecdsa-sha2-nistp256" | b"ecdsa-sha2-nistp384" | b"ecdsa-sha2-nistp521", true) => 2,
        (b"ssh-rsa", false) => 6,
        (b"ssh-rsa", true) => 5,
        _ => return None,
    })
}

fn add(body: &[u8], constrained: bool) -> Result<Add<'_>, DecodeError> {
    let mut reader = Reader::new(body);
    let key_type = reader.string("key type")?;
    for _ in 0..fields_of(key_type).ok_or(bad("key type"))? {
        reader.string("key")?;
    }
    let comment = reader.string("comment")?;
    if comment.len() > MAX_COMMENT {
        return Err(DecodeError { kind: DecodeErrorKind::TooLong, field: "comment" });
    }
    let form = body.get(..body.len() - reader.remaining()).unwrap_or_default();
    let constraints = if constrained { read_constraints(&mut reader)? } else { Constraints::default() };
    reader.finish()?;
    Ok(Add { form, comment, constraints })
}

/// A constraint twice is refused: it could only be meant to say two things.
fn read_constraints(reader: &mut Reader<'_>) -> Result<Constraints, DecodeError> {
    let mut found = Constraints::default();
    while reader.remaining() > 0 {
        match reader.u8("constraint")? {
            CONSTRAIN_LIFETIME if found.lifetime.is_none() => {
                found.lifetime = Some(Duration::from_secs(reader.u32("lifetime")?.into()));
            }
            CONSTRAIN_CONFIRM if !found.confirm => found.confirm = true,
            CONSTRAIN_EXTENSION if found.destinations.is_empty() => {
                if reader.string("constraint name")? != RESTRICT_DESTINATION.as_bytes() {
                    return Err(bad("constraint name"));
                }
                found.destinations = DestinationConstraint::decode_all(reader.string("destinations")?)?;
            }
            _ => return Err(bad("constraint")),
        }
    }
    Ok(found)
}

const fn bad(field: &'static str) -> DecodeError {
    DecodeError { kind: DecodeErrorKind::BadValue, field }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use nacre_wire::WriteExt;

    fn key(number: u8, constraints: &[u8]) -> Vec<u8> {
        let mut message = vec![number];
        for field in ["ssh-ed25519", "public", "private", "me@here"] {
            message.put_string(field);
        }
        message.extend_from_slice(constraints);
        message
    }

    fn constraints_of(bytes: &[u8]) -> Result<Constraints, DecodeError> {
        match Demand::decode(&key(25, bytes))? {
            Demand::Add(add) => Ok(add.constraints),
            _ => panic!("no key was added"),
        }
    }

    #[test]
    fn a_key_is_cut_where_its_comment_ends() {
        let message = key(25, &[1, 0, 0, 0, 9, 2]);
        let Demand::Add(add) = Demand::decode(&message).unwrap() else { panic!() };
        assert_eq!(add.comment, b"me@here");
        assert_eq!(add.form, &message[1..message.len() - 6]);
        assert_eq!(add.constraints.lifetime, Some(Duration::from_secs(9)));
        assert!(add.constraints.confirm && add.constraints.destinations.is_empty());
    }

    #[test]
    fn g02_what_would_not_be_enforced_is_refused() {
        assert!(constraints_of(&[2]).is_ok());
        assert!(constraints_of(&[3, 0, 0, 0, 1]).is_err(), "a bound on signatures");
        assert!(constraints_of(&[2, 2]).is_err() && constraints_of(&[1, 0, 0, 0, 1, 1, 0, 0, 0, 1]).is_err(), "twice");
        assert!(constraints_of(&[1, 0, 0]).is_err());
        for name in ["sk-provider@openssh.com", "associated-certs-v00@openssh.com", "x@y", RESTRICT_DESTINATION] {
            let mut bytes = vec![255];
            bytes.put_string(name);
            bytes.put_string(b"");
            assert!(constraints_of(&bytes).is_err(), "{name}");
        }
        assert!(Demand::decode(&key(17, &[2])).is_err(), "constraints where none belong");
    }

    #[test]
    fn g03_keys_of_providers_and_tokens_are_not_taken() {
        let mut message = vec![17];
        for field in ["sk-ssh-ed25519@openssh.com", "a", "b", "c", "d"] {
            message.put_string(field);
        }
        assert!(Demand::decode(&message).is_err());
        for number in [20, 21, 26] {
            assert!(matches!(Demand::decode(&[number, 0, 0, 0, 1, b'/']).unwrap(), Demand::Unsupported));
        }
    }

    #[test]
    fn g04_cut_and_bent_messages_never_panic() {
        let mut whole = key(25, &[1, 0, 0, 0, 9, 2, 255]);
        whole.put_string(RESTRICT_DESTINATION);
        for cut in 0..whole.len() {
            let _ = Demand::decode(&whole[..cut]);
        }
        for place in 0..whole.len() {
            for bit in 0..8 {
                let mut bent = whole.clone();
                bent[place] ^= 1 << bit;
                let _ = Demand::decode(&bent);
            }
        }
    }
}
