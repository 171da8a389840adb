//! Ranges of addresses: `ADDRESS/BITS` is every address from that one to the last of its network.

use std::net::IpAddr;

/// The largest range, in bits: an IPv4 network of `/8`.
const MAX_BITS: u32 = 24;

/// First and last address; never kept as a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    first: IpAddr,
    last: IpAddr,
}

impl Range {
    /// `None` for a name or a single address.
    ///
    /// # Errors
    /// The range is larger than anybody can want to scan.
    pub fn read(text: &str) -> Result<Option<Self>, String> {
        let parts = text.split_once('/').and_then(|(address, bits)| Some((address.parse().ok()?, bits.parse().ok()?)));
        let Some((first, bits)) = parts else { return Ok(None) };
        let width = if matches!(first, IpAddr::V4(_)) { 32 } else { 128 };
        let Some(free) = u32::checked_sub(width, bits) else { return Ok(None) };
        if free > MAX_BITS {
            return Err(format!("{text}: no more than 2^{MAX_BITS} addresses are scanned; name smaller ranges"));
        }
        let rest = (1u32 << free) - 1;
        let last = match first {
            IpAddr::V4(address) => IpAddr::V4((u32::from(address) | rest).into()),
            IpAddr::V6(address) => IpAddr::V6((u128::from(address) | u128::from(rest)).into()),
        };
        Ok(Some(Self { first, last }))
    }

    /// Its addresses in order.
    pub fn addresses(self) -> impl Iterator<Item = String> {
        let number = |address| match address {
            IpAddr::V4(address) => u128::from(u32::from(address)),
            IpAddr::V6(address) => u128::from(address),
        };
        (number(self.first)..=number(self.last)).map(move |number| match u32::try_from(number) {
            Ok(number) if self.first.is_ipv4() => std::net::Ipv4Addr::from(number).to_string(),
            _ => std::net::Ipv6Addr::from(number).to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ranges_are_their_addresses() {
        let of = |text| Range::read(text).unwrap().map(|range| range.addresses().collect::<Vec<_>>().join(" "));
        for (text, expected) in [
            ("127.0.0.1/32", Some("127.0.0.1")),
            ("192.168.11.0/30", Some("192.168.11.0 192.168.11.1 192.168.11.2 192.168.11.3")),
            ("192.168.11.2/30", Some("192.168.11.2 192.168.11.3")),
            ("255.255.255.255/31", Some("255.255.255.255")),
            ("::1/127", Some("::1")),
            ("::ffff:0/127", Some("::ffff:0 ::ffff:1")),
            ("127.0.0.1", None),
            ("127.0.0.1/33", None),
            ("127.0.0.1/", None),
            ("host/24", None),
        ] {
            assert_eq!(of(text).as_deref(), expected, "{text}");
        }
        assert_eq!(Range::read("10.0.0.0/8").unwrap().unwrap().addresses().count(), 1 << 24);
        for large in ["0.0.0.0/7", "::/64", "::/0"] {
            assert!(Range::read(large).unwrap_err().contains("smaller"), "{large}");
        }
    }
}
