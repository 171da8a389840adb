//! What one connection leaves in the audit log. It belongs to the judge, so that it knows what the
//! judge knows: as root it is the monitor's.

use super::event::{Certified, Event, Happening, Proof, SessionSpec};
use super::write;
use crate::serve::auth_info::AuthInfo;
use crate::serve::launch::Launch;
use crate::serve::login::{Ends, Login};
use nacre_crypto::{Certificate, PublicKey};
use nacre_net::server::authority::{Exit, KeyCheck, Process, SessionRequests, Start};
use nacre_wire::text::clean_line;
use std::io;
use std::mem::take;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// The longest command that is logged, in bytes.
const MAX_COMMAND: usize = 1024;

/// The trail of one connection.
pub struct Trail {
    ends: Ends,
    began: Instant,
    /// The protocol runs in a process of its own, whose word is only a word.
    apart: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    user: String,
    proofs: Vec<Proof>,
    /// How many of the proofs are written.
    told: usize,
    logged_in: bool,
    sessions: Vec<Session>,
    /// Sessions that were asked for so far.
    asked: u32,
    over: bool,
}

struct Session {
    /// As the protocol calls it.
    key: u32,
    id: u32,
    spec: SessionSpec,
    /// Its time counts from here on: what runs may have begun, and even ended, before that is heard.
    asked: Instant,
    runs: bool,
}

/// How a connection ended.
pub struct End {
    /// Why, cleaned.
    pub reason: String,
    /// It simply went.
    pub quiet: bool,
    /// Bytes read and written, when somebody counted.
    pub bytes: Option<(u64, u64)>,
}

impl Trail {
    /// A trail that begins now.
    pub fn new(ends: Ends, apart: bool) -> Self {
        Self { ends, began: Instant::now(), apart, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, user: &str, what: Happening) {
        write(&Event::Connection { ends: self.ends, user: user.to_owned(), what });
    }

    /// Tells of something that whoever is logged in did.
    pub(super) fn tell_of_user(&self, what: Happening) {
        let user = self.state().user.clone();
        self.tell(&user, what);
    }

    /// A name was looked up.
    pub fn looked_up(&self, login: &Login) {
        self.state().user.clone_from(&login.shown);
        if login.account.is_none() {
            self.tell(&login.shown, Happening::InvalidUser);
        } else if login.options.refuse_connection {
            self.tell(&login.shown, Happening::LoginRefused { reason: "RefuseConnection" });
        }
    }

    /// A credential was judged. Whether a right one was the last that is wanted is not known yet.
    pub fn attempted(&self, accepted: bool, method: &'static str, login: &Login, key: Option<&KeyCheck>) {
        self.tell_partial();
        let certificate = key.filter(|key| key.algorithm.is_certificate());
        let certificate = certificate.and_then(|key| Certificate::from_blob(&key.public_key).ok());
        let described = match (&certificate, key) {
            (Some(certificate), _) => Some((certificate.type_label(), certificate.key().fingerprint_sha256())),
            (None, key) => key.map(|key| describe(&key.public_key)),
        };
        let proof = Proof { method, key: described, certificate: certificate.as_ref().map(certified) };
        if accepted {
            self.state().proofs.push(proof);
        } else {
            let invalid_user = login.account.is_none();
            self.tell(&login.shown, Happening::LoginFailed { proof, invalid_user });
        }
    }

    /// Writes right credentials that were not enough.
    fn tell_partial(&self) {
        let mut state = self.state();
        let proofs = state.proofs.get(state.told..).unwrap_or_default().to_vec();
        state.told = state.proofs.len();
        let (user, done) = (state.user.clone(), state.logged_in);
        drop(state);
        for proof in proofs.into_iter().filter(|_| !done) {
            self.tell(&user, Happening::LoginPartial { proof });
        }
    }

    /// The login is complete.
    pub fn logged_in(&self) {
        let mut state = self.state();
        if std::mem::replace(&mut state.logged_in, true) {
            return;
        }
        let (user, proofs) = (state.user.clone(), state.proofs.clone());
        state.told = proofs.len();
        drop(state);
        self.tell(&user, Happening::LoggedIn { proofs });
    }

    /// A session is wanted, called `key` from now on; without one it gets a number of its own, which
    /// is returned.
    pub fn session_asked(&self, key: Option<u32>, requests: &SessionRequests) -> u32 {
        let mut state = self.state();
        state.asked = state.asked.wrapping_add(1);
        let id = state.asked;
        let session = Session { key: key.unwrap_or(id), id, spec: asked(requests), asked: Instant::now(), runs: false };
        state.sessions.push(session);
        key.unwrap_or(id)
    }

    /// What really runs was decided.
    pub fn session_decided(&self, key: u32, launch: &Launch) {
        let mut state = self.state();
        if let Some(session) = state.sessions.iter_mut().find(|session| session.key == key) {
            session.spec.forced = forced(&session.spec, launch);
            session.spec.terminal = launch.pty.as_ref().map(|pty| clean_line(pty.term.as_bytes(), 64));
        }
    }

    /// A session runs, on this terminal if its name is known.
    pub fn session_started(&self, key: u32, terminal: Option<String>) {
        let mut state = self.state();
        let user = state.user.clone();
        let Some(session) = state.sessions.iter_mut().find(|session| session.key == key) else { return };
        session.runs = true;
        session.spec.terminal = terminal.or(session.spec.terminal.take());
        let what = Happening::SessionStarted { id: session.id, spec: session.spec.clone() };
        drop(state);
        self.tell(&user, what);
    }

    /// A session was not started.
    pub fn session_refused(&self, key: u32, reason: &str) {
        let (session, user) = self.take_session(key);
        if let Some(Session { id, spec, .. }) = session {
            let reason = clean_line(reason.as_bytes(), MAX_COMMAND);
            self.tell(&user, Happening::SessionRefused { id, spec, reason });
        }
    }

    /// A session's process has ended.
    pub fn session_ended(&self, key: u32, exit: &Exit) {
        let (session, user) = self.take_session(key);
        if let Some(session) = session {
            self.tell_session_end(&user, session, Some(exit.clone()));
        }
    }

    fn take_session(&self, key: u32) -> (Option<Session>, String) {
        let mut state = self.state();
        let place = state.sessions.iter().position(|session| session.key == key);
        (place.map(|place| state.sessions.swap_remove(place)), state.user.clone())
    }

    fn tell_session_end(&self, user: &str, session: Session, exit: Option<Exit>) {
        let Session { id, spec, asked, runs, .. } = session;
        let ran = if runs { asked.elapsed() } else { Duration::ZERO };
        self.tell(user, Happening::SessionEnded { id, spec, exit, ran });
    }

    /// The net process died, or did what it may not.
    pub fn net_crashed(&self, reason: &str) {
        let (user, reason) = (self.state().user.clone(), clean_line(reason.as_bytes(), MAX_COMMAND));
        self.tell(&user, Happening::NetCrashed { reason });
    }

    /// The connection is over. Only the first end counts.
    pub fn ended(&self, end: End) {
        if let Some(event) = self.end_event(end) {
            write(&event);
        }
    }

    /// The end of the connection, after the ends of what ran in it are written; `None` for a second one.
    pub(super) fn end_event(&self, end: End) -> Option<Event> {
        self.tell_partial();
        let mut state = self.state();
        if std::mem::replace(&mut state.over, true) {
            return None;
        }
        let (user, logged_in, sessions) = (state.user.clone(), state.logged_in, take(&mut state.sessions));
        drop(state);
        for session in sessions.into_iter().filter(|session| session.runs) {
            self.tell_session_end(&user, session, None);
        }
        let End { reason, quiet, bytes } = end;
        let (claimed, stood) = (self.apart && bytes.is_some(), self.began.elapsed());
        let what = Happening::Ended { reason, quiet, bytes, claimed, logged_in, stood };
        Some(Event::Connection { ends: self.ends, user, what })
    }
}

impl Drop for Trail {
    /// A connection whose task was dropped or panicked had an end too.
    fn drop(&mut self) {
        self.ended(End { reason: "the server cut it off".to_owned(), quiet: false, bytes: None });
    }
}

/// A session's process whose end is written.
pub struct WatchedProcess {
    /// The process.
    pub process: Box<dyn Process>,
    /// The trail it belongs to.
    pub trail: Arc<Trail>,
    /// What the session is called there.
    pub key: u32,
    /// A file that goes with it.
    pub _file: Option<AuthInfo>,
}

impl Process for WatchedProcess {
    fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<Exit> {
        let exit = ready!(self.process.poll_exit(cx));
        self.trail.session_ended(self.key, &exit);
        Poll::Ready(exit)
    }

