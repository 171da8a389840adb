//! Several nodes with a stream between them: order, doubles, gaps, and what happens when things break.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::Chat;
use common::net::{Net, said};
use nacre_chat::{AccountId, BackNews, Config, Event, Input, Proof, Record, RecordKey, RoomName, SessionId};
use proptest::prelude::*;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

#[test]
fn a_line_reaches_the_other_node_and_private_ones_only_their_recipient() {
    let mut net = Net::new(2);
    let alice = net.join(0, "Alice");
    let bob = net.join(1, "Bob");
    assert!(net.nodes[0].screen(alice).contains("Bob joined (secure channel)"));
    let eve = net.join(1, "Eve");
    net.hush();
    net.type_(0, alice, "over there");
    assert_eq!(net.nodes[1].read(bob), ["Alice: over there"]);
    assert_eq!(net.nodes[0].read(alice), ["Alice: over there"]);
    net.hush();
    net.type_(0, alice, "/pm Bob only you");
    assert_eq!(net.nodes[1].read(bob), ["[PM from Alice] only you"]);
    assert_eq!(net.nodes[1].read(eve), [""; 0]);
    net.type_(0, alice, "/list");
    assert!(net.nodes[0].screen(alice).contains("Online: Alice, Bob, Eve"));
    net.type_(1, bob, "/names");
    assert!(net.nodes[1].screen(bob).contains("In #lobby: Alice, Bob, Eve"));
    assert_eq!(net.nodes[0].lines.len(), 2);
    assert_eq!(net.nodes[1].lines.len(), 2);
}

#[test]
fn ones_own_line_is_pale_until_it_has_its_number() {
    let mut net = Net::new(2);
    let alice = net.join(0, "Alice");
    net.hush();
    net.nodes[0].type_(alice, "hello");
    let events = net.nodes[0].events(alice);
    assert!(matches!(&*events[0], Event::Pending(_)) && events.len() == 1, "{events:?}");
    net.pump();
    let events = net.nodes[0].events(alice);
    assert!(matches!(&*events[0], Event::Confirmed { sequence: Some(1), .. }), "{events:?}");
}

#[test]
fn one_person_on_two_nodes_sees_all_on_both() {
    let mut net = Net::new(2);
    let desk = net.join(0, "Alice");
    let phone = net.join(1, "Alice");
    assert!(net.nodes[1].screen(phone).contains("You are Alice"), "the account is known on both");
    let bob = net.join(1, "Bob");
    net.hush();
    net.type_(0, desk, "hi");
    assert_eq!(net.nodes[1].read(phone), ["Alice: hi"]);
    net.type_(1, bob, "/pm alice psst");
    assert!(net.nodes[0].screen(desk).contains("[PM from Bob] psst"));
    assert!(net.nodes[1].screen(phone).contains("[PM from Bob] psst"));
    net.nodes[0].leave(desk);
    net.pump();
    assert!(!net.nodes[1].screen(bob).contains("left"), "still there by the other node");
}

#[test]
fn a_lost_line_is_seen_as_a_gap_and_filled_in_order() {
    let mut net = Net::new(2);
    let alice = net.join(0, "Alice");
    let bob = net.join(1, "Bob");
    net.hush();
    net.type_(0, alice, "one");
    net.lose[1] = 5;
    for word in ["two", "three", "four", "five", "six", "seven"] {
        net.type_(0, alice, word);
    }
    let seen = net.nodes[1].read(bob);
    assert_eq!(seen, ["one", "two", "three", "four", "five", "six", "seven"].map(|word| format!("Alice: {word}")));
}

#[test]
fn a_publish_that_seemed_to_fail_makes_no_double() {
    let mut net = Net::new(2);
    let alice = net.join(0, "Alice");
    let bob = net.join(1, "Bob");
    net.hush();
    net.lie = 2;
    net.type_(0, alice, "once");
    net.type_(0, alice, "and again");
    net.wait(Duration::from_secs(5));
    assert_eq!(net.nodes[1].read(bob), ["Alice: once", "Alice: and again"]);
    assert_eq!(net.stream.len(), 2);
    assert_eq!(said(net.nodes[0].read(alice)), ["Alice: once", "Alice: and again"]);
}

