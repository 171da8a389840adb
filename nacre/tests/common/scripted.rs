//! A server that does what no ordinary one does: one connection, by a script, with the real protocol
//! underneath. It tells what the client did.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use nacre_crypto::{AwsLc, KeyKind, PrivateKey};
use nacre_net::{Driver, Owner, Port, PumpEvent};
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::login::server::{KeyboardInteractiveVerdict, PasswordVerdict, UserPolicy};
use nacre_proto::{Connection, Event, HostKey, LocalChannel, OpenAnswer, ServerConfig, Stream, TransportConfig};
use nacre_wire::forward::{ForwardOpen, Originator};
use nacre_wire::session::SessionRequest;
use nacre_wire::userauth::InfoRequest;
use std::collections::VecDeque;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::task::Context;
use std::time::{Duration, Instant};

/// What the server does.
#[derive(Debug, Clone)]
pub struct Script {
    /// Ways to log in.
    pub methods: Vec<Vec<&'static str>>,
    /// `none` logs in.
    pub none: bool,
    /// Rounds of keyboard-interactive, after which it is granted, or for ever the last one.
    pub questions: Vec<InfoRequest>,
    /// The last question is asked again and again.
    pub for_ever: bool,
    /// The right password.
    pub password: &'static str,
    /// The password must be changed, with these words.
    pub change: Option<&'static str>,
    /// Channels opened towards the client once a command was asked for.
    pub opens: Vec<&'static str>,
    /// Requests to listen are granted.
    pub listens: bool,
    /// Connections to ports that the server says it listens on, opened along with `opens`: address and port.
    pub arrivals: Vec<(&'static str, u16)>,
    /// How the command ends.
    pub end: SessionRequest,
    /// What the command prints.
    pub output: &'static [u8],
}

impl Default for Script {
    fn default() -> Self {
        Self {
            methods: vec![vec!["publickey"], vec!["keyboard-interactive"], vec!["password"]],
            none: false,
            questions: Vec::new(),
            for_ever: false,
            password: "first",
            change: None,
            opens: Vec::new(),
            listens: false,
            arrivals: Vec::new(),
            end: SessionRequest::ExitStatus { status: 0 },
            output: b"",
        }
    }
}

/// The running server.
pub struct Scripted {
    pub port: u16,
    notes: Receiver<Vec<String>>,
}

impl Scripted {
    pub fn new(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, notes) = channel();
        std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            stream.set_nonblocking(true).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let owner = runtime.block_on(async {
                let key = PrivateKey::generate(KeyKind::Ed25519, None).unwrap();
                let config = ServerConfig {
                    transport: Arc::new(TransportConfig::default()),
                    provider: Arc::new(AwsLc::default()),
                    host_keys: vec![HostKey { algorithms: key.algorithms(), blob: key.public_blob().to_vec() }],
                    user_algorithms: SignatureAlgorithm::ALL.to_vec(),
                    login_timeout: None,
                    unused_timeout: None,
                    observer: None,
                };
                let connection = Connection::server(Instant::now(), config).unwrap();
                let owner =
                    Actor { key, questions: script.questions.clone().into(), script, session: None, notes: Vec::new() };
                let stream = tokio::net::TcpStream::from_std(stream).unwrap();
                let (owner, ended) = Driver::new(stream, connection, owner).run().await;
                let mut notes = owner.notes;
                notes.push(format!("end: {}", ended.error));
                notes
            });
            let _ = tell.send(owner);
        });
        Self { port, notes }
    }

    /// What happened, once the connection is over.
    pub fn notes(self) -> Vec<String> {
        self.notes.recv_timeout(Duration::from_secs(180)).expect("the connection does not end")
    }
}

struct Actor {
    key: PrivateKey,
    script: Script,
    questions: VecDeque<InfoRequest>,
    session: Option<LocalChannel>,
    notes: Vec<String>,
}

impl Actor {
    fn policy(&self) -> UserPolicy {
        let methods = &self.script.methods;
        UserPolicy {
            methods: methods.iter().map(|way| way.iter().map(|m| (*m).to_owned()).collect()).collect(),
            max_tries: 100,
            failure_delay: Duration::ZERO,
            banner: None,
            none_succeeds: self.script.none,
            algorithms: SignatureAlgorithm::ALL.to_vec(),
        }
    }

    fn ask(&mut self) -> KeyboardInteractiveVerdict {
        match self.questions.pop_front() {
            Some(question) => {
                if self.script.for_ever && self.questions.is_empty() {
                    self.questions.push_back(question.clone());
                }
                KeyboardInteractiveVerdict::Ask(question)
            }
            None => KeyboardInteractiveVerdict::Accept,
        }
    }

