//! Messages between a monitor and its helper: what is written is read, and nothing else is.
#![allow(clippy::unwrap_used)]

mod samples;

use nacre::serve::privsep::helper_messages::{FromHelper, ToHelper};
use nacre_net::privsep::MAX_MESSAGE;
use nacre_testkit::messages::{Table, holds};

#[test]
fn p18_every_message_to_a_helper_is_read_as_it_was_written_and_no_other_way() {
    holds(&Table {
        names: ToHelper::TABLE,
        longest: MAX_MESSAGE,
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
        longest: MAX_MESSAGE,
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
