//! What opens a protocol's messages for somebody who has found the key.

use super::Scene;
use crate::cbc::CbcKey;
use crate::dh_chat;
use crate::fix::{Fixes, Guard};
use crate::{Fault, Fix, Protocol, toy_socket};
use data_encoding::BASE64;
use nacre_wire::Role;

/// Opens one message of the client after the other; nothing where it cannot.
pub(super) type Reader = Box<dyn FnMut(&[u8]) -> Option<Vec<u8>> + Send>;

/// With a key of 32 bytes, the messages of `dh-chat` and `rsa-chat`.
pub(super) fn with_key(protocol: Protocol, fixes: Fixes, key: [u8; 32]) -> Reader {
    let mut guard: Guard<CbcKey> = Guard::new(fixes, Role::Server, key);
    Box::new(move |body| match protocol {
        Protocol::RsaChat => guard.open(&BASE64.decode(body).ok()?).ok().flatten(),
        _ => guard.open(body).ok().flatten(),
    })
}

/// With the shared secret, the messages of `dh-chat`.
pub(super) fn with_secret(scene: &Scene, secret: &[u8]) -> Result<Reader, Fault> {
    let key = dh_chat::key_of(secret, &scene.dh_settings(), scene.fixes)?;
    Ok(with_key(scene.protocol, scene.fixes, key))
}

/// With the key of 16 bits, the messages of `toy-socket`.
pub(super) fn with_toy_key(fixes: Fixes, key: u16) -> Reader {
    Box::new(move |body| {
        let (ciphertext, _) = split_toy(body)?;
        let text = toy_socket::cipher::decrypt(key, &ciphertext)?;
        // The number that F3 puts in front.
        let start = if fixes.has(Fix::F3) { 8 } else { 0 };
        text.get(start..).map(<[u8]>::to_vec)
    })
}

/// Ciphertext and signature of a line of `toy-socket`.
pub(super) fn split_toy(body: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let place = body.iter().position(|byte| *byte == b'|')?;
    let (ciphertext, signature) = body.split_at_checked(place)?;
    Some((BASE64.decode(ciphertext).ok()?, BASE64.decode(signature.get(1..)?).ok()?))
}
