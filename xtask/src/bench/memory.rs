//! Memory: of a server for each connection that is logged in and idle, and the most of it while something is done.

use super::Bench;
use super::parties::Make;
use super::report::{Better, Figure};
use super::servers::Server;
use crate::process::family;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// How long connections have to come to rest before they count as idle.
const REST: Duration = Duration::from_secs(3);

/// A thousand connections for Nacre. OpenSSH starts processes for each, so fewer show as well what
/// one of them costs.
pub fn measure(bench: &Bench) -> Result<Vec<Figure>, String> {
    let mut figure = Figure::new("memory by idle connection", "KiB", Better::Lower);
    let many = if bench.quick { 200 } else { 1000 };
    for (make, count) in [(Make::Nacre, many), (Make::OpenSsh, 50)] {
        figure.set(make.name(), one(bench, &bench.serve(make)?, count)?);
    }
    Ok(vec![figure])
}

/// KiB for each of `count` connections.
pub fn one(bench: &Bench, server: &Server, count: u32) -> Result<f64, String> {
    let before = memory(server)?;
    let mut command = bench.library(server, &["idle", &count.to_string()])?;
    let mut child = command.stdin(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
    let mut said = String::new();
    if let Some(out) = child.stdout.take() {
        BufReader::new(out).read_line(&mut said).map_err(|error| error.to_string())?;
    }
    // An idle connection is one that has come to rest.
    std::thread::sleep(REST);
    let with = memory(server);
    drop(child.stdin.take());
    let status = child.wait().map_err(|error| error.to_string())?;
    if said.trim() != count.to_string() || !status.success() {
        let mut errors = String::new();
        let _ = child.stderr.take().map(|mut stderr| stderr.read_to_string(&mut errors));
        return Err(format!("{count} connections to {}: {said:?} {errors}", server.make.name()));
    }
    Ok((with? - before) / f64::from(count))
}

/// KiB of a server's processes, what they share counted once (proc(5), `smaps_rollup`, Pss).
fn memory(server: &Server) -> Result<f64, String> {
    let mut sum = 0.0;
    for pid in family(server.pid()) {
        // A process that has ended meanwhile has no memory any more.
        let Ok(text) = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) else { continue };
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        let number = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
        sum += number.ok_or_else(|| format!("/proc/{pid}/smaps_rollup says nothing of Pss"))?;
    }
    Ok(sum)
}

/// Does `work` and says what came of it, and how many MiB the processes below each of `roots` had at most meanwhile.
pub fn most_during<T>(roots: [u32; 2], work: impl FnOnce() -> T) -> Result<(T, [f64; 2]), String> {
    let ended = AtomicBool::new(false);
    let (done, most) = thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut most = [0.0f64; 2];
            while !ended.load(Ordering::Relaxed) {
                for (most, root) in most.iter_mut().zip(roots) {
                    *most = most.max(family(root).into_iter().map(resident).sum());
                }
                thread::sleep(Duration::from_millis(10));
            }
            most
        });
        let done = work();
        ended.store(true, Ordering::Relaxed);
        (done, watcher.join())
    });
    Ok((done, most.map_err(|_| "the watcher failed")?))
}

/// MiB of a process that are nobody else's and not a file's (proc(5), `RssAnon`).
pub fn resident(pid: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}
