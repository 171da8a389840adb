//! Standard input and output as one stream, for a server that inetd or a ProxyCommand started.

use crate::descriptor::Descriptor;
use nacre_sys::stdio;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Reads from standard input, writes to standard output.
pub struct StdioStream {
    input: Descriptor,
    output: Descriptor,
}

impl StdioStream {
    /// A stream of two descriptors that do not block: one to read, one to write.
    ///
    /// # Errors
    /// One of them cannot be registered.
    pub fn of(input: OwnedFd, output: OwnedFd) -> io::Result<Self> {
        Ok(Self { input: Descriptor::nonblocking(input)?, output: Descriptor::nonblocking(output)? })
    }

    /// Takes both. Nobody else should use them from here on.
    ///
    /// # Errors
    /// One of them is closed or cannot be registered.
    pub fn new() -> io::Result<Self> {
        Ok(Self { input: Descriptor::new(stdio::stdin()?)?, output: Descriptor::new(stdio::stdout()?)? })
    }
}

impl AsyncRead for StdioStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let n = ready!(self.input.poll_read(cx, buf.initialize_unfilled()))?;
        buf.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for StdioStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.output.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A pipe has no half to close; the process that ends closes it.
        Poll::Ready(Ok(()))
    }
}
