//! One key exchange, RFC 4253 §7 to §9, from KEXINIT to NEWKEYS, as states that are consumed.

use crate::algorithm::{CompressionMethod, SignatureAlgorithm, ValueEncoding};
use crate::crypto::{KexClient, Open, SecretBytes};
use crate::error::{Error, Misbehaviour, Timer, decoding};
use crate::kdf::{self, ExchangeHash, KeySource, SessionId, Transcript};
use crate::negotiate::{self, Negotiated};
use crate::observe::{KexSecret, Step};
use crate::question::Pending;
use crate::transport::{Transport, TransportQuestion, Urgent};
use nacre_wire::message::{KexEcdhInit, KexEcdhReply, KexInit, Message, NewKeys};
use nacre_wire::{Reader, Role, WriteExt, number};
use std::time::Instant;

/// The question whether a host key is the right one. Answer: [`HostKeyDecision`].
#[derive(Debug)]
pub struct HostKeyQuestion;

/// What the owner of the connection says of a host key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostKeyDecision {
    /// It is the right one: go on.
    Accept,
    /// It is not, or nobody knows: end the connection.
    Refuse,
}

/// The question for a signature of the exchange hash by a host key. Answer: the signature blob,
/// `None` when it cannot be had.
#[derive(Debug)]
pub struct SignExchange;

/// States of a key exchange, each named for what it waits for.
pub(crate) enum Exchange {
    /// No exchange is under way.
    Idle,
    /// We have sent KEXINIT.
    AwaitKexInit(AwaitKexInit),
    /// Client: we have sent our public value.
    AwaitReply(AwaitReply),
    /// Server: the client's public value comes next.
    AwaitInit(AwaitInit),
    /// Client: somebody decides about the host key; input rests.
    AwaitHostKey(Agreed),
    /// Server: somebody signs; input rests.
    AwaitSignature(AwaitSignature),
    /// Our NEWKEYS is on its way; the peer's comes next.
    AwaitNewKeys(AwaitNewKeys),
    /// Given up after an error.
    Dead,
}

pub(crate) struct AwaitKexInit {
    ours: Vec<u8>,
}

/// Both KEXINITs, as they enter the exchange hash.
struct Offers {
    client: Vec<u8>,
    server: Vec<u8>,
}

impl Offers {
    /// What stands behind the message number of the client's.
    fn client_cookie(&self) -> &[u8] {
        self.client.get(1..17).unwrap_or_default()
    }
}

pub(crate) struct AwaitReply {
    negotiated: Negotiated,
    offers: Offers,
    client: Box<dyn KexClient>,
}

pub(crate) struct AwaitInit {
    negotiated: Negotiated,
    offers: Offers,
    skip_guess: bool,
}

/// The shared secret is known and hashed.
pub(crate) struct Agreed {
    negotiated: Negotiated,
    secret: SecretBytes,
    hash: ExchangeHash,
    host_key: Vec<u8>,
    question: u64,
}

pub(crate) struct AwaitSignature {
    agreed: Agreed,
    public: Vec<u8>,
}

pub(crate) struct AwaitNewKeys {
    opener: Box<dyn Open>,
    compression: CompressionMethod,
}

impl Exchange {
    /// The peer's KEXINIT has come and its NEWKEYS has not.
    pub(crate) fn peer_is_exchanging(&self) -> bool {
        !matches!(self, Self::Idle | Self::AwaitKexInit(_))
    }

    /// The next packet of the key exchange was guessed wrong and must be dropped (RFC 4253 §7).
    pub(crate) fn takes_guess(&mut self, number: u8) -> bool {
        match self {
            Self::AwaitInit(state) if (30..=49).contains(&number) => std::mem::take(&mut state.skip_guess),
            _ => false,
        }
    }
}

/// Reads the one field of KEX_ECDH_INIT, or of KEXDH_INIT, which is an mpint.
fn read_public(reader: &mut Reader<'_>, encoding: ValueEncoding) -> Result<Vec<u8>, nacre_wire::DecodeError> {
    match encoding {
        ValueEncoding::AllMpint => reader.mpint("public value").map(<[u8]>::to_vec),
        _ => reader.string("public value").map(<[u8]>::to_vec),
    }
}

const BAD_VALUE: Error = Error::PeerMisbehaved(Misbehaviour::BadKexValue);

