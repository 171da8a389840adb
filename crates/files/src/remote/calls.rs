//! The requests of the draft, one at a time.

use super::{Answer, Error, Remote, shown, unexpected};
use nacre_sftp::extended::{self, Extended};
use nacre_sftp::{Attributes, Request};

impl Remote {
    /// Attributes of a path, links followed.
    ///
    /// # Errors
    /// As every call here: the server refuses, or the connection is of no use any more.
    pub fn stat(&mut self, path: &[u8]) -> Result<Attributes, Error> {
        self.attributes(&Request::Stat { path }, || format!("stat {}", shown(path)))
    }

    /// Attributes of a path; those of the link itself if it is one.
    ///
    /// # Errors
    /// As [`Self::stat`].
    pub fn lstat(&mut self, path: &[u8]) -> Result<Attributes, Error> {
        self.attributes(&Request::Lstat { path }, || format!("stat {}", shown(path)))
    }

    /// The absolute form of a path.
    ///
    /// # Errors
    /// As [`Self::stat`].
    pub fn realpath(&mut self, path: &[u8]) -> Result<Vec<u8>, Error> {
        self.one_name(&Request::Realpath { path }, || format!("find the real path of {}", shown(path)))
    }

    /// The absolute form of a path that may begin with `~` or `~user`.
    ///
    /// # Errors
    /// As [`Self::stat`], or the server does not know this extension.
    pub fn expand_path(&mut self, path: &[u8]) -> Result<Vec<u8>, Error> {
        self.needs(extended::EXPAND_PATH, "paths that begin with ~")?;
        self.one_name(&Request::Extended(Extended::ExpandPath { path }), || format!("expand {}", shown(path)))
    }

    /// Where a link points.
    ///
    /// # Errors
    /// As [`Self::stat`].
    pub fn readlink(&mut self, path: &[u8]) -> Result<Vec<u8>, Error> {
        self.one_name(&Request::Readlink { path }, || format!("read the link {}", shown(path)))
    }

    /// Makes a folder; `attributes` may hold its mode.
    ///
    /// # Errors
    /// As [`Self::stat`].
    pub fn mkdir(&mut self, path: &[u8], attributes: Attributes) -> Result<(), Error> {
        self.done(&Request::Mkdir { path, attributes }, || format!("make the directory {}", shown(path)))
    }

    /// Removes an empty folder.
    ///
    /// # Errors
    /// As [`Self::stat`].
    pub fn rmdir(&mut self, path: &[u8]) -> Result<(), Error> {
        self.done(&Request::Rmdir { path }, || format!("remove the directory {}", shown(path)))
    }

    /// Removes a file.
    ///
    /// # Errors
    /// As [`Self::stat`].
    pub fn remove(&mut self, path: &[u8]) -> Result<(), Error> {
        self.done(&Request::Remove { path }, || format!("remove {}", shown(path)))
    }

    /// Renames; a file under the new name is replaced where the server announces `posix-rename@openssh.com`, and is an
    /// error elsewhere.
    ///
    /// # Errors
    /// As [`Self::stat`].
    pub fn rename(&mut self, old: &[u8], new: &[u8]) -> Result<(), Error> {
        if !self.extensions().has(extended::POSIX_RENAME) {
            return self.plain_rename(old, new);
        }
        self.done(&Request::Extended(Extended::PosixRename { old, new }), || rename_words(old, new))
    }

    /// Renames by the draft's own request: a file under the new name is an error.
    ///
    /// # Errors
    /// As [`Self::stat`].
    pub fn plain_rename(&mut self, old: &[u8], new: &[u8]) -> Result<(), Error> {
        self.done(&Request::Rename { old, new }, || rename_words(old, new))
    }

    /// Makes the symbolic link `link`, which points to `target`.
    ///
    /// # Errors
    /// As [`Self::stat`].
    pub fn symlink(&mut self, target: &[u8], link: &[u8]) -> Result<(), Error> {
        self.done(&Request::Symlink { target, link }, || format!("make the link {}", shown(link)))
    }

    /// Makes `new` one more name of the file `old`.
    ///
    /// # Errors
    /// As [`Self::stat`], or the server does not know this extension.
    pub fn hardlink(&mut self, old: &[u8], new: &[u8]) -> Result<(), Error> {
        self.needs(extended::HARDLINK, "hard links")?;
        self.done(&Request::Extended(Extended::Hardlink { old, new }), || format!("make the link {}", shown(new)))
    }

    /// Sets attributes of a path, links followed.
    ///
    /// # Errors
    /// As [`Self::stat`].
    pub fn setstat(&mut self, path: &[u8], attributes: Attributes) -> Result<(), Error> {
        self.done(&Request::Setstat { path, attributes }, || format!("set the attributes of {}", shown(path)))
    }

    /// Sets attributes of a path; those of the link itself if it is one.
    ///
    /// # Errors
    /// As [`Self::stat`], or the server does not know this extension.
    pub fn lsetstat(&mut self, path: &[u8], attributes: Attributes) -> Result<(), Error> {
        self.needs(extended::LSETSTAT, "attributes of links")?;
        let request = Request::Extended(Extended::Lsetstat { path, attributes });
        self.done(&request, || format!("set the attributes of {}", shown(path)))
    }

    pub(super) fn done(&mut self, request: &Request<'_>, what: impl Fn() -> String) -> Result<(), Error> {
        match self.call(request, &what)? {
            Answer::Done => Ok(()),
            _ => Err(unexpected(&what())),
        }
    }

    pub(super) fn handle(&mut self, request: &Request<'_>, what: impl Fn() -> String) -> Result<Vec<u8>, Error> {
        match self.call(request, &what)? {
            Answer::Handle(handle) => Ok(handle),
            _ => Err(unexpected(&what())),
        }
    }

    fn attributes(&mut self, request: &Request<'_>, what: impl Fn() -> String) -> Result<Attributes, Error> {
        match self.call(request, &what)? {
            Answer::Attributes(attributes) => Ok(attributes),
            _ => Err(unexpected(&what())),
        }
    }

    fn one_name(&mut self, request: &Request<'_>, what: impl Fn() -> String) -> Result<Vec<u8>, Error> {
        match self.call(request, &what)? {
            Answer::Names(names) if names.len() == 1 => {
                let name = names.into_iter().next().map(|name| name.name).unwrap_or_default();
                if name.is_empty() { Err(unexpected(&what())) } else { Ok(name) }
            }
            _ => Err(unexpected(&what())),
        }
    }

    pub(super) fn needs(&self, extension: &str, what: &'static str) -> Result<(), Error> {
        if self.extensions().has(extension) { Ok(()) } else { Err(Error::Unsupported { what }) }
    }
}

fn rename_words(old: &[u8], new: &[u8]) -> String {
    format!("rename {} to {}", shown(old), shown(new))
}
