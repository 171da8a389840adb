//! What a client asks of its agent.

use crate::constraint::{DestinationConstraint, RESTRICT_DESTINATION};
use crate::error::AgentError;
use crate::frame::put_frame;
use crate::number;
use nacre_wire::{WriteExt, names};
use zeroize::Zeroizing;

/// OpenSSH PROTOCOL.agent §1.
pub const SESSION_BIND: &str = "session-bind@openssh.com";

/// `SSH_AGENT_CONSTRAIN_LIFETIME` (RFC 9987 §8.3).
pub(crate) const CONSTRAIN_LIFETIME: u8 = 1;
/// `SSH_AGENT_CONSTRAIN_CONFIRM`.
pub(crate) const CONSTRAIN_CONFIRM: u8 = 2;
/// `SSH_AGENT_CONSTRAIN_EXTENSION`.
pub(crate) const CONSTRAIN_EXTENSION: u8 = 255;

/// The flags of a signature request: which hash goes with an RSA key (RFC 9987, "Signature Flags").
/// Other keys have one algorithm and take [`SignFlags::NONE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignFlags(u32);

impl SignFlags {
    /// The key's only algorithm. With an RSA key this would mean SHA-1.
    pub const NONE: Self = Self(0);
    /// `SSH_AGENT_RSA_SHA2_256`.
    pub const RSA_SHA2_256: Self = Self(2);
    /// `SSH_AGENT_RSA_SHA2_512`.
    pub const RSA_SHA2_512: Self = Self(4);

    /// The flags that make an agent sign with `algorithm`, a public key algorithm's name as user
    /// authentication sends it, of a plain key or of a certificate (RFC 8332 §3).
    pub fn for_algorithm(algorithm: &str) -> Self {
        match algorithm.strip_suffix("-cert-v01@openssh.com").unwrap_or(algorithm) {
            names::RSA_SHA2_256 => Self::RSA_SHA2_256,
            names::RSA_SHA2_512 => Self::RSA_SHA2_512,
            _ => Self::NONE,
        }
    }

    /// The value on the wire.
    pub const fn bits(self) -> u32 {
        self.0
    }
}

/// `SSH_AGENTC_SIGN_REQUEST` (RFC 9987, "Signing Data").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignRequest<'a> {
    /// The public key or certificate, as the list of identities gave it.
    pub public_key: &'a [u8],
    /// What to sign, not hashed.
    pub data: &'a [u8],
    /// The algorithm, where the key has several.
    pub flags: SignFlags,
}

/// `session-bind@openssh.com` (OpenSSH PROTOCOL.agent §1): tells the agent which host the
/// signatures asked for on this connection are for, and proves it with the host's own signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionBind<'a> {
    /// The host key of the first key exchange.
    pub host_key: &'a [u8],
    /// The session identifier (RFC 4253 §7.2).
    pub session_identifier: &'a [u8],
    /// The host's signature of it, as the first key exchange brought it.
    pub signature: &'a [u8],
    /// Whether the connection is about to be forwarded to that host, rather than used to log in there.
    pub is_forwarding: bool,
}

/// `SSH_AGENTC_ADD_IDENTITY`, or `SSH_AGENTC_ADD_ID_CONSTRAINED` when there is a constraint (RFC 9987 §3.2).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AddIdentity<'a> {
    /// Key type, the numbers of that type and the comment, with the secret among them.
    pub key: &'a [u8],
    /// `SSH_AGENT_CONSTRAIN_LIFETIME`: the agent forgets the key after so many seconds.
    pub lifetime: Option<u32>,
    /// `SSH_AGENT_CONSTRAIN_CONFIRM`: the agent asks before each use.
    pub confirm: bool,
    /// `restrict-destination-v00@openssh.com`: where the key may be used; empty for everywhere.
    pub destinations: &'a [DestinationConstraint],
}

impl std::fmt::Debug for AddIdentity<'_> {
    /// Without the key: a secret is never printed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { lifetime, confirm, destinations, .. } = self;
        let mut out = f.debug_struct("AddIdentity");
        out.field("lifetime", lifetime).field("confirm", confirm).field("destinations", &destinations.len());
        out.finish_non_exhaustive()
    }
}

impl AddIdentity<'_> {
    const fn is_constrained(&self) -> bool {
        self.lifetime.is_some() || self.confirm || !self.destinations.is_empty()
    }

    fn put(&self, message: &mut Vec<u8>) {
        message.extend_from_slice(self.key);
        message.extend_from_slice(&self.constraints());
    }

    fn constraints(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(seconds) = self.lifetime {
            out.put_u8(CONSTRAIN_LIFETIME);
            out.put_u32(seconds);
        }
        if self.confirm {
            out.put_u8(CONSTRAIN_CONFIRM);
        }
        if !self.destinations.is_empty() {
            out.put_u8(CONSTRAIN_EXTENSION);
            out.put_string(RESTRICT_DESTINATION);
            out.put_string(DestinationConstraint::encode_all(self.destinations));
        }
        out
    }

    /// Bytes of the message at most.
    fn room(&self) -> usize {
        1 + self.key.len() + self.constraints().len()
    }
}

