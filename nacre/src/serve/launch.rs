//! Starting a session's process as its account: shell, environment, terminal or pipes, and what is
//! shown first (RFC 4254 §6).

use nacre_net::Descriptor;
use nacre_net::packed_fields;
use nacre_net::server::authority::{PtyRequest, SessionStreams, Start, StartedSession};
use nacre_net::server::{LocalProcess, terminal_streams};
use nacre_sys::account::Account;
use nacre_sys::pty::{Pty, WindowSize};
use nacre_sys::spawn::{self, Child, ChildStdio, SpawnSpec};
use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// What is searched for programs, for root and for everybody else.
const ROOT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const USER_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/games";
/// The message of the day is cut here, in bytes.
const MAX_MOTD: usize = 64 * 1024;

/// Everything a start needs, decided before. Whoever runs it is the account already.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Whose session it is.
    pub account: Account,
    /// It serves the machine's accounts, so nologin(5) counts.
    pub machine: bool,
    /// The terminal asked for and allowed.
    pub pty: Option<PtyRequest>,
    /// Variables from the client and from `SetEnv`, in order.
    pub env: Vec<(Vec<u8>, Vec<u8>)>,
    /// What runs.
    pub start: Start,
    /// What the client asked for when something else runs.
    pub original_command: Option<Vec<u8>>,
    /// The client's end.
    pub peer: SocketAddr,
    /// Our end.
    pub local: SocketAddr,
    /// Show the message of the day.
    pub motd: bool,
}

packed_fields!(Launch { account, machine, pty, env, start, original_command, peer, local, motd });

/// A session that was started, with plain descriptors that do not block.
pub struct Opened {
    /// Its streams.
    pub streams: OpenedStreams,
    /// Its process, the head of its group.
    pub child: Child,
    /// Text to show before its output.
    pub preamble: Vec<u8>,
}

/// What a started session is connected to.
pub enum OpenedStreams {
    /// A terminal's master, and the terminal's name.
    Terminal {
        /// For reading, writing and the size.
        master: OwnedFd,
        /// As in /dev.
        path: PathBuf,
    },
    /// Three pipes: what the process reads, writes and complains.
    Pipes([OwnedFd; 3]),
}

impl Opened {
    /// Hands it to the runtime of this process.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn into_session(self) -> io::Result<StartedSession> {
        let streams = match self.streams {
            OpenedStreams::Terminal { master, .. } => terminal_streams(master)?,
            OpenedStreams::Pipes([stdin, stdout, stderr]) => SessionStreams::Pipes {
                stdin: Descriptor::nonblocking(stdin)?,
                stdout: Descriptor::nonblocking(stdout)?,
                stderr: Descriptor::nonblocking(stderr)?,
            },
        };
        Ok(StartedSession { streams, process: Box::new(LocalProcess::new(self.child)?), preamble: self.preamble })
    }
}

impl Launch {
    /// Starts it.
    ///
    /// # Errors
    /// No terminal, pipe, process or descriptor is to be had, or the shell cannot be run.
    pub fn run(self) -> io::Result<Opened> {
        if let Some(text) = self.closed_for_now() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        match &self.pty {
            Some(pty) => self.run_on_terminal(pty),
            None => self.run_on_pipes(),
        }
    }

    /// nologin(5): only root gets in while the file is there.
    fn closed_for_now(&self) -> Option<String> {
        if self.account.uid == 0 || !self.machine {
            return None;
        }
        let text = std::fs::read("/etc/nologin").or_else(|_| std::fs::read("/run/nologin")).ok()?;
        Some(format!("logins are closed: {}", nacre_wire::text::clean_line(&text, 300)))
    }

    fn run_on_terminal(&self, request: &PtyRequest) -> io::Result<Opened> {
        let pty = Pty::open()?;
        pty.give_to(self.account.uid, self.account.gid)?;
        pty.apply_modes(&request.modes)?;
        let size = request.size;
        pty.resize(WindowSize {
            columns: size.columns,
            rows: size.rows,
            width_px: size.width,
            height_px: size.height,
        })?;
        let env = self.environment(Some((&pty.path, &request.term)));
        let child = spawn::spawn(self.spec(env, ChildStdio::Pty(pty.slave)))?;
        let preamble = if self.is_login_shell() && self.motd { self.message_of_the_day() } else { Vec::new() };
        Ok(Opened { streams: OpenedStreams::Terminal { master: pty.master, path: pty.path }, child, preamble })
    }

