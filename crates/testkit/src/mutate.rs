//! Random changes of bytes that decoders read, from a seed.

/// SplitMix64.
pub struct Rng(u64);

impl Rng {
    /// The same seed gives the same numbers.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 16) as usize % bound
    }

    /// Any byte.
    pub fn byte(&mut self) -> u8 {
        (self.next() >> 32) as u8
    }
}

/// Numbers that decoders get wrong.
const NUMBERS: [u32; 12] =
    [0, 1, 2, 4, 0x7f, 0xff, 0x1_0000, 0x4_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff];

/// One change: a bit, a byte, a cut, some more bytes, or a number of four bytes.
pub fn mutate_message(message: &mut Vec<u8>, rng: &mut Rng) {
    if message.is_empty() {
        message.push(rng.byte());
        return;
    }
    let at = rng.below(message.len());
    match rng.below(8) {
        0 => message[at] ^= 1 << rng.below(8),
        1 => message[at] = rng.byte(),
        2 => message.truncate(at),
        3 => message.extend(vec![rng.byte(); rng.below(40)]),
        4 => message.insert(at, rng.byte()),
        5 => {
            message.remove(at);
        }
        _ if message.len() >= 5 => {
            let at = 1 + rng.below(message.len() - 4);
            let old = u32::from_be_bytes(message[at..at + 4].try_into().expect("four bytes"));
            let new = match rng.below(3) {
                0 => old.wrapping_add(1),
                1 => old.wrapping_sub(1),
                _ => NUMBERS[rng.below(NUMBERS.len())],
            };
            message[at..at + 4].copy_from_slice(&new.to_be_bytes());
        }
        _ => message[0] = rng.byte(),
    }
}
