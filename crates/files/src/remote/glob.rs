//! Names with wildcards, as in glob(7): `*`, `?`, `[a-z]`, `[!a]` and `\` before any of them.

use super::{Error, Remote};
use nacre_sftp::attributes::Kind;

impl Remote {
    /// The paths that `pattern` matches, sorted; the pattern itself, its backslashes removed, when it has no wildcard
    /// or matches nothing. A leading dot is matched only by a dot.
    ///
    /// # Errors
    /// The connection is of no use any more, or a folder's list holds a name that leads elsewhere. Folders that
    /// cannot be read match nothing.
    pub fn glob(&mut self, pattern: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        if !has_wildcard(pattern) {
            return Ok(vec![plain(pattern)]);
        }
        let root: &[u8] = if pattern.first() == Some(&b'/') { b"/" } else { b"" };
        let mut found = vec![root.to_vec()];
        let parts: Vec<&[u8]> = pattern.split(|b| *b == b'/').filter(|part| !part.is_empty()).collect();
        for (place, part) in parts.iter().enumerate() {
            let last = place + 1 == parts.len() && pattern.last() != Some(&b'/');
            let mut next = Vec::new();
            for folder in &found {
                self.glob_part(folder, part, last, &mut next)?;
            }
            found = next;
        }
        found.sort();
        Ok(if found.is_empty() { vec![plain(pattern)] } else { found })
    }

    fn glob_part(&mut self, folder: &[u8], part: &[u8], last: bool, next: &mut Vec<Vec<u8>>) -> Result<(), Error> {
        if !has_wildcard(part) {
            let path = joined(folder, &plain(part));
            match if last { self.lstat(&path).map(|_| true) } else { Ok(true) } {
                Ok(_) => next.push(path),
                Err(error) if error.code().is_some() => {}
                Err(error) => return Err(error),
            }
            return Ok(());
        }
        let entries = match self.list(if folder.is_empty() { b"." } else { folder }) {
            Ok(entries) => entries,
            Err(error) if error.code().is_some() => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let may_be_folder = !matches!(entry.attributes.kind(), Some(Kind::File | Kind::Other));
            let hidden = entry.name.first() == Some(&b'.') && part.first() != Some(&b'.');
            if (last || may_be_folder) && !hidden && matches(part, &entry.name) {
                next.push(joined(folder, &entry.name));
            }
        }
        Ok(())
    }
}

/// Whether a pattern has a wildcard that no backslash disarms.
pub fn has_wildcard(pattern: &[u8]) -> bool {
    let mut bytes = pattern.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'*' | b'?' | b'[' => return true,
            _ => {}
        }
    }
    false
}

/// Whether a name, any bytes, is matched as a whole by a pattern of one component.
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    // Only the last star is ever gone back to, so this takes at most length times length steps.
    let (mut pattern, mut name) = (pattern, name);
    let mut again: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern.split_first(), name.split_first()) {
            (Some((b'*', rest)), _) => {
                again = Some((rest, name));
                pattern = rest;
                continue;
            }
            (None, None) => return true,
            (Some(_), Some((byte, name_rest))) => {
                if let Some(rest) = one(pattern, *byte) {
                    (pattern, name) = (rest, name_rest);
                    continue;
                }
            }
            _ => {}
        }
        match again {
            Some((rest, [_, shorter @ ..])) => {
                again = Some((rest, shorter));
                (pattern, name) = (rest, shorter);
            }
            _ => return false,
        }
    }
}

/// The pattern after its first element, if that matches `byte`.
fn one(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    match pattern {
        [b'?', rest @ ..] => Some(rest),
        [b'\\', quoted, rest @ ..] => (*quoted == byte).then_some(rest),
        [b'[', rest @ ..] => match set(rest, byte) {
            Some((true, rest)) => Some(rest),
            Some((false, _)) => None,
            None => (byte == b'[').then_some(rest),
        },
        [first, rest @ ..] => (*first == byte).then_some(rest),
        [] => None,
    }
}

/// Whether `byte` is in the set that was opened, and what follows the set; none when it is not closed.
fn set(pattern: &[u8], byte: u8) -> Option<(bool, &[u8])> {
    let (negated, mut rest) = match pattern {
        [b'!' | b'^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let (mut inside, mut first) = (false, true);
    loop {
        let (low, after) = match rest {
            [b']', after @ ..] if !first => return Some((inside != negated, after)),
            [b'\\', low, after @ ..] | [low, after @ ..] => (*low, after),
            [] => return None,
        };
        let (high, after) = match after {
            [b'-', high, after @ ..] if *high != b']' => (*high, after),
            after => (low, after),
        };
        inside |= (low..=high).contains(&byte);
        (rest, first) = (after, false);
    }
}

/// A pattern without wildcards as the name it stands for.
fn plain(pattern: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(pattern.len());
    let mut bytes = pattern.iter();
    while let Some(byte) = bytes.next() {
        match (byte, bytes.as_slice().first()) {
            (b'\\', Some(_)) => out.extend(bytes.next()),
            _ => out.push(*byte),
        }
    }
    out
}

/// `folder/name`, or `name` when the folder is empty.
pub(crate) fn joined(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = folder.to_vec();
    if !path.is_empty() && path.last() != Some(&b'/') {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_the_shell_does() {
        for (pattern, name, expected) in [
            ("*", "abc", true),
            ("a*c", "abbc", true),
            ("a*c", "abbd", false),
            ("*.txt", "a.txt.txt", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]]", "]", true),
            ("[a", "[a", true),
            ("[a-]", "-", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("", "", true),
            ("**", "", true),
            ("*a*b*", "xxaxxbxx", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
        let many = vec![b'a'; 4000];
        assert!(!matches(&[b"*a".repeat(50), b"b".to_vec()].concat(), &many), "and this does not take for ever");
    }

    #[test]
    fn a_backslash_disarms() {
        assert!(has_wildcard(b"a*") && has_wildcard(b"\\\\*") && !has_wildcard(b"a\\*\\["));
        assert_eq!(plain(b"a\\*b\\\\c\\"), b"a*b\\c\\");
        assert_eq!(joined(b"", b"x"), b"x");
        assert_eq!(joined(b"/", b"x"), b"/x");
        assert_eq!(joined(b"a", b"x"), b"a/x");
    }
}
