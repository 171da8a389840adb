//! The chat with a crowd in it: one room, many members with real connections and terminals, all on this machine.

use super::Bench;
use super::cpu;
use super::median;
use super::memory::resident;
use super::parties::{numbers, output};
use super::report::{Better, Figure};
use super::servers::Server;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::time::Instant;

/// What is asked of each crowd.
pub struct Row {
    /// In words.
    pub name: &'static str,
    /// How many of a thousand have the full screen.
    pub full: usize,
    /// How many of a thousand never read.
    pub deaf: usize,
    /// Lines a second.
    pub rate: usize,
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
        let members = if bench.quick { 200 } else { 1000 };
        let crowd = crowd(bench, row, members, &[bench.serve_chat(None)?])?;
        joins.set(if joins.values.is_empty() { "nacre".to_owned() } else { row.name.to_owned() }, crowd.joins);
        let mut last = crowd.figure(format!("chat: {}", row.name));
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
pub struct Outcome {
    /// Members a second.
    pub joins: f64,
    /// Milliseconds until the last one had each line.
    times: Vec<f64>,
    /// MiB of each server.
    memory: Vec<f64>,
    /// Processors that the first one took, and that the members took.
    server: f64,
    members: f64,
}

impl Outcome {
    /// The middle and the late times, and the memory.
    pub fn figure(&self, name: String) -> Figure {
        let mut times = self.times.clone();
        times.sort_by(f64::total_cmp);
        let late = times.get((times.len() * 99).div_ceil(100).saturating_sub(1)).copied().unwrap_or(f64::NAN);
        let mut last = Figure::new(name, "ms", Better::Lower);
        last.set("nacre", median(times));
        last.set("p99", late);
        for memory in &self.memory {
            last.set("server's MiB", *memory);
        }
        last
    }
}

/// Fills one server, or two that are nodes of one chat, with members, and has them talk.
pub fn crowd(bench: &Bench, row: &Row, members: usize, servers: &[Server]) -> Result<Outcome, String> {
    let (server, others) = servers.split_first().ok_or("no server")?;
    let seconds = if bench.quick { 10 } else { 60 };
    let numbers = [members, row.full * members / 1000, row.deaf * members / 1000, row.rate, seconds];
    let ports = others.iter().map(|other| usize::from(other.port));
    let words: Vec<String> = numbers.into_iter().chain(ports).map(|number| number.to_string()).collect();
    let words: Vec<&str> = std::iter::once("crowd").chain(words.iter().map(String::as_str)).collect();
    let mut child = bench.library(server, &words)?.stdin(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
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
    let memory = servers.iter().map(|server| resident(server.pid())).collect();
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
