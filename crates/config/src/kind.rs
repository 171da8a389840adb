//! What a keyword takes, as data: one row per keyword says how its value is read, what it is by default, and whether
//! Nacre does what it asks.

use std::fmt;

use crate::algorithms::{AlgorithmSets, Class};
use crate::error::ErrorKind;
use crate::time;
use crate::token::Line;

/// Words a keyword knows: as written (any case), and as printed by `-G` and `-T`.
pub type Words = &'static [(&'static str, &'static str)];

/// Reads a value out of the words after the keyword. The error says what would be allowed.
pub type Custom = fn(&[String]) -> Result<Value, &'static str>;

/// How a keyword's value is read.
#[derive(Clone, Copy)]
pub enum Kind {
    /// One of the words.
    Word(Words),
    /// One of the words, or any one argument.
    WordOrText(Words),
    /// A whole number within bounds.
    Number(i64, i64),
    /// A span of time (`1h30m`).
    Seconds,
    /// A span of time or `none`.
    SecondsOrNone,
    /// One argument, kept as written.
    Text,
    /// The rest of the line as written: a command.
    Rest,
    /// One or more arguments.
    List,
    /// An algorithm list with `+`, `-`, `^` and wildcards.
    Algorithms(Class),
    /// Anything else, with its own reader.
    Custom(Custom),
}

/// What happens when a keyword stands more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// The first value wins.
    First,
    /// All values count, in order.
    Append,
}

/// Whether Nacre does what a keyword asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Applied,
    /// Not yet.
    NotYet {
        /// Skipping it could let in more than was asked for, or do something else than was asked for: the start stops.
        widens: bool,
        /// What skipping it means, in words that follow "not done yet, and".
        because: &'static str,
    },
    /// There is nothing to do, now or later.
    Ignored,
}

/// One keyword.
pub struct Row {
    /// How the value is read.
    pub kind: Kind,
    /// Other names for it, in lower case.
    pub aliases: &'static [&'static str],
    /// The value when nothing sets it, as printed; empty when there is none.
    pub default: &'static str,
    /// Whether it is done.
    pub status: Status,
    /// For `NotYet`: printed values that ask for nothing.
    pub quiet: &'static [&'static str],
    /// What happens when it is repeated.
    pub repeat: Repeat,
    /// May stand below `Match` (`sshd_config`; always true for `ssh_config`).
    pub in_match: bool,
}

impl Row {
    /// An applied keyword without a default.
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind,
            aliases: &[],
            default: "",
            status: Status::Applied,
            quiet: &[],
            repeat: Repeat::First,
            in_match: false,
        }
    }

    /// With a value for when nothing sets it.
    pub const fn default(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }

    /// With other names.
    pub const fn alias(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// Every line counts.
    pub const fn append(mut self) -> Self {
        self.repeat = Repeat::Append;
        self
    }

    /// May stand below `Match`.
    pub const fn in_match(mut self) -> Self {
        self.in_match = true;
        self
    }

    /// Not done yet, harmless to skip: one warning unless the value is among `quiet`.
    pub const fn warn(mut self, quiet: &'static [&'static str], because: &'static str) -> Self {
        self.status = Status::NotYet { widens: false, because };
        self.quiet = quiet;
        self
    }

    /// Not done yet, wrong to skip: an error unless the value is among `quiet`.
    pub const fn stop(mut self, quiet: &'static [&'static str], because: &'static str) -> Self {
        self.status = Status::NotYet { widens: true, because };
        self.quiet = quiet;
        self
    }

    /// Nothing to do.
    pub const fn ignored(mut self) -> Self {
        self.status = Status::Ignored;
        self
    }
}

/// A set of keywords: `ssh_config`'s or `sshd_config`'s.
pub trait Keyword: Copy + Ord + fmt::Debug + 'static {
    /// Every keyword.
    const ALL: &'static [Self];
    /// Its row.
    fn row(self) -> &'static Row;
    /// Its name in the manual's spelling.
    fn name(self) -> &'static str;

    /// The keyword with this name or alias, in any case.
    fn find(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|k| {
            k.name().eq_ignore_ascii_case(word) || k.row().aliases.iter().any(|a| a.eq_ignore_ascii_case(word))
        })
    }

    /// The known keyword that looks most like an unknown one.
    fn nearest(word: &str) -> Option<&'static str> {
        crate::nearest::nearest(word, Self::ALL.iter().map(|k| k.name()))
    }
}

