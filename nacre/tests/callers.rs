//! Programs that call `ssh` themselves: git, rsync, sshfs, an editor, ansible. Each with our client and OpenSSH's server, OpenSSH's client
//! and our server, and ours at both ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/peer.rs"]
mod peer;
#[path = "common/serve.rs"]
mod serve;

use common::{Scratch, program};
use peer::{Peer, noise, require, set_mode};
use serve::{Done, Server, eventually, finish, free_port};
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A client and a server, of which one at least is ours, and an `ssh` that leads from one to the other as `there`.
struct Pair {
    name: &'static str,
    ends: Ends,
}

enum Ends {
    Theirs { place: Scratch, _server: Peer },
    Ours(Server),
}

impl Pair {
    fn all() -> Vec<Self> {
        let nacre = Path::new(env!("CARGO_BIN_EXE_nacre"));
        let openssh = require("ssh", "openssh-client").get_program().to_owned();
        let place = peer::place();
        let server = Peer::sshd(&place, "AcceptEnv GIT_PROTOCOL\nMaxSessions 10");
        let port = server.port;
        let theirs = Self { name: "our client", ends: Ends::Theirs { place, _server: server } };
        theirs.prepare(nacre, port, "root");
        let mut pairs = vec![theirs];
        for (name, client) in [("our server", Path::new(&openssh)), ("both ours", nacre)] {
            let server = Server::start("AcceptEnv GIT_PROTOCOL\nSubsystem sftp internal-sftp\n");
            let (port, user) = (server.port, server.user.clone());
            let pair = Self { name, ends: Ends::Ours(server) };
            pair.prepare(client, port, &user);
            pairs.push(pair);
        }
        pairs
    }

    fn place(&self) -> &Scratch {
        match &self.ends {
            Ends::Theirs { place, .. } => place,
            Ends::Ours(server) => &server.place,
        }
    }

    fn prepare(&self, client: &Path, port: u16, user: &str) {
        let place = self.place();
        let at = |name: &str| place.path(name).display().to_string();
        let config = format!(
            "Host there\n  HostName 127.0.0.1\n  Port {port}\n  User {user}\n  IdentityFile {}\n  IdentitiesOnly yes\n  \
             UserKnownHostsFile {}\n  StrictHostKeyChecking accept-new\n  LogLevel ERROR\n",
            at("id"),
            at("known_hosts"),
        );
        let config = place.write("ssh_config", &config);
        fs::create_dir(place.path("bin")).unwrap();
        let link = place.path("bin/real/ssh");
        fs::create_dir(place.path("bin/real")).unwrap();
        std::os::unix::fs::symlink(client, &link).unwrap();
        let ssh = format!("#!/bin/sh\nexec {} -F {} \"$@\"\n", link.display(), config.display());
        place.write("bin/ssh", &ssh);
        set_mode(&place.path("bin/ssh"), 0o755);
    }

