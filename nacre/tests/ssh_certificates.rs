//! `nacre ssh` with certificates, against OpenSSH's server: those that users show, and those that hosts show (threats
//! H5, H6, H7).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/peer.rs"]
mod peer;

use common::{Scratch, program, text};
use peer::{Outcome, Peer, make_key, place, require, run};
use std::fs;
use std::process::{Child, Command, Stdio};

const HOST: &str = "127.0.0.1";

/// A place where the account has no key of its own, with two CAs.
fn certified_place() -> Scratch {
    let place = place();
    for name in ["ca", "other_ca"] {
        make_key(&place, name, &["-t", "ed25519"]);
    }
    fs::write(place.path("home/.ssh/authorized_keys"), "").unwrap();
    place
}

/// Has a CA sign a key; the certificate goes beside it.
#[track_caller]
fn sign(place: &Scratch, ca: &str, key: &str, words: &[&str]) {
    let mut keygen = program("ssh-keygen");
    keygen.args(["-q", "-s"]).arg(place.path(ca)).args(["-I", "the id"]).args(words);
    let out = keygen.arg(place.path(&format!("{key}.pub"))).output().unwrap();
    assert!(out.status.success(), "{}", text(out.stderr));
}

fn trusting(place: &Scratch) -> Peer {
    Peer::sshd(place, &format!("TrustedUserCAKeys {}\nPasswordAuthentication no", place.path("ca.pub").display()))
}

/// Logs in without a question; the host key is taken as it comes.
fn login(peer: &Peer, place: &Scratch, words: &[&str], env: &[(&str, &str)]) -> Outcome {
    let mut command = common::nacre();
    command.args(peer.words(place)).args(["-o", "StrictHostKeyChecking=accept-new", "-o", "BatchMode=yes"]);
    command.env("HOME", place.path("home")).envs(env.iter().copied());
    run(command.args(words).args([HOST, "echo in"]), b"")
}

#[test]
fn a_certificate_beside_the_key_of_every_kind() {
    let place = certified_place();
    let peer = trusting(&place);
    let kinds: [&[&str]; 5] = [
        &["-t", "ed25519"],
        &["-t", "ecdsa", "-b", "256"],
        &["-t", "ecdsa", "-b", "384"],
        &["-t", "ecdsa", "-b", "521"],
        &["-t", "rsa", "-b", "2048"],
    ];
    for (number, kind) in kinds.iter().enumerate() {
        let name = format!("k{number}");
        make_key(&place, &name, kind);
        let file = place.path(&name);
        let words = ["-i", file.to_str().unwrap()];
        assert_eq!(login(&peer, &place, &words, &[]).code, 255, "{kind:?} without a certificate");
        sign(&place, "ca", &name, &["-n", "root"]);
        let done = login(&peer, &place, &words, &[]);
        assert_eq!(done.out, b"in\n", "{kind:?}: {} {}", done.err, peer.log());
        for (ca, principal) in [("ca", "somebody"), ("other_ca", "root")] {
            sign(&place, ca, &name, &["-n", principal]);
            assert_eq!(login(&peer, &place, &words, &[]).code, 255, "{ca} {principal}");
        }
    }
}

#[test]
fn certificate_file_and_our_own_keygen() {
    let place = certified_place();
    let peer = trusting(&place);
    let mut keygen = common::nacre();
    keygen.args(["keygen", "-q", "-s"]).arg(place.path("ca")).args(["-I", "x", "-n", "root"]).arg(place.path("id.pub"));
    assert!(keygen.output().unwrap().status.success());
    fs::rename(place.path("id-cert.pub"), place.path("elsewhere")).unwrap();
    let (id, elsewhere) = (place.path("id"), place.path("elsewhere"));
    let id = id.to_str().unwrap();
    assert_eq!(login(&peer, &place, &["-i", id], &[]).code, 255);
    let option = format!("CertificateFile={}", elsewhere.display());
    let done = login(&peer, &place, &["-i", id, "-o", &option], &[]);
    assert_eq!(done.out, b"in\n", "{}", done.err);
    // What cannot be used is told, and keys go on.
    let done = login(&peer, &place, &["-i", id, "-o", "CertificateFile=/nonexistent"], &[]);
    assert!(done.code == 255 && done.err.contains("/nonexistent"), "{}", done.err);
}

/// ssh-agent, which ends with the test.
struct Agent {
    child: Child,
    socket: String,
}

impl Agent {
    fn start(place: &Scratch) -> Self {
        let socket = place.path("agent").display().to_string();
        let mut agent = require("ssh-agent", "openssh-client");
        let child = agent.args(["-D", "-a", &socket]).stdout(Stdio::null()).spawn().unwrap();
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            assert!(std::time::Instant::now() < end, "the agent does not start");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        Self { child, socket }
    }

