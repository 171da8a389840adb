//! A running `nacre serve` in a view of the machine of its own: accounts, their passwords, the records
//! of logins and /run are the test's. Only root can have that view, and not in every container.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::common::{Scratch, nacre, program};
use crate::serve::{Done, PATIENCE, eventually, finish, free_port, make_key};
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// The account that tests log in to, and its password.
pub const GUEST: &str = "nacreguest";
pub const GUEST_ID: u32 = 54_322;
pub const PASSWORD: &str = "fake horse battery";

/// A server with accounts of its own.
pub struct Accounts {
    pub place: Scratch,
    child: Child,
    pub port: u16,
}

/// How the server serves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Serves {
    /// The machine's accounts.
    Machine,
    /// One account, which is root with a home folder of the test's.
    Itself,
}

/// What is needed before the server starts. Where the folder has an `etc`, that is the server's /etc.
pub struct Setup {
    pub place: Scratch,
    serves: Serves,
    /// The guest's line of the shadow file behind its name.
    pub shadow: String,
    pub config: String,
}

/// Whether this tester can have a view of the machine of their own.
pub fn possible() -> bool {
    let probe = program("unshare").args(["--mount", "true"]).stdin(Stdio::null()).stderr(Stdio::null()).status();
    let can = nacre_sys::privileges::is_root() && probe.is_ok_and(|status| status.success());
    if !can {
        eprintln!("left out: only root with `unshare --mount` can have accounts of its own");
    }
    can
}

/// A crypt(5) hash of a password.
pub fn hash(password: &str) -> String {
    let done = finish(program("openssl").args(["passwd", "-6", "-salt", "fakesalt", password]), b"");
    assert_eq!(done.code, 0, "{}", done.err);
    done.out.trim().to_owned()
}

impl Setup {
    pub fn new(serves: Serves) -> Self {
        let place = Scratch::new();
        for key in ["host", "id", "other"] {
            make_key(&place, key);
        }
        for folder in ["run", "home", "root-home"] {
            std::fs::create_dir(place.path(folder)).unwrap();
        }
        for (folder, id) in [("home", GUEST_ID), ("root-home", 0)] {
            let ssh = place.path(folder).join(".ssh");
            std::fs::create_dir(&ssh).unwrap();
            let keys = ssh.join("authorized_keys");
            std::fs::copy(place.path("id.pub"), &keys).unwrap();
            for path in [&place.path(folder), &ssh, &keys] {
                chown(path, Some(id), Some(id)).unwrap();
            }
        }
        let shadow = format!("{}:19000:0:99999:7:::", hash(PASSWORD));
        Self { place, serves, shadow, config: String::new() }
    }

    #[must_use]
    pub fn config(mut self, lines: &str) -> Self {
        self.config = lines.to_owned();
        self
    }

    #[must_use]
    pub fn shadow(mut self, fields: &str) -> Self {
        self.shadow = fields.to_owned();
        self
    }

    /// The home folder of whoever the tests log in as.
    pub fn home(&self) -> std::path::PathBuf {
        self.place.path(home_of(self.serves))
    }

    /// A file in that folder, which belongs to its owner.
    pub fn in_home(&self, name: &str, text: &str) {
        let path = self.home().join(name);
        std::fs::write(&path, text).unwrap();
        let id = if self.serves == Serves::Machine { GUEST_ID } else { 0 };
        chown(path, Some(id), Some(id)).unwrap();
    }