    /// `sftp` and `scp` beside `ssh`, of the same maker.
    fn with_copiers(&self) {
        let place = self.place();
        let ssh = fs::read_link(place.path("bin/real/ssh")).unwrap();
        let ours = ssh == Path::new(env!("CARGO_BIN_EXE_nacre"));
        for name in ["sftp", "scp"] {
            let real = match ours {
                true => place.path(&format!("bin/real/{name}")),
                false => PathBuf::from(name),
            };
            if ours {
                std::os::unix::fs::symlink(&ssh, &real).unwrap();
            }
            let script = format!(
                "#!/bin/sh\nexec {} -F {} -S {} \"$@\"\n",
                real.display(),
                place.path("ssh_config").display(),
                self.ssh().display()
            );
            place.write(&format!("bin/{name}"), &script);
            set_mode(&place.path(&format!("bin/{name}")), 0o755);
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place().path(name)
    }

    fn ssh(&self) -> PathBuf {
        self.path("bin/ssh")
    }

    /// A path on the other side, which is this machine, too.
    fn there(&self, name: &str) -> String {
        format!("there:{}", self.path(name).display())
    }

    #[track_caller]
    fn good(&self, done: Done) -> String {
        assert_eq!(done.code, 0, "{}: {}{}", self.name, done.out, done.err);
        done.out
    }
}

/// A stream for `git fast-import` with one commit of this many files.
fn history(files: usize) -> String {
    let mut stream = String::new();
    for number in 1..=files {
        let text = format!("file {number}\n");
        let _ = write!(stream, "blob\nmark :{number}\ndata {}\n{text}\n", text.len());
    }
    stream.push_str("commit refs/heads/main\ncommitter x <x@example.invalid> 1700000000 +0000\ndata 4\nall\n\n");
    for number in 1..=files {
        let _ = writeln!(stream, "M 100644 :{number} {}/{number}", number % 300);
    }
    stream
}

fn git(pair: &Pair, words: &[&str], input: &[u8]) -> String {
    let mut git = require("git", "git");
    git.env("GIT_SSH", pair.ssh()).env("HOME", pair.place().root()).current_dir(pair.place().root());
    git.args(["-c", "user.name=x", "-c", "user.email=x@example.invalid", "-c", "safe.directory=*", "-c", "gc.auto=0"]);
    pair.good(finish(git.args(words), input))
}

#[test]
fn git_clones_fetches_and_pushes_fifty_thousand_objects() {
    let stream = history(50_000);
    for pair in Pair::all() {
        let git = |words: &[&str], input: &[u8]| git(&pair, words, input);
        git(&["init", "-q", "--bare", "-b", "main", "origin"], b"");
        git(&["-C", "origin", "fast-import", "--quiet"], stream.as_bytes());
        git(&["clone", "-q", "--bare", &pair.there("origin"), "copy"], b"");
        let count = git(&["-C", "copy", "count-objects", "-v"], b"");
        let packed = count.lines().find_map(|line| line.strip_prefix("in-pack: ")).unwrap();
        assert!(packed.parse::<u32>().unwrap() > 50_000, "{}: {count}", pair.name);

        let more = "commit refs/heads/more\ncommitter x <x@example.invalid> 1700000001 +0000\ndata 4\nmore\nfrom refs/heads/main^0\n\n";
        git(&["-C", "origin", "fast-import", "--quiet"], more.as_bytes());
        git(&["-C", "copy", "fetch", "-q", "origin", "more:more"], b"");
        git(&["-C", "copy", "branch", "own", "main"], b"");
        let own = more.replace("heads/more", "heads/own").replace("main^0", "own^0");
        git(&["-C", "copy", "fast-import", "--quiet"], own.as_bytes());
        git(&["-C", "copy", "push", "-q", "origin", "own"], b"");
        for (one, other, name) in [("origin", "copy", "more"), ("copy", "origin", "own")] {
            let [one, other] = [one, other].map(|place| git(&["-C", place, "rev-parse", name], b""));
            assert_eq!(one, other, "{}: {name}", pair.name);
        }
    }
}

/// A tree with large and small, deep and empty.
fn tree(root: &Path) {
    fs::create_dir_all(root.join("deep/er")).unwrap();
    fs::create_dir(root.join("empty")).unwrap();
    fs::write(root.join("large"), noise(3_000_017)).unwrap();
    for number in 0..200 {
        fs::write(root.join(format!("deep/er/{number}")), format!("{number}\n")).unwrap();
    }
}

fn same(pair: &Pair, one: &Path, other: &Path) {
    pair.good(finish(program("diff").arg("-r").args([one, other]), b""));
}

#[test]
fn rsync_both_ways() {
    for pair in Pair::all() {
        let [tree_here, there, back] = ["tree", "there", "back"].map(|name| pair.path(name));
        tree(&tree_here);
        let rsync = |from: &str, to: &str| {
            let mut rsync = require("rsync", "rsync");
            rsync.args(["-a", "--delete", "-e"]).arg(pair.ssh()).args([from, to]);
            pair.good(finish(&mut rsync, b""));
        };
        let slash = |path: String| format!("{path}/");
        rsync(&slash(tree_here.display().to_string()), &pair.there("there"));
        same(&pair, &tree_here, &there);
        fs::remove_file(there.join("deep/er/7")).unwrap();
        fs::write(there.join("large"), noise(2_000_000)).unwrap();
        rsync(&slash(pair.there("there")), &back.display().to_string());
        rsync(&slash(pair.there("there")), &tree_here.display().to_string());
        same(&pair, &there, &back);
        same(&pair, &there, &tree_here);
    }
}

/// A mount that goes with the test.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = program("umount").arg("-l").arg(&self.0).stderr(Stdio::null()).status();
    }
}

