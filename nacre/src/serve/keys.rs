//! Which keys may log in as an account: `authorized_keys`, read with the account's own rights.

use super::login::{Ends, Login};
use super::shared::Shared;
use super::{certificates, keys_command, security_key};
use nacre_config::authorized_keys::{AuthorizedKeys, KeyOptions, PermitPort, PermitTarget};
use nacre_config::server::KeyFile;
use nacre_crypto::{Certificate, PublicKey};
use nacre_net::server::authority::KeyCheck;
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_sys::account::Account;
use nacre_sys::user_files;
use nacre_wire::text::clean_line;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The largest file read, in bytes (threat A17).
const MAX_FILE: usize = 1024 * 1024;
/// The most files one pattern may name.
const MAX_MATCHES: usize = 128;

/// The options of the line that lets this key in, if one does; for a certificate narrowed by its own. A signature that is
/// there already shows what was asked of a security key.
pub fn find(shared: &Shared, login: &Login, ends: Ends, key: &KeyCheck) -> Option<KeyOptions> {
    let options = lets_in(shared, login, ends, key)?;
    match security_key::refusal(login, key, &options) {
        None => Some(options),
        Some(why) => {
            certificates::refused(login, why, None);
            None
        }
    }
}

fn lets_in(shared: &Shared, login: &Login, ends: Ends, key: &KeyCheck) -> Option<KeyOptions> {
    let blob = key.public_key.as_slice();
    // Before anything else is looked at: accounts that do not exist take as long (threat A12), and nothing but a key goes further.
    let certificate = key.algorithm.is_certificate().then(|| Certificate::from_blob(blob)).transpose();
    if !key.algorithm.is_certificate() && !is_key_for(blob, key.algorithm) {
        return None;
    }
    let certificate = match certificate {
        Ok(certificate) => certificate,
        Err(error) => {
            certificates::refused(login, &error.to_string(), None);
            return None;
        }
    };
    if let Some(why) = shared.revoked.refusal(login, blob, certificate.as_ref()) {
        certificates::refused(login, &why, certificate.as_ref());
        return None;
    }
    let account = login.account.as_ref().filter(|_| login.keys_count)?;
    match &certificate {
        Some(certificate) => certificates::find(shared, login, account, ends, certificate),
        None => in_all(shared, login, account, ends, blob, &mut |keys, path| pick(login, keys, ends, path, blob)),
    }
}

/// Whether a blob is a key whose signatures may be by this algorithm: what else a stranger sends as a key must not reach programs.
fn is_key_for(blob: &[u8], algorithm: SignatureAlgorithm) -> bool {
    PublicKey::from_blob(blob, "").is_ok_and(|key| key.key_type() == algorithm.key_type())
}

/// What somebody finds in the lines of a source, which is named for messages.
type Search<'a> = &'a mut dyn FnMut(&AuthorizedKeys, &Path) -> Option<KeyOptions>;

/// Looks through every source of a user's keys. As with OpenSSH the program comes first; what it does not let in, a
/// file may.
pub fn in_all(
    shared: &Shared,
    login: &Login,
    account: &Account,
    ends: Ends,
    blob: &[u8],
    search: Search<'_>,
) -> Option<KeyOptions> {
    let told = keys_command::output(login, account, ends, blob);
    if let Some(options) = told.and_then(|(program, bytes)| search(&parse(&bytes, &program), &program)) {
        return Some(options);
    }
    let home = account.home.to_str()?;
    let files = match login.options.authorized_keys_files(&account.name, account.uid, home) {
        Ok(files) => files,
        Err(error) => {
            tracing::warn!("AuthorizedKeysFile: {error}");
            return None;
        }
    };
    let strict = shared.options().strict_modes;
    files.iter().flat_map(|file| paths(account, file)).find_map(|path| search(&read(account, &path, strict)?, &path))
}

fn pick(login: &Login, keys: &AuthorizedKeys, ends: Ends, path: &Path, blob: &[u8]) -> Option<KeyOptions> {
    let permits = |options: &KeyOptions, line| permits(options, login.host.as_deref(), ends, path, line);
    let options = keys.find(blob).find(|entry| permits(&entry.options, entry.line))?.options.clone();
    login.key_may_do(options.command.is_some()).then_some(options)
}

/// Reads keys; lines that are none are told of and left out.
fn parse(bytes: &[u8], path: &Path) -> AuthorizedKeys {
    let keys = AuthorizedKeys::parse(bytes);
    for refused in &keys.refused {
        let shown = clean_line(path.as_os_str().as_encoded_bytes(), 500);
        tracing::warn!("{shown}:{}: line refused: {}", refused.line, refused.error);
    }
    keys
}

/// The files that a configured name stands for.
fn paths(account: &Account, file: &KeyFile) -> Vec<PathBuf> {
    if !file.is_pattern {
        return vec![PathBuf::from(&file.path)];
    }
    let Ok(credentials) = account.credentials() else { return Vec::new() };
    let found = user_files::with_rights_of(&credentials, || Ok(crate::world::glob(&file.path)));
    found.unwrap_or_default().into_iter().take(MAX_MATCHES).map(PathBuf::from).collect()
}

