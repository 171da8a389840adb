//! The client's name (`UseDNS yes`): looked up, and believed only when its addresses hold the client's.

use nacre_wire::text::clean_line;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::time::Duration;

/// How long both lookups may take together. A login waits for them, and a slow name server must not hold it up for ever.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest name (RFC 1035 §2.3.4).
const MAX_NAME: usize = 255;

/// The verified name of an address, in small letters; `None` when it has none or the name says otherwise. It blocks, up
/// to [`TIMEOUT`]; a lookup that takes longer is left to itself.
pub fn of(address: IpAddr) -> Option<String> {
    let (sender, answer) = mpsc::channel();
    let look_up = move || {
        // Whoever asked may have given up.
        let _ = sender.send(verified(address));
    };
    std::thread::Builder::new().name("names".into()).spawn(look_up).ok()?;
    answer.recv_timeout(TIMEOUT).unwrap_or_else(|_| {
        tracing::warn!("looking up the name of {address} takes too long; its address counts");
        None
    })
}

fn verified(address: IpAddr) -> Option<String> {
    let name = dns_lookup::lookup_addr(&address).ok()?.trim_end_matches('.').to_ascii_lowercase();
    let shown = || clean_line(name.as_bytes(), MAX_NAME);
    // A name that is an address could pass for another client's.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(plain) || name.parse::<IpAddr>().is_ok() {
        if name.parse() != Ok(address) {
            tracing::info!("the name of {address} is none: {}", shown());
        }
        return None;
    }
    let addresses = (name.as_str(), 0).to_socket_addrs().ok().into_iter().flatten();
    let holds = addresses.map(|socket| socket.ip().to_canonical()).any(|known| known == address);
    if !holds {
        tracing::warn!("address {address} maps to {}, but this does not map back to the address", shown());
    }
    holds.then_some(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_address_without_a_name_that_leads_back_has_none() {
        // TEST-NET-1 belongs to nobody (RFC 5737).
        assert_eq!(of("192.0.2.1".parse().unwrap()), None);
    }
}
