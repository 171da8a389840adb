//! `ssh_config` and the client's options (ssh_config(5)).

mod canonical;
mod dump;
mod keywords;
mod known_hosts_command;
mod matching;
mod names;
mod options;
mod parse;
mod readers;
mod tokens;
mod values;

pub use keywords::Keyword;
pub use known_hosts_command::{HostKeyFacts, KnownHostsCommand};
pub use options::ClientOptions;
pub use parse::{ConfigFile, Invocation, option_line, resolve};
pub use readers::{Endpoint, Forward, ForwardKind, JumpHost};
pub use values::{
    AddKeysToAgent, AddressFamily, ControlMaster, IdentityAgent, LogLevel, RequestTty, SessionType,
    StrictHostKeyChecking, UpdateHostKeys,
};
