//! Raw mode and questions on a real controlling terminal.
//!
//! A question needs a process whose controlling terminal it is: this binary starts itself on a pty, as `child` below.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::os::fd::OwnedFd;

use nacre_sys::pty::Pty;
use nacre_sys::spawn::{Child, ChildStdio, ExitStatus, SpawnSpec, spawn};
use nacre_sys::terminal::{RawMode, Tty, encoded_modes, is_tty};
use rustix::termios::{LocalModes, tcgetattr};
use support::{drain, finish, read_until, spec};

const ASK: &str = "NACRE_TEST_ASK";

#[test]
fn child() {
    let Some(kind) = std::env::var_os(ASK) else { return };
    let tty = Tty::open().unwrap();
    let answer = match kind.to_str().unwrap() {
        "hidden" => tty.ask_hidden("Password: ").map(|line| line.map(|line| String::from_utf8(line.to_vec()).unwrap())),
        _ => tty.ask_visible("Sure? "),
    };
    match answer {
        Ok(Some(line)) => println!("answer=[{line}]"),
        Ok(None) => println!("end"),
        Err(err) => println!("error={:?}", err.kind()),
    }
    let echo = tcgetattr(std::io::stdin()).unwrap().local_modes.contains(LocalModes::ECHO);
    println!("echo={echo}");
}

/// A running question, and a view of the terminal that outlives it.
struct Asked {
    child: Child,
    master: OwnedFd,
    watch: OwnedFd,
}

impl Asked {
    fn new(kind: &str) -> Self {
        let exe = std::env::current_exe().unwrap();
        Self::start(kind, |spec| {
            spec.program = exe;
            spec.args = ["--exact", "child", "--nocapture"].map(Into::into).to_vec();
        })
    }

    fn start(kind: &str, change: impl FnOnce(&mut SpawnSpec)) -> Self {
        let pty = Pty::open().unwrap();
        let watch = pty.slave.try_clone().unwrap();
        let mut spec = spec("", ChildStdio::Pty(pty.slave));
        spec.env.push((ASK.into(), kind.into()));
        change(&mut spec);
        Self { child: spawn(spec).unwrap(), master: pty.master, watch }
    }

    fn await_prompt(&self, prompt: &str) {
        read_until(&self.master, prompt);
    }

    fn type_in(&self, keys: &[u8]) {
        assert_eq!(rustix::io::write(&self.master, keys).unwrap(), keys.len());
    }

    fn echoes(&self) -> bool {
        tcgetattr(&self.watch).unwrap().local_modes.contains(LocalModes::ECHO)
    }

    /// All it said from here to its end.
    fn rest(self) -> (ExitStatus, String) {
        let status = finish(&self.child);
        drop(self.watch);
        (status, drain(&self.master))
    }
}

#[test]
fn password_is_read_and_never_shown() {
    let asked = Asked::new("hidden");
    asked.await_prompt("Password: ");
    assert!(!asked.echoes());
    // With the person's own line editing: erase one, then go on.
    asked.type_in(b"sesame-x\x7f1\n");
    let (status, text) = asked.rest();
    assert_eq!(status, ExitStatus::Exited(0));
    assert!(text.contains("answer=[sesame-1]") && text.contains("echo=true"), "{text}");
    assert_eq!(text.matches("sesame").count(), 1, "echoed: {text}");
    assert!(text.starts_with("\r\n"), "the newline is made up for: {text:?}");
}

#[test]
fn empty_answer_is_not_end_of_file() {
    let asked = Asked::new("hidden");
    asked.await_prompt("Password: ");
    asked.type_in(b"\n");
    assert!(asked.rest().1.contains("answer=[]"));
}

#[test]
fn control_d_is_none() {
    for kind in ["hidden", "visible"] {
        let asked = Asked::new(kind);
        asked.await_prompt(if kind == "hidden" { "Password: " } else { "Sure? " });
        asked.type_in(b"\x04");
        let (_, text) = asked.rest();
        assert!(text.contains("end\r\n") && text.contains("echo=true"), "{text}");
    }
}

#[test]
fn control_c_restores_echo_and_is_interrupted() {
    for kind in ["hidden", "visible"] {
        let asked = Asked::new(kind);
        asked.await_prompt(if kind == "hidden" { "Password: " } else { "Sure? " });
        asked.type_in(b"half\x03");
        let (status, text) = asked.rest();
        assert_eq!(status, ExitStatus::Exited(0));
        assert!(text.contains("error=Interrupted") && text.contains("echo=true"), "{text}");
    }
}

