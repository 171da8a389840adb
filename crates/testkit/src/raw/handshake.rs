//! The raw peer's key exchange, step by step, so that a test can stand between any two of them.

use super::derive::{self, Keys};
use super::{Raw, Role};
use nacre_proto::algorithm::{CipherAlgorithm, KexMethod, MacAlgorithm, SignatureAlgorithm};
use nacre_proto::crypto::{KexClient, Open, Seal};
use nacre_wire::message::{KexInit, Message};
use nacre_wire::{NameList, Reader, WriteExt, number};

/// The names in the raw peer's KEXINIT.
#[derive(Debug, Clone)]
pub struct Offer {
    /// Key exchange methods, without markers.
    pub kex: Vec<String>,
    /// Host key algorithms.
    pub host_keys: Vec<String>,
    /// Ciphers, for both directions.
    pub ciphers: Vec<String>,
    /// MACs, for both directions.
    pub macs: Vec<String>,
    /// Compression from client to server, and back.
    pub compression: [String; 2],
    /// Announce strict key exchange.
    pub strict: bool,
    /// Announce that EXT_INFO is taken.
    pub ext_info: bool,
    /// Announce a guessed packet.
    pub follows: bool,
    role: Role,
}

impl Offer {
    /// An ordinary offer: a curve, AES-GCM, both markers.
    pub fn new(role: Role) -> Self {
        let one = |name: &str| vec![name.to_owned()];
        Self {
            kex: one(KexMethod::Curve25519.name()),
            host_keys: SignatureAlgorithm::PLAIN.iter().map(|a| a.name().to_owned()).collect(),
            ciphers: one(CipherAlgorithm::Aes256Gcm.name()),
            macs: one(MacAlgorithm::HmacSha256Etm.name()),
            compression: ["none".to_owned(), "none".to_owned()],
            strict: true,
            ext_info: true,
            follows: false,
            role,
        }
    }

    /// The KEXINIT that says so.
    pub fn kexinit(&self) -> Vec<u8> {
        let letter = if self.role == Role::Client { 'c' } else { 's' };
        let mut kex = self.kex.clone();
        kex.extend(self.ext_info.then(|| format!("ext-info-{letter}")));
        kex.extend(self.strict.then(|| format!("kex-strict-{letter}-v00@openssh.com")));
        let lists = [kex.join(","), self.host_keys.join(","), self.ciphers.join(","), self.macs.join(",")];
        let [kex, host_keys, ciphers, macs] = &lists;
        let mut out = vec![number::KEXINIT];
        out.extend_from_slice(&[0x5a; 16]);
        for text in [kex, host_keys, ciphers, ciphers, macs, macs] {
            out.put_string(text);
        }
        for text in [&self.compression[0], &self.compression[1], "", ""] {
            out.put_string(text);
        }
        out.put_bool(self.follows);
        out.put_u32(0);
        out
    }
}

/// What was agreed, and the keys that wait for NEWKEYS.
#[derive(Default)]
pub(super) struct Handshake {
    our_ident: Vec<u8>,
    their_ident: Vec<u8>,
    our_kexinit: Vec<u8>,
    their_kexinit: Vec<u8>,
    agreed: Option<Agreed>,
    client: Option<Box<dyn KexClient>>,
    sealer: Option<Box<dyn Seal>>,
    opener: Option<Box<dyn Open>>,
    pub(super) host_key: Vec<u8>,
    strict: bool,
    first_done: bool,
}

#[derive(Clone, Copy)]
struct Agreed {
    kex: KexMethod,
    host_key: SignatureAlgorithm,
    cipher: CipherAlgorithm,
    mac: Option<MacAlgorithm>,
}

/// How a raw server answers KEX_ECDH_INIT.
pub struct Reply<'a> {
    /// The host key blob it shows.
    pub host_key: Vec<u8>,
    /// A public value instead of a good one.
    pub public: Option<Vec<u8>>,
    /// Makes the signature blob of an exchange hash.
    pub sign: &'a dyn Fn(SignatureAlgorithm, &[u8]) -> Vec<u8>,
}

fn pick(client: NameList<'_>, server: NameList<'_>) -> String {
    client.iter().find(|name| server.contains(name)).unwrap_or_else(|| panic!("nothing in common")).to_owned()
}

fn read_public<'a>(kex: KexMethod, reader: &mut Reader<'a>) -> &'a [u8] {
    let value = match kex.name().starts_with("diffie-hellman") {
        true => reader.mpint("public value"),
        false => reader.string("public value"),
    };
    value.expect("a public value")
}

impl Raw {
    fn server_role(&self) -> bool {
        self.role == Role::Server
    }

