//! Servers that name what they must not, and servers that misbehave in each way they can (threats F7 and F8). The engine
//! must come to an end with a clear error, with nothing written where it must not be, and without growing.

use super::peers::{Seen, pipe, raw};
use nacre_files::remote::{Error, Remote};
use nacre_files::transfer::{Options, between, get};
use nacre_sftp::packet::{self, LENGTH};
use nacre_sftp::{Attributes, Code, Extensions, Name, Reply, Request};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

/// What a scripted server answers to a request; none: nothing at all.
type Script = Box<dyn FnMut(u32, &Request<'_>, &mut Vec<u8>) + Send>;

fn scripted(mut script: Script) -> Remote {
    let (near_input, far_output) = pipe();
    let (far_input, near_output) = pipe();
    std::thread::spawn(move || {
        let (mut from, mut to) = (File::from(far_input), File::from(far_output));
        loop {
            let mut length = [0; LENGTH];
            if from.read_exact(&mut length).is_err() {
                return;
            }
            let mut body = vec![0; u32::from_be_bytes(length) as usize];
            from.read_exact(&mut body).unwrap();
            let mut out = Vec::new();
            if body[0] == packet::INIT {
                Extensions::default().encode(&mut out);
            } else {
                let (id, request) = Request::decode(&body).unwrap();
                script(id, &request, &mut out);
            }
            if to.write_all(&out).is_err() {
                return;
            }
        }
    });
    Remote::open(near_input, near_output).unwrap()
}

fn folder_attributes() -> Attributes {
    Attributes { permissions: Some(0o040_755), ..Attributes::default() }
}

fn file_attributes(size: u64) -> Attributes {
    Attributes { size: Some(size), permissions: Some(0o100_644), times: Some((1, 2)), ..Attributes::default() }
}

/// An honest server of one folder `d` with one file `f` of `size` bytes of `x`, but for what `evil` answers itself.
fn honest_but(size: u64, mut evil: impl FnMut(u32, &Request<'_>, &mut Vec<u8>) -> bool + Send + 'static) -> Remote {
    let mut listed = false;
    scripted(Box::new(move |id, request, out| {
        if evil(id, request, out) {
            return;
        }
        let status = |code, out: &mut Vec<u8>| Reply::encode_status(id, code, out);
        match request {
            Request::Stat { path } | Request::Lstat { path } => {
                let attributes = if path.ends_with(b"f") { file_attributes(size) } else { folder_attributes() };
                Reply::Attributes(attributes).encode(id, out);
            }
            Request::Fstat { .. } => Reply::Attributes(file_attributes(size)).encode(id, out),
            Request::Opendir { .. } => {
                listed = false;
                Reply::Handle(b"dir").encode(id, out);
            }
            Request::Readdir { .. } if !listed => {
                listed = true;
                let entry = Name { name: b"f".to_vec(), long: Vec::new(), attributes: file_attributes(size) };
                Reply::Names(vec![entry]).encode(id, out);
            }
            Request::Readdir { .. } => status(Code::Eof, out),
            Request::Open { .. } => Reply::Handle(b"file").encode(id, out),
            Request::Read { offset, length, .. } => match size.saturating_sub(*offset).min(u64::from(*length)) {
                0 => status(Code::Eof, out),
                count => Reply::Data(&vec![b'x'; count as usize]).encode(id, out),
            },
            Request::Close { .. } => status(Code::Ok, out),
            _ => status(Code::Unsupported, out),
        }
    }))
}

fn fetch(remote: &mut Remote, to: &Path) -> (Result<u64, Error>, Seen) {
    let mut seen = Seen::default();
    let options = Options { recursive: true, ..Options::default() };
    let result = get(remote, &[b"d".to_vec()], to, &options, &mut seen).map(|report| report.files);
    (result, seen)
}

#[test]
fn the_honest_server_of_these_tests_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let (result, seen) = fetch(&mut honest_but(1_000_000, |_, _, _| false), folder.path());
    assert_eq!(result.unwrap(), 1, "{seen:?}");
    assert_eq!(std::fs::read(folder.path().join("d/f")).unwrap(), vec![b'x'; 1_000_000]);
}

/// Names that no server may choose.
const EVIL: [&[u8]; 30] = [
    b"",
    b"/",
    b"/etc/passwd",
    b"//x",
    b"../x",
    b"../../x",
    b"a/b",
    b"a/",
    b"a/..",
    b"a/../x",
    b"./x",
    b"./",
    b"../",
    b"..//x",
    b"/..",
    b"/.",
    b"x/./y",
    b"x//y",
    b"..\0",
    b"a\0b",
    b"\0",
    b"\0/x",
    b"f/../../../canary",
    b"../canary",
    b"sub/../../canary",
    b"/proc/self/cwd/x",
    b"a/\x1b[2J",
    b"\x1b]0;x\x07/",
    b"\xff/\xfe",
    b"..\xc0\xaf/x",
];

#[test]
fn f07_names_that_lead_elsewhere_are_refused_by_every_way_a_list_is_read() {
    for evil in EVIL {
        let folder = tempfile::tempdir().unwrap();
        let canary = folder.path().join("canary");
        std::fs::write(&canary, "sings").unwrap();
        let inside = folder.path().join("inside/deep");
        std::fs::create_dir_all(&inside).unwrap();
        let server = |kind: u32| {
            honest_but(10, move |id, request, out| {
                if !matches!(request, Request::Readdir { .. }) {
                    return false;
                }
                let attributes =
                    Attributes { permissions: Some(kind | 0o777), size: Some(10), ..Attributes::default() };
                let name = |name: &[u8]| Name { name: name.to_vec(), long: Vec::new(), attributes: attributes.clone() };
                Reply::Names(vec![name(b"good"), name(evil)]).encode(id, out);
                true
            })
        };
        for kind in [0o100_000, 0o040_000, 0o120_000] {
            let (result, seen) = fetch(&mut server(kind), &inside);
            result.unwrap();
            assert!(seen.failed["d"].contains("no name of a file"), "{evil:?} {seen:?}");
            assert!(!seen.failed["d"].chars().any(char::is_control));
            assert!(matches!(server(kind).list(b"d"), Err(Error::BadName { .. })), "{evil:?}");
            assert!(matches!(server(kind).glob(b"d/*"), Err(Error::BadName { .. })), "{evil:?}");
            // To another server neither.
            let to = inside.join("to");
            let (mut from, mut seen) = (server(kind), Seen::default());
            let mut target = super::peers::Peer::Nacre.connect();
            let options = Options { recursive: true, ..Options::default() };
            between(&mut from, &[b"d".to_vec()], &mut target, &raw(&to), &options, &mut seen).unwrap();
            assert!(seen.failed["d"].contains("no name of a file"), "{evil:?} {seen:?}");
            let _ = std::fs::remove_dir_all(&to);
        }
        assert_eq!(std::fs::read_to_string(&canary).unwrap(), "sings");
        let mut left: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["canary", "inside"], "{evil:?}");
        let left: Vec<_> = std::fs::read_dir(&inside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["d"], "{evil:?}");
        assert_eq!(std::fs::read_dir(inside.join("d")).unwrap().count(), 0, "{evil:?}");
    }
}

