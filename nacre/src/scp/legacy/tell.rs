//! To whom the old protocol tells what happens.

use std::io;

/// Is told what happens, file by file: a file was started before it progresses.
pub trait Tell {
    /// A file begins.
    fn started(&mut self, name: &[u8], size: u64);
    /// So many bytes of it are done.
    fn progress(&mut self, done: u64);
    /// It is complete.
    fn finished(&mut self, size: u64);
    /// It could not be done; the line that says so, for the far side.
    fn failed(&mut self, name: &[u8], error: &io::Error) -> String;
    /// Asked now and then: true ends it all.
    fn cancelled(&mut self) -> bool {
        false
    }
    /// The far side has a message, cleaned: something failed there.
    fn said(&mut self, message: &str);
}

/// The line for something that could not be done: `NAME: reason`.
pub fn line(name: &[u8], error: &io::Error) -> String {
    format!("{}: {}", nacre_files::remote::shown(name), reason(error))
}

/// The system's words for an error, without its number, which says nothing to people.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// For the end that a server runs: its only words are those to the far side.
#[derive(Debug, Default)]
pub struct Silent {
    /// Whether anything failed.
    pub any_failed: bool,
}

impl Tell for Silent {
    fn started(&mut self, _name: &[u8], _size: u64) {}

    fn progress(&mut self, _done: u64) {}

    fn finished(&mut self, _size: u64) {}

    fn failed(&mut self, name: &[u8], error: &io::Error) -> String {
        self.any_failed = true;
        line(name, error)
    }

    fn said(&mut self, _message: &str) {
        self.any_failed = true;
    }
}
