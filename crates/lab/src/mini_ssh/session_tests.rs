#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::end::testing::events;

const NOW: Moment = Moment::FIXED;

fn pair() -> (Session, Session) {
    let random = Randomness::new(Some(1));
    let session = |role, part| Session::new(role, &Repairs::NONE, random.part(part)).unwrap();
    (session(Role::Server, "server"), session(Role::Client, "client"))
}

fn open_pair() -> (Session, Session) {
    let (mut server, mut client) = pair();
    let hello = client.take_output();
    assert_eq!((hello.len(), &hello[..4]), (36, &[0, 0, 0, 32][..]));
    server.receive(&hello);
    assert_eq!(events(&mut server), [Event::Established]);
    client.receive(&server.take_output());
    events(&mut client);
    (server, client)
}

fn text(text: &str) -> Event {
    Event::Text(text.as_bytes().to_vec())
}

#[test]
fn lab_mini_ssh_talks_both_ways() {
    let (mut server, mut client) = open_pair();
    server.say(NOW, b"Username: ");
    client.receive(&server.take_output());
    assert_eq!(events(&mut client), [text("Username: ")]);
    client.say(NOW, "Grüße".as_bytes());
    server.receive(&client.take_output());
    assert_eq!(events(&mut server), [text("Grüße")]);
}

#[test]
fn lab_mini_ssh_lets_the_rest_wait_while_it_is_held() {
    let (mut server, mut client) = open_pair();
    for word in ["one", "two", "three"] {
        client.say(NOW, word.as_bytes());
    }
    server.receive(&client.take_output());
    let mut first = server.poll_event();
    while matches!(first, Some(Event::Step(_))) {
        first = server.poll_event();
    }
    assert_eq!(first, Some(text("one")));
    server.hold(true);
    assert_eq!(events(&mut server), []);
    server.hold(false);
    assert_eq!(events(&mut server), [text("two"), text("three")]);
    server.hold(true);
    server.receive(&vec![0; 2 * MAX_FRAME + 1]);
    assert_eq!(events(&mut server), [Event::Broken(Fault::OutOfTurn)]);
}

#[test]
fn lab_mini_ssh_closes_on_what_does_not_verify() {
    let (mut server, mut client) = open_pair();
    client.say(NOW, b"whoami");
    let mut changed = client.take_output();
    let last = changed.len() - 3;
    changed[last] = if changed[last] == b'A' { b'B' } else { b'A' };
    for wrong in [changed, framed(b"no token"), vec![0, 16, 0, 1]] {
        let (mut server, _) = open_pair();
        server.receive(&wrong);
        let seen = events(&mut server);
        assert!(matches!(&seen[..], [Event::Broken(_)]), "{seen:?}");
        assert_eq!(server.take_output(), b"");
    }
    for wrong in [framed(&[0; 32]), framed(&[9; 31]), framed(b"")] {
        let (mut server, _) = pair();
        server.receive(&wrong);
        assert!(matches!(&events(&mut server)[..], [Event::Broken(_)]));
        assert_eq!(server.take_output(), b"");
    }
    assert_eq!(events(&mut server), []);
}

/// A captured frame counts again: nothing in a token says which one it is.
#[test]
fn lab_a04_mini_ssh_takes_a_frame_twice() {
    let (mut server, mut client) = open_pair();
    client.say(NOW, b"whoami");
    let frame = client.take_output();
    server.receive(&frame);
    server.receive(&frame);
    assert_eq!(events(&mut server), [text("whoami"), text("whoami")]);
}
