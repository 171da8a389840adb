//! `nacre audit HOST` and `nacre audit --client`: how safe the other side is, line by line, and what mends it.
//!
//! Nobody logs in. A server is visited once for each type of host key it has; what it offers beyond what is known here
//! is judged by name.

mod client;
mod facts;
mod host;
mod judge;
mod keys;
mod mend;
mod probe;
mod report;
mod tables;

use crate::cli::audit::{AuditArgs, Target};
use crate::cli::setting::{Setting, client_lines};
use crate::failure::{Failure, SSH};
use crate::output;
use crate::ssh::log::Log;
use crate::ssh::options::effective_for;
use facts::Notebook;
use host::{Goal, Host};
use judge::Finding;
use nacre_config::client::{ClientOptions, LogLevel};
use nacre_proto::Role;
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::negotiate_names::Category;
use nacre_wire::text::clean_line;
use report::Report;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tables::Verdict;

/// How long a connection may take to stand when ConnectTimeout does not say.
const CONNECT_PATIENCE: Duration = Duration::from_secs(30);

/// Judges, tells, and says the worst by the exit code.
///
/// # Errors
/// There was nothing to judge: no connection, or no word of SSH.
pub fn run(args: &AuditArgs) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(format!("cannot start the runtime: {error}")))?;
    let report = match &args.target {
        Target::Host { destination, probe, config_file, settings } => {
            let options = options(&destination.host, settings, config_file.as_deref())?;
            let log = Log::new(LogLevel::Error, None, None).map_err(|error| failed(error.to_string()))?;
            let host = Host { options: &options, config_file: config_file.as_deref(), log: &log };
            runtime.block_on(server(&host, &destination.host, *probe))
        }
        Target::Client { address, port } => runtime.block_on(client(*address, *port)),
    }?;
    runtime.shutdown_background();
    let colour = output::in_colour(&std::io::stdout());
    output::print(&if args.json { report.json() } else { report.text(colour) })?;
    Ok(ExitCode::from(match report.worst() {
        Verdict::Good => 0,
        Verdict::Warn => 1,
        Verdict::Bad => 2,
    }))
}

fn failed(text: impl std::fmt::Display) -> Failure {
    Failure::with_code(SSH, format!("audit: {text}"))
}

fn options(host: &str, settings: &[Setting], config_file: Option<&Path>) -> Result<ClientOptions, Failure> {
    let options = effective_for(host.to_owned(), client_lines(settings), String::new(), config_file);
    let mut options = options.map_err(|errors| Failure::with_code(SSH, errors.to_string()))?;
    options.connect_timeout.get_or_insert(CONNECT_PATIENCE);
    Ok(options)
}

async fn server(host: &Host<'_>, name: &str, probe: bool) -> Result<Report, Failure> {
    let notebook = Notebook::default();
    let visit = host.visit(&notebook, SignatureAlgorithm::PLAIN.to_vec(), Goal::Methods).await.map_err(failed)?;
    let whom = format!("{} port {}", clean_line(name.as_bytes(), 255), host.options.port);
    if notebook.facts().offer.is_empty() {
        return Err(failed(format!("{whom}: {}", visit.error)));
    }
    let refused = other_host_keys(host, &notebook).await;
    let facts = notebook.facts().clone();
    let mut findings = judge::offers(&facts, Role::Server);
    findings.extend(judge::end(&visit.error));
    findings.extend(judge::server(&facts, &host.options.user));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let known_as = host.options.host_key_alias.as_deref().unwrap_or(name);
    findings.extend(keys::judge(&facts.host_keys, known_as, now));
    if let Some(why) = refused {
        findings.push(Finding::good("limits", format!("after a few connections further ones are refused: {why}")));
    }
    findings.extend(limits(host, visit.address, probe).await?);
    Ok(Report { subject: format!("The server at {whom}"), role: Role::Server, findings, probed: probe })
}

/// Visits the server once for each further type of host key and certificate. Returns why it took no more visits.
async fn other_host_keys(host: &Host<'_>, notebook: &Notebook) -> Option<String> {
    let offered = notebook.facts().list(Category::HostKey).to_vec();
    for name in &offered {
        let Some(algorithm) = SignatureAlgorithm::from_name(name) else { continue };
        let of_this_type = |other: &SignatureAlgorithm| other.key_type() == algorithm.key_type();
        if notebook.facts().host_keys.iter().any(|seen| of_this_type(&seen.algorithm)) {
            continue;
        }
        let algorithms = SignatureAlgorithm::ALL.iter().copied().filter(of_this_type).collect();
        if let Err(why) = host.visit(notebook, algorithms, Goal::HostKey).await {
            return Some(why);
        }
    }
    None
}

async fn limits(host: &Host<'_>, address: Option<SocketAddr>, probe: bool) -> Result<Vec<Finding>, Failure> {
    match (probe, address) {
        (false, _) => Ok(Vec::new()),
        (true, None) => Err(failed("--probe needs a connection of its own, not one by ProxyJump or ProxyCommand")),
        (true, Some(address)) => {
            output::complain("Trying the server's limits, which takes up to 140 s");
            Ok(probe::probe(host, address).await)
        }
    }
}

async fn client(address: IpAddr, port: u16) -> Result<Report, Failure> {
    let notebook = Notebook::default();
    let visited = client::receive(address, port, &notebook).await.map_err(failed)?;
    let facts = notebook.facts().clone();
    if facts.offer.is_empty() {
        return Err(failed(format!("the client from {}: {}", visited.peer, visited.error)));
    }
    let mut findings = judge::offers(&facts, Role::Client);
    // A client that leaves does what it should with a host that nobody knows.
    findings.extend(judge::end(&visited.error).filter(|found| found.verdict == Verdict::Bad));
    findings.extend(judge::client(&facts));
    Ok(Report { subject: format!("The client from {}", visited.peer), role: Role::Client, findings, probed: false })
}
