//! A running `nacre serve` in user mode for a test, and foreign clients that log in to it.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub use crate::common::free_port;
use crate::common::{Scratch, nacre, program};
use nacre::passwd::store::Store;
use nacre_proto::crypto::SecretBytes;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::DirBuilderExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Longest wait for anything, for the sake of busy machines.
pub const PATIENCE: Duration = Duration::from_secs(180);
const TICK: Duration = Duration::from_millis(20);

/// A server with files of its own.
pub struct Server {
    pub place: Scratch,
    child: Child,
    pub port: u16,
    pub user: String,
}

/// What came of a program.
#[derive(Debug)]
pub struct Done {
    /// Its exit code; 128 and the number of the signal that ended it.
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Waits until `check` says yes.
#[track_caller]
pub fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !check() {
        assert!(Instant::now() < end, "{what}: did not come");
        sleep(TICK);
    }
}

/// Reads a stream to its end in the background.
fn collect(stream: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    let mut stream = stream.unwrap();
    spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        bytes
    })
}

/// Runs a program with this input to its end.
#[track_caller]
pub fn finish(command: &mut Command, input: &[u8]) -> Done {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
    let feeding = spawn(move || {
        let _ = stdin.write_all(&input);
    });
    let (out, err) = (collect(child.stdout.take()), collect(child.stderr.take()));
    let status = wait(&mut child).unwrap_or_else(|| {
        let _ = child.kill();
        panic!("{command:?} does not end")
    });
    feeding.join().unwrap();
    let text = |stream: JoinHandle<Vec<u8>>| String::from_utf8_lossy(&stream.join().unwrap()).into_owned();
    Done { code: code(status), out: text(out), err: text(err) }
}

fn wait(child: &mut Child) -> Option<ExitStatus> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        sleep(TICK);
    }
    None
}

fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap())
}

/// This account's name.
pub fn own_name() -> String {
    nacre_sys::account::Account::current().unwrap().name
}

/// Makes an Ed25519 key without passphrase.
pub fn make_key(place: &Scratch, name: &str) {
    let args = ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"];
    let done = finish(program("ssh-keygen").args(args).arg(place.path(name)), b"");
    assert_eq!(done.code, 0, "{}", done.err);
}

/// Lines that every test's configuration ends with (the first value wins). Tests may run as root,
/// and in folders that others may write to.
fn base(place: &Scratch) -> String {
    let path = |name| place.path(name).display().to_string();
    format!(
        "PermitRootLogin yes\nStrictModes no\nPrintMotd no\nHostKey {}\nAuthorizedKeysFile {}\n",
        path("host"),
        path("keys")
    )
}

impl Server {
    /// Starts one with these lines of configuration.
    pub fn start(lines: &str) -> Self {
        let place = Scratch::new();
        for key in ["host", "id", "other"] {
            make_key(&place, key);
        }
        std::fs::copy(place.path("id.pub"), place.path("keys")).unwrap();
        Self::start_in(place, lines)
    }

    /// Starts one in a folder that [`Server::start`] made ready before, or the like.
    pub fn start_in(place: Scratch, lines: &str) -> Self {
        configure(&place, lines);
        // As the server makes it; tests put passwords there first.
        let _ = std::fs::DirBuilder::new().mode(0o700).create(place.path("state"));
        for _ in 0..10 {
            let port = free_port();
            let mut child = serve(&place, port).spawn().unwrap();
            let end = Instant::now() + PATIENCE;
            // Nobody logs in before the server has said where it listens.
            while !place.read("log").contains("  stop  ") {
                if child.try_wait().unwrap().is_some() {
                    break;
                }
                assert!(Instant::now() < end, "the server does not start: {}", place.read("log"));
                sleep(TICK);
            }
            if child.try_wait().unwrap().is_none() {
                return Self { place, child, port, user: own_name() };
            }
            let log = place.read("log");
            assert!(log.contains("in use"), "the server ended: {log}");
        }
        panic!("no port is free");
    }

    /// Changes the configuration; it counts from the next SIGHUP on.
    pub fn configure(&self, lines: &str) {
        configure(&self.place, lines);
    }

    /// OpenSSH's client with our key, without the destination.
    pub fn ssh_options(&self) -> Command {
        let mut ssh = program("ssh");
        ssh.args(["-F", "none", "-T", "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR", "-o"]);
        ssh.arg(format!("UserKnownHostsFile={}", self.place.path("known").display()));
        ssh.args(["-o", "IdentitiesOnly=yes", "-o", "NumberOfPasswordPrompts=1"]);
        ssh.arg("-p").arg(self.port.to_string());
        ssh
    }

    /// OpenSSH's client, to log in with our key as this account.
    pub fn ssh(&self, more: &[&str]) -> Command {
        let mut ssh = self.ssh_options();
        ssh.args(["-o", "BatchMode=yes", "-i"]).arg(self.place.path("id")).args(more);
        ssh.arg(format!("{}@127.0.0.1", self.user));
        ssh
    }

    /// OpenSSH's client that logs in as `user` by answering prompts: `password`, and `code` where
    /// the prompt says so. More options decide on keys and methods.
    pub fn ssh_answering(&self, user: &str, password: &str, code: &str, more: &[&str]) -> Command {
        let mut ssh = self.ssh_options();
        answers(&self.place, &mut ssh, password, code);
        ssh.args(more).arg("-l").arg(user).arg("127.0.0.1");
        ssh
    }

    /// Runs a command line in a session.
    #[track_caller]
    pub fn run(&self, command: &str) -> Done {
        finish(self.ssh(&[]).arg(command), b"")
    }

