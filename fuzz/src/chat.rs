//! What people in a chat type.

use nacre_chat::{
    Config, Connect, Effect, Engine, Face, Input, Nick, PasswordAnswer, Proof, RoomName, SessionId, StoreAnswer, Time,
    command, text,
};
use std::sync::Arc;

/// Clean text holds nothing that drives a terminal, and cleaning it again changes nothing.
pub fn chat_text(data: &[u8]) {
    let once = text::clean(data);
    assert_clean(&once, true);
    assert_eq!(text::clean(once.as_bytes()), once);
    let line = text::clean_line(data, 80);
    assert_clean(&line, false);
    assert!(line.len() <= 80 + '…'.len_utf8());
    let typed = String::from_utf8_lossy(data);
    if let Ok(nick) = Nick::parse(&typed) {
        assert_clean(nick.as_str(), false);
        assert_eq!(Nick::parse(nick.as_str()).as_ref(), Ok(&nick));
    }
    if let Ok(room) = RoomName::parse(&typed) {
        assert_clean(room.as_str(), false);
        assert_eq!(RoomName::parse(room.as_str()), Ok(room));
    }
}

fn assert_clean(text: &str, lines: bool) {
    let harmless = |c: char| !c.is_control() || (lines && matches!(c, '\n' | '\t'));
    let hides = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}' | '\u{feff}');
    assert!(text.chars().all(|c| harmless(c) && !hides(c)), "{text:?}");
}

/// What is typed is a command, is said, or is refused in clean words; completing it keeps what stood before.
pub fn chat_command(data: &[u8]) {
    let typed = text::clean(data);
    if let Err(why) = command::parse(&typed) {
        assert_clean(&why.to_string(), true);
    }
    let completion = command::complete(&typed, &Two);
    assert!(completion.from <= typed.len() && typed.is_char_boundary(completion.from));
}

struct Two;

impl command::Names for Two {
    fn nicks(&self) -> Vec<String> {
        ["Alice", "Bob"].map(String::from).to_vec()
    }

    fn rooms(&self) -> Vec<String> {
        ["#lobby", "#rust"].map(String::from).to_vec()
    }
}

/// Three people type what the bytes say, a line each in turn; nobody is shown anything unclean, and
/// all that is asked is answered.
pub fn chat_engine(data: &[u8]) {
    let mut engine = Engine::new(Config::new("fuzz", 7));
    let mut now = Time(1_000_000);
    for number in 0..3u64 {
        let name = format!("p{number}");
        let connect = Connect {
            session: SessionId(number),
            proof: Proof::Key(format!("SHA256:{name}").into()),
            login: name.as_bytes().into(),
            rooms: Vec::new(),
            address: None,
            client: Arc::from(&b"SSH-2.0-x"[..]),
            face: Face::Plain,
            since: None,
        };
        play(&mut engine, now, Input::Connect(Box::new(connect)));
    }
    for (turn, line) in (0..64u64).zip(data.split(|byte| *byte == 0)) {
        now = Time(now.0 + 500 * u64::from(turn % 3 == 0) + 200);
        play(&mut engine, now, Input::Typed { session: SessionId(turn % 3), bytes: line.into() });
        play(&mut engine, now, Input::Tick);
    }
    assert!(engine.next_timeout().is_none_or(|due| due.0 < now.0 + 60_000));
}

fn play(engine: &mut Engine, now: Time, input: Input) {
    let mut inputs = vec![input];
    while let Some(input) = inputs.pop() {
        for effect in engine.handle(now, input) {
            match effect {
                Effect::Show { event, .. } => {
                    let settings = nacre_chat::Settings::default();
                    let view =
                        nacre_chat::render::View { you: nacre_chat::AccountId(0), at: None, settings: &settings };
                    for line in nacre_chat::render::plain(&event, view) {
                        assert_clean(&line, false);
                    }
                }
                Effect::Store { request, .. } => inputs.push(Input::Stored { request, answer: StoreAnswer::Kept }),
                Effect::Password { request, .. } => {
                    inputs.push(Input::Password { request, answer: PasswordAnswer::Verified(true) });
                }
                Effect::Audit(audit) => assert_clean(&audit.to_string(), false),
                Effect::Close { .. } | Effect::Back { .. } | Effect::Admin { .. } => {}
            }
        }
    }
}