#[test]
fn terminating_signals_restore_echo_before_they_end_the_program() {
    for name in ["TERM", "HUP", "QUIT"] {
        let asked = Asked::start("hidden", |spec| {
            spec.program = "/bin/sh".into();
            let exe = std::env::current_exe().unwrap();
            let script = format!("ulimit -c 0; exec {} --exact child --nocapture", exe.display());
            spec.args = vec!["-c".into(), script.into()];
        });
        asked.await_prompt("Password: ");
        assert!(!asked.echoes());
        asked.child.signal_group(name).unwrap();
        assert_eq!(finish(&asked.child).signal_name(), Some(name));
        assert!(asked.echoes(), "{name} left the terminal without echo");
    }
}

#[test]
fn visible_answer_is_shown_and_returned() {
    let asked = Asked::new("visible");
    asked.await_prompt("Sure? ");
    assert!(asked.echoes());
    asked.type_in(b"yes\n");
    let (_, text) = asked.rest();
    assert!(text.starts_with("yes\r\n") && text.contains("answer=[yes]"), "{text}");
}

#[test]
fn suspended_question_gives_echo_back_and_asks_again() {
    // A shell with job control around it: without one, Ctrl-Z has nobody to return to.
    let asked = Asked::start("hidden", |spec| {
        let exe = std::env::current_exe().unwrap();
        let script = format!("set -m; {} --exact child --nocapture; stty -a | grep -o ' -*echo '; fg", exe.display());
        spec.args = vec!["-c".into(), script.into()];
    });
    asked.await_prompt("Password: ");
    asked.type_in(b"\x1a");
    let before = read_until(&asked.master, "Password: ");
    assert!(before.contains(" echo "), "suspended without echo: {before}");
    assert!(!asked.echoes());
    asked.type_in(b"again\n");
    let (_, text) = asked.rest();
    assert!(text.contains("answer=[again]") && text.contains("echo=true"), "{text}");
}

#[test]
fn typed_ahead_input_is_not_an_answer() {
    let pty = Pty::open().unwrap();
    rustix::io::write(&pty.master, b"too early\n").unwrap();
    // The kernel hands it over in its own time.
    support::poll_in(&pty.slave);
    let tty = Tty::from_fd(pty.slave).unwrap();
    let asking = std::thread::spawn(move || tty.ask_hidden("Password: ").unwrap().unwrap());
    read_until(&pty.master, "Password: ");
    rustix::io::write(&pty.master, b"in time\n").unwrap();
    assert_eq!(asking.join().unwrap().as_slice(), b"in time");
}

#[test]
fn only_terminals_are_asked() {
    let null = std::fs::File::open("/dev/null").unwrap();
    assert!(!is_tty(&null));
    assert!(Tty::from_fd(null.into()).is_err());
}

#[test]
fn raw_mode_comes_and_goes() {
    let pty = Pty::open().unwrap();
    pty.apply_modes(&[(33, 1), (90, 0)]).unwrap();
    let cooked = encoded_modes(&pty.slave).unwrap();
    let of = |opcode: u8| {
        let modes = encoded_modes(&pty.slave).unwrap();
        modes.iter().find(|(op, _)| *op == opcode).unwrap().1
    };
    let mut raw = RawMode::enter(&pty.slave).unwrap();
    // IGNPAR on; ISTRIP, ICRNL, IXON, ISIG, ICANON, ECHO, IEXTEN, OPOST off.
    assert_eq!([30, 33, 36, 38, 50, 51, 53, 59, 70].map(of), [1, 0, 0, 0, 0, 0, 0, 0, 0]);
    rustix::io::write(&pty.master, b"\x03\r").unwrap();
    let mut keys = [0_u8; 8];
    assert_eq!(rustix::io::read(&pty.slave, &mut keys).unwrap(), 2);
    assert_eq!(&keys[..2], b"\x03\r");
    raw.restore().unwrap();
    assert_eq!(encoded_modes(&pty.slave).unwrap(), cooked);
    raw.resume().unwrap();
    assert_eq!(of(51), 0);
    drop(raw);
    assert_eq!(encoded_modes(&pty.slave).unwrap(), cooked);
    assert!(RawMode::enter(std::fs::File::open("/dev/null").unwrap()).is_err());
}
