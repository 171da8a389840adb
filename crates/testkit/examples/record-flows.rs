//! Records `vectors/flows` anew with this machine's OpenSSH:
//! `cargo run -p nacre-testkit --example record-flows [NAME...]`.

use nacre_proto::Role;
use nacre_proto::algorithm::{CipherAlgorithm as Cipher, KexMethod as Kex, MacAlgorithm as Mac, SignatureAlgorithm};
use nacre_testkit::flow::{Entry, Flow, Header, Login, Outcome, Player, Task, folder};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What is recorded.
struct Plan {
    name: &'static str,
    kex: Kex,
    cipher: Cipher,
    mac: Mac,
    host_key: SignatureAlgorithm,
    login: Login,
    does: Does,
    peer_rekey: Option<&'static str>,
    own_rekey: Option<u64>,
}

/// What happens after login.
#[derive(Clone, Copy)]
enum Does {
    /// A command and its input.
    Run(&'static str, &'static str),
    /// A client on a terminal, whose size changes; a server runs the command on a terminal.
    Terminal(&'static str),
}

/// An ordinary recording.
const ORDINARY: Plan = Plan {
    name: "",
    kex: Kex::Curve25519,
    cipher: Cipher::Aes256Gcm,
    mac: Mac::HmacSha256Etm,
    host_key: SignatureAlgorithm::Ed25519,
    login: Login::PublicKey,
    does: Does::Run("exit 3", ""),
    peer_rekey: None,
    own_rekey: None,
};

/// OpenSSH's client at our server, then our client at OpenSSH's server.
fn plans() -> Vec<Plan> {
    let talk = Does::Run("cat", "what goes out comes back");
    let fail = Does::Run("echo a line of output; echo a line of errors >&2; exit 3", "");
    let pour = Does::Run("head -c 9000 /dev/zero", "");
    let (ctr256, plain) = (Cipher::Aes256Ctr, Mac::HmacSha256);
    vec![
        Plan { name: "server-aes256-gcm-curve25519", does: talk, ..ORDINARY },
        Plan {
            name: "server-chacha20-sntrup761",
            kex: Kex::Sntrup761X25519OpenSsh,
            cipher: Cipher::ChaCha20Poly1305,
            ..ORDINARY
        },
        Plan {
            name: "server-aes256-ctr-etm-nistp256",
            kex: Kex::EcdhNistp256,
            cipher: ctr256,
            mac: Mac::HmacSha512Etm,
            does: talk,
            ..ORDINARY
        },
        Plan { name: "server-aes128-ctr-plain", cipher: Cipher::Aes128Ctr, mac: plain, ..ORDINARY },
        Plan {
            name: "server-aes192-ctr-etm-rsa-host-key",
            cipher: Cipher::Aes192Ctr,
            host_key: SignatureAlgorithm::RsaSha512,
            ..ORDINARY
        },
        Plan { name: "server-aes128-gcm-password", cipher: Cipher::Aes128Gcm, login: Login::Password, ..ORDINARY },
        Plan {
            name: "server-chacha20-keyboard-interactive",
            cipher: Cipher::ChaCha20Poly1305,
            login: Login::KeyboardInteractive,
            ..ORDINARY
        },
        Plan { name: "server-aes256-gcm-refused", login: Login::Refused, ..ORDINARY },
        Plan { name: "server-aes256-gcm-rekey", does: Does::Run("pour 9000", ""), peer_rekey: Some("4K"), ..ORDINARY },
        Plan {
            name: "server-aes256-ctr-plain-rekey",
            cipher: ctr256,
            mac: plain,
            does: Does::Run("pour 9000", ""),
            peer_rekey: Some("4K"),
            ..ORDINARY
        },
        Plan { name: "server-aes256-ctr-etm-terminal", cipher: ctr256, does: Does::Terminal(""), ..ORDINARY },
        Plan { name: "client-aes256-gcm-curve25519", does: talk, ..ORDINARY },
        Plan {
            name: "client-chacha20-sntrup761",
            kex: Kex::Sntrup761X25519OpenSsh,
            cipher: Cipher::ChaCha20Poly1305,
            does: fail,
            ..ORDINARY
        },
        Plan {
            name: "client-aes256-ctr-etm-nistp256",
            kex: Kex::EcdhNistp256,
            cipher: ctr256,
            mac: Mac::HmacSha512Etm,
            does: talk,
            ..ORDINARY
        },
        Plan { name: "client-aes128-ctr-plain", cipher: Cipher::Aes128Ctr, mac: plain, does: fail, ..ORDINARY },
        Plan {
            name: "client-aes192-ctr-etm-rsa-host-key",
            cipher: Cipher::Aes192Ctr,
            host_key: SignatureAlgorithm::RsaSha512,
            does: fail,
            ..ORDINARY
        },
        Plan {
            name: "client-aes128-gcm-terminal",
            cipher: Cipher::Aes128Gcm,
            does: Does::Terminal("stty size"),
            ..ORDINARY
        },
        Plan { name: "client-aes256-gcm-refused", login: Login::Refused, does: fail, ..ORDINARY },
        Plan {
            name: "client-chacha20-rekey",
            cipher: Cipher::ChaCha20Poly1305,
            does: pour,
            peer_rekey: Some("4K"),
            ..ORDINARY
        },
        Plan { name: "client-aes256-gcm-own-rekey", does: pour, own_rekey: Some(4096), ..ORDINARY },
    ]
}

impl Plan {
    fn role(&self) -> Role {
        if self.name.starts_with("client") { Role::Client } else { Role::Server }
    }

