//! Key revocation lists of `nacre keygen` against OpenSSH's ssh-keygen: each reads what the other wrote and says the
//! same of every key (threat A7).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Scratch, nacre, program, text};
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
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

#[track_caller]
fn good(command: &mut Command) -> String {
    let out = command.output().expect("OpenSSH's ssh-keygen is needed");
    assert!(out.status.success(), "{command:?}: {} {}", text(out.stdout), text(out.stderr));
    text(out.stdout)
}

fn done(out: Output) -> (Option<i32>, String) {
    (out.status.code(), text(out.stdout))
}

/// Keys `k0` to `k4` of all types, two CAs, and certificates of every kind that a list may tell apart.
fn corpus() -> (Scratch, Vec<String>) {
    let scratch = Scratch::new();
    let kinds: [&[&str]; 5] =
        [&["ed25519"], &["ecdsa", "-b256"], &["ecdsa", "-b384"], &["ecdsa", "-b521"], &["rsa", "-b2048"]];
    let mut shown = Vec::new();
    for (number, kind) in kinds.iter().enumerate() {
        let name = format!("k{number}");
        good(theirs(&scratch).args(["-q", "-N", "", "-C", &format!("key {number}"), "-f", &name, "-t"]).args(*kind));
        shown.push(format!("{name}.pub"));
    }
    for ca in ["ca", "other"] {
        good(theirs(&scratch).args(["-q", "-N", "", "-C", "", "-t", "ed25519", "-f", ca]));
        shown.push(format!("{ca}.pub"));
    }
    let certificates = [
        ("ca", "1", "one"),
        ("ca", "7", "seven"),
        ("other", "7", "seven"),
        ("ca", "0", "none"),
        ("other", "65000", "x y"),
        ("ca", "18446744073709551615", "last"),
        ("ca", "300", "me"),
    ];
    for (number, (ca, serial, id)) in certificates.iter().enumerate() {
        let key = format!("k{}", number % kinds.len());
        good(theirs(&scratch).args(["-q", "-s", ca, "-z", serial, "-I", id, "-n", "x", &format!("{key}.pub")]));
        let kept = format!("c{number}-cert.pub");
        std::fs::rename(scratch.path(&format!("{key}-cert.pub")), scratch.path(&kept)).unwrap();
        shown.push(kept);
    }
    (scratch, shown)
}

/// What to revoke, by the arguments of `-k` and the lines of a file. `@NAME` stands for the content of a file, `%NAME`
/// for a key's fingerprint.
const LISTS: &[(&[&str], &str)] = &[
    (&[], ""),
    (&[], "@k0.pub\n  @k4.pub  # with a remark\n\n# nothing\n"),
    (&[], "key: @k1.pub\nsha1: @k2.pub\nsha256: @k3.pub\nhash: %k4.pub\nHASH:%k0.pub\n"),
    (&[], "@ca.pub"),
    (&[], "sha1: @ca.pub"),
    (&[], "key: @c1-cert.pub\nsha256: @c4-cert.pub"),
    (&[], "@c0-cert.pub\n@c2-cert.pub\n@c3-cert.pub"),
    (&["-s", "ca.pub"], "serial: 7"),
    (&["-s", "ca"], "serial: 0x7\nserial: 1\nserial: 0454"),
    (&["-s", "none"], "serial: 7\nid: x y"),
    (&["-s", "other.pub"], "serial: 1-100000\nid:\tone"),
    (&["-s", "ca.pub"], "serial: 2-18446744073709551615"),
    (&["-s", "ca.pub", "-z", "99", "-C", "what for"], "id: none\nid: me\nid: seven  # trailing\n"),
    (
        &["-s", "ca.pub"],
        "serial: 1\nserial: 3\nserial: 5\nserial: 7\nserial: 9\nserial: 12\nserial: 14\nserial: 299-301\n",
    ),
];

fn write_spec(scratch: &Scratch, lines: &str) {
    let filled = lines.split_inclusive('\n').map(|line| {
        let Some(at) = line.find(['@', '%']) else { return line.to_owned() };
        let end = at + line[at..].find(".pub").unwrap() + 4;
        let name = &line[at + 1..end];
        let value = if line[at..].starts_with('@') {
            scratch.read(name).split_whitespace().take(2).collect::<Vec<_>>().join(" ")
        } else {
            good(theirs(scratch).args(["-lf", name])).split(' ').nth(1).unwrap().to_owned()
        };
        format!("{}{value}{}", &line[..at], &line[end..])
    });
    scratch.write("spec", &filled.collect::<String>());
}

