//! How fast packets are sealed and opened in place, suite by suite:
//! `cargo run --release -p nacre-crypto --example throughput`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use nacre_crypto::AwsLc;
use nacre_proto::algorithm::{CipherAlgorithm, KexMethod, MacAlgorithm};
use nacre_proto::crypto::{KeyMaterial, Provider, SecretBytes};
use std::time::{Duration, Instant};

/// Bytes of payload in each packet measured.
const SIZES: [usize; 3] = [64, 1024, 32 * 1024];
const SPAN: Duration = Duration::from_millis(200);

fn main() {
    packets();
    exchanges();
}

fn packets() {
    println!("{:<32} {:<30} {:>8} {:>9} {:>9}", "cipher", "mac", "bytes", "seal GB/s", "both GB/s");
    for &cipher in CipherAlgorithm::ALL {
        let macs: Vec<_> =
            if cipher.is_aead() { vec![None] } else { MacAlgorithm::ALL.iter().copied().map(Some).collect() };
        for mac in macs {
            for size in SIZES {
                let seal = measure(cipher, mac, size, false);
                let both = measure(cipher, mac, size, true);
                let name = mac.map_or("", MacAlgorithm::name);
                println!("{:<32} {name:<30} {size:>8} {seal:>9.2} {both:>9.2}", cipher.name());
            }
        }
    }
}

/// GB of packet a second, sealing only or sealing and opening.
fn measure(cipher: CipherAlgorithm, mac: Option<MacAlgorithm>, size: usize, open: bool) -> f64 {
    let secret = |len| SecretBytes::new(vec![0x5a; len]);
    let keys = KeyMaterial {
        iv: secret(cipher.iv_len()),
        key: secret(cipher.key_len()),
        mac_key: secret(mac.map_or(0, MacAlgorithm::key_len)),
    };
    let mut sealer = AwsLc::default().sealer(cipher, mac, &keys).unwrap();
    let mut opener = AwsLc::default().opener(cipher, mac, &keys).unwrap();
    let shape = sealer.shape();
    let body = if shape.length_in_block { size - 4 } else { size };
    let length = u32::try_from(body).unwrap().to_be_bytes();
    let mut packet = vec![0; 4 + body + shape.tag_len];
    let (start, mut bytes, mut sequence) = (Instant::now(), 0usize, 0u32);
    while start.elapsed() < SPAN {
        for _ in 0..32 {
            packet[..4].copy_from_slice(&length);
            sealer.seal(sequence, &mut packet).unwrap();
            if open {
                opener.packet_length(sequence, &mut packet[..shape.head_len]).unwrap();
                opener.open(sequence, &mut packet).unwrap();
            }
            sequence = sequence.wrapping_add(1);
            bytes += packet.len();
        }
    }
    bytes as f64 / start.elapsed().as_secs_f64() / 1e9
}

fn exchanges() {
    println!("\n{:<38} {:>10} {:>10} {:>10}", "key exchange", "begin µs", "answer µs", "finish µs");
    for &method in KexMethod::ALL {
        let (mut begin, mut answer, mut finish) = (Duration::MAX, Duration::MAX, Duration::MAX);
        for _ in 0..5 {
            let start = Instant::now();
            let client = AwsLc::default().kex_client(method).unwrap();
            begin = begin.min(start.elapsed());
            let start = Instant::now();
            let reply = AwsLc::default().kex_server(method, client.public()).unwrap();
            answer = answer.min(start.elapsed());
            let start = Instant::now();
            client.finish(&reply.public).unwrap();
            finish = finish.min(start.elapsed());
        }
        let [begin, answer, finish] = [begin, answer, finish].map(|d| d.as_micros());
        println!("{:<38} {begin:>10} {answer:>10} {finish:>10}", method.name());
    }
}
