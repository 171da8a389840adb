//! The steps of the connection as `debug1:` lines, and the host's proof for the agent.

use super::log::Log;
use nacre_config::client::LogLevel;
use nacre_proto::observe::{Observer, Step};
use nacre_wire::text::clean_line;
use nacre_wire::{Role, number};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// The longest text of the peer in a line, in bytes.
const MAX_TEXT: usize = 256;

/// A host key and the signature that it made in the first key exchange.
type Proved = (Vec<u8>, Vec<u8>);

/// The host key and its signature of the first key exchange, for the agent (`session-bind`).
#[derive(Debug, Clone, Default)]
pub struct HostProof(Arc<Mutex<Option<Proved>>>);

impl HostProof {
    /// The host key and the signature.
    pub fn get(&self) -> Option<Proved> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Watches a connection.
pub struct Narrator {
    log: Log,
    proof: HostProof,
    proved: bool,
}

impl Narrator {
    /// A watcher that tells `log` and keeps the proof.
    pub fn new(log: Log, proof: HostProof) -> Self {
        Self { log, proof, proved: false }
    }
}

impl Observer for Narrator {
    fn step(&mut self, _: Instant, step: &Step<'_>) {
        if let Step::HostKeyProved { public_key, signature, .. } = step
            && !std::mem::replace(&mut self.proved, true)
        {
            let both = (public_key.to_vec(), signature.to_vec());
            *self.proof.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(both);
        }
        let level = level(step);
        if self.log.wants(level)
            && let Some(text) = line(step)
        {
            self.log.say(level, &text);
        }
    }
}

fn level(step: &Step<'_>) -> LogLevel {
    match step {
        Step::Packet { .. } => LogLevel::Debug3,
        Step::KexInit { .. } | Step::KexPublic { .. } | Step::ExchangeHash { .. } | Step::ChannelRequest { .. } => {
            LogLevel::Debug2
        }
        _ => LogLevel::Debug1,
    }
}

fn text(bytes: &[u8]) -> String {
    clean_line(bytes, MAX_TEXT)
}

const fn whose(by: &Role) -> &'static str {
    match by {
        Role::Client => "ours",
        Role::Server => "the server's",
    }
}

/// A step in words.
fn line(step: &Step<'_>) -> Option<String> {
    Some(match step {
        Step::Ident { by, line } => format!("identification, {}: {}", whose(by), text(line)),
        Step::PreIdentLine(line) => format!("a line before the identification: {}", text(line)),
        Step::KexInit { by, offer, size } => {
            format!(
                "offer, {} ({size} bytes): key exchange {}",
                whose(by),
                text(offer.kex_algorithms.as_str().as_bytes())
            )
        }
        Step::Negotiated { algorithms, strict } => negotiated(algorithms, *strict),
        Step::KexPublic { by, value } => format!("public value, {}: {} bytes", whose(by), value.len()),
        Step::ExchangeHash { hash, first } => {
            format!("exchange hash of {} bytes{}", hash.len(), if *first { ", the session identifier too" } else { "" })
        }
        Step::HostKeyProved { algorithm, .. } => format!("the host proved its key with {algorithm}"),
        // Scripts that want to know of a renewal count OpenSSH's words.
        Step::NewKeys { by: Role::Client } => "SSH2_MSG_NEWKEYS sent, our new keys are in use".to_owned(),
        Step::NewKeys { by: Role::Server } => "SSH2_MSG_NEWKEYS received, the server's new keys are in use".to_owned(),
        Step::ExtInfo { by, extensions } => {
            let names: Vec<String> =
                extensions.iter().map(|(name, value)| format!("{}={}", text(name), text(value))).collect();
            format!("extensions, {}: {}", whose(by), names.join(" "))
        }
        Step::Service { by, name } => format!("service, {}: {}", whose(by), text(name)),
        Step::AuthRequest { method, signed, public_key, .. } => match public_key {
            Some(_) if *signed => format!("authentication: {method}, signed"),
            Some(_) => format!("authentication: {method}, asking whether the key would do"),
            None => format!("authentication: {method}"),
        },
        Step::Banner(message) => format!("banner of {} bytes", message.len()),
        Step::AuthFailure { methods, partial_success: true } => {
            format!("right, and more is wanted: {}", text(methods.as_bytes()))
        }
        Step::AuthFailure { methods, .. } => {
            format!("Authentications that can continue: {}", text(methods.as_bytes()))
        }
        Step::AuthSuccess => "logged in".to_owned(),
        Step::ChannelOpen { by, kind } => format!("channel asked for, {}: {}", whose(by), text(kind)),
        Step::ChannelOpened { channel, window, max_packet } => {
            format!("channel {channel} stands: window {window}, packets up to {max_packet}")
        }
        Step::ChannelRequest { by, kind } => format!("channel request, {}: {}", whose(by), text(kind)),
        Step::ChannelClosed { channel, sent, received } => {
            format!("channel {channel} closed: {sent} bytes sent, {received} received")
        }
        Step::Rekey { by } => format!(
            "renewing the keys, on {} initiative",
            match by {
                Role::Client => "our",
                Role::Server => "the server's",
            }
        ),
        Step::Packet { by, number, size } => {
            format!("packet, {}: {} ({number}), {size} bytes", whose(by), number::name(*number))
        }
        Step::Debug(message) => format!("the server says: {}", text(message)),
        Step::End(error) => format!("the connection is over: {}", text(error.to_string().as_bytes())),
        _ => return None,
    })
}

fn negotiated(algorithms: &nacre_proto::Negotiated, strict: bool) -> String {
    let direction = |d: &nacre_proto::DirectionAlgorithms| match d.mac {
        Some(mac) => format!("{} {mac} compression: {}", d.cipher, d.compression),
        None => format!("{} compression: {}", d.cipher, d.compression),
    };
    let weak = match algorithms.kex.is_post_quantum() {
        true => "",
        false => "\nthis key exchange does not withstand a quantum computer that comes later",
    };
    format!(
        "kex: algorithm: {}\nkex: host key algorithm: {}\nkex: server->client cipher: {}\n\
         kex: client->server cipher: {}\nkex: strict order: {}{weak}",
        algorithms.kex,
        algorithms.host_key,
        direction(&algorithms.server_to_client),
        direction(&algorithms.client_to_server),
        if strict { "yes" } else { "no" },
    )
}