    fn signal(&mut self, name: &str) -> io::Result<()> {
        self.process.signal(name)
    }

    fn hang_up(&mut self) {
        self.process.hang_up();
    }

    fn kill(&mut self) {
        self.process.kill();
    }
}

fn asked(requests: &SessionRequests) -> SessionSpec {
    let (kind, asked) = match &requests.start {
        Start::Shell => ("shell", String::new()),
        Start::Exec(command) => ("command", clean_line(command, MAX_COMMAND)),
        Start::Subsystem(name) => ("subsystem", clean_line(name.as_bytes(), MAX_COMMAND)),
    };
    SessionSpec { kind, asked, forced: None, terminal: None }
}

/// The command that runs although another was asked for. A subsystem's own command is no such.
fn forced(spec: &SessionSpec, launch: &Launch) -> Option<String> {
    let Start::Exec(command) = &launch.start else { return None };
    let command = clean_line(command, MAX_COMMAND);
    (spec.kind != "command" || spec.asked != command).then_some(command)
}

fn certified(certificate: &Certificate) -> Certified {
    let ca = certificate.ca();
    let ca = (ca.type_label().to_owned(), ca.fingerprint_sha256());
    Certified { id: certificate.key_id(), serial: certificate.serial(), ca }
}

/// A key's type as ssh-keygen prints it, and its fingerprint.
fn describe(blob: &[u8]) -> (String, String) {
    let label = PublicKey::from_blob(blob, "").map(|key| key.type_label().to_owned());
    (label.unwrap_or_else(|_| "unknown".to_owned()), nacre_crypto::fingerprint_sha256(blob))
}
