//! KnownHostsCommand: a program that tells host keys, and its arguments (ssh_config(5)).

use crate::expand::{self, Tokens};
use crate::token;
use crate::world::World;

/// The command and what its arguments may tell of the connection.
#[derive(Debug, Clone)]
pub struct KnownHostsCommand {
    pub(super) line: String,
    pub(super) tokens: Tokens,
}

/// The key that a host shows.
#[derive(Debug, Clone, Copy)]
pub struct HostKeyFacts<'a> {
    /// Its type.
    pub key_type: &'a str,
    /// Itself in base64.
    pub key: &'a str,
    /// Its fingerprint.
    pub fingerprint: &'a str,
}

impl KnownHostsCommand {
    /// The program and its arguments, tokens and variables filled in after the line was cut into words. `why` is `ORDER` before there is a
    /// key, `HOSTNAME` with one; `host` is the name that is looked for.
    ///
    /// # Errors
    /// The line cannot be read or filled in, or names no absolute path; the text says why.
    pub fn words(
        &self,
        why: &str,
        host: &str,
        shown: Option<HostKeyFacts<'_>>,
        world: &dyn World,
    ) -> Result<Vec<String>, String> {
        let none = HostKeyFacts { key_type: "NONE", key: "NONE", fingerprint: "NONE" };
        let facts = shown.unwrap_or(none);
        let tokens = self
            .tokens
            .clone()
            .with('f', facts.fingerprint)
            .with('H', host)
            .with('I', why)
            .with('K', facts.key)
            .with('t', facts.key_type);
        let words = token::words(&self.line, false).map_err(|_| "a quote is never closed".to_owned())?;
        if !words.first().is_some_and(|program| program.starts_with('/')) {
            return Err("it must begin with the absolute path of a program".to_owned());
        }
        words.iter().map(|word| expand::expand(word, &tokens, Some(world))).collect()
    }
}
