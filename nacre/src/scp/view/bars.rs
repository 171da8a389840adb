//! Bars on a terminal: one line for each of the few largest files under way and one for the whole.
//!
//! What happens is noted as it happens and painted ten times a second at most, so that thousands of small files cost no more
//! than one large one.

use super::{Moving, Totals};
use console::{Alignment, Term, pad_str, truncate_str};
use indicatif::{BinaryBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use nacre_files::remote::shown;
use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

/// The least time between two paintings.
const STEP: Duration = Duration::from_millis(100);
/// The most files that have a line.
const MAX_LINES: usize = 4;
/// Up to so many files, each leaves a line when it is done.
const MAX_LASTING: u64 = 20;
/// How long a rate is averaged over, in seconds.
const MEMORY: f64 = 2.0;
/// Narrower than this, a line has no bar.
const NARROW: usize = 60;

/// The painter.
#[derive(Debug)]
pub(super) struct Bars {
    screen: MultiProgress,
    lines: Vec<ProgressBar>,
    total: Option<ProgressBar>,
    since: Instant,
    painted: Instant,
    rates: BTreeMap<Option<u64>, Rate>,
    lasting: std::cell::Cell<u64>,
}

/// Bytes a second of late.
#[derive(Debug, Clone, Copy)]
struct Rate {
    at: Instant,
    moved: u64,
    rate: Option<f64>,
}

impl Default for Bars {
    fn default() -> Self {
        let screen = MultiProgress::with_draw_target(ProgressDrawTarget::term(Term::stdout(), 20));
        let now = Instant::now();
        let (lines, rates) = (Vec::new(), BTreeMap::new());
        Self { screen, lines, total: None, since: now, painted: now, rates, lasting: 0.into() }
    }
}

impl Rate {
    fn new(at: Instant) -> Self {
        Self { at, moved: 0, rate: None }
    }

    #[allow(clippy::cast_precision_loss)]
    fn update(&mut self, moved: u64) -> Option<f64> {
        let seconds = self.at.elapsed().as_secs_f64();
        if seconds > 0.0 {
            let now = moved.saturating_sub(self.moved) as f64 / seconds;
            let weight = 1.0 - (-seconds / MEMORY).exp();
            self.rate = Some(self.rate.map_or(now, |rate| rate + (now - rate) * weight));
            (self.at, self.moved) = (Instant::now(), moved);
        }
        self.rate
    }
}

/// A job in the background writes no bars over what the terminal is used for.
fn in_front() -> bool {
    rustix::termios::tcgetpgrp(io::stdout()).is_ok_and(|group| group == rustix::process::getpgrp())
}

fn width() -> usize {
    usize::from(Term::stdout().size().1)
}

impl Bars {
    /// Paints, if the last painting was long enough ago.
    pub(super) fn refresh(&mut self, moving: &BTreeMap<u64, Moving>, totals: &Totals, before: &Totals) {
        if self.painted.elapsed() < STEP || !in_front() {
            return;
        }
        self.painted = Instant::now();
        let width = width();
        let mut largest: Vec<(&u64, &Moving)> = moving.iter().collect();
        largest.sort_by_key(|(id, moving)| (std::cmp::Reverse(moving.size.saturating_sub(moving.done)), **id));
        largest.truncate(MAX_LINES);
        // In the order in which they began, so that lines do not jump.
        largest.sort_by_key(|(id, _)| **id);
        self.lines(&largest, width);
        let planned = before.planned_files + totals.planned_files;
        if planned > 1 {
            self.whole(totals, before, width);
        }
    }

    fn lines(&mut self, largest: &[(&u64, &Moving)], width: usize) {
        while self.lines.len() > largest.len() {
            if let Some(line) = self.lines.pop() {
                line.finish_and_clear();
                self.screen.remove(&line);
            }
        }
        while self.lines.len() < largest.len() {
            self.lines.push(self.screen.insert(self.lines.len(), empty()));
        }
        self.rates.retain(|id, _| id.is_none() || largest.iter().any(|(shown, _)| Some(**shown) == *id));
        for (line, (id, moving)) in self.lines.iter().zip(largest) {
            let rate = self.rates.entry(Some(**id)).or_insert_with(|| Rate::new(moving.since));
            let rate = rate.update(moving.done.saturating_sub(moving.resumed_at));
            paint(line, &shown(&moving.name), moving.done, moving.size, rate, width);
        }
    }

    fn whole(&mut self, totals: &Totals, before: &Totals, width: usize) {
        let total = self.total.get_or_insert_with(|| self.screen.add(empty()));
        let (done, size) = (before.bytes + totals.bytes, before.planned_bytes + totals.planned_bytes);
        let (files, of) = (before.files + totals.files, before.planned_files + totals.planned_files);
        let rate = self.rates.entry(None).or_insert_with(|| Rate::new(self.since));
        let rate = rate.update(before.moved + totals.moved);
        paint(total, &format!("{files} of {of} files"), done, size, rate, width);
    }

    /// Prints beside the bars.
    pub(super) fn aside(&self, print: impl FnOnce()) {
        self.screen.suspend(print);
    }

    /// A file is complete: it leaves a line while there are few.
    pub(super) fn file_done(&self, moving: &Moving, planned: u64, seconds: f64) {
        if planned > MAX_LASTING || self.lasting.get() >= MAX_LASTING || !in_front() {
            return;
        }
        self.lasting.set(self.lasting.get() + 1);
        let line = last_line(&shown(&moving.name), moving.size, moving.size.saturating_sub(moving.resumed_at), seconds);
        self.aside(|| drop(crate::output::print(&format!("{line}\n"))));
    }

    /// Takes the bars away; many files leave one line together.
    pub(super) fn finish(self, totals: &Totals, seconds: f64) {
        for line in self.lines.iter().chain(&self.total) {
            line.finish_and_clear();
        }
        let _ = self.screen.clear();
        if totals.files > self.lasting.get() && in_front() {
            let name = format!("{} of {} files", totals.files, totals.planned_files.max(totals.files));
            let _ = crate::output::print(&format!("{}\n", last_line(&name, totals.bytes, totals.moved, seconds)));
        }
    }
}

/// A line that shows nothing before it is painted.
fn empty() -> ProgressBar {
    let line = ProgressBar::hidden();
    if let Ok(style) = ProgressStyle::with_template("") {
        line.set_style(style);
    }
    line
}

/// What stands for something that is complete.
#[allow(clippy::cast_precision_loss)]
fn last_line(name: &str, size: u64, moved: u64, seconds: f64) -> String {
    let width = width();
    if width < NARROW {
        return format!("{} 100%", fitted(name, width.saturating_sub(5)));
    }
    let rate = rate_text(Some(moved as f64 / seconds.max(1e-3)));
    let tail = format!("100%  {}", tail(size, rate, &clock(seconds)));
    format!("{} {tail}", fitted(name, width.saturating_sub(tail.len() + 1)))
}

/// One line: name, percentage, bar, bytes, rate and time left.
#[allow(clippy::cast_precision_loss)]
fn paint(line: &ProgressBar, name: &str, done: u64, size: u64, rate: Option<f64>, width: usize) {
    let left = rate.filter(|rate| *rate > 1.0).map(|rate| size.saturating_sub(done) as f64 / rate);
    let tail = tail(done, rate_text(rate), &left.map_or_else(|| "--:--".to_owned(), clock));
    let (template, room) = match width {
        0..NARROW => ("{name} {percent:>3}%", width.saturating_sub(5)),
        _ => ("{name} {percent:>3}% {wide_bar:.cyan/dim} {tail}", width / 3),
    };
    let name = fitted(name, room);
    // All of the line changes at once: setting a message and the like paints each time.
    let say = |text: String| {
        move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = out.write_str(&text);
        }
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        line.set_style(style.progress_chars("━╸─").with_key("name", say(name)).with_key("tail", say(tail)));
    }
    // An empty file is all there; nothing of nothing would be shown as none.
    line.set_length(size.max(1));
    line.set_position(if size == 0 { 1 } else { done.min(size) });
    line.tick();
}