impl Transport {
    /// Sends KEXINIT, unless an exchange is under way already.
    pub(crate) fn start_exchange(&mut self, now: Instant) -> Result<(), Error> {
        if !matches!(self.exchange, Exchange::Idle) {
            return Ok(());
        }
        let first = self.session_id.is_none();
        if !first {
            self.timers.set(Timer::Rekey, now + crate::limits::REKEY_TIMEOUT);
            self.timers.stop(Timer::RekeyDue);
        }
        let mut cookie = [0; 16];
        self.provider.random(&mut cookie)?;
        let ours = negotiate::our_kexinit(self.role, &self.config, &self.host_key_offer, first, cookie);
        self.push_urgent(Urgent::KexInit(ours.clone()));
        self.observe_kexinit(now, self.role, &ours);
        self.exchange = Exchange::AwaitKexInit(AwaitKexInit { ours });
        Ok(())
    }

    fn observe_kexinit(&mut self, now: Instant, by: Role, payload: &[u8]) {
        if let Ok(offer) = KexInit::decode(payload) {
            self.observe(now, &Step::KexInit { by, offer: &offer, size: payload.len() });
        }
    }

    /// Handles KEXINIT.
    pub(crate) fn on_kexinit(&mut self, now: Instant, payload: &[u8]) -> Result<(), Error> {
        if matches!(self.exchange, Exchange::Idle) {
            self.observe(now, &Step::Rekey { by: self.role.peer() });
            self.start_exchange(now)?;
        }
        let Exchange::AwaitKexInit(AwaitKexInit { ours }) = std::mem::replace(&mut self.exchange, Exchange::Dead)
        else {
            return Err(Error::PeerMisbehaved(Misbehaviour::RepeatedKexInit));
        };
        self.observe_kexinit(now, self.role.peer(), payload);
        let theirs = KexInit::decode(payload).map_err(decoding(number::KEXINIT))?;
        let our_message = KexInit::decode(&ours).map_err(|_| Error::Bug("our own KEXINIT"))?;
        let negotiated = negotiate::negotiate(self.role, &our_message, &theirs)?;
        self.note_first_kexinit(&negotiated)?;
        self.negotiated = Some(negotiated);
        self.observe(now, &Step::Negotiated { algorithms: &negotiated, strict: self.strict });
        let theirs = payload.to_vec();
        self.exchange = match self.role {
            Role::Client => {
                let client = self.provider.kex_client(negotiated.kex)?;
                let mut message = vec![KexEcdhInit::NUMBER];
                kdf::put_public(negotiated.kex, client.public(), &mut message);
                self.observe(now, &Step::KexPublic { by: Role::Client, value: client.public() });
                self.push_urgent(Urgent::Message(message));
                Exchange::AwaitReply(AwaitReply { negotiated, offers: Offers { client: ours, server: theirs }, client })
            }
            Role::Server => Exchange::AwaitInit(AwaitInit {
                skip_guess: negotiated.skip_guess,
                negotiated,
                offers: Offers { client: theirs, server: ours },
            }),
        };
        Ok(())
    }

    /// Markers count in the first KEXINIT only, and strict key exchange demands that it was the
    /// very first packet (threat T1).
    fn note_first_kexinit(&mut self, negotiated: &Negotiated) -> Result<(), Error> {
        if self.session_id.is_some() {
            return Ok(());
        }
        self.strict = !self.config.dangerous_without_strict_kex && negotiated.peer_strict;
        self.peer_ext_info = negotiated.peer_ext_info;
        if self.strict && self.inbound.last_sequence() != 0 {
            return Err(Error::PeerMisbehaved(Misbehaviour::NotStrict));
        }
        Ok(())
    }

    /// Server: handles the client's public value and asks for a signature.
    pub(crate) fn on_kex_init(&mut self, now: Instant, payload: &[u8]) -> Result<(), Error> {
        let Exchange::AwaitInit(state) = std::mem::replace(&mut self.exchange, Exchange::Dead) else {
            return Err(Error::PeerMisbehaved(Misbehaviour::UnexpectedMessage(number::KEX_ECDH_INIT)));
        };
        let method = state.negotiated.kex;
        let mut reader = Reader::new(payload);
        let client_public = reader
            .u8("message number")
            .and_then(|_| read_public(&mut reader, method.encoding()))
            .and_then(|public| reader.finish().map(|()| public))
            .map_err(decoding(number::KEX_ECDH_INIT))?;
        self.observe(now, &Step::KexPublic { by: Role::Client, value: &client_public });
        let answer = self.provider.kex_server(method, &client_public).map_err(|_| BAD_VALUE)?;
        self.observe(now, &Step::KexPublic { by: Role::Server, value: &answer.public });
        let host_key = self.host_key_for(state.negotiated.host_key)?;
        let (secret, hash) =
            self.agree(&state.negotiated, &state.offers, &host_key, &client_public, &answer.public, &answer.secret)?;
        let pending: Pending<SignExchange> = self.ids.next();
        let agreed = Agreed {
            negotiated: state.negotiated,
            secret,
            hash: hash.clone(),
            host_key: host_key.clone(),
            question: pending.id,
        };
        self.exchange = Exchange::AwaitSignature(AwaitSignature { agreed, public: answer.public });
        self.ask(TransportQuestion::Sign {
            pending,
            algorithm: state.negotiated.host_key,
            host_key,
            exchange_hash: hash.0,
        });
        Ok(())
    }

