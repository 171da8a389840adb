//! One task a file, all in one thread: what a file needs is told in order, and what it waits for comes as replies.
//!
//! A task is woken by its number; a number that has passed to another task wakes that one for nothing, which every
//! future here bears.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// The number of a task.
pub(super) type TaskId = usize;

/// A task.
pub(super) type Task<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Which task runs, and which can go on.
#[derive(Debug, Default)]
pub(super) struct Wakes {
    current: Cell<TaskId>,
    ready: RefCell<VecDeque<TaskId>>,
}

impl Wakes {
    /// The task that asks.
    pub(super) fn current(&self) -> TaskId {
        self.current.get()
    }

    pub(super) fn wake(&self, task: TaskId) {
        let mut ready = self.ready.borrow_mut();
        // Replies to one file come together; it need not run once for each.
        if ready.back() != Some(&task) {
            ready.push_back(task);
        }
    }

    pub(super) fn is_any_ready(&self) -> bool {
        !self.ready.borrow().is_empty()
    }

    /// Lets the others go on first.
    pub(super) async fn yield_now(&self) {
        let mut waited = false;
        std::future::poll_fn(|_| {
            if std::mem::replace(&mut waited, true) {
                return Poll::Ready(());
            }
            self.wake(self.current());
            Poll::Pending
        })
        .await;
    }
}

/// The tasks that are not done.
#[derive(Default)]
pub(super) struct Tasks<'a> {
    tasks: Vec<Option<Task<'a>>>,
    free: Vec<TaskId>,
}

impl<'a> Tasks<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.free.len() == self.tasks.len()
    }

    /// Takes a task, which is ready at once.
    pub(super) fn add(&mut self, task: Task<'a>, wakes: &Wakes) {
        let id = self.free.pop().unwrap_or_else(|| {
            self.tasks.push(None);
            self.tasks.len() - 1
        });
        if let Some(place) = self.tasks.get_mut(id) {
            *place = Some(task);
        }
        wakes.wake(id);
    }

    /// Wakes all of them.
    pub(super) fn wake_all(&self, wakes: &Wakes) {
        (0..self.tasks.len()).for_each(|id| wakes.wake(id));
    }

    /// Runs those that were ready when it was called; says whether there were any.
    pub(super) fn run(&mut self, wakes: &Wakes) -> bool {
        let ready = std::mem::take(&mut *wakes.ready.borrow_mut());
        let any = !ready.is_empty();
        for id in ready {
            let Some(place) = self.tasks.get_mut(id) else { continue };
            let Some(task) = place else { continue };
            wakes.current.set(id);
            if task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                *place = None;
                self.free.push(id);
            }
        }
        any
    }
}

/// So many at a time; whoever came last goes first, so that a tree is walked to its leaves before it grows wide.
#[derive(Debug)]
pub(super) struct Permits {
    free: Cell<usize>,
    waiting: RefCell<Vec<TaskId>>,
}

impl Permits {
    pub(super) fn new(count: usize) -> Self {
        Self { free: Cell::new(count), waiting: RefCell::default() }
    }

    /// Waits for one.
    pub(super) async fn take(&self, wakes: &Wakes) {
        std::future::poll_fn(|_| {
            if let Some(left) = self.free.get().checked_sub(1) {
                self.free.set(left);
                return Poll::Ready(());
            }
            let mut waiting = self.waiting.borrow_mut();
            let current = wakes.current();
            if !waiting.contains(&current) {
                waiting.push(current);
            }
            Poll::Pending
        })
        .await;
    }

    /// Takes one if one is free.
    pub(super) fn try_take(&self) -> bool {
        let left = self.free.get().checked_sub(1);
        left.inspect(|left| self.free.set(*left)).is_some()
    }

    pub(super) fn is_any_free(&self) -> bool {
        self.free.get() > 0
    }

    pub(super) fn give(&self, wakes: &Wakes) {
        self.free.set(self.free.get() + 1);
        if let Some(task) = self.waiting.borrow_mut().pop() {
            wakes.wake(task);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_bound_how_many_run_and_all_get_their_turn() {
        let (wakes, permits) = (Wakes::default(), Permits::new(3));
        let (running, most, done) = (Cell::new(0), Cell::new(0), Cell::new(0));
        let mut tasks = Tasks::default();
        for _ in 0..50 {
            let task = async {
                permits.take(&wakes).await;
                running.set(running.get() + 1);
                most.set(most.get().max(running.get()));
                wakes.yield_now().await;
                running.set(running.get() - 1);
                done.set(done.get() + 1);
                permits.give(&wakes);
            };
            tasks.add(Box::pin(task), &wakes);
        }
        while tasks.run(&wakes) {}
        assert!(tasks.is_empty());
        assert_eq!((most.get(), done.get()), (3, 50));
        assert!(permits.try_take() && permits.try_take() && permits.try_take() && !permits.try_take());
    }
}
