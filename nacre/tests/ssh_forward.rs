//! `nacre ssh -L`, `-R`, `-D` and `-W` with OpenSSH's server: real sockets at both ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/peer.rs"]
mod peer;
#[path = "common/tunnel.rs"]
mod tunnel;

use common::Scratch;
use peer::{Peer, noise, place, require, run};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tunnel::{Carrier, PATIENCE, echo_server, exchange, free_port, unix_echo_server, unix_exchange, web_server};

const HOST: &str = "127.0.0.1";

fn client(place: &Scratch, peer: &Peer, words: &[&str]) -> Command {
    let mut command = peer.client(place);
    command.args(words).arg(HOST);
    command
}

fn carrier(place: &Scratch, peer: &Peer, words: &[&str]) -> Carrier {
    Carrier::start(&mut client(place, peer, &[&["-N"], words].concat()))
}

/// The first line of a file that another process is about to write.
fn written_line(path: &Path) -> String {
    let end = Instant::now() + PATIENCE;
    loop {
        match std::fs::read_to_string(path) {
            Ok(text) if text.ends_with('\n') => return text.trim_end().to_owned(),
            _ => assert!(Instant::now() < end, "nothing was written to {}", path.display()),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn echoed(data: &[u8]) -> Vec<u8> {
    [data, b"end"].concat()
}

#[test]
fn a_port_here_leads_to_a_port_there() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let port = free_port();
    let mut carrier = carrier(&place, &peer, &["-L", &format!("{port}:{HOST}:{}", echo_server())]);
    let data = noise(16 * 1024 * 1024 + 3);
    let back = exchange(carrier.connect(port), &data);
    assert!(back == echoed(&data), "{} bytes came back: {}", back.len(), carrier.rest());
    // The other half ends alone as well: the answer comes after our end.
    assert_eq!(exchange(carrier.connect(port), b""), b"end");
    // IPv6's loopback is listened on too.
    let six = TcpStream::connect(("::1", port)).unwrap();
    assert_eq!(exchange(six, b"six"), echoed(b"six"));
}

#[test]
fn sockets_of_the_file_system_at_either_end() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let (here, there) = (place.path("here"), place.path("there"));
    unix_echo_server(&there);
    let port = free_port();
    let (to_port, from_port) =
        (format!("{}:{HOST}:{}", here.display(), echo_server()), format!("{port}:{}", there.display()));
    let mut carrier = carrier(&place, &peer, &["-L", &to_port, "-L", &from_port]);
    assert_eq!(exchange(carrier.connect(port), b"over"), echoed(b"over"));
    assert_eq!(unix_exchange(&here, b"under"), echoed(b"under"));
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&here).unwrap().permissions().mode() & 0o777, 0o600);
    // What is there already stays, unless it is told to make way.
    let mut second =
        Carrier::start(&mut client(&place, &peer, &["-N", "-o", "ExitOnForwardFailure=yes", "-L", &to_port]));
    assert_eq!(second.code(), 255);
    let said = second.rest();
    assert!(
        said.contains(&format!("unix_listener: cannot bind to path {}: Address already in use", here.display())),
        "{said}"
    );
    assert!(said.ends_with("Could not request local forwarding.\n"), "{said}");
    let words = ["-o", "StreamLocalBindUnlink=yes", "-o", "StreamLocalBindMask=0111", "-v", "-L", &to_port];
    let mut third = self::carrier(&place, &peer, &words);
    let end = Instant::now() + PATIENCE;
    while std::fs::metadata(&here).map_or(true, |found| found.permissions().mode() & 0o777 != 0o666) {
        assert!(Instant::now() < end, "{}", third.rest());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(unix_exchange(&here, b"again"), echoed(b"again"));
}

