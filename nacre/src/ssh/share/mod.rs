//! Shared connections: `ControlMaster`, `ControlPath`, `ControlPersist` and `-O`, in OpenSSH's protocol
//! (`nacre_wire::share`), so that either program can use the other's connection.
//!
//! The [`master`] has a connection and a socket ([`listening`]); its guests are other processes, each with a connection to
//! that socket ([`guest`], [`inbound`]), whose sessions it carries with the descriptors that they hand over. A
//! [`passenger`] is this program as such a guest: it speaks over a [`link`], and [`command`] has what `-O` asks for.

pub mod command;
mod ends;
mod guest;
mod inbound;
mod link;
mod listening;
pub mod master;
pub mod passenger;
mod rides;

pub use master::{Master, Wish};
