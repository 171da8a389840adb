//! Everything the audit log can tell, and how each is told.

use super::forwards::ForwardSpec;
use super::line::Line;
use crate::serve::login::Ends;
use crate::serve::shared::Mode;
use nacre_net::server::authority::Exit;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;
use tracing::Level;

/// Something the audit log tells.
#[derive(Debug, Clone)]
pub enum Event {
    /// The server takes connections.
    ServerStarted {
        /// Whom it serves.
        mode: Mode,
        /// Where it listens.
        addresses: Vec<SocketAddr>,
        /// The sockets came from whoever started it.
        passed: bool,
    },
    /// A new configuration counts.
    ServerReloaded {
        /// Keywords that changed and are not taken in before the next start.
        fixed: Vec<&'static str>,
    },
    /// A new configuration was refused; the old one stays.
    ReloadFailed {
        /// What is wrong with it.
        reason: String,
    },
    /// It takes no more connections.
    ServerStopping {
        /// Sessions go on without it.
        leaves: bool,
    },
    /// It is over.
    ServerStopped {
        /// How long it ran.
        ran: Duration,
    },
    /// Admission turned somebody away.
    ConnectionRefused {
        /// Who came.
        ends: Ends,
        /// Which limit.
        reason: String,
    },
    /// The configuration or the system keeps out an account that exists.
    NotAllowed {
        /// The account.
        user: String,
        /// The connection, where it is known.
        ends: Option<Ends>,
        /// Why.
        reason: String,
    },
    /// A net process wants this in the log.
    NetSays {
        /// Its connection.
        ends: Ends,
        /// How grave it says it is.
        level: Level,
        /// Its text, cleaned.
        text: String,
    },
    /// Something about one connection.
    Connection {
        /// Which.
        ends: Ends,
        /// The name that logs in or is logged in, cleaned; empty before there was one.
        user: String,
        /// What.
        what: Happening,
    },
}

/// Something that happens to a connection.
#[derive(Debug, Clone)]
pub enum Happening {
    /// It was accepted.
    Accepted,
    /// It had to go for another while it had not exchanged keys.
    Evicted,
    /// Its monitor died.
    MonitorCrashed,
    /// Its net process died, or did what it may not.
    NetCrashed {
        /// How.
        reason: String,
    },
    /// The name belongs to nobody who may log in.
    InvalidUser,
    /// The configuration refuses the login whatever it brings.
    LoginRefused {
        /// The keyword.
        reason: &'static str,
    },
    /// An attempt failed.
    LoginFailed {
        /// With what.
        proof: Proof,
        /// The name belongs to nobody.
        invalid_user: bool,
    },
    /// One factor of several.
    LoginPartial {
        /// Which.
        proof: Proof,
    },
    /// Somebody is in.
    LoggedIn {
        /// With what; the last completed it.
        proofs: Vec<Proof>,
    },
    /// A session runs.
    SessionStarted {
        /// Counted from 1.
        id: u32,
        /// What.
        spec: SessionSpec,
    },
    /// A session was not started.
    SessionRefused {
        /// Counted from 1.
        id: u32,
        /// What.
        spec: SessionSpec,
        /// Why.
        reason: String,
    },
    /// A session is over.
    SessionEnded {
        /// Counted from 1.
        id: u32,
        /// What.
        spec: SessionSpec,
        /// How; `None`: with the connection.
        exit: Option<Exit>,
        /// How long it ran.
        ran: Duration,
    },
    /// Something is forwarded from here on.
    ForwardOpened {
        /// What.
        spec: ForwardSpec,
    },
    /// Something is not forwarded.
    ForwardRefused {
        /// What.
        spec: ForwardSpec,
        /// Policy said no; else the system did.
        prohibited: bool,
        /// Why, cleaned.
        reason: String,
    },
    /// It is over.
    Ended {
        /// Why.
        reason: String,
        /// It simply went.
        quiet: bool,
        /// Bytes read and written, when somebody counted.
        bytes: Option<(u64, u64)>,
        /// Reason and bytes are the net process's word.
        claimed: bool,
        /// Somebody was logged in.
        logged_in: bool,
        /// How long it stood.
        stood: Duration,
    },
}

/// A credential that was shown.
#[derive(Debug, Clone)]
pub struct Proof {
    /// The method's name.
    pub method: &'static str,
    /// The key's type as ssh-keygen prints it, and its SHA-256 fingerprint.
    pub key: Option<(String, String)>,
    /// For a certificate, what its CA calls it.
    pub certificate: Option<Certified>,
}

