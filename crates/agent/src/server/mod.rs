//! The agent itself, as a state machine: messages in, answers out. Time comes in as a value, cryptography through
//! [`Vault`]; what takes long or needs a person leaves as an [`Outcome`] and is brought back.
//!
//! [`Inbound`] cuts a client's bytes into messages, [`Keeper::handle`] answers them. A client's [`Session`] is what was
//! learnt about the way its connection goes.

mod demand;
mod inbound;
mod keeper;
mod permission;
mod refusal;
mod session;
mod userauth;

pub use demand::MAX_COMMENT;
pub use inbound::Inbound;
pub use keeper::{Keeper, MAX_HELD, Outcome, Question};
pub use refusal::Refusal;
pub use session::{MAX_BINDINGS, Session};

/// The extension that lists extensions (RFC 9987 §5.8.1).
pub const QUERY: &str = "query";

/// The end of every certificate's type (OpenSSH PROTOCOL.certkeys).
pub(crate) const CERTIFICATE: &str = "-cert-v01@openssh.com";

/// A private key, opened.
pub struct Opened<K> {
    /// The key, which wipes itself when it is dropped.
    pub key: K,
    /// What it is known by: the public key, or the certificate that came with it.
    pub public_key: Vec<u8>,
}

/// The cryptography that an agent needs.
pub trait Vault {
    /// A private key that wipes itself when it is dropped.
    type Key;

    /// Opens key type, numbers and comment as `SSH_AGENTC_ADD_IDENTITY` has them (RFC 9987 §5.2), checked so that signing
    /// cannot fail for a reason that lies in the numbers. `None`: not a key that can be used.
    fn open(&self, form: &[u8]) -> Option<Opened<Self::Key>>;

    /// A signature blob over `data`; `flags` are those of the request (RFC 9987 §5.6.1). `None`: the key cannot do that.
    fn sign(&self, key: &Self::Key, data: &[u8], flags: u32) -> Option<Vec<u8>>;

    /// Whether `signature` is one of `message` by the key `public_key`, or by the key inside it if it is a certificate, in
    /// an algorithm that hosts may use.
    fn verifies(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> bool;

    /// Whether `certificate` is a host's certificate by `authority` that holds now and for the name `host`. Anything else
    /// than a certificate is none.
    fn certifies(&self, certificate: &[u8], authority: &[u8], host: &[u8]) -> bool;
}
