//! One session of the chat in the place of a process: two pipes, and a task of the hub at their
//! other ends.

use nacre_chat::{LineId, Proof};
use nacre_chat_server::{Arrival, Hub, Size};
use nacre_net::Descriptor;
use nacre_net::server::authority::{Exit, Process, PtyRequest, SessionRequests, SessionStreams, Start, StartedSession};
use nacre_wire::session::WindowSize;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::net::unix::pipe;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The variable, and the word after `chat-json`, by which a program says what it has seen.
pub const SINCE: &str = "CHAT_SINCE";

/// The variable that says that colours are not wanted (no-color.org).
pub const NO_COLOR: &str = "NO_COLOR";

/// The subsystem and command of programs.
const JSON: &str = "chat-json";
/// The subsystem and command of people.
const CHAT: &str = "chat";

/// What a person is told who asks for something else.
pub(super) const USAGE: &str = "This is a chat and nothing else. To come in:\n  \
    ssh -t HOST            to where you were last\n  \
    ssh -t HOST '#room'    to a room\n  \
    ssh -s HOST chat-json  for programs\n";

/// Who logged in.
pub(super) struct Who {
    pub(super) proof: Proof,
    pub(super) login: Vec<u8>,
    /// The room that the login named, where that is no part of the name any more.
    pub(super) room: Option<String>,
    pub(super) address: IpAddr,
    /// The client's identification.
    pub(super) client: String,
}

/// What was asked for instead of a shell.
pub(super) struct Wish {
    pub(super) rooms: Vec<String>,
    pub(super) json: bool,
    pub(super) since: Option<LineId>,
}

impl Wish {
    /// From a command, or the name of a subsystem; none if it is nothing that the chat has.
    pub(super) fn of(command: &str) -> Option<Self> {
        let mut words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        let json = words.first().is_some_and(|word| word == JSON);
        let mut since = None;
        if json || words.first().is_some_and(|word| word == CHAT) {
            words.remove(0);
        }
        if let Some(id) = words.first().filter(|_| json).and_then(|word| word.strip_prefix("since=")) {
            since = Some(id.parse().ok()?);
            words.remove(0);
        }
        words.iter().all(|word| word.starts_with('#')).then_some(Self { rooms: words, json, since })
    }
}

/// Joins a session with the chat.
///
/// # Errors
/// There is no such subsystem, or no descriptor is left.
pub(super) fn start(hub: &Hub, who: Who, requests: SessionRequests) -> io::Result<StartedSession> {
    let size = watch::Sender::new(size_of(requests.pty.as_ref()));
    let (output, stdout) = pipe::pipe()?;
    let (stdin, input) = pipe::pipe()?;
    let task = match wish(&requests) {
        Some(wish) => {
            let arrival = Arrival {
                proof: who.proof,
                login: who.login,
                rooms: who.room.into_iter().chain(wish.rooms).collect(),
                address: Some(who.address),
                client: who.client.into_bytes(),
                term: requests.pty.as_ref().map(|pty| pty.term.clone()),
                json: wish.json,
                since: wish.since,
                colours: variable(&requests, NO_COLOR).is_none(),
            };
            let (hub, size) = (hub.clone(), size.subscribe());
            tokio::spawn(
                async move { u32::from(hub.serve(tokio::io::join(input, output), size, arrival).await.code()) },
            )
        }
        None if matches!(requests.start, Start::Subsystem(_)) => {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the chat has no such subsystem"));
        }
        None => tokio::spawn(refuse(output)),
    };
    let read = Descriptor::pipe(stdout.into_nonblocking_fd()?)?;
    let write = Descriptor::nonblocking(stdin.into_nonblocking_fd()?)?;
    let streams = match requests.pty {
        Some(_) => SessionStreams::Terminal { read, write },
        None => SessionStreams::Pipes { stdin: write, stdout: read, stderr: ended()? },
    };
    Ok(StartedSession { streams, process: Box::new(Member { task, size }), preamble: Vec::new() })
}

/// A stream that says nothing.
fn ended() -> io::Result<Descriptor> {
    let (_writer, reader) = pipe::pipe()?;
    Descriptor::pipe(reader.into_nonblocking_fd()?)
}

fn wish(requests: &SessionRequests) -> Option<Wish> {
    let mut wish = match &requests.start {
        Start::Shell => Wish::of(""),
        Start::Exec(command) => Wish::of(&String::from_utf8_lossy(command)),
        Start::Subsystem(name) if [JSON, CHAT].contains(&name.as_str()) => Wish::of(name),
        Start::Subsystem(_) => None,
    }?;
    let seen = variable(requests, SINCE).and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
    wish.since = wish.since.or(seen);
    Some(wish)
}

fn variable<'a>(requests: &'a SessionRequests, name: &str) -> Option<&'a [u8]> {
    let found = requests.env.iter().rfind(|(known, _)| known == name.as_bytes());
    found.map(|(_, value)| value.as_slice()).filter(|value| !value.is_empty())
}

/// Says what there is, and ends as a failed command does.
async fn refuse(mut output: pipe::Sender) -> u32 {
    use tokio::io::AsyncWriteExt;
    let _ = output.write_all(USAGE.replace('\n', "\r\n").as_bytes()).await;
    1
}

fn size_of(pty: Option<&PtyRequest>) -> Size {
    let none = WindowSize { columns: 0, rows: 0, width: 0, height: 0 };
    usable(pty.map_or(none, |pty| pty.size))
}

/// A client that does not know its size says 0.
fn usable(size: WindowSize) -> Size {
    let or = |value: u32, usual: u16| match u16::try_from(value) {
        Ok(0) => usual,
        Ok(value) => value,
        Err(_) => u16::MAX,
    };
    Size { columns: or(size.columns, 80), rows: or(size.rows, 24) }
}

/// A member's session, as the connection sees it.
struct Member {
    task: JoinHandle<u32>,
    size: watch::Sender<Size>,
}

impl Process for Member {
    fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<Exit> {
        Pin::new(&mut self.task).poll(cx).map(|code| Exit::Status(code.unwrap_or(1)))
    }

    fn signal(&mut self, _name: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn resize(&mut self, size: WindowSize) -> bool {
        self.size.send_replace(usable(size));
        true
    }

    fn hang_up(&mut self) {
        self.task.abort();
    }

    fn kill(&mut self) {
        self.task.abort();
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.task.abort();
    }
}
