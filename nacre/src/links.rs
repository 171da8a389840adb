//! `nacre links`: symbolic links under OpenSSH's names that call this program.

use crate::cli::OPENSSH_NAMES;
use crate::failure::Failure;
use crate::output;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Makes the links in `directory`, or none of them when a foreign file stands in the way.
///
/// # Errors
/// A file that is not a link to this program has one of the names, or the folder cannot be
/// written.
pub fn run(directory: &Path) -> Result<(), Failure> {
    let program = std::env::current_exe()
        .and_then(fs::canonicalize)
        .map_err(|error| Failure::new(format!("links: cannot find this program's own file: {error}")))?;
    let mut missing = Vec::new();
    for (name, _) in OPENSSH_NAMES {
        let link = directory.join(name);
        if !is_ours(&link, &program)? {
            missing.push(link);
        }
    }
    fs::create_dir_all(directory).map_err(|error| failed(directory, &error))?;
    for link in &missing {
        // Nothing is replaced: a name that appears meanwhile makes this fail.
        symlink(&program, link).map_err(|error| failed(link, &error))?;
        output::print(&format!("{} -> {}\n", link.display(), program.display()))?;
    }
    if missing.is_empty() {
        output::print(&format!("all links are in {} already\n", directory.display()))?;
    }
    Ok(())
}

/// True for a link to this program, false when the name is free.
fn is_ours(link: &PathBuf, program: &Path) -> Result<bool, Failure> {
    match fs::symlink_metadata(link) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed(link, &error)),
        Ok(metadata) if metadata.is_symlink() && fs::canonicalize(link).is_ok_and(|target| target == program) => {
            Ok(true)
        }
        Ok(_) => Err(Failure::new(format!("links: {} exists and is not a link to nacre", link.display()))
            .hint("move it away, or choose another folder; nothing was made")),
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("links: {}: {error}", path.display()))
}
