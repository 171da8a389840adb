//! Agent forwarding: OpenSSH's client and ours, our server and OpenSSH's, either one's agent.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "common/agents.rs"]
mod agents;
mod common;
#[path = "common/peer.rs"]
mod peer;
#[path = "common/serve.rs"]
mod serve;

use agents::{Agent, Whose, certify, set_mode};
use common::{Scratch, nacre, program};
use serve::{Done, Server, eventually, finish, make_key};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const CLIENTS: [&str; 2] = ["ssh", "nacre"];

/// A place with a home folder of its own, so that tests do not meet each other's sockets. Only root can have one.
fn place() -> Option<Scratch> {
    if !nacre_sys::privileges::is_root() {
        eprintln!("NOT RUN: this test needs root");
        return None;
    }
    let place = Scratch::new();
    std::fs::create_dir(place.path("home")).unwrap();
    for key in ["host", "id", "other"] {
        make_key(&place, key);
    }
    place.write("keys", &(place.read("id.pub") + &place.read("other.pub")));
    Some(place)
}

fn start(lines: &str) -> Option<Server> {
    Some(Server::start_in(place()?, &format!("PerSourcePenalties no\n{lines}")))
}

/// An agent that holds the key `other`.
fn agent(whose: Whose, place: &Scratch) -> Agent {
    let agent = Agent::start(whose, place, &[], &[]);
    let added = agent.ssh_add(&["-q", place.path("other").to_str().unwrap()]);
    assert_eq!(added.code, 0, "{}", added.err);
    agent
}

/// A client that logs in with the key `id`; `socket` is where it finds an agent.
fn client(which: &str, server: &Server, socket: &Path, more: &[&str]) -> Command {
    let mut command = if which == "nacre" { nacre() } else { program("ssh") };
    if which == "nacre" {
        command.arg("ssh");
    }
    command.args(["-F", "none", "-T", "-o", "StrictHostKeyChecking=accept-new", "-o", "BatchMode=yes", "-o"]);
    command.arg(format!("UserKnownHostsFile={}", server.place.path("known").display()));
    command.args(["-p", &server.port.to_string(), "-o", "IdentitiesOnly=yes", "-i"]).arg(server.place.path("id"));
    command.args(more).arg(format!("{}@127.0.0.1", server.user)).env("SSH_AUTH_SOCK", socket);
    command.env("HOME", server.place.path("home"));
    command
}

#[track_caller]
fn call(which: &str, server: &Server, agent: &Agent, more: &[&str], command: &str) -> Done {
    finish(client(which, server, &agent.socket, more).arg(command), b"")
}

/// What is left in the folder of the sockets: names of folders, each of a connection.
fn connections(server: &Server) -> Vec<PathBuf> {
    let Ok(list) = std::fs::read_dir(server.place.path("home/.ssh/agent")) else { return Vec::new() };
    list.flatten().filter(|entry| entry.file_type().unwrap().is_dir()).map(|entry| entry.path()).collect()
}

/// A command that logs in to a server with what keys the agent at hand has.
fn onwards(to: &Server, known: &Path) -> String {
    format!(
        "ssh -F none -p {} -o UserKnownHostsFile={} -o StrictHostKeyChecking=accept-new -o BatchMode=yes -i {} {}@127.0.0.1 \
         echo arrived",
        to.port,
        known.display(),
        to.place.path("other.pub").display(),
        to.user
    )
}

#[test]
fn either_client_brings_either_agent_to_our_server() {
    let Some(server) = start("") else { return };
    for whose in [Whose::Ours, Whose::OpenSsh] {
        let agent = agent(whose, &server.place);
        for which in CLIENTS {
            let done =
                call(which, &server, &agent, &["-A"], "ssh-add -l && nacre=$SSH_AUTH_SOCK && stat -L -c %a $nacre");
            assert!(done.out.contains("(ED25519)\n600\n"), "{which} {whose:?}: {done:?}\n{}", server.log());
            let done = call(which, &server, &agent, &["-A"], &onwards(&server, &server.place.path("known2")));
            assert_eq!(done.out, "arrived\n", "{which} {whose:?}: {done:?}\n{}", server.log());
            let done = call(which, &server, &agent, &["-a"], "echo [$SSH_AUTH_SOCK]");
            assert_eq!(done.out, "[]\n", "{which} {whose:?}");
        }
    }
    server.logs("Forwarding auth-agent-req@openssh.com for");
    server.logs("Forwarding auth-agent@openssh.com for");
    eventually("the end of all sockets", || connections(&server).is_empty());
}

