//! What a configuration may ask of the machine, as one trait: the only way out of this crate.

use std::fmt;
use std::net::IpAddr;

/// Why the machine could not give what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorldError {
    /// There is no such file. For most configuration files this is not an error at all.
    NotFound,
    /// The file is there and may not be read, or its owner or mode is unsafe; the text says which.
    Refused(String),
    /// Anything else, in words.
    Other(String),
}

impl fmt::Display for WorldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("no such file"),
            Self::Refused(why) | Self::Other(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for WorldError {}

/// How carefully a file must be looked at before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Anything readable will do.
    None,
    /// The user's own file: owned by the user or root and writable by nobody else (ssh_config(5), FILES).
    OwnerAndMode,
}

/// The account and machine that the program runs on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalAccount {
    /// The login name.
    pub name: String,
    /// The numeric user id, as text (`%i`).
    pub uid: String,
    /// The home folder, without a slash at the end.
    pub home: String,
    /// The machine's name with its domain, if it has one (`%l`).
    pub host_name: String,
}

/// The machine as the parsers see it.
pub trait World {
    /// The whole content of a file. An implementation bounds what it reads (1 MiB is plenty).
    ///
    /// # Errors
    /// The file is missing, refused or unreadable.
    fn read(&self, path: &str, check: Check) -> Result<Vec<u8>, WorldError>;
    /// The files that match a glob(7) pattern, sorted; none when nothing matches. A backslash takes
    /// the meaning from the character after it.
    fn glob(&self, pattern: &str) -> Vec<String>;
    /// An environment variable, if it is set and is text.
    fn env(&self, name: &str) -> Option<String>;
    /// Runs a command through the user's shell and says whether it exited with 0 (`Match exec`).
    ///
    /// # Errors
    /// It could not be run.
    fn exec(&self, command: &str) -> Result<bool, WorldError>;
    /// The name that a host name stands for, as the resolver tells it; `None` when there is no such host.
    fn canonical_name(&self, _host: &str) -> Option<String> {
        None
    }
    /// The home folder of a named account (`~name`).
    fn home_of(&self, user: &str) -> Option<String>;
    /// The addresses of this machine's interfaces that are up, loopback left out (`Match localnetwork`).
    fn local_addresses(&self) -> Vec<IpAddr>;
    /// Who runs the program and where.
    fn account(&self) -> LocalAccount;
    /// SHA-1, for the `%C` token alone.
    fn sha1(&self, data: &[u8]) -> [u8; 20];
}
