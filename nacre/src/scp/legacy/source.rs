//! The sending end of the old protocol.

use super::control::{Entry, Times};
use super::pace::Pace;
use super::tell::Tell;
use super::wire::{Answer, CHUNK, Wire};
use rustix::fs::{Mode, OFlags};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What to send and how.
#[derive(Debug, Clone, Copy)]
pub struct Sending {
    /// Folders too.
    pub recursive: bool,
    /// Times too.
    pub preserve: bool,
}

/// Sends each of `paths`; the far side is known to listen.
///
/// # Errors
/// The stream fails or the far side ends it. What befalls single files is told and counted.
pub fn send(
    wire: &mut Wire,
    paths: &[&Path],
    sending: Sending,
    pace: &mut Pace,
    tell: &mut dyn Tell,
) -> io::Result<()> {
    paths.iter().try_for_each(|path| one(wire, path, sending, pace, tell))
}

fn one(wire: &mut Wire, path: &Path, sending: Sending, pace: &mut Pace, tell: &mut dyn Tell) -> io::Result<()> {
    // Without blocking, or a FIFO without a writer would stop everything.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let opened = rustix::fs::open(path, flags, Mode::empty()).map(File::from).map_err(io::Error::from);
    let file = match opened.and_then(|file| Ok((file.metadata()?, file))) {
        Ok(file) => file,
        Err(error) => return refuse(wire, path, &error, tell),
    };
    match file {
        (metadata, _) if metadata.is_dir() && sending.recursive => folder(wire, path, &metadata, sending, pace, tell),
        (metadata, file) if metadata.is_file() => contents(wire, path, &metadata, file, sending, pace, tell),
        _ => refuse(wire, path, &io::Error::other("not a regular file"), tell),
    }
}

/// Tells both ends that this one is left out.
fn refuse(wire: &mut Wire, path: &Path, error: &io::Error, tell: &mut dyn Tell) -> io::Result<()> {
    let line = tell.failed(path.as_os_str().as_bytes(), error);
    wire.failed(&line)
}

/// The name that the far side is told: the last component.
fn name_of(path: &Path) -> Vec<u8> {
    let bytes = path.as_os_str().as_bytes();
    let end = bytes.iter().rposition(|byte| *byte != b'/').map_or(bytes.len(), |at| at + 1);
    bytes.get(..end).unwrap_or_default().rsplit(|byte| *byte == b'/').next().unwrap_or_default().to_vec()
}

fn announce(
    wire: &mut Wire,
    path: &Path,
    metadata: &Metadata,
    sending: Sending,
    tell: &mut dyn Tell,
) -> io::Result<bool> {
    if sending.preserve {
        let times = Times { modified: (metadata.mtime(), 0), accessed: (metadata.atime(), 0) };
        wire.send(times.line().as_bytes())?;
        if !accepted(wire, tell)? {
            return Ok(false);
        }
    }
    let size = if metadata.is_dir() { 0 } else { metadata.len() };
    let entry = Entry { mode: metadata.mode() & 0o7777, size, name: name_of(path) };
    wire.send(&entry.line(if metadata.is_dir() { b'D' } else { b'C' }))?;
    accepted(wire, tell)
}

/// Whether the far side goes on with this one.
fn accepted(wire: &mut Wire, tell: &mut dyn Tell) -> io::Result<bool> {
    match wire.answer()? {
        Answer::Good => Ok(true),
        Answer::Failed(message) => {
            tell.said(&message);
            Ok(false)
        }
        Answer::Fatal(message) => {
            tell.said(&message);
            Err(io::ErrorKind::ConnectionAborted.into())
        }
    }
}

fn folder(
    wire: &mut Wire,
    path: &Path,
    metadata: &Metadata,
    sending: Sending,
    pace: &mut Pace,
    tell: &mut dyn Tell,
) -> io::Result<()> {
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) => return refuse(wire, path, &error, tell),
    };
    if !announce(wire, path, metadata, sending, tell)? {
        return Ok(());
    }
    for entry in entries {
        match entry {
            Ok(entry) => one(wire, &entry.path(), sending, pace, tell)?,
            Err(error) => refuse(wire, path, &error, tell)?,
        }
    }
    wire.send(b"E\n")?;
    accepted(wire, tell).map(drop)
}

fn contents(
    wire: &mut Wire,
    path: &Path,
    metadata: &Metadata,
    mut file: File,
    sending: Sending,
    pace: &mut Pace,
    tell: &mut dyn Tell,
) -> io::Result<()> {
    if !announce(wire, path, metadata, sending, tell)? {
        return Ok(());
    }
    let name = path.as_os_str().to_owned().into_vec();
    let size = metadata.len();
    tell.started(&name, size);
    let (mut space, mut sent, mut trouble) = (vec![0; CHUNK], 0, None);
    while sent < size {
        let wanted = usize::try_from(size - sent).unwrap_or(CHUNK).min(CHUNK);
        let part = space.get_mut(..wanted).unwrap_or_default();
        let count = if trouble.is_none() { read_some(&mut file, part) } else { Ok(0) };
        // The size was promised: what cannot be read is made up for by zeros, and the far side is told in the end.
        let count = match count {
            Ok(0) | Err(_) => {
                let cause = count.err().unwrap_or_else(|| io::Error::other("became shorter while it was sent"));
                trouble.get_or_insert(cause);
                part.fill(0);
                wanted
            }
            Ok(count) => count,
        };
        wire.send(part.get(..count).unwrap_or_default())?;
        sent += count as u64;
        tell.progress(sent);
        if tell.cancelled() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        pace.spent(count as u64);
    }
    match trouble {
        None => wire.good()?,
        Some(error) => return refuse(wire, path, &error, tell).and_then(|()| accepted(wire, tell).map(drop)),
    }
    if accepted(wire, tell)? {
        tell.finished(size);
    }
    Ok(())
}

fn read_some(file: &mut File, space: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(space) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
