//! Shared connections: OpenSSH's client over our master, ours over OpenSSH's, and ours over ours.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/peer.rs"]
mod peer;
#[path = "common/person.rs"]
mod person;
#[path = "common/tunnel.rs"]
mod tunnel;

use common::Scratch;
use peer::{Outcome, Peer, noise, place, require, run};
use person::Person;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tunnel::{Carrier, PATIENCE, echo_server, exchange, free_port};

const HOST: &str = "127.0.0.1";

/// A program that is master or guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Ours,
    OpenSsh,
}
use Who::{OpenSsh, Ours};

/// Every pair of master and guest, one of which is ours.
const PAIRS: [(Who, Who); 3] = [(Ours, OpenSsh), (OpenSsh, Ours), (Ours, Ours)];

struct Sharing {
    place: Scratch,
    peer: Peer,
}

impl Sharing {
    fn new() -> Self {
        let place = place();
        Self::with(place, "MaxSessions 40\nMaxStartups 100")
    }

    /// A server with this configuration, whose key is on record.
    fn with(place: Scratch, config: &str) -> Self {
        let peer = Peer::sshd(&place, config);
        place.write("known_hosts", &format!("{} {}", peer.name(), place.read("host_ed25519.pub")));
        Self { place, peer }
    }

    fn socket(&self) -> PathBuf {
        self.place.path("ctl")
    }

    /// The words of every call, without the program's name.
    fn words(&self) -> Vec<String> {
        let mut words = self.peer.words(&self.place);
        words.remove(0);
        let (id, socket) = (self.place.path("id").display().to_string(), self.socket().display().to_string());
        // A root's shell reads its files slowly.
        let more = ["-i", &id, "-o", "StrictHostKeyChecking=accept-new", "-o", "SetEnv=SHLVL=5", "-S", &socket];
        words.extend(more.map(str::to_owned));
        words
    }

    fn program(&self, who: Who) -> Command {
        let mut command = match who {
            Ours => {
                let mut command = common::nacre();
                command.arg("ssh");
                command
            }
            OpenSsh => require("ssh", "openssh-client"),
        };
        command.args(self.words()).env("HOME", self.place.path("home"));
        command
    }

    /// A call with these words, then the host, then a command.
    fn call(&self, who: Who, words: &[&str], command: &[&str]) -> Command {
        let mut call = self.program(who);
        call.args(words).arg(HOST).args(command);
        call
    }

    fn run(&self, who: Who, words: &[&str], command: &[&str]) -> Outcome {
        run(&mut self.call(who, words, command), b"")
    }

    /// A master without a session.
    fn master(&self, who: Who, words: &[&str]) -> Master {
        let mut call = self.call(who, &[&["-M", "-N"], words].concat(), &[]);
        let mut master = Master(call.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap());
        let end = Instant::now() + PATIENCE;
        while UnixStream::connect(self.socket()).is_err() {
            let ended = master.0.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < end, "no master listens ({ended:?})");
            std::thread::sleep(Duration::from_millis(20));
        }
        master
    }

    /// A person at a terminal who calls with these words.
    fn person(&self, who: Who, words: &[&str]) -> Person {
        let program = match who {
            Ours => PathBuf::from(env!("CARGO_BIN_EXE_nacre")),
            OpenSsh => PathBuf::from(require("ssh", "openssh-client").get_program()),
        };
        let mut all = if who == Ours { vec!["ssh".to_owned()] } else { Vec::new() };
        all.extend(self.words());
        all.extend(words.iter().map(|word| (*word).to_owned()));
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        Person::starts(&program, &self.place.path("home"), &all, &[])
    }
}

struct Master(Child);

