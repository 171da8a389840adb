//! The net process's side: an [`Authority`] that asks the monitor, over a socket between the two.

use super::async_socket::{AsyncMessageSocket, Message};
use super::message::{FromMonitor, StreamsKind, ToMonitor};
use super::remote_forward;
use crate::descriptor::Descriptor;
use crate::server::authority::{
    Answer, Authority, Exit, KeyCheck, Listening, Permissions, Place, Process, Refused, SessionRequests,
    SessionStreams, StartedSession, Target,
};
use crate::server::{Order, terminal_streams};
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::crypto::SecretBytes;
use nacre_proto::login::server::{KeyboardInteractiveVerdict, PasswordVerdict, UserPolicy};
use nacre_wire::names;
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::Instant;

/// Questions under way at once; more wait here. The monitor answers each before it reads on, and with as many answers unread as its socket
/// holds while this process fills it with questions, neither would go on.
const MAX_QUESTIONS: usize = 64;

/// An answer and the descriptors that came with it.
pub(super) type Reply = (FromMonitor, Vec<OwnedFd>);

#[derive(Default)]
pub(super) struct State {
    next: u32,
    questions: HashMap<u32, oneshot::Sender<Reply>>,
    exits: HashMap<u32, oneshot::Sender<Exit>>,
    pub(super) listeners: remote_forward::Listeners,
    permissions: Permissions,
}

impl State {
    /// The number of a question whose answer goes to `sender`.
    fn question(&mut self, sender: oneshot::Sender<Reply>) -> u32 {
        let question = self.number();
        self.questions.insert(question, sender);
        question
    }

    /// A number for a question, a session or a listener, never given twice.
    pub(super) fn number(&mut self) -> u32 {
        self.next = self.next.wrapping_add(1);
        self.next
    }
}

/// The way to the monitor.
pub struct RemoteLink {
    socket: AsyncMessageSocket,
    state: Mutex<State>,
    order: watch::Sender<Order>,
    questions: Semaphore,
}

impl RemoteLink {
    /// Takes the socket over.
    pub fn new(socket: AsyncMessageSocket) -> Arc<Self> {
        let (order, questions) = (watch::Sender::new(Order::Run), Semaphore::new(MAX_QUESTIONS));
        Arc::new(Self { socket, state: Mutex::default(), order, questions })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the monitor orders.
    pub fn orders(&self) -> watch::Receiver<Order> {
        self.order.subscribe()
    }

    /// Hands out what the monitor says, until it is gone or says what cannot be.
    pub async fn listen(&self) -> io::Error {
        loop {
            match poll_fn(|cx| self.socket.poll_receive(cx)).await.and_then(read) {
                Ok(reply) => self.dispatch(reply),
                Err(error) => return error,
            }
        }
    }

    fn dispatch(&self, (message, fds): Reply) {
        let mut state = self.state();
        if let Some(question) = message.question() {
            if let FromMonitor::Policy { permissions, .. }
            | FromMonitor::Key { permissions, .. }
            | FromMonitor::Password { permissions, .. }
            | FromMonitor::Interactive { permissions, .. } = &message
                && let Some(permissions) = permissions
            {
                state.permissions = permissions.clone();
            }
            if let Some(waiting) = state.questions.remove(&question) {
                let _ = waiting.send((message, fds));
            }
            return;
        }
        match message {
            FromMonitor::Exited { session, exit } => {
                if let Some(waiting) = state.exits.remove(&session) {
                    let _ = waiting.send(exit);
                }
            }
            FromMonitor::Arrived { listener, originator } => state.listeners.arrived(listener, originator, fds),
            FromMonitor::Drain { milliseconds } => {
                self.order.send_replace(Order::Drain(Instant::now() + Duration::from_millis(milliseconds)));
            }
            _ => {}
        }
    }

    /// Says something.
    ///
    /// # Errors
    /// The monitor is gone.
    pub fn tell(&self, message: &ToMonitor) -> io::Result<()> {
        self.socket.send(&message.to_bytes(), &[])
    }

    /// Asks something, once there is room for a question; `None` when no answer will ever come.
    pub(super) fn ask(
        self: &Arc<Self>,
        message: impl FnOnce(u32) -> ToMonitor + Send + 'static,
    ) -> Answer<Option<Reply>> {
        let link = self.clone();
        Box::pin(async move {
            let _room = link.questions.acquire().await.ok()?;
            let (sender, receiver) = oneshot::channel();
            let question = link.state().question(sender);
            link.tell(&message(question)).ok()?;
            receiver.await.ok()
        })
    }
}

fn read((bytes, fds): Message) -> io::Result<Reply> {
    if bytes.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    FromMonitor::from_bytes(&bytes).map(|message| (message, fds)).map_err(io::Error::other)
}

/// The authority of a connection whose monitor is another process.
pub struct RemoteAuthority(Arc<RemoteLink>);

impl RemoteAuthority {
    /// Asks over this link.
    pub fn new(link: Arc<RemoteLink>) -> Self {
        Self(link)
    }
}

impl Authority for RemoteAuthority {
    fn sign(&mut self, host_key: Vec<u8>, algorithm: SignatureAlgorithm, data: Vec<u8>) -> Answer<Option<Vec<u8>>> {
        let asking = self.0.ask(move |question| ToMonitor::Sign { question, host_key, algorithm, data });
        Box::pin(async move {
            match asking.await {
                Some((FromMonitor::Signature { signature, .. }, _)) => signature,
                _ => None,
            }
        })
    }

