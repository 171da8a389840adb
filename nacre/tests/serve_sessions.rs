//! Sessions of `nacre serve`, asked for by OpenSSH's client and by Dropbear's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/serve.rs"]
mod serve;
#[path = "common/terminal.rs"]
mod terminal;

use common::program;
use serve::{Server, eventually, finish, is_alive, own_name, send};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use terminal::Terminal;

#[test]
fn commands_their_output_and_their_codes() {
    let server = Server::start("");
    let done = server.run("echo out; echo err >&2; exit 7");
    assert_eq!((done.code, done.out.as_str(), done.err.as_str()), (7, "out\n", "err\n"), "{}", server.log());
    for code in [0, 1, 127, 255] {
        assert_eq!(server.run(&format!("exit {code}")).code, code);
    }
    assert_eq!(server.run("no-such-program-of-nacre").code, 127);
    // One argument of the shell, whatever is in it (threat C11).
    assert_eq!(server.run("printf '%s|' 'a b' \"$0\" ';id'").out.split('|').next(), Some("a b"));
    let mut dropbear = program("dbclient");
    dropbear.env("HOME", server.place.root()).args(["-y", "-y", "-p", &server.port.to_string(), "-l", &server.user]);
    let key = server.place.path("id");
    let convert = ["openssh", "dropbear"];
    let done = finish(program("dropbearconvert").args(convert).arg(&key).arg(server.place.path("db")), b"");
    assert_eq!(done.code, 0, "{}", done.err);
    let done = finish(dropbear.arg("-i").arg(server.place.path("db")).args(["127.0.0.1", "cat; exit 9"]), b"in\n");
    assert_eq!((done.code, done.out.as_str()), (9, "in\n"), "{}", done.err);
}

#[test]
fn a_signal_that_ends_the_command_is_told() {
    let server = Server::start("");
    let done = finish(server.ssh(&["-v"]).arg("kill -TERM $$"), b"");
    assert_eq!(done.code, 255);
    assert!(done.err.contains("rtype exit-signal"), "{}", done.err);
    server.logs("ended, signal TERM");
}

#[test]
fn input_that_comes_before_the_command_runs_is_not_lost() {
    let server = Server::start("");
    for round in 0..10 {
        let input = format!("{round}\n").repeat(1 + 1000 * round);
        let done = finish(server.ssh(&[]).arg("cat"), input.as_bytes());
        assert_eq!(done.out.len(), input.len(), "round {round}: {}", done.err);
    }
    let much: Vec<u8> = (0..8_000_000u32).map(|n| b'a' + (n % 23) as u8).collect();
    let done = finish(server.ssh(&[]).arg("cat"), &much);
    assert!(done.out.as_bytes() == much, "{} of {} bytes", done.out.len(), much.len());
    assert_eq!(finish(server.ssh(&[]).arg("exec true"), &much).code, 0, "input that nobody reads");
}

#[test]
fn an_end_after_the_streams_is_heard() {
    let server = Server::start("ClientAliveInterval 0");
    let done = server.run("exec </dev/null >&- 2>&-; sleep 1; exit 3");
    assert_eq!(done.code, 3);
}

#[test]
fn what_a_command_leaves_behind_runs_on() {
    let server = Server::start("");
    let done = server.run("sleep 300 </dev/null >/dev/null 2>&1 & echo $!");
    let pid: u32 = done.out.trim().parse().unwrap();
    server.logs("disconnected");
    assert!(is_alive(pid), "nothing may end what the command left");
    send(pid, "KILL");
}

#[test]
fn output_that_comes_after_the_end_still_arrives() {
    let server = Server::start("");
    let done = server.run("(sleep 1; echo late) & echo early; exit 4");
    assert_eq!((done.code, done.out.as_str()), (4, "early\nlate\n"), "{}", server.log());
}

