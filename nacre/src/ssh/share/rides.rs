//! The sessions that a master carries for its guests.

use super::super::forward::Tunnels;
use super::super::log::Log;
use super::super::plan::Plan;
use super::super::session::{Exit, Outcome, Session};
use super::super::stage::Stage;
use super::master::GuestId;
use nacre_config::client::ClientOptions;
use nacre_config::pattern;
use nacre_net::forward::{kind_of, limit_idling};
use nacre_net::{Descriptor, Forwards, Port, Pump, PumpEvent};
use nacre_proto::{Event, LocalChannel, Stream};
use nacre_sys::stdio;
use nacre_wire::forward::{ForwardOpen, Originator};
use nacre_wire::names;
use nacre_wire::session::SessionRequest;
use nacre_wire::share::{NewSession, Reply};
use nacre_wire::text::clean_line;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::task::Context;

/// The longest text of the server that is passed on, in bytes.
const MAX_TEXT: usize = 256;

/// What a ride is.
enum Kind {
    Session {
        session: Box<Session>,
        escape: Option<u8>,
        /// The agent is to be forwarded.
        agent: bool,
    },
    /// `-W`: the descriptors until the channel stands, then what of it has ended.
    Stdio { fds: Option<[OwnedFd; 2]>, closed: bool, drained: bool },
}

/// One session of a guest.
struct Ride {
    guest: GuestId,
    /// The request that it began with, while it has no answer.
    request: u32,
    /// The channel stands.
    stands: bool,
    kind: Kind,
}

/// News for a guest.
pub struct Arrived {
    /// Which.
    pub guest: GuestId,
    /// What to tell it.
    pub replies: Vec<Reply>,
    /// Nothing more will come for it.
    pub leaves: bool,
}

impl Arrived {
    fn nothing(guest: GuestId) -> Self {
        Self { guest, replies: Vec::new(), leaves: false }
    }
}

/// All of them.
pub struct Rides {
    options: Arc<ClientOptions>,
    log: Log,
    rides: BTreeMap<LocalChannel, Ride>,
    joined: Forwards,
    knows_extensions: bool,
}

/// Who connects when it is standard input.
pub fn nobody() -> Originator {
    Originator { address: "127.0.0.1".to_owned(), port: 65535 }
}

impl Rides {
    /// None yet.
    pub fn new(options: Arc<ClientOptions>, log: Log) -> Self {
        Self { options, log, rides: BTreeMap::new(), joined: Forwards::default(), knows_extensions: false }
    }

    /// Whether the server knows what OpenSSH has added.
    pub fn knows_extensions(&mut self, knows: bool) {
        self.knows_extensions = knows;
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.rides.is_empty()
    }

    /// What `~#` shows, a line each.
    pub fn list(&self) -> String {
        let name = |ride: &Ride| match ride.kind {
            Kind::Session { .. } => "shared session",
            Kind::Stdio { .. } => "shared standard input and output",
        };
        self.rides.iter().map(|(channel, ride)| format!("\n  #{} {}", channel.number(), name(ride))).collect()
    }

