//! What the server does, as typed values: the part that `Match` can change from connection to connection.

use std::time::Duration;

use super::Keyword;
use super::options::{algorithm_list, span};
use super::values::{AllowForwarding, GatewayPorts, PermitRootLogin, Permits, Subsystem};
use crate::algorithms::{AlgorithmSets, Class};
use crate::channel_timeout::ChannelTimeouts;
use crate::client::LogLevel;
use crate::settings::Settings;
use crate::time::RekeyLimit;
use crate::words;

/// What holds for one connection.
#[derive(Debug, Clone)]
pub struct ConnectionOptions {
    /// Send the client away after its first attempt to log in.
    pub refuse_connection: bool,
    /// Whether root may log in.
    pub permit_root_login: PermitRootLogin,
    /// Somebody wrote a line about that.
    pub permit_root_login_is_set: bool,
    /// Log in with keys.
    pub pubkey_authentication: bool,
    /// Log in with a password.
    pub password_authentication: bool,
    /// Log in by answering questions.
    pub kbd_interactive_authentication: bool,
    /// The name by which PAM's rules are found; `None` leaves it to the program.
    pub pam_service_name: Option<String>,
    /// Accounts without a password may log in without one.
    pub permit_empty_passwords: bool,
    /// The lists of methods of which one must be completed in order; empty is any one method.
    pub authentication_methods: Vec<Vec<String>>,
    /// Failed attempts before the connection ends.
    pub max_auth_tries: u32,
    /// Patterns of users who may log in; empty is all.
    pub allow_users: Vec<String>,
    /// Patterns of users who may not.
    pub deny_users: Vec<String>,
    /// Patterns of groups one of which a user must be in; empty is all.
    pub allow_groups: Vec<String>,
    /// Patterns of groups whose members may not log in.
    pub deny_groups: Vec<String>,
    /// Signature algorithms for users' keys.
    pub pubkey_accepted_algorithms: Vec<String>,
    /// The least bits of an RSA key.
    pub required_rsa_size: u32,
    /// Sessions at a time.
    pub max_sessions: u32,
    /// Ask the client for a sign of life after this long without one; zero is never.
    pub client_alive_interval: Duration,
    /// End the connection after this many unanswered questions; 0 is never.
    pub client_alive_count_max: u32,
    /// End a connection without a channel after this long.
    pub unused_connection_timeout: Option<Duration>,
    /// When to renew keys.
    pub rekey_limit: RekeyLimit,
    /// How long channels may carry nothing.
    pub channel_timeouts: ChannelTimeouts,
    /// The subsystems.
    pub subsystems: Vec<Subsystem>,
    /// The command to run whatever the client asks for.
    pub force_command: Option<String>,
    /// The folder that is all there is for the user, before tokens are filled in.
    pub chroot_directory: Option<String>,
    /// Give terminals.
    pub permit_tty: bool,
    /// Run `~/.ssh/rc`.
    pub permit_user_rc: bool,
    /// Patterns of variables to take from the client.
    pub accept_env: Vec<String>,
    /// Variables to set.
    pub set_env: Vec<(String, String)>,
    /// The file shown before the login.
    pub banner: Option<String>,
    /// Tell the session how its user logged in.
    pub expose_auth_info: bool,
    /// Nothing is forwarded, whatever the other options say.
    pub disable_forwarding: bool,
    /// TCP forwarding; nothing with `disable_forwarding`.
    pub allow_tcp_forwarding: AllowForwarding,
    /// Unix socket forwarding; nothing with `disable_forwarding`.
    pub allow_stream_local_forwarding: AllowForwarding,
    /// Somebody wrote a line about TCP forwarding.
    pub allow_tcp_forwarding_is_set: bool,
    /// Somebody wrote a line about Unix socket forwarding.
    pub allow_stream_local_forwarding_is_set: bool,
    /// The permission bits that sockets made for the client do not get.
    pub stream_local_bind_mask: u32,
    /// A socket that is in the place of one made for the client is removed.
    pub stream_local_bind_unlink: bool,
    /// Agent forwarding; off with `disable_forwarding`.
    pub allow_agent_forwarding: bool,
    /// Somebody wrote AllowAgentForwarding down: a forced command does not turn it off.
    pub allow_agent_forwarding_is_set: bool,
    /// X11 forwarding; off with `disable_forwarding`.
    pub x11_forwarding: bool,
    /// Who may use the client's listeners.
    pub gateway_ports: GatewayPorts,
    /// Where the client may connect to through us.
    pub permit_open: Permits,
    /// Where the client may listen on us.
    pub permit_listen: Permits,
    /// How much to log.
    pub log_level: LogLevel,
    /// Traffic class for sessions with a terminal; `None` leaves the system's.
    pub ip_qos_interactive: Option<u8>,
    /// Traffic class for everything else.
    pub ip_qos_bulk: Option<u8>,
    /// The program that tells a user's keys, with its arguments, before tokens are filled in.
    pub authorized_keys_command: Option<String>,
    /// The account it runs as.
    pub authorized_keys_command_user: Option<String>,
    /// The program that tells whom a certificate must name, with its arguments, before tokens are filled in.
    pub authorized_principals_command: Option<String>,
    /// The account it runs as.
    pub authorized_principals_command_user: Option<String>,
    /// The file with the keys of CAs whose certificates users may log in with.
    pub trusted_user_ca_keys: Option<String>,
    /// The file with keys that never log in, nor does what they signed.
    pub revoked_keys: Option<String>,
    /// What CAs may sign certificates with.
    pub ca_signature_algorithms: Vec<String>,
    /// Every security key's signature has to show that it was touched.
    pub touch_required: bool,
    /// Every security key's signature has to show that it verified its user.
    pub verify_required: bool,
    pub(super) authorized_keys_file: Vec<String>,
    pub(super) authorized_principals_file: Option<String>,
}

