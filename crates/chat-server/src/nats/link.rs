//! One connection to NATS, and JetStream spoken over it: requests with JSON in and out.
//!
//! It never comes back by itself: whatever goes wrong ends it, and everything that was agreed on it is
//! agreed anew on the next one. So nothing is ever sent late from a buffer that was forgotten.

use super::names::Bucket;
use async_nats::{Client, HeaderMap, Message, StatusCode};
use serde_json::{Value, json};
use std::fmt;

/// The id that doubles are known by.
const MESSAGE_ID: &str = "Nats-Msg-Id";
/// The number that the last value of a key must have for a new one to be taken.
const EXPECTED: &str = "Nats-Expected-Last-Subject-Sequence";
/// What was done to a key, where it is not a new value.
const OPERATION: &str = "KV-Operation";
/// The number of a stored message, on what is republished or asked for.
const SEQUENCE: &str = "Nats-Sequence";
/// The number of the message before it on the same subject.
const LAST_SEQUENCE: &str = "Nats-Last-Sequence";
/// The subject of a stored message that was asked for.
const SUBJECT: &str = "Nats-Subject";
/// JetStream's code for a value that is not the last one any more.
const WRONG_LAST: u64 = 10_071;
/// And for a stream that is not there.
const NO_STREAM: u64 = 10_059;

/// How often a compare and set is tried against others who write the same.
pub(super) const ATTEMPTS: u32 = 20;

