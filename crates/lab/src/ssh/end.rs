//! One end of one connection: the machine, the bytes that it has not eaten, and what both programs do alike.

use super::Settings;
use super::numbers::Numbers;
use bytes::BytesMut;
use nacre_crypto::AwsLc;
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::{
    ClientConfig, Connection, Error, Event, HostKey, LocalChannel, Pending, Question, ServerConfig, Stream,
    TransmitBuffer,
};
use nacre_wire::text::clean_line;
use std::sync::Arc;
use std::time::Instant;

/// Bytes formed at once.
const ROOM: usize = 256 * 1024;
/// RFC 4253 §11.1.
const BY_APPLICATION: u32 = 11;

pub(super) struct End {
    connection: Connection,
    input: BytesMut,
    now: Instant,
    numbers: Numbers,
}

impl End {
    pub(super) fn client(settings: &Settings) -> Result<Self, Error> {
        let numbers = Numbers::default();
        let config = ClientConfig {
            transport: settings.transport(),
            provider: Arc::new(AwsLc::default()),
            user: super::USER.to_owned(),
            login_timeout: None,
            observer: Some(Box::new(numbers.clone())),
        };
        Ok(Self::new(Connection::client(settings.now, config)?, settings, numbers))
    }

    pub(super) fn server(settings: &Settings) -> Result<Self, Error> {
        let numbers = Numbers::default();
        let key = &settings.host_key;
        let config = ServerConfig {
            transport: settings.transport(),
            provider: Arc::new(AwsLc::default()),
            host_keys: vec![HostKey { algorithms: key.algorithms(), blob: key.public_blob().to_vec() }],
            user_algorithms: vec![SignatureAlgorithm::Ed25519],
            login_timeout: None,
            unused_timeout: None,
            observer: Some(Box::new(numbers.clone())),
        };
        Ok(Self::new(Connection::server(settings.now, config)?, settings, numbers))
    }

    fn new(connection: Connection, settings: &Settings, numbers: Numbers) -> Self {
        Self { connection, input: BytesMut::new(), now: settings.now, numbers }
    }

    /// Takes in what the peer sent.
    pub(super) fn receive(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// What came of it. An error stays with the connection, as it does below.
    pub(super) fn poll_event(&mut self) -> Option<Event> {
        if let Some(event) = self.connection.poll_event() {
            return Some(event);
        }
        let _ = self.connection.receive(self.now, &mut self.input);
        self.connection.poll_event()
    }

    pub(super) fn answer<Q: Question>(&mut self, pending: Pending<Q>, answer: Q::Answer) {
        let _ = self.connection.answer(self.now, pending, answer);
    }

    /// Bytes for the peer.
    pub(super) fn take_output(&mut self) -> Vec<u8> {
        let mut out = TransmitBuffer::new();
        // What follows an error are its last words.
        if self.connection.poll_transmit(self.now, &mut out, ROOM).is_err() {
            let _ = self.connection.poll_transmit(self.now, &mut out, ROOM);
        }
        out.as_slice().to_vec()
    }

    /// The numbers of packets that passed.
    pub(super) fn take_numbers(&self) -> Vec<String> {
        self.numbers.take()
    }

    /// Why the connection is over.
    pub(super) fn error(&self) -> Option<&Error> {
        self.connection.error()
    }

    pub(super) fn open_session(&mut self) {
        let _ = self.connection.open_channel(self.now, "session", b"");
    }

    pub(super) fn say(&mut self, channel: LocalChannel, line: &str) {
        if let Some(mut channel) = self.connection.channel(channel) {
            let _ = channel.write(Stream::Main, format!("{line}\n").as_bytes());
        }
    }

    /// The lines in what came on a channel.
    pub(super) fn take_lines(&mut self, channel: LocalChannel, data: &[u8]) -> Vec<String> {
        if let Some(mut channel) = self.connection.channel(channel) {
            channel.consumed(data.len());
        }
        data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(|line| clean_line(line, ROOM)).collect()
    }

    /// Says goodbye.
    pub(super) fn leave(&mut self) {
        self.connection.disconnect(self.now, BY_APPLICATION, "goodbye");
    }
}
