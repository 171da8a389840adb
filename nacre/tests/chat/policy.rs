//! Who may come into the chat and do what: its keywords, with OpenSSH's clients.

use crate::chats::Chat;
use crate::common::{Scratch, nacre};
use crate::programs::Running;
use crate::serve::finish;

/// OpenSSH's client of somebody without a key.
#[track_caller]
fn guest(chat: &Chat, nick: &str) -> Running {
    let mut ssh = chat.ssh("alice");
    Running::start(ssh.args(["-o", "PubkeyAuthentication=no", "-T"]).arg(format!("{nick}@127.0.0.1")))
}

#[test]
fn guests_come_in_marked_and_with_few_rights() {
    let chat = Chat::with("ChatGuests yes\n");
    let mut alice = chat.comes("alice", &[]);
    let mut zoe = guest(&chat, "zoe");
    zoe.complains("you come in as a guest");
    zoe.hears("You are zoe");
    zoe.say("may I?");
    alice.hears("zoe");
    alice.hears("may I?");
    alice.say("/whois zoe");
    alice.hears("zoe is a guest: nobody owns that name");
    zoe.say("/join #mine");
    zoe.hears("only people with a key make rooms");
    zoe.say("/key");
    zoe.hears("You are a guest");
    zoe.say("/nick alice");
    alice.say("still alice");
    zoe.hears("alice: still alice");
    assert!(!zoe.out().contains("You are alice"), "{}", zoe.out());
    // A name that a key owns is given to no guest.
    let other = guest(&chat, "alice");
    other.hears("alice belongs to somebody else; you are ");
}

#[test]
fn without_guests_and_registration_only_known_keys_come_in() {
    let mut chat = Chat::start();
    drop(chat.comes("alice", &[]));
    chat.place.write("config", "ChatRegistration closed\n");
    chat.serve();
    let _alice = chat.comes("alice", &[]);
    let mut bob = Running::start(chat.ssh("bob").args(["-T", "bob@127.0.0.1"]));
    bob.hears("Only people with an account may come in here");
    assert_ne!(bob.ends(), 0);
    let mut keyless = guest(&chat, "zoe");
    keyless.complains("An operator lets your key in");
    assert_eq!(keyless.ends(), 255);
}

#[test]
fn operators_are_named_by_key_and_the_rest_by_words() {
    let place = Scratch::new();
    place.write("motd", "Be kind.\nNo \u{1b}[31mred.\n");
    let root = place.root().display();
    let lines = format!("ChatOperators {root}/operators\nChatRooms closed\nChatLobby hall\nChatMotd {root}/motd\n");
    crate::serve::make_key(&place, "carol");
    let key = place.read("carol.pub");
    place.write("operators", &format!("# who keeps order\n\n{key}"));
    let mut chat = Chat::with(&lines);
    for file in ["carol", "carol.pub"] {
        std::fs::copy(place.path(file), chat.place.path(file)).unwrap();
    }
    let mut carol = chat.comes("carol", &[]);
    carol.hears("Be kind.");
    assert!(!carol.out().contains('\u{1b}'), "{}", carol.out());
    let mut bob = chat.comes("bob", &[]);
    carol.hears("bob joined");
    bob.say("/join #mine");
    bob.hears("only operators make rooms");
    bob.say("/gban carol");
    bob.hears("Only operators of the server may do that");
    carol.say("/join #hall");
    carol.say("/gban bob 1h enough");
    assert_ne!(bob.ends(), 0);
    assert!(bob.out().contains("enough"), "{}", bob.out());
    let mut again = Running::start(chat.ssh("bob").args(["-T", "bob@127.0.0.1"]));
    again.hears("You are kept out");
    again.ends();
    carol.say("/join #mine");
    carol.hears("#mine");
    // Bans outlive the server.
    chat.serve();
    let mut again = Running::start(chat.ssh("bob").args(["-T", "bob@127.0.0.1"]));
    again.hears("You are kept out");
    again.ends();
}

#[test]
fn bad_words_are_named_with_their_line() {
    let place = Scratch::new();
    place.write("broken", "ssh-ed25519 nonsense\n");
    let root = place.root().display();
    let cases = [
        ("ChatGuests maybe", "ChatGuests: bad value \"maybe\": use yes, no"),
        ("ChatRegistration shut", "ChatRegistration: bad value \"shut\": use open, closed"),
        ("ChatKeep long", "ChatKeep"),
        ("ChatOperators alice", "ChatOperators: bad value \"alice\": use SHA256:"),
        ("ChatOperators SHA256:short", "ChatOperators: bad value"),
        ("ChatOperators /nonexistent", "config:1: ChatOperators /nonexistent: No such file"),
        (&format!("ChatOperators {root}/broken"), "broken: line 1: "),
        ("ChatLobby a/b/c,d", "config:1: ChatLobby a/b/c,d: "),
        ("ChatMotd /nonexistent", "config:1: ChatMotd /nonexistent: No such file"),
        ("ChatGuest yes", "did you mean ChatGuests?"),
    ];
    for (line, said) in cases {
        let config = place.write("config", &format!("{line}\n"));
        let mut command = nacre();
        command.args(["chat", "serve", "-t", "--state"]).arg(place.path("state")).arg("-f").arg(config);
        let done = finish(&mut command, b"");
        assert_ne!(done.code, 0, "{line}");
        let placed = done.err.contains("line 1: ") || done.err.contains("config:1: ");
        assert!(done.err.contains(said) && placed, "{line}: {}", done.err);
    }
}