    /// Asks for a session.
    ///
    /// # Errors
    /// Why there is none.
    pub fn board(
        &mut self,
        port: &mut Port<'_>,
        guest: GuestId,
        request: u32,
        wanted: NewSession,
        fds: Vec<OwnedFd>,
    ) -> Result<(), String> {
        self.may_board(guest)?;
        let fds: [OwnedFd; 3] = fds.try_into().map_err(|_| "did not receive file descriptors".to_owned())?;
        let start = match (wanted.subsystem, wanted.command) {
            (true, name) => SessionRequest::Subsystem {
                name: String::from_utf8(name).map_err(|_| "the subsystem's name is not UTF-8".to_owned())?,
            },
            (false, command) if command.is_empty() => SessionRequest::Shell,
            (false, command) => SessionRequest::Exec { command },
        };
        let [_, _, errors] = &fds;
        let log = match stdio::reopen(errors) {
            Ok(errors) => self.log.for_another(errors),
            Err(error) => return Err(error.to_string()),
        };
        let plan = Plan {
            start: Some(start),
            terminal: wanted.tty,
            stdin_null: false,
            background: false,
            stdio_forward: None,
            notice: None,
        };
        let stage = Stage::handed_over(fds, wanted.term, self.variables(wanted.variables), log);
        let stage = stage.paced(self.options.obscure_keystroke_timing);
        let channel = port.connection.open_channel(port.now, names::CHANNEL_SESSION, b"");
        let channel = channel.map_err(|error| error.to_string())?;
        limit_idling(port, channel, self.options.channel_timeouts.of(names::CHANNEL_SESSION));
        let session = Box::new(Session::new(channel, plan, stage, self.knows_extensions));
        let kind = Kind::Session { session, escape: wanted.escape, agent: wanted.agent };
        self.rides.insert(channel, Ride { guest, request, stands: false, kind });
        Ok(())
    }

    /// Asks for a connection to a guest's standard input and output.
    ///
    /// # Errors
    /// Why there is none.
    pub fn board_stdio(
        &mut self,
        port: &mut Port<'_>,
        guest: GuestId,
        request: u32,
        open: &ForwardOpen,
        fds: Vec<OwnedFd>,
    ) -> Result<(), String> {
        self.may_board(guest)?;
        let fds: [OwnedFd; 2] = fds.try_into().map_err(|_| "did not receive file descriptors".to_owned())?;
        let channel = port.connection.open_forward(port.now, open).map_err(|error| error.to_string())?;
        limit_idling(port, channel, self.options.channel_timeouts.of(kind_of(open)));
        let kind = Kind::Stdio { fds: Some(fds), closed: false, drained: false };
        self.rides.insert(channel, Ride { guest, request, stands: false, kind });
        Ok(())
    }

    fn may_board(&self, guest: GuestId) -> Result<(), String> {
        match self.rides.values().any(|ride| ride.guest == guest) {
            true => Err("Multiple sessions not supported".to_owned()),
            false => Ok(()),
        }
    }

    /// A guest's variables that our own SendEnv allows, and those of our SetEnv.
    fn variables(&self, theirs: Vec<Vec<u8>>) -> Vec<SessionRequest> {
        let allowed = |name: &[u8]| {
            let name = std::str::from_utf8(name);
            name.is_ok_and(|name| self.options.send_env.iter().any(|wish| pattern::matches(name, wish)))
        };
        let theirs = theirs.into_iter().filter_map(|variable| {
            let place = variable.iter().position(|byte| *byte == b'=')?;
            let (name, value) = (variable.get(..place)?, variable.get(place + 1..)?);
            allowed(name).then(|| SessionRequest::Env { name: name.to_vec(), value: value.to_vec() })
        });
        let own = self.options.set_env.iter().map(|(name, value)| SessionRequest::Env {
            name: name.clone().into_bytes(),
            value: value.clone().into_bytes(),
        });
        theirs.chain(own).collect()
    }

    /// A guest is gone: what was for it is closed.
    pub fn leave(&mut self, port: &mut Port<'_>, guest: GuestId) {
        let channels: Vec<LocalChannel> =
            self.rides.iter().filter(|(_, ride)| ride.guest == guest).map(|(channel, _)| *channel).collect();
        for channel in channels {
            // One that does not stand yet is closed when it does.
            let Some(ride) = self.rides.get_mut(&channel) else { continue };
            ride.guest = GuestId::MAX;
            if ride.stands {
                self.on_outcome(port, channel, GuestId::MAX, Some(Outcome::Disconnect));
            }
        }
    }

    /// The windows may have other sizes.
    pub fn resize(&self, port: &mut Port<'_>) {
        for ride in self.rides.values() {
            if let Kind::Session { session, .. } = &ride.kind {
                session.resize(port);
            }
        }
    }

