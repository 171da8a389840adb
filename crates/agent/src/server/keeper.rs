//! The keys that are held, and the answers to what is asked about them.

use super::demand::{Add, Bind, Constraints, Demand};
use super::refusal::Refusal;
use super::session::Session;
use super::{Opened, QUERY, Vault, permission, userauth};
use crate::answer::MAX_IDENTITIES;
use crate::frame::MAX_FRAME;
use crate::number;
use crate::request::SESSION_BIND;
use nacre_wire::{WriteExt, text};
use std::time::Duration;
use zeroize::Zeroizing;

/// The most bytes that all keys, comments and constraints together may have come in.
pub const MAX_HELD: usize = 8 * 1024 * 1024;

/// The wait before a passphrase is looked at grows by this with every wrong one.
const UNLOCK_STEP: Duration = Duration::from_millis(100);

/// The longest such wait.
const UNLOCK_LONGEST: Duration = Duration::from_secs(10);

/// The most bytes of a comment or name in a question.
const MAX_SHOWN: usize = 256;

/// What a person is asked before a key is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The public key or certificate.
    pub public_key: Vec<u8>,
    /// What the key is called; clean text.
    pub comment: String,
    /// The user and host of the login, where they are known; clean text.
    pub destination: Option<String>,
}

/// What becomes of a request.
#[derive(PartialEq, Eq)]
pub enum Outcome {
    /// Send this message (it has no length field yet), and if it is a failure, this is why.
    Answer(Vec<u8>, Option<Refusal>),
    /// Ask a person, then hand the same message to [`Keeper::handle_confirmed`] or send [`Keeper::unconfirmed`].
    Confirm(Question),
    /// Derive a verifier from the passphrase and bring it to [`Keeper::finish_lock`].
    Lock(Zeroizing<Vec<u8>>),
    /// One at a time: wait for [`Keeper::unlock_delay`], compare with [`Keeper::verifier`], bring what comes out to
    /// [`Keeper::finish_unlock`].
    Unlock(Zeroizing<Vec<u8>>),
}

struct Held<K> {
    key: K,
    public_key: Vec<u8>,
    comment: Vec<u8>,
    constraints: Constraints,
    /// When it is forgotten, on the caller's clock.
    expires: Option<Duration>,
    /// The bytes it came in.
    size: usize,
}

/// The agent. `now` is any clock that does not go back; it should go on while the machine sleeps.
pub struct Keeper<V: Vault> {
    vault: V,
    keys: Vec<Held<V::Key>>,
    default_lifetime: Option<Duration>,
    verifier: Option<String>,
    wrong_passphrases: u32,
}

type Reply = Result<Vec<u8>, Refusal>;

impl<V: Vault> Keeper<V> {
    /// An agent without keys. `default_lifetime` is for keys that come without one.
    pub const fn new(vault: V, default_lifetime: Option<Duration>) -> Self {
        Self { vault, keys: Vec::new(), default_lifetime, verifier: None, wrong_passphrases: 0 }
    }

    /// Answers a message of at least one byte, without its length field.
    pub fn handle(&mut self, now: Duration, session: &mut Session, message: &[u8]) -> Outcome {
        self.act(now, session, message, false)
    }

    /// [`Keeper::handle`] for a message about which a person was asked and said yes.
    pub fn handle_confirmed(&mut self, now: Duration, session: &mut Session, message: &[u8]) -> Outcome {
        self.act(now, session, message, true)
    }

    /// What is sent when a person was asked and did not say yes.
    pub fn unconfirmed() -> Outcome {
        refuse(number::FAILURE, Refusal::Unconfirmed)
    }

    /// Forgets the keys whose time is over.
    pub fn expire(&mut self, now: Duration) {
        self.keys.retain(|held| held.expires.is_none_or(|at| at > now));
    }

    /// When [`Keeper::expire`] has something to do.
    pub fn next_expiry(&self) -> Option<Duration> {
        self.keys.iter().filter_map(|held| held.expires).min()
    }

    /// Forgets all keys.
    pub fn forget_all(&mut self) {
        self.keys.clear();
    }

    /// How many keys are held.
    pub const fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key is held.
    pub const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// What the passphrase that unlocks is known by; `None` when the agent is not locked.
    pub fn verifier(&self) -> Option<&str> {
        self.verifier.as_deref()
    }

    /// How long to wait before the next passphrase is looked at: nothing at first, longer with each wrong one.
    pub fn unlock_delay(&self) -> Duration {
        UNLOCK_STEP.saturating_mul(self.wrong_passphrases).min(UNLOCK_LONGEST)
    }

    /// Locks, unless somebody else did meanwhile or there is no verifier because deriving it failed.
    pub fn finish_lock(&mut self, verifier: Option<String>) -> Outcome {
        match (&self.verifier, verifier) {
            (None, Some(verifier)) => {
                self.verifier = Some(verifier);
                self.wrong_passphrases = 0;
                Outcome::Answer(success(), None)
            }
            _ => refuse(number::FAILURE, Refusal::WrongLockState),
        }
    }

