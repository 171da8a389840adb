//! What is too much, too long or never ends (threat F4).

use crate::driver::{Got, Raw, bytes};
use nacre_files::server::{Error, MAX_HANDLES, Settings};
use nacre_sftp::extensions::Limits;
use nacre_sftp::request::{FXF_CREAT, FXF_READ, FXF_WRITE};
use nacre_sftp::server::Fault;
use nacre_sftp::{Attributes, Code, Extended, MAX_DATA, MAX_PACKET, Request, client};
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;

fn start() -> Raw {
    Raw::start(Settings::default())
}

#[test]
fn f04_handles_are_bounded_however_many_are_asked_for() {
    let place = tempfile::tempdir().unwrap();
    let mut raw = start();
    let limits = Limits::decode(&raw.ask(&Request::Extended(Extended::Limits)).data()).unwrap();
    let most = limits.handles;
    assert!(most <= MAX_HANDLES as u64 && most > 0);
    assert_eq!((limits.packet, limits.read), (MAX_PACKET as u64, u64::from(MAX_DATA)));
    let (mut given, mut refused, mut last) = (0_u64, 0_u32, Vec::new());
    for _ in 0..1000 {
        for _ in 0..100 {
            raw.send(&Request::Opendir { path: bytes(place.path()) });
        }
        for _ in 0..100 {
            match raw.receive().1 {
                Got::Handle(handle) => {
                    given += 1;
                    last = handle;
                }
                Got::Status(Code::Failure, _) => refused += 1,
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(given <= most && refused > 90_000, "{given} given");
    // One that is given back can be had again, and only once.
    if given == most {
        assert!(raw.ask(&Request::Close { handle: &last }).is_ok());
        assert_eq!(raw.ask(&Request::Close { handle: &last }).code(), Code::NoSuchFile);
        assert_ne!(raw.ask(&Request::Opendir { path: bytes(place.path()) }).handle(), last);
    }
    raw.end().unwrap();
}

#[test]
fn f04_handles_that_were_never_given_out_name_nothing() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, b"content").unwrap();
    let mut raw = start();
    let good = raw.open_read(bytes(&file));
    let mut longer = good.clone();
    longer.push(0);
    let long = vec![0; 300];
    for handle in [&b""[..], &[0; 3], &good[..7], &longer, &long, &[0xff; 8], &[0, 0, 0, 0, 0, 0, 0, 9]] {
        for request in [
            Request::Read { handle, offset: 0, length: 9 },
            Request::Write { handle, offset: 0, data: b"x" },
            Request::Fstat { handle },
            Request::Fsetstat { handle, attributes: Attributes::default() },
            Request::Readdir { handle },
            Request::Extended(Extended::Fstatvfs { handle }),
            Request::Extended(Extended::DataRanges { handle, offset: 0 }),
            Request::Extended(Extended::CopyData { from: handle, from_offset: 0, length: 0, to: &good, to_offset: 0 }),
        ] {
            assert_eq!(raw.ask(&request).code(), Code::Failure, "{request:?}");
        }
        // As OpenSSH's, which tells these apart from the others.
        for request in [Request::Close { handle }, Request::Extended(Extended::Fsync { handle })] {
            assert_eq!(raw.ask(&request).code(), Code::NoSuchFile);
        }
    }
    // A file is no folder and a folder no file.
    assert_eq!(raw.ask(&Request::Readdir { handle: &good }).code(), Code::Failure);
    let folder = raw.ask(&Request::Opendir { path: bytes(place.path()) }).handle();
    assert_eq!(raw.ask(&Request::Read { handle: &folder, offset: 0, length: 1 }).code(), Code::Failure);
    assert_eq!(raw.ask(&Request::Read { handle: &good, offset: 0, length: 99 }).data(), b"content");
    raw.end().unwrap();
}

#[test]
fn f04_reads_are_cut_to_what_a_packet_holds() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, vec![7; 1 << 20]).unwrap();
    let mut raw = start();
    let handle = raw.open_read(bytes(&file));
    for (offset, length, comes) in [
        (0, u32::MAX, MAX_DATA as usize),
        (1, MAX_DATA + 1, MAX_DATA as usize),
        ((1 << 20) - 5, u32::MAX, 5),
        (0, 1, 1),
        (0, 0, 0),
    ] {
        let read = raw.ask(&Request::Read { handle: &handle, offset, length });
        assert_eq!(read, Got::Data(vec![7; comes]), "{offset} {length}");
    }
    for (offset, code) in
        [(1 << 20, Code::Eof), (i64::MAX as u64, Code::Eof), (1 << 63, Code::BadMessage), (u64::MAX, Code::BadMessage)]
    {
        let got = raw.ask(&Request::Read { handle: &handle, offset, length: 9 }).code();
        // The last offset that there is may also be one that cannot be read from.
        assert!(got == code || (offset == i64::MAX as u64 && got == Code::BadMessage), "{offset}: {got}");
        let write = raw.ask(&Request::Write { handle: &handle, offset, data: b"x" });
        assert!(!write.is_ok(), "not open for writing");
    }
    raw.end().unwrap();
}

