#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::MAX_FRAME;
use crate::end::testing::{events, talk};
use crate::fix::Cipher;

const QUICK: Settings = Settings { bits: 2048, iterations: 2, checks: true, quiet_errors: false };

fn pair(server: Settings, client: Settings) -> (Session, Session) {
    let random = Randomness::new(Some(1));
    let server = Session::server(server, &Repairs::NONE, random.part("server")).unwrap();
    (server, Session::client(client, &Repairs::NONE, random.part("client")))
}

fn open_pair() -> (Session, Session) {
    let (mut server, mut client) = pair(QUICK, QUICK);
    talk(&mut server, &mut client);
    assert_eq!(events(&mut server), [Event::Established]);
    assert_eq!(events(&mut client), [Event::Established]);
    (server, client)
}

fn text(text: &str) -> Event {
    Event::Text(text.as_bytes().to_vec())
}

#[test]
fn lab_two_ends_talk_and_part() {
    let (mut server, mut client) = open_pair();
    client.say("Hi, server!");
    server.say("Grüße");
    talk(&mut server, &mut client);
    assert_eq!(events(&mut server), [text("Hi, server!")]);
    assert_eq!(events(&mut client), [text("Grüße")]);
    client.leave();
    talk(&mut server, &mut client);
    assert_eq!(events(&mut server), [Event::Left]);
    server.say("too late");
    assert_eq!(server.take_output(), b"");
}

#[test]
fn lab_the_wire_is_as_written() {
    let (mut server, _) = pair(QUICK, QUICK);
    let out = server.take_output();
    assert_eq!(out[..4], [0, 0, 1, 0]);
    assert_eq!(out[4..12], [255; 8]);
    assert_eq!(out[260..265], [0, 0, 0, 1, 2]);
    assert_eq!(out[265..269], [0, 0, 1, 0]);
    assert_eq!(out.len(), 269 + 256);
}

#[test]
fn lab_the_key_is_pbkdf2_of_the_secret() {
    // hashlib.pbkdf2_hmac('sha256', bytes(255) + b'\x02', b'dh-chat fixed salt', 100000)
    let mut secret = [0; 256];
    secret[255] = 2;
    let key = key::derive(&secret, super::super::ITERATIONS).unwrap();
    assert_eq!(HEXLOWER.encode(&key), "a96e8b175c3a0e5af0a8696033233843e05e39dbf14a48e4342355bb4de7fa7f");
}

#[test]
fn lab_a_large_prime_and_other_rounds_work_when_both_have_them() {
    let settings = Settings { bits: 4096, iterations: 1, ..QUICK };
    let (mut server, mut client) = pair(settings, Settings { iterations: 1, ..QUICK });
    talk(&mut server, &mut client);
    client.say("wide");
    talk(&mut server, &mut client);
    assert_eq!(events(&mut server), [Event::Established, text("wide")]);
    assert!(Session::server(Settings { bits: 1024, ..QUICK }, &Repairs::NONE, Randomness::new(None)).is_err());
}

#[test]
fn lab_what_cannot_be_opened_is_answered_and_the_session_goes_on() {
    let (mut server, mut client) = open_pair();
    server.receive(&framed(&[0; 32]));
    server.receive(&framed(&[0; 5]));
    talk(&mut server, &mut client);
    assert_eq!(events(&mut server), []);
    assert_eq!(events(&mut client), [text(FAILED), text(FAILED)]);
    client.say("still here");
    talk(&mut server, &mut client);
    assert_eq!(events(&mut server), [text("still here")]);
}

#[test]
fn lab_quiet_errors_close_without_a_word() {
    let (mut server, mut client) = pair(Settings { quiet_errors: true, ..QUICK }, QUICK);
    talk(&mut server, &mut client);
    server.receive(&framed(&[0; 32]));
    assert_eq!(server.take_output(), b"");
    assert_eq!(events(&mut server), [Event::Established, Event::Broken(Fault::Undecryptable)]);
}

