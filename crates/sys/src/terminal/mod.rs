//! The person's terminal on the client's side: raw mode, its modes for `pty-req`, and questions on /dev/tty.

mod caught;
mod prompt;

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::termios::{InputModes, LocalModes, OptionalActions, OutputModes, SpecialCodeIndex, Termios};

use crate::error::Doing;
pub use prompt::Tty;

/// Whether `fd` is a terminal.
pub fn is_tty(fd: impl AsFd) -> bool {
    rustix::termios::isatty(fd)
}

/// The terminal's modes as `pty-req` carries them (RFC 4254 §8), without TTY_OP_END. Take them before [`RawMode::enter`].
///
/// # Errors
/// ENOTTY when `fd` is no terminal.
pub fn encoded_modes(fd: impl AsFd) -> io::Result<Vec<(u8, u32)>> {
    Ok(crate::modes::encode(&read(fd)?))
}

/// A terminal in raw mode: every key goes to the remote side. Its former state comes back when this is dropped.
#[derive(Debug)]
pub struct RawMode {
    fd: OwnedFd,
    saved: Termios,
    raw: bool,
}

impl RawMode {
    /// Switches `fd` (a duplicate is kept) to raw mode, after what was written has left.
    ///
    /// # Errors
    /// ENOTTY when `fd` is no terminal.
    pub fn enter(fd: impl AsFd) -> io::Result<Self> {
        let fd = rustix::io::fcntl_dupfd_cloexec(fd, 3).doing(|| "duplicate the terminal".into())?;
        let saved = read(&fd)?;
        let mut mode = Self { fd, saved, raw: false };
        mode.resume()?;
        Ok(mode)
    }

    /// Gives the terminal its former state back, for instance before the client suspends itself (`~^Z`).
    ///
    /// # Errors
    /// The errno of tcsetattr.
    pub fn restore(&mut self) -> io::Result<()> {
        if self.raw {
            write(&self.fd, &self.saved)?;
            self.raw = false;
        }
        Ok(())
    }

    /// Enters raw mode again after [`RawMode::restore`]. The state to come back to stays the first one.
    ///
    /// # Errors
    /// The errno of tcsetattr.
    pub fn resume(&mut self) -> io::Result<()> {
        if !self.raw {
            let mut termios = self.saved.clone();
            make_raw(&mut termios);
            write(&self.fd, &termios)?;
            self.raw = true;
        }
        Ok(())
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // Nobody is left to hear of a failure; the terminal is gone then.
        let _ = self.restore();
    }
}

/// What OpenSSH's client sets: unlike cfmakeraw(3) it leaves the character size and parity of a serial line alone.
fn make_raw(termios: &mut Termios) {
    termios.input_modes |= InputModes::IGNPAR;
    termios.input_modes -= InputModes::ISTRIP
        | InputModes::INLCR
        | InputModes::IGNCR
        | InputModes::ICRNL
        | InputModes::IXON
        | InputModes::IXANY
        | InputModes::IXOFF
        | InputModes::IUCLC;
    termios.local_modes -= LocalModes::ISIG
        | LocalModes::ICANON
        | LocalModes::ECHO
        | LocalModes::ECHOE
        | LocalModes::ECHOK
        | LocalModes::ECHONL
        | LocalModes::IEXTEN;
    termios.output_modes -= OutputModes::OPOST;
    termios.special_codes[SpecialCodeIndex::VMIN] = 1;
    termios.special_codes[SpecialCodeIndex::VTIME] = 0;
}

fn read(fd: impl AsFd) -> io::Result<Termios> {
    rustix::termios::tcgetattr(fd).doing(|| "read the terminal's modes".into())
}

fn write(fd: &OwnedFd, termios: &Termios) -> io::Result<()> {
    rustix::io::retry_on_intr(|| rustix::termios::tcsetattr(fd, OptionalActions::Drain, termios))
        .doing(|| "set the terminal's modes".into())
}
