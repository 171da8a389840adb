//! The server's side of authentication. Policy and secrets are asked for; counting, order and
//! proof are here.

use super::ways::Ways;
use super::{Authenticated, KeyProof, SignedRequest};
use crate::algorithm::SignatureAlgorithm;
use crate::certificate::plain_key;
use crate::crypto::SecretBytes;
use crate::error::{Error, Limit, Misbehaviour, Timer, decoding};
use crate::event::Event;
use crate::limits;
use crate::observe::Step;
use crate::question::Pending;
use crate::transport::Transport;
use nacre_wire::message::{
    Message, ServiceAccept, ServiceRequest, UserauthBanner, UserauthFailure, UserauthPasswdChangereq, UserauthPkOk,
    UserauthRequest, UserauthSuccess,
};
use nacre_wire::userauth::{self, InfoRequest, PasswordRequest, PublicKeyRequest};
use nacre_wire::{NameList, Role, ext_info, names, number};
use std::time::{Duration, Instant};

/// The question what may be done to log in as a user. Answer: [`UserPolicy`].
#[derive(Debug)]
pub struct LookUpUser;
/// The question whether a key belongs to the user. Answer: `bool`.
#[derive(Debug)]
pub struct CheckKey;
/// The question whether a password is right. Answer: [`PasswordVerdict`].
#[derive(Debug)]
pub struct CheckPassword;
/// The question how keyboard-interactive goes on. Answer: [`KeyboardInteractiveVerdict`].
#[derive(Debug)]
pub struct CheckKeyboardInteractive;

/// What holds for one login. For a user who does not exist it looks like any other.
#[derive(Debug, Clone)]
pub struct UserPolicy {
    /// Ways to log in; each is a list of methods that must succeed in order.
    pub methods: Vec<Vec<String>>,
    /// Failed attempts after which the connection ends.
    pub max_tries: u32,
    /// How long after the request a refusal is sent at the earliest (threat A12).
    pub failure_delay: Duration,
    /// Text sent before the first answer.
    pub banner: Option<Vec<u8>>,
    /// `none` logs in: for a guest, or an account with an empty password.
    pub none_succeeds: bool,
    /// Signature algorithms taken from users.
    pub algorithms: Vec<SignatureAlgorithm>,
}

impl UserPolicy {
    /// Nobody, who gets in by no method: for when nothing could be found out.
    pub fn of_nobody() -> Self {
        Self {
            methods: Vec::new(),
            max_tries: 1,
            failure_delay: Duration::ZERO,
            banner: None,
            none_succeeds: false,
            algorithms: Vec::new(),
        }
    }
}

/// What is said of a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordVerdict {
    /// It is right.
    Accept,
    /// It is not.
    Reject,
    /// It was right once and must be changed; the text is shown.
    ChangeRequired(String),
}

/// How keyboard-interactive goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyboardInteractiveVerdict {
    /// Ask this.
    Ask(InfoRequest),
    /// Enough.
    Accept,
    /// No.
    Reject,
}

/// A key that signed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct KeyAttempt {
    algorithm: Vec<u8>,
    public_key: Vec<u8>,
    signed: bool,
}

/// What the machine waits for.
#[derive(Debug)]
enum State {
    /// SERVICE_REQUEST.
    AwaitService,
    /// USERAUTH_REQUEST.
    AwaitRequest,
    /// The policy for the user of this request.
    AwaitPolicy { question: u64, payload: Vec<u8> },
    /// A verdict on a key.
    AwaitKey { question: u64, attempt: KeyAttempt, since: Instant },
    /// A verdict on a password.
    AwaitPassword { question: u64, since: Instant },
    /// The next step of keyboard-interactive.
    AwaitInteractive { question: u64, since: Instant },
    /// The client's answers.
    AwaitInfoResponse { prompts: usize },
    /// The moment when a refusal may be sent.
    AwaitDelay,
    /// Logged in.
    Done,
}

/// The user that the first request named; it cannot change (threat A4).
struct User {
    name: Vec<u8>,
    policy: UserPolicy,
    ways: Ways,
}

pub(crate) struct ServerLogin {
    state: State,
    user: Option<User>,
    requests: u32,
    failures: u32,
    probes: u32,
    used_keys: Vec<Vec<u8>>,
}

/// What handling a message led to.
pub(crate) enum Outcome {
    /// Nothing the owner must know.
    Continue,
    /// A question for the owner.
    Ask(Event),
    /// Logged in.
    Success(Authenticated),
}

const NOT_ASKED: Error = Error::Misuse("this question is not open");