impl Master {
    #[track_caller]
    fn ends(&mut self) -> i32 {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code().expect("ended by a signal");
            }
            assert!(Instant::now() < end, "the master does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[track_caller]
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What a listener says first, if there is one.
fn first_word(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect((HOST, port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut word = [0; 4];
    stream.read_exact(&mut word).ok()?;
    Some(String::from_utf8_lossy(&word).into_owned())
}

#[test]
fn check_stop_and_exit() {
    let sharing = Sharing::new();
    for (master, guest) in PAIRS {
        let mut running = sharing.master(master, &[]);
        let found = std::fs::metadata(sharing.socket()).unwrap();
        assert!(found.file_type().is_socket() && found.permissions().mode() & 0o777 == 0o600, "{found:?}");
        let checked = sharing.run(guest, &["-O", "check"], &[]);
        assert_eq!(checked.code, 0, "{}", checked.err);
        assert_eq!(checked.err.trim_end(), format!("Master running (pid={})", running.0.id()));
        let left = sharing.run(guest, &["-O", "exit"], &[]);
        assert_eq!((left.code, left.err.trim_end()), (0, "Exit request sent."));
        running.ends();
        assert!(!sharing.socket().exists());
        let nobody = sharing.run(guest, &["-O", "check"], &[]);
        assert_eq!(nobody.code, 255);
        let line = format!("Control socket connect({}): No such file or directory", sharing.socket().display());
        assert_eq!(nobody.err.trim_end(), line);
        // One that is stopped stays for the session that it carries.
        let mut running = sharing.master(master, &[]);
        let mut last = sharing.call(guest, &[], &["cat; exit 6"]);
        let mut last = last.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        last.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        last.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let stopped = sharing.run(guest, &["-O", "stop"], &[]);
        assert_eq!((stopped.code, stopped.err.trim_end()), (0, "Stop listening request sent."));
        eventually("the socket is gone", || !sharing.socket().exists());
        assert!(running.0.try_wait().unwrap().is_none());
        drop(last.stdin.take());
        assert_eq!(last.wait().unwrap().code(), Some(6));
        running.ends();
    }
}

#[test]
fn sessions_with_their_codes_streams_and_variables() {
    let sharing = Sharing::new();
    for (master, guest) in PAIRS {
        let _running = sharing.master(master, &["-o", "SendEnv=TEST_*"]);
        for code in [0, 1, 44, 255] {
            let done = sharing.run(guest, &[], &[&format!("echo out; echo err >&2; exit {code}")]);
            assert_eq!((done.code, done.text().as_str(), done.err.as_str()), (code, "out\n", "err\n"), "{guest:?}");
        }
        if guest == Ours {
            assert_eq!(sharing.run(guest, &["-O", "proxy"], &["exit 5"]).code, 5);
        }
        let data = noise(9 * 1024 * 1024 + 5);
        let done = run(&mut sharing.call(guest, &[], &["cat"]), &data);
        assert!(done.code == 0 && done.out == data, "{} bytes: {}", done.out.len(), done.err);
        let mut call = sharing.call(guest, &["-o", "SendEnv=TEST_*"], &["echo $TEST_A $OTHER"]);
        assert_eq!(run(call.env("TEST_A", "sent").env("OTHER", "kept"), b"").text(), "sent\n");
        // Nothing is read with -n, and a command ended by a signal has no code.
        let done = run(&mut sharing.call(guest, &["-n"], &["cat"]), b"unread");
        assert_eq!((done.code, done.text().as_str()), (0, ""));
        assert_eq!(sharing.run(guest, &[], &["kill -9 $$"]).code, 255);
        std::fs::remove_file(sharing.socket()).unwrap();
    }
}

#[test]
fn twenty_at_once_over_one_connection() {
    let sharing = Sharing::new();
    for (master, guest) in PAIRS {
        let _running = sharing.master(master, &[]);
        let start = |number: u8| {
            let mut call = sharing.call(guest, &["-o", "ControlMaster=no"], &[&format!("cat; exit {number}")]);
            call.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
        };
        let mut all: Vec<Child> = (0..20).map(start).collect();
        // All of them stand before the first ends.
        for child in &mut all {
            child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        }
        for child in &mut all {
            child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        }
        for (number, mut child) in all.into_iter().enumerate() {
            drop(child.stdin.take());
            assert_eq!(child.wait().unwrap().code(), i32::try_from(number).ok());
        }
        let logins = sharing.peer.log().matches("Accepted publickey").count();
        assert_eq!(logins, 1 + PAIRS.iter().position(|pair| *pair == (master, guest)).unwrap());
        std::fs::remove_file(sharing.socket()).unwrap();
    }
}

#[test]
fn forwardings_come_and_go() {
    let sharing = Sharing::new();
    let echo = echo_server();
    for (master, guest) in PAIRS {
        let _running = sharing.master(master, &[]);
        let ports = [free_port(), free_port(), free_port()];
        let target = format!("{HOST}:{}", sharing.peer.port);
        let words = [
            "-L".to_owned(),
            format!("{}:{target}", ports[0]),
            "-R".to_owned(),
            format!("{}:{target}", ports[1]),
            "-D".to_owned(),
            ports[2].to_string(),
        ];
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ask = |what: &str| sharing.run(guest, &[&["-O", what], words.as_slice()].concat(), &[]);
        for _ in 0..2 {
            // What stands already is there.
            let done = ask("forward");
            assert_eq!((done.code, done.err.as_str()), (0, ""), "{guest:?} over {master:?}");
        }
        assert_eq!(first_word(ports[0]).as_deref(), Some("SSH-"));
        eventually("the server listens", || first_word(ports[1]).as_deref() == Some("SSH-"));
        assert!(TcpStream::connect((HOST, ports[2])).is_ok());
        let done = ask("cancel");
        assert_eq!((done.code, done.err.as_str()), (0, ""), "{guest:?} over {master:?}");
        for port in ports {
            eventually("nobody listens", || TcpStream::connect((HOST, port)).is_err());
        }
        // The server chooses a port, and sockets of the file system.
        let chosen = sharing.run(guest, &["-O", "forward", "-R", &format!("0:{target}")], &[]);
        let port: u16 = chosen.text().trim().parse().unwrap_or_else(|_| panic!("{}", chosen.err));
        assert_eq!(first_word(port).as_deref(), Some("SSH-"));
        let path = sharing.place.path("fwd");
        let spec = format!("{}:{HOST}:{echo}", path.display());
        assert_eq!(sharing.run(guest, &["-O", "forward", "-L", &spec], &[]).code, 0);
        assert_eq!(tunnel::unix_exchange(&path, b"over"), b"overend");
        assert_eq!(sharing.run(guest, &["-O", "cancel", "-L", &spec], &[]).code, 0);
        assert!(UnixStream::connect(&path).is_err());
        let _ = std::fs::remove_file(&path);
        // What cannot be had is said.
        let taken =
            sharing.run(guest, &["-O", "forward", "-L", &format!("{HOST}:{}:{target}", sharing.peer.port)], &[]);
        assert!(taken.code == 255 && taken.err.contains("Port forwarding failed"), "{}", taken.err);
        let unknown = sharing.run(guest, &["-O", "cancel", "-L", &format!("{}:{target}", ports[0])], &[]);
        assert!(unknown.code == 0 && unknown.err.contains("port not forwarded"), "{}", unknown.err);
        std::fs::remove_file(sharing.socket()).unwrap();
    }
}

#[test]
fn standard_input_and_output_lead_elsewhere() {
    let sharing = Sharing::new();
    let echo = format!("{HOST}:{}", echo_server());
    for (master, guest) in PAIRS {
        let _running = sharing.master(master, &[]);
        let data = noise(3 * 1024 * 1024);
        let done = run(&mut sharing.call(guest, &["-W", &echo], &[]), &data);
        assert!(done.code == 0 && done.out == [&data[..], b"end"].concat(), "{}: {}", done.out.len(), done.err);
        let closed = sharing.run(guest, &["-W", &format!("{HOST}:{}", free_port())], &[]);
        assert!(closed.code == 255 && closed.err.contains("Session open refused by peer"), "{}", closed.err);
        std::fs::remove_file(sharing.socket()).unwrap();
    }
}

#[test]
fn a_terminal_with_its_size_escapes_and_end() {
    let sharing = Sharing::new();
    for (master, guest) in PAIRS {
        let _running = sharing.master(master, &[]);
        let mut person = sharing.person(guest, &[HOST]);
        person.types("echo a$((1+1))b; echo $TERM; stty size");
        person.sees("a2b\r\n");
        person.sees("xterm-256color");
        person.sees("24 80\r\n");
        assert!(!person.terminal_is_cooked());
        person.resizes(100, 30);
        person.types("while [ \"$(stty size)\" != '30 100' ]; do sleep 0.05; done; echo re''sized");
        person.sees("resized\r\n");
        if master == Ours {
            person.presses(b"\r~#");
            person.sees("The following connections are open:");
            person.sees("shared session");
        }
        person.types("exit 3");
        person.sees("Shared connection to 127.0.0.1 closed.");
        person.awaits_cooked_terminal();
        assert_eq!(person.ends().0, 3);
        // The escape ends the session alone.
        let mut person = sharing.person(guest, &[HOST]);
        person.types("echo a$((1+1))b");
        person.sees("a2b\r\n");
        person.presses(b"\r~.");
        person.sees("Shared connection to 127.0.0.1 closed.");
        assert_eq!(person.ends().0, 255);
        assert_eq!(sharing.run(guest, &["-O", "check"], &[]).code, 0);
        std::fs::remove_file(sharing.socket()).unwrap();
    }
}

#[test]
fn a_server_that_gives_no_terminal() {
    let sharing = Sharing::with(place(), "PermitTTY no");
    for (master, guest) in PAIRS {
        let _running = sharing.master(master, &[]);
        let mut person = sharing.person(guest, &["-t", HOST, "sleep 1; echo do''ne; exit 4"]);
        person.awaits_cooked_terminal();
        person.sees("done");
        assert_eq!(person.ends().0, 4);
        std::fs::remove_file(sharing.socket()).unwrap();
    }
}

#[test]
fn the_first_call_leaves_a_master_that_goes_by_itself() {
    let sharing = Sharing::new();
    let words = ["-o", "ControlMaster=auto", "-o", "ControlPersist=yes"];
    for (first, second) in [(Ours, OpenSsh), (Ours, Ours), (OpenSsh, Ours)] {
        let before = sharing.peer.log().matches("Accepted publickey").count();
        let done = sharing.run(first, &words, &["cat; exit 4"]);
        assert_eq!(done.code, 4, "{}", done.err);
        assert_eq!(sharing.run(first, &["-O", "check"], &[]).code, 0);
        let done = sharing.run(second, &words, &["echo again; exit 5"]);
        assert_eq!((done.code, done.text().as_str()), (5, "again\n"), "{}", done.err);
        assert_eq!(sharing.peer.log().matches("Accepted publickey").count(), before + 1);
        // Without a time it stays.
        assert_eq!(sharing.run(second, &["-O", "exit"], &[]).code, 0);
        eventually("the master is gone", || !sharing.socket().exists());
    }
    // With one it goes when nobody has come back.
    let done = sharing.run(Ours, &["-o", "ControlMaster=auto", "-o", "ControlPersist=1"], &["true"]);
    assert_eq!(done.code, 0, "{}", done.err);
    eventually("the master is gone", || !sharing.socket().exists());
    // And without ControlPersist with the last session, not with the first.
    let mut call = sharing.call(Ours, &["-o", "ControlMaster=auto"], &["cat"]);
    let mut own = call.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    eventually("the master listens", || UnixStream::connect(sharing.socket()).is_ok());
    let mut guest = sharing.call(OpenSsh, &[], &["cat; echo end"]);
    let mut guest = guest.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    guest.stdin.as_mut().unwrap().write_all(b"x").unwrap();
    guest.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    drop(own.stdin.take());
    drop(guest.stdin.take());
    let mut rest = String::new();
    guest.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
    assert_eq!((rest.as_str(), guest.wait().unwrap().code(), own.wait().unwrap().code()), ("end\n", Some(0), Some(0)));
}

#[test]
fn the_first_call_at_a_terminal_and_in_the_background() {
    let sharing = Sharing::new();
    let words = ["-o", "ControlMaster=auto", "-o", "ControlPersist=yes", HOST];
    let mut person = sharing.person(Ours, &words);
    person.types("echo a$((1+1))b; stty size");
    person.sees("a2b\r\n");
    person.sees("24 80\r\n");
    person.types("exit 3");
    person.sees("Shared connection to 127.0.0.1 closed.");
    assert_eq!(person.ends().0, 3);
    let file = sharing.place.path("written");
    let command = format!("sleep 0.2; echo late > {}", file.display());
    assert_eq!(sharing.run(Ours, &["-f"], &[&command]).code, 0);
    eventually("the command in the background ran", || std::fs::read(&file).is_ok_and(|text| text == b"late\n"));
    assert_eq!(sharing.run(Ours, &["-O", "exit"], &[]).code, 0);
}

#[test]
fn a_dead_masters_socket_makes_way() {
    let sharing = Sharing::new();
    for words in [&["-o", "ControlMaster=auto"][..], &["-M"][..]] {
        drop(UnixListener::bind(sharing.socket()).unwrap());
        let stale = sharing.run(Ours, &["-O", "check"], &[]);
        assert!(stale.code == 255 && stale.err.contains("Connection refused"), "{}", stale.err);
        let done = sharing.run(Ours, words, &["echo fine"]);
        assert_eq!((done.code, done.text().as_str(), done.err.as_str()), (0, "fine\n", ""));
        assert!(!sharing.socket().exists());
    }
    // Who only looks for a master leaves what it finds, and goes alone.
    drop(UnixListener::bind(sharing.socket()).unwrap());
    let done = sharing.run(Ours, &[], &["echo fine"]);
    assert_eq!((done.code, done.text().as_str()), (0, "fine\n"));
    assert!(done.err.contains("Connection refused") && sharing.socket().exists(), "{}", done.err);
    // What is no socket stays, and the call works without sharing.
    std::fs::remove_file(sharing.socket()).unwrap();
    std::fs::write(sharing.socket(), "kept").unwrap();
    let done = sharing.run(Ours, &["-M", "-o", "ControlPersist=yes"], &["echo fine; exit 7"]);
    assert_eq!((done.code, done.text().as_str()), (7, "fine\n"));
    assert!(done.err.contains("already exists, disabling multiplexing"), "{}", done.err);
    assert_eq!(sharing.place.read("ctl"), "kept");
}

#[test]
fn a_master_that_is_killed() {
    let sharing = Sharing::new();
    for (master, guest) in PAIRS {
        let mut running = sharing.master(master, &[]);
        let mut call = sharing.call(guest, &[], &["cat"]);
        let mut child = call.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        running.0.kill().unwrap();
        running.0.wait().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(255));
        // Its socket is in nobody's way.
        let done = sharing.run(Ours, &["-o", "ControlMaster=auto"], &["echo fine"]);
        assert_eq!((done.code, done.text().as_str(), done.err.as_str()), (0, "fine\n", ""));
    }
}

#[test]
fn a_guest_that_is_killed_takes_its_session_along() {
    let sharing = Sharing::new();
    for (master, guest) in PAIRS {
        let _running = sharing.master(master, &[]);
        let mut call = sharing.call(guest, &[], &["echo $$; exec sleep 600"]);
        let mut child = call.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut pid = Vec::new();
        let mut stdout = child.stdout.take().unwrap();
        while pid.last() != Some(&b'\n') {
            let mut byte = [0];
            stdout.read_exact(&mut byte).unwrap();
            pid.push(byte[0]);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // Nobody holds its output any more, though the process there may not have noticed.
        assert_eq!(stdout.read(&mut [0]).unwrap(), 0);
        assert_eq!(sharing.run(guest, &[], &["echo fine"]).text(), "fine\n");
        let pid = String::from_utf8(pid).unwrap();
        let _ = require("kill", "procps").arg(pid.trim()).output();
        std::fs::remove_file(sharing.socket()).unwrap();
    }
}

#[test]
fn g01_garbage_on_the_socket_harms_nobody() {
    let sharing = Sharing::new();
    let running = sharing.master(Ours, &[]);
    let mut session = sharing.call(Ours, &[], &["cat; exit 3"]);
    let mut session = session.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    session.stdin.as_mut().unwrap().write_all(b"x").unwrap();
    session.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    let hello = [0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 4];
    let said: [&[u8]; 8] = [
        b"",
        b"GET / HTTP/1.0\r\n\r\n",
        &[0xff; 64],
        &[0, 0, 0, 0],
        // Another version; no greeting at all; a session without descriptors; one that is cut short.
        &[0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 5],
        &[0, 0, 0, 8, 0x10, 0, 0, 4, 0, 0, 0, 1],
        &[&hello[..], &[0, 0, 0, 44, 0x10, 0, 0, 2], &[0; 44]].concat(),
        &[&hello[..], &[0, 0, 0, 9, 0x10, 0, 0, 2, 0, 0, 0, 1, 9]].concat(),
    ];
    for bytes in said {
        let mut guest = UnixStream::connect(sharing.socket()).unwrap();
        guest.set_read_timeout(Some(PATIENCE)).unwrap();
        guest.write_all(bytes).unwrap();
        guest.shutdown(std::net::Shutdown::Write).unwrap();
        let mut heard = Vec::new();
        guest.read_to_end(&mut heard).unwrap_or_else(|error| panic!("{bytes:?}: {error}"));
        assert!(heard.starts_with(&hello), "{heard:?}");
    }
    // One that never reads what it asks for is not listened to without end.
    let mut deaf = UnixStream::connect(sharing.socket()).unwrap();
    deaf.write_all(&hello).unwrap();
    deaf.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let checks = [0, 0, 0, 8, 0x10, 0, 0, 4, 0, 0, 0, 1].repeat(100_000);
    assert!(deaf.write_all(&checks).is_err());
    let memory = std::fs::read_to_string(format!("/proc/{}/status", running.0.id())).unwrap();
    let resident = memory.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let resident: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(resident < 64 * 1024, "{resident} KiB");
    drop(session.stdin.take());
    assert_eq!(session.wait().unwrap().code(), Some(3));
    assert_eq!(sharing.run(OpenSsh, &["-O", "check"], &[]).code, 0);
}

#[test]
fn another_user_is_no_guest_and_no_master() {
    let sharing = Sharing::new();
    let _running = sharing.master(Ours, &[]);
    // As if the file's mode had let it in.
    for folder in [sharing.place.root().to_owned(), sharing.socket()] {
        peer::set_mode(&folder, 0o777);
    }
    let nobody = |command: &mut Command| {
        use std::os::unix::process::CommandExt;
        command.uid(65534).gid(65534);
    };
    let check = || sharing.call(OpenSsh, &["-O", "check"], &[]);
    assert_eq!(run(&mut check(), b"").code, 0);
    let mut stranger = check();
    nobody(&mut stranger);
    let refused = run(&mut stranger, b"");
    assert!(refused.code == 255 && refused.err.contains("master hello exchange failed"), "{}", refused.err);
    assert_eq!(run(&mut check(), b"").code, 0);
    // A socket that another user put there is not used.
    let path = sharing.place.path("theirs");
    let mut listener = require("ssh-agent", "openssh-client");
    listener.arg("-D").arg("-a").arg(&path);
    nobody(&mut listener);
    let mut listener = Master(listener.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap());
    eventually("it listens", || path.exists());
    let path = path.display().to_string();
    let done = sharing.run(Ours, &["-S", &path], &["echo alone"]);
    assert_eq!((done.code, done.text().as_str()), (0, "alone\n"));
    assert!(done.err.contains("belongs to user 65534"), "{}", done.err);
    assert_eq!(sharing.run(Ours, &["-S", &path, "-O", "check"], &[]).code, 255);
    let _ = listener.0.kill();
}

#[test]
fn a_server_that_allows_one_session() {
    let sharing = Sharing::with(place(), "MaxSessions 1");
    for (master, guest) in PAIRS {
        let mut first = sharing.call(master, &["-M"], &["cat"]);
        let mut first = Master(first.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
        first.0.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        first.0.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        // The guest says why, and goes alone.
        let done = sharing.run(guest, &[], &["echo alone"]);
        assert_eq!((done.code, done.text().as_str()), (0, "alone\n"));
        assert!(done.err.contains("session request failed: Session open refused by peer"), "{}", done.err);
        drop(first.0.stdin.take());
        assert_eq!(first.ends(), 0);
    }
}

#[test]
fn the_person_is_asked() {
    let sharing = Sharing::new();
    let asked = sharing.place.path("asked");
    let script = format!("#!/bin/sh\necho \"$1\" >> {}\ntest -e {}.yes\n", asked.display(), asked.display());
    let askpass = sharing.place.write("askpass", &script);
    peer::set_mode(&askpass, 0o755);
    let mut call = sharing.call(Ours, &["-MM", "-N"], &[]);
    call.env("SSH_ASKPASS", &askpass).env("SSH_ASKPASS_REQUIRE", "force");
    let mut running = Master(call.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap());
    eventually("the master listens", || UnixStream::connect(sharing.socket()).is_ok());
    let denied = sharing.run(OpenSsh, &["-O", "exit"], &[]);
    assert!(denied.code == 255 && denied.err.contains("Permission denied"), "{}", denied.err);
    let alone = sharing.run(Ours, &[], &["echo alone"]);
    assert_eq!((alone.code, alone.text().as_str()), (0, "alone\n"));
    assert!(alone.err.contains("Master refused session request: Permission denied"), "{}", alone.err);
    let spec = format!("{}:h:1", free_port());
    assert_eq!(sharing.run(OpenSsh, &["-O", "forward", "-L", &spec], &[]).code, 255);
    assert_eq!(sharing.run(OpenSsh, &["-O", "check"], &[]).code, 0);
    sharing.place.write("asked.yes", "");
    assert_eq!(sharing.run(OpenSsh, &[], &["echo let in"]).text(), "let in\n");
    assert_eq!(sharing.run(OpenSsh, &["-O", "exit"], &[]).code, 0);
    running.ends();
    let questions = sharing.place.read("asked");
    for question in
        ["Terminate shared connection to 127.0.0.1? ", "Allow shared connection to 127.0.0.1? ", "Open local forward "]
    {
        assert!(questions.contains(question), "{questions}");
    }
}

#[test]
fn files_go_over_a_shared_connection() {
    let sharing = Sharing::new();
    let link = sharing.place.path("ssh");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_nacre"), &link).unwrap();
    let _running = sharing.master(Ours, &[]);
    let data = noise(2 * 1024 * 1024 + 17);
    std::fs::write(sharing.place.path("here"), &data).unwrap();
    let option = format!("ControlPath={}", sharing.socket().display());
    let (here, there) = (sharing.place.path("here"), sharing.place.path("there"));
    let there_spec = format!("{HOST}:{}", there.display());
    let mut foreign = require("scp", "openssh-client");
    foreign.arg("-S").arg(&link);
    let mut own = common::nacre();
    own.arg("scp");
    for mut scp in [foreign, own] {
        let _ = std::fs::remove_file(&there);
        scp.args(["-F", "none", "-o", &option, "-o", "ProxyCommand=false"]).arg(&here).arg(&there_spec);
        let done = run(scp.env("HOME", sharing.place.path("home")), b"");
        assert_eq!(done.code, 0, "{}", done.err);
        assert!(std::fs::read(&there).unwrap() == data);
    }
    let mut sftp = require("sftp", "openssh-client");
    sftp.args(["-F", "none", "-b", "-", "-o", &option, "-o", "ProxyCommand=false", "-S"]).arg(&link).arg(HOST);
    let done = run(sftp.env("HOME", sharing.place.path("home")), format!("ls {}\n", here.display()).as_bytes());
    assert!(done.code == 0 && done.text().contains("/here"), "{}", done.err);
}

#[test]
fn paths_that_cannot_be() {
    let sharing = Sharing::new();
    let long = sharing.place.path(&"x".repeat(200)).display().to_string();
    for words in [&["-S", &long][..], &["-S", &long, "-M"], &["-S", &long, "-O", "check"]] {
        let done = sharing.run(Ours, words, &["true"]);
        assert!(done.code == 255 && done.err.starts_with("ControlPath too long ('"), "{}", done.err);
        assert_eq!(done.err.lines().count(), 1, "{}", done.err);
    }
    let missing = sharing.place.path("no/folder").display().to_string();
    let done = sharing.run(Ours, &["-M", "-S", &missing], &["true"]);
    assert_eq!(
        (done.code, done.err),
        (255, format!("unix_listener: cannot bind to path {missing}: No such file or directory\n"))
    );
    let done = sharing.run(Ours, &["-S", "none", "-O", "check"], &[]);
    assert_eq!((done.code, done.err.as_str()), (255, "No ControlPath specified for \"-O\" command\n"));
    let done = sharing.run(Ours, &["-O", "proxy"], &["true"]);
    assert_eq!(
        done.err,
        format!("Control socket connect({}): No such file or directory\n", sharing.socket().display())
    );
    let done = sharing.run(Ours, &["-O", "sing"], &[]);
    assert_eq!((done.code, done.err.as_str()), (255, "Invalid multiplex command.\n"));
    // With `none` nothing is shared, whatever else is said.
    let done = sharing.run(Ours, &["-o", "ControlMaster=auto", "-o", "ControlPersist=60", "-S", "none"], &["exit 9"]);
    assert_eq!((done.code, done.err.as_str()), (9, ""));
}

#[test]
fn what_a_guest_wants_forwarded() {
    let sharing = Sharing::new();
    let _running = sharing.master(Ours, &[]);
    let port = free_port();
    let spec = format!("{port}:{HOST}:{}", echo_server());
    // What a guest wants forwarded is the master's from then on.
    let done = sharing.run(Ours, &["-L", &spec], &["true"]);
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    assert_eq!(exchange(TcpStream::connect((HOST, port)).unwrap(), b"through"), b"throughend");
    // With -N it stays as long as it is wanted.
    let mut idle = Carrier::start(&mut sharing.call(Ours, &["-N", "-v"], &[]));
    idle.wait_for("using the connection shared at");
    assert_eq!(sharing.run(Ours, &["-O", "exit"], &[]).code, 0);
    assert_eq!(idle.code(), 255);
}
