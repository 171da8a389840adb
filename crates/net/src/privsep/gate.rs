//! What a net process may say when: the monitor's state machine.
//!
//! The net process runs the same rules in the protocol's own machine, so an honest one never runs
//! into this one; whatever it refuses was said by a process that has been taken over (threats A1 to
//! A9 from inside). It keeps its own session identifier, its own user, its own count of methods that
//! succeeded, and checks keys' signatures itself.

use super::message::ToMonitor;
use crate::server::authority::{KeyCheck, Permissions, SessionRequests};
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::certificate::plain_key;
use nacre_proto::crypto::Provider;
use nacre_proto::limits;
use nacre_proto::login::server::UserPolicy;
use nacre_proto::login::ways::Ways;
use nacre_proto::login::{KeyProof, SignedRequest};
use nacre_wire::userauth::PublicKeyRequest;
use nacre_wire::{WriteExt, names};

/// Exchange hashes signed before login: one, and as many for a peer that renews its keys early.
const MAX_EARLY_SIGNATURES: u32 = 4;
/// The lengths of exchange hashes: SHA-256, SHA-384, SHA-512.
const HASH_LENGTHS: [usize; 3] = [32, 48, 64];
/// The most places listened on for one client, with those that it just gave up.
const MAX_LISTENERS: usize = 512;
/// The longest line for the log, in bytes.
const MAX_LINE: usize = 4096;

/// How far the login has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nobody has named a user.
    Fresh,
    /// A user was named; methods are tried.
    Login,
    /// Somebody is logged in.
    Authenticated,
    /// The net process has said that the connection is over.
    Over,
}

/// Something that an honest net process never says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// The message has no place in this phase.
    Phase(&'static str, Phase),
    /// A method that nobody wants now.
    Method(&'static str),
    /// Something to sign that is neither an exchange hash nor proof of a host key.
    Signature,
    /// A key that proves nothing, or counts twice.
    Key,
    /// More attempts than there are.
    Attempts,
    /// A session that exists already, asks for what it may not, or may not be disturbed.
    Session(&'static str),
    /// A forward that exists already, or more of them than there may be.
    Forward,
    /// A message that is none.
    Malformed(nacre_wire::DecodeError),
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Phase(message, phase) => write!(f, "{message} in phase {phase:?}"),
            Self::Method(method) => write!(f, "{method} when it was not wanted"),
            Self::Signature => f.write_str("asked to sign what no host key signs"),
            Self::Key => f.write_str("a key that proves nothing"),
            Self::Attempts => f.write_str("more attempts than allowed"),
            Self::Session(what) => write!(f, "a session that {what}"),
            Self::Forward => f.write_str("a forward that exists already, or one too many"),
            Self::Malformed(error) => write!(f, "malformed message: {error}"),
        }
    }
}

/// The state that a login has really reached.
pub struct Gate {
    phase: Phase,
    host_keys: Vec<Vec<u8>>,
    /// The first exchange hash that was signed, and the key that signed it.
    session_id: Option<Vec<u8>>,
    session_key: Vec<u8>,
    signatures: u32,
    user: Vec<u8>,
    ways: Ways,
    algorithms: Vec<SignatureAlgorithm>,
    max_tries: u32,
    requests: u32,
    probes: u32,
    failures: u32,
    /// Keyboard-interactive waits for answers.
    asked: bool,
    used_keys: Vec<Vec<u8>>,
    /// What `none` logs in to, where it does.
    none: Option<Permissions>,
    permissions: Permissions,
    sessions: Vec<u32>,
    /// Questions for connections that are not answered.
    connects: Vec<u32>,
    listeners: Vec<u32>,
}

impl Gate {
    /// Nothing has been said yet. `host_keys` are the public key blobs of the server.
    pub fn new(host_keys: Vec<Vec<u8>>) -> Self {
        Self {
            phase: Phase::Fresh,
            host_keys,
            session_id: None,
            session_key: Vec::new(),
            signatures: 0,
            user: Vec::new(),
            ways: Ways::new(Vec::new()),
            algorithms: Vec::new(),
            max_tries: 0,
            requests: 0,
            probes: 0,
            failures: 0,
            asked: false,
            used_keys: Vec::new(),
            none: None,
            permissions: Permissions::default(),
            sessions: Vec::new(),
            connects: Vec::new(),
            listeners: Vec::new(),
        }
    }

    /// How far the login has come.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The first exchange hash has been signed.
    pub fn has_session_id(&self) -> bool {
        self.session_id.is_some()
    }

