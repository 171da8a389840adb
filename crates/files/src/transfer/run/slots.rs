//! Answers that tasks wait for.

use crate::remote::Answered;
use crate::transfer::tasks::TaskId;

#[derive(Debug)]
struct Slot {
    task: TaskId,
    answer: Option<Answered>,
}

#[derive(Debug, Default)]
pub(super) struct Slots {
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
}

impl Slots {
    pub(super) fn take(&mut self, task: TaskId) -> usize {
        let slot = Some(Slot { task, answer: None });
        match self.free.pop() {
            Some(place) => {
                if let Some(empty) = self.slots.get_mut(place) {
                    *empty = slot;
                }
                place
            }
            None => {
                self.slots.push(slot);
                self.slots.len() - 1
            }
        }
    }

    /// Keeps an answer, and says who waits for it.
    pub(super) fn put(&mut self, place: u32, answer: Answered) -> Option<TaskId> {
        let slot = self.slots.get_mut(usize::try_from(place).ok()?)?.as_mut()?;
        slot.answer = Some(answer);
        Some(slot.task)
    }

    /// Takes the answer out if it is there; else `task` is who will be woken.
    pub(super) fn answer(&mut self, place: usize, task: TaskId) -> Option<Answered> {
        let slot = self.slots.get_mut(place)?;
        let waiting = slot.as_mut()?;
        waiting.task = task;
        let answer = waiting.answer.take()?;
        *slot = None;
        self.free.push(place);
        Some(answer)
    }
}
