//! Passphrases: asked for, compared, and wiped.

use super::failure;
use crate::failure::Failure;
use crate::ssh::ask;
use crate::{output, prompt};
use nacre_crypto::{DEFAULT_ROUNDS, Protection};
use std::io::ErrorKind;
use std::path::Path;
use zeroize::Zeroizing;

/// A passphrase, perhaps empty, which means none.
pub(super) struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// No passphrase.
    pub(super) fn none() -> Self {
        Self(Zeroizing::new(Vec::new()))
    }

    /// The bytes; `None` when there is no passphrase.
    pub(super) fn as_bytes(&self) -> Option<&[u8]> {
        (!self.0.is_empty()).then_some(&self.0)
    }

    /// How a key is to be encrypted under it; `None` when it is not.
    pub(super) fn protection(&self, rounds: Option<u32>) -> Option<Protection<'_>> {
        let rounds = rounds.unwrap_or(DEFAULT_ROUNDS);
        self.as_bytes().map(|passphrase| Protection { passphrase, rounds })
    }
}

/// One from the command line.
pub(super) fn given(text: &str) -> Secret {
    Secret(Zeroizing::new(text.as_bytes().to_vec()))
}

/// The passphrase that opens the key now.
pub(super) fn ask_old(path: &Path) -> Result<Secret, Failure> {
    match hidden(&format!("Enter passphrase for \"{}\": ", path.display()))? {
        Some(secret) => Ok(Secret(secret)),
        None => Err(failure("no passphrase was given").hint("give it with -P")),
    }
}

/// A new passphrase, typed twice until both are the same.
pub(super) fn ask_new(question: &str) -> Result<Secret, Failure> {
    loop {
        let Some(first) = hidden(question)? else {
            return Err(failure("no passphrase was given").hint("give it with -N; -N '' for none"));
        };
        let second = hidden("Enter same passphrase again: ")?;
        match second {
            Some(second) if second == first => return Ok(Secret(first)),
            Some(_) => output::complain("Passphrases do not match.  Try again."),
            None => return Err(failure("the passphrase was not given again")),
        }
    }
}

/// Asks through the program that `SSH_ASKPASS` names where it may, as ssh-keygen does; else on the terminal, else from
/// standard input.
fn hidden(question: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    let named = std::env::var_os("SSH_ASKPASS").is_some_and(|name| !name.is_empty());
    match named.then(|| ask::by_program(question)).flatten() {
        Some(Ok(answer)) => Ok(answer),
        Some(Err(error)) if error.kind() == ErrorKind::Interrupted => Err(Failure::silent(130)),
        Some(Err(error)) => Err(failure(format!("SSH_ASKPASS: {error}"))),
        None => prompt::hidden(question),
    }
}
