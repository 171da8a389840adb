//! The transport layer, RFC 4253: identification, packets, key exchanges, and the few messages of
//! its own. It hands every other message up and takes messages to send.

use crate::algorithm::{CompressionMethod, SignatureAlgorithm};
use crate::config::TransportConfig;
use crate::crypto::{Provider, Seal};
use crate::error::{Error, Limit, Misbehaviour, Timer, decoding};
use crate::exchange::{Exchange, HostKeyQuestion, SignExchange};
use crate::ident::{Ident, IdentReader};
use crate::kdf::SessionId;
use crate::limits;
use crate::negotiate::Negotiated;
use crate::observe::{KexSecret, Observer, Packet, Step};
use crate::packet::{Inbound, Outbound, Usage};
use crate::question::{Ids, Pending};
use crate::timer::Timers;
use crate::transmit::TransmitBuffer;
use bytes::{Bytes, BytesMut};
use nacre_wire::message::{Debug, Disconnect, Message, Unimplemented};
use nacre_wire::number::{self, Phase, Verdict};
use nacre_wire::text::clean_line;
use nacre_wire::{Role, ext_info, names};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

/// A host key as a server shows it: what it can sign with, and its public blob. The private half
/// never enters the core.
#[derive(Debug, Clone)]
pub struct HostKey {
    /// Signature algorithms it can be used with.
    pub algorithms: Vec<SignatureAlgorithm>,
    /// The public key blob.
    pub blob: Vec<u8>,
}

