//! `nacre serve`: the server.

mod activation;
mod audit;
mod auth_info;
pub mod authority;
mod certificates;
mod configuration;
mod environment;
pub mod forward;
mod greeting;
mod host_agent;
mod host_keys;
mod install;
mod instead;
mod interactive;
mod internal_chat;
mod internal_sftp;
pub mod judge;
mod keys;
mod keys_command;
mod last_login;
mod launch;
pub mod limits;
mod listener;
pub(crate) mod log;
pub mod login;
mod names;
mod notify;
mod passwords;
pub mod privsep;
mod rc;
mod reload;
mod revoked;
mod security_key;
pub mod shared;
mod sockets;

use crate::cli::serve::{ServeAction, ServeArgs};
use crate::failure::Failure;
use crate::signal::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, Signal};
use crate::{chat, output, state};
use activation::Single;
use audit::{Event, Happening};
use configuration::Place;
use host_agent::HostAgent;
use host_keys::HostKeys;
use listener::{Listener, serve_one};
use log::Target;
use nacre_config::origin::Origin;
use nacre_config::server::Keyword;
use nacre_net::StdioStream;
use nacre_net::admission::Ending;
use nacre_net::server::{Order, Watcher};
use nacre_sys::pam::Pam;
use nacre_sys::{daemon, privileges};
use privsep::{Separation, Spawner};
use shared::{Mode, Shared};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;

/// Exit code of a server that cannot start, as sshd's.
const CANNOT_START: u8 = 255;

/// Runs the server, or one of the checks that `-t`, `-T` and `-G` ask for.
///
/// # Errors
/// The configuration is wrong, a key or an address cannot be had, or a check failed.
pub fn run(args: &ServeArgs) -> Result<ExitCode, Failure> {
    prepare(args).map_err(|failure| failure.code(CANNOT_START))
}

