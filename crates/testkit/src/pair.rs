//! A client and a server in memory, on one virtual clock.

use crate::end::{End, Policy};
use crate::keys::{self, host_key, user_key};
use crate::link::Link;
use nacre_crypto::AwsLc;
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::crypto::Provider;
use nacre_proto::{ClientConfig, Connection, HostKey, LocalChannel, ServerConfig, TransportConfig};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Turns after which a pair that still moves is taken for a livelock.
const MAX_TURNS: usize = 2_000_000;

/// What a pair is made of.
pub struct Setup {
    /// The client's transport.
    pub client: TransportConfig,
    /// The server's transport.
    pub server: TransportConfig,
    /// How the client's owner answers.
    pub client_policy: Policy,
    /// How the server's owner answers.
    pub server_policy: Policy,
    /// The client's cryptography.
    pub client_provider: Arc<dyn Provider>,
    /// The server's cryptography.
    pub server_provider: Arc<dyn Provider>,
    /// The server's host keys.
    pub host_keys: Vec<HostKey>,
    /// How many bytes cross at once; 1 splits everything.
    pub chunk: usize,
    /// How long a login may take at the server.
    pub login_timeout: Option<Duration>,
    /// How long the server lets a connection stand unused.
    pub unused_timeout: Option<Duration>,
}

impl Default for Setup {
    fn default() -> Self {
        let provider: Arc<dyn Provider> = Arc::new(AwsLc::default());
        Self {
            client: TransportConfig::default(),
            server: TransportConfig::default(),
            client_policy: Policy::default(),
            server_policy: Policy::default(),
            client_provider: provider.clone(),
            server_provider: provider,
            host_keys: vec![keys::public_half(host_key())],
            chunk: usize::MAX,
            login_timeout: Some(Duration::from_secs(120)),
            unused_timeout: None,
        }
    }
}

/// Both ends and the clock.
pub struct Pair {
    /// The client.
    pub client: End,
    /// The server.
    pub server: End,
    /// What time it is.
    pub now: Instant,
    /// What the client sends.
    pub to_server: Link,
    /// What the server sends.
    pub to_client: Link,
}

impl Default for Pair {
    fn default() -> Self {
        Self::new(Setup::default())
    }
}

impl Pair {
    /// Both ends before the first byte.
    pub fn new(setup: Setup) -> Self {
        Self::try_new(setup).expect("two ends")
    }

    /// As [`Pair::new`]; `None` when an end cannot even begin.
    pub fn try_new(setup: Setup) -> Option<Self> {
        let now = Instant::now();
        let client = Connection::client(
            now,
            ClientConfig {
                transport: Arc::new(setup.client),
                provider: setup.client_provider,
                user: "alice".into(),
                login_timeout: None,
                observer: None,
            },
        );
        let server = Connection::server(
            now,
            ServerConfig {
                transport: Arc::new(setup.server),
                provider: setup.server_provider,
                host_keys: setup.host_keys,
                user_algorithms: SignatureAlgorithm::ALL.to_vec(),
                login_timeout: setup.login_timeout,
                unused_timeout: setup.unused_timeout,
                observer: None,
            },
        );
        Some(Self {
            client: End::new(client.ok()?, setup.client_policy, user_key()),
            server: End::new(server.ok()?, setup.server_policy, host_key()),
            now,
            to_server: Link::new(setup.chunk),
            to_client: Link::new(setup.chunk),
        })
    }

    /// Carries bytes both ways until nothing moves and nothing is on its way.
    pub fn drive(&mut self) {
        for _ in 0..MAX_TURNS {
            if self.step() {
                continue;
            }
            let arrivals = [self.to_server.next_arrival(), self.to_client.next_arrival()];
            match arrivals.into_iter().flatten().min() {
                Some(next) => self.now = self.now.max(next),
                None => return,
            }
        }
        panic!("the pair never comes to rest");
    }

    /// One turn of each end. True when anything moved.
    pub fn step(&mut self) -> bool {
        let limit = 256 * 1024;
        let mut moved = self.client.turn(self.now, limit);
        moved |= self.server.turn(self.now, limit);
        moved |= carry(self.now, &mut self.client, &mut self.to_server, &mut self.server);
        moved |= carry(self.now, &mut self.server, &mut self.to_client, &mut self.client);
        moved
    }

    /// Lets time pass, stopping at every timer, until both ends are over or `limit` has passed.
    /// True when both are over.
    pub fn run_out(&mut self, limit: Duration) -> bool {
        let end = self.now + limit;
        for _ in 0..MAX_TURNS {
            self.drive();
            if self.client.error.is_some() && self.server.error.is_some() {
                return true;
            }
            let timers = [self.client.connection.poll_timeout(), self.server.connection.poll_timeout()];
            match timers.into_iter().flatten().min() {
                Some(next) if next <= end => self.now = self.now.max(next),
                _ => return false,
            }
        }
        panic!("timers never come to rest");
    }

    /// Moves the clock and carries on.
    pub fn advance(&mut self, by: Duration) {
        self.now += by;
        self.drive();
    }

    /// Lets refusals' delays pass until the login is decided.
    pub fn log_in(&mut self) {
        for _ in 0..100 {
            self.drive();
            if self.client.connection.is_authenticated() || self.client.error.is_some() {
                return;
            }
            self.now += Duration::from_millis(100);
        }
    }

    /// A pair that is logged in.
    pub fn logged_in(setup: Setup) -> Self {
        let mut pair = Self::new(setup);
        pair.log_in();
        assert_eq!(pair.client.error, None);
        assert_eq!(pair.server.error, None);
        assert!(pair.client.connection.is_authenticated() && pair.server.connection.is_authenticated());
        pair
    }

    /// Opens a session; returns the client's and the server's number for it.
    pub fn open_session(&mut self) -> (LocalChannel, LocalChannel) {
        let id = self.client.connection.open_channel(self.now, "session", b"").expect("a channel");
        self.drive();
        (id, *self.server.channels.last().expect("the server's side"))
    }
}

/// Moves what one end formed into the link, and what arrives to the other end. An end that is over
/// closes its side of the stream, as a driver does.
fn carry(now: Instant, from: &mut End, link: &mut Link, to: &mut End) -> bool {
    let n = from.output.len();
    link.push(now, from.output.as_slice());
    from.output.consume(n);
    if from.connection.is_finished() {
        link.end();
    }
    let arrived = link.pull(now);
    to.input.extend_from_slice(&arrived);
    let mut moved = n > 0 || !arrived.is_empty();
    if link.is_at_end() && !to.saw_eof {
        to.receive_eof(now);
        moved = true;
    }
    moved
}
