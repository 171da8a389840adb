//! Where a session plays: the descriptors, terminal type and variables of this process, or of another one whose session
//! is carried over our connection.

use super::log::Log;
use super::plan;
use nacre_config::client::ClientOptions;
use nacre_net::Descriptor;
use nacre_sys::pty;
use nacre_sys::stdio;
use nacre_sys::terminal::{self, RawMode};
use nacre_wire::session::{SessionRequest, WindowSize};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// The place of one session.
#[derive(Debug)]
pub struct Stage {
    input: OwnedFd,
    /// Standard input is read.
    reads: bool,
    output: OwnedFd,
    errors: OwnedFd,
    term: String,
    /// The modes of the terminal, before anybody made it raw.
    modes: Vec<(u8, u32)>,
    variables: Vec<SessionRequest>,
    /// The terminal is made raw here, and not by another process.
    own: bool,
    /// How far apart the ticks are at which typing leaves.
    pace: Option<Duration>,
    log: Log,
}

impl Stage {
    /// This process's. With `stdin_null` nothing is read; a terminal's size is still looked at.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn own(options: &ClientOptions, stdin_null: bool, log: Log) -> io::Result<Self> {
        let stdin = io::stdin();
        // Whoever writes to it is to learn that nobody reads.
        let input = match stdin_null && !terminal::is_tty(&stdin) {
            true => File::open("/dev/null")?.into(),
            false => stdin.as_fd().try_clone_to_owned()?,
        };
        Ok(Self {
            modes: terminal::encoded_modes(&stdin).unwrap_or_default(),
            input,
            reads: !stdin_null,
            output: io::stdout().as_fd().try_clone_to_owned()?,
            errors: io::stderr().as_fd().try_clone_to_owned()?,
            term: std::env::var("TERM").unwrap_or_default(),
            variables: plan::environment(options, std::env::vars_os()),
            own: true,
            pace: options.obscure_keystroke_timing,
            log,
        })
    }

    /// Another process's, which has handed its standard input, output and error over. `log` goes to its person.
    pub fn handed_over(fds: [OwnedFd; 3], term: String, variables: Vec<SessionRequest>, log: Log) -> Self {
        let [input, output, errors] = fds;
        let modes = terminal::encoded_modes(&input).unwrap_or_default();
        Self { input, reads: true, output, errors, term, modes, variables, own: false, pace: None, log }
    }

    /// What tells the person in front of it.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The variables to send.
    pub fn variables(&self) -> &[SessionRequest] {
        &self.variables
    }

    /// What `pty-req` tells of the terminal (RFC 4254 §6.2).
    pub fn terminal_request(&self) -> SessionRequest {
        SessionRequest::PtyReq { term: self.term.clone(), size: self.size(), modes: self.modes.clone() }
    }

    /// The size of the window; zeros without a terminal.
    pub fn size(&self) -> WindowSize {
        let size = pty::window_size(&self.input).unwrap_or_default();
        WindowSize { columns: size.columns, rows: size.rows, width: size.width_px, height: size.height_px }
    }

    /// Whether standard input is read.
    pub fn reads(&self) -> bool {
        self.reads
    }

    /// Makes the terminal raw, if it is one and ours to change.
    pub fn enter_raw_mode(&self) -> Option<RawMode> {
        (self.own && self.reads).then(|| RawMode::enter(&self.input).ok()).flatten()
    }

    /// With ticks so far apart at which typing leaves.
    #[must_use]
    pub fn paced(self, pace: Option<Duration>) -> Self {
        Self { pace, ..self }
    }

    /// How far apart the ticks are at which typing leaves; `None` as it comes.
    pub fn pace(&self) -> Option<Duration> {
        self.pace
    }

    /// Whether another process has made the terminal raw.
    pub fn is_raw(&self) -> bool {
        !self.own && terminal::is_tty(&self.input)
    }

    /// Standard input; one that is not read has ended.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn input(&self) -> io::Result<Descriptor> {
        if !self.reads {
            return Descriptor::new(stdio::reopen(File::open("/dev/null")?)?);
        }
        stdio::widen_pipe(&self.input);
        opened(&self.input)
    }

    /// Standard output.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn output(&self) -> io::Result<Descriptor> {
        stdio::widen_pipe(&self.output);
        opened(&self.output)
    }

    /// Standard error.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn errors(&self) -> io::Result<Descriptor> {
        opened(&self.errors)
    }
}

fn opened(fd: &OwnedFd) -> io::Result<Descriptor> {
    Descriptor::new(stdio::reopen(fd)?)
}