#[test]
fn sshfs_reads_and_writes() {
    if !Path::new("/dev/fuse").exists() {
        eprintln!("NOT RUN: there is no /dev/fuse");
        return;
    }
    for pair in Pair::all() {
        let [root, mount] = ["tree", "mount"].map(|name| pair.path(name));
        tree(&root);
        fs::create_dir(&mount).unwrap();
        let mut sshfs = require("sshfs", "sshfs");
        sshfs.arg("-f").arg("-o").arg(format!("ssh_command={}", pair.ssh().display()));
        sshfs.arg(pair.there("tree")).arg(&mount);
        let mut child = sshfs.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mounted = Mounted(mount.clone());
        let mut ended = None;
        eventually("a file system", || {
            ended = child.try_wait().unwrap();
            ended.is_some() || mount.join("large").exists()
        });
        if let Some(status) = ended {
            let why = std::io::read_to_string(child.stderr.take().unwrap()).unwrap_or_default();
            // A container may have the device and not be allowed to mount.
            assert!(why.contains("fuse") && why.contains("ermitted"), "{}: {status}: {why}", pair.name);
            eprintln!("NOT RUN: this test may not mount: {why}");
            return;
        }
        same(&pair, &root, &mount);
        fs::write(mount.join("new"), noise(500_000)).unwrap();
        fs::rename(mount.join("new"), mount.join("large")).unwrap();
        assert!(fs::read(root.join("large")).unwrap() == noise(500_000), "{}", pair.name);
        drop(mounted);
        eventually("its end", || child.try_wait().unwrap().is_some());
    }
}

/// VS Code: a script on standard input of a shell, a SOCKS port that leads to what the script starts, no terminal.
#[test]
fn an_editor_starts_its_server_and_reaches_it() {
    for pair in Pair::all() {
        let version = finish(Command::new(pair.ssh()).arg("-V"), b"");
        assert!(version.code == 0 && version.err.starts_with("OpenSSH_"), "{}: {}", pair.name, version.err);
        let inner = TcpListener::bind("127.0.0.1:0").unwrap();
        let inner_port = inner.local_addr().unwrap().port();
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = inner.accept().unwrap();
            stream.write_all(b"editor's server\n").unwrap();
        });
        let port = free_port();
        let mut ssh = Command::new(pair.ssh());
        ssh.args(["-T", "-D", &port.to_string(), "-o", "ConnectTimeout=15", "there", "bash"]);
        let mut child = ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut script = child.stdin.take().unwrap();
        script
            .write_all(b"echo \"at $SSH_CONNECTION\"; test -t 0 || echo no terminal; echo ready; read end; exit 3\n")
            .unwrap();
        let mut out = String::new();
        let mut stdout = child.stdout.take().unwrap();
        while !out.contains("ready\n") {
            let mut piece = [0; 4096];
            let n = stdout.read(&mut piece).unwrap();
            assert!(n > 0, "{}: {out}", pair.name);
            out.push_str(std::str::from_utf8(&piece[..n]).unwrap());
        }
        assert!(out.contains("at 127.0.0.1 ") && out.contains("no terminal"), "{}: {out}", pair.name);
        assert_eq!(through_socks(port, inner_port), "editor's server\n", "{}", pair.name);
        answering.join().unwrap();
        script.write_all(b"now\n").unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(3), "{}", pair.name);
    }
}

