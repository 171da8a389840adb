//! Which names a password file may hold (threat A15).

/// The longest name, in bytes (promise P8).
pub const MAX_NAME: usize = 255;

/// What is wrong with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameError {
    /// It has no characters.
    Empty,
    /// It is longer than [`MAX_NAME`].
    TooLong,
    /// It begins with a dash and would be taken for an option.
    Dash,
    /// It begins with `#`, as comments in the file do.
    Comment,
    /// It holds `/` or `..` and could lead to another file.
    Path,
    /// It holds `:`, which parts the fields of the file.
    Colon,
    /// It holds a blank, a control character, or one that changes the direction of text.
    Character,
}

impl std::fmt::Display for NameError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Empty => "the name is empty",
            Self::TooLong => "the name is longer than 255 bytes",
            Self::Dash => "the name begins with a dash",
            Self::Comment => "the name begins with '#'",
            Self::Path => "the name holds '/' or '..'",
            Self::Colon => "the name holds ':'",
            Self::Character => "the name holds a blank or a control character",
        })
    }
}

impl std::error::Error for NameError {}

/// Checks a name.
///
/// # Errors
/// Says what is wrong with it.
pub fn check(name: &str) -> Result<(), NameError> {
    let unfit = |c: char| c.is_whitespace() || c.is_control();
    match name {
        "" => Err(NameError::Empty),
        n if n.len() > MAX_NAME => Err(NameError::TooLong),
        n if n.starts_with('-') => Err(NameError::Dash),
        n if n.starts_with('#') => Err(NameError::Comment),
        n if n == "." || n.contains('/') || n.contains("..") => Err(NameError::Path),
        n if n.contains(':') => Err(NameError::Colon),
        // `clean` also refuses what is no control character but turns text around.
        n if n.contains(unfit) || nacre_wire::text::clean(n.as_bytes(), MAX_NAME) != n => Err(NameError::Character),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a15_names_that_could_be_something_else_are_refused() {
        for (name, problem) in [
            ("", NameError::Empty),
            ("-2", NameError::Dash),
            ("-froot", NameError::Dash),
            ("#x", NameError::Comment),
            ("../x", NameError::Path),
            ("..", NameError::Path),
            (".", NameError::Path),
            ("a/b", NameError::Path),
            ("a..b", NameError::Path),
            ("a:b", NameError::Colon),
            ("a\nb", NameError::Character),
            ("a\0b", NameError::Character),
            ("a b", NameError::Character),
            ("a\u{9b}b", NameError::Character),
            ("a\u{202e}b", NameError::Character),
        ] {
            assert_eq!(check(name), Err(problem), "{name:?}");
        }
        assert_eq!(check(&"x".repeat(255)), Ok(()));
        assert_eq!(check(&"x".repeat(256)), Err(NameError::TooLong));
        assert_eq!(check(&"x".repeat(64 * 1024)), Err(NameError::TooLong));
    }

    #[test]
    fn ordinary_names_are_taken() {
        for name in ["alice", "Alice.B", "a-b_c", "me@example.org", "ユーザー", "*)(uid=*"] {
            assert_eq!(check(name), Ok(()), "{name:?}");
        }
    }
}
