//! From a host name to a connected socket, or to a program that makes the connection.

use super::log::Log;
use super::proxy::{self, Proxy, ProxyStream};
use nacre_config::client::{AddressFamily, ClientOptions};
use nacre_sys::socket;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// How much may wait unsent in the kernel, in bytes: enough to keep a fast path full, little enough
/// that a keystroke is not queued behind a second of bulk data.
const NOTSENT_LOWAT: u32 = 1024 * 1024;
/// The pause between two rounds of `ConnectionAttempts`.
const PAUSE: Duration = Duration::from_secs(1);

/// Why there is no connection, as the one line to show.
#[derive(Debug)]
pub struct NotConnected(pub String);

/// What carries a connection.
pub enum Link {
    /// A socket.
    Socket(TcpStream),
    /// The pipes of a program.
    Proxy(ProxyStream),
}

impl Link {
    /// The stream within.
    fn stream(self: Pin<&mut Self>) -> Pin<&mut (dyn Both + '_)> {
        match self.get_mut() {
            Self::Socket(stream) => Pin::new(stream),
            Self::Proxy(stream) => Pin::new(stream),
        }
    }
}

trait Both: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Both for S {}

impl AsyncRead for Link {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_read(cx, buf)
    }
}

impl AsyncWrite for Link {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream().poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}

/// A connection and whom it reached.
pub struct Reached {
    /// The socket, with its options set, or a program's pipes.
    pub stream: Link,
    /// The address that answered; a program does not tell.
    pub address: Option<SocketAddr>,
    /// The program in between.
    pub proxy: Option<Proxy>,
}

/// Whom a connection reached, as messages name it.
pub fn peer(address: Option<SocketAddr>) -> String {
    match address {
        Some(address) => format!("{} port {}", address.ip(), address.port()),
        // What ssh says of a ProxyCommand's peer.
        None => "UNKNOWN port 65535".to_owned(),
    }
}

/// Reaches the host: by `ProxyCommand` or `ProxyJump` where there is one (`config_file` is what `-F` named), otherwise it
/// resolves the name and tries its addresses in turn, `ConnectionAttempts` times. Packets are marked with the traffic class
/// (`IPQoS`), if there is one.
///
/// # Errors
/// The name is unknown, no address answers, or the program cannot be run.
pub async fn connect(
    options: &ClientOptions,
    traffic_class: Option<u8>,
    config_file: Option<&Path>,
    log: &Log,
) -> Result<Reached, NotConnected> {
    match proxy::call(options, config_file) {
        Some(call) => proxy::connect(call, options, log).await,
        None => direct(options, traffic_class, log).await,
    }
}

async fn direct(options: &ClientOptions, traffic_class: Option<u8>, log: &Log) -> Result<Reached, NotConnected> {
    let addresses = resolve(&options.host_name, options.port, options.address_family).await?;
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for attempt in 0..options.connection_attempts.max(1) {
        if attempt > 0 {
            tokio::time::sleep(PAUSE).await;
            log.debug(|| "trying again".to_owned());
        }
        for address in &addresses {
            log.debug(|| format!("connecting to {} [{}] port {}", options.host_name, address.ip(), address.port()));
            match connect_one(*address, options).await {
                Ok(stream) => {
                    log.debug(|| "connection established".to_owned());
                    prepare(&stream, options, traffic_class, log);
                    return Ok(Reached { stream: Link::Socket(stream), address: Some(*address), proxy: None });
                }
                Err(error) => {
                    log.debug(|| format!("{}: {}", address.ip(), plain(&error)));
                    last = error;
                }
            }
        }
    }
    let (host, port) = (&options.host_name, options.port);
    Err(NotConnected(format!("ssh: connect to host {host} port {port}: {}", plain(&last))))
}

