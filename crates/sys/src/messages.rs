//! Messages with descriptors between the server's own processes: Unix sockets that keep message boundaries (SOCK_SEQPACKET) and
//! carry open descriptors (SCM_RIGHTS, unix(7)).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, sockopt,
};

use crate::error::{Doing, refused};

/// The most bytes a message may have. The kernel takes that much only if it could be given the buffer: see [`MessageSocket::pair`].
pub const MAX_MESSAGE: usize = 512 * 1024;

/// The most descriptors a message may carry.
pub const MAX_DESCRIPTORS: usize = 4;

/// One end of a connection that carries whole messages, each with up to [`MAX_DESCRIPTORS`] descriptors. Close-on-exec. May be
/// registered with an event loop; then make it not block.
#[derive(Debug)]
pub struct MessageSocket(OwnedFd);

/// What [`MessageSocket::receive`] got.
#[derive(Debug)]
pub struct Received {
    /// Bytes of the message, at the start of the buffer. 0: the peer is gone.
    pub len: usize,
    /// The descriptors that came with it, in the sender's order, close-on-exec.
    pub fds: Vec<OwnedFd>,
}

impl MessageSocket {
    /// A connected pair, blocking, with room for a message of [`MAX_MESSAGE`] bytes in either direction. Without
    /// CAP_NET_ADMIN the room is what `net.core.wmem_max` grants, which may be less.
    ///
    /// # Errors
    /// EMFILE or ENFILE when no descriptor is left.
    pub fn pair() -> io::Result<(Self, Self)> {
        let ends = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None);
        let (one, other) = ends.doing(|| "create a pair of message sockets".into())?;
        make_room(&one)?;
        make_room(&other)?;
        Ok((Self(one), Self(other)))
    }

    /// Sends one message with descriptors, which stay open here too. All of it is sent or none. A peer that is gone is EPIPE and
    /// no signal.
    ///
    /// # Errors
    /// `InvalidInput` for an empty message (it would read as the peer's end), more than [`MAX_MESSAGE`] bytes or more than
    /// [`MAX_DESCRIPTORS`] descriptors; EMSGSIZE when the kernel gave a smaller buffer; `WouldBlock` when it is set not to block
    /// and there is no room; EPIPE or ECONNRESET; ETOOMANYREFS when the peer does not fetch its descriptors.
    pub fn send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        check_sizes(bytes.len(), fds.len())?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
            return Err(invalid_input("more descriptors than a message can carry"));
        }
        let parts = [IoSlice::new(bytes)];
        let sent =
            rustix::io::retry_on_intr(|| rustix::net::sendmsg(&self.0, &parts, &mut control, SendFlags::NOSIGNAL));
        match sent {
            Ok(sent) if sent == bytes.len() => Ok(()),
            Ok(sent) => {
                Err(refused(io::ErrorKind::WriteZero, "send a message", format!("only {sent} bytes were taken")))
            }
            Err(rustix::io::Errno::AGAIN) => Err(io::ErrorKind::WouldBlock.into()),
            Err(err) => Err(err).doing(|| "send a message".into()),
        }
    }

    /// Receives one message of up to `most` bytes in memory of its own: for a process that waits long and keeps no buffer meanwhile.
    /// No bytes say that the peer is gone, for good.
    ///
    /// # Errors
    /// As [`MessageSocket::receive`].
    pub fn receive_whole(&self, most: usize) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
        let peek = RecvFlags::PEEK | RecvFlags::TRUNC;
        // With TRUNC the length is the message's own, however little room there is for it.
        let length = match despite_reset(|| rustix::net::recv(&self.0, [0_u8; 0].as_mut_slice(), peek)) {
            Ok((_, length)) => length,
            Err(rustix::io::Errno::AGAIN) => return Err(io::ErrorKind::WouldBlock.into()),
            Err(err) => return Err(err).doing(|| "receive a message".into()),
        };
        let mut bytes = vec![0; length.min(most)];
        let received = self.receive(&mut bytes)?;
        bytes.truncate(received.len);
        Ok((bytes, received.fds))
    }

    /// Receives one message into `buf`. `len` 0 says that the peer is gone, for good.
    ///
    /// # Errors
    /// `InvalidData` for a message longer than `buf`, more than [`MAX_DESCRIPTORS`] descriptors, more than this process may have
    /// open, or a control message that is none of descriptors: whatever came is closed and the message lost, so give the
    /// connection up. `WouldBlock` when it is set not to block and nothing is there.
    pub fn receive(&self, buf: &mut [u8]) -> io::Result<Received> {
        receive_with_descriptors(self.0.as_fd(), buf)
    }

    /// Sets whether calls return `WouldBlock` instead of waiting. Belongs to the connection's end, not to the descriptor: a copy
    /// in another process is set too.
    ///
    /// # Errors
    /// The errno of ioctl.
    pub fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        rustix::io::ioctl_fionbio(&self.0, on).doing(|| "set whether a message socket blocks".into())
    }

    /// Process id and effective user id of whoever made the pair ([`MessageSocket::pair`]) or connected: the kernel's word
    /// (SO_PEERCRED), not the peer's. It does not follow a socket that is handed on.
    ///
    /// # Errors
    /// The errno of getsockopt.
    pub fn peer_pid_uid(&self) -> io::Result<(i32, u32)> {
        let peer = sockopt::socket_peercred(&self.0).doing(|| "ask who the peer is".into())?;
        Ok((peer.pid.as_raw_nonzero().get(), peer.uid.as_raw()))
    }
}

