//! What the lines set, keyword by keyword, each with its origin.

use std::collections::BTreeMap;

use crate::error::{ConfigError, ErrorKind, Warning};
use crate::kind::{Keyword, Repeat, Status, Value};
use crate::origin::Origin;

/// One value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The value.
    pub value: Value,
    /// Where it was set.
    pub origin: Origin,
}

/// The values set so far. The first value of a keyword wins, unless its row says that all count.
#[derive(Debug, Clone)]
pub struct Settings<K>(BTreeMap<K, Vec<Setting>>);

impl<K> Default for Settings<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Keyword> Settings<K> {
    /// Adds a value by the rule of the keyword.
    pub fn add(&mut self, keyword: K, value: Value, origin: &Origin) {
        let all = self.0.entry(keyword).or_default();
        if all.is_empty() || keyword.row().repeat == Repeat::Append {
            all.push(Setting { value, origin: origin.clone() });
        }
    }

    /// Replaces whatever the keyword held (`Match` in `sshd_config` overrides the global section).
    pub fn replace(&mut self, keyword: K, settings: Vec<Setting>) {
        self.0.insert(keyword, settings);
    }

    /// True when a line set the keyword.
    pub fn is_set(&self, keyword: K) -> bool {
        self.0.get(&keyword).is_some_and(|all| !all.is_empty())
    }

    /// All values of a keyword, in order.
    pub fn all(&self, keyword: K) -> &[Setting] {
        self.0.get(&keyword).map_or(&[], Vec::as_slice)
    }

    /// The value that counts.
    pub fn first(&self, keyword: K) -> Option<&Setting> {
        self.all(keyword).first()
    }

    /// Where the value came from.
    pub fn origin(&self, keyword: K) -> Origin {
        self.first(keyword).map(|s| s.origin.clone()).unwrap_or_default()
    }

    /// Every keyword that a line set.
    pub fn iter(&self) -> impl Iterator<Item = (K, &[Setting])> {
        self.0.iter().map(|(k, all)| (*k, all.as_slice()))
    }

    /// The value as printed, or the default.
    pub fn text(&self, keyword: K) -> String {
        self.first(keyword).map_or_else(|| keyword.row().default.to_owned(), |s| s.value.to_string())
    }

    /// The value as printed, or the default; `none` and nothing are `None`.
    pub fn text_or_none(&self, keyword: K) -> Option<String> {
        Some(self.text(keyword)).filter(|t| !t.is_empty() && !t.eq_ignore_ascii_case("none"))
    }

    /// True for `yes` or `true`.
    pub fn flag(&self, keyword: K) -> bool {
        matches!(self.text(keyword).as_str(), "yes" | "true")
    }

    /// The number, or 0 for a word such as `none`.
    pub fn number<N: TryFrom<i64> + Default>(&self, keyword: K) -> N {
        let number = match self.first(keyword).map(|s| &s.value) {
            Some(Value::Number(number)) => Some(*number),
            Some(_) => None,
            None => keyword.row().default.parse().ok(),
        };
        number.and_then(|n| N::try_from(n).ok()).unwrap_or_default()
    }

    /// All words of all its lines.
    pub fn words(&self, keyword: K) -> Vec<String> {
        if !self.is_set(keyword) {
            return keyword.row().default.split_ascii_whitespace().map(str::to_owned).collect();
        }
        let mut out = Vec::new();
        for setting in self.all(keyword) {
            match &setting.value {
                Value::List(list) => out.extend(list.iter().cloned()),
                other => out.push(other.text()),
            }
        }
        out
    }

    /// What is asked for and not done yet: what stops the start, and what is worth a warning.
    pub fn not_done_yet(&self) -> (Vec<ConfigError>, Vec<Warning>) {
        let (mut errors, mut warnings) = (Vec::new(), Vec::new());
        for (keyword, settings) in self.iter() {
            let row = keyword.row();
            let Status::NotYet { widens, because } = row.status else { continue };
            for Setting { value, origin } in settings {
                let text = value.to_string();
                if row.quiet.iter().any(|q| q.eq_ignore_ascii_case(&text)) {
                    continue;
                }
                if widens {
                    let kind = ErrorKind::NotDoneYet { keyword: keyword.name(), value: text, reason: because };
                    errors.push(ConfigError::new(origin, kind));
                } else {
                    let text = format!("{} {text}: not done yet, and {because}", keyword.name());
                    warnings.push(Warning { origin: origin.clone(), text });
                }
            }
        }
        (errors, warnings)
    }
}