impl ConnectionOptions {
    pub(super) fn new(s: &Settings<Keyword>, sets: &AlgorithmSets) -> Self {
        // The master switch covers every kind (threat A20).
        let disable = s.flag(Keyword::DisableForwarding);
        let forwarding = |keyword| match disable {
            true => AllowForwarding::default(),
            false => AllowForwarding::of(&s.text(keyword)),
        };
        let mut ip_qos = s.words(Keyword::IPQoS).into_iter().map(|word| words::traffic_class(&word));
        // Names left out were told of at the start.
        let security_keys = s.words(Keyword::PubkeyAuthOptions);
        let ca_signatures = algorithm_list(s, Keyword::CASignatureAlgorithms, sets, Class::CaKey, &mut Vec::new());
        let accepted = algorithm_list(s, Keyword::PubkeyAcceptedAlgorithms, sets, Class::UserKey, &mut Vec::new());
        Self {
            refuse_connection: s.flag(Keyword::RefuseConnection),
            permit_root_login: PermitRootLogin::of(&s.text(Keyword::PermitRootLogin)),
            permit_root_login_is_set: s.is_set(Keyword::PermitRootLogin),
            pubkey_authentication: s.flag(Keyword::PubkeyAuthentication),
            password_authentication: s.flag(Keyword::PasswordAuthentication),
            kbd_interactive_authentication: s.flag(Keyword::KbdInteractiveAuthentication),
            pam_service_name: Some(s.text(Keyword::PAMServiceName)).filter(|name| !name.is_empty()),
            permit_empty_passwords: s.flag(Keyword::PermitEmptyPasswords),
            authentication_methods: methods(&s.words(Keyword::AuthenticationMethods)),
            max_auth_tries: s.number(Keyword::MaxAuthTries),
            allow_users: s.words(Keyword::AllowUsers),
            deny_users: s.words(Keyword::DenyUsers),
            allow_groups: s.words(Keyword::AllowGroups),
            deny_groups: s.words(Keyword::DenyGroups),
            pubkey_accepted_algorithms: accepted,
            required_rsa_size: s.number(Keyword::RequiredRSASize),
            max_sessions: s.number(Keyword::MaxSessions),
            client_alive_interval: span(s, Keyword::ClientAliveInterval),
            client_alive_count_max: s.number(Keyword::ClientAliveCountMax),
            unused_connection_timeout: Some(span(s, Keyword::UnusedConnectionTimeout)).filter(|span| !span.is_zero()),
            rekey_limit: words::rekey_limit(&s.words(Keyword::RekeyLimit)),
            channel_timeouts: ChannelTimeouts::of_words(&s.words(Keyword::ChannelTimeout)),
            subsystems: subsystems(s),
            force_command: s.text_or_none(Keyword::ForceCommand),
            chroot_directory: s.text_or_none(Keyword::ChrootDirectory),
            permit_tty: s.flag(Keyword::PermitTTY),
            permit_user_rc: s.flag(Keyword::PermitUserRC),
            accept_env: s.words(Keyword::AcceptEnv),
            set_env: words::env_pairs(&s.words(Keyword::SetEnv)),
            banner: s.text_or_none(Keyword::Banner),
            expose_auth_info: s.flag(Keyword::ExposeAuthInfo),
            disable_forwarding: disable,
            allow_tcp_forwarding: forwarding(Keyword::AllowTcpForwarding),
            allow_stream_local_forwarding: forwarding(Keyword::AllowStreamLocalForwarding),
            allow_tcp_forwarding_is_set: s.is_set(Keyword::AllowTcpForwarding),
            allow_stream_local_forwarding_is_set: s.is_set(Keyword::AllowStreamLocalForwarding),
            stream_local_bind_mask: u32::from_str_radix(&s.text(Keyword::StreamLocalBindMask), 8).unwrap_or(0o177),
            stream_local_bind_unlink: s.flag(Keyword::StreamLocalBindUnlink),
            allow_agent_forwarding: !disable && s.flag(Keyword::AllowAgentForwarding),
            allow_agent_forwarding_is_set: s.is_set(Keyword::AllowAgentForwarding),
            x11_forwarding: !disable && s.flag(Keyword::X11Forwarding),
            gateway_ports: GatewayPorts::of(&s.text(Keyword::GatewayPorts)),
            permit_open: Permits::of(&s.words(Keyword::PermitOpen), false),
            permit_listen: Permits::of(&s.words(Keyword::PermitListen), true),
            log_level: LogLevel::of(&s.text(Keyword::LogLevel)),
            ip_qos_interactive: ip_qos.next().flatten(),
            ip_qos_bulk: ip_qos.next().flatten(),
            authorized_keys_command: s.text_or_none(Keyword::AuthorizedKeysCommand),
            authorized_keys_command_user: s.text_or_none(Keyword::AuthorizedKeysCommandUser),
            authorized_principals_command: s.text_or_none(Keyword::AuthorizedPrincipalsCommand),
            authorized_principals_command_user: s.text_or_none(Keyword::AuthorizedPrincipalsCommandUser),
            trusted_user_ca_keys: s.text_or_none(Keyword::TrustedUserCAKeys),
            revoked_keys: s.text_or_none(Keyword::RevokedKeys),
            ca_signature_algorithms: ca_signatures,
            touch_required: security_keys.iter().any(|word| word == "touch-required"),
            verify_required: security_keys.iter().any(|word| word == "verify-required"),
            authorized_keys_file: s.words(Keyword::AuthorizedKeysFile),
            authorized_principals_file: s.text_or_none(Keyword::AuthorizedPrincipalsFile),
        }
    }
}

fn methods(words: &[String]) -> Vec<Vec<String>> {
    let lists = words.iter().filter(|word| *word != "any");
    lists.map(|list| list.split(',').map(str::to_owned).collect()).collect()
}

fn subsystems(settings: &Settings<Keyword>) -> Vec<Subsystem> {
    let mut out: Vec<Subsystem> = Vec::new();
    for setting in settings.all(Keyword::Subsystem) {
        let text = setting.value.to_string();
        let Some((name, command)) = text.split_once(' ') else { continue };
        if !out.iter().any(|known| known.name == name) {
            out.push(Subsystem { name: name.to_owned(), command: command.to_owned() });
        }
    }
    out
}
