//! CanonicalizeHostname: short names made whole by the domains listed (ssh_config(5)).

use std::net::IpAddr;

use super::Keyword;
use crate::error::{ConfigError, ErrorKind};
use crate::pattern::{self, ListMatch};
use crate::settings::Settings;
use crate::world::World;

/// What the settings of the first reading ask for.
pub(super) struct Canonicalize<'a> {
    pub settings: &'a Settings<Keyword>,
    pub world: &'a dyn World,
}

impl Canonicalize<'_> {
    /// The whole name; `None` leaves the host as it is.
    ///
    /// # Errors
    /// No domain has the name, and CanonicalizeFallbackLocal is `no`.
    pub fn name(&self, host: &str) -> Result<Option<String>, ConfigError> {
        let wanted = self.settings.text(Keyword::CanonicalizeHostname);
        if wanted == "false" || host.parse::<IpAddr>().is_ok() {
            return Ok(None);
        }
        // Who goes through something else leaves names to that.
        if !self.is_direct() && wanted != "always" {
            return Ok(None);
        }
        if let Some(anchored) = host.strip_suffix('.') {
            return Ok(self.world.canonical_name(host).map(|_| anchored.to_owned()));
        }
        let dots = host.matches('.').count();
        if dots > self.settings.number::<usize>(Keyword::CanonicalizeMaxDots) {
            return Ok(self.alias(host));
        }
        for domain in self.settings.words(Keyword::CanonicalDomains) {
            if domain.eq_ignore_ascii_case("none") {
                break;
            }
            let full = format!("{host}.{}", domain.trim_end_matches('.')).to_ascii_lowercase();
            // With a dot at its end no other domain is tried behind it.
            if let Some(found) = self.world.canonical_name(&format!("{full}.")) {
                return Ok(Some(self.follow(&full, &found).unwrap_or(full)));
            }
        }
        if self.settings.flag(Keyword::CanonicalizeFallbackLocal) {
            return Ok(self.alias(host));
        }
        let origin = self.settings.origin(Keyword::CanonicalizeFallbackLocal);
        Err(ConfigError::new(&origin, ErrorKind::NoCanonicalName { host: host.to_owned() }))
    }

    fn is_direct(&self) -> bool {
        let none = |keyword| self.settings.text_or_none(keyword).is_none();
        none(Keyword::ProxyCommand) && none(Keyword::ProxyJump)
    }

    fn rules(&self) -> Vec<String> {
        let rules = self.settings.words(Keyword::CanonicalizePermittedCNAMEs);
        rules.into_iter().filter(|rule| !rule.eq_ignore_ascii_case("none")).collect()
    }

    /// A name that stays as it is, unless it is an alias that may be followed.
    fn alias(&self, host: &str) -> Option<String> {
        if self.rules().is_empty() || !self.is_direct() {
            return None;
        }
        self.follow(host, &self.world.canonical_name(host)?)
    }

    /// The name that an alias stands for, where CanonicalizePermittedCNAMEs has a rule for the two.
    fn follow(&self, host: &str, found: &str) -> Option<String> {
        let target = found.trim_end_matches('.').to_ascii_lowercase();
        let rules = self.rules();
        let matches = |name: &str, list: &str| pattern::matches_list(name, list, true) == ListMatch::Yes;
        let permits =
            |rule: &String| rule.split_once(':').is_some_and(|(from, to)| matches(host, from) && matches(&target, to));
        (self.is_direct() && target != host && rules.iter().any(permits)).then_some(target)
    }
}