    /// Unlocks when the passphrase was right.
    pub fn finish_unlock(&mut self, right: bool) -> Outcome {
        if self.verifier.is_none() {
            return refuse(number::FAILURE, Refusal::WrongLockState);
        }
        if !right {
            self.wrong_passphrases = self.wrong_passphrases.saturating_add(1);
            return refuse(number::FAILURE, Refusal::WrongPassphrase);
        }
        self.verifier = None;
        self.wrong_passphrases = 0;
        Outcome::Answer(success(), None)
    }

    fn act(&mut self, now: Duration, session: &mut Session, message: &[u8], confirmed: bool) -> Outcome {
        self.expire(now);
        let demand = match Demand::decode(message) {
            Ok(demand) => demand,
            Err(error) => {
                let failure = failure_for(message);
                if failure == number::EXTENSION_FAILURE {
                    session.note_attempt();
                }
                return refuse(failure, error.into());
            }
        };
        // Bindings are noted in a locked agent too: a connection that was refused one would look local later (threat G3).
        if let Demand::Bind(bind) = &demand {
            return answer(self.bind(session, bind), number::EXTENSION_FAILURE);
        }
        if self.verifier.is_some() {
            return match demand {
                Demand::Identities => Outcome::Answer(identities([].iter()), None),
                Demand::Unlock(passphrase) => Outcome::Unlock(Zeroizing::new(passphrase.to_vec())),
                _ => refuse(number::FAILURE, Refusal::Locked),
            };
        }
        let reply = match demand {
            Demand::Identities => Ok(self.list(session)),
            Demand::Sign { public_key, data, flags } => match self.may_sign(session, public_key, data) {
                Ok(Some(question)) if !confirmed => return Outcome::Confirm(question),
                Ok(_) => self.sign(public_key, data, flags),
                Err(refusal) => Err(refusal),
            },
            Demand::Add(add) => self.add(now, session, add),
            Demand::Remove(public_key) => self.remove(session, public_key),
            Demand::RemoveAll => {
                self.forget_all();
                Ok(success())
            }
            Demand::Lock(passphrase) => return Outcome::Lock(Zeroizing::new(passphrase.to_vec())),
            Demand::Unlock(_) => Err(Refusal::WrongLockState),
            Demand::Query => Ok(extensions()),
            Demand::Bind(_) | Demand::UnknownExtension | Demand::Unsupported => Err(Refusal::Unsupported),
        };
        answer(reply, number::FAILURE)
    }

    fn bind(&self, session: &mut Session, bind: &Bind<'_>) -> Reply {
        let verified = self.vault.verifies(bind.host_key, bind.session_identifier, bind.signature);
        session.bind(bind, verified).map(|()| success())
    }

    fn list(&self, session: &Session) -> Vec<u8> {
        let seen = |held: &&Held<V::Key>| {
            permission::permitted(&self.vault, &held.constraints.destinations, session, None).is_ok()
        };
        let listed: Vec<(&[u8], &[u8])> =
            self.keys.iter().filter(seen).map(|held| (held.public_key.as_slice(), held.comment.as_slice())).collect();
        identities(listed.iter())
    }

    fn find(&self, public_key: &[u8]) -> Option<&Held<V::Key>> {
        self.keys.iter().find(|held| held.public_key == public_key)
    }

    /// Whether a signature may be made, and what a person is to be asked before.
    fn may_sign(&self, session: &Session, public_key: &[u8], data: &[u8]) -> Result<Option<Question>, Refusal> {
        let held = self.find(public_key).ok_or(Refusal::NoSuchKey)?;
        let destinations = &held.constraints.destinations;
        if !destinations.is_empty() {
            check_login(&self.vault, session, held, data)?;
        }
        let question = held.constraints.confirm.then(|| Question {
            public_key: public_key.to_vec(),
            comment: text::clean_line(&held.comment, MAX_SHOWN),
            destination: destination(held, session, data),
        });
        Ok(question)
    }

    fn sign(&self, public_key: &[u8], data: &[u8], flags: u32) -> Reply {
        let held = self.find(public_key).ok_or(Refusal::NoSuchKey)?;
        let signature = self.vault.sign(&held.key, data, flags).ok_or(Refusal::CannotSign)?;
        let mut message = vec![number::SIGN_RESPONSE];
        message.put_string(signature);
        Ok(message)
    }

