//! Folders: made before what is in them, listed on either side, given their mode and times when all in them is done.

use super::listing::Listing;
use super::local;
use super::run::{Run, Side, doing};
use super::source::Facts;
use super::target::{Existing, list};
use super::tasks::TaskId;
use crate::remote::{Answer, Error, joined, shown};
use nacre_sftp::attributes::Kind;
use nacre_sftp::{Attributes, Name, Request};
use rustix::fs::{CWD, Dir, FileType, Mode};
use rustix::io::Errno;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::task::Poll;

/// Folders in folders, as deep as a path of PATH_MAX bytes can have them and descriptors allow.
const DEEPEST: usize = 256;

/// With more files than this for one folder of a server it is listed once; else each is asked for.
const FEW: usize = 8;

/// Entries of a folder here that are looked at before others may go on.
const BATCH: usize = 256;

/// A folder on both sides, open where it is here.
#[derive(Debug, Default)]
pub(super) struct Folder {
    /// Its path at the source, to be shown and, on a server, to be used.
    pub(super) source: Vec<u8>,
    /// Its path at the target.
    pub(super) target: Vec<u8>,
    pub(super) source_fd: Option<OwnedFd>,
    pub(super) target_fd: Option<OwnedFd>,
    /// It was made by this transfer, so nothing is in it that was not brought.
    pub(super) created: Cell<bool>,
    /// A link under a name in it is written through: the user named it, and no server.
    pub(super) follow: bool,
    /// What is in it on the server, once that was listed.
    pub(super) listed: RefCell<Option<HashMap<Vec<u8>, Existing>>>,
    /// Files and folders in it that are not done.
    children: Cell<usize>,
    waiting: Cell<Option<TaskId>>,
    depth: usize,
}

/// A file to be moved.
#[derive(Debug)]
pub(super) struct File {
    pub(super) folder: Rc<Folder>,
    pub(super) source_name: Vec<u8>,
    pub(super) target_name: Vec<u8>,
    pub(super) facts: Facts,
}

/// A folder to be moved, into `parent` under `target_name`; into `parent` itself without one.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) parent: Rc<Folder>,
    pub(super) source_name: Vec<u8>,
    pub(super) target_name: Option<Vec<u8>>,
    pub(super) facts: Facts,
}

/// Something to do.
#[derive(Debug)]
pub(super) enum Work {
    File(File),
    Folder(Tree),
}

impl Folder {
    /// A target that the user named; what is moved into it has sources of its own.
    pub(super) fn named(target: &[u8], follow: bool) -> Self {
        Self { target: target.to_vec(), follow, ..Self::default() }
    }

