//! The machine's accounts: passwd and group entries through NSS (getpwnam_r, getgrouplist).

use std::ffi::{CString, OsString};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use nix::unistd::{Gid, Group, Uid, User};

use crate::error::{Doing, refused};

/// Longest user name looked up; longer ones do not exist. RFC 4252 sets no bound, NSS back ends may misbehave without one.
pub const MAX_NAME: usize = 255;

/// One passwd entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Login name, as the system spells it.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// The comment field (full name).
    pub gecos: OsString,
    /// Home directory.
    pub home: PathBuf,
    /// Login shell; `/bin/sh` when the field is empty (passwd(5)).
    pub shell: PathBuf,
    /// The password field as passwd has it: `x` when the hash is in shadow.
    pub password: String,
}

/// Who a process becomes: see [`crate::spawn::SpawnSpec`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Real, effective and saved user id.
    pub uid: u32,
    /// Real, effective and saved group id.
    pub gid: u32,
    /// Supplementary groups, complete.
    pub groups: Vec<u32>,
}

impl Account {
    /// Looks an account up by name. `None`: there is no such account (also for names that cannot exist: empty, over
    /// [`MAX_NAME`] bytes, or with NUL, `:` or `/`).
    ///
    /// # Errors
    /// The errno of the name service, which means "cannot tell", not "no".
    pub fn by_name(name: &str) -> io::Result<Option<Self>> {
        if name.is_empty() || name.len() > MAX_NAME || name.contains(['\0', ':', '/', '\n']) {
            return Ok(None);
        }
        let user = absent_is_none(User::from_name(name)).doing(|| format!("look up account {name:?}"))?;
        Ok(user.map(Self::from))
    }

    /// Looks an account up by user id.
    ///
    /// # Errors
    /// The errno of the name service.
    pub fn by_uid(uid: u32) -> io::Result<Option<Self>> {
        let user = absent_is_none(User::from_uid(Uid::from_raw(uid))).doing(|| format!("look up uid {uid}"))?;
        Ok(user.map(Self::from))
    }

    /// The account this process runs as (effective user id).
    ///
    /// # Errors
    /// `NotFound` when the user id has no passwd entry.
    pub fn current() -> io::Result<Self> {
        let uid = rustix::process::geteuid().as_raw();
        Self::by_uid(uid)?.ok_or_else(|| {
            refused(
                io::ErrorKind::NotFound,
                format!("look up uid {uid}"),
                "no passwd entry; add one or run as a known user",
            )
        })
    }

    /// All group ids of the account: the primary one and those that list it (getgrouplist).
    ///
    /// # Errors
    /// The errno of the name service.
    pub fn groups(&self) -> io::Result<Vec<u32>> {
        let name = CString::new(self.name.as_str()).doing(|| "look up groups".into())?;
        let groups = nix::unistd::getgrouplist(&name, Gid::from_raw(self.gid))
            .doing(|| format!("look up the groups of {}", self.name))?;
        Ok(groups.into_iter().map(Gid::as_raw).collect())
    }

    /// Names of [`Account::groups`], for `AllowGroups` and `Match Group`. Ids without a name are left out.
    ///
    /// # Errors
    /// The errno of the name service.
    pub fn group_names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for gid in self.groups()? {
            names.extend(group_name(gid)?);
        }
        Ok(names)
    }

    /// What a process needs to become this account.
    ///
    /// # Errors
    /// The errno of the name service.
    pub fn credentials(&self) -> io::Result<Credentials> {
        Ok(Credentials { uid: self.uid, gid: self.gid, groups: self.groups()? })
    }
}

impl From<User> for Account {
    fn from(user: User) -> Self {
        let shell = if user.shell.as_os_str().is_empty() { PathBuf::from("/bin/sh") } else { user.shell };
        Self {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            gecos: OsString::from_vec(user.gecos.into_bytes()),
            home: user.dir,
            shell,
            password: user.passwd.into_string().unwrap_or_default(),
        }
    }
}

/// The id of the group called `name`, if there is one.
///
/// # Errors
/// The errno of the name service.
pub fn group_id(name: &str) -> io::Result<Option<u32>> {
    let group = absent_is_none(Group::from_name(name)).doing(|| format!("look up group {name:?}"))?;
    Ok(group.map(|group| group.gid.as_raw()))
}

/// The name of group `gid`, if it has one.
///
/// # Errors
/// The errno of the name service.
pub fn group_name(gid: u32) -> io::Result<Option<String>> {
    let group = absent_is_none(Group::from_gid(Gid::from_raw(gid))).doing(|| format!("look up gid {gid}"))?;
    Ok(group.map(|group| group.name))
}

/// getpwnam(3) lets a back end say "not found" with any of these instead of a null result.
fn absent_is_none<T>(result: nix::Result<Option<T>>) -> nix::Result<Option<T>> {
    use nix::errno::Errno;
    match result {
        Err(Errno::ENOENT | Errno::ESRCH | Errno::EBADF | Errno::EPERM) => Ok(None),
        other => other,
    }
}
