//! An attack as it is told to a person.

use super::stage::{Act, Ending};
use nacre_lab::attack::{Card, Person, Question};
use nacre_lab::{Fix, Fixes, Protocol};
use std::fmt::Write as _;

/// Columns of a line.
const WIDTH: usize = 100;
/// Columns of what stands before the text.
const INDENT: usize = 10;
/// Bytes shown of a message.
const SHOWN: usize = 64;
/// Bytes in a line of them.
const BYTES: usize = 32;

/// A paragraph with its heading.
pub fn paragraph(heading: &str, text: &str) -> String {
    let mut out = String::new();
    for (line, heading) in
        wrapped(text, WIDTH - INDENT).iter().zip(std::iter::once(heading).chain(std::iter::repeat("")))
    {
        let _ = writeln!(out, "{}", format!("{heading:<INDENT$}{line}").trim_end());
    }
    out
}

/// Words in lines.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines
            .last_mut()
            .filter(|line| line.is_empty() || line.chars().count() + 1 + word.chars().count() <= width)
        {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// What is said before the first run.
pub fn beginning(card: &Card, protocol: Protocol, fixes: Fixes) -> String {
    let with = if fixes == Fixes::NONE { String::new() } else { format!(" with {fixes}") };
    let mut out = format!("{}  {}, on {}{with}\n\n", card.name, card.title, protocol.name());
    out += &paragraph("CLAIM", card.claim);
    out += &paragraph("IDEA", card.idea);
    out.push('\n');
    out += &paragraph(
        "PEOPLE",
        "Alice is a client, Mallory attacks. Below is what their programs really said, over real connections of \
         127.0.0.1 (ports are shown as the description has them). A line with > was typed, one with * is Mallory's.",
    );
    out + "\n"
}

/// A run: what everybody did.
pub fn run(ending: &Ending, fixes: Fixes) -> String {
    let mut out = if fixes == Fixes::NONE { "RUN\n".to_owned() } else { format!("RUN with {fixes}\n") };
    for (who, act) in &ending.told {
        act_told(&mut out, *who, act);
    }
    out
}

/// One act.
pub fn act_told(out: &mut String, who: Person, act: &Act) {
    match act {
        Act::Types(line) => {
            let _ = writeln!(out, "  {who:<8}> {line}");
        }
        Act::Prints(lines) => {
            for line in lines.lines().filter(|line| !line.trim().is_empty()) {
                let _ = writeln!(out, "  {who:<8}  {}", line.trim_end());
            }
        }
        Act::Says(text) => {
            for line in wrapped(text, WIDTH - 16) {
                let _ = writeln!(out, "  {who:<8}* {line}");
            }
        }
        Act::Shows(label, shown) => *out += &bytes(label, shown),
    }
}

/// The beginning of some bytes.
pub fn bytes(label: &str, bytes: &[u8]) -> String {
    let mut out = format!("  {:<8}  {label} ({} bytes):\n", "", bytes.len());
    let shown = bytes.get(..SHOWN.min(bytes.len())).unwrap_or_default();
    for line in shown.chunks(BYTES) {
        let _ = writeln!(out, "  {:<8}    {}", "", hex(line));
    }
    if bytes.len() > SHOWN {
        let _ = writeln!(out, "  {:<8}    and {} more", "", bytes.len() - SHOWN);
    }
    out
}

/// Bytes in hexadecimal, four together.
fn hex(bytes: &[u8]) -> String {
    let groups = bytes.chunks(4).map(|group| group.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    groups.collect::<Vec<_>>().join(" ")
}

/// What a run came to, without a fix.
pub fn verdict(card: &Card, protocol: Protocol, succeeded: bool) -> String {
    let held = card.holds.iter().find(|(other, _)| *other == protocol);
    let text = match (succeeded, held) {
        (true, _) => format!("the attack SUCCEEDS. {}", card.why),
        (false, Some((_, reason))) => format!("the attack FAILS: {} holds as it is, for {reason}.", protocol.name()),
        (false, None) => "the attack FAILS.".to_owned(),
    };
    format!("\n{}", paragraph("VERDICT", &text))
}

/// What a run came to, with fixes. The card explains only the one that it names.
pub fn mended(card: &Card, protocol: Protocol, fixes: Fixes, succeeded: bool) -> String {
    let held = card.holds.iter().find(|(other, _)| *other == protocol);
    let text = match (succeeded, card.fix(protocol), held) {
        (true, _, _) => "the attack SUCCEEDS all the same.".to_owned(),
        (false, Some(fix), _) if fixes.has(fix) => format!("the attack FAILS. {}", card.mended),
        (false, Some(fix), _) => {
            let name = fix.name();
            format!("the attack FAILS. With {fixes} this Mallory comes to nothing; the fix to learn from is {name}.")
        }
        (false, None, Some((_, reason))) => {
            format!("the attack FAILS: {} holds even without {fixes}, for {reason}.", protocol.name())
        }
        (false, None, None) => "the attack FAILS.".to_owned(),
    };
    format!("\n{}", paragraph("VERDICT", &text))
}

/// What is said before the run with the fix.
pub fn fix(fix: Fix) -> String {
    format!("\n{}\n", paragraph("THE FIX", &format!("{}: {}. The same attack again:", fix.name(), fix.about())))
}

/// What is said at the end.
pub fn end(card: &Card) -> String {
    format!("\n{}\n{}", paragraph("IN SSH", card.in_ssh), paragraph("KNOWN AS", card.known))
}

/// The same as a JSON object.
pub fn json(card: &Card, protocol: Protocol, runs: &[(Fixes, Ending)]) -> String {
    let runs: Vec<serde_json::Value> = runs
        .iter()
        .map(|(fixes, ending)| {
            let told: Vec<serde_json::Value> = ending.told.iter().map(|(who, act)| told_json(*who, act)).collect();
            serde_json::json!({ "fixes": fixes.to_string(), "succeeded": ending.succeeded, "told": told })
        })
        .collect();
    let object = serde_json::json!({
        "attack": card.name, "title": card.title, "protocol": protocol.name(),
        "claim": card.claim, "idea": card.idea, "why": card.why, "mended": card.mended, "in_ssh": card.in_ssh,
        "fix": card.fix(protocol).map(Fix::name), "runs": runs, "known": card.known,
        "questions": std::iter::once(card.predict).chain(card.predict_fix).map(question).collect::<Vec<_>>(),
    });
    format!("{object}\n")
}

fn question(question: Question) -> serde_json::Value {
    serde_json::json!({
        "text": question.text, "choices": question.choices,
        "right": question.answer().0.to_string(), "because": question.because,
    })
}

/// One act as a JSON object.
pub fn told_json(who: Person, act: &Act) -> serde_json::Value {
    let who = who.to_string();
    match act {
        Act::Types(text) => serde_json::json!({ "who": who, "types": text }),
        Act::Prints(text) => serde_json::json!({ "who": who, "prints": text }),
        Act::Says(text) => serde_json::json!({ "who": who, "says": text }),
        Act::Shows(label, bytes) => {
            serde_json::json!({ "who": who, "shows": label, "bytes": hex(bytes).replace(' ', "") })
        }
    }
}