/// The listing without the second of making, and with hashes in one form: ssh-keygen prints those in hexadecimal, which
/// it does not read.
fn listing(scratch: &Scratch, reader: Maker, list: &str) -> Vec<String> {
    let out = good(reader(scratch).args(["-Q", "-l", "-f", list]));
    let form = |line: &str| match line.strip_prefix("hash: SHA256:") {
        Some(hex) if hex.len() == 64 => {
            let bytes: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
            format!("hash: SHA256:{}", nacre_crypto::base64_encode(&bytes).trim_end_matches('='))
        }
        _ => line.to_owned(),
    };
    out.lines().filter(|line| !line.starts_with("# Generated at 20")).map(form).collect()
}

#[test]
fn a07_each_reads_the_others_lists_and_says_the_same() {
    let (scratch, shown) = corpus();
    let mut verdicts = std::collections::BTreeSet::new();
    for (number, (args, lines)) in LISTS.iter().enumerate() {
        write_spec(&scratch, lines);
        for (maker, name) in [(ours as Maker, "ours"), (theirs, "theirs")] {
            let told = good(maker(&scratch).args(["-k", "-f", name]).args(*args).arg("spec"));
            assert_eq!(told.replace('\r', ""), "Revoking from spec\n");
        }
        let sizes = ["ours", "theirs"].map(|name| std::fs::metadata(scratch.path(name)).unwrap().len());
        assert!(sizes[0] <= sizes[1], "{number}: {sizes:?}");
        let wanted = listing(&scratch, theirs, "theirs");
        for (reader, list) in [(ours as Maker, "ours"), (ours, "theirs"), (theirs, "ours")] {
            assert_eq!(listing(&scratch, reader, list), wanted, "{lines}");
        }
        let verdict =
            |reader: Maker, list| done(reader(&scratch).args(["-Q", "-f", list]).args(&shown).output().unwrap());
        let wanted = verdict(theirs, "theirs");
        for (reader, list) in [(ours as Maker, "ours"), (ours, "theirs"), (theirs, "ours")] {
            assert_eq!(verdict(reader, list), wanted, "{lines}");
        }
        verdicts.insert(wanted.1);
    }
    assert!(verdicts.len() > 10, "the corpus tells its lists apart: {}", verdicts.len());
}

#[test]
fn lists_are_added_to() {
    let (scratch, _) = corpus();
    good(ours(&scratch).args(["-qkf", "list", "-z", "3", "-C", "first", "k0.pub"]));
    good(theirs(&scratch).args(["-qkuf", "list", "k1.pub"]));
    scratch.write("spec", "serial: 5\nserial: 6-9\n");
    assert_eq!(good(ours(&scratch).args(["-qkuf", "list", "-s", "ca.pub", "spec", "k2.pub"])), "");
    let listed = listing(&scratch, theirs, "list");
    assert_eq!(listed, listing(&scratch, ours, "list"));
    assert_eq!(&listed[..2], ["# KRL version 3", "# Comment: first"]);
    assert_eq!(listed.iter().filter(|line| line.starts_with("hash: ")).count(), 3);
    assert_eq!(listed.last().unwrap(), "serial: 5-9");
    // What is printed is read again.
    let printed = good(ours(&scratch).args(["-Q", "-l", "-f", "list"]));
    scratch.write("printed", &printed);
    good(ours(&scratch).args(["-qkf", "again", "-s", "ca.pub", "printed"]));
    let out =
        done(ours(&scratch).args(["-Q", "-f", "again", "k0.pub", "k1.pub", "k2.pub", "k3.pub"]).output().unwrap());
    assert_eq!(out.0, Some(1));
    assert_eq!(out.1.matches(": REVOKED\n").count(), 3, "{}", out.1);
    assert!(out.1.ends_with("k3.pub (key 3): ok\n"), "{}", out.1);
}