/// One call of recvmsg(2) with room for [`MAX_DESCRIPTORS`].
pub(crate) fn receive_with_descriptors(socket: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<Received> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(buf)];
    let received = despite_reset(|| rustix::net::recvmsg(socket, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC));
    let message = match received {
        Ok(message) => message,
        Err(rustix::io::Errno::AGAIN) => return Err(io::ErrorKind::WouldBlock.into()),
        Err(err) => return Err(err).doing(|| "receive a message".into()),
    };
    let (fds, only_descriptors) = take_descriptors(&mut control);
    if message.flags.contains(ReturnFlags::TRUNC) {
        return Err(invalid_data("it is longer than allowed here"));
    }
    if message.flags.contains(ReturnFlags::CTRUNC) || fds.len() > MAX_DESCRIPTORS {
        return Err(invalid_data("it carries more descriptors than allowed or than can be open"));
    }
    if !only_descriptors || (message.bytes == 0 && !fds.is_empty()) {
        return Err(invalid_data("it carries something else than bytes with descriptors"));
    }
    Ok(Received { len: message.bytes, fds })
}

/// A peer that went and left messages unread makes one call fail with ECONNRESET. What it had said before is still there, and
/// then its end; both are lost to who takes that error for the end.
fn despite_reset<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    match rustix::io::retry_on_intr(&mut call) {
        Err(rustix::io::Errno::CONNRESET) => rustix::io::retry_on_intr(call),
        other => other,
    }
}

/// Whether a message was not sent because too many descriptors of this user are on their way, which passes.
pub fn is_crowded(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ETOOMANYREFS)
}

fn check_sizes(bytes: usize, fds: usize) -> io::Result<()> {
    if bytes == 0 {
        return Err(invalid_input("it is empty, which the peer would take for the end"));
    }
    if bytes > MAX_MESSAGE {
        return Err(invalid_input(format!("{bytes} bytes are more than {MAX_MESSAGE}; split it")));
    }
    if fds > MAX_DESCRIPTORS {
        return Err(invalid_input(format!("{fds} descriptors are more than {MAX_DESCRIPTORS}; send several messages")));
    }
    Ok(())
}

/// Takes every descriptor out, so that the caller's error path closes them; says whether nothing else was there.
fn take_descriptors(control: &mut RecvAncillaryBuffer<'_>) -> (Vec<OwnedFd>, bool) {
    let (mut fds, mut only_descriptors) = (Vec::new(), true);
    for part in control.drain() {
        match part {
            RecvAncillaryMessage::ScmRights(some) => fds.extend(some),
            _ => only_descriptors = false,
        }
    }
    (fds, only_descriptors)
}

/// The kernel counts its own bookkeeping against the buffer and doubles what it is asked for to make up for that.
fn make_room(socket: &OwnedFd) -> io::Result<()> {
    sockopt::set_socket_send_buffer_size_force(socket, MAX_MESSAGE)
        .or_else(|_| sockopt::set_socket_send_buffer_size(socket, MAX_MESSAGE))
        .doing(|| "size a message socket's buffer".into())
}

fn invalid_input(why: impl Into<String>) -> io::Error {
    refused(io::ErrorKind::InvalidInput, "send a message", why)
}

fn invalid_data(why: &str) -> io::Error {
    refused(io::ErrorKind::InvalidData, "receive a message", why)
}

impl From<OwnedFd> for MessageSocket {
    /// Takes a connected SOCK_SEQPACKET socket over; nothing is checked here, every call tells.
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}

impl From<MessageSocket> for OwnedFd {
    fn from(socket: MessageSocket) -> Self {
        socket.0
    }
}

impl AsFd for MessageSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for MessageSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
