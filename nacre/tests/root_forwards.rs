//! As root: the user's helper makes the sockets of forwards, the monitor judges, the net process carries.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/root.rs"]
mod root;
#[path = "common/serve.rs"]
mod serve;
#[path = "common/tunnels.rs"]
mod tunnels;

use root::{Root, possible, status};
use serve::{PATIENCE, eventually, finish, free_port};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use tunnels::{Tunnel, answers, port_answers, tcp_server, unix_server};

/// Carol's number.
const CAROL: u32 = root::ACCOUNTS[0].1;
const MEGABYTE: usize = 1 << 20;

fn start(lines: &str) -> Option<Root> {
    possible().then(|| Root::start(Path::new(env!("CARGO_BIN_EXE_nacre")), &format!("PerSourcePenalties no\n{lines}")))
}

#[test]
fn p18_forwards_of_every_kind_are_carried() {
    let Some(server) = start("") else { return };
    let target = tcp_server();
    let done = finish(&mut server.ssh("carol", &["-W", &format!("localhost:{target}")]), b"through");
    assert_eq!((done.code, done.out.as_str()), (0, "through<7>"), "{}\n{}", done.err, server.log());
    let (local, remote) = (free_port(), free_port());
    let specs = [format!("127.0.0.1:{local}:127.0.0.1:{target}"), format!("{remote}:127.0.0.1:{target}")];
    let mut ssh = server.ssh("carol", &["-N", "-L", &specs[0], "-R", &specs[1]]);
    let tunnel = Tunnel::to_port(&mut ssh, remote);
    for port in [local, remote] {
        for bytes in [0, 1, MEGABYTE] {
            assert!(port_answers(port, bytes), "{bytes} bytes\n{}", server.log());
        }
    }
    server.logs("Forwarding direct-tcpip for carol");
    server.logs("Forwarding tcpip-forward for carol");
    server.logs("Forwarding forwarded-tcpip for carol");
    drop(tunnel);
    eventually("the end of the listener", || TcpStream::connect(("127.0.0.1", remote)).is_err());
    server.settles(0);
}

#[test]
fn a18_c13_forwarded_unix_sockets_are_the_users() {
    let Some(server) = start("") else { return };
    let home = server.place.path("home-carol");
    // Whoever connects for carol is carol.
    let asked = server.place.path("asks-who");
    let listener = UnixListener::bind(&asked).unwrap();
    std::fs::set_permissions(&asked, std::fs::Permissions::from_mode(0o777)).unwrap();
    let peers = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        nacre_sys::messages::MessageSocket::from(std::os::fd::OwnedFd::from(stream)).peer_pid_uid().unwrap().1
    });
    let near = server.place.path("near");
    let spec = format!("{}:{}", near.display(), asked.display());
    let _tunnel = Tunnel::start(&mut server.ssh("carol", &["-N", "-L", &spec]));
    eventually("the client's socket", || UnixStream::connect(&near).is_ok());
    assert_eq!(peers.join().unwrap(), CAROL);
    // What listens for carol is carol's, for nobody else, and goes with the connection.
    let (path, target) = (home.join("socket"), server.place.path("target"));
    unix_server(&target);
    let spec = format!("{}:{}", path.display(), target.display());
    let remote = Tunnel::start(&mut server.ssh("carol", &["-N", "-R", &spec]));
    eventually("the socket", || UnixStream::connect(&path).is_ok());
    let file = std::fs::metadata(&path).unwrap();
    assert_eq!((file.uid(), file.gid(), file.mode() & 0o777), (CAROL, CAROL, 0o600));
    assert!(answers(UnixStream::connect(&path).unwrap(), MEGABYTE), "{}", server.log());
    drop(remote);
    eventually("its end", || !path.exists());
    // Where carol may not write she gets none.
    let spec = format!("/run/for-root-only:{}", target.display());
    let done = finish(&mut server.ssh("carol", &["-N", "-o", "ExitOnForwardFailure=yes", "-R", &spec]), b"");
    assert_ne!(done.code, 0);
    server.logs("Permission denied");
}

#[test]
fn c07_the_monitor_judges() {
    let permitted = tcp_server();
    let Some(server) = start(&format!("PermitOpen 127.0.0.1:{permitted}\nGatewayPorts no")) else { return };
    let reaches =
        |port: u16| finish(&mut server.ssh("carol", &["-W", &format!("127.0.0.1:{port}")]), b"x").out == "x<1>";
    assert!(reaches(permitted) && !reaches(tcp_server()));
    server.logs("is not permitted (PermitOpen)");
    let listens = |spec: &str| {
        let mut ssh = server.ssh("carol", &["-N", "-o", "ExitOnForwardFailure=yes", "-R", spec]);
        finish(&mut ssh, b"").code
    };
    assert_ne!(listens(&format!("81:127.0.0.1:{permitted}")), 0);
    server.logs("only root listens on port 81");
    let port = free_port();
    let _tunnel = Tunnel::to_port(&mut server.ssh("carol", &["-N", "-R", &format!("*:{port}:127.0.0.1:1")]), port);
    assert!(TcpStream::connect(("127.0.0.2", port)).is_err(), "everybody may come");
}

#[test]
fn a_thousand_streams_at_once_and_a_cancelled_listener() {
    let Some(server) = start("") else { return };
    let (target, local) = (tcp_server(), free_port());
    let control = server.place.path("control").display().to_string();
    let spec = format!("127.0.0.1:{local}:127.0.0.1:{target}");
    let _master = Tunnel::to_port(&mut server.ssh("carol", &["-M", "-S", &control, "-N", "-L", &spec]), local);
    let streams: Vec<_> = (0..1000)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", local)).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.write_all(&[b'x'; 999]).unwrap();
            stream
        })
        .collect();
    for mut stream in streams {
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut got = String::new();
        stream.read_to_string(&mut got).unwrap();
        assert_eq!(got.len(), 999 + 5, "{}", server.log().lines().last().unwrap_or_default());
    }
    let family = server.families()[0].clone();
    let memory =
        |pid: Option<u32>| -> u64 { status(pid.unwrap(), "VmRSS").split(' ').next().unwrap().parse().unwrap() };
    let most = memory(family.net) + memory(family.helper) + memory(Some(family.monitor));
    assert!(most < 128 << 10, "{most} KiB");
    let ask = |verb: &str, spec: &str| {
        let done = finish(&mut server.ssh("carol", &["-S", &control, "-O", verb, "-R", spec]), b"");
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
