//! Who owns the connection that is explained: it logs in only where that needs nobody's help and
//! the host is known, opens one session, and leaves.

use super::record::{Recorder, Row, Who};
use crate::ssh::identities::{self, Candidate, Signer};
use nacre_config::known_hosts::Verdict;
use nacre_crypto::fingerprint_sha256;
use nacre_net::{Owner, Port, PumpEvent};
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::login::client::Attempt;
use nacre_proto::{Event, HostKeyDecision};
use nacre_wire::names;
use nacre_wire::reason::disconnect;
use nacre_wire::session::SessionRequest;
use std::pin::Pin;
use std::task::Context;
use std::time::{Duration, Instant};
use tokio::time::{Sleep, sleep};

/// How long a session may take that is opened only to be seen.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes that the server may say in it.
const MAX_HEARD: usize = 1024 * 1024;

/// What judges the host's key.
pub type Judge = Box<dyn Fn(&[u8]) -> Verdict + Send>;

/// The owner.
pub struct Explainer {
    recorder: Recorder,
    judge: Judge,
    candidates: std::vec::IntoIter<Candidate>,
    algorithms: Vec<SignatureAlgorithm>,
    present: Option<Candidate>,
    asked_none: bool,
    host_is_known: bool,
    heard: usize,
    /// Runs from the login on.
    patience: Option<Pin<Box<Sleep>>>,
}

impl Explainer {
    /// An owner that records, with keys that need no passphrase.
    pub fn new(
        recorder: Recorder,
        judge: Judge,
        candidates: Vec<Candidate>,
        algorithms: Vec<SignatureAlgorithm>,
    ) -> Self {
        Self {
            recorder,
            judge,
            candidates: candidates.into_iter(),
            algorithms,
            present: None,
            asked_none: false,
            host_is_known: false,
            heard: 0,
            patience: None,
        }
    }

    fn note_host_key(&mut self, now: Instant, blob: &[u8]) {
        let (text, details) = match (self.judge)(blob) {
            Verdict::Match { .. } => {
                self.host_is_known = true;
                ("compares the key with known_hosts: it is the one on record".to_owned(), Vec::new())
            }
            Verdict::Unknown => {
                let detail = (
                    "what to do".to_owned(),
                    "compare the fingerprint with one you got from the host's owner".to_owned(),
                );
                (
                    "finds no record of this host: `nacre ssh` would show the fingerprint and ask".to_owned(),
                    vec![detail],
                )
            }
            other => {
                let shown = format!("{} does not agree with known_hosts ({other:?})", fingerprint_sha256(blob));
                (
                    "ALARM: this is not the key on record, or it was revoked; `nacre ssh` would stop here".to_owned(),
                    vec![("key".to_owned(), shown)],
                )
            }
        };
        self.recorder.add(now, (Row::ServerProof, 5, Who::Client), "known_hosts", text, details);
    }

    /// The next thing to try: the question which methods there are, then keys at hand.
    fn next_attempt(&mut self, now: Instant, methods: &[String], server_algorithms: Option<&[String]>) -> Attempt {
        if !std::mem::replace(&mut self.asked_none, true) {
            return Attempt::None;
        }
        if !self.host_is_known {
            self.note(now, "stops here: nobody logs in to a host whose key was not checked");
            return Attempt::GiveUp;
        }
        if methods.iter().any(|method| method == names::AUTH_PUBLICKEY) {
            for candidate in self.candidates.by_ref() {
                let Some(public_key) = candidate.public_key.clone() else { continue };
                let algorithm = identities::algorithm(&public_key, &self.algorithms, server_algorithms);
                if let Some(algorithm) = algorithm {
                    self.present = Some(candidate);
                    return Attempt::PublicKey { algorithm, public_key, probe: true };
                }
            }
        }
        self.note(now, "stops here: no key that works without a passphrase is left to try");
        Attempt::GiveUp
    }

    fn note(&self, now: Instant, text: &str) {
        self.recorder.add(now, (Row::UserProof, 6, Who::Client), "stop", text, Vec::new());
    }

    fn sign(&self, algorithm: SignatureAlgorithm, data: &[u8]) -> Option<Vec<u8>> {
        match &self.present.as_ref()?.signer {
            Signer::Loaded(key) => key.sign(algorithm, data).ok(),
            Signer::Agent | Signer::File(_) => None,
        }
    }

    /// Leaves a session that goes on and on.
    fn stop(&self, port: &mut Port<'_>, text: &str) {
        self.recorder.add(port.now, (Row::Session, 8, Who::Client), "stop", text, Vec::new());
        Self::leave(port);
    }

    fn leave(port: &mut Port<'_>) {
        port.connection.disconnect(port.now, disconnect::BY_APPLICATION, "explained");
    }
}

impl Owner for Explainer {
    fn on_event(&mut self, port: &mut Port<'_>, event: Event) {
        let now = port.now;
        // What ends the connection is kept there and told as its end.
        let _ = match event {
            Event::HostKey { pending, host_key, .. } => {
                self.note_host_key(now, &host_key);
                port.connection.answer(now, pending, HostKeyDecision::Accept)
            }
            Event::ChooseMethod { pending, methods, server_sig_algs, .. } => {
                let attempt = self.next_attempt(now, &methods, server_sig_algs.as_deref());
                port.connection.answer(now, pending, attempt)
            }
            Event::SignRequest { pending, algorithm, data, .. } => {
                let signature = self.sign(algorithm, &data);
                port.connection.answer(now, pending, signature)
            }
            Event::Prompts { pending, .. } => port.connection.answer(now, pending, None),
            Event::ChangePassword { pending, .. } => port.connection.answer(now, pending, None),
            Event::Authenticated { .. } => {
                self.patience = Some(Box::pin(sleep(PATIENCE)));
                port.connection.open_channel(now, names::CHANNEL_SESSION, b"").map(|_| ())
            }
            Event::Opened { channel, .. } => match port.connection.channel(channel) {
                Some(mut channel) => {
                    let asked = channel.request(now, &SessionRequest::Exec { command: b"true".to_vec() }, true);
                    // Where a command is forced, it may be one that reads.
                    channel.eof();
                    asked
                }
                None => Ok(()),
            },
            Event::OpenRequest { pending, .. } => {
                let description = "not asked for".to_owned();
                port.connection.answer(now, pending, nacre_proto::OpenAnswer::Reject { reason: 1, description })
            }
            Event::Request { pending: Some(pending), .. } => port.connection.answer(now, pending, false),
            Event::Global { pending: Some(pending), .. } => port.connection.answer(now, pending, None),
            Event::Data { channel, data, .. } => {
                self.heard = self.heard.saturating_add(data.len());
                if self.heard > MAX_HEARD {
                    self.stop(port, "leaves: the server says more than `true` ever would");
                } else if let Some(mut channel) = port.connection.channel(channel) {
                    channel.consumed(data.len());
                }
                Ok(())
            }
            Event::Closed { .. } | Event::OpenFailed { .. } => {
                Self::leave(port);
                Ok(())
            }
            _ => Ok(()),
        };
    }

    fn on_pump(&mut self, _port: &mut Port<'_>, _event: PumpEvent) {}

    fn poll(&mut self, cx: &mut Context<'_>, port: &mut Port<'_>) -> bool {
        let over = self.patience.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready());
        if over {
            self.patience = None;
            self.stop(port, "leaves: the session does not end by itself");
        }
        over
    }
}
