//! Messages between a monitor and its helper: of each kind at least one, with and without what may be left out.

use nacre::serve::forward::ListenPlan;
use nacre::serve::privsep::helper_messages::{FromHelper, Launch, ToHelper};
use nacre_net::privsep::StreamsKind;
use nacre_net::server::authority::{Exit, PtyRequest, Refused, Start, Target};
use nacre_sys::account::{Account, Credentials};
use nacre_wire::forward::Originator;
use nacre_wire::session::WindowSize;

fn account(name: &str) -> Account {
    Account {
        name: name.to_owned(),
        uid: 54_401,
        gid: 54_402,
        gecos: "A person".into(),
        home: "/home/nobody-at-all".into(),
        shell: "/bin/sh".into(),
        password: "x".into(),
    }
}

/// A start with nothing that may be left out.
fn plain(start: Start) -> Launch {
    Launch {
        account: account("carol"),
        closed: None,
        jailed: true,
        sftp_only: false,
        pty: None,
        env: Vec::new(),
        set_env: Vec::new(),
        start,
        original_command: None,
        peer: "127.0.0.1:1".parse().unwrap(),
        local: "127.0.0.1:22".parse().unwrap(),
        motd: false,
        last_login: None,
        must_change: false,
        auth_info: None,
        user_rc: false,
        user_environment: None,
        key_environment: Vec::new(),
        pam_variables: Vec::new(),
        pam_texts: Vec::new(),
        agent: false,
        chat: Vec::new(),
    }
}

/// A start with everything.
fn full() -> Launch {
    let size = WindowSize { columns: 80, rows: 24, width: 640, height: 480 };
    Launch {
        closed: Some("/run/nologin".into()),
        jailed: false,
        sftp_only: true,
        pty: Some(PtyRequest { term: "xterm".into(), size, modes: vec![(1, 3), (53, 1)] }),
        env: vec![(b"LANG".to_vec(), b"C".to_vec()), (b"LC_\xff".to_vec(), Vec::new())],
        set_env: vec![(b"PATH".to_vec(), b"/bin".to_vec())],
        original_command: Some(b"printf '\\0\xff'".to_vec()),
        peer: "[2001:db8::1%3]:65535".parse().unwrap(),
        local: "[::1]:22".parse().unwrap(),
        motd: true,
        last_login: Some("Last login: long ago".into()),
        must_change: true,
        auth_info: Some("publickey a fake key\n".into()),
        user_rc: true,
        user_environment: Some("LANG,LC_*".into()),
        key_environment: vec![("NAME".into(), "value".into())],
        pam_variables: vec![(b"XDG_SESSION_ID".to_vec(), b"\xfe".to_vec())],
        pam_texts: b"Hello \xff\n".to_vec(),
        agent: true,
        chat: vec!["/run/chat/join.sock".into(), "--room".into()],
        ..plain(Start::Shell)
    }
}

/// What a monitor says.
pub fn to_helper() -> Vec<ToHelper> {
    let become_one = |groups| ToHelper::Become {
        credentials: Credentials { uid: 54_401, gid: 54_402, groups },
        jail: Some("/srv/jail".into()),
    };
    let start = |session, launch| ToHelper::Start { session, launch };
    vec![
        become_one(Vec::new()),
        become_one(vec![1, u32::MAX]),
        start(1, plain(Start::Shell)),
        start(2, plain(Start::Exec(b"printf '\\0\xff'".to_vec()))),
        start(3, plain(Start::Subsystem("sftp".into()))),
        start(u32::MAX, full()),
        start(0, Launch { account: account(""), pam_texts: vec![b'x'; 5000], ..full() }),
        ToHelper::Signal { session: 1, name: "TERM".into() },
        ToHelper::Signal { session: 2, name: String::new() },
        ToHelper::HangUp { session: 1 },
        ToHelper::Kill { session: 1 },
        ToHelper::Kill { session: u32::MAX },
        ToHelper::Connect { forward: 1, target: Target::Tcp { host: "web.example".into(), port: 443 } },
        ToHelper::Connect { forward: u32::MAX, target: Target::Unix { path: b"/run/\xff".to_vec() } },
        ToHelper::Listen {
            forward: 2,
            plan: ListenPlan { hosts: vec!["::1".into()], port: 0, ..ListenPlan::default() },
        },
        ToHelper::Listen {
            forward: 3,
            plan: ListenPlan { path: b"/tmp/s".to_vec(), mask: 0o177, unlink: true, ..ListenPlan::default() },
        },
        ToHelper::StopListening { forward: 3 },
    ]
}

/// What a helper says.
pub fn from_helper() -> Vec<FromHelper> {
    let started = |session, streams, line: Option<&str>, preamble: &[u8]| FromHelper::Started {
        session,
        streams,
        line: line.map(Into::into),
        pid: 77,
        preamble: preamble.to_vec(),
    };
    let exited = |exit| FromHelper::Exited { session: 1, exit };
    vec![
        FromHelper::Ready {},
        FromHelper::NotReady { why: "enter /srv/jail: it is no folder".into() },
        started(1, StreamsKind::Terminal, Some("/dev/pts/7"), b"The message of the day\r\n"),
        started(1, StreamsKind::Terminal, Some(""), b""),
        started(2, StreamsKind::Pipes, None, b""),
        started(u32::MAX, StreamsKind::Pipes, None, b"\0\xff"),
        FromHelper::NotStarted { session: 1, why: "there is no such shell".into() },
        FromHelper::NotStarted { session: 2, why: String::new() },
        exited(Exit::Status(0)),
        exited(Exit::Status(u32::MAX)),
        exited(Exit::Signal { name: "KILL".into(), core_dumped: false }),
        exited(Exit::Signal { name: "SEGV".into(), core_dumped: true }),
        exited(Exit::Signal { name: String::new(), core_dumped: false }),
        FromHelper::Connected { forward: 1 },
        FromHelper::NotConnected { forward: 2, refused: Refused::failed("Connection refused") },
        FromHelper::NotListening { forward: 3, refused: Refused::failed("Address in use") },
        FromHelper::Listening { forward: 3, port: 8080 },
        FromHelper::Arrived { forward: 3, originator: Originator { address: "::1".into(), port: 1 } },
    ]
}
