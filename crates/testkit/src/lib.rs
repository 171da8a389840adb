//! What the tests of several crates share. It is for `tests/` folders only: a test inside a crate's
//! own source would meet a second copy of that crate here.
//!
//! A helper that finds the world not as the test needs it panics: that is how a test fails.

pub mod end;
pub mod flow;
pub mod keys;
pub mod link;
pub mod messages;
pub mod mutate;
pub mod pair;
pub mod provider;
pub mod raw;
pub mod sample;

pub use end::{End, Policy};
pub use keys::{host_key, user_key};
pub use pair::Pair;
pub use raw::Raw;
