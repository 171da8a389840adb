//! From the bytes and descriptors of a guest to its requests.

use nacre_wire::DecodeError;
use nacre_wire::share::{MAX_FRAME, Request, next_frame};
use std::collections::VecDeque;
use std::os::fd::OwnedFd;

/// The most bytes that wait: a frame, and what came with its end.
const MAX_WAITING: usize = 2 * MAX_FRAME;
/// The most descriptors that wait: no request takes more.
const MAX_DESCRIPTORS: usize = 3;

/// Why a guest is not listened to any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Malformed {
    /// Its words are none.
    Frame(DecodeError),
    /// Descriptors are missing, or too many came.
    Descriptors,
}

/// What a guest has sent and nobody has acted on yet.
#[derive(Debug, Default)]
pub struct Inbound {
    bytes: Vec<u8>,
    fds: VecDeque<OwnedFd>,
    /// It waits for its descriptors.
    request: Option<Request>,
}

impl Inbound {
    /// Whether more may be fed.
    pub fn has_room(&self) -> bool {
        self.bytes.len() < MAX_WAITING
    }

    /// Takes what came in one read.
    ///
    /// # Errors
    /// More descriptors than any request takes.
    pub fn feed(&mut self, bytes: &[u8], fds: Vec<OwnedFd>) -> Result<(), Malformed> {
        self.bytes.extend_from_slice(bytes);
        self.fds.extend(fds);
        if self.fds.len() > MAX_DESCRIPTORS { Err(Malformed::Descriptors) } else { Ok(()) }
    }

    /// The next request, with its descriptors.
    ///
    /// # Errors
    /// What came is none; the guest is to be hung up on.
    pub fn next(&mut self) -> Result<Option<(Request, Vec<OwnedFd>)>, Malformed> {
        let request = match self.request.take() {
            Some(request) => request,
            None => match next_frame(&mut self.bytes).map_err(Malformed::Frame)? {
                Some(frame) => Request::decode(&frame).map_err(Malformed::Frame)?,
                None => return Ok(None),
            },
        };
        // One byte comes with each.
        let count = request.descriptors();
        if self.bytes.len() < count {
            self.request = Some(request);
            return Ok(None);
        }
        if self.fds.len() < count {
            return Err(Malformed::Descriptors);
        }
        self.bytes.drain(..count);
        Ok(Some((request, self.fds.drain(..count).collect())))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nacre_wire::share::NewSession;
    use std::fs::File;

    fn null() -> OwnedFd {
        File::open("/dev/null").unwrap().into()
    }

    #[test]
    fn a_session_waits_for_its_descriptors() {
        let wanted = Request::NewSession { id: 1, session: NewSession::default() };
        let mut inbound = Inbound::default();
        let bytes = wanted.encode();
        let (start, end) = bytes.split_at(9);
        inbound.feed(start, vec![]).unwrap();
        assert!(inbound.next().unwrap().is_none());
        inbound.feed(end, vec![]).unwrap();
        for _ in 0..2 {
            inbound.feed(&[0], vec![null()]).unwrap();
            assert!(inbound.next().unwrap().is_none());
        }
        let last = [&[0][..], &Request::AliveCheck { id: 2 }.encode()].concat();
        inbound.feed(&last, vec![null()]).unwrap();
        let (request, fds) = inbound.next().unwrap().unwrap();
        assert_eq!((request, fds.len()), (wanted, 3));
        let (request, fds) = inbound.next().unwrap().unwrap();
        assert_eq!((request, fds.len()), (Request::AliveCheck { id: 2 }, 0));
        assert!(inbound.next().unwrap().is_none());
    }

    #[test]
    fn descriptors_that_are_missing_or_too_many() {
        let mut inbound = Inbound::default();
        let request = Request::NewSession { id: 1, session: NewSession::default() };
        inbound.feed(&[request.encode(), vec![0; 3]].concat(), vec![null()]).unwrap();
        assert_eq!(inbound.next().unwrap_err(), Malformed::Descriptors);
        assert_eq!(Inbound::default().feed(b"", vec![null(), null(), null(), null()]), Err(Malformed::Descriptors));
    }
}
