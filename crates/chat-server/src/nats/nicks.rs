//! Whose a nick is: a key for each thing it looks like, written only where there was none.

use super::Node;
use super::desk::NickJob;
use super::link::{ATTEMPTS, Broken, Link, Refusal, Stored};
use super::names::{Bucket, nick_key, record_key};
use super::text::{read_owner, read_record, write_owner};
use nacre_chat::{AccountId, BackAnswer, Keys, Record, RecordKey};
use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::Instant;

/// How long an owner may take to write its account down before its claim counts for nothing.
const UNWRITTEN: Duration = Duration::from_secs(60);
/// Such claims that are remembered.
const STALE: usize = 10_000;

/// Claims and gives back, in the order asked.
pub(super) async fn settle(node: &Node, link: &Link) -> Result<Infallible, Broken> {
    let mut doubted = HashMap::new();
    loop {
        let Some(job) = node.desk.asked().nicks.front().cloned() else {
            node.desk.nicks.notified().await;
            continue;
        };
        match &job {
            NickJob::Claim { request, keys, account } => {
                let claimed = claim(link, keys, *account, &mut doubted).await?;
                node.desk.asked().nicks.pop_front();
                node.answer(*request, if claimed { BackAnswer::Claimed } else { BackAnswer::Taken })?;
            }
            NickJob::Release { keys, account } => {
                for look in looks(keys) {
                    release(link, look, *account).await?;
                }
                node.desk.asked().nicks.pop_front();
            }
        }
    }
}

/// Both things it looks like, in an order that is the same on every node.
fn looks(keys: &Keys) -> BTreeSet<&str> {
    keys.both().map(|look| &**look).collect()
}

async fn claim(
    link: &Link,
    keys: &Keys,
    account: AccountId,
    doubted: &mut HashMap<String, Instant>,
) -> Result<bool, Broken> {
    let mut taken = Vec::new();
    for look in looks(keys) {
        if !claim_look(link, look, account, doubted).await? {
            for look in taken {
                release(link, look, account).await?;
            }
            return Ok(false);
        }
        taken.push(look);
    }
    Ok(true)
}

async fn claim_look(
    link: &Link,
    look: &str,
    account: AccountId,
    doubted: &mut HashMap<String, Instant>,
) -> Result<bool, Broken> {
    let key = nick_key(look);
    let mut last = 0;
    for _ in 0..ATTEMPTS {
        match link.put(Bucket::Nicks, &key, last, write_owner(account)).await? {
            Ok(_) => return Ok(true),
            Err(Refusal::WrongLast) => {}
            Err(refusal) => return Err(Broken(format!("a nick could not be claimed: {refusal}"))),
        }
        let Some(found) = link.get(Bucket::Nicks, &key).await? else {
            last = 0;
            continue;
        };
        last = found.sequence;
        match owner(&found) {
            None => {}
            Some(owner) if owner == account => return Ok(true),
            Some(owner) if is_stale(link, look, owner, &found, doubted).await? => {}
            Some(_) => return Ok(false),
        }
    }
    Err(Broken("a nick changes hands too fast".to_owned()))
}

fn owner(found: &Stored) -> Option<AccountId> {
    read_owner(found.payload.as_deref()?)
}

/// Whether a claim counts for nothing: no account of that name was written in all the time since
/// somebody first wondered. Its node may have died in between.
async fn is_stale(
    link: &Link,
    look: &str,
    owner: AccountId,
    found: &Stored,
    doubted: &mut HashMap<String, Instant>,
) -> Result<bool, Broken> {
    let written = link.get(Bucket::Records, &record_key(&RecordKey::Account(owner))).await?;
    let record = written.and_then(|stored| read_record(stored.payload.as_deref()?));
    let uses_it = matches!(record, Some(Record::Account(account)) if looks(&account.nick.keys()).contains(look));
    let doubt = format!("{look} {}", found.sequence);
    if uses_it {
        doubted.remove(&doubt);
        return Ok(false);
    }
    if doubted.len() >= STALE {
        doubted.clear();
    }
    let since = *doubted.entry(doubt).or_insert_with(Instant::now);
    Ok(since.elapsed() >= UNWRITTEN)
}

async fn release(link: &Link, look: &str, account: AccountId) -> Result<(), Broken> {
    let key = nick_key(look);
    if let Some(found) = link.get(Bucket::Nicks, &key).await?
        && owner(&found) == Some(account)
    {
        // Whoever was quicker has it now.
        let _ = link.delete(Bucket::Nicks, &key, found.sequence).await?;
    }
    Ok(())
}
