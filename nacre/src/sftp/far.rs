//! Commands that change the far side, one request a file.

use super::command::Changed;
use super::session::{Session, Trouble, quoted, refused};
use nacre_files::remote::{Error, Remote, shown};
use nacre_sftp::Attributes;
use nacre_sftp::attributes::Kind;

/// The most permissions that a new folder gets; the server's umask takes from them.
const FOLDER_MODE: u32 = 0o777;

impl Session<'_> {
    /// `cd`.
    pub fn enter(&self, path: Option<&[u8]>) -> Result<(), Trouble> {
        let path = match path {
            None => self.start.clone(),
            Some(path) => self.expanded(path)?,
        };
        let mut remote = self.far.remote();
        let real = remote.realpath(&path).map_err(|error| refused(&format!("realpath {}", shown(&path)), error))?;
        let told = remote.stat(&real).map_err(|error| refused(&format!("stat remote {}", quoted(&real)), error))?;
        match told.kind() {
            Some(Kind::Directory) => {
                drop(remote);
                self.far.enter(real);
                Ok(())
            }
            None => Err(Trouble::Say("Can't change directory: Can't check target".to_owned())),
            Some(_) => Err(Trouble::Say(format!("Can't change directory: {} is not a directory", quoted(&real)))),
        }
    }

    /// A path whose first component may be `~` or `~user`, if the server knows of home folders and the path is no file's.
    pub fn expanded(&self, path: &[u8]) -> Result<Vec<u8>, Trouble> {
        let absolute = self.absolute(path);
        if path.first() != Some(&b'~') {
            return Ok(absolute);
        }
        let mut remote = self.far.remote();
        match remote.lstat(&absolute) {
            Ok(_) => Ok(absolute),
            Err(error) if error.is_fatal() => Err(Trouble::Gone(error)),
            Err(_) => match remote.expand_path(path) {
                Err(error) if error.is_fatal() => Err(Trouble::Gone(error)),
                expanded => Ok(expanded.unwrap_or(absolute)),
            },
        }
    }

    /// `chmod`, `chown`, `chgrp`.
    pub fn change(&self, what: Changed, to: u32, no_follow: bool, pattern: &[u8]) -> Result<(), Trouble> {
        let (noun, request) = match (what, no_follow) {
            (Changed::Mode, false) => ("mode", "setstat"),
            (Changed::Mode, true) => ("mode", "lsetstat"),
            (Changed::Owner, false) => ("owner", "setstat"),
            (Changed::Owner, true) => ("owner", "lsetstat"),
            (Changed::Group, false) => ("group", "setstat"),
            (Changed::Group, true) => ("group", "lsetstat"),
        };
        self.each(pattern, |remote, path| {
            self.remark(&format!("Changing {noun} on {}", shown(path)))?;
            let attributes = match what {
                Changed::Mode => Attributes { permissions: Some(to), ..Attributes::default() },
                Changed::Owner | Changed::Group => owner(remote, path, what, to, no_follow)?,
            };
            let done = if no_follow { remote.lsetstat(path, attributes) } else { remote.setstat(path, attributes) };
            done.map_err(|error| refused(&format!("remote {request} {}", quoted(path)), error))
        })
    }

    /// `rm`.
    pub fn remove(&self, pattern: &[u8]) -> Result<(), Trouble> {
        self.each(pattern, |remote, path| {
            self.remark(&format!("Removing {}", shown(path)))?;
            remote.remove(path).map_err(|error| refused(&format!("remote delete {}", shown(path)), error))
        })
    }

    /// Does something to each file that a pattern matches. One that fails does not keep the others from it, unless the session
    /// is a batch, which ends with the first.
    fn each(
        &self,
        pattern: &[u8],
        mut deed: impl FnMut(&mut Remote, &[u8]) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let pattern = self.absolute_pattern(pattern);
        let mut remote = self.far.remote();
        let paths = remote.glob(&pattern).map_err(|error| refused("glob", error))?;
        let mut outcome = Ok(());
        for path in paths {
            if super::interrupted() {
                return Err(Trouble::Say("Interrupted".to_owned()));
            }
            match deed(&mut remote, &path) {
                Err(Trouble::Say(line)) if self.args.batch.is_none() => {
                    crate::output::complain(&line);
                    outcome = Err(Trouble::Told);
                }
                done => done?,
            }
        }
        outcome
    }

    /// `mkdir`.
    pub fn make_folder(&self, path: &[u8]) -> Result<(), Trouble> {
        let path = self.absolute(path);
        let mode = Attributes { permissions: Some(FOLDER_MODE), ..Attributes::default() };
        self.one(format!("remote mkdir {}", quoted(&path)), |remote| remote.mkdir(&path, mode))
    }

    /// `rmdir`.
    pub fn remove_folder(&self, path: &[u8]) -> Result<(), Trouble> {
        let path = self.absolute(path);
        self.one(format!("remote rmdir {}", quoted(&path)), |remote| remote.rmdir(&path))
    }

    /// `rename`.
    pub fn rename(&self, legacy: bool, from: &[u8], to: &[u8]) -> Result<(), Trouble> {
        let (from, to) = (self.absolute(from), self.absolute(to));
        self.one(format!("remote rename {} to {}", quoted(&from), quoted(&to)), |remote| match legacy {
            true => remote.plain_rename(&from, &to),
            false => remote.rename(&from, &to),
        })
    }

    /// `copy`.
    pub fn copy(&self, from: &[u8], to: &[u8]) -> Result<(), Trouble> {
        let (from, to) = (self.absolute(from), self.absolute(to));
        self.one(format!("Couldn't copy file {} to {}", quoted(&from), quoted(&to)), |remote| remote.copy(&from, &to))
    }

    /// `ln`, `symlink`. A symbolic link points to what was typed, whatever the working folder is.
    pub fn link(&self, symbolic: bool, from: &[u8], to: &[u8]) -> Result<(), Trouble> {
        let to = self.absolute(to);
        if symbolic {
            let what = format!("remote symlink file {} to {}", quoted(from), quoted(&to));
            return self.one(what, |remote| remote.symlink(from, &to));
        }
        let from = self.absolute(from);
        self.one(format!("remote link {} to {}", quoted(&from), quoted(&to)), |remote| remote.hardlink(&from, &to))
    }

    fn one(&self, what: String, deed: impl FnOnce(&mut Remote) -> Result<(), Error>) -> Result<(), Trouble> {
        deed(&mut self.far.remote()).map_err(|error| refused(&what, error))
    }
}

/// The owner to set: both numbers go at once, so the other one has to be asked for.
fn owner(remote: &mut Remote, path: &[u8], what: Changed, to: u32, no_follow: bool) -> Result<Attributes, Trouble> {
    let told = if no_follow { remote.lstat(path) } else { remote.stat(path) };
    let told = told.map_err(|error| refused(&format!("stat remote {}", quoted(path)), error))?;
    let Some((user, group)) = told.owner else {
        return Err(Trouble::Say(format!("Can't get current ownership of remote file {}", quoted(path))));
    };
    let owner = if what == Changed::Owner { (to, group) } else { (user, to) };
    Ok(Attributes { owner: Some(owner), ..Attributes::default() })
}
