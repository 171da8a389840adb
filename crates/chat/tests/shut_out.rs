//! Who is kept out of a room: what is no longer to be read there, and whom a ban holds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::Chat;
use nacre_chat::command::BanOrder;
use nacre_chat::limits::{BANS, ROOM_LIST};
use nacre_chat::{
    AdminAnswer, AdminRequest, Ban, BanKind, BanTarget, Config, Input, LineId, Loaded, Place, Proof, Record, RoomName,
    SessionId,
};
use std::sync::Arc;
use std::time::Duration;

/// With an operator of the server, who is called Boss.
fn with_operator() -> (Chat, SessionId) {
    let mut config = Config::new("one", 1);
    config.rules.operators.insert("SHA256:Boss".into());
    let mut chat = Chat::new(config);
    let root = chat.join("Boss");
    (chat, root)
}

/// Tries everything that shows what a room is about or what was said in it.
fn assert_sees_nothing(chat: &mut Chat, session: SessionId) {
    for command in ["/history 500", "/history 1h", "/reply", "/reply Alice hello", "/topic", "/search plan", "hello"] {
        chat.type_(session, command);
    }
    let seen = chat.screen(session);
    assert!(!seen.contains("the plan") && !seen.contains("our topic"), "{seen}");
}

#[test]
fn who_was_banned_while_away_reads_no_more_of_the_only_room() {
    for ban in ["/ban Mallory", "/ban SHA256:Mallory", "/ban 192.0.2.1", "/mode +i"] {
        let mut chat = Chat::open();
        let alice = chat.join("Alice+club");
        let mallory = chat.join("Mallory");
        chat.type_(mallory, "/join #club");
        chat.type_(mallory, "/part #lobby");
        chat.leave(mallory);
        chat.type_(alice, "/topic our topic");
        chat.type_(alice, "the plan");
        if ban == "/mode +i" {
            // An invitation is not needed to come back, but after a kick it is.
            chat.type_(alice, "/kick Mallory");
        }
        chat.type_(alice, ban);
        let mallory = chat.join("Mallory");
        assert_sees_nothing(&mut chat, mallory);
        chat.type_(mallory, "/names");
        assert!(chat.screen(mallory).contains("In #lobby"), "she is in the lobby after {ban}");
    }
}

#[test]
fn a_device_that_may_not_come_in_sees_nothing_either() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice+club");
    chat.join("Bob+club");
    chat.type_(alice, "/topic our topic");
    chat.type_(alice, "the plan");
    chat.type_(alice, "/ban 198.51.100.0/24");
    let phone = chat.enter_as(Proof::Key("SHA256:Bob".into()), "Bob", |connect| {
        connect.address = Some("198.51.100.7".parse().unwrap());
    });
    assert_sees_nothing(&mut chat, phone);
}

#[test]
fn a_ban_holds_for_operators_and_owners_of_a_room_as_well() {
    for order in ["/ban Bob", "/ban SHA256:Bob"] {
        let mut chat = Chat::open();
        let alice = chat.join("Alice+club");
        let bob = chat.join("Bob+club");
        chat.type_(alice, "/op Bob");
        chat.type_(alice, order);
        chat.hush();
        chat.type_(alice, "only us");
        assert_eq!(chat.read(bob), [""; 0], "{order}");
        chat.type_(bob, "/join #club");
        assert!(chat.screen(bob).contains("You are kept out of #club"), "{order}");
        chat.type_(bob, "/mode #club +k mine");
        chat.type_(bob, "/mode #club");
        let seen = chat.screen(bob);
        assert!(seen.contains("You are kept out of #club") && !seen.contains("password"), "{seen}");
    }
    // The operators of the server may shut out who made a room.
    let (mut chat, root) = with_operator();
    let alice = chat.join("Alice+club");
    chat.type_(root, "/join #club");
    chat.type_(root, "/ban Alice");
    chat.type_(alice, "/join #club");
    assert!(chat.screen(alice).contains("You are kept out of #club"));
}

