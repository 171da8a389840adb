//! Whom a connection is counted against: the network around its address, not the address.
//!
//! One customer of an IPv6 provider holds at least a /64, so counting single addresses would count nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const V4_BITS: u8 = 32;
const V6_BITS: u8 = 128;

/// The network a peer is counted under (sshd_config's `PerSourceNetBlockSize`): its address with the host bits zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Source(IpAddr);

impl Source {
    /// The source of `addr`, given how many leading bits count (IPv4, IPv6).
    pub(super) fn of(addr: IpAddr, (v4, v6): (u8, u8)) -> Self {
        let addr = addr.to_canonical();
        Self(masked(addr, if addr.is_ipv4() { v4 } else { v6 }))
    }

    pub(super) fn is_ipv4(self) -> bool {
        self.0.is_ipv4()
    }
}

/// True when `addr` lies in the network `(address, prefix bits)`. Host bits set in the network's address are ignored,
/// and a network written in IPv4-mapped IPv6 (`::ffff:192.0.2.0/120`) is the IPv4 network it maps.
pub(super) fn contains((network, bits): (IpAddr, u8), addr: IpAddr) -> bool {
    let mapped_bits = V6_BITS - V4_BITS;
    let (network, bits) = match (network, network.to_canonical()) {
        (IpAddr::V6(_), canonical @ IpAddr::V4(_)) if bits >= mapped_bits => (canonical, bits - mapped_bits),
        _ => (network, bits),
    };
    let addr = addr.to_canonical();
    addr.is_ipv4() == network.is_ipv4() && masked(addr, bits) == masked(network, bits)
}

/// `addr` with only its first `bits` bits kept; more bits than the address has keep it whole.
fn masked(addr: IpAddr, bits: u8) -> IpAddr {
    match addr {
        IpAddr::V4(v4) => {
            let host_bits = u32::from(V4_BITS.saturating_sub(bits));
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & u32::MAX.checked_shl(host_bits).unwrap_or(0)))
        }
        IpAddr::V6(v6) => {
            let host_bits = u32::from(V6_BITS.saturating_sub(bits));
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & u128::MAX.checked_shl(host_bits).unwrap_or(0)))
        }
    }
}
