//! What the monitor's gate lets pass, and what it does not: every message in every phase, and every
//! way to lie that a net process has.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use nacre_net::privsep::{EndedHow, Gate, Phase, ToMonitor, Violation};
use nacre_net::server::authority::{KeyCheck, Permissions, Place, PtyRequest, SessionRequests, Start, Target};
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::crypto::SecretBytes;
use nacre_proto::limits;
use nacre_proto::login::server::UserPolicy;
use nacre_proto::login::{KeyProof, SignedRequest};
use nacre_testkit::keys::{host_key, other_key, p256_key, rsa_key, user_key};
use nacre_testkit::provider::Seeded;
use nacre_wire::session::WindowSize;
use nacre_wire::userauth::PublicKeyRequest;
use nacre_wire::{WriteExt, names};

const SESSION: [u8; 32] = [7; 32];
const USER: &[u8] = b"alice";

fn provider() -> Seeded {
    Seeded::new(1)
}

fn gate() -> Gate {
    Gate::new(vec![host_key().public_blob().to_vec()])
}

fn sign(data: &[u8]) -> ToMonitor {
    let host_key = host_key().public_blob().to_vec();
    ToMonitor::Sign { question: 1, host_key, algorithm: SignatureAlgorithm::Ed25519, data: data.to_vec() }
}

fn look_up(user: &[u8]) -> ToMonitor {
    ToMonitor::LookUp { question: 1, user: user.to_vec() }
}

fn password() -> ToMonitor {
    ToMonitor::CheckPassword { question: 1, password: SecretBytes::new(b"fake".to_vec()), new: None }
}

fn interactive(answers: bool) -> ToMonitor {
    let answers = answers.then(|| vec![SecretBytes::new(b"fake".to_vec())]);
    ToMonitor::CheckInteractive { question: 1, answers }
}

fn ended() -> ToMonitor {
    ToMonitor::Ended { how: EndedHow::Ordinary, quiet: true, why: "gone".into(), received: 1, sent: 2 }
}

fn log(length: usize) -> ToMonitor {
    ToMonitor::Log { level: 6, line: "x".repeat(length) }
}

fn start(session: u32) -> ToMonitor {
    start_with(session, |_| {})
}

fn start_with(session: u32, change: impl FnOnce(&mut SessionRequests)) -> ToMonitor {
    let mut requests = SessionRequests { pty: None, env: Vec::new(), agent: false, start: Start::Shell };
    change(&mut requests);
    ToMonitor::Start { question: 1, session, requests }
}

fn connect(question: u32) -> ToMonitor {
    ToMonitor::Connect { question, target: Target::Tcp { host: "h".into(), port: 1 } }
}

fn listen(listener: u32) -> ToMonitor {
    ToMonitor::Listen { question: 1, listener, place: Place::Tcp { address: String::new(), port: 0 } }
}

/// A key of a user.
#[derive(Clone, Copy)]
enum Key {
    User,
    Other,
    Rsa,
    P256,
}

impl Key {
    fn blob(self) -> &'static [u8] {
        match self {
            Self::User => user_key().public_blob(),
            Self::Other => other_key().public_blob(),
            Self::Rsa => rsa_key().public_blob(),
            Self::P256 => p256_key().public_blob(),
        }
    }

    fn sign(self, algorithm: SignatureAlgorithm, text: &[u8]) -> Vec<u8> {
        let signature = match self {
            Self::User => user_key().sign(algorithm, text),
            Self::Other => other_key().sign(algorithm, text),
            Self::Rsa => rsa_key().sign(algorithm, text),
            Self::P256 => p256_key().sign(algorithm, text),
        };
        signature.unwrap()
    }
}

/// What a key signs to log in.
struct Request<'a> {
    session: &'a [u8],
    user: &'a [u8],
    algorithm: SignatureAlgorithm,
    signed_algorithm: SignatureAlgorithm,
    host_key: Option<&'a [u8]>,
    signed_host_key: Option<&'a [u8]>,
    key: Key,
    claimed_key: Option<Key>,
}

impl Request<'_> {
    fn good() -> Self {
        let algorithm = SignatureAlgorithm::Ed25519;
        Self {
            session: &SESSION,
            user: USER,
            algorithm,
            signed_algorithm: algorithm,
            host_key: None,
            signed_host_key: None,
            key: Key::User,
            claimed_key: None,
        }
    }

    fn check(&self) -> KeyCheck {
        let public_key = self.claimed_key.unwrap_or(self.key).blob();
        let request = PublicKeyRequest {
            algorithm: self.signed_algorithm.name().as_bytes(),
            public_key,
            host_key: self.signed_host_key,
            signature: None,
        };
        let text = SignedRequest { session_id: self.session, user: self.user, request: &request }.text();
        let signature = self.key.sign(self.signed_algorithm, &text);
        let host_key = self.host_key.map(<[u8]>::to_vec);
        let proof = Some(KeyProof { signature, host_key });
        KeyCheck { algorithm: self.algorithm, public_key: public_key.to_vec(), proof }
    }

    fn message(&self) -> ToMonitor {
        ToMonitor::CheckKey { question: 1, check: self.check() }
    }
}

