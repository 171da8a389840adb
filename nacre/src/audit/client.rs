//! A server for one connection, which lets nobody in: what a client offers is seen all the same.

use super::facts::Notebook;
use crate::output;
use nacre_crypto::{AwsLc, KeyKind, PrivateKey};
use nacre_net::{Driver, Owner, Port, PumpEvent};
use nacre_proto::algorithm::{CipherAlgorithm, CompressionMethod, KexMethod, MacAlgorithm, SignatureAlgorithm};
use nacre_proto::login::server::UserPolicy;
use nacre_proto::{Connection, Error, Event, HostKey, Role, ServerConfig, TransportConfig};
use nacre_wire::names;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::Context;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// How long a client may take, its person's look at the host key included.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Keys that a client may show.
const MOST_KEYS: u32 = 20;

/// Who came, and how it ended.
pub struct Visited {
    /// Who came.
    pub peer: SocketAddr,
    /// How it ended.
    pub error: Error,
}

/// Listens for one client and writes down what it shows.
///
/// # Errors
/// There is no listening, or no key.
pub async fn receive(address: IpAddr, port: u16, notebook: &Notebook) -> Result<Visited, String> {
    let keys = keys()?;
    let listener = TcpListener::bind((address, port)).await;
    let listener = listener.map_err(|error| format!("cannot listen on {address} port {port}: {error}"))?;
    let port = listener.local_addr().map_err(|error| error.to_string())?.port();
    output::complain(&format!("Listening on {address} port {port} for one connection, for example of"));
    output::complain(&format!("    ssh -p {port} audit@{address}"));
    let (stream, peer) = listener.accept().await.map_err(|error| format!("cannot accept: {error}"))?;
    drop(listener);
    let connection = connection(&keys, notebook).map_err(|error| error.to_string())?;
    let (_, ended) = Driver::new(stream, connection, Host { keys }).run().await;
    Ok(Visited { peer, error: ended.error })
}

/// Host keys of every type, for the time of one connection.
fn keys() -> Result<Vec<PrivateKey>, String> {
    let kinds = [(KeyKind::Ed25519, None), (KeyKind::Ecdsa, Some(256)), (KeyKind::Rsa, Some(3072))];
    let made = kinds.map(|(kind, bits)| PrivateKey::generate(kind, bits).map_err(|error| error.to_string()));
    made.into_iter().collect()
}

fn connection(keys: &[PrivateKey], notebook: &Notebook) -> Result<Connection, Error> {
    let transport = TransportConfig {
        kex: KexMethod::ALL.to_vec(),
        ciphers: CipherAlgorithm::ALL.to_vec(),
        macs: MacAlgorithm::ALL.to_vec(),
        compression: CompressionMethod::ALL.to_vec(),
        host_key_algorithms: SignatureAlgorithm::PLAIN.to_vec(),
        kex_timeout: TIMEOUT,
        ..TransportConfig::default()
    };
    let public = |key: &PrivateKey| HostKey { algorithms: key.algorithms(), blob: key.public_blob().to_vec() };
    let config = ServerConfig {
        transport: Arc::new(transport),
        provider: Arc::new(AwsLc::default()),
        host_keys: keys.iter().map(public).collect(),
        user_algorithms: SignatureAlgorithm::ALL.to_vec(),
        login_timeout: Some(TIMEOUT),
        unused_timeout: None,
        observer: Some(notebook.observer(Role::Client)),
    };
    Connection::server(Instant::now(), config)
}

struct Host {
    keys: Vec<PrivateKey>,
}

impl Owner for Host {
    fn on_event(&mut self, port: &mut Port<'_>, event: Event) {
        let now = port.now;
        // What ends the connection is kept there and told as its end.
        let _ = match event {
            Event::SignExchange { pending, algorithm, host_key, exchange_hash } => {
                let key = self.keys.iter().find(|key| key.public_blob() == host_key);
                let signature = key.and_then(|key| key.sign(algorithm, &exchange_hash).ok());
                port.connection.answer(now, pending, signature)
            }
            // Passwords are not asked for: nobody should type one here.
            Event::LookUpUser { pending, .. } => {
                let policy = UserPolicy {
                    methods: vec![vec![names::AUTH_PUBLICKEY.to_owned()]],
                    max_tries: MOST_KEYS,
                    failure_delay: Duration::ZERO,
                    banner: Some(b"This is nacre audit, which lets nobody in.\n".to_vec()),
                    none_succeeds: false,
                    algorithms: SignatureAlgorithm::ALL.to_vec(),
                };
                port.connection.answer(now, pending, policy)
            }
            Event::CheckKey { pending, .. } => port.connection.answer(now, pending, false),
            _ => Ok(()),
        };
    }

    fn on_pump(&mut self, _port: &mut Port<'_>, _event: PumpEvent) {}

    fn poll(&mut self, _cx: &mut Context<'_>, _port: &mut Port<'_>) -> bool {
        false
    }
}
