//! A socket joined with a channel, over a stream in memory: what came before CLOSE is written, and nothing of a channel
//! that is gone touches another that has its number.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::cast_possible_truncation)]

use nacre_net::{Descriptor, Driver, Forwards, Owner, Port, PumpEvent};
use nacre_proto::{Connection, Event, LocalChannel, Stream, TransmitBuffer};
use nacre_testkit::Pair;
use nacre_testkit::pair::Setup;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::task::Context;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// More than a socket holds and less than a window.
const BYTES: usize = 250_000;

/// Joins a channel that stands already, and says when it is closed.
struct Joins {
    channel: LocalChannel,
    socket: Option<Descriptor>,
    forwards: Forwards,
    tell: UnboundedSender<&'static str>,
}

impl Owner for Joins {
    fn on_event(&mut self, _port: &mut Port<'_>, event: Event) {
        if let Event::Closed { channel } = event {
            assert!(self.forwards.on_closed(channel) && self.forwards.is_empty());
            self.tell.send("closed").unwrap();
        }
    }

    fn on_pump(&mut self, port: &mut Port<'_>, event: PumpEvent) {
        assert!(self.forwards.on_pump(port, &event), "{event:?}");
    }

    fn poll(&mut self, _cx: &mut Context<'_>, port: &mut Port<'_>) -> bool {
        let Some(socket) = self.socket.take() else { return false };
        self.forwards.join(port, self.channel, socket);
        self.tell.send("joined").unwrap();
        true
    }
}

fn content() -> Vec<u8> {
    (0..BYTES).map(|i| (i % 251) as u8).collect()
}

/// A client's connection with a channel, and what the server says on it, sealed: data, EOF and CLOSE.
fn received() -> (Connection, LocalChannel, Vec<u8>) {
    let mut pair = Pair::logged_in(Setup::default());
    let (ours, theirs) = pair.open_session();
    let server = &mut pair.server.connection;
    assert_eq!(server.channel(theirs).unwrap().write(Stream::Main, &content()), BYTES);
    server.channel(theirs).unwrap().eof();
    server.channel(theirs).unwrap().close();
    let mut wire = TransmitBuffer::new();
    while server.poll_transmit(pair.now, &mut wire, usize::MAX).unwrap() > 0 {}
    (pair.client.connection, ours, wire.as_slice().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn c06_what_came_before_close_reaches_a_slow_reader_and_then_its_end() {
    let (connection, channel, wire) = received();
    let (mut reader, ours) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let socket = Some(Descriptor::nonblocking(OwnedFd::from(ours)).unwrap());
    let (tell, mut told) = unbounded_channel();
    let owner = Joins { channel, socket, forwards: Forwards::default(), tell };
    let (near, mut far) = tokio::io::duplex(1 << 20);
    let driver = tokio::spawn(async move { Driver::new(near, connection, owner).run().await.0.forwards.len() });
    assert_eq!(told.recv().await, Some("joined"));
    far.write_all(&wire).await.unwrap();
    assert_eq!(told.recv().await, Some("closed"));
    let read = tokio::task::spawn_blocking(move || {
        let mut got = Vec::new();
        reader.read_to_end(&mut got).unwrap();
        got
    });
    let got = tokio::time::timeout(std::time::Duration::from_secs(30), read).await.expect("an end").unwrap();
    assert!(got == content(), "{} bytes of {BYTES}", got.len());
    drop(far);
    assert_eq!(driver.await.unwrap(), 0);
}
