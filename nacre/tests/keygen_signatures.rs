//! Signatures of files by `nacre keygen -Y`, against OpenSSH's ssh-keygen and under git.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "common/agents.rs"]
mod agents;
mod common;

use agents::{Agent, Whose};
use common::{Scratch, nacre, program, text};
use std::io::Write;
use std::process::{Command, Output, Stdio};

fn ours(scratch: &Scratch) -> Command {
    let mut command = nacre();
    command.arg("keygen").current_dir(scratch.root());
    command
}

fn theirs(scratch: &Scratch) -> Command {
    let mut command = program("ssh-keygen");
    command.current_dir(scratch.root());
    command
}

type Maker = fn(&Scratch) -> Command;

fn with_input(command: &mut Command, input: &[u8]) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a program");
    // One that does not read its input has failed, which its exit code tells.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

#[track_caller]
fn good(command: &mut Command) -> String {
    let out = with_input(command, b"");
    assert!(out.status.success(), "{command:?}: {} {}", text(out.stdout), text(out.stderr));
    text(out.stdout)
}

/// Keys of all types, a CA, and a certificate of `k0`.
fn keys() -> Scratch {
    let scratch = Scratch::new();
    let kinds: [&[&str]; 5] =
        [&["ed25519"], &["ecdsa", "-b256"], &["ecdsa", "-b384"], &["ecdsa", "-b521"], &["rsa", "-b2048"]];
    for (number, kind) in kinds.iter().enumerate() {
        good(theirs(&scratch).args(["-q", "-N", "", "-C", "", "-f", &format!("k{number}"), "-t"]).args(*kind));
    }
    good(theirs(&scratch).args(["-q", "-N", "", "-C", "", "-t", "ed25519", "-f", "ca"]));
    let words = ["-q", "-s", "ca", "-I", "id", "-z", "5", "-n", "me@x,you", "-V", "20200101Z:20300101Z", "k0.pub"];
    good(theirs(&scratch).args(words));
    scratch
}

