//! SFTP version 3 (draft-ietf-secsh-filexfer-02) as OpenSSH speaks it, with its extensions and those of Nacre.
//!
//! Bytes in, values out, and back: no file, no socket and no thread. [`packet::split`] finds a packet in a
//! stream; a server reads [`Request`]s by [`server::Session`] and writes [`Reply`]s; a client writes requests
//! by [`client::Session`], which also remembers what each awaited reply may be.

pub mod attributes;
pub mod client;
pub mod extended;
pub mod extensions;
pub mod name;
pub mod packet;
pub mod reply;
pub mod request;
pub mod server;
pub mod status;

pub use attributes::Attributes;
pub use extended::Extended;
pub use extensions::Extensions;
pub use name::Name;
pub use reply::Reply;
pub use request::Request;
pub use status::Code;

/// The version both sides speak.
pub const VERSION: u32 = 3;

/// The longest packet, its 4 bytes of length not counted (threats F4 and P21). As OpenSSH's.
pub const MAX_PACKET: usize = 256 * 1024;

/// The most bytes in one READ or WRITE: a packet without its header. As OpenSSH's.
pub const MAX_DATA: u32 = 255 * 1024;

/// The longest path, as Linux's PATH_MAX (threat F4).
pub const MAX_PATH: usize = 4096;

/// The longest handle (draft §6.2).
pub const MAX_HANDLE: usize = 256;

/// The most entries in one NAME reply that a server of ours sends (threat F4).
pub const MAX_NAMES: usize = 100;
