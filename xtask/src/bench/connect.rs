//! How long it takes to connect, log in, run `true` and leave.

use super::Bench;
use super::median;
use super::parties::{Make, output};
use super::report::{Better, Figure};
use std::time::Instant;

/// Whole programs; once with the key exchange that each pair picks by itself, once with the same.
pub fn measure(bench: &Bench) -> Result<Vec<Figure>, String> {
    let runs = if bench.quick { 10 } else { 50 };
    let servers = [bench.serve(Make::Nacre)?, bench.serve(Make::OpenSsh)?];
    let mut figures = Vec::new();
    for (name, options) in [
        ("connect and true, own choice of key exchange", &[][..]),
        ("connect and true, curve25519", &["KexAlgorithms=curve25519-sha256"][..]),
    ] {
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..runs {
            for ((make, server), times) in Make::BOTH.iter().zip(&servers).zip(&mut times) {
                let mut command = bench.client(*make, server, options);
                let start = Instant::now();
                output(command.arg("true"))?;
                times.push(start.elapsed().as_secs_f64() * 1e3);
            }
        }
        let mut figure = Figure::new(name, "ms", Better::Lower);
        for (make, times) in Make::BOTH.iter().zip(times) {
            figure.set(make.name(), median(times));
        }
        figures.push(figure);
    }
    Ok(figures)
}
