//! The authority over one connection, in the same process: questions go to its [`Judge`] on blocking
//! threads.

use super::audit::{self, ForwardSpec, WatchedAcceptor, WatchedProcess};
use super::forward::{self, AgentSocket};
use super::judge::Judge;
use super::launch::Outside;
use super::login::Ends;
use super::shared::Shared;
use nacre_net::admission::Ending;
use nacre_net::privsep::EndedHow;
use nacre_net::server::Authority;
use nacre_net::server::authority::{
    Answer, KeyCheck, Listening, Permissions, Place, Refused, SessionRequests, StartedSession, Target,
};
use nacre_net::{Descriptor, Ended};
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::crypto::SecretBytes;
use nacre_proto::login::server::{KeyboardInteractiveVerdict, PasswordVerdict, UserPolicy};
use std::future::{Future, ready};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

/// What serves one connection, and what the listener makes of its end.
pub struct Serving {
    /// Answers its questions.
    pub authority: Box<dyn Authority>,
    /// Writes down how it ended.
    pub over: Box<dyn FnOnce(&Ended) -> Ending + Send>,
}

impl Serving {
    /// By the accounts of this server.
    pub fn accounts(shared: Arc<Shared>, ends: Ends) -> Self {
        let judge = Arc::new(Judge::new(shared, ends));
        let authority = Box::new(LocalAuthority::new(judge.clone()));
        let over = move |ended: &Ended| {
            judge.trail.ended(audit::End {
                reason: ended.error.to_string(),
                quiet: ended.error.is_parting(),
                bytes: Some((ended.received, ended.sent)),
            });
            judge.progress().ending(EndedHow::of(&ended.error))
        };
        Self { authority, over: Box::new(over) }
    }
}

/// The authority over one connection.
pub struct LocalAuthority {
    judge: Arc<Judge>,
    /// What sessions are told of the client's agent, once somebody asked for it: a session that starts next waits for that.
    agent: Option<watch::Receiver<Option<PathBuf>>>,
}

impl LocalAuthority {
    /// An authority that asks this judge.
    pub fn new(judge: Arc<Judge>) -> Self {
        Self { judge, agent: None }
    }

    /// Listens for the client's agent. It starts at once, and elsewhere: others may hold the folder's lock.
    fn listen_for_agent(&mut self) -> impl Future<Output = Result<(u16, forward::Listeners), Refused>> + use<> {
        let (tell, agent) = watch::channel(None);
        self.agent = Some(agent);
        let judge = self.judge.clone();
        let failed = |error: io::Error| Refused::failed(error.to_string());
        let making = spawn_blocking(move || {
            let plan = judge.plan_listening(&Place::Agent)?;
            AgentSocket::make(&plan.agent_home.unwrap_or_default()).map_err(failed)
        });
        async move {
            let made = making.await.unwrap_or_else(|error| Err(failed(io::Error::other(error))));
            let (socket, listener) = made?;
            let path = socket.path().to_owned();
            let listeners = forward::Listeners::for_agent(socket, listener)?;
            tell.send_replace(Some(path));
            Ok((0, listeners))
        }
    }

    /// Asks on a thread of its own, for passwords behind the bound on hashing.
    fn ask<T: Send + 'static>(
        &self,
        hashes: bool,
        failed: T,
        question: impl FnOnce(&Judge) -> T + Send + 'static,
    ) -> Answer<T> {
        let judge = self.judge.clone();
        Box::pin(async move {
            let permit = if hashes { judge.shared.hashing.clone().acquire_owned().await.ok() } else { None };
            let asking = spawn_blocking(move || {
                let _permit = permit;
                question(&judge)
            });
            asking.await.unwrap_or(failed)
        })
    }
}