impl ServerLogin {
    pub(crate) fn new() -> Self {
        Self { state: State::AwaitService, user: None, requests: 0, failures: 0, probes: 0, used_keys: Vec::new() }
    }

    /// Handles a message of this layer.
    pub(crate) fn receive(&mut self, now: Instant, t: &mut Transport, payload: &[u8]) -> Result<Outcome, Error> {
        let number = payload.first().copied().unwrap_or(0);
        match (&self.state, number) {
            (State::AwaitService, number::SERVICE_REQUEST) => self.on_service(now, t, payload),
            (State::AwaitRequest | State::AwaitInfoResponse { .. }, number::USERAUTH_REQUEST) => {
                self.on_request(now, t, payload)
            }
            (State::AwaitInfoResponse { prompts }, number::USERAUTH_INFO_RESPONSE) => {
                let prompts = *prompts;
                self.on_info_response(now, t, payload, prompts)
            }
            (_, number::EXT_INFO) => Self::on_ext_info(now, t, payload),
            _ => Err(Error::PeerMisbehaved(Misbehaviour::UnexpectedMessage(number))),
        }
    }

    /// RFC 8308 §2.4: a client's stands right after its first NEWKEYS and nowhere else (threat T16).
    /// Nothing that a client announces changes what we do, but what is malformed is refused.
    fn on_ext_info(now: Instant, t: &mut Transport, payload: &[u8]) -> Result<Outcome, Error> {
        if !t.follows_newkeys {
            return Err(Error::PeerMisbehaved(Misbehaviour::MisplacedExtInfo));
        }
        let extensions = ext_info::decode(payload).map_err(decoding(number::EXT_INFO))?;
        t.observe(now, &Step::ExtInfo { by: Role::Client, extensions: &extensions });
        Ok(Outcome::Continue)
    }

    fn on_service(&mut self, now: Instant, t: &mut Transport, payload: &[u8]) -> Result<Outcome, Error> {
        let m = ServiceRequest::decode(payload).map_err(decoding(number::SERVICE_REQUEST))?;
        t.observe(now, &Step::Service { by: Role::Client, name: m.service });
        if m.service != names::SERVICE_USERAUTH.as_bytes() {
            return Err(Error::PeerMisbehaved(Misbehaviour::UnknownService));
        }
        t.send(ServiceAccept { service: m.service }.to_bytes())?;
        t.observe(now, &Step::Service { by: Role::Server, name: m.service });
        self.state = State::AwaitRequest;
        Ok(Outcome::Continue)
    }

    fn on_request(&mut self, now: Instant, t: &mut Transport, payload: &[u8]) -> Result<Outcome, Error> {
        let m = UserauthRequest::decode(payload).map_err(decoding(number::USERAUTH_REQUEST))?;
        self.requests += 1;
        if self.requests > limits::MAX_AUTH_REQUESTS {
            return Err(Error::Limit(Limit::AuthRequests));
        }
        if m.service != names::SERVICE_CONNECTION.as_bytes() {
            return Err(Error::PeerMisbehaved(Misbehaviour::UnknownService));
        }
        match &self.user {
            Some(user) if user.name != m.user => Err(Error::PeerMisbehaved(Misbehaviour::UserChanged)),
            Some(_) => self.attempt(now, t, &m),
            None => {
                if m.user.len() > limits::MAX_USER_NAME {
                    return Err(Error::Limit(Limit::UserName));
                }
                let pending: Pending<LookUpUser> = t.ids.next();
                self.state = State::AwaitPolicy { question: pending.id, payload: payload.to_vec() };
                t.pause();
                Ok(Outcome::Ask(Event::LookUpUser { pending, user: m.user.to_vec() }))
            }
        }
    }

    pub(crate) fn answer_user(
        &mut self,
        now: Instant,
        t: &mut Transport,
        pending: &Pending<LookUpUser>,
        policy: UserPolicy,
    ) -> Result<Outcome, Error> {
        let payload = match std::mem::replace(&mut self.state, State::AwaitRequest) {
            State::AwaitPolicy { question, payload } if question == pending.id => payload,
            other => {
                self.state = other;
                return Err(NOT_ASKED);
            }
        };
        t.resume();
        let m = UserauthRequest::decode(&payload).map_err(decoding(number::USERAUTH_REQUEST))?;
        if let Some(banner) = &policy.banner {
            t.send(UserauthBanner { message: banner, language: b"" }.to_bytes())?;
        }
        let ways = Ways::new(policy.methods.clone());
        self.user = Some(User { name: m.user.to_vec(), policy, ways });
        self.attempt(now, t, &m)
    }

