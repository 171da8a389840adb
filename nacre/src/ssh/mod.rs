//! `nacre ssh`: the client.
//!
//! [`options`] works out what holds, [`connect`] reaches the host, [`owner`] is what the one loop of
//! `nacre-net` asks: it hands questions before the login to [`login`] and runs the [`session`]
//! afterwards. [`messages`] has the last words.

mod agent;
pub(crate) mod ask;
mod auth;
mod certificates;
pub(crate) mod connect;
mod escape;
pub mod forward;
mod host_key;
mod host_key_changes;
mod host_key_update;
pub(crate) mod identities;
mod information;
mod known_hosts_command;
mod local_command;
pub(crate) mod log;
mod login;
mod messages;
mod obscure;
mod observer;
mod offer;
pub(crate) mod options;
mod owner;
mod plan;
mod proxy;
pub(crate) mod records;
mod session;
mod share;
pub(crate) mod signals;
mod stage;
mod terminal;

use crate::cli::ssh::{SshAction, SshArgs};
use crate::explain::SessionTale;
use crate::failure::{Failure, SSH};
use crate::serve::log::facility_number;
use crate::{output, query, version};
use log::Log;
use nacre_config::client::{ClientOptions, LogLevel};
use nacre_crypto::AwsLc;
use nacre_net::Driver;
use nacre_proto::{ClientConfig, Connection, Error};
use nacre_sys::background::{self, Foreground, Fork, Work};
use owner::ClientOwner;
use plan::Plan;
use records::Records;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

/// Runs `nacre ssh`.
///
/// # Errors
/// Everything that keeps it from beginning; codes are ssh's own 255. What happens on a connection
/// is told as it happens and comes back as an exit code.
pub fn run(args: &SshArgs) -> Result<ExitCode, Failure> {
    match &args.action {
        SshAction::Version => output::complain(&version::compatible()),
        SshAction::Query(what) => output::print(&query::answer(what)?)?,
        SshAction::PrintConfig { why } => {
            let options = effective(args)?;
            output::print(&if *why { options.dump_why() } else { options.dump() })?;
        }
        SshAction::Control(word) => return Ok(ExitCode::from(control(args, word)?)),
        SshAction::Connect => return Ok(ExitCode::from(call(args)?)),
    }
    Ok(ExitCode::SUCCESS)
}

fn effective(args: &SshArgs) -> Result<ClientOptions, Failure> {
    options::check_names(args).map_err(|text| {
        output::complain(&text);
        Failure::silent(SSH)
    })?;
    options::effective(args).map_err(|errors| {
        output::complain(&errors.to_string());
        Failure::silent(SSH)
    })
}

fn log(options: &ClientOptions, args: &SshArgs) -> Result<Log, Failure> {
    let facility = args.to_syslog.then(|| u32::from(facility_number(&options.syslog_facility)));
    Log::new(options.log_level, args.log_file.as_deref(), facility).map_err(|error| {
        let file = args.log_file.as_deref().unwrap_or(Path::new("-")).display();
        Failure::with_code(SSH, format!("ssh: {file}: {}", connect::plain(&error)))
    })
}

/// `-O`: asks the master of a shared connection.
fn control(args: &SshArgs, word: &str) -> Result<u8, Failure> {
    let options = effective(args)?;
    let log = log(&options, args)?;
    let done = match word {
        "proxy" => Plan::new(&options, args, nacre_sys::terminal::is_tty(std::io::stdin()))
            .map_err(str::to_owned)
            .and_then(|plan| share::passenger::join_only(&options, &plan, &log)),
        word => share::command::run(word, &options, &log),
    };
    done.map_err(|line| {
        log.fatal(&line);
        Failure::silent(SSH)
    })
}

