//! The text formats of SSH: `ssh_config`, `sshd_config`, `known_hosts` and `authorized_keys`.
//!
//! Everything here is a pure parser. What a format asks of the machine (an included file, a glob, an
//! environment variable, `Match exec`) goes through one trait, [`World`], which the caller implements.

pub mod algorithms;
pub mod allowed_signers;
pub mod authorized_keys;
pub mod blob;
pub mod channel_timeout;
pub mod cidr;
pub mod client;
pub mod error;
pub mod expand;
pub mod kind;
pub mod known_hosts;
pub mod nearest;
pub mod origin;
pub mod pattern;
pub mod server;
pub mod settings;
pub mod time;
pub mod token;
mod words;
pub mod world;

pub use algorithms::{AlgorithmSets, AlgorithmTable};
pub use client::ClientOptions;
pub use error::{ConfigError, ErrorKind, Errors, Warning};
pub use nearest::nearest;
pub use origin::Origin;
pub use server::{ConnectionOptions, MatchContext, ServerOptions};
pub use world::{Check, LocalAccount, World, WorldError};
