//! `known_hosts` against a corpus, and against the `ssh-keygen` on this machine (threats H5, H6).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

mod common;

use std::process::Command;

use common::{Folder, have, hmac_sha1};
use nacre_config::Origin;
use nacre_config::blob;
use nacre_config::known_hosts::{self, KnownHosts, Verdict, find, hash_names, new_line, remove};
use nacre_wire::WriteExt;

fn ed25519(fill: u8) -> Vec<u8> {
    let mut blob = Vec::new();
    blob.put_string("ssh-ed25519");
    // A point on the curve: OpenSSH does not look, but a real key costs nothing.
    blob.put_string([fill; 32]);
    blob
}

fn rsa() -> Vec<u8> {
    let mut blob = Vec::new();
    blob.put_string("ssh-rsa");
    blob.put_mpint(&[1, 0, 1]);
    blob.put_mpint(&[0xc5; 256]);
    blob
}

/// `{A}`, `{B}`, `{R}` become keys; the bare letters with `64` their base64.
fn fill(line: &str) -> String {
    let (a, b, r) = (blob::encode(&ed25519(1)), blob::encode(&ed25519(2)), blob::encode(&rsa()));
    line.replace("{A}", &format!("ssh-ed25519 {a}"))
        .replace("{B}", &format!("ssh-ed25519 {b}"))
        .replace("{R}", &format!("ssh-rsa {r}"))
        .replace("{A64}", &a)
        .replace("{R64}", &r)
        .replace("{HASHED}", known_hosts::HashedName::new("web", [7; 20], hmac_sha1).to_string().as_str())
        .replace("{HASHED2200}", known_hosts::HashedName::new("[web]:2200", [9; 20], hmac_sha1).to_string().as_str())
}

/// What the line says about host `web`, key A.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Says {
    Match,
    Mismatch,
    Unknown,
    Revoked,
    /// Skipped with a warning.
    Bad,
    /// Skipped with a warning, while OpenSSH takes the line: strictness of our own, with the reason in the corpus.
    Stricter,
}

use Says::{Bad, Match, Mismatch, Revoked, Stricter, Unknown};

const CORPUS: &[(&str, Says)] = &[
    ("web {A}", Match),
    ("web {A} comment with blanks", Match),
    ("  web {A}", Match),
    ("\tweb\t{A}", Match),
    ("web  \t ssh-ed25519 \t {A64}", Match),
    ("web {A}\r", Match),
    ("WEB {A}", Match),
    ("Web {A}", Match),
    ("web,192.0.2.1 {A}", Match),
    ("192.0.2.1,web {A}", Match),
    ("a,b,c,web,d {A}", Match),
    ("we? {A}", Match),
    ("w* {A}", Match),
    ("* {A}", Match),
    ("*,!db {A}", Match),
    ("*,!web {A}", Unknown),
    ("!web,* {A}", Unknown),
    ("!web {A}", Unknown),
    ("!db {A}", Unknown),
    ("web,!w* {A}", Unknown),
    ("{HASHED} {A}", Match),
    ("{HASHED} {B}", Mismatch),
    ("{HASHED2200} {A}", Unknown),
    ("[web]:2200 {A}", Unknown),
    ("[web]:22 {A}", Unknown),
    ("[web] {A}", Unknown),
    ("web {B}", Mismatch),
    ("web {R}", Mismatch),
    ("db {A}", Unknown),
    ("webb {A}", Unknown),
    ("we {A}", Unknown),
    ("web.example.com {A}", Unknown),
    ("@revoked web {A}", Revoked),
    ("@revoked * {A}", Revoked),
    ("@revoked {HASHED} {A}", Revoked),
    ("@revoked web {B}", Unknown),
    ("@revoked db {A}", Unknown),
    ("@cert-authority web {A}", Unknown),
    ("@cert-authority * {A}", Unknown),
    ("# web {A}", Unknown),
    ("  # web {A}", Unknown),
    ("", Unknown),
    ("   \t", Unknown),
    ("@revoked @cert-authority web {A}", Bad),
    ("@revoked @revoked web {A}", Bad),
    ("@frob web {A}", Bad),
    ("@Revoked web {A}", Bad),
    ("@revoked", Bad),
    ("@revoked web", Bad),
    ("web", Bad),
    ("web ", Bad),
    ("web ssh-ed25519", Bad),
    ("web ssh-ed25519 ", Bad),
    ("web ssh-rsa {A64}", Bad),
    ("web ssh-ed25519 {R64}", Bad),
    ("web ssh-ed25519 AAAA", Bad),
    ("web ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEB", Bad),
    ("web ssh-ed25519 {A64}=", Bad),
    ("web ssh-ed25519 {A64}!", Bad),
    ("web ssh-ed25519 #{A64}", Bad),
    ("web {A64}", Bad),
    ("web 2048 65537 123456789", Bad),
    ("web\u{a0}{A}", Bad),
    ("web\u{2003}ssh-ed25519 {A64}", Bad),
    ("web ssh-ed25519\u{a0}{A64}", Bad),
    ("|1|AAAA|AAAA {A}", Stricter),
    ("|1|BwcHBwcHBwcHBwcHBwcHBwcHBwc= {A}", Stricter),
    ("|2|BwcHBwcHBwcHBwcHBwcHBwcHBwc=|BwcHBwcHBwcHBwcHBwcHBwcHBwc= {A}", Stricter),
    ("{HASHED},db {A}", Stricter),
    ("|1||| {A}", Stricter),
    ("web\u{1} {A}", Stricter),
];

