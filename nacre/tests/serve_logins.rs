//! Who gets in to `nacre serve`, and who does not: keys, passwords, one-time codes, names, Match.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/serve.rs"]
mod serve;

use common::{Scratch, program};
use serve::{Done, Server, code_now, finish};

const PASSWORD: &[&str] = &["-o", "PreferredAuthentications=password", "-o", "PubkeyAuthentication=no"];
const INTERACTIVE: &[&str] = &["-o", "PreferredAuthentications=keyboard-interactive", "-o", "PubkeyAuthentication=no"];

/// Logs in by answering prompts, and runs a command that proves it.
fn answer(server: &Server, user: &str, password: &str, code: &str, more: &[&str]) -> Done {
    finish(server.ssh_answering(user, password, code, more).arg("echo in as $USER by ${SSH_CLIENT% *}"), b"")
}

fn is_in(done: &Done) -> bool {
    done.code == 0 && done.out.starts_with("in as ")
}

fn with_key(server: &Server) -> Vec<String> {
    vec!["-i".into(), server.place.path("id").display().to_string()]
}

fn texts(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}

#[test]
fn names_of_the_password_file_log_in_by_password() {
    let server = Server::start("");
    server.add("alice", "fake horse");
    for way in [PASSWORD, INTERACTIVE] {
        assert!(is_in(&answer(&server, "alice", "fake horse", "", way)), "{}", server.log());
        for wrong in ["fake hors", "fake horse ", "", "Fake horse", &"x".repeat(1025), &"x".repeat(60_000)] {
            assert!(!is_in(&answer(&server, "alice", wrong, "", way)), "{wrong:?}");
        }
        assert!(!is_in(&answer(&server, "bob", "fake horse", "", way)));
        assert!(!is_in(&answer(&server, &server.user, "fake horse", "", way)));
    }
    let mut sshpass = program("sshpass");
    sshpass.args(["-p", "fake horse", "ssh", "-F", "none", "-o", "StrictHostKeyChecking=no", "-o"]);
    sshpass.arg(format!("UserKnownHostsFile={}", server.place.path("known").display()));
    sshpass.args(PASSWORD).args(["-p", &server.port.to_string(), "alice@127.0.0.1", "echo in as $USER"]);
    assert!(is_in(&finish(&mut sshpass, b"")));
    server.logs("Failed password for invalid user bob from 127.0.0.1");
    server.logs("Accepted password for alice from 127.0.0.1");
    // The account's key is not the key of every name that runs as the account.
    let key = with_key(&server);
    let more = [&texts(&key)[..], &["-o", "BatchMode=yes"]].concat();
    assert!(!is_in(&answer(&server, "alice", "", "", &more)));
    assert!(is_in(&answer(&server, &server.user, "", "", &more)));
}

#[test]
fn a_code_is_wanted_after_any_first_factor_and_only_once() {
    let server = Server::start("");
    server.add("alice", "fake horse");
    server.enrol("alice");
    let second = ["-o", "PreferredAuthentications=password,keyboard-interactive", "-o", "PubkeyAuthentication=no"];
    assert!(!is_in(&answer(&server, "alice", "fake horse", "000000", &second)));
    assert!(!is_in(&answer(&server, "alice", "fake horse", "", PASSWORD)), "a password alone");
    let code = code_now();
    assert!(!is_in(&answer(&server, "alice", "wrong", &code, INTERACTIVE)), "a code alone");
    let code = code_now();
    assert!(is_in(&answer(&server, "alice", "fake horse", &code, &second)), "{}", server.log());
    assert!(!is_in(&answer(&server, "alice", "fake horse", &code, &second)), "the same code again");
    assert!(!is_in(&answer(&server, "alice", "fake horse", &code, INTERACTIVE)), "the same code again");
    server.logs("one-time code of alice was used before");
}

#[test]
fn a_key_and_a_code() {
    let server = Server::start("");
    server.enrol(&server.user);
    let key = with_key(&server);
    let alone = [&texts(&key)[..], &["-o", "PreferredAuthentications=publickey"]].concat();
    let both = [&texts(&key)[..], &["-o", "PreferredAuthentications=publickey,keyboard-interactive"]].concat();
    assert!(!is_in(&answer(&server, &server.user, "", "", &alone)), "a key alone");
    assert!(!is_in(&answer(&server, &server.user, "", "123", &both)));
    let code = code_now();
    assert!(!is_in(&answer(&server, &server.user, "", &code, INTERACTIVE)), "a code alone");
    let code = code_now();
    assert!(is_in(&answer(&server, &server.user, "", &code, &both)), "{}", server.log());
    assert!(!is_in(&answer(&server, &server.user, "", &code, &both)), "the same code again");
}

