//! Files, there and back, with the copying program of each make: one large one, many small ones, and one over a long way.

use super::Bench;
use super::bulk::Direction;
use super::distance::relay;
use super::median;
use super::memory::most_during;
use super::parties::{Make, output};
use super::report::{Better, Figure};
use super::servers::Server;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A disk that is memory, so that programs are measured and not a disk.
const DISK: &str = "/dev/shm";

/// How far away the far server is, there and back.
const ROUND_TRIP: Duration = Duration::from_millis(100);

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// A client's make and a server's, and what the two are called together.
const PAIRS: &[(Make, Make, &str)] = &[
    (Make::Nacre, Make::Nacre, "nacre"),
    (Make::OpenSsh, Make::OpenSsh, "openssh"),
    (Make::Nacre, Make::OpenSsh, "nacre scp, sshd"),
    (Make::OpenSsh, Make::Nacre, "scp, nacre serve"),
];

/// What is copied.
struct Load {
    /// For the table.
    name: &'static str,
    /// A file, or a folder of files.
    source: PathBuf,
    /// What a run is divided by.
    amount: f64,
    unit: &'static str,
    runs: usize,
}

/// The server as it is reached: at its own port or through a relay.
struct Reached<'a> {
    server: &'a Server,
    port: u16,
}

/// Speeds, and the memory of both ends.
pub fn measure(bench: &Bench) -> Result<Vec<Figure>, String> {
    let folder = TempDir::new_in(DISK).map_err(|error| format!("{DISK}: {error}"))?;
    let servers = [bench.serve(Make::Nacre)?, bench.serve(Make::OpenSsh)?];
    let near = servers.each_ref().map(|server| Reached { server, port: server.port });
    let mut figures = Vec::new();
    for load in [large(bench, folder.path())?, small(bench, folder.path())?] {
        for direction in [Direction::Down, Direction::Up] {
            figures.push(speed(bench, &near, &load, direction, folder.path(), PAIRS)?);
            figures.extend(memory(bench, &near, &load, direction, folder.path())?);
        }
    }
    let far = [
        Reached { server: &servers[0], port: relay(servers[0].port, ROUND_TRIP / 2)? },
        Reached { server: &servers[1], port: relay(servers[1].port, ROUND_TRIP / 2)? },
    ];
    let load = distant(bench, folder.path())?;
    for direction in [Direction::Down, Direction::Up] {
        figures.push(speed(bench, &far, &load, direction, folder.path(), &PAIRS[..2])?);
        figures.extend(memory(bench, &far, &load, direction, folder.path())?);
    }
    Ok(figures)
}

fn large(bench: &Bench, folder: &Path) -> Result<Load, String> {
    let bytes = if bench.quick { 512 * MIB } else { 2048 * MIB };
    let source = folder.join("large");
    make_file(&source, bytes, 1)?;
    Ok(Load { name: "one large file", source, amount: bytes as f64 / 1e6, unit: "MB/s", runs: 3 })
}

fn distant(bench: &Bench, folder: &Path) -> Result<Load, String> {
    let bytes = if bench.quick { 64 * MIB } else { 512 * MIB };
    let source = folder.join("distant");
    make_file(&source, bytes, 2)?;
    Ok(Load { name: "one file, 100 ms away", source, amount: bytes as f64 / 1e6, unit: "MB/s", runs: 1 })
}

fn small(bench: &Bench, folder: &Path) -> Result<Load, String> {
    let count = if bench.quick { 1000 } else { 5000 };
    let source = folder.join("small");
    fs::create_dir(&source).map_err(|error| error.to_string())?;
    for number in 0..count {
        make_file(&source.join(format!("file-{number:05}")), 4 * KIB, number + 3)?;
    }
    Ok(Load { name: "files of 4 KiB", source, amount: count as f64, unit: "files/s", runs: 5 })
}

/// A file of numbers that do not repeat, so that neither zeros nor equal blocks are anybody's luck.
fn make_file(path: &Path, bytes: u64, seed: u64) -> Result<(), String> {
    let problem = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).map_err(problem)?);
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for _ in 0..bytes / 8 {
        // Marsaglia's xorshift: all that is wanted is that it does not repeat.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.write_all(&state.to_le_bytes()).map_err(problem)?;
    }
    file.flush().map_err(problem)
}

fn speed(
    bench: &Bench,
    servers: &[Reached<'_>; 2],
    load: &Load,
    direction: Direction,
    folder: &Path,
    pairs: &[(Make, Make, &str)],
) -> Result<Figure, String> {
    let mut results: Vec<Vec<f64>> = pairs.iter().map(|_| Vec::new()).collect();
    for _ in 0..load.runs {
        for ((client, server, _), results) in pairs.iter().zip(&mut results) {
            let reached = &servers[usize::from(*server == Make::OpenSsh)];
            let target = folder.join("copy");
            let mut command = copy(bench, *client, reached, load, direction, &target);
            let start = Instant::now();
            output(&mut command)?;
            results.push(load.amount / start.elapsed().as_secs_f64());
            // A copy that is not one has no speed.
            output(Command::new("diff").arg("-rq").arg(&load.source).arg(&target))?;
            remove(&target)?;
        }
    }
    let mut figure = Figure::new(format!("{}, {}", load.name, direction.word()), load.unit, Better::Higher);
    for ((_, _, name), results) in pairs.iter().zip(results) {
        figure.set(*name, median(results));
    }
    Ok(figure)
}

/// The most that the processes of each end had resident, in runs of their own: looking takes time too.
fn memory(
    bench: &Bench,
    servers: &[Reached<'_>; 2],
    load: &Load,
    direction: Direction,
    folder: &Path,
) -> Result<[Figure; 2], String> {
    let figure = |end| Figure::new(format!("{}, {}, {end}", load.name, direction.word()), "MiB at most", Better::Lower);
    let mut figures = [figure("client"), figure("server")];
    for (make, reached) in Make::BOTH.iter().zip(servers) {
        let target = folder.join("copy");
        let mut child =
            copy(bench, *make, reached, load, direction, &target).spawn().map_err(|error| error.to_string())?;
        let (status, most) = most_during([child.id(), reached.server.pid()], || child.wait())?;
        let status = status.map_err(|error| error.to_string())?;
        if !status.success() {
            return Err(format!("{}: {status}", make.name()));
        }
        remove(&target)?;
        for (figure, most) in figures.iter_mut().zip(most) {
            figure.set(make.name(), most);
        }
    }
    Ok(figures)
}

fn copy(bench: &Bench, make: Make, reached: &Reached<'_>, load: &Load, direction: Direction, target: &Path) -> Command {
    let mut command = bench.copier(make, reached.server, reached.port);
    if load.source.is_dir() {
        command.arg("-r");
    }
    let remote = |path: &Path| format!("127.0.0.1:{}", path.display());
    match direction {
        Direction::Down => command.arg(remote(&load.source)).arg(target),
        Direction::Up => command.arg(&load.source).arg(remote(target)),
    };
    command
}

fn remove(path: &Path) -> Result<(), String> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.map_err(|error| format!("{}: {error}", path.display()))
}
