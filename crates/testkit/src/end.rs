//! One end of a connection with an owner that answers every question by a policy.

use bytes::BytesMut;
use nacre_crypto::PrivateKey;
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::crypto::SecretBytes;
use nacre_proto::login::client::Attempt;
use nacre_proto::login::server::{KeyboardInteractiveVerdict, PasswordVerdict, UserPolicy};
use nacre_proto::{
    Connection, Error, Event, HostKeyDecision, HostKeyQuestion, LocalChannel, OpenAnswer, Pending, Stream,
    TransmitBuffer,
};
use nacre_wire::session::SessionRequest;
use nacre_wire::userauth::{InfoRequest, Prompt};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How the owner of a test end answers.
#[derive(Clone)]
pub struct Policy {
    /// Ways to log in that the server takes.
    pub methods: Vec<Vec<String>>,
    /// The right password.
    pub password: String,
    /// The right one-time code.
    pub code: String,
    /// Blobs of keys that may log in.
    pub keys: Vec<Vec<u8>>,
    /// Delay of refusals.
    pub failure_delay: Duration,
    /// Failed attempts before the end.
    pub max_tries: u32,
    /// Whether `none` logs in.
    pub none_succeeds: bool,
    /// A banner.
    pub banner: Option<Vec<u8>>,
    /// What the client tries, in order.
    pub attempts: Vec<Attempt>,
    /// Whether the client takes the host key.
    pub host_key: HostKeyDecision,
    /// Whether channels are accepted and requests granted.
    pub grants: bool,
    /// Whether delivered data is consumed at once.
    pub consumes: bool,
    /// Whether data that arrives is sent back.
    pub echoes: bool,
    /// Passwords by user; when there are any, nobody else is known and `password` opens nothing.
    pub passwords: HashMap<Vec<u8>, String>,
    /// Whether the server asks again after every answer, right or wrong.
    pub asks_for_ever: bool,
    /// Whether the question about the host key is answered at all.
    pub answers_host_key: bool,
    /// Whether what happens is written down; not when a test counts memory.
    pub logs: bool,
    /// What becomes of every signature that is asked for.
    pub signature: fn(Vec<u8>) -> Option<Vec<u8>>,
}

impl Default for Policy {
    fn default() -> Self {
        let key = crate::user_key();
        Self {
            methods: vec![vec!["publickey".into()], vec!["password".into()], vec!["keyboard-interactive".into()]],
            password: "correct horse".into(),
            code: "123456".into(),
            keys: vec![key.public_blob().to_vec()],
            failure_delay: Duration::from_millis(50),
            max_tries: 6,
            none_succeeds: false,
            banner: None,
            attempts: vec![
                Attempt::None,
                Attempt::PublicKey {
                    algorithm: SignatureAlgorithm::Ed25519,
                    public_key: key.public_blob().to_vec(),
                    probe: true,
                },
            ],
            host_key: HostKeyDecision::Accept,
            grants: true,
            consumes: true,
            echoes: false,
            passwords: HashMap::new(),
            asks_for_ever: false,
            answers_host_key: true,
            logs: true,
            signature: Some,
        }
    }
}

/// A connection, its owner's policy, and what the owner has seen.
pub struct End {
    /// The machine.
    pub connection: Connection,
    /// How questions are answered.
    pub policy: Policy,
    /// Bytes that came and were not eaten yet.
    pub input: BytesMut,
    /// Bytes that wait to be carried over.
    pub output: TransmitBuffer,
    /// The key this end signs with.
    key: &'static PrivateKey,
    attempts: std::vec::IntoIter<Attempt>,
    /// Everything received, by channel and stream.
    pub data: HashMap<(u32, Stream), Vec<u8>>,
    /// Requests received.
    pub requests: Vec<(u32, SessionRequest)>,
    /// What happened, in words, in order.
    pub log: Vec<String>,
    /// Channels that the peer opened or that opened for us.
    pub channels: Vec<LocalChannel>,
    /// The error that ended the connection.
    pub error: Option<Error>,
    echo: Vec<(LocalChannel, Vec<u8>)>,
    /// Data delivered and not consumed.
    pub unconsumed: HashMap<u32, usize>,
    /// Keys that the server was asked about, and whether they had signed.
    pub checked_keys: Vec<(Vec<u8>, bool)>,
    /// Users that the server was asked about.
    pub users: Vec<Vec<u8>>,
    /// The peer has closed its side of the stream.
    pub saw_eof: bool,
    /// The question about the host key that nobody answered.
    pub host_key_question: Option<Pending<HostKeyQuestion>>,
}

