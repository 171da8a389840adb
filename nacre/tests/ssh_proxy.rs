//! `nacre ssh` through a program that makes the connection: `ProxyCommand`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/peer.rs"]
mod peer;

use common::Scratch;
use peer::{Peer, noise, place, run};
use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

const HOST: &str = "127.0.0.1";

/// OpenSSH's own ssh as the program: it joins its two pipes with `%h:%p` by way of the server.
fn openssh_w(place: &Scratch, peer: &Peer) -> String {
    format!(
        "/usr/bin/ssh -F none -p {} -i {} -o UserKnownHostsFile={} -o StrictHostKeyChecking=no -q -W [%h]:%p {HOST}",
        peer.port,
        place.path("id").display(),
        place.path("known_by_proxy").display()
    )
}

/// A program that is slow to end is left to itself, and ends.
#[track_caller]
fn is_gone(process: &Path) {
    let end = Instant::now() + Duration::from_secs(180);
    while process.exists() {
        assert!(Instant::now() < end, "the program is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn bytes_flow_through_the_program_and_nobody_is_left() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let pid = place.path("pid");
    let command = format!("ProxyCommand=sh -c 'echo $$ > {}; exec {}'", pid.display(), openssh_w(&place, &peer));
    let data = noise(8 * 1024 * 1024);
    let done = run(peer.client(&place).args(["-o", &command, HOST, "cat; exit 7"]), &data);
    assert_eq!(done.code, 7, "{}", done.err);
    assert!(done.out == data, "the bytes differ");
    let process = Path::new("/proc").join(place.read("pid").trim());
    is_gone(&process);
    assert!(peer.log().matches("Accepted publickey").count() == 2, "{}", peer.log());
}

#[test]
fn the_tokens_name_the_host_that_is_wanted() {
    let place = place();
    let said = place.path("said");
    let command = format!("ProxyCommand=echo '%n %h %p %r %%' > {}", said.display());
    let words = ["ssh", "-F", "none", "-o", "HostName=%h.example", "-p", "2200", "-l", "ann"];
    let done = run(common::nacre().args(words).args(["-o", &command, "web"]), b"");
    assert_eq!(done.code, 255);
    assert_eq!(place.read("said"), "web web.example 2200 ann %\n");
}

#[test]
fn one_line_says_what_became_of_the_program() {
    let peer = "UNKNOWN port 65535";
    for (command, line) in [
        ("false", format!("Connection closed by {peer}: ProxyCommand ended with code 1")),
        ("sh -c 'kill -9 $$'", format!("Connection closed by {peer}: ProxyCommand was ended by signal 9")),
        ("sh -c 'echo SSH-2.0-x; exit 3'", format!("Connection closed by {peer}: ProxyCommand ended with code 3")),
    ] {
        let words = ["ssh", "-F", "none", "-o", &format!("ProxyCommand={command}"), "-T", "h"];
        let done = run(common::nacre().args(words), b"");
        assert_eq!((done.code, done.err.trim_end()), (255, line.as_str()), "{command}");
    }
    let words = ["ssh", "-F", "none", "-o", "ProxyCommand=/nonexistent/program %h", "-T", "h"];
    let done = run(common::nacre().args(words), b"");
    assert_eq!(done.code, 255);
    assert!(done.err.contains("/nonexistent/program: not found"), "{}", done.err);
    assert!(done.err.ends_with("ProxyCommand ended with code 127\n"), "{}", done.err);
    let words = ["ssh", "-F", "none", "-o", "ProxyCommand=true", "-T", "h"];
    let done = run(common::nacre().env("SHELL", "/nonexistent/sh").args(words), b"");
    assert_eq!((done.code, done.err.as_str()), (255, "ssh: ProxyCommand: No such file or directory\n"));
}

#[test]
fn garbage_is_not_waited_for() {
    for command in ["yes '\x1b[2Jgarbage'", "cat /dev/zero", "cat"] {
        let began = Instant::now();
        let words = ["ssh", "-F", "none", "-o", &format!("ProxyCommand={command}"), "-T", "h"];
        let done = run(common::nacre().args(words), b"");
        assert_eq!((done.code, done.err.lines().count()), (255, 1), "{command}: {:?}", done.err);
        assert!(done.err.contains("UNKNOWN port 65535") && !done.err.contains('\x1b'), "{command}: {:?}", done.err);
        assert!(began.elapsed() < Duration::from_secs(30), "{command}");
    }
    let words = ["ssh", "-F", "none", "-o", "ConnectTimeout=1", "-o", "ProxyCommand=sleep 100", "-T", "h"];
    let done = run(common::nacre().args(words), b"");
    assert_eq!((done.code, done.err.lines().count()), (255, 1), "{:?}", done.err);
    assert!(done.err.contains("timed out"), "{:?}", done.err);
}

#[test]
fn the_program_ends_with_us() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let pid = place.path("pid");
    let command = format!("ProxyCommand=sh -c 'echo $$ > {}; exec {}'", pid.display(), openssh_w(&place, &peer));
    let mut client = peer.client(&place);
    client.args(["-o", &command, HOST, "echo ready; sleep 100"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = client.spawn().unwrap();
    let mut ready = [0; 6];
    child.stdout.take().unwrap().read_exact(&mut ready).unwrap();
    let process = Path::new("/proc").join(place.read("pid").trim());
    assert!(process.exists());
    let number = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(number, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(255));
    is_gone(&process);
}

/// A program in Perl that connects and hands the socket over.
const HANDS_OVER: &str = r#"
use Socket;
socket(my $s, PF_INET, SOCK_STREAM, 0) or die;
connect($s, sockaddr_in($ARGV[1], inet_aton($ARGV[0]))) or die;
my $rights = pack('Q i i i', 20, 1, 1, fileno($s)) . "\0" x 4;
my $byte = "\0";
my $iov = pack('P Q', $byte, 1);
my $header = pack('Q L x4 P Q P Q i x4', 0, 0, $iov, 1, $rights, 24, 0);
syscall(46, 1, $header, 0) > 0 or die "sendmsg: $!";
"#;

#[test]
#[cfg(target_arch = "x86_64")]
fn a_socket_can_be_handed_over() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let script = place.write("connect.pl", HANDS_OVER);
    let command = format!("ProxyCommand=perl {} %h %p", script.display());
    let words = ["-o", "ProxyUseFdpass=yes", "-o", &command, HOST, "cat; exit 3"];
    let done = run(peer.client(&place).args(words), b"through");
    assert_eq!((done.code, done.text().as_str()), (3, "through"), "{}", done.err);
    for program in ["true", "echo nothing"] {
        let words = ["-o", "ProxyUseFdpass=yes", "-o", &format!("ProxyCommand={program}"), "-T", HOST];
        let done = run(peer.client(&place).args(words), b"");
        let wanted = "ssh: ProxyCommand: it handed no socket over (ProxyUseFdpass is set)\n";
        assert_eq!((done.code, done.err.as_str()), (255, wanted), "{program}");
    }
}

#[test]
fn the_question_about_the_host_says_that_its_address_is_not_known() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let command = format!("ProxyCommand={}", openssh_w(&place, &peer));
    let mut client = common::nacre();
    client.args(peer.words(&place)).args(["-o", "StrictHostKeyChecking=yes", "-o", &command, HOST]);
    let done = run(client.env("HOME", place.path("home")), b"");
    assert_eq!(done.code, 255);
    assert!(done.err.contains("Host key verification failed."), "{}", done.err);
    // CheckHostIP has nothing to write.
    let done = run(peer.client(&place).args(["-o", "CheckHostIP=yes", "-o", &command, HOST, "true"]), b"");
    assert_eq!(done.code, 0, "{}", done.err);
    assert_eq!(place.read("known_hosts").lines().count(), 1);
}

#[test]
fn explain_goes_through_the_program_too() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let command = format!("ProxyCommand={}", openssh_w(&place, &peer));
    let mut explain = common::nacre();
    explain.args(["explain", "-F", "none", "-p", &peer.port.to_string(), "-o", &command, HOST]);
    let mut child = explain
        .env("HOME", place.path("home"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(b"");
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{done:?}");
    assert!(String::from_utf8_lossy(&done.stdout).contains("the program that makes the connection"), "{done:?}");
}
