//! What a user's certificate demands and allows. What is critical and not known is refused; what is an extension and
//! not known allows nothing and is passed over (OpenSSH PROTOCOL.certkeys).

use super::{Certificate, CertificateOption, CertificateRefusal};
use nacre_wire::text::clean_line;
use std::net::IpAddr;

/// What a user's certificate demands and allows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserLimits {
    /// `force-command`: what runs whatever is asked for.
    pub force_command: Option<String>,
    /// `permit-X11-forwarding`.
    pub x11_forwarding: bool,
    /// `permit-agent-forwarding`.
    pub agent_forwarding: bool,
    /// `permit-port-forwarding`.
    pub port_forwarding: bool,
    /// `permit-pty`.
    pub pty: bool,
    /// `permit-user-rc`.
    pub user_rc: bool,
    /// `no-touch-required`: a security key's signature need not show that it was touched.
    pub no_touch_required: bool,
    /// `verify-required`: a security key's signature must show that it verified its user.
    pub verify_required: bool,
}

impl Certificate {
    fn is_of_security_key(&self) -> bool {
        self.algorithms().iter().any(|algorithm| algorithm.is_security_key())
    }

    /// What this user's certificate demands and allows, shown from `peer`. `verify-required` asks for something that
    /// only security keys can do.
    ///
    /// # Errors
    /// It is critical and not known, makes no sense, or is not met (threat A7).
    pub fn user_limits(&self, peer: IpAddr) -> Result<UserLimits, CertificateRefusal> {
        let mut limits = UserLimits::default();
        for option in &self.critical {
            let senseless = || CertificateRefusal::BadOption(option.name.clone());
            match option.name.as_str() {
                "force-command" => limits.force_command = Some(text(option).ok_or_else(senseless)?),
                "source-address" => {
                    let list = text(option).ok_or_else(senseless)?;
                    if !is_in(peer.to_canonical(), &list).ok_or_else(senseless)? {
                        return Err(CertificateRefusal::SourceAddress);
                    }
                }
                "verify-required" if self.is_of_security_key() => limits.verify_required = true,
                "verify-required" => return Err(CertificateRefusal::NeedsVerification),
                other => return Err(CertificateRefusal::UnknownCritical(clean_line(other.as_bytes(), 64))),
            }
        }
        for option in &self.extensions {
            match option.name.as_str() {
                "permit-X11-forwarding" => limits.x11_forwarding = true,
                "permit-agent-forwarding" => limits.agent_forwarding = true,
                "permit-port-forwarding" => limits.port_forwarding = true,
                "permit-pty" => limits.pty = true,
                "permit-user-rc" => limits.user_rc = true,
                "no-touch-required" => limits.no_touch_required = true,
                _ => {}
            }
        }
        Ok(limits)
    }
}

fn text(option: &CertificateOption) -> Option<String> {
    let text = std::str::from_utf8(option.string()?).ok()?;
    (!text.contains('\0')).then(|| text.to_owned())
}

/// Whether an address is in a list of addresses and networks. `None` when any item is neither: then nobody knows what
/// was meant. An empty list is no list.
fn is_in(peer: IpAddr, list: &str) -> Option<bool> {
    list.split(',')
        .map(|item| network(item).map(|network| holds(network, peer)))
        .try_fold(false, |any, one| Some(any | one?))
}

/// `ADDRESS` or `ADDRESS/BITS`, in which no bit beyond `BITS` is set.
fn network(item: &str) -> Option<(IpAddr, u32)> {
    let (address, bits) = item.split_once('/').map_or((item, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().ok()?;
    let width = if address.is_ipv4() { 32 } else { 128 };
    let bits = match bits {
        None => width,
        Some(bits) if bits.bytes().all(|b| b.is_ascii_digit()) => bits.parse().ok().filter(|bits| *bits <= width)?,
        Some(_) => return None,
    };
    let beyond = number(address).checked_shl(128 - width + bits).unwrap_or(0);
    (beyond == 0).then_some((address, bits))
}

fn holds((network, bits): (IpAddr, u32), peer: IpAddr) -> bool {
    let width = if network.is_ipv4() { 32 } else { 128 };
    let differ = number(network) ^ number(peer);
    network.is_ipv4() == peer.is_ipv4() && differ.checked_shr(width - bits).unwrap_or(0) == 0
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::is_in;

    #[test]
    fn a07_source_addresses() {
        for (peer, list, expected) in [
            ("10.1.2.3", "10.0.0.0/8", Some(true)),
            ("10.1.2.3", "10.1.2.3", Some(true)),
            ("10.1.2.4", "10.1.2.3", Some(false)),
            ("11.1.2.3", "10.0.0.0/8,192.0.2.0/24", Some(false)),
            ("192.0.2.9", "10.0.0.0/8,192.0.2.0/24", Some(true)),
            ("192.0.2.9", "0.0.0.0/0", Some(true)),
            ("2001:db8::1", "0.0.0.0/0", Some(false)),
            ("2001:db8::1", "2001:db8::/32", Some(true)),
            ("2001:db9::1", "2001:db8::/32", Some(false)),
            ("192.0.2.9", "::/0", Some(false)),
            ("2001:db8::1", "::/0", Some(true)),
            // Nobody knows what these mean, whatever stands beside them.
            ("10.1.2.3", "", None),
            ("10.1.2.3", "10.0.0.0/8,", None),
            ("10.1.2.3", "10.0.0.1/8", None),
            ("10.1.2.3", "10.0.0.0/33", None),
            ("10.1.2.3", "10.0.0.0/+8", None),
            ("10.1.2.3", "10.0.0.0/", None),
            ("10.1.2.3", "!10.0.0.0/8", None),
            ("10.1.2.3", "10.*", None),
            ("10.1.2.3", "example.org", None),
            ("10.1.2.3", "10.0.0.0/8, 192.0.2.1", None),
        ] {
            assert_eq!(is_in(peer.parse().unwrap(), list), expected, "{peer} {list}");
        }
    }
}
