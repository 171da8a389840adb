//! What is to be written to a connection.

use rustix::io::Errno;
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// What is to be written, in order: packets are appended to a buffer while others are being sent, so that none ever
/// moves; the data of large WRITEs stay in their files until the kernel takes them from there.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// Where packets are appended.
    pub(crate) buffer: Vec<u8>,
    before: VecDeque<Piece>,
    /// Bytes in `before`.
    waiting: usize,
    spare: Vec<Vec<u8>>,
    /// Files that could not be read when their turn came.
    unreadable: Vec<(Arc<OwnedFd>, Errno)>,
}

#[derive(Debug)]
enum Piece {
    Bytes { bytes: Vec<u8>, sent: usize },
    File { file: Arc<OwnedFd>, offset: u64, left: usize },
}

impl Outbox {
    /// How many bytes wait.
    pub(crate) fn waiting(&self) -> usize {
        self.buffer.len() + self.waiting
    }

    /// What was appended last ends with `left` bytes of a file.
    pub(crate) fn append_file(&mut self, file: Arc<OwnedFd>, offset: u64, left: usize) {
        self.close_buffer();
        self.waiting += left;
        self.before.push_back(Piece::File { file, offset, left });
    }

    fn close_buffer(&mut self) {
        if !self.buffer.is_empty() {
            let bytes = std::mem::replace(&mut self.buffer, self.spare.pop().unwrap_or_default());
            self.waiting += bytes.len();
            self.before.push_back(Piece::Bytes { bytes, sent: 0 });
        }
    }

    /// Lets the first piece go. Gives how many bytes went.
    pub(super) fn send(&mut self, output: &OwnedFd) -> Result<usize, Errno> {
        if self.before.is_empty() {
            self.close_buffer();
        }
        let (count, done) = match self.before.front_mut() {
            None => return Ok(0),
            Some(Piece::Bytes { bytes, sent }) => {
                let count = rustix::io::write(output, bytes.get(*sent..).unwrap_or_default())?;
                *sent += count;
                (count, *sent == bytes.len())
            }
            Some(Piece::File { file, offset, left }) => {
                match rustix::fs::sendfile(output, &**file, Some(offset), *left) {
                    Ok(count @ 1..) => {
                        *left -= count;
                        (count, *left == 0)
                    }
                    Err(error @ (Errno::AGAIN | Errno::INTR | Errno::PIPE | Errno::CONNRESET)) => return Err(error),
                    // It ended early, or these two do not go together.
                    Ok(_) | Err(_) => {
                        self.read_instead();
                        return Ok(0);
                    }
                }
            }
        };
        self.waiting -= count;
        if done && let Some(Piece::Bytes { mut bytes, .. }) = self.before.pop_front() {
            bytes.clear();
            if self.spare.len() < 4 && bytes.capacity() > 0 {
                self.spare.push(bytes);
            }
        }
        Ok(count)
    }

    /// What cannot go from file to connection directly is read. The packet's length was told already, so what cannot be
    /// read is made up of zeros: the WRITE does no harm, for its file is known to have failed.
    fn read_instead(&mut self) {
        let Some(front) = self.before.front_mut() else { return };
        let Piece::File { file, offset, left } = front else { return };
        let mut bytes = vec![0; *left];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match rustix::io::pread(&**file, rest, *offset + filled as u64) {
                // That it has become shorter is found when its end is compared with its beginning.
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(Errno::INTR) => {}
                Err(error) => {
                    self.unreadable.push((Arc::clone(file), error));
                    break;
                }
            }
        }
        *front = Piece::Bytes { bytes, sent: 0 };
    }

    /// Files that failed since this was last asked.
    pub(crate) fn take_unreadable(&mut self) -> Vec<(Arc<OwnedFd>, Errno)> {
        std::mem::take(&mut self.unreadable)
    }

    /// Nobody will read it.
    pub(super) fn clear(&mut self) {
        self.buffer.clear();
        self.before.clear();
        self.waiting = 0;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::cast_possible_truncation)]
    use super::*;
    use std::io::Write;

    fn drain(outbox: &mut Outbox, most: usize) -> Vec<u8> {
        let (input, output) = rustix::pipe::pipe().unwrap();
        rustix::io::ioctl_fionbio(&output, true).unwrap();
        rustix::io::ioctl_fionbio(&input, true).unwrap();
        let (mut all, mut buffer) = (Vec::new(), vec![0; most]);
        while outbox.waiting() > 0 {
            match outbox.send(&output) {
                Ok(_) | Err(Errno::AGAIN) => {}
                Err(error) => panic!("{error}"),
            }
            while let Ok(count @ 1..) = rustix::io::read(&input, &mut buffer) {
                all.extend_from_slice(&buffer[..count]);
            }
        }
        all
    }

    #[test]
    fn bytes_and_files_go_in_their_order() {
        let mut file = tempfile::tempfile().unwrap();
        let data: Vec<u8> = (0..300_000u32).map(|at| (at % 251) as u8).collect();
        file.write_all(&data).unwrap();
        let file = Arc::new(OwnedFd::from(file));
        for most in [1000, 65_536] {
            let (mut outbox, mut wanted) = (Outbox::default(), Vec::new());
            for round in 0..5u64 {
                outbox.buffer.extend_from_slice(b"head");
                outbox.append_file(Arc::clone(&file), round * 10_000, 200_000);
                outbox.buffer.extend_from_slice(b"tail");
                let start = round as usize * 10_000;
                wanted.extend([b"head", &data[start..start + 200_000], b"tail"].concat());
            }
            assert_eq!(outbox.waiting(), wanted.len());
            assert!(drain(&mut outbox, most) == wanted);
            assert_eq!((outbox.waiting(), outbox.take_unreadable().len()), (0, 0));
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_or_ended_early_keeps_its_place_and_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, b"abc").unwrap();
        let deaf = Arc::new(OwnedFd::from(std::fs::File::options().write(true).open(&path).unwrap()));
        let short = Arc::new(OwnedFd::from(std::fs::File::open(&path).unwrap()));
        let mut outbox = Outbox::default();
        outbox.append_file(Arc::clone(&deaf), 0, 4);
        outbox.append_file(short, 0, 5);
        outbox.buffer.extend_from_slice(b"end");
        assert_eq!(drain(&mut outbox, 100), b"\0\0\0\0abc\0\0end");
        let unreadable = outbox.take_unreadable();
        assert!(unreadable.len() == 1 && Arc::ptr_eq(&unreadable[0].0, &deaf));
    }
}