/// What a CA calls a certificate.
#[derive(Debug, Clone)]
pub struct Certified {
    /// Its name, cleaned.
    pub id: String,
    /// Its number.
    pub serial: u64,
    /// The CA's type and fingerprint.
    pub ca: (String, String),
}

/// What a session is.
#[derive(Debug, Clone)]
pub struct SessionSpec {
    /// `shell`, `command` or `subsystem`.
    pub kind: &'static str,
    /// The command or the subsystem's name as the client sent it, cleaned.
    pub asked: String,
    /// The command that the configuration or the key runs in its place.
    pub forced: Option<String>,
    /// The terminal's name, or the TERM variable where the name is not known.
    pub terminal: Option<String>,
}

impl Event {
    /// The message.
    pub fn line(&self) -> Line {
        match self {
            Self::ServerStarted { mode, addresses, passed } => server_started(mode, addresses, *passed),
            Self::ServerReloaded { fixed } => {
                let mut text = "configuration reloaded; connections that stand keep theirs".to_owned();
                if !fixed.is_empty() {
                    let _ = write!(text, "; only a new start takes in {}", fixed.join(", "));
                }
                line(Level::INFO, "server_reloaded", text, vec![("needs_new_start", json!(fixed))])
            }
            Self::ReloadFailed { reason } => {
                let text = format!("configuration not reloaded, the old one stays: {reason}");
                line(Level::ERROR, "reload_failed", text, vec![("reason", json!(reason))])
            }
            Self::ServerStopping { leaves } => {
                let sessions = if *leaves { "go on by themselves" } else { "have 30 s" };
                let text = format!("stopping: no new connections, running sessions {sessions}");
                line(Level::INFO, "server_stopping", text, vec![("sessions_go_on", json!(leaves))])
            }
            Self::ServerStopped { ran } => {
                let text = format!("stopped after seconds={}", seconds(*ran));
                line(Level::INFO, "server_stopped", text, vec![("seconds", number(*ran))])
            }
            Self::ConnectionRefused { ends, reason } => {
                let text = format!("Connection {} refused: {reason}", from(*ends));
                let mut fields = of(*ends, "");
                fields.push(("reason", json!(reason)));
                line(Level::INFO, "connection_refused", text, fields)
            }
            Self::NotAllowed { user, ends, reason } => not_allowed(user, *ends, reason),
            Self::NetSays { ends, level, text } => {
                let said = format!("[{}] net process says: {text}", ends.peer);
                line(*level, "net_says", said, of(*ends, ""))
            }
            Self::Connection { ends, user, what } => what.line(*ends, user),
        }
    }
}

