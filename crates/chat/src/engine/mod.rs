//! The engine: all state, and one way in.

mod admin;
mod back;
mod bans;
mod commands;
mod completing;
mod keys;
mod lines;
mod login;
mod moderate;
mod modes;
mod past;
mod people;
mod presence;
mod rooms;
mod settings;
mod shared;
mod speak;
mod state;
mod stream;

pub use state::{Config, Rules};

use crate::effect::{Audience, Audit, BackRequest, Effect, PasswordRequest, StoreRequest};
use crate::event::Event;
use crate::id::{AccountId, IdSource, LineId, RequestId, SessionId};
use crate::input::{Input, Loaded, PasswordAnswer, StoreAnswer};
use crate::line::Place;
use crate::record::Record;
use crate::text::{clean, clean_line};
use crate::time::Time;
use state::{State, Waiting};
use std::sync::Arc;

/// The chat. See the [crate's page](crate) for how it is driven.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    now: Time,
    ids: IdSource,
    next_request: u64,
    out: Vec<Effect>,
    state: State,
}

impl Engine {
    /// An engine that holds nothing yet.
    pub fn new(config: Config) -> Self {
        let ids = IdSource::new(config.run);
        let mut state = State::default();
        state.kept = config.rules.looks();
        Self { config, now: Time(0), ids, next_request: 0, out: Vec::new(), state }
    }

    /// Something happened at `now`: returns what is to be done, in order. Time that runs backwards
    /// is taken to stand still.
    pub fn handle(&mut self, now: Time, input: Input) -> Vec<Effect> {
        self.now = self.now.max(now);
        match input {
            Input::Load(loaded) => self.load(loaded),
            Input::Connect(connect) => self.connect(*connect),
            Input::Typed { session, bytes } => self.typed(session, bytes),
            Input::Command { session, command } => self.ordered(session, command),
            Input::Read { session, place, line } => self.has_read(session, &place, line),
            Input::Disconnect(session) => self.disconnect(session),
            Input::Tick => self.tick(),
            Input::Stored { request, answer } => self.stored(request, answer),
            Input::Password { request, answer } => self.password(request, answer),
            Input::BackAnswer { request, answer } => {
                if let Some(waiting) = self.state.waiting.remove(&request) {
                    self.back_answered(waiting, answer);
                }
            }
            Input::Back(news) => self.news(news),
            Input::Rules(rules) => {
                self.state.kept = rules.looks();
                self.config.rules = *rules;
            }
            Input::Admin { ticket, request } => self.admin(ticket, request),
        }
        std::mem::take(&mut self.out)
    }

    /// When [`Input::Tick`] is due; none if nothing waits for time.
    pub fn next_timeout(&self) -> Option<Time> {
        let late = self.state.late.first().map(|(time, _)| *time);
        late.into_iter().chain(self.state.write_at).chain(self.nodes_due()).min()
    }

    fn tick(&mut self) {
        self.say_what_was_late();
        self.tick_nodes();
        if self.state.write_at.is_some_and(|due| due <= self.now) {
            self.write_marks();
        }
    }

    /// Writes the records whose changes could wait.
    fn write_marks(&mut self) {
        self.state.write_at = None;
        for account in std::mem::take(&mut self.state.dirty) {
            self.change_account(account, |_, _| {});
        }
    }

    fn load(&mut self, loaded: Loaded) {
        for record in loaded.records {
            // Until the others show that they have it: this node may have been alone so far.
            if self.config.nodes {
                self.state.unsent.insert(record.key());
            }
            self.take_record(record);
        }
        for (place, position) in loaded.positions {
            self.taken_before(&place, position);
        }
        for line in loaded.recent {
            self.state.talk(&line.place).add(&line);
        }
        for line in loaded.unsent.into_iter().filter(|_| self.config.nodes) {
            self.state.shown.insert(line.id);
            self.state.apart.entry(line.place.clone()).or_default().push_back(line);
        }
    }

    /// Takes a record as it is, from the store or another node.
    fn take_record(&mut self, record: Record) {
        match record {
            Record::Account(account) => self.state.put_account(account),
            Record::Room(room) => self.state.put_room(room),
            Record::Ban(ban) => {
                self.state.bans.insert(ban.id, ban);
            }
        }
    }

