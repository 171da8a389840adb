//! The client's end of one SFTP connection over two descriptors.
//!
//! The calls here wait for their answer. Files move by [`crate::transfer`], which keeps many requests under way over
//! the same connection; a request that it gave up is answered later, and that answer is passed over here.

mod calls;
mod error;
mod extended;
mod glob;
mod link;
mod list;
mod many;
mod outbox;

pub use error::{Error, shown};
pub use extended::Names;
pub(crate) use glob::joined;
pub use glob::{has_wildcard, matches};
pub(crate) use link::{Inbox, Link, OUTBOX_ENOUGH, wait_for};
pub(crate) use list::checked_names;

use crate::transfer::Step;
use nacre_sftp::client::{Session, decode_version, encode_init};
use nacre_sftp::extensions::Limits;
use nacre_sftp::{Attributes, Code, Extensions, Name, Reply, Request, extended as names};
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// Who waits for a reply.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tag {
    /// Which transfer, or call; a reply to an earlier one is passed over.
    pub(crate) run: u32,
    /// Which of its files.
    pub(crate) job: u32,
    /// Which step of it.
    pub(crate) step: Step,
}

/// One connection.
#[derive(Debug)]
pub struct Remote {
    pub(crate) link: Link,
    pub(crate) session: Session<Tag>,
    extensions: Extensions,
    limits: Limits,
    run: u32,
}

/// An answer, or the code of a refusal and its words, cleaned.
pub(crate) type Answered = Result<Answer, (Code, String)>;

/// A reply that outlives the buffer it came in; a STATUS is `Done` or an error.
#[derive(Debug)]
pub(crate) enum Answer {
    Done,
    Handle(Vec<u8>),
    /// Of no use to whoever waits: the bytes of files are handled where they lie.
    Data,
    Names(Vec<Name>),
    Attributes(Attributes),
    Extended(Vec<u8>),
}

impl Remote {
    /// Begins SFTP over `input`, where the server's bytes come from, and `output`: INIT, VERSION and, if it is
    /// announced, `limits@openssh.com`. Both descriptors become non-blocking, pipes as wide as the kernel allows.
    ///
    /// # Errors
    /// The server closes, speaks another version, or no SFTP at all.
    pub fn open(input: OwnedFd, output: OwnedFd) -> Result<Self, Error> {
        let mut link = Link::new(input, output)?;
        encode_init(&mut link.outbox.buffer);
        let extensions = loop {
            if let Some(packet) = link.inbox.next_packet()? {
                break decode_version(packet)?;
            }
            if !link.turn()? {
                link.wait(None)?;
            }
        };
        let limits = Limits { packet: 0, read: 0, write: 0, handles: 0 };
        let mut remote = Self { link, session: Session::default(), extensions, limits, run: 0 };
        if remote.extensions.has(names::LIMITS) {
            remote.limits = remote.ask_limits()?;
        }
        Ok(remote)
    }

    /// What the server announced.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// What the server bears; zeros where it does not tell.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Begins a new transfer or call: replies to earlier ones are passed over from now on.
    pub(crate) fn begin(&mut self) -> u32 {
        self.run = self.run.wrapping_add(1);
        self.run
    }

    pub(crate) fn run(&self) -> u32 {
        self.run
    }

    /// Makes a request; `tag` comes back with its reply.
    pub(crate) fn send(&mut self, request: &Request<'_>, tag: Tag) {
        self.session.send(request, tag, &mut self.link.outbox.buffer);
    }