/// Makes an enum of keywords with a row each.
macro_rules! keywords {
    ($(#[$meta:meta])* $name:ident { $($id:ident = $row:expr),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $(#[doc = concat!("`", stringify!($id), "`.")] $id),* }

        impl $crate::kind::Keyword for $name {
            const ALL: &'static [Self] = &[$(Self::$id),*];

            fn row(self) -> &'static $crate::kind::Row {
                match self { $(Self::$id => { static ROW: $crate::kind::Row = $row; &ROW })* }
            }

            fn name(self) -> &'static str {
                match self { $(Self::$id => stringify!($id)),* }
            }
        }
    };
}
pub(crate) use keywords;

/// A value that was read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// One of the keyword's words, in its printed form.
    Word(&'static str),
    /// A number or a number of seconds.
    Number(i64),
    /// A text as written.
    Text(String),
    /// Several words.
    List(Vec<String>),
    /// A text that prints differently from how it is kept.
    Shown {
        /// The text to work with.
        text: String,
        /// The text to print.
        shown: String,
    },
}

impl Value {
    /// The text to work with.
    pub fn text(&self) -> String {
        match self {
            Self::Shown { text, .. } => text.clone(),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => f.write_str(word),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
            Self::List(list) => f.write_str(&list.join(" ")),
            Self::Shown { shown, .. } => f.write_str(shown),
        }
    }
}

/// Reads the value of a line, by the keyword's row.
///
/// # Errors
/// The value is not allowed or there are too many words.
pub fn read(name: &str, row: &Row, line: &Line, sets: &AlgorithmSets) -> Result<Value, ErrorKind> {
    let keyword = || name.to_owned();
    let bad = |allowed: String| ErrorKind::BadValue { keyword: keyword(), value: line.words.join(" "), allowed };
    match row.kind {
        Kind::Rest => return Ok(Value::Text(line.rest.clone())),
        Kind::List => {
            return match line.words.iter().all(|w| !w.is_empty()) && !line.words.is_empty() {
                true => Ok(Value::List(line.words.clone())),
                false => Err(bad("one or more words, none of them empty".to_owned())),
            };
        }
        Kind::Custom(read) => return read(&line.words).map_err(|allowed| bad(allowed.to_owned())),
        _ => {}
    }
    let (first, more) = line.words.split_first().ok_or_else(|| ErrorKind::MissingArgument { keyword: keyword() })?;
    if let Some(extra) = more.first() {
        return Err(ErrorKind::ExtraArguments { keyword: keyword(), extra: extra.clone() });
    }
    one(row.kind, first, sets).map_err(bad)
}

/// Reads one argument; the error says what would be allowed.
fn one(kind: Kind, text: &str, sets: &AlgorithmSets) -> Result<Value, String> {
    let word = |words: Words| words.iter().find(|(w, _)| w.eq_ignore_ascii_case(text)).map(|(_, p)| Value::Word(p));
    let seconds = || time::span(text).and_then(|s| i64::try_from(s).ok()).map(Value::Number);
    match kind {
        Kind::Word(words) => word(words).ok_or_else(|| choices(words)),
        Kind::WordOrText(words) => match word(words) {
            Some(value) => Ok(value),
            None => plain(text),
        },
        Kind::Number(min, max) => {
            // A plain decimal: a sign or blanks would be read differently elsewhere.
            let plain = text.strip_prefix('-').unwrap_or(text).bytes().all(|b| b.is_ascii_digit());
            let number = if plain { text.parse().ok() } else { None };
            number
                .filter(|n| (min..=max).contains(n))
                .map(Value::Number)
                .ok_or_else(|| format!("a whole number from {min} to {max}"))
        }
        Kind::Seconds => seconds().ok_or_else(|| "a span of time such as 90 or 1h30m".to_owned()),
        Kind::SecondsOrNone if text.eq_ignore_ascii_case("none") => Ok(Value::Word("none")),
        Kind::SecondsOrNone => seconds().ok_or_else(|| "a span of time such as 90 or 1h30m, or none".to_owned()),
        Kind::Algorithms(class) => {
            crate::algorithms::resolve(text, sets.table(class), class).map(|_| Value::Text(text.to_owned()))
        }
        Kind::Text | Kind::Rest | Kind::List | Kind::Custom(_) => plain(text),
    }
}

fn plain(text: &str) -> Result<Value, String> {
    if text.is_empty() { Err("a value that is not empty".to_owned()) } else { Ok(Value::Text(text.to_owned())) }
}

fn choices(words: Words) -> String {
    words.iter().map(|(w, _)| *w).collect::<Vec<_>>().join(", ")
}
