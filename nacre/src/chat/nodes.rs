//! The chat's other nodes: where NATS is, and what this node is called.

use crate::failure::Failure;
use crate::state;
use nacre_chat_server::Hub;
use nacre_chat_server::nats::{self, Nats, is_node_name};
use nacre_config::server::ChatOptions;
use std::fs;
use std::path::Path;

/// The file of the name that a node made for itself, in the server's state folder.
const NAME_FILE: &str = "chat-node";

/// How the other nodes are reached.
pub struct Nodes {
    nats: Nats,
    name: Option<String>,
}

impl Nodes {
    /// From the configuration; none where there are no other nodes.
    ///
    /// # Errors
    /// A value cannot be; with the place of the line.
    pub fn of(options: &ChatOptions) -> Result<Option<Self>, Failure> {
        let bad = |keyword: &str, origin: &dyn std::fmt::Display, why: &str| {
            Failure::new(format!("{origin}: {keyword}: {why}"))
        };
        let Some((servers, origin)) = &options.back_plane else { return Ok(None) };
        let nats = Nats {
            servers: servers.parse().map_err(|why: String| bad("ChatBackplane", origin, &why))?,
            credentials: options.back_plane_credentials.clone().map(Into::into),
            authorities: options.back_plane_authorities.clone().map(Into::into),
        };
        if let Some((name, origin)) = options.node.as_ref().filter(|(name, _)| !is_node_name(name)) {
            return Err(bad("ChatNode", origin, &format!("`{name}`: 1 to 64 letters, digits, - and _ are needed")));
        }
        Ok(Some(Self { nats, name: options.node.as_ref().map(|(name, _)| name.clone()) }))
    }

    /// What this node is called: as configured, else the machine's name and something random, made once.
    ///
    /// # Errors
    /// The file of the name can be neither read nor made.
    pub fn name(&self, folder: &Path) -> Result<String, Failure> {
        if let Some(name) = &self.name {
            return Ok(name.clone());
        }
        let path = folder.join(NAME_FILE);
        let known = fs::read_to_string(&path).ok().map(|text| text.trim().to_owned()).filter(|name| is_node_name(name));
        if let Some(name) = known {
            return Ok(name);
        }
        let failed = |error: &dyn std::fmt::Display| Failure::new(format!("{}: {error}", path.display()));
        let random = nacre_crypto::random_bytes::<5>().map_err(|error| failed(&error))?;
        let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let fit = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
        let machine: String = machine.chars().map(fit).take(40).collect();
        let name = format!("{machine}-{}", data_encoding::BASE32_NOPAD.encode(&random).to_lowercase());
        state::prepare(folder)?;
        fs::write(&path, format!("{name}\n")).map_err(|error| failed(&error))?;
        Ok(name)
    }

    /// Joins the chat with the others.
    pub fn join(self, hub: &Hub, name: &str) {
        if self.nats.is_open() {
            tracing::warn!("chat: what goes to {} is not encrypted: ChatBackplane tls://... would be", self.nats);
        }
        nats::join(hub, name, self.nats);
    }
}