/// What a server on port `to` says, reached through SOCKS 5 on port `socks`.
fn through_socks(socks: u16, to: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", socks)).unwrap();
    stream.write_all(&[5, 1, 0]).unwrap();
    let mut chosen = [0; 2];
    stream.read_exact(&mut chosen).unwrap();
    assert_eq!(chosen, [5, 0]);
    stream.write_all(&[&[5, 1, 0, 1, 127, 0, 0, 1][..], &to.to_be_bytes()].concat()).unwrap();
    let mut answer = [0; 10];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer[..2], [5, 0]);
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// ansible, told of our programs, that copies by `method` and gives ssh these arguments.
fn ansible(pair: &Pair, method: &str, ssh_args: Option<&str>, module: &[&str]) -> Command {
    let at = |name: &str| pair.path(name).display().to_string();
    let mut ansible = require("ansible", "ansible-core");
    ansible.args(["there", "-i", "there,", "-m"]).args(module);
    ansible.args(["-e", "ansible_python_interpreter=/usr/bin/python3"]);
    for name in ["ssh", "sftp", "scp"] {
        ansible.args(["-e", &format!("ansible_{name}_executable={}", at(&format!("bin/{name}")))]);
    }
    ansible.args(["-e", &format!("ansible_remote_tmp={}", at("ansible/remote"))]);
    ansible
        .env("HOME", at("ansible"))
        .env("ANSIBLE_NOCOLOR", "1")
        .env("ANSIBLE_TIMEOUT", "120")
        .env("ANSIBLE_LOCAL_TEMP", at("ansible/local"));
    ansible.env("ANSIBLE_SSH_TRANSFER_METHOD", method).env("ANSIBLE_HOST_KEY_CHECKING", "False");
    if let Some(args) = ssh_args {
        ansible.env("ANSIBLE_SSH_ARGS", args);
    }
    ansible
}

#[test]
fn ansible_pings_copies_and_runs() {
    for pair in Pair::all() {
        let at = |name: &str| pair.path(name).display().to_string();
        fs::create_dir(pair.path("ansible")).unwrap();
        pair.place().write("source", "copied\n");
        let run = |module: &[&str]| {
            pair.good(finish(&mut ansible(&pair, "piped", Some("-C -o ControlMaster=no"), module), b""))
        };
        assert!(run(&["ping"]).contains("pong"), "{}", pair.name);
        let words = format!("src={} dest={}", at("source"), at("copied"));
        assert!(run(&["copy", "-a", &words]).contains("CHANGED"), "{}", pair.name);
        assert_eq!(pair.place().read("copied"), "copied\n", "{}", pair.name);
        assert!(run(&["shell", "-a", "echo $((6 * 7)); exit 0"]).contains("42"), "{}", pair.name);
    }
}

/// With what ansible does when nobody tells it anything: one connection that is shared and stays, and files by sftp.
#[test]
fn ansible_shares_a_connection_and_copies_by_sftp_and_scp() {
    for pair in Pair::all() {
        let at = |name: &str| pair.path(name).display().to_string();
        fs::create_dir(pair.path("ansible")).unwrap();
        pair.with_copiers();
        let copy = |method: &str| {
            pair.place().write("source", &format!("copied by {method}\n"));
            let words = format!("src={} dest={}", at("source"), at(method));
            let told = pair.good(finish(&mut ansible(&pair, method, None, &["copy", "-a", &words]), b""));
            assert!(told.contains("CHANGED"), "{} {method}: {told}", pair.name);
            assert_eq!(pair.place().read(method), format!("copied by {method}\n"), "{}", pair.name);
        };
        ["sftp", "scp", "piped"].into_iter().for_each(copy);
        let sockets: Vec<_> =
            fs::read_dir(pair.path("ansible/.ansible/cp")).unwrap().map(|e| e.unwrap().path()).collect();
        assert_eq!(sockets.len(), 1, "{}: {sockets:?}", pair.name);
        for order in ["check", "exit"] {
            let mut ssh = program(pair.ssh().to_str().unwrap());
            ssh.arg("-S").arg(&sockets[0]).args(["-O", order, "there"]);
            pair.good(finish(&mut ssh, b""));
        }
        if let Ends::Ours(server) = &pair.ends {
            assert_eq!(server.log().matches("Accepted publickey").count(), 1, "{}: {}", pair.name, server.log());
        }
    }
}
