//! Everything that is asked before the login is done: the host key's judgement, the next attempt,
//! signatures and what a person types. One question at a time, each an `async` function over the
//! same state, so that a person at a prompt holds up nobody else.

use super::agent::Agent;
use super::ask::{self, Echo, Interrupted};
use super::auth::{Method, Order};
use super::host_key::{Checked, HostKeys};
use super::identities::{self, Candidate, Signer};
use super::log::Log;
use super::observer::HostProof;
use super::offer;
use super::records::Records;
use crate::keyfile;
use nacre_agent::SessionBind;
use nacre_config::client::{AddKeysToAgent, ClientOptions};
use nacre_crypto::{PrivateKey, PublicKey};
use nacre_proto::HostKeyDecision;
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::certificate::plain_key;
use nacre_proto::crypto::SecretBytes;
use nacre_proto::login::client::Attempt;
use nacre_wire::names;
use nacre_wire::text::clean;
use nacre_wire::userauth::InfoRequest;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The longest text of the server that is shown at a prompt, in bytes (threat H10).
const MAX_PROMPT: usize = 1024;

/// The state of a login.
pub struct Login {
    options: Arc<ClientOptions>,
    log: Log,
    records: Records,
    address: Option<SocketAddr>,
    proof: HostProof,
    checked: Option<Checked>,
    order: Option<Order>,
    asked_none: bool,
    agent: Option<Agent>,
    candidates: Option<VecDeque<Candidate>>,
    current: Option<Candidate>,
    /// The person has answered a question of the server.
    has_answered: bool,
    /// The key file that signed last, for the agent once the login has worked (AddKeysToAgent).
    used: Option<PrivateKey>,
}

impl Login {
    /// A login that has not begun.
    pub fn new(
        options: Arc<ClientOptions>,
        log: Log,
        records: Records,
        address: Option<SocketAddr>,
        proof: HostProof,
    ) -> Self {
        Self {
            options,
            log,
            records,
            address,
            proof,
            checked: None,
            order: None,
            asked_none: false,
            agent: None,
            candidates: None,
            current: None,
            has_answered: false,
            used: None,
        }
    }

    /// Whether a login by these methods used anything that only its owner has (threat H9): `none` does
    /// not, and neither does keyboard-interactive when nothing was asked.
    pub fn used_credential(&self, methods: &[String]) -> bool {
        methods.iter().any(|method| match method.as_str() {
            names::AUTH_NONE => false,
            names::AUTH_KEYBOARD_INTERACTIVE => self.has_answered,
            _ => true,
        })
    }

    /// What is on record.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// Whom the socket reached; unknown behind a proxy.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// What came of the host key's check, once there was one.
    pub fn checked(&self) -> Option<Checked> {
        self.checked
    }

    /// Judges the host key.
    pub async fn host_key(&mut self, blob: &[u8]) -> Result<HostKeyDecision, Interrupted> {
        if let Ok(key) = PublicKey::from_blob(&plain_key(blob), "")
            && let Err(line) = self.records.ask_command(&self.options, &key)
        {
            self.log.error(&line);
            self.checked = Some(Checked::Refused);
            return Ok(HostKeyDecision::Refuse);
        }
        let (options, records, log) = (&*self.options, &self.records, &self.log);
        let checked = HostKeys { options, records, address: self.address, log }.check(blob).await?;
        self.checked = Some(checked);
        Ok(match checked {
            Checked::Known { .. } | Checked::New | Checked::Distrusted => HostKeyDecision::Accept,
            Checked::Refused => HostKeyDecision::Refuse,
        })
    }

    /// Chooses the next attempt. The first is `none`, which brings the list of methods.
    pub async fn choose(
        &mut self,
        session_id: &[u8],
        offered: &[String],
        server: Option<&[String]>,
    ) -> Result<Attempt, Interrupted> {
        if !std::mem::replace(&mut self.asked_none, true) {
            return Ok(Attempt::None);
        }
        loop {
            if self.candidates.is_none() && offered.iter().any(|name| name == Method::PublicKey.name()) {
                self.gather(session_id).await;
            }
            let keys_left = self.candidates.as_ref().is_some_and(|candidates| !candidates.is_empty());
            let method = self.order().next(offered, keys_left);
            let attempt = match method {
                None => return Ok(Attempt::GiveUp),
                Some(Method::PublicKey) => self.next_key(server).await?,
                Some(Method::KeyboardInteractive) => {
                    Some(Attempt::KeyboardInteractive(self.options.kbd_interactive_devices.clone().unwrap_or_default()))
                }
                Some(Method::Password) => self.password().await?,
            };
            if let (Some(attempt), Some(method)) = (attempt, method) {
                self.log.debug(|| format!("next method: {}", method.name()));
                return Ok(attempt);
            }
        }
    }