fn key(scratch: &Scratch, name: &str) -> String {
    scratch.read(&format!("{name}.pub")).split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

const TEXT: &[u8] = b"some text\nof two lines";

#[test]
fn each_verifies_what_the_other_signed() {
    let scratch = keys();
    let lines: String = (0..5).map(|n| format!("me@x {}\n", key(&scratch, &format!("k{n}")))).collect();
    scratch.write("allowed", &format!("{lines}me@x cert-authority {}\n", key(&scratch, "ca")));
    std::fs::write(scratch.path("file"), TEXT).unwrap();
    for (signer, verifier) in [(ours as Maker, theirs as Maker), (theirs, ours), (ours, ours)] {
        for name in ["k0", "k1", "k2", "k3", "k4", "k1.pub", "k0-cert.pub"] {
            for hash in [&[][..], &["-O", "hashalg=sha256"]] {
                let _ = std::fs::remove_file(scratch.path("file.sig"));
                good(signer(&scratch).args(["-q", "-Y", "sign", "-n", "file", "-f", name]).args(hash).arg("file"));
                let args = ["-Y", "verify", "-f", "allowed", "-I", "me@x", "-n", "file", "-s", "file.sig"];
                let out = with_input(verifier(&scratch).args(args), TEXT);
                let (code, said) = (out.status.code(), text(out.stdout));
                assert_eq!(code, Some(0), "{name} {hash:?} {said} {}", text(out.stderr));
                let listed = good(theirs(&scratch).args(["-lf", name]));
                let (print, kind) = (listed.split(' ').nth(1).unwrap(), listed.trim().rsplit_once('(').unwrap().1);
                let kind = kind.trim_end_matches(')');
                assert_eq!(said, format!("Good \"file\" signature for me@x with {kind} key {print}\n"));
                let args = ["-Y", "check-novalidate", "-n", "file", "-s", "file.sig"];
                let out = with_input(verifier(&scratch).args(args), TEXT);
                assert_eq!(text(out.stdout), format!("Good \"file\" signature with {kind} key {print}\n"));
                let found = good(verifier(&scratch).args(["-Y", "find-principals", "-f", "allowed", "-s", "file.sig"]));
                assert_eq!(found, "me@x\n");
            }
        }
    }
    // Standard input goes to standard output.
    let args = ["-Y", "sign", "-n", "file", "-f", "k0"];
    let [one, other] = [ours as Maker, theirs].map(|maker| with_input(maker(&scratch).args(args), TEXT));
    assert_eq!(text(one.stdout), text(other.stdout), "ed25519 signs one text in one way");
    assert_eq!(text(one.stderr).trim_end(), text(other.stderr).trim_end());
}

/// Lines of allowed_signers, words behind `-Y verify`, and whether the signature of `k0` counts.
const VERDICTS: &[(&str, &[&str], bool)] = &[
    ("me@x @k0", &[], true),
    ("me@x @k1", &[], false),
    ("you @k0", &[], false),
    ("*@x @k0", &[], true),
    ("a,me@? @k0", &[], true),
    ("*,!me@x @k0", &[], false),
    ("\"me@x\" @k0", &[], true),
    ("# me@x @k0", &[], false),
    ("me@x @k1\nme@x @k0", &[], true),
    ("me@x namespaces=\"git,f*\" @k0", &[], true),
    ("me@x namespaces=\"git\" @k0", &[], false),
    ("me@x namespaces=\"git\" @k0\nme@x @k0", &[], true),
    ("me@x nonsense @k0", &[], false),
    ("me@x cert-authority @k0", &[], false),
    ("me@x cert-authority @ca", &[], false),
    ("me@x valid-after=\"20200101\" @k0", &[], true),
    ("me@x valid-before=\"20200101\" @k0", &[], false),
    ("me@x valid-before=\"20200101\" @k0", &["-Overify-time=20190101"], true),
    ("me@x valid-after=\"20200101Z\" @k0", &["-Overify-time=20190101"], false),
    ("me@x valid-after=\"20200101Z\",valid-before=\"20200102Z\" @k0", &["-Overify-time=202001011200Z"], true),
    ("me@x @k0", &["-r", "revoked-k0"], false),
    ("me@x @k0", &["-r", "revoked-k1"], true),
    ("me@x @k0", &["-r", "k0.pub"], false),
    ("me@x @k0", &["-r", "k1.pub"], true),
    ("me@x @k0", &["-r", "nowhere"], false),
    ("me@x @k0", &["-Oprint-pubkey"], true),
    ("me@x @k0", &["-Overify-time=never"], false),
    ("me@x @k0", &["-Ononsense"], false),
];

/// The same for the signature by `k0`'s certificate.
const CERTIFIED: &[(&str, &[&str], bool)] = &[
    ("me@x cert-authority @ca", &[], true),
    ("*@x cert-authority,namespaces=\"file\" @ca", &[], true),
    ("me@x namespaces=\"git\",cert-authority @ca", &[], false),
    ("me@x @ca", &[], false),
    ("me@x @k0", &[], false),
    ("me@x @k0-cert", &[], true),
    ("me@x @k0-cert", &["-Overify-time=20190101"], true),
    ("me@x cert-authority @k0-cert", &[], false),
    ("you cert-authority @ca", &[], false),
    ("me@x cert-authority @k1", &[], false),
    ("me@x cert-authority @ca", &["-Overify-time=20190101"], false),
    ("me@x cert-authority @ca", &["-Overify-time=20310101"], false),
    ("me@x cert-authority @ca", &["-r", "revoked-k0"], false),
    ("me@x cert-authority @ca", &["-r", "revoked-serial"], false),
    ("me@x cert-authority @ca", &["-r", "ca.pub"], false),
    ("me@x cert-authority @ca", &["-r", "k1.pub"], true),
];

fn allowed(scratch: &Scratch, lines: &str) {
    let mut lines = lines.to_owned();
    for name in ["k0-cert", "k0", "k1", "ca"] {
        lines = lines.replace(&format!("@{name}"), &key(scratch, name));
    }
    scratch.write("allowed", &format!("{lines}\n"));
}

#[test]
fn the_same_signatures_count() {
    let scratch = keys();
    for (list, args) in [("revoked-k0", &["k0.pub"][..]), ("revoked-k1", &["k1.pub"])] {
        good(theirs(&scratch).args(["-qkf", list]).args(args));
    }
    scratch.write("spec", "serial: 5\n");
    good(theirs(&scratch).args(["-qkf", "revoked-serial", "-s", "ca.pub", "spec"]));
    for (signer, rows) in [("k0", VERDICTS), ("k0-cert.pub", CERTIFIED)] {
        let signed = with_input(theirs(&scratch).args(["-Y", "sign", "-n", "file", "-f", signer]), TEXT);
        scratch.write("sig", &text(signed.stdout));
        for (lines, words, counts) in rows {
            allowed(&scratch, lines);
            let verify = |maker: Maker, person: &str, input: &[u8]| {
                let args = ["-Y", "verify", "-f", "allowed", "-I", person, "-n", "file", "-s", "sig"];
                let out = with_input(maker(&scratch).args(args).args(*words), input);
                (out.status.code(), text(out.stdout))
            };
            let (code, said) = verify(ours, "me@x", TEXT);
            assert_eq!(code, Some(if *counts { 0 } else { 255 }), "{lines} {words:?}: {said}");
            assert_eq!((code, said), verify(theirs, "me@x", TEXT), "{lines} {words:?}");
            for (person, input) in [("you", TEXT), ("me@x", b"another text".as_slice())] {
                let (code, _) = verify(ours, person, input);
                assert_eq!(code.unwrap() == 0, verify(theirs, person, input).0.unwrap() == 0, "{lines} {person}");
            }
            if !words.contains(&"-r") {
                let find = |maker: Maker| {
                    let args = ["-Y", "find-principals", "-f", "allowed", "-s", "sig"];
                    let out = with_input(maker(&scratch).args(args).args(*words), b"");
                    (out.status.success(), text(out.stdout))
                };
                if !words.contains(&"-Oprint-pubkey") {
                    assert_eq!(find(ours), find(theirs), "{lines} {words:?}");
                }
            }
        }
    }
    allowed(&scratch, "me@x,you @k0\n*@x @k1\n!me@x,* @ca");
    for person in ["me@x", "you", "a@x", "nobody"] {
        let about = |maker: Maker| {
            let out = with_input(maker(&scratch).args(["-Y", "match-principals", "-f", "allowed", "-I", person]), b"");
            (out.status.success(), text(out.stdout))
        };
        assert_eq!(about(ours), about(theirs), "{person}");
    }
}

#[test]
fn what_is_signed_for_one_purpose_or_damaged_does_not_count() {
    let scratch = keys();
    allowed(&scratch, "me@x @k0");
    std::fs::write(scratch.path("file"), TEXT).unwrap();
    good(ours(&scratch).args(["-qY", "sign", "-n", "file", "-f", "k0", "file"]));
    let verify = |namespace: &str, signature: &str| {
        let args = ["-Y", "verify", "-f", "allowed", "-I", "me@x", "-n", namespace, "-s", signature];
        let out = with_input(ours(&scratch).args(args), TEXT);
        (out.status.code(), text(out.stderr))
    };
    assert_eq!(verify("file", "file.sig").0, Some(0));
    let (code, err) = verify("git", "file.sig");
    assert!(code == Some(255) && err.contains("made for the namespace \"file\""), "{err}");
    scratch.write("cut", &scratch.read("file.sig").replace("-----END", "----END"));
    let (code, err) = verify("file", "cut");
    assert!(code == Some(255) && err.contains("cut: not a signature"), "{err}");
    assert!(verify("file", "nowhere").1.contains("nowhere: "));
    scratch.write("behind", &format!("\n{}", scratch.read("file.sig")));
    for maker in [ours as Maker, theirs] {
        let find = ["-Y", "find-principals", "-f", "allowed", "-s", "behind"];
        let out = with_input(maker(&scratch).args(find), b"");
        assert_eq!((out.status.code(), text(out.stderr).contains("No principal matched.")), (Some(255), true));
        let md5 = ["-E", "md5", "-Y", "check-novalidate", "-n", "file", "-s", "file.sig"];
        let said = text(with_input(maker(&scratch).args(md5), TEXT).stdout);
        let listed = good(theirs(&scratch).args(["-E", "md5", "-lf", "k0"]));
        assert!(said.contains(listed.split(' ').nth(1).unwrap()), "{said}");
    }
    // What is there is asked about.
    let sign = ["-Y", "sign", "-n", "file", "-f", "k1", "file"];
    let before = scratch.read("file.sig");
    let out = with_input(ours(&scratch).args(sign), b"n\n");
    assert_eq!((out.status.code(), scratch.read("file.sig") == before), (Some(1), true), "{}", text(out.stderr));
    assert!(with_input(ours(&scratch).args(sign), b"y\n").status.success());
    assert_ne!(scratch.read("file.sig"), before);
    for (args, why) in [
        (&["-Y", "sign", "-f", "k0", "file"][..], "-n"),
        (&["-Y", "sign", "-n", "file", "file"], "-f"),
        (&["-Y", "verify", "-f", "allowed", "-n", "file", "-s", "file.sig"], "-I"),
        (&["-Y", "verify", "-f", "allowed", "-n", "file", "-I", "me@x"], "-s"),
        (&["-Y", "dance"], "dance"),
        (&["-Y", "sign", "-n", "file", "-f", "k0", "-O", "hashalg=md5", "file"], "hashalg"),
        (&["-Y", "sign", "-n", "file", "-f", "none", "file"], "none"),
        (&["-Y", "sign", "-n", "file", "-f", "k0", "none"], "none: No such file"),
        (&["-Y", "sign", "-U", "-n", "file", "-f", "k0", "file"], "SSH_AUTH_SOCK"),
        (&["-Y", "sign", "-l", "-n", "file", "-f", "k0", "file"], "cannot be used together"),
    ] {
        let out = with_input(ours(&scratch).args(args), b"");
        let err = text(out.stderr);
        assert!(!out.status.success() && err.contains(why), "{args:?}: {err}");
    }
}

#[test]
fn the_agent_signs() {
    let scratch = keys();
    let agent = Agent::start(Whose::OpenSsh, &scratch, &[], &[]);
    for name in ["k0", "k4"] {
        assert_eq!(agent.ssh_add(&["-q", scratch.path(name).to_str().unwrap()]).code, 0);
        let line = key(&scratch, name);
        std::fs::remove_file(scratch.path(name)).unwrap();
        scratch.write("allowed", &format!("me@x {line}\n"));
        for how in [&["-U"][..], &[]] {
            let mut sign = ours(&scratch);
            sign.env("SSH_AUTH_SOCK", &agent.socket).args(["-Y", "sign", "-n", "file"]).args(how);
            let signed = with_input(sign.args(["-f", &format!("{name}.pub")]), TEXT);
            scratch.write("sig", &text(signed.stdout));
            let args = ["-Y", "verify", "-f", "allowed", "-I", "me@x", "-n", "file", "-s", "sig"];
            let out = with_input(theirs(&scratch).args(args), TEXT);
            assert!(out.status.success(), "{name}: {} {}", text(signed.stderr), text(out.stderr));
        }
    }
    let mut sign = ours(&scratch);
    sign.env("SSH_AUTH_SOCK", &agent.socket).args(["-Y", "sign", "-U", "-n", "file", "-f", "k1"]);
    let out = with_input(&mut sign, TEXT);
    assert!(!out.status.success() && text(out.stderr).contains("does not hold the key"));
}

#[test]
fn git_signs_and_verifies_commits() {
    let scratch = keys();
    let bin = scratch.path("bin");
    good(nacre().arg("links").arg(&bin));
    let program_option = format!("gpg.ssh.program={}", bin.join("ssh-keygen").display());
    allowed(&scratch, "me@x namespaces=\"git\" @k0\nmy@ca cert-authority @ca");
    let git = |program_option: &str, args: &[&str]| {
        let mut git = program("git");
        git.current_dir(scratch.root()).env("HOME", scratch.root());
        git.args(["-c", "gpg.format=ssh", "-c", program_option, "-c", "user.name=Me", "-c", "user.email=me@x"]);
        git.args(["-c", "gpg.ssh.allowedSignersFile=allowed"]).args(args);
        with_input(&mut git, b"")
    };
    let done = |args: &[&str]| {
        let out = git(&program_option, args);
        assert!(out.status.success(), "{args:?}: {}", text(out.stderr));
    };
    done(&["init", "-q", "."]);
    done(&["-c", "user.signingkey=k0", "commit", "-q", "-S", "--allow-empty", "-m", "one"]);
    done(&["-c", "user.signingkey=k0", "tag", "-s", "-m", "a tag", "first"]);
    for verifier in [program_option.as_str(), "gpg.ssh.program=ssh-keygen"] {
        for args in [&["verify-commit", "HEAD"], &["verify-tag", "first"]] {
            let out = git(verifier, args);
            let err = text(out.stderr);
            assert!(out.status.success() && err.contains("Good \"git\" signature for me@x with ED25519 key"), "{err}");
        }
    }
    // A key that nobody allowed signs as well, but it does not count.
    done(&["-c", "user.signingkey=k1", "commit", "-q", "-S", "--allow-empty", "-m", "two"]);
    let out = git(&program_option, &["verify-commit", "HEAD"]);
    let err = text(out.stderr);
    assert!(!out.status.success() && err.contains("Good \"git\" signature with ECDSA key"), "{err}");
    let shown = text(git(&program_option, &["log", "--format=%G? %GS"]).stdout);
    assert_eq!(shown, "U \nG me@x\n");
}