fn read(account: &Account, path: &Path, strict: bool) -> Option<AuthorizedKeys> {
    let shown = || clean_line(path.as_os_str().as_encoded_bytes(), 500);
    let file = match user_files::read_file_as(account, path, MAX_FILE) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!("Could not open authorized keys '{}': {error}", shown());
            return None;
        }
    };
    if let Err(problem) = file.strict_modes
        && strict
    {
        tracing::warn!("Authentication refused for {}: {}: {problem}", account.name, shown());
        return None;
    }
    Some(parse(&file.bytes, path))
}

/// Whether a line's `from` and `expiry-time` are met; what is not is told.
pub fn permits(options: &KeyOptions, host: Option<&str>, ends: Ends, path: &Path, line: u32) -> bool {
    let from = options.permits_source(host, ends.peer.ip().to_canonical());
    let now =
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| i64::try_from(t.as_secs()).unwrap_or(i64::MAX));
    let past = options.expiry_time.is_some_and(|expiry| expiry.is_past(now, nacre_sys::clock::utc_offset(now)));
    if !from {
        tracing::info!("{}:{line}: key not permitted from {}", path.display(), ends.peer.ip());
    }
    if past {
        tracing::info!("{}:{line}: key expired", path.display());
    }
    from && !past
}

/// What several factors allow together: the least of each (threat A9).
pub fn intersect(a: &KeyOptions, b: &KeyOptions) -> KeyOptions {
    let mut both = a.clone();
    both.restrict |= b.restrict;
    both.agent_forwarding &= b.agent_forwarding;
    both.port_forwarding &= b.port_forwarding;
    both.x11_forwarding &= b.x11_forwarding;
    both.pty &= b.pty;
    both.user_rc &= b.user_rc;
    both.no_touch_required &= b.no_touch_required;
    both.verify_required |= b.verify_required;
    both.permit_open = permitted_by_both(&a.permit_open, &b.permit_open);
    both.permit_listen = permitted_by_both(&a.permit_listen, &b.permit_listen);
    both.environment.retain(|variable| b.environment.contains(variable));
    // Two different forced commands cannot both run: nothing does.
    both.command = match (&a.command, &b.command) {
        (Some(one), Some(other)) if one != other => Some("false".to_owned()),
        (one, other) => one.clone().or_else(|| other.clone()),
    };
    both
}

/// The targets that two lists have in common; an empty list has all.
fn permitted_by_both(a: &[PermitTarget], b: &[PermitTarget]) -> Vec<PermitTarget> {
    if a.is_empty() || b.is_empty() {
        return [a, b].concat();
    }
    let common = |one: &PermitTarget, other: &PermitTarget| {
        let host = match (one.host.as_str(), other.host.as_str()) {
            ("*", host) | (host, "*") => host,
            (host, same) if host.eq_ignore_ascii_case(same) => host,
            _ => return None,
        };
        let port = match (one.port, other.port) {
            (PermitPort::Any, port) | (port, PermitPort::Any) => port,
            (port, same) if port == same => port,
            _ => return None,
        };
        Some(PermitTarget { host: host.to_owned(), port })
    };
    let both: Vec<_> = a.iter().flat_map(|one| b.iter().filter_map(move |other| common(one, other))).collect();
    // Nothing in common must not read as an empty list: no host has this name.
    if both.is_empty() { vec![PermitTarget { host: String::new(), port: PermitPort::Only(0) }] } else { both }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a02_only_keys_reach_the_programs_and_files_of_keys() {
        let key = nacre_crypto::PrivateKey::generate(nacre_crypto::KeyKind::Ed25519, None).unwrap().public_key();
        assert!(is_key_for(key.blob(), SignatureAlgorithm::Ed25519));
        assert!(!is_key_for(key.blob(), SignatureAlgorithm::RsaSha256));
        for bad in [&b""[..], b"\0\0\0\x0d--config=/tmp/x", key.blob().split_at(40).0, &[key.blob(), b"more"].concat()]
        {
            assert!(!is_key_for(bad, SignatureAlgorithm::Ed25519), "{bad:?}");
        }
    }

    #[test]
    fn a09_two_factors_allow_what_both_allow() {
        let forced = KeyOptions::parse("command=\"date\",no-pty").unwrap();
        let plain = KeyOptions::default();
        for both in [intersect(&forced, &plain), intersect(&plain, &forced)] {
            assert_eq!(both.command.as_deref(), Some("date"));
            assert!(!both.pty);
        }
        let other = KeyOptions::parse("command=\"id\"").unwrap();
        assert_eq!(intersect(&forced, &other).command.as_deref(), Some("false"));
    }

    #[test]
    fn c07_two_keys_permit_what_both_permit() {
        let open = |one: &str, other: &str| {
            let parse = |list: &str| KeyOptions::parse(list).unwrap();
            let both = intersect(&parse(one), &parse(other)).permit_open;
            both.into_iter().map(|target| format!("{}:{:?}", target.host, target.port)).collect::<Vec<_>>()
        };
        assert!(open("no-pty", "no-pty").is_empty(), "everything");
        assert_eq!(open("permitopen=\"a:1\"", "no-pty"), ["a:Only(1)"]);
        let two = "permitopen=\"a:1\",permitopen=\"b:2\"";
        assert_eq!(open(two, "permitopen=\"B:*\""), ["b:Only(2)"]);
        assert_eq!(open("permitopen=\"*:2\"", two), ["b:Only(2)"]);
        assert_eq!(open("permitopen=\"a:1\"", "permitopen=\"a:2\""), [":Only(0)"], "nothing, and not everything");
    }
}
