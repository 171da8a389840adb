//! Who may forward what: keywords and options of keys, asked for by OpenSSH's client (threats C7, C13).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/serve.rs"]
mod serve;
#[path = "common/tunnels.rs"]
mod tunnels;

use common::Scratch;
use serve::{Server, eventually, finish, free_port};
use std::net::TcpStream;
use tunnels::{Tunnel, tcp_server, unix_server};

/// What a login may have: connections to `allowed` and to `other`, ports to listen on, Unix sockets both ways.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
struct May {
    allowed: bool,
    other: bool,
    listen: bool,
    listen_other: bool,
    unix: bool,
    unix_listen: bool,
}

const NOTHING: May =
    May { allowed: false, other: false, listen: false, listen_other: false, unix: false, unix_listen: false };
const EVERYTHING: May =
    May { allowed: true, other: true, listen: true, listen_other: true, unix: true, unix_listen: true };

/// Targets of a test.
struct Targets {
    allowed: u16,
    other: u16,
    listen: u16,
    listen_other: u16,
}

impl Targets {
    fn new() -> Self {
        Self { allowed: tcp_server(), other: tcp_server(), listen: free_port(), listen_other: free_port() }
    }

    /// `%a %o %l %m` are the ports.
    fn fill(&self, text: &str) -> String {
        let ports = [("%a", self.allowed), ("%o", self.other), ("%l", self.listen), ("%m", self.listen_other)];
        ports.iter().fold(text.to_owned(), |text, (name, port)| text.replace(name, &port.to_string()))
    }

    /// Tries everything.
    fn ask(&self, server: &Server) -> May {
        let reaches = |target: &str| {
            let done = finish(&mut server.ssh(&["-W", target]), b"through");
            assert!(done.out == "through<7>" || done.out.is_empty(), "{done:?}");
            done.out == "through<7>"
        };
        // The client ends at once when it may not listen; else it runs until its time is over.
        let listens = |spec: &str| {
            let mut ssh = server.ssh(&["-N", "-o", "ExitOnForwardFailure=yes", "-R", spec]);
            let mut tunnel = Tunnel::start(&mut ssh);
            let socket = server.place.path("listening");
            let mut stands = false;
            eventually("an answer", || {
                let port = spec.split(':').next().unwrap().parse::<u16>();
                stands = match port {
                    Ok(port) => TcpStream::connect(("127.0.0.1", port)).is_ok(),
                    Err(_) => socket.exists(),
                };
                stands || !tunnel.runs()
            });
            drop(tunnel);
            eventually("its end", || !socket.exists());
            stands
        };
        let unix = server.place.path("unix").display().to_string();
        if !std::path::Path::new(&unix).exists() {
            unix_server(std::path::Path::new(&unix));
        }
        // OpenSSH's client has -W for ports only.
        let near = server.place.path("near");
        let tunnel = Tunnel::start(&mut server.ssh(&["-N", "-L", &format!("{}:{unix}", near.display())]));
        let mut unix = None;
        eventually("the client's socket", || {
            unix = std::os::unix::net::UnixStream::connect(&near).ok();
            unix.is_some()
        });
        let unix = tunnels::answers(unix.unwrap(), 100);
        drop(tunnel);
        let _ = std::fs::remove_file(&near);
        let to = |port: u16| format!("127.0.0.1:{port}");
        let back = |port: u16| format!("{port}:127.0.0.1:{}", self.allowed);
        May {
            allowed: reaches(&to(self.allowed)),
            other: reaches(&to(self.other)),
            listen: listens(&back(self.listen)),
            listen_other: listens(&back(self.listen_other)),
            unix,
            unix_listen: listens(&format!("{}:{}", server.place.path("listening").display(), to(self.allowed))),
        }
    }
}

/// Tries everything under these lines, with these options before the key.
#[track_caller]
fn check(lines: &str, options: &str, expected: May) {
    let (targets, place) = (Targets::new(), Scratch::new());
    for key in ["host", "id", "other"] {
        serve::make_key(&place, key);
    }
    let key = place.read("id.pub");
    place.write("keys", &targets.fill(&format!("{options} {key}")));
    let server = Server::start_in(place, &targets.fill(&format!("PerSourcePenalties no\n{lines}")));
    assert_eq!(targets.ask(&server), expected, "{lines:?} {options:?}\n{}", server.log());
}

#[test]
fn c07_switches_of_the_configuration() {
    check("", "", EVERYTHING);
    check("AllowTcpForwarding no", "", May { unix: true, unix_listen: true, ..NOTHING });
    check("AllowTcpForwarding local", "", May { listen: false, listen_other: false, ..EVERYTHING });
    check("AllowTcpForwarding remote", "", May { allowed: false, other: false, ..EVERYTHING });
    check("AllowStreamLocalForwarding no", "", May { unix: false, unix_listen: false, ..EVERYTHING });
    check("AllowStreamLocalForwarding local", "", May { unix_listen: false, ..EVERYTHING });
}

