//! `ssh -G`: every value that holds, and with `--why` where it came from.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{ClientOptions, Forward, ForwardKind, IdentityAgent, Keyword, LogLevel, UpdateHostKeys};
use crate::kind::Keyword as _;
use crate::origin::Origin;

impl ClientOptions {
    /// What `ssh -G` prints: a keyword in lower case and its value on each line, in OpenSSH's order.
    pub fn dump(&self) -> String {
        self.write_dump(|out, keyword, value, _| writeln!(out, "{keyword} {value}"))
    }

    /// [`Self::dump`] with the origin behind each value, as a comment.
    pub fn dump_why(&self) -> String {
        self.write_dump(|out, keyword, value, origin| writeln!(out, "{keyword} {value} # {origin}"))
    }

    fn write_dump(&self, line: impl Fn(&mut String, &str, &str, &Origin) -> std::fmt::Result) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = line(&mut out, "host", &self.original_host, &Origin::CommandLine);
        for keyword in Keyword::ALL {
            let name = match keyword {
                Keyword::CanonicalizePermittedCNAMEs => "canonicalizePermittedcnames".to_owned(),
                other => other.name().to_ascii_lowercase(),
            };
            for (value, origin) in self.lines(*keyword) {
                let _ = line(&mut out, &name, &value, &origin);
            }
        }
        out
    }

    /// The printed values of a keyword, each with its origin; none when there is nothing to print.
    pub(super) fn lines(&self, keyword: Keyword) -> Vec<(String, Origin)> {
        let origin = self.settings.origin(keyword);
        if let Some(lines) = self.effective.get(&keyword) {
            let settings = self.settings.all(keyword);
            let at = |index: usize| match settings.len() == lines.len() {
                true => settings.get(index).map(|s| s.origin.clone()).unwrap_or_default(),
                false => origin.clone(),
            };
            return lines.iter().enumerate().map(|(index, line)| (line.clone(), at(index))).collect();
        }
        match keyword {
            Keyword::Host | Keyword::Match | Keyword::Include | Keyword::Protocol => Vec::new(),
            // As with OpenSSH what is turned off has no line, where the word for it is `none`.
            Keyword::ProxyJump | Keyword::ProxyCommand | Keyword::ControlPath | Keyword::KnownHostsCommand
                if self.settings.text_or_none(keyword).is_none() =>
            {
                Vec::new()
            }
            _ if self.settings.is_set(keyword) => {
                self.settings.all(keyword).iter().map(|s| (s.value.to_string(), s.origin.clone())).collect()
            }
            _ => Some(keyword.row().default)
                .filter(|value| !value.is_empty())
                .map(|value| (value.to_owned(), Origin::Default))
                .into_iter()
                .collect(),
        }
    }

    /// The printed values that are worked out rather than written.
    pub(super) fn effective(&self) -> BTreeMap<Keyword, Vec<String>> {
        let one = |value: &str| vec![value.to_owned()];
        let some = |value: Option<String>| value.into_iter().collect::<Vec<_>>();
        let mut out = BTreeMap::from([
            (Keyword::User, one(&self.user)),
            (Keyword::HostName, one(&self.host_name)),
            (Keyword::Ciphers, one(&self.ciphers.join(","))),
            (Keyword::KexAlgorithms, one(&self.kex_algorithms.join(","))),
            (Keyword::MACs, one(&self.macs.join(","))),
            (Keyword::HostKeyAlgorithms, one(&self.host_key_algorithms.join(","))),
            (Keyword::PubkeyAcceptedAlgorithms, one(&self.pubkey_accepted_algorithms.join(","))),
            (Keyword::CASignatureAlgorithms, one(&self.ca_signature_algorithms.join(","))),
            (Keyword::SendEnv, self.send_env.clone()),
            (Keyword::SetEnv, self.set_env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
            (Keyword::HostKeyAlias, some(self.host_key_alias.clone())),
            (Keyword::RemoteCommand, some(self.remote_command.clone())),
        ]);
        if !self.user_known_hosts_files.is_empty() {
            out.insert(Keyword::UserKnownHostsFile, one(&self.user_known_hosts_files.join(" ")));
        }
        if let Some(path) = &self.revoked_host_keys {
            out.insert(Keyword::RevokedHostKeys, one(path));
        }
        if let IdentityAgent::Path(path) = &self.identity_agent {
            out.insert(Keyword::IdentityAgent, one(path));
        }
        if !self.identity_files_set {
            let names = super::options::DEFAULT_IDENTITIES;
            out.insert(Keyword::IdentityFile, names.iter().map(|name| format!("~/.ssh/{name}")).collect());
        }
        if let Some(IdentityAgent::Path(path)) = &self.forward_agent
            && !self.settings.flag(Keyword::ForwardAgent)
        {
            out.insert(Keyword::ForwardAgent, one(path));
        }
        if self.log_level == LogLevel::Quiet {
            out.insert(Keyword::LogLevel, one("SILENT"));
        }
        if self.update_host_keys == UpdateHostKeys::No && !self.settings.is_set(Keyword::UpdateHostKeys) {
            out.insert(Keyword::UpdateHostKeys, one("false"));
        }
        if !self.proxy_jump.is_empty() {
            out.insert(Keyword::ProxyUseFdpass, one("no"));
        }
        if let Some(path) = &self.control_path {
            out.insert(Keyword::ControlPath, one(path));
        }
        for (keyword, kind) in ForwardKind::KEYWORDS {
            let lines = self.forwards.iter().filter(|(other, _)| *other == kind);
            let socks = |forward: &Forward| kind == ForwardKind::Remote && forward.connect.is_none();
            let line = |forward: &Forward| format!("{forward}{}", if socks(forward) { " [socks]:0" } else { "" });
            out.insert(keyword, lines.map(|(_, forward)| line(forward)).collect());
        }
        out
    }
}
