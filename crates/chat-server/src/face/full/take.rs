//! Events into panes.

use super::Full;
use super::item::{Fate, Item, Note, Said, Traffic};
use super::shape::is_named;
use super::theme::Look;
use nacre_chat::render::{View, plain};
use nacre_chat::{Author, Event, Leaving, Line, LineId, LineKind, Pair, Place, RoomName, Settings, Standing, Time};
use std::sync::Arc;

/// What the engine calls the past that is shown on entering a room.
const GREETING: &str = "Last lines";

impl Full {
    /// Takes an event in.
    pub(super) fn take(&mut self, event: &Event) {
        match event {
            Event::Line(line) => self.said(line, Fate::Kept),
            Event::Pending(line) if line.kind.target().is_none() => self.said(line, Fate::Pending),
            Event::Pending(_) | Event::Face(_) => {}
            Event::Confirmed { line, sequence } => self.confirmed(line, sequence.is_some()),
            Event::Lost { id, .. } => self.lost(*id, event),
            Event::Joined { room, who, at } => self.joined(room, who, *at),
            Event::Left { room, who, how, at } => self.left(room, who, how, *at, event),
            Event::NodeLeft { room, nicks, .. } => {
                self.in_room(room, |pane| nicks.iter().for_each(|nick| pane.people.remove(nick)));
                self.note_in(Some(&Place::Room(room.clone())), event);
            }
            Event::Renamed { old, who, .. } => self.renamed(old, who, event),
            Event::Away { who, message, .. } => self.is_away(who, message.is_some(), event),
            Event::Entered(room) => {
                let at = self.open(&Place::Room(room.name.clone()));
                if let Some(pane) = self.panes.all_mut().get_mut(at) {
                    pane.topic = Arc::clone(&room.topic);
                    pane.people.set(&room.people);
                }
                self.stale.bars = true;
            }
            Event::People { room: Some(room), people, .. } => {
                self.in_room(room, |pane| pane.people.set(people));
                self.note_in(None, event);
            }
            Event::Gone(room) => self.gone(room, event),
            Event::Focus(place) => self.focus(place.as_ref()),
            Event::Past { place, title, lines, more } => self.past(place.as_ref(), title, lines, *more),
            Event::Missed { place, .. } | Event::Apart { place, .. } => self.rule_in(Some(place), event),
            Event::Skipped { .. } => self.rule_in(None, event),
            Event::Linked(linked) => self.linked(*linked),
            Event::Notice { place, .. } => self.note_in(place.as_ref(), event),
            Event::Problem { draft, .. } => {
                if let Some(draft) = draft.as_ref().filter(|_| self.draft.text().is_empty()) {
                    self.draft.set(draft);
                    self.stale.prompt = true;
                }
                self.note_in(None, event);
            }
            Event::People { .. } | Event::Rooms { .. } => self.note_in(None, event),
            Event::Welcome { you, settings, .. } => {
                self.you = Some(you.clone());
                self.choose(settings);
                self.note_in(None, event);
            }
            Event::Chosen(settings) => self.choose(settings),
            Event::Clear => self.clear(),
            Event::Bye { .. } => {
                self.farewell = self.words(None, event, true);
                self.note_in(None, event);
            }
        }
    }

    fn choose(&mut self, settings: &Settings) {
        self.look = Look::chosen(settings, self.colours);
        self.settings = settings.clone();
        self.stale.all();
    }

    fn clear(&mut self) {
        if let Some(pane) = self.panes.current_mut() {
            pane.clear();
        }
        self.stale.text = true;
    }

    fn linked(&mut self, linked: bool) {
        self.linked = linked;
        self.stale.bars = true;
    }

    /// The pane of a place, made if there is none.
    fn open(&mut self, place: &Place) -> usize {
        self.stale.bars |= self.panes.find(place).is_none();
        let label = match place {
            Place::Room(room) => Arc::from(room.to_string()),
            Place::Direct(pair) => self.other(*pair),
        };
        self.panes.open(place, || label)
    }

    /// What the other one of a private talk is called; empty if that is not known yet.
    fn other(&self, pair: Pair) -> Arc<str> {
        let Some(you) = &self.you else { return Arc::from("") };
        let Some(other) = pair.other(you.account) else { return Arc::from("") };
        if other == you.account {
            return Arc::clone(&you.nick);
        }
        self.panes.all().iter().find_map(|pane| pane.nick_of(other)).unwrap_or_else(|| Arc::from(""))
    }

    fn in_room(&mut self, room: &RoomName, change: impl FnOnce(&mut super::pane::Pane)) {
        let pane = self.panes.find(&Place::Room(room.clone())).and_then(|at| self.panes.all_mut().get_mut(at));
        if let Some(pane) = pane {
            change(pane);
            self.stale.bars = true;
        }
    }

