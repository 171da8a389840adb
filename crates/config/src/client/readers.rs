//! Readers for the client's values that are more than a word, and the values themselves.

use std::fmt;
use std::time::Duration;

use super::Keyword;
use crate::authorized_keys::PermitTarget;
use crate::kind::Value;
use crate::time;

/// One end of a forwarding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A TCP port; without a host it is loopback (listening) or left to the other side.
    Tcp {
        /// The name or address, brackets taken off.
        host: Option<String>,
        /// The port; 0 lets a remote side choose one to listen on.
        port: u16,
    },
    /// A Unix-domain socket's path.
    Unix(String),
}

impl Endpoint {
    /// Reads where `-W` leads: `host:port` or the path of a socket. `None` when it is neither.
    pub fn parse_target(spec: &str) -> Option<Self> {
        match Forward::parse(spec, ForwardKind::Dynamic)?.listen {
            Self::Tcp { host, .. } if host.as_ref().is_none_or(String::is_empty) => None,
            target => Some(target),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host: None, port } => write!(f, "{port}"),
            Self::Tcp { host: Some(host), port } => write!(f, "[{host}]:{port}"),
            Self::Unix(path) => f.write_str(path),
        }
    }
}

/// A forwarding as `-L`, `-R`, `-D` and the config keywords ask for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// Where to listen.
    pub listen: Endpoint,
    /// Where to connect to; `None` speaks SOCKS.
    pub connect: Option<Endpoint>,
}

impl fmt::Display for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.listen)?;
        self.connect.as_ref().map_or(Ok(()), |to| write!(f, " {to}"))
    }
}

/// Which of the three keywords a forwarding belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardKind {
    /// `-L`, `LocalForward`.
    Local,
    /// `-R`, `RemoteForward`; without a target it speaks SOCKS.
    Remote,
    /// `-D`, `DynamicForward`.
    Dynamic,
}

impl ForwardKind {
    /// The keyword of each.
    pub(super) const KEYWORDS: [(Keyword, Self); 3] = [
        (Keyword::LocalForward, Self::Local),
        (Keyword::RemoteForward, Self::Remote),
        (Keyword::DynamicForward, Self::Dynamic),
    ];
}

impl Forward {
    /// Reads a specification as the flags take it: `[bind:]port:host:hostport`, `[bind:]port`, with socket paths in
    /// either place. `None` when it is none.
    pub fn parse(spec: &str, kind: ForwardKind) -> Option<Self> {
        let fields = fields(spec)?;
        let tcp = |host: Option<&Field>, port: &Field| {
            Some(Endpoint::Tcp { host: host.map(|h| h.text.clone()), port: port.text.parse().ok()? })
        };
        let unix = |field: &Field| Endpoint::Unix(field.text.clone());
        let (listen, connect) = match fields.as_slice() {
            [one] if one.is_path => (unix(one), None),
            [one] => (tcp(None, one)?, None),
            [one, two] if one.is_path && two.is_path => (unix(one), Some(unix(two))),
            [one, two] if two.is_path => (tcp(None, one)?, Some(unix(two))),
            [one, two] => (tcp(Some(one), two)?, None),
            [one, two, three] if one.is_path => (unix(one), Some(tcp(Some(two), three)?)),
            [one, two, three] if three.is_path => (tcp(Some(one), two)?, Some(unix(three))),
            [one, two, three] => (tcp(None, one)?, Some(tcp(Some(two), three)?)),
            [one, two, three, four] => (tcp(Some(one), two)?, Some(tcp(Some(three), four)?)),
            _ => return None,
        };
        let forward = Self { listen, connect };
        forward.fits(kind).then_some(forward)
    }

    fn fits(&self, kind: ForwardKind) -> bool {
        let any_port = matches!(self.listen, Endpoint::Tcp { port: 0, .. });
        let no_target = matches!(self.connect, Some(Endpoint::Tcp { port: 0, .. }));
        !no_target
            && match kind {
                ForwardKind::Dynamic => self.connect.is_none() && !any_port,
                ForwardKind::Local => self.connect.is_some() && !any_port,
                ForwardKind::Remote => true,
            }
    }
}

