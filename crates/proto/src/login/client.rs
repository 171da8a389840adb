//! The client's side of authentication: the owner chooses methods and answers prompts, the order
//! of messages is here.

use super::{Authenticated, RequestHead, SignedRequest};
use crate::algorithm::SignatureAlgorithm;
use crate::crypto::SecretBytes;
use crate::error::{Error, Limit, Misbehaviour, decoding};
use crate::event::Event;
use crate::limits;
use crate::observe::Step;
use crate::question::Pending;
use crate::transport::Transport;
use nacre_wire::message::{
    Message, ServiceAccept, ServiceRequest, UserauthBanner, UserauthFailure, UserauthPasswdChangereq, UserauthPkOk,
    UserauthSuccess,
};
use nacre_wire::userauth::{self, InfoRequest, PasswordRequest, PublicKeyRequest};
use nacre_wire::{Role, WriteExt, ext_info, names, number};
use std::time::Instant;

/// The question how to try to log in next. Answer: [`Attempt`].
#[derive(Debug)]
pub struct ChooseMethod;
/// The question for a signature. Answer: `Option<Vec<u8>>`, the signature blob.
#[derive(Debug)]
pub struct SignRequest;
/// The question for answers to prompts. Answer: `Option<Vec<SecretBytes>>`.
#[derive(Debug)]
pub struct AnswerPrompts;
/// The question for a new password. Answer: [`PasswordChange`].
#[derive(Debug)]
pub struct ChangePassword;

/// The old password and the new one; `None` gives up.
pub type PasswordChange = Option<(SecretBytes, SecretBytes)>;

/// One attempt to log in.
#[derive(Debug, Clone)]
pub enum Attempt {
    /// `none`: logs in where nothing is asked, and else tells what is.
    None,
    /// `publickey`.
    PublicKey {
        /// With which signature algorithm.
        algorithm: SignatureAlgorithm,
        /// The public key blob.
        public_key: Vec<u8>,
        /// Ask first whether the key would do (when signing is dear or needs a person).
        probe: bool,
    },
    /// `password`.
    Password(SecretBytes),
    /// `keyboard-interactive`, with the submethods wished for, comma-separated.
    KeyboardInteractive(String),
    /// Nothing is left to try.
    GiveUp,
}

#[derive(Debug, Clone)]
struct Key {
    algorithm: SignatureAlgorithm,
    public_key: Vec<u8>,
}

#[derive(Debug)]
enum State {
    /// Keys are not in use yet.
    AwaitKeys,
    /// SERVICE_ACCEPT.
    AwaitService,
    /// The owner's choice.
    AwaitChoice { question: u64 },
    /// The outcome of `none`, `password` or a signed `publickey`.
    AwaitOutcome,
    /// PK_OK or FAILURE.
    AwaitPkOk(Key),
    /// The owner's signature.
    AwaitSignature { question: u64, key: Key },
    /// The outcome of a password, which may be that it must change.
    AwaitPasswordOutcome,
    /// The owner's new password.
    AwaitNewPassword { question: u64 },
    /// Prompts, or the outcome of keyboard-interactive.
    AwaitInfoRequest,
    /// The owner's answers to so many prompts.
    AwaitAnswers { question: u64, prompts: usize },
    /// Logged in.
    Done,
}

pub(crate) struct ClientLogin {
    state: State,
    user: String,
    rounds: u32,
    banners: u32,
    methods: Vec<String>,
    partial: bool,
    attempted: &'static str,
    succeeded: Vec<String>,
    server_sig_algs: Option<Vec<String>>,
    hostbound: bool,
    ext_infos: u32,
    /// An EXT_INFO just came in the place where only success may follow (RFC 8308 §2.4).
    success_must_follow: bool,
}

/// What handling a message led to.
pub(crate) enum Outcome {
    /// Nothing the owner must know.
    Continue,
    /// Something for the owner.
    Tell(Event),
    /// Logged in.
    Success(Authenticated),
}

const NOT_ASKED: Error = Error::Misuse("this question is not open");

impl ClientLogin {
    pub(crate) fn new(user: String) -> Self {
        Self {
            state: State::AwaitKeys,
            user,
            rounds: 0,
            banners: 0,
            methods: Vec::new(),
            partial: false,
            attempted: names::AUTH_NONE,
            succeeded: Vec::new(),
            server_sig_algs: None,
            hostbound: false,
            ext_infos: 0,
            success_must_follow: false,
        }
    }

    /// The first keys are in use: asks for the authentication service. Not a byte of this layer
    /// leaves before (threat H4).
    pub(crate) fn start(&mut self, now: Instant, t: &mut Transport) -> Result<(), Error> {
        let service = names::SERVICE_USERAUTH.as_bytes();
        t.send(ServiceRequest { service }.to_bytes())?;
        t.observe(now, &Step::Service { by: Role::Client, name: service });
        self.state = State::AwaitService;
        Ok(())
    }