impl Happening {
    fn line(&self, ends: Ends, user: &str) -> Line {
        let (fields, source, name) = (of(ends, user), from(ends), word(user));
        let with = |level, event, text, more: Vec<(&'static str, Value)>| {
            line(level, event, text, fields.iter().cloned().chain(more).collect())
        };
        match self {
            Self::Accepted => {
                let text = format!("Connection {source} on {}", address(ends.local));
                with(Level::INFO, "connection_accepted", text, Vec::new())
            }
            Self::Evicted => {
                let text = format!("Connection {source} ended: another needed its place (MaxStartups) [preauth]");
                with(Level::INFO, "connection_evicted", text, vec![("reason", json!("MaxStartups"))])
            }
            Self::MonitorCrashed => {
                let text = format!("monitor of the connection {source} died without a word");
                with(Level::ERROR, "monitor_crashed", text, Vec::new())
            }
            Self::NetCrashed { reason } => {
                let text = format!("net process of the connection {source}: {reason}");
                with(Level::ERROR, "net_crashed", text, vec![("reason", json!(reason))])
            }
            Self::InvalidUser => with(Level::INFO, "invalid_user", format!("Invalid user {name} {source}"), Vec::new()),
            Self::LoginRefused { reason } => {
                let text = format!("User {name} {source} not allowed because of {reason}");
                with(Level::INFO, "login_refused", text, vec![("reason", json!(reason))])
            }
            Self::LoginFailed { proof, invalid_user } => {
                let invalid = if *invalid_user { "invalid user " } else { "" };
                let text = format!("Failed {} for {invalid}{name} {source} ssh2{}", proof.method, proof.detail());
                let mut more = proof.fields();
                more.push(("reason", json!(proof.fault(*invalid_user))));
                with(Level::INFO, "login_failed", text, more)
            }
            Self::LoginPartial { proof } => {
                let text = format!("Partial {} for {name} {source} ssh2{}", proof.method, proof.detail());
                with(Level::INFO, "login_partial", text, proof.fields())
            }
            Self::LoggedIn { proofs } => logged_in(proofs, &name, &source, with),
            Self::SessionStarted { id, spec } => {
                let terminal = spec.terminal.as_ref().map(|name| format!(" on {}", word(name))).unwrap_or_default();
                let mut text = format!("Starting session: {}{terminal} for {name} {source} id {id}", spec.kind);
                if !spec.asked.is_empty() {
                    let _ = write!(text, ": {}", spec.asked);
                }
                if let Some(forced) = &spec.forced {
                    let _ = write!(text, " (forced: {forced})");
                }
                with(Level::INFO, "session_started", text, spec.fields(*id))
            }
            Self::SessionRefused { id, spec, reason } => {
                let asked = if spec.asked.is_empty() { String::new() } else { format!(" {}", spec.asked) };
                let text = format!(
                    "Session not started: user {name} {source} id {id}: {}{asked} refused: {reason}",
                    spec.kind
                );
                let mut more = spec.fields(*id);
                more.push(("reason", json!(reason)));
                with(Level::WARN, "session_refused", text, more)
            }
            Self::SessionEnded { id, spec, exit, ran } => {
                let (how, mut more) = exit_of(exit.as_ref());
                let (kind, took) = (spec.kind, seconds(*ran));
                let text = format!("Close session: user {name} {source} id {id}: {kind} ended, {how}, seconds={took}");
                more.splice(0..0, [("session", json!(id)), ("kind", json!(kind))]);
                more.push(("seconds", number(*ran)));
                with(Level::INFO, "session_ended", text, more)
            }
            Self::ForwardOpened { spec } => {
                let text = format!("Forwarding {} for {name} {source}: {}", spec.kind, spec.target);
                with(Level::INFO, "forward_opened", text, spec.fields())
            }
            Self::ForwardRefused { spec, prohibited, reason } => {
                let text = format!("Not forwarding {} for {name} {source}: {}: {reason}", spec.kind, spec.target);
                let mut more = spec.fields();
                more.extend([("prohibited", json!(prohibited)), ("reason", json!(reason))]);
                with(if *prohibited { Level::WARN } else { Level::INFO }, "forward_refused", text, more)
            }
            Self::Ended { reason, quiet, bytes, claimed, logged_in, stood } => {
                let mut text = format!("Connection {source} ended: user={name} seconds={}", seconds(*stood));
                let mut more = vec![("seconds", number(*stood))];
                if *claimed {
                    text.push_str(" net-process-says:");
                    more.push(("claimed", json!(["reason", "received", "sent"])));
                }
                if let Some((received, sent)) = bytes {
                    let _ = write!(text, " received={received} sent={sent}");
                    more.extend([("received", json!(received)), ("sent", json!(sent))]);
                }
                let _ = write!(text, " reason={reason}{}", if *logged_in { "" } else { " [preauth]" });
                more.extend([("reason", json!(reason)), ("logged_in", json!(logged_in))]);
                with(if *quiet { Level::INFO } else { Level::WARN }, "connection_ended", text, more)
            }
        }
    }
}

impl Proof {
    fn detail(&self) -> String {
        let key = self.key.as_ref().map(|(kind, print)| format!(": {kind} {print}")).unwrap_or_default();
        let certificate = self
            .certificate
            .as_ref()
            .map(|Certified { id, serial, ca: (kind, print) }| format!(" ID {id} (serial {serial}) CA {kind} {print}"));
        key + &certificate.unwrap_or_default()
    }

    /// The key, and who vouches for it.
    fn key_fields(&self) -> Vec<(&'static str, Value)> {
        let mut fields = Vec::new();
        if let Some((kind, print)) = &self.key {
            fields.extend([("key_type", json!(kind)), ("fingerprint", json!(print))]);
        }
        if let Some(Certified { id, serial, ca: (_, print) }) = &self.certificate {
            fields.extend([("key_id", json!(id)), ("serial", json!(serial)), ("ca_fingerprint", json!(print))]);
        }
        fields
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let mut fields = vec![("method", json!(self.method))];
        fields.extend(self.key_fields());
        fields
    }

    fn fault(&self, invalid_user: bool) -> &'static str {
        match self.method {
            _ if invalid_user => "invalid user",
            nacre_wire::names::AUTH_PUBLICKEY => "key not authorized",
            nacre_wire::names::AUTH_PASSWORD => "wrong password, or passwords are not allowed",
            _ => "wrong answer",
        }
    }
}

