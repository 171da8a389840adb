//! `nacre lab compare`: the four protocols and SSH beside each other, in the same seven rows; with `--tls` TLS 1.3 too.
//!
//! Every column is a run: both ends of the four and of TLS are in this process with a socket between them, SSH is
//! `nacre serve` on 127.0.0.1 and `nacre explain`.

use super::attack::ssh::{Kind, Parties};
use super::{failed, watch};
use crate::cli::lab::part_of;
use crate::explain::{Record, read_json, steps_of};
use crate::failure::Failure;
use crate::output;
use nacre_lab::tls::{CHOSEN, MESSAGE};
use nacre_lab::{Protocol, Row, Who};
use std::fmt::Write as _;

/// Columns of each of the four, and of SSH and TLS, whose messages have long names.
const NARROW: usize = 17;
const WIDE: usize = 30;

/// What the columns are, for who reads them.
const MEASURED: &str = "
> the client says it, < the server, = both work it out, - the protocol has nothing of the kind
Each column is one run, made now; a cell is a message that passed in it, or with = what both made of them:
  the four   our own client and server with a socket of 127.0.0.1 between them (nacre lab watch NAME)
  ssh        `nacre serve` on 127.0.0.1, told by `nacre explain`
";

/// A protocol and what it did.
struct Column {
    name: &'static str,
    width: usize,
    records: Vec<Record>,
}

impl Column {
    /// What happened in a row: who, the message's name, and what it decided; what comes again and again stands once.
    fn cells(&self, row: Row) -> Vec<String> {
        let inside = self.records.iter().filter(|record| record.row == row);
        let mut cells: Vec<String> = inside.map(cell).collect();
        cells.dedup();
        cells
    }

    /// The same in lines that are no wider than the column.
    fn lines(&self, row: Row) -> Vec<String> {
        let cells = self.cells(row);
        let split = |cell: &String| match cell.split_once(": ") {
            Some((name, value)) if cell.len() >= self.width => vec![name.to_owned(), format!("  {value}")],
            _ => vec![cell.clone()],
        };
        match cells.is_empty() {
            true => vec!["-".to_owned()],
            false => cells.iter().flat_map(split).collect(),
        }
    }
}

fn cell(record: &Record) -> String {
    let arrow = match record.who {
        Who::Client => '>',
        Who::Server => '<',
        Who::Both => '=',
    };
    let chosen = detail(record, CHOSEN).map(|value| format!(": {value}")).unwrap_or_default();
    format!("{arrow} {}{chosen}", record.name.replace('_', " "))
}

/// A value that a record unfolds to.
fn detail<'a>(record: &'a Record, label: &str) -> Option<&'a str> {
    record.details.iter().find(|(other, _)| other == label).map(|(_, value)| value.as_str())
}

/// Runs all of them and prints the table.
///
/// # Errors
/// A protocol does not run.
pub fn run(as_json: bool, with_tls: bool) -> Result<(), Failure> {
    let mut columns = Vec::new();
    for protocol in Protocol::CLASSROOM {
        let records = watch::rehearsed(&part_of(protocol)?)?;
        columns.push(Column { name: protocol.name(), width: NARROW, records });
    }
    columns.push(Column { name: "ssh", width: WIDE, records: ssh()? });
    if with_tls {
        columns.push(Column { name: "tls", width: WIDE, records: tls()? });
    }
    output::print(&if as_json { json(&columns) } else { text(&columns) })
}

fn ssh() -> Result<Vec<Record>, Failure> {
    let parties = Parties::new(Kind::Nacre)?;
    let server = parties.serve("server")?;
    read_json(&parties.explain(server.port)?).map_err(failed)
}

#[cfg(feature = "tls")]
fn tls() -> Result<Vec<Record>, Failure> {
    let steps = super::tls::session()?;
    Ok(steps.iter().map(|step| crate::explain::record(std::time::Duration::ZERO, step, false)).collect())
}

#[cfg(not(feature = "tls"))]
fn tls() -> Result<Vec<Record>, Failure> {
    Err(failed("compare --tls: this program was built without TLS").hint("cargo build --release --features tls"))
}

fn text(columns: &[Column]) -> String {
    let mut out = table(columns) + MEASURED;
    let find = |name: &str| columns.iter().find(|column| column.name == name);
    if let (Some(chat), Some(tls)) = (find(Protocol::RsaChat.name()), find("tls")) {
        out +=
            "  tls        TLS 1.3 as rustls speaks it, both ends here; a listener with the keys opened every record\n";
        out += &beside_tls(&chat.records, &tls.records);
    }
    out
}

