//! A server and a client in one place: what both do, step by step, with nobody in between.

use crate::console::{Address, ConnectionId, Console, Effect, Input, SERVER};
use crate::{Moment, Row, Step, Who};
use nacre_wire::Role;
use std::collections::VecDeque;

/// The server's name for its only client.
const CLIENT: ConnectionId = 1;
/// Where that client seems to be.
const PORT: u16 = 54321;

/// What one end does to the other.
enum Delivery {
    Bytes(Role, Vec<u8>),
    Close(Role),
}

/// Brings bytes to an end and gives what came out there.
type Carry<'a, E> = &'a mut dyn FnMut(Role, Vec<u8>) -> Result<Vec<u8>, E>;

struct Stage<'a> {
    server: &'a mut dyn Console,
    client: &'a mut dyn Console,
    now: Moment,
    deliveries: VecDeque<Delivery>,
    told: &'a mut dyn FnMut(Step),
    over: bool,
}

/// Runs both to the client's end. `lines` are typed at the client, one when it wants one. What one end says is carried to
/// the other by `carry`. Each step is told once, by the end that does it.
///
/// # Errors
/// What `carry` says.
pub fn rehearse<E>(
    server: &mut dyn Console,
    client: &mut dyn Console,
    now: Moment,
    lines: &[&str],
    carry: Carry<'_, E>,
    told: &mut dyn FnMut(Step),
) -> Result<(), E> {
    let mut stage = Stage { server, client, now, deliveries: VecDeque::new(), told, over: false };
    stage.at(Role::Server, Input::Start);
    stage.at(Role::Client, Input::Start);
    let mut lines = lines.iter();
    loop {
        if let Some(delivery) = stage.deliveries.pop_front() {
            stage.deliver(delivery, carry)?;
        } else if stage.client.wants_line() && !stage.over {
            stage.at(Role::Client, Input::Line(lines.next().copied()));
        } else {
            return Ok(());
        }
    }
}

impl Stage<'_> {
    fn console(&mut self, role: Role) -> &mut dyn Console {
        match role {
            Role::Server => self.server,
            Role::Client => self.client,
        }
    }

    fn deliver<E>(&mut self, delivery: Delivery, carry: Carry<'_, E>) -> Result<(), E> {
        let id = |to| if to == Role::Server { CLIENT } else { SERVER };
        match delivery {
            Delivery::Bytes(to, bytes) => self.at(to, Input::Received { id: id(to), bytes: &carry(to, bytes)? }),
            Delivery::Close(to) => self.at(to, Input::Closed { id: id(to) }),
        }
        Ok(())
    }

    /// Tells one end what happened and does what it wants.
    fn at(&mut self, role: Role, input: Input<'_>) {
        let now = self.now;
        self.console(role).handle(now, input);
        while let Some(effect) = self.console(role).poll() {
            match effect {
                Effect::Connect => self.connect(),
                Effect::Send { bytes, .. } => self.deliveries.push_back(Delivery::Bytes(role.peer(), bytes)),
                Effect::Close { .. } => self.deliveries.push_back(Delivery::Close(role.peer())),
                Effect::Step { step, .. } if step.who == Who::from(role) => (self.told)(*step),
                Effect::Stop { .. } | Effect::Leave if role == Role::Client => self.over = true,
                _ => {}
            }
        }
    }

    fn connect(&mut self) {
        (self.told)(Step::new(Row::Connect, 1, Role::Client, "tcp", "connects; nothing says who answers"));
        let peer = Address { host: "127.0.0.1".to_owned(), port: PORT };
        self.at(Role::Server, Input::Connected { id: CLIENT, peer: peer.clone() });
        self.at(Role::Client, Input::Connected { id: SERVER, peer });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{Randomness, Repairs, dh_chat, mini_ssh, rsa_chat, toy_socket};

    fn run(server: &mut dyn Console, client: &mut dyn Console, lines: &[&str]) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut carry = |_, bytes| Ok::<_, std::convert::Infallible>(bytes);
        rehearse(server, client, Moment::FIXED, lines, &mut carry, &mut |step| steps.push(step)).unwrap();
        steps
    }

    /// Each protocol's steps are those of its description, in its order, and each belongs to one end.
    #[test]
    fn lab_every_protocol_can_be_rehearsed() {
        let random = || Randomness::new(Some(1));
        let settings = dh_chat::Settings { iterations: 1, ..dh_chat::Settings::default() };
        let dh = run(
            &mut dh_chat::Server::new(settings, Repairs::NONE, random(), 1),
            &mut dh_chat::Client::new(settings, &Repairs::NONE, &random(), "h", 1),
            &["hello"],
        );
        let rsa = run(
            &mut rsa_chat::Server::new(2048, Repairs::NONE, random(), 1).unwrap(),
            &mut rsa_chat::Client::new(&Repairs::NONE, &random(), "h", 1),
            &["Alice", "hello"],
        );
        let mini = run(
            &mut mini_ssh::Server::new(mini_ssh::Settings::default(), Repairs::NONE, random(), 1),
            &mut mini_ssh::Client::new(&Repairs::NONE, &random(), "h", 1).unwrap(),
            &["user", "pass123", "whoami"],
        );
        let toy = run(
            &mut toy_socket::Server::new(9, Repairs::NONE, random(), 1),
            &mut toy_socket::Client::new(9, &Repairs::NONE, &random(), "h", 1).unwrap(),
            &["hello"],
        );
        let names = |steps: &[Step]| -> Vec<String> {
            steps.iter().map(|step| format!("{} {}", step.who.word(), step.name)).collect()
        };
        assert_eq!(
            names(&dh),
            [
                "client tcp",
                "server group",
                "server public",
                "client key",
                "client public",
                "server key",
                "client message",
                "client message",
                "client exit",
            ]
        );
        assert_eq!(
            names(&rsa),
            [
                "client tcp",
                "server public key",
                "client key",
                "server message",
                "client message",
                "client message",
                "client message",
                "server quit",
            ]
        );
        // Asked for a name and a password, let in, a command with its output, the end: each side's turn is one token.
        assert_eq!(
            names(&mini),
            [
                "client tcp",
                "client public",
                "server public",
                "server key",
                "server token",
                "client key",
                "client token",
                "server token",
                "client token",
                "server token",
                "client token",
                "server token",
                "client token",
                "server token",
                "server end",
            ]
        );
        assert_eq!(
            names(&toy),
            [
                "client tcp",
                "client public",
                "server key",
                "server public",
                "client key",
                "client rsa key",
                "server rsa key",
                "client message",
                "server message",
                "client message",
                "client end",
            ]
        );
        for step in dh.iter().chain(&rsa).chain(&mini).chain(&toy) {
            assert!(step.row >= Row::Connect && (1..=9).contains(&step.step), "{}", step.name);
        }
    }
}
