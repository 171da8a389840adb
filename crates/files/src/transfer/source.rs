//! The file that is read.

use super::compare::Copy;
use super::flow::{Flow, Holes, Way};
use super::run::{Reply, Run, Side, doing, handle_of};
use super::target::Open;
use super::walk::File;
use super::{local, sparse};
use crate::remote::{Answer, Error, shown};
use nacre_sftp::attributes::Kind;
use nacre_sftp::extended::{self, Extended, MAX_RANGES, decode_ranges};
use nacre_sftp::request::FXF_READ;
use nacre_sftp::{Attributes, Code, Request};
use rustix::fs::{FileType, Stat};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// The most ranges of data that are kept of one file; one with more is read as if it had no holes.
const MAX_KEPT_RANGES: usize = 100_000;

/// Records are so many seconds before the source's time, at most: twelve days.
const RECORD_SPAN: u64 = 1_000_000;

/// What is known of a file before it is read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Facts {
    pub(super) size: Option<u64>,
    /// Permissions only.
    pub(super) mode: Option<u32>,
    /// Last access and last change, in seconds.
    pub(super) times: Option<(u32, u32)>,
}

/// A file that is open to be read.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) facts: Facts,
    pub(super) place: Place,
    /// Where it has data was asked when it was opened.
    ranges: RefCell<Option<Reply>>,
    /// Its handle was given back.
    closed: Cell<bool>,
}

/// Where.
#[derive(Debug)]
pub(super) enum Place {
    /// On this machine, as it was when it was opened.
    Here(Arc<OwnedFd>, Box<Stat>),
    /// On a server: its handle.
    There(Vec<u8>),
}

impl Facts {
    pub(super) fn of_stat(stat: &Stat) -> Self {
        Self {
            size: u64::try_from(stat.st_size).ok(),
            mode: Some(stat.st_mode & 0o777),
            times: Some((local::seconds(stat.st_atime), local::seconds(stat.st_mtime))),
        }
    }

    pub(super) fn of_attributes(attributes: &Attributes) -> Self {
        Self { size: attributes.size, mode: attributes.permissions.map(|mode| mode & 0o777), times: attributes.times }
    }

    /// What a part's time of last access is, so that it says whose part it is: some seconds before the source was last
    /// changed, how many depends on time and size. No file comes by such a time by being made or written, for those are
    /// later than its source. None when that is not known, or too long ago to count back from.
    pub(super) fn record(&self) -> Option<u32> {
        let (changed, size) = (self.changed()?, self.size?);
        // Fibonacci hashing: neighbours are far apart.
        let mixed = (u64::from(changed) ^ size.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let before = u32::try_from(mixed % RECORD_SPAN).ok()? + 1;
        changed.checked_sub(before).filter(|record| *record > 0)
    }

    /// When it was last changed.
    pub(super) fn changed(&self) -> Option<u32> {
        self.times.map(|(_, changed)| changed)
    }
}

/// What a server said of a source; none if it does not tell of open files. Some are set up to answer few requests only.
async fn attributes(run: &Run<'_>, asked: Option<Reply>, name: &[u8]) -> Result<Option<Attributes>, Error> {
    let Some(asked) = asked else { return Ok(None) };
    match run.answer(asked, || doing("stat", name)).await {
        Ok(Answer::Attributes(attributes)) => Ok(Some(attributes)),
        Err(Error::Status { code: Code::PermissionDenied | Code::Unsupported, .. }) => Ok(None),
        Err(error) => Err(error),
        Ok(_) => Err(Error::Nonsense { what: format!("{}: the server's answer makes no sense", doing("stat", name)) }),
    }
}

impl Source {
    fn new(facts: Facts, place: Place) -> Self {
        Self { facts, place, ranges: RefCell::default(), closed: Cell::default() }
    }

    /// Opens a file of either side.
    pub(super) async fn open(run: &Run<'_>, file: &File) -> Result<Self, Error> {
        let name = file.source_path();
        if !run.is_remote(Side::From) {
            let opened = local::open_source(file.folder.source_here(), &file.source_name);
            let (fd, stat) = opened.map_err(|error| Error::io(doing("open", &name), error))?;
            return match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => {
                    let facts = Facts::of_stat(&stat);
                    Ok(Self::new(facts, Place::Here(Arc::new(fd), Box::new(stat))))
                }
                FileType::Directory => Err(Error::IsFolder { name: shown(&name) }),
                _ => Err(Error::NotRegular { name: shown(&name) }),
            };
        }
        let request = Request::Open { path: &name, flags: FXF_READ, attributes: Attributes::default() };
        let what = || doing("open", &name);
        let handle = handle_of(run.ask(Side::From, &request, what).await?, what)?;
        let mut source = Self::new(file.facts, Place::There(handle));
        // A file that one READ brings is what it is; a larger one may have changed since the folder was listed.
        if source.facts.size.is_none_or(|size| size > u64::from(run.piece())) {
            let attributes = source.request_attributes(run);
            source.ranges = RefCell::new(source.request_ranges(run, 0));
            match self::attributes(run, attributes, &name).await {
                Ok(Some(attributes)) if attributes.kind().is_some_and(|kind| kind != Kind::File) => {
                    source.close(run);
                    return Err(Error::NotRegular { name: shown(&name) });
                }
                Ok(Some(attributes)) => source.facts = Facts::of_attributes(&attributes),
                Ok(None) => {}
                Err(error) => {
                    source.close(run);
                    return Err(error);
                }
            }
        }
        Ok(source)
    }

