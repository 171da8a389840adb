//! What the laboratory's protocols hear: either end, with randomness that is always the same, so that a corpus can hold
//! whole conversations.

use nacre_lab::{Moment, Randomness, Repairs, dh_chat, mini_ssh, rsa_chat, toy_socket};
use nacre_wire::number::Role;
use std::fmt::Debug;
use std::sync::OnceLock;

/// The seed of every session, and of the conversations in the corpora.
pub const SEED: u64 = 1;

/// Randomness of an end.
pub fn randomness(role: Role) -> Randomness {
    Randomness::new(Some(SEED)).part(if role == Role::Client { "client" } else { "server" })
}

/// The key of every server of `rsa-chat`.
pub fn server_key() -> &'static rsa_chat::ServerKey {
    static KEY: OnceLock<rsa_chat::ServerKey> = OnceLock::new();
    KEY.get_or_init(|| rsa_chat::ServerKey::generate(2048, &mut Randomness::new(Some(SEED))).expect("a key"))
}

/// Either end of `dh-chat`, quick ones.
pub fn dh_chat_session(role: Role, checks: bool) -> dh_chat::Session {
    let settings = dh_chat::Settings { iterations: 1, checks, ..dh_chat::Settings::default() };
    match role {
        Role::Client => dh_chat::Session::client(settings, &Repairs::NONE, randomness(role)),
        Role::Server => dh_chat::Session::server(settings, &Repairs::NONE, randomness(role)).expect("a session"),
    }
}

/// Either end of `rsa-chat`.
pub fn rsa_chat_session(role: Role) -> rsa_chat::Session {
    match role {
        Role::Client => rsa_chat::Session::client(&Repairs::NONE, randomness(role)),
        Role::Server => rsa_chat::Session::server(server_key(), &Repairs::NONE, randomness(role)),
    }
}

/// Gives an end the bytes in pieces of a size: what it told and what it answered.
fn hear<S, E>(
    mut session: S,
    bytes: &[u8],
    size: usize,
    receive: impl Fn(&mut S, &[u8]),
    poll: impl Fn(&mut S) -> Option<E>,
    output: impl Fn(&mut S) -> Vec<u8>,
) -> (Vec<E>, Vec<u8>) {
    let (mut events, mut out) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(size.max(1)) {
        receive(&mut session, piece);
        while let Some(event) = poll(&mut session) {
            events.push(event);
        }
        out.extend(output(&mut session));
    }
    (events, out)
}

/// The first byte says which end hears and how the rest is cut; what comes of it does not depend on how.
fn alike<E: PartialEq + Debug>(data: &[u8], run: impl Fn(Role, u8, &[u8], usize) -> (Vec<E>, Vec<u8>)) {
    let Some((how, data)) = data.split_first() else { return };
    let role = if how & 1 == 0 { Role::Server } else { Role::Client };
    let whole = run(role, *how, data, data.len());
    assert_eq!(run(role, *how, data, usize::from(*how >> 2)), whole);
}

/// `dh-chat`.
pub fn lab_dh_chat(data: &[u8]) {
    alike(data, |role, how, bytes, size| {
        let session = dh_chat_session(role, how & 2 == 0);
        hear(
            session,
            bytes,
            size,
            dh_chat::Session::receive,
            dh_chat::Session::poll_event,
            dh_chat::Session::take_output,
        )
    });
}

/// `rsa-chat`; the server takes every name.
pub fn lab_rsa_chat(data: &[u8]) {
    alike(data, |role, _, bytes, size| {
        let poll = |session: &mut rsa_chat::Session| {
            let event = session.poll_event();
            if matches!(event, Some(rsa_chat::Event::Name(_))) {
                session.accept();
            }
            event
        };
        hear(rsa_chat_session(role), bytes, size, rsa_chat::Session::receive, poll, rsa_chat::Session::take_output)
    });
}

/// `mini-ssh`; what is heard is said back.
pub fn lab_mini_ssh(data: &[u8]) {
    alike(data, |role, _, bytes, size| {
        let session = mini_ssh::Session::new(role, &Repairs::NONE, randomness(role)).expect("a session");
        let poll = |session: &mut mini_ssh::Session| {
            let event = session.poll_event();
            if let Some(mini_ssh::Event::Text(text)) = &event {
                session.say(Moment::FIXED, text);
            }
            event
        };
        hear(session, bytes, size, mini_ssh::Session::receive, poll, mini_ssh::Session::take_output)
    });
}

/// `toy-socket`.
pub fn lab_toy_socket(data: &[u8]) {
    alike(data, |role, _, bytes, size| {
        let session =
            toy_socket::Session::new(role, toy_socket::BITS, &Repairs::NONE, randomness(role)).expect("a session");
        let (receive, poll) = (toy_socket::Session::receive, toy_socket::Session::poll_event);
        hear(session, bytes, size, receive, poll, toy_socket::Session::take_output)
    });
}
