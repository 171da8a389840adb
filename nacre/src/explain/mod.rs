//! `nacre explain HOST`: a live handshake as a story in seven rows, or as data.
//!
//! Everything told comes from the core's observer, or is what this program itself decided.

mod capture;
mod check;
mod classroom;
mod clear;
mod files;
mod message;
mod negotiation;
mod outside;
mod owner;
mod page;
mod parts;
mod pcap;
mod record;
mod relay;
mod route;
mod session;
mod several;
mod story;
mod trace;
mod watching;

use crate::cli::explain::{ExplainArgs, Files, Source};
use crate::cli::setting::client_lines;
use crate::failure::{Failure, SSH};
use crate::output;
use crate::ssh::connect::{Link, Reached, connect};
use crate::ssh::identities;
use crate::ssh::log::Log;
use crate::ssh::options::{effective_for, transport};
use crate::ssh::records::Records;
use capture::Capture;
use check::Checks;
pub use classroom::{record, tell_step};
use files::Manner;
pub use message::Teller;
use message::detail;
use nacre_config::client::{ClientOptions, LogLevel};
use nacre_crypto::AwsLc;
use nacre_net::Driver;
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::observe::Observer;
use nacre_proto::{ClientConfig, Connection, Error, TransportConfig};
use nacre_wire::text::clean_line;
pub use outside::overheard;
use owner::Explainer;
pub use record::Record;
use record::{Recorder, Row, Who};
pub use session::SessionTale;
use several::Several;
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
pub use story::{Style, steps_of, story};
pub use trace::{read as read_json, write as json};
use watching::Watching;

/// How long a handshake that nobody waits at may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Tells the handshake, or a trace.
///
/// # Errors
/// The configuration is wrong, there is no connection at all, the trace is none, or a file cannot be written. A
/// handshake that fails is told, and the exit code says so.
pub fn run(args: &ExplainArgs) -> Result<ExitCode, Failure> {
    let manner = Manner { force: args.files.force, secret: args.show_secrets };
    for path in [&args.files.html, &args.files.pcap, &args.files.key_log].into_iter().flatten() {
        files::check(path, manner)?;
    }
    match &args.source {
        Source::Trace(path) => {
            let records = read_trace(path)?;
            tell(args, manner, &format!("The trace {}", path.display()), &records)?;
            Ok(ExitCode::SUCCESS)
        }
        Source::Command(words) => {
            let seen = outside::watch(words)?;
            tell(args, manner, "A connection of ssh, seen from outside", &seen.records)?;
            Ok(seen.code)
        }
        Source::Relay { log, host, port } => relay::run(log, host, *port, &args.settings),
        Source::Host(destination) => {
            let told = live(args, destination.host.clone())?;
            tell(args, manner, &format!("A handshake with {}", destination.host), &told.recorder.records())?;
            told.write_capture(&args.files, manner)?;
            Ok(exit_code(&told.error))
        }
    }
}

/// Prints the story, or its data, and writes the page.
fn tell(args: &ExplainArgs, manner: Manner, title: &str, records: &[Record]) -> Result<(), Failure> {
    if let Some(path) = &args.files.html {
        files::write(path, page::page(&clean_line(title.as_bytes(), 200), records).as_bytes(), manner)?;
    }
    match args.json {
        true => output::print(&json(records)),
        false => output::print(&story(records, Style { colour: output::in_colour(&std::io::stdout()) })),
    }
}

fn read_trace(path: &Path) -> Result<Vec<Record>, Failure> {
    let failed = |problem: String| Failure::new(format!("{}: {problem}", path.display()));
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| failed(error.to_string()))?;
    file.take(trace::MAX_TRACE).read_to_string(&mut text).map_err(|error| failed(error.to_string()))?;
    trace::read(&text).map_err(|problem| failed(problem).hint("a trace is what `nacre explain --json` prints"))
}

/// What became of a live handshake.
struct Told {
    recorder: Recorder,
    capture: Capture,
    /// Both ends' addresses, where there is a socket.
    line: Option<pcap::Line>,
    error: Error,
}