#[test]
fn p03_a_connection_at_rest_uses_no_processor() {
    let server = Server::start("ClientAliveInterval 0");
    // The command has ended; something still holds its output.
    let mut client = server.ssh(&[]).arg("sleep 300 & echo $!; exit 4").spawn_piped();
    let mut out = BufReader::new(client.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let sleeper: u32 = line.trim().parse().unwrap();
    server.logs("ended, exit status 4");
    let (before, since) = (server.ticks(), Instant::now());
    while since.elapsed() < Duration::from_secs(2) {
        std::thread::sleep(Duration::from_millis(100));
    }
    let used = server.ticks() - before;
    assert!(used <= 20, "{used} ticks in two seconds at rest");
    send(sleeper, "KILL");
    assert_eq!(client.wait().unwrap().code(), Some(4));
}

/// A command that ignores hang-ups, and its process id.
fn stubborn(mut command: std::process::Command) -> (Child, u32) {
    command.arg("trap '' HUP PIPE; echo $$; while :; do sleep 1; done");
    let mut client = command.spawn_piped();
    let mut line = String::new();
    BufReader::new(client.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (client, line.trim().parse().unwrap())
}

#[test]
fn c12_a_session_dies_with_its_connection() {
    let server = Server::start("");
    let (mut client, pid) = stubborn(server.ssh(&[]));
    assert!(is_alive(pid));
    client.kill().unwrap();
    client.wait().unwrap();
    eventually("the end of the process", || !is_alive(pid));
    assert_eq!(server.run("echo still here").out, "still here\n");
}

/// A connection that several clients share.
struct Shared<'a> {
    server: &'a Server,
    master: Child,
    socket: String,
}

impl<'a> Shared<'a> {
    fn new(server: &'a Server) -> Self {
        // Short, since the path of a socket may have 107 bytes.
        let socket = format!("/tmp/nacre-{}-{}", std::process::id(), server.port);
        let master = server.ssh(&["-N", "-M", "-S", &socket]).spawn_piped();
        eventually("the shared connection", || std::path::Path::new(&socket).exists());
        Self { server, master, socket }
    }

    fn ssh(&self) -> std::process::Command {
        // What the shared connection refuses is not to be tried on a connection of its own.
        self.server.ssh(&["-S", &self.socket, "-o", "ControlMaster=no", "-o", "ProxyCommand=false"])
    }
}

impl Drop for Shared<'_> {
    fn drop(&mut self) {
        let _ = self.master.kill();
        let _ = self.master.wait();
        let _ = std::fs::remove_file(&self.socket);
    }
}

#[test]
fn c12_a_session_dies_with_its_channel_while_the_connection_lives() {
    let server = Server::start("");
    let shared = Shared::new(&server);
    let (mut client, pid) = stubborn(shared.ssh());
    client.kill().unwrap();
    client.wait().unwrap();
    assert_eq!(finish(shared.ssh().arg("echo meanwhile"), b"").out, "meanwhile\n");
    eventually("the end of the process", || !is_alive(pid));
    assert_eq!(finish(shared.ssh().arg("echo after"), b"").out, "after\n");
    assert_eq!(server.log().matches("Accepted publickey").count(), 1);
}

#[test]
fn c04_as_many_sessions_as_max_sessions_says() {
    let server = Server::start("MaxSessions 2");
    let shared = Shared::new(&server);
    let (mut one, first) = stubborn(shared.ssh());
    let (mut other, second) = stubborn(shared.ssh());
    let third = finish(shared.ssh().arg("echo third"), b"");
    assert_ne!(third.out, "third\n");
    send(first, "KILL");
    one.wait().unwrap();
    eventually("the freed place", || finish(shared.ssh().arg("echo third"), b"").out == "third\n");
    send(second, "KILL");
    other.wait().unwrap();
}

#[test]
fn c09_only_harmless_variables_are_taken() {
    let server = Server::start("SetEnv FROM_CONFIG=yes MAIL=/from/config\nAcceptEnv LANG LC_* NO_COLOR FROM_*");
    let ask = |set: &str| {
        let done = finish(server.ssh(&["-o", &format!("SetEnv {set}")]).arg("env"), b"");
        assert_eq!(done.code, 0, "{}", done.err);
        done.out
    };
    let env = ask("LD_PRELOAD=/x.so LANG=C LC_FAKE=one PATH=/evil HOME=/evil BASH_ENV=/evil FROM_CONFIG=no NO_COLOR=1");
    let has = |line: &str| env.lines().any(|known| known == line);
    for line in
        ["LANG=C", "LC_FAKE=one", "NO_COLOR=1", "FROM_CONFIG=yes", "MAIL=/from/config", &format!("USER={}", own_name())]
    {
        assert!(has(line), "{line} is not in {env}");
    }
    assert!(!env.contains("/x.so") && !env.contains("/evil"), "{env}");
    assert!(env.lines().any(|line| line.starts_with("SSH_CONNECTION=127.0.0.1 ")), "{env}");
    let many: Vec<String> = (0..500).map(|n| format!("LC_N{n}=v")).collect();
    let env = ask(&many.join(" "));
    assert_eq!(env.lines().filter(|line| line.starts_with("LC_N")).count(), 128);
    let large: Vec<String> = (0..100).map(|n| format!("LC_L{n}={}", "v".repeat(4000))).collect();
    let file = server.place.write("large", &format!("SetEnv {}\n", large.join(" ")));
    let env = finish(server.ssh(&["-F", file.to_str().unwrap()]).arg("env"), b"").out;
    let kept = env.lines().filter(|line| line.starts_with("LC_L")).count();
    assert!((20..=32).contains(&kept), "{kept} variables of 4 KB were kept");
}

#[test]
fn c11_a_session_inherits_three_descriptors_and_leads_its_own_session() {
    let server = Server::start("");
    for _ in 0..3 {
        let _idle = server.connect();
        assert_eq!(server.run("ls /proc/$$/fd; true").out, "0\n1\n2\n");
    }
    let ids = server.run("cat /proc/$$/stat; true").out;
    let fields: Vec<&str> = ids.rsplit(") ").next().unwrap().split(' ').collect();
    let pid = ids.split(' ').next().unwrap();
    assert_eq!((fields[2], fields[3]), (pid, pid), "process group and session are its own");
    let masks = server.run("grep -E '^Sig(Blk|Ign)' /proc/self/status; true").out;
    assert!(masks.lines().all(|line| line.ends_with("0000000000000000")), "{masks}");
}

