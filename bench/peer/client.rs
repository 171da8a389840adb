//! A blocking client: the library's state machine and a socket.

use crate::Problem;
use bytes::BytesMut;
use nacre_crypto::{AwsLc, KeyKind, PrivateKey};
use nacre_proto::algorithm::{KexMethod, SignatureAlgorithm};
use nacre_proto::login::client::Attempt;
use nacre_proto::{ClientConfig, Connection, Event, HostKeyDecision, LocalChannel, TransmitBuffer, TransportConfig};
use nacre_wire::session::SessionRequest;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How much is read and sent at once, in bytes.
const STEP: usize = 256 * 1024;

/// How long any answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server, and who logs in there. The host key is not checked: it is a server of the bench's own.
pub struct Target {
    port: u16,
    user: String,
    key: PrivateKey,
}

impl Target {
    /// As words of the command line give it; `key` names a private key's file.
    pub fn new(port: &str, user: &str, key: &str) -> Result<Self, Problem> {
        let key = PrivateKey::read(&std::fs::read(key)?, None)?;
        Ok(Self { port: port.parse()?, user: user.to_owned(), key })
    }

    /// Somebody with a key of his own that nobody has seen.
    pub fn stranger(port: u16, user: String) -> Result<Self, Problem> {
        Ok(Self { port, user, key: PrivateKey::generate(KeyKind::Ed25519, None)? })
    }
}

/// A connection.
pub struct Client<'a> {
    target: &'a Target,
    stream: TcpStream,
    /// The state machine.
    pub connection: Connection,
    input: BytesMut,
    output: TransmitBuffer,
}

impl<'a> Client<'a> {
    fn connect(target: &'a Target) -> Result<Self, Problem> {
        let stream = TcpStream::connect(("127.0.0.1", target.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        // One method, so that what is compared is servers and not their taste.
        let transport = TransportConfig { kex: vec![KexMethod::Curve25519], ..TransportConfig::default() };
        let config = ClientConfig {
            transport: Arc::new(transport),
            provider: Arc::new(AwsLc::default()),
            user: target.user.clone(),
            login_timeout: None,
            observer: None,
        };
        let connection = Connection::client(Instant::now(), config)?;
        Ok(Self { target, stream, connection, input: BytesMut::new(), output: TransmitBuffer::new() })
    }

    /// Connects and exchanges keys, up to where the server has said that login may begin.
    pub fn shake_hands(target: &'a Target) -> Result<Self, Problem> {
        let mut client = Self::connect(target)?;
        while !matches!(client.next()?, Event::ChooseMethod { .. }) {}
        Ok(client)
    }

    /// Connects and logs in.
    pub fn log_in(target: &'a Target) -> Result<Self, Problem> {
        let mut client = Self::connect(target)?;
        loop {
            match client.next()? {
                Event::ChooseMethod { pending, .. } => {
                    let public_key = target.key.public_blob().to_vec();
                    let algorithm = SignatureAlgorithm::Ed25519;
                    let attempt = Attempt::PublicKey { algorithm, public_key, probe: false };
                    client.connection.answer(Instant::now(), pending, attempt)?;
                }
                Event::Authenticated { .. } => return Ok(client),
                _ => {}
            }
        }
    }

    /// Opens a session channel with `requests`, all of which must be granted.
    pub fn session(&mut self, requests: &[SessionRequest]) -> Result<LocalChannel, Problem> {
        let id = self.connection.open_channel(Instant::now(), "session", b"")?;
        while !matches!(self.next()?, Event::Opened { channel, .. } if channel == id) {}
        for request in requests {
            let mut channel = self.connection.channel(id).ok_or("the channel is gone")?;
            channel.request(Instant::now(), request, true)?;
        }
        let mut left = requests.len();
        while left > 0 {
            match self.next()? {
                Event::RequestReply { success: true, .. } => left -= 1,
                Event::RequestReply { success: false, .. } => return Err("a request was refused".into()),
                // The command may say something before all is answered; nobody waits for that yet.
                Event::Data { channel, data, .. } => self.take(channel, data.len()),
                _ => {}
            }
        }
        Ok(id)
    }

    /// Gives back the room that `bytes` bytes of data took.
    pub fn take(&mut self, channel: LocalChannel, bytes: usize) {
        if let Some(mut channel) = self.connection.channel(channel) {
            channel.consumed(bytes);
        }
    }

    /// The next event that is not answered here, waiting for it as long as it takes.
    pub fn next(&mut self) -> Result<Event, Problem> {
        loop {
            while let Some(event) = self.connection.poll_event() {
                if let Some(event) = self.answer(event)? {
                    return Ok(event);
                }
            }
            self.flush()?;
            let waiting = self.input.len();
            self.connection.receive(Instant::now(), &mut self.input)?;
            if self.input.len() == waiting {
                self.read()?;
            }
        }
    }

    /// Sends all that is ready.
    pub fn flush(&mut self) -> Result<(), Problem> {
        while self.connection.poll_transmit(Instant::now(), &mut self.output, STEP)? > 0 || !self.output.is_empty() {
            self.stream.write_all(self.output.as_slice())?;
            self.output.consume(self.output.len());
        }
        Ok(())
    }

    /// The socket, to wait for it.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// What has come to a socket that does not block, through a buffer that many clients share.
    pub fn pump(&mut self, scratch: &mut [u8]) -> Result<Vec<Event>, Problem> {
        let mut events = Vec::new();
        loop {
            let count = match self.stream.read(scratch) {
                Ok(0) => return Err("the server closed the connection".into()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            };
            self.input.extend_from_slice(&scratch[..count]);
            self.connection.receive(Instant::now(), &mut self.input)?;
            while let Some(event) = self.connection.poll_event() {
                events.extend(self.answer(event)?);
            }
            if count < scratch.len() {
                break;
            }
        }
        Ok(events)
    }

    fn read(&mut self) -> Result<(), Problem> {
        let start = self.input.len();
        self.input.resize(start + STEP, 0);
        let read = self.stream.read(&mut self.input[start..]);
        self.input.truncate(start + *read.as_ref().unwrap_or(&0));
        if read? == 0 {
            return Err("the server closed the connection".into());
        }
        self.connection.receive(Instant::now(), &mut self.input)?;
        Ok(())
    }

    fn answer(&mut self, event: Event) -> Result<Option<Event>, Problem> {
        let now = Instant::now();
        match event {
            Event::HostKey { pending, .. } => self.connection.answer(now, pending, HostKeyDecision::Accept)?,
            Event::SignRequest { pending, algorithm, data, .. } => {
                let signature = self.target.key.sign(algorithm, &data)?;
                self.connection.answer(now, pending, Some(signature))?;
            }
            Event::Global { pending: Some(pending), .. } => self.connection.answer(now, pending, None)?,
            other => return Ok(Some(other)),
        }
        Ok(None)
    }
}
