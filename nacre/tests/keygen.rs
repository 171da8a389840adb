//! `nacre keygen` against OpenSSH's ssh-keygen: each reads what the other wrote.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Scratch, nacre, program, text};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Output;

/// Type and bits that both programs make, with the bits as they are shown.
const KINDS: [(&str, &str, &str); 6] = [
    ("ed25519", "", "256"),
    ("ecdsa", "256", "256"),
    ("ecdsa", "384", "384"),
    ("ecdsa", "521", "521"),
    ("rsa", "2048", "2048"),
    ("rsa", "4096", "4096"),
];

fn ours(args: &[&str]) -> Output {
    nacre().arg("keygen").args(args).output().unwrap()
}

fn theirs(args: &[&str]) -> Output {
    program("ssh-keygen").args(args).output().expect("OpenSSH's ssh-keygen is needed")
}

#[track_caller]
fn good(out: Output) -> String {
    assert!(out.status.success(), "{} {}", text(out.stdout), text(out.stderr));
    text(out.stdout)
}

#[track_caller]
fn bad(out: Output) -> String {
    assert_eq!(out.status.code(), Some(1), "{}", text(out.stdout));
    text(out.stderr)
}

fn path(scratch: &Scratch, name: &str) -> String {
    scratch.path(name).to_str().unwrap().to_owned()
}

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Type and blob of a public key line.
fn key_of(line: &str) -> String {
    line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

/// Makes a key with one program, then lets the other show, open and re-encrypt it.
fn one_reads_the_other(maker: fn(&[&str]) -> Output, reader: fn(&[&str]) -> Output) {
    let scratch = Scratch::new();
    for (number, (kind, bits, shown_bits)) in KINDS.iter().enumerate() {
        for passphrase in ["", "correct horse"] {
            let file = path(&scratch, &format!("key{number}{}", passphrase.len()));
            let mut args = vec!["-q", "-t", kind, "-N", passphrase, "-C", "the comment", "-f", &file];
            if !bits.is_empty() {
                args.extend(["-b", bits]);
            }
            good(maker(&args));
            let public = fs::read_to_string(format!("{file}.pub")).unwrap();
            assert!(public.ends_with(" the comment\n"), "{public}");

            let listed = good(reader(&["-l", "-f", &file]));
            assert_eq!(listed, good(maker(&["-l", "-f", &file])));
            assert!(listed.starts_with(&format!("{shown_bits} SHA256:")), "{listed}");
            assert!(listed.ends_with(&format!(" the comment ({})\n", kind.to_uppercase())), "{listed}");
            assert_eq!(good(reader(&["-y", "-P", passphrase, "-f", &file])), public);

            good(reader(&["-p", "-P", passphrase, "-N", "another one", "-f", &file]));
            assert_eq!(good(maker(&["-y", "-P", "another one", "-f", &file])), public);
            good(maker(&["-p", "-P", "another one", "-N", "", "-f", &file]));
            assert_eq!(good(reader(&["-y", "-f", &file])), public);
            assert_eq!(mode(&file), 0o600);
        }
    }
}

#[test]
fn openssh_reads_our_keys() {
    one_reads_the_other(ours, theirs);
}

#[test]
fn we_read_openssh_keys() {
    one_reads_the_other(theirs, ours);
}

#[test]
fn old_formats_are_read_and_come_back_in_openssh_form() {
    let scratch = Scratch::new();
    for (number, (kind, format, passphrase)) in [
        ("rsa", "PEM", ""),
        ("rsa", "PEM", "secret words"),
        ("ecdsa", "PEM", "secret words"),
        ("rsa", "PKCS8", ""),
        ("ecdsa", "PKCS8", "secret words"),
    ]
    .into_iter()
    .enumerate()
    {
        let file = path(&scratch, &format!("old{number}"));
        good(theirs(&["-q", "-t", kind, "-m", format, "-N", passphrase, "-C", "c", "-f", &file]));
        let public = fs::read_to_string(format!("{file}.pub")).unwrap();
        assert_eq!(key_of(&good(ours(&["-y", "-P", passphrase, "-f", &file]))), key_of(&public));
        assert_eq!(good(ours(&["-l", "-f", &file])), good(theirs(&["-l", "-f", &format!("{file}.pub")])));
        good(ours(&["-p", "-P", passphrase, "-N", "newer words", "-f", &file]));
        assert!(fs::read_to_string(&file).unwrap().starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n"));
        assert_eq!(key_of(&good(theirs(&["-y", "-P", "newer words", "-f", &file]))), key_of(&public));
    }
}

#[test]
fn what_is_printed_is_what_ssh_keygen_prints() {
    let scratch = Scratch::new();
    let file = path(&scratch, "k");
    let said = good(ours(&["-t", "ed25519", "-N", "", "-C", "c", "-f", &file]));
    let art = good(theirs(&["-lvf", &file]));
    let (listed, art) = art.split_once('\n').unwrap();
    let print = listed.split(' ').nth(1).unwrap();
    assert_eq!(
        said,
        format!(
            "Generating public/private ed25519 key pair.\nYour identification has been saved in {file}\n\
             Your public key has been saved in {file}.pub\nThe key fingerprint is:\n{print} c\n\
             The key's randomart image is:\n{art}"
        )
    );
    for args in [&["-lvf"][..], &["-lE", "md5", "-f"], &["-l", "-E", "sha256", "-f"]] {
        let line = [args, &[&file]].concat();
        assert_eq!(good(ours(&line)), good(theirs(&line)), "{args:?}");
    }
    assert_eq!(good(ours(&["-q", "-N", "", "-f", &path(&scratch, "quiet")])), "");
}

#[test]
fn the_usual_comment_names_user_and_host() {
    let scratch = Scratch::new();
    good(ours(&["-q", "-N", "", "-f", &path(&scratch, "a")]));
    good(theirs(&["-q", "-N", "", "-f", &path(&scratch, "b")]));
    let comment = |name: &str| scratch.read(name).split_whitespace().nth(2).unwrap().to_owned();
    assert_eq!(comment("a.pub"), comment("b.pub"));
}

#[test]
fn a_new_comment_is_in_both_files() {
    let scratch = Scratch::new();
    let file = path(&scratch, "k");
    good(theirs(&["-q", "-t", "ed25519", "-N", "secret words", "-C", "old", "-f", &file]));
    let before = scratch.read("k.pub");
    let said = good(ours(&["-c", "-C", "new one", "-P", "secret words", "-f", &file]));
    assert_eq!(said, "Old comment: old\nComment 'new one' applied\n");
    assert_eq!(scratch.read("k.pub"), before.replace(" old\n", " new one\n"));
    assert_eq!(good(theirs(&["-y", "-P", "secret words", "-f", &file])), scratch.read("k.pub"));
    assert!(good(ours(&["-c", "-C", "new one", "-P", "secret words", "-f", &file])).contains("No change to comment"));
    bad(ours(&["-c", "-C", "two\nlines", "-P", "secret words", "-f", &file]));
    bad(ours(&["-q", "-N", "", "-C", "a\u{1b}[2J", "-f", &path(&scratch, "x")]));
    assert!(!scratch.path("x").exists());
}

#[test]
fn wrong_and_missing_passphrases_are_told() {
    let scratch = Scratch::new();
    let file = path(&scratch, "k");
    good(ours(&["-q", "-N", "right", "-f", &file]));
    let before = scratch.read("k");
    assert!(bad(ours(&["-y", "-P", "wrong", "-f", &file])).contains("passphrase does not open"));
    assert!(bad(ours(&["-p", "-P", "wrong", "-N", "", "-f", &file])).contains("passphrase does not open"));
    assert!(bad(ours(&["-y", "-P", "", "-f", &file])).contains("encrypted"));
    assert_eq!(scratch.read("k"), before);
    assert!(bad(ours(&["-y", "-f", &path(&scratch, "none")])).contains("No such file"));
    assert!(bad(ours(&["-l", "-f", &path(&scratch, "none")])).contains("No such file"));
    let junk = scratch.write("junk", "nothing here\n");
    assert!(bad(ours(&["-l", "-f", junk.to_str().unwrap()])).contains("is not a public key file"));
}

#[test]
fn lists_every_key_of_a_file() {
    let scratch = Scratch::new();
    let mut lines = String::from("# a comment\n\n");
    for (number, (kind, bits, _)) in KINDS.iter().take(4).enumerate() {
        let file = path(&scratch, &format!("k{number}"));
        let mut args = vec!["-q", "-t", kind, "-N", "", "-C", "c", "-f", &file];
        if !bits.is_empty() {
            args.extend(["-b", bits]);
        }
        good(ours(&args));
        let key = key_of(&fs::read_to_string(format!("{file}.pub")).unwrap());
        lines.push_str(&format!("{key} mine\nhost{number},1.2.3.4 {key}\nno-pty,command=\"a b\" {key} forced\n"));
    }
    let all = scratch.write("all", &lines);
    let line = ["-l", "-f", all.to_str().unwrap()];
    assert_eq!(good(ours(&line)), good(theirs(&line)));
    assert_eq!(good(ours(&line)).lines().count(), 12);
}

#[test]
fn no_file_is_replaced_without_a_yes() {
    let scratch = Scratch::new();
    let file = path(&scratch, "k");
    good(ours(&["-q", "-N", "", "-f", &file]));
    let before = scratch.read("k");
    let out = ours(&["-q", "-N", "", "-f", &file]);
    assert_eq!(out.status.code(), Some(1));
    assert_eq!(text(out.stdout), format!("{file} already exists.\nOverwrite (y/n)? "));
    assert_eq!(scratch.read("k"), before);
}

#[test]
fn k01_rounds_beyond_reason_are_refused_at_once() {
    let scratch = Scratch::new();
    let start = std::time::Instant::now();
    assert!(bad(ours(&["-q", "-N", "x", "-a", "2049", "-f", &path(&scratch, "k")])).contains("rounds"));
    assert!(bad(ours(&["-q", "-N", "x", "-a", "4294967295", "-f", &path(&scratch, "k")])).contains("rounds"));
    assert!(!scratch.path("k").exists());
    // A file that asks for 2^32-1 rounds: the count stands in clear behind the salt.
    let file = path(&scratch, "evil");
    good(theirs(&["-q", "-t", "ed25519", "-a", "4", "-N", "secret", "-f", &file]));
    let pem = scratch.read("evil");
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let mut bytes = nacre_crypto::base64_decode(&body).unwrap();
    let salt_and_rounds = [&[0, 0, 0, 24, 0, 0, 0, 16][..]].concat();
    let at = bytes.windows(8).position(|w| w == salt_and_rounds).unwrap() + 8 + 16;
    assert_eq!(bytes[at..at + 4], [0, 0, 0, 4]);
    bytes[at..at + 4].fill(0xff);
    let body = nacre_crypto::base64_encode(&bytes);
    let pem = format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n-----END OPENSSH PRIVATE KEY-----\n");
    scratch.write("evil", &pem);
    assert!(bad(ours(&["-y", "-P", "secret", "-f", &file])).contains("4294967295 rounds"));
    assert!(start.elapsed() < std::time::Duration::from_secs(120));
}

#[test]
fn k01_damaged_files_are_errors_not_crashes() {
    let scratch = Scratch::new();
    let file = path(&scratch, "k");
    good(ours(&["-q", "-N", "", "-f", &file]));
    let whole = scratch.read("k");
    for length in (0..whole.len() - 2).step_by(37) {
        scratch.write("k", &whole[..length]);
        assert!(bad(ours(&["-y", "-P", "", "-f", &file])).starts_with("nacre: keygen: "), "{length}");
    }
    scratch.write("k", &"x".repeat(1024 * 1024 + 1));
    assert!(bad(ours(&["-y", "-P", "", "-f", &file])).contains("larger than any key"));
}

#[test]
fn k02_files_are_private_under_umask_0() {
    let scratch = Scratch::new();
    let file = path(&scratch, "k");
    let line = format!("umask 0; exec {} keygen -q -N '' -f {file}", env!("CARGO_BIN_EXE_nacre"));
    good(program("sh").args(["-c", &line]).output().unwrap());
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(format!("{file}.pub")), 0o644);
    let line = format!("umask 0; exec {} keygen -q -p -P '' -N x -f {file}", env!("CARGO_BIN_EXE_nacre"));
    good(program("sh").args(["-c", &line]).output().unwrap());
    assert_eq!(mode(&file), 0o600);
    assert_eq!(fs::read_dir(scratch.root()).unwrap().count(), 2, "a temporary file was left behind");
}

#[test]
fn k02_a_symlink_at_the_target_is_never_written_through() {
    let scratch = Scratch::new();
    let victim = scratch.write("victim", "untouched");
    let file = path(&scratch, "k");
    symlink(&victim, &file).unwrap();
    symlink(&victim, format!("{file}.pub")).unwrap();
    let refused = ours(&["-q", "-N", "", "-f", &file]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(fs::symlink_metadata(&file).unwrap().is_symlink());
    let line = format!("echo y | {} keygen -q -N '' -f {file}", env!("CARGO_BIN_EXE_nacre"));
    good(program("sh").args(["-c", &line]).output().unwrap());
    assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
    assert!(!fs::symlink_metadata(&file).unwrap().is_symlink());
    assert_eq!(good(theirs(&["-y", "-f", &file])), scratch.read("k.pub"));
    let dangling = path(&scratch, "d");
    symlink(scratch.path("elsewhere"), &dangling).unwrap();
    assert_eq!(ours(&["-q", "-N", "", "-f", &dangling]).status.code(), Some(1));
    assert!(!scratch.path("elsewhere").exists());
}

#[test]
fn k02_private_keys_that_others_can_read_are_refused() {
    let scratch = Scratch::new();
    let file = path(&scratch, "k");
    good(ours(&["-q", "-N", "", "-f", &file]));
    for open in [0o644, 0o640, 0o604, 0o620, 0o602, 0o610] {
        fs::set_permissions(&file, fs::Permissions::from_mode(open)).unwrap();
        for args in [&["-y", "-f"][..], &["-p", "-N", "x", "-f"], &["-c", "-C", "x", "-f"]] {
            let said = bad(ours(&[args, &[&file]].concat()));
            assert!(said.contains("WARNING: UNPROTECTED PRIVATE KEY FILE!"), "{open:o} {said}");
            assert!(said.contains(&format!("Permissions 0{open:o} for '{file}' are too open.")), "{said}");
        }
    }
    for closed in [0o600, 0o400] {
        fs::set_permissions(&file, fs::Permissions::from_mode(closed)).unwrap();
        good(ours(&["-y", "-f", &file]));
    }
}

#[test]
fn a_program_answers_for_the_person() {
    let scratch = Scratch::new();
    let file = path(&scratch, "key");
    good(theirs(&["-q", "-N", "hunter two", "-C", "me", "-f", &file]));
    let script = scratch.write("askpass", "#!/bin/sh\necho hunter two\n");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    let mut command = nacre();
    command.args(["keygen", "-y", "-f", &file]).env("SSH_ASKPASS", &script).env("SSH_ASKPASS_REQUIRE", "force");
    let printed = good(command.stdin(std::process::Stdio::null()).output().unwrap());
    assert_eq!(printed, scratch.read("key.pub"));
}