fn probe() -> ToMonitor {
    ToMonitor::CheckKey { question: 1, check: KeyCheck { proof: None, ..Request::good().check() } }
}

fn policy(ways: &str, max_tries: u32) -> UserPolicy {
    let way = |way: &str| way.split(',').map(str::to_owned).collect();
    UserPolicy {
        methods: ways.split(' ').map(way).collect(),
        max_tries,
        algorithms: vec![SignatureAlgorithm::Ed25519, SignatureAlgorithm::RsaSha512, SignatureAlgorithm::EcdsaNistp256],
        ..UserPolicy::of_nobody()
    }
}

const ALL: &str = "publickey password keyboard-interactive";

fn at_login(ways: &str, max_tries: u32) -> Gate {
    let mut gate = gate();
    gate.check(&provider(), &sign(&SESSION)).unwrap();
    gate.check(&provider(), &look_up(USER)).unwrap();
    gate.looked_up(&policy(ways, max_tries), None);
    gate
}

fn permissions() -> Permissions {
    Permissions { pty: true, max_sessions: 2, signals: true, accept_env: vec!["LC_*".into()], ..Permissions::default() }
}

fn logged_in(permissions: Permissions) -> Gate {
    let mut gate = at_login(ALL, 6);
    gate.check(&provider(), &password()).unwrap();
    assert!(gate.succeeded("password", None));
    gate.log_in(permissions);
    gate
}

fn in_phase(phase: Phase) -> Gate {
    let gate = match phase {
        Phase::Fresh => {
            let mut gate = gate();
            gate.check(&provider(), &sign(&SESSION)).unwrap();
            gate
        }
        Phase::Login => at_login(ALL, 6),
        Phase::Authenticated => logged_in(permissions()),
        Phase::Over => {
            let mut gate = logged_in(permissions());
            gate.check(&provider(), &ended()).unwrap();
            gate
        }
    };
    assert_eq!(gate.phase(), phase);
    gate
}

#[track_caller]
fn refused(gate: &mut Gate, message: &ToMonitor, why: Violation) {
    assert_eq!(gate.check(&provider(), message), Err(why));
    assert_ne!(gate.phase(), Phase::Authenticated, "a refusal let somebody in");
}

fn passes(gate: &mut Gate, message: &ToMonitor) -> bool {
    gate.check(&provider(), message).is_ok()
}

/// One of every message, each fit for its phase, with the phases it belongs to.
fn every_message() -> Vec<(ToMonitor, &'static [Phase])> {
    use Phase::{Authenticated, Fresh, Login, Over};
    vec![
        (sign(&SESSION), &[Fresh, Login, Authenticated]),
        (look_up(USER), &[Fresh]),
        (Request::good().message(), &[Login]),
        (probe(), &[Login]),
        (password(), &[Login]),
        (interactive(false), &[Login]),
        (start(1), &[Authenticated]),
        (connect(1), &[Authenticated]),
        (listen(1), &[Authenticated]),
        (ToMonitor::StopListening { listener: 1 }, &[Authenticated]),
        (ToMonitor::Signal { session: 1, name: "TERM".into() }, &[Authenticated]),
        (ToMonitor::HangUp { session: 1 }, &[Authenticated]),
        (ToMonitor::Kill { session: 1 }, &[Authenticated]),
        (log(10), &[Fresh, Login, Authenticated, Over]),
        (ended(), &[Fresh, Login, Authenticated]),
        // Only where the policy says that `none` logs in, which here it does not.
        (ToMonitor::NoneSucceeded {}, &[]),
    ]
}

#[test]
fn p18_every_message_in_every_phase() {
    let messages = every_message();
    for (_, name) in ToMonitor::TABLE {
        assert!(messages.iter().any(|(message, _)| message.name() == *name), "{name} is not among them");
    }
    for (message, allowed) in &messages {
        for phase in [Phase::Fresh, Phase::Login, Phase::Authenticated, Phase::Over] {
            let passed = passes(&mut in_phase(phase), message);
            assert_eq!(passed, allowed.contains(&phase), "{message:?} in {phase:?}");
        }
    }
}

