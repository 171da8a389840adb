//! A running `nacre serve` as root, with accounts, records and processes that a test can look at.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::common::{Scratch, program};
use crate::serve::{Done, PATIENCE, eventually, finish, free_port, is_alive, make_key};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Who may log in: a name and a number for account and group.
pub const ACCOUNTS: [(&str, u32); 2] = [("carol", 54_401), ("dave", 54_402)];
/// Further groups of carol.
pub const GROUPS: [(&str, u32); 2] = [("singers", 54_411), ("dancers", 54_412)];
/// Whom the net process becomes.
pub const NOBODY: (&str, u32) = ("nacre", 54_499);
/// The password of both accounts.
pub const PASSWORD: &str = "fake horse battery";

/// A server and its files: `host`, `id`, `known`, `log`, `home-NAME`.
pub struct Root {
    pub place: Scratch,
    child: Child,
    pub port: u16,
}

/// One connection's processes.
#[derive(Debug, Clone, Default)]
pub struct Family {
    pub monitor: u32,
    pub net: Option<u32>,
    pub helper: Option<u32>,
}

/// Whether this tester can have such a server; says so when not.
pub fn possible() -> bool {
    let probe = program("unshare").args(["--mount", "true"]).stdin(Stdio::null()).stderr(Stdio::null()).status();
    let can = nacre_sys::privileges::is_root() && probe.is_ok_and(|status| status.success());
    if !can {
        eprintln!("NOT RUN: this test needs root and `unshare --mount`");
    }
    can
}

impl Root {
    /// Starts `server serve` with these lines of configuration. None of them may be a Match.
    #[track_caller]
    pub fn start(server: &Path, lines: &str) -> Self {
        Self::start_with_host_key(server, lines, "ed25519")
    }

    /// Starts one with another type of host key.
    #[track_caller]
    pub fn start_with_host_key(server: &Path, lines: &str, kind: &str) -> Self {
        let place = Scratch::new();
        make_key(&place, "id");
        let done = finish(
            program("ssh-keygen").args(["-q", "-t", kind, "-N", "", "-C", "host", "-f"]).arg(place.path("host")),
            b"",
        );
        assert_eq!(done.code, 0, "{}", done.err);
        write_files(&place, lines);
        for _ in 0..10 {
            let port = free_port();
            let mut child = command(&place, server, port).spawn().unwrap();
            let end = Instant::now() + PATIENCE;
            while !place.read("log").contains("  stop  ") && child.try_wait().unwrap().is_none() {
                assert!(Instant::now() < end, "the server does not start: {}", place.read("log"));
                sleep(Duration::from_millis(20));
            }
            if child.try_wait().unwrap().is_none() {
                return Self { place, child, port };
            }
            assert!(place.read("log").contains("in use"), "the server ended: {}", place.read("log"));
        }
        panic!("no port is free");
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        self.place.read("log")
    }

    /// Waits for a text in the log.
    #[track_caller]
    pub fn logs(&self, text: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.log().contains(text) {
            assert!(Instant::now() < end, "{text:?} is not in the log: {}", self.log());
            sleep(Duration::from_millis(20));
        }
    }

    /// OpenSSH's client with options alone.
    pub fn client(&self, port: u16) -> Command {
        let mut ssh = program("ssh");
        ssh.args(["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR", "-o"]);
        ssh.arg(format!("UserKnownHostsFile={}", self.place.path("known").display()));
        ssh.args(["-o", "IdentitiesOnly=yes", "-o", "NumberOfPasswordPrompts=1", "-p", &port.to_string()]);
        ssh
    }

    /// OpenSSH's client with our key.
    pub fn ssh(&self, user: &str, more: &[&str]) -> Command {
        self.ssh_by(self.port, user, more)
    }

    /// The same by another port, where something listens that passes everything on.
    pub fn ssh_by(&self, port: u16, user: &str, more: &[&str]) -> Command {
        let mut ssh = self.client(port);
        ssh.args(["-o", "BatchMode=yes", "-i"]).arg(self.place.path("id")).args(more);
        ssh.arg("-l").arg(user).arg("127.0.0.1");
        ssh
    }

