//! Foreign servers for the client's tests, each on a free port of 127.0.0.1 with files of its own.
//!
//! They run as root in a mount namespace in which /etc/passwd and /etc/shadow are the test's, so that
//! there are accounts with known passwords and homes without a trace left on the machine.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub use crate::common::free_port;
use crate::common::{Scratch, nacre, program};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// An account that is not root, with this password.
pub const TESTER: &str = "tester";
/// Its password.
pub const PASSWORD: &str = "correct horse";
/// Longest wait for a server to answer.
const PATIENCE: Duration = Duration::from_secs(180);

/// A running server.
pub struct Peer {
    child: Child,
    pub port: u16,
    log: std::path::PathBuf,
}

/// The folder of a test with everything that the servers and the client need:
/// `host_ed25519`, `host_rsa`, `id` (may log in as root), `home/.ssh`.
pub fn place() -> Scratch {
    let place = Scratch::new();
    for name in ["home/.ssh", "tester"] {
        std::fs::create_dir_all(place.path(name)).unwrap();
    }
    for (name, kind) in [("host_ed25519", "ed25519"), ("id", "ed25519")] {
        make_key(&place, name, &["-t", kind]);
    }
    std::fs::copy(place.path("id.pub"), place.path("home/.ssh/authorized_keys")).unwrap();
    set_mode(&place.path("home"), 0o700);
    set_mode(&place.path("home/.ssh"), 0o700);
    set_mode(&place.path("home/.ssh/authorized_keys"), 0o600);
    place
}

pub fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Makes a key without passphrase, or as `more` says, with ssh-keygen.
pub fn make_key(place: &Scratch, name: &str, more: &[&str]) {
    let passphrase: &[&str] = if more.contains(&"-N") { &[] } else { &["-N", ""] };
    let mut keygen = require("ssh-keygen", "openssh-client");
    let out = keygen.arg("-q").args(more).args(passphrase).arg("-f").arg(place.path(name)).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

/// A foreign program, or a failure that says how to get it.
pub fn require(name: &str, package: &str) -> Command {
    let found = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"]
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.exists());
    let path = found.unwrap_or_else(|| panic!("{name} is missing: apt-get install {package}"));
    program(path.to_str().unwrap())
}

/// The accounts of the namespace: root with a home in `place` and no password, and [`TESTER`].
fn accounts(place: &Scratch) {
    let (home, tester) = (place.path("home"), place.path("tester"));
    let system = std::fs::read_to_string("/etc/passwd").unwrap();
    let others: String = system.lines().filter(|line| !line.starts_with("root:")).map(|l| format!("{l}\n")).collect();
    place.write(
        "passwd",
        &format!(
            "root:x:0:0:root:{}:/bin/sh\n{others}{TESTER}:x:54321:54321::{}:/bin/sh\n",
            home.display(),
            tester.display()
        ),
    );
    let hash = require("openssl", "openssl").args(["passwd", "-6", "-salt", "saltsalt", PASSWORD]).output().unwrap();
    let hash = String::from_utf8(hash.stdout).unwrap();
    place.write("shadow", &format!("root:*:19000::::::\nsshd:!:19000::::::\n{TESTER}:{}:19000::::::\n", hash.trim()));
}

impl Peer {
    /// OpenSSH's server. `config` comes first, so that it wins.
    pub fn sshd(place: &Scratch, config: &str) -> Self {
        std::fs::create_dir_all("/run/sshd").unwrap();
        let port = free_port();
        let host_key = if config.contains("HostKey ") { String::new() } else { host_key(place, "host_ed25519") };
        let text = format!(
            "{config}\n{host_key}Port {port}\nListenAddress 127.0.0.1\nUsePAM no\nStrictModes no\nPidFile none\n\
             PermitRootLogin yes\nAcceptEnv LC_* TEST_*\nSubsystem sftp internal-sftp\nLogLevel VERBOSE\n",
        );
        let file = place.write("sshd_config", &text);
        let sshd = require("sshd", "openssh-server").get_program().to_owned();
        let args = ["-D".into(), "-e".into(), "-f".into(), file.into_os_string()];
        Self::start(place, sshd.to_str().unwrap(), &args, port)
    }

