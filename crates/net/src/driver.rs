//! The one loop: a socket, a connection, its pumps and its owner, polled by one task.
//!
//! There is no queue between the protocol and the application. A turn reads what the socket has,
//! hands events to pumps and owner, forms packets while the socket takes them, and goes on as long
//! as something moves. Buffers belong to the thread: a connection at rest keeps only what it
//! cannot yet use.

use crate::pump::{PumpEvent, Pumps};
use bytes::BytesMut;
use nacre_proto::{Connection, Error, Event, TransmitBuffer};
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::Sleep;

/// Bytes asked of the socket at once.
const READ_SIZE: usize = 256 * 1024;
/// Bytes of sealed packets formed before they are written.
const TRANSMIT_LIMIT: usize = 256 * 1024;
/// Turns before other tasks of the thread get theirs.
const MAX_TURNS: usize = 64;
/// The most bytes of an incomplete packet that are copied out of the read buffer at rest.
const MAX_TAIL: usize = 8 * 1024;
/// How long the peer gets to take our last words and close.
const LINGER: Duration = Duration::from_secs(1);
/// How long readers get for what came before the end, where no person waits for it.
const PATIENCE: Duration = Duration::from_secs(2);

thread_local! {
    /// Read buffers at rest, one is enough for a thread.
    static READ_BUFFER: RefCell<Option<BytesMut>> = const { RefCell::new(None) };
    /// Transmit buffers at rest.
    static TRANSMIT_BUFFER: RefCell<Option<TransmitBuffer>> = const { RefCell::new(None) };
}

/// Frees the buffers that this thread keeps for the next busy connection.
pub fn free_buffers() {
    READ_BUFFER.with_borrow_mut(Option::take);
    TRANSMIT_BUFFER.with_borrow_mut(Option::take);
}

/// What an owner may touch while it handles something.
pub struct Port<'a> {
    /// The connection.
    pub connection: &'a mut Connection,
    /// Its pumps.
    pub pumps: &'a mut Pumps,
    /// What time it is.
    pub now: Instant,
}

