//! What is typed, line by line.

use std::io::{BufRead, Read};
use tokio::sync::mpsc;

/// The longest line, bytes; what is longer becomes several.
const MAX_LINE: u64 = 64 * 1024;

/// The lines of standard input, without their ends; the last is nothing. A thread of its own waits for them, and
/// reads no further than it is asked for.
pub fn typed() -> mpsc::Receiver<Option<String>> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        let mut going = true;
        while going {
            let mut line = Vec::new();
            going = matches!(input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line), Ok(count) if count > 0);
            let text = String::from_utf8_lossy(&line);
            let text = going.then(|| text.trim_end_matches(['\r', '\n']).to_owned());
            if sender.blocking_send(text).is_err() {
                return;
            }
        }
    });
    receiver
}
