//! Connections that are cut off in the middle of everything: C12.

use nacre_proto::algorithm::KexMethod;
use nacre_proto::{Error, RekeyPolicy, Stream};
use nacre_testkit::Pair;
use nacre_testkit::link::Fault;
use nacre_wire::session::SessionRequest;
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
