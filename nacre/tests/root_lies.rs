//! As root: a net process that has been taken over. This program serves in place of `nacre`, and is
//! `nacre` in every role but one: the net process of a peer that is not 127.0.0.1 does what its peer
//! says, from behind the same walls. So nothing of it is in the program that ships.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

mod common;
#[path = "common/liar.rs"]
mod liar;
#[path = "common/root.rs"]
mod root;
#[path = "common/serve.rs"]
mod serve;

use liar::{Reply, Taken};
use nacre_crypto::PrivateKey;
use nacre_net::privsep::{EndedHow, FromMonitor, ToMonitor};
use nacre_net::server::authority::{KeyCheck, PtyRequest, SessionRequests, Start};
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::crypto::SecretBytes;
use nacre_proto::login::{KeyProof, SignedRequest};
use nacre_wire::session::WindowSize;
use nacre_wire::userauth::PublicKeyRequest;
use root::{Bystander, Root, children, possible, terminals};
use serve::{eventually, is_alive, send};
use std::io::Read;
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Duration;

const SESSION: [u8; 32] = [7; 32];

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    let words: Vec<_> = args.iter().map(|word| word.to_string_lossy()).collect();
    if words[0] == "nacre: net" && liar::is_taken() {
        return liar::run(&words[1..]);
    }
    if words[0].starts_with("nacre: ") || words.get(1).is_some_and(|word| word == "serve") {
        return nacre::run(args);
    }
    if !possible() {
        return ExitCode::SUCCESS;
    }
    let tests: [(&str, fn()); 6] = [
        ("p18_p19_nothing_forbidden_can_be_done", nothing_forbidden_can_be_done),
        ("p18_nothing_forbidden_can_be_said", nothing_forbidden_can_be_said),
        ("p18_a_message_that_is_none_ends_the_connection", a_message_that_is_none_ends_the_connection),
        ("p18_what_an_honest_process_says_is_done", what_an_honest_process_says_is_done),
        ("p18_a_helper_that_is_stopped_holds_nobody", a_helper_that_is_stopped_holds_nobody),
        ("p06_a_crash_is_punished", a_crash_is_punished),
    ];
    let wanted: Vec<_> = words[1..].iter().filter(|word| !word.starts_with('-')).collect();
    for (name, test) in tests {
        if wanted.is_empty() || wanted.iter().any(|word| name.contains(word.as_ref())) {
            test();
            println!("test {name} ... ok");
        }
    }
    ExitCode::SUCCESS
}

fn server(lines: &str) -> Root {
    let own = std::env::current_exe().unwrap();
    Root::start(&own, &format!("MaxStartups 300\n{lines}"))
}

/// What the kernel does about a forbidden deed.
const REFUSED: &str = "errno 13";

fn nothing_forbidden_can_be_done() {
    let server = server("PerSourcePenalties no");
    let bystander = Bystander::start(&server);
    let monitor = bystander.family.monitor;
    let helper = bystander.family.helper.unwrap();
    eventually("the bystander's shell", || !children(helper).is_empty());
    let shell = children(helper)[0];
    let (before, pts) = (server.descriptors(), terminals());
    let host_key = server.place.path("host").display().to_string();
    let refused = [
        format!("open {host_key}"),
        "open /etc/shadow".into(),
        "open /etc/passwd".into(),
        "open .".into(),
        "list /proc".into(),
        "open /proc/self/mem".into(),
        "unix /run/x".into(),
        "stat /".into(),
    ];
    let killed = [
        "connect 127.0.0.1:22".to_owned(),
        "bind 127.0.0.1:0".into(),
        "udp 127.0.0.1:0".into(),
        "exec /bin/sh".into(),
        "spawn /bin/true".into(),
        "thread".into(),
        format!("kill {}", server.pid()),
        format!("kill {shell}"),
        format!("kill {monitor}"),
        "chroot /".into(),
        "unlink /x".into(),
        "mkdir /x".into(),
        "socketpair".into(),
    ];
    for deed in &refused {
        let mut taken = Taken::connect(&server);
        assert_eq!(taken.does(deed), Reply::Text(REFUSED.into()), "{deed}");
    }
    server.settles(1);
    for deed in &killed {
        let crashes = server.log().matches("signal 31").count();
        assert_eq!(Taken::connect(&server).does(deed), Reply::Gone, "{deed}");
        eventually(deed, || server.log().matches("signal 31").count() > crashes);
        server.settles(1);
    }
    assert!(is_alive(shell) && is_alive(monitor));
    eventually("the listener keeps no descriptors", || server.descriptors() == before);
    eventually("terminals given back", || terminals() <= pts);
    bystander.ends_well();
}

