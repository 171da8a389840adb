//! The monitor's part in forwards: it judges, has the helper make the sockets as the user, and hands descriptors on.
//! Neither the net process nor the helper is believed about what may be forwarded.

use super::helper_messages::ToHelper;
use super::monitor::Monitor;
use crate::serve::audit::ForwardSpec;
use nacre_net::privsep::FromMonitor;
use nacre_net::server::authority::{Place, Refused, Target};
use nacre_wire::forward::Originator;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Forwards of one connection.
#[derive(Default)]
pub(super) struct Forwards {
    /// Connections that the helper was asked to make, by the net process's question.
    connecting: Vec<(u32, ForwardSpec)>,
    listeners: Vec<Listener>,
}

/// A place that is listened on, or will be.
struct Listener {
    number: u32,
    /// The question that waits until it stands.
    question: Option<u32>,
    place: Place,
    port: u16,
}

impl Monitor<'_> {
    /// The net process wants a connection for its client.
    pub(super) fn connect(&mut self, question: u32, target: Target) -> io::Result<()> {
        let spec = ForwardSpec::connect(&target);
        let asked = self.may_forward().and_then(|()| self.judge.may_connect(&target));
        let asked = asked.and_then(|()| self.ask_helper_to(&ToHelper::Connect { forward: question, target }));
        self.forwards.connecting.push((question, spec));
        match asked {
            Ok(()) => Ok(()),
            Err(refused) => self.not_connected(question, refused),
        }
    }

    /// The net process wants us to listen for its client.
    pub(super) fn listen(&mut self, question: u32, number: u32, place: Place) -> io::Result<()> {
        let plan = self.may_forward().and_then(|()| self.judge.plan_listening(&place));
        let asked = plan.and_then(|plan| self.ask_helper_to(&ToHelper::Listen { forward: number, plan }));
        self.forwards.listeners.push(Listener { number, question: Some(question), place, port: 0 });
        match asked {
            Ok(()) => Ok(()),
            Err(refused) => self.not_listening(number, refused),
        }
    }

    /// The net process's client has enough of a listener.
    pub(super) fn stop_listening(&mut self, number: u32) -> io::Result<()> {
        self.forwards.listeners.retain(|listener| listener.number != number);
        self.gate.listener_over(number);
        self.pass_on(&ToHelper::StopListening { forward: number })
    }

    /// PAM may want a new password before anything else.
    fn may_forward(&self) -> Result<(), Refused> {
        match &self.pam {
            Some(pam) if pam.must_change() => Err(Refused::prohibited("the password must be changed first")),
            _ => Ok(()),
        }
    }

    fn ask_helper_to(&mut self, message: &ToHelper) -> Result<(), Refused> {
        let asked = self.start_helper().and_then(|()| self.tell_helper(message));
        asked.map_err(|error| Refused::failed(error.to_string()))
    }

    fn take_connecting(&mut self, question: u32) -> Option<ForwardSpec> {
        let place = self.forwards.connecting.iter().position(|(known, _)| *known == question)?;
        self.gate.connect_over(question);
        Some(self.forwards.connecting.swap_remove(place).1)
    }

    /// The helper made a connection. False when nobody asked for it.
    pub(super) fn connected(&mut self, question: u32, fds: &[OwnedFd]) -> io::Result<bool> {
        let [socket] = fds else { return Ok(false) };
        let Some(spec) = self.take_connecting(question) else { return Ok(false) };
        self.judge.trail.forward(&spec, None);
        self.answer(&FromMonitor::Connected { question }, &[socket.as_fd()]).map(|()| true)
    }

    /// A connection will not be.
    pub(super) fn not_connected(&mut self, question: u32, refused: Refused) -> io::Result<()> {
        if let Some(spec) = self.take_connecting(question) {
            self.judge.trail.forward(&spec, Some(&refused));
        }
        self.answer(&FromMonitor::NotForwarded { question, refused }, &[])
    }

    /// The helper listens. One that was given up meanwhile was told to stop.
    pub(super) fn listening(&mut self, number: u32, port: u16) -> io::Result<()> {
        let Some(listener) = self.forwards.listeners.iter_mut().find(|known| known.number == number) else {
            return Ok(());
        };
        let Some(question) = listener.question.take() else { return Ok(()) };
        listener.port = port;
        let spec = ForwardSpec::listen(&listener.place, port);
        self.judge.trail.forward(&spec, None);
        self.answer(&FromMonitor::Listening { question, port }, &[])
    }

    /// A listener will not be.
    pub(super) fn not_listening(&mut self, number: u32, refused: Refused) -> io::Result<()> {
        let Some(place) = self.forwards.listeners.iter().position(|known| known.number == number) else {
            return Ok(());
        };
        let listener = self.forwards.listeners.swap_remove(place);
        self.gate.listener_over(number);
        self.judge.trail.forward(&ForwardSpec::listen(&listener.place, 0), Some(&refused));
        match listener.question {
            Some(question) => self.answer(&FromMonitor::NotForwarded { question, refused }, &[]),
            None => Ok(()),
        }
    }

    /// Somebody came to a listener. When it was given up meanwhile they are let go.
    pub(super) fn arrived(&mut self, number: u32, originator: Originator, fds: &[OwnedFd]) -> io::Result<()> {
        let stands = |known: &&Listener| known.number == number && known.question.is_none();
        let (Some(listener), [socket]) = (self.forwards.listeners.iter().find(stands), fds) else { return Ok(()) };
        self.judge.trail.forward(&ForwardSpec::arrival(&listener.place, listener.port, &originator), None);
        self.answer(&FromMonitor::Arrived { listener: number, originator }, &[socket.as_fd()])
    }

    /// The helper is gone: nothing that it was asked for will be.
    pub(super) fn forwards_are_over(&mut self) {
        let connecting: Vec<u32> = self.forwards.connecting.iter().map(|(question, _)| *question).collect();
        for question in connecting {
            let _ = self.not_connected(question, Refused::failed("the helper is gone"));
        }
        let listeners: Vec<u32> = self.forwards.listeners.iter().map(|listener| listener.number).collect();
        for number in listeners {
            let _ = self.not_listening(number, Refused::failed("the helper is gone"));
        }
    }
}
