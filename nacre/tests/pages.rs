//! Help, manual pages, completions and links, as the built program prints and makes them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Scratch, nacre, text};
use std::io::Read;
use std::process::Stdio;

const COMMANDS: [&str; 13] = [
    "try",
    "serve",
    "ssh",
    "keygen",
    "keyscan",
    "agent",
    "add",
    "passwd",
    "explain",
    "audit",
    "links",
    "man",
    "completions",
];

#[test]
fn help_fits_80_columns_and_names_every_command() {
    let help = text(nacre().arg("--help").output().unwrap().stdout);
    for command in COMMANDS {
        assert!(help.contains(&format!("\n  {command} ")), "{command} is not in --help");
        let out = nacre().args([command, "--help"]).output().unwrap();
        assert!(out.status.success() && out.stderr.is_empty(), "{command}");
        let page = text(out.stdout);
        assert!(page.starts_with(char::is_uppercase) && page.contains(&format!("Usage: nacre {command}")), "{page}");
        for line in help.lines().chain(page.lines()) {
            assert!(line.chars().count() <= 80, "{command}: {line}");
        }
    }
}

#[test]
fn nacre_alone_names_three_commands() {
    let out = nacre().output().unwrap();
    assert!(out.status.success());
    let said = text(out.stdout);
    for first in ["nacre try", "nacre serve", "nacre ssh"] {
        assert!(said.contains(first));
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let scratch = Scratch::new();
    let out = nacre().args(["man", "--all"]).arg(scratch.path("man")).output().unwrap();
    assert!(out.status.success(), "{}", text(out.stderr));
    for command in COMMANDS {
        let file = scratch.read(&format!("man/nacre-{command}.1"));
        let printed = text(nacre().args(["man", command]).output().unwrap().stdout);
        assert_eq!(file, printed);
        assert!(file.contains(&format!(".TH nacre-{command} 1")), "{file}");
        assert!(file.contains(".SH DESCRIPTION\n"));
    }
    assert!(scratch.read("man/nacre.1").contains("nacre\\-keygen(1)"));
    let out = nacre().args(["man", "nope"]).output().unwrap();
    assert_eq!(out.status.code(), Some(2));
}

#[test]
fn flags_that_callers_pass_for_old_times_sake_are_not_shown() {
    let page = text(nacre().args(["ssh", "--help"]).output().unwrap().stdout);
    assert!(!page.contains("  -2") && !page.contains("  -1"));
}

#[test]
fn completions_come_for_three_shells() {
    for (shell, mark) in [("bash", "_nacre()"), ("zsh", "#compdef nacre"), ("fish", "complete -c nacre")] {
        let out = nacre().args(["completions", shell]).output().unwrap();
        assert!(out.status.success());
        let script = text(out.stdout);
        assert!(script.contains(mark) && script.contains("user-mode"), "{shell}");
    }
    let out = nacre().args(["completions", "powershell"]).output().unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(text(out.stderr).contains("known: bash, zsh, fish"));
}

#[test]
fn a_closed_pipe_is_a_quiet_end() {
    for line in [&["completions", "zsh"][..], &["man", "ssh"], &["--help"], &["ssh", "-Q", "cipher"]] {
        let mut child = nacre().args(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut complaint = String::new();
        child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(complaint, "", "{line:?}");
        assert!(matches!(status.code(), Some(0 | 141)), "{line:?}: {status}");
    }
}

#[test]
fn links_are_made_once_and_answer_to_their_names() {
    let scratch = Scratch::new();
    let bin = scratch.path("bin");
    let out = nacre().arg("links").arg(&bin).output().unwrap();
    assert!(out.status.success(), "{}", text(out.stderr));
    assert_eq!(text(out.stdout).lines().count(), nacre::cli::OPENSSH_NAMES.len());
    let version = std::process::Command::new(bin.join("ssh")).arg("-V").output().unwrap();
    assert!(version.status.success());
    assert!(text(version.stderr).starts_with("OpenSSH_10.5 compatible, Nacre "));
    assert_eq!(text(version.stdout), "");
    let version = std::process::Command::new(bin.join("sshd")).arg("-V").output().unwrap();
    assert!(text(version.stderr).starts_with("OpenSSH_10.5 compatible, Nacre "));
    let mistake = std::process::Command::new(bin.join("ssh-keygen")).args(["-t", "dsa"]).output().unwrap();
    assert_eq!(mistake.status.code(), Some(1));
    let again = nacre().arg("links").arg(&bin).output().unwrap();
    assert!(again.status.success());
    assert!(text(again.stdout).contains("already"));
}

#[test]
fn links_leave_foreign_files_alone() {
    let scratch = Scratch::new();
    scratch.write("sshd", "not ours");
    let out = nacre().arg("links").arg(scratch.root()).output().unwrap();
    assert_eq!(out.status.code(), Some(1));
    assert!(text(out.stderr).starts_with("nacre: links: "));
    assert_eq!(scratch.read("sshd"), "not ours");
    assert!(!scratch.path("ssh").exists(), "a link was made although another could not be");
    std::fs::remove_file(scratch.path("sshd")).unwrap();
    std::os::unix::fs::symlink("/nowhere/at/all", scratch.path("ssh")).unwrap();
    assert!(!nacre().arg("links").arg(scratch.root()).status().unwrap().success());
    assert_eq!(std::fs::read_link(scratch.path("ssh")).unwrap(), std::path::Path::new("/nowhere/at/all"));
}

#[test]
fn query_lists_what_is_known() {
    let ask = |kind: &str| text(nacre().args(["ssh", "-Q", kind]).output().unwrap().stdout);
    assert!(ask("kex").lines().any(|l| l == "mlkem768x25519-sha256"));
    assert!(ask("cipher").lines().any(|l| l == "aes256-ctr"));
    assert!(!ask("cipher-auth").contains("ctr") && ask("cipher-auth").contains("chacha20-poly1305@openssh.com"));
    assert!(ask("mac").lines().any(|l| l == "hmac-sha2-256-etm@openssh.com"));
    assert_eq!(ask("key").lines().filter(|l| *l == "ssh-rsa").count(), 1);
    assert!(ask("HostKeyAlgorithms").contains("rsa-sha2-512") && !ask("HostKeyAlgorithms").contains("ssh-rsa"));
    for kind in ask("help").lines() {
        assert!(nacre().args(["ssh", "-Q", kind]).output().unwrap().status.success(), "{kind}");
    }
    let out = nacre().args(["ssh", "-Q", "nope"]).output().unwrap();
    assert_eq!(out.status.code(), Some(255));
}
