//! `nacre lab watch NAME`: both ends of a protocol in this process, a socket between them, told as `nacre explain` tells a
//! handshake.

use super::clock::Clock;
use super::wire::Wire;
use super::{failed, join, serve};
use crate::cli::lab::PartArgs;
use crate::explain::{Record, Style, json, record, story};
use crate::failure::Failure;
use crate::output;
use nacre_lab::{Protocol, rehearse};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// Runs it and tells it.
///
/// # Errors
/// A flag's value cannot be had, or standard output is closed.
pub fn run(part: &PartArgs, as_json: bool) -> Result<(), Failure> {
    let records = rehearsed(part)?;
    let colour = output::in_colour(&std::io::stdout());
    let text = if as_json { json(&records) } else { story(&records, Style { colour }) };
    output::print(&text)
}

/// What both ends do.
///
/// # Errors
/// A flag's value cannot be had, or there is no socket.
pub fn rehearsed(part: &PartArgs) -> Result<Vec<Record>, Failure> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, part.port));
    let mut server = serve::console(part, part.port)?;
    let mut client = join::console("localhost", address, part)?;
    let (start, mut records) = (Instant::now(), Vec::new());
    let mut told = |step| {
        let at = if part.seed.is_some() { Duration::ZERO } else { start.elapsed() };
        records.push(record(at, &step, part.show_secrets));
    };
    let now = Clock::new(part.seed).now();
    let mut wire = Wire::new()?;
    let mut carry = |to, bytes: Vec<u8>| wire.carry(to, &bytes);
    let played = rehearse(server.as_mut(), client.as_mut(), now, lines(part.protocol), &mut carry, &mut told);
    played.map_err(failed)?;
    Ok(records)
}

/// What is typed at the client; goodbye follows.
const fn lines(protocol: Protocol) -> &'static [&'static str] {
    match protocol {
        Protocol::DhChat | Protocol::ToySocket => &["Hi, server! This is encrypted."],
        Protocol::RsaChat => &["Alice", "Hello! This message is encrypted!"],
        Protocol::MiniSsh => &["user", "pass123", "whoami"],
        Protocol::Ssh => &[],
    }
}
