//! Keys inside security keys that OpenSSH's agent holds: `nacre ssh` logs in with them at OpenSSH's sshd.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "common/agents.rs"]
mod agents;
mod common;
#[path = "common/peer.rs"]
mod peer;

use agents::{Agent, Whose};
use common::program;
use peer::{Peer, place, run};
use std::path::Path;

/// Stands for the hardware (Debian's openssh-tests).
const DUMMY: &str = "/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so";

#[test]
fn a08_security_keys_of_the_agent_log_in() {
    if !Path::new(DUMMY).exists() {
        eprintln!("not tried: {DUMMY} (package openssh-tests) is not there");
        return;
    }
    for kind in ["ed25519-sk", "ecdsa-sk"] {
        let place = place();
        let mut keygen = program("ssh-keygen");
        keygen.args(["-q", "-N", "", "-C", "", "-w", DUMMY, "-t", kind, "-f"]).arg(place.path("sk"));
        assert!(keygen.status().unwrap().success());
        std::fs::copy(place.path("sk.pub"), place.path("home/.ssh/authorized_keys")).unwrap();
        let peer = Peer::sshd(&place, "");
        let agent = Agent::start(Whose::OpenSsh, &place, &[], &[]);
        let added = agent.ssh_add(&["-q", "-S", DUMMY, place.path("sk").to_str().unwrap()]);
        assert_eq!(added.code, 0, "{}", added.err);
        let mut command = common::nacre();
        command.args(peer.words(&place)).env("HOME", place.path("home")).env("SSH_AUTH_SOCK", &agent.socket);
        command.args(["-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes", "127.0.0.1", "echo in"]);
        let done = run(&mut command, b"");
        assert_eq!(done.out, b"in\n", "{kind}: {} {}", done.err, peer.log());
        assert!(peer.log().contains(&format!("{} SHA256:", kind.to_uppercase())), "{}", peer.log());
    }
}