#[test]
fn a_port_there_leads_to_a_port_here() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let echo = echo_server();
    let mut carrier =
        carrier(&place, &peer, &["-R", &format!("0:{HOST}:{echo}"), "-R", &format!("0:localhost:{}", free_port())]);
    let line = carrier.wait_for("Allocated port");
    let port: u16 = line.split(' ').nth(2).unwrap().parse().unwrap();
    assert_eq!(line, format!("Allocated port {port} for remote forward to {HOST}:{echo}"));
    let second = carrier.wait_for("Allocated port");
    let data = noise(4 * 1024 * 1024);
    assert!(exchange(carrier.connect(port), &data) == echoed(&data), "{}", carrier.rest());
    // Nobody is at home here.
    let closed: u16 = second.split(' ').nth(2).unwrap().parse().unwrap();
    assert_eq!(exchange(TcpStream::connect((HOST, closed)).unwrap(), b""), b"");
    carrier.wait_for("failed: Connection refused");
}

#[test]
fn a_socket_there_leads_to_a_socket_here() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let (there, here) = (place.path("there"), place.path("here"));
    unix_echo_server(&here);
    let mut carrier = carrier(&place, &peer, &["-v", "-R", &format!("{}:{}", there.display(), here.display())]);
    carrier.wait_for("the server listens on");
    assert_eq!(unix_exchange(&there, b"deep"), echoed(b"deep"));
}

/// Fetches the page through a proxy.
fn curl(kind: &str, proxy: u16, host: &str, port: u16) -> peer::Outcome {
    let mut curl = require("curl", "curl");
    curl.args(["-s", "-S", "--noproxy", "", "--max-time", "120", kind, &format!("{HOST}:{proxy}")]);
    run(curl.arg(format!("http://{host}:{port}/")), b"")
}

const KINDS: [&str; 4] = ["--socks5-hostname", "--socks5", "--socks4a", "--socks4"];

#[test]
fn socks_here() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let (proxy, web) = (free_port(), web_server());
    let mut carrier = carrier(&place, &peer, &["-D", &proxy.to_string()]);
    drop(carrier.connect(proxy));
    for kind in KINDS {
        let done = curl(kind, proxy, "127.0.0.1", web);
        assert_eq!((done.code, done.text().as_str()), (0, "page"), "{kind}: {}{}", done.err, carrier.rest());
        // A connection that cannot be had is said to be so.
        let done = curl(kind, proxy, "127.0.0.1", free_port());
        assert_eq!(done.code, 97, "{kind}: {}", done.err);
    }
    let done = curl("--socks5-hostname", proxy, "localhost", web);
    assert_eq!((done.code, done.text().as_str()), (0, "page"), "{}", done.err);
    // Not a SOCKS client: hung up on.
    let mut stream = TcpStream::connect((HOST, proxy)).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!(stream.read(&mut [0; 16]).unwrap_or(0), 0);
}

#[test]
fn socks_there() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let (proxy, web, other) = (free_port(), web_server(), web_server());
    let permit = format!("PermitRemoteOpen={HOST}:{web} localhost:*");
    let mut carrier = carrier(&place, &peer, &["-o", &permit, "-R", &proxy.to_string()]);
    drop(carrier.connect(proxy));
    for kind in KINDS {
        let done = curl(kind, proxy, HOST, web);
        assert_eq!((done.code, done.text().as_str()), (0, "page"), "{kind}: {}{}", done.err, carrier.rest());
    }
    let done = curl("--socks5-hostname", proxy, "localhost", other);
    assert_eq!((done.code, done.text().as_str()), (0, "page"), "{}{}", done.err, carrier.rest());
    let done = curl("--socks5-hostname", proxy, HOST, other);
    assert_eq!(done.code, 97, "{}", done.err);
    carrier.wait_for("PermitRemoteOpen does not allow 127.0.0.1 port");
}

