//! An observer that makes a record of every message, and of what both ends work out between them.

use super::check::Checks;
use super::clear::IDENT;
use super::message::{Teller, detail, hex, place, text};
use super::negotiation::{Offer, Offers};
use super::record::{Bytes, Record, Recorder, Row, Who};
use nacre_crypto::{PublicKey, fingerprint_sha256};
use nacre_proto::observe::{KexSecret, Observer, Packet, Step};
use nacre_wire::number;
use std::time::Instant;

/// Watches a connection.
pub struct Watching {
    recorder: Recorder,
    teller: Teller,
    offers: Offers,
    checks: Checks,
    secrets: bool,
    /// The shared secret of this key exchange, when secrets are to be shown.
    shared: Option<String>,
    /// The last exchange hash and the proof that came with it.
    proof: Option<(Vec<u8>, Vec<u8>)>,
}

impl Watching {
    /// An observer that adds to these records. Keys, passwords and data are in them only when `secrets` is true.
    pub fn new(recorder: Recorder, checks: Checks, secrets: bool) -> Self {
        let offers = Offers::default();
        Self { recorder, teller: Teller::new(secrets), offers, checks, secrets, shared: None, proof: None }
    }
}

impl Observer for Watching {
    fn step(&mut self, now: Instant, step: &Step<'_>) {
        match step {
            Step::KexInit { by, offer, .. } => self.offers.keep(*by, Offer::of(offer)),
            Step::Negotiated { algorithms, strict } => {
                let sentence = "the client's first choice that the server has too wins, list by list";
                let record = self.record(now, (Row::KeyExchange, 3, Who::Both), "negotiated", sentence);
                self.recorder.push(record.details(self.offers.winners(algorithms, *strict)));
            }
            Step::HostKeyProved { algorithm, public_key, signature } => {
                self.host_key(now, algorithm.name(), public_key, signature);
            }
            Step::ExchangeHash { hash, first } => self.exchange_hash(now, hash, *first),
            Step::Rekey { by } => {
                let sentence = "asks for new keys: nothing is encrypted with the same ones for too long";
                self.recorder.push(self.record(now, (Row::KeyExchange, 3, (*by).into()), "rekey", sentence));
            }
            Step::ChannelClosed { sent, received, .. } => {
                let sentence = format!("the channel is gone; data sent {sent} bytes, received {received} bytes");
                self.recorder.push(self.record(now, (Row::Session, 8, Who::Both), "channel_closed", sentence));
            }
            Step::End(error) => {
                let sentence = text(error.to_string().as_bytes());
                self.recorder.push(self.record(now, (Row::End, 9, Who::Both), "end", sentence));
            }
            _ => {}
        }
    }

    fn dangerous_wants_packets(&self) -> bool {
        true
    }

    fn dangerous_packet(&mut self, now: Instant, packet: &Packet<'_>) {
        match packet.payload {
            Some(payload) => self.message(now, packet, payload),
            None => self.lines(now, packet),
        }
    }

    fn dangerous_kex_secret(&mut self, _: Instant, secret: &KexSecret<'_>) {
        self.shared = self.secrets.then(|| hex(secret.shared));
    }
}

impl Watching {
    fn record(&self, now: Instant, place: (Row, u8, Who), name: &str, text: impl Into<String>) -> Record {
        let record = Record::new(self.recorder.at(now), place, name, text);
        let check = self.checks.of(&record.name, record.who);
        Record { check, ..record }
    }

    /// Identification, and what a server says before it.
    fn lines(&self, now: Instant, packet: &Packet<'_>) {
        for line in packet.wire.split_inclusive(|byte| *byte == b'\n') {
            let name = if line.starts_with(IDENT) { "ident" } else { "greeting" };
            let shown = text(line.trim_ascii_end());
            let record = self.record(now, (Row::Versions, 2, packet.by.into()), name, shown);
            self.recorder.push(Record { wire: Bytes::of(line), ..record });
        }
    }

    fn message(&mut self, now: Instant, packet: &Packet<'_>, payload: &[u8]) {
        let number = payload.first().copied().unwrap_or_default();
        let (sentence, mut details) = self.teller.tell(payload);
        let (title, who) = (self.teller.name(number), packet.by.into());
        let (name, flows) = (title.to_ascii_lowercase(), flows(number));
        if flows && self.is_one_more(&name, who, packet.wire.len()) {
            return;
        }
        if let Some(row) = number::row(number) {
            details.push(detail("written down in", row.source));
        }
        let (row, step) = place(number, packet.encrypted);
        let record = self.record(now, (row, step, who), &name, sentence);
        let plain = if packet.encrypted && self.secrets { Bytes::of(payload) } else { Bytes::default() };
        let message = Some(format!("{title} ({number})"));
        self.recorder.push(Record { message, flows, wire: Bytes::of(packet.wire), plain, ..record.details(details) });
    }

    /// Data flows in many messages, which are told as one until something else happens.
    fn is_one_more(&self, name: &str, who: Who, size: usize) -> bool {
        let mut records = self.recorder.lock();
        let mut flowing = records.iter_mut().rev().take_while(|record| record.flows);
        let Some(record) = flowing.find(|record| record.who == who && record.name == name) else { return false };
        record.times += 1;
        record.wire.count += size;
        true
    }

    fn host_key(&mut self, now: Instant, algorithm: &str, public_key: &[u8], signature: &[u8]) {
        let mut details = key_details(public_key);
        details.push(detail("algorithm", algorithm));
        details.push(detail("signature", format!("{} bytes, verified", signature.len())));
        let sentence = "the signature over the exchange hash is right: who answers holds this host key";
        let record = self.record(now, (Row::ServerProof, 5, Who::Server), "host_key_proof", sentence);
        self.recorder.push(record.details(details));
        self.proof = Some((public_key.to_vec(), signature.to_vec()));
    }

    fn exchange_hash(&mut self, now: Instant, hash: &[u8], first: bool) {
        let sentence = "both hash everything said so far; this exchange hash seals the whole conversation";
        let mut details = vec![detail("exchange hash", hex(hash))];
        if first {
            details.push(detail("use", "it is also the session identifier, for as long as the connection stands"));
        }
        details.extend(self.shared.take().map(|shared| detail("shared secret", shared)));
        let record = self.record(now, (Row::KeyExchange, 4, Who::Both), "exchange_hash", sentence).details(details);
        let check = self.proof.take().and_then(|(key, signature)| Checks::of_signature(hash, &key, &signature));
        self.recorder.push(Record { check, ..record });
    }
}

/// What a host key is, for who looks at it.
pub fn key_details(public_key: &[u8]) -> Vec<(String, String)> {
    let key = PublicKey::from_blob(public_key, "").ok();
    let kind = key.map(|key| detail("host key", format!("{}, {} bits", key.type_label(), key.bits())));
    kind.into_iter().chain([detail("fingerprint", fingerprint_sha256(public_key))]).collect()
}

/// Messages that come as often as there is data.
const fn flows(number: u8) -> bool {
    matches!(
        number,
        number::CHANNEL_DATA
            | number::CHANNEL_EXTENDED_DATA
            | number::CHANNEL_WINDOW_ADJUST
            | number::IGNORE
            | number::PING
            | number::PONG
    )
}
