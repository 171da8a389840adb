//! The addresses of this machine.

use std::net::IpAddr;

use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrStorage;

/// The addresses of interfaces that are up, loopback left out; empty when the system does not tell.
pub fn addresses() -> Vec<IpAddr> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    let counts =
        |flags: InterfaceFlags| flags.contains(InterfaceFlags::IFF_UP) && !flags.contains(InterfaceFlags::IFF_LOOPBACK);
    interfaces.filter(|i| counts(i.flags)).filter_map(|i| i.address.as_ref().and_then(ip)).collect()
}

/// The addresses of one interface that is up, those that reach furthest first: loopback and link-local ones last.
pub fn addresses_of(name: &str) -> Vec<IpAddr> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    let up = interfaces.filter(|i| i.interface_name == name && i.flags.contains(InterfaceFlags::IFF_UP));
    let mut found: Vec<IpAddr> = up.filter_map(|i| i.address.as_ref().and_then(ip)).collect();
    found.sort_by_key(|address| match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unicast_link_local(),
    });
    found
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|a| IpAddr::from(a.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|a| IpAddr::from(a.ip())))
}
