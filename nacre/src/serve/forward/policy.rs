//! What a login may forward: the configuration, the key's line, and what no configuration widens (threats C7, C13).

use nacre_config::authorized_keys::KeyOptions;
use nacre_config::client::AddressFamily;
use nacre_config::server::{ConnectionOptions, GatewayPorts, PermitPort, PermitTarget, Permits};
use nacre_net::packed_fields;
use nacre_net::server::authority::{Place, Refused, Target};
use nacre_wire::text::clean_line;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Ports below this are the system's: only root listens there.
const FIRST_UNPRIVILEGED: u16 = 1024;
/// The longest name or path in a text for people, in bytes.
const MAX_SHOWN: usize = 256;

/// What is to be listened on, decided before. Whoever does it is the account already.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListenPlan {
    /// Names and addresses; as many of them are taken as can be had. Empty for a Unix socket.
    pub hosts: Vec<String>,
    /// The port; 0 is any, the same for all.
    pub port: u16,
    /// The path of a Unix socket; empty for none.
    pub path: Vec<u8>,
    /// The permission bits the socket does not get.
    pub mask: u32,
    /// A socket that is in its place is removed.
    pub unlink: bool,
    /// The home folder of the account, when it is a socket for the client's agent.
    pub agent_home: Option<PathBuf>,
}

packed_fields!(ListenPlan { hosts, port, path, mask, unlink, agent_home });

/// What holds for one login.
pub struct Rules<'a> {
    /// The configuration for it.
    pub options: &'a ConnectionOptions,
    /// What the keys that signed allow together.
    pub key: &'a KeyOptions,
    /// The account is root's.
    pub is_root: bool,
    /// The account's home folder.
    pub home: &'a Path,
    /// The password must be changed and nothing else.
    pub must_change: bool,
    /// The chat and nothing else (threat U6).
    pub only_chat: bool,
    /// Addresses of the other kind are not listened on.
    pub family: AddressFamily,
}

/// A target for people.
pub fn describe_target(target: &Target) -> String {
    match target {
        Target::Tcp { host, port } => host_and_port(host, *port),
        Target::Unix { path } => clean_line(path, MAX_SHOWN),
    }
}

/// A place for people.
pub fn describe_place(place: &Place) -> String {
    match place {
        Place::Tcp { address, port } => host_and_port(if address.is_empty() { "*" } else { address }, *port),
        Place::Unix { path } => clean_line(path, MAX_SHOWN),
        Place::Agent => "the client's agent".to_owned(),
    }
}

fn host_and_port(host: &str, port: u16) -> String {
    format!("{} port {port}", clean_line(host.as_bytes(), MAX_SHOWN))
}

