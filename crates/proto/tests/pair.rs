//! Whole connections in memory: both ends are ours, time is virtual.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use nacre_proto::algorithm::{CipherAlgorithm, CompressionMethod, KexMethod, MacAlgorithm};
use nacre_proto::{RekeyPolicy, Stream};
use nacre_testkit::Pair;
use nacre_testkit::pair::Setup;
use nacre_wire::session::SessionRequest;

#[test]
fn a_key_logs_in_and_a_session_carries_data_both_ways() {
    let mut pair = Pair::logged_in(Setup::default());
    let (client, server) = pair.open_session();
    let request = SessionRequest::Exec { command: b"true".to_vec() };
    pair.client.connection.channel(client).unwrap().request(pair.now, &request, true).unwrap();
    pair.client.connection.channel(client).unwrap().write(Stream::Main, b"question");
    pair.server.connection.channel(server).unwrap().write(Stream::Stderr, b"answer");
    pair.drive();
    assert_eq!(pair.server.requests, vec![(server.number(), request)]);
    assert_eq!(pair.server.data[&(server.number(), Stream::Main)], b"question");
    assert_eq!(pair.client.data[&(client.number(), Stream::Stderr)], b"answer");
    assert!(pair.client.log.contains(&"reply exec true".to_owned()));
}

#[test]
fn everything_works_one_byte_at_a_time() {
    let mut pair = Pair::logged_in(Setup { chunk: 1, ..Setup::default() });
    let (client, server) = pair.open_session();
    pair.client.connection.channel(client).unwrap().write(Stream::Main, &[7; 3000]);
    pair.drive();
    assert_eq!(pair.server.data[&(server.number(), Stream::Main)], vec![7; 3000]);
}

fn stream_megabytes(mut setup: Setup, megabytes: usize) -> Pair {
    setup.server_policy.echoes = true;
    let mut pair = Pair::logged_in(setup);
    let (client, _) = pair.open_session();
    let piece: Vec<u8> = (0..=255u8).cycle().take(64 * 1024).collect();
    let mut sent = 0;
    while sent < megabytes << 20 {
        let at = sent % piece.len();
        let n = pair.client.connection.channel(client).unwrap().write(Stream::Main, &piece[at..]);
        sent += n;
        pair.step();
    }
    pair.drive();
    assert_eq!(pair.client.error, None);
    assert_eq!(pair.server.error, None);
    let back = &pair.client.data[&(client.number(), Stream::Main)];
    assert_eq!(back.len(), sent);
    assert!(back.chunks(piece.len()).all(|chunk| chunk == &piece[..chunk.len()]));
    pair
}

#[test]
fn every_cipher_and_mac_carries_data() {
    for cipher in CipherAlgorithm::ALL {
        for mac in MacAlgorithm::ALL {
            let mut setup = Setup::default();
            setup.client.ciphers = vec![*cipher];
            setup.client.macs = vec![*mac];
            setup.server.macs = MacAlgorithm::ALL.to_vec();
            stream_megabytes(setup, 1);
        }
    }
}

#[test]
fn every_key_exchange_method_connects() {
    for kex in KexMethod::ALL {
        let mut setup = Setup::default();
        setup.client.kex = vec![*kex];
        setup.server.kex = KexMethod::ALL.to_vec();
        Pair::logged_in(setup);
    }
}

#[test]
fn t19_keys_are_renewed_under_full_load_in_both_directions() {
    for (client, server) in [(Some(1 << 20), None), (None, Some(1 << 20)), (Some(100_000), Some(150_000))] {
        let mut setup = Setup::default();
        setup.client.rekey = RekeyPolicy { bytes: client, time: None };
        setup.server.rekey = RekeyPolicy { bytes: server, time: None };
        stream_megabytes(setup, 8);
    }
}

fn compressed() -> Setup {
    let mut setup = Setup::default();
    setup.client.compression = vec![CompressionMethod::Zlib, CompressionMethod::None];
    setup.server.compression = CompressionMethod::ALL.to_vec();
    setup
}

#[test]
fn t15_compressed_data_comes_whole_both_ways_under_every_cipher_while_keys_are_renewed() {
    for cipher in CipherAlgorithm::ALL {
        for (client, server) in [(None, None), (Some(20_000), None), (None, Some(20_000)), (Some(20_000), Some(20_000))]
        {
            let mut setup = compressed();
            setup.client.ciphers = vec![*cipher];
            setup.client.rekey = RekeyPolicy { bytes: client, time: None };
            setup.server.rekey = RekeyPolicy { bytes: server, time: None };
            let pair = stream_megabytes(setup, 2);
            let chosen = pair.client.connection.negotiated().unwrap();
            assert_eq!(chosen.client_to_server.compression, CompressionMethod::Zlib);
            assert_eq!(chosen.server_to_client.compression, CompressionMethod::Zlib);
        }
    }
}

#[test]
fn t15_compression_is_used_only_where_both_ends_want_it() {
    for wanted in [true, false] {
        let mut setup = compressed();
        if !wanted {
            setup.server.compression = vec![CompressionMethod::None];
        }
        let mut pair = Pair::logged_in(setup);
        let (client, server) = pair.open_session();
        pair.to_server.recorded = Some(Vec::new());
        let text = vec![b'a'; 200_000];
        pair.client.connection.channel(client).unwrap().write(Stream::Main, &text);
        pair.drive();
        assert!(pair.server.data[&(server.number(), Stream::Main)] == text);
        assert_eq!(pair.to_server.recorded.as_ref().unwrap().len() < 4_000, wanted);
    }
}

#[test]
fn compressed_data_comes_one_byte_at_a_time() {
    let mut pair = Pair::logged_in(Setup { chunk: 1, ..compressed() });
    let (client, server) = pair.open_session();
    pair.client.connection.channel(client).unwrap().write(Stream::Main, &[7; 3000]);
    pair.drive();
    assert_eq!(pair.server.data[&(server.number(), Stream::Main)], vec![7; 3000]);
}