/// Whoever decides what a connection is for.
pub trait Owner {
    /// An event of the connection. Data for which a pump has a sink does not come here.
    fn on_event(&mut self, port: &mut Port<'_>, event: Event);

    /// Something that a pump has to tell.
    fn on_pump(&mut self, port: &mut Port<'_>, event: PumpEvent);

    /// Looks after everything else the owner waits for: answers, processes, signals. True when
    /// something was done.
    fn poll(&mut self, cx: &mut Context<'_>, port: &mut Port<'_>) -> bool;

    /// How long readers may take, once the connection is over, for what came before. `None` leaves
    /// them all the time they want; then [`Pumps::abandon`] is the way out. A server must not be
    /// kept by a program that never reads, so there is a bound unless an owner says otherwise.
    fn patience(&self) -> Option<Duration> {
        Some(PATIENCE)
    }
}

/// Drives one connection to its end.
pub struct Driver<S, O> {
    stream: S,
    connection: Connection,
    owner: O,
    pumps: Pumps,
    input: BytesMut,
    output: TransmitBuffer,
    sleep: Pin<Box<Sleep>>,
    read_error: Option<io::Error>,
    write_closed: bool,
    received: u64,
    sent: u64,
}

/// How a connection ended.
#[derive(Debug)]
pub struct Ended {
    /// Why.
    pub error: Error,
    /// The socket's own error, when there was one.
    pub io: Option<io::Error>,
    /// Bytes read from the socket.
    pub received: u64,
    /// Bytes written to the socket.
    pub sent: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin, O: Owner> Driver<S, O> {
    /// Joins the parts.
    pub fn new(stream: S, connection: Connection, owner: O) -> Self {
        Self {
            stream,
            connection,
            owner,
            pumps: Pumps::default(),
            input: BytesMut::new(),
            output: TransmitBuffer::new(),
            sleep: Box::pin(tokio::time::sleep(Duration::from_secs(3600))),
            read_error: None,
            write_closed: false,
            received: 0,
            sent: 0,
        }
    }

    /// Runs until the connection is over and its last words are out, or cannot be brought out.
    pub async fn run(mut self) -> (O, Ended) {
        poll_fn(|cx| self.poll(cx)).await;
        tokio::join!(
            say_goodbye(&mut self.stream, self.write_closed || self.read_error.is_some()),
            deliver_rest(&mut self.connection, &mut self.owner, &mut self.pumps),
        );
        let error = self.connection.error().cloned().unwrap_or(Error::ConnectionLost);
        (self.owner, Ended { error, io: self.read_error, received: self.received, sent: self.sent })
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..MAX_TURNS {
            let now = Instant::now();
            let mut moved = self.fire_timers(cx, now);
            moved |= self.read(cx, now);
            moved |= self.handle_events(cx, now);
            let mut port = Port { connection: &mut self.connection, pumps: &mut self.pumps, now };
            moved |= self.owner.poll(cx, &mut port);
            moved |= self.pumps.flush(cx, &mut self.connection);
            moved |= self.form(cx, now);
            moved |= self.handle_events(cx, now);
            moved |= self.write(cx);
            if self.connection.is_finished() && (self.output.is_empty() || self.write_closed) {
                return Poll::Ready(());
            }
            if !moved {
                self.rest();
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Arms the timer and fires what is due. The connection keeps an error it ends with.
    fn fire_timers(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let Some(deadline) = self.connection.poll_timeout() else { return false };
        if deadline <= now {
            let _ = self.connection.handle_timeout(now);
            return true;
        }
        let deadline = tokio::time::Instant::from_std(deadline);
        if self.sleep.deadline() != deadline {
            self.sleep.as_mut().reset(deadline);
        }
        if self.sleep.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        false
    }

    /// Reads once from the socket and feeds the connection.
    fn read(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        if !self.connection.wants_input() {
            return false;
        }
        let waiting = self.input.len();
        if waiting > 0 {
            let _ = self.connection.receive(now, &mut self.input);
            if self.input.len() != waiting || !self.connection.wants_input() {
                return true;
            }
        }
        if self.input.capacity() <= MAX_TAIL
            && let Some(mut buffer) = READ_BUFFER.with_borrow_mut(Option::take)
        {
            buffer.extend_from_slice(&self.input);
            self.input = buffer;
        }
        self.input.reserve(READ_SIZE);
        let result = pin!(self.stream.read_buf(&mut self.input)).poll(cx);
        match result {
            Poll::Pending => false,
            Poll::Ready(Ok(0)) => {
                let _ = self.connection.receive_eof(now);
                true
            }
            Poll::Ready(Ok(n)) => {
                self.received += n as u64;
                let _ = self.connection.receive(now, &mut self.input);
                true
            }
            Poll::Ready(Err(error)) => {
                self.read_error = Some(error);
                let _ = self.connection.receive_eof(now);
                true
            }
        }
    }

    /// Hands events to pumps and owner.
    fn handle_events(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut any = false;
        loop {
            if let Some(event) = self.connection.poll_event() {
                any = true;
                self.handle_event(cx, now, event);
            } else if let Some(event) = self.pumps.poll_event() {
                any = true;
                let mut port = Port { connection: &mut self.connection, pumps: &mut self.pumps, now };
                self.owner.on_pump(&mut port, event);
            } else {
                return any;
            }
        }
    }

    fn handle_event(&mut self, cx: &mut Context<'_>, now: Instant, event: Event) {
        if let Event::Data { channel, stream, data } = &event
            && self.pumps.receive(cx, &mut self.connection, *channel, *stream, data)
        {
            return;
        }
        match &event {
            Event::Eof { channel } => self.pumps.end_inbound(*channel),
            Event::Closed { channel } => self.pumps.channel_closed(*channel),
            _ => {}
        }
        let mut port = Port { connection: &mut self.connection, pumps: &mut self.pumps, now };
        self.owner.on_event(&mut port, event);
    }

    /// Forms packets: control and credit first, then what sources have.
    fn form(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        if self.output.len() >= TRANSMIT_LIMIT {
            return false;
        }
        if self.output.is_empty()
            && let Some(buffer) = TRANSMIT_BUFFER.with_borrow_mut(Option::take)
        {
            self.output = buffer;
        }
        // An error is kept by the connection; another call forms its DISCONNECT.
        let mut moved = match self.connection.poll_transmit(now, &mut self.output, TRANSMIT_LIMIT) {
            Ok(n) => n > 0,
            Err(_) => return true,
        };
        while self.output.len() < TRANSMIT_LIMIT {
            match self.pumps.fill(cx, now, &mut self.connection, &mut self.output, TRANSMIT_LIMIT) {
                Ok(true) => moved = true,
                Ok(false) => break,
                Err(_) => return true,
            }
        }
        moved
    }

    /// Writes what the socket takes.
    fn write(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        while !self.output.is_empty() && !self.write_closed {
            match Pin::new(&mut self.stream).poll_write(cx, self.output.as_slice()) {
                Poll::Ready(Ok(n)) if n > 0 => {
                    self.output.consume(n);
                    self.sent += n as u64;
                    moved = true;
                }
                Poll::Ready(result) => {
                    self.write_closed = true;
                    self.read_error = result.err().or(self.read_error.take());
                    let _ = self.connection.receive_eof(Instant::now());
                    return true;
                }
                Poll::Pending => break,
            }
        }
        moved
    }

    /// Nothing moves: buffers go back to the thread. Only what cannot be used yet is kept, without
    /// the large buffer it came in, or half a packet from each of many strangers would hold one each.
    fn rest(&mut self) {
        if self.input.len() <= MAX_TAIL && self.input.capacity() > MAX_TAIL {
            let tail = BytesMut::from(self.input.as_ref());
            let mut buffer = std::mem::replace(&mut self.input, tail);
            buffer.clear();
            READ_BUFFER.with_borrow_mut(|slot| {
                slot.get_or_insert(buffer);
            });
        }
        if self.output.is_empty() {
            let buffer = std::mem::take(&mut self.output);
            TRANSMIT_BUFFER.with_borrow_mut(|slot| {
                slot.get_or_insert(buffer);
            });
        }
    }
}

/// Closes our half and waits a moment for the peer to close its own: a socket closed with bytes
/// unread takes back what was sent, DISCONNECT included.
async fn say_goodbye<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, broken: bool) {
    if broken {
        return;
    }
    let goodbye = async {
        poll_fn(|cx| Pin::new(&mut *stream).poll_shutdown(cx)).await?;
        let mut scrap = [0; 4096];
        while stream.read(&mut scrap).await? > 0 {}
        io::Result::Ok(())
    };
    let _ = tokio::time::timeout(LINGER, goodbye).await;
}

/// Brings what had arrived when the connection ended to readers that were behind. The windows bound
/// how much that is.
async fn deliver_rest<O: Owner>(connection: &mut Connection, owner: &mut O, pumps: &mut Pumps) {
    let patience = owner.patience();
    let delivered = poll_fn(|cx| {
        for _ in 0..MAX_TURNS {
            if !pumps.is_behind() {
                return Poll::Ready(());
            }
            let mut moved = pumps.flush(cx, connection);
            let mut port = Port { connection: &mut *connection, pumps: &mut *pumps, now: Instant::now() };
            // Signals come through the owner; there is a person behind them who may have had enough.
            moved |= owner.poll(cx, &mut port);
            while let Some(event) = port.pumps.poll_event() {
                moved = true;
                owner.on_pump(&mut port, event);
            }
            if !moved {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    });
    match patience {
        None => delivered.await,
        Some(patience) => drop(tokio::time::timeout(patience, delivered).await),
    }
}
