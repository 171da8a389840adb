//! `cargo xtask test`: the one command that builds, lints and tests everything.

mod counts;
pub mod peers;
mod step;

use crate::cargo::{cargo, release, target};
use counts::Counts;
use peers::Peers;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use step::Step;

/// What the caller asked for.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Every pair of algorithms with every peer.
    pub long: bool,
    /// Go on where a foreign peer cannot be had.
    pub without_peers: bool,
}

/// Runs every step, even after one that failed, and says whether all went well. The last line
/// printed is `N passed, N failed`.
pub fn run(root: &Path, options: Options) -> Result<bool, String> {
    let start = Instant::now();
    let peers = peers::ready(options.without_peers)?;
    let mut run = Run { root, counts: Counts::default(), failed: Vec::new(), left_out: Vec::new() };
    run.lints();
    run.step("tests of the workspace", 60, with_features(cargo(root, &["test", "--workspace", "--no-fail-fast"])));
    run.fuzz();
    if run.step("release build", 40, cargo(root, &["build", "--release", "--package", "nacre"])) {
        run.interop(&peers, options.long);
        run.openssh(&peers);
        run.try_it();
    } else {
        run.left_out.push("interop, OpenSSH's own tests and nacre try: there is no release build".to_owned());
    }
    Ok(run.finish(start.elapsed()))
}

/// With what a program has only when it is asked for.
fn with_features(mut command: Command) -> Command {
    command.args(["--features", "nacre/nats,nacre/tls"]);
    command
}

struct Run<'a> {
    root: &'a Path,
    counts: Counts,
    failed: Vec<String>,
    left_out: Vec<String>,
}

impl Run<'_> {
    /// Runs one step and keeps its outcome.
    fn step(&mut self, name: &str, minutes: u64, command: Command) -> bool {
        let outcome = Step { name, limit: Duration::from_secs(60 * minutes) }.run(command);
        self.counts.add(&outcome.counts);
        if let Some(problem) = outcome.problem {
            self.failed.push(format!("{name}: {problem}"));
            return false;
        }
        true
    }

    fn lints(&mut self) {
        let root = self.root;
        self.step("format", 5, cargo(root, &["fmt", "--all", "--check"]));
        self.step("layers", 10, this_program(root, "layers"));
        let mut clippy = with_features(cargo(root, &["clippy", "--workspace", "--all-targets"]));
        clippy.args(["--", "-D", "warnings"]);
        self.step("clippy", 40, clippy);
    }

    /// The fuzz targets on stable: corpora and the in-tree mutator. The target folder is shared, so that what both
    /// workspaces need is built once.
    fn fuzz(&mut self) {
        let folder = self.root.join("fuzz");
        self.step("format of fuzz", 5, cargo(&folder, &["fmt", "--check"]));
        let mut command = cargo(&folder, &["test", "--no-default-features", "--no-fail-fast"]);
        command.env("CARGO_TARGET_DIR", target(self.root));
        self.step("fuzz corpora", 40, command);
    }

    /// The interop workspace, against the release build.
    fn interop(&mut self, peers: &Peers, long: bool) {
        let folder = self.root.join("tests/interop");
        self.step("format of interop", 5, cargo(&folder, &["fmt", "--check"]));
        self.step("clippy of interop", 30, cargo(&folder, &["clippy", "--all-targets", "--", "-D", "warnings"]));
        if peers.missing.contains(&"openssh") {
            self.left_out.push("interop: its keys are made with OpenSSH's ssh-keygen, which is not here".to_owned());
            return;
        }
        let mut command = cargo(&folder, &["test", "--no-fail-fast", "--"]);
        command.env("NACRE", release(self.root, "nacre"));
        if peers.missing.contains(&"dropbear") {
            command.args(["--skip", "dropbear"]).env("NACRE_WITHOUT_DROPBEAR", "1");
            self.left_out.push("interop with Dropbear: it is not on this machine".to_owned());
        }
        if !peers::can_replace_accounts() {
            command.args(["--skip", "own_accounts", "--skip", "dropbear_server"]);
            self.left_out.push("interop as root and with Dropbear's server: only root may, with `unshare`".to_owned());
        }
        if long {
            command.env("NACRE_LONG", "1");
        }
        let minutes = if long { 240 } else { 60 };
        if peers::can_replace_accounts() {
            let mut as_root = cargo(&folder, &["test", "--no-fail-fast", "--"]);
            as_root.args(command.get_args().skip_while(|word| *word != "--").skip(1));
            as_root.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
            // What concerns no server of ours was run already.
            as_root.env("NACRE_SERVES_AS_ROOT", "1").args(["nacre", "own_accounts"]);
            self.step("interop", minutes, command);
            self.step("interop with a server as root", minutes, as_root);
        } else {
            self.step("interop", minutes, command);
        }
    }

    /// OpenSSH's own regression tests, those that are quick and tell much, with our programs in place of its own.
    fn openssh(&mut self, peers: &Peers) {
        if !peers::can_replace_accounts() || peers.missing.contains(&"openssh") {
            self.left_out.push("OpenSSH's own tests: root runs them, with `unshare` and OpenSSH".to_owned());
            return;
        }
        let mut command = this_program(self.root, "openssh-tests");
        command.arg("--quick").arg("--nacre").arg(release(self.root, "nacre"));
        self.step("OpenSSH's own tests", 60, command);
    }

    /// The whole product once, as a newcomer would run it.
    fn try_it(&mut self) {
        let mut command = Command::new(release(self.root, "nacre"));
        command.arg("try").current_dir(self.root);
        self.step("nacre try", 10, command);
    }

    /// Prints the account and says whether all went well.
    fn finish(mut self, time: Duration) -> bool {
        if self.counts.passed + self.counts.failed == 0 {
            self.failed.push("no test ran".to_owned());
        }
        println!();
        for line in &self.left_out {
            println!("NOT RUN: {line}");
        }
        for line in &self.failed {
            println!("FAILED: {line}");
        }
        println!("in all: {}, {} ignored", step::minutes(time), self.counts.ignored);
        println!("{} passed, {} failed", self.counts.passed, self.counts.failed);
        self.failed.is_empty() && self.counts.failed == 0
    }
}

fn this_program(root: &Path, chore: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap_or_else(|_| "xtask".into()));
    command.arg(chore).current_dir(root);
    command
}
