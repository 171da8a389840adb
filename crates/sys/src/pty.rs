//! Pseudo-terminals: the pair, its owner and its size (RFC 4254 §6.2, §6.7).

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::{OptionalActions, Winsize};

use crate::error::Doing;
use crate::modes;

/// A window's size as `pty-req` and `window-change` carry it: characters and pixels (RFC 4254 §6.2). Zero means unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowSize {
    /// Width in characters.
    pub columns: u32,
    /// Height in rows.
    pub rows: u32,
    /// Width in pixels.
    pub width_px: u32,
    /// Height in pixels.
    pub height_px: u32,
}

/// The kernel keeps sizes in 16 bits; a peer may send any 32.
fn clamp(value: u32) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

/// Sets the window size of the terminal behind `fd` (either end of a pty); the foreground job gets SIGWINCH if it
/// changed. Values past 65535 become 65535.
///
/// # Errors
/// ENOTTY when `fd` is no terminal.
pub fn set_window_size(fd: impl AsFd, size: WindowSize) -> io::Result<()> {
    let winsize = Winsize {
        ws_row: clamp(size.rows),
        ws_col: clamp(size.columns),
        ws_xpixel: clamp(size.width_px),
        ws_ypixel: clamp(size.height_px),
    };
    rustix::termios::tcsetwinsize(fd, winsize).doing(|| "set the window size of a terminal".into())
}

/// The window size of the terminal behind `fd`.
///
/// # Errors
/// ENOTTY when `fd` is no terminal.
pub fn window_size(fd: impl AsFd) -> io::Result<WindowSize> {
    let size = rustix::termios::tcgetwinsize(fd).doing(|| "read the window size of a terminal".into())?;
    Ok(WindowSize {
        columns: size.ws_col.into(),
        rows: size.ws_row.into(),
        width_px: size.ws_xpixel.into(),
        height_px: size.ws_ypixel.into(),
    })
}

/// Sends a break of the system's usual length (RFC 4335).
///
/// # Errors
/// The errno of tcsendbreak.
pub fn send_break(fd: impl AsFd) -> io::Result<()> {
    rustix::termios::tcsendbreak(fd).doing(|| "send a break to a terminal".into())
}

/// An open pseudo-terminal. Both ends are close-on-exec; the master does not block.
#[derive(Debug)]
pub struct Pty {
    /// The server's end. Reads give EIO once the last slave descriptor is closed: that is its end of file.
    pub master: OwnedFd,
    /// The session's end. Give it to [`crate::spawn::ChildStdio::Pty`]: as long as it stays open here, the master sees no end of file.
    pub slave: OwnedFd,
    /// The slave's name, for `SSH_TTY`.
    pub path: PathBuf,
}

impl Pty {
    /// Opens a pair. The slave is reached through the master (TIOCGPTPEER), never through its name, so a different
    /// devpts mounted in between cannot swap it.
    ///
    /// # Errors
    /// The errno of /dev/ptmx (ENOSPC: no ptys left) or of the slave.
    pub fn open() -> io::Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = rustix::pty::openpt(flags).doing(|| "open a pseudo-terminal (/dev/ptmx)".into())?;
        Self::of_master(master)
    }

    /// [`Self::open`] for one whose master another process opened.
    ///
    /// # Errors
    /// The errno of the step: it is no master, or its slave cannot be reached.
    pub fn of_master(master: OwnedFd) -> io::Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        rustix::pty::grantpt(&master).doing(|| "grant a pseudo-terminal".into())?;
        rustix::pty::unlockpt(&master).doing(|| "unlock a pseudo-terminal".into())?;
        let name = rustix::pty::ptsname(&master, Vec::new()).doing(|| "name a pseudo-terminal".into())?;
        let path = PathBuf::from(std::ffi::OsString::from_vec(name.into_bytes()));
        let slave = open_slave(&master, &path, flags)?;
        set_nonblocking(&master)?;
        Ok(Self { master, slave, path })
    }

    /// Gives the slave to `uid`: group `tty` and mode 0620, or `fallback_gid` and mode 0600 where there is no such group, so
    /// that `write` and `wall` work and nobody else reads the keystrokes. Does nothing when not root: the kernel has
    /// already given it to the process's own user.
    ///
    /// # Errors
    /// The errno of fchown or fchmod.
    pub fn give_to(&self, uid: u32, fallback_gid: u32) -> io::Result<()> {
        if !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let (gid, mode) = match crate::account::group_id("tty")? {
            Some(gid) => (gid, 0o620),
            None => (fallback_gid, 0o600),
        };
        let (owner, group) = (rustix::fs::Uid::from_raw(uid), rustix::fs::Gid::from_raw(gid));
        rustix::fs::fchown(&self.slave, Some(owner), Some(group))
            .doing(|| format!("give {} to uid {uid}", self.path.display()))?;
        rustix::fs::fchmod(&self.slave, Mode::from_raw_mode(mode))
            .doing(|| format!("set the mode of {}", self.path.display()))
    }

    /// Applies the client's encoded terminal modes (RFC 4254 §8), already split into opcode and value.
    ///
    /// # Errors
    /// The errno of tcgetattr or tcsetattr.
    pub fn apply_modes(&self, pairs: &[(u8, u32)]) -> io::Result<()> {
        let mut termios = rustix::termios::tcgetattr(&self.slave).doing(|| reading_modes(&self.path))?;
        modes::apply(&mut termios, pairs);
        rustix::termios::tcsetattr(&self.slave, OptionalActions::Now, &termios)
            .doing(|| format!("set the terminal modes of {}", self.path.display()))
    }

    /// Sets the window size; see [`set_window_size`].
    ///
    /// # Errors
    /// The errno of TIOCSWINSZ.
    pub fn resize(&self, size: WindowSize) -> io::Result<()> {
        set_window_size(&self.master, size)
    }
}

fn reading_modes(path: &Path) -> String {
    format!("read the terminal modes of {}", path.display())
}

fn open_slave(master: &OwnedFd, path: &Path, flags: OpenptFlags) -> io::Result<OwnedFd> {
    match rustix::pty::ioctl_tiocgptpeer(master, flags) {
        Ok(slave) => Ok(slave),
        // Sandboxes such as gVisor lack the ioctl; the name is the portable way.
        Err(rustix::io::Errno::NOTTY | rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            rustix::fs::open(path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())
                .doing(|| format!("open {}", path.display()))
        }
        Err(err) => Err(err).doing(|| format!("open the slave of {}", path.display())),
    }
}

pub(crate) fn set_nonblocking(fd: impl AsFd) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(&fd).doing(|| "read descriptor flags".into())?;
    rustix::fs::fcntl_setfl(&fd, flags | OFlags::NONBLOCK).doing(|| "set O_NONBLOCK".into())
}
