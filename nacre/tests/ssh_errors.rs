//! What `nacre ssh` says when it cannot do what it was asked: one clear line, and code 255.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/peer.rs"]
mod peer;

use common::{Scratch, nacre};
use peer::{Outcome, Peer, place, run};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A call without any file of the tester's.
fn call(words: &[&str]) -> Outcome {
    let home = Scratch::new();
    run(nacre().args(["ssh", "-F", "none"]).args(words).env("HOME", home.root()), b"")
}

/// A server made for one connection; gives its port.
fn server(act: impl FnOnce(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    std::thread::spawn(move || act(listener.accept().unwrap().0));
    port
}

#[test]
fn nobody_listens() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let done = call(&["-p", &free, "127.0.0.1", "true"]);
    assert_eq!(done.err, format!("ssh: connect to host 127.0.0.1 port {free}: Connection refused\n"));
    assert_eq!(done.code, 255);
    assert_eq!(call(&["-q", "-p", &free, "127.0.0.1", "true"]).err, "");
}

#[test]
fn names_that_lead_nowhere() {
    let done = call(&["no-such-host.invalid", "true"]);
    assert!(done.err.starts_with("ssh: Could not resolve hostname no-such-host.invalid: "), "{:?}", done.err);
    assert_eq!((done.code, done.err.lines().count()), (255, 1));
    let done = call(&["-6", "127.0.0.1", "true"]);
    assert!(done.err.starts_with("ssh: Could not resolve hostname 127.0.0.1: "), "{:?}", done.err);
    let done = call(&["-b", "192.0.2.1", "127.0.0.1", "true"]);
    assert_eq!(done.err, "ssh: connect to host 127.0.0.1 port 22: Cannot assign requested address\n");
}