    /// One authentication request, its user known.
    fn attempt(&mut self, now: Instant, t: &mut Transport, m: &UserauthRequest<'_>) -> Result<Outcome, Error> {
        self.state = State::AwaitRequest;
        let method = String::from_utf8_lossy(m.method).into_owned();
        let name = match method.as_str() {
            names::AUTH_PUBLICKEY_HOSTBOUND => names::AUTH_PUBLICKEY,
            other => other,
        };
        if name == names::AUTH_NONE {
            return self.attempt_none(now, t, m);
        }
        if !self.user.as_ref().is_some_and(|user| user.ways.wants(name)) {
            observe_request(now, t, m, &method, None);
            return self.refuse(now, t, now);
        }
        match name {
            names::AUTH_PUBLICKEY => self.attempt_key(now, t, m, &method),
            names::AUTH_PASSWORD => self.attempt_password(now, t, m),
            names::AUTH_KEYBOARD_INTERACTIVE => self.attempt_interactive(now, t, m),
            _ => self.refuse(now, t, now),
        }
    }

    /// RFC 4252 §5.2: tells what may go on; neither delayed nor counted.
    fn attempt_none(&mut self, now: Instant, t: &mut Transport, m: &UserauthRequest<'_>) -> Result<Outcome, Error> {
        observe_request(now, t, m, names::AUTH_NONE, None);
        if self.user.as_ref().is_some_and(|u| u.policy.none_succeeds) {
            return self.succeed(now, t, names::AUTH_NONE);
        }
        self.send_failure(now, t, false)
    }

    fn attempt_key(
        &mut self,
        now: Instant,
        t: &mut Transport,
        m: &UserauthRequest<'_>,
        method: &str,
    ) -> Result<Outcome, Error> {
        let hostbound = method == names::AUTH_PUBLICKEY_HOSTBOUND;
        let Ok(request) = PublicKeyRequest::decode(m.rest.0, hostbound) else {
            observe_request(now, t, m, method, None);
            return self.refuse(now, t, now);
        };
        observe_request(now, t, m, method, Some((request.public_key, request.signature.is_some())));
        // OpenSSH PROTOCOL §3.1: the key of the first exchange, and no other of ours.
        if request.host_key.is_some_and(|blob| t.host_key.as_deref() != Some(blob)) {
            return self.refuse(now, t, now);
        }
        let Some(algorithm) = self.algorithm(request.algorithm) else { return self.refuse_key(now, t, &request) };
        if let Some(signature) = request.signature {
            let session_id = t.session_id.as_ref().map_or(&[][..], |id| id.as_bytes());
            let text = SignedRequest { session_id, user: m.user, request: &request }.text();
            if t.provider.verify(algorithm, request.public_key, &text, signature).is_err()
                || self.used_keys.iter().any(|key| **key == *plain_key(request.public_key))
            {
                return self.refuse(now, t, now);
            }
        } else {
            self.count_probe()?;
        }
        let pending: Pending<CheckKey> = t.ids.next();
        let proof = request.signature.map(|signature| KeyProof {
            signature: signature.to_vec(),
            host_key: request.host_key.map(<[u8]>::to_vec),
        });
        let public_key = request.public_key.to_vec();
        let signed = proof.is_some();
        let attempt = KeyAttempt { algorithm: request.algorithm.to_vec(), public_key: public_key.clone(), signed };
        self.state = State::AwaitKey { question: pending.id, attempt, since: now };
        t.pause();
        Ok(Outcome::Ask(Event::CheckKey { pending, algorithm, public_key, proof }))
    }

    fn count_probe(&mut self) -> Result<(), Error> {
        self.probes += 1;
        if self.probes > limits::MAX_KEY_PROBES { Err(Error::Limit(Limit::KeyProbes)) } else { Ok(()) }
    }

    /// A key of a kind we do not take: this attempt fails and nothing else (threat A14).
    fn refuse_key(
        &mut self,
        now: Instant,
        t: &mut Transport,
        request: &PublicKeyRequest<'_>,
    ) -> Result<Outcome, Error> {
        if request.signature.is_some() {
            return self.refuse(now, t, now);
        }
        self.count_probe()?;
        self.send_failure(now, t, false)
    }

    fn algorithm(&self, name: &[u8]) -> Option<SignatureAlgorithm> {
        let algorithm = SignatureAlgorithm::from_name(std::str::from_utf8(name).ok()?)?;
        self.user.as_ref()?.policy.algorithms.contains(&algorithm).then_some(algorithm)
    }

