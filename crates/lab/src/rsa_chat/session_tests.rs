#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::end::testing::{events, talk};

fn pair() -> (Session, Session) {
    let random = Randomness::new(Some(1));
    let key = ServerKey::generate(2048, &mut Randomness::new(None)).unwrap();
    (
        Session::server(&key, &Repairs::NONE, random.part("server")),
        Session::client(&Repairs::NONE, random.part("client")),
    )
}

fn open_pair() -> (Session, Session) {
    let (mut server, mut client) = pair();
    talk(&mut server, &mut client);
    client.say("Alice");
    talk(&mut server, &mut client);
    let seen = events(&mut server);
    assert!(matches!(&seen[..], [Event::KeyReceived { sealed: 256, .. }, Event::Name(name)] if name == b"Alice"));
    let seen = events(&mut client);
    assert!(matches!(seen[..], [Event::Exchanged { bits: 2048, pem: 451, sealed: 256, .. }, Event::Confirmed]));
    server.accept();
    (server, client)
}

fn text(text: &str) -> Event {
    Event::Text(text.as_bytes().to_vec())
}

#[test]
fn lab_rsa_chat_talks_both_ways() {
    let (mut server, mut client) = open_pair();
    client.say("/pm Bob hi");
    server.say("[t] Bob: Grüße");
    talk(&mut server, &mut client);
    assert_eq!(events(&mut server), [text("/pm Bob hi")]);
    assert_eq!(events(&mut client), [text("[t] Bob: Grüße")]);
}

/// A client need not wait until its name is taken.
#[test]
fn lab_rsa_chat_lets_what_follows_a_name_wait() {
    let (mut server, mut client) = pair();
    talk(&mut server, &mut client);
    assert_eq!((events(&mut server).len(), events(&mut client).len()), (1, 2));
    for text in ["Alice", "hello", "/list"] {
        client.say(text);
    }
    server.receive(&client.take_output());
    assert_eq!(events(&mut server), [Event::Name(b"Alice".to_vec())]);
    server.accept();
    assert_eq!(events(&mut server), [text("hello"), text("/list")]);
}

#[test]
fn lab_rsa_chat_shows_the_same_prefix_at_both_ends() {
    let (mut server, mut client) = pair();
    talk(&mut server, &mut client);
    let (Event::KeyReceived { prefix: there, .. }, Event::Exchanged { prefix: here, .. }) =
        (events(&mut server).remove(0), events(&mut client).remove(0))
    else {
        panic!("other events")
    };
    assert_eq!((there.len(), there), (9, here));
}

#[test]
fn lab_rsa_chat_rejects_what_cannot_be_opened_and_goes_on() {
    let (mut server, mut client) = open_pair();
    let bad = [&b"not base64!"[..], b"AAAA", &[b'A'; 64], b"=", &[255; 3]];
    for wrong in bad {
        server.receive(&blob(wrong));
    }
    talk(&mut server, &mut client);
    assert_eq!(events(&mut client), vec![text(REJECTED); bad.len()]);
    client.receive(&blob(b"AAAA"));
    assert_eq!(client.take_output(), b"");
    client.say("still here");
    talk(&mut server, &mut client);
    assert_eq!(events(&mut server), [text("still here")]);
}

#[test]
fn lab_rsa_chat_closes_on_what_is_no_handshake() {
    for wrong in [blob(b""), blob(&[1; 256]), blob(&[1; 257]), b"99999".to_vec(), b"9999999999".to_vec(), b"x".to_vec()]
    {
        let (mut server, mut client) = pair();
        server.take_output();
        server.receive(&wrong);
        let seen = events(&mut server);
        assert!(server.take_output().is_empty());
        let waits = wrong == b"99999";
        assert_eq!(matches!(&seen[..], [Event::Broken(_)]), !waits, "{wrong:?}");
        client.receive(&blob(b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"));
        assert!(matches!(&events(&mut client)[..], [Event::Broken(Fault::NotAsStated(_))]));
    }
}

#[test]
fn lab_rsa_chat_wants_its_confirmation() {
    let (mut server, mut client) = pair();
    client.receive(&server.take_output());
    client.receive(&blob(b"AAAA"));
    assert!(matches!(&events(&mut client)[1..], [Event::Broken(Fault::NotAsStated("the confirmation"))]));
}
