//! A client's side of a stream: ids, what is awaited under each, and which replies its request may have (threat F8).

use crate::{Extensions, Reply, Request, packet};
use nacre_wire::{DecodeError, WriteExt};
use std::collections::HashMap;

/// What makes a server's stream useless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A packet that cannot be read, or is no reply.
    Malformed(DecodeError),
    /// The server speaks another version.
    Version(u32),
    /// A reply to a request that was not made, or was answered already.
    UnknownId(u32),
    /// A reply of a kind that its request cannot have.
    WrongReply { request: u8 },
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed(error) => write!(f, "the server sent a malformed SFTP packet: {error}"),
            Self::Version(version) => write!(f, "the server speaks SFTP version {version}, and not 3"),
            Self::UnknownId(id) => write!(f, "the server answered request {id}, which was not asked"),
            Self::WrongReply { request } => {
                write!(f, "the server answered an SFTP request of type {request} with a reply that it cannot have")
            }
        }
    }
}

impl std::error::Error for Fault {}

impl From<DecodeError> for Fault {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error)
    }
}

/// Appends INIT as a whole packet.
pub fn encode_init(out: &mut Vec<u8>) {
    packet::append(out, packet::INIT, |out| out.put_u32(crate::VERSION));
}

/// Reads the answer to INIT.
///
/// # Errors
/// It is malformed, another packet, or not version 3.
pub fn decode_version(packet: &[u8]) -> Result<Extensions, Fault> {
    match Extensions::decode(packet)? {
        (crate::VERSION, extensions) => Ok(extensions),
        (version, _) => Err(Fault::Version(version)),
    }
}

/// The requests under way. `T` is what the caller wants to know again when the reply comes.
#[derive(Debug)]
pub struct Session<T> {
    next: u32,
    awaited: HashMap<u32, (u8, T)>,
}

impl<T> Default for Session<T> {
    fn default() -> Self {
        Self { next: 0, awaited: HashMap::new() }
    }
}

impl<T> Session<T> {
    /// How many requests are under way. The caller holds back when there are enough.
    pub fn outstanding(&self) -> usize {
        self.awaited.len()
    }

    /// What is known of the requests under way, in no order.
    pub fn awaited(&self) -> impl Iterator<Item = &T> {
        self.awaited.values().map(|(_, tag)| tag)
    }

    /// Appends a request.
    pub fn send(&mut self, request: &Request<'_>, tag: T, out: &mut Vec<u8>) {
        let id = self.expect(request.kind(), tag);
        request.encode(id, out);
    }

    /// Appends a WRITE of up to `length` bytes that `fill` puts straight into the packet, and gives how many there were,
    /// which `tag` is told too; with none, or an error, nothing is appended.
    ///
    /// # Errors
    /// Those of `fill`.
    pub fn send_write<E>(
        &mut self,
        place: (&[u8], u64, usize),
        tag: impl FnOnce(usize) -> T,
        out: &mut Vec<u8>,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let id = self.free_id();
        let count = Request::encode_write(id, place, out, fill)?;
        if count > 0 {
            self.expect(packet::WRITE, tag(count));
        }
        Ok(count)
    }

    /// Appends a WRITE but for its data: the caller must let `length` bytes follow before anything else.
    pub fn send_write_head(&mut self, place: (&[u8], u64, u32), tag: T, out: &mut Vec<u8>) {
        let id = self.expect(packet::WRITE, tag);
        Request::encode_write_head(id, place, out);
    }

    /// Reads a packet that [`packet::split`] found: whose reply it is, and the reply.
    ///
    /// # Errors
    /// The server must be left.
    pub fn receive<'a>(&mut self, packet: &'a [u8]) -> Result<(T, Reply<'a>), Fault> {
        let (id, reply) = Reply::decode(packet)?;
        let (request, tag) = self.awaited.remove(&id).ok_or(Fault::UnknownId(id))?;
        if may_answer(request, &reply) { Ok((tag, reply)) } else { Err(Fault::WrongReply { request }) }
    }

    /// Ids come round after 2^32 requests; one that is still awaited is passed over.
    fn free_id(&mut self) -> u32 {
        while self.awaited.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        self.next
    }

    fn expect(&mut self, kind: u8, tag: T) -> u32 {
        let id = self.free_id();
        self.awaited.insert(id, (kind, tag));
        self.next = id.wrapping_add(1);
        id
    }
}