/// Messages that may pass while ordinary ones wait for a key exchange.
pub(crate) enum Urgent {
    /// KEXINIT: ordinary messages stop behind it.
    KexInit(Vec<u8>),
    /// A line of text instead of a packet, to a peer that speaks another protocol.
    Line(&'static [u8]),
    /// Any other message.
    Message(Vec<u8>),
    /// NEWKEYS, after which the sealer takes over, payloads are compressed so, and ordinary messages go on.
    NewKeys(Vec<u8>, Box<dyn Seal>, CompressionMethod),
}

/// Questions of the transport layer.
pub(crate) enum TransportQuestion {
    /// Is this the right host key?
    HostKey { pending: Pending<HostKeyQuestion>, algorithm: SignatureAlgorithm, host_key: Vec<u8> },
    /// Sign this exchange hash.
    Sign { pending: Pending<SignExchange>, algorithm: SignatureAlgorithm, host_key: Vec<u8>, exchange_hash: Vec<u8> },
}

/// What the transport hands up.
pub(crate) enum Incoming {
    /// A message of a higher layer, or EXT_INFO, allowed by the message table.
    Message(Bytes),
    /// A question; input rests until it is answered.
    Question(TransportQuestion),
    /// The first keys are in use in both directions.
    Ready,
}

pub(crate) struct Transport {
    pub(crate) role: Role,
    pub(crate) config: Arc<TransportConfig>,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) host_keys: Vec<HostKey>,
    /// Host key algorithms of our KEXINIT.
    pub(crate) host_key_offer: Vec<SignatureAlgorithm>,
    observer: Option<Box<dyn Observer>>,
    /// The observer wants packets and secrets.
    pub(crate) packets_wanted: bool,
    /// When packets were last to be formed.
    formed: Instant,
    pub(crate) our_ident: Ident,
    pub(crate) peer_ident: Option<Ident>,
    ident_reader: IdentReader,
    ident_sent: bool,
    pub(crate) inbound: Inbound,
    outbound: Outbound,
    pub(crate) exchange: Exchange,
    pub(crate) negotiated: Option<Negotiated>,
    pub(crate) strict: bool,
    pub(crate) session_id: Option<SessionId>,
    /// Client: the key that was accepted.
    pub(crate) host_key: Option<Vec<u8>>,
    pub(crate) peer_ext_info: bool,
    our_ext_info: Vec<(&'static str, Vec<u8>)>,
    pub(crate) first_after_newkeys: bool,
    /// The message that was handed up last came right after the first NEWKEYS.
    pub(crate) follows_newkeys: bool,
    /// It said that it answers PING (OpenSSH PROTOCOL §1.8).
    pub(crate) peer_answers_pings: bool,
    authenticated: bool,
    /// Both ends know of the login, so that a KEXINIT of ours cannot come too early.
    may_rekey: bool,
    pre_auth_bytes: u64,
    urgent: VecDeque<Urgent>,
    control: VecDeque<Vec<u8>>,
    control_bytes: usize,
    /// Our KEXINITs that were queued and whose NEWKEYS were not sent yet.
    exchanges_open: u32,
    pub(crate) timers: Timers,
    pub(crate) ids: Ids,
    question: Option<TransportQuestion>,
    paused: bool,
    last_heard: Option<Instant>,
    /// Probes of a silent peer since it was heard last.
    pub(crate) unanswered_probes: u32,
    error: Option<Error>,
}

/// What a transport starts from.
pub(crate) struct TransportStart {
    pub role: Role,
    pub config: Arc<TransportConfig>,
    pub provider: Arc<dyn Provider>,
    pub host_keys: Vec<HostKey>,
    pub ext_info: Vec<(&'static str, Vec<u8>)>,
    pub observer: Option<Box<dyn Observer>>,
}

impl Transport {
    pub(crate) fn new(now: Instant, start: TransportStart) -> Result<Self, Error> {
        let our_ident = Ident::ours(&start.config.software, &start.config.comment);
        let host_key_offer = match start.role {
            Role::Client => start.config.host_key_algorithms.clone(),
            Role::Server => offered_by(&start.host_keys, &start.config.host_key_algorithms),
        };
        if host_key_offer.is_empty() {
            return Err(Error::Misuse("no host key algorithm to offer"));
        }
        let mut transport = Self {
            role: start.role,
            provider: start.provider,
            host_keys: start.host_keys,
            host_key_offer,
            packets_wanted: start.observer.as_ref().is_some_and(|observer| observer.dangerous_wants_packets()),
            observer: start.observer,
            formed: now,
            our_ident,
            peer_ident: None,
            ident_reader: IdentReader::default(),
            ident_sent: false,
            inbound: Inbound::new(),
            outbound: Outbound::new(),
            exchange: Exchange::Idle,
            negotiated: None,
            strict: false,
            session_id: None,
            host_key: None,
            peer_ext_info: false,
            our_ext_info: start.ext_info,
            first_after_newkeys: false,
            follows_newkeys: false,
            peer_answers_pings: false,
            authenticated: false,
            may_rekey: false,
            pre_auth_bytes: 0,
            urgent: VecDeque::new(),
            control: VecDeque::new(),
            control_bytes: 0,
            exchanges_open: 0,
            timers: Timers::default(),
            ids: Ids::default(),
            question: None,
            paused: false,
            last_heard: None,
            unanswered_probes: 0,
            error: None,
            config: start.config,
        };
        transport.timers.set(Timer::FirstKex, now + transport.config.kex_timeout);
        if transport.packets_wanted {
            transport.inbound.keep_wire();
        }
        let line = transport.our_ident.as_bytes().to_vec();
        transport.observe(now, &Step::Ident { by: transport.role, line: &line });
        if transport.role == Role::Client {
            transport.start_exchange(now)?;
        }
        Ok(transport)
    }

    /// The next thing in `input` that concerns a higher layer.
    pub(crate) fn next(&mut self, now: Instant, input: &mut BytesMut) -> Result<Option<Incoming>, Error> {
        loop {
            if let Some(question) = self.question.take() {
                if matches!(question, TransportQuestion::HostKey { .. }) {
                    self.timers.hold(now);
                }
                return Ok(Some(Incoming::Question(question)));
            }
            if self.paused || self.error.is_some() {
                return Ok(None);
            }
            if self.peer_ident.is_none() && !self.read_ident(now, input)? {
                return Ok(None);
            }
            let encrypted = self.inbound.is_encrypted();
            let Some(payload) = self.inbound.next(input)? else { return Ok(None) };
            if let (Some(wire), Some(observer)) = (self.inbound.wire(), &mut self.observer) {
                let by = self.role.peer();
                observer.dangerous_packet(now, &Packet { by, wire, payload: Some(&payload), encrypted });
            }
            self.last_heard = Some(now);
            self.unanswered_probes = 0;
            self.count_pre_auth(payload.len())?;
            if let Some(incoming) = self.dispatch(now, payload)? {
                return Ok(Some(incoming));
            }
        }
    }