fn verdict(known: &KnownHosts) -> Verdict {
    known.lookup("web", 22, &ed25519(1), hmac_sha1)
}

#[test]
fn h05_every_line_of_the_corpus_has_its_verdict() {
    assert!(CORPUS.len() >= 60);
    for (line, says) in CORPUS {
        let known = KnownHosts::parse("f", fill(line).as_bytes());
        let origin = Origin::File { file: "f".into(), line: 1 };
        let wanted = match says {
            Match => Verdict::Match { origin },
            Mismatch => Verdict::Mismatch { lines: vec![origin] },
            Revoked => Verdict::Revoked { origin },
            Unknown | Bad | Stricter => Verdict::Unknown,
        };
        assert_eq!(verdict(&known), wanted, "{line:?}");
        assert_eq!(known.warnings.len(), usize::from(matches!(says, Bad | Stricter)), "{line:?}: {:?}", known.warnings);
    }
}

/// `ssh-keygen -lF web`, which parses the key: true when it takes the line for one about the host.
fn peer_takes(folder: &Folder, line: &str) -> bool {
    let path = folder.write("kh", format!("{line}\n"));
    let out = Command::new("ssh-keygen").args(["-l", "-F", "web", "-f", &path]).output().unwrap();
    String::from_utf8_lossy(&out.stdout).lines().any(|l| l.contains("SHA256:"))
}

