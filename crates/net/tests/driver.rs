//! What the driver does at the end of a connection, over a stream in memory and real pipes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::cast_possible_truncation)]

use nacre_net::{Descriptor, Driver, Owner, Port, Pump, PumpEvent};
use nacre_proto::{Connection, Event, LocalChannel, Stream};
use nacre_testkit::Pair;
use nacre_testkit::pair::Setup;
use std::io::{PipeReader, Read};
use std::os::fd::OwnedFd;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::sync::oneshot;

/// More than a pipe holds and less than a window.
const BYTES: usize = 250_000;

/// Attaches one sink to a channel that stands already, and gives up when told to.
struct Reader {
    channel: LocalChannel,
    sink: Option<(Descriptor, oneshot::Sender<()>)>,
    patience: Option<Duration>,
    enough: oneshot::Receiver<()>,
    broken: bool,
}

impl Owner for Reader {
    fn on_event(&mut self, _port: &mut Port<'_>, _event: Event) {}

    fn on_pump(&mut self, _port: &mut Port<'_>, event: PumpEvent) {
        self.broken |= matches!(event, PumpEvent::SinkBroken { .. });
    }

    fn poll(&mut self, cx: &mut Context<'_>, port: &mut Port<'_>) -> bool {
        if let Some((sink, tell)) = self.sink.take() {
            port.pumps.attach(port.connection, Pump::new(self.channel).sink(Stream::Main, sink));
            tell.send(()).unwrap();
            return true;
        }
        if !self.enough.is_terminated()
            && let Poll::Ready(Ok(())) = std::pin::Pin::new(&mut self.enough).poll(cx)
        {
            port.pumps.abandon();
            return true;
        }
        false
    }

    fn patience(&self) -> Option<Duration> {
        self.patience
    }
}

/// A client's connection with a session, its channel, and what the server says on it, sealed.
fn received() -> (Connection, LocalChannel, Vec<u8>) {
    let mut pair = Pair::logged_in(Setup::default());
    let (ours, theirs) = pair.open_session();
    let data: Vec<u8> = content();
    let mut wire = nacre_proto::TransmitBuffer::new();
    let server = &mut pair.server.connection;
    assert_eq!(server.channel(theirs).unwrap().write(Stream::Main, &data), BYTES);
    while server.poll_transmit(pair.now, &mut wire, usize::MAX).unwrap() > 0 {}
    (pair.client.connection, ours, wire.as_slice().to_vec())
}

fn content() -> Vec<u8> {
    (0..BYTES).map(|i| (i % 251) as u8).collect()
}

/// Runs a client whose server says much and goes away while nobody reads.
async fn run(patience: Option<Duration>, enough: oneshot::Receiver<()>) -> (tokio::task::JoinHandle<bool>, PipeReader) {
    let (connection, channel, wire) = received();
    let (reader, writer) = std::io::pipe().unwrap();
    let writer = nacre_sys::stdio::reopen(OwnedFd::from(writer)).unwrap();
    let (tell, attached) = oneshot::channel();
    let sink = Some((Descriptor::new(writer).unwrap(), tell));
    let owner = Reader { channel, sink, patience, enough, broken: false };
    let (near, mut far) = tokio::io::duplex(1 << 20);
    let driver = tokio::spawn(async move { Driver::new(near, connection, owner).run().await.0.broken });
    attached.await.unwrap();
    far.write_all(&wire).await.unwrap();
    drop(far);
    (driver, reader)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_before_the_connection_was_lost_reaches_a_slow_reader() {
    let (_keep, enough) = oneshot::channel();
    let (driver, mut reader) = run(None, enough).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!driver.is_finished(), "the reader has not read yet");
    let mut got = Vec::new();
    tokio::task::spawn_blocking(move || {
        reader.read_to_end(&mut got).unwrap();
        assert!(got == content(), "{} bytes of {BYTES}", got.len());
    })
    .await
    .unwrap();
    assert!(!driver.await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_never_reads_keeps_nobody_whose_patience_is_bounded() {
    let (_keep, enough) = oneshot::channel();
    let start = Instant::now();
    let (driver, _reader) = run(Some(Duration::from_millis(300)), enough).await;
    tokio::time::timeout(Duration::from_secs(20), driver).await.expect("an end").unwrap();
    assert!(start.elapsed() >= Duration::from_millis(300), "the reader got its time");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_has_had_enough_ends_the_wait() {
    let (tell, enough) = oneshot::channel();
    let (driver, _reader) = run(None, enough).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!driver.is_finished());
    tell.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(20), driver).await.expect("an end").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_leaves_ends_the_wait() {
    let (_keep, enough) = oneshot::channel();
    let (driver, reader) = run(None, enough).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!driver.is_finished());
    drop(reader);
    assert!(tokio::time::timeout(Duration::from_secs(20), driver).await.expect("an end").unwrap(), "it was told");
}