#[test]
fn f04_paths_that_no_file_has_are_refused() {
    let mut raw = start();
    let long = vec![b'a'; 4096];
    let nested = b"a/".repeat(3000);
    for path in [&long[..], &nested, &[b'/'; 5000], b"a\0b"] {
        for request in [
            Request::Stat { path },
            Request::Lstat { path },
            Request::Opendir { path },
            Request::Remove { path },
            Request::Readlink { path },
            Request::Mkdir { path, attributes: Attributes::default() },
            Request::Rename { old: path, new: b"x" },
            Request::Open { path, flags: FXF_READ, attributes: Attributes::default() },
            Request::Extended(Extended::Statvfs { path }),
        ] {
            assert_eq!(raw.ask(&request).code(), Code::BadMessage, "{request:?}");
        }
        assert!(!matches!(raw.ask(&Request::Realpath { path }), Got::Names(_)));
    }
    assert_eq!(raw.ask(&Request::Stat { path: b"" }).code(), Code::NoSuchFile);
    raw.end().unwrap();
}

#[test]
fn f04_folders_with_many_and_strange_names_come_in_pieces() {
    let place = tempfile::tempdir().unwrap();
    let mut wanted: Vec<Vec<u8>> = (0..12_000_u32).map(|n| format!("file-{n:05}").into_bytes()).collect();
    for n in 0..300_u32 {
        // Any byte but NUL and a slash, up to the longest name there is.
        let strange =
            (0..255_u32).map(|k| ((k * 7 + n * 13) % 255 + 1) as u8).map(|b| if b == b'/' { 0xff } else { b });
        wanted.push(strange.collect());
    }
    wanted.sort();
    wanted.dedup();
    for name in &wanted {
        fs::write(place.path().join(OsStr::from_bytes(name)), b"").unwrap();
    }
    for settings in [Settings::default(), Settings { root: Some(place.path().into()), ..Settings::default() }] {
        let path = if settings.root.is_some() { b"/" } else { bytes(place.path()) };
        let mut raw = Raw::start(settings);
        let names = raw.list(path);
        let mut found: Vec<&[u8]> = names.iter().map(|name| name.name.as_slice()).collect();
        found.sort();
        assert_eq!(found, wanted, "names stay bytes on the wire");
        assert!(names.iter().all(|name| name.long.ends_with(&name.name)));
        // The end stays the end.
        let handle = raw.ask(&Request::Opendir { path }).handle();
        while let Got::Names(_) = raw.ask(&Request::Readdir { handle: &handle }) {}
        for _ in 0..3 {
            assert_eq!(raw.ask(&Request::Readdir { handle: &handle }).code(), Code::Eof);
        }
        raw.end().unwrap();
    }
}

