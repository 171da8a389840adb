//! What every table of messages between two processes promises.

use std::fmt::Debug;

/// A table of messages, as functions.
pub struct Table<M> {
    /// Number and name of each.
    pub names: &'static [(u8, &'static str)],
    /// The most bytes that one may have.
    pub longest: usize,
    /// Each at least once.
    pub samples: Vec<M>,
    /// A message's name.
    pub name: fn(&M) -> &'static str,
    /// A message as it is written.
    pub bytes: fn(&M) -> Vec<u8>,
    /// What is read; `None` for what is no message.
    pub read: fn(&[u8]) -> Option<M>,
}

/// Every message has its number, is read as it was written, and not when a byte is missing or too many; no other number
/// is read.
pub fn holds<M: Debug>(table: &Table<M>) {
    for (number, name) in table.names {
        let same: Vec<&M> = table.samples.iter().filter(|message| (table.name)(message) == *name).collect();
        assert!(!same.is_empty(), "{name} has no sample");
        assert!(same.iter().all(|message| (table.bytes)(message)[0] == *number), "{name}");
    }
    for message in &table.samples {
        let bytes = (table.bytes)(message);
        assert!(bytes.len() <= table.longest);
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