    pub(crate) fn answer_key(
        &mut self,
        now: Instant,
        t: &mut Transport,
        pending: &Pending<CheckKey>,
        accepted: bool,
    ) -> Result<Outcome, Error> {
        let (attempt, since) = match std::mem::replace(&mut self.state, State::AwaitRequest) {
            State::AwaitKey { question, attempt, since } if question == pending.id => (attempt, since),
            other => {
                self.state = other;
                return Err(NOT_ASKED);
            }
        };
        t.resume();
        match (accepted, attempt.signed) {
            (true, true) => {
                // A key and its certificate are one factor (threat A9).
                self.used_keys.push(plain_key(&attempt.public_key).into_owned());
                self.succeed(now, t, names::AUTH_PUBLICKEY)
            }
            (true, false) => {
                let message = UserauthPkOk { algorithm: &attempt.algorithm, public_key: &attempt.public_key };
                t.send(message.to_bytes())?;
                Ok(Outcome::Continue)
            }
            // A key that would not do costs its owner no attempt: agents hold many.
            (false, false) => self.send_failure(now, t, false),
            (false, true) => self.refuse(now, t, since),
        }
    }

    fn attempt_password(&mut self, now: Instant, t: &mut Transport, m: &UserauthRequest<'_>) -> Result<Outcome, Error> {
        observe_request(now, t, m, names::AUTH_PASSWORD, None);
        let too_long = |p: &[u8]| p.len() > limits::MAX_PASSWORD;
        let request = match PasswordRequest::decode(m.rest.0) {
            // Nobody hashes what is too long (threat A11).
            Ok(r) if !too_long(r.password) && !r.new_password.is_some_and(too_long) => r,
            _ => return self.refuse(now, t, now),
        };
        let pending: Pending<CheckPassword> = t.ids.next();
        self.state = State::AwaitPassword { question: pending.id, since: now };
        t.pause();
        Ok(Outcome::Ask(Event::CheckPassword {
            pending,
            password: SecretBytes::new(request.password.to_vec()),
            new_password: request.new_password.map(|p| SecretBytes::new(p.to_vec())),
        }))
    }

    pub(crate) fn answer_password(
        &mut self,
        now: Instant,
        t: &mut Transport,
        pending: &Pending<CheckPassword>,
        verdict: &PasswordVerdict,
    ) -> Result<Outcome, Error> {
        let since = match std::mem::replace(&mut self.state, State::AwaitRequest) {
            State::AwaitPassword { question, since } if question == pending.id => since,
            other => {
                self.state = other;
                return Err(NOT_ASKED);
            }
        };
        t.resume();
        match verdict {
            PasswordVerdict::Accept => self.succeed(now, t, names::AUTH_PASSWORD),
            PasswordVerdict::Reject => self.refuse(now, t, since),
            PasswordVerdict::ChangeRequired(prompt) => {
                t.send(UserauthPasswdChangereq { prompt: prompt.as_bytes(), language: b"" }.to_bytes())?;
                Ok(Outcome::Continue)
            }
        }
    }

    fn attempt_interactive(
        &mut self,
        now: Instant,
        t: &mut Transport,
        m: &UserauthRequest<'_>,
    ) -> Result<Outcome, Error> {
        observe_request(now, t, m, names::AUTH_KEYBOARD_INTERACTIVE, None);
        // The submethods are a wish; asking for many brings no more attempts (threat A13).
        if userauth::decode_keyboard_interactive(m.rest.0).is_err() {
            return self.refuse(now, t, now);
        }
        Ok(self.ask_interactive(now, t, None))
    }

    fn ask_interactive(&mut self, now: Instant, t: &mut Transport, answers: Option<Vec<SecretBytes>>) -> Outcome {
        let pending: Pending<CheckKeyboardInteractive> = t.ids.next();
        self.state = State::AwaitInteractive { question: pending.id, since: now };
        t.pause();
        Outcome::Ask(Event::CheckKeyboardInteractive { pending, answers })
    }

    fn on_info_response(
        &mut self,
        now: Instant,
        t: &mut Transport,
        payload: &[u8],
        prompts: usize,
    ) -> Result<Outcome, Error> {
        self.requests += 1;
        if self.requests > limits::MAX_AUTH_REQUESTS {
            return Err(Error::Limit(Limit::AuthRequests));
        }
        self.state = State::AwaitRequest;
        let Ok(answers) = userauth::decode_info_response(payload, prompts) else { return self.refuse(now, t, now) };
        if answers.iter().any(|a| a.len() > limits::MAX_PASSWORD) {
            return self.refuse(now, t, now);
        }
        let answers = answers.into_iter().map(|a| SecretBytes::new(a.to_vec())).collect();
        Ok(self.ask_interactive(now, t, Some(answers)))
    }

