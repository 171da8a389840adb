//! Rooms as people use them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::Chat;
use nacre_chat::Proof;

#[test]
fn two_people_talk_and_the_documents_commands_work() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice");
    assert!(chat.screen(alice).contains("You are Alice"));
    let bob = chat.join("Bob");
    assert_eq!(chat.read(alice), ["[SYSTEM] Bob joined (secure channel)"]);
    chat.hush();

    chat.type_(alice, "Hello Bob!");
    assert_eq!(chat.read(bob), ["Alice: Hello Bob!"]);
    assert_eq!(chat.read(alice), ["Alice: Hello Bob!"], "confirmed, and only once");

    let carol = chat.join("Carol");
    chat.hush();
    chat.type_(alice, "/pm Bob a secret");
    assert_eq!(chat.read(bob), ["[PM from Alice] a secret"]);
    assert_eq!(chat.read(carol), [""; 0]);

    chat.type_(carol, "/list");
    assert_eq!(chat.read(carol), ["[SYSTEM] Online: Alice, Bob, Carol"]);
    chat.hush();
    chat.type_(carol, "/pm Nobody x");
    assert_eq!(chat.read(carol), ["[SYSTEM] No such user: Nobody"]);
    chat.type_(carol, "/lsit");
    assert_eq!(chat.read(carol), ["[SYSTEM] Unknown command: /lsit (did you mean /list?)"]);
    chat.type_(carol, "/quit");
    assert!(chat.closed.contains_key(&carol));
    assert_eq!(chat.read(bob), ["[SYSTEM] Carol left"]);
    assert!(chat.lines.iter().any(|line| &*line.body == "Hello Bob!"));
}

#[test]
fn names_complete() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice");
    chat.join("Bob");
    let words = |before: &str| chat.engine.complete(alice, before).words;
    assert_eq!(words("/pm b"), ["Bob "]);
    assert_eq!(words("/join l"), ["#lobby "]);
    assert_eq!(words("bo"), ["Bob: "]);
}

#[test]
fn join_part_topic_names_and_rooms() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice");
    let bob = chat.join("Bob+rust");
    chat.hush();
    chat.type_(alice, "/join #rust");
    assert_eq!(chat.read(bob), ["[SYSTEM] Alice joined #rust (secure channel)"]);
    assert!(chat.screen(alice).contains("You are in #rust"));
    chat.type_(bob, "/topic Crabs\r\n[12:00:00] Root: hi");
    assert_eq!(chat.read(alice), ["[#rust] [SYSTEM] Bob set the topic: Crabs [12:00:00] Root: hi"]);
    chat.hush();
    chat.type_(alice, "/topic mine");
    assert_eq!(chat.read(alice), ["[SYSTEM] Only operators of #rust may set its topic"]);
    chat.type_(alice, "/names");
    assert_eq!(chat.read(alice), ["[SYSTEM] In #rust: Alice, @Bob"]);
    chat.type_(alice, "/rooms");
    assert_eq!(chat.read(alice), ["[SYSTEM] Rooms:", "  #lobby (1)", "  #rust (2) — Crabs [12:00:00] Root: hi"]);
    chat.type_(alice, "/part bye all");
    assert_eq!(chat.read(bob), ["[SYSTEM] Alice left #rust: bye all"]);
    assert!(chat.screen(alice).contains("You are in #lobby"));
    chat.type_(alice, "/join #rust");
    chat.hush();
    chat.type_(alice, "hi");
    assert_eq!(chat.read(bob), ["[#rust] Alice: hi"]);
    chat.type_(alice, "/me waves");
    assert_eq!(chat.read(bob), ["[#rust] * Alice waves"]);
}

