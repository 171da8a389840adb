//! Packet protection: known answers, round trips, tampering (threats T6 and T7), key lengths.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::cast_possible_truncation)]

mod common;

use common::{text, unhex};
use nacre_crypto::AwsLc;
use nacre_proto::algorithm::{CipherAlgorithm, MacAlgorithm};
use nacre_proto::crypto::{CryptoError, KeyMaterial, Open, PacketShape, Provider, Seal, SecretBytes};

type Suite = (CipherAlgorithm, Option<MacAlgorithm>);

/// A suite with both of its halves.
type Running = (Suite, Box<dyn Seal>, Box<dyn Open>);

/// Every combination that exists.
fn suites() -> Vec<Suite> {
    let mut all = Vec::new();
    for &cipher in CipherAlgorithm::ALL {
        if cipher.is_aead() {
            all.push((cipher, None));
        } else {
            all.extend(MacAlgorithm::ALL.iter().map(|mac| (cipher, Some(*mac))));
        }
    }
    all
}

fn keys_of((cipher, mac): Suite, seed: u8) -> KeyMaterial {
    let secret = |len: usize, offset: u8| {
        SecretBytes::new((0..len).map(|i| (i as u8).wrapping_mul(7).wrapping_add(seed).wrapping_add(offset)).collect())
    };
    KeyMaterial {
        iv: secret(cipher.iv_len(), 1),
        key: secret(cipher.key_len(), 2),
        mac_key: secret(mac.map_or(0, MacAlgorithm::key_len), 3),
    }
}

fn pair(suite: Suite) -> (Box<dyn Seal>, Box<dyn Open>) {
    let keys = keys_of(suite, 0);
    let provider = AwsLc::default();
    (provider.sealer(suite.0, suite.1, &keys).unwrap(), provider.opener(suite.0, suite.1, &keys).unwrap())
}

/// A packet around a payload, padded for the shape, with room for the tag.
fn packet(shape: PacketShape, payload: &[u8]) -> Vec<u8> {
    let counted = 1 + payload.len() + if shape.length_in_block { 4 } else { 0 };
    let mut padding = shape.block_len - counted % shape.block_len;
    if padding < 4 {
        padding += shape.block_len;
    }
    let length = 1 + payload.len() + padding;
    let mut out = (length as u32).to_be_bytes().to_vec();
    out.push(padding as u8);
    out.extend_from_slice(payload);
    out.resize(out.len() + padding, 0x2a);
    out.resize(out.len() + shape.tag_len, 0);
    out
}

/// Opens a packet as a connection would: length first.
fn open(opener: &mut dyn Open, sequence: u32, sealed: &mut [u8]) -> Result<(), CryptoError> {
    let shape = opener.shape();
    let length = opener.packet_length(sequence, &mut sealed[..shape.head_len])? as usize;
    if 4 + length + shape.tag_len != sealed.len() {
        return Err(CryptoError);
    }
    opener.open(sequence, sealed)
}

#[test]
fn known_answers_of_every_cipher_and_mac() {
    let provider = AwsLc::default();
    let mut covered = std::collections::HashSet::new();
    let vectors = text("packets.txt");
    let mut current: Option<Running> = None;
    for line in vectors.lines().filter(|line| !line.starts_with('#')) {
        let field: Vec<&str> = line.split(' ').collect();
        let cipher = CipherAlgorithm::from_name(field[0]).unwrap();
        let mac = MacAlgorithm::from_name(field[1]);
        covered.insert((cipher, mac));
        // Lines of one suite follow one another: counters and sequence numbers run on, and wrap.
        if current.as_ref().is_none_or(|(suite, ..)| *suite != (cipher, mac)) {
            let keys = KeyMaterial {
                key: SecretBytes::new(unhex(field[2])),
                iv: SecretBytes::new(unhex(field[3])),
                mac_key: SecretBytes::new(unhex(field[4])),
            };
            let sealer = provider.sealer(cipher, mac, &keys).unwrap();
            let opener = provider.opener(cipher, mac, &keys).unwrap();
            current = Some(((cipher, mac), sealer, opener));
        }
        let (_, sealer, opener) = current.as_mut().unwrap();
        let sequence: u32 = field[5].parse().unwrap();
        let (plain, sealed) = (unhex(field[6]), unhex(field[7]));

        let mut buffer = plain.clone();
        buffer.resize(sealed.len(), 0);
        sealer.seal(sequence, &mut buffer).unwrap();
        assert_eq!(buffer, sealed, "{cipher} {mac:?} seal");

        open(opener.as_mut(), sequence, &mut buffer).unwrap();
        assert_eq!(buffer[4..plain.len()], plain[4..], "{cipher} {mac:?} open");
    }
    assert_eq!(covered, suites().into_iter().collect(), "a suite has no vectors");
}

