#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::frame::MAX_PASSED_ON;

/// A server and its clients, without sockets.
struct Room {
    server: Server,
    clients: BTreeMap<ConnectionId, Session>,
    /// Steps that the server told, by connection.
    steps: BTreeMap<ConnectionId, usize>,
    /// Texts that clients got.
    heard: Vec<(ConnectionId, Vec<u8>)>,
}

impl Room {
    fn new(names: &[&str]) -> Self {
        let random = Randomness::new(Some(1));
        let key = ServerKey::generate(2048, &mut Randomness::new(None)).unwrap();
        let server = Server::with_key(key, Repairs::NONE, random.part("server"), 1);
        let mut room = Self { server, clients: BTreeMap::new(), steps: BTreeMap::new(), heard: Vec::new() };
        for (id, name) in (1..).zip(names) {
            room.clients.insert(id, Session::client(&Repairs::NONE, random.part(name)));
            let peer = Address { host: "127.0.0.1".to_owned(), port: 1 };
            room.server.handle(Moment::FIXED, Input::Connected { id, peer });
            room.carry();
            room.say(id, name);
        }
        room
    }

    fn say(&mut self, id: ConnectionId, text: &str) {
        self.clients.get_mut(&id).unwrap().say(text);
        self.carry();
    }

    /// Carries bytes until all are silent. Nobody may be closed.
    fn carry(&mut self) {
        loop {
            while let Some(effect) = self.server.poll() {
                match effect {
                    Effect::Send { to, bytes } => self.clients.get_mut(&to).unwrap().receive(&bytes),
                    Effect::Step { id, .. } => *self.steps.entry(id).or_default() += 1,
                    Effect::Print(_) => {}
                    other => unreachable!("{other:?}"),
                }
            }
            let mut silent = true;
            for (id, client) in &mut self.clients {
                while let Some(event) = client.poll_event() {
                    assert!(!matches!(event, Event::Broken(_)), "{id}: {event:?}");
                    if let Event::Text(text) = event {
                        self.heard.push((*id, text));
                    }
                }
                let bytes = client.take_output();
                silent &= bytes.is_empty();
                self.server.handle(Moment::FIXED, Input::Received { id: *id, bytes: &bytes });
            }
            if silent {
                return;
            }
        }
    }
}

#[test]
fn lab_rsa_chat_nothing_piles_up_for_who_only_listens() {
    let mut room = Room::new(&["Alice", "Bob"]);
    let before = room.steps[&2];
    for _ in 0..20 {
        room.say(1, "hello");
    }
    assert_eq!(room.steps[&2], before + 20);
    assert_eq!(room.server.clients.get_mut(&2).unwrap().session.poll_event(), None);
}

/// The longest that a member can say becomes longer with its name before it, and where it is no text.
#[test]
fn lab_rsa_chat_a_long_line_disconnects_nobody() {
    let mut room = Room::new(&["Alice", "Bob"]);
    room.heard.clear();
    room.say(1, &"x".repeat(786_399));
    room.say(1, &"\u{202e}".repeat(262_000));
    let sizes: Vec<_> = room.heard.iter().map(|(id, text)| (*id, text.len())).collect();
    assert_eq!((sizes.len(), sizes[0]), (2, (2, MAX_PASSED_ON)));
    assert!(sizes[1].0 == 2 && (MAX_PASSED_ON - 3..=MAX_PASSED_ON).contains(&sizes[1].1), "{sizes:?}");
}
