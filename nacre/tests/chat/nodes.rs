//! Several nodes of one chat over Debian's nats-server, with people at OpenSSH's client.

use crate::chats::Chat;
use crate::nats::{Cable, Nats, SEED, USER};
use crate::programs::Running;
use crate::serve::{eventually, finish, make_key};
use serde_json::Value;
use std::collections::BTreeSet;

const LINKED: &str = "[SYSTEM] connected to other nodes";
const APART: &str = "[SYSTEM] not connected to other nodes";

/// A node that has found the others.
#[track_caller]
fn node(nats: &Nats, name: &str) -> Chat {
    let chat = Chat::with(&nats.node(name));
    chat.server_complains("the other nodes are reached");
    chat
}

/// A program in a room, as the holder of a key.
#[track_caller]
fn program(chat: &Chat, name: &str) -> Running {
    let program = Running::start(chat.ssh(name).args(["-s", &format!("{name}@127.0.0.1"), "chat-json"]));
    program.hears("\"event\":\"entered\"");
    program
}

/// What a program was told, in order: the events of these kinds.
fn events(program: &Running, kinds: &[&str]) -> Vec<Value> {
    let out = program.out();
    let whole = out.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let events = whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.filter(|event| kinds.iter().any(|kind| event["event"] == *kind)).collect()
}

/// The texts of the lines in those events.
fn bodies(program: &Running, kinds: &[&str]) -> Vec<String> {
    events(program, kinds).iter().map(|event| event["line"]["body"].as_str().unwrap().to_owned()).collect()
}

/// Somebody new reads the whole past of the lobby.
#[track_caller]
fn past(chat: &Chat, name: &str, lines: usize) -> Vec<String> {
    let mut reader = program(chat, name);
    let mut found = Vec::new();
    eventually("the whole past", || {
        reader.say("{\"do\":\"type\",\"text\":\"/history 400\"}");
        reader.hears_times("\"event\":\"past\"", 1);
        let last = events(&reader, &["past"]).pop().unwrap();
        found =
            last["lines"].as_array().unwrap().iter().map(|line| line["body"].as_str().unwrap().to_owned()).collect();
        std::thread::sleep(std::time::Duration::from_millis(500));
        found.len() >= lines
    });
    found
}

/// Says many things at once; the chat takes them as fast as it lets anybody write.
fn says_many(program: &mut Running, word: &str, count: usize) {
    let orders = (0..count).map(|number| format!("{{\"do\":\"type\",\"text\":\"{word} {number}\"}}"));
    program.say(&orders.collect::<Vec<_>>().join("\n"));
}

fn once_each(lines: &[String], of: &BTreeSet<String>) {
    let seen: BTreeSet<String> = lines.iter().cloned().collect();
    assert_eq!(seen.len(), lines.len(), "a line is there twice: {lines:?}");
    let lost: Vec<_> = of.difference(&seen).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
}

#[test]
fn nats_joins_two_nodes_to_one_chat() {
    let nats = Nats::start();
    let (one, two) = (node(&nats, "one"), node(&nats, "two"));
    let mut alice = one.comes("alice", &[]);
    let mut bob = two.comes("bob", &[]);
    alice.hears("[SYSTEM] bob joined (secure channel)");
    alice.say("hello over there");
    bob.hears("alice: hello over there");
    bob.say("hello back");
    alice.hears("bob: hello back");
    // One's own line comes back with its number, once.
    alice.hears("alice: hello over there");
    let carol = two.comes("carol", &[]);
    alice.hears("carol joined");
    alice.say("/pm bob only for you");
    bob.hears("[PM from alice] only for you");
    alice.hears("[PM to bob] only for you");
    bob.say("/pm alice and for you");
    alice.hears("[PM from bob] and for you");
    alice.say("/list");
    alice.hears("Online: alice, bob, carol");
    bob.say("/names");
    bob.hears("In #lobby: alice, bob, carol");
    bob.say("/topic crabs");
    bob.say("/join #quiet");
    bob.say("/topic nothing here");
    bob.say("said before anybody came");
    bob.hears("bob: said before anybody came");
    // The room is the same on both, with its past.
    alice.say("/join #quiet");
    alice.hears("bob: said before anybody came");
    bob.hears("alice joined");
    alice.say("/quit");
    assert_eq!(alice.ends(), 0);
    bob.hears("alice left");
    bob.say("/pm alice for later");
    bob.hears("alice is not here now");
    assert!(!carol.out().contains("for you"), "{}", carol.out());
    // Accounts are known on all nodes, and what came meanwhile waits.
    for file in ["alice", "alice.pub"] {
        std::fs::copy(one.place.path(file), two.place.path(file)).unwrap();
    }
    let alice = two.comes("alice", &[]);
    alice.hears("[PM from bob] for later");
}

