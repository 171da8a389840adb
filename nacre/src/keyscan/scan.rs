//! One connection: as far as the key that the host proves to hold, and not further. What a host may make us keep or do
//! is bounded by the core, how long it takes by `-T`.

use crate::cli::keyscan::{Family, KeyKind, KeyscanArgs};
use crate::ssh::connect::plain;
use nacre_crypto::AwsLc;
use nacre_net::{Driver, Owner, Port, PumpEvent};
use nacre_proto::algorithm::{MacAlgorithm, SignatureAlgorithm};
use nacre_proto::observe::{Observer, Step};
use nacre_proto::{ClientConfig, Connection, Error, Event, Role, TransportConfig};
use nacre_wire::reason::disconnect;
use nacre_wire::text::clean_line;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Context;
use std::time::Instant;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The longest text of a host that is shown, in bytes.
const MAX_SHOWN: usize = 256;

/// A host, and which of its keys is wanted.
pub struct Job {
    /// Names or addresses; the first that can be reached counts.
    pub addresses: Vec<String>,
    /// What it is called in the lines.
    pub names: String,
    /// The type of key.
    pub kind: KeyKind,
    /// What was asked for.
    pub settings: Arc<KeyscanArgs>,
}

/// What came of a job.
pub struct Scanned {
    /// The one of the addresses that answered, or the last.
    pub name: String,
    /// What the host is called in the lines.
    pub names: String,
    /// The host's identification line.
    pub ident: Option<String>,
    /// The key or certificate.
    pub key: Option<Vec<u8>>,
    /// Why there is none, or none from the first addresses.
    pub problems: Vec<Problem>,
}

/// Why there is no key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Problem {
    /// Something went wrong, said in one line.
    Line(String),
    /// The host has no such key, which is no news; said in one line to whom it interests.
    Lacks(String),
}

impl Job {
    /// Does it: one name after the other, until one answers, each in the time that a host may take.
    pub async fn run(self) -> Scanned {
        let mut scanned =
            Scanned { name: String::new(), names: self.names.clone(), ident: None, key: None, problems: Vec::new() };
        for name in &self.addresses {
            let heard = Heard::default();
            let key = match timeout(self.settings.timeout, self.key(&heard, name)).await {
                Ok(key) => key,
                Err(_) => Err(Problem::Line(format!("{}: it took too long", shown(name)))),
            };
            scanned.name = shown(name);
            scanned.ident = heard.ident();
            // Who has no such key has answered.
            let answered = !matches!(key, Err(Problem::Line(_)));
            match key {
                Ok(key) => scanned.key = Some(key),
                Err(problem) => scanned.problems.push(problem),
            }
            if answered {
                break;
            }
        }
        scanned
    }

    async fn key(&self, heard: &Heard, name: &str) -> Result<Vec<u8>, Problem> {
        let stream = self.connect(name).await?;
        let config = ClientConfig {
            transport: Arc::new(self.transport()),
            provider: Arc::new(AwsLc::default()),
            user: String::new(),
            login_timeout: Some(self.settings.timeout),
            observer: Some(Box::new(heard.clone())),
        };
        let failed = |why: String| Problem::Line(format!("{}: {why}", shown(name)));
        let connection = Connection::client(Instant::now(), config).map_err(|error| failed(error.to_string()))?;
        let (owner, ended) = Driver::new(stream, connection, Asker(None)).run().await;
        match (owner.0, ended.error) {
            (Some(key), _) => Ok(key),
            (None, error @ Error::PeerIncompatible(_)) => Err(Problem::Lacks(format!("{}: {error}", shown(name)))),
            (None, error) => Err(failed(ended.io.as_ref().map_or_else(|| error.to_string(), plain))),
        }
    }

    /// Asks for keys of one type, in any way that we know.
    fn transport(&self) -> TransportConfig {
        use SignatureAlgorithm as A;
        let plain: &[A] = match self.kind {
            KeyKind::Rsa => &[A::RsaSha512, A::RsaSha256],
            KeyKind::Ecdsa => &[A::EcdsaNistp256, A::EcdsaNistp384, A::EcdsaNistp521],
            KeyKind::Ed25519 => &[A::Ed25519],
        };
        let shown = |algorithm: &A| if self.settings.certificates { algorithm.certified() } else { *algorithm };
        TransportConfig {
            host_key_algorithms: plain.iter().map(shown).collect(),
            macs: MacAlgorithm::ALL.to_vec(),
            kex_timeout: self.settings.timeout,
            ..TransportConfig::default()
        }
    }

    async fn connect(&self, name: &str) -> Result<TcpStream, Problem> {
        let unknown = |why: String| Problem::Line(format!("getaddrinfo {}: {why}", shown(name)));
        let found = tokio::net::lookup_host((name, self.settings.port)).await;
        let found = found.map_err(|error| unknown(resolver(&error)))?;
        let mut problem = unknown("no address of the family that was asked for".to_owned());
        for address in found.filter(|address| self.fits(address)) {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => problem = Problem::Line(format!("connect (`{}'): {}", shown(name), plain(&error))),
            }
        }
        Err(problem)
    }

    fn fits(&self, address: &SocketAddr) -> bool {
        match self.settings.family {
            Some(Family::V4) => address.is_ipv4(),
            Some(Family::V6) => address.is_ipv6(),
            None => true,
        }
    }
}

fn resolver(error: &io::Error) -> String {
    let text = error.to_string();
    text.strip_prefix("failed to lookup address information: ").unwrap_or(&text).to_owned()
}

fn shown(name: &str) -> String {
    clean_line(name.as_bytes(), MAX_SHOWN)
}

/// Notes how the host names itself.
#[derive(Debug, Clone, Default)]
struct Heard(Arc<Mutex<Option<String>>>);

impl Heard {
    fn ident(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Observer for Heard {
    fn step(&mut self, _now: Instant, step: &Step<'_>) {
        if let Step::Ident { by: Role::Server, line } = step {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(clean_line(line, MAX_SHOWN));
        }
    }
}

/// Takes the key and leaves.
struct Asker(Option<Vec<u8>>);

impl Owner for Asker {
    fn on_event(&mut self, port: &mut Port<'_>, event: Event) {
        if let Event::HostKey { host_key, .. } = event {
            self.0 = Some(host_key);
        }
        // Whatever else comes is not what was asked for.
        port.connection.disconnect(port.now, disconnect::BY_APPLICATION, "thank you");
    }

    fn on_pump(&mut self, _port: &mut Port<'_>, _event: PumpEvent) {}

    fn poll(&mut self, _cx: &mut Context<'_>, _port: &mut Port<'_>) -> bool {
        false
    }
}
