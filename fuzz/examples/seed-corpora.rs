//! Seeds the corpora whose inputs are no text: `cargo run --no-default-features --example
//! seed-corpora`. Files that are there stay; those made by hand have other names.

#[path = "../../crates/net/tests/samples/mod.rs"]
mod samples;

#[path = "../../nacre/tests/samples/mod.rs"]
mod helper_samples;

use nacre_proto::algorithm::KexMethod;
use nacre_proto::{Role, TransportConfig};
use nacre_testkit::flow::{self, Entry};
use nacre_testkit::provider::NoMaths;
use nacre_testkit::{Pair, pair, sample};
use nacre_wire::forward::{ForwardOpen, ForwardRequest, Originator};
use nacre_wire::message::{ChannelOpen, GlobalRequest, Message, Rest};
use std::fs;
use std::path::Path;
use std::sync::Arc;

fn put(target: &str, name: &str, bytes: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join(name), bytes).expect("a file");
}

fn unhex(text: &str) -> Vec<u8> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("text"), 16).expect("hex");
    text.as_bytes().chunks(2).map(pair).collect()
}

/// The first good vector of every message, and three bad ones.
fn wire() {
    for file in ["transport", "userauth", "connection", "lists"] {
        let path = flow::folder().join("wire").join(format!("{file}.txt"));
        let text = fs::read_to_string(path).expect("vectors/wire");
        let rows = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(" -> "));
        for (count, (case, expected)) in rows.enumerate() {
            let (name, hex) = case.split_once(' ').expect("a name");
            let wanted = expected.starts_with("ok") || count % 23 == 0;
            if wanted && hex.len() <= 2_000 && hex != "-" {
                put("wire_messages", &format!("{name}-{count}"), &unhex(hex));
            }
        }
    }
}

/// What channels that carry connections are opened with, and the requests to listen.
fn forwards() {
    let originator = Originator { address: "192.0.2.7".into(), port: 40_000 };
    let opens = [
        ForwardOpen::DirectTcpip { host: "web.example".into(), port: 80, originator: originator.clone() },
        ForwardOpen::ForwardedTcpip { address: String::new(), port: 8080, originator },
        ForwardOpen::DirectStreamlocal { path: b"/run/socket".to_vec() },
        ForwardOpen::ForwardedStreamlocal { path: b"/tmp/\xff".to_vec() },
        ForwardOpen::AuthAgent,
    ];
    for open in opens {
        let mut rest = Vec::new();
        open.encode_rest(&mut rest);
        let kind = open.kind().as_bytes();
        let message = ChannelOpen { kind, sender: 1, initial_window: 2, max_packet: 3, rest: Rest(&rest) };
        put("wire_messages", &format!("open-{}", open.kind()), &message.to_bytes());
    }
    let requests = [
        ForwardRequest::Tcpip { address: "localhost".into(), port: 0 },
        ForwardRequest::CancelTcpip { address: String::new(), port: 8080 },
        ForwardRequest::Streamlocal { path: b"/tmp/s".to_vec() },
        ForwardRequest::CancelStreamlocal { path: b"/tmp/s".to_vec() },
    ];
    for request in requests {
        let mut rest = Vec::new();
        request.encode_rest(&mut rest);
        let message = GlobalRequest { name: request.name().as_bytes(), want_reply: true, rest: Rest(&rest) };
        put("wire_messages", &format!("request-{}", request.name()), &message.to_bytes());
    }
}

/// A conversation without arithmetic, up to a used session: what the client said, then the server.
fn conversation() -> [Vec<u8>; 2] {
    let config = || TransportConfig { kex: vec![KexMethod::Curve25519], ..TransportConfig::default() };
    let mut pair = Pair::new(pair::Setup {
        client: config(),
        server: config(),
        client_provider: Arc::new(NoMaths::new(1)),
        server_provider: Arc::new(NoMaths::new(2)),
        ..pair::Setup::default()
    });
    pair.to_server.recorded = Some(Vec::new());
    pair.to_client.recorded = Some(Vec::new());
    pair.log_in();
    let _ = pair.open_session();
    [&mut pair.to_server, &mut pair.to_client].map(|link| link.recorded.take().expect("what was said"))
}

/// Where packets end in a conversation in clear.
fn ends(bytes: &[u8]) -> Vec<usize> {
    let mut at = bytes.iter().position(|b| *b == b'\n').expect("a line") + 1;
    let mut ends = vec![at];
    while let Some(head) = bytes.get(at..at + 4) {
        at += 4 + u32::from_be_bytes(head.try_into().expect("four bytes")) as usize;
        ends.push(at);
    }
    ends
}