/// A request to the agent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// `SSH_AGENTC_REQUEST_IDENTITIES`: which keys do you hold?
    RequestIdentities,
    /// Sign this.
    SignRequest(SignRequest<'a>),
    /// What I ask from here on is for this host.
    SessionBind(SessionBind<'a>),
    /// Hold this key.
    AddIdentity(AddIdentity<'a>),
    /// Forget this key, named by its public half.
    RemoveIdentity(&'a [u8]),
    /// Forget all keys.
    RemoveAllIdentities,
    /// Do nothing until [`Request::Unlock`] comes with the same passphrase.
    Lock(&'a [u8]),
    /// Work again.
    Unlock(&'a [u8]),
}

impl std::fmt::Debug for Request<'_> {
    /// Without keys and passphrases.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SignRequest(sign) => sign.fmt(f),
            Self::SessionBind(bind) => bind.fmt(f),
            Self::AddIdentity(add) => add.fmt(f),
            _ => f.write_str(number::name(self.number())),
        }
    }
}

impl Request<'_> {
    /// The message's number.
    pub const fn number(&self) -> u8 {
        match self {
            Self::RequestIdentities => number::REQUEST_IDENTITIES,
            Self::SignRequest(_) => number::SIGN_REQUEST,
            Self::SessionBind(_) => number::EXTENSION,
            Self::AddIdentity(add) if add.is_constrained() => number::ADD_ID_CONSTRAINED,
            Self::AddIdentity(_) => number::ADD_IDENTITY,
            Self::RemoveIdentity(_) => number::REMOVE_IDENTITY,
            Self::RemoveAllIdentities => number::REMOVE_ALL_IDENTITIES,
            Self::Lock(_) => number::LOCK,
            Self::Unlock(_) => number::UNLOCK,
        }
    }

    /// Appends the message with its length field.
    ///
    /// # Errors
    /// [`AgentError::RequestTooLong`]; `out` is as it was.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), AgentError> {
        // A vector that grows would leave copies of a secret behind, and so would one that is not wiped.
        let room = match self {
            Self::AddIdentity(add) => add.room(),
            Self::Lock(passphrase) | Self::Unlock(passphrase) => 5 + passphrase.len(),
            _ => 1,
        };
        let mut message = Zeroizing::new(Vec::with_capacity(room));
        out.reserve(room + 4);
        message.put_u8(self.number());
        match self {
            Self::RequestIdentities => {}
            Self::SignRequest(sign) => {
                message.put_string(sign.public_key);
                message.put_string(sign.data);
                message.put_u32(sign.flags.bits());
            }
            Self::SessionBind(bind) => {
                message.put_string(SESSION_BIND);
                message.put_string(bind.host_key);
                message.put_string(bind.session_identifier);
                message.put_string(bind.signature);
                message.put_bool(bind.is_forwarding);
            }
            Self::AddIdentity(add) => add.put(&mut message),
            Self::RemoveIdentity(public_key) => message.put_string(public_key),
            Self::RemoveAllIdentities => {}
            Self::Lock(passphrase) | Self::Unlock(passphrase) => message.put_string(passphrase),
        }
        put_frame(out, &message)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn encoded(request: Request<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        request.encode(&mut out).unwrap();
        out
    }

    #[test]
    fn the_bytes_are_those_of_the_specification() {
        assert_eq!(encoded(Request::RequestIdentities), [0, 0, 0, 1, 11]);
        let sign = SignRequest { public_key: b"K", data: b"dd", flags: SignFlags::RSA_SHA2_512 };
        assert_eq!(
            encoded(Request::SignRequest(sign)),
            [0, 0, 0, 16, 13, 0, 0, 0, 1, b'K', 0, 0, 0, 2, b'd', b'd', 0, 0, 0, 4]
        );
        let bind = SessionBind { host_key: b"H", session_identifier: b"I", signature: b"S", is_forwarding: true };
        let mut expected = vec![0, 0, 0, 45, 27, 0, 0, 0, 24];
        expected.extend_from_slice(b"session-bind@openssh.com");
        expected.extend_from_slice(&[0, 0, 0, 1, b'H', 0, 0, 0, 1, b'I', 0, 0, 0, 1, b'S', 1]);
        assert_eq!(encoded(Request::SessionBind(bind)), expected);
    }

    #[test]
    fn a_key_goes_in_with_and_without_constraints() {
        let add = |lifetime, confirm| {
            encoded(Request::AddIdentity(AddIdentity { key: b"KEY", lifetime, confirm, destinations: &[] }))
        };
        assert_eq!(add(None, false), [0, 0, 0, 4, 17, b'K', b'E', b'Y']);
        assert_eq!(add(Some(300), false), [0, 0, 0, 9, 25, b'K', b'E', b'Y', 1, 0, 0, 1, 44]);
        assert_eq!(add(None, true), [0, 0, 0, 5, 25, b'K', b'E', b'Y', 2]);
        assert_eq!(add(Some(1), true), [0, 0, 0, 10, 25, b'K', b'E', b'Y', 1, 0, 0, 0, 1, 2]);
    }

    #[test]
    fn a_key_is_never_printed() {
        let request =
            Request::AddIdentity(AddIdentity { key: b"SECRET", lifetime: None, confirm: true, destinations: &[] });
        let text = format!("{request:?}");
        assert!(text.contains("confirm: true") && !text.contains("key") && !text.contains("83"), "{text}");
        assert_eq!(format!("{:?}", Request::Lock(b"SECRET")), "SSH_AGENTC_LOCK");
    }

    #[test]
    fn flags_follow_the_algorithm() {
        assert_eq!(SignFlags::for_algorithm("rsa-sha2-256").bits(), 2);
        assert_eq!(SignFlags::for_algorithm("rsa-sha2-512-cert-v01@openssh.com").bits(), 4);
        assert_eq!(SignFlags::for_algorithm("ssh-ed25519").bits(), 0);
    }

    #[test]
    fn g01_a_request_beyond_the_bound_is_not_sent() {
        let data = vec![0; crate::MAX_FRAME];
        let mut out = vec![1];
        let sign = SignRequest { public_key: b"K", data: &data, flags: SignFlags::NONE };
        assert!(matches!(Request::SignRequest(sign).encode(&mut out), Err(AgentError::RequestTooLong { .. })));
        assert_eq!(out, [1]);
    }
}
