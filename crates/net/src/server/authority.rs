//! Everything a server connection may not do by itself, behind one trait.
//!
//! The connection parses what strangers send, so it holds no host key, reads no account and opens
//! nothing that belongs to a user: it asks. Without root the answers come from the same process;
//! as root they will come from another one, over the same questions.

use crate::descriptor::Descriptor;
use crate::forward::Arrival;
use nacre_config::channel_timeout::ChannelTimeouts;
use nacre_proto::ConnectionLimits;
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::crypto::SecretBytes;
use nacre_proto::login::KeyProof;
use nacre_proto::login::server::{KeyboardInteractiveVerdict, PasswordVerdict, UserPolicy};
use nacre_wire::session::WindowSize;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

/// An answer on its way.
pub type Answer<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a session is asked to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// The account's login shell (RFC 4254 §6.5).
    Shell,
    /// A command line for the account's shell.
    Exec(Vec<u8>),
    /// A named subsystem.
    Subsystem(String),
}

/// The pseudo-terminal a session asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PtyRequest {
    /// The TERM variable.
    pub term: String,
    /// Its size.
    pub size: WindowSize,
    /// Modes of RFC 4254 §8.
    pub modes: Vec<(u8, u32)>,
}

/// All that a session was asked for before it starts.
#[derive(Debug, Clone)]
pub struct SessionRequests {
    /// A terminal, if one is wanted.
    pub pty: Option<PtyRequest>,
    /// Variables that were accepted, in order.
    pub env: Vec<(Vec<u8>, Vec<u8>)>,
    /// It is told of the client's agent, where that is forwarded.
    pub agent: bool,
    /// What to run.
    pub start: Start,
}

/// What a started session is connected to.
pub enum SessionStreams {
    /// The master of its terminal: input and output in one.
    Terminal {
        /// For reading.
        read: Descriptor,
        /// For writing and for its size.
        write: Descriptor,
    },
    /// Three pipes.
    Pipes {
        /// What the process reads.
        stdin: Descriptor,
        /// What it writes.
        stdout: Descriptor,
        /// What it complains.
        stderr: Descriptor,
    },
}

/// How a process ended (RFC 4254 §6.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Status(u32),
    /// By a signal, named without `SIG`.
    Signal {
        /// Its name.
        name: String,
        /// A core file was written.
        core_dumped: bool,
    },
}

/// A running session's process group.
pub trait Process: Send {
    /// Ready once the process has ended.
    fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<Exit>;

    /// Sends a signal of RFC 4254 §6.10, by its name without `SIG`, to the session's group.
    ///
    /// # Errors
    /// The name is unknown, or the system refuses.
    fn signal(&mut self, name: &str) -> io::Result<()>;

    /// The window has another size (RFC 4254 §6.7). False where there is nothing that could be told so; a terminal's
    /// size is set by its descriptor.
    fn resize(&mut self, _size: WindowSize) -> bool {
        false
    }

    /// Tells the group that its terminal or connection is gone.
    fn hang_up(&mut self);

    /// Ends the group.
    fn kill(&mut self);
}

/// A session that runs.
pub struct StartedSession {
    /// Its streams.
    pub streams: SessionStreams,
    /// Its process.
    pub process: Box<dyn Process>,
    /// Text to show before its output (a message of the day, a warning).
    pub preamble: Vec<u8>,
}

/// What an account may do once it has logged in; by default nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions {
    /// Ask for a terminal.
    pub pty: bool,
    /// Open so many sessions at once.
    pub max_sessions: usize,
    /// Send signals to the session's processes.
    pub signals: bool,
    /// Set variables whose names match one of these patterns (threat C9).
    pub accept_env: Vec<String>,
    /// What holds for the connection from here on; `None` leaves what it began with.
    pub limits: Option<ConnectionLimits>,
    /// How long channels may carry nothing.
    pub channel_timeouts: ChannelTimeouts,
}

