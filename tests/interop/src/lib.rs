//! What the interop tests share: peers of four makes, each as a client and as a server, started on
//! 127.0.0.1 with temporary files, watched with a time limit and ended by their process ids.
//!
//! `NACRE` names the program under test; without it, it is `target/release/nacre` of the
//! repository. `NACRE_LONG=1` runs every combination of algorithms instead of a covering choice.

pub mod agent;
pub mod algorithms;
pub mod client;
pub mod keys;
pub mod pair;
pub mod pairwise;
#[path = "../../../xtask/src/process.rs"]
pub mod process;
pub mod programs;
pub mod pty;
pub mod run;
pub mod server;
pub mod stream;
pub mod totp;
pub mod words;
