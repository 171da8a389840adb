//! `nacre lab attack`: the attacks on the classroom protocols, done and told.

mod arrivals;
mod ask;
mod matrix;
pub mod ssh;
mod stage;
pub mod tell;

use super::clock::Clock;
use super::failed;
use crate::cli::lab::AttackArgs;
use crate::failure::Failure;
use crate::output;
use ask::Part;
use nacre_lab::attack::{Card, STRANGERS, Scene, TERRAPIN};
use nacre_lab::{Fix, Fixes, Randomness, dh_chat};
use stage::{Ending, perform};
use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Instant;

/// Does an attack and tells it: 0 says that it succeeded, 1 that it did not.
///
/// # Errors
/// It cannot be performed.
pub async fn run(args: &AttackArgs) -> Result<ExitCode, Failure> {
    let (card, protocol) = (args.card, args.protocol);
    let scene = Scene::new(protocol, args.fixes, Randomness::new(args.seed), Instant::now()).map_err(failed)?;
    let mut runs = vec![(args.fixes, performed(card, &scene, args.seed).await?)];
    let fix = card.fix(protocol).filter(|_| args.fixes == Fixes::NONE);
    if let Some(fix) = fix {
        let fixes = Fixes::from(fix);
        runs.push((fixes, performed(card, &scene.with_fixes(fixes), args.seed).await?));
    }
    match (args.json, args.ask) {
        (true, _) => output::print(&tell::json(card, protocol, &runs))?,
        (false, true) => ask::tell(&told(args, &runs, fix), &mut std::io::stdin().lock())?,
        (false, false) => output::print(&told(args, &runs, fix).iter().map(Part::text).collect::<String>())?,
    }
    let succeeded = runs.first().is_some_and(|(_, ending)| ending.succeeded);
    Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn performed(card: &Card, scene: &Scene, seed: Option<u64>) -> Result<Ending, Failure> {
    perform(card.play(scene).map_err(failed)?, Clock::new(seed)).await
}

fn told(args: &AttackArgs, runs: &[(Fixes, Ending)], fix: Option<Fix>) -> Vec<Part> {
    let (card, protocol) = (args.card, args.protocol);
    let mut parts = vec![Part::Told(tell::beginning(card, protocol, args.fixes))];
    for (fixes, ending) in runs {
        let with_fix = *fixes != args.fixes;
        if with_fix {
            parts.push(Part::Told(fix.map(tell::fix).unwrap_or_default()));
        }
        let question = if *fixes == Fixes::NONE { Some(card.predict) } else { card.predict_fix.filter(|_| with_fix) };
        let verdict = match *fixes == Fixes::NONE {
            true => tell::verdict(card, protocol, ending.succeeded),
            false => tell::mended(card, protocol, *fixes, ending.succeeded),
        };
        let told = Part::Told(tell::run(ending, *fixes) + &verdict);
        // What a card asks is answered by the attack as it goes where the protocol falls.
        match question.filter(|_| card.falls.iter().any(|(falls, _)| *falls == protocol)) {
            Some(question) => parts.extend([Part::Ask(question), told, Part::Answer(question)]),
            None => parts.push(told),
        }
    }
    if *card == STRANGERS && args.seed.is_none() {
        parts.push(Part::Told(rounds_measured()));
    }
    parts.push(Part::Told(tell::end(card)));
    parts
}

/// What a stranger costs with all the rounds and with one, on this machine. No verdict hangs on it.
fn rounds_measured() -> String {
    let settings = dh_chat::Settings::default();
    let took = |fixes| {
        let start = Instant::now();
        let made = dh_chat::key_of(&[7; 256], &settings, fixes);
        made.map(|_| start.elapsed().as_secs_f64() * 1000.0).unwrap_or_default()
    };
    let (many, one) = (took(Fixes::NONE), took(Fixes::from(Fix::F10)));
    let text = format!(
        "on this machine the key of one stranger takes {many:.1} ms with {} rounds, and {one:.3} ms with one. The secret \
         that it is made of has 2048 bits in both cases.",
        settings.iterations
    );
    format!("\n{}", tell::paragraph("MEASURED", &text))
}

/// Performs everything and prints the table.
///
/// # Errors
/// An attack cannot be performed, or nobody reads.
pub fn matrix() -> Result<(), Failure> {
    output::print(&matrix::table()?)
}

/// What attacks and fixes there are.
///
/// # Errors
/// Nobody reads.
pub fn list() -> Result<(), Failure> {
    let mut out = String::from("Attacks (nacre lab attack NAME --on PROTOCOL):\n");
    for card in Card::ALL {
        let mut names: Vec<&str> = card.protocols().map(nacre_lab::Protocol::name).collect();
        if *card == TERRAPIN {
            names.extend(["nacre", "openssh"]);
        }
        let _ = writeln!(out, "  {:<4} {:<34} {}", card.name, card.title, names.join(", "));
    }
    let _ = writeln!(out, "  A19  {:<34} nacre, openssh", "the same against SSH itself");
    out.push_str("ssh is SSH as it was before 2024; nacre and openssh are the programs of this machine.\n");
    out.push_str("\nFixes (--fix F1,F2 of serve, join, watch and attack):\n");
    for fix in Fix::ALL {
        let _ = writeln!(out, "  {:<4} {}", fix.name(), fix.about());
    }
    output::print(&out)
}