impl Permissions {
    /// Whether a session may set this variable.
    pub fn accepts_env(&self, name: &[u8], value: &[u8]) -> bool {
        let Ok(name) = std::str::from_utf8(name) else { return false };
        let sane = !name.is_empty() && !name.contains(['=', '\0']) && !value.contains(&0);
        sane && self.accept_env.iter().any(|pattern| nacre_config::pattern::matches(name, pattern))
    }
}

/// A key somebody logs in with, or asks about.
#[derive(Debug, Clone)]
pub struct KeyCheck {
    /// The signature algorithm.
    pub algorithm: SignatureAlgorithm,
    /// The public key blob.
    pub public_key: Vec<u8>,
    /// What it signed, which the protocol has verified. Without it, would the key do?
    pub proof: Option<KeyProof>,
}

/// Where a client wants to be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A host name or address and a port.
    Tcp {
        /// As the client said it.
        host: String,
        /// 0 is none.
        port: u16,
    },
    /// A Unix socket.
    Unix {
        /// Its path.
        path: Vec<u8>,
    },
}

/// Where a client wants us to listen for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// An address and a port.
    Tcp {
        /// As the client said it; empty is everywhere.
        address: String,
        /// 0 is any.
        port: u16,
    },
    /// A Unix socket.
    Unix {
        /// Its path.
        path: Vec<u8>,
    },
    /// A socket of our own choice, which stands for the client's agent. Sessions that are started after it was asked for
    /// are told of it.
    Agent,
}

/// A forward that will not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Policy says no; else the system did.
    pub prohibited: bool,
    /// Why, in words for the client.
    pub why: String,
}

impl Refused {
    /// By policy.
    pub fn prohibited(why: impl Into<String>) -> Self {
        Self { prohibited: true, why: why.into() }
    }

    /// By the system.
    pub fn failed(why: impl Into<String>) -> Self {
        Self { prohibited: false, why: why.into() }
    }
}

/// Whatever takes connections for a client; dropping it ends that.
pub trait Acceptor: Send {
    /// The next connection.
    ///
    /// # Errors
    /// There will be no more.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Arrival>>;
}

/// A place that is listened on.
pub struct Listening {
    /// The port, 0 for a Unix socket.
    pub port: u16,
    /// Who takes the connections.
    pub acceptor: Box<dyn Acceptor>,
}

/// The authority over one connection. It remembers who is logging in.
pub trait Authority: Send {
    /// Signs an exchange hash with the private half of a host key.
    fn sign(&mut self, host_key: Vec<u8>, algorithm: SignatureAlgorithm, data: Vec<u8>) -> Answer<Option<Vec<u8>>>;

    /// Begins a login. The name is any bytes.
    fn look_up(&mut self, user: Vec<u8>) -> Answer<UserPolicy>;

    /// Judges a key. Only a signed one may ever grant anything (threat A5).
    fn check_key(&mut self, key: KeyCheck) -> Answer<bool>;

    /// Judges a password, and with `new` changes it.
    fn check_password(&mut self, password: SecretBytes, new: Option<SecretBytes>) -> Answer<PasswordVerdict>;

    /// Goes one step through keyboard-interactive.
    fn check_interactive(&mut self, answers: Option<Vec<SecretBytes>>) -> Answer<KeyboardInteractiveVerdict>;

    /// The login is complete, by these methods in this order. `client` is the client's identification, without control
    /// characters.
    fn logged_in(&mut self, methods: &[String], client: &str) -> Permissions;

    /// Starts a session.
    fn start(&mut self, requests: SessionRequests) -> Answer<io::Result<StartedSession>>;

    /// Connects for the client.
    fn connect(&mut self, target: Target) -> Answer<Result<Descriptor, Refused>>;

    /// Listens for the client.
    fn listen(&mut self, place: Place) -> Answer<Result<Listening, Refused>>;
}
