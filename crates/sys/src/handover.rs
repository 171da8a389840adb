//! Descriptors handed over on a stream between processes, each with one byte of its own as OpenSSH does it: standard
//! input, output and error of a session that another process carries.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sockopt};

use crate::error::Doing;
use crate::messages::{Received, receive_with_descriptors};

/// Sends one descriptor, which stays open here too, with one byte that says nothing.
///
/// # Errors
/// EPIPE when the peer is gone, `WouldBlock` when the socket does not block and is full.
pub fn send(socket: impl AsFd, fd: BorrowedFd<'_>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = [fd];
    control.push(SendAncillaryMessage::ScmRights(&fds));
    let parts = [IoSlice::new(&[0])];
    rustix::io::retry_on_intr(|| rustix::net::sendmsg(&socket, &parts, &mut control, SendFlags::NOSIGNAL))
        .map(|_sent| ())
        .doing(|| "hand a descriptor over".into())
}

/// Reads what is there, with the descriptors that came with those bytes, in order and close-on-exec. `len` 0 is the end.
///
/// # Errors
/// `WouldBlock`; `InvalidData` for more descriptors in one go than anybody sends, or than this process may have open.
pub fn receive(socket: impl AsFd, buf: &mut [u8]) -> io::Result<Received> {
    receive_with_descriptors(socket.as_fd(), buf)
}

/// The effective user id of whoever connected, or listens at the other end: the kernel's word (SO_PEERCRED).
///
/// # Errors
/// The errno of getsockopt.
pub fn peer_uid(socket: impl AsFd) -> io::Result<u32> {
    Ok(sockopt::socket_peercred(socket).doing(|| "ask who the peer is".into())?.uid.as_raw())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn descriptors_come_in_order_with_their_bytes() {
        let (mut one, other) = UnixStream::pair().unwrap();
        let files = [File::open("/dev/zero").unwrap(), File::open("/dev/null").unwrap()];
        one.write_all(b"before").unwrap();
        for file in &files {
            send(&one, file.as_fd()).unwrap();
        }
        one.write_all(b"behind").unwrap();
        drop(one);
        let (mut bytes, mut fds, mut buf) = (Vec::<u8>::new(), Vec::new(), [0; 64]);
        loop {
            let received = receive(&other, &mut buf).unwrap();
            if received.len == 0 {
                break;
            }
            bytes.extend(buf.iter().take(received.len));
            fds.extend(received.fds);
        }
        assert_eq!(bytes, b"before\0\0behind");
        let lengths: Vec<usize> = fds.into_iter().map(|fd| File::from(fd).read(&mut [0; 4]).unwrap()).collect();
        assert_eq!(lengths, [4, 0]);
        assert_eq!(peer_uid(&other).unwrap(), rustix::process::geteuid().as_raw());
    }

    #[test]
    fn g01_more_at_once_than_anybody_sends_is_refused() {
        let (one, other) = UnixStream::pair().unwrap();
        let file = File::open("/dev/null").unwrap();
        let fds = [file.as_fd(); 20];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(20))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
        rustix::net::sendmsg(&one, &[IoSlice::new(b"x")], &mut control, SendFlags::NOSIGNAL).unwrap();
        assert_eq!(receive(&other, &mut [0; 8]).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
