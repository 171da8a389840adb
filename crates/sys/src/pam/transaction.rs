//! One login's dealings with PAM (pam(3)).

use std::ffi::{CStr, CString, OsString, c_char, c_int, c_void};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::Gid;

use super::conversation::{Conversation, Link};
use super::error::PamError;
use super::ffi::{self, Functions, Handle};
use crate::error::{Doing, refused};

/// Who logs in, and from where.
#[derive(Debug, Clone, Copy)]
pub struct Who<'a> {
    /// The service, which names the file of rules.
    pub service: &'a str,
    /// The user's name as it was given.
    pub user: &'a str,
    /// The client's host or address (PAM_RHOST).
    pub host: &'a str,
    /// The terminal's name, or a word in its place (PAM_TTY).
    pub terminal: &'a str,
    /// The user's name over there, where it is known (PAM_RUSER).
    pub remote_user: Option<&'a str>,
}

/// One login's dealings with PAM. Dropping it closes its session, deletes its credentials and ends it.
pub struct Transaction {
    functions: Arc<Functions>,
    handle: NonNull<Handle>,
    /// libpam has its address.
    link: Box<Link>,
    last: c_int,
    has_credentials: bool,
    has_session: bool,
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Transaction(session {}, credentials {})", self.has_session, self.has_credentials)
    }
}

impl Transaction {
    pub(super) fn begin(functions: Arc<Functions>, who: &Who<'_>) -> io::Result<Self> {
        let doing = || format!("begin a PAM transaction for service {}", who.service);
        let text = |text: &str| CString::new(text).doing(doing);
        let (service, user) = (text(who.service)?, text(who.user)?);
        let link = Box::<Link>::default();
        let conversation = link.as_raw();
        let mut handle = ptr::null_mut();
        // SAFETY: strings with their NUL and a pam_conv, which libpam copies, and room for the handle; the link that the
        // pam_conv points to lives as long as the handle.
        let code =
            unsafe { (functions.start)(service.as_ptr(), user.as_ptr(), &raw const conversation, &raw mut handle) };
        let handle = NonNull::new(handle).filter(|_| code == ffi::SUCCESS);
        let Some(handle) = handle else {
            let why = error_text(&functions, ptr::null_mut(), code);
            return Err(refused(io::ErrorKind::Other, doing(), why));
        };
        let mut begun = Self { functions, handle, link, last: code, has_credentials: false, has_session: false };
        begun.set_text(ffi::RHOST, who.host).doing(doing)?;
        begun.set_text(ffi::TTY, who.terminal).doing(doing)?;
        if let Some(remote_user) = who.remote_user {
            begun.set_text(ffi::RUSER, remote_user).doing(doing)?;
        }
        begun.set(ffi::FAIL_DELAY, Link::delay_function()).doing(doing)?;
        Ok(begun)
    }

    fn set_text(&mut self, item: c_int, text: &str) -> io::Result<()> {
        let text = CString::new(text)?;
        self.set(item, text.as_ptr().cast())
    }

    fn set(&mut self, item: c_int, value: *const c_void) -> io::Result<()> {
        // SAFETY: the handle is this transaction's; the value is what pam_set_item(3) wants for the item: a string, which
        // is copied, or the address of a function.
        self.last = unsafe { (self.functions.set_item)(self.handle.as_ptr(), item, value) };
        self.result("pam_set_item").map_err(io::Error::other)
    }

    fn result(&self, call: &'static str) -> Result<(), PamError> {
        if self.last == ffi::SUCCESS {
            return Ok(());
        }
        Err(PamError::new(call, self.last, error_text(&self.functions, self.handle.as_ptr(), self.last)))
    }

    /// Makes one of the calls that take flags and may ask questions.
    fn step(
        &mut self,
        call: &'static str,
        function: impl FnOnce(&Functions) -> ffi::Step,
        flags: c_int,
        talk: &mut Conversation<'_>,
    ) -> Result<(), PamError> {
        let function = function(&self.functions);
        let handle = self.handle.as_ptr();
        // SAFETY: the handle is this transaction's, which is borrowed for this call alone; the conversation is in place
        // until it returns and lets no panic through.
        self.last = self.link.during(talk, || unsafe { function(handle, flags) });
        self.result(call)
    }

