//! SFTP: what a client may send to a server, down to the files, and what a server may send to a client.

use nacre_files::server::{Output, Settings, Taken, Worker};
use nacre_sftp::extended::{self, CheckReply, Extended};
use nacre_sftp::extensions::{Limits, Statvfs};
use nacre_sftp::{Attributes, Extensions, Reply, Request, client, packet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

/// The files that the requests are about: made once, and never changed by any request.
fn world() -> &'static Path {
    static WORLD: OnceLock<PathBuf> = OnceLock::new();
    WORLD.get_or_init(|| {
        let world = std::env::temp_dir().join(format!("nacre-fuzz-sftp-{}", std::process::id()));
        fs::create_dir_all(world.join("folder/deep")).expect("a folder");
        fs::write(world.join("file"), b"what is in the file").expect("a file");
        fs::write(world.join("folder/big"), vec![7; 300_000]).expect("a file");
        let _ = std::os::unix::fs::symlink("/folder/../file", world.join("link"));
        let _ = std::os::unix::fs::symlink("loop", world.join("loop"));
        // Read later than they could be read now, so that no reading is noted down and changes an answer.
        let later = fs::FileTimes::new().set_accessed(SystemTime::now() + Duration::from_secs(1_000));
        for path in ["", "file", "folder", "folder/deep", "folder/big"] {
            fs::File::open(world.join(path)).and_then(|file| file.set_times(later)).expect("times");
        }
        world
    })
}

/// A request is read, written and read the same; a worker answers a stream of them alike however it is cut, every answer has
/// its bounds, and nothing outside of its root is reached.
pub fn sftp_requests(data: &[u8]) {
    if let Ok((id, request)) = Request::decode(data) {
        let unknown = matches!(request, Request::Unknown { .. } | Request::Extended(Extended::Unknown { .. }));
        let mut written = Vec::new();
        request.encode(id, &mut written);
        if !unknown && written.len() <= packet::LENGTH + nacre_sftp::MAX_PACKET {
            let packet = packet::split(&written).expect("a length within bounds").expect("a whole packet");
            assert_eq!(Request::decode(packet), Ok((id, request)));
        }
    }
    let whole = answers(data, data.len() + 1);
    let pieces = answers(data, 1 + data.first().map_or(0, |byte| usize::from(*byte)));
    assert_eq!(whole, pieces);
}

/// The answers to a stream that comes in pieces of `size` bytes: type, id and length of each, and whether the worker is content.
fn answers(data: &[u8], size: usize) -> (Vec<(u8, u32, usize)>, bool) {
    let settings = Settings { root: Some(world().to_owned()), read_only: true, ..Settings::default() };
    let (mut worker, mut output) = (Worker::new(settings).expect("a worker"), Output::default());
    let mut stream = Vec::new();
    client::encode_init(&mut stream);
    stream.extend_from_slice(data);
    let (mut waiting, mut replies, mut content) = (Vec::new(), Vec::new(), true);
    for piece in stream.chunks(size) {
        waiting.extend_from_slice(piece);
        loop {
            let taken = worker.take(&waiting, &mut output);
            replies.extend_from_slice(output.bytes());
            output.clear();
            let Ok((count, taken)) = taken else {
                content = false;
                break;
            };
            waiting.drain(..count);
            if taken == Taken::All {
                break;
            }
        }
        if !content {
            break;
        }
    }
    (shapes(&replies), content)
}

fn shapes(mut replies: &[u8]) -> Vec<(u8, u32, usize)> {
    let mut shapes = Vec::new();
    while let Some(packet) = packet::split(replies).expect("packets within bounds") {
        replies = &replies[packet::LENGTH + packet.len()..];
        if packet[0] == packet::VERSION {
            continue;
        }
        let (id, reply) = Reply::decode(packet).expect("a reply");
        if let Reply::Names(names) = &reply {
            assert!(names.len() <= nacre_sftp::MAX_NAMES);
        }
        shapes.push((packet[0], id, packet.len()));
    }
    assert!(replies.is_empty(), "whole packets");
    shapes
}

/// Every reply, every part of one, and what a client with all sorts of requests under way makes of it.
pub fn sftp_replies(data: &[u8]) {
    if let Ok((id, reply)) = Reply::decode(data) {
        let mut written = Vec::new();
        reply.encode(id, &mut written);
        if let Ok(Some(packet)) = packet::split(&written) {
            assert_eq!(Reply::decode(packet), Ok((id, reply)));
        }
    }
    let mut stream = data;
    let mut session = asked();
    let mut answered = 0;
    while let Ok(Some(packet)) = packet::split(stream) {
        stream = &stream[packet::LENGTH + packet.len()..];
        match session.receive(packet) {
            Ok(_) => answered += 1,
            Err(_) => break,
        }
    }
    assert!(answered <= 12 && answered + session.outstanding() >= 11);
    let _ = client::decode_version(data);
    if let Ok((version, announced)) = Extensions::decode(data) {
        let mut written = Vec::new();
        announced.encode(&mut written);
        if let Ok(Some(packet)) = packet::split(&written) {
            assert!(version != 3 || Extensions::decode(packet) == Ok((3, announced)));
        }
    }
    if let Ok(limits) = Limits::decode(data) {
        assert_eq!(limits.encode(), data);
    }
    if let Ok(told) = Statvfs::decode(data) {
        assert_eq!(Statvfs::decode(&told.encode()), Ok(told));
    }
    if let Ok(reply) = CheckReply::decode(data) {
        assert_eq!(reply.encode(), data);
    }
    if let Ok(ranges) = extended::decode_ranges(data) {
        assert_eq!(extended::encode_ranges(&ranges), data);
    }
}

/// A client that has asked twelve things, with ids 0 to 11.
fn asked() -> client::Session<()> {
    let (handle, path) = (b"handle".as_slice(), b"path".as_slice());
    let mut session = client::Session::default();
    for request in [
        Request::Open { path, flags: 1, attributes: Attributes::default() },
        Request::Close { handle },
        Request::Read { handle, offset: 0, length: 9 },
        Request::Write { handle, offset: 0, data: b"x" },
        Request::Stat { path },
        Request::Fstat { handle },
        Request::Opendir { path },
        Request::Readdir { handle },
        Request::Realpath { path },
        Request::Readlink { path },
        Request::Extended(Extended::Limits),
        Request::Remove { path },
    ] {
        session.send(&request, (), &mut Vec::new());
    }
    session
}
