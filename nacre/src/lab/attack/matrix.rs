//! `nacre lab matrix`: every attack on every protocol with every fix, one at a time, performed and put in a table.

use super::stage::perform;
use crate::failure::Failure;
use crate::lab::clock::Clock;
use crate::lab::failed;
use nacre_lab::attack::{Card, Scene};
use nacre_lab::{Fix, Fixes, Protocol, Randomness};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// A place in the table: the row, and the fix, if any.
type Place = (usize, Option<Fix>);

/// The table.
///
/// # Errors
/// An attack cannot be performed.
pub fn table() -> Result<String, Failure> {
    let rows: Vec<(&Card, Protocol)> =
        Card::ALL.iter().flat_map(|card| card.protocols().map(move |protocol| (card, protocol))).collect();
    Ok(drawn(&rows, &performed(&rows)?))
}

/// Performs everything, on as many threads as there are processors.
fn performed(rows: &[(&Card, Protocol)]) -> Result<BTreeMap<Place, bool>, Failure> {
    let scenes = Protocol::ALL.map(|protocol| Scene::new(protocol, Fixes::NONE, Randomness::new(None), Instant::now()));
    let scenes = scenes.into_iter().collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let waiting = Mutex::new(places(rows));
    let done = Mutex::new(BTreeMap::new());
    let work = || {
        while let Some(place) = next(&waiting) {
            let Some((card, protocol)) = rows.get(place.0) else { continue };
            let Some(scene) = scenes.iter().find(|scene| scene.protocol == *protocol) else { continue };
            let came = attempt(card, scene, place.1);
            done.lock().unwrap_or_else(PoisonError::into_inner).insert(place, came);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.into_iter().map(|(place, came)| came.map(|succeeded| (place, succeeded))).collect()
}

fn next(waiting: &Mutex<Vec<Place>>) -> Option<Place> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).pop()
}

/// What is to be performed.
fn places(rows: &[(&Card, Protocol)]) -> Vec<Place> {
    let fixes = |protocol| Fix::ALL.into_iter().filter(move |fix| fix.goes_with(protocol));
    let row = |(row, (_, protocol)): (usize, &(&Card, Protocol))| {
        std::iter::once(None).chain(fixes(*protocol).map(Some)).map(move |fix| (row, fix)).collect::<Vec<_>>()
    };
    rows.iter().enumerate().flat_map(row).collect()
}

/// Whether an attack succeeds.
fn attempt(card: &Card, scene: &Scene, fix: Option<Fix>) -> Result<bool, Failure> {
    let scene = scene.with_fixes(fix.map_or(Fixes::NONE, Fixes::from));
    let play = card.play(&scene).map_err(failed)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(format!("cannot start the runtime: {error}")))?;
    let ending = runtime.block_on(perform(play, Clock::new(None)));
    let whole = |failure: Failure| failed(format!("{} on {}: {}", card.name, scene.protocol.name(), failure.message()));
    ending.map(|ending| ending.succeeded).map_err(whole)
}

fn drawn(rows: &[(&Card, Protocol)], done: &BTreeMap<Place, bool>) -> String {
    let columns: Vec<Option<Fix>> = std::iter::once(None).chain(Fix::ALL.map(Some)).collect();
    let mut out = String::from("attack                                    on          as it is");
    for fix in Fix::ALL {
        let _ = write!(out, "  {:<3}", fix.name());
    }
    out = format!("{}\n", out.trim_end());
    for (place, (card, protocol)) in rows.iter().enumerate() {
        let mut line = format!("{:<4} {:<36} {:<11}", card.name, card.title, protocol.name());
        for column in &columns {
            let cell = match done.get(&(place, *column)) {
                Some(true) => "YES",
                Some(false) => "no",
                None => "-",
            };
            let width = if column.is_none() { 8 } else { 3 };
            let _ = write!(line, "  {cell:<width$}");
        }
        out += &format!("{}\n", line.trim_end());
    }
    out + "\nYES: the attack succeeds. no: it is stopped. -: the protocol has no such fix.\n"
}
