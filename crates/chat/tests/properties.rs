//! What holds for every input.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::Chat;
use nacre_chat::{LineId, Nick, Place, RoomName, command, text};
use proptest::prelude::*;
use std::time::Duration;

/// Texts with many of the characters that matter.
fn odd_text() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        '\u{200d}',
        '\u{fe0f}',
        '\u{fe0e}',
        '\u{301}',
        '\u{336}',
        '\u{202e}',
        '\u{2066}',
        '\u{1f3f4}',
        '\u{e0067}',
        '\u{e007f}',
        '\u{20e3}',
        '👩',
        '❤',
        '1',
        '\r',
        '\n',
        '\t',
        '\u{1b}',
        '\u{9b}',
        '\u{2028}',
        'a',
        'е',
        'é',
        ' ',
        '\u{1100}',
        '\u{1161}',
        '\u{11a8}',
        '\u{feff}',
    ]);
    prop::collection::vec(prop_oneof![3 => odd, 1 => any::<char>()], 0..40).prop_map(String::from_iter)
}

proptest! {
    #[test]
    fn cleaning_leaves_nothing_harmful_and_changes_nothing_twice(text in odd_text()) {
        let once = text::clean(text.as_bytes());
        prop_assert!(once.chars().all(|c| c == '\n' || c == '\t' || !c.is_control()));
        let hides = once.contains(['\u{202e}', '\u{2066}', '\u{feff}', '\u{200b}', '\u{2028}']);
        prop_assert!(!hides, "what hides text stayed");
        prop_assert_eq!(text::clean(once.as_bytes()), once.clone());
        let line = text::clean_line(text.as_bytes(), 20);
        prop_assert!(!line.contains(['\n', '\t']));
        prop_assert!(line.len() <= 20 + '…'.len_utf8());
    }

    #[test]
    fn cleaning_bytes_never_fails(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let once = text::clean(&bytes);
        prop_assert_eq!(text::clean(once.as_bytes()), once);
    }

    #[test]
    fn names_that_pass_are_stable(text in odd_text()) {
        if let Ok(nick) = Nick::parse(&text) {
            prop_assert_eq!(&Nick::parse(nick.as_str()).unwrap(), &nick);
            prop_assert_eq!(&text::clean(nick.as_str().as_bytes()), nick.as_str());
            prop_assert!(nick.keys().clashes(&nick.keys()));
        }
        if let Ok(room) = RoomName::parse(&text) {
            prop_assert_eq!(&RoomName::parse(&room.to_string()).unwrap(), &room);
            let place = Place::Room(room);
            prop_assert_eq!(Place::parse(&place.to_string()), Some(place));
        }
    }

    #[test]
    fn case_never_makes_another_person(name in "[a-zA-Z][a-zA-Z0-9_-]{0,20}") {
        if let (Ok(one), Ok(other)) = (Nick::parse(&name), Nick::parse(&name.to_uppercase())) {
            prop_assert!(one.keys().clashes(&other.keys()));
        }
    }

    #[test]
    fn any_text_is_a_command_or_says_why_not(text in odd_text(), word in "/[a-z]{0,8}") {
        for typed in [text.clone(), format!("{word} {text}")] {
            let _ = command::parse(&text::clean(typed.as_bytes()));
        }
    }

    #[test]
    fn ids_are_read_as_they_are_written(value in any::<u128>()) {
        prop_assert_eq!(LineId(value).to_string().parse::<LineId>(), Ok(LineId(value)));
    }
}

/// What a person might type.
fn typed() -> impl Strategy<Value = String> {
    let words: Vec<String> =
        command::TABLE.iter().map(|entry| entry.word.to_owned()).filter(|word| word != "quit").collect();
    let argument = prop::sample::select(vec![
        "p0",
        "p1",
        "p2",
        "#lobby",
        "#x",
        "+i",
        "+k",
        "x",
        "1h",
        "on",
        "all",
        "SHA256:p1",
        "-",
    ]);
    (prop::sample::select(words), prop::collection::vec(argument, 0..4), any::<bool>()).prop_map(
        |(word, arguments, say)| {
            let rest = arguments.join(" ");
            if say { rest } else { format!("/{word} {rest}") }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_order_of_commands_breaks_the_engine(script in prop::collection::vec((0..4usize, typed(), 0..20u8), 1..60)) {
        let mut chat = Chat::open();
        let mut sessions: Vec<_> = (0..4).map(|number| chat.join(&format!("p{number}"))).collect();
        for (who, text, chance) in script {
            if chance == 0 {
                chat.leave(sessions[who]);
            }
            if chance <= 1 || chat.closed.contains_key(&sessions[who]) {
                sessions[who] = chat.join(&format!("p{who}"));
            }
            chat.type_(sessions[who], &text);
        }
        chat.wait(Duration::from_secs(3600));
        // Whatever happened, the same people come back to the same accounts, and one can still talk.
        chat.restart(nacre_chat::Config::new("one", 2));
        let session = chat.join("newcomer");
        chat.hush();
        chat.type_(session, "/nick stranger-42");
        prop_assert!(chat.screen(session).contains("stranger-42"));
    }
}
