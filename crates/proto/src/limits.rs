//! Every bound on what a peer can make us keep or do, in one place.
//!
//! Reaching one of them because of the peer ends the connection with [`crate::Error::Limit`];
//! nothing grows beyond them and nothing waits forever.

use std::time::Duration;

/// The largest `packet_length` taken, in bytes (threat T6). It leaves room for a channel message
/// with 256 KiB of data.
pub const MAX_PACKET_LENGTH: usize = 256 * 1024 + 1024;
/// The most bytes of data in one channel message that we let a peer send; it fills
/// [`MAX_PACKET_LENGTH`], because a fourth of that cost a third more processor time of a server.
pub const MAX_CHANNEL_DATA: u32 = 256 * 1024;
/// The longest identification line, its line end included (RFC 4253 §4.2).
pub const MAX_IDENT_LINE: usize = 255;
/// The most lines a server may send before its identification (threat T14).
pub const MAX_PRE_IDENT_LINES: usize = 1024;
/// The longest of those lines, in bytes.
pub const MAX_PRE_IDENT_LINE: usize = 8 * 1024;
/// All of those lines together, in bytes.
pub const MAX_PRE_IDENT_BYTES: usize = 64 * 1024;
/// What a peer may send before login, in bytes, all messages together (threats T17, T19).
pub const MAX_PRE_AUTH_BYTES: u64 = 16 * 1024 * 1024;
/// Answers and other control messages waiting to be sent, in bytes (threats T4, T17).
pub const MAX_CONTROL_BYTES: usize = 1024 * 1024;
/// From here on the driver should not feed more input until output has moved.
pub const CONTROL_HIGH_WATER: usize = 128 * 1024;
/// Packets under one set of keys (threat T19).
pub const MAX_PACKETS_PER_KEY: u64 = 1 << 31;
/// How long one key exchange may take after the first (a peer may have much in flight).
pub const REKEY_TIMEOUT: Duration = Duration::from_secs(120);
/// Authentication requests in one connection (threat A13).
pub const MAX_AUTH_REQUESTS: u32 = 128;
/// Questions whether a key would do, in one connection (threat A13).
pub const MAX_KEY_PROBES: u32 = 20;
/// Rounds of authentication a client goes through (threat H10).
pub const MAX_CLIENT_AUTH_ROUNDS: u32 = 64;
/// The longest user name taken, in bytes (threat A15).
pub const MAX_USER_NAME: usize = 255;
/// The longest password taken, in bytes (threat A11).
pub const MAX_PASSWORD: usize = 1024;
/// The longest banner shown, in bytes.
pub const MAX_BANNER: usize = 128 * 1024;
/// Channels open at once (threat C4).
pub const MAX_CHANNELS: usize = 4096;
/// Channel requests of one channel that wait for an answer.
pub const MAX_PENDING_REQUESTS: usize = 128;
/// Global requests that wait for an answer.
pub const MAX_PENDING_GLOBAL_REQUESTS: usize = 64;
/// The window that the first few channels of a connection start with, in bytes.
pub const INITIAL_WINDOW: u32 = 2 * 1024 * 1024;
/// What a channel's window may grow to, in bytes.
pub const MAX_WINDOW: u32 = 40 * 1024 * 1024;
/// All windows of a connection together, in bytes.
pub const MAX_GRANTED: u64 = 64 * 1024 * 1024;
/// What an application may leave with us unsent, on one channel, in bytes.
pub const MAX_CHANNEL_BUFFER: usize = 256 * 1024;
/// What comes out of compressed packets before the events they make are taken, in bytes, and a packet (threat T15).
pub const MAX_INFLATED: usize = 1024 * 1024;
/// Peer text in logs and errors, in bytes.
pub const MAX_PEER_TEXT: usize = 1024;

/// Messages that wait to be sent before a PING is left out.
pub const MAX_WAITING_PINGS: usize = 16;
