//! Transactions with the machine's libpam and its usual modules, under rules of our own in a view of the files of our own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use nacre_sys::pam::{Answer, Message, Pam, Reason, Style, Transaction, Who};
use nacre_sys::privileges;
use nix::mount::{MsFlags, mount};
use support::root_or_say_so;

const USER: &str = "pamela";
const PASSWORD: &str = "a fake password";

/// [`PASSWORD`] by crypt(5)'s SHA-512.
const HASH: &str =
    "$6$nacretests$8VWIrgkyPvwW8z7WKPFN0yOCinZwH3cU6a/UBGKezdLQ4txlOgbcq4sBf5Iix7C7kIu.LeojE3zgS3bueX7qu.";

/// Gives this thread alone other files where PAM and the lists of accounts are: `rules` for service `nacre-test`, and
/// `shadow` as what follows the hash in the line of [`USER`]. False, said aloud, without root.
fn with_rules(test: &str, rules: &str, shadow: &str) -> bool {
    if !root_or_say_so(test) {
        return false;
    }
    // Only this thread's view changes: the other tests go on in theirs.
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
    let place = tempfile::tempdir().unwrap().keep();
    let list = |path: &str| {
        let lines = fs::read_to_string(path).unwrap();
        lines.lines().filter(|line| !line.starts_with("pamela:")).map(|line| format!("{line}\n")).collect::<String>()
    };
    let passwd = list("/etc/passwd") + &format!("{USER}:x:54322:54322::/nonexistent:/bin/sh\n");
    let shadow = list("/etc/shadow") + &format!("{USER}:{}:{shadow}\n", HASH);
    for (name, text, path) in [("passwd", passwd, "/etc/passwd"), ("shadow", shadow, "/etc/shadow")] {
        fs::write(place.join(name), text).unwrap();
        mount(Some(&place.join(name)), path, none, MsFlags::MS_BIND, none).unwrap();
    }
    mount(Some("tmpfs"), "/etc/pam.d", Some("tmpfs"), MsFlags::empty(), none).unwrap();
    fs::write("/etc/pam.d/nacre-test", rules).unwrap();
    fs::write("/etc/pam.d/other", "auth required pam_deny.so\naccount required pam_deny.so\n").unwrap();
    fs::remove_dir_all(place).unwrap();
    true
}

/// Long ago, never expiring.
const FRESH: &str = "19000:0:99999:7:::";

fn begin(user: &str) -> Transaction {
    let who = Who { service: "nacre-test", user, host: "192.0.2.7", terminal: "ssh", remote_user: None };
    Pam::load().unwrap().begin(&who).unwrap()
}

/// A conversation that notes every message and gives these answers in turn.
struct Script {
    seen: Vec<Message>,
    answers: Vec<&'static [u8]>,
}

