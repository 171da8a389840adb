//! The monitor's questions when PAM judges (`UsePAM`): a password, a key's account, and the conversation of
//! keyboard-interactive, during which the monitor stands inside libpam and waits for the client's answers.

use super::monitor::Monitor;
use super::pam::{PamLogin, junk, note};
use crate::serve::judge::Judge;
use crate::serve::launch::Launch;
use crate::serve::login::Login;
use nacre_net::privsep::ToMonitor;
use nacre_net::server::authority::KeyCheck;
use nacre_proto::crypto::SecretBytes;
use nacre_proto::login::server::{KeyboardInteractiveVerdict as Verdict, PasswordVerdict};
use nacre_sys::account::{Account, Credentials};
use nacre_sys::pam::{Answer, Message, Style};
use nacre_sys::slots::Slot;
use nacre_wire::userauth::{InfoRequest, Prompt};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The most rounds of questions in one conversation.
const MAX_ROUNDS: u32 = 32;
/// The longest question, in bytes.
const MAX_PROMPT: usize = 4096;
/// The longest that a failure takes because modules want it.
const MAX_DELAY: Duration = Duration::from_secs(10);
/// How long work on a password waits for other such work. Modules may wait for a network: then whoever comes next
/// must not wait for them for ever.
const SLOT_WAIT: Duration = Duration::from_secs(2);

/// How a conversation with the client stands.
struct Talk {
    /// The client's question that waits for a verdict, if one does.
    question: Option<u32>,
    rounds: u32,
    /// What modules said since the last question.
    said: Vec<u8>,
    /// Another message came where answers were expected: it is next.
    next: Option<ToMonitor>,
    failed: Option<io::Error>,
    /// The client's answers count; they are replaced for somebody who cannot log in.
    counts: bool,
}

impl<'a> Monitor<'a> {
    /// PAM judges on this connection.
    pub(super) fn uses_pam(&self) -> bool {
        self.judge.shared.options().use_pam
    }

    fn take_pam(&mut self) -> Option<(Arc<Login>, PamLogin)> {
        take(&self.judge, &mut self.pam)
    }