/// The link is of no use any more; why.
#[derive(Debug, Clone)]
pub(super) struct Broken(pub(super) String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What JetStream answered to something that it did not do.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The stream is not there.
    NoStream,
    /// Somebody else wrote first.
    WrongLast,
    /// Anything else, in its words.
    Other(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStream => f.write_str("the stream is not there"),
            Self::WrongLast => f.write_str("it was changed meanwhile"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

/// A message as it is stored.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) sequence: u64,
    pub(super) subject: String,
    /// None where the key was deleted.
    pub(super) payload: Option<bytes::Bytes>,
}

/// Numbers on a message that comes live.
pub(super) fn numbers(message: &Message) -> Option<(u64, u64)> {
    Some((number(message, SEQUENCE)?, number(message, LAST_SEQUENCE)?))
}

fn header<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    message.headers.as_ref()?.get(name).map(|value| value.as_str())
}

fn number(message: &Message, name: &str) -> Option<u64> {
    header(message, name)?.parse().ok()
}

/// What is in a bucket under the message's key; none where it was deleted.
pub(super) fn value(message: &Message) -> Option<&bytes::Bytes> {
    header(message, OPERATION).is_none().then_some(&message.payload)
}

/// Requests over a connection.
#[derive(Debug, Clone)]
pub(super) struct Link(pub(super) Client);

impl Link {
    /// Asks and waits for the answer; that none comes in time breaks the link.
    async fn ask(&self, subject: String, headers: HeaderMap, body: Vec<u8>) -> Result<Message, Broken> {
        let asked = self.0.request_with_headers(subject, headers, body.into()).await;
        asked.map_err(|error| match error.kind() {
            async_nats::RequestErrorKind::NoResponders => Broken("JetStream is not switched on".to_owned()),
            _ => Broken(error.to_string()),
        })
    }

    /// Asks JetStream's interface.
    pub(super) async fn api(&self, what: &str, body: &Value) -> Result<Result<Value, Refusal>, Broken> {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let answer = self.ask(format!("$JS.API.{what}"), HeaderMap::new(), body).await?;
        Ok(read(&answer))
    }

    /// Stores a message, once however often it is asked for with the same id; its number.
    pub(super) async fn publish(
        &self,
        subject: String,
        id: String,
        body: Vec<u8>,
    ) -> Result<Result<u64, Refusal>, Broken> {
        let mut headers = HeaderMap::new();
        headers.insert(MESSAGE_ID, id);
        Ok(stored_as(&self.ask(subject, headers, body).await?))
    }

    /// Writes a key's value if the last one has that number, 0 where there must be none.
    pub(super) async fn put(
        &self,
        bucket: Bucket,
        key: &str,
        last: u64,
        body: Vec<u8>,
    ) -> Result<Result<u64, Refusal>, Broken> {
        let mut headers = HeaderMap::new();
        headers.insert(EXPECTED, last.to_string());
        Ok(stored_as(&self.ask(format!("{}{key}", bucket.prefix()), headers, body).await?))
    }

    /// Deletes a key, if the last value has that number.
    pub(super) async fn delete(&self, bucket: Bucket, key: &str, last: u64) -> Result<Result<u64, Refusal>, Broken> {
        let mut headers = deletion();
        headers.insert(EXPECTED, last.to_string());
        Ok(stored_as(&self.ask(format!("{}{key}", bucket.prefix()), headers, Vec::new()).await?))
    }

    /// Writes or deletes a key without waiting for an answer.
    pub(super) async fn tell(&self, bucket: Bucket, key: &str, body: Option<Vec<u8>>) -> Result<(), Broken> {
        let headers = if body.is_some() { HeaderMap::new() } else { deletion() };
        let subject = format!("{}{key}", bucket.prefix());
        let told = self.0.publish_with_headers(subject, headers, body.unwrap_or_default().into()).await;
        told.map_err(|error| Broken(error.to_string()))
    }

    /// The last value of a key.
    pub(super) async fn get(&self, bucket: Bucket, key: &str) -> Result<Option<Stored>, Broken> {
        self.get_by(bucket.stream(), &json!({"last_by_subj": format!("{}{key}", bucket.prefix())})).await
    }

    /// The first message on some subjects after a number.
    pub(super) async fn next(&self, stream: &str, subjects: &str, after: u64) -> Result<Option<Stored>, Broken> {
        self.get_by(stream, &json!({"seq": after.saturating_add(1), "next_by_subj": subjects})).await
    }

    async fn get_by(&self, stream: &str, what: &Value) -> Result<Option<Stored>, Broken> {
        let body = what.to_string().into_bytes();
        let message = self.ask(format!("$JS.API.DIRECT.GET.{stream}"), HeaderMap::new(), body).await?;
        match message.status {
            Some(StatusCode::NOT_FOUND) => return Ok(None),
            Some(status) if status != StatusCode::OK => {
                let what = message.description.as_deref().unwrap_or("without a word");
                return Err(Broken(format!("{stream} answered {status}: {what}")));
            }
            _ => {}
        }
        let (Some(sequence), Some(subject)) = (number(&message, SEQUENCE), header(&message, SUBJECT)) else {
            return Err(Broken(format!("{stream} answered with a message that has no number")));
        };
        let (subject, payload) = (subject.to_owned(), value(&message).cloned());
        Ok(Some(Stored { sequence, subject, payload }))
    }
}

fn deletion() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(OPERATION, "DEL");
    headers
}

fn read(answer: &Message) -> Result<Value, Refusal> {
    let value: Value = serde_json::from_slice(&answer.payload).map_err(|error| Refusal::Other(error.to_string()))?;
    let Some(error) = value.get("error") else { return Ok(value) };
    let what = error.get("description").and_then(Value::as_str).unwrap_or("without a word");
    Err(match error.get("err_code").and_then(Value::as_u64) {
        Some(NO_STREAM) => Refusal::NoStream,
        Some(WRONG_LAST) => Refusal::WrongLast,
        _ => Refusal::Other(what.to_owned()),
    })
}

/// The number that JetStream stored a message as.
fn stored_as(answer: &Message) -> Result<u64, Refusal> {
    let number = read(answer)?.get("seq").and_then(Value::as_u64);
    number.ok_or_else(|| Refusal::Other("an answer without a number".to_owned()))
}