#[test]
fn f07_links_that_lie_in_the_way_are_not_written_through() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("to/d")).unwrap();
    std::fs::create_dir(at("outside")).unwrap();
    std::fs::write(at("canary"), "sings").unwrap();
    std::os::unix::fs::symlink(at("canary"), at("to/d/f")).unwrap();
    let (result, seen) = fetch(&mut honest_but(10, |_, _, _| false), &at("to"));
    assert_eq!(result.unwrap(), 0);
    assert!(seen.failed["f"].contains("symbolic link"), "{seen:?}");
    // Nor through a part that somebody put there, nor into a folder that is a link.
    std::fs::remove_file(at("to/d/f")).unwrap();
    std::os::unix::fs::symlink(at("canary"), at("to/d/.f.nacre-part")).unwrap();
    for resume in [false, true] {
        let options = Options { recursive: true, resume, ..Options::default() };
        let mut remote = honest_but(10, |_, _, _| false);
        get(&mut remote, &[b"d".to_vec()], &at("to"), &options, &mut Seen::default()).unwrap();
        assert!(std::fs::symlink_metadata(at("to/d/f")).unwrap().is_file());
    }
    std::fs::remove_dir_all(at("to/d")).unwrap();
    std::os::unix::fs::symlink(at("outside"), at("to/d")).unwrap();
    let (result, seen) = fetch(&mut honest_but(10, |_, _, _| false), &at("to"));
    assert_eq!((result.unwrap(), seen.failed.len()), (0, 1), "{seen:?}");
    assert_eq!(std::fs::read_dir(at("outside")).unwrap().count(), 0);
    assert_eq!(std::fs::read_to_string(at("canary")).unwrap(), "sings");
}