/// Which reply each request may have (draft §6). A STATUS of OK in place of what was asked for is none.
fn may_answer(request: u8, reply: &Reply<'_>) -> bool {
    use crate::Code;
    let ok = matches!(reply, Reply::Status { code: Code::Ok, .. });
    match request {
        packet::OPEN | packet::OPENDIR => matches!(reply, Reply::Handle(_) | Reply::Status { .. }) && !ok,
        packet::READ => match reply {
            Reply::Data(data) => !data.is_empty(),
            reply => matches!(reply, Reply::Status { .. }) && !ok,
        },
        packet::LSTAT | packet::FSTAT | packet::STAT => {
            matches!(reply, Reply::Attributes(_) | Reply::Status { .. }) && !ok
        }
        packet::READDIR => matches!(reply, Reply::Names(_) | Reply::Status { .. }) && !ok,
        packet::REALPATH | packet::READLINK => match reply {
            Reply::Names(names) => names.len() == 1 && names.iter().all(|name| !name.name.is_empty()),
            reply => matches!(reply, Reply::Status { .. }) && !ok,
        },
        packet::EXTENDED => matches!(reply, Reply::Extended(_) | Reply::Status { .. } | Reply::Names(_)),
        _ => matches!(reply, Reply::Status { .. }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::{Attributes, Code, Name};

    fn answered(request: &Request<'_>, reply: &Reply<'_>) -> Result<char, Fault> {
        let (mut session, mut out) = (Session::default(), Vec::new());
        session.send(request, 'x', &mut out);
        out.clear();
        reply.encode(0, &mut out);
        let packet = packet::split(&out).unwrap().unwrap().to_vec();
        let tag = session.receive(&packet).map(|(tag, _)| tag);
        assert_eq!(session.receive(&packet).unwrap_err(), Fault::UnknownId(0), "answered twice");
        tag
    }

    #[test]
    fn f08_replies_that_a_request_cannot_have_are_refused() {
        let handle = b"h".as_slice();
        let ok = Reply::Status { code: Code::Ok, message: b"" };
        let eof = Reply::Status { code: Code::Eof, message: b"" };
        let names = |count| Reply::Names(vec![Name::only(*b"n"); count]);
        let read = Request::Read { handle, offset: 0, length: 9 };
        let stat = Request::Stat { path: b"p" };
        let realpath = Request::Realpath { path: b"p" };
        for (request, good, bad) in [
            (Request::Opendir { path: b"p" }, Reply::Handle(handle), ok.clone()),
            (read.clone(), Reply::Data(b"d"), Reply::Data(b"")),
            (read.clone(), eof.clone(), ok.clone()),
            (read, Reply::Data(b"d"), Reply::Handle(handle)),
            (stat.clone(), Reply::Attributes(Attributes::default()), names(1)),
            (stat, eof.clone(), ok.clone()),
            (Request::Readdir { handle }, names(0), Reply::Data(b"d")),
            (realpath.clone(), names(1), names(2)),
            (realpath.clone(), names(1), names(0)),
            (realpath, eof, Reply::Names(vec![Name::only(*b"")])),
            (Request::Close { handle }, ok, Reply::Handle(handle)),
        ] {
            assert_eq!(answered(&request, &good), Ok('x'), "{request:?} {good:?}");
            let wrong = Fault::WrongReply { request: request.kind() };
            assert_eq!(answered(&request, &bad), Err(wrong), "{request:?} {bad:?}");
        }
    }

    #[test]
    fn f08_ids_come_round_past_those_still_awaited() {
        let mut session = Session { next: u32::MAX, ..Session::default() };
        let mut out = Vec::new();
        session.send(&Request::Stat { path: b"" }, 'a', &mut out);
        session.next = u32::MAX;
        session.send(&Request::Stat { path: b"" }, 'b', &mut out);
        assert_eq!(session.outstanding(), 2);
        out.clear();
        Reply::encode_status(0, Code::Eof, &mut out);
        assert_eq!(session.receive(packet::split(&out).unwrap().unwrap()).unwrap().0, 'b');
        assert_eq!(session.awaited().collect::<Vec<_>>(), [&'a']);
    }

    #[test]
    fn a_write_whose_data_come_from_elsewhere_is_the_same_on_the_wire() {
        let (mut session, mut out, mut whole) = (Session::default(), Vec::new(), Vec::new());
        session.send_write_head((b"handle", 77, 5), 'x', &mut out);
        out.extend_from_slice(b"hello");
        Request::Write { handle: b"handle", offset: 77, data: b"hello" }.encode(0, &mut whole);
        assert_eq!((out, session.outstanding()), (whole, 1));
    }

    #[test]
    fn writes_are_filled_in_place_and_not_begun_without_data() {
        let (mut session, mut out) = (Session::default(), Vec::new());
        let none = session.send_write((b"h", 0, 8), |_| (), &mut out, |_| Ok::<_, ()>(0));
        assert_eq!((none, out.len(), session.outstanding()), (Ok(0), 0, 0));
        assert_eq!(session.send_write((b"h", 0, 8), |_| (), &mut out, |_| Err(())), Err(()));
        assert_eq!((out.len(), session.outstanding()), (0, 0));
        let fill = |space: &mut [u8]| {
            space[..3].copy_from_slice(b"abc");
            Ok::<_, ()>(3)
        };
        assert_eq!(session.send_write((b"h", 5, 8), |_| (), &mut out, fill), Ok(3));
        let (id, request) = Request::decode(packet::split(&out).unwrap().unwrap()).unwrap();
        assert_eq!((id, request), (0, Request::Write { handle: b"h", offset: 5, data: b"abc" }));
    }
}