    /// Whether the user is who they say (pam_authenticate(3)). An account without a password needs `empty` to get in.
    ///
    /// This does not wait after a failure: [`Transaction::failure_delay`] says how long the modules want it to take.
    ///
    /// # Errors
    /// The modules' refusal, or what went wrong with them.
    pub fn authenticate(&mut self, empty: bool, talk: &mut Conversation<'_>) -> Result<(), PamError> {
        let flags = if empty { 0 } else { ffi::DISALLOW_NULL_AUTHTOK };
        self.step("pam_authenticate", |functions| functions.authenticate, flags, talk)
    }

    /// How long the modules want the last call to have taken if it failed (pam_fail_delay(3)).
    pub fn failure_delay(&self) -> Duration {
        self.link.delay()
    }

    /// Whether the account may be used now and from here (pam_acct_mgmt(3)).
    ///
    /// # Errors
    /// The modules' refusal; [`Reason::PasswordExpired`](super::Reason::PasswordExpired) when only the password must go.
    pub fn check_account(&mut self, talk: &mut Conversation<'_>) -> Result<(), PamError> {
        self.step("pam_acct_mgmt", |functions| functions.account, 0, talk)
    }

    /// Takes a new password in place of one whose time is over (pam_chauthtok(3)).
    ///
    /// # Errors
    /// The modules' refusal.
    pub fn change_expired_password(&mut self, talk: &mut Conversation<'_>) -> Result<(), PamError> {
        self.step("pam_chauthtok", |functions| functions.change_password, ffi::CHANGE_EXPIRED_AUTHTOK, talk)
    }

    /// Gives this process the user's credentials (pam_setcred(3)): tickets, keyrings, groups. `groups` are the user's
    /// supplementary groups; the result is those with what modules added or took. This process keeps its own.
    ///
    /// # Errors
    /// The modules' refusal, or this process may not set its groups.
    pub fn establish_credentials(&mut self, groups: &[u32], talk: &mut Conversation<'_>) -> io::Result<Vec<u32>> {
        let doing = || "take the user's groups for PAM".to_owned();
        let own = rustix::process::getgroups().doing(doing)?;
        let groups: Vec<Gid> = groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
        set_groups(&groups).doing(doing)?;
        let step = self
            .step("pam_setcred", |functions| functions.credentials, ffi::ESTABLISH_CRED, talk)
            .map_err(io::Error::other);
        self.has_credentials |= step.is_ok();
        let found = rustix::process::getgroups().doing(doing);
        set_groups(&own).doing(doing)?;
        step?;
        Ok(found?.into_iter().map(Gid::as_raw).collect())
    }

    /// Opens the session (pam_open_session(3)). This process and what it starts from then on are in it.
    ///
    /// # Errors
    /// The modules' refusal, or the session is open already: there is one.
    pub fn open_session(&mut self, talk: &mut Conversation<'_>) -> Result<(), PamError> {
        if self.has_session {
            return Err(PamError::new("pam_open_session", ffi::SYSTEM_ERR, "the session is open already".to_owned()));
        }
        self.step("pam_open_session", |functions| functions.open_session, 0, talk)?;
        self.has_session = true;
        Ok(())
    }

    /// The session is open.
    pub fn has_session(&self) -> bool {
        self.has_session
    }

    /// The user's name as the modules have it now: they may change it (PAM_USER).
    pub fn user(&self) -> Option<String> {
        let mut value = ptr::null();
        // SAFETY: the handle is this transaction's, and there is room for the pointer.
        let code = unsafe { (self.functions.get_item)(self.handle.as_ptr(), ffi::USER, &raw mut value) };
        if code != ffi::SUCCESS || value.is_null() {
            return None;
        }
        // SAFETY: PAM_USER is a string, alive until it is set anew, which nothing does before it is copied.
        unsafe { CStr::from_ptr(value.cast::<c_char>()) }.to_str().ok().map(str::to_owned)
    }

