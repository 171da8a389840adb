//! How `nacre serve` starts, stops and bears strangers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/serve.rs"]
mod serve;

use common::{Scratch, nacre};
use serve::{Done, Server, eventually, finish};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// A server that cannot start, with this configuration.
fn refused(config: &str) -> Done {
    let place = Scratch::new();
    let file = place.write("config", config);
    let mut command = nacre();
    command.args(["serve", "--user-mode", "--state"]).arg(place.path("state")).arg("-f").arg(file);
    let done = finish(command.args(["--listen", "127.0.0.1:1"]).arg("-t"), b"");
    assert_eq!(done.code, 255, "{}", done.err);
    done
}

#[test]
fn a20_mistakes_in_the_configuration_name_the_line_and_the_nearest_word() {
    for (config, words) in [
        ("Port 22\nPermitRotLogin no\n", &["line 2", "PermitRotLogin", "PermitRootLogin"][..]),
        ("PasswordAuthentication maybe\n", &["line 1", "maybe"]),
        ("Ciphers no-such-cipher\n", &["line 1", "no-such-cipher"]),
        ("MaxStartups 3:x\n", &["line 1"]),
        ("Match User a\nPort 23\n", &["line 2", "Port"]),
        ("RDomain vrf1\n", &["line 1", "RDomain"]),
        ("PermitRootLogin\n", &["line 1", "PermitRootLogin"]),
    ] {
        let done = refused(config);
        for word in words {
            assert!(done.err.contains(word), "{word} is not in {:?}", done.err);
        }
        assert!(!done.err.contains("panicked"), "{}", done.err);
    }
}

/// What `-T` prints for a configuration, of a connection when one is named.
fn dump(place: &Scratch, config: &str, connection: Option<&str>) -> String {
    let file = place.write("config", config);
    let mut command = nacre();
    command.args(["serve", "--user-mode", "-G", "--state"]).arg(place.path("state")).arg("-f").arg(file);
    if let Some(connection) = connection {
        command.args(["-C", connection]);
    }
    let done = finish(&mut command, b"");
    assert_eq!(done.code, 0, "{config}: {}", done.err);
    done.out
}

#[test]
fn a20_what_the_server_obeys_shows_in_its_dump_in_and_out_of_match() {
    let place = Scratch::new();
    let everybody = dump(&place, "", None);
    let alice = "user=alice,host=h,addr=192.0.2.1";
    for line in [
        "LoginGraceTime 7",
        "MaxStartups 3:4:5",
        "PerSourceMaxStartups 3",
        "PerSourceNetBlockSize 24:48",
        "PerSourcePenalties noauth:9s",
        "PerSourcePenaltyExemptList 192.0.2.0/24",
        "Ciphers aes128-ctr",
        "KexAlgorithms curve25519-sha256",
        "MACs hmac-sha2-256-etm@openssh.com",
        "StrictModes no",
        "PrintMotd no",
        "TCPKeepAlive no",
        "PidFile none",
        "VersionAddendum x",
        "Port 2",
        "AddressFamily inet6",
    ] {
        assert_ne!(dump(&place, line, None), everybody, "{line}");
        assert!(refused(&format!("Match User alice\n{line}\n")).err.contains("line 2"), "{line}");
    }
    for line in [
        "MaxAuthTries 3",
        "MaxSessions 3",
        "ClientAliveInterval 3",
        "ClientAliveCountMax 9",
        "RequiredRSASize 4096",
        "UnusedConnectionTimeout 9",
        "PermitRootLogin no",
        "PubkeyAuthentication no",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PermitTTY no",
        "RefuseConnection yes",
        "Banner /x",
        "ForceCommand x",
        "AuthorizedKeysFile /x",
        "AllowUsers alice",
        "DenyUsers bob",
        "AllowGroups x",
        "DenyGroups x",
        "AcceptEnv X",
        "SetEnv X=1",
        "AuthenticationMethods publickey,password",
        "Subsystem x /x",
        "RekeyLimit 1G",
        "PubkeyAcceptedAlgorithms ssh-ed25519",
    ] {
        assert_ne!(dump(&place, line, None), everybody, "{line}");
        let matched = format!("Match User alice\n{line}\n");
        assert_ne!(dump(&place, &matched, Some(alice)), dump(&place, "", Some(alice)), "{line} in Match");
        assert_eq!(dump(&place, &matched, Some("user=bob,host=h,addr=192.0.2.1")), dump(&place, "", None), "{line}");
    }
}