#[test]
fn standard_input_and_output_lead_to_a_port() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let data = noise(8 * 1024 * 1024);
    let done = run(&mut client(&place, &peer, &["-W", &format!("{HOST}:{}", echo_server())]), &data);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.out == echoed(&data), "{} bytes came back", done.out.len());
    let closed = free_port();
    let done = run(&mut client(&place, &peer, &["-W", &format!("{HOST}:{closed}")]), b"");
    let wanted = "channel 0: open failed: connect failed: Connection refused\nstdio forwarding failed\n";
    assert_eq!((done.code, done.err.as_str()), (255, wanted));
}

#[test]
fn the_far_half_of_standard_output_ends_alone() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let listener = TcpListener::bind((HOST, 0)).unwrap();
    let to = format!("{HOST}:{}", listener.local_addr().unwrap().port());
    let mut carrier = Carrier::start(&mut client(&place, &peer, &["-W", &to]));
    let (mut stream, _) = listener.accept().unwrap();
    stream.write_all(b"all I say").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut out = String::new();
    carrier.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert_eq!(out, "all I say");
    carrier.input.take().unwrap().write_all(b"still here").unwrap();
    let mut back = String::new();
    stream.read_to_string(&mut back).unwrap();
    assert_eq!(back, "still here");
    assert_eq!(carrier.code(), 0, "{}", carrier.rest());
}

#[test]
fn a_port_that_is_taken() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let taken = TcpListener::bind((HOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let spec = format!("{HOST}:{port}:{HOST}:1");
    let lines = format!(
        "bind [{HOST}]:{port}: Address already in use\n\
         channel_setup_fwd_listener_tcpip: cannot listen to port: {port}\n\
         Could not request local forwarding.\n"
    );
    let done = run(peer.client(&place).args(["-L", &spec, HOST, "echo on"]), b"");
    assert_eq!((done.code, done.text().as_str()), (0, "on\n"));
    assert!(done.err.ends_with(&lines), "{:?}", done.err);
    let done = run(peer.client(&place).args(["-o", "ExitOnForwardFailure=yes", "-L", &spec, HOST, "echo on"]), b"");
    assert_eq!((done.code, done.text().as_str(), done.err.as_str()), (255, "", lines.as_str()));
    // The same on the other side, where the server is content with one of its two addresses.
    let six = TcpListener::bind(("::1", port)).unwrap();
    let spec = format!("{port}:{HOST}:1");
    let done = run(peer.client(&place).args(["-R", &spec, HOST, "echo on"]), b"");
    assert_eq!((done.code, done.text().as_str()), (0, "on\n"));
    assert_eq!(done.err, format!("Warning: remote port forwarding failed for listen port {port}\n"));
    let done = run(peer.client(&place).args(["-o", "ExitOnForwardFailure=yes", "-R", &spec, "-N", HOST]), b"");
    let wanted = format!("Error: remote port forwarding failed for listen port {port}\n");
    assert_eq!((done.code, done.err), (255, wanted));
    drop((taken, six));
}

#[test]
fn what_is_cleared_is_not_asked_for() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let taken = TcpListener::bind((HOST, 0)).unwrap();
    let spec = format!("{HOST}:{}:{HOST}:1", taken.local_addr().unwrap().port());
    let words = ["-o", "ClearAllForwardings=yes", "-o", "ExitOnForwardFailure=yes", "-L", &spec, HOST, "echo on"];
    let done = run(peer.client(&place).args(words), b"");
    assert_eq!((done.code, done.text().as_str()), (0, "on\n"), "{}", done.err);
}

#[test]
fn a_server_that_forwards_nothing_says_so_at_each_connection() {
    let place = place();
    let peer = Peer::sshd(&place, "AllowTcpForwarding no");
    let port = free_port();
    let mut carrier = carrier(&place, &peer, &["-L", &format!("{port}:{HOST}:1")]);
    assert_eq!(exchange(carrier.connect(port), b""), b"");
    carrier.wait_for("open failed: administratively prohibited: open failed");
}