struct Field {
    text: String,
    is_path: bool,
}

/// Cuts at colons outside brackets; a backslash takes the meaning from the next character.
fn fields(spec: &str) -> Option<Vec<Field>> {
    let mut out = Vec::new();
    let mut rest = spec.trim_matches([' ', '\t']);
    loop {
        let (text, after) = match rest.strip_prefix('[') {
            Some(inner) => {
                let (text, after) = inner.split_once(']')?;
                (text.to_owned(), after)
            }
            None => {
                let mut text = String::new();
                let mut chars = rest.chars();
                loop {
                    let before = chars.as_str();
                    match chars.next() {
                        None | Some(':') => break (text, before),
                        Some('\\') => text.push(chars.next()?),
                        Some(c) => text.push(c),
                    }
                }
            }
        };
        let is_path = text.starts_with('/');
        if text.len() > 1024 {
            return None;
        }
        out.push(Field { text, is_path });
        match after.strip_prefix(':') {
            Some(more) if out.len() < 4 => rest = more,
            None if after.is_empty() => return Some(out),
            _ => return None,
        }
    }
}

const FORWARD: &str = "[address:]port and host:port, or socket paths";

fn read_forward(words: &[String], kind: ForwardKind) -> Result<Value, &'static str> {
    let spec = match (words, kind) {
        ([one], ForwardKind::Remote | ForwardKind::Dynamic) => one.clone(),
        ([one, two], ForwardKind::Local | ForwardKind::Remote) => format!("{one}:{two}"),
        _ => return Err(FORWARD),
    };
    let forward = Forward::parse(&spec, kind).ok_or(FORWARD)?;
    // ssh -G prints a remote forwarding without a target so.
    let socks = if kind == ForwardKind::Remote && forward.connect.is_none() { " [socks]:0" } else { "" };
    Ok(Value::Shown { shown: format!("{forward}{socks}"), text: spec })
}

/// Reads `LocalForward`; the value holds the specification and its printed form.
pub(super) fn read_local_forward(words: &[String]) -> Result<Value, &'static str> {
    read_forward(words, ForwardKind::Local)
}

/// Reads `RemoteForward`.
pub(super) fn read_remote_forward(words: &[String]) -> Result<Value, &'static str> {
    read_forward(words, ForwardKind::Remote)
}

/// Reads `DynamicForward`.
pub(super) fn read_dynamic_forward(words: &[String]) -> Result<Value, &'static str> {
    read_forward(words, ForwardKind::Dynamic)
}

/// Reads `PermitRemoteOpen`: `host:port` words, `any` or `none`.
pub(super) fn read_permit_remote_open(words: &[String]) -> Result<Value, &'static str> {
    let allowed = "any, none, or host:port words with a port from 1 to 65535 or *";
    let good = match words {
        [word] if matches!(word.as_str(), "any" | "none") => true,
        words => !words.is_empty() && words.iter().all(|word| PermitTarget::parse(word, false).is_some()),
    };
    if good { Ok(Value::List(words.to_vec())) } else { Err(allowed) }
}

/// Reads `SendEnv`: patterns of names, `-pattern` takes earlier ones out.
pub(super) fn read_send_env(words: &[String]) -> Result<Value, &'static str> {
    let good = |word: &String| !word.is_empty() && word != "-" && !word.contains('=');
    match !words.is_empty() && words.iter().all(good) {
        true => Ok(Value::List(words.to_vec())),
        false => Err("names of environment variables, without ="),
    }
}

/// Reads `AddKeysToAgent`, printed as `ssh -G` does.
pub(super) fn read_add_keys_to_agent(words: &[String]) -> Result<Value, &'static str> {
    let allowed = "yes, no, ask, confirm, confirm and a time, or a time";
    let lower: Vec<String> = words.iter().map(|w| w.to_ascii_lowercase()).collect();
    let text = match lower.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["yes" | "true"] => "true".to_owned(),
        ["no" | "false"] => "false".to_owned(),
        ["ask"] => "ask".to_owned(),
        ["confirm"] => "confirm".to_owned(),
        ["confirm", span] => match time::span(span).ok_or(allowed)? {
            0 => "confirm".to_owned(),
            seconds => format!("confirm {seconds}"),
        },
        [span] => match time::span(span).ok_or(allowed)? {
            0 => "true".to_owned(),
            seconds => seconds.to_string(),
        },
        _ => return Err(allowed),
    };
    Ok(Value::Text(text))
}