#[test]
fn a_port_in_use_is_one_line_and_255() {
    let server = Server::start("");
    let mut command = serve::serve(&server.place, server.port);
    let err = server.place.path("second");
    let done = finish(command.stderr(Stdio::null()), b"");
    assert_eq!(done.code, 255);
    let mut child = serve::serve(&server.place, server.port)
        .stderr(std::fs::File::create(&err).unwrap())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(255));
    let said = server.place.read("second");
    assert_eq!(said.lines().filter(|line| line.contains("cannot listen on 127.0.0.1:")).count(), 1, "{said}");
    assert!(said.lines().count() <= 2, "{said}");
    assert_eq!(server.run("echo in").out, "in\n");
}

#[test]
fn sigterm_lets_a_session_finish() {
    let mut server = Server::start("ClientAliveInterval 0");
    let fifo = server.place.path("fifo");
    assert_eq!(finish(common::program("mkfifo").arg(&fifo), b"").code, 0);
    let command = format!("echo runs; cat {}; exit 6", fifo.display());
    let mut client = server.ssh(&[]).arg(command).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(client.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let idle = server.connect();
    server.signal("TERM");
    server.logs("stopping");
    eventually("the closed port", || TcpStream::connect(("127.0.0.1", server.port)).is_err());
    std::fs::write(&fifo, "the rest\n").unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!((line.as_str(), rest.as_str()), ("runs\n", "the rest\n"));
    assert_eq!(client.wait().unwrap().code(), Some(6));
    assert_eq!(server.ends(), 0);
    drop(idle);
}

#[test]
fn sigterm_tells_connections_that_run_nothing_at_once() {
    let mut server = Server::start("ClientAliveInterval 0");
    let mut client = server.ssh(&["-N"]).stdin(Stdio::null()).spawn().unwrap();
    server.logs("Accepted publickey");
    let since = Instant::now();
    server.signal("TERM");
    assert_eq!(server.ends(), 0);
    assert!(since.elapsed() < Duration::from_secs(100), "it waited for nothing: {:?}", since.elapsed());
    assert_eq!(client.wait().unwrap().code(), Some(255));
}

#[test]
fn sighup_reads_the_configuration_anew_and_keeps_the_old_one_if_it_is_wrong() {
    let server = Server::start("ForceCommand echo one");
    assert_eq!(server.run("x").out, "one\n");
    server.configure("ForceCommand echo two");
    server.signal("HUP");
    server.logs("configuration reloaded");
    assert_eq!(server.run("x").out, "two\n");
    server.configure("ForceComand echo three");
    server.signal("HUP");
    server.logs("configuration not reloaded");
    assert_eq!(server.run("x").out, "two\n");
}

fn first_line(stream: TcpStream) -> String {
    let mut line = String::new();
    let _ = BufReader::new(stream).read_line(&mut line);
    line.trim_end().to_owned()
}

#[test]
fn p04_p06_refused_peers_are_told_why() {
    let server = Server::start("PerSourceMaxStartups 2");
    let idle = [server.connect(), server.connect()];
    eventually("the refusal", || {
        first_line(server.connect()).starts_with("Refused: too many connections from your network")
    });
    drop(idle);
    eventually("a free place", || first_line(server.connect()).starts_with("SSH-2.0-"));

    let server = Server::start("PerSourcePenalties authfail:10s noauth:10s\nPerSourcePenaltyExemptList 10.0.0.1");
    assert!(first_line(server.connect()).starts_with("SSH-2.0-"));
    // Two connections that left without trying cost 20 s, past the 15 s at which a source is refused.
    eventually("the refusal", || {
        first_line(server.connect()).starts_with("Refused: failed logins or faults from your network; try again in ")
    });
    server.logs("PerSourcePenalties:");
}

#[test]
fn p03_two_thousand_idle_sockets_keep_no_login_out_and_cost_little() {
    let _ = nacre_sys::privileges::raise_open_files();
    let server = Server::start("");
    assert_eq!(server.run("echo warm").out, "warm\n");
    let before = server.status("VmRSS");
    let mut idle = Vec::new();
    for number in 0..2000 {
        let mut stream = server.connect();
        if number % 2 == 0 {
            // Half of them stop in the middle of a line, with the server's buffer in use.
            let _ = stream.write_all(b"SSH-2.0-half");
        }
        idle.push(stream);
    }
    eventually("most are held", || server.descriptors().len() > 90);
    let since = Instant::now();
    assert_eq!(server.run("echo in").out, "in\n", "{}", server.log());
    let took = since.elapsed();
    let held = u64::try_from(server.descriptors().len()).unwrap();
    let grown = server.status("VmRSS").saturating_sub(before);
    assert!(grown <= 16 * held.max(1000), "{grown} KiB for {held} connections");
    println!("the login took {took:?}");
    assert_eq!(server.log().matches("Accepted publickey").count(), 2);
    drop(idle);
    assert_eq!(server.run("echo after").out, "after\n");
}

/// The server's KEXINIT, from a connection that said its name.
fn greet(server: &Server) -> TcpStream {
    let mut stream = server.connect();
    stream.write_all(b"SSH-2.0-test\r\n").unwrap();
    stream
}

/// Sends bytes and reads what comes until the server closes.
fn provoke(mut stream: TcpStream, bytes: &[u8]) -> Vec<u8> {
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

#[test]
fn c12_garbage_and_half_handshakes_disturb_nobody() {
    let server = Server::start("");
    let mut client = server.ssh(&[]).arg("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, mut output) = (client.stdin.take().unwrap(), BufReader::new(client.stdout.take().unwrap()));
    let mut echo = |text: &str| {
        writeln!(input, "{text}").unwrap();
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), text);
    };
    echo("before");
    provoke(server.connect(), b"");
    provoke(server.connect(), b"GET / HTTP/1.0\r\n\r\n");
    provoke(server.connect(), &vec![b'x'; 1_000_000]);
    provoke(server.connect(), &vec![0; 1_000_000]);
    provoke(server.connect(), b"SSH-1.5-old\r\n");
    provoke(server.connect(), b"SSH-2.0-forged\x1b[31m\rAccepted publickey for root\r\n");
    for bytes in [&b""[..], &[0xff; 64], &[0, 0, 0, 12, 4, 20, 0, 0], &[0, 4, 0, 0, 0], &[0; 4096]] {
        provoke(greet(&server), bytes);
        echo("during");
    }
    // What a real client says first, cut at many places.
    let mut stream = greet(&server);
    let mut theirs = vec![0; 2000];
    let got = stream.read(&mut theirs).unwrap();
    let line = theirs[..got].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let mut kexinit = theirs[line..got].to_vec();
    while kexinit.len() < 500 {
        let got = stream.read(&mut theirs).unwrap();
        kexinit.extend(&theirs[..got]);
    }
    for cut in (0..kexinit.len()).step_by(37) {
        provoke(greet(&server), &kexinit[..cut]);
    }
    echo("after");
    drop(input);
    assert_eq!(client.wait().unwrap().code(), Some(0));
    let log = server.log();
    assert!(!log.contains("panicked") && !log.contains('\x1b'), "{log}");
    assert!(!log.lines().any(|line| line.starts_with("Accepted")), "{log}");
}

#[test]
fn c12_a_thousand_connections_leave_nothing() {
    let server = Server::start("ClientAliveInterval 0");
    let strangers = |count: usize| {
        for number in 0..count {
            let mut stream = greet(&server);
            if number % 3 == 0 {
                let _ = stream.write_all(&[0, 0, 0, 12, 4, 20]);
            }
        }
        assert_eq!(server.run("echo in").out, "in\n");
        let _ = finish(server.ssh(&["-tt"]).arg("true"), b"");
    };
    strangers(100);
    eventually("rest", || server.descriptors().len() < 30);
    let (memory, descriptors) = (server.status("VmRSS"), server.descriptors().len());
    strangers(1000);
    eventually("all descriptors are closed", || server.descriptors().len() <= descriptors);
    let grown = server.status("VmRSS").saturating_sub(memory);
    assert!(grown < 8 * 1024, "{grown} KiB more after a thousand connections");
    assert!(!server.descriptors().iter().any(|path| path.contains("ptmx")));
    eventually("no child is left", || {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
        let children = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("children"));
        tasks.flatten().all(|task| children(task).unwrap_or_default().trim().is_empty())
    });
    let before = server.ticks();
    std::thread::sleep(Duration::from_secs(1));
    assert!(server.ticks() - before <= 10, "the server at rest is busy");
}