    fn run_on_pipes(&self) -> io::Result<Opened> {
        let stdin = spawn::pipe_to_child()?;
        let stdout = spawn::pipe_from_child()?;
        let stderr = spawn::pipe_from_child()?;
        let stdio = ChildStdio::Fds { stdin: stdin.child, stdout: stdout.child, stderr: stderr.child };
        let streams = OpenedStreams::Pipes([stdin.parent, stdout.parent, stderr.parent]);
        let child = spawn::spawn(self.spec(self.environment(None), stdio))?;
        Ok(Opened { streams, child, preamble: Vec::new() })
    }

    fn is_login_shell(&self) -> bool {
        self.start == Start::Shell
    }

    /// The account's shell: as a login shell, or with the command as one argument (threat C11).
    fn spec(&self, env: Vec<(OsString, OsString)>, stdio: ChildStdio) -> SpawnSpec {
        let shell = self.account.shell.clone();
        let name = shell.file_name().unwrap_or(shell.as_os_str()).to_owned();
        let (arg0, args) = match &self.start {
            Start::Shell => {
                let mut login = OsString::from("-");
                login.push(&name);
                (login, Vec::new())
            }
            Start::Exec(command) => (name, vec!["-c".into(), OsString::from_vec(command.clone())]),
            Start::Subsystem(command) => (name, vec!["-c".into(), command.into()]),
        };
        SpawnSpec {
            program: shell,
            arg0,
            args,
            env,
            cwd: self.account.home.clone(),
            stdio,
            credentials: None,
            umask: None,
        }
    }

    /// The whole environment: nothing of the server's own reaches a session but its time zone.
    fn environment(&self, terminal: Option<(&Path, &str)>) -> Vec<(OsString, OsString)> {
        let account = &self.account;
        let mut env: Vec<(OsString, OsString)> = Vec::new();
        let mut set = |name: &str, value: OsString| {
            env.retain(|(known, _)| known.as_os_str() != name);
            env.push((name.into(), value));
        };
        for (name, value) in &self.env {
            if let Ok(name) = std::str::from_utf8(name) {
                set(name, OsString::from_vec(value.clone()));
            }
        }
        set("USER", account.name.clone().into());
        set("LOGNAME", account.name.clone().into());
        set("HOME", account.home.clone().into_os_string());
        set("SHELL", account.shell.clone().into_os_string());
        set("PATH", if account.uid == 0 { ROOT_PATH } else { USER_PATH }.into());
        set("MAIL", format!("/var/mail/{}", account.name).into());
        if let Some(zone) = std::env::var_os("TZ") {
            set("TZ", zone);
        }
        let (peer, local) = (self.peer, self.local);
        let (peer_ip, local_ip) = (peer.ip().to_canonical(), local.ip().to_canonical());
        set("SSH_CLIENT", format!("{peer_ip} {} {}", peer.port(), local.port()).into());
        set("SSH_CONNECTION", format!("{peer_ip} {} {local_ip} {}", peer.port(), local.port()).into());
        if let Some(command) = &self.original_command {
            set("SSH_ORIGINAL_COMMAND", OsString::from_vec(command.clone()));
        }
        if let Some((path, term)) = terminal {
            set("SSH_TTY", path.as_os_str().to_owned());
            set("TERM", term.into());
        }
        // A NUL cannot be said to execve; a name with `=` would set another variable.
        env.retain(|(name, value)| {
            !name.is_empty() && !name.as_bytes().contains(&b'=') && !value.as_bytes().contains(&0)
        });
        env
    }

    fn message_of_the_day(&self) -> Vec<u8> {
        if self.account.home.join(".hushlogin").exists() {
            return Vec::new();
        }
        let mut text = Vec::new();
        for path in ["/run/motd.dynamic", "/etc/motd"] {
            if let Ok(bytes) = std::fs::read(path) {
                text.extend(bytes.iter().take(MAX_MOTD));
            }
        }
        // The terminal is raw on the other side: a line feed alone would leave the cursor where it is.
        let mut out = Vec::with_capacity(text.len());
        for byte in text {
            if byte == b'\n' {
                out.push(b'\r');
            }
            out.push(byte);
        }
        out
    }
}
