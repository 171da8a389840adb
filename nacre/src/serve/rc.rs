//! What a session runs before its command: `~/.ssh/rc`, or `/etc/ssh/sshrc` (sshd(8), SSHRC).
//!
//! It shares the session's terminal, and the first process on a terminal must stay: so this program
//! takes that place, runs the file, and then becomes the shell.

use super::launch::Launch;
use nacre_net::server::authority::Start;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// `argv[0]` of the process in between.
pub const RC: &str = "nacre: rc";
/// This program, for a child that was made by copying this process.
pub const OWN_PROGRAM: &str = "/proc/self/exe";
const SH: &str = "/bin/sh";
/// The account's file, from its home folder, which is where a session begins.
const USER_FILE: &str = ".ssh/rc";
const SYSTEM_FILE: &str = "/etc/ssh/sshrc";
/// The exit status of shells for a program that cannot be run.
const CANNOT_RUN: u8 = 126;

/// What runs: the program, its `argv[0]` and the rest.
pub type Run = (PathBuf, OsString, Vec<OsString>);

impl Launch {
    /// Puts the file that is to run first in front, if there is one.
    pub(super) fn after_rc(&self, run: Run) -> Run {
        // A jail has no program of ours to take the place in between.
        let Some(before) = self.rc().filter(|_| !self.jailed) else { return run };
        let (program, arg0, args) = run;
        let mut all = vec![before.len().to_string().into()];
        all.extend(before);
        all.extend([program.into_os_string(), arg0]);
        all.extend(args);
        (PathBuf::from(OWN_PROGRAM), RC.into(), all)
    }

    /// The user's own file is run by the user's shell, so that a restricted one can refuse.
    fn rc(&self) -> Option<Vec<OsString>> {
        let subsystem = matches!(self.start, Start::Subsystem(_));
        if self.user_rc && !subsystem && self.account.home.join(USER_FILE).exists() {
            let shell = self.account.shell.clone().into_os_string();
            return Some(vec![shell, "-c".into(), format!("{SH} {USER_FILE}").into()]);
        }
        Path::new(SYSTEM_FILE).exists().then(|| vec![SH.into(), SYSTEM_FILE.into()])
    }
}

/// The process in between: runs the first command, whatever comes of it, and becomes the second. The
/// arguments are how many words the first has, the first, and then program, `argv[0]` and arguments of the second.
pub fn run(args: &[OsString]) -> ExitCode {
    let count = args.get(1).and_then(|text| text.to_str()?.parse::<usize>().ok()).unwrap_or(0);
    let (Some(first), Some(second)) = (args.get(2..2 + count.min(args.len())), args.get(2 + count.min(args.len())..))
    else {
        return ExitCode::from(CANNOT_RUN);
    };
    if let [program, rest @ ..] = first {
        let _ = Command::new(program).args(rest).stdin(Stdio::null()).status();
    }
    if let [program, arg0, rest @ ..] = second {
        let _ = Command::new(program).arg0(arg0).args(rest).exec();
    }
    ExitCode::from(CANNOT_RUN)
}
