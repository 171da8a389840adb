//! `nacre ssh` running commands on OpenSSH's server and on Dropbear's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/peer.rs"]
mod peer;

use common::Scratch;
use peer::{Peer, noise, place, run};
use std::io::{Read, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

const HOST: &str = "127.0.0.1";
const MIB: usize = 1024 * 1024;

/// Runs a test against both servers.
fn each(test: impl Fn(&Scratch, &Peer)) {
    let place = place();
    for peer in [Peer::sshd(&place, ""), Peer::dropbear(&place, &[])] {
        test(&place, &peer);
    }
}

#[test]
fn a_command_its_output_and_its_code() {
    each(|place, peer| {
        let done = run(peer.client(place).args([HOST, "echo out; echo err >&2; exit 7"]), b"");
        assert_eq!((done.code, done.text().as_str()), (7, "out\n"), "{}{}", done.err, peer.log());
        assert!(done.err.ends_with("err\n"), "{:?}", done.err);
        let done = run(peer.client(place).args([HOST, "echo", "two  words", "'and quotes'"]), b"");
        assert_eq!((done.code, done.text().as_str(), done.err.as_str()), (0, "two words and quotes\n", ""));
        for code in [0, 1, 127, 254] {
            let done = run(peer.client(place).args([HOST, &format!("exit {code}")]), b"");
            assert_eq!(done.code, code);
        }
    });
}

#[test]
fn a_command_ended_by_a_signal_is_our_error() {
    each(|place, peer| {
        let done = run(peer.client(place).args([HOST, "kill -KILL $$"]), b"");
        assert_eq!(done.code, 255);
        assert!(done.err.contains("signal KILL"), "{:?}", done.err);
    });
}

#[test]
fn sixty_four_mib_each_way() {
    let data = noise(64 * MIB);
    each(|place, peer| {
        let done = run(peer.client(place).args([HOST, "cat"]), &data);
        assert_eq!((done.code, done.out.len()), (0, data.len()), "{}", done.err);
        assert!(done.out == data, "the bytes differ");
    });
}

#[test]
fn half_a_connection_closes_alone() {
    each(|place, peer| {
        // The command learns of the end of its input and still answers.
        let done = run(peer.client(place).args([HOST, "wc -c; echo after"]), b"12345");
        assert_eq!((done.code, done.text().as_str()), (0, "5\nafter\n"));
        // The command wants no more input and still answers.
        let done = run(peer.client(place).args([HOST, "exec <&-; sleep 0.2; echo after"]), &noise(4 * MIB));
        assert_eq!((done.code, done.text().as_str()), (0, "after\n"));
    });
}

#[test]
fn both_streams_at_once_stay_apart() {
    each(|place, peer| {
        let both = "i=0; while [ $i -lt 2000 ]; do echo out$i; echo err$i >&2; i=$((i+1)); done";
        let done = run(peer.client(place).args(["-q", HOST, both]), b"");
        let lines = |name: &str| (0..2000).map(|i| format!("{name}{i}\n")).collect::<String>();
        assert_eq!(done.code, 0);
        assert!(done.text() == lines("out"), "standard output differs: {} bytes", done.out.len());
        assert!(done.err == lines("err"), "standard error differs: {} bytes", done.err.len());
    });
}

#[test]
fn nothing_is_read_from_standard_input_with_n() {
    each(|place, peer| {
        let done = run(peer.client(place).args(["-n", HOST, "wc -c"]), b"not to be read");
        assert_eq!(done.text(), "0\n");
    });
}

#[test]
fn a_shell_without_a_terminal_reads_commands() {
    each(|place, peer| {
        let done = run(peer.client(place).arg(HOST), b"echo from the shell\nexit 5\n");
        assert_eq!((done.code, done.text().as_str()), (5, "from the shell\n"), "{}", done.err);
        assert!(done.err.contains("Pseudo-terminal will not be allocated because stdin is not a terminal."));
        let done = run(peer.client(place).args(["-T", HOST]), b"exit 4\n");
        assert_eq!(done.code, 4);
        assert!(!done.err.contains("Pseudo-terminal"), "{:?}", done.err);
    });
}

#[test]
fn a_subsystem_is_asked_for_by_name() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    // SSH_FXP_INIT of version 3 is answered by SSH_FXP_VERSION (draft-ietf-secsh-filexfer-02 §4).
    // It drops its answer when its input ends at once, so that stays open until the answer has come.
    let mut client = peer.client(&place);
    client.args(["-s", "--", HOST, "sftp"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = client.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(&[0, 0, 0, 5, 1, 0, 0, 0, 3]).unwrap();
    let mut answer = [0; 9];
    child.stdout.take().unwrap().read_exact(&mut answer).unwrap();
    assert_eq!(answer[4..], [2, 0, 0, 0, 3]);
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let done = run(peer.client(&place).args(["-s", HOST, "nothing-like-this"]), b"");
    assert_eq!(done.code, 255);
    assert!(done.err.contains("subsystem request failed on channel 0"), "{:?}", done.err);
}

#[test]
fn variables_are_sent() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let mut client = peer.client(&place);
    client.args(["-o", "SendEnv=LC_TEST*", "-o", "SetEnv=TEST_A=one TEST_B=\"two words\""]);
    client.env("LC_TESTING", "here").env("OTHER", "not this");
    let done = run(client.args([HOST, "echo \"$LC_TESTING,$OTHER,$TEST_A,$TEST_B\""]), b"");
    assert_eq!(done.text(), "here,,one,two words\n", "{}", done.err);
}

#[test]
fn a_connection_without_a_session_stays_until_told() {
    each(|place, peer| {
        let mut child = peer.client(place).args(["-N", "-v", HOST]).stderr(Stdio::piped()).spawn().unwrap();
        let mut err = String::new();
        let mut pipe = child.stderr.take().unwrap();
        while !err.contains("logged in") {
            let mut some = [0; 4096];
            let n = pipe.read(&mut some).unwrap();
            assert!(n > 0, "{err}");
            err.push_str(&String::from_utf8_lossy(&some[..n]));
        }
        std::thread::sleep(Duration::from_millis(300));
        assert!(child.try_wait().unwrap().is_none());
        let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(255));
    });
}