    /// Server: the signature has come; sends the reply and NEWKEYS.
    pub(crate) fn answer_signature(
        &mut self,
        now: Instant,
        pending: &Pending<SignExchange>,
        signature: Option<Vec<u8>>,
    ) -> Result<(), Error> {
        let state = match std::mem::replace(&mut self.exchange, Exchange::Dead) {
            Exchange::AwaitSignature(state) if state.agreed.question == pending.id => state,
            other => {
                self.exchange = other;
                return Err(Error::Misuse("no signature is asked for"));
            }
        };
        let signature = signature.ok_or(Error::Crypto)?;
        let algorithm = state.agreed.negotiated.host_key;
        if algorithm.is_rsa() {
            self.provider.verify(algorithm, &state.agreed.host_key, state.agreed.hash.as_bytes(), &signature)?;
        }
        // The one of the first exchange is what logins are bound to.
        self.host_key.get_or_insert_with(|| state.agreed.host_key.clone());
        let mut message = vec![KexEcdhReply::NUMBER];
        message.put_string(&state.agreed.host_key);
        kdf::put_public(state.agreed.negotiated.kex, &state.public, &mut message);
        message.put_string(&signature);
        self.observe(
            now,
            &Step::HostKeyProved {
                algorithm: state.agreed.negotiated.host_key,
                public_key: &state.agreed.host_key,
                signature: &signature,
            },
        );
        self.push_urgent(Urgent::Message(message));
        self.take_keys(now, state.agreed)
    }

    /// Client: handles the server's public value and its proof.
    pub(crate) fn on_kex_reply(&mut self, now: Instant, payload: &[u8]) -> Result<(), Error> {
        let Exchange::AwaitReply(state) = std::mem::replace(&mut self.exchange, Exchange::Dead) else {
            return Err(Error::PeerMisbehaved(Misbehaviour::UnexpectedMessage(number::KEX_ECDH_REPLY)));
        };
        let negotiated = state.negotiated;
        let (host_key, server_public, signature) =
            read_reply(payload, negotiated.kex.encoding()).map_err(decoding(number::KEX_ECDH_REPLY))?;
        self.observe(now, &Step::KexPublic { by: Role::Server, value: &server_public });
        let client_public = state.client.public().to_vec();
        let private = self.packets_wanted.then(|| state.client.dangerous_private()).flatten();
        let raw = state.client.finish(&server_public).map_err(|_| BAD_VALUE)?;
        let (secret, hash) = self.agree(&negotiated, &state.offers, host_key, &client_public, &server_public, &raw)?;
        self.observe_secret(
            now,
            &KexSecret {
                cookie: state.offers.client_cookie(),
                private: private.as_ref().map(SecretBytes::expose),
                shared: secret.expose().get(4..).unwrap_or_default(),
            },
        );
        self.provider
            .verify(negotiated.host_key, host_key, hash.as_bytes(), signature)
            .map_err(|_| Error::PeerMisbehaved(Misbehaviour::BadHostSignature))?;
        self.observe(now, &Step::HostKeyProved { algorithm: negotiated.host_key, public_key: host_key, signature });
        let pending: Pending<HostKeyQuestion> = self.ids.next();
        let agreed = Agreed { negotiated, secret, hash, host_key: host_key.to_vec(), question: pending.id };
        match &self.host_key {
            // Nobody is asked again, and nothing but the same key will do (threat T13).
            Some(known) if known.as_slice() == host_key => self.take_keys(now, agreed),
            Some(_) => Err(Error::PeerMisbehaved(Misbehaviour::HostKeyChanged)),
            None => {
                self.exchange = Exchange::AwaitHostKey(agreed);
                self.ask(TransportQuestion::HostKey {
                    pending,
                    algorithm: negotiated.host_key,
                    host_key: host_key.to_vec(),
                });
                Ok(())
            }
        }
    }

    /// Client: somebody decided about the host key.
    pub(crate) fn answer_host_key(
        &mut self,
        now: Instant,
        pending: &Pending<HostKeyQuestion>,
        decision: HostKeyDecision,
    ) -> Result<(), Error> {
        let agreed = match std::mem::replace(&mut self.exchange, Exchange::Dead) {
            Exchange::AwaitHostKey(agreed) if agreed.question == pending.id => agreed,
            other => {
                self.exchange = other;
                return Err(Error::Misuse("no host key is to be decided on"));
            }
        };
        match decision {
            HostKeyDecision::Refuse => Err(Error::HostKeyRefused),
            HostKeyDecision::Accept => {
                self.host_key = Some(agreed.host_key.clone());
                self.take_keys(now, agreed)
            }
        }
    }

