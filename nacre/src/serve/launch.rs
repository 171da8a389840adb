//! Starting a session's process as its account: shell, environment, terminal or pipes, and what is
//! shown first (RFC 4254 §6).

use super::auth_info::AuthInfo;
use super::internal_sftp::started_anew;
use super::rc::Run;
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
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Everything a start needs, decided before. Whoever runs it is the account already.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Whose session it is.
    pub account: Account,
    /// A folder is all there is for it, where no program of ours can be run.
    pub jailed: bool,
    /// The file that says why nobody is let in now (nologin(5)).
    pub closed: Option<PathBuf>,
    /// The terminal asked for and allowed.
    pub pty: Option<PtyRequest>,
    /// Variables from the client.
    pub env: Vec<(Vec<u8>, Vec<u8>)>,
    /// Variables from `SetEnv`, which win over all but what the server alone knows (sshd_config(5)).
    pub set_env: Vec<(Vec<u8>, Vec<u8>)>,
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
    /// What to show of the last login.
    pub last_login: Option<String>,
    /// The password's time is over: it is changed and nothing else.
    pub must_change: bool,
    /// Only the SFTP server that is built in may run, and something else was asked for.
    pub sftp_only: bool,
    /// What succeeded at the login, for a file that the session is told of.
    pub auth_info: Option<String>,
    /// The account's `~/.ssh/rc` is run.
    pub user_rc: bool,
    /// Patterns of the variables that the account may set in its own files.
    pub user_environment: Option<String>,
    /// Variables set with the key.
    pub key_environment: Vec<(String, String)>,
    /// Variables set by PAM.
    pub pam_variables: Vec<(Vec<u8>, Vec<u8>)>,
    /// What PAM's modules want the user to read.
    pub pam_texts: Vec<u8>,
    /// It wants to be told of the client's agent.
    pub agent: bool,
    /// The words for the process that attends the chat in the place of all this; none if another runs.
    pub chat: Vec<String>,
}

packed_fields!(Launch {
    account,
    jailed,
    closed,
    pty,
    env,
    set_env,
    start,
    original_command,
    peer,
    local,
    motd,
    last_login,
    must_change,
    sftp_only,
    auth_info,
    user_rc,
    user_environment,
    key_environment,
    pam_variables,
    pam_texts,
    agent,
    chat,
});

/// What a session in a jail has from outside.
#[derive(Debug, Default)]
pub struct Outside {
    /// The master of its terminal, which is given to the account.
    pub terminal: Option<OwnedFd>,
    /// A socket of the system log.
    pub log: Option<OwnedFd>,
}

/// A session that was started, with plain descriptors that do not block.
pub struct Opened {
    /// Its streams.
    pub streams: OpenedStreams,
    /// Its process, the head of its group.
    pub child: Child,
    /// Text to show before its output.
    pub preamble: Vec<u8>,
    /// The file that tells it how its user logged in.
    pub auth_info: Option<AuthInfo>,
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

/// A terminal's name as the system's records have it: without `/dev/`.
pub fn terminal_name(path: &Path) -> String {
    path.strip_prefix("/dev").unwrap_or(path).display().to_string()
}

impl Opened {
    /// Its terminal's name, if it has one.
    pub fn terminal(&self) -> Option<String> {
        match &self.streams {
            OpenedStreams::Terminal { path, .. } => Some(terminal_name(path)),
            OpenedStreams::Pipes(_) => None,
        }
    }

    /// Hands it to the runtime of this process.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn into_session(self) -> io::Result<StartedSession> {
        let streams = match self.streams {
            OpenedStreams::Terminal { master, .. } => terminal_streams(master)?,
            OpenedStreams::Pipes([stdin, stdout, stderr]) => SessionStreams::Pipes {
                stdin: Descriptor::pipe(stdin)?,
                stdout: Descriptor::pipe(stdout)?,
                stderr: Descriptor::pipe(stderr)?,
            },
        };
        Ok(StartedSession { streams, process: Box::new(LocalProcess::new(self.child)?), preamble: self.preamble })
    }
}

