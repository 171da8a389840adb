//! Who may come into the chat and do what: its keywords, with OpenSSH's clients.

use crate::chats::Chat;
use crate::common::{Scratch, nacre};
use crate::programs::Running;
use crate::serve::{eventually, finish, make_key};

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
    make_key(&place, "carol");
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
fn names_are_kept_for_the_keys_of_a_list() {
    let place = Scratch::new();
    let mut list = String::new();
    for (key, name) in [("bob", "robert"), ("carol", "alice")] {
        make_key(&place, key);
        let public = place.read(&format!("{key}.pub"));
        let words: Vec<&str> = public.split_whitespace().take(2).collect();
        list.push_str(&format!("{} {name}\n", words.join(" ")));
    }
    place.write("names", &list);
    let names = format!("ChatNames {}\n", place.path("names").display());
    let mut chat = Chat::with(&names);
    for file in ["bob", "bob.pub", "carol", "carol.pub"] {
        std::fs::copy(place.path(file), chat.place.path(file)).unwrap();
    }
    // Who comes first has no name that is kept for another.
    let mut alice = Running::start(chat.ssh("alice").args(["-T", "alice@127.0.0.1"]));
    alice.hears("alice belongs to somebody else; you are alice2. /nick NAME chooses another name");
    alice.say("/nick robert");
    alice.hears("robert is somebody's name, or looks like one");
    alice.say("/nick anna");
    alice.hears("alice2 is now anna");
    let carol = Running::start(chat.ssh("carol").args(["-T", "carol@127.0.0.1"]));
    carol.hears("You are alice: that is the name of your account. /nick NAME changes it");
    // They have accounts also where others make none.
    let closed = chat.reload(&format!("{names}ChatRegistration closed\n"));
    assert!(closed.contains("configuration reloaded"), "{closed}");
    let bob = Running::start(chat.ssh("bob").args(["-T", "bob@127.0.0.1"]));
    bob.hears("You are robert");
    let mut mallory = Running::start(chat.ssh("mallory").args(["-T", "mallory@127.0.0.1"]));
    mallory.hears("Only people with an account may come in here");
    mallory.ends();
    // The list may become another; accounts keep their names.
    place.write("names", &list.replace("robert", "alice"));
    let twice = chat.reload(&names);
    assert!(twice.contains("config:1: ChatNames") && twice.contains("line 2: alice is the name of line 1"), "{twice}");
    place.write("names", "");
    chat.reload(&names);
    chat.serve();
    let bob = Running::start(chat.ssh("bob").args(["-T", "bob@127.0.0.1"]));
    bob.hears("You are robert");
}

#[test]
fn whois_shows_what_somebody_came_with() {
    let chat = Chat::start();
    let mut alice = chat.comes("alice", &[]);
    let mut bob = Running::start(chat.dropbear("bob").args(["-T", "-l", "bob@phone+rust", "127.0.0.1"]));
    bob.hears("You are bob");
    let shown = fingerprint(&chat, "bob");
    alice.say("/whois bob");
    alice.hears("bob owns that name by key");
    alice.hears(&format!("key {shown}"));
    alice.hears("in #rust");
    alice.hears("here for ");
    alice.hears("silent for ");
    alice.hears("client SSH-2.0-dropbear");
    assert!(!alice.out().contains("device phone") && !alice.out().contains("127.0.0.1"), "{}", alice.out());
    bob.say("/whois alice");
    bob.hears("client SSH-2.0-OpenSSH_");
    bob.say("/whois bob");
    bob.hears(", device phone, from 127.0.0.1");
}

/// The fingerprint that ssh-keygen shows.
fn fingerprint(chat: &Chat, name: &str) -> String {
    let mut keygen = crate::common::program("ssh-keygen");
    let done = finish(keygen.arg("-lf").arg(chat.place.path(&format!("{name}.pub"))), b"");
    done.out.split_whitespace().nth(1).unwrap().to_owned()
}

#[test]
fn a_reload_takes_the_rules_in_and_ends_no_session() {
    let chat = Chat::with("ChatMotd none\n");
    let mut alice = chat.comes("alice", &[]);
    alice.say("said before");
    alice.hears("alice: said before");
    let mut keyless = guest(&chat, "zoe");
    keyless.ends();
    chat.place.write("motd", "Mind the step.\n");
    let motd = chat.place.path("motd");
    let rules = format!("ChatGuests yes\nChatRegistration closed\nChatRooms closed\nChatMotd {}\n", motd.display());
    let told = chat.reload(&format!("{rules}ChatKeep 1s\n"));
    assert!(told.ends_with("configuration reloaded; connections that stand keep theirs"), "{told}");
    let mut zoe = guest(&chat, "zoe");
    zoe.hears("Mind the step.");
    alice.hears("zoe joined");
    zoe.say("here I am");
    alice.hears("zoe: here I am");
    alice.say("/join #mine");
    alice.hears("only operators make rooms");
    // A key that nobody knows makes no account any more.
    let bob = chat.comes("bob", &[]);
    alice.say("/whois bob");
    alice.hears("bob is a guest");
    eventually("old lines are gone", || {
        let mut admin = nacre();
        let done = finish(admin.args(["chat", "admin", "export", "--state"]).arg(chat.place.path("state")), b"");
        assert_eq!(done.code, 0, "{}", done.err);
        !done.out.contains("said before")
    });
    // What is wrong changes nothing, and is told with its place.
    for (line, said) in [
        ("ChatLobby a/b", "config:2: ChatLobby a/b: "),
        ("ChatMotd /nonexistent", "config:2: ChatMotd /nonexistent: No such file"),
        ("ChatGests yes", "did you mean ChatGuests?"),
    ] {
        let told = chat.reload(&format!("ChatGuests no\n{line}\n"));
        assert!(told.contains("configuration not reloaded, the old one stays: ") && told.contains(said), "{told}");
        let placed = told.contains("config:2: ") || told.contains("config: line 2: ");
        assert!(placed, "{told}");
        let again = guest(&chat, "zoe");
        again.hears("Mind the step.");
    }
    // What a running chat cannot change is named.
    let told = chat.reload(&format!("{rules}Port 4\nChatNode other\n"));
    assert!(told.ends_with("; only a new start takes in Port, ChatNode"), "{told}");
    let told = chat.reload("ChatRegistration closed\n");
    assert!(!told.contains("new start"), "{told}");
    let mut keyless = guest(&chat, "zoe2");
    keyless.complains("An operator lets your key in");
    keyless.ends();
    // Nobody had to leave.
    alice.say("still here");
    zoe.hears("alice: still here");
    bob.hears("alice: still here");
    zoe.say("me too");
    alice.hears("zoe: me too");
}

#[test]
fn bad_words_are_named_with_their_line() {
    let place = Scratch::new();
    place.write("broken", "ssh-ed25519 nonsense\n");
    make_key(&place, "host");
    let public = place.read("host.pub");
    place.write("unnamed", &public.split_whitespace().take(2).collect::<Vec<_>>().join(" "));
    place.write(
        "twice",
        &["Ada", "Bea"].map(|nick| public.replace(public.split_whitespace().nth(2).unwrap(), nick)).concat(),
    );
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
        (&format!("ChatNames {root}/unnamed"), "unnamed: line 1: `` cannot be a name: it is empty"),
        (&format!("ChatNames {root}/twice"), "twice: line 2: the key of Ada is there twice"),
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
