//! How a foreign client was told to reach its server: since the relay connects in its place, the relay has to know.

use super::message::text;
use crate::failure::{Failure, USAGE};
use std::ffi::OsString;
use std::process::{Command, Stdio};

/// What the relay heeds.
const HEEDED: [&str; 5] = ["addressfamily", "bindaddress", "bindinterface", "connecttimeout", "connectionattempts"];
/// What would stand where the relay does.
const BETWEEN: [&str; 2] = ["proxyjump", "proxycommand"];

/// The lines of configuration that the relay needs, as the client itself has them by its flags and its files. Where it
/// says nothing there are none: it will complain itself when it runs.
///
/// # Errors
/// The client is to go through another machine or program, whose place the relay would take.
pub fn route(program: &OsString, rest: &[OsString]) -> Result<Vec<String>, Failure> {
    let asked = Command::new(program).arg("-G").args(rest).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let Ok(answer) = asked else { return Ok(Vec::new()) };
    let answer = String::from_utf8_lossy(&answer.stdout).into_owned();
    let lines = answer.lines().filter_map(|line| line.split_once(' ')).filter(|(_, value)| *value != "none");
    if let Some((keyword, value)) = lines.clone().find(|(keyword, _)| BETWEEN.contains(keyword)) {
        let (keyword, value) = (text(keyword.as_bytes()), text(value.as_bytes()));
        let message =
            format!("explain: that ssh goes through another program ({keyword} {value}), and is not seen from outside");
        return Err(
            Failure::with_code(USAGE, message).hint("`nacre ssh --explain` tells such a connection from inside")
        );
    }
    Ok(lines
        .filter(|(keyword, _)| HEEDED.contains(keyword))
        .map(|(keyword, value)| format!("{keyword}={value}"))
        .collect())
}
