//! TCP sockets with the options a secure shell wants, as `std::net` types that do not block.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::error::Doing;

/// Connections waiting to be accepted; the kernel cuts it to `net.core.somaxconn`.
pub const BACKLOG: i32 = 1024;

/// Listens on `addr` with SO_REUSEADDR; an IPv6 socket takes IPv6 only (as sshd's), so that `0.0.0.0` and `::` can both be
/// listened on. The listener does not block and is close-on-exec.
///
/// # Errors
/// `AddrInUse`, `AddrNotAvailable`, `PermissionDenied` (port below 1024) and the like, naming the address.
pub fn listen(addr: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let doing = || format!("listen on {addr}");
    let socket = tcp_socket(addr).doing(doing)?;
    sockopt::set_socket_reuseaddr(&socket, true).doing(doing)?;
    if addr.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true).doing(doing)?;
    }
    rustix::net::bind(&socket, &addr).doing(doing)?;
    rustix::net::listen(&socket, backlog).doing(doing)?;
    Ok(TcpListener::from(socket))
}

/// Listens on a Unix socket that is made at `path` with exactly these permission bits. Nothing that is there is replaced. The listener
/// does not block and is close-on-exec.
///
/// # Errors
/// `AddrInUse` when something has that name, `InvalidInput` for a path that is too long, and what the file system says.
pub fn listen_unix(path: &Path, mode: u32, backlog: i32) -> io::Result<UnixListener> {
    let doing = || format!("listen on {}", path.display());
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).doing(doing)?;
    // The file gets the mode that the socket has when it is bound, less the process's umask, which all threads share and nobody changes
    // here: there is no moment with more than is wanted.
    rustix::fs::fchmod(&socket, Mode::from_raw_mode(mode)).doing(doing)?;
    let address = rustix::net::SocketAddrUnix::new(path).doing(doing)?;
    rustix::net::bind(&socket, &address).doing(doing)?;
    // Nobody can connect before the socket listens.
    let listens = widen(path, mode).and_then(|()| rustix::net::listen(&socket, backlog));
    if let Err(error) = listens.doing(doing) {
        let _ = std::fs::remove_file(path);
        return Err(error);
    }
    Ok(UnixListener::from(socket))
}

/// Gives the file of a socket the bits that the umask took. Through a descriptor, which is of no other file.
fn widen(path: &Path, mode: u32) -> rustix::io::Result<()> {
    let file = rustix::fs::open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let now = rustix::fs::fstat(&file)?.st_mode;
    if FileType::from_raw_mode(now) != FileType::Socket {
        return Err(Errno::NOTSOCK);
    }
    if Mode::from_raw_mode(now) == Mode::from_raw_mode(mode) {
        return Ok(());
    }
    rustix::fs::chmod(format!("/proc/self/fd/{}", file.as_raw_fd()), Mode::from_raw_mode(mode))
}

/// Begins to connect to `remote`, from `local` if given (`BindAddress`; port 0 lets the kernel choose). The stream does not block and is
/// not connected yet: once it is writable, `take_error` says how it went.
///
/// # Errors
/// What the kernel knows at once: `AddrNotAvailable` for a `local` that is not ours, `NetworkUnreachable`.
pub fn begin_connect(remote: SocketAddr, local: Option<SocketAddr>) -> io::Result<TcpStream> {
    let doing = || format!("connect to {remote}");
    let socket = tcp_socket(remote).doing(doing)?;
    if let Some(local) = local {
        sockopt::set_socket_reuseaddr(&socket, true).doing(doing)?;
        rustix::net::bind(&socket, &local).doing(|| format!("connect to {remote} from {local}"))?;
    }
    match rustix::net::connect(&socket, &remote) {
        Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => Ok(TcpStream::from(socket)),
        Err(err) => Err(err).doing(doing),
    }
}

fn tcp_socket(addr: SocketAddr) -> rustix::io::Result<OwnedFd> {
    let family = if addr.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)
}

/// Sends small packets at once (TCP_NODELAY): keystrokes must not wait for each other.
///
/// # Errors
/// The errno of setsockopt.
pub fn set_nodelay(socket: impl AsFd, on: bool) -> io::Result<()> {
    sockopt::set_tcp_nodelay(socket, on).doing(|| "set TCP_NODELAY".into())
}

/// Has the kernel probe idle connections (SO_KEEPALIVE; `TCPKeepAlive`).
///
/// # Errors
/// The errno of setsockopt.
pub fn set_keepalive(socket: impl AsFd, on: bool) -> io::Result<()> {
    sockopt::set_socket_keepalive(socket, on).doing(|| "set SO_KEEPALIVE".into())
}

/// Reports the socket writable only while fewer than `bytes` wait unsent in the kernel (TCP_NOTSENT_LOWAT), so that a keystroke formed
/// now does not queue behind megabytes of bulk data.
///
/// # Errors
/// The errno of setsockopt.
pub fn set_notsent_lowat(socket: impl AsFd, bytes: u32) -> io::Result<()> {
    let fd = socket.as_fd().as_raw_fd();
    let length = libc::socklen_t::try_from(size_of::<u32>()).unwrap_or_default();
    // SAFETY: reads the four bytes of a live u32; the descriptor is borrowed for the call.
    let result =
        unsafe { libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, (&raw const bytes).cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()).doing(|| "set TCP_NOTSENT_LOWAT".into()) }
}

/// Ends the half of a connected socket that is written to (SHUT_WR): its reader comes to the end. One that is no socket or whose
/// peer is gone has no such half any more, and nothing is said.
pub fn end_writing(socket: impl AsFd) {
    let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Write);
}

/// Whether the system had no room for one more descriptor or connection, which passes.
pub fn is_no_room(error: &io::Error) -> bool {
    let errno = error.raw_os_error().unwrap_or(0);
    [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM].contains(&errno)
}

/// The traffic class byte of a DSCP code point (RFC 2474 §3: the upper six bits; 0 to 63, larger values lose their upper bits).
pub const fn traffic_class_of_dscp(code_point: u8) -> u8 {
    code_point << 2
}

/// Marks what the socket sends (`IPQoS`) with a traffic class byte: IP_TOS or IPV6_TCLASS as its family asks. A socket that is
/// not IP is left alone: `ProxyCommand` and Unix sockets have no such field.
///
/// # Errors
/// The errno of setsockopt.
pub fn set_traffic_class(socket: impl AsFd, class: u8) -> io::Result<()> {
    let family = sockopt::socket_domain(&socket).doing(|| "ask for a socket's family".into())?;
    if family == AddressFamily::INET {
        sockopt::set_ip_tos(socket, class).doing(|| format!("set IP_TOS to {class:#04x}"))
    } else if family == AddressFamily::INET6 {
        sockopt::set_ipv6_tclass(socket, class.into()).doing(|| format!("set IPV6_TCLASS to {class:#04x}"))
    } else {
        Ok(())
    }
}

/// The two ends (peer, own) of a TCP socket that this process was given; `None` for anything else.
pub fn ends(socket: impl AsFd) -> Option<(SocketAddr, SocketAddr)> {
    let peer = rustix::net::getpeername(&socket).ok()??;
    let own = rustix::net::getsockname(&socket).ok()?;
    Some((SocketAddr::try_from(peer).ok()?, SocketAddr::try_from(own).ok()?))
}
