//! As root a connection has processes of its own (DESIGN §2):
//!
//! ```text
//! listener ──fork──> monitor ──exec──> net       no rights: parses what strangers send
//!   root, counts      root, judges └──exec──> helper    the user: opens terminals and pipes, starts shells
//! ```
//! The listener reads no byte of a peer. The monitor is a copy of it, so it has configuration and host
//! keys without anything being sent; the other two are the program started anew, with a memory in
//! which there was never a secret.

mod control;
mod forwards;
mod helper;
mod helper_forwards;
mod helper_link;
pub mod helper_messages;
mod line_budget;
mod monitor;
mod net_process;
mod pam;
mod pam_questions;
mod questions;
mod quiet;
mod separation;
mod spawner;

pub use control::Monitored;
pub use monitor::{Connection, serve};
pub use separation::Separation;
pub use spawner::Spawner;

use super::rc;
use crate::chat::attend;
use std::ffi::OsStr;
use std::process::ExitCode;

/// `argv[0]` of the process that runs the protocol.
const NET: &str = "nacre: net";
/// `argv[0]` of the process that runs as the user.
const HELPER: &str = "nacre: helper";

/// Runs the role that this process was started for, if it was started for one.
pub fn run_role(args: &[std::ffi::OsString]) -> Option<ExitCode> {
    let name = args.first()?;
    if name == OsStr::new(NET) {
        Some(net_process::run(args))
    } else if name == OsStr::new(HELPER) {
        Some(helper::run())
    } else if name == OsStr::new(attend::ROLE) {
        Some(attend::run(args))
    } else if name == OsStr::new(rc::RC) {
        Some(rc::run(args))
    } else {
        None
    }
}
