//! `~/.ssh/agent`: sockets that stand for clients' agents, and paths to them that outlive connections.
//!
//! Each connection has a folder of its own there, which it keeps locked: one that can be locked is left over and goes.
//! What its sessions are told is a numbered link beside it: the lowest number that no living connection has. While the
//! connection lives the link leads to its socket, and afterwards to the newest that lives, so that programs which go on
//! (tmux) find an agent again. Links stay, as many as there were connections at once.
//!
//! Names hold the machine's, since a home folder may be shared by several.

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The name of the socket in its folder.
pub const SOCKET: &str = "s";
/// Characters of the machine's name that are used: the path of a socket has at most 107 bytes.
const MAX_MACHINE: usize = 16;
/// How often the lock of all folders is tried, and how long is waited between: others hold it for a moment only.
const LOCK_TRIES: u32 = 10;
const BETWEEN_TRIES: Duration = Duration::from_millis(1);

/// The folder with all the folders, of one account on one machine.
#[derive(Debug, Clone)]
pub struct AgentFolder {
    path: PathBuf,
    machine: String,
}

/// A connection's folder.
#[derive(Debug)]
pub struct Own {
    /// Where it is.
    pub folder: PathBuf,
    /// What its sessions are told.
    pub link: PathBuf,
    /// Keeps it locked.
    pub lives: File,
}

/// The name of a folder that is there: the later, the newer.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Living {
    id: String,
    number: u32,
}

impl AgentFolder {
    /// The one below this home folder, made if need be.
    ///
    /// # Errors
    /// It cannot be made, or others than its owner may enter it.
    pub fn below(home: &Path) -> io::Result<Self> {
        let ssh = home.join(".ssh");
        let path = ssh.join("agent");
        for folder in [&ssh, &path] {
            match make_private(folder) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        let found = fs::symlink_metadata(&path)?;
        let own = found.uid() == rustix::process::geteuid().as_raw();
        if !found.is_dir() || !own || found.mode() & 0o077 != 0 {
            return Err(io::Error::new(ErrorKind::PermissionDenied, "it is not the account's alone"));
        }
        Ok(Self { path, machine: machine() })
    }

    /// Whoever changes anything holds this lock.
    fn lock(&self) -> io::Result<File> {
        for _ in 1..LOCK_TRIES {
            match self.lock_at_once() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(BETWEEN_TRIES),
                other => return other,
            }
        }
        self.lock_at_once()
    }

    fn lock_at_once(&self) -> io::Result<File> {
        let folder = File::open(&self.path)?;
        flock(&folder, FlockOperation::NonBlockingLockExclusive)?;
        Ok(folder)
    }

    /// A new folder.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn add(&self) -> io::Result<Own> {
        let _lock = self.lock()?;
        let taken: BTreeSet<u32> = self.living()?.into_iter().map(|living| living.number).collect();
        let number = (0..).find(|number| !taken.contains(number)).unwrap_or_default();
        let age = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_millis());
        let living = Living { id: format!("{age:012x}{:08x}", random()?), number };
        let folder = self.path.join(self.folder_of(&living));
        make_private(&folder)?;
        let lives = File::open(&folder)?;
        flock(&lives, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Own { folder, link: self.link(number), lives })
    }

    fn folder_of(&self, living: &Living) -> String {
        format!("fwd.{}.{}.{}", self.machine, living.id, living.number)
    }

    fn link(&self, number: u32) -> PathBuf {
        self.path.join(format!("agent.{}.{number}", self.machine))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name().into_string().unwrap_or_default()));
        names.collect()
    }

    /// The folders of living connections, the newest last. Those of dead ones are taken away.
    fn living(&self) -> io::Result<Vec<Living>> {
        let mut living = Vec::new();
        for name in self.names()? {
            let [_, machine, id, number] = name.split('.').collect::<Vec<_>>()[..] else { continue };
            let Ok(number) = number.parse() else { continue };
            let one = Living { id: id.to_owned(), number };
            if machine != self.machine || self.folder_of(&one) != name {
                continue;
            }
            match lives(&self.path.join(&name)) {
                true => living.push(one),
                false => take_away(&self.path.join(&name)),
            }
        }
        living.sort();
        Ok(living)
    }

    /// Has each link lead where it should, and takes away what dead connections left.
    ///
    /// # Errors
    /// The folder cannot be changed.
    pub fn follow(&self) -> io::Result<()> {
        let lock = self.lock()?;
        self.follow_under(&lock)
    }

    /// As [`AgentFolder::follow`], by somebody who may not wait.
    ///
    /// # Errors
    /// `WouldBlock` while somebody else changes the folder.
    pub fn follow_at_once(&self) -> io::Result<()> {
        let lock = self.lock_at_once()?;
        self.follow_under(&lock)
    }

    fn follow_under(&self, _lock: &File) -> io::Result<()> {
        let living = self.living()?;
        // With nobody alive the links stay as they are: the next connection finds them.
        let Some(newest) = living.last() else { return Ok(()) };
        let known = |name: String| name.strip_prefix(&format!("agent.{}.", self.machine))?.parse().ok();
        let known: Vec<u32> = self.names()?.into_iter().filter_map(known).collect();
        for number in living.iter().map(|living| living.number).chain(known).collect::<BTreeSet<_>>() {
            let holder = living.iter().find(|living| living.number == number).unwrap_or(newest);
            lead(&self.link(number), &Path::new(&self.folder_of(holder)).join(SOCKET))?;
        }
        Ok(())
    }
}