#[test]
fn c07_the_master_switches_cover_every_kind() {
    check("DisableForwarding yes\nAllowTcpForwarding yes\nAllowStreamLocalForwarding yes", "", NOTHING);
    check("Match all\nDisableForwarding yes", "", NOTHING);
    check("", "no-port-forwarding", NOTHING);
    check("", "restrict", NOTHING);
    check("", "restrict,port-forwarding", EVERYTHING);
}

#[test]
fn c07_lists_of_what_is_permitted() {
    let open = May { other: false, unix: false, ..EVERYTHING };
    check("PermitOpen 127.0.0.1:%a", "", open);
    check("", "permitopen=\"127.0.0.1:%a\"", open);
    check("PermitOpen none", "", May { allowed: false, ..open });
    check("PermitOpen 127.0.0.1:%a", "permitopen=\"127.0.0.1:%o\"", May { allowed: false, ..open });
    let listen = May { listen_other: false, unix_listen: false, ..EVERYTHING };
    check("PermitListen localhost:%l", "", listen);
    check("", "permitlisten=\"%l\"", listen);
    check("Match all\nPermitListen none\nPermitOpen none", "", NOTHING);
}

#[test]
fn c07_a_forced_command_is_no_way_round() {
    check("", "command=\"true\"", NOTHING);
    check("ForceCommand true", "", NOTHING);
    check("ForceCommand internal-sftp", "", NOTHING);
    check("", "command=\"true\",permitopen=\"127.0.0.1:%a\"", May { allowed: true, ..NOTHING });
    check("AllowTcpForwarding yes\nForceCommand true", "", May { unix: false, unix_listen: false, ..EVERYTHING });
}

#[test]
fn c07_listeners_are_this_machines_unless_gateway_ports_says_otherwise() {
    // 127.0.0.2 is reached by who listens everywhere, or on it.
    let cases = [
        ("no", "", false),
        ("no", "*:", false),
        ("no", "127.0.0.2:", false),
        ("clientspecified", "localhost:", false),
        ("clientspecified", "*:", true),
        ("clientspecified", "127.0.0.2:", true),
        ("yes", "localhost:", true),
    ];
    let target = tcp_server();
    for value in ["no", "clientspecified", "yes"] {
        let server = Server::start(&format!("GatewayPorts {value}\nPerSourcePenalties no"));
        for (_, address, expected) in cases.iter().filter(|(with, ..)| *with == value) {
            let port = free_port();
            let spec = format!("{address}{port}:127.0.0.1:{target}");
            let _tunnel = Tunnel::start(&mut server.ssh(&["-N", "-R", &spec]));
            let reached = |host: &str| TcpStream::connect((host, port)).is_ok();
            eventually("the listener", || reached("127.0.0.1") || reached("127.0.0.2"));
            assert_eq!(reached("127.0.0.2"), *expected, "GatewayPorts {value}, -R {spec}");
        }
    }
}

#[test]
fn c07_listeners_are_of_the_configured_address_family() {
    let target = tcp_server();
    let has_ipv6 = std::net::TcpListener::bind("[::1]:0").is_ok();
    for (family, expected) in [("any", has_ipv6), ("inet", false)] {
        let server = Server::start(&format!("GatewayPorts yes\nAddressFamily {family}\nListenAddress 127.0.0.1"));
        let port = free_port();
        let _tunnel = Tunnel::start(&mut server.ssh(&["-N", "-R", &format!("{port}:127.0.0.1:{target}")]));
        let reached = |host: &str| TcpStream::connect((host, port)).is_ok();
        eventually("the listener", || reached("127.0.0.1"));
        if expected {
            eventually("the other listener", || reached("::1"));
        } else {
            assert!(!reached("::1"), "AddressFamily {family}");
        }
    }
}

#[test]
fn c07_refusals_and_forwards_are_written_down() {
    let server = Server::start("LogFormat json\nPermitOpen none\nPerSourcePenalties no");
    finish(&mut server.ssh(&["-W", "127.0.0.1:9"]), b"");
    server.logs("\"event\":\"forward_refused\"");
    let log = server.log();
    let line = log.lines().find(|line| line.contains("forward_refused")).unwrap();
    let event: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!((&event["kind"], &event["target"]), (&"direct-tcpip".into(), &"127.0.0.1 port 9".into()));
    assert_eq!((&event["prohibited"], &event["level"]), (&true.into(), &"warning".into()));
    assert!(event["reason"].as_str().unwrap().contains("PermitOpen"), "{event}");
}
