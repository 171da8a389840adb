//! What could follow what is typed.

use super::table::{Argument, TABLE, find};
use crate::text::fold;

/// What the text before the cursor may become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// Where the word that is completed begins, in bytes of what was typed.
    pub from: usize,
    /// What may stand there instead, sorted; each ends with what should follow (a space mostly).
    pub words: Vec<String>,
}

/// The names that can be completed.
pub trait Names {
    /// Nicks of who is there, those nearest to the session first or sorted.
    fn nicks(&self) -> Vec<String>;
    /// Rooms, with `#`.
    fn rooms(&self) -> Vec<String>;
}

/// Completions kept.
const MOST: usize = 50;

/// Completes the word that ends where `before` ends: commands after `/`, rooms after `#`, nicks,
/// and what the command's table says. A nick at the beginning is followed by `: `.
pub fn complete(before: &str, names: &dyn Names) -> Completion {
    let from = before
        .rfind(char::is_whitespace)
        .map_or(0, |at| at + before.get(at..).and_then(|s| s.chars().next()).map_or(1, char::len_utf8));
    let word = before.get(from..).unwrap_or_default();
    if from == 0
        && let Some(typed) = word.strip_prefix('/')
    {
        return Completion { from, words: commands(typed, "/") };
    }
    let argument = argument_at(before.get(..from).unwrap_or_default());
    let follow = if from == 0 { ": " } else { " " };
    let words = match argument {
        Some(Argument::Command) => commands(word.trim_start_matches('/'), ""),
        Some(Argument::Word(words)) => matching(word, words.iter().map(|w| (*w).to_owned()), " "),
        Some(Argument::Room) if !word.starts_with('#') => matching(&format!("#{word}"), names.rooms().into_iter(), " "),
        _ if word.starts_with('#') => matching(word, names.rooms().into_iter(), " "),
        Some(Argument::Nick) => matching(word, names.nicks().into_iter(), " "),
        _ if word.is_empty() => Vec::new(),
        _ => match word.strip_prefix('@') {
            Some(nick) => matching(nick, names.nicks().into_iter(), " ").into_iter().map(|w| format!("@{w}")).collect(),
            None => matching(word, names.nicks().into_iter(), follow),
        },
    };
    Completion { from, words }
}

/// What the table says of the argument that begins after `before`.
fn argument_at(before: &str) -> Option<Argument> {
    let mut words = before.strip_prefix('/')?.split_whitespace();
    let entry = find(words.next()?)?;
    entry.arguments.get(words.count()).copied()
}

fn commands(typed: &str, sign: &str) -> Vec<String> {
    let words = TABLE.iter().flat_map(|entry| {
        let also = entry.also.iter().filter(move |_| !typed.is_empty());
        also.copied().chain([entry.word]).map(|word| format!("{sign}{word}"))
    });
    matching(&format!("{sign}{typed}"), words, " ")
}

fn matching(word: &str, names: impl Iterator<Item = String>, follow: &str) -> Vec<String> {
    let start = fold(word);
    let mut words: Vec<String> =
        names.filter(|name| fold(name).starts_with(&start)).map(|name| name + follow).collect();
    words.sort_by_key(|name| fold(name));
    words.truncate(MOST);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Some3;

    impl Names for Some3 {
        fn nicks(&self) -> Vec<String> {
            ["Bob", "Alice", "alina"].map(String::from).to_vec()
        }

        fn rooms(&self) -> Vec<String> {
            ["#rust", "#lobby"].map(String::from).to_vec()
        }
    }

    fn of(before: &str) -> (usize, Vec<String>) {
        let completion = complete(before, &Some3);
        (completion.from, completion.words)
    }

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn commands_nicks_and_rooms_complete() {
        assert_eq!(of("/li"), (0, words(&["/list "])));
        assert_eq!(of("/ms"), (0, words(&["/msg "])));
        assert_eq!(of("/pm al"), (4, words(&["Alice ", "alina "])));
        assert_eq!(of("/pm Bob al"), (8, words(&["Alice ", "alina "])));
        assert_eq!(of("/join "), (6, words(&["#lobby ", "#rust "])));
        assert_eq!(of("/join ru"), (6, words(&["#rust "])));
        assert_eq!(of("b"), (0, words(&["Bob: "])));
        assert_eq!(of("hey b"), (4, words(&["Bob "])));
        assert_eq!(of("hey @b"), (4, words(&["@Bob "])));
        assert_eq!(of("see #l"), (4, words(&["#lobby "])));
        assert_eq!(of("/help hi"), (6, words(&["history "])));
        assert_eq!(of("/bell o"), (6, words(&["off ", "on "])));
        assert_eq!(of("hey "), (4, words(&[])));
        assert_eq!(of(""), (0, words(&[])));
    }
}
