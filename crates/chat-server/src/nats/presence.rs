//! Who is here, told to the other nodes again and again; and who is there, until nothing is heard
//! any more. NATS forgets by itself and tells nobody, so the clock here decides.

use super::Node;
use super::link::{Broken, Link, value};
use super::names::{Bucket, PresenceKey, node_key, person_key, read_presence_key};
use super::setup::PRESENCE_AGE;
use super::text::{Told, read_node, read_person, write_node, write_person};
use async_nats::Message;
use nacre_chat::{AccountId, BackNews, Presence};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often the same is told again.
const AGAIN: Duration = Duration::from_secs(15);
/// How often it is looked who is to be told of.
const LOOK: Duration = Duration::from_secs(1);
/// Nodes, and people on one of them, that are known at most.
const NODES: usize = 1_000;
const PEOPLE: usize = 100_000;

/// Tells of this node and who is on it.
pub(super) async fn tell(node: &Node, link: &Link) -> Result<Infallible, Broken> {
    let mut here: HashMap<AccountId, (Presence, Instant)> = HashMap::new();
    let mut node_told: Option<Instant> = None;
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        if node_told.is_none_or(|told| told.elapsed() >= AGAIN) {
            link.tell(Bucket::Presence, &node_key(&node.name), Some(write_node(node.started))).await?;
            node_told = Some(Instant::now());
        }
        let changed = std::mem::take(&mut node.desk.asked().people);
        for (account, presence) in changed {
            match presence {
                Some(presence) => {
                    tell_of(node, link, &presence).await?;
                    here.insert(account, (presence, Instant::now()));
                }
                None => {
                    here.remove(&account);
                    link.tell(Bucket::Presence, &person_key(account, &node.name), None).await?;
                }
            }
        }
        for (presence, told) in here.values_mut().filter(|(_, told)| told.elapsed() >= AGAIN) {
            tell_of(node, link, presence).await?;
            *told = Instant::now();
        }
        tokio::select! {
            _ = look.tick() => {}
            () = node.desk.people.notified() => {}
        }
    }
}

async fn tell_of(node: &Node, link: &Link, presence: &Presence) -> Result<(), Broken> {
    let told = Told { started: node.started, presence: presence.clone() };
    link.tell(Bucket::Presence, &person_key(presence.who.account, &node.name), Some(write_person(&told))).await
}

/// A node that was heard of.
#[derive(Debug)]
struct Heard {
    started: u64,
    last: Instant,
    people: HashMap<AccountId, Instant>,
}

/// All that were heard of. It outlives the link: while that is down, people there grow old.
#[derive(Debug, Default)]
pub(super) struct Afar {
    nodes: HashMap<Arc<str>, Heard>,
    warned: bool,
}

impl Afar {
    /// What was written in the bucket, as news.
    pub(super) fn came(&mut self, node: &Node, key: &str, payload: Option<&[u8]>) -> Vec<BackNews> {
        let mut news = Vec::new();
        match (read_presence_key(key), payload) {
            (Some(PresenceKey::Node(name)), _) if name == &*node.name => {
                let other = payload.and_then(read_node).is_some_and(|started| started > node.started);
                if other && !std::mem::replace(&mut self.warned, true) {
                    tracing::error!(
                        "chat: another server calls itself {name} too; give one of them a ChatNode of its own"
                    );
                }
            }
            (Some(PresenceKey::Node(name)), Some(bytes)) => {
                if let Some(started) = read_node(bytes) {
                    self.hear(name, started, &mut news);
                }
            }
            (Some(PresenceKey::Node(name)), None) => {
                if let Some((name, _)) = self.nodes.remove_entry(name) {
                    news.push(BackNews::NodeGone { node: name });
                }
            }
            (Some(PresenceKey::Person(_, name)), _) if name == &*node.name => {}
            (Some(PresenceKey::Person(account, name)), Some(bytes)) => {
                let told = read_person(bytes)
                    .filter(|told| told.presence.who.account == account && *told.presence.node == *name);
                let Some(told) = told else { return news };
                let Some(heard) = self.hear(name, told.started, &mut news) else { return news };
                if heard.people.len() < PEOPLE || heard.people.contains_key(&account) {
                    heard.people.insert(account, Instant::now());
                    news.push(BackNews::Present(told.presence));
                }
            }
            (Some(PresenceKey::Person(account, name)), None) => {
                let known = self.nodes.get_mut(name).is_some_and(|heard| heard.people.remove(&account).is_some());
                if known {
                    news.push(BackNews::Absent { node: Arc::from(name), account });
                }
            }
            (None, _) => {}
        }
        news
    }

    /// Something was heard of a node; none if it was from before its last start.
    fn hear(&mut self, name: &str, started: u64, news: &mut Vec<BackNews>) -> Option<&mut Heard> {
        let now = Instant::now();
        if !self.nodes.contains_key(name) {
            if self.nodes.len() >= NODES {
                return None;
            }
            self.nodes.insert(Arc::from(name), Heard { started, last: now, people: HashMap::new() });
        }
        let heard = self.nodes.get_mut(name)?;
        if heard.started > started {
            return None;
        }
        if heard.started < started {
            // Whoever was on it before is not there now, or is told of again.
            *heard = Heard { started, last: now, people: HashMap::new() };
            news.push(BackNews::NodeGone { node: Arc::from(name) });
        }
        heard.last = now;
        Some(heard)
    }

    /// Forgets whom nothing was heard of for too long.
    pub(super) fn sweep(&mut self) -> Vec<BackNews> {
        let mut news = Vec::new();
        self.nodes.retain(|name, heard| {
            let there = heard.last.elapsed() < PRESENCE_AGE;
            if there {
                heard.people.retain(|account, last| {
                    let there = last.elapsed() < PRESENCE_AGE;
                    if !there {
                        news.push(BackNews::Absent { node: Arc::clone(name), account: *account });
                    }
                    there
                });
            } else {
                news.push(BackNews::NodeGone { node: Arc::clone(name) });
            }
            there
        });
        news
    }
}

/// Tells the engine of all who are there.
pub(super) async fn tell_all(node: &Node, link: &Link) -> Result<(), Broken> {
    let all = format!("{}>", Bucket::Presence.prefix());
    let mut last = 0;
    while let Some(stored) = link.next(Bucket::Presence.stream(), &all, last).await? {
        last = stored.sequence;
        let key = stored.subject.strip_prefix(Bucket::Presence.prefix()).unwrap_or_default();
        node.heard(key, stored.payload.as_deref())?;
    }
    Ok(())
}

/// Tells the engine of somebody just now.
pub(super) fn came(node: &Node, key: &str, message: &Message) -> Result<(), Broken> {
    node.heard(key, value(message).map(|bytes| &**bytes))
}
