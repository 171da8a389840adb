//! The addresses the server listens on.

use super::configuration::Place;
use crate::failure::Failure;
use nacre_config::client::AddressFamily;
use nacre_config::origin::Origin;
use nacre_config::server::{Keyword, Listen, ServerOptions};
use nacre_sys::socket;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

/// Connections the kernel holds for us between two accepts.
const BACKLOG: i32 = 1024;
/// The port of a server that serves one account.
const USER_PORT: u16 = 2222;
/// The port of a server that is a chat.
const CHAT_PORT: u16 = 2223;

/// Opens every socket that the configuration names. For one account and without a word about it,
/// that is port 2222 of this machine alone.
///
/// # Errors
/// An address cannot be had; all of them must be.
pub fn bind(options: &ServerOptions, place: &Place) -> Result<Vec<TcpListener>, Failure> {
    let root = place.mode_is_root();
    let ports = match options.origin(Keyword::Port) {
        Origin::Default if place.chat => vec![CHAT_PORT],
        Origin::Default if !root => vec![USER_PORT],
        _ => options.ports.clone(),
    };
    let mut addresses = Vec::new();
    for listen in &options.listen_addresses {
        addresses.extend(resolve(listen, &ports, options.address_family)?);
    }
    if addresses.is_empty() {
        addresses = unnamed(&ports, options.address_family, root);
    }
    let mut sockets: Vec<TcpListener> = Vec::new();
    for (address, needed) in addresses {
        match socket::listen(address, BACKLOG) {
            Ok(socket) => sockets.push(socket),
            // A machine without IPv6 is no reason not to serve.
            Err(error) if !needed && error.kind() == ErrorKind::Unsupported => {}
            Err(error) if !needed && !sockets.is_empty() && error.kind() != ErrorKind::AddrInUse => {}
            Err(error) => return Err(cannot_listen(&error)),
        }
    }
    Ok(sockets)
}

fn cannot_listen(error: &std::io::Error) -> Failure {
    let failure = Failure::new(format!("cannot {error}"));
    match error.kind() {
        ErrorKind::AddrInUse => failure.hint("another server has that port; choose another with -p PORT"),
        ErrorKind::PermissionDenied => failure.hint("ports below 1024 need root; choose another with -p PORT"),
        ErrorKind::AddrNotAvailable => failure.hint("this machine has no such address"),
        _ => failure,
    }
}

/// Where to listen when nothing was said: (address, it must be had).
fn unnamed(ports: &[u16], family: AddressFamily, root: bool) -> Vec<(SocketAddr, bool)> {
    let mut all = Vec::new();
    for port in ports {
        let (v4, v6) = match root {
            true => (Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED),
            false => (Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST),
        };
        if family != AddressFamily::Inet6 {
            all.push((SocketAddr::from((v4, *port)), true));
        }
        if family == AddressFamily::Inet6 || (family == AddressFamily::Any && root) {
            all.push((SocketAddr::from((v6, *port)), family == AddressFamily::Inet6));
        }
    }
    all
}

fn resolve(listen: &Listen, ports: &[u16], family: AddressFamily) -> Result<Vec<(SocketAddr, bool)>, Failure> {
    let ports = listen.port.map_or_else(|| ports.to_vec(), |port| vec![port]);
    let mut all = Vec::new();
    for port in ports {
        let found = (listen.host.as_str(), port).to_socket_addrs();
        let found = found.map_err(|error| Failure::new(format!("ListenAddress {}: {error}", listen.host)))?;
        let fits = |address: &SocketAddr| match family {
            AddressFamily::Any => true,
            AddressFamily::Inet => address.is_ipv4(),
            AddressFamily::Inet6 => address.is_ipv6(),
        };
        all.extend(found.filter(fits).map(|address| (address, true)));
    }
    if all.is_empty() {
        return Err(Failure::new(format!("ListenAddress {}: no address of the family asked for", listen.host)));
    }
    Ok(all)
}
