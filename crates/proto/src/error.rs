//! What can go wrong with a connection, sorted by whose fault it is.

use nacre_wire::reason::disconnect as reason;
use nacre_wire::{DecodeError, number};

/// A rule of the protocol that the peer broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misbehaviour {
    /// The first line is not an SSH identification.
    NotSsh,
    /// Text before the identification where none may be.
    PreIdentText,
    /// A packet length or padding length that cannot be.
    BadPacketLength,
    /// A payload that is no part of a zlib stream, or an empty one.
    BadCompression,
    /// A message where it may not come, by the message table.
    UnexpectedMessage(u8),
    /// KEXINIT while a key exchange was under way.
    RepeatedKexInit,
    /// A message before KEXINIT although strict key exchange was announced.
    NotStrict,
    /// A message during the first key exchange that only strict key exchange forbids there.
    NotStrictMessage(u8),
    /// A public value that the key exchange refuses.
    BadKexValue,
    /// A signature of the exchange hash that does not verify.
    BadHostSignature,
    /// Another host key in a later key exchange.
    HostKeyChanged,
    /// EXT_INFO at a place where it may not stand.
    MisplacedExtInfo,
    /// A service other than the one there is.
    UnknownService,
    /// Another user or service in a later authentication request.
    UserChanged,
    /// A message for a channel that does not exist.
    NoSuchChannel,
    /// A message that this channel's state does not allow.
    ChannelState,
    /// More data than the window allows, or a window beyond 2^32 - 1.
    Window,
    /// An answer that nobody waits for.
    UnsolicitedReply,
}

/// Something both sides do not have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incompatibility {
    /// A protocol version other than 2.0.
    Version(String),
    /// No algorithm in common; what kind, and what each side offered.
    NoCommon {
        /// Which list.
        what: &'static str,
        /// Ours, comma-separated.
        ours: String,
        /// Theirs, cleaned.
        theirs: String,
    },
}

/// A bound of [`crate::limits`] that the peer ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The identification and what came before it.
    Ident,
    /// Bytes before login.
    PreAuthBytes,
    /// Authentication requests.
    AuthRequests,
    /// The user name.
    UserName,
    /// Failed attempts to log in.
    AuthTries,
    /// Key probes.
    KeyProbes,
    /// Rounds of authentication.
    AuthRounds,
    /// Answers waiting to be sent.
    ControlBytes,
    /// Requests waiting for an answer.
    PendingRequests,
    /// Packets under one set of keys.
    Packets,
    /// A payload once it is inflated.
    Inflated,
}

/// The timers of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Timer {
    /// The first key exchange must be done.
    FirstKex,
    /// The login must be done.
    Login,
    /// A later key exchange must be done.
    Rekey,
    /// Keys are due for renewal.
    RekeyDue,
    /// The peer must be heard from.
    Keepalive,
    /// The answer to a failed attempt may be sent.
    AuthDelay,
    /// A connection without channels has been so for too long.
    Unused,
    /// A channel that carries nothing (ChannelTimeout).
    ChannelIdle,
}

