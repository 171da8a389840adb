//! PAM for one connection, as its monitor calls it (`UsePAM`): whether somebody is who they say, whether the account may
//! be used now, and the session that all the user's processes are in.

use crate::serve::audit;
use crate::serve::judge::Judge;
use crate::serve::login::{Ends, Login};
use nacre_sys::account::{Account, Credentials};
use nacre_sys::pam::{Answer, Conversation, Message, PamError, Reason, Style, Transaction, Who};
use nacre_sys::privileges;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::time::Duration;

/// Where libpam looks for the rules of services.
const RULES: [&str; 2] = ["/etc/pam.d", "/usr/lib/pam.d"];
/// What is kept of the modules' texts for the user, in bytes.
const MAX_TEXTS: usize = 16 * 1024;
/// What modules are told for a name that cannot be one.
const NO_NAME: &str = "NOUSER";
/// What modules get for a password that must not work (threat A12): nobody types this.
const JUNK: &[u8] = b"\x08\n\r\x7fINCORRECT";
/// Variables that only modules are told; they would tell the user's processes of the server's affairs.
const FOR_MODULES: [&[u8]; 2] = [b"SSH_AUTH_INFO", b"SSH_CONNECTION"];

/// What PAM says of the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Unasked,
    Allowed,
    MustChange,
    Denied,
}

/// The session of the connection. There is one at most, whatever the client opens.
enum Session {
    None,
    Open(Credentials),
    Failed,
}

/// One connection's dealings with PAM.
pub(super) struct PamLogin {
    transaction: Transaction,
    user: String,
    ends: Ends,
    standing: Standing,
    /// PAM itself has said yes to somebody's credential.
    authenticated: bool,
    texts: Vec<u8>,
    session: Session,
}

