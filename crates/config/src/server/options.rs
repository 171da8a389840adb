//! What the server does, as typed values: the part that is one for all connections.

use std::net::IpAddr;
use std::time::Duration;

use super::chat::ChatOptions;
use super::connection::ConnectionOptions;
use super::parse::Parsed;
use super::values::{Listen, MaxStartups, Penalties};
use super::{Keyword, MatchContext};
use crate::algorithms::{self, AlgorithmSets, Class};
use crate::cidr;
use crate::client::{AddressFamily, LogLevel};
use crate::error::Warning;
use crate::kind::{Keyword as _, Value};
use crate::origin::Origin;
use crate::pattern::ListMatch;
use crate::settings::{Setting, Settings};

/// What `sshd_config` and the command line come to, before a connection is known.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The ports to listen on; `origin(Keyword::Port)` tells a default from a wish.
    pub ports: Vec<u16>,
    /// The addresses to listen on; empty is all of `address_family`.
    pub listen_addresses: Vec<Listen>,
    /// Which addresses to listen on when none is named.
    pub address_family: AddressFamily,
    /// The private host key files named; empty leaves the choice to the program.
    pub host_keys: Vec<String>,
    /// The socket of the agent that has the private halves of host keys, or `SSH_AUTH_SOCK`.
    pub host_key_agent: Option<String>,
    /// The certificate files named, each for one of the host keys.
    pub host_certificates: Vec<String>,
    /// Signature algorithms for host keys, best first.
    pub host_key_algorithms: Vec<String>,
    /// Key exchange methods, best first.
    pub kex_algorithms: Vec<String>,
    /// Ciphers, best first.
    pub ciphers: Vec<String>,
    /// Message authentication codes, best first.
    pub macs: Vec<String>,
    /// How long a client may take to log in; zero is for ever.
    pub login_grace_time: Duration,
    /// How many connections may be on their way in.
    pub max_startups: MaxStartups,
    /// How many of them from one source; `None` is as many as there are.
    pub per_source_max_startups: Option<u32>,
    /// How many bits of an IPv4 address make a source.
    pub net_block_bits4: u8,
    /// How many bits of an IPv6 address make a source.
    pub net_block_bits6: u8,
    /// How long a source is refused for what it did.
    pub penalties: Penalties,
    /// TCP keepalive probes.
    pub tcp_keep_alive: bool,
    /// Compress for clients that ask for it.
    pub compression: bool,
    /// Show the message of the day.
    pub print_motd: bool,
    /// Show when the user was last here.
    pub print_last_log: bool,
    /// Check owners and modes of users' files.
    pub strict_modes: bool,
    /// Patterns of the variables that users may set for their sessions in their own files; `None` for none.
    pub permit_user_environment: Option<String>,
    /// Look up clients' names; without it host patterns see addresses only.
    pub use_dns: bool,
    /// Where the process id is written; `None` with `none`.
    pub pid_file: Option<String>,
    /// The syslog facility, such as `AUTH`.
    pub syslog_facility: String,
    /// How much to log before a connection is known.
    pub log_level: LogLevel,
    /// Text behind the version in our identification string.
    pub version_addendum: Option<String>,
    /// Show fingerprints as SHA-256 (true) or MD5 (false).
    pub fingerprint_sha256: bool,
    /// As root, a connection's process is confined by the kernel.
    pub sandbox: bool,
    /// Audit lines are JSON.
    pub log_json: bool,
    /// Passwords, questions, accounts and sessions are judged by PAM; every key still needs its word on the account.
    pub use_pam: bool,
    /// How the chat is run, where there is one.
    pub chat: ChatOptions,
    /// What was skipped and is worth a line, once.
    pub warnings: Vec<Warning>,
    pub(super) exempt: String,
    pub(super) parsed: Parsed,
    pub(super) sets: AlgorithmSets,
    pub(super) version: String,
}

