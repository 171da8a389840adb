//! `UsePAM yes`, with OpenSSH's client, the machine's libpam and rules of our own in a copy of /etc: who gets in, what
//! is asked, and what a session finds. Only root can have that view, and not in every container.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "common/accounts.rs"]
mod accounts;
mod common;
#[path = "common/serve.rs"]
mod serve;

use accounts::{Accounts, GUEST, PASSWORD, Serves, Setup, hash, possible};
use common::{nacre, program};
use serve::{Done, eventually, finish, is_alive, send};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Rules that do what Debian's do, without a machine's own affairs.
const UNIX: &str = "auth required pam_unix.so nodelay\naccount required pam_unix.so\n\
    password required pam_unix.so sha512\nsession required pam_unix.so\n";
/// The guest's line of shadow(5) with a password that is in order, and with one whose time is over.
const FRESH: &str = "19000:0:99999:7:::";
const OVER: &str = "0:0:99999:7:::";
/// A program that notes what it is called for, and by whom.
const NOTE: &str = "#!/bin/sh\necho \"$PAM_TYPE $PAM_USER $PAM_RHOST $PAM_TTY $PPID $SSH_CONNECTION\" >>PLACE/noted\n";

/// A server that asks PAM by `rules`, and with more lines of configuration.
fn server(rules: &str, config: &str) -> Accounts {
    prepared(rules, FRESH).config(&format!("UsePAM yes\nPerSourcePenalties no\n{config}")).start()
}

/// A copy of /etc with these rules for `sshd`; `PLACE` in them is the test's folder.
fn prepared(rules: &str, shadow: &str) -> Setup {
    let setup = Setup::new(Serves::Machine).shadow(&format!("{}:{shadow}", hash(PASSWORD)));
    let place = setup.place.root().display().to_string();
    let done = finish(program("cp").args(["-a", "/etc"]).arg(setup.place.path("etc")), b"");
    assert_eq!(done.code, 0, "{}", done.err);
    setup.place.write("etc/pam.d/sshd", &rules.replace("PLACE", &place));
    let note = setup.place.write("note", &NOTE.replace("PLACE", &place));
    std::fs::set_permissions(note, std::fs::Permissions::from_mode(0o755)).unwrap();
    setup
}

fn noted(server: &Accounts) -> String {
    std::fs::read_to_string(server.place.path("noted")).unwrap_or_default()
}

fn by_password(server: &Accounts, user: &str, password: &str) -> Done {
    let more = ["-o", "PreferredAuthentications=password"];
    finish(server.answering(user, &[("*", password)], &more).arg("id -un"), b"")
}

fn by_questions(server: &Accounts, user: &str, answers: &[(&str, &str)]) -> Done {
    let more = ["-o", "PreferredAuthentications=keyboard-interactive", "-o", "LogLevel=INFO"];
    finish(server.answering(user, answers, &more).arg("id -un"), b"")
}

#[track_caller]
fn is_in(done: &Done) {
    assert_eq!((done.code, done.out.trim()), (0, GUEST), "{}", done.err);
}

#[track_caller]
fn is_out(done: &Done) {
    assert_eq!((done.code, done.out.trim()), (255, ""), "{}", done.err);
}

#[test]
fn pam_judges_passwords_by_either_method() {
    if !possible() {
        return;
    }
    let server = server(UNIX, "");
    is_in(&by_password(&server, GUEST, PASSWORD));
    is_in(&by_questions(&server, GUEST, &[("*assword:*", PASSWORD)]));
    for wrong in ["wrong", "", "fake horse batter"] {
        is_out(&by_password(&server, GUEST, wrong));
        is_out(&by_questions(&server, GUEST, &[("*", wrong)]));
    }
    for nobody in ["no-such-user", "../../etc/passwd", "daemon"] {
        is_out(&by_password(&server, nobody, PASSWORD));
        is_out(&by_questions(&server, nobody, &[("*", PASSWORD)]));
    }
    // Root may not use a password, PAM or not.
    is_out(&by_password(&server, "root", PASSWORD));
    is_in(&server.run(GUEST, "id -un"));
}

#[test]
fn without_password_authentication_pam_still_asks_questions() {
    if !possible() {
        return;
    }
    let server = server(UNIX, "PasswordAuthentication no\nKbdInteractiveAuthentication yes");
    is_out(&by_password(&server, GUEST, PASSWORD));
    is_in(&by_questions(&server, GUEST, &[("*", PASSWORD)]));
    assert!(server.asked().contains("Password:"), "{}", server.asked());
}

