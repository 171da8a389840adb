//! `vectors/flows`: whole connections with OpenSSH, recorded, played again byte for byte, and then
//! played with one thing changed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use nacre_testkit::flow::{self, Entry, Flow, Mutation, Outcome, Player};
use std::collections::HashSet;

/// How the peer's bytes come.
#[derive(Clone, Copy)]
enum Pieces {
    /// All that came before our next words at once.
    Whole,
    /// Each by itself.
    Bytes,
    /// Pieces of any size, from a seed.
    Random(u64),
}

fn below(state: &mut u64, bound: usize) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 33).unwrap() % bound
}

fn feed(player: &mut Player, mut bytes: &[u8], pieces: &mut Pieces) {
    while !bytes.is_empty() {
        let take = match pieces {
            Pieces::Whole => bytes.len(),
            Pieces::Bytes => 1,
            Pieces::Random(state) => 1 + below(state, 600).min(bytes.len() - 1),
        };
        let (piece, rest) = bytes.split_at(take);
        player.feed(piece);
        bytes = rest;
    }
}

/// Plays a recording and compares all we say with what we said then.
fn replay(flow: &Flow, mut pieces: Pieces) {
    let name = &flow.header.name;
    let mut player = Player::new(&flow.header);
    let mut waiting = Vec::new();
    let mut left = flow.entries.iter().filter(|entry| matches!(entry, Entry::In(_))).count();
    for (at, entry) in flow.entries.iter().enumerate() {
        match entry {
            Entry::In(bytes) => {
                waiting.extend_from_slice(bytes);
                left -= 1;
            }
            Entry::Out(expected) => {
                feed(&mut player, &std::mem::take(&mut waiting), &mut pieces);
                let mut said = player.take();
                if said.is_empty() && left == 0 && !player.is_over() {
                    player.feed_end();
                    said = player.take();
                }
                assert!(said == *expected, "{name}, line {at}: we say {said:02x?} and said {expected:02x?}");
            }
        }
    }
    feed(&mut player, &waiting, &mut pieces);
    if !player.is_over() {
        player.feed_end();
    }
    assert_eq!(player.take(), b"", "{name}: words nobody recorded");
    assert_eq!(player.events(), flow.events, "{name}");
    assert_eq!(player.outcome(), flow.header.outcome, "{name}: {:?}", player.end.error);
}

#[test]
fn recorded_connections_replay_byte_for_byte() {
    let flows = flow::all();
    assert!(flows.len() >= 20, "{} recordings", flows.len());
    for flow in &flows {
        assert!(flow.header.peer.starts_with("SSH-2.0-OpenSSH_"), "{}", flow.header.peer);
        replay(flow, Pieces::Whole);
    }
}

#[test]
fn recorded_connections_replay_one_byte_at_a_time() {
    for flow in &flow::all() {
        replay(flow, Pieces::Bytes);
    }
}

#[test]
fn recorded_connections_replay_in_random_pieces() {
    for flow in &flow::all() {
        for seed in 1..=8 {
            replay(flow, Pieces::Random(seed));
        }
    }
}

#[test]
fn a_recording_survives_being_written_and_read() {
    for flow in flow::all() {
        assert_eq!(Flow::parse(&flow.print()).unwrap(), flow);
    }
}

fn mutations() -> Vec<Mutation> {
    let path = flow::folder().join("flows/mutations.txt");
    let text = std::fs::read_to_string(path).expect("vectors/flows/mutations.txt");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| Mutation::parse(line).unwrap_or_else(|| panic!("no mutation: {line}"))).collect()
}

/// Plays a changed recording; how it ended, and why. `None` when it has no place for the change.
fn play_changed(flow: &Flow, mutation: &Mutation) -> Option<(Outcome, String)> {
    let packets = mutation.apply(flow)?;
    let mut player = Player::new(&flow.header);
    for packet in packets {
        if player.is_over() {
            break;
        }
        player.feed(&packet);
    }
    if !player.is_over() {
        player.feed_end();
    }
    // Whatever was changed, nothing happens that did not happen in the recording, and what was
    // delivered begins as it did then.
    let recorded = Player::recorded(flow);
    let (log, data) = (&player.end.log, &player.end.data);
    let common = log.iter().zip(&recorded.end.log).all(|(a, b)| a == b);
    assert!(common && log.len() <= recorded.end.log.len(), "{}, {mutation:?}: {log:#?}", flow.header.name);
    for (stream, bytes) in data {
        let then = recorded.end.data.get(stream).map_or(&[][..], Vec::as_slice);
        assert!(then.starts_with(bytes), "{}, {mutation:?}: forged data", flow.header.name);
    }
    Some((player.outcome(), format!("{:?}", player.end.error)))
}

/// Each row of the table at each recording it is for.
#[test]
fn changed_recordings_end_as_the_table_says() {
    let (flows, mutations) = (flow::all(), mutations());
    let (mut negatives, mut seen, mut wrong) = (0, HashSet::new(), Vec::new());
    for mutation in &mutations {
        let meant: Vec<&Flow> = flows.iter().filter(|flow| mutation.is_for(&flow.header.name)).collect();
        let before = negatives;
        for flow in meant {
            let Some((outcome, why)) = play_changed(flow, mutation) else { continue };
            if outcome != mutation.outcome {
                let expected = mutation.outcome.word();
                let (name, place, change) = (&flow.header.name, mutation.place, &mutation.change);
                wrong.push(format!("{}, not {expected}: {name} {place:?} {change:?} ({why})", outcome.word()));
            }
            seen.insert(outcome);
            negatives += 1;
        }
        assert!(negatives > before, "no recording is changed by {mutation:?}");
    }
    assert!(wrong.is_empty(), "{} of {negatives}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(negatives > 10 * flows.len(), "{negatives} changed recordings");
    assert!(!seen.contains(&Outcome::Other) && !seen.contains(&Outcome::Waiting));
    println!("{} recordings, {negatives} changed ones", flows.len());
}
