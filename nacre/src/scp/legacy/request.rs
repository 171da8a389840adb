//! Which names the far side may send for what was asked (threat F9, CVE-2019-6111).

use nacre_files::remote::matches;

/// The most names that braces may stand for.
const MAX_NAMES: usize = 4096;

/// What was asked of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request(Vec<Vec<u8>>);

impl Request {
    /// From the path that was asked for: the last component of each path that the braces of a shell make of it.
    /// `None` when that is too many.
    pub fn of(path: &[u8]) -> Option<Self> {
        let paths = expand(path)?;
        Some(Self(paths.iter().map(|path| last(path).to_vec()).collect()))
    }

    /// Whether a name is one of those asked for: it is the same, or the pattern matches it.
    pub fn allows(&self, name: &[u8]) -> bool {
        // No shell takes a wildcard for a leading dot.
        let hidden =
            |pattern: &[u8]| name.first() == Some(&b'.') && matches!(pattern.first(), Some(b'*' | b'?' | b'['));
        self.0.iter().any(|pattern| pattern == name || (matches(pattern, name) && !hidden(pattern)))
    }
}

fn last(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |at| at + 1);
    let path = path.get(..end).unwrap_or_default();
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// What a shell makes of `a{b,c}d`: `abd` and `acd`. A backslash takes the meaning from a brace or comma; braces without a
/// comma, and those that are not closed, stand for themselves.
fn expand(pattern: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut waiting, mut out) = (vec![(pattern.to_vec(), 0)], Vec::new());
    while let Some((pattern, from)) = waiting.pop() {
        match braces(&pattern, from) {
            None => out.push(pattern),
            Some((open, close, parts)) => {
                let head = pattern.get(..open).unwrap_or_default();
                let tail = pattern.get(close + 1..).unwrap_or_default();
                // In reverse: the stack gives them back in order.
                waiting.extend(parts.iter().rev().map(|part| ([head, part, tail].concat(), open)));
            }
        }
        if waiting.len() + out.len() > MAX_NAMES {
            return None;
        }
    }
    Some(out)
}

/// The first braces from `from` on that hold a comma: where they open and close, and what stands between the commas.
fn braces(pattern: &[u8], from: usize) -> Option<(usize, usize, Vec<Vec<u8>>)> {
    let opens = (from..pattern.len()).filter(|at| pattern.get(*at) == Some(&b'{') && !is_escaped(pattern, *at));
    opens.filter_map(|open| parts(pattern, open).map(|(close, parts)| (open, close, parts))).next()
}

fn is_escaped(pattern: &[u8], at: usize) -> bool {
    let before = pattern.get(..at).unwrap_or_default();
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

fn parts(pattern: &[u8], open: usize) -> Option<(usize, Vec<Vec<u8>>)> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_usize, open + 1);
    for (at, byte) in pattern.iter().enumerate().skip(open + 1) {
        if is_escaped(pattern, at) {
            continue;
        }
        let part = || pattern.get(start..at).unwrap_or_default().to_vec();
        match byte {
            b'{' => depth += 1,
            b'}' if depth > 0 => depth -= 1,
            b',' if depth == 0 => {
                parts.push(part());
                start = at + 1;
            }
            b'}' if parts.is_empty() => return None,
            b'}' => {
                parts.push(part());
                return Some((at, parts));
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn f09_only_what_was_asked_for_is_taken() {
        for (asked, name, taken) in [
            ("a.txt", "a.txt", true),
            ("a.txt", "b.txt", false),
            ("dir/a.txt", "a.txt", true),
            ("dir/a.txt", "dir", false),
            ("dir/", "dir", true),
            ("/abs/*.txt", "x.txt", true),
            ("*.txt", ".bashrc", false),
            ("*", "x", true),
            ("*", ".bashrc", false),
            (".*", ".bashrc", true),
            ("a[bc]", "ab", true),
            ("a[bc]", "a[bc]", true),
            ("{a,b*}.txt", "a.txt", true),
            ("{a,b*}.txt", "bcd.txt", true),
            ("{a,b*}.txt", "c.txt", false),
            ("x{1,2{3,4}}y", "x24y", true),
            ("x{1,2{3,4}}y", "x2y", false),
            ("d{/a,/b}", "b", true),
            ("{a}", "{a}", true),
            (r"\{a,b}", "a", false),
            ("$HOME/.x", ".x", true),
            ("~", "root", false),
        ] {
            assert_eq!(Request::of(asked.as_bytes()).unwrap().allows(name.as_bytes()), taken, "{asked} {name}");
        }
    }

    #[test]
    fn f09_braces_do_not_grow_without_end() {
        assert_eq!(Request::of("{a,b}".repeat(40).as_bytes()), None);
        assert_eq!(Request::of("{{{{{{{{".repeat(200).as_bytes()).unwrap().0.len(), 1);
    }
}