/// Reads `ControlPersist`: `yes`, `no` or a time; 0 is `yes`.
pub(super) fn read_control_persist(words: &[String]) -> Result<Value, &'static str> {
    let allowed = "yes, no or a time";
    let [word] = words else { return Err(allowed) };
    match word.to_ascii_lowercase().as_str() {
        "yes" | "true" => Ok(Value::Word("yes")),
        "no" | "false" => Ok(Value::Word("no")),
        span => match time::span(span).ok_or(allowed)? {
            0 => Ok(Value::Word("yes")),
            seconds => Ok(Value::Text(seconds.to_string())),
        },
    }
}

/// The milliseconds between two ticks of typing that `yes` means.
const OBSCURE_DEFAULT_MS: u64 = 20;

/// Reads `ObscureKeystrokeTiming`: `yes`, `no`, or `interval:` and milliseconds.
pub(super) fn read_obscure(words: &[String]) -> Result<Value, &'static str> {
    let allowed = "yes, no, or interval: with 1 to 1000 milliseconds";
    let [word] = words else { return Err(allowed) };
    match word.to_ascii_lowercase().as_str() {
        "yes" | "true" => Ok(Value::Word("yes")),
        "no" | "false" => Ok(Value::Word("no")),
        other => match other.strip_prefix("interval:").and_then(|number| number.parse::<u64>().ok()) {
            Some(OBSCURE_DEFAULT_MS) => Ok(Value::Word("yes")),
            Some(1..=1000) => Ok(Value::Text(other.to_owned())),
            _ => Err(allowed),
        },
    }
}

/// The time between two ticks, from the printed word; `None` is `no`.
pub(super) fn obscure_interval(printed: &str) -> Option<Duration> {
    let milliseconds = match printed {
        "no" => return None,
        other => other.strip_prefix("interval:").and_then(|number| number.parse().ok()),
    };
    Some(Duration::from_millis(milliseconds.unwrap_or(OBSCURE_DEFAULT_MS)))
}

/// Reads `EscapeChar`: a character, `^` and a letter, or `none`.
pub(super) fn read_escape_char(words: &[String]) -> Result<Value, &'static str> {
    let allowed = "one character, ^ and a letter, or none";
    let [word] = words else { return Err(allowed) };
    if word == "none" {
        return Ok(Value::Word("none"));
    }
    let byte = match word.as_bytes() {
        [one] => *one,
        [b'^', letter] if (64..128).contains(letter) => letter & 31,
        _ => return Err(allowed),
    };
    let shown = match byte {
        0..32 => format!("\\^{}", char::from(byte | 64)),
        _ => char::from(byte).to_string(),
    };
    Ok(Value::Shown { text: char::from(byte).to_string(), shown })
}

/// One stop on the way to a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JumpHost {
    /// The user to log in as, if named.
    pub user: Option<String>,
    /// The host.
    pub host: String,
    /// The port, if named.
    pub port: Option<u16>,
}

impl JumpHost {
    /// Reads `[user@]host[:port]` or `ssh://[user@]host[:port]`; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix("ssh://").map_or(text, |uri| uri.trim_end_matches('/'));
        let (user, rest) = match text.rsplit_once('@') {
            Some((user, rest)) => (Some(user.to_owned()).filter(|u| !u.is_empty()).map(Some)?, rest),
            None => (None, text),
        };
        let (host, port) = match rest.strip_prefix('[') {
            Some(inner) => {
                let (host, after) = inner.split_once(']')?;
                (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
            }
            None if rest.matches(':').count() > 1 => (rest, None),
            None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
        };
        let port = match port {
            Some(digits) => Some(digits.parse().ok().filter(|p| *p != 0)?),
            None => None,
        };
        let sound = !host.is_empty() && !host.starts_with('-') && !host.contains(|c: char| c.is_whitespace());
        sound.then(|| Self { user, host: host.to_owned(), port })
    }
}

