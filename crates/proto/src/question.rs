//! Questions that the core asks and does not answer itself.
//!
//! Whatever needs a secret, a file, a person or a policy leaves as a value with a [`Pending`] and
//! comes back through `answer`. Nothing in the core blocks meanwhile; a timer covers the wait.

use std::marker::PhantomData;

/// The right to answer one question, once. Dropping it leaves the question open until the timer
/// that covers it ends the connection.
#[derive(Debug)]
#[must_use = "a question that nobody answers stalls the connection until its timer fires"]
pub struct Pending<Q> {
    pub(crate) id: u64,
    question: PhantomData<fn() -> Q>,
}

impl<Q> Pending<Q> {
    pub(crate) fn new(id: u64) -> Self {
        Self { id, question: PhantomData }
    }
}

/// Hands out numbers for questions.
#[derive(Debug, Default)]
pub(crate) struct Ids(u64);

impl Ids {
    pub(crate) fn next<Q>(&mut self) -> Pending<Q> {
        self.0 += 1;
        Pending::new(self.0)
    }
}
