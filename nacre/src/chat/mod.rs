//! The chat over SSH: who may come in, and each session's stream joined with the hub.

pub mod admin;
pub mod attend;
mod authority;
mod named;
#[cfg(feature = "nats")]
mod nodes;
#[cfg(not(feature = "nats"))]
#[path = "no_nodes.rs"]
mod nodes;
mod policy;
mod root;
mod session;
mod sockets;

pub use root::{STATE as ROOT_STATE, Unprivileged};
pub use session::{NO_COLOR, SINCE};

use crate::failure::Failure;
use crate::serve::authority::Serving;
use crate::serve::login::Ends;
use crate::serve::shared::Shared;
use crate::state;
use authority::ChatAuthority;
use nacre_chat::{Config, Rules};
use nacre_chat_server::{Hub, Passwords, Store, join};
use nacre_config::server::ChatOptions;
use nacre_net::Ended;
use nacre_net::privsep::EndedHow;
use nacre_sys::account::Account;
use nacre_sys::privileges;
use nodes::Nodes;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The file of lines, accounts and rooms, in the server's state folder.
const FILE: &str = "chat.db";
/// The chat's folder in the state folder of root's server.
const FOLDER: &str = "chat";
/// The socket that sessions of this machine come to, in the chat's folder.
const SESSIONS: &str = "join.sock";

/// How long the store may take to close its file.
const STOPPING: Duration = Duration::from_secs(5);

/// Room passwords are hashed as logins are.
struct Argon;

impl Passwords for Argon {
    fn hash(&self, password: &str) -> Result<String, String> {
        nacre_crypto::hash_password(password).map_err(|error| error.to_string())
    }

    fn verify(&self, password: &str, hash: &str) -> bool {
        nacre_crypto::verify_password(hash, password).unwrap_or(false)
    }
}

/// How a chat is to be run: all that its configuration says and names, read before it begins, while root is still root.
pub struct Plan {
    rules: Rules,
    nodes: Option<Nodes>,
}

impl Plan {
    /// From the configuration.
    ///
    /// # Errors
    /// A value cannot be, or a file that one names cannot be read; with the place of the line.
    pub fn of(options: &ChatOptions) -> Result<Self, Failure> {
        Ok(Self { rules: policy::rules(options)?, nodes: Nodes::of(options)? })
    }
}

/// A chat that runs.
pub struct Running {
    hub: Hub,
    nodes: Option<Nodes>,
}

impl Running {
    /// Opens the chat that is kept in a folder, and joins it with its other nodes if there are any. To be
    /// called on the runtime that serves it.
    ///
    /// # Errors
    /// The folder cannot be made, or its file not be opened.
    pub fn open(state: &Path, plan: Plan) -> Result<Self, Failure> {
        let Plan { rules, nodes } = plan;
        state::prepare(state)?;
        let operators = sockets::operators(state)?;
        let sessions = sockets::sessions(state)?;
        let name = nodes.as_ref().map(|nodes| nodes.name(state)).transpose()?;
        let run = nacre_crypto::random_bytes::<8>().map_err(|error| Failure::new(format!("no randomness: {error}")))?;
        let mut config = Config::new(name.as_deref().unwrap_or("local"), u64::from_be_bytes(run));
        config.nodes = nodes.is_some();
        config.rules = rules;
        let store = Store::open(&state.join(FILE), name.as_deref());
        let store = store.map_err(|error| Failure::new(format!("the chat cannot be opened: {error}")))?;
        let hub = Hub::open(config, store, Box::new(Argon));
        let own = privileges::effective_uid();
        tokio::spawn(nacre_chat_server::admin::serve(hub.clone(), operators, own));
        let name_of = |uid| Account::by_uid(uid).ok().flatten().map(|account| account.name);
        tokio::spawn(join::serve(hub.clone(), sessions, own, name_of));
        if let Some((nodes, name)) = nodes.as_ref().zip(name) {
            nodes.join(&hub, &name);
        }
        Ok(Self { hub, nodes })
    }

    /// Takes a new configuration; whoever is here stays.
    ///
    /// # Errors
    /// As those of a start; then all is as before.
    pub fn reload(&self, options: &ChatOptions) -> Result<(), Failure> {
        let rules = policy::rules(options)?;
        Nodes::check(options)?;
        self.hub.set_rules(rules);
        if let Some(nodes) = &self.nodes {
            nodes.renew();
        }
        Ok(())
    }

    /// The server is about to end: what was said is written down, and no journal with what was taken back stays beside the file.
    pub async fn stop(&self) {
        if tokio::time::timeout(STOPPING, self.hub.stop()).await.is_err() {
            tracing::warn!("chat: what was said last is not written down yet");
        }
    }

    /// Serves one connection with the chat alone.
    pub fn serving(&self, shared: Arc<Shared>, ends: Ends) -> Serving {
        let authority = ChatAuthority::new(self.hub.clone(), shared, ends);
        let progress = authority.progress();
        let over = move |ended: &Ended| progress.ending(EndedHow::of(&ended.error));
        Serving { authority: Box::new(authority), over: Box::new(over) }
    }
}

/// The chat's folder of a server with that state folder, or the usual one.
///
/// # Errors
/// The account has no home folder.
pub fn folder(given: Option<&Path>) -> Result<PathBuf, Failure> {
    let roots = (given.is_none() && privileges::is_root()).then(|| Path::new(ROOT_STATE).to_owned());
    let state = match roots.filter(|state| state.exists()) {
        Some(state) => state,
        None => state::directory(given)?,
    };
    let own = state.join(FOLDER);
    Ok(if own.is_dir() { own } else { state })
}

/// Where sessions of this machine come to a chat with that folder.
pub fn socket(folder: &Path) -> PathBuf {
    folder.join(SESSIONS)
}

/// The same for root's chat.
pub fn root_socket() -> PathBuf {
    socket(&Path::new(ROOT_STATE).join(FOLDER))
}