    /// Handles a message of this layer.
    pub(crate) fn receive(&mut self, now: Instant, t: &mut Transport, payload: &[u8]) -> Result<Outcome, Error> {
        let number = payload.first().copied().unwrap_or(0);
        if self.success_must_follow && number != number::USERAUTH_SUCCESS {
            return Err(Error::PeerMisbehaved(Misbehaviour::MisplacedExtInfo));
        }
        match number {
            number::EXT_INFO => return self.on_ext_info(now, t, payload),
            number::USERAUTH_BANNER => return self.on_banner(now, t, payload),
            _ => {}
        }
        match (std::mem::replace(&mut self.state, State::AwaitOutcome), number) {
            (State::AwaitService, number::SERVICE_ACCEPT) => {
                let m = ServiceAccept::decode(payload).map_err(decoding(number))?;
                t.observe(now, &Step::Service { by: Role::Server, name: m.service });
                Ok(self.choose(t))
            }
            (state, number::USERAUTH_SUCCESS) if state.awaits_outcome() => self.on_success(now, t, payload),
            (state, number::USERAUTH_FAILURE) if state.awaits_outcome() || matches!(state, State::AwaitPkOk(_)) => {
                self.on_failure(now, t, payload)
            }
            (State::AwaitPkOk(key), number::USERAUTH_METHOD_60) => self.on_pk_ok(t, payload, key),
            (State::AwaitPasswordOutcome, number::USERAUTH_METHOD_60) => self.on_change_request(t, payload),
            (State::AwaitInfoRequest, number::USERAUTH_METHOD_60) => self.on_info_request(t, payload),
            (state, _) => {
                self.state = state;
                Err(Error::PeerMisbehaved(Misbehaviour::UnexpectedMessage(number)))
            }
        }
    }

    /// Threat T16: one right after NEWKEYS, one more just before success, and no other.
    fn on_ext_info(&mut self, now: Instant, t: &mut Transport, payload: &[u8]) -> Result<Outcome, Error> {
        self.ext_infos += 1;
        let before_login = matches!(self.state, State::AwaitKeys | State::AwaitService);
        if self.ext_infos > 2 || (before_login && !t.follows_newkeys) {
            return Err(Error::PeerMisbehaved(Misbehaviour::MisplacedExtInfo));
        }
        self.success_must_follow = !before_login;
        let extensions = ext_info::decode(payload).map_err(decoding(number::EXT_INFO))?;
        t.observe(now, &Step::ExtInfo { by: Role::Server, extensions: &extensions });
        for (name, value) in extensions {
            if name == names::EXT_SERVER_SIG_ALGS.as_bytes() {
                let list = String::from_utf8_lossy(value);
                self.server_sig_algs = Some(list.split(',').map(str::to_owned).collect());
            } else if name == names::EXT_PUBLICKEY_HOSTBOUND.as_bytes() {
                self.hostbound = value == b"0";
            } else if name == names::EXT_PING.as_bytes() {
                t.peer_answers_pings = value == b"0";
            }
        }
        Ok(Outcome::Continue)
    }

    fn on_banner(&mut self, now: Instant, t: &mut Transport, payload: &[u8]) -> Result<Outcome, Error> {
        let m = UserauthBanner::decode(payload).map_err(decoding(number::USERAUTH_BANNER))?;
        self.banners += 1;
        if self.banners > limits::MAX_CLIENT_AUTH_ROUNDS || m.message.len() > limits::MAX_PACKET_LENGTH {
            return Err(Error::Limit(Limit::AuthRounds));
        }
        t.observe(now, &Step::Banner(m.message));
        let message = m.message.get(..limits::MAX_BANNER).unwrap_or(m.message).to_vec();
        Ok(Outcome::Tell(Event::Banner { message }))
    }

    fn count_round(&mut self) -> Result<(), Error> {
        self.rounds += 1;
        if self.rounds > limits::MAX_CLIENT_AUTH_ROUNDS { Err(Error::Limit(Limit::AuthRounds)) } else { Ok(()) }
    }

    fn choose(&mut self, t: &mut Transport) -> Outcome {
        let pending: Pending<ChooseMethod> = t.ids.next();
        self.state = State::AwaitChoice { question: pending.id };
        Outcome::Tell(Event::ChooseMethod {
            pending,
            methods: self.methods.clone(),
            partial_success: self.partial,
            server_sig_algs: self.server_sig_algs.clone(),
        })
    }

