//! Requests whose answers have a shape of their own.

use super::{Answer, Error, Remote, shown, unexpected};
use nacre_sftp::extended::{self, Extended, MAX_IDS};
use nacre_sftp::extensions::{Limits, Statvfs};
use nacre_sftp::{Attributes, Request, request};
use nacre_wire::{DecodeError, Reader};

/// Names of users or groups, any bytes.
pub type Names = Vec<Vec<u8>>;

impl Remote {
    pub(super) fn ask_limits(&mut self) -> Result<Limits, Error> {
        let data = self.data(Extended::Limits, || "ask for the server's limits".to_owned())?;
        Limits::decode(&data).map_err(|error| Error::Fault(error.into()))
    }

    /// The file system that holds a path.
    ///
    /// # Errors
    /// The server refuses, or does not know this extension; or the connection is of no use any more.
    pub fn statvfs(&mut self, path: &[u8]) -> Result<Statvfs, Error> {
        self.needs(extended::STATVFS, "free space")?;
        let data = self.data(Extended::Statvfs { path }, || format!("ask for the free space of {}", shown(path)))?;
        Statvfs::decode(&data).map_err(|error| Error::Fault(error.into()))
    }

    /// How many names a file has, a link not followed; none when the server does not tell.
    ///
    /// # Errors
    /// The server refuses, or the connection is of no use any more.
    pub fn link_count(&mut self, path: &[u8]) -> Result<Option<u64>, Error> {
        if !self.extensions().has(extended::LINK_COUNT) {
            return Ok(None);
        }
        let data = self.data(Extended::LinkCount { path }, || format!("count the links of {}", shown(path)))?;
        Ok(Some(decoded(&data, |reader| reader.u64("links"))?))
    }

    /// The home folder of a user; of one's own when `user` is empty.
    ///
    /// # Errors
    /// As [`Self::statvfs`].
    pub fn home_directory(&mut self, user: &[u8]) -> Result<Vec<u8>, Error> {
        self.needs(extended::HOME_DIRECTORY, "home directories")?;
        let what = || format!("ask for the home directory of {}", shown(user));
        match self.call(&Request::Extended(Extended::HomeDirectory { user }), what)? {
            Answer::Names(names) => match names.into_iter().next() {
                Some(first) if !first.name.is_empty() => Ok(first.name),
                _ => Err(unexpected(&what())),
            },
            _ => Err(unexpected(&what())),
        }
    }

    /// Names for numbers of users and of groups, in their order; empty where the server knows none.
    ///
    /// # Errors
    /// As [`Self::statvfs`].
    pub fn users_groups(&mut self, users: &[u32], groups: &[u32]) -> Result<(Names, Names), Error> {
        self.needs(extended::USERS_GROUPS, "names of users and groups")?;
        let first = |ids: &[u32]| ids.iter().take(MAX_IDS).copied().collect::<Vec<u32>>();
        let (users, groups) = (first(users), first(groups));
        let counts = (users.len(), groups.len());
        let request = Extended::UsersGroupsById { users, groups };
        let data = self.data(request, || "ask for the names of users and groups".to_owned())?;
        decoded(&data, |reader| {
            Ok((
                read_names(reader.string("usernames")?, counts.0)?,
                read_names(reader.string("groupnames")?, counts.1)?,
            ))
        })
    }

    /// Copies a file on the server without its bytes travelling; an existing one is written over.
    ///
    /// # Errors
    /// As [`Self::statvfs`].
    pub fn copy(&mut self, from: &[u8], to: &[u8]) -> Result<(), Error> {
        self.needs(extended::COPY_DATA, "copies on its own side")?;
        let attributes = self.stat(from)?;
        if attributes.kind().is_some_and(|kind| kind != nacre_sftp::attributes::Kind::File) {
            return Err(Error::NotRegular { name: shown(from) });
        }
        let mode = Attributes { permissions: attributes.permissions.map(|mode| mode & 0o777), ..Attributes::default() };
        let what = || format!("copy {} to {}", shown(from), shown(to));
        let open = Request::Open { path: from, flags: request::FXF_READ, attributes: Attributes::default() };
        let source = self.handle(&open, || format!("open {}", shown(from)))?;
        let flags = request::FXF_WRITE | request::FXF_CREAT | request::FXF_TRUNC;
        let open = Request::Open { path: to, flags, attributes: mode };
        let target = self.handle(&open, || format!("open {}", shown(to)));
        let copied = target.and_then(|target| {
            let (from, to) = (&source, &target);
            let request = Extended::CopyData { from, from_offset: 0, length: 0, to, to_offset: 0 };
            let copied = self.done(&Request::Extended(request), what);
            copied.and(self.done(&Request::Close { handle: &target }, || format!("close {}", shown(to))))
        });
        copied.and(self.done(&Request::Close { handle: &source }, || format!("close {}", shown(from))))
    }

    fn data(&mut self, request: Extended<'_>, what: impl Fn() -> String) -> Result<Vec<u8>, Error> {
        match self.call(&Request::Extended(request), &what)? {
            Answer::Extended(data) => Ok(data),
            _ => Err(unexpected(&what())),
        }
    }
}

fn decoded<T>(data: &[u8], read: impl FnOnce(&mut Reader<'_>) -> Result<T, DecodeError>) -> Result<T, Error> {
    let mut reader = Reader::new(data);
    let value = read(&mut reader).and_then(|value| reader.finish().map(|()| value));
    value.map_err(|error| Error::Fault(error.into()))
}

fn read_names(data: &[u8], count: usize) -> Result<Names, DecodeError> {
    let mut reader = Reader::new(data);
    let names = (0..count).map(|_| reader.string("name").map(<[u8]>::to_vec)).collect::<Result<_, _>>()?;
    reader.finish()?;
    Ok(names)
}
