//! Writing RFC 4251 §5 data types.

/// The data types, appended to a byte vector.
pub trait WriteExt {
    /// `byte`.
    fn put_u8(&mut self, value: u8);
    /// `boolean`.
    fn put_bool(&mut self, value: bool);
    /// `uint32`.
    fn put_u32(&mut self, value: u32);
    /// `uint64`.
    fn put_u64(&mut self, value: u64);
    /// `string`. Longer than 4 GiB cannot be said and is cut; no message comes near.
    fn put_string(&mut self, bytes: impl AsRef<[u8]>);
    /// `mpint` of a big-endian magnitude, in its canonical form (leading zeros are dropped).
    fn put_mpint(&mut self, magnitude: &[u8]);
    /// `name-list`.
    fn put_name_list<'a>(&mut self, names: impl IntoIterator<Item = &'a str>);
}

impl WriteExt for Vec<u8> {
    fn put_u8(&mut self, value: u8) {
        self.push(value);
    }

    fn put_bool(&mut self, value: bool) {
        self.push(u8::from(value));
    }

    fn put_u32(&mut self, value: u32) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn put_u64(&mut self, value: u64) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn put_string(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.put_u32(len);
        self.extend_from_slice(bytes.get(..len as usize).unwrap_or(bytes));
    }

    fn put_mpint(&mut self, magnitude: &[u8]) {
        let start = magnitude.iter().position(|b| *b != 0).unwrap_or(magnitude.len());
        let digits = magnitude.get(start..).unwrap_or_default();
        let sign = usize::from(digits.first().is_some_and(|b| *b >= 0x80));
        self.put_u32(u32::try_from(digits.len() + sign).unwrap_or(u32::MAX));
        self.extend(std::iter::repeat_n(0, sign));
        self.extend_from_slice(digits);
    }

    fn put_name_list<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        let start = self.len();
        self.put_u32(0);
        for (i, name) in names.into_iter().enumerate() {
            if i > 0 {
                self.push(b',');
            }
            self.extend_from_slice(name.as_bytes());
        }
        let len = u32::try_from(self.len() - start - 4).unwrap_or(u32::MAX);
        if let Some(place) = self.get_mut(start..start + 4) {
            place.copy_from_slice(&len.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::reader::Reader;

    #[test]
    fn t12_mpints_survive_the_round_trip() {
        for len in 0..40usize {
            for first in [0u8, 1, 0x7f, 0x80, 0xff] {
                let mut magnitude = vec![0x5a; len];
                if let Some(b) = magnitude.first_mut() {
                    *b = first;
                }
                let mut out = Vec::new();
                out.put_mpint(&magnitude);
                let mut r = Reader::new(&out);
                let back = r.mpint("m").unwrap();
                r.finish().unwrap();
                let want: Vec<u8> = magnitude.iter().copied().skip_while(|b| *b == 0).collect();
                assert_eq!(back, want);
            }
        }
    }

    #[test]
    fn the_documents_examples() {
        // RFC 4251 §5.
        let mut out = Vec::new();
        out.put_mpint(&[0x09, 0xa3, 0x78, 0xf9, 0xb2, 0xe3, 0x32, 0xa7]);
        assert_eq!(out, [0, 0, 0, 8, 0x09, 0xa3, 0x78, 0xf9, 0xb2, 0xe3, 0x32, 0xa7]);
        out.clear();
        out.put_mpint(&[0x80]);
        assert_eq!(out, [0, 0, 0, 2, 0, 0x80]);
        out.clear();
        out.put_name_list(["zlib", "none"]);
        assert_eq!(out, [0, 0, 0, 9, b'z', b'l', b'i', b'b', b',', b'n', b'o', b'n', b'e']);
    }
}
