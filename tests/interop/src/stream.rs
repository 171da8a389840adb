//! Large streams that need no file: made from a seed, compared by their hashes.

use crate::run::{BULK_LIMIT, code, spawn, wait};
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::process::Command;
use std::thread;

/// How a stream came through.
#[derive(Debug, PartialEq, Eq)]
pub struct Passed {
    /// The program's exit code.
    pub code: i32,
    /// Bytes that came out.
    pub bytes: u64,
    /// Whether what came out is what went in.
    pub equal: bool,
}

/// Feeds `bytes` bytes to a program and compares what it gives back. The program's standard error
/// is given with it.
///
/// # Panics
/// It takes longer than [`BULK_LIMIT`].
pub fn through(command: &mut Command, bytes: u64) -> (Passed, String) {
    let mut child = spawn(command);
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut stdout = child.stdout.take().expect("a pipe");
    let mut stderr = child.stderr.take().expect("a pipe");
    let feed = thread::spawn(move || send(&mut stdin, bytes));
    let drain = thread::spawn(move || receive(&mut stdout));
    let errors = thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stderr.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let status = wait(&mut child, BULK_LIMIT);
    let sent = feed.join().expect("a writer");
    let (received, count) = drain.join().expect("a reader");
    let errors = errors.join().expect("a reader");
    let status =
        status.unwrap_or_else(|| panic!("{command:?}: more than {BULK_LIMIT:?}, {count} bytes came\n{errors}"));
    (Passed { code: code(status), bytes: count, equal: sent == Some(received) }, errors)
}

/// The hash of what was sent; `None` if the reader left.
fn send(stream: &mut impl Write, bytes: u64) -> Option<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut source = Source(0x9e37_79b9_7f4a_7c15);
    let mut block = vec![0; 64 * 1024];
    let mut left = bytes;
    while left > 0 {
        let size = left.min(block.len() as u64) as usize;
        source.fill(&mut block[..size]);
        hash.update(&block[..size]);
        stream.write_all(&block[..size]).ok()?;
        left -= size as u64;
    }
    Some(hash.finalize().into())
}

fn receive(stream: &mut impl Read) -> ([u8; 32], u64) {
    let mut hash = Sha256::new();
    let mut block = vec![0; 64 * 1024];
    let mut bytes = 0;
    while let Ok(size @ 1..) = stream.read(&mut block) {
        hash.update(&block[..size]);
        bytes += size as u64;
    }
    (hash.finalize().into(), bytes)
}

/// Bytes without a pattern that a compressor or a repeated block could hide in (xorshift64).
struct Source(u64);

impl Source {
    fn fill(&mut self, block: &mut [u8]) {
        for chunk in block.chunks_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            chunk.copy_from_slice(&self.0.to_le_bytes()[..chunk.len()]);
        }
    }
}
