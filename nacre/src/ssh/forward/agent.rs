//! The agent, for programs at the other end (`-A`): each connection to it is bound to the host first, as one that is
//! forwarded, so that keys which may not go there do not (threats G2, G3).

use super::reject;
use crate::ssh::agent::{self, Bound};
use crate::ssh::connect::plain;
use crate::ssh::log::Log;
use crate::ssh::observer::HostProof;
use nacre_agent::SessionBind;
use nacre_config::client::ClientOptions;
use nacre_net::{Descriptor, Forwards, Port};
use nacre_proto::{LocalChannel, OpenAnswer, OpenChannel, Pending};
use nacre_wire::reason;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};
use tokio::net::UnixStream;
use tokio::task::JoinSet;

/// What came of reaching the agent for a channel.
type Reached = (LocalChannel, Pending<OpenChannel>, Result<(OwnedFd, Bound), String>);

/// The forwarded agent of one connection.
pub struct ForwardedAgent {
    /// Where it is; `None` when none is forwarded.
    path: Option<PathBuf>,
    proof: HostProof,
    reaching: JoinSet<Reached>,
    log: Log,
}

impl ForwardedAgent {
    /// The agent that is to be forwarded, if one is and it answers.
    pub async fn find(options: &ClientOptions, proof: HostProof, log: Log) -> Self {
        let mut path = options.forward_agent.as_ref().and_then(agent::path);
        if options.forward_agent.is_some() && path.is_none() {
            log.debug(|| "there is no agent to forward".to_owned());
        }
        if let Some(named) = path.take() {
            match UnixStream::connect(&named).await {
                Ok(_) => path = Some(named),
                Err(error) => {
                    log.info(&format!("The agent at {} is not forwarded: {}", named.display(), plain(&error)));
                }
            }
        }
        Self { path, proof, ..Self::none(log) }
    }

    /// None, as for a connection without a session.
    pub fn none(log: Log) -> Self {
        Self { path: None, proof: HostProof::default(), reaching: JoinSet::new(), log }
    }

    /// Whether sessions ask for it.
    pub fn is_wanted(&self) -> bool {
        self.path.is_some()
    }

    /// Nothing is forwarded to a host whose key is not the one on record.
    pub fn distrust(&mut self) {
        if self.path.take().is_some() {
            self.log.error("Agent forwarding is disabled to avoid man-in-the-middle attacks.");
        }
    }

    /// The server opens a channel for somebody who wants the agent.
    pub fn on_open(&mut self, port: &mut Port<'_>, channel: LocalChannel, pending: Pending<OpenChannel>) {
        let Some(path) = self.path.clone() else {
            self.log.error("Warning: ssh server tried agent forwarding.");
            self.log.error("Warning: this is probably a break-in attempt by a malicious server.");
            let answer = reject(reason::open::ADMINISTRATIVELY_PROHIBITED, "not asked for");
            // An error ends the connection, which keeps it.
            let _ = port.connection.answer(port.now, pending, answer);
            return;
        };
        let session_id = port.connection.session_id().map(|id| id.as_bytes().to_vec()).unwrap_or_default();
        let proof = self.proof.clone();
        self.reaching.spawn(async move { (channel, pending, reach(&path, &session_id, &proof).await) });
    }

    /// Whether somebody waits to be joined with the agent.
    pub fn is_busy(&self) -> bool {
        !self.reaching.is_empty()
    }

    /// Joins whom the agent answered, and tells of which channels. True when something was done.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        port: &mut Port<'_>,
        joined: &mut Forwards,
        mut stands: impl FnMut(LocalChannel),
    ) -> bool {
        let mut moved = false;
        while let Poll::Ready(Some(done)) = self.reaching.poll_join_next(cx) {
            moved = true;
            let Ok((channel, pending, reached)) = done else { continue };
            let reached = reached.and_then(|(socket, bound)| {
                self.log.debug(|| bound.to_string());
                Descriptor::nonblocking(socket).map_err(|error| plain(&error))
            });
            match reached {
                Ok(socket) => {
                    if port.connection.answer(port.now, pending, OpenAnswer::Accept).is_ok() {
                        joined.join(port, channel, socket);
                        stands(channel);
                    }
                }
                Err(error) => {
                    self.log.error(&format!("The agent cannot be forwarded: {error}"));
                    let answer = reject(reason::open::CONNECT_FAILED, "the agent does not answer");
                    let _ = port.connection.answer(port.now, pending, answer);
                }
            }
        }
        moved
    }
}

async fn reach(path: &Path, session_id: &[u8], proof: &HostProof) -> Result<(OwnedFd, Bound), String> {
    let (host_key, signature) = proof.get().ok_or("the host has proved nothing")?;
    let bind =
        SessionBind { host_key: &host_key, session_identifier: session_id, signature: &signature, is_forwarding: true };
    agent::connect_bound(path, &bind).await
}