#[test]
fn a12_a_stranger_is_asked_the_same_and_waits_as_long() {
    if !possible() {
        return;
    }
    // With the modules' own wait after a failure.
    let server = server(&UNIX.replace(" nodelay", ""), "");
    let attempt = |user: &str| {
        let before = server.asked().len();
        let start = Instant::now();
        is_out(&by_questions(&server, user, &[("*", "wrong")]));
        let asked = server.asked()[before..].replace(user, "USER");
        (asked, start.elapsed())
    };
    let (known, known_time) = attempt(GUEST);
    let (unknown, unknown_time) = attempt("no-such-user");
    assert_eq!(known, unknown);
    // The wait is 2 seconds give or take a quarter.
    for time in [known_time, unknown_time] {
        assert!(time > Duration::from_millis(1400) && time < Duration::from_secs(30), "{time:?}");
    }
}

#[test]
fn an_account_that_pam_refuses_gets_in_by_no_method() {
    if !possible() {
        return;
    }
    let rules = format!("{UNIX}account required pam_succeed_if.so quiet user != {GUEST}\n");
    let server = server(&rules, "");
    is_out(&server.run(GUEST, "id -un"));
    is_out(&by_password(&server, GUEST, PASSWORD));
    is_out(&by_questions(&server, GUEST, &[("*", PASSWORD)]));
    server.logs("PAM refuses the account");
    let lines = server.log().lines().filter(|line| line.contains("PAM refuses the account")).count();
    assert_eq!(lines, 3, "{}", server.log());
    assert!(!server.log().contains("Accepted"), "{}", server.log());
}

#[test]
fn pam_says_which_account_is_over_and_which_is_locked() {
    if !possible() {
        return;
    }
    let over = prepared(UNIX, "19000:0:99999:7::19001:").config("UsePAM yes").start();
    is_out(&over.run(GUEST, "id -un"));
    over.logs("PAM refuses the account");
    // As with OpenSSH: a locked password is no password, and PAM's rules say nothing of keys.
    let mut locked = prepared(UNIX, FRESH).config("UsePAM yes");
    locked.shadow = format!("!{}", locked.shadow);
    let locked = locked.start();
    is_in(&locked.run(GUEST, "id -un"));
    is_out(&by_password(&locked, GUEST, PASSWORD));
    let mut without = prepared(UNIX, FRESH).config("UsePAM no");
    without.shadow = format!("!{}", without.shadow);
    is_out(&without.start().run(GUEST, "id -un"));
}

#[test]
fn an_account_without_a_password_needs_pam_s_consent_too() {
    if !possible() {
        return;
    }
    for (rules, config, gets_in) in [
        (UNIX.replace("nodelay", "nodelay nullok"), "PermitEmptyPasswords yes", true),
        (UNIX.to_owned(), "PermitEmptyPasswords yes", false),
        (UNIX.replace("nodelay", "nodelay nullok"), "PermitEmptyPasswords no", false),
        (format!("{UNIX}account required pam_deny.so\n"), "PermitEmptyPasswords yes", false),
    ] {
        let mut setup = prepared(&rules, FRESH).config(&format!("UsePAM yes\nPerSourcePenalties no\n{config}"));
        setup.shadow = format!(":{FRESH}");
        let server = setup.start();
        let more = ["-o", "BatchMode=yes", "-o", "PubkeyAuthentication=no", "-l", GUEST, "127.0.0.1", "id -un"];
        let done = finish(server.ssh(&[]).args(more), b"");
        if gets_in {
            is_in(&done)
        } else {
            is_out(&done)
        }
        let by_empty = by_password(&server, GUEST, "");
        if gets_in { is_in(&by_empty) } else { is_out(&by_empty) }
    }
}

/// A module that asks two questions at once, one of which may be seen, after something to read.
const TWO: &str = r#"
struct message { int style; const char *text; };
struct response { char *text; int code; };
struct conversation { int (*talk)(int, const struct message **, struct response **, void *); void *data; };
int pam_get_item(const void *, int, const void **);
int strcmp(const char *, const char *);
int pam_sm_setcred(void *h, int f, int c, const char **v) { return 0; }
int pam_sm_authenticate(void *h, int f, int c, const char **v) {
    const struct conversation *conversation;
    struct message a = {4, "Two questions follow."}, b = {1, "Secret: "}, d = {2, "Colour: "};
    const struct message *all[3] = {&a, &b, &d};
    struct response *answers;
    if (pam_get_item(h, 5, (const void **)&conversation) || !conversation) return 4;
    if (conversation->talk(3, all, &answers, conversation->data)) return 19;
    if (answers[0].text || !answers[1].text || !answers[2].text) return 4;
    if (!strcmp(answers[1].text, "fake secret") && !strcmp(answers[2].text, "blue")) return 0;
    struct message no = {3, "Neither secret nor blue."};
    const struct message *one[1] = {&no};
    conversation->talk(1, one, &answers, conversation->data);
    return 7;
}
"#;

