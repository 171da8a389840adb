//! Seeds the corpus of shared connections: `cargo run --no-default-features --example seed-share`.

use nacre_wire::share::{End, Forward, ForwardKind, NewSession, Reply, Request};
use std::fs;
use std::path::Path;

fn put(name: &str, bytes: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/share_messages");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join(name), bytes).expect("a file");
}

fn main() {
    let tcp = |host: &str, port| End::Tcp { host: host.to_owned(), port };
    let session = NewSession {
        tty: true,
        agent: true,
        escape: Some(b'~'),
        term: "xterm-256color".to_owned(),
        command: b"ls -l".to_vec(),
        variables: vec![b"LANG=C.UTF-8".to_vec(), b"EMPTY=".to_vec()],
        ..NewSession::default()
    };
    let forward = |kind, listen, connect| Forward { kind, listen, connect };
    let local = forward(ForwardKind::Local, tcp("", 8080), tcp("web.example", 80));
    let remote = forward(ForwardKind::Remote, tcp("*", 0), End::Unix("/run/socket".to_owned()));
    let dynamic = forward(ForwardKind::Dynamic, tcp("::1", 1080), tcp("socks", 0));
    let requests = [
        ("hello", Request::hello()),
        ("session", Request::NewSession { id: 1, session }),
        ("shell", Request::NewSession { id: 2, session: NewSession::default() }),
        ("check", Request::AliveCheck { id: 3 }),
        ("exit", Request::Terminate { id: 4 }),
        ("stop", Request::StopListening { id: 5 }),
        ("local", Request::OpenForward { id: 6, forward: local }),
        ("remote", Request::OpenForward { id: 7, forward: remote }),
        ("cancel", Request::CloseForward { id: 8, forward: dynamic }),
        ("stdio", Request::NewStdioForward { id: 9, to: tcp("host", 22) }),
        ("unknown", Request::Unknown { id: 10, kind: 0x1000_000f }),
    ];
    let replies = [
        ("reply-ok", Reply::Ok { id: 1 }),
        ("reply-denied", Reply::PermissionDenied { id: 2, reason: b"no".to_vec() }),
        ("reply-failure", Reply::Failure { id: 3, reason: b"\x1b[2J".to_vec() }),
        ("reply-exit", Reply::ExitMessage { session: 4, status: 255 }),
        ("reply-alive", Reply::Alive { id: 5, pid: 4711 }),
        ("reply-opened", Reply::SessionOpened { id: 6, session: 2 }),
        ("reply-port", Reply::RemotePort { id: 7, port: 40_000 }),
        ("reply-tty", Reply::TtyAllocFail { session: 8 }),
    ];
    let (mut asked, mut said) = (Vec::new(), Reply::hello().encode());
    for (name, request) in &requests {
        put(name, &request.encode());
        asked.extend(request.encode());
    }
    for (name, reply) in &replies {
        put(name, &reply.encode());
        said.extend(reply.encode());
    }
    put("all-requests", &asked);
    put("all-replies", &said);
}