#[test]
fn operators_of_a_room_can_be_muted_but_not_by_an_address_they_share() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice+club");
    let bob = chat.join("Bob+club");
    chat.type_(alice, "/op Bob");
    chat.type_(alice, "/mute 192.0.2.1");
    chat.hush();
    chat.type_(bob, "still here");
    assert_eq!(chat.read(alice), ["[#club] Bob: still here"]);
    chat.type_(alice, "/mute Bob");
    chat.hush();
    chat.type_(bob, "and now");
    assert!(chat.screen(bob).contains("You are muted"));
    assert_eq!(chat.read(alice), [""; 0]);
}

#[test]
fn a_ban_that_could_not_hold_is_refused() {
    let (mut chat, root) = with_operator();
    let alice = chat.join("Alice+club");
    chat.type_(root, "/join #club");
    let asked = |chat: &mut Chat, target: &str, mute| {
        let order = BanOrder { target: target.into(), time: None, reason: "".into(), mute };
        chat.input(Input::Admin { ticket: 1, request: AdminRequest::Ban { order, room: Some("#club".into()) } });
        chat.admin.take().unwrap()
    };
    chat.hush();
    for target in ["Boss", "SHA256:Boss"] {
        for mute in [true, false] {
            let answer = asked(&mut chat, target, mute);
            let why = "is an operator of the server: no room's ban holds";
            assert!(matches!(&answer, AdminAnswer::Refused(text) if text.contains(why)), "{answer:?}");
        }
    }
    assert_eq!(chat.read(alice), [""; 0], "nobody is told that it was done");
}

#[test]
fn an_operators_key_that_is_banned_at_the_machine_is_out_at_once() {
    let (mut chat, root) = with_operator();
    let order = BanOrder { target: "SHA256:Boss".into(), time: None, reason: "".into(), mute: false };
    chat.input(Input::Admin { ticket: 1, request: AdminRequest::Ban { order, room: None } });
    assert!(chat.closed.contains_key(&root));
}

#[test]
fn a_ban_is_renewed_also_where_no_more_are_kept() {
    for everywhere in [true, false] {
        let mut chat = Chat::open();
        let alice = chat.join("Alice+club");
        let bob = chat.join("Bob+club");
        chat.type_(alice, "/ban Bob 1h");
        // Operators of the server, and other nodes, may bring more than a room could.
        let more = if everywhere { BANS } else { ROOM_LIST };
        let room = (!everywhere).then(|| RoomName::parse("club").unwrap());
        let ban = |number: usize| {
            let target = BanTarget::Key(format!("SHA256:{number}").into());
            let (by, reason) = ("Root".into(), "".into());
            let id = LineId(number as u128);
            Record::Ban(Arc::new(Ban { id, room: room.clone(), target, kind: BanKind::Out, until: None, by, reason }))
        };
        let records = (0..more).map(ban).collect();
        chat.input(Input::Load(Loaded { records, ..Loaded::default() }));
        chat.hush();
        chat.type_(alice, "/ban 10.1.0.0/16");
        assert!(chat.screen(alice).contains("keeps no more bans"));
        chat.type_(alice, "/ban Bob 2d");
        assert!(chat.screen(alice).contains("Bob is banned by Alice for 2d"));
        chat.wait(Duration::from_secs(2 * 3600));
        chat.type_(bob, "/join #club");
        assert!(chat.screen(bob).contains("You are kept out of #club"));
    }
}

#[test]
fn what_was_read_of_a_room_that_was_left_is_forgotten() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice+club");
    let bob = chat.join("Bob+club");
    chat.type_(alice, "one");
    chat.type_(bob, "/part");
    chat.wait(Duration::from_secs(3600));
    let marks = |chat: &Chat| -> usize {
        let account = |record: &nacre_chat::Record| match record {
            nacre_chat::Record::Account(account) if account.nick.as_str() == "Bob" => Some(account.read.len()),
            _ => None,
        };
        chat.records.values().find_map(account).unwrap()
    };
    assert_eq!(marks(&chat), 0);
    chat.type_(alice, "two");
    chat.hush();
    chat.type_(bob, "/join #club");
    assert!(!chat.screen(bob).contains("missed"), "who left does not miss anything");
    // What others marks there are goes with the next room.
    let club = Place::parse("#club").unwrap();
    let last = chat.lines.last().unwrap().id;
    chat.input(Input::Read { session: bob, place: club, line: last });
    chat.type_(bob, "/part");
    chat.wait(Duration::from_secs(3600));
    assert_eq!(marks(&chat), 0);
}
