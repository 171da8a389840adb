//! What all connections of a server share.

use super::host_keys::HostKeys;
use super::revoked::RevokedLists;
use crate::chat::Running;
use nacre_config::server::ServerOptions;
use nacre_sys::account::Account;
use nacre_sys::pam::Pam;
use nacre_sys::password::Verifier;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Whom the server serves.
#[derive(Debug, Clone)]
pub enum Mode {
    /// The account that runs it, and names in the password file that all run as that account.
    User(Account),
    /// The machine's accounts; sessions become them.
    Root,
}

/// Password hashes under way at once, so that many attempts cannot take every core (threat A11).
const HASHES_AT_ONCE: usize = 2;

/// What all connections of a server share.
pub struct Shared {
    options: RwLock<Arc<ServerOptions>>,
    /// The configuration that it was started with.
    pub started: Arc<ServerOptions>,
    /// The host keys.
    pub host_keys: HostKeys,
    /// Whom it serves.
    pub mode: Mode,
    /// The folder of the password file.
    pub state: PathBuf,
    /// Bounds work on passwords.
    pub hashing: Arc<Semaphore>,
    /// What RevokedKeys names.
    pub revoked: RevokedLists,
    /// The server was called as sshd.
    pub as_sshd: bool,
    /// Nothing but the chat is served.
    pub chat: OnceLock<Running>,
    verifier: OnceLock<Option<Verifier>>,
    pam: OnceLock<Option<Pam>>,
    /// Mixed into the delay of refusals, so that nobody can predict it.
    delay_secret: [u8; 16],
}

impl Shared {
    /// Joins the parts.
    pub fn new(options: ServerOptions, host_keys: HostKeys, mode: Mode, state: PathBuf) -> Self {
        let options = Arc::new(options);
        Self {
            options: RwLock::new(options.clone()),
            started: options,
            host_keys,
            mode,
            state,
            hashing: Arc::new(Semaphore::new(HASHES_AT_ONCE)),
            revoked: RevokedLists::default(),
            as_sshd: false,
            chat: OnceLock::new(),
            verifier: OnceLock::new(),
            pam: OnceLock::new(),
            delay_secret: nacre_crypto::random_bytes().unwrap_or_default(),
        }
    }

    /// The configuration as it is now.
    pub fn options(&self) -> Arc<ServerOptions> {
        self.options.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes a new configuration; connections that stand keep theirs.
    pub fn reload(&self, options: ServerOptions) {
        *self.options.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(options);
    }

    /// The machine's own password check, loaded when first needed.
    pub fn verifier(&self) -> Option<&Verifier> {
        let load = || Verifier::load().inspect_err(|error| tracing::error!("{error}")).ok();
        self.verifier.get_or_init(load).as_ref()
    }

    /// The machine's own PAM, loaded when first needed.
    pub fn pam(&self) -> Option<&Pam> {
        let load = || Pam::load().inspect_err(|error| tracing::error!("{error}")).ok();
        self.pam.get_or_init(load).as_ref()
    }

    /// The least time a refusal takes for this name: 5 to 9.2 ms, the same each time (promise P7).
    pub fn failure_delay(&self, name: &[u8]) -> Duration {
        let hash = nacre_crypto::sha256(&[&self.delay_secret, name].concat());
        let spread = hash.iter().take(2).fold(0u64, |sum, byte| sum * 256 + u64::from(*byte));
        Duration::from_micros(5000 + spread * 4200 / 65536)
    }
}
