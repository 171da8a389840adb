//! Forwards of OpenSSH's client through our server: what they carry.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/serve.rs"]
mod serve;
#[path = "common/tunnels.rs"]
mod tunnels;

use common::Scratch;
use serve::{PATIENCE, Server, eventually, finish, free_port};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::thread::spawn;
use tunnels::{Tunnel, answers, port_answers, tcp_server, unix_server};

const MEGABYTE: usize = 1 << 20;

fn local(server: &Server, target: u16) -> (Tunnel, u16) {
    let port = free_port();
    let spec = format!("127.0.0.1:{port}:127.0.0.1:{target}");
    (Tunnel::to_port(&mut server.ssh(&["-N", "-L", &spec]), port), port)
}

#[test]
fn a_local_forward_keeps_each_half() {
    let server = Server::start("");
    let (_tunnel, port) = local(&server, tcp_server());
    for bytes in [0, 1, MEGABYTE] {
        assert!(port_answers(port, bytes), "{bytes} bytes");
    }
    // A name is looked up at the server.
    let (target, port) = (tcp_server(), free_port());
    let spec = format!("127.0.0.1:{port}:localhost:{target}");
    let _tunnel = Tunnel::to_port(&mut server.ssh(&["-N", "-L", &spec]), port);
    assert!(port_answers(port, 1000));
    server.logs(&format!("Forwarding direct-tcpip for {} from 127.0.0.1", server.user));
}

#[test]
fn standard_streams_are_forwarded() {
    let server = Server::start("");
    let done = finish(&mut server.ssh(&["-W", &format!("127.0.0.1:{}", tcp_server())]), b"through");
    assert_eq!((done.code, done.out.as_str()), (0, "through<7>"), "{}", done.err);
    let done = finish(&mut server.ssh(&["-W", &format!("127.0.0.1:{}", free_port())]), b"");
    assert_ne!(done.code, 0);
    server.logs("Not forwarding direct-tcpip");
    server.logs("Connection refused");
}

#[test]
fn a_dynamic_forward_reaches_names_and_addresses() {
    let server = Server::start("");
    let (target, port) = (tcp_server(), free_port());
    let _tunnel = Tunnel::to_port(&mut server.ssh(&["-N", "-D", &format!("127.0.0.1:{port}")]), port);
    for address in [&b"\x01\x7f\0\0\x01"[..], b"\x03\x09localhost"] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"\x05\x01\0").unwrap();
        let mut reply = [0; 2];
        stream.read_exact(&mut reply).unwrap();
        assert_eq!(reply, *b"\x05\0");
        stream.write_all(&[b"\x05\x01\0", address, &target.to_be_bytes()].concat()).unwrap();
        let mut reply = [0; 10];
        stream.read_exact(&mut reply).unwrap();
        assert_eq!(reply[..2], *b"\x05\0");
        assert!(answers(stream, 5000));
    }
}

