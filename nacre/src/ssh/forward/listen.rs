//! Listening here, for `-L` and `-D`: which addresses a wish means, and the sockets.

use super::super::connect::plain;
use super::super::log::Log;
use nacre_config::client::{AddressFamily, ClientOptions, Endpoint};
use nacre_net::ForwardListener;
use nacre_sys::socket;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 128;
/// The bits that a socket in the file system has before the mask.
const SOCKET_MODE: u32 = 0o666;

/// The sockets of one wish.
#[derive(Debug, Default)]
pub struct Sockets {
    /// They are listened on.
    pub listeners: Vec<ForwardListener>,
    /// What is to be removed with them.
    pub file: Option<SocketFile>,
}

/// A socket that we made in the file system.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Its device and number there: something else under the name is not ours to remove.
    identity: (u64, u64),
}

impl SocketFile {
    fn of(path: PathBuf) -> io::Result<Self> {
        let identity = identity(&path)?;
        Ok(Self { path, identity })
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = std::fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

impl Drop for Sockets {
    fn drop(&mut self) {
        if let Some(file) = &self.file
            && identity(&file.path).is_ok_and(|found| found == file.identity)
        {
            let _ = std::fs::remove_file(&file.path);
        }
    }
}

/// Listens where `listen` says; what fails is told. Without any socket in the end there is none to give.
pub fn listen(listen: &Endpoint, options: &ClientOptions, log: &Log) -> Option<Sockets> {
    match listen {
        Endpoint::Unix(path) => unix(path, options, log),
        Endpoint::Tcp { host, port } => tcp(host.as_deref(), *port, options, log),
    }
}

fn unix(path: &str, options: &ClientOptions, log: &Log) -> Option<Sockets> {
    if options.stream_local_bind_unlink {
        let _ = std::fs::remove_file(path);
    }
    let mode = SOCKET_MODE & !options.stream_local_bind_mask;
    let path = PathBuf::from(path);
    match socket::listen_unix(&path, mode, BACKLOG).and_then(ForwardListener::unix) {
        Ok(listener) => Some(Sockets { listeners: vec![listener], file: SocketFile::of(path).ok() }),
        Err(error) => {
            log.error(&format!("unix_listener: cannot bind to path {}: {}", path.display(), plain(&error)));
            None
        }
    }
}

fn tcp(host: Option<&str>, port: u16, options: &ClientOptions, log: &Log) -> Option<Sockets> {
    let addresses = match addresses(host, port, options) {
        Ok(addresses) => addresses,
        Err(error) => {
            let host = host.unwrap_or_default();
            log.error(&format!("channel_setup_fwd_listener_tcpip: {host}: {}", plain(&error)));
            return None;
        }
    };
    let mut sockets = Sockets::default();
    for (place, address) in addresses.iter().enumerate() {
        match socket::listen(*address, BACKLOG).and_then(ForwardListener::tcp) {
            Ok(listener) => {
                log.debug(|| format!("listening on {address}"));
                sockets.listeners.push(listener);
            }
            Err(error) => {
                let line = format!("bind [{}]:{}: {}", address.ip(), address.port(), plain(&error));
                // One that others stand in for is no news, as with ssh.
                let last = place + 1 == addresses.len();
                if last { log.error(&line) } else { log.verbose(&line) }
            }
        }
    }
    if sockets.listeners.is_empty() {
        log.error(&format!("channel_setup_fwd_listener_tcpip: cannot listen to port: {port}"));
        return None;
    }
    Some(sockets)
}

/// The addresses that a wish means: this machine alone, unless it names others or `GatewayPorts` is set. In the order
/// in which ssh tries them.
fn addresses(host: Option<&str>, port: u16, options: &ClientOptions) -> io::Result<Vec<SocketAddr>> {
    let both = |six: Ipv6Addr, four: Ipv4Addr| vec![IpAddr::V6(six), IpAddr::V4(four)];
    let found: Vec<IpAddr> = match host {
        None if options.gateway_ports => both(Ipv6Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED),
        None => both(Ipv6Addr::LOCALHOST, Ipv4Addr::LOCALHOST),
        Some("" | "*") => both(Ipv6Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED),
        Some(host) => (host, port).to_socket_addrs()?.map(|address| address.ip()).collect(),
    };
    let mut out: Vec<SocketAddr> = Vec::new();
    for ip in found {
        let fits = match options.address_family {
            AddressFamily::Any => true,
            AddressFamily::Inet => ip.is_ipv4(),
            AddressFamily::Inet6 => ip.is_ipv6(),
        };
        let address = SocketAddr::new(ip, port);
        if fits && !out.contains(&address) {
            out.push(address);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ssh::options::effective_for;

    #[test]
    fn c13_what_took_the_place_of_our_socket_is_left_alone() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _inside = runtime.enter();
        let folder = std::env::temp_dir().join(format!("nacre-listen-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let options = effective_for("h".to_owned(), Vec::new(), String::new(), Some(Path::new("none"))).unwrap();
        let log = Log::new(nacre_config::client::LogLevel::Quiet, None, None).unwrap();
        for replaced in [false, true] {
            let path = folder.join("socket");
            let sockets = unix(path.to_str().unwrap(), &options, &log).unwrap();
            if replaced {
                // The old file stays under another name, so that its number is not given again.
                std::fs::rename(&path, folder.join("ours")).unwrap();
                std::fs::write(&path, "another's").unwrap();
            }
            drop(sockets);
            assert_eq!(path.exists(), replaced);
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    fn of(host: Option<&str>, lines: &[&str]) -> Vec<String> {
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        let options = effective_for("h".to_owned(), lines, String::new(), Some(Path::new("none"))).unwrap();
        addresses(host, 80, &options).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn c07_this_machine_alone_unless_it_is_said_otherwise() {
        assert_eq!(of(None, &[]), ["[::1]:80", "127.0.0.1:80"]);
        assert_eq!(of(None, &["AddressFamily inet"]), ["127.0.0.1:80"]);
        assert_eq!(of(None, &["GatewayPorts yes"]), ["[::]:80", "0.0.0.0:80"]);
        assert_eq!(of(Some("127.0.0.2"), &["GatewayPorts yes"]), ["127.0.0.2:80"]);
        for everywhere in ["", "*"] {
            assert_eq!(of(Some(everywhere), &["AddressFamily inet6"]), ["[::]:80"]);
        }
    }
}