#[test]
fn our_client_brings_either_agent_to_openssh() {
    let place = peer::place();
    let server = peer::Peer::sshd(&place, "");
    make_key(&place, "other");
    for whose in [Whose::Ours, Whose::OpenSsh] {
        let agent = agent(whose, &place);
        let with = |option: &str| {
            let mut command = server.client(&place);
            command.args(["-o", "IdentitiesOnly=yes", "-o", option, "-l", "root", "127.0.0.1"]);
            command.arg("ssh-add -l; echo [$SSH_AUTH_SOCK]").env("SSH_AUTH_SOCK", &agent.socket);
            peer::run(command.env("OTHER_AGENT", &agent.socket), b"")
        };
        assert!(with("ForwardAgent=yes").text().contains("(ED25519)"), "{whose:?} {}", server.log());
        assert!(with("ForwardAgent=no").text().contains("[]"));
        // Another agent than the one that is logged in with.
        let path = format!("ForwardAgent={}", agent.socket.display());
        for option in [path.as_str(), "ForwardAgent=$OTHER_AGENT"] {
            let mut command = server.client(&place);
            command.args(["-o", option, "-l", "root", "127.0.0.1", "ssh-add -l"]);
            let done = peer::run(command.env("OTHER_AGENT", &agent.socket), b"");
            assert!(done.text().contains("(ED25519)"), "{option} {}", done.err);
        }
    }
}

#[test]
fn an_agent_that_is_dead_is_told_of_once_and_keeps_nobody() {
    let Some(server) = start("") else { return };
    let gone = server.place.path("gone");
    drop(std::os::unix::net::UnixListener::bind(&gone).unwrap());
    let done = finish(client("nacre", &server, &gone, &["-A"]).arg("echo [$SSH_AUTH_SOCK]"), b"");
    let line = format!("The agent at {} is not forwarded: Connection refused\n", gone.display());
    assert_eq!((done.code, done.out.as_str(), done.err.contains(&line)), (0, "[]\n", true), "{done:?}");
    // One that dies later is told of by both ends.
    let mut agent = agent(Whose::OpenSsh, &server.place);
    let mut shell = Shell::start(&server, &agent);
    assert!(shell.ask("ssh-add -l").contains("(ED25519)"));
    let _ = agent.child.kill();
    let _ = agent.child.wait();
    // It may be ended by writing to a socket that is closed, without a word.
    assert_eq!(shell.ask("ssh-add -l >/dev/null 2>&1 || echo refused"), "refused\n", "{}", server.log());
}

/// Logs in with these lines of configuration and options of the key, and says what the session was told.
#[track_caller]
fn told(lines: &str, options: &str) -> bool {
    let Some(place) = place() else { return options.contains("agent-forwarding,") };
    let key = place.read("id.pub");
    place.write("keys", &format!("{options} {key}"));
    let server = Server::start_in(place, &format!("PerSourcePenalties no\n{lines}"));
    let agent = agent(Whose::OpenSsh, &server.place);
    let answers = CLIENTS.map(|which| {
        let done = call(which, &server, &agent, &["-A"], "echo [$SSH_AUTH_SOCK]");
        assert_eq!(done.code, 0, "{which}: {done:?}\n{}", server.log());
        done.out != "[]\n"
    });
    assert_eq!(answers[0], answers[1]);
    let reason = if answers[0] { "Forwarding auth-agent-req" } else { "orwarding is off" };
    server.logs(reason);
    answers[0]
}

const FORCED: &str = r#"command="echo [$SSH_AUTH_SOCK]""#;

