//! The near side: its folder, its files' names, its shell.

use super::session::{Trouble, quoted, say};
use super::words;
use crate::{output, state};
use nacre_files::remote::{has_wildcard, matches, shown};
use rustix::fs::Mode;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `lcd`.
pub(super) fn enter(path: Option<&[u8]>) -> Result<(), Trouble> {
    let path = with_home(path.unwrap_or(b"~"));
    std::env::set_current_dir(&path)
        .map_err(|error| failed(format!("Couldn't change local directory to {}", of(&path)), &error))
}

/// `lpwd`.
pub(super) fn tell_folder() -> Result<(), Trouble> {
    let folder =
        std::env::current_dir().map_err(|error| failed("Couldn't get local working directory".to_owned(), &error))?;
    say(&format!("Local working directory: {}", shown(folder.as_os_str().as_bytes())))
}

/// `lmkdir`.
pub(super) fn make_folder(path: &[u8]) -> Result<(), Trouble> {
    let path = with_home(path);
    std::fs::create_dir(&path).map_err(|error| failed(format!("Couldn't create local directory {}", of(&path)), &error))
}

/// `lumask`.
pub(super) fn set_umask(mask: u32) -> Result<(), Trouble> {
    rustix::process::umask(Mode::from_raw_mode(mask));
    say(&format!("Local umask: {mask:03o}"))
}

/// `lls`.
pub(super) fn list(words: &OsStr) -> Result<(), Trouble> {
    let mut line = OsString::from("ls ");
    line.push(words);
    shell(&line)
}

/// `!`: a command line for the shell, or a shell. What it ends with is told, and is no failure of ours: no batch ends by it.
pub(super) fn shell(line: &OsStr) -> Result<(), Trouble> {
    let program = std::env::var_os("SHELL").filter(|shell| !shell.is_empty()).unwrap_or_else(|| "/bin/sh".into());
    let mut command = Command::new(&program);
    if !line.is_empty() {
        command.arg("-c").arg(line);
    }
    let status =
        command.status().map_err(|error| failed(format!("Couldn't execute {}", of(Path::new(&program))), &error))?;
    match (status.code(), status.signal()) {
        (Some(0), _) => {}
        (Some(code), _) => output::complain(&format!("Shell exited with status {code}")),
        (None, _) => output::complain("Shell exited abnormally"),
    }
    Ok(())
}

/// Whether a path here is a folder, links followed.
pub(super) fn is_folder(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

/// A path as typed: `~` and `~user` at its beginning are home folders.
pub(super) fn with_home(path: &[u8]) -> PathBuf {
    let end = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
    let (first, rest) = path.split_at_checked(end).unwrap_or((path, b""));
    let home = match first.strip_prefix(b"~") {
        None => None,
        Some(b"") => state::home().ok(),
        Some(user) => std::str::from_utf8(user)
            .ok()
            .and_then(|user| nacre_sys::account::Account::by_name(user).ok().flatten())
            .map(|account| account.home),
    };
    match home {
        Some(home) => OsString::from_vec([home.as_os_str().as_bytes(), rest].concat()).into(),
        None => OsStr::from_bytes(path).into(),
    }
}

/// The paths here that a pattern matches, sorted; none if it matches nothing.
pub(super) fn glob(pattern: &[u8]) -> Vec<PathBuf> {
    let pattern =
        if pattern.first() == Some(&b'~') { with_home(pattern).into_os_string().into_vec() } else { pattern.to_vec() };
    if !has_wildcard(&pattern) {
        let path = PathBuf::from(OsString::from_vec(words::plain(&pattern)));
        return if std::fs::symlink_metadata(&path).is_ok() { vec![path] } else { Vec::new() };
    }
    let root = if pattern.first() == Some(&b'/') { PathBuf::from("/") } else { PathBuf::new() };
    let mut found = vec![root];
    for part in pattern.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
        found = found.iter().flat_map(|folder| glob_part(folder, part)).collect();
    }
    found.sort();
    found
}

fn glob_part(folder: &Path, part: &[u8]) -> Vec<PathBuf> {
    if !has_wildcard(part) {
        let path = folder.join(OsString::from_vec(words::plain(part)));
        return if std::fs::symlink_metadata(&path).is_ok() { vec![path] } else { Vec::new() };
    }
    let looked_at = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let Ok(entries) = std::fs::read_dir(looked_at) else { return Vec::new() };
    let fits = |name: &OsString| {
        let name = name.as_bytes();
        (name.first() != Some(&b'.') || part.first() == Some(&b'.')) && matches(part, name)
    };
    entries.flatten().map(|entry| entry.file_name()).filter(fits).map(|name| folder.join(name)).collect()
}

fn of(path: &Path) -> String {
    quoted(path.as_os_str().as_bytes())
}

fn failed(what: String, error: &io::Error) -> Trouble {
    Trouble::Say(format!("{what}: {}", reason(error)))
}

/// An error of this machine without its number.
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn patterns_find_names_here() {
        let folder = std::env::temp_dir().join(format!("nacre-sftp-glob-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("sub")).unwrap();
        for name in ["a.txt", "b.txt", ".c.txt", "d*", "e", "sub/x.txt"] {
            std::fs::write(folder.join(name), "").unwrap();
        }
        let find = |pattern: &str| -> Vec<String> {
            let whole = [folder.as_os_str().as_bytes(), b"/", pattern.as_bytes()].concat();
            let strip = |path: PathBuf| path.strip_prefix(&folder).unwrap().display().to_string();
            glob(&whole).into_iter().map(strip).collect()
        };
        assert_eq!(find("*.txt"), ["a.txt", "b.txt"]);
        assert_eq!(find(".*.txt"), [".c.txt"]);
        assert_eq!(find("d\\*"), ["d*"]);
        assert_eq!(find("s*/*"), ["sub/x.txt"]);
        assert_eq!(find("*/x.txt"), ["sub/x.txt"]);
        assert_eq!(find("nope*"), [""; 0]);
        assert_eq!(find("nope"), [""; 0]);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_tilde_is_a_home_folder() {
        let home = state::home().unwrap();
        assert_eq!(with_home(b"~"), home);
        assert_eq!(with_home(b"~/x"), home.join("x"));
        assert_eq!(with_home(b"~nobody-is-called-so/x"), Path::new("~nobody-is-called-so/x"));
        assert_eq!(with_home(b"a/~"), Path::new("a/~"));
    }
}
