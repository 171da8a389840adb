//! `nacre chat admin` beside people with OpenSSH's client.

use crate::chats::Chat;
use crate::common::nacre;
use crate::programs::Running;
use crate::serve::{Done, eventually, finish, free_port};
use std::os::unix::fs::PermissionsExt;

/// An operator at the machine.
fn admin(chat: &Chat, words: &[&str]) -> Done {
    let mut command = nacre();
    command.args(["chat", "admin", "--state"]).arg(chat.place.path("state")).args(words);
    finish(&mut command, b"")
}

#[track_caller]
fn does(chat: &Chat, words: &[&str]) -> String {
    let done = admin(chat, words);
    assert_eq!((done.code, done.err.as_str()), (0, ""), "{words:?}");
    done.out
}

#[track_caller]
fn refuses(chat: &Chat, words: &[&str], why: &str) {
    let done = admin(chat, words);
    assert!(done.code != 0 && done.err.contains(why), "{words:?}: {done:?}");
}

/// A nick is turned away with these words.
#[track_caller]
fn is_turned_away(chat: &Chat, nick: &str, why: &str) {
    let mut person = Running::start(chat.ssh(nick).args(["-T"]).arg(format!("{nick}@127.0.0.1")));
    person.hears(why);
    assert_ne!(person.ends(), 0);
}

#[test]
fn an_operator_sees_and_moderates() {
    let chat = Chat::start();
    let mut alice = chat.comes("alice", &["#rust"]);
    let mut bob = chat.comes("bob", &["#rust"]);
    alice.hears("bob joined");
    let accounts = does(&chat, &["accounts"]);
    assert!(accounts.starts_with("alice  made ") && accounts.contains("\nbob  made "), "{accounts}");
    assert!(accounts.contains("SHA256:"));
    let rooms = does(&chat, &["--json", "rooms"]);
    assert!(rooms.contains("\"name\":\"#rust\"") && rooms.lines().all(|line| line.starts_with('{')), "{rooms}");
    does(&chat, &["announce", "we stop at noon"]);
    alice.hears("[SYSTEM] we stop at noon");
    bob.hears("[SYSTEM] we stop at noon");
    does(&chat, &["ban", "bob", "--room", "#rust", "--for", "1h", "too", "loud"]);
    bob.hears("too loud");
    does(&chat, &["ban", "bob", "--mute"]);
    let bans = does(&chat, &["bans"]);
    assert!(bans.contains("bob  banned  #rust  for 59m") || bans.contains("bob  banned  #rust  for 1h"), "{bans}");
    assert!(bans.contains("bob  muted  everywhere  for ever  by -"), "{bans}");
    bob.say("/join #lobby");
    bob.say("can you hear me?");
    bob.hears("You are muted");
    does(&chat, &["unban", "bob", "--mute"]);
    bob.say("and now?");
    bob.hears("bob: and now?");
    does(&chat, &["ban", "bob", "--for", "1d", "out"]);
    assert_ne!(bob.ends(), 0);
    is_turned_away(&chat, "bob", "You are kept out");
    does(&chat, &["unban", "bob"]);
    drop(chat.comes("bob", &[]));
    does(&chat, &["ban", "127.0.0.0/8"]);
    assert_ne!(alice.ends(), 0);
    is_turned_away(&chat, "carol", "You are kept out");
}

#[test]
fn accounts_and_rooms_come_and_go() {
    let chat = Chat::with("ChatRegistration closed\n");
    is_turned_away(&chat, "alice", "Only people with an account");
    does(&chat, &["add", "alice", chat.place.path("alice.pub").to_str().unwrap()]);
    let mut alice = chat.comes("alice", &["#rust"]);
    alice.say("for the record");
    alice.hears("alice: for the record");
    does(&chat, &["delete", "#rust"]);
    alice.hears("the room is gone");
    eventually("the lines are gone", || !does(&chat, &["export"]).contains("for the record"));
    does(&chat, &["delete", "alice"]);
    assert_ne!(alice.ends(), 0);
    is_turned_away(&chat, "alice", "Only people with an account");
    assert_eq!(does(&chat, &["accounts"]), "");
}

