//! `nacre ssh` judging host keys: known, new, changed, revoked, and learned.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/peer.rs"]
mod peer;
#[path = "common/person.rs"]
mod person;

use common::{Scratch, program, text};
use peer::{Outcome, Peer, host_key, make_key, place, run, set_mode};
use person::Person;
use std::process::Command;

const HOST: &str = "127.0.0.1";

/// A call that has no key and no answers of its own: only the host key matters to it.
fn strict(peer: &Peer, place: &Scratch, options: &[&str]) -> Outcome {
    let mut command = common::nacre();
    command.args(peer.words(place)).arg("-i").arg(place.path("id")).env("HOME", place.path("home"));
    for option in options {
        command.args(["-o", option]);
    }
    run(command.args([HOST, "echo in"]), b"")
}

/// A person at a terminal who calls the server.
fn person(peer: &Peer, place: &Scratch, options: &[&str]) -> Person {
    let mut words = peer.words(place);
    words.extend(["-i".to_owned(), place.path("id").display().to_string()]);
    for option in options {
        words.extend(["-o".to_owned(), (*option).to_owned()]);
    }
    words.extend([HOST.to_owned(), "echo in".to_owned()]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Person::runs(&place.path("home"), &words)
}

/// What ssh-keygen says of a key: its fingerprint.
fn fingerprint(place: &Scratch, name: &str) -> String {
    let out = program("ssh-keygen").arg("-lf").arg(place.path(name)).output().unwrap();
    text(out.stdout).split(' ').nth(1).unwrap().to_owned()
}

/// A line of known_hosts.
fn line(peer: &Peer, place: &Scratch, key: &str) -> String {
    let public = place.read(&format!("{key}.pub"));
    let words: Vec<&str> = public.split(' ').take(2).collect();
    format!("{} {}\n", peer.name(), words.join(" ").trim())
}

#[test]
fn a_new_host_is_asked_about_and_recorded_hashed() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let mut person = person(&peer, &place, &[]);
    person.sees(&format!("The authenticity of host '{} (127.0.0.1)' can't be established.", peer.name()));
    person.sees(&format!("ED25519 key fingerprint is {}", fingerprint(&place, "host_ed25519")));
    person.sees("+--[ED25519 256]--+");
    person.sees("+----[SHA256]-----+");
    person.sees("This key is not known by any other names.");
    person.sees("Are you sure you want to continue connecting (yes/no/[fingerprint])? ");
    person.types("y");
    person.sees("Please type 'yes', 'no' or the fingerprint: ");
    person.types("yes");
    person.sees(&format!("Warning: Permanently added '{}' (ED25519) to the list of known hosts.", peer.name()));
    person.sees("in");
    assert_eq!(person.ends().0, 0);

    let recorded = place.read("known_hosts");
    assert!(recorded.starts_with("|1|") && recorded.lines().count() == 1, "{recorded}");
    let mut find = program("ssh-keygen");
    let found = find.arg("-f").arg(place.path("known_hosts")).args(["-F", &peer.name()]).output().unwrap();
    assert!(found.status.success(), "ssh-keygen does not find the host");
    assert_eq!(strict(&peer, &place, &["StrictHostKeyChecking=yes"]).code, 0);
    // OpenSSH's client takes the record too.
    let mut ssh = Command::new("ssh");
    let known = format!("UserKnownHostsFile={}", place.path("known_hosts").display());
    ssh.args(["-F", "none", "-p", &peer.port.to_string(), "-o", &known, "-o", "BatchMode=yes", "-l", "root"]);
    assert_eq!(run(ssh.arg("-i").arg(place.path("id")).args([HOST, "echo in"]), b"").text(), "in\n");
}

#[test]
fn the_fingerprint_is_an_answer_and_no_is_another() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let mut one = person(&peer, &place, &["HashKnownHosts=no"]);
    one.sees("(yes/no/[fingerprint])? ");
    one.types("no");
    one.sees("Host key verification failed.");
    assert_eq!(one.ends().0, 255);
    assert!(!place.path("known_hosts").exists());

    let mut other = person(&peer, &place, &["HashKnownHosts=no"]);
    other.sees("(yes/no/[fingerprint])? ");
    other.types("SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    other.sees("Please type 'yes', 'no' or the fingerprint: ");
    other.types(&fingerprint(&place, "host_ed25519"));
    other.sees("in");
    assert_eq!(other.ends().0, 0);
    assert_eq!(place.read("known_hosts"), line(&peer, &place, "host_ed25519"));
}