impl ServerOptions {
    pub(super) fn new(parsed: Parsed, sets: AlgorithmSets, version: String, warnings: Vec<Warning>) -> Self {
        let s = &parsed.global;
        let block = s.text(Keyword::PerSourceNetBlockSize);
        let mut bits = block.split(':').map(|bits| bits.parse().unwrap_or(0));
        let mut warnings = warnings;
        for settings in std::iter::once(s).chain(parsed.blocks.iter().map(|block| &block.settings)) {
            algorithm_list(settings, Keyword::PubkeyAcceptedAlgorithms, &sets, Class::UserKey, &mut warnings);
            algorithm_list(settings, Keyword::CASignatureAlgorithms, &sets, Class::CaKey, &mut warnings);
        }
        let mut list = |keyword, class| algorithm_list(s, keyword, &sets, class, &mut warnings);
        Self {
            host_key_algorithms: list(Keyword::HostKeyAlgorithms, Class::HostKey),
            kex_algorithms: list(Keyword::KexAlgorithms, Class::Kex),
            ciphers: list(Keyword::Ciphers, Class::Cipher),
            macs: list(Keyword::MACs, Class::Mac),
            ports: s.words(Keyword::Port).iter().filter_map(|port| port.parse().ok()).collect(),
            listen_addresses: s.words(Keyword::ListenAddress).iter().filter_map(|text| Listen::parse(text)).collect(),
            address_family: AddressFamily::of(&s.text(Keyword::AddressFamily)),
            host_keys: s.words(Keyword::HostKey).into_iter().filter(|path| path != "none").collect(),
            host_key_agent: s.text_or_none(Keyword::HostKeyAgent),
            host_certificates: s.words(Keyword::HostCertificate).into_iter().filter(|path| path != "none").collect(),
            login_grace_time: span(s, Keyword::LoginGraceTime),
            max_startups: MaxStartups::parse(&s.text(Keyword::MaxStartups)).unwrap_or(MaxStartups {
                start: 100,
                rate: 30,
                full: 1000,
            }),
            per_source_max_startups: s.text_or_none(Keyword::PerSourceMaxStartups).and_then(|n| n.parse().ok()),
            net_block_bits4: bits.next().unwrap_or(32),
            net_block_bits6: bits.next().unwrap_or(64),
            penalties: Penalties::of(&s.words(Keyword::PerSourcePenalties)),
            tcp_keep_alive: s.flag(Keyword::TCPKeepAlive),
            compression: s.flag(Keyword::Compression),
            print_motd: s.flag(Keyword::PrintMotd),
            print_last_log: s.flag(Keyword::PrintLastLog),
            strict_modes: s.flag(Keyword::StrictModes),
            permit_user_environment: user_environment(&s.text(Keyword::PermitUserEnvironment)),
            use_dns: s.flag(Keyword::UseDNS),
            pid_file: s.text_or_none(Keyword::PidFile),
            syslog_facility: s.text(Keyword::SyslogFacility),
            log_level: LogLevel::of(&s.text(Keyword::LogLevel)),
            version_addendum: s.text_or_none(Keyword::VersionAddendum),
            fingerprint_sha256: s.text(Keyword::FingerprintHash) == "SHA256",
            sandbox: s.flag(Keyword::Sandbox),
            log_json: s.text(Keyword::LogFormat) == "json",
            use_pam: s.flag(Keyword::UsePAM),
            chat: ChatOptions::of(s),
            exempt: s.text(Keyword::PerSourcePenaltyExemptList),
            warnings,
            parsed,
            sets,
            version,
        }
    }

    /// Where the global value of a keyword came from.
    pub fn origin(&self, keyword: Keyword) -> Origin {
        self.parsed.global.origin(keyword)
    }

    /// Whether the global section says something else of a keyword than `other` does.
    pub fn differs(&self, other: &Self, keyword: Keyword) -> bool {
        let values = |options: &Self| -> Vec<Value> {
            options.parsed.global.all(keyword).iter().map(|setting| setting.value.clone()).collect()
        };
        values(self) != values(other)
    }

    /// True when the source never gets a penalty (PerSourcePenaltyExemptList).
    pub fn is_exempt(&self, address: IpAddr) -> bool {
        cidr::matches_list(Some(address), &self.exempt) == Ok(ListMatch::Yes)
    }

    /// What holds for one connection: the blocks whose `Match` holds override the global section, and among them the
    /// first value wins.
    pub fn resolve(&self, context: &MatchContext) -> ConnectionOptions {
        ConnectionOptions::new(&self.settings_for(Some(context)), &self.sets)
    }

