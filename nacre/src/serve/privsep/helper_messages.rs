//! What a monitor and its user's helper say to each other.

use crate::serve::launch::Launch;
use nacre_net::privsep::StreamsKind;
use nacre_net::privsep_messages;
use nacre_net::server::authority::Exit;
use nacre_sys::account::Credentials;
use std::path::PathBuf;

privsep_messages! {
    /// From a monitor to its helper.
    ToHelper {
        /// The first message: become this account.
        1 Become { credentials: Credentials }
        /// Start a session, called so from now on.
        2 Start { session: u32, launch: Launch }
        /// Send a signal, named without `SIG`, to a session's group.
        3 Signal { session: u32, name: String }
        /// Tell a session's group that its terminal or connection is gone.
        4 HangUp { session: u32 }
        /// End a session's group.
        5 Kill { session: u32 }
    }
}

privsep_messages! {
    /// From a helper to its monitor.
    FromHelper {
        /// It runs as the account.
        64 Ready {}
        /// A session runs; its descriptors come with the message.
        65 Started { session: u32, streams: StreamsKind, line: Option<PathBuf>, pid: u32, preamble: Vec<u8> }
        /// A session could not be started.
        66 NotStarted { session: u32, why: String }
        /// A session's process has ended.
        67 Exited { session: u32, exit: Exit }
    }
}
