//! Programs that call `ssh` themselves, with ours in its place through a link of that name.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/peer.rs"]
mod peer;

use common::Scratch;
use peer::{Peer, noise, place, require, run, set_mode};
use std::path::PathBuf;

/// A place with a link called `ssh`, and the user's configuration for the server.
fn link(place: &Scratch, peer: &Peer) -> PathBuf {
    let link = place.path("ssh");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_nacre"), &link).unwrap();
    let known = place.path("known_hosts");
    let config = format!(
        "Host there\n  HostName 127.0.0.1\n  Port {}\n  User root\n  IdentityFile {}\n  UserKnownHostsFile {}\n  \
         StrictHostKeyChecking accept-new\n  LogLevel ERROR\n",
        peer.port,
        place.path("id").display(),
        known.display()
    );
    place.write("home/.ssh/config", &config);
    set_mode(&place.path("home/.ssh/config"), 0o600);
    link
}

#[test]
fn scp_and_sftp() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let ssh = link(&place, &peer);
    let data = noise(3 * 1024 * 1024 + 17);
    std::fs::write(place.path("here"), &data).unwrap();
    for more in [&[][..], &["-O"][..]] {
        let (there, back) = (place.path("there"), place.path("back"));
        let _ = (std::fs::remove_file(&there), std::fs::remove_file(&back));
        let mut scp = require("scp", "openssh-client");
        scp.args(more).arg("-S").arg(&ssh).arg(place.path("here")).arg(format!("there:{}", there.display()));
        let done = run(scp.env("HOME", place.path("home")), b"");
        assert_eq!((done.code, done.err.as_str()), (0, ""), "{more:?}");
        assert!(std::fs::read(&there).unwrap() == data);
        let mut scp = require("scp", "openssh-client");
        scp.args(more).arg("-S").arg(&ssh).arg(format!("there:{}", there.display())).arg(&back);
        let done = run(scp.env("HOME", place.path("home")), b"");
        assert_eq!((done.code, done.err.as_str()), (0, ""), "{more:?}");
        assert!(std::fs::read(&back).unwrap() == data);
    }
    let mut sftp = require("sftp", "openssh-client");
    sftp.args(["-b", "-", "-S"]).arg(&ssh).arg("there").env("HOME", place.path("home"));
    let done = run(&mut sftp, format!("ls {}\n", place.path("here").display()).as_bytes());
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.text().contains("/here"), "{}", done.text());
}

#[test]
fn git_asks_and_fetches() {
    let place = place();
    let peer = Peer::sshd(&place, "AcceptEnv GIT_PROTOCOL");
    let ssh = link(&place, &peer);
    let git = |words: &[&str]| {
        let mut git = require("git", "git");
        git.env("HOME", place.path("home")).env("GIT_SSH", &ssh).current_dir(place.root());
        git.args(["-c", "user.name=x", "-c", "user.email=x@example.invalid", "-c", "safe.directory=*"]);
        run(git.args(words), b"")
    };
    assert_eq!(git(&["init", "-q", "origin"]).code, 0);
    place.write("origin/file", "content\n");
    assert_eq!(git(&["-C", "origin", "add", "file"]).code, 0);
    assert_eq!(git(&["-C", "origin", "commit", "-q", "-m", "one"]).code, 0);
    let url = format!("ssh://root@there:{}{}", peer.port, place.path("origin").display());
    let done = git(&["clone", "-q", &url, "copy"]);
    assert_eq!(done.code, 0, "{}", done.err);
    assert_eq!(place.read("copy/file"), "content\n");
}

#[test]
fn the_version_is_what_programs_look_for() {
    let place = place();
    let link = place.path("ssh");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_nacre"), &link).unwrap();
    let done = run(common::program(link.to_str().unwrap()).arg("-V"), b"");
    assert_eq!(done.code, 0);
    assert!(done.err.starts_with("OpenSSH_10.5 compatible, Nacre "), "{:?}", done.err);
}
