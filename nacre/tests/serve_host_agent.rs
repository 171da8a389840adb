//! HostKeyAgent: OpenSSH's ssh-agent holds the host keys of `nacre serve`, and OpenSSH's client verifies what it signs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "common/agents.rs"]
mod agents;
mod common;
#[path = "common/root.rs"]
mod root;
#[path = "common/serve.rs"]
mod serve;

use agents::{Agent, Whose};
use common::{Scratch, program};
use root::{ACCOUNTS, Root, possible};
use serve::{Server, finish, make_key};
use std::fs;
use std::path::Path;

/// Keys whose private halves are the agent's alone.
fn agent_with(place: &Scratch, keys: &[(&str, &[&str])]) -> Agent {
    let agent = Agent::start(Whose::OpenSsh, place, &[], &[]);
    for (name, kind) in keys {
        let file = place.path(name);
        let made = finish(program("ssh-keygen").args(["-q", "-N", "", "-f"]).arg(&file).args(*kind), b"");
        assert_eq!(made.code, 0, "{}", made.err);
        let added = agent.ssh_add(&["-q", file.to_str().unwrap()]);
        assert_eq!(added.code, 0, "{}", added.err);
        fs::remove_file(file).unwrap();
    }
    agent
}

const KEYS: [(&str, &[&str]); 4] = [
    ("ed25519", &["-t", "ed25519"]),
    ("rsa", &["-t", "rsa", "-b", "2048"]),
    ("p256", &["-t", "ecdsa", "-b", "256"]),
    ("p521", &["-t", "ecdsa", "-b", "521"]),
];

/// The file of the host key that OpenSSH's client is shown with each algorithm.
const ALGORITHMS: [(&str, &str); 5] = [
    ("ssh-ed25519", "ed25519.pub"),
    ("rsa-sha2-512", "rsa.pub"),
    ("rsa-sha2-256", "rsa.pub"),
    ("ecdsa-sha2-nistp256", "p256.pub"),
    ("ecdsa-sha2-nistp521", "p521.pub"),
];

#[test]
fn every_kind_of_key_signs_in_the_agent() {
    let place = Scratch::new();
    make_key(&place, "id");
    fs::copy(place.path("id.pub"), place.path("keys")).unwrap();
    let agent = agent_with(&place, &KEYS);
    // One file is a public key, the others have one beside them; and the usual one is empty of secrets, too.
    fs::copy(place.path("ed25519.pub"), place.path("host")).unwrap();
    let file = |name: &str| place.path(name).display().to_string();
    let lines = format!(
        "HostKeyAgent {}\nHostKey {}\nHostKey {}\nHostKey {}\nHostKeyAlgorithms +ecdsa-sha2-*\n",
        agent.socket.display(),
        file("rsa"),
        file("p256"),
        file("p521.pub"),
    );
    let server = Server::start_in(place, &lines);
    for (algorithm, file) in ALGORITHMS {
        let _ = fs::remove_file(server.place.path("known"));
        let done = finish(server.ssh(&["-o", &format!("HostKeyAlgorithms={algorithm}")]).arg("echo in"), b"");
        assert_eq!((done.code, done.out.as_str()), (0, "in\n"), "{algorithm}: {} {}", done.err, server.log());
        let (known, key) = (server.place.read("known"), server.place.read(file));
        let blob = key.split(' ').nth(1).unwrap();
        assert!(known.contains(blob), "{algorithm}: {known}");
    }
    // An agent that is gone is told of, and is asked again when it is back.
    let gone = agent_gone(agent);
    let done = finish(server.ssh(&["-o", "HostKeyAlgorithms=ssh-ed25519"]).arg("echo in"), b"");
    assert_eq!((done.code, done.out.as_str()), (255, ""));
    server.logs("does not sign with");
    let again = Agent::start(Whose::OpenSsh, &server.place, &[], &[]);
    assert_eq!(again.socket, gone);
    // It has another key now: what it does not have it refuses.
    assert_eq!(finish(server.ssh(&[]).arg("echo in"), b"").code, 255);
    server.logs("agent refused operation");
}

fn agent_gone(agent: Agent) -> std::path::PathBuf {
    let socket = agent.socket.clone();
    drop(agent);
    let _ = fs::remove_file(&socket);
    socket
}

#[test]
fn a_certificate_is_signed_for_as_the_key_inside() {
    let place = Scratch::new();
    for key in ["id", "host", "ca"] {
        make_key(&place, key);
    }
    fs::copy(place.path("id.pub"), place.path("keys")).unwrap();
    let agent = agent_with(&place, &KEYS[1..2]);
    let mut keygen = program("ssh-keygen");
    keygen.args(["-q", "-h", "-I", "host", "-n", "there", "-s"]).arg(place.path("ca")).arg(place.path("rsa.pub"));
    assert_eq!(finish(&mut keygen, b"").code, 0);
    let file = |name: &str| place.path(name).display().to_string();
    let lines = format!(
        "HostKeyAgent {}\nHostKey {}\nHostCertificate {}\n",
        agent.socket.display(),
        file("rsa"),
        file("rsa-cert.pub")
    );
    let server = Server::start_in(place, &lines);
    server.place.write("known", &format!("@cert-authority there {}", server.place.read("ca.pub")));
    for algorithm in ["rsa-sha2-512-cert-v01@openssh.com", "rsa-sha2-256-cert-v01@openssh.com"] {
        let options = [&format!("-oHostKeyAlgorithms={algorithm}"), "-oHostKeyAlias=there"];
        let done = finish(server.ssh(&options).arg("echo in"), b"");
        assert_eq!((done.code, done.out.as_str()), (0, "in\n"), "{algorithm}: {} {}", done.err, server.log());
    }
    assert_eq!(server.place.read("known").lines().count(), 1, "the certificate vouched for it");
}

#[test]
fn as_root_the_monitor_asks_the_agent() {
    if !possible() {
        return;
    }
    let place = Scratch::new();
    let agent = agent_with(&place, &KEYS[1..2]);
    let lines = format!("HostKeyAgent {}\nHostKey {}\n", agent.socket.display(), place.path("rsa.pub").display());
    let server = Root::start(Path::new(env!("CARGO_BIN_EXE_nacre")), &lines);
    for algorithm in ["rsa-sha2-256", "ssh-ed25519"] {
        let mut ssh = server.ssh(ACCOUNTS[0].0, &["-o", &format!("HostKeyAlgorithms={algorithm}")]);
        let done = finish(ssh.arg("echo in"), b"");
        assert_eq!((done.code, done.out.as_str()), (0, "in\n"), "{algorithm}: {} {}", done.err, server.log());
    }
    assert!(server.place.read("known").contains(place.read("rsa.pub").split(' ').nth(1).unwrap()));
    drop(agent);
    let done = finish(server.ssh(ACCOUNTS[0].0, &["-o", "HostKeyAlgorithms=rsa-sha2-256"]).arg("echo in"), b"");
    assert_eq!(done.code, 255);
    server.logs("does not sign with");
    server.settles(0);
}
