//! A chat in memory: an engine whose effects are done at once, with a store that is a list.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod net;

use nacre_chat::{
    AdminAnswer, Audit, BackRequest, Config, Connect, Effect, Engine, Event, Face, Input, Line, LineId, PasswordAnswer,
    PasswordRequest, Place, Proof, Range, Record, RecordKey, RequestId, SessionId, Settings, Standing, StoreAnswer,
    StoreRequest, Time, render,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// The chat.
pub struct Chat {
    pub engine: Engine,
    pub now: Time,
    pub seen: BTreeMap<SessionId, Vec<Arc<Event>>>,
    pub rung: BTreeMap<SessionId, usize>,
    pub closed: BTreeMap<SessionId, String>,
    pub audit: Vec<Audit>,
    pub admin: Option<AdminAnswer>,
    pub lines: Vec<Arc<Line>>,
    /// The numbers in the stream of those that have one.
    pub numbers: BTreeMap<LineId, u64>,
    pub records: BTreeMap<String, Record>,
    /// What the back plane was asked, to be answered by the test.
    pub back: Vec<(RequestId, BackRequest)>,
    /// Whether the store answers.
    pub store_works: bool,
    next: u64,
}

impl Chat {
    pub fn new(config: Config) -> Self {
        Self {
            engine: Engine::new(config),
            now: Time(1_700_000_000_000),
            seen: BTreeMap::new(),
            rung: BTreeMap::new(),
            closed: BTreeMap::new(),
            audit: Vec::new(),
            admin: None,
            lines: Vec::new(),
            numbers: BTreeMap::new(),
            records: BTreeMap::new(),
            back: Vec::new(),
            store_works: true,
            next: 0,
        }
    }

    pub fn open() -> Self {
        Self::new(Config::new("one", 1))
    }

    pub fn input(&mut self, input: Input) {
        let effects = self.engine.handle(self.now, input);
        for effect in effects {
            self.perform(effect);
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Show { to, event, ring } => {
                for session in to.sessions() {
                    self.seen.entry(session).or_default().push(Arc::clone(&event));
                }
                for session in ring.iter() {
                    *self.rung.entry(*session).or_default() += 1;
                }
            }
            Effect::Close { session, reason } => {
                self.closed.insert(session, reason.to_string());
            }
            Effect::Store { request, what } => {
                let answer = self.store(what);
                self.input(Input::Stored { request, answer });
            }
            Effect::Password { request, what } => {
                let answer = match what {
                    PasswordRequest::Hash(secret) => PasswordAnswer::Hash(format!("hash of {}", secret.0).into()),
                    PasswordRequest::Verify { password, hash } => {
                        PasswordAnswer::Verified(*hash == *format!("hash of {}", password.0))
                    }
                };
                self.input(Input::Password { request, answer });
            }
            Effect::Back { request, what } => self.back.push((request, what)),
            Effect::Audit(audit) => self.audit.push(audit),
            Effect::Admin { answer, .. } => self.admin = Some(answer),
        }
    }

    fn store(&mut self, what: StoreRequest) -> StoreAnswer {
        if !self.store_works {
            return StoreAnswer::Failed("the disk is full".into());
        }
        match what {
            StoreRequest::Append { line, sequence } => {
                self.numbers.extend(sequence.map(|number| (line.id, number)));
                if !self.lines.iter().any(|old| old.id == line.id) {
                    self.lines.push(line);
                }
                StoreAnswer::Kept
            }
            StoreRequest::Number { line, sequence } => {
                self.numbers.insert(line, sequence);
                StoreAnswer::Kept
            }
            StoreRequest::Put(record) => {
                self.records.insert(format!("{:?}", record.key()), record);
                StoreAnswer::Kept
            }
            StoreRequest::Delete(key) => {
                self.records.remove(&format!("{key:?}"));
                StoreAnswer::Kept
            }
            StoreRequest::History(query) => {
                let from = query.not_before.unwrap_or(Time(0));
                let mut lines: Vec<Arc<Line>> =
                    self.drawn().into_iter().filter(|line| line.place == query.place && line.at >= from).collect();
                let limit = query.limit as usize;
                let at = |id: LineId| lines.iter().position(|line| line.id == id);
                let (start, end) = match query.range {
                    Range::Latest => (lines.len().saturating_sub(limit), lines.len()),
                    Range::Since(time) => {
                        let start = lines.iter().position(|line| line.at >= time).unwrap_or(lines.len());
                        (start.max(lines.len().saturating_sub(limit)), lines.len())
                    }
                    Range::Before(id) => at(id).map_or((0, 0), |end| (end.saturating_sub(limit), end)),
                    Range::After(id) => at(id).map_or((0, 0), |start| (start + 1, lines.len().min(start + 1 + limit))),
                    Range::Around(id) => at(id)
                        .map_or((0, 0), |mid| (mid.saturating_sub(limit / 2), lines.len().min(mid + limit / 2 + 1))),
                };
                let more = start > 0;
                lines = lines[start..end].to_vec();
                StoreAnswer::Lines { lines, more }
            }
            StoreRequest::Search(query) => {
                let words: Vec<String> = query.words.split_whitespace().map(str::to_lowercase).collect();
                let may = |line: &Line| {
                    if let (Place::Direct(pair), Some(account)) = (&line.place, query.directs_of) {
                        return pair.other(account).is_some();
                    }
                    let place = query.places.iter().find(|(place, _)| *place == line.place);
                    place.is_some_and(|(_, since)| since.is_none_or(|since| line.at >= since))
                        && query.from.is_none_or(|from| line.from.account == from)
                };
                let has = |line: &Line| words.iter().all(|word| line.body.to_lowercase().contains(word));
                let lines = self.drawn().into_iter().filter(|line| may(line) && has(line)).collect();
                StoreAnswer::Lines { lines, more: false }
            }
            StoreRequest::Count { place, after, not_before, not_by } => {
                let drawn = self.drawn();
                let count = drawn.iter().filter(|line| {
                    line.place == place
                        && after.is_none_or(|after| line.id > after)
                        && not_before.is_none_or(|time| line.at >= time)
                        && line.from.account != not_by
                });
                StoreAnswer::Count(count.count() as u64)
            }
            StoreRequest::Inbox { account, after, limit } => {
                let mine = |line: &Arc<Line>| match &line.place {
                    Place::Direct(pair) => pair.other(account).is_some() && line.from.account != account,
                    Place::Room(_) => false,
                };
                let lines: Vec<Arc<Line>> =
                    self.drawn().into_iter().filter(|line| mine(line) && after.is_none_or(|a| line.id > a)).collect();
                let start = lines.len().saturating_sub(limit as usize);
                StoreAnswer::Lines { more: start > 0, lines: lines[start..].to_vec() }
            }
        }
    }

    /// The lines with edits and deletions applied.
    pub fn drawn(&self) -> Vec<Arc<Line>> {
        let mut out: Vec<Line> = Vec::new();
        for line in &self.lines {
            match line.kind.target() {
                None => out.push((**line).clone()),
                Some(target) => {
                    let found = out.iter_mut().find(|old| old.id == target && old.from.account == line.from.account);
                    if let Some(old) = found {
                        old.body = line.body.clone();
                        old.standing = if line.kind.word() == "edit" { Standing::Edited } else { Standing::Deleted };
                    }
                }
            }
        }
        out.into_iter().filter(|line| line.standing != Standing::Deleted).map(Arc::new).collect()
    }

    /// A session with the key and wished nick `name`.
    pub fn join(&mut self, name: &str) -> SessionId {
        self.enter(Proof::Key(format!("SHA256:{}", name.split(['+', '@']).next().unwrap()).into()), name)
    }

    pub fn enter(&mut self, proof: Proof, login: &str) -> SessionId {
        self.enter_as(proof, login, |_| {})
    }

    pub fn enter_as(&mut self, proof: Proof, login: &str, change: impl FnOnce(&mut Connect)) -> SessionId {
        self.next += 1;
        let session = SessionId(self.next);
        let mut connect = Connect {
            session,
            proof,
            login: login.as_bytes().into(),
            rooms: Vec::new(),
            address: Some("192.0.2.1".parse().unwrap()),
            client: b"SSH-2.0-Test"[..].into(),
            face: Face::Plain,
            since: None,
        };
        change(&mut connect);
        self.input(Input::Connect(Box::new(connect)));
        session
    }

    pub fn leave(&mut self, session: SessionId) {
        self.input(Input::Disconnect(session));
    }

    /// Types a line, slowly enough never to be delayed.
    pub fn type_(&mut self, session: SessionId, text: &str) {
        self.wait(Duration::from_millis(500));
        self.type_now(session, text.as_bytes());
    }

    pub fn type_now(&mut self, session: SessionId, bytes: &[u8]) {
        self.input(Input::Typed { session, bytes: bytes.into() });
    }

    pub fn wait(&mut self, time: Duration) {
        let end = self.now.after(time);
        while let Some(due) = self.engine.next_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.input(Input::Tick);
        }
        self.now = end;
        self.input(Input::Tick);
    }

    /// What a session was shown since the last call, as plain lines without times.
    pub fn read(&mut self, session: SessionId) -> Vec<String> {
        let settings = Settings { times: false, ..Settings::default() };
        let events = self.seen.remove(&session).unwrap_or_default();
        let you = nacre_chat::AccountId(0);
        let room = Place::parse("#lobby").unwrap();
        let view = render::View { you, at: Some(&room), settings: &settings };
        events.iter().flat_map(|event| render::plain(event, view)).collect()
    }

    /// The same as one text.
    pub fn screen(&mut self, session: SessionId) -> String {
        self.read(session).join("\n")
    }

    /// What a session was shown, as events.
    pub fn events(&mut self, session: SessionId) -> Vec<Arc<Event>> {
        self.seen.remove(&session).unwrap_or_default()
    }

    /// Forgets what everybody was shown.
    pub fn hush(&mut self) {
        self.seen.clear();
        self.rung.clear();
        self.audit.clear();
    }

    /// The same chat after a crash: a new engine with what the store holds.
    pub fn restart(&mut self, config: Config) {
        let node = config.node.clone();
        self.engine = Engine::new(config);
        self.seen.clear();
        self.back.clear();
        let mut positions: BTreeMap<Place, u64> = BTreeMap::new();
        let mut unsent = Vec::new();
        for line in &self.lines {
            match self.numbers.get(&line.id) {
                Some(number) => {
                    let last = positions.entry(line.place.clone()).or_default();
                    *last = (*last).max(*number);
                }
                None if line.node == node => unsent.push(line.clone()),
                None => {}
            }
        }
        let records = self.records.values().cloned().collect();
        let positions = positions.into_iter().collect();
        self.input(Input::Load(nacre_chat::Loaded { records, positions, unsent, recent: self.drawn() }));
    }

    pub fn has(&self, key: &RecordKey) -> bool {
        self.records.contains_key(&format!("{key:?}"))
    }
}

/// Everything in a set, for comparing without order.
pub fn set<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    items.into_iter().collect()
}