    /// The least RequiredRSASize of all that the file says: whoever logs in, no smaller key counts.
    pub fn least_rsa_size(&self) -> u32 {
        let blocks = self.parsed.blocks.iter().map(|block| &block.settings);
        let sizes = blocks.filter(|settings| settings.is_set(Keyword::RequiredRSASize));
        let sizes = sizes.map(|settings| settings.number(Keyword::RequiredRSASize));
        sizes.fold(self.parsed.global.number(Keyword::RequiredRSASize), u32::min)
    }

    /// Every file of revoked keys that some connection may need, with the place that names it.
    pub fn revoked_keys_files(&self) -> Vec<(String, Origin)> {
        let sections =
            std::iter::once(&self.parsed.global).chain(self.parsed.blocks.iter().map(|block| &block.settings));
        let named = |settings: &Settings<Keyword>| {
            Some((settings.text_or_none(Keyword::RevokedKeys)?, settings.origin(Keyword::RevokedKeys)))
        };
        sections.filter_map(named).collect()
    }

    /// The global settings, with the matching blocks laid over them.
    pub(super) fn settings_for(&self, context: Option<&MatchContext>) -> Settings<Keyword> {
        let mut out = self.parsed.global.clone();
        let Some(context) = context else {
            add_sftp(&mut out);
            return out;
        };
        let mut over: Settings<Keyword> = Settings::default();
        for block in &self.parsed.blocks {
            if block.criteria.iter().all(|criterion| criterion.holds(context, &self.version)) {
                for (keyword, settings) in block.settings.iter() {
                    for setting in settings {
                        over.add(keyword, setting.value.clone(), &setting.origin);
                    }
                }
            }
        }
        for (keyword, settings) in over.iter() {
            let mut settings = settings.to_vec();
            if keyword == Keyword::Subsystem {
                settings.extend(other_subsystems(&settings, self.parsed.global.all(Keyword::Subsystem)));
            }
            out.replace(keyword, settings);
        }
        add_sftp(&mut out);
        out
    }
}

/// Files can be moved even when no line says so: `Subsystem sftp` is there, unless the configuration has its own.
fn add_sftp(settings: &mut Settings<Keyword>) {
    let is_sftp = |setting: &Setting| setting.value.to_string().split(' ').next() == Some("sftp");
    if !settings.all(Keyword::Subsystem).iter().any(is_sftp) {
        let words = ["sftp", "internal-sftp"].map(str::to_owned).to_vec();
        settings.add(Keyword::Subsystem, Value::List(words), &Origin::Default);
    }
}

/// Global subsystems whose name no matching block defines.
fn other_subsystems(over: &[Setting], global: &[Setting]) -> Vec<Setting> {
    let name = |setting: &Setting| setting.value.to_string().split(' ').next().unwrap_or_default().to_owned();
    global.iter().filter(|setting| !over.iter().any(|o| name(o) == name(setting))).cloned().collect()
}

/// `yes`, `no` or patterns.
fn user_environment(text: &str) -> Option<String> {
    match text {
        _ if text.eq_ignore_ascii_case("no") || text.eq_ignore_ascii_case("false") => None,
        _ if text.eq_ignore_ascii_case("yes") || text.eq_ignore_ascii_case("true") => Some("*".to_owned()),
        patterns => Some(patterns.to_owned()),
    }
}

pub(super) fn span(settings: &Settings<Keyword>, keyword: Keyword) -> Duration {
    Duration::from_secs(settings.number(keyword))
}

/// A list worked out, with a warning for names that had to be left out.
pub(super) fn algorithm_list(
    settings: &Settings<Keyword>,
    keyword: Keyword,
    sets: &AlgorithmSets,
    class: Class,
    warnings: &mut Vec<Warning>,
) -> Vec<String> {
    let table = sets.table(class);
    let Some(setting) = settings.first(keyword) else { return table.default.clone() };
    // The reading checked the list already, so this cannot fail; an empty list would accept nothing.
    let resolved = algorithms::resolve(&setting.value.text(), table, class).unwrap_or_default();
    if !resolved.left_out.is_empty() {
        let text = format!("{} {} cannot be used and is left out", keyword.name(), resolved.left_out.join(","));
        warnings.push(Warning { origin: setting.origin.clone(), text });
    }
    resolved.names
}
