//! Readers for the server's values that are more than a word.

use super::values::{Listen, MaxStartups, Penalties, PermitTarget};
use crate::cidr;
use crate::kind::Value;

type Read = Result<Value, &'static str>;

fn one<'a>(words: &'a [String], allowed: &'static str) -> Result<&'a str, &'static str> {
    match words {
        [word] if !word.is_empty() => Ok(word),
        _ => Err(allowed),
    }
}

/// `ListenAddress`: `host`, `host:port`, `[host]:port`, and maybe `rdomain NAME`.
pub(super) fn read_listen(words: &[String]) -> Read {
    let allowed = "an address or name, maybe with :port (an IPv6 address with a port in brackets)";
    match words {
        [address] if Listen::parse(address).is_some() => Ok(Value::Text(address.clone())),
        [_, word, _] if word.eq_ignore_ascii_case("rdomain") => Err("no rdomain: it is not done yet"),
        _ => Err(allowed),
    }
}

/// `AllowUsers`, `DenyUsers`: `USER` or `USER@HOST` patterns.
pub(super) fn read_allow(words: &[String]) -> Read {
    let good = |word: &String| match word.split_once('@') {
        Some((user, hosts)) => !user.is_empty() && cidr::matches_list(None, hosts).is_ok(),
        None => !word.is_empty(),
    };
    match !words.is_empty() && words.iter().all(good) {
        true => Ok(Value::List(words.to_vec())),
        false => Err("patterns like USER or USER@HOST, with networks whose mask fits"),
    }
}

/// `AcceptEnv`: patterns of variable names.
pub(super) fn read_names(words: &[String]) -> Read {
    match !words.is_empty() && words.iter().all(|word| !word.is_empty() && !word.contains('=')) {
        true => Ok(Value::List(words.to_vec())),
        false => Err("names of environment variables, without ="),
    }
}

const METHODS: [&str; 6] = ["none", "publickey", "password", "keyboard-interactive", "hostbased", "gssapi-with-mic"];

/// `AuthenticationMethods`: comma-separated lists, or `any`.
pub(super) fn read_authentication_methods(words: &[String]) -> Read {
    let allowed =
        "any, or comma-separated lists of publickey, password, keyboard-interactive, hostbased, gssapi-with-mic";
    let method = |text: &str| {
        let name = text.split_once(':').map_or(text, |(name, _)| name);
        METHODS.contains(&name)
    };
    let any = words.iter().any(|word| word == "any");
    if words.is_empty() || (any && words.len() > 1) {
        return Err(allowed);
    }
    let good = any || words.iter().all(|list| list.split(',').all(method));
    if good { Ok(Value::List(words.to_vec())) } else { Err(allowed) }
}

/// `Subsystem`: a name and a command.
pub(super) fn read_subsystem(words: &[String]) -> Read {
    match words {
        [name, _, ..] if !name.is_empty() => Ok(Value::List(words.to_vec())),
        _ => Err("a name and a command"),
    }
}

/// `MaxStartups`, printed as `start:rate:full`.
pub(super) fn read_max_startups(words: &[String]) -> Read {
    let allowed = "a number, or start:rate:full with start at most full and a rate of 1 to 100";
    let limits = MaxStartups::parse(one(words, allowed)?).ok_or(allowed)?;
    Ok(Value::Text(format!("{}:{}:{}", limits.start, limits.rate, limits.full)))
}

/// `PerSourceMaxStartups`: a number or `none`.
pub(super) fn read_source_limit(words: &[String]) -> Read {
    let allowed = "a number or none";
    match one(words, allowed)? {
        word if word.eq_ignore_ascii_case("none") => Ok(Value::Word("none")),
        word => word.parse::<u32>().map(|n| Value::Number(i64::from(n))).map_err(|_| allowed),
    }
}

/// `PerSourceNetBlockSize`: bits of IPv4, and maybe of IPv6 after a colon; the missing one keeps its default.
pub(super) fn read_net_block(words: &[String]) -> Read {
    let allowed = "bits from 0 to 32, and maybe from 0 to 128 for IPv6 after a colon";
    let word = one(words, allowed)?;
    let (v4, v6) = word.split_once(':').unwrap_or((word, "64"));
    let bits = |text: &str, max: u8| text.parse::<u8>().ok().filter(|bits| *bits <= max).ok_or(allowed);
    Ok(Value::Text(format!("{}:{}", bits(v4, 32)?, bits(v6, 128)?)))
}

/// `PerSourcePenalties`: `no`, `yes`, or `name:value` words.
pub(super) fn read_penalties(words: &[String]) -> Read {
    let mut penalties = Penalties::default();
    match !words.is_empty() && words.iter().all(|word| penalties.set(word)) {
        true => Ok(Value::List(words.to_vec())),
        false => Err(Penalties::ALLOWED),
    }
}

/// `PerSourcePenaltyExemptList`: a comma-separated list of networks, or `none`.
pub(super) fn read_exempt_list(words: &[String]) -> Read {
    let allowed = "addresses and networks whose mask fits, separated by commas, or none";
    let word = one(words, allowed)?;
    let good = word.eq_ignore_ascii_case("none") || cidr::matches_list(None, word).is_ok();
    if good { Ok(Value::Text(word.to_owned())) } else { Err(allowed) }
}

fn read_permits(words: &[String], bare_port: bool, allowed: &'static str) -> Read {
    let special = |word: &String| matches!(word.as_str(), "any" | "none");
    let good = match words {
        [only] if special(only) => true,
        [] => false,
        many => many.iter().all(|word| PermitTarget::parse(word, bare_port).is_some()),
    };
    let full = |word: &String| match special(word) || word.contains(':') {
        true => word.clone(),
        false => format!("*:{word}"),
    };
    if good { Ok(Value::List(words.iter().map(full).collect())) } else { Err(allowed) }
}

/// `PermitOpen`: `host:port` words, `any` or `none`.
pub(super) fn read_permit_open(words: &[String]) -> Read {
    read_permits(words, false, "any, none, or host:port words with a port from 1 to 65535 or *")
}

/// `PermitListen`: `port` or `host:port` words, `any` or `none`.
pub(super) fn read_permit_listen(words: &[String]) -> Read {
    read_permits(words, true, "any, none, or words like port or host:port with a port from 1 to 65535 or *")
}

/// PubkeyAuthOptions: `none`, or what every security key's signature has to show.
pub(super) fn read_pubkey_options(words: &[String]) -> Read {
    const ALLOWED: &str = "none, touch-required, verify-required";
    let lower: Vec<String> = words.iter().map(|word| word.to_ascii_lowercase()).collect();
    let known = |word: &String| matches!(word.as_str(), "none" | "touch-required" | "verify-required");
    if lower.is_empty() || !lower.iter().all(known) {
        return Err(ALLOWED);
    }
    // In OpenSSH's order, each once; `none` takes back what stands before it.
    let since = lower.iter().rposition(|word| word == "none").map_or(0, |at| at + 1);
    let has = |name: &str| lower.iter().skip(since).any(|word| word == name);
    let named: Vec<String> =
        ["touch-required", "verify-required"].into_iter().filter(|name| has(name)).map(str::to_owned).collect();
    Ok(Value::List(if named.is_empty() { vec!["none".to_owned()] } else { named }))
}