#[test]
fn mistakes_are_told_with_their_line_and_never_look_like_a_verdict() {
    let (scratch, _) = corpus();
    let said = |args: &[&str]| {
        let out = ours(&scratch).args(args).output().unwrap();
        assert!(out.stdout.is_empty() || args.contains(&"spec"), "{args:?}");
        (out.status.code(), text(out.stderr))
    };
    for (lines, why) in [
        ("\nserial: 5", "spec:2: serial numbers are a CA's: name its public key with -s"),
        ("id: x", "spec:1: key IDs are a CA's"),
        ("nonsense", "spec:1: "),
        ("size: 5", "spec:1: unknown word 'size:'"),
        ("hash: MD5:ab", "spec:1: invalid hash"),
        ("key: ssh-ed25519 AAAA", "spec:1: "),
    ] {
        scratch.write("spec", lines);
        let (code, err) = said(&["-q", "-k", "-f", "made", "spec"]);
        assert!(code == Some(255) && err.contains(why), "{lines}: {code:?} {err}");
    }
    for (lines, why) in [
        ("serial: 5-5", "invalid serial range"),
        ("serial: 0", "no range from 1 on"),
        ("serial: five", "invalid serial range"),
    ] {
        scratch.write("spec", lines);
        let (code, err) = said(&["-q", "-k", "-f", "made", "-s", "none", "spec"]);
        assert!(code == Some(255) && err.contains(why), "{lines}: {code:?} {err}");
    }
    assert!(!scratch.path("made").exists());
    scratch.write("junk", "SSHKRL\n");
    for (args, why) in [
        (&["-Q", "-f", "none", "k0.pub"][..], "KRL \"none\" does not exist"),
        (&["-Q", "-f", "junk", "k0.pub"], "junk: not a key revocation list"),
        (&["-Q", "-f", "made", "nobody"], "does not exist"),
        (&["-k", "-u", "-f", "none", "k0.pub"], "KRL \"none\" does not exist"),
        (&["-k", "-f", "made", "-s", "c0-cert.pub", "k0.pub"], "a CA is no certificate"),
    ] {
        let (code, err) = said(args);
        assert!(code == Some(255) && err.contains(why), "{args:?}: {code:?} {err}");
    }
    assert!(said(&["-k", "k0.pub"]).1.contains("name of the list"));
    assert!(said(&["-Q", "k0.pub"]).1.contains("name of the list"));
    assert!(said(&["-u", "-f", "x"]).1.contains("-u stands with -k only"));
    good(theirs(&scratch).args(["-qkf", "list"]));
    let (code, err) = said(&["-Q", "-f", "list", "nobody"]);
    assert!(code == Some(255) && err.contains("cannot load public key nobody"), "{err}");
}

#[test]
fn a07_key_ids_are_bytes() {
    let (scratch, _) = corpus();
    let ids: [&[u8]; 3] = [b"caf\xe9", "\u{a0}x\u{3000}".as_bytes(), b"caf\xc3"];
    for (number, id) in ids.iter().enumerate() {
        good(theirs(&scratch).args(["-q", "-s", "ca", "-I"]).arg(OsStr::from_bytes(id)).arg("k0.pub"));
        std::fs::rename(scratch.path("k0-cert.pub"), scratch.path(&format!("i{number}-cert.pub"))).unwrap();
    }
    let spec = [b"id: ", ids[0], b" # caf\xe9\nid:\t", ids[1], b"\n"].concat();
    std::fs::write(scratch.path("spec"), spec).unwrap();
    let verdict = |reader: Maker, list: &str| {
        let args = ["-Q", "-f", list, "i0-cert.pub", "i1-cert.pub", "i2-cert.pub"];
        done(reader(&scratch).args(args).output().unwrap())
    };
    for (maker, list) in [(ours as Maker, "ours"), (theirs, "theirs")] {
        good(maker(&scratch).args(["-qk", "-s", "ca.pub", "-f", list, "spec"]));
    }
    let wanted = verdict(theirs, "theirs");
    assert_eq!((wanted.0, wanted.1.matches("REVOKED").count()), (Some(1), 2), "{}", wanted.1);
    for (reader, list) in [(ours as Maker, "ours"), (ours, "theirs"), (theirs, "ours")] {
        assert_eq!(verdict(reader, list), wanted);
    }
}

#[test]
fn lists_go_where_the_name_leads() {
    let (scratch, _) = corpus();
    good(ours(&scratch).args(["-qkf", "list", "k0.pub"]));
    std::fs::set_permissions(scratch.path("list"), std::fs::Permissions::from_mode(0o666)).unwrap();
    symlink(scratch.path("list"), scratch.path("link")).unwrap();
    good(ours(&scratch).args(["-qkuf", "link", "k1.pub"]));
    assert!(std::fs::symlink_metadata(scratch.path("link")).unwrap().is_symlink());
    assert_eq!(std::fs::metadata(scratch.path("list")).unwrap().permissions().mode() & 0o777, 0o666);
    let args = ["-Q", "-f", "list", "k0.pub", "k1.pub"];
    assert_eq!(done(theirs(&scratch).args(args).output().unwrap()).1.matches("REVOKED").count(), 2);
    // A pipe is written into.
    let out = ours(&scratch).args(["-qkf", "/dev/stdout", "k0.pub"]).output().unwrap();
    assert!(out.status.success() && out.stdout.starts_with(b"SSHKRL\n\0"), "{}", text(out.stderr));
}

#[test]
fn a07_what_is_too_long_is_not_cut() {
    let (scratch, _) = corpus();
    let mut command = ours(&scratch);
    command.args(["-qkf", "list", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let line = [&[b'#'; 65_535][..], b"\n"].concat();
    // The end is never taken.
    let _ = (0..1025).try_for_each(|_| input.write_all(&line));
    drop(input);
    let out = child.wait_with_output().unwrap();
    assert_eq!(out.status.code(), Some(255));
    assert!(text(out.stderr).contains("too large") && !scratch.path("list").exists());
}
