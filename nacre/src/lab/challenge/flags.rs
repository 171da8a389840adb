//! Which flags are right: hashes with salt in the state's folder, so that a flag is not found by looking there.

use super::super::failed;
use super::super::identity::hex;
use crate::atomic::{self, Existing};
use crate::failure::Failure;
use crate::state;
use nacre_crypto::{ct_eq, random_bytes, sha256};
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Games of one challenge whose flags are known.
const KEPT: usize = 16;

/// A file of the laboratory's state.
fn file(name: &str) -> Result<PathBuf, Failure> {
    Ok(state::directory(None)?.join("lab").join(name))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    path.parent().map_or(Ok(()), state::prepare)?;
    let written = atomic::write(path, text.as_bytes(), 0o600, Existing::Replace);
    written.map_err(|error| failed(format!("{}: {error}", path.display())))
}

/// The laboratory's folder, which nobody else of us has for as long as this is held.
fn lock() -> Result<File, Failure> {
    let folder = state::directory(None)?.join("lab");
    state::prepare(&folder)?;
    let locked = File::open(&folder).and_then(|file| {
        flock(&file, FlockOperation::LockExclusive)?;
        Ok(file)
    });
    locked.map_err(|error| failed(format!("{}: {error}", folder.display())))
}

/// The lines of the games that were opened, the last at the end; nothing when none was.
fn games(number: u8) -> Result<(PathBuf, Option<String>), Failure> {
    let path = file(&format!("challenge-{number}"))?;
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok((path, Some(text))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok((path, None)),
        Err(error) => Err(failed(format!("{}: {error}", path.display()))),
    }
}

fn line(salt: &str, flag: &str) -> String {
    format!("{salt} {}", hex(&sha256(format!("{salt} {flag}").as_bytes())))
}

/// Remembers the flag of a game.
///
/// # Errors
/// The file cannot be written.
pub fn remember(number: u8, flag: &str) -> Result<(), Failure> {
    // Another game may begin at the same time.
    let _lock = lock()?;
    let (path, games) = games(number)?;
    let salt = random_bytes::<16>().map_err(|_| failed("the system's generator failed"))?;
    let games = games.unwrap_or_default();
    let kept = games.lines().rev().take(KEPT - 1).collect::<Vec<_>>().into_iter().rev();
    let mut lines: Vec<String> = kept.map(str::to_owned).collect();
    lines.push(line(&hex(&salt), flag));
    write(&path, &format!("{}\n", lines.join("\n")))
}

/// Whether it is the flag of a game that was opened here.
///
/// # Errors
/// None was, or the file cannot be read.
pub fn is_right(number: u8, flag: &str) -> Result<bool, Failure> {
    let none = || {
        let hint = format!("nacre lab challenge {number}");
        failed(format!("challenge {number} was not opened here yet")).hint(hint)
    };
    let games = games(number)?.1.ok_or_else(none)?;
    let mut lines = games.lines().filter_map(|known| Some((known, known.split_once(' ')?.0)));
    Ok(lines.any(|(known, salt)| ct_eq(known.as_bytes(), line(salt, flag).as_bytes())))
}

/// Remembers that a challenge is solved.
///
/// # Errors
/// The file cannot be written.
pub fn solve(number: u8) -> Result<(), Failure> {
    write(&file(&format!("solved-{number}"))?, "")
}

/// Whether it is.
///
/// # Errors
/// There is no folder for state.
pub fn is_solved(number: u8) -> Result<bool, Failure> {
    Ok(file(&format!("solved-{number}"))?.exists())
}
