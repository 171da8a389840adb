//! Our half of a recording, ready to be fed.

use super::app::App;
use super::text::{Entry, Flow, Header, Login};
use super::{Outcome, key};
use crate::end::{End, Policy};
use crate::keys::public_half;
use crate::provider::Seeded;
use nacre_crypto::{AwsLc, PrivateKey};
use nacre_proto::algorithm::{HashAlgorithm, SignatureAlgorithm};
use nacre_proto::crypto::Provider;
use nacre_proto::login::client::Attempt;
use nacre_proto::{ClientConfig, Connection, RekeyPolicy, Role, ServerConfig, TransportConfig};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// The password and the code of the recordings; they open nothing.
pub(super) const PASSWORD: &str = "correct horse";

/// Our core and its owner.
pub struct Player {
    /// The core.
    pub end: End,
    app: App,
    now: Instant,
    sent: Vec<u8>,
    login: Login,
}

fn keys() -> &'static [(&'static str, &'static PrivateKey); 4] {
    static KEYS: OnceLock<[(&str, &PrivateKey); 4]> = OnceLock::new();
    KEYS.get_or_init(|| ["host-ed25519", "host-rsa", "user-ed25519", "other-ed25519"].map(|name| (name, key(name))))
}

fn kept(name: &str) -> &'static PrivateKey {
    keys().iter().find(|(n, _)| *n == name).map(|(_, key)| *key).expect("a key of vectors/keys")
}

fn transport(header: &Header) -> TransportConfig {
    TransportConfig {
        software: "Nacre_vectors".into(),
        kex: vec![header.kex],
        host_key_algorithms: vec![header.host_key],
        ciphers: vec![header.cipher],
        macs: vec![header.mac],
        rekey: RekeyPolicy { bytes: header.rekey, time: None },
        // Not the core's own, which may be tuned without making the recordings wrong.
        max_packet: 32 * 1024,
        ..TransportConfig::default()
    }
}

fn policy(header: &Header) -> Policy {
    let key = |name: &str| Attempt::PublicKey {
        algorithm: SignatureAlgorithm::Ed25519,
        public_key: kept(name).public_blob().to_vec(),
        probe: true,
    };
    let (method, attempt) = match header.login {
        Login::PublicKey => ("publickey", key("user-ed25519")),
        Login::Refused => ("publickey", key("other-ed25519")),
        Login::Password => ("password", Attempt::None),
        Login::KeyboardInteractive => ("keyboard-interactive", Attempt::KeyboardInteractive(String::new())),
    };
    Policy {
        methods: vec![vec![method.into()]],
        keys: vec![kept("user-ed25519").public_blob().to_vec()],
        password: PASSWORD.into(),
        failure_delay: Duration::ZERO,
        attempts: vec![Attempt::None, attempt],
        ..Policy::default()
    }
}

impl Player {
    /// Our half before the first byte; what it says first can be taken.
    pub fn new(header: &Header) -> Self {
        let now = Instant::now();
        let (transport, provider) = (Arc::new(transport(header)), Arc::new(Seeded::new(header.seed)));
        let host = match header.host_key {
            SignatureAlgorithm::Ed25519 => "host-ed25519",
            _ => "host-rsa",
        };
        let (connection, key) = match header.role {
            Role::Client => {
                let user = header.user.clone();
                let config = ClientConfig { transport, provider, user, login_timeout: None, observer: None };
                let name = if header.login == Login::Refused { "other-ed25519" } else { "user-ed25519" };
                (Connection::client(now, config), name)
            }
            Role::Server => {
                let config = ServerConfig {
                    transport,
                    provider,
                    host_keys: vec![public_half(kept(host))],
                    // The recordings are older than security keys.
                    user_algorithms: SignatureAlgorithm::ALL.iter().copied().filter(|a| !a.is_security_key()).collect(),
                    login_timeout: None,
                    unused_timeout: None,
                    observer: None,
                };
                (Connection::server(now, config), host)
            }
        };
        let end = End::new(connection.expect("a connection"), policy(header), kept(key));
        let mut player = Self { end, app: App::new(header), now, sent: Vec::new(), login: header.login };
        player.settle();
        player
    }

    /// Our half after the whole recording.
    pub fn recorded(flow: &Flow) -> Self {
        let mut player = Self::new(&flow.header);
        for entry in &flow.entries {
            if let Entry::In(bytes) = entry {
                player.feed(bytes);
            }
        }
        if !player.is_over() {
            player.feed_end();
        }
        player
    }

    /// Lets the core and its owner work until they rest.
    fn settle(&mut self) {
        loop {
            let mut moved = self.end.turn(self.now, 1 << 20);
            moved |= self.app.act(&mut self.end, self.now);
            let formed = self.end.output.len();
            self.sent.extend_from_slice(self.end.output.as_slice());
            self.end.output.consume(formed);
            if !moved && formed == 0 {
                return;
            }
        }
    }

    /// The peer said this.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.end.input.extend_from_slice(bytes);
        self.settle();
    }

    /// The peer closed its side.
    pub fn feed_end(&mut self) {
        self.end.receive_eof(self.now);
        self.settle();
    }

    /// What we said since the last call.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.sent)
    }

    /// All that was fed has been eaten: no part of a packet waits.
    pub fn is_between_packets(&self) -> bool {
        self.end.input.is_empty()
    }

    /// It is over.
    pub fn is_over(&self) -> bool {
        self.end.error.is_some() || self.end.connection.is_finished()
    }

    /// How it ended.
    pub fn outcome(&self) -> Outcome {
        let has = |start: &str| self.end.log.iter().any(|line| line.starts_with(start));
        let decided = self.login == Login::Refused && !self.end.connection.is_authenticated();
        let finished = self.app.finished || has("closed");
        Outcome::of(self.end.error.as_ref(), finished, decided && (has("key signed") || has("choose from [p")))
    }

    /// What happened, in order; then requests, and every stream's size and SHA-256.
    pub fn events(&self) -> Vec<String> {
        let mut lines = self.end.log.clone();
        lines.extend(self.end.requests.iter().map(|(channel, request)| format!("request {channel} {request:?}")));
        let mut data: Vec<_> = self.end.data.iter().collect();
        data.sort_by_key(|((channel, stream), _)| (*channel, format!("{stream:?}")));
        lines.extend(data.into_iter().map(|((channel, stream), bytes)| {
            let hash = AwsLc::default().hash(HashAlgorithm::Sha256, &[bytes]);
            let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("data {channel} {stream:?} {} bytes, SHA-256 {hash}", bytes.len())
        }));
        lines
    }
}