#[test]
fn c07_every_switch_turns_it_off() {
    if place().is_none() {
        return;
    }
    assert!(told("", "pty"));
    assert!(!told("AllowAgentForwarding no", ""));
    assert!(!told("DisableForwarding yes\nAllowAgentForwarding yes", ""));
    assert!(!told("", "no-agent-forwarding"));
    assert!(!told("", "restrict"));
    assert!(told("", "restrict,agent-forwarding"));
    assert!(told("AllowTcpForwarding no", "no-port-forwarding"));
}

#[test]
fn c07_a_forced_command_has_it_where_somebody_wrote_so() {
    if place().is_none() {
        return;
    }
    assert!(!told("", FORCED));
    assert!(!told("ForceCommand echo [$SSH_AUTH_SOCK]", ""));
    assert!(told("AllowAgentForwarding yes", FORCED));
    assert!(told("", &format!("restrict,agent-forwarding,{FORCED}")));
    assert!(!told("", &format!("restrict,{FORCED}")));
}

#[test]
fn a07_a_certificate_must_permit_it() {
    let Some(place) = place() else { return };
    make_key(&place, "ca");
    let lines = format!("PerSourcePenalties no\nTrustedUserCAKeys {}\n", place.path("ca.pub").display());
    let (id, user) = (place.path("id").display().to_string(), serve::own_name());
    let server = Server::start_in(place, &lines);
    let agent = agent(Whose::OpenSsh, &server.place);
    server.place.write("keys", "");
    let words = ["-I", "a test", "-n", &user];
    for (more, expected) in [(vec!["-O", "clear"], false), (vec!["-O", "clear", "-O", "permit-agent-forwarding"], true)]
    {
        certify(&server.place, "ca", &id, &[&words[..], &more].concat());
        for which in CLIENTS {
            let done = call(which, &server, &agent, &["-A"], "echo [$SSH_AUTH_SOCK]");
            assert_eq!(done.out != "[]\n", expected, "{which} {more:?}: {done:?}\n{}", server.log());
        }
    }
}

#[test]
fn fifty_connections_to_the_agent_at_once() {
    let Some(server) = start("") else { return };
    for whose in [Whose::Ours, Whose::OpenSsh] {
        let agent = agent(whose, &server.place);
        for which in CLIENTS {
            let all = "for i in $(seq 50); do ssh-add -l & done; wait";
            let done = call(which, &server, &agent, &["-A"], all);
            assert_eq!(done.out.matches("(ED25519)").count(), 50, "{which} {whose:?}: {done:?}");
        }
    }
}

/// A shell at the other end, asked line by line.
struct Shell {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
}

