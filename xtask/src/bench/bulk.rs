//! Much data through one channel, down and up, by cipher.

use super::Bench;
use super::cpu;
use super::median;
use super::parties::Make;
use super::report::{Better, Figure};
use super::servers::Server;
use crate::process::family;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Bytes in a GiB.
const GIB: f64 = (1u64 << 30) as f64;

/// Bytes that the command which makes the data writes at once: programs that move much data write
/// large pieces, and what small ones cost has rows of its own.
pub const PIECE: u64 = 256 * 1024;

/// The small ones: what `head`, `cat` of old and many libraries write at once.
const SMALL_PIECE: u64 = 8 * 1024;

/// Cipher, and the MAC that goes with it.
const CIPHERS: &[(&str, Option<&str>)] = &[
    ("aes256-gcm@openssh.com", None),
    ("aes128-gcm@openssh.com", None),
    ("chacha20-poly1305@openssh.com", None),
    ("aes256-ctr", Some("hmac-sha2-256-etm@openssh.com")),
];

/// Which way the data goes.
#[derive(Debug, Clone, Copy)]
pub enum Direction {
    /// From the server.
    Down,
    /// To it.
    Up,
}

impl Direction {
    /// Its name in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Up => "up",
        }
    }
}

/// A client's make and a server's, and what the two are called together.
const PAIRS: &[(Make, Make, &str)] = &[
    (Make::Nacre, Make::Nacre, "nacre"),
    (Make::OpenSsh, Make::OpenSsh, "openssh"),
    (Make::Nacre, Make::OpenSsh, "nacre ssh, sshd"),
    (Make::OpenSsh, Make::Nacre, "ssh, nacre serve"),
];

/// One transfer.
pub struct Run {
    /// From start to end.
    pub seconds: f64,
    client: f64,
    server: f64,
}

/// Each cipher in each direction: speed, and processor time of both ends by GiB. The time of the
/// server has in it that of the command that makes or takes the data, the same for all.
pub fn measure(bench: &Bench) -> Result<Vec<Figure>, String> {
    let servers = [bench.serve(Make::Nacre)?, bench.serve(Make::OpenSsh)?];
    let mut figures = Vec::new();
    for (place, (cipher, mac)) in CIPHERS.iter().enumerate() {
        for direction in [Direction::Down, Direction::Up] {
            // Those of two makes only with the first cipher: the others would tell the same story.
            let pairs = if place == 0 { PAIRS } else { &PAIRS[..2] };
            figures.extend(one(bench, &servers, (cipher, *mac), direction, PIECE, pairs)?);
        }
    }
    for direction in [Direction::Down, Direction::Up] {
        figures.extend(one(bench, &servers, CIPHERS[0], direction, SMALL_PIECE, &PAIRS[..2])?);
    }
    Ok(figures)
}

fn one(
    bench: &Bench,
    servers: &[Server; 2],
    (cipher, mac): (&str, Option<&str>),
    direction: Direction,
    piece: u64,
    pairs: &[(Make, Make, &str)],
) -> Result<Vec<Figure>, String> {
    let (runs, bytes) = if bench.quick { (3, 1 << 28) } else { (7, 1 << 30) };
    let word = direction.word();
    let word = if piece == PIECE { word.to_owned() } else { format!("{word}, {} KiB pieces", piece / 1024) };
    let name = match mac {
        None => format!("{} {word}", cipher.trim_end_matches("@openssh.com")),
        Some(mac) => format!("{cipher} {} {word}", mac.trim_end_matches("@openssh.com")),
    };
    let mut options = vec![format!("Ciphers={cipher}")];
    options.extend(mac.map(|mac| format!("MACs={mac}")));
    let mut results: Vec<Vec<Run>> = pairs.iter().map(|_| Vec::new()).collect();
    // In turn, so that a change of the machine's mood meets all alike.
    for _ in 0..runs {
        for ((client, server, _), results) in pairs.iter().zip(&mut results) {
            let server = &servers[usize::from(*server == Make::OpenSsh)];
            results.push(transfer(bench, *client, server, &options, (direction, bytes, piece))?);
        }
    }
    let mut speed = Figure::new(&name, "MB/s", Better::Higher);
    let mut client_time = Figure::new(format!("{name}, client"), "CPU s/GiB", Better::Lower);
    let mut server_time = Figure::new(format!("{name}, server"), "CPU s/GiB", Better::Lower);
    for ((_, _, name), runs) in pairs.iter().zip(&results) {
        let middle = |value: fn(&Run) -> f64| median(runs.iter().map(value).collect());
        let gib = bytes as f64 / GIB;
        speed.set(*name, bytes as f64 / 1e6 / middle(|run| run.seconds));
        client_time.set(*name, middle(|run| run.client) / gib);
        server_time.set(*name, middle(|run| run.server) / gib);
    }
    Ok(vec![speed, client_time, server_time])
}

/// What `dd` is told, to write so many zeros in such pieces.
fn zeros(bytes: u64, piece: u64) -> [String; 4] {
    ["if=/dev/zero".to_owned(), format!("bs={piece}"), format!("count={}", bytes / piece), "status=none".to_owned()]
}

/// One transfer: which way, how many bytes, in pieces of how many.
pub fn transfer(
    bench: &Bench,
    make: Make,
    server: &Server,
    options: &[String],
    (direction, bytes, piece): (Direction, u64, u64),
) -> Result<Run, String> {
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let mut command = bench.client(make, server, &options);
    let at_rest = family(server.pid()).len();
    let before = cpu::of_server(server.pid(), at_rest)?;
    let problem = |error: std::io::Error| error.to_string();
    let mut source = None;
    match direction {
        Direction::Down => {
            command.arg(format!("exec dd {}", zeros(bytes, piece).join(" ")));
        }
        Direction::Up => {
            let mut maker =
                Command::new("dd").args(zeros(bytes, piece)).stdout(Stdio::piped()).spawn().map_err(problem)?;
            command.arg(format!("exec dd of=/dev/null bs={PIECE} status=none"));
            command.stdin(maker.stdout.take().ok_or("dd has no output")?);
            source = Some(maker);
        }
    }
    let start = Instant::now();
    let mut child = command.spawn().map_err(problem)?;
    // The builder holds the reading end of the pipe that feeds the child.
    drop(command);
    let (status, client) = cpu::of_ended(&mut child)?;
    let seconds = start.elapsed().as_secs_f64();
    if let Some(mut maker) = source {
        maker.wait().map_err(problem)?;
    }
    if !status.success() {
        let mut errors = String::new();
        let _ = child.stderr.take().map(|mut stderr| stderr.read_to_string(&mut errors));
        return Err(format!("{} to {}: {status}: {}", make.name(), server.make.name(), errors.trim()));
    }
    Ok(Run { seconds, client, server: cpu::of_server(server.pid(), at_rest)? - before })
}
