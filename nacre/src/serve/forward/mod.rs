//! Forwarding for a client (RFC 4254 §7): who may have what, and the sockets. The policy is judged where the login was
//! judged; the sockets are made by whoever is the user.

mod agent_folder;
mod agent_socket;
mod open;
mod policy;

pub use agent_socket::AgentSocket;
pub use open::{Listeners, connect, listen};
pub use policy::{ListenPlan, Rules, describe_place, describe_target};
