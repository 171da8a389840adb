//! The rows of the table of threats that the engine holds, by row.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::Chat;
use nacre_chat::limits::{BODY_BYTES, QUEUE_BYTES};
use nacre_chat::{Audience, Config, Effect, Event, Input, Nick, Outbox, Proof, RoomName, SessionId, Time, text};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Sequences that drive terminals: each opener with each of several bodies and endings.
fn sequences() -> Vec<Vec<u8>> {
    let openers: [&[u8]; 12] = [
        b"\x1b]0;",
        b"\x1b]2;",
        b"\x1b]52;c;",
        b"\x1b]8;;",
        b"\x1b[",
        b"\x1bP",
        b"\x1bP$q",
        b"\x1b_",
        b"\x1b^",
        b"\xc2\x9b",
        b"\xc2\x9d",
        b"\x9b",
    ];
    let bodies: [&[u8]; 5] = [b"title", b"6n", b"31m", b"http://example.invalid/", b"?1049h\r\x08\x7f\x0e"];
    let ends: [&[u8]; 5] = [b"", b"\x07", b"\x1b\\", b"\xc2\x9c", b"\x1b"];
    let mut all = Vec::new();
    for opener in openers {
        for body in bodies {
            for end in ends {
                all.push([opener, body, end].concat());
            }
        }
    }
    all
}

/// Nothing in an event may hold a control character or what hides or reorders text.
fn assert_harmless(events: &[Arc<Event>], what: &str) {
    for event in events {
        // Rust's own escapes show what a string holds.
        let shown = format!("{event:?}").replace("\\\\", "");
        for bad in [
            "\\u{1b}",
            "\\u{7}",
            "\\u{9b}",
            "\\u{9c}",
            "\\u{9d}",
            "\\r",
            "\\u{8}",
            "\\u{7f}",
            "\\u{e}",
            "\\0",
            "\\u{202e}",
        ] {
            assert!(!shown.contains(bad), "{bad} of {what} in {shown}");
        }
    }
}

#[test]
fn u01_u03_no_sequence_gets_through_anything_a_person_can_set() {
    let all = sequences();
    assert!(all.len() >= 300);
    for sequence in all {
        let mut chat = Chat::open();
        let watcher = chat.join("Watcher");
        let what = sequence.escape_ascii().to_string();
        let mut login = b"mal".to_vec();
        login.extend_from_slice(&sequence);
        let mallory = chat.enter_as(Proof::Key("SHA256:mal".into()), "mal", |connect| {
            connect.login = login.clone().into();
            connect.client = [b"SSH-2.0-", &sequence[..]].concat().into();
            connect.rooms = vec![String::from_utf8_lossy(&sequence).into()];
        });
        chat.type_(mallory, "/join #mal");
        for command in [
            "",
            "/me ",
            "/topic ",
            "/nick ",
            "/away ",
            "/pm Watcher ",
            "/part ",
            "/join #",
            "/kick ",
            "/search ",
            "/edit ",
        ] {
            chat.wait(Duration::from_secs(1));
            chat.type_now(mallory, &[command.as_bytes(), &sequence].concat());
        }
        chat.type_(watcher, "/join #mal");
        chat.type_(watcher, "/history");
        chat.type_(watcher, "/whois mal");
        chat.type_(watcher, "/list");
        chat.type_(mallory, "/quit");
        let seen: Vec<_> = chat.events(watcher).into_iter().chain(chat.events(mallory)).collect();
        assert!(seen.len() > 10);
        assert_harmless(&seen, &what);
        for audit in &chat.audit {
            assert!(!audit.to_string().contains(char::is_control), "{audit}");
        }
    }
}