fn sign(data: &[u8], server: &Root) -> ToMonitor {
    let host_key = PrivateKey::read(&std::fs::read(server.place.path("host")).unwrap(), None).unwrap();
    ToMonitor::Sign {
        question: 1,
        host_key: host_key.public_blob().to_vec(),
        algorithm: SignatureAlgorithm::Ed25519,
        data: data.to_vec(),
    }
}

fn look_up(user: &str) -> ToMonitor {
    ToMonitor::LookUp { question: 2, user: user.as_bytes().to_vec() }
}

/// A signed request of `signs` in a session, for a login as somebody.
fn key(server: &Root, session: &[u8], signs: &str, user: &str) -> ToMonitor {
    let key = PrivateKey::read(&std::fs::read(server.place.path(signs)).unwrap(), None).unwrap();
    let own = PrivateKey::read(&std::fs::read(server.place.path("id")).unwrap(), None).unwrap();
    let algorithm = SignatureAlgorithm::Ed25519;
    let request = PublicKeyRequest {
        algorithm: algorithm.name().as_bytes(),
        public_key: own.public_blob(),
        host_key: None,
        signature: None,
    };
    let text = SignedRequest { session_id: session, user: user.as_bytes(), request: &request }.text();
    let signature = key.sign(algorithm, &text).unwrap();
    let proof = Some(KeyProof { signature, host_key: None });
    ToMonitor::CheckKey { question: 3, check: KeyCheck { algorithm, public_key: own.public_blob().to_vec(), proof } }
}

fn password(text: &str) -> ToMonitor {
    ToMonitor::CheckPassword { question: 3, password: SecretBytes::new(text.as_bytes().to_vec()), new: None }
}

fn start(session: u32, command: &str) -> ToMonitor {
    let start = Start::Exec(command.as_bytes().to_vec());
    ToMonitor::Start {
        question: 4,
        session,
        requests: SessionRequests { pty: None, env: Vec::new(), agent: false, start },
    }
}

fn with(message: ToMonitor, change: impl FnOnce(&mut SessionRequests)) -> ToMonitor {
    let ToMonitor::Start { question, session, mut requests } = message else { unreachable!() };
    change(&mut requests);
    ToMonitor::Start { question, session, requests }
}

fn ended() -> ToMonitor {
    ToMonitor::Ended { how: EndedHow::Ordinary, quiet: true, why: "gone".into(), received: 0, sent: 0 }
}

fn nothing_forbidden_can_be_said() {
    let server = server("PerSourcePenalties no\nMaxSessions 3\nPermitTTY no\nAcceptEnv LANG");
    let bystander = Bystander::start(&server);
    let before = server.descriptors();
    let fresh = || vec![sign(&SESSION, &server)];
    let named = || vec![sign(&SESSION, &server), look_up("carol")];
    let inside = || vec![sign(&SESSION, &server), look_up("carol"), key(&server, &SESSION, "id", "carol")];
    let then = |mut before: Vec<ToMonitor>, message| {
        before.push(message);
        before
    };
    serve::make_key(&server.place, "stranger");
    let pty = || PtyRequest { term: "x".into(), size: WindowSize::default(), modes: Vec::new() };
    let lies = [
        ("signature over anything", vec![sign(b"anything that is no hash at all", &server), sign(&[1; 33], &server)]),
        ("five signatures", (0..5).map(|n| sign(&[n; 32], &server)).collect()),
        ("a name before any key exchange", vec![look_up("carol")]),
        ("two names", then(named(), look_up("dave"))),
        ("a password before a name", then(fresh(), password("x"))),
        ("a start before a login", then(named(), start(1, "id"))),
        ("none that nobody granted", then(named(), ToMonitor::NoneSucceeded {})),
        ("another session's signature", then(named(), key(&server, &[8; 32], "id", "carol"))),
        ("another user's signature", then(named(), key(&server, &SESSION, "id", "dave"))),
        ("another key's signature", then(named(), key(&server, &SESSION, "stranger", "carol"))),
        (
            "answers to no question",
            then(named(), ToMonitor::CheckInteractive { question: 3, answers: Some(Vec::new()) }),
        ),
        ("a terminal that is not allowed", then(inside(), with(start(1, "id"), |r| r.pty = Some(pty())))),
        (
            "a variable that is not allowed",
            then(
                inside(),
                with(start(1, "id"), |r| {
                    r.env.push((b"LD_PRELOAD".to_vec(), b"/tmp/x".to_vec()));
                }),
            ),
        ),
        ("a session twice", then(then(inside(), start(1, "sleep 9")), start(1, "sleep 9"))),
        ("a second login", then(inside(), look_up("dave"))),
        ("a word after the last", then(then(inside(), ended()), start(1, "id"))),
    ];
    for (lie, messages) in &lies {
        let crashes = server.log().matches("misbehaved").count();
        let mut taken = Taken::connect(&server);
        let replies: Vec<_> = messages.iter().map(|message| taken.says(message)).collect();
        assert!(replies.contains(&Reply::Gone), "{lie}: {replies:?}");
        assert!(!replies.iter().any(|reply| reply.starts_something()), "{lie}: {replies:?}");
        eventually(lie, || server.log().matches("misbehaved").count() > crashes);
        server.settles(1);
    }
    eventually("the listener keeps no descriptors", || server.descriptors() == before);
    bystander.ends_well();
}

