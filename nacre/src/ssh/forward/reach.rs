//! Connecting from here, for what a server sends back through `-R`.

use nacre_config::client::{AddressFamily, Endpoint};
use std::io;
use std::os::fd::OwnedFd;
use tokio::net::{TcpStream, UnixStream};

/// Connects to a name or address, or to a socket in the file system. The descriptor does not block.
///
/// # Errors
/// The name is unknown, or nobody answers.
pub async fn reach(to: Endpoint, family: AddressFamily) -> io::Result<OwnedFd> {
    match to {
        Endpoint::Unix(path) => Ok(UnixStream::connect(path).await?.into_std()?.into()),
        Endpoint::Tcp { host, port } => tcp(&host.unwrap_or_default(), port, family).await,
    }
}

async fn tcp(host: &str, port: u16, family: AddressFamily) -> io::Result<OwnedFd> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in tokio::net::lookup_host((host, port)).await? {
        let fits = match family {
            AddressFamily::Any => true,
            AddressFamily::Inet => address.is_ipv4(),
            AddressFamily::Inet6 => address.is_ipv6(),
        };
        if !fits {
            continue;
        }
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // A socket whose peer is gone already says so when it is read.
                let _ = stream.set_nodelay(true);
                return Ok(stream.into_std()?.into());
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
