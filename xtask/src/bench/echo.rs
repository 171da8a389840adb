//! From a keystroke to its echo on a terminal of the far side.

use super::Bench;
use super::median;
use super::parties::{Make, numbers};
use super::report::{Better, Figure};
use super::servers::Server;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Through the same client on the library to each server, alone and beside a bulk channel of the
/// same connection; and through whole programs, where only OpenSSH's client shares a connection.
pub fn measure(bench: &Bench) -> Result<Vec<Figure>, String> {
    let keys = if bench.quick { 100 } else { 500 };
    let servers = [bench.serve(Make::Nacre)?, bench.serve(Make::OpenSsh)?];
    let mut figures = Vec::new();
    for kind in ["idle", "bulk"] {
        let name = if kind == "idle" { "echo, library client, alone" } else { "echo, library client, beside bulk" };
        let mut middle = Figure::new(name, "µs", Better::Lower);
        let mut late = Figure::new(format!("{name}, 99 of 100"), "µs", Better::Lower);
        for server in &servers {
            let times = numbers(&mut bench.library(server, &["echo", &keys.to_string(), kind])?)?;
            late.set(server.make.name(), percentile(times.clone(), 0.99));
            middle.set(server.make.name(), median(times));
        }
        figures.extend([middle, late]);
    }
    let mut share = Figure::new("bulk beside echo, of bulk alone", "%", Better::Higher);
    for server in &servers {
        let shares = numbers(&mut bench.library(server, &["share"])?)?;
        share.set(server.make.name(), 100.0 * median(shares));
    }
    figures.push(share);
    let mut alone = Figure::new("echo, whole programs, alone", "µs", Better::Lower);
    for server in &servers {
        let typist = bench.client(server.make, server, &["RequestTTY=force"]);
        alone.set(server.make.name(), median(Typist::start(typist)?.types(keys)?));
    }
    let mut beside = Figure::new("echo, whole programs, beside bulk", "µs", Better::Lower);
    beside.set(Make::OpenSsh.name(), median(shared(bench, &servers[1], keys)?));
    figures.extend([alone, beside]);
    Ok(figures)
}

fn percentile(mut times: Vec<f64>, part: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    let place = (times.len() as f64 * part) as usize;
    times.get(place.min(times.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

/// Two channels of one connection of OpenSSH's client: a master, a load and a terminal.
fn shared(bench: &Bench, server: &Server, keys: usize) -> Result<Vec<f64>, String> {
    let socket = bench.folder.path().join("master");
    let path = format!("ControlPath={}", socket.display());
    let mut command = bench.client(Make::OpenSsh, server, &["ControlMaster=yes", &path, "SessionType=none"]);
    let _master = Ends(command.spawn().map_err(|error| error.to_string())?);
    appears(&socket)?;
    let mut load = bench.client(Make::OpenSsh, server, &[&path]);
    let _load = Ends(load.arg("cat /dev/zero").spawn().map_err(|error| error.to_string())?);
    let typist = bench.client(Make::OpenSsh, server, &[&path, "RequestTTY=force"]);
    Typist::start(typist)?.types(keys)
}

fn appears(path: &Path) -> Result<(), String> {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !path.exists() {
        if Instant::now() > deadline {
            return Err(format!("{} does not appear", path.display()));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// A child that ends with us.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Somebody who types at a client's terminal session and waits for each key to show.
struct Typist(Ends);

impl Typist {
    fn start(mut client: Command) -> Result<Self, String> {
        client.arg("cat").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut typist = Self(Ends(client.spawn().map_err(|error| error.to_string())?));
        // The first ones may meet a terminal that is still being made.
        (0..10).try_for_each(|_| typist.key().map(drop))?;
        Ok(typist)
    }

    fn types(mut self, keys: usize) -> Result<Vec<f64>, String> {
        (0..keys).map(|_| self.key()).collect()
    }

    /// One key; microseconds until it shows.
    fn key(&mut self) -> Result<f64, String> {
        let child = &mut self.0.0;
        let (Some(keyboard), Some(screen)) = (&mut child.stdin, &mut child.stdout) else {
            return Err("a client without a terminal".to_owned());
        };
        let start = Instant::now();
        keyboard.write_all(b"x").map_err(|error| error.to_string())?;
        let mut shown = [0];
        while shown != *b"x" {
            screen.read_exact(&mut shown).map_err(|error| format!("no echo: {error}"))?;
        }
        Ok(start.elapsed().as_secs_f64() * 1e6)
    }
}
