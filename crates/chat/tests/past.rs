//! History, what was missed, what waited; changing one's lines; crashes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::Chat;
use nacre_chat::{Config, Effect, Event, Face, Input, LineId, Proof, StoreAnswer, StoreRequest};
use std::time::Duration;

#[test]
fn history_is_there_after_coming_back_and_what_was_missed_is_counted() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice");
    let bob = chat.join("Bob");
    chat.type_(alice, "one");
    chat.leave(bob);
    chat.type_(alice, "two");
    chat.type_(alice, "three");
    let bob = chat.join("Bob");
    let seen = chat.read(bob);
    assert!(seen.contains(&"— 2 missed —".to_owned()), "{seen:?}");
    let past: Vec<&String> = seen.iter().filter(|line| line.starts_with("Alice: ")).collect();
    assert_eq!(past, ["Alice: one", "Alice: two", "Alice: three"]);
    chat.leave(bob);
    let bob = chat.join("Bob");
    assert!(!chat.screen(bob).contains("missed"));
}

#[test]
fn what_was_missed_beyond_memory_is_asked_of_the_store() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice");
    let bob = chat.join("Bob");
    chat.type_(alice, "one");
    chat.leave(bob);
    for number in 0..300 {
        chat.type_(alice, &format!("line {number}"));
    }
    let bob = chat.join("Bob");
    assert!(chat.screen(bob).contains("— 300 missed —"));
    chat.type_(bob, "/history 250");
    let seen = chat.read(bob);
    assert_eq!(seen.iter().filter(|line| line.starts_with("Alice: line ")).count(), 250);
}

#[test]
fn private_messages_wait_for_who_is_away_and_come_once() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice");
    let bob = chat.join("Bob");
    let eve = chat.join("Eve");
    chat.leave(bob);
    chat.hush();
    chat.type_(alice, "/pm bob for you alone");
    assert!(chat.screen(alice).contains("Bob is not here now and will find your message on coming back"));
    assert_eq!(chat.read(eve), [""; 0]);
    let bob = chat.join("Bob");
    let seen = chat.screen(bob);
    assert!(seen.contains("— 1 private message while you were away —\n[PM from Alice] for you alone"), "{seen}");
    chat.leave(bob);
    let bob = chat.join("Bob");
    assert!(!chat.screen(bob).contains("for you alone"));
    chat.type_(eve, "/search alone");
    assert!(!chat.screen(eve).contains("for you alone"));
    chat.type_(bob, "/search alone");
    assert!(chat.screen(bob).contains("for you alone"));
}

#[test]
fn replies_edits_and_deletions() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice");
    let bob = chat.join("Bob");
    chat.type_(alice, "teh crab");
    chat.hush();
    chat.type_(alice, "/edit the crab");
    assert_eq!(chat.read(bob), ["Alice (edited): the crab"]);
    let short = chat.lines[0].id.short();
    chat.type_(bob, "/reply");
    assert!(chat.screen(bob).contains(&format!("{short}  Alice: the crab")));
    chat.hush();
    chat.type_(bob, &format!("/reply {short} what crab?"));
    assert_eq!(chat.read(alice), [format!("Bob: (to {short}) what crab?")]);
    chat.type_(bob, "/reply alice that one");
    assert_eq!(chat.read(alice), [format!("Bob: (to {short}) that one")]);
    chat.hush();
    chat.type_(bob, &format!("/edit ^{short} mine"));
    assert_eq!(chat.read(bob), ["[SYSTEM] That is a line of Alice: only its author can change it"]);
    chat.type_(bob, &format!("/delete {short}"));
    assert_eq!(chat.read(bob), ["[SYSTEM] That is a line of Alice: only its author or an operator can take it back"]);
    chat.type_(alice, &format!("/delete {short}"));
    let carol = chat.join("Carol");
    assert!(!chat.screen(carol).contains("crab?") || !chat.screen(carol).contains("the crab"));
    chat.type_(carol, "/history");
    let seen = chat.screen(carol);
    assert!(!seen.contains("the crab") && seen.contains("what crab?"), "{seen}");
}

#[test]
fn a_line_that_is_swept_is_not_changed_either() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice+brief");
    chat.type_(alice, "/mode +e 1h");
    chat.type_(alice, "soon gone");
    chat.wait(Duration::from_secs(2 * 3600));
    let before = chat.lines.len();
    for command in ["/edit it was other", "/delete"] {
        chat.hush();
        chat.type_(alice, command);
        assert_eq!(chat.read(alice), ["[SYSTEM] You said nothing here lately"], "{command}");
    }
    assert_eq!(chat.lines.len(), before);
}

#[test]
fn a_moderator_may_take_a_line_back() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice+r");
    let bob = chat.join("Bob+r");
    chat.type_(bob, "rude");
    chat.type_(alice, "/delete bob");
    assert!(chat.audit.iter().any(|audit| audit.what == "delete" && &*audit.target == "Bob"));
    chat.hush();
    chat.type_(bob, "/history");
    assert!(!chat.screen(bob).lines().any(|line| line.ends_with(": rude")));
}

