//! `cargo xtask layers`: is the house still built as designed?
//!
//! Three checkers over three kinds of evidence: [`graph`] reads what Cargo resolved, [`source`]
//! reads the code, [`files`] looks at names and lengths. What is allowed stands in [`house`].

mod files;
mod graph;
mod house;
mod modules;
mod source;

use std::fmt;
use std::path::Path;

/// One rule broken at one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// A file, with its line where there is one, or an edge `a -> b`.
    place: String,
    /// What is there.
    what: String,
    /// Why it must not be.
    why: String,
}

impl Finding {
    fn new(place: impl Into<String>, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into(), why: why.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.place, self.what, self.why)
    }
}

/// Checks the repository at `root`, prints every finding, and says whether there was none.
pub fn run(root: &Path) -> Result<bool, String> {
    let graph = graph::Graph::load(root)?;
    let mut findings = graph.check();
    findings.extend(source::check(root, &graph)?);
    findings.extend(files::check(root)?);
    findings.sort();
    findings.dedup();
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => println!("layers: {} crates stand as designed", graph.members().count()),
        count => println!("layers: {count} rules broken"),
    }
    Ok(findings.is_empty())
}
