//! Who is measured: programs, their keys, and how a client of either make is called.

use super::Bench;
use super::servers::Server;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Who made a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    Nacre,
    OpenSsh,
}

impl Make {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Nacre, Self::OpenSsh];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nacre => "nacre",
            Self::OpenSsh => "openssh",
        }
    }
}

/// The bench's keys, all Ed25519.
pub struct Keys {
    /// The servers'.
    pub host: PathBuf,
    /// The user's.
    pub user: PathBuf,
}

impl Keys {
    /// Makes them in `folder`.
    pub fn make(folder: &Path) -> Result<Self, String> {
        let keys = Self { host: folder.join("host"), user: folder.join("user") };
        for path in [&keys.host, &keys.user] {
            let mut command = Command::new("ssh-keygen");
            command.args(["-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f"]).arg(path).stdin(Stdio::null());
            let status = command.status().map_err(|error| format!("ssh-keygen: {error}"))?;
            if !status.success() {
                return Err(format!("ssh-keygen: {status}"));
            }
        }
        Ok(keys)
    }
}

/// The account that runs this, which is whom the servers serve.
pub fn account() -> Result<String, String> {
    let output = Command::new("id").arg("-un").output().map_err(|error| format!("id: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

impl Bench {
    /// A client of that make at `server`, up to and with the host's name.
    pub fn client(&self, make: Make, server: &Server, options: &[&str]) -> Command {
        let mut command = match make {
            Make::Nacre => {
                let mut command = Command::new(&self.nacre);
                command.arg("ssh");
                command
            }
            Make::OpenSsh => Command::new("ssh"),
        };
        command.args(["-p", &server.port.to_string()]);
        self.as_everyone(&mut command, server, options);
        command.arg("127.0.0.1");
        command
    }

    /// The copying program of that make, up to the names of files, which it finds at `server` through `port`.
    pub fn copier(&self, make: Make, server: &Server, port: u16) -> Command {
        let mut command = match make {
            Make::Nacre => {
                let mut command = Command::new(&self.nacre);
                command.arg("scp");
                command
            }
            Make::OpenSsh => Command::new("scp"),
        };
        command.args(["-q", "-P", &port.to_string()]);
        self.as_everyone(&mut command, server, &[&format!("HostKeyAlias=[127.0.0.1]:{}", server.port)]);
        command
    }

    /// What all clients are told alike.
    fn as_everyone(&self, command: &mut Command, server: &Server, options: &[&str]) {
        command.args(["-F", "none", "-i"]).arg(&self.keys.user);
        for option in options.iter().chain(&[
            "BatchMode=yes",
            "IdentitiesOnly=yes",
            "StrictHostKeyChecking=yes",
            "UpdateHostKeys=no",
            "GlobalKnownHostsFile=none",
        ]) {
            command.args(["-o", option]);
        }
        command.args(["-o", &format!("UserKnownHostsFile={}", server.known_hosts.display())]);
        command.env_remove("SSH_AUTH_SOCK");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    }

    /// The client on the library at `server`: `words[0]` is what it does.
    pub fn library(&self, server: &Server, words: &[&str]) -> Result<Command, String> {
        let mut command = Command::new(&self.peer);
        let (what, rest) = words.split_first().ok_or("nothing to do")?;
        command.args([*what, &server.port.to_string(), &account()?]).arg(&self.keys.user).args(rest);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command)
    }
}

/// Runs a command to its end; its standard output, if it ended well.
pub fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The numbers that a command prints, one a line.
pub fn numbers(command: &mut Command) -> Result<Vec<f64>, String> {
    let text = output(command)?;
    text.lines().map(|line| line.parse().map_err(|_| format!("{command:?} printed {line:?}"))).collect()
}
