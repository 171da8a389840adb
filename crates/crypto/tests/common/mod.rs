//! What the tests share: fixtures, hexadecimal, and the machine's `ssh-keygen`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// The passphrase of every encrypted fixture.
pub const PASSPHRASE: &[u8] = b"fake-passphrase";

/// A file below `tests/data`.
pub fn data(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A text file below `tests/data`.
pub fn text(name: &str) -> String {
    String::from_utf8(data(name)).unwrap()
}

/// Hexadecimal to bytes; `-` is nothing.
pub fn unhex(digits: &str) -> Vec<u8> {
    if digits == "-" {
        return Vec::new();
    }
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// An empty directory of this test's own, for its user only.
pub fn scratch(test: &str) -> PathBuf {
    use std::os::unix::fs::DirBuilderExt;
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::DirBuilder::new().mode(0o700).recursive(true).create(&path).unwrap();
    path
}

/// Writes a file that only its user can read, as `ssh-keygen` wants it.
pub fn write_private(path: &Path, bytes: &[u8]) {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

/// Runs the machine's `ssh-keygen` with `input` on its standard input. A machine without it fails
/// the test and says why.
pub fn ssh_keygen(arguments: &[&str], input: &[u8]) -> Output {
    let child = Command::new("ssh-keygen")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => panic!("this test needs `ssh-keygen` (Debian: apt-get install openssh-client): {error}"),
    };
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

/// The work this thread has done so far, as time on a processor.
pub fn thread_cpu_time() -> Duration {
    rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).try_into().unwrap()
}
