//! Pluggable authentication modules with the machine's own libpam (pam(3)), which is loaded at run time: nothing of it is
//! needed, or touched, unless it is asked for.
//!
//! A [`Transaction`] belongs to one login and ends with it: whatever session and credentials it opened are closed when it
//! is dropped. Modules change the process they run in (limits, umask, keyring, audit session, control group): make the
//! calls in a process that belongs to that login alone, has one thread, and starts what is to inherit them.

mod conversation;
mod error;
mod ffi;
mod transaction;

use std::io;
use std::sync::Arc;

pub use conversation::{Answer, Conversation, Message, Style};
pub use error::{PamError, Reason};
pub use transaction::{Transaction, Who};

use crate::error::{causes, refused};

/// The one name that libpam's interface has had.
const LIBRARY: &str = "libpam.so.0";

/// The machine's libpam.
#[derive(Clone)]
pub struct Pam(Arc<ffi::Functions>);

impl std::fmt::Debug for Pam {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pam(libpam.so.0)")
    }
}

impl Pam {
    /// Loads it.
    ///
    /// # Errors
    /// `NotFound`, saying what to install, when the library or one of its functions is missing.
    pub fn load() -> io::Result<Self> {
        let functions = ffi::Functions::load(LIBRARY).map_err(|error| {
            let why = format!("{}; install it (libpam0g, pam or linux-pam) or write `UsePAM no`", causes(&error));
            refused(io::ErrorKind::NotFound, "load the system's PAM library", why)
        })?;
        Ok(Self(Arc::new(functions)))
    }

    /// Begins a transaction (pam_start(3)).
    ///
    /// # Errors
    /// A NUL in any of the names, or libpam is out of memory or cannot read its configuration.
    pub fn begin(&self, who: &Who<'_>) -> io::Result<Transaction> {
        Transaction::begin(self.0.clone(), who)
    }
}
