//! What the files of the machine and of users do to a session: rc, variables, the record of the login, nologin,
//! programs that tell keys, names of clients.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "common/accounts.rs"]
mod accounts;
mod common;
#[path = "common/serve.rs"]
mod serve;
#[path = "common/terminal.rs"]
mod terminal;

use accounts::{Accounts, GUEST, PASSWORD, Serves, Setup, possible};
use serve::{Server, eventually, finish, own_name};
use terminal::Terminal;

const MODES: [(Serves, &str); 2] = [(Serves::Machine, GUEST), (Serves::Itself, "root")];

fn shell(server: &Accounts, user: &str) -> Terminal {
    Terminal::runs(&server.with_key(user, &["-tt"]), 80, 24)
}

#[test]
fn the_user_s_rc_runs_before_the_command_where_it_may() {
    if !possible() {
        return;
    }
    let rc = "echo rc of $USER; cat; exit 3\n";
    for (serves, user) in MODES {
        for (config, runs) in [("", true), ("PermitUserRC no", false), ("ForceCommand echo command", false)] {
            let setup = Setup::new(serves).config(config);
            setup.in_home(".ssh/rc", rc);
            let server = setup.start();
            let done = finish(server.with_key(user, &[]).arg("echo command; cat; exit 7"), b"input\n");
            let mut wanted = if runs { format!("rc of {user}\n") } else { String::new() };
            wanted += if config.starts_with("Force") { "command\n" } else { "command\ninput\n" };
            assert_eq!(done.out, wanted, "{config}: {}", done.err);
        }
    }
    let setup = Setup::new(Serves::Machine).config("Subsystem words echo of a subsystem");
    setup.in_home(".ssh/rc", rc);
    let server = setup.start();
    let done = finish(server.with_key(GUEST, &["-s"]).arg("words"), b"");
    assert_eq!(done.out, "of a subsystem\n", "{}", done.err);
    let mut terminal = shell(&server, GUEST);
    terminal.sees(&format!("rc of {GUEST}"));
    // The shell is a login shell all the same, with a terminal that it may signal.
    // A shell of its own says it: by then the terminal's signals go there, whatever it does just then.
    terminal.types("sh -c \"echo name $0; sleep 100\"");
    terminal.sees("name -sh");
    terminal.presses(b"\x03");
    terminal.types("exit 5");
    assert_eq!(terminal.ends(), 5);
    let key = server.place.read("id.pub");
    std::fs::write(server.place.path("home/.ssh/authorized_keys"), format!("no-user-rc {key}")).unwrap();
    assert_eq!(server.run(GUEST, "echo command").out, "command\n");
}

#[test]
fn users_set_variables_in_their_files_where_they_may() {
    if !possible() {
        return;
    }
    for (serves, user) in MODES {
        for (permit, wanted) in [("", "- - -"), ("yes", "key file two"), ("A*", "key - -"), ("*,!A", "- file two")] {
            let config = if permit.is_empty() { String::new() } else { format!("PermitUserEnvironment {permit}") };
            let setup = Setup::new(serves).config(&config);
            let key = setup.place.read("id.pub");
            setup.in_home(".ssh/authorized_keys", &format!("environment=\"A=key\",environment=\"C=one\" {key}"));
            setup.in_home(".ssh/environment", "# B=comment\nB=file\n C=two\nno variable\n");
            let server = setup.start();
            let done = server.run(user, "echo ${A:--} ${B:--} ${C:--}");
            assert_eq!(done.out.trim(), wanted, "{permit}: {} {}", done.err, server.log());
        }
    }
}

