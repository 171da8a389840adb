//! Questions to the person, on /dev/tty whatever stdin and stdout are.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::sys::signal::Signal;
use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::termios::{LocalModes, OptionalActions, Termios};
use zeroize::{Zeroize, Zeroizing};

use super::caught::CaughtSignals;
use crate::error::{Doing, refused};

/// Longest answer taken, in bytes. The terminal's own line editor stops at 4096.
const LONGEST: usize = 8192;

/// The terminal a person can be asked on.
#[derive(Debug)]
pub struct Tty {
    fd: OwnedFd,
}

/// How one attempt at reading ended.
enum Outcome {
    Line(Zeroizing<Vec<u8>>),
    End,
    Signal(Signal),
}

impl Tty {
    /// Opens the controlling terminal.
    ///
    /// # Errors
    /// ENXIO when the process has none: nobody can be asked.
    pub fn open() -> io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOCTTY;
        let fd = rustix::fs::open("/dev/tty", flags, Mode::empty()).doing(|| "open /dev/tty".into())?;
        Ok(Self { fd })
    }

    /// Asks on a terminal that is already open for reading and writing.
    ///
    /// # Errors
    /// `InvalidInput` when it is no terminal.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        if rustix::termios::isatty(&fd) {
            Ok(Self { fd })
        } else {
            Err(refused(io::ErrorKind::InvalidInput, "ask on a terminal", "the descriptor is no terminal"))
        }
    }

    /// Writes all of `text` (cleaned of a peer's control characters by the caller).
    ///
    /// # Errors
    /// EIO when the terminal was hung up.
    pub fn write(&self, text: &str) -> io::Result<()> {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let wrote = rustix::io::retry_on_intr(|| rustix::io::write(&self.fd, rest));
            let count = wrote.doing(|| "write to the terminal".into())?;
            rest = rest.get(count..).unwrap_or_default();
        }
        Ok(())
    }

    /// Asks with echo off, for passwords and passphrases. The line comes without its newline; `None` is end of file (Ctrl-D).
    /// What was typed before the question is thrown away. Echo is back, and signals act as before, when this returns.
    ///
    /// # Errors
    /// `Interrupted` after Ctrl-C. After SIGHUP, SIGTERM, SIGQUIT or SIGALRM echo is restored first and then the signal is
    /// sent again, so the program usually ends; if it does not, the error is `Interrupted` too. Ctrl-Z suspends and asks
    /// again afterwards. EIO when the process is in the background and must not ask.
    pub fn ask_hidden(&self, prompt: &str) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        self.ask(prompt, true)
    }

    /// Asks with echo on, for yes and no. As [`Tty::ask_hidden`] otherwise; bytes that are not UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// As [`Tty::ask_hidden`].
    pub fn ask_visible(&self, prompt: &str) -> io::Result<Option<String>> {
        let line = self.ask(prompt, false)?;
        Ok(line.map(|line| String::from_utf8_lossy(&line).into_owned()))
    }

    fn ask(&self, prompt: &str, hidden: bool) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        loop {
            self.await_foreground()?;
            match self.attempt(prompt, hidden)? {
                Outcome::Line(line) => return Ok(Some(line)),
                Outcome::End => return Ok(None),
                Outcome::Signal(signal) => pass_on(signal)?,
            }
        }
    }

    /// One try, from prompt to answer; the terminal and the signals are as before when it returns.
    fn attempt(&self, prompt: &str, hidden: bool) -> io::Result<Outcome> {
        let mut signals = CaughtSignals::new()?;
        let echo = if hidden { Some(EchoOff::new(&self.fd)?) } else { None };
        self.write(prompt)?;
        let outcome = self.read_line(&mut signals);
        if echo.is_some() {
            // The newline the person typed was not shown.
            let _ = self.write("\n");
        }
        outcome
    }

    fn read_line(&self, signals: &mut CaughtSignals) -> io::Result<Outcome> {
        // Its whole size at once, so that no reallocation leaves a copy of a password behind.
        let mut line = Zeroizing::new(Vec::with_capacity(LONGEST));
        let mut chunk = Zeroizing::new([0_u8; 1024]);
        loop {
            self.await_input(signals)?;
            if let Some(signal) = signals.next() {
                return Ok(Outcome::Signal(signal));
            }
            let count = match rustix::io::read(&self.fd, chunk.as_mut_slice()) {
                Ok(count) => count,
                Err(Errno::INTR | Errno::AGAIN) => continue,
                Err(err) => return Err(err).doing(|| "read from the terminal".into()),
            };
            let read = chunk.get(..count).unwrap_or_default();
            let (part, complete) = match read.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
                Some(end) => (read.get(..end).unwrap_or_default(), true),
                None => (read, count == 0),
            };
            if line.len().saturating_add(part.len()) > LONGEST {
                return Err(refused(io::ErrorKind::InvalidData, "read from the terminal", "the line is too long"));
            }
            line.extend_from_slice(part);
            chunk.zeroize();
            if complete {
                return Ok(if count == 0 && line.is_empty() { Outcome::End } else { Outcome::Line(line) });
            }
        }
    }

    /// Sleeps until there is something to read or a signal came.
    fn await_input(&self, signals: &CaughtSignals) -> io::Result<()> {
        let mut fds = [PollFd::new(&self.fd, PollFlags::IN), PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN)];
        match rustix::event::poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(err) => Err(err).doing(|| "wait for the terminal".into()),
        }
    }

    /// A background job stops here, as one that reads its terminal does, until the shell brings it to the front.
    fn await_foreground(&self) -> io::Result<()> {
        if self.in_background() {
            nix::sys::signal::raise(Signal::SIGTTIN).doing(|| "suspend until in the foreground".into())?;
        }
        if self.in_background() {
            return Err(Errno::IO).doing(|| "ask on the terminal from the background".into());
        }
        Ok(())
    }

    fn in_background(&self) -> bool {
        // A terminal that does not control us has no say in it.
        let Ok(foreground) = rustix::termios::tcgetpgrp(&self.fd) else { return false };
        // By nix: rustix has no name for a group that began outside of this pid namespace, which is 0.
        foreground.as_raw_nonzero().get() != nix::unistd::getpgrp().as_raw()
    }
}

