//! Address lists: `192.0.2.0/24`, `2001:db8::/32`, plain addresses, wildcards and `!` (ssh_config(5), PATTERNS).

use std::fmt;
use std::net::IpAddr;

use crate::pattern::{self, ListMatch};

/// A network: an address with the host bits zero, and how many bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// A list entry that looks like an address and is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadNetwork(pub String);

impl fmt::Display for BadNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "inconsistent mask length for match network \"{}\"", self.0)
    }
}

impl std::error::Error for BadNetwork {}

impl Network {
    /// Reads `ADDRESS` or `ADDRESS/BITS`. `Ok(None)` when the text is not an address at all (a wildcard, a name).
    ///
    /// # Errors
    /// The mask is too long for the address, not a number, or leaves host bits set.
    pub fn parse(text: &str) -> Result<Option<Self>, BadNetwork> {
        let bad = || BadNetwork(text.to_owned());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let Ok(address) = address.parse::<IpAddr>() else {
            return if bits.is_some() { Err(bad()) } else { Ok(None) };
        };
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => width,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse::<u8>().ok().filter(|bits| *bits <= width).ok_or_else(bad)?
            }
            Some(_) => return Err(bad()),
        };
        let network = Self { address, bits };
        if network.masked(address) != network.value(address) { Err(bad()) } else { Ok(Some(network)) }
    }

    fn value(&self, address: IpAddr) -> u128 {
        match address {
            IpAddr::V4(v4) => u128::from(v4.to_bits()),
            IpAddr::V6(v6) => v6.to_bits(),
        }
    }

    fn masked(&self, address: IpAddr) -> u128 {
        let width: u8 = if address.is_ipv4() { 32 } else { 128 };
        let drop = u32::from(width.saturating_sub(self.bits));
        self.value(address).checked_shr(drop).and_then(|kept| kept.checked_shl(drop)).unwrap_or(0)
    }

    /// True when the address lies in the network. An IPv4 address written as IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && self.masked(address) == self.value(self.address)
    }
}

/// What a comma-separated list says about an address.
///
/// # Errors
/// An entry has an impossible mask: then the list means nothing and must not be taken for "no match".
pub fn matches_list(address: Option<IpAddr>, list: &str) -> Result<ListMatch, BadNetwork> {
    let address = address.map(|a| a.to_canonical());
    let text = address.map(|a| a.to_string());
    let mut found = ListMatch::No;
    for item in list.split(',') {
        let (negated, item) = match item.strip_prefix('!') {
            Some(item) => (true, item),
            None => (false, item),
        };
        if item.is_empty() {
            return Err(BadNetwork(list.to_owned()));
        }
        let hit = match Network::parse(item)? {
            Some(network) => address.is_some_and(|a| network.contains(a)),
            None => text.as_deref().is_some_and(|t| pattern::matches(t, item)),
        };
        match (hit, negated, found) {
            // Everything is read to the end, so that a bad mask is found whoever connects.
            (true, true, _) => found = ListMatch::Negated,
            (true, false, ListMatch::No) => found = ListMatch::Yes,
            _ => {}
        }
    }
    Ok(found)
}

/// OpenSSH's `from=` and `USER@HOST` rule: a list of host patterns and networks, where either the name or the
/// address must match and neither may be negated. Without a name (reverse look-up off) only the address counts.
///
/// # Errors
/// An entry has an impossible mask.
pub fn matches_host_or_address(host: Option<&str>, address: IpAddr, list: &str) -> Result<bool, BadNetwork> {
    let by_address = matches_list(Some(address), list)?;
    if by_address == ListMatch::Negated {
        return Ok(false);
    }
    let canonical = address.to_canonical().to_string();
    let by_name = pattern::matches_host(host.unwrap_or(&canonical), list);
    Ok(by_name != ListMatch::Negated && (by_name == ListMatch::Yes || by_address == ListMatch::Yes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(address: &str, list: &str) -> Result<ListMatch, BadNetwork> {
        matches_list(Some(address.parse().unwrap()), list)
    }

    #[test]
    fn networks_wildcards_and_negation() {
        for (address, list, wanted) in [
            ("192.0.2.7", "192.0.2.0/24", ListMatch::Yes),
            ("192.0.3.7", "192.0.2.0/24", ListMatch::No),
            ("192.0.2.7", "192.0.2.7", ListMatch::Yes),
            ("192.0.2.7", "192.0.2.*", ListMatch::Yes),
            ("192.0.2.7", "192.0.2.0/24,!192.0.2.7", ListMatch::Negated),
            ("192.0.2.7", "!192.0.2.7,192.0.2.0/24", ListMatch::Negated),
            ("192.0.2.8", "!192.0.2.7,192.0.2.0/24", ListMatch::Yes),
            ("192.0.2.7", "0.0.0.0/0", ListMatch::Yes),
            ("2001:db8::5", "2001:db8::/32", ListMatch::Yes),
            ("2001:db9::5", "2001:db8::/32", ListMatch::No),
            ("2001:db8::5", "::/0", ListMatch::Yes),
            ("192.0.2.7", "::/0", ListMatch::No),
            ("::ffff:192.0.2.7", "192.0.2.0/24", ListMatch::Yes),
        ] {
            assert_eq!(of(address, list).unwrap(), wanted, "{address} in {list}");
        }
    }

    #[test]
    fn impossible_masks_are_errors() {
        for list in
            ["192.0.2.0/33", "192.0.2.0/8", "2001:db8::/129", "192.0.2.0/", "192.0.2.0/+8", "x/8", "", "!", "a,,b"]
        {
            assert!(of("192.0.2.7", list).is_err(), "{list:?}");
        }
        assert!(of("192.0.2.7", "!192.0.2.7,192.0.2.0/33").is_err());
    }

    #[test]
    fn name_or_address() {
        let at = |host, list| matches_host_or_address(host, "192.0.2.7".parse().unwrap(), list).unwrap();
        assert!(at(Some("web.example.com"), "*.example.com"));
        assert!(at(Some("web.example.com"), "192.0.2.0/24"));
        assert!(!at(Some("web.example.com"), "192.0.2.0/24,!web.*"));
        assert!(!at(Some("web.example.com"), "*.example.com,!192.0.2.7"));
        assert!(!at(None, "*.example.com"));
        assert!(at(None, "192.0.2.*"));
        assert!(!at(Some("web"), "!other"));
    }
}
