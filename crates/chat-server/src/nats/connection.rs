//! Where NATS is, and a connection to it that ends when anything is wrong with it.

use super::credentials::Credentials;
use super::link::{Broken, Link};
use async_nats::{ConnectOptions, Event, ServerAddr};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long a connection, and each answer, may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between one attempt to connect and the next.
const PAUSE: Duration = Duration::from_secs(3);
/// How often a connection at rest is tried: one that is silently dead is noticed after two.
const PING: Duration = Duration::from_secs(5);
/// Messages that wait to be passed on before some are lost, which ends the link.
const WAITING: usize = 16_384;

/// One or several servers of one NATS: `nats://host:port`, `tls://host:port`, with commas between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Servers(Vec<ServerAddr>);

impl FromStr for Servers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // What stands before an @ may be a password, also one with a comma in it: it belongs in no log.
        let shown = |number: usize, word: &str| match text.contains('@') {
            true => format!("server {number}"),
            false => format!("`{word}`"),
        };
        let server = |(word, number): (&str, usize)| -> Result<ServerAddr, String> {
            let (scheme, _) = word.split_once("://").unwrap_or_default();
            if !matches!(scheme, "nats" | "tls") {
                return Err(format!("{}: nats://HOST:PORT or tls://HOST:PORT is needed", shown(number, word)));
            }
            word.parse().map_err(|error| format!("{}: {error}", shown(number, word)))
        };
        text.split(',').zip(1..).map(server).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Servers {
    /// Without what may be secret in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.0.iter().map(|server| format!("{}:{}", server.host(), server.port())).collect();
        f.write_str(&names.join(", "))
    }
}

/// How NATS is reached.
#[derive(Clone)]
pub struct Nats {
    /// Where it is.
    pub servers: Servers,
    /// A credentials file, or one with the seed of an nkey.
    pub credentials: Option<Arc<Credentials>>,
    /// Certificates of who may vouch for the servers, in place of those that the machine trusts.
    pub authorities: Option<PathBuf>,
}

impl fmt::Display for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.servers.fmt(f)
    }
}

impl Nats {
    /// Whether what is said could be read on the way to another machine.
    pub fn is_open(&self) -> bool {
        let near = |host: &str| host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(is_loopback);
        self.servers.0.iter().any(|server| !server.tls_required() && !near(server.host()))
    }

    /// Connects; with the connection comes what ends when it does.
    pub(super) async fn connect(&self, node: &str) -> Result<(Link, impl Future<Output = Broken> + use<>), Broken> {
        let (events, mut ends) = mpsc::channel(1);
        let mut options = self.options().await?;
        options = options
            .name(format!("nacre chat {node}"))
            .connection_timeout(PATIENCE)
            .request_timeout(Some(PATIENCE))
            .ping_interval(PING)
            .subscription_capacity(WAITING)
            // What comes back by itself would send what was forgotten here: one that ends is not used again.
            .max_reconnects(self.servers.0.len())
            .reconnect_delay_callback(|attempts| if attempts > 1 { PAUSE } else { Duration::ZERO })
            .event_callback(move |event| {
                let events = events.clone();
                async move {
                    if let Some(why) = ending(&event) {
                        let _ = events.try_send(why);
                    }
                }
            });
        let client = options.connect(&self.servers.0[..]).await;
        let client = client.map_err(|error| Broken(error.to_string()))?;
        Ok((Link(client), async move { Broken(ends.recv().await.unwrap_or_default()) }))
    }

    async fn options(&self) -> Result<ConnectOptions, Broken> {
        let mut options = ConnectOptions::new();
        if let Some(credentials) = self.credentials.clone() {
            let path = credentials.path().to_owned();
            // Read each time: they may have been renewed.
            let text = tokio::task::spawn_blocking(move || credentials.text()).await;
            let text = text.map_err(|error| Broken(error.to_string()))?;
            options = match text.trim().starts_with('S') {
                true => options.nkey(text.trim().to_owned()),
                false => {
                    let bad = |error| Broken(format!("{}: {error}", path.display()));
                    options.credentials(&text).map_err(bad)?
                }
            };
        }
        if let Some(path) = &self.authorities {
            options = options.add_root_certificates(path.clone());
        }
        Ok(options)
    }
}

fn is_loopback(address: std::net::IpAddr) -> bool {
    address.is_loopback()
}

/// Why a connection is of no use after an event, if so.
fn ending(event: &Event) -> Option<String> {
    match event {
        Event::Disconnected | Event::Closed => Some("the connection ended".to_owned()),
        Event::LameDuckMode => Some("the server is about to stop".to_owned()),
        Event::SlowConsumer(_) => Some("more came than could be taken in".to_owned()),
        Event::ServerError(error) => Some(error.to_string()),
        Event::Connected | Event::Draining | Event::ClientError(_) => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn nats(servers: &str) -> Nats {
        Nats { servers: servers.parse().unwrap(), credentials: None, authorities: None }
    }

    #[test]
    fn servers_are_named_with_how_they_are_reached() {
        assert_eq!(nats("nats://one,tls://two:99").to_string(), "one:4222, two:99");
        assert_eq!(nats("nats://user:secret@one").to_string(), "one:4222");
        for bad in ["", "one", "http://one", "nats://one,,nats://two", "ws://one"] {
            assert!(bad.parse::<Servers>().is_err(), "{bad}");
        }
    }

    #[test]
    fn no_message_holds_what_may_be_secret() {
        for bad in [
            "natss://user:secret@one",
            "nats://user:secret@one:port",
            "nats:/user:secret@one",
            "nats://one,nats://user:secret@two:99999",
            "nats://user:secret,secret@one",
            "nats://user:secret@secret@one:x",
        ] {
            let why = bad.parse::<Servers>().unwrap_err();
            assert!(!why.contains("secret") && why.starts_with("server "), "{why}");
        }
        assert!("nats://one,ws://two".parse::<Servers>().unwrap_err().contains("`ws://two`"));
    }

    #[test]
    fn what_leaves_the_machine_unencrypted_is_noticed() {
        for (servers, open) in [
            ("nats://127.0.0.1", false),
            ("nats://[::1]:4222", false),
            ("nats://localhost", false),
            ("tls://chat.example", false),
            ("nats://chat.example", true),
            ("tls://a.example,nats://192.0.2.1", true),
        ] {
            assert_eq!(nats(servers).is_open(), open, "{servers}");
        }
    }
}
