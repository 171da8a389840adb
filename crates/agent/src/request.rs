//! What a client asks of its agent.

use crate::error::AgentError;
use crate::frame::put_frame;
use crate::number;
use nacre_wire::{WriteExt, names};

/// OpenSSH PROTOCOL.agent §1.
pub const SESSION_BIND: &str = "session-bind@openssh.com";

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

/// A request to the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// `SSH_AGENTC_REQUEST_IDENTITIES`: which keys do you hold?
    RequestIdentities,
    /// Sign this.
    SignRequest(SignRequest<'a>),
    /// What I ask from here on is for this host.
    SessionBind(SessionBind<'a>),
}

impl Request<'_> {
    /// The message's number.
    pub const fn number(&self) -> u8 {
        match self {
            Self::RequestIdentities => number::REQUEST_IDENTITIES,
            Self::SignRequest(_) => number::SIGN_REQUEST,
            Self::SessionBind(_) => number::EXTENSION,
        }
    }

    /// Appends the message with its length field.
    ///
    /// # Errors
    /// [`AgentError::RequestTooLong`]; `out` is as it was.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), AgentError> {
        let mut message = vec![self.number()];
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