#[test]
fn p18_only_a_success_that_was_told_logs_in() {
    for ways in [ALL, "publickey,password"] {
        let mut gate = at_login(ways, 6);
        for (message, _) in every_message() {
            let _ = gate.check(&provider(), &message);
            assert_ne!(gate.phase(), Phase::Authenticated, "{message:?}");
        }
    }
}

#[test]
fn p18_a_host_key_signs_exchange_hashes_and_nothing_else() {
    for length in [0, 1, 20, 31, 33, 47, 49, 63, 65, 200, 4096] {
        refused(&mut gate(), &sign(&vec![1; length]), Violation::Signature);
    }
    for length in [32, 48, 64] {
        assert!(passes(&mut gate(), &sign(&vec![1; length])), "{length}");
    }
    for key in [vec![], other_key().public_blob().to_vec(), host_key().public_blob()[..20].to_vec()] {
        let ToMonitor::Sign { question, algorithm, data, .. } = sign(&SESSION) else { unreachable!() };
        refused(&mut gate(), &ToMonitor::Sign { question, host_key: key, algorithm, data }, Violation::Signature);
    }
}

#[test]
fn p18_a_fifth_signature_before_login_is_one_too_many() {
    let mut gate = gate();
    for number in 0..4 {
        assert!(passes(&mut gate, &sign(&[number; 32])), "{number}");
    }
    refused(&mut gate, &sign(&[9; 32]), Violation::Signature);
    let mut gate = logged_in(permissions());
    assert!((0..100).all(|number| passes(&mut gate, &sign(&[number; 32]))), "later there is no end of them");
}

fn proof(session: &[u8], key: &[u8]) -> Vec<u8> {
    let mut proof = Vec::new();
    proof.put_string(names::HOSTKEYS_PROVE);
    proof.put_string(session);
    proof.put_string(key);
    proof
}

#[test]
fn p18_proof_of_a_host_key_is_of_this_session_and_key_and_after_login() {
    let key = host_key().public_blob();
    assert!(passes(&mut logged_in(permissions()), &sign(&proof(&SESSION, key))));
    for phase in [Phase::Fresh, Phase::Login, Phase::Over] {
        assert!(!passes(&mut in_phase(phase), &sign(&proof(&SESSION, key))), "{phase:?}");
    }
    let mut trailing = proof(&SESSION, key);
    trailing.push(0);
    for lie in [proof(&[8; 32], key), proof(&SESSION, other_key().public_blob()), trailing, proof(b"", key)] {
        assert!(!passes(&mut logged_in(permissions()), &sign(&lie)));
    }
}

#[test]
fn p18_a_user_is_looked_up_once_and_after_the_key_exchange() {
    refused(&mut gate(), &look_up(USER), Violation::Phase("LookUp", Phase::Fresh));
    let mut gate = in_phase(Phase::Login);
    refused(&mut gate, &look_up(USER), Violation::Phase("LookUp", Phase::Login));
    refused(&mut gate, &look_up(b"root"), Violation::Phase("LookUp", Phase::Login));
    let long = vec![b'x'; limits::MAX_USER_NAME + 1];
    refused(&mut in_phase(Phase::Fresh), &look_up(&long), Violation::Attempts);
    assert!(passes(&mut in_phase(Phase::Fresh), &look_up(&long[1..])));
}

#[test]
fn a05_a06_a_key_proves_itself_for_this_session_user_algorithm_and_host() {
    let host = host_key().public_blob();
    let good = || Request::good();
    let bound = || Request { host_key: Some(host), signed_host_key: Some(host), ..Request::good() };
    for request in [good(), bound()] {
        assert!(passes(&mut at_login(ALL, 6), &request.message()));
    }
    let rsa = Request {
        key: Key::Rsa,
        algorithm: SignatureAlgorithm::RsaSha512,
        signed_algorithm: SignatureAlgorithm::RsaSha512,
        ..good()
    };
    assert!(passes(&mut at_login(ALL, 6), &rsa.message()));
    let lies = [
        Request { session: &[8; 32], ..good() },
        Request { session: b"", ..good() },
        Request { user: b"root", ..good() },
        Request { user: b"", ..good() },
        Request { key: Key::Other, claimed_key: Some(Key::User), ..good() },
        // Another algorithm than the one that was signed for, of the same key and of another.
        Request {
            algorithm: SignatureAlgorithm::RsaSha512,
            key: Key::Rsa,
            signed_algorithm: SignatureAlgorithm::RsaSha256,
            ..good()
        },
        Request { algorithm: SignatureAlgorithm::EcdsaNistp256, ..good() },
        // Bound to a host key that is not ours, to none when one was signed, to one when none was.
        Request {
            host_key: Some(other_key().public_blob()),
            signed_host_key: Some(other_key().public_blob()),
            ..good()
        },
        Request { host_key: None, ..bound() },
        Request { signed_host_key: None, ..bound() },
        Request { host_key: Some(b""), signed_host_key: Some(b""), ..good() },
    ];
    for (number, lie) in lies.iter().enumerate() {
        let passed = at_login(ALL, 6).check(&provider(), &lie.message());
        assert_eq!(passed, Err(Violation::Key), "lie {number}");
    }
    let mut check = good().check();
    for change in 0..check.proof.as_ref().unwrap().signature.len() {
        check.proof.as_mut().unwrap().signature[change] ^= 1;
        refused(&mut at_login(ALL, 6), &ToMonitor::CheckKey { question: 1, check: check.clone() }, Violation::Key);
        check.proof.as_mut().unwrap().signature[change] ^= 1;
    }
    assert!(passes(&mut at_login(ALL, 6), &ToMonitor::CheckKey { question: 1, check }));
}

