//! Detaching. Without the test harness, because that has threads: `main` starts itself once more to be detached.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nacre_sys::daemon::detach;

const OUT: &str = "NACRE_TEST_DETACH";

fn main() {
    if let Some(out) = std::env::var_os(OUT) {
        let before = descriptors();
        detach().unwrap();
        return report(Path::new(&out), before);
    }
    detached_process_has_left_everything();
    detaching_with_threads_is_refused();
    println!("test result: ok. 2 passed (detach)");
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Runs in the daemon; the file appears under its name only when complete.
fn report(out: &Path, descriptors_before: usize) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split_whitespace().collect();
    let (session, terminal) = (fields[3], fields[4]);
    let cwd = std::env::current_dir().unwrap();
    let streams: Vec<_> = (0..3).map(|fd| std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap()).collect();
    let added = descriptors() - descriptors_before;
    let text = format!(
        "leads={} terminal={terminal} cwd={} streams={streams:?} added={added}",
        session == std::process::id().to_string(),
        cwd.display()
    );
    let partial = out.with_extension("partial");
    std::fs::File::create(&partial).unwrap().write_all(text.as_bytes()).unwrap();
    std::fs::rename(partial, out).unwrap();
}

fn detached_process_has_left_everything() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("report");
    let mut first = Command::new(std::env::current_exe().unwrap())
        .env(OUT, &out)
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // The pipe ends although the daemon lives on: it kept nothing of ours.
    let mut said = String::new();
    first.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(first.wait().unwrap().code(), Some(0), "{said}");
    let text = await_file(&out);
    let null = PathBuf::from("/dev/null");
    let expected = format!("leads=false terminal=0 cwd=/ streams={:?} added=0", [&null, &null, &null]);
    assert_eq!(text, expected);
}

fn await_file(path: &Path) -> String {
    let start = Instant::now();
    loop {
        match std::fs::read_to_string(path) {
            Ok(text) => return text,
            Err(err) => assert!(start.elapsed() < Duration::from_secs(120), "{}: {err}", path.display()),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn detaching_with_threads_is_refused() {
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || stopped.recv());
    assert_eq!(detach().unwrap_err().kind(), std::io::ErrorKind::Unsupported);
    drop(stop);
    let _ = thread.join();
}
