//! scp between our ends and OpenSSH's, over real connections, by SFTP and by the old protocol.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "common/carrier.rs"]
mod carrier;
mod common;
#[path = "common/peer.rs"]
mod peer;
#[path = "common/person.rs"]
mod person;
#[path = "common/serve.rs"]
mod serve;

use carrier::shortcut;
use common::{Scratch, nacre, program};
use peer::{Outcome, PASSWORD, Peer, TESTER, noise, place, require, run};
use person::Person;
use serve::Server;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

/// The flags of each way.
const WAYS: [&[&str]; 2] = [&[], &["-O"]];

/// Files of several sizes in folders, with modes and times.
fn fill(place: &Scratch) {
    std::fs::create_dir_all(place.path("src/sub/deep")).unwrap();
    for (name, size) in [("empty", 0), ("one", 1), ("sub/some name", 40_000), ("sub/deep/large", 3_000_001)] {
        std::fs::write(place.path("src").join(name), noise(size)).unwrap();
    }
    std::fs::set_permissions(place.path("src/one"), std::fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("one", place.path("src/link")).unwrap();
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_400_000_000);
    for name in ["src/one", "src/sub/deep"] {
        std::fs::File::open(place.path(name)).unwrap().set_modified(long_ago).unwrap();
    }
}

#[track_caller]
fn is_copy(place: &Scratch, copy: &str) {
    let copy = place.path(copy);
    let done = run(program("diff").arg("-r").arg(place.path("src")).arg(&copy), b"");
    assert_eq!((done.code, done.text()), (0, String::new()), "{}", done.err);
    let of = |name: &str| {
        let metadata = copy.join(name).metadata().unwrap();
        (metadata.mode() & 0o7777, metadata.mtime())
    };
    assert_eq!(of("one"), (0o640, 1_400_000_000));
    assert_eq!(of("sub/deep").1, 1_400_000_000);
}

#[track_caller]
fn good(outcome: &Outcome) {
    assert_eq!((outcome.code, outcome.text(), outcome.err.as_str()), (0, String::new(), ""));
}

/// There and back, whole folders and single files, through `scp`, which is told everything but files.
fn round_trip(place: &Scratch, host: &str, scp: impl Fn() -> Command) {
    let far = |name: &str| format!("{host}:{}", place.path(name).display());
    for (number, way) in WAYS.iter().enumerate() {
        let call = |words: &[&str]| run(scp().args(*way).args(words).current_dir(place.root()), b"");
        let (up, down) = (format!("up{number}"), format!("down{number}"));
        good(&call(&["-r", "-p", "src", &far(&up)]));
        is_copy(place, &up);
        good(&call(&["-r", "-p", &far("src"), &down]));
        is_copy(place, &down);
        let (single, folder) = (format!("single{number}"), format!("folder{number}"));
        good(&call(&[&far("src/sub/deep/large"), &single]));
        assert!(std::fs::read(place.path(&single)).unwrap() == noise(3_000_001));
        std::fs::create_dir(place.path(&folder)).unwrap();
        good(&call(&[&far("src/o*"), &far("src/sub/deep/larg?"), &folder]));
        assert_eq!(std::fs::read_dir(place.path(&folder)).unwrap().count(), 2);
        let none = call(&[&far("src/nothing*"), &folder]);
        assert!(none.code == 1 && none.err.contains("No such file or directory"), "{}", none.err);
    }
}

fn at(place: &Scratch, port: u16) -> impl Fn() -> Command {
    let words = vec![
        "-F".to_owned(),
        "none".into(),
        "-P".into(),
        port.to_string(),
        format!("-oUserKnownHostsFile={}", place.path("known").display()),
        "-oGlobalKnownHostsFile=none".into(),
        "-oStrictHostKeyChecking=accept-new".into(),
        "-oLogLevel=ERROR".into(),
        "-B".into(),
        "-i".into(),
        place.path("id").display().to_string(),
    ];
    let home = place.path("home");
    move || {
        let mut command = nacre();
        command.arg("scp").args(&words).env("HOME", &home);
        command
    }
}

#[test]
fn our_client_with_openssh_s_server() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    fill(&place);
    round_trip(&place, "127.0.0.1", at(&place, peer.port));
}

