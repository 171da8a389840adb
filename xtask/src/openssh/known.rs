//! The list of known failures in `docs/CONFORMANCE.md`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The line that the list's table begins with.
const HEAD: &str = "| test | ours | cause |";

/// Known failures: test and column, with the cause.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Known(BTreeMap<(String, String), String>);

impl Known {
    /// Reads the list from the repository at `root`.
    pub fn read(root: &Path) -> Result<Self, String> {
        let file = root.join("docs/CONFORMANCE.md");
        let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        Self::parse(&text).map_err(|problem| format!("{}: {problem}", file.display()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut known = Self::default();
        let rows = text.lines().skip_while(|line| *line != HEAD).skip(2).take_while(|line| line.starts_with('|'));
        for row in rows {
            let cells: Vec<&str> = row.trim_matches('|').splitn(3, '|').map(str::trim).collect();
            let [test, columns, cause] = cells[..] else { return Err(format!("not a row of three cells: {row}")) };
            if cause.is_empty() {
                return Err(format!("{test} has no cause"));
            }
            for column in columns.split(", ") {
                if known.0.insert((test.to_owned(), column.to_owned()), cause.to_owned()).is_some() {
                    return Err(format!("{test} with {column} stands there twice"));
                }
            }
        }
        Ok(known)
    }

    /// Why `test` fails in `column`, if it is known to.
    pub fn cause(&self, test: &str, column: &str) -> Option<&str> {
        self.0.get(&(test.to_owned(), column.to_owned())).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read() {
        let text = "# x\n| a | b |\n\n| test | ours | cause |\n|---|---|---|\n| banner | ssh, all | a | b |\n\n| no | ssh | x |\n";
        let known = Known::parse(text).unwrap();
        assert_eq!(known.cause("banner", "all"), Some("a | b"));
        assert_eq!((known.cause("banner", "sshd"), known.cause("no", "ssh")), (None, None));
        assert!(Known::parse(&text.replace("ssh, all | a | b", "ssh | ")).unwrap_err().contains("no cause"));
        assert!(Known::parse(&text.replace("ssh, all", "ssh, ssh")).unwrap_err().contains("twice"));
    }

    #[test]
    fn the_repositorys_list_is_whole() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        Known::read(root).unwrap();
    }
}
