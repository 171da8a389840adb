//! The words that keywords of both files take, and the readers that both share.

use crate::kind::{Value, Words};
use crate::time;

/// The log levels, as both files name them.
pub const LOG_LEVELS: Words = &[
    ("QUIET", "QUIET"),
    ("FATAL", "FATAL"),
    ("ERROR", "ERROR"),
    ("INFO", "INFO"),
    ("VERBOSE", "VERBOSE"),
    ("DEBUG", "DEBUG"),
    ("DEBUG1", "DEBUG"),
    ("DEBUG2", "DEBUG2"),
    ("DEBUG3", "DEBUG3"),
];

/// The syslog facilities.
pub const FACILITIES: Words = &[
    ("DAEMON", "DAEMON"),
    ("USER", "USER"),
    ("AUTH", "AUTH"),
    ("AUTHPRIV", "AUTHPRIV"),
    ("LOCAL0", "LOCAL0"),
    ("LOCAL1", "LOCAL1"),
    ("LOCAL2", "LOCAL2"),
    ("LOCAL3", "LOCAL3"),
    ("LOCAL4", "LOCAL4"),
    ("LOCAL5", "LOCAL5"),
    ("LOCAL6", "LOCAL6"),
    ("LOCAL7", "LOCAL7"),
];

/// The digests of fingerprints.
pub const DIGESTS: Words = &[("md5", "MD5"), ("sha256", "SHA256")];

/// How lines of the audit log look.
pub const LOG_FORMATS: Words = &[("text", "text"), ("json", "json")];

/// The address families.
pub const FAMILIES: Words = &[("any", "any"), ("inet", "inet"), ("inet6", "inet6")];

/// The names of IP traffic classes and their values (RFC 2474, RFC 8622, RFC 1349).
const TRAFFIC_CLASSES: [(&str, u8); 26] = [
    ("af11", 0x28),
    ("af12", 0x30),
    ("af13", 0x38),
    ("af21", 0x48),
    ("af22", 0x50),
    ("af23", 0x58),
    ("af31", 0x68),
    ("af32", 0x70),
    ("af33", 0x78),
    ("af41", 0x88),
    ("af42", 0x90),
    ("af43", 0x98),
    ("cs0", 0x00),
    ("cs1", 0x20),
    ("cs2", 0x40),
    ("cs3", 0x60),
    ("cs4", 0x80),
    ("cs5", 0xa0),
    ("cs6", 0xc0),
    ("cs7", 0xe0),
    ("ef", 0xb8),
    ("va", 0xb0),
    ("le", 0x04),
    ("lowdelay", 0x10),
    ("throughput", 0x08),
    ("reliability", 0x04),
];

/// Reads `IPQoS`: one or two classes; one serves for both kinds of session.
pub fn read_ip_qos(words: &[String]) -> Result<Value, &'static str> {
    let allowed =
        "one or two of af11 to af43, cs0 to cs7, ef, va, le, lowdelay, throughput, reliability, none or a number";
    let class = |word: &String| {
        let lower = word.to_ascii_lowercase();
        if lower == "none" || TRAFFIC_CLASSES.iter().any(|(name, _)| *name == lower) {
            return Ok(lower);
        }
        let number = match lower.strip_prefix("0x") {
            Some(hex) => u8::from_str_radix(hex, 16).ok(),
            None => lower.parse().ok(),
        };
        let name = |n: u8| TRAFFIC_CLASSES.iter().find(|(_, value)| *value == n).map(|(name, _)| (*name).to_owned());
        number.map(|n| name(n).unwrap_or_else(|| format!("0x{n:02x}"))).ok_or(allowed)
    };
    match words {
        [one] => class(one).map(|c| Value::List(vec![c.clone(), c])),
        [interactive, bulk] => Ok(Value::List(vec![class(interactive)?, class(bulk)?])),
        _ => Err(allowed),
    }
}

/// The value of a printed traffic class; `None` for `none`.
pub fn traffic_class(word: &str) -> Option<u8> {
    match word.strip_prefix("0x") {
        Some(hex) => u8::from_str_radix(hex, 16).ok(),
        None => TRAFFIC_CLASSES.iter().find(|(name, _)| *name == word).map(|(_, value)| *value),
    }
}

/// Reads `RekeyLimit`, printed as bytes and seconds.
pub fn read_rekey_limit(words: &[String]) -> Result<Value, &'static str> {
    let limit = time::RekeyLimit::parse(words).ok_or(time::RekeyLimit::ALLOWED)?;
    Ok(Value::List(vec![limit.bytes.to_string(), limit.seconds.to_string()]))
}

/// The limit that a printed value stands for.
pub fn rekey_limit(printed: &[String]) -> time::RekeyLimit {
    let mut numbers = printed.iter().map(|word| word.parse().unwrap_or(0));
    time::RekeyLimit { bytes: numbers.next().unwrap_or(0), seconds: numbers.next().unwrap_or(0) }
}

/// Reads an octal mode, printed with a leading zero.
pub fn read_mode(words: &[String]) -> Result<Value, &'static str> {
    let allowed = "an octal mode such as 0177";
    match words {
        [one] => time::octal_mode(one).map(|mode| Value::Text(format!("0{mode:o}"))).ok_or(allowed),
        _ => Err(allowed),
    }
}

/// Reads `SetEnv`: `NAME=value` words.
pub fn read_set_env(words: &[String]) -> Result<Value, &'static str> {
    let good = |word: &String| word.split_once('=').is_some_and(|(name, _)| !name.is_empty());
    if !words.is_empty() && words.iter().all(good) { Ok(Value::List(words.to_vec())) } else { Err("NAME=value words") }
}

/// The pairs of a `SetEnv` value; the first of a name wins.
pub fn env_pairs(words: &[String]) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    for (name, value) in words.iter().filter_map(|word| word.split_once('=')) {
        if !out.iter().any(|(known, _)| known == name) {
            out.push((name.to_owned(), value.to_owned()));
        }
    }
    out
}
