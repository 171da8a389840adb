//! `internal-chat`: this program in the place of a user's shell, with a session of the chat that runs on this machine. It looks at
//! nothing that goes through: what is typed goes to the chat's socket in frames, and what comes from there is shown.

use super::session::{NO_COLOR, SINCE, USAGE, Wish};
use nacre_chat_server::Size;
use nacre_chat_server::join::{FRAME_BYTES, Frame, Introduction, size_bytes};
use nacre_sys::pty::window_size;
use nacre_sys::terminal::{RawMode, is_tty};
use signal_hook::consts::SIGWINCH;
use signal_hook::iterator::Signals;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// `argv[0]` of the process.
pub const ROLE: &str = "nacre: chat";

/// Runs a session to its end. The arguments are the chat's socket, the login name, the client's address and what it asked for.
pub fn run(args: &[OsString]) -> ExitCode {
    let words: Vec<&str> = args.iter().skip(1).map(|word| word.to_str().unwrap_or_default()).collect();
    let [socket, login, address, asked] = words.as_slice() else { return ExitCode::FAILURE };
    let terminal = is_tty(io::stdin());
    let Some(wish) = Wish::of(asked) else {
        let _ = io::stdout().write_all(USAGE.as_bytes());
        return ExitCode::FAILURE;
    };
    let stream = match UnixStream::connect(socket) {
        Ok(stream) => stream,
        Err(_) => {
            let _ = io::stderr().write_all(b"The chat does not run here now; try again later.\n");
            return ExitCode::FAILURE;
        }
    };
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let introduction = Introduction {
        login: (*login).to_owned(),
        address: address.parse().ok(),
        term: terminal.then(|| variable("TERM").unwrap_or_default()),
        size: size(),
        rooms: wish.rooms,
        json: wish.json,
        since: wish.since.or_else(|| variable(SINCE)?.parse().ok()),
        colours: variable(NO_COLOR).is_none(),
    };
    play(stream, &introduction, terminal).unwrap_or(ExitCode::FAILURE)
}

/// The terminal's size, or what is usual.
fn size() -> Size {
    let usual = Size { columns: 80, rows: 24 };
    match window_size(io::stdin()) {
        Ok(size) => Size {
            columns: u16::try_from(size.columns).ok().filter(|columns| *columns > 0).unwrap_or(usual.columns),
            rows: u16::try_from(size.rows).ok().filter(|rows| *rows > 0).unwrap_or(usual.rows),
        },
        Err(_) => usual,
    }
}

fn play(mut stream: UnixStream, introduction: &Introduction, terminal: bool) -> io::Result<ExitCode> {
    let _raw = terminal.then(|| RawMode::enter(io::stdin())).transpose()?;
    stream.write_all(introduction.to_line().as_bytes())?;
    let chat = Arc::new(Mutex::new(stream.try_clone()?));
    if terminal {
        let (chat, mut signals) = (chat.clone(), Signals::new([SIGWINCH])?);
        thread::spawn(move || {
            for _ in signals.forever() {
                let _ = send(&chat, Frame::Size, &size_bytes(size()));
            }
        });
    }
    thread::spawn(move || type_all(&chat));
    show_all(&mut stream)
}

/// Sends what is typed, and says when that is over.
fn type_all(chat: &Mutex<UnixStream>) {
    let mut bytes = vec![0; FRAME_BYTES];
    let mut input = io::stdin().lock();
    while let Ok(count @ 1..) = input.read(&mut bytes) {
        if send(chat, Frame::Data, bytes.get(..count).unwrap_or_default()).is_err() {
            return;
        }
    }
    let _ = chat.lock().unwrap_or_else(PoisonError::into_inner).shutdown(Shutdown::Write);
}

fn send(chat: &Mutex<UnixStream>, kind: Frame, bytes: &[u8]) -> io::Result<()> {
    let head = kind.head(bytes.len()).ok_or(io::ErrorKind::InvalidInput)?;
    let mut chat = chat.lock().unwrap_or_else(PoisonError::into_inner);
    chat.write_all(&[&head, bytes].concat())
}

/// Shows what comes until the chat says that it is over, and how.
fn show_all(stream: &mut UnixStream) -> io::Result<ExitCode> {
    let (mut bytes, mut out) = (vec![0; FRAME_BYTES], io::stdout());
    loop {
        let mut head = [0; 3];
        stream.read_exact(&mut head)?;
        let (kind, length) = Frame::read(head).ok_or(io::ErrorKind::InvalidData)?;
        let bytes = bytes.get_mut(..length).ok_or(io::ErrorKind::InvalidData)?;
        stream.read_exact(bytes)?;
        match kind {
            Frame::Data => {
                out.write_all(bytes)?;
                out.flush()?;
            }
            Frame::Exit => return Ok(ExitCode::from(bytes.first().copied().unwrap_or(1))),
            Frame::Size => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}