#[test]
fn a09_authentication_methods_in_their_order_and_the_keys_command_stays() {
    let server = Server::start("AuthenticationMethods publickey,password");
    server.add(&server.user, "fake horse");
    let key = with_key(&server);
    let both = texts(&key);
    assert!(is_in(&answer(&server, &server.user, "fake horse", "", &both)), "{}", server.log());
    assert!(!is_in(&answer(&server, &server.user, "wrong", "", &both)));
    let alone = [&both[..], &["-o", "BatchMode=yes"]].concat();
    assert!(!is_in(&answer(&server, &server.user, "", "", &alone)), "a key alone");
    assert!(!is_in(&answer(&server, &server.user, "fake horse", "", PASSWORD)), "a password alone");
    let line = format!("command=\"echo forced $SSH_ORIGINAL_COMMAND\" {}", server.place.read("id.pub"));
    server.place.write("keys", &line);
    let done = answer(&server, &server.user, "fake horse", "", &both);
    assert_eq!(done.out, "forced echo in as $USER by ${SSH_CLIENT% *}\n", "{}", done.err);
}

#[test]
fn p02_failed_attempts_end_the_connection() {
    let server = Server::start("MaxAuthTries 2");
    server.add("alice", "fake horse");
    let tries = [PASSWORD, &["-o", "NumberOfPasswordPrompts=9", "-v"]].concat();
    // The first value counts, so ask for more attempts before our own options are given.
    let mut ssh = server.ssh_answering("alice", "wrong", "", &tries);
    let mut again = program("ssh");
    again.arg("-oNumberOfPasswordPrompts=9").args(ssh.get_args());
    for (name, value) in ssh.get_envs() {
        again.env(name, value.unwrap());
    }
    ssh = again;
    let done = finish(&mut ssh, b"");
    assert_eq!(done.code, 255);
    server.logs("[preauth]");
    assert_eq!(server.log().matches("Failed password for alice").count(), 2, "{}", server.log());
    assert!(done.err.contains("Too many authentication failures") || done.err.contains("too many"), "{}", done.err);
}

#[test]
fn what_the_options_of_a_key_allow() {
    let server = Server::start("");
    let key = server.place.read("id.pub");
    let with = |options: &str| {
        server.place.write("keys", &format!("{options} {key}"));
        finish(server.ssh(&[]).arg("echo in as $USER"), b"")
    };
    assert!(is_in(&with("")));
    let done = with("command=\"echo forced; echo $SSH_ORIGINAL_COMMAND\"");
    assert_eq!(done.out, "forced\necho in as $USER\n");
    assert!(is_in(&with("from=\"127.0.0.1\"")) && is_in(&with("from=\"10.0.0.1,127.0.0.0/8\"")));
    assert!(!is_in(&with("from=\"10.0.0.1\"")) && !is_in(&with("from=\"!127.0.0.1,*\"")));
    server.logs("keys:1: key not permitted from 127.0.0.1");
    assert!(is_in(&with("expiry-time=\"29990101Z\"")) && !is_in(&with("expiry-time=\"20000101Z\"")));
    server.logs("keys:1: key expired");
    for bad in ["no-such-option", "command=\"x", "expiry-time=\"soon\"", "restrict,pty=yes"] {
        assert!(!is_in(&with(bad)), "{bad}");
    }
    server.logs("keys:1: line refused");
    for (options, tty) in [("", true), ("no-pty", false), ("restrict", false), ("restrict,pty", true)] {
        server.place.write("keys", &format!("{options} {key}"));
        let done = finish(server.ssh(&["-tt"]).arg("test -t 0 && echo a tty || echo no tty"), b"");
        assert_eq!(done.out.starts_with("a tty"), tty, "{options}: {done:?}");
    }
}

