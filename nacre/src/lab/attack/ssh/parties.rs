//! The people of A19: a folder with keys, servers and clients, all of them real programs on 127.0.0.1.

use crate::failure::Failure;
use crate::lab::failed;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(20);
/// Where OpenSSH's server is, which is seldom in the path.
const SSHD: [&str; 3] = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd"];

/// Whose programs are attacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `nacre serve` and `nacre ssh`.
    Nacre,
    /// The machine's `sshd` and `ssh`.
    OpenSsh,
}

/// A temporary folder with everybody's keys.
pub struct Parties {
    kind: Kind,
    program: PathBuf,
    folder: PathBuf,
    user: String,
}

/// A running server, ended with this.
pub struct Server {
    child: Child,
    pub port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

impl Drop for Parties {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Parties {
    /// Makes the folder and the keys: Alice's, the server's, and Mallory's.
    ///
    /// # Errors
    /// They cannot be made.
    pub fn new(kind: Kind) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(|error| failed(format!("cannot find this program: {error}")))?;
        let account = nacre_sys::account::Account::current();
        let user = account.map_err(|error| failed(format!("cannot tell which account this is: {error}")))?.name;
        let folder = crate::state::temporary("nacre-lab")?;
        let parties = Self { kind, program, folder, user };
        for name in ["alice", "server", "mallory"] {
            let file = parties.path(name);
            let made = Command::new(&parties.program)
                .args(["keygen", "-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(&file)
                .stdin(Stdio::null())
                .output();
            if !made.is_ok_and(|made| made.status.success()) {
                return Err(failed(format!("cannot make the key {}", file.display())));
            }
        }
        Ok(parties)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf, Failure> {
        let path = self.path(name);
        std::fs::write(&path, text).map_err(|error| failed(format!("{}: {error}", path.display())))?;
        Ok(path)
    }

    /// What the application got.
    pub fn application(&self) -> Vec<u8> {
        std::fs::read(self.path("application")).unwrap_or_default()
    }

    /// Forgets it.
    pub fn forget(&self) {
        let _ = std::fs::remove_file(self.path("application"));
    }

    /// Starts a server with the host key of this name.
    ///
    /// # Errors
    /// It does not start.
    pub fn serve(&self, key: &str) -> Result<Server, Failure> {
        let port = free_port()?;
        let config = format!(
            "HostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nPort {port}\nListenAddress 127.0.0.1\nPermitRootLogin yes\n",
            self.path(key).display(),
            self.path("alice.pub").display(),
        );
        let mut command = match self.kind {
            Kind::Nacre => {
                let mut command = Command::new(&self.program);
                let state = self.path(&format!("state-{key}"));
                command.args(["serve", "--user-mode", "--state"]).arg(state).arg("-f");
                command.arg(self.write(&format!("config-{key}"), &config)?);
                command
            }
            Kind::OpenSsh => {
                let sshd = SSHD.iter().find(|path| Path::new(path).exists());
                let none = || failed("there is no sshd on this machine").hint("apt-get install openssh-server");
                // It wants this folder, which the system makes when it starts the service.
                let _ = std::fs::create_dir_all("/run/sshd");
                let mut command = Command::new(sshd.ok_or_else(none)?);
                let config = format!("{config}UsePAM no\nPidFile none\n");
                command.args(["-D", "-e", "-f"]).arg(self.write(&format!("config-{key}"), &config)?);
                command
            }
        };
        let log = std::fs::File::create(self.path(&format!("log-{key}"))).map_err(failed)?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().map_err(|error| failed(format!("the server does not start: {error}")))?;
        let mut server = Server { child, port };
        self.await_answer(&mut server, key)?;
        Ok(server)
    }

    /// Waits until the server says its first word.
    fn await_answer(&self, server: &mut Server, key: &str) -> Result<(), Failure> {
        let end = Instant::now() + PATIENCE;
        loop {
            let answers = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port)).is_ok_and(|mut stream| {
                let mut word = [0; 4];
                let _ = stream.set_read_timeout(Some(PATIENCE));
                stream.read_exact(&mut word).is_ok() && word == *b"SSH-"
            });
            if answers {
                return Ok(());
            }
            if Instant::now() > end || !matches!(server.child.try_wait(), Ok(None)) {
                let log = std::fs::read_to_string(self.path(&format!("log-{key}"))).unwrap_or_default();
                return Err(failed("the server does not start").hint(log.trim().to_owned()));
            }
            sleep(TICK);
        }
    }