impl Rules<'_> {
    /// May the client be connected there?
    ///
    /// # Errors
    /// Why not, naming the keyword or option.
    pub fn may_connect(&self, target: &Target) -> Result<(), Refused> {
        match target {
            Target::Tcp { host, port } => {
                self.ports_allowed(self.options.allow_tcp_forwarding.local, "AllowTcpForwarding")?;
                self.not_forced(self.options.allow_tcp_forwarding_is_set, &self.key.permit_open)?;
                if *port == 0 {
                    return Err(Refused::prohibited("no connection goes to port 0"));
                }
                self.permitted(
                    &self.options.permit_open,
                    "PermitOpen",
                    &self.key.permit_open,
                    "permitopen",
                    host,
                    *port,
                )
            }
            Target::Unix { path } => {
                self.ports_allowed(self.options.allow_stream_local_forwarding.local, "AllowStreamLocalForwarding")?;
                self.unix_allowed(&self.options.permit_open, &self.key.permit_open)?;
                absolute(path)
            }
        }
    }

    /// What to listen on for the client.
    ///
    /// # Errors
    /// Why nothing, naming the keyword or option.
    pub fn plan(&self, place: &Place) -> Result<ListenPlan, Refused> {
        match place {
            Place::Tcp { address, port } => {
                self.ports_allowed(self.options.allow_tcp_forwarding.remote, "AllowTcpForwarding")?;
                self.not_forced(self.options.allow_tcp_forwarding_is_set, &self.key.permit_listen)?;
                let address = if address == "*" { "" } else { address };
                let (list, options) = (&self.options.permit_listen, &self.key.permit_listen);
                self.permitted(list, "PermitListen", options, "permitlisten", address, *port)?;
                if *port > 0 && *port < FIRST_UNPRIVILEGED && !self.is_root {
                    return Err(Refused::prohibited(format!("only root listens on port {port}")));
                }
                Ok(ListenPlan { hosts: self.hosts(address), port: *port, ..ListenPlan::default() })
            }
            Place::Unix { path } => {
                self.ports_allowed(self.options.allow_stream_local_forwarding.remote, "AllowStreamLocalForwarding")?;
                self.unix_allowed(&self.options.permit_listen, &self.key.permit_listen)?;
                absolute(path)?;
                let options = self.options;
                let (mask, unlink) = (options.stream_local_bind_mask, options.stream_local_bind_unlink);
                Ok(ListenPlan { path: path.clone(), mask, unlink, ..ListenPlan::default() })
            }
            Place::Agent => {
                self.agent_allowed()?;
                Ok(ListenPlan { agent_home: Some(self.home.to_owned()), ..ListenPlan::default() })
            }
        }
    }

    /// May the client's agent be reached from here?
    fn agent_allowed(&self) -> Result<(), Refused> {
        self.switches(self.options.allow_agent_forwarding, "AllowAgentForwarding")?;
        if !self.key.agent_forwarding {
            let why = "agent forwarding is off for this key (no-agent-forwarding, restrict, or its certificate)";
            return Err(Refused::prohibited(why));
        }
        // As with ports: a forced command has no use for it unless somebody wrote that it has (threat C7).
        if self.is_forced() && !self.options.allow_agent_forwarding_is_set && !self.key.restrict {
            return Err(Refused::prohibited(
                "agent forwarding is off with a forced command, unless AllowAgentForwarding, or restrict and \
                 agent-forwarding of the key, allow it",
            ));
        }
        Ok(())
    }

    /// The switches of ports and Unix sockets, and the key's.
    fn ports_allowed(&self, allowed: bool, keyword: &str) -> Result<(), Refused> {
        self.switches(allowed, keyword)?;
        if !self.key.port_forwarding {
            return Err(Refused::prohibited("forwarding is off for this key (no-port-forwarding or restrict)"));
        }
        Ok(())
    }

    /// The switches that turn a kind off, whatever else is said.
    fn switches(&self, allowed: bool, keyword: &str) -> Result<(), Refused> {
        if self.must_change {
            return Err(Refused::prohibited("the password must be changed first"));
        }
        if self.only_chat {
            return Err(Refused::prohibited("there is nothing but the chat for this login"));
        }
        if self.options.disable_forwarding {
            return Err(Refused::prohibited("forwarding is off (DisableForwarding)"));
        }
        if !allowed {
            return Err(Refused::prohibited(format!("forwarding is off ({keyword})")));
        }
        Ok(())
    }

    fn is_forced(&self) -> bool {
        self.options.force_command.is_some() || self.key.command.is_some()
    }

    /// Who may run one command only gets the reach of a forward only where somebody wrote that (threat C7).
    fn not_forced(&self, keyword_is_set: bool, permits: &[PermitTarget]) -> Result<(), Refused> {
        let key_says = self.key.restrict && self.key.port_forwarding || !permits.is_empty();
        if self.is_forced() && !keyword_is_set && !key_says {
            return Err(Refused::prohibited(
                "forwarding is off with a forced command, unless AllowTcpForwarding, or permitopen or permitlisten of the \
                 key, allows it",
            ));
        }
        Ok(())
    }

    /// Lists of hosts and ports say nothing of Unix sockets, many of which trust whoever reaches them: under a list, or
    /// a forced command, they are off unless their own keyword allows them (threat C13).
    fn unix_allowed(&self, list: &Permits, permits: &[PermitTarget]) -> Result<(), Refused> {
        let limited = self.is_forced() || *list != Permits::Any || !permits.is_empty();
        if limited && !self.options.allow_stream_local_forwarding_is_set {
            return Err(Refused::prohibited(
                "Unix sockets are off with a forced command or a list of permitted ports, unless \
                 AllowStreamLocalForwarding allows them",
            ));
        }
        Ok(())
    }

    /// Both the configuration's list and the key's must have it.
    fn permitted(
        &self,
        list: &Permits,
        keyword: &str,
        options: &[PermitTarget],
        option: &str,
        host: &str,
        port: u16,
    ) -> Result<(), Refused> {
        let listed = match list {
            Permits::Any => true,
            Permits::None => false,
            Permits::Only(targets) => contains(targets, host, port),
        };
        let refused = |name: &str| {
            let host = if host.is_empty() { "*" } else { host };
            Err(Refused::prohibited(format!("{} is not permitted ({name})", host_and_port(host, port))))
        };
        match (listed, options.is_empty() || contains(options, host, port)) {
            (true, true) => Ok(()),
            (false, _) => refused(keyword),
            (true, false) => refused(option),
        }
    }

    /// Where a client's word for an address leads; without GatewayPorts to this machine only.
    fn hosts(&self, address: &str) -> Vec<String> {
        let of = |hosts: &[&str]| hosts.iter().map(|host| (*host).to_owned()).collect();
        let everywhere = || of(&["0.0.0.0", "::"]);
        let mut hosts: Vec<String> = match (self.options.gateway_ports, address) {
            (GatewayPorts::Yes, _) | (GatewayPorts::ClientSpecified, "") => everywhere(),
            (_, "127.0.0.1" | "::1") => of(&[address]),
            (GatewayPorts::No, _) | (_, "localhost") => of(&["127.0.0.1", "::1"]),
            (GatewayPorts::ClientSpecified, address) => of(&[address]),
        };
        hosts.retain(|host| match host.parse() {
            Ok(IpAddr::V4(_)) => self.family != AddressFamily::Inet6,
            Ok(IpAddr::V6(_)) => self.family != AddressFamily::Inet,
            Err(_) => true,
        });
        hosts
    }
}

fn contains(targets: &[PermitTarget], host: &str, port: u16) -> bool {
    targets.iter().any(|target| {
        let port_is = match target.port {
            PermitPort::Any => true,
            PermitPort::Only(only) => only == port,
        };
        port_is && (target.host == "*" || target.host.eq_ignore_ascii_case(host))
    })
}

fn absolute(path: &[u8]) -> Result<(), Refused> {
    if path.starts_with(b"/") {
        return Ok(());
    }
    Err(Refused::prohibited("the path of a socket must begin with /"))
}