#[test]
fn a17_a_fifo_or_a_device_as_key_file_holds_nobody_up() {
    let server = Server::start("");
    let keys = server.place.path("keys");
    std::fs::remove_file(&keys).unwrap();
    assert_eq!(finish(program("mkfifo").arg(&keys), b"").code, 0);
    assert!(!is_in(&server.run("echo in as $USER")));
    server.logs("not a regular file");
    std::fs::remove_file(&keys).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &keys).unwrap();
    assert!(!is_in(&server.run("echo in as $USER")));
    std::fs::remove_file(&keys).unwrap();
    let key = server.place.read("id.pub");
    server.place.write("keys", &format!("{}{key}", "# filler\n".repeat(200_000)));
    assert!(!is_in(&server.run("echo in as $USER")), "a file of more than 1 MiB");
    server.place.write("keys", &format!("# {}{key}", "x".repeat(9000)));
    assert!(!is_in(&server.run("echo in as $USER")), "the rest of a long line is no line");
    server.place.write("keys", &key);
    assert!(is_in(&server.run("echo in as $USER")));
}

#[test]
fn a17_strict_modes_refuse_what_others_may_write() {
    use std::os::unix::fs::PermissionsExt;
    // StrictModes says no in every test's configuration, so that yes has to come first.
    let server = Server::start("StrictModes yes");
    let keys = server.place.path("keys");
    std::fs::set_permissions(&keys, std::fs::Permissions::from_mode(0o666)).unwrap();
    assert!(!is_in(&server.run("echo in as $USER")));
    server.logs("Authentication refused for");
}

#[test]
fn a15_u07_strange_names_get_nowhere_and_forge_no_line() {
    let server = Server::start("");
    let long = "x".repeat(60_000);
    let names = ["-2", "-froot", "../x", "*)(uid=*", "a\nAccepted publickey for root", "a\tb\x1b[31m", "a:b", &long];
    for name in names {
        let mut ssh = server.ssh_options();
        let key = server.place.path("id");
        ssh.args(["-o", "BatchMode=yes", "-i"]).arg(key).arg("-o").arg(format!("User={name}")).arg("127.0.0.1");
        assert!(!is_in(&finish(ssh.arg("echo in as $USER"), b"")), "{name:.20}");
    }
    assert!(is_in(&server.run("echo in as $USER")));
    let log = server.log();
    let accepted: Vec<&str> = log.lines().filter(|line| line.contains("Accepted publickey")).collect();
    let forged = accepted.iter().filter(|line| !line.contains("Accepted publickey for ") || line.starts_with("Acc"));
    assert_eq!(forged.count(), 0, "{log}");
    let begins_with_time = |line: &&str| line.len() > 12 && line.as_bytes()[2] == b':' && line.as_bytes()[8] == b'.';
    let served = log.lines().skip_while(|line| !line.contains("stop  ")).skip(1);
    assert!(served.clone().count() > 5 && served.clone().all(|line| begins_with_time(&line)), "{log}");
    assert!(!log.contains('\x1b') && log.lines().all(|line| line.len() < 2000));
}

#[test]
fn a16_parallel_logins_get_their_own_identity_or_none() {
    let server = Server::start("MaxAuthTries 1");
    for name in ["alice", "bob"] {
        server.add(name, &format!("fake {name}"));
    }
    let log_in = |number: usize| {
        let name = ["alice", "bob"][number % 2];
        let other = ["bob", "alice"][number % 2];
        let right = number % 4 < 2;
        let password = format!("fake {}", if right { name } else { other });
        let done = answer(&server, name, &password, "", PASSWORD);
        match right {
            true => {
                assert!(is_in(&done), "{}", done.err);
                let port = done.out.split_whitespace().last().unwrap();
                server.logs(&format!("Accepted password for {name} from 127.0.0.1 port {port} "));
            }
            false => assert!(done.code == 255 && done.out.is_empty(), "{done:?}"),
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..10).map(|worker| scope.spawn(move || (0..4).for_each(|n| log_in(worker * 4 + n)))).collect();
        for worker in workers {
            worker.join().unwrap();
        }
    });
    assert_eq!(server.log().matches("Accepted password").count(), 20);
    assert_eq!(server.log().matches("Failed password").count(), 20);
}

