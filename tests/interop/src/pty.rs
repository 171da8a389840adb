//! A program on a terminal, and a person at it who types and reads.

use crate::run::{LIMIT, code, wait};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

/// A terminal with a program on it.
pub struct Terminal {
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    shown: String,
    child: Child,
}

impl Terminal {
    /// Starts `command` with a terminal of that size for its three streams.
    pub fn start(command: &mut Command, columns: u16, rows: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).expect("a terminal");
        unlockpt(&master).expect("a terminal");
        set_size(&master, columns, rows);
        let name = ptsname(&master, Vec::new()).expect("a terminal's name");
        let path = Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()));
        let slave = OpenOptions::new().read(true).write(true).open(path).expect("a terminal");
        let copy = || slave.try_clone().expect("a terminal");
        command.stdin(copy()).stdout(copy()).stderr(copy());
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let keyboard = File::from(master);
        let mut reader = keyboard.try_clone().expect("a terminal");
        let (sender, screen) = channel();
        thread::spawn(move || {
            let mut block = [0; 4096];
            while let Ok(size @ 1..) = reader.read(&mut block) {
                if sender.send(block[..size].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { keyboard, screen, shown: String::new(), child }
    }

    /// Types `text`.
    pub fn type_in(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).expect("a terminal takes what is typed");
    }

    /// Reads until `text` is shown, and gives all that was shown up to and with it.
    ///
    /// # Panics
    /// It is not shown in time.
    pub fn expect(&mut self, text: &str) -> String {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(place) = self.shown.find(text) {
                let rest = self.shown.split_off(place + text.len());
                return std::mem::replace(&mut self.shown, rest);
            }
            match self.screen.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.shown.push_str(&String::from_utf8_lossy(&bytes)),
                Err(error) => panic!("waited for {text:?} ({error}); shown:\n{}", self.shown),
            }
        }
    }

    /// Makes the terminal another size and tells the program, as a window manager would.
    pub fn resize(&self, columns: u16, rows: u16) {
        set_size(&self.keyboard, columns, rows);
        // The terminal is not the one that controls the program, so the kernel tells nobody.
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::WINCH).expect("a child can be sent a signal");
    }

    /// Waits for the program's end.
    ///
    /// # Panics
    /// It does not come in time.
    pub fn end(mut self) -> i32 {
        let status = wait(&mut self.child, LIMIT);
        code(status.unwrap_or_else(|| panic!("it did not end; shown:\n{}", self.shown)))
    }
}

fn set_size(terminal: impl std::os::fd::AsFd, columns: u16, rows: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).expect("a terminal has a size");
}
