//! Keys in other programs' forms, host keys, words, DNS records and a CA in the agent: `nacre keygen` against OpenSSH's
//! ssh-keygen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "common/agents.rs"]
mod agents;
mod common;

use agents::{Agent, Whose};
use common::{Scratch, nacre, program, text};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

fn ours(scratch: &Scratch) -> Command {
    let mut command = nacre();
    command.arg("keygen").current_dir(scratch.root()).stdin(Stdio::null());
    command
}

fn theirs(scratch: &Scratch) -> Command {
    let mut command = program("ssh-keygen");
    command.current_dir(scratch.root()).stdin(Stdio::null());
    command
}

#[track_caller]
fn good(command: &mut Command) -> String {
    let out = command.output().expect("OpenSSH's ssh-keygen is needed");
    assert!(out.status.success(), "{command:?}: {} {}", text(out.stdout), text(out.stderr));
    text(out.stdout)
}

const KINDS: [&[&str]; 5] =
    [&["ed25519"], &["ecdsa", "-b256"], &["ecdsa", "-b384"], &["ecdsa", "-b521"], &["rsa", "-b2048"]];

fn keys() -> Scratch {
    let scratch = Scratch::new();
    for (number, kind) in KINDS.iter().enumerate() {
        good(theirs(&scratch).args(["-q", "-N", "", "-C", "me", "-f", &format!("k{number}"), "-t"]).args(*kind));
    }
    scratch
}

#[test]
fn public_keys_go_out_and_come_back_as_with_openssh() {
    let scratch = keys();
    for number in 0..KINDS.len() {
        for file in [format!("k{number}.pub"), format!("k{number}")] {
            for format in ["RFC4716", "PKCS8", "PEM"] {
                let args = ["-e", "-m", format, "-f", &file];
                let wanted = theirs(&scratch).args(args).output().unwrap();
                let out = ours(&scratch).args(args).output().unwrap();
                // An Ed25519 key as PUBLIC KEY is in RFC 8410; OpenSSH 9.2 has none.
                let more = number == 0 && format == "PKCS8";
                assert_eq!(out.status.success(), wanted.status.success() || more, "{args:?} {}", text(out.stderr));
                if !out.status.success() {
                    continue;
                }
                if !more {
                    assert_eq!(text(out.stdout.clone()), text(wanted.stdout), "{args:?}");
                }
                fs::write(scratch.path("foreign"), &out.stdout).unwrap();
                let args = ["-i", "-m", format, "-f", "foreign"];
                let line = good(ours(&scratch).args(args));
                let key = scratch.read(&format!("k{number}.pub"));
                assert_eq!(line.trim_end(), key.trim_end().strip_suffix(" me").unwrap(), "{args:?}");
                let theirs = theirs(&scratch).args(args).output().unwrap();
                if theirs.status.success() {
                    assert_eq!(line, text(theirs.stdout));
                }
            }
        }
    }
    good(theirs(&scratch).args(["-q", "-s", "k4", "-I", "x", "k0.pub"]));
    let args = ["-e", "-f", "k0-cert.pub"];
    assert_eq!(good(ours(&scratch).args(args)), good(theirs(&scratch).args(args)));
    // Headers over several lines, as other programs write them.
    let body = good(ours(&scratch).args(["-e", "-f", "k0.pub"]));
    let body = body.lines().filter(|line| !line.starts_with("Comment")).collect::<Vec<_>>().join("\n");
    let long = body.replacen("KEY ----\n", "KEY ----\nSubject: me\nComment: one that \\\ngoes on\n", 1);
    let args = ["-i", "-f", "foreign"];
    fs::write(scratch.path("foreign"), format!("{long}\n")).unwrap();
    let line = good(theirs(&scratch).args(args));
    assert_eq!(good(ours(&scratch).args(args)), line);
    fs::write(scratch.path("foreign"), format!("{long}\n").replace('\n', "\r\n")).unwrap();
    assert_eq!(good(ours(&scratch).args(args)), line);
    for (content, format) in [
        ("", "RFC4716"),
        (&*body, "PKCS8"),
        ("-----BEGIN RSA PUBLIC KEY-----\nMAA=\n-----END RSA PUBLIC KEY-----\n", "PEM"),
    ] {
        scratch.write("foreign", content);
        let out = ours(&scratch).args(["-i", "-m", format, "-f", "foreign"]).output().unwrap();
        assert_eq!(out.status.code(), Some(255), "{content}");
        assert!(text(out.stderr).contains("foreign: not a key in this form"));
    }
}

