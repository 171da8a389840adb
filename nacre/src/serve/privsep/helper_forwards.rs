//! The helper's forwards: sockets that are made as the user, on a thread of their own that is started with the first.

use super::helper_messages::{FromHelper, ListenPlan};
use crate::serve::forward::{AgentSocket, Listeners, connect, listen};
use nacre_net::server::authority::{Acceptor, Refused, Target};
use nacre_sys::messages::{MessageSocket, is_crowded};
use nacre_sys::privileges;
use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;

/// How often a descriptor is offered that the monitor has no room for, and how long is waited between.
pub(super) const OFFERS: u32 = 500;
pub(super) const BETWEEN_OFFERS: Duration = Duration::from_millis(20);

/// What the thread is told to do.
enum Job {
    Connect { forward: u32, target: Target },
    Listen { forward: u32, plan: ListenPlan },
    ListenForAgent { forward: u32, socket: AgentSocket, listener: UnixListener },
    Stop { forward: u32 },
}

/// The thread. Dropping this ends it and everything it listens on.
pub(super) struct HelperForwards {
    jobs: Option<UnboundedSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl HelperForwards {
    /// Starts the thread, which answers the monitor itself.
    ///
    /// # Errors
    /// There is no room for one more.
    pub(super) fn start(monitor: Arc<MessageSocket>) -> io::Result<Self> {
        // What is started for the user gets the limit of before.
        let _ = privileges::raise_open_files();
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let (jobs, queue) = unbounded_channel();
        let work = move || {
            runtime.block_on(serve(&monitor, queue));
            // A name that is still being looked up must keep nobody here.
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name("forwards".into()).spawn(work)?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    fn tell(&self, job: Job) {
        // The thread ends before this only when it panicked, and then the client waits in vain.
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(job);
        }
    }

    pub(super) fn connect(&self, forward: u32, target: Target) {
        self.tell(Job::Connect { forward, target });
    }

    pub(super) fn listen(&self, forward: u32, plan: ListenPlan) {
        self.tell(Job::Listen { forward, plan });
    }

    pub(super) fn listen_for_agent(&self, forward: u32, socket: AgentSocket, listener: UnixListener) {
        self.tell(Job::ListenForAgent { forward, socket, listener });
    }

    pub(super) fn stop(&self, forward: u32) {
        self.tell(Job::Stop { forward });
    }
}

impl Drop for HelperForwards {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(monitor: &Arc<MessageSocket>, mut queue: UnboundedReceiver<Job>) {
    let mut listeners: HashMap<u32, AbortHandle> = HashMap::new();
    while let Some(job) = queue.recv().await {
        let monitor = monitor.clone();
        // Nobody stops those that never began.
        listeners.retain(|_, listener| !listener.is_finished());
        match job {
            Job::Connect { forward, target } => drop(tokio::spawn(connect_one(monitor, forward, target))),
            Job::Listen { forward, plan } => {
                let listening = async move { take_arrivals(monitor, forward, listen(&plan).await).await };
                listeners.insert(forward, tokio::spawn(listening).abort_handle());
            }
            Job::ListenForAgent { forward, socket, listener } => {
                let made = Listeners::for_agent(socket, listener).map(|listeners| (0, listeners));
                listeners.insert(forward, tokio::spawn(take_arrivals(monitor, forward, made)).abort_handle());
            }
            Job::Stop { forward } => {
                if let Some(listener) = listeners.remove(&forward) {
                    listener.abort();
                }
            }
        }
    }
}

async fn connect_one(monitor: Arc<MessageSocket>, forward: u32, target: Target) {
    match connect(&target).await {
        Ok(socket) => {
            if let Err(error) = tell(&monitor, &FromHelper::Connected { forward }, &[socket.as_fd()]).await {
                // The client must not wait for what cannot be handed over.
                let refused = Refused::failed(error.to_string());
                let _ = tell(&monitor, &FromHelper::NotConnected { forward, refused }, &[]).await;
            }
        }
        Err(refused) => drop(tell(&monitor, &FromHelper::NotConnected { forward, refused }, &[]).await),
    }
}

async fn take_arrivals(monitor: Arc<MessageSocket>, forward: u32, made: Result<(u16, Listeners), Refused>) {
    let (port, mut listeners) = match made {
        Ok(listening) => listening,
        Err(refused) => return drop(tell(&monitor, &FromHelper::NotListening { forward, refused }, &[]).await),
    };
    let _ = tell(&monitor, &FromHelper::Listening { forward, port }, &[]).await;
    loop {
        match poll_fn(|cx| listeners.poll_accept(cx)).await {
            Ok(arrival) => {
                let message = FromHelper::Arrived { forward, originator: arrival.originator };
                // Somebody who cannot be handed over is hung up on.
                let _ = tell(&monitor, &message, &[arrival.socket.as_fd()]).await;
            }
            Err(error) => {
                let refused = Refused::failed(format!("it takes no more connections: {error}"));
                return drop(tell(&monitor, &FromHelper::NotListening { forward, refused }, &[]).await);
            }
        }
    }
}

/// Tells the monitor. The kernel bounds how many descriptors of a user are on their way at once: those beyond wait.
///
/// # Errors
/// There was no room for all that time, or the kernel refuses; a monitor that is gone is noticed where its messages are
/// read as well.
async fn tell(monitor: &MessageSocket, message: &FromHelper, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let bytes = message.to_bytes();
    let mut offers = 1..OFFERS;
    loop {
        match monitor.send(&bytes, fds) {
            Err(error) if is_crowded(&error) && offers.next().is_some() => tokio::time::sleep(BETWEEN_OFFERS).await,
            result => return result,
        }
    }
}
