//! People who talk in the tour's chat: programs that are typed at, and what they show.

use super::running::{PATIENCE, ended};
use super::stage::quote;
use crate::failure::Failure;
use crate::output;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Somebody in the chat, whose client ends with this.
pub(super) struct Person {
    nick: &'static str,
    child: Child,
    input: ChildStdin,
    shown: Arc<Mutex<Vec<u8>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Person {
    /// Comes in by this command, and waits until that is done.
    pub(super) fn comes(nick: &'static str, command: &mut Command) -> Result<Self, Failure> {
        let failed = |why: &str| Failure::new(format!("{nick}'s client: {why}"));
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| failed(&error.to_string()))?;
        let shown = Arc::default();
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(input), Some(out), Some(errors)) = pipes else { return Err(failed("has no pipes")) };
        let readers = vec![gather(out, &shown), gather(errors, &shown)];
        let person = Self { nick, child, input, shown, readers };
        person.sees(&format!("You are {nick}"))?;
        Ok(person)
    }

    fn screen(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Types a line.
    pub(super) fn types(&mut self, line: &str) -> Result<(), Failure> {
        output::print(&format!("  {} types: {line}\n", self.nick))?;
        writeln!(self.input, "{line}").map_err(|error| Failure::new(format!("{}'s client: {error}", self.nick)))
    }

    /// Waits until this is shown.
    pub(super) fn sees(&self, text: &str) -> Result<(), Failure> {
        let deadline = Instant::now() + PATIENCE;
        while !self.screen().contains(text) {
            if Instant::now() > deadline {
                return Err(Failure::new(format!("{} does not see `{text}`", self.nick)).hint(self.screen()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Leaves, and tells what was shown.
    pub(super) fn leaves(mut self) -> Result<(), Failure> {
        self.types("/quit")?;
        let status = ended(&mut self.child)
            .ok_or_else(|| Failure::new(format!("{}'s client did not end within a minute", self.nick)))?;
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        output::print(&format!("  what {} saw:\n", self.nick))?;
        quote(&self.screen())?;
        match status.code() {
            Some(0) => Ok(()),
            _ => Err(Failure::new(format!("{}'s client ended with {status}", self.nick))),
        }
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn gather(mut stream: impl Read + Send + 'static, to: &Arc<Mutex<Vec<u8>>>) -> JoinHandle<()> {
    let to = to.clone();
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut bytes) {
            let come = bytes.get(..count).unwrap_or_default();
            to.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(come);
        }
    })
}