/// Makes the call: everything that must happen before threads exist, then the connection.
fn call(args: &SshArgs) -> Result<u8, Failure> {
    let mut options = effective(args)?;
    let log = log(&options, args)?;
    let fatal = |text: &str| {
        log.fatal(text);
        Failure::silent(SSH)
    };
    options::check(&options, args).map_err(|text| fatal(&text))?;
    for warning in &options.warnings {
        log.info(&warning.to_string());
    }
    if let Some(notice) = options::leave_out_compression(&mut options, args) {
        log.info(notice);
    }
    let plan = Plan::new(&options, args, nacre_sys::terminal::is_tty(std::io::stdin())).map_err(fatal)?;
    if let Some(notice) = plan.notice {
        log.info(notice);
    }
    share::Master::check(&options).map_err(|line| fatal(&line))?;
    let tale = SessionTale::begin(&args.explain).map_err(|failure| failure.code(SSH))?;
    // What is to be explained is a connection of its own.
    if tale.is_none()
        && let Some(code) = share::passenger::join(&options, &plan, &log).map_err(|line| fatal(&line))?
    {
        return Ok(code);
    }
    let records = Records::load(&options, &log).map_err(|text| fatal(&text))?;
    let persists = options.control_persist.is_some() && share::Master::is_wanted(&options);
    let front = match plan.background || persists {
        true => match background::split().map_err(|error| fatal(&error.to_string()))? {
            Fork::Work(front) => Some(front),
            Fork::Front(worker) => {
                return in_front(worker.wait(), &options, &plan, &log).map_err(|l| fatal(&l));
            }
        },
        false => None,
    };
    // Keys and passwords are in this memory; a kernel that refuses changes nothing else.
    let _ = nacre_sys::privileges::set_dumpable(false);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| fatal(&format!("ssh: {error}")))?;
    let config_file = args.config_file.as_deref();
    let host = options.host_name.clone();
    let conversation = connection(Arc::new(options), config_file, plan, records, front, tale.as_ref(), &log);
    let code = runtime.block_on(conversation);
    if let Some(Err(failure)) = tale.map(|tale| tale.finish(&host)) {
        log.error(failure.message());
    }
    // A question that nobody answered any more must not keep us.
    runtime.shutdown_background();
    Ok(code)
}

/// What is left to do once the connection is another process's: with `ControlPersist` to use it.
fn in_front(work: Work, options: &ClientOptions, plan: &Plan, log: &Log) -> Result<u8, String> {
    match work {
        Work::Released(0) => Ok(0),
        Work::Released(_) => share::passenger::join_own(options, plan, log),
        Work::Ended(code) => Ok(code),
    }
}

/// One connection from its first byte to its last.
async fn connection(
    options: Arc<ClientOptions>,
    config_file: Option<&Path>,
    plan: Plan,
    records: Records,
    front: Option<Foreground>,
    tale: Option<&SessionTale>,
    log: &Log,
) -> u8 {
    let began = Instant::now();
    let class = if plan.terminal { options.ip_qos_interactive } else { options.ip_qos_bulk };
    let reached = match connect::connect(&options, class, config_file, log).await {
        Ok(reached) => reached,
        Err(connect::NotConnected(line)) => {
            log.error(&line);
            return SSH;
        }
    };
    let proof = observer::HostProof::default();
    let mut transport = options::transport(&options, &records.key_types());
    // ConnectTimeout bounds connecting and the key exchange together.
    if options.connect_timeout.is_some() {
        transport.kex_timeout = transport.kex_timeout.saturating_sub(began.elapsed());
    }
    let narrator = Box::new(observer::Narrator::new(log.clone(), proof.clone()));
    let config = ClientConfig {
        transport: Arc::new(transport),
        provider: Arc::new(AwsLc::new(usize::try_from(options.required_rsa_size).unwrap_or(usize::MAX))),
        user: options.user.clone(),
        login_timeout: None,
        observer: Some(match tale {
            Some(tale) => tale.observer(&reached, &options, narrator),
            None => narrator,
        }),
    };
    let connection = match Connection::client(Instant::now(), config) {
        Ok(connection) => connection,
        Err(error) => {
            log.say(LogLevel::Fatal, &format!("ssh: {error}"));
            return SSH;
        }
    };
    let address = reached.address;
    let agent = match plan.start.is_some() || share::Master::is_wanted(&options) {
        true => forward::ForwardedAgent::find(&options, proof.clone(), log.clone()).await,
        false => forward::ForwardedAgent::none(log.clone()),
    };
    let login = login::Login::new(Arc::clone(&options), log.clone(), records, address, proof);
    let owner = ClientOwner::new(Arc::clone(&options), login, plan, agent, front, log.clone());
    let (owner, ended) = Driver::new(reached.stream, connection, owner).run().await;
    let story = owner.finish().await;
    let fate = match reached.proxy {
        Some(proxy) => Some(proxy.finish(matches!(ended.error, Error::ConnectionLost)).await),
        None => None,
    };
    messages::conclude(&options, &messages::Line { address, fate }, &story, &ended, log)
}
