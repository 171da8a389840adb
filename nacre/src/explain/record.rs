//! What an observer saw, as records that story and JSON are both made from.

use nacre_crypto::{PublicKey, fingerprint_sha256};
pub use nacre_lab::{Row, Who};
use nacre_proto::negotiate_names::Category;
use nacre_proto::observe::{Observer, Step};
use nacre_proto::{Negotiated, Role};
use nacre_wire::message::KexInit;
use nacre_wire::text::clean_line;
use nacre_wire::{NameList, number};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest peer text kept, in bytes.
const MAX_TEXT: usize = 1000;

/// One thing that happened.
#[derive(Debug, Clone)]
pub struct Record {
    /// Since the start.
    pub at: Duration,
    /// Which row it belongs to.
    pub row: Row,
    /// Which of the nine steps.
    pub step: u8,
    /// Who did it.
    pub who: Who,
    /// A short name for programs.
    pub name: &'static str,
    /// A sentence.
    pub text: String,
    /// What can be unfolded: label and value.
    pub details: Vec<(String, String)>,
}

/// The records of a connection, shared with the observer inside it.
#[derive(Debug, Clone)]
pub struct Recorder {
    start: Instant,
    records: Arc<Mutex<Vec<Record>>>,
}

impl Recorder {
    /// Starts the clock.
    pub fn new(start: Instant) -> Self {
        Self { start, records: Arc::default() }
    }

    /// What was recorded.
    pub fn records(&self) -> Vec<Record> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a record.
    pub fn add(
        &self,
        now: Instant,
        place: (Row, u8, Who),
        name: &'static str,
        text: impl Into<String>,
        details: Vec<(String, String)>,
    ) {
        let (row, step, who) = place;
        let at = now.saturating_duration_since(self.start);
        self.lock().push(Record { at, row, step, who, name, text: text.into(), details });
    }

    /// An observer that adds to these records.
    pub fn observer(&self) -> Box<dyn Observer> {
        Box::new(Watching { recorder: self.clone(), offers: (None, None) })
    }
}

/// The lists of a KEXINIT, kept to say why each algorithm won.
#[derive(Debug, Clone)]
struct Offer(Vec<(Category, Vec<String>)>);

impl Offer {
    fn of(message: &KexInit<'_>) -> Self {
        let names = |list: NameList<'_>| list.iter().map(str::to_owned).collect();
        Self(Category::ALL.iter().map(|category| (*category, names(category.list(message)))).collect())
    }

    fn of_category(&self, category: Category) -> &[String] {
        self.0.iter().find(|(known, _)| *known == category).map_or(&[], |(_, list)| list)
    }
}

struct Watching {
    recorder: Recorder,
    /// The client's and the server's.
    offers: (Option<Offer>, Option<Offer>),
}

