//! As root: many connections at once and one after another: fresh randomness in each (threat T21),
//! and what they cost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/root.rs"]
mod root;
#[path = "common/serve.rs"]
mod serve;

use nacre_wire::{Reader, WriteExt};
use root::{Root, possible, status};
use serve::PATIENCE;
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Instant;

/// So many with `NACRE_LONG`, and fewer without.
fn many(long: usize, short: usize) -> usize {
    if std::env::var_os("NACRE_LONG").is_some() { long } else { short }
}

fn connect(server: &Root) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    BufReader::new(stream)
}

/// A packet in clear (RFC 4253 §6): its payload.
fn packet(stream: &mut BufReader<TcpStream>) -> Vec<u8> {
    let mut head = [0; 5];
    stream.read_exact(&mut head).unwrap();
    let length = u32::from_be_bytes(head[..4].try_into().unwrap()) as usize;
    let mut body = vec![0; length - 1];
    stream.read_exact(&mut body).unwrap();
    body.truncate(length - 1 - usize::from(head[4]));
    body
}

fn send(stream: &mut BufReader<TcpStream>, payload: &[u8]) {
    let padding = 8 - (payload.len() + 5) % 8 + 8;
    let mut bytes = Vec::new();
    bytes.put_u32(u32::try_from(payload.len() + padding + 1).unwrap());
    bytes.push(u8::try_from(padding).unwrap());
    bytes.extend_from_slice(payload);
    bytes.extend(vec![0; padding]);
    stream.get_mut().write_all(&bytes).unwrap();
}

/// What a server chose at random for one connection.
struct Fresh {
    cookie: Vec<u8>,
    ephemeral: Vec<u8>,
    /// The first number of its ECDSA signature, which tells of the nonce.
    r: Vec<u8>,
}

/// Exchanges keys as far as the server's reply, by RFC 4253 §7 and RFC 8731, with the base point for
/// a public key.
fn fresh(server: &Root) -> Fresh {
    let mut stream = connect(server);
    stream.get_mut().write_all(b"SSH-2.0-test\r\n").unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    assert!(line.starts_with("SSH-2.0-"), "{line}");
    let theirs = packet(&mut stream);
    let mut ours = theirs[..17].to_vec();
    ours[1..17].fill(1);
    let mut lists = Reader::new(&theirs[17..]);
    for place in 0..10 {
        let list = lists.string("list").unwrap();
        ours.put_string(match place {
            0 => b"curve25519-sha256".as_slice(),
            1 => b"ecdsa-sha2-nistp256",
            _ => list,
        });
    }
    ours.extend([0; 5]);
    send(&mut stream, &ours);
    let mut base = [0; 32];
    base[0] = 9;
    let mut init = vec![30];
    init.put_string(base);
    send(&mut stream, &init);
    let reply = packet(&mut stream);
    let mut reader = Reader::new(&reply);
    assert_eq!(reader.u8("number").unwrap(), 31);
    let _host_key = reader.string("host key").unwrap();
    let ephemeral = reader.string("ephemeral key").unwrap().to_vec();
    let mut signature = Reader::new(reader.string("signature").unwrap());
    assert_eq!(signature.string("algorithm").unwrap(), b"ecdsa-sha2-nistp256");
    let mut numbers = Reader::new(signature.string("numbers").unwrap());
    let r = numbers.mpint("r").unwrap().to_vec();
    Fresh { cookie: theirs[1..17].to_vec(), ephemeral, r }
}

#[test]
fn t21_monitors_and_net_processes_share_no_randomness() {
    if !possible() {
        return;
    }
    let lines = "PerSourcePenalties no\nMaxStartups 1000\nHostKeyAlgorithms ecdsa-sha2-nistp256";
    let server = Root::start_with_host_key(Path::new(env!("CARGO_BIN_EXE_nacre")), lines, "ecdsa");
    let count = many(1000, 200);
    let all: Vec<Fresh> = (0..count).map(|_| fresh(&server)).collect();
    for part in [|f: &Fresh| f.cookie.clone(), |f: &Fresh| f.ephemeral.clone(), |f: &Fresh| f.r.clone()] {
        let different: HashSet<Vec<u8>> = all.iter().map(part).collect();
        assert_eq!(different.len(), count);
    }
}

#[test]
fn a11_startups_are_counted_before_anything_is_forked() {
    if !possible() {
        return;
    }
    let server = Root::start(Path::new(env!("CARGO_BIN_EXE_nacre")), "PerSourcePenalties no\nMaxStartups 10:100:10");
    let mut idle = Vec::new();
    let mut most = 0;
    for _ in 0..100 {
        idle.push(connect(&server));
        most = most.max(server.families().len());
    }
    // Who is new takes the place of somebody who says nothing, whose processes need a moment to end.
    assert!(most <= 28, "{most} connections had processes");
    server.settles(10);
    drop(idle);
    server.settles(0);
}

/// What a process has for itself and its share of what it shares, in KiB.
fn share(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap_or("0");
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn a11_idle_connections_are_cheap_and_keep_nobody_out() {
    if !possible() {
        return;
    }
    nacre_sys::privileges::raise_open_files().unwrap();
    let server = Root::start(
        Path::new(env!("CARGO_BIN_EXE_nacre")),
        "PerSourcePenalties no\nMaxStartups 3000\nLoginGraceTime 600",
    );
    let count = many(2000, 200);
    let start = Instant::now();
    let mut idle: Vec<BufReader<TcpStream>> = (0..count).map(|_| connect(&server)).collect();
    for stream in &mut idle {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        assert!(line.starts_with("SSH-"), "{line}");
    }
    let taken = start.elapsed();
    // They go to rest.
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let families = server.families();
    assert_eq!(families.len(), count);
    let shares: u64 = families.iter().flat_map(|f| [Some(f.monitor), f.net]).flatten().map(share).sum();
    let login = Instant::now();
    assert_eq!(server.run("carol", "echo in").out, "in\n");
    let login = login.elapsed();
    let each = shares / count as u64;
    println!("{count} idle: {taken:?} to take them, {each} KiB each, then a login in {login:?}");
    assert!(each < 2500, "{each} KiB for an idle connection");
    assert!(login.as_secs() < 60, "a login took {login:?}");
    drop(idle);
    server.settles(0);
    assert_eq!(status(server.pid(), "Threads"), "1");
}

#[test]
fn a11_parallel_logins_all_get_in() {
    if !possible() {
        return;
    }
    let server = Root::start(Path::new(env!("CARGO_BIN_EXE_nacre")), "PerSourcePenalties no\nMaxStartups 3000");
    let count = many(200, 40);
    let start = Instant::now();
    let client = |_| {
        let mut ssh = server.ssh("carol", &["-o", "ConnectTimeout=100"]);
        ssh.arg("true").stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
    };
    let clients: Vec<Child> = (0..count).map(client).collect();
    for mut client in clients {
        assert!(client.wait().unwrap().success(), "{}", server.log());
    }
    println!("{count} logins at once took {:?}", start.elapsed());
    server.settles(0);
}
