//! A server that is far away: a relay on this machine that hands every byte on a fixed time later, each way.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// The most a relay reads at once, in bytes.
const READ: usize = 256 * 1024;

/// Listens on a free port of 127.0.0.1 for as long as the process lives and hands on to `port`. The path itself is as
/// wide as the machine allows; what the two ends keep under way is theirs.
pub fn relay(port: u16, one_way: Duration) -> Result<u16, String> {
    let problem = |error: std::io::Error| format!("the relay: {error}");
    let listener = TcpListener::bind("127.0.0.1:0").map_err(problem)?;
    let own = listener.local_addr().map_err(problem)?.port();
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            // A server that is gone shows in the measurement.
            if let Ok(far) = TcpStream::connect(("127.0.0.1", port)) {
                let _ = join(&near, &far, one_way);
            }
        }
    });
    Ok(own)
}

fn join(near: &TcpStream, far: &TcpStream, delay: Duration) -> std::io::Result<()> {
    for (from, to) in [(near, far), (far, near)] {
        from.set_nodelay(true)?;
        let (from, to) = (from.try_clone()?, to.try_clone()?);
        let (sender, receiver) = channel();
        thread::spawn(move || collect(from, &sender, delay));
        thread::spawn(move || deliver(to, &receiver));
    }
    Ok(())
}

/// Reads until the end, which travels like the rest.
fn collect(mut from: TcpStream, sender: &Sender<(Instant, Vec<u8>)>, delay: Duration) {
    let mut buffer = vec![0; READ];
    loop {
        let count = from.read(&mut buffer).unwrap_or(0);
        let sent = sender.send((Instant::now() + delay, buffer[..count].to_vec()));
        if count == 0 || sent.is_err() {
            return;
        }
    }
}

fn deliver(mut to: TcpStream, receiver: &Receiver<(Instant, Vec<u8>)>) {
    for (due, bytes) in receiver {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if bytes.is_empty() || to.write_all(&bytes).is_err() {
            let _ = to.shutdown(Shutdown::Write);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_their_end_arrive_later_and_whole() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let delay = Duration::from_millis(30);
        let mut near =
            TcpStream::connect(("127.0.0.1", relay(listener.local_addr().unwrap().port(), delay).unwrap())).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        let start = Instant::now();
        near.write_all(b"there").unwrap();
        near.shutdown(Shutdown::Write).unwrap();
        let mut text = String::new();
        far.read_to_string(&mut text).unwrap();
        far.write_all(b" and back").unwrap();
        drop(far);
        near.read_to_string(&mut text).unwrap();
        assert_eq!(text, "there and back");
        assert!(start.elapsed() >= delay * 2, "{:?}", start.elapsed());
    }
}
