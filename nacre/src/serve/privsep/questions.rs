//! What the monitor does with each message of the net process that passed the gate, and with what
//! the helper says.

use super::control::Notice;
use super::helper_link::HelperLink;
use super::helper_messages::{FromHelper, ToHelper};
use super::line_budget::Verdict;
use super::monitor::{Monitor, Recorded};
use crate::serve::audit;
use crate::serve::last_login;
use crate::serve::launch::{Launch, terminal_name};
use nacre_net::privsep::{FromMonitor, Phase, StreamsKind, ToMonitor};
use nacre_net::server::authority::{Exit, KeyCheck, Permissions, SessionRequests, Start};
use nacre_proto::login::server::{KeyboardInteractiveVerdict, PasswordVerdict};
use nacre_sys::account::Account;
use nacre_sys::pty::Pty;
use nacre_sys::records::Login as Record;
use nacre_wire::names;
use nacre_wire::text::clean_line;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Instant;
use std::time::{Duration, SystemTime};

/// The longest line of the net process that is logged, in bytes.
const MAX_LINE: usize = 1024;

/// A terminal for an account that cannot open one itself: its master.
fn terminal_of(account: &Account) -> io::Result<OwnedFd> {
    let pty = Pty::open()?;
    pty.give_to(account.uid, account.gid)?;
    Ok(pty.master)
}