#[test]
fn two_hundred_streams_at_once_and_a_stuck_one() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let (port, echo) = (free_port(), echo_server());
    let mut carrier = carrier(&place, &peer, &["-L", &format!("{port}:{HOST}:{echo}")]);
    // It sends and never reads, until nobody takes any more of it.
    let mut stuck = carrier.connect(port);
    stuck.set_nonblocking(true).unwrap();
    let (chunk, end) = (vec![7; 64 * 1024], Instant::now() + Duration::from_secs(2));
    while Instant::now() < end {
        if stuck.write(&chunk).is_err() {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let data = noise(100_000);
    std::thread::scope(|scope| {
        let streams: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect((HOST, port)).unwrap()).collect();
        let data = &data;
        let done: Vec<_> = streams.into_iter().map(|stream| scope.spawn(move || exchange(stream, data))).collect();
        for back in done {
            assert!(back.join().unwrap() == echoed(data));
        }
    });
    assert!(carrier.child.try_wait().unwrap().is_none());
}

#[test]
fn everything_ends_with_the_connection() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let (port, socket) = (free_port(), place.path("socket"));
    let words = ["-L", &format!("{port}:{HOST}:{}", echo_server()), "-L", &format!("{}:{HOST}:1", socket.display())];
    let mut carrier = carrier(&place, &peer, &words);
    let mut stream = carrier.connect(port);
    stream.write_all(b"x").unwrap();
    stream.read_exact(&mut [0]).unwrap();
    drop(peer);
    // The process that serves the connection outlives the one that listens: end it by its own socket.
    let number = rustix::process::Pid::from_child(&carrier.child);
    rustix::process::kill_process(number, rustix::process::Signal::TERM).unwrap();
    assert_eq!(carrier.code(), 255);
    assert_eq!(stream.read(&mut [0; 16]).unwrap_or(0), 0);
    assert!(TcpStream::connect((HOST, port)).is_err());
    assert!(!socket.exists(), "the socket is left behind");
}

#[test]
fn a_session_that_is_over_waits_for_what_goes_through() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let port = free_port();
    let spec = format!("{port}:{HOST}:{}", echo_server());
    let mut carrier = Carrier::start(peer.client(&place).args(["-L", &spec, HOST, "read line; exit 3"]));
    let mut stream = carrier.connect(port);
    stream.write_all(b"x").unwrap();
    stream.read_exact(&mut [0]).unwrap();
    drop(carrier.input.take());
    std::thread::sleep(Duration::from_millis(500));
    assert!(carrier.child.try_wait().unwrap().is_none(), "it cut the connection: {}", carrier.rest());
    assert_eq!(exchange(stream, b"y"), echoed(b"y"));
    assert_eq!(carrier.code(), 3, "{}", carrier.rest());
}

#[test]
fn the_background_is_gone_to_once_everything_is_set_up() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let (here, there, echo) = (free_port(), free_port(), echo_server());
    let (local, remote) = (format!("{here}:{HOST}:{echo}"), format!("{there}:{HOST}:{echo}"));
    let words = ["-f", "-o", "ExitOnForwardFailure=yes", "-L", &local, "-R", &remote];
    let done = peer
        .client(&place)
        .args(words)
        .args([HOST, &format!("echo $PPID > {}; sleep 120", place.path("pid").display())])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(done.success());
    for port in [here, there] {
        let stream = TcpStream::connect((HOST, port)).expect("nobody listens yet");
        assert_eq!(exchange(stream, b"early"), echoed(b"early"));
    }
    // The server's process for this session: with it the client ends.
    let server = written_line(&place.path("pid")).parse().unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(server).unwrap(), rustix::process::Signal::TERM)
        .unwrap();
    let end = Instant::now() + PATIENCE;
    while TcpStream::connect((HOST, here)).is_ok() {
        assert!(Instant::now() < end, "it is still there");
        std::thread::sleep(Duration::from_millis(50));
    }
}
