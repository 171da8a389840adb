//! One room or private talk: its past, its people, and how far one has scrolled back.

use super::brush::Painted;
use super::item::{Item, Said};
use super::roster::Roster;
use nacre_chat::{AccountId, LineId, Place};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

/// Items one pane keeps; more are asked for with `/history`.
pub(super) const KEPT: usize = 400;

/// A room or a private talk.
#[derive(Debug, Default)]
pub(super) struct Pane {
    /// Which; none for the one before any.
    pub place: Option<Place>,
    /// `#room`, or the other one's nick; empty while that is not known.
    pub label: Arc<str>,
    /// What it is about.
    pub topic: Arc<str>,
    /// Who is there.
    pub people: Roster,
    /// Lines that came while one was elsewhere.
    pub unread: u32,
    /// Whether one is named in them, or they are private.
    pub called: bool,
    items: VecDeque<Item>,
    /// The number of the first item; the others follow.
    first: u64,
    /// Where the view ends, when it is not at the end.
    bottom: Option<Bottom>,
}

/// The last row that is seen.
#[derive(Debug, Clone, Copy)]
struct Bottom {
    /// The number of its item.
    item: u64,
    /// How many rows of the item are below it.
    below: usize,
}

/// Gives the rows of an item.
type Rows<'a> = dyn Fn(&Item) -> Rc<Painted> + 'a;

impl Pane {
    /// An empty one.
    pub fn new(place: Option<Place>, label: Arc<str>) -> Self {
        Self { place, label, ..Self::default() }
    }

    /// How many items it keeps.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Puts an item at the end.
    pub fn push(&mut self, item: Item) {
        self.items.push_back(item);
        if self.items.len() > KEPT {
            self.drop_oldest();
        }
    }

    /// A line came that is not seen at once.
    pub fn push_unseen(&mut self, item: Item, called: bool) {
        if self.unread == 0 {
            self.items.retain(|item| *item != Item::Unseen);
            self.push(Item::Unseen);
        }
        self.unread = self.unread.saturating_add(1);
        self.called |= called;
        self.push(item);
    }

    /// It is looked at.
    pub fn seen(&mut self) {
        self.unread = 0;
        self.called = false;
    }

    /// Forgets the oldest item.
    pub fn drop_oldest(&mut self) {
        if self.items.pop_front().is_some() {
            self.first += 1;
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.first += u64::try_from(self.items.len()).unwrap_or(0);
        self.items.clear();
        self.bottom = None;
    }

    /// The last item.
    pub fn last_mut(&mut self) -> Option<&mut Item> {
        self.items.back_mut()
    }

    /// Takes out the line that is shown as pending, to put it where it belongs.
    pub fn take_out(&mut self, id: LineId) -> Option<Said> {
        let at = self.items.iter().rposition(|item| matches!(item, Item::Said(said) if said.line.id == id))?;
        match self.items.remove(at)? {
            Item::Said(said) => Some(said),
            _ => None,
        }
    }

    /// The lines with that id; more than one where the past was shown again.
    pub fn lines_mut(&mut self, id: LineId) -> impl Iterator<Item = &mut Said> {
        self.items.iter_mut().rev().filter_map(move |item| match item {
            Item::Said(said) if said.line.id == id => Some(said),
            _ => None,
        })
    }

    /// The newest line with that id.
    pub fn line(&self, id: LineId) -> Option<&Said> {
        self.lines().find(|said| said.line.id == id)
    }

    /// All lines, the newest first.
    pub fn lines(&self) -> impl Iterator<Item = &Said> {
        self.items.iter().rev().filter_map(|item| match item {
            Item::Said(said) => Some(said),
            _ => None,
        })
    }

    /// The nick of an account, from who is there and what was said.
    pub fn nick_of(&self, account: AccountId) -> Option<Arc<str>> {
        let said = || self.lines().find(|said| said.line.from.account == account).map(|said| &said.line.from.nick);
        self.people.nick_of(account).or_else(said).cloned()
    }

    /// Whether the view is not at the end.
    pub fn is_scrolled(&self) -> bool {
        self.bottom.is_some()
    }

    /// Goes back to the end.
    pub fn follow(&mut self) {
        self.bottom = None;
    }

    /// The rows to show in `height`, from the top: of which item, and which of its rows.
    pub fn visible(&self, height: usize, rows: &Rows<'_>) -> Vec<(Rc<Painted>, usize)> {
        let mut out = Vec::with_capacity(height);
        let Some(bottom) = self.end() else { return out };
        let mut below = bottom.below;
        for item in self.upwards_from(bottom.item) {
            let painted = rows(item);
            let shown = painted.len().saturating_sub(below).max(usize::from(painted.len() > 0));
            below = 0;
            for row in (0..shown).rev().take(height - out.len()) {
                out.push((Rc::clone(&painted), row));
            }
            if out.len() == height {
                break;
            }
        }
        out.reverse();
        out
    }

    /// Scrolls so many rows back, at most until the first row is at the top of `height`.
    pub fn scroll_back(&mut self, by: usize, height: usize, rows: &Rows<'_>) {
        let Some(mut at) = self.end() else { return };
        at.below += by;
        for item in self.upwards_from(at.item) {
            let count = rows(item).len();
            if at.below < count {
                break;
            }
            at.below -= count;
            at.item = at.item.saturating_sub(1);
        }
        self.bottom = Some(at);
        if at.item < self.first || self.visible(height, rows).len() < height {
            self.show_top(height, rows);
        }
    }

    /// Scrolls so many rows on.
    pub fn scroll_on(&mut self, by: usize, rows: &Rows<'_>) {
        let Some(mut at) = self.bottom.and_then(|_| self.end()) else { return };
        let mut left = by;
        while left > at.below {
            left -= at.below + 1;
            at.item += 1;
            let Some(item) = self.item(at.item) else { return self.follow() };
            at.below = rows(item).len().saturating_sub(1);
        }
        at.below -= left;
        self.bottom = Some(at);
        if self.item(at.item + 1).is_none() && at.below == 0 {
            self.follow();
        }
    }

    /// So that the first row is at the top.
    fn show_top(&mut self, height: usize, rows: &Rows<'_>) {
        let (mut number, mut left) = (self.first, height);
        for item in &self.items {
            let count = rows(item).len();
            if count >= left {
                self.bottom = Some(Bottom { item: number, below: count - left });
                return;
            }
            left -= count;
            number += 1;
        }
        self.follow();
    }

    /// Where the view ends, within what is kept.
    fn end(&self) -> Option<Bottom> {
        let last = self.first + u64::try_from(self.items.len().checked_sub(1)?).unwrap_or(0);
        let bottom = self.bottom.unwrap_or(Bottom { item: last, below: 0 });
        let within = bottom.item.clamp(self.first, last);
        Some(Bottom { item: within, below: if within == bottom.item { bottom.below } else { 0 } })
    }

    fn item(&self, number: u64) -> Option<&Item> {
        self.items.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    fn upwards_from(&self, number: u64) -> impl Iterator<Item = &Item> {
        let count = usize::try_from(number.saturating_sub(self.first)).unwrap_or(0) + 1;
        self.items.iter().take(count).rev()
    }
}