impl Script {
    fn new(answers: &[&'static [u8]]) -> Self {
        Self { seen: Vec::new(), answers: answers.iter().rev().copied().collect() }
    }

    fn answer(&mut self, messages: &[Message]) -> Option<Vec<Answer>> {
        self.seen.extend_from_slice(messages);
        let prompts = messages.iter().filter(|message| message.is_prompt());
        prompts.map(|_| self.answers.pop().map(|answer| Answer::new(answer.to_vec()))).collect()
    }

    fn texts(&self) -> Vec<(Style, String)> {
        self.seen.iter().map(|m| (m.style, String::from_utf8(m.text.clone()).unwrap())).collect()
    }
}

fn quiet(_: &[Message]) -> Option<Vec<Answer>> {
    panic!("nothing should be asked")
}

/// Runs a test's second half in a process of its own, for what changes the whole process.
fn apart(test: &str, then: impl FnOnce()) {
    if std::env::var_os("NACRE_PAM_APART").is_some() {
        return then();
    }
    if !root_or_say_so(test) {
        return;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    let done = command.args(["--exact", test, "--nocapture"]).env("NACRE_PAM_APART", "yes").output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn the_right_password_and_only_it_is_taken() {
    let rules = "auth required pam_unix.so nodelay\naccount required pam_unix.so\n";
    if !with_rules("the_right_password_and_only_it_is_taken", rules, FRESH) {
        return;
    }
    let mut right = Script::new(&[PASSWORD.as_bytes()]);
    let mut transaction = begin(USER);
    transaction.authenticate(false, &mut |m| right.answer(m)).unwrap();
    transaction.check_account(&mut quiet).unwrap();
    assert_eq!(right.texts(), [(Style::Secret, "Password: ".to_owned())]);
    assert_eq!(transaction.user().as_deref(), Some(USER));
    for wrong in [&b"wrong"[..], b"", b"a fake passwor", b"a fake password "] {
        let error = transaction.authenticate(false, &mut |m| Script::new(&[wrong]).answer(m)).unwrap_err();
        assert_eq!(error.reason(), Reason::Denied, "{error}");
    }
    // The same transaction still takes the right one.
    let mut right = Script::new(&[PASSWORD.as_bytes()]);
    transaction.authenticate(false, &mut |m| right.answer(m)).unwrap();
}

#[test]
fn a12_a_user_that_does_not_exist_is_asked_the_same() {
    let rules = "auth required pam_unix.so\naccount required pam_unix.so\n";
    if !with_rules("a12_a_user_that_does_not_exist_is_asked_the_same", rules, FRESH) {
        return;
    }
    let attempt = |user| {
        let mut script = Script::new(&[b"wrong"]);
        let mut transaction = begin(user);
        let error = transaction.authenticate(false, &mut |m| script.answer(m)).unwrap_err();
        // The modules' two seconds are told, for the caller to wait.
        let delay = transaction.failure_delay();
        assert!((Duration::from_secs(1)..Duration::from_secs(4)).contains(&delay), "{delay:?}");
        (script.texts(), error.reason())
    };
    assert_eq!(attempt(USER), attempt("nobody-at-all"));
}

#[test]
fn answers_that_libpam_could_not_hold_break_off() {
    let rules = "auth required pam_unix.so nodelay\n";
    if !with_rules("answers_that_libpam_could_not_hold_break_off", rules, FRESH) {
        return;
    }
    let long: Vec<u8> = vec![b'x'; 512];
    let cases: [Option<Vec<Answer>>; 5] = [
        None,
        Some(vec![]),
        Some(vec![Answer::new(b"a".to_vec()), Answer::new(b"b".to_vec())]),
        Some(vec![Answer::new(b"a\0b".to_vec())]),
        Some(vec![Answer::new(long)]),
    ];
    for case in cases {
        let mut transaction = begin(USER);
        let mut asked = 0;
        let error = transaction
            .authenticate(false, &mut |_| {
                asked += 1;
                case.clone()
            })
            .unwrap_err();
        // pam_unix makes of a broken conversation what it likes; it is never a success.
        assert_ne!(error.reason(), Reason::PasswordExpired, "{error}");
        assert!(asked >= 1);
    }
    let longest: &'static [u8] = vec![b'x'; 511].leak();
    let error = begin(USER).authenticate(false, &mut |m| Script::new(&[longest]).answer(m)).unwrap_err();
    assert_eq!(error.reason(), Reason::Denied);
}

#[test]
fn a_panic_of_the_conversation_comes_out_on_our_side() {
    let rules = "auth required pam_unix.so nodelay\n";
    if !with_rules("a_panic_of_the_conversation_comes_out_on_our_side", rules, FRESH) {
        return;
    }
    let mut transaction = begin(USER);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = transaction.authenticate(false, &mut |_| panic!("in the conversation"));
    }));
    let payload = panicked.unwrap_err();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"in the conversation"));
    // The transaction is as good as before.
    let mut right = Script::new(&[PASSWORD.as_bytes()]);
    transaction.authenticate(false, &mut |m| right.answer(m)).unwrap();
}

#[test]
fn every_refusal_says_what_it_means() {
    let rules = "auth required pam_deny.so\naccount required pam_deny.so\nsession required pam_deny.so\n";
    if !with_rules("every_refusal_says_what_it_means", rules, FRESH) {
        return;
    }
    let mut transaction = begin(USER);
    let error = transaction.authenticate(false, &mut quiet).unwrap_err();
    assert_eq!(
        (error.reason(), error.to_string().as_str()),
        (Reason::Denied, "pam_authenticate: Authentication failure")
    );
    assert!(transaction.check_account(&mut quiet).is_err());
    assert!(transaction.open_session(&mut quiet).is_err());
    assert!(!transaction.has_session());
    // A service without rules falls to `other`, which denies.
    let who = Who { service: "nacre-none", user: USER, host: "", terminal: "ssh", remote_user: Some("someone") };
    let mut other = Pam::load().unwrap().begin(&who).unwrap();
    assert_eq!(other.authenticate(false, &mut quiet).unwrap_err().reason(), Reason::Denied);
    let bad = Who { user: "a\0b", ..who };
    assert!(Pam::load().unwrap().begin(&bad).is_err());
}

