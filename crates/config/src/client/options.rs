//! What the client does, as typed values.

use std::collections::BTreeMap;
use std::time::Duration;

use super::parse::Invocation;
use super::readers::obscure_interval;
use super::{Endpoint, Forward, ForwardKind, JumpHost, Keyword, KnownHostsCommand, names, tokens};
use crate::algorithms::{self, AlgorithmSets, Class};
use crate::authorized_keys::PermitTarget;
use crate::channel_timeout::ChannelTimeouts;
use crate::error::{ConfigError, ErrorKind, Errors, Warning};
use crate::expand::{self, Tokens};
use crate::kind::Keyword as _;
use crate::origin::Origin;
use crate::settings::Settings;
use crate::time::RekeyLimit;
use crate::words;
use crate::world::World;

use super::values::{
    AddKeysToAgent, AddressFamily, ControlMaster, IdentityAgent, LogLevel, RequestTty, SessionType,
    StrictHostKeyChecking, UpdateHostKeys,
};

/// The private keys tried when no IdentityFile is set.
pub(super) const DEFAULT_IDENTITIES: [&str; 5] = ["id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk"];

/// What `ssh_config` and the command line come to for one host. Paths and commands have their tokens filled in.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// The host as typed (`%n`).
    pub original_host: String,
    /// The name or address to connect to.
    pub host_name: String,
    /// The user to log in as.
    pub user: String,
    /// The port to connect to.
    pub port: u16,
    /// Which addresses of the host to try.
    pub address_family: AddressFamily,
    /// The local address to connect from.
    pub bind_address: Option<String>,
    /// How long to wait for a connection.
    pub connect_timeout: Option<Duration>,
    /// How often to try.
    pub connection_attempts: u32,
    /// TCP keepalive probes.
    pub tcp_keep_alive: bool,
    /// Ask for compression.
    pub compression: bool,
    /// Ask the server for a sign of life after this long without one; zero is never.
    pub server_alive_interval: Duration,
    /// Give up after this many unanswered questions.
    pub server_alive_count_max: u32,
    /// Traffic class for sessions with a terminal; `None` leaves the system's.
    pub ip_qos_interactive: Option<u8>,
    /// Traffic class for everything else.
    pub ip_qos_bulk: Option<u8>,
    /// Private keys to try, in order; `identity_files_set` says whether somebody named them.
    pub identity_files: Vec<String>,
    /// False when `identity_files` are the defaults, whose absence is no news.
    pub identity_files_set: bool,
    /// Only the keys in `identity_files`, even when the agent has more.
    pub identities_only: bool,
    /// Where the agent is.
    pub identity_agent: IdentityAgent,
    /// The agent that is forwarded to the other machine, if one is.
    pub forward_agent: Option<IdentityAgent>,
    /// Whether to give keys to the agent after reading them.
    pub add_keys_to_agent: AddKeysToAgent,
    /// Certificates to show.
    pub certificate_files: Vec<String>,
    /// What to do about unknown and changed host keys.
    pub strict_host_key_checking: StrictHostKeyChecking,
    /// The user's known_hosts files; the first is written to. Empty with `none`.
    pub user_known_hosts_files: Vec<String>,
    /// The machine's known_hosts files.
    pub global_known_hosts_files: Vec<String>,
    /// A file of host keys that are never taken.
    pub revoked_host_keys: Option<String>,
    /// The name host keys are recorded under instead of the host's, in lower case.
    pub host_key_alias: Option<String>,
    /// Record host names hashed.
    pub hash_known_hosts: bool,
    /// Compare the address's record too.
    pub check_host_ip: bool,
    /// Learn the server's other host keys.
    pub update_host_keys: UpdateHostKeys,
    /// Take any key from this machine itself.
    pub no_host_authentication_for_localhost: bool,
    /// Draw the host key.
    pub visual_host_key: bool,
    /// Show fingerprints as SHA-256 (true) or MD5 (false).
    pub fingerprint_sha256: bool,
    /// The least bits of an RSA key.
    pub required_rsa_size: u32,
    /// Signature algorithms for the host key, best first.
    pub host_key_algorithms: Vec<String>,
    /// True when HostKeyAlgorithms was set to a full list: then it is not reordered by what is on record.
    pub host_key_algorithms_set: bool,
    /// What CAs may sign host certificates with.
    pub ca_signature_algorithms: Vec<String>,
    /// Signature algorithms for the user's keys.
    pub pubkey_accepted_algorithms: Vec<String>,
    /// Key exchange methods, best first.
    pub kex_algorithms: Vec<String>,
    /// Ciphers, best first.
    pub ciphers: Vec<String>,
    /// Message authentication codes, best first.
    pub macs: Vec<String>,
    /// Tell of a key exchange that a quantum computer could break.
    pub warn_weak_crypto: bool,
    /// When to renew keys.
    pub rekey_limit: RekeyLimit,
    /// How long channels may carry nothing.
    pub channel_timeouts: ChannelTimeouts,
    /// The methods to try, in order, when set.
    pub preferred_authentications: Option<Vec<String>>,
    /// Log in with keys.
    pub pubkey_authentication: bool,
    /// Log in with a password.
    pub password_authentication: bool,
    /// Log in by answering the server's questions.
    pub kbd_interactive_authentication: bool,
    /// Leave a server that lets a login in without any credential (`RefuseNoneAuth`, our own keyword; threat H9).
    pub refuse_none_auth: bool,
    /// Never ask the person.
    pub batch_mode: bool,
    /// How often to ask for a password.
    pub number_of_password_prompts: u32,
    /// Whether to ask for a terminal.
    pub request_tty: RequestTty,
    /// The command to run instead of a shell; the command line's own command comes first.
    pub remote_command: Option<String>,
    /// Shell, subsystem or nothing.
    pub session_type: SessionType,
    /// Read nothing from standard input.
    pub stdin_null: bool,
    /// Go to the background after the login.
    pub fork_after_authentication: bool,
    /// Patterns of the variables to send.
    pub send_env: Vec<String>,
    /// Variables to send with these values.
    pub set_env: Vec<(String, String)>,
    /// The escape character; `None` when there is none.
    pub escape_char: Option<u8>,
    /// Whether `~C` opens a command line.
    pub enable_escape_commandline: bool,
    /// How much to say.
    pub log_level: LogLevel,
    /// The name that `Match tagged` looks at.
    pub tag: Option<String>,
    /// Text behind the version in our identification string.
    pub version_addendum: Option<String>,
    /// A reason to refuse to connect at all (RefuseConnection).
    pub refuse_connection: Option<String>,
    /// Where connections are shared, if they are.
    pub control_path: Option<String>,
    /// Forwardings asked for, all three kinds; empty with ClearAllForwardings.
    pub forwards: Vec<(ForwardKind, Forward)>,
    /// A forwarding that cannot be made ends the connection.
    pub exit_on_forward_failure: bool,
    /// Whether others may use our listeners.
    pub gateway_ports: bool,
    /// Where a server's clients may go through `RemoteForward` without a target (PermitRemoteOpen).
    pub permit_remote_open: Vec<PermitTarget>,
    /// True when they may go everywhere; then the list is empty.
    pub permit_remote_open_any: bool,
    /// The permission bits that a socket made for forwarding does not get.
    pub stream_local_bind_mask: u32,
    /// A socket that is there already makes way.
    pub stream_local_bind_unlink: bool,
    /// The stops on the way.
    pub proxy_jump: Vec<JumpHost>,
    /// The command that makes the connection.
    pub proxy_command: Option<String>,
    /// `proxy_command` makes a socket and hands it over, and carries nothing itself.
    pub proxy_use_fdpass: bool,
    /// Typing leaves at ticks this far apart, with chaff between; `None` sends it as it comes.
    pub obscure_keystroke_timing: Option<Duration>,
    /// The interface to connect from, by the address it has.
    pub bind_interface: Option<String>,
    /// The devices to name at keyboard-interactive.
    pub kbd_interactive_devices: Option<String>,
    /// A program that tells host keys.
    pub known_hosts_command: Option<KnownHostsCommand>,
    /// Where the system log puts messages (`-y`), by its printed word.
    pub syslog_facility: String,
    /// The command to run here after the login; only with `permit_local_command`.
    pub local_command: Option<String>,
    /// Whether `local_command` may run.
    pub permit_local_command: bool,
    /// Whether the connection is shared.
    pub control_master: ControlMaster,
    /// How long a shared connection stays when nobody uses it: zero for ever, `None` no longer than its first session.
    pub control_persist: Option<Duration>,
    /// What was skipped and is worth a line, once.
    pub warnings: Vec<Warning>,
    pub(super) settings: Settings<Keyword>,
    /// Printed values that are not simply those of the settings.
    pub(super) effective: BTreeMap<Keyword, Vec<String>>,
}