#[test]
fn ctrl_c_at_the_question_ends_with_130() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let mut person = person(&peer, &place, &[]);
    person.sees("(yes/no/[fingerprint])? ");
    person.presses(b"\x03");
    assert_eq!(person.ends().0, 130);
    assert!(!place.path("known_hosts").exists());
}

#[test]
fn h01_without_a_person_a_new_host_is_refused() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    for options in [&["StrictHostKeyChecking=yes"][..], &["BatchMode=yes"][..], &["StrictHostKeyChecking=ask"][..]] {
        let done = strict(&peer, &place, options);
        assert_eq!((done.code, done.text().as_str()), (255, ""), "{options:?}");
        assert!(done.err.ends_with("Host key verification failed.\n"), "{options:?}: {:?}", done.err);
        assert!(!place.path("known_hosts").exists());
    }
    assert!(!peer.log().contains("userauth-request"), "{}", peer.log());
    for option in ["StrictHostKeyChecking=accept-new", "StrictHostKeyChecking=no"] {
        let _ = std::fs::remove_file(place.path("known_hosts"));
        assert_eq!(strict(&peer, &place, &[option]).code, 0);
        assert_eq!(strict(&peer, &place, &["StrictHostKeyChecking=yes"]).code, 0);
    }
}

#[test]
fn h01_a_changed_key_ends_it_and_says_where_and_how() {
    let place = place();
    make_key(&place, "other", &["-t", "ed25519"]);
    let peer = Peer::sshd(&place, "LogLevel DEBUG3");
    place.write("known_hosts", &format!("# a comment\n{}", line(&peer, &place, "other")));
    let before = place.read("known_hosts");
    for option in ["StrictHostKeyChecking=yes", "StrictHostKeyChecking=ask", "StrictHostKeyChecking=accept-new"] {
        let done = strict(&peer, &place, &[option]);
        assert_eq!((done.code, done.text().as_str()), (255, ""), "{option}");
        let file = place.path("known_hosts");
        for words in [
            "WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!".to_owned(),
            fingerprint(&place, "host_ed25519"),
            format!("ssh-ed25519 in {}:2\n", file.display()),
            format!("nacre keygen -f '{}' -R '{}'\n", file.display(), peer.name()),
            "Host key verification failed.\n".to_owned(),
        ] {
            assert!(done.err.contains(&words), "{words:?} is not in {}", done.err);
        }
    }
    assert!(!peer.log().contains("userauth-request"), "{}", peer.log());
    // The advice works.
    let mended =
        run(common::nacre().args(["keygen", "-f"]).arg(place.path("known_hosts")).args(["-R", &peer.name()]), b"");
    assert_eq!(mended.code, 0, "{}", mended.err);
    assert_ne!(place.read("known_hosts"), before);
    assert_eq!(strict(&peer, &place, &["StrictHostKeyChecking=accept-new"]).code, 0);
}

#[test]
fn h01_a_changed_key_that_is_tolerated_gets_no_password() {
    let place = place();
    make_key(&place, "other", &["-t", "ed25519"]);
    let peer = Peer::sshd(&place, "UsePAM yes\nKbdInteractiveAuthentication yes");
    place.write("known_hosts", &line(&peer, &place, "other"));
    let done = strict(&peer, &place, &["StrictHostKeyChecking=no"]);
    assert_eq!((done.code, done.text().as_str()), (0, "in\n"), "{}", done.err);
    assert!(done.err.contains("HAS CHANGED"), "{}", done.err);
    assert_eq!(place.read("known_hosts"), line(&peer, &place, "other"), "the record must not be touched");

    let mut words = peer.words(&place);
    words.extend(["-o", "StrictHostKeyChecking=no", "-o", "PubkeyAuthentication=no", HOST].map(str::to_owned));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut person = Person::runs(&place.path("home"), &words);
    person.sees("Permission denied (publickey,password,keyboard-interactive).");
    assert_eq!(person.ends().0, 255);
}

#[test]
fn h06_a_host_known_by_another_type_has_changed_and_is_not_new() {
    let place = place();
    make_key(&place, "host_rsa", &["-t", "rsa", "-b", "2048"]);
    let peer = Peer::sshd(&place, &host_key(&place, "host_rsa"));
    place.write("known_hosts", &line(&peer, &place, "host_ed25519"));
    let done = strict(&peer, &place, &["StrictHostKeyChecking=accept-new"]);
    assert_eq!((done.code, done.text().as_str()), (255, ""));
    assert!(done.err.contains("HAS CHANGED") && done.err.contains("No RSA key is on record"), "{}", done.err);
    assert!(done.err.contains("ssh-ed25519 in "), "{}", done.err);
}

