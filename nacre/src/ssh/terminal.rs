//! The person's terminal during a session: raw mode, keys with their escapes, and the window's size.

use super::escape::{Action, Escapes};
use super::information;
use super::log::Log;
use super::obscure::{CHAFF, Clock, Turn};
use super::stage::Stage;
use nacre_net::{Descriptor, Port};
use nacre_proto::{LocalChannel, Stream};
use nacre_sys::terminal::RawMode;
use nacre_wire::session::SessionRequest;
use std::io::{self, Write};
use std::task::{Context, Poll};

/// Bytes of typing read at once.
const READ_SIZE: usize = 16 * 1024;
/// The longest line of `~C`, in bytes.
const MAX_LINE: usize = 1024;
/// How long a break lasts, in milliseconds.
const BREAK: u32 = 1000;

/// Standard input while the session has a terminal.
pub struct Terminal {
    /// `None` once it has ended.
    input: Option<Descriptor>,
    raw: Option<RawMode>,
    escapes: Escapes,
    /// `~C`: what was typed at its command line, which stands.
    line: Option<Vec<u8>>,
    /// What typing is read into.
    chunk: Vec<u8>,
    /// Typed and not taken by the channel yet.
    waiting: Vec<u8>,
    /// Typed behind an escape that is to be done first.
    behind: Vec<u8>,
    /// When typing leaves; `None` as soon as it can.
    clock: Option<Clock>,
    /// Nothing more is typed, and what waits goes first.
    ended: bool,
    log: Log,
}

/// What a turn of the keyboard led to.
pub enum Typed {
    /// Nothing.
    Nothing,
    /// Something was sent.
    Sent,
    /// The person wants this.
    Wants(Action),
    /// The person wants this, at the command line.
    Command(String),
}

/// Shows what is typed at the command line. A terminal that takes nothing has nobody to miss it.
fn show(bytes: &[u8]) {
    let _ = io::stderr().lock().write_all(bytes);
}

