//! A target on a server.

use super::{Ending, LONGEST_NAME, Open, RECORDED_FROM, Target, part_name, resume};
use crate::remote::{Answer, Error, joined, shown};
use crate::transfer::How;
use crate::transfer::compare::Copy;
use crate::transfer::listing::Listing;
use crate::transfer::run::{Run, Side, doing, handle_of};
use crate::transfer::source::Source;
use crate::transfer::walk::{File, Folder};
use nacre_sftp::attributes::Kind;
use nacre_sftp::extended::{self, Extended};
use nacre_sftp::request::{FXF_CREAT, FXF_EXCL, FXF_TRUNC, FXF_WRITE};
use nacre_sftp::{Attributes, Code, Name, Request};
use nacre_wire::Reader;
use std::cell::Cell;
use std::collections::HashMap;

/// What a server that works on several requests at a time may have left undone before the end of a part. Those that
/// announce `limits@openssh.com` work in order.
const UNSURE: u64 = 8 * 1024 * 1024;

/// A file that is there already.
#[derive(Debug, Clone, Copy)]
pub(in crate::transfer) struct Existing {
    kind: Kind,
    mode: Option<u32>,
    owner: Option<(u32, u32)>,
    size: Option<u64>,
    /// When it was last read, where a part has its record.
    times: Option<(u32, u32)>,
    /// How many names it has.
    links: Option<u64>,
}

impl Existing {
    /// From an entry of a list; the second word of its line is the number of names.
    pub(in crate::transfer) fn of(name: &Name) -> Self {
        let mut words = name.long.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let is_mode = words.next().is_some_and(|word| word.len() >= 10 && word.starts_with(b"-"));
        let links = words.next().filter(|_| is_mode).and_then(|word| str::from_utf8(word).ok()?.parse().ok());
        Self { links, ..Self::of_attributes(&name.attributes) }
    }

    fn of_attributes(attributes: &Attributes) -> Self {
        Self {
            kind: attributes.kind().unwrap_or(Kind::Other),
            mode: attributes.permissions.map(|mode| mode & 0o777),
            owner: attributes.owner,
            size: attributes.size,
            times: attributes.times,
            links: None,
        }
    }
}

/// What is there under each name of a folder.
pub(in crate::transfer) async fn list(run: &Run<'_>, path: &[u8]) -> Result<HashMap<Vec<u8>, Existing>, Error> {
    let mut all = HashMap::new();
    let path = if path.is_empty() { b"." } else { path };
    let mut listing = Listing::open(run, Side::To, path).await?;
    while let Some(names) = listing.next(run).await? {
        all.extend(names.into_iter().map(|name| (name.name.clone(), Existing::of(&name))));
    }
    Ok(all)
}

async fn existing(run: &Run<'_>, folder: &Folder, name: &[u8]) -> Result<Option<Existing>, Error> {
    if folder.created.get() {
        return Ok(None);
    }
    if let Some(listed) = folder.listed.borrow().as_ref() {
        return Ok(listed.get(name).copied());
    }
    let path = joined(&folder.target, name);
    let mut found = match lstat(run, &path).await? {
        Some(attributes) => Existing::of_attributes(&attributes),
        None => return Ok(None),
    };
    if found.kind == Kind::File {
        found.links = links(run, folder, name, &path).await?;
    }
    Ok(Some(found))
}

async fn lstat(run: &Run<'_>, path: &[u8]) -> Result<Option<Attributes>, Error> {
    match run.ask(Side::To, &Request::Lstat { path }, || doing("stat", path)).await {
        Ok(Answer::Attributes(attributes)) => Ok(Some(attributes)),
        Err(Error::Status { code: Code::NoSuchFile, .. }) => Ok(None),
        Err(error) => Err(error),
        Ok(_) => Err(Error::Nonsense { what: format!("{}: the server's answer makes no sense", doing("stat", path)) }),
    }
}

