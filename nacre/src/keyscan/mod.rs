//! `nacre keyscan`: the keys of many hosts at once, in ssh-keyscan's lines.

mod lines;
mod scan;

use crate::cli::keyscan::KeyscanArgs;
use crate::failure::Failure;
use crate::keygen::read_text;
use crate::output;
use lines::Lines;
use scan::{Job, Scanned};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::task::JoinSet;

/// How many connections there are at once.
const MAX_AT_ONCE: usize = 128;

/// Scans.
///
/// # Errors
/// A file cannot be read, or the output cannot be written. That nothing was found is said by the exit code.
pub fn run(args: &KeyscanArgs) -> Result<ExitCode, Failure> {
    let targets = targets(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failure(&format!("cannot start the runtime: {error}")))?;
    let found = runtime.block_on(scan_all(args, targets));
    // Names that are still being looked up are not waited for.
    runtime.shutdown_background();
    Ok(if found? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn failure(text: &str) -> Failure {
    Failure::new(format!("keyscan: {text}"))
}

/// A host: whom to try, and what it is called in the lines.
struct Target {
    addresses: String,
    names: String,
}

impl Target {
    /// `ADDRESSES [NAMES]`, each perhaps several between commas.
    fn read(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let addresses = words.next().filter(|word| !word.starts_with('#'))?;
        let names = words.next().filter(|word| !word.starts_with('#')).unwrap_or(addresses);
        Some(Self { addresses: addresses.to_owned(), names: names.to_owned() })
    }
}

fn targets(args: &KeyscanArgs) -> Result<Vec<Target>, Failure> {
    let mut targets = Vec::new();
    for file in &args.files {
        let content = read_text(file).map_err(|error| failure(&format!("{}: {error}", shown_path(file))))?;
        targets.extend(content.lines().filter_map(Target::read));
    }
    targets.extend(args.hosts.iter().filter_map(|host| Target::read(host)));
    Ok(targets)
}

fn shown_path(path: &Path) -> String {
    nacre_wire::text::clean_line(path.as_os_str().as_encoded_bytes(), 256)
}

/// Whether any key was found.
async fn scan_all(args: &KeyscanArgs, targets: Vec<Target>) -> Result<bool, Failure> {
    let settings = Arc::new(args.clone());
    let jobs = targets.iter().flat_map(|target| args.kinds.iter().map(move |kind| (target, *kind)));
    let mut jobs = jobs.map(|(target, kind)| Job {
        addresses: target.addresses.split(',').map(str::to_owned).collect(),
        names: target.names.clone(),
        kind,
        settings: settings.clone(),
    });
    let mut lines = Lines::new(args);
    let mut running = JoinSet::new();
    loop {
        while running.len() < MAX_AT_ONCE
            && let Some(job) = jobs.next()
        {
            running.spawn(job.run());
        }
        match running.join_next().await {
            Some(Ok(scanned)) => report(args, &mut lines, &scanned)?,
            Some(Err(error)) => output::complain(&format!("keyscan: {error}")),
            None => return Ok(lines.any()),
        }
    }
}

fn report(args: &KeyscanArgs, lines: &mut Lines, scanned: &Scanned) -> Result<(), Failure> {
    if let (Some(ident), false) = (&scanned.ident, args.quiet) {
        let mark = if args.sshfp { ';' } else { '#' };
        output::complain(&format!("{mark} {}:{} {ident}", scanned.name, args.port));
    }
    match &scanned.key {
        Ok(blob) => output::print(&lines.of(&scanned.names, blob)?),
        Err(problem) => {
            lines.problem(problem);
            Ok(())
        }
    }
}
