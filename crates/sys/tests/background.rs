//! Going to the background, which needs a process of one thread: this test has no harness and starts itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nacre_sys::background;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    match words.get(1).map(String::as_str) {
        Some("released") => released(words.get(2).unwrap()),
        Some("fails") => {
            let _front = background::fork_and_wait().unwrap();
            std::process::exit(7);
        }
        Some("killed") => {
            let _front = background::fork_and_wait().unwrap();
            std::process::abort();
        }
        Some("threads") => {
            std::thread::spawn(|| std::thread::sleep(Duration::from_secs(600)));
            let error = background::fork_and_wait().unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
        }
        _ => all(),
    }
}

/// Works on after the first process has gone, and tells by a file how it lives.
fn released(file: &str) {
    let front = background::fork_and_wait().unwrap();
    println!("in front");
    front.release(true, 0).unwrap();
    println!("to nobody");
    await_file(Path::new(&format!("{file}.go")));
    // By nix: rustix has no name for a session that began outside of this pid namespace.
    let leads = nix::unistd::getsid(None).unwrap() == nix::unistd::getpid();
    std::fs::write(format!("{file}.new"), format!("leads a session: {leads}")).unwrap();
    std::fs::rename(format!("{file}.new"), file).unwrap();
}

fn run(words: &[&str]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(words).stdin(Stdio::null()).stderr(Stdio::null()).output().unwrap()
}

fn all() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("told");
    // It comes back although the process behind waits for what is only done then.
    let done = run(&["released", file.to_str().unwrap()]);
    assert_eq!((done.status.code(), done.stdout.as_slice()), (Some(0), &b"in front\n"[..]));
    std::fs::write(folder.path().join("told.go"), "").unwrap();
    assert_eq!(await_file(&file), "leads a session: true");
    assert_eq!(run(&["fails"]).status.code(), Some(7));
    assert_eq!(run(&["killed"]).status.code(), Some(128 + 6));
    assert_eq!(run(&["threads"]).status.code(), Some(0));
}

fn await_file(path: &Path) -> String {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        if let Ok(text) = std::fs::read_to_string(path) {
            return text;
        }
        assert!(Instant::now() < end, "nothing was told");
        std::thread::sleep(Duration::from_millis(20));
    }
}