async fn resolve(host: &str, port: u16, family: AddressFamily) -> Result<Vec<SocketAddr>, NotConnected> {
    let unknown = |why: &str| NotConnected(format!("ssh: Could not resolve hostname {host}: {why}"));
    let found = tokio::net::lookup_host((host, port)).await.map_err(|error| {
        let text = error.to_string();
        unknown(text.strip_prefix("failed to lookup address information: ").unwrap_or(&text))
    })?;
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found.filter(|address| fits(address, family)) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() { Err(unknown("it has no address of the family asked for")) } else { Ok(addresses) }
}

fn fits(address: &SocketAddr, family: AddressFamily) -> bool {
    match family {
        AddressFamily::Any => true,
        AddressFamily::Inet => address.is_ipv4(),
        AddressFamily::Inet6 => address.is_ipv6(),
    }
}

async fn connect_one(address: SocketAddr, options: &ClientOptions) -> io::Result<TcpStream> {
    let local = match (&options.bind_address, &options.bind_interface) {
        (Some(name), _) => Some(local_address(name, address).await?),
        (None, Some(interface)) => Some(interface_address(interface, address)?),
        (None, None) => None,
    };
    let attempt = async {
        let stream = TcpStream::from_std(socket::begin_connect(address, local)?)?;
        stream.writable().await?;
        match stream.take_error()? {
            Some(error) => Err(error),
            None => Ok(stream),
        }
    };
    match options.connect_timeout {
        Some(time) => {
            tokio::time::timeout(time, attempt).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
        }
        None => attempt.await,
    }
}

/// `BindAddress`, of the remote address's family.
async fn local_address(name: &str, remote: SocketAddr) -> io::Result<SocketAddr> {
    let mut found = tokio::net::lookup_host((name, 0)).await?;
    found.find(|local| local.is_ipv4() == remote.is_ipv4()).ok_or(io::ErrorKind::AddrNotAvailable.into())
}

/// `BindInterface`, its address of the remote address's family.
fn interface_address(name: &str, remote: SocketAddr) -> io::Result<SocketAddr> {
    let mut found = nacre_sys::interfaces::addresses_of(name).into_iter();
    let address = found.find(|local| local.is_ipv4() == remote.is_ipv4());
    address.map(|address| SocketAddr::new(address, 0)).ok_or(io::ErrorKind::AddrNotAvailable.into())
}

/// Socket options. A connection works without any of them, so a refusal is only told.
fn prepare(stream: &TcpStream, options: &ClientOptions, traffic_class: Option<u8>, log: &Log) {
    let results = [
        socket::set_nodelay(stream, true),
        socket::set_keepalive(stream, options.tcp_keep_alive),
        socket::set_notsent_lowat(stream, NOTSENT_LOWAT),
        traffic_class.map_or(Ok(()), |class| socket::set_traffic_class(stream, class)),
    ];
    for error in results.into_iter().filter_map(Result::err) {
        log.debug(|| error.to_string());
    }
}

/// The system's words for an error, without numbers and places.
pub fn plain(error: &io::Error) -> String {
    let bare = nacre_sys::errno_of(error).map(io::Error::from_raw_os_error);
    let text = bare.map_or_else(|| error.to_string(), |bare| bare.to_string());
    match error.kind() {
        io::ErrorKind::TimedOut => "Connection timed out".to_owned(),
        _ => text.split(" (os error").next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn errors_read_as_the_system_says_them() {
        assert_eq!(plain(&io::Error::from_raw_os_error(111)), "Connection refused");
        assert_eq!(plain(&io::ErrorKind::TimedOut.into()), "Connection timed out");
        let wrapped = socket::listen("127.0.0.1:0".parse().unwrap(), 1)
            .and_then(|listener| socket::listen(listener.local_addr()?, 1))
            .unwrap_err();
        assert_eq!(plain(&wrapped), "Address already in use");
    }

    #[test]
    fn families() {
        let (four, six): (SocketAddr, SocketAddr) = ("1.2.3.4:5".parse().unwrap(), "[::1]:5".parse().unwrap());
        assert!(fits(&four, AddressFamily::Any) && fits(&four, AddressFamily::Inet));
        assert!(fits(&six, AddressFamily::Inet6) && !fits(&six, AddressFamily::Inet));
    }
}
