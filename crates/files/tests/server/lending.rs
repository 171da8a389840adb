//! Replies through a pipe: bytes of files that never came into the worker's memory are the same as those that did.

use crate::driver::{Got, Raw};
use nacre_files::server::Settings;
use nacre_sftp::request::{FXF_READ, FXF_WRITE};
use nacre_sftp::{Attributes, Code, Request};
use rustix::event::{PollFd, PollFlags, poll};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Long enough for a worker that does not wait to do what it must not.
const TEMPTATION: Duration = Duration::from_millis(200);

const PIECE: usize = 200_000;

/// A request that changes an open file, which may use these attributes.
type Change = fn(&[u8], &Attributes) -> Vec<u8>;

fn on_pipe(folder: &Path) -> Raw {
    Raw::start_on_pipe(Settings { start: Some(folder.to_owned()), ..Settings::default() })
}

/// Waits until replies have begun to come, without taking any.
fn await_replies(raw: &Raw) {
    let mut fds = [PollFd::new(&raw.replies, PollFlags::IN)];
    assert_eq!(poll(&mut fds, None), Ok(1));
}

#[test]
fn a_file_comes_whole_and_ends_where_it_ends() {
    let place = TempDir::new().unwrap();
    let content: Vec<u8> = (0..3_000_077_u32).map(|n| (n / 3) as u8).collect();
    fs::write(place.path().join("file"), &content).unwrap();
    let mut raw = on_pipe(place.path());
    assert!(raw.content(b"file") == content);
    let handle = raw.open_read(b"file");
    for (offset, wanted) in [(2_900_000, 100_077), (1, 255 * 1024), (2_999_999, 78), (4095, 255 * 1024)] {
        let data = raw.ask(&Request::Read { handle: &handle, offset, length: u32::MAX }).data();
        assert!(data == content[offset as usize..offset as usize + wanted], "from {offset}: {} bytes", data.len());
    }
    for offset in [3_000_077, u64::MAX / 4] {
        assert_eq!(raw.ask(&Request::Read { handle: &handle, offset, length: u32::MAX }).code(), Code::Eof);
    }
    let read = u64::try_from(content.len() + 100_077 + 2 * 255 * 1024 + 78).unwrap();
    assert_eq!(raw.end().unwrap().bytes_read, read);
}

#[test]
fn what_was_read_is_what_was_there_when_it_was_asked_for() {
    let place = TempDir::new().unwrap();
    let path = place.path().join("file");
    let truncated = Attributes { size: Some(100), ..Attributes::default() };
    let changes: [Change; 3] = [
        |handle, _| encoded(&Request::Write { handle, offset: 0, data: &[b'n'; PIECE] }),
        |handle, size| encoded(&Request::Fsetstat { handle, attributes: size.clone() }),
        |_, size| encoded(&Request::Setstat { path: b"file", attributes: size.clone() }),
    ];
    for change in changes {
        fs::write(&path, [b'o'; PIECE]).unwrap();
        let mut raw = on_pipe(place.path());
        let handle = raw.open(b"file", FXF_READ | FXF_WRITE).handle();
        raw.send(&Request::Read { handle: &handle, offset: 0, length: u32::MAX });
        std::io::Write::write_all(&mut raw.stream, &change(&handle, &truncated)).unwrap();
        await_replies(&raw);
        let deadline = Instant::now() + TEMPTATION;
        while Instant::now() < deadline {
            assert!(fs::read(&path).unwrap() == [b'o'; PIECE], "changed before the client had what it asked for first");
        }
        assert!(raw.receive().1.data() == [b'o'; PIECE]);
        assert!(raw.receive().1.is_ok());
        assert!(fs::read(&path).unwrap() != [b'o'; PIECE]);
        raw.end().unwrap();
    }
}

fn encoded(request: &Request<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    request.encode(9999, &mut out);
    out
}

#[test]
fn a_client_that_goes_without_taking_what_was_lent_ends_its_worker() {
    let place = TempDir::new().unwrap();
    fs::write(place.path().join("file"), [b'o'; PIECE]).unwrap();
    let mut raw = on_pipe(place.path());
    let handle = raw.open(b"file", FXF_READ | FXF_WRITE).handle();
    raw.send(&Request::Read { handle: &handle, offset: 0, length: u32::MAX });
    raw.send(&Request::Write { handle: &handle, offset: 0, data: b"x" });
    await_replies(&raw);
    raw.replies = fs::File::open("/dev/null").unwrap();
    assert!(raw.end().unwrap_err().is_gone());
}

#[test]
fn what_is_no_regular_file_is_read_as_ever() {
    let mut raw = on_pipe(Path::new("/"));
    let handle = raw.open_read(b"/dev/zero");
    let zeros = raw.ask(&Request::Read { handle: &handle, offset: 0, length: PIECE as u32 }).data();
    assert!(zeros == [0; PIECE]);
    let handle = raw.open_read(b"/proc/self/status");
    let status = raw.ask(&Request::Read { handle: &handle, offset: 0, length: u32::MAX }).data();
    assert!(status.starts_with(b"Name:"), "{status:?}");
    let handle = raw.open_read(b"/proc/self/mem");
    assert!(matches!(raw.ask(&Request::Read { handle: &handle, offset: 0, length: u32::MAX }), Got::Status(..)));
}
