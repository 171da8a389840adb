//! Messages between a net process and its monitor: what is written is read, and nothing else is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod samples;

use nacre_net::privsep::{FromMonitor, Gate, MAX_MESSAGE, Phase, ToMonitor};
use nacre_testkit::messages::{Table, holds};
use nacre_testkit::mutate::{Rng, mutate_message};
use nacre_testkit::provider::Seeded;
use std::fmt::Debug;

fn to_monitor() -> Table<ToMonitor> {
    Table {
        names: ToMonitor::TABLE,
        longest: MAX_MESSAGE,
        samples: samples::to_monitor(),
        name: ToMonitor::name,
        bytes: |message| message.to_bytes().to_vec(),
        read: |bytes| ToMonitor::from_bytes(bytes).ok(),
    }
}

fn from_monitor() -> Table<FromMonitor> {
    Table {
        names: FromMonitor::TABLE,
        longest: MAX_MESSAGE,
        samples: samples::from_monitor(),
        name: FromMonitor::name,
        bytes: |message| message.to_bytes().to_vec(),
        read: |bytes| FromMonitor::from_bytes(bytes).ok(),
    }
}

/// Whatever is read is written the same way, except a text that two spellings have.
fn changes_break_nothing<M: Debug>(table: &Table<M>, seed: u64) {
    let mut rng = Rng::new(seed);
    let mut read = 0;
    for _ in 0..60_000 {
        let mut bytes = (table.bytes)(&table.samples[rng.below(table.samples.len())]);
        for _ in 0..=rng.below(3) {
            mutate_message(&mut bytes, &mut rng);
        }
        if let Some(message) = (table.read)(&bytes) {
            read += 1;
            let written = (table.bytes)(&message);
            let again = (table.read)(&written).unwrap_or_else(|| panic!("{message:?}"));
            assert_eq!(format!("{again:?}"), format!("{message:?}"));
        }
    }
    assert!(read > 1_000, "only {read} changes were read");
}

#[test]
fn p18_every_message_is_read_as_it_was_written_and_no_other_way() {
    holds(&to_monitor());
    holds(&from_monitor());
}

#[test]
fn p18_changed_messages_break_nothing() {
    changes_break_nothing(&to_monitor(), 1);
    changes_break_nothing(&from_monitor(), 2);
}

#[test]
fn p18_a_list_that_claims_to_be_giant_is_refused() {
    let mut bytes = vec![5, 0, 0, 0, 1, 1];
    for count in [4097_u32, 1 << 20, u32::MAX] {
        bytes.truncate(6);
        bytes.extend(count.to_be_bytes());
        bytes.extend(vec![0; 400_000]);
        assert!(ToMonitor::from_bytes(&bytes).is_err(), "{count}");
    }
    assert!(ToMonitor::from_bytes(&vec![0xff; MAX_MESSAGE]).is_err());
}

/// Sequences of messages that no key or password backs never log in.
#[test]
fn p18_no_sequence_of_lies_logs_in() {
    let provider = Seeded::new(1);
    let samples = samples::to_monitor();
    let mut rng = Rng::new(3);
    let mut passed = 0;
    let FromMonitor::Policy { policy, .. } = samples::from_monitor().swap_remove(3) else { unreachable!() };
    for _ in 0..3_000 {
        let mut gate = Gate::new(vec![b"a host key".to_vec()]);
        // Mostly it begins as it should, with a signature and a name.
        let honest = 2 * usize::from(rng.below(4) > 0);
        for place in 0..12 {
            let which = if place < honest { place } else { rng.below(samples.len()) };
            let mut bytes = samples[which].to_bytes().to_vec();
            if place >= honest && rng.below(3) == 0 {
                mutate_message(&mut bytes, &mut rng);
            }
            let Ok(message) = ToMonitor::from_bytes(&bytes) else { continue };
            if gate.check(&provider, &message).is_err() {
                break;
            }
            passed += 1;
            if let ToMonitor::LookUp { .. } = message {
                gate.looked_up(&policy, None);
            }
            assert!(!matches!(message, ToMonitor::CheckKey { check, .. } if check.proof.is_some()), "a proof passed");
            assert_ne!(gate.phase(), Phase::Authenticated);
        }
    }
    assert!(passed > 4_000, "only {passed} messages passed");
}
