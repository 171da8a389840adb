//! Authentication, RFC 4252 and RFC 4256: one state machine for each end.

pub mod client;
pub mod server;

use crate::transport::Transport;
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

/// What a `publickey` signature covers: the session identifier and the request (RFC 4252 §7).
fn signed_text(
    transport: &Transport,
    head: &RequestHead<'_>,
    request: &nacre_wire::userauth::PublicKeyRequest<'_>,
) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_string(transport.session_id.as_ref().map_or(&[][..], |id| id.as_bytes()));
    head.put(&mut out);
    request.encode_unsigned(true, &mut out);
    out
}
