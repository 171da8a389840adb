#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::end::testing::{events, talk};
use crate::{Fix, Fixes};

fn session(role: Role) -> Session {
    let part = if role == Role::Client { "client" } else { "server" };
    Session::new(role, super::super::BITS, &Repairs::NONE, Randomness::new(Some(1)).part(part)).unwrap()
}

fn open_pair() -> (Session, Session) {
    let (mut server, mut client) = (session(Role::Server), session(Role::Client));
    talk(&mut server, &mut client);
    assert_eq!((events(&mut server), events(&mut client)), (vec![Event::Established], vec![Event::Established]));
    (server, client)
}

#[test]
fn lab_toy_socket_talks_and_parts() {
    let (mut server, mut client) = open_pair();
    client.say("Grüße".as_bytes());
    talk(&mut server, &mut client);
    assert_eq!(events(&mut server), [Event::Text("Grüße".into())]);
    client.leave();
    talk(&mut server, &mut client);
    assert_eq!(events(&mut server), [Event::Left]);
}

#[test]
fn lab_toy_socket_answers_what_is_wrong_and_goes_on() {
    let (mut server, mut client) = open_pair();
    client.say(b"pay 10");
    let line = String::from_utf8(client.take_output()).unwrap();
    let (ciphertext, signature) = line.trim_end().split_once('|').unwrap();
    // The signature is right for what it signs, which is no whole block.
    let short = BASE64.encode(&client.suite.sign(&[7; 3]));
    for (wrong, answer) in [
        (format!("{ciphertext}|AAAA\n"), BAD_SIGNATURE),
        (format!("AAAA{ciphertext}|{signature}\n"), BAD_SIGNATURE),
        (format!("{ciphertext}|{signature}A\n"), BAD_SIGNATURE),
        (format!("{ciphertext}|\n"), BAD_SIGNATURE),
        (format!("{}|{short}\n", BASE64.encode(&[7; 3])), BAD_MESSAGE),
    ] {
        server.receive(wrong.as_bytes());
        assert_eq!(server.take_output(), format!("{answer}\n").as_bytes(), "{wrong}");
        assert_eq!(events(&mut server), [Event::Rejected(answer)]);
    }
    // With a line end of another kind, in pieces.
    for piece in line.replace('\n', "\r\n").as_bytes().chunks(3) {
        server.receive(piece);
    }
    assert_eq!(events(&mut server), [Event::Text(b"pay 10".to_vec())]);
    client.receive(b"ERROR bad signature\n");
    assert_eq!(events(&mut client), [Event::Error("ERROR bad signature".to_owned())]);
    assert_eq!(client.take_output(), b"");
}

#[test]
fn lab_toy_socket_closes_on_what_is_not_as_stated() {
    for wrong in ["0\n", "65521\n", "-1\n", "x\n", "\n", "4294967297\n", "7\n3,15\n", "7\nERROR x\n"] {
        let mut server = session(Role::Server);
        server.receive(wrong.as_bytes());
        let out = String::from_utf8(server.take_output()).unwrap();
        assert!(out.ends_with("ERROR bad message\n"), "{wrong:?}: {out}");
        assert!(matches!(&events(&mut server)[..], [Event::Broken(Fault::NotAsStated(_))]));
    }
    let (mut server, _) = open_pair();
    server.receive(b"no bar\nand more\n");
    assert_eq!(server.take_output(), b"ERROR bad message\n");
    let mut server = session(Role::Server);
    server.receive(&vec![b'1'; MAX_LINE + 1]);
    assert_eq!(server.take_output(), b"");
    assert!(matches!(&events(&mut server)[..], [Event::Broken(Fault::TooLong { .. })]));
}

/// The longest text comes back in an answer, whatever the fixes add to a line.
#[test]
fn lab_toy_socket_answers_the_longest_text() {
    for fixes in [Fixes::NONE, Fix::F3.into(), Fix::F6.into(), Fixes::from(Fix::F3).with(Fix::F6)] {
        let repairs = Repairs { fixes, ..Repairs::NONE };
        let [mut server, mut client] = [Role::Server, Role::Client]
            .map(|role| Session::new(role, super::super::BITS, &repairs, Randomness::new(Some(1))).unwrap());
        talk(&mut server, &mut client);
        events(&mut server);
        events(&mut client);
        let answer = [b"Server received: ".as_slice(), &vec![b'x'; super::super::MAX_TEXT]].concat();
        server.say(&answer);
        talk(&mut server, &mut client);
        assert_eq!(events(&mut client), [Event::Text(answer)], "{fixes}");
    }
}

/// The longest line, with its end in two pieces.
#[test]
fn lab_toy_socket_takes_a_longest_line_whose_end_comes_in_pieces() {
    let mut server = session(Role::Server);
    server.receive(&[vec![b'0'; MAX_LINE].as_slice(), b"\r"].concat());
    assert_eq!(events(&mut server), []);
    server.receive(b"\r");
    assert!(matches!(&events(&mut server)[..], [Event::Broken(Fault::TooLong { .. })]));
}

/// 1 and P-1 are taken: nothing checks them.
#[test]
fn lab_a03_toy_socket_takes_values_that_fix_the_key() {
    for value in ["1\n", "65520\n"] {
        let mut server = session(Role::Server);
        server.receive(value.as_bytes());
        let State::AwaitKey { secret: Secret::Toy(key) } = server.state else { panic!("refused") };
        assert!([1, 65520].contains(&key));
    }
}

/// Each direction has its own signing key, so what is sent back does not verify.
#[test]
fn lab_a06_toy_socket_does_not_take_its_own_lines() {
    let (_, mut client) = open_pair();
    client.say(b"hello");
    let line = client.take_output();
    client.receive(&line);
    assert_eq!(events(&mut client), [Event::Rejected(BAD_SIGNATURE)]);
}
