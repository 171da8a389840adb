//! The raw peer: it does a real key exchange with the machine under test and may then, or at any
//! point before, send whatever it likes, and reads every answer.
//!
//! Nothing here goes through the core's own transport: packets, key derivation and messages are
//! made from `nacre_wire` and the `Provider` trait, so agreement with the core means something.

mod channels;
pub mod derive;
mod handshake;
mod login;
mod packet;

pub use channels::Numbers;
pub use handshake::{Offer, Reply};
pub use login::KeyRequest;

use crate::end::{End, Policy};
use crate::keys::{host_key, public_half, user_key};
use handshake::Handshake;
use nacre_crypto::{AwsLc, PrivateKey};
use nacre_proto::algorithm::{KexMethod, SignatureAlgorithm};
use nacre_proto::crypto::Provider;
use nacre_proto::{ClientConfig, Connection, Keepalive, Role, ServerConfig, TransportConfig};
use nacre_wire::message::{Disconnect, Message};
use nacre_wire::number;
use packet::{Receiving, Sending};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the machine under test and the raw peer start from.
pub struct Setup {
    /// The machine's transport.
    pub config: TransportConfig,
    /// How the machine's owner answers.
    pub policy: Policy,
    /// The machine's cryptography.
    pub provider: Arc<dyn Provider>,
    /// The raw peer's cryptography.
    pub raw_provider: Arc<dyn Provider>,
    /// The host key, on whichever side the server is.
    pub host_key: &'static PrivateKey,
    /// The key that our client signs with.
    pub user_key: &'static PrivateKey,
    /// The name that is logged in as.
    pub user: String,
    /// How long a login may take at the machine.
    pub login_timeout: Option<Duration>,
    /// How long the machine lets a connection stand unused (server only).
    pub unused_timeout: Option<Duration>,
}

impl Default for Setup {
    fn default() -> Self {
        // A plain curve: the cheapest of the real exchanges, and any will do.
        let config = TransportConfig { kex: vec![KexMethod::Curve25519], ..TransportConfig::default() };
        let policy = Policy { failure_delay: Duration::ZERO, ..Policy::default() };
        let provider: Arc<dyn Provider> = Arc::new(AwsLc::default());
        Self {
            config,
            policy,
            provider: provider.clone(),
            raw_provider: provider,
            host_key: host_key(),
            user_key: user_key(),
            user: "alice".into(),
            login_timeout: Some(Duration::from_secs(120)),
            unused_timeout: None,
        }
    }
}

impl Setup {
    /// With keepalive at the machine.
    #[must_use]
    pub fn keepalive(mut self, interval: Duration, count_max: u32) -> Self {
        self.config.keepalive = Some(Keepalive { interval, count_max });
        self
    }
}

/// The raw peer and the machine it talks to.
pub struct Raw {
    /// The raw peer's own role; the machine has the other.
    pub role: Role,
    /// The machine under test and its owner.
    pub end: End,
    /// What time it is.
    pub now: Instant,
    /// What the raw peer's KEXINITs say.
    pub offer: Offer,
    /// The session identifier, after the first key exchange.
    pub session_id: Vec<u8>,
    /// The machine's EXT_INFO, when it sent one.
    pub ext_info: Option<Vec<u8>>,
    user: String,
    host_key: &'static PrivateKey,
    provider: Arc<dyn Provider>,
    sending: Sending,
    receiving: Receiving,
    handshake: Handshake,
    /// A message that was looked at and not taken.
    put_back: Option<Vec<u8>>,
}

impl Raw {
    /// A raw client against our server.
    pub fn client(setup: Setup) -> Self {
        let now = Instant::now();
        let server = Connection::server(
            now,
            ServerConfig {
                transport: Arc::new(setup.config),
                provider: setup.provider,
                host_keys: vec![public_half(setup.host_key)],
                user_algorithms: SignatureAlgorithm::ALL.to_vec(),
                login_timeout: setup.login_timeout,
                unused_timeout: setup.unused_timeout,
                observer: None,
            },
        );
        let end = End::new(server.expect("a server"), setup.policy, setup.host_key);
        Self::new(Role::Client, end, now, setup.raw_provider, setup.host_key, setup.user)
    }

    /// A raw server against our client.
    pub fn server(setup: Setup) -> Self {
        let now = Instant::now();
        let client = Connection::client(
            now,
            ClientConfig {
                transport: Arc::new(setup.config),
                provider: setup.provider,
                user: setup.user.clone(),
                login_timeout: setup.login_timeout,
                observer: None,
            },
        );
        let end = End::new(client.expect("a client"), setup.policy, setup.user_key);
        Self::new(Role::Server, end, now, setup.raw_provider, setup.host_key, setup.user)
    }

    /// A raw peer of that role.
    pub fn of(role: Role, setup: Setup) -> Self {
        match role {
            Role::Client => Self::client(setup),
            Role::Server => Self::server(setup),
        }
    }

    fn new(
        role: Role,
        end: End,
        now: Instant,
        provider: Arc<dyn Provider>,
        host_key: &'static PrivateKey,
        user: String,
    ) -> Self {
        Self {
            role,
            end,
            now,
            offer: Offer::new(role),
            session_id: Vec::new(),
            ext_info: None,
            user,
            host_key,
            provider,
            sending: Sending::default(),
            receiving: Receiving::default(),
            handshake: Handshake::default(),
            put_back: None,
        }
    }

