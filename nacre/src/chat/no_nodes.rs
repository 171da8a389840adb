//! The chat's other nodes, in a program that was built without the way to them.

use crate::failure::Failure;
use nacre_chat_server::Hub;
use nacre_config::server::ChatOptions;
use std::path::Path;

/// There are none.
pub enum Nodes {}

impl Nodes {
    /// None, or the start is refused.
    ///
    /// # Errors
    /// Other nodes are wanted.
    pub fn of(options: &ChatOptions) -> Result<Option<Self>, Failure> {
        match &options.back_plane {
            None => Ok(None),
            Some((_, origin)) => {
                Err(Failure::new(format!("{origin}: ChatBackplane: this program was built without it"))
                    .hint("build it with `cargo build --release --features nats`"))
            }
        }
    }

    /// As at a start.
    ///
    /// # Errors
    /// Other nodes are wanted.
    pub fn check(options: &ChatOptions) -> Result<(), Failure> {
        Self::of(options).map(drop)
    }

    /// Never asked.
    pub fn renew(&self) {
        match *self {}
    }

    /// Never asked.
    ///
    /// # Errors
    /// None.
    pub fn name(&self, _folder: &Path) -> Result<String, Failure> {
        match *self {}
    }

    /// Never asked.
    pub fn join(&self, _hub: &Hub, _name: &str) {
        match *self {}
    }
}
