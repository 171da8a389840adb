//! Where a key may be used: `restrict-destination-v00@openssh.com` (OpenSSH PROTOCOL.agent §2), read by an agent and
//! written by those who give it keys.

use nacre_wire::{DecodeError, DecodeErrorKind, Reader, WriteExt};

/// The name of the constraint.
pub const RESTRICT_DESTINATION: &str = "restrict-destination-v00@openssh.com";

/// The most constraints that one key may have.
pub const MAX_CONSTRAINTS: usize = 1024;

/// The most host keys that one end of a constraint may name.
pub const MAX_HOST_KEYS: usize = 1024;

/// The longest name of a host or pattern for users, in bytes (threat G4).
pub const MAX_NAME: usize = 1024;

/// One host key that a host may prove itself with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey {
    /// The public key (RFC 4253 §6.6).
    pub key: Vec<u8>,
    /// Whether it signs the host's certificate rather than being the host's own.
    pub is_ca: bool,
}

/// One end of a [`DestinationConstraint`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hop {
    /// A pattern that the user on that host must match; `None` for every user.
    pub user: Option<Vec<u8>>,
    /// What the host is called; `None` for the machine of the agent.
    pub host: Option<Vec<u8>>,
    /// What it may prove itself with.
    pub host_keys: Vec<HostKey>,
}

/// One step that a key may go: from a host (or from the machine of the agent) to a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationConstraint {
    /// Where the step begins.
    pub from: Hop,
    /// Where it leads.
    pub to: Hop,
}

impl DestinationConstraint {
    /// Reads all constraints of a key: the body of the extension.
    ///
    /// # Errors
    /// It is malformed, a name or a list is longer than allowed, a step begins at a user or leads to a host without a
    /// name or keys, or it has fields of a later version, which would be dropped unenforced (threat G2).
    pub fn decode_all(body: &[u8]) -> Result<Vec<Self>, DecodeError> {
        let mut reader = Reader::new(body);
        let mut all = Vec::new();
        while reader.remaining() > 0 {
            if all.len() >= MAX_CONSTRAINTS {
                return Err(bad(DecodeErrorKind::TooLong, "constraints"));
            }
            all.push(Self::decode(reader.string("constraint")?)?);
        }
        // None at all would permit nothing, and is surely a mistake.
        if all.is_empty() { Err(bad(DecodeErrorKind::BadValue, "constraints")) } else { Ok(all) }
    }

    fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let from = Hop::decode(reader.string("from")?)?;
        let to = Hop::decode(reader.string("to")?)?;
        nothing(reader.string("reserved")?)?;
        reader.finish()?;
        if from.host.is_none() != from.host_keys.is_empty() || from.user.is_some() {
            return Err(bad(DecodeErrorKind::BadValue, "from"));
        }
        if to.host.is_none() || to.host_keys.is_empty() {
            return Err(bad(DecodeErrorKind::BadValue, "to"));
        }
        Ok(Self { from, to })
    }

    /// Writes the body of the extension.
    pub fn encode_all(all: &[Self]) -> Vec<u8> {
        let mut out = Vec::new();
        for constraint in all {
            let mut one = Vec::new();
            one.put_string(constraint.from.encode());
            one.put_string(constraint.to.encode());
            one.put_string(b"");
            out.put_string(one);
        }
        out
    }
}

impl Hop {
    fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let user = name(reader.string("user")?, "user")?;
        let host = name(reader.string("host")?, "host")?;
        nothing(reader.string("reserved")?)?;
        let mut host_keys = Vec::new();
        while reader.remaining() > 0 {
            if host_keys.len() >= MAX_HOST_KEYS {
                return Err(bad(DecodeErrorKind::TooLong, "host keys"));
            }
            let key = reader.string("host key")?;
            if key.is_empty() {
                return Err(bad(DecodeErrorKind::BadValue, "host key"));
            }
            host_keys.push(HostKey { key: key.to_vec(), is_ca: reader.bool("is CA")? });
        }
        Ok(Self { user, host, host_keys })
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_string(self.user.as_deref().unwrap_or_default());
        out.put_string(self.host.as_deref().unwrap_or_default());
        out.put_string(b"");
        for host_key in &self.host_keys {
            out.put_string(&host_key.key);
            out.put_bool(host_key.is_ca);
        }
        out
    }
}

fn name(bytes: &[u8], field: &'static str) -> Result<Option<Vec<u8>>, DecodeError> {
    match bytes.len() {
        0 => Ok(None),
        1..=MAX_NAME => Ok(Some(bytes.to_vec())),
        _ => Err(bad(DecodeErrorKind::TooLong, field)),
    }
}

fn nothing(reserved: &[u8]) -> Result<(), DecodeError> {
    if reserved.is_empty() { Ok(()) } else { Err(bad(DecodeErrorKind::BadValue, "reserved")) }
}

const fn bad(kind: DecodeErrorKind, field: &'static str) -> DecodeError {
    DecodeError { kind, field }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sample() -> DestinationConstraint {
        let key = |name: &[u8], is_ca| HostKey { key: name.to_vec(), is_ca };
        DestinationConstraint {
            from: Hop { user: None, host: Some(b"a".to_vec()), host_keys: vec![key(b"KA", false)] },
            to: Hop {
                user: Some(b"me*".to_vec()),
                host: Some(b"b".to_vec()),
                host_keys: vec![key(b"KB", false), key(b"CA", true)],
            },
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let all = [sample(), DestinationConstraint { from: Hop::default(), to: sample().to }];
        assert_eq!(DestinationConstraint::decode_all(&DestinationConstraint::encode_all(&all)).unwrap(), all);
    }

    #[test]
    fn g02_a_constraint_that_says_too_little_or_too_much_is_refused() {
        let refused = |change: fn(&mut DestinationConstraint)| {
            let mut one = sample();
            change(&mut one);
            DestinationConstraint::decode_all(&DestinationConstraint::encode_all(&[one])).is_err()
        };
        assert!(!refused(|_| {}));
        assert!(refused(|one| one.from.user = Some(b"u".to_vec())));
        assert!(refused(|one| one.from.host = None));
        assert!(refused(|one| one.from.host_keys.clear()));
        assert!(refused(|one| one.to.host = None));
        assert!(refused(|one| one.to.host_keys.clear()));
        assert!(refused(|one| one.to.user = Some(vec![b'*'; MAX_NAME + 1])));
        assert!(DestinationConstraint::decode_all(b"").is_err());
    }

    #[test]
    fn g02_fields_of_a_later_version_are_not_dropped() {
        let mut one = Vec::new();
        one.put_string(sample().from.encode());
        one.put_string(sample().to.encode());
        one.put_string(b"new");
        let mut all = Vec::new();
        all.put_string(one);
        assert!(DestinationConstraint::decode_all(&all).is_err());
    }

    #[test]
    fn g01_lists_are_bounded() {
        let many = vec![sample(); MAX_CONSTRAINTS + 1];
        assert!(DestinationConstraint::decode_all(&DestinationConstraint::encode_all(&many)).is_err());
        let mut wide = sample();
        wide.to.host_keys = vec![HostKey { key: b"K".to_vec(), is_ca: false }; MAX_HOST_KEYS + 1];
        assert!(DestinationConstraint::decode_all(&DestinationConstraint::encode_all(&[wide])).is_err());
    }
}
