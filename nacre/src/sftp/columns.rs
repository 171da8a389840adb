//! Names side by side.

use std::io;
use unicode_width::UnicodeWidthStr;

/// The width where there is no terminal.
const USUAL: usize = 80;
/// Blanks between two names, at least.
const GAP: usize = 2;

/// The terminal's width, in columns.
pub(super) fn width() -> usize {
    let told = nacre_sys::pty::window_size(io::stdout()).ok().and_then(|size| usize::try_from(size.columns).ok());
    told.filter(|columns| *columns > 0).unwrap_or(USUAL)
}

/// One name a line.
pub(super) fn one(names: &[String]) -> String {
    names.iter().flat_map(|name| [name.as_str(), "\n"]).collect()
}

/// As many names a line as the longest of them allows, read line by line as OpenSSH's sftp has them.
pub(super) fn many(names: &[String], width: usize) -> String {
    let longest = names.iter().map(|name| name.width()).max().unwrap_or_default();
    let columns = (width / (longest + GAP)).max(1);
    let space = width / columns;
    let mut text = String::new();
    for line in names.chunks(columns) {
        for name in line {
            text.push_str(name);
            // A name as wide as the line needs nothing behind it.
            let blanks = space.saturating_sub(name.width());
            text.extend(std::iter::repeat_n(' ', if columns == 1 { 0 } else { blanks }));
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_columns_of_one_width() {
        let names: Vec<String> = ["a", "bb", "ccc", "日本", "e"].map(String::from).into();
        assert_eq!(many(&names, 20), "a     bb    ccc\n日本  e\n");
        assert_eq!(many(&names, 3), "a\nbb\nccc\n日本\ne\n");
        assert_eq!(many(&[], 80), "");
        assert_eq!(one(&names), "a\nbb\nccc\n日本\ne\n");
    }
}
