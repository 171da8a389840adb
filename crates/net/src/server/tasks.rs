//! Answers that a connection waits for, polled by its own task.

use super::authority::Answer;
use std::task::{Context, Poll};

/// Futures in flight, each with what to do when it is done.
pub(super) struct Tasks<T> {
    running: Vec<Answer<T>>,
}

impl<T> Default for Tasks<T> {
    fn default() -> Self {
        Self { running: Vec::new() }
    }
}

impl<T: 'static> Tasks<T> {
    /// Waits for an answer and turns it into what the owner handles.
    pub(super) fn push<A: 'static>(&mut self, answer: Answer<A>, wrap: impl FnOnce(A) -> T + Send + 'static) {
        self.running.push(Box::pin(async move { wrap(answer.await) }));
    }

    /// All answers that are there now.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Vec<T> {
        let mut done = Vec::new();
        self.running.retain_mut(|task| match task.as_mut().poll(cx) {
            Poll::Ready(result) => {
                done.push(result);
                false
            }
            Poll::Pending => true,
        });
        done
    }

    /// Waits for some; ready at once when nothing is under way.
    pub(super) fn poll_any(&mut self, cx: &mut Context<'_>) -> Poll<Vec<T>> {
        let done = self.poll(cx);
        if done.is_empty() && !self.running.is_empty() { Poll::Pending } else { Poll::Ready(done) }
    }
}
