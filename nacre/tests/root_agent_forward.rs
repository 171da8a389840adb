//! As root: the socket that stands for a client's agent is the user's, made by the user's helper.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "common/agents.rs"]
mod agents;
mod common;
#[path = "common/root.rs"]
mod root;
#[path = "common/serve.rs"]
mod serve;

use agents::{Agent, Whose};
use common::program;
use root::{Root, possible};
use serve::{eventually, finish, make_key};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;

const CAROL: u32 = root::ACCOUNTS[0].1;

fn start(lines: &str) -> Option<(Root, Agent)> {
    if !possible() {
        return None;
    }
    let server = Root::start(Path::new(env!("CARGO_BIN_EXE_nacre")), &format!("PerSourcePenalties no\n{lines}"));
    make_key(&server.place, "other");
    let agent = Agent::start(Whose::Ours, &server.place, &[], &[]);
    assert_eq!(agent.ssh_add(&["-q", server.place.path("other").to_str().unwrap()]).code, 0);
    Some((server, agent))
}

/// The sockets that stand for agents of carol.
fn sockets(server: &Root) -> Vec<PathBuf> {
    let Ok(list) = std::fs::read_dir(server.place.path("home-carol/.ssh/agent")) else { return Vec::new() };
    let sockets = list.flatten().filter(|entry| entry.file_type().unwrap().is_dir()).map(|e| e.path().join("s"));
    sockets.filter(|path| path.exists()).collect()
}

#[test]
fn a18_g05_the_socket_is_the_users_alone() {
    let Some((server, agent)) = start("") else { return };
    let call = |command: &str| {
        let mut ssh = server.ssh("carol", &["-A"]);
        finish(ssh.env("SSH_AUTH_SOCK", &agent.socket).arg(command), b"")
    };
    let done = call("ssh-add -l; for i in 1 2 3 4 5 6 7 8; do ssh-add -L & done; wait");
    assert!(
        done.out.contains("(ED25519)") && done.out.matches("ssh-ed25519").count() == 8,
        "{done:?}\n{}",
        server.log()
    );
    server.logs("Forwarding auth-agent-req@openssh.com for carol");
    server.logs("Forwarding auth-agent@openssh.com for carol");
    eventually("the end of the sockets", || sockets(&server).is_empty());

    let mut ssh = server.ssh("carol", &["-A"]);
    let mut child =
        ssh.env("SSH_AUTH_SOCK", &agent.socket).arg("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    eventually("a socket", || !sockets(&server).is_empty());
    let socket = sockets(&server).remove(0);
    let folder = socket.parent().unwrap();
    for (path, mode) in [(folder.parent().unwrap(), 0o700), (folder, 0o700), (&socket, 0o600)] {
        let file = std::fs::symlink_metadata(path).unwrap();
        assert_eq!((file.uid(), file.gid(), file.mode() & 0o7777), (CAROL, CAROL, mode), "{}", path.display());
    }
    assert!(std::fs::symlink_metadata(&socket).unwrap().file_type().is_socket());
    // Who listens is carol, not the server.
    let mut stream = UnixStream::connect(&socket);
    eventually("who listens", || {
        stream = UnixStream::connect(&socket);
        stream.is_ok()
    });
    let stream = stream.unwrap();
    let listener = nacre_sys::messages::MessageSocket::from(std::os::fd::OwnedFd::from(stream)).peer_pid_uid().unwrap();
    assert_eq!(listener.1, CAROL);
    // Somebody else is not heard, even where the file system lets them in.
    let home = server.place.path("home-carol");
    for path in [home.as_path(), &home.join(".ssh"), folder.parent().unwrap(), folder, &socket] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    let list_as = |uid: u32| {
        let mut command = program("setpriv");
        let ids = [format!("--reuid={uid}"), format!("--regid={uid}"), "--clear-groups".to_owned()];
        // One that is hung up on may be ended by what it writes.
        let list = ["sh", "-c", "ssh-add -l || echo refused"];
        finish(command.args(ids).args(list).env("SSH_AUTH_SOCK", &socket), b"")
    };
    assert!(list_as(CAROL).out.contains("(ED25519)"));
    assert_eq!(list_as(CAROL + 1).out, "refused\n");
    // What the killed client leaves goes.
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("the end of the socket", || !folder.exists());
    server.settles(0);
}

#[test]
fn c07_the_monitor_judges_and_a_crash_leaves_no_socket() {
    let Some((server, agent)) = start("AllowAgentForwarding no") else { return };
    let mut ssh = server.ssh("carol", &["-A"]);
    let done = finish(ssh.env("SSH_AUTH_SOCK", &agent.socket).arg("echo [$SSH_AUTH_SOCK]"), b"");
    assert_eq!(done.out, "[]\n", "{done:?}");
    server.logs("forwarding is off (AllowAgentForwarding)");
    drop(server);

    let Some((server, agent)) = start("") else { return };
    let mut ssh = server.ssh("carol", &["-A"]);
    let ssh = ssh.env("SSH_AUTH_SOCK", &agent.socket).arg("cat").stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = ssh.stderr(Stdio::null()).spawn().unwrap();
    eventually("a socket", || !sockets(&server).is_empty());
    root::crash(server.families()[0].net.unwrap());
    eventually("its end", || sockets(&server).is_empty());
    child.wait().unwrap();
}
