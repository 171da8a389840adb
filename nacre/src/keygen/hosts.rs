//! known_hosts: finding, taking out and hashing hosts. What the lines mean is `nacre_config`'s;
//! the file is replaced as a whole, and what it held before stays beside it as `.old`.

use super::{failure, shown_fingerprint, ssh_folder};
use crate::atomic::{self, Existing};
use crate::cli::keygen::KeygenArgs;
use crate::failure::Failure;
use crate::output;
use nacre_config::Origin;
use nacre_config::known_hosts::{Entry, Found, find as find_lines, hash_names, remove as remove_lines};
use nacre_crypto::{PublicKey, hmac_sha1};
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The largest known_hosts file that is read, in bytes.
const MAX_FILE: u64 = 64 * 1024 * 1024;
/// Permission bits a known_hosts file may keep when it is replaced.
const KEPT_MODE: u32 = 0o644;

/// `-F`: prints the lines, or with `-l` the fingerprints; exit code 1 when there are none.
pub(super) fn find(args: &KeygenArgs, host: &str, fingerprints: bool, hashed: bool) -> Result<(), Failure> {
    let path = file(args)?;
    let found = find_lines(&read(&path)?, host, hmac_sha1);
    let mut text = String::new();
    for line in &found {
        let shown = line.to_string();
        let (head, entry) = shown.split_once('\n').unwrap_or((shown.as_str(), ""));
        if !args.quiet {
            text.push_str(&format!("{head}\n"));
        }
        match fingerprints {
            true => text.push_str(&fingerprint(line, args)),
            false if hashed => text.push_str(&format!("{}\n", hashed_line(entry)?)),
            false => text.push_str(&format!("{entry}\n")),
        }
    }
    output::print(&text)?;
    if found.is_empty() { Err(Failure::silent(1)) } else { Ok(()) }
}

/// A line with its names hashed, one line for each.
fn hashed_line(entry: &str) -> Result<String, Failure> {
    let salt = nacre_crypto::random_bytes::<20>().map_err(failure)?;
    let mut salts = (0u8..).map(|count| salt.map(|byte| byte ^ count));
    let hashed = hash_names(entry.as_bytes(), hmac_sha1, || salts.next().unwrap_or(salt));
    Ok(String::from_utf8_lossy(&hashed.content).trim_end().to_owned())
}

/// `HOST TYPE FINGERPRINT`, and the picture with `-v`; nothing for a key that is not understood.
fn fingerprint(found: &Found, args: &KeygenArgs) -> String {
    let entry = Entry::parse(found.text.as_bytes(), Origin::Default).ok().flatten();
    let Some(entry) = entry else { return String::new() };
    let comment = super::shown(&entry.comment);
    let Ok(key) = PublicKey::from_blob(&entry.blob, comment.as_str()) else { return String::new() };
    let space = if comment.is_empty() { "" } else { " " };
    let art = if args.verbose { format!("{}\n", key.randomart()) } else { String::new() };
    let print = shown_fingerprint(&key, args.fingerprint);
    format!("{} {} {print}{space}{comment}\n{art}", found.name, key.type_label())
}

/// `-R`: takes the host's lines out.
pub(super) fn remove(args: &KeygenArgs, host: &str) -> Result<(), Failure> {
    let path = file(args)?;
    let content = read(&path)?;
    refuse_invalid(&path, &content)?;
    let removed = remove_lines(&content, host, hmac_sha1);
    if removed.lines.is_empty() {
        output::complain(&format!("Host {} not found in {}", super::shown(host), path.display()));
        return Ok(());
    }
    for line in &removed.lines {
        say(args, &format!("# Host {} found: line {line}\n", super::shown(host)))?;
    }
    replace(args, &path, &removed.content)?;
    Ok(())
}

/// `-H`: hashes every name that is not a pattern.
pub(super) fn hash(args: &KeygenArgs) -> Result<(), Failure> {
    let path = file(args)?;
    let content = read(&path)?;
    refuse_invalid(&path, &content)?;
    let mut randomness = Ok(());
    let hashed = hash_names(&content, hmac_sha1, || match nacre_crypto::random_bytes::<20>() {
        Ok(salt) => salt,
        Err(error) => {
            randomness = Err(failure(format!("no random bytes: {error}")));
            [0; 20]
        }
    });
    randomness?;
    for line in &hashed.wildcards {
        output::complain(&format!("{}:{line}: ignoring host name with wildcard", path.display()));
    }
    let old = replace(args, &path, &hashed.content)?;
    if hashed.hashed > 0 {
        output::complain(&format!(
            "WARNING: {} contains unhashed entries\nDelete this file to ensure privacy of hostnames",
            old.display()
        ));
    }
    Ok(())
}

fn file(args: &KeygenArgs) -> Result<PathBuf, Failure> {
    match &args.file {
        Some(file) => Ok(file.clone()),
        None => Ok(ssh_folder()?.join("known_hosts")),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut content = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE).read_to_end(&mut content))
        .map_err(|error| failure(format!("{}: {error}", path.display())))?;
    Ok(content)
}

/// A file with lines that make no sense may not be a known_hosts file at all, and a letter whose
/// first words were hashed cannot be mended.
fn refuse_invalid(path: &Path, content: &[u8]) -> Result<(), Failure> {
    for (line, number) in content.split(|byte| *byte == b'\n').zip(1u32..) {
        if let Err(error) = Entry::parse(line, Origin::Default) {
            return Err(failure(format!("{}:{number}: {error}", path.display()))
                .hint("nothing was changed; mend or remove the line first"));
        }
    }
    Ok(())
}

/// Keeps the old file as `.old`, puts the new one in its place, and says so.
fn replace(args: &KeygenArgs, path: &Path, content: &[u8]) -> Result<PathBuf, Failure> {
    let failed = |path: &Path, error: std::io::Error| failure(format!("{}: {error}", path.display()));
    // Of a link, the file it leads to is what gets replaced and kept.
    let target = atomic::behind_link(path).map_err(|error| failed(path, error))?;
    let path = target.as_path();
    let mode = fs::metadata(path).map_err(|error| failed(path, error))?.mode() & KEPT_MODE;
    let mut old = path.as_os_str().to_owned();
    old.push(".old");
    let old = PathBuf::from(old);
    match fs::remove_file(&old) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(&old, error)),
        _ => fs::hard_link(path, &old).map_err(|error| failed(&old, error))?,
    }
    atomic::write(path, content, mode, Existing::Replace).map_err(|error| failed(path, error))?;
    say(args, &format!("{} updated.\nOriginal contents retained as {}\n", path.display(), old.display()))?;
    Ok(old)
}

fn say(args: &KeygenArgs, text: &str) -> Result<(), Failure> {
    if args.quiet { Ok(()) } else { output::print(text) }
}
