//! Flags that are short forms of configuration words, in the order in which they count.
//!
//! `ssh -p 22 -o Port=23 host` connects to port 22 and the other way round to 23: flags and `-o`
//! lines are one list in which the first value wins, exactly as in the configuration file that is
//! read after them. A few flags (`-t`, `-q`, `-4`, `-A`, ...) overrule the list wherever they
//! stand, and of those the last wins; they are put in front.

use nacre_config::client::{Keyword, option_line};
use nacre_config::kind::Keyword as _;

/// One configuration value given on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// The argument of `-o`: a line of configuration, still to be parsed.
    Line(String),
    /// Another flag, with the keyword it stands for and its one argument, to be taken as it is
    /// (no quotes, no splitting).
    Value {
        /// Where it came from, for messages and `--why`: `-p`, `-l`, `user@`.
        flag: &'static str,
        /// The configuration keyword: `Port`.
        keyword: &'static str,
        /// The keyword's single argument.
        argument: String,
    },
}

/// Settings of the client as lines for `nacre_config::client::Invocation::options`, in the order in
/// which the first value wins.
pub fn client_lines(settings: &[Setting]) -> Vec<String> {
    let line = |setting: &Setting| match setting {
        Setting::Line(line) => line.clone(),
        Setting::Value { keyword, argument, .. } => match Keyword::find(keyword) {
            Some(keyword) => option_line(keyword, argument),
            None => format!("{keyword} {}", quoted(argument)),
        },
    };
    settings.iter().map(line).collect()
}

/// Settings of the server as lines for `nacre_config::server::Invocation::options`.
pub fn server_lines(settings: &[Setting]) -> Vec<String> {
    let line = |setting: &Setting| match setting {
        Setting::Line(line) => line.clone(),
        Setting::Value { keyword, argument, .. } => format!("{keyword} {}", quoted(argument)),
    };
    settings.iter().map(line).collect()
}

/// One word of configuration whatever it holds.
pub(crate) fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Collects settings in command-line order.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    overruling: Vec<Setting>,
    ordinary: Vec<Setting>,
}

impl Settings {
    /// Adds an `-o` line.
    pub(crate) fn line(&mut self, line: &str) {
        self.ordinary.push(Setting::Line(line.to_owned()));
    }

    /// Adds a value that counts only if nothing before it has set the keyword.
    pub(crate) fn value(&mut self, flag: &'static str, keyword: &'static str, argument: impl Into<String>) {
        self.ordinary.push(Setting::Value { flag, keyword, argument: argument.into() });
    }

    /// Adds a value that counts before all ordinary ones and replaces an earlier one of its kind.
    pub(crate) fn overrule(&mut self, flag: &'static str, keyword: &'static str, argument: impl Into<String>) {
        self.overruling.retain(|s| !matches!(s, Setting::Value { keyword: k, .. } if *k == keyword));
        self.overruling.push(Setting::Value { flag, keyword, argument: argument.into() });
    }

    /// The argument that [`Settings::overrule`] last set for `keyword`.
    pub(crate) fn overruled(&self, keyword: &str) -> Option<&str> {
        self.overruling.iter().find_map(|s| match s {
            Setting::Value { keyword: k, argument, .. } if *k == keyword => Some(argument.as_str()),
            _ => None,
        })
    }

    /// All of them, in the order in which the first value wins.
    pub(crate) fn finish(self) -> Vec<Setting> {
        let mut all = self.overruling;
        all.extend(self.ordinary);
        all
    }
}
