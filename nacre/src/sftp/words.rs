//! A line of sftp taken apart into words, as OpenSSH's sftp does it.
//!
//! Words that may hold wildcards come out as patterns: `?`, `*`, `[` and `\` that were quoted have a backslash before them, so
//! that a quoted star is a star in a name. [`plain`] makes a name of a word for those commands that know no wildcards.

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unterminated;

/// One word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Word {
    /// The pattern.
    pub text: Vec<u8>,
    /// Where the word begins in the line, its opening quote included.
    pub start: usize,
}

/// The words of a line, and how it ended: for completion, which works on lines that are not done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// The words.
    pub words: Vec<Word>,
    /// The quote that is still open at the end.
    pub open_quote: Option<u8>,
    /// The line ends inside of its last word.
    pub in_word: bool,
}

/// The bytes that a backslash before them robs of their meaning as wildcards, and the backslash itself.
const SPECIAL: &[u8] = b"?*[\\";

/// Takes a whole line apart.
///
/// # Errors
/// A quote is not closed.
pub fn split(line: &[u8]) -> Result<Vec<Vec<u8>>, Unterminated> {
    let line = take_apart(line);
    match line.open_quote {
        Some(_) => Err(Unterminated),
        None => Ok(line.words.into_iter().map(|word| word.text).collect()),
    }
}

/// Takes a line apart that may not be done yet.
pub fn take_apart(line: &[u8]) -> Line {
    let (mut words, mut open) = (Vec::new(), None::<Word>);
    let mut open_quote = None;
    let mut bytes = line.iter().copied().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        if open_quote.is_none() {
            match byte {
                b'#' => {
                    words.extend(open);
                    return Line { words, open_quote, in_word: false };
                }
                byte if byte.is_ascii_whitespace() => {
                    words.extend(open.take());
                    continue;
                }
                _ => {}
            }
        }
        let word = &mut open.get_or_insert_with(|| Word { text: Vec::new(), start: at }).text;
        let next = bytes.peek().map(|(_, byte)| *byte);
        match (open_quote, byte, next) {
            (_, b'\\', None) => {}
            (quote, b'\\', Some(next)) => {
                word.extend_from_slice(&escaped(quote, next));
                bytes.next();
            }
            (None, b'"' | b'\'', _) => open_quote = Some(byte),
            (Some(quote), byte, _) if byte == quote => open_quote = None,
            (Some(_), b'?' | b'*' | b'[', _) => word.extend([b'\\', byte]),
            _ => word.push(byte),
        }
    }
    let in_word = open.is_some();
    words.extend(open);
    Line { words, open_quote, in_word }
}

/// What a backslash and the byte behind it stand for.
fn escaped(quote: Option<u8>, next: u8) -> Vec<u8> {
    match quote {
        Some(quote) if next == quote => vec![next],
        // A backslash is itself within quotes, and so is the wildcard behind it.
        Some(_) if matches!(next, b'?' | b'*' | b'[') => vec![b'\\', b'\\', b'\\', next],
        Some(_) => vec![b'\\', next],
        None if SPECIAL.contains(&next) => vec![b'\\', next],
        None => vec![next],
    }
}

/// The name that a word stands for where wildcards mean nothing.
pub fn plain(word: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len());
    let mut bytes = word.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match bytes.peek() {
            Some(next) if byte == b'\\' && SPECIAL.contains(next) => out.extend(bytes.next()),
            _ => out.push(byte),
        }
    }
    out
}

/// A name as a pattern that matches it alone.
pub fn as_pattern(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    for byte in name {
        if SPECIAL.contains(byte) {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out
}

/// A name as a person would type it: within the quote that is open, or with backslashes.
pub fn typed(name: &str, quote: Option<u8>) -> String {
    let needs = |c: char| match quote {
        Some(quote) => c == '\\' || c == char::from(quote),
        None => c.is_ascii_whitespace() || "?*[\\\"'#".contains(c),
    };
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if needs(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn read(line: &str) -> Vec<String> {
        split(line.as_bytes()).unwrap().into_iter().map(|word| String::from_utf8(word).unwrap()).collect()
    }

    #[test]
    fn words_are_divided_as_openssh_divides_them() {
        for (line, words) in [
            ("", &[][..]),
            ("  ls  ", &["ls"]),
            ("get a b", &["get", "a", "b"]),
            ("get \"a b\" 'c d'", &["get", "a b", "c d"]),
            ("get a\\ b", &["get", "a b"]),
            ("get a\"b c\"d", &["get", "ab cd"]),
            ("get '*' \\* *", &["get", "\\*", "\\*", "*"]),
            ("get \"a\\\"b\" 'it\\'s'", &["get", "a\"b", "it's"]),
            ("get \"\\*\"", &["get", "\\\\\\*"]),
            ("get \"a\\\\b\" a\\\\b", &["get", "a\\\\b", "a\\\\b"]),
            ("get \\a\\\"\\#", &["get", "a\"#"]),
            ("ls # all", &["ls"]),
            ("ls a#b", &["ls", "a"]),
            ("ls \"a#b\"", &["ls", "a#b"]),
            ("cd \"\"", &["cd", ""]),
            ("\t\r\n", &[]),
            ("a\\", &["a"]),
        ] {
            assert_eq!(read(line), words, "{line}");
        }
        assert_eq!(split(b"get \"a"), Err(Unterminated));
        assert_eq!(split(b"get a'"), Err(Unterminated));
        assert_eq!(split(b"get \"a\\"), Err(Unterminated));
    }

    #[test]
    fn what_is_typed_for_a_name_reads_as_that_name() {
        for name in ["a", "a b", "*", "[x]", "a\\b", "\"", "'", "#", "it's \"so\"", "-x", "\\\\", "tab\there", "ü"] {
            let bare = split(format!("x {}", typed(name, None)).as_bytes()).unwrap();
            assert_eq!(plain(&bare[1]), name.as_bytes(), "{name}");
            for quote in ['"', '\''] {
                let line = format!("x {quote}{}{quote}", typed(name, Some(quote as u8)));
                assert_eq!(plain(&split(line.as_bytes()).unwrap()[1]), name.as_bytes(), "{line}");
            }
            assert_eq!(plain(&as_pattern(name.as_bytes())), name.as_bytes());
        }
    }

    #[test]
    fn a_line_that_is_not_done_says_how_it_ends() {
        let line = take_apart(b"get \"a b");
        assert_eq!((line.open_quote, line.in_word, line.words.len()), (Some(b'"'), true, 2));
        assert_eq!(line.words[1], Word { text: b"a b".to_vec(), start: 4 });
        let line = take_apart(b"get a ");
        assert!(!line.in_word && line.words.len() == 2);
        assert!(take_apart(b"get a\\ ").in_word);
    }
}