#[test]
fn u04_a_table_of_spoofs() {
    let table: &[(&str, &str)] = &[
        ("a\r[12:00:00] Root: hi", "a\n[12:00:00] Root: hi"),
        ("a\r\n[SYSTEM] x", "a\n[SYSTEM] x"),
        ("a\u{2028}b\u{2029}c", "a\nb\nc"),
        ("a\u{85}b", "a\nb"),
        ("a\x0bb\x0cc", "abc"),
        ("abc\u{202e}fed", "abcfed"),
        ("\u{202a}x\u{202c}", "x"),
        ("\u{2066}x\u{2069}", "x"),
        ("x\u{200e}y\u{200f}z", "xyz"),
        ("x\u{61c}y", "xy"),
        ("pass\u{200b}word", "password"),
        ("pass\u{200c}word", "password"),
        ("pass\u{200d}word", "password"),
        ("pass\u{2060}word", "password"),
        ("pass\u{feff}word", "password"),
        ("pass\u{ad}word", "password"),
        ("x\u{180e}y", "xy"),
        ("x\u{115f}\u{1160}\u{3164}\u{ffa0}y", "xy"),
        ("x\u{34f}y", "xy"),
        ("x\u{fff9}a\u{fffa}b\u{fffb}y", "xaby"),
        ("x\u{e0001}\u{e0041}y", "xy"),
        ("x\u{e0100}y", "xy"),
        ("x\u{fe00}y", "xy"),
        ("x\u{206a}y", "xy"),
        ("x\u{1d173}y", "xy"),
        ("x\u{ffff}y", "xy"),
        ("x\u{fdd0}y", "xy"),
        ("\u{301}x", "x"),
        ("x\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}", "x\u{301}\u{302}\u{303}\u{304}"),
        ("e\u{301}", "é"),
        ("한", "한"),
        ("trailing   ", "trailing"),
        ("trailing\t\n\n", "trailing"),
        ("  leading", "  leading"),
        ("tab\tstays", "tab\tstays"),
        ("\0", ""),
        ("a\x08b\x7fc", "abc"),
        ("👩‍🔬", "👩‍🔬"),
        ("👍🏽", "👍🏽"),
        ("1️⃣", "1️⃣"),
        ("🏳️‍🌈", "🏳️‍🌈"),
        ("שלום", "שלום"),
        ("مرحبا", "مرحبا"),
        ("क्षि", "क्षि"),
        ("✀✁✂ \u{2700}\u{273f}", "✀✁✂ \u{2700}\u{273f}"),
        ("ﬁ", "ﬁ"),
        ("Ω", "Ω"),
        ("㎏", "㎏"),
        ("☎️", "☎️"),
        ("☎\u{fe0e}", "☎\u{fe0e}"),
        ("*\u{fe0f}\u{20e3}", "*\u{fe0f}\u{20e3}"),
    ];
    for (dirty, expected) in table {
        let want: String = unicode_normalization::UnicodeNormalization::nfc(*expected).collect();
        assert_eq!(text::clean(dirty.as_bytes()), want, "{dirty:?}");
    }
    let nicks = [
        "аdmin",
        "Аlice",
        "al\u{200b}ice",
        "al\u{202e}ice",
        "ali ce",
        "alice\u{301}\u{301}x\u{e000}",
        "[SYSTEM]",
        "SYSTEM",
        "sуstem",
        "systern",
        "\u{2800}",
        "al\u{ad}ice",
        "🙂",
        "a🙂",
        "1",
        "-",
        "_",
        "",
        " ",
        "\u{3164}",
        "server",
        "a/b",
        "a.b",
        "a:b",
        "@alice",
        "#alice",
        "al,ice",
        "a\nb",
        "a\x1b[1m",
        "ａ ｂ",
    ];
    assert!(table.len() + nicks.len() >= 80, "{}", table.len() + nicks.len());
    for nick in nicks {
        assert!(Nick::parse(nick).is_err(), "{nick:?}");
    }
    assert!(RoomName::parse("rооm").is_err(), "two Cyrillic letters");
}

#[test]
fn u04_further_lines_of_a_message_cannot_pass_for_others() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice");
    let mallory = chat.join("Mallory");
    chat.hush();
    chat.type_(mallory, "hi\r[12:00:00] [SYSTEM] Bob joined (secure channel)\n\n[12:00:01] Bob: I agree");
    assert_eq!(
        chat.read(alice),
        [
            "Mallory: hi",
            "    | [12:00:00] [SYSTEM] Bob joined (secure channel)",
            "    | ",
            "    | [12:00:01] Bob: I agree",
        ]
    );
}

