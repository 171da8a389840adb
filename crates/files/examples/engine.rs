//! Moves files by the engine alone, with a server's program at the other end of two pipes, and says how fast that was:
//!
//! ```text
//! cargo run --release -p nacre-files --example engine -- put SOURCE TARGET /usr/lib/openssh/sftp-server
//! cargo run --release -p nacre-files --example engine -- get SOURCE TARGET self
//! ```
//! The server `self` is our own worker, as a child of this program. Flags before `put`: `-p` keeps times and modes,
//! `-R` resumes, `-V` verifies, `-i` writes in place.

use nacre_files::remote::{Remote, shown};
use nacre_files::transfer::{self, Event, Options, Watcher};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

struct Lines(bool);

impl Watcher for Lines {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Failed { name, error, .. } => eprintln!("{}: {error}", shown(name)),
            Event::Note(line) => eprintln!("{line}"),
            Event::Started { name, resumed_at, how, .. } if self.0 => {
                eprintln!("{} from byte {resumed_at} ({how:?})", shown(name));
            }
            _ => {}
        }
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(failed) => ExitCode::from(u8::from(failed)),
        Err(error) => {
            eprintln!("engine: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<bool, Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "serve") {
        nacre_files::server::serve(nacre_files::server::Settings::default(), std::io::stdin(), std::io::stdout())?;
        return Ok(false);
    }
    let mut options = Options { recursive: true, ..Options::default() };
    let flags = arguments.iter().take_while(|argument| argument.as_bytes().starts_with(b"-")).count();
    let (flags, rest) = arguments.split_at(flags);
    for flag in flags {
        match flag.as_bytes() {
            b"-p" => options.preserve = true,
            b"-R" => options.resume = true,
            b"-V" => options.verify = true,
            b"-i" => options.in_place = true,
            _ => return Err("unknown flag".into()),
        }
    }
    let [direction, source, target, server, server_arguments @ ..] = rest else {
        return Err("[-p] [-R] [-V] [-i] put|get SOURCE TARGET SERVER [ARGUMENT...]".into());
    };
    let mut command = if server == "self" {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve");
        command
    } else {
        Command::new(server)
    };
    let mut child = command.args(server_arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (Some(input), Some(output)) = (child.stdout.take(), child.stdin.take()) else { return Err("no pipes".into()) };
    let mut remote = Remote::open(input.into(), output.into())?;
    let start = Instant::now();
    let mut lines = Lines(options.resume);
    let report = if direction == "put" {
        transfer::put(&mut remote, &[source.into()], target.as_bytes(), &options, &mut lines)
    } else {
        transfer::get(&mut remote, &[source.as_bytes().to_vec()], Path::new(target), &options, &mut lines)
    };
    let seconds = start.elapsed().as_secs_f64();
    drop(remote);
    child.wait()?;
    let report = report?;
    let (files, bytes) = (report.files as f64, report.bytes as f64);
    println!(
        "{} files, {} bytes, {} failed, {seconds:.3} s: {:.0} files/s, {:.0} MB/s",
        report.files,
        report.bytes,
        report.failed,
        files / seconds,
        bytes / seconds / 1e6
    );
    Ok(report.failed > 0)
}