#[test]
fn a_nodes_own_line_whose_echo_was_lost_is_still_confirmed() {
    let mut net = Net::new(2);
    let alice = net.join(0, "Alice");
    net.hush();
    net.lose[0] = 1;
    net.type_(0, alice, "hello");
    assert_eq!(net.nodes[0].read(alice), [""; 0]);
    net.wait(Duration::from_secs(3));
    assert_eq!(net.nodes[0].read(alice), ["Alice: hello"]);
}

#[test]
fn with_the_back_plane_down_people_go_on_and_all_come_together_after() {
    let mut net = Net::new(2);
    let alice = net.join(0, "Alice");
    let amy = net.join(0, "Amy");
    let bob = net.join(1, "Bob");
    net.type_(0, alice, "before");
    net.hush();
    net.link(0, false);
    assert_eq!(net.nodes[0].read(alice), ["[SYSTEM] not connected to other nodes"]);
    for number in 0..4 {
        net.type_(0, alice, &format!("here {number}"));
        net.type_(1, bob, &format!("there {number}"));
    }
    assert_eq!(said(net.nodes[0].read(amy)), (0..4).map(|n| format!("Alice: here {n}")).collect::<Vec<_>>());
    net.hush();
    net.link(0, true);
    let seen = net.nodes[0].read(amy);
    assert_eq!(seen[0], "[SYSTEM] connected to other nodes");
    let apart: Vec<&String> = seen.iter().filter(|line| line.contains("while apart")).collect();
    assert_eq!(apart, ["— 4 lines while apart —"], "{seen:?}");
    let bobs: Vec<String> = seen.iter().filter(|line| line.starts_with("Bob")).cloned().collect();
    assert_eq!(bobs, (0..4).map(|n| format!("Bob: there {n}")).collect::<Vec<_>>());
    assert_eq!(net.nodes[1].read(bob), (0..4).map(|n| format!("Alice: here {n}")).collect::<Vec<_>>());
    let bodies = |net: &Net, node: usize| -> BTreeSet<String> {
        net.nodes[node].lines.iter().map(|line| line.body.to_string()).collect()
    };
    assert_eq!(bodies(&net, 0), bodies(&net, 1));
    assert_eq!(net.nodes[0].lines.len(), 9, "each once");
    assert_eq!(net.stream.len(), 9);
}

#[test]
fn lines_in_flight_when_the_link_goes_are_neither_lost_nor_doubled() {
    let mut net = Net::new(2);
    let alice = net.join(0, "Alice");
    let amy = net.join(0, "Amy");
    let bob = net.join(1, "Bob");
    net.hush();
    net.nodes[0].type_(alice, "flying");
    net.up[0] = false;
    net.nodes[0].input(Input::Back(BackNews::Down));
    net.pump();
    assert_eq!(said(net.nodes[0].read(amy)), ["Alice: flying"]);
    net.link(0, true);
    assert_eq!(net.nodes[1].read(bob), ["Alice: flying"]);
    assert!(!net.nodes[0].screen(amy).contains("flying"));
    assert!(net.nodes[0].screen(alice).contains("Alice: flying"), "confirmed");
    assert_eq!(net.nodes[0].lines.len(), 1);
}

