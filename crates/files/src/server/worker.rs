//! One client's worker: what it has open, what it may do, and what it did.

use super::handles::{Handles, Open};
use super::journal::{Level, Log, shown};
use super::lending::changes_bytes;
use super::output::Output;
use super::people::People;
use super::policy::Policy;
use super::tree::Tree;
use super::{Error, Settings, Totals};
use nacre_sftp::packet;
use nacre_sftp::server::{Incoming, Session};
use nacre_sftp::{Code, Request};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Why no more packets are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// There are no more.
    All,
    /// The replies are enough for now.
    Enough,
    /// The next one may change bytes that the client has not taken yet.
    Unsettled,
}

/// The state of one client's session. It reads no stream itself: see [`super::serve`] for the loop around it.
pub struct Worker {
    session: Session,
    pub(super) policy: Policy,
    pub(super) tree: Tree,
    pub(super) handles: Handles,
    pub(super) people: People,
    pub(super) totals: Totals,
    /// Where bytes lie between two files, made when it is needed.
    pub(super) scratch: Vec<u8>,
    log: Box<dyn Log + Send>,
    peer: Option<OwnedFd>,
}

impl Worker {
    /// Begins.
    ///
    /// # Errors
    /// The root folder or the current one cannot be had.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let Settings { read_only, start, root, allowed, denied, log } = settings;
        let policy = Policy::new(read_only, allowed, denied);
        let mut tree = Tree::new(root.as_deref())?;
        if let Some(start) = start
            && let Err(error) = tree.enter(&start)
        {
            // As OpenSSH's: the client is served all the same, from where it would have been without.
            log.line(Level::Error, &format!("cannot start in {}: {error}", start.display()));
        }
        Ok(Self {
            session: Session::new(policy.announced()),
            policy,
            tree,
            handles: Handles::default(),
            people: People::default(),
            totals: Totals::default(),
            scratch: Vec::new(),
            log,
            peer: None,
        })
    }

    /// Long work ends when whoever reads here has gone.
    pub(super) fn watch(&mut self, output: BorrowedFd<'_>) {
        self.peer = output.try_clone_to_owned().ok();
    }

    /// Whether the client has gone.
    pub(super) fn is_abandoned(&self) -> bool {
        let Some(peer) = &self.peer else { return false };
        let mut fds = [PollFd::from_borrowed_fd(peer.as_fd(), PollFlags::empty())];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let _ = poll(&mut fds, Some(&now));
        fds.iter().any(|fd| fd.revents().intersects(PollFlags::ERR | PollFlags::HUP))
    }

    /// Answers the whole packets at the beginning of `stream` as far as may be, and says how many bytes of it are done.
    ///
    /// # Errors
    /// The client must be left; what it asked before is answered.
    pub fn take(&mut self, stream: &[u8], replies: &mut Output) -> Result<(usize, Taken), Error> {
        let mut taken = 0;
        while !replies.is_enough() {
            let Some(packet) = packet::split(stream.get(taken..).unwrap_or_default())? else {
                return Ok((taken, Taken::All));
            };
            if replies.is_unsettled() && changes_bytes(packet) {
                return Ok((taken, Taken::Unsettled));
            }
            taken += packet::LENGTH + packet.len();
            match replies.append(|out| self.session.receive(packet, out))? {
                Incoming::Init => {}
                Incoming::Request { id, request } => self.answer(id, request, replies),
                Incoming::Malformed { id, error } => {
                    self.note(Level::Verbose, || format!("malformed request: {error}"));
                    replies.append(|out| nacre_sftp::Reply::encode_status(id, Code::BadMessage, out));
                }
            }
        }
        Ok((taken, Taken::Enough))
    }

    fn answer(&mut self, id: u32, request: Request<'_>, replies: &mut Output) {
        self.totals.requests += 1;
        let name = super::policy::name_of(&request);
        let answer = match self.policy.judge(&request) {
            Ok(()) => self.request(id, request, replies),
            Err(refusal) => {
                self.note(Level::Verbose, || format!("refused {} request", name.unwrap_or("unknown")));
                Err(refusal)
            }
        };
        match answer {
            Ok(answer) => answer.send(id, replies),
            Err(refusal) => {
                if refusal.code != Code::Eof {
                    self.note(Level::Verbose, || format!("sent status {}", refusal.words()));
                }
                replies.append(|out| refusal.encode(id, out));
            }
        }
    }

    /// Tells the log, if it wants to know.
    pub(super) fn note(&self, level: Level, line: impl FnOnce() -> String) {
        if self.log.wants(level) {
            self.log.line(level, &line());
        }
    }

    /// What was done so far.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// The client is gone: what it left open is told of as closed by force.
    pub(super) fn finish(&mut self) {
        for open in self.handles.drain() {
            self.closed("forced ", &open);
        }
    }

    /// Tells that something was closed.
    pub(super) fn closed(&self, how: &str, open: &Open) {
        self.note(Level::Info, || match open {
            Open::File(file) => {
                let (path, read, written) = (shown(&file.path), file.read, file.written);
                format!("{how}close \"{path}\" bytes read {read} written {written}")
            }
            Open::Folder(folder) => format!("{how}closedir \"{}\"", shown(&folder.path)),
        });
    }
}
