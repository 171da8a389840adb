//! Everything a person is asked, on a real terminal.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/person.rs"]
mod person;

use common::{Scratch, nacre, program, text};
use nacre::passwd::store::{Store, TotpOutcome};
use person::Person;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::SystemTime;

#[test]
fn a_key_with_all_questions_asked() {
    let home = Scratch::new();
    let mut person = Person::runs(home.root(), &["keygen"]);
    person.sees("Generating public/private ed25519 key pair.");
    person.sees(&format!("Enter file in which to save the key ({}/.ssh/id_ed25519): ", home.root().display()));
    person.types("");
    person.sees("Created directory");
    person.sees("(empty for no passphrase): ");
    person.types("sesame one");
    person.sees("Enter same passphrase again: ");
    person.types("sesame two");
    person.sees("Passphrases do not match.  Try again.");
    person.sees("(empty for no passphrase): ");
    person.types("open sesame");
    person.sees("Enter same passphrase again: ");
    person.types("open sesame");
    person.sees("+----[SHA256]-----+");
    let (code, screen) = person.ends();
    assert_eq!(code, 0);
    assert!(!screen.contains("sesame"), "a passphrase was shown: {screen}");
    assert_eq!(fs::metadata(home.path(".ssh")).unwrap().permissions().mode() & 0o7777, 0o700);
    let key = home.path(".ssh/id_ed25519");
    let opened = program("ssh-keygen").args(["-y", "-P", "open sesame", "-f"]).arg(&key).output().unwrap();
    assert_eq!(text(opened.stdout), home.read(".ssh/id_ed25519.pub"));
}

#[test]
fn overwriting_asks_and_takes_no_for_an_answer() {
    let home = Scratch::new();
    let made = nacre().args(["keygen", "-q", "-N", "", "-f"]).arg(home.path("k")).status().unwrap();
    assert!(made.success());
    let before = home.read("k");
    let mut person = Person::runs(home.root(), &["keygen", "-N", "", "-f", "k"]);
    person.sees("k already exists.\r\nOverwrite (y/n)? ");
    person.types("n");
    assert_eq!(person.ends().0, 1);
    assert_eq!(home.read("k"), before);
    let mut person = Person::runs(home.root(), &["keygen", "-N", "", "-f", "k"]);
    person.sees("Overwrite (y/n)? ");
    person.types("y");
    assert_eq!(person.ends().0, 0);
    assert_ne!(home.read("k"), before);
}

#[test]
fn changing_a_passphrase_asks_for_old_and_new() {
    let home = Scratch::new();
    let line = ["-q", "-t", "ed25519", "-N", "before", "-C", "mine", "-f"];
    assert!(program("ssh-keygen").args(line).arg(home.path("k")).status().unwrap().success());
    let mut person = Person::runs(home.root(), &["keygen", "-p", "-f", "k"]);
    person.sees("Enter passphrase for \"k\": ");
    person.types("before");
    person.sees("Key has comment 'mine'");
    person.sees("Enter new passphrase (empty for no passphrase): ");
    person.types("after");
    person.sees("Enter same passphrase again: ");
    person.types("after");
    person.sees("Your identification has been saved with the new passphrase.");
    assert_eq!(person.ends().0, 0);
    let opened = program("ssh-keygen").args(["-y", "-P", "after", "-f"]).arg(home.path("k")).output().unwrap();
    assert_eq!(text(opened.stdout), home.read("k.pub"));
}

#[test]
fn ctrl_c_at_a_prompt_changes_nothing() {
    let home = Scratch::new();
    let mut person = Person::runs(home.root(), &["keygen", "-f", "k"]);
    person.sees("(empty for no passphrase): ");
    person.presses(b"\x03");
    let (code, _) = person.ends();
    assert_eq!(code, 130);
    assert_eq!(fs::read_dir(home.root()).unwrap().count(), 0);
}

#[test]
fn a_password_is_asked_for_twice_and_not_shown() {
    let home = Scratch::new();
    let mut person = Person::runs(home.root(), &["passwd", "alice", "--state", "state"]);
    person.sees("Password for alice: ");
    person.types("fake-password-1");
    person.sees("The same again: ");
    person.types("fake-password-2");
    let (code, screen) = person.ends();
    assert_eq!(code, 1);
    assert!(screen.contains("not the same") && !screen.contains("fake-password"), "{screen}");
    assert!(!home.path("state/passwd").exists());

    let mut person = Person::runs(home.root(), &["passwd", "alice", "--state", "state"]);
    person.sees("Password for alice: ");
    person.types("fake-password-1");
    person.sees("The same again: ");
    person.types("fake-password-1");
    assert_eq!(person.ends().0, 0);
    let store = Store::open(home.path("state/passwd")).unwrap();
    assert!(store.verify("alice", "fake-password-1").unwrap());
    assert_eq!(fs::metadata(home.path("state")).unwrap().permissions().mode() & 0o7777, 0o700);
    assert_eq!(fs::metadata(home.path("state/passwd")).unwrap().permissions().mode() & 0o7777, 0o600);
}

#[test]
fn enrolling_shows_a_picture_and_wants_one_code() {
    let home = Scratch::new();
    let set = |args: &[&str]| {
        let mut person = Person::runs(home.root(), args);
        person.sees("secret: ");
        person.sees("\r\n");
        person.sees("Code that the app shows now: ");
        person
    };
    let wrong = ["passwd", "bob", "--no-password", "--totp", "--state", "state"];
    let mut person = set(&wrong);
    for _ in 0..3 {
        person.types("nonsense");
    }
    let (code, screen) = person.ends();
    assert_eq!(code, 1);
    assert!(screen.contains("otpauth://totp/Nacre:bob@") && screen.contains('█'), "{screen}");
    assert!(!home.path("state/passwd").exists(), "an unconfirmed code became compulsory");

    let mut person = Person::runs(home.root(), &wrong);
    person.sees("otpauth://");
    person.sees("secret: ");
    person.sees("Code that the app shows now: ");
    let secret = person.after("secret: ");
    let secret = data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    assert_eq!(secret.len(), 20);
    let now = SystemTime::now();
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let code = nacre_crypto::totp(&secret, seconds);
    person.types(&code);
    let (status, screen) = person.ends();
    assert_eq!(status, 0, "{screen}");
    let mut store = Store::open(home.path("state/passwd")).unwrap();
    assert_eq!(store.check_totp("bob", &code, now).unwrap(), TotpOutcome::Reused);
    let next = nacre_crypto::totp(&secret, seconds + 30);
    assert_eq!(store.check_totp("bob", &next, now).unwrap(), TotpOutcome::Accepted);
    let list = nacre().args(["passwd", "--list", "--state"]).arg(home.path("state")).output().unwrap();
    assert_eq!(text(list.stdout), "bob: no password, one-time code\n");
}
