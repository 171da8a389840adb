//! Servers of either make, started alike: on 127.0.0.1, for the running account, with files of
//! their own.

use super::Bench;
use super::parties::Make;
use crate::process::kill_family;
use rustix::process::{Resource, getrlimit, setrlimit};
use std::fs::{self, File, Permissions};
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take until it greets.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that runs until this is dropped.
pub struct Server {
    /// Who made it.
    pub make: Make,
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// A list of known hosts with its key in it.
    pub known_hosts: PathBuf,
    child: Child,
    log: PathBuf,
}

impl Server {
    /// The process that listens.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn greets(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut greeting = [0; 4];
            let stream = TcpStream::connect(("127.0.0.1", self.port));
            if stream.and_then(|mut stream| stream.read_exact(&mut greeting)).is_ok() && greeting == *b"SSH-" {
                return Ok(());
            }
            if Instant::now() > deadline || !matches!(self.child.try_wait(), Ok(None)) {
                let log = fs::read_to_string(&self.log).unwrap_or_default();
                return Err(format!("the {} server does not greet:\n{log}", self.make.name()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        kill_family(self.child.id());
        let _ = self.child.wait();
    }
}

/// Looks again and again, for as long as a server may take until it greets.
pub fn wait_until(else_say: &str, mut there: impl FnMut() -> bool) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    while !there() {
        if Instant::now() > deadline {
            return Err(else_say.to_owned());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

impl Bench {
    /// Starts a server of that make; Nacre's for the running account.
    pub fn serve(&self, make: Make) -> Result<Server, String> {
        self.start(make, &self.nacre, &["serve", "--user-mode"], None)
    }

    /// Starts Nacre's server for the machine's accounts, with processes for each connection.
    pub fn serve_machine(&self) -> Result<Server, String> {
        self.start(Make::Nacre, &self.nacre, &["serve"], None)
    }

    /// Starts Nacre's chat; with `history`, the file of what was said before, which is moved there.
    pub fn serve_chat(&self, history: Option<&Path>) -> Result<Server, String> {
        self.start(Make::Nacre, &self.nacre, &["chat", "serve"], history)
    }

    /// Starts a chat that is one node of several, with another program; returns when it has found the others.
    pub fn serve_node(&self, program: &Path, name: &str, nats: u16) -> Result<Server, String> {
        let (name, nats) = (format!("ChatNode={name}"), format!("ChatBackplane=nats://127.0.0.1:{nats}"));
        let words = ["chat", "serve", "-o", "LogLevel=INFO", "-o", &name, "-o", &nats];
        let server = self.start(Make::Nacre, program, &words, None)?;
        wait_until("the other nodes are not reached", || {
            fs::read_to_string(&server.log).is_ok_and(|log| log.contains("the other nodes are reached"))
        })?;
        Ok(server)
    }

    fn start(&self, make: Make, nacre: &Path, words: &[&str], history: Option<&Path>) -> Result<Server, String> {
        let problem = |error: std::io::Error| format!("the {} server: {error}", make.name());
        let listener = TcpListener::bind("127.0.0.1:0").map_err(problem)?;
        let port = listener.local_addr().map_err(problem)?.port();
        let folder = self.folder.path().join(format!("{}-{port}", make.name()));
        fs::create_dir_all(&folder).map_err(problem)?;
        let public = fs::read_to_string(self.keys.host.with_extension("pub")).map_err(problem)?;
        let known_hosts = folder.join("known_hosts");
        fs::write(&known_hosts, format!("[127.0.0.1]:{port} {public}")).map_err(problem)?;
        let config = folder.join("config");
        fs::write(&config, self.config(make)).map_err(problem)?;
        let log = folder.join("log");
        let mut command = match make {
            Make::Nacre => {
                let mut command = Command::new(nacre);
                let state = folder.join("state");
                if let Some(history) = history {
                    let moved = fs::DirBuilder::new().mode(0o700).create(&state);
                    moved.and_then(|()| fs::rename(history, state.join("chat.db"))).map_err(problem)?;
                }
                command.args(words).arg("--state").arg(state);
                command
            }
            // sshd starts itself anew for each connection and wants to be called by its whole name.
            Make::OpenSsh => {
                // Only sshd as root wants this folder, and only root can make it.
                let _ = fs::create_dir_all("/run/sshd");
                Command::new("/usr/sbin/sshd")
            }
        };
        command.args(["-D", "-e", "-p", &port.to_string(), "-f"]).arg(&config);
        let file = File::create(&log).map_err(problem)?;
        let mut command = self.with_plain_shell(&command)?;
        drop(listener);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn().map_err(problem)?;
        let mut server = Server { make, port, known_hosts, child, log };
        server.greets()?;
        Ok(server)
    }

    fn config(&self, make: Make) -> String {
        let host = self.keys.host.display();
        let user = self.keys.user.with_extension("pub");
        let own = match make {
            Make::Nacre => "PerSourcePenalties no",
            Make::OpenSsh => "UsePAM no",
        };
        format!(
            "ListenAddress 127.0.0.1\nHostKey {host}\nAuthorizedKeysFile {}\nStrictModes no\nPidFile none\n\
             Subsystem sftp internal-sftp\nPermitRootLogin yes\nMaxStartups 2000\nMaxSessions 100\nLogLevel ERROR\n{own}\n",
            user.display()
        )
    }

    /// The same command where the running account's shell is a plain one that reads no files of the
    /// person's: what such files do at every start would be measured with the rest. Only root can;
    /// others measure with the shell they have.
    fn with_plain_shell(&self, command: &Command) -> Result<Command, String> {
        let probe = Command::new("unshare").args(["--mount", "true"]).stderr(Stdio::null()).status();
        let name = super::parties::account()?;
        let passwd = self.folder.path().join("passwd");
        let list = fs::read_to_string("/etc/passwd").map_err(|error| format!("/etc/passwd: {error}"))?;
        let lines = list.lines().map(|line| plain(line, &name, &self.folder.path().display().to_string()) + "\n");
        fs::write(&passwd, lines.collect::<String>()).map_err(|error| format!("{}: {error}", passwd.display()))?;
        // The kernel shares the processors out by sessions. A daemon has one of its own; in ours it would share it with the client.
        let mut wrapped = Command::new("setsid");
        if probe.is_ok_and(|status| status.success()) {
            // Whoever the session runs as reads this list.
            let open = |path, mode| fs::set_permissions(path, Permissions::from_mode(mode));
            open(self.folder.path(), 0o755).and_then(|()| open(&passwd, 0o644)).map_err(|error| error.to_string())?;
            let script = "mount --bind \"$1\" /etc/passwd && shift && exec \"$@\"";
            wrapped.args(["unshare", "--mount", "sh", "-c", script, "sh"]).arg(&passwd);
        }
        wrapped.arg(command.get_program()).args(command.get_args());
        Ok(wrapped)
    }
}

/// A line of passwd(5), with the plain shell and another home if it is that of `name`.
fn plain(line: &str, name: &str, home: &str) -> String {
    let mut fields: Vec<&str> = line.split(':').collect();
    if let [account, _, _, _, _, folder, shell] = fields.as_mut_slice()
        && *account == name
    {
        *folder = home;
        *shell = "/bin/sh";
    }
    fields.join(":")
}

/// As many open files as the system lets us have, for us and for what we start.
pub fn allow_many_files() -> Result<(), String> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).map_err(|error| format!("the limit of open files: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_account_s_own_line_changes() {
        assert_eq!(plain("me:x:1:1:Me:/home/me:/bin/zsh", "me", "/tmp/x"), "me:x:1:1:Me:/tmp/x:/bin/sh");
        assert_eq!(plain("you:x:1:1::/home/you:/bin/zsh", "me", "/tmp/x"), "you:x:1:1::/home/you:/bin/zsh");
        assert_eq!(plain("odd", "odd", "/tmp/x"), "odd");
    }
}
