//! What a person's terminal sends to the chat, and what the chat sends to it.

use nacre_chat::command::Completion;
use nacre_chat::{AccountId, Author, Event, Line, LineId, LineKind, Place, RoomName, Standing, Time};
use nacre_chat_server::face::{Face, Full, Typing};
use nacre_chat_server::{Asked, Size};
use std::sync::Arc;

/// Steps that one input makes at most.
const STEPS: usize = 64;

/// Both faces of a terminal are typed into, resized and shown things; what they draw holds no control character but
/// those of our own sequences, and they keep working (threats U3, U8).
pub fn chat_face(data: &[u8]) {
    let size = Size { columns: 80, rows: 24 };
    let mut faces: [Box<dyn Face>; 2] = [Box::new(Full::new(size, true)), Box::new(Typing::new("xterm", size))];
    for face in &mut faces {
        let mut now = Time(1_000_000);
        for (number, step) in data.split(|byte| *byte == 0xff).take(STEPS).enumerate() {
            now = Time(now.0 + 50);
            play(face.as_mut(), now, number, step);
            let mut out = Vec::new();
            face.draw(now, &mut out);
            assert!(out.len() < 1 << 20, "one frame is bounded");
            only_ours(&out);
            assert!(face.next_draw().is_none_or(|due| due.0 <= now.0 + 50));
        }
        let mut out = Vec::new();
        face.leave(&mut out);
        only_ours(&out);
    }
}

fn play(face: &mut dyn Face, now: Time, number: usize, step: &[u8]) {
    let text = |bytes: &[u8]| Arc::from(String::from_utf8_lossy(bytes));
    let room = |name: &str| RoomName::parse(name).map(Place::Room).ok();
    match step.split_first() {
        Some((b'S', [columns, rows, ..])) => {
            face.resize(Size { columns: u16::from(*columns) * 2, rows: u16::from(*rows) });
        }
        Some((b'L', body)) => {
            let Some(place) = room(if number % 3 == 0 { "rust" } else { "lobby" }) else { return };
            let (id, nick) = (LineId(number as u128), text(body));
            let from = Author { account: AccountId(1), nick, verified: number % 2 == 0, key: None };
            let kind = if number % 5 == 0 { LineKind::Edit(LineId(id.0.wrapping_sub(2))) } else { LineKind::Message };
            let (node, body, standing) = (Arc::from("n"), text(body), Standing::AsSaid);
            let line = Line { id, node, kind, place, from, to: None, at: now, body, reply_to: None, standing };
            face.show(now, &Event::Line(Arc::new(line)), true);
        }
        Some((b'N', body)) => face.show(now, &Event::Notice { place: None, text: text(body), at: now }, false),
        Some((b'P', body)) => {
            face.show(now, &Event::Problem { text: text(body), draft: Some(text(body)), at: now }, false);
        }
        Some((b'F', _)) => face.show(now, &Event::Focus(room("rust")), false),
        _ => {
            let mut asked = Vec::new();
            face.typed(now, step, &mut asked);
            for wish in asked {
                if let Asked::Complete(before) = wish {
                    let words = vec![format!("{before}x "), format!("{before}y "), "\u{1b}[2J".to_owned()];
                    face.completed(&Completion { from: 0, words });
                }
            }
        }
    }
}

/// A carriage return, a line feed, a bell, and sequences of `[`, digits, `;`, `?` and a letter.
fn only_ours(sent: &[u8]) {
    let text = std::str::from_utf8(sent).expect("whole characters");
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\u{1b}' {
            assert!(!c.is_control() || matches!(c, '\r' | '\n' | '\u{7}'), "{c:?} in {text:?}");
            continue;
        }
        assert_eq!(rest.next(), Some('['), "{text:?}");
        let last = rest.find(|c| !matches!(c, '0'..='9' | ';' | '?'));
        assert!(last.is_some_and(|c| "mHKJChl".contains(c)), "{last:?} in {text:?}");
    }
}
