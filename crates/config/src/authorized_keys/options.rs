//! The options in front of a key. Unknown is refused, never skipped (threats, rule 10).

use std::fmt;
use std::net::IpAddr;

use super::Expiry;
use crate::cidr;

/// The most `permitopen` or `permitlisten` clauses on a line, as OpenSSH has it.
const MAX_PERMITS: usize = 4096;

/// The most variables on a line, as OpenSSH has it.
const MAX_VARIABLES: usize = 1024;

/// A port of `permitopen` or `permitlisten`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PermitPort {
    /// `*`.
    Any,
    /// 1 to 65535.
    Only(u16),
}

/// One `permitopen` or `permitlisten` clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermitTarget {
    /// The host, brackets taken off; `*` when a `permitlisten` names a port alone.
    pub host: String,
    /// The port.
    pub port: PermitPort,
}

/// What a key's line allows and forces. The default is a line without options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyOptions {
    /// `restrict` was given.
    pub restrict: bool,
    /// Agent forwarding is allowed.
    pub agent_forwarding: bool,
    /// Port forwarding is allowed.
    pub port_forwarding: bool,
    /// X11 forwarding is allowed.
    pub x11_forwarding: bool,
    /// A terminal is allowed.
    pub pty: bool,
    /// `~/.ssh/rc` is run.
    pub user_rc: bool,
    /// The command to run whatever the client asks for.
    pub command: Option<String>,
    /// Variables to set, where the server lets users do so (PermitUserEnvironment); the first of a name counts.
    pub environment: Vec<(String, String)>,
    /// Where the client must come from: a list for [`Self::permits_source`].
    pub from: Option<String>,
    /// When the key stops being accepted (the earliest, when given more than once).
    pub expiry_time: Option<Expiry>,
    /// The only destinations of forwarded connections; empty is any.
    pub permit_open: Vec<PermitTarget>,
    /// The only places to listen for the client; empty is any.
    pub permit_listen: Vec<PermitTarget>,
    /// The key is a CA: certificates that it signed log in, the key itself does not.
    pub cert_authority: bool,
    /// The names of which such a certificate must list one, between commas; otherwise it is the account's.
    pub principals: Option<String>,
    /// A security key's signature need not show that it was touched.
    pub no_touch_required: bool,
    /// A security key's signature must show that it verified its user.
    pub verify_required: bool,
}

impl Default for KeyOptions {
    fn default() -> Self {
        Self {
            restrict: false,
            agent_forwarding: true,
            port_forwarding: true,
            x11_forwarding: true,
            pty: true,
            user_rc: true,
            command: None,
            environment: Vec::new(),
            from: None,
            expiry_time: None,
            permit_open: Vec::new(),
            permit_listen: Vec::new(),
            cert_authority: false,
            principals: None,
            no_touch_required: false,
            verify_required: false,
        }
    }
}

