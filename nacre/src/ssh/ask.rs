//! Questions to the person: on the terminal, or through the program that `SSH_ASKPASS` names
//! (ssh(1), ENVIRONMENT). Asking blocks, so it happens on a thread of its own.

use crate::signal::{SIGALRM, Signal};
use nacre_sys::terminal::Tty;
use std::ffi::OsString;
use std::io::{self, ErrorKind, IsTerminal, Read};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use zeroize::Zeroizing;

/// The program asked for answers when `SSH_ASKPASS` names none.
const ASKPASS: &str = "/usr/bin/ssh-askpass";
/// The longest answer of such a program, in bytes.
const LONGEST: u64 = 8192;

/// A question stands, and SIGALRM has a handler.
static STANDING: AtomicBool = AtomicBool::new(false);

/// Whether the answer shows while it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Echo {
    /// It does.
    Visible,
    /// It does not.
    Hidden,
}

/// Ctrl-C, or a signal that ends the program, came at the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted;

/// An answer; `None` when nobody can be asked, or end of file was typed.
pub type Answer = Option<Zeroizing<Vec<u8>>>;

/// Asks.
///
/// # Errors
/// [`Interrupted`]; the terminal is as it was before.
pub async fn ask(question: String, echo: Echo) -> Result<Answer, Interrupted> {
    // With a handler of ours in place, SIGALRM ends the question and not the program: see `give_up`.
    let alarm = Signal::catch(SIGALRM);
    STANDING.store(alarm.is_ok(), Ordering::SeqCst);
    let asked = tokio::task::spawn_blocking(move || blocking(&question, echo)).await;
    STANDING.store(false, Ordering::SeqCst);
    match asked {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) if error.kind() == ErrorKind::Interrupted => Err(Interrupted),
        Ok(Err(_)) | Err(_) => Ok(None),
    }
}

/// Ends the question that stands on the terminal, if one does: its answer is not needed any more.
pub fn give_up() {
    if !STANDING.load(Ordering::SeqCst) {
        return;
    }
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::ALARM);
}

/// Asks through the program for a yes, as an agent does that has no terminal. An empty answer of a program that ended well is
/// one: such programs show a button. Blocks.
pub fn confirm(question: &str) -> bool {
    let way = way(std::env::var("SSH_ASKPASS_REQUIRE").ok().as_deref(), has_display());
    if way == Way::Terminal {
        return false;
    }
    let answer = program(question, Some("confirm"));
    matches!(answer, Ok(Some(answer)) if answer.is_empty() || answer.eq_ignore_ascii_case(b"yes"))
}

fn has_display() -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some())
}

/// How a question may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Terminal,
    TerminalThenProgram,
    Program,
}

/// What the environment says about it.
fn way(require: Option<&str>, has_display: bool) -> Way {
    match require {
        Some("never") => Way::Terminal,
        Some("force") => Way::Program,
        Some("prefer") if has_display => Way::Program,
        _ if has_display => Way::TerminalThenProgram,
        _ => Way::Terminal,
    }
}

/// Asks through the program where ssh-add would: when the environment says so, or standard input is no terminal and a display is
/// there. `None`: ask in another way. Blocks.
pub fn by_program(question: &str) -> Option<io::Result<Answer>> {
    let by_program = match way(std::env::var("SSH_ASKPASS_REQUIRE").ok().as_deref(), has_display()) {
        Way::Program => true,
        Way::TerminalThenProgram => !io::stdin().is_terminal(),
        Way::Terminal => false,
    };
    by_program.then(|| program(question, None))
}

fn blocking(question: &str, echo: Echo) -> io::Result<Answer> {
    match way(std::env::var("SSH_ASKPASS_REQUIRE").ok().as_deref(), has_display()) {
        Way::Program => program(question, None),
        Way::Terminal => terminal(Tty::open()?, question, echo),
        Way::TerminalThenProgram => match Tty::open() {
            Ok(tty) => terminal(tty, question, echo),
            Err(_) => program(question, None),
        },
    }
}

fn terminal(tty: Tty, question: &str, echo: Echo) -> io::Result<Answer> {
    match echo {
        Echo::Hidden => tty.ask_hidden(question),
        Echo::Visible => Ok(tty.ask_visible(question)?.map(|text| Zeroizing::new(text.into_bytes()))),
    }
}

/// Runs the program with the question as its argument; its first line is the answer. `hint` tells it what kind of question it is
/// (ssh(1), SSH_ASKPASS_PROMPT).
fn program(question: &str, hint: Option<&str>) -> io::Result<Answer> {
    let name = std::env::var_os("SSH_ASKPASS").filter(|name| !name.is_empty());
    let mut command = Command::new(name.unwrap_or_else(|| OsString::from(ASKPASS)));
    command.arg(question).env_remove("SSH_ASKPASS_PROMPT");
    command.envs(hint.map(|hint| ("SSH_ASKPASS_PROMPT", hint)));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut line = Zeroizing::new(Vec::with_capacity(usize::try_from(LONGEST).unwrap_or_default()));
    if let Some(output) = child.stdout.take() {
        output.take(LONGEST).read_to_end(&mut line)?;
    }
    let end = line.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(line.len());
    line.truncate(end);
    Ok(Some(line).filter(|_| child.wait().is_ok_and(|status| status.success())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_chooses_the_way() {
        assert_eq!(way(None, false), Way::Terminal);
        assert_eq!(way(None, true), Way::TerminalThenProgram);
        assert_eq!(way(Some("never"), true), Way::Terminal);
        assert_eq!(way(Some("prefer"), true), Way::Program);
        assert_eq!(way(Some("prefer"), false), Way::Terminal);
        assert_eq!(way(Some("force"), false), Way::Program);
        assert_eq!(way(Some("other"), true), Way::TerminalThenProgram);
    }
}
