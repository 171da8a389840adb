//! Fingerprints of public keys, in the three forms that `ssh-keygen -l` prints.

use super::PublicKey;
use crate::digest::{sha1, sha256};
use base64ct::{Base64Unpadded, Encoding};
use md5::{Digest, Md5};
use std::fmt::Write;

/// Columns and rows of the random art's field.
const WIDTH: usize = 17;
const HEIGHT: usize = 9;

/// What a square shows after that many visits; the last two mark start and end.
const SYMBOLS: &[u8; 17] = b" .o+=*BOX@%&#/^SE";
const MOST_VISITS: usize = SYMBOLS.len() - 3;
const START: usize = SYMBOLS.len() - 2;
const END: usize = SYMBOLS.len() - 1;

impl PublicKey {
    /// `SHA256:` and the Base64 of the blob's SHA-256, without padding.
    pub fn fingerprint_sha256(&self) -> String {
        fingerprint_sha256(&self.blob)
    }

    /// `MD5:` and the blob's MD5 in hexadecimal pairs, as old tools show it. For comparing with
    /// their output only: MD5 no longer tells keys apart from forgeries.
    pub fn fingerprint_md5(&self) -> String {
        let digest = Md5::digest(&self.blob);
        let mut out = String::from("MD5");
        for byte in digest {
            // Writing into a String cannot fail.
            let _ = write!(out, ":{byte:02x}");
        }
        out
    }

    /// The blob's SHA-1 in words that can be read aloud, as `ssh-keygen -B` shows it (Bubble Babble). For comparing only.
    pub fn bubble_babble(&self) -> String {
        bubble_babble(&sha1(&self.blob))
    }

    /// The random art of the SHA-256 fingerprint: 11 lines without a final line end.
    pub fn randomart(&self) -> String {
        let title = format!("[{} {}]", self.type_label(), self.bits());
        let field = walk(&sha256(&self.blob));
        let mut out = border(&title);
        for row in &field {
            out.push_str("\n|");
            out.extend(row.iter().map(|visits| char::from(SYMBOLS.get(*visits).copied().unwrap_or(b'?'))));
            out.push('|');
        }
        out.push('\n');
        out.push_str(&border("[SHA256]"));
        out
    }
}

/// `SHA256:` and the Base64 of any blob's SHA-256, certificates and unknown keys included.
pub fn fingerprint_sha256(blob: &[u8]) -> String {
    format!("SHA256:{}", Base64Unpadded::encode_string(&sha256(blob)))
}

/// Five letters for two bytes, which a checksum runs through.
fn bubble_babble(digest: &[u8]) -> String {
    const VOWELS: [char; 6] = ['a', 'e', 'i', 'o', 'u', 'y'];
    const CONSONANTS: [char; 17] =
        ['b', 'c', 'd', 'f', 'g', 'h', 'k', 'l', 'm', 'n', 'p', 'r', 's', 't', 'v', 'z', 'x'];
    let vowel = |number: u32| VOWELS.get(number as usize % VOWELS.len()).copied().unwrap_or('?');
    let consonant = |number: u32| CONSONANTS.get(number as usize).copied().unwrap_or('?');
    let mut sum = 1u32;
    let mut out = String::from("x");
    let mut rest = digest;
    loop {
        match rest {
            [first, tail @ ..] => {
                let byte = u32::from(*first);
                out.push(vowel((byte >> 6 & 3) + sum));
                out.push(consonant(byte >> 2 & 15));
                out.push(vowel((byte & 3) + sum / 6));
                let [second, tail @ ..] = tail else { break };
                let next = u32::from(*second);
                out.push(consonant(next >> 4 & 15));
                out.push('-');
                out.push(consonant(next & 15));
                sum = (sum * 5 + byte * 7 + next) % 36;
                rest = tail;
            }
            [] => {
                out.extend([vowel(sum % 6), 'x', vowel(sum / 6)]);
                break;
            }
        }
    }
    out.push('x');
    out
}

/// Moves a piece over the field, two bits a step, lowest bits first: bit 0 is right or left, bit 1
/// down or up; walls stop it.
fn walk(digest: &[u8]) -> [[usize; WIDTH]; HEIGHT] {
    let mut field = [[0; WIDTH]; HEIGHT];
    let (mut x, mut y) = (WIDTH / 2, HEIGHT / 2);
    let steps = digest.iter().flat_map(|byte| [0, 2, 4, 6].map(|shift| byte >> shift));
    for step in steps {
        x = if step & 1 != 0 { (x + 1).min(WIDTH - 1) } else { x.saturating_sub(1) };
        y = if step & 2 != 0 { (y + 1).min(HEIGHT - 1) } else { y.saturating_sub(1) };
        if let Some(square) = field.get_mut(y).and_then(|row| row.get_mut(x)) {
            *square = (*square + 1).min(MOST_VISITS);
        }
    }
    for (row, column, mark) in [(HEIGHT / 2, WIDTH / 2, START), (y, x, END)] {
        if let Some(square) = field.get_mut(row).and_then(|row| row.get_mut(column)) {
            *square = mark;
        }
    }
    field
}

fn border(title: &str) -> String {
    // The left side gets the smaller half, as `ssh-keygen` centres it.
    let left = WIDTH.saturating_sub(title.len()) / 2;
    let right = WIDTH.saturating_sub(title.len() + left);
    format!("+{}{title}{}+", "-".repeat(left), "-".repeat(right))
}

#[cfg(test)]
mod tests {
    use super::bubble_babble;

    /// The examples of the encoding's description.
    #[test]
    fn words_of_bubble_babble() {
        assert_eq!(bubble_babble(b""), "xexax");
        assert_eq!(bubble_babble(b"1234567890"), "xesef-disof-gytuf-katof-movif-baxux");
        assert_eq!(bubble_babble(b"Pineapple"), "xigak-nyryk-humil-bosek-sonax");
    }
}