    /// Everything the server has said.
    pub fn log(&self) -> String {
        self.place.read("log")
    }

    /// Waits for a text in the log.
    #[track_caller]
    pub fn logs(&self, text: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.log().contains(text) {
            assert!(is_alive(self.pid()), "the server is gone: {}", self.log());
            assert!(Instant::now() < end, "{text:?} is not in the log: {}", self.log());
            sleep(TICK);
        }
    }

    /// The password file.
    pub fn store(&self) -> Store {
        Store::open(self.place.path("state/passwd")).unwrap()
    }

    /// Enrols a one-time code; the secret is fixed.
    pub fn enrol(&self, name: &str) {
        self.store().set_totp(name, Some(SecretBytes::new(SECRET.to_vec())), None).unwrap();
    }

    /// Adds a name with `nacre passwd`.
    pub fn add(&self, name: &str, password: &str) {
        let mut passwd = nacre();
        passwd.args(["passwd", "--state"]).arg(self.place.path("state")).args([name, "--stdin"]);
        let done = finish(&mut passwd, format!("{password}\n").as_bytes());
        assert_eq!(done.code, 0, "{}", done.err);
    }

    /// A bare connection.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends the server a signal.
    pub fn signal(&self, name: &str) {
        send(self.pid(), name);
    }

    /// Waits for the server's end.
    #[track_caller]
    pub fn ends(&mut self) -> i32 {
        let status = wait(&mut self.child);
        code(status.unwrap_or_else(|| panic!("the server does not end: {}", self.log())))
    }

    /// How many bytes the server has read.
    pub fn bytes_read(&self) -> u64 {
        bytes_read(self.pid())
    }

    /// A line of the server's /proc/PID/status, in its unit.
    pub fn status(&self, field: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Time on the processor so far, in clock ticks (10 ms).
    pub fn ticks(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// What the server's descriptors are open on.
    pub fn descriptors(&self) -> Vec<String> {
        let list = std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap();
        let target = |entry: std::io::Result<std::fs::DirEntry>| std::fs::read_link(entry.ok()?.path()).ok();
        list.filter_map(target).map(|path| path.display().to_string()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The secret of one-time codes in tests.
pub const SECRET: &[u8] = b"a fake secret of tests";

/// The one-time code of now.
pub fn code_now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    nacre_crypto::totp(SECRET, now)
}

fn configure(place: &Scratch, lines: &str) {
    // What is below a Match must stay last.
    let (global, matches) = lines.split_at(lines.find("Match ").unwrap_or(lines.len()));
    place.write("config", &format!("{global}\n{}{matches}\n", base(place)));
}

/// Has an ssh answer what it is asked.
pub fn answers(place: &Scratch, ssh: &mut Command, password: &str, code: &str) {
    let script = "#!/bin/sh\ncase \"$1\" in *code*) echo \"$ANSWER_CODE\";; *) echo \"$ANSWER_PASSWORD\";; esac\n";
    let path = place.path("askpass");
    if !path.exists() {
        use std::os::unix::fs::PermissionsExt;
        let new = place.write(&format!("askpass-{:?}", std::thread::current().id()), script);
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o700)).unwrap();
        // A script that is still open for writing in a child of another thread cannot run.
        std::fs::rename(new, &path).unwrap();
    }
    ssh.env("SSH_ASKPASS", path).env("SSH_ASKPASS_REQUIRE", "force").env("DISPLAY", "none");
    ssh.env("ANSWER_PASSWORD", password).env("ANSWER_CODE", code);
}

/// The command that serves from this folder.
pub fn serve(place: &Scratch, port: u16) -> Command {
    let mut command = with_plain_shell(place);
    let log = std::fs::File::create(place.path("log")).unwrap();
    command.args(["serve", "--user-mode", "--state"]).arg(place.path("state")).arg("-f").arg(place.path("config"));
    command.arg("--listen").arg(format!("127.0.0.1:{port}"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command
}

/// The program, in a view of the files where this account's shell is `sh`: what a tester's own shell
/// does at its start must not slow sessions down or write into them. Only root can have that view.
fn with_plain_shell(place: &Scratch) -> Command {
    if !nacre_sys::privileges::is_root() {
        return nacre();
    }
    let list = std::fs::read_to_string("/etc/passwd").unwrap();
    let own_home = place.path("home");
    let line = |line: &str| match line.rsplitn(3, ':').collect::<Vec<_>>()[..] {
        // A test that makes a home folder has it as the account's.
        [_, _, rest] if line.starts_with("root:") && own_home.exists() => {
            format!("{rest}:{}:/bin/sh\n", own_home.display())
        }
        [_, home, rest] if line.starts_with("root:") => format!("{rest}:{home}:/bin/sh\n"),
        _ => format!("{line}\n"),
    };
    let passwd = place.write("passwd", &list.lines().map(line).collect::<String>());
    let mut command = program("unshare");
    let script = "mount --bind \"$1\" /etc/passwd && shift && exec \"$@\"";
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(passwd).arg(env!("CARGO_BIN_EXE_nacre"));
    command
}

/// Sends a process a signal.
pub fn send(pid: u32, name: &str) {
    let done = finish(program("kill").arg(format!("-{name}")).arg(pid.to_string()), b"");
    assert_eq!(done.code, 0, "{}", done.err);
}

/// How many bytes a process has read, and those of its children that it has waited for.
pub fn bytes_read(pid: u32) -> u64 {
    let counts = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap();
    counts.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
}

/// True while a process is there and no zombie.
pub fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}