impl End {
    /// An end around a connection; `key` signs (the host's for a server, the user's for a client).
    pub fn new(connection: Connection, policy: Policy, key: &'static PrivateKey) -> Self {
        Self {
            connection,
            attempts: policy.attempts.clone().into_iter(),
            policy,
            input: BytesMut::new(),
            output: TransmitBuffer::new(),
            key,
            data: HashMap::new(),
            requests: Vec::new(),
            log: Vec::new(),
            channels: Vec::new(),
            error: None,
            echo: Vec::new(),
            unconsumed: HashMap::new(),
            checked_keys: Vec::new(),
            users: Vec::new(),
            saw_eof: false,
            host_key_question: None,
        }
    }

    /// The peer has closed its side of the stream.
    pub fn receive_eof(&mut self, now: Instant) {
        self.saw_eof = true;
        let result = self.connection.receive_eof(now);
        self.answered(result);
    }

    /// Eats what came, handles every event, forms output. True when anything moved.
    pub fn turn(&mut self, now: Instant, limit: usize) -> bool {
        let before = (self.input.len(), self.log.len());
        if let Err(error) = self.connection.handle_timeout(now) {
            self.error.get_or_insert(error);
        }
        loop {
            let waiting = self.input.len();
            if let Err(error) = self.connection.receive(now, &mut self.input) {
                self.error.get_or_insert(error);
            }
            let mut any = false;
            while let Some(event) = self.connection.poll_event() {
                any = true;
                self.handle(now, event);
            }
            if !any && self.input.len() == waiting {
                break;
            }
        }
        self.send_echoes();
        let formed = match self.connection.poll_transmit(now, &mut self.output, limit) {
            Ok(n) => n,
            Err(error) => {
                self.error.get_or_insert(error);
                self.connection.poll_transmit(now, &mut self.output, limit).unwrap_or(0)
            }
        };
        while let Some(event) = self.connection.poll_event() {
            self.handle(now, event);
        }
        formed > 0 || before != (self.input.len(), self.log.len())
    }

    fn send_echoes(&mut self) {
        for (id, mut bytes) in std::mem::take(&mut self.echo) {
            let Some(mut channel) = self.connection.channel(id) else { continue };
            let n = channel.write(Stream::Main, &bytes);
            bytes.drain(..n);
            if !bytes.is_empty() {
                self.echo.push((id, bytes));
            }
        }
    }

    fn note(&mut self, what: impl Into<String>) {
        if self.policy.logs {
            self.log.push(what.into());
        }
    }

    fn answered(&mut self, result: Result<(), Error>) {
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
    }

    fn handle(&mut self, now: Instant, event: Event) {
        let result = self.handle_login(now, event);
        match result {
            Ok(None) => {}
            Ok(Some(event)) => self.handle_channels(now, event),
            Err(error) => self.answered(Err(error)),
        }
    }

