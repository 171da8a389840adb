//! One session channel of a server, RFC 4254 §6: what was asked for, what runs, and how it ends.

use super::authority::{Exit, Process, PtyRequest, SessionRequests, SessionStreams, Start, StartedSession};
use crate::descriptor::Descriptor;
use crate::driver::Port;
use crate::pump::Pump;
use nacre_proto::{GrantRequest, LocalChannel, Pending, Stream};
use nacre_sys::pty;
use nacre_wire::session::{SessionRequest, WindowSize};
use std::os::fd::{AsFd, OwnedFd};
use std::task::{Context, Poll};

/// The most variables a session may set (threat C9).
const MAX_ENV: usize = 128;

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
    stage: Stage,
    /// For the size of the terminal.
    terminal: Option<OwnedFd>,
    sources_ended: bool,
    /// What it runs, for the log.
    pub(super) what: String,
}

impl Session {
    pub(super) fn new(channel: LocalChannel) -> Self {
        Self {
            channel,
            pty: None,
            env: Vec::new(),
            stage: Stage::Asked,
            terminal: None,
            sources_ended: false,
            what: String::new(),
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
        if self.env.len() >= MAX_ENV || !matches!(self.stage, Stage::Asked) {
            return false;
        }
        self.env.push((name, value));
        true
    }

    /// What to start, if nothing was started on this channel yet.
    pub(super) fn begin(&mut self, start: Start) -> Option<SessionRequests> {
        if !matches!(self.stage, Stage::Asked) {
            return None;
        }
        self.stage = Stage::Starting;
        Some(SessionRequests { pty: self.pty.clone(), env: std::mem::take(&mut self.env), start })
    }

    /// Connects what was started with the channel.
    pub(super) fn run(&mut self, port: &mut Port<'_>, started: StartedSession) {
        let mut pump = Pump::new(self.channel);
        if let Some(mut channel) = port.connection.channel(self.channel) {
            channel.write(Stream::Main, &started.preamble);
        }
        pump = match started.streams {
            SessionStreams::Terminal { read, write } => {
                self.terminal = write.as_fd().try_clone_to_owned().ok();
                pump.interactive().source(Stream::Main, read).sink(Stream::Main, write)
            }
            SessionStreams::Pipes { stdin, stdout, stderr } => {
                pump.source(Stream::Main, stdout).source(Stream::Stderr, stderr).sink(Stream::Main, stdin)
            }
        };
        port.pumps.attach(port.connection, pump);
        self.stage = Stage::Running(started.process);
    }

    /// The window changed (RFC 4254 §6.7).
    pub(super) fn resize(&mut self, size: WindowSize) -> bool {
        if let Some(pty) = &mut self.pty {
            pty.size = size;
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
        let Stage::Running(process) = &mut self.stage else { return None };
        let Poll::Ready(exit) = process.poll_exit(cx) else { return None };
        // What the process left behind in its group goes with it, as with a terminal that hangs up.
        process.hang_up();
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
        self.close_if_done(port);
    }

    fn close_if_done(&mut self, port: &mut Port<'_>) {
        if !self.sources_ended || !matches!(self.stage, Stage::Ended) {
            return;
        }
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

    /// True while something runs.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.stage, Stage::Running(_) | Stage::Starting)
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
