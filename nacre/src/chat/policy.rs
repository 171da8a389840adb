//! How the chat is run, from the configuration's words and the files that they name.

use crate::failure::Failure;
use nacre_chat::limits::{BODY_BYTES, PHRASE_BYTES};
use nacre_chat::text::{clean, clean_line};
use nacre_chat::{Nick, RoomName, Rules};
use nacre_config::origin::Origin;
use nacre_config::server::ChatOptions;
use nacre_crypto::PublicKey;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// Bytes of the largest file of operators' keys.
const MAX_FILE: u64 = 1024 * 1024;

/// What the engine is told.
///
/// # Errors
/// A value cannot be, or a file that one names cannot be read; with the place of the line.
pub(super) fn rules(options: &ChatOptions) -> Result<Rules, Failure> {
    let mut rules = Rules {
        guests: options.guests,
        registration: options.registration,
        open_rooms: options.rooms,
        keep: options.keep,
        ..Rules::default()
    };
    let (lobby, origin) = &options.lobby;
    rules.lobby = RoomName::parse(lobby).map_err(|why| bad(origin, "ChatLobby", lobby, why))?;
    if let Some((path, origin)) = &options.motd {
        let text = read(path, BODY_BYTES as u64).map_err(|why| bad(origin, "ChatMotd", path, why))?;
        rules.greeting = Arc::from(clean(&text).trim_end());
    }
    for (named, origin) in &options.operators {
        if named.starts_with('/') {
            let keys = keys_of(named).map_err(|why| bad(origin, "ChatOperators", named, why))?;
            rules.operators.extend(keys.into_iter().map(|(_, key)| fingerprint(&key)));
        } else {
            rules.operators.insert(Arc::from(named.as_str()));
        }
    }
    if let Some((path, origin)) = &options.names {
        let names = keys_of(path).and_then(names);
        rules.names = names.map_err(|why| bad(origin, "ChatNames", path, why))?;
    }
    Ok(rules)
}

/// The nick of each key: what stands behind it.
fn names(keys: Vec<(u32, PublicKey)>) -> Result<BTreeMap<Arc<str>, Nick>, String> {
    let (mut names, mut taken) = (BTreeMap::new(), HashMap::new());
    for (number, key) in keys {
        let comment = clean_line(key.comment().as_bytes(), PHRASE_BYTES);
        let nick =
            Nick::parse(&comment).map_err(|why| format!("line {number}: `{comment}` cannot be a name: {why}"))?;
        let alike =
            nick.keys().both().find_map(|look| taken.insert(Arc::clone(look), number).filter(|at| *at != number));
        if let Some(other) = alike {
            return Err(format!("line {number}: {nick} is the name of line {other}, or looks like it"));
        }
        if let Some(first) = names.insert(fingerprint(&key), nick) {
            return Err(format!("line {number}: the key of {first} is there twice: one key has one name"));
        }
    }
    Ok(names)
}

fn fingerprint(key: &PublicKey) -> Arc<str> {
    Arc::from(key.fingerprint_sha256())
}

fn bad(origin: &Origin, keyword: &str, value: &str, why: impl Display) -> Failure {
    Failure::new(format!("{origin}: {keyword} {value}: {why}"))
}

/// A file's bytes, if they are not more than that.
fn read(path: impl AsRef<Path>, most: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(most + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > most { Err(format!("has more than {most} bytes")) } else { Ok(bytes) }
}

/// A file's keys with the numbers of their lines, one key a line as in `.pub` files.
fn keys_of(path: &str) -> Result<Vec<(u32, PublicKey)>, String> {
    let bytes = read(path, MAX_FILE)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| "is not UTF-8")?;
    let lines = text.lines().map(str::trim).zip(1..).filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
    let key = |(line, number): (&str, u32)| {
        PublicKey::parse_line(line).map(|key| (number, key)).map_err(|why| format!("line {number}: {why}"))
    };
    lines.map(key).collect()
}
