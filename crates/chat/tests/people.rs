//! Accounts, names, keys, moderation, ignoring, bells, speed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::Chat;
use nacre_chat::{Config, Event, Input, Nick, Proof, Rules};
use std::time::Duration;

const OTHER: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn with_operator() -> Chat {
    let mut config = Config::new("one", 1);
    config.rules.operators.insert("SHA256:root-key".into());
    config.rules.guests = true;
    Chat::new(config)
}

#[test]
fn the_first_key_to_use_a_nick_owns_it() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice");
    chat.leave(alice);
    let other = chat.enter(Proof::Key("SHA256:other".into()), "ALICE");
    assert!(chat.screen(other).contains("ALICE belongs to somebody else; you are ALICE2"));
    let again = chat.enter(Proof::Key("SHA256:Alice".into()), "whatever");
    assert!(chat.screen(again).contains("You are Alice: that is the name of your account"));
    chat.hush();
    chat.type_(other, "/nick AIice");
    assert_eq!(chat.read(other), ["[SYSTEM] AIice is somebody's name, or looks like one"]);
    chat.type_(other, "/nick аdmin");
    assert_eq!(chat.read(other), ["[SYSTEM] That cannot be your name: it mixes letters of different scripts"]);
    chat.type_(other, "/nick Malory");
    assert_eq!(chat.read(again), ["[SYSTEM] ALICE2 is now Malory"]);
    let third = chat.enter(Proof::Key("SHA256:third".into()), "alice2");
    assert!(chat.screen(third).contains("You are alice2"), "the old name is free");
}

#[test]
fn one_identity_with_several_sessions() {
    let mut chat = Chat::open();
    let phone = chat.join("Alice@phone");
    let bob = chat.join("Bob");
    chat.hush();
    let desk = chat.join("Alice@desk");
    assert_eq!(chat.read(bob), [""; 0], "Alice was here already");
    chat.hush();
    chat.type_(desk, "hi");
    assert_eq!(chat.read(phone), ["Alice: hi"]);
    assert_eq!(chat.read(bob), ["Alice: hi"]);
    chat.type_(bob, "/pm alice both see it");
    assert_eq!(chat.read(phone), ["[PM from Bob] both see it"]);
    assert!(chat.screen(desk).contains("both see it"));
    chat.leave(phone);
    assert!(!chat.screen(bob).contains("left"));
    chat.leave(desk);
    assert_eq!(chat.read(bob), ["[SYSTEM] Alice left"]);
}

#[test]
fn a_second_key_joins_an_account_only_by_its_own_consent() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice");
    chat.type_(alice, "/key add nonsense");
    assert!(chat.screen(alice).contains("A key is named SHA256:"));
    chat.type_(alice, &format!("/key add {OTHER}"));
    let second = chat.enter(Proof::Key(OTHER.into()), "alice");
    let seen = chat.screen(second);
    assert!(seen.contains("you are alice2") && seen.contains("/key accept Alice"), "{seen}");
    chat.type_(second, "hi");
    assert_eq!(&*chat.lines.last().unwrap().from.nick, "alice2", "not Alice before it accepted");
    let mallory = chat.join("Mallory");
    chat.hush();
    chat.type_(mallory, "/key accept Alice");
    assert!(chat.screen(mallory).contains("Alice made no such offer"));
    chat.type_(second, "/key accept Alice");
    assert!(chat.closed[&second].contains("connect again"));
    let second = chat.enter(Proof::Key(OTHER.into()), "x");
    assert!(chat.screen(second).contains("You are Alice"));
    let third = chat.enter(Proof::Key("SHA256:third".into()), "alice2");
    assert!(chat.screen(third).contains("You are alice2"), "the name of the account that went is free");
    chat.type_(alice, &format!("/key remove {OTHER}"));
    assert!(chat.closed.contains_key(&second));
    chat.hush();
    chat.type_(alice, "/key remove SHA256:Alice");
    assert!(chat.screen(alice).contains("your only key"));
}