    /// Answers the questions of key exchange and login; hands the others back.
    fn handle_login(&mut self, now: Instant, event: Event) -> Result<Option<Event>, Error> {
        let c = &mut self.connection;
        match event {
            Event::HostKey { pending, .. } if !self.policy.answers_host_key => {
                self.log.push("host key".into());
                self.host_key_question = Some(pending);
            }
            Event::HostKey { pending, .. } => {
                self.log.push("host key".into());
                self.connection.answer(now, pending, self.policy.host_key)?;
            }
            Event::SignExchange { pending, algorithm, exchange_hash, .. } => {
                let signature = self.key.sign(algorithm, &exchange_hash).ok().and_then(self.policy.signature);
                c.answer(now, pending, signature)?;
            }
            Event::ChooseMethod { pending, methods, partial_success, .. } => {
                let attempt = self.attempts.next().unwrap_or(Attempt::GiveUp);
                self.log.push(format!("choose from [{}] partial={partial_success}", methods.join(",")));
                self.connection.answer(now, pending, attempt)?;
            }
            Event::SignRequest { pending, algorithm, data, .. } => {
                let signature = self.key.sign(algorithm, &data).ok().and_then(self.policy.signature);
                c.answer(now, pending, signature)?;
            }
            Event::Prompts { pending, request } => {
                let answers = request.prompts.iter().map(|_| SecretBytes::new(self.policy.code.clone().into_bytes()));
                let answers: Vec<SecretBytes> = answers.collect();
                self.connection.answer(now, pending, Some(answers))?;
            }
            Event::ChangePassword { pending, .. } => c.answer(now, pending, None)?,
            Event::LookUpUser { pending, user } => {
                self.users.push(user);
                let policy = UserPolicy {
                    methods: self.policy.methods.clone(),
                    max_tries: self.policy.max_tries,
                    failure_delay: self.policy.failure_delay,
                    banner: self.policy.banner.clone(),
                    none_succeeds: self.policy.none_succeeds,
                    algorithms: SignatureAlgorithm::ALL.to_vec(),
                };
                c.answer(now, pending, policy)?;
            }
            Event::CheckKey { pending, public_key, proof, .. } => {
                let signed = proof.is_some();
                let user = c.user().unwrap_or_default();
                let known = self.policy.passwords.is_empty() || self.policy.passwords.contains_key(user);
                let accepted = known && self.policy.keys.contains(&public_key);
                self.checked_keys.push((public_key, signed));
                self.log.push(format!("key signed={signed} accepted={accepted}"));
                self.connection.answer(now, pending, accepted)?;
            }
            Event::CheckPassword { pending, password, .. } => {
                let user = c.user().unwrap_or_default();
                let right = match self.policy.passwords.is_empty() {
                    true => password.expose() == self.policy.password.as_bytes(),
                    false => self.policy.passwords.get(user).is_some_and(|p| p.as_bytes() == password.expose()),
                };
                self.log.push(format!("password right={right}"));
                let verdict = if right { PasswordVerdict::Accept } else { PasswordVerdict::Reject };
                self.connection.answer(now, pending, verdict)?;
            }
            Event::CheckKeyboardInteractive { pending, answers } => {
                if let Some(answers) = &answers {
                    self.log.push(format!("{} answers", answers.len()));
                }
                let answers = answers.filter(|_| !self.policy.asks_for_ever);
                let verdict = match answers.as_deref() {
                    None => KeyboardInteractiveVerdict::Ask(InfoRequest {
                        prompts: vec![Prompt { text: b"Code: ".to_vec(), echo: false }],
                        ..InfoRequest::default()
                    }),
                    Some([code]) if code.expose() == self.policy.code.as_bytes() => KeyboardInteractiveVerdict::Accept,
                    Some(_) => KeyboardInteractiveVerdict::Reject,
                };
                c.answer(now, pending, verdict)?;
            }
            other => return Ok(Some(other)),
        }
        Ok(None)
    }

    fn handle_channels(&mut self, now: Instant, event: Event) {
        match event {
            Event::OpenRequest { pending, channel, kind, .. } => {
                self.note(format!("open {kind}"));
                let answer = if self.policy.grants {
                    self.channels.push(channel);
                    OpenAnswer::Accept
                } else {
                    OpenAnswer::Reject { reason: 1, description: "not here".into() }
                };
                let result = self.connection.answer(now, pending, answer);
                self.answered(result);
            }
            Event::Opened { channel, .. } => {
                self.note("opened");
                self.channels.push(channel);
            }
            Event::Request { channel, request, pending } => {
                self.requests.push((channel.number(), request));
                if let Some(pending) = pending {
                    let result = self.connection.answer(now, pending, self.policy.grants);
                    self.answered(result);
                }
            }
            Event::Data { channel, stream, data } => self.take_data(channel, stream, &data),
            Event::Global { name, pending, .. } => {
                self.note(format!("global {name}"));
                if let Some(pending) = pending {
                    let result = self.connection.answer(now, pending, None);
                    self.answered(result);
                }
            }
            Event::Authenticated { methods } => self.note(format!("authenticated by {}", methods.join("+"))),
            Event::Eof { channel } => self.note(format!("eof {}", channel.number())),
            Event::Expired { channel } => self.note(format!("expired {}", channel.number())),
            Event::Closed { channel } => self.note(format!("closed {}", channel.number())),
            Event::OpenFailed { reason, description, .. } => {
                self.note(format!("open failed {reason} {description}"));
            }
            Event::RequestReply { kind, success, .. } => {
                self.note(format!("reply {} {success}", String::from_utf8_lossy(&kind)));
            }
            Event::GlobalReply { name, data } => {
                self.note(format!("global reply {} {}", String::from_utf8_lossy(&name), data.is_some()));
            }
            Event::Banner { message } => self.note(format!("banner {}", String::from_utf8_lossy(&message))),
            Event::Ready => self.note("ready"),
            _ => {}
        }
    }

    fn take_data(&mut self, id: LocalChannel, stream: Stream, data: &[u8]) {
        self.data.entry((id.number(), stream)).or_default().extend_from_slice(data);
        if self.policy.consumes {
            if let Some(mut channel) = self.connection.channel(id) {
                channel.consumed(data.len());
            }
        } else {
            *self.unconsumed.entry(id.number()).or_default() += data.len();
        }
        if self.policy.echoes {
            self.echo.push((id, data.to_vec()));
        }
    }
}