#[test]
fn private_keys_in_other_forms_open_everywhere() {
    let scratch = keys();
    for (number, kind) in KINDS.iter().enumerate() {
        for (format, passphrase) in [("PEM", ""), ("PKCS8", ""), ("PKCS8", "some words"), ("RFC4716", "some words")] {
            let made = format!("made-{number}");
            for file in [&made, &format!("{made}.pub")] {
                let _ = fs::remove_file(scratch.path(file));
            }
            good(ours(&scratch).args(["-q", "-m", format, "-N", passphrase, "-f", &made, "-t"]).args(*kind));
            let label = scratch.read(&made).lines().next().unwrap().to_owned();
            let wanted = match (number, format, passphrase) {
                (0, ..) | (_, "RFC4716", _) => "OPENSSH PRIVATE KEY",
                (4, "PEM", _) => "RSA PRIVATE KEY",
                (_, "PEM", _) => "EC PRIVATE KEY",
                (_, _, "") => "PRIVATE KEY",
                _ => "ENCRYPTED PRIVATE KEY",
            };
            assert_eq!(label, format!("-----BEGIN {wanted}-----"));
            let key = scratch.read(&format!("{made}.pub"));
            let bare = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
            for program in [ours(&scratch), theirs(&scratch)] {
                let mut program = program;
                let line = good(program.args(["-y", "-P", passphrase, "-f", &made]));
                assert_eq!(bare(&line), bare(&key), "{number} {format}");
            }
        }
        // An OpenSSH key becomes another form, and comes back.
        let name = format!("k{number}");
        let before = good(theirs(&scratch).args(["-lf", &name]));
        for (format, passphrase, old) in [("PKCS8", "one", ""), ("PEM", "", "one"), ("RFC4716", "two", "")] {
            good(ours(&scratch).args(["-p", "-m", format, "-P", old, "-N", passphrase, "-f", &name]));
            let key = good(theirs(&scratch).args(["-y", "-P", passphrase, "-f", &name]));
            assert_eq!(key.split_whitespace().nth(1), scratch.read(&format!("{name}.pub")).split_whitespace().nth(1));
        }
        assert_eq!(good(theirs(&scratch).args(["-lf", &format!("{name}.pub")])), before);
    }
    let out = ours(&scratch).args(["-p", "-m", "PEM", "-P", "two", "-N", "words", "-f", "k4"]).output().unwrap();
    assert!(!out.status.success() && text(out.stderr).contains("use -m PKCS8"));
    assert!(scratch.read("k4").starts_with("-----BEGIN OPENSSH"), "nothing was changed");
}

#[test]
fn host_keys_that_are_missing_are_made() {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.path("root/etc/ssh")).unwrap();
    scratch.write("root/etc/ssh/ssh_host_ecdsa_key", "");
    let told = good(ours(&scratch).args(["-A", "-f", "root"]));
    assert_eq!(told, "nacre keygen: generating new host keys: RSA ECDSA ED25519 \n");
    for kind in ["rsa", "ecdsa", "ed25519"] {
        let name = format!("root/etc/ssh/ssh_host_{kind}_key");
        assert_eq!(fs::metadata(scratch.path(&name)).unwrap().permissions().mode() & 0o777, 0o600);
        let listed = good(theirs(&scratch).args(["-lf", &name]));
        assert!(listed.to_lowercase().contains(&format!("({kind})")), "{listed}");
        assert!(!good(theirs(&scratch).args(["-y", "-P", "", "-f", &name])).is_empty());
    }
    let before = scratch.read("root/etc/ssh/ssh_host_rsa_key");
    fs::remove_file(scratch.path("root/etc/ssh/ssh_host_ed25519_key")).unwrap();
    assert_eq!(good(ours(&scratch).args(["-qAf", "root"])), "");
    assert_eq!(scratch.read("root/etc/ssh/ssh_host_rsa_key"), before);
    assert!(scratch.path("root/etc/ssh/ssh_host_ed25519_key.pub").exists());
    assert_eq!(good(ours(&scratch).args(["-Af", "root"])), "");
    // What cannot be looked at keeps the others from nothing, and a link that leads nowhere is somebody's.
    let key = |kind: &str| scratch.path(&format!("root/etc/ssh/ssh_host_{kind}_key"));
    for kind in ["rsa", "ecdsa", "ed25519"] {
        fs::remove_file(key(kind)).unwrap();
    }
    std::os::unix::fs::symlink(key("ecdsa"), key("ecdsa")).unwrap();
    std::os::unix::fs::symlink(scratch.path("gone"), key("rsa")).unwrap();
    let out = ours(&scratch).args(["-qAf", "root"]).output().unwrap();
    let err = text(out.stderr);
    assert!(out.status.success() && err.contains("ssh_host_ecdsa_key: ") && err.lines().count() == 1, "{err}");
    assert!(fs::symlink_metadata(key("rsa")).unwrap().is_symlink() && key("ed25519").exists());
    let out = ours(&scratch).args(["-A", "-f", "nowhere"]).output().unwrap();
    assert!(out.status.success() && text(out.stderr).contains("nowhere/etc/ssh/ssh_host_rsa_key"));
}

