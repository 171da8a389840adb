//! The ssh-agent protocol (RFC 9987): the program that holds private keys, and those who ask it to
//! sign. Bytes in, values out, and back; the socket belongs to the caller.
//!
//! A client hands [`Request`]s to a [`Client`], moves bytes between it and the agent's socket, and
//! takes the [`Answer`]s out in the order of the requests. [`server`] is the agent's side. [`number`] is the table both ends share.

pub mod answer;
pub mod client;
pub mod constraint;
pub mod error;
pub mod frame;
pub mod number;
pub mod request;
pub mod server;
pub mod signature;

pub use answer::{Answer, Identity};
pub use client::{Client, RequestId};
pub use constraint::{DestinationConstraint, Hop, HostKey};
pub use error::AgentError;
pub use frame::{MAX_FRAME, next_frame};
pub use request::{AddIdentity, Request, SessionBind, SignFlags, SignRequest};
pub use signature::Signature;