    /// A line goes where it was said.
    fn said(&mut self, line: &Arc<Line>, fate: Fate) {
        let at = self.open(&line.place);
        if let Some(pane) = self.panes.all_mut().get_mut(at) {
            name_talk(pane, line, self.you.as_ref());
            match line.kind {
                LineKind::Topic => {
                    pane.topic = Arc::clone(&line.body);
                    self.stale.bars = true;
                }
                LineKind::Edit(target) | LineKind::Delete(target) => {
                    self.stale.text = true;
                    if change(pane, line, target) {
                        return;
                    }
                }
                LineKind::Message | LineKind::Action => {}
            }
        }
        let said = self.item_of(line, at, fate);
        let (own, called) = (said.own, said.mention || matches!(line.place, Place::Direct(_)));
        let seen = match own {
            true => self.panes.push(at, Item::Said(said)),
            false => self.panes.push_said(at, Item::Said(said), called),
        };
        if seen {
            self.arrived();
        } else {
            self.stale.bars = true;
        }
    }

    /// Something came into the view. Where it ends shows in the bar only if the end is not seen.
    fn arrived(&mut self) {
        self.stale.text = true;
        self.stale.bars |= self.panes.current().is_some_and(super::pane::Pane::is_scrolled);
    }

    fn item_of(&self, line: &Arc<Line>, at: usize, fate: Fate) -> Said {
        let pane = self.panes.all().get(at);
        let mut said = match &self.you {
            Some(you) => Said::new(line, you.account),
            None => Said::new(line, nacre_chat::AccountId(!line.from.account.0)),
        };
        let answered = line.reply_to.and_then(|id| pane.and_then(|pane| pane.line(id)));
        said.answers = answered.map(|said| Arc::clone(&said.line));
        said.fate = fate;
        said.mention = !said.own && self.you.as_ref().is_some_and(|you| is_named(line, &you.nick));
        said
    }

    /// One's own line is kept. Where a stream gives the order, it goes to where it came out of the stream.
    fn confirmed(&mut self, line: &Arc<Line>, ordered: bool) {
        let Some(at) = self.panes.find(&line.place) else { return self.said(line, Fate::Kept) };
        let Some(pane) = self.panes.all_mut().get_mut(at) else { return };
        self.stale.text = true;
        if ordered {
            pane.take_out(line.id);
        }
        if let Some(said) = pane.lines_mut(line.id).next() {
            said.fate = Fate::Kept;
            return;
        }
        self.said(line, Fate::Kept);
    }

    fn lost(&mut self, id: LineId, event: &Event) {
        let said = self.panes.all_mut().iter_mut().find_map(|pane| pane.lines_mut(id).next());
        if let Some(said) = said {
            said.fate = Fate::Lost;
        }
        self.note_in(None, event);
    }

    fn joined(&mut self, room: &RoomName, who: &Author, at: Time) {
        self.in_room(room, |pane| pane.people.add(who));
        self.traffic(room, at, |traffic| traffic.came.add(&who.nick));
    }

    fn left(&mut self, room: &RoomName, who: &Author, how: &Leaving, at: Time, event: &Event) {
        self.in_room(room, |pane| pane.people.remove(&who.nick));
        let quietly = match how {
            Leaving::Quit => true,
            Leaving::Parted(reason) => reason.is_empty(),
            Leaving::Kicked { .. } => false,
        };
        if quietly {
            self.traffic(room, at, |traffic| traffic.left.add(&who.nick));
        } else {
            self.note_in(Some(&Place::Room(room.clone())), event);
        }
    }

    /// Somebody came or went: with the others who did, if nothing was said since.
    fn traffic(&mut self, room: &RoomName, at: Time, change: impl FnOnce(&mut Traffic)) {
        let Some(number) = self.panes.find(&Place::Room(room.clone())) else { return };
        let Some(pane) = self.panes.all_mut().get_mut(number) else { return };
        if let Some(Item::Traffic(traffic)) = pane.last_mut() {
            change(Arc::make_mut(traffic));
            self.stale.text = true;
            return;
        }
        let mut traffic = Traffic { at, came: Default::default(), left: Default::default() };
        change(&mut traffic);
        if self.panes.push(number, Item::Traffic(Arc::new(traffic))) {
            self.arrived();
        }
    }

    fn renamed(&mut self, old: &str, who: &Author, event: &Event) {
        if let Some(you) = self.you.as_mut().filter(|you| you.account == who.account) {
            you.nick = Arc::clone(&who.nick);
        }
        for pane in self.panes.all_mut() {
            pane.people.rename(old, who);
            if matches!(pane.place, Some(Place::Direct(_))) && &*pane.label == old {
                pane.label = Arc::clone(&who.nick);
            }
        }
        self.stale.bars = true;
        self.note_in(None, event);
    }

