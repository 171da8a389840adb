//! One session channel of a server, RFC 4254 §6: what was asked for, what runs, and how it ends.

use super::authority::{Exit, Process, PtyRequest, SessionRequests, SessionStreams, Start, StartedSession};
use crate::backlog::Backlog;
use crate::descriptor::Descriptor;
use crate::driver::Port;
use crate::pump::Pump;
use nacre_proto::{GrantRequest, LocalChannel, Pending, Stream};
use nacre_sys::pty;
use nacre_wire::session::{SessionRequest, WindowSize};
use std::future::Future;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// The most variables a session may set (threat C9).
const MAX_ENV: usize = 128;
/// The most bytes they may have together: what Linux takes as one string for a new program.
const MAX_ENV_BYTES: usize = 128 * 1024;

/// How long EOF waits for the exit status. A process that closes its output mostly ends at once, though a busy machine tells of it late, and
/// some clients (Dropbear's) close the channel at EOF without waiting for the status.
const EOF_GRACE: Duration = Duration::from_secs(1);

/// How far a session is.
enum Stage {
    /// Requests are gathered.
    Asked,
    /// The authority starts it.
    Starting,
    /// It runs.
    Running(Box<dyn Process>),
    /// It has ended; its output may still be on its way.
    Ended,
}

/// A session channel.
pub(super) struct Session {
    pub(super) channel: LocalChannel,
    pty: Option<PtyRequest>,
    env: Vec<(Vec<u8>, Vec<u8>)>,
    agent: bool,
    stage: Stage,
    /// For the size of the terminal.
    terminal: Option<OwnedFd>,
    sources_ended: bool,
    /// When EOF is said though the process still runs.
    eof_due: Option<Pin<Box<Sleep>>>,
    /// Input that came before there was anything to read it: clients do not wait for the answer to
    /// `exec`. Its bytes are not given back, so the channel's first window bounds it.
    early: Backlog,
    /// The client sends no more input.
    input_ended: bool,
    /// What it runs, for the log.
    pub(super) what: String,
    /// How long it may carry nothing.
    pub(super) idle_limit: Option<Duration>,
}

impl Session {
    pub(super) fn new(channel: LocalChannel) -> Self {
        Self {
            channel,
            pty: None,
            env: Vec::new(),
            agent: false,
            stage: Stage::Asked,
            terminal: None,
            sources_ended: false,
            eof_due: None,
            early: Backlog::default(),
            input_ended: false,
            what: String::new(),
            idle_limit: None,
        }
    }

    /// Remembers a terminal. Once only, and before the start.
    pub(super) fn take_pty(&mut self, request: PtyRequest) -> bool {
        if self.pty.is_some() || !matches!(self.stage, Stage::Asked) {
            return false;
        }
        self.pty = Some(request);
        true
    }

    /// Remembers a variable.
    pub(super) fn take_env(&mut self, name: Vec<u8>, value: Vec<u8>) -> bool {
        let bytes: usize = self.env.iter().map(|(name, value)| name.len() + value.len()).sum();
        let fits = self.env.len() < MAX_ENV && bytes + name.len() + value.len() <= MAX_ENV_BYTES;
        if !fits || !matches!(self.stage, Stage::Asked) {
            return false;
        }
        self.env.push((name, value));
        true
    }

    /// Remembers that it wants to be told of the client's agent. Before the start.
    pub(super) fn take_agent(&mut self) -> bool {
        let in_time = matches!(self.stage, Stage::Asked);
        self.agent |= in_time;
        in_time
    }

    /// What to start, if nothing was started on this channel yet.
    pub(super) fn begin(&mut self, start: Start) -> Option<SessionRequests> {
        if !matches!(self.stage, Stage::Asked) {
            return None;
        }
        self.stage = Stage::Starting;
        let (pty, env, agent) = (self.pty.clone(), std::mem::take(&mut self.env), self.agent);
        Some(SessionRequests { pty, env, agent, start })
    }

    /// Keeps input until something runs that reads it. False when nothing ever will.
    pub(super) fn take_early(&mut self, data: &[u8]) -> bool {
        let waits = matches!(self.stage, Stage::Asked | Stage::Starting);
        if waits {
            self.early.push(data);
        }
        waits
    }

    /// The client sends no more input. OpenSSH's closes a channel whose halves have both ended, so from here on EOF waits for the
    /// exit status however long that takes.
    pub(super) fn take_eof(&mut self) {
        self.input_ended = true;
        self.eof_due = None;
    }

    /// Connects what was started with the channel.
    pub(super) fn run(&mut self, port: &mut Port<'_>, started: StartedSession) {
        let mut pump = Pump::new(self.channel).holding_eof();
        let early = std::mem::take(&mut self.early);
        if let Some(mut channel) = port.connection.channel(self.channel) {
            channel.write(Stream::Main, &started.preamble);
        }
        pump = match started.streams {
            SessionStreams::Terminal { read, write } => {
                self.terminal = write.as_fd().try_clone_to_owned().ok();
                pump.interactive().source(Stream::Main, read).sink_after(Stream::Main, write, early)
            }
            SessionStreams::Pipes { stdin, stdout, stderr } => {
                let pump = pump.source(Stream::Main, stdout).source(Stream::Stderr, stderr);
                pump.sink_after(Stream::Main, stdin, early)
            }
        };
        port.pumps.attach(port.connection, pump);
        if self.input_ended {
            port.pumps.end_inbound(self.channel);
        }
        self.stage = Stage::Running(started.process);
    }

