//! Steps of the laboratory's protocols, told as those of SSH are.

use super::record::{Bytes, Record};
use super::story::{Style, tell};
use nacre_lab::Step;
use std::time::Duration;

/// A step as lines; `at` is the time since the start. Secrets are shown only when `secrets` is true.
pub fn tell_step(at: Duration, step: &Step, secrets: bool, colour: bool) -> String {
    let mut out = String::new();
    tell(&mut out, &record(at, step, secrets), Style { colour });
    out
}

/// A step as a record of the story.
pub fn record(at: Duration, step: &Step, secrets: bool) -> Record {
    let shown = |field: &nacre_lab::Field| (field.label.to_owned(), field.shown(secrets).to_owned());
    let record = Record::new(at, (step.row, step.step, step.who), step.name, step.text.clone());
    Record {
        wire: Bytes::of(&step.bytes),
        check: step.check.clone(),
        ..record.details(step.fields.iter().map(shown).collect())
    }
}