#[test]
fn words_pictures_and_dns_records_are_the_same() {
    let scratch = keys();
    for number in 0..KINDS.len() {
        let file = format!("k{number}.pub");
        for args in [
            &["-B", "-f", &file][..],
            &["-lBf", &file],
            &["-lv", "-f", &file],
            &["-r", "host.example.org", "-f", &file],
            &["-r", "host.example.org", "-g", "-f", &file],
        ] {
            assert_eq!(good(ours(&scratch).args(args)), good(theirs(&scratch).args(args)), "{args:?}");
        }
        // OpenSSH 9.2 prints both whatever is asked for.
        let both = good(theirs(&scratch).args(["-r", "host", "-f", &file]));
        for (line, hash) in both.lines().zip(["hashalg=sha1", "hashalg=sha256"]) {
            assert_eq!(good(ours(&scratch).args(["-r", "host", "-O", hash, "-f", &file])), format!("{line}\n"));
        }
    }
    let key = scratch.read("k0.pub");
    scratch.write("known", &format!("a.example.org,b {key}c {key}"));
    let hashed = good(ours(&scratch).args(["-H", "-F", "b", "-f", "known"]));
    assert!(hashed.starts_with("# Host b found: line 1 \n|1|") || hashed.starts_with("# Host b found: line 1\n|1|"));
    let lines: Vec<&str> = hashed.lines().skip(1).collect();
    scratch.write("hashed", &format!("{}\n", lines.join("\n")));
    good(theirs(&scratch).args(["-F", "b", "-f", "hashed"]));
    assert_eq!(scratch.read("known"), format!("a.example.org,b {key}c {key}"), "-F changes nothing");
}

#[test]
fn a_ca_in_the_agent_signs() {
    let scratch = keys();
    let agent = Agent::start(Whose::OpenSsh, &scratch, &[], &[]);
    for ca in ["k0", "k3", "k4"] {
        assert_eq!(agent.ssh_add(&["-q", scratch.path(ca).to_str().unwrap()]).code, 0);
        fs::remove_file(scratch.path(ca)).unwrap();
        let mut sign = ours(&scratch);
        sign.env("SSH_AUTH_SOCK", &agent.socket).args(["-q", "-U", "-s", &format!("{ca}.pub"), "-I", "x", "-n", "me"]);
        good(sign.arg("k1.pub"));
        let listed = good(theirs(&scratch).args(["-L", "-f", "k1-cert.pub"]));
        let ca = good(theirs(&scratch).args(["-lf", &format!("{ca}.pub")]));
        assert!(listed.contains(ca.split(' ').nth(1).unwrap()), "{listed}");
    }
    let mut sign = ours(&scratch);
    sign.env("SSH_AUTH_SOCK", &agent.socket).args(["-U", "-s", "k2.pub", "-I", "x", "k1.pub"]);
    let out = sign.output().unwrap();
    assert!(!out.status.success() && text(out.stderr).contains("does not hold the key of k2.pub"));
    let out = ours(&scratch).args(["-U", "-s", "k2.pub", "-I", "x", "k1.pub"]).output().unwrap();
    assert!(!out.status.success() && text(out.stderr).contains("SSH_AUTH_SOCK"));
}
