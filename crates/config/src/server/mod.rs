//! `sshd_config` and the server's options (sshd_config(5)).

mod access;
mod chat;
mod connection;
mod dump;
mod keys_command;
mod keywords;
mod matching;
mod options;
mod parse;
mod paths;
mod readers;
mod values;

pub use access::Denied;
pub use chat::ChatOptions;
pub use connection::ConnectionOptions;
pub use keys_command::{CertificateQuestion, KeysQuestion};
pub use keywords::Keyword;
pub use matching::MatchContext;
pub use options::ServerOptions;
pub use parse::{ConfigFile, Invocation, parse};
pub use paths::{KeyFile, UnsafeName};
pub use values::{
    AllowForwarding, GatewayPorts, Listen, MaxStartups, Overflow, Penalties, PermitPort, PermitRootLogin, PermitTarget,
    Permits, Subsystem,
};
