//! `nacre sftp-server`: one client on standard input and output, as whoever started it.

use crate::cli::Early;
use crate::cli::sftp_server::{self, SftpServerArgs};
use crate::failure::Failure;
use crate::output;
use crate::serve::log::{self, Style, Target};
use nacre_config::client::LogLevel;
use nacre_config::expand::{Tokens, expand};
use nacre_files::server::{Level, Log, Settings, request_names, serve};
use nacre_sys::account::Account;
use nacre_sys::privileges;
use rustix::fs::Mode;
use std::ffi::{CStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::ExitCode;

/// The process's name in lists.
const NAME: &CStr = c"sftp-server";
/// Exit code for a client that breaks the protocol, as OpenSSH's.
const BROKEN: u8 = 11;

/// Serves until the client ends the stream.
///
/// # Errors
/// It cannot begin.
pub fn run(args: SftpServerArgs) -> Result<ExitCode, Failure> {
    let target = if args.stderr { Target::stderr() } else { Target::syslog(&args.facility) };
    serve_one(args, &Who::of_this_process(), target).map(ExitCode::from)
}

/// [`run`] for a process that was not started with these words but goes on with them, in a jail: it logs by a socket that is
/// connected to the system log, or not at all. Its exit code.
pub fn serve_called(name: &str, words: Vec<OsString>, who: &Who, log: Option<OwnedFd>) -> u8 {
    let served = match sftp_server::parse(name, words) {
        Ok(args) => {
            let target = match log {
                _ if args.stderr => Target::stderr(),
                Some(socket) => Target::syslog_by(socket, &args.facility),
                None => Target::function(|_, _| {}),
            };
            serve_one(args, who, target)
        }
        Err(Early::Usage(failure)) => Err(failure),
        Err(_) => Err(Failure::new("sftp-server: there is nobody here to read a help page")),
    };
    served.unwrap_or_else(|failure| {
        failure.report();
        1
    })
}

fn serve_one(args: SftpServerArgs, who: &Who, target: Target) -> Result<u8, Failure> {
    if args.list_requests {
        output::print(&request_names().map(|name| format!("{name}\n")).collect::<String>())?;
        return Ok(0);
    }
    // Other processes of the same user could change what a client that is kept inside may do.
    let _ = privileges::set_dumpable(false);
    // Started by descriptor it would go by the descriptor's name in lists of processes.
    let _ = rustix::thread::set_name(NAME);
    if let Some(mask) = args.umask {
        rustix::process::umask(Mode::from_raw_mode(mask));
    }
    log::start(target, Style { level: log::filter(args.level), json: false, program: "sftp-server" })?;
    let settings = settings(args, who)?;
    tracing::info!("session opened for local user {} from [{}]", who.name, who.client);
    let served = serve(settings, io::stdin(), io::stdout());
    tracing::info!("session closed for local user {} from [{}]", who.name, who.client);
    match served {
        Ok(_) => Ok(0),
        Err(error) if error.is_gone() => Ok(1),
        Err(error) if error.is_protocol() => {
            tracing::error!("bad message from {} local user {}: {error}", who.client, who.name);
            Ok(BROKEN)
        }
        Err(error) => {
            tracing::error!("{error}");
            Err(Failure::new(format!("sftp-server: {error}")))
        }
    }
}

fn settings(args: SftpServerArgs, who: &Who) -> Result<Settings, Failure> {
    Ok(Settings {
        read_only: args.read_only,
        start: args.start.map(|text| who.folder("-d", &text)).transpose()?,
        root: args.root.map(|path| who.folder("--root", &path.to_string_lossy())).transpose()?,
        allowed: args.allowed,
        denied: args.denied,
        log: Box::new(Journal(args.level)),
    })
}

/// Who is served, as far as it can be told.
pub struct Who {
    name: String,
    home: Option<PathBuf>,
    client: String,
}

impl Who {
    /// An account's client at an address.
    pub fn of(account: &Account, client: &str) -> Self {
        Self { name: account.name.clone(), home: Some(account.home.clone()), client: client.to_owned() }
    }

    fn of_this_process() -> Self {
        let account = Account::current().ok();
        let name = account.as_ref().map_or_else(|| privileges::effective_uid().to_string(), |a| a.name.clone());
        let connection = std::env::var("SSH_CONNECTION").unwrap_or_default();
        let client = connection.split(' ').next().filter(|word| !word.is_empty()).unwrap_or("UNKNOWN");
        Self {
            name,
            home: account.map(|account| account.home),
            client: nacre_wire::text::clean_line(client.as_bytes(), 64),
        }
    }

    fn folder(&self, flag: &str, text: &str) -> Result<PathBuf, Failure> {
        let home = self.home.as_ref().map_or_else(|| "/".to_owned(), |home| home.display().to_string());
        let tokens = Tokens::new().with('d', home).with('u', self.name.as_str());
        expand(text, &tokens, None)
            .map(PathBuf::from)
            .map_err(|problem| Failure::new(format!("sftp-server: {flag} {text}: {problem}")))
    }
}

/// The log of the process, cut at OpenSSH's levels, which are finer.
struct Journal(LogLevel);

impl Log for Journal {
    fn wants(&self, level: Level) -> bool {
        let least = match self.0 {
            LogLevel::Quiet | LogLevel::Fatal => return false,
            LogLevel::Error => Level::Error,
            LogLevel::Info => Level::Info,
            LogLevel::Verbose => Level::Verbose,
            LogLevel::Debug1 | LogLevel::Debug2 | LogLevel::Debug3 => Level::Debug,
        };
        level <= least
    }

    fn line(&self, level: Level, line: &str) {
        match level {
            Level::Error => tracing::error!("{line}"),
            Level::Info | Level::Verbose => tracing::info!("{line}"),
            Level::Debug => tracing::debug!("{line}"),
        }
    }
}