    fn read_ident(&mut self, now: Instant, input: &mut BytesMut) -> Result<bool, Error> {
        let before = if self.packets_wanted { input.to_vec() } else { Vec::new() };
        let mut lines = Vec::new();
        let ident = self.ident_reader.read(self.role, input, |line| lines.push(line.to_vec()));
        let read = before.get(..before.len().saturating_sub(input.len())).filter(|read| !read.is_empty());
        if let (Some(wire), Some(observer)) = (read, &mut self.observer) {
            let by = self.role.peer();
            observer.dangerous_packet(now, &Packet { by, wire, payload: None, encrypted: false });
        }
        for line in &lines {
            self.observe(now, &Step::PreIdentLine(line));
        }
        let ident = ident?;
        let Some(ident) = ident else { return Ok(false) };
        self.observe(now, &Step::Ident { by: self.role.peer(), line: ident.as_bytes() });
        self.peer_ident = Some(ident);
        if self.role == Role::Server {
            self.start_exchange(now)?;
        }
        Ok(true)
    }

    fn count_pre_auth(&mut self, bytes: usize) -> Result<(), Error> {
        if self.authenticated {
            return Ok(());
        }
        self.pre_auth_bytes += bytes as u64;
        if self.pre_auth_bytes > limits::MAX_PRE_AUTH_BYTES { Err(Error::Limit(Limit::PreAuthBytes)) } else { Ok(()) }
    }

    /// Where the peer stands, as the message table asks for it.
    fn phase(&self) -> Phase {
        if !self.inbound.is_encrypted() {
            Phase::FirstKex { strict: self.strict }
        } else if self.exchange.peer_is_exchanging() {
            Phase::Rekey
        } else if self.authenticated {
            Phase::Open
        } else {
            Phase::Auth
        }
    }

    fn dispatch(&mut self, now: Instant, payload: Bytes) -> Result<Option<Incoming>, Error> {
        let number = payload.first().copied().unwrap_or(0);
        self.observe(now, &Step::Packet { by: self.role.peer(), number, size: payload.len() });
        self.follows_newkeys = std::mem::take(&mut self.first_after_newkeys);
        if self.exchange.takes_guess(number) {
            return Ok(None);
        }
        match number::verdict(self.role, self.phase(), number) {
            Verdict::Process => {}
            Verdict::Ignore => return Ok(None),
            Verdict::Unimplemented => {
                let sequence = self.inbound.last_sequence();
                self.send(Unimplemented { sequence }.to_bytes())?;
                return Ok(None);
            }
            Verdict::Disconnect => return Err(Error::PeerMisbehaved(self.unexpected(number))),
        }
        match number {
            number::DISCONNECT => return Err(read_disconnect(&payload)?),
            number::IGNORE | number::UNIMPLEMENTED => {}
            number::DEBUG => {
                let debug = Debug::decode(&payload).map_err(decoding(number))?;
                self.observe(now, &Step::Debug(debug.message));
            }
            number::KEXINIT => self.on_kexinit(now, &payload)?,
            number::KEX_ECDH_INIT => self.on_kex_init(now, &payload)?,
            number::KEX_ECDH_REPLY => self.on_kex_reply(now, &payload)?,
            number::NEWKEYS => {
                self.on_newkeys(now, &payload)?;
                if self.first_after_newkeys {
                    return Ok(Some(Incoming::Ready));
                }
            }
            _ => return Ok(Some(Incoming::Message(payload))),
        }
        Ok(None)
    }

    /// Names the rule that a message broke: when it is strict key exchange alone, somebody may be on the way (threat T1).
    fn unexpected(&self, number: u8) -> Misbehaviour {
        let lax = number::verdict(self.role, Phase::FirstKex { strict: false }, number);
        match self.phase() {
            Phase::FirstKex { strict: true } if lax != Verdict::Disconnect => Misbehaviour::NotStrictMessage(number),
            _ => Misbehaviour::UnexpectedMessage(number),
        }
    }

