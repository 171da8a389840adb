//! keyboard-interactive (RFC 4256): first the password, then the code where one is enrolled, then a new password where
//! the old one must go.
//!
//! The code is asked for only when the password was right: whoever does not know it sees the same for a name with a
//! code, for one without, and for one that does not exist (threat A12).

use super::judge::Judge;
use super::login::Login;
use super::passwords::{self, Checked};
use nacre_proto::crypto::SecretBytes;
use nacre_proto::login::server::KeyboardInteractiveVerdict as Verdict;
use nacre_wire::names::AUTH_KEYBOARD_INTERACTIVE;
use nacre_wire::userauth::{InfoRequest, Prompt};

/// How often somebody may choose a new password that will not do.
const TRIES: u32 = 3;

/// What was asked last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The password.
    Password,
    /// The one-time code.
    Code,
    /// A new password, twice; so many tries are left.
    New(u32),
}

impl Judge {
    /// Goes one step through keyboard-interactive.
    pub fn check_interactive(&self, answers: Option<Vec<SecretBytes>>) -> Verdict {
        let Some(login) = self.login() else { return Verdict::Reject };
        let Some(answers) = answers else {
            let first = if login.code_wanted && self.state().factors > 0 { Asked::Code } else { Asked::Password };
            return self.ask(first, "");
        };
        let asked = self.state().asked.take();
        let mut answers = answers.into_iter();
        let mut next = || answers.next().unwrap_or_default();
        match asked {
            Some(Asked::Password) => self.on_password(&login, next()),
            Some(Asked::Code) => {
                let right = login.account.is_some() && passwords::check_code(&self.shared, &login, &next());
                if right { self.after_code(&login) } else { self.interactive_over(&login, false) }
            }
            Some(Asked::New(left)) => {
                let (new, again) = (next(), next());
                self.on_new_password(&login, left, &new, &again)
            }
            None => Verdict::Reject,
        }
    }

    /// Whether somebody begins whose first factor is still to come, so that PAM asks the questions where it is used.
    pub fn begins_with_password(&self) -> bool {
        !(self.login().is_some_and(|login| login.code_wanted) && self.state().factors > 0)
    }

    /// PAM has asked its questions, with this end. The code where one is wanted comes after them.
    pub fn after_pam(&self, right: bool) -> Verdict {
        let Some(login) = self.login() else { return Verdict::Reject };
        if right && login.code_wanted { self.ask(Asked::Code, "") } else { self.interactive_over(&login, right) }
    }

    fn on_password(&self, login: &Login, password: SecretBytes) -> Verdict {
        match passwords::check(&self.shared, login, &password) {
            Checked::Wrong => return self.interactive_over(login, false),
            Checked::Right => self.state().old_password = None,
            Checked::MustChange => self.state().old_password = Some(password),
            Checked::Expired => self.state().force_change = true,
        }
        if login.code_wanted { self.ask(Asked::Code, "") } else { self.after_code(login) }
    }

    /// Everything was right. A new password is asked for last, so that nobody can set one who could not log in.
    fn after_code(&self, login: &Login) -> Verdict {
        if self.state().old_password.is_some() {
            return self.ask(Asked::New(TRIES), passwords::MUST_CHANGE);
        }
        self.interactive_over(login, true)
    }

    fn on_new_password(&self, login: &Login, left: u32, new: &SecretBytes, again: &SecretBytes) -> Verdict {
        let Some(old) = self.state().old_password.take() else { return Verdict::Reject };
        let changed = if new.expose() == again.expose() {
            passwords::change(&self.shared, login, &old, new)
        } else {
            Err("The two were not the same.")
        };
        match changed {
            Ok(()) => self.interactive_over(login, true),
            Err(_) if left <= 1 => self.interactive_over(login, false),
            Err(why) => {
                self.state().old_password = Some(old);
                self.ask(Asked::New(left - 1), why)
            }
        }
    }

    fn ask(&self, what: Asked, instruction: &str) -> Verdict {
        self.state().asked = Some(what);
        let prompt = |text: &str| Prompt { text: text.as_bytes().to_vec(), echo: false };
        let prompts = match what {
            Asked::Password => vec![prompt("Password: ")],
            Asked::Code => vec![prompt("One-time code: ")],
            Asked::New(_) => vec![prompt("New password: "), prompt("The same again: ")],
        };
        Verdict::Ask(InfoRequest { instruction: instruction.as_bytes().to_vec(), prompts, ..InfoRequest::default() })
    }

    fn interactive_over(&self, login: &Login, right: bool) -> Verdict {
        self.trail.attempted(right, AUTH_KEYBOARD_INTERACTIVE, login, None);
        self.count_attempt(right, AUTH_KEYBOARD_INTERACTIVE);
        if right { Verdict::Accept } else { Verdict::Reject }
    }
}
