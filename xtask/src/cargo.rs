//! Calling Cargo, and finding what it built.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The Cargo that runs this, in `folder`.
pub fn cargo(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(folder);
    command
}

/// The folder that Cargo builds the workspace at `root` in.
pub fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder))
}

/// A program of the release build.
pub fn release(root: &Path, name: &str) -> PathBuf {
    target(root).join("release").join(name)
}
