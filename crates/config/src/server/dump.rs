//! `sshd -T`: every value that holds, and with `--why` where it came from.

use std::fmt::Write;

use super::values::{Listen, Penalties};
use super::{Keyword, MatchContext, ServerOptions};
use crate::algorithms::Class;
use crate::client::AddressFamily;
use crate::kind::Keyword as _;
use crate::origin::Origin;
use crate::settings::Settings;

impl ServerOptions {
    /// What `sshd -T` prints; with a context (`-C`) for that connection.
    pub fn dump(&self, context: Option<&MatchContext>) -> String {
        self.write_dump(context, |out, keyword, value, _| writeln!(out, "{keyword} {value}"))
    }

    /// [`Self::dump`] with the origin behind each value, as a comment.
    pub fn dump_why(&self, context: Option<&MatchContext>) -> String {
        self.write_dump(context, |out, keyword, value, origin| writeln!(out, "{keyword} {value} # {origin}"))
    }

    fn write_dump(
        &self,
        context: Option<&MatchContext>,
        line: impl Fn(&mut String, &str, &str, &Origin) -> std::fmt::Result,
    ) -> String {
        let settings = self.settings_for(context);
        let mut out = String::new();
        for keyword in Keyword::ALL {
            for (value, origin) in self.lines(&settings, *keyword) {
                // Writing to a String cannot fail.
                let _ = line(&mut out, &keyword.name().to_ascii_lowercase(), &value, &origin);
            }
        }
        out
    }

    /// The printed values of a keyword, each with its origin.
    fn lines(&self, settings: &Settings<Keyword>, keyword: Keyword) -> Vec<(String, Origin)> {
        let list = |class| {
            let text = settings.text(keyword);
            let table = self.sets.table(class);
            let names = match text.as_str() {
                "" => table.default.clone(),
                spec => crate::algorithms::resolve(spec, table, class).unwrap_or_default().names,
            };
            vec![(names.join(","), settings.origin(keyword))]
        };
        match keyword {
            Keyword::Match | Keyword::Include | Keyword::Protocol => Vec::new(),
            Keyword::ListenAddress => self.listen_lines(settings),
            Keyword::Ciphers => list(Class::Cipher),
            Keyword::MACs => list(Class::Mac),
            Keyword::KexAlgorithms => list(Class::Kex),
            Keyword::HostKeyAlgorithms => list(Class::HostKey),
            Keyword::PubkeyAcceptedAlgorithms => list(Class::UserKey),
            Keyword::CASignatureAlgorithms => list(Class::CaKey),
            Keyword::PerSourcePenalties => {
                vec![(Penalties::of(&settings.words(keyword)).printed(), settings.origin(keyword))]
            }
            // One name on each line, however they were written.
            Keyword::AllowUsers
            | Keyword::DenyUsers
            | Keyword::AllowGroups
            | Keyword::DenyGroups
            | Keyword::AcceptEnv
            | Keyword::SetEnv => {
                let each = |s: &crate::settings::Setting| match &s.value {
                    crate::kind::Value::List(words) => {
                        words.iter().map(|word| (word.clone(), s.origin.clone())).collect::<Vec<_>>()
                    }
                    other => vec![(other.to_string(), s.origin.clone())],
                };
                settings.all(keyword).iter().flat_map(each).collect()
            }
            _ if settings.is_set(keyword) => {
                settings.all(keyword).iter().map(|s| (s.value.to_string(), s.origin.clone())).collect()
            }
            _ => Some(keyword.row().default)
                .filter(|value| !value.is_empty())
                .map(|value| (value.to_owned(), Origin::Default))
                .into_iter()
                .collect(),
        }
    }

    fn listen_lines(&self, settings: &Settings<Keyword>) -> Vec<(String, Origin)> {
        let named = settings.all(Keyword::ListenAddress).iter();
        let mut addresses: Vec<(Listen, Origin)> =
            named.filter_map(|s| Some((Listen::parse(&s.value.text())?, s.origin.clone()))).collect();
        if addresses.is_empty() {
            let wild = |host: &str| (Listen { host: host.to_owned(), port: None }, Origin::Default);
            if self.address_family != AddressFamily::Inet {
                addresses.push(wild("::"));
            }
            if self.address_family != AddressFamily::Inet6 {
                addresses.push(wild("0.0.0.0"));
            }
        }
        let show = |host: &str, port: u16| match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        let ports = |listen: &Listen| listen.port.map_or_else(|| self.ports.clone(), |port| vec![port]);
        addresses
            .iter()
            .flat_map(|(listen, origin)| {
                ports(listen).into_iter().map(|port| (show(&listen.host, port), origin.clone())).collect::<Vec<_>>()
            })
            .collect()
    }
}
