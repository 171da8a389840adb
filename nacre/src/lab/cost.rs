//! `nacre lab cost`: how long secrets last that are searched by trying.

use super::failed;
use crate::cli::lab::CostArgs;
use crate::failure::Failure;
use crate::output;
use nacre_lab::cost::{Logarithm, MAX_BITS, Product};
use nacre_lab::{Fault, Randomness};
use std::time::{Duration, Instant};

/// A year, in seconds.
const YEAR: f64 = 365.25 * 24.0 * 3600.0;

/// A search that was made, or what it would take.
#[derive(Debug, Clone, Copy)]
struct Search {
    /// How many tries, as a power of two.
    tries: f64,
    /// How long they take, in seconds, as a power of ten.
    seconds: f64,
    /// It was made; else it is reckoned.
    made: bool,
}

/// The tries of a search, and how long they took.
type Searched = (u64, Duration);

/// A number found, of which what was tried can be told.
fn searched(search: impl Fn() -> u64, tries: fn(u64) -> u64) -> Searched {
    let start = Instant::now();
    let found = std::hint::black_box(search());
    (tries(found), start.elapsed())
}

fn powers(bits: u32, random: &mut Randomness) -> Result<Searched, Fault> {
    let drawn = Logarithm::draw(bits, random)?;
    Ok(searched(|| drawn.search(), |private| private))
}

/// Every second number up to the smaller prime is tried.
fn divisions(bits: u32, random: &mut Randomness) -> Result<Searched, Fault> {
    let drawn = Product::draw(bits, random)?;
    Ok(searched(|| drawn.search(), |smaller| smaller / 2))
}

/// One kind of search: how fast it went the last time.
struct Kind {
    /// Bits of the number of tries for a number of so many bits.
    tries: fn(u32) -> f64,
    search: fn(u32, &mut Randomness) -> Result<Searched, Fault>,
    /// Seconds a try, of the longest search so far.
    pace: f64,
    /// How long that one took.
    longest: f64,
}

impl Kind {
    fn new(tries: fn(u32) -> f64, search: fn(u32, &mut Randomness) -> Result<Searched, Fault>) -> Self {
        // Before anything is measured: a guess that lets small ones through.
        Self { tries, search, pace: 1e-8, longest: 0.0 }
    }

    fn row(&mut self, bits: u32, limit: f64, random: &mut Randomness) -> Result<Search, Failure> {
        let expected = (self.tries)(bits);
        if bits > MAX_BITS || expected.exp2() * self.pace > limit {
            return Ok(Search { tries: expected, seconds: expected * 2f64.log10() + self.pace.log10(), made: false });
        }
        let (tries, taken) = (self.search)(bits, random).map_err(failed)?;
        let seconds = taken.max(Duration::from_nanos(1)).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "at most 44 bits")]
        let tries = tries.max(1) as f64;
        if seconds >= self.longest {
            (self.longest, self.pace) = (seconds, seconds / tries);
        }
        Ok(Search { tries: tries.log2(), seconds: seconds.log10(), made: true })
    }
}

/// Prints a row for each size.
///
/// # Errors
/// Nobody reads, or there is no randomness.
pub fn run(args: &CostArgs) -> Result<(), Failure> {
    let mut random = Randomness::new(args.seed);
    let mut numbers = Kind::new(|bits| f64::from(bits) - 1.0, powers);
    let mut products = Kind::new(|bits| f64::from(bits) / 2.0 - 1.0, divisions);
    let limit = f64::from(args.seconds);
    if !args.json {
        output::print(&head())?;
    }
    for bits in &args.bits {
        let rows = [numbers.row(*bits, limit, &mut random)?, products.row(*bits, limit, &mut random)?];
        output::print(&if args.json { json(*bits, rows) } else { line(*bits, rows) })?;
    }
    if args.json { Ok(()) } else { output::print(FOOT) }
}

fn head() -> String {
    let names = ["bits", "a private number (A10)", "two primes of a product (A11)"];
    format!("{:>5}  {:<34}{}\n", names[0], names[1], names[2])
}

const FOOT: &str = "\n~ is reckoned from what was measured before it. These are the plain ways, on one processor. Cleverer ones \
take about the root of\nthe powers on curves, and far less for products and for primes: that is why keys have 256 bits there, \
and 2048 or more here.\n";

fn line(bits: u32, rows: [Search; 2]) -> String {
    let [powers, divisions] = rows.map(|row| {
        let about = if row.made { ' ' } else { '~' };
        format!("{:>12} tries {about}{}", tries(row.tries), lasting(row.seconds))
    });
    format!("{bits:>5}  {powers:<34}{divisions}\n")
}

fn json(bits: u32, [powers, divisions]: [Search; 2]) -> String {
    let search = |row: Search| serde_json::json!({ "tries_log2": row.tries, "seconds_log10": row.seconds, "measured": row.made });
    format!("{}\n", serde_json::json!({ "bits": bits, "private_number": search(powers), "primes": search(divisions) }))
}

/// A number of tries: written out while it can be read.
fn tries(power: f64) -> String {
    match power < 30.0 {
        true => thousands(&format!("{:.0}", power.exp2())),
        false => format!("2^{power:.0}"),
    }
}

fn thousands(digits: &str) -> String {
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A time whose seconds are a power of ten, as a person says it.
fn lasting(power: f64) -> String {
    let seconds = 10f64.powf(power);
    match power {
        _ if seconds < 1e-3 => format!("{:.1} \u{b5}s", seconds * 1e6),
        _ if seconds < 1.0 => format!("{:.1} ms", seconds * 1e3),
        _ if seconds < 120.0 => format!("{seconds:.1} s"),
        _ if seconds < 7200.0 => format!("{:.0} minutes", seconds / 60.0),
        _ if seconds < 172_800.0 => format!("{:.0} hours", seconds / 3600.0),
        _ if seconds < YEAR => format!("{:.0} days", seconds / 86_400.0),
        _ if seconds < 1e6 * YEAR => format!("{} years", thousands(&format!("{:.0}", seconds / YEAR))),
        _ => format!("10^{:.0} years", power - YEAR.log10()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_people_say_them() {
        for (power, text) in [
            (-6.0, "1.0 \u{b5}s"),
            (-2.0, "10.0 ms"),
            (0.0, "1.0 s"),
            (3.0, "17 minutes"),
            (4.0, "3 hours"),
            (6.0, "12 days"),
            (9.0, "32 years"),
            (13.0, "316,881 years"),
            (600.0, "10^593 years"),
        ] {
            assert_eq!(lasting(power), text);
        }
    }

    #[test]
    fn numbers_are_written_while_they_can_be_read() {
        assert_eq!((tries(0.0), tries(10.0), tries(20.0)), ("1".into(), "1,024".into(), "1,048,576".into()));
        assert_eq!(tries(2047.0), "2^2047");
    }

    #[test]
    fn what_takes_too_long_is_reckoned() {
        let mut kind = Kind::new(f64::from, |_, _| Ok((1 << 20, Duration::from_secs(1))));
        let mut row = |bits, pace, limit| {
            kind.pace = pace;
            kind.row(bits, limit, &mut Randomness::System).ok()
        };
        assert!(row(20, 1e-6, 2.0).is_some_and(|row| row.made));
        assert!(row(40, 1e-6, 2.0).is_some_and(|row| !row.made && (row.seconds - 6.04).abs() < 0.01));
        assert!(row(2048, 1e-6, f64::MAX).is_some_and(|row| !row.made));
    }
}
