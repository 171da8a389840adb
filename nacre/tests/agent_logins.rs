//! Logging in with the keys of `nacre agent`: OpenSSH's client and ours, OpenSSH's server, keys that go only to some hosts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "common/agents.rs"]
mod agents;
mod common;
#[path = "common/peer.rs"]
mod peer;

use agents::{Agent, Done, Whose, certify, done, key};
use common::Scratch;
use peer::{Peer, place, set_mode};

/// A call with one of the clients and the agent's keys alone.
fn call(client: &str, agent: &Agent, peer: &Peer, place: &Scratch, user: &str, more: &[&str]) -> Done {
    let mut command = agent.client(client);
    let mut words = peer.words(place);
    if client != "nacre" {
        words.remove(0);
    }
    let fixed = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new", "-l", user];
    command.args(words).args(fixed).args(more).args(["127.0.0.1", "echo in"]).env("HOME", place.path("home"));
    done(&mut command)
}

fn allow(place: &Scratch, names: &[&str]) {
    let keys: String = names.iter().map(|name| place.read(&format!("{name}.pub"))).collect();
    place.write("home/.ssh/authorized_keys", &keys);
    set_mode(&place.path("home/.ssh/authorized_keys"), 0o600);
}

const KINDS: [(&str, &[&str]); 4] = [
    ("ed", &["-t", "ed25519"]),
    ("ec256", &["-t", "ecdsa", "-b", "256"]),
    ("ec521", &["-t", "ecdsa", "-b", "521"]),
    ("rsa", &["-t", "rsa", "-b", "2048"]),
];

#[test]
fn both_clients_log_in_with_every_kind_of_key() {
    let place = place();
    let agent = Agent::start(Whose::Ours, &place, &[], &[]);
    let peer = Peer::sshd(&place, "");
    for (name, more) in KINDS {
        let path = key(&place, name, more);
        allow(&place, &[name]);
        assert_eq!(agent.ssh_add(&["-q", &path]).code, 0);
        for client in ["ssh", "nacre"] {
            let told = call(client, &agent, &peer, &place, "root", &[]);
            assert_eq!((told.code, told.out.as_str()), (0, "in\n"), "{client} {name}: {}", told.err);
        }
        assert_eq!(agent.ssh_add(&["-D"]).code, 0);
    }
}

#[test]
fn a_certificate_in_the_agent_logs_in() {
    let place = place();
    let agent = Agent::start(Whose::Ours, &place, &[], &[]);
    key(&place, "ca", &["-t", "ed25519"]);
    let peer = Peer::sshd(&place, &format!("TrustedUserCAKeys {}", place.path("ca.pub").display()));
    for (name, more) in KINDS {
        let path = key(&place, name, more);
        certify(&place, "ca", &path, &["-I", "the id", "-n", "root"]);
        assert_eq!(agent.nacre_add(&["-C", "-q", &path]).code, 0);
        assert!(agent.ssh_add(&["-l"]).out.contains("-CERT)"));
        for client in ["ssh", "nacre"] {
            let told = call(client, &agent, &peer, &place, "root", &[]);
            assert_eq!((told.code, told.out.as_str()), (0, "in\n"), "{client} {name}: {}", told.err);
        }
        assert_eq!(agent.nacre_add(&["-D"]).code, 0);
    }
}

/// Two hosts, and known_hosts with both.
fn two_hosts(place: &Scratch) -> [Peer; 2] {
    key(place, "host_two", &["-t", "ed25519"]);
    let two = Peer::sshd(place, &format!("HostKey {}", place.path("host_two").display()));
    let one = Peer::sshd(place, "");
    let line = |peer: &Peer, key: &str| {
        let public = place.read(&format!("{key}.pub"));
        let words: Vec<&str> = public.split(' ').collect();
        format!("{} {} {}\n", peer.name(), words[0], words[1].trim())
    };
    place.write("known_hosts", &(line(&one, "host_ed25519") + &line(&two, "host_two")));
    [one, two]
}

