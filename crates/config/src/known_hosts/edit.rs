//! What `ssh-keygen -F`, `-R` and `-H` do, on a file's content. Lines that are not understood stay as they are.

use std::fmt;

use super::line::{Fields, fields};
use super::{HashedName, HmacSha1, Hosts, Marker};

/// A line that speaks of the host looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The name looked for.
    pub name: String,
    /// The line's number, from 1.
    pub line: u32,
    /// What the line is for.
    pub marker: Marker,
    /// The line as written.
    pub text: String,
}

impl fmt::Display for Found {
    /// The two lines that `ssh-keygen -F` prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let marker = match self.marker {
            Marker::None => "",
            Marker::Revoked => "REVOKED",
            Marker::CertAuthority => "CA",
        };
        writeln!(f, "# Host {} found: line {} {marker}", self.name, self.line)?;
        write!(f, "{}", self.text)
    }
}

/// A file without one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// The new content.
    pub content: Vec<u8>,
    /// The numbers of the lines taken out.
    pub lines: Vec<u32>,
    /// The numbers of lines that were not understood (kept).
    pub invalid: Vec<u32>,
}

/// A file with its names hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashed {
    /// The new content.
    pub content: Vec<u8>,
    /// How many names were hashed.
    pub hashed: usize,
    /// The numbers of lines with wildcards, which cannot be hashed (kept).
    pub wildcards: Vec<u32>,
    /// The numbers of lines that were not understood (kept).
    pub invalid: Vec<u32>,
}

/// The lines with their numbers; the nothing after the last line feed is no line.
fn lines(content: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let content = content.strip_suffix(b"\n").unwrap_or(content);
    let none = content.is_empty();
    (1..).zip(content.split(|b| *b == b'\n')).filter(move |_| !none)
}

fn speaks_of(fields: &Fields<'_>, name: &str, hmac: HmacSha1) -> bool {
    Hosts::parse(fields.hosts).is_some_and(|hosts| hosts.matches(&name.to_ascii_lowercase(), hmac))
}

/// The lines that speak of a host (`ssh-keygen -F name`); `name` is given as recorded (`[host]:port`).
pub fn find(content: &[u8], name: &str, hmac: HmacSha1) -> Vec<Found> {
    let mut out = Vec::new();
    for (line, bytes) in lines(content) {
        let Ok(Some(fields)) = fields(bytes) else { continue };
        if speaks_of(&fields, name, hmac) {
            let text = String::from_utf8_lossy(bytes).into_owned();
            out.push(Found { name: name.to_owned(), line, marker: fields.marker, text });
        }
    }
    out
}

/// Takes a host out (`ssh-keygen -R name`). Lines with a marker stay: a revocation must not be lost.
pub fn remove(content: &[u8], name: &str, hmac: HmacSha1) -> Removed {
    let mut out = Removed { content: Vec::with_capacity(content.len()), lines: Vec::new(), invalid: Vec::new() };
    for (line, bytes) in lines(content) {
        match fields(bytes) {
            Ok(Some(fields)) if fields.marker == Marker::None && speaks_of(&fields, name, hmac) => {
                out.lines.push(line);
                continue;
            }
            Ok(_) => {}
            Err(_) => out.invalid.push(line),
        }
        out.content.extend_from_slice(bytes);
        out.content.push(b'\n');
    }
    out
}

/// Hashes every name (`ssh-keygen -H`): one line per name. `salt` gives fresh random bytes each time.
pub fn hash_names(content: &[u8], hmac: HmacSha1, mut salt: impl FnMut() -> [u8; 20]) -> Hashed {
    let mut out =
        Hashed { content: Vec::with_capacity(content.len()), hashed: 0, wildcards: Vec::new(), invalid: Vec::new() };
    for (line, bytes) in lines(content) {
        match fields(bytes) {
            Ok(Some(fields)) if fields.marker == Marker::None && !fields.hosts.starts_with('|') => {
                if !fields.hosts.contains(['*', '?', '!']) {
                    for name in fields.hosts.split(',').filter(|name| !name.is_empty()) {
                        let name = HashedName::new(&name.to_ascii_lowercase(), salt(), hmac);
                        out.content.extend_from_slice(format!("{name} ").as_bytes());
                        out.content.extend_from_slice(fields.key);
                        out.content.push(b'\n');
                        out.hashed += 1;
                    }
                    continue;
                }
                out.wildcards.push(line);
            }
            Ok(_) => {}
            Err(_) => out.invalid.push(line),
        }
        out.content.extend_from_slice(bytes);
        out.content.push(b'\n');
    }
    out
}
