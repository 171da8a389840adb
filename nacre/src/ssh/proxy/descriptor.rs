//! A descriptor that another process sends over a Unix socket, as OpenSSH's `ProxyUseFdpass` has it: with one byte of data.

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use tokio::io::Interest;
use tokio::net::UnixStream;

/// Waits for the descriptor.
///
/// # Errors
/// The other side closes, or sends something else.
pub async fn receive(socket: UnixStream) -> io::Result<OwnedFd> {
    let fd = socket.async_io(Interest::READABLE, || receive_now(&socket)).await?;
    fd.ok_or_else(|| io::Error::other("it handed no socket over (ProxyUseFdpass is set)"))
}

fn receive_now(socket: impl AsFd) -> io::Result<Option<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    Ok(control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    }))
}