impl fmt::Display for JumpHost {
    /// As `-J` takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.user.as_ref().map_or(Ok(()), |user| write!(f, "{user}@"))?;
        match (self.host.contains(':'), self.port) {
            (false, None) => f.write_str(&self.host),
            (false, Some(port)) => write!(f, "{}:{port}", self.host),
            (true, None) => write!(f, "[{}]", self.host),
            (true, Some(port)) => write!(f, "[{}]:{port}", self.host),
        }
    }
}

/// Reads `ProxyJump`: a comma-separated list of stops, or `none`.
pub(super) fn read_proxy_jump(words: &[String]) -> Result<Value, &'static str> {
    let allowed = "[user@]host[:port], more of them after commas, or none";
    let [word] = words else { return Err(allowed) };
    if word.eq_ignore_ascii_case("none") {
        return Ok(Value::Word("none"));
    }
    let good = !word.is_empty() && word.split(',').all(|stop| JumpHost::parse(stop).is_some());
    if good { Ok(Value::Text(word.clone())) } else { Err(allowed) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn forwards() {
        let of = |spec: &str, kind| Forward::parse(spec, kind).map(|f| f.to_string());
        let local = |spec: &str| of(spec, ForwardKind::Local);
        assert_eq!(local("8080:web:80").unwrap(), "8080 [web]:80");
        assert_eq!(local("*:8080:[::1]:80").unwrap(), "[*]:8080 [::1]:80");
        assert_eq!(local("/tmp/s:web:80").unwrap(), "/tmp/s [web]:80");
        assert_eq!(local("8080:/tmp/s").unwrap(), "8080 /tmp/s");
        assert_eq!(local("localhost:8080:/tmp/s").unwrap(), "[localhost]:8080 /tmp/s");
        assert_eq!(of("1080", ForwardKind::Dynamic).unwrap(), "1080");
        assert_eq!(of("0:web:80", ForwardKind::Remote).unwrap(), "0 [web]:80");
        assert_eq!(of("1080", ForwardKind::Remote).unwrap(), "1080");
        for bad in
            ["", "8080", "0:web:80", "8080:web:0", "8080:web:65536", "a:b:c", "1:2:3:4:5", "[::1:80", "8080:web:80:"]
        {
            assert_eq!(local(bad), None, "{bad:?}");
        }
        assert_eq!(of("8080:web:80", ForwardKind::Dynamic), None);
    }

    #[test]
    fn targets_of_w() {
        let of = |spec: &str| Endpoint::parse_target(spec).map(|to| to.to_string());
        assert_eq!(of("web:80").as_deref(), Some("[web]:80"));
        assert_eq!(of("[fe80::1%eth0]:22").as_deref(), Some("[fe80::1%eth0]:22"));
        assert_eq!(of("/run/socket").as_deref(), Some("/run/socket"));
        for bad in ["", "80", "web", ":80", "web:0", "web:65536", "web:80:81", "::1:80"] {
            assert_eq!(of(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn jump_hosts_are_written_as_they_are_read() {
        for text in ["hop", "hop:22", "ann@hop", "a@b@hop:1", "[::1]", "ann@[fe80::1%eth0]:2200"] {
            assert_eq!(JumpHost::parse(text).map(|jump| jump.to_string()).as_deref(), Some(text));
        }
    }

    #[test]
    fn jump_hosts() {
        let of = |text: &str| JumpHost::parse(text).map(|j| (j.user, j.host, j.port));
        assert_eq!(of("hop"), Some((None, "hop".into(), None)));
        assert_eq!(of("bob@hop:2200"), Some((Some("bob".into()), "hop".into(), Some(2200))));
        assert_eq!(of("ssh://bob@[::1]:2200/"), Some((Some("bob".into()), "::1".into(), Some(2200))));
        assert_eq!(of("a@b@hop"), Some((Some("a@b".into()), "hop".into(), None)));
        for bad in ["", "@hop", "hop:0", "hop:x", "-oProxyCommand=x", "[::1", "[::1]x"] {
            assert_eq!(of(bad), None, "{bad:?}");
        }
    }
}
