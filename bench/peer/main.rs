//! What `cargo xtask bench` measures with: a client on the library crates, without a runtime, the
//! same one for every server.
//!
//! `bench-peer limit SECONDS` and, with `PORT USER KEY` before the rest, `handshakes COUNT THREADS`,
//! `idle COUNT`, `echo COUNT idle|bulk`, `share`, `crowd MEMBERS FULL DEAF RATE SECONDS [PORT]`, `search WORDS`; `fill FILE
//! COUNT` alone. What is printed is numbers, for a program to read.

mod client;
mod crowd;
mod echo;
mod history;
mod limit;

use client::{Client, Target};
use std::io::{Read, Write};
use std::time::Instant;

type Problem = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Problem> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["limit", seconds] => println!("{:.0}", limit::measure(seconds.parse()?)?),
        ["handshakes", port, user, key, count, threads] => {
            let seconds = handshakes(&Target::new(port, user, key)?, count.parse()?, threads.parse()?)?;
            println!("{seconds:.6}");
        }
        ["idle", port, user, key, count] => idle(&Target::new(port, user, key)?, count.parse()?)?,
        ["echo", port, user, key, count, kind] => {
            for time in echo::measure(&Target::new(port, user, key)?, count.parse()?, *kind == "bulk")? {
                println!("{:.1}", time.as_secs_f64() * 1e6);
            }
        }
        ["share", port, user, key] => println!("{:.4}", echo::share(&Target::new(port, user, key)?)?),
        ["crowd", port, _, _, numbers @ ..] => crowd::run(port.parse()?, &crowd::Plan::parse(numbers)?)?,
        ["fill", file, count] => history::fill(file.as_ref(), count.parse()?)?,
        ["search", port, _, _, words] => {
            for time in history::search(port.parse()?, words)? {
                println!("{:.3}", time.as_secs_f64() * 1e3);
            }
        }
        _ => return Err("see the head of bench/peer/main.rs".into()),
    }
    Ok(())
}

/// How many seconds `count` key exchanges take on each of `threads` threads at once.
fn handshakes(target: &Target, count: usize, threads: usize) -> Result<f64, Problem> {
    let start = Instant::now();
    std::thread::scope(|scope| {
        let work = || (0..count).try_for_each(|_| Client::shake_hands(target).map(drop));
        let started: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        started.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread died")?)
    })?;
    Ok(start.elapsed().as_secs_f64())
}

/// Opens `count` connections, logs in on each, says so, and holds them until standard input ends.
fn idle(target: &Target, count: usize) -> Result<(), Problem> {
    let clients = (0..count).map(|_| Client::log_in(target)).collect::<Result<Vec<_>, _>>()?;
    println!("{}", clients.len());
    std::io::stdout().flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