#[test]
fn h06_the_type_on_record_is_asked_for_first() {
    let place = place();
    make_key(&place, "host_rsa", &["-t", "rsa", "-b", "2048"]);
    make_key(&place, "host_ecdsa", &["-t", "ecdsa"]);
    let all = ["host_ed25519", "host_rsa", "host_ecdsa"];
    let config: String = all.iter().map(|name| host_key(&place, name)).collect();
    let peer = Peer::sshd(&place, &config);
    for name in all {
        place.write("known_hosts", &line(&peer, &place, name));
        let done = strict(&peer, &place, &["StrictHostKeyChecking=yes"]);
        assert_eq!((done.code, done.text().as_str()), (0, "in\n"), "{name}: {}", done.err);
    }
    // A full list of one's own is not reordered: what it brings is then judged as it is.
    place.write("known_hosts", &line(&peer, &place, "host_rsa"));
    let done = strict(&peer, &place, &["HostKeyAlgorithms=ssh-ed25519,rsa-sha2-512", "StrictHostKeyChecking=yes"]);
    assert_eq!(done.code, 255);
    assert!(done.err.contains("HAS CHANGED"), "{}", done.err);
}

#[test]
fn h05_a_revoked_key_is_refused_whatever_else_is_said() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let good = line(&peer, &place, "host_ed25519");
    place.write("known_hosts", &format!("{good}@revoked * {}", good.split_once(' ').unwrap().1));
    for option in ["StrictHostKeyChecking=yes", "StrictHostKeyChecking=no"] {
        let done = strict(&peer, &place, &[option]);
        assert_eq!((done.code, done.text().as_str()), (255, ""), "{option}");
        assert!(done.err.contains("REVOKED HOST KEY DETECTED"), "{}", done.err);
        assert!(done.err.contains("known_hosts: line 2"), "{}", done.err);
    }
}

#[test]
fn h05_a_file_of_revoked_keys_counts_first() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    place.write("known_hosts", &line(&peer, &place, "host_ed25519"));
    let option = format!("RevokedHostKeys={}", place.path("revoked").display());
    let call = |more: &str| strict(&peer, &place, &["StrictHostKeyChecking=no", &option, more]);
    let key = place.read("host_ed25519.pub");
    let list = |key: &str| {
        let mut keygen = program("ssh-keygen");
        let out = keygen.args(["-qkf", "revoked", key]).current_dir(place.root()).output().unwrap();
        assert!(out.status.success());
    };
    let refused = |why: &str| {
        for more in ["LogLevel=INFO", "NoHostAuthenticationForLocalhost=yes"] {
            let done = call(more);
            assert_eq!((done.code, done.text().as_str()), (255, ""), "{why}");
            assert!(done.err.contains(why), "{why}: {}", done.err);
        }
    };
    refused("cannot be read");
    place.write("revoked", &place.read("id.pub"));
    assert_eq!(call("LogLevel=INFO").text(), "in\n");
    place.write("revoked", &key);
    refused("the key is revoked");
    list("id.pub");
    assert_eq!(call("LogLevel=INFO").text(), "in\n");
    list("host_ed25519.pub");
    refused("the key is revoked");
    place.write("revoked", "SSHKRL\n\0");
    refused("damaged key revocation list");
}

#[test]
fn h02_records_that_cannot_be_read_end_it() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    std::fs::create_dir(place.path("known_hosts")).unwrap();
    let done = strict(&peer, &place, &["StrictHostKeyChecking=no"]);
    assert_eq!((done.code, done.text().as_str()), (255, ""));
    assert!(done.err.contains("known_hosts: Is a directory: host keys cannot be checked"), "{}", done.err);
    assert!(!peer.log().contains("Accepted"), "{}", peer.log());
}

