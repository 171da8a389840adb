//! Certificates of `nacre keygen` against OpenSSH's ssh-keygen: each prints what the other made, in the same bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Scratch, nacre, program, text};
use std::fs;
use std::process::Output;

fn ours(args: &[&str]) -> Output {
    nacre().arg("keygen").args(args).output().unwrap()
}

fn theirs(args: &[&str]) -> Output {
    program("ssh-keygen").args(args).output().expect("OpenSSH's ssh-keygen is needed")
}

#[track_caller]
fn good(out: Output) -> (String, String) {
    assert!(out.status.success(), "{} {}", text(out.stdout), text(out.stderr));
    (text(out.stdout), text(out.stderr))
}

fn path(scratch: &Scratch, name: &str) -> String {
    scratch.path(name).to_str().unwrap().to_owned()
}

fn key(scratch: &Scratch, name: &str, kind: &[&str]) -> String {
    let file = path(scratch, name);
    good(theirs(&[&["-q", "-N", "", "-C", "somebody's key", "-f", &file, "-t"], kind].concat()));
    file
}

/// What one program says of a certificate, without the name that the CA's run gave it.
fn listing(reader: fn(&[&str]) -> Output, file: &str) -> String {
    good(reader(&["-L", "-f", file])).0
}

/// Command lines behind `-s CA -I id`, with a certificate's every part.
const LINES: &[&[&str]] = &[
    &[],
    &["-n", "ann", "-V", "+1d"],
    &["-n", "ann,bob,c d", "-V", "-1w:+52w1d", "-z", "18446744073709551615"],
    &["-V", "20200101:forever", "-z", "16"],
    &["-V", "always:20380101120000Z", "-O", "clear"],
    &["-V", "20200229Z:203002281530", "-O", "no-pty", "-O", "no-x11-forwarding", "-O", "no-user-rc"],
    &["-O", "force-command=echo \"a b\" | cat", "-O", "source-address=10.0.0.0/8,2001:db8::/32", "-n", "x"],
    &["-O", "verify-required", "-O", "no-touch-required"],
    &[
        "-O",
        "extension:own@example.org=some text",
        "-O",
        "extension:bare@example.org",
        "-O",
        "critical:c@example.org=1",
    ],
    &["-O", "clear", "-O", "permit-agent-forwarding", "-O", "permit-port-forwarding"],
    &["-h", "-n", "web.example.org,*.example.org", "-V", "+4w"],
    &["-h"],
];

#[test]
fn each_prints_what_the_other_made() {
    let scratch = Scratch::new();
    let kinds: [&[&str]; 5] = [
        &["ed25519"],
        &["ecdsa", "-b", "256"],
        &["ecdsa", "-b", "384"],
        &["ecdsa", "-b", "521"],
        &["rsa", "-b", "2048"],
    ];
    let keys: Vec<String> = kinds.iter().enumerate().map(|(n, kind)| key(&scratch, &format!("k{n}"), kind)).collect();
    for (number, line) in LINES.iter().enumerate() {
        let (ca, user) = (&keys[number % keys.len()], &keys[(number / 2 + 1) % keys.len()]);
        let certificate = format!("{user}-cert.pub");
        let public = format!("{user}.pub");
        let mut shown = Vec::new();
        for maker in [ours, theirs] {
            let (out, told) = good(maker(&[&["-s", ca, "-I", "the id"], *line, &[&public]].concat()));
            assert_eq!(out, "");
            let listed = listing(ours, &certificate);
            assert_eq!(listed, listing(theirs, &certificate), "{line:?}");
            // Relative times differ by the second in which each was made.
            let timeless = |text: &str| text.lines().filter(|l| !l.contains("Valid: ")).collect::<Vec<_>>().join("\n");
            let told = told.replace("\r\n", "\n");
            let told = if line.iter().any(|word| word.contains('+')) {
                told.split(" valid ").next().unwrap().to_owned()
            } else {
                told
            };
            shown.push((timeless(&listed), told));
            assert!(fs::read_to_string(&certificate).unwrap().ends_with(" somebody's key\n"));
            assert_eq!(good(ours(&["-l", "-f", &certificate])).0, good(theirs(&["-l", "-f", &certificate])).0);
        }
        assert_eq!(shown[0], shown[1], "{line:?}");
    }
}

