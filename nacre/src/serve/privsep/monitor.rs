//! The monitor of one connection: root, one thread, no loop library. It starts the net process,
//! answers what passes its gate, and takes nobody's word.

use super::control::Notice;
use super::forwards::Forwards;
use super::helper_link::HelperLink;
use super::line_budget::LineBudget;
use super::pam::PamLogin;
use super::{NET, Separation};
use crate::serve::audit::End;
use crate::serve::judge::Judge;
use crate::serve::listener::settings;
use crate::serve::login::Ends;
use crate::serve::shared::Shared;
use nacre_crypto::AwsLc;
use nacre_net::admission::Ending;
use nacre_net::privsep::{EndedHow, FromMonitor, Gate, MAX_MESSAGE, Phase, ToMonitor, Violation};
use nacre_sys::memory;
use nacre_sys::messages::MessageSocket;
use nacre_sys::readiness::{wait_readable, wait_writable};
use nacre_sys::records::{Login as Record, Records};
use nacre_sys::role::RoleSpec;
use nacre_sys::spawn::{Child, ExitStatus};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use zeroize::Zeroizing;

/// What the net process gets beyond its own time to end a login that takes too long.
const GRACE_SLACK: Duration = Duration::from_secs(5);
/// How long the net process may leave what we tell it unread.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the net process has to end once it has said that it is over.
const NET_EXIT: Duration = Duration::from_secs(5);
/// How long the helper has to end what it started.
const HELPER_EXIT: Duration = Duration::from_secs(5);

/// So long without a question makes a monitor idle.
const IDLE: Duration = Duration::from_millis(300);

/// A client's connection: one socket, or one descriptor to read and another to write.
pub struct Connection {
    /// Between whom it is.
    pub ends: Ends,
    /// Where it is read, and written unless there is a second.
    pub input: OwnedFd,
    /// Where it is written.
    pub output: Option<OwnedFd>,
}

/// Serves one connection to its end.
pub fn serve(
    shared: &Arc<Shared>,
    separation: &Separation,
    connection: Connection,
    control: Option<MessageSocket>,
) -> Ending {
    let peer = connection.ends.peer;
    match Monitor::start(shared, separation, connection, control) {
        Ok(monitor) => monitor.run(),
        Err(error) => {
            tracing::error!("connection from {peer}: {error}");
            Ending::Clean
        }
    }
}

/// A session with a terminal, for the system's records.
pub(super) struct Recorded {
    pub(super) session: u32,
    pub(super) record: Record,
}

/// The monitor of one connection.
pub(super) struct Monitor<'a> {
    pub(super) judge: Judge,
    pub(super) gate: Gate,
    pub(super) provider: AwsLc,
    pub(super) separation: &'a Separation,
    pub(super) helper: Option<HelperLink>,
    /// What PAM knows of the login, where it is used and was asked.
    pub(super) pam: Option<PamLogin>,
    /// Sessions that the helper was asked to start, with the question that waits.
    pub(super) starting: Vec<(u32, u32)>,
    pub(super) forwards: Forwards,
    pub(super) records: Records,
    pub(super) recorded: Vec<Recorded>,
    pub(super) lines: LineBudget,
    net: MessageSocket,
    child: Child,
    control: Option<MessageSocket>,
    deadline: Option<Instant>,
    /// How the net process said that it ended.
    pub(super) ended: Option<EndedHow>,
    /// What it said of the end.
    pub(super) last_words: Option<End>,
    crashed: bool,
}

impl<'a> Monitor<'a> {
    fn start(
        shared: &Arc<Shared>,
        separation: &'a Separation,
        connection: Connection,
        control: Option<MessageSocket>,
    ) -> io::Result<Self> {
        let ends = connection.ends;
        let settings = settings(shared, ends);
        let gate = Gate::new(settings.host_keys.iter().map(|(blob, _)| blob.clone()).collect());
        let provider = AwsLc::new(settings.required_rsa_bits);
        let grace = settings.login_timeout;
        let (net, theirs) = MessageSocket::pair()?;
        let child = start_net(separation, connection, theirs)?;
        let monitor = Self {
            judge: Judge::new(shared.clone(), ends),
            gate,
            provider,
            separation,
            helper: None,
            pam: None,
            starting: Vec::new(),
            forwards: Forwards::default(),
            records: Records::default(),
            recorded: Vec::new(),
            lines: LineBudget::new(Instant::now()),
            net,
            child,
            control,
            deadline: grace.map(|grace| Instant::now() + grace + GRACE_SLACK),
            ended: None,
            last_words: None,
            crashed: false,
        };
        monitor.answer(&FromMonitor::Settings { settings }, &[])?;
        Ok(monitor)
    }

    /// Says something to the net process. One that has gone meanwhile, because its client did, is
    /// no error: what it said of that waits to be read.
    pub(super) fn answer(&self, message: &FromMonitor, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        if !wait_writable(self.net.as_fd(), Some(SEND_TIMEOUT))? {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the net process does not read"));
        }
        match self.net.send(&message.to_bytes(), fds) {
            Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => Ok(()),
            other => other,
        }
    }

    /// Tells the listener.
    pub(super) fn notice(&self, notice: Notice) {
        if let Some(control) = &self.control {
            let _ = control.send(&[notice.to_byte()], &[]);
        }
    }

    fn run(mut self) -> Ending {
        let mut rested = false;
        while let Some(ready) = self.wait((!rested).then_some(IDLE)) {
            // What came before left much behind that a monitor needs once.
            if !rested && ready == [false; 3] {
                memory::give_back();
            }
            rested = ready == [false; 3];
            let [net, helper, control] = ready;
            if control {
                self.on_control();
            }
            if helper {
                self.on_helper();
            }
            if net && !self.on_net() {
                break;
            }
        }
        self.finish()
    }

