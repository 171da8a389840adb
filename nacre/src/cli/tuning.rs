//! What scp and sftp take alike: the flags of the ssh underneath, rates, and how SFTP is spoken.

use super::arg::{flag, value};
use super::{Early, printable};
use clap::Arg;

/// Where the far side is, and who asks.
pub(super) fn place() -> [Arg; 9] {
    [
        value('P', "port", "PORT", "Port to connect to"),
        value('i', "identity", "FILE", "Private key to log in with (may be repeated)"),
        value('J', "jump", "HOST", "Go through this host"),
        value('F', "config", "FILE", "Read this configuration file of ssh"),
        value('o', "option", "WORD=VALUE", "Any word of ssh's configuration file"),
        value('c', "cipher", "LIST", "Ciphers to offer, best first"),
        flag('4', "ipv4", "Use IPv4 only"),
        flag('6', "ipv6", "Use IPv6 only"),
        flag('A', "forward-agent", "Let the far side use the agent"),
    ]
}

/// What carries the bytes; `server` is what `-D` takes.
pub(super) fn carrier(server: &'static str) -> [Arg; 3] {
    [
        flag('C', "compress", "Compress what is sent"),
        value('S', "program", "PROGRAM", "Run this in place of ssh"),
        value('D', "direct", server, "Talk to this local SFTP server, without any ssh"),
    ]
}

/// A line that cannot be understood ends with 1; asking for help is no error.
pub(super) fn own_code(early: Early) -> Early {
    match early {
        Early::Usage(failure) => Early::Usage(failure.code(1)),
        help @ Early::Help(_) => help,
    }
}

/// How SFTP is spoken; 0 leaves the choice to the transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tuning {
    /// Requests under way at once.
    pub requests: usize,
    /// Bytes of a request.
    pub buffer: u32,
}

impl Tuning {
    /// `-X WORD=N`.
    pub(super) fn option(&mut self, text: &str) -> Result<(), String> {
        match text.split_once('=') {
            Some(("nrequests", number)) => self.requests(number),
            Some(("buffer", size)) => self.buffer(size),
            _ => Err(format!("-X knows nrequests=N and buffer=N, not '{}'", printable(text))),
        }
    }

    /// How many requests may be under way: at least one.
    pub(super) fn requests(&mut self, number: &str) -> Result<(), String> {
        let known = number.parse().ok().filter(|number| *number > 0);
        self.requests = known.ok_or_else(|| bad("number of requests", number))?;
        Ok(())
    }

    /// How many bytes a request has: at most 256 KiB.
    pub(super) fn buffer(&mut self, size: &str) -> Result<(), String> {
        const MOST: u32 = 256 * 1024;
        let known = bytes(size).and_then(|size| u32::try_from(size).ok());
        self.buffer = known.filter(|size| (1..=MOST).contains(size)).ok_or_else(|| bad("buffer size", size))?;
        Ok(())
    }
}

pub(super) fn bad(what: &str, text: &str) -> String {
    format!("bad {what} '{}'", printable(text))
}

/// Kbit a second as bytes a second; OpenSSH's Kbit are 1,024 bits, and more than 100 Gbit it does not take either.
pub(super) fn limit(text: &str) -> Result<u64, String> {
    const MOST: u64 = 100 * 1024 * 1024;
    let number = text.parse::<u64>().ok().filter(|number| (1..=MOST).contains(number));
    number.map(|kbit| kbit * 1024 / 8).ok_or_else(|| bad("bandwidth", text))
}

/// A number of bytes, perhaps with k or m behind it.
fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = match text.strip_suffix(['k', 'K']) {
        Some(number) => (number, 1 << 10),
        None => text.strip_suffix(['m', 'M']).map_or((text, 1), |number| (number, 1 << 20)),
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}