    fn perform(&mut self, port: &mut Port<'_>, id: LocalChannel) {
        self.session = Some(id);
        for kind in self.script.opens.clone() {
            let mut data = Vec::new();
            if kind.starts_with("forwarded") {
                data = [&[0, 0, 0, 1, b'x', 0, 0, 0, 22, 0, 0, 0, 1, b'y', 0, 0, 0, 1][..]].concat();
            }
            port.connection.open_channel(port.now, kind, &data).unwrap();
        }
        for (address, number) in self.script.arrivals.clone() {
            let originator = Originator { address: "192.0.2.7".to_owned(), port: 7 };
            let open = ForwardOpen::ForwardedTcpip { address: address.to_owned(), port: number, originator };
            port.connection.open_forward(port.now, &open).unwrap();
        }
        let mut channel = port.connection.channel(id).unwrap();
        channel.write(Stream::Main, self.script.output);
        if self.script.opens.is_empty() && self.script.arrivals.is_empty() {
            self.finish(port, id);
        }
    }

    fn note_open(&mut self, port: &mut Port<'_>, note: String) {
        self.notes.push(note);
        let opens = self.script.opens.len() + self.script.arrivals.len();
        if self.notes.iter().filter(|note| note.starts_with("open ")).count() == opens {
            self.session.into_iter().for_each(|session| self.finish(port, session));
        }
    }

    fn finish(&self, port: &mut Port<'_>, id: LocalChannel) {
        let Some(mut channel) = port.connection.channel(id) else { return };
        channel.request(port.now, &self.script.end, false).unwrap();
        channel.eof();
        channel.close();
    }
}

impl Owner for Actor {
    fn on_event(&mut self, port: &mut Port<'_>, event: Event) {
        let now = port.now;
        match event {
            Event::SignExchange { pending, algorithm, exchange_hash, .. } => {
                let signature = self.key.sign(algorithm, &exchange_hash).ok();
                port.connection.answer(now, pending, signature).unwrap();
            }
            Event::LookUpUser { pending, .. } => port.connection.answer(now, pending, self.policy()).unwrap(),
            Event::CheckKey { pending, proof, .. } => {
                self.notes.push(format!("key, signed: {}", proof.is_some()));
                port.connection.answer(now, pending, true).unwrap();
            }
            Event::CheckPassword { pending, password, new_password } => {
                let text = |secret: &[u8]| String::from_utf8_lossy(secret).into_owned();
                let new = new_password.as_ref().map(|new| text(new.expose()));
                self.notes.push(format!("password: {} {new:?}", text(password.expose())));
                let right = password.expose() == self.script.password.as_bytes();
                let verdict = match (right, self.script.change.filter(|_| new.is_none())) {
                    (false, _) => PasswordVerdict::Reject,
                    (true, Some(words)) => PasswordVerdict::ChangeRequired(words.to_owned()),
                    (true, None) => PasswordVerdict::Accept,
                };
                port.connection.answer(now, pending, verdict).unwrap();
            }
            Event::CheckKeyboardInteractive { pending, answers } => {
                let answers = answers.unwrap_or_default();
                let answers: Vec<_> =
                    answers.iter().map(|a| String::from_utf8_lossy(a.expose()).into_owned()).collect();
                self.notes.push(format!("answers: {answers:?}"));
                let verdict = self.ask();
                // The limits of this end may be reached first; the client's are what is tested.
                let _ = port.connection.answer(now, pending, verdict);
            }
            Event::OpenRequest { pending, .. } => port.connection.answer(now, pending, OpenAnswer::Accept).unwrap(),
            Event::OpenFailed { reason, .. } => self.note_open(port, format!("open refused: {reason}")),
            Event::Opened { channel, .. } => {
                port.connection.channel(channel).unwrap().close();
                self.note_open(port, "open granted".to_owned());
            }
            Event::Request { channel, request, pending } => {
                if let Some(pending) = pending {
                    port.connection.answer(now, pending, true).unwrap();
                }
                if matches!(request, SessionRequest::Exec { .. } | SessionRequest::Shell) {
                    self.perform(port, channel);
                }
            }
            Event::Global { pending: Some(pending), .. } => {
                let answer = self.script.listens.then(Vec::new);
                port.connection.answer(now, pending, answer).unwrap();
            }
            Event::Data { channel, data, .. } => {
                if let Some(mut channel) = port.connection.channel(channel) {
                    channel.consumed(data.len());
                }
            }
            _ => {}
        }
    }

    fn on_pump(&mut self, _: &mut Port<'_>, _: PumpEvent) {}

    fn poll(&mut self, _: &mut Context<'_>, _: &mut Port<'_>) -> bool {
        false
    }
}