/// Has a link lead there, from one moment to the next.
fn lead(link: &Path, target: &Path) -> io::Result<()> {
    if fs::read_link(link).is_ok_and(|now| now == target) {
        return Ok(());
    }
    let next = link.with_extension(format!("{:08x}", random()?));
    symlink(target, &next)?;
    fs::rename(&next, link).inspect_err(|_| drop(fs::remove_file(&next)))
}

fn random() -> io::Result<u32> {
    nacre_crypto::random_bytes().map(u32::from_be_bytes).map_err(io::Error::other)
}

/// Takes a connection's folder away.
pub fn take_away(folder: &Path) {
    let _ = fs::remove_file(folder.join(SOCKET));
    let _ = fs::remove_dir(folder);
}

/// Whether somebody holds the lock of a connection's folder.
fn lives(folder: &Path) -> bool {
    let Ok(folder) = File::open(folder) else { return false };
    flock(&folder, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK)
}

fn make_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(folder)
}

/// This machine's name, of letters, digits and hyphens.
fn machine() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    name.chars().take(MAX_MACHINE).map(plain).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn connect(folder: &AgentFolder) -> Own {
        // Within one millisecond nobody is the newer one.
        std::thread::sleep(Duration::from_millis(2));
        let own = folder.add().unwrap();
        fs::write(own.folder.join(SOCKET), "").unwrap();
        folder.follow().unwrap();
        own
    }

    fn leads_to(link: &Path, own: &Own) -> bool {
        fs::canonicalize(link).unwrap().parent() == Some(&fs::canonicalize(&own.folder).unwrap())
    }

    #[test]
    fn links_lead_to_their_own_socket_and_then_to_the_newest() {
        let home = tempfile::tempdir().unwrap();
        let folder = AgentFolder::below(home.path()).unwrap();
        let [first, second, third] = [connect(&folder), connect(&folder), connect(&folder)];
        let links = [first.link.clone(), second.link.clone(), third.link.clone()];
        assert!(leads_to(&links[0], &first) && leads_to(&links[1], &second) && leads_to(&links[2], &third));
        // One that was killed took nothing away itself.
        drop(first.lives);
        folder.follow().unwrap();
        assert!(!first.folder.exists());
        assert!(leads_to(&links[0], &third) && leads_to(&links[1], &second));
        drop(third.lives);
        folder.follow().unwrap();
        assert!(links.iter().all(|link| leads_to(link, &second)));
        drop(second.lives);
        folder.follow().unwrap();
        assert_eq!(folder.names().unwrap().len(), 3, "links alone are left");
        // Who comes next has a link that programs know from before, and is where all lead.
        let next = connect(&folder);
        assert_eq!(next.link, links[0]);
        assert!(links.iter().all(|link| leads_to(link, &next)));
    }

    #[test]
    fn g05_a_folder_that_others_may_enter_is_not_used() {
        let home = tempfile::tempdir().unwrap();
        let folder = AgentFolder::below(home.path()).unwrap();
        fs::set_permissions(&folder.path, std::os::unix::fs::PermissionsExt::from_mode(0o710)).unwrap();
        assert!(AgentFolder::below(home.path()).is_err());
        fs::remove_dir(&folder.path).unwrap();
        symlink(home.path(), &folder.path).unwrap();
        assert!(AgentFolder::below(home.path()).is_err());
    }
}