#[test]
fn the_queue_while_apart_is_bounded_in_lines_and_in_time() {
    let mut net = Net::new(2);
    let alice = net.join(0, "Alice");
    net.link(0, false);
    net.nodes[0].type_(alice, "first");
    net.wait(Duration::from_secs(299));
    net.nodes[0].type_(alice, "second");
    net.hush();
    net.wait(Duration::from_secs(2));
    net.nodes[0].type_(alice, "third");
    let seen = net.nodes[0].screen(alice);
    assert!(seen.contains("Not connected to the other nodes for 5m") && seen.contains("Nothing was sent"), "{seen}");

    let mut net = Net::new(2);
    let people: Vec<SessionId> = (0..200).map(|n| net.join(0, &format!("p{n}"))).collect();
    net.link(0, false);
    for round in 0..6 {
        for person in &people {
            net.nodes[0].type_now(*person, format!("{round}").as_bytes());
        }
        net.wait(Duration::from_secs(5));
    }
    net.hush();
    net.link(0, true);
    assert_eq!(net.stream.len(), 1_000);
    let events = net.nodes[0].events(people[1]);
    assert!(!events.iter().any(|event| matches!(&**event, Event::Line(_))), "all of it was shown before");
}

#[test]
fn a_node_that_dies_leaves_one_line_a_room() {
    let mut net = Net::new(2);
    let alice = net.join(0, "Alice");
    net.join(1, "Bob");
    net.join(1, "Carol");
    net.hush();
    net.nodes[0].input(Input::Back(BackNews::NodeGone { node: "node-1".into() }));
    assert_eq!(net.nodes[0].read(alice), ["[SYSTEM] Bob, Carol left (their server is gone)"]);
    net.type_(0, alice, "/list");
    assert_eq!(net.nodes[0].read(alice), ["[SYSTEM] Online: Alice"]);
}

#[test]
fn a_nick_claimed_on_two_nodes_goes_to_the_first() {
    let mut net = Net::new(2);
    let one = net.nodes[0].enter(Proof::Key("SHA256:one".into()), "Alice");
    let two = net.nodes[1].enter(Proof::Key("SHA256:two".into()), "alice");
    // Both claims are out before either is answered; what is typed meanwhile waits.
    net.nodes[1].type_(two, "hello");
    net.pump();
    assert!(net.nodes[0].screen(one).contains("You are Alice"));
    let seen = net.nodes[1].screen(two);
    assert!(
        seen.contains("alice belongs to somebody else; you are alice2") && seen.contains("alice2: hello"),
        "{seen}"
    );
}

#[test]
fn a_nick_given_while_apart_is_claimed_after_and_may_be_lost() {
    let mut net = Net::new(2);
    net.link(0, false);
    let one = net.nodes[0].enter(Proof::Key("SHA256:one".into()), "Alice");
    assert!(net.nodes[0].screen(one).contains("You are Alice"));
    let two = net.nodes[1].enter(Proof::Key("SHA256:two".into()), "Alice");
    net.pump();
    assert!(net.nodes[1].screen(two).contains("You are Alice"));
    net.link(0, true);
    let seen = net.nodes[0].screen(one);
    assert!(seen.contains("Alice was taken on another node first; you are Alice2"), "{seen}");
    let known: BTreeSet<Option<AccountId>> = ["Alice", "Alice2"]
        .map(|nick| net.nicks.get(&nacre_chat::Keys::of(nick).folded).copied())
        .into_iter()
        .collect();
    assert_eq!(known.len(), 2);
}

#[test]
fn bans_and_rooms_made_on_one_node_hold_on_the_other() {
    let mut net = Net::new(2);
    let alice = net.join(0, "Alice+r");
    let bob = net.join(1, "Bob");
    net.type_(1, bob, "/join #r");
    assert!(net.nodes[1].screen(bob).contains("You are in #r"), "one room, not two");
    net.type_(0, alice, "/ban Bob 1h");
    assert!(net.nodes[1].screen(bob).contains("Bob was put out of #r by Alice"));
    net.type_(1, bob, "/join #r");
    assert!(net.nodes[1].screen(bob).contains("You are kept out of #r"));
}

#[test]
fn who_comes_into_a_room_nobody_here_was_in_sees_its_past() {
    let mut net = Net::new(2);
    let alice = net.join(0, "Alice+r");
    for number in 0..10 {
        net.type_(0, alice, &format!("line {number}"));
    }
    let bob = net.join(1, "Bob");
    net.hush();
    net.type_(1, bob, "/join #r");
    let seen = net.nodes[1].screen(bob);
    assert!(seen.contains("— Said on other nodes —\n[#r] Alice: line 0") && seen.contains("line 9"), "{seen}");
    net.type_(0, alice, "live");
    assert_eq!(net.nodes[1].read(bob), ["[#r] Alice: live"]);
}