#[test]
fn c11_subsystems_are_exact_names() {
    let server = Server::start("Subsystem hello echo hello; echo $SSH_CLIENT\nSubsystem inner internal-sftp");
    let ask = |name: &str| finish(server.ssh(&["-s"]).arg(name), b"");
    let done = ask("hello");
    assert!(done.code == 0 && done.out.starts_with("hello\n127.0.0.1 "), "{done:?}");
    let done = ask("inner");
    assert!(done.code == 0 && done.out.is_empty() && done.err.is_empty(), "{done:?}");
    for name in ["hell", "hello;id", "HELLO", " hello", "sftp;id"] {
        let done = ask(name);
        assert!(done.code != 0 && done.out.is_empty(), "{name:?}: {done:?}");
    }
    server.logs("subsystem hello;id refused: no such subsystem is configured");
    assert_eq!(server.run("echo alive").out, "alive\n");
}

#[test]
fn c10_a_terminal_with_a_size_that_changes_and_a_signal_key() {
    let server = Server::start("");
    let mut ssh = server.ssh(&["-tt"]);
    ssh.env("TERM", "xterm-256color");
    let mut terminal = Terminal::runs(&ssh, 80, 24);
    terminal.types("PS1='ready> '; unset PROMPT_COMMAND; bind 'set enable-bracketed-paste off'");
    terminal.sees("ready> ");
    terminal.types("echo $TERM-$(stty size)-$(tty)-$SSH_TTY");
    terminal.sees("xterm-256color-24 80-/dev/pts/");
    terminal.types("while [ \"$(stty size)\" != '50 132' ]; do sleep 0.1; done; echo res''ized");
    terminal.resize(132, 50);
    terminal.sees("resized");
    // A prompt of the shell behind it throws away what is typed too early, so each step is waited for.
    terminal.types("sh -c 'trap \"echo cau\"\"ght; exit 7\" INT; echo wa\"\"its; while :; do sleep 0.1; done'");
    terminal.sees("waits\r\n");
    terminal.presses(b"\x03");
    terminal.sees("caught");
    terminal.sees("ready> ");
    terminal.types("exit 5");
    assert_eq!(terminal.ends(), 5);
    eventually("the terminal's end", || !server.descriptors().iter().any(|path| path.contains("ptmx")));
}

#[test]
fn c12_a_terminal_that_hangs_up_takes_its_jobs() {
    let server = Server::start("");
    let mut terminal = Terminal::runs(&server.ssh(&["-tt"]), 80, 24);
    // What is typed is shown, too, so it does not hold what is waited for.
    terminal.types("trap '' HUP; echo pi''d=$$=; sleep 300");
    terminal.sees("pid=");
    terminal.sees("=\r\n");
    let pid: u32 = terminal.between("pid=", "=\r\n").parse().unwrap();
    terminal.hang_up();
    eventually("the end of the shell", || !is_alive(pid));
    eventually("the terminal's end", || !server.descriptors().iter().any(|path| path.contains("ptmx")));
}

/// A program on pipes that the test talks to.
trait SpawnPiped {
    fn spawn_piped(&mut self) -> Child;
}

impl SpawnPiped for std::process::Command {
    fn spawn_piped(&mut self) -> Child {
        self.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    }
}

#[test]
fn c12_a_client_that_vanishes_in_mid_transfer_leaves_nothing() {
    let server = Server::start("");
    assert_eq!(server.run("exit 0").code, 0);
    server.logs("disconnected");
    let before = server.descriptors().len();
    for _ in 0..5 {
        let mut client = server.ssh(&[]).arg("cat /dev/zero & cat >/dev/null").spawn_piped();
        let mut input = client.stdin.take().unwrap();
        let _ = input.write_all(&vec![0; 1 << 20]);
        client.kill().unwrap();
        client.wait().unwrap();
    }
    eventually("all descriptors are closed", || server.descriptors().len() <= before);
    eventually("no child is left", || children(&server).is_empty());
}

/// The server's child processes, zombies included.
fn children(server: &Server) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    let of = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
    tasks.flatten().flat_map(|task| of(task).split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn a_guest_of_an_openssh_master_may_send_all_it_has() {
    let server = Server::start("");
    let control = server.place.path("control");
    let path = format!("ControlPath={}", control.display());
    let mut master = server.ssh(&["-M", "-N", "-o", &path]).stdin(Stdio::null()).spawn().unwrap();
    eventually("the master's socket", || control.exists());
    for _ in 0..3 {
        // Much has come in before the command is there to read it, so that the guest's messages are as large as may be.
        let done = finish(server.ssh(&["-o", &path, "-O", "proxy"]).arg("sleep 0.2; wc -c"), &vec![7; 8 << 20]);
        assert_eq!((done.code, done.out.trim()), (0, "8388608"), "{}", done.err);
    }
    let _ = master.kill();
    let _ = master.wait();
}
