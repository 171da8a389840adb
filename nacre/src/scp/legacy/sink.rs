//! The receiving end of the old protocol. What the far side says decides nothing but names below the target: each is one
//! component (see [`super::control`]), opened relative to the folder it belongs in, and inside of folders that came along no
//! link is followed (threats F9, F10).

use super::control::{Control, Entry, Malformed, Times};
use super::incoming::{self, Incoming};
use super::pace::Pace;
use super::request::Request;
use super::tell::Tell;
use super::wire::{Answer, CHUNK, Wire, wrong};
use rustix::fs::{AtFlags, Mode, OFlags, Timestamps};
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Bytes of the longest path of a folder that is made: what is deeper could not be named by other programs.
const MAX_PATH: usize = 4095;

/// What to take and how.
#[derive(Debug, Clone)]
pub struct Receiving {
    /// Folders too.
    pub recursive: bool,
    /// Times and modes as sent.
    pub preserve: bool,
    /// The target has to be a folder.
    pub folder: bool,
    /// What was asked for, and alone may come; `None` takes what comes.
    pub request: Option<Request>,
}

/// A folder that files are written into.
struct Level {
    fd: OwnedFd,
    /// For messages only.
    path: PathBuf,
    /// To be set when it is complete.
    mode: Option<Mode>,
    times: Option<Times>,
}

struct Sink<'a> {
    wire: &'a mut Wire,
    receiving: &'a Receiving,
    /// The name that the one copy is to have, when the target is no folder.
    rename: Option<Vec<u8>>,
    levels: Vec<Level>,
    times: Option<Times>,
    pace: &'a mut Pace,
    tell: &'a mut dyn Tell,
}

/// Takes what comes until the stream ends.
///
/// # Errors
/// The stream fails, or the far side breaks the protocol (it was told so). What befalls single files is told and counted.
pub fn receive(
    wire: &mut Wire,
    target: &Path,
    receiving: &Receiving,
    pace: &mut Pace,
    tell: &mut dyn Tell,
) -> io::Result<()> {
    let (level, rename) = match base(target, receiving.folder) {
        Ok(base) => base,
        Err(error) => {
            let line = tell.failed(target.as_os_str().as_bytes(), &error);
            return wire.failed(&line);
        }
    };
    wire.good()?;
    Sink { wire, receiving, rename, levels: vec![level], times: None, pace, tell }.run()
}

/// The folder of the target, and the name for the copy if the target is none itself.
fn base(target: &Path, folder: bool) -> io::Result<(Level, Option<Vec<u8>>)> {
    let level = |path: &Path| {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        // What cannot be read may still be written into.
        let fd = rustix::fs::open(path, flags, Mode::empty())
            .or_else(|_| rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()))?;
        io::Result::Ok(Level { fd, path: path.to_owned(), mode: None, times: None })
    };
    match std::fs::metadata(target) {
        Ok(metadata) if metadata.is_dir() => return Ok((level(target)?, None)),
        Ok(_) if folder => return Err(Errno::NOTDIR.into()),
        Err(error) if folder => return Err(error),
        _ => {}
    }
    let name = target.file_name().ok_or(Errno::NOENT)?;
    let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut name = name.as_bytes().to_vec();
    if target.as_os_str().as_bytes().ends_with(b"/") {
        // Only a folder can come to be under such a name.
        name.push(b'/');
    }
    Ok((Level { path: PathBuf::new(), ..level(parent)? }, Some(name)))
}