#[test]
fn a_private_message_finds_who_was_away_on_any_node() {
    let mut net = Net::new(2);
    let alice = net.join(0, "Alice");
    let bob = net.join(0, "Bob");
    net.nodes[0].leave(bob);
    net.pump();
    net.type_(0, alice, "/pm Bob wait for me");
    let bob = net.join(1, "Bob");
    let seen = net.nodes[1].screen(bob);
    assert!(seen.contains("[PM from Alice] wait for me"), "{seen}");
}

impl Net {
    /// A node dies without a word and starts again with what its store holds.
    fn crash(&mut self, node: usize, run: u64) {
        self.up[node] = false;
        self.feeds[node].clear();
        let mut config = Config::new(&format!("node-{node}"), run);
        config.nodes = true;
        config.rules.guests = true;
        self.nodes[node].restart(config);
    }
}

#[test]
fn a_node_that_died_comes_back_with_all_it_kept_and_gets_what_it_missed() {
    let mut net = Net::new(2);
    let alice = net.join(0, "Alice");
    let bob = net.join(1, "Bob");
    net.type_(0, alice, "one");
    net.link(0, false);
    net.type_(0, alice, "said apart");
    net.type_(1, bob, "meanwhile");
    net.crash(0, 99);
    net.nodes[1].input(Input::Back(BackNews::NodeGone { node: "node-0".into() }));
    net.type_(1, bob, "still dead?");
    net.hush();
    net.link(0, true);
    assert_eq!(net.nodes[1].read(bob), ["Alice: said apart"], "what it kept is not lost");
    let alice = net.join(0, "Alice");
    net.wait(Duration::from_secs(3));
    let seen = net.nodes[0].screen(alice);
    for text in ["Alice: one", "Alice: said apart", "Bob: meanwhile", "Bob: still dead?"] {
        assert_eq!(seen.matches(text).count(), 1, "{text} in {seen}");
    }
    net.type_(1, bob, "welcome back");
    assert!(net.nodes[0].screen(alice).contains("Bob: welcome back"));
    for node in &net.nodes {
        assert_eq!(node.lines.len(), 5, "each once");
        assert_eq!(node.numbers.len(), 5, "each with its number");
    }
}

#[test]
fn lines_whose_time_is_over_do_not_come_back_out_of_the_stream() {
    let mut net = Net::new(2);
    let alice = net.join(0, "Alice+r");
    net.type_(0, alice, "/mode +e 1h");
    net.type_(0, alice, "long ago");
    net.wait(Duration::from_secs(2 * 3600));
    net.type_(0, alice, "now");
    let bob = net.join(1, "Bob+r");
    let seen = net.nodes[1].screen(bob);
    assert!(seen.contains("Alice: now") && !seen.contains("long ago"), "{seen}");
    assert_eq!(net.nodes[1].lines.len(), 1);
}

#[test]
fn a_server_that_was_alone_brings_its_people_and_rooms() {
    let mut net = Net::new(2);
    let mut alone = Chat::new(Config::new("node-0", 5));
    let alice = alone.join("Alice+r");
    alone.type_(alice, "/topic long before");
    alone.leave(alice);
    std::mem::swap(&mut net.nodes[0], &mut alone);
    net.crash(0, 6);
    let bob = net.join(1, "Bob+q");
    net.link(0, true);
    // The name is Alice's on the other node too, and the room is the one she made.
    let liar = net.nodes[1].enter(Proof::Key("SHA256:liar".into()), "Alice");
    net.pump();
    assert!(net.nodes[1].screen(liar).contains("Alice belongs to somebody else; you are Alice2"));
    net.type_(1, bob, "/join #r");
    net.type_(1, bob, "/topic mine");
    let seen = net.nodes[1].screen(bob);
    assert!(seen.contains("long before") && !seen.contains("set the topic: mine"), "{seen}");
}

