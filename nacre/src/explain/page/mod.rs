//! The records as one page for a browser: a sequence diagram, each arrow of which unfolds. There is no script in it, and
//! nothing is fetched.

mod markup;

use super::record::{Bytes, Record, Row, Who};
use super::story::steps_of;
use markup::{escaped, hex_dump};
use std::fmt::Write as _;

/// The largest page, in bytes.
pub const MAX_PAGE: usize = 300 * 1024;
const STYLE: &str = include_str!("style.css");

/// How much of everything a page shows.
#[derive(Debug, Clone, Copy)]
struct Measure {
    /// Messages of a row.
    messages: usize,
    /// Bytes of a message.
    bytes: usize,
    /// Characters of a value.
    value: usize,
    /// Fields of a message.
    fields: usize,
}

/// From everything to what always fits.
const MEASURES: [Measure; 5] = [
    Measure { messages: 300, bytes: 4096, value: 4096, fields: 1000 },
    Measure { messages: 300, bytes: 512, value: 2048, fields: 200 },
    Measure { messages: 120, bytes: 128, value: 512, fields: 50 },
    Measure { messages: 60, bytes: 64, value: 128, fields: 20 },
    Measure { messages: 5, bytes: 32, value: 40, fields: 5 },
];

/// The page.
pub fn page(title: &str, records: &[Record]) -> String {
    let pages = MEASURES.into_iter().map(|measure| Page::of(title, records, measure));
    let mut fitting = pages.filter(|page| page.len() <= MAX_PAGE);
    fitting.next().unwrap_or_default()
}

struct Page {
    out: String,
    measure: Measure,
    /// Messages so far.
    count: usize,
}

impl Page {
    fn of(title: &str, records: &[Record], measure: Measure) -> String {
        let mut page = Self { out: String::new(), measure, count: 0 };
        page.head(title);
        for (row, place) in Row::ALL.into_iter().zip(1..) {
            let inside: Vec<&Record> = records.iter().filter(|record| record.row == row).collect();
            page.row(place, row, &inside);
        }
        page.push(
            "</main><footer><p>Written by <code>nacre explain</code>. There is no script on this page and nothing is fetched.</p>\
             </footer></body></html>\n",
        );
        page.out
    }

    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn head(&mut self, title: &str) {
        let title = escaped(title);
        let _ = write!(
            self.out,
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title>\n<style>{STYLE}</style></head>\n\
             <body><a class=\"skip\" href=\"#story\">Skip to the story</a>\
             <header><h1>{title}</h1><p>What the client and the server say to each other, from the first message to the \
             last. Each arrow opens: what is in the message, its bytes as anybody on the way sees them, and a command to \
             see the same without this program.</p></header>\n<nav aria-label=\"The seven rows\"><ol class=\"rows\">"
        );
        for (row, place) in Row::ALL.into_iter().zip(1..) {
            let _ = write!(self.out, "<li><a href=\"#row-{place}\">{place}. {}</a></li>", row.title());
        }
        self.push("</ol></nav>\n<main id=\"story\">");
    }

    fn row(&mut self, place: usize, row: Row, inside: &[&Record]) {
        let steps = steps_of(inside);
        let _ = write!(
            self.out,
            "\n<section aria-labelledby=\"row-{place}\"><h2 id=\"row-{place}\">{place}. {} <small>{steps}</small></h2>\
             <p class=\"purpose\">{}.</p>",
            row.title(),
            row.purpose()
        );
        if inside.is_empty() {
            self.push("<p class=\"none\">Not reached.</p></section>");
            return;
        }
        self.push(
            "<p class=\"ends\" aria-hidden=\"true\"><span>client</span><span>server</span></p><ol class=\"messages\">",
        );
        for record in inside.iter().take(self.measure.messages) {
            self.message(record);
        }
        self.push("</ol>");
        if let Some(more @ 1..) = inside.len().checked_sub(self.measure.messages) {
            let _ = write!(self.out, "<p class=\"none\">{more} more are left out here; a trace has them all.</p>");
        }
        self.push("</section>");
    }

    fn message(&mut self, record: &Record) {
        self.count += 1;
        let (class, direction) = match record.who {
            Who::Client => ("client", "client to server"),
            Who::Server => ("server", "server to client"),
            Who::Both => ("both", "both ends"),
        };
        let name = &self.cut(&record.message.clone().unwrap_or_else(|| record.name.replace('_', " ")));
        let times = if record.times > 1 { format!(" \u{d7} {}", record.times) } else { String::new() };
        let _ = write!(
            self.out,
            "\n<li id=\"m{}\" class=\"{class}\"><details><summary><span class=\"name\">{}{times}\
             <span class=\"heard\">, {direction}: </span></span> <span class=\"time\">{:.1} ms</span>{}\
             <span class=\"text\">{}</span></summary><div class=\"open\">",
            self.count,
            escaped(name),
            record.at.as_secs_f64() * 1000.0,
            arrow(record.who),
            escaped(&self.cut(&record.text)),
        );
        self.fields(record);
        self.bytes("On the wire", name, &record.wire);
        self.bytes("The message in it", name, &record.plain);
        if let Some(check) = &record.check {
            let _ = write!(
                self.out,
                "<h3>Check it yourself</h3><pre class=\"command\" tabindex=\"0\" role=\"region\" \
                 aria-label=\"Command to check {}, message {}\"><code>{}</code></pre>",
                escaped(name),
                self.count,
                escaped(&self.cut(check))
            );
        }
        self.push("</div></details></li>");
    }

