//! A configuration line cut into its keyword and words, as OpenSSH cuts it (ssh_config(5), sshd_config(5)).

use crate::error::ErrorKind;

/// The longest line read, in bytes. OpenSSH has no bound; nobody writes such a line.
pub const MAX_LINE: usize = 64 * 1024;

/// A line that says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The first word as written.
    pub keyword: String,
    /// What follows it, as written, blanks at both ends taken off: for keywords that take a command.
    pub rest: String,
    /// What follows it, cut into words with quotes and backslashes undone; a word that starts with `#` ends the line.
    pub words: Vec<String>,
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// Cuts one line, given without its line feed. `None` for an empty line or a comment.
///
/// # Errors
/// The line is not text, is too long, has an open quote, or is a keyword alone.
pub fn line(bytes: &[u8]) -> Result<Option<Line>, ErrorKind> {
    let start = bytes.iter().position(|b| !b" \t\r\n".contains(b));
    if start.is_none_or(|at| bytes.get(at) == Some(&b'#')) {
        return Ok(None);
    }
    if bytes.len() > MAX_LINE {
        return Err(ErrorKind::TooLong);
    }
    if bytes.contains(&0) {
        return Err(ErrorKind::NotText);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| ErrorKind::NotText)?;
    let text = text.trim_start_matches(is_blank).trim_end_matches(|c| is_blank(c) || c == '\u{c}');
    let (keyword, rest) = keyword(text)?;
    // OpenSSH takes one blank-and-`=` run as the separator, and more blanks after it.
    let rest = rest.trim_start_matches(is_blank);
    if rest.is_empty() {
        return Err(ErrorKind::MissingArgument { keyword });
    }
    let words = words(rest, true)?;
    Ok(Some(Line { keyword, rest: rest.to_owned(), words }))
}

/// The first word, which ends at a blank, a quote or one `=`; a quoted keyword is allowed, as in OpenSSH.
fn keyword(text: &str) -> Result<(String, &str), ErrorKind> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (word, rest) = quoted.split_once('"').ok_or(ErrorKind::BadQuotes)?;
        return Ok((word.to_owned(), rest));
    }
    let end = text.find(|c| is_blank(c) || c == '"' || c == '=').unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    if rest.starts_with('"') {
        return Ok((word.to_owned(), rest));
    }
    let after = rest.trim_start_matches(is_blank);
    Ok((word.to_owned(), after.strip_prefix('=').unwrap_or(after)))
}

/// Cuts text into words. Single and double quotes group; a backslash takes the meaning from a quote, a backslash
/// and, outside quotes, a blank; any other backslash stays. With `comments` a word that starts with `#` ends it.
///
/// # Errors
/// A quote is opened and never closed.
pub fn words(text: &str, comments: bool) -> Result<Vec<String>, ErrorKind> {
    let mut out = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        match chars.peek() {
            None => return Ok(out),
            Some('#') if comments => return Ok(out),
            Some(_) => out.push(word(&mut chars)?),
        }
    }
}

fn word(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<String, ErrorKind> {
    let mut out = String::new();
    let mut quote = None;
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', _) => match chars.next_if(|n| matches!(n, '\'' | '"' | '\\') || (quote.is_none() && *n == ' ')) {
                Some(escaped) => out.push(escaped),
                None => out.push('\\'),
            },
            (' ' | '\t', None) => return Ok(out),
            ('"' | '\'', None) => quote = Some(c),
            (_, Some(open)) if c == open => quote = None,
            _ => out.push(c),
        }
    }
    if quote.is_some() { Err(ErrorKind::BadQuotes) } else { Ok(out) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn cut(text: &str) -> (String, Vec<String>) {
        let line = line(text.as_bytes()).unwrap().unwrap();
        (line.keyword, line.words)
    }

    #[test]
    fn separators_quotes_comments_and_backslashes() {
        let of = |keyword: &str, words: &[&str]| (keyword.to_owned(), words.iter().map(|w| (*w).to_owned()).collect());
        assert_eq!(cut("Port 22"), of("Port", &["22"]));
        assert_eq!(cut("Port=22"), of("Port", &["22"]));
        assert_eq!(cut("  Port \t = 22 \r"), of("Port", &["22"]));
        assert_eq!(cut("Port = = 22"), of("Port", &["=", "22"]));
        assert_eq!(cut("IdentityFile \"a b\" # why"), of("IdentityFile", &["a b"]));
        assert_eq!(cut("IdentityFile=\"a b\""), of("IdentityFile", &["a b"]));
        assert_eq!(cut("IdentityFile\"a b\""), of("IdentityFile", &["a b"]));
        assert_eq!(cut("Host a#b #c d"), of("Host", &["a#b"]));
        assert_eq!(
            cut("Host a\\ b 'c d' e\\x \"f\\\"g\" h'i j'k"),
            of("Host", &["a b", "c d", "e\\x", "f\"g", "hi jk"])
        );
        assert_eq!(cut("Host '' x"), of("Host", &["", "x"]));
    }

    #[test]
    fn nothing_to_say_and_mistakes() {
        for nothing in ["", "   ", "\t\r", "# x", "  # \u{e9}"] {
            assert_eq!(line(nothing.as_bytes()), Ok(None), "{nothing:?}");
        }
        assert_eq!(line(b"# \xff\xfe"), Ok(None));
        assert_eq!(line(b"Host \"a"), Err(ErrorKind::BadQuotes));
        assert_eq!(line(b"Host 'a"), Err(ErrorKind::BadQuotes));
        assert_eq!(line(b"Host a\0b"), Err(ErrorKind::NotText));
        assert_eq!(line(b"Host \xff"), Err(ErrorKind::NotText));
        assert!(matches!(line(b"Host"), Err(ErrorKind::MissingArgument { .. })));
        assert!(matches!(line(b"Host ="), Err(ErrorKind::MissingArgument { .. })));
        assert_eq!(line(&vec![b'a'; MAX_LINE + 1]), Err(ErrorKind::TooLong));
    }
}
