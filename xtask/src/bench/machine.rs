//! The server of the machine's accounts, as root: each connection has processes of its own there.

use super::Bench;
use super::bulk::{Direction, PIECE, transfer};
use super::median;
use super::memory;
use super::parties::{Make, output};
use super::report::{Better, Figure};
use std::time::Instant;

/// As many connections to either make, since what processes share is counted once.
const IDLE: u32 = 50;

/// Transfers of which the median counts: two figures that are to be within 5 % of each other want more than three.
const ROUNDS: usize = 7;

/// Connecting, memory and bulk as root, beside OpenSSH's server; bulk also beside Nacre's own in one
/// process. Only root can.
pub fn measure(bench: &Bench) -> Result<Vec<Figure>, String> {
    if !rustix::process::geteuid().is_root() {
        return Err("only root can serve the machine's accounts".to_owned());
    }
    let machine = bench.serve_machine()?;
    let openssh = bench.serve(Make::OpenSsh)?;
    let mut connect = Figure::new("connect and true, as root", "ms", Better::Lower);
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..if bench.quick { 10 } else { 50 } {
        for (server, times) in [&machine, &openssh].iter().zip(&mut times) {
            let mut command = bench.client(server.make, server, &[]);
            let start = Instant::now();
            output(command.arg("true"))?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    let mut idle = Figure::new("memory by idle connection, as root", "KiB", Better::Lower);
    for (server, times) in [&machine, &openssh].iter().zip(times) {
        connect.set(server.make.name(), median(times));
        idle.set(server.make.name(), memory::one(bench, server, IDLE)?);
    }
    let mut figures = vec![connect, idle];
    let here = bench.serve(Make::Nacre)?;
    for direction in [Direction::Down, Direction::Up] {
        let mut speed = Figure::new(format!("aes256-gcm {}, as root", direction.word()), "MB/s", Better::Higher);
        let servers = [("nacre", &machine), ("nacre in one process", &here), ("openssh", &openssh)];
        let mut seconds = [Vec::new(), Vec::new(), Vec::new()];
        let bytes: u64 = if bench.quick { 1 << 28 } else { 1 << 31 };
        for round in 0..ROUNDS {
            let mut turns: Vec<_> = servers.iter().zip(&mut seconds).collect();
            // Whoever comes after a busy one would always have the worse of it.
            if round % 2 == 1 {
                turns.reverse();
            }
            for ((_, server), seconds) in turns {
                let cipher = ["Ciphers=aes256-gcm@openssh.com".to_owned()];
                seconds.push(transfer(bench, server.make, server, &cipher, (direction, bytes, PIECE))?.seconds);
            }
        }
        for ((name, _), seconds) in servers.iter().zip(seconds) {
            speed.set(*name, bytes as f64 / 1e6 / median(seconds));
        }
        figures.push(speed);
    }
    Ok(figures)
}
