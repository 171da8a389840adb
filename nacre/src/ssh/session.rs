//! The session channel of a client (RFC 4254 §6): what is asked for, what flows, and how it ends.

use super::escape::Action;
use super::log::Log;
use super::plan::Plan;
use super::stage::Stage;
use super::terminal::{Terminal, Typed};
use nacre_net::{Port, Pump, PumpEvent};
use nacre_proto::{LocalChannel, Stream};
use nacre_wire::names;
use nacre_wire::session::SessionRequest;
use nacre_wire::text::clean_line;
use std::io;
use std::task::Context;

/// The longest text of an exit signal that is shown, in bytes.
const MAX_TEXT: usize = 256;

/// How the remote process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// With this status.
    Status(u32),
    /// By a signal; the text says which.
    Signal(String),
}

/// What the session wants of its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Everything has come and was written: the connection may end.
    Done,
    /// The person wants it to end now.
    Disconnect,
    /// The person wants to know what is open.
    List,
    /// The person wants the command line.
    CommandLine,
    /// The person wants the client suspended.
    Suspend,
    /// The person gave this command.
    Command(String),
    /// The server does not do what was asked for; the text says what.
    Refused(String),
}

/// The session.
pub struct Session {
    /// Its channel; once that is gone, the name of what is left of it.
    channel: LocalChannel,
    number: u32,
    plan: Plan,
    stage: Stage,
    terminal: Option<Terminal>,
    /// The peer understands that its output is not wanted any more (OpenSSH PROTOCOL §2.1).
    knows_eow: bool,
    closed: bool,
    drained: bool,
    exit: Option<Exit>,
}

impl Session {
    /// A session whose channel was asked for.
    pub fn new(channel: LocalChannel, plan: Plan, stage: Stage, knows_eow: bool) -> Self {
        let number = channel.number();
        Self { channel, number, plan, stage, terminal: None, knows_eow, closed: false, drained: false, exit: None }
    }

    /// Whether this is its channel.
    pub fn is(&self, channel: LocalChannel) -> bool {
        self.channel == channel
    }

    /// Its channel; once that is gone, what [`nacre_net::Pumps::set_aside`] has named it.
    pub fn channel(&self) -> LocalChannel {
        self.channel
    }

    /// Whether its channel is gone.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// The number of its channel.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// How the remote process ended, if the server has said.
    pub fn exit(&self) -> Option<&Exit> {
        self.exit.as_ref()
    }

    /// Whether the person has a terminal in it.
    pub fn has_terminal(&self) -> bool {
        self.plan.terminal
    }

    /// The channel stands: asks for everything at once, without waiting for answers, and connects
    /// standard input and output. `escape` is the escape character of a terminal; with `agent` the agent is to be forwarded.
    ///
    /// # Errors
    /// The line to show.
    pub fn start(&mut self, port: &mut Port<'_>, escape: Option<u8>, agent: bool) -> Result<(), String> {
        let mut requests = Vec::new();
        if agent {
            requests.push((SessionRequest::AuthAgentReq, true));
        }
        if self.plan.terminal {
            requests.push((self.stage.terminal_request(), true));
        }
        requests.extend(self.stage.variables().iter().cloned().map(|variable| (variable, false)));
        requests.extend(self.plan.start.clone().map(|start| (start, true)));
        for (request, want_reply) in requests {
            let channel = port.connection.channel(self.channel);
            let sent = channel.map(|mut channel| channel.request(port.now, &request, want_reply));
            if let Some(Err(error)) = sent {
                return Err(error.to_string());
            }
        }
        self.connect(port, escape).map_err(|error| format!("standard input and output: {error}"))
    }

    fn connect(&mut self, port: &mut Port<'_>, escape: Option<u8>) -> io::Result<()> {
        let mut pump =
            Pump::new(self.channel).sink(Stream::Main, self.stage.output()?).sink(Stream::Stderr, self.stage.errors()?);
        if self.plan.terminal {
            self.terminal = Some(Terminal::new(&self.stage, escape, port.connection.answers_pings())?);
            pump = pump.interactive();
        } else {
            pump = pump.source(Stream::Main, self.stage.input()?);
        }
        port.pumps.attach(port.connection, pump);
        Ok(())
    }

    /// The server answered a request.
    pub fn on_reply(&mut self, kind: &[u8], success: bool) -> Option<Outcome> {
        if success {
            return None;
        }
        if kind == b"pty-req" {
            self.stage.log().info(&format!("PTY allocation request failed on channel {}", self.number));
            self.leave_terminal();
            self.plan.terminal = false;
            return None;
        }
        if kind == names::AUTH_AGENT_REQ.as_bytes() {
            self.stage.log().verbose("The server does not forward the agent.");
            return None;
        }
        let kind = clean_line(kind, MAX_TEXT);
        Some(Outcome::Refused(format!("{kind} request failed on channel {}", self.number)))
    }

