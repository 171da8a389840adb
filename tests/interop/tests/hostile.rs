//! Bytes that are no SSH, conversations that break off, and what they do to others: nothing.

use interop::client::Call;
use interop::run::{spawn, until, wait};
use interop::server::{Make, Server, Setup};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Child;
use std::time::Duration;

/// A server with a short time for logging in, so that what is left half open ends while we look.
fn server() -> Server {
    Setup::new(Make::Nacre).line("LoginGraceTime 12").start()
}

/// A session that goes on while others misbehave.
struct Bystander {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
}

impl Bystander {
    fn at(server: &Server) -> Self {
        let mut child = spawn(&mut Call::new(Make::OpenSsh, server).command(&["cat"]));
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut bystander = Self { child, out };
        bystander.is_well();
        bystander
    }

    fn is_well(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"well\n").unwrap();
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        assert_eq!(line, "well\n");
    }

    fn leaves(mut self) {
        drop(self.child.stdin.take());
        assert!(wait(&mut self.child, interop::run::LIMIT).is_some_and(|status| status.success()));
    }
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    stream.set_read_timeout(Some(interop::run::LIMIT)).unwrap();
    stream
}

/// Sends `bytes` and waits until the server has closed.
fn sends_and_waits(server: &Server, bytes: &[u8]) {
    let mut stream = connect(server);
    // The server may close while we still write.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let closed = stream.read_to_end(&mut Vec::new());
    let timed_out = |error: &std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
    assert!(!closed.as_ref().is_err_and(timed_out), "{closed:?}");
}

/// Sends `bytes` and breaks off at once.
fn sends_and_leaves(server: &Server, bytes: &[u8]) {
    let mut stream = connect(server);
    let _ = stream.write_all(bytes);
}

/// The server's resident memory, in KiB, of all its processes.
fn memory(server: &Server) -> u64 {
    let of = |pid: u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:").map(str::to_owned));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0)
    };
    interop::process::family(server.pid()).into_iter().map(of).sum()
}

fn is_served(server: &Server) {
    let done = Call::new(Make::OpenSsh, server).run("exit 21", b"");
    assert_eq!(done.code, 21, "{}", done.errors());
}

/// What an honest client says first: its identification and its KEXINIT, as OpenSSH's sends them
/// before it waits for anything.
fn honest_start(server: &Server) -> Vec<u8> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut child = spawn(&mut Call::new(Make::OpenSsh, server).port(port).command(&["true"]));
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(interop::run::LIMIT)).unwrap();
    stream.write_all(b"SSH-2.0-Listener\r\n").unwrap();
    let mut reader = BufReader::new(stream);
    let mut bytes = Vec::new();
    reader.read_until(b'\n', &mut bytes).unwrap();
    let mut length = [0; 4];
    reader.read_exact(&mut length).unwrap();
    let mut packet = vec![0; u32::from_be_bytes(length) as usize];
    reader.read_exact(&mut packet).unwrap();
    bytes.extend(length);
    bytes.extend(packet);
    let _ = child.kill();
    let _ = child.wait();
    bytes
}

/// Numbers without a pattern, always the same ones.
fn noise(length: usize, mut seed: u64) -> Vec<u8> {
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 32) as u8
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn openssh_client_goes_on_while_others_send_what_is_no_ssh() {
    let server = server();
    let mut bystander = Bystander::at(&server);
    let long_line = [b"SSH-2.0-".as_slice(), &[b'x'; 100_000]].concat();
    let flood = b"no identification\r\n".repeat(100_000);
    let giant = [b"SSH-2.0-x\r\n".as_slice(), &[0xff; 4096]].concat();
    let empty = [b"SSH-2.0-x\r\n".as_slice(), &[0; 4096]].concat();
    let cases: [&[u8]; 9] = [
        b"",
        b"\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"SSH-1.5-old\r\n",
        b"SSH-2.0-\r\n\0\0\0\0",
        &long_line,
        &flood,
        &giant,
        &empty,
    ];
    for case in cases {
        sends_and_waits(&server, case);
        bystander.is_well();
    }
    for seed in 1..=64 {
        let bytes = noise(4096, seed);
        sends_and_waits(&server, &bytes);
        sends_and_waits(&server, &[b"SSH-2.0-x\r\n", bytes.as_slice()].concat());
    }
    bystander.is_well();
    is_served(&server);
    bystander.leaves();
}