#[test]
fn rooms_by_invitation_and_by_password() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice+secret");
    let bob = chat.join("Bob");
    chat.type_(alice, "/mode +i");
    chat.hush();
    chat.type_(bob, "/join #secret");
    assert_eq!(chat.read(bob), ["[SYSTEM] #secret is by invitation: somebody in it must /invite you"]);
    chat.type_(bob, "/rooms");
    assert!(!chat.screen(bob).contains("secret"));
    chat.type_(bob, "/names #secret");
    assert_eq!(chat.read(bob), ["[SYSTEM] No such room: #secret"]);
    chat.type_(alice, "/invite Bob");
    assert_eq!(chat.read(bob), ["[SYSTEM] Alice invites you into #secret: /join #secret"]);
    chat.type_(bob, "/join #secret");
    assert!(chat.screen(bob).contains("You are in #secret"));
    chat.type_(bob, "/part");

    chat.type_(alice, "/mode -i +k sesame");
    assert!(!format!("{:?}", chat.audit).contains("sesame"));
    chat.hush();
    chat.type_(bob, "/join #secret");
    assert_eq!(chat.read(bob), ["[SYSTEM] #secret takes a password: /join #secret PASSWORD"]);
    chat.type_(bob, "/join #secret simsim");
    assert_eq!(chat.read(bob), ["[SYSTEM] That is not the password of #secret"]);
    chat.type_(bob, "/join #secret sesame");
    assert!(chat.screen(bob).contains("You are in #secret"));
}

#[test]
fn a_room_may_hide_its_past_from_newcomers() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice+r");
    chat.type_(alice, "/mode +h");
    chat.type_(alice, "before bob");
    let bob = chat.join("Bob");
    chat.type_(bob, "/join #r");
    assert!(!chat.screen(bob).contains("before bob"));
    for command in ["/history", "/history 1h", "/search before", "/reply", "/reply Alice hello"] {
        chat.type_(bob, command);
        assert!(!chat.screen(bob).contains("before bob"), "{command}");
    }
    chat.type_(alice, "after bob");
    chat.type_(bob, "/history");
    assert!(chat.screen(bob).contains("after bob"));
    chat.type_(alice, "/mode -h");
    chat.hush();
    chat.type_(bob, "/history");
    assert!(chat.screen(bob).contains("before bob"));
}

#[test]
fn moderated_rooms_need_a_voice() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice+r");
    let bob = chat.join("Bob+r");
    chat.type_(alice, "/mode +m");
    chat.hush();
    chat.type_(bob, "hello");
    assert_eq!(chat.read(bob), ["[SYSTEM] #r is moderated: an operator must give you a /voice first"]);
    chat.type_(alice, "/voice Bob");
    chat.hush();
    chat.type_(bob, "hello");
    assert_eq!(chat.read(alice), ["[#r] Bob: hello"]);
}

#[test]
fn look_alike_rooms_are_not_made() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice+modern");
    chat.hush();
    chat.type_(alice, "/join #modem");
    assert_eq!(chat.read(alice), ["[SYSTEM] #modem looks like #modern, which is there already"]);
}

#[test]
fn every_command_of_the_table_answers() {
    let mut chat = Chat::open();
    for entry in nacre_chat::command::TABLE {
        for arguments in ["", " Bob", " #lobby", " x y z", " +1", " on"] {
            let alice = chat.join("Alice");
            chat.join("Bob");
            chat.hush();
            chat.type_(alice, &format!("/{}{arguments}", entry.word));
            let seen = chat.events(alice);
            assert!(!seen.is_empty(), "/{}{arguments} says nothing", entry.word);
            chat.type_(alice, &format!("/help {}", entry.word));
            if !chat.closed.contains_key(&alice) {
                assert!(chat.screen(alice).contains(entry.help), "/help {}", entry.word);
            }
            chat.leave(alice);
        }
    }
}

#[test]
fn rooms_nobody_uses_go_and_one_person_owns_only_so_many() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice");
    for number in 0..100 {
        chat.type_(alice, &format!("/join #r{number}"));
        chat.type_(alice, "/part");
    }
    chat.hush();
    chat.type_(alice, "/rooms");
    assert_eq!(chat.read(alice), ["[SYSTEM] Rooms:", "  #lobby (1)"]);
    for number in 0..20 {
        chat.type_(alice, &format!("/join #r{number}"));
        chat.type_(alice, "something");
        chat.type_(alice, "/part");
    }
    chat.hush();
    chat.type_(alice, "/join #one-more");
    assert!(chat.screen(alice).contains("You own 20 rooms already"));
    let bob = chat.join("Bob");
    chat.hush();
    chat.type_(bob, "/join #r7");
    assert!(chat.screen(bob).contains("Alice: something"));
}