impl Monitor<'_> {
    /// Does what a message asks for. An error ends the connection.
    pub(super) fn handle(&mut self, message: ToMonitor) -> io::Result<()> {
        match message {
            ToMonitor::Sign { question, host_key, algorithm, data } => {
                let signature = self.judge.shared.host_keys.sign(&host_key, algorithm, &data);
                self.answer(&FromMonitor::Signature { question, signature }, &[])
            }
            ToMonitor::LookUp { question, user } => self.look_up(question, &user),
            ToMonitor::CheckKey { question, check } => self.check_key(question, &check),
            ToMonitor::CheckPassword { question, password, new } => {
                let verdict = if self.uses_pam() {
                    self.check_password_with_pam(&password, new.as_ref())
                } else {
                    let _slot = self.separation.hashing.take()?;
                    self.judge.check_password(&password, new.as_ref())
                };
                let permissions = match verdict {
                    PasswordVerdict::Accept => self.succeeded(names::AUTH_PASSWORD, None),
                    PasswordVerdict::Reject => self.failed(),
                    PasswordVerdict::ChangeRequired(_) => None,
                };
                self.answer(&FromMonitor::Password { question, verdict, permissions }, &[])
            }
            ToMonitor::CheckInteractive { question, answers: None }
                if self.uses_pam() && self.judge.begins_with_password() =>
            {
                self.converse_with_pam(question)
            }
            ToMonitor::CheckInteractive { question, answers } => {
                let slot = if answers.is_some() { Some(self.separation.hashing.take()?) } else { None };
                let verdict = self.judge.check_interactive(answers);
                drop(slot);
                self.answer_interactive(question, verdict)
            }
            ToMonitor::NoneSucceeded {} => {
                self.judge.logged_in();
                self.notice(Notice::Authenticated);
                Ok(())
            }
            ToMonitor::Start { question, session, requests } => self.start_session(question, session, requests),
            ToMonitor::Signal { session, name } => self.pass_on(&ToHelper::Signal { session, name }),
            ToMonitor::HangUp { session } => self.pass_on(&ToHelper::HangUp { session }),
            ToMonitor::Kill { session } => self.pass_on(&ToHelper::Kill { session }),
            ToMonitor::Connect { question, target } => self.connect(question, target),
            ToMonitor::Listen { question, listener, place } => self.listen(question, listener, place),
            ToMonitor::StopListening { listener } => self.stop_listening(listener),
            ToMonitor::Log { level, line } => {
                match self.lines.take(Instant::now()) {
                    Verdict::Write => audit::net_says(self.judge.ends, level, &line),
                    Verdict::Tell => {
                        let peer = self.judge.ends.peer;
                        tracing::warn!("net process of the connection from {peer}: its further lines are left out");
                    }
                    Verdict::Drop => {}
                }
                Ok(())
            }
            ToMonitor::Ended { how, quiet, why, received, sent } => {
                let reason = clean_line(why.as_bytes(), MAX_LINE);
                self.last_words = Some(audit::End { reason, quiet, bytes: Some((received, sent)) });
                self.ended = Some(how);
                Ok(())
            }
        }
    }

    /// Says how keyboard-interactive goes on.
    pub(super) fn answer_interactive(&mut self, question: u32, verdict: KeyboardInteractiveVerdict) -> io::Result<()> {
        let permissions = match &verdict {
            KeyboardInteractiveVerdict::Accept => self.succeeded(names::AUTH_KEYBOARD_INTERACTIVE, None),
            KeyboardInteractiveVerdict::Reject => self.failed(),
            KeyboardInteractiveVerdict::Ask(_) => {
                self.gate.asked();
                None
            }
        };
        self.answer(&FromMonitor::Interactive { question, verdict, permissions }, &[])
    }

    fn look_up(&mut self, question: u32, user: &[u8]) -> io::Result<()> {
        // Keys were exchanged, or nothing could have asked.
        self.notice(Notice::Ready);
        let mut policy = self.judge.look_up(user);
        policy.none_succeeds = policy.none_succeeds && (!self.uses_pam() || self.empty_password_does());
        let permissions = policy.none_succeeds.then(|| self.judge.permissions());
        self.gate.looked_up(&policy, permissions.as_ref());
        self.answer(&FromMonitor::Policy { question, policy, permissions }, &[])
    }

    fn check_key(&mut self, question: u32, check: &KeyCheck) -> io::Result<()> {
        let accepted = self.key_is_accepted(check);
        let permissions = match (accepted, &check.proof) {
            (true, Some(_)) => self.succeeded(names::AUTH_PUBLICKEY, Some(&check.public_key)),
            (false, Some(_)) => self.failed(),
            (_, None) => None,
        };
        self.answer(&FromMonitor::Key { question, accepted, permissions }, &[])
    }

    /// Permissions when this method was the last that is wanted.
    fn succeeded(&mut self, method: &str, key: Option<&[u8]>) -> Option<Permissions> {
        if !self.gate.succeeded(method, key) {
            return None;
        }
        let permissions = self.judge.logged_in();
        self.gate.log_in(permissions.clone());
        self.notice(Notice::Authenticated);
        Some(permissions)
    }

    fn failed(&mut self) -> Option<Permissions> {
        self.gate.failed();
        None
    }

    fn start_session(&mut self, question: u32, session: u32, requests: SessionRequests) -> io::Result<()> {
        self.judge.trail.session_asked(Some(session), &requests);
        if !self.gate.admit_session(session) {
            let why = "too many sessions (MaxSessions)".to_owned();
            self.judge.trail.session_refused(session, &why);
            return self.answer(&FromMonitor::NotStarted { question, why }, &[]);
        }
        match self.ask_helper(session, requests) {
            Ok(()) => {
                self.starting.push((session, question));
                Ok(())
            }
            Err(error) => self.refuse(question, session, error.to_string()),
        }
    }

    /// When the account was last here, for a shell on a terminal.
    fn last_login(&self, launch: &Launch) -> Option<String> {
        let shows = launch.pty.is_some() && launch.start == Start::Shell && self.judge.shared.options().print_last_log;
        let last = if shows { self.records.last_login(launch.account.uid) } else { Ok(None) };
        let last = last.unwrap_or_else(|error| {
            tracing::debug!("{error}");
            None
        });
        last.map(|last| last_login::line(&last))
    }

    fn refuse(&mut self, question: u32, session: u32, why: String) -> io::Result<()> {
        self.gate.session_over(session);
        self.judge.trail.session_refused(session, &why);
        self.answer(&FromMonitor::NotStarted { question, why }, &[])
    }

    fn ask_helper(&mut self, session: u32, requests: SessionRequests) -> io::Result<()> {
        let mut launch = self.judge.launch(requests)?;
        launch.last_login = self.last_login(&launch);
        self.judge.trail.session_decided(session, &launch);
        self.start_helper()?;
        self.apply_pam(&mut launch);
        let Some(helper) = &self.helper else { return Ok(()) };
        let terminal = (launch.jailed && launch.pty.is_some()).then(|| terminal_of(&launch.account)).transpose()?;
        let fds: Vec<_> = terminal.iter().map(AsFd::as_fd).collect();
        helper.tell_with(&ToHelper::Start { session, launch }, &fds)
    }

    /// Has a helper, which runs as whoever is logged in.
    pub(super) fn start_helper(&mut self) -> io::Result<()> {
        if self.helper.is_none() {
            let account = self.judge.login().and_then(|login| login.account.clone());
            let account = account.ok_or_else(|| io::Error::other("nobody is logged in"))?;
            let (credentials, jail) = (self.credentials(&account)?, self.judge.jail()?);
            self.helper = Some(HelperLink::start(&self.separation.program, &account.name, credentials, jail)?);
        }
        Ok(())
    }

    pub(super) fn tell_helper(&self, message: &ToHelper) -> io::Result<()> {
        // What concerns sessions when there is no helper any more concerns none.
        self.helper.as_ref().map_or(Ok(()), |helper| helper.tell(message))
    }

    /// Passes something on that concerns a session. That the helper is gone is no fault of the net process, and is told by the helper's
    /// own end.
    pub(super) fn pass_on(&self, message: &ToHelper) -> io::Result<()> {
        if let Err(error) = self.tell_helper(message) {
            tracing::error!("helper of {}: {error}", self.judge.ends.peer);
        }
        Ok(())
    }

    /// The helper said something, or is gone with all that it ran.
    pub(super) fn on_helper(&mut self) {
        let Some(helper) = &mut self.helper else { return };
        let handled = match helper.receive() {
            Ok(Some((message, fds))) => self.handle_helper(message, &fds),
            Ok(None) => Err(io::Error::other("is gone")),
            Err(error) => Err(error),
        };
        if let Err(error) = handled {
            tracing::error!("helper of {}: {error}", self.judge.ends.peer);
            self.without_helper();
        }
    }

    /// Nobody will ever say how its sessions ended, so the clients are told now.
    fn without_helper(&mut self) {
        if let Some(helper) = self.helper.take() {
            helper.leave(Duration::ZERO);
        }
        for (session, question) in std::mem::take(&mut self.starting) {
            let _ = self.refuse(question, session, "the helper is gone".to_owned());
        }
        for session in self.gate.sessions().to_vec() {
            let _ = self.on_exit(session, Exit::Signal { name: "KILL".to_owned(), core_dumped: false });
        }
        self.forwards_are_over();
        // What they left behind may hold their streams open for ever, so the connection ends as well.
        let _ = self.answer(&FromMonitor::Drain { milliseconds: 0 }, &[]);
    }

    fn handle_helper(&mut self, message: FromHelper, fds: &[OwnedFd]) -> io::Result<()> {
        match message {
            FromHelper::Started { session, streams, line, pid, preamble } => {
                let Some(question) = self.take_starting(session) else { return Err(unasked()) };
                let wanted = if streams == StreamsKind::Terminal { 1 } else { 3 };
                if fds.len() != wanted {
                    return Err(unasked());
                }
                let terminal = line.as_ref().map(|line| {
                    let line = line.strip_prefix("/dev").unwrap_or(line);
                    clean_line(line.as_os_str().as_bytes(), 64)
                });
                self.judge.trail.session_started(session, terminal);
                if let Some(line) = line {
                    self.record_begin(session, line, pid);
                }
                let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
                self.answer(&FromMonitor::Started { question, streams, preamble }, &fds)
            }
            FromHelper::NotStarted { session, why } => {
                let Some(question) = self.take_starting(session) else { return Err(unasked()) };
                self.refuse(question, session, why)
            }
            FromHelper::Exited { session, exit } => self.on_exit(session, exit),
            FromHelper::Connected { forward } => match self.connected(forward, fds)? {
                true => Ok(()),
                false => Err(unasked()),
            },
            FromHelper::NotConnected { forward, refused } => self.not_connected(forward, refused),
            FromHelper::Listening { forward, port } => self.listening(forward, port),
            FromHelper::NotListening { forward, refused } => self.not_listening(forward, refused),
            FromHelper::Arrived { forward, originator } => self.arrived(forward, originator, fds),
            FromHelper::Ready {} | FromHelper::NotReady { .. } => Err(unasked()),
        }
    }

    fn take_starting(&mut self, session: u32) -> Option<u32> {
        let place = self.starting.iter().position(|(known, _)| *known == session)?;
        Some(self.starting.swap_remove(place).1)
    }

    fn on_exit(&mut self, session: u32, exit: Exit) -> io::Result<()> {
        self.gate.session_over(session);
        self.judge.trail.session_ended(session, &exit);
        if let Some(place) = self.recorded.iter().position(|recorded| recorded.session == session) {
            let recorded = self.recorded.swap_remove(place);
            self.record_end(recorded.record);
        }
        match self.gate.phase() {
            Phase::Over => Ok(()),
            _ => self.answer(&FromMonitor::Exited { session, exit }, &[]),
        }
    }

    fn record_begin(&mut self, session: u32, line: PathBuf, pid: u32) {
        let Some(account) = self.judge.login().and_then(|login| login.account.clone()) else { return };
        let record = Record {
            user: account.name.clone(),
            line: terminal_name(&line),
            host: self.judge.client(),
            pid: i32::try_from(pid).unwrap_or(0),
            time: SystemTime::now(),
        };
        let written = self.records.login(&record).and(self.records.set_last_login(account.uid, &record));
        if let Err(error) = written {
            tracing::debug!("{error}");
        }
        self.recorded.push(Recorded { session, record });
    }
}

fn unasked() -> io::Error {
    io::Error::other("said what nobody asked")
}