#[test]
fn openssh_client_goes_on_while_others_break_off_at_every_byte() {
    let server = server();
    let mut bystander = Bystander::at(&server);
    let start = honest_start(&server);
    assert!(start.len() > 500, "{} bytes", start.len());
    for cut in (0..start.len()).step_by(7).chain([start.len()]) {
        sends_and_leaves(&server, &start[..cut]);
    }
    bystander.is_well();
    for cut in (0..start.len()).step_by(97).chain([start.len()]) {
        sends_and_waits(&server, &start[..cut]);
    }
    bystander.is_well();
    is_served(&server);
    bystander.leaves();
}

#[test]
fn openssh_client_goes_on_while_others_bend_every_byte() {
    let server = server();
    let mut bystander = Bystander::at(&server);
    let start = honest_start(&server);
    for place in (0..start.len()).step_by(11) {
        let mut bent = start.clone();
        bent[place] ^= 0x80;
        sends_and_leaves(&server, &bent);
    }
    bystander.is_well();
    is_served(&server);
    bystander.leaves();
}

#[test]
fn openssh_client_is_served_while_hundreds_say_nothing() {
    let server = server();
    let mut bystander = Bystander::at(&server);
    let silent: Vec<TcpStream> = (0..300).map(|_| connect(&server)).collect();
    bystander.is_well();
    is_served(&server);
    // After their time is up the server closes them all.
    for mut stream in silent {
        stream.set_read_timeout(Some(interop::run::LIMIT)).unwrap();
        let closed = stream.read_to_end(&mut Vec::new());
        assert!(!matches!(&closed, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock), "{closed:?}");
    }
    bystander.is_well();
    bystander.leaves();
}

#[test]
fn openssh_client_may_be_killed_at_any_moment() {
    let server = server();
    let mut bystander = Bystander::at(&server);
    for milliseconds in (0..60).step_by(3) {
        let mut child = spawn(&mut Call::new(Make::OpenSsh, &server).command(&["cat /dev/zero"]));
        // Not for anything to be ready: the moment is what varies.
        std::thread::sleep(Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    bystander.is_well();
    is_served(&server);
    bystander.leaves();
    // What the killed clients had running is gone with them.
    until("the end of what killed clients had started", || {
        let others =
            interop::process::family(server.pid()).into_iter().filter(|pid| command_line(*pid).contains("/dev/zero"));
        (others.count() == 0).then_some(())
    });
}

fn command_line(pid: u32) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

#[test]
fn openssh_client_s_server_keeps_no_memory_of_those_who_broke_off() {
    let server = server();
    let start = honest_start(&server);
    let round = || {
        for seed in 1..=200 {
            sends_and_leaves(&server, &start);
            sends_and_waits(&server, &[b"SSH-2.0-x\r\n".as_slice(), &noise(2048, seed)].concat());
        }
        is_served(&server);
    };
    // The first round fills pools that stay.
    round();
    let before = memory(&server);
    for _ in 0..4 {
        round();
    }
    // Those who left without a word may have to wait for their time to be up.
    until("memory to be given back", || (memory(&server) < before + 8 * 1024).then_some(()));
}

#[test]
fn openssh_client_is_let_finish_when_the_server_is_told_to_end() {
    let mut server = Setup::new(Make::Nacre).start();
    let mut bystander = Bystander::at(&server);
    let port = server.port;
    std::thread::scope(|scope| {
        let end = scope.spawn(|| server.terminate());
        until("the listener to close", || TcpStream::connect(("127.0.0.1", port)).is_err().then_some(()));
        bystander.is_well();
        bystander.leaves();
        assert_eq!(end.join().unwrap(), 0);
    });
}