impl PamLogin {
    /// Begins.
    ///
    /// # Errors
    /// There is no libpam, or it cannot read its rules.
    pub(super) fn begin(judge: &Judge, login: &Login) -> io::Result<Self> {
        let pam = judge.shared.pam().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "there is no libpam"))?;
        let service = login.options.pam_service_name.clone();
        let service = service.unwrap_or_else(|| usual_service(judge.shared.as_sshd).to_owned());
        let user = login.name.clone().unwrap_or_else(|| NO_NAME.to_owned());
        let host = judge.client();
        let who = Who { service: &service, user: &user, host: &host, terminal: "ssh", remote_user: None };
        let mut transaction = pam.begin(&who)?;
        let (peer, local) = (judge.ends.peer, judge.ends.local);
        let (peer_ip, local_ip) = (peer.ip().to_canonical(), local.ip().to_canonical());
        let connection = format!("{peer_ip} {} {local_ip} {}", peer.port(), local.port());
        transaction.put_variable("SSH_CONNECTION", &connection)?;
        Ok(Self {
            transaction,
            user,
            ends: judge.ends,
            standing: Standing::Unasked,
            authenticated: false,
            texts: Vec::new(),
            session: Session::None,
        })
    }

    /// Tells modules what has succeeded so far, a line for each method.
    pub(super) fn tell_succeeded(&mut self, lines: &str) {
        if let Err(error) = self.transaction.put_variable("SSH_AUTH_INFO_0", lines) {
            tracing::debug!("{error}");
        }
    }

    /// Whether the user is who they say, by whatever `talk` answers.
    pub(super) fn authenticate(&mut self, empty: bool, talk: &mut Conversation<'_>) -> bool {
        let mut broken = false;
        let result = self.transaction.authenticate(empty, &mut |messages| {
            let answers = talk(messages);
            broken |= answers.is_none();
            answers
        });
        let right = match result {
            // Whatever modules call it, it was the client that broke off.
            Err(error) if broken => {
                tracing::debug!("{}: {error}", self.user);
                false
            }
            result => self.take(result) && self.is_same_user(),
        };
        self.authenticated |= right;
        right
    }

    /// Whether this is the password: the answer to every question that must not be seen. Other questions have none.
    pub(super) fn check_password(&mut self, password: &[u8], empty: bool) -> bool {
        let mut texts = std::mem::take(&mut self.texts);
        let right = self.authenticate(empty, &mut |messages: &[Message]| {
            note(&mut texts, messages);
            let answer = |prompt: &Message| (prompt.style == Style::Secret).then(|| Answer::new(password.to_vec()));
            messages.iter().filter(|message| message.is_prompt()).map(answer).collect()
        });
        // What was said of a wrong password is nothing for whoever knows the right one.
        self.texts = if right { texts } else { Vec::new() };
        right
    }

    /// How long the last failure should take.
    pub(super) fn failure_delay(&self) -> Duration {
        self.transaction.failure_delay()
    }

    /// Whether the account may be used now. It is asked once; a refusal is a line in the log.
    pub(super) fn check_account(&mut self, talk: &mut Conversation<'_>) -> bool {
        if self.standing == Standing::Unasked {
            let result = self.transaction.check_account(talk);
            self.standing = match result {
                _ if !self.is_same_user() => Standing::Denied,
                Ok(()) => Standing::Allowed,
                Err(error) if error.reason() == Reason::PasswordExpired => Standing::MustChange,
                Err(error) => {
                    audit::not_allowed(&self.user, Some(self.ends), &format!("PAM refuses the account: {error}"));
                    Standing::Denied
                }
            };
        }
        self.standing != Standing::Denied
    }

    /// The same where nobody can be asked.
    pub(super) fn check_account_silently(&mut self) -> bool {
        let mut texts = std::mem::take(&mut self.texts);
        let allowed = self.check_account(&mut |messages| silent(&mut texts, messages));
        self.texts = texts;
        allowed
    }

    /// The password's time is over.
    pub(super) fn must_change(&self) -> bool {
        self.standing == Standing::MustChange
    }

    /// Takes a new password, where one is needed.
    pub(super) fn change_password(&mut self, talk: &mut Conversation<'_>) -> bool {
        if self.standing != Standing::MustChange {
            return true;
        }
        let result = self.transaction.change_expired_password(talk);
        let changed = self.take(result);
        if changed {
            tracing::info!("password of {} changed", self.user);
            self.standing = Standing::Allowed;
        }
        changed
    }

    /// Opens the session, once, and says what its processes are to become. From then on this process is in it, and what
    /// it starts inherits limits, umask, keyring and all else that modules set.
    ///
    /// # Errors
    /// PAM does not allow it, or did not the first time.
    pub(super) fn open_session(&mut self, account: &Account) -> io::Result<Credentials> {
        match &self.session {
            Session::Open(credentials) => return Ok(credentials.clone()),
            Session::Failed => return Err(io::Error::other("PAM has refused the session")),
            Session::None => {}
        }
        let opened = self.try_to_open(account);
        self.session = match &opened {
            Ok(credentials) => Session::Open(credentials.clone()),
            Err(error) => {
                tracing::error!("session of {}: {error}", self.user);
                Session::Failed
            }
        };
        opened
    }

    fn try_to_open(&mut self, account: &Account) -> io::Result<Credentials> {
        if !matches!(self.standing, Standing::Allowed | Standing::MustChange) {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "PAM has not allowed the account"));
        }
        // Limits that modules set are to win, so ours must be out of the way before.
        privileges::restore_open_files()?;
        let mut credentials = account.credentials()?;
        let mut texts = std::mem::take(&mut self.texts);
        let talk = &mut |messages: &[Message]| silent(&mut texts, messages);
        match self.transaction.establish_credentials(&credentials.groups, talk) {
            Ok(groups) => credentials.groups = groups,
            // Modules may have no credentials for somebody whom they did not let in themselves.
            Err(error) if !self.authenticated => tracing::debug!("{error}"),
            Err(error) => return Err(error),
        }
        let opened = self.transaction.open_session(talk);
        self.texts = texts;
        opened.map_err(io::Error::other)?;
        Ok(credentials)
    }

    /// The variables that modules want the user's processes to have.
    pub(super) fn variables(&mut self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let bytes = |(name, value): (OsString, OsString)| (name.into_vec(), value.into_vec());
        let is_theirs = |name: &[u8]| !FOR_MODULES.iter().any(|prefix| name.starts_with(prefix));
        self.transaction.variables().into_iter().map(bytes).filter(|(name, _)| is_theirs(name)).collect()
    }

    /// What modules said to the user and nobody has shown yet.
    pub(super) fn take_texts(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.texts)
    }

    /// Keeps what modules said for later.
    pub(super) fn keep_texts(&mut self, texts: &[u8]) {
        append(&mut self.texts, texts);
    }

    /// Ends the session.
    pub(super) fn close(mut self) {
        if let Err(error) = self.transaction.close() {
            tracing::error!("end of the session of {}: {error}", self.user);
        }
    }

    /// Modules may map a name to another (PAM_USER); whoever logs in here stays who was looked up.
    fn is_same_user(&self) -> bool {
        let now = self.transaction.user();
        let same = now.as_deref() == Some(self.user.as_str());
        if !same {
            tracing::error!(
                "PAM has made {} of {}, which is refused",
                now.unwrap_or_default().escape_debug(),
                self.user
            );
        }
        same
    }

    fn take(&self, result: Result<(), PamError>) -> bool {
        match &result {
            Ok(()) => {}
            Err(error) if error.reason() == Reason::Failure => tracing::error!("{}: {error}", self.user),
            Err(error) => tracing::debug!("{}: {error}", self.user),
        }
        result.is_ok()
    }
}

/// A machine may have rules for this server alone; else those for sshd hold, by which name it may have been called.
fn usual_service(as_sshd: bool) -> &'static str {
    let own = RULES.iter().any(|folder| Path::new(folder).join("nacre").exists());
    if own && !as_sshd { "nacre" } else { "sshd" }
}

/// Stands in for an answer that must not work, as long as it (threat A12).
pub(super) fn junk(length: usize) -> Vec<u8> {
    JUNK.iter().copied().cycle().take(length).collect()
}

/// Keeps what is said; whatever is asked breaks off.
fn silent(texts: &mut Vec<u8>, messages: &[Message]) -> Option<Vec<Answer>> {
    note(texts, messages);
    messages.iter().all(|message| !message.is_prompt()).then(Vec::new)
}

/// Keeps what is said.
pub(super) fn note(texts: &mut Vec<u8>, messages: &[Message]) {
    for message in messages.iter().filter(|message| !message.is_prompt() && !message.text.is_empty()) {
        append(texts, &message.text);
    }
}

/// A line more, as long as there is room.
fn append(texts: &mut Vec<u8>, text: &[u8]) {
    if !text.is_empty() && texts.len() + text.len() < MAX_TEXTS {
        texts.extend_from_slice(text);
        if !text.ends_with(b"\n") {
            texts.push(b'\n');
        }
    }
}