    /// Waits for something to do: from the net process, the helper, the listener; all are false
    /// when nothing came within `at_most`. `None` when the time for the login is over.
    fn wait(&self, at_most: Option<Duration>) -> Option<[bool; 3]> {
        let waits = self.gate.phase() != Phase::Authenticated;
        let left = self.deadline.filter(|_| waits).map(|d| d.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return None;
        }
        let mut fds = vec![self.net.as_fd()];
        fds.extend(self.helper.as_ref().map(AsFd::as_fd));
        fds.extend(self.control.as_ref().map(AsFd::as_fd));
        let ready = wait_readable(&fds, left.into_iter().chain(at_most).min()).ok()?;
        let mut ready = ready.into_iter();
        let mut next = |there: bool| there && ready.next().unwrap_or(false);
        Some([next(true), next(self.helper.is_some()), next(self.control.is_some())])
    }

    /// One message of the net process. False when there are no more.
    fn on_net(&mut self) -> bool {
        let handled = match self.receive() {
            Ok(None) => return false,
            Ok(Some(message)) => self.handle(message),
            Err(error) => Err(error),
        };
        if let Err(error) = &handled {
            self.judge.trail.net_crashed(&error.to_string());
            self.crashed = true;
        }
        handled.is_ok()
    }

    /// The next message of the net process, if the gate lets it through; `None` when there are no more.
    fn receive(&mut self) -> io::Result<Option<ToMonitor>> {
        // Nothing that a net process says comes with a descriptor; what did is closed.
        let (bytes, _) = self.net.receive_whole(MAX_MESSAGE)?;
        let bytes = Zeroizing::new(bytes);
        if bytes.is_empty() {
            return Ok(None);
        }
        let message = ToMonitor::from_bytes(&bytes).map_err(Violation::Malformed);
        let checked = message.and_then(|message| self.gate.check(&self.provider, &message).map(|()| message));
        checked.map(Some).map_err(|violation| io::Error::other(format!("misbehaved: {violation}")))
    }

    /// Waits for the next message while something is asked of the client; `None` when there are no more, or none in
    /// the time of the login.
    pub(super) fn next_message(&mut self) -> io::Result<Option<ToMonitor>> {
        loop {
            let Some([net, _, control]) = self.wait(None) else { return Ok(None) };
            if control {
                self.on_control();
            }
            if net {
                return self.receive();
            }
        }
    }

    /// What is left of the time for the login.
    pub(super) fn time_left(&self) -> Duration {
        self.deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// The listener says that the server is stopping, or is gone, which changes nothing.
    fn on_control(&mut self) {
        let mut bytes = [0; 8];
        let received = self.control.as_ref().and_then(|control| control.receive(&mut bytes).ok());
        match received.filter(|received| received.len == bytes.len()) {
            Some(_) => {
                let _ = self.answer(&FromMonitor::Drain { milliseconds: u64::from_be_bytes(bytes) }, &[]);
            }
            None => self.control = None,
        }
    }

    /// Ends what is left of the connection and says how it ended.
    fn finish(mut self) -> Ending {
        let clean = self.ended.is_some() && !self.crashed;
        let timed_out = !self.crashed
            && self.ended.is_none()
            && self.gate.phase() != Phase::Authenticated
            && self.deadline.is_some_and(|deadline| deadline <= Instant::now());
        if !self.crashed && !timed_out {
            let _ = wait_readable(&[self.child.as_fd()], Some(NET_EXIT));
        }
        let status = self.child.try_wait().ok().flatten();
        if status.is_none() {
            let _ = self.child.kill_group();
            let _ = self.child.wait();
        }
        if let Some(helper) = self.helper.take() {
            helper.leave(HELPER_EXIT);
        }
        if let Some(pam) = self.pam.take() {
            pam.close();
        }
        for recorded in std::mem::take(&mut self.recorded) {
            self.record_end(recorded.record);
        }
        let ending = match self.ended {
            Some(how) if clean => self.judge.progress().ending(how),
            _ if timed_out => Ending::GraceExceeded,
            _ => {
                if !self.crashed {
                    self.judge.trail.net_crashed(&ended_as(status));
                }
                Ending::Crash
            }
        };
        self.judge.trail.ended(self.last_words.take().filter(|_| clean).unwrap_or_else(|| End {
            reason: if timed_out { "no login in time" } else { "its net process is gone" }.to_owned(),
            quiet: false,
            bytes: None,
        }));
        self.notice(Notice::Ended(ending));
        ending
    }

    /// The system's records of who is logged in; where they cannot be written, nobody is kept out.
    pub(super) fn record_end(&self, mut record: Record) {
        record.time = SystemTime::now();
        if let Err(error) = self.records.logout(&record) {
            tracing::debug!("{error}");
        }
    }
}

/// How a net process ended that said nothing of it.
fn ended_as(status: Option<ExitStatus>) -> String {
    match status {
        Some(ExitStatus::Exited(code)) => format!("ended without a word, exit status {code}"),
        Some(ExitStatus::Signaled { signal, .. }) => format!("ended without a word, signal {signal}"),
        None => "said nothing more".to_owned(),
    }
}

fn start_net(separation: &Separation, connection: Connection, link: MessageSocket) -> io::Result<Child> {
    let (uid, gid) = separation.nobody;
    let mut fds = vec![link.into(), separation.empty.try_clone()?, connection.input];
    fds.extend(connection.output);
    separation.program.start(RoleSpec {
        arg0: NET.into(),
        args: [fds.len().to_string(), uid.to_string(), gid.to_string(), separation.sandbox.to_string()]
            .map(Into::into)
            .to_vec(),
        env: Vec::new(),
        fds,
        stderr: None,
        new_session: true,
        ends_with_parent: true,
    })
}
