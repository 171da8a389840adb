//! What is learnt of a peer, by watching the core at work.

use nacre_crypto::AwsLc;
use nacre_proto::algorithm::{CipherAlgorithm, HashAlgorithm, KexMethod, MacAlgorithm, SignatureAlgorithm};
use nacre_proto::crypto::{CryptoError, KexAnswer, KexClient, KeyMaterial, Open, Provider, Seal};
use nacre_proto::negotiate_names::Category;
use nacre_proto::observe::{Observer, Step};
use nacre_proto::{Negotiated, Role};
use nacre_wire::text::{clean, clean_line};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The longest peer text kept, in bytes.
const MAX_TEXT: usize = 1000;

/// A host key that a server showed.
#[derive(Debug, Clone)]
pub struct HostKeySeen {
    /// The algorithm it was asked for by.
    pub algorithm: SignatureAlgorithm,
    /// Its public blob, or its certificate's.
    pub blob: Vec<u8>,
    /// Its signature was right.
    pub proved: bool,
}

/// What is known of a peer. All text is cleaned.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Its identification line.
    pub ident: Option<String>,
    /// Lines before that.
    pub greeting: Vec<String>,
    /// The lists of its KEXINIT.
    pub offer: Vec<(Category, Vec<String>)>,
    /// What was agreed with us.
    pub negotiated: Option<Negotiated>,
    /// Its EXT_INFO.
    pub extensions: Vec<(String, String)>,
    /// Its banner.
    pub banner: Option<String>,
    /// The ways to log in that it named.
    pub methods: Option<Vec<String>>,
    /// It let somebody in who showed nothing.
    pub let_in: bool,
    /// Its host keys.
    pub host_keys: Vec<HostKeySeen>,
    /// A client: the ways to log in that it tried, with the fingerprint of each key.
    pub tried: Vec<String>,
    /// Wrong passwords that we tried.
    pub guesses: u32,
}

impl Facts {
    /// One list of the peer's KEXINIT.
    pub fn list(&self, category: Category) -> &[String] {
        self.offer.iter().find(|(known, _)| *known == category).map_or(&[], |(_, list)| list)
    }

    /// Two lists, those of both directions, as one without repetition.
    pub fn either(&self, one: Category, other: Category) -> Vec<String> {
        let mut names = self.list(one).to_vec();
        names.extend(self.list(other).iter().filter(|name| !self.list(one).contains(name)).cloned());
        names
    }

    /// The value of an extension.
    pub fn extension(&self, name: &str) -> Option<&str> {
        self.extensions.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Facts that an observer, an owner and a provider of one connection write down together.
#[derive(Clone, Default)]
pub struct Notebook(Arc<Mutex<Facts>>);

impl Notebook {
    /// The page that is open.
    pub fn facts(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An observer of the peer in this role.
    pub fn observer(&self, peer: Role) -> Box<dyn Observer> {
        Box::new(Watching { notebook: self.clone(), peer })
    }
}

struct Watching {
    notebook: Notebook,
    peer: Role,
}

fn text(bytes: &[u8]) -> String {
    clean_line(bytes, MAX_TEXT)
}

impl Observer for Watching {
    fn step(&mut self, _now: Instant, step: &Step<'_>) {
        let mut facts = self.notebook.facts();
        match step {
            Step::Ident { by, line } if *by == self.peer => facts.ident = Some(text(line)),
            Step::PreIdentLine(line) => {
                let line = text(line);
                if facts.greeting.len() < 5 && !facts.greeting.contains(&line) {
                    facts.greeting.push(line);
                }
            }
            Step::KexInit { by, offer, .. } if *by == self.peer && facts.offer.is_empty() => {
                let names = |category: &Category| category.list(offer).iter().map(|n| text(n.as_bytes())).collect();
                facts.offer = Category::ALL.iter().map(|category| (*category, names(category))).collect();
            }
            Step::Negotiated { algorithms, .. } => facts.negotiated = Some(**algorithms),
            Step::ExtInfo { by, extensions } if *by == self.peer => {
                facts.extensions = extensions.iter().map(|(name, value)| (text(name), text(value))).collect();
            }
            Step::Banner(message) => facts.banner = Some(clean(message, MAX_TEXT)),
            Step::AuthFailure { methods, .. } if self.peer == Role::Server => {
                facts.methods = Some(text(methods.as_bytes()).split(',').map(str::to_owned).collect());
            }
            Step::AuthSuccess if self.peer == Role::Server => facts.let_in = true,
            Step::AuthRequest { method, public_key, .. } if facts.tried.len() < 32 => {
                let key = public_key.map(|key| format!(" {}", nacre_crypto::fingerprint_sha256(key)));
                let tried = format!("{}{}", text(method.as_bytes()), key.unwrap_or_default());
                if !facts.tried.contains(&tried) {
                    facts.tried.push(tried);
                }
            }
            _ => {}
        }
    }
}

/// Cryptography that notes the host key before its signature is verified: a key too small to be verified is seen all
/// the same.
pub struct Noting {
    notebook: Notebook,
    real: AwsLc,
}

impl Noting {
    /// Notes into this book.
    pub fn new(notebook: Notebook) -> Self {
        Self { notebook, real: AwsLc::default() }
    }
}

impl Provider for Noting {
    fn random(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        self.real.random(out)
    }

    fn kex_client(&self, method: KexMethod) -> Result<Box<dyn KexClient>, CryptoError> {
        self.real.kex_client(method)
    }

    fn kex_server(&self, method: KexMethod, client_public: &[u8]) -> Result<KexAnswer, CryptoError> {
        self.real.kex_server(method, client_public)
    }

    fn hash(&self, algorithm: HashAlgorithm, parts: &[&[u8]]) -> Vec<u8> {
        self.real.hash(algorithm, parts)
    }

    fn sealer(
        &self,
        cipher: CipherAlgorithm,
        mac: Option<MacAlgorithm>,
        keys: &KeyMaterial,
    ) -> Result<Box<dyn Seal>, CryptoError> {
        self.real.sealer(cipher, mac, keys)
    }

    fn opener(
        &self,
        cipher: CipherAlgorithm,
        mac: Option<MacAlgorithm>,
        keys: &KeyMaterial,
    ) -> Result<Box<dyn Open>, CryptoError> {
        self.real.opener(cipher, mac, keys)
    }

    fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        let result = self.real.verify(algorithm, public_key, message, signature);
        let seen = HostKeySeen { algorithm, blob: public_key.to_vec(), proved: result.is_ok() };
        self.notebook.facts().host_keys.push(seen);
        result
    }
}
