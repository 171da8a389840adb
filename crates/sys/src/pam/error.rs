//! What PAM says when it does not say yes.

use std::ffi::c_int;
use std::fmt;

use super::ffi;

/// What a refusal means to its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The credential is wrong, the user unknown or not allowed, or there were too many attempts.
    Denied,
    /// All is well but for the password, whose time is over (PAM_NEW_AUTHTOK_REQD).
    PasswordExpired,
    /// The account's time is over.
    AccountExpired,
    /// The conversation was broken off.
    Conversation,
    /// Something that has to do with PAM's configuration or the machine.
    Failure,
}

/// A call of libpam that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PamError {
    call: &'static str,
    code: c_int,
    text: String,
}

impl PamError {
    pub(super) fn new(call: &'static str, code: c_int, text: String) -> Self {
        Self { call, code, text }
    }

    /// What it means.
    pub fn reason(&self) -> Reason {
        match self.code {
            ffi::AUTH_ERR | ffi::PERM_DENIED | ffi::CRED_INSUFFICIENT | ffi::USER_UNKNOWN | ffi::MAXTRIES => {
                Reason::Denied
            }
            ffi::NEW_AUTHTOK_REQD => Reason::PasswordExpired,
            ffi::ACCT_EXPIRED => Reason::AccountExpired,
            ffi::CONV_ERR => Reason::Conversation,
            _ => Reason::Failure,
        }
    }
}

impl fmt::Display for PamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.call, self.text)
    }
}

impl std::error::Error for PamError {}