    /// Lets the machine work until it rests, and collects what it formed.
    pub fn settle(&mut self) {
        for _ in 0..1_000_000 {
            let moved = self.end.turn(self.now, 1 << 20);
            self.receiving.bytes.extend_from_slice(self.end.output.as_slice());
            let formed = self.end.output.len();
            self.end.output.consume(formed);
            if !moved && formed == 0 {
                return;
            }
        }
        panic!("the machine never comes to rest");
    }

    /// Gives the machine bytes as they are.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.end.input.extend_from_slice(bytes);
        self.settle();
    }

    /// Moves the clock and lets the machine notice.
    pub fn advance(&mut self, by: Duration) {
        self.now += by;
        self.settle();
    }

    /// Sends one message, under whatever keys are in use.
    pub fn send(&mut self, payload: &[u8]) {
        let packet = self.sending.seal(payload);
        self.feed(&packet);
    }

    /// Sends several messages in one go, so that the machine finds them all at once.
    pub fn send_all<'a>(&mut self, payloads: impl IntoIterator<Item = &'a [u8]>) {
        let packets: Vec<u8> = payloads.into_iter().flat_map(|p| self.sending.seal(p)).collect();
        self.feed(&packets);
    }

    /// What a message is on the wire, without sending it. It counts as sent.
    pub fn seal(&mut self, payload: &[u8]) -> Vec<u8> {
        self.sending.seal(payload)
    }

    /// From now on messages are sent as this makes them.
    pub fn deflate_with(&mut self, deflate: impl FnMut(&[u8]) -> Vec<u8> + 'static) {
        self.sending.deflate = Some(Box::new(deflate));
    }

    /// A forged packet, without sending it: any length, any padding length, any body after them.
    pub fn forge(&mut self, length: u32, padding: u8, body: &[u8]) -> Vec<u8> {
        self.sending.forge(length, padding, body)
    }

    /// The shape of the packets that the raw peer sends now.
    pub fn shape(&self) -> nacre_proto::crypto::PacketShape {
        self.sending.shape()
    }

    /// The machine's next message.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        if let Some(payload) = self.put_back.take() {
            return Some(payload);
        }
        let payload = self.receiving.open()?;
        if payload.first() == Some(&number::NEWKEYS) {
            self.take_inbound_keys();
        }
        Some(payload)
    }

    /// The machine's next message if it has this number; otherwise it stays the next.
    pub fn take_if(&mut self, number: u8) -> Option<Vec<u8>> {
        let payload = self.take()?;
        if payload.first() == Some(&number) {
            return Some(payload);
        }
        self.put_back = Some(payload);
        None
    }

    /// The machine's next message, which must have this number.
    #[track_caller]
    pub fn expect(&mut self, number: u8) -> Vec<u8> {
        let Some(payload) = self.take() else {
            panic!("message {number} was expected and nothing came; the machine's error: {:?}", self.end.error)
        };
        let got = payload.first().copied();
        assert_eq!(got, Some(number), "{payload:?}; the machine's error: {:?}", self.end.error);
        payload
    }

    /// Drops the machine's messages up to one with this number, which is returned.
    #[track_caller]
    pub fn skip_to(&mut self, number: u8) -> Vec<u8> {
        while let Some(payload) = self.take() {
            if payload.first() == Some(&number) {
                return payload;
            }
        }
        panic!("message {number} never came; the machine's error: {:?}", self.end.error)
    }

    /// The numbers of all the machine's messages that were not taken yet; they are dropped.
    pub fn numbers(&mut self) -> Vec<u8> {
        std::iter::from_fn(|| self.take()).filter_map(|payload| payload.first().copied()).collect()
    }

    /// How many bytes of the machine's were not taken yet.
    pub fn unread(&self) -> usize {
        self.receiving.bytes.len()
    }

    /// The machine's bytes that were not taken yet.
    pub fn unread_bytes(&self) -> &[u8] {
        &self.receiving.bytes
    }

    /// The machine said nothing.
    #[track_caller]
    pub fn expect_silence(&mut self) {
        let numbers = self.numbers();
        assert!(numbers.is_empty(), "the machine said {numbers:?}");
    }

    /// The machine is still there, and no error happened.
    #[track_caller]
    pub fn assert_alive(&self) {
        assert_eq!(self.end.error, None);
    }

    /// The machine ended the connection and gave this reason (RFC 4250 §4.2.2) as its last word.
    #[track_caller]
    pub fn assert_disconnected(&mut self, reason: u32) {
        assert!(self.end.error.is_some(), "the machine goes on; it said {:?}", self.numbers());
        let last = std::iter::from_fn(|| self.take()).last().unwrap_or_default();
        let message = Disconnect::decode(&last);
        let got = message.map(|m| m.reason);
        assert_eq!(got, Ok(reason), "the machine's error: {:?}, its last word: {last:?}", self.end.error);
        assert!(self.end.connection.is_finished());
    }

    /// The machine ended the connection and said nothing more.
    #[track_caller]
    pub fn assert_ended_silently(&mut self) {
        assert!(self.end.error.is_some(), "the machine goes on");
        self.expect_silence();
    }
}
