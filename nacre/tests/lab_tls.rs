//! TLS in the laboratory: our ends beside those of OpenSSL, which says what it saw itself.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/lab.rs"]
mod lab;
#[path = "common/peer.rs"]
mod peer;

use common::{Scratch, text};
use lab::Running;
use nacre::lab::tls::{Identity, NAME, join, serve};
use nacre_lab::tls::{CHOSEN, MESSAGE, overheard};
use nacre_lab::{Step, Who};
use nacre_wire::Role;
use peer::{free_port, require};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// The messages of the handshake that a side sent, as our steps have them: name and length.
fn told(steps: &[Step], who: Who) -> Vec<(String, usize)> {
    let field = |step: &Step| step.fields.iter().find(|field| field.label == MESSAGE).map(|field| field.value.clone());
    let of_side = steps.iter().filter(|step| step.who == who);
    let messages = of_side.filter_map(|step| Some((step.name, field(step)?)));
    let length = |value: &str| value.split(' ').nth(2).unwrap().parse().unwrap();
    // What asks for another hello is a SERVER HELLO too, by its number.
    let name = |name: &str| name.replace("hello_retry_request", "server_hello").replace('_', "");
    messages.map(|(step, value)| (name(step), length(&value))).collect()
}

/// The same as OpenSSL's `-msg` has them. `arrow` stands before the lines of that side.
fn openssl_told(out: &str, arrow: &str) -> Vec<(String, usize)> {
    let lines = out.lines().filter(|line| line.starts_with(arrow) && line.contains(", Handshake [length "));
    lines
        .map(|line| {
            let (length, name) = line.split_once("[length ").unwrap().1.split_once("], ").unwrap();
            (name.to_ascii_lowercase(), usize::from_str_radix(length, 16).unwrap())
        })
        .collect()
}

fn chosen<'a>(steps: &'a [Step], name: &str) -> &'a str {
    let step = steps.iter().find(|step| step.name == name).unwrap_or_else(|| panic!("no {name}"));
    &step.fields.iter().find(|field| field.label == CHOSEN).unwrap().value
}

/// Each side's handshake is the one that OpenSSL tells, to the byte.
fn assert_same(steps: &[Step], openssl: &str, (client, server): (&str, &str)) {
    for (who, arrow) in [(Who::Client, client), (Who::Server, server)] {
        let messages = told(steps, who);
        assert!(messages.len() > 1, "{messages:?}");
        assert_eq!(messages, openssl_told(openssl, arrow), "{openssl}");
    }
    assert_eq!(chosen(steps, "server_hello"), "TLS 1.3");
    assert!(openssl.contains(&format!("TLSv1.3, Cipher is {}", chosen(steps, "cipher_suite"))), "{openssl}");
    assert!(steps.iter().filter(|step| step.name == "application_data").count() >= 2);
}

/// Our client and OpenSSL's server.
#[test]
fn lab_our_tls_client_tells_what_openssls_server_tells() {
    let place = Scratch::new();
    let (key, certificate) = (place.path("key.pem"), place.path("cert.pem"));
    let mut make = require("openssl", "openssl");
    make.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes", "-days", "2"]);
    make.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
    make.args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"]).arg(&key).arg("-out").arg(&certificate);
    let made = make.output().unwrap();
    assert!(made.status.success(), "{}", text(made.stderr));
    let der =
        require("openssl", "openssl").args(["x509", "-outform", "der", "-in"]).arg(&certificate).output().unwrap();

    let port = free_port();
    let mut command = require("openssl", "openssl");
    command.args(["s_server", "-msg", "-naccept", "1", "-accept", &format!("127.0.0.1:{port}"), "-key"]);
    let mut server = Running::start(command.arg(&key).arg("-cert").arg(&certificate));
    server.hears("ACCEPT");
    let client = std::thread::spawn(move || {
        let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        join(socket, der.stdout.into()).map_err(|failure| failure.to_string())
    });
    server.hears("Hi, server!");
    server.say("an answer");
    let recording = client.join().unwrap().unwrap();
    let steps = recording.told().unwrap_or_else(|failure| panic!("{failure}"));
    server.ends();
    let out = server.out().replace("CIPHER is ", "TLSv1.3, Cipher is ");
    assert_same(&steps, &out, ("<<<", ">>>"));
    assert_eq!(chosen(&steps, "certificate_verify"), "ecdsa_secp384r1_sha384");
}