#[test]
fn a_ban_that_was_lifted_while_apart_is_lifted_everywhere() {
    let mut net = Net::new(2);
    let alice = net.join(0, "Alice+r");
    let bob = net.join(1, "Bob");
    net.type_(0, alice, "/ban Bob 1h");
    net.link(0, false);
    net.type_(0, alice, "/unban Bob");
    net.link(0, true);
    net.hush();
    net.type_(1, bob, "/join #r");
    assert!(net.nodes[1].screen(bob).contains("You are in #r"));
    assert!(net.records.iter().all(|record| !matches!(record, Record::Ban(_))));
}

#[test]
fn who_makes_a_known_room_while_apart_does_not_own_it_after() {
    let mut net = Net::new(2);
    let alice = net.join(0, "Alice+r");
    net.link(1, false);
    net.crash(1, 77);
    net.nodes[1].wait(Duration::from_secs(5));
    // This node has lost what it knew.
    net.nodes[1].records.clear();
    net.crash(1, 78);
    let eve = net.nodes[1].join("Eve+r");
    net.link(1, true);
    net.type_(0, alice, "/topic still mine");
    net.type_(1, eve, "/topic stolen");
    let seen = net.nodes[1].screen(eve);
    assert!(seen.contains("still mine") && !seen.contains("set the topic: stolen"), "{seen}");
}

#[test]
fn a_room_that_is_unknown_here_is_not_deleted_elsewhere_by_looking_into_it() {
    let mut net = Net::new(2);
    let alice = net.join(0, "Alice+old");
    net.type_(0, alice, "kept");
    net.type_(0, alice, "/part #old");
    let mallory = net.join(1, "Mallory");
    // The stream keeps lines for less long than the store of a node.
    net.stream.clear();
    net.type_(1, mallory, "/join #old");
    net.type_(1, mallory, "/part #old");
    assert!(net.nodes[0].has(&RecordKey::Room(RoomName::parse("old").unwrap())), "with all that was said in it");
}