    fn header(&self, seed: u64, user: &str) -> Header {
        let (doing, task) = match (self.role(), self.does) {
            (Role::Server, Does::Run(command, _)) => (format!("runs `{command}`"), Task::Serve),
            (Role::Server, Does::Terminal(_)) => ("opens a shell, changes the terminal's size".into(), Task::Serve),
            (Role::Client, Does::Run(command, input)) => ("serves".into(), Task::Run(command.into(), input.into())),
            (Role::Client, Does::Terminal(command)) => ("serves".into(), Task::RunOnTerminal(command.into())),
        };
        let rekey = self.peer_rekey.map(|limit| format!(", renews keys after {limit}")).unwrap_or_default();
        let who = if self.role() == Role::Server { "OpenSSH's client" } else { "OpenSSH's server" };
        Header {
            name: self.name.into(),
            peer: String::new(),
            about: format!("{who} {doing}{rekey}"),
            role: self.role(),
            user: if self.role() == Role::Server { "alice".into() } else { user.into() },
            seed,
            kex: self.kex,
            host_key: self.host_key,
            cipher: self.cipher,
            mac: self.mac,
            login: self.login,
            task,
            rekey: self.own_rekey,
            outcome: if self.login == Login::Refused { Outcome::Refused } else { Outcome::Accepted },
        }
    }

    fn host_key_file(&self) -> &'static str {
        if self.host_key == SignatureAlgorithm::Ed25519 { "host-ed25519" } else { "host-rsa" }
    }

    fn algorithms(&self, options: &mut Vec<String>) {
        options.push(format!("KexAlgorithms={}", self.kex));
        options.push(format!("HostKeyAlgorithms={}", self.host_key));
        options.push(format!("Ciphers={}", self.cipher));
        options.push(format!("MACs={}", self.mac));
        options.extend(self.peer_rekey.map(|limit| format!("RekeyLimit={limit}")));
    }

    /// OpenSSH's client, told to connect to `port`.
    fn ssh(&self, port: u16, files: &Path) -> Command {
        let key = if self.login == Login::Refused { "other-ed25519" } else { "user-ed25519" };
        let method = match self.login {
            Login::PublicKey | Login::Refused => "publickey",
            Login::Password => "password",
            Login::KeyboardInteractive => "keyboard-interactive",
        };
        let mut options = vec![
            "UserKnownHostsFile=/dev/null".into(),
            "GlobalKnownHostsFile=/dev/null".into(),
            "StrictHostKeyChecking=no".into(),
            "UpdateHostKeys=no".into(),
            "LogLevel=ERROR".into(),
            "IdentitiesOnly=yes".into(),
            "IdentityAgent=none".into(),
            format!("IdentityFile={}", files.join(key).display()),
            format!("PreferredAuthentications={method}"),
        ];
        self.algorithms(&mut options);
        let mut words: Vec<String> = ["ssh", "-F", "none", "-l", "alice", "-p"].map(String::from).into();
        words.push(port.to_string());
        words.extend(options.iter().flat_map(|option| ["-o".to_owned(), option.clone()]));
        let mut command = match self.does {
            Does::Run(run, _) => {
                words.extend(["127.0.0.1".into(), run.into()]);
                let mut command = Command::new("ssh");
                command.args(&words[1..]);
                command
            }
            Does::Terminal(_) => {
                let resize = "stty rows 24 cols 80; (sleep 2; stty rows 40 cols 100 </dev/tty) &";
                let mut command = Command::new("script");
                command.args(["-qec", &format!("{resize} exec {} -tt 127.0.0.1", words.join(" ")), "/dev/null"]);
                command
            }
        };
        command.env("SSH_ASKPASS", files.join("askpass")).env("SSH_ASKPASS_REQUIRE", "force").env("TERM", "xterm");
        command
    }

