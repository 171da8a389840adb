//! What is wrong with a configuration, and where.

use std::fmt;

use crate::origin::Origin;

/// What is wrong with one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorKind {
    /// Nobody knows this keyword.
    UnknownKeyword {
        /// The word as written.
        word: String,
        /// The known keyword that looks most like it.
        nearest: Option<&'static str>,
    },
    /// A keyword with nothing after it.
    MissingArgument {
        /// The keyword.
        keyword: String,
    },
    /// More words than the keyword takes.
    ExtraArguments {
        /// The keyword.
        keyword: String,
        /// The first word too many.
        extra: String,
    },
    /// A value that the keyword does not allow.
    BadValue {
        /// The keyword.
        keyword: String,
        /// The value as written.
        value: String,
        /// What would be allowed, in words.
        allowed: String,
    },
    /// A quote is opened and not closed.
    BadQuotes,
    /// The line holds a NUL byte or is not UTF-8.
    NotText,
    /// The line is longer than any real one.
    TooLong,
    /// A `Match` line that cannot be understood; the text says why.
    BadMatch(String),
    /// The keyword may not stand below `Match`.
    NotInMatch {
        /// The keyword.
        keyword: &'static str,
    },
    /// An included file could not be read.
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// Files include each other more than 16 deep.
    TooDeep,
    /// A %-token or `${NAME}` that cannot be filled in; the text says which.
    BadExpansion {
        /// The keyword.
        keyword: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// No domain of CanonicalDomains has the host, and CanonicalizeFallbackLocal is `no`.
    NoCanonicalName {
        /// The host as typed.
        host: String,
    },
    /// OpenSSH knows this and Nacre does not do it yet; carrying on would not be what was asked for.
    NotDoneYet {
        /// The keyword.
        keyword: &'static str,
        /// The value asked for.
        value: String,
        /// What would go wrong if it were skipped.
        reason: &'static str,
    },
}

/// One thing wrong, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Where.
    pub origin: Origin,
    /// What.
    pub kind: ErrorKind,
}

impl ConfigError {
    /// An error at a place.
    pub fn new(origin: &Origin, kind: ErrorKind) -> Self {
        Self { origin: origin.clone(), kind }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |text: &str| nacre_wire::text::clean_line(text.as_bytes(), 200);
        write!(f, "{}: ", self.origin.place())?;
        match &self.kind {
            ErrorKind::UnknownKeyword { word, nearest } => {
                write!(f, "Bad configuration option: {}", show(word))?;
                nearest.map_or(Ok(()), |near| write!(f, " (did you mean {near}?)"))
            }
            ErrorKind::MissingArgument { keyword } => write!(f, "no argument after keyword \"{}\"", show(keyword)),
            ErrorKind::ExtraArguments { keyword, extra } => {
                write!(f, "keyword {} extra arguments at end of line: \"{}\"", show(keyword), show(extra))
            }
            ErrorKind::BadValue { keyword, value, allowed } => {
                write!(f, "{}: bad value \"{}\": use {allowed}", show(keyword), show(value))
            }
            ErrorKind::BadQuotes => f.write_str("invalid quotes: one is opened and never closed"),
            ErrorKind::NotText => f.write_str("the line is not UTF-8 text or holds a NUL byte"),
            ErrorKind::TooLong => f.write_str("the line is too long"),
            ErrorKind::BadMatch(why) => write!(f, "Match: {}", show(why)),
            ErrorKind::NotInMatch { keyword } => {
                write!(f, "Directive '{keyword}' is not allowed within a Match block: move it above the first Match")
            }
            ErrorKind::Unreadable { path, reason } => write!(f, "cannot read {}: {}", show(path), show(reason)),
            ErrorKind::TooDeep => f.write_str("too many recursive configuration includes"),
            ErrorKind::BadExpansion { keyword, reason } => write!(f, "{keyword}: {}", show(reason)),
            ErrorKind::NoCanonicalName { host } => {
                write!(f, "Could not resolve host \"{}\" in any domain of CanonicalDomains", show(host))
            }
            ErrorKind::NotDoneYet { keyword, value, reason } => {
                write!(f, "{keyword} {}: not done yet, and {reason}; take the line out to go on", show(value))
            }
        }
    }
}

impl std::error::Error for ConfigError {}

/// Everything that is wrong with a configuration, in the order of the lines. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errors(pub Vec<ConfigError>);

impl From<ConfigError> for Errors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in &self.0 {
            writeln!(f, "{error}")?;
        }
        let file = self.0.first().map_or("configuration", |error| error.origin.file());
        write!(f, "{file}: terminating, {} bad configuration options", self.0.len())
    }
}

impl std::error::Error for Errors {}

/// Something worth telling once that does not stop anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Where.
    pub origin: Origin,
    /// What, in words, without the place.
    pub text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin.place(), nacre_wire::text::clean_line(self.text.as_bytes(), 600))
    }
}
