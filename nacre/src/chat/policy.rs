//! How the chat is run, from the configuration's words and the files that they name.

use crate::failure::Failure;
use nacre_chat::limits::BODY_BYTES;
use nacre_chat::text::clean;
use nacre_chat::{Config, RoomName};
use nacre_config::origin::Origin;
use nacre_config::server::ChatOptions;
use nacre_crypto::PublicKey;
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
pub fn config(options: &ChatOptions) -> Result<Config, Failure> {
    let run = nacre_crypto::random_bytes::<8>().map_err(|error| Failure::new(format!("no randomness: {error}")))?;
    let mut config = Config::new("local", u64::from_be_bytes(run));
    config.guests = options.guests;
    config.registration = options.registration;
    config.open_rooms = options.rooms;
    config.keep = options.keep;
    let (lobby, origin) = &options.lobby;
    config.lobby = RoomName::parse(lobby).map_err(|why| bad(origin, "ChatLobby", lobby, why))?;
    if let Some((path, origin)) = &options.motd {
        let text = read(path, BODY_BYTES as u64).map_err(|why| bad(origin, "ChatMotd", path, why))?;
        config.greeting = Arc::from(clean(&text).trim_end());
    }
    for (named, origin) in &options.operators {
        let keys = match named.starts_with('/') {
            true => keys_of(named).map_err(|why| bad(origin, "ChatOperators", named, why))?,
            false => vec![named.clone()],
        };
        config.operators.extend(keys.into_iter().map(Arc::from));
    }
    Ok(config)
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

/// The fingerprints of a file's keys, one key a line as in `.pub` files.
fn keys_of(path: &str) -> Result<Vec<String>, String> {
    let bytes = read(path, MAX_FILE)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| "is not UTF-8")?;
    let lines = text.lines().map(str::trim).zip(1..).filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
    let key = |(line, number): (&str, u32)| {
        PublicKey::parse_line(line).map(|key| key.fingerprint_sha256()).map_err(|why| format!("line {number}: {why}"))
    };
    lines.map(key).collect()
}