fn streams() {
    for (target, bytes) in ["server_before_login", "client_before_login"].into_iter().zip(conversation()) {
        for (count, end) in ends(&bytes).into_iter().enumerate() {
            put(target, &format!("conversation-{count:02}"), &[&[15], &bytes[..end]].concat());
        }
        put(target, "conversation-bytes", &[&[0], &bytes[..]].concat());
    }
    for flow in flow::all() {
        let target = if flow.header.role == Role::Server { "server_before_login" } else { "client_before_login" };
        let packets = flow.entries.iter().filter_map(|entry| match entry {
            Entry::In(bytes) => Some(bytes.as_slice()),
            Entry::Out(_) => None,
        });
        let start: Vec<u8> = packets.take(4).flatten().copied().collect();
        put(target, &format!("openssh-{}", flow.header.name), &[&[40], &start[..]].concat());
    }
}

fn framed(messages: &[Vec<u8>]) -> Vec<u8> {
    let frame = |m: &Vec<u8>| [&u16::try_from(m.len()).expect("a short message").to_be_bytes()[..], m].concat();
    messages.iter().flat_map(frame).collect()
}

fn after_login() {
    for target in ["server_after_login", "client_after_login"] {
        let opening: Vec<Vec<u8>> = match target {
            "server_after_login" => vec![sample::open("session")],
            _ => vec![sample::of(91), sample::of(91)],
        };
        for number in (1..=7).chain([20, 21, 30, 31, 50, 51, 52, 60]).chain(80..=82).chain(90..=100).chain([192, 193]) {
            let messages = [opening.clone(), vec![sample::of(number), sample::of(number)]].concat();
            put(target, &format!("message-{number:03}"), &framed(&messages));
        }
        let close = [opening.clone(), vec![sample::data(0, b"x"), sample::of(96), sample::of(97), sample::of(94)]];
        put(target, "used-and-closed", &framed(&close.concat()));
        let many: Vec<Vec<u8>> = (0..40).map(|n| sample::open_with("session", n, 10, 10)).collect();
        put(target, "many-channels", &framed(&many));
        let tiny = [vec![sample::open_with("session", 0, 0, 1)], vec![sample::of(93), sample::of(93)]].concat();
        put(target, "no-window", &framed(&tiny));
        let endless = [opening, vec![sample::data(0, &vec![7; 30_000]); 3]].concat();
        put(target, "much-data", &framed(&endless));
    }
}

/// Every message between the server's own processes; those to a monitor behind what must come before.
fn privsep() {
    let to_monitor: Vec<Vec<u8>> = samples::to_monitor().iter().map(|message| message.to_bytes().to_vec()).collect();
    for (count, message) in to_monitor.iter().enumerate() {
        let messages = [to_monitor[0].clone(), to_monitor[1].clone(), message.clone()];
        put("privsep_to_monitor", &format!("message-{count:02}"), &framed(&messages));
    }
    put("privsep_to_monitor", "all", &framed(&to_monitor));
    for (count, message) in samples::from_monitor().iter().enumerate() {
        put("privsep_from_monitor", &format!("message-{count:02}"), &message.to_bytes());
    }
    for (count, message) in helper_samples::to_helper().iter().enumerate() {
        put("privsep_to_helper", &format!("message-{count:02}"), &message.to_bytes());
    }
    for (count, message) in helper_samples::from_helper().iter().enumerate() {
        put("privsep_from_helper", &format!("message-{count:02}"), &message.to_bytes());
    }
}

