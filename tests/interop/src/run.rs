//! Running a program to its end within a limit.

use crate::process::kill_family;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take that moves little data.
pub const LIMIT: Duration = Duration::from_secs(180);

/// How long anything may take that moves hundreds of megabytes on a busy machine.
pub const BULK_LIMIT: Duration = Duration::from_secs(600);

/// How a program ended.
#[derive(Debug)]
pub struct Done {
    /// Its exit code; 128 and the signal's number if a signal ended it.
    pub code: i32,
    /// What it wrote to standard output.
    pub out: Vec<u8>,
    /// What it wrote to standard error.
    pub err: Vec<u8>,
}

impl Done {
    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// Standard error as text.
    pub fn errors(&self) -> String {
        String::from_utf8_lossy(&self.err).into_owned()
    }
}

/// The exit code of a shell for this end.
pub fn code(status: ExitStatus) -> i32 {
    status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

/// Runs `command` with `input` as its standard input.
///
/// # Panics
/// It cannot be started, or takes longer than [`LIMIT`].
pub fn run(command: &mut Command, input: &[u8]) -> Done {
    let mut child = spawn(command);
    let mut stdin = child.stdin.take().expect("standard input is a pipe");
    let (mut out, mut err) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
    let input = input.to_vec();
    // A program that does not read its input is no mistake: what counts is how it ends.
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let out = thread::spawn(move || read_all(&mut out));
    let err = thread::spawn(move || read_all(&mut err));
    let status = wait(&mut child, LIMIT);
    let out = out.join().expect("a reader");
    let err = err.join().expect("a reader");
    writer.join().expect("a writer");
    let done = Done { code: status.map_or(-1, code), out, err };
    assert!(status.is_some(), "{command:?} took more than {LIMIT:?}\n{}\n{}", done.text(), done.errors());
    done
}

/// Starts `command` with pipes for its three streams.
pub fn spawn(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Waits for `child`; `None`, and it is ended with all it started, if that takes too long.
pub fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            return Some(status);
        }
        if Instant::now() > deadline {
            kill_family(child.id());
            let _ = child.wait();
            return None;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Polls until `probe` answers.
///
/// # Panics
/// It does not within [`LIMIT`].
pub fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {LIMIT:?} for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn read_all(stream: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    bytes
}
