//! The chat's keywords, which are Nacre's own.

use super::Keyword;
use super::options::span;
use crate::kind::{Value, Words};
use crate::origin::Origin;
use crate::settings::Settings;
use std::time::Duration;

/// For whom a door is.
pub(super) const OPEN: Words = &[("open", "open"), ("closed", "closed")];

/// How the chat is run.
#[derive(Debug, Clone)]
pub struct ChatOptions {
    /// People without a key may come in, as guests.
    pub guests: bool,
    /// Whoever comes with a key nobody knows gets an account.
    pub registration: bool,
    /// Whoever has an account may make rooms.
    pub rooms: bool,
    /// The room for who names none, with or without `#`; and where that was said.
    pub lobby: (String, Origin),
    /// The file that all who come are shown.
    pub motd: Option<(String, Origin)>,
    /// The file of keys with the nicks that are kept for them.
    pub names: Option<(String, Origin)>,
    /// Who has every right: fingerprints and files of keys.
    pub operators: Vec<(String, Origin)>,
    /// How long lines are kept where a room does not say; `None` for ever.
    pub keep: Option<Duration>,
    /// Where the NATS is that joins this chat with others, as URLs with commas between.
    pub back_plane: Option<(String, Origin)>,
    /// The file that shows NATS who this node is.
    pub back_plane_credentials: Option<(String, Origin)>,
    /// The file of certificates that vouch for NATS.
    pub back_plane_authorities: Option<String>,
    /// What this node is called among the others.
    pub node: Option<(String, Origin)>,
}

impl ChatOptions {
    pub(super) fn of(s: &Settings<Keyword>) -> Self {
        let named = |keyword| s.text_or_none(keyword).map(|value| (value, s.origin(keyword)));
        let operators = s.all(Keyword::ChatOperators).iter().flat_map(|setting| match &setting.value {
            Value::List(words) => words.iter().map(|word| (word.clone(), setting.origin.clone())).collect(),
            _ => Vec::new(),
        });
        Self {
            guests: s.flag(Keyword::ChatGuests),
            registration: s.text(Keyword::ChatRegistration) == "open",
            rooms: s.text(Keyword::ChatRooms) == "open",
            lobby: (s.text(Keyword::ChatLobby), s.origin(Keyword::ChatLobby)),
            motd: named(Keyword::ChatMotd),
            names: named(Keyword::ChatNames),
            operators: operators.collect(),
            keep: Some(span(s, Keyword::ChatKeep)).filter(|keep| !keep.is_zero()),
            back_plane: named(Keyword::ChatBackplane),
            back_plane_credentials: named(Keyword::ChatBackplaneCredentials),
            back_plane_authorities: s.text_or_none(Keyword::ChatBackplaneAuthorities),
            node: named(Keyword::ChatNode),
        }
    }
}

/// `ChatLobby`: what a room is called, checked by whoever knows rooms. After a space `#` begins a comment, so it may be
/// left out.
pub(super) fn read_lobby(words: &[String]) -> Result<Value, &'static str> {
    match words {
        [name] if !name.is_empty() => Ok(Value::Text(name.clone())),
        _ => Err("the name of a room"),
    }
}

/// `ChatOperators`: fingerprints, or absolute paths of files with public keys.
pub(super) fn read_operators(words: &[String]) -> Result<Value, &'static str> {
    let good = |word: &String| is_fingerprint(word) || word.starts_with('/');
    match !words.is_empty() && words.iter().all(good) {
        true => Ok(Value::List(words.to_vec())),
        false => Err("SHA256: and 43 letters, as ssh-keygen -l shows, or absolute paths of files with public keys"),
    }
}

/// `SHA256:` and the 43 digits of base 64 that a hash of 32 bytes has.
fn is_fingerprint(text: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    text.strip_prefix("SHA256:").is_some_and(|digits| digits.len() == 43 && digits.bytes().all(digit))
}
