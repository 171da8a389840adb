//! The machine's own limit: one stream of sealed packets over loopback, nothing else.

use crate::Problem;
use nacre_crypto::AwsLc;
use nacre_proto::algorithm::CipherAlgorithm;
use nacre_proto::crypto::{KeyMaterial, Provider, SecretBytes};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Bytes sealed in each packet, all of it counted as payload.
const BODY: usize = 32 * 1024;

/// Packets that go into one write.
const PACKETS: usize = 16;

/// Bytes a second of AES-256-GCM from one thread to another, measured for so many seconds.
pub fn measure(seconds: f64) -> Result<f64, Problem> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let stream = TcpStream::connect(listener.local_addr()?)?;
    let (peer, _) = listener.accept()?;
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| send(stream, Duration::from_secs_f64(seconds)));
        let (bytes, time) = receive(peer)?;
        sender.join().map_err(|_| "the sender died")??;
        Ok(bytes as f64 / time.as_secs_f64())
    })
}

fn keys() -> KeyMaterial {
    let secret = |length| SecretBytes::new(vec![0x5a; length]);
    let cipher = CipherAlgorithm::Aes256Gcm;
    KeyMaterial { iv: secret(cipher.iv_len()), key: secret(cipher.key_len()), mac_key: secret(0) }
}

fn send(mut stream: TcpStream, span: Duration) -> Result<(), Problem> {
    let mut sealer = AwsLc::default().sealer(CipherAlgorithm::Aes256Gcm, None, &keys())?;
    let size = 4 + BODY + sealer.shape().tag_len;
    let mut block = vec![0; PACKETS * size];
    let (start, mut sequence) = (Instant::now(), 0u32);
    while start.elapsed() < span {
        for packet in block.chunks_exact_mut(size) {
            packet[..4].copy_from_slice(&(BODY as u32).to_be_bytes());
            sealer.seal(sequence, packet)?;
            sequence = sequence.wrapping_add(1);
        }
        stream.write_all(&block)?;
    }
    Ok(())
}

fn receive(mut stream: TcpStream) -> Result<(u64, Duration), Problem> {
    let mut opener = AwsLc::default().opener(CipherAlgorithm::Aes256Gcm, None, &keys())?;
    let size = 4 + BODY + opener.shape().tag_len;
    let mut block = vec![0; PACKETS * size];
    let (mut held, mut bytes, mut sequence) = (0, 0, 0u32);
    let start = Instant::now();
    loop {
        let read = stream.read(&mut block[held..])?;
        if read == 0 {
            return Ok((bytes, start.elapsed()));
        }
        held += read;
        let whole = held - held % size;
        for packet in block[..whole].chunks_exact_mut(size) {
            opener.open(sequence, packet)?;
            sequence = sequence.wrapping_add(1);
            bytes += BODY as u64;
        }
        block.copy_within(whole..held, 0);
        held -= whole;
    }
}
