//! Servers of four makes.

use crate::keys::{KeyType, Owner, authorized, key};
use crate::process::kill_family;
use crate::programs::{nacre, ours, system};
use crate::run::{until, wait};
use std::fs::File;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// Who made a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    Nacre,
    OpenSsh,
    Dropbear,
    Russh,
}

/// What a server is to be.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Who made it.
    pub make: Make,
    /// Types of its host keys.
    pub host_keys: Vec<KeyType>,
    /// Lines of sshd_config that come before all others (Nacre and OpenSSH).
    pub lines: Vec<String>,
    /// Further words of its command line.
    pub words: Vec<String>,
    /// Nacre as root serves the machine's accounts; otherwise it serves the running one.
    pub root_mode: bool,
    /// The server sees accounts of our making in place of the machine's: [`GUEST`] with
    /// [`PASSWORD`], and root, both at home in the server's folder. Only root can do that.
    pub own_accounts: bool,
}

/// The account that exists only for servers with accounts of our making.
pub const GUEST: &str = "interop";

/// Its password, and root's.
pub const PASSWORD: &str = "interop password";

/// Its number.
const GUEST_ID: u32 = 54_321;

/// [`PASSWORD`] as shadow(5) keeps it.
const PASSWORD_HASH: &str =
    "$6$interopsalt$hRsOOrX.zFuThrM/hzZg5rtbBvm6LDaqHWt28q0ugmFtb6TMwVgfsEGkoMDRuhzIsQNo.38tqIdDhtAb7cPsk1";

impl Setup {
    /// A server with every type of host key and every algorithm it knows switched on.
    pub fn new(make: Make) -> Self {
        let host_keys = match make {
            // Four keys are all that Dropbear takes.
            Make::Dropbear => vec![KeyType::Ed25519, KeyType::Ecdsa256, KeyType::Rsa],
            _ => KeyType::ALL.to_vec(),
        };
        // Wherever it can be had: what a developer's own shell does at its start is slow, and may
        // wait for another's. Dropbear cannot do without, as it looks for authorized_keys only in
        // the home folder that the list of accounts names.
        let own_accounts = make == Make::Dropbear || can_have_own_accounts();
        // The same tests hold for both modes: `cargo xtask test` runs them twice.
        let root_mode = make == Make::Nacre && std::env::var_os("NACRE_SERVES_AS_ROOT").is_some();
        assert!(!root_mode || own_accounts, "NACRE_SERVES_AS_ROOT is for root with `unshare --mount`");
        Self { make, host_keys, lines: Vec::new(), words: Vec::new(), root_mode, own_accounts }
    }

    /// With a line of configuration.
    pub fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// With words on its command line.
    pub fn words(mut self, words: &[&str]) -> Self {
        self.words.extend(words.iter().map(|word| (*word).to_owned()));
        self
    }

    /// With host keys of these types only.
    pub fn host_keys(mut self, kinds: &[KeyType]) -> Self {
        self.host_keys = kinds.to_vec();
        self
    }

    /// Nacre as root, serving all accounts.
    pub fn as_root(mut self) -> Self {
        self.own_accounts = true;
        self.root_mode = true;
        self
    }

    /// Starts it and waits until it greets.
    ///
    /// # Panics
    /// It does not.
    pub fn start(self) -> Server {
        Server::start(self)
    }
}

/// A server that runs until this is dropped.
#[derive(Debug)]
pub struct Server {
    /// Who made it.
    pub make: Make,
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// Its files: `state` (Nacre's state), `log`, `config`, `known_hosts`, `home`.
    pub folder: TempDir,
    child: Child,
}

impl Server {
    fn start(setup: Setup) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let place = Place { folder: folder.path(), port };
        place.write("authorized_keys", &authorized());
        place.known_hosts(&setup.host_keys);
        let mut command = match setup.make {
            Make::Nacre => place.nacre(&setup),
            Make::OpenSsh => place.openssh(&setup),
            Make::Dropbear => place.dropbear(&setup),
            Make::Russh => place.russh(&setup),
        };
        if setup.own_accounts {
            command = place.with_accounts(&command);
        }
        let log = File::create(folder.path().join("log")).expect("a log");
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut server = Self { make: setup.make, port, folder, child };
        server.greet(&command);
        server
    }

    fn greet(&mut self, command: &Command) {
        let port = self.port;
        until("a server's greeting", || {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                panic!("{command:?} ended, {status}:\n{}", self.log());
            }
            let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
            stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
            let mut greeting = [0; 4];
            stream.read_exact(&mut greeting).ok().filter(|()| greeting == *b"SSH-")
        });
    }

    /// The process id of the process that listens.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.path("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// One of its files.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Asks it to end as an operator would, and says with which code it did.
    pub fn terminate(&mut self) -> i32 {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("a child can be sent a signal");
        wait(&mut self.child, crate::run::LIMIT).map_or(-1, crate::run::code)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.try_wait().ok().flatten().is_none() {
            kill_family(self.child.id());
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- log of the {:?} server\n{}---", self.make, self.log());
        }
    }
}

/// Where a server's files go and where it listens.
struct Place<'a> {
    folder: &'a Path,
    port: u16,
}