    fn fields(&mut self, record: &Record) {
        if record.details.is_empty() {
            return;
        }
        self.push("<h3>What it says</h3><dl>");
        for (label, value) in record.details.iter().take(self.measure.fields) {
            let _ = write!(self.out, "<dt>{}</dt><dd>{}</dd>", escaped(&self.cut(label)), escaped(&self.cut(value)));
        }
        self.push("</dl>");
    }

    fn bytes(&mut self, title: &str, name: &str, bytes: &Bytes) {
        if bytes.is_empty() {
            return;
        }
        let shown = bytes.first.get(..self.measure.bytes).unwrap_or(&bytes.first);
        let all = if shown.len() < bytes.count { format!(", the first {}", shown.len()) } else { String::new() };
        let _ = write!(
            self.out,
            "<h3>{title}: {} bytes{all}</h3><pre tabindex=\"0\" role=\"region\" aria-label=\"{title}: {}, message {}\">{}</pre>",
            bytes.count,
            escaped(name),
            self.count,
            hex_dump(shown)
        );
    }

    fn cut(&self, value: &str) -> String {
        let mut cut: String = value.chars().take(self.measure.value).collect();
        if cut.len() < value.len() {
            cut.push('\u{2026}');
        }
        cut
    }
}

/// The line from one end to the other; where both do something there is no head.
const fn arrow(who: Who) -> &'static str {
    match who {
        Who::Client => {
            "<svg class=\"arrow\" aria-hidden=\"true\" focusable=\"false\"><line x1=\"0\" y1=\"7\" x2=\"100%\" y2=\"7\" \
             stroke=\"currentColor\" stroke-width=\"2\"/><svg x=\"100%\" overflow=\"visible\"><path d=\"M-12 2 0 7-12 12Z\" \
             fill=\"currentColor\"/></svg></svg>"
        }
        Who::Server => {
            "<svg class=\"arrow\" aria-hidden=\"true\" focusable=\"false\"><line x1=\"0\" y1=\"7\" x2=\"100%\" y2=\"7\" \
             stroke=\"currentColor\" stroke-width=\"2\"/><path d=\"M12 2 0 7 12 12Z\" fill=\"currentColor\"/></svg>"
        }
        Who::Both => {
            "<svg class=\"arrow\" aria-hidden=\"true\" focusable=\"false\"><line x1=\"0\" y1=\"7\" x2=\"100%\" y2=\"7\" \
             stroke=\"currentColor\" stroke-width=\"2\" stroke-dasharray=\"2 6\"/></svg>"
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::time::Duration;

    const HOSTILE: &str = "</pre><script>alert(1)</script><img src=x onerror=\"alert(2)\">&amp;'";

    fn hostile(row: Row) -> Record {
        let record = Record::new(Duration::ZERO, (row, 2, Who::Server), HOSTILE, HOSTILE);
        Record {
            message: Some(HOSTILE.to_owned()),
            wire: Bytes::of(HOSTILE.as_bytes()),
            plain: Bytes::of(HOSTILE.as_bytes()),
            check: Some(HOSTILE.to_owned()),
            ..record.details(vec![(HOSTILE.to_owned(), HOSTILE.to_owned())])
        }
    }

    /// Tags of a page, without what is in them.
    fn tags(page: &str) -> std::collections::BTreeSet<&str> {
        page.split('<').skip(1).map(|tag| tag.split([' ', '>', '/']).next().unwrap_or_default()).collect()
    }

    #[test]
    fn u01_what_a_peer_says_is_text_and_never_markup() {
        let plain = Record::new(Duration::ZERO, (Row::End, 9, Who::Client), "x", "x");
        let ours = page(
            "x",
            &[Record { message: None, ..hostile(Row::Versions) }, plain.clone()].map(|record| Record {
                name: "x".to_owned(),
                text: "x".to_owned(),
                details: vec![("x".to_owned(), "x".to_owned())],
                wire: Bytes::of(b"x"),
                plain: Bytes::of(b"x"),
                check: Some("x".to_owned()),
                ..record
            }),
        );
        let theirs = page(HOSTILE, &[hostile(Row::Versions), hostile(Row::End)]);
        assert_eq!(tags(&theirs), tags(&ours));
        assert!(theirs.contains("&lt;script&gt;alert(1)"));
    }

    #[test]
    fn a_page_is_never_larger_than_it_may_be() {
        let mut long = hostile(Row::Session);
        long.wire = Bytes::of(&[b'<'; 9000]);
        long.message = Some("\"".repeat(16_000));
        long.details = vec![("<".repeat(1000), "&".repeat(5000)); 50];
        for count in [1, 10, 30] {
            let all = Row::ALL.map(|row| vec![Record { row, ..long.clone() }; count]).concat();
            let page = page("x", &all);
            assert!((1000..=MAX_PAGE).contains(&page.len()), "{count}: {}", page.len());
        }
    }
}
