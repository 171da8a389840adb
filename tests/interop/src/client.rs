//! Clients of four makes: one description of a call, four command lines.

use crate::keys::{Key, KeyType, Owner, key};
use crate::programs::{account, nacre, ours, system};
use crate::run::{Done, run};
use crate::server::{Make, Server};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The algorithms that a call forces; an empty name leaves that choice to the peers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forced {
    pub kex: String,
    pub cipher: String,
    pub mac: String,
    pub host_key: String,
    pub user_key: String,
}

/// A call of a client.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// Who made it.
    pub make: Make,
    server: &'a Server,
    port: u16,
    user: String,
    key: Option<PathBuf>,
    forced: Forced,
    options: Vec<String>,
    words: Vec<String>,
    secrets: Option<Secrets>,
    agent: Option<PathBuf>,
}

/// What a person would type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    pub password: String,
    pub passphrase: String,
    pub code: String,
}

impl<'a> Call<'a> {
    /// A client that logs in to `server` as the running account with its Ed25519 key.
    pub fn new(make: Make, server: &'a Server) -> Self {
        let key = key_file(make, &key(Owner::User, KeyType::Ed25519));
        Self {
            make,
            server,
            port: server.port,
            user: account(),
            key: Some(key),
            forced: Forced::default(),
            options: Vec::new(),
            words: Vec::new(),
            secrets: None,
            agent: None,
        }
    }

    /// As another user.
    pub fn user(mut self, user: &str) -> Self {
        user.clone_into(&mut self.user);
        self
    }

    /// At another port than the server's.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// With another key.
    pub fn key(mut self, key: &Key) -> Self {
        self.key = Some(key_file(self.make, key));
        self
    }

    /// With another key's file, as it is.
    pub fn key_path(mut self, path: &Path) -> Self {
        self.key = Some(path.to_path_buf());
        self
    }

    /// Without a key.
    pub fn no_key(mut self) -> Self {
        self.key = None;
        self
    }

    /// With these algorithms and no others. Dropbear's client takes a cipher and a MAC only; the
    /// rest must be forced on the server.
    pub fn forced(mut self, forced: Forced) -> Self {
        if !forced.user_key.is_empty() {
            self.key = Some(key_file(self.make, &key(Owner::User, KeyType::of(&forced.user_key))));
        }
        self.forced = forced;
        self
    }

    /// With a word of ssh_config, `Word=value` (Nacre and OpenSSH).
    pub fn option(mut self, option: impl Into<String>) -> Self {
        self.options.push(option.into());
        self
    }

    /// With further words on the command line, before the host.
    pub fn words(mut self, words: &[&str]) -> Self {
        self.words.extend(words.iter().map(|word| (*word).to_owned()));
        self
    }

    /// With a person who answers the questions.
    pub fn secrets(mut self, secrets: Secrets) -> Self {
        self.secrets = Some(secrets);
        self
    }

    /// With the agent at this socket and no key file.
    pub fn agent(mut self, socket: &Path) -> Self {
        self.agent = Some(socket.to_path_buf());
        self.key = None;
        self
    }

    /// Runs `command` there with `input`.
    pub fn run(&self, command: &str, input: &[u8]) -> Done {
        run(&mut self.command(&[command]), input)
    }