#[test]
fn nats_gives_a_nick_that_is_claimed_on_both_nodes_to_the_first() {
    let nats = Nats::start();
    let (one, two) = (node(&nats, "one"), node(&nats, "two"));
    for round in 0..3 {
        for chat in [&one, &two] {
            make_key(&chat.place, &format!("key{round}"));
        }
        let claim = |chat: &Chat| {
            Running::start(chat.ssh(&format!("key{round}")).args(["-T", &format!("zoe{round}x@127.0.0.1")]))
        };
        let claims = [claim(&one), claim(&two)];
        claims.iter().for_each(|person| person.hears("You are "));
        claims.iter().for_each(|person| person.hears("#lobby"));
        let winners = claims.iter().filter(|person| person.out().contains(&format!("You are zoe{round}x\n"))).count();
        let told = claims.iter().filter(|person| person.out().contains("belongs to somebody else")).count();
        assert_eq!((winners, told), (1, 1), "{}\n{}", claims[0].out(), claims[1].out());
    }
}

#[test]
fn nats_keeps_what_a_killed_node_had_said() {
    let nats = Nats::start();
    let (mut one, two) = (node(&nats, "one"), node(&nats, "two"));
    let reader = program(&two, "carol");
    let watcher = two.comes("alice", &[]);
    let mut writers = [program(&one, "alice"), program(&one, "bob"), program(&two, "bob")];
    reader.hears_times("\"event\":\"joined\"", 3);
    for (number, writer) in writers.iter_mut().enumerate() {
        says_many(writer, &format!("writer {number} says"), 20);
    }
    // In the midst of it.
    eventually("lines of the node that will die", || {
        bodies(&reader, &["line"]).iter().filter(|body| !body.starts_with("writer 2")).count() > 14
    });
    one.stop();
    writers[0].ends();
    writers[1].ends();
    let confirmed: BTreeSet<String> = writers[..2].iter().flat_map(|writer| bodies(writer, &["confirmed"])).collect();
    assert!(confirmed.len() > 10, "{confirmed:?}");
    writers[2].hears_times("\"event\":\"confirmed\"", 20);
    // Those on the other node go on, and what they see holds all that was acknowledged.
    eventually("all lines", || {
        let seen: BTreeSet<String> = bodies(&reader, &["line"]).into_iter().collect();
        confirmed.is_subset(&seen)
    });
    let seen = bodies(&reader, &["line"]);
    once_each(&seen, &confirmed);
    one.serve();
    one.server_complains("the other nodes are reached");
    watcher.hears("(their server is gone)");
    assert_eq!(watcher.out().matches("(their server is gone)").count(), 1, "one line a room: {}", watcher.out());
    // The node that died has it all, in the same order.
    let (here, there) = (past(&one, "carol", seen.len()), past(&two, "carol", seen.len()));
    assert_eq!(here, there);
    once_each(&here, &confirmed);
}

