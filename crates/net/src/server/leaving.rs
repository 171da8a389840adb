//! Sessions whose channel is gone: told, given a moment, ended, reaped (threat C12).

use super::session::Session;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// What processes get between being told and being ended.
const HANG_UP_GRACE: Duration = Duration::from_secs(2);

/// Sessions on their way out, with the time their processes have to go by themselves; without one they were ended and
/// only have to be reaped.
#[derive(Default)]
pub(super) struct Leaving(Vec<(Session, Option<Pin<Box<Sleep>>>)>);

impl Leaving {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells a session whose channel is gone.
    pub(super) fn let_go(&mut self, mut session: Session) {
        if session.is_running() {
            session.hang_up();
            self.0.push((session, Some(Box::pin(tokio::time::sleep(HANG_UP_GRACE)))));
        }
    }

    /// Ends what does not go by itself.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        self.0.retain_mut(|(session, grace)| {
            if session.poll_gone(cx) {
                return false;
            }
            if grace.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready()) {
                *grace = None;
                session.kill();
            }
            true
        });
    }

    /// Ready once all are gone.
    pub(super) fn poll_all(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll(cx);
        if self.0.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }
}