#[test]
fn names_ports_and_aliases() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let key = line(&peer, &place, "host_ed25519").split_once(' ').unwrap().1.to_owned();
    for (record, option, accepted) in [
        (peer.name(), "User=root", true),
        (format!("[127.0.0.*]:{}", peer.port), "User=root", true),
        (format!("[*]:{},!{}", peer.port, peer.name()), "User=root", false),
        // OpenSSH takes a record without a port for other ports too.
        ("127.0.0.1".to_owned(), "User=root", true),
        ("[127.0.0.1]:1".to_owned(), "User=root", false),
        ("the-alias".to_owned(), "HostKeyAlias=the-alias", true),
        (peer.name(), "HostKeyAlias=the-alias", false),
        ("nothing".to_owned(), "NoHostAuthenticationForLocalhost=yes", true),
    ] {
        place.write("known_hosts", &format!("{record} {key}"));
        let done = strict(&peer, &place, &[option, "StrictHostKeyChecking=yes"]);
        assert_eq!(done.code, if accepted { 0 } else { 255 }, "{record} with {option}: {}", done.err);
    }
    // Several files: the machine's count as well, and only the user's first is written to.
    let _ = std::fs::remove_file(place.path("known_hosts"));
    place.write("global", &format!("{} {key}", peer.name()));
    let mut command = common::nacre();
    command.args(["ssh", "-F", "none", "-p", &peer.port.to_string(), "-l", "root", "-o", "StrictHostKeyChecking=yes"]);
    let global = format!("GlobalKnownHostsFile={}", place.path("global").display());
    command.args(["-o", &global, "-i"]).arg(place.path("id")).env("HOME", place.path("home"));
    assert_eq!(run(command.args([HOST, "true"]), b"").code, 0);
}

#[test]
fn an_address_on_record_with_another_key_is_told() {
    let place = place();
    make_key(&place, "other", &["-t", "ed25519"]);
    let peer = Peer::sshd(&place, "");
    let call = |options: &[&str]| {
        let mut command = common::nacre();
        command.args(peer.words(&place)).arg("-i").arg(place.path("id")).env("HOME", place.path("home"));
        options.iter().chain(&["AddressFamily=inet", "HashKnownHosts=no"]).for_each(|option| {
            command.args(["-o", option]);
        });
        run(command.args(["localhost", "echo in"]), b"")
    };
    assert_eq!(call(&["StrictHostKeyChecking=accept-new", "CheckHostIP=yes"]).code, 0);
    let both = place.read("known_hosts");
    assert!(both.starts_with(&format!("[localhost]:{0},[127.0.0.1]:{0} ssh-ed25519 ", peer.port)), "{both}");
    let name = both.replace(&format!(",{}", peer.name()), "");
    place.write("known_hosts", &format!("{name}{}", line(&peer, &place, "other")));
    let told = call(&["StrictHostKeyChecking=ask", "CheckHostIP=yes"]);
    assert!(told.code == 0 && told.err.contains("known_hosts: line 2"), "{}", told.err);
    assert_eq!(call(&["StrictHostKeyChecking=yes", "CheckHostIP=yes"]).code, 255);
    assert_eq!(call(&["StrictHostKeyChecking=yes"]).code, 0);
}

#[test]
fn h06_other_keys_are_learned_when_proved_and_only_then() {
    let place = place();
    make_key(&place, "host_rsa", &["-t", "rsa", "-b", "2048"]);
    let both = host_key(&place, "host_ed25519") + &host_key(&place, "host_rsa");
    let peer = Peer::sshd(&place, &both);
    let known = line(&peer, &place, "host_ed25519");
    let learn = ["StrictHostKeyChecking=yes", "UpdateHostKeys=yes", "HashKnownHosts=no"];
    let recorded = || {
        let mut lines: Vec<String> = place.read("known_hosts").lines().map(|line| format!("{line}\n")).collect();
        lines.sort();
        lines
    };
    let call = |options: &[&str]| {
        let mut command = common::nacre();
        command.args(peer.words(&place)).arg("-i").arg(place.path("id")).env("HOME", place.path("home"));
        options.iter().for_each(|option| {
            command.args(["-o", option]);
        });
        run(command.args([HOST, "true"]), b"")
    };

    place.write("known_hosts", &known);
    assert_eq!(call(&["StrictHostKeyChecking=yes"]).code, 0);
    assert_eq!(recorded(), std::slice::from_ref(&known), "a file that was named is not added to unasked");

    let done = call(&learn);
    assert!(done.err.contains("Learned new hostkey"), "{}", done.err);
    let mut wanted = vec![known.clone(), line(&peer, &place, "host_rsa")];
    wanted.sort();
    assert_eq!(recorded(), wanted);
    let again = call(&learn);
    assert_eq!((again.err.as_str(), recorded()), ("", wanted));

    // A host that only the machine's file knows does not write into the user's.
    std::fs::write(place.path("known_hosts"), "").unwrap();
    place.write("global", &known);
    let global = format!("GlobalKnownHostsFile={}", place.path("global").display());
    let mut command = common::nacre();
    let user = format!("UserKnownHostsFile={}", place.path("known_hosts").display());
    command.args(["ssh", "-F", "none", "-p", &peer.port.to_string(), "-l", "root", "-o", &user, "-o", &global]);
    learn.iter().for_each(|option| {
        command.args(["-o", option]);
    });
    command.arg("-i").arg(place.path("id")).env("HOME", place.path("home"));
    assert_eq!(run(command.args([HOST, "true"]), b"").code, 0);
    assert_eq!(place.read("known_hosts"), "");
}

