//! Files: how long they are and what they are called.

use super::Finding;
use super::house::{MOST_LINES, NO_NAMES};
use std::path::{Path, PathBuf};

/// Folders that hold no source of ours.
const NOT_OURS: &[&str] = &["target", ".git", ".library"];

/// Every rule about files, over the whole repository.
pub fn check(root: &Path) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for file in rust_files(root)? {
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let place = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        let lines = text.lines().count();
        if lines > MOST_LINES {
            let what = format!("{lines} lines");
            findings.push(Finding::new(&place, what, format!("past {MOST_LINES} lines something wants its own file")));
        }
        let parts = file.strip_prefix(root).unwrap_or(&file).components();
        let named = parts.filter_map(|part| Path::new(part.as_os_str()).file_stem()?.to_str());
        if named.into_iter().any(|stem| NO_NAMES.contains(&stem)) {
            findings.push(Finding::new(&place, "a name for anything", "a file is named for the idea it holds"));
        }
    }
    Ok(findings)
}

/// The Rust files below `folder`, in order.
pub fn rust_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(folder) = waiting.pop() {
        let problem = |error: std::io::Error| format!("{}: {error}", folder.display());
        for entry in std::fs::read_dir(&folder).map_err(problem)? {
            let entry = entry.map_err(problem)?;
            let path = entry.path();
            // Links are not followed: they lead to what is counted elsewhere, or in circles.
            let kind = entry.file_type().map_err(problem)?;
            if kind.is_dir() && !NOT_OURS.iter().any(|name| entry.file_name() == *name) {
                waiting.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(files: &[(&str, usize)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, lines) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "\n".repeat(*lines)).unwrap();
        }
        check(folder.path()).unwrap().into_iter().map(|finding| finding.place).collect()
    }

    #[test]
    fn a_file_past_the_limit_is_found() {
        assert_eq!(places(&[("src/long.rs", 701), ("src/full.rs", 700)]), ["src/long.rs"]);
    }

    #[test]
    fn a_file_or_folder_called_utils_is_found() {
        assert_eq!(places(&[("a/utils.rs", 1), ("b/utils/x.rs", 1)]), ["a/utils.rs", "b/utils/x.rs"]);
    }

    #[test]
    fn what_is_built_and_what_is_not_rust_does_not_count() {
        assert_eq!(places(&[("target/debug/out.rs", 900), ("notes.txt", 900)]), Vec::<String>::new());
    }
}