    /// Queues an ordinary message. It waits while keys are being exchanged.
    pub(crate) fn send(&mut self, payload: Vec<u8>) -> Result<(), Error> {
        if self.error.is_some() {
            return Ok(());
        }
        self.control_bytes += payload.len();
        if self.control_bytes > limits::MAX_CONTROL_BYTES {
            return Err(Error::Limit(Limit::ControlBytes));
        }
        self.control.push_back(payload);
        Ok(())
    }

    pub(crate) fn push_urgent(&mut self, urgent: Urgent) {
        if matches!(urgent, Urgent::KexInit(_)) {
            self.exchanges_open += 1;
        }
        self.urgent.push_back(urgent);
    }

    pub(crate) fn push_ext_info(&mut self, now: Instant) {
        if self.our_ext_info.is_empty() {
            return;
        }
        let extensions: Vec<(&str, &[u8])> =
            self.our_ext_info.iter().map(|(name, value)| (*name, value.as_slice())).collect();
        let message = ext_info::encode(&extensions);
        let seen: Vec<(&[u8], &[u8])> = extensions.iter().map(|(n, v)| (n.as_bytes(), *v)).collect();
        if let Some(observer) = &mut self.observer {
            observer.step(now, &Step::ExtInfo { by: self.role, extensions: &seen });
        }
        self.push_urgent(Urgent::Message(message));
    }

    /// Stops input and hands the question up.
    pub(crate) fn ask(&mut self, question: TransportQuestion) {
        self.question = Some(question);
        self.paused = true;
    }

    /// Input goes on.
    pub(crate) fn resume(&mut self) {
        self.paused = false;
    }

    /// A question was answered: unless it is the one about the host key that still stands, time counts again.
    pub(crate) fn count_time(&mut self, now: Instant) {
        if !matches!(self.exchange, Exchange::AwaitHostKey(_)) {
            self.timers.release(now);
        }
    }

    /// Stops input until [`Transport::resume`].
    pub(crate) fn pause(&mut self) {
        self.paused = true;
    }

    /// Whether feeding more input makes sense now.
    pub(crate) fn wants_input(&self) -> bool {
        !self.paused && self.error.is_none() && self.control_bytes < limits::CONTROL_HIGH_WATER
    }

    /// Whether messages other than those of a key exchange may be formed now.
    pub(crate) fn may_send(&self) -> bool {
        self.exchanges_open == 0 && self.error.is_none()
    }

    /// Forms what is due, up to about `limit` bytes in `out`.
    pub(crate) fn transmit(&mut self, now: Instant, out: &mut TransmitBuffer, limit: usize) -> Result<(), Error> {
        self.formed = now;
        if !std::mem::replace(&mut self.ident_sent, true) {
            let line = self.our_ident.to_line();
            out.extend(&line);
            self.observe_text(now, &line);
        }
        self.rekey_if_due(now)?;
        while let Some(urgent) = self.urgent.pop_front() {
            self.seal_urgent(now, urgent, out)?;
        }
        while self.may_send() && out.len() < limit {
            let Some(payload) = self.control.pop_front() else { break };
            self.control_bytes -= payload.len();
            self.seal_now(now, &payload, out)?;
            if payload.first() == Some(&number::USERAUTH_SUCCESS) {
                self.may_rekey = true;
                self.begin_compression();
            }
        }
        Ok(())
    }

    fn seal_urgent(&mut self, now: Instant, urgent: Urgent, out: &mut TransmitBuffer) -> Result<(), Error> {
        match urgent {
            Urgent::Line(line) => {
                out.extend(line);
                self.observe_text(now, line);
                Ok(())
            }
            Urgent::KexInit(payload) | Urgent::Message(payload) => self.seal_now(now, &payload, out),
            Urgent::NewKeys(payload, sealer, compression) => {
                self.seal_now(now, &payload, out)?;
                self.observe(now, &Step::NewKeys { by: self.role });
                self.exchanges_open = self.exchanges_open.saturating_sub(1);
                if self.role == Role::Server {
                    // The client's person now looks at our host key and may take longer than a computer;
                    // the time of the login goes on.
                    self.timers.stop(Timer::FirstKex);
                }
                self.outbound.rekey(sealer, compression, self.strict, self.provider.as_ref())
            }
        }
    }