    /// OpenSSH's client that answers `password` to whatever it is asked.
    pub fn ssh_with_password(&self, user: &str, password: &str, more: &[&str]) -> Command {
        let mut words = vec!["-o", "PubkeyAuthentication=no"];
        words.extend(more);
        self.ssh_answering(user, password, &words)
    }

    /// The same, with whatever keys `more` names.
    pub fn ssh_answering(&self, user: &str, answer: &str, more: &[&str]) -> Command {
        let path = self.place.path("askpass");
        if !path.exists() {
            let new = self.place.write("askpass-new", "#!/bin/sh\necho \"$ANSWER\"\n");
            std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o700)).unwrap();
            std::fs::rename(new, path.clone()).unwrap();
        }
        let mut ssh = self.client(self.port);
        ssh.env("SSH_ASKPASS", path).env("SSH_ASKPASS_REQUIRE", "force").env("DISPLAY", "none");
        ssh.env("ANSWER", answer).args(more);
        ssh.arg("-l").arg(user).arg("127.0.0.1");
        ssh
    }

    /// Runs a command line in a session.
    #[track_caller]
    pub fn run(&self, user: &str, command: &str) -> Done {
        finish(self.ssh(user, &[]).arg(command), b"")
    }

    /// The process that monitors are forked from, once there was a connection.
    pub fn spawner(&self) -> Option<u32> {
        let name = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        children(self.pid()).into_iter().find(|pid| name(pid) == "nacre-spawner\n")
    }

    /// The processes of every connection that stands.
    pub fn families(&self) -> Vec<Family> {
        let family = |monitor: u32| {
            let of = |name: &str| children(monitor).into_iter().find(|pid| argv0(*pid) == name);
            Family { monitor, net: of("nacre: net"), helper: of("nacre: helper") }
        };
        let spawner = self.spawner();
        children(self.pid()).into_iter().filter(|pid| Some(*pid) != spawner).map(family).collect()
    }

    /// Waits for a connection with a net process that `known` does not hold.
    #[track_caller]
    pub fn new_family(&self, known: &[u32]) -> Family {
        let mut found = Family::default();
        eventually("a connection", || {
            let new = self.families().into_iter().find(|f| f.net.is_some() && !known.contains(&f.monitor));
            found = new.clone().unwrap_or_default();
            new.is_some()
        });
        found
    }

    /// Waits until so many connections stand, none of them a zombie.
    #[track_caller]
    pub fn settles(&self, connections: usize) {
        let end = Instant::now() + PATIENCE;
        while self.families().len() != connections {
            assert!(is_alive(self.pid()), "the listener is gone: {}", self.log());
            assert!(Instant::now() < end, "not {connections} connections: {:?}\n{}", self.families(), self.log());
            sleep(Duration::from_millis(20));
        }
    }

    /// How many descriptors the listener has.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        for family in self.families() {
            for pid in family.net.into_iter().chain(family.helper).chain([family.monitor]) {
                let _ = program("kill").arg("-9").arg(pid.to_string()).stderr(Stdio::null()).status();
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The children of a process, zombies among them.
pub fn children(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.map(|task| std::fs::read_to_string(task.path().join("children")).unwrap_or_default());
    lists.collect::<String>().split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// How a process is called; empty for a zombie.
pub fn argv0(pid: u32) -> String {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(line.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}

/// Ends a process by SIGSEGV. The first one only takes away the handler that tells of a stack
/// overflow, which expects a real fault to come again.
pub fn crash(pid: u32) {
    eventually("the end of a process that crashed", || {
        let _ = program("kill").arg("-SEGV").arg(pid.to_string()).stderr(Stdio::null()).status();
        !is_alive(pid)
    });
}

/// A field of /proc/PID/status.
pub fn status(pid: u32, field: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).unwrap_or_default();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The terminals there are in this machine's view.
pub fn terminals() -> usize {
    let list = std::fs::read_dir("/dev/pts").unwrap().flatten();
    list.filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok()).count()
}

fn write_files(place: &Scratch, lines: &str) {
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(place.root(), open).unwrap();
    std::fs::DirBuilder::new().mode(0o700).create(place.path("state")).unwrap();
    std::fs::create_dir(place.path("run")).unwrap();
    let hash = finish(program("openssl").args(["passwd", "-6", "-salt", "fakesalt", PASSWORD]), b"");
    assert_eq!(hash.code, 0, "{}", hash.err);
    let (mut passwd, mut shadow, mut group) = (String::new(), String::new(), String::new());
    for (name, id) in ACCOUNTS {
        let home = home(place, name, id);
        passwd += &format!("{name}:x:{id}:{id}:A person:{home}:/bin/sh\n");
        shadow += &format!("{name}:{}:19000:0:99999:7:::\n", hash.out.trim());
        group += &format!("{name}:x:{id}:\n");
    }
    let (name, id) = NOBODY;
    passwd += &format!("{name}:x:{id}:{id}::/nonexistent:/usr/sbin/nologin\n");
    group += &format!("{name}:x:{id}:\n");
    for (name, id) in GROUPS {
        group += &format!("{name}:x:{id}:carol\n");
    }
    for (list, ours) in [("passwd", passwd), ("shadow", shadow), ("group", group)] {
        let machine = std::fs::read_to_string(format!("/etc/{list}")).unwrap();
        place.write(list, &(ours + &machine));
    }
    std::fs::set_permissions(place.path("shadow"), std::fs::Permissions::from_mode(0o600)).unwrap();
    for record in ["wtmp", "lastlog"] {
        place.write(record, "");
    }
    place.write("run/utmp", "");
    let host = place.path("host").display().to_string();
    let base = format!("HostKey {host}\nStrictModes no\nPrintMotd no\nPermitRootLogin no\n");
    place.write("config", &format!("{lines}\n{base}"));
}

fn home(place: &Scratch, name: &str, id: u32) -> String {
    let home = place.path(&format!("home-{name}"));
    let ssh = home.join(".ssh");
    std::fs::create_dir_all(&ssh).unwrap();
    let keys = ssh.join("authorized_keys");
    std::fs::copy(place.path("id.pub"), &keys).unwrap();
    for path in [&home, &ssh, &keys] {
        chown(path, Some(id), Some(id)).unwrap();
    }
    home.display().to_string()
}

fn command(place: &Scratch, server: &Path, port: u16) -> Command {
    let mut command = program("unshare");
    let script = "cd \"$1\" && for list in passwd shadow group; do mount --bind $list /etc/$list || exit; done \
        && mount --bind run /run && for record in lastlog wtmp; do touch /var/log/$record \
        && mount --bind $record /var/log/$record || exit; done; shift; cd / && exec \"$@\"";
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(place.root()).arg(server);
    command.args(["serve", "--state"]).arg(place.path("state")).arg("-f").arg(place.path("config"));
    command.arg("--listen").arg(format!("127.0.0.1:{port}"));
    let log = std::fs::File::create(place.path("log")).unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command
}

/// A session of a bystander, which lasts until its input ends.
pub struct Bystander {
    child: Child,
    pub family: Family,
}

impl Bystander {
    pub fn start(server: &Root) -> Self {
        let mut ssh = server.ssh("dave", &[]);
        let child = ssh.arg("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        eventually("a bystander", || server.families().iter().any(|family| family.helper.is_some()));
        Self { child, family: server.families()[0].clone() }
    }

    /// It was not disturbed, and ends now as it would have.
    pub fn ends_well(mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"undisturbed").unwrap();
        let done = self.child.wait_with_output().unwrap();
        assert!(done.status.success(), "{done:?}");
        assert_eq!(done.stdout, b"undisturbed");
    }
}

/// OpenSSH's sftp with these commands.
pub fn sftp(server: &Root, user: &str, commands: &str) -> Done {
    let mut sftp = program("sftp");
    sftp.args(["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR", "-o"]);
    sftp.arg(format!("UserKnownHostsFile={}", server.place.path("known").display()));
    sftp.args(["-o", "IdentitiesOnly=yes", "-i"]).arg(server.place.path("id")).arg("-P").arg(server.port.to_string());
    finish(sftp.args(["-b", "-"]).arg(format!("{user}@127.0.0.1")), commands.as_bytes())
}

/// The processes below one, at any depth.
pub fn below(pid: u32) -> Vec<u32> {
    let direct = children(pid);
    let deeper: Vec<u32> = direct.iter().flat_map(|pid| below(*pid)).collect();
    direct.into_iter().chain(deeper).collect()
}