    fn order(&mut self) -> &mut Order {
        let (options, checked) = (&self.options, self.checked);
        self.order.get_or_insert_with(|| Order::new(options, checked == Some(Checked::Distrusted)))
    }

    /// Finds out which keys there are. Not before the host is known and takes keys at all.
    async fn gather(&mut self, session_id: &[u8]) {
        let mut held = Vec::new();
        if self.options.pubkey_authentication
            && let Some(mut agent) = Agent::connect(&self.options, &self.log).await
        {
            if let Some((host_key, signature)) = self.proof.get() {
                let bind = SessionBind {
                    host_key: &host_key,
                    session_identifier: session_id,
                    signature: &signature,
                    is_forwarding: false,
                };
                agent.bind(&bind, &self.log).await;
            }
            held = agent.identities(&self.log).await;
            self.agent = Some(agent);
        }
        self.candidates = Some(match self.options.pubkey_authentication {
            true => identities::candidates(&self.options, held, &self.log).into(),
            false => VecDeque::new(),
        });
    }

    /// The next key that can be used with this server; `None` when the one at hand cannot.
    async fn next_key(&mut self, server: Option<&[String]>) -> Result<Option<Attempt>, Interrupted> {
        let Some(mut candidate) = self.candidates.as_mut().and_then(VecDeque::pop_front) else { return Ok(None) };
        if matches!(candidate.signer, Signer::File(_)) && self.options.batch_mode {
            self.log.debug(|| format!("{} wants a passphrase, and BatchMode asks nothing", candidate.name));
            return Ok(None);
        }
        if let (Signer::File(path), None) = (&candidate.signer, &candidate.public_key) {
            let Some(key) = self.open(&path.clone()).await? else { return Ok(None) };
            candidate.public_key = Some(key.public_blob().to_vec());
            candidate.signer = Signer::Loaded(Box::new(key));
        }
        let accepted = offer::by_name(&self.options.pubkey_accepted_algorithms, SignatureAlgorithm::from_name);
        let Some(public_key) = candidate.public_key.clone() else { return Ok(None) };
        let Some(algorithm) = identities::algorithm(&public_key, &accepted, server) else {
            self.log.debug(|| format!("no common signature algorithm for {}", identities::describe(&candidate)));
            return Ok(None);
        };
        self.log.debug(|| format!("offering the key {} with {algorithm}", identities::describe(&candidate)));
        // A signature of a key at hand costs less than the time to ask whether it is wanted.
        let probe =
            !matches!(candidate.signer, Signer::Loaded(_)) || self.options.add_keys_to_agent == AddKeysToAgent::Ask;
        self.current = Some(candidate);
        Ok(Some(Attempt::PublicKey { algorithm, public_key, probe }))
    }

    /// Signs with the key of the present attempt.
    pub async fn sign(
        &mut self,
        algorithm: SignatureAlgorithm,
        public_key: &[u8],
        data: &[u8],
    ) -> Result<Option<Vec<u8>>, Interrupted> {
        let Some(candidate) = self.current.take() else { return Ok(None) };
        let key = match candidate.signer {
            Signer::Agent => None,
            Signer::Loaded(key) => Some(*key),
            Signer::File(path) => match self.open(&path).await? {
                Some(key) => Some(key),
                None => return Ok(None),
            },
        };
        let signed = match (&key, &mut self.agent) {
            (Some(key), _) if key.public_blob() == &*plain_key(public_key) => {
                key.sign(algorithm, data).map_err(|error| error.to_string())
            }
            (Some(_), _) => Err("the private key is not that of the .pub file beside it".to_owned()),
            (None, Some(agent)) => {
                agent.sign(candidate.agent_key.as_deref().unwrap_or(public_key), data, algorithm).await
            }
            (None, None) => Err("the agent is gone".to_owned()),
        };
        self.used = match key {
            Some(key) if signed.is_ok() && self.goes_to_agent(&key, &candidate.name).await? => Some(key),
            _ => None,
        };
        signed.map(Some).or_else(|error| {
            self.log.error(&format!("sign_and_send_pubkey: signing failed for {}: {error}", candidate.name));
            Ok(None)
        })
    }

    /// Whether the key is to go to the agent once the login has worked; `ask` asks now, before a session has the
    /// terminal. An empty answer is a yes, as from a window with nothing but a button.
    async fn goes_to_agent(&self, key: &PrivateKey, name: &str) -> Result<bool, Interrupted> {
        match self.options.add_keys_to_agent {
            _ if self.agent.is_none() => Ok(false),
            AddKeysToAgent::No => Ok(false),
            AddKeysToAgent::Yes { .. } => Ok(true),
            AddKeysToAgent::Ask if self.options.batch_mode => Ok(false),
            AddKeysToAgent::Ask => {
                let question = format!("Add key {name} ({}) to agent? ", key.public_key().fingerprint_sha256());
                let answer = ask::ask(question, Echo::Visible).await?;
                Ok(answer.is_some_and(|answer| answer.is_empty() || answer.eq_ignore_ascii_case(b"yes")))
            }
        }
    }

