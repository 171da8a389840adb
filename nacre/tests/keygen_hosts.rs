//! `nacre keygen -F`, `-R` and `-H` beside OpenSSH's ssh-keygen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Scratch, nacre, program, text};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPWKq2JF4p7KFTeLeSvegYTfO0/cl4mPZI3sx0zfklbX";

fn ours(file: &str, args: &[&str]) -> Output {
    nacre().arg("keygen").args(args).args(["-f", file]).output().unwrap()
}

fn theirs(file: &str, args: &[&str]) -> Output {
    program("ssh-keygen").args(args).args(["-f", file]).output().expect("OpenSSH's ssh-keygen is needed")
}

fn known_hosts(scratch: &Scratch) -> String {
    let lines = format!(
        "# my hosts\nexample.org {KEY}\nother,192.0.2.1 {KEY} a comment\n\n[example.org]:2222 {KEY}\n\
         @cert-authority *.example.org {KEY}\n@revoked other {KEY}\n*.wild {KEY}\n"
    );
    scratch.write("known_hosts", &lines).to_str().unwrap().to_owned()
}

#[test]
fn finding_prints_what_ssh_keygen_prints() {
    let scratch = Scratch::new();
    let file = known_hosts(&scratch);
    for host in ["example.org", "other", "192.0.2.1", "[example.org]:2222", "a.wild", "nobody", "EXAMPLE.org"] {
        for extra in [&[][..], &["-l"], &["-lv"], &["-lE", "md5"]] {
            let line = [&["-F", host], extra].concat();
            let (we, they) = (ours(&file, &line), theirs(&file, &line));
            assert_eq!(text(we.stdout), text(they.stdout), "{line:?}");
            assert_eq!(we.status.success(), they.status.success(), "{line:?}");
        }
    }
    assert_eq!(ours(&file, &["-F", "nobody"]).status.code(), Some(1));
}

#[test]
fn removing_leaves_all_other_lines_and_keeps_the_old_file() {
    let scratch = Scratch::new();
    let file = known_hosts(&scratch);
    let before = scratch.read("known_hosts");
    let out = ours(&file, &["-R", "other"]);
    assert!(out.status.success(), "{}", text(out.stderr));
    let said = format!("# Host other found: line 3\n{file} updated.\nOriginal contents retained as {file}.old\n");
    assert_eq!(text(out.stdout), said);
    assert_eq!(scratch.read("known_hosts.old"), before);
    let after = scratch.read("known_hosts");
    assert_eq!(after, before.replace(&format!("other,192.0.2.1 {KEY} a comment\n"), ""));
    assert!(after.contains("@revoked other"), "a revocation was lost");

    fs::write(scratch.path("theirs"), &before).unwrap();
    assert!(theirs(scratch.path("theirs").to_str().unwrap(), &["-R", "other"]).status.success());
    assert_eq!(after, scratch.read("theirs"));

    let out = ours(&file, &["-R", "nobody"]);
    assert!(out.status.success());
    assert_eq!(text(out.stderr), format!("Host nobody not found in {file}\n"));
    assert_eq!(scratch.read("known_hosts"), after);
}

#[test]
fn hashed_names_are_found_by_both_programs() {
    let scratch = Scratch::new();
    let file = known_hosts(&scratch);
    let out = ours(&file, &["-H"]);
    assert!(out.status.success(), "{}", text(out.stderr));
    let hashed = scratch.read("known_hosts");
    assert!(!hashed.contains("192.0.2.1") && !hashed.contains("\nexample.org"), "{hashed}");
    assert!(hashed.contains("@cert-authority *.example.org") && hashed.contains("*.wild"));
    assert!(text(out.stderr).contains("known_hosts:8: ignoring host name with wildcard"));
    for host in ["example.org", "other", "192.0.2.1", "[example.org]:2222"] {
        let (we, they) = (ours(&file, &["-F", host]), theirs(&file, &["-F", host]));
        assert!(we.status.success() && they.status.success(), "{host}");
        assert_eq!(text(we.stdout), text(they.stdout), "{host}");
    }
    assert!(ours(&file, &["-R", "192.0.2.1"]).status.success());
    assert!(!theirs(&file, &["-F", "192.0.2.1"]).status.success());
    assert!(theirs(&file, &["-F", "example.org"]).status.success());
    assert!(theirs(&file, &["-R", "example.org"]).status.success());
    assert_eq!(ours(&file, &["-F", "example.org"]).status.code(), Some(1));
}

#[test]
fn the_mode_is_kept_and_never_widened() {
    let scratch = Scratch::new();
    for mode in [0o600, 0o644, 0o640] {
        let file = known_hosts(&scratch);
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        assert!(ours(&file, &["-R", "other"]).status.success());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, mode);
        fs::remove_file(&file).unwrap();
    }
}

#[test]
fn a_file_that_is_no_known_hosts_file_is_left_alone() {
    let scratch = Scratch::new();
    let file = scratch.write("text", &format!("example.org {KEY}\nthis is a letter\n"));
    let file = file.to_str().unwrap();
    for args in [&["-H"][..], &["-R", "example.org"]] {
        let out = ours(file, args);
        assert_eq!(out.status.code(), Some(1));
        assert!(text(out.stderr).contains("text:2: "), "{args:?}");
    }
    assert!(!scratch.path("text.old").exists());
    let out = ours(scratch.path("none").to_str().unwrap(), &["-F", "x"]);
    assert_eq!(out.status.code(), Some(1));
}
