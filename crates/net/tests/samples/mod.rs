//! Messages between a net process and its monitor: of each kind at least one, with and without what
//! may be left out.
#![allow(dead_code)]

use nacre_config::channel_timeout::ChannelTimeouts;
use nacre_net::privsep::{ConnectionSettings, EndedHow, FromMonitor, StreamsKind, ToMonitor};
use nacre_net::server::authority::{
    Exit, KeyCheck, Permissions, Place, PtyRequest, Refused, SessionRequests, Start, Target,
};
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::crypto::SecretBytes;
use nacre_proto::login::KeyProof;
use nacre_proto::login::server::{KeyboardInteractiveVerdict, PasswordVerdict, UserPolicy};
use nacre_proto::{ConnectionLimits, Keepalive, RekeyPolicy};
use nacre_wire::forward::Originator;
use nacre_wire::session::WindowSize;
use nacre_wire::userauth::{InfoRequest, Prompt};
use std::time::Duration;

fn secret(text: &str) -> SecretBytes {
    SecretBytes::new(text.as_bytes().to_vec())
}

fn check(proof: Option<KeyProof>) -> ToMonitor {
    let check = KeyCheck { algorithm: SignatureAlgorithm::Ed25519, public_key: b"a public key".to_vec(), proof };
    ToMonitor::CheckKey { question: 3, check }
}

fn start(session: u32, pty: bool, start: Start) -> ToMonitor {
    let size = WindowSize { columns: 80, rows: 24, width: 640, height: 480 };
    let pty = pty.then(|| PtyRequest { term: "xterm".into(), size, modes: vec![(1, 3), (53, 1)] });
    let env = vec![(b"LANG".to_vec(), b"C".to_vec()), (b"LC_\xff".to_vec(), Vec::new())];
    ToMonitor::Start { question: 6, session, requests: SessionRequests { pty, env, agent: true, start } }
}

/// What a net process says.
pub fn to_monitor() -> Vec<ToMonitor> {
    let proof = |host_key| Some(KeyProof { signature: b"a signature".to_vec(), host_key });
    vec![
        ToMonitor::Sign {
            question: 1,
            host_key: b"a host key".to_vec(),
            algorithm: SignatureAlgorithm::RsaSha512,
            data: vec![7; 32],
        },
        ToMonitor::LookUp { question: 2, user: b"al\xffice".to_vec() },
        check(None),
        check(proof(None)),
        check(proof(Some(b"a host key".to_vec()))),
        ToMonitor::CheckPassword { question: 4, password: secret("fake"), new: None },
        ToMonitor::CheckPassword { question: 4, password: secret(""), new: Some(secret("fake too")) },
        ToMonitor::CheckInteractive { question: 5, answers: None },
        ToMonitor::CheckInteractive { question: 5, answers: Some(vec![secret("fake"), secret("123456")]) },
        start(1, true, Start::Shell),
        start(2, false, Start::Exec(b"printf '\\0\xff'".to_vec())),
        start(u32::MAX, false, Start::Subsystem("sftp".into())),
        ToMonitor::Signal { session: 1, name: "TERM".into() },
        ToMonitor::HangUp { session: 1 },
        ToMonitor::Kill { session: 1 },
        ToMonitor::Log { level: 7, line: "a line".into() },
        ToMonitor::Ended { how: EndedHow::GraceExceeded, quiet: true, why: "gone".into(), received: 1, sent: u64::MAX },
        ToMonitor::Ended { how: EndedHow::AuthTries, quiet: false, why: String::new(), received: 0, sent: 0 },
        ToMonitor::Ended { how: EndedHow::Ordinary, quiet: false, why: String::new(), received: 0, sent: 0 },
        ToMonitor::NoneSucceeded {},
        ToMonitor::Connect { question: 7, target: Target::Tcp { host: "web.example".into(), port: u16::MAX } },
        ToMonitor::Connect { question: 8, target: Target::Unix { path: b"/run/\xff".to_vec() } },
        ToMonitor::Listen { question: 9, listener: 10, place: Place::Tcp { address: String::new(), port: 0 } },
        ToMonitor::Listen { question: 9, listener: 11, place: Place::Unix { path: b"/tmp/s".to_vec() } },
        ToMonitor::Listen { question: 9, listener: 12, place: Place::Agent },
        ToMonitor::StopListening { listener: u32::MAX },
    ]
}