    /// Holds a message against the state. What passes may be done.
    ///
    /// # Errors
    /// An honest net process would not have said it; end it.
    pub fn check(&mut self, provider: &dyn Provider, message: &ToMonitor) -> Result<(), Violation> {
        self.check_phase(message)?;
        match message {
            ToMonitor::Sign { host_key, data, .. } => self.check_signing(host_key, data),
            ToMonitor::LookUp { user, .. } => {
                self.user.clone_from(user);
                if user.len() > limits::MAX_USER_NAME { Err(Violation::Attempts) } else { Ok(()) }
            }
            ToMonitor::CheckKey { check, .. } => self.check_key(provider, check),
            ToMonitor::CheckPassword { .. } => self.check_method(names::AUTH_PASSWORD),
            ToMonitor::CheckInteractive { answers, .. } => self.check_interactive(answers.is_some()),
            ToMonitor::Start { session, requests, .. } => self.check_start(*session, requests),
            ToMonitor::Signal { .. } if !self.permissions.signals => Err(Violation::Session("may not be disturbed")),
            // An answer that a session has ended may cross a request that concerns it, so which
            // session it is does not matter here.
            ToMonitor::Signal { .. } | ToMonitor::HangUp { .. } | ToMonitor::Kill { .. } => Ok(()),
            ToMonitor::Connect { question, .. } => number(&mut self.connects, *question, limits::MAX_CHANNELS),
            ToMonitor::Listen { listener, .. } => number(&mut self.listeners, *listener, MAX_LISTENERS),
            // One that ended by itself may cross it.
            ToMonitor::StopListening { .. } => Ok(()),
            ToMonitor::NoneSucceeded {} => match self.none.take() {
                Some(permissions) => {
                    self.log_in(permissions);
                    Ok(())
                }
                None => Err(Violation::Method(names::AUTH_NONE)),
            },
            ToMonitor::Log { line, .. } if line.len() > MAX_LINE => Err(Violation::Attempts),
            ToMonitor::Log { .. } => Ok(()),
            ToMonitor::Ended { .. } => {
                self.phase = Phase::Over;
                Ok(())
            }
        }
    }

    /// The one table of phases.
    fn check_phase(&self, message: &ToMonitor) -> Result<(), Violation> {
        let allowed = match message {
            ToMonitor::Sign { .. } => self.phase != Phase::Over,
            ToMonitor::LookUp { .. } => self.phase == Phase::Fresh && self.has_session_id(),
            ToMonitor::CheckKey { .. }
            | ToMonitor::CheckPassword { .. }
            | ToMonitor::CheckInteractive { .. }
            | ToMonitor::NoneSucceeded {} => self.phase == Phase::Login,
            ToMonitor::Start { .. }
            | ToMonitor::Signal { .. }
            | ToMonitor::HangUp { .. }
            | ToMonitor::Kill { .. }
            | ToMonitor::Connect { .. }
            | ToMonitor::Listen { .. }
            | ToMonitor::StopListening { .. } => self.phase == Phase::Authenticated,
            ToMonitor::Log { .. } => true,
            ToMonitor::Ended { .. } => self.phase != Phase::Over,
        };
        if allowed { Ok(()) } else { Err(Violation::Phase(message.name(), self.phase)) }
    }

    /// A host key signs exchange hashes, and after login the proof that we hold it.
    fn check_signing(&mut self, host_key: &[u8], data: &[u8]) -> Result<(), Violation> {
        if !self.host_keys.iter().any(|known| known == host_key) {
            return Err(Violation::Signature);
        }
        if HASH_LENGTHS.contains(&data.len()) {
            self.signatures = self.signatures.saturating_add(1);
            if self.phase != Phase::Authenticated && self.signatures > MAX_EARLY_SIGNATURES {
                return Err(Violation::Signature);
            }
            if self.session_id.is_none() {
                self.session_id = Some(data.to_vec());
                self.session_key = host_key.to_vec();
            }
            return Ok(());
        }
        let mut proof = Vec::new();
        proof.put_string(names::HOSTKEYS_PROVE);
        proof.put_string(self.session_id.as_deref().unwrap_or_default());
        proof.put_string(host_key);
        if self.phase == Phase::Authenticated && proof == data { Ok(()) } else { Err(Violation::Signature) }
    }

    /// One attempt of a method that is wanted now.
    fn check_method(&mut self, method: &'static str) -> Result<(), Violation> {
        self.requests += 1;
        self.asked = false;
        if self.requests > limits::MAX_AUTH_REQUESTS || self.failures >= self.max_tries {
            return Err(Violation::Attempts);
        }
        if self.ways.wants(method) { Ok(()) } else { Err(Violation::Method(method)) }
    }

