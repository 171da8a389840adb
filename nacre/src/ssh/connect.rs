//! From a host name to a connected socket.

use super::log::Log;
use nacre_config::client::{AddressFamily, ClientOptions};
use nacre_sys::socket;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;

/// How much may wait unsent in the kernel, in bytes: enough to keep a fast path full, little enough
/// that a keystroke is not queued behind a second of bulk data.
const NOTSENT_LOWAT: u32 = 1024 * 1024;
/// The pause between two rounds of `ConnectionAttempts`.
const PAUSE: Duration = Duration::from_secs(1);

/// Why there is no connection, as the one line to show.
#[derive(Debug)]
pub struct NotConnected(pub String);

/// A connected socket and whom it reached.
pub struct Reached {
    /// The socket, with its options set.
    pub stream: TcpStream,
    /// The address that answered.
    pub address: SocketAddr,
}

/// Resolves the host and tries its addresses in turn, `ConnectionAttempts` times. Packets are marked
/// with the traffic class (`IPQoS`), if there is one.
///
/// # Errors
/// The name is unknown, or no address answers.
pub async fn connect(options: &ClientOptions, traffic_class: Option<u8>, log: &Log) -> Result<Reached, NotConnected> {
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
                    return Ok(Reached { stream, address: *address });
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
    let local = match &options.bind_address {
        Some(name) => Some(local_address(name, address).await?),
        None => None,
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
