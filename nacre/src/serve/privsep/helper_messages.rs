//! What a monitor and its user's helper say to each other.

pub use crate::serve::forward::ListenPlan;
pub use crate::serve::launch::Launch;

use nacre_net::privsep::StreamsKind;
use nacre_net::privsep_messages;
use nacre_net::server::authority::{Exit, Refused, Target};
use nacre_sys::account::Credentials;
use nacre_wire::forward::Originator;
use std::path::PathBuf;

privsep_messages! {
    /// From a monitor to its helper.
    ToHelper {
        /// The first message: become this account.
        1 Become {
            /// Whom.
            credentials: Credentials,
            /// The folder that is all there is from then on.
            jail: Option<PathBuf>,
        }
        /// Start a session.
        2 Start {
            /// What it is called from now on.
            session: u32,
            /// Everything that it needs.
            launch: Launch,
        }
        /// Send a signal to a session's group.
        3 Signal {
            /// Which session.
            session: u32,
            /// The signal's name without `SIG` (RFC 4254 §6.9).
            name: String,
        }
        /// Tell a session's group that its terminal or connection is gone.
        4 HangUp {
            /// Which session.
            session: u32,
        }
        /// End a session's group.
        5 Kill {
            /// Which session.
            session: u32,
        }
        /// Connect for the client.
        6 Connect {
            /// What it is called from now on.
            forward: u32,
            /// Where to.
            target: Target,
        }
        /// Listen for the client.
        7 Listen {
            /// What it is called from now on; connections have numbers of their own.
            forward: u32,
            /// On what.
            plan: ListenPlan,
        }
        /// Do so no more.
        8 StopListening {
            /// Which.
            forward: u32,
        }
    }
}

privsep_messages! {
    /// From a helper to its monitor.
    FromHelper {
        /// It runs as the account.
        64 Ready {}
        /// It could not become what it was told; its last message.
        73 NotReady {
            /// Why.
            why: String,
        }
        /// A session runs; its descriptors come with the message.
        65 Started {
            /// Which session.
            session: u32,
            /// What the descriptors are.
            streams: StreamsKind,
            /// The terminal's name.
            line: Option<PathBuf>,
            /// The process's id.
            pid: u32,
            /// What is shown before its output.
            preamble: Vec<u8>,
        }
        /// A session could not be started.
        66 NotStarted {
            /// Which session.
            session: u32,
            /// Why, in words for the client.
            why: String,
        }
        /// A session's process has ended.
        67 Exited {
            /// Which session.
            session: u32,
            /// How.
            exit: Exit,
        }
        /// A connection was made; its descriptor comes with the message.
        68 Connected {
            /// Which.
            forward: u32,
        }
        /// A connection was not made.
        69 NotConnected {
            /// Which.
            forward: u32,
            /// Why.
            refused: Refused,
        }
        /// A listener stands.
        70 Listening {
            /// Which.
            forward: u32,
            /// On this port, 0 for a Unix socket.
            port: u16,
        }
        /// A listener does not stand.
        71 NotListening {
            /// Which.
            forward: u32,
            /// Why.
            refused: Refused,
        }
        /// Somebody came; the connection's descriptor comes with the message.
        72 Arrived {
            /// To which listener.
            forward: u32,
            /// Who.
            originator: Originator,
        }
    }
}