#[test]
fn guests_come_by_policy_only_and_own_nothing() {
    let mut chat = Chat::open();
    let guest = chat.enter(Proof::Guest, "gast");
    assert!(chat.closed.contains_key(&guest));

    let mut chat = with_operator();
    let alice = chat.join("Alice");
    let guest = chat.enter(Proof::Guest, "gast");
    chat.hush();
    chat.type_(guest, "hello");
    assert!(!chat.lines.last().unwrap().from.verified);
    assert_eq!(chat.read(alice), ["gast: hello"]);
    chat.type_(guest, "/join #new");
    assert!(chat.screen(guest).contains("only people with a key make rooms"));
    chat.type_(guest, "/key");
    assert!(chat.screen(guest).contains("You are a guest"));
    chat.leave(guest);
    assert!(!format!("{:?}", chat.records).contains("gast"));
    let owner = chat.join("gast");
    assert!(chat.screen(owner).contains("You are gast"));

    let mut config = Config::new("one", 1);
    config.rules.registration = false;
    let mut chat = Chat::new(config);
    let stranger = chat.join("Alice");
    assert!(chat.closed[&stranger].contains("ask an operator"));
}

#[test]
fn house_rules_change_while_people_are_here() {
    let mut chat = with_operator();
    let root = chat.enter(Proof::Key("SHA256:root-key".into()), "Ruth");
    let guest = chat.enter(Proof::Guest, "gast");
    let mut rules = Rules { registration: false, open_rooms: false, ..Rules::default() };
    rules.names.insert("SHA256:Bob".into(), Nick::parse("Rob").unwrap());
    rules.greeting = "New rules.".into();
    chat.input(Input::Rules(Box::new(rules)));
    assert!(chat.closed.is_empty());
    let late = chat.enter(Proof::Guest, "other");
    assert!(chat.closed.contains_key(&late));
    let bob = chat.join("Bob");
    assert!(chat.screen(bob).contains("You are Rob: that is the name of your account"));
    chat.type_(guest, "/nick Rob");
    assert!(chat.screen(guest).contains("Rob is somebody's name, or looks like one"));
    chat.hush();
    chat.type_(root, "/gban Rob");
    assert_eq!(chat.read(root), ["[SYSTEM] Only operators of the server may do that"]);
    let stranger = chat.join("Alice");
    assert!(chat.closed[&stranger].contains("ask an operator"));
}

#[test]
fn a_kept_nick_is_nobody_elses_before_its_key_comes() {
    let mut config = Config::new("one", 1);
    config.rules.names.insert("SHA256:Bob".into(), Nick::parse("Admiral").unwrap());
    let mut chat = Chat::new(config);
    let mallory = chat.join("AdmiraI");
    let told = chat.screen(mallory);
    assert!(told.contains("AdmiraI belongs to somebody else; you are AdmiraI2. /nick NAME chooses another"), "{told}");
    chat.hush();
    chat.type_(mallory, "/nick ADMIRAL");
    assert_eq!(chat.read(mallory), ["[SYSTEM] ADMIRAL is somebody's name, or looks like one"]);
    let bob = chat.join("Bob");
    chat.type_(bob, "/nick Bobby");
    chat.type_(bob, "/nick Admiral");
    assert!(chat.screen(bob).contains("Bobby is now Admiral"));
}

#[test]
fn kick_mute_and_timed_bans_with_their_audit() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice+r");
    let bob = chat.join("Bob+r");
    chat.hush();
    chat.type_(bob, "/kick Alice");
    assert_eq!(chat.read(bob), ["[SYSTEM] Only operators of #r may do that"]);
    chat.type_(alice, "/mute Bob 10m too loud");
    assert_eq!(chat.read(bob), ["[SYSTEM] Bob is muted by Alice for 10m: too loud"]);
    chat.type_(bob, "hello");
    assert!(
        chat.screen(bob).starts_with("[SYSTEM] You are muted of #r for another 9m59s: too loud"),
        "{:?}",
        chat.audit
    );
    chat.wait(Duration::from_secs(600));
    chat.hush();
    chat.type_(bob, "hello");
    assert_eq!(chat.read(alice), ["[#r] Bob: hello"]);

    chat.hush();
    chat.type_(alice, "/kick Bob enough");
    assert!(chat.screen(bob).starts_with("[SYSTEM] Bob was put out of #r by Alice: enough"));
    chat.type_(bob, "/join #r");
    chat.type_(alice, "/ban Bob 1h");
    chat.hush();
    chat.type_(bob, "/join #r");
    assert!(chat.screen(bob).starts_with("[SYSTEM] You are kept out of #r for another 59m59s"));
    chat.leave(bob);
    let bob = chat.join("Bob");
    chat.wait(Duration::from_secs(3600));
    chat.hush();
    chat.type_(bob, "/join #r");
    assert!(chat.screen(bob).contains("You are in #r"));
    chat.type_(alice, "/ban Bob");
    chat.type_(alice, "/unban Bob");
    chat.type_(bob, "/join #r");
    assert!(chat.screen(bob).contains("You are in #r"));
    let deeds: Vec<&str> = chat.audit.iter().map(|audit| audit.what).collect();
    assert_eq!(deeds, ["ban", "unban"]);
}