#[test]
fn an_account_whose_time_is_over_is_not_one_whose_password_must_go() {
    let name = "an_account_whose_time_is_over_is_not_one_whose_password_must_go";
    let rules = "account required pam_unix.so\n";
    if !with_rules(name, rules, "19000:0:99999:7::19001:") {
        return;
    }
    assert_eq!(begin(USER).check_account(&mut |_| Some(vec![])).unwrap_err().reason(), Reason::AccountExpired);
}

#[test]
fn an_expired_password_is_changed_in_the_conversation() {
    let name = "an_expired_password_is_changed_in_the_conversation";
    let rules = "auth required pam_unix.so\naccount required pam_unix.so\npassword required pam_unix.so sha512\n";
    if !with_rules(name, rules, "0:0:99999:7:::") {
        return;
    }
    let mut transaction = begin(USER);
    let mut script = Script::new(&[PASSWORD.as_bytes(), PASSWORD.as_bytes(), b"quite another 17", b"quite another 17"]);
    transaction.authenticate(false, &mut |m| script.answer(m)).unwrap();
    let error = transaction.check_account(&mut |m| script.answer(m)).unwrap_err();
    assert_eq!(error.reason(), Reason::PasswordExpired);
    // pam_unix writes a new file and renames it over the old, which a file that is mounted there does not allow: the
    // questions are what is proven here, the change itself is proven by the server's tests.
    let _ = transaction.change_expired_password(&mut |m| script.answer(m));
    let prompts: Vec<_> =
        script.texts().into_iter().filter(|(style, _)| *style == Style::Secret).map(|t| t.1).collect();
    assert_eq!(prompts, ["Password: ", "Current password: ", "New password: ", "Retype new password: "]);
}

#[test]
fn messages_keep_their_kinds() {
    let rules = "auth optional pam_echo.so first line\nauth required pam_exec.so stdout /bin/echo second line\n\
                 auth required pam_permit.so\n";
    if !with_rules("messages_keep_their_kinds", rules, FRESH) {
        return;
    }
    let mut script = Script::new(&[]);
    begin(USER).authenticate(false, &mut |m| script.answer(m)).unwrap();
    let texts = script.texts();
    assert_eq!(texts[0], (Style::Info, "first line".to_owned()), "{texts:?}");
    assert!(texts[1..].iter().any(|(style, text)| *style == Style::Info && text.contains("second line")), "{texts:?}");
}

#[test]
fn modules_see_who_comes_from_where() {
    let place = tempfile::tempdir().unwrap();
    let seen = place.path().join("seen");
    let rules = format!("account required pam_exec.so quiet log={} /usr/bin/env\n", seen.display());
    if !with_rules("modules_see_who_comes_from_where", &rules, FRESH) {
        return;
    }
    let mut transaction = begin(USER);
    transaction.put_variable("SSH_AUTH_INFO_0", "publickey fake").unwrap();
    assert!(transaction.put_variable("A=B", "c").is_err());
    assert!(transaction.put_variable("", "c").is_err());
    assert!(transaction.put_variable("A", "c\0d").is_err());
    transaction.check_account(&mut quiet).unwrap();
    let text = fs::read_to_string(seen).unwrap();
    for line in
        ["PAM_USER=pamela", "PAM_RHOST=192.0.2.7", "PAM_TTY=ssh", "PAM_TYPE=account", "SSH_AUTH_INFO_0=publickey fake"]
    {
        assert!(text.lines().any(|found| found == line), "{line} not in {text}");
    }
}

#[test]
fn variables_come_back() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("environment");
    fs::write(&file, "FROM_PAM=a b=c\nEMPTY=\nPATH=/from/pam\n").unwrap();
    let rules = format!("session required pam_env.so conffile=/dev/null envfile={}\n", file.display());
    if !with_rules("variables_come_back", &rules, FRESH) {
        return;
    }
    let mut transaction = begin(USER);
    transaction.open_session(&mut quiet).unwrap();
    let variables = transaction.variables();
    let find = |name: &str| variables.iter().find(|(known, _)| known.as_os_str() == name).map(|(_, v)| v.clone());
    assert_eq!(find("FROM_PAM"), Some("a b=c".into()), "{variables:?}");
    assert_eq!(find("PATH"), Some("/from/pam".into()), "{variables:?}");
}