impl Told {
    fn write_capture(&self, files: &Files, manner: Manner) -> Result<(), Failure> {
        if let Some(path) = &files.pcap {
            let line = self.line.ok_or_else(|| {
                Failure::with_code(SSH, "--pcap: the connection goes through a program, and has no addresses")
            })?;
            files::write(path, &pcap::write(&line, &self.capture.segments()), manner)?;
        }
        match &files.key_log {
            Some(path) => files::write(path, self.capture.key_log().as_bytes(), manner),
            None => Ok(()),
        }
    }
}

fn live(args: &ExplainArgs, host: String) -> Result<Told, Failure> {
    let options = effective_for(host, client_lines(&args.settings), String::new(), args.config_file.as_deref());
    let options = options.map_err(|errors| Failure::with_code(SSH, errors.to_string()))?;
    let log = Log::new(LogLevel::Error, None, None).map_err(|error| Failure::with_code(SSH, error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::with_code(SSH, format!("cannot start the runtime: {error}")))?;
    runtime.block_on(explain(&options, args, &log))
}

/// 0 when the handshake was completed, whether or not anybody logged in.
fn exit_code(error: &Error) -> ExitCode {
    match error {
        Error::Closed { .. } | Error::AuthFailed { .. } => ExitCode::SUCCESS,
        _ => ExitCode::from(SSH),
    }
}

async fn explain(options: &ClientOptions, args: &ExplainArgs, log: &Log) -> Result<Told, Failure> {
    let records = Records::load(options, log).map_err(|line| Failure::with_code(SSH, line))?;
    let (start, date) = (Instant::now(), SystemTime::now());
    let recorder = Recorder::new(start);
    let reached = connect(options, None, args.config_file.as_deref(), log).await;
    let reached = reached.map_err(|error| Failure::with_code(SSH, error.0))?;
    tell_connect(&recorder, &reached, options);
    let line =
        local_address(&reached).zip(reached.address).map(|(client, server)| pcap::Line { client, server, start, date });

    let capture = Capture::default();
    let checks = Checks::new(&options.host_name, options.port);
    let watching = Watching::new(recorder.clone(), checks, args.show_secrets);
    let mut observers: Vec<Box<dyn Observer>> = vec![Box::new(watching)];
    if args.files.pcap.is_some() || args.files.key_log.is_some() {
        observers.push(Box::new(capture.clone()));
    }
    let algorithms = options.pubkey_accepted_algorithms.iter();
    let algorithms = algorithms.filter_map(|name| SignatureAlgorithm::from_name(name)).collect();
    let candidates = identities::candidates(options, Vec::new(), log);
    let transport = TransportConfig { kex_timeout: TIMEOUT, ..transport(options, &records.plain_key_types()) };
    let config = ClientConfig {
        transport: Arc::new(transport),
        provider: Arc::new(AwsLc::new(usize::try_from(options.required_rsa_size).unwrap_or(usize::MAX))),
        user: options.user.clone(),
        login_timeout: Some(TIMEOUT),
        observer: Some(Box::new(Several(observers))),
    };
    let connection = Connection::client(Instant::now(), config);
    let connection = connection.map_err(|error| Failure::with_code(SSH, error.to_string()))?;
    let judge = Box::new(move |blob: &[u8]| records.verdict(blob));
    let owner = Explainer::new(recorder.clone(), judge, candidates, algorithms);
    let (_, ended) = Driver::new(reached.stream, connection, owner).run().await;
    if let Some(proxy) = reached.proxy {
        proxy.finish(false).await;
    }
    Ok(Told { recorder, capture, line, error: ended.error })
}

fn local_address(reached: &Reached) -> Option<SocketAddr> {
    match &reached.stream {
        Link::Socket(stream) => stream.local_addr().ok(),
        Link::Proxy(_) => None,
    }
}

/// The first step, which no packet shows.
fn tell_connect(recorder: &Recorder, reached: &Reached, options: &ClientOptions) {
    let text = match reached.address {
        Some(address) => format!("connects to {address}"),
        None => "starts the program that makes the connection".to_owned(),
    };
    let mut details = vec![detail("host", &options.host_name)];
    details.extend(local_address(reached).map(|local| detail("from", local.to_string())));
    recorder.add(Instant::now(), (Row::Connect, 1, Who::Client), "tcp", text, details);
}
