//! One socket: what comes goes to the program, what the program says goes out.

use super::program::Happening;
use nacre_lab::console::ConnectionId;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Pieces of output that may wait for a peer that does not read; one more ends its connection.
const MAX_WAITING: usize = 64;
/// Bytes of it, unless a single piece has more.
const MAX_WAITING_BYTES: usize = 8 * 1024 * 1024;
/// How long a peer may take to read a piece.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes read at once.
const READ: usize = 64 * 1024;
/// How long a peer may take to see that we have closed.
const LINGER: Duration = Duration::from_secs(2);

/// A socket with a task that serves it. Dropping this closes it once everything is sent.
pub struct Link {
    out: mpsc::Sender<Vec<u8>>,
    /// Bytes that wait.
    waiting: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Link {
    /// Serves `stream` as connection `id`.
    pub fn new(id: ConnectionId, stream: TcpStream, happenings: mpsc::Sender<Happening>) -> Self {
        // A line at a time is all that is sent.
        let _ = stream.set_nodelay(true);
        let (out, pieces) = mpsc::channel(MAX_WAITING);
        let waiting = Arc::<AtomicUsize>::default();
        let task = tokio::spawn(carry(id, stream, (pieces, waiting.clone()), happenings));
        Self { out, waiting, task }
    }

    /// Sends bytes; false when the peer does not take them.
    pub fn send(&self, bytes: Vec<u8>) -> bool {
        let before = self.waiting.fetch_add(bytes.len(), Relaxed);
        (before == 0 || before + bytes.len() <= MAX_WAITING_BYTES) && self.out.try_send(bytes).is_ok()
    }
}

/// Closes all of these once everything is sent.
pub async fn close(links: impl Iterator<Item = Link>) {
    let tasks: Vec<_> = links.map(|link| link.task).collect();
    let _ = timeout(LINGER, async {
        for task in tasks {
            let _ = task.await;
        }
    })
    .await;
}

async fn carry(
    id: ConnectionId,
    stream: TcpStream,
    (mut pieces, waiting): (mpsc::Receiver<Vec<u8>>, Arc<AtomicUsize>),
    happenings: mpsc::Sender<Happening>,
) {
    let (read, mut write) = stream.into_split();
    let mut reader = tokio::spawn(listen(id, read, happenings.clone()));
    while let Some(bytes) = pieces.recv().await {
        if !matches!(timeout(PATIENCE, write.write_all(&bytes)).await, Ok(Ok(()))) {
            break;
        }
        waiting.fetch_sub(bytes.len(), Relaxed);
    }
    // What still waits has nobody who takes it.
    drop(pieces);
    let _ = write.shutdown().await;
    // What is unread when a socket closes can cost the peer the last that was sent.
    if timeout(LINGER, &mut reader).await.is_err() {
        reader.abort();
        let _ = happenings.send(Happening::Closed(id)).await;
    }
}

/// Reads to the end, which is told.
async fn listen(id: ConnectionId, mut read: OwnedReadHalf, happenings: mpsc::Sender<Happening>) {
    let mut buffer = vec![0; READ];
    while let Ok(count) = read.read(&mut buffer).await {
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
        if happenings.send(Happening::Received(id, bytes.to_vec())).await.is_err() {
            return;
        }
    }
    let _ = happenings.send(Happening::Closed(id)).await;
}
