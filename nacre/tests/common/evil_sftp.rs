//! An SFTP server that is a closure: whatever it answers, the client has to bear.
//!
//! The client starts a shell by `-D` whose standard streams are two named pipes; a thread of the test is at their other ends.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::common::{Scratch, program};
use nacre_sftp::{Attributes, packet};
use nacre_wire::{Reader, WriteExt};
use std::fs::File;
use std::io::{Read, Write};

/// A request: its type, its number, and what follows.
pub struct Asked<'a> {
    pub kind: u8,
    pub id: u32,
    pub body: &'a [u8],
}

impl Asked<'_> {
    /// The first string of the body: most often a path or a handle.
    pub fn first(&self) -> Vec<u8> {
        Reader::new(self.body).string("first").unwrap_or_default().to_vec()
    }

    /// A whole reply of this type, with what `write` appends behind the number.
    pub fn reply(&self, kind: u8, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        whole(kind, |out| {
            out.put_u32(self.id);
            write(out);
        })
    }

    pub fn status(&self, code: u32) -> Vec<u8> {
        self.reply(packet::STATUS, |out| {
            out.put_u32(code);
            out.put_string(b"\x1b[31mevil\x07");
            out.put_string(b"");
        })
    }

    pub fn handle(&self) -> Vec<u8> {
        self.reply(packet::HANDLE, |out| out.put_string(b"h"))
    }

    pub fn attributes(&self, mode: u32, size: u64) -> Vec<u8> {
        self.reply(packet::ATTRS, |out| attributes(mode, size).write(out))
    }

    /// A NAME reply with these names, each with this mode; `count` may lie.
    pub fn names(&self, count: u32, names: &[(&[u8], u32)]) -> Vec<u8> {
        self.reply(packet::NAME, |out| {
            out.put_u32(count);
            for (name, mode) in names {
                out.put_string(name);
                out.put_string([b"-rw-r--r-- 1 u g 4 ", *name].concat());
                attributes(*mode, 4).write(out);
            }
        })
    }
}

pub fn attributes(mode: u32, size: u64) -> Attributes {
    Attributes {
        size: Some(size),
        owner: Some((1, 1)),
        permissions: Some(mode),
        times: Some((9, 9)),
        ..Attributes::default()
    }
}

/// A packet with its length.
pub fn whole(kind: u8, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut body = vec![kind];
    write(&mut body);
    let mut out = Vec::new();
    out.put_string(&body);
    out
}

/// VERSION 3 with these extensions.
pub fn version(extensions: &[(&str, &str)]) -> Vec<u8> {
    whole(packet::VERSION, |out| {
        out.put_u32(3);
        for (name, data) in extensions {
            out.put_string(name);
            out.put_string(data);
        }
    })
}

/// Starts the server; what `-D` takes. It ends when the client closes its end. `answer` is given every request but INIT, and
/// says all bytes that go back.
pub fn start(
    place: &Scratch,
    extensions: &'static [(&'static str, &'static str)],
    mut answer: impl FnMut(&Asked<'_>) -> Vec<u8> + Send + 'static,
) -> String {
    let (requests, replies) = (place.path("requests"), place.path("replies"));
    for pipe in [&requests, &replies] {
        let _ = std::fs::remove_file(pipe);
        assert!(program("mkfifo").arg(pipe).status().unwrap().success());
    }
    let line = format!("/bin/sh -c 'cat \"$0/replies\" & exec cat >\"$0/requests\"' '{}'", place.root().display());
    std::thread::spawn(move || {
        let mut replies = File::options().write(true).open(replies).unwrap();
        let mut requests = File::open(requests).unwrap();
        let mut length = [0; 4];
        while requests.read_exact(&mut length).is_ok() {
            let mut packet = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
            requests.read_exact(&mut packet).unwrap();
            let reply = match packet.split_first() {
                Some((&packet::INIT, _)) => version(extensions),
                Some((kind, rest)) => {
                    let id = Reader::new(rest).u32("id").unwrap();
                    answer(&Asked { kind: *kind, id, body: &rest[4..] })
                }
                None => panic!("an empty packet"),
            };
            // The client may have had enough.
            if replies.write_all(&reply).is_err() {
                return;
            }
        }
    });
    line
}

/// What an honest server with one folder `/evil` would answer, were it not for `names`.
pub fn folder(asked: &Asked<'_>, listed: &mut bool, names: &[(&[u8], u32)]) -> Vec<u8> {
    match asked.kind {
        packet::REALPATH => {
            let path = asked.first();
            asked.names(1, &[(if path == b"." { b"/evil" } else { path.as_slice() }, 0o040_755)])
        }
        packet::STAT | packet::LSTAT if asked.first() == b"/evil" => asked.attributes(0o040_755, 0),
        packet::STAT | packet::LSTAT => asked.attributes(0o100_644, 4),
        packet::OPENDIR => {
            *listed = false;
            asked.handle()
        }
        packet::READDIR if !std::mem::replace(listed, true) => asked.names(u32::try_from(names.len()).unwrap(), names),
        packet::READDIR => asked.status(1),
        packet::OPEN => asked.handle(),
        packet::FSTAT => asked.attributes(0o100_644, 4),
        packet::READ => {
            let mut reader = Reader::new(asked.body);
            let _ = reader.string("handle");
            let offset = usize::try_from(reader.u64("offset").unwrap()).unwrap();
            let length = usize::try_from(reader.u32("length").unwrap()).unwrap();
            match b"evil".get(offset..(offset + length).min(4)) {
                Some(data) if !data.is_empty() => asked.reply(packet::DATA, |out| out.put_string(data)),
                _ => asked.status(1),
            }
        }
        _ => asked.status(0),
    }
}