fn detail(label: &str, value: impl Into<String>) -> (String, String) {
    (label.to_owned(), value.into())
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn text(bytes: &[u8]) -> String {
    clean_line(bytes, MAX_TEXT)
}

impl Observer for Watching {
    fn step(&mut self, now: Instant, step: &Step<'_>) {
        match step {
            Step::Ident { by, line } => self.add(now, (Row::Versions, 2, (*by).into()), "ident", text(line), vec![]),
            Step::PreIdentLine(line) => {
                self.add(now, (Row::Versions, 2, Who::Server), "greeting", text(line), vec![]);
            }
            Step::KexInit { by, offer, size } => self.kexinit(now, *by, offer, *size),
            Step::Negotiated { algorithms, strict } => self.negotiated(now, algorithms, *strict),
            Step::KexPublic { by, value } => {
                let sentence =
                    format!("sends its public value, {} bytes; the private half never leaves it", value.len());
                let details = vec![detail("value", hex(value))];
                self.add(now, (Row::KeyExchange, 4, (*by).into()), "kex_public", sentence, details);
            }
            Step::ExchangeHash { hash, first } => {
                let sentence = "both hash everything said so far; this exchange hash seals the whole conversation";
                let mut details = vec![detail("exchange hash", hex(hash))];
                if *first {
                    details
                        .push(detail("use", "it is also the session identifier, for as long as the connection stands"));
                }
                self.add(now, (Row::KeyExchange, 4, Who::Both), "exchange_hash", sentence, details);
            }
            Step::HostKeyProved { algorithm, public_key, signature } => {
                self.host_key(now, algorithm.name(), public_key, signature);
            }
            Step::NewKeys { by } => {
                let sentence = "switches to the new keys: from here on its packets are encrypted and authenticated";
                self.add(now, (Row::KeyExchange, 4, (*by).into()), "newkeys", sentence, vec![]);
            }
            Step::ExtInfo { by, extensions } => {
                let details = extensions.iter().map(|(name, value)| (text(name), text(value))).collect();
                self.add(now, (Row::UserProof, 6, (*by).into()), "ext_info", "tells what else it can do", details);
            }
            other => self.after_keys(now, other),
        }
    }
}

impl Watching {
    fn add(
        &self,
        now: Instant,
        place: (Row, u8, Who),
        name: &'static str,
        sentence: impl Into<String>,
        details: Vec<(String, String)>,
    ) {
        self.recorder.add(now, place, name, sentence, details);
    }

    fn kexinit(&mut self, now: Instant, by: Role, message: &KexInit<'_>, size: usize) {
        let offer = Offer::of(message);
        let details = offer.0.iter().map(|(category, list)| detail(category.title(), list.join(", "))).collect();
        let sentence = format!("offers its algorithms, best first ({size} bytes)");
        self.add(now, (Row::KeyExchange, 3, by.into()), "kexinit", sentence, details);
        match by {
            Role::Client => self.offers.0 = Some(offer),
            Role::Server => self.offers.1 = Some(offer),
        }
    }

    fn negotiated(&self, now: Instant, algorithms: &Negotiated, strict: bool) {
        let (Some(client), Some(server)) = (&self.offers.0, &self.offers.1) else { return };
        let mut details: Vec<(String, String)> = Category::ALL
            .iter()
            .filter_map(|category| {
                let winner = category.winner(algorithms)?;
                let why = why(winner, client.of_category(*category), server.of_category(*category));
                Some(detail(category.title(), format!("{winner}: {why}")))
            })
            .collect();
        details.push(detail("strict key exchange", if strict { "yes: no packet can be slipped in" } else { "no" }));
        let quantum = match algorithms.kex.is_post_quantum() {
            true => "yes: recorded traffic stays secret even from a future quantum computer",
            false => "no: the server offers no such method that we know",
        };
        details.push(detail("post-quantum", quantum));
        let sentence = "the client's first choice that the server has too wins, list by list";
        self.add(now, (Row::KeyExchange, 3, Who::Both), "negotiated", sentence, details);
    }

    fn host_key(&self, now: Instant, algorithm: &str, public_key: &[u8], signature: &[u8]) {
        let mut details = vec![
            detail("algorithm", algorithm),
            detail("fingerprint", fingerprint_sha256(public_key)),
            detail("signature", format!("{} bytes, verified", signature.len())),
        ];
        if let Ok(key) = PublicKey::from_blob(public_key, "") {
            details.insert(0, detail("host key", format!("{}, {} bits", key.type_label(), key.bits())));
        }
        let sentence = "signs the exchange hash with its host key; the signature is right";
        self.add(now, (Row::ServerProof, 5, Who::Server), "host_key_proof", sentence, details);
    }

    fn after_keys(&self, now: Instant, step: &Step<'_>) {
        match step {
            Step::Service { by: Role::Client, name } => {
                let sentence = format!("asks for the service {}", text(name));
                self.add(now, (Row::UserProof, 6, Who::Client), "service_request", sentence, vec![]);
            }
            Step::Service { by: Role::Server, name } => {
                let sentence = format!("accepts the service {}", text(name));
                self.add(now, (Row::UserProof, 6, Who::Server), "service_accept", sentence, vec![]);
            }
            Step::AuthRequest { user, method, public_key, signed } => {
                let mut details = vec![detail("user", text(user))];
                details.extend(public_key.map(|key| detail("key", fingerprint_sha256(key))));
                let sentence = match (*method, *signed) {
                    ("none", _) => "asks which ways to log in there are".to_owned(),
                    (method, true) => format!("tries {method}, with a signature over the session identifier"),
                    (method, false) => format!("tries {method}"),
                };
                self.add(now, (Row::UserProof, 6, Who::Client), "auth_request", sentence, details);
            }
            Step::Banner(message) => {
                self.add(now, (Row::UserProof, 6, Who::Server), "banner", text(message), vec![]);
            }
            Step::AuthFailure { methods, partial_success } => {
                let sentence = match partial_success {
                    true => format!("that was right; still wanted: {methods}"),
                    false => format!("not by that; possible: {methods}"),
                };
                self.add(now, (Row::UserProof, 6, Who::Server), "auth_failure", sentence, vec![]);
            }
            Step::AuthSuccess => {
                self.add(now, (Row::UserProof, 6, Who::Server), "auth_success", "lets the user in", vec![]);
            }
            other => self.channels(now, other),
        }
    }

    fn channels(&self, now: Instant, step: &Step<'_>) {
        match step {
            Step::ChannelOpen { by, kind } => {
                let sentence = format!("opens a channel of type {}", text(kind));
                self.add(now, (Row::Session, 7, (*by).into()), "channel_open", sentence, vec![]);
            }
            Step::ChannelOpened { window, max_packet, .. } => {
                let details = vec![
                    detail("window", format!("{window} bytes may be sent before credit comes back")),
                    detail("largest message", format!("{max_packet} bytes")),
                ];
                self.add(now, (Row::Session, 7, Who::Server), "channel_opened", "the channel stands", details);
            }
            Step::ChannelRequest { by, kind } => {
                let sentence = format!("channel request {}", text(kind));
                self.add(now, (Row::Session, 8, (*by).into()), "channel_request", sentence, vec![]);
            }
            Step::ChannelClosed { sent, received, .. } => {
                let sentence = format!("the channel closes; data sent {sent} bytes, received {received} bytes");
                self.add(now, (Row::Session, 8, Who::Both), "channel_closed", sentence, vec![]);
            }
            Step::Debug(message) => {
                self.add(now, (Row::Session, 8, Who::Server), "debug", text(message), vec![]);
            }
            Step::End(error) => {
                self.add(now, (Row::End, 9, Who::Both), "end", error.to_string(), vec![]);
            }
            Step::Packet { by, number: n @ number::DISCONNECT, .. } => {
                self.add(now, (Row::End, 9, (*by).into()), "disconnect", number::name(*n), vec![]);
            }
            _ => {}
        }
    }
}

/// Why this name won (RFC 4253 §7.1).
fn why(winner: &str, client: &[String], server: &[String]) -> String {
    let before: Vec<&str> = client.iter().map(String::as_str).take_while(|name| *name != winner).collect();
    let passed: Vec<&str> = before.into_iter().filter(|name| !server.iter().any(|s| s == name)).collect();
    match passed.as_slice() {
        [] => "the client's first choice, and the server has it".to_owned(),
        names => format!("the server has none of {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_names_what_was_passed_over() {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            why("a", &list(&["a", "b"]), &list(&["b", "a"])),
            "the client's first choice, and the server has it"
        );
        assert_eq!(why("c", &list(&["a", "b", "c"]), &list(&["c"])), "the server has none of a, b");
    }
}
