//! People on several nodes: whose a nick is, which rooms an account is in, and clocks that differ.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::net::{Net, said};
use nacre_chat::{Input, Nick, Proof, Rules};
use std::time::Duration;

const OTHER: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Nodes whose list keeps the nick `Alice2` for a key that never came.
fn with_a_kept_nick() -> Net {
    let mut net = Net::new(2);
    for node in &mut net.nodes {
        let mut rules = Rules::default();
        rules.names.insert("SHA256:kept".into(), Nick::parse("Alice2").unwrap());
        node.input(Input::Rules(Box::new(rules)));
    }
    net
}

#[test]
fn a_kept_nick_goes_to_nobody_whose_own_was_claimed_elsewhere() {
    let mut net = with_a_kept_nick();
    net.nodes[0].enter(Proof::Key("SHA256:one".into()), "Alice");
    let two = net.nodes[1].enter(Proof::Key("SHA256:two".into()), "alice");
    net.pump();
    let seen = net.nodes[1].screen(two);
    assert!(seen.contains("you are alice3"), "{seen}");
}

/// Whose it is, is told by the answer; the owner's record may come later.
#[test]
fn a_nick_of_somebody_not_known_here_yet_is_told_to_be_anothers() {
    let mut net = Net::new(2);
    net.nicks.insert(nacre_chat::Keys::of("Alice").folded, nacre_chat::AccountId(7));
    let one = net.nodes[0].enter(Proof::Key("SHA256:one".into()), "Alice");
    net.pump();
    let seen = net.nodes[0].screen(one);
    assert!(seen.contains("Alice belongs to somebody else; you are Alice2"), "{seen}");
}

#[test]
fn a_kept_nick_goes_to_nobody_who_lost_another_one() {
    let mut net = with_a_kept_nick();
    net.link(0, false);
    let one = net.nodes[0].enter(Proof::Key("SHA256:one".into()), "Alice");
    net.nodes[1].enter(Proof::Key("SHA256:two".into()), "Alice");
    net.pump();
    net.link(0, true);
    let seen = net.nodes[0].screen(one);
    assert!(seen.contains("Alice was taken on another node first; you are Alice3"), "{seen}");
}

#[test]
fn who_owns_too_many_rooms_is_told_how_they_go() {
    let mut net = Net::new(2);
    let alice = net.join(0, "Alice");
    for number in 0..20 {
        net.type_(0, alice, &format!("/join #r{number}"));
        net.type_(0, alice, "/part");
    }
    net.hush();
    net.type_(0, alice, "/join #one-more");
    let seen = net.nodes[0].screen(alice);
    assert!(seen.contains("You own 20 rooms already") && !seen.contains("go by themselves"), "{seen}");
    assert!(seen.contains("an operator at the machine can delete one: nacre chat admin delete '#r0'"), "{seen}");
}

#[test]
fn a_record_without_a_key_and_a_room_takes_the_account_out_of_that_room() {
    let mut net = Net::new(2);
    let alice = net.join(1, "Alice+club");
    let bob = net.join(0, "Bob+club");
    net.type_(0, bob, &format!("/key add {OTHER}"));
    let second = net.nodes[0].enter(Proof::Key(OTHER.into()), "Bobs");
    net.pump();
    net.type_(0, second, "/key accept Bob");
    let second = net.nodes[1].enter(Proof::Key(OTHER.into()), "Bob");
    net.pump();
    net.link(1, false);
    net.type_(0, bob, "/part #club");
    net.type_(0, bob, &format!("/key remove {OTHER}"));
    net.hush();
    net.link(1, true);
    assert!(net.nodes[1].closed.contains_key(&second));
    net.type_(1, alice, "/names");
    let names = net.nodes[1].screen(alice);
    assert!(names.contains("In #club: @Alice") && !names.contains("Bob,"), "{names}");
    // With the key that is left there is a way back, and ears.
    let bob = net.join(1, "Bob");
    net.type_(1, bob, "/join #club");
    net.hush();
    net.type_(1, alice, "can you hear me");
    assert_eq!(net.nodes[1].read(bob), ["[#club] Alice: can you hear me"]);
}

#[test]
fn a_clock_that_is_ahead_hides_nothing_that_others_say() {
    let mut net = Net::new(2);
    net.nodes[0].now = net.nodes[0].now.after(Duration::from_secs(120));
    let alice = net.join(0, "Alice+club");
    let bob = net.join(1, "Bob+club");
    net.hush();
    // By the clock of this node the room is not made yet.
    net.nodes[1].type_(bob, "before it was made");
    net.pump();
    net.nodes[0].type_(alice, "/history");
    let seen = said(net.nodes[0].read(alice));
    assert_eq!(seen.iter().filter(|line| line.contains("before it was made")).count(), 2, "{seen:?}");
    let carol = net.nodes[1].join("Carol+club");
    net.pump();
    assert!(net.nodes[1].screen(carol).contains("Bob: before it was made"));
}
