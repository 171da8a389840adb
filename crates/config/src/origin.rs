//! Where a value came from.

use std::fmt;
use std::sync::Arc;

/// The place that set a value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Origin {
    /// Nothing set it: the built-in value.
    #[default]
    Default,
    /// A flag or `-o` on the command line.
    CommandLine,
    /// A line of a file; lines count from 1.
    File {
        /// The file as it was named.
        file: Arc<str>,
        /// The line's number.
        line: u32,
    },
}

impl Origin {
    /// The place named in OpenSSH's messages: `FILE: line N`.
    pub fn place(&self) -> String {
        match self {
            Self::Default => "default".to_owned(),
            Self::CommandLine => "command-line: line 0".to_owned(),
            Self::File { file, line } => format!("{file}: line {line}"),
        }
    }

    /// The file's name, or what stands for it.
    pub fn file(&self) -> &str {
        match self {
            Self::Default => "default",
            Self::CommandLine => "command-line",
            Self::File { file, .. } => file,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::CommandLine => f.write_str("command line"),
            Self::File { file, line } => write!(f, "{file}:{line}"),
        }
    }
}