#[test]
fn g02_a_key_bound_to_a_host_logs_in_there_alone() {
    let place = place();
    let [one, two] = two_hosts(&place);
    let path = place.path("id");
    let known = place.path("known_hosts");
    for whose in [Whose::Ours, Whose::OpenSsh] {
        let agent = Agent::start(whose, &place, &[], &[]);
        for adder in ["ssh-add", "nacre"] {
            let mut command = agent.client(adder);
            if adder == "nacre" {
                command.arg("add");
            }
            command.arg("-q").arg("-H").arg(&known).args(["-h", &format!("root@{}", one.name())]).arg(&path);
            let told = done(&mut command);
            assert_eq!(told.code, 0, "{adder} {whose:?}: {}", told.err);
            for client in ["ssh", "nacre"] {
                let told = call(client, &agent, &one, &place, "root", &[]);
                assert_eq!((told.code, told.out.as_str()), (0, "in\n"), "{client} {adder} {whose:?}: {}", told.err);
                assert_eq!(call(client, &agent, &two, &place, "root", &[]).code, 255, "{client} {adder} {whose:?}");
            }
            assert_eq!(
                agent.ssh_add(&["-T", path.with_extension("pub").to_str().unwrap()]).code,
                1,
                "it signs logins alone"
            );
            assert_eq!(agent.ssh_add(&["-D"]).code, 0);
        }
        // For another user only.
        let other = format!("other*@{}", one.name());
        let words = ["-q", "-H", known.to_str().unwrap(), "-h", &other, path.to_str().unwrap()];
        assert_eq!(agent.nacre_add(&words).code, 0);
        assert_eq!(call("ssh", &agent, &one, &place, "root", &[]).code, 255, "{whose:?}");
        let words = ["-H", known.to_str().unwrap(), "-h", "nowhere", path.to_str().unwrap()];
        let told = agent.nacre_add(&words);
        assert_eq!((told.code, told.err.as_str()), (255, "No host keys found for destination \"nowhere\"\n"));
    }
}

#[test]
fn g02_a_key_bound_to_a_way_goes_through_forwarding_along_it() {
    let place = place();
    let [one, two] = two_hosts(&place);
    let known = place.path("known_hosts");
    let path = place.path("id");
    let agent = Agent::start(Whose::Ours, &place, &[], &[]);
    // From one to two with the agent that is forwarded, by OpenSSH throughout; only the agent is ours.
    let inner = format!(
        "ssh -F none -p {} -o UserKnownHostsFile={} -o BatchMode=yes 127.0.0.1 echo in",
        two.port,
        known.display()
    );
    let go = |to: &[String]| {
        assert_eq!(agent.ssh_add(&["-D"]).code, 0);
        let mut command = agent.client("ssh-add");
        command.arg("-q").arg("-H").arg(&known);
        for place in to {
            command.args(["-h", place]);
        }
        assert_eq!(done(command.arg(&path)).code, 0);
        let mut command = agent.client("ssh");
        let words = one.words(&place);
        command.args(&words[1..]).args(["-A", "-o", "BatchMode=yes", "-l", "root", "127.0.0.1", &inner]);
        done(command.env("HOME", place.path("home")))
    };
    let (first, second) = (one.name(), format!("{}>{}", one.name(), two.name()));
    let told = go(&[first.clone(), second]);
    assert_eq!((told.code, told.out.as_str()), (0, "in\n"), "{}", told.err);
    let told = go(&[first, two.name()]);
    assert_eq!(told.code, 255, "to both from here, but not from one to two: {}", told.err);
    assert!(told.err.contains("Permission denied"), "{}", told.err);
}

#[test]
fn g02_a_hosts_certificate_is_known_by_its_authority() {
    let place = place();
    key(&place, "hostca", &["-t", "ed25519"]);
    let host = place.path("host_ed25519").to_str().unwrap().to_owned();
    let port_names = "127.0.0.1";
    certify(&place, "hostca", &host, &["-h", "-I", "host", "-n", port_names]);
    let peer = Peer::sshd(&place, &format!("HostKey {host}\nHostCertificate {host}-cert.pub"));
    let public = place.read("hostca.pub");
    let words: Vec<&str> = public.split(' ').collect();
    let ca = format!("{} {}", words[0], words[1].trim());
    // The name in the certificate has no port, so the host is looked up by it alone.
    place.write("known_hosts", &format!("@cert-authority 127.0.0.1,other {ca}\n"));
    let agent = Agent::start(Whose::Ours, &place, &[], &[]);
    let known = place.path("known_hosts");
    let id = place.path("id");
    for (name, code) in [("127.0.0.1", 0), ("other", 255)] {
        assert_eq!(agent.ssh_add(&["-D"]).code, 0);
        let add = ["-q", "-H", known.to_str().unwrap(), "-h", name, id.to_str().unwrap()];
        assert_eq!(agent.nacre_add(&add).code, 0);
        let told = call("ssh", &agent, &peer, &place, "root", &["-o", "HostKeyAlias=127.0.0.1"]);
        assert_eq!(told.code, code, "{name}: {}", told.err);
    }
}