#[test]
fn lines_are_exported_and_go_in_their_time() {
    let mut chat = Chat::start();
    let mut alice = chat.comes("alice", &["#short"]);
    alice.say("soon forgotten");
    alice.hears("alice: soon forgotten");
    alice.say("/join #long");
    alice.say("kept\\n");
    alice.hears("alice: kept");
    let all = does(&chat, &["export"]);
    assert!(all.contains("Z #short alice: soon forgotten\n") && all.contains("Z #long alice: kept"), "{all}");
    let one = does(&chat, &["export", "#long", "--since", "1h", "--json"]);
    assert!(one.contains("\"body\":\"kept") && !one.contains("forgotten"), "{one}");
    does(&chat, &["keep", "#short", "1s"]);
    alice.hears("Lines of #short are kept for 1s");
    eventually("the lines are gone", || !does(&chat, &["export"]).contains("forgotten"));
    assert!(does(&chat, &["export"]).contains("kept"));
    alice.say("/search forgotten");
    alice.hears("Found: forgotten");
    assert_eq!(alice.out().matches("soon forgotten").count(), 1, "{}", alice.out());
    assert!(does(&chat, &["rooms"]).contains("kept for 1s"));
    // The rest by the server's own rule.
    drop(alice);
    chat.place.write("config", "ChatKeep 1s\n");
    chat.serve();
    eventually("all lines are gone", || does(&chat, &["export"]).is_empty());
}

#[test]
fn without_a_server_it_reads_and_says_so_of_the_rest() {
    let mut chat = Chat::start();
    let mut alice = chat.comes("alice", &[]);
    alice.say("before the end");
    alice.hears("alice: before the end");
    let socket = chat.socket().replace("join.sock", "chat.sock");
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    // One folder has one server.
    let mut second = nacre();
    second.args(["chat", "serve", "--user-mode", "--state"]).arg(chat.place.path("state"));
    second.arg("-h").arg(chat.place.path("host")).arg("--listen").arg(format!("127.0.0.1:{}", free_port()));
    let done = finish(&mut second, b"");
    assert!(done.code != 0 && done.err.contains("another server has this chat already"), "{done:?}");
    chat.stop();
    assert!(does(&chat, &["export"]).contains("before the end"));
    assert!(does(&chat, &["accounts"]).contains("alice"));
    refuses(&chat, &["announce", "hello"], "no server of the chat in");
}

#[test]
fn a_server_that_ends_leaves_no_journal_with_what_was_taken_back() {
    let mut chat = Chat::start();
    let mut alice = chat.comes("alice", &[]);
    alice.say("not meant to be said");
    alice.hears("alice: not meant to be said");
    alice.say("/search meant");
    alice.hears("Found: meant");
    alice.say("/delete");
    alice.say("/quit");
    alice.ends();
    chat.end();
    let names = chat.place.path("state").read_dir().unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<_> = names.filter(|name| name.to_string_lossy().starts_with("chat.db")).collect();
    assert_eq!(names, ["chat.db"]);
    let kept = std::fs::read(chat.place.path("state/chat.db")).unwrap();
    assert!(!String::from_utf8_lossy(&kept).contains("meant to be said"));
}

#[test]
fn mistakes_are_named() {
    let chat = Chat::start();
    refuses(&chat, &["ban", "nobody"], "No such user: nobody");
    refuses(&chat, &["ban", "10.0.0.0/40"], "after / comes a number up to 32");
    refuses(&chat, &["ban", "10.0.0.0", "--for", "long"], "bad value 'long' for --for");
    refuses(&chat, &["ban", "10.0.0.0", "--room", "#none"], "no such room: #none");
    refuses(&chat, &["unban", "10.0.0.0"], "is not on the list");
    refuses(&chat, &["delete", "zoe"], "No such user: zoe");
    refuses(&chat, &["delete", "#zoe"], "no such room: #zoe");
    refuses(&chat, &["keep", "#lobby", "0s"], "bad value '0s'");
    refuses(&chat, &["keep", "#none", "1h"], "no such room");
    refuses(&chat, &["add", "a b", "SHA256:short"], "a b: ");
    refuses(&chat, &["add", "zoe", "SHA256:short"], "43 letters");
    refuses(&chat, &["add", "zoe", "/nonexistent"], "/nonexistent: No such file");
    refuses(&chat, &["announce", ""], "an announcement has 1 to");
    refuses(&chat, &["export", "a b"], "a b: ");
    refuses(&chat, &["dance"], "unknown command 'dance'");
    refuses(&chat, &[], "a command is missing");
    let mut elsewhere = nacre();
    let done = finish(elsewhere.args(["chat", "admin", "--state", "/nonexistent", "rooms"]), b"");
    assert!(done.code != 0 && done.err.contains("/nonexistent/chat.db: No such file"), "{done:?}");
}