#[test]
fn one_session_is_opened_and_closed_once_however_it_ends() {
    let place = tempfile::tempdir().unwrap();
    let log = place.path().join("log");
    let script = place.path().join("note");
    fs::write(&script, format!("#!/bin/sh\necho $PAM_TYPE >> {}\n", log.display())).unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let rules = format!("auth required pam_permit.so\nsession required pam_exec.so quiet {}\n", script.display());
    if !with_rules("one_session_is_opened_and_closed_once_however_it_ends", &rules, FRESH) {
        return;
    }
    let read = || fs::read_to_string(&log).unwrap_or_default();
    let mut transaction = begin(USER);
    transaction.open_session(&mut quiet).unwrap();
    assert!(transaction.open_session(&mut quiet).is_err());
    transaction.close().unwrap();
    transaction.close().unwrap();
    drop(transaction);
    assert_eq!(read(), "open_session\nclose_session\n");
    let mut dropped = begin(USER);
    dropped.open_session(&mut quiet).unwrap();
    drop(dropped);
    assert_eq!(read(), "open_session\nclose_session\nopen_session\nclose_session\n");
    drop(begin(USER));
    assert_eq!(read().lines().count(), 4);
}

#[test]
fn limits_of_a_session_reach_what_is_started_and_win_over_ours() {
    let test = "limits_of_a_session_reach_what_is_started_and_win_over_ours";
    apart(test, || {
        let place = tempfile::tempdir().unwrap();
        let limits = place.path().join("limits");
        fs::write(&limits, format!("{USER} soft nofile 333\n{USER} hard nofile 444\n{USER} hard nproc 555\n")).unwrap();
        let rules = format!(
            "session required pam_limits.so conf={}\nsession optional pam_umask.so umask=0037\n",
            limits.display()
        );
        assert!(with_rules(test, &rules, FRESH));
        let before = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        privileges::raise_open_files().unwrap();
        privileges::restore_open_files().unwrap();
        assert_eq!(rustix::process::getrlimit(rustix::process::Resource::Nofile), before);
        let mut transaction = begin(USER);
        transaction.open_session(&mut quiet).unwrap();
        let (status, text) = support::run("ulimit -Sn; ulimit -Hn; umask; grep processes /proc/self/limits", |_| {});
        let words: Vec<_> = text.split_whitespace().collect();
        // The last line is `Max processes`, the soft and the hard limit, `processes`.
        assert_eq!((&words[..3], words[6]), (&["333", "444", "0037"][..], "555"), "{status:?} {text}");
    });
}

#[test]
fn groups_that_modules_add_are_found_and_not_kept() {
    let test = "groups_that_modules_add_are_found_and_not_kept";
    apart(test, || {
        assert!(with_rules(test, "auth required pam_permit.so\nauth optional pam_group.so\n", FRESH));
        let own = rustix::process::getgroups().unwrap();
        let mut conf = tempfile::NamedTempFile::new().unwrap();
        writeln!(conf, "nacre-test;*;{USER};Al0000-2400;games").unwrap();
        let none = None::<&str>;
        mount(Some(conf.path()), "/etc/security/group.conf", none, MsFlags::MS_BIND, none).unwrap();
        let games = nacre_sys::account::group_id("games").unwrap().unwrap();
        let mut groups = begin(USER).establish_credentials(&[54322], &mut quiet).unwrap();
        groups.sort_unstable();
        assert_eq!(groups, [games, 54322]);
        assert_eq!(rustix::process::getgroups().unwrap(), own);
    });
}

#[test]
fn without_libpam_the_error_says_what_to_do() {
    // A view of the files without the library, in a process of its own, which has not loaded it yet.
    if !root_or_say_so("without_libpam_the_error_says_what_to_do") {
        return;
    }
    if std::env::var_os("NACRE_PAM_MISSING").is_some() {
        let error = Pam::load().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        let text = error.to_string();
        assert!(text.contains("libpam.so.0") && text.contains("libpam0g") && text.contains("UsePAM no"), "{text}");
        return;
    }
    let script = "for f in /lib/*/libpam.so.0 /usr/lib/*/libpam.so.0 /lib64/libpam.so.0; do \
                  [ ! -e $f ] || mount --bind /dev/null $f; done; exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", "without_libpam_the_error_says_what_to_do", "--nocapture"]);
    let done = command.env("NACRE_PAM_MISSING", "yes").stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
}
