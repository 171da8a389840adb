//! The helper: a process that becomes the user before it does anything else, and then opens what
//! belongs to the user and starts it (threat A18). It never held a secret of the server.

use super::helper_forwards::{BETWEEN_OFFERS, HelperForwards, OFFERS};
use super::helper_messages::{FromHelper, ListenPlan, ToHelper};
use crate::serve::auth_info::AuthInfo;
use crate::serve::forward::AgentSocket;
use crate::serve::launch::{Launch, Opened, OpenedStreams, Outside};
use crate::serve::log::syslog_socket;
use nacre_net::privsep::{MAX_MESSAGE, StreamsKind};
use nacre_net::server::authority::Refused;
use nacre_net::server::exit_of;
use nacre_sys::account::Credentials;
use nacre_sys::become_account::become_account;
use nacre_sys::messages::{MessageSocket, is_crowded};
use nacre_sys::readiness::wait_readable;
use nacre_sys::records::Records;
use nacre_sys::spawn::Child;
use nacre_sys::{jail, privileges, role};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long processes have to go by themselves when the connection is gone.
const HANG_UP_GRACE: Duration = Duration::from_secs(2);

/// Runs until the monitor is gone. What fails is told to the monitor, or to nobody when that fails.
pub fn run() -> ExitCode {
    let Ok(mut helper) = Helper::begin() else { return ExitCode::FAILURE };
    let served = helper.serve();
    // However the monitor went, what runs must not stay.
    helper.leave();
    if served.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The user from now on, and in the jail.
fn become_user(credentials: &Credentials, jail: Option<&Path>) -> io::Result<()> {
    // A kernel that keeps the one it has says so by an error, which keeps nobody out.
    let _ = Records::default().set_loginuid(credentials.uid);
    jail.map_or(Ok(()), jail::enter)?;
    become_account(credentials)
}

/// A session that runs.
struct Running {
    session: u32,
    child: Child,
    /// A file that goes with it.
    _file: Option<AuthInfo>,
}

struct Helper {
    monitor: Arc<MessageSocket>,
    running: Vec<Running>,
    /// Started with the first forward.
    forwards: Option<HelperForwards>,
    /// What sessions are told of the client's agent.
    agent: Option<PathBuf>,
    /// The system log outside, for a jail.
    log: Option<OwnedFd>,
}

impl Helper {
    fn begin() -> io::Result<Self> {
        let socket = role::inherited(1)?.pop().ok_or(io::ErrorKind::InvalidInput)?;
        let monitor = Arc::new(socket.into());
        let mut helper = Self { monitor, running: Vec::new(), forwards: None, agent: None, log: None };
        privileges::set_dumpable(false)?;
        let Some((ToHelper::Become { credentials, jail }, _)) = helper.receive()? else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        helper.log = jail.as_ref().and_then(|_| syslog_socket().ok());
        match become_user(&credentials, jail.as_deref()) {
            Ok(()) => helper.tell(&FromHelper::Ready {})?,
            Err(error) => {
                helper.tell(&FromHelper::NotReady { why: error.to_string() })?;
                return Err(error);
            }
        }
        Ok(helper)
    }

    /// The next message; `None` when the monitor is gone.
    fn receive(&self) -> io::Result<Option<(ToHelper, Vec<OwnedFd>)>> {
        let (bytes, fds) = self.monitor.receive_whole(MAX_MESSAGE)?;
        match bytes.as_slice() {
            [] => Ok(None),
            bytes => ToHelper::from_bytes(bytes).map(|message| Some((message, fds))).map_err(io::Error::other),
        }
    }

    fn tell(&self, message: &FromHelper) -> io::Result<()> {
        self.monitor.send(&message.to_bytes(), &[])
    }

    fn serve(&mut self) -> io::Result<()> {
        loop {
            let mut fds = vec![self.monitor.as_fd()];
            fds.extend(self.running.iter().map(|running| running.child.as_fd()));
            let ready = wait_readable(&fds, None)?;
            self.reap()?;
            if ready.first().is_some_and(|ready| *ready) {
                match self.receive()? {
                    Some((message, fds)) => self.handle(message, fds)?,
                    None => return Ok(()),
                }
            }
        }
    }

    fn handle(&mut self, message: ToHelper, mut fds: Vec<OwnedFd>) -> io::Result<()> {
        match message {
            ToHelper::Start { session, launch } => self.start(session, launch, fds.pop())?,
            ToHelper::Signal { session, name } => self.with(session, |child| child.signal_group(&name)),
            ToHelper::HangUp { session } => self.with(session, Child::hang_up),
            ToHelper::Kill { session } => self.with(session, Child::kill_group),
            ToHelper::Connect { forward, target } => match self.forwards() {
                Ok(forwards) => forwards.connect(forward, target),
                Err(error) => {
                    let refused = Refused::failed(error.to_string());
                    self.tell(&FromHelper::NotConnected { forward, refused })?;
                }
            },
            ToHelper::Listen { forward, plan } => {
                if let Err(error) = self.listen(forward, plan) {
                    let refused = Refused::failed(error.to_string());
                    self.tell(&FromHelper::NotListening { forward, refused })?;
                }
            }
            ToHelper::StopListening { forward } => {
                if let Some(forwards) = &self.forwards {
                    forwards.stop(forward);
                }
            }
            ToHelper::Become { .. } => return Err(io::ErrorKind::InvalidData.into()),
        }
        Ok(())
    }

    /// The agent's socket is made here and now, so that a session that is started next is told of it.
    fn listen(&mut self, forward: u32, plan: ListenPlan) -> io::Result<()> {
        match &plan.agent_home {
            Some(home) => {
                let (socket, listener) = AgentSocket::make(home)?;
                let path = socket.path().to_owned();
                self.forwards()?.listen_for_agent(forward, socket, listener);
                self.agent = Some(path);
            }
            None => self.forwards()?.listen(forward, plan),
        }
        Ok(())
    }

    fn forwards(&mut self) -> io::Result<&HelperForwards> {
        match &mut self.forwards {
            Some(forwards) => Ok(forwards),
            none => Ok(none.insert(HelperForwards::start(self.monitor.clone())?)),
        }
    }

    /// Does something to a session's group. One that has just ended takes no signal, which is no failure.
    fn with(&self, session: u32, act: impl Fn(&Child) -> io::Result<()>) {
        if let Some(running) = self.running.iter().find(|running| running.session == session) {
            let _ = act(&running.child);
        }
    }

    fn start(&mut self, session: u32, launch: Launch, terminal: Option<OwnedFd>) -> io::Result<()> {
        let log = self.log.as_ref().map(OwnedFd::try_clone).transpose()?;
        let outside = Outside { terminal, log };
        let Opened { streams, child, preamble, auth_info } = match launch.run(self.agent.as_deref(), outside) {
            Ok(opened) => opened,
            Err(error) => return self.tell(&FromHelper::NotStarted { session, why: error.to_string() }),
        };
        let pid = u32::try_from(child.pid()).unwrap_or(0);
        self.running.push(Running { session, child, _file: auth_info });
        let started = |streams, line| FromHelper::Started { session, streams, line, pid, preamble };
        match streams {
            OpenedStreams::Terminal { master, path } => {
                let message = started(StreamsKind::Terminal, Some(path)).to_bytes();
                self.hand_over(&message, &[master.as_fd()])
            }
            OpenedStreams::Pipes(pipes) => {
                let message = started(StreamsKind::Pipes, None).to_bytes();
                self.hand_over(&message, &pipes.each_ref().map(AsFd::as_fd))
            }
        }
    }

    /// Sends descriptors. The kernel bounds how many of a user are on their way at once: those beyond wait, and with them
    /// what else this process does.
    fn hand_over(&self, message: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut offers = 1..OFFERS;
        loop {
            match self.monitor.send(message, fds) {
                Err(error) if is_crowded(&error) && offers.next().is_some() => std::thread::sleep(BETWEEN_OFFERS),
                result => return result,
            }
        }
    }

    /// Tells of processes that have ended.
    fn reap(&mut self) -> io::Result<()> {
        let mut ended = Vec::new();
        self.running.retain(|running| match running.child.try_wait() {
            Ok(None) => true,
            Ok(Some(status)) => {
                ended.push((running.session, exit_of(status)));
                false
            }
            Err(_) => {
                ended.push((running.session, nacre_net::server::authority::Exit::Status(255)));
                false
            }
        });
        ended.into_iter().try_for_each(|(session, exit)| self.tell(&FromHelper::Exited { session, exit }))
    }

    /// The monitor is gone: what runs is told, given a moment and ended (threat C12).
    fn leave(&mut self) {
        // What was listened on goes first, with its files.
        self.forwards = None;
        for Running { child, .. } in &self.running {
            let _ = child.hang_up();
        }
        let deadline = Instant::now() + HANG_UP_GRACE;
        while !self.running.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let fds: Vec<_> = self.running.iter().map(|running| running.child.as_fd()).collect();
            let _ = wait_readable(&fds, Some(left));
            self.running.retain(|running| matches!(running.child.try_wait(), Ok(None)));
        }
        for Running { child, .. } in &self.running {
            let _ = child.kill_group();
        }
    }
}