fn tail(bytes: u64, rate: String, time: &str) -> String {
    format!("{:>10} {rate:>12} {time:>8}", BinaryBytes(bytes).to_string())
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn rate_text(rate: Option<f64>) -> String {
    rate.map_or_else(|| "-".to_owned(), |rate| format!("{}/s", BinaryBytes(rate as u64)))
}

/// A name in exactly this many columns; of a long one the end is kept, which tells more than the beginning.
fn fitted(name: &str, columns: usize) -> String {
    let over = console::measure_text_width(name).saturating_sub(columns);
    if over == 0 {
        return pad_str(name, columns, Alignment::Left, None).into_owned();
    }
    let mut kept = name;
    while console::measure_text_width(kept) + 1 > columns {
        let mut rest = kept.chars();
        if rest.next().is_none() {
            break;
        }
        kept = rest.as_str();
    }
    pad_str(&truncate_str(&format!("…{kept}"), columns, ""), columns, Alignment::Left, None).into_owned()
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn clock(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, minutes, seconds) => format!("{minutes:02}:{seconds:02}"),
        (hours @ 1..100, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
        _ => "--:--".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fill_their_columns_exactly() {
        for (name, columns, wanted) in [
            ("short", 8, "short   "),
            ("exactly8", 8, "exactly8"),
            ("a-long-name.txt", 8, "…ame.txt"),
            ("日本語のファイル", 8, "…ァイル "),
            ("", 3, "   "),
        ] {
            assert_eq!(fitted(name, columns), wanted);
            assert_eq!(console::measure_text_width(&fitted(name, columns)), columns, "{name}");
        }
    }

    #[test]
    fn times_are_short() {
        assert_eq!(clock(0.4), "00:00");
        assert_eq!(clock(61.0), "01:01");
        assert_eq!(clock(3700.0), "1:01:40");
        assert_eq!(clock(1e9), "--:--");
    }

    #[test]
    fn a_rate_follows_what_happens_now() {
        let mut rate = Rate {
            at: Instant::now().checked_sub(Duration::from_secs(1)).unwrap_or_else(Instant::now),
            moved: 0,
            rate: None,
        };
        let first = rate.update(1_000_000).unwrap_or_default();
        assert!((900_000.0..1_000_001.0).contains(&first), "{first}");
        rate.at = Instant::now().checked_sub(Duration::from_secs(10)).unwrap_or_else(Instant::now);
        let later = rate.update(1_000_000).unwrap_or_default();
        assert!(later < first / 10.0, "{later}");
    }
}
