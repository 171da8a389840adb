//! Where the programs are.

use std::path::{Path, PathBuf};

/// The program under test.
///
/// # Panics
/// There is none.
pub fn nacre() -> PathBuf {
    let path = std::env::var_os("NACRE")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/release/nacre"), PathBuf::from);
    assert!(path.is_file(), "{}: no such program; cargo build --release -p nacre, or set NACRE", path.display());
    path
}

/// A program of this crate: it is built beside the tests.
pub fn ours(name: &str) -> PathBuf {
    built().join(name)
}

/// A folder that outlives the run, for what is slow to make.
pub fn cache() -> PathBuf {
    built().with_file_name("tmp")
}

/// The folder of this build's programs: tests are in `deps` below it.
fn built() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a program");
    test.ancestors().nth(2).expect("a test is in deps of the build's folder").to_path_buf()
}

/// A program that is not on every user's `PATH`.
pub fn system(name: &str) -> PathBuf {
    let more = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).chain(more).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not on this machine; cargo xtask test installs it"))
}

/// The account that runs this: servers without root can serve no other.
pub fn account() -> String {
    let output = std::process::Command::new("id").arg("-un").output().expect("id runs");
    String::from_utf8(output.stdout).expect("a user's name is text").trim().to_owned()
}

/// Whether root runs this.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
