//! A bar chart of a report, as SVG.

use super::report::{Figure, Report, number};
use std::fmt::Write;

/// Widths and heights in pixels.
const LABEL: f64 = 330.0;
const BAR: f64 = 420.0;
const VALUE: f64 = 190.0;
const LINE: f64 = 16.0;
const GAP: f64 = 10.0;
const MARGIN: f64 = 20.0;

/// Colours of Nacre, of OpenSSH and of all else; they can be told apart by those who see no red.
const COLOURS: [(&str, &str); 3] = [("nacre", "#0072b2"), ("openssh", "#e69f00"), ("", "#999999")];

/// Draws every figure as a group of bars, each group to its own scale.
pub fn draw(report: &Report) -> String {
    let mut bars = String::new();
    let mut y = MARGIN + 2.0 * LINE;
    for figure in report.parts.iter().flat_map(|(_, figures)| figures) {
        y = group(&mut bars, figure, y) + GAP;
    }
    let (width, height) = (LABEL + BAR + VALUE + 2.0 * MARGIN, y + MARGIN);
    let heading = escape(&report.heading());
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{MARGIN}\" y=\"{}\" font-size=\"14\">{heading}</text>\n{bars}</svg>\n",
        MARGIN + LINE / 2.0
    )
}

/// One figure's bars from `y` on; where they end.
fn group(bars: &mut String, figure: &Figure, y: f64) -> f64 {
    let most = figure.values.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
    let title = escape(&figure.name);
    let _ = writeln!(bars, "<text x=\"{MARGIN}\" y=\"{:.1}\">{title}</text>", y + 0.8 * LINE);
    let mut y = y;
    for (name, value) in &figure.values {
        let (x, width) = (MARGIN + LABEL, (value / most * BAR).max(1.0));
        let colour = COLOURS.iter().find(|(of, _)| of == name || of.is_empty()).map_or("black", |(_, colour)| colour);
        let height = LINE - 2.0;
        let _ =
            writeln!(bars, "<rect x=\"{x}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height}\" fill=\"{colour}\"/>");
        let said = escape(&format!("{name} {} {}", number(*value), figure.unit));
        let _ = writeln!(bars, "<text x=\"{:.1}\" y=\"{:.1}\">{said}</text>", x + width + 5.0, y + 0.75 * LINE);
        y += LINE;
    }
    y
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        assert_eq!(escape("a <b> & c"), "a &lt;b&gt; &amp; c");
    }

    #[test]
    fn the_longest_bar_fills_the_room_and_the_others_keep_its_scale() {
        let mut figure = Figure::new("speed", "MB/s", super::super::report::Better::Higher);
        figure.set("nacre", 200.0);
        figure.set("openssh", 50.0);
        let mut bars = String::new();
        let end = group(&mut bars, &figure, 0.0);
        assert!((end - 2.0 * LINE).abs() < 1e-9);
        assert!(bars.contains("width=\"420.0\"") && bars.contains("width=\"105.0\""), "{bars}");
    }
}
