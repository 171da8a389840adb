//! The recent past of one place, in memory: doubles are known by it, replies and edits find their
//! lines in it, and who comes in is greeted with it.

use crate::id::{AccountId, LineId};
use crate::limits::RING;
use crate::line::{Line, LineKind, Standing};
use std::collections::VecDeque;
use std::sync::Arc;

/// The last [`RING`] lines of a place, and how far its part of the stream was read.
#[derive(Debug, Default)]
pub struct Talk {
    ring: VecDeque<Arc<Line>>,
    /// Which of them came out of the stream.
    numbered: VecDeque<LineId>,
    /// The number in the stream of the last line taken in order; 0 before the first.
    pub position: u64,
}

/// Why a line was not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotFound {
    /// No recent line has that name.
    None,
    /// Several have it.
    Several,
}

impl Talk {
    /// Puts a line at the end; false if it is there already. An edit or deletion also changes the
    /// line it names.
    pub fn add(&mut self, line: &Arc<Line>) -> bool {
        if self.contains(line.id) {
            return false;
        }
        self.apply(line);
        if self.ring.len() == RING {
            self.ring.pop_front();
        }
        self.ring.push_back(Arc::clone(line));
        true
    }

    /// Forgets the lines; false if nothing is left worth keeping.
    pub fn forget(&mut self) -> bool {
        self.ring = VecDeque::new();
        self.numbered = VecDeque::new();
        self.position > 0
    }

    /// Whether a line is known to have its number in the stream: it is among the recent ones and was
    /// taken from there.
    pub fn numbered(&self, id: LineId) -> bool {
        self.numbered.contains(&id)
    }

    /// A line got its number.
    pub fn number(&mut self, id: LineId, position: u64) {
        self.position = position;
        if self.numbered.len() == RING {
            self.numbered.pop_front();
        }
        self.numbered.push_back(id);
    }

    /// Whether a line is among the recent ones.
    pub fn contains(&self, id: LineId) -> bool {
        // Doubles are mostly of the newest lines.
        self.ring.iter().rev().any(|line| line.id == id)
    }

    /// The last line of all.
    pub fn last(&self) -> Option<LineId> {
        self.ring.back().map(|line| line.id)
    }

    /// The lines that a reader sees: no edits, deletions and what was deleted.
    pub fn visible(&self) -> impl DoubleEndedIterator<Item = &Arc<Line>> {
        self.ring.iter().filter(|line| line.kind.target().is_none() && line.standing != Standing::Deleted)
    }

    /// Whether all lines that ever were said here are in memory.
    pub fn is_whole(&self) -> bool {
        self.ring.len() < RING
    }

    /// A visible line by its short name, its id, or (for `by_nick`) its author.
    pub fn named(&self, word: &str, by_nick: impl Fn(&Line) -> bool) -> Result<&Arc<Line>, NotFound> {
        if let Ok(id) = word.parse::<LineId>() {
            return self.visible().find(|line| line.id == id).ok_or(NotFound::None);
        }
        let short = word.to_lowercase();
        let mut with = self.visible().filter(|line| line.id.short() == short);
        match (with.next(), with.next()) {
            (Some(_), Some(_)) => Err(NotFound::Several),
            (Some(line), None) => Ok(line),
            (None, _) => self.visible().rev().find(|line| by_nick(line)).ok_or(NotFound::None),
        }
    }

    /// The last visible message or action of an account.
    pub fn last_of(&self, account: AccountId) -> Option<&Arc<Line>> {
        let said = |line: &&Arc<Line>| matches!(line.kind, LineKind::Message | LineKind::Action);
        self.visible().rev().filter(said).find(|line| line.from.account == account)
    }

    fn apply(&mut self, change: &Line) {
        let Some(target) = change.kind.target() else { return };
        let Some(line) = self.ring.iter_mut().rev().find(|line| line.id == target) else { return };
        if line.from.account != change.from.account {
            return;
        }
        let line = Arc::make_mut(line);
        line.body = Arc::clone(&change.body);
        line.standing = if matches!(change.kind, LineKind::Edit(_)) { Standing::Edited } else { Standing::Deleted };
    }
}