#[test]
fn lab_ends_with_different_keys_stop_telling_each_other() {
    let (mut server, mut client) = pair(QUICK, Settings { iterations: 3, ..QUICK });
    talk(&mut server, &mut client);
    client.say("hello?");
    // Padding comes out right by chance, or there were too many failures: either way there is silence again.
    talk(&mut server, &mut client);
    assert!(!events(&mut server).contains(&text("hello?")));
    let mut alone = open_pair().0;
    for _ in 0..=MAX_FAILURES {
        alone.receive(&framed(&[0; 5]));
    }
    assert_eq!(events(&mut alone), [Event::Broken(Fault::TooManyFailures)]);
}

#[test]
fn lab_bad_values_of_the_exchange_close_without_an_answer() {
    let mut wide = [0; 256];
    wide[255] = 1;
    for frame in [framed(&wide), framed(&[7; 255]), framed(b""), framed(&[255; 256]), vec![0, 16, 0, 1]] {
        let (mut server, mut client) = pair(QUICK, QUICK);
        server.take_output();
        server.receive(&frame);
        assert_eq!(server.take_output(), b"");
        let seen = events(&mut server);
        assert!(matches!(seen.as_slice(), [Event::Broken(_)]), "{seen:?}");
        // What follows is not read any more.
        server.receive(&framed(&[7; 256]));
        assert_eq!(events(&mut server), []);
        client.receive(&[framed(&[23]), framed(&[2])].concat());
        assert!(matches!(events(&mut client).as_slice(), [Event::Broken(Fault::Refused { .. })]));
        assert_eq!(client.take_output(), b"");
    }
}

#[test]
fn lab_a03_without_checks_a_fixed_secret_goes_through() {
    let settings = Settings { checks: false, ..QUICK };
    let (mut server, _) = pair(settings, settings);
    server.take_output();
    let mut one = [0; 256];
    one[255] = 1;
    server.receive(&framed(&one));
    let key = CbcKey::new(key::derive(&one, QUICK.iterations).unwrap());
    let sealed = key.seal(b"known to all", Moment::FIXED, &mut Randomness::new(Some(9))).unwrap();
    server.receive(&framed(&sealed));
    assert_eq!(events(&mut server), [Event::Established, text("known to all")]);
}

#[test]
fn lab_a_frame_of_no_bytes_is_an_empty_text_and_too_large_a_one_ends() {
    let (mut server, _) = open_pair();
    server.receive(&framed(b""));
    assert_eq!(events(&mut server), [text("")]);
    server.receive(&[255; 4]);
    let fault = Fault::TooLong { announced: u64::from(u32::MAX), most: MAX_FRAME };
    assert_eq!(events(&mut server), [Event::Broken(fault)]);
}

#[test]
fn lab_steps_tell_both_sides_and_mark_secrets() {
    let (mut server, mut client) = pair(QUICK, QUICK);
    talk(&mut server, &mut client);
    client.say("hello");
    talk(&mut server, &mut client);
    for session in [&mut server, &mut client] {
        let steps: Vec<Step> = std::iter::from_fn(|| session.poll_event())
            .filter_map(|event| if let Event::Step(step) = event { Some(*step) } else { None })
            .collect();
        let names: Vec<_> = steps.iter().map(|step| (step.who.word(), step.name)).collect();
        let who = if steps[3].who == crate::Who::Client { "client" } else { "server" };
        assert_eq!(names[..2], [("server", "group"), ("server", "public")]);
        assert!(names.contains(&("client", "public")) && names.contains(&("client", "message")), "{who}: {names:?}");
        for field in steps.iter().flat_map(|step| &step.fields) {
            let is_secret = ["exponent", "shared", "key", "text"].contains(&field.label);
            assert_eq!(field.secret, is_secret, "{}", field.label);
            assert_eq!(field.shown(false) == field.value, !is_secret);
        }
    }
}
