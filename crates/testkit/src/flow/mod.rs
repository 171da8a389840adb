//! Recorded connections with a foreign peer (`vectors/flows`): how a file stands, how the recorded
//! half is played to our core, and how a recording is changed into one that must fail.
//!
//! A recording replays byte for byte because our half is [`crate::provider::Seeded`], its owner is a
//! function of what happened, and no time passes.

mod app;
mod mutation;
mod outcome;
mod play;
mod text;

pub use mutation::{Change, Mutation, Place};
pub use outcome::Outcome;
pub use play::Player;
pub use text::{Entry, Flow, Header, Login, Task};

use nacre_crypto::PrivateKey;
use std::path::PathBuf;

/// The repository's folder of vectors.
pub fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors"))
}

/// A test key of `vectors/keys`, read once for each call and kept for the process.
pub fn key(name: &str) -> &'static PrivateKey {
    let path = folder().join("keys").join(name);
    let file = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Box::leak(Box::new(PrivateKey::read(&file, None).expect("a test key")))
}

/// All recordings, by name.
pub fn all() -> Vec<Flow> {
    let files = std::fs::read_dir(folder().join("flows")).expect("vectors/flows");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "flow"));
    paths.sort();
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).expect("text");
        Flow::parse(&text).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()))
    };
    paths.iter().map(read).collect()
}