    #[track_caller]
    fn add(&self, place: &Scratch, key: &str) {
        let mut add = require("ssh-add", "openssh-client");
        let out = add.arg("-q").arg(place.path(key)).env("SSH_AUTH_SOCK", &self.socket).output().unwrap();
        assert!(out.status.success(), "{}", text(out.stderr));
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_agents_certificate_and_its_key_under_a_file() {
    let place = certified_place();
    let peer = trusting(&place);
    let agent = Agent::start(&place);
    let env = [("SSH_AUTH_SOCK", agent.socket.as_str())];
    agent.add(&place, "id");
    assert_eq!(login(&peer, &place, &[], &env).code, 255);
    // The agent has the key, a file the certificate.
    sign(&place, "ca", "id", &["-n", "root"]);
    let option = format!("CertificateFile={}", place.path("id-cert.pub").display());
    let done = login(&peer, &place, &["-o", &option], &env);
    assert_eq!(done.out, b"in\n", "{}", done.err);
    // The agent has both.
    agent.add(&place, "id");
    fs::remove_file(place.path("id-cert.pub")).unwrap();
    let done = login(&peer, &place, &[], &env);
    assert_eq!(done.out, b"in\n", "{}", done.err);
    let id = place.path("id.pub");
    let done = login(&peer, &place, &["-o", "IdentitiesOnly=yes", "-i", id.to_str().unwrap()], &env);
    assert_eq!(done.out, b"in\n", "{}", done.err);
}

/// A server that shows a certificate, made with these words by this CA.
fn host(place: &Scratch, ca: &str, words: &[&str]) -> Peer {
    fs::copy(place.path("id.pub"), place.path("home/.ssh/authorized_keys")).unwrap();
    sign(place, ca, "host_ed25519", words);
    let line = format!("HostCertificate {}", place.path("host_ed25519-cert.pub").display());
    Peer::sshd(place, &line)
}

/// A call that takes nothing but what is on record.
fn strict(peer: &Peer, place: &Scratch, known: &str, options: &[&str]) -> Outcome {
    place.write("known_hosts", known);
    let mut command: Command = common::nacre();
    command.args(peer.words(place)).arg("-i").arg(place.path("id")).env("HOME", place.path("home"));
    command.args(["-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes"]);
    for option in options {
        command.args(["-o", option]);
    }
    run(command.args([HOST, "echo in"]), b"")
}

fn words_of(place: &Scratch, key: &str) -> String {
    place.read(&format!("{key}.pub")).split(' ').take(2).collect::<Vec<_>>().join(" ").trim().to_owned()
}

#[test]
fn h07_a_ca_on_record_vouches_for_the_host() {
    let place = certified_place();
    let peer = host(&place, "ca", &["-h", "-n", HOST]);
    let (ca, name) = (words_of(&place, "ca"), peer.name());
    for hosts in [name.as_str(), "*", HOST, "127.*,[127.*]:*"] {
        let done = strict(&peer, &place, &format!("@cert-authority {hosts} {ca}\n"), &[]);
        assert_eq!(done.out, b"in\n", "{hosts}: {}", done.err);
        assert_eq!(place.read("known_hosts"), format!("@cert-authority {hosts} {ca}\n"), "nothing is learned");
    }
    // Another host's CA, no CA, and the CA's key as if it were the host's.
    for known in [format!("@cert-authority other {ca}\n"), String::new(), format!("{name} {ca}\n")] {
        assert_eq!(strict(&peer, &place, &known, &[]).code, 255, "{known}");
    }
    // H6: the key inside still counts, whatever the CA is worth.
    let plain = format!("{name} {}\n", words_of(&place, "host_ed25519"));
    for more in [String::new(), format!("@cert-authority * {}\n", words_of(&place, "other_ca"))] {
        assert_eq!(strict(&peer, &place, &format!("{more}{plain}"), &[]).out, b"in\n", "{more}");
    }
    // The alias stands for the name.
    let aliased = strict(&peer, &place, &format!("@cert-authority * {ca}\n"), &["HostKeyAlias=web"]);
    assert!(aliased.code == 255 && aliased.err.contains("wrong principal"), "{}", aliased.err);
    // The CA signed with what is left out.
    let done = strict(&peer, &place, &format!("@cert-authority * {ca}\n"), &["CASignatureAlgorithms=-ssh-ed25519"]);
    assert!(done.code == 255 && done.err.contains("CASignatureAlgorithms"), "{}", done.err);
}

#[test]
fn h05_a_revoked_ca_or_key_is_refused_whatever_else_stands() {
    let place = certified_place();
    let peer = host(&place, "ca", &["-h", "-n", HOST]);
    let known =
        format!("@cert-authority * {}\n{} {}\n", words_of(&place, "ca"), peer.name(), words_of(&place, "host_ed25519"));
    assert_eq!(strict(&peer, &place, &known, &[]).out, b"in\n");
    for key in ["ca", "host_ed25519"] {
        for text in [
            format!("{known}@revoked * {}\n", words_of(&place, key)),
            format!("@revoked * {}\n{known}", words_of(&place, key)),
        ] {
            let done = strict(&peer, &place, &text, &[]);
            assert_eq!(done.code, 255, "{key}");
            assert!(done.err.contains("REVOKED HOST KEY"), "{key}: {}", done.err);
        }
    }
}

#[test]
fn h07_certificates_that_are_good_for_nothing() {
    for (words, why) in [
        (&["-h", "-n", "other.example.org"][..], "wrong principal"),
        (&["-h", "-n", HOST, "-V", "20200101:20200102"], "expired"),
        (&["-h", "-n", HOST, "-V", "+1d:+2d"], "not yet valid"),
        (&["-h"], "lists no principal"),
        (&["-h", "-n", HOST, "-O", "critical:own@example.org"], "own@example.org"),
    ] {
        let place = certified_place();
        let peer = host(&place, "ca", words);
        let ca = format!("@cert-authority * {}\n", words_of(&place, "ca"));
        let done = strict(&peer, &place, &ca, &[]);
        assert_eq!(done.code, 255, "{words:?}");
        assert!(done.err.contains("Certificate invalid") && done.err.contains(why), "{words:?}: {}", done.err);
        // As with OpenSSH the key inside may still be known.
        let both = format!("{ca}{} {}\n", peer.name(), words_of(&place, "host_ed25519"));
        assert_eq!(strict(&peer, &place, &both, &[]).out, b"in\n", "{words:?}");
    }
}