    /// Starts Alice's client, with these options, to a port where she expects the server. What she types goes to a file.
    ///
    /// # Errors
    /// It does not start.
    pub fn client(&self, port: u16, options: &[&str]) -> Result<Client, Failure> {
        let mut command = match self.kind {
            Kind::Nacre => {
                let mut command = Command::new(&self.program);
                command.arg("ssh");
                command
            }
            Kind::OpenSsh => Command::new("ssh"),
        };
        let script = format!("echo {READY}; exec cat >> '{}'", self.path("application").display());
        command.args(options.iter().flat_map(|option| ["-o", option])).args(self.words(port)?).arg(script);
        Client::start(&mut command)
    }

    /// What `nacre explain` says of a server with the key that is expected, one JSON object a step.
    ///
    /// # Errors
    /// It says that there was no handshake.
    pub fn explain(&self, port: u16) -> Result<String, Failure> {
        let mut command = Command::new(&self.program);
        let told = command.args(["explain", "--json"]).args(self.words(port)?).stdin(Stdio::null()).output();
        let told = told.map_err(failed)?;
        match told.status.success() {
            true => Ok(String::from_utf8_lossy(&told.stdout).into_owned()),
            false => Err(failed(String::from_utf8_lossy(&told.stderr).trim().to_owned())),
        }
    }

    /// The words with which any client goes to a port where the server is expected.
    fn words(&self, port: u16) -> Result<Vec<String>, Failure> {
        let key = self.path("server.pub");
        let public = std::fs::read_to_string(&key).map_err(|error| failed(format!("{}: {error}", key.display())))?;
        let known = self.write("known_hosts", &format!("[127.0.0.1]:{port} {public}"))?;
        let option = |name: &str, value: &Path| format!("{name}={}", value.display());
        let mut words = ["-F", "none", "-p", &port.to_string()].map(str::to_owned).to_vec();
        for word in [
            option("UserKnownHostsFile", &known),
            option("IdentityFile", &self.path("alice")),
            "GlobalKnownHostsFile=/dev/null".to_owned(),
            "IdentitiesOnly=yes".to_owned(),
            "IdentityAgent=none".to_owned(),
            "StrictHostKeyChecking=yes".to_owned(),
            "BatchMode=yes".to_owned(),
        ] {
            words.extend(["-o".to_owned(), word]);
        }
        words.push(format!("{}@127.0.0.1", self.user));
        Ok(words)
    }
}

const READY: &str = "ready";

/// Alice's client.
pub struct Client {
    child: Child,
    ready: mpsc::Receiver<bool>,
    errors: std::thread::JoinHandle<String>,
}

impl Client {
    fn start(command: &mut Command) -> Result<Self, Failure> {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| {
            failed(format!("the client does not start: {error}")).hint("apt-get install openssh-client")
        })?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (sender, ready) = mpsc::channel();
        spawn(move || {
            let mut line = String::new();
            let said = stdout.is_some_and(|out| BufReader::new(out).read_line(&mut line).is_ok());
            let _ = sender.send(said && line.trim_end() == READY);
        });
        let errors = spawn(move || {
            let mut text = Vec::new();
            stderr.map(|mut errors| errors.read_to_end(&mut text));
            String::from_utf8_lossy(&text).into_owned()
        });
        Ok(Self { child, ready, errors })
    }

    /// Waits until the application runs; false when the client ends before.
    pub fn is_in(&self) -> bool {
        self.ready.recv_timeout(PATIENCE).unwrap_or(false)
    }

    /// Types a line.
    pub fn say(&mut self, line: &str) {
        if let Some(input) = &mut self.child.stdin {
            let _ = input.write_all(line.as_bytes());
        }
    }

    /// There is nothing more to type.
    pub fn hang_up(&mut self) {
        self.child.stdin = None;
    }

    /// Waits for its end: the exit code, and what it complained of.
    ///
    /// # Errors
    /// It does not end.
    pub fn ends(mut self) -> Result<(i32, String), Failure> {
        let end = Instant::now() + PATIENCE;
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if Instant::now() < end => sleep(TICK),
                _ => {
                    let _ = self.child.kill();
                    let _ = self.child.wait();
                    return Err(failed("the attack is undecided: the client neither goes on nor ends"));
                }
            }
        };
        Ok((status.code().unwrap_or(-1), self.errors.join().unwrap_or_default()))
    }
}

/// A port that is free now.
fn free_port() -> Result<u16, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(failed)
}
