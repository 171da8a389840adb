//! The project's chores: `cargo xtask layers`, `cargo xtask test`, `cargo xtask openssh-tests`, `cargo xtask bench`.

mod bench;
mod cargo;
mod layers;
mod openssh;
mod process;
mod test;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let matches = command().get_matches();
    match run(&matches) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("xtask: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn command() -> Command {
    Command::new("cargo xtask")
        .about("The project's chores")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(Command::new("layers").about("Check which crate may use what, and the size of files"))
        .subcommand(
            Command::new("test")
                .about("Install what the tests need, then build, lint and test everything")
                .arg(switch("long", "Every pair of algorithms with every peer, not a covering choice"))
                .arg(switch("without-peers", "Go on where OpenSSH or Dropbear cannot be had, saying what was not run")),
        )
        .subcommand(
            Command::new("openssh-tests")
                .about("Run OpenSSH's own regression tests (Debian's package openssh-tests) with our programs")
                .arg(switch("quick", "A small choice of tests that tells much, in minutes"))
                .arg(named("only", "NAME", "One test (may be repeated)"))
                .arg(named("swap", "PROGRAM", "One column: ssh, sshd, scp, ..., or all (may be repeated)"))
                .arg(
                    Arg::new("jobs")
                        .long("jobs")
                        .value_name("COUNT")
                        .help("Tests at once, instead of one a processor: they sleep much")
                        .value_parser(value_parser!(NonZeroUsize)),
                )
                .arg(nacre("The program to test, instead of building it")),
        )
        .subcommand(
            Command::new("bench")
                .about("Measure Nacre beside the OpenSSH of this machine")
                .after_help(bench::help())
                .arg(switch("quick", "Less data and fewer runs: minutes become seconds, and figures coarse"))
                .arg(named("only", "NAME", "One measurement (may be repeated)"))
                .arg(nacre("The program to measure, instead of building it")),
        )
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).help(help).action(ArgAction::SetTrue)
}

fn named(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help).action(ArgAction::Append)
}

fn nacre(help: &'static str) -> Arg {
    Arg::new("nacre").long("nacre").value_name("FILE").help(help)
}

fn names(flags: &ArgMatches, name: &str) -> Vec<String> {
    flags.get_many::<String>(name).unwrap_or_default().cloned().collect()
}

/// Whether the chore ended well; an error is one that kept it from being done at all.
fn run(matches: &ArgMatches) -> Result<bool, String> {
    let root = root()?;
    match matches.subcommand() {
        Some(("layers", _)) => layers::run(&root),
        Some(("test", flags)) => {
            let options =
                test::Options { long: flags.get_flag("long"), without_peers: flags.get_flag("without-peers") };
            test::run(&root, options)
        }
        Some(("bench", flags)) => {
            let only = names(flags, "only");
            let nacre = flags.get_one::<String>("nacre").map(PathBuf::from);
            bench::run(&root, bench::Options { quick: flags.get_flag("quick"), only, nacre })
        }
        Some(("openssh-tests", flags)) => {
            let (only, swap) = (names(flags, "only"), names(flags, "swap"));
            let nacre = flags.get_one::<String>("nacre").map(PathBuf::from);
            let jobs = flags.get_one("jobs").copied();
            openssh::run(&root, openssh::Options { quick: flags.get_flag("quick"), only, swap, jobs, nacre })
        }
        _ => Err("no such chore".to_owned()),
    }
}

/// The repository: the folder above this crate's.
fn root() -> Result<PathBuf, String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(Path::to_path_buf).ok_or_else(|| format!("{} has no parent", here.display()))
}