/// Requests of all kinds after the files were opened that they are about, and replies of all kinds.
fn sftp() {
    use nacre_sftp::extended::{Check, CheckReply, CheckedFile};
    use nacre_sftp::{Attributes, Code, Extended, Extensions, Name, Reply, Request};
    let (file, folder) = ([0; 8], [0, 0, 0, 1, 0, 0, 0, 0]);
    let (file, folder): (&[u8], &[u8]) = (&file, &folder);
    let all = Attributes {
        size: Some(1),
        owner: Some((2, 3)),
        permissions: Some(0o100_600),
        times: Some((4, 5)),
        extended: vec![(b"a@b".to_vec(), b"c".to_vec())],
    };
    let check = Check { algorithms: b"md5,sha256", offset: 1, length: 0, block: 256 };
    let (path, new) = (b"/folder/../link".as_slice(), b"new".as_slice());
    let opened = [
        Request::Open { path: b"link", flags: 1, attributes: Attributes::default() },
        Request::Opendir { path: b"folder" },
    ];
    let requests = [
        Request::Open { path: new, flags: 0x1a, attributes: all.clone() },
        Request::Close { handle: folder },
        Request::Read { handle: file, offset: 3, length: u32::MAX },
        Request::Write { handle: file, offset: 0, data: b"data" },
        Request::Lstat { path },
        Request::Fstat { handle: file },
        Request::Setstat { path, attributes: all.clone() },
        Request::Fsetstat { handle: file, attributes: all.clone() },
        Request::Readdir { handle: folder },
        Request::Remove { path },
        Request::Mkdir { path: new, attributes: all.clone() },
        Request::Rmdir { path },
        Request::Realpath { path },
        Request::Stat { path: b"loop" },
        Request::Rename { old: path, new },
        Request::Readlink { path: b"link" },
        Request::Symlink { target: path, link: new },
        Request::Unknown { kind: 99 },
        Request::Extended(Extended::PosixRename { old: path, new }),
        Request::Extended(Extended::Statvfs { path }),
        Request::Extended(Extended::Fstatvfs { handle: file }),
        Request::Extended(Extended::Hardlink { old: path, new }),
        Request::Extended(Extended::Fsync { handle: file }),
        Request::Extended(Extended::Lsetstat { path, attributes: all.clone() }),
        Request::Extended(Extended::Limits),
        Request::Extended(Extended::ExpandPath { path: b"~/file" }),
        Request::Extended(Extended::CopyData { from: file, from_offset: 1, length: 2, to: folder, to_offset: 3 }),
        Request::Extended(Extended::HomeDirectory { user: b"" }),
        Request::Extended(Extended::UsersGroupsById { users: vec![0, 1], groups: vec![2] }),
        Request::Extended(Extended::CheckFile { file: CheckedFile::Handle(file), check }),
        Request::Extended(Extended::CheckFile { file: CheckedFile::Path(b"folder/big"), check }),
        Request::Extended(Extended::LinkCount { path }),
        Request::Extended(Extended::DataRanges { handle: file, offset: 0 }),
        Request::Extended(Extended::Unknown { name: b"unknown@example.invalid" }),
    ];
    let mut everything = Vec::new();
    for (id, request) in (0..).zip(opened.iter().chain(&requests)) {
        request.encode(id, &mut everything);
        let mut stream = Vec::new();
        for (id, request) in (0..).zip(opened.iter().chain([request])) {
            request.encode(id, &mut stream);
        }
        put("sftp_requests", &format!("stream-{id:02}"), &stream);
        let mut one = Vec::new();
        request.encode(id, &mut one);
        put("sftp_requests", &format!("packet-{id:02}"), &one[4..]);
    }
    put("sftp_requests", "everything", &everything);
    let name =
        |name: &[u8]| Name { name: name.to_vec(), long: b"-rw-r--r--    1 a b 1 x".to_vec(), attributes: all.clone() };
    let replies = [
        Reply::Status { code: Code::Ok, message: b"Success" },
        Reply::Status { code: Code::Eof, message: b"" },
        Reply::Status { code: Code::Other(99), message: b"words" },
        Reply::Handle(b"handle"),
        Reply::Data(b"data"),
        Reply::Names(vec![]),
        Reply::Names(vec![name(b"one")]),
        Reply::Names(vec![name(b"."), name(b"../x"), name(b"\xff\x1b")]),
        Reply::Attributes(all.clone()),
        Reply::Attributes(Attributes::default()),
        Reply::Extended(&[0; 32]),
    ];
    for (count, reply) in replies.iter().enumerate() {
        let (mut one, mut stream) = (Vec::new(), Vec::new());
        reply.encode(7, &mut one);
        put("sftp_replies", &format!("packet-{count:02}"), &one[4..]);
        (0..12).for_each(|id| reply.encode(id, &mut stream));
        put("sftp_replies", &format!("stream-{count:02}"), &stream);
    }
    let mut version = Vec::new();
    Extensions::ours().encode(&mut version);
    put("sftp_replies", "version", &version[4..]);
    put("sftp_replies", "limits", &[0, 0, 0, 0, 0, 4, 0, 0].repeat(4));
    put("sftp_replies", "statvfs", &[0, 0, 0, 0, 0, 0, 0, 1].repeat(11));
    put("sftp_replies", "hashes", &CheckReply { algorithm: b"sha256", hashes: &[9; 64] }.encode());
    put("sftp_replies", "ranges", &nacre_sftp::extended::encode_ranges(&[(0, 9), (11, 12)]));
}

fn main() {
    sftp();
    privsep();
    wire();
    forwards();
    streams();
    after_login();
}
