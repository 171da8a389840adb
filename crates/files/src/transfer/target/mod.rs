//! The file that is written: under a part's name until it is complete, then renamed; or straight, where that is not to
//! be or cannot be.

mod here;
mod there;

use super::compare::{self, Copy};
use super::flow::Flow;
use super::run::{Run, Side};
use super::source::Source;
use super::walk::File;
use super::{How, Proof};
use crate::remote::Error;
use std::cell::Cell;
use std::os::fd::OwnedFd;
use std::sync::Arc;
pub(super) use there::{Existing, list};

/// The longest name in a folder (NAME_MAX).
const LONGEST_NAME: usize = 255;

/// Files from this size on bear a record of their source while they are a part.
const RECORDED_FROM: u64 = 1024 * 1024;

/// A file that is open to be written.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) open: Open,
    /// The name (here) or path (there) that it is written under when that is not its own.
    part: Option<Vec<u8>>,
    /// Where to begin.
    pub(super) start: u64,
    pub(super) how: How,
    /// It bears a record of its source.
    pub(super) recorded: bool,
    /// It takes the place of a file, whose mode it has been given already.
    replaces: bool,
    /// Its handle was given back, and may be another file's by now.
    closed: Cell<bool>,
}

/// Where it is open.
#[derive(Debug)]
pub(super) enum Open {
    Here(Arc<OwnedFd>),
    /// A server's handle.
    There(Vec<u8>),
}

/// What a part is called: `.NAME.nacre-part`.
pub(super) fn part_name(name: &[u8]) -> Option<Vec<u8>> {
    let part = [b".", name, b".nacre-part"].concat();
    (part.len() <= LONGEST_NAME).then_some(part)
}

impl Target {
    /// Opens it, and finds where to begin.
    pub(super) async fn open(run: &Run<'_>, file: &File, source: &Source) -> Result<Self, Error> {
        if run.is_remote(Side::To) { there::open(run, file, source).await } else { here::open(run, file, source).await }
    }

    /// Ends it when everything has arrived: attributes, to the disk if asked for, and closed.
    pub(super) async fn close(&self, run: &Run<'_>, file: &File, source: &Source, end: &Ending) -> Result<(), Error> {
        match &self.open {
            Open::Here(fd) => here::close(run, self, fd, file, source, end),
            Open::There(_) => there::close(run, self, file, source, end).await,
        }
    }

    /// Gives it its name.
    pub(super) async fn publish(&self, run: &Run<'_>, file: &File) -> Result<(), Error> {
        match &self.open {
            Open::Here(_) => here::publish(run, self, file),
            Open::There(_) => there::publish(run, self, file).await,
        }
    }

    /// Leaves it as a part that can be gone on with, or removes it when there is nothing in it.
    pub(super) fn leave(&self, run: &Run<'_>, file: &File, source: &Source, whole_to: u64) {
        match &self.open {
            Open::Here(fd) => here::leave(self, fd, file, source, whole_to),
            Open::There(handle) => there::leave(run, self, handle, whole_to),
        }
    }

    /// It as one of two copies to be compared.
    pub(super) fn copy(&self, file: &File) -> Copy {
        match &self.open {
            Open::Here(fd) => Copy::Here(Arc::clone(fd)),
            Open::There(_) => Copy::There(Side::To, self.part.clone().unwrap_or_else(|| file.target_path())),
        }
    }
}

/// How a file's bytes ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ending {
    /// Its size.
    pub(super) size: u64,
    /// The last byte written is before that: the rest is a hole.
    pub(super) hole_at_end: bool,
}

impl Ending {
    pub(super) fn of(flow: &Flow) -> Self {
        let size = flow.eof.unwrap_or(flow.end);
        Self { size, hole_at_end: flow.written_to < size }
    }
}

/// Where to go on in what an earlier transfer left: `length` bytes are in `copy`, which bears `record`.
///
/// 1. Where both ends can be hashed where they are, they are: it goes on at the first block that differs.
/// 2. Else, with less than a tenth of the file there, that is read back and hashed.
/// 3. Else the record must be that of the source and the length no longer than the source. A part is written in order,
///    and loses its record while it is not; so what is there is what the source began with.
pub(super) async fn resume(
    run: &Run<'_>,
    file: &File,
    source: &Source,
    copy: &Copy,
    (length, record): (u64, Option<u32>),
) -> Result<(u64, How), Error> {
    let Some(size) = source.facts.size.filter(|size| length <= *size) else { return Ok((0, How::Mismatch)) };
    if length == 0 {
        return Ok((0, How::Fresh));
    }
    let original = source.copy(&file.source_path());
    let hashed = original.is_hashed_in_place(run) && copy.is_hashed_in_place(run);
    if hashed || length <= size / 10 {
        return match compare::equal(run, &original, copy, length).await {
            Ok((0, _)) => Ok((0, How::Mismatch)),
            Ok((same, Proof::Hash)) => Ok((same, How::Hash)),
            Ok((same, Proof::ReadBack)) => Ok((same, How::ReadBack)),
            // What cannot be compared is not gone on with.
            Err(error) if error.code().is_some() => Ok((0, How::Mismatch)),
            Err(error) => Err(error),
        };
    }
    match record {
        Some(record) if Some(record) == source.facts.record() => Ok((length, How::SizeAndTime)),
        _ => Ok((0, How::Mismatch)),
    }
}
