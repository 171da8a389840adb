//! Steps of the laboratory's protocols, told as those of SSH are.

use super::record::Record;
use super::story::{Style, tell};
use data_encoding::HEXLOWER;
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
    let mut details: Vec<(String, String)> =
        step.fields.iter().map(|field| (field.label.to_owned(), field.shown(secrets).to_owned())).collect();
    if !step.bytes.is_empty() {
        details.push((format!("on the wire, {} bytes", step.bytes.len()), HEXLOWER.encode(&step.bytes)));
    }
    if let Some(check) = &step.check {
        details.push(("check it yourself".to_owned(), check.clone()));
    }
    Record { at, row: step.row, step: step.step, who: step.who, name: step.name, text: step.text.clone(), details }
}
