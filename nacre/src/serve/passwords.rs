//! Passwords and one-time codes: the password file, and as root the machine's shadow file.

use super::login::Login;
use super::shared::{Mode, Shared};
use crate::passwd;
use crate::passwd::store::TotpOutcome;
use nacre_proto::crypto::SecretBytes;
use nacre_sys::shadow::Shadow;
use std::time::SystemTime;

/// Judges a password. Every call costs one hash, whoever is asked about (threat A12).
pub fn check(shared: &Shared, login: &Login, password: &SecretBytes) -> bool {
    let right = match &shared.mode {
        Mode::User(_) => check_file(shared, login, password),
        Mode::Root => check_machine(shared, login, password),
    };
    right && login.account.is_some() && login.password_may_do()
}

fn check_file(shared: &Shared, login: &Login, password: &SecretBytes) -> bool {
    let text = std::str::from_utf8(password.expose()).unwrap_or_default();
    // A name that cannot be in the file is looked for all the same, so that it costs a hash too.
    let name = login.name.as_deref().unwrap_or_default();
    let result = passwd::open_in(&shared.state).and_then(|store| store.verify(name, text));
    result.unwrap_or_else(|error| {
        tracing::error!("password file: {error}");
        false
    })
}

fn check_machine(shared: &Shared, login: &Login, password: &SecretBytes) -> bool {
    let Some(verifier) = shared.verifier() else { return false };
    let field = login.account.as_ref().and_then(|account| {
        let shadow = Shadow::by_name(&account.name).ok().flatten();
        shadow.map(|entry| entry.hash.to_string()).or_else(|| Some(account.password.clone()))
    });
    match field {
        Some(field) if login.password_may_do() => verifier.check(&field, password.expose()).is_match(),
        other => {
            verifier.deny(other.as_deref(), password.expose());
            false
        }
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