#[test]
fn f04_a_pipe_that_nobody_writes_does_not_hold_the_client_up() {
    let place = tempfile::tempdir().unwrap();
    let pipe = place.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    let mut raw = start();
    let handle = raw.open_read(bytes(&pipe));
    assert_eq!(raw.ask(&Request::Read { handle: &handle, offset: 0, length: 9 }).code(), Code::Failure);
    assert!(matches!(raw.open(bytes(&pipe), FXF_WRITE), Got::Status(..) | Got::Handle(_)));
    raw.end().unwrap();
}

#[test]
fn f04_a_stream_that_makes_no_sense_ends_the_worker_and_what_was_asked_before_is_answered() {
    let place = tempfile::tempdir().unwrap();
    let init = {
        let mut out = Vec::new();
        client::encode_init(&mut out);
        out
    };
    for (broken, fault) in [
        (init.clone(), "SSH_FXP_INIT a second time"),
        (u32::MAX.to_be_bytes().to_vec(), "4294967295 bytes"),
        (vec![0, 0, 0, 0], "of 0 bytes"),
        (b"Welcome!".to_vec(), "login script"),
        (vec![0, 0, 0, 2, 17, 0], "malformed"),
        (vec![0, 0, 0, 5, 101, 0, 0, 0, 1], "malformed"),
    ] {
        let mut raw = start();
        let file = place.path().join("made");
        let flags = FXF_WRITE | FXF_CREAT;
        let mut batch = Vec::new();
        Request::Open { path: bytes(&file), flags, attributes: Attributes::default() }.encode(5, &mut batch);
        batch.extend(&broken);
        raw.stream.write_all(&batch).unwrap();
        assert!(matches!(raw.receive(), (5, Got::Handle(_))));
        let error = raw.end().unwrap_err();
        assert!(error.is_protocol() && error.to_string().contains(fault), "{error}");
    }
    let mut raw = Raw::silent(Settings::default());
    raw.send(&Request::Stat { path: b"/" });
    assert!(matches!(raw.end(), Err(Error::Fault(Fault::NoInit))));
    // An end in the middle of a packet is an end.
    let mut raw = start();
    raw.stream.write_all(&[0, 0, 1]).unwrap();
    assert_eq!(raw.end().unwrap().requests, 0);
}

#[test]
fn f04_requests_that_cannot_be_read_are_answered_and_those_after_them_too() {
    let mut raw = start();
    raw.stream.write_all(&[0, 0, 0, 9, 17, 0, 0, 0, 77, 0, 0, 0, 9]).unwrap();
    assert!(matches!(raw.receive(), (77, Got::Status(Code::BadMessage, _))));
    raw.stream.write_all(&[0, 0, 0, 6, 99, 0, 0, 0, 78, 1]).unwrap();
    assert!(matches!(raw.receive(), (78, Got::Status(Code::Unsupported, _))));
    let unknown = Request::Extended(Extended::Unknown { name: b"no-such@example.invalid" });
    assert_eq!(raw.ask(&unknown).code(), Code::Unsupported);
    assert!(matches!(raw.ask(&Request::Stat { path: b"/" }), Got::Attributes(_)));
    raw.end().unwrap();
}

#[test]
fn f04_a_client_that_reads_nothing_gets_all_its_answers_in_the_end() {
    let mut raw = start();
    let mut writer = raw.stream.try_clone().unwrap();
    let writing = std::thread::spawn(move || {
        let mut batch = Vec::new();
        for id in 0..50_000 {
            Request::Stat { path: b"/" }.encode(id, &mut batch);
        }
        writer.write_all(&batch).unwrap();
    });
    for id in 0..50_000 {
        let (answered, reply) = raw.receive();
        assert!(answered == id && matches!(reply, Got::Attributes(_)), "in order");
    }
    writing.join().unwrap();
    assert_eq!(raw.end().unwrap().requests, 50_000);
}