#[test]
fn bans_by_key_and_address_of_the_whole_server() {
    let mut chat = with_operator();
    let root = chat.enter(Proof::Key("SHA256:root-key".into()), "Ruth");
    let bob = chat.join("Bob");
    chat.hush();
    chat.type_(bob, "/gban Ruth");
    assert_eq!(chat.read(bob), ["[SYSTEM] Only operators of the server may do that"]);
    chat.type_(root, "/whois Bob");
    assert!(chat.screen(root).contains(", client SSH-2.0-Test, from 192.0.2.1"));
    chat.type_(bob, "/whois Ruth");
    let seen = chat.screen(bob);
    assert!(seen.contains(", client SSH-2.0-Test") && !seen.contains("192.0.2.1"), "{seen}");
    chat.type_(root, "/gban SHA256:Bob 1d");
    assert!(chat.closed[&bob].starts_with("You are kept out for another 1d"));
    let bob = chat.join("Robert");
    assert!(!chat.closed.contains_key(&bob), "another key");
    let bob = chat.enter(Proof::Key("SHA256:Bob".into()), "Robert");
    assert!(chat.closed.contains_key(&bob));
    chat.type_(root, "/gban 192.0.2.0/24 1d");
    let guest = chat.enter(Proof::Guest, "gast");
    assert!(chat.closed.contains_key(&guest));
    assert!(!chat.closed.contains_key(&root), "an operator's own session stays");
    chat.type_(root, "/ungban 192.0.2.0/24");
    let guest = chat.enter(Proof::Guest, "gast");
    assert!(!chat.closed.contains_key(&guest));
}

#[test]
fn roles_reach_only_downwards() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice+r");
    let bob = chat.join("Bob+r");
    let carol = chat.join("Carol+r");
    chat.type_(alice, "/op Bob");
    chat.hush();
    chat.type_(bob, "/op Carol");
    assert_eq!(chat.read(bob), ["[SYSTEM] Your rights do not reach that far"]);
    chat.type_(bob, "/deop Alice");
    assert_eq!(chat.read(bob), ["[SYSTEM] Your rights do not reach that far"]);
    chat.type_(bob, "/ban Alice");
    assert_eq!(chat.read(bob), ["[SYSTEM] Alice has as many rights as you"]);
    chat.type_(bob, "/kick Carol");
    assert!(chat.screen(carol).contains("Carol was put out of #r by Bob"));
    chat.type_(bob, "/deop Bob");
    chat.hush();
    chat.type_(bob, "/kick Alice");
    assert_eq!(chat.read(bob), ["[SYSTEM] Only operators of #r may do that"]);
}

#[test]
fn ignoring_hides_all_of_somebody() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice");
    let bob = chat.join("Bob");
    let carol = chat.join("Carol");
    chat.type_(carol, "/ignore Bob");
    chat.hush();
    chat.type_(bob, "hello");
    chat.type_(bob, "/pm Carol hello");
    chat.type_(bob, "/away lunch");
    chat.type_(bob, "/me waves");
    assert_eq!(chat.read(carol), [""; 0]);
    assert_eq!(chat.read(alice), ["Bob: hello", "[SYSTEM] Bob is away: lunch", "* Bob waves"]);
    chat.leave(carol);
    let carol = chat.join("Carol");
    assert!(!chat.screen(carol).contains("hello"));
    chat.type_(carol, "/ignore");
    assert_eq!(chat.read(carol), ["[SYSTEM] You ignore Bob"]);
    chat.type_(carol, "/unignore bob");
    chat.hush();
    chat.type_(bob, "again");
    assert_eq!(chat.read(carol), ["Bob: again"]);
}