#[test]
fn h05_ssh_keygen_sees_the_same_lines() {
    if !have("ssh-keygen") {
        return;
    }
    let folder = Folder::new("known-hosts");
    let (mut failures, mut both) = (Vec::new(), 0);
    for (line, says) in CORPUS {
        if *says == Stricter {
            continue;
        }
        let line = fill(line);
        let ours = KnownHosts::parse("f", line.as_bytes()).entries.iter().any(|e| e.hosts.matches("web", hmac_sha1));
        let theirs = peer_takes(&folder, &line);
        both += usize::from(ours && theirs);
        if ours != theirs {
            failures.push(format!("{line:?}: ours {ours}, theirs {theirs}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(both >= 20, "only {both} lines speak of the host");
}

fn a_file() -> String {
    fill(
        "# mine\nweb,192.0.2.1 {A} one\n{HASHED} {R}\n@revoked web {B}\n@cert-authority *.example.com {A}\n[web]:2200 {B}\n\nbroken line\nw* {B}\ndb {A}\n",
    )
}

#[test]
fn h05_find_remove_and_hash_are_those_of_ssh_keygen() {
    if !have("ssh-keygen") {
        return;
    }
    let folder = Folder::new("keygen");
    let path = folder.write("kh", a_file());
    for name in ["web", "[web]:2200", "db", "192.0.2.1", "x.example.com", "nobody"] {
        let out = Command::new("ssh-keygen").args(["-F", name, "-f", &path]).output().unwrap();
        let ours: String = find(a_file().as_bytes(), name, hmac_sha1).iter().map(|f| format!("{f}\n")).collect();
        assert_eq!(ours, String::from_utf8(out.stdout).unwrap(), "-F {name}");
    }
    // The peer refuses to write a file with a line it cannot read, so the broken one goes first.
    let sound = a_file().replace("broken line\n", "");
    for name in ["web", "[web]:2200", "db"] {
        let path = folder.write("remove", &sound);
        let out = Command::new("ssh-keygen").args(["-R", name, "-f", &path]).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let ours = remove(sound.as_bytes(), name, hmac_sha1);
        assert_eq!(String::from_utf8(ours.content).unwrap(), std::fs::read_to_string(&path).unwrap(), "-R {name}");
        assert!(!ours.lines.is_empty() && ours.invalid.is_empty());
    }
    let hashed = hash_names(sound.as_bytes(), hmac_sha1, || [3; 20]);
    assert_eq!((hashed.hashed, hashed.wildcards.len(), hashed.invalid.len()), (4, 1, 0));
    // What we hashed, the peer finds again.
    let path = folder.write("hashed", &hashed.content);
    for name in ["web", "192.0.2.1", "db", "[web]:2200"] {
        let count = |path: &str| {
            let out = Command::new("ssh-keygen").args(["-F", name, "-f", path]).output().unwrap();
            String::from_utf8(out.stdout).unwrap().matches("# Host").count()
        };
        assert_eq!(count(&path), count(&folder.write("plain", &sound)), "{name}");
    }
    assert!(!String::from_utf8(hashed.content).unwrap().contains("192.0.2.1"));
}

#[test]
fn h05_a_revoked_key_is_revoked_wherever_the_line_stands() {
    for text in ["web {A}\n@revoked web {A}\n", "@revoked * {A}\nweb {A}\n", "web {B}\n@revoked w?b {A}\nweb {A}\n"] {
        let known = KnownHosts::parse("f", fill(text).as_bytes());
        assert!(matches!(verdict(&known), Verdict::Revoked { .. }), "{text:?}");
    }
    // Over two files, and through the plain name of a host on another port.
    let mut known = KnownHosts::parse("user", fill("web {A}\n").as_bytes());
    known.add("machine", fill("@revoked web {A}\n").as_bytes());
    assert!(matches!(verdict(&known), Verdict::Revoked { .. }));
    let verdict = known.lookup_for_connection("web", 2200, &ed25519(1), hmac_sha1);
    assert!(matches!(verdict, Verdict::Revoked { .. }));
    // Also with another key, or this one, on record for the port.
    for own in ["[web]:2200 {B}", "[web]:2200 {A}"] {
        let known = KnownHosts::parse("f", fill(&format!("{own}\n@revoked web {{A}}\n")).as_bytes());
        let verdict = known.lookup_for_connection("web", 2200, &ed25519(1), hmac_sha1);
        assert!(matches!(verdict, Verdict::Revoked { .. }), "{own}");
    }
}

#[test]
fn h06_a_key_of_another_type_is_a_changed_key() {
    let known = KnownHosts::parse("f", fill("web {A}\nweb {B}\n").as_bytes());
    let verdict = known.lookup("web", 22, &rsa(), hmac_sha1);
    assert!(matches!(verdict, Verdict::Mismatch { lines } if lines.len() == 2));
    assert_eq!(known.key_types("web", 22, hmac_sha1), ["ssh-ed25519"]);
    let known = KnownHosts::parse("f", fill("web {R}\n{HASHED} {A}\n@revoked web {B}\ndb {A}\n").as_bytes());
    assert_eq!(known.key_types("WEB", 22, hmac_sha1), ["ssh-rsa", "ssh-ed25519"]);
    assert!(known.key_types("web", 2200, hmac_sha1).is_empty());
    let own = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let offered = own(&["ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256", "ecdsa-sha2-nistp256"]);
    let wanted = own(&["rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519", "ecdsa-sha2-nistp256"]);
    assert_eq!(known_hosts::prefer_recorded(&offered, &own(&["ssh-rsa"])), wanted);
    assert_eq!(known_hosts::prefer_recorded(&offered, &[]), offered);
}

#[test]
fn h05_ports_and_the_plain_name() {
    let known = KnownHosts::parse("f", fill("web {A}\n[db]:2200 {B}\n").as_bytes());
    let of = |host, port, key| known.lookup_for_connection(host, port, &ed25519(key), hmac_sha1);
    assert!(matches!(of("web", 2200, 1), Verdict::Match { .. }));
    assert_eq!(of("web", 2200, 2), Verdict::Unknown);
    assert!(matches!(of("db", 2200, 1), Verdict::Mismatch { .. }));
    assert_eq!(of("db", 22, 2), Verdict::Unknown);
}

#[test]
fn h05_lines_we_write_are_lines_we_read() {
    let name = known_hosts::record_name("Web", 2200);
    assert_eq!(name, "[web]:2200");
    let plain = new_line(&[&name, "192.0.2.1"], "ssh-ed25519", &ed25519(1), None);
    assert!(plain.starts_with("[web]:2200,192.0.2.1 ssh-ed25519 AAAA") && plain.ends_with('\n'));
    let hashed = new_line(&[&name], "ssh-ed25519", &ed25519(1), Some((&[5; 20], hmac_sha1)));
    assert!(hashed.starts_with("|1|BQUFBQ") && !hashed.contains("web"));
    for line in [plain, hashed] {
        let known = KnownHosts::parse("f", line.as_bytes());
        assert!(matches!(known.lookup("WEB", 2200, &ed25519(1), hmac_sha1), Verdict::Match { .. }));
    }
}

#[test]
fn h05_no_bytes_can_hurt() {
    let mut seed = 1_u64;
    let sample = a_file();
    for _ in 0..3_000 {
        let mut bytes = sample.clone().into_bytes();
        for _ in 0..4 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = (seed >> 33) as usize % bytes.len();
            match seed % 3 {
                0 => bytes[at] = (seed >> 20) as u8,
                1 => bytes.truncate(at + 1),
                _ => bytes.insert(at, (seed >> 20) as u8),
            }
        }
        let known = KnownHosts::parse("f", &bytes);
        verdict(&known);
        find(&bytes, "web", hmac_sha1);
        // Nothing is lost but what was asked for.
        let removed = remove(&bytes, "web", hmac_sha1);
        let lines = |b: &[u8]| b.strip_suffix(b"\n").unwrap_or(b).split(|c| *c == b'\n').count();
        let left = if removed.content.is_empty() { 0 } else { lines(&removed.content) };
        assert_eq!(left + removed.lines.len(), lines(&bytes));
    }
    let long = format!("{} {}", "x,".repeat(40_000), fill("{A}"));
    assert_eq!(KnownHosts::parse("f", long.as_bytes()).warnings.len(), 1);
}
