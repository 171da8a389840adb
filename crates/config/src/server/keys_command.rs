//! AuthorizedKeysCommand: the program that tells a user's keys, and its arguments (sshd_config(5)).

use std::net::SocketAddr;

use super::parse::Parsed;
use super::{ConnectionOptions, Keyword};
use crate::error::{ConfigError, ErrorKind};
use crate::expand::{self, Tokens};
use crate::token;

/// What the arguments may tell of a login.
#[derive(Debug, Clone, Copy)]
pub struct KeysQuestion<'a> {
    /// The account's name.
    pub user: &'a str,
    /// Its number.
    pub uid: u32,
    /// Its home folder.
    pub home: &'a str,
    /// The key's type, as in authorized_keys.
    pub key_type: &'a str,
    /// The key in base64.
    pub key: &'a str,
    /// The key's fingerprint.
    pub fingerprint: &'a str,
    /// The client's end.
    pub peer: SocketAddr,
    /// Our end.
    pub local: SocketAddr,
}

impl KeysQuestion<'_> {
    fn tokens(&self) -> Tokens {
        let (peer, local) = (self.peer, self.local);
        let (peer_ip, local_ip) = (peer.ip().to_canonical(), local.ip().to_canonical());
        let connection = format!("{peer_ip} {} {local_ip} {}", peer.port(), local.port());
        Tokens::new()
            .with('C', connection)
            .with('D', "")
            .with('f', self.fingerprint)
            .with('h', self.home)
            .with('k', self.key)
            .with('t', self.key_type)
            .with('U', self.uid.to_string())
            .with('u', self.user)
    }
}

impl ConnectionOptions {
    /// The program and its arguments, tokens filled in after the line was cut into words; `None` when none is
    /// configured. A program without arguments gets the user's name.
    ///
    /// # Errors
    /// The line cannot be read or filled in; the text says why.
    pub fn keys_command(&self, question: &KeysQuestion<'_>) -> Result<Option<Vec<String>>, String> {
        let Some(line) = &self.authorized_keys_command else { return Ok(None) };
        let words = token::words(line, false).map_err(|_| "a quote is never closed".to_owned())?;
        let tokens = question.tokens();
        let mut words = words.iter().map(|word| expand::expand(word, &tokens, None)).collect::<Result<Vec<_>, _>>()?;
        if words.len() == 1 {
            words.push(question.user.to_owned());
        }
        Ok(Some(words))
    }
}

/// Checks every AuthorizedKeysCommand of a configuration: an absolute path, quotes that end, known tokens, and an account to
/// run it as.
pub(super) fn check(parsed: &Parsed) -> Vec<ConfigError> {
    let sections = || std::iter::once(&parsed.global).chain(parsed.blocks.iter().map(|block| &block.settings));
    let somebody = sections().any(|settings| settings.text_or_none(Keyword::AuthorizedKeysCommandUser).is_some());
    let commands = sections().filter_map(|settings| {
        Some((settings.text_or_none(Keyword::AuthorizedKeysCommand)?, settings.origin(Keyword::AuthorizedKeysCommand)))
    });
    commands
        .filter_map(|(line, origin)| {
            let allowed = match unusable(&line) {
                Some(allowed) => allowed,
                None if somebody => return None,
                None => "AuthorizedKeysCommandUser to say which account runs it".to_owned(),
            };
            let kind = ErrorKind::BadValue { keyword: "AuthorizedKeysCommand".to_owned(), value: line, allowed };
            Some(ConfigError::new(&origin, kind))
        })
        .collect()
}

fn unusable(line: &str) -> Option<String> {
    if !line.trim_start_matches('"').starts_with('/') {
        return Some("the absolute path of a program, with its arguments".to_owned());
    }
    let Ok(words) = token::words(line, false) else { return Some("quotes that are closed".to_owned()) };
    let tokens = "CDfhktUu".chars().fold(Tokens::new(), |tokens, letter| tokens.with(letter, ""));
    words.iter().find_map(|word| expand::expand(word, &tokens, None).err()).map(|why| format!("known tokens: {why}"))
}