/// What a signal that came during the question does now that the terminal is as before.
fn pass_on(signal: Signal) -> io::Result<()> {
    let interrupted = || Err(refused(io::ErrorKind::Interrupted, "ask on the terminal", format!("{signal} came")));
    match signal {
        Signal::SIGINT => interrupted(),
        // Directed at this thread, so that the process has stopped, and been continued, once raise returns.
        Signal::SIGTSTP | Signal::SIGTTIN | Signal::SIGTTOU => {
            nix::sys::signal::raise(signal).doing(|| format!("pass {signal} on"))
        }
        other => {
            nix::sys::signal::kill(nix::unistd::Pid::this(), other).doing(|| format!("pass {other} on"))?;
            interrupted()
        }
    }
}

/// Echo switched off until dropped.
struct EchoOff<'a> {
    fd: &'a OwnedFd,
    saved: Termios,
}

impl<'a> EchoOff<'a> {
    fn new(fd: &'a OwnedFd) -> io::Result<Self> {
        let saved = super::read(fd)?;
        let mut silent = saved.clone();
        silent.local_modes -= LocalModes::ECHO | LocalModes::ECHONL;
        // Line editing and Ctrl-C work whatever state a crashed program left the terminal in.
        silent.local_modes |= LocalModes::ICANON | LocalModes::ISIG;
        set(fd, &silent).doing(|| "switch the terminal's echo off".into())?;
        Ok(Self { fd, saved })
    }
}

impl Drop for EchoOff<'_> {
    fn drop(&mut self) {
        let _ = set(self.fd, &self.saved);
    }
}

/// Throws typed-ahead input away: it was not meant as the answer.
fn set(fd: &OwnedFd, termios: &Termios) -> rustix::io::Result<()> {
    rustix::io::retry_on_intr(|| rustix::termios::tcsetattr(fd.as_fd(), OptionalActions::Flush, termios))
}
