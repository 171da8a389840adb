//! What the host keys of a server are worth.

use super::facts::HostKeySeen;
use super::judge::Finding;
use super::mend;
use super::tables::Verdict;
use nacre_crypto::{Certificate, PublicKey, fingerprint_sha256};
use nacre_wire::Reader;
use nacre_wire::text::clean_line;

const TOPIC: &str = "host key";

/// A line for each key, and one for each certificate.
pub fn judge(keys: &[HostKeySeen], host: &str, now: u64) -> Vec<Finding> {
    let mut seen: Vec<&[u8]> = Vec::new();
    let mut found = Vec::new();
    // A key that proved itself says more than the same before that.
    for key in keys.iter().filter(|key| key.proved).chain(keys.iter().filter(|key| !key.proved)) {
        if !seen.contains(&key.blob.as_slice()) {
            seen.push(&key.blob);
            found.push(if key.algorithm.is_certificate() { certificate(key, host, now) } else { plain(key) });
        }
    }
    found
}

fn plain(key: &HostKeySeen) -> Finding {
    let fingerprint = fingerprint_sha256(&key.blob);
    let (label, bits) = match (PublicKey::from_blob(&key.blob, ""), rsa_bits(&key.blob)) {
        (_, Some(bits)) => ("RSA".to_owned(), bits),
        (Ok(key), None) => (key.type_label().to_owned(), key.bits()),
        (Err(_), None) => (key.algorithm.key_type().to_owned(), 0),
    };
    let text = format!("{label}, {bits} bits, {fingerprint}");
    match (label.as_str(), bits) {
        ("RSA", ..2048) => {
            Finding::new(Verdict::Bad, TOPIC, format!("{text}: can be broken")).mended_by(mend::new_host_key())
        }
        ("RSA", ..3072) => Finding::new(Verdict::Warn, TOPIC, format!("{text}: 3072 bits are advised today"))
            .mended_by(mend::new_host_key()),
        _ if !key.proved => Finding::new(Verdict::Bad, TOPIC, format!("{text}: its signature is not right")),
        _ => Finding::good(TOPIC, text),
    }
}

fn certificate(key: &HostKeySeen, host: &str, now: u64) -> Finding {
    const TOPIC: &str = "certificate";
    let certificate = match Certificate::from_blob(&key.blob) {
        Ok(certificate) => certificate,
        Err(error) => {
            let text = format!("{}: cannot be read: {error}", key.algorithm);
            return Finding::new(Verdict::Bad, TOPIC, text).mended_by(mend::certificate());
        }
    };
    let names: Vec<String> = certificate.principals().iter().map(|name| clean_line(name.as_bytes(), 255)).collect();
    let text = format!(
        "{}, for {}, by CA {}",
        certificate.type_label(),
        names.join(","),
        certificate.ca().fingerprint_sha256()
    );
    match certificate.check_host(host, now) {
        Ok(()) => Finding::good(TOPIC, text),
        Err(why) => Finding::new(Verdict::Bad, TOPIC, format!("{text}: {why}")).mended_by(mend::certificate()),
    }
}

/// The size of an RSA key, also of one that nothing here would take.
fn rsa_bits(blob: &[u8]) -> Option<usize> {
    let mut reader = Reader::new(blob);
    if reader.string("key type").ok()? != b"ssh-rsa" {
        return None;
    }
    reader.mpint("exponent").ok()?;
    let modulus = reader.mpint("modulus").ok()?;
    let first = modulus.first()?;
    Some(modulus.len() * 8 - first.leading_zeros() as usize)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use nacre_proto::algorithm::SignatureAlgorithm;
    use nacre_wire::WriteExt;

    #[test]
    fn rsa_keys_are_judged_by_their_size() {
        let key = |bits: usize| {
            let mut modulus = vec![0xff; bits.div_ceil(8)];
            modulus[0] >>= modulus.len() * 8 - bits;
            let mut blob = Vec::new();
            blob.put_string("ssh-rsa");
            blob.put_mpint(&[1, 0, 1]);
            blob.put_mpint(&modulus);
            HostKeySeen { algorithm: SignatureAlgorithm::RsaSha512, blob, proved: true }
        };
        for (bits, verdict) in [
            (1024, Verdict::Bad),
            (2047, Verdict::Bad),
            (2048, Verdict::Warn),
            (3071, Verdict::Warn),
            (3072, Verdict::Good),
            (4096, Verdict::Good),
        ] {
            let found = judge(&[key(bits), key(bits)], "web", 0);
            assert_eq!(found.len(), 1);
            assert_eq!(found.first().unwrap().verdict, verdict, "{bits}");
            assert!(found.first().unwrap().text.starts_with(&format!("RSA, {bits} bits, SHA256:")), "{found:?}");
        }
        assert_eq!(rsa_bits(b"\0\0\0\x07ssh-rsa"), None);
        assert_eq!(rsa_bits(b""), None);
    }
}
