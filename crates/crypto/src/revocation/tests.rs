#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use super::*;
use crate::{CertificateKind, CertificateRequest, FOREVER, KeyKind, PrivateKey, PublicKey};
use nacre_wire::WriteExt;

fn pair() -> PrivateKey {
    PrivateKey::generate(KeyKind::Ed25519, None).unwrap()
}

fn certificate(key: &PublicKey, ca: &PrivateKey, serial: u64, key_id: &str) -> Certificate {
    let request = CertificateRequest {
        key,
        kind: CertificateKind::User,
        serial,
        key_id,
        principals: &[],
        valid_after: 0,
        valid_before: FOREVER,
        critical: &[],
        extensions: &[],
    };
    request.sign(ca, ca.algorithms()[0]).unwrap()
}

/// A list with a header as OpenSSH writes it and these sections.
fn list(sections: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut out = RevocationList::default().write(0);
    for (kind, data) in sections {
        out.put_u8(*kind);
        out.put_string(data);
    }
    out
}

/// The section of one CA.
fn of_ca(ca: &[u8], parts: &[(u8, Vec<u8>)]) -> (u8, Vec<u8>) {
    let mut data = Vec::new();
    data.put_string(ca);
    data.put_string("");
    for (kind, part) in parts {
        data.put_u8(*kind);
        data.put_string(part);
    }
    (section::CERTIFICATES, data)
}

fn numbers(all: &[u64]) -> Vec<u8> {
    all.iter().flat_map(|number| number.to_be_bytes()).collect()
}

#[test]
fn a07_what_is_revoked_and_what_is_not() {
    let (ca, other_ca, key) = (pair(), pair(), pair().public_key());
    let mine = certificate(&key, &ca, 7, "me");
    let mut list = RevocationList::default();
    assert_eq!(list.revokes_certificate(&mine), None);
    list.revoke_serials(Some(ca.public_blob()), 5, 9).unwrap();
    list.revoke_key_id(None, b"gone").unwrap();
    for (certificate, expected) in [
        (mine.clone(), Some(Revoked::Serial(7))),
        (certificate(&key, &ca, 10, "me"), None),
        (certificate(&key, &other_ca, 7, "me"), None),
        (certificate(&key, &other_ca, 7, "gone"), Some(Revoked::KeyId)),
        (certificate(&key, &other_ca, 7, "gone too"), None),
    ] {
        assert_eq!(list.revokes_certificate(&certificate), expected, "{}", certificate.describe());
    }
    assert!(!list.revokes_key(key.blob()));
    // A CA that is revoked takes everything with it, a key all its certificates.
    for (blob, expected) in [(ca.public_blob(), Revoked::Ca), (key.blob(), Revoked::Key)] {
        type Revoke = fn(&mut RevocationList, &[u8]);
        let ways: [Revoke; 3] = [
            |list, blob| list.revoke_key(blob),
            |list, blob| list.revoke_sha1(sha1(blob)),
            |list, blob| list.revoke_sha256(sha256(blob)),
        ];
        for revoke in ways {
            let mut list = RevocationList::default();
            revoke(&mut list, blob);
            assert!(list.revokes_key(blob) && !list.revokes_key(other_ca.public_blob()));
            assert_eq!(list.revokes_certificate(&mine), Some(expected));
        }
    }
    // A certificate without a number is revoked by its name; no number 0 ever is.
    let unnumbered = certificate(&key, &ca, 0, "none");
    let mut list = RevocationList::default();
    list.revoke_certificate(&unnumbered).unwrap();
    assert_eq!(list.revokes_certificate(&unnumbered), Some(Revoked::KeyId));
    assert_eq!(list.revokes_certificate(&certificate(&key, &ca, 0, "x")), None);
    list.revoke_key(mine.blob());
    assert_eq!(list.keys().collect::<Vec<_>>(), [key.blob()]);
}

#[test]
fn a07_every_list_reads_as_it_was_written() {
    let mut list = RevocationList { version: 9, comment: "what for".to_owned(), ..RevocationList::default() };
    let ca = pair();
    // Numbers in a row, with gaps, far apart, dense, at the end, and more than a bitmap holds.
    let dense = (0..40_000).filter(|n| n % 3 != 0).map(|n| 1_000_000 + n);
    let all = [1, 2, 3, 10, 12, 14, 1_000, u64::MAX - 1, u64::MAX].into_iter().chain(dense);
    for (number, ca) in all.zip([Some(ca.public_blob()), None].into_iter().cycle()) {
        list.revoke_serials(ca, number, number).unwrap();
    }
    list.revoke_serials(None, 2_000_000, 9_000_000_000).unwrap();
    for id in ["a", "", "line\nbreak"] {
        list.revoke_key_id(Some(ca.public_blob()), id.as_bytes()).unwrap();
    }
    list.revoke_key(ca.public_blob());
    list.revoke_sha1([1; 20]);
    list.revoke_sha256([2; 32]);
    let bytes = list.write(77);
    assert!(bytes.len() < 20_000, "{}", bytes.len());
    let read = RevocationList::read(&bytes).unwrap();
    assert_eq!(read, RevocationList { generated: 77, ..list });
    for cut in 0..bytes.len().min(2_000) {
        let whole_sections = RevocationList::read(&bytes[..cut]).is_ok_and(|part| part != read);
        assert!(RevocationList::read(&bytes[..cut]).is_err() || whole_sections, "{cut}");
    }
}