#[test]
fn many_packets_survive_the_round_trip_in_order() {
    for suite in suites() {
        let (mut sealer, mut opener) = pair(suite);
        assert_eq!(sealer.shape(), opener.shape());
        for (sequence, len) in [0, 1, 5, 15, 16, 17, 255, 4096, 35_000, 262_000].into_iter().enumerate() {
            let sequence = u32::MAX.wrapping_add(sequence as u32);
            let payload: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let mut buffer = packet(sealer.shape(), &payload);
            let plain = buffer.clone();
            sealer.seal(sequence, &mut buffer).unwrap();
            assert_ne!(buffer, plain, "{suite:?}");
            open(opener.as_mut(), sequence, &mut buffer).unwrap();
            let end = buffer.len() - sealer.shape().tag_len;
            assert_eq!(buffer[4..end], plain[4..end], "{suite:?} {len}");
        }
    }
}

#[test]
fn the_shapes_are_the_documents() {
    for suite in suites() {
        let (sealer, _) = pair(suite);
        let expected = match suite {
            (CipherAlgorithm::ChaCha20Poly1305, _) => (8, false, 4, 16),
            (_, None) => (16, false, 4, 16),
            (_, Some(mac)) if mac.is_etm() => (16, false, 4, mac.tag_len()),
            (_, Some(mac)) => (16, true, 16, mac.tag_len()),
        };
        let shape = sealer.shape();
        assert_eq!((shape.block_len, shape.length_in_block, shape.head_len, shape.tag_len), expected, "{suite:?}");
    }
}

#[test]
fn t07_every_flipped_bit_is_found() {
    for suite in suites() {
        let sealed = {
            let (mut sealer, _) = pair(suite);
            let mut buffer = packet(sealer.shape(), b"a small packet");
            sealer.seal(7, &mut buffer).unwrap();
            buffer
        };
        for at in 0..sealed.len() {
            for bit in 0..8 {
                let (_, mut opener) = pair(suite);
                let mut spoilt = sealed.clone();
                spoilt[at] ^= 1 << bit;
                assert_eq!(open(opener.as_mut(), 7, &mut spoilt), Err(CryptoError), "{suite:?} byte {at} bit {bit}");
            }
        }
        let (_, mut opener) = pair(suite);
        open(opener.as_mut(), 7, &mut sealed.clone()).unwrap();
    }
}

#[test]
fn t07_a_flipped_length_is_found_by_the_tag_too() {
    // Here the reader believes the changed length (as it must until the tag was checked).
    for suite in suites() {
        let (mut sealer, mut opener) = pair(suite);
        let mut buffer = packet(sealer.shape(), b"a small packet");
        sealer.seal(7, &mut buffer).unwrap();
        buffer[3] ^= 0x40;
        let head_len = opener.shape().head_len;
        opener.packet_length(7, &mut buffer[..head_len]).unwrap();
        assert_eq!(opener.open(7, &mut buffer), Err(CryptoError), "{suite:?}");
    }
}

