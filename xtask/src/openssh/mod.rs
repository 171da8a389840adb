//! `cargo xtask openssh-tests`: OpenSSH's own regression tests with our programs in place of its own.

mod known;
mod one;
mod program;
mod shim;
mod suite;
mod table;

use crate::cargo::{cargo, release};
use crate::test::peers;
use known::Known;
use one::Outcome;
use program::Column;
use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use suite::Test;
use table::Table;

/// What the caller asked for.
pub struct Options {
    /// Names of tests; none for all.
    pub only: Vec<String>,
    /// Names of columns; none for all.
    pub swap: Vec<String>,
    /// The small choice of tests, without what is exchanged alone beside client and server.
    pub quick: bool,
    /// Tests at once; none for one a processor.
    pub jobs: Option<NonZeroUsize>,
    /// The program to test, instead of building it.
    pub nacre: Option<PathBuf>,
}

/// Runs the tests, prints the table and says whether everything was as expected.
pub fn run(root: &Path, options: Options) -> Result<bool, String> {
    ready()?;
    let mut swap = options.swap;
    if options.quick && swap.is_empty() {
        swap = ["ssh", "sshd", "all"].map(str::to_owned).into();
    }
    let columns = Column::chosen(&swap)?;
    let tests = suite::tests(&options.only, options.quick)?;
    let known = Known::read(root)?;
    let scratch = tempfile::Builder::new()
        .prefix("nacre-openssh-")
        .tempdir()
        .map_err(|error| format!("a scratch folder: {error}"))?;
    let links = links(root, options.nacre, scratch.path())?;
    let jobs = options.jobs.or_else(|| thread::available_parallelism().ok()).map_or(1, usize::from);
    let table = Run { links: &links, scratch: scratch.path(), jobs }.all(&tests, &columns)?;
    table.print(&tests, &columns, &known);
    let surprises = table.surprises(&known);
    for surprise in &surprises {
        println!("UNEXPECTED: {surprise}");
    }
    if !surprises.is_empty() {
        println!("what the tests wrote is in {}", scratch.keep().display());
    }
    println!("{} passed, {} failed", table.0.len() - surprises.len(), surprises.len());
    Ok(surprises.is_empty())
}

/// Sees to the package, and to the right to make rooms.
fn ready() -> Result<(), String> {
    if !peers::can_replace_accounts() {
        return Err("OpenSSH's tests are run by root, with `unshare`".to_owned());
    }
    if !Path::new(suite::FOLDER).is_dir() {
        peers::install(&["openssh-tests"])?;
    }
    Ok(())
}

/// A folder of links to our program under OpenSSH's names, in a folder of its own.
fn links(root: &Path, nacre: Option<PathBuf>, scratch: &Path) -> Result<PathBuf, String> {
    let nacre = match nacre {
        Some(file) => file,
        None => {
            let built = cargo(root, &["build", "--quiet", "--release", "--package", "nacre"]).status();
            if !built.is_ok_and(|status| status.success()) {
                return Err("nacre could not be built".to_owned());
            }
            release(root, "nacre")
        }
    };
    // A copy, since some tests change the modes of the programs they try.
    let (own, links) = (scratch.join("nacre"), scratch.join("links"));
    fs::copy(&nacre, &own).map_err(|error| format!("{}: {error}", nacre.display()))?;
    let made = Command::new(&own).arg("links").arg(&links).output();
    match made {
        Ok(output) if output.status.success() => {
            agent_of_usual_size(&links, &scratch.join("agent")).map_err(|error| format!("ssh-agent: {error}"))?;
            Ok(links)
        }
        Ok(output) => Err(format!("nacre links: {}", String::from_utf8_lossy(&output.stderr))),
        Err(error) => Err(format!("{}: {error}", own.display())),
    }
}

/// The tests copy `ssh-agent` about as a file of some hundred kilobytes, in pieces of five bytes, too: in place of a large program stands a
/// script of that size which calls it.
fn agent_of_usual_size(links: &Path, folder: &Path) -> std::io::Result<()> {
    let (link, program) = (links.join("ssh-agent"), folder.join("ssh-agent"));
    fs::create_dir(folder)?;
    fs::rename(&link, &program)?;
    let mut script = format!("#!/bin/sh\nexec {} \"$@\"\n", program.display());
    let mut number = 0_u32;
    while script.len() < 350_000 {
        script.push_str(&format!("# {number}\n"));
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    }
    fs::write(&link, script)?;
    fs::set_permissions(&link, fs::Permissions::from_mode(0o755))
}

struct Run<'a> {
    links: &'a Path,
    scratch: &'a Path,
    jobs: usize,
}

impl Run<'_> {
    /// Every test in every column that concerns it, a few at a time.
    fn all(&self, tests: &[Test], columns: &[Column]) -> Result<Table, String> {
        let pairs = columns.iter().flat_map(|column| tests.iter().map(move |test| (test, column)));
        // The tests of the Makefile itself are about `ssh-keygen`.
        let concerns = |test: &Test, column: &Column| match test.in_makefile {
            true => column.has("keygen"),
            false => column.concerns(&test.script),
        };
        let wanted = pairs.filter(|(test, column)| concerns(test, column));
        // The tests filter files by words that their folders' names must not hold.
        let count = AtomicUsize::new(0);
        let (queue, table) = (Mutex::new(wanted), Mutex::new(Table::default()));
        let next = || queue.lock().ok()?.next();
        let work = || -> Result<(), String> {
            while let Some((test, column)) = next() {
                let number = count.fetch_add(1, Ordering::Relaxed);
                let folder = self.scratch.join(number.to_string());
                let outcome = self.one(test, column, &folder)?;
                println!("{number:>4} {:<12}{:<22}{}", column.name, test.name, told(&outcome));
                if let Ok(mut table) = table.lock() {
                    table.0.insert((test.name.clone(), column.name.to_owned()), outcome);
                }
            }
            Ok(())
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..self.jobs).map(|_| scope.spawn(work)).collect();
            threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a test's thread died".to_owned())?)
        })?;
        table.into_inner().map_err(|_| "a test's thread died".to_owned())
    }

    /// One test in one column. What does not pass is tried with OpenSSH's own programs, too: what they do not pass either
    /// cannot be run here, and what is skipped with ours alone is a failure.
    fn one(&self, test: &Test, column: &Column, folder: &Path) -> Result<Outcome, String> {
        let ours = one::run(test, column, self.links, &folder.join("ours"))?;
        if ours == Outcome::Pass {
            return Ok(ours);
        }
        let baseline = Column::baseline();
        let theirs = one::run(test, &baseline, self.links, &folder.join("theirs"))?;
        Ok(match (ours, theirs) {
            (_, Outcome::Fail(reason)) => Outcome::Skip(format!("OpenSSH's own fails: {reason}")),
            (Outcome::Skip(reason), Outcome::Pass) => Outcome::Fail(format!("skipped only with ours: {reason}")),
            (ours, _) => ours,
        })
    }
}

fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Pass => "pass".to_owned(),
        Outcome::Fail(reason) => format!("FAIL: {reason}"),
        Outcome::Skip(reason) => format!("skipped: {reason}"),
    }
}
