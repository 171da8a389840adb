//! `nacre serve`: the server.

pub mod authority;
mod configuration;
mod greeting;
mod host_keys;
mod judge;
mod keys;
mod launch;
mod listener;
mod log;
mod login;
mod passwords;
pub mod privsep;
mod shared;
mod sockets;

use crate::cli::serve::{ServeAction, ServeArgs};
use crate::failure::Failure;
use crate::{output, state};
use configuration::Place;
use host_keys::HostKeys;
use listener::{Listener, serve_one};
use log::Target;
use login::Ends;
use nacre_config::origin::Origin;
use nacre_config::server::Keyword;
use nacre_net::StdioStream;
use nacre_net::server::{Order, Watcher};
use nacre_sys::{daemon, privileges};
use privsep::Separation;
use shared::{Mode, Shared};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

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
    let place = Place::of(args)?;
    let options = configuration::read(args, &place)?;
    if let ServeAction::PrintConfig { check_keys, connection, why } = &args.action {
        if *check_keys {
            load_host_keys(&options, &place)?;
        }
        output::print(&configuration::dump(&options, connection.as_ref(), *why))?;
        return Ok(ExitCode::SUCCESS);
    }
    if options.use_dns {
        // Without names, `Match Host` and `DenyUsers user@host` would let in whom they are to keep out.
        let failure = Failure::new("UseDNS yes: looking up clients' names is not there yet");
        return Err(failure.hint("take the line out and write addresses where names stand"));
    }
    for warning in &options.warnings {
        output::complain(&format!("nacre: {warning}"));
    }
    let host_keys = load_host_keys(&options, &place)?;
    if args.action == ServeAction::Test {
        return Ok(ExitCode::SUCCESS);
    }
    start(args, place, options, host_keys)
}

fn load_host_keys(options: &nacre_config::server::ServerOptions, place: &Place) -> Result<HostKeys, Failure> {
    let tell = |line: String| output::complain(&format!("nacre: {line}"));
    let named: Vec<PathBuf> = options.host_keys.iter().map(PathBuf::from).collect();
    if !named.is_empty() {
        return HostKeys::read(&named, tell);
    }
    let system: Vec<PathBuf> = place.system_host_keys().into_iter().filter(|path| path.exists()).collect();
    if !system.is_empty() {
        return HostKeys::read(&system, tell);
    }
    state::prepare(&place.state)?;
    HostKeys::read_or_make(&place.state, tell)
}

