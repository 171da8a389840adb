//! What the net process and its monitor say to each other: one table of messages for both
//! directions. A message is a byte that says which, then its fields; one message is one datagram.

use super::packed::{Packed, bad};
use super::settings::ConnectionSettings;
use crate::privsep_messages;
use crate::server::authority::{Exit, KeyCheck, Permissions, Place, Refused, SessionRequests, Target};
use nacre_proto::Error;
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::crypto::SecretBytes;
use nacre_proto::error::{Limit, Timer};
use nacre_proto::login::server::{KeyboardInteractiveVerdict, PasswordVerdict, UserPolicy};
use nacre_wire::forward::Originator;
use nacre_wire::{DecodeError, Reader, WriteExt};

/// The largest message, in bytes: a command line of a whole packet and an environment beside it.
pub const MAX_MESSAGE: usize = 512 * 1024;
privsep_messages! {
    /// From the net process to its monitor. A question carries a number that its answer repeats.
    ToMonitor {
        /// Sign with a host key.
        1 Sign { question: u32, host_key: Vec<u8>, algorithm: SignatureAlgorithm, data: Vec<u8> }
        /// Who is this?
        2 LookUp { question: u32, user: Vec<u8> }
        /// May this key log in?
        3 CheckKey { question: u32, check: KeyCheck }
        /// Is this the password?
        4 CheckPassword { question: u32, password: SecretBytes, new: Option<SecretBytes> }
        /// How does keyboard-interactive go on?
        5 CheckInteractive { question: u32, answers: Option<Vec<SecretBytes>> }
        /// Start a session, called so from now on.
        6 Start { question: u32, session: u32, requests: SessionRequests }
        /// Send a signal, named without `SIG`.
        7 Signal { session: u32, name: String }
        /// The session's channel is gone.
        8 HangUp { session: u32 }
        /// End it.
        9 Kill { session: u32 }
        /// For the log: a level of syslog and a line.
        10 Log { level: u32, line: String }
        /// The connection is over; quietly, when it simply went.
        11 Ended { how: EndedHow, quiet: bool, why: String, received: u64, sent: u64 }
        /// `none` has logged in, as the policy allows.
        12 NoneSucceeded {}
        /// Connect for the client.
        13 Connect { question: u32, target: Target }
        /// Listen for the client; what comes there is called by this listener's number.
        14 Listen { question: u32, listener: u32, place: Place }
        /// Do so no more.
        15 StopListening { listener: u32 }
    }
}

privsep_messages! {
    /// From the monitor to the net process.
    FromMonitor {
        /// The first message: what the connection is to be like.
        64 Settings { settings: ConnectionSettings }
        /// Answers [`ToMonitor::Sign`].
        65 Signature { question: u32, signature: Option<Vec<u8>> }
        /// Answers [`ToMonitor::LookUp`]; with permissions when `none` logs in.
        66 Policy { question: u32, policy: UserPolicy, permissions: Option<Permissions> }
        /// Answers [`ToMonitor::CheckKey`]; with permissions when the login is complete.
        67 Key { question: u32, accepted: bool, permissions: Option<Permissions> }
        /// Answers [`ToMonitor::CheckPassword`]; with permissions when the login is complete.
        68 Password { question: u32, verdict: PasswordVerdict, permissions: Option<Permissions> }
        /// Answers [`ToMonitor::CheckInteractive`]; with permissions when the login is complete.
        69 Interactive { question: u32, verdict: KeyboardInteractiveVerdict, permissions: Option<Permissions> }
        /// Answers [`ToMonitor::Start`]; the streams' descriptors come with it.
        70 Started { question: u32, streams: StreamsKind, preamble: Vec<u8> }
        /// Answers [`ToMonitor::Start`] with a refusal.
        71 NotStarted { question: u32, why: String }
        /// A session's process has ended.
        72 Exited { session: u32, exit: Exit }
        /// The server is stopping: finish within so many milliseconds.
        73 Drain { milliseconds: u64 }
        /// Answers [`ToMonitor::Connect`]; the connection's descriptor comes with it.
        74 Connected { question: u32 }
        /// Answers [`ToMonitor::Connect`] or [`ToMonitor::Listen`] with a refusal.
        75 NotForwarded { question: u32, refused: Refused }
        /// Answers [`ToMonitor::Listen`] with the port, 0 for a Unix socket.
        76 Listening { question: u32, port: u16 }
        /// Somebody came where a listener is; the connection's descriptor comes with it.
        77 Arrived { listener: u32, originator: Originator }
    }
}

impl FromMonitor {
    /// The question it answers, if it is an answer.
    pub fn question(&self) -> Option<u32> {
        match self {
            Self::Signature { question, .. }
            | Self::Policy { question, .. }
            | Self::Key { question, .. }
            | Self::Password { question, .. }
            | Self::Interactive { question, .. }
            | Self::Started { question, .. }
            | Self::NotStarted { question, .. }
            | Self::Connected { question }
            | Self::NotForwarded { question, .. }
            | Self::Listening { question, .. } => Some(*question),
            Self::Settings { .. } | Self::Exited { .. } | Self::Drain { .. } | Self::Arrived { .. } => None,
        }
    }
}

/// Which descriptors come with a started session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamsKind {
    /// One: the master of its terminal.
    Terminal,
    /// Three: what the process reads, what it writes, what it complains.
    Pipes,
}

/// How a connection ended, as far as the listener's penalties ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndedHow {
    /// By an error or by leaving.
    Ordinary,
    /// The time to log in ran out.
    GraceExceeded,
    /// The attempts to log in ran out.
    AuthTries,
}

impl EndedHow {
    /// How a connection with this error ended.
    pub fn of(error: &Error) -> Self {
        match error {
            Error::TimedOut(Timer::Login | Timer::FirstKex) => Self::GraceExceeded,
            Error::Limit(Limit::AuthTries) => Self::AuthTries,
            _ => Self::Ordinary,
        }
    }
}

impl Packed for StreamsKind {
    fn pack(&self, out: &mut Vec<u8>) {
        matches!(self, Self::Terminal).pack(out);
    }
    fn unpack(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(if bool::unpack(reader)? { Self::Terminal } else { Self::Pipes })
    }
}

impl Packed for EndedHow {
    fn pack(&self, out: &mut Vec<u8>) {
        out.put_u8(match self {
            Self::Ordinary => 0,
            Self::GraceExceeded => 1,
            Self::AuthTries => 2,
        });
    }
    fn unpack(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8("how it ended")? {
            0 => Ok(Self::Ordinary),
            1 => Ok(Self::GraceExceeded),
            2 => Ok(Self::AuthTries),
            _ => bad("how it ended"),
        }
    }
}
