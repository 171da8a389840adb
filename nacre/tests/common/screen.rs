//! A terminal that is looked at: what a program sends to it goes through a terminal emulator, and tests see the screen.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::terminal::Terminal;
use std::process::Command;
use std::time::{Duration, Instant};

/// Longest wait for something to be on the screen.
const PATIENCE: Duration = Duration::from_secs(180);

/// A program's screen, and its keyboard.
pub struct Screen {
    terminal: Terminal,
    emulator: avt::Terminal,
    /// How much of the program's text the emulator has.
    fed: usize,
}

impl Screen {
    /// Starts the command on a new terminal of this size.
    pub fn runs(command: &Command, columns: u32, rows: u32) -> Self {
        let emulator = avt::Terminal::new(columns as usize, rows as usize).unwrap();
        Self { terminal: Terminal::runs(command, columns, rows), emulator, fed: 0 }
    }

    /// Waits until the screen is as `good` wants it.
    #[track_caller]
    pub fn shows(&mut self, what: &str, good: impl Fn(&[String]) -> bool) {
        let end = Instant::now() + PATIENCE;
        loop {
            self.emulator.feed(&self.terminal.text()[self.fed..]);
            self.fed = self.terminal.text().len();
            if good(&self.rows()) {
                return;
            }
            let more = Instant::now() < end && self.terminal.has_news() && self.terminal.read();
            assert!(more, "{what} is not on the screen:\n{}", self.picture());
        }
    }

    /// Waits until `text` is on the screen, in one row.
    #[track_caller]
    pub fn sees(&mut self, text: &str) {
        self.shows(text, |rows| rows.iter().any(|row| row.contains(text)));
    }

    /// Waits until `text` is on the screen no more.
    #[track_caller]
    pub fn loses(&mut self, text: &str) {
        self.shows(&format!("nothing but {text}"), |rows| !rows.iter().any(|row| row.contains(text)));
    }

    /// The rows, without the spaces at their ends.
    pub fn rows(&self) -> Vec<String> {
        self.emulator.screen().visible_lines().map(|row| row.text().trim_end().to_owned()).collect()
    }

    /// The whole screen, to be printed.
    pub fn picture(&self) -> String {
        self.rows().join("\n")
    }

    /// Row and column of the cursor.
    pub fn cursor(&self) -> (usize, usize) {
        let cursor = self.emulator.cursor();
        (cursor.row, cursor.col)
    }

    /// Waits until these bytes came.
    #[track_caller]
    pub fn receives(&mut self, bytes: &[u8]) {
        let end = Instant::now() + PATIENCE;
        while !self.raw().windows(bytes.len()).any(|window| window == bytes) {
            let more = Instant::now() < end && self.terminal.has_news() && self.terminal.read();
            assert!(more, "{} did not come:\n{}", String::from_utf8_lossy(bytes), self.picture());
        }
    }

    /// Whether the program has taken the whole screen, as editors do.
    pub fn is_full_screen(&self) -> bool {
        self.emulator.active_screen_kind() == avt::ScreenKind::Alternate
    }

    /// Presses keys.
    pub fn presses(&mut self, keys: &[u8]) {
        self.terminal.presses(keys);
    }

    /// Presses very many keys, as fast as they are taken, while what comes is read.
    #[track_caller]
    pub fn floods(&mut self, keys: &[u8]) {
        self.terminal.floods(keys);
    }

    /// Types a line and Enter.
    pub fn types(&mut self, line: &str) {
        self.terminal.types(line);
    }

    /// Types what is not entered yet, and waits until its end is on the screen.
    #[track_caller]
    pub fn half_types(&mut self, text: &str) {
        self.presses(text.as_bytes());
        let tail: String = text.chars().skip(text.chars().count().saturating_sub(8)).collect();
        self.sees(&tail);
    }

    /// Gives the window another size.
    pub fn resizes(&mut self, columns: u32, rows: u32) {
        // What was drawn for the old size is drawn at the old size.
        self.emulator.feed(&self.terminal.text()[self.fed..]);
        self.fed = self.terminal.text().len();
        self.emulator.resize(columns as usize, rows as usize);
        self.terminal.resize(columns, rows);
    }

    /// Takes the terminal away from the program.
    pub fn hangs_up(&mut self) {
        self.terminal.hang_up();
    }

    /// All bytes that came.
    pub fn raw(&self) -> &[u8] {
        self.terminal.raw()
    }

    /// Waits for the end of a program that was cut off: it says so by its exit code.
    #[track_caller]
    pub fn ends_cut(self) {
        assert_eq!(self.terminal.ends(), 255);
    }

    /// Waits for the program's end; its exit code and what it left on the screen, which is the one it found.
    #[track_caller]
    pub fn ends(self) -> (u32, Vec<String>) {
        self.ends_with(|_| {})
    }

    /// The same, after a look at all bytes that came.
    #[track_caller]
    pub fn ends_with(mut self, look: impl FnOnce(&[u8])) -> (u32, Vec<String>) {
        while self.terminal.read() {}
        self.emulator.feed(&self.terminal.text()[self.fed..]);
        look(self.raw());
        assert!(!self.is_full_screen(), "the terminal was not given back:\n{}", self.picture());
        let rows = self.rows();
        (self.terminal.ends(), rows)
    }
}