fn settings() -> ConnectionSettings {
    let names = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    ConnectionSettings {
        comment: "a comment".into(),
        kex: names("mlkem768x25519-sha256 curve25519-sha256"),
        host_key_algorithms: names("ssh-ed25519"),
        ciphers: names("chacha20-poly1305@openssh.com"),
        macs: Vec::new(),
        compression: names("none zlib@openssh.com"),
        user_algorithms: names("ssh-ed25519 rsa-sha2-512"),
        rekey_bytes: Some(1 << 30),
        rekey_time: None,
        alive_interval: Some(Duration::from_secs(15)),
        alive_count_max: 3,
        required_rsa_bits: 2048,
        login_timeout: Some(Duration::from_secs(120)),
        unused_timeout: None,
        host_keys: vec![(b"a host key".to_vec(), vec![SignatureAlgorithm::RsaSha512, SignatureAlgorithm::RsaSha256])],
        log_level: 5,
    }
}

fn permissions() -> Permissions {
    let keepalive = Some(Keepalive { interval: Duration::from_millis(1500), count_max: 3 });
    let rekey = RekeyPolicy { bytes: Some(1), time: Some(Duration::from_secs(1)) };
    let limits = Some(ConnectionLimits { rekey, keepalive, unused_timeout: Some(Duration::ZERO) });
    let channel_timeouts = ChannelTimeouts { limits: vec![("session:*".to_owned(), Duration::from_secs(300))] };
    let accept_env = vec!["LC_*".into()];
    Permissions { pty: true, max_sessions: 10, signals: false, accept_env, limits, channel_timeouts }
}

fn policy() -> UserPolicy {
    UserPolicy {
        methods: vec![vec!["publickey".into(), "password".into()], vec!["keyboard-interactive".into()], Vec::new()],
        max_tries: 6,
        failure_delay: Duration::from_micros(5_123),
        banner: Some(b"words\n".to_vec()),
        none_succeeds: false,
        algorithms: vec![SignatureAlgorithm::Ed25519, SignatureAlgorithm::EcdsaNistp521],
    }
}

/// What a monitor says.
pub fn from_monitor() -> Vec<FromMonitor> {
    let prompt = |echo| Prompt { text: b"Password: ".to_vec(), echo };
    let ask = InfoRequest {
        name: b"a name".to_vec(),
        instruction: b"do".to_vec(),
        prompts: vec![prompt(false), prompt(true)],
    };
    let (question, session) = (9, 2);
    let interactive = |verdict| FromMonitor::Interactive { question, verdict, permissions: None };
    let password = |verdict| FromMonitor::Password { question, verdict, permissions: Some(permissions()) };
    vec![
        FromMonitor::Settings { settings: settings() },
        FromMonitor::Signature { question, signature: Some(b"a signature".to_vec()) },
        FromMonitor::Signature { question, signature: None },
        FromMonitor::Policy { question, policy: policy(), permissions: None },
        FromMonitor::Policy { question, policy: UserPolicy::of_nobody(), permissions: Some(permissions()) },
        FromMonitor::Key { question, accepted: true, permissions: Some(Permissions::default()) },
        FromMonitor::Key { question, accepted: false, permissions: None },
        password(PasswordVerdict::Accept),
        password(PasswordVerdict::Reject),
        password(PasswordVerdict::ChangeRequired("too old".into())),
        interactive(KeyboardInteractiveVerdict::Accept),
        interactive(KeyboardInteractiveVerdict::Reject),
        interactive(KeyboardInteractiveVerdict::Ask(ask)),
        FromMonitor::Started { question, streams: StreamsKind::Terminal, preamble: b"news\n".to_vec() },
        FromMonitor::Started { question, streams: StreamsKind::Pipes, preamble: Vec::new() },
        FromMonitor::NotStarted { question, why: "no".into() },
        FromMonitor::Exited { session, exit: Exit::Status(255) },
        FromMonitor::Exited { session, exit: Exit::Signal { name: "KILL".into(), core_dumped: true } },
        FromMonitor::Drain { milliseconds: u64::MAX },
        FromMonitor::Connected { question },
        FromMonitor::NotForwarded { question, refused: Refused::prohibited("not there (PermitOpen)") },
        FromMonitor::NotForwarded { question, refused: Refused::failed("Connection refused") },
        FromMonitor::Listening { question, port: 4711 },
        FromMonitor::Arrived { listener: 3, originator: Originator { address: "192.0.2.7".into(), port: 40_000 } },
    ]
}