    /// The login has worked: what gives the agent the key that was used, where AddKeysToAgent wants it.
    pub fn keep_key(&mut self) -> Option<impl Future<Output = ()> + 'static> {
        let (key, mut agent) = (self.used.take()?, self.agent.take()?);
        let (wish, log) = (self.options.add_keys_to_agent, self.log.clone());
        Some(async move { agent.add(&key, wish, &log).await })
    }

    /// Opens a key file that wants a passphrase.
    async fn open(&mut self, path: &Path) -> Result<Option<PrivateKey>, Interrupted> {
        for _ in 0..self.options.number_of_password_prompts {
            let question = format!("Enter passphrase for key '{}': ", path.display());
            let Some(passphrase) = ask::ask(question, Echo::Hidden).await?.filter(|p| !p.is_empty()) else {
                self.log.debug(|| "no passphrase given: trying the next key".to_owned());
                return Ok(None);
            };
            let file: PathBuf = path.to_owned();
            // Opening a key is made slow on purpose.
            let opened = tokio::task::spawn_blocking(move || keyfile::read(&file, Some(&passphrase))).await;
            match opened {
                Ok(Ok(key)) => return Ok(Some(identities::with_name(key, path))),
                Ok(Err(error)) if error.is_passphrase() => {
                    self.log.debug(|| "that passphrase does not open the key".to_owned());
                }
                Ok(Err(error)) => {
                    self.log.error(&format!("Load key {error}"));
                    return Ok(None);
                }
                Err(_) => return Ok(None),
            }
        }
        Ok(None)
    }

    async fn password(&mut self) -> Result<Option<Attempt>, Interrupted> {
        if self.order().earlier_passwords() > 0 {
            self.log.error("Permission denied, please try again.");
        }
        match ask::ask(format!("{}'s password: ", self.account()), Echo::Hidden).await? {
            Some(password) => Ok(Some(Attempt::Password(SecretBytes::new(password.to_vec())))),
            None => {
                self.order().give_up_on(Method::Password);
                Ok(None)
            }
        }
    }

    fn account(&self) -> String {
        format!("{}@{}", self.options.user, self.options.host_name)
    }

    /// The server's words, each line marked as such, so that none can pass for a question of ours
    /// (threat H9).
    fn quote(&self, text: &[u8]) -> String {
        let mark = format!("({}) ", self.account());
        clean(text, MAX_PROMPT).split('\n').map(|line| format!("{mark}{line}")).collect::<Vec<_>>().join("\n")
    }

    /// Answers the server's questions (RFC 4256).
    pub async fn prompts(&mut self, request: &InfoRequest) -> Result<Option<Vec<SecretBytes>>, Interrupted> {
        self.order().was_asked();
        for text in [&request.name, &request.instruction] {
            if !text.is_empty() {
                self.log.info(&self.quote(text));
            }
        }
        let mut answers = Vec::new();
        for prompt in &request.prompts {
            let echo = if prompt.echo { Echo::Visible } else { Echo::Hidden };
            let Some(answer) = ask::ask(self.quote(&prompt.text), echo).await? else {
                self.order().give_up_on(Method::KeyboardInteractive);
                return Ok(None);
            };
            answers.push(SecretBytes::new(answer.to_vec()));
        }
        self.has_answered |= !answers.is_empty();
        Ok(Some(answers))
    }

    /// Asks for a new password (RFC 4252 §8).
    pub async fn change_password(&mut self, prompt: &[u8]) -> Result<Option<(SecretBytes, SecretBytes)>, Interrupted> {
        if !prompt.is_empty() {
            self.log.info(&self.quote(prompt));
        }
        let account = self.account();
        let hidden = |what: &str| ask::ask(what.replace('@', &account), Echo::Hidden);
        let Some(old) = hidden("Enter @'s old password: ").await? else { return Ok(None) };
        loop {
            let Some(new) = hidden("Enter @'s new password: ").await?.filter(|new| !new.is_empty()) else {
                return Ok(None);
            };
            let Some(again) = hidden("Retype @'s new password: ").await? else { return Ok(None) };
            if new == again {
                return Ok(Some((SecretBytes::new(old.to_vec()), SecretBytes::new(new.to_vec()))));
            }
            self.log.tell("Mismatch; try again, EOF to quit.");
        }
    }
}
