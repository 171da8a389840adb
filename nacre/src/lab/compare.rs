//! `nacre lab compare`: the four protocols and SSH beside each other, in the same seven rows.
//!
//! Both ends of the four are in this process, as for `nacre lab watch`; SSH is `nacre serve` on 127.0.0.1 and
//! `nacre explain`.

use super::attack::ssh::{Kind, Parties};
use super::{failed, watch};
use crate::cli::lab::part_of;
use crate::explain::{Record, read_json, steps_of};
use crate::failure::Failure;
use crate::output;
use nacre_lab::{Protocol, Row, Who};
use std::fmt::Write as _;

/// Columns of each of the four, and of SSH, whose messages have long names.
const NARROW: usize = 17;
const WIDE: usize = 30;

/// A protocol and what it did.
struct Column {
    name: &'static str,
    width: usize,
    records: Vec<Record>,
}

impl Column {
    /// What happened in a row: who, and the message's name; what comes again and again stands once.
    fn cells(&self, row: Row) -> Vec<String> {
        let inside = self.records.iter().filter(|record| record.row == row);
        let mut cells: Vec<String> = inside.map(cell).collect();
        cells.dedup();
        cells
    }
}

fn cell(record: &Record) -> String {
    let arrow = match record.who {
        Who::Client => '>',
        Who::Server => '<',
        Who::Both => '=',
    };
    format!("{arrow} {}", record.name.replace('_', " "))
}

/// Runs all five and prints the table.
///
/// # Errors
/// A protocol does not run.
pub fn run(as_json: bool) -> Result<(), Failure> {
    let mut columns = Vec::new();
    for protocol in Protocol::ALL {
        let records = watch::rehearsed(&part_of(protocol)?)?;
        columns.push(Column { name: protocol.name(), width: NARROW, records });
    }
    columns.push(Column { name: "ssh", width: WIDE, records: ssh()? });
    output::print(&if as_json { json(&columns) } else { table(&columns) })
}

fn ssh() -> Result<Vec<Record>, Failure> {
    let parties = Parties::new(Kind::Nacre)?;
    let server = parties.serve("server")?;
    read_json(&parties.explain(server.port)?).map_err(failed)
}

fn table(columns: &[Column]) -> String {
    let mut out = line(&columns.iter().map(|column| column.name.to_owned()).collect::<Vec<_>>(), columns);
    for (row, place) in Row::ALL.into_iter().zip(1..) {
        let inside: Vec<&Record> =
            columns.iter().flat_map(|column| &column.records).filter(|record| record.row == row).collect();
        let _ = writeln!(out, "\n{place}. {} {}: {}", row.title(), steps_of(&inside), row.purpose());
        let cells: Vec<Vec<String>> = columns.iter().map(|column| column.cells(row)).collect();
        for at in 0..cells.iter().map(Vec::len).max().unwrap_or_default() {
            let cells: Vec<String> = cells.iter().map(|cells| shown(cells, at)).collect();
            out += &line(&cells, columns);
        }
    }
    out += "\n> the client says it, < the server, = both work it out, - the protocol has nothing of the kind\n";
    out
}

fn shown(cells: &[String], at: usize) -> String {
    match (cells.get(at), at) {
        (Some(cell), _) => cell.clone(),
        (None, 0) => "-".to_owned(),
        (None, _) => String::new(),
    }
}

/// One line of the table, without blanks at its end.
fn line(cells: &[String], columns: &[Column]) -> String {
    let mut out = String::new();
    for (cell, column) in cells.iter().zip(columns) {
        let _ = write!(out, "{cell:<width$}", width = column.width);
    }
    format!("{}\n", out.trim_end())
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