#[test]
fn a_key_that_was_taken_out_has_no_session_on_any_node() {
    let mut net = Net::new(2);
    let alice = net.join(0, "Alice");
    net.type_(0, alice, "/key add SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    let thief = net.nodes[0].enter(Proof::Key("SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into()), "Alice");
    net.type_(0, thief, "/key accept Alice");
    net.wait(Duration::from_secs(1));
    let thief = net.nodes[1].enter(Proof::Key("SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into()), "Alice");
    net.pump();
    net.type_(0, alice, "/key remove SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    assert!(net.nodes[1].closed.contains_key(&thief), "{}", net.nodes[0].screen(alice));
}

#[test]
fn a_kick_holds_although_the_other_nodes_clock_is_ahead() {
    let mut net = Net::new(2);
    let alice = net.join(0, "Alice+club");
    let bob = net.join(1, "Bob+club");
    net.nodes[1].now = net.nodes[1].now.after(Duration::from_secs(5));
    // His record is newer than anything that the other node can write now by its own clock.
    net.nodes[1].type_(bob, "/theme dark");
    net.pump();
    net.nodes[0].type_(alice, "/kick Bob");
    net.pump();
    net.hush();
    net.nodes[0].type_(alice, "without him");
    net.pump();
    assert_eq!(said(net.nodes[1].read(bob)), [""; 0]);
}

#[test]
fn lines_that_nobody_takes_do_not_wait_without_end() {
    let mut net = Net::new(2);
    let alice = net.join(0, "Alice");
    net.hush();
    net.deaf = true;
    net.type_(0, alice, "first");
    net.wait(Duration::from_secs(301));
    net.type_(0, alice, "second");
    let seen = net.nodes[0].screen(alice);
    assert!(seen.contains("Nothing reached the other nodes for 5m"), "{seen}");
    net.deaf = false;
    net.wait(Duration::from_secs(3));
    assert_eq!(net.stream.len(), 1);
    net.deaf = true;
    net.hush();
    net.type_(0, alice, "third");
    let amy = net.join(0, "Amy");
    net.link(0, false);
    assert!(net.nodes[0].screen(amy).contains("Alice: third"), "shown as soon as it is known to wait");
}

/// What may go wrong.
#[derive(Debug, Clone)]
enum Step {
    Say(usize),
    Link(usize, bool),
    Lose(usize, usize),
    Lie(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3usize).prop_map(Step::Say),
        2 => (0..3usize, any::<bool>()).prop_map(|(node, up)| Step::Link(node, up)),
        1 => (0..3usize, 1..4usize).prop_map(|(node, count)| Step::Lose(node, count)),
        1 => (1..3usize).prop_map(Step::Lie),
        1 => (1..4u64).prop_map(Step::Wait),
    ]
}

/// The lines a session was shown, by id, in order.
fn shown(events: &[Arc<Event>]) -> Vec<nacre_chat::LineId> {
    let said = |event: &Arc<Event>| match &**event {
        Event::Line(line) => vec![line.id],
        Event::Past { title, lines, .. } if &**title != "Last lines" => lines.iter().map(|line| line.id).collect(),
        _ => Vec::new(),
    };
    events.iter().flat_map(said).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn whatever_breaks_all_nodes_end_with_the_same_lines_each_shown_once(steps in prop::collection::vec(step(), 1..50)) {
        let mut net = Net::new(3);
        let speakers: Vec<SessionId> = (0..3).map(|node| net.join(node, &format!("speaker{node}"))).collect();
        let watchers: Vec<SessionId> = (0..3).map(|node| net.join(node, &format!("watcher{node}"))).collect();
        net.hush();
        let mut said = 0;
        let mut say = |net: &mut Net, node: usize| {
            said += 1;
            net.type_(node, speakers[node], &format!("line {said}"));
        };
        for step in steps {
            match step {
                Step::Say(node) => say(&mut net, node),
                Step::Link(node, up) => net.link(node, up),
                Step::Lose(node, count) => net.lose[node] = count,
                Step::Lie(count) => net.lie = count,
                Step::Wait(seconds) => net.wait(Duration::from_secs(seconds)),
            }
        }
        net.lose = vec![0; 3];
        net.lie = 0;
        (0..3).for_each(|node| net.link(node, true));
        net.wait(Duration::from_secs(10));
        // A gap is seen by the next line.
        (0..3).for_each(|node| say(&mut net, node));
        net.wait(Duration::from_secs(10));

        let stream: Vec<_> = net.stream.iter().map(|line| line.id).collect();
        prop_assert_eq!(stream.len(), said);
        let all: BTreeSet<_> = stream.iter().copied().collect();
        for node in 0..3 {
            let kept: Vec<_> = net.nodes[node].lines.iter().map(|line| line.id).collect();
            prop_assert_eq!(kept.len(), said, "node {} keeps each once", node);
            prop_assert_eq!(kept.iter().copied().collect::<BTreeSet<_>>(), all.clone());
            let events = net.nodes[node].events(watchers[node]);
            let seen = shown(&events);
            prop_assert_eq!(seen.len(), said, "watcher {} sees each once", node);
            // What came from elsewhere came in the stream's order.
            let own = format!("node-{node}");
            let afar: HashSet<_> = net.stream.iter().filter(|line| *line.node != *own).map(|line| line.id).collect();
            let order: Vec<_> = stream.iter().filter(|id| afar.contains(id)).copied().collect();
            prop_assert_eq!(seen.iter().filter(|id| afar.contains(id)).copied().collect::<Vec<_>>(), order);
            let confirmed = net.nodes[node].events(speakers[node]);
            let confirmed = confirmed.iter().filter(|event| matches!(&***event, Event::Confirmed { .. })).count();
            let own_lines = net.stream.iter().filter(|line| *line.node == *own).count();
            prop_assert_eq!(confirmed, own_lines, "each line of node {} is confirmed once", node);
        }
    }
}
