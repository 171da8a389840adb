//! What other nodes say and change, as it happens.

use super::link::{Broken, Link, numbers};
use super::names::{Bucket, CHAT, LIVE, subject};
use super::text::read_line;
use super::{Node, presence, records};
use async_nats::{Message, Subscriber};
use futures_util::StreamExt;
use nacre_chat::{BackNews, Feed};
use std::convert::Infallible;
use std::sync::Arc;

/// Hears everything that is stored, from now on.
pub(super) async fn listen(link: &Link) -> Result<Subscriber, Broken> {
    let heard = link.0.subscribe(super::names::ALL_LIVE).await.map_err(|error| Broken(error.to_string()))?;
    // The server has taken note of it before anything else is asked.
    link.0.flush().await.map_err(|error| Broken(error.to_string()))?;
    Ok(heard)
}

/// Passes on what is heard. `records` is the number of the last record that is known already.
pub(super) async fn pass_on(node: &Node, heard: &mut Subscriber, mut records: u64) -> Result<Infallible, Broken> {
    while let Some(message) = heard.next().await {
        let subject = message.subject.as_str();
        if let Some(key) = Bucket::Records.live().and_then(|live| subject.strip_prefix(live)) {
            let (sequence, _) = numbers(&message).unwrap_or_default();
            if sequence <= records {
                continue;
            }
            if sequence != records.saturating_add(1) {
                return Err(Broken("a change of a record got lost".to_owned()));
            }
            records = sequence;
            records::came(node, key, &message)?;
        } else if let Some(key) = Bucket::Presence.live().and_then(|live| subject.strip_prefix(live)) {
            presence::came(node, key, &message)?;
        } else {
            line(node, &message)?;
        }
    }
    Err(Broken("the subscription ended".to_owned()))
}

fn line(node: &Node, message: &Message) -> Result<(), Broken> {
    let Some((sequence, previous)) = numbers(message) else { return Ok(()) };
    let line = read_line(&message.payload)
        .filter(|line| message.subject.strip_prefix(LIVE) == subject(&line.place).strip_prefix("nx."));
    let Some(line) = line else {
        tracing::warn!("chat: line {sequence} of {CHAT} cannot be read and is left out");
        return Ok(());
    };
    if !node.desk.listens_to(&Feed::of(&line.place)) {
        return Ok(());
    }
    node.news(BackNews::Line { line: Arc::new(line), sequence, previous })
}
