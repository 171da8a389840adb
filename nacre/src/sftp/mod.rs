//! `nacre sftp`: a session with the files of another machine.
//!
//! [`words`] takes a line apart, [`command`] understands it, [`session`] and its neighbours do it over one connection that
//! [`crate::ssh_child`] begins. Lines come from a person ([`editor`]) or from a file ([`script`]).

pub(crate) mod address;
mod columns;
mod command;
mod completion;
mod editor;
mod far;
mod help;
mod listing;
mod local;
mod long;
mod remote_side;
mod script;
mod session;
mod space;
mod transfers;
mod words;

use crate::cli::sftp::SftpArgs;
use crate::failure::{Failure, SSH};
use crate::output;
use crate::signal::SIGINT;
use crate::ssh_child::interrupts::{self, OnInterrupt};
use crate::ssh_child::{self, Errand, Place, SshChild, SshOptions};
use command::{Command, Transfer};
use nacre_files::remote::{Error, Remote, shown};
use remote_side::RemoteSide;
use script::Input;
use session::{Session, Trouble, say};
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long ssh may take to end once its pipes are closed.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a command asks of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    Quit,
}

/// Runs `nacre sftp`.
///
/// # Errors
/// What keeps it from beginning, and a connection that ends before its time: exit code 255, as OpenSSH has it.
pub fn run(args: &SftpArgs) -> Result<ExitCode, Failure> {
    let mut input = Input::open(args.batch.as_deref())?;
    interrupts::catch(OnInterrupt::End).map_err(|error| Failure::with_code(SSH, format!("sftp: signals: {error}")))?;
    let (remote, child) = connect(args)?;
    let ended = talk(args, remote, &mut input);
    farewell(child);
    match (ended, interrupts::came()) {
        (_, Some(signal)) if signal != SIGINT => Err(by_signal(signal)),
        (Ok(()), _) => Ok(ExitCode::SUCCESS),
        (Err(Trouble::Gone(error)), _) => Err(lost(&error)),
        (Err(Trouble::Output(failure)), _) => Err(failure),
        (Err(Trouble::Say(line)), _) => {
            output::complain(&line);
            Ok(ExitCode::FAILURE)
        }
        (Err(Trouble::Told), _) => Ok(ExitCode::FAILURE),
    }
}

fn by_signal(signal: i32) -> Failure {
    Failure::silent(u8::try_from(128 + signal).unwrap_or(SSH))
}

/// Starts ssh, or the server of `-D`, and SFTP over it.
fn connect(args: &SftpArgs) -> Result<(Remote, SshChild), Failure> {
    let direct = match &args.direct {
        None => Vec::new(),
        Some(line) => server_words(line)?,
    };
    let options = SshOptions {
        program: args.program.clone(),
        direct,
        flags: args.flags.clone(),
        // At the prompt Ctrl-C is not its end.
        ignores_interrupts: true,
    };
    let place = args.target.as_ref().map_or_else(Place::default, |target| target.place.clone());
    let server = args.server.as_deref().unwrap_or("sftp");
    let errand = match server.contains('/') {
        true => Errand::Command(server.as_bytes()),
        false => Errand::Subsystem(server),
    };
    let (child, pipes) = ssh_child::start(&options, &place, errand).map_err(|failure| failure.code(SSH))?;
    match (Remote::open(pipes.input, pipes.output), interrupts::came()) {
        (_, Some(signal)) => Err(by_signal(signal)),
        (Ok(remote), None) => Ok((remote, child)),
        (Err(error), None) => Err(lost(&error)),
    }
}

/// The server of `-D` and its arguments, quoted as in a shell.
fn server_words(line: &OsString) -> Result<Vec<OsString>, Failure> {
    let wrong = |problem| Failure::with_code(SSH, format!("sftp: -D: {problem}"));
    let words = words::split(line.as_bytes()).map_err(|_| wrong("a quote is not closed"))?;
    let words: Vec<OsString> = words.iter().map(|word| OsString::from_vec(words::plain(word))).collect();
    if words.is_empty() { Err(wrong("no program is named")) } else { Ok(words) }
}

/// The connection is of no use any more; ssh has said why, if it knows.
fn lost(error: &Error) -> Failure {
    match error {
        Error::Closed => output::complain("Connection closed"),
        other => output::complain(&other.to_string()),
    }
    Failure::silent(SSH)
}

