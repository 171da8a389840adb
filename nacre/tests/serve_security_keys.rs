//! Keys inside security keys, shown by OpenSSH's client to `nacre serve` (threat A8). OpenSSH's tests bring a program that
//! stands for the hardware; it signs with the flags that its key was made with.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/serve.rs"]
mod serve;

use common::{Scratch, program};
use serve::{Done, Server, finish, make_key, own_name};
use std::path::Path;

/// Stands for the hardware (Debian's openssh-tests).
const DUMMY: &str = "/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so";

/// The types, as `-t` has them and as `-l` shows them.
const KINDS: [(&str, &str); 2] = [("ed25519-sk", "ED25519-SK"), ("ecdsa-sk", "ECDSA-SK")];

/// A server with a key of this type; `None` where nothing stands for the hardware.
fn server(kind: &str, made: &[&str], lines: &str) -> Option<Server> {
    if !Path::new(DUMMY).exists() {
        eprintln!("not tried: {DUMMY} (package openssh-tests) is not there");
        return None;
    }
    let place = Scratch::new();
    for key in ["host", "ca"] {
        make_key(&place, key);
    }
    let mut keygen = program("ssh-keygen");
    keygen.args(["-q", "-N", "", "-C", "", "-w", DUMMY, "-t", kind]).args(made).arg("-f").arg(place.path("id"));
    // A key that verifies its user is made with a PIN, which the program takes whatever it is.
    keygen.env("SSH_ASKPASS", "/bin/true").env("SSH_ASKPASS_REQUIRE", "force").env("DISPLAY", "none");
    let done = finish(&mut keygen, b"");
    assert_eq!(done.code, 0, "{}", done.err);
    place.write("keys", &place.read("id.pub"));
    let lines = lines.replace("{DIR}", place.root().to_str().unwrap());
    Some(Server::start_in(place, &lines))
}

fn login(server: &Server) -> Done {
    let provider = format!("SecurityKeyProvider={DUMMY}");
    let mut ssh = server.ssh_options();
    ssh.args(["-o", &provider, "-o", "PasswordAuthentication=no", "-o", "KbdInteractiveAuthentication=no", "-i"]);
    ssh.arg(server.place.path("id")).env("SSH_ASKPASS", "/bin/true").env("SSH_ASKPASS_REQUIRE", "force");
    finish(ssh.env("DISPLAY", "none").arg(format!("{}@127.0.0.1", own_name())).arg("echo in"), b"")
}

#[track_caller]
fn is_in(server: &Server) {
    let done = login(server);
    assert_eq!((done.code, done.out.as_str()), (0, "in\n"), "{} {}", done.err, server.log());
}

#[track_caller]
fn is_out(server: &Server, why: &str) {
    let before = server.log().matches(why).count();
    let done = login(server);
    assert_eq!((done.code, done.out.as_str()), (255, ""), "{why}: {}", server.log());
    serve::eventually(why, || server.log().matches(why).count() > before);
}

fn key(server: &Server) -> String {
    server.place.read("id.pub")
}

const TOUCH: &str = "nobody touched the security key";
const VERIFY: &str = "the security key did not verify its user";

#[test]
fn a08_a_touched_key_logs_in() {
    for (kind, label) in KINDS {
        let Some(server) = server(kind, &[], "") else { return };
        is_in(&server);
        assert!(server.log().contains(&format!("{label} SHA256:")), "{}", server.log());
        server.place.write("keys", &format!("verify-required {}", key(&server)));
        is_out(&server, VERIFY);
        server.place.write("keys", &format!("no-touch-required {}", key(&server)));
        is_in(&server);
    }
}

#[test]
fn a08_an_untouched_key_logs_in_only_where_that_is_allowed() {
    for (kind, _) in KINDS {
        let Some(server) = server(kind, &["-O", "no-touch-required"], "") else { return };
        is_out(&server, TOUCH);
        server.place.write("keys", &format!("no-touch-required {}", key(&server)));
        is_in(&server);
        // The line that lets it in is the one that counts.
        server.place.write("keys", &format!("{}no-touch-required {}", key(&server), key(&server)));
        is_out(&server, TOUCH);
    }
}

#[test]
fn a08_a_key_that_verified_its_user() {
    for (kind, _) in KINDS {
        let Some(server) = server(kind, &["-O", "verify-required"], "PubkeyAuthOptions verify-required\n") else {
            return;
        };
        is_in(&server);
        server.place.write("keys", &format!("verify-required {}", key(&server)));
        is_in(&server);
    }
}

