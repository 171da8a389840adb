//! The keys that ends prove themselves with: 32 bytes in hexadecimal in a file, or fresh ones.

use super::{failed, randomness};
use crate::cli::lab::PartArgs;
use crate::failure::Failure;
use nacre_lab::{Identity, Randomness, Repairs};
use nacre_wire::Role;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

/// Bytes of a private key.
const KEY: usize = 32;
/// The most that a key's file holds: its digits and white space.
const MAX_FILE: u64 = 1024;

/// The fixes of one end, with its key.
///
/// # Errors
/// The key's file cannot be read or made.
pub fn repairs(part: &PartArgs, role: Role) -> Result<Repairs, Failure> {
    let who = match role {
        Role::Server => "server identity",
        Role::Client => "client identity",
    };
    let mut random = randomness(part).part(who);
    let identity = match &part.key {
        Some(path) => Identity::new(&stored(path, &mut random)?),
        None => Identity::generate(&mut random),
    };
    Ok(Repairs { fixes: part.fixes, identity: Some(Arc::new(identity.map_err(failed)?)), trust: part.trust.clone() })
}

/// The key in a file, which is made when it is not there.
fn stored(path: &Path, random: &mut Randomness) -> Result<[u8; KEY], Failure> {
    let cannot = |error| failed(format!("{}: {error}", path.display()));
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            let key = random.array().map_err(failed)?;
            file.write_all(format!("{}\n", hex(&key)).as_bytes()).map_err(cannot)?;
            Ok(key)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let mut text = String::new();
            let file = OpenOptions::new().read(true).open(path).map_err(cannot)?;
            file.take(MAX_FILE).read_to_string(&mut text).map_err(cannot)?;
            unhex(text.trim()).ok_or_else(|| failed(format!("{}: a key is 64 hexadecimal digits", path.display())))
        }
        Err(error) => Err(cannot(error)),
    }
}

/// Bytes in hexadecimal.
pub fn hex(key: &[u8]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; KEY]> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.iter().map(byte).collect::<Option<Vec<u8>>>()?.try_into().ok()
}
