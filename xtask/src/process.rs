//! Processes below one of ours, as `/proc` tells of them.

use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;

/// The processes below `root`, itself first. What ends meanwhile is left out.
pub fn family(root: u32) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Some(parent) = field(pid, 4) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        found.extend(children.get(&pid).into_iter().flatten());
        next += 1;
    }
    found
}

/// Field `number` of `/proc/PID/stat`, counted from 1 as in proc(5); only fields after the
/// program's name (3 and up) can be asked for, as the name may hold spaces.
pub fn field<T: std::str::FromStr>(pid: u32, number: usize) -> Option<T> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = text.rsplit_once(')')?;
    after_name.split_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

/// Ends `root`, a child of ours that is not waited for yet, and all below it, at once.
pub fn kill_family(root: u32) {
    for pid in family(root) {
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            // One that is gone already is what was wanted.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    #[test]
    fn a_family_is_found_and_ended() {
        let mut shell =
            Command::new("sh").args(["-c", "sleep 600 & echo; wait"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(shell.stdout.take().unwrap());
        output.read_line(&mut String::new()).unwrap();
        let found = family(shell.id());
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(field::<u32>(found[1], 4), Some(shell.id()));
        kill_family(shell.id());
        assert!(!shell.wait().unwrap().success());
        // The pipe ends when the last process that holds it has: the sleeper is gone too.
        assert_eq!(output.read_line(&mut String::new()).unwrap(), 0);
    }
}