    /// OpenSSH's server on a connection.
    fn sshd(&self, stream: &TcpStream, files: &Path) -> Command {
        let mut options = vec![
            format!("HostKey={}", files.join(self.host_key_file()).display()),
            format!("AuthorizedKeysFile={}", files.join("user-ed25519.pub").display()),
            "StrictModes=no".into(),
            "PermitRootLogin=yes".into(),
            "PasswordAuthentication=no".into(),
            "KbdInteractiveAuthentication=no".into(),
            "UsePAM=no".into(),
            "PrintMotd=no".into(),
            "PrintLastLog=no".into(),
            "PidFile=none".into(),
            "LogLevel=QUIET".into(),
        ];
        self.algorithms(&mut options);
        let mut command = Command::new("/usr/sbin/sshd");
        command.args(["-i", "-f", "/dev/null"]);
        command.args(options.iter().flat_map(|option| ["-o", option]));
        let end = || Stdio::from(OwnedFd::from(stream.try_clone().expect("a copy of the socket")));
        command.stdin(end()).stdout(end());
        command
    }

    /// Starts the peer; the other end of its connection is ours.
    fn start(&self, files: &Path) -> (TcpStream, Child) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        if self.role() == Role::Client {
            let ours = TcpStream::connect(address).expect("a connection");
            let (theirs, _) = listener.accept().expect("its other end");
            return (ours, self.sshd(&theirs, files).spawn().expect("sshd"));
        }
        let mut child = self
            .ssh(address.port(), files)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("ssh");
        if let Does::Run(_, input) = self.does {
            let mut stdin = child.stdin.take().expect("its input");
            stdin.write_all(input.as_bytes()).expect("its input taken");
        }
        (listener.accept().expect("a connection").0, child)
    }

    fn record(&self, seed: u64, files: &Path, user: &str) -> Flow {
        let mut header = self.header(seed, user);
        let (mut stream, mut child) = self.start(files);
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
        let mut player = Player::new(&header);
        let mut entries = Vec::new();
        say(&mut player, &mut stream, &mut entries);
        let (mut buffer, mut unit) = (vec![0; 1 << 16], Vec::new());
        // Byte by byte, so that what we say stands after exactly the packet that made us say it.
        while !player.is_over() {
            let read = stream.read(&mut buffer).expect("the peer goes on");
            if read == 0 {
                player.feed_end();
                say(&mut player, &mut stream, &mut entries);
            }
            for byte in &buffer[..read] {
                player.feed(&[*byte]);
                unit.push(*byte);
                if player.is_between_packets() {
                    entries.push(Entry::In(std::mem::take(&mut unit)));
                }
                say(&mut player, &mut stream, &mut entries);
                if player.is_over() {
                    break;
                }
            }
        }
        assert!(unit.is_empty(), "{}: half a packet is left", self.name);
        drop(stream);
        child.wait().expect("the peer ends");
        assert_eq!(player.outcome(), header.outcome, "{}: {:?} {:#?}", self.name, player.end.error, player.events());
        let Some(Entry::In(ident)) = entries.iter().find(|entry| matches!(entry, Entry::In(_))) else {
            panic!("{}: the peer said nothing", self.name)
        };
        header.peer = String::from_utf8_lossy(ident).trim_end().to_owned();
        Flow { header, entries, events: player.events() }
    }
}

fn say(player: &mut Player, stream: &mut TcpStream, entries: &mut Vec<Entry>) {
    let said = player.take();
    if !said.is_empty() {
        // A peer that has left already does not hear our last words.
        let _ = stream.write_all(&said);
        entries.push(Entry::Out(said));
    }
}

/// Copies of the test keys that OpenSSH takes: nobody else may read them.
fn files() -> PathBuf {
    let to = std::env::temp_dir().join(format!("nacre-record-{}", std::process::id()));
    fs::create_dir_all(&to).expect("a folder");
    let keys = fs::read_dir(folder().join("keys")).expect("vectors/keys");
    for file in keys.map(|file| file.expect("a file").path()) {
        let copy = to.join(file.file_name().expect("a name"));
        fs::copy(&file, &copy).expect("a copy");
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).expect("its mode");
    }
    let askpass = "#!/bin/sh\ncase $1 in *assword*) echo correct horse;; *) echo 123456;; esac\n";
    fs::write(to.join("askpass"), askpass).expect("a script");
    fs::set_permissions(to.join("askpass"), fs::Permissions::from_mode(0o700)).expect("its mode");
    to
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let files = files();
    let user = Command::new("id").arg("-un").output().expect("id");
    let user = String::from_utf8_lossy(&user.stdout).trim().to_owned();
    for (seed, plan) in (1..).zip(plans()) {
        if !wanted.is_empty() && !wanted.iter().any(|name| name == plan.name) {
            continue;
        }
        let text = plan.record(seed, &files, &user).print();
        fs::write(folder().join("flows").join(format!("{}.flow", plan.name)), &text).expect("the file");
        println!("{} ({} KiB)", plan.name, text.len() / 1024);
    }
    fs::remove_dir_all(files).expect("the copies gone");
}