#[test]
fn many_files_counted_serials_and_private_names() {
    let scratch = Scratch::new();
    let ca = key(&scratch, "ca", &["ed25519"]);
    let (a, b) = (key(&scratch, "a", &["ed25519"]), key(&scratch, "b", &["ecdsa"]));
    let (_, told) = good(ours(&["-s", &ca, "-I", "x", "-z", "+7", &a, &format!("{b}.pub")]));
    assert!(
        told.contains("a-cert.pub: id \"x\" serial 7 ") && told.contains("b-cert.pub: id \"x\" serial 8 "),
        "{told}"
    );
    assert!(listing(theirs, &format!("{a}-cert.pub")).contains("Serial: 7\n"));
    assert_eq!(good(ours(&["-q", "-s", &ca, "-I", "x", &a])).1, "");
    // Several in one file.
    let both = path(&scratch, "both");
    let content = [&a, &b].map(|file| fs::read_to_string(format!("{file}-cert.pub")).unwrap()).concat();
    fs::write(&both, content).unwrap();
    assert_eq!(listing(ours, &both), listing(theirs, &both));
}

#[test]
fn an_encrypted_ca_and_an_rsa_ca_of_either_hash() {
    let scratch = Scratch::new();
    let user = key(&scratch, "user", &["ed25519"]);
    let ca = path(&scratch, "ca");
    good(theirs(&["-q", "-t", "ed25519", "-N", "a passphrase", "-f", &ca]));
    assert!(!ours(&["-s", &ca, "-P", "wrong", "-I", "x", &user]).status.success());
    good(ours(&["-s", &ca, "-P", "a passphrase", "-I", "x", &user]));
    let rsa = key(&scratch, "rsa", &["rsa", "-b", "2048"]);
    for (chosen, used) in [(&[][..], "rsa-sha2-512"), (&["-t", "rsa-sha2-256"], "rsa-sha2-256")] {
        good(ours(&[&["-s", &rsa, "-I", "x"], chosen, &[&user]].concat()));
        assert!(listing(theirs, &format!("{user}-cert.pub")).contains(&format!("(using {used})")));
    }
}

#[test]
fn a07_what_makes_no_sense_is_not_signed() {
    let scratch = Scratch::new();
    let (ca, user) = (key(&scratch, "ca", &["ed25519"]), key(&scratch, "user", &["ed25519"]));
    let plain = format!("{user}.pub");
    let cases: &[(&[&str], &str)] = &[
        (&["-s", &ca, &plain], "-I"),
        (&["-s", &ca, "-I", "x"], "at least one public key file"),
        (&["-s", &ca, "-I", "x", "-U", &plain], "SSH_AUTH_SOCK"),
        (&["-s", &ca, "-I", "x", "-V", "tomorrow", &plain], "-V tomorrow"),
        (&["-s", &ca, "-I", "x", "-V", "+1d:-1d", &plain], "never be valid"),
        (&["-s", &ca, "-I", "x", "-n", "a,,b", &plain], "a name is empty"),
        (&["-s", &ca, "-I", "x", "-O", "nonsense", &plain], "-O nonsense"),
        (&["-s", &ca, "-I", "x", "-O", "source-address=10.0.0.1/8", &plain], "source-address"),
        (&["-s", &ca, "-I", "x", "-O", "source-address=", &plain], "source-address"),
        (&["-s", &ca, "-I", "x", "-O", "force-command=a", "-O", "force-command=b", &plain], "given already"),
        (&["-s", &ca, "-I", "x", "-z", "-1", &plain], "-z needs a number"),
        (&["-s", &plain, "-I", "x", &plain], "user.pub"),
        (&["-s", &ca, "-I", "x", "/nonexistent.pub"], "/nonexistent.pub"),
        (&["-l", "-I", "x", "-f", &plain], "with -s only"),
        (&["-l", "-f", &plain, "more"], "'more' is one word too many"),
        (&["-L", "-f", &plain], "not a certificate"),
    ];
    for (line, says) in cases {
        let out = ours(line);
        assert_eq!(out.status.code(), Some(1), "{line:?}");
        let told = text(out.stderr);
        assert!(told.contains(says), "{line:?}: {told}");
        assert!(!scratch.path("user-cert.pub").exists(), "{line:?}");
    }
}