    fn observe_text(&mut self, now: Instant, wire: &[u8]) {
        if self.packets_wanted
            && let Some(observer) = &mut self.observer
        {
            observer.dangerous_packet(now, &Packet { by: self.role, wire, payload: None, encrypted: false });
        }
    }

    /// Shows a packet that was just sealed, which is all that `out` holds behind `start`.
    fn observe_packet(&mut self, now: Instant, payload: &[u8], out: &TransmitBuffer, start: usize) {
        if self.packets_wanted
            && let (Some(wire), Some(observer)) = (out.as_slice().get(start..), &mut self.observer)
        {
            let encrypted = self.outbound.is_encrypted();
            observer.dangerous_packet(now, &Packet { by: self.role, wire, payload: Some(payload), encrypted });
        }
    }

    /// Seals one message whose payload `fill` writes in place; see [`Outbound::seal_with`].
    pub(crate) fn seal_with(
        &mut self,
        max: usize,
        out: &mut TransmitBuffer,
        fill: impl FnOnce(&mut [u8]) -> usize,
    ) -> Result<usize, Error> {
        if !self.packets_wanted {
            return self.outbound.seal_with(max, out, fill);
        }
        let (start, mut payload) = (out.len(), Vec::new());
        let sealed = self.outbound.seal_with(max, out, |space| {
            let filled = fill(space);
            payload.extend_from_slice(space.get(..filled).unwrap_or_default());
            filled
        })?;
        if sealed > 0 {
            self.observe_packet(self.formed, &payload, out, start);
        }
        Ok(sealed)
    }

    /// Seals one message at once: for those whose place among data matters.
    pub(crate) fn seal_now(&mut self, now: Instant, payload: &[u8], out: &mut TransmitBuffer) -> Result<(), Error> {
        let start = out.len();
        self.outbound.seal(payload, out)?;
        self.observe_packet(now, payload, out, start);
        let number = payload.first().copied().unwrap_or(0);
        self.observe(now, &Step::Packet { by: self.role, number, size: payload.len() });
        Ok(())
    }

    /// True when no control message waits behind which data must not overtake.
    pub(crate) fn control_is_empty(&self) -> bool {
        self.control.is_empty() && self.urgent.is_empty()
    }

    fn rekey_if_due(&mut self, now: Instant) -> Result<(), Error> {
        if !self.may_rekey || !matches!(self.exchange, Exchange::Idle) || self.exchanges_open > 0 {
            return Ok(());
        }
        let Some(negotiated) = self.negotiated else { return Ok(()) };
        let ciphers = [negotiated.client_to_server.cipher, negotiated.server_to_client.cipher];
        let by_cipher = ciphers.map(|cipher| cipher.rekey_bytes()).into_iter().min().unwrap_or(0);
        let bytes = self.config.rekey.bytes.unwrap_or(u64::MAX).min(by_cipher);
        let over = |usage: Usage| usage.bytes >= bytes || usage.packets >= limits::MAX_PACKETS_PER_KEY;
        if over(self.outbound.usage) || over(self.inbound.usage) { self.rekey(now) } else { Ok(()) }
    }

    /// Starts a key re-exchange.
    pub(crate) fn rekey(&mut self, now: Instant) -> Result<(), Error> {
        if self.error.is_some() || !self.may_rekey || !matches!(self.exchange, Exchange::Idle) {
            return Ok(());
        }
        self.observe(now, &Step::Rekey { by: self.role });
        self.start_exchange(now)
    }

    fn begin_compression(&mut self) {
        self.inbound.begin_compression();
        self.outbound.begin_compression();
    }

    /// How many bytes came out of compressed packets since this was last forgotten.
    pub(crate) fn inflated(&self) -> usize {
        self.inbound.inflated
    }

