//! Any program on a real pty that a test types to and resizes.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use nacre_sys::pty::{Pty, WindowSize, set_window_size};
use nacre_sys::spawn::{Child, ChildStdio, ExitStatus, SpawnSpec, spawn};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::time::{Duration, Instant};

/// Longest wait for what should be on the screen.
const PATIENCE: Duration = Duration::from_secs(180);

pub struct Terminal {
    child: Child,
    master: Option<OwnedFd>,
    /// What came, as it came.
    raw: Vec<u8>,
    seen: String,
    /// How much of what came is in `seen`: a character may be cut between two reads.
    decoded: usize,
    read_to: usize,
}

impl Terminal {
    /// Starts the command on a new terminal of this size.
    pub fn runs(command: &Command, columns: u32, rows: u32) -> Self {
        let pty = Pty::open().unwrap();
        pty.resize(WindowSize { columns, rows, width_px: 0, height_px: 0 }).unwrap();
        let set =
            |(name, value): (&std::ffi::OsStr, Option<&std::ffi::OsStr>)| Some((name.to_owned(), value?.to_owned()));
        let spec = SpawnSpec {
            program: find(command),
            arg0: command.get_program().to_owned(),
            args: command.get_args().map(ToOwned::to_owned).collect(),
            env: command.get_envs().filter_map(set).collect(),
            cwd: "/".into(),
            stdio: ChildStdio::Pty(pty.slave),
            credentials: None,
            umask: None,
        };
        Self {
            child: spawn(spec).unwrap(),
            master: Some(pty.master),
            raw: Vec::new(),
            seen: String::new(),
            decoded: 0,
            read_to: 0,
        }
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

    /// The last text on the screen that stands between these two.
    #[track_caller]
    pub fn between(&self, before: &str, behind: &str) -> &str {
        let rest = self.seen.rsplit(before).next().unwrap();
        rest.split(behind).next().unwrap()
    }

    pub fn types(&mut self, line: &str) {
        self.presses(format!("{line}\r").as_bytes());
    }

    #[track_caller]
    pub fn presses(&mut self, keys: &[u8]) {
        // A terminal takes a few thousand bytes at once.
        match keys.len() {
            0..1024 => assert_eq!(rustix::io::write(self.master.as_ref().unwrap(), keys).unwrap(), keys.len()),
            _ => self.floods(keys),
        }
    }

    /// Presses very many keys, as fast as they are taken, while what comes is read.
    #[track_caller]
    pub fn floods(&mut self, mut keys: &[u8]) {
        while !keys.is_empty() {
            let master = self.master.as_ref().unwrap();
            let mut fds = [PollFd::new(master, PollFlags::IN | PollFlags::OUT)];
            let patience = Timespec::try_from(PATIENCE).unwrap();
            assert!(poll(&mut fds, Some(&patience)).unwrap() > 0, "no key is taken; on the screen: {:?}", self.seen);
            let ready = fds[0].revents();
            if ready.contains(PollFlags::OUT) {
                let count = rustix::io::write(master, &keys[..keys.len().min(1024)]).unwrap();
                keys = &keys[count..];
            }
            if ready.contains(PollFlags::IN) {
                assert!(self.read(), "the program ended; on the screen: {:?}", self.seen);
            }
        }
    }

    pub fn resize(&self, columns: u32, rows: u32) {
        let size = WindowSize { columns, rows, width_px: 0, height_px: 0 };
        set_window_size(self.master.as_ref().unwrap(), size).unwrap();
    }

    /// Closes the terminal under the program.
    pub fn hang_up(&mut self) {
        self.master = None;
    }

    /// Waits for the end; the exit code.
    #[track_caller]
    pub fn ends(mut self) -> u32 {
        while self.read() {}
        match self.child.wait().unwrap() {
            ExitStatus::Exited(code) => code,
            other => panic!("ended with {other:?}; on the screen: {:?}", self.seen),
        }
    }

    /// Waits for the end; all that was ever on the screen.
    #[track_caller]
    pub fn ends_with_screen(mut self) -> String {
        while self.read() {}
        assert_eq!(self.child.wait().unwrap(), ExitStatus::Exited(0), "on the screen: {:?}", self.seen);
        self.seen
    }

    /// All that came, byte for byte.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// All that came, as text.
    pub fn text(&self) -> &str {
        &self.seen
    }

    /// Waits for something to come, or for the end; false if neither comes.
    pub fn has_news(&self) -> bool {
        let Some(master) = &self.master else { return true };
        let patience = Timespec::try_from(PATIENCE).unwrap();
        poll(&mut [PollFd::new(master, PollFlags::IN)], Some(&patience)).unwrap() > 0
    }

    /// Reads what has come, waiting for something to come; false at the end.
    pub fn read(&mut self) -> bool {
        assert!(self.has_news(), "silence; on the screen: {:?}", self.seen);
        let Some(master) = &self.master else { return false };
        let mut chunk = [0; 4096];
        match rustix::io::read(master, &mut chunk) {
            Ok(0) | Err(rustix::io::Errno::IO) => false,
            Ok(count) => {
                self.raw.extend_from_slice(&chunk[..count]);
                let new = &self.raw[self.decoded..];
                let whole = match std::str::from_utf8(new) {
                    Err(error) if error.error_len().is_none() => error.valid_up_to(),
                    _ => new.len(),
                };
                self.seen.push_str(&String::from_utf8_lossy(&new[..whole]));
                self.decoded += whole;
                true
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => true,
            Err(error) => panic!("reading the terminal: {error}"),
        }
    }
}

/// The file of a program that is looked for where the tests' programs are.
fn find(command: &Command) -> std::path::PathBuf {
    let folders = ["/usr/local/bin", "/usr/bin", "/bin"];
    let found = folders.iter().map(|folder| std::path::Path::new(folder).join(command.get_program()));
    found.into_iter().find(|path| path.exists()).unwrap()
}
