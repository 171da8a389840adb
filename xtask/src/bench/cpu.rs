//! Processor time of processes, as `/proc` tells of it.

use crate::process::{family, field};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use std::process::{Child, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take to be rid of a session's processes.
const PATIENCE: Duration = Duration::from_secs(30);

/// The seconds that a process and the children it has waited for have computed, in user and in
/// kernel mode (proc(5), fields 14 to 17 of `stat`).
pub fn seconds(pid: u32) -> f64 {
    let ticks: u64 = (14..=17).filter_map(|number| field::<u64>(pid, number)).sum();
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// The seconds of a server and all its processes, once it has as few of them as when `at_rest` was
/// counted.
pub fn of_server(pid: u32, at_rest: usize) -> Result<f64, String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let processes = family(pid);
        if processes.len() <= at_rest {
            return Ok(processes.into_iter().map(seconds).sum());
        }
        if Instant::now() > deadline {
            return Err(format!("a server still has {} processes of an ended session", processes.len()));
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits for a child's end; how it ended and its seconds.
pub fn of_ended(child: &mut Child) -> Result<(ExitStatus, f64), String> {
    // It has to be looked at between its end and our taking note of it.
    let pid = Pid::from_child(child);
    waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).map_err(|error| error.to_string())?;
    let seconds = seconds(child.id());
    Ok((child.wait().map_err(|error| error.to_string())?, seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_child_that_computes_has_computed() {
        let script = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
        let (status, busy) = of_ended(&mut Command::new("sh").args(["-c", script]).spawn().unwrap()).unwrap();
        assert!(status.success() && busy > 0.0, "{busy}");
        let (_, idle) = of_ended(&mut Command::new("true").spawn().unwrap()).unwrap();
        assert!(idle < busy, "{idle} {busy}");
    }
}
