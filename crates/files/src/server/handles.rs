//! What a client has open, by handle: a place in a table and how often that place was used before, so that a handle that was
//! given back names nothing any more.

use super::MAX_HANDLES;
use super::refusal::Refusal;
use nacre_sftp::Code;
use rustix::fs::Dir;
use rustix::process::{Resource, getrlimit};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Every handle has so many bytes.
pub const HANDLE: usize = 8;

/// Descriptors that a worker needs beside those of handles.
const OTHER_DESCRIPTORS: u64 = 16;

/// A handle, as it goes over the wire.
pub type Handle = [u8; HANDLE];

/// Something open.
pub enum Open {
    File(OpenFile),
    Folder(OpenFolder),
}

/// A file.
pub struct OpenFile {
    pub fd: OwnedFd,
    /// As it was opened, for the log alone.
    pub path: Vec<u8>,
    /// Writes go to the end, wherever they say.
    pub appends: bool,
    /// Bytes read.
    pub read: u64,
    /// Bytes written.
    pub written: u64,
}

/// A folder, and how far its names have been read.
pub struct OpenFolder {
    pub dir: Dir,
    pub path: Vec<u8>,
}

impl Open {
    /// The descriptor.
    pub fn fd(&self) -> Result<BorrowedFd<'_>, Refusal> {
        match self {
            Self::File(file) => Ok(file.fd.as_fd()),
            Self::Folder(folder) => Ok(folder.dir.fd()?),
        }
    }

    /// As it was opened.
    pub fn path(&self) -> &[u8] {
        match self {
            Self::File(file) => &file.path,
            Self::Folder(folder) => &folder.path,
        }
    }
}

#[derive(Default)]
struct Slot {
    generation: u32,
    open: Option<Open>,
}

/// The table.
pub struct Handles {
    slots: Vec<Slot>,
    free: Vec<usize>,
    most: usize,
}

impl Default for Handles {
    fn default() -> Self {
        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX).saturating_sub(OTHER_DESCRIPTORS);
        let most = usize::try_from(files).unwrap_or(MAX_HANDLES).clamp(1, MAX_HANDLES);
        Self { slots: Vec::new(), free: Vec::new(), most }
    }
}

impl Handles {
    /// How many there may be at a time.
    pub fn most(&self) -> usize {
        self.most
    }

    /// There is room for one more.
    pub fn room(&self) -> Result<(), Refusal> {
        if self.free.is_empty() && self.slots.len() >= self.most {
            return Err(Refusal::text(Code::Failure, "Too many open handles"));
        }
        Ok(())
    }

    /// Gives a handle out.
    pub fn add(&mut self, open: Open) -> Result<Handle, Refusal> {
        self.room()?;
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() - 1
        });
        let slot = self.slots.get_mut(index).ok_or(Refusal::NO_HANDLE)?;
        slot.open = Some(open);
        let number = u64::try_from(index).unwrap_or(u64::MAX) << 32 | u64::from(slot.generation);
        Ok(number.to_be_bytes())
    }

    /// Takes one back.
    pub fn remove(&mut self, handle: &[u8]) -> Option<Open> {
        let (index, generation) = parts(handle)?;
        let slot = self.slots.get_mut(index).filter(|slot| slot.generation == generation)?;
        let open = slot.open.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(index);
        Some(open)
    }

    /// What a handle stands for.
    pub fn get(&mut self, handle: &[u8]) -> Result<&mut Open, Refusal> {
        let (index, generation) = parts(handle).ok_or(Refusal::NO_HANDLE)?;
        let slot = self.slots.get_mut(index).filter(|slot| slot.generation == generation);
        slot.and_then(|slot| slot.open.as_mut()).ok_or(Refusal::NO_HANDLE)
    }

    /// The file that a handle stands for.
    pub fn file(&mut self, handle: &[u8]) -> Result<&mut OpenFile, Refusal> {
        match self.get(handle)? {
            Open::File(file) => Ok(file),
            Open::Folder(_) => Err(Refusal::NO_HANDLE),
        }
    }

    /// The folder that a handle stands for.
    pub fn folder(&mut self, handle: &[u8]) -> Result<&mut OpenFolder, Refusal> {
        match self.get(handle)? {
            Open::Folder(folder) => Ok(folder),
            Open::File(_) => Err(Refusal::NO_HANDLE),
        }
    }

    /// Takes all back.
    pub fn drain(&mut self) -> Vec<Open> {
        self.free.clear();
        self.slots.drain(..).filter_map(|slot| slot.open).collect()
    }
}

fn parts(handle: &[u8]) -> Option<(usize, u32)> {
    let number = u64::from_be_bytes(handle.try_into().ok()?);
    let generation = u32::try_from(number & u64::from(u32::MAX)).ok()?;
    Some((usize::try_from(number >> 32).ok()?, generation))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn file() -> Open {
        let fd = std::fs::File::open("/dev/null").unwrap().into();
        Open::File(OpenFile { fd, path: b"/dev/null".to_vec(), appends: false, read: 0, written: 0 })
    }

    #[test]
    fn f04_a_handle_given_back_names_nothing_although_its_place_is_used_again() {
        let mut handles = Handles::default();
        let first = handles.add(file()).unwrap();
        assert!(handles.remove(&first).is_some());
        let second = handles.add(file()).unwrap();
        assert_ne!(first, second);
        assert_eq!(first.first_chunk::<4>(), second.first_chunk::<4>(), "the same place");
        assert!(handles.get(&first).is_err() && handles.remove(&first).is_none());
        assert!(handles.file(&second).is_ok() && handles.folder(&second).is_err());
        for bad in [&b""[..], b"\0\0\0", b"\0\0\0\0\0\0\0\0\0", &[0; 300], &[0xff; 8]] {
            assert!(handles.get(bad).is_err(), "{bad:?}");
        }
    }
}
