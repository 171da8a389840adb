//! What a confined process must still be able to do.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant, SystemTime};

use nacre_sys::messages::MessageSocket;
use nacre_sys::pty::{Pty, WindowSize, set_window_size};
use rustix::event::epoll;

/// Allocation of all sizes, random seeds, clocks, locks and asking for what is not there.
pub fn memory_and_time(confine: fn()) -> i64 {
    confine();
    let mut blocks: Vec<Vec<u8>> = (0..22).map(|power| vec![1; 1 << power]).collect();
    blocks.iter_mut().for_each(|block| block.resize(block.len() * 3, 2));
    assert_eq!(blocks.iter().map(Vec::len).sum::<usize>(), 3 * ((1 << 22) - 1));
    drop(blocks);
    nacre_sys::memory::give_back();
    let seeded: HashMap<u32, u32> = (0..100).map(|n| (n, n)).collect();
    assert_eq!(seeded.len(), 100);
    let mut random = [0_u8; 32];
    assert_eq!(unsafe { libc::getrandom(random.as_mut_ptr().cast(), 32, 0) }, 32);
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(2) {}
    assert!(SystemTime::now() > SystemTime::UNIX_EPOCH);
    assert_eq!(std::fs::File::open("/etc/passwd").unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
    assert!(std::env::current_exe().is_err() && std::env::current_dir().is_err());
    assert!(std::panic::catch_unwind(|| panic!("told on stderr, with an attempt at a backtrace")).is_err());
    assert!(!std::io::IsTerminal::is_terminal(&std::io::stdout()));
    0
}

/// A server's day: the peer's TCP connection and the monitor's messages in one epoll; descriptors come and are pumped.
pub fn event_loop(confine: fn()) -> i64 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut net, _) = listener.accept().unwrap();
    let (monitor, own) = MessageSocket::pair().unwrap();
    let (from_helper, to_net) = rustix::pipe::pipe().unwrap();
    let pty = Pty::open().unwrap();
    let events = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
    drop(listener);
    net.set_nonblocking(true).unwrap();
    own.set_nonblocking(true).unwrap();
    rustix::io::ioctl_fionbio(&from_helper, true).unwrap();
    confine();

    watch(&events, &net, 1);
    watch(&events, &own, 2);

    monitor.send(b"a pipe and a pty", &[from_helper.as_fd(), pty.master.as_fd()]).unwrap();
    assert_eq!(next(&events), 2);
    let mut buf = [0; 100];
    let received = own.receive(&mut buf).unwrap();
    assert_eq!((&buf[..received.len], received.fds.len()), (&b"a pipe and a pty"[..], 2));
    let [pipe, master]: [OwnedFd; 2] = received.fds.try_into().unwrap();
    set_window_size(&master, WindowSize { columns: 100, rows: 50, width_px: 0, height_px: 0 }).unwrap();
    watch(&events, &pipe, 3);
    rustix::io::write(&to_net, b"from the helper").unwrap();
    assert_eq!(next(&events), 3);
    let read = rustix::io::read(&pipe, &mut buf).unwrap();
    net.write_all(&buf[..read]).unwrap();
    let mut got = [0; 15];
    peer.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"from the helper");

    peer.write_all(b"key strokes").unwrap();
    assert_eq!(next(&events), 1);
    assert_eq!(net.read(&mut buf).unwrap(), 11);
    let again = master.try_clone().unwrap();
    rustix::io::write(&again, &buf[..11]).unwrap();
    peer.shutdown(std::net::Shutdown::Both).unwrap();
    assert_eq!(next(&events), 1);
    assert_eq!(net.read(&mut buf).unwrap(), 0);
    drop(monitor);
    epoll::delete(&events, &net).unwrap();
    assert_eq!(next(&events), 2);
    assert_eq!(own.receive(&mut buf).unwrap().len, 0);
    0
}

fn watch(events: &OwnedFd, what: impl AsFd, name: u64) {
    epoll::add(events, what, epoll::EventData::new_u64(name), epoll::EventFlags::IN).unwrap();
}

/// As the event loop's library asks.
fn next(events: &OwnedFd) -> u64 {
    let mut ready = libc::epoll_event { events: 0, u64: 0 };
    assert_eq!(unsafe { libc::epoll_wait(events.as_raw_fd(), &raw mut ready, 1, 10_000) }, 1, "nothing came");
    ready.u64
}