#[test]
fn an_operator_at_the_machine_has_every_right() {
    use nacre_chat::command::BanOrder;
    use nacre_chat::{AdminAnswer, AdminRequest, Input};
    use std::time::Duration;
    let mut chat = Chat::open();
    let alice = chat.join("Alice+r");
    let bob = chat.join("Bob+r");
    let ask = |chat: &mut Chat, request| {
        chat.input(Input::Admin { ticket: 7, request });
        chat.admin.take().unwrap()
    };
    let refused = |answer, why: &str| {
        assert!(matches!(&answer, AdminAnswer::Refused(text) if text.contains(why)), "{answer:?}");
    };
    chat.hush();
    assert_eq!(ask(&mut chat, AdminRequest::Announce("soon".into())), AdminAnswer::Done);
    assert_eq!(chat.read(bob), ["[SYSTEM] soon"]);
    let keep = |room: &str, time| AdminRequest::Keep { room: room.into(), time };
    assert_eq!(ask(&mut chat, keep("#r", Some(Duration::from_secs(3600)))), AdminAnswer::Done);
    assert_eq!(chat.read(bob), ["[SYSTEM] Lines of #r are kept for 1h"]);
    refused(ask(&mut chat, keep("#s", None)), "no such room: #s");
    refused(ask(&mut chat, keep("#r", Some(Duration::ZERO))), "at least a second");
    let ban = |target: &str, room: Option<&str>| AdminRequest::Ban {
        order: BanOrder { target: target.into(), time: None, reason: "".into(), mute: false },
        room: room.map(Into::into),
    };
    let unban = |target: &str| AdminRequest::Unban { target: target.into(), mute: false, room: None };
    assert_eq!(ask(&mut chat, ban("SHA256:Bob", None)), AdminAnswer::Done);
    assert!(chat.closed.contains_key(&bob));
    refused(ask(&mut chat, ban("zoe", None)), "No such user: zoe");
    refused(ask(&mut chat, ban("bob", Some("#s"))), "no such room: #s");
    assert_eq!(ask(&mut chat, unban("SHA256:Bob")), AdminAnswer::Done);
    refused(ask(&mut chat, unban("SHA256:Bob")), "is not on the list");
    let key = format!("SHA256:{}", "z".repeat(43));
    let add = |nick: &str, key: &str| AdminRequest::AddAccount { nick: nick.into(), key: key.into() };
    assert_eq!(ask(&mut chat, add("zoe", &key)), AdminAnswer::Done);
    refused(ask(&mut chat, add("yves", &key)), "that key is zoe's");
    refused(ask(&mut chat, add("alice", &format!("SHA256:{}", "y".repeat(43)))), "looks like Alice");
    refused(ask(&mut chat, add("yves", "SHA256:short")), "43 letters");
    assert_eq!(ask(&mut chat, AdminRequest::DeleteAccount("bob".into())), AdminAnswer::Done);
    refused(ask(&mut chat, AdminRequest::DeleteAccount("bob".into())), "No such user");
    chat.hush();
    assert_eq!(ask(&mut chat, AdminRequest::DeleteRoom("#r".into())), AdminAnswer::Done);
    assert!(chat.screen(alice).contains("Alice was put out of #r by -: the room is gone"));
    refused(ask(&mut chat, AdminRequest::DeleteRoom("#r".into())), "no such room");
    assert_eq!(ask(&mut chat, AdminRequest::Shutdown("we move".into())), AdminAnswer::Done);
    assert_eq!(chat.closed[&alice], "we move");
}

#[test]
fn members_of_a_room_by_invitation_come_back_without_another_one() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice+club");
    let bob = chat.join("Bob");
    chat.type_(alice, "/mode +i");
    chat.type_(alice, "/invite Bob");
    chat.type_(bob, "/join #club");
    chat.leave(bob);
    let bob = chat.join("Bob");
    chat.type_(bob, "/go #club");
    chat.hush();
    chat.type_(alice, "welcome back");
    assert_eq!(chat.read(bob), ["[#club] Alice: welcome back"]);
    // Thrown out, there is no way back.
    chat.type_(alice, "/kick Bob");
    chat.leave(bob);
    let bob = chat.join("Bob");
    chat.type_(bob, "/join #club");
    assert!(chat.screen(bob).contains("by invitation"));
}