#[test]
fn several_questions_of_one_round_reach_the_client_and_come_back_in_order() {
    if !possible() {
        return;
    }
    let rules = "auth required PLACE/two.so\nauth required pam_unix.so nodelay\naccount required pam_permit.so\n";
    let setup = prepared(rules, FRESH);
    let source = setup.place.write("two.c", TWO);
    let mut cc = program("cc");
    cc.args(["-shared", "-fPIC", "-w", "-o"]).arg(setup.place.path("two.so")).arg(source);
    let done = finish(cc.arg("-l:libpam.so.0"), b"");
    assert_eq!(done.code, 0, "{}", done.err);
    let server = setup.config("UsePAM yes\nPerSourcePenalties no").start();
    let right = [("*Secret*", "fake secret"), ("*Colour*", "blue"), ("*assword*", PASSWORD)];
    let done = by_questions(&server, GUEST, &right);
    is_in(&done);
    assert!(done.err.contains("Two questions follow."), "{}", done.err);
    let done = by_questions(&server, GUEST, &[("*Secret*", "blue"), ("*Colour*", "fake secret"), right[2]]);
    is_out(&done);
    assert!(done.err.contains("Neither secret nor blue."), "{}", done.err);
    // A password answers what must not be seen, and nothing else.
    is_out(&by_password(&server, GUEST, "fake secret"));
}

#[test]
fn a_password_whose_time_is_over_is_changed_before_anything_else() {
    if !possible() {
        return;
    }
    const NEW: &str = "quite another 17";
    let server = prepared(UNIX, OVER).config("UsePAM yes\nPerSourcePenalties no").start();
    // Where nothing can be asked there is one session, to change it.
    for done in [server.run(GUEST, "id -un"), by_password(&server, GUEST, PASSWORD)] {
        assert!(done.code != 0 && done.out.is_empty() && done.err.contains("password has expired"), "{}", done.err);
    }
    // Two that differ change nothing.
    let wrong = [("*urrent*", PASSWORD), ("*ew?password*", NEW), ("*etype*", "something else"), ("*", PASSWORD)];
    is_out(&by_questions(&server, GUEST, &[wrong[0], wrong[2], wrong[1], wrong[3]]));
    let right = [("*urrent*", PASSWORD), ("*ew?password*", NEW), ("*", PASSWORD)];
    is_in(&by_questions(&server, GUEST, &right));
    let asked = server.asked();
    for question in ["Current password:", "New password:", "Retype new password:"] {
        assert!(asked.contains(question), "{asked}");
    }
    is_in(&by_password(&server, GUEST, NEW));
    is_out(&by_password(&server, GUEST, PASSWORD));
    is_in(&server.run(GUEST, "id -un"));
}

#[test]
fn what_modules_set_reaches_the_user_s_processes() {
    if !possible() {
        return;
    }
    let session = "session required pam_limits.so conf=PLACE/limits\nsession optional pam_umask.so umask=0037\n\
        session required pam_env.so conffile=/dev/null envfile=PLACE/variables\n";
    let setup = prepared(&format!("{UNIX}{session}"), FRESH);
    let limits = format!("{GUEST} soft nofile 333\n{GUEST} hard nofile 444\n{GUEST} hard nproc 555\n");
    setup.place.write("limits", &limits);
    setup.place.write(
        "variables",
        "FROM_PAM=a b\nPATH=/from/pam:/usr/bin:/bin\nCHOSEN=pam\nSSH_CLIENT=faked\nSSH_CONNECTION=faked\nTERM=faked\n",
    );
    let server = setup.config("UsePAM yes\nSetEnv CHOSEN=server").start();
    let done = server.run(GUEST, "ulimit -Sn; ulimit -Hn; umask; grep processes /proc/self/limits; id");
    let words: Vec<_> = done.out.split_whitespace().collect();
    assert_eq!((&words[..3], words[6]), (&["333", "444", "0037"][..], "555"), "{} {}", done.out, done.err);
    assert!(done.out.contains("uid=54322(nacreguest) gid=54322 groups=54322\n"), "{}", done.out);
    let done = server.run(GUEST, "env");
    let has = |line: &str| done.out.lines().any(|found| found == line);
    assert!(has("FROM_PAM=a b") && has("PATH=/from/pam:/usr/bin:/bin") && has("CHOSEN=server"), "{}", done.out);
    // What the server alone knows is not PAM's to say, and what PAM was told is not the user's to read.
    assert!(!done.out.contains("SSH_CLIENT=faked") && !done.out.contains("SSH_CONNECTION=faked"), "{}", done.out);
    assert!(!done.out.contains("SSH_AUTH_INFO"), "{}", done.out);
}

