//! Programs of the tour that run: servers that end with it, and commands that are waited for.

use crate::failure::Failure;
use std::io::{Read, Write};
use std::process::{Child, ExitStatus, Output};
use std::time::{Duration, Instant};

/// How long any step may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A server, which is told to end when this goes.
pub(super) struct Server(pub(super) Child);

impl Server {
    /// Tells it to end; how it did, if it did.
    pub(super) fn stop(mut self) -> Option<ExitStatus> {
        self.terminate();
        ended(&mut self.0)
    }

    fn terminate(&self) {
        if let Some(pid) = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            self.terminate();
            let _ = ended(&mut self.0);
        }
    }
}

/// Waits for a program's end; one that does not end is ended, and none given.
pub(super) fn ended(child: &mut Child) -> Option<ExitStatus> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    }
}

/// Collects output until the program ends; one that does not end is ended.
pub(super) fn finish(mut child: Child, shown: &str) -> Result<Output, Failure> {
    let reader = |pipe: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut pipe) = pipe {
                let _ = pipe.read_to_end(&mut bytes);
            }
            bytes
        })
    };
    let stdout = reader(child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>));
    let stderr = reader(child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>));
    let status =
        ended(&mut child).ok_or_else(|| Failure::new(format!("nacre {shown}: did not end within a minute")))?;
    let _ = std::io::stdout().flush();
    Ok(Output { status, stdout: stdout.join().unwrap_or_default(), stderr: stderr.join().unwrap_or_default() })
}
