//! The toy cipher and the toy hash. Neither is worth anything: that is what they show.

/// Bytes of a block.
pub(crate) const BLOCK: usize = 4;
/// The substitution is `b -> MULTIPLIER * b + SUMMAND`, and back with the multiplier's inverse modulo 256.
const MULTIPLIER: u8 = 167;
const INVERSE: u8 = 23;
const SUMMAND: u8 = 13;
/// Places that a block is rotated to the left.
const ROTATION: u32 = 5;

/// The ciphertext of a text, with n bytes of value n behind it to fill the last block.
pub(crate) fn encrypt(key: u16, text: &[u8]) -> Vec<u8> {
    let fill = BLOCK - text.len() % BLOCK;
    let filled = text.iter().copied().chain(std::iter::repeat_n(u8::try_from(fill).unwrap_or_default(), fill));
    let filled: Vec<u8> = filled.collect();
    filled.as_chunks::<BLOCK>().0.iter().flat_map(|block| seal(key, *block)).collect()
}

/// The text, or nothing where length or padding are wrong.
pub(crate) fn decrypt(key: u16, ciphertext: &[u8]) -> Option<Vec<u8>> {
    let (blocks, []) = ciphertext.as_chunks::<BLOCK>() else { return None };
    let mut text: Vec<u8> = blocks.iter().flat_map(|block| open(key, *block)).collect();
    let fill = *text.last()?;
    let length = text.len().checked_sub(usize::from(fill)).filter(|_| (1..=4).contains(&fill))?;
    let is_filled = text.get(length..)?.iter().all(|byte| *byte == fill);
    text.truncate(length);
    is_filled.then_some(text)
}

/// The key twice over, high byte first.
fn wide(key: u16) -> u32 {
    u32::from(key) << 16 | u32::from(key)
}

fn seal(key: u16, block: [u8; BLOCK]) -> [u8; BLOCK] {
    let mixed = u32::from_be_bytes(block) ^ wide(key);
    let substituted = mixed.to_be_bytes().map(|byte| byte.wrapping_mul(MULTIPLIER).wrapping_add(SUMMAND));
    (u32::from_be_bytes(substituted).rotate_left(ROTATION) ^ wide(key)).to_be_bytes()
}

fn open(key: u16, block: [u8; BLOCK]) -> [u8; BLOCK] {
    let rotated = (u32::from_be_bytes(block) ^ wide(key)).rotate_right(ROTATION);
    let mixed = rotated.to_be_bytes().map(|byte| byte.wrapping_sub(SUMMAND).wrapping_mul(INVERSE));
    (u32::from_be_bytes(mixed) ^ wide(key)).to_be_bytes()
}

/// CRC-16/CCITT-FALSE: polynomial 0x1021, begun with all ones.
pub(crate) fn hash(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte) << 8, |sum, _| {
            let shifted = sum << 1;
            if sum & 0x8000 == 0 { shifted } else { shifted ^ 0x1021 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;

    #[test]
    fn lab_the_hash_has_its_check_value() {
        assert_eq!(hash(b"123456789"), 0x29b1);
        assert_eq!(hash(b""), 0xffff);
    }

    /// Worked out by the Python peer.
    #[test]
    fn lab_the_cipher_has_its_known_answers() {
        for (key, text, ciphertext) in [
            (0x0000u16, b"abc".as_slice(), "9f74568a"),
            (0x1234u16, b"hello".as_slice(), "6eb3fc800ff08fe7"),
            (0xffffu16, b"attack at dawn".as_slice(), "08a8bc1ccccf3c05af3abc084b7cfce7"),
            (0x8001u16, b"".as_slice(), "aa04aa04"),
        ] {
            assert_eq!(HEXLOWER.encode(&encrypt(key, text)), ciphertext);
            assert_eq!(decrypt(key, &encrypt(key, text)).as_deref(), Some(text));
        }
    }

    #[test]
    fn lab_every_block_comes_back_and_bad_padding_does_not() {
        for key in [0, 1, 0x1234, 0xffff] {
            for length in 0..9 {
                let text = vec![b'x'; length];
                assert_eq!(encrypt(key, &text).len(), (length / 4 + 1) * 4);
                assert_eq!(decrypt(key, &encrypt(key, &text)), Some(text));
            }
            for filled in [[1, 2, 3, 0], [1, 2, 3, 5], [1, 1, 1, 2], [4, 4, 3, 4]] {
                assert_eq!(decrypt(key, &seal(key, filled)), None);
            }
        }
        for length in [0, 1, 3, 5] {
            assert_eq!(decrypt(7, &vec![0; length]), None);
        }
    }

    /// Equal blocks have equal ciphertexts.
    #[test]
    fn lab_a13_equal_blocks_show_through() {
        let sealed = encrypt(0x1234, b"YES!NO!!YES!");
        assert!(sealed.get(..4) == sealed.get(8..12) && sealed.get(..4) != sealed.get(4..8));
    }
}