    pub(crate) fn answer_interactive(
        &mut self,
        now: Instant,
        t: &mut Transport,
        pending: &Pending<CheckKeyboardInteractive>,
        verdict: KeyboardInteractiveVerdict,
    ) -> Result<Outcome, Error> {
        let since = match std::mem::replace(&mut self.state, State::AwaitRequest) {
            State::AwaitInteractive { question, since } if question == pending.id => since,
            other => {
                self.state = other;
                return Err(NOT_ASKED);
            }
        };
        t.resume();
        match verdict {
            KeyboardInteractiveVerdict::Accept => self.succeed(now, t, names::AUTH_KEYBOARD_INTERACTIVE),
            KeyboardInteractiveVerdict::Reject => self.refuse(now, t, since),
            KeyboardInteractiveVerdict::Ask(request) => {
                self.state = State::AwaitInfoResponse { prompts: request.prompts.len() };
                t.send(request.to_bytes())?;
                Ok(Outcome::Continue)
            }
        }
    }

    /// A method succeeded: either that was all, or more is wanted.
    fn succeed(&mut self, now: Instant, t: &mut Transport, method: &str) -> Result<Outcome, Error> {
        let Some(user) = &mut self.user else { return Err(Error::Bug("success without a user")) };
        let mut methods = Vec::new();
        if method == names::AUTH_NONE {
            methods.push(method.to_owned());
        } else if !user.ways.succeed(method) {
            return self.send_failure(now, t, true);
        } else {
            methods.extend_from_slice(user.ways.succeeded());
        }
        self.state = State::Done;
        t.send(UserauthSuccess {}.to_bytes())?;
        t.observe(now, &Step::AuthSuccess);
        Ok(Outcome::Success(Authenticated { methods }))
    }

    /// A wrong attempt, made at `since`: counted now, told when its delay has passed.
    fn refuse(&mut self, now: Instant, t: &mut Transport, since: Instant) -> Result<Outcome, Error> {
        self.failures += 1;
        let Some(user) = &self.user else { return Err(Error::Bug("refusal without a user")) };
        let due = since + user.policy.failure_delay;
        if due <= now {
            return self.finish_refusal(now, t);
        }
        self.state = State::AwaitDelay;
        t.pause();
        t.timers.set(Timer::AuthDelay, due);
        Ok(Outcome::Continue)
    }

    /// The delay of a refusal has passed.
    pub(crate) fn delay_is_over(&mut self, now: Instant, t: &mut Transport) -> Result<Outcome, Error> {
        if !matches!(self.state, State::AwaitDelay) {
            return Ok(Outcome::Continue);
        }
        t.resume();
        self.finish_refusal(now, t)
    }

    fn finish_refusal(&mut self, now: Instant, t: &mut Transport) -> Result<Outcome, Error> {
        let tries = self.user.as_ref().map_or(0, |u| u.policy.max_tries);
        if self.failures >= tries {
            return Err(Error::Limit(Limit::AuthTries));
        }
        self.send_failure(now, t, false)
    }

    fn send_failure(&mut self, now: Instant, t: &mut Transport, partial_success: bool) -> Result<Outcome, Error> {
        self.state = State::AwaitRequest;
        let list = self.user.as_ref().map(|user| user.ways.heads().join(",")).unwrap_or_default();
        let methods = NameList::parse(list.as_bytes(), "methods").map_err(|_| Error::Bug("method names"))?;
        t.send(UserauthFailure { methods, partial_success }.to_bytes())?;
        t.observe(now, &Step::AuthFailure { methods: &list, partial_success });
        Ok(Outcome::Continue)
    }

    /// The user the client named, once it has.
    pub(crate) fn user(&self) -> Option<&[u8]> {
        self.user.as_ref().map(|u| u.name.as_slice())
    }

    /// Failed attempts so far.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }
}

fn observe_request(now: Instant, t: &mut Transport, m: &UserauthRequest<'_>, method: &str, key: Option<(&[u8], bool)>) {
    let (public_key, signed) = key.map_or((None, false), |(key, signed)| (Some(key), signed));
    t.observe(now, &Step::AuthRequest { user: m.user, method, public_key, signed });
}