fn prepare(args: &ServeArgs) -> Result<ExitCode, Failure> {
    if args.action == ServeAction::Install {
        output::print(&install::text(args)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let place = Place::of(args)?;
    let options = configuration::read(args, &place)?;
    if let ServeAction::PrintConfig { check_keys, connection, why } = &args.action {
        if *check_keys {
            let mut told = Vec::new();
            load_host_keys(&options, &place, |line| told.push(line))?;
            complain(told);
        }
        output::print(&configuration::dump(&options, connection.as_ref(), *why))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut told: Vec<String> = options.warnings.iter().map(ToString::to_string).collect();
    pam_can_be_used(&options, &place)?;
    let chat = args.chat.then(|| chat::Plan::of(&options.chat)).transpose()?;
    let host_keys = load_host_keys(&options, &place, |line| told.push(line))?;
    let is_test = args.action == ServeAction::Test;
    // Where a client is on standard error, or nobody, the log tells.
    if is_test || !(args.inetd || args.log_file.is_some()) {
        complain(std::mem::take(&mut told));
    }
    match is_test {
        true => Ok(ExitCode::SUCCESS),
        false => start(args, place, options, host_keys, chat, &told),
    }
}

fn complain(lines: Vec<String>) {
    for line in lines {
        output::complain(&format!("nacre: {line}"));
    }
}

/// UsePAM needs root, to whom PAM's modules are open, and the machine's libpam.
fn pam_can_be_used(options: &nacre_config::server::ServerOptions, place: &Place) -> Result<(), Failure> {
    if !options.use_pam {
        return Ok(());
    }
    if !place.mode_is_root() {
        return Err(Failure::new("UsePAM yes: only a server that root runs for the machine's accounts can use PAM")
            .hint("take the line out, or start the server as root"));
    }
    Pam::load().map(drop).map_err(|error| Failure::new(format!("UsePAM yes: {error}")))
}

fn load_host_keys(
    options: &nacre_config::server::ServerOptions,
    place: &Place,
    mut tell: impl FnMut(String),
) -> Result<HostKeys, Failure> {
    let mut keys = load_plain_host_keys(options, place, &mut tell)?;
    keys.certify(&options.host_certificates, tell);
    Ok(keys)
}

fn load_plain_host_keys(
    options: &nacre_config::server::ServerOptions,
    place: &Place,
    tell: impl FnMut(String),
) -> Result<HostKeys, Failure> {
    let agent = options.host_key_agent.as_deref().and_then(HostAgent::named);
    let named: Vec<PathBuf> = options.host_keys.iter().map(PathBuf::from).collect();
    if !named.is_empty() {
        return HostKeys::read(&named, agent.as_ref(), tell);
    }
    let system: Vec<PathBuf> = place.system_host_keys().into_iter().filter(|path| path.exists()).collect();
    if !system.is_empty() {
        return HostKeys::read(&system, agent.as_ref(), tell);
    }
    state::prepare(&place.state)?;
    HostKeys::read_or_make(&place.state, tell)
}

fn start(
    args: &ServeArgs,
    place: Place,
    options: nacre_config::server::ServerOptions,
    host_keys: HostKeys,
    chat: Option<chat::Plan>,
    told: &[String],
) -> Result<ExitCode, Failure> {
    let style = style(args, &options);
    let target = match &args.log_file {
        Some(path) => Target::file(path)?,
        None if args.log_to_stderr || args.debug > 0 || !args.as_sshd => Target::stderr(),
        None => Target::syslog(&options.syslog_facility),
    };
    let source = match args.inetd {
        true => Source::Single(activation::single()?),
        false => listening(&options, &place)?,
    };
    if args.as_sshd && !args.foreground && !args.inetd {
        daemon::detach().map_err(|error| Failure::new(format!("cannot detach: {error}")))?;
    }
    privileges::tighten_umask();
    let _ = privileges::raise_open_files();
    log::start(target, style)?;
    for line in told {
        tracing::warn!("{line}");
    }
    let apart = match place.mode_is_root() {
        true => {
            state::prepare(&place.state)?;
            Some(Separation::new(&place.state, options.sandbox, log::descriptor())?)
        }
        false => None,
    };
    let pid_file = pid_file(args, &place, &options);
    let mut shared = Shared::new(options, host_keys, place.mode.clone(), place.state.clone());
    shared.as_sshd = args.as_sshd;
    if shared.options().use_pam {
        // Once, for all the copies that are made of this process.
        let _ = shared.pam();
    }
    let shared = Arc::new(shared);
    let (sockets, passed) = match source {
        Source::Single(single) => return serve_single(&shared, apart.as_ref(), single),
        Source::Listeners { sockets, passed } => (sockets, passed),
    };
    let greeting =
        (!args.as_sshd).then(|| greeting::text(&place, &shared.host_keys, &sockets, passed, &shared.options()));
    let addresses = sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect();
    let started = Event::ServerStarted { mode: place.mode.clone(), addresses, passed };
    let chat_folder = match gives_up_root(args) {
        // Nothing of anybody was read yet.
        true => chat::Unprivileged::prepare(&shared.state)?.become_it()?,
        false => shared.state.clone(),
    };
    let runtime = runtime(apart.is_some())?;
    let result = runtime.block_on(async {
        if let Some(plan) = chat {
            let _ = shared.chat.set(chat::Running::open(&chat_folder, plan)?);
        }
        let ready = move || {
            audit::write(&started);
            if let Some(text) = greeting {
                output::complain(&text);
            }
            let pid_file = pid_file.map(PidFile::write);
            notify::ready(&started.line().text);
            pid_file
        };
        let place_of = |separation| listener::Place::Apart(Spawner::new(shared.clone(), separation));
        let listener = Listener::new(shared.clone(), apart.map_or(listener::Place::Here, place_of));
        let served = serve(args, &place, &shared, listener, sockets, ready).await;
        if let Some(chat) = shared.chat.get() {
            chat.stop().await;
        }
        served
    });
    // What still blocks (a name service that hangs) must not keep the process.
    runtime.shutdown_background();
    result.map(|()| ExitCode::SUCCESS)
}

/// Where connections come from.
enum Source {
    /// Sockets that listen, opened here or passed.
    Listeners { sockets: Vec<std::net::TcpListener>, passed: bool },
    /// `-i`.
    Single(activation::Single),
}

fn listening(options: &nacre_config::server::ServerOptions, place: &Place) -> Result<Source, Failure> {
    match activation::listeners()? {
        Some(sockets) => Ok(Source::Listeners { sockets, passed: true }),
        None => Ok(Source::Listeners { sockets: sockets::bind(options, place)?, passed: false }),
    }
}

fn style(args: &ServeArgs, options: &nacre_config::server::ServerOptions) -> log::Style {
    log::Style {
        level: log::filter(options.log_level),
        json: options.log_json,
        // Programs that read the system log look for the name they know.
        program: if args.as_sshd { "sshd" } else { "nacre" },
    }
}

/// A server that forks must have one thread.
fn runtime(forks: bool) -> Result<tokio::runtime::Runtime, Failure> {
    let mut builder = match forks {
        true => tokio::runtime::Builder::new_current_thread(),
        false => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.enable_all().build().map_err(|error| Failure::new(format!("cannot start the runtime: {error}")))
}

/// The usual file belongs to the machine's sshd: a server that was not called by that name writes
/// one only where it was told to.
fn pid_file(args: &ServeArgs, place: &Place, options: &nacre_config::server::ServerOptions) -> Option<String> {
    let usual = options.origin(Keyword::PidFile) == Origin::Default;
    let is_sshd = args.as_sshd && place.mode_is_root();
    options.pid_file.clone().filter(|_| !args.inetd && (is_sshd || !usual))
}

/// What a signal asks the server to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// SIGTERM, SIGINT: let sessions finish, for a while.
    Stop,
    /// SIGQUIT: go, and leave the sessions alone.
    Leave,
    /// SIGHUP: read the configuration again.
    Reload,
}

async fn serve(
    args: &ServeArgs,
    place: &Place,
    shared: &Shared,
    mut listener: Listener,
    sockets: Vec<std::net::TcpListener>,
    ready: impl FnOnce() -> Option<PidFile>,
) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("cannot serve: {error}"));
    let mut listeners = Vec::new();
    for socket in sockets {
        listeners.push(tokio::net::TcpListener::from_std(socket).map_err(failed)?);
    }
    let mut terminate = Signal::catch(SIGTERM).map_err(failed)?;
    let mut interrupt = Signal::catch(SIGINT).map_err(failed)?;
    let mut quit = Signal::catch(SIGQUIT).map_err(failed)?;
    let mut hang_up = Signal::catch(SIGHUP).map_err(failed)?;
    let began = Instant::now();
    // Whoever reads that we are there, or our process id, may send a signal at once.
    let pid_file = ready();
    let asked = loop {
        let mut asked = Asked::Stop;
        let stop = async {
            asked = tokio::select! {
                () = terminate.recv() => Asked::Stop,
                () = interrupt.recv() => Asked::Stop,
                () = quit.recv() => Asked::Leave,
                () = hang_up.recv() => Asked::Reload,
            };
        };
        listener.serve(&listeners, stop).await;
        if asked != Asked::Reload {
            break asked;
        }
        reload::reload(args, place, shared, &mut listener);
        if let Some(pid_file) = &pid_file {
            pid_file.write_again();
        }
    };
    // Sessions of a server with one process cannot outlive it.
    let leaves = asked == Asked::Leave && place.mode_is_root();
    let stopping = Event::ServerStopping { leaves };
    notify::stopping(&stopping.line().text);
    audit::write(&stopping);
    drop(listeners);
    drop(pid_file);
    if !leaves {
        tokio::select! {
            () = listener.drain() => {}
            // Who asks twice does not want to wait.
            () = terminate.recv() => {}
            () = interrupt.recv() => {}
        }
    }
    audit::write(&Event::ServerStopped { ran: began.elapsed() });
    Ok(())
}

/// `-i`: one connection, in this process; as root this process is its monitor.
fn serve_single(shared: &Arc<Shared>, apart: Option<&Separation>, single: Single) -> Result<ExitCode, Failure> {
    let Single { ends, input, output, passed } = single;
    audit::happened(ends, Happening::Accepted);
    if let Some(separation) = apart {
        let unusable = |error| Failure::new(format!("the connection to serve: {error}"));
        // A socket of the network is made ready by who reads it.
        let ready = |end| nacre_sys::stdio::nonblocking(&end).map_err(unusable);
        let (input, output) = match output {
            Some(output) => (ready(input)?, Some(ready(output)?)),
            None => (input, None),
        };
        return Ok(exit_code(privsep::serve(shared, separation, privsep::Connection { ends, input, output }, None)));
    }
    let failed = |error: std::io::Error| Failure::new(format!("the connection to serve: {error}"));
    let runtime = runtime(false)?;
    let served = runtime.block_on(async {
        let (_order, orders) = watch::channel(Order::Run);
        if passed {
            let socket = std::net::TcpStream::from(input);
            socket.set_nonblocking(true)?;
            let stream = tokio::net::TcpStream::from_std(socket)?;
            Ok(serve_one(stream, ends, shared.clone(), Box::new(Nobody), orders).await)
        } else {
            Ok(serve_one(StdioStream::new()?, ends, shared.clone(), Box::new(Nobody), orders).await)
        }
    });
    runtime.shutdown_background();
    served.map(exit_code).map_err(failed)
}

/// As sshd's for one connection: 255 where nobody logged in.
fn exit_code(ending: Ending) -> ExitCode {
    match ending {
        Ending::LoggedIn => ExitCode::SUCCESS,
        _ => ExitCode::from(CANNOT_START),
    }
}

/// For a connection without a listener to tell: there is none, or the monitor knows by itself.
struct Nobody;

impl Watcher for Nobody {
    fn ready(&mut self) {}
    fn authenticated(&mut self) {}
}

/// The file with our process id; it goes when the server stops listening.
struct PidFile(PathBuf);

impl PidFile {
    fn write(path: String) -> Self {
        let file = Self(PathBuf::from(path));
        file.write_again();
        file
    }

    /// As sshd, which starts anew at SIGHUP: whoever took the file away waits for it.
    fn write_again(&self) {
        if let Err(error) = std::fs::write(&self.0, format!("{}\n", std::process::id())) {
            tracing::error!("PidFile {}: {error}", self.0.display());
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Whom the server serves, from who runs it.
fn mode(args: &ServeArgs) -> Result<Mode, Failure> {
    // A chat is no account's business: it never becomes anybody.
    if privileges::is_root() && !args.user_mode && !args.chat {
        return Ok(Mode::Root);
    }
    let own = nacre_sys::account::Account::current();
    own.map(Mode::User).map_err(|error| Failure::new(format!("cannot tell which account this is: {error}")))
}

/// A chat that root starts does not stay root, unless it is told to serve as who starts it.
fn gives_up_root(args: &ServeArgs) -> bool {
    args.chat && privileges::is_root() && !args.user_mode
}

/// The folder of the password file and of keys that are made.
fn state_folder(args: &ServeArgs, mode: &Mode) -> Result<PathBuf, Failure> {
    match (mode, &args.state) {
        (_, None) if gives_up_root(args) => Ok(Path::new(chat::ROOT_STATE).to_owned()),
        (Mode::Root, None) => Ok(Path::new("/var/lib/nacre").to_owned()),
        (_, given) => state::directory(given.as_deref()),
    }
}