    fn is_away(&mut self, who: &Author, away: bool, event: &Event) {
        if self.you.as_ref().is_some_and(|you| you.account == who.account) {
            self.away = away;
        }
        let view = self.panes.view();
        let mut seen = false;
        for (number, pane) in self.panes.all_mut().iter_mut().enumerate() {
            seen |= pane.people.set_away(&who.nick, away) && number == view;
        }
        self.stale.bars = true;
        if seen {
            self.note_in(None, event);
        }
    }

    fn gone(&mut self, room: &RoomName, event: &Event) {
        self.panes.close(room);
        self.stale.bars = true;
        self.note_in(None, event);
    }

    /// What is typed goes there from now on. What was asked for by looking there does not move the view once more.
    fn focus(&mut self, place: Option<&Place>) {
        self.at = place.cloned();
        let expected = self.going.take();
        if let Some(place) = place {
            let number = self.open(place);
            if expected.as_ref() != Some(place) {
                self.panes.look_at(number);
            }
        }
        self.stale.all();
    }

    /// Lines of the past: those of the room one enters at its beginning, others as a block of their own.
    fn past(&mut self, place: Option<&Place>, title: &str, lines: &[Arc<Line>], more: bool) {
        let at = match place {
            Some(place) => self.open(place),
            None => self.panes.view(),
        };
        let greeting = title == GREETING;
        if !greeting {
            self.panes.push(at, Item::Rule(format!("— {title} —").into()));
        }
        if let Some(first) = lines.first().filter(|_| more && !greeting) {
            self.panes.push(at, Item::Rule(format!("— more: /history before {} —", first.id.short()).into()));
        }
        for line in lines {
            if greeting && self.panes.all().get(at).is_some_and(|pane| pane.line(line.id).is_some()) {
                continue;
            }
            let mut said = self.item_of(line, at, Fate::Kept);
            said.found = place.is_none();
            if let Some(pane) = self.panes.all_mut().get_mut(at).filter(|_| place.is_some()) {
                name_talk(pane, line, self.you.as_ref());
            }
            self.panes.push(at, Item::Said(said));
        }
        if !greeting {
            self.panes.push(at, Item::Rule(Arc::from("— so far —")));
        }
        self.stale.all();
    }

    /// The event in words, in the pane of a place or in the one looked at.
    fn note_in(&mut self, place: Option<&Place>, event: &Event) {
        let number = place.and_then(|place| self.panes.find(place)).unwrap_or(self.panes.view());
        let Some(text) = self.words(Some(number), event, false) else { return };
        let alarm = matches!(event, Event::Problem { .. } | Event::Lost { .. });
        let note = Note { at: time_of(event), alarm, text };
        if self.panes.push(number, Item::Note(Arc::new(note))) {
            self.arrived();
        }
    }

    fn rule_in(&mut self, place: Option<&Place>, event: &Event) {
        let number = match place {
            Some(place) => self.open(place),
            None => self.panes.view(),
        };
        if let Some(text) = self.words(Some(number), event, false)
            && self.panes.push(number, Item::Rule(text.into()))
        {
            self.arrived();
        }
    }

    /// An event as the plain face says it.
    fn words(&self, pane: Option<usize>, event: &Event, times: bool) -> Option<String> {
        let settings = Settings { times, ..self.settings.clone() };
        let at = pane.and_then(|number| self.panes.all().get(number)).and_then(|pane| pane.place.as_ref());
        let you = self.you.as_ref().map_or(nacre_chat::AccountId(0), |you| you.account);
        let lines = plain(event, View { you, at, settings: &settings });
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}

/// A private talk gets its name from the first line of it that says one.
fn name_talk(pane: &mut super::pane::Pane, line: &Line, you: Option<&Author>) {
    let (Place::Direct(_), Some(you)) = (&line.place, you) else { return };
    let other = if line.from.account == you.account { line.to.as_ref() } else { Some(&line.from.nick) };
    if let Some(other) = other {
        pane.label = Arc::clone(other);
    }
}

/// Changes the line that an edit or a deletion is about; only its author may. False if it is not here.
fn change(pane: &mut super::pane::Pane, line: &Line, target: LineId) -> bool {
    let standing = if matches!(line.kind, LineKind::Edit(_)) { Standing::Edited } else { Standing::Deleted };
    let mut found = false;
    for said in pane.lines_mut(target).filter(|said| said.line.from.account == line.from.account) {
        said.change(&line.body, standing);
        found = true;
    }
    found
}

fn time_of(event: &Event) -> Option<Time> {
    match event {
        Event::Welcome { at, .. }
        | Event::Joined { at, .. }
        | Event::Left { at, .. }
        | Event::NodeLeft { at, .. }
        | Event::Renamed { at, .. }
        | Event::Away { at, .. }
        | Event::Notice { at, .. }
        | Event::Problem { at, .. }
        | Event::People { at, .. }
        | Event::Rooms { at, .. }
        | Event::Bye { at, .. } => Some(*at),
        _ => None,
    }
}