#[test]
fn h06_keys_that_a_host_retires_go_once_its_new_ones_are_proved() {
    let place = place();
    make_key(&place, "host_rsa", &["-t", "rsa", "-b", "2048"]);
    make_key(&place, "host_ecdsa", &["-t", "ecdsa"]);
    let now = host_key(&place, "host_ed25519") + &host_key(&place, "host_ecdsa");
    let peer = Peer::sshd(&place, &now);
    let kept = format!("# my hosts\n\nnot a line\n{}", line(&peer, &place, "host_ed25519"));
    let retired = line(&peer, &place, "host_rsa");
    let words = |options: &[&str]| {
        let mut words = peer.words(&place);
        let options = ["StrictHostKeyChecking=yes", "HashKnownHosts=no"].iter().chain(options);
        words.extend(options.flat_map(|option| ["-o".to_owned(), (*option).to_owned()]));
        words.extend(["-i".to_owned(), place.path("id").display().to_string(), HOST.to_owned()]);
        words.push("true".to_owned());
        words
    };
    let call = |options: &[&str]| {
        let done = run(common::nacre().args(words(options)).env("HOME", place.path("home")), b"");
        assert_eq!(done.code, 0, "{}", done.err);
        done.err
    };
    let before = format!("{retired}{kept}{}", retired.replace(&peer.name(), "elsewhere.example"));
    // The key is another host's too: nothing is touched.
    place.write("known_hosts", &before);
    assert_eq!((call(&["UpdateHostKeys=yes"]), place.read("known_hosts")), (String::new(), before));
    // Its own alone: out with it.
    place.write("known_hosts", &format!("{retired}{kept}"));
    set_mode(&place.path("known_hosts"), 0o644);
    let told = call(&["UpdateHostKeys=yes"]);
    assert!(told.contains("Learned new hostkey") && told.contains("Deprecating obsolete hostkey"), "{told}");
    let after = format!("{kept}{}", line(&peer, &place, "host_ecdsa"));
    assert_eq!(place.read("known_hosts"), after);
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(place.path("known_hosts")).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode, 0o644, "the file keeps its mode");
    // Nothing new to prove: what is retired goes all the same, hashed or not.
    let mut keygen = peer::require("ssh-keygen", "openssh-client");
    place.write("retired", &retired);
    assert!(keygen.args(["-q", "-H", "-f"]).arg(place.path("retired")).output().unwrap().status.success());
    place.write("known_hosts", &format!("{}{after}", place.read("retired")));
    call(&["UpdateHostKeys=yes"]);
    assert_eq!(place.read("known_hosts"), after);
    // Types that a list of one's own leaves out go as well.
    call(&["UpdateHostKeys=yes", "HostKeyAlgorithms=ssh-ed25519"]);
    assert_eq!(place.read("known_hosts"), kept);
    // A person is asked, and may refuse.
    for (answer, wanted) in [("no", format!("{retired}{after}")), ("yes", after)] {
        place.write("known_hosts", &format!("{retired}{}", wanted.replace(&retired, "")));
        let words = words(&["UpdateHostKeys=ask"]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut person = Person::runs(&place.path("home"), &words);
        person.sees("Deprecating obsolete hostkey");
        person.sees("Accept updated hostkeys? (yes/no): ");
        person.types(answer);
        let (code, screen) = person.ends();
        assert_eq!((code, place.read("known_hosts")), (0, wanted), "{screen}");
    }
}

#[test]
fn k02_the_record_is_private_from_the_start() {
    let place = place();
    let peer = Peer::sshd(&place, "");
    let home = place.path("fresh");
    std::fs::create_dir(&home).unwrap();
    set_mode(&home, 0o755);
    let mut command = common::nacre();
    command.args(["ssh", "-F", "none", "-p", &peer.port.to_string(), "-l", "root", "-i"]).arg(place.path("id"));
    command.args(["-o", "StrictHostKeyChecking=accept-new", HOST, "true"]).env("HOME", &home);
    assert_eq!(run(&mut command, b"").code, 0);
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &str| std::fs::metadata(home.join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(".ssh"), mode(".ssh/known_hosts")), (0o700, 0o600));
}