#[test]
fn a_server_that_says_nothing_runs_into_connect_timeout() {
    let port = server(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let began = Instant::now();
    let done = call(&["-o", "ConnectTimeout=1", "-p", &port, "127.0.0.1", "true"]);
    assert_eq!(done.err, format!("Connection to 127.0.0.1 port {port} timed out during the handshake\n"));
    assert_eq!(done.code, 255);
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_server_that_hangs_up_or_is_no_ssh_server() {
    let port = server(drop);
    let done = call(&["-p", &port, "127.0.0.1", "true"]);
    let (closed, reset) = (format!("Connection closed by 127.0.0.1 port {port}\n"), "Connection reset by 127.0.0.1");
    assert!(done.err == closed || done.err.starts_with(reset), "{:?}", done.err);
    assert_eq!(done.code, 255);
    let port = server(|mut stream| {
        let _ = stream.write_all(b"SSH-1.5-old\r\n");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let done = call(&["-p", &port, "127.0.0.1", "true"]);
    assert_eq!((done.code, done.err.lines().count()), (255, 1), "{:?}", done.err);
    assert!(done.err.contains("SSH-1.5-old") || done.err.contains("1.5"), "{:?}", done.err);
}

#[test]
fn u01_what_a_server_sends_first_does_not_reach_the_terminal_as_it_is() {
    let port = server(|mut stream| {
        let _ = stream.write_all(b"\x1b[2J\x1b]0;title\x07\xc2\x9b31m pre\r\nSSH-2.0-x \x1b[31m\r\n");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let done = call(&["-vvv", "-o", "ConnectTimeout=1", "-p", &port, "127.0.0.1", "true"]);
    assert_eq!(done.code, 255);
    assert!(!done.err.contains(|c: char| c.is_control() && c != '\n'), "{:?}", done.err);
}

#[test]
fn nothing_in_common() {
    let place = place();
    let peer = Peer::sshd(&place, "KexAlgorithms diffie-hellman-group14-sha256\nMACs hmac-sha2-256");
    let done = run(peer.client(&place).args(["127.0.0.1", "true"]), b"");
    let wanted = format!("Unable to negotiate with 127.0.0.1 port {}: no matching key exchange", peer.port);
    assert!(done.err.starts_with(&wanted), "{:?}", done.err);
    assert!(done.err.contains("Their offer: diffie-hellman-group14-sha256"), "{:?}", done.err);
    assert_eq!((done.code, done.err.lines().count()), (255, 1));
    // What is off by default can be turned on.
    let more = ["-o", "KexAlgorithms=+diffie-hellman-group14-sha256", "-m", "hmac-sha2-256", "-c", "aes128-ctr"];
    let done = run(peer.client(&place).args(more).args(["127.0.0.1", "echo in"]), b"");
    assert_eq!((done.code, done.text().as_str()), (0, "in\n"), "{}", done.err);
}

#[test]
fn a_server_that_falls_silent_is_given_up() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    // A relay that stops passing anything on once it is told so.
    let silent = Arc::new(AtomicBool::new(false));
    let port = server({
        let (to, silent) = (peer.port, Arc::clone(&silent));
        move |client| {
            let there = TcpStream::connect(("127.0.0.1", to)).unwrap();
            let (mut a, mut b) = (client.try_clone().unwrap(), there.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut a, &mut b));
            let (mut from, mut to) = (there, client);
            let mut chunk = [0; 65536];
            from.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            while !silent.load(Ordering::SeqCst) {
                match from.read(&mut chunk) {
                    Ok(0) => return,
                    Ok(n) => to.write_all(&chunk[..n]).unwrap(),
                    Err(_) => {}
                }
            }
            // Both stay open for as long as the tests run.
            loop {
                std::thread::park();
            }
        }
    });
    let id = place.path("id");
    let known = format!("UserKnownHostsFile={}", place.path("known_hosts").display());
    let mut client = nacre();
    client.args(["ssh", "-F", "none", "-p", &port, "-i"]).arg(id).args(["-o", &known, "-o", "ServerAliveInterval=1"]);
    client.args(["-o", "ServerAliveCountMax=2", "-o", "StrictHostKeyChecking=accept-new", "-o", "LogLevel=ERROR"]);
    client.args(["127.0.0.1", "echo up; sleep 600"]).env("HOME", place.path("home"));
    client.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut client = client.spawn().unwrap();
    client.stdout.as_mut().unwrap().read_exact(&mut [0; 3]).unwrap();
    silent.store(true, Ordering::SeqCst);
    let done = client.wait_with_output().unwrap();
    let err = String::from_utf8_lossy(&done.stderr);
    assert_eq!((done.status.code(), err.as_ref()), (Some(255), "Timeout, server 127.0.0.1 not responding.\n"));
}

#[test]
fn h08_names_that_a_shell_would_read() {
    let canary = std::env::temp_dir().join(format!("nacre-canary-{}", std::process::id()));
    let touch = format!("touch {}", canary.display());
    let names = [
        format!("`{touch}`"),
        format!("$({touch})"),
        format!("x;{touch}"),
        format!("x|{touch}"),
        format!("x&{touch}"),
        format!("x\n{touch}"),
        "'x".to_owned(),
        "\"x".to_owned(),
        "x\\".to_owned(),
        "a\\b".to_owned(),
        "$HOME".to_owned(),
        "${HOME}".to_owned(),
        "-oProxyCommand=x".to_owned(),
        "x\u{7}".to_owned(),
        "x\u{9b}".to_owned(),
        "x>y".to_owned(),
        "x -oA=b".to_owned(),
        String::new(),
    ];
    for name in &names {
        // The words `Match exec` hands to a shell are where such a name would do harm.
        let config = Scratch::new();
        let file = config.write("config", "Match exec \"true %r %h %n\"\n  Port 1\n");
        let file = file.to_str().unwrap();
        let (at, uri) = (format!("{name}@127.0.0.1"), format!("ssh://{name}@127.0.0.1"));
        let calls: [&[&str]; 4] = [&["-l", name, "127.0.0.1"], &["--", &at], &["--", &uri], &["--", name]];
        for words in calls {
            let done = run(nacre().args(["ssh", "-F", file, "-p", "1"]).args(words), b"");
            assert_eq!(done.code, 255, "{words:?}");
            assert!(!done.err.contains("connect to host"), "{words:?} went on: {:?}", done.err);
            assert!(!canary.exists(), "{words:?} ran a command");
            assert!(!done.err.contains(|c: char| c.is_control() && c != '\n'), "{:?}", done.err);
        }
    }
}

#[test]
fn what_is_not_done_says_so_and_stops() {
    for (words, part) in [
        (&["-w", "any", "h"][..], "-w"),
        (&["-O", "check", "h"][..], "-O"),
        (&["-o", "RefuseConnection=not this one", "h"][..], "not this one"),
        (&["-o", "NoSuchWord=1", "h"][..], "Bad configuration option: nosuchword"),
        (&["-F", "/nonexistent", "h"][..], "/nonexistent"),
        (&["-f", "h"][..], "Cannot fork into background without a command"),
        (&["-E", "/nonexistent/log", "h"][..], "/nonexistent/log"),
    ] {
        let done = call(words);
        assert_eq!(done.code, 255, "{words:?}: {:?}", done.err);
        assert!(done.err.contains(part), "{words:?}: {:?}", done.err);
    }
}

#[test]
fn messages_into_a_file() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let log = place.path("log");
    let mut client = peer.client(&place);
    let done = run(client.args(["-v", "-E"]).arg(&log).args(["127.0.0.1", "echo err >&2; exit 3"]), b"");
    assert_eq!((done.code, done.err.as_str()), (3, "err\n"));
    let written = place.read("log");
    assert!(written.contains("debug1: logged in\n") && written.contains("Permanently added"), "{written}");
}

#[test]
fn the_effective_configuration() {
    let config = Scratch::new();
    let file = config.write("config", "Host short\n  HostName long.example\n  Port 2022\n  User someone\n");
    let file = file.to_str().unwrap();
    let done = run(nacre().args(["ssh", "-F", file, "-G", "-o", "BatchMode=yes", "short"]), b"");
    assert_eq!(done.code, 0, "{}", done.err);
    for line in ["host short", "user someone", "hostname long.example", "port 2022", "batchmode yes"] {
        assert!(done.text().lines().any(|l| l == line), "{line} is not in {}", done.text());
    }
    let done = run(nacre().args(["ssh", "-F", file, "-G", "--why", "short"]), b"");
    let why = done.text();
    let line = why.lines().find(|line| line.starts_with("port ")).unwrap();
    assert!(line.starts_with("port 2022") && line.ends_with(":3"), "{line}");
}
