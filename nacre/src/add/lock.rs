//! Locking the agent and unlocking it.

use super::give::hidden;
use super::link::Link;
use crate::failure::Failure;
use crate::output;
use nacre_agent::Request;
use zeroize::Zeroizing;

const QUESTION: &str = "Enter lock password: ";

/// Asks twice for a password and locks.
pub fn lock(link: &mut Link) -> Result<bool, Failure> {
    let password = ask(QUESTION)?;
    if *ask("Again: ")? != *password {
        output::complain("Passwords do not match.");
        return Ok(false);
    }
    Ok(report("", link.order(&Request::Lock(&password))))
}

/// Asks for the password and unlocks.
pub fn unlock(link: &mut Link) -> Result<bool, Failure> {
    let password = ask(QUESTION)?;
    Ok(report("un", link.order(&Request::Unlock(&password))))
}

fn ask(question: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    Ok(hidden(question)?.unwrap_or_default())
}

fn report(un: &str, done: Result<(), String>) -> bool {
    match &done {
        Ok(()) => output::complain(&format!("Agent {un}locked.")),
        Err(why) => output::complain(&format!("Failed to {un}lock agent: {why}")),
    }
    done.is_ok()
}