#[test]
fn a20_match_decides_by_user_and_address() {
    let lines = "Match User alice\n ForceCommand echo forced\n Banner PLACE\n PermitTTY no\n\
                 Match User bob Address 10.0.0.0/8\n ForceCommand echo never\n\
                 Match User carol\n PasswordAuthentication no\n KbdInteractiveAuthentication no\n\
                 Match User dave\n RefuseConnection yes\n";
    let server = Server::start("");
    let banner = server.place.write("banner", "a banner for alice\n");
    server.configure(&lines.replace("PLACE", &banner.display().to_string()));
    server.signal("HUP");
    server.logs("configuration reloaded");
    for name in ["alice", "bob", "carol", "dave"] {
        server.add(name, "fake horse");
    }
    let mut alice = server.ssh_answering("alice", "fake horse", "", &[&["-v"], PASSWORD].concat());
    let done = finish(alice.arg("echo in as $USER"), b"");
    assert_eq!(done.out, "forced\n", "{}", done.err);
    assert!(done.err.contains("a banner for alice"), "{}", done.err);
    let done =
        finish(server.ssh_answering("alice", "fake horse", "", &[PASSWORD, &["-t", "-t"]].concat()).arg("x"), b"");
    // The client was told to insist on a terminal, so it leaves.
    assert!(done.code == 255 && done.err.contains("PTY allocation request failed"), "{done:?}");
    assert!(is_in(&answer(&server, "bob", "fake horse", "", PASSWORD)));
    assert!(!is_in(&answer(&server, "carol", "fake horse", "", &[])));
    assert!(!is_in(&answer(&server, "dave", "fake horse", "", &[])));
    assert!(!server.log().contains("Failed password for dave"), "no password of a refused connection is looked at");
}

#[test]
fn lists_of_users_and_groups() {
    let server = Server::start("DenyUsers bob\nAllowUsers alice bob *@10.*");
    for name in ["alice", "bob", "carol"] {
        server.add(name, "fake horse");
    }
    assert!(is_in(&answer(&server, "alice", "fake horse", "", PASSWORD)));
    assert!(!is_in(&answer(&server, "bob", "fake horse", "", PASSWORD)));
    assert!(!is_in(&answer(&server, "carol", "fake horse", "", PASSWORD)));
    server.logs("User bob from 127.0.0.1 not allowed because listed in DenyUsers");
    server.logs("User carol from 127.0.0.1 not allowed because not listed in AllowUsers");
}

#[test]
fn a_jail_that_cannot_be_entered_lets_nobody_in() {
    let server = Server::start("Match User bob\nChrootDirectory /var");
    server.add("bob", "fake horse");
    assert!(!is_in(&answer(&server, "bob", "fake horse", "", PASSWORD)));
    server.logs("User bob from 127.0.0.1 not allowed because ChrootDirectory needs a server that root runs");
}

#[test]
fn a19_weak_keys_are_refused() {
    let server = Server::start("");
    let weak = server.place.path("weak");
    let make = ["-q", "-t", "rsa", "-b", "1024", "-N", "", "-f"];
    assert_eq!(finish(program("ssh-keygen").args(make).arg(&weak), b"").code, 0);
    server.place.write("keys", &server.place.read("weak.pub"));
    let mut ssh = server.ssh_options();
    // OpenSSH's client would not offer such a key by itself.
    ssh.args(["-o", "RequiredRSASize=1024", "-o", "BatchMode=yes", "-i"]).arg(&weak);
    let done = finish(ssh.arg(format!("{}@127.0.0.1", server.user)).arg("echo in as $USER"), b"");
    assert!(!is_in(&done) && done.code == 255, "{done:?}");
    let mut sha1 = server.ssh(&["-o", "PubkeyAcceptedAlgorithms=ssh-rsa"]);
    assert!(!is_in(&finish(sha1.arg("echo in as $USER"), b"")));
}

#[test]
fn a_host_key_that_is_named_is_shown_whatever_its_type() {
    let server = Server::start("");
    let place = &server.place;
    let made =
        finish(program("ssh-keygen").args(["-q", "-t", "ecdsa", "-N", "", "-f"]).arg(place.path("host_ecdsa")), b"");
    assert_eq!(made.code, 0, "{}", made.err);
    let named = format!("HostKey {}\n", place.path("host_ecdsa").display());
    let known = format!("UserKnownHostsFile={}", place.path("known_ecdsa").display());
    for (lines, code) in [(named.clone(), 0), (format!("{named}HostKeyAlgorithms ssh-ed25519\n"), 255)] {
        let other = Scratch::new();
        for key in ["host", "id", "id.pub", "keys"] {
            std::fs::copy(place.path(key), other.path(key)).unwrap();
        }
        let other = Server::start_in(other, &lines);
        let options = ["-o", "HostKeyAlgorithms=ecdsa-sha2-nistp256", "-o", &known];
        let done = finish(other.ssh(&options).arg("true"), b"");
        assert_eq!(done.code, code, "{lines}: {}", done.err);
    }
}
