//! One step of the run: a command whose output is shown as it comes, with its time and a limit.

use super::counts::Counts;
use crate::process::kill_family;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// A step's name and how long it may take.
pub struct Step<'a> {
    /// What it is called in the run's account.
    pub name: &'a str,
    /// After this it is ended, with all it started, and counts as failed.
    pub limit: Duration,
}

/// How a step went.
pub struct Outcome {
    /// Tests it ran.
    pub counts: Counts,
    /// Why it failed, if it did.
    pub problem: Option<String>,
}

impl Step<'_> {
    /// Runs `command` without standard input; its standard error goes where ours goes.
    pub fn run(&self, mut command: Command) -> Outcome {
        println!("\n=== {}", self.name);
        let start = Instant::now();
        let mut outcome = self.watch(&mut command);
        // A test program that a signal ended has no last line of its own.
        if outcome.problem.is_some() && outcome.counts.passed > 0 && outcome.counts.failed == 0 {
            outcome.counts.failed = 1;
        }
        let verdict = outcome.problem.as_deref().unwrap_or("ok");
        println!("=== {}: {verdict}, {}", self.name, minutes(start.elapsed()));
        outcome
    }

    fn watch(&self, command: &mut Command) -> Outcome {
        let mut counts = Counts::default();
        let mut child = match command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn() {
            Ok(child) => child,
            Err(error) => return Outcome { counts, problem: Some(format!("could not be started: {error}")) },
        };
        let (sender, lines) = channel();
        if let Some(output) = child.stdout.take() {
            thread::spawn(move || {
                let mut output = BufReader::new(output);
                let mut line = Vec::new();
                while output.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                    if sender.send(String::from_utf8_lossy(&line).trim_end().to_owned()).is_err() {
                        break;
                    }
                    line.clear();
                }
            });
        }
        let deadline = Instant::now() + self.limit;
        let mut problem = None;
        loop {
            match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    println!("{line}");
                    counts.read(&line);
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    kill_family(child.id());
                    problem = Some(format!("took more than {}", minutes(self.limit)));
                    break;
                }
            }
        }
        let ended = child.wait();
        problem = problem.or_else(|| match ended {
            Ok(status) if status.success() => None,
            Ok(status) => Some(status.to_string()),
            Err(error) => Some(error.to_string()),
        });
        Outcome { counts, problem }
    }
}

/// A time as people say it.
pub fn minutes(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 60.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{} min {:02.0} s", seconds as u64 / 60, seconds % 60.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Outcome {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Step { name: "a step", limit }.run(command)
    }

    const LONG: Duration = Duration::from_secs(60);
    const LINE: &str = "echo 'test result: ok. 3 passed; 0 failed; 0 ignored'";

    #[test]
    fn a_good_step_counts_its_tests() {
        let outcome = shell(LINE, LONG);
        assert_eq!((outcome.counts.passed, outcome.counts.failed), (3, 0));
        assert_eq!(outcome.problem, None);
    }

    #[test]
    fn a_step_whose_program_dies_has_a_failed_test() {
        let outcome = shell(&format!("{LINE}; exit 101"), LONG);
        assert_eq!((outcome.counts.passed, outcome.counts.failed), (3, 1));
        assert!(outcome.problem.is_some());
    }

    #[test]
    fn a_step_has_no_standard_input() {
        assert_eq!(shell("cat", LONG).problem, None);
    }

    #[test]
    fn a_step_past_its_limit_is_ended_with_all_it_started() {
        let start = Instant::now();
        let outcome = shell("sleep 300 | cat", Duration::from_millis(300));
        assert!(outcome.problem.is_some_and(|problem| problem.contains("took more than")));
        assert!(start.elapsed() < LONG);
    }

    #[test]
    fn what_cannot_be_started_is_a_problem() {
        let outcome = Step { name: "a step", limit: LONG }.run(Command::new("/nonexistent/program"));
        assert!(outcome.problem.is_some_and(|problem| problem.contains("could not be started")));
    }

    #[test]
    fn times_read_well() {
        assert_eq!(minutes(Duration::from_millis(1250)), "1.2 s");
        assert_eq!(minutes(Duration::from_secs(605)), "10 min 05 s");
    }
}