#[test]
fn nats_killed_under_traffic_and_started_again_loses_and_doubles_nothing() {
    let mut nats = Nats::start();
    let (one, two) = (node(&nats, "one"), node(&nats, "two"));
    let readers = [program(&one, "carol"), program(&two, "carol")];
    let watchers = [one.comes("carol", &[]), two.comes("carol", &[])];
    let mut writers = [program(&one, "alice"), program(&one, "bob"), program(&two, "alice"), program(&two, "bob")];
    for (number, writer) in writers.iter_mut().enumerate() {
        says_many(writer, &format!("writer {number} says"), 20);
    }
    eventually("some lines", || bodies(&readers[0], &["line"]).len() > 25);
    nats.dies();
    watchers.iter().for_each(|watcher| watcher.hears(APART));
    // People on one node still hear each other.
    let heard = bodies(&readers[0], &["line"]).len();
    eventually("more lines", || bodies(&readers[0], &["line"]).len() > heard);
    nats.serve();
    watchers.iter().for_each(|watcher| watcher.hears(LINKED));
    for writer in &writers {
        writer.hears_times("\"event\":\"confirmed\"", 20);
    }
    let all: BTreeSet<String> = writers.iter().flat_map(|writer| bodies(writer, &["confirmed"])).collect();
    assert_eq!(all.len(), 80);
    for reader in &readers {
        eventually("all lines", || bodies(reader, &["line"]).len() >= 80);
        let seen = bodies(reader, &["line"]);
        once_each(&seen, &all);
        // What one said comes in the order it was said.
        for number in 0..4 {
            let said = |body: &&String| body.starts_with(&format!("writer {number} "));
            let order: Vec<String> = seen.iter().filter(said).cloned().collect();
            let wanted: Vec<String> = (0..20).map(|line| format!("writer {number} says {line}")).collect();
            assert_eq!(order, wanted);
        }
    }
    for watcher in &watchers {
        assert_eq!(watcher.out().matches(APART).count(), 1, "told in one line: {}", watcher.out());
    }
    let numbers = |writer: &Running| -> Vec<u64> {
        events(writer, &["confirmed"]).iter().map(|event| event["sequence"].as_u64().unwrap()).collect()
    };
    let given: BTreeSet<u64> = writers.iter().flat_map(numbers).collect();
    assert_eq!(given.len(), 80, "each has a number of its own");
    drop(readers);
    for chat in [&one, &two] {
        make_key(&chat.place, "late");
    }
    let (here, there) = (past(&one, "late", 80), past(&two, "late", 80));
    assert_eq!(here, there);
    once_each(&here, &all);
}

#[test]
fn nats_out_of_reach_of_one_node_leaves_its_people_among_themselves() {
    let nats = Nats::start();
    let mut cable = Cable::to(nats.port);
    let one = Chat::with(&format!("ChatBackplane nats://127.0.0.1:{}\n", cable.port));
    one.server_complains("the other nodes are reached");
    let two = node(&nats, "two");
    let mut alice = one.comes("alice", &[]);
    let amy = one.comes("carol", &[]);
    let mut bob = two.comes("bob", &[]);
    alice.hears("bob joined");
    cable.cut();
    alice.hears(APART);
    for number in 0..3 {
        alice.say(&format!("here {number}"));
        bob.say(&format!("there {number}"));
        amy.hears(&format!("alice: here {number}"));
        bob.hears(&format!("bob: there {number}"));
    }
    // Who comes now is told, and may come in; with what is a new name on both sides.
    let zoes = [&one, &two].map(|chat| {
        make_key(&chat.place, "zoe");
        chat.comes("zoe", &[])
    });
    zoes[0].hears(APART);
    cable.mend();
    alice.hears(LINKED);
    amy.hears("— 3 lines while apart —");
    for number in 0..3 {
        amy.hears(&format!("bob: there {number}"));
        bob.hears(&format!("alice: here {number}"));
        // Here, and from there.
        amy.hears_times(&format!("here {number}"), 2);
    }
    zoes[0].hears("zoe was taken on another node first; you are zoe2");
    assert!(!bob.out().contains(APART), "{}", bob.out());
}

