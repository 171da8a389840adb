//! OPENDIR and READDIR (draft §6.7).

use super::attributes::attributes_of;
use super::dispatch::{Answer, Answered};
use super::handles::{Open, OpenFolder};
use super::journal::{Level, shown};
use super::longname::longname;
use super::refusal::Refusal;
use super::worker::Worker;
use nacre_sftp::{Code, MAX_NAMES, Name};
use rustix::fs::{AtFlags, Dir, OFlags};

impl Worker {
    pub(super) fn opendir(&mut self, path: &[u8]) -> Answered {
        self.handles.room()?;
        self.note(Level::Info, || format!("opendir \"{}\"", shown(path)));
        let fd = self.tree.open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK, 0)?;
        let folder = OpenFolder { dir: Dir::new(fd)?, path: path.to_vec() };
        self.handles.add(Open::Folder(folder)).map(Answer::Handle)
    }

    /// The next names, `.` and `..` among them. One that vanishes under our hands, or may not be looked at, is left out.
    pub(super) fn readdir(&mut self, handle: &[u8]) -> Answered {
        let folder = self.handles.folder(handle)?;
        let mut names = Vec::new();
        let now = seconds_now();
        while names.len() < MAX_NAMES {
            let Some(entry) = folder.dir.read() else { break };
            let entry = match entry {
                Ok(entry) => entry,
                Err(_) if !names.is_empty() => break,
                Err(error) => return Err(error.into()),
            };
            let name = entry.file_name();
            let Ok(stat) = rustix::fs::statat(folder.dir.fd()?, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            let name = name.to_bytes().to_vec();
            let long = longname(&name, &stat, &mut self.people, now);
            names.push(Name { name, long, attributes: attributes_of(&stat) });
        }
        if names.is_empty() { Err(Refusal::code(Code::Eof)) } else { Ok(Answer::Names(names)) }
    }
}

fn seconds_now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}