    /// Both identification lines cross.
    pub fn exchange_idents(&mut self) {
        self.handshake.our_ident = b"SSH-2.0-Raw_1.0".to_vec();
        let line = [&self.handshake.our_ident[..], b"\r\n"].concat();
        self.feed(&line);
        let bytes = &mut self.receiving.bytes;
        let end = bytes.windows(2).position(|w| w == b"\r\n").expect("an identification line");
        self.handshake.their_ident = bytes.drain(..end + 2).take(end).collect();
        assert!(self.handshake.their_ident.starts_with(b"SSH-2.0-"));
    }

    /// Sends KEXINIT as the offer says.
    pub fn send_kexinit(&mut self) {
        self.handshake.our_kexinit = self.offer.kexinit();
        let message = self.handshake.our_kexinit.clone();
        self.send(&message);
    }

    /// Takes the machine's KEXINIT.
    #[track_caller]
    pub fn recv_kexinit(&mut self) -> Vec<u8> {
        let message = self.expect(number::KEXINIT);
        self.handshake.their_kexinit = message.clone();
        message
    }

    /// Both KEXINITs have crossed: works out what they agree on.
    fn negotiate(&mut self) -> Agreed {
        let (ours, theirs) = (self.handshake.our_kexinit.clone(), self.handshake.their_kexinit.clone());
        let ours = KexInit::decode(&ours).expect("our KEXINIT");
        let theirs = KexInit::decode(&theirs).expect("the machine's KEXINIT");
        let (c, s) = if self.server_role() { (theirs, ours) } else { (ours, theirs) };
        if !self.handshake.first_done {
            self.handshake.strict = c.kex_algorithms.contains("kex-strict-c-v00@openssh.com")
                && s.kex_algorithms.contains("kex-strict-s-v00@openssh.com");
        }
        let cipher = CipherAlgorithm::from_name(&pick(c.encryption_client_to_server, s.encryption_client_to_server));
        let cipher = cipher.expect("a cipher");
        let mac = || MacAlgorithm::from_name(&pick(c.mac_client_to_server, s.mac_client_to_server)).expect("a MAC");
        let host_key = pick(c.server_host_key_algorithms, s.server_host_key_algorithms);
        let agreed = Agreed {
            kex: KexMethod::from_name(&pick(c.kex_algorithms, s.kex_algorithms)).expect("a method"),
            host_key: SignatureAlgorithm::from_name(&host_key).expect("a host key type"),
            cipher,
            mac: (!cipher.is_aead()).then(mac),
        };
        self.handshake.agreed = Some(agreed);
        agreed
    }

    /// Client: sends a good public value.
    pub fn send_init(&mut self) {
        let agreed = self.negotiate();
        let client = self.provider.kex_client(agreed.kex).expect("a key pair");
        let value = client.public().to_vec();
        self.handshake.client = Some(client);
        self.send_init_of(&value);
    }

    /// Client: sends any public value.
    pub fn send_init_of(&mut self, value: &[u8]) {
        let agreed = self.negotiate();
        let message = [&[number::KEX_ECDH_INIT][..], &derive::public(agreed.kex, value)].concat();
        self.send(&message);
    }

    /// Client: takes the machine's reply, checks its signature, and makes the keys.
    #[track_caller]
    pub fn recv_reply(&mut self) {
        let message = self.expect(number::KEX_ECDH_REPLY);
        let agreed = self.handshake.agreed.expect("an agreement");
        let mut reader = Reader::new(&message[1..]);
        let host_key = reader.string("host key").expect("a host key").to_vec();
        let public = read_public(agreed.kex, &mut reader);
        let signature = reader.string("signature").expect("a signature");
        let client = self.handshake.client.take().expect("our half");
        let ours = client.public().to_vec();
        let raw_secret = client.finish(public).expect("a good public value");
        let hash = self.agree(&host_key, &ours, public, raw_secret.expose());
        self.provider.verify(agreed.host_key, &host_key, &hash, signature).expect("the host's signature");
        self.handshake.host_key = host_key;
    }

    /// Server: takes the machine's public value and answers as it should.
    #[track_caller]
    pub fn answer_init(&mut self) {
        let key = self.host_key;
        let sign = |algorithm, hash: &[u8]| key.sign(algorithm, hash).expect("a signature");
        self.answer_init_with(&Reply { host_key: key.public_blob().to_vec(), public: None, sign: &sign });
    }