#[test]
fn the_background_begins_after_the_login() {
    each(|place, peer| {
        let (go, mark) = (place.path("go"), place.path("mark"));
        let _ = (std::fs::remove_file(&go), std::fs::remove_file(&mark));
        let (wait, done) = (go.display(), mark.display());
        let command = format!("while [ ! -e '{wait}' ]; do sleep 0.05; done; echo done > '{done}'");
        // It comes back although the command cannot end before it has.
        let code = peer.client(place).args(["-f", HOST, &command]).stderr(Stdio::null()).status().unwrap().code();
        assert_eq!(code, Some(0));
        std::fs::write(&go, "").unwrap();
        let end = Instant::now() + Duration::from_secs(180);
        while !mark.exists() {
            assert!(Instant::now() < end, "the command did not run to its end");
            std::thread::sleep(Duration::from_millis(50));
        }
        // What fails before the login fails in front.
        let mut client = peer.client(place);
        client.args(["-f", "-o", "PubkeyAuthentication=no", "-o", "BatchMode=yes", HOST, "true"]);
        assert_eq!(client.stderr(Stdio::null()).status().unwrap().code(), Some(255));
    });
}

#[test]
fn many_keys_exchanges_in_one_session() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let data = noise(8 * MIB);
    let done = run(peer.client(&place).args(["-v", "-o", "RekeyLimit=1M", HOST, "cat"]), &data);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.out == data, "the bytes differ");
    let exchanges = done.err.matches("kex: algorithm").count();
    assert!((8..40).contains(&exchanges), "{exchanges} key exchanges");
}

#[test]
fn a_reader_who_leaves_ends_the_writer_and_not_the_connection() {
    each(|place, peer| {
        // As with ssh: the command's own end and status come, whatever became of its output.
        let command = "yes | head -n 100000; sleep 0.3; exit 3";
        let mut client = peer.client(place);
        client.args([HOST, command]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = client.spawn().unwrap();
        let mut first = [0; 2];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        let done = child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!((done.status.code(), &first), (Some(3), b"y\n"), "{errors}{}", peer.log());
    });
    // OpenSSH is told by `eow@openssh.com`, so that a writer without end finds one.
    let place = place();
    let peer = Peer::sshd(&place, "");
    let mut client = peer.client(&place);
    client.args([HOST, "yes; exit 5"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let began = Instant::now();
    let mut child = client.spawn().unwrap();
    let mut first = [0; 2];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(5));
    assert!(began.elapsed() < Duration::from_secs(60));
}
