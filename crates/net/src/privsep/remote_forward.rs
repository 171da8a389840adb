//! The net process's side of forwards: it makes no socket, it is handed them.

use super::message::{FromMonitor, ToMonitor};
use super::remote::RemoteLink;
use crate::descriptor::Descriptor;
use crate::forward::Arrival;
use crate::server::authority::{Acceptor, Answer, Listening, Place, Refused, Target};
use nacre_wire::forward::Originator;
use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// Connections that wait to be taken from one listener; beyond that they are closed.
const MAX_WAITING: usize = 1024;

/// Where those who come to listeners are handed in.
#[derive(Default)]
pub(super) struct Listeners(HashMap<u32, mpsc::Sender<Arrival>>);

impl Listeners {
    /// Somebody came. If nobody wants them any more, they are closed.
    pub(super) fn arrived(&self, listener: u32, originator: Originator, fds: Vec<OwnedFd>) {
        let Some(waiting) = self.0.get(&listener) else { return };
        let socket = fds.into_iter().next().and_then(|fd| Descriptor::nonblocking(fd).ok());
        if let Some(socket) = socket {
            let _ = waiting.try_send(Arrival { socket, originator });
        }
    }
}

fn gone() -> Refused {
    Refused::failed("the monitor is gone")
}

/// Asks for a connection.
pub(super) fn connect(link: &Arc<RemoteLink>, target: Target) -> Answer<Result<Descriptor, Refused>> {
    let asking = link.ask(move |question| ToMonitor::Connect { question, target });
    Box::pin(async move {
        match asking.await {
            Some((FromMonitor::Connected { .. }, fds)) => {
                let socket = fds.into_iter().next().ok_or_else(gone)?;
                Descriptor::nonblocking(socket).map_err(|error| Refused::failed(error.to_string()))
            }
            Some((FromMonitor::NotForwarded { refused, .. }, _)) => Err(refused),
            _ => Err(gone()),
        }
    })
}

/// Asks for a listener.
pub(super) fn listen(link: &Arc<RemoteLink>, place: Place) -> Answer<Result<Listening, Refused>> {
    let (sender, arrivals) = mpsc::channel(MAX_WAITING);
    let listener = {
        let mut state = link.state();
        let listener = state.number();
        state.listeners.0.insert(listener, sender);
        listener
    };
    let asking = link.ask(move |question| ToMonitor::Listen { question, listener, place });
    let link = link.clone();
    Box::pin(async move {
        match asking.await {
            Some((FromMonitor::Listening { port, .. }, _)) => {
                Ok(Listening { port, acceptor: Box::new(RemoteAcceptor { link, listener, arrivals }) })
            }
            answer => {
                link.state().listeners.0.remove(&listener);
                match answer {
                    Some((FromMonitor::NotForwarded { refused, .. }, _)) => Err(refused),
                    _ => Err(gone()),
                }
            }
        }
    })
}

/// A listener of the helper.
struct RemoteAcceptor {
    link: Arc<RemoteLink>,
    listener: u32,
    arrivals: mpsc::Receiver<Arrival>,
}

impl Acceptor for RemoteAcceptor {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Arrival>> {
        self.arrivals.poll_recv(cx).map(|arrival| arrival.ok_or_else(|| io::ErrorKind::BrokenPipe.into()))
    }
}

impl Drop for RemoteAcceptor {
    fn drop(&mut self) {
        self.link.state().listeners.0.remove(&self.listener);
        let _ = self.link.tell(&ToMonitor::StopListening { listener: self.listener });
    }
}
