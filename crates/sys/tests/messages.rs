//! Messages with descriptors between processes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

mod support;

use std::io::{ErrorKind, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use nacre_sys::messages::{MAX_DESCRIPTORS, MAX_MESSAGE, MessageSocket};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

/// A pipe's end that tells by end of file that every copy of the other end is closed.
struct Witness {
    read: OwnedFd,
    write: OwnedFd,
}

fn witness() -> Witness {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    Witness { read, write }
}

impl Witness {
    fn all_are_closed(self) {
        drop(self.write);
        assert_eq!(support::drain(&self.read), "");
    }
}

#[test]
fn a_message_comes_whole_with_its_descriptors_in_order() {
    let (one, other) = MessageSocket::pair().unwrap();
    let (first, second) = (witness(), witness());
    one.send(b"both ends", &[second.write.as_fd(), first.write.as_fd()]).unwrap();
    one.send(b"next", &[]).unwrap();
    let mut buf = [0; 64];
    let received = other.receive(&mut buf).unwrap();
    assert_eq!(&buf[..received.len], b"both ends");
    for fd in &received.fds {
        assert!(rustix::io::fcntl_getfd(fd).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
    }
    rustix::io::write(&received.fds[0], b"to the second").unwrap();
    rustix::io::write(&received.fds[1], b"to the first").unwrap();
    assert_eq!(received.fds.len(), 2);
    let next = other.receive(&mut buf).unwrap();
    assert_eq!((&buf[..next.len], next.fds.len()), (&b"next"[..], 0));
    drop((received, first.write, second.write));
    assert_eq!(support::drain(&first.read), "to the first");
    assert_eq!(support::drain(&second.read), "to the second");
}

#[test]
fn p18_a_truncated_message_is_refused_and_its_descriptors_closed() {
    let (one, other) = MessageSocket::pair().unwrap();
    let witness = witness();
    one.send(b"longer than four", &[witness.write.as_fd()]).unwrap();
    assert_eq!(other.receive(&mut [0; 4]).unwrap_err().kind(), ErrorKind::InvalidData);
    witness.all_are_closed();
    one.send(b"next", &[]).unwrap();
    assert_eq!(other.receive(&mut [0; 4]).unwrap().len, 4);
}

#[test]
fn p18_five_descriptors_are_refused_on_either_side() {
    let (one, other) = MessageSocket::pair().unwrap();
    let witness = witness();
    let five = [witness.write.as_fd(); MAX_DESCRIPTORS + 1];
    assert_eq!(one.send(b"five", &five).unwrap_err().kind(), ErrorKind::InvalidInput);
    // A peer that does not keep to that.
    send_raw(&one, b"five", &five);
    assert_eq!(other.receive(&mut [0; 64]).unwrap_err().kind(), ErrorKind::InvalidData);
    witness.all_are_closed();
    one.send(b"four", &[one.as_fd(); MAX_DESCRIPTORS]).unwrap();
    assert_eq!(other.receive(&mut [0; 64]).unwrap().fds.len(), MAX_DESCRIPTORS);
}

fn send_raw(socket: &MessageSocket, bytes: &[u8], fds: &[std::os::fd::BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(16))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(fds)));
    rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::empty()).unwrap();
}

#[test]
fn p18_descriptors_without_bytes_are_refused() {
    let (one, other) = MessageSocket::pair().unwrap();
    let witness = witness();
    send_raw(&one, b"", &[witness.write.as_fd()]);
    assert_eq!(other.receive(&mut [0; 64]).unwrap_err().kind(), ErrorKind::InvalidData);
    witness.all_are_closed();
}

#[test]
fn sizes_are_bounded_and_the_largest_goes_through() {
    let (one, other) = MessageSocket::pair().unwrap();
    assert_eq!(one.send(b"", &[]).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(one.send(&vec![1; MAX_MESSAGE + 1], &[]).unwrap_err().kind(), ErrorKind::InvalidInput);
    if !support::root_or_say_so("sizes_are_bounded_and_the_largest_goes_through") {
        return;
    }
    let large: Vec<u8> = (0..MAX_MESSAGE).map(|n| (n % 251) as u8).collect();
    let mut buf = vec![0; MAX_MESSAGE];
    for (from, to) in [(&one, &other), (&other, &one)] {
        from.send(&large, &[]).unwrap();
        assert_eq!(to.receive(&mut buf).unwrap().len, MAX_MESSAGE);
        assert!(buf == large);
        buf.fill(0);
    }
}

#[test]
fn without_room_or_message_a_nonblocking_end_says_so() {
    let (one, other) = MessageSocket::pair().unwrap();
    one.set_nonblocking(true).unwrap();
    other.set_nonblocking(true).unwrap();
    assert_eq!(other.receive(&mut [0; 4]).unwrap_err().kind(), ErrorKind::WouldBlock);
    let (mut sent, block) = (0_u32, vec![7; 1024]);
    let full = loop {
        match one.send(&block, &[]) {
            Ok(()) => sent += 1,
            Err(err) => break err,
        }
    };
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    let mut buf = [0; 1024];
    for _ in 0..sent {
        assert_eq!(other.receive(&mut buf).unwrap().len, 1024);
    }
    assert_eq!(other.receive(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
    one.send(&block, &[]).unwrap();
}

#[test]
fn the_end_of_the_peer_is_length_zero_and_no_signal() {
    let (one, other) = MessageSocket::pair().unwrap();
    one.send(b"last", &[]).unwrap();
    drop(one);
    let mut buf = [0; 64];
    assert_eq!(other.receive(&mut buf).unwrap().len, 4);
    assert_eq!(other.receive(&mut buf).unwrap().len, 0);
    assert_eq!(nacre_sys::errno_of(&other.send(b"x", &[]).unwrap_err()), Some(libc::EPIPE));
}

#[test]
fn p18_what_a_peer_said_is_read_although_it_left_messages_unread() {
    for whole in [false, true] {
        let (one, other) = MessageSocket::pair().unwrap();
        other.send(b"never read", &[]).unwrap();
        one.send(b"last words", &[]).unwrap();
        drop(one);
        let next = || match whole {
            true => other.receive_whole(64).unwrap().0.len(),
            false => other.receive(&mut [0; 64]).unwrap().len,
        };
        assert_eq!((next(), next(), next()), (10, 0, 0));
    }
}

#[test]
fn the_kernel_says_who_made_the_pair() {
    let (one, _other) = MessageSocket::pair().unwrap();
    let own = (std::process::id() as i32, nacre_sys::privileges::effective_uid());
    assert_eq!(one.peer_pid_uid().unwrap(), own);
    let again = MessageSocket::from(OwnedFd::from(one));
    assert_eq!(again.peer_pid_uid().unwrap(), own);
}