    /// The command line; no words for a shell.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = match self.make {
            Make::Nacre | Make::OpenSsh => self.ssh(),
            Make::Dropbear => self.dbclient(),
            Make::Russh => self.russh(),
        };
        command.args(words);
        // No agent, terminal or home folder of whoever runs the tests has a part in them.
        command.env_remove("SSH_AUTH_SOCK").env("HOME", self.server.folder.path()).env("TERM", "xterm");
        if let Some(socket) = &self.agent {
            command.env("SSH_AUTH_SOCK", socket);
        }
        command
    }

    fn ssh(&self) -> Command {
        let mut command = match self.make {
            Make::Nacre => {
                let mut command = Command::new(nacre());
                command.arg("ssh");
                command
            }
            _ => Command::new(system("ssh")),
        };
        command.args(["-F", "none", "-p", &self.port.to_string(), "-l", &self.user]);
        for option in &self.options {
            command.args(["-o", option]);
        }
        let known = self.server.path("known_hosts");
        command.args(["-o", &format!("UserKnownHostsFile={}", known.display())]);
        for option in ["GlobalKnownHostsFile=none", "StrictHostKeyChecking=yes", "UpdateHostKeys=no"] {
            command.args(["-o", option]);
        }
        for (word, value) in [
            ("KexAlgorithms", &self.forced.kex),
            ("Ciphers", &self.forced.cipher),
            ("MACs", &self.forced.mac),
            ("HostKeyAlgorithms", &self.forced.host_key),
            ("PubkeyAcceptedAlgorithms", &self.forced.user_key),
        ] {
            if !value.is_empty() {
                command.args(["-o", &format!("{word}={value}")]);
            }
        }
        match (&self.key, &self.agent) {
            (Some(key), _) => command.args(["-o", "IdentitiesOnly=yes", "-i"]).arg(key),
            (None, Some(_)) => command.args(["-o", "IdentityFile=none"]),
            (None, None) => command.args(["-o", "PubkeyAuthentication=no"]),
        };
        match &self.secrets {
            Some(secrets) => {
                command.args(["-o", "NumberOfPasswordPrompts=1"]);
                command.env("SSH_ASKPASS", self.askpass(secrets)).env("SSH_ASKPASS_REQUIRE", "force");
            }
            None => {
                command.args(["-o", "BatchMode=yes"]);
            }
        }
        command.args(&self.words).arg("127.0.0.1");
        command
    }

    /// A program that answers as the person would.
    fn askpass(&self, secrets: &Secrets) -> PathBuf {
        let path = self.server.path("askpass");
        let Secrets { password, passphrase, code } = secrets;
        let script = format!(
            "#!/bin/sh\necho \"$1\" >>'{}'\ncase \"$1\" in *assword*) echo '{password}';; \
             *assphrase*) echo '{passphrase}';; *) echo '{code}';; esac\n",
            self.server.path("questions").display()
        );
        fs::write(&path, script).expect("a program that answers");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("a program can be run");
        path
    }

    fn dbclient(&self) -> Command {
        let mut command = Command::new(system("dbclient"));
        // Twice -y: it has no option for another list of known hosts.
        command.args(["-y", "-y", "-p", &self.port.to_string(), "-l", &self.user]);
        if let Some(key) = &self.key {
            command.arg("-i").arg(key);
        }
        if !self.forced.cipher.is_empty() {
            command.args(["-c", &self.forced.cipher]);
        }
        if !self.forced.mac.is_empty() {
            command.args(["-m", &self.forced.mac]);
        }
        if let Some(secrets) = &self.secrets {
            command.env("DROPBEAR_PASSWORD", &secrets.password);
        }
        command.args(&self.words).arg("127.0.0.1");
        command
    }

    fn russh(&self) -> Command {
        let mut command = Command::new(ours("russh-client"));
        command.args(["--port", &self.port.to_string(), "--user", &self.user]);
        let host_key = if self.forced.host_key.is_empty() { "ssh-ed25519" } else { &self.forced.host_key };
        command.args(["--host-key-algorithm", host_key]);
        command.arg("--host-key").arg(key(Owner::Host, KeyType::of(host_key)).public);
        for (flag, value) in [
            ("--kex", &self.forced.kex),
            ("--cipher", &self.forced.cipher),
            ("--mac", &self.forced.mac),
            ("--key-algorithm", &self.forced.user_key),
        ] {
            if !value.is_empty() {
                command.args([flag, value]);
            }
        }
        if let Some(key) = &self.key {
            command.arg("--key").arg(key);
        }
        if let Some(secrets) = &self.secrets {
            for (flag, value) in
                [("--password", &secrets.password), ("--passphrase", &secrets.passphrase), ("--answer", &secrets.code)]
            {
                if !value.is_empty() {
                    command.args([flag, value]);
                }
            }
        }
        command.args(&self.words);
        command
    }
}

fn key_file(make: Make, key: &Key) -> PathBuf {
    match make {
        Make::Dropbear => key.dropbear.clone(),
        _ => key.private.clone(),
    }
}
