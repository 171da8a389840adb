//! `nacre sftp` over real connections: to our own server and to OpenSSH's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/peer.rs"]
mod peer;
#[path = "common/serve.rs"]
mod serve;

use common::{Scratch, nacre, program};
use peer::{Peer, noise};
use serve::{Server, finish, own_name};
use std::process::Command;

/// `nacre sftp` with what every call needs; the far side's own words follow.
fn sftp(place: &Scratch, port: u16, more: &[&str]) -> Command {
    let known = format!("UserKnownHostsFile={}", place.path("known").display());
    let mut command = nacre();
    command.arg("sftp").args([
        "-F",
        "none",
        "-o",
        "StrictHostKeyChecking=accept-new",
        "-o",
        "GlobalKnownHostsFile=none",
    ]);
    command.args(["-o", &known, "-o", "IdentitiesOnly=yes", "-i"]).arg(place.path("id"));
    command.args(["-P", &port.to_string()]).args(more);
    command.env("HOME", place.root()).current_dir(place.path("near"));
    command
}

fn fill(place: &Scratch) {
    std::fs::create_dir_all(place.path("far/tree/sub")).unwrap();
    std::fs::create_dir(place.path("near")).unwrap();
    for (name, size) in [("far/tree/empty", 0), ("far/tree/large", 3_000_001), ("far/tree/sub/some name", 40_000)] {
        std::fs::write(place.path(name), noise(size)).unwrap();
    }
}

/// There and back, and the forms of an address.
fn works(place: &Scratch, port: u16, user: &str) {
    let far = place.path("far").display().to_string();
    let host = format!("{user}@127.0.0.1");
    let script = "get -r tree\nput -r tree back\nrm tree/empty\nls -l tree\ndf\npwd\n";
    let done = finish(sftp(place, port, &["-b", "-"]).arg(format!("{host}:{far}")), script.as_bytes());
    assert_eq!(done.code, 0, "{} {}", done.out, done.err);
    assert!(
        done.out.contains("large\n") && done.out.contains(&format!("Remote working directory: {far}\n")),
        "{}",
        done.out
    );
    let same = finish(program("diff").arg("-r").args([place.path("near/tree"), place.path("far/back")]), b"");
    assert_eq!((same.code, same.out.as_str()), (0, ""), "{}", same.err);
    assert!(!place.path("far/tree/empty").exists());
    let done = finish(sftp(place, port, &[]).arg(format!("sftp://{host}/{far}/tree")), b"pwd\n");
    assert_eq!((done.code, done.err.as_str()), (0, "Connected to 127.0.0.1.\n"));
    let expected = format!("Changing to: {far}/tree\nsftp> pwd\nRemote working directory: {far}/tree\n");
    assert_eq!(done.out, expected);
    let done = finish(sftp(place, port, &["-q"]).args([format!("{host}:{far}/tree/large"), "fetched".into()]), b"");
    assert_eq!((done.code, done.out.as_str(), done.err.as_str()), (0, "", ""));
    assert!(std::fs::read(place.path("near/fetched")).unwrap() == noise(3_000_001));
    let done = finish(sftp(place, port, &["-q"]).arg(format!("{host}:{far}/nope")), b"");
    assert_eq!((done.code, done.err), (1, format!("File \"{far}/nope\" not found.\n")));
}

#[test]
fn our_own_server_serves_it() {
    let server = Server::start("");
    fill(&server.place);
    works(&server.place, server.port, &own_name());
    // No shell reads the name of a subsystem that is none.
    let host = format!("{}@127.0.0.1", own_name());
    let done = finish(sftp(&server.place, server.port, &["-s", "nonsense"]).arg(&host), b"pwd\n");
    assert_eq!(done.code, 255, "{}", done.err);
    assert!(done.err.ends_with("Connection closed\n"), "{}", done.err);
    // A path is a program's: here OpenSSH's server, started by ours.
    let done =
        finish(sftp(&server.place, server.port, &["-s", "/usr/lib/openssh/sftp-server"]).arg(&host), b"version\n");
    assert_eq!((done.code, done.out.as_str()), (0, "sftp> version\nSFTP protocol version 3\n"), "{}", done.err);
}

#[test]
fn openssh_s_server_serves_it() {
    let place = peer::place();
    fill(&place);
    let server = Peer::sshd(&place, "");
    works(&place, server.port, "root");
}

/// 100,000 names in one folder, listed whole.
#[test]
fn a_folder_of_100_000_entries_is_listed_by_either_make_from_either() {
    const MANY: usize = 100_000;
    let place = peer::place();
    std::fs::create_dir_all(place.path("many")).unwrap();
    std::fs::create_dir(place.path("near")).unwrap();
    for number in 0..MANY {
        std::fs::File::create(place.path("many").join(format!("entry-{number:06}"))).unwrap();
    }
    let ls = format!("ls -1 {}\n", place.path("many").display());
    let whole = |done: &serve::Done| {
        assert_eq!(done.code, 0, "{}", done.err);
        let names = done.out.lines().filter_map(|line| line.trim_end().rsplit('/').next()?.strip_prefix("entry-"));
        let numbers: Vec<usize> = names.map(|number| number.parse().unwrap()).collect();
        assert!(numbers.into_iter().eq(0..MANY), "{} lines", done.out.lines().count());
    };
    let theirs = Peer::sshd(&place, "");
    whole(&finish(sftp(&place, theirs.port, &["-b", "-"]).arg("root@127.0.0.1"), ls.as_bytes()));
    let ours = Server::start("");
    let host = format!("{}@127.0.0.1", ours.user);
    let words = ["-F", "none", "-b", "-", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-P"];
    let mut openssh = program("sftp");
    openssh.args(words).arg(ours.port.to_string()).arg("-i").arg(ours.place.path("id")).arg(host);
    whole(&finish(&mut openssh, ls.as_bytes()));
}