#[test]
fn a_remote_forward_listens_and_ends_with_its_connection() {
    let server = Server::start("");
    let (target, port) = (tcp_server(), free_port());
    let spec = format!("{port}:127.0.0.1:{target}");
    let tunnel = Tunnel::to_port(&mut server.ssh(&["-N", "-R", &spec]), port);
    for bytes in [0, 1, MEGABYTE] {
        assert!(port_answers(port, bytes), "{bytes} bytes");
    }
    server.logs("Forwarding forwarded-tcpip");
    drop(tunnel);
    eventually("the end of the listener", || TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn a_port_that_was_left_open_is_told_and_can_be_cancelled() {
    let server = Server::start("");
    let target = tcp_server();
    let control = server.place.path("control").display().to_string();
    let mut master = server.ssh(&["-M", "-S", &control, "-N"]);
    let _master = Tunnel::start(&mut master);
    eventually("the master", || std::path::Path::new(&control).exists());
    let ask = |verb: &str, spec: &str| {
        let done = finish(&mut server.ssh(&["-S", &control, "-O", verb, "-R", spec]), b"");
        assert_eq!(done.code, 0, "{verb} {spec}: {}", done.err);
        done.out.trim().to_owned()
    };
    let port: u16 = ask("forward", &format!("0:127.0.0.1:{target}")).parse().unwrap();
    assert!(port_answers(port, 1000));
    let chosen = free_port();
    ask("forward", &format!("{chosen}:127.0.0.1:{target}"));
    assert!(port_answers(chosen, 1000));
    ask("cancel", &format!("{chosen}:127.0.0.1:{target}"));
    eventually("the end of the listener", || TcpStream::connect(("127.0.0.1", chosen)).is_err());
    assert!(port_answers(port, 1000), "the other one stays");
}

#[test]
fn unix_sockets_are_forwarded_both_ways() {
    let server = Server::start("");
    let path = |name: &str| server.place.path(name);
    unix_server(&path("target"));
    let (near, far) = (path("near"), path("far"));
    let arg = |a: &std::path::Path, b: &std::path::Path| format!("{}:{}", a.display(), b.display());
    let _local = Tunnel::start(&mut server.ssh(&["-N", "-L", &arg(&near, &path("target"))]));
    let _remote = Tunnel::start(&mut server.ssh(&["-N", "-R", &arg(&far, &path("target"))]));
    for socket in [near, far] {
        eventually("the socket", || UnixStream::connect(&socket).is_ok());
        for bytes in [0, MEGABYTE] {
            assert!(answers(UnixStream::connect(&socket).unwrap(), bytes), "{}", socket.display());
        }
    }
}

#[test]
fn c13_a_listening_socket_is_the_users_alone_replaces_nothing_and_is_removed() {
    let server = Server::start("");
    let path = server.place.path("socket");
    let spec = format!("{}:127.0.0.1:{}", path.display(), tcp_server());
    let strict = ["-N", "-o", "ExitOnForwardFailure=yes", "-R", &spec];
    let tunnel = Tunnel::start(&mut server.ssh(&strict));
    eventually("the socket", || UnixStream::connect(&path).is_ok());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    // A second one does not take it away.
    assert_ne!(finish(&mut server.ssh(&strict), b"").code, 0);
    assert!(answers(UnixStream::connect(&path).unwrap(), 100));
    drop(tunnel);
    eventually("its end", || !path.exists());
    // Neither does it replace a file.
    std::fs::write(&path, "precious").unwrap();
    assert_ne!(finish(&mut server.ssh(&strict), b"").code, 0);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    server.logs("Not forwarding streamlocal-forward");
    // A path from nowhere.
    let relative = format!("socket:127.0.0.1:{}", tcp_server());
    assert_ne!(finish(&mut server.ssh(&["-N", "-o", "ExitOnForwardFailure=yes", "-R", &relative]), b"").code, 0);
}

#[test]
fn c13_mask_and_unlink_are_the_configurations() {
    let place = Scratch::new();
    for key in ["host", "id", "other"] {
        serve::make_key(&place, key);
    }
    std::fs::copy(place.path("id.pub"), place.path("keys")).unwrap();
    let server = Server::start_in(place, "StreamLocalBindMask 0117\nStreamLocalBindUnlink yes");
    let path = server.place.path("socket");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let spec = format!("{}:127.0.0.1:{}", path.display(), tcp_server());
    let strict = ["-N", "-o", "ExitOnForwardFailure=yes", "-R", &spec];
    let _tunnel = Tunnel::start(&mut server.ssh(&strict));
    eventually("the socket", || UnixStream::connect(&path).is_ok());
    assert!(answers(UnixStream::connect(&path).unwrap(), 100));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    // Only a socket is in the way of a socket.
    let file = server.place.path("file");
    std::fs::write(&file, "precious").unwrap();
    let spec = format!("{}:127.0.0.1:{}", file.display(), tcp_server());
    assert_ne!(finish(&mut server.ssh(&["-N", "-o", "ExitOnForwardFailure=yes", "-R", &spec]), b"").code, 0);
    assert!(!std::fs::metadata(&file).unwrap().file_type().is_socket());
}

#[test]
fn a_thousand_streams_at_once_and_one_that_is_stuck() {
    let server = Server::start("");
    let (_tunnel, port) = local(&server, tcp_server());
    // One that sends for ever to somebody who does not read, until nothing goes on.
    let stuck = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (_other, jammed) = local(&server, stuck.local_addr().unwrap().port());
    spawn(move || {
        let mut stream = TcpStream::connect(("127.0.0.1", jammed)).unwrap();
        while stream.write_all(&[7; 65_536]).is_ok() {}
    });
    let (_held, _) = stuck.accept().unwrap();
    let streams: Vec<_> = (0..1000)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.write_all(&[b'x'; 999]).unwrap();
            stream
        })
        .collect();
    eventually("as many connections", || server.descriptors().iter().filter(|d| d.contains("socket")).count() > 1000);
    for mut stream in streams {
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut got = String::new();
        stream.read_to_string(&mut got).unwrap();
        assert_eq!((got.len(), &got[999..]), (999 + 5, "<999>"));
    }
    eventually("all to be closed", || server.descriptors().iter().filter(|d| d.contains("socket")).count() < 50);
    assert!(server.status("VmRSS") < 128 << 10, "{} KiB", server.status("VmRSS"));
}
