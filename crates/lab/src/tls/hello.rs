//! The two messages of TLS 1.3 that anybody can read: what the client offers and what the server takes
//! (RFC 8446 §4.1.2, §4.1.3).

use super::cursor::Cursor;
use crate::Fault;

/// Bytes of either side's random value.
pub const RANDOM: usize = 32;
/// The random value of a server that wants another hello: SHA-256 of `HelloRetryRequest`.
const RETRY: [u8; RANDOM] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
    0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// Extensions that decide something.
const SUPPORTED_VERSIONS: usize = 43;
const KEY_SHARE: usize = 51;

/// What the client offers.
#[derive(Debug)]
pub struct ClientHello<'a> {
    pub random: &'a [u8],
    pub suites: Vec<u16>,
    pub versions: Vec<u16>,
    /// The groups for which it sends a value already.
    pub shares: Vec<u16>,
}

/// What the server takes.
#[derive(Debug)]
pub struct ServerHello {
    /// It wants another hello.
    pub retry: bool,
    pub suite: u16,
    /// None before TLS 1.3.
    pub version: Option<u16>,
    pub share: Option<u16>,
}

impl<'a> ClientHello<'a> {
    /// From the message's body.
    pub fn read(body: &'a [u8]) -> Result<Self, Fault> {
        let mut body = Cursor(body);
        let random = start(&mut body)?;
        let suites = Cursor::numbers(body.vector::<2>()?);
        let _compression = body.vector::<1>()?;
        let (mut versions, mut shares) = (Vec::new(), Vec::new());
        for (kind, value) in extensions(&mut body)? {
            let mut value = Cursor(value);
            match kind {
                SUPPORTED_VERSIONS => versions = Cursor::numbers(value.vector::<1>()?),
                KEY_SHARE => shares = groups(value.vector::<2>()?)?,
                _ => {}
            }
        }
        Ok(Self { random, suites, versions, shares })
    }
}

impl ServerHello {
    /// From the message's body.
    pub fn read(body: &[u8]) -> Result<Self, Fault> {
        let mut body = Cursor(body);
        let retry = start(&mut body)? == RETRY;
        let suite = body.two()?;
        let _compression = body.take(1)?;
        let (mut version, mut share) = (None, None);
        for (kind, value) in extensions(&mut body)? {
            match kind {
                SUPPORTED_VERSIONS => version = Some(Cursor(value).two()?),
                KEY_SHARE => share = Some(Cursor(value).two()?),
                _ => {}
            }
        }
        Ok(Self { retry, suite, version, share })
    }
}

/// What both begin with: the version of old, the random value, and a session's identifier that means nothing any more.
fn start<'a>(body: &mut Cursor<'a>) -> Result<&'a [u8], Fault> {
    body.take(2)?;
    let random = body.take(RANDOM)?;
    body.vector::<1>()?;
    Ok(random)
}

fn extensions<'a>(body: &mut Cursor<'a>) -> Result<Vec<(usize, &'a [u8])>, Fault> {
    let mut all = Cursor(body.vector::<2>()?);
    let mut extensions = Vec::new();
    while !all.is_empty() {
        extensions.push((all.number::<2>()?, all.vector::<2>()?));
    }
    Ok(extensions)
}

/// The groups of a client's values.
fn groups(vector: &[u8]) -> Result<Vec<u16>, Fault> {
    let mut shares = Cursor(vector);
    let mut groups = Vec::new();
    while !shares.is_empty() {
        groups.push(shares.two()?);
        shares.vector::<2>()?;
    }
    Ok(groups)
}