    fn request_attributes(&self, run: &Run<'_>) -> Option<Reply> {
        let Place::There(handle) = &self.place else { return None };
        Some(run.request(Side::From, &Request::Fstat { handle }))
    }

    fn request_ranges(&self, run: &Run<'_>, offset: u64) -> Option<Reply> {
        let Place::There(handle) = &self.place else { return None };
        let request = Request::Extended(Extended::DataRanges { handle, offset });
        run.has(Side::From, extended::DATA_RANGES).then(|| run.request(Side::From, &request))
    }

    /// Gives the handle back.
    pub(super) fn close(&self, run: &Run<'_>) {
        if let Place::There(handle) = &self.place
            && !self.closed.replace(true)
        {
            run.tell(Side::From, &Request::Close { handle });
        }
    }

    /// Where it has data, if it has holes and that can be known.
    pub(super) async fn holes(&self, run: &Run<'_>) -> Result<Option<Holes>, Error> {
        let large = self.facts.size.is_some_and(|size| size > u64::from(run.piece()));
        match &self.place {
            Place::Here(_, stat) => Ok(sparse::has_holes(stat).then_some(Holes::Here)),
            Place::There(_) if large => {
                let mut all = VecDeque::new();
                let mut offset = 0;
                loop {
                    let asked = self.ranges.take().or_else(|| self.request_ranges(run, offset));
                    let Some(asked) = asked else { return Ok(None) };
                    // A file system that does not tell is one without holes.
                    let ranges = match run.answer(asked, String::new).await {
                        Ok(Answer::Extended(data)) => {
                            decode_ranges(&data).map_err(|error| Error::Fault(error.into()))?
                        }
                        Err(error) if error.is_fatal() || matches!(error, Error::Cancelled) => return Err(error),
                        _ => return Ok(None),
                    };
                    let last = ranges.last().map(|(_, end)| *end);
                    let full = ranges.len() == MAX_RANGES;
                    all.extend(ranges);
                    match last {
                        _ if all.len() > MAX_KEPT_RANGES => return Ok(None),
                        Some(end) if full && end > offset => offset = end,
                        // Most files have none, and then it is not known from here where they end.
                        _ if all.iter().eq(&[(0, self.facts.size.unwrap_or(0))]) => return Ok(None),
                        _ => return Ok(Some(Holes::Told(all))),
                    }
                }
            }
            Place::There(_) => Ok(None),
        }
    }

    /// A flow from here to `to`, from `start` on.
    pub(super) fn flow(&self, run: &Run<'_>, name: &[u8], to: &Open, start: u64) -> Flow {
        let way = match (&self.place, to) {
            (Place::There(from), Open::Here(to)) => Way::Down { from: from.clone(), to: Arc::clone(to) },
            (Place::There(from), Open::There(to)) => Way::Across { from: from.clone(), to: to.clone() },
            (Place::Here(from, _), Open::There(to)) => Way::Up { from: Arc::clone(from), to: to.clone() },
            // No transfer has both ends here.
            (Place::Here(from, _), Open::Here(_)) => Way::Up { from: Arc::clone(from), to: Vec::new() },
        };
        Flow::new(run.wakes.current(), name, way, start, self.facts.size.unwrap_or(0).max(start))
    }

    /// Whether it is still what it was when it was opened, `copied` bytes having come of it. One that grew, as a log
    /// does, was copied to its end; that is said, and is no error.
    pub(super) async fn check_unchanged(&self, run: &Run<'_>, name: &[u8], copied: u64) -> Result<(), Error> {
        let changed = || Error::SourceChanged { name: shown(name) };
        let size = self.facts.size.unwrap_or(copied);
        if copied < size {
            return Err(changed());
        }
        let now = match &self.place {
            Place::Here(fd, before) => {
                let now = rustix::fs::fstat(&**fd).map_err(|error| Error::io(doing("stat", name), error))?;
                let same_time = (now.st_mtime, now.st_mtime_nsec) == (before.st_mtime, before.st_mtime_nsec);
                (u64::try_from(now.st_size).unwrap_or(0), same_time)
            }
            Place::There(_) if size <= u64::from(run.piece()) => return Ok(()),
            Place::There(_) => {
                let asked = self.request_attributes(run);
                // Nothing more is asked of it, so that need not wait for the answer.
                self.close(run);
                let facts = attributes(run, asked, name).await?.map_or(self.facts, |now| Facts::of_attributes(&now));
                (facts.size.unwrap_or(copied), facts.changed() == self.facts.changed())
            }
        };
        match now {
            (now, true) if now == size && copied == size => Ok(()),
            // Files of /proc and the like tell no size.
            (0, _) if size == 0 => Ok(()),
            (now, _) if now > size => {
                run.note(&format!("{} grew while it was being copied", shown(name)));
                Ok(())
            }
            _ => Err(changed()),
        }
    }

    /// It as one of two copies to be compared.
    pub(super) fn copy(&self, path: &[u8]) -> Copy {
        match &self.place {
            Place::Here(fd, _) => Copy::Here(Arc::clone(fd)),
            Place::There(_) => Copy::There(Side::From, path.to_vec()),
        }
    }
}
