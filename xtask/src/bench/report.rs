//! What came out: a table for people, JSON for programs.

use super::Bench;
use super::parties::Make;
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::process::Command;

/// Which end of a figure is the good one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    Higher,
    Lower,
}

/// One measured thing, with a value for each of those it was measured of.
#[derive(Debug, Clone)]
pub struct Figure {
    /// What.
    pub name: String,
    /// In what.
    pub unit: &'static str,
    better: Better,
    /// Of whom and how much, in order.
    pub values: Vec<(String, f64)>,
}

impl Figure {
    /// A figure without values.
    pub fn new(name: impl Into<String>, unit: &'static str, better: Better) -> Self {
        Self { name: name.into(), unit, better, values: Vec::new() }
    }

    /// Adds a value.
    pub fn set(&mut self, of: impl Into<String>, value: f64) {
        self.values.push((of.into(), value));
    }

    fn of(&self, make: Make) -> Option<f64> {
        self.values.iter().find(|(name, _)| name == make.name()).map(|(_, value)| *value)
    }

    /// How many times better Nacre is than OpenSSH; below 1 it is worse.
    pub fn ratio(&self) -> Option<f64> {
        let (nacre, openssh) = (self.of(Make::Nacre)?, self.of(Make::OpenSsh)?);
        Some(match self.better {
            Better::Higher => nacre / openssh,
            Better::Lower => openssh / nacre,
        })
    }
}

/// Everything measured in one run.
pub struct Report {
    machine: Map<String, Value>,
    /// The figures by measurement, in order.
    pub parts: Vec<(&'static str, Vec<Figure>)>,
}

impl Report {
    /// An empty one that says what was measured and where.
    pub fn of_this_machine(bench: &Bench) -> Result<Self, String> {
        let openssh = Command::new("ssh").arg("-V").output().map_err(|error| format!("ssh: {error}"))?;
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, m)| m);
        let mut machine = Map::new();
        machine.insert("openssh".to_owned(), json!(String::from_utf8_lossy(&openssh.stderr).trim()));
        machine.insert("processors".to_owned(), json!(std::thread::available_parallelism().map_or(0, usize::from)));
        machine.insert("processor".to_owned(), json!(model.unwrap_or("unknown")));
        machine.insert("quick".to_owned(), json!(bench.quick));
        Ok(Self { machine, parts: Vec::new() })
    }

    /// Adds a measurement's figures.
    pub fn add(&mut self, name: &'static str, figures: Vec<Figure>) {
        self.parts.push((name, figures));
    }

    /// What was measured against what, on one line.
    pub fn heading(&self) -> String {
        let word = |name: &str| self.machine.get(name).map_or_else(String::new, |v| v.to_string().replace('"', ""));
        format!("Nacre and {} on {} × {}", word("openssh"), word("processors"), word("processor"))
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut text = self.heading() + "\n";
        let _ = writeln!(text, "{:<46} {:>10} {:>10} {:>10} {:>8}  others", "", "unit", "nacre", "openssh", "better");
        for figure in self.parts.iter().flat_map(|(_, figures)| figures) {
            let cell = |make| figure.of(make).map_or_else(|| "-".to_owned(), number);
            let ratio = figure.ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}×"));
            let others = figure.values.iter().filter(|(name, _)| !Make::BOTH.iter().any(|make| make.name() == name));
            let others: Vec<String> = others.map(|(name, value)| format!("{name}: {}", number(*value))).collect();
            let (name, unit) = (&figure.name, figure.unit);
            let (nacre, openssh) = (cell(Make::Nacre), cell(Make::OpenSsh));
            let others = others.join(", ");
            let _ = writeln!(text, "{name:<46} {unit:>10} {nacre:>10} {openssh:>10} {ratio:>8}  {others}");
        }
        text
    }

    /// For programs.
    pub fn json(&self) -> String {
        let parts = self.parts.iter().map(|(part, figures)| {
            let figures: Vec<Value> = figures.iter().map(one).collect();
            ((*part).to_owned(), Value::Array(figures))
        });
        let value = json!({"machine": self.machine, "figures": parts.collect::<Map<_, _>>()});
        format!("{value:#}\n")
    }
}

fn one(figure: &Figure) -> Value {
    let values: Map<String, Value> = figure.values.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "name": figure.name,
        "unit": figure.unit,
        "higher_is_better": figure.better == Better::Higher,
        "values": values,
        "times_better": figure.ratio(),
    })
}

/// Three digits that count.
pub fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(better: Better) -> Figure {
        let mut figure = Figure::new("a <thing>", "MB/s", better);
        figure.set("nacre", 30.0);
        figure.set("openssh", 10.0);
        figure
    }

    #[test]
    fn better_is_more_than_one_whichever_end_is_good() {
        assert_eq!(figure(Better::Higher).ratio(), Some(3.0));
        assert!(figure(Better::Lower).ratio().is_some_and(|ratio| ratio < 1.0));
        assert_eq!(Figure::new("x", "s", Better::Lower).ratio(), None);
    }

    #[test]
    fn a_report_is_told_in_words_and_in_json() {
        let mut report = Report { machine: Map::new(), parts: Vec::new() };
        report.add("bulk", vec![figure(Better::Higher)]);
        assert!(report.table().contains("3.00×"), "{}", report.table());
        let value: Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(value["figures"]["bulk"][0]["values"]["nacre"], json!(30.0));
    }
}
