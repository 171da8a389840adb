//! `zlib@openssh.com` between our ends and OpenSSH's and Dropbear's (threat T15).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/peer.rs"]
mod peer;
#[path = "common/serve.rs"]
mod serve;

use common::program;
use peer::{Peer, noise, place, run};
use serve::Server;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

const HOST: &str = "127.0.0.1";
const MUCH: usize = 64 << 20;

/// Lines that zlib makes several times shorter.
fn text(length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 64);
    for line in 0u32.. {
        if bytes.len() >= length {
            break;
        }
        writeln!(bytes, "{line:08} the same words on every line of this log").unwrap();
    }
    bytes.truncate(length);
    bytes
}

/// Gives `data` to the command, wants it back, and returns what was said on standard error.
#[track_caller]
fn comes_back(command: &mut Command, data: &[u8]) -> String {
    let done = run(command, data);
    assert_eq!((done.code, done.out.len()), (0, data.len()), "{}", done.err);
    assert!(done.out == data, "the bytes differ");
    done.err
}

/// Types lines, one when the answer to the last has come.
#[track_caller]
fn echoes_at_once(command: &mut Command) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (mut keys, mut screen) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    for key in 0..100 {
        keys.write_all(format!("{key}\n").as_bytes()).unwrap();
        let mut line = String::new();
        screen.read_line(&mut line).unwrap();
        assert_eq!(line, format!("{key}\n"));
    }
    drop(keys);
    assert!(child.wait().unwrap().success());
}

/// What OpenSSH's client says it received, in bytes.
fn received(err: &str) -> usize {
    let (_, rest) = err.split_once("received ").expect("a sum");
    rest.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn openssh_compresses_to_our_server_and_back_while_keys_are_renewed() {
    let server = Server::start("Compression delayed\nRekeyLimit 4M");
    for rekey in ["RekeyLimit=default", "RekeyLimit=3M"] {
        let err = comes_back(server.ssh(&["-vC", "-o", rekey, "-o", "LogLevel=DEBUG1"]).arg("cat"), &text(MUCH));
        assert_eq!(err.matches("compression: zlib@openssh.com").count() % 2, 0, "{err}");
        assert!(err.contains("compression: zlib@openssh.com") && !err.contains("compression: none"), "{err}");
        assert!(received(&err) < MUCH / 3, "{err}");
        let err = comes_back(server.ssh(&["-vC", "-o", rekey, "-o", "LogLevel=DEBUG1"]).arg("cat"), &noise(MUCH));
        assert!(err.matches("SSH2_MSG_NEWKEYS received").count() > 5, "{err}");
    }
    echoes_at_once(server.ssh(&["-C"]).arg("cat"));
    // Dropbear's client asks for it unless told otherwise.
    let mut dropbear = program("dbclient");
    dropbear.env("HOME", server.place.root()).args(["-y", "-y", "-p", &server.port.to_string(), "-l", &server.user]);
    let key = server.place.path("db");
    let convert = ["openssh", "dropbear"];
    let made = run(program("dropbearconvert").args(convert).arg(server.place.path("id")).arg(&key), b"");
    assert_eq!(made.code, 0, "{}", made.err);
    comes_back(dropbear.arg("-i").arg(&key).args([HOST, "cat"]), &text(1 << 20));
}

#[test]
fn our_client_compresses_to_openssh_and_dropbear_while_keys_are_renewed() {
    let place = place();
    for peer in [Peer::sshd(&place, "Compression delayed\nRekeyLimit 4M"), Peer::dropbear(&place, &[])] {
        for rekey in ["RekeyLimit=default", "RekeyLimit=3M"] {
            let data = if rekey.ends_with("default") { text(MUCH) } else { noise(MUCH) };
            let err = comes_back(peer.client(&place).args(["-vC", "-o", rekey, HOST, "cat"]), &data);
            assert!(err.contains("compression: zlib@openssh.com") && !err.contains("compression: none"), "{err}");
        }
        echoes_at_once(peer.client(&place).args(["-C", HOST, "cat"]));
    }
}

#[test]
fn nothing_is_compressed_unless_both_ends_say_so_and_never_beside_forwards() {
    let server = Server::start("");
    let err = comes_back(server.ssh(&["-vC", "-o", "LogLevel=DEBUG1"]).arg("cat"), b"few");
    assert!(err.contains("compression: none") && !err.contains("compression: zlib"), "{err}");
    let place = place();
    let peer = Peer::sshd(&place, "Compression yes");
    let err = comes_back(peer.client(&place).args(["-v", HOST, "cat"]), b"few");
    assert!(err.contains("compression: none") && !err.contains("compression: zlib"), "{err}");
    let err = comes_back(
        peer.client(&place).args(["-vC", "-L", &format!("{}:127.0.0.1:1", serve::free_port()), HOST, "cat"]),
        b"few",
    );
    assert!(err.contains("compression: none") && err.contains("Compression is left out beside forwarding"), "{err}");
}

#[test]
fn files_go_compressed_too() {
    let place = place();
    let peer = Peer::sshd(&place, "Compression yes");
    let data = text(3 << 20);
    std::fs::write(place.path("from"), &data).unwrap();
    for program in ["scp", "sftp"] {
        let mut command = common::nacre();
        let known = format!("UserKnownHostsFile={}", place.path("known_hosts").display());
        let port = peer.port.to_string();
        let options = ["-C", "-F", "none", "-P", &port, "-o", &known, "-o", "StrictHostKeyChecking=accept-new", "-v"];
        command.arg(program).args(options).arg("-i").arg(place.path("id")).env("HOME", place.path("home"));
        let to = place.path(program);
        let done = match program {
            "scp" => run(command.arg(place.path("from")).arg(format!("root@{HOST}:{}", to.display())), b""),
            _ => {
                let line = format!("put {} {}\n", place.path("from").display(), to.display());
                run(command.args(["-b", "-"]).arg(format!("root@{HOST}")), line.as_bytes())
            }
        };
        assert_eq!(done.code, 0, "{}", done.err);
        assert!(done.err.contains("compression: zlib@openssh.com"), "{program}: {}", done.err);
        assert!(std::fs::read(to).unwrap() == data, "{program}");
    }
}
