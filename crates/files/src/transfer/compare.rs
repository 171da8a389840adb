//! Whether two copies hold the same bytes: both are hashed, block by block, each where it is.

use super::Proof;
use super::flow::{BlockHashes, Flow, Way};
use super::local;
use super::run::{Run, Side, doing, handle_of};
use crate::remote::{Answer, Error};
use nacre_crypto::HashKind;
use nacre_sftp::extended::{self, Check, CheckReply, CheckedFile, Extended};
use nacre_sftp::request::FXF_READ;
use nacre_sftp::{Attributes, Request};
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// Bytes of a block, and so how exactly a difference is found.
const BLOCK: u32 = 4 * 1024 * 1024;

/// Bytes asked for in one request: a server answers nothing else while it hashes.
const STRETCH: u64 = 64 * 4 * 1024 * 1024;

/// Bytes hashed here before others may go on.
const BITE: usize = 1024 * 1024;

const HASH: HashKind = HashKind::Sha256;
const HASH_NAME: &[u8] = b"sha256";

/// One copy.
#[derive(Debug, Clone)]
pub(super) enum Copy {
    Here(Arc<OwnedFd>),
    There(Side, Vec<u8>),
}

impl Copy {
    /// Whether its hashes can be had without its bytes travelling.
    pub(super) fn is_hashed_in_place(&self, run: &Run<'_>) -> bool {
        match self {
            Self::Here(_) => true,
            Self::There(side, _) => server_hashes(run, *side),
        }
    }
}

fn server_hashes(run: &Run<'_>, side: Side) -> bool {
    run.remote(side).is_some_and(|remote| {
        let algorithms = remote.extensions().data(extended::CHECK_FILE).unwrap_or_default();
        algorithms.split(|byte| *byte == b',').any(|name| name == HASH_NAME)
    })
}

/// How many bytes from the beginning are known to be the same, of `length`: all, or up to the block that differs. Says
/// too whether each server hashed its own, or bytes had to be read back.
pub(super) async fn equal(run: &Run<'_>, one: &Copy, other: &Copy, length: u64) -> Result<(u64, Proof), Error> {
    let in_place = one.is_hashed_in_place(run) && other.is_hashed_in_place(run);
    let proof = if in_place { Proof::Hash } else { Proof::ReadBack };
    let mut at = 0;
    while at < length {
        let stretch = STRETCH.min(length - at);
        // The server's request goes first, so that both ends hash at the same time.
        let asked = (begin(run, one, at, stretch), begin(run, other, at, stretch));
        let hashes = (finish(run, one, asked.0, at, stretch).await?, finish(run, other, asked.1, at, stretch).await?);
        let size = HASH.length();
        let same = hashes.0.chunks(size).zip(hashes.1.chunks(size)).take_while(|(a, b)| a == b).count();
        let blocks = usize::try_from(stretch.div_ceil(u64::from(BLOCK))).unwrap_or(usize::MAX);
        if same < blocks {
            return Ok((at + same as u64 * u64::from(BLOCK), proof));
        }
        at += stretch;
    }
    Ok((length, proof))
}

fn begin(run: &Run<'_>, copy: &Copy, offset: u64, length: u64) -> Option<super::run::Reply> {
    match copy {
        Copy::There(side, path) if server_hashes(run, *side) => {
            let check = Check { algorithms: HASH_NAME, offset, length, block: BLOCK };
            let file = CheckedFile::Path(path);
            Some(run.request(*side, &Request::Extended(Extended::CheckFile { file, check })))
        }
        _ => None,
    }
}

async fn finish(
    run: &Run<'_>,
    copy: &Copy,
    asked: Option<super::run::Reply>,
    offset: u64,
    length: u64,
) -> Result<Vec<u8>, Error> {
    match (copy, asked) {
        (Copy::Here(fd), _) => hash_here(run, fd, offset, length).await,
        (Copy::There(_, path), Some(asked)) => {
            let what = || doing("hash", path);
            let nonsense = || Error::Nonsense { what: format!("{}: the server's answer makes no sense", what()) };
            let Answer::Extended(data) = run.answer(asked, what).await? else { return Err(nonsense()) };
            let reply = CheckReply::decode(&data).map_err(|error| Error::Fault(error.into()))?;
            // A file that is shorter than it was has fewer hashes, which is a difference and no nonsense.
            if reply.algorithm != HASH_NAME { Err(nonsense()) } else { Ok(reply.hashes.to_vec()) }
        }
        (Copy::There(side, path), None) => read_back(run, *side, path, offset, length).await,
    }
}

async fn hash_here(run: &Run<'_>, fd: &OwnedFd, offset: u64, length: u64) -> Result<Vec<u8>, Error> {
    let mut hashes = BlockHashes::new(HASH, u64::from(BLOCK));
    let mut buffer = vec![0; usize::try_from(length).unwrap_or(BITE).min(BITE)];
    let mut done = 0;
    while done < length && !run.has_ended() {
        let count = usize::try_from(length - done).unwrap_or(BITE).min(BITE);
        let space = buffer.get_mut(..count).unwrap_or_default();
        let count = local::read_at(fd, space, offset + done).map_err(|error| Error::io("read a file back", error))?;
        if count == 0 {
            break;
        }
        hashes.update(buffer.get(..count).unwrap_or_default());
        done += count as u64;
        run.wakes.yield_now().await;
    }
    hashes.finish();
    if run.has_ended() { Err(run.ended()) } else { Ok(hashes.done) }
}

/// Hashes what a server sends back.
async fn read_back(run: &Run<'_>, side: Side, path: &[u8], offset: u64, length: u64) -> Result<Vec<u8>, Error> {
    let what = || doing("open", path);
    let request = Request::Open { path, flags: FXF_READ, attributes: Attributes::default() };
    let handle = handle_of(run.ask(side, &request, what).await?, what)?;
    let way = Way::Hash { side, from: handle.clone(), hashes: BlockHashes::new(HASH, u64::from(BLOCK)) };
    let mut flow = Flow::new(run.wakes.current(), path, way, offset, offset + length);
    flow.exact = true;
    let place = run.flow(flow);
    let flow = run.done(place).await;
    run.tell(side, &Request::Close { handle: &handle });
    match flow {
        Some(Flow { error: Some(error), .. }) => Err(error),
        Some(Flow { way: Way::Hash { mut hashes, .. }, .. }) => {
            hashes.finish();
            Ok(hashes.done)
        }
        _ => Err(run.ended()),
    }
}