#[test]
fn our_client_with_our_server() {
    let server = started();
    round_trip(&server.place, &format!("{}@127.0.0.1", server.user), at(&server.place, server.port));
}

#[test]
fn openssh_s_client_with_our_server() {
    let server = started();
    let place = &server.place;
    let words = [
        "-q".to_owned(),
        "-oBatchMode=yes".into(),
        "-F".into(),
        "none".into(),
        "-P".into(),
        server.port.to_string(),
        format!("-oUserKnownHostsFile={}", place.path("known").display()),
        "-oStrictHostKeyChecking=accept-new".into(),
        "-oIdentitiesOnly=yes".into(),
        "-i".into(),
        place.path("id").display().to_string(),
    ];
    round_trip(place, &format!("{}@127.0.0.1", server.user), || {
        let mut scp = require("scp", "openssh-client");
        scp.args(&words);
        scp
    });
}

/// Our server, in whose sessions `scp` is the program under test, and files to copy.
fn started() -> Server {
    let prepared = Scratch::new();
    let _ = shortcut(&prepared);
    for key in ["host", "id", "other"] {
        serve::make_key(&prepared, key);
    }
    let path = format!("environment=\"PATH={}:/usr/bin:/bin\"", prepared.path("bin").display());
    prepared.write("keys", &format!("{path} {}", prepared.read("id.pub")));
    let server = Server::start_in(prepared, "Subsystem sftp internal-sftp\nPermitUserEnvironment PATH");
    let found = server.run("command -v scp");
    assert_eq!(Path::new(found.out.trim()), server.place.path("bin/scp"), "{}", found.err);
    fill(&server.place);
    server
}

#[test]
fn a_refusing_host_fails_the_copy() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    for way in WAYS {
        let mut scp = at(&place, peer.port)();
        let done = run(scp.args(way).args(["nobody@127.0.0.1:x", "y"]).current_dir(place.root()), b"");
        assert_eq!(done.code, 1);
        assert!(done.err.contains("Permission denied"), "{}", done.err);
    }
}

#[test]
fn addresses_name_ports_and_hosts_in_every_form() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    place.write("file", "x");
    let path = place.path("file").display().to_string();
    for (number, address) in [
        format!("127.0.0.1:{path}"),
        format!("[127.0.0.1]:{path}"),
        format!("root@127.0.0.1:{path}"),
        format!("scp://127.0.0.1:{}/{path}", peer.port),
        format!("scp://root@[127.0.0.1]:{}/{path}", peer.port),
    ]
    .iter()
    .enumerate()
    {
        let to = place.path(&format!("copy{number}"));
        good(&run(at(&place, peer.port)().args(["-O".as_ref(), address.as_ref(), to.as_os_str()]), b""));
        assert_eq!(std::fs::read_to_string(to).unwrap(), "x");
    }
}

#[test]
fn the_questions_are_ssh_s_and_ctrl_c_gives_the_terminal_back() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let target = place.path("copy");
    let known = format!("-oUserKnownHostsFile={}", place.path("known").display());
    let (port, from) = (peer.port.to_string(), format!("{TESTER}@127.0.0.1:/etc/hostname"));
    let words = ["scp", "-F", "none", "-P", &port, &known, "-oStrictHostKeyChecking=accept-new"];
    let more = ["-oPreferredAuthentications=password", &from, target.to_str().unwrap()];
    let mut person = Person::runs(&place.path("home"), &[&words[..], &more].concat());
    person.sees("password:");
    person.types(PASSWORD);
    person.sees("100%");
    assert_eq!(person.ends().0, 0);
    assert!(target.exists());
    // The terminal is a shell's, which goes on when scp has ended.
    let own = env!("CARGO_BIN_EXE_nacre");
    let line = [&["-c", "trap : INT; \"$@\"; echo code $?; read end", "sh", own], &words[..], &more].concat();
    let mut person = Person::starts(Path::new("/bin/sh"), &place.path("home"), &line, &[]);
    person.sees("password:");
    assert!(!person.terminal_is_cooked());
    person.presses(b"\x03");
    person.sees("code 130");
    person.awaits_cooked_terminal();
    person.types("end");
    person.ends();
}