    /// The window changed (RFC 4254 §6.7).
    pub(super) fn resize(&mut self, size: WindowSize) -> bool {
        if let Some(pty) = &mut self.pty {
            pty.size = size;
        }
        if let Stage::Running(process) = &mut self.stage
            && process.resize(size)
        {
            return true;
        }
        let Some(terminal) = &self.terminal else { return self.pty.is_some() };
        pty::set_window_size(terminal, window_size(size)).is_ok()
    }

    /// Passes a signal on (RFC 4254 §6.8).
    pub(super) fn signal(&mut self, name: &str) -> bool {
        match &mut self.stage {
            Stage::Running(process) => process.signal(name).is_ok(),
            _ => false,
        }
    }

    /// Sends a break to the terminal (RFC 4335).
    pub(super) fn send_break(&self) -> bool {
        self.terminal.as_ref().is_some_and(|terminal| pty::send_break(terminal).is_ok())
    }

    /// Tells the client how the process ended, once it has. True when it just did.
    pub(super) fn poll_exit(&mut self, cx: &mut Context<'_>, port: &mut Port<'_>) -> Option<Exit> {
        if self.eof_due.as_mut().is_some_and(|due| due.as_mut().poll(cx).is_ready()) {
            self.say_eof(port);
        }
        let Stage::Running(process) = &mut self.stage else { return None };
        let Poll::Ready(exit) = process.poll_exit(cx) else { return None };
        // What it left behind runs on, as OpenSSH's users expect of `nohup job &`: with a terminal the
        // kernel hangs up, and without one nothing does.
        self.stage = Stage::Ended;
        if let Some(mut channel) = port.connection.channel(self.channel) {
            let request = match exit.clone() {
                Exit::Status(status) => SessionRequest::ExitStatus { status },
                Exit::Signal { name, core_dumped } => {
                    SessionRequest::ExitSignal { name, core_dumped, message: Vec::new() }
                }
            };
            let _ = channel.request(port.now, &request, false);
        }
        self.close_if_done(port);
        Some(exit)
    }

    /// All output of the process was sent.
    pub(super) fn sources_ended(&mut self, port: &mut Port<'_>) {
        self.sources_ended = true;
        self.eof_due = (!self.input_ended).then(|| Box::pin(tokio::time::sleep(EOF_GRACE)));
        self.close_if_done(port);
    }

    fn say_eof(&mut self, port: &mut Port<'_>) {
        self.eof_due = None;
        if let Some(mut channel) = port.connection.channel(self.channel) {
            channel.eof();
        }
    }

    fn close_if_done(&mut self, port: &mut Port<'_>) {
        if !self.sources_ended || !matches!(self.stage, Stage::Ended) {
            return;
        }
        self.say_eof(port);
        port.pumps.detach(self.channel);
        if let Some(mut channel) = port.connection.channel(self.channel) {
            channel.close();
        }
    }

    /// The channel or the connection is gone: so is the session (threat C12).
    pub(super) fn hang_up(&mut self) {
        if let Stage::Running(process) = &mut self.stage {
            process.hang_up();
        }
        self.terminal = None;
    }

    /// Ends what a hang-up did not.
    pub(super) fn kill(&mut self) {
        if let Stage::Running(process) = &mut self.stage {
            process.kill();
        }
    }

    /// True once what ran has ended, for a session whose channel is gone.
    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>) -> bool {
        match &mut self.stage {
            Stage::Running(process) => process.poll_exit(cx).is_ready(),
            _ => true,
        }
    }

    /// True while something runs.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.stage, Stage::Running(_))
    }

    /// True while the authority starts something.
    pub(super) fn is_starting(&self) -> bool {
        matches!(self.stage, Stage::Starting)
    }
}

fn window_size(size: WindowSize) -> pty::WindowSize {
    pty::WindowSize { columns: size.columns, rows: size.rows, width_px: size.width, height_px: size.height }
}

/// A start that waits for the authority.
pub(super) struct Starting {
    pub(super) channel: LocalChannel,
    pub(super) pending: Option<Pending<GrantRequest>>,
    pub(super) result: std::io::Result<StartedSession>,
}

/// Registers a terminal's master twice: once to read, once to write.
///
/// # Errors
/// No descriptor is left.
pub fn terminal_streams(master: OwnedFd) -> std::io::Result<SessionStreams> {
    let write = Descriptor::nonblocking(master.try_clone()?)?;
    Ok(SessionStreams::Terminal { read: Descriptor::nonblocking(master)?, write })
}
