//! What `Match User` changes of a connection that stands: it counts from the login on, in both modes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "common/accounts.rs"]
mod accounts;
mod common;
#[path = "common/serve.rs"]
mod serve;

use accounts::{Accounts, GUEST, Serves, Setup, possible};
use common::program;
use serve::{Server, finish, own_name, send};
use std::process::{Command, Stdio};

/// OpenSSH's client with our key and its messages, against either kind of server.
trait Serving {
    fn client(&self, more: &[&str]) -> Command;
    fn logs_that(&self, text: &str);
}

impl Serving for Server {
    fn client(&self, more: &[&str]) -> Command {
        self.ssh(more)
    }
    fn logs_that(&self, text: &str) {
        self.logs(text);
    }
}

impl Serving for Accounts {
    fn client(&self, more: &[&str]) -> Command {
        self.with_key(GUEST, more)
    }
    fn logs_that(&self, text: &str) {
        self.logs(text);
    }
}

/// Servers in both modes, as far as this tester can have them, with these lines for whoever the tests log in as.
fn servers(global: &str, lines: &str) -> Vec<Box<dyn Serving>> {
    let mut all: Vec<Box<dyn Serving>> =
        vec![Box::new(Server::start(&format!("{global}\nMatch User {}\n{lines}", own_name())))];
    if possible() {
        let config = format!("{global}\nMatch User {GUEST}\n{lines}");
        all.push(Box::new(Setup::new(Serves::Machine).config(&config).start()));
    }
    all
}

fn key_exchanges(server: &dyn Serving) -> usize {
    let done = finish(server.client(&["-v"]).arg("head -c 3000000 /dev/zero"), b"");
    assert_eq!((done.code, done.out.len()), (0, 3_000_000), "{}", done.err);
    done.err.matches("SSH2_MSG_NEWKEYS received").count()
}

#[test]
fn a20_keys_are_renewed_as_often_as_the_user_s_limit_says() {
    for server in servers("RekeyLimit default none", "RekeyLimit 1M") {
        let count = key_exchanges(server.as_ref());
        assert!((3..8).contains(&count), "{count} exchanges");
    }
    for server in servers("RekeyLimit 1M", "RekeyLimit default none") {
        assert_eq!(key_exchanges(server.as_ref()), 1);
    }
}

#[test]
fn a20_signs_of_life_are_asked_for_as_the_user_s_interval_says() {
    for server in servers("ClientAliveInterval 0", "ClientAliveInterval 1") {
        let done = finish(server.client(&["-v"]).arg("sleep 10"), b"");
        assert!(done.err.contains("rtype keepalive@openssh.com"), "{}", done.err);
    }
    for server in servers("ClientAliveInterval 1", "ClientAliveInterval 0") {
        let done = finish(server.client(&["-v"]).arg("sleep 3"), b"");
        assert!(!done.err.contains("rtype keepalive@openssh.com"), "{}", done.err);
    }
}

/// A process that ends with its test.
struct Ending(std::process::Child);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a20_a_silent_client_is_given_up_after_the_user_s_count() {
    for server in servers("ClientAliveInterval 0", "ClientAliveInterval 1\nClientAliveCountMax 1") {
        let mut ssh = server.client(&[]);
        let mut child = ssh
            .arg("echo there; sleep 300")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // On a busy machine it may be silent for too long before it has said so.
        let _ = std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0; 6]);
        send(child.id(), "STOP");
        // The test may fail here; a stopped client must not stay.
        let _ending = Ending(child);
        server.logs_that("the peer does not answer");
    }
}

#[test]
fn a20_a_connection_without_channel_ends_after_the_user_s_time() {
    for server in servers("UnusedConnectionTimeout none", "UnusedConnectionTimeout 1") {
        let done = finish(&mut server.client(&["-N"]), b"");
        assert_eq!(done.code, 255, "{}", done.err);
    }
}

#[test]
fn a19_the_least_rsa_key_is_the_user_s() {
    let place = common::Scratch::new();
    for (name, bits) in [("usual", "2048"), ("strong", "3072")] {
        let make = ["-q", "-t", "rsa", "-b", bits, "-N", "", "-f"];
        assert_eq!(finish(program("ssh-keygen").args(make).arg(place.path(name)), b"").code, 0);
    }
    let is_in = |lines: &str, name: &str| {
        let server = Server::start(lines);
        server.place.write("keys", &place.read(&format!("{name}.pub")));
        let mut ssh = server.ssh_options();
        ssh.args(["-o", "BatchMode=yes", "-i"]).arg(place.path(name));
        let done = finish(ssh.arg(format!("{}@127.0.0.1", server.user)).arg("echo in"), b"");
        (done.out == "in\n", server.log())
    };
    let own = own_name();
    let of_user =
        |user: &str, global, own| format!("RequiredRSASize {global}\nMatch User {user}\nRequiredRSASize {own}");
    assert!(is_in("", "usual").0);
    assert!(!is_in("RequiredRSASize 3072", "usual").0 && is_in("RequiredRSASize 3072", "strong").0);
    assert!(is_in(&of_user(&own, 3072, 2048), "usual").0);
    let (is, log) = is_in(&of_user(&own, 2048, 3072), "usual");
    assert!(!is && log.contains("2048 bits are less than RequiredRSASize 3072"), "{log}");
    assert!(!is_in(&of_user("nobody", 3072, 2048), "usual").0, "somebody else's smaller size is not ours");
}

#[test]
fn a20_as_root_the_log_is_as_long_as_the_user_s_level_says() {
    if !possible() {
        return;
    }
    let quiet = Setup::new(Serves::Machine).config(&format!("Match User {GUEST}\nLogLevel QUIET")).start();
    assert_eq!(quiet.run(GUEST, "echo in").out, "in\n");
    assert_ne!(quiet.run("root", "echo in").code, 255);
    quiet.logs("for root from");
    assert!(!quiet.log().contains(GUEST), "{}", quiet.log());
    let much =
        Setup::new(Serves::Machine).config(&format!("LogLevel ERROR\nMatch User {GUEST}\nLogLevel INFO")).start();
    assert_eq!(much.run(GUEST, "echo in").out, "in\n");
    much.logs(&format!("Accepted publickey for {GUEST} from 127.0.0.1"));
}
