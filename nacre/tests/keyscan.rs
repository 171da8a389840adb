//! `nacre keyscan` against OpenSSH's sshd and ssh-keyscan, many hosts at once, and hosts that mean no good.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/peer.rs"]
mod peer;

use common::{Scratch, nacre, program, text};
use peer::{Peer, make_key, place};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

fn ours(args: &[&str]) -> Command {
    let mut command = nacre();
    command.arg("keyscan").args(args).stdin(Stdio::null());
    command
}

fn theirs(args: &[&str]) -> Command {
    let mut command = program("ssh-keyscan");
    command.args(args).stdin(Stdio::null());
    command
}

/// The lines in order: which connection ends first is chance.
fn sorted(out: &Output) -> Vec<String> {
    let mut lines: Vec<String> = text(out.stdout.clone()).lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn sshd(place: &Scratch) -> Peer {
    for (name, kind) in [("host_rsa", "rsa"), ("host_ecdsa", "ecdsa")] {
        make_key(place, name, &["-t", kind]);
    }
    let line = |name: &str| format!("HostKey {}\n", place.path(name).display());
    // ssh-keyscan comes five times for each host, and none of them is to be dropped.
    let keys = ["host_ed25519", "host_rsa", "host_ecdsa"].map(line).concat();
    Peer::sshd(place, &format!("MaxStartups 100\n{keys}"))
}

#[test]
fn the_lines_are_those_of_ssh_keyscan() {
    let place = place();
    let peer = sshd(&place);
    let port = peer.port.to_string();
    place.write("hosts", "# none\n\n127.0.0.1 Web,127.0.0.1\n127.0.0.1,localhost\n");
    let hosts = place.path("hosts").display().to_string();
    for args in [
        &["127.0.0.1"][..],
        &["127.0.0.1", "localhost"],
        &["-4", "LOCALHOST"],
        &["-t", "ed25519", "127.0.0.1"],
        &["-t", "ssh-rsa,ecdsa-sha2-nistp521,ssh-ed25519", "127.0.0.1"],
        &["-t", "rsa,ecdsa", "127.0.0.1,nobody.invalid"],
        &["-D", "127.0.0.1"],
        &["-f", &hosts],
        &["-f", &hosts, "localhost"],
        &["-T", "30", "127.0.0.1"],
    ] {
        let args = [&["-T", "60", "-p", &port], args].concat();
        let (out, wanted) = (ours(&args).output().unwrap(), theirs(&args).output().unwrap());
        assert_eq!(sorted(&out), sorted(&wanted), "{args:?}: {}", text(out.stderr));
        assert!(!sorted(&out).is_empty() && out.status.code() == Some(0), "{args:?}");
        // A comment for each connection, of which ssh-keyscan makes two more, for security keys.
        let comments = |out: &Output| {
            let mut lines: Vec<String> = text(out.stderr.clone()).lines().map(str::to_owned).collect();
            lines.retain(|line| line.starts_with(['#', ';']));
            lines.sort();
            lines.dedup();
            lines
        };
        assert_eq!(comments(&out), comments(&wanted), "{args:?}");
    }
    // ssh-keyscan 9.2 prints both hashes whatever is asked for.
    let out = ours(&["-D", "-O", "hashalg=sha256", "-t", "rsa", "-p", &port, "127.0.0.1"]).output().unwrap();
    assert!(sorted(&out).len() == 1 && sorted(&out)[0].starts_with("127.0.0.1 IN SSHFP 1 2 "), "{:?}", sorted(&out));
    // Hashed names are salted, so another program has to find them.
    let out = ours(&["-H", "-p", &port, "127.0.0.1,localhost"]).output().unwrap();
    place.write("hashed", &text(out.stdout));
    for name in ["127.0.0.1", "localhost"] {
        let name = format!("[{name}]:{port}");
        let found = program("ssh-keygen").args(["-F", &name, "-f"]).arg(place.path("hashed")).output().unwrap();
        assert_eq!(text(found.stdout).matches("ssh-ed25519").count(), 1, "{name}");
    }
    let out = ours(&["-q", "-p", &port, "127.0.0.1"]).output().unwrap();
    assert_eq!((text(out.stderr.clone()).as_str(), sorted(&out).len() > 1), ("", true));
    // Standard input names hosts too.
    let mut scan = ours(&["-q", "-t", "ed25519", "-p", &port, "-f", "-"]);
    let mut scan = scan.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    scan.stdin.take().unwrap().write_all(b"127.0.0.1 a,b\n").unwrap();
    let out = scan.wait_with_output().unwrap();
    assert!(sorted(&out)[0].starts_with(&format!("[a]:{port} ssh-ed25519 ")), "{:?}", sorted(&out));
}

#[test]
fn certificates_of_hosts() {
    let place = place();
    let key = place.path("host_ed25519");
    let mut keygen = program("ssh-keygen");
    keygen.args(["-q", "-h", "-I", "x", "-n", "127.0.0.1", "-s"]).arg(place.path("id")).arg(key.with_extension("pub"));
    assert!(keygen.status().unwrap().success());
    let peer = Peer::sshd(&place, &format!("HostCertificate {}-cert.pub", key.display()));
    let port = peer.port.to_string();
    let args = ["-T", "60", "-c", "-p", &port, "127.0.0.1"];
    let (out, wanted) = (ours(&args).output().unwrap(), theirs(&args).output().unwrap());
    assert_eq!(sorted(&out), sorted(&wanted), "{}", text(out.stderr));
    let certificate = place.read("host_ed25519-cert.pub");
    assert_eq!(sorted(&out), [certificate.split(' ').take(2).collect::<Vec<_>>().join(" ")]);
}

#[test]
fn mistakes_and_hosts_that_are_not_there() {
    for (args, why) in [
        (&[][..], "no host was named"),
        (&["-t", "foo", "h"], "unknown key type 'foo'"),
        (&["-t", "dsa", "h"], "-t dsa"),
        (&["-p", "0", "h"], "bad port"),
        (&["-T", "never", "h"], "-T never"),
        (&["-f", "/nonexistent"], "/nonexistent"),
        (&["-O", "hashalg=md5", "h"], "hashalg"),
        (&["10.0.0.0/7"], "10.0.0.0/7: no more than"),
        (&["-q6", "127.0.0.1"], "getaddrinfo 127.0.0.1: no address of the family"),
    ] {
        let out = ours(args).output().unwrap();
        let code = if args[..] == ["-f", "/nonexistent"] { 255 } else { 1 };
        assert_eq!(out.status.code(), Some(code), "{args:?}");
        assert!(text(out.stderr).contains(why), "{args:?}");
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let out = ours(&["-q", "-p", &port, "127.0.0.1", "nobody.invalid"]).output().unwrap();
    let err = text(out.stderr);
    assert_eq!((out.status.code(), out.stdout.len()), (Some(1), 0));
    assert_eq!(err.matches("connect (`127.0.0.1'): Connection refused").count(), 1, "{err}");
    assert_eq!(err.matches("getaddrinfo nobody.invalid: ").count(), 1, "{err}");
}

/// A host that does `what` with whoever connects.
fn host(what: fn(TcpStream)) -> (String, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let accepting = listener.try_clone().unwrap();
    thread::spawn(move || {
        for stream in accepting.incoming().flatten() {
            thread::spawn(move || what(stream));
        }
    });
    (listener.local_addr().unwrap().port().to_string(), listener)
}

fn silent(mut stream: TcpStream) {
    let _ = stream.read_to_end(&mut Vec::new());
}

fn endless_banner(mut stream: TcpStream) {
    while stream.write_all(&[b"x\r\n".as_slice(); 1000].concat()).is_ok() {}
}

fn endless_line(mut stream: TcpStream) {
    while stream.write_all(&[b'x'; 4096]).is_ok() {}
}

fn garbage(mut stream: TcpStream) {
    let _ = stream.write_all(b"SSH-2.0-evil\x1b[31m\r\n");
    let _ = stream.write_all(&[0xff; 100_000]);
    let _ = stream.read_to_end(&mut Vec::new());
}

fn drip(mut stream: TcpStream) {
    while stream.write_all(b"y").is_ok() {
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn hostile_hosts_keep_nobody() {
    for what in [silent, endless_banner, endless_line, garbage, drip] {
        let (port, _listener) = host(what);
        let begin = Instant::now();
        let out = ours(&["-T", "2", "-p", &port, "127.0.0.1"]).output().unwrap();
        assert_eq!((out.status.code(), out.stdout.len()), (Some(1), 0));
        assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
        let err = out.stderr;
        assert!(err.len() < 4096 && !err.contains(&0x1b), "{}", text(err));
        assert!(text(err).contains("127.0.0.1"));
    }
}

#[test]
fn many_hosts_are_scanned_at_once() {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let (arrived, arrivals) = std::sync::mpsc::channel();
    thread::spawn(move || {
        // Kept open: each waits for an identification that never comes.
        let mut open = Vec::new();
        for stream in listener.incoming().flatten() {
            open.push(stream);
            let _ = arrived.send(open.len());
        }
    });
    let place = Scratch::new();
    place.write("hosts", &(1..=100).map(|n| format!("127.0.1.{n}\n")).collect::<String>());
    let hosts = place.path("hosts").display().to_string();
    let mut scan = ours(&["-T", "200", "-t", "ed25519", "-p", &port, "-f", &hosts]).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(180);
    let mut most = 0;
    while most < 100 && Instant::now() < deadline {
        most = arrivals.recv_timeout(Duration::from_secs(1)).unwrap_or(most);
    }
    scan.kill().unwrap();
    scan.wait().unwrap();
    assert_eq!(most, 100, "one slow host keeps no other waiting");
}

#[test]
fn each_name_of_a_list_has_its_own_time() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let port = peer.port;
    // The same port on another address, where nobody answers.
    let listener = TcpListener::bind(("127.0.0.77", port)).unwrap();
    let scan = |hosts: &str| {
        let out = ours(&["-T", "20", "-t", "ed25519", "-p", &port.to_string(), hosts]).output().unwrap();
        (out.status.code(), text(out.stdout), text(out.stderr))
    };
    let (code, out, err) = scan("127.0.0.77,127.0.0.1");
    assert_eq!((code, out.contains(" ssh-ed25519 ")), (Some(0), true), "{err}");
    assert!(err.contains("127.0.0.77: it took too long"), "{err}");
    drop(listener);
    // A range is every address of it.
    let (code, out, err) = scan("127.0.0.0/31");
    assert!(code == Some(0) && out.starts_with(&format!("[127.0.0.1]:{port} ssh-ed25519 ")), "{out} {err}");
    assert!(err.contains("127.0.0.0") && out.lines().count() == 1, "{out} {err}");
}