fn a_message_that_is_none_ends_the_connection() {
    let server = server("PerSourcePenalties no");
    let good = sign(&SESSION, &server).to_bytes().to_vec();
    let lies = [
        vec![0],
        vec![255; 100],
        good[..good.len() - 1].to_vec(),
        [&good[..], b"x"].concat(),
        vec![1; 400 * 1024],
        FromMonitor::Drain { milliseconds: 1 }.to_bytes().to_vec(),
    ];
    for lie in lies {
        assert_eq!(
            Taken::connect(&server).says_bytes(&lie),
            Reply::Gone,
            "{}",
            lie[..lie.len().min(20)].escape_ascii()
        );
        server.settles(0);
    }
    assert_eq!(server.log().matches("misbehaved: malformed message").count(), 6, "{}", server.log());
    assert_eq!(server.run("carol", "echo there").out, "there\n");
}

/// That the lies above fail for being lies: the same way, said honestly, leads in.
fn what_an_honest_process_says_is_done() {
    let server = server("PerSourcePenalties no\nMaxSessions 2");
    let mut taken = Taken::connect(&server);
    assert!(matches!(
        taken.says(&sign(&SESSION, &server)),
        Reply::Message(FromMonitor::Signature { signature: Some(_), .. })
    ));
    assert!(matches!(taken.says(&look_up("carol")), Reply::Message(FromMonitor::Policy { .. })));
    let reply = taken.says(&password("wrong and fake"));
    assert!(matches!(reply, Reply::Message(FromMonitor::Password { permissions: None, .. })), "{reply:?}");
    let reply = taken.says(&key(&server, &SESSION, "id", "carol"));
    assert!(
        matches!(reply, Reply::Message(FromMonitor::Key { accepted: true, permissions: Some(_), .. })),
        "{reply:?}"
    );
    for session in [1, 2] {
        let reply = taken.says(&start(session, "sleep 60"));
        assert!(matches!(reply, Reply::Message(FromMonitor::Started { .. })), "{reply:?}");
    }
    let reply = taken.says(&start(3, "sleep 60"));
    assert!(matches!(reply, Reply::Message(FromMonitor::NotStarted { .. })), "one too many is refused: {reply:?}");
    let reply = taken.says(&ToMonitor::Kill { session: 1 });
    assert!(matches!(reply, Reply::Message(FromMonitor::Exited { session: 1, .. })), "{reply:?}");
    drop(taken);
    server.settles(0);
}

/// A helper is its user's, who may stop it. What it is told then fills the socket, and the monitor must not wait for ever.
fn a_helper_that_is_stopped_holds_nobody() {
    let server = server("PerSourcePenalties no");
    let mut taken = Taken::connect(&server);
    for message in [sign(&SESSION, &server), look_up("carol"), key(&server, &SESSION, "id", "carol")] {
        assert!(matches!(taken.says(&message), Reply::Message(_)));
    }
    assert!(matches!(taken.says(&start(1, "sleep 60")), Reply::Message(FromMonitor::Started { .. })));
    let family = server.new_family(&[]);
    let helper = family.helper.unwrap();
    send(helper, "STOP");
    let signal = ToMonitor::Signal { session: 1, name: "WINCH".into() };
    assert_eq!(taken.repeats(100, &signal), Reply::Text("nothing".into()));
    assert!(is_alive(helper), "it was given no time");
    taken.repeats(5000, &signal);
    drop(taken);
    server.settles(0);
    assert!(!is_alive(helper) && !is_alive(family.monitor));
    server.logs("the helper does not read");
    assert_eq!(server.log().matches("misbehaved").count(), 0, "{}", server.log());
    assert_eq!(server.run("carol", "echo here again").out, "here again\n");
}

fn a_crash_is_punished() {
    let server = server("PerSourcePenaltyExemptList none");
    let mut taken = Taken::connect(&server);
    let from = taken.address();
    assert_eq!(taken.says_bytes(&[0]), Reply::Gone);
    server.settles(0);
    let mut again = liar::connect_from(from, server.port);
    let mut text = String::new();
    again.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let _ = again.read_to_string(&mut text);
    assert!(!text.is_empty() && !text.starts_with("SSH-") && !text.starts_with("taken"), "{text:?}");
    println!("refused with {:?}", text.trim());
    let mut greeting = [0; 4];
    let mut other = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    other.read_exact(&mut greeting).unwrap();
    assert_eq!(&greeting, b"SSH-", "others are served");
}
