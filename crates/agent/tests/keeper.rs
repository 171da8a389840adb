//! The agent's side, asked as clients ask, with a play-thing for cryptography: a "key" is its own public half, and its
//! signature of anything is that anything with the key's name before it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use nacre_agent::server::{Keeper, Opened, Outcome, Refusal, Session, Vault};
use nacre_agent::{
    AddIdentity, Answer, DestinationConstraint, Hop, HostKey, Identity, Request, SessionBind, SignFlags, SignRequest,
};
use nacre_wire::{Reader, WriteExt};
use std::time::Duration;

struct Play;

impl Vault for Play {
    type Key = Vec<u8>;

    fn open(&self, form: &[u8]) -> Option<Opened<Vec<u8>>> {
        let mut reader = Reader::new(form);
        reader.string("type").ok()?;
        let public = reader.string("public").ok()?.to_vec();
        (public != b"bad").then(|| Opened { key: public.clone(), public_key: public })
    }

    fn sign(&self, key: &Vec<u8>, data: &[u8], _flags: u32) -> Option<Vec<u8>> {
        let mut blob = Vec::new();
        blob.put_string("play");
        blob.put_string([key.as_slice(), data].concat());
        Some(blob)
    }

    fn verifies(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        signature == [public_key, message].concat()
    }

    fn certifies(&self, certificate: &[u8], authority: &[u8], host: &[u8]) -> bool {
        certificate == [authority, b" says ", host].concat()
    }
}

struct World {
    keeper: Keeper<Play>,
    now: Duration,
}

fn form(name: &str) -> Vec<u8> {
    let mut form = Vec::new();
    for field in ["ssh-ed25519", name, "secret", &format!("{name}'s comment")] {
        form.put_string(field);
    }
    form
}

impl World {
    fn new() -> Self {
        Self { keeper: Keeper::new(Play, None), now: Duration::from_secs(1000) }
    }

    fn outcome(&mut self, session: &mut Session, request: &Request<'_>) -> Outcome {
        let mut bytes = Vec::new();
        request.encode(&mut bytes).unwrap();
        self.keeper.handle(self.now, session, &bytes[4..])
    }

    fn ask(&mut self, session: &mut Session, request: &Request<'_>) -> Answer {
        match self.outcome(session, request) {
            Outcome::Answer(message, _) => Answer::decode(&message).unwrap(),
            _ => panic!("not an answer"),
        }
    }

    fn refusal(&mut self, session: &mut Session, request: &Request<'_>) -> Refusal {
        match self.outcome(session, request) {
            Outcome::Answer(_, Some(refusal)) => refusal,
            _ => panic!("not refused"),
        }
    }

    fn add(&mut self, name: &str) -> Answer {
        self.add_with(name, None, false, &[])
    }

    fn add_with(&mut self, name: &str, lifetime: Option<u32>, confirm: bool, to: &[DestinationConstraint]) -> Answer {
        let add = AddIdentity { key: &form(name), lifetime, confirm, destinations: to };
        self.ask(&mut Session::new(), &Request::AddIdentity(add))
    }

