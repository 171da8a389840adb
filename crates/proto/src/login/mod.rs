//! Authentication, RFC 4252 and RFC 4256: one state machine for each end.

pub mod client;
pub mod server;
pub mod ways;

use nacre_wire::userauth::PublicKeyRequest;
use nacre_wire::{WriteExt, names};

/// Proof that a login happened. Only this module's children can make one, and the connection
/// layer cannot be built without it (threats A1, T3).
pub struct Authenticated {
    /// The methods that succeeded, in order.
    pub(crate) methods: Vec<String>,
}

/// A request as it is signed and as it is sent, up to the method's own fields (RFC 4252 §5, §7).
struct RequestHead<'a> {
    user: &'a [u8],
    method: &'a str,
}

impl RequestHead<'_> {
    fn put(&self, out: &mut Vec<u8>) {
        out.put_u8(nacre_wire::number::USERAUTH_REQUEST);
        out.put_string(self.user);
        out.put_string(names::SERVICE_CONNECTION);
        out.put_string(self.method);
    }
}

/// A `publickey` request as it is signed.
#[derive(Debug, Clone, Copy)]
pub struct SignedRequest<'a> {
    /// The session identifier: the first exchange hash.
    pub session_id: &'a [u8],
    /// Who logs in.
    pub user: &'a [u8],
    /// The request. One that names a host key is of the method bound to it.
    pub request: &'a PublicKeyRequest<'a>,
}

impl SignedRequest<'_> {
    /// What the signature covers: the session identifier and the request (RFC 4252 §7).
    pub fn text(&self) -> Vec<u8> {
        let method = match self.request.host_key {
            Some(_) => names::AUTH_PUBLICKEY_HOSTBOUND,
            None => names::AUTH_PUBLICKEY,
        };
        let mut out = Vec::new();
        out.put_string(self.session_id);
        RequestHead { user: self.user, method }.put(&mut out);
        self.request.encode_unsigned(true, &mut out);
        out
    }
}

/// What proves that somebody holds a key, for whoever does not believe that it was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyProof {
    /// The signature over [`SignedRequest::text`].
    pub signature: Vec<u8>,
    /// The host key it is bound to, with `publickey-hostbound-v00@openssh.com`.
    pub host_key: Option<Vec<u8>>,
}