    fn add(&mut self, now: Duration, session: &Session, add: Add<'_>) -> Reply {
        let Opened { key, public_key } = self.vault.open(add.form).ok_or(Refusal::BadKey)?;
        let known = self.keys.iter().position(|held| held.public_key == public_key);
        let replaced = known.and_then(|place| self.keys.get(place));
        if let Some(held) = replaced {
            // Who may not see a key must not be able to loosen its constraints.
            permission::permitted(&self.vault, &held.constraints.destinations, session, None)?;
        }
        let lifetime = add.constraints.lifetime.or(self.default_lifetime);
        let destinations = &add.constraints.destinations;
        let held = Held {
            key,
            public_key,
            comment: add.comment.to_vec(),
            expires: lifetime.map(|lifetime| now.saturating_add(lifetime)),
            size: add.form.len() + crate::constraint::DestinationConstraint::encode_all(destinations).len(),
            constraints: add.constraints,
        };
        self.check_room(&held, known)?;
        match known.and_then(|place| self.keys.get_mut(place)) {
            Some(place) => *place = held,
            None => self.keys.push(held),
        }
        Ok(success())
    }

    /// All keys must fit into one answer, and into the memory set aside (threat G1).
    fn check_room(&self, new: &Held<V::Key>, replaced: Option<usize>) -> Result<(), Refusal> {
        let others = self.keys.iter().enumerate().filter(|(place, _)| Some(*place) != replaced).map(|(_, held)| held);
        let (mut count, mut listed, mut size) = (1, LIST_HEAD + listed_size(new), new.size);
        for held in others {
            count += 1;
            listed += listed_size(held);
            size += held.size;
        }
        let fits = count <= MAX_IDENTITIES && listed <= MAX_FRAME && size <= MAX_HELD;
        if fits { Ok(()) } else { Err(Refusal::Full) }
    }

    fn remove(&mut self, session: &Session, public_key: &[u8]) -> Reply {
        let held = self.find(public_key).ok_or(Refusal::NoSuchKey)?;
        permission::permitted(&self.vault, &held.constraints.destinations, session, None)
            .map_err(|_| Refusal::NoSuchKey)?;
        self.keys.retain(|held| held.public_key != public_key);
        Ok(success())
    }
}

/// A key bound to destinations signs only a login, to the host that this connection was last bound to, by a user and
/// along a way that its constraints allow.
fn check_login<V: Vault>(vault: &V, session: &Session, held: &Held<V::Key>, data: &[u8]) -> Result<(), Refusal> {
    let Some(last) = session.bindings().last() else {
        return Err(Refusal::Destination("the connection is not bound to a host"));
    };
    let login = userauth::read(data, &held.public_key)
        .map_err(|_| Refusal::Destination("what is to be signed is no login with this key"))?;
    permission::permitted(vault, &held.constraints.destinations, session, Some(login.user))?;
    if login.session_identifier != last.session_identifier {
        return Err(Refusal::Destination("the login is of another session"));
    }
    match login.host_key {
        Some(host_key) if host_key != last.host_key => Err(Refusal::Destination("the login is to another host")),
        // Beyond the first host only the method that names the host proves where the login goes.
        None if session.bindings().len() > 1 => Err(Refusal::Destination("the login does not name its host")),
        _ => Ok(()),
    }
}

/// `user@host` of a login with a key bound to destinations, as the constraint calls the host.
fn destination<K>(held: &Held<K>, session: &Session, data: &[u8]) -> Option<String> {
    let login = userauth::read(data, &held.public_key).ok()?;
    let last = session.bindings().last()?;
    let is_it = |constraint: &&crate::constraint::DestinationConstraint| {
        constraint.to.host_keys.iter().any(|known| known.key == last.host_key)
    };
    let host = held.constraints.destinations.iter().find(is_it).and_then(|found| found.to.host.as_deref())?;
    let shown = |bytes| text::clean_line(bytes, MAX_SHOWN);
    Some(format!("{}@{}", shown(login.user), shown(host)))
}

/// Bytes of an answer that lists nothing.
const LIST_HEAD: usize = 5;

fn listed_size<K>(held: &Held<K>) -> usize {
    8 + held.public_key.len() + held.comment.len()
}

fn identities<'a>(keys: impl ExactSizeIterator<Item = &'a (&'a [u8], &'a [u8])>) -> Vec<u8> {
    let mut message = vec![number::IDENTITIES_ANSWER];
    message.put_u32(u32::try_from(keys.len()).unwrap_or_default());
    for (public_key, comment) in keys {
        message.put_string(public_key);
        message.put_string(comment);
    }
    message
}

fn extensions() -> Vec<u8> {
    let mut message = vec![number::EXTENSION_RESPONSE];
    message.put_string(QUERY);
    message.put_string(QUERY);
    message.put_string(SESSION_BIND);
    message
}

fn success() -> Vec<u8> {
    vec![number::SUCCESS]
}

fn answer(reply: Reply, failure: u8) -> Outcome {
    match reply {
        Ok(message) => Outcome::Answer(message, None),
        Err(refusal) => refuse(failure, refusal),
    }
}

fn refuse(failure: u8, refusal: Refusal) -> Outcome {
    Outcome::Answer(vec![failure], Some(refusal))
}

/// An extension that is known fails in its own way, so that clients can tell (RFC 9987 §5.8).
fn failure_for(message: &[u8]) -> u8 {
    if message.first() == Some(&number::EXTENSION) { number::EXTENSION_FAILURE } else { number::FAILURE }
}