impl ClientOptions {
    /// Where a keyword's value came from.
    pub fn origin(&self, keyword: Keyword) -> Origin {
        self.settings.origin(keyword)
    }

    /// The value of any keyword as `ssh -G` prints it: for those without a field of their own.
    pub fn printed(&self, keyword: Keyword) -> Vec<String> {
        self.lines(keyword).into_iter().map(|(value, _)| value).collect()
    }
}

/// Makes the options out of the settings.
pub(super) struct Builder<'a> {
    pub world: &'a dyn World,
    pub sets: &'a AlgorithmSets,
    pub invocation: &'a Invocation,
    pub settings: Settings<Keyword>,
    pub host: String,
    pub warnings: Vec<Warning>,
}

impl Builder<'_> {
    fn flag(&self, keyword: Keyword) -> bool {
        self.settings.flag(keyword)
    }

    fn number(&self, keyword: Keyword) -> u32 {
        self.settings.number(keyword)
    }

    fn span(&self, keyword: Keyword) -> Duration {
        Duration::from_secs(self.settings.number(keyword))
    }

    fn error(&self, keyword: Keyword, reason: String) -> ConfigError {
        let kind = ErrorKind::BadExpansion { keyword: keyword.name(), reason };
        ConfigError::new(&self.settings.origin(keyword), kind)
    }

    fn expand(&self, keyword: Keyword, text: &str, tokens: &Tokens) -> Result<String, ConfigError> {
        expand::expand(text, tokens, Some(self.world)).map_err(|reason| self.error(keyword, reason))
    }

    /// A path: `~` first, then tokens and variables, as OpenSSH does it.
    fn path(&self, keyword: Keyword, text: &str, tokens: &Tokens) -> Result<String, ConfigError> {
        let text = expand::tilde(text, self.world).map_err(|reason| self.error(keyword, reason))?;
        self.expand(keyword, &text, tokens)
    }

    fn paths(&self, keyword: Keyword, tokens: &Tokens) -> Result<Vec<String>, ConfigError> {
        let words = self.settings.words(keyword).into_iter().filter(|word| !word.eq_ignore_ascii_case("none"));
        words.map(|word| self.path(keyword, &word, tokens)).collect()
    }

    fn algorithms(&mut self, keyword: Keyword, class: Class) -> Vec<String> {
        let table = self.sets.table(class);
        let Some(setting) = self.settings.first(keyword) else { return table.default.clone() };
        // The reading checked the list already, so this cannot fail; an empty list would refuse to connect.
        let resolved = algorithms::resolve(&setting.value.text(), table, class).unwrap_or_default();
        if !resolved.left_out.is_empty() {
            let text = format!("{} {} cannot be used and is left out", keyword.name(), resolved.left_out.join(","));
            self.warnings.push(Warning { origin: setting.origin.clone(), text });
        }
        resolved.names
    }

    fn user(&self, facts: &tokens::Facts<'_>) -> Result<String, ConfigError> {
        let Some(setting) = self.settings.first(Keyword::User) else { return Ok(self.world.account().name) };
        let tokens = tokens::build(facts).only("dhijkLlnpu");
        let text = setting.value.text();
        // A name typed on the command line is a name, whatever signs it holds.
        let typed = setting.origin == Origin::CommandLine;
        let user = if typed { text } else { self.expand(Keyword::User, &text, &tokens)? };
        names::check_user(&user, &setting.origin)?;
        Ok(user)
    }

    fn identity_agent(&self, tokens: &Tokens) -> Result<IdentityAgent, ConfigError> {
        let text = self.settings.text(Keyword::IdentityAgent);
        Ok(match text.as_str() {
            "" | "SSH_AUTH_SOCK" => IdentityAgent::Environment,
            "none" => IdentityAgent::None,
            text => self.agent_socket(Keyword::IdentityAgent, text, tokens)?,
        })
    }

    /// `$NAME` is the path that the variable holds, anything else the path itself.
    fn agent_socket(&self, keyword: Keyword, text: &str, tokens: &Tokens) -> Result<IdentityAgent, ConfigError> {
        Ok(match text.strip_prefix('$').filter(|name| !name.starts_with('{')) {
            Some(name) => self.world.env(name).map_or(IdentityAgent::None, IdentityAgent::Path),
            None => IdentityAgent::Path(self.path(keyword, text, tokens)?),
        })
    }

    fn forward_agent(&self, tokens: &Tokens) -> Result<Option<IdentityAgent>, ConfigError> {
        Ok(match self.settings.text(Keyword::ForwardAgent).as_str() {
            "no" => None,
            "yes" => Some(self.identity_agent(tokens)?),
            text => Some(self.agent_socket(Keyword::ForwardAgent, text, tokens)?),
        })
    }

    fn identity_files(&self, tokens: &Tokens) -> Result<Vec<String>, ConfigError> {
        if self.settings.is_set(Keyword::IdentityFile) {
            return self.paths(Keyword::IdentityFile, tokens);
        }
        let home = self.world.account().home;
        Ok(DEFAULT_IDENTITIES.iter().map(|name| format!("{home}/.ssh/{name}")).collect())
    }

    fn send_env(&self) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        for word in self.settings.words(Keyword::SendEnv) {
            match word.strip_prefix('-') {
                Some(pattern) => out.retain(|kept| !crate::pattern::matches(kept, pattern)),
                None if out.contains(&word) => {}
                None => out.push(word),
            }
        }
        out
    }

    fn set_env(&self, tokens: &Tokens) -> Result<Vec<(String, String)>, ConfigError> {
        let pairs = words::env_pairs(&self.settings.words(Keyword::SetEnv));
        pairs.into_iter().map(|(k, v)| Ok((k, self.expand(Keyword::SetEnv, &v, tokens)?))).collect()
    }

    fn proxy_command(&self, tokens: &Tokens) -> Result<Option<String>, ConfigError> {
        let Some(text) = self.settings.text_or_none(Keyword::ProxyCommand) else { return Ok(None) };
        self.expand(Keyword::ProxyCommand, &text, &tokens.only(tokens::PROXY_COMMAND)).map(Some)
    }

    fn known_hosts_command(&self, tokens: &Tokens) -> Result<Option<KnownHostsCommand>, ConfigError> {
        let Some(line) = self.settings.text_or_none(Keyword::KnownHostsCommand) else { return Ok(None) };
        let command = KnownHostsCommand { line, tokens: tokens.clone() };
        command
            .words("ORDER", "", None, self.world)
            .map_err(|reason| self.error(Keyword::KnownHostsCommand, reason))?;
        Ok(Some(command))
    }

    /// With `%T`, which names a tunnel's device: there is none.
    fn local_command(&self, tokens: &Tokens) -> Result<Option<String>, ConfigError> {
        let Some(line) = self.settings.text_or_none(Keyword::LocalCommand) else { return Ok(None) };
        let line = expand::expand(&line, &tokens.clone().with('T', "NONE"), None);
        line.map(Some).map_err(|reason| self.error(Keyword::LocalCommand, reason))
    }

    /// As with OpenSSH keys are not learned into files that somebody chose unless he says so.
    fn update_host_keys(&self) -> UpdateHostKeys {
        let own_files = self.settings.is_set(Keyword::UserKnownHostsFile);
        match own_files && !self.settings.is_set(Keyword::UpdateHostKeys) {
            true => UpdateHostKeys::No,
            false => UpdateHostKeys::of(&self.settings.text(Keyword::UpdateHostKeys)),
        }
    }

    fn control_path(&self, tokens: &Tokens) -> Result<Option<String>, ConfigError> {
        let Some(text) = self.settings.text_or_none(Keyword::ControlPath) else { return Ok(None) };
        self.path(Keyword::ControlPath, &text, tokens).map(Some)
    }

    fn control_persist(&self) -> Option<Duration> {
        match self.settings.text(Keyword::ControlPersist).as_str() {
            "no" => None,
            seconds => Some(Duration::from_secs(seconds.parse().unwrap_or_default())),
        }
    }

    /// The forwardings; tokens stand for something in paths of sockets only.
    fn forwards(&self, tokens: &Tokens) -> Result<Vec<(ForwardKind, Forward)>, ConfigError> {
        let mut out = Vec::new();
        if self.flag(Keyword::ClearAllForwardings) {
            return Ok(out);
        }
        for (keyword, kind) in ForwardKind::KEYWORDS {
            let specs = self.settings.all(keyword).iter().map(|setting| setting.value.text());
            for mut forward in specs.filter_map(|spec| Forward::parse(&spec, kind)) {
                for end in [Some(&mut forward.listen), forward.connect.as_mut()].into_iter().flatten() {
                    if let Endpoint::Unix(path) = end {
                        *path = self.expand(keyword, path, tokens)?;
                    }
                }
                out.push((kind, forward));
            }
        }
        Ok(out)
    }

    pub fn build(mut self) -> Result<ClientOptions, Errors> {
        let jump = self.settings.text_or_none(Keyword::ProxyJump).unwrap_or_default();
        let alias = self.settings.text_or_none(Keyword::HostKeyAlias).map(|alias| alias.to_ascii_lowercase());
        let host = self.host.clone();
        let mut facts = tokens::Facts {
            world: self.world,
            original_host: &self.invocation.host,
            host: &host,
            host_key_alias: alias.as_deref(),
            port: self.settings.number(Keyword::Port),
            user: "",
            jump: &jump,
        };
        let user = self.user(&facts)?;
        facts.user = &user;
        let tokens = tokens::build(&facts).only(tokens::EVERYWHERE);
        let remote_command = match self.settings.text_or_none(Keyword::RemoteCommand) {
            Some(text) => Some(self.expand(Keyword::RemoteCommand, &text, &tokens)?),
            None => None,
        };
        let spec = self.settings.text(Keyword::HostKeyAlgorithms);
        let forwards = self.forwards(&tokens)?;
        let permitted = self.settings.words(Keyword::PermitRemoteOpen);
        let mut ip_qos = self.settings.words(Keyword::IPQoS).into_iter().map(|word| words::traffic_class(&word));
        let mut options = ClientOptions {
            original_host: self.invocation.host.clone(),
            host_name: host.clone(),
            port: facts.port,
            address_family: AddressFamily::of(&self.settings.text(Keyword::AddressFamily)),
            bind_address: self.settings.text_or_none(Keyword::BindAddress),
            connect_timeout: Some(self.span(Keyword::ConnectTimeout)).filter(|span| !span.is_zero()),
            connection_attempts: self.number(Keyword::ConnectionAttempts),
            tcp_keep_alive: self.flag(Keyword::TCPKeepAlive),
            compression: self.flag(Keyword::Compression),
            server_alive_interval: self.span(Keyword::ServerAliveInterval),
            server_alive_count_max: self.number(Keyword::ServerAliveCountMax),
            ip_qos_interactive: ip_qos.next().flatten(),
            ip_qos_bulk: ip_qos.next().flatten(),
            identity_files: self.identity_files(&tokens)?,
            identity_files_set: self.settings.is_set(Keyword::IdentityFile),
            identities_only: self.flag(Keyword::IdentitiesOnly),
            identity_agent: self.identity_agent(&tokens)?,
            forward_agent: self.forward_agent(&tokens)?,
            add_keys_to_agent: AddKeysToAgent::of(&self.settings.text(Keyword::AddKeysToAgent)),
            certificate_files: self.paths(Keyword::CertificateFile, &tokens)?,
            strict_host_key_checking: StrictHostKeyChecking::of(&self.settings.text(Keyword::StrictHostKeyChecking)),
            user_known_hosts_files: self.paths(Keyword::UserKnownHostsFile, &tokens)?,
            global_known_hosts_files: self.paths(Keyword::GlobalKnownHostsFile, &Tokens::new())?,
            revoked_host_keys: self.paths(Keyword::RevokedHostKeys, &tokens)?.pop(),
            host_key_alias: alias.clone(),
            hash_known_hosts: self.flag(Keyword::HashKnownHosts),
            check_host_ip: self.flag(Keyword::CheckHostIP),
            update_host_keys: self.update_host_keys(),
            no_host_authentication_for_localhost: self.flag(Keyword::NoHostAuthenticationForLocalhost),
            visual_host_key: self.flag(Keyword::VisualHostKey),
            fingerprint_sha256: self.settings.text(Keyword::FingerprintHash) == "SHA256",
            required_rsa_size: self.number(Keyword::RequiredRSASize),
            host_key_algorithms: self.algorithms(Keyword::HostKeyAlgorithms, Class::HostKey),
            host_key_algorithms_set: !spec.is_empty() && !spec.starts_with(['+', '-', '^']),
            ca_signature_algorithms: self.algorithms(Keyword::CASignatureAlgorithms, Class::CaKey),
            pubkey_accepted_algorithms: self.algorithms(Keyword::PubkeyAcceptedAlgorithms, Class::UserKey),
            kex_algorithms: self.algorithms(Keyword::KexAlgorithms, Class::Kex),
            ciphers: self.algorithms(Keyword::Ciphers, Class::Cipher),
            macs: self.algorithms(Keyword::MACs, Class::Mac),
            warn_weak_crypto: self.settings.text(Keyword::WarnWeakCrypto) != "no",
            rekey_limit: words::rekey_limit(&self.settings.words(Keyword::RekeyLimit)),
            channel_timeouts: ChannelTimeouts::of_words(&self.settings.words(Keyword::ChannelTimeout)),
            preferred_authentications: self
                .settings
                .text_or_none(Keyword::PreferredAuthentications)
                .map(|list| list.split(',').map(str::to_owned).collect()),
            pubkey_authentication: self.settings.text(Keyword::PubkeyAuthentication) != "false",
            password_authentication: self.flag(Keyword::PasswordAuthentication),
            kbd_interactive_authentication: self.flag(Keyword::KbdInteractiveAuthentication),
            refuse_none_auth: self.flag(Keyword::RefuseNoneAuth),
            batch_mode: self.flag(Keyword::BatchMode),
            number_of_password_prompts: self.number(Keyword::NumberOfPasswordPrompts),
            request_tty: RequestTty::of(&self.settings.text(Keyword::RequestTTY)),
            remote_command,
            session_type: SessionType::of(&self.settings.text(Keyword::SessionType)),
            stdin_null: self.flag(Keyword::StdinNull),
            fork_after_authentication: self.flag(Keyword::ForkAfterAuthentication),
            send_env: self.send_env(),
            set_env: self.set_env(&tokens)?,
            escape_char: match self.settings.words(Keyword::EscapeChar).first().map(String::as_str) {
                None | Some("none") => None,
                Some(text) => text.bytes().next(),
            },
            enable_escape_commandline: self.flag(Keyword::EnableEscapeCommandline),
            log_level: LogLevel::of(&self.settings.text(Keyword::LogLevel)),
            tag: self.settings.text_or_none(Keyword::Tag),
            version_addendum: self.settings.text_or_none(Keyword::VersionAddendum),
            refuse_connection: self.settings.text_or_none(Keyword::RefuseConnection),
            control_path: self.control_path(&tokens)?,
            forwards,
            exit_on_forward_failure: self.flag(Keyword::ExitOnForwardFailure),
            gateway_ports: self.flag(Keyword::GatewayPorts),
            permit_remote_open: permitted.iter().filter_map(|word| PermitTarget::parse(word, false)).collect(),
            permit_remote_open_any: permitted == ["any"],
            stream_local_bind_mask: u32::from_str_radix(&self.settings.text(Keyword::StreamLocalBindMask), 8)
                .unwrap_or(0o177),
            stream_local_bind_unlink: self.flag(Keyword::StreamLocalBindUnlink),
            proxy_jump: jump.split(',').filter_map(JumpHost::parse).collect(),
            proxy_command: self.proxy_command(&tokens)?,
            // Never for a jump: its program is ours.
            proxy_use_fdpass: jump.is_empty() && self.flag(Keyword::ProxyUseFdpass),
            obscure_keystroke_timing: obscure_interval(&self.settings.text(Keyword::ObscureKeystrokeTiming)),
            bind_interface: self.settings.text_or_none(Keyword::BindInterface),
            kbd_interactive_devices: self.settings.text_or_none(Keyword::KbdInteractiveDevices),
            known_hosts_command: self.known_hosts_command(&tokens)?,
            syslog_facility: self.settings.text(Keyword::SyslogFacility),
            local_command: self.local_command(&tokens)?,
            permit_local_command: self.flag(Keyword::PermitLocalCommand),
            control_master: ControlMaster::of(&self.settings.text(Keyword::ControlMaster)),
            control_persist: self.control_persist(),
            user,
            warnings: self.warnings,
            settings: self.settings,
            effective: BTreeMap::new(),
        };
        options.effective = options.effective();
        Ok(options)
    }
}