    /// The encoded secret and the exchange hash.
    fn agree(
        &mut self,
        negotiated: &Negotiated,
        offers: &Offers,
        host_key: &[u8],
        client_public: &[u8],
        server_public: &[u8],
        raw_secret: &SecretBytes,
    ) -> Result<(SecretBytes, ExchangeHash), Error> {
        let peer = self.peer_ident.as_ref().ok_or(Error::Bug("no identification"))?;
        let (client_ident, server_ident) = match self.role {
            Role::Client => (&self.our_ident, peer),
            Role::Server => (peer, &self.our_ident),
        };
        let secret = kdf::encode_secret(negotiated.kex, raw_secret);
        let transcript = Transcript {
            client_ident: client_ident.as_bytes(),
            server_ident: server_ident.as_bytes(),
            client_kexinit: &offers.client,
            server_kexinit: &offers.server,
            host_key,
            client_public,
            server_public,
        };
        let hash = kdf::exchange_hash(self.provider.as_ref(), negotiated.kex, &transcript, &secret);
        Ok((secret, hash))
    }

    /// Derives all keys, sends NEWKEYS and readies the opener for the peer's.
    fn take_keys(&mut self, now: Instant, agreed: Agreed) -> Result<(), Error> {
        let first = self.session_id.is_none();
        self.observe(now, &Step::ExchangeHash { hash: agreed.hash.as_bytes(), first });
        // The first exchange hash stays the session identifier for life (threat T13).
        let session_id = self.session_id.get_or_insert_with(|| SessionId(agreed.hash.0.clone())).clone();
        let provider = self.provider.clone();
        let source = KeySource {
            provider: provider.as_ref(),
            hash: agreed.negotiated.kex.hash(),
            secret: &agreed.secret,
            exchange_hash: &agreed.hash,
            session_id: &session_id,
        };
        let algorithms = |sender| match sender {
            Role::Client => agreed.negotiated.client_to_server,
            Role::Server => agreed.negotiated.server_to_client,
        };
        let (ours, theirs) = (algorithms(self.role), algorithms(self.role.peer()));
        let sealer = provider.sealer(ours.cipher, ours.mac, &source.keys_of(self.role, ours))?;
        let opener = provider.opener(theirs.cipher, theirs.mac, &source.keys_of(self.role.peer(), theirs))?;
        self.push_urgent(Urgent::NewKeys(NewKeys {}.to_bytes(), sealer, ours.compression));
        if first && self.peer_ext_info {
            self.push_ext_info(now);
        }
        self.exchange = Exchange::AwaitNewKeys(AwaitNewKeys { opener, compression: theirs.compression });
        self.resume();
        Ok(())
    }

    /// Handles NEWKEYS: what comes next is under the new keys.
    pub(crate) fn on_newkeys(&mut self, now: Instant, payload: &[u8]) -> Result<(), Error> {
        NewKeys::decode(payload).map_err(decoding(number::NEWKEYS))?;
        let Exchange::AwaitNewKeys(state) = std::mem::replace(&mut self.exchange, Exchange::Dead) else {
            return Err(Error::PeerMisbehaved(Misbehaviour::UnexpectedMessage(number::NEWKEYS)));
        };
        self.observe(now, &Step::NewKeys { by: self.role.peer() });
        self.first_after_newkeys = !self.inbound.is_encrypted();
        self.inbound.rekey(state.opener, state.compression, self.strict);
        self.exchange = Exchange::Idle;
        self.timers.stop(Timer::FirstKex);
        self.timers.stop(Timer::Rekey);
        if let Some(time) = self.config.rekey.time.filter(|_| !self.first_after_newkeys) {
            self.timers.set(Timer::RekeyDue, now + time);
        }
        Ok(())
    }

    fn host_key_for(&self, algorithm: SignatureAlgorithm) -> Result<Vec<u8>, Error> {
        self.host_keys
            .iter()
            .find(|key| key.algorithms.contains(&algorithm))
            .map(|key| key.blob.clone())
            .ok_or(Error::Bug("no host key of the chosen type"))
    }
}

type Reply<'a> = (&'a [u8], Vec<u8>, &'a [u8]);

fn read_reply(payload: &[u8], encoding: ValueEncoding) -> Result<Reply<'_>, nacre_wire::DecodeError> {
    let mut reader = Reader::new(payload);
    reader.u8("message number")?;
    let host_key = reader.string("host key")?;
    let public = read_public(&mut reader, encoding)?;
    let signature = reader.string("signature of exchange hash")?;
    reader.finish()?;
    Ok((host_key, public, signature))
}