#[test]
fn a07_lists_that_are_refused() {
    let read = |sections: &[(u8, Vec<u8>)]| RevocationList::read(&list(sections));
    let extension = |critical| {
        let mut data = Vec::new();
        data.put_string("x@example.org");
        data.put_bool(critical);
        data.put_string("?");
        data
    };
    let string = |bytes: &[u8]| {
        let mut data = Vec::new();
        data.put_string(bytes);
        data
    };
    let bitmap = |offset: u64, bits: &[u8]| [&offset.to_be_bytes()[..], &string(bits)].concat();
    assert!(read(&[(section::EXTENSION, extension(false))]).is_ok());
    assert!(read(&[of_ca(b"", &[(section::CERTIFICATES_EXTENSION, extension(false))])]).is_ok());
    let seven = read(&[of_ca(b"", &[(section::SERIAL_BITMAP, bitmap(5, &[0x01, 0x04]))])]).unwrap();
    assert_eq!(seven.certificates()[0].serials().collect::<Vec<_>>(), [(7, 7), (13, 13)]);
    let signed = [list(&[(section::SIGNATURE, Vec::new())]), string(b"sig")].concat();
    assert!(RevocationList::read(&signed).is_ok());
    let behind = [&signed[..], &[section::EXPLICIT_KEY], &string(b"")].concat();
    assert_eq!(RevocationList::read(&behind), Err(RevocationError::AfterSignature));
    let critical = Err(RevocationError::CriticalExtension);
    assert_eq!(read(&[(section::EXTENSION, extension(true))]), critical);
    assert_eq!(read(&[of_ca(b"", &[(section::CERTIFICATES_EXTENSION, extension(true))])]), critical);
    assert_eq!(read(&[(6, Vec::new())]), Err(RevocationError::UnknownSection(6)));
    for parts in [
        (0x24, Vec::new()),
        (section::SERIAL_LIST, numbers(&[0])),
        (section::SERIAL_LIST, vec![1, 2, 3]),
        (section::SERIAL_RANGE, numbers(&[9, 8])),
        (section::SERIAL_RANGE, numbers(&[0, 8])),
        (section::SERIAL_RANGE, numbers(&[1, 8, 9])),
        (section::SERIAL_BITMAP, bitmap(u64::MAX, &[2])),
        (section::SERIAL_BITMAP, bitmap(0, &[1])),
        (section::SERIAL_BITMAP, bitmap(1, &[0xff; 1])),
        (section::SERIAL_BITMAP, bitmap(1, &[0x7f; 2049])),
        (section::KEY_ID, vec![0, 0, 0, 9]),
    ] {
        assert!(read(&[of_ca(b"", std::slice::from_ref(&parts))]).is_err(), "{parts:?}");
    }
    for (kind, item) in [(section::SHA1, 32), (section::SHA256, 20), (section::EXPLICIT_KEY, 3)] {
        assert!(read(&[(kind, string(&vec![0; item]))]).is_err(), "{kind}");
    }
    let mut other = list(&[]);
    other[11] = 2;
    assert_eq!(RevocationList::read(&other), Err(RevocationError::Version(2)));
    for nothing in [&b""[..], b"SSHKRL\n", b"ssh-ed25519 AAAA"] {
        assert_eq!(RevocationList::read(nothing), Err(RevocationError::NotAList));
    }
}

#[test]
fn a07_what_a_list_costs_is_bounded_over_all_cas() {
    // Every second number: 8192 ranges from each bitmap, of which no CA alone has too many.
    let mut data = 1u64.to_be_bytes().to_vec();
    data.put_string([&[0][..], &[0xaa; 2048]].concat());
    let parts = vec![(section::SERIAL_BITMAP, data)];
    let ca = |number: u32| of_ca(&number.to_be_bytes(), &parts);
    let fits: Vec<_> = (0..400).map(ca).collect();
    assert_eq!(RevocationList::read(&list(&fits)).unwrap().certificates().len(), 400);
    let many: Vec<_> = (0..500).map(ca).collect();
    assert_eq!(RevocationList::read(&list(&many)), Err(RevocationError::TooMany));
    // As many CAs as there are bytes for are read in no time.
    let all: Vec<_> = (0..100_000u32).map(|number| of_ca(&number.to_be_bytes(), &[])).collect();
    assert_eq!(RevocationList::read(&list(&all)).unwrap().certificates().len(), 100_000);
}