#[test]
fn a06_an_algorithm_that_the_policy_does_not_take_proves_nothing() {
    let refused_one = Request {
        key: Key::Rsa,
        algorithm: SignatureAlgorithm::RsaSha256,
        signed_algorithm: SignatureAlgorithm::RsaSha256,
        ..Request::good()
    };
    refused(&mut at_login(ALL, 6), &refused_one.message(), Violation::Key);
    let probe = KeyCheck { proof: None, ..refused_one.check() };
    refused(&mut at_login(ALL, 6), &ToMonitor::CheckKey { question: 1, check: probe }, Violation::Key);
}

#[test]
fn a02_a_key_counts_once() {
    let mut gate = at_login("publickey,publickey", 6);
    let message = Request::good().message();
    assert!(passes(&mut gate, &message));
    assert!(!gate.succeeded("publickey", Some(user_key().public_blob())));
    refused(&mut gate, &message, Violation::Key);
    let second = Request {
        key: Key::P256,
        algorithm: SignatureAlgorithm::EcdsaNistp256,
        signed_algorithm: SignatureAlgorithm::EcdsaNistp256,
        ..Request::good()
    };
    assert!(passes(&mut gate, &second.message()));
    assert!(gate.succeeded("publickey", Some(p256_key().public_blob())));
}

#[test]
fn a02_a_method_that_no_way_wants_now_is_refused() {
    refused(&mut at_login("publickey", 6), &password(), Violation::Method("password"));
    refused(&mut at_login("publickey", 6), &interactive(false), Violation::Method("keyboard-interactive"));
    refused(&mut at_login("password", 6), &probe(), Violation::Method("publickey"));
    refused(&mut at_login("password", 6), &Request::good().message(), Violation::Method("publickey"));
    // The second step of a way is not the first.
    refused(&mut at_login("publickey,password", 6), &password(), Violation::Method("password"));
    let mut gate = at_login("publickey,password", 6);
    assert!(passes(&mut gate, &Request::good().message()) && !gate.succeeded("publickey", None));
    refused(&mut gate, &probe(), Violation::Method("publickey"));
    assert!(passes(&mut gate, &password()) && gate.succeeded("password", None));
    assert_eq!(gate.methods(), ["publickey", "password"]);
    // Somebody without a way at all.
    let mut nobody = in_phase(Phase::Fresh);
    assert!(passes(&mut nobody, &look_up(USER)));
    nobody.looked_up(&UserPolicy::of_nobody(), None);
    refused(&mut nobody, &password(), Violation::Method("password"));
}

#[test]
fn a11_attempts_requests_and_probes_are_bounded() {
    let mut gate = at_login(ALL, 3);
    for _ in 0..3 {
        assert!(passes(&mut gate, &password()));
        gate.failed();
    }
    refused(&mut gate, &password(), Violation::Attempts);
    refused(&mut gate, &Request::good().message(), Violation::Attempts);
    let mut gate = at_login(ALL, u32::MAX);
    assert!((0..limits::MAX_AUTH_REQUESTS).all(|_| passes(&mut gate, &password())));
    refused(&mut gate, &password(), Violation::Attempts);
    let mut gate = at_login(ALL, u32::MAX);
    assert!((0..limits::MAX_KEY_PROBES).all(|_| passes(&mut gate, &probe())));
    refused(&mut gate, &probe(), Violation::Attempts);
}

