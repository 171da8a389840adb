//! `nacre explain HOST`: a live handshake as a story in seven rows, or as data.
//!
//! Everything told comes from the core's observer, or is what this program itself decided.

mod classroom;
mod owner;
mod record;
mod story;

use crate::cli::explain::ExplainArgs;
use crate::cli::setting::client_lines;
use crate::failure::{Failure, SSH};
use crate::output;
use crate::ssh::connect::{Link, connect};
use crate::ssh::identities;
use crate::ssh::log::Log;
use crate::ssh::options::{effective_for, transport};
use crate::ssh::records::Records;
pub use classroom::{record, tell_step};
use nacre_config::client::{ClientOptions, LogLevel};
use nacre_crypto::AwsLc;
use nacre_net::Driver;
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::{ClientConfig, Connection, Error, TransportConfig};
use owner::Explainer;
use record::{Recorder, Row, Who};
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
pub use story::Style;
pub use story::{json, story};

/// How long a handshake that nobody waits at may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Tells the handshake.
///
/// # Errors
/// The configuration is wrong, or there is no connection at all. A handshake that fails is told,
/// and the exit code says so.
pub fn run(args: &ExplainArgs) -> Result<ExitCode, Failure> {
    let options = effective_for(
        args.destination.host.clone(),
        client_lines(&args.settings),
        String::new(),
        args.config_file.as_deref(),
    );
    let options = options.map_err(|errors| Failure::with_code(SSH, errors.to_string()))?;
    let log = Log::new(LogLevel::Error, None, None).map_err(|error| Failure::with_code(SSH, error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::with_code(SSH, format!("cannot start the runtime: {error}")))?;
    let (recorder, error) = runtime.block_on(explain(&options, args.config_file.as_deref(), &log))?;
    let records = recorder.records();
    let text = match args.json {
        true => story::json(&records),
        false => story::story(&records, Style { colour: colour_is_wanted() }),
    };
    output::print(&text)?;
    Ok(exit_code(&error))
}

fn colour_is_wanted() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// 0 when the handshake was completed, whether or not anybody logged in.
fn exit_code(error: &Error) -> ExitCode {
    match error {
        Error::Closed { .. } | Error::AuthFailed { .. } => ExitCode::SUCCESS,
        _ => ExitCode::from(SSH),
    }
}

async fn explain(options: &ClientOptions, config_file: Option<&Path>, log: &Log) -> Result<(Recorder, Error), Failure> {
    let records = Records::load(options, log).map_err(|line| Failure::with_code(SSH, line))?;
    let start = Instant::now();
    let recorder = Recorder::new(start);
    let reached = connect(options, None, config_file, log).await.map_err(|error| Failure::with_code(SSH, error.0))?;
    let local = match &reached.stream {
        Link::Socket(stream) => stream.local_addr().map(|address| address.to_string()).unwrap_or_default(),
        Link::Proxy(_) => String::new(),
    };
    let text = match reached.address {
        Some(address) => format!("connects to {address}"),
        None => "starts the program that makes the connection".to_owned(),
    };
    let details = vec![("from".to_owned(), local), ("host".to_owned(), options.host_name.clone())];
    recorder.add(Instant::now(), (Row::Connect, 1, Who::Client), "tcp", text, details);

    let algorithms = options.pubkey_accepted_algorithms.iter();
    let algorithms = algorithms.filter_map(|name| SignatureAlgorithm::from_name(name)).collect();
    let candidates = identities::candidates(options, Vec::new(), log);
    let transport = TransportConfig { kex_timeout: TIMEOUT, ..transport(options, &records.plain_key_types()) };
    let config = ClientConfig {
        transport: Arc::new(transport),
        provider: Arc::new(AwsLc::new(usize::try_from(options.required_rsa_size).unwrap_or(usize::MAX))),
        user: options.user.clone(),
        login_timeout: Some(TIMEOUT),
        observer: Some(recorder.observer()),
    };
    let connection = Connection::client(Instant::now(), config);
    let connection = connection.map_err(|error| Failure::with_code(SSH, error.to_string()))?;
    let judge = Box::new(move |blob: &[u8]| records.verdict(blob));
    let owner = Explainer::new(recorder.clone(), judge, candidates, algorithms);
    let (_, ended) = Driver::new(reached.stream, connection, owner).run().await;
    if let Some(proxy) = reached.proxy {
        proxy.finish().await;
    }
    Ok((recorder, ended.error))
}