impl Launch {
    /// Starts it. `agent` is the socket that stands for the client's agent, if there is one.
    ///
    /// # Errors
    /// No terminal, pipe, process or descriptor is to be had, or the shell cannot be run.
    pub fn run(self, agent: Option<&Path>, outside: Outside) -> io::Result<Opened> {
        let auth_info = self.auth_info.as_deref().map(AuthInfo::write).transpose()?;
        let instead = match self.instead() {
            None => self.internal_chat()?,
            other => other,
        };
        if let Some(words) = self.internal_sftp().filter(|_| self.jailed && instead.is_none()) {
            return self.sftp_in_jail(words, outside.log);
        }
        let agent = agent.filter(|_| self.agent);
        match &self.pty {
            Some(pty) => {
                let terminal = outside.terminal.map_or_else(Pty::open, Pty::of_master)?;
                self.run_on_terminal((pty, terminal), auth_info, agent, instead)
            }
            None => self.run_on_pipes(auth_info, agent, instead),
        }
    }

    /// It is a shell on a terminal, which begins with what there is to tell.
    pub fn shows_greeting(&self) -> bool {
        self.pty.is_some() && self.start == Start::Shell
    }

    fn run_on_terminal(
        &self,
        (request, pty): (&PtyRequest, Pty),
        auth_info: Option<AuthInfo>,
        agent: Option<&Path>,
        instead: Option<Run>,
    ) -> io::Result<Opened> {
        pty.give_to(self.account.uid, self.account.gid)?;
        pty.apply_modes(&request.modes)?;
        let size = request.size;
        pty.resize(WindowSize {
            columns: size.columns,
            rows: size.rows,
            width_px: size.width,
            height_px: size.height,
        })?;
        let env = self.environment(Some((&pty.path, &request.term)), auth_info.as_ref().map(AuthInfo::path), agent);
        let greets = instead.is_none() && self.start == Start::Shell;
        let child = spawn::spawn(self.spec(env, ChildStdio::Pty(pty.slave), instead))?;
        let preamble = if greets { self.greeting() } else { Vec::new() };
        let streams = OpenedStreams::Terminal { master: pty.master, path: pty.path };
        Ok(Opened { streams, child, preamble, auth_info })
    }

    fn run_on_pipes(
        &self,
        auth_info: Option<AuthInfo>,
        agent: Option<&Path>,
        instead: Option<Run>,
    ) -> io::Result<Opened> {
        let stdin = spawn::pipe_to_child()?;
        let stdout = spawn::pipe_from_child()?;
        let stderr = spawn::pipe_from_child()?;
        let stdio = ChildStdio::Fds { stdin: stdin.child, stdout: stdout.child, stderr: stderr.child };
        let streams = OpenedStreams::Pipes([stdin.parent, stdout.parent, stderr.parent]);
        let env = self.environment(None, auth_info.as_ref().map(AuthInfo::path), agent);
        let child = spawn::spawn(self.spec(env, stdio, instead))?;
        Ok(Opened { streams, child, preamble: Vec::new(), auth_info })
    }

    /// The account's shell, after what comes before it; or what takes its place.
    fn spec(&self, env: Vec<(OsString, OsString)>, stdio: ChildStdio, instead: Option<Run>) -> SpawnSpec {
        let (program, arg0, args) = instead
            .unwrap_or_else(|| self.after_rc(self.internal_sftp().map(started_anew).unwrap_or_else(|| self.shell())));
        let env = self.chat_variables(env);
        SpawnSpec { program, arg0, args, env, cwd: self.account.home.clone(), stdio, credentials: None, umask: None }
    }

    /// The account's shell: as a login shell, or with the command as one argument (threat C11).
    fn shell(&self) -> Run {
        let shell = self.account.shell.clone();
        let name = shell.file_name().unwrap_or(shell.as_os_str()).to_owned();
        match &self.start {
            Start::Shell => {
                let mut login = OsString::from("-");
                login.push(&name);
                (shell, login, Vec::new())
            }
            Start::Exec(command) => (shell, name, vec!["-c".into(), OsString::from_vec(command.clone())]),
            Start::Subsystem(command) => (shell, name, vec!["-c".into(), command.into()]),
        }
    }
}
