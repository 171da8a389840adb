//! check-file: hashes of what a file holds (draft-ietf-secsh-filexfer-extensions-00 §3).

use super::dispatch::{Answer, Answered};
use super::refusal::Refusal;
use super::worker::Worker;
use nacre_crypto::{HashKind, Hasher};
use nacre_sftp::Code;
use nacre_sftp::extended::{Check, CheckReply, CheckedFile};
use rustix::fs::{FileType, OFlags};
use rustix::io::{Errno, retry_on_intr};
use std::os::fd::OwnedFd;

/// The smallest block that is hashed by itself (the draft's).
const MIN_BLOCK: u32 = 256;
/// Bytes read at a time.
const BUFFER: usize = 256 << 10;
/// Bytes between two looks at whether the client is still there.
const STEP: u64 = 64 << 20;

impl Worker {
    pub(super) fn check_file(&mut self, file: CheckedFile<'_>, check: &Check<'_>) -> Answered {
        let (name, kind) = algorithm(check.algorithms)
            .ok_or(Refusal::text(Code::Failure, "None of these hashes is known; sha256 and sha512 are"))?;
        if check.block != 0 && check.block < MIN_BLOCK {
            return Err(Refusal::text(Code::BadMessage, "A block of at least 256 bytes is needed, or 0 for one hash"));
        }
        if i64::try_from(check.offset).is_err() {
            return Err(Errno::INVAL.into());
        }
        let fd: OwnedFd = match file {
            CheckedFile::Handle(handle) => {
                self.handles.file(handle)?.fd.try_clone().map_err(|_| Refusal::code(Code::Failure))?
            }
            CheckedFile::Path(path) => self.tree.open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY, 0)?,
        };
        // A device need not have an end.
        if !FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode).is_file() {
            return Err(Refusal::text(Code::Failure, "Not a regular file"));
        }
        let hashes = self.hashes(&fd, kind, check)?;
        Ok(Answer::Extended(CheckReply { algorithm: name.as_bytes(), hashes: &hashes }.encode()))
    }

    /// The hashes of blocks, as many as a packet holds; without blocks always one, be it of nothing.
    fn hashes(&mut self, fd: &OwnedFd, kind: HashKind, check: &Check<'_>) -> Result<Vec<u8>, Refusal> {
        let end = if check.length == 0 { u64::MAX } else { check.offset.saturating_add(check.length) };
        let most = if check.block == 0 { 1 } else { CheckReply::MAX_HASHES / kind.length() };
        let block = if check.block == 0 { u64::MAX } else { check.block.into() };
        let mut hashes = Vec::new();
        let mut position = check.offset;
        let mut seen = 0;
        for _ in 0..most {
            let stop = position.saturating_add(block).min(end);
            let start = position;
            let mut hasher = Hasher::new(kind);
            while position < stop {
                if position - seen >= STEP {
                    seen = position;
                    if self.is_abandoned() {
                        return Err(Refusal::code(Code::Failure));
                    }
                }
                let count = self.read_some(fd, position, stop - position)?;
                if count.is_empty() {
                    break;
                }
                hasher.update(count);
                position += u64::try_from(count.len()).unwrap_or_default();
            }
            if position == start && check.block != 0 {
                break;
            }
            hashes.extend_from_slice(&hasher.finish());
        }
        Ok(hashes)
    }

    fn read_some(&mut self, fd: &OwnedFd, position: u64, most: u64) -> Result<&[u8], Refusal> {
        let most = usize::try_from(most).unwrap_or(BUFFER).min(BUFFER);
        self.scratch.resize(BUFFER, 0);
        let space = self.scratch.get_mut(..most).unwrap_or_default();
        let count = retry_on_intr(|| rustix::io::pread(fd, &mut *space, position))?;
        Ok(self.scratch.get(..count).unwrap_or_default())
    }
}

/// The first of the client's that we know.
fn algorithm(list: &[u8]) -> Option<(&'static str, HashKind)> {
    list.split(|byte| *byte == b',').find_map(|name| match name {
        b"sha256" => Some(("sha256", HashKind::Sha256)),
        b"sha512" => Some(("sha512", HashKind::Sha512)),
        _ => None,
    })
}
