//! What came out, test by program, and what of it nobody expected.

use super::known::Known;
use super::one::Outcome;
use super::program::Column;
use super::suite::Test;
use std::collections::BTreeMap;

/// Outcomes by test and column, for what was run.
#[derive(Default)]
pub struct Table(pub BTreeMap<(String, String), Outcome>);

impl Table {
    fn get(&self, test: &str, column: &str) -> Option<&Outcome> {
        self.0.get(&(test.to_owned(), column.to_owned()))
    }

    /// Prints the table, the reasons under it, and a line for each column.
    pub fn print(&self, tests: &[Test], columns: &[Column], known: &Known) {
        let heads: Vec<&str> = columns.iter().map(|column| column.name).collect();
        println!("\n{:<22}{}", "", heads.iter().map(|head| format!("{head:>12}")).collect::<String>());
        let was_run = |test: &&Test| heads.iter().any(|head| self.get(&test.name, head).is_some());
        for test in tests.iter().filter(was_run) {
            let cells = heads.iter().map(|head| format!("{:>12}", word(self.get(&test.name, head))));
            println!("{:<22}{}", test.name, cells.collect::<String>());
        }
        println!();
        for ((test, column), outcome) in &self.0 {
            match outcome {
                Outcome::Pass => {}
                Outcome::Skip(reason) => println!("skipped {test} with {column}: {reason}"),
                Outcome::Fail(reason) => {
                    let cause = known.cause(test, column).unwrap_or(reason);
                    println!("failed {test} with {column}: {cause}");
                }
            }
        }
        for head in &heads {
            println!("{}", self.sum(head));
        }
    }

    /// `ssh: 80 of 82 pass (97.6 %), 5 skipped`.
    fn sum(&self, column: &str) -> String {
        let of = |wanted: fn(&Outcome) -> bool| {
            self.0.iter().filter(|((_, name), outcome)| name == column && wanted(outcome)).count()
        };
        let passed = of(|outcome| *outcome == Outcome::Pass);
        let skipped = of(|outcome| matches!(outcome, Outcome::Skip(_)));
        let run = of(|_| true) - skipped;
        let share = if run == 0 { 0.0 } else { passed as f64 * 100.0 / run as f64 };
        format!("{column}: {passed} of {run} pass ({share:.1} %), {skipped} skipped")
    }

    /// Failures that are not on the list, and passes that are.
    pub fn surprises(&self, known: &Known) -> Vec<String> {
        let surprise = |((test, column), outcome): (&(String, String), &Outcome)| {
            let listed = known.cause(test, column).is_some();
            match outcome {
                Outcome::Fail(reason) if !listed => Some(format!("{test} with {column} fails: {reason}")),
                Outcome::Pass if listed => {
                    Some(format!("{test} with {column} passes, and docs/CONFORMANCE.md says it fails"))
                }
                _ => None,
            }
        };
        self.0.iter().filter_map(surprise).collect()
    }
}

fn word(outcome: Option<&Outcome>) -> &'static str {
    match outcome {
        None => "",
        Some(Outcome::Pass) => "pass",
        Some(Outcome::Fail(_)) => "FAIL",
        Some(Outcome::Skip(_)) => "skipped",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_leave_out_what_was_skipped() {
        let outcomes = [
            ("a", "ssh", Outcome::Pass),
            ("b", "ssh", Outcome::Fail("x".to_owned())),
            ("c", "ssh", Outcome::Skip("y".to_owned())),
            ("a", "sshd", Outcome::Pass),
        ];
        let table =
            Table(outcomes.map(|(test, column, outcome)| ((test.to_owned(), column.to_owned()), outcome)).into());
        assert_eq!(table.sum("ssh"), "ssh: 1 of 2 pass (50.0 %), 1 skipped");
        assert_eq!(table.sum("sshd"), "sshd: 1 of 1 pass (100.0 %), 0 skipped");
        assert_eq!(table.surprises(&Known::default()), ["b with ssh fails: x"]);
    }
}
