//! What the Tab key offers: commands, names there and names here.

use super::help::{COMMANDS, Takes};
use super::local;
use super::remote_side::{Entry, RemoteSide};
use super::session::joined;
use super::words::{self, Line, plain, typed};
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::sync::Arc;

/// The most names of one folder here that are looked at.
const MAX_LOCAL: usize = 20_000;

/// Completion for one session.
pub(super) struct Completion {
    far: Arc<RemoteSide>,
}

/// Which side a word is a name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Far,
    Here,
}

impl Completion {
    /// Completion that looks at this far side.
    pub fn new(far: &Arc<RemoteSide>) -> Self {
        Self { far: Arc::clone(far) }
    }

    /// Where the word under the cursor begins, and what it may become.
    fn offers(&self, line: &str) -> (usize, Vec<Pair>) {
        let line_words = words::take_apart(line.as_bytes());
        let place = line_words.words.len() - usize::from(line_words.in_word);
        let word = if line_words.in_word { line_words.words.last() } else { None };
        let start = word.map_or(line.len(), |word| word.start);
        let text = word.map(|word| word.text.as_slice()).unwrap_or_default();
        if place == 0 {
            return (start, commands(&String::from_utf8_lossy(text)));
        }
        match side(&line_words, place) {
            None => (start, Vec::new()),
            Some(side) => (start, self.names(side, &plain(text), line_words.open_quote)),
        }
    }

    fn names(&self, side: Side, typed_so_far: &[u8], quote: Option<u8>) -> Vec<Pair> {
        let split = typed_so_far.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        let (folder, begun) = typed_so_far.split_at_checked(split).unwrap_or((typed_so_far, b""));
        let Ok(folder_text) = std::str::from_utf8(folder) else { return Vec::new() };
        let entries = match side {
            Side::Far if folder.first() == Some(&b'/') => self.far.names(folder),
            Side::Far => self.far.names(&joined(&self.far.folder(), folder)),
            Side::Here => Arc::new(names_here(&local::with_home(folder))),
        };
        fitting(&entries, folder_text, begun, quote)
    }
}

fn commands(begun: &str) -> Vec<Pair> {
    let begun = begun.trim_start_matches(['-', '@']).to_ascii_lowercase();
    let fits = COMMANDS.iter().filter(|(name, ..)| name.starts_with(&begun));
    fits.map(|(name, ..)| Pair { display: (*name).to_owned(), replacement: format!("{name} ") }).collect()
}

/// Which side the word at `place` of the line is a name of; flags do not count.
fn side(line: &Line, place: usize) -> Option<Side> {
    let command = line.words.first()?;
    let command = String::from_utf8_lossy(&command.text).trim_start_matches(['-', '@']).to_ascii_lowercase();
    if command.starts_with('!') {
        return Some(Side::Here);
    }
    let (name, _, _, takes) = COMMANDS.iter().find(|(name, ..)| *name == command)?;
    let before = line.words.iter().take(place).skip(1).filter(|word| word.text.first() != Some(&b'-')).count();
    let number_first = name.starts_with("ch");
    match (takes, before) {
        (Takes::Remote, 0) if number_first => None,
        (Takes::Remote, _) | (Takes::RemoteLocal, 0) => Some(Side::Far),
        (Takes::Local, _) | (Takes::LocalRemote, 0) | (Takes::RemoteLocal, 1) => Some(Side::Here),
        (Takes::LocalRemote, 1) => Some(Side::Far),
        _ => None,
    }
}

/// Names that can be typed and shown: others need a pattern, and never reach the terminal (threat U2).
fn fitting(entries: &[Entry], folder: &str, begun: &[u8], quote: Option<u8>) -> Vec<Pair> {
    let mut found: Vec<(&str, bool)> = entries
        .iter()
        .filter(|(name, _)| name.starts_with(begun) && (name.first() != Some(&b'.') || begun.first() == Some(&b'.')))
        .filter_map(|(name, is_folder)| Some((std::str::from_utf8(name).ok()?, *is_folder)))
        .filter(|(name, _)| *name == nacre_wire::text::clean_line(name.as_bytes(), name.len()))
        .collect();
    found.sort_unstable();
    let only = found.len() == 1;
    let open = quote.map(|quote| char::from(quote).to_string()).unwrap_or_default();
    found
        .into_iter()
        .map(|(name, is_folder)| {
            let end = match (is_folder, only) {
                (true, _) => "/".to_owned(),
                (false, true) => format!("{open} "),
                (false, false) => String::new(),
            };
            let mark = if is_folder { "/" } else { "" };
            let replacement = format!("{open}{}{end}", typed(&format!("{folder}{name}"), quote));
            Pair { display: format!("{name}{mark}"), replacement }
        })
        .collect()
}

fn names_here(folder: &Path) -> Vec<Entry> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let is_folder = |entry: &std::fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    entries
        .flatten()
        .take(MAX_LOCAL)
        .map(|entry| {
            let folder = is_folder(&entry);
            (entry.file_name().into_vec(), folder)
        })
        .collect()
}

impl Completer for Completion {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        Ok(self.offers(line.get(..pos).unwrap_or(line)))
    }
}

impl Hinter for Completion {
    type Hint = String;
}

impl Highlighter for Completion {}

impl Validator for Completion {}

impl Helper for Completion {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_names_of_the_side_that_the_command_says() {
        for (line, expected) in [
            ("get ", Some(Side::Far)),
            ("get -R ", Some(Side::Far)),
            ("get x ", Some(Side::Here)),
            ("get x y ", None),
            ("PUT ", Some(Side::Here)),
            ("-put x ", Some(Side::Far)),
            ("chmod ", None),
            ("chmod 644 ", Some(Side::Far)),
            ("lcd ", Some(Side::Here)),
            ("rename a ", Some(Side::Far)),
            ("pwd ", None),
            ("!cat ", Some(Side::Here)),
            ("nonsense ", None),
        ] {
            let words = words::take_apart(line.as_bytes());
            assert_eq!(side(&words, words.words.len()), expected, "{line}");
        }
    }

    fn offered(begun: &str, quote: Option<u8>) -> Vec<String> {
        let names: &[(&[u8], bool)] = &[
            (b"a b", false),
            (b"ab", true),
            (b"a*", false),
            (b".h", false),
            (b"z", false),
            (b"e\x1b[2J", false),
            (b"e\xff", false),
        ];
        let entries: Vec<Entry> = names.iter().map(|(name, folder)| (name.to_vec(), *folder)).collect();
        fitting(&entries, "d/", begun.as_bytes(), quote).into_iter().map(|pair| pair.replacement).collect()
    }

    #[test]
    fn u02_what_is_offered_can_be_typed_and_shown() {
        assert_eq!(offered("a", None), ["d/a\\ b", "d/a\\*", "d/ab/"]);
        assert_eq!(offered("z", None), ["d/z "]);
        assert_eq!(offered("z", Some(b'"')), ["\"d/z\" "]);
        assert_eq!(offered("ab", Some(b'\'')), ["'d/ab/"]);
        assert_eq!(offered(".", None), ["d/.h "]);
        assert_eq!(offered("e", None), [""; 0]);
        assert_eq!(offered("", None).len(), 4);
    }

    #[test]
    fn commands_are_offered_by_their_beginning() {
        let names = |begun| commands(begun).into_iter().map(|pair| pair.display).collect::<Vec<_>>();
        assert_eq!(names("re"), ["reget", "rename", "reput"]);
        assert_eq!(names("-RMD"), ["rmdir"]);
        assert_eq!(names("x"), [""; 0]);
    }
}
