//! A whole program of the laboratory as a value: what happened goes in, what is to be done comes out.

use crate::{Moment, Step};
use std::collections::VecDeque;
use std::fmt;

/// A connection of a server; a client's only one is [`SERVER`].
pub type ConnectionId = u32;

/// The connection of a client.
pub const SERVER: ConnectionId = 0;

/// Where a peer is, shown as the descriptions show it: `('127.0.0.1', 54321)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The host's address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "('{}', {})", self.host, self.port)
    }
}

/// What happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// The program starts; a server listens already.
    Start,
    /// A connection stands.
    Connected {
        /// Which.
        id: ConnectionId,
        /// Where the peer is.
        peer: Address,
    },
    /// Bytes came.
    Received {
        /// On which connection.
        id: ConnectionId,
        /// What came.
        bytes: &'a [u8],
    },
    /// The peer ended the connection, or it broke.
    Closed {
        /// Which.
        id: ConnectionId,
    },
    /// A line was typed; nothing at the end of the input.
    Line(Option<&'a str>),
    /// A command that was to be run has ended.
    Ran {
        /// On which connection.
        id: ConnectionId,
        /// Its output.
        output: &'a [u8],
    },
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Connect to the server.
    Connect,
    /// Send bytes.
    Send {
        /// On which connection.
        to: ConnectionId,
        /// These.
        bytes: Vec<u8>,
    },
    /// Close a connection once everything is sent. Nothing more comes from it.
    Close {
        /// Which.
        id: ConnectionId,
    },
    /// Print lines, without the last line's end.
    Print(String),
    /// Print a prompt and stay behind it.
    Prompt(String),
    /// Print a prompt whose answer nobody is to see.
    PromptHidden(String),
    /// Run a command; its output comes back.
    Run {
        /// For which connection.
        id: ConnectionId,
        /// The command line, for a shell.
        command: String,
    },
    /// Somebody who watches may want to know.
    Step {
        /// On which connection.
        id: ConnectionId,
        /// What.
        step: Box<Step>,
    },
    /// Goodbye was said: the program ends when the peer closes, or a little later.
    Leave,
    /// The program ends, once everything is sent.
    Stop {
        /// Whether all went as it should.
        good: bool,
    },
}

/// A server with all its connections, or a client.
pub trait Console: Send {
    /// Takes in what happened.
    fn handle(&mut self, now: Moment, input: Input<'_>);

    /// Whether a typed line is of use now. Until it is, lines wait where they are.
    fn wants_line(&self) -> bool;

    /// The next thing to do.
    fn poll(&mut self) -> Option<Effect>;
}

/// What is to be done, in order.
#[derive(Debug, Default)]
pub(crate) struct Effects(VecDeque<Effect>);

impl Effects {
    pub(crate) fn push(&mut self, effect: Effect) {
        self.0.push_back(effect);
    }

    pub(crate) fn print(&mut self, lines: impl Into<String>) {
        self.push(Effect::Print(lines.into()));
    }

    /// Bytes for a connection, if there are any.
    pub(crate) fn send(&mut self, to: ConnectionId, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.push(Effect::Send { to, bytes });
        }
    }

    /// A client's program ends with a last line.
    pub(crate) fn end(&mut self, line: impl Into<String>, good: bool) {
        self.print(line);
        self.push(Effect::Close { id: SERVER });
        self.push(Effect::Stop { good });
    }

    pub(crate) fn step(&mut self, id: ConnectionId, step: Step) {
        self.push(Effect::Step { id, step: Box::new(step) });
    }

    pub(crate) fn next(&mut self) -> Option<Effect> {
        self.0.pop_front()
    }
}
