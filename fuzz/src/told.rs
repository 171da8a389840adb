//! What `nacre explain` makes of strangers' bytes: messages, a connection seen from outside, a trace from a file.

use nacre::explain::{Record, Style, Teller, json, overheard, read_json, story};
use nacre_wire::number::Role;
use std::time::Duration;

/// Pieces of an input, each with its length in two bytes before it; the last may be short.
fn pieces(mut data: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while let Some(([high, low], rest)) = data.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (piece, rest) = rest.split_at(length);
        pieces.push(piece);
        data = rest;
    }
    pieces
}

fn is_clean(text: &str) -> bool {
    !text.contains(|c: char| c.is_control() && c != '\n' && c != '\t')
}

/// Messages one after the other: what is said of them can be shown on a terminal (threat U3).
pub fn explain_messages(data: &[u8]) {
    for secrets in [false, true] {
        let mut teller = Teller::new(secrets);
        for message in pieces(data) {
            let (sentence, details) = teller.tell(message);
            assert!(is_clean(&sentence), "{sentence:?}");
            assert!(details.iter().all(|(label, value)| is_clean(label) && is_clean(value)), "{details:?}");
        }
    }
}

/// What both sides say, the client first: however it is cut, the same is told.
pub fn explain_outside(data: &[u8]) {
    let sides = [Role::Client, Role::Server];
    let said: Vec<(Role, &[u8])> = sides.into_iter().cycle().zip(pieces(data)).collect();
    let whole = overheard(said.iter().copied());
    let cut = said.iter().flat_map(|(by, piece)| piece.chunks(7).map(move |part| (*by, part)));
    assert_eq!(overheard(cut), whole);
    assert!(whole.iter().all(shows_well), "{whole:?}");
}

fn shows_well(record: &Record) -> bool {
    let texts = record.details.iter().flat_map(|(label, value)| [label, value]);
    texts.chain([&record.text, &record.name]).all(|text| is_clean(text))
}

/// A trace that is read is written and read as the same, and can be told.
pub fn explain_trace(data: &[u8]) {
    let Ok(mut records) = read_json(&String::from_utf8_lossy(data)) else { return };
    let told = story(&records, Style { colour: false });
    assert!(is_clean(&told), "{told:?}");
    // Milliseconds of a large time are not exact.
    records.iter_mut().for_each(|record| record.at = Duration::ZERO);
    let again = read_json(&json(&records)).expect("what was written is read");
    assert_eq!(json(&again), json(&records));
}
