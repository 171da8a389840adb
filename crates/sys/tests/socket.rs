//! Listening and connecting on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;

use nacre_sys::socket::{
    BACKLOG, begin_connect, listen, set_keepalive, set_nodelay, set_notsent_lowat, set_traffic_class,
    traffic_class_of_dscp,
};
use rustix::net::sockopt;

fn local(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    support::poll_in(listener);
    listener.accept().unwrap()
}

#[test]
fn listener_neither_blocks_nor_is_inherited_and_reports_its_port() {
    let listener = listen(local("127.0.0.1:0"), BACKLOG).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    assert!(rustix::io::fcntl_getfd(&listener).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
    assert!(sockopt::socket_reuseaddr(&listener).unwrap());
    let err = listen(listener.local_addr().unwrap(), BACKLOG).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::AddrInUse);
    assert!(err.to_string().contains(&listener.local_addr().unwrap().to_string()), "{err}");
}

#[test]
fn bytes_pass_from_a_bound_address() {
    let listener = listen(local("127.0.0.1:0"), BACKLOG).unwrap();
    let mut client = begin_connect(listener.local_addr().unwrap(), Some(local("127.0.0.7:0"))).unwrap();
    let (mut server, peer) = accept(&listener);
    assert_eq!(peer.ip().to_string(), "127.0.0.7");
    server.write_all(b"x").unwrap();
    support::poll_in(&client);
    assert!(client.take_error().unwrap().is_none());
    client.read_exact(&mut [0]).unwrap();
    assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn foreign_bind_address_and_closed_port_are_errors() {
    let err = begin_connect(local("127.0.0.1:9"), Some(local("192.0.2.1:0"))).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::AddrNotAvailable);
    let closed = listen(local("127.0.0.1:0"), BACKLOG).unwrap().local_addr().unwrap();
    let refused = match begin_connect(closed, None) {
        Err(err) => err.kind(),
        Ok(stream) => {
            support::poll_in(&stream);
            stream.take_error().unwrap().expect("nobody listens").kind()
        }
    };
    assert_eq!(refused, ErrorKind::ConnectionRefused);
}

#[test]
fn both_families_share_a_port() {
    let four = listen(local("127.0.0.1:0"), BACKLOG).unwrap();
    let port = four.local_addr().unwrap().port();
    match listen(SocketAddr::new(local("[::]:0").ip(), port), BACKLOG) {
        Ok(six) => assert!(sockopt::ipv6_v6only(&six).unwrap()),
        Err(err) if nacre_sys::errno_of(&err) == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error()) => {
            eprintln!("both_families_share_a_port: NOT RUN because this machine has no IPv6");
        }
        Err(err) => panic!("{err}"),
    }
}

#[test]
fn options_reach_the_kernel() {
    let listener = listen(local("127.0.0.1:0"), BACKLOG).unwrap();
    let client = begin_connect(listener.local_addr().unwrap(), None).unwrap();
    set_nodelay(&client, true).unwrap();
    set_keepalive(&client, true).unwrap();
    set_notsent_lowat(&client, 65536).unwrap();
    // AF21, OpenSSH's class for interactive sessions.
    assert_eq!(traffic_class_of_dscp(18), 0x48);
    set_traffic_class(&client, traffic_class_of_dscp(18)).unwrap();
    assert!(client.nodelay().unwrap() && sockopt::socket_keepalive(&client).unwrap());
    assert_eq!(sockopt::ip_tos(&client).unwrap(), 0x48);
    assert_eq!(notsent_lowat(&client), 65536);
    if let Ok(six) = listen(local("[::1]:0"), BACKLOG) {
        set_traffic_class(&six, 0x20).unwrap();
        assert_eq!(sockopt::ipv6_tclass(&six).unwrap(), 0x20);
    }
    let (unix, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    set_traffic_class(&unix, 0x20).unwrap();
    assert!(set_notsent_lowat(&unix, 1).is_err());
}

fn notsent_lowat(socket: impl AsFd) -> u32 {
    use std::os::fd::AsRawFd;
    let (mut value, mut length) = (0_u32, 4);
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: writes at most the four bytes of `value`.
    let result = unsafe {
        libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, (&raw mut value).cast(), &raw mut length)
    };
    assert_eq!(result, 0);
    value
}
