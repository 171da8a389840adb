//! The loop: tasks run, pieces are pumped, connections are written and read, and it waits when there is nothing to do.

use super::{End, QUEUE, Run, Side};
use crate::remote::{Answer, Error, OUTBOX_ENOUGH, Remote, wait_for};
use crate::transfer::tasks::{Task, Tasks};
use crate::transfer::walk::{self, Work};
use crate::transfer::{Event, Report, Step, file};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How often the watcher is asked, and told of progress.
const TICK: Duration = Duration::from_millis(100);

/// How long replies are waited for after a cancellation.
const FAREWELL: Duration = Duration::from_millis(500);

impl<'a> Run<'a> {
    /// Runs until all is done. `first` is the task that finds the others.
    pub(in crate::transfer) fn drive(self: &Rc<Self>, first: Task<'a>) -> Result<Report, Error> {
        let mut tasks = Tasks::default();
        tasks.add(first, &self.wakes);
        let mut next_tick = Instant::now();
        loop {
            self.begin_work(&mut tasks);
            while tasks.run(&self.wakes) && self.wakes.is_any_ready() {
                if Instant::now() >= next_tick {
                    break;
                }
            }
            self.begin_work(&mut tasks);
            if tasks.is_empty() && self.work.borrow().is_empty() {
                break;
            }
            let held_back = if self.has_ended() { None } else { self.pump() };
            if !self.has_ended() {
                self.turn(held_back, next_tick).unwrap_or_else(|error| self.stop(error));
            }
            if Instant::now() >= next_tick {
                self.tick();
                next_tick = Instant::now() + TICK;
            }
            if self.has_ended() {
                self.abandon_work();
                tasks.wake_all(&self.wakes);
            }
        }
        self.tell_planned();
        self.farewell();
        match self.end.take() {
            None => Ok(self.report.get()),
            Some(End::Cancelled) => Err(Error::Cancelled),
            Some(End::Broken(error)) => Err(error),
        }
    }

    /// Makes tasks of queued work: folders at once, for they have permits, files as there are permits.
    fn begin_work(self: &Rc<Self>, tasks: &mut Tasks<'a>) {
        if self.has_ended() {
            self.abandon_work();
        }
        loop {
            let mut work = self.work.borrow_mut();
            match work.front() {
                Some(Work::Folder(_)) => {}
                Some(Work::File(_)) if self.files.try_take() => {}
                _ => break,
            }
            let Some(next) = work.pop_front() else { break };
            drop(work);
            let run = Rc::clone(self);
            let task: Task<'a> = match next {
                Work::Folder(folder) => Box::pin(async move { walk::folder(&run, folder).await }),
                Work::File(one) => Box::pin(async move {
                    file::move_file(&run, one).await;
                    run.files.give(&run.wakes);
                }),
            };
            tasks.add(task, &self.wakes);
        }
        if self.work.borrow().len() < QUEUE / 2 {
            for task in self.work_waiting.take() {
                self.wakes.wake(task);
            }
        }
    }

    /// What was not begun will not be.
    fn abandon_work(&self) {
        let work = std::mem::take(&mut *self.work.borrow_mut());
        work.into_iter().for_each(|work| work.abandon(self));
        for task in self.work_waiting.take() {
            self.wakes.wake(task);
        }
    }

    /// Writes, reads, handles what came, and waits when there is nothing else to do.
    fn turn(&self, held_back: Option<Duration>, next_tick: Instant) -> Result<(), Error> {
        // After a write there is room for more, which is not to wait for an answer.
        let mut busy = false;
        for side in [Side::From, Side::To] {
            let hold = side == Side::From && self.is_target_congested();
            let Some(mut remote) = self.remote(side) else { continue };
            busy |= remote.link.write()?;
            if !hold {
                busy |= remote.link.read()?;
            }
            drop(remote);
            self.receive(side)?;
        }
        if busy || self.wakes.is_any_ready() || !self.work.borrow().is_empty() && self.files.is_any_free() {
            return Ok(());
        }
        let until_tick = next_tick.saturating_duration_since(Instant::now());
        self.wait(held_back.map_or(until_tick, |held_back| held_back.min(until_tick)))
    }

    fn wait(&self, time: Duration) -> Result<(), Error> {
        let (from, to) = (self.remote(Side::From), self.remote(Side::To));
        let mut all = Vec::with_capacity(4);
        if let Some(from) = &from {
            from.link.interests(&mut all, !self.is_congested(to.as_deref()));
        }
        if let Some(to) = &to {
            to.link.interests(&mut all, true);
        }
        wait_for(&mut all, Some(time))
    }

    fn is_congested(&self, to: Option<&&'a mut Remote>) -> bool {
        self.from.is_some() && to.is_some_and(|to| to.link.outbox.waiting() >= OUTBOX_ENOUGH)
    }

    /// What comes from one server goes to the other as fast as that one takes it.
    fn is_target_congested(&self) -> bool {
        let to = self.remote(Side::To);
        self.is_congested(to.as_deref())
    }

    fn receive(&self, side: Side) -> Result<(), Error> {
        let Some(mut remote) = self.remote(side) else { return Ok(()) };
        let mut inbox = std::mem::take(&mut remote.link.inbox);
        let result = loop {
            if side == Side::From && self.is_target_congested() {
                break Ok(());
            }
            match inbox.next_packet() {
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
                Ok(Some(packet)) => {
                    if let Err(error) = self.handle(&mut remote, packet) {
                        break Err(error);
                    }
                }
            }
        };
        remote.link.inbox = inbox;
        result
    }

    fn handle(&self, remote: &mut Remote, packet: &[u8]) -> Result<(), Error> {
        let (tag, reply) = remote.session.receive(packet)?;
        if !remote.is_awaited(tag, &reply) {
            return Ok(());
        }
        match tag.step {
            Step::Call | Step::Ignored => {}
            Step::Reply => {
                let task = self.slots.borrow_mut().put(tag.job, Answer::of(reply));
                task.into_iter().for_each(|task| self.wakes.wake(task));
            }
            Step::Read { offset, length } => {
                self.window.borrow_mut().answered(u64::from(length), Instant::now());
                self.arrived(tag.job, offset, length, &reply);
            }
            Step::Write { offset, length } => {
                self.window.borrow_mut().answered(u64::from(length), Instant::now());
                self.written(tag.job, offset, length, &reply);
            }
        }
        Ok(())
    }

    fn tick(&self) {
        self.window.borrow_mut().tick(Instant::now());
        self.tell_planned();
        for (id, done) in self.flows.borrow_mut().progress() {
            self.event(&Event::Progress { id, done });
        }
        if self.watcher.borrow().cancelled() {
            self.end.borrow_mut().get_or_insert(End::Cancelled);
        }
    }

    fn tell_planned(&self) {
        let planned = self.planned.get();
        if self.told.replace(planned) != planned {
            self.event(&Event::Planned { files: planned.0, bytes: planned.1 });
        }
    }

    /// Everything asked for is sent; its answers are awaited, after a cancellation not for long.
    fn farewell(&self) {
        if matches!(*self.end.borrow(), Some(End::Broken(_))) {
            return;
        }
        let deadline = self.has_ended().then(|| Instant::now() + FAREWELL);
        loop {
            let waiting = [Side::From, Side::To].into_iter().any(|side| {
                self.remote(side).is_some_and(|remote| {
                    remote.link.outbox.waiting() > 0 || deadline.is_none() && remote.session.outstanding() > 0
                })
            });
            if !waiting || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return;
            }
            if let Err(error) = self.turn(None, Instant::now() + TICK) {
                return self.stop(error);
            }
        }
    }
}