    /// The server opened a channel; `agent`: there is one to forward. `None` when it is not one of these.
    pub fn on_opened(&mut self, port: &mut Port<'_>, channel: LocalChannel, agent: bool) -> Option<Arrived> {
        let ride = self.rides.get_mut(&channel)?;
        let (guest, id) = (ride.guest, ride.request);
        if guest == GuestId::MAX {
            self.rides.remove(&channel);
            close(port, channel);
            return Some(Arrived::nothing(guest));
        }
        ride.stands = true;
        let begun = match &mut ride.kind {
            Kind::Session { session, escape, agent: wants } => session.start(port, *escape, agent && *wants),
            Kind::Stdio { fds, .. } => match fds.take().map(|fds| pump(channel, fds)) {
                Some(Ok(pump)) => {
                    self.joined.join_pump(port, channel, pump);
                    Ok(())
                }
                Some(Err(error)) => Err(error.to_string()),
                None => Ok(()),
            },
        };
        let reply = match begun {
            Ok(()) => Reply::SessionOpened { id, session: channel.number() },
            Err(reason) => {
                self.rides.remove(&channel);
                close(port, channel);
                Reply::Failure { id, reason: reason.into_bytes() }
            }
        };
        Some(Arrived { guest, replies: vec![reply], leaves: false })
    }

    /// The server refused a channel. `None` when it is not one of these.
    pub fn on_open_failed(&mut self, channel: LocalChannel, description: &str) -> Option<Arrived> {
        let ride = self.rides.remove(&channel)?;
        let mut reason = "Session open refused by peer".to_owned();
        match clean_line(description.as_bytes(), MAX_TEXT) {
            text if text.is_empty() => {}
            text => reason.push_str(&format!(": {text}")),
        }
        let reply = Reply::Failure { id: ride.request, reason: reason.into_bytes() };
        Some(Arrived { guest: ride.guest, replies: vec![reply], leaves: false })
    }

    /// Something happened on a channel. `None` when it is not one of these.
    pub fn on_event(&mut self, port: &mut Port<'_>, event: &Event) -> Option<Arrived> {
        let channel = match event {
            Event::RequestReply { channel, .. } | Event::Request { channel, .. } | Event::Closed { channel } => {
                *channel
            }
            _ => return None,
        };
        let ride = self.rides.get_mut(&channel)?;
        let (guest, mut name) = (ride.guest, channel);
        let outcome = match (&mut ride.kind, event) {
            (Kind::Session { session, .. }, Event::RequestReply { kind, success, .. }) => {
                let outcome = session.on_reply(kind, *success);
                if kind == b"pty-req" && !success {
                    let replies = vec![Reply::TtyAllocFail { session: channel.number() }];
                    return Some(Arrived { guest, replies, leaves: false });
                }
                outcome
            }
            (Kind::Session { session, .. }, Event::Request { request, .. }) => {
                session.on_request(port, request.clone());
                None
            }
            (Kind::Session { session, .. }, Event::Closed { .. }) => {
                let outcome = session.on_closed(port);
                name = session.channel();
                outcome
            }
            (Kind::Stdio { closed, drained, .. }, Event::Closed { .. }) => {
                self.joined.on_closed(channel);
                *closed = true;
                name = port.pumps.set_aside(channel).unwrap_or(channel);
                drained.then_some(Outcome::Done)
            }
            _ => None,
        };
        // What is left of a channel has another name than the channel had.
        if name != channel
            && let Some(ride) = self.rides.remove(&channel)
        {
            self.rides.insert(name, ride);
        }
        Some(self.on_outcome(port, name, guest, outcome))
    }