#[test]
fn a_line_is_confirmed_when_it_is_kept_and_lost_when_it_is_not() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice");
    chat.hush();
    chat.type_(alice, "kept");
    let events = chat.events(alice);
    let id = match &*events[0] {
        Event::Pending(line) => line.id,
        other => panic!("{other:?}"),
    };
    assert!(matches!(&*events[1], Event::Confirmed { line, sequence: None } if line.id == id));
    chat.store_works = false;
    chat.type_(alice, "not kept");
    let events = chat.events(alice);
    assert!(matches!(&*events[1], Event::Lost { why, .. } if &**why == "the disk is full"), "{events:?}");
}

#[test]
fn after_a_crash_everything_acknowledged_is_there() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice+rust");
    chat.type_(alice, "/topic Crabs");
    chat.type_(alice, "hello");
    chat.type_(alice, "/mode +m");
    chat.restart(Config::new("one", 2));
    let mallory = chat.enter(Proof::Key("SHA256:mallory".into()), "alice");
    assert!(chat.screen(mallory).contains("alice belongs to somebody else; you are alice2"));
    let alice = chat.join("Alice");
    let seen = chat.screen(alice);
    assert!(seen.contains("You are Alice") && seen.contains("[#rust] Alice: hello"), "{seen}");
    chat.type_(alice, "/topic");
    assert!(chat.screen(alice).contains("Topic of #rust: Crabs"));
    chat.type_(alice, "again");
    assert_eq!(chat.lines.iter().filter(|line| &*line.body == "again").count(), 1);
    assert_eq!(
        chat.lines.iter().map(|line| line.id).collect::<std::collections::BTreeSet<LineId>>().len(),
        chat.lines.len()
    );
}

#[test]
fn a_program_sees_no_past_unless_it_says_since_when() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice");
    chat.enter_as(Proof::Key("SHA256:bot".into()), "bot", |connect| connect.face = Face::Json);
    chat.type_(alice, "one");
    let since = chat.lines[0].id;
    chat.type_(alice, "two");
    chat.type_(alice, "three");
    let bot = chat.enter_as(Proof::Key("SHA256:bot".into()), "bot", |connect| connect.face = Face::Json);
    assert!(!chat.screen(bot).contains("two"));
    let bot = chat.enter_as(Proof::Key("SHA256:bot".into()), "bot", |connect| {
        connect.face = Face::Json;
        connect.since = Some(since);
    });
    let seen = chat.screen(bot);
    assert!(seen.contains("Alice: two\nAlice: three") && !seen.contains("Alice: one"), "{seen}");
}

#[test]
fn history_by_line_and_by_time() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice");
    for word in ["one", "two", "three", "four", "five"] {
        chat.wait(Duration::from_secs(600));
        chat.type_(alice, word);
    }
    let three = chat.lines[2].id.short();
    let mut asked = |command: &str| {
        chat.hush();
        chat.type_(alice, command);
        chat.read(alice).into_iter().skip(1).collect::<Vec<_>>().join(" ").replace("Alice: ", "")
    };
    assert_eq!(asked(&format!("/history before {three}")), "one two");
    assert_eq!(asked(&format!("/history after {three} 1")), "four");
    assert_eq!(asked(&format!("/history around {three} 2")), "two three four");
    assert_eq!(asked("/history 15m"), "four five");
    assert_eq!(asked("/history 2"), "four five");
    assert_eq!(asked("/search FOUR"), "four");
}

#[test]
fn one_account_searches_one_thing_at_a_time() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice");
    let phone = chat.join("Alice@phone");
    let bob = chat.join("Bob");
    chat.hush();
    // Typed, with the store's work left to be done later.
    let ask = |chat: &mut Chat, session| {
        chat.now = chat.now.after(Duration::from_secs(1));
        let effects = chat.engine.handle(chat.now, Input::Typed { session, bytes: b"/search crab"[..].into() });
        let search = effects.iter().find_map(|effect| match effect {
            Effect::Store { request, what: StoreRequest::Search(_) } => Some(*request),
            _ => None,
        });
        (search, format!("{effects:?}").contains("Your last search is still under way"))
    };
    let (Some(first), false) = ask(&mut chat, alice) else { panic!("not asked") };
    assert_eq!(ask(&mut chat, alice), (None, true));
    assert_eq!(ask(&mut chat, phone), (None, true), "nor with another session");
    assert!(ask(&mut chat, bob).0.is_some());
    assert!(chat.engine.is_searching(alice) && !chat.engine.is_searching(phone));
    let answer = StoreAnswer::Failed("too many are searching; try again in a moment".into());
    chat.input(Input::Stored { request: first, answer });
    assert_eq!(
        chat.read(alice),
        ["[SYSTEM] The search came to nothing: too many are searching; try again in a moment"]
    );
    assert!(ask(&mut chat, phone).0.is_some());
}
