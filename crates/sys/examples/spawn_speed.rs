//! Times the start of `/bin/true` from a process with 200 MB in memory: `spawn` as the same user, `spawn` as another user (root only),
//! and the standard library's fork with a `pre_exec` hook and without one.
//!
//! `cargo run --release -p nacre-sys --example spawn_speed`

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use nacre_sys::account::{Account, Credentials};
use nacre_sys::spawn::{ChildStdio, SpawnSpec, spawn};

const ROUNDS: u32 = 200;
const RESIDENT: usize = 200 << 20;

fn main() -> io::Result<()> {
    let ballast: Vec<u8> = (0..RESIDENT).map(|at| at.to_le_bytes()[0]).collect();
    let nobody = Account::by_name("nobody")?.map(|account| account.credentials()).transpose()?;
    report("spawn, same user", || ours(None))?;
    if nacre_sys::privileges::is_root() {
        report("spawn, other user", || ours(nobody.clone()))?;
    }
    report("std Command", || standard(false))?;
    report("std Command with pre_exec", || standard(true))?;
    std::hint::black_box(&ballast);
    Ok(())
}

fn report(name: &str, mut once: impl FnMut() -> io::Result<Duration>) -> io::Result<()> {
    let mut times = (0..ROUNDS).map(|_| once()).collect::<io::Result<Vec<_>>>()?;
    times.sort();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    println!("{name:28} median {:7.1} us until the call returns", median.as_secs_f64() * 1e6);
    Ok(())
}

fn ours(credentials: Option<Credentials>) -> io::Result<Duration> {
    let null = || std::fs::File::options().read(true).write(true).open("/dev/null").map(OwnedFd::from);
    let spec = SpawnSpec {
        program: "/bin/true".into(),
        arg0: "true".into(),
        args: Vec::new(),
        env: Vec::new(),
        cwd: "/".into(),
        stdio: ChildStdio::Fds { stdin: null()?, stdout: null()?, stderr: null()? },
        credentials,
        umask: None,
    };
    let start = Instant::now();
    let child = spawn(spec)?;
    let elapsed = start.elapsed();
    child.wait()?;
    Ok(elapsed)
}

fn standard(hook: bool) -> io::Result<Duration> {
    let mut command = Command::new("/bin/true");
    if hook {
        // SAFETY: setsid is a system call and nothing else.
        unsafe { command.pre_exec(|| Ok(rustix::process::setsid().map(drop)?)) };
    }
    let start = Instant::now();
    let mut child = command.spawn()?;
    let elapsed = start.elapsed();
    child.wait()?;
    Ok(elapsed)
}