    fn names(&mut self, session: &mut Session) -> Vec<String> {
        match self.ask(session, &Request::RequestIdentities) {
            Answer::Identities(keys) => {
                keys.into_iter().map(|Identity { public_key, .. }| String::from_utf8(public_key).unwrap()).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    fn bind(&mut self, session: &mut Session, host: &str, id: &str, is_forwarding: bool) -> Answer {
        let signature = format!("{host}{id}");
        self.bind_signed(session, host, id, is_forwarding, signature.as_bytes())
    }

    fn bind_signed(&mut self, session: &mut Session, host: &str, id: &str, fwd: bool, signature: &[u8]) -> Answer {
        let bind =
            SessionBind { host_key: host.as_bytes(), session_identifier: id.as_bytes(), signature, is_forwarding: fwd };
        self.ask(session, &Request::SessionBind(bind))
    }

    /// A login as `user` in session `id`, with the host's key in it or without.
    fn login(&mut self, session: &mut Session, key: &str, id: &str, user: &str, host: Option<&str>) -> Answer {
        let data = login(key, id, user, host);
        self.ask(session, &sign(key, &data))
    }
}

fn sign<'a>(key: &'a str, data: &'a [u8]) -> Request<'a> {
    Request::SignRequest(SignRequest { public_key: key.as_bytes(), data, flags: SignFlags::NONE })
}

fn login(key: &str, id: &str, user: &str, host: Option<&str>) -> Vec<u8> {
    let mut data = Vec::new();
    data.put_string(id);
    data.put_u8(50);
    data.put_string(user);
    data.put_string("ssh-connection");
    data.put_string(if host.is_some() { "publickey-hostbound-v00@openssh.com" } else { "publickey" });
    data.put_bool(true);
    data.put_string("ssh-ed25519");
    data.put_string(key);
    if let Some(host) = host {
        data.put_string(host);
    }
    data
}

fn hop(user: Option<&str>, host: Option<&str>, key: &str, is_ca: bool) -> Hop {
    let host_keys = if host.is_some() { vec![HostKey { key: key.as_bytes().to_vec(), is_ca }] } else { vec![] };
    Hop { user: user.map(|u| u.as_bytes().to_vec()), host: host.map(|h| h.as_bytes().to_vec()), host_keys }
}

/// May be used from here to host `a` by users `me*`, and from there to host `b`.
fn here_to_a_to_b() -> Vec<DestinationConstraint> {
    vec![
        DestinationConstraint { from: Hop::default(), to: hop(Some("me*"), Some("a"), "KEY-A", false) },
        DestinationConstraint { from: hop(None, Some("a"), "KEY-A", false), to: hop(None, Some("b"), "KEY-B", false) },
    ]
}

fn is_signature(answer: &Answer) -> bool {
    matches!(answer, Answer::Signature(_))
}

#[test]
fn keys_come_go_and_sign() {
    let (mut world, mut session) = (World::new(), Session::new());
    assert_eq!(world.add("one"), Answer::Success);
    assert_eq!(world.add("two"), Answer::Success);
    assert_eq!(world.add("bad"), Answer::Failure);
    assert_eq!(world.names(&mut session), ["one", "two"]);
    assert!(is_signature(&world.ask(&mut session, &sign("one", b"x"))));
    assert_eq!(world.refusal(&mut session, &sign("three", b"x")), Refusal::NoSuchKey);
    assert_eq!(world.ask(&mut session, &Request::RemoveIdentity(b"one")), Answer::Success);
    assert_eq!(world.ask(&mut session, &Request::RemoveIdentity(b"one")), Answer::Failure);
    assert_eq!(world.names(&mut session), ["two"]);
    assert_eq!(world.ask(&mut session, &Request::RemoveAllIdentities), Answer::Success);
    assert!(world.keeper.is_empty());
}

#[test]
fn a_key_added_again_replaces_itself() {
    let (mut world, mut session) = (World::new(), Session::new());
    world.add_with("one", Some(5), true, &[]);
    world.add("one");
    assert_eq!((world.keeper.len(), world.keeper.next_expiry()), (1, None));
    assert!(is_signature(&world.ask(&mut session, &sign("one", b"x"))), "it is not asked about any more");
}

#[test]
fn keys_are_forgotten_when_their_time_is_over() {
    let (mut world, mut session) = (World::new(), Session::new());
    world.add_with("short", Some(10), false, &[]);
    world.add("long");
    assert_eq!(world.keeper.next_expiry(), Some(Duration::from_secs(1010)));
    world.now = Duration::from_millis(1_009_999);
    assert_eq!(world.names(&mut session), ["short", "long"]);
    world.now = Duration::from_secs(1010);
    assert_eq!(world.ask(&mut session, &sign("short", b"x")), Answer::Failure);
    assert_eq!(world.names(&mut session), ["long"]);
    let mut world = World { keeper: Keeper::new(Play, Some(Duration::from_secs(7))), now: Duration::ZERO };
    world.add("one");
    world.add_with("two", Some(9), false, &[]);
    world.now = Duration::from_secs(8);
    assert_eq!(world.names(&mut session), ["two"], "the agent's own bound is for keys without one");
}

#[test]
fn g01_keys_and_bytes_are_bounded() {
    let mut world = World::new();
    let mut held = 0;
    while world.add(&format!("{held:04}{}", "x".repeat(4000))) == Answer::Success {
        held += 1;
        assert!(held < 100);
    }
    assert!(held > 20, "{held}");
    assert_eq!(world.names(&mut Session::new()).len(), held, "all of them fit into one answer");
    let mut world = World::new();
    let wide = vec![here_to_a_to_b().remove(0); 1000];
    let full = (0..2048).find(|n| world.add_with(&n.to_string(), None, false, &wide) != Answer::Success);
    assert!(full.is_some_and(|n| n > 10), "{full:?}");
    let mut world = World::new();
    let full = (0..4000).find(|n| world.add(&n.to_string()) != Answer::Success);
    assert_eq!(full, Some(2048));
}

#[test]
fn g02_a_key_to_be_confirmed_is_used_after_a_yes_alone() {
    let (mut world, mut session) = (World::new(), Session::new());
    world.add_with("one", None, true, &[]);
    let Outcome::Confirm(question) = world.outcome(&mut session, &sign("one", b"x")) else { panic!("not asked") };
    assert_eq!((question.public_key, question.comment), (b"one".to_vec(), "one's comment".to_owned()));
    let mut bytes = Vec::new();
    sign("one", b"x").encode(&mut bytes).unwrap();
    assert!(matches!(world.keeper.handle_confirmed(world.now, &mut session, &bytes[4..]), Outcome::Answer(_, None)));
    assert!(
        matches!(Keeper::<Play>::unconfirmed(), Outcome::Answer(message, Some(Refusal::Unconfirmed)) if message == [5])
    );
    // The agent was locked, or the key's time ran out, while the question stood.
    world.keeper.finish_lock(Some("verifier".to_owned()));
    let late = world.keeper.handle_confirmed(world.now, &mut session, &bytes[4..]);
    assert!(matches!(late, Outcome::Answer(_, Some(Refusal::Locked))));
}

#[test]
fn g02_a_key_goes_only_where_it_may() {
    let mut world = World::new();
    world.add_with("one", None, false, &here_to_a_to_b());
    let mut local = Session::new();
    assert_eq!(world.names(&mut local), ["one"], "it is seen here");
    assert_eq!(world.login(&mut local, "one", "id", "me", None), Answer::Failure, "but not used without a host");

    let mut to_a = Session::new();
    assert_eq!(world.bind(&mut to_a, "KEY-A", "id1", false), Answer::Success);
    assert!(is_signature(&world.login(&mut to_a, "one", "id1", "me", None)));
    assert!(is_signature(&world.login(&mut to_a, "one", "id1", "me2", Some("KEY-A"))));
    assert_eq!(world.login(&mut to_a, "one", "id1", "you", None), Answer::Failure, "another user");
    assert_eq!(world.login(&mut to_a, "one", "id2", "me", None), Answer::Failure, "another session");
    assert_eq!(world.login(&mut to_a, "one", "id1", "me", Some("KEY-B")), Answer::Failure, "another host");
    assert_eq!(world.ask(&mut to_a, &sign("one", b"a file")), Answer::Failure, "no login");

    let mut to_c = Session::new();
    world.bind(&mut to_c, "KEY-C", "id1", false);
    assert!(world.names(&mut to_c).is_empty(), "a host that it may not be used for does not see it");
    assert_eq!(world.login(&mut to_c, "one", "id1", "me", None), Answer::Failure);
    assert_eq!(world.ask(&mut to_c, &Request::RemoveIdentity(b"one")), Answer::Failure);
}

#[test]
fn g02_a_key_goes_on_only_along_its_way() {
    let mut world = World::new();
    world.add_with("one", None, false, &here_to_a_to_b());
    let mut through_a = Session::new();
    world.bind(&mut through_a, "KEY-A", "id1", true);
    assert_eq!(world.names(&mut through_a), ["one"]);
    assert_eq!(world.login(&mut through_a, "one", "id1", "me", None), Answer::Failure, "bound for forwarding");
    world.bind(&mut through_a, "KEY-B", "id2", false);
    assert!(is_signature(&world.login(&mut through_a, "one", "id2", "you", Some("KEY-B"))));
    assert_eq!(world.login(&mut through_a, "one", "id2", "you", None), Answer::Failure, "the host must be named");

    for (first, second) in [("KEY-A", "KEY-A"), ("KEY-B", "KEY-A"), ("KEY-C", "KEY-B"), ("KEY-B", "KEY-B")] {
        let mut session = Session::new();
        world.bind(&mut session, first, "id1", true);
        world.bind(&mut session, second, "id2", false);
        assert!(world.names(&mut session).is_empty(), "{first} {second}");
        assert_eq!(world.login(&mut session, "one", "id2", "me", Some(second)), Answer::Failure, "{first} {second}");
    }
    let mut beyond = Session::new();
    world.bind(&mut beyond, "KEY-A", "id1", true);
    world.bind(&mut beyond, "KEY-B", "id2", true);
    assert!(world.names(&mut beyond).is_empty(), "nothing leads on from the last host");
}

#[test]
fn g02_an_authority_speaks_for_the_hosts_it_certifies_alone() {
    let mut world = World::new();
    let to = hop(None, Some("a"), "CA", true);
    world.add_with("one", None, false, &[DestinationConstraint { from: Hop::default(), to }]);
    for (host, works) in [("CA says a", true), ("CA says b", false), ("CB says a", false), ("CA", false)] {
        let mut session = Session::new();
        assert_eq!(world.bind(&mut session, host, "id", false), Answer::Success);
        assert_eq!(is_signature(&world.login(&mut session, "one", "id", "me", None)), works, "{host}");
    }
}

#[test]
fn g02_a_host_on_the_way_cannot_loosen_constraints() {
    let mut world = World::new();
    world.add_with("one", None, false, &here_to_a_to_b());
    let mut from_c = Session::new();
    world.bind(&mut from_c, "KEY-C", "id", true);
    let form = form("one");
    let add = AddIdentity { key: &form, lifetime: None, confirm: false, destinations: &[] };
    assert_eq!(world.ask(&mut from_c, &Request::AddIdentity(add)), Answer::Failure);
    assert!(world.names(&mut from_c).is_empty());
}

#[test]
fn g03_a_locked_agent_still_notes_where_a_connection_goes() {
    let mut world = World::new();
    world.add_with("one", None, false, &here_to_a_to_b());
    world.keeper.finish_lock(Some("verifier".to_owned()));
    let (mut good, mut bad, mut garbled) = (Session::new(), Session::new(), Session::new());
    assert_eq!(world.bind(&mut good, "KEY-A", "id", false), Answer::Success);
    assert_eq!(world.bind_signed(&mut bad, "KEY-A", "id", false, b"forged"), Answer::ExtensionFailure);
    let mut message = vec![27];
    message.put_string("session-bind@openssh.com");
    assert!(matches!(world.keeper.handle(world.now, &mut garbled, &message), Outcome::Answer(m, Some(_)) if m == [28]));
    assert_eq!(world.refusal(&mut good, &sign("one", b"x")), Refusal::Locked);
    assert!(world.names(&mut good).is_empty() && world.names(&mut Session::new()).is_empty());
    world.keeper.finish_unlock(true);
    assert!(is_signature(&world.login(&mut good, "one", "id", "me", None)));
    for session in [&mut bad, &mut garbled] {
        assert!(world.names(session).is_empty(), "a connection that could not be bound is no local one");
        assert_eq!(world.login(session, "one", "id", "me", None), Answer::Failure);
    }
}

#[test]
fn g05_a_lock_holds_until_its_passphrase_comes_and_guesses_get_slower() {
    let (mut world, mut session) = (World::new(), Session::new());
    world.add("one");
    assert!(matches!(
        world.outcome(&mut session, &Request::Unlock(b"p")),
        Outcome::Answer(_, Some(Refusal::WrongLockState))
    ));
    let Outcome::Lock(passphrase) = world.outcome(&mut session, &Request::Lock(b"pass")) else { panic!("no lock") };
    assert_eq!(passphrase.as_slice(), b"pass");
    assert!(matches!(world.keeper.finish_lock(None), Outcome::Answer(message, Some(_)) if message == [5]));
    assert!(matches!(world.keeper.finish_lock(Some("v".to_owned())), Outcome::Answer(message, None) if message == [6]));
    assert!(matches!(world.keeper.finish_lock(Some("w".to_owned())), Outcome::Answer(_, Some(_))), "twice");
    assert_eq!(world.keeper.verifier(), Some("v"));
    for request in
        [Request::RemoveAllIdentities, Request::RemoveIdentity(b"one"), Request::Lock(b"x"), sign("one", b"x")]
    {
        assert_eq!(world.refusal(&mut session, &request), Refusal::Locked);
    }
    assert_eq!(world.add("two"), Answer::Failure);
    let mut waited = Duration::ZERO;
    for guess in 0..1000 {
        assert!(matches!(world.outcome(&mut session, &Request::Unlock(b"no")), Outcome::Unlock(_)));
        let delay = world.keeper.unlock_delay();
        assert!(delay >= waited && delay <= Duration::from_secs(10), "{guess}: {delay:?}");
        waited = delay;
        world.keeper.finish_unlock(false);
    }
    assert_eq!(waited, Duration::from_secs(10));
    assert!(matches!(world.keeper.finish_unlock(true), Outcome::Answer(message, None) if message == [6]));
    assert_eq!((world.keeper.unlock_delay(), world.names(&mut session).len()), (Duration::ZERO, 1));
}

#[test]
fn extensions_are_listed_and_others_are_no_part_of_this_agent() {
    let (mut world, mut session) = (World::new(), Session::new());
    let mut ask = |name: &str| {
        let mut message = vec![27];
        message.put_string(name);
        match world.keeper.handle(Duration::ZERO, &mut session, &message) {
            Outcome::Answer(message, _) => message,
            _ => panic!("not an answer"),
        }
    };
    let listed = ask("query");
    assert_eq!(listed[0], 29);
    let mut reader = Reader::new(&listed[1..]);
    for name in ["query", "query", "session-bind@openssh.com"] {
        assert_eq!(reader.text("name").unwrap(), name);
    }
    reader.finish().unwrap();
    assert_eq!(ask("x@y"), [5], "RFC 9987 §5.8: not supported is the plain failure");
    for number in [0, 1, 9, 20, 21, 24, 26, 30, 255] {
        let answer = world.keeper.handle(Duration::ZERO, &mut session, &[number, 1, 2, 3]);
        assert!(matches!(answer, Outcome::Answer(message, Some(Refusal::Unsupported)) if message == [5]), "{number}");
    }
}