    fn on_success(&mut self, now: Instant, t: &mut Transport, payload: &[u8]) -> Result<Outcome, Error> {
        UserauthSuccess::decode(payload).map_err(decoding(number::USERAUTH_SUCCESS))?;
        self.state = State::Done;
        t.observe(now, &Step::AuthSuccess);
        self.succeeded.push(self.attempted.to_owned());
        Ok(Outcome::Success(Authenticated { methods: std::mem::take(&mut self.succeeded) }))
    }

    fn on_failure(&mut self, now: Instant, t: &mut Transport, payload: &[u8]) -> Result<Outcome, Error> {
        let m = UserauthFailure::decode(payload).map_err(decoding(number::USERAUTH_FAILURE))?;
        self.count_round()?;
        t.observe(now, &Step::AuthFailure { methods: m.methods.as_str(), partial_success: m.partial_success });
        self.methods = m.methods.iter().map(str::to_owned).collect();
        self.partial = m.partial_success;
        if m.partial_success {
            self.succeeded.push(self.attempted.to_owned());
        }
        Ok(self.choose(t))
    }

    fn on_pk_ok(&mut self, t: &mut Transport, payload: &[u8], key: Key) -> Result<Outcome, Error> {
        let m = UserauthPkOk::decode(payload).map_err(decoding(number::USERAUTH_METHOD_60))?;
        if m.public_key != key.public_key {
            return Err(Error::PeerMisbehaved(Misbehaviour::UnexpectedMessage(number::USERAUTH_METHOD_60)));
        }
        Ok(self.ask_signature(t, key))
    }

    fn ask_signature(&mut self, t: &mut Transport, key: Key) -> Outcome {
        let pending: Pending<SignRequest> = t.ids.next();
        let data = self.with_request(t, &key, signed_text);
        let (algorithm, public_key) = (key.algorithm, key.public_key.clone());
        self.state = State::AwaitSignature { question: pending.id, key };
        Outcome::Tell(Event::SignRequest { pending, algorithm, public_key, data })
    }

    /// Builds the `publickey` request for a key and hands it on.
    fn with_request<R>(
        &self,
        t: &Transport,
        key: &Key,
        use_it: impl FnOnce(&Transport, &RequestHead<'_>, &PublicKeyRequest<'_>) -> R,
    ) -> R {
        let host_key = t.host_key.as_deref().filter(|_| self.hostbound);
        let method = if host_key.is_some() { names::AUTH_PUBLICKEY_HOSTBOUND } else { names::AUTH_PUBLICKEY };
        let request = PublicKeyRequest {
            algorithm: key.algorithm.name().as_bytes(),
            public_key: &key.public_key,
            host_key,
            signature: None,
        };
        use_it(t, &RequestHead { user: self.user.as_bytes(), method }, &request)
    }

    fn on_change_request(&mut self, t: &mut Transport, payload: &[u8]) -> Result<Outcome, Error> {
        let m = UserauthPasswdChangereq::decode(payload).map_err(decoding(number::USERAUTH_METHOD_60))?;
        self.count_round()?;
        let pending: Pending<ChangePassword> = t.ids.next();
        self.state = State::AwaitNewPassword { question: pending.id };
        Ok(Outcome::Tell(Event::ChangePassword { pending, prompt: m.prompt.to_vec() }))
    }

    fn on_info_request(&mut self, t: &mut Transport, payload: &[u8]) -> Result<Outcome, Error> {
        let request = InfoRequest::decode(payload).map_err(decoding(number::USERAUTH_METHOD_60))?;
        self.count_round()?;
        let pending: Pending<AnswerPrompts> = t.ids.next();
        self.state = State::AwaitAnswers { question: pending.id, prompts: request.prompts.len() };
        Ok(Outcome::Tell(Event::Prompts { pending, request }))
    }

    pub(crate) fn answer_choice(
        &mut self,
        now: Instant,
        t: &mut Transport,
        pending: &Pending<ChooseMethod>,
        attempt: Attempt,
    ) -> Result<Outcome, Error> {
        if !matches!(self.state, State::AwaitChoice { question } if question == pending.id) {
            return Err(NOT_ASKED);
        }
        match attempt {
            Attempt::GiveUp => return Err(Error::AuthFailed { methods: self.methods.clone() }),
            Attempt::None => self.send_plain(now, t, names::AUTH_NONE, State::AwaitOutcome, |_| {})?,
            Attempt::Password(password) => {
                self.send_plain(now, t, names::AUTH_PASSWORD, State::AwaitPasswordOutcome, |out| {
                    PasswordRequest { password: password.expose(), new_password: None }.encode(out);
                })?;
            }
            Attempt::KeyboardInteractive(submethods) => {
                self.send_plain(now, t, names::AUTH_KEYBOARD_INTERACTIVE, State::AwaitInfoRequest, |out| {
                    out.put_string("");
                    out.put_string(submethods);
                })?;
            }
            Attempt::PublicKey { algorithm, public_key, probe } => {
                let key = Key { algorithm, public_key };
                self.attempted = names::AUTH_PUBLICKEY;
                if !probe {
                    return Ok(self.ask_signature(t, key));
                }
                self.send_key(now, t, &key, None)?;
                self.state = State::AwaitPkOk(key);
            }
        }
        Ok(Outcome::Continue)
    }