    /// Dropbear's server.
    pub fn dropbear(place: &Scratch, more: &[&str]) -> Self {
        let port = free_port();
        let key = place.path("host_dropbear");
        if !key.exists() {
            let made = require("dropbearkey", "dropbear-bin").args(["-t", "ed25519", "-f"]).arg(&key).output().unwrap();
            assert!(made.status.success(), "{made:?}");
        }
        let dropbear = require("dropbear", "dropbear-bin").get_program().to_owned();
        // The file for its number is removed at its end, so it must be one of ours.
        let number = place.path("dropbear.pid").into_os_string();
        let mut args: Vec<std::ffi::OsString> = vec!["-F".into(), "-E".into(), "-P".into(), number];
        args.extend(["-r".into(), key.into_os_string()]);
        args.extend(["-p".into(), format!("127.0.0.1:{port}").into()]);
        args.extend(more.iter().map(std::ffi::OsString::from));
        Self::start(place, dropbear.to_str().unwrap(), &args, port)
    }

    fn start(place: &Scratch, server: &str, args: &[std::ffi::OsString], port: u16) -> Self {
        accounts(place);
        let log = place.path(&format!("log.{port}"));
        let script = "mount --bind \"$1\" /etc/passwd && mount --bind \"$2\" /etc/shadow && shift 2 && exec \"$@\"";
        let child = require("unshare", "util-linux")
            .args(["--mount", "sh", "-c", script, "sh"])
            .args([place.path("passwd"), place.path("shadow")])
            .arg(server)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut peer = Self { child, port, log };
        peer.await_answer();
        peer
    }

    /// Waits until the server says its first word.
    fn await_answer(&mut self) {
        let end = Instant::now() + PATIENCE;
        loop {
            let answers = TcpStream::connect(("127.0.0.1", self.port)).is_ok_and(|mut stream| {
                let mut word = [0; 4];
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream.read_exact(&mut word).is_ok() && word == *b"SSH-"
            });
            if answers {
                return;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < end, "the server does not answer ({ended:?}): {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What the server has to say for itself.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The name under which known_hosts has it.
    pub fn name(&self) -> String {
        format!("[127.0.0.1]:{}", self.port)
    }

    /// `nacre ssh` for this server, as the tester who is root, with the key `id`: nothing is asked, nothing of the
    /// tester's own is read. Options, then the host, then the command follow.
    pub fn client(&self, place: &Scratch) -> Command {
        let mut command = nacre();
        command
            .args(self.words(place))
            .arg("-i")
            .arg(place.path("id"))
            .args(["-o", "StrictHostKeyChecking=accept-new"]);
        command.env("HOME", place.path("home"));
        command
    }

    /// The words that every call needs.
    pub fn words(&self, place: &Scratch) -> Vec<String> {
        let known = format!("UserKnownHostsFile={}", place.path("known_hosts").display());
        let words = ["ssh", "-F", "none", "-p", &self.port.to_string(), "-o", &known];
        let none = ["-o", "GlobalKnownHostsFile=none"];
        words.into_iter().chain(none).map(str::to_owned).collect()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The configuration line for a host key.
pub fn host_key(place: &Scratch, name: &str) -> String {
    format!("HostKey {}\n", place.path(name).display())
}

/// What came of a call: exit code, standard output, standard error.
pub struct Outcome {
    pub code: i32,
    pub out: Vec<u8>,
    pub err: String,
}

impl Outcome {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }
}

/// Runs a command to its end, with `input` on standard input.
#[track_caller]
pub fn run(command: &mut Command, input: &[u8]) -> Outcome {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let out = std::thread::scope(|scope| {
        scope.spawn(move || {
            let _ = stdin.write_all(input);
        });
        child.wait_with_output().unwrap()
    });
    let code = out.status.code().unwrap_or_else(|| panic!("ended by a signal: {:?}", out.status));
    Outcome { code, out: out.stdout, err: String::from_utf8_lossy(&out.stderr).into_owned() }
}

/// Bytes that do not repeat soon.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