    fn stored(&mut self, request: RequestId, answer: StoreAnswer) {
        let Some(waiting) = self.state.waiting.remove(&request) else { return };
        match (waiting, answer) {
            (Waiting::Kept(line), StoreAnswer::Kept) => self.confirmed(&line, None),
            (Waiting::Kept(line), StoreAnswer::Failed(why)) => self.lost(&line, &why),
            (waiting, answer) => self.past_came(waiting, answer),
        }
    }

    fn password(&mut self, request: RequestId, answer: PasswordAnswer) {
        let Some(waiting) = self.state.waiting.remove(&request) else { return };
        match (waiting, answer) {
            (Waiting::Enter { session, room }, PasswordAnswer::Verified(true)) => self.password_fits(session, &room),
            (Waiting::Enter { session, room }, PasswordAnswer::Verified(false)) => {
                self.problem(session, format!("That is not the password of {room}"));
            }
            (Waiting::Lock { session, room }, PasswordAnswer::Hash(hash)) => self.lock(session, &room, hash),
            (Waiting::Enter { session, .. } | Waiting::Lock { session, .. }, PasswordAnswer::Failed(why)) => {
                self.problem(session, format!("The password could not be checked: {why}"));
            }
            _ => {}
        }
    }

    fn line_id(&mut self) -> LineId {
        LineId(self.ids.next(self.now))
    }

    /// A new request's number, remembering what its answer is for.
    fn request(&mut self, waiting: Option<Waiting>) -> RequestId {
        self.next_request += 1;
        let request = RequestId(self.next_request);
        if let Some(waiting) = waiting {
            self.state.waiting.insert(request, waiting);
        }
        request
    }

    /// Asks the store.
    fn ask_store(&mut self, what: StoreRequest, waiting: Option<Waiting>) {
        let request = self.request(waiting);
        self.out.push(Effect::Store { request, what });
    }

    fn show(&mut self, session: SessionId, event: Event) {
        self.out.push(Effect::Show { to: Audience::One(session), event: Arc::new(event), ring: self.state.nobody() });
    }

    /// Shows to all sessions of an account that are here.
    fn show_account(&mut self, account: AccountId, event: Event) {
        let Some(here) = self.state.here.get(&account) else { return };
        let to = Audience::Many { sessions: here.sessions.clone().into(), except: self.state.nobody() };
        self.out.push(Effect::Show { to, event: Arc::new(event), ring: self.state.nobody() });
    }

    fn notice(&mut self, session: SessionId, text: impl Into<Arc<str>>) {
        let place = self.state.sessions.get(&session).and_then(|s| s.at.clone());
        let at = self.now;
        self.show(session, Event::Notice { place, text: text.into(), at });
    }

    fn problem(&mut self, session: SessionId, text: impl Into<Arc<str>>) {
        self.problem_with(session, text, None);
    }

    fn problem_with(&mut self, session: SessionId, text: impl Into<Arc<str>>, draft: Option<Arc<str>>) {
        // A program's text comes here as it was sent.
        let draft = draft.map(|draft| Arc::from(clean(draft.as_bytes())));
        let at = self.now;
        self.show(session, Event::Problem { text: text.into(), draft, at });
    }

    /// One line of audit about what a session did.
    fn audit(&mut self, session: SessionId, what: &'static str, target: &str, detail: &str) {
        let (by, key) = self
            .state
            .sessions
            .get(&session)
            .map_or_else(|| (Arc::from("-"), None), |s| (self.state.nick_of(s.account), s.key.clone()));
        let clean = |text: &str| Arc::from(clean_line(text.as_bytes(), crate::limits::PHRASE_BYTES));
        let (target, detail) = (clean(target), clean(detail));
        self.out.push(Effect::Audit(Audit { at: self.now, by, key, what, target, detail }));
    }

    fn has_read(&mut self, session: SessionId, place: &Place, line: LineId) {
        let Some(account) = self.state.sessions.get(&session).map(|s| s.account) else { return };
        let own = match place {
            Place::Room(name) => self.state.is_member(account, name),
            Place::Direct(pair) => pair.other(account).is_some(),
        };
        if own {
            self.mark_read(account, place, line);
        }
    }

    fn ask_back(&mut self, what: BackRequest, waiting: Option<Waiting>) {
        let request = self.request(waiting);
        self.out.push(Effect::Back { request, what });
    }

    fn ask_password(&mut self, what: PasswordRequest, waiting: Waiting) {
        let request = self.request(Some(waiting));
        self.out.push(Effect::Password { request, what });
    }
}