#[test]
fn packets_that_are_replayed_swapped_or_of_another_key_are_found() {
    for suite in suites() {
        let (mut sealer, mut opener) = pair(suite);
        let mut first = packet(sealer.shape(), b"first");
        let mut second = packet(sealer.shape(), b"second, longer than the first one");
        sealer.seal(0, &mut first).unwrap();
        sealer.seal(1, &mut second).unwrap();

        let (_, mut swapped) = pair(suite);
        assert_eq!(open(swapped.as_mut(), 0, &mut second.clone()), Err(CryptoError), "{suite:?} swapped");

        let replay = first.clone();
        open(opener.as_mut(), 0, &mut first.clone()).unwrap();
        assert_eq!(open(opener.as_mut(), 1, &mut replay.clone()), Err(CryptoError), "{suite:?} replayed");

        let mut other = AwsLc::default().opener(suite.0, suite.1, &keys_of(suite, 99)).unwrap();
        assert_eq!(open(other.as_mut(), 0, &mut first), Err(CryptoError), "{suite:?} other key");
    }
}

#[test]
fn the_sequence_number_is_authenticated_where_it_should_be() {
    for suite in suites() {
        let (mut sealer, mut opener) = pair(suite);
        let mut buffer = packet(sealer.shape(), b"payload");
        sealer.seal(5, &mut buffer).unwrap();
        let result = open(opener.as_mut(), 6, &mut buffer);
        // RFC 5647 §7.1: AES-GCM counts by itself and leaves the sequence number out.
        let is_gcm = matches!(suite.0, CipherAlgorithm::Aes256Gcm | CipherAlgorithm::Aes128Gcm);
        assert_eq!(result.is_ok(), is_gcm, "{suite:?}");
    }
}

#[test]
fn t06_buffers_of_any_length_are_an_error_and_never_a_panic() {
    for suite in suites() {
        for len in 0..=120usize {
            let (mut sealer, mut opener) = pair(suite);
            let shape = sealer.shape();
            let sealable = sealer.seal(0, &mut vec![0; len]).is_ok();
            let body = len.checked_sub(shape.tag_len);
            let whole = match body {
                // What a packet may be is the protocol's to say; here only what can be sealed at all.
                Some(body) if suite.0.is_aead() => body >= 4,
                Some(body) if shape.length_in_block => body.is_multiple_of(16),
                Some(body) => body >= 4 && (body - 4).is_multiple_of(16),
                None => false,
            };
            assert_eq!(sealable, whole, "{suite:?} {len}");
            let _ = opener.packet_length(0, &mut vec![0; len.min(shape.head_len)]);
            assert_eq!(opener.open(0, &mut vec![0; len]), Err(CryptoError), "{suite:?} {len}");
        }
        for head in 0..4 {
            let (_, mut opener) = pair(suite);
            assert_eq!(opener.packet_length(0, &mut vec![0; head]), Err(CryptoError), "{suite:?} head of {head}");
        }
    }
}

#[test]
fn key_material_of_the_wrong_length_makes_no_cipher() {
    let provider = AwsLc::default();
    for suite in suites() {
        for change in [-1isize, 1] {
            for which in 0..3 {
                let keys = keys_of(suite, 0);
                let resize = |secret: &SecretBytes, chosen: bool| {
                    let mut bytes = secret.expose().to_vec();
                    if chosen {
                        bytes.resize(bytes.len().saturating_add_signed(change), 0);
                    }
                    (SecretBytes::new(bytes.clone()), bytes.len() != secret.expose().len())
                };
                let (iv, a) = resize(&keys.iv, which == 0);
                let (key, b) = resize(&keys.key, which == 1);
                let (mac_key, c) = resize(&keys.mac_key, which == 2);
                if a || b || c {
                    let keys = KeyMaterial { iv, key, mac_key };
                    assert!(provider.sealer(suite.0, suite.1, &keys).is_err(), "{suite:?} {which} {change}");
                    assert!(provider.opener(suite.0, suite.1, &keys).is_err(), "{suite:?} {which} {change}");
                }
            }
        }
    }
}

#[test]
fn combinations_that_do_not_exist_are_refused() {
    let provider = AwsLc::default();
    for &cipher in CipherAlgorithm::ALL {
        let suite = if cipher.is_aead() { (cipher, Some(MacAlgorithm::HmacSha256)) } else { (cipher, None) };
        let keys = keys_of(suite, 0);
        assert!(provider.sealer(suite.0, suite.1, &keys).is_err(), "{suite:?}");
        assert!(provider.opener(suite.0, suite.1, &keys).is_err(), "{suite:?}");
    }
}
