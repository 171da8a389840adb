//! The asking end of a connection to an agent: requests in, their bytes out; the agent's bytes in,
//! its answers out, each beside the request it belongs to.

use crate::answer::Answer;
use crate::error::AgentError;
use crate::frame::next_frame;
use crate::request::Request;
use std::collections::VecDeque;
use zeroize::{Zeroize, Zeroizing};

/// The most requests whose answers have not been taken. With [`crate::MAX_FRAME`] it bounds what a
/// connection can hold in each direction.
pub const MAX_WAITING: usize = 16;

/// Which request an answer belongs to: the first of a connection is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(u64);

#[derive(Debug)]
struct Waiting {
    id: RequestId,
    number: u8,
}

/// The client's end. Agents answer in order and carry no request number (RFC 9987 §3), so order is
/// all that ties an answer to its question; an answer too many or of the wrong kind ends it all.
#[derive(Debug, Default)]
pub struct Client {
    next_id: u64,
    /// Wiped: a key may be among it.
    outbound: Zeroizing<Vec<u8>>,
    inbound: Vec<u8>,
    waiting: VecDeque<Waiting>,
    answers: VecDeque<(RequestId, Answer)>,
    failed: Option<AgentError>,
}

impl Client {
    /// A connection on which nothing was said yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks. The bytes come out of [`Client::poll_transmit`], the answer out of
    /// [`Client::poll_answer`] under the identifier given here. Several may be asked at once.
    ///
    /// # Errors
    /// The request is too long, [`MAX_WAITING`] are without an answer, or the connection has failed.
    pub fn request(&mut self, request: &Request<'_>) -> Result<RequestId, AgentError> {
        self.check()?;
        if self.waiting.len() + self.answers.len() >= MAX_WAITING {
            return Err(AgentError::TooManyWaiting);
        }
        request.encode(&mut self.outbound)?;
        let id = RequestId(self.next_id);
        self.next_id += 1;
        self.waiting.push_back(Waiting { id, number: request.number() });
        Ok(id)
    }

    /// Appends at most `limit` bytes for the agent to `out` and says how many; 0 when nothing is left.
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>, limit: usize) -> usize {
        let count = limit.min(self.outbound.len());
        let Some(bytes) = self.outbound.get(..count) else { return 0 };
        out.extend_from_slice(bytes);
        let left = self.outbound.len() - count;
        self.outbound.copy_within(count.., 0);
        if let Some(rest) = self.outbound.get_mut(left..) {
            rest.zeroize();
        }
        self.outbound.truncate(left);
        count
    }

    /// Takes bytes that the agent sent, cut anywhere.
    ///
    /// # Errors
    /// The agent broke the protocol. The first error stays, and the connection is to be closed;
    /// answers that came before it can still be taken.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), AgentError> {
        self.check()?;
        self.inbound.extend_from_slice(bytes);
        self.read_frames().map_err(|error| self.fail(error))
    }

    /// Says that the agent closed the connection.
    ///
    /// # Errors
    /// It did so inside a message or with requests unanswered, or the connection had failed before.
    pub fn receive_end(&mut self) -> Result<(), AgentError> {
        self.check()?;
        if self.waiting.is_empty() && self.inbound.is_empty() {
            return Ok(());
        }
        let error = AgentError::Ended { waiting: self.waiting.len() };
        Err(self.fail(error))
    }

    /// The next answer, in the order of the requests.
    pub fn poll_answer(&mut self) -> Option<(RequestId, Answer)> {
        self.answers.pop_front()
    }

    /// How many requests the agent has not answered yet.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn check(&self) -> Result<(), AgentError> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    fn fail(&mut self, error: AgentError) -> AgentError {
        self.inbound = Vec::new();
        self.outbound = Zeroizing::default();
        self.failed = Some(error.clone());
        error
    }

    fn read_frames(&mut self) -> Result<(), AgentError> {
        while let Some(message) = next_frame(&mut self.inbound)? {
            let answer = Answer::decode(&message)?;
            let got = answer.number();
            let Some(waiting) = self.waiting.pop_front() else { return Err(AgentError::Unasked { number: got }) };
            if !answer.answers(waiting.number) {
                return Err(AgentError::WrongAnswer { asked: waiting.number, got });
            }
            self.answers.push_back((waiting.id, answer));
        }
        Ok(())
    }
}
