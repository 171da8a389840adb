//! The machine's own limit.

use super::Bench;
use super::median;
use super::parties::numbers;
use super::report::{Better, Figure};
use std::process::{Command, Stdio};

/// One sealed AES-256-GCM stream from thread to thread over loopback.
pub fn measure(bench: &Bench) -> Result<Vec<Figure>, String> {
    let (runs, seconds) = if bench.quick { (3, "0.5") } else { (5, "2") };
    let mut rates = Vec::new();
    for _ in 0..runs {
        let mut command = Command::new(&bench.peer);
        command.args(["limit", seconds]).stdin(Stdio::null());
        rates.extend(numbers(&mut command)?);
    }
    let mut figure = Figure::new("sealed stream, aes256-gcm", "MB/s", Better::Higher);
    figure.set("limit", median(rates) / 1e6);
    Ok(vec![figure])
}