#[test]
fn f07_a_name_listed_twice_is_not_written_twice_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut remote = honest_but(300_000, |id, request, out| {
        static LISTED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
        let Request::Readdir { .. } = request else { return false };
        if LISTED.swap(true, std::sync::atomic::Ordering::SeqCst) {
            return false;
        }
        let entry = Name { name: b"f".to_vec(), long: Vec::new(), attributes: file_attributes(300_000) };
        Reply::Names(vec![entry; 100]).encode(id, out);
        true
    });
    let (result, seen) = fetch(&mut remote, folder.path());
    assert_eq!((result.unwrap(), seen.failed.len()), (101, 0), "{seen:?}");
    assert_eq!(std::fs::read(folder.path().join("d/f")).unwrap(), vec![b'x'; 300_000]);
    assert_eq!(std::fs::read_dir(folder.path().join("d")).unwrap().count(), 1);
}

/// Fetches from a server that misbehaves, and gives what was said of it.
fn told(size: u64, evil: impl FnMut(u32, &Request<'_>, &mut Vec<u8>) -> bool + Send + 'static) -> String {
    let folder = tempfile::tempdir().unwrap();
    let start = std::time::Instant::now();
    let (result, seen) = fetch(&mut honest_but(size, evil), folder.path());
    assert!(start.elapsed().as_secs() < 120, "it took {:?}", start.elapsed());
    assert!(!folder.path().join("d/f").exists(), "nothing incomplete has the name: {seen:?}");
    match result {
        Err(error) => error.to_string(),
        Ok(_) => seen.failed.values().next().expect("something failed").clone(),
    }
}

#[test]
fn f08_replies_that_cannot_be_end_the_connection_with_a_clear_word() {
    let empty = told(100_000, |id, request, out| {
        let read = matches!(request, Request::Read { .. });
        if read {
            Reply::Data(b"").encode(id, out);
        }
        read
    });
    assert!(empty.contains("cannot have"), "{empty}");
    let unknown = told(100_000, |id, request, out| {
        let read = matches!(request, Request::Read { .. });
        if read {
            Reply::Data(b"x").encode(id.wrapping_add(77), out);
        }
        read
    });
    assert!(unknown.contains("not asked"), "{unknown}");
    let twice = told(100_000, |id, request, out| {
        if matches!(request, Request::Open { .. }) {
            Reply::encode_status(id, Code::Failure, out);
            Reply::Handle(b"file").encode(id, out);
            return true;
        }
        false
    });
    assert!(twice.contains("not asked"), "{twice}");
    let counts = told(100_000, |id, request, out| {
        if let Request::Readdir { .. } = request {
            packet::append(out, packet::NAME, |out| {
                out.extend_from_slice(&id.to_be_bytes());
                out.extend_from_slice(&u32::MAX.to_be_bytes());
            });
            return true;
        }
        false
    });
    assert!(counts.contains("malformed"), "{counts}");
    let long = told(100_000, |_, request, out| {
        if let Request::Readdir { .. } = request {
            out.extend_from_slice(&u32::MAX.to_be_bytes());
            return true;
        }
        false
    });
    assert!(long.contains("4294967295 bytes was announced"), "{long}");
    let handle = told(100_000, |id, request, out| {
        if matches!(request, Request::Open { .. }) {
            Reply::Handle(&[7; 300]).encode(id, out);
            return true;
        }
        false
    });
    assert!(handle.contains("malformed"), "{handle}");
}

#[test]
fn f08_more_than_was_asked_for_fails_the_file() {
    let more = told(100_000, |id, request, out| {
        if let Request::Read { length, .. } = request {
            Reply::Data(&vec![b'x'; *length as usize + 1]).encode(id, out);
            return true;
        }
        false
    });
    assert!(more.contains("more than was asked for"), "{more}");
    let names = told(100_000, |id, request, out| {
        let list = matches!(request, Request::Readdir { .. });
        if list {
            Reply::Names(Vec::new()).encode(id, out);
        }
        list
    });
    assert!(names.contains("empty lists"), "{names}");
}

#[test]
fn f08_a_server_that_ends_early_or_refuses_fails_the_file() {
    let early = told(1_000_000, |id, request, out| {
        if let Request::Read { offset, .. } = request
            && *offset >= 500_000
        {
            Reply::encode_status(id, Code::Eof, out);
            return true;
        }
        false
    });
    assert!(early.contains("changed while it was being copied"), "{early}");
    let refused = told(1_000_000, |id, request, out| {
        if let Request::Read { offset, .. } = request
            && *offset >= 300_000
        {
            Reply::Status { code: Code::Failure, message: b"disk \x1b[31mon fire\n" }.encode(id, out);
            return true;
        }
        false
    });
    assert!(refused.contains("on fire") && !refused.contains(['\x1b', '\n']), "{refused}");
    let closes = told(1_000_000, |_, request, _| {
        if matches!(request, Request::Read { .. }) {
            panic!("this server dies here on purpose");
        }
        false
    });
    assert_eq!(closes, "the connection was closed");
}

#[test]
fn f08_a_byte_at_a_time_and_pieces_out_of_order_still_make_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let short = honest_but(20_000, |id, request, out| {
        if let Request::Read { offset, .. } = request
            && *offset < 20_000
        {
            Reply::Data(b"x").encode(id, out);
            return true;
        }
        false
    });
    let (mut short, to) = (short, folder.path().join("short"));
    std::fs::create_dir(&to).unwrap();
    let (result, seen) = fetch(&mut short, &to);
    assert_eq!(result.unwrap(), 1, "{seen:?}");
    assert_eq!(std::fs::read(to.join("d/f")).unwrap(), vec![b'x'; 20_000]);

    // Answers come in pairs, the later one first.
    let mut held: Option<(u32, u64, u32)> = None;
    let size = 3_000_000u64;
    let mut swapped = honest_but(size, move |id, request, out| {
        let data = |offset: u64, length: u32| {
            (offset..size.min(offset + u64::from(length))).map(|at| (at / 7) as u8).collect::<Vec<u8>>()
        };
        let Request::Read { offset, length, .. } = request else { return false };
        if *offset + u64::from(*length) < size && held.is_none() {
            held = Some((id, *offset, *length));
            return true;
        }
        let now = data(*offset, *length);
        if now.is_empty() {
            Reply::encode_status(id, Code::Eof, out);
        } else {
            Reply::Data(&now).encode(id, out);
        }
        if let Some((id, offset, length)) = held.take() {
            Reply::Data(&data(offset, length)).encode(id, out);
        }
        true
    });
    let to = folder.path().join("swapped");
    std::fs::create_dir(&to).unwrap();
    let (result, seen) = fetch(&mut swapped, &to);
    assert_eq!(result.unwrap(), 1, "{seen:?}");
    let wanted: Vec<u8> = (0..size).map(|at| (at / 7) as u8).collect();
    assert!(std::fs::read(to.join("d/f")).unwrap() == wanted);
}

#[test]
fn f08_a_server_that_answers_nothing_can_be_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let mut remote = honest_but(1_000_000, |_, request, _| matches!(request, Request::Read { .. }));
    let seen = Seen::default();
    struct Later(Seen, std::time::Instant);
    impl nacre_files::transfer::Watcher for Later {
        fn event(&mut self, event: &nacre_files::transfer::Event<'_>) {
            self.0.event(event);
        }
        fn cancelled(&self) -> bool {
            self.1.elapsed().as_millis() > 300
        }
    }
    let mut later = Later(seen, std::time::Instant::now());
    let options = Options { recursive: true, ..Options::default() };
    let error = get(&mut remote, &[b"d".to_vec()], folder.path(), &options, &mut later).unwrap_err();
    assert!(matches!(error, Error::Cancelled));
    assert!(later.1.elapsed().as_secs() < 30);
}
