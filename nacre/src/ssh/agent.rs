//! The connection to the agent that holds keys: a Unix socket with `nacre-agent`'s protocol on it.

use super::log::Log;
use nacre_agent::{AddIdentity, Answer, Client, Request, SessionBind, SignFlags, SignRequest};
use nacre_config::client::{AddKeysToAgent, ClientOptions, IdentityAgent};
use nacre_crypto::PrivateKey;
use nacre_proto::algorithm::SignatureAlgorithm;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use zeroize::Zeroizing;

pub use nacre_agent::Identity;

/// How long the agent may take to say which keys it has. Signatures may take as long as a person
/// needs to touch a token.
const LIST_PATIENCE: Duration = Duration::from_secs(10);
/// Bytes read from the agent at once.
const READ_SIZE: usize = 16 * 1024;

/// The longest comment of a key in a message, in bytes.
const MAX_NAME: usize = 256;

/// A connected agent.
pub struct Agent {
    stream: UnixStream,
    client: Client,
}

/// What came of telling an agent which host a connection leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// It keeps to that.
    Yes,
    /// It does not know of hosts, or does not believe it: then it has no key that is bound to one, or does not show it.
    No,
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Yes => "the agent knows which host it signs for",
            Self::No => "the agent does not keep track of hosts",
        })
    }
}

/// Connects to the agent at `path` for whoever is at the other end of a connection: it is told of the host before anybody
/// else's bytes can reach it.
///
/// # Errors
/// The line that says why there is none.
pub async fn connect_bound(path: &Path, bind: &SessionBind<'_>) -> Result<(OwnedFd, Bound), String> {
    let stream = UnixStream::connect(path).await.map_err(|error| super::connect::plain(&error))?;
    let mut agent = Agent { stream, client: Client::new() };
    let asked = tokio::time::timeout(LIST_PATIENCE, agent.ask(&Request::SessionBind(*bind))).await;
    let bound = match asked.map_err(|_| "it does not answer")?? {
        Answer::Success => Bound::Yes,
        _ => Bound::No,
    };
    let socket = agent.stream.into_std().map_err(|error| super::connect::plain(&error))?;
    Ok((socket.into(), bound))
}

/// Where an agent listens, if there is to be one.
pub fn path(which: &IdentityAgent) -> Option<PathBuf> {
    match which {
        IdentityAgent::None => None,
        IdentityAgent::Path(path) => Some(PathBuf::from(path)),
        IdentityAgent::Environment => {
            std::env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty()).map(PathBuf::from)
        }
    }
}

impl Agent {
    /// Connects. `None` when there is no agent, or it does not answer: its keys are then not there.
    pub async fn connect(options: &ClientOptions, log: &Log) -> Option<Self> {
        let path = path(&options.identity_agent)?;
        match UnixStream::connect(&path).await {
            Ok(stream) => Some(Self { stream, client: Client::new() }),
            Err(error) => {
                log.debug(|| format!("agent {}: {}", path.display(), super::connect::plain(&error)));
                None
            }
        }
    }

    /// The keys it holds.
    pub async fn identities(&mut self, log: &Log) -> Vec<Identity> {
        match tokio::time::timeout(LIST_PATIENCE, self.ask(&Request::RequestIdentities)).await {
            Ok(Ok(Answer::Identities(identities))) => identities,
            Ok(Ok(_)) => Vec::new(),
            Ok(Err(error)) => {
                log.info(&format!("The agent cannot be used: {error}"));
                Vec::new()
            }
            Err(_) => {
                log.info("The agent does not answer; its keys are left out.");
                Vec::new()
            }
        }
    }

    /// Tells the agent which host it signs for (OpenSSH PROTOCOL.agent §1), so that keys bound to
    /// hosts can be used. An agent that does not know this refuses, which harms nothing.
    pub async fn bind(&mut self, bind: &SessionBind<'_>, log: &Log) {
        let bound = tokio::time::timeout(LIST_PATIENCE, self.ask(&Request::SessionBind(*bind))).await;
        let known = if matches!(bound, Ok(Ok(Answer::Success))) { Bound::Yes } else { Bound::No };
        log.debug(|| known.to_string());
    }

    /// Has the agent sign; the signature is known to be of the algorithm.
    ///
    /// # Errors
    /// A line that says why there is none.
    pub async fn sign(
        &mut self,
        public_key: &[u8],
        data: &[u8],
        algorithm: SignatureAlgorithm,
    ) -> Result<Vec<u8>, String> {
        let flags = SignFlags::for_algorithm(algorithm.name());
        match self.ask(&Request::SignRequest(SignRequest { public_key, data, flags })).await? {
            Answer::Signature(signature) => {
                signature.into_blob(algorithm.name()).map_err(|error| format!("agent: {error}"))
            }
            _ => Err("agent refused operation".to_owned()),
        }
    }

    /// Gives the agent a key, under the constraints that AddKeysToAgent names.
    pub async fn add(&mut self, key: &PrivateKey, wish: AddKeysToAgent, log: &Log) {
        let (confirm, lifetime) = match wish {
            AddKeysToAgent::No => return,
            AddKeysToAgent::Ask => (false, None),
            AddKeysToAgent::Yes { confirm, lifetime } => (confirm, lifetime),
        };
        let form = key.dangerous_agent_form();
        let lifetime = lifetime.map(|time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
        let request = Request::AddIdentity(AddIdentity { key: &form, lifetime, confirm, destinations: &[] });
        let name = nacre_wire::text::clean_line(key.comment().as_bytes(), MAX_NAME);
        match tokio::time::timeout(LIST_PATIENCE, self.ask(&request)).await {
            Ok(Ok(Answer::Success)) => log.verbose(&format!("Identity added to the agent: {name}")),
            Ok(Ok(_)) => log.info(&format!("The agent did not take the key {name}.")),
            Ok(Err(error)) => log.info(&format!("The agent did not take the key {name}: {error}")),
            Err(_) => log.info(&format!("The agent does not answer; the key {name} stays out of it.")),
        }
    }

    async fn ask(&mut self, request: &Request<'_>) -> Result<Answer, String> {
        self.client.request(request).map_err(|error| error.to_string())?;
        // Room for all of it at once, and wiped: a key may be among it.
        let mut out = Zeroizing::new(Vec::with_capacity(nacre_agent::MAX_FRAME));
        while self.client.poll_transmit(&mut out, nacre_agent::MAX_FRAME) > 0 {}
        self.stream.write_all(&out).await.map_err(|error| super::connect::plain(&error))?;
        let mut chunk = vec![0; READ_SIZE];
        loop {
            if let Some((_, answer)) = self.client.poll_answer() {
                return Ok(answer);
            }
            match self.stream.read(&mut chunk).await {
                Ok(0) => self.client.receive_end().map_err(|error| error.to_string())?,
                Ok(n) => {
                    let bytes = chunk.get(..n).unwrap_or_default();
                    self.client.receive(bytes).map_err(|error| error.to_string())?;
                }
                Err(error) => return Err(super::connect::plain(&error)),
            }
        }
    }
}
