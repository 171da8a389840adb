//! A program of the laboratory on the machine: sockets, lines and time go into its console, and what the console
//! wants is done.

use super::clock::Clock;
use super::command;
use super::failed;
use super::lines::Lines;
use super::link::{self, Link};
use super::screen::Screen;
use super::trace::TraceFile;
use crate::cli::lab::PartArgs;
use crate::explain::{record, tell_step};
use crate::failure::Failure;
use crate::output;
use crate::ssh::ask::{self, Answer, Echo, Interrupted};
use nacre_lab::Step;
use nacre_lab::console::{Address, ConnectionId, Console, Effect, Input, SERVER};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Connections that are served at once.
const MAX_LINKS: usize = 1000;
/// How long what the server still says is waited for after goodbye.
const LEAVE: Duration = Duration::from_secs(2);
/// How long connections wait when none can be accepted.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a server may take until there is something to type, in seconds.
const GREETING: u64 = 30;
/// What a seed makes of a first client's port.
pub const FIRST_PORT: u16 = 54321;

/// What happened outside.
pub enum Happening {
    /// Bytes came.
    Received(ConnectionId, Vec<u8>),
    /// The peer is gone.
    Closed(ConnectionId),
    /// A command has ended, with this output.
    Ran(ConnectionId, Vec<u8>),
}

/// Where connections come from or go to.
pub enum Side {
    /// They come in.
    Serve(TcpListener),
    /// One goes out, to one of these.
    Join(Vec<SocketAddr>),
}

/// A question that stands on the terminal.
type Question = JoinHandle<Result<Answer, Interrupted>>;

/// A running program.
pub struct Program {
    console: Box<dyn Console>,
    side: Side,
    clock: Clock,
    screen: Screen,
    lines: Lines,
    /// A question whose answer is not shown.
    hidden: Option<Question>,
    links: BTreeMap<ConnectionId, Link>,
    commands: BTreeMap<ConnectionId, JoinHandle<()>>,
    next: ConnectionId,
    happenings: mpsc::Sender<Happening>,
    seeded: bool,
    start: Instant,
    colour: bool,
    steps: bool,
    secrets: bool,
    trace: Option<TraceFile>,
    /// The end of the input was read.
    input_over: bool,
    /// When a server that has not come to talk is given up.
    greeting: Option<Instant>,
    leave: Option<Instant>,
    ended: Option<bool>,
}

