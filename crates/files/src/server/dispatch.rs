//! Which part of the worker answers which request, and what an answer is.

use super::attributes::attributes_of;
use super::handles::Handle;
use super::journal::{Level, shown};
use super::output::Output;
use super::policy::name_of;
use super::realpath::realpath;
use super::refusal::Refusal;
use super::worker::Worker;
use nacre_sftp::extensions::{Limits, Statvfs};
use nacre_sftp::{Attributes, Code, Extended, MAX_DATA, MAX_PACKET, Name, Reply, Request};
use nacre_wire::WriteExt;
use rustix::fs::{OFlags, StatVfs, StatVfsMountFlags};

/// What a request came to.
pub enum Answer {
    /// STATUS OK.
    Done,
    /// The reply is in its place already.
    Sent,
    Handle(Handle),
    Names(Vec<Name>),
    Attributes(Attributes),
    Extended(Vec<u8>),
}

impl Answer {
    /// The one name of REALPATH, READLINK and their like.
    pub fn name(name: Vec<u8>) -> Self {
        Self::Names(vec![Name::only(name)])
    }

    /// Appends the reply.
    pub fn send(self, id: u32, replies: &mut Output) {
        match self {
            Self::Done => replies.append(|out| Reply::encode_status(id, Code::Ok, out)),
            Self::Sent => {}
            Self::Handle(handle) => replies.reply(id, &Reply::Handle(&handle)),
            Self::Names(names) => replies.reply(id, &Reply::Names(names)),
            Self::Attributes(attributes) => replies.reply(id, &Reply::Attributes(attributes)),
            Self::Extended(data) => replies.reply(id, &Reply::Extended(&data)),
        }
    }
}

/// How a request went.
pub type Answered = Result<Answer, Refusal>;

impl Worker {
    /// Answers a request that may be made.
    pub(super) fn request(&mut self, id: u32, request: Request<'_>, replies: &mut Output) -> Answered {
        match request {
            Request::Read { handle, offset, length } => return self.read(id, (handle, offset, length), replies),
            Request::Write { handle, offset, data } => return self.write(handle, offset, data),
            _ => {}
        }
        self.note(Level::Debug, || format!("request {id}: {}", name_of(&request).unwrap_or("unknown")));
        match request {
            Request::Open { path, flags, attributes } => self.open(path, flags, &attributes),
            Request::Close { handle } => self.close(handle),
            Request::Lstat { path } => Ok(Answer::Attributes(attributes_of(&self.tree.lstat(path)?))),
            Request::Stat { path } => Ok(Answer::Attributes(attributes_of(&self.tree.stat(path)?))),
            Request::Fstat { handle } => self.fstat(handle),
            Request::Setstat { path, attributes } => self.setstat(path, &attributes),
            Request::Fsetstat { handle, attributes } => self.fsetstat(handle, &attributes),
            Request::Opendir { path } => self.opendir(path),
            Request::Readdir { handle } => self.readdir(handle),
            Request::Remove { path } => self.remove(path),
            Request::Mkdir { path, attributes } => self.mkdir(path, &attributes),
            Request::Rmdir { path } => self.rmdir(path),
            Request::Realpath { path } => Ok(Answer::name(realpath(&self.tree, path)?)),
            Request::Rename { old, new } => self.rename(old, new),
            Request::Readlink { path } => Ok(Answer::name(self.tree.readlink(path)?)),
            Request::Symlink { target, link } => self.symlink(target, link),
            Request::Extended(extended) => self.extended(extended),
            Request::Unknown { .. } | Request::Read { .. } | Request::Write { .. } => {
                Err(Refusal::code(Code::Unsupported))
            }
        }
    }

    fn extended(&mut self, request: Extended<'_>) -> Answered {
        match request {
            Extended::PosixRename { old, new } => self.posix_rename(old, new),
            Extended::Statvfs { path } => statvfs(&rustix::fs::fstatvfs(self.tree.open(path, OFlags::PATH, 0)?)?),
            Extended::Fstatvfs { handle } => statvfs(&rustix::fs::fstatvfs(self.handles.get(handle)?.fd()?)?),
            Extended::Hardlink { old, new } => self.hardlink(old, new),
            Extended::Fsync { handle } => self.fsync(handle),
            Extended::Lsetstat { path, attributes } => self.lsetstat(path, &attributes),
            Extended::Limits => Ok(Answer::Extended(self.limits().encode())),
            Extended::ExpandPath { path } => self.expand_path(path),
            Extended::CopyData { from, from_offset, length, to, to_offset } => {
                self.copy_data((from, from_offset), length, (to, to_offset))
            }
            Extended::HomeDirectory { user } => Ok(Answer::name(self.people.home(&self.tree, user)?)),
            Extended::UsersGroupsById { users, groups } => Ok(Answer::Extended(self.people.names(&users, &groups))),
            Extended::CheckFile { file, check } => self.check_file(file, &check),
            Extended::LinkCount { path } => {
                let mut data = Vec::new();
                data.put_u64(links(&self.tree.lstat(path)?));
                Ok(Answer::Extended(data))
            }
            Extended::DataRanges { handle, offset } => self.data_ranges(handle, offset),
            Extended::Unknown { name } => {
                self.note(Level::Verbose, || format!("unknown extended request \"{}\"", shown(name)));
                Err(Refusal::code(Code::Unsupported))
            }
        }
    }

    fn limits(&self) -> Limits {
        let wide = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let data = u64::from(MAX_DATA);
        Limits { packet: wide(MAX_PACKET), read: data, write: data, handles: wide(self.handles.most()) }
    }

    /// `~` and `~user` at the beginning stand for home folders.
    fn expand_path(&mut self, path: &[u8]) -> Answered {
        let expanded = self.people.expand(&self.tree, path)?;
        Ok(Answer::name(realpath(&self.tree, &expanded)?))
    }
}

fn statvfs(stat: &StatVfs) -> Answered {
    let StatVfs { f_bsize, f_frsize, f_blocks, f_bfree, f_bavail, f_files, f_ffree, f_favail, f_fsid, .. } = *stat;
    let reply = Statvfs {
        numbers: [f_bsize, f_frsize, f_blocks, f_bfree, f_bavail, f_files, f_ffree, f_favail, f_fsid],
        read_only: stat.f_flag.contains(StatVfsMountFlags::RDONLY),
        no_setuid: stat.f_flag.contains(StatVfsMountFlags::NOSUID),
        longest_name: stat.f_namemax,
    };
    Ok(Answer::Extended(reply.encode()))
}

/// The field's width differs between machines.
#[allow(clippy::useless_conversion)]
pub(super) fn links(stat: &rustix::fs::Stat) -> u64 {
    u64::from(stat.st_nlink)
}
