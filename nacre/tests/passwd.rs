//! `nacre passwd` from scripts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Scratch, nacre, text};
use nacre::passwd::store::{Store, TotpOutcome};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Output, Stdio};
use std::time::SystemTime;

fn passwd(scratch: &Scratch, args: &[&str], input: &str) -> Output {
    let mut child = nacre()
        .arg("passwd")
        .arg("--state")
        .arg(scratch.path("state"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that refuses its arguments does not read its input.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn store(scratch: &Scratch) -> Store {
    Store::open(scratch.path("state/passwd")).unwrap()
}

#[test]
fn a_password_comes_from_the_first_line_of_standard_input() {
    let scratch = Scratch::new();
    let out = passwd(&scratch, &["alice", "--stdin"], "fake password \nsecond line\n");
    assert!(out.status.success(), "{}", text(out.stderr));
    assert_eq!(text(out.stdout), "alice: the password is set\n");
    assert!(store(&scratch).verify("alice", "fake password ").unwrap());
    assert!(passwd(&scratch, &["alice", "--stdin"], "no newline").status.success());
    assert!(store(&scratch).verify("alice", "no newline").unwrap());
    for input in ["", "\n", &format!("{}\n", "x".repeat(1025)), &"x".repeat(10_000)] {
        assert_eq!(passwd(&scratch, &["alice", "--stdin"], input).status.code(), Some(1), "{}", input.len());
    }
    assert!(store(&scratch).verify("alice", "no newline").unwrap());
}

#[test]
fn names_are_listed_and_removed() {
    let scratch = Scratch::new();
    for name in ["bob", "alice"] {
        assert!(passwd(&scratch, &[name, "--stdin"], "fake\n").status.success());
    }
    assert!(passwd(&scratch, &["carol", "--no-password"], "").status.success());
    let list = text(passwd(&scratch, &["--list"], "").stdout);
    assert_eq!(list, "bob: password\nalice: password\ncarol: no password\n");
    assert!(passwd(&scratch, &["bob", "--remove"], "").status.success());
    let out = passwd(&scratch, &["bob", "--remove"], "");
    assert_eq!(out.status.code(), Some(1));
    assert_eq!(text(passwd(&scratch, &["--list"], "").stdout), "alice: password\ncarol: no password\n");
}

#[test]
fn a_code_enrolled_in_a_script_is_printed_without_a_picture() {
    let scratch = Scratch::new();
    let out = passwd(&scratch, &["alice", "--stdin", "--totp"], "fake\n");
    assert!(out.status.success(), "{}", text(out.stderr));
    let said = text(out.stdout);
    assert!(said.starts_with("otpauth://totp/Nacre:alice@") && !said.contains('\x1b'), "{said}");
    let secret = said.lines().find_map(|line| line.strip_prefix("secret: ")).unwrap();
    assert!(said.contains(&format!("secret={secret}&")));
    let secret = data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    let now = SystemTime::now();
    let code = nacre_crypto::totp(&secret, now.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs());
    let mut store = store(&scratch);
    assert!(store.verify("alice", "fake").unwrap());
    assert_eq!(store.check_totp("alice", &code, now).unwrap(), TotpOutcome::Accepted);

    assert!(passwd(&scratch, &["alice", "--stdin"], "newer\n").status.success());
    assert_eq!(store.check_totp("alice", &code, now).unwrap(), TotpOutcome::Reused);
    assert!(passwd(&scratch, &["alice", "--no-totp"], "").status.success());
    assert_eq!(store.check_totp("alice", &code, now).unwrap(), TotpOutcome::NotEnrolled);
    assert!(store.verify("alice", "newer").unwrap(), "taking the code away must not touch the password");
    assert_eq!(passwd(&scratch, &["nobody", "--no-totp"], "").status.code(), Some(1));
}

#[test]
fn a15_names_that_could_be_something_else_are_refused() {
    let scratch = Scratch::new();
    for name in ["../x", "a/b", "a:b", "a\nb", "a b", "..", "#x", "-2", "-froot", &"x".repeat(64 * 1024)] {
        let out = passwd(&scratch, &["--stdin", "--", name], "fake\n");
        assert_eq!(out.status.code(), Some(1), "{:?}", &name[..name.len().min(10)]);
        assert!(text(out.stderr).starts_with("nacre: passwd: the name "));
    }
    assert!(!scratch.path("state/passwd").exists());
}

#[test]
fn k02_a_folder_that_others_may_write_to_is_refused() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path("state")).unwrap();
    fs::set_permissions(scratch.path("state"), fs::Permissions::from_mode(0o777)).unwrap();
    let out = passwd(&scratch, &["alice", "--stdin"], "fake\n");
    assert_eq!(out.status.code(), Some(1));
    assert!(text(out.stderr).contains("others may write to it"));
}
