//! `cargo xtask bench`: Nacre beside the OpenSSH of this machine, in one run, so that both meet the
//! same machine in the same mood. Figures judge nothing; they are for people.

mod bulk;
mod chart;
mod chat;
mod chat_nodes;
mod connect;
mod cpu;
mod distance;
mod echo;
mod files;
mod forward;
mod handshakes;
mod limit;
mod machine;
mod memory;
mod parties;
mod report;
mod servers;

use crate::cargo::{cargo, release, target};
use parties::Keys;
use report::{Figure, Report};
use std::path::{Path, PathBuf};
use std::time::Instant;
use tempfile::TempDir;

/// What the caller asked for.
pub struct Options {
    /// Less data and fewer runs.
    pub quick: bool,
    /// Names of measurements; none for all.
    pub only: Vec<String>,
    /// The program to measure, instead of building it.
    pub nacre: Option<PathBuf>,
}

/// What every measurement needs.
pub struct Bench {
    /// The program under measurement.
    nacre: PathBuf,
    /// The client on the library.
    peer: PathBuf,
    /// Keys for the servers and for who logs in.
    keys: Keys,
    /// Servers' files.
    folder: TempDir,
    /// Less data and fewer runs.
    quick: bool,
    /// The project, and whether the program was built from it just now.
    root: PathBuf,
    built: bool,
}

type Measurement = fn(&Bench) -> Result<Vec<Figure>, String>;

/// A measurement: name, what it is, how.
type Row = (&'static str, &'static str, Measurement);

/// All measurements.
const MEASUREMENTS: &[Row] = &[
    ("limit", "one sealed stream over loopback: the most this machine can do", limit::measure),
    ("bulk", "much data down and up, by cipher: speed and processor time of both ends", bulk::measure),
    ("files", "one large file, many small ones, and one over a long way: speed and memory", files::measure),
    ("forward", "connections through a tunnel: one with much data, and many at once", forward::measure),
    ("connect", "connect, log in, run `true`, leave", connect::measure),
    ("handshakes", "key exchanges a second that a server does", handshakes::measure),
    ("memory", "memory of a server for each idle connection", memory::measure),
    ("machine", "as root, with processes for each connection: connect, memory, bulk", machine::measure),
    ("chat", "a thousand members in one room: until the last one has a line, coming in, memory, search", chat::measure),
    (
        "chat-nodes",
        "the same on two nodes that NATS joins: until the last one on the other node has a line",
        chat_nodes::measure,
    ),
    ("echo", "from a keystroke to its echo, alone and beside bulk data", echo::measure),
];

/// The names of all measurements, for the help.
pub fn help() -> String {
    let lines = MEASUREMENTS.iter().map(|(name, what, _)| format!("  {name:<12}{what}\n"));
    format!("Measurements:\n{}", lines.collect::<String>())
}

/// The measurements of these names, all of them for none; or the name that none has.
fn named<'a>(only: &'a [String]) -> Result<Vec<&'static Row>, &'a str> {
    let row = |name: &'a String| MEASUREMENTS.iter().find(|(row, ..)| row == name).ok_or(name.as_str());
    let asked = only.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    Ok(MEASUREMENTS.iter().filter(|row| only.is_empty() || asked.iter().any(|asked| asked.0 == row.0)).collect())
}

/// Runs the measurements, prints the table, and writes `bench.json` and `bench.svg` into the
/// target folder.
pub fn run(root: &Path, options: Options) -> Result<bool, String> {
    let asked = named(&options.only).map_err(|name| format!("no measurement is called {name}\n{}", help()))?;
    let bench = prepare(root, &options)?;
    let mut report = Report::of_this_machine(&bench)?;
    let mut whole = true;
    for (name, what, measure) in asked {
        println!("{name}: {what}");
        let start = Instant::now();
        match measure(&bench) {
            Ok(figures) => report.add(name, figures),
            Err(problem) => {
                println!("  could not be measured: {problem}");
                whole = false;
            }
        }
        println!("  {:.0} s", start.elapsed().as_secs_f64());
    }
    println!("\n{}", report.table());
    let folder = target(root);
    for (name, text) in [("bench.json", report.json()), ("bench.svg", chart::draw(&report))] {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(whole)
}

fn prepare(root: &Path, options: &Options) -> Result<Bench, String> {
    build(root, &["build", "--release", "--package", "xtask", "--example", "bench-peer"])?;
    let nacre = match &options.nacre {
        Some(path) => path.clone(),
        None => {
            build(root, &["build", "--release", "--package", "nacre"])?;
            release(root, "nacre")
        }
    };
    servers::allow_many_files()?;
    let folder = tempfile::tempdir().map_err(|error| format!("a temporary folder: {error}"))?;
    let keys = Keys::make(folder.path())?;
    let (peer, built) = (release(root, "examples/bench-peer"), options.nacre.is_none());
    Ok(Bench { nacre, peer, keys, folder, quick: options.quick, root: root.to_owned(), built })
}

fn build(root: &Path, arguments: &[&str]) -> Result<(), String> {
    let status = cargo(root, arguments).status().map_err(|error| format!("cargo could not be started: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("cargo {}: {status}", arguments.join(" "))) }
}

/// The middle one of some values.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::{MEASUREMENTS, median, named};

    #[test]
    fn who_asks_for_one_measurement_gets_that_one() {
        let of = |only: &[&str]| {
            let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
            let rows = named(&only).map_err(str::to_owned);
            rows.map(|rows| rows.iter().map(|(name, ..)| *name).collect::<Vec<_>>())
        };
        assert_eq!(of(&["chat"]), Ok(vec!["chat"]));
        assert_eq!(of(&["chat-nodes", "bulk", "bulk"]), Ok(vec!["bulk", "chat-nodes"]));
        assert_eq!(of(&[]).map(|rows| rows.len()), Ok(MEASUREMENTS.len()));
        assert_eq!(of(&["bulk", "cha"]), Err("cha".to_owned()));
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(vec![4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median(Vec::new()).is_nan());
    }
}