    /// A pump has something to tell. `None` when it is not about one of these.
    pub fn on_pump(&mut self, port: &mut Port<'_>, event: &PumpEvent) -> Option<Arrived> {
        let channel = match event {
            PumpEvent::SourcesEnded { channel }
            | PumpEvent::SinkBroken { channel, .. }
            | PumpEvent::SinksDrained { channel } => *channel,
        };
        let ride = self.rides.get_mut(&channel)?;
        let guest = ride.guest;
        let outcome = match &mut ride.kind {
            Kind::Session { session, .. } => session.on_pump(port, event),
            Kind::Stdio { closed, drained, .. } => {
                self.joined.on_pump(port, event);
                *drained |= !matches!(event, PumpEvent::SourcesEnded { .. });
                (*closed && *drained).then_some(Outcome::Done)
            }
        };
        Some(self.on_outcome(port, channel, guest, outcome))
    }

    /// Looks after the terminals; gives what is to be told.
    pub fn poll(&mut self, cx: &mut Context<'_>, port: &mut Port<'_>, tunnels: &Tunnels) -> Vec<Arrived> {
        let mut wants = Vec::new();
        for (channel, ride) in &mut self.rides {
            if let Kind::Session { session, .. } = &mut ride.kind {
                let (did, outcome) = session.poll(cx, port);
                if did {
                    wants.push((*channel, ride.guest, outcome));
                }
            }
        }
        let mut arrived = Vec::new();
        for (channel, guest, outcome) in wants {
            if outcome == Some(Outcome::List) {
                let text = format!("The following connections are open:{}{}", self.list(), tunnels.list());
                self.say(channel, &text);
            }
            arrived.push(self.on_outcome(port, channel, guest, outcome));
        }
        arrived
    }

    fn say(&self, channel: LocalChannel, text: &str) {
        if let Some(Ride { kind: Kind::Session { session, .. }, .. }) = self.rides.get(&channel) {
            session.log().tell(text);
        }
    }

    fn on_outcome(
        &mut self,
        port: &mut Port<'_>,
        channel: LocalChannel,
        guest: GuestId,
        outcome: Option<Outcome>,
    ) -> Arrived {
        let over = match outcome {
            None | Some(Outcome::List | Outcome::Command(_)) => false,
            Some(Outcome::CommandLine) => {
                self.say(channel, "The command line is the master's.");
                false
            }
            Some(Outcome::Suspend) => {
                self.say(channel, "A session of a shared connection cannot be suspended.");
                false
            }
            Some(Outcome::Refused(text)) => {
                self.say(channel, &text);
                true
            }
            Some(Outcome::Done | Outcome::Disconnect) => true,
        };
        if !over {
            return Arrived::nothing(guest);
        }
        let Some(ride) = self.rides.remove(&channel) else { return Arrived::nothing(guest) };
        let closed = match &ride.kind {
            Kind::Session { session, .. } => session.is_closed(),
            Kind::Stdio { closed, .. } => *closed,
        };
        // The number of a closed one may be another's.
        if !closed {
            close(port, channel);
        }
        Arrived { guest, replies: last_words(&ride.kind), leaves: true }
    }
}

/// How the remote process ended, for the guest.
fn last_words(kind: &Kind) -> Vec<Reply> {
    let Kind::Session { session, .. } = kind else { return Vec::new() };
    match session.exit() {
        Some(Exit::Status(status)) => vec![Reply::ExitMessage { session: session.number(), status: *status }],
        Some(Exit::Signal(text)) => {
            session.log().info(text);
            Vec::new()
        }
        None => Vec::new(),
    }
}

/// Ends what is left of a channel.
fn close(port: &mut Port<'_>, channel: LocalChannel) {
    port.pumps.detach(channel);
    if let Some(mut channel) = port.connection.channel(channel) {
        channel.close();
    }
}

fn pump(channel: LocalChannel, [input, output]: [OwnedFd; 2]) -> io::Result<Pump> {
    stdio::widen_pipe(&input);
    stdio::widen_pipe(&output);
    Ok(Pump::new(channel)
        .source(Stream::Main, Descriptor::new(stdio::reopen(&input)?)?)
        .sink(Stream::Main, Descriptor::new(stdio::reopen(&output)?)?))
}
