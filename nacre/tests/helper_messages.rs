//! Messages between a monitor and its helper: what is written is read, and nothing else is.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod samples;

use nacre::serve::privsep::helper_messages::{FromHelper, ToHelper};
use nacre_net::privsep::MAX_MESSAGE;
use std::fmt::Debug;

/// A table of messages, as functions.
struct Table<M> {
    names: &'static [(u8, &'static str)],
    samples: Vec<M>,
    name: fn(&M) -> &'static str,
    bytes: fn(&M) -> Vec<u8>,
    read: fn(&[u8]) -> Option<M>,
}

fn holds<M: Debug>(table: &Table<M>) {
    for (number, name) in table.names {
        let same: Vec<&M> = table.samples.iter().filter(|message| (table.name)(message) == *name).collect();
        assert!(!same.is_empty(), "{name} has no sample");
        assert!(same.iter().all(|message| (table.bytes)(message)[0] == *number), "{name}");
    }
    for message in &table.samples {
        let bytes = (table.bytes)(message);
        assert!(bytes.len() <= MAX_MESSAGE);
        let again = (table.read)(&bytes).unwrap_or_else(|| panic!("{message:?} is not read"));
        assert_eq!(format!("{again:?}"), format!("{message:?}"));
        assert_eq!((table.bytes)(&again), bytes, "{message:?}");
        for length in 0..bytes.len() {
            assert!((table.read)(&bytes[..length]).is_none(), "{length} bytes of {message:?}");
        }
        for more in [0, 1, 255] {
            assert!((table.read)(&[&bytes[..], &[more]].concat()).is_none(), "{message:?} and a byte");
        }
    }
    let known: Vec<u8> = table.names.iter().map(|(number, _)| *number).collect();
    for number in (0..=u8::MAX).filter(|number| !known.contains(number)) {
        assert!((table.read)(&[number]).is_none() && (table.read)(&[number; 64]).is_none(), "{number}");
    }
}

#[test]
fn p18_every_message_to_a_helper_is_read_as_it_was_written_and_no_other_way() {
    holds(&Table {
        names: ToHelper::TABLE,
        samples: samples::to_helper(),
        name: ToHelper::name,
        bytes: |message| message.to_bytes().to_vec(),
        read: |bytes| ToHelper::from_bytes(bytes).ok(),
    });
}

#[test]
fn p18_every_message_of_a_helper_is_read_as_it_was_written_and_no_other_way() {
    holds(&Table {
        names: FromHelper::TABLE,
        samples: samples::from_helper(),
        name: FromHelper::name,
        bytes: |message| message.to_bytes().to_vec(),
        read: |bytes| FromHelper::from_bytes(bytes).ok(),
    });
}

/// No message of the one side is one of the other's: a helper that reads its own words back believes none.
#[test]
fn p18_what_one_side_says_the_other_does_not() {
    assert!(samples::to_helper().iter().all(|message| FromHelper::from_bytes(&message.to_bytes()).is_err()));
    assert!(samples::from_helper().iter().all(|message| ToHelper::from_bytes(&message.to_bytes()).is_err()));
}
