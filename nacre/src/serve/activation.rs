//! Sockets and connections that whoever started the server opened for it: a service manager's
//! (sd_listen_fds(3)), or the one connection of `-i`.

use super::audit::ConnectionId;
use super::login::Ends;
use crate::failure::Failure;
use nacre_sys::role;
use rustix::net::sockopt::socket_acceptconn;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A descriptor that was passed, and its name in the socket unit.
struct Passed {
    fd: OwnedFd,
    name: String,
}

/// The listening sockets that were passed; `None` when none were, and the server opens its own.
///
/// # Errors
/// Something that was passed is no listening TCP socket.
pub fn listeners() -> Result<Option<Vec<TcpListener>>, Failure> {
    let passed = take()?;
    if passed.is_empty() {
        return Ok(None);
    }
    passed.into_iter().map(listener).collect::<Result<Vec<_>, _>>().map(Some)
}

fn listener(Passed { fd, name }: Passed) -> Result<TcpListener, Failure> {
    match socket_acceptconn(&fd) {
        Ok(true) => {}
        Ok(false) => {
            let failure = Failure::new(format!("the socket '{name}' that was passed does not listen"));
            return Err(failure.hint("with Accept=yes the service runs `nacre serve -i`"));
        }
        Err(error) => return Err(Failure::new(format!("'{name}' that was passed is no socket: {error}"))),
    }
    let socket = TcpListener::from(fd);
    let ready = socket.local_addr().and_then(|_| socket.set_nonblocking(true));
    ready.map_err(|error| Failure::new(format!("the socket '{name}' that was passed cannot be used: {error}")))?;
    Ok(socket)
}

/// The connection of `-i`.
pub struct Single {
    /// Between whom it is; nobody, where it is no TCP socket.
    pub ends: Ends,
    /// Where it is read, and written unless there is a second.
    pub input: OwnedFd,
    /// Where it is written.
    pub output: Option<OwnedFd>,
    /// It is not standard input and output.
    pub passed: bool,
}

/// The connection of `-i`: one that was passed (`Accept=yes`), or standard input and output.
///
/// # Errors
/// More than one was passed, or standard input and output are not there.
pub fn single() -> Result<Single, Failure> {
    let mut passed = take()?;
    if passed.len() > 1 {
        return Err(Failure::new(format!("-i serves one connection, and {} were passed", passed.len())));
    }
    if let Some(Passed { fd, name }) = passed.pop() {
        if socket_acceptconn(&fd) != Ok(false) {
            let failure = Failure::new(format!("'{name}' that was passed is no connection"));
            return Err(failure.hint("with Accept=no the service runs `nacre serve` without -i"));
        }
        return Ok(Single { ends: ends(&fd), input: fd, output: None, passed: true });
    }
    let failed = |error: io::Error| Failure::new(format!("standard input: {error}"));
    let copy = |fd: BorrowedFd<'_>| fd.try_clone_to_owned().map_err(failed);
    let input = copy(io::stdin().as_fd())?;
    // A socket is one stream in both directions.
    let output = match nacre_sys::socket::ends(&input) {
        Some(_) => None,
        None => Some(copy(io::stdout().as_fd())?),
    };
    Ok(Single { ends: ends(&input), input, output, passed: false })
}

fn ends(fd: &OwnedFd) -> Ends {
    let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let (peer, local) = nacre_sys::socket::ends(fd).unwrap_or((nowhere, nowhere));
    Ends { peer, local, id: ConnectionId::new() }
}

/// What was passed to this very process: the variables may have been meant for one above it.
fn take() -> Result<Vec<Passed>, Failure> {
    let read = |name: &str| std::env::var(name).ok();
    if read("LISTEN_PID").and_then(|pid| pid.parse().ok()) != Some(std::process::id()) {
        return Ok(Vec::new());
    }
    let count = read("LISTEN_FDS").and_then(|count| count.parse().ok()).unwrap_or(0);
    let names = read("LISTEN_FDNAMES").unwrap_or_default();
    let fds = role::inherited(count)
        .map_err(|error| Failure::new(format!("LISTEN_FDS says that {count} sockets were passed: {error}")))?;
    let mut names = names.split(':').filter(|name| !name.is_empty());
    Ok(fds.into_iter().map(|fd| Passed { fd, name: names.next().unwrap_or("unknown").to_owned() }).collect())
}
