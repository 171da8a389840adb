//! Passwords and one-time codes: the password file, and as root the machine's shadow file.

use super::login::Login;
use super::shared::{Mode, Shared};
use crate::passwd;
use crate::passwd::store::{ChangeOutcome, TotpOutcome};
use nacre_proto::crypto::SecretBytes;
use nacre_sys::password::Verifier;
use nacre_sys::shadow::{self, Shadow};
use std::time::SystemTime;

/// What somebody reads whose password must be changed.
pub const MUST_CHANGE: &str = "Your password must be changed. Choose one of at least 8 characters.";

/// What came of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// It is wrong.
    Wrong,
    /// It is right.
    Right,
    /// It is right and in the password file, and counts only once it was changed.
    MustChange,
    /// It is right and the machine's, and its time is over: there is one session, to change it.
    Expired,
}

/// Judges a password. Every call costs one hash, whoever is asked about (threat A12).
pub fn check(shared: &Shared, login: &Login, password: &SecretBytes) -> Checked {
    let checked = match &shared.mode {
        Mode::User(_) => check_file(shared, login, password),
        Mode::Root => check_machine(shared, login, password),
    };
    if login.account.is_some() && login.password_may_do() { checked } else { Checked::Wrong }
}

fn check_file(shared: &Shared, login: &Login, password: &SecretBytes) -> Checked {
    let text = std::str::from_utf8(password.expose()).unwrap_or_default();
    // A name that cannot be in the file is looked for all the same, so that it costs a hash too.
    let name = login.name.as_deref().unwrap_or_default();
    let result = passwd::open_in(&shared.state).and_then(|store| {
        let right = store.verify(name, text)?;
        let record = store.lookup(name)?;
        Ok(match (right, record.is_some_and(|record| record.must_change)) {
            (false, _) => Checked::Wrong,
            (true, false) => Checked::Right,
            (true, true) => Checked::MustChange,
        })
    });
    result.unwrap_or_else(|error| {
        tracing::error!("password file: {error}");
        Checked::Wrong
    })
}

/// Puts a new password into the password file in place of the old one.
///
/// # Errors
/// The new one will not do; the text is for its owner.
pub fn change(shared: &Shared, login: &Login, old: &SecretBytes, new: &SecretBytes) -> Result<(), &'static str> {
    let (Some(name), Ok(old)) = (&login.name, std::str::from_utf8(old.expose())) else { return Err(MUST_CHANGE) };
    let Ok(new) = std::str::from_utf8(new.expose()) else { return Err("The new password is not UTF-8.") };
    match passwd::open_in(&shared.state).and_then(|mut store| store.change_password(name, old, new)) {
        Ok(ChangeOutcome::Changed) => {
            tracing::info!("password of {} changed", login.shown);
            Ok(())
        }
        Ok(ChangeOutcome::Wrong) => Err("The old password is not right any more."),
        Ok(ChangeOutcome::TooShort) => Err("The new password is too short: it needs at least 8 characters."),
        Ok(ChangeOutcome::TooLong) => Err("The new password is too long."),
        Ok(ChangeOutcome::Same) => Err("The new password is the old one."),
        Err(error) => {
            tracing::error!("password file: {error}");
            Err("The new password could not be stored.")
        }
    }
}

fn check_machine(shared: &Shared, login: &Login, password: &SecretBytes) -> Checked {
    let Some(verifier) = shared.verifier() else { return Checked::Wrong };
    let (field, expired) = machine_field(login);
    if matches_field(verifier, login, field.as_deref(), password) {
        return if expired { Checked::Expired } else { Checked::Right };
    }
    Checked::Wrong
}

fn matches_field(verifier: &Verifier, login: &Login, field: Option<&str>, password: &SecretBytes) -> bool {
    let empty = password.expose().is_empty();
    match field {
        Some("") if empty => login.password_may_do() && login.options.permit_empty_passwords,
        Some(field) if !empty && login.password_may_do() => verifier.check(field, password.expose()).is_match(),
        other => {
            verifier.deny(other, password.expose());
            false
        }
    }
}

/// The password field of an account of the machine, and whether its time is over.
fn machine_field(login: &Login) -> (Option<String>, bool) {
    let Some(account) = &login.account else { return (None, false) };
    match Shadow::by_name(&account.name) {
        Ok(Some(entry)) => (Some(entry.hash.to_string()), entry.password_expired(shadow::today())),
        Ok(None) => (Some(account.password.clone()), false),
        Err(error) => {
            tracing::error!("{error}");
            (None, false)
        }
    }
}

/// What an account of the machine that has no password logs in to without one (PermitEmptyPasswords); `None` when it
/// does not.
pub fn without_password(shared: &Shared, login: &Login) -> Option<Checked> {
    if !matches!(shared.mode, Mode::Root) || !login.options.permit_empty_passwords || !login.password_may_do() {
        return None;
    }
    match machine_field(login) {
        (Some(field), expired) if field.is_empty() => Some(if expired { Checked::Expired } else { Checked::Right }),
        _ => None,
    }
}

/// Judges a one-time code and spends it.
pub fn check_code(shared: &Shared, login: &Login, code: &SecretBytes) -> bool {
    let (Some(name), Ok(code)) = (&login.name, std::str::from_utf8(code.expose())) else { return false };
    let result =
        passwd::open_in(&shared.state).and_then(|mut store| store.check_totp(name, code.trim(), SystemTime::now()));
    match result {
        Ok(TotpOutcome::Accepted) => true,
        Ok(TotpOutcome::Reused) => {
            tracing::info!("one-time code of {} was used before", login.shown);
            false
        }
        Ok(_) => false,
        Err(error) => {
            tracing::error!("password file: {error}");
            false
        }
    }
}