#[test]
fn a_session_is_told_how_its_user_logged_in() {
    if !possible() {
        return;
    }
    for (serves, user) in MODES {
        let setup = Setup::new(serves).config("ExposeAuthInfo yes\nPermitRootLogin yes");
        let server = setup.start();
        let done = server.run(user, "cat $SSH_USER_AUTH; stat -c '%U %a' $SSH_USER_AUTH; echo $SSH_USER_AUTH");
        let lines: Vec<&str> = done.out.lines().collect();
        let public = server.place.read("id.pub");
        let key = public.split(' ').take(2).collect::<Vec<_>>().join(" ");
        assert_eq!(lines[0], format!("publickey {key}"), "{}", done.err);
        assert_eq!(lines[1], format!("{user} 600"));
        eventually("the file's end", || !std::path::Path::new(lines[2]).exists());
    }
    let config = "ExposeAuthInfo yes\nAuthenticationMethods password,keyboard-interactive";
    let server = Setup::new(Serves::Machine).config(config).start();
    let done = finish(server.answering(GUEST, &[("*", PASSWORD)], &[]).arg("cat $SSH_USER_AUTH"), b"");
    assert_eq!(done.out, "password\nkeyboard-interactive\n", "{}", done.err);
    let server = Setup::new(Serves::Machine).start();
    assert_eq!(server.run(GUEST, "echo ${SSH_USER_AUTH-none}").out, "none\n");
}

#[test]
fn the_last_login_is_shown_before_the_message_of_the_day() {
    if !possible() {
        return;
    }
    for (config, told) in [("", true), ("PrintLastLog no", false)] {
        let server = Setup::new(Serves::Machine).config(config).start();
        let visit = || {
            let mut terminal = shell(&server, GUEST);
            terminal.types("echo 'the '$SSH_TTY; exit");
            terminal.sees("the /dev/pts/");
            let told = terminal.between("\0", "the /dev/pts/").contains("Last login: ");
            (told, terminal.ends()).0
        };
        assert!(!visit(), "nobody was here");
        server.logs("session");
        let date = finish(common::program("date").arg("+%Y"), b"").out;
        if told {
            let mut terminal = shell(&server, GUEST);
            terminal.sees("Last login: ");
            terminal.sees(&format!(" {} from 127.0.0.1", date.trim()));
            terminal.types("exit");
            terminal.ends();
        } else {
            assert!(!visit());
        }
        std::fs::write(server.place.path("home/.hushlogin"), "").unwrap();
        assert!(!visit());
    }
}

#[test]
fn closed_logins_are_told_of_and_end_with_254() {
    if !possible() {
        return;
    }
    let server = Setup::new(Serves::Machine).start();
    server.place.write("run/nologin", "Down for a moment.\nBack soon.\n");
    let done = server.run(GUEST, "echo in");
    assert_eq!((done.code, done.out.as_str()), (254, ""));
    assert_eq!(done.err, "Down for a moment.\nBack soon.\n");
    let mut terminal = shell(&server, GUEST);
    terminal.sees("Down for a moment.");
    terminal.sees("Back soon.");
    assert_eq!(terminal.ends(), 254);
    assert_eq!(server.run("root", "echo in").out, "in\n", "root mends what is wrong");
    std::fs::remove_file(server.place.path("run/nologin")).unwrap();
    assert_eq!(server.run(GUEST, "echo in").out, "in\n");
}