fn table(columns: &[Column]) -> String {
    let mut out = line(&columns.iter().map(|column| column.name.to_owned()).collect::<Vec<_>>(), columns);
    for (row, place) in Row::ALL.into_iter().zip(1..) {
        let inside: Vec<&Record> =
            columns.iter().flat_map(|column| &column.records).filter(|record| record.row == row).collect();
        let _ = writeln!(out, "\n{place}. {} {}: {}", row.title(), steps_of(&inside), row.purpose());
        let cells: Vec<Vec<String>> = columns.iter().map(|column| column.lines(row)).collect();
        for at in 0..cells.iter().map(Vec::len).max().unwrap_or_default() {
            let cells: Vec<String> = cells.iter().map(|cells| cells.get(at).cloned().unwrap_or_default()).collect();
            out += &line(&cells, columns);
        }
    }
    out
}

/// One line of the table, without blanks at its end.
fn line(cells: &[String], columns: &[Column]) -> String {
    let mut out = String::new();
    for (cell, column) in cells.iter().zip(columns) {
        let _ = write!(out, "{cell:<width$}", width = column.width);
    }
    format!("{}\n", out.trim_end())
}

/// What the table beside TLS is made of.
const BESIDE: &str = "
From these two runs: both handshakes (rsa-chat's up to the name), and of tls the group, the cipher, the certificate's
signature and the suites. The other cells are how the protocols are made; A2, A7 and A9 show three of them.
";

/// How many messages the handshake of `rsa-chat` has, up to the client's name, and how many of them anybody can read: the
/// key that the client sends is encrypted, and so is all that comes after it.
fn handshake_of_chat(chat: &[Record]) -> (usize, usize) {
    let name = chat.iter().position(|record| record.row == Row::Session && record.who == Who::Client);
    let messages = || chat.iter().take(name.map_or(0, |place| place + 1)).filter(|record| !record.wire.is_empty());
    (messages().count(), messages().filter(|record| record.name == "public key").count())
}

/// The features by which the description of `rsa-chat` sets itself beside TLS.
fn beside_tls(chat: &[Record], tls: &[Record]) -> String {
    let named = |name: &str, label: &str| {
        let record = tls.iter().find(|record| record.name == name);
        record.and_then(|record| detail(record, label)).unwrap_or("none").to_owned()
    };
    let (group, suite) = (named("key_share", CHOSEN), named("cipher_suite", CHOSEN));
    let offered = named("cipher_suites", "offered").split(", ").count();
    let (sent, readable) = handshake_of_chat(chat);
    let messages = || tls.iter().filter(|record| record.row < Row::Session && detail(record, MESSAGE).is_some());
    let clear = messages().filter(|record| record.row == Row::Versions).count();
    let rows = [
        ("key exchange", "RSA: the client sends the key".to_owned(), format!("{group}: both send a half")),
        ("cipher", "AES-256-CBC".to_owned(), suite),
        ("integrity", "none: see A7".to_owned(), "the cipher's own (AEAD)".to_owned()),
        ("certificate", "none: see A2".to_owned(), format!("X.509, {}", named("certificate_verify", CHOSEN))),
        ("forward secrecy", "none: see A9".to_owned(), "yes: the halves are thrown away".to_owned()),
        ("cipher suites", "one, fixed".to_owned(), format!("{offered} offered, one taken")),
        (
            "handshake",
            format!("{sent} messages, {readable} in the clear"),
            format!("{} messages, {clear} in the clear", messages().count()),
        ),
    ];
    let mut out = format!("\n{:<18}{:<34}tls\n", "", Protocol::RsaChat.name());
    for (feature, chat, tls) in rows {
        let _ = writeln!(out, "{feature:<18}{chat:<34}{tls}");
    }
    out + BESIDE
}

/// One JSON object a row.
fn json(columns: &[Column]) -> String {
    let mut out = String::new();
    for row in Row::ALL {
        let mut object = serde_json::json!({ "row": row.title() });
        for column in columns {
            if let Some(object) = object.as_object_mut() {
                object.insert(column.name.to_owned(), column.cells(row).into());
            }
        }
        let _ = writeln!(out, "{object}");
    }
    out
}
