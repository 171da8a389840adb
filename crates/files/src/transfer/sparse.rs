//! Files with holes: found on the way out, made again on the way in.

use super::local;
use rustix::fs::{SeekFrom, Stat, seek};
use rustix::io::Errno;
use std::os::fd::OwnedFd;

/// Zeros become a hole in steps of so many bytes, at multiples of it: a page, and most file systems' block.
const STEP: usize = 4096;

/// Fewer zeros than this are written: a hole for each short run would cost more than it saves.
const SHORTEST_HOLE: usize = 64 * 1024;

static ZEROS: [u8; STEP] = [0; STEP];

/// Whether a file uses fewer blocks than its size needs.
pub(super) fn has_holes(stat: &Stat) -> bool {
    stat.st_blocks.max(0).unsigned_abs().saturating_mul(512) < stat.st_size.max(0).unsigned_abs()
}

/// The first range at or after `offset` that holds data: its start and end. None: there is none up to the end. A file
/// system that does not tell has data everywhere.
pub(super) fn data_after(fd: &OwnedFd, offset: u64) -> Option<(u64, u64)> {
    match seek(fd, SeekFrom::Data(offset)) {
        Ok(start) => Some((start, seek(fd, SeekFrom::Hole(start)).unwrap_or(u64::MAX).max(start + 1))),
        Err(Errno::NXIO) => None,
        Err(_) => Some((offset, u64::MAX)),
    }
}

/// Writes `data` at `offset` of a file that is empty from there on, but for long runs of zeros. Gives where the last
/// byte that was written ends, if any was.
pub(super) fn write_at(fd: &OwnedFd, offset: u64, data: &[u8]) -> Result<Option<u64>, Errno> {
    let (mut start, mut at, mut last) = (0, 0, None);
    let mut write = |from: usize, to: usize| {
        if let Some(piece) = data.get(from..to).filter(|piece| !piece.is_empty()) {
            local::write_all_at(fd, offset + from as u64, piece)?;
            last = Some(offset + to as u64);
        }
        Ok(())
    };
    if data.len() >= SHORTEST_HOLE {
        while at < data.len() {
            let zeros = zeros_at(offset + at as u64, data.get(at..).unwrap_or_default());
            if zeros >= SHORTEST_HOLE {
                write(start, at)?;
                start = at + zeros;
            }
            at += zeros.max(to_next_step(offset + at as u64));
        }
    }
    write(start, data.len())?;
    Ok(last)
}

/// How many bytes of whole steps at the beginning of `data` are zeros, if it begins with a step.
fn zeros_at(offset: u64, data: &[u8]) -> usize {
    if to_next_step(offset) != STEP {
        return 0;
    }
    data.chunks_exact(STEP).take_while(|step| **step == ZEROS).count() * STEP
}

fn to_next_step(offset: u64) -> usize {
    STEP - usize::try_from(offset % STEP as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn zeros_become_holes_and_everything_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        for (case, offset) in [(0usize, 0u64), (1, 4096), (2, 100), (3, 4095)] {
            let path = folder.path().join(case.to_string());
            let file = std::fs::File::create(&path).unwrap();
            let mut data = vec![0u8; 1_000_000];
            data[500_000] = 1;
            data[500_000 + 30_000] = 2;
            let fd = OwnedFd::from(file);
            let last = write_at(&fd, offset, &data).unwrap().unwrap();
            assert!(last >= offset + 530_001, "{last}");
            rustix::fs::ftruncate(&fd, offset + 1_000_000).unwrap();
            let read = std::fs::read(&path).unwrap();
            assert_eq!(read[usize::try_from(offset).unwrap()..], data);
            let blocks = std::fs::metadata(&path).unwrap().blocks() * 512;
            assert!(blocks < 200_000, "{blocks} bytes are used");
        }
        let path = folder.path().join("zeros");
        let fd = OwnedFd::from(std::fs::File::create(&path).unwrap());
        assert_eq!(write_at(&fd, 0, &vec![0; 128 * 1024]), Ok(None));
        assert_eq!(write_at(&fd, 0, &[0; 5000]), Ok(Some(5000)));
    }
}
