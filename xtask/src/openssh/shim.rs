//! What stands in front of `ssh` where programs of two makes are mixed.
//!
//! The tests ask one `ssh` (`-Q`) which algorithms there are and expect all programs to have them, as those of one build do. Of two
//! makes, that is what both have.

use super::program::Column;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// `REAL` is called for everything; a question goes to `OTHER`, too.
const SCRIPT: &str = r#"last=
for word in "$@"; do
	if [ "$last" = -Q ]; then
		"$REAL" -Q "$word" | grep -xF "$("$OTHER" -Q "$word")"
		exit 0
	fi
	last=$word
done
exec "$REAL" "$@"
"#;

/// A folder with the `ssh` that the tests of a column call, in `folder`.
pub fn make(column: &Column, links: &Path, folder: &Path) -> Result<PathBuf, String> {
    let (ours, theirs) = (links.join("ssh"), Path::new("/usr/bin/ssh").to_path_buf());
    let (real, other) = match column.has("ssh") {
        true => (&ours, &theirs),
        false => (&theirs, &ours),
    };
    let text = match column.is_mixed() {
        true => format!("#!/bin/sh\nREAL={} OTHER={}\n{SCRIPT}", real.display(), other.display()),
        false => format!("#!/bin/sh\nexec {} \"$@\"\n", real.display()),
    };
    let made = fs::create_dir_all(folder).and_then(|()| fs::write(folder.join("ssh"), text));
    let made = made.and_then(|()| fs::set_permissions(folder.join("ssh"), fs::Permissions::from_mode(0o755)));
    made.map(|()| folder.to_owned()).map_err(|error| format!("{}: {error}", folder.display()))
}