#[test]
fn nats_that_says_nothing_or_was_never_there_is_noticed() {
    let nats = Nats::start();
    let chat = node(&nats, "one");
    let (mut alice, bob) = (chat.comes("alice", &[]), chat.comes("bob", &[]));
    nats.stands_still();
    // A line without an answer is enough.
    alice.say("anybody?");
    alice.hears(APART);
    bob.hears("alice: anybody?");
    nats.goes_on();
    alice.hears(LINKED);
    alice.hears("alice: anybody?");
    assert_eq!(bob.out().matches("anybody?").count(), 1, "{}", bob.out());
    let alone = Chat::with("ChatBackplane nats://127.0.0.1:1\n");
    let mut alice = alone.comes("alice", &[]);
    alice.hears(APART);
    let bob = alone.comes("bob", &[]);
    alice.say("just us");
    bob.hears("alice: just us");
}

#[test]
fn nats_is_reached_by_tls_with_an_nkey_and_not_without() {
    let place = crate::common::Scratch::new();
    let file = |name: &str| place.path(name).display().to_string();
    let mut openssl = crate::common::program("openssl");
    openssl.args(["req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2", "-subj", "/CN=nats", "-addext"]);
    openssl.args([
        "subjectAltName=IP:127.0.0.1",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-keyout",
        &file("tls-key"),
        "-out",
        &file("tls-cert"),
    ]);
    let made = finish(&mut openssl, b"");
    assert_eq!(made.code, 0, "{made:?}");
    place.write("seed", SEED);
    let nats = Nats::with(&format!(
        "tls {{ cert_file: {:?}, key_file: {:?} }}\nauthorization {{ users: [ {{ nkey: {USER} }} ] }}\n",
        file("tls-cert"),
        file("tls-key")
    ));
    let server = format!("ChatBackplane tls://127.0.0.1:{}\n", nats.port);
    let trusting = format!("{server}ChatBackplaneAuthorities {}\n", file("tls-cert"));
    let whole = format!("{trusting}ChatBackplaneCredentials {}\n", file("seed"));
    let chat = Chat::with(&whole);
    chat.server_complains("the other nodes are reached");
    let alice = chat.comes("alice", &[]);
    assert!(!alice.out().contains(APART));
    // The node gave itself a name, and keeps it.
    let name = chat.place.read("state/chat-node");
    assert!(name.trim().len() > 9, "{name}");
    for lines in [server, trusting] {
        let chat = Chat::with(&lines);
        chat.server_complains("the other nodes are not reached by 127.0.0.1:");
        chat.comes("alice", &[]).hears(APART);
    }
}

#[test]
fn nats_is_named_in_the_configuration_and_bad_names_are_refused() {
    for (lines, why) in [
        ("ChatBackplane 127.0.0.1:4222", "ChatBackplane: `127.0.0.1:4222`: nats://HOST:PORT"),
        ("ChatBackplane http://127.0.0.1", "nats://HOST:PORT or tls://HOST:PORT is needed"),
        ("ChatBackplane natss://user:secret@127.0.0.1", "ChatBackplane: server 1: nats://HOST:PORT"),
        ("ChatBackplane nats://127.0.0.1\nChatNode a.b", "ChatNode: `a.b`: 1 to 64 letters"),
    ] {
        let place = crate::common::Scratch::new();
        let config = place.write("config", lines);
        make_key(&place, "host");
        let mut command = crate::common::nacre();
        command.args(["chat", "serve", "-t", "--state"]).arg(place.path("state"));
        command.arg("-f").arg(config).arg("-h").arg(place.path("host"));
        let done = finish(&mut command, b"");
        assert!(done.code != 0 && done.err.contains(why) && !done.err.contains("secret"), "{lines}: {done:?}");
    }
}
