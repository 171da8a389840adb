//! Names with a password come into the chat by it, with OpenSSH's client.

use crate::chats::Chat;
use crate::common::nacre;
use crate::programs::Running;
use crate::serve::{SECRET, answers, code_now, finish};
use nacre::passwd::store::Store;
use nacre_proto::crypto::SecretBytes;

const BY_PASSWORD: &str = "PreferredAuthentications=password";
const BY_QUESTIONS: &str = "PreferredAuthentications=keyboard-interactive";
const BY_BOTH: &str = "PreferredAuthentications=password,keyboard-interactive";

/// Gives a name a password.
#[track_caller]
fn add(chat: &Chat, name: &str) {
    let mut passwd = nacre();
    passwd.args(["passwd", "--state"]).arg(chat.place.path("state")).args([name, "--stdin"]);
    let done = finish(&mut passwd, b"fake horse\n");
    assert_eq!(done.code, 0, "{}", done.err);
}

fn comes(chat: &Chat, login: &str, password: &str, code: &str, way: &str) -> Running {
    let mut ssh = chat.ssh("alice");
    ssh.args(["-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1", "-o", way, "-T"]);
    answers(&chat.place, &mut ssh, password, code);
    Running::start(ssh.args(["-l", login, "127.0.0.1"]))
}

#[test]
fn a_name_with_a_password_comes_in_by_it_and_stays_who_it_is() {
    let chat = Chat::with("ChatRegistration closed\n");
    add(&chat, "dora");
    let mut dora = comes(&chat, "dora", "fake horse", "", BY_PASSWORD);
    dora.hears("You are dora");
    dora.say("/whois dora");
    dora.hears("dora");
    // Her second window, in a room that the login names; the password belongs to the name alone.
    let second = comes(&chat, "dora@phone+rust", "fake horse", "", BY_QUESTIONS);
    second.hears("You are dora");
    second.hears("#rust");
    for (login, password) in [("dora", "fake hors"), ("dora", ""), ("bob", "fake horse"), ("+dora", "fake horse")] {
        for way in [BY_PASSWORD, BY_QUESTIONS] {
            let mut wrong = comes(&chat, login, password, "", way);
            assert_eq!(wrong.ends(), 255, "{login} {way}: {}", wrong.out());
            assert!(!wrong.out().contains("You are"), "{}", wrong.out());
        }
    }
    dora.say("still here");
    dora.end_input();
    assert_eq!(dora.ends(), 0);
    let again = comes(&chat, "dora", "fake horse", "", BY_PASSWORD);
    again.hears("dora: still here");
}

#[test]
fn a_key_does_not_get_the_name_of_somebody_with_a_password_who_was_there() {
    let chat = Chat::start();
    add(&chat, "alice");
    comes(&chat, "alice", "fake horse", "", BY_PASSWORD).hears("You are alice");
    let mut by_key = Running::start(chat.ssh("alice").args(["-T", "alice@127.0.0.1"]));
    by_key.hears("alice belongs to somebody else; you are alice2");
    by_key.end_input();
    assert_eq!(by_key.ends(), 0);
    // Guests are not let in by a name that has a password.
    let chat = Chat::with("ChatGuests yes\n");
    add(&chat, "dora");
    let mut guest = comes(&chat, "dora", "", "", BY_QUESTIONS);
    assert_eq!(guest.ends(), 255, "{}", guest.out());
    comes(&chat, "zoe", "", "", BY_QUESTIONS).hears("You are zoe");
}

#[test]
fn a_one_time_code_is_wanted_after_the_password_and_counts_once() {
    let chat = Chat::start();
    add(&chat, "dora");
    let mut store = Store::open(chat.place.path("state/passwd")).unwrap();
    store.set_totp("dora", Some(SecretBytes::new(SECRET.to_vec())), None).unwrap();
    for (password, code, way) in
        [("fake horse", "", BY_PASSWORD), ("fake horse", "000000", BY_BOTH), ("wrong", "", BY_QUESTIONS)]
    {
        let mut out = comes(&chat, "dora", password, code, way);
        assert_eq!(out.ends(), 255, "{way}: {}", out.out());
    }
    let code = code_now();
    let dora = comes(&chat, "dora", "fake horse", &code, BY_QUESTIONS);
    dora.hears("You are dora");
    let mut again = comes(&chat, "dora", "fake horse", &code, BY_QUESTIONS);
    assert_eq!(again.ends(), 255, "{}", again.out());
    chat.server_complains("one-time code of dora was used before");
}
