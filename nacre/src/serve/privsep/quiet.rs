//! Memory for a connection that says nothing: a process each makes what a busy moment left behind add
//! up, so it goes back when a second has passed without a byte.

use nacre_net::driver::free_buffers;
use nacre_sys::memory;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

/// So long without a byte makes a connection quiet.
const QUIET: Duration = Duration::from_secs(1);

/// What a stream did lately.
#[derive(Default)]
pub struct Activity {
    reads: AtomicU64,
    resting: AtomicBool,
    woken: Notify,
}

impl Activity {
    fn note(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
        if self.resting.swap(false, Ordering::Relaxed) {
            self.woken.notify_one();
        }
    }

    /// Gives memory back whenever the stream has become quiet. A quiet connection is not woken for it.
    pub async fn rest(&self) -> ! {
        loop {
            let before = self.reads.load(Ordering::Relaxed);
            tokio::time::sleep(QUIET).await;
            if self.reads.load(Ordering::Relaxed) == before {
                free_buffers();
                memory::give_back();
                self.resting.store(true, Ordering::Relaxed);
                self.woken.notified().await;
            }
        }
    }
}

/// A stream whose reads are noted.
pub struct Noted<S> {
    stream: S,
    activity: Arc<Activity>,
}

impl<S> Noted<S> {
    /// Notes the reads of a stream.
    pub fn new(stream: S) -> (Self, Arc<Activity>) {
        let activity = Arc::<Activity>::default();
        (Self { stream, activity: activity.clone() }, activity)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Noted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        if result.is_ready() {
            self.activity.note();
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
