//! How many key exchanges a server does in a second, with the same client for each.

use super::Bench;
use super::median;
use super::parties::{Make, numbers};
use super::report::{Better, Figure};

/// One client after another, and four at once.
pub fn measure(bench: &Bench) -> Result<Vec<Figure>, String> {
    let count = if bench.quick { 40 } else { 200 };
    let servers = [bench.serve(Make::Nacre)?, bench.serve(Make::OpenSsh)?];
    let mut figures = Vec::new();
    for threads in [1, 4] {
        let mut rates = [Vec::new(), Vec::new()];
        for _ in 0..3 {
            for (server, rates) in servers.iter().zip(&mut rates) {
                let words = ["handshakes", &count.to_string(), &threads.to_string()];
                let seconds = numbers(&mut bench.library(server, &words)?)?;
                rates.extend(seconds.iter().map(|seconds| f64::from(count * threads) / seconds));
            }
        }
        let mut figure = Figure::new(format!("key exchanges, {threads} at once"), "1/s", Better::Higher);
        for (make, rates) in Make::BOTH.iter().zip(rates) {
            figure.set(make.name(), median(rates));
        }
        figures.push(figure);
    }
    Ok(figures)
}
