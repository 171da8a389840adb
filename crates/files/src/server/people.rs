//! Users and groups by number and by name, and their home folders. What was looked up once is known.

use super::tree::Tree;
use nacre_sftp::MAX_PACKET;
use nacre_sys::account::{Account, group_name};
use nacre_wire::WriteExt;
use rustix::io::Errno;
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;

/// More names than a file system's owners are likely to have are not kept.
const MOST_KEPT: usize = 4096;

/// The names that are known.
#[derive(Default)]
pub struct People {
    users: HashMap<u32, Option<String>>,
    groups: HashMap<u32, Option<String>>,
}

impl People {
    /// The user's name, or the number.
    pub fn user(&mut self, id: u32) -> String {
        self.user_name(id).unwrap_or_else(|| id.to_string())
    }

    /// The group's name, or the number.
    pub fn group(&mut self, id: u32) -> String {
        self.group_name(id).unwrap_or_else(|| id.to_string())
    }

    fn user_name(&mut self, id: u32) -> Option<String> {
        // A name service that cannot tell is as good as one that does not know.
        known(&mut self.users, id, |id| Account::by_uid(id).ok().flatten().map(|account| account.name))
    }

    fn group_name(&mut self, id: u32) -> Option<String> {
        known(&mut self.groups, id, |id| group_name(id).ok().flatten())
    }

    /// The data of the answer to users-groups-by-id: two strings of strings, an empty one where there is no name, or no room.
    pub fn names(&mut self, users: &[u32], groups: &[u32]) -> Vec<u8> {
        let numbers = (users.len() + groups.len()) * 4;
        let mut room = (MAX_PACKET - 64).saturating_sub(numbers);
        let mut list = |ids: &[u32], name: &mut dyn FnMut(u32) -> Option<String>| {
            let mut out = Vec::new();
            for id in ids {
                let name = name(*id).filter(|name| name.len() <= room).unwrap_or_default();
                room -= name.len();
                out.put_string(name);
            }
            out
        };
        let users = list(users, &mut |id| self.user_name(id));
        let groups = list(groups, &mut |id| self.group_name(id));
        let mut data = Vec::with_capacity(users.len() + groups.len() + 8);
        data.put_string(users);
        data.put_string(groups);
        data
    }

    /// A user's home folder; an empty name is the user's own. Below a root it is the start folder, and nobody else has one: who there is
    /// outside is not told (threat F3).
    pub fn home(&self, tree: &Tree, user: &[u8]) -> Result<Vec<u8>, Errno> {
        if tree.is_rooted() {
            let start = tree.start()?;
            return match user {
                [] if start.is_empty() => Ok(b"/".to_vec()),
                [] => Ok(start.to_vec()),
                _ => Err(Errno::NOENT),
            };
        }
        let account = match str::from_utf8(user).map_err(|_| Errno::NOENT)? {
            "" => Account::current().ok(),
            name => Account::by_name(name).ok().flatten(),
        };
        Ok(account.ok_or(Errno::NOENT)?.home.as_os_str().as_bytes().to_vec())
    }

    /// The path with `~` or `~user` at its beginning replaced. As with OpenSSH's, `~` alone is the start folder, which is home
    /// unless another one was chosen.
    pub fn expand(&self, tree: &Tree, path: &[u8]) -> Result<Vec<u8>, Errno> {
        let Some(after) = path.strip_prefix(b"~") else { return Ok(path.to_vec()) };
        let end = after.iter().position(|byte| *byte == b'/').unwrap_or(after.len());
        let (user, rest) = after.split_at(end);
        let mut whole = match tree.start() {
            Ok(start) if user.is_empty() => [start, b"/"].concat(),
            _ => self.home(tree, user)?,
        };
        whole.extend_from_slice(rest);
        Ok(whole)
    }
}

fn known(
    kept: &mut HashMap<u32, Option<String>>,
    id: u32,
    look_up: impl FnOnce(u32) -> Option<String>,
) -> Option<String> {
    if let Some(name) = kept.get(&id) {
        return name.clone();
    }
    let name = look_up(id);
    if kept.len() < MOST_KEPT {
        kept.insert(id, name.clone());
    }
    name
}
