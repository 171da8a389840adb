//! A person at a terminal: the program runs on a real pty and is typed to.
#![allow(dead_code)]

use nacre_sys::pty::{self, Pty, WindowSize};
use nacre_sys::spawn::{Child, ChildStdio, ExitStatus, SpawnSpec, spawn};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// Longest wait for a prompt or the end.
const PATIENCE: Duration = Duration::from_secs(180);

pub struct Person {
    child: Child,
    master: OwnedFd,
    seen: String,
    /// The beginning of a character whose end has not come.
    cut: Vec<u8>,
    read_to: usize,
}

impl Person {
    /// Starts `nacre` with `args` on a new terminal, with `home` as home folder.
    pub fn runs(home: &Path, args: &[&str]) -> Self {
        Self::starts(Path::new(env!("CARGO_BIN_EXE_nacre")), home, args, &[])
    }

    /// Starts a program with more variables than the usual ones.
    pub fn starts(program: &Path, home: &Path, args: &[&str], more: &[(&str, &str)]) -> Self {
        let pty = Pty::open().unwrap();
        pty.resize(WindowSize { columns: 80, rows: 24, ..WindowSize::default() }).unwrap();
        let usual = [("PATH", "/usr/bin:/bin"), ("TERM", "xterm-256color"), ("HOME", home.to_str().unwrap())];
        let env = usual.iter().chain(more);
        let spec = SpawnSpec {
            program: program.to_owned(),
            arg0: program.file_name().unwrap().to_owned(),
            args: args.iter().map(OsString::from).collect(),
            env: env.map(|(name, value)| (OsString::from(name), OsString::from(value))).collect(),
            cwd: home.to_owned(),
            stdio: ChildStdio::Pty(pty.slave),
            credentials: None,
            umask: Some(0o022),
        };
        Self { child: spawn(spec).unwrap(), master: pty.master, seen: String::new(), cut: Vec::new(), read_to: 0 }
    }

    /// Waits until `text` is on the screen, after what was waited for before.
    #[track_caller]
    pub fn sees(&mut self, text: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.seen[self.read_to..].find(text) {
                self.read_to += at + text.len();
                return;
            }
            let more = Instant::now() < end && self.read();
            assert!(more, "{text:?} did not come; on the screen: {:?}", self.seen);
        }
    }

    /// Types a line and Enter.
    pub fn types(&mut self, line: &str) {
        self.presses(format!("{line}\r").as_bytes());
    }

    /// Gives the terminal's window another size.
    pub fn resizes(&self, columns: u32, rows: u32) {
        let size = WindowSize { columns, rows, ..WindowSize::default() };
        pty::set_window_size(&self.master, size).unwrap();
    }

    /// Whether the terminal shows what is typed and acts on Ctrl-C, as at a shell's prompt.
    pub fn terminal_is_cooked(&self) -> bool {
        let modes = rustix::termios::tcgetattr(&self.master).unwrap().local_modes;
        modes.contains(rustix::termios::LocalModes::ECHO | rustix::termios::LocalModes::ISIG)
    }

    /// Waits until [`Self::terminal_is_cooked`].
    #[track_caller]
    pub fn awaits_cooked_terminal(&self) {
        let end = Instant::now() + PATIENCE;
        while !self.terminal_is_cooked() {
            assert!(Instant::now() < end, "the terminal was not given back; on the screen: {:?}", self.seen);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The process.
    pub fn pid(&self) -> i32 {
        self.child.pid()
    }

    /// Everything that was on the screen so far.
    pub fn screen(&self) -> &str {
        &self.seen
    }

    /// Presses keys.
    pub fn presses(&mut self, keys: &[u8]) {
        assert_eq!(rustix::io::write(&self.master, keys).unwrap(), keys.len());
    }

    /// Waits for the end: the exit code and everything that was on the screen.
    #[track_caller]
    pub fn ends(mut self) -> (i32, String) {
        let end = Instant::now() + PATIENCE;
        while self.read() {
            assert!(Instant::now() < end, "the program does not end; on the screen: {:?}", self.seen);
        }
        match self.child.wait().unwrap() {
            ExitStatus::Exited(code) => (i32::try_from(code).unwrap(), self.seen),
            other => panic!("ended with {other:?}; on the screen: {:?}", self.seen),
        }
    }

    /// Reads what has come, waiting for something to come; false at the end.
    fn read(&mut self) -> bool {
        let mut fds = [PollFd::new(&self.master, PollFlags::IN)];
        let patience = Timespec::try_from(PATIENCE).unwrap();
        assert!(poll(&mut fds, Some(&patience)).unwrap() > 0, "silence; on the screen: {:?}", self.seen);
        let mut chunk = [0; 4096];
        match rustix::io::read(&self.master, &mut chunk) {
            Ok(0) | Err(rustix::io::Errno::IO) => false,
            Ok(count) => {
                self.cut.extend_from_slice(&chunk[..count]);
                let whole = match std::str::from_utf8(&self.cut) {
                    Err(error) if error.error_len().is_none() => error.valid_up_to(),
                    _ => self.cut.len(),
                };
                let whole: Vec<u8> = self.cut.drain(..whole).collect();
                self.seen.push_str(&String::from_utf8_lossy(&whole));
                true
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => true,
            Err(error) => panic!("reading the terminal: {error}"),
        }
    }
}

impl Person {
    /// The rest of the first line on the screen that holds `mark`, behind it.
    #[track_caller]
    pub fn after(&self, mark: &str) -> String {
        let line = self.seen.lines().find_map(|line| line.split_once(mark)).map(|(_, rest)| rest.trim().to_owned());
        line.unwrap_or_else(|| panic!("{mark:?} is not on the screen: {:?}", self.seen))
    }
}
