//! One socket: what comes goes to the program, what the program says goes out.

use super::program::Happening;
use nacre_lab::console::ConnectionId;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Pieces of output that may wait for a peer that does not read; one more ends its connection.
const MAX_WAITING: usize = 64;
/// Bytes read at once.
const READ: usize = 64 * 1024;
/// How long a peer may take to see that we have closed.
const LINGER: Duration = Duration::from_secs(2);

/// A socket with a task that serves it. Dropping this closes it once everything is sent.
pub struct Link {
    out: mpsc::Sender<Vec<u8>>,
    task: JoinHandle<()>,
}

impl Link {
    /// Serves `stream` as connection `id`.
    pub fn new(id: ConnectionId, stream: TcpStream, happenings: mpsc::Sender<Happening>) -> Self {
        // A line at a time is all that is sent.
        let _ = stream.set_nodelay(true);
        let (out, waiting) = mpsc::channel(MAX_WAITING);
        Self { out, task: tokio::spawn(carry(id, stream, waiting, happenings)) }
    }

    /// Sends bytes; false when the peer does not take them.
    pub fn send(&self, bytes: Vec<u8>) -> bool {
        self.out.try_send(bytes).is_ok()
    }

    /// Closes once everything is sent.
    pub async fn close(self) {
        drop(self.out);
        let _ = timeout(LINGER, self.task).await;
    }
}

async fn carry(
    id: ConnectionId,
    stream: TcpStream,
    mut waiting: mpsc::Receiver<Vec<u8>>,
    happenings: mpsc::Sender<Happening>,
) {
    let (read, mut write) = stream.into_split();
    let mut reader = tokio::spawn(listen(id, read, happenings.clone()));
    while let Some(bytes) = waiting.recv().await {
        if write.write_all(&bytes).await.is_err() {
            break;
        }
    }
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