#[test]
fn a08_the_servers_own_wishes() {
    let untouched = ["-O", "no-touch-required"];
    let Some(server) = server("ed25519-sk", &untouched, "PubkeyAuthOptions touch-required\n") else { return };
    server.place.write("keys", &format!("no-touch-required {}", key(&server)));
    is_out(&server, TOUCH);
    let Some(server) = self::server("ed25519-sk", &[], "PubkeyAuthOptions verify-required\n") else { return };
    is_out(&server, VERIFY);
    // Keys in files are not meant.
    make_key(&server.place, "plain");
    std::fs::rename(server.place.path("plain"), server.place.path("id")).unwrap();
    std::fs::rename(server.place.path("plain.pub"), server.place.path("id.pub")).unwrap();
    server.place.write("keys", &key(&server));
    is_in(&server);
}

#[test]
fn a08_certificates_of_security_keys() {
    for (kind, label) in KINDS {
        let Some(server) = server(kind, &["-O", "no-touch-required"], "TrustedUserCAKeys {DIR}/ca.pub\n") else {
            return;
        };
        server.place.write("keys", "");
        let user = own_name();
        let sign = |words: &[&str]| {
            let mut keygen = common::nacre();
            keygen.args(["keygen", "-q", "-s"]).arg(server.place.path("ca")).args(["-I", "x", "-n", &user]).args(words);
            let done = finish(keygen.arg(server.place.path("id.pub")), b"");
            assert_eq!(done.code, 0, "{}", done.err);
        };
        sign(&[]);
        is_out(&server, TOUCH);
        sign(&["-O", "no-touch-required"]);
        is_in(&server);
        assert!(server.log().contains(&format!("{label}-CERT SHA256:")), "{}", server.log());
        sign(&["-O", "no-touch-required", "-O", "verify-required"]);
        is_out(&server, VERIFY);
        // A line of the user's has to allow it as well.
        sign(&["-O", "no-touch-required"]);
        let ca = server.place.read("ca.pub");
        server.configure("");
        server.signal("HUP");
        server.place.write("keys", &format!("cert-authority {ca}"));
        serve::eventually("the new configuration", || !login(&server).out.contains("in"));
        is_out(&server, TOUCH);
        server.place.write("keys", &format!("cert-authority,no-touch-required {ca}"));
        is_in(&server);
        server.place.write("keys", &format!("cert-authority,no-touch-required,verify-required {ca}"));
        is_out(&server, VERIFY);
    }
}

#[test]
fn keygen_shows_what_ssh_keygen_shows() {
    for (kind, _) in KINDS {
        let Some(server) = server(kind, &[], "") else { return };
        let place = &server.place;
        let sign = ["-q", "-s", "ca", "-I", "x", "-O", "verify-required", "id.pub"];
        assert_eq!(finish(program("ssh-keygen").current_dir(place.root()).args(sign), b"").code, 0);
        for args in [
            &["-lf", "id.pub"][..],
            &["-lvf", "id.pub"],
            &["-lf", "id-cert.pub"],
            &["-Lf", "id-cert.pub"],
            &["-ef", "id.pub"],
            &["-Bf", "id.pub"],
        ] {
            let [ours, theirs] = [true, false].map(|ours| {
                let mut keygen = if ours { common::nacre() } else { program("ssh-keygen") };
                if ours {
                    keygen.arg("keygen");
                }
                finish(keygen.current_dir(place.root()).args(args), b"")
            });
            assert_eq!((ours.code, ours.out), (theirs.code, theirs.out), "{args:?}: {}", ours.err);
        }
    }
}

#[test]
fn files_are_signed_by_security_keys_and_verified() {
    for (kind, label) in KINDS {
        let Some(server) = server(kind, &[], "") else { return };
        let place = &server.place;
        let mut sign = program("ssh-keygen");
        sign.env("SSH_SK_PROVIDER", DUMMY).current_dir(place.root()).args(["-Y", "sign", "-n", "file", "-f", "id"]);
        let signed = finish(&mut sign, b"text");
        assert_eq!(signed.code, 0, "{}", signed.err);
        place.write("sig", &signed.out);
        place.write("allowed", &format!("me {}", key(&server)));
        let verify = |text: &[u8]| {
            let args = ["keygen", "-Y", "verify", "-n", "file", "-I", "me", "-f", "allowed", "-s", "sig"];
            finish(common::nacre().current_dir(place.root()).args(args), text)
        };
        let done = verify(b"text");
        assert!(done.out.starts_with(&format!("Good \"file\" signature for me with {label} key ")), "{}", done.err);
        assert_eq!(verify(b"texts").code, 255);
    }
}
