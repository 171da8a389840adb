//! The chat's other nodes: where NATS is, and what this node is called.

use crate::failure::Failure;
use crate::state;
use nacre_chat_server::Hub;
use nacre_chat_server::nats::{self, Credentials, Nats, Servers, is_node_name};
use nacre_config::origin::Origin;
use nacre_config::server::ChatOptions;
use std::fs;
use std::path::Path;
use std::sync::Arc;

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
    /// A value cannot be, or a file not be read; with the place of the line.
    pub fn of(options: &ChatOptions) -> Result<Option<Self>, Failure> {
        let Some(servers) = servers(options)? else { return Ok(None) };
        let credentials = options.back_plane_credentials.as_ref().map(|(path, origin)| {
            Credentials::read(path.into())
                .map_err(|error| bad("ChatBackplaneCredentials", origin, &format!("{path}: {error}")))
        });
        let nats = Nats {
            servers,
            credentials: credentials.transpose()?.map(Arc::new),
            authorities: options.back_plane_authorities.clone().map(Into::into),
        };
        Ok(Some(Self { nats, name: options.node.as_ref().map(|(name, _)| name.clone()) }))
    }

    /// Whether the values could be those of another start; files are not looked at.
    ///
    /// # Errors
    /// One could not; with the place of the line.
    pub fn check(options: &ChatOptions) -> Result<(), Failure> {
        servers(options).map(drop)
    }

    /// Reads again what may be renewed while the chat runs. A chat that gave root up may not be allowed to.
    pub fn renew(&self) {
        let Some(credentials) = &self.nats.credentials else { return };
        let path = credentials.path().display();
        match credentials.renew() {
            Ok(()) => tracing::info!("chat: {path} was read again, for the next link to the other nodes"),
            Err(error) => {
                tracing::warn!("chat: {path}: {error}: what was read before stays until the chat is started anew")
            }
        }
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
    pub fn join(&self, hub: &Hub, name: &str) {
        if self.nats.is_open() {
            tracing::warn!("chat: what goes to {} is not encrypted: ChatBackplane tls://... would be", self.nats);
        }
        nats::join(hub, name, self.nats.clone());
    }
}

/// Where NATS is, once all that is said about it can be.
fn servers(options: &ChatOptions) -> Result<Option<Servers>, Failure> {
    if let Some((name, origin)) = options.node.as_ref().filter(|(name, _)| !is_node_name(name)) {
        return Err(bad("ChatNode", origin, &format!("`{name}`: 1 to 64 letters, digits, - and _ are needed")));
    }
    let parse = |(servers, origin): &(String, Origin)| {
        servers.parse().map_err(|why: String| bad("ChatBackplane", origin, &why))
    };
    options.back_plane.as_ref().map(parse).transpose()
}

fn bad(keyword: &str, origin: &Origin, why: &str) -> Failure {
    Failure::new(format!("{origin}: {keyword}: {why}"))
}
