//! The machine as configuration files see it: files, globs, environment, commands and accounts.

use nacre_config::world::{Check, LocalAccount, World, WorldError};
use nacre_sys::account::Account;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// The largest configuration file read, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// Wants the name that a name stands for (netdb.h of Linux).
const AI_CANONNAME: i32 = 2;

/// This machine, for the account that runs the program.
#[derive(Debug, Clone, Copy, Default)]
pub struct Machine;

/// The files that a glob(7) pattern names, sorted.
pub fn glob(pattern: &str) -> Vec<String> {
    let Ok(paths) = glob::glob(&without_backslashes(pattern)) else { return Vec::new() };
    paths.filter_map(|path| path.ok()?.to_str().map(str::to_owned)).collect()
}

/// glob(7) takes the meaning from a character by a backslash, the library by brackets.
fn without_backslashes(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(guarded) if "*?[".contains(guarded) => out.extend(['[', guarded, ']']),
                Some(guarded) => out.push(guarded),
                None => {}
            },
            other => out.push(other),
        }
    }
    out
}

/// An owner and mode that let nobody but the user and root change the file (ssh_config(5), FILES).
fn is_safe(file: &File) -> bool {
    let Ok(metadata) = file.metadata() else { return false };
    let own = [0, nacre_sys::privileges::effective_uid()].contains(&metadata.uid());
    own && metadata.mode() & 0o022 == 0
}

impl World for Machine {
    fn read(&self, path: &str, check: Check) -> Result<Vec<u8>, WorldError> {
        let other = |error: std::io::Error| match error.kind() {
            ErrorKind::NotFound => WorldError::NotFound,
            _ => WorldError::Other(error.to_string()),
        };
        let file = File::open(path).map_err(other)?;
        if check == Check::OwnerAndMode && !is_safe(&file) {
            return Err(WorldError::Refused("bad owner or permissions".to_owned()));
        }
        let mut bytes = Vec::new();
        file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(other)?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(WorldError::Refused("larger than 1 MiB".to_owned()));
        }
        Ok(bytes)
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        glob(pattern)
    }

    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn exec(&self, command: &str) -> Result<bool, WorldError> {
        let shell = std::env::var_os("SHELL").filter(|shell| Path::new(shell).is_absolute());
        let mut run = Command::new(shell.unwrap_or_else(|| "/bin/sh".into()));
        run.arg("-c").arg(command).stdin(Stdio::null()).stdout(Stdio::null());
        run.status().map(|status| status.success()).map_err(|error| WorldError::Other(error.to_string()))
    }

    fn canonical_name(&self, host: &str) -> Option<String> {
        let hints = dns_lookup::AddrInfoHints { flags: AI_CANONNAME, ..Default::default() };
        let mut found = dns_lookup::getaddrinfo(Some(host), None, Some(hints)).ok()?;
        // The first answer alone carries the name; one without is the name itself.
        let first = found.next()?.ok()?;
        Some(first.canonname.unwrap_or_else(|| host.to_owned()))
    }

    fn home_of(&self, user: &str) -> Option<String> {
        Account::by_name(user).ok()??.home.to_str().map(str::to_owned)
    }

    fn local_addresses(&self) -> Vec<IpAddr> {
        nacre_sys::interfaces::addresses()
    }

    fn account(&self) -> LocalAccount {
        let account = Account::current().ok();
        let home = crate::state::home().ok().and_then(|home| home.to_str().map(str::to_owned));
        LocalAccount {
            name: account.as_ref().map(|a| a.name.clone()).unwrap_or_default(),
            uid: nacre_sys::privileges::effective_uid().to_string(),
            home: home.unwrap_or_default().trim_end_matches('/').to_owned(),
            host_name: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        }
    }

    fn sha1(&self, data: &[u8]) -> [u8; 20] {
        nacre_crypto::sha1(data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backslash_takes_the_meaning_from_the_next_character() {
        assert_eq!(without_backslashes(r"/home/a\*b/*.pub"), "/home/a[*]b/*.pub");
        assert_eq!(without_backslashes(r"\\x\]\"), r"\x]");
    }
}
