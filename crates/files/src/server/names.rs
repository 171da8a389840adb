//! Names of files: REMOVE, MKDIR, RMDIR, RENAME, SYMLINK and their extensions (draft §6.5 to §6.10).

use super::dispatch::{Answer, Answered};
use super::journal::{Level, shown};
use super::refusal::Refusal;
use super::worker::Worker;
use nacre_sftp::{Attributes, Code};
use rustix::fs::{AtFlags, FileType, Mode, RenameFlags};
use rustix::io::Errno;

use super::tree::Place;

impl Worker {
    pub(super) fn remove(&mut self, path: &[u8]) -> Answered {
        self.note(Level::Info, || format!("remove name \"{}\"", shown(path)));
        let place = self.tree.place(path)?;
        rustix::fs::unlinkat(&place, place.name, AtFlags::empty())?;
        Ok(Answer::Done)
    }

    pub(super) fn mkdir(&mut self, path: &[u8], attributes: &Attributes) -> Answered {
        let mode = attributes.permissions.map_or(0o777, |mode| mode & 0o7777);
        self.note(Level::Info, || format!("mkdir name \"{}\" mode 0{mode:o}", shown(path)));
        let place = self.tree.place(path)?;
        rustix::fs::mkdirat(&place, place.name, Mode::from_raw_mode(mode))?;
        Ok(Answer::Done)
    }

    pub(super) fn rmdir(&mut self, path: &[u8]) -> Answered {
        self.note(Level::Info, || format!("rmdir name \"{}\"", shown(path)));
        let place = self.tree.place(path)?;
        rustix::fs::unlinkat(&place, place.name, AtFlags::REMOVEDIR)?;
        Ok(Answer::Done)
    }

    /// Version 3's: what has the new name already stays.
    pub(super) fn rename(&mut self, old: &[u8], new: &[u8]) -> Answered {
        self.note(Level::Info, || format!("rename old \"{}\" new \"{}\"", shown(old), shown(new)));
        let (old, new) = (self.tree.place(old)?, self.tree.place(new)?);
        match rustix::fs::renameat_with(&old, old.name, &new, new.name, RenameFlags::NOREPLACE) {
            // Some file systems cannot say "only if it is not there".
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => rename_in_steps(&old, &new)?,
            result => result?,
        }
        Ok(Answer::Done)
    }

    pub(super) fn posix_rename(&mut self, old: &[u8], new: &[u8]) -> Answered {
        self.note(Level::Info, || format!("posix-rename old \"{}\" new \"{}\"", shown(old), shown(new)));
        let (old, new) = (self.tree.place(old)?, self.tree.place(new)?);
        rustix::fs::renameat(&old, old.name, &new, new.name)?;
        Ok(Answer::Done)
    }

    pub(super) fn hardlink(&mut self, old: &[u8], new: &[u8]) -> Answered {
        self.note(Level::Info, || format!("hardlink old \"{}\" new \"{}\"", shown(old), shown(new)));
        let (old, new) = (self.tree.place(old)?, self.tree.place(new)?);
        rustix::fs::linkat(&old, old.name, &new, new.name, AtFlags::empty())?;
        Ok(Answer::Done)
    }

    /// Below a root no link is made: to others, who are not kept inside, it could lead anywhere (threat F2).
    pub(super) fn symlink(&mut self, target: &[u8], link: &[u8]) -> Answered {
        self.note(Level::Info, || format!("symlink old \"{}\" new \"{}\"", shown(target), shown(link)));
        if self.tree.is_rooted() {
            return Err(Refusal::code(Code::PermissionDenied));
        }
        if target.len() >= nacre_sftp::MAX_PATH {
            return Err(Errno::NAMETOOLONG.into());
        }
        let place = self.tree.place(link)?;
        rustix::fs::symlinkat(target, &place, place.name)?;
        Ok(Answer::Done)
    }
}

/// A file gets a second name, which never replaces, and loses the first; anything else is renamed if nothing is there.
fn rename_in_steps(old: &Place<'_>, new: &Place<'_>) -> Result<(), Errno> {
    let stat = rustix::fs::statat(old, old.name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(stat.st_mode).is_file() {
        match rustix::fs::linkat(old, old.name, new, new.name, AtFlags::empty()) {
            Ok(()) => return rustix::fs::unlinkat(old, old.name, AtFlags::empty()),
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::PERM | Errno::MLINK) => {}
            Err(error) => return Err(error),
        }
    }
    match rustix::fs::statat(new, new.name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => rustix::fs::renameat(old, old.name, new, new.name),
        Ok(_) => Err(Errno::EXIST),
        Err(error) => Err(error),
    }
}
