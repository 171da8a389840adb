//! Connections through a tunnel of `-L`: one with much data, each way, and a thousand at once.

use super::Bench;
use super::bulk::Direction;
use super::median;
use super::memory::most_during;
use super::parties::Make;
use super::report::{Better, Figure};
use super::servers::Server;
use std::io::{Read, Write, copy, sink};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

/// What the programs at both ends of a tunnel write and read at once, in bytes.
const PIECE: usize = 256 * 1024;

/// What each of many connections sends and gets back, in bytes.
const SHARE: usize = 64 * 1024;

/// How long a tunnel may take to stand, and a connection to move.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client's make and a server's, and what the two are called together.
const PAIRS: &[(Make, Make, &str)] = &[
    (Make::Nacre, Make::Nacre, "nacre"),
    (Make::OpenSsh, Make::OpenSsh, "openssh"),
    (Make::Nacre, Make::OpenSsh, "nacre ssh, sshd"),
    (Make::OpenSsh, Make::Nacre, "ssh, nacre serve"),
];

/// Speed of one connection, by direction; how long many take, and what memory.
pub fn measure(bench: &Bench) -> Result<Vec<Figure>, String> {
    let servers = [bench.serve(Make::Nacre)?, bench.serve(Make::OpenSsh)?];
    let bytes: u64 = if bench.quick { 1 << 28 } else { 1 << 31 };
    let mut figures = Vec::new();
    for direction in [Direction::Down, Direction::Up] {
        let mut results: Vec<Vec<f64>> = PAIRS.iter().map(|_| Vec::new()).collect();
        for _ in 0..3 {
            for ((client, server, _), results) in PAIRS.iter().zip(&mut results) {
                let seconds = one(bench, *client, of_make(&servers, *server), direction, bytes)?;
                results.push(bytes as f64 / 1e6 / seconds);
            }
        }
        let mut figure = Figure::new(format!("one tunnelled connection, {}", direction.word()), "MB/s", Better::Higher);
        for ((_, _, name), results) in PAIRS.iter().zip(results) {
            figure.set(*name, median(results));
        }
        figures.push(figure);
    }
    figures.extend(many(bench, &servers, if bench.quick { 200 } else { 1000 })?);
    Ok(figures)
}

fn of_make(servers: &[Server; 2], make: Make) -> &Server {
    &servers[usize::from(make == Make::OpenSsh)]
}

/// The seconds that `bytes` take through a tunnel.
fn one(bench: &Bench, make: Make, server: &Server, direction: Direction, bytes: u64) -> Result<f64, String> {
    let partner = match direction {
        Direction::Down => partner(move |mut stream| write_zeros(&mut stream, bytes)),
        Direction::Up => partner(|mut stream| copy(&mut stream, &mut sink()).map(drop)),
    }?;
    let tunnel = Tunnel::open(bench, make, server, partner)?;
    let start = Instant::now();
    let work = || {
        let mut stream = tunnel.connect()?;
        if let Direction::Up = direction {
            write_zeros(&mut stream, bytes)?;
        }
        stream.shutdown(Shutdown::Write)?;
        drain(&mut stream)
    };
    let read = work().map_err(|error| tunnel.problem(&error))?;
    let wanted = if let Direction::Down = direction { bytes } else { 0 };
    if read != wanted {
        return Err(format!("{read} bytes of {wanted} came through a tunnel of {}", make.name()));
    }
    Ok(start.elapsed().as_secs_f64())
}

/// Many connections at once through one tunnel, each of which gets back what it sends.
fn many(bench: &Bench, servers: &[Server; 2], count: usize) -> Result<Vec<Figure>, String> {
    let name = format!("{count} tunnelled connections");
    let mut time = Figure::new(&name, "s", Better::Lower);
    let mut client = Figure::new(format!("{name}, client"), "MiB at most", Better::Lower);
    let mut remote = Figure::new(format!("{name}, server"), "MiB at most", Better::Lower);
    for make in Make::BOTH {
        let server = of_make(servers, make);
        let echo = partner(|mut stream| {
            let mut other = stream.try_clone()?;
            copy(&mut stream, &mut other)?;
            other.shutdown(Shutdown::Write)
        })?;
        let tunnel = Tunnel::open(bench, make, server, echo)?;
        let start = Instant::now();
        let (seconds, [ours, theirs]) = most_during([tunnel.0.id(), server.pid()], || {
            at_once(&tunnel, count).map(|()| start.elapsed().as_secs_f64())
        })?;
        time.set(make.name(), seconds.map_err(|error| tunnel.problem(&error))?);
        client.set(make.name(), ours);
        remote.set(make.name(), theirs);
    }
    Ok(vec![time, client, remote])
}

/// All stand before the first of them sends.
fn at_once(tunnel: &Tunnel, count: usize) -> std::io::Result<()> {
    let streams = (0..count).map(|_| tunnel.connect()).collect::<Result<Vec<_>, _>>()?;
    let work = |mut stream: TcpStream| -> std::io::Result<u64> {
        let mut sender = stream.try_clone()?;
        let sent = thread::spawn(move || sender.write_all(&[7; SHARE]).and_then(|()| sender.shutdown(Shutdown::Write)));
        let read = drain(&mut stream)?;
        sent.join().map_err(|_| std::io::Error::other("a sender failed"))??;
        Ok(read)
    };
    let workers: Vec<_> = streams.into_iter().map(|stream| thread::spawn(move || work(stream))).collect();
    for worker in workers {
        let read = worker.join().map_err(|_| std::io::Error::other("a connection failed"))??;
        if read != SHARE as u64 {
            return Err(std::io::Error::other(format!("{read} bytes of {SHARE} came back")));
        }
    }
    Ok(())
}

/// Serves each connection to a port of its own, which it returns, for as long as the process lives.
fn partner(serve: impl Fn(TcpStream) -> std::io::Result<()> + Copy + Send + 'static) -> Result<u16, String> {
    let problem = |error: std::io::Error| format!("the far end of a tunnel: {error}");
    let listener = TcpListener::bind("127.0.0.1:0").map_err(problem)?;
    let port = listener.local_addr().map_err(problem)?.port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // What fails shows at the near end.
            thread::spawn(move || serve(stream));
        }
    });
    Ok(port)
}

fn write_zeros(stream: &mut TcpStream, bytes: u64) -> std::io::Result<()> {
    let piece = vec![0; PIECE];
    (0..bytes / PIECE as u64).try_for_each(|_| stream.write_all(&piece))
}

/// Reads to the end; how many bytes that were.
fn drain(stream: &mut TcpStream) -> std::io::Result<u64> {
    let mut piece = vec![0; PIECE];
    let mut read = 0;
    loop {
        match stream.read(&mut piece)? {
            0 => return Ok(read),
            count => read += count as u64,
        }
    }
}

/// A client that only forwards a port of 127.0.0.1, and that port.
struct Tunnel(Child, u16);

impl Tunnel {
    fn open(bench: &Bench, make: Make, server: &Server, partner: u16) -> Result<Self, String> {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.map_err(|error| error.to_string())?.port();
        let forward = format!("LocalForward=127.0.0.1:{port} 127.0.0.1:{partner}");
        let mut command = bench.client(make, server, &[&forward, "ExitOnForwardFailure=yes", "SessionType=none"]);
        let tunnel = Self(command.spawn().map_err(|error| error.to_string())?, port);
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > deadline {
                return Err(format!("a tunnel of {} does not stand", make.name()));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(tunnel)
    }

    fn connect(&self) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", self.1))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    fn problem(&self, error: &std::io::Error) -> String {
        format!("through the tunnel at port {}: {error}", self.1)
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
