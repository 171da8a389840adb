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
#[derive(Debug)]
pub(super) struct Afar {
    own: Arc<str>,
    started: u64,
    nodes: HashMap<Arc<str>, Heard>,
    warned: bool,
}

impl Afar {
    /// Not this node.
    pub(super) fn new(own: Arc<str>, started: u64) -> Self {
        Self { own, started, nodes: HashMap::new(), warned: false }
    }

    /// What was written in the bucket, as news.
    pub(super) fn came(&mut self, now: Instant, key: &str, payload: Option<&[u8]>) -> Vec<BackNews> {
        let mut news = Vec::new();
        match read_presence_key(key) {
            Some(PresenceKey::Node(name)) if *name == *self.own => self.warn(payload.and_then(read_node)),
            Some(PresenceKey::Person(_, name)) if *name == *self.own => {}
            Some(PresenceKey::Node(name)) => match payload {
                Some(bytes) => {
                    read_node(bytes).and_then(|started| self.hear(now, name, started, &mut news));
                }
                None => {
                    let gone = self.nodes.remove_entry(name);
                    news.extend(gone.map(|(node, _)| BackNews::NodeGone { node }));
                }
            },
            Some(PresenceKey::Person(account, name)) => match payload {
                Some(bytes) => {
                    self.person_came(now, name, account, bytes, &mut news);
                }
                None => {
                    let known = self.nodes.get_mut(name).and_then(|heard| heard.people.remove(&account));
                    news.extend(known.map(|_| BackNews::Absent { node: Arc::from(name), account }));
                }
            },
            None => {}
        }
        news
    }

    /// Somebody is there, on that node.
    fn person_came(
        &mut self,
        now: Instant,
        name: &str,
        account: AccountId,
        bytes: &[u8],
        news: &mut Vec<BackNews>,
    ) -> Option<()> {
        let Told { started, presence } = read_person(bytes)?;
        if presence.who.account != account || *presence.node != *name {
            return None;
        }
        let people = &mut self.hear(now, name, started, news)?.people;
        if people.len() < PEOPLE || people.contains_key(&account) {
            people.insert(account, now);
            news.push(BackNews::Present(presence));
        }
        Some(())
    }

    /// This node hears of itself; if one that was started later has the same name, that is another.
    fn warn(&mut self, started: Option<u64>) {
        let other = started.is_some_and(|started| started > self.started);
        if other && !std::mem::replace(&mut self.warned, true) {
            tracing::error!("chat: another server calls itself {} too: give one of them another ChatNode", self.own);
        }
    }

    /// Something was heard of a node; none if it was from before its last start.
    fn hear(&mut self, now: Instant, name: &str, started: u64, news: &mut Vec<BackNews>) -> Option<&mut Heard> {
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
    pub(super) fn sweep(&mut self, now: Instant) -> Vec<BackNews> {
        let is_there = |last: Instant| now.duration_since(last) < PRESENCE_AGE;
        let mut news = Vec::new();
        self.nodes.retain(|name, heard| {
            if !is_there(heard.last) {
                news.push(BackNews::NodeGone { node: Arc::clone(name) });
                return false;
            }
            heard.people.retain(|account, last| {
                if !is_there(*last) {
                    news.push(BackNews::Absent { node: Arc::clone(name), account: *account });
                }
                is_there(*last)
            });
            true
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use nacre_chat::{Author, Time};

    fn person(started: u64) -> Vec<u8> {
        let who = Author { account: AccountId(7), nick: Arc::from("bob"), verified: true, key: None };
        let presence = Presence { node: Arc::from("b"), who, rooms: Vec::new(), away: None, since: Time(1) };
        write_person(&Told { started, presence })
    }

    fn words(news: &[BackNews]) -> Vec<&'static str> {
        let word = |news: &BackNews| match news {
            BackNews::Present(_) => "present",
            BackNews::Absent { .. } => "absent",
            BackNews::NodeGone { .. } => "gone",
            _ => "?",
        };
        news.iter().map(word).collect()
    }

    #[test]
    fn who_is_not_heard_of_any_more_is_gone() {
        let (mut afar, start) = (Afar::new(Arc::from("a"), 1), Instant::now());
        let (node, bob) = (node_key("b"), person_key(AccountId(7), "b"));
        assert_eq!(words(&afar.came(start, &bob, Some(&person(5)))), ["present"]);
        assert_eq!(words(&afar.sweep(start + PRESENCE_AGE / 2)), [""; 0]);
        // The node is heard of, but nobody on it.
        afar.came(start + PRESENCE_AGE / 2, &node, Some(&write_node(5)));
        assert_eq!(words(&afar.sweep(start + PRESENCE_AGE)), ["absent"]);
        afar.came(start + PRESENCE_AGE, &bob, Some(&person(5)));
        assert_eq!(words(&afar.sweep(start + PRESENCE_AGE * 2)), ["gone"]);
        assert_eq!(words(&afar.sweep(start + PRESENCE_AGE * 3)), [""; 0]);
    }

    #[test]
    fn a_node_that_was_started_again_has_lost_its_people() {
        let (mut afar, now) = (Afar::new(Arc::from("a"), 1), Instant::now());
        let (node, bob) = (node_key("b"), person_key(AccountId(7), "b"));
        afar.came(now, &bob, Some(&person(5)));
        assert_eq!(words(&afar.came(now, &node, Some(&write_node(6)))), ["gone"]);
        // What was told before the start comes late.
        assert_eq!(words(&afar.came(now, &bob, Some(&person(5)))), [""; 0]);
        assert_eq!(words(&afar.came(now, &bob, Some(&person(6)))), ["present"]);
        assert_eq!(words(&afar.came(now, &bob, None)), ["absent"]);
        assert_eq!(words(&afar.came(now, &person_key(AccountId(8), "b"), Some(&person(6)))), [""; 0]);
        assert_eq!(words(&afar.came(now, &node_key("a"), Some(&write_node(9)))), [""; 0]);
    }
}