impl SessionSpec {
    fn fields(&self, id: u32) -> Vec<(&'static str, Value)> {
        let mut fields = vec![("session", json!(id)), ("kind", json!(self.kind))];
        match self.kind {
            "subsystem" => fields.push(("subsystem", json!(self.asked))),
            "command" => fields.push(("command", json!(self.asked))),
            _ => {}
        }
        fields.extend(self.forced.as_ref().map(|command| ("forced_command", json!(command))));
        fields.extend(self.terminal.as_ref().map(|name| ("terminal", json!(name))));
        fields
    }
}

fn line(level: Level, event: &'static str, text: String, fields: Vec<(&'static str, Value)>) -> Line {
    Line { level, event, text, fields }
}

fn server_started(mode: &Mode, addresses: &[SocketAddr], passed: bool) -> Line {
    let listening: Vec<String> = addresses.iter().map(|one| address(*one)).collect();
    let given = if passed { " (sockets were passed)" } else { "" };
    let serves = match mode {
        Mode::Root => "machine",
        Mode::User(_) => "account",
    };
    let text = format!("Server listening on {}{given}.", listening.join(", "));
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let fields = vec![
        ("version", json!(env!("CARGO_PKG_VERSION"))),
        ("serves", json!(serves)),
        ("listening", json!(addresses)),
        ("socket_activation", json!(passed)),
    ];
    line(Level::INFO, "server_started", text, fields)
}

fn not_allowed(user: &str, ends: Option<Ends>, reason: &str) -> Line {
    // As sshd says it: the address without its port.
    let source = ends.map(|ends| format!(" from {}", ends.peer.ip().to_canonical())).unwrap_or_default();
    let mut fields = match ends {
        Some(ends) => of(ends, user),
        None => vec![("user", json!(user))],
    };
    fields.push(("reason", json!(reason)));
    line(Level::INFO, "login_refused", format!("User {}{source} not allowed because {reason}", word(user)), fields)
}

fn logged_in(
    proofs: &[Proof],
    name: &str,
    source: &str,
    with: impl Fn(Level, &'static str, String, Vec<(&'static str, Value)>) -> Line,
) -> Line {
    let last = proofs.last();
    let method = last.map_or("none", |proof| proof.method);
    let text = format!("Accepted {method} for {name} {source} ssh2{}", last.map(Proof::detail).unwrap_or_default());
    let methods: Vec<&str> = proofs.iter().map(|proof| proof.method).collect();
    let mut more = vec![("methods", json!(methods))];
    // Of several keys the last; the earlier ones stand in their login_partial.
    if let Some(proof) = proofs.iter().rev().find(|proof| proof.key.is_some()) {
        more.extend(proof.key_fields());
    }
    with(Level::INFO, "login_accepted", text, more)
}

fn exit_of(exit: Option<&Exit>) -> (String, Vec<(&'static str, Value)>) {
    match exit {
        Some(Exit::Status(code)) => (format!("exit status {code}"), vec![("status", json!(code))]),
        Some(Exit::Signal { name, .. }) => (format!("signal {name}"), vec![("signal", json!(name))]),
        None => ("cut off with its connection".to_owned(), vec![("cut_off", json!(true))]),
    }
}

/// What every line of a connection carries.
fn of(ends: Ends, user: &str) -> Vec<(&'static str, Value)> {
    let mut fields = vec![
        ("connection", json!(ends.id.to_string())),
        ("source", json!(ends.peer.ip().to_canonical().to_string())),
        ("port", json!(ends.peer.port())),
        ("local", json!(ends.local.ip().to_canonical().to_string())),
        ("local_port", json!(ends.local.port())),
    ];
    if !user.is_empty() {
        fields.push(("user", json!(user)));
    }
    fields
}

fn from(ends: Ends) -> String {
    format!("from {}", address(ends.peer))
}

fn address(address: SocketAddr) -> String {
    let (name, port) = Ends::words(address);
    format!("{name} port {port}")
}

/// A text that stays one word, so that a name cannot go on as `from 192.0.2.1 port 22`.
fn word(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_whitespace() {
            let _ = write!(out, "\\x{:02x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

fn seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}

fn number(time: Duration) -> Value {
    let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    serde_json::Number::from_f64((milliseconds as f64) / 1000.0).map_or(Value::Null, Value::Number)
}
