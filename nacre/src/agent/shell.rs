//! The lines that a shell evaluates, in its language, and the end of an agent.

use super::failure;
use crate::cli::agent::Shell;
use crate::failure::Failure;
use crate::output;
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;

/// The variable with the agent's socket.
pub const SOCKET: &str = "SSH_AUTH_SOCK";
/// The variable with the agent's process.
pub const PROCESS: &str = "SSH_AGENT_PID";

/// The language asked for, or that of `$SHELL`.
fn language(asked: Option<Shell>) -> Shell {
    let is_csh = || std::env::var_os("SHELL").is_some_and(|shell| shell.as_encoded_bytes().ends_with(b"csh"));
    asked.unwrap_or_else(|| if is_csh() { Shell::C } else { Shell::Bourne })
}

/// What says how to reach an agent. One in the foreground is not ended by `-k`, so its process is not set.
pub fn lines(asked: Option<Shell>, socket: &Path, process: u32, is_foreground: bool) -> String {
    let shell = language(asked);
    let mut out = set(shell, SOCKET, &quoted(&socket.to_string_lossy()));
    if !is_foreground {
        out.push_str(&set(shell, PROCESS, &process.to_string()));
    }
    out.push_str(&format!("echo Agent pid {process};\n"));
    out
}

fn set(shell: Shell, name: &str, value: &str) -> String {
    match shell {
        Shell::Bourne => format!("{name}={value}; export {name};\n"),
        Shell::C => format!("setenv {name} {value};\n"),
    }
}

/// As it stands when no shell would read more into it, which is so for every path that is not strange.
pub(crate) fn quoted(path: &str) -> String {
    match path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+,:@%".contains(&byte)) {
        true => path.to_owned(),
        false => format!("'{}'", path.replace('\'', "'\\''")),
    }
}

/// Ends the agent that the environment names, and prints what makes the shell forget it.
pub fn kill(asked: Option<Shell>) -> Result<(), Failure> {
    let text = std::env::var(PROCESS).map_err(|_| failure(format!("{PROCESS} not set, cannot kill agent")))?;
    let number = text.parse::<i32>().ok().filter(|number| *number > 1);
    let process = number.and_then(Pid::from_raw).ok_or_else(|| {
        let text = nacre_wire::text::clean_line(text.as_bytes(), 64);
        failure(format!("{PROCESS}=\"{text}\", which is not a good PID"))
    })?;
    kill_process(process, Signal::TERM)
        .map_err(|error| failure(format!("process {text}: {error}")).hint("is the agent gone already?"))?;
    let forget = |name| match language(asked) {
        Shell::Bourne => format!("unset {name};\n"),
        Shell::C => format!("unsetenv {name};\n"),
    };
    output::print(&format!("{}{}echo Agent pid {text} killed;\n", forget(SOCKET), forget(PROCESS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_gets_its_own_language() {
        let path = Path::new("/tmp/ssh-x/agent.1");
        assert_eq!(
            lines(Some(Shell::Bourne), path, 7, false),
            "SSH_AUTH_SOCK=/tmp/ssh-x/agent.1; export SSH_AUTH_SOCK;\nSSH_AGENT_PID=7; export SSH_AGENT_PID;\n\
             echo Agent pid 7;\n"
        );
        assert_eq!(
            lines(Some(Shell::C), path, 7, true),
            "setenv SSH_AUTH_SOCK /tmp/ssh-x/agent.1;\necho Agent pid 7;\n"
        );
        assert_eq!(quoted("/tmp/a b$(x)'y"), "'/tmp/a b$(x)'\\''y'");
    }
}
