//! The chat over real sockets, with clients that others wrote.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../common/chat.rs"]
mod chats;
#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "nats")]
#[path = "../common/nats.rs"]
mod nats;
#[path = "../common/lab.rs"]
mod programs;
#[path = "../common/screen.rs"]
mod screen;
#[path = "../common/serve.rs"]
mod serve;
#[path = "../common/terminal.rs"]
mod terminal;

mod admin;
mod inside;
mod named;
#[cfg(feature = "nats")]
mod nodes;
mod person;
mod plain;
mod policy;
mod rooms;
mod threats;
mod tmux;
