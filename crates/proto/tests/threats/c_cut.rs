//! Connections that are cut off in the middle of everything, and streams that go on for long:
//! C3, C12.

use nacre_proto::algorithm::KexMethod;
use nacre_proto::{Error, Event, Fill, RekeyPolicy, Stream};
use nacre_testkit::Pair;
use nacre_testkit::link::Fault;
use nacre_testkit::provider::NoMaths;
use nacre_wire::session::SessionRequest;
use std::sync::Arc;
use std::time::Duration;

/// Three channels with data both ways, requests and closes, and keys renewed all the time.
fn busy(faults: [Option<Fault>; 2]) -> Pair {
    let mut setup = nacre_testkit::pair::Setup::default();
    for config in [&mut setup.client, &mut setup.server] {
        config.kex = vec![KexMethod::Curve25519];
        config.rekey = RekeyPolicy { bytes: Some(60_000), time: None };
    }
    setup.server_policy.echoes = true;
    setup.server_policy.failure_delay = Duration::ZERO;
    let mut pair = Pair::new(setup);
    let [to_server, to_client] = faults;
    to_server.into_iter().for_each(|fault| pair.to_server.add(fault));
    to_client.into_iter().for_each(|fault| pair.to_client.add(fault));
    pair.log_in();
    let now = pair.now;
    let mut channels = Vec::new();
    for _ in 0..3 {
        channels.extend(pair.client.connection.open_channel(now, "session", b""));
        pair.drive();
    }
    let request = SessionRequest::Exec { command: b"cat".to_vec() };
    for round in 0..12 {
        for channel in &channels {
            if let Some(mut channel) = pair.client.connection.channel(*channel) {
                channel.write(Stream::Main, &[round; 5_000]);
                let _ = channel.request(now, &request, true);
            }
        }
        if round == 8
            && let Some(mut channel) = channels.first().and_then(|id| pair.client.connection.channel(*id))
        {
            channel.eof();
            channel.close();
        }
        pair.step();
    }
    pair.drive();
    pair
}

#[test]
fn c12_a_stream_cut_at_a_thousand_places_ends_both_sides() {
    let whole = busy([None, None]);
    assert_eq!((&whole.client.error, &whole.server.error), (&None, &None));
    let lengths = [whole.to_server.sent(), whole.to_client.sent()];
    assert!(lengths.iter().all(|len| *len > 100_000), "{lengths:?}");
    let mut seed = 0x2545_f491_4f6c_dd1du64;
    for i in 0..1_000 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let side = i % 2;
        let at = (seed >> 33) as usize % lengths[side];
        let mut faults = [None, None];
        faults[side] = Some(Fault::Cut { at });
        let mut pair = busy(faults);
        assert!(pair.run_out(Duration::from_secs(200)), "cut {side} at {at}: somebody still waits");
        for end in [&pair.client, &pair.server] {
            assert_eq!(end.error, Some(Error::ConnectionLost), "cut {side} at {at}");
            assert!(end.connection.is_finished() && end.connection.poll_timeout().is_none());
        }
    }
}

#[test]
fn c12_a_dead_connection_takes_every_call_and_does_nothing() {
    let mut pair = busy([None, None]);
    let id = *pair.client.channels.last().unwrap();
    let now = pair.now;
    pair.client.receive_eof(now);
    let c = &mut pair.client.connection;
    assert!(c.error().is_some());
    assert!(c.receive(now, &mut bytes::BytesMut::from(&[0; 100][..])).is_err());
    let mut out = nacre_proto::TransmitBuffer::new();
    let _ = c.poll_transmit(now, &mut out, 1 << 20);
    if let Some(mut channel) = c.channel(id) {
        channel.write(Stream::Main, b"x");
        channel.eof();
        channel.close();
        channel.consumed(usize::MAX);
        let _ = channel.fill(now, Stream::Main, &mut out, 100, |space| space.len());
    }
    let _ = c.open_channel(now, "session", b"");
    let _ = c.global_request(now, "x@example.com", b"", true);
    let _ = c.rekey(now);
    let _ = c.handle_timeout(now + Duration::from_secs(1_000_000));
    let _ = c.poll_transmit(now, &mut out, 1 << 20);
    assert!(out.is_empty(), "nothing is said any more");
    assert_eq!(c.poll_timeout(), None);
}

#[test]
fn c03_more_than_four_gibibytes_on_one_channel() {
    const TOTAL: u64 = 5 << 30;
    let mut setup = nacre_testkit::pair::Setup {
        client_provider: Arc::new(NoMaths::new(1)),
        server_provider: Arc::new(NoMaths::new(2)),
        ..Default::default()
    };
    for config in [&mut setup.client, &mut setup.server] {
        config.kex = vec![KexMethod::Curve25519];
    }
    let mut pair = Pair::logged_in(setup);
    let (id, _) = pair.open_session();
    let now = pair.now;
    let (mut sent, mut received) = (0u64, 0u64);
    let mut out = nacre_proto::TransmitBuffer::new();
    while received < TOTAL {
        let before = received;
        while out.len() < 1 << 20 {
            let mut channel = pair.client.connection.channel(id).unwrap();
            // The first bytes of each message tell where it belongs in the stream.
            let mark = |space: &mut [u8]| {
                let n = space.len().min(usize::try_from(TOTAL - sent).unwrap());
                if n >= 8 {
                    space[..8].copy_from_slice(&sent.to_be_bytes());
                }
                n
            };
            match channel.fill(now, Stream::Main, &mut out, 64 * 1024, mark).unwrap() {
                Fill::Filled(n) => sent += n as u64,
                Fill::Empty | Fill::Blocked => break,
            }
        }
        pair.client.connection.poll_transmit(now, &mut out, 1 << 20).unwrap();
        pair.server.input.extend_from_slice(out.as_slice());
        out.consume(out.len());
        pair.server.connection.receive(now, &mut pair.server.input).unwrap();
        while let Some(event) = pair.server.connection.poll_event() {
            let Event::Data { channel, data, .. } = event else { continue };
            if data.len() >= 8 {
                assert_eq!(data[..8], received.to_be_bytes());
            }
            received += data.len() as u64;
            pair.server.connection.channel(channel).unwrap().consumed(data.len());
        }
        pair.server.connection.poll_transmit(now, &mut pair.server.output, 1 << 20).unwrap();
        pair.client.input.extend_from_slice(pair.server.output.as_slice());
        let n = pair.server.output.len();
        pair.server.output.consume(n);
        pair.client.connection.receive(now, &mut pair.client.input).unwrap();
        assert!(received > before, "stalled after {received} bytes");
    }
    assert_eq!((sent, received), (TOTAL, TOTAL));
}