    pub(crate) fn forget_inflated(&mut self) {
        self.inbound.inflated = 0;
    }

    /// The login is done: the connection layer opens, and rekeying begins to count.
    pub(crate) fn set_authenticated(&mut self, now: Instant) {
        self.authenticated = true;
        // A server waits until SUCCESS has left: KEXINIT would overtake it, and what comes before the client has it is not compressed.
        if self.role == Role::Client {
            self.may_rekey = true;
            self.begin_compression();
        }
        if let Some(time) = self.config.rekey.time {
            self.timers.set(Timer::RekeyDue, now + time);
        }
    }

    pub(crate) fn last_heard(&self) -> Option<Instant> {
        self.last_heard
    }

    pub(crate) fn observe(&mut self, now: Instant, step: &Step<'_>) {
        if let Some(observer) = &mut self.observer {
            observer.step(now, step);
        }
    }

    pub(crate) fn observe_secret(&mut self, now: Instant, secret: &KexSecret<'_>) {
        if self.packets_wanted
            && let Some(observer) = &mut self.observer
        {
            observer.dangerous_kex_secret(now, secret);
        }
    }

    /// Ends the connection: the first error sticks, and only DISCONNECT still goes out.
    pub(crate) fn fail(&mut self, now: Instant, error: Error) {
        if self.error.is_some() {
            return;
        }
        self.observe(now, &Step::End(&error));
        self.urgent.clear();
        self.control.clear();
        self.control_bytes = 0;
        self.timers.clear();
        self.question = None;
        self.exchange = Exchange::Dead;
        if let Some(line) = self.line_for_strangers(&error) {
            self.urgent.push_back(Urgent::Line(line));
        } else if let Some(reason) = error.disconnect_reason() {
            let description = error.disconnect_text().as_bytes();
            let message = Disconnect { reason, description, language: b"" }.to_bytes();
            self.urgent.push_back(Urgent::Message(message));
        }
        self.error = Some(error);
    }

    /// What a server says to a client that has not shown that it knows packets, in the words that OpenSSH's server has for people
    /// who reach it with another program.
    fn line_for_strangers(&self, error: &Error) -> Option<&'static [u8]> {
        if self.role == Role::Client || self.peer_ident.is_some() {
            return None;
        }
        match error {
            Error::PeerMisbehaved(_) | Error::Limit(_) => Some(b"Invalid SSH identification string.\r\n"),
            Error::PeerIncompatible(_) => Some(b"Protocol major versions differ.\r\n"),
            _ => None,
        }
    }

    pub(crate) fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }

    /// True once the connection has failed and its last words were formed.
    pub(crate) fn is_finished(&self) -> bool {
        self.error.is_some() && self.urgent.is_empty()
    }
}

/// The algorithms that our host keys can serve, in the configured order.
fn offered_by(keys: &[HostKey], configured: &[SignatureAlgorithm]) -> Vec<SignatureAlgorithm> {
    configured.iter().copied().filter(|a| keys.iter().any(|k| k.algorithms.contains(a))).collect()
}

fn read_disconnect(payload: &[u8]) -> Result<Error, Error> {
    let message = Disconnect::decode(payload).map_err(decoding(number::DISCONNECT))?;
    Ok(Error::Disconnected {
        reason: message.reason,
        description: clean_line(message.description, limits::MAX_PEER_TEXT),
    })
}

/// The extensions a server announces: what user keys may sign with, and what else it can do.
pub(crate) fn server_extensions(user_algorithms: &[SignatureAlgorithm]) -> Vec<(&'static str, Vec<u8>)> {
    // RFC 8308 §3.1 speaks of signatures: what signs for a certificate is its key.
    let signs = user_algorithms.iter().filter(|a| !a.is_certificate());
    let list: Vec<&str> = signs.map(|a| a.name()).collect();
    vec![
        (names::EXT_SERVER_SIG_ALGS, list.join(",").into_bytes()),
        (names::EXT_PUBLICKEY_HOSTBOUND, b"0".to_vec()),
        (names::EXT_PING, b"0".to_vec()),
    ]
}
