//! A recording changed in one place, as `vectors/flows/mutations.txt` names it.

use super::Outcome;
use super::text::{Entry, Flow};

/// Which packet of the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Counted from the identification line, which is 0.
    Start(usize),
    /// Counted back from the last, which is 1.
    End(usize),
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The lowest bit of a byte, counted from the front or (negative) from the back.
    Flip(isize),
    /// It never comes.
    Drop,
    /// It comes twice.
    Duplicate,
    /// The next one comes before it.
    Swap,
    /// Its last bytes never come.
    Truncate(usize),
    /// The stream ends after so many of its bytes.
    Cut(usize),
    /// Its length field grows by so much.
    Grow(u32),
    /// Its length field says this.
    Length(u32),
    /// Its first byte after the length, the padding length of a clear packet, says this.
    Padding(u8),
    /// The message number of a clear packet says this.
    Number(u8),
    /// A clear IGNORE comes first.
    InsertIgnore,
    /// A clear DISCONNECT comes first.
    InsertDisconnect,
    /// A clear message of this number comes first.
    InsertNumber(u8),
    /// The packet of another place comes first once more.
    InsertCopy(Place),
    /// Bytes come first.
    InsertBytes(Vec<u8>),
    /// Text inside becomes other text.
    Replace(String, String),
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutation {
    /// The flows it is for: a name, or a part of names between `*`.
    pub flows: String,
    /// Where.
    pub place: Place,
    /// What.
    pub change: Change,
    /// How it must end.
    pub outcome: Outcome,
}

impl Place {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "ident" => Self::Start(0),
            "kexinit" => Self::Start(1),
            "kex" => Self::Start(2),
            "newkeys" => Self::Start(3),
            _ => match (word.strip_prefix("sealed+"), word.strip_prefix("sealed-")) {
                (Some(n), _) => Self::Start(3 + n.parse::<usize>().ok()?),
                (_, Some(n)) => Self::End(n.parse().ok()?),
                _ => return None,
            },
        })
    }

    fn index(self, count: usize) -> Option<usize> {
        match self {
            Self::Start(n) => Some(n).filter(|n| *n < count),
            Self::End(n) => count.checked_sub(n),
        }
    }
}

impl Change {
    fn parse(words: &[&str]) -> Option<Self> {
        Some(match words {
            ["flip", at] => Self::Flip(at.parse().ok()?),
            ["drop"] => Self::Drop,
            ["duplicate"] => Self::Duplicate,
            ["swap"] => Self::Swap,
            ["truncate", n] => Self::Truncate(n.parse().ok()?),
            ["cut", n] => Self::Cut(n.parse().ok()?),
            ["grow", n] => Self::Grow(n.parse().ok()?),
            ["length", n] => Self::Length(n.parse().ok()?),
            ["padding", n] => Self::Padding(n.parse().ok()?),
            ["number", n] => Self::Number(n.parse().ok()?),
            ["insert", "ignore"] => Self::InsertIgnore,
            ["insert", "disconnect"] => Self::InsertDisconnect,
            ["insert", "number", n] => Self::InsertNumber(n.parse().ok()?),
            ["insert", "zeros", n] => Self::InsertBytes(vec![0; n.parse().ok()?]),
            ["insert", "line", text] => Self::InsertBytes(format!("{text}\r\n").into_bytes()),
            ["insert", place] => Self::InsertCopy(Place::parse(place)?),
            ["replace", from, to] => Self::Replace((*from).into(), (*to).into()),
            _ => return None,
        })
    }
}

impl Mutation {
    /// Reads a row: `FLOWS PLACE CHANGE... -> OUTCOME`.
    pub fn parse(line: &str) -> Option<Self> {
        let (what, outcome) = line.split_once(" -> ")?;
        let words: Vec<&str> = what.split_whitespace().collect();
        let [flows, place, change @ ..] = words.as_slice() else { return None };
        Some(Self {
            flows: (*flows).to_owned(),
            place: Place::parse(place)?,
            change: Change::parse(change)?,
            outcome: Outcome::from_word(outcome.trim())?,
        })
    }

    /// Whether it is for this flow: all parts between `*` stand in its name, in order.
    pub fn is_for(&self, name: &str) -> bool {
        let mut rest = name;
        let anchored = !self.flows.starts_with('*');
        self.flows.split('*').enumerate().all(|(at, part)| match rest.find(part) {
            Some(found) if at > 0 || !anchored || found == 0 => {
                rest = &rest[found + part.len()..];
                true
            }
            _ => false,
        }) && (self.flows.ends_with('*') || rest.is_empty())
    }

    /// What the peer says now, packet by packet, up to where it ends; `None` when the flow has no
    /// such place.
    pub fn apply(&self, flow: &Flow) -> Option<Vec<Vec<u8>>> {
        let mut packets: Vec<Vec<u8>> = flow
            .entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::In(bytes) => Some(bytes.clone()),
                Entry::Out(_) => None,
            })
            .collect();
        let at = self.place.index(packets.len())?;
        let packet = packets.get_mut(at)?;
        match &self.change {
            Change::Flip(byte) => {
                let byte =
                    if *byte < 0 { packet.len().checked_add_signed(*byte)? } else { usize::try_from(*byte).ok()? };
                *packet.get_mut(byte)? ^= 1;
            }
            Change::Drop => drop(packets.remove(at)),
            Change::Duplicate => packets.insert(at, packets[at].clone()),
            Change::Swap => {
                if at + 1 >= packets.len() {
                    return None;
                }
                packets.swap(at, at + 1);
            }
            Change::Truncate(n) => packet.truncate(packet.len().checked_sub(*n)?),
            Change::Cut(n) => {
                packet.truncate(*n);
                packets.truncate(at + 1);
            }
            Change::Grow(n) => {
                let length = u32::from_be_bytes(packet[..4].try_into().ok()?).wrapping_add(*n);
                packet[..4].copy_from_slice(&length.to_be_bytes());
            }
            Change::Length(n) => packet[..4].copy_from_slice(&n.to_be_bytes()),
            Change::Padding(n) => packet[4] = *n,
            Change::Number(n) => packet[5] = *n,
            Change::InsertIgnore => packets.insert(at, clear(&crate::sample::ignore())),
            Change::InsertDisconnect => packets.insert(at, clear(&crate::sample::disconnect(b"forged"))),
            Change::InsertNumber(n) => packets.insert(at, clear(&crate::sample::of(*n))),
            Change::InsertCopy(place) => {
                let copy = packets[place.index(packets.len())?].clone();
                packets.insert(at, copy);
            }
            Change::InsertBytes(bytes) => packets.insert(at, bytes.clone()),
            Change::Replace(from, to) => *packet = replaced(packet, from.as_bytes(), to.as_bytes())?,
        }
        Some(packets)
    }
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Option<Vec<u8>> {
    let at = bytes.windows(from.len()).position(|window| window == from)?;
    Some([&bytes[..at], to, &bytes[at + from.len()..]].concat())
}

/// A packet in clear, RFC 4253 §6.
fn clear(payload: &[u8]) -> Vec<u8> {
    let mut padding = 8 - (5 + payload.len()) % 8;
    if padding < 4 {
        padding += 8;
    }
    let length = u32::try_from(1 + payload.len() + padding).expect("a short packet");
    let head = [&length.to_be_bytes()[..], &[u8::try_from(padding).expect("at most 11")]].concat();
    [head, payload.to_vec(), vec![0; padding]].concat()
}
