#![allow(clippy::unwrap_used)]
use super::*;

fn requests() -> Vec<Request> {
    let session = NewSession {
        tty: true,
        agent: true,
        escape: Some(b'~'),
        term: "xterm".to_owned(),
        command: b"ls \xff".to_vec(),
        variables: vec![b"A=1".to_vec(), b"B=".to_vec()],
        ..NewSession::default()
    };
    let tcp = |host: &str, port| End::Tcp { host: host.to_owned(), port };
    let forward = |kind, listen, connect| Forward { kind, listen, connect };
    vec![
        Request::hello(),
        Request::NewSession { id: 1, session },
        Request::NewSession { id: 2, session: NewSession { subsystem: true, x11: true, ..NewSession::default() } },
        Request::AliveCheck { id: 3 },
        Request::Terminate { id: 4 },
        Request::OpenForward { id: 5, forward: forward(ForwardKind::Local, tcp("", 80), tcp("h", 65535)) },
        Request::OpenForward { id: 6, forward: forward(ForwardKind::Remote, tcp("*", 0), End::Unix("/s".to_owned())) },
        Request::CloseForward { id: 7, forward: forward(ForwardKind::Dynamic, tcp("::1", 1080), tcp("socks", 0)) },
        Request::NewStdioForward { id: 8, to: tcp("h", 22) },
        Request::NewStdioForward { id: 9, to: End::Unix("/run/s".to_owned()) },
        Request::StopListening { id: 10 },
        Request::Unknown { id: 11, kind: 0x1000_000f },
    ]
}

fn replies() -> Vec<Reply> {
    vec![
        Reply::hello(),
        Reply::Ok { id: 1 },
        Reply::PermissionDenied { id: 2, reason: b"no".to_vec() },
        Reply::Failure { id: 3, reason: vec![] },
        Reply::ExitMessage { session: 4, status: 255 },
        Reply::Alive { id: 5, pid: 4711 },
        Reply::SessionOpened { id: 6, session: 2 },
        Reply::RemotePort { id: 7, port: 40_000 },
        Reply::TtyAllocFail { session: 8 },
    ]
}

#[test]
fn what_is_written_is_read() {
    let mut buffer: Vec<u8> = requests().iter().flat_map(Request::encode).collect();
    for request in requests() {
        assert_eq!(Request::decode(&next_frame(&mut buffer).unwrap().unwrap()).unwrap(), request);
    }
    assert_eq!(next_frame(&mut buffer), Ok(None));
    for reply in replies() {
        let mut buffer = reply.encode();
        assert_eq!(Reply::decode(&next_frame(&mut buffer).unwrap().unwrap()).unwrap(), reply);
    }
}

#[test]
fn the_bytes_of_a_session_are_those_of_openssh() {
    let session = NewSession { tty: true, escape: None, term: "vt".to_owned(), ..NewSession::default() };
    let bytes = Request::NewSession { id: 7, session }.encode();
    let words = [42, 0x1000_0002, 7, 0, 1, 0, 0, 0, u32::MAX, 2];
    let mut expected: Vec<u8> = words.iter().flat_map(|word: &u32| word.to_be_bytes()).collect();
    expected.extend(b"vt\0\0\0\0");
    assert_eq!(bytes, expected);
}

#[test]
fn g01_what_is_cut_short_or_too_long_is_refused() {
    for whole in requests().iter().map(Request::encode) {
        let frame = whole.get(4..).unwrap();
        // A session may end behind each of its variables.
        let ends = (0..frame.len()).filter(|end| Request::decode(frame.get(..*end).unwrap()).is_ok()).count();
        assert!(ends <= 2, "{frame:?}");
    }
    for whole in replies().iter().map(Reply::encode) {
        let frame = whole.get(4..).unwrap();
        assert!((0..frame.len()).all(|end| Reply::decode(frame.get(..end).unwrap()).is_err()), "{frame:?}");
    }
    assert!(next_frame(&mut u32::MAX.to_be_bytes().to_vec()).is_err());
    let mut longest = u32::try_from(MAX_FRAME).unwrap().to_be_bytes().to_vec();
    assert_eq!(next_frame(&mut longest), Ok(None));
    let variables = vec![b"A=1".to_vec(); MAX_VARIABLES + 1];
    let many = Request::NewSession { id: 1, session: NewSession { variables, ..NewSession::default() } }.encode();
    assert!(Request::decode(many.get(4..).unwrap()).is_err());
}

#[test]
fn extensions_are_skipped() {
    let mut greeting = Request::hello().encode();
    greeting.put_string("name");
    greeting.put_string("value");
    assert_eq!(Request::decode(greeting.get(4..).unwrap()), Ok(Request::hello()));
    assert_eq!(Reply::decode(greeting.get(4..).unwrap()), Ok(Reply::hello()));
}