    /// Makes a WRITE of up to `length` bytes that `fill` puts straight into the packet; `tag` is told how many there
    /// were. With none nothing is sent.
    pub(crate) fn send_write<E>(
        &mut self,
        (handle, offset, length): (&[u8], u64, u32),
        tag: impl FnOnce(u32) -> Tag,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<u32, E> {
        let space = usize::try_from(length).unwrap_or(0);
        let bytes = |count| u32::try_from(count).unwrap_or(length);
        let tag = |count| tag(bytes(count));
        self.session.send_write((handle, offset, space), tag, &mut self.link.outbox.buffer, fill).map(bytes)
    }

    /// Makes a WRITE whose `length` bytes go from `file` to the connection without passing through this program.
    pub(crate) fn send_file(&mut self, (handle, offset, length): (&[u8], u64, u32), tag: Tag, file: &Arc<OwnedFd>) {
        self.session.send_write_head((handle, offset, length), tag, &mut self.link.outbox.buffer);
        self.link.outbox.append_file(Arc::clone(file), offset, usize::try_from(length).unwrap_or(0));
    }

    /// Whether a reply is for the transfer or call under way. A handle that nobody waits for is given back.
    pub(crate) fn is_awaited(&mut self, tag: Tag, reply: &Reply<'_>) -> bool {
        if tag.run == self.run {
            return true;
        }
        if let Reply::Handle(handle) = reply {
            let tag = Tag { run: self.run.wrapping_sub(1), job: 0, step: Step::Ignored };
            self.send(&Request::Close { handle }, tag);
        }
        false
    }

    /// Makes a request and waits for its answer. `what` says what is asked, for the error's line.
    pub(crate) fn call(&mut self, request: &Request<'_>, what: impl Fn() -> String) -> Result<Answer, Error> {
        let mut answers = self.call_all(std::iter::once(request.clone()))?;
        match answers.pop() {
            Some(Err((code, message))) => Err(Error::Status { code, message, what: what() }),
            Some(Ok(answer)) => Ok(answer),
            None => Err(Error::Closed),
        }
    }

    /// Makes requests, all under way at once, and waits for all answers, which come in the requests' order.
    fn call_all<'a>(&mut self, requests: impl Iterator<Item = Request<'a>>) -> Result<Vec<Answered>, Error> {
        let run = self.begin();
        let mut answers = Vec::new();
        for (job, request) in (0..).zip(requests) {
            self.session.send(&request, Tag { run, job, step: Step::Call }, &mut self.link.outbox.buffer);
            answers.push(None);
        }
        let mut missing = answers.len();
        while missing > 0 {
            let mut inbox = std::mem::take(&mut self.link.inbox);
            let taken = self.take_answers(&mut inbox, &mut answers);
            self.link.inbox = inbox;
            missing -= taken?;
            if missing > 0 && !self.link.turn()? {
                self.link.wait(None)?;
            }
        }
        Ok(answers.into_iter().flatten().collect())
    }

    fn take_answers(&mut self, inbox: &mut Inbox, answers: &mut [Option<Answered>]) -> Result<usize, Error> {
        let mut taken = 0;
        while taken < answers.len() {
            let Some(packet) = inbox.next_packet()? else { break };
            let (tag, reply) = self.session.receive(packet)?;
            if !self.is_awaited(tag, &reply) {
                continue;
            }
            let place = usize::try_from(tag.job).ok().and_then(|job| answers.get_mut(job));
            if let Some(place) = place {
                *place = Some(Answer::of(reply));
                taken += 1;
            }
        }
        Ok(taken)
    }
}

impl Answer {
    pub(crate) fn of(reply: Reply<'_>) -> Answered {
        Ok(match reply {
            Reply::Status { code: Code::Ok, .. } => Self::Done,
            Reply::Status { code, message } => return Err((code, shown(message))),
            Reply::Handle(handle) => Self::Handle(handle.to_vec()),
            Reply::Data(_) => Self::Data,
            Reply::Names(names) => Self::Names(names),
            Reply::Attributes(attributes) => Self::Attributes(attributes),
            Reply::Extended(data) => Self::Extended(data.to_vec()),
        })
    }
}

/// An error for an answer of a kind that [`Session`] lets through and this request cannot use.
fn unexpected(what: &str) -> Error {
    Error::Nonsense { what: format!("{what}: the server's answer makes no sense") }
}