    pub fn start(self) -> Accounts {
        let Self { place, serves, shadow, config } = self;
        // The guest goes through the folder to its home.
        std::fs::set_permissions(place.root(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let home = |folder: &str| place.path(folder).display().to_string();
        let (root, guest) = (home("root-home"), home("home"));
        let ours = format!("root:x:0:0::{root}:/bin/sh\n{GUEST}:x:{GUEST_ID}:{GUEST_ID}::{guest}:/bin/sh\n");
        place.write("passwd", &with(&ours, "/etc/passwd"));
        place.write("shadow", &with(&format!("root:*:19000:0:99999:7:::\n{GUEST}:{shadow}\n"), "/etc/shadow"));
        std::fs::set_permissions(place.path("shadow"), std::fs::Permissions::from_mode(0o600)).unwrap();
        for record in ["lastlog", "wtmp"] {
            place.write(record, "");
        }
        // What is below a Match must stay last.
        let (global, matches) = config.split_at(config.find("Match ").unwrap_or(config.len()));
        let host = place.path("host").display().to_string();
        let base = format!("StrictModes no\nPrintMotd no\nHostKey {host}\n");
        place.write("config", &format!("{global}\n{base}{matches}\n"));
        let port = free_port();
        let child = command(&place, serves, port).spawn().unwrap();
        let mut server = Accounts { place, child, port };
        eventually("the server's start", || {
            assert!(server.child.try_wait().unwrap().is_none(), "the server ended: {}", server.log());
            server.log().contains("  stop  ")
        });
        server
    }
}

fn home_of(serves: Serves) -> &'static str {
    if serves == Serves::Machine { "home" } else { "root-home" }
}

/// The machine's list with `ours` in front and without root's own line.
fn with(ours: &str, list: &str) -> String {
    let machine = std::fs::read_to_string(list).unwrap();
    let others = machine.lines().filter(|line| !line.starts_with("root:")).map(|line| format!("{line}\n"));
    ours.to_owned() + &others.collect::<String>()
}

fn command(place: &Scratch, serves: Serves, port: u16) -> Command {
    let mut command = program("unshare");
    let script = "cd \"$1\" && if [ -d etc ]; then cp passwd shadow etc && mount --bind etc /etc; \
        else mount --bind passwd /etc/passwd && mount --bind shadow /etc/shadow; fi \
        && mount --bind run /run && for record in lastlog wtmp; do touch /var/log/$record \
        && mount --bind $record /var/log/$record || exit; done; shift; cd / && exec \"$@\"";
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(place.root()).arg(nacre().get_program());
    command.args(["serve", "--state"]).arg(place.path("state")).arg("-f").arg(place.path("config"));
    if serves == Serves::Itself {
        command.arg("--user-mode");
    }
    command.arg("--listen").arg(format!("127.0.0.1:{port}"));
    let log = std::fs::File::create(place.path("log")).unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command
}

impl Accounts {
    pub fn log(&self) -> String {
        self.place.read("log")
    }

    /// Waits for a text in the log.
    #[track_caller]
    pub fn logs(&self, text: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.log().contains(text) {
            assert!(Instant::now() < end, "{text:?} is not in the log: {}", self.log());
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// OpenSSH's client without credentials and destination.
    pub fn ssh(&self, more: &[&str]) -> Command {
        let mut ssh = program("ssh");
        ssh.args(more).args(["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR", "-o"]);
        ssh.arg(format!("UserKnownHostsFile={}", self.place.path("known").display()));
        ssh.args(["-o", "IdentitiesOnly=yes", "-o", "NumberOfPasswordPrompts=1", "-p", &self.port.to_string()]);
        ssh
    }

    /// OpenSSH's client with our key.
    pub fn with_key(&self, user: &str, more: &[&str]) -> Command {
        let mut ssh = self.ssh(more);
        ssh.args(["-o", "BatchMode=yes", "-i"]).arg(self.place.path("id")).arg("-l").arg(user).arg("127.0.0.1");
        ssh
    }

    /// OpenSSH's client that answers what it is asked: pairs of a shell pattern for the question and the answer.
    pub fn answering(&self, user: &str, answers: &[(&str, &str)], more: &[&str]) -> Command {
        let cases: String = answers.iter().map(|(ask, say)| format!("{ask}) echo '{say}';;\n")).collect();
        // Every question is kept, for whoever wants to know what was asked.
        let asked = self.place.path("asked").display().to_string();
        let script = format!("#!/bin/sh\necho \"$1\" >>{asked}\ncase \"$1\" in\n{cases}esac\n");
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = self.place.write(&format!("askpass-{number}"), &script);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        let mut ssh = self.ssh(more);
        ssh.env("SSH_ASKPASS", path).env("SSH_ASKPASS_REQUIRE", "force").env("DISPLAY", "none");
        ssh.args(["-o", "PubkeyAuthentication=no", "-l", user, "127.0.0.1"]);
        ssh
    }

    /// Everything that clients were asked so far.
    pub fn asked(&self) -> String {
        std::fs::read_to_string(self.place.path("asked")).unwrap_or_default()
    }

    /// Runs a command line with our key.
    #[track_caller]
    pub fn run(&self, user: &str, command: &str) -> Done {
        finish(self.with_key(user, &[]).arg(command), b"")
    }

    /// `nacre passwd` on the server's file.
    #[track_caller]
    pub fn passwd(&self, words: &[&str], input: &str) -> Done {
        let mut passwd = nacre();
        passwd.args(["passwd", "--state"]).arg(self.place.path("state")).args(words);
        finish(&mut passwd, input.as_bytes())
    }
}

impl Drop for Accounts {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
