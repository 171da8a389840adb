//! `nacre keyscan`: the keys of many hosts at once, in ssh-keyscan's lines.

mod lines;
mod range;
mod scan;

use crate::cli::keyscan::KeyscanArgs;
use crate::failure::Failure;
use crate::keygen::read_text;
use crate::output;
use lines::Lines;
use range::Range;
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

/// Exit code of a file that cannot be read, as ssh-keyscan's.
const EXIT: u8 = 255;

/// A host: whom to try, and what it is called in the lines.
#[derive(Debug, Clone)]
struct Target {
    addresses: String,
    names: String,
    /// What it stands for when it is a range.
    range: Option<Range>,
}

impl Target {
    /// `ADDRESSES [NAMES]`, each perhaps several between commas, or `ADDRESS/BITS`.
    fn read(line: &str) -> Option<Result<Self, Failure>> {
        let mut words = line.split_ascii_whitespace();
        let addresses = words.next().filter(|word| !word.starts_with('#'))?;
        let names = words.next().filter(|word| !word.starts_with('#')).unwrap_or(addresses);
        let target = |range| Self { addresses: addresses.to_owned(), names: names.to_owned(), range };
        Some(Range::read(addresses).map(target).map_err(|why| failure(&why)))
    }

    fn one(address: String) -> Self {
        Self { names: address.clone(), addresses: address, range: None }
    }

    /// It, or every address of its range.
    fn each(&self) -> impl Iterator<Item = Self> + use<> {
        let own = self.range.is_none().then(|| self.clone());
        own.into_iter().chain(self.range.into_iter().flat_map(Range::addresses).map(Self::one))
    }
}

fn targets(args: &KeyscanArgs) -> Result<Vec<Target>, Failure> {
    let mut targets = Vec::new();
    for file in &args.files {
        let content = read_text(file).map_err(|error| failure(&format!("{}: {error}", shown_path(file))).code(EXIT))?;
        content.lines().filter_map(Target::read).try_for_each(|target| target.map(|target| targets.push(target)))?;
    }
    args.hosts
        .iter()
        .filter_map(|host| Target::read(host))
        .try_for_each(|target| target.map(|target| targets.push(target)))?;
    Ok(targets)
}

fn shown_path(path: &Path) -> String {
    nacre_wire::text::clean_line(path.as_os_str().as_encoded_bytes(), 256)
}

/// Whether any key was found.
async fn scan_all(args: &KeyscanArgs, targets: Vec<Target>) -> Result<bool, Failure> {
    let settings = Arc::new(args.clone());
    let hosts = targets.iter().flat_map(Target::each);
    let jobs = hosts.flat_map(|host| args.kinds.iter().map(move |kind| (host.clone(), *kind)));
    let mut jobs = jobs.map(|(target, kind)| Job {
        addresses: target.addresses.split(',').map(str::to_owned).collect(),
        names: target.names,
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
    scanned.problems.iter().for_each(|problem| lines.problem(problem));
    match &scanned.key {
        Some(blob) => output::print(&lines.of(&scanned.names, blob)?),
        None => Ok(()),
    }
}