/// Why options are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionsError {
    /// Nobody knows this option.
    Unknown {
        /// The word as written.
        word: String,
        /// The known option that looks most like it.
        nearest: Option<&'static str>,
    },
    /// An option that is known and not done yet.
    NotDoneYet(&'static str),
    /// An option that may stand once stands twice.
    Twice(&'static str),
    /// The value is missing, not quoted, or not allowed; the text says what would be.
    BadValue(&'static str, &'static str),
    /// A quote is never closed, or something stands where a comma should.
    Grammar,
    /// The option makes sense for security keys only.
    OnlySecurityKeys(&'static str),
    /// The option makes sense for the key of a CA only, or not there.
    OnlyAuthorities(&'static str),
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { word, nearest } => {
                write!(f, "unknown key option {}", nacre_wire::text::clean_line(word.as_bytes(), 64))?;
                nearest.map_or(Ok(()), |near| write!(f, " (did you mean {near}?)"))
            }
            Self::NotDoneYet(name) => write!(f, "option {name} is not done yet, so the key is not accepted"),
            Self::Twice(name) => write!(f, "option {name} stands more than once"),
            Self::BadValue(name, allowed) => write!(f, "option {name} needs {allowed}"),
            Self::Grammar => f.write_str("the options are damaged: a quote is never closed or a comma is missing"),
            Self::OnlySecurityKeys(name) => write!(f, "option {name} is for security keys only"),
            Self::OnlyAuthorities(name) => write!(f, "option {name} has no meaning here: it goes with a CA's key"),
        }
    }
}

impl std::error::Error for OptionsError {}

/// The options, as their names are written.
const NAMES: [&str; 22] = [
    "agent-forwarding",
    "cert-authority",
    "command",
    "environment",
    "expiry-time",
    "from",
    "no-agent-forwarding",
    "no-port-forwarding",
    "no-pty",
    "no-touch-required",
    "no-user-rc",
    "no-X11-forwarding",
    "permitlisten",
    "permitopen",
    "port-forwarding",
    "principals",
    "pty",
    "restrict",
    "tunnel",
    "user-rc",
    "verify-required",
    "X11-forwarding",
];

impl KeyOptions {
    /// Reads the options field.
    ///
    /// # Errors
    /// Anything in it is not understood or not done yet.
    pub fn parse(text: &str) -> Result<Self, OptionsError> {
        let mut out = Self::default();
        let mut rest = text;
        loop {
            // A comma too many says nothing, and OpenSSH takes it.
            rest = rest.trim_start_matches(',');
            if rest.is_empty() {
                return Ok(out);
            }
            let end = rest.find([',', '=', '"']).unwrap_or(rest.len());
            let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            let name = NAMES.into_iter().find(|name| name.eq_ignore_ascii_case(word));
            let name = name.ok_or_else(|| OptionsError::Unknown {
                word: word.to_owned(),
                nearest: crate::nearest::nearest(word, NAMES),
            })?;
            let (value, after) = match after.strip_prefix('=') {
                Some(quoted) => unquote(quoted).map(|(value, after)| (Some(value), after))?,
                None => (None, after),
            };
            out.apply(name, value)?;
            if !after.is_empty() && !after.starts_with(',') {
                return Err(OptionsError::Grammar);
            }
            rest = after;
        }
    }

    fn apply(&mut self, name: &'static str, value: Option<String>) -> Result<(), OptionsError> {
        let takes_value = matches!(
            name,
            "command"
                | "environment"
                | "expiry-time"
                | "from"
                | "permitlisten"
                | "permitopen"
                | "principals"
                | "tunnel"
        );
        let value = match (takes_value, value) {
            (true, Some(value)) => value,
            (false, None) => String::new(),
            (true, None) => return Err(OptionsError::BadValue(name, "a value in double quotes")),
            (false, Some(_)) => return Err(OptionsError::BadValue(name, "no value")),
        };
        match name {
            "tunnel" => return Err(OptionsError::NotDoneYet(name)),
            "cert-authority" => self.cert_authority = true,
            "principals" if value.is_empty() => return Err(OptionsError::BadValue(name, "names between commas")),
            "principals" => once(&mut self.principals, name, value)?,
            "restrict" => self.restrict(),
            "agent-forwarding" => self.agent_forwarding = true,
            "no-agent-forwarding" => self.agent_forwarding = false,
            "port-forwarding" => self.port_forwarding = true,
            "no-port-forwarding" => self.port_forwarding = false,
            "X11-forwarding" => self.x11_forwarding = true,
            "no-X11-forwarding" => self.x11_forwarding = false,
            "pty" => self.pty = true,
            "no-pty" => self.pty = false,
            "user-rc" => self.user_rc = true,
            "no-user-rc" => self.user_rc = false,
            "no-touch-required" => self.no_touch_required = true,
            "verify-required" => self.verify_required = true,
            "command" => once(&mut self.command, name, value)?,
            "from" => {
                if cidr::matches_list(None, &value).is_err() {
                    return Err(OptionsError::BadValue(name, "host patterns and networks with a mask that fits"));
                }
                once(&mut self.from, name, value)?;
            }
            "environment" => self.set_variable(name, &value)?,
            "expiry-time" => self.expire(name, &value)?,
            "permitopen" => permit(&mut self.permit_open, name, &value, false)?,
            _ => permit(&mut self.permit_listen, name, &value, true)?,
        }
        Ok(())
    }

    fn restrict(&mut self) {
        self.restrict = true;
        self.agent_forwarding = false;
        self.port_forwarding = false;
        self.x11_forwarding = false;
        self.pty = false;
        self.user_rc = false;
    }

    fn set_variable(&mut self, name: &'static str, value: &str) -> Result<(), OptionsError> {
        let plain =
            |variable: &str| !variable.is_empty() && variable.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let pair = value.split_once('=').filter(|(variable, text)| plain(variable) && !text.contains('\0'));
        let allowed = "NAME=value, the name of letters, digits and underscores";
        let (variable, text) = pair.ok_or(OptionsError::BadValue(name, allowed))?;
        if self.environment.len() >= MAX_VARIABLES {
            return Err(OptionsError::BadValue(name, "at most 1024 variables"));
        }
        if !self.environment.iter().any(|(known, _)| known == variable) {
            self.environment.push((variable.to_owned(), text.to_owned()));
        }
        Ok(())
    }

    fn expire(&mut self, name: &'static str, value: &str) -> Result<(), OptionsError> {
        let allowed = "a time such as 20301231 or 203012312359Z";
        let expiry = Expiry::parse(value).ok_or(OptionsError::BadValue(name, allowed))?;
        // Two times can only be compared here when both are in one zone; otherwise the line is not clear.
        match self.expiry_time {
            Some(earlier) if earlier.utc != expiry.utc => return Err(OptionsError::Twice(name)),
            Some(earlier) if earlier.civil <= expiry.civil => {}
            _ => self.expiry_time = Some(expiry),
        }
        Ok(())
    }

    /// True when a client may use the key from there. Without a host name (UseDNS off) the address alone counts.
    pub fn permits_source(&self, host: Option<&str>, address: IpAddr) -> bool {
        match &self.from {
            None => true,
            Some(list) => cidr::matches_host_or_address(host, address, list).unwrap_or(false),
        }
    }
}

fn once(place: &mut Option<String>, name: &'static str, value: String) -> Result<(), OptionsError> {
    if place.is_some() {
        return Err(OptionsError::Twice(name));
    }
    *place = Some(value);
    Ok(())
}

/// Takes a double-quoted value off the front; `\"` is a quote, any other backslash stands for itself.
pub(crate) fn unquote(text: &str) -> Result<(String, &str), OptionsError> {
    let mut chars = text.strip_prefix('"').ok_or(OptionsError::Grammar)?.chars();
    let mut out = String::new();
    loop {
        match chars.next() {
            None => return Err(OptionsError::Grammar),
            Some('"') => return Ok((out, chars.as_str())),
            Some('\\') if chars.as_str().starts_with('"') => {
                chars.next();
                out.push('"');
            }
            Some(c) => out.push(c),
        }
    }
}

impl PermitTarget {
    /// Reads `host:port` (an IPv6 address in brackets) or, with `bare`, a port alone. `None` when it is neither.
    pub fn parse(text: &str, bare: bool) -> Option<Self> {
        let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':')?),
            None => match text.split_once(':') {
                Some(pair) => pair,
                None if bare => ("*", text),
                None => return None,
            },
        };
        if host.len() > 1024 || (host.is_empty() && !bare) {
            return None;
        }
        let plain = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        let port = match port {
            "*" => PermitPort::Any,
            digits if plain => PermitPort::Only(digits.parse().ok().filter(|port| *port != 0)?),
            _ => return None,
        };
        Some(Self { host: host.to_owned(), port })
    }
}

fn permit(list: &mut Vec<PermitTarget>, name: &'static str, value: &str, bare: bool) -> Result<(), OptionsError> {
    let bad = OptionsError::BadValue(name, "a host and a port from 1 to 65535 or *, such as \"host:22\"");
    let target = PermitTarget::parse(value, bare).filter(|_| list.len() < MAX_PERMITS);
    list.push(target.ok_or(bad)?);
    Ok(())
}