#[test]
fn a03_answers_are_taken_only_to_questions() {
    refused(&mut at_login(ALL, 6), &interactive(true), Violation::Method("keyboard-interactive"));
    let mut gate = at_login(ALL, 6);
    assert!(passes(&mut gate, &interactive(false)));
    gate.asked();
    assert!(passes(&mut gate, &interactive(true)));
    refused(&mut gate, &interactive(true), Violation::Method("keyboard-interactive"));
    // Whatever comes between takes the question away.
    let mut gate = at_login(ALL, 6);
    gate.asked();
    assert!(passes(&mut gate, &password()));
    refused(&mut gate, &interactive(true), Violation::Method("keyboard-interactive"));
}

#[test]
fn a01_none_logs_in_only_where_the_policy_says_so() {
    for phase in [Phase::Fresh, Phase::Login, Phase::Over] {
        assert!(!passes(&mut in_phase(phase), &ToMonitor::NoneSucceeded {}), "{phase:?}");
    }
    let mut gate = in_phase(Phase::Fresh);
    gate.check(&provider(), &look_up(USER)).unwrap();
    gate.looked_up(&policy(ALL, 6), Some(&permissions()));
    assert_eq!(gate.phase(), Phase::Login);
    assert!(passes(&mut gate, &ToMonitor::NoneSucceeded {}));
    assert_eq!(gate.phase(), Phase::Authenticated);
    assert!(!passes(&mut gate, &ToMonitor::NoneSucceeded {}), "once");
}

fn pty() -> PtyRequest {
    PtyRequest { term: "xterm".into(), size: WindowSize::default(), modes: vec![(1, 3)] }
}

#[test]
fn p18_a_session_may_do_what_the_login_may() {
    let mut gate = logged_in(permissions());
    let variable = |name: &[u8], value: &[u8]| start_with(1, |r| r.env = vec![(name.to_vec(), value.to_vec())]);
    assert!(passes(&mut gate, &start_with(1, |r| r.pty = Some(pty()))));
    assert!(passes(&mut gate, &variable(b"LC_ALL", b"C")));
    let names: [(&[u8], &[u8]); 6] =
        [(b"LD_PRELOAD", b"x"), (b"", b"x"), (b"LC_A=B", b"x"), (b"LC_A\0", b"x"), (b"LC_A", b"a\0b"), (b"\xff", b"x")];
    for (name, value) in names {
        assert!(!passes(&mut gate, &variable(name, value)), "{}", name.escape_ascii());
    }
    let mut plain = logged_in(Permissions { pty: false, signals: false, ..permissions() });
    let why = Err(Violation::Session("asks for a terminal"));
    assert_eq!(plain.check(&provider(), &start_with(1, |r| r.pty = Some(pty()))), why);
    let signal = ToMonitor::Signal { session: 1, name: "KILL".into() };
    assert_eq!(plain.check(&provider(), &signal), Err(Violation::Session("may not be disturbed")));
}

#[test]
fn p18_sessions_are_counted_and_named_once() {
    let mut gate = logged_in(permissions());
    assert!(passes(&mut gate, &start(5)) && gate.admit_session(5));
    assert_eq!(gate.check(&provider(), &start(5)), Err(Violation::Session("exists already")));
    assert!(passes(&mut gate, &start(6)) && gate.admit_session(6));
    assert!(passes(&mut gate, &start(7)) && !gate.admit_session(7), "two are allowed");
    gate.session_over(5);
    assert!(passes(&mut gate, &start(5)) && gate.admit_session(5));
    assert_eq!(gate.sessions(), [6, 5]);
    assert!(!logged_in(Permissions::default()).admit_session(1), "nothing is allowed by default");
}

#[test]
fn c07_forwards_are_counted_and_named_once() {
    let mut gate = logged_in(permissions());
    assert!(passes(&mut gate, &connect(5)) && passes(&mut gate, &listen(5)));
    assert_eq!(gate.check(&provider(), &connect(5)), Err(Violation::Forward));
    assert_eq!(gate.check(&provider(), &listen(5)), Err(Violation::Forward));
    gate.connect_over(5);
    gate.listener_over(5);
    assert!(passes(&mut gate, &connect(5)) && passes(&mut gate, &listen(5)));
    let most = u32::try_from(limits::MAX_CHANNELS).unwrap();
    assert!((6..most + 5).all(|question| passes(&mut gate, &connect(question))));
    assert_eq!(gate.check(&provider(), &connect(0)), Err(Violation::Forward));
    let listeners = (6..10_000).take_while(|listener| passes(&mut gate, &listen(*listener))).count();
    assert!(listeners < 1000, "{listeners}");
}

#[test]
fn u07_a_giant_line_is_no_line() {
    assert!(passes(&mut gate(), &log(4096)));
    refused(&mut gate(), &log(4097), Violation::Attempts);
}