impl Terminal {
    /// Takes over standard input, where it is read, and makes the terminal raw if it is one. With `pings` the server answers
    /// what hides when somebody types.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn new(stage: &Stage, escape: Option<u8>, pings: bool) -> io::Result<Self> {
        let input = stage.reads().then(|| stage.input()).transpose()?;
        let raw = stage.enter_raw_mode();
        let log = stage.log().clone();
        let is_raw = raw.is_some() || stage.is_raw();
        log.set_raw(is_raw);
        let (escapes, line) = (Escapes::new(escape), None);
        // Only a person's typing has times worth hiding.
        let clock = stage.pace().filter(|_| pings && is_raw).map(Clock::new);
        let chunk = vec![0; READ_SIZE];
        let (waiting, behind, ended) = (Vec::new(), Vec::new(), false);
        Ok(Self { input, raw, escapes, line, chunk, waiting, behind, clock, ended, log })
    }

    /// Gives the terminal back.
    pub fn leave(&mut self) {
        self.raw = None;
        self.log.set_raw(false);
    }

    /// The server sees nobody at the terminal any more, or wants no more input.
    pub fn stop_input(&mut self) {
        self.input = None;
    }

    /// Passes on what was typed, up to the first escape.
    pub fn poll(&mut self, cx: &mut Context<'_>, port: &mut Port<'_>, channel: LocalChannel) -> Typed {
        let mut sent = false;
        loop {
            let turn = self.turn(cx);
            if turn == Turn::Chaff {
                // An error ends the connection, which keeps it.
                let _ = port.connection.ping(port.now, CHAFF);
                sent = true;
            }
            if turn == Turn::Typed && !self.waiting.is_empty() {
                let Some(mut channel) = port.connection.channel(channel) else { return Typed::Nothing };
                let taken = channel.write(Stream::Main, &self.waiting);
                self.waiting.drain(..taken);
                sent |= taken > 0;
                if !self.waiting.is_empty() {
                    break;
                }
            }
            if self.ended && self.waiting.is_empty() {
                self.ended = false;
                if let Some(mut channel) = port.connection.channel(channel) {
                    channel.eof();
                }
            }
            if self.behind.is_empty() && !self.read(cx) {
                break;
            }
            if self.line.is_some() {
                match self.edit() {
                    Some(command) => return Typed::Command(command),
                    None => continue,
                }
            }
            let (taken, action) = self.escapes.take(&self.behind, &mut self.waiting);
            self.behind.drain(..taken);
            if let Some(action) = action {
                return Typed::Wants(action);
            }
        }
        if sent { Typed::Sent } else { Typed::Nothing }
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Turn {
        match &mut self.clock {
            Some(clock) => clock.poll(cx, self.waiting.len()),
            None => Turn::Typed,
        }
    }

    /// Opens the command line of `~C`.
    pub fn open_command_line(&mut self) {
        self.line = Some(Vec::new());
        show(b"\r\nssh> ");
    }

    /// Takes what was typed at the command line; gives the line once it is whole. Escape and Ctrl-C leave it.
    fn edit(&mut self) -> Option<String> {
        for (place, byte) in self.behind.iter().copied().enumerate() {
            let line = self.line.as_mut()?;
            match byte {
                b'\r' | b'\n' => {
                    self.behind.drain(..=place);
                    show(b"\r\n");
                    return self.line.take().and_then(|line| String::from_utf8(line).ok());
                }
                3 | 27 => {
                    self.line = None;
                    self.behind.drain(..=place);
                    show(b"\r\n");
                    return None;
                }
                8 | 127 if line.pop().is_some() => show(b"\x08 \x08"),
                b' '..=b'~' if line.len() < MAX_LINE => {
                    line.push(byte);
                    show(&[byte]);
                }
                _ => {}
            }
        }
        self.behind.clear();
        None
    }

    /// Reads what was typed; false when there is nothing.
    fn read(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(input) = &self.input else { return false };
        match input.poll_read(cx, &mut self.chunk) {
            Poll::Ready(Ok(n)) if n > 0 => {
                self.behind.extend_from_slice(self.chunk.get(..n).unwrap_or_default());
                true
            }
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => false,
            Poll::Ready(_) => {
                self.input = None;
                self.ended = true;
                true
            }
            Poll::Pending => false,
        }
    }

    /// Does what an escape asks for, except those that are the caller's.
    pub fn act(&mut self, action: Action, port: &mut Port<'_>, channel: LocalChannel) {
        match action {
            Action::Disconnect | Action::List | Action::CommandLine | Action::Suspend => {}
            Action::Help => self.log.tell(&self.escapes.help()),
            Action::Rekey => {
                // An error ends the connection, and is told then.
                let _ = port.connection.rekey(port.now);
            }
            Action::Break => {
                if let Some(mut channel) = port.connection.channel(channel) {
                    let _ = channel.request(port.now, &SessionRequest::Break { length: BREAK }, false);
                }
            }
            Action::More | Action::Less => {
                let level = self.log.change(action == Action::More);
                self.log.tell(&format!("[LogLevel {}]", format!("{level:?}").to_uppercase()));
            }
            Action::Information => self.log.tell(&information::of(port.connection)),
            Action::Unsupported(letter) => self.log.tell(&format!("The escape {letter} is not done here.")),
        }
    }

    /// Stops this process group as the shell would, and goes on when it is brought back.
    pub fn suspend(&mut self) {
        self.step_aside(|_| {
            let _ = rustix::process::kill_current_process_group(rustix::process::Signal::TSTP);
        });
    }

    /// Does something while the terminal is as it was before.
    pub fn step_aside(&mut self, work: impl FnOnce(&Log)) {
        if let Some(raw) = &mut self.raw {
            let _ = raw.restore();
        }
        self.log.set_raw(false);
        work(&self.log);
        if let Some(raw) = &mut self.raw {
            let _ = raw.resume();
        }
        self.log.set_raw(self.raw.is_some());
    }
}
