//! `nacre passwd`: passwords and one-time codes of a server in user mode.

pub mod enrol;
pub mod name;
pub mod record;
pub mod store;

use crate::cli::passwd::{PasswdAction, PasswdArgs, TotpChange};
use crate::failure::Failure;
use crate::{output, prompt, state};
use std::path::Path;
use store::{Store, StoreError};
use zeroize::Zeroizing;

/// The file's name in the state folder.
pub const FILE: &str = "passwd";

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(format!("passwd: {error}"))
    }
}

/// Opens the password file in a state folder.
///
/// # Errors
/// The file is there but cannot be used.
pub fn open_in(folder: &Path) -> Result<Store, StoreError> {
    Store::open(folder.join(FILE))
}

/// Runs the subcommand.
///
/// # Errors
/// The name or password is refused, or the file cannot be used.
pub fn run(args: &PasswdArgs) -> Result<(), Failure> {
    let folder = state::directory(args.state.as_deref())?;
    match &args.action {
        PasswdAction::List => list(&open_in(&folder)?),
        PasswdAction::Remove(name) => remove(&mut open_in(&folder)?, name),
        PasswdAction::Set { name, stdin, no_password, expire, totp } => {
            name::check(name).map_err(|error| Failure::new(format!("passwd: {error}")))?;
            state::prepare(&folder)?;
            let mut store = open_in(&folder)?;
            let known = store.lookup(name)?.is_some();
            // Expiring the password of a known name leaves the rest alone unless more is asked for.
            if !(*expire && known && !*stdin && *totp == TotpChange::Keep) {
                set(&mut store, name, *stdin, *no_password, *totp)?;
            }
            if *expire { expire_password(&mut store, name) } else { Ok(()) }
        }
    }
}

fn list(store: &Store) -> Result<(), Failure> {
    let mut text = String::new();
    for record in store.records()? {
        let password = record.password.as_ref().map_or("no password", |_| "password");
        let change = if record.must_change { " to be changed at the next login" } else { "" };
        let code = record.totp.as_ref().map_or("", |_| ", one-time code");
        text.push_str(&format!("{}: {password}{change}{code}\n", record.name));
    }
    output::print(&text)
}

fn remove(store: &mut Store, name: &str) -> Result<(), Failure> {
    if store.lookup(name)?.is_some() && store.remove(name)? {
        return output::print(&format!("{name} is removed\n"));
    }
    Err(Failure::new(format!("passwd: {} does not hold that name", store.path().display()))
        .hint("`nacre passwd --list` shows the names"))
}

fn set(store: &mut Store, name: &str, stdin: bool, no_password: bool, totp: TotpChange) -> Result<(), Failure> {
    let known = store.lookup(name)?.is_some();
    if totp == TotpChange::Drop && !known {
        return Err(Failure::new(format!("passwd: {} does not hold that name", store.path().display())));
    }
    // Changing the code of a known name leaves its password alone unless one is asked for.
    let asks = !no_password && (stdin || !known || totp == TotpChange::Keep);
    let password = if asks { Some(new_password(name, stdin)?) } else { None };
    match totp {
        TotpChange::Keep => {}
        TotpChange::Drop => store.set_totp(name, None, None)?,
        // Before the password: should the second step fail, nobody gets in without the code.
        TotpChange::Enrol => {
            let enrolment = enrol::enrol(name)?;
            store.set_totp(name, Some(enrolment.secret), enrolment.used_step)?;
        }
    }
    if let Some(password) = &password {
        store.set_password(name, Some(password))?;
    } else if no_password {
        store.set_password(name, None)?;
    }
    output::print(&format!("{}\n", done(name, password.is_some(), no_password, totp)))
}

fn expire_password(store: &mut Store, name: &str) -> Result<(), Failure> {
    if store.expire(name)? {
        return output::print(&format!("{name}: the password must be changed at the next login\n"));
    }
    Err(Failure::new(format!("passwd: {name} has no password that could be changed")))
}

fn done(name: &str, password: bool, no_password: bool, totp: TotpChange) -> String {
    let mut parts = Vec::new();
    if password {
        parts.push("the password is set");
    }
    if no_password {
        parts.push("it has no password");
    }
    match totp {
        TotpChange::Keep => {}
        TotpChange::Enrol => parts.push("a one-time code is needed from now on"),
        TotpChange::Drop => parts.push("no one-time code is needed any more"),
    }
    format!("{name}: {}", parts.join(", "))
}

fn new_password(name: &str, stdin: bool) -> Result<Zeroizing<String>, Failure> {
    let first = if stdin { prompt::stdin_line()? } else { prompt::hidden(&format!("Password for {name}: "))? };
    let Some(first) = first else { return Err(Failure::new("passwd: no password was given")) };
    if !(1..=store::MAX_PASSWORD).contains(&first.len()) {
        return Err(StoreError::PasswordLength.into());
    }
    if !stdin && prompt::hidden("The same again: ")?.as_ref() != Some(&first) {
        return Err(Failure::new("passwd: the two are not the same; nothing was changed"));
    }
    match std::str::from_utf8(&first) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(Failure::new("passwd: the password is not UTF-8")),
    }
}