#[test]
fn a_program_tells_which_keys_let_in() {
    let server = Server::start("");
    let other = server.place.path("other.pub").display().to_string();
    let asked = server.place.path("told").display().to_string();
    let with = |command: &str| {
        server.configure(&format!("AuthorizedKeysCommand {command}\nAuthorizedKeysCommandUser {}", own_name()));
        let before = server.log().matches("configuration reloaded").count();
        server.signal("HUP");
        eventually("the new configuration", || server.log().matches("configuration reloaded").count() > before);
        let mut ssh = server.ssh_options();
        ssh.args(["-o", "BatchMode=yes", "-i"]).arg(server.place.path("other"));
        finish(ssh.arg(format!("{}@127.0.0.1", server.user)).arg("echo in"), b"").out == "in\n"
    };
    assert!(!with("none"));
    assert!(with(&format!("/usr/bin/cat {other}")), "{}", server.log());
    assert_eq!(server.run("echo in").out, "in\n", "the file counts beside the program");
    let script = format!("/bin/sh -c 'echo \"$@ $USER $PATH\" >{asked}; cat {other}' sh %u %U %h %t %f %C %%");
    assert!(with(&script), "{}", server.log());
    let account = nacre_sys::account::Account::current().unwrap();
    let told = server.place.read("told");
    let head = format!("{} {} {} ssh-ed25519 SHA256:", account.name, account.uid, account.home.display());
    assert!(
        told.starts_with(&head) && told.contains(&format!(" 127.0.0.1 {} % {} ", server.port, account.name)),
        "{told}"
    );
    // Options count, as they do in a file.
    assert!(!with(&format!("/bin/sh -c 'echo -n \"from=\\\"10.0.0.1\\\" \"; cat {other}' sh")));
    // What failed may have told only a part; what does not end is ended; what is long is not read.
    assert!(!with(&format!("/bin/sh -c 'cat {other}; exit 1' sh")));
    server.logs("it ended with exit status 1");
    assert!(!with(&format!("/bin/sh -c 'cat {other}; exec yes' sh")));
    server.logs("it wrote more than");
    // A program that somebody else could have put there is not run.
    let own = server.place.write("keys-program", &format!("#!/bin/sh\ncat {other}\n"));
    std::fs::set_permissions(&own, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    assert!(!with(&own.display().to_string()));
    server.logs("it must belong to the user or root and be writable by nobody else");
}

#[test]
fn the_program_that_tells_keys_runs_as_its_own_account() {
    if !possible() {
        return;
    }
    let setup = Setup::new(Serves::Machine);
    let (keys, told) = (setup.place.path("keys").display().to_string(), setup.place.path("run/told"));
    std::fs::copy(setup.place.path("other.pub"), &keys).unwrap();
    std::fs::write(&told, "").unwrap();
    std::fs::set_permissions(&told, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    let config = format!(
        "AuthorizedKeysFile none\nAuthorizedKeysCommand /bin/sh -c 'id -un >/run/told; cat {keys}' sh\n\
         AuthorizedKeysCommandUser {GUEST}"
    );
    let server = setup.config(&config).start();
    assert_eq!(server.run("root", "echo in").code, 255, "a key that the program does not tell");
    let mut ssh = server.ssh(&[]);
    ssh.args(["-o", "BatchMode=yes", "-i"]).arg(server.place.path("other")).args(["-l", "root", "127.0.0.1"]);
    assert_eq!(finish(ssh.arg("echo in"), b"").out, "in\n", "{}", server.log());
    assert_eq!(std::fs::read_to_string(told).unwrap(), format!("{GUEST}\n"));
}

#[test]
fn names_of_clients_count_once_they_lead_back() {
    let Some(name) = name_of_loopback() else { return };
    for (dns, lets_in) in [("yes", true), ("no", false)] {
        let server = Server::start(&format!("UseDNS {dns}\nAllowUsers *@{name}"));
        assert_eq!(server.run("echo in").out == "in\n", lets_in, "{dns}: {}", server.log());
        server.place.write("keys", &format!("from=\"{name}\" {}", server.place.read("id.pub")));
        assert_eq!(server.run("echo in").out == "in\n", lets_in, "{dns}: {}", server.log());
        let server = Server::start(&format!("UseDNS {dns}\nMatch Host {name}\nForceCommand echo named"));
        assert_eq!(server.run("echo in").out, if lets_in { "named\n" } else { "in\n" });
    }
    if possible() {
        let server = Setup::new(Serves::Machine).config(&format!("UseDNS yes\nAllowUsers *@{name}")).start();
        assert_eq!(server.run(GUEST, "echo in").out, "in\n", "{}", server.log());
    }
}

/// The machine's own name for 127.0.0.1, if it leads back.
fn name_of_loopback() -> Option<String> {
    let done = finish(common::program("getent").args(["hosts", "127.0.0.1"]), b"");
    let name = done.out.split_whitespace().nth(1).map(str::to_owned);
    if name.is_none() {
        eprintln!("left out: this machine has no name for 127.0.0.1");
    }
    name
}
