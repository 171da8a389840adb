//! Nodes around one stream, which does at once what the engines ask of the back plane.

use super::Chat;
use nacre_chat::{
    AccountId, BackAnswer, BackNews, BackRequest, Config, Feed, Input, Line, Place, Presence, Record, SessionId,
};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// Nodes around one stream.
pub struct Net {
    pub nodes: Vec<Chat>,
    pub up: Vec<bool>,
    pub stream: Vec<Arc<Line>>,
    pub feeds: Vec<HashSet<Feed>>,
    pub nicks: HashMap<Arc<str>, AccountId>,
    pub records: Vec<Record>,
    pub present: Vec<HashMap<AccountId, Presence>>,
    /// So many of the next lines do not reach the node.
    pub lose: Vec<usize>,
    /// The next so many publishes are done but answered as failed.
    pub lie: usize,
    /// No publish is taken.
    pub deaf: bool,
}

impl Net {
    pub fn new(count: u64) -> Self {
        let node = |number: u64| {
            let mut config = Config::new(&format!("node-{number}"), number);
            config.nodes = true;
            config.rules.guests = true;
            Chat::new(config)
        };
        let count_ = usize::try_from(count).unwrap();
        let mut net = Self {
            nodes: (0..count).map(node).collect(),
            up: vec![false; count_],
            stream: Vec::new(),
            feeds: vec![HashSet::new(); count_],
            nicks: HashMap::new(),
            records: Vec::new(),
            present: vec![HashMap::new(); count_],
            lose: vec![0; count_],
            lie: 0,
            deaf: false,
        };
        for node in 0..count_ {
            net.link(node, true);
        }
        net
    }

    pub fn link(&mut self, node: usize, up: bool) {
        self.up[node] = up;
        if !up {
            self.feeds[node].clear();
        }
        for record in if up { self.records.clone() } else { Vec::new() } {
            self.nodes[node].input(Input::Back(BackNews::Put(record)));
        }
        self.nodes[node].input(Input::Back(if up { BackNews::Up } else { BackNews::Down }));
        self.pump();
    }

    pub fn wait(&mut self, time: Duration) {
        for _ in 0..10 {
            for node in &mut self.nodes {
                node.wait(time / 10);
            }
            self.pump();
        }
    }

    pub fn type_(&mut self, node: usize, session: SessionId, text: &str) {
        self.nodes[node].type_(session, text);
        let now = self.nodes.iter().map(|node| node.now).max().unwrap();
        self.nodes.iter_mut().for_each(|node| node.now = now);
        self.pump();
    }

    pub fn join(&mut self, node: usize, name: &str) -> SessionId {
        let session = self.nodes[node].join(name);
        self.pump();
        session
    }

    pub fn hush(&mut self) {
        self.nodes.iter_mut().for_each(Chat::hush);
    }

    pub fn pump(&mut self) {
        while let Some(node) = (0..self.nodes.len()).find(|node| !self.nodes[*node].back.is_empty()) {
            let (request, what) = self.nodes[node].back.remove(0);
            if let Some(answer) = self.serve(node, what) {
                self.nodes[node].input(Input::BackAnswer { request, answer });
            }
        }
    }

    pub fn news(&mut self, except: Option<usize>, news: &BackNews) {
        for node in (0..self.nodes.len()).filter(|node| Some(*node) != except && self.up[*node]) {
            self.nodes[node].input(Input::Back(news.clone()));
        }
    }

    pub fn serve(&mut self, node: usize, what: BackRequest) -> Option<BackAnswer> {
        if !self.up[node] {
            let asked =
                matches!(what, BackRequest::Publish(_) | BackRequest::Backfill { .. } | BackRequest::ClaimNick { .. });
            return asked.then(|| BackAnswer::Failed("not connected".into()));
        }
        match what {
            BackRequest::Publish(_) if self.deaf => Some(BackAnswer::Failed("no space".into())),
            BackRequest::Publish(line) => {
                let sequence = self.publish(&line);
                if self.lie > 0 {
                    self.lie -= 1;
                    return Some(BackAnswer::Failed("timed out".into()));
                }
                Some(BackAnswer::Published { sequence })
            }
            BackRequest::Subscribe(feed) => {
                self.feeds[node].insert(feed);
                None
            }
            BackRequest::Unsubscribe(feed) => {
                self.feeds[node].remove(&feed);
                None
            }
            BackRequest::Backfill { feed, after, limit } => {
                let all = self.stream.iter().enumerate().map(|(at, line)| (at as u64 + 1, Arc::clone(line)));
                let mut lines: Vec<_> = all.filter(|(n, line)| *n > after && feed_of(line) == feed).collect();
                // Small steps, so that gaps of several steps are tried too.
                let limit = (limit as usize).min(3);
                let more = lines.len() > limit;
                lines.truncate(limit);
                Some(BackAnswer::Backfilled { lines, more })
            }
            BackRequest::ClaimNick { keys, account } => {
                if keys.both().any(|key| self.nicks.get(key).is_some_and(|owner| *owner != account)) {
                    return Some(BackAnswer::Taken);
                }
                self.nicks.extend(keys.both().map(|key| (Arc::clone(key), account)));
                Some(BackAnswer::Claimed)
            }
            BackRequest::ReleaseNick { keys, account } => {
                self.nicks.retain(|key, owner| *owner != account || !keys.both().any(|k| k == key));
                None
            }
            BackRequest::Present(presence) => {
                self.present[node].insert(presence.who.account, presence.clone());
                self.news(Some(node), &BackNews::Present(presence));
                None
            }
            BackRequest::Absent(account) => {
                self.present[node].remove(&account);
                let name = format!("node-{node}").into();
                self.news(Some(node), &BackNews::Absent { node: name, account });
                None
            }
            BackRequest::Put(record) => {
                self.records.retain(|old| old.key() != record.key() || !record.replaces(old));
                if !self.records.iter().any(|old| old.key() == record.key()) {
                    self.records.push(record.clone());
                }
                self.news(Some(node), &BackNews::Put(record));
                None
            }
            BackRequest::Delete(key) => {
                self.records.retain(|record| record.key() != key);
                self.news(Some(node), &BackNews::Delete(key));
                None
            }
        }
    }

    pub fn publish(&mut self, line: &Arc<Line>) -> u64 {
        if let Some(at) = self.stream.iter().position(|old| old.id == line.id) {
            return at as u64 + 1;
        }
        let previous = self.stream.iter().rposition(|old| old.place == line.place).map_or(0, |at| at as u64 + 1);
        self.stream.push(Arc::clone(line));
        let sequence = self.stream.len() as u64;
        let feed = feed_of(line);
        for node in 0..self.nodes.len() {
            if !self.up[node] || !self.feeds[node].contains(&feed) {
                continue;
            }
            if self.lose[node] > 0 {
                self.lose[node] -= 1;
                continue;
            }
            self.nodes[node].input(Input::Back(BackNews::Line { line: Arc::clone(line), sequence, previous }));
        }
        sequence
    }
}

fn feed_of(line: &Line) -> Feed {
    match &line.place {
        Place::Room(name) => Feed::Room(name.clone()),
        Place::Direct(_) => Feed::Directs,
    }
}

pub fn said(lines: Vec<String>) -> Vec<String> {
    lines.into_iter().filter(|line| !line.starts_with("[SYSTEM]")).collect()
}
