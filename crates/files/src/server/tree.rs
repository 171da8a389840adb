//! Where a client's paths lead.
//!
//! Without a root, paths are the system's, relative ones from the start folder. With one, every path is resolved by the
//! kernel inside of it (openat2, `RESOLVE_IN_ROOT`): nothing is checked first and used afterwards, so there is no race to
//! win (threats F1 and F2). What acts on a name, and not on a file, acts on the last component in its parent, held open.

use super::Error;
use nacre_sftp::MAX_PATH;
use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::{Errno, retry_on_intr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The kernel gives up on a path with `..` when something was renamed meanwhile; how often to ask again.
const TRIES: usize = 1000;

/// The files a client sees.
pub struct Tree {
    /// The root, or the folder that relative paths count from.
    base: OwnedFd,
    rooted: bool,
    /// The folder that relative paths count from, as the client sees it, without a `/` at the end; `None` when it has no
    /// path any more.
    start: Option<Vec<u8>>,
}

/// A name in a folder that is held open.
pub struct Place<'a> {
    folder: Folder<'a>,
    /// The last component; without a root a whole path.
    pub name: &'a [u8],
}

enum Folder<'a> {
    Base(BorrowedFd<'a>),
    Parent(OwnedFd),
}

impl AsFd for Place<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.folder {
            Folder::Base(fd) => *fd,
            Folder::Parent(fd) => fd.as_fd(),
        }
    }
}

impl Tree {
    /// The system's tree, or the one below `root`.
    pub fn new(root: Option<&Path>) -> Result<Self, Error> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Some(root) = root else {
            let base = rustix::fs::open(c".", flags, Mode::empty()).map_err(|error| Error::Start(error.into()))?;
            // A folder without a path is one that was removed; only REALPATH of a relative path needs it.
            let start = rustix::process::getcwd(Vec::new()).ok().map(|path| without_end(path.into_bytes()));
            return Ok(Self { base, rooted: false, start: start.filter(|path| !path.starts_with(b"(")) });
        };
        let failed = |error: Errno| Error::Root { path: root.to_owned(), source: error.into() };
        let base = rustix::fs::open(root, flags, Mode::empty()).map_err(failed)?;
        let tree = Self { base, rooted: true, start: Some(Vec::new()) };
        // A kernel that cannot keep a client inside says so now and not at the first path.
        tree.open(b"/", flags, 0).map_err(failed)?;
        Ok(tree)
    }

    /// Relative paths count from here on from `folder`, itself counted from where they did.
    pub fn enter(&mut self, folder: &Path) -> Result<(), Errno> {
        let folder = folder.as_os_str().as_bytes();
        let base = self.open(folder, OFlags::PATH | OFlags::DIRECTORY, 0)?;
        let start = self.absolute(folder).map(without_end);
        if self.rooted {
            self.start = Some(start?);
        } else {
            self.start = start.ok();
            self.base = base;
        }
        Ok(())
    }

    /// Whether there is a world outside.
    pub fn is_rooted(&self) -> bool {
        self.rooted
    }

    /// The path of the folder that relative paths count from.
    pub fn start(&self) -> Result<&[u8], Errno> {
        self.start.as_deref().ok_or(Errno::NOENT)
    }

    /// The path from the root on, nothing resolved.
    fn absolute(&self, path: &[u8]) -> Result<Vec<u8>, Errno> {
        if path.first() == Some(&b'/') {
            return Ok(path.to_vec());
        }
        let mut whole = self.start()?.to_vec();
        whole.push(b'/');
        whole.extend_from_slice(path);
        Ok(whole)
    }

    /// Opens a file or folder, links followed; `mode` counts when it is made.
    pub fn open(&self, path: &[u8], flags: OFlags, mode: u32) -> Result<OwnedFd, Errno> {
        check(path)?;
        let (flags, mode) = (flags | OFlags::CLOEXEC, Mode::from_raw_mode(mode & 0o7777));
        if self.rooted {
            return self.open_inside(&self.absolute(path)?, flags, mode);
        }
        retry_on_intr(|| rustix::fs::openat(&self.base, path, flags, mode))
    }

    fn open_inside(&self, path: &[u8], flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
        // The kernel wants no mode where nothing is made.
        let mode = if flags.contains(OFlags::CREATE) { mode } else { Mode::empty() };
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        for _ in 0..TRIES {
            match rustix::fs::openat2(&self.base, path, flags, mode, resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                result => return result,
            }
        }
        Err(Errno::AGAIN)
    }

    /// Where a name is, a link there not followed.
    pub fn place<'a>(&'a self, path: &'a [u8]) -> Result<Place<'a>, Errno> {
        check(path)?;
        if !self.rooted {
            return Ok(Place { folder: Folder::Base(self.base.as_fd()), name: path });
        }
        let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
        let (named, slashes) = path.split_at(end);
        let split = named.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        let (parent, name) = named.split_at(split);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        // What names a folder by itself is that folder: the kernel knows what cannot be done to `.`.
        let (parent, name) = if matches!(name, b"" | b"." | b"..") { (path, &b"."[..]) } else { (parent, name) };
        let folder = self.open_inside(&self.absolute(parent)?, flags, Mode::empty())?;
        if !slashes.is_empty() && name != b"." {
            must_be_folder_if_there(&folder, name)?;
        }
        Ok(Place { folder: Folder::Parent(folder), name })
    }

    /// Attributes, links followed.
    pub fn stat(&self, path: &[u8]) -> Result<Stat, Errno> {
        check(path)?;
        if self.rooted {
            return rustix::fs::fstat(self.open(path, OFlags::PATH, 0)?);
        }
        rustix::fs::statat(&self.base, path, AtFlags::empty())
    }

    /// Attributes of a link itself.
    pub fn lstat(&self, path: &[u8]) -> Result<Stat, Errno> {
        if self.rooted && path.last() == Some(&b'/') {
            return self.stat(path);
        }
        let place = self.place(path)?;
        rustix::fs::statat(&place, place.name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Where a link points, as it stands in the link.
    pub fn readlink(&self, path: &[u8]) -> Result<Vec<u8>, Errno> {
        let place = self.place(path)?;
        rustix::fs::readlinkat(&place, place.name, Vec::new()).map(std::ffi::CString::into_bytes)
    }
}

/// The kernel does this for a path that ends with `/`, which a component cannot.
fn must_be_folder_if_there(folder: &OwnedFd, name: &[u8]) -> Result<(), Errno> {
    let is_folder = |stat: Stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir();
    match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if !is_folder(stat) => Err(Errno::NOTDIR),
        _ => Ok(()),
    }
}

/// A path that the kernel would refuse is refused before it is put together with another (threat F4).
fn check(path: &[u8]) -> Result<(), Errno> {
    match path {
        [] => Err(Errno::NOENT),
        path if path.len() >= MAX_PATH => Err(Errno::NAMETOOLONG),
        path if path.contains(&0) => Err(Errno::INVAL),
        _ => Ok(()),
    }
}

fn without_end(mut path: Vec<u8>) -> Vec<u8> {
    while path.last() == Some(&b'/') {
        path.pop();
    }
    path
}
