//! The server's side of SOCKS 4, 4a (Ying-Da Lee, "SOCKS: A protocol for TCP proxy") and 5 (RFC 1928) up to the
//! connection that is asked for, without input or output of its own. No login is asked for and CONNECT alone is
//! served, as in OpenSSH.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The longest name of a user or a host, in bytes.
const MAX_NAME: usize = 255;
/// The most that is kept of a client that says more than its request, in bytes.
pub const MAX_BUFFER: usize = 8 * 1024;

/// A client's words so far.
#[derive(Debug, Default)]
pub struct Socks {
    buffer: Vec<u8>,
    /// SOCKS 5: the methods are agreed on.
    greeted: bool,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Wait for more.
    More,
    /// Send this and go on.
    Say(Vec<u8>),
    /// Connect; then answer with [`Request::granted`] or [`Request::refused`].
    Connect(Request),
    /// Send this, which may be nothing, and hang up.
    HangUp(Vec<u8>),
}

/// Which protocol the answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Four,
    Five,
}

/// A connection that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    version: Version,
}

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It may not be.
    NotAllowed,
    /// The host was not reached.
    NotReached,
    /// Anything else.
    Other,
}

impl Request {
    /// The answer once the connection stands.
    pub fn granted(&self) -> Vec<u8> {
        match self.version {
            Version::Four => vec![0, 90, 0, 0, 0, 0, 0, 0],
            Version::Five => reply(0),
        }
    }

    /// The answer when it does not.
    pub fn refused(&self, why: Refusal) -> Vec<u8> {
        match (self.version, why) {
            (Version::Four, _) => vec![0, 91, 0, 0, 0, 0, 0, 0],
            (Version::Five, Refusal::NotAllowed) => reply(2),
            (Version::Five, Refusal::NotReached) => reply(5),
            (Version::Five, Refusal::Other) => reply(1),
        }
    }
}

/// A reply of RFC 1928 §6 with an address that says nothing.
fn reply(code: u8) -> Vec<u8> {
    vec![5, code, 0, 1, 0, 0, 0, 0, 0, 0]
}

impl Socks {
    /// Takes what came. False when it is too much.
    #[must_use]
    pub fn feed(&mut self, bytes: &[u8]) -> bool {
        let fits = self.buffer.len() + bytes.len() <= MAX_BUFFER;
        if fits {
            self.buffer.extend_from_slice(bytes);
        }
        fits
    }

    /// What the client sent behind its request.
    pub fn into_rest(self) -> Vec<u8> {
        self.buffer
    }

    /// What to do about what came so far.
    pub fn step(&mut self) -> Step {
        let mut words = Words { rest: &self.buffer };
        let step = match words.byte() {
            None => Ok(Step::More),
            Some(4) => four(&mut words),
            Some(5) if self.greeted => five(&mut words),
            Some(5) => methods(&mut words),
            Some(_) => Ok(Step::HangUp(Vec::new())),
        };
        let left = words.rest.len();
        let step = step.unwrap_or(Step::More);
        if step != Step::More {
            self.greeted |= matches!(step, Step::Say(_));
            self.buffer.drain(..self.buffer.len() - left);
        }
        step
    }
}

/// More must come.
struct Short;

/// A reader of what came.
struct Words<'a> {
    rest: &'a [u8],
}

impl<'a> Words<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn next(&mut self) -> Result<u8, Short> {
        self.byte().ok_or(Short)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        let (first, rest) = self.rest.split_first_chunk().ok_or(Short)?;
        self.rest = rest;
        Ok(*first)
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], Short> {
        let (first, rest) = self.rest.split_at_checked(count).ok_or(Short)?;
        self.rest = rest;
        Ok(first)
    }

    /// Text up to a NUL; `None` when it is longer than any is.
    fn text(&mut self) -> Result<Option<&'a [u8]>, Short> {
        match self.rest.iter().take(MAX_NAME + 1).position(|byte| *byte == 0) {
            Some(end) => {
                let text = self.bytes(end)?;
                self.byte();
                Ok(Some(text))
            }
            None if self.rest.len() > MAX_NAME => Ok(None),
            None => Err(Short),
        }
    }
}

/// A host name: text that can go into a log and to a resolver.
fn name(bytes: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(bytes).ok()?;
    let sound = !name.is_empty() && !name.contains(|c: char| c.is_control() || c.is_whitespace());
    sound.then(|| name.to_owned())
}

fn four(words: &mut Words<'_>) -> Result<Step, Short> {
    let command = words.next()?;
    let port = u16::from_be_bytes(words.array()?);
    let address: [u8; 4] = words.array()?;
    let refused = Step::HangUp(vec![0, 91, 0, 0, 0, 0, 0, 0]);
    let Some(_user) = words.text()? else { return Ok(refused) };
    let host = match address {
        // 4a: the name follows.
        [0, 0, 0, last] if last != 0 => match words.text()?.and_then(name) {
            Some(name) => name,
            None => return Ok(refused),
        },
        address => Ipv4Addr::from(address).to_string(),
    };
    Ok(if command == 1 { Step::Connect(Request { host, port, version: Version::Four }) } else { refused })
}

/// RFC 1928 §3.
fn methods(words: &mut Words<'_>) -> Result<Step, Short> {
    let count = words.next()?;
    let methods = words.bytes(usize::from(count))?;
    Ok(if methods.contains(&0) { Step::Say(vec![5, 0]) } else { Step::HangUp(vec![5, 0xff]) })
}

/// RFC 1928 §4.
fn five(words: &mut Words<'_>) -> Result<Step, Short> {
    let [command, _reserved, kind] = words.array()?;
    let host = match kind {
        1 => Some(Ipv4Addr::from(words.array::<4>()?).to_string()),
        3 => {
            let length = words.next()?;
            name(words.bytes(usize::from(length))?)
        }
        4 => Some(Ipv6Addr::from(words.array::<16>()?).to_string()),
        _ => return Ok(Step::HangUp(reply(8))),
    };
    let port = u16::from_be_bytes(words.array()?);
    Ok(match (command, host) {
        (1, Some(host)) => Step::Connect(Request { host, port, version: Version::Five }),
        (1, None) => Step::HangUp(reply(1)),
        _ => Step::HangUp(reply(7)),
    })
}

#[cfg(test)]
#[path = "socks_tests.rs"]
mod tests;