impl Sink<'_> {
    fn run(&mut self) -> io::Result<()> {
        while let Some(line) = self.wire.line()? {
            match line.split_first() {
                Some((1, message)) => self.tell.said(&nacre_files::remote::shown(message)),
                Some((2, message)) => {
                    self.tell.said(&nacre_files::remote::shown(message));
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
                _ => match Control::parse(&line) {
                    Ok(control) => self.obey(control)?,
                    Err(Malformed(what)) => return self.refuse(&what),
                },
            }
        }
        if self.levels.len() > 1 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    fn obey(&mut self, control: Control) -> io::Result<()> {
        match control {
            Control::Times(times) => {
                self.times = Some(times);
                self.wire.good()
            }
            Control::File(entry) => {
                self.check(&entry)?;
                let times = self.times.take();
                self.file(&entry, times)
            }
            Control::Folder(entry) => {
                if !self.receiving.recursive {
                    return self.refuse("protocol error: a folder came that was not asked for");
                }
                self.check(&entry)?;
                let times = self.times.take();
                self.folder(&entry, times)
            }
            Control::End => self.end(),
        }
    }

    /// Ends it all because of what the far side says.
    fn refuse<T>(&mut self, what: &str) -> io::Result<T> {
        // It may be gone already; what it did is told here in any case.
        let _ = self.wire.failed(what);
        Err(wrong(what))
    }

    fn check(&mut self, entry: &Entry) -> io::Result<()> {
        let asked = self.receiving.request.as_ref().is_none_or(|request| request.allows(&entry.name));
        if self.levels.len() == 1 && !asked {
            let name = nacre_files::remote::shown(&entry.name);
            return self.refuse(&format!("protocol error: filename does not match request: {name} (-T takes any)"));
        }
        Ok(())
    }

    /// Where it goes: the name within the innermost folder, the path for messages, whether links may be followed.
    fn place(&self, entry: &Entry) -> io::Result<(&Level, Vec<u8>, PathBuf, bool)> {
        let level = self.levels.last().ok_or_else(|| wrong("no folder"))?;
        let top = self.levels.len() == 1;
        let name = self.rename.as_ref().filter(|_| top).unwrap_or(&entry.name).clone();
        let path = level.path.join(std::ffi::OsString::from_vec(name.clone()));
        Ok((level, name, path, top))
    }

    /// Tells both ends that this one is left out.
    fn leave_out(&mut self, path: &Path, error: &io::Error) -> io::Result<()> {
        let line = self.tell.failed(path.as_os_str().as_bytes(), error);
        self.wire.failed(&line)
    }

    fn folder(&mut self, entry: &Entry, times: Option<Times>) -> io::Result<()> {
        let (level, name, path, follow) = self.place(entry)?;
        if path.as_os_str().len() > MAX_PATH {
            return self.leave_out(&path, &Errno::NAMETOOLONG.into());
        }
        match enter(level, &name, entry, self.receiving.preserve, follow) {
            Ok((fd, mode)) => {
                let times = times.filter(|_| self.receiving.preserve);
                self.levels.push(Level { fd, path, mode, times });
                self.wire.good()
            }
            Err(error) => self.leave_out(&path, &error),
        }
    }

    fn end(&mut self) -> io::Result<()> {
        if self.levels.len() < 2 {
            return self.refuse("protocol error: the end of a folder that never began");
        }
        self.times = None;
        let Some(level) = self.levels.pop() else { return Ok(()) };
        match complete(&level) {
            Ok(()) => self.wire.good(),
            Err(error) => self.leave_out(&level.path, &error),
        }
    }

    fn file(&mut self, entry: &Entry, times: Option<Times>) -> io::Result<()> {
        let (level, name, path, follow) = self.place(entry)?;
        let mut incoming = match Incoming::open(&level.fd, &name, entry, self.receiving.preserve, follow) {
            Ok(incoming) => incoming,
            Err(error) => return self.leave_out(&path, &error),
        };
        self.tell.started(path.as_os_str().as_bytes(), entry.size);
        self.wire.good()?;
        let trouble = self.contents(entry.size, &mut incoming)?;
        let source = self.wire.answer()?;
        let done = match (trouble, source) {
            (_, Answer::Fatal(message)) => {
                self.tell.said(&message);
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            // It said which file and why; what came is not the file.
            (_, Answer::Failed(message)) => {
                self.tell.said(&message);
                incoming.discard();
                return self.wire.good();
            }
            (Some(error), Answer::Good) => Err(error),
            (None, Answer::Good) => incoming.complete(entry.size, times.filter(|_| self.receiving.preserve)),
        };
        match done {
            Ok(()) => {
                self.tell.finished(entry.size);
                self.wire.good()
            }
            Err(error) => self.leave_out(&path, &error),
        }
    }

    /// Takes the promised bytes, to the end even when they cannot be written: behind them come the next lines.
    fn contents(&mut self, size: u64, incoming: &mut Incoming) -> io::Result<Option<io::Error>> {
        let (mut space, mut done, mut trouble) = (vec![0; CHUNK], 0, None);
        while done < size {
            let wanted = usize::try_from(size - done).unwrap_or(CHUNK).min(CHUNK);
            let bytes = self.wire.receive(space.get_mut(..wanted).unwrap_or_default())?;
            if trouble.is_none() {
                trouble = incoming.write(bytes).err();
            }
            let count = bytes.len() as u64;
            done += count;
            self.tell.progress(done);
            if self.tell.cancelled() {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            self.pace.spent(count);
        }
        Ok(trouble)
    }
}

/// Makes and opens a folder: with the mode to set at its end, if any.
fn enter(
    level: &Level,
    name: &[u8],
    entry: &Entry,
    preserve: bool,
    follow: bool,
) -> io::Result<(OwnedFd, Option<Mode>)> {
    let wanted = incoming::mode(entry.mode, preserve);
    let made = match rustix::fs::mkdirat(&level.fd, name, (wanted | Mode::RWXU) & Mode::from_raw_mode(0o777)) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(errno) => return Err(errno.into()),
    };
    let links = if follow { OFlags::empty() } else { OFlags::NOFOLLOW };
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | links;
    // What cannot be read may still be written into.
    let fd = rustix::fs::openat(&level.fd, name, flags | OFlags::RDONLY, Mode::empty())
        .or_else(|_| rustix::fs::openat(&level.fd, name, flags | OFlags::PATH, Mode::empty()))?;
    let mode = match (preserve, made) {
        (true, _) => Some(wanted),
        // The umask has had its say about all but the rights that were added for the time of writing.
        (false, true) if !wanted.contains(Mode::RWXU) => {
            Some(Mode::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode) & (wanted | Mode::RWXG | Mode::RWXO))
        }
        (false, _) => None,
    };
    Ok((fd, mode))
}

fn complete(level: &Level) -> io::Result<()> {
    // By `.` below the descriptor, for one that was opened without the right to read.
    if let Some(mode) = level.mode {
        rustix::fs::chmodat(&level.fd, ".", mode, AtFlags::empty())?;
    }
    match level.times {
        Some(times) => Ok(rustix::fs::utimensat(&level.fd, ".", &stamps(times), AtFlags::empty())?),
        None => Ok(()),
    }
}

/// Times as the system takes them.
pub(super) fn stamps(times: Times) -> Timestamps {
    let spec = |(tv_sec, micros): (i64, u32)| rustix::fs::Timespec { tv_sec, tv_nsec: i64::from(micros) * 1000 };
    Timestamps { last_access: spec(times.accessed), last_modification: spec(times.modified) }
}