impl Authority for LocalAuthority {
    fn sign(&mut self, host_key: Vec<u8>, algorithm: SignatureAlgorithm, data: Vec<u8>) -> Answer<Option<Vec<u8>>> {
        let shared = self.judge.shared.clone();
        match shared.host_keys.is_elsewhere(&host_key) {
            true => self.ask(false, None, move |_| shared.host_keys.sign(&host_key, algorithm, &data)),
            false => Box::pin(ready(shared.host_keys.sign(&host_key, algorithm, &data))),
        }
    }

    fn look_up(&mut self, user: Vec<u8>) -> Answer<UserPolicy> {
        let nobody = self.judge.policy_of_nobody(&user);
        self.ask(false, nobody, move |judge| judge.look_up(&user))
    }

    fn check_key(&mut self, key: KeyCheck) -> Answer<bool> {
        self.ask(false, false, move |judge| judge.check_key(&key, || true))
    }

    fn check_password(&mut self, password: SecretBytes, new: Option<SecretBytes>) -> Answer<PasswordVerdict> {
        self.ask(true, PasswordVerdict::Reject, move |judge| judge.check_password(&password, new.as_ref()))
    }

    fn check_interactive(&mut self, answers: Option<Vec<SecretBytes>>) -> Answer<KeyboardInteractiveVerdict> {
        let hashes = answers.is_some();
        self.ask(hashes, KeyboardInteractiveVerdict::Reject, move |judge| judge.check_interactive(answers))
    }

    fn logged_in(&mut self, _methods: &[String], _client: &str) -> Permissions {
        self.judge.logged_in()
    }

    fn start(&mut self, requests: SessionRequests) -> Answer<io::Result<StartedSession>> {
        let trail = self.judge.trail.clone();
        let key = trail.session_asked(None, &requests);
        let launch = self.judge.launch(requests);
        let agent = self.agent.clone();
        Box::pin(async move {
            let started = async {
                let launch = launch?;
                let agent = match agent {
                    // Whoever does not listen after all lets go of the other end.
                    Some(mut agent) => agent.wait_for(Option::is_some).await.ok().and_then(|path| path.clone()),
                    None => None,
                };
                trail.session_decided(key, &launch);
                let mut opened = spawn_blocking(move || launch.run(agent.as_deref(), Outside::default()))
                    .await
                    .unwrap_or_else(|error| Err(io::Error::other(error)))?;
                trail.session_started(key, opened.terminal());
                let file = opened.auth_info.take();
                let StartedSession { streams, process, preamble } = opened.into_session()?;
                let process = Box::new(WatchedProcess { process, trail: trail.clone(), key, _file: file });
                Ok(StartedSession { streams, process, preamble })
            };
            let started = started.await;
            if let Err(error) = &started {
                trail.session_refused(key, &io::Error::to_string(error));
            }
            started
        })
    }

    fn connect(&mut self, target: Target) -> Answer<Result<Descriptor, Refused>> {
        let judge = self.judge.clone();
        Box::pin(async move {
            let connected = async {
                judge.may_connect(&target)?;
                let socket = forward::connect(&target).await?;
                Descriptor::nonblocking(socket).map_err(|error| Refused::failed(error.to_string()))
            };
            let connected = connected.await;
            judge.trail.forward(&ForwardSpec::connect(&target), connected.as_ref().err());
            connected
        })
    }

    fn listen(&mut self, place: Place) -> Answer<Result<Listening, Refused>> {
        let agent = matches!(place, Place::Agent).then(|| self.listen_for_agent());
        let judge = self.judge.clone();
        Box::pin(async move {
            let listened = async {
                if let Some(agent) = agent {
                    return agent.await;
                }
                let plan = judge.plan_listening(&place)?;
                forward::listen(&plan).await
            };
            let listened = listened.await;
            let spec = ForwardSpec::listen(&place, listened.as_ref().map_or(0, |(port, _)| *port));
            judge.trail.forward(&spec, listened.as_ref().err());
            let (port, acceptor) = listened?;
            let trail = judge.trail.clone();
            Ok(Listening { port, acceptor: Box::new(WatchedAcceptor { acceptor, trail, place, port }) })
        })
    }
}