    fn look_up(&mut self, user: Vec<u8>) -> Answer<UserPolicy> {
        let asking = self.0.ask(move |question| ToMonitor::LookUp { question, user });
        Box::pin(async move {
            match asking.await {
                Some((FromMonitor::Policy { policy, .. }, _)) => policy,
                _ => UserPolicy::of_nobody(),
            }
        })
    }

    fn check_key(&mut self, check: KeyCheck) -> Answer<bool> {
        let asking = self.0.ask(move |question| ToMonitor::CheckKey { question, check });
        Box::pin(async move { matches!(asking.await, Some((FromMonitor::Key { accepted: true, .. }, _))) })
    }

    fn check_password(&mut self, password: SecretBytes, new: Option<SecretBytes>) -> Answer<PasswordVerdict> {
        let asking = self.0.ask(move |question| ToMonitor::CheckPassword { question, password, new });
        Box::pin(async move {
            match asking.await {
                Some((FromMonitor::Password { verdict, .. }, _)) => verdict,
                _ => PasswordVerdict::Reject,
            }
        })
    }

    fn check_interactive(&mut self, answers: Option<Vec<SecretBytes>>) -> Answer<KeyboardInteractiveVerdict> {
        let asking = self.0.ask(move |question| ToMonitor::CheckInteractive { question, answers });
        Box::pin(async move {
            match asking.await {
                Some((FromMonitor::Interactive { verdict, .. }, _)) => verdict,
                _ => KeyboardInteractiveVerdict::Reject,
            }
        })
    }

    /// The monitor said what is allowed when it granted the last method; `none` is granted without a question.
    fn logged_in(&mut self, methods: &[String], _client: &str) -> Permissions {
        if methods.iter().any(|method| method == names::AUTH_NONE) {
            let _ = self.0.tell(&ToMonitor::NoneSucceeded {});
        }
        self.0.state().permissions.clone()
    }

    fn start(&mut self, requests: SessionRequests) -> Answer<io::Result<StartedSession>> {
        let link = self.0.clone();
        let (sender, exit) = oneshot::channel();
        let session = {
            let mut state = link.state();
            let session = state.number();
            state.exits.insert(session, sender);
            session
        };
        let asking = link.ask(move |question| ToMonitor::Start { question, session, requests });
        Box::pin(async move {
            let gone = || io::Error::new(io::ErrorKind::BrokenPipe, "the monitor is gone");
            match asking.await.ok_or_else(gone)? {
                (FromMonitor::Started { streams, preamble, .. }, fds) => {
                    let process = Box::new(RemoteProcess { link, session, exit });
                    Ok(StartedSession { streams: join(streams, fds)?, process, preamble })
                }
                (FromMonitor::NotStarted { why, .. }, _) => {
                    link.state().exits.remove(&session);
                    Err(io::Error::other(why))
                }
                _ => Err(io::ErrorKind::InvalidData.into()),
            }
        })
    }

    fn connect(&mut self, target: Target) -> Answer<Result<Descriptor, Refused>> {
        remote_forward::connect(&self.0, target)
    }

    fn listen(&mut self, place: Place) -> Answer<Result<Listening, Refused>> {
        remote_forward::listen(&self.0, place)
    }
}

fn join(kind: StreamsKind, fds: Vec<OwnedFd>) -> io::Result<SessionStreams> {
    let mut fds = fds.into_iter();
    let mut next = || fds.next().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData));
    match kind {
        StreamsKind::Terminal => terminal_streams(next()?),
        StreamsKind::Pipes => Ok(SessionStreams::Pipes {
            stdin: Descriptor::pipe(next()?)?,
            stdout: Descriptor::pipe(next()?)?,
            stderr: Descriptor::pipe(next()?)?,
        }),
    }
}

/// A session that the helper started.
struct RemoteProcess {
    link: Arc<RemoteLink>,
    session: u32,
    exit: oneshot::Receiver<Exit>,
}

impl Process for RemoteProcess {
    fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<Exit> {
        // Without a monitor nobody can tell any more.
        Pin::new(&mut self.exit).poll(cx).map(|exit| exit.unwrap_or(Exit::Status(255)))
    }

    fn signal(&mut self, name: &str) -> io::Result<()> {
        self.link.tell(&ToMonitor::Signal { session: self.session, name: name.to_owned() })
    }

    fn hang_up(&mut self) {
        let _ = self.link.tell(&ToMonitor::HangUp { session: self.session });
    }

    fn kill(&mut self) {
        let _ = self.link.tell(&ToMonitor::Kill { session: self.session });
    }
}