fn start(
    args: &ServeArgs,
    place: Place,
    options: nacre_config::server::ServerOptions,
    host_keys: HostKeys,
) -> Result<ExitCode, Failure> {
    let level = log::filter(options.log_level);
    let target = match &args.log_file {
        Some(path) => Target::file(path)?,
        None if args.log_to_stderr || args.debug > 0 || !args.as_sshd => Target::stderr(),
        None => Target::syslog(&options.syslog_facility),
    };
    let sockets = if args.inetd { Vec::new() } else { sockets::bind(&options, place.mode_is_root())? };
    if args.as_sshd && !args.foreground && !args.inetd {
        daemon::detach().map_err(|error| Failure::new(format!("cannot detach: {error}")))?;
    }
    let _ = privileges::raise_open_files();
    let log = target.descriptor();
    log::start(target, level)?;
    let apart = place.mode_is_root().then(|| Separation::new(&place.state, options.sandbox, log)).transpose()?;
    let pid_file = pid_file(args, &place, &options);
    let greeting = (!args.as_sshd && !args.inetd).then(|| greeting::text(&place, &host_keys, &sockets));
    let shared = Arc::new(Shared::new(options, host_keys, place.mode.clone(), place.state.clone()));
    if let (true, Some(separation)) = (args.inetd, &apart) {
        return serve_stdio_apart(&shared, separation);
    }
    // A server that forks must have one thread.
    let mut builder = match apart {
        Some(_) => tokio::runtime::Builder::new_current_thread(),
        None => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime =
        builder.enable_all().build().map_err(|error| Failure::new(format!("cannot start the runtime: {error}")))?;
    let result = runtime.block_on(async {
        if args.inetd {
            return serve_stdio(shared).await;
        }
        let ready = move || {
            if let Some(text) = greeting {
                output::complain(&text);
            }
            pid_file.map(PidFile::write)
        };
        let listener = Listener::new(shared.clone(), apart.map_or(listener::Place::Here, listener::Place::Apart));
        serve(args, &place, &shared, listener, sockets, ready).await
    });
    // What still blocks (a name service that hangs) must not keep the process.
    runtime.shutdown_background();
    result.map(|()| ExitCode::SUCCESS)
}

/// The usual file belongs to the machine's sshd: a server that was not called by that name writes
/// one only where it was told to.
fn pid_file(args: &ServeArgs, place: &Place, options: &nacre_config::server::ServerOptions) -> Option<String> {
    let usual = options.origin(Keyword::PidFile) == Origin::Default;
    let is_sshd = args.as_sshd && place.mode_is_root();
    options.pid_file.clone().filter(|_| !args.inetd && (is_sshd || !usual))
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
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut hang_up = signal(SignalKind::hangup()).map_err(failed)?;
    // Whoever reads that we are there, or our process id, may send a signal at once.
    let pid_file = ready();
    loop {
        let (reload, mut reloads) = mpsc::channel(1);
        let stop = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                _ = hang_up.recv() => { let _ = reload.send(()).await; }
            }
        };
        listener.serve(&listeners, stop).await;
        if reloads.try_recv().is_err() {
            break;
        }
        reload_configuration(args, place, shared, &listener);
    }
    tracing::info!("stopping: no new connections, running sessions have 30 s");
    drop(listeners);
    drop(pid_file);
    tokio::select! {
        () = listener.drain() => {}
        // Who asks twice does not want to wait.
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

fn reload_configuration(args: &ServeArgs, place: &Place, shared: &Shared, listener: &Listener) {
    match configuration::read(args, place) {
        Ok(options) => {
            shared.reload(options);
            listener.reload();
            tracing::info!("configuration reloaded; connections that stand keep theirs");
        }
        Err(failure) => tracing::error!("configuration not reloaded: {}", failure.message()),
    }
}

/// `-i`: one connection on standard input and output.
async fn serve_stdio(shared: Arc<Shared>) -> Result<(), Failure> {
    let stream = StdioStream::new().map_err(|error| Failure::new(format!("standard input: {error}")))?;
    let (_order, orders) = watch::channel(Order::Run);
    serve_one(stream, stdio_ends(), shared, Box::new(Nobody), orders).await;
    Ok(())
}

/// `-i` as root: this process is the connection's monitor.
fn serve_stdio_apart(shared: &Arc<Shared>, separation: &Separation) -> Result<ExitCode, Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("standard input: {error}"));
    let copy = |fd: std::os::fd::BorrowedFd<'_>| fd.try_clone_to_owned();
    let (input, output) = (std::io::stdin(), std::io::stdout());
    let input = copy(input.as_fd()).map_err(failed)?;
    // A socket is one stream in both directions.
    let output = match nacre_sys::socket::ends(&input) {
        Some(_) => None,
        None => Some(copy(output.as_fd()).map_err(failed)?),
    };
    privsep::serve(shared, separation, privsep::Connection { ends: stdio_ends(), input, output }, None);
    Ok(ExitCode::SUCCESS)
}

/// Between whom a connection on standard input is: the socket's ends, or nobody's.
fn stdio_ends() -> Ends {
    let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let (peer, local) = nacre_sys::socket::ends(std::io::stdin()).unwrap_or((nowhere, nowhere));
    Ends { peer, local }
}

/// A single connection has no listener to tell.
struct Nobody;

impl Watcher for Nobody {
    fn ready(&mut self) {}
    fn authenticated(&mut self) {}
}

/// The file with our process id; it goes when the server stops listening.
struct PidFile(PathBuf);

impl PidFile {
    fn write(path: String) -> Self {
        let path = PathBuf::from(path);
        if let Err(error) = std::fs::write(&path, format!("{}\n", std::process::id())) {
            tracing::error!("PidFile {}: {error}", path.display());
        }
        Self(path)
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Whom the server serves, from who runs it.
fn mode(args: &ServeArgs) -> Result<Mode, Failure> {
    if privileges::is_root() && !args.user_mode {
        return Ok(Mode::Root);
    }
    let own = nacre_sys::account::Account::current();
    own.map(Mode::User).map_err(|error| Failure::new(format!("cannot tell which account this is: {error}")))
}

/// The folder of the password file and of keys that are made.
fn state_folder(args: &ServeArgs, mode: &Mode) -> Result<PathBuf, Failure> {
    match (mode, &args.state) {
        (Mode::Root, None) => Ok(Path::new("/var/lib/nacre").to_owned()),
        (_, given) => state::directory(given.as_deref()),
    }
}