    fn send_plain(
        &mut self,
        now: Instant,
        t: &mut Transport,
        method: &'static str,
        next: State,
        rest: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Error> {
        let mut message = Vec::new();
        RequestHead { user: self.user.as_bytes(), method }.put(&mut message);
        rest(&mut message);
        t.observe(now, &Step::AuthRequest { user: self.user.as_bytes(), method, public_key: None, signed: false });
        self.attempted = method;
        self.state = next;
        t.send(message)
    }

    fn send_key(&self, now: Instant, t: &mut Transport, key: &Key, signature: Option<&[u8]>) -> Result<(), Error> {
        let signed = signature.is_some();
        let (message, method) = self.with_request(t, key, |_, head, request| {
            let mut message = Vec::new();
            head.put(&mut message);
            request.encode_unsigned(signed, &mut message);
            if let Some(signature) = signature {
                message.put_string(signature);
            }
            (message, if request.host_key.is_some() { names::AUTH_PUBLICKEY_HOSTBOUND } else { names::AUTH_PUBLICKEY })
        });
        let public_key = Some(key.public_key.as_slice());
        t.observe(now, &Step::AuthRequest { user: self.user.as_bytes(), method, public_key, signed });
        t.send(message)
    }

    pub(crate) fn answer_signature(
        &mut self,
        now: Instant,
        t: &mut Transport,
        pending: &Pending<SignRequest>,
        signature: Option<Vec<u8>>,
    ) -> Result<Outcome, Error> {
        let key = match std::mem::replace(&mut self.state, State::AwaitOutcome) {
            State::AwaitSignature { question, key } if question == pending.id => key,
            other => {
                self.state = other;
                return Err(NOT_ASKED);
            }
        };
        match signature.filter(|signature| self.may_leave(t, &key, signature)) {
            Some(signature) => {
                self.send_key(now, t, &key, Some(&signature))?;
                Ok(Outcome::Continue)
            }
            None => Ok(self.choose(t)),
        }
    }

    /// A faulty RSA signature stays here, as if nobody had signed (threat T21).
    fn may_leave(&self, t: &Transport, key: &Key, signature: &[u8]) -> bool {
        let verifies = || {
            let text = self.with_request(t, key, signed_text);
            t.provider.verify(key.algorithm, &key.public_key, &text, signature).is_ok()
        };
        !key.algorithm.is_rsa() || verifies()
    }

    pub(crate) fn answer_prompts(
        &mut self,
        t: &mut Transport,
        pending: &Pending<AnswerPrompts>,
        answers: Option<Vec<SecretBytes>>,
    ) -> Result<Outcome, Error> {
        let State::AwaitAnswers { question, prompts } = self.state else { return Err(NOT_ASKED) };
        let Some(answers) = answers else { return Ok(self.choose(t)) };
        if question != pending.id || answers.len() != prompts {
            return Err(Error::Misuse("as many answers as prompts are wanted"));
        }
        let texts: Vec<&[u8]> = answers.iter().map(SecretBytes::expose).collect();
        t.send(userauth::encode_info_response(&texts))?;
        self.state = State::AwaitInfoRequest;
        Ok(Outcome::Continue)
    }

    pub(crate) fn answer_password_change(
        &mut self,
        now: Instant,
        t: &mut Transport,
        pending: &Pending<ChangePassword>,
        change: &PasswordChange,
    ) -> Result<Outcome, Error> {
        if !matches!(self.state, State::AwaitNewPassword { question } if question == pending.id) {
            return Err(NOT_ASKED);
        }
        let Some((old, new)) = change else { return Ok(self.choose(t)) };
        self.send_plain(now, t, names::AUTH_PASSWORD, State::AwaitPasswordOutcome, |out| {
            PasswordRequest { password: old.expose(), new_password: Some(new.expose()) }.encode(out);
        })?;
        Ok(Outcome::Continue)
    }
}

impl State {
    fn awaits_outcome(&self) -> bool {
        matches!(self, Self::AwaitOutcome | Self::AwaitPasswordOutcome | Self::AwaitInfoRequest)
    }
}

fn signed_text(t: &Transport, head: &RequestHead<'_>, request: &PublicKeyRequest<'_>) -> Vec<u8> {
    let session_id = t.session_id.as_ref().map_or(&[][..], |id| id.as_bytes());
    SignedRequest { session_id, user: head.user, request }.text()
}
