//! The sockets of forwards, made as the user.

use super::agent_socket::AgentSocket;
use super::policy::ListenPlan;
use nacre_net::ForwardListener;
use nacre_net::forward::Arrival;
use nacre_net::server::authority::{Acceptor, Refused, Target};
use nacre_sys::socket;
use rustix::net::sockopt::socket_peercred;
use std::ffi::OsStr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;

/// How long one address of a host may take to answer, so that those after it get their turn.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// Connections that wait to be taken from a listener.
pub const BACKLOG: i32 = 128;

/// Connects to a target, to a host's addresses one after another. The socket does not block.
///
/// # Errors
/// How the last address failed.
pub async fn connect(target: &Target) -> Result<OwnedFd, Refused> {
    match target {
        Target::Tcp { host, port } => connect_tcp(host, *port).await,
        Target::Unix { path } => connect_unix(Path::new(OsStr::from_bytes(path))).await,
    }
    .map_err(|error| Refused::failed(error.to_string()))
}

async fn connect_tcp(host: &str, port: u16) -> io::Result<OwnedFd> {
    let mut last = io::Error::other("the name has no address");
    for address in resolve(host, port).await? {
        match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Small packets are not kept waiting for others; a socket that is over already says EINVAL.
                let _ = stream.set_nodelay(true);
                return Ok(stream.into_std()?.into());
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

async fn connect_unix(path: &Path) -> io::Result<OwnedFd> {
    Ok(UnixStream::connect(path).await?.into_std()?.into())
}

/// `localhost` is known without a file that says so: a jail has none.
async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if host == "localhost" {
        return Ok(vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]);
    }
    match host.parse::<IpAddr>() {
        Ok(address) => Ok(vec![SocketAddr::new(address, port)]),
        Err(_) => Ok(lookup_host((host, port)).await?.collect()),
    }
}

/// Sockets that are listened on for one request.
pub struct Listeners {
    listeners: Vec<ForwardListener>,
    /// Whose turn it is.
    next: usize,
    _made: Option<MadeSocket>,
    /// The agent's socket, which is for the account itself.
    agent: Option<AgentSocket>,
}

impl Listeners {
    /// Takes connections for a client's agent.
    ///
    /// # Errors
    /// The listener cannot be registered.
    pub fn for_agent(agent: AgentSocket, listener: UnixListener) -> Result<Self, Refused> {
        let listener = ForwardListener::unix(listener).map_err(|error| Refused::failed(error.to_string()))?;
        Ok(Self { listeners: vec![listener], next: 0, _made: None, agent: Some(agent) })
    }

    /// Whether whoever came may: at an agent's socket the account itself and root (threat G5).
    fn may_come(&self, arrival: &Arrival) -> bool {
        let own = rustix::process::geteuid().as_raw();
        let may = |uid: u32| uid == own || uid == 0;
        self.agent.is_none() || socket_peercred(&arrival.socket).is_ok_and(|peer| may(peer.uid.as_raw()))
    }
}

/// The file of a Unix socket, removed with it as long as it is the same.
struct MadeSocket {
    path: PathBuf,
    identity: (u64, u64),
}

impl Drop for MadeSocket {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|now| now == self.identity) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    std::fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

/// Listens as planned and says on which port, 0 for a Unix socket.
///
/// # Errors
/// How the last address failed when none could be had.
pub async fn listen(plan: &ListenPlan) -> Result<(u16, Listeners), Refused> {
    let made = if plan.path.is_empty() { listen_tcp(plan).await } else { listen_unix(plan) };
    made.map_err(|error| Refused::failed(error.to_string()))
}

async fn listen_tcp(plan: &ListenPlan) -> io::Result<(u16, Listeners)> {
    let mut addresses = Vec::new();
    for host in &plan.hosts {
        addresses.extend(resolve(host, plan.port).await?);
    }
    addresses.dedup();
    let (mut port, mut listeners) = (plan.port, Vec::new());
    let mut last = io::Error::other("the name has no address");
    for mut address in addresses {
        address.set_port(port);
        // A machine without IPv6 has no such address; the others are enough.
        match socket::listen(address, BACKLOG).and_then(ForwardListener::tcp) {
            Ok(listener) => {
                port = listener.local_addr().map_or(port, |bound| bound.port());
                listeners.push(listener);
            }
            Err(error) => last = error,
        }
    }
    if listeners.is_empty() {
        Err(last)
    } else {
        Ok((port, Listeners { listeners, next: 0, _made: None, agent: None }))
    }
}

fn listen_unix(plan: &ListenPlan) -> io::Result<(u16, Listeners)> {
    let path = Path::new(OsStr::from_bytes(&plan.path));
    if plan.unlink && std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket()) {
        std::fs::remove_file(path)?;
    }
    let listener = socket::listen_unix(path, !plan.mask & 0o777, BACKLOG)?;
    let made = MadeSocket { path: path.to_owned(), identity: identity(path)? };
    Ok((0, Listeners { listeners: vec![ForwardListener::unix(listener)?], next: 0, _made: Some(made), agent: None }))
}

impl Acceptor for Listeners {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Arrival>> {
        let count = self.listeners.len();
        for turn in 0..count {
            let place = (self.next + turn) % count;
            let Some(listener) = self.listeners.get_mut(place) else { continue };
            match listener.poll_accept(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(arrival)) if !self.may_come(&arrival) => cx.waker().wake_by_ref(),
                Poll::Ready(Ok(arrival)) => {
                    self.next = place + 1;
                    return Poll::Ready(Ok(arrival));
                }
                Poll::Ready(Err(error)) => {
                    self.listeners.remove(place);
                    if self.listeners.is_empty() {
                        return Poll::Ready(Err(error));
                    }
                    // The places have moved: look again with those that are left.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
        }
        Poll::Pending
    }
}