/// How many names a file has; the folder is listed, once, where a server has no other way to tell.
async fn links(run: &Run<'_>, folder: &Folder, name: &[u8], path: &[u8]) -> Result<Option<u64>, Error> {
    if run.has(Side::To, extended::LINK_COUNT) {
        let request = Request::Extended(Extended::LinkCount { path });
        return match run.ask(Side::To, &request, || doing("count the links of", path)).await {
            Ok(Answer::Extended(data)) => Ok(Reader::new(&data).u64("links").ok()),
            Err(error) if error.code().is_none() => Err(error),
            _ => Ok(None),
        };
    }
    match list(run, &folder.target).await {
        Ok(listed) => {
            let links = listed.get(name).and_then(|existing| existing.links);
            *folder.listed.borrow_mut() = Some(listed);
            Ok(links)
        }
        // A folder that may be written and not read.
        Err(error) if error.code().is_some() => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) async fn open(run: &Run<'_>, file: &File, source: &Source) -> Result<Target, Error> {
    let existing = existing(run, &file.folder, &file.target_name).await?;
    if existing.is_some_and(|existing| existing.kind == Kind::Directory) {
        return Err(Error::IsFolder { name: shown(&file.target_path()) });
    }
    let own_name = existing.is_none_or(|existing| existing.kind == Kind::File && existing.links == Some(1));
    let part = part_name(&file.target_name).filter(|_| own_name && !run.options.in_place);
    let part = part.filter(|_| file.target_name.len() <= LONGEST_NAME);
    if let Some(part) = part.map(|part| joined(&file.folder.target, &part))
        && renames(run, &part).await?
    {
        match open_part(run, file, source, &part, existing.as_ref()).await {
            Ok(target) => return Ok(target),
            // The folder takes no new names. Writing straight into a new name does no harm in any case.
            Err(Error::Status { code, .. }) if existing.is_none() || code == Code::PermissionDenied => {}
            Err(error) => return Err(error),
        }
    }
    open_straight(run, file, source, existing.as_ref()).await
}

/// Whether a part can get its file's name. A server that does not announce `posix-rename@openssh.com` may be set up to refuse
/// the draft's own rename, too; it is asked once, by a request that changes nothing.
async fn renames(run: &Run<'_>, part: &[u8]) -> Result<bool, Error> {
    if run.has(Side::To, extended::POSIX_RENAME) {
        return Ok(true);
    }
    if let Some(known) = run.renames.get() {
        return Ok(known);
    }
    let request = Request::Rename { old: part, new: part };
    let does = match run.ask(Side::To, &request, || doing("rename", part)).await {
        Err(Error::Status { code: Code::PermissionDenied | Code::Unsupported, .. }) => false,
        Err(error) if error.code().is_none() => return Err(error),
        _ => true,
    };
    run.renames.set(Some(does));
    Ok(does)
}

async fn open_part(
    run: &Run<'_>,
    file: &File,
    source: &Source,
    part: &[u8],
    replaced: Option<&Existing>,
) -> Result<Target, Error> {
    let what = || doing("create", &file.target_path());
    let mode = replaced.and_then(|replaced| replaced.mode).or(source.facts.mode);
    let attributes = Attributes { permissions: mode, ..Attributes::default() };
    let mut how = How::Fresh;
    if run.options.resume
        && let Some(left) = lstat(run, part).await?.filter(|left| left.kind() == Some(Kind::File))
    {
        let (start, found) = resumed(run, file, source, part, &left).await?;
        if start > 0 {
            let request = Request::Open { path: part, flags: FXF_WRITE, attributes: Attributes::default() };
            let handle = handle_of(run.ask(Side::To, &request, what).await?, what)?;
            return begin(run, file, source, handle, Some(part), (start, found, replaced.is_some())).await;
        }
        how = found;
    }
    let flags = FXF_WRITE | FXF_CREAT | FXF_EXCL;
    let request = Request::Open { path: part, flags, attributes };
    let answer = match run.ask(Side::To, &request, what).await {
        // Something has that name; a part of an earlier transfer, as a rule.
        Err(Error::Status { code: Code::Failure | Code::Other(_), .. }) => {
            run.ask(Side::To, &Request::Remove { path: part }, what).await?;
            run.ask(Side::To, &request, what).await
        }
        other => other,
    };
    let handle = handle_of(answer?, what)?;
    if let Some(replaced) = replaced {
        let like = Attributes { owner: replaced.owner, permissions: replaced.mode, ..Attributes::default() };
        let request = Request::Fsetstat { handle: &handle, attributes: like };
        if let Err(error) = run.ask(Side::To, &request, what).await {
            run.tell(Side::To, &Request::Close { handle: &handle });
            run.tell(Side::To, &Request::Remove { path: part });
            // Written straight, the file keeps its owner.
            return Err(match error {
                Error::Status { message, what, .. } => Error::Status { code: Code::PermissionDenied, message, what },
                error => error,
            });
        }
    }
    begin(run, file, source, handle, Some(part), (0, how, replaced.is_some())).await
}

/// Where to go on in what is there under `path`.
async fn resumed(
    run: &Run<'_>,
    file: &File,
    source: &Source,
    path: &[u8],
    left: &Attributes,
) -> Result<(u64, How), Error> {
    let record = left.times.map(|(record, _)| record);
    let copy = Copy::There(Side::To, path.to_vec());
    let (start, how) = resume(run, file, source, &copy, (left.size.unwrap_or(0), record)).await?;
    let unsure = how == How::SizeAndTime && !run.has(Side::To, extended::LIMITS);
    let start = if unsure { start.saturating_sub(UNSURE) } else { start };
    Ok((start, if start == 0 && how != How::Fresh { How::Mismatch } else { how }))
}

async fn open_straight(
    run: &Run<'_>,
    file: &File,
    source: &Source,
    existing: Option<&Existing>,
) -> Result<Target, Error> {
    let path = file.target_path();
    let what = || doing("open", &path);
    let mut begun = (0, How::Fresh, false);
    let mut flags = FXF_WRITE | FXF_CREAT | FXF_TRUNC;
    if let Some(there) = existing.filter(|existing| run.options.resume && existing.kind == Kind::File) {
        // A file begun by a program that keeps no record will do if it was written to after its source was last changed.
        let later = |written| source.facts.changed().is_some_and(|changed| changed <= written);
        let times = there.times.map(|(read, written)| match source.facts.record() {
            Some(record) if later(written) => (record, written),
            _ => (read, written),
        });
        let left = Attributes { size: there.size, times, ..Attributes::default() };
        let (start, how) = resumed(run, file, source, &path, &left).await?;
        begun = (start, how, false);
        if start > 0 {
            flags = FXF_WRITE;
        }
    }
    let attributes = Attributes { permissions: source.facts.mode, ..Attributes::default() };
    let request = Request::Open { path: &path, flags, attributes };
    let handle = handle_of(run.ask(Side::To, &request, what).await?, what)?;
    begin(run, file, source, handle, None, begun).await
}

async fn begin(
    run: &Run<'_>,
    file: &File,
    source: &Source,
    handle: Vec<u8>,
    part: Option<&[u8]>,
    (start, how, replaces): (u64, How, bool),
) -> Result<Target, Error> {
    if start > 0 {
        let attributes = Attributes { size: Some(start), ..Attributes::default() };
        let what = || doing("prepare", &file.target_path());
        run.ask(Side::To, &Request::Fsetstat { handle: &handle, attributes }, what).await?;
    }
    let record = source.facts.record().filter(|_| source.facts.size.is_some_and(|size| size >= RECORDED_FROM));
    if let Some(record) = record.filter(|_| part.is_some()) {
        let times = Some((record, source.facts.changed().unwrap_or(record)));
        let attributes = Attributes { times, ..Attributes::default() };
        run.tell(Side::To, &Request::Fsetstat { handle: &handle, attributes });
    }
    let part = part.map(<[u8]>::to_vec);
    Ok(Target {
        open: Open::There(handle),
        part,
        start,
        how,
        recorded: record.is_some(),
        replaces,
        closed: Cell::new(false),
    })
}

pub(super) async fn close(
    run: &Run<'_>,
    target: &Target,
    file: &File,
    source: &Source,
    end: &Ending,
) -> Result<(), Error> {
    let Open::There(handle) = &target.open else { return Ok(()) };
    let what = || doing("write", &file.target_path());
    let set = |attributes| run.request(Side::To, &Request::Fsetstat { handle, attributes });
    let size = end.hole_at_end.then(|| set(Attributes { size: Some(end.size), ..Attributes::default() }));
    let kept = run.options.preserve.then(|| {
        set(Attributes { permissions: source.facts.mode, times: source.facts.times, ..Attributes::default() })
    });
    let sync = run.options.fsync && run.has(Side::To, extended::FSYNC);
    let sync = sync.then(|| run.request(Side::To, &Request::Extended(Extended::Fsync { handle })));
    let closed = run.request(Side::To, &Request::Close { handle });
    target.closed.set(true);
    let mut result = Ok(());
    for must in size.into_iter().chain(sync) {
        result = result.and(run.answer(must, what).await.map(|_| ()));
    }
    if let Some(kept) = kept {
        match run.answer(kept, || doing("set the attributes of", &file.target_path())).await {
            Err(error) if error.code().is_some() => run.note(&error.to_string()),
            other => result = result.and(other.map(|_| ())),
        }
    }
    let closed = run.answer(closed, what).await;
    result.and(closed.map(|_| ()))
}

pub(super) async fn publish(run: &Run<'_>, target: &Target, file: &File) -> Result<(), Error> {
    let Some(part) = &target.part else { return Ok(()) };
    let path = file.target_path();
    let what = || doing("rename the part of", &path);
    let (old, new) = (part.as_slice(), path.as_slice());
    if run.has(Side::To, extended::POSIX_RENAME) {
        return run.ask(Side::To, &Request::Extended(Extended::PosixRename { old, new }), what).await.map(|_| ());
    }
    if target.replaces {
        // The draft's own rename replaces nothing.
        run.ask(Side::To, &Request::Remove { path: new }, || doing("replace", &path)).await?;
    }
    run.ask(Side::To, &Request::Rename { old, new }, what).await.map(|_| ())
}

/// What is beyond the frontier may have gaps, so it goes.
pub(super) fn leave(run: &Run<'_>, target: &Target, handle: &[u8], whole_to: u64) {
    if let Some(path) = target.part.as_deref().filter(|_| whole_to > 0) {
        let attributes = Attributes { size: Some(whole_to), ..Attributes::default() };
        run.tell(Side::To, &Request::Setstat { path, attributes });
    }
    if !target.closed.replace(true) {
        run.tell(Side::To, &Request::Close { handle });
    }
    if let Some(path) = target.part.as_deref().filter(|_| whole_to == 0) {
        run.tell(Side::To, &Request::Remove { path });
    }
}