#[test]
fn u05_a_line_for_a_thousand_is_one_effect_that_copies_nothing() {
    let mut chat = Chat::open();
    let sessions: Vec<SessionId> = (0..1_000).map(|number| chat.join(&format!("member{number}"))).collect();
    let say = |chat: &mut Chat| {
        chat.now = chat.now.after(Duration::from_secs(1));
        let typed = Input::Typed { session: sessions[0], bytes: b"hello all"[..].into() };
        chat.engine.handle(chat.now, typed)
    };
    let audience = |effects: &[Effect]| {
        let mut many = effects.iter().filter_map(|effect| match effect {
            Effect::Show { to: to @ Audience::Many { sessions, .. }, event, .. } if sessions.len() > 900 => {
                Some((to.sessions().count(), Arc::clone(sessions), Arc::clone(event)))
            }
            _ => None,
        });
        let one = many.next().expect("a line for all");
        assert!(many.next().is_none());
        one
    };
    let first = say(&mut chat);
    assert!(first.len() <= 4, "{} effects", first.len());
    let (count, list, event) = audience(&first);
    assert_eq!(count, 999);
    let second = say(&mut chat);
    let (_, again, _) = audience(&second);
    assert!(Arc::ptr_eq(&list, &again), "who hears the room is found out once");
    let stored = first.iter().find_map(|effect| match effect {
        Effect::Store { what: nacre_chat::StoreRequest::Append { line, .. }, .. } => Some(Arc::clone(line)),
        _ => None,
    });
    assert!(
        matches!(&*event, Event::Line(line) if Arc::ptr_eq(line, &stored.unwrap())),
        "one line for all, and for the store"
    );
}

#[test]
fn u05_members_who_are_away_cost_nothing() {
    let mut chat = Chat::open();
    for number in 0..2_000 {
        let session = chat.join(&format!("member{number}"));
        chat.leave(session);
        chat.hush();
    }
    let alice = chat.join("Alice");
    let bob = chat.join("Bob");
    chat.hush();
    let start = Instant::now();
    for _ in 0..1_000 {
        chat.type_(alice, "hello");
    }
    assert_eq!(chat.events(bob).len(), 1_000);
    // Far more than it takes; work for each absent member would be two million steps a line.
    assert!(start.elapsed() < Duration::from_secs(120));
}

#[test]
fn u05_a_reader_who_never_reads_costs_a_bounded_queue() {
    let mut outbox = Outbox::default();
    let mut chat = Chat::open();
    let alice = chat.join("Alice");
    chat.join("Bob");
    let mut pushed = 0;
    for _ in 0..500 {
        chat.type_(alice, &"x".repeat(4_000));
        for event in chat.events(alice) {
            pushed += 1;
            outbox.push(chat.now, event);
        }
    }
    let mut bytes = 0;
    let mut shown = 0;
    while let Some(event) = outbox.pop(chat.now) {
        match &*event {
            Event::Skipped { count } => shown += count,
            Event::Confirmed { line, .. } | Event::Pending(line) => {
                shown += 1;
                bytes += line.body.len();
            }
            _ => shown += 1,
        }
    }
    assert_eq!(shown, pushed);
    assert!(bytes <= QUEUE_BYTES);
}

#[test]
fn u06_rights_hang_on_keys_never_on_names() {
    let mut config = Config::new("one", 1);
    config.rules.operators.insert("SHA256:true-admin".into());
    let mut chat = Chat::new(config);
    let root = chat.enter(Proof::Key("SHA256:true-admin".into()), "Boss");
    chat.leave(root);
    let mallory = chat.enter(Proof::Key("SHA256:mallory".into()), "Boss");
    chat.enter(Proof::Login, "Boss");
    for session in [mallory] {
        for command in ["/gban Boss", "/gmute x", "/ungban x"] {
            chat.hush();
            chat.type_(session, command);
            assert_eq!(chat.read(session), ["[SYSTEM] Only operators of the server may do that"], "{command}");
        }
    }
    // A second key of the same account has no rights of the server either.
    let alice = chat.join("Alice+r");
    chat.leave(alice);
    let other = chat.enter(Proof::Key("SHA256:other".into()), "Alice+r");
    chat.hush();
    chat.type_(other, "/mode +m");
    assert!(chat.screen(other).contains("Only operators of #r"));
}

#[test]
fn u07_no_name_or_reason_forges_a_line_of_audit() {
    let mut chat = Chat::open();
    chat.enter(Proof::Key("SHA256:m\nAccepted publickey for root".into()), "x\nAccepted publickey for root");
    let alice = chat.join("Alice+r");
    chat.join("Bob+r");
    chat.type_(alice, "/kick Bob because\nlogin by=\"root\"\r\u{2028}ban by=\"x\"");
    assert!(chat.audit.len() >= 3);
    for audit in &chat.audit {
        let line = audit.to_string();
        assert_eq!(line.lines().count(), 1, "{line:?}");
        assert!(!line.contains(['\n', '\r', '\u{2028}', '\u{85}']));
        let outside_quotes: String = line.replace("\\\"", "").split('"').step_by(2).collect();
        assert!(!outside_quotes.contains("root"), "{line}");
    }
}

