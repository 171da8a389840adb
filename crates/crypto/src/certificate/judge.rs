//! Whether a certificate is good for what it is shown for.

use super::{Certificate, CertificateKind, CertificateRefusal};
use nacre_wire::pattern;

impl Certificate {
    /// Whether it is of this kind, valid at `now` (seconds since 1970), and names anybody at all.
    ///
    /// # Errors
    /// It is not; says why. Names and options are still to be looked at.
    pub fn check(&self, kind: CertificateKind, now: u64) -> Result<(), CertificateRefusal> {
        if self.kind != kind {
            return Err(CertificateRefusal::WrongKind(self.kind));
        }
        if now < self.valid_after {
            return Err(CertificateRefusal::NotYetValid);
        }
        if now >= self.valid_before {
            return Err(CertificateRefusal::Expired);
        }
        if self.principals.is_empty() { Err(CertificateRefusal::NoPrincipals) } else { Ok(()) }
    }

    /// Whether it names this user: letter for letter, nothing stands for others.
    pub fn names_user(&self, user: &str) -> bool {
        self.principals.iter().any(|name| name == user)
    }

    /// Whether a host may show it under this name: the whole of [`Certificate::check`], and one of the names matches,
    /// in which `*` and `?` stand for others. Nothing that is critical is known of hosts.
    ///
    /// # Errors
    /// It is not good for that; says why.
    pub fn check_host(&self, host: &str, now: u64) -> Result<(), CertificateRefusal> {
        self.check(CertificateKind::Host, now)?;
        if let Some(option) = self.critical.first() {
            return Err(CertificateRefusal::UnknownCritical(nacre_wire::text::clean_line(option.name.as_bytes(), 64)));
        }
        let named = self.principals.iter().any(|pattern| matches(host.as_bytes(), pattern.as_bytes()));
        if named { Ok(()) } else { Err(CertificateRefusal::WrongPrincipal) }
    }
}

/// A host's name against a pattern; case does not count.
fn matches(text: &[u8], pattern: &[u8]) -> bool {
    pattern::matches(&pattern.to_ascii_lowercase(), &text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn h07_patterns_of_host_names() {
        for (text, pattern, right) in [
            ("web.example.org", "web.example.org", true),
            ("web.example.org", "WEB.example.org", true),
            ("web.example.org", "*.example.org", true),
            ("example.org", "*.example.org", false),
            ("web.example.org.evil", "*.example.org", false),
            ("web1", "web?", true),
            ("web", "web?", false),
            ("aXbXc", "a*b*c", true),
            ("ab", "a*b*c", false),
            ("", "*", true),
            ("", "", true),
            ("a", "", false),
            ("aaab", "*ab", true),
        ] {
            assert_eq!(matches(text.as_bytes(), pattern.as_bytes()), right, "{text} {pattern}");
        }
        let long = "a".repeat(2000);
        assert!(!matches(long.as_bytes(), "*a*a*a*a*a*a*a*b".as_bytes()));
    }
}