    fn slot(&self) -> Option<Slot<'a>> {
        let separation = self.separation;
        separation.hashing.take_within(SLOT_WAIT).ok().flatten()
    }

    /// Lets a failure last as long as modules want.
    fn delay(&self, pam: &PamLogin) {
        std::thread::sleep(pam.failure_delay().min(MAX_DELAY).min(self.time_left()));
    }

    /// A password, judged by PAM. One whose time is over lets in to change it.
    pub(super) fn check_password_with_pam(
        &mut self,
        password: &SecretBytes,
        new: Option<&SecretBytes>,
    ) -> PasswordVerdict {
        let Some((login, mut pam)) = self.take_pam() else { return self.judge.pam_judged_password(false) };
        let right = new.is_none() && self.is_password(&login, &mut pam, password.expose());
        self.pam = Some(pam);
        self.judge.pam_judged_password(right)
    }

    fn is_password(&self, login: &Login, pam: &mut PamLogin, password: &[u8]) -> bool {
        let slot = self.slot();
        let empty = login.options.permit_empty_passwords;
        let may = may_do(login) && (empty || !password.is_empty());
        let right = if may {
            pam.check_password(password, empty)
        } else {
            pam.check_password(&junk(password.len()), false);
            false
        };
        drop(slot);
        if !right {
            self.delay(pam);
        }
        right && pam.check_account_silently()
    }

    /// Whether `none` is enough for an account that has no password.
    pub(super) fn empty_password_does(&mut self) -> bool {
        let Some((login, mut pam)) = self.take_pam() else { return false };
        let right = self.is_password(&login, &mut pam, b"");
        self.pam = Some(pam);
        right
    }

    /// Judges a key; where PAM is used, whoever has proven one still needs its word on the account.
    pub(super) fn key_is_accepted(&mut self, check: &KeyCheck) -> bool {
        let uses_pam = self.uses_pam();
        let (judge, kept) = (&self.judge, &mut self.pam);
        judge.check_key(check, || {
            if !uses_pam {
                return true;
            }
            let Some((_, mut pam)) = take(judge, kept) else { return false };
            let allowed = pam.check_account_silently();
            *kept = Some(pam);
            allowed
        })
    }

    /// keyboard-interactive from its begin to its end, or until the client does something else.
    pub(super) fn converse_with_pam(&mut self, question: u32) -> io::Result<()> {
        let Some((login, mut pam)) = self.take_pam() else {
            let verdict = self.judge.after_pam(false);
            return self.answer_interactive(question, verdict);
        };
        let counts = may_do(&login);
        let mut talk = Talk { question: Some(question), rounds: 0, said: Vec::new(), next: None, failed: None, counts };
        let mut slot = self.slot();
        let mut converse = |messages: &[Message]| {
            // Nobody waits for work on passwords while a person thinks.
            slot = None;
            let answers = self.converse(&mut talk, messages);
            slot = self.slot();
            answers
        };
        let authenticated = pam.authenticate(login.options.permit_empty_passwords, &mut converse);
        let delay = if authenticated { Duration::ZERO } else { pam.failure_delay() };
        let right = authenticated && counts && pam.check_account(&mut converse) && pam.change_password(&mut converse);
        drop(slot);
        let said = std::mem::take(&mut talk.said);
        if right {
            pam.keep_texts(&said);
        } else if talk.question.is_some() {
            std::thread::sleep(delay.min(MAX_DELAY).min(self.time_left()));
            if !said.is_empty() {
                let last = InfoRequest { instruction: said, ..InfoRequest::default() };
                self.ask(&mut talk, last);
            }
        }
        self.pam = Some(pam);
        self.conclude(talk, right)
    }

    fn conclude(&mut self, talk: Talk, right: bool) -> io::Result<()> {
        match talk {
            Talk { failed: Some(error), .. } => Err(error),
            // The gate counts requests, so this does not go on for ever.
            Talk { next: Some(message), .. } => self.handle(message),
            Talk { question: Some(question), .. } => {
                let verdict = self.judge.after_pam(right);
                self.answer_interactive(question, verdict)
            }
            // The net process is gone, or time is over: whoever waits for the next message sees it too.
            _ => Ok(()),
        }
    }

    /// One round: what modules say and ask goes to the client, its answers come back.
    fn converse(&mut self, talk: &mut Talk, messages: &[Message]) -> Option<Vec<Answer>> {
        note(&mut talk.said, messages);
        let text = |prompt: &Message| prompt.text.get(..MAX_PROMPT).unwrap_or(&prompt.text).to_vec();
        let prompts = messages.iter().filter(|message| message.is_prompt());
        let prompts: Vec<_> =
            prompts.map(|prompt| Prompt { text: text(prompt), echo: prompt.style == Style::Visible }).collect();
        if prompts.is_empty() {
            return Some(Vec::new());
        }
        talk.rounds += 1;
        if talk.rounds > MAX_ROUNDS {
            tracing::error!("PAM asks {} too much", self.judge.ends.peer);
            return None;
        }
        let count = prompts.len();
        let instruction = std::mem::take(&mut talk.said);
        let answers = self.ask(talk, InfoRequest { instruction, prompts, ..InfoRequest::default() })?;
        let counts = talk.counts;
        let answer = |given: SecretBytes| match counts {
            true => Answer::new(given.expose().to_vec()),
            false => Answer::new(junk(given.expose().len())),
        };
        (answers.len() == count).then(|| answers.into_iter().map(answer).collect())
    }

    /// Asks the client and waits for its answers; `None` when something else came, or nothing will.
    fn ask(&mut self, talk: &mut Talk, request: InfoRequest) -> Option<Vec<SecretBytes>> {
        let question = talk.question.take()?;
        let asked = self.answer_interactive(question, Verdict::Ask(request));
        asked.map_err(|error| talk.failed = Some(error)).ok()?;
        loop {
            let message = self.next_message().unwrap_or_else(|error| {
                talk.failed = Some(error);
                None
            })?;
            match message {
                ToMonitor::CheckInteractive { question, answers: Some(answers) } => {
                    talk.question = Some(question);
                    return Some(answers);
                }
                // Keys may be renewed meanwhile.
                ToMonitor::Sign { .. } | ToMonitor::Log { .. } => {
                    self.handle(message).map_err(|error| talk.failed = Some(error)).ok()?;
                }
                other => {
                    talk.next = Some(other);
                    return None;
                }
            }
        }
    }

    /// Whom a helper is to become; where PAM is used, in the session that it opens.
    pub(super) fn credentials(&mut self, account: &Account) -> io::Result<Credentials> {
        if !self.uses_pam() {
            return account.credentials();
        }
        let pam = self.pam.as_mut().ok_or_else(|| io::Error::other("PAM has not been asked about this login"))?;
        pam.tell_succeeded(&self.judge.auth_info());
        pam.open_session(account)
    }

    /// What PAM adds to a session that is about to start.
    pub(super) fn apply_pam(&mut self, launch: &mut Launch) {
        let Some(pam) = &mut self.pam else { return };
        launch.must_change |= pam.must_change();
        // pam_nologin(8) does that, where it is wanted.
        launch.closed = None;
        launch.pam_variables = pam.variables();
        if launch.shows_greeting() {
            launch.pam_texts = pam.take_texts();
        }
    }
}

/// Who logs in, and the dealings with PAM about it, which nobody else has meanwhile.
fn take(judge: &Judge, kept: &mut Option<PamLogin>) -> Option<(Arc<Login>, PamLogin)> {
    let login = judge.login()?;
    let begun = match kept.take() {
        Some(pam) => Ok(pam),
        None => PamLogin::begin(judge, &login),
    };
    let mut pam = begun.inspect_err(|error| tracing::error!("{error}")).ok()?;
    pam.tell_succeeded(&judge.auth_info());
    Some((login, pam))
}

/// Whether this login can succeed at all with what PAM asks for.
fn may_do(login: &Login) -> bool {
    login.account.is_some() && login.password_may_do()
}