#[test]
fn u08_what_is_too_long_is_refused_whole_and_split_characters_do_no_harm() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice");
    let bob = chat.join("Bob");
    chat.hush();
    chat.type_now(alice, &vec![b'x'; 10 * 1024 * 1024]);
    assert!(chat.screen(alice).contains("Nothing was sent"));
    chat.type_(alice, &"line\n".repeat(1_000));
    let events = chat.events(alice);
    assert!(
        matches!(&*events[0], Event::Problem { draft: Some(draft), .. } if draft.lines().count() == 1_000),
        "to be mended"
    );
    chat.type_(alice, &"ab\n".repeat(90));
    assert_eq!(chat.read(bob).len(), 90, "a paste of a hundred lines is one message");
    chat.type_(alice, &"x".repeat(BODY_BYTES));
    assert_eq!(chat.read(bob).len(), 1);
    let whole = "añ✀😀".as_bytes();
    for end in 1..whole.len() {
        chat.wait(Duration::from_secs(1));
        chat.type_now(alice, &whole[..end]);
        assert_harmless(&chat.events(bob), "a cut character");
    }
}

#[test]
fn time_that_runs_backwards_breaks_nothing() {
    let mut chat = Chat::open();
    let alice = chat.join("Alice");
    chat.type_(alice, "one");
    chat.now = Time(5);
    chat.type_now(alice, b"two");
    chat.type_now(alice, b"three");
    let ids: Vec<_> = chat.lines.iter().map(|line| line.id).collect();
    assert!(ids.is_sorted());
}

#[test]
fn u03_what_programs_ask_for_is_cleaned_like_what_is_typed() {
    use nacre_chat::command::{BanOrder, Command, KeyOrder, Past};
    let hour = Some(Duration::from_secs(3600));
    for sequence in sequences().into_iter().step_by(7) {
        let text: Arc<str> = Arc::from(format!("x{}\u{202e}y", String::from_utf8_lossy(&sequence)));
        let t = || Arc::clone(&text);
        let key = || Arc::from(format!("SHA256:{text}"));
        let ban = |target| Command::Ban {
            order: BanOrder { target, time: hour, reason: t(), mute: true },
            everywhere: false,
        };
        let commands = vec![
            Command::Say(t()),
            Command::SayIn { to: t(), text: t() },
            Command::SayIn { to: "#mal".into(), text: t() },
            Command::SayIn { to: Arc::from(format!("#{text}")), text: t() },
            Command::Me(t()),
            Command::Direct { to: t(), text: t() },
            Command::Direct { to: "Watcher".into(), text: t() },
            Command::Query(t()),
            Command::Help(Some(t())),
            Command::Join { room: t(), password: Some(t()) },
            Command::Part { room: Some(t()), reason: t() },
            Command::Go(t()),
            Command::Names(Some(t())),
            Command::Whois(t()),
            Command::Topic(Some(t())),
            Command::Nick(t()),
            Command::Away(Some(t())),
            Command::Ignore(Some(t())),
            Command::Unignore(t()),
            Command::Invite { nick: t(), room: Some(t()) },
            Command::Kick { nick: t(), reason: t() },
            Command::Kick { nick: "Watcher".into(), reason: t() },
            ban(t()),
            ban(key()),
            ban(Arc::from(format!("10.0.0.0/{text}"))),
            ban("Watcher".into()),
            Command::Unban { target: key(), mute: true, everywhere: false },
            Command::Bans,
            Command::Mode(vec!["+k".into(), t()]),
            Command::Mode(vec![t()]),
            Command::Mode(vec!["+e".into(), t()]),
            Command::History(Past::Before(t(), 5)),
            Command::Search(t()),
            Command::Reply { to: Some(t()), text: t() },
            Command::Edit { line: None, text: t() },
            Command::Delete(Some(t())),
            Command::Key(KeyOrder::Add(t())),
            Command::Key(KeyOrder::Accept(t())),
            Command::Key(KeyOrder::Remove(key())),
            Command::Theme(Some(t())),
            Command::Theme(None),
        ];
        let mut chat = Chat::open();
        let mallory = chat.join("Mal+mal");
        let watcher = chat.join("Watcher+mal");
        for command in commands {
            chat.wait(Duration::from_secs(1));
            chat.input(Input::Command { session: mallory, command: command.clone() });
            let seen: Vec<_> = chat.events(watcher).into_iter().chain(chat.events(mallory)).collect();
            assert_harmless(&seen, &format!("{command:?}"));
        }
        for audit in &chat.audit {
            assert!(!audit.to_string().contains(char::is_control), "{audit}");
        }
    }
}