    /// The server tells something about the session.
    pub fn on_request(&mut self, port: &mut Port<'_>, request: SessionRequest) {
        match request {
            SessionRequest::ExitStatus { status } => self.exit = Some(Exit::Status(status)),
            SessionRequest::ExitSignal { name, core_dumped, message } => {
                self.exit = Some(Exit::Signal(exit_signal(&name, core_dumped, &message)));
            }
            SessionRequest::Eow => {
                port.pumps.close_sources(self.channel);
                if let Some(terminal) = &mut self.terminal {
                    terminal.stop_input();
                }
            }
            _ => {}
        }
    }

    /// The channel is gone.
    pub fn on_closed(&mut self, port: &mut Port<'_>) -> Option<Outcome> {
        self.closed = true;
        if let Some(name) = port.pumps.set_aside(self.channel) {
            self.channel = name;
        }
        if let Some(terminal) = &mut self.terminal {
            terminal.stop_input();
        }
        self.done()
    }

    /// A pump has something to tell.
    pub fn on_pump(&mut self, port: &mut Port<'_>, event: &PumpEvent) -> Option<Outcome> {
        match event {
            PumpEvent::SinksDrained { .. } => self.drained = true,
            PumpEvent::SinkBroken { stream: Stream::Main, error, .. } => {
                self.stage.log().debug(|| format!("standard output takes no more: {error}"));
                self.refuse_output(port);
            }
            PumpEvent::SinkBroken { .. } | PumpEvent::SourcesEnded { .. } => {}
        }
        self.done()
    }

    /// Nobody reads standard output any more: the remote process should learn of it. A server that has
    /// no ear for that goes on, as with ssh: what it sends is thrown away, and the command ends by
    /// itself, with its own exit status.
    fn refuse_output(&self, port: &mut Port<'_>) {
        if self.knows_eow
            && let Some(mut channel) = port.connection.channel(self.channel)
        {
            let _ = channel.request(port.now, &SessionRequest::Eow, false);
        }
    }

    fn done(&self) -> Option<Outcome> {
        (self.closed && self.drained).then_some(Outcome::Done)
    }

    /// Looks after the terminal. True when something was done.
    pub fn poll(&mut self, cx: &mut Context<'_>, port: &mut Port<'_>) -> (bool, Option<Outcome>) {
        let Some(terminal) = &mut self.terminal else { return (false, None) };
        match terminal.poll(cx, port, self.channel) {
            Typed::Nothing => (false, None),
            Typed::Sent => (true, None),
            Typed::Wants(Action::Disconnect) => (true, Some(Outcome::Disconnect)),
            Typed::Wants(Action::List) => (true, Some(Outcome::List)),
            Typed::Wants(Action::CommandLine) => (true, Some(Outcome::CommandLine)),
            Typed::Command(line) => (true, Some(Outcome::Command(line))),
            Typed::Wants(Action::Suspend) => (true, Some(Outcome::Suspend)),
            Typed::Wants(action) => {
                terminal.act(action, port, self.channel);
                (true, None)
            }
        }
    }

    /// `~C`.
    pub fn open_command_line(&mut self) {
        if let Some(terminal) = &mut self.terminal {
            terminal.open_command_line();
        }
    }

    /// Does something while the terminal is as it was before the session.
    pub fn step_aside(&mut self, work: impl FnOnce(&Log)) {
        match &mut self.terminal {
            Some(terminal) => terminal.step_aside(work),
            None => work(self.stage.log()),
        }
    }

    /// What tells the person in front of it.
    pub fn log(&self) -> &Log {
        self.stage.log()
    }

    /// Suspends this process, until somebody brings it back.
    pub fn suspend(&mut self, port: &mut Port<'_>) {
        if let Some(terminal) = &mut self.terminal {
            terminal.suspend();
        }
        self.resize(port);
    }

    /// The window has another size.
    pub fn resize(&self, port: &mut Port<'_>) {
        if self.terminal.is_some()
            && let Some(mut channel) = port.connection.channel(self.channel)
        {
            let _ = channel.request(port.now, &SessionRequest::WindowChange { size: self.stage.size() }, false);
        }
    }

    /// Gives the terminal back to the person.
    pub fn leave_terminal(&mut self) {
        if let Some(terminal) = &mut self.terminal {
            terminal.leave();
        }
    }
}

fn exit_signal(name: &str, core_dumped: bool, message: &[u8]) -> String {
    let core = if core_dumped { " (core dumped)" } else { "" };
    let name = clean_line(name.as_bytes(), MAX_TEXT);
    match clean_line(message, MAX_TEXT).as_str() {
        "" => format!("The remote command was ended by signal {name}{core}."),
        text => format!("The remote command was ended by signal {name}{core}: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u01_the_text_of_a_signal_is_cleaned() {
        assert_eq!(exit_signal("KILL", false, b""), "The remote command was ended by signal KILL.");
        let text = exit_signal("X\x1b[2J", true, b"a\x1b]0;b\x07\nc");
        assert!(!text.contains(|c: char| c.is_control()), "{text:?}");
        assert!(text.contains("(core dumped): a"), "{text:?}");
    }
}
