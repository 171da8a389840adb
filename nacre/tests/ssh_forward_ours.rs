//! Tunnels with nacre at both ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/serve.rs"]
mod serve;
#[path = "common/tunnel.rs"]
mod tunnel;

use serve::{Server, finish};
use std::net::TcpStream;
use std::process::Command;
use tunnel::{Carrier, echo_server, exchange, free_port, unix_echo_server, unix_exchange};

fn client(server: &Server, words: &[&str]) -> Command {
    let mut ssh = common::nacre();
    ssh.args(["ssh", "-F", "none", "-T", "-o", "StrictHostKeyChecking=no", "-o", "IdentitiesOnly=yes", "-o"]);
    ssh.arg(format!("UserKnownHostsFile={}", server.place.path("known").display()));
    ssh.args(["-p", &server.port.to_string(), "-i"]).arg(server.place.path("id")).args(words);
    ssh.arg(format!("{}@127.0.0.1", server.user));
    ssh
}

#[test]
fn ports_and_sockets_both_ways_and_two_hundred_at_once() {
    let server = Server::start("");
    let (port, echo) = (free_port(), echo_server());
    let (there, here) = (server.place.path("there"), server.place.path("here"));
    unix_echo_server(&here);
    let local = format!("{port}:127.0.0.1:{echo}");
    let (remote, socket) = (format!("0:127.0.0.1:{echo}"), format!("{}:{}", there.display(), here.display()));
    let mut carrier = Carrier::start(&mut client(&server, &["-N", "-L", &local, "-R", &socket, "-R", &remote]));
    let line = carrier.wait_for("Allocated port");
    let allocated: u16 = line.split(' ').nth(2).unwrap().parse().unwrap();
    assert_eq!(unix_exchange(&there, b"deep"), b"deepend");
    let data: Vec<u8> = (0..200_000_u32).flat_map(u32::to_be_bytes).collect();
    let wanted = [&data[..], b"end"].concat();
    std::thread::scope(|scope| {
        let ports = [port, allocated].into_iter().cycle().take(200);
        let streams: Vec<TcpStream> = ports.map(|port| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
        let data = &data;
        let done: Vec<_> = streams.into_iter().map(|stream| scope.spawn(move || exchange(stream, data))).collect();
        for back in done {
            assert!(back.join().unwrap() == wanted);
        }
    });
}

#[test]
fn standard_input_and_output() {
    let server = Server::start("");
    let done = finish(&mut client(&server, &["-W", &format!("127.0.0.1:{}", echo_server())]), b"through");
    assert_eq!((done.code, done.out.as_str()), (0, "throughend"), "{}", done.err);
    let there = server.place.path("there");
    unix_echo_server(&there);
    let done = finish(&mut client(&server, &["-W", there.to_str().unwrap()]), b"through");
    assert_eq!((done.code, done.out.as_str()), (0, "throughend"), "{}", done.err);
}
