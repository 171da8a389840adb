//! As root: the monitor judges certificates by itself (threat A7).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/root.rs"]
mod root;
#[path = "common/serve.rs"]
mod serve;

use common::{Scratch, nacre, program};
use root::{ACCOUNTS, Root, possible};
use serve::{Done, bytes_read, eventually, finish, make_key};
use std::path::Path;

/// Logs in with the key that only a certificate vouches for.
fn login(server: &Root, place: &Scratch, user: &str, command: &str) -> Done {
    let mut ssh = server.client(server.port);
    ssh.args(["-T", "-o", "BatchMode=yes", "-i"]).arg(place.path("user")).args(["-l", user, "127.0.0.1", command]);
    finish(&mut ssh, b"")
}

#[test]
fn a07_the_monitor_judges_certificates() {
    if !possible() {
        return;
    }
    let place = Scratch::new();
    for key in ["ca", "other", "user"] {
        make_key(&place, key);
    }
    let lines = format!("PerSourcePenalties no\nTrustedUserCAKeys {}\n", place.path("ca.pub").display());
    let server = Root::start(Path::new(env!("CARGO_BIN_EXE_nacre")), &lines);
    let (user, another) = (ACCOUNTS[0].0, ACCOUNTS[1].0);
    let sign = |ca: &str, words: &[&str]| {
        let mut keygen = program("ssh-keygen");
        keygen.args(["-q", "-s"]).arg(place.path(ca)).args(["-I", "the id", "-z", "9"]).args(words);
        assert_eq!(finish(keygen.arg(place.path("user.pub")), b"").code, 0);
    };
    sign("ca", &["-n", user]);
    let done = login(&server, &place, user, "id -un");
    assert_eq!(done.out, format!("{user}\n"), "{} {}", done.err, server.log());
    server.logs(" ID the id (serial 9) CA ED25519 SHA256:");
    assert_eq!(login(&server, &place, another, "id -un").code, 255);
    server.logs("refused: wrong principal");
    for (ca, words, why) in [
        ("other", &["-n", user][..], "refused: unknown CA"),
        ("ca", &["-n", user, "-V", "20200101:20200102"], "refused: expired"),
        ("ca", &["-n", user, "-O", "source-address=192.0.2.1"], "source-address"),
        ("ca", &["-n", user, "-O", "critical:own@example.org"], "own@example.org"),
    ] {
        sign(ca, words);
        assert_eq!(login(&server, &place, user, "id -un").code, 255, "{why}");
        server.logs(why);
    }
    sign("ca", &["-n", user, "-O", "force-command=echo forced"]);
    assert_eq!(login(&server, &place, user, "id -un").out, "forced\n", "{}", server.log());
    // Nothing that the net process said ran into the gate.
    assert!(!server.log().contains("net process"), "{}", server.log());
}

/// Stands for a security key (Debian's openssh-tests).
const DUMMY: &str = "/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so";

#[test]
fn a08_the_monitor_looks_at_what_a_security_key_shows() {
    if !possible() || !Path::new(DUMMY).exists() {
        return;
    }
    let place = Scratch::new();
    make_key(&place, "ca");
    let mut keygen = program("ssh-keygen");
    keygen.args(["-q", "-N", "", "-w", DUMMY, "-t", "ed25519-sk", "-O", "no-touch-required", "-f"]);
    assert_eq!(finish(keygen.arg(place.path("user")), b"").code, 0);
    let lines = format!("PerSourcePenalties no\nTrustedUserCAKeys {}\n", place.path("ca.pub").display());
    let server = Root::start(Path::new(env!("CARGO_BIN_EXE_nacre")), &lines);
    let user = ACCOUNTS[0].0;
    let with = |words: &[&str]| {
        let mut keygen = program("ssh-keygen");
        keygen.args(["-q", "-s"]).arg(place.path("ca")).args(["-I", "x", "-n", user]).args(words);
        assert_eq!(finish(keygen.arg(place.path("user.pub")), b"").code, 0);
        let mut ssh = server.client(server.port);
        ssh.args(["-T", "-o", "BatchMode=yes", "-o", &format!("SecurityKeyProvider={DUMMY}"), "-i"]);
        finish(ssh.arg(place.path("user")).args(["-l", user, "127.0.0.1", "id -un"]), b"")
    };
    assert_eq!(with(&[]).code, 255);
    server.logs("nobody touched the security key");
    let done = with(&["-O", "no-touch-required"]);
    assert_eq!(done.out, format!("{user}\n"), "{} {}", done.err, server.log());
    assert!(!server.log().contains("net process"), "{}", server.log());
}

#[test]
fn a12_a_long_list_of_revoked_keys_tells_nobody_who_exists() {
    if !possible() {
        return;
    }
    let place = Scratch::new();
    make_key(&place, "other");
    let hash = |number: u32| {
        format!(
            "hash: SHA256:{}\n",
            nacre_crypto::base64_encode(&[number.to_be_bytes(); 8].concat()).trim_end_matches('=')
        )
    };
    place.write("spec", &(0..40_000).map(hash).collect::<String>());
    place.write("revoked", "");
    let lines = format!("PerSourcePenalties no\nRevokedKeys {}\n", place.path("revoked").display());
    let server = Root::start(Path::new(env!("CARGO_BIN_EXE_nacre")), &lines);
    let user = ACCOUNTS[0].0;
    assert_eq!(server.run(user, "echo in").out, "in\n", "{}", server.log());
    let revoke = |key: &Path| {
        let mut keygen = nacre();
        keygen.args(["keygen", "-q", "-k", "-f"]).arg(place.path("new")).arg(place.path("spec")).arg(key);
        assert_eq!(finish(&mut keygen, b"").code, 0);
        std::fs::rename(place.path("new"), place.path("revoked")).unwrap();
        std::fs::metadata(place.path("revoked")).unwrap().len()
    };
    let length = revoke(&server.place.path("id.pub"));
    assert!(length > 1_000_000, "{length}");
    // What the listener has read, the process that monitors are forked from, and all monitors that have ended.
    let read = || server.spawner().map_or(0, bytes_read) + bytes_read(server.pid());
    let work = |user: &str| {
        server.settles(0);
        let before = read();
        let line = format!("Key of {user} refused: the key is revoked");
        let told = server.log().matches(&line).count();
        let done = server.run(user, "echo in");
        assert_eq!((done.code, done.out.as_str()), (255, ""), "{}", done.err);
        eventually("the reason", || server.log().matches(&line).count() > told);
        server.settles(0);
        read() - before
    };
    eventually("the list is kept", || work(user) < length / 2);
    for user in [user, "nobody-has-this-name"] {
        let bytes = work(user);
        assert!(bytes < length / 2, "{bytes} of {length} bytes were read for {user}");
    }
    revoke(&place.path("other.pub"));
    assert_eq!(server.run(user, "echo in").out, "in\n", "{}", server.log());
}