impl Place<'_> {
    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.join(name), text).expect("a file of a server");
    }

    /// The host's keys as clients know them.
    fn known_hosts(&self, kinds: &[KeyType]) {
        let lines = kinds.iter().map(|kind| format!("[127.0.0.1]:{} {}\n", self.port, key(Owner::Host, *kind).line()));
        self.write("known_hosts", &lines.collect::<String>());
    }

    /// What sshd and `nacre serve` read alike. The first value of a word wins.
    fn sshd_config(&self, setup: &Setup) -> String {
        let mut lines = setup.lines.clone();
        lines.extend(
            setup.host_keys.iter().map(|kind| format!("HostKey {}", key(Owner::Host, *kind).private.display())),
        );
        lines.push(format!("AuthorizedKeysFile {}", self.folder.join("authorized_keys").display()));
        lines.extend(
            [
                "ListenAddress 127.0.0.1",
                "StrictModes no",
                "PidFile none",
                "PermitRootLogin yes",
                "MaxStartups 400",
                "KexAlgorithms +ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,\
                 diffie-hellman-group14-sha256,diffie-hellman-group16-sha512",
                "MACs +hmac-sha2-256,hmac-sha2-512",
                "HostKeyAlgorithms +ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521",
                "LogLevel DEBUG1",
            ]
            .map(str::to_owned),
        );
        lines.join("\n") + "\n"
    }

    fn nacre(&self, setup: &Setup) -> Command {
        // The tests come from one address and some misbehave: that they are not locked out is a
        // matter of configuration.
        self.write("config", &(self.sshd_config(setup) + "PerSourcePenalties no\n"));
        let mut command = Command::new(nacre());
        command.arg("serve").args(["-D", "-e", "-f"]).arg(self.folder.join("config"));
        command.args(["-p", &self.port.to_string(), "--state"]).arg(self.folder.join("state")).args(&setup.words);
        if !setup.root_mode {
            command.arg("--user-mode");
        }
        command
    }

    fn openssh(&self, setup: &Setup) -> Command {
        if crate::programs::is_root() {
            std::fs::create_dir_all("/run/sshd").expect("sshd wants this folder");
        }
        self.write("config", &(self.sshd_config(setup) + "UsePAM no\n"));
        let mut command = Command::new(system("sshd"));
        command.args(["-D", "-e", "-f"]).arg(self.folder.join("config")).args(["-p", &self.port.to_string()]);
        command.args(&setup.words);
        command
    }

    fn dropbear(&self, setup: &Setup) -> Command {
        let mut command = Command::new(system("dropbear"));
        command.args(["-F", "-E", "-m", "-p", &format!("127.0.0.1:{}", self.port)]);
        command.arg("-P").arg(self.folder.join("pid"));
        for kind in &setup.host_keys {
            command.arg("-r").arg(key(Owner::Host, *kind).dropbear);
        }
        command.args(&setup.words);
        command
    }

    /// The same command, in a view of the files of its own where other lists of accounts hold.
    fn with_accounts(&self, command: &Command) -> Command {
        // The guest goes through the folder to its home, and the server reads its keys as the guest.
        std::fs::set_permissions(self.folder, std::fs::Permissions::from_mode(0o755)).expect("an open folder");
        let (root, guest) = (self.home("root-home", 0), self.home("home", GUEST_ID));
        let passwd = format!("root:x:0:0::{root}:/bin/sh\n{GUEST}:x:{GUEST_ID}:{GUEST_ID}::{guest}:/bin/sh\n");
        let shadow = ["root", GUEST].map(|name| format!("{name}:{PASSWORD_HASH}:19000:0:99999:7:::\n")).concat();
        self.write("passwd", &accounts("/etc/passwd", &passwd));
        self.write("shadow", &accounts("/etc/shadow", &shadow));
        let secret = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(self.folder.join("shadow"), secret).expect("a file for root alone");
        let mut wrapped = Command::new("unshare");
        let script = "mount --bind \"$1\" /etc/passwd && mount --bind \"$2\" /etc/shadow && shift 2 && exec \"$@\"";
        wrapped.args(["--mount", "sh", "-c", script, "sh"]);
        wrapped.arg(self.folder.join("passwd")).arg(self.folder.join("shadow"));
        wrapped.arg(command.get_program()).args(command.get_args());
        wrapped
    }

    /// A home folder with keys in it that belongs to `owner`, as strict servers want it.
    fn home(&self, name: &str, owner: u32) -> String {
        let home = self.folder.join(name);
        let ssh = home.join(".ssh");
        std::fs::create_dir_all(&ssh).expect("a home folder");
        std::fs::write(ssh.join("authorized_keys"), authorized()).expect("a user's keys");
        for path in [&home, &ssh, &ssh.join("authorized_keys")] {
            std::os::unix::fs::chown(path, Some(owner), Some(owner)).expect("a home folder of its owner");
        }
        home.display().to_string()
    }

    fn russh(&self, setup: &Setup) -> Command {
        let mut command = Command::new(ours("russh-server"));
        command.args(["--port", &self.port.to_string()]);
        for kind in &setup.host_keys {
            command.arg("--host-key").arg(key(Owner::Host, *kind).private);
        }
        command.arg("--authorized").arg(self.folder.join("authorized_keys")).args(&setup.words);
        command
    }
}

/// The machine's list with `ours` in front and without root's own line.
fn accounts(list: &str, ours: &str) -> String {
    let machine = std::fs::read_to_string(list).expect("root reads the lists of accounts");
    let others = machine.lines().filter(|line| !line.starts_with("root:")).map(|line| format!("{line}\n"));
    ours.to_owned() + &others.collect::<String>()
}

/// Whether a server can be given accounts of our making: only root can, and not in every container.
fn can_have_own_accounts() -> bool {
    static CAN: OnceLock<bool> = OnceLock::new();
    let probe = || Command::new("unshare").args(["--mount", "true"]).stderr(Stdio::null()).status();
    *CAN.get_or_init(|| probe().is_ok_and(|status| status.success()))
}

/// A port that nobody listens on, below those that the system gives to outgoing connections.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % 100) as u16 * 100;
    loop {
        let port = 21_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