/// The lines for sessions that were noted, without what differs from run to run.
fn sessions(server: &Accounts) -> Vec<String> {
    let kinds = |line: &str| line.split_whitespace().next().unwrap_or_default().to_owned();
    noted(server).lines().map(kinds).filter(|kind| kind.ends_with("session")).collect()
}

const NOTING: &str = "auth required pam_permit.so\naccount required pam_permit.so\n\
    session required pam_exec.so quiet PLACE/note\n";

/// A session that lasts until it is ended.
fn lasting(server: &Accounts) -> Child {
    let mut ssh = server.with_key(GUEST, &[]);
    ssh.arg("echo in; exec sleep 60").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    ssh.spawn().unwrap()
}

/// The monitor of the only connection.
fn monitor(server: &Accounts) -> u32 {
    eventually("an open session", || sessions(server).last().is_some_and(|kind| kind == "open_session"));
    noted(server).lines().last().unwrap().split_whitespace().nth(4).unwrap().parse().unwrap()
}

fn children(pid: u32) -> Vec<u32> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

#[test]
fn a_connection_s_session_opens_and_closes_once() {
    if !possible() {
        return;
    }
    let server = server(NOTING, "");
    // Two sessions and more of one connection.
    let path = server.place.path("master").display().to_string();
    let master = ["-o", "ControlMaster=auto", "-o", &format!("ControlPath={path}"), "-o", "ControlPersist=60"];
    for _ in 0..3 {
        is_in(&finish(server.with_key(GUEST, &master).arg("id -un"), b""));
    }
    assert_eq!(sessions(&server), ["open_session"]);
    let text = noted(&server);
    assert!(text.starts_with(&format!("open_session {GUEST} 127.0.0.1 ssh ")), "{text}");
    assert!(text.contains(" 127.0.0.1 "), "{text}");
    let monitor = monitor(&server);
    let _ = finish(server.ssh(&master).args(["-O", "exit", "-l", GUEST, "127.0.0.1"]), b"");
    eventually("the session's end", || sessions(&server).len() == 2);
    assert_eq!(sessions(&server), ["open_session", "close_session"]);
    eventually("the monitor's end", || !Path::new(&format!("/proc/{monitor}")).exists());
}

#[test]
fn a_session_is_closed_however_the_connection_ends() {
    if !possible() {
        return;
    }
    let server = server(NOTING, "");
    // The client is gone without a word.
    let mut client = lasting(&server);
    let first = monitor(&server);
    client.kill().unwrap();
    client.wait().unwrap();
    eventually("the session's end", || sessions(&server).len() == 2);
    eventually("the monitor's end", || !is_alive(first));
    // The process that runs the protocol is gone.
    let mut client = lasting(&server);
    let second = monitor(&server);
    let net = children(second)
        .into_iter()
        .find(|pid| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default().starts_with(b"nacre: net"));
    send(net.unwrap(), "KILL");
    client.wait().unwrap();
    eventually("the session's end", || sessions(&server).len() == 4);
    assert_eq!(sessions(&server), ["open_session", "close_session", "open_session", "close_session"]);
    eventually("the monitor's end", || !Path::new(&format!("/proc/{second}")).exists());
}

#[test]
fn no_session_without_pam_s_consent() {
    if !possible() {
        return;
    }
    let server =
        server("auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_deny.so\n", "");
    let done = server.run(GUEST, "echo in");
    assert!(done.code != 0 && done.out.is_empty(), "{}", done.out);
    server.logs("pam_open_session");
}

#[test]
fn what_modules_say_stands_before_the_shell() {
    if !possible() {
        return;
    }
    let setup = prepared(&format!("{UNIX}session optional pam_motd.so motd=PLACE/today noupdate\n"), FRESH);
    setup.place.write("today", "read by everybody\n");
    let server = setup.config("UsePAM yes").start();
    let mut ssh = server.with_key(GUEST, &[]);
    let done = finish(ssh.args(["-tt"]), b"echo here; exit\n");
    let at = |text: &str| done.out.find(text).unwrap_or_else(|| panic!("no {text:?} in {}", done.out));
    assert!(at("read by everybody") < at("here"), "{}", done.out);
    assert!(!server.run(GUEST, "true").out.contains("everybody"));
}