#[test]
fn a_device_that_may_not_come_in_takes_the_others_along() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice+club");
    let laptop = chat.join("Bob+club");
    chat.type_(alice, "/ban 198.51.100.0/24");
    let key = || Proof::Key("SHA256:Bob".into());
    let phone = chat.enter_as(key(), "Bob", |connect| connect.address = Some("198.51.100.7".parse().unwrap()));
    assert!(chat.screen(phone).contains("You are kept out of #club"));
    chat.hush();
    chat.type_(alice, "only us");
    assert_eq!(chat.read(laptop), [""; 0]);
    // Whoever moderates is not shut out by an address.
    let away = chat.enter_as(Proof::Key("SHA256:Alice".into()), "Alice", |connect| {
        connect.address = Some("198.51.100.8".parse().unwrap());
    });
    chat.hush();
    chat.type_(away, "/join #club");
    chat.type_(away, "still mine");
    assert_eq!(chat.read(alice).last().unwrap(), "[#club] Alice: still mine");
}

#[test]
fn who_is_muted_sets_no_topic() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice+club");
    let bob = chat.join("Bob+club");
    chat.type_(alice, "/mode -t");
    chat.type_(alice, "/mute Bob");
    chat.hush();
    chat.type_(bob, "/topic words all the same");
    assert!(chat.screen(bob).contains("You are muted"));
    chat.type_(alice, "/topic");
    assert!(chat.screen(alice).contains("#club has no topic"));
}

#[test]
fn a_message_to_a_room_is_said_there_by_either_word() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice+rust");
    let bob = chat.join("Bob+rust");
    chat.type_(alice, "/join #other");
    chat.hush();
    chat.type_(alice, "/pm #rust hello");
    chat.type_(alice, "/msg #rust again");
    assert_eq!(chat.read(bob), ["[#rust] Alice: hello", "[#rust] Alice: again"]);
}

#[test]
fn the_past_of_a_room_that_is_no_more_is_not_that_of_the_next() {
    use nacre_chat::{AdminRequest, Input};
    let mut chat = Chat::open();
    let alice = chat.join("Alice+secret");
    chat.type_(alice, "the plan");
    chat.input(Input::Admin { ticket: 1, request: AdminRequest::DeleteRoom("#secret".into()) });
    let mallory = chat.join("Mallory");
    chat.wait(std::time::Duration::from_secs(1));
    chat.type_(mallory, "/join #secret");
    chat.type_(mallory, "/history 500");
    chat.type_(mallory, "/search plan");
    assert!(!chat.screen(mallory).contains("the plan"));
}

#[test]
fn lines_whose_time_is_over_greet_nobody() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice+brief");
    chat.type_(alice, "/mode +e 1h");
    chat.type_(alice, "soon gone");
    chat.wait(std::time::Duration::from_secs(2 * 3600));
    let bob = chat.join("Bob+brief");
    chat.type_(bob, "/reply");
    assert!(!chat.screen(bob).contains("soon gone"));
}

#[test]
fn a_ban_that_is_said_again_takes_the_place_of_the_first() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice+club");
    chat.join("Bob+club");
    for _ in 0..3 {
        chat.type_(alice, "/ban Bob 1h");
    }
    chat.hush();
    chat.type_(alice, "/bans");
    assert!(chat.screen(alice).contains("1 on the list"));
    // Nor does whoever made a room leave it to nobody, and make the next.
    chat.type_(alice, "/deop Alice");
    assert!(chat.screen(alice).contains("#club is yours, and stays so"));
}

#[test]
fn a_proven_login_name_counts_as_a_whole() {
    let mut chat = Chat::open();
    let one = chat.enter(Proof::Login, "alice@one");
    let other = chat.enter(Proof::Login, "alice@other");
    chat.type_(one, "/list");
    assert!(chat.screen(one).contains("Online: alice, alice2"));
    chat.type_(one, "/pm alice2 hello");
    assert!(chat.screen(other).contains("[PM from alice] hello"));
}
