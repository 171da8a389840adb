//! Writing a list. Serial numbers go into whichever form is the shortest.

use super::{FORMAT_VERSION, MAGIC, RevocationList, RevokedCertificates, section};
use nacre_wire::WriteExt;

/// The longest bitmap that is written, in bits; below what OpenSSH reads.
const MAX_BITS: u64 = 8 * 2000;
/// Numbers further apart than this cost more as bits than as numbers.
const FAR: u64 = 64;
/// Bytes of a range with its head, of a number in a list, and of a bitmap's head.
const RANGE_COST: u64 = 21;
const NUMBER_COST: u64 = 8;
const BITMAP_COST: u64 = 18;

impl RevocationList {
    /// The list as a file has it, generated at that second since 1970.
    pub fn write(&self, generated: u64) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.put_u32(FORMAT_VERSION);
        out.put_u64(self.version);
        out.put_u64(generated);
        out.put_u64(0);
        out.put_string("");
        out.put_string(&self.comment);
        for certificates in &self.certificates {
            put(&mut out, section::CERTIFICATES, &certificates.write());
        }
        put_strings(&mut out, section::EXPLICIT_KEY, self.keys());
        put_strings(&mut out, section::SHA1, self.sha1s().map(<[u8; 20]>::as_slice));
        put_strings(&mut out, section::SHA256, self.sha256s().map(<[u8; 32]>::as_slice));
        out
    }
}

impl RevokedCertificates {
    fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_string(self.ca().unwrap_or_default());
        out.put_string("");
        if !self.serials.is_empty() {
            put_serials(&mut out, self.serials());
        }
        put_strings(&mut out, section::KEY_ID, self.key_ids());
        out
    }
}

fn put(out: &mut Vec<u8>, kind: u8, data: &[u8]) {
    out.put_u8(kind);
    out.put_string(data);
}

/// One section with all items, or none when there are none.
fn put_strings<'a>(out: &mut Vec<u8>, kind: u8, items: impl Iterator<Item = &'a [u8]>) {
    let mut data = Vec::new();
    for item in items {
        data.put_string(item);
    }
    if !data.is_empty() {
        put(out, kind, &data);
    }
}

/// Ranges near each other make a cluster, which is written in one form; lists of neighbours become one.
fn put_serials(out: &mut Vec<u8>, ranges: impl Iterator<Item = (u64, u64)>) {
    let mut cluster = Cluster::default();
    let mut list = Vec::new();
    for (first, last) in ranges {
        if !cluster.takes(first, last) {
            cluster.put(out, &mut list);
            cluster.0.clear();
        }
        cluster.0.push((first, last));
    }
    cluster.put(out, &mut list);
    if !list.is_empty() {
        put(out, section::SERIAL_LIST, &list);
    }
}

#[derive(Default)]
struct Cluster(Vec<(u64, u64)>);

impl Cluster {
    fn span(&self) -> Option<(u64, u64)> {
        Some((self.0.first()?.0, self.0.last()?.1))
    }

    fn takes(&self, first: u64, last: u64) -> bool {
        self.span().is_none_or(|(start, end)| first - end <= FAR && last - start < MAX_BITS)
    }

    fn put(&self, out: &mut Vec<u8>, list: &mut Vec<u8>) {
        let Some((start, end)) = self.span() else { return };
        let numbers =
            self.0.iter().fold(0u64, |sum, (first, last)| sum.saturating_add((last - first).saturating_add(1)));
        let as_list = numbers.saturating_mul(NUMBER_COST);
        let as_ranges = self.0.iter().fold(0u64, |sum, _| sum.saturating_add(RANGE_COST));
        let bits = end - start;
        let as_bitmap = if bits < MAX_BITS { BITMAP_COST + bits / 8 + 1 } else { u64::MAX };
        if as_list <= as_ranges && as_list <= as_bitmap {
            self.0.iter().flat_map(|(first, last)| *first..=*last).for_each(|number| list.put_u64(number));
        } else if as_ranges <= as_bitmap {
            for (first, last) in &self.0 {
                let mut data = Vec::new();
                data.put_u64(*first);
                data.put_u64(*last);
                put(out, section::SERIAL_RANGE, &data);
            }
        } else {
            let mut data = Vec::new();
            data.put_u64(start);
            data.put_mpint(&self.bitmap(start, bits));
            put(out, section::SERIAL_BITMAP, &data);
        }
    }

    /// The highest number's bit comes first and is set, so there is no leading zero byte.
    fn bitmap(&self, start: u64, bits: u64) -> Vec<u8> {
        let mut bytes = vec![0u8; usize::try_from(bits / 8 + 1).unwrap_or_default()];
        for number in self.0.iter().flat_map(|(first, last)| *first..=*last) {
            let bit = number - start;
            let index = usize::try_from(bit / 8).unwrap_or_default();
            if let Some(byte) = bytes.iter_mut().rev().nth(index) {
                *byte |= 1 << (bit % 8);
            }
        }
        bytes
    }
}