#[test]
fn pam_nologin_alone_closes_logins() {
    if !possible() {
        return;
    }
    let closing = prepared(&format!("account required pam_nologin.so\n{UNIX}"), FRESH);
    closing.place.write("etc/nologin", "closed for the night\n");
    let closing = closing.config("UsePAM yes").start();
    is_out(&closing.run(GUEST, "id -un"));
    let open = prepared(UNIX, FRESH);
    open.place.write("etc/nologin", "closed for the night\n");
    let open = open.config("UsePAM yes").start();
    is_in(&open.run(GUEST, "id -un"));
}

#[test]
fn the_rules_are_found_by_the_service_s_name() {
    if !possible() {
        return;
    }
    let deny = "auth required pam_deny.so\naccount required pam_deny.so\n";
    let own = prepared(deny, FRESH);
    own.place.write("etc/pam.d/nacre", UNIX);
    is_in(&own.config("UsePAM yes").start().run(GUEST, "id -un"));
    let named = prepared(deny, FRESH);
    named.place.write("etc/pam.d/another", UNIX);
    let named = named.config(&format!("UsePAM yes\nMatch User {GUEST}\nPAMServiceName another")).start();
    is_in(&named.run(GUEST, "id -un"));
    is_in(&by_password(&named, GUEST, PASSWORD));
    // Without rules of its own a service has those of `other`.
    let none = prepared(UNIX, FRESH);
    none.place.write("etc/pam.d/other", deny);
    let none = none.config("UsePAM yes\nPAMServiceName unheard-of").start();
    is_out(&none.run(GUEST, "id -un"));
}

#[test]
fn two_factors_are_a_key_and_pam_s_questions() {
    if !possible() {
        return;
    }
    let server = server(
        &format!("auth required pam_exec.so quiet log=PLACE/seen /usr/bin/env\n{UNIX}"),
        "AuthenticationMethods publickey,keyboard-interactive",
    );
    is_out(&server.run(GUEST, "id -un"));
    is_out(&by_questions(&server, GUEST, &[("*", PASSWORD)]));
    let both = |password: &str| {
        let more = ["-o", "PubkeyAuthentication=yes", "-i", &server.place.path("id").display().to_string()];
        finish(server.answering(GUEST, &[("*", password)], &more).arg("id -un"), b"")
    };
    is_out(&both("wrong"));
    is_in(&both(PASSWORD));
    // Modules can tell that a key was there first.
    assert!(
        server.place.read("seen").contains("SSH_AUTH_INFO_0=publickey ssh-ed25519 "),
        "{}",
        server.place.read("seen")
    );
}

#[test]
fn a_person_who_does_not_answer_is_waited_for_until_the_login_s_time_is_over() {
    if !possible() {
        return;
    }
    let rules = format!("{UNIX}session required pam_exec.so quiet PLACE/note\n");
    let server = server(&rules, "LoginGraceTime 2\nPasswordAuthentication no");
    let start = Instant::now();
    let mut slow = server.answering(GUEST, &[("*", "'; sleep 8; echo '")], &[]);
    let done = finish(slow.arg("id -un"), b"");
    is_out(&done);
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    server.logs("timed out: login not finished");
    assert!(!server.log().contains("error:"), "{}", server.log());
    assert_eq!(noted(&server), "");
    // Whoever comes next is served, if the machine lets them be quick enough.
    eventually("a login", || by_questions(&server, GUEST, &[("*", PASSWORD)]).code == 0);
}

#[test]
fn the_server_says_at_its_start_why_pam_cannot_be_used() {
    let place = common::Scratch::new();
    let config = place.write("config", "UsePAM yes\n");
    let mut user = nacre();
    user.args(["serve", "--user-mode", "-t", "--state"]).arg(place.path("state")).arg("-f").arg(&config);
    let done = finish(&mut user, b"");
    assert!(done.code == 255 && done.err.contains("UsePAM yes: only a server that root runs"), "{}", done.err);
    if !possible() {
        return;
    }
    let script = "for f in /lib/*/libpam.so.0 /usr/lib/*/libpam.so.0 /lib64/libpam.so.0; do \
                  [ ! -e $f ] || mount --bind /dev/null $f; done; exec \"$@\"";
    let mut without = program("unshare");
    without.args(["--mount", "sh", "-c", script, "sh"]).arg(nacre().get_program());
    without.args(["serve", "-t", "--state"]).arg(place.path("state")).arg("-f").arg(&config);
    let done = finish(&mut without, b"");
    assert!(done.code == 255 && done.err.contains("libpam.so.0") && done.err.contains("libpam0g"), "{}", done.err);
}
