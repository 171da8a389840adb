//! What is typed, line by line.

use std::io::{BufRead, Read};
use tokio::sync::mpsc;

/// The longest line, bytes; what is longer becomes several.
const MAX_LINE: u64 = 64 * 1024;

/// The lines of standard input. A thread of its own waits for them, and reads none that nobody asked for: what is typed
/// then is for somebody else, such as a question on the terminal.
pub struct Lines {
    wishes: std::sync::mpsc::Sender<()>,
    typed: mpsc::Receiver<Option<String>>,
    wished: bool,
}

impl Lines {
    /// Nothing is read yet.
    pub fn new() -> Self {
        let (wishes, wished) = std::sync::mpsc::channel();
        let (sender, typed) = mpsc::channel(1);
        std::thread::spawn(move || {
            let mut input = std::io::stdin().lock();
            while wished.recv().is_ok() {
                let line = read(&mut input);
                if line.is_none() | sender.blocking_send(line).is_err() {
                    return;
                }
            }
        });
        Self { wishes, typed, wished: false }
    }

    /// The next line, without its end; nothing at the end of the input. Who stops waiting loses nothing.
    pub async fn next(&mut self) -> Option<String> {
        if !self.wished {
            // Without a thread there is an end to be heard of.
            let _ = self.wishes.send(());
            self.wished = true;
        }
        let line = self.typed.recv().await.flatten();
        self.wished = false;
        line
    }
}

fn read(input: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    let count = input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).ok()?;
    let text = String::from_utf8_lossy(&line);
    (count > 0).then(|| text.trim_end_matches(['\r', '\n']).to_owned())
}
