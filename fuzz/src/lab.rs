//! What the laboratory's protocols hear: either end, with randomness that is always the same, so that a corpus can hold
//! whole conversations.

use nacre_lab::attack::{Deed, Deeds, Seen, terrapin};
use nacre_lab::tls::overheard;
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

/// A connection of TLS that somebody listens to: the lines of a key log, a zero, and pieces, each with who says it and its
/// length in two bytes before it. However it is cut, the same is heard.
pub fn lab_tls(data: &[u8]) {
    let (key_log, mut rest) = data.split_at(data.iter().position(|byte| *byte == 0).unwrap_or(data.len()));
    rest = rest.get(1..).unwrap_or_default();
    let key_log = String::from_utf8_lossy(key_log);
    let mut spoken = Vec::new();
    while let Some(([by, high, low], more)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(more.len());
        let (piece, more) = more.split_at(length);
        spoken.push((if by & 1 == 0 { Role::Client } else { Role::Server }, piece.to_vec()));
        rest = more;
    }
    let whole = overheard(&spoken, &key_log);
    let cut: Vec<(Role, Vec<u8>)> =
        spoken.iter().flat_map(|(by, piece)| piece.chunks(5).map(move |part| (*by, part.to_vec()))).collect();
    assert_eq!(overheard(&cut, &key_log), whole);
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

/// Mallory before a server of SSH, with one side's bytes: what goes on to the other does not depend on how they are cut, and
/// is all that a client said.
pub fn lab_terrapin(data: &[u8]) {
    let Some((how, data)) = data.split_first() else { return };
    let from = if how & 1 == 0 { Role::Client } else { Role::Server };
    let pass = |size: usize| {
        let (mut mallory, mut deeds, mut out) = (terrapin(), Deeds::default(), Vec::new());
        for bytes in data.chunks(size.max(1)) {
            mallory.handle(Moment::FIXED, Seen::Bytes { link: 0, from, bytes }, &mut deeds);
        }
        mallory.handle(Moment::FIXED, Seen::Quiet, &mut deeds);
        while let Some(deed) = deeds.poll() {
            if let Deed::Send { to, bytes, .. } = deed {
                assert_eq!(to, from.peer());
                out.extend(bytes);
            }
        }
        out
    };
    let whole = pass(data.len());
    assert_eq!(pass(usize::from(*how >> 2)), whole);
    assert!(from == Role::Server || data.starts_with(&whole));
}