    /// Server: takes the machine's public value and answers in any way.
    #[track_caller]
    pub fn answer_init_with(&mut self, reply: &Reply<'_>) {
        let agreed = self.negotiate();
        let message = self.expect(number::KEX_ECDH_INIT);
        let mut reader = Reader::new(&message[1..]);
        let client_public = read_public(agreed.kex, &mut reader).to_vec();
        let answer = self.provider.kex_server(agreed.kex, &client_public).expect("a good public value");
        let public = reply.public.clone().unwrap_or(answer.public);
        let hash = self.agree(&reply.host_key, &client_public, &public, answer.secret.expose());
        let mut message = vec![number::KEX_ECDH_REPLY];
        message.put_string(&reply.host_key);
        message.extend(derive::public(agreed.kex, &public));
        message.put_string((reply.sign)(agreed.host_key, &hash));
        self.handshake.host_key.clone_from(&reply.host_key);
        self.send(&message);
    }

    /// Makes hash and keys; they wait for NEWKEYS.
    fn agree(&mut self, host_key: &[u8], client_public: &[u8], server_public: &[u8], raw_secret: &[u8]) -> Vec<u8> {
        let agreed = self.handshake.agreed.expect("an agreement");
        let h = &self.handshake;
        let (vc, vs, ic, is) = match self.role {
            Role::Client => (&h.our_ident, &h.their_ident, &h.our_kexinit, &h.their_kexinit),
            Role::Server => (&h.their_ident, &h.our_ident, &h.their_kexinit, &h.our_kexinit),
        };
        let provider = self.provider.clone();
        let secret = derive::secret(agreed.kex, raw_secret);
        let strings = [vc.as_slice(), vs, ic, is, host_key];
        let hash =
            derive::exchange_hash(provider.as_ref(), agreed.kex, strings, [client_public, server_public], &secret);
        if self.session_id.is_empty() {
            self.session_id.clone_from(&hash);
        }
        let keys = Keys {
            provider: provider.as_ref(),
            method: agreed.kex,
            secret: &secret,
            hash: &hash,
            session_id: &self.session_id,
        };
        let to_server = keys.of(['A', 'C', 'E'], agreed.cipher, agreed.mac);
        let to_client = keys.of(['B', 'D', 'F'], agreed.cipher, agreed.mac);
        let (ours, theirs) = if self.server_role() { (to_client, to_server) } else { (to_server, to_client) };
        self.handshake.sealer = Some(provider.sealer(agreed.cipher, agreed.mac, &ours).expect("a sealer"));
        self.handshake.opener = Some(provider.opener(agreed.cipher, agreed.mac, &theirs).expect("an opener"));
        hash
    }

    /// Sends NEWKEYS and uses the new keys from then on.
    pub fn send_newkeys(&mut self) {
        // The keys change before the machine works, so that what it triggers is ours to answer.
        let packet = self.sending.seal(&[number::NEWKEYS]);
        let sealer = self.handshake.sealer.take().expect("keys");
        self.sending.rekey(sealer, self.handshake.strict);
        self.handshake.first_done = true;
        self.feed(&packet);
    }

    /// Takes the machine's NEWKEYS; its next message is under the new keys.
    #[track_caller]
    pub fn recv_newkeys(&mut self) {
        self.expect(number::NEWKEYS);
    }

    pub(super) fn take_inbound_keys(&mut self) {
        let opener = self.handshake.opener.take().expect("NEWKEYS before any key was agreed");
        self.receiving.rekey(opener, self.handshake.strict);
    }

    /// From the identification lines to NEWKEYS in both directions, and EXT_INFO where it is due.
    #[track_caller]
    pub fn handshake(&mut self) {
        self.exchange_idents();
        self.send_kexinit();
        self.recv_kexinit();
        self.finish_exchange();
        self.take_ext_info();
    }

    /// Takes EXT_INFO where it may stand: a server that was asked for it sends it, a client may.
    #[track_caller]
    pub fn take_ext_info(&mut self) {
        self.ext_info = self.take_if(number::EXT_INFO);
        assert!(self.ext_info.is_some() || self.server_role() || !self.offer.ext_info, "no EXT_INFO");
    }

    /// Everything after both KEXINITs.
    #[track_caller]
    pub fn finish_exchange(&mut self) {
        match self.role {
            Role::Client => {
                self.send_init();
                self.recv_reply();
            }
            Role::Server => self.answer_init(),
        }
        self.recv_newkeys();
        self.send_newkeys();
    }

    /// A whole key re-exchange on our initiative.
    #[track_caller]
    pub fn rekey(&mut self) {
        self.send_kexinit();
        self.recv_kexinit();
        self.finish_exchange();
    }

    /// Answers a key re-exchange that the machine has begun; its KEXINIT comes next.
    #[track_caller]
    pub fn answer_rekey(&mut self) {
        self.recv_kexinit();
        self.send_kexinit();
        self.finish_exchange();
    }
}