impl Shell {
    fn start(server: &Server, agent: &Agent) -> Self {
        let mut command = client("nacre", server, &agent.socket, &["-A"]);
        command.arg("sh").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    fn ask(&mut self, line: &str) -> String {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}\necho END").unwrap();
        let mut answer = String::new();
        while !answer.ends_with("END\n") {
            assert!(self.out.read_line(&mut answer).unwrap() > 0, "the session is over: {answer}");
        }
        answer.trim_end_matches("END\n").to_owned()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_path_goes_on_to_lead_to_an_agent() {
    let Some(server) = start("") else { return };
    let [ours, theirs] = [agent(Whose::Ours, &server.place), agent(Whose::OpenSsh, &server.place)];
    // Told apart by their keys.
    assert_eq!(theirs.ssh_add(&["-D"]).code, 0);
    make_key(&server.place, "third");
    assert_eq!(theirs.ssh_add(&["-q", server.place.path("third").to_str().unwrap()]).code, 0);
    let mut first = Shell::start(&server, &ours);
    let path = first.ask("echo $SSH_AUTH_SOCK").trim().to_owned();
    assert!(path.starts_with(server.place.path("home/.ssh/agent").to_str().unwrap()), "{path}");
    // As a program that was started by the first, such as tmux, sees it.
    let seen = || finish(program("ssh-add").arg("-L").env("SSH_AUTH_SOCK", &path), b"").out;
    let mut second = Shell::start(&server, &theirs);
    assert!(second.ask("ssh-add -L").contains("third"));
    assert!(first.ask("ssh-add -L").contains("other") && seen().contains("other"), "each has its own");
    drop(first);
    eventually("the other's agent", || seen().contains("third"));
    drop(second);
    eventually("the end of both", || connections(&server).is_empty());
    assert_eq!(seen(), "");
    let mut third = Shell::start(&server, &ours);
    assert_eq!(third.ask("echo $SSH_AUTH_SOCK").trim(), path, "the path is that of before");
    assert!(seen().contains("other"));
}

#[test]
fn what_a_killed_client_leaves_goes() {
    let Some(server) = start("") else { return };
    let agent = agent(Whose::OpenSsh, &server.place);
    for which in CLIENTS {
        let mut command = client(which, &server, &agent.socket, &["-A"]);
        let mut child = command.arg("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        eventually("a socket", || connections(&server).iter().any(|folder| folder.join("s").exists()));
        child.kill().unwrap();
        child.wait().unwrap();
        eventually("its end", || connections(&server).is_empty());
    }
}

#[test]
fn a_home_that_cannot_be_written_to_is_no_hindrance() {
    let Some(place) = place() else { return };
    // Where a folder is wanted stands a file.
    place.write("home/.ssh", "");
    let server = Server::start_in(place, "PerSourcePenalties no");
    let agent = agent(Whose::OpenSsh, &server.place);
    let done = call("ssh", &server, &agent, &["-A"], "ssh-add -l; echo $SSH_AUTH_SOCK");
    let path = PathBuf::from(done.out.lines().last().unwrap());
    assert!(done.out.contains("(ED25519)") && path.ends_with("s"), "{done:?}");
    eventually("the end of the folder", || !path.parent().unwrap().exists());
}

#[test]
fn g02_g03_constraints_hold_across_two_hops() {
    let (Some(one), Some(two), Some(three)) = (start(""), start(""), start("")) else { return };
    let known = one.place.path("known_hosts");
    let line = |server: &Server| {
        let key = server.place.read("host.pub");
        let words: Vec<&str> = key.split(' ').collect();
        format!("[127.0.0.1]:{} {} {}\n", server.port, words[0], words[1])
    };
    std::fs::write(&known, [&one, &two, &three].map(line).concat()).unwrap();
    let key = one.place.path("other");
    for server in [&two, &three] {
        server.place.write("keys", &one.place.read("other.pub"));
        std::fs::copy(one.place.path("other.pub"), server.place.path("other.pub")).unwrap();
    }
    let name = |server: &Server| format!("[127.0.0.1]:{}", server.port);
    for whose in [Whose::Ours, Whose::OpenSsh] {
        let agent = Agent::start(whose, &one.place, &[], &[]);
        let way = format!("{}>{}", name(&one), name(&two));
        let words = ["-q", "-H", known.to_str().unwrap(), "-h", &name(&one), "-h", &way, key.to_str().unwrap()];
        let added = agent.ssh_add(&words);
        assert_eq!(added.code, 0, "{}", added.err);
        for which in CLIENTS {
            let to = |server: &Server| call(which, &one, &agent, &["-A"], &onwards(server, &known));
            let done = to(&two);
            assert_eq!(done.out, "arrived\n", "{which} {whose:?}: {done:?}\n{}", two.log());
            assert_eq!((to(&three).code, to(&one).code), (255, 255), "{which} {whose:?}");
            // Locked and opened again it knows still.
            let script = one.place.write("askpass", "#!/bin/sh\necho fake\n");
            set_mode(&script, 0o700);
            let mut lock = agent.client("ssh-add");
            lock.env("SSH_ASKPASS", &script).env("SSH_ASKPASS_REQUIRE", "force").env("DISPLAY", "none");
            assert_eq!(finish(lock.arg("-x"), b"").code, 0);
            let locked = call(which, &one, &agent, &["-A"], "ssh-add -l");
            assert!(!locked.out.contains("ED25519"), "{locked:?}");
            let mut unlock = agent.client("ssh-add");
            unlock.env("SSH_ASKPASS", &script).env("SSH_ASKPASS_REQUIRE", "force").env("DISPLAY", "none");
            assert_eq!(finish(unlock.arg("-X"), b"").code, 0);
            assert_eq!(to(&two).out, "arrived\n");
        }
    }
}
