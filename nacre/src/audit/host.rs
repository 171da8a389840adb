//! Visits to a server: each is one connection that learns something and leaves.

use super::facts::{Notebook, Noting};
use crate::ssh::connect::connect;
use crate::ssh::log::Log;
use crate::ssh::options::transport;
use nacre_config::client::ClientOptions;
use nacre_net::{Driver, Owner, Port, PumpEvent};
use nacre_proto::algorithm::{CipherAlgorithm, KexMethod, MacAlgorithm, SignatureAlgorithm};
use nacre_proto::crypto::SecretBytes;
use nacre_proto::login::client::Attempt;
use nacre_proto::{ClientConfig, Connection, Error, Event, HostKeyDecision, Role, TransportConfig};
use nacre_wire::names;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::task::Context;
use std::time::{Duration, Instant};

/// How long a visit may take; wrong passwords are answered late.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Whom to visit.
pub struct Host<'a> {
    /// Where it is, and who asks.
    pub options: &'a ClientOptions,
    /// The file that replaces the user's, for programs that make the connection.
    pub config_file: Option<&'a Path>,
    /// Where such a program's troubles go.
    pub log: &'a Log,
}

/// What a visit is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// The host key.
    HostKey,
    /// The ways to log in.
    Methods,
    /// How many wrong passwords are taken, up to so many.
    Guesses(u32),
}

/// How a visit went.
pub struct Visit {
    /// Why it ended.
    pub error: Error,
    /// Who was reached.
    pub address: Option<SocketAddr>,
}

impl Host<'_> {
    /// Connects once, asking for host keys of these algorithms, and writes down what is to be seen.
    ///
    /// # Errors
    /// There is no connection; the line says why.
    pub async fn visit(
        &self,
        notebook: &Notebook,
        algorithms: Vec<SignatureAlgorithm>,
        goal: Goal,
    ) -> Result<Visit, String> {
        let reached = connect(self.options, None, self.config_file, self.log).await.map_err(|error| error.0)?;
        let transport = TransportConfig {
            kex: KexMethod::ALL.to_vec(),
            ciphers: CipherAlgorithm::ALL.to_vec(),
            macs: MacAlgorithm::ALL.to_vec(),
            host_key_algorithms: algorithms,
            kex_timeout: TIMEOUT,
            ..transport(self.options, &[])
        };
        let guesses = matches!(goal, Goal::Guesses(_));
        let config = ClientConfig {
            transport: Arc::new(transport),
            provider: Arc::new(Noting::new(notebook.clone())),
            user: if guesses { STRANGER.to_owned() } else { self.options.user.clone() },
            login_timeout: Some(if guesses { 2 * TIMEOUT } else { TIMEOUT }),
            observer: Some(notebook.observer(Role::Server)),
        };
        let connection = Connection::client(Instant::now(), config).map_err(|error| error.to_string())?;
        let visitor = Visitor { notebook: notebook.clone(), goal, asked: false };
        let (_, ended) = Driver::new(reached.stream, connection, visitor).run().await;
        if let Some(proxy) = reached.proxy {
            proxy.finish(false).await;
        }
        Ok(Visit { error: ended.error, address: reached.address })
    }
}

/// A user that hardly exists.
const STRANGER: &str = "nacre-audit";

struct Visitor {
    notebook: Notebook,
    goal: Goal,
    asked: bool,
}

impl Visitor {
    fn attempt(&mut self, methods: &[String]) -> Attempt {
        if !std::mem::replace(&mut self.asked, true) {
            return Attempt::None;
        }
        let Goal::Guesses(most) = self.goal else { return Attempt::GiveUp };
        let mut facts = self.notebook.facts();
        let takes = |method: &str| methods.iter().any(|name| name == method);
        if facts.guesses >= most {
            return Attempt::GiveUp;
        }
        facts.guesses += 1;
        match () {
            () if takes(names::AUTH_PASSWORD) => Attempt::Password(wrong()),
            () if takes(names::AUTH_KEYBOARD_INTERACTIVE) => Attempt::KeyboardInteractive(String::new()),
            () => {
                facts.guesses -= 1;
                Attempt::GiveUp
            }
        }
    }
}

fn wrong() -> SecretBytes {
    SecretBytes::new(b"a guess of nacre audit, meant to be wrong".to_vec())
}

impl Owner for Visitor {
    fn on_event(&mut self, port: &mut Port<'_>, event: Event) {
        let now = port.now;
        // What ends the connection is kept there and told as its end.
        let _ = match event {
            Event::HostKey { pending, .. } => {
                let decision = match self.goal {
                    Goal::HostKey => HostKeyDecision::Refuse,
                    Goal::Methods | Goal::Guesses(_) => HostKeyDecision::Accept,
                };
                port.connection.answer(now, pending, decision)
            }
            Event::ChooseMethod { pending, methods, .. } => {
                let attempt = self.attempt(&methods);
                port.connection.answer(now, pending, attempt)
            }
            Event::SignRequest { pending, .. } => port.connection.answer(now, pending, None),
            Event::Prompts { pending, request } => {
                let answers = request.prompts.iter().map(|_| wrong()).collect();
                port.connection.answer(now, pending, Some(answers))
            }
            Event::ChangePassword { pending, .. } => port.connection.answer(now, pending, None),
            Event::Authenticated { .. } => {
                port.connection.disconnect(now, nacre_wire::reason::disconnect::BY_APPLICATION, "audited");
                Ok(())
            }
            _ => Ok(()),
        };
    }

    fn on_pump(&mut self, _port: &mut Port<'_>, _event: PumpEvent) {}

    fn poll(&mut self, _cx: &mut Context<'_>, _port: &mut Port<'_>) -> bool {
        false
    }
}