/// Waits for ssh, whose pipes are closed, and ends it if that takes too long.
fn farewell(mut child: SshChild) {
    let end = Instant::now() + PATIENCE;
    while child.try_wait().is_none() && Instant::now() < end && !interrupted() {
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Whether a signal asks for the end of what is being done.
fn interrupted() -> bool {
    interrupts::came().is_some()
}

/// The whole session.
fn talk(args: &SftpArgs, mut remote: Remote, input: &mut Input) -> Result<(), Trouble> {
    interrupts::set(OnInterrupt::Note);
    let start = remote.realpath(b".").map_err(Trouble::Gone)?;
    if !args.quiet {
        output::complain(&match (&args.direct, &args.target) {
            (None, Some(target)) => format!("Connected to {}.", shown(target.place.host.as_bytes())),
            (server, _) => format!("Attached to {}.", shown(server.as_deref().unwrap_or_default().as_bytes())),
        });
    }
    let mut session = Session {
        far: RemoteSide::new(remote, start.clone()),
        start,
        args,
        progress: !args.quiet && io::stderr().is_terminal(),
        verify: args.verify,
    };
    if let Some(path) = args.target.as_ref().and_then(|target| target.path.as_deref())
        && session.first(path)? == Next::Quit
    {
        return Ok(());
    }
    loop {
        interrupts::forget();
        let Some(line) = input.next(&session)? else { return Ok(()) };
        if session.obey(&line)? == Next::Quit {
            return Ok(());
        }
        match interrupts::came() {
            Some(signal) if signal != SIGINT => return Err(Trouble::Told),
            _ => session.far.forget(),
        }
    }
}

impl Session<'_> {
    /// The path of the address: a folder is entered, a file fetched, and that is all then.
    fn first(&mut self, path: &[u8]) -> Result<Next, Trouble> {
        let path = self.expanded(path)?;
        if self.args.local.is_none() && self.is_folder(&path)? {
            self.remark(&format!("Changing to: {}", shown(&path)))?;
            self.enter(Some(&path))?;
            return Ok(Next::GoOn);
        }
        let target = self.args.local.as_ref().map(|local| local.as_bytes().to_vec());
        // A star in an address is one that the person wrote.
        self.get(&Transfer { pattern: path, target, ..Transfer::default() })?;
        Ok(Next::Quit)
    }

    /// Reads a line and does it. In a batch, what fails is an error, unless the line says that it may.
    fn obey(&mut self, line: &[u8]) -> Result<Next, Trouble> {
        let read = command::read(line);
        if self.args.batch.is_some() || !io::stdin().is_terminal() {
            self.echo(line, read.silent)?;
        }
        for word in &read.ignored {
            output::complain(&format!("{} is one word too many, and is ignored", session::quoted(word)));
        }
        let done = match read.command {
            Ok(None) => Ok(Next::GoOn),
            Ok(Some(command)) => self.run(command),
            Err(problem) => Err(Trouble::Say(problem)),
        };
        let trouble = match done {
            Err(trouble @ (Trouble::Gone(_) | Trouble::Output(_))) => return Err(trouble),
            Err(trouble) => trouble,
            Ok(next) => return Ok(next),
        };
        if let Trouble::Say(line) = trouble {
            output::complain(&line);
        }
        if self.args.batch.is_some() && !read.may_fail { Err(Trouble::Told) } else { Ok(Next::GoOn) }
    }

    fn echo(&self, line: &[u8], silent: bool) -> Result<(), Trouble> {
        if silent { Ok(()) } else { say(&format!("sftp> {}", shown(line))) }
    }

    fn run(&mut self, command: Command) -> Result<Next, Trouble> {
        match command {
            Command::Quit => return Ok(Next::Quit),
            Command::ChangeFolder(path) => self.enter(path.as_deref())?,
            Command::Change { what, to, no_follow, pattern } => self.change(what, to, no_follow, &pattern)?,
            Command::Copy { from, to } => self.copy(&from, &to)?,
            Command::Space { human, inodes, path } => self.space(human, inodes, path.as_deref())?,
            Command::Get(what) => self.get(&what)?,
            Command::Put(what) => self.put(&what)?,
            Command::Help => output::print(&help::text())?,
            Command::ChangeLocalFolder(path) => local::enter(path.as_deref())?,
            Command::LocalList(words) => local::list(&words)?,
            Command::MakeLocalFolder(path) => local::make_folder(&path)?,
            Command::Link { symbolic, from, to } => self.link(symbolic, &from, &to)?,
            Command::LocalFolder => local::tell_folder()?,
            Command::List { how, pattern } => self.list(how, pattern.as_deref())?,
            Command::LocalUmask(mask) => local::set_umask(mask)?,
            Command::MakeFolder(path) => self.make_folder(&path)?,
            Command::Progress => {
                self.progress = !self.progress;
                say(if self.progress { "Progress meter enabled" } else { "Progress meter disabled" })?;
            }
            Command::Folder => say(&format!("Remote working directory: {}", shown(&self.folder())))?,
            Command::Rename { legacy, from, to } => self.rename(legacy, &from, &to)?,
            Command::Remove(pattern) => self.remove(&pattern)?,
            Command::RemoveFolder(path) => self.remove_folder(&path)?,
            Command::Verify(set) => {
                self.verify = set.unwrap_or(self.verify);
                say(if self.verify { "Transfers are verified" } else { "Transfers are not verified" })?;
            }
            Command::Version => say(&format!("SFTP protocol version {}", nacre_sftp::VERSION))?,
            Command::Shell(line) => local::shell(&line)?,
        }
        Ok(Next::GoOn)
    }
}
