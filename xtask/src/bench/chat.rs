//! The chat with a crowd in it: one room, many members with real connections and terminals, all on this machine.

use super::Bench;
use super::cpu;
use super::median;
use super::memory::resident;
use super::parties::{numbers, output};
use super::report::{Better, Figure};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::time::Instant;

/// What is asked of each crowd.
struct Row {
    /// In words.
    name: &'static str,
    /// How many of a thousand have the full screen.
    full: usize,
    /// How many of a thousand never read.
    deaf: usize,
    /// Lines a second.
    rate: usize,
}

const ROWS: &[Row] = &[
    Row { name: "1 line/s, all full-screen", full: 1000, deaf: 0, rate: 1 },
    Row { name: "1 line/s, all full-screen, 50 never read", full: 1000, deaf: 50, rate: 1 },
    Row { name: "20 lines/s, half full-screen, half plain", full: 500, deaf: 0, rate: 20 },
];

/// What is looked for among a million lines: a word in ten of them, two in one of seventy, three in one of seven
/// hundred, and one that is in every line.
const SEARCHES: &[(&str, &str)] = &[
    ("a rare word", "nacreous"),
    ("two words", "tunnel slowly"),
    ("three words", "sleeps quietly soon"),
    ("a word of every line", "number"),
];

/// One server for each crowd, and one with a million lines.
pub fn measure(bench: &Bench) -> Result<Vec<Figure>, String> {
    let mut figures = Vec::new();
    let mut joins = Figure::new("chat: members that come in", "1/s", Better::Higher);
    for row in ROWS {
        let crowd = crowd(bench, row)?;
        joins.set(if joins.values.is_empty() { "nacre".to_owned() } else { row.name.to_owned() }, crowd.joins);
        let mut times = crowd.times;
        times.sort_by(f64::total_cmp);
        let late = times.get((times.len() * 99).div_ceil(100).saturating_sub(1)).copied().unwrap_or(f64::NAN);
        let mut last = Figure::new(format!("chat: {}", row.name), "ms", Better::Lower);
        last.set("nacre", median(times));
        last.set("p99", late);
        last.set("server's MiB", crowd.memory);
        last.set("server's CPU %", crowd.server * 100.0);
        last.set("members' CPU %", crowd.members * 100.0);
        println!("  {}: {:?}", last.name, last.values);
        figures.push(last);
    }
    figures.insert(0, joins);
    figures.extend(search(bench)?);
    Ok(figures)
}

/// What came of a crowd.
struct Outcome {
    /// Members a second.
    joins: f64,
    /// Milliseconds until the last one had each line.
    times: Vec<f64>,
    /// MiB of the server.
    memory: f64,
    /// Processors that it took, and that its members took.
    server: f64,
    members: f64,
}

fn crowd(bench: &Bench, row: &Row) -> Result<Outcome, String> {
    let members = if bench.quick { 200 } else { 1000 };
    let seconds = if bench.quick { 10 } else { 60 };
    let share = |of: usize| (of * members / 1000).to_string();
    let server = bench.serve_chat(None)?;
    let words = [&members.to_string(), &share(row.full), &share(row.deaf), &row.rate.to_string(), &seconds.to_string()];
    let words: Vec<&str> = std::iter::once("crowd").chain(words.map(String::as_str)).collect();
    let mut child = bench.library(&server, &words)?.stdin(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
    let (Some(mut input), Some(out)) = (child.stdin.take(), child.stdout.take()) else {
        return Err("the crowd has no pipes".to_owned());
    };
    let mut out = BufReader::new(out);
    let mut next = || {
        let mut line = String::new();
        out.read_line(&mut line).map_err(|error| error.to_string())?;
        Ok::<Option<f64>, String>(line.trim().parse().ok())
    };
    let joining = next()?;
    let spent = || (Instant::now(), cpu::seconds(server.pid()), cpu::seconds(child.id()));
    let before = spent();
    let mut times = Vec::new();
    if joining.is_some() {
        writeln!(input).map_err(|error| error.to_string())?;
        while let Some(time) = next()? {
            times.push(time);
        }
    }
    let after = spent();
    let memory = resident(server.pid());
    drop(input);
    let status = child.wait().map_err(|error| error.to_string())?;
    let (Some(joining), true) = (joining, status.success()) else {
        let mut errors = String::new();
        let _ = child.stderr.take().map(|mut stderr| stderr.read_to_string(&mut errors));
        return Err(format!("{}: {errors}", row.name));
    };
    let passed = (after.0 - before.0).as_secs_f64();
    Ok(Outcome {
        joins: members as f64 / joining,
        times,
        memory,
        server: (after.1 - before.1) / passed,
        members: (after.2 - before.2) / passed,
    })
}

fn search(bench: &Bench) -> Result<Vec<Figure>, String> {
    let lines = if bench.quick { 100_000 } else { 1_000_000 };
    let history = bench.folder.path().join("history.db");
    let mut fill = std::process::Command::new(&bench.peer);
    output(fill.arg("fill").arg(&history).arg(lines.to_string()))?;
    let server = bench.serve_chat(Some(&history))?;
    let mut figures = Vec::new();
    for (name, words) in SEARCHES {
        let times = numbers(&mut bench.library(&server, &["search", words])?)?;
        let mut figure = Figure::new(format!("chat: search of {lines} lines, {name}"), "ms", Better::Lower);
        figure.set("nacre", median(times));
        println!("  {}: {:?}", figure.name, figure.values);
        figures.push(figure);
    }
    Ok(figures)
}
