//! AuthorizedKeysCommand and AuthorizedPrincipalsCommand: the programs that tell a user's keys, or whom his certificate must
//! name, and their arguments (sshd_config(5)).

use std::net::SocketAddr;

use super::parse::Parsed;
use super::{ConnectionOptions, Keyword};
use crate::error::{ConfigError, ErrorKind};
use crate::expand::{self, Tokens};
use crate::kind::Keyword as _;
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
    /// What there is to tell of a certificate.
    pub certificate: Option<CertificateQuestion<'a>>,
}

/// What the arguments may tell of a certificate besides its key.
#[derive(Debug, Clone, Copy)]
pub struct CertificateQuestion<'a> {
    /// The name its CA gave it.
    pub id: &'a str,
    /// Its number.
    pub serial: u64,
    /// The type of its CA's key.
    pub ca_type: &'a str,
    /// That key in base64.
    pub ca_key: &'a str,
    /// That key's fingerprint.
    pub ca_fingerprint: &'a str,
}

impl KeysQuestion<'_> {
    fn tokens(&self) -> Tokens {
        let (peer, local) = (self.peer, self.local);
        let (peer_ip, local_ip) = (peer.ip().to_canonical(), local.ip().to_canonical());
        let connection = format!("{peer_ip} {} {local_ip} {}", peer.port(), local.port());
        let tokens = Tokens::new()
            .with('C', connection)
            .with('D', "")
            .with('f', self.fingerprint)
            .with('h', self.home)
            .with('k', self.key)
            .with('t', self.key_type)
            .with('U', self.uid.to_string())
            .with('u', self.user);
        match &self.certificate {
            None => tokens,
            Some(certificate) => tokens
                .with('F', certificate.ca_fingerprint)
                .with('i', certificate.id)
                .with('K', certificate.ca_key)
                .with('s', certificate.serial.to_string())
                .with('T', certificate.ca_type),
        }
    }

    /// A line's program and arguments, tokens filled in after the line was cut into words.
    fn fill_in(&self, line: &str) -> Result<Vec<String>, String> {
        let words = token::words(line, false).map_err(|_| "a quote is never closed".to_owned())?;
        let tokens = self.tokens();
        words.iter().map(|word| expand::expand(word, &tokens, None)).collect()
    }
}

impl ConnectionOptions {
    /// The program that tells keys, and its arguments; `None` when none is configured. A program without arguments gets the
    /// user's name.
    ///
    /// # Errors
    /// The line cannot be read or filled in; the text says why.
    pub fn keys_command(&self, question: &KeysQuestion<'_>) -> Result<Option<Vec<String>>, String> {
        let Some(line) = &self.authorized_keys_command else { return Ok(None) };
        let mut words = question.fill_in(line)?;
        if words.len() == 1 {
            words.push(question.user.to_owned());
        }
        Ok(Some(words))
    }

    /// The program that tells whom a certificate must name, and its arguments; `None` when none is configured.
    ///
    /// # Errors
    /// As [`Self::keys_command`].
    pub fn principals_command(&self, question: &KeysQuestion<'_>) -> Result<Option<Vec<String>>, String> {
        self.authorized_principals_command.as_ref().map(|line| question.fill_in(line)).transpose()
    }
}

/// A keyword that names a program, the one that names its account, and the tokens of its arguments.
const COMMANDS: [(Keyword, Keyword, &str); 2] = [
    (Keyword::AuthorizedKeysCommand, Keyword::AuthorizedKeysCommandUser, "CDfhktUu"),
    (Keyword::AuthorizedPrincipalsCommand, Keyword::AuthorizedPrincipalsCommandUser, "CDFfhiKkstTUu"),
];

/// Checks every program of a configuration: an absolute path, quotes that end, known tokens, and an account to run it as.
pub(super) fn check(parsed: &Parsed) -> Vec<ConfigError> {
    COMMANDS.iter().flat_map(|(command, user, tokens)| check_all(parsed, *command, *user, tokens)).collect()
}

fn check_all(parsed: &Parsed, command: Keyword, user: Keyword, tokens: &str) -> Vec<ConfigError> {
    let sections = || std::iter::once(&parsed.global).chain(parsed.blocks.iter().map(|block| &block.settings));
    let somebody = sections().any(|settings| settings.text_or_none(user).is_some());
    let commands = sections().filter_map(|settings| Some((settings.text_or_none(command)?, settings.origin(command))));
    commands
        .filter_map(|(line, origin)| {
            let allowed = match unusable(&line, tokens) {
                Some(allowed) => allowed,
                None if somebody => return None,
                None => format!("{} to say which account runs it", user.name()),
            };
            let kind = ErrorKind::BadValue { keyword: command.name().to_owned(), value: line, allowed };
            Some(ConfigError::new(&origin, kind))
        })
        .collect()
}

fn unusable(line: &str, tokens: &str) -> Option<String> {
    if !line.trim_start_matches('"').starts_with('/') {
        return Some("the absolute path of a program, with its arguments".to_owned());
    }
    let Ok(words) = token::words(line, false) else { return Some("quotes that are closed".to_owned()) };
    let tokens = tokens.chars().fold(Tokens::new(), |tokens, letter| tokens.with(letter, ""));
    words.iter().find_map(|word| expand::expand(word, &tokens, None).err()).map(|why| format!("known tokens: {why}"))
}