impl Program {
    /// Runs `console` to its end.
    ///
    /// # Errors
    /// Standard output is closed, or there is no server.
    pub async fn run(console: Box<dyn Console>, side: Side, part: &PartArgs) -> Result<ExitCode, Failure> {
        let (happenings, mut happened) = mpsc::channel(64);
        let mut program = Self {
            console,
            side,
            clock: Clock::new(part.seed),
            screen: Screen::new(),
            lines: Lines::new(),
            hidden: None,
            links: BTreeMap::new(),
            commands: BTreeMap::new(),
            next: SERVER + 1,
            happenings,
            seeded: part.seed.is_some(),
            start: Instant::now(),
            colour: output::in_colour(&std::io::stderr()),
            steps: part.steps,
            secrets: part.show_secrets,
            trace: part.trace.as_deref().map(|path| TraceFile::new(path, part.show_secrets)).transpose()?,
            input_over: false,
            greeting: None,
            leave: None,
            ended: None,
        };
        let played = program.play(&mut happened).await;
        program.give_up().await;
        played?;
        let good = program.ended == Some(true);
        link::close(std::mem::take(&mut program.links).into_values()).await;
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// From the start to the end.
    async fn play(&mut self, happened: &mut mpsc::Receiver<Happening>) -> Result<(), Failure> {
        self.handle(Input::Start).await?;
        while self.ended.is_none() {
            self.turn(happened).await?;
        }
        Ok(())
    }

    /// Ends a question that still stands: the terminal is as it was before.
    async fn give_up(&mut self) {
        let Some(mut question) = self.hidden.take() else { return };
        // It may not have begun yet.
        while timeout(PAUSE, &mut question).await.is_err() {
            ask::give_up();
        }
    }

    /// Waits for one thing and deals with it.
    async fn turn(&mut self, happened: &mut mpsc::Receiver<Happening>) -> Result<(), Failure> {
        // A person at a server may say goodbye before anybody is there to hear it.
        let at_server = matches!(self.side, Side::Serve(_)) && self.screen.has_person();
        let console_wants = self.console.wants_line();
        let wants_line = !self.input_over && self.leave.is_none() && (at_server || console_wants);
        self.greeting = self.greeting.filter(|_| !console_wants);
        let greeting = self.greeting.unwrap_or_else(Instant::now);
        let leave = self.leave.unwrap_or_else(Instant::now);
        tokio::select! {
            happening = happened.recv() => match happening {
                Some(Happening::Received(id, bytes)) => self.handle(Input::Received { id, bytes: &bytes }).await,
                Some(Happening::Closed(id)) => {
                    self.handle(Input::Closed { id }).await?;
                    self.forget(id);
                    Ok(())
                }
                Some(Happening::Ran(id, output)) => {
                    self.commands.remove(&id);
                    self.handle(Input::Ran { id, output: &output }).await
                }
                None => Ok(()),
            },
            accepted = accept(&self.side) => match accepted {
                Some((stream, peer)) => self.connected(stream, peer).await,
                None => Ok(()),
            },
            line = self.lines.next(), if wants_line && self.hidden.is_none() => {
                self.screen.typed(line.as_deref())?;
                self.handle(Input::Line(line.as_deref())).await
            }
            answer = answered(&mut self.hidden) => match answer {
                Ok(answer) => {
                    let line = answer.as_ref().map(|answer| String::from_utf8_lossy(answer));
                    self.handle(Input::Line(line.as_deref())).await
                }
                Err(Interrupted) => {
                    self.ended = Some(false);
                    Ok(())
                }
            },
            () = sleep_until(leave), if self.leave.is_some() => {
                self.ended = Some(true);
                Ok(())
            }
            () = sleep_until(greeting), if self.greeting.is_some() && self.leave.is_none() => {
                Err(failed(format!("the server has not come to talk within {GREETING} s")))
            }
        }
    }

    async fn connected(&mut self, stream: TcpStream, peer: SocketAddr) -> Result<(), Failure> {
        if self.links.len() >= MAX_LINKS {
            return Ok(());
        }
        let id = match self.side {
            Side::Join(_) => SERVER,
            Side::Serve(_) => self.next,
        };
        self.next = self.next.wrapping_add(1).max(SERVER + 1);
        self.links.insert(id, Link::new(id, stream, self.happenings.clone()));
        let port = match self.seeded {
            true => FIRST_PORT.saturating_add(u16::try_from(id - u32::from(id > 0)).unwrap_or(u16::MAX)),
            false => peer.port(),
        };
        let peer = Address { host: peer.ip().to_string(), port };
        self.handle(Input::Connected { id, peer }).await
    }

    /// Tells the console what happened and does what it wants.
    async fn handle(&mut self, input: Input<'_>) -> Result<(), Failure> {
        // It would be read again and again.
        self.input_over |= matches!(input, Input::Line(None));
        self.console.handle(self.clock.now(), input);
        let mut out: BTreeMap<ConnectionId, Vec<u8>> = BTreeMap::new();
        while let Some(effect) = self.console.poll() {
            match effect {
                Effect::Send { to, mut bytes } => out.entry(to).or_default().append(&mut bytes),
                Effect::Close { id } => {
                    self.send(id, out.remove(&id).unwrap_or_default());
                    self.forget(id);
                }
                Effect::Print(lines) => self.screen.print(&lines)?,
                Effect::Prompt(text) => self.screen.prompt(&text)?,
                Effect::PromptHidden(text) if self.screen.has_person() => {
                    self.hidden = Some(tokio::spawn(ask::ask(text, Echo::Hidden)));
                }
                Effect::PromptHidden(text) => self.screen.prompt(&text)?,
                Effect::Step { step, .. } => self.step(&step)?,
                Effect::Run { id, command } => {
                    self.commands.insert(id, command::run(id, command, self.happenings.clone()));
                }
                Effect::Connect => Box::pin(self.connect()).await?,
                Effect::Leave => self.leave = Some(Instant::now() + LEAVE),
                Effect::Stop { good } => self.ended = Some(good),
            }
        }
        for (id, bytes) in out {
            self.send(id, bytes);
        }
        Ok(())
    }

    /// Tells a step, and writes it down.
    fn step(&mut self, step: &Step) -> Result<(), Failure> {
        let at = if self.seeded { Duration::ZERO } else { self.start.elapsed() };
        if self.steps {
            output::complain(tell_step(at, step, self.secrets, self.colour).trim_end());
        }
        match &mut self.trace {
            Some(trace) => trace.add(record(at, step, self.secrets)),
            None => Ok(()),
        }
    }

    /// Closes a connection once everything is sent, and stops what runs for it.
    fn forget(&mut self, id: ConnectionId) {
        self.links.remove(&id);
        if let Some(command) = self.commands.remove(&id) {
            command.abort();
        }
    }

    /// A peer that takes nothing loses its connection; its task says that it is gone.
    fn send(&mut self, id: ConnectionId, bytes: Vec<u8>) {
        if !bytes.is_empty() && self.links.get(&id).is_some_and(|link| !link.send(bytes)) {
            self.links.remove(&id);
        }
    }

    async fn connect(&mut self) -> Result<(), Failure> {
        let Side::Join(addresses) = &self.side else { return Ok(()) };
        let addresses = addresses.clone();
        let stream = TcpStream::connect(addresses.as_slice()).await.map_err(|error| {
            let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            failed(format!("no server at {}: {error}", shown.join(", "))).hint("start one: nacre lab serve NAME")
        })?;
        let peer = stream.peer_addr().map_err(failed)?;
        self.greeting = Some(Instant::now() + Duration::from_secs(GREETING));
        self.connected(stream, peer).await
    }
}

/// The answer to the question that stands; without one never.
async fn answered(question: &mut Option<Question>) -> Result<Answer, Interrupted> {
    let Some(standing) = question else { return std::future::pending().await };
    let answer = standing.await.unwrap_or(Ok(None));
    *question = None;
    answer
}

/// The next connection that comes in; at a client never.
async fn accept(side: &Side) -> Option<(TcpStream, SocketAddr)> {
    match side {
        Side::Serve(listener) => match listener.accept().await {
            Ok(accepted) => Some(accepted),
            Err(_) => {
                // No descriptors, most likely: it would fail again at once.
                sleep(PAUSE).await;
                None
            }
        },
        Side::Join(_) => std::future::pending().await,
    }
}