/// OpenSSL's client and our server, heard by somebody between them who has the client's key log.
#[test]
fn lab_openssls_tls_client_is_heard_with_its_own_key_log() {
    let suites = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];
    for (suite, groups) in suites.into_iter().zip(["X25519", "P-256", "P-521:X25519"]) {
        let (place, own) = (Scratch::new(), Identity::generate().unwrap_or_else(|failure| panic!("{failure}")));
        let (der, pem, keys) = (place.path("cert.der"), place.path("cert.pem"), place.path("keys"));
        std::fs::write(&der, &own.certificate).unwrap();
        let mut convert = require("openssl", "openssl");
        convert.args(["x509", "-inform", "der", "-in"]).arg(&der).arg("-out").arg(&pem);
        assert!(convert.status().unwrap().success());

        let servers = TcpListener::bind("127.0.0.1:0").unwrap();
        let (spoken, port) = between(servers.local_addr().unwrap().port());
        let server =
            std::thread::spawn(move || serve(servers.accept().unwrap().0, own).map_err(|failure| failure.to_string()));
        let mut command = require("openssl", "openssl");
        command.args(["s_client", "-msg", "-connect", &format!("127.0.0.1:{port}"), "-servername", NAME]);
        command.args(["-verify_return_error", "-ciphersuites", suite, "-groups", groups]);
        let mut client = Running::start(command.arg("-CAfile").arg(&pem).arg("-keylogfile").arg(&keys));
        client.hears("Verify return code: 0 (ok)");
        client.say("hello");
        client.hears("Server received: hello");
        client.say("Q");
        client.ends();
        server.join().unwrap().unwrap();
        let steps = overheard(&spoken.lock().unwrap(), &place.read("keys")).unwrap();
        let out = client.out();
        assert_same(&steps, &out, (">>>", "<<<"));
        assert_eq!(chosen(&steps, "cipher_suite"), suite);
        assert_eq!(chosen(&steps, "certificate_verify"), "ecdsa_secp256r1_sha256");
        let group = chosen(&steps, "key_share");
        let named = if group == "X25519" { "X25519, 253 bits" } else { "ECDH, prime256v1, 256 bits" };
        assert!(out.contains(&format!("Server Temp Key: {named}")), "{group}: {out}");
        // Of what the client offered first the last server wanted none.
        assert_eq!(steps.iter().any(|step| step.name == "hello_retry_request"), groups.contains(':'), "{groups}");
    }
}

type Spoken = Arc<Mutex<Vec<(Role, Vec<u8>)>>>;

/// A listener that passes one connection on to a port, and keeps what passes.
fn between(to: u16) -> (Spoken, u16) {
    let (listener, spoken) = (TcpListener::bind("127.0.0.1:0").unwrap(), Spoken::default());
    let (port, kept) = (listener.local_addr().unwrap().port(), spoken.clone());
    std::thread::spawn(move || {
        let (client, server) = (listener.accept().unwrap().0, TcpStream::connect(("127.0.0.1", to)).unwrap());
        for (by, mut from, mut to) in
            [(Role::Client, client.try_clone().unwrap(), server.try_clone().unwrap()), (Role::Server, server, client)]
        {
            let kept = kept.clone();
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(count @ 1..) = from.read(&mut buffer) {
                    kept.lock().unwrap().push((by, buffer[..count].to_vec()));
                    if to.write_all(&buffer[..count]).is_err() {
                        return;
                    }
                }
                let _ = to.shutdown(std::net::Shutdown::Write);
            });
        }
    });
    (spoken, port)
}