    /// Answers are taken only to questions that were asked.
    fn check_interactive(&mut self, answers: bool) -> Result<(), Violation> {
        let asked = self.asked;
        self.check_method(names::AUTH_KEYBOARD_INTERACTIVE)?;
        if answers && !asked { Err(Violation::Method(names::AUTH_KEYBOARD_INTERACTIVE)) } else { Ok(()) }
    }

    fn check_key(&mut self, provider: &dyn Provider, check: &KeyCheck) -> Result<(), Violation> {
        self.check_method(names::AUTH_PUBLICKEY)?;
        if !self.algorithms.contains(&check.algorithm) {
            return Err(Violation::Key);
        }
        let Some(proof) = &check.proof else {
            self.probes += 1;
            return if self.probes > limits::MAX_KEY_PROBES { Err(Violation::Attempts) } else { Ok(()) };
        };
        if self.proves(provider, check, proof) { Ok(()) } else { Err(Violation::Key) }
    }

    /// Whether this key signed a request of this user in this session (threats A5, A6).
    fn proves(&self, provider: &dyn Provider, check: &KeyCheck, proof: &KeyProof) -> bool {
        let Some(session_id) = &self.session_id else { return false };
        if self.used_keys.iter().any(|used| **used == *plain_key(&check.public_key))
            || proof.host_key.as_ref().is_some_and(|key| *key != self.session_key)
        {
            return false;
        }
        let request = PublicKeyRequest {
            algorithm: check.algorithm.name().as_bytes(),
            public_key: &check.public_key,
            host_key: proof.host_key.as_deref(),
            signature: None,
        };
        let text = SignedRequest { session_id, user: &self.user, request: &request }.text();
        provider.verify(check.algorithm, &check.public_key, &text, &proof.signature).is_ok()
    }

    fn check_start(&mut self, session: u32, requests: &SessionRequests) -> Result<(), Violation> {
        if self.sessions.contains(&session) {
            return Err(Violation::Session("exists already"));
        }
        if requests.pty.is_some() && !self.permissions.pty {
            return Err(Violation::Session("asks for a terminal"));
        }
        if !requests.env.iter().all(|(name, value)| self.permissions.accepts_env(name, value)) {
            return Err(Violation::Session("sets what it may not"));
        }
        Ok(())
    }

    /// Counts a session that passed. False when there are as many as there may be: what an honest net
    /// process forgot, because its client closed the channel meanwhile, may still run.
    pub fn admit_session(&mut self, session: u32) -> bool {
        let room = self.sessions.len() < self.permissions.max_sessions;
        if room {
            self.sessions.push(session);
        }
        room
    }

    /// The sessions that were started and have not ended.
    pub fn sessions(&self) -> &[u32] {
        &self.sessions
    }

    /// The user was looked up; with permissions, `none` logs in.
    pub fn looked_up(&mut self, policy: &UserPolicy, permissions: Option<&Permissions>) {
        self.phase = Phase::Login;
        self.ways = Ways::new(policy.methods.clone());
        self.algorithms.clone_from(&policy.algorithms);
        self.max_tries = policy.max_tries;
        self.none = permissions.cloned();
    }

    /// A method succeeded, for a key with its blob. True when that was all that is wanted.
    pub fn succeeded(&mut self, method: &str, key: Option<&[u8]>) -> bool {
        self.used_keys.extend(key.map(|key| plain_key(key).into_owned()));
        self.ways.succeed(method)
    }

    /// Keyboard-interactive asked something.
    pub fn asked(&mut self) {
        self.asked = true;
    }

    /// An attempt failed.
    pub fn failed(&mut self) {
        self.failures += 1;
    }

    /// The methods that succeeded.
    pub fn methods(&self) -> &[String] {
        self.ways.succeeded()
    }

    /// Somebody is logged in from here on.
    pub fn log_in(&mut self, permissions: Permissions) {
        self.phase = Phase::Authenticated;
        self.permissions = permissions;
    }

    /// A connection was made, or will not be.
    pub fn connect_over(&mut self, question: u32) {
        self.connects.retain(|known| *known != question);
    }

    /// A listener is gone, or never was.
    pub fn listener_over(&mut self, listener: u32) {
        self.listeners.retain(|known| *known != listener);
    }

    /// A session is over, or was never started.
    pub fn session_over(&mut self, session: u32) {
        self.sessions.retain(|running| *running != session);
    }
}

/// Takes a number that must be new, unless there are too many already.
fn number(known: &mut Vec<u32>, number: u32, most: usize) -> Result<(), Violation> {
    if known.contains(&number) || known.len() >= most {
        return Err(Violation::Forward);
    }
    known.push(number);
    Ok(())
}