    /// Where names of the source are, when that is here.
    pub(super) fn source_here(&self) -> BorrowedFd<'_> {
        self.source_fd.as_ref().map_or(CWD, AsFd::as_fd)
    }

    /// Where names of the target are, when that is here.
    pub(super) fn target_here(&self) -> BorrowedFd<'_> {
        self.target_fd.as_ref().map_or(CWD, AsFd::as_fd)
    }

    pub(super) fn add_child(&self) {
        self.children.set(self.children.get() + 1);
    }

    pub(super) fn child_done(&self, run: &Run<'_>) {
        self.children.set(self.children.get().saturating_sub(1));
        if self.children.get() == 0
            && let Some(task) = self.waiting.take()
        {
            run.wakes.wake(task);
        }
    }

    /// Waits until everything in it is done.
    pub(super) async fn all_done(&self, run: &Run<'_>) {
        std::future::poll_fn(|_| {
            if self.children.get() == 0 {
                return Poll::Ready(());
            }
            self.waiting.set(Some(run.wakes.current()));
            Poll::Pending
        })
        .await;
    }

    /// Looks once at all that is there, before many files come.
    async fn expect(&self, run: &Run<'_>, files: usize) -> Result<(), Error> {
        if files <= FEW || !run.is_remote(Side::To) || self.created.get() || self.listed.borrow().is_some() {
            return Ok(());
        }
        match list(run, &self.target).await {
            Ok(listed) => *self.listed.borrow_mut() = Some(listed),
            // Then each is asked for.
            Err(error) if error.code().is_some() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl File {
    pub(super) fn source_path(&self) -> Vec<u8> {
        joined(&self.folder.source, &self.source_name)
    }

    pub(super) fn target_path(&self) -> Vec<u8> {
        joined(&self.folder.target, &self.target_name)
    }
}

impl Work {
    /// It will not be done.
    pub(super) fn abandon(self, run: &Run<'_>) {
        match self {
            Self::File(file) => file.folder.child_done(run),
            Self::Folder(tree) => {
                run.folders.give(&run.wakes);
                tree.parent.child_done(run);
            }
        }
    }
}

/// Queues a file.
pub(super) async fn add_file(run: &Run<'_>, file: File) {
    run.plan(file.facts.size.unwrap_or(0));
    file.folder.add_child();
    run.push(Work::File(file)).await;
}

/// Queues a folder as soon as there is a permit.
pub(super) async fn add_tree(run: &Run<'_>, tree: Tree) {
    tree.parent.add_child();
    run.folders.take(&run.wakes).await;
    run.push_front(Work::Folder(tree));
}

/// A folder with all in it. A permit was taken for it, and is given back as soon as it is listed.
pub(super) async fn folder(run: &Run<'_>, tree: Tree) {
    let path = joined(&tree.parent.source, &tree.source_name);
    let made = make(run, &tree).await;
    let folder = match made {
        Ok(folder) => Rc::new(folder),
        Err(error) => {
            run.folders.give(&run.wakes);
            run.failed(None, &path, &error);
            tree.parent.child_done(run);
            return;
        }
    };
    let mut inner = Vec::new();
    let listed = if run.is_remote(Side::From) {
        list_there(run, &folder, &mut inner).await
    } else {
        list_here(run, &folder, &mut inner).await
    };
    run.folders.give(&run.wakes);
    if let Err(error) = &listed {
        run.failed(None, &path, error);
    }
    for (name, facts) in inner {
        let target_name = Some(name.clone());
        add_tree(run, Tree { parent: Rc::clone(&folder), source_name: name, target_name, facts }).await;
    }
    folder.all_done(run).await;
    if let Err(error) = end(run, &folder, &tree.facts).await {
        run.failed(None, &path, &error);
    }
    tree.parent.child_done(run);
}

/// Opens the source and makes the target.
async fn make(run: &Run<'_>, tree: &Tree) -> Result<Folder, Error> {
    let parent = &tree.parent;
    let source = joined(&parent.source, &tree.source_name);
    let target = tree.target_name.as_ref().map_or_else(|| parent.target.clone(), |name| joined(&parent.target, name));
    if parent.depth >= DEEPEST {
        return Err(Error::Nonsense { what: format!("{}: folders are nested too deeply", shown(&source)) });
    }
    let mut folder = Folder { source, target, depth: parent.depth + 1, ..Folder::default() };
    if !run.is_remote(Side::From) {
        let opened = match parent.source_fd {
            Some(_) => local::open_subfolder(parent.source_here(), &tree.source_name),
            None => local::open_folder(&tree.source_name),
        };
        folder.source_fd = Some(opened.map_err(|error| Error::io(doing("open", &folder.source), error))?);
    }
    let Some(name) = &tree.target_name else {
        folder.created.set(parent.created.get());
        if let Some(fd) = &parent.target_fd {
            let copy = rustix::io::fcntl_dupfd_cloexec(fd, 3);
            folder.target_fd = Some(copy.map_err(|error| Error::io(doing("open", &folder.target), error))?);
        }
        return Ok(folder);
    };
    // Whoever makes it must be able to fill it; its own mode comes last.
    let mode = tree.facts.mode.unwrap_or(0o777) | 0o700;
    if run.is_remote(Side::To) {
        make_there(run, &folder, mode).await?;
        return Ok(folder);
    }
    match rustix::fs::mkdirat(parent.target_here(), name, Mode::from_raw_mode(mode)) {
        Ok(()) => folder.created.set(true),
        Err(Errno::EXIST) => {}
        Err(error) => return Err(Error::io(doing("make the directory", &folder.target), error)),
    }
    let opened = local::open_subfolder(parent.target_here(), name);
    folder.target_fd = Some(opened.map_err(|error| Error::io(doing("open the directory", &folder.target), error))?);
    Ok(folder)
}

async fn make_there(run: &Run<'_>, folder: &Folder, mode: u32) -> Result<(), Error> {
    let path = &folder.target;
    let attributes = Attributes { permissions: Some(mode), ..Attributes::default() };
    let what = || doing("make the directory", path);
    match run.ask(Side::To, &Request::Mkdir { path, attributes }, what).await {
        Ok(_) => folder.created.set(true),
        // No code says that it is there already.
        Err(refused) if refused.code().is_some() => match run.ask(Side::To, &Request::Stat { path }, what).await {
            Ok(Answer::Attributes(there)) if there.kind() == Some(Kind::Directory) => {}
            Ok(Answer::Attributes(_)) => return Err(Error::NoFolder { name: shown(path) }),
            Err(error) if error.code().is_none() => return Err(error),
            _ => return Err(refused),
        },
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Mode and times, when nothing in it changes any more.
async fn end(run: &Run<'_>, folder: &Folder, facts: &Facts) -> Result<(), Error> {
    if run.has_ended() {
        return Ok(());
    }
    let lent = facts.mode.filter(|mode| folder.created.get() && mode & 0o700 != 0o700);
    let mode = if run.options.preserve { facts.mode } else { lent };
    let times = facts.times.filter(|_| run.options.preserve);
    if mode.is_none() && times.is_none() {
        return Ok(());
    }
    let what = || doing("set the attributes of", &folder.target);
    if run.is_remote(Side::To) {
        let attributes = Attributes { permissions: mode, times, ..Attributes::default() };
        return run.ask(Side::To, &Request::Setstat { path: &folder.target, attributes }, what).await.map(|_| ());
    }
    let Some(fd) = &folder.target_fd else { return Ok(()) };
    let (read, changed) = times.unzip();
    let timed = if times.is_some() { local::set_times(fd, read, changed) } else { Ok(()) };
    let set = timed.and(mode.map_or(Ok(()), |mode| rustix::fs::fchmod(fd, Mode::from_raw_mode(mode))));
    set.map_err(|error| Error::io(what(), error))
}

type Inner = Vec<(Vec<u8>, Facts)>;

async fn list_here(run: &Run<'_>, folder: &Rc<Folder>, inner: &mut Inner) -> Result<(), Error> {
    let failed = |error| Error::io(doing("list", &folder.source), error);
    let mut names = Vec::new();
    for entry in Dir::read_from(folder.source_here()).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_bytes();
        if !matches!(name, b"." | b"..") {
            names.push((name.to_vec(), entry.file_type()));
        }
    }
    folder.expect(run, names.len()).await?;
    for (place, (name, kind)) in names.into_iter().enumerate() {
        if place % BATCH == BATCH - 1 {
            run.wakes.yield_now().await;
        }
        if run.has_ended() {
            return Ok(());
        }
        let is_link = kind == FileType::Symlink;
        if is_link && run.options.skip_links {
            note_left_out(run, &joined(&folder.source, &name));
            continue;
        }
        let stat = match local::stat(folder.source_here(), &name, true) {
            Ok(stat) => stat,
            Err(error) => {
                let path = joined(&folder.source, &name);
                run.failed(None, &path, &Error::io(doing("stat", &path), error));
                continue;
            }
        };
        let facts = Facts::of_stat(&stat);
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Directory,
            _ => Kind::Other,
        };
        add(run, folder, name, (kind, is_link), facts, inner).await;
    }
    Ok(())
}

async fn list_there(run: &Run<'_>, folder: &Rc<Folder>, inner: &mut Inner) -> Result<(), Error> {
    let mut listing = Listing::open(run, Side::From, &folder.source).await?;
    while let Some(names) = listing.next(run).await? {
        folder.expect(run, names.len()).await?;
        let mut names = names.into_iter().map(|name| resolve(run, folder, name)).collect::<Vec<_>>();
        for (name, link) in names.drain(..) {
            let path = || joined(&folder.source, &name.name);
            let is_link = link.is_some();
            let attributes = match link {
                Some(_) if run.options.skip_links => {
                    note_left_out(run, &path());
                    continue;
                }
                Some(reply) => match run.answer(reply, || doing("stat", &path())).await {
                    Ok(Answer::Attributes(attributes)) => attributes,
                    Ok(_) => continue,
                    Err(error) => {
                        run.failed(None, &path(), &error);
                        continue;
                    }
                },
                None => name.attributes,
            };
            // A server that does not tell what it is: reading it will.
            let kind = attributes.kind().unwrap_or(Kind::File);
            add(run, folder, name.name, (kind, is_link), Facts::of_attributes(&attributes), inner).await;
        }
    }
    Ok(())
}

/// Asks where a link leads; the questions of one list are under way together.
fn resolve(run: &Run<'_>, folder: &Folder, name: Name) -> (Name, Option<super::run::Reply>) {
    let link = (name.attributes.kind() == Some(Kind::Symlink)).then(|| {
        let path = joined(&folder.source, &name.name);
        run.request(Side::From, &Request::Stat { path: &path })
    });
    (name, link)
}

async fn add(
    run: &Run<'_>,
    folder: &Rc<Folder>,
    name: Vec<u8>,
    (kind, is_link): (Kind, bool),
    facts: Facts,
    inner: &mut Inner,
) {
    match kind {
        Kind::File => {
            let target_name = name.clone();
            add_file(run, File { folder: Rc::clone(folder), source_name: name, target_name, facts }).await;
        }
        // A link to a folder may lead back to where it is.
        Kind::Directory if !is_link => inner.push((name, facts)),
        _ => note_left_out(run, &joined(&folder.source, &name)),
    }
}

fn note_left_out(run: &Run<'_>, path: &[u8]) {
    run.note(&format!("{}: not a regular file, left out", shown(path)));
}