#[test]
fn bells_ring_for_whole_words_in_any_case() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice");
    let bob = chat.join("Bob");
    let rings = |chat: &mut Chat, text: &str| {
        chat.hush();
        chat.type_(bob, text);
        chat.rung.get(&alice).copied().unwrap_or(0)
    };
    assert_eq!(rings(&mut chat, "malice aforethought, alicexyz"), 0);
    assert_eq!(rings(&mut chat, "hey ALICE!"), 1);
    assert_eq!(rings(&mut chat, "@alice: alice, alice"), 1);
    assert_eq!(rings(&mut chat, "nothing"), 0);
    assert_eq!(rings(&mut chat, "/pm alice x"), 1);
    chat.type_(alice, "/bell pm");
    assert_eq!(rings(&mut chat, "alice"), 0);
    assert_eq!(rings(&mut chat, "/pm alice x"), 1);
    chat.type_(alice, "/bell all");
    assert_eq!(rings(&mut chat, "nothing"), 1);
    chat.type_(alice, "/bell off");
    assert_eq!(rings(&mut chat, "alice"), 0);
    assert_eq!(rings(&mut chat, "/pm alice x"), 0);
    assert_eq!(chat.rung.get(&bob), None, "one's own line never rings");
}

#[test]
fn who_writes_too_fast_is_delayed_then_muted_never_banned() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice");
    let bob = chat.join("Bob");
    chat.wait(Duration::from_secs(10));
    chat.hush();
    for number in 0..20 {
        chat.type_now(alice, format!("{number}").as_bytes());
    }
    assert_eq!(chat.read(bob).len(), 5, "a burst of five");
    chat.wait(Duration::from_secs(2));
    assert_eq!(chat.read(bob), ["Alice: 5", "Alice: 6", "Alice: 7", "Alice: 8"], "then two a second, in order");
    chat.wait(Duration::from_secs(30));
    assert_eq!(chat.read(bob).len(), 11, "and none is lost");
    chat.hush();
    for number in 0..100 {
        chat.type_now(alice, format!("{number}").as_bytes());
    }
    assert!(chat.screen(alice).contains("none for 30s"));
    assert_eq!(chat.audit.iter().filter(|audit| audit.what == "flood").count(), 1);
    chat.wait(Duration::from_secs(31));
    chat.hush();
    chat.type_(alice, "sorry");
    assert_eq!(chat.read(bob), ["Alice: sorry"]);
    assert!(!chat.closed.contains_key(&alice));
}

#[test]
fn what_people_choose_is_kept() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice");
    for command in ["/zone +1:30", "/bell off", "/theme dark", "/times off", "/emoji text"] {
        chat.type_(alice, command);
    }
    chat.restart(Config::new("one", 2));
    let alice = chat.join("Alice");
    let events = chat.events(alice);
    let Event::Welcome { settings, .. } = &*events[0] else { panic!("{events:?}") };
    assert_eq!((settings.zone, settings.bell.word(), &*settings.theme), (90, "off", "dark"));
    assert!(!settings.times && settings.emoji_as_text);
}

#[test]
fn where_unknown_keys_make_no_accounts_an_offered_key_may_still_join_one() {
    let mut config = Config::new("one", 1);
    let mut chat = Chat::new(config.clone());
    let alice = chat.join("Alice");
    chat.leave(alice);
    config.rules.registration = false;
    chat.restart(config);
    let alice = chat.join("Alice");
    chat.type_(alice, &format!("/key add {OTHER}"));
    let second = chat.enter(Proof::Key(OTHER.into()), "al");
    chat.type_(second, "/key accept Alice");
    let second = chat.enter(Proof::Key(OTHER.into()), "al");
    assert!(chat.screen(second).contains("You are Alice"));
}

#[test]
fn an_offer_that_is_over_opens_no_closed_server() {
    let mut chat = with_operator();
    let alice = chat.join("Alice");
    chat.input(Input::Rules(Box::new(Rules { registration: false, ..Rules::default() })));
    chat.type_(alice, &format!("/key add {OTHER}"));
    chat.wait(Duration::from_secs(3601));
    let late = chat.enter(Proof::Key(OTHER.into()), "al");
    assert!(chat.closed.contains_key(&late), "{}", chat.screen(late));
}
