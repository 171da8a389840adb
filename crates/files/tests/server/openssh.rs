//! The same requests to OpenSSH's sftp-server and to ours, in folders that look alike: the replies are the same.

use crate::driver::Got;
use nacre_files::server::{Settings, serve};
use nacre_sftp::request::{FXF_APPEND, FXF_CREAT, FXF_EXCL, FXF_READ, FXF_TRUNC, FXF_WRITE};
use nacre_sftp::{Attributes, Code, Extended, Reply, Request, client, packet};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

const THEIRS: &str = "/usr/lib/openssh/sftp-server";

fn place() -> TempDir {
    let place = TempDir::new().unwrap();
    let at = |name: &str| place.path().join(name);
    fs::create_dir_all(at("full/sub")).unwrap();
    fs::create_dir(at("empty")).unwrap();
    fs::write(at("file"), b"content").unwrap();
    fs::write(at("other"), b"other").unwrap();
    symlink("file", at("link")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    symlink("loop", at("loop")).unwrap();
    place
}

/// One end of a server, whoever serves there, in a fresh folder.
fn ask(theirs: bool, requests: &[Asked]) -> Vec<Got> {
    let place = place();
    let (mut stream, other) = UnixStream::pair().unwrap();
    if theirs {
        let fd = || Stdio::from(std::os::fd::OwnedFd::from(other.try_clone().unwrap()));
        let mut server = Command::new(THEIRS);
        let mut child =
            server.current_dir(place.path()).stdin(fd()).stdout(fd()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::spawn(move || child.wait());
    } else {
        let start = Some(place.path().to_owned());
        std::thread::spawn(move || serve(Settings { start, ..Settings::default() }, &other, &other));
    }
    let mut out = Vec::new();
    client::encode_init(&mut out);
    stream.write_all(&out).unwrap();
    receive(&mut stream);
    let mut handles: Vec<Vec<u8>> = Vec::new();
    let mut replies = Vec::new();
    for asked in requests {
        let none = b"none".to_vec();
        let handle = |which: usize| handles.get(which).unwrap_or(&none).clone();
        let mut out = Vec::new();
        match asked {
            Asked::Plain(request) => request.encode(1, &mut out),
            Asked::By(which, make) => make(&handle(*which)).encode(1, &mut out),
            Asked::Copy(from, to, make) => make(&handle(*from), &handle(*to)).encode(1, &mut out),
        }
        stream.write_all(&out).unwrap();
        let packet = receive(&mut stream);
        let (_, reply) = Reply::decode(&packet).unwrap();
        let got = Got::from(reply);
        if let Got::Handle(handle) = &got {
            handles.push(handle.clone());
        }
        replies.push(comparable(got, place.path()));
    }
    replies
}

/// Without what differs between two folders, and without words, which are ours.
fn comparable(got: Got, place: &Path) -> Got {
    match got {
        Got::Handle(_) => Got::Handle(Vec::new()),
        Got::Status(code, _) => Got::Status(code, String::new()),
        Got::Attributes(attributes) => Got::Attributes(Attributes { times: None, ..attributes }),
        Got::Names(names) => {
            let real = place.canonicalize().unwrap().display().to_string();
            let clean = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&real, "HERE").into_bytes();
            let mut names: Vec<_> = names.iter().map(|name| (clean(&name.name), clean(&name.long))).collect();
            // In whatever order the folder has them; the one above is not ours to compare.
            names.retain(|(name, _)| name != b"..");
            names.sort();
            Got::Data(
                names
                    .into_iter()
                    .flat_map(|(name, long)| [name, b"|".to_vec(), long, b"\n".to_vec()].concat())
                    .collect(),
            )
        }
        other => other,
    }
}

fn receive(stream: &mut UnixStream) -> Vec<u8> {
    let mut whole = vec![0; packet::LENGTH];
    stream.read_exact(&mut whole).unwrap();
    let length = u32::from_be_bytes(whole[..4].try_into().unwrap());
    let mut packet = vec![0; length as usize];
    stream.read_exact(&mut packet).unwrap();
    packet
}

type ByHandle = fn(&[u8]) -> Request<'_>;
type ByTwo = for<'a> fn(&'a [u8], &'a [u8]) -> Request<'a>;

/// A request, maybe about the handles that were given out, counted from 0.
enum Asked {
    Plain(Request<'static>),
    By(usize, ByHandle),
    Copy(usize, usize, ByTwo),
}

fn requests() -> Vec<Asked> {
    let open = |path: &'static str, flags| Request::Open { path: path.as_bytes(), flags, attributes: mode(0o600) };
    let mut all = Vec::new();
    let both = FXF_READ | FXF_WRITE;
    for request in [
        // Handles 0 to 5.
        open("file", FXF_READ),
        open("file", both),
        open("made", both | FXF_CREAT | FXF_EXCL),
        open("other", FXF_WRITE | FXF_APPEND),
        Request::Opendir { path: b"full" },
        open("empty", FXF_READ),
        // And what is refused.
        open("made", both | FXF_CREAT | FXF_EXCL),
        open("absent", FXF_READ),
        open("absent/x", FXF_WRITE | FXF_CREAT),
        open("file/x", FXF_READ),
        open("loop", FXF_READ),
        open("dangling", FXF_READ),
        open("empty", FXF_WRITE),
        open("", FXF_READ),
        Request::Opendir { path: b"file" },
        Request::Opendir { path: b"absent" },
    ] {
        all.push(Asked::Plain(request));
    }
    let by: [(usize, ByHandle); 22] = [
        (0, |handle| Request::Read { handle, offset: 0, length: 100 }),
        (0, |handle| Request::Read { handle, offset: 3, length: 2 }),
        (0, |handle| Request::Read { handle, offset: 7, length: 2 }),
        (0, |handle| Request::Read { handle, offset: 0, length: 0 }),
        (0, |handle| Request::Read { handle, offset: 1 << 63, length: 1 }),
        (0, |handle| Request::Write { handle, offset: 0, data: b"x" }),
        (1, |handle| Request::Write { handle, offset: 9, data: b"yy" }),
        (0, |handle| Request::Read { handle, offset: 0, length: u32::MAX }),
        (3, |handle| Request::Write { handle, offset: 0, data: b"+" }),
        (3, |handle| Request::Read { handle, offset: 0, length: 1 }),
        (1, |handle| Request::Fstat { handle }),
        (9, |handle| Request::Fstat { handle }),
        (1, |handle| Request::Fsetstat { handle, attributes: Attributes { size: Some(3), ..mode(0o640) } }),
        (0, |handle| Request::Fsetstat { handle, attributes: Attributes { size: Some(1), ..Attributes::default() } }),
        (4, |handle| Request::Readdir { handle }),
        (4, |handle| Request::Readdir { handle }),
        (4, |handle| Request::Read { handle, offset: 0, length: 1 }),
        (0, |handle| Request::Readdir { handle }),
        (5, |handle| Request::Read { handle, offset: 0, length: 1 }),
        (1, |handle| Request::Extended(Extended::Fsync { handle })),
        (9, |handle| Request::Extended(Extended::Fsync { handle })),
        (9, |handle| Request::Extended(Extended::Fstatvfs { handle })),
    ];
    all.extend(by.map(|(which, make)| Asked::By(which, make)));
    let copies: [(usize, usize, ByTwo); 3] = [(0, 2, copy_all), (0, 0, copy_all), (0, 4, copy_all)];
    all.extend(copies.map(|(from, to, make)| Asked::Copy(from, to, make)));
    for path in [&b"file"[..], b"link", b"dangling", b"loop", b"absent", b"file/x", b"empty", b"full/", b"."] {
        for request in [
            Request::Stat { path },
            Request::Lstat { path },
            Request::Readlink { path },
            Request::Realpath { path },
            Request::Setstat { path, attributes: mode(0o640) },
            Request::Setstat { path, attributes: Attributes { size: Some(2), ..Attributes::default() } },
            Request::Extended(Extended::Lsetstat { path, attributes: mode(0o644) }),
            Request::Extended(Extended::ExpandPath { path }),
            Request::Mkdir { path, attributes: mode(0o700) },
            Request::Symlink { target: b"file", link: path },
            Request::Extended(Extended::Hardlink { old: b"other", new: path }),
            Request::Rename { old: b"other", new: path },
            Request::Rename { old: path, new: b"absent2/x" },
            Request::Extended(Extended::PosixRename { old: path, new: b"absent2/x" }),
            Request::Rmdir { path },
        ] {
            all.push(Asked::Plain(request));
        }
    }
    for request in [
        Request::Rename { old: b"absent", new: b"file" },
        Request::Rename { old: b"file", new: b"renamed" },
        Request::Rename { old: b"full", new: b"fuller" },
        Request::Rmdir { path: b"fuller" },
        Request::Remove { path: b"fuller" },
        Request::Remove { path: b"dangling" },
        Request::Remove { path: b"dangling" },
        Request::Extended(Extended::PosixRename { old: b"renamed", new: b"made" }),
        Request::Open { path: b"made", flags: FXF_WRITE | FXF_TRUNC, attributes: Attributes::default() },
        Request::Stat { path: b"made" },
        Request::Opendir { path: b"." },
        Request::Extended(Extended::Limits),
        Request::Extended(Extended::ExpandPath { path: b"~no-such-account" }),
        Request::Realpath { path: b"/../usr/./bin/.." },
        Request::Realpath { path: b"" },
        Request::Extended(Extended::Unknown { name: b"unknown" }),
    ] {
        all.push(Asked::Plain(request));
    }
    for which in [0, 1, 0, 4, 99] {
        all.push(Asked::By(which, |handle| Request::Close { handle }));
    }
    all
}

fn copy_all<'a>(from: &'a [u8], to: &'a [u8]) -> Request<'a> {
    Request::Extended(Extended::CopyData { from, from_offset: 0, length: 0, to, to_offset: 0 })
}

fn mode(mode: u32) -> Attributes {
    Attributes { permissions: Some(mode), ..Attributes::default() }
}

#[test]
fn openssh_answers_the_same() {
    if !Path::new(THEIRS).exists() {
        eprintln!("NOT RUN: {THEIRS} is missing: apt-get install openssh-sftp-server");
        return;
    }
    let (theirs, ours) = (ask(true, &requests()), ask(false, &requests()));
    let mut different = Vec::new();
    for ((asked, theirs), ours) in requests().iter().zip(&theirs).zip(&ours) {
        if theirs != ours && !known_difference(asked, theirs, ours) {
            let asked = match asked {
                Asked::Plain(request) => format!("{request:?}"),
                Asked::By(which, make) => format!("handle {which}: {:?}", make(b"")),
                Asked::Copy(from, to, make) => format!("handles {from} and {to}: {:?}", make(b"", b"")),
            };
            different.push(format!("{asked}\n   theirs {theirs:?}\n   ours   {ours:?}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert!(ours.iter().filter(|got| matches!(got, Got::Status(Code::Ok, _))).count() > 10);
}

/// Where we mean to differ, or their releases do from one another.
fn known_difference(asked: &Asked, theirs: &Got, ours: &Got) -> bool {
    // How many handles there may be is each server's own business, and old releases lack extensions.
    let unsupported = matches!(theirs, Got::Status(Code::Unsupported, _));
    matches!(asked, Asked::Plain(Request::Extended(Extended::Limits))) || (unsupported && theirs != ours)
}
