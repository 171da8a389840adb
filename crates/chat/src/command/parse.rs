//! What was typed, read as a command.

use super::nearest::nearest;
use super::{Command, TABLE, find};
use crate::time::parse_duration;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What a typed text is.
pub type Typed = Result<Command, BadCommand>;

/// Why it is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadCommand {
    /// Nothing was typed.
    Empty,
    /// No such word.
    Unknown {
        /// What was typed.
        word: String,
        /// What was probably meant.
        nearest: Option<&'static str>,
    },
    /// The word is known, what follows does not fit.
    Usage {
        /// The word.
        word: &'static str,
        /// What should follow.
        usage: &'static str,
    },
}

impl fmt::Display for BadCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Nothing was typed"),
            Self::Unknown { word, nearest: None } => write!(f, "Unknown command: /{word}"),
            Self::Unknown { word, nearest: Some(near) } => {
                write!(f, "Unknown command: /{word} (did you mean /{near}?)")
            }
            Self::Usage { word, usage } => write!(f, "Usage: /{word} {usage}"),
        }
    }
}

impl std::error::Error for BadCommand {}

/// Reads clean text: a command if it begins with `/`, said otherwise. `//x` says `/x`.
pub fn parse(text: &str) -> Typed {
    if text.trim().is_empty() {
        return Err(BadCommand::Empty);
    }
    let Some(line) = text.strip_prefix('/') else { return Ok(Command::Say(text.into())) };
    if line.starts_with('/') {
        return Ok(Command::Say(line.into()));
    }
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let Some(entry) = find(word) else {
        let nearest = nearest(word, TABLE.iter().flat_map(|entry| entry.also.iter().copied().chain([entry.word])));
        return Err(BadCommand::Unknown { word: word.chars().take(32).collect(), nearest });
    };
    let mut arguments = Arguments { rest: rest.trim_start() };
    (entry.build)(&mut arguments).map_err(|BadUse| BadCommand::Usage { word: entry.word, usage: entry.usage })
}

/// The arguments do not fit the usage.
#[derive(Debug)]
pub struct BadUse;

/// What follows a command's word, taken from the left.
pub struct Arguments<'a> {
    rest: &'a str,
}

impl Arguments<'_> {
    /// The next word, which must be there.
    pub fn word(&mut self) -> Result<Arc<str>, BadUse> {
        self.optional().ok_or(BadUse)
    }

    /// The next word, if there is one.
    pub fn optional(&mut self) -> Option<Arc<str>> {
        if self.rest.is_empty() {
            return None;
        }
        let (word, rest) = self.rest.split_once(char::is_whitespace).unwrap_or((self.rest, ""));
        self.rest = rest.trim_start();
        Some(word.into())
    }

    /// The next word if it begins with `sign`.
    fn beginning(&mut self, sign: char) -> Option<Arc<str>> {
        self.rest.starts_with(sign).then(|| self.optional()).flatten()
    }

    /// The next word if it is a room.
    pub fn room(&mut self) -> Option<Arc<str>> {
        self.beginning('#')
    }

    /// The next word if it names a line, as `^k3x9`.
    pub fn marked(&mut self) -> Option<Arc<str>> {
        let word = self.beginning('^')?;
        word.strip_prefix('^').map(Arc::from)
    }

    /// The next word if it is a duration.
    pub fn duration(&mut self) -> Option<Duration> {
        let word = self.rest.split_whitespace().next()?;
        let time = parse_duration(word)?;
        self.optional();
        Some(time)
    }

    /// The next word as a number, else `otherwise`.
    pub fn count(&mut self, otherwise: u32) -> Result<u32, BadUse> {
        self.optional().map_or(Ok(otherwise), |word| word.parse().map_err(|_| BadUse))
    }

    /// `on` or `off`.
    pub fn on(&mut self) -> Result<bool, BadUse> {
        match &*self.word()? {
            "on" => Ok(true),
            "off" => Ok(false),
            _ => Err(BadUse),
        }
    }

    /// All that is left, which must be something.
    pub fn text(&mut self) -> Result<Arc<str>, BadUse> {
        self.optional_text().ok_or(BadUse)
    }

    /// All that is left, if it is something.
    pub fn optional_text(&mut self) -> Option<Arc<str>> {
        let rest = self.rest();
        (!rest.is_empty()).then_some(rest)
    }

    /// All that is left.
    pub fn rest(&mut self) -> Arc<str> {
        std::mem::take(&mut self.rest).trim_end().into()
    }

    /// All words that are left.
    pub fn words(&mut self) -> Vec<Arc<str>> {
        std::mem::take(&mut self.rest).split_whitespace().map(Arc::from).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::command::{BanOrder, KeyOrder, Past};

    #[test]
    fn the_documents_words() {
        assert_eq!(parse("/pm Bob a secret").unwrap(), Command::Direct { to: "Bob".into(), text: "a secret".into() });
        assert_eq!(parse("/list").unwrap(), Command::List);
        assert_eq!(parse("/quit").unwrap(), Command::Quit("".into()));
    }

    #[test]
    fn text_is_said() {
        assert_eq!(parse("hello /pm").unwrap(), Command::Say("hello /pm".into()));
        assert_eq!(parse("//quit").unwrap(), Command::Say("/quit".into()));
        assert_eq!(parse("a\nb").unwrap(), Command::Say("a\nb".into()));
        assert_eq!(parse("  \n"), Err(BadCommand::Empty));
    }

    #[test]
    fn a_mistyped_word_names_the_nearest() {
        assert_eq!(parse("/lsit").unwrap_err().to_string(), "Unknown command: /lsit (did you mean /list?)");
        assert_eq!(parse("/frobnicate x").unwrap_err().to_string(), "Unknown command: /frobnicate");
        assert_eq!(parse("/pm Bob").unwrap_err().to_string(), "Usage: /pm <user> <message>");
    }

    #[test]
    fn arguments_of_many_kinds() {
        let hour = Duration::from_secs(3600);
        let order = |time, reason: &str| Command::Ban {
            order: BanOrder { target: "bob".into(), time, reason: reason.into(), mute: false },
            everywhere: false,
        };
        assert_eq!(parse("/ban bob 1h too loud").unwrap(), order(Some(hour), "too loud"));
        assert_eq!(parse("/ban bob too loud").unwrap(), order(None, "too loud"));
        assert_eq!(parse("/history 1h").unwrap(), Command::History(Past::For(hour)));
        assert_eq!(parse("/history 50").unwrap(), Command::History(Past::Last(50)));
        assert_eq!(parse("/history before k3x9 7").unwrap(), Command::History(Past::Before("k3x9".into(), 7)));
        assert_eq!(
            parse("/edit ^k3x9 new text").unwrap(),
            Command::Edit { line: Some("k3x9".into()), text: "new text".into() }
        );
        assert_eq!(parse("/edit new text").unwrap(), Command::Edit { line: None, text: "new text".into() });
        assert_eq!(parse("/part bye").unwrap(), Command::Part { room: None, reason: "bye".into() });
        assert_eq!(parse("/part #x bye").unwrap(), Command::Part { room: Some("#x".into()), reason: "bye".into() });
        assert_eq!(parse("/key add SHA256:x").unwrap(), Command::Key(KeyOrder::Add("SHA256:x".into())));
        assert!(parse("/key frob").is_err());
        assert!(parse("/bell loud").is_err());
    }
}
