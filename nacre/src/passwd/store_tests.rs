#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use super::*;
use nacre_crypto::{TOTP_STEP_SECONDS, totp};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

const SECRET: &[u8] = b"12345678901234567890";

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("nacre-store-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn store(&self) -> Store {
        Store::open(self.0.join("passwd")).unwrap()
    }

    fn file(&self) -> PathBuf {
        self.0.join("passwd")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The work this thread has done so far, as time on a processor.
fn thread_cpu_time() -> Duration {
    rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).try_into().unwrap()
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn passwords_are_set_checked_and_taken_away() {
    let folder = Folder::new("passwords");
    let mut store = folder.store();
    assert!(!store.verify("alice", "x").unwrap());
    store.set_password("alice", Some("correct horse")).unwrap();
    store.set_password("bob", Some("battery staple")).unwrap();
    assert!(store.verify("alice", "correct horse").unwrap());
    assert!(!store.verify("alice", "battery staple").unwrap());
    assert!(!store.verify("alice", "").unwrap());
    assert!(!store.verify("alice", &"x".repeat(MAX_PASSWORD + 1)).unwrap());
    let other = folder.store();
    store.set_password("alice", Some("new")).unwrap();
    assert!(other.verify("alice", "new").unwrap(), "a change must count at once everywhere");
    assert!(!other.verify("alice", "correct horse").unwrap());
    store.set_password("alice", None).unwrap();
    assert!(!store.verify("alice", "").unwrap() && !store.verify("alice", "new").unwrap());
    assert!(store.remove("bob").unwrap() && !store.remove("bob").unwrap());
    assert_eq!(store.records().unwrap().len(), 1);
    assert!(!fs::read_to_string(folder.file()).unwrap().contains("staple"));
}

#[test]
fn lengths_and_names_are_checked_on_the_way_in() {
    let folder = Folder::new("lengths");
    let mut store = folder.store();
    assert!(matches!(store.set_password("a", Some("")), Err(StoreError::PasswordLength)));
    assert!(matches!(store.set_password("a", Some(&"x".repeat(1025))), Err(StoreError::PasswordLength)));
    assert!(matches!(store.set_password("-a", Some("x")), Err(StoreError::Name(NameError::Dash))));
    assert!(matches!(store.set_totp("a:b", None, None), Err(StoreError::Name(NameError::Colon))));
    assert!(!folder.file().exists());
}

#[test]
fn a_code_is_taken_once() {
    let folder = Folder::new("once");
    let mut store = folder.store();
    let now = 1_000_000 * TOTP_STEP_SECONDS;
    store.set_password("alice", Some("x")).unwrap();
    assert_eq!(store.check_totp("alice", "123456", at(now)).unwrap(), TotpOutcome::NotEnrolled);
    assert_eq!(store.check_totp("nobody", "123456", at(now)).unwrap(), TotpOutcome::NotEnrolled);
    store.set_totp("alice", Some(SecretBytes::new(SECRET.to_vec())), None).unwrap();
    let code = totp(SECRET, now);
    let wrong = if code == "000000" { "000001" } else { "000000" };
    assert_eq!(store.check_totp("alice", wrong, at(now)).unwrap(), TotpOutcome::Wrong);
    assert_eq!(store.check_totp("alice", &code, at(now)).unwrap(), TotpOutcome::Accepted);
    let mut other = folder.store();
    assert_eq!(other.check_totp("alice", &code, at(now)).unwrap(), TotpOutcome::Reused);
    assert_eq!(other.check_totp("alice", &code, at(now + TOTP_STEP_SECONDS)).unwrap(), TotpOutcome::Reused);
    let earlier = totp(SECRET, now - TOTP_STEP_SECONDS);
    assert_eq!(other.check_totp("alice", &earlier, at(now)).unwrap(), TotpOutcome::Reused);
    let later = totp(SECRET, now + TOTP_STEP_SECONDS);
    assert_eq!(store.check_totp("alice", &later, at(now)).unwrap(), TotpOutcome::Accepted);
    assert!(store.verify("alice", "x").unwrap(), "the password must survive");
    store.set_password("alice", Some("y")).unwrap();
    assert_eq!(
        store.check_totp("alice", &later, at(now)).unwrap(),
        TotpOutcome::Reused,
        "a new password revives no code"
    );
}

#[test]
fn the_code_that_confirmed_the_enrolment_is_spent() {
    let folder = Folder::new("confirm");
    let mut store = folder.store();
    let step = 2_000_000;
    store.set_totp("alice", Some(SecretBytes::new(SECRET.to_vec())), Some(step)).unwrap();
    let now = step * TOTP_STEP_SECONDS;
    assert_eq!(store.check_totp("alice", &totp(SECRET, now), at(now)).unwrap(), TotpOutcome::Reused);
}

#[test]
fn many_at_once_get_one_code_through_once() {
    let folder = Folder::new("race");
    let now = 3_000_000 * TOTP_STEP_SECONDS;
    folder.store().set_totp("alice", Some(SecretBytes::new(SECRET.to_vec())), None).unwrap();
    let code = totp(SECRET, now);
    let accepted: usize = std::thread::scope(|scope| {
        let check =
            || usize::from(folder.store().check_totp("alice", &code, at(now)).unwrap() == TotpOutcome::Accepted);
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(check)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(accepted, 1);
}

#[test]
fn k02_the_file_is_private_and_an_open_one_is_refused() {
    let folder = Folder::new("private");
    let mut store = folder.store();
    store.set_password("alice", Some("x")).unwrap();
    assert_eq!(fs::metadata(folder.file()).unwrap().permissions().mode() & 0o7777, 0o600);
    for mode in [0o644, 0o640, 0o660, 0o602] {
        fs::set_permissions(folder.file(), fs::Permissions::from_mode(mode)).unwrap();
        assert!(matches!(store.verify("alice", "x"), Err(StoreError::Exposed { .. })), "{mode:o}");
        assert!(store.set_password("bob", Some("x")).is_err());
    }
    let moved = folder.0.join("moved");
    fs::rename(folder.file(), &moved).unwrap();
    fs::set_permissions(&moved, fs::Permissions::from_mode(0o600)).unwrap();
    symlink(&moved, folder.file()).unwrap();
    assert!(Store::open(folder.file()).is_err(), "a symbolic link was followed");
}

#[test]
fn a_damaged_file_says_where_and_is_not_rewritten() {
    let folder = Folder::new("damaged");
    let mut store = folder.store();
    store.set_password("alice", Some("x")).unwrap();
    let good = fs::read_to_string(folder.file()).unwrap();
    let lines = good.lines().count();
    for bad in ["bob", "alice:::", "bob::SHORT:0", "\u{0}:::"] {
        fs::write(folder.file(), format!("{good}{bad}\n")).unwrap();
        let error = Store::open(folder.file()).unwrap_err().to_string();
        assert!(error.contains(&format!("passwd:{}: ", lines + 1)), "{error}");
        assert!(store.set_password("carol", Some("x")).is_err());
        assert_eq!(fs::read_to_string(folder.file()).unwrap(), format!("{good}{bad}\n"));
    }
    fs::write(folder.file(), b"\xff\xfe").unwrap();
    assert!(Store::open(folder.file()).is_err());
}

#[test]
fn a12_unknown_names_take_as_long_as_known_ones() {
    let folder = Folder::new("time");
    let mut store = folder.store();
    store.set_password("alice", Some("x")).unwrap();
    store.verify("nobody", "warm").unwrap();
    // Work, not time on the clock: a machine that does something else meanwhile changes only the
    // latter. Without the hash that nobody needs, the two are a thousandfold apart.
    let work = |name: &str| {
        let once = |_| {
            let start = thread_cpu_time();
            assert!(!store.verify(name, "wrong").unwrap());
            thread_cpu_time() - start
        };
        (0..10).map(once).min().unwrap()
    };
    let (known, unknown) = (work("alice"), work("nobody"));
    assert!(known < unknown * 20 && unknown < known * 20, "known {known:?}, unknown {unknown:?}");
}

#[test]
fn a_password_is_changed_by_whoever_knows_it() {
    let folder = Folder::new("change");
    let mut store = folder.store();
    store.set_password("alice", Some("fake old one")).unwrap();
    store.set_totp("alice", Some(SecretBytes::new(SECRET.to_vec())), Some(7)).unwrap();
    assert!(store.expire("alice").unwrap());
    assert!(!store.expire("nobody").unwrap());
    let long = "x".repeat(MAX_PASSWORD + 1);
    for (old, new, outcome) in [
        ("wrong", "fake new one", ChangeOutcome::Wrong),
        ("", "fake new one", ChangeOutcome::Wrong),
        ("fake old one", "fake old one", ChangeOutcome::Same),
        ("fake old one", "7 bytes", ChangeOutcome::TooShort),
        ("fake old one", "\u{e4}\u{e4}\u{e4}\u{e4}", ChangeOutcome::TooShort),
        ("fake old one", &long, ChangeOutcome::TooLong),
    ] {
        assert_eq!(store.change_password("alice", old, new).unwrap(), outcome, "{old:?} to {new:.20?}");
        assert!(store.lookup("alice").unwrap().unwrap().must_change);
    }
    assert_eq!(store.change_password("nobody", "", "fake new one").unwrap(), ChangeOutcome::Wrong);
    assert_eq!(store.change_password("alice", "fake old one", "8 bytes.").unwrap(), ChangeOutcome::Changed);
    let record = store.lookup("alice").unwrap().unwrap();
    assert!(!record.must_change && record.totp.unwrap().last_step == 7);
    assert!(store.verify("alice", "8 bytes.").unwrap() && !store.verify("alice", "fake old one").unwrap());
    assert!(store.expire("alice").unwrap());
    store.set_password("alice", Some("x")).unwrap();
    assert!(!store.lookup("alice").unwrap().unwrap().must_change, "the administrator's change counts");
}