/// Why a connection ended, or why a call was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A message could not be read.
    Decode {
        /// The message.
        number: u8,
        /// Which field, and why.
        source: DecodeError,
    },
    /// The peer broke a rule.
    PeerMisbehaved(Misbehaviour),
    /// The peer and we have too little in common.
    PeerIncompatible(Incompatibility),
    /// A packet was changed on its way (or keys differ).
    Integrity,
    /// The peer ran into a bound.
    Limit(Limit),
    /// The peer took too long.
    TimedOut(Timer),
    /// The peer said DISCONNECT.
    Disconnected {
        /// RFC 4250 §4.2.2.
        reason: u32,
        /// Its text, cleaned.
        description: String,
    },
    /// The connection ended without a word.
    ConnectionLost,
    /// The host key was not accepted.
    HostKeyRefused,
    /// No way to log in is left.
    AuthFailed {
        /// What the server would still take.
        methods: Vec<String>,
    },
    /// We ended the connection on purpose.
    Closed {
        /// RFC 4250 §4.2.2.
        reason: u32,
        /// What we said.
        description: String,
    },
    /// The caller did something that is not possible now.
    Misuse(&'static str),
    /// The system's cryptography failed.
    Crypto,
    /// A mistake of ours.
    Bug(&'static str),
}

impl Error {
    /// The connection simply went: the peer left, or was lost.
    pub fn is_parting(&self) -> bool {
        matches!(self, Self::ConnectionLost | Self::Disconnected { .. } | Self::Closed { .. })
    }

    /// The reason code for DISCONNECT (RFC 4253 §11.1); `None` when nothing should be said.
    pub fn disconnect_reason(&self) -> Option<u32> {
        Some(match self {
            Self::Disconnected { .. } | Self::ConnectionLost | Self::Misuse(_) => return None,
            Self::PeerMisbehaved(Misbehaviour::NotSsh | Misbehaviour::PreIdentText) => return None,
            Self::PeerMisbehaved(Misbehaviour::BadKexValue) => reason::KEY_EXCHANGE_FAILED,
            Self::PeerMisbehaved(Misbehaviour::BadHostSignature | Misbehaviour::HostKeyChanged)
            | Self::HostKeyRefused => reason::HOST_KEY_NOT_VERIFIABLE,
            Self::PeerMisbehaved(Misbehaviour::UnknownService) => reason::SERVICE_NOT_AVAILABLE,
            Self::PeerIncompatible(Incompatibility::Version(_)) => reason::PROTOCOL_VERSION_NOT_SUPPORTED,
            Self::PeerIncompatible(Incompatibility::NoCommon { .. }) => reason::KEY_EXCHANGE_FAILED,
            Self::Integrity => reason::MAC_ERROR,
            Self::Limit(Limit::AuthTries | Limit::AuthRequests | Limit::KeyProbes) => {
                reason::NO_MORE_AUTH_METHODS_AVAILABLE
            }
            Self::Limit(Limit::UserName) => reason::ILLEGAL_USER_NAME,
            Self::Decode { .. } | Self::PeerMisbehaved(_) | Self::Limit(_) => reason::PROTOCOL_ERROR,
            Self::TimedOut(_) => reason::CONNECTION_LOST,
            Self::AuthFailed { .. } => reason::AUTH_CANCELLED_BY_USER,
            Self::Closed { reason, .. } => *reason,
            Self::Crypto | Self::Bug(_) => reason::BY_APPLICATION,
        })
    }

    /// What the peer is told: a general line, never a detail that helps an attacker.
    pub fn disconnect_text(&self) -> &str {
        match self {
            Self::Closed { description, .. } => description,
            Self::Limit(Limit::AuthTries) => "Too many authentication failures",
            Self::TimedOut(Timer::Login | Timer::FirstKex) => "Timeout before authentication",
            Self::TimedOut(_) => "Timeout",
            Self::Integrity => "Packet corrupt",
            Self::PeerIncompatible(_) => "No common algorithms or version",
            Self::HostKeyRefused => "Host key not accepted",
            Self::AuthFailed { .. } => "No more authentication methods",
            Self::Crypto | Self::Bug(_) => "Internal error",
            _ => "Protocol error",
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Decode { number: n, source } => write!(f, "malformed message {} ({n}): {source}", number::name(*n)),
            Self::PeerMisbehaved(what) => write!(f, "protocol error by the peer: {what}"),
            Self::PeerIncompatible(Incompatibility::Version(v)) => write!(f, "the peer speaks another version: {v}"),
            Self::PeerIncompatible(Incompatibility::NoCommon { what, ours, theirs }) => {
                write!(f, "no matching {what} found. Their offer: {theirs} (ours: {ours})")
            }
            Self::Integrity => f.write_str("a packet arrived corrupted (message authentication code incorrect)"),
            Self::Limit(limit) => write!(f, "the peer went over a limit: {limit}"),
            Self::TimedOut(timer) => write!(f, "timed out: {timer}"),
            Self::Disconnected { reason, description } => {
                write!(f, "disconnected by the peer: {description} (reason {reason})")
            }
            Self::ConnectionLost => f.write_str("the connection was closed by the peer"),
            Self::HostKeyRefused => f.write_str("host key verification failed"),
            Self::AuthFailed { methods } => write!(f, "permission denied ({})", methods.join(",")),
            Self::Closed { description, .. } => f.write_str(description),
            Self::Misuse(what) => write!(f, "not possible now: {what}"),
            Self::Crypto => f.write_str("a cryptographic operation failed"),
            Self::Bug(what) => write!(f, "internal error: {what}"),
        }
    }
}

impl std::error::Error for Error {}

impl std::fmt::Display for Misbehaviour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotSsh => "its first line is not an SSH identification",
            Self::PreIdentText => "text stands before its identification",
            Self::BadPacketLength => "bad packet length or padding",
            Self::BadCompression => "a compressed packet that cannot be inflated",
            Self::UnexpectedMessage(n) => {
                return write!(f, "message {} ({n}) is not allowed here", number::name(*n));
            }
            Self::RepeatedKexInit => "a second KEXINIT in one key exchange",
            Self::NotStrict => "a message before KEXINIT, where strict key exchange allows none",
            Self::NotStrictMessage(n) => {
                return write!(f, "message {} ({n}), which strict key exchange does not allow here", number::name(*n));
            }
            Self::BadKexValue => "unacceptable public value in the key exchange",
            Self::BadHostSignature => "the host key's signature is wrong",
            Self::HostKeyChanged => "the host key changed during the connection",
            Self::MisplacedExtInfo => "EXT_INFO where it must not stand",
            Self::UnknownService => "unknown service",
            Self::UserChanged => "user or service changed during authentication",
            Self::NoSuchChannel => "message for a channel that does not exist",
            Self::ChannelState => "message that the channel's state does not allow",
            Self::Window => "channel window exceeded",
            Self::UnsolicitedReply => "reply to a request that was never made",
        })
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ident => "identification line too long",
            Self::PreAuthBytes => "too much data before login",
            Self::AuthRequests => "too many authentication requests",
            Self::UserName => "user name too long",
            Self::AuthTries => "too many authentication failures",
            Self::KeyProbes => "too many keys asked about",
            Self::AuthRounds => "too many rounds of authentication",
            Self::ControlBytes => "too many answers waiting to be sent",
            Self::PendingRequests => "too many unanswered requests",
            Self::Packets => "too many packets under one set of keys",
            Self::Inflated => "a compressed packet is larger than a packet may be",
        })
    }
}

impl std::fmt::Display for Timer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::FirstKex => "key exchange not finished",
            Self::Login => "login not finished",
            Self::Rekey => "key re-exchange not finished",
            Self::RekeyDue => "keys due for renewal",
            Self::Keepalive => "the peer does not answer",
            Self::AuthDelay => "delay of a failed attempt",
            Self::Unused => "connection unused",
            Self::ChannelIdle => "channel idle",
        })
    }
}

/// Marks where a message that failed to decode came from.
pub(crate) fn decoding(number: u8) -> impl Fn(DecodeError) -> Error {
    move |source| Error::Decode { number, source }
}

impl From<crate::crypto::CryptoError> for Error {
    fn from(_: crate::crypto::CryptoError) -> Self {
        Self::Crypto
    }
}