    /// Puts a variable where modules and programs that they run find it (pam_putenv(3)).
    ///
    /// # Errors
    /// A NUL in name or value, an empty name or one with `=`, or no memory.
    pub fn put_variable(&mut self, name: &str, value: &str) -> io::Result<()> {
        let doing = || format!("give PAM the variable {name}");
        if name.is_empty() || name.contains('=') {
            return Err(refused(io::ErrorKind::InvalidInput, doing(), "that is no name of a variable"));
        }
        let pair = CString::new(format!("{name}={value}")).doing(doing)?;
        // SAFETY: the handle is this transaction's; the string is copied.
        self.last = unsafe { (self.functions.put_env)(self.handle.as_ptr(), pair.as_ptr()) };
        self.result("pam_putenv").map_err(io::Error::other).doing(doing)
    }

    /// The variables that the modules want the user's processes to have (pam_getenvlist(3)).
    pub fn variables(&mut self) -> Vec<(OsString, OsString)> {
        // SAFETY: the handle is this transaction's.
        let list = unsafe { (self.functions.env_list)(self.handle.as_ptr()) };
        let Some(list) = NonNull::new(list) else { return Vec::new() };
        let mut variables = Vec::new();
        let mut place = list.as_ptr();
        loop {
            // SAFETY: the list ends with a null, and `place` has not gone past it.
            let text = unsafe { place.read() };
            if text.is_null() {
                break;
            }
            // SAFETY: not null, so a string of the list.
            let pair = unsafe { CStr::from_ptr(text) }.to_bytes();
            if let Some(at) = pair.iter().position(|byte| *byte == b'=')
                && let (Some(name), Some(value)) = (pair.get(..at), pair.get(at + 1..))
            {
                variables.push((OsString::from_vec(name.to_vec()), OsString::from_vec(value.to_vec())));
            }
            // SAFETY: the string is ours to free, and is not used after.
            unsafe { libc::free(text.cast()) };
            // SAFETY: the place just read was not the end.
            place = unsafe { place.add(1) };
        }
        // SAFETY: the list itself is ours to free, and is not used after.
        unsafe { libc::free(list.as_ptr().cast()) };
        variables
    }

    /// Closes the session and deletes the credentials, whichever there are (pam_close_session(3), pam_setcred(3)).
    /// Dropping does the same where nobody wants to know.
    ///
    /// # Errors
    /// The first that failed; both were tried, and neither is tried again.
    pub fn close(&mut self) -> Result<(), PamError> {
        let mut closed = Ok(());
        if std::mem::take(&mut self.has_session) {
            closed = self.step("pam_close_session", |functions| functions.close_session, ffi::SILENT, &mut |_| None);
        }
        if std::mem::take(&mut self.has_credentials) {
            let deleted = self.step("pam_setcred", |functions| functions.credentials, ffi::DELETE_CRED, &mut |_| None);
            closed = closed.and(deleted);
        }
        closed
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let _ = self.close();
        // SAFETY: the handle is this transaction's and is not used after; the link is dropped after it.
        let _ = unsafe { (self.functions.end)(self.handle.as_ptr(), self.last) };
    }
}

fn set_groups(groups: &[Gid]) -> Result<(), nix::Error> {
    let groups: Vec<_> = groups.iter().map(|gid| nix::unistd::Gid::from_raw(gid.as_raw())).collect();
    nix::unistd::setgroups(&groups)
}

/// What a code means (pam_strerror(3)); libpam's own texts need no handle.
fn error_text(functions: &Functions, handle: *mut Handle, code: c_int) -> String {
    // SAFETY: the handle is alive or null, which Linux-PAM ignores.
    let text = unsafe { (functions.error_text)(handle, code) };
    if text.is_null() {
        return format!("error {code}");
    }
    // SAFETY: not null, so one of libpam's constant strings.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
