//! Accounts, rooms and bans: written where all nodes see them, the newer in place of the older.

use super::Node;
use super::link::{ATTEMPTS, Broken, Link, Refusal, value};
use super::names::{Bucket, read_record_key, record_key};
use super::text::{read_record, write_record};
use async_nats::Message;
use nacre_chat::{BackNews, Record, RecordKey};
use std::convert::Infallible;

/// Writes what was changed here.
pub(super) async fn write(node: &Node, link: &Link) -> Result<Infallible, Broken> {
    loop {
        let Some((key, record)) = node.desk.next_record() else {
            node.desk.records.notified().await;
            continue;
        };
        put(link, &key, record.as_ref()).await?;
        node.desk.written(&key, &record);
    }
}

/// Writes a record unless a newer one is there; deletes it if it is none.
async fn put(link: &Link, key: &RecordKey, record: Option<&Record>) -> Result<(), Broken> {
    let name = record_key(key);
    for _ in 0..ATTEMPTS {
        let there = link.get(Bucket::Records, &name).await?;
        let last = there.as_ref().map_or(0, |stored| stored.sequence);
        let old = there.and_then(|stored| read_record(stored.payload.as_deref()?));
        let written = match record {
            Some(record) if old.as_ref().is_some_and(|old| !record.replaces(old)) => return Ok(()),
            Some(record) => link.put(Bucket::Records, &name, last, write_record(record)).await?,
            None if old.is_none() => return Ok(()),
            None => link.delete(Bucket::Records, &name, last).await?,
        };
        match written {
            Ok(_) => return Ok(()),
            Err(Refusal::WrongLast) => {}
            Err(refusal) => return Err(Broken(format!("a record could not be written: {refusal}"))),
        }
    }
    Err(Broken("a record changes too fast".to_owned()))
}

/// Tells the engine all that is there; the number of the last of them.
pub(super) async fn tell_all(node: &Node, link: &Link) -> Result<u64, Broken> {
    let all = format!("{}>", Bucket::Records.prefix());
    let mut last = 0;
    while let Some(stored) = link.next(Bucket::Records.stream(), &all, last).await? {
        last = stored.sequence;
        let key = stored.subject.strip_prefix(Bucket::Records.prefix()).unwrap_or_default();
        tell(node, key, stored.payload.as_deref())?;
    }
    Ok(last)
}

/// Tells the engine what was written just now.
pub(super) fn came(node: &Node, key: &str, message: &Message) -> Result<(), Broken> {
    tell(node, key, value(message).map(|bytes| &**bytes))
}

fn tell(node: &Node, key: &str, payload: Option<&[u8]>) -> Result<(), Broken> {
    let news = match (read_record_key(key), payload) {
        (Some(key), None) => Some(BackNews::Delete(key)),
        (Some(key), Some(bytes)) => read_record(bytes).filter(|record| record.key() == key).map(BackNews::Put),
        (None, _) => None,
    };
    match news {
        Some(news) => node.news(news),
        None => {
            tracing::warn!("chat: a record of the other nodes cannot be read and is left out");
            Ok(())
        }
    }
}
