//! The entries of a server's folder, piece by piece, with several READDIRs under way.

use super::run::{Reply, Run, Side, doing, handle_of};
use crate::remote::{Answer, Error, checked_names};
use nacre_sftp::{Code, Name, Request};
use std::collections::VecDeque;

/// READDIRs under way at once.
const AHEAD: usize = 4;

/// The most entries of one folder: a server that never ends (threat F8).
const MAX_ENTRIES: usize = 4_000_000;

/// A folder that is being listed.
#[derive(Debug)]
pub(super) struct Listing {
    side: Side,
    path: Vec<u8>,
    handle: Vec<u8>,
    ahead: VecDeque<Reply>,
    entries: usize,
    empty: u32,
}

impl Listing {
    pub(super) async fn open(run: &Run<'_>, side: Side, path: &[u8]) -> Result<Self, Error> {
        let what = || doing("list", path);
        let handle = handle_of(run.ask(side, &Request::Opendir { path }, what).await?, what)?;
        let first = run.request(side, &Request::Readdir { handle: &handle });
        Ok(Self { side, path: path.to_vec(), handle, ahead: VecDeque::from([first]), entries: 0, empty: 0 })
    }

    /// The next entries, without `.` and `..`; none at the end. The handle is given back with the end or an error.
    ///
    /// # Errors
    /// The server refuses, or names something that is no single component of a path (threat F7), or never ends.
    pub(super) async fn next(&mut self, run: &Run<'_>) -> Result<Option<Vec<Name>>, Error> {
        let names = self.names(run).await;
        if !matches!(names, Ok(Some(_))) {
            run.tell(self.side, &Request::Close { handle: &self.handle });
            for late in std::mem::take(&mut self.ahead) {
                let _ = run.answer(late, String::new).await;
            }
        }
        names
    }

    async fn names(&mut self, run: &Run<'_>) -> Result<Option<Vec<Name>>, Error> {
        let Some(next) = self.ahead.pop_front() else { return Ok(None) };
        match run.answer(next, || doing("list", &self.path)).await {
            Ok(Answer::Names(names)) => {
                self.entries += names.len();
                if self.entries > MAX_ENTRIES {
                    let what = format!("{}: the server's list has no end", doing("list", &self.path));
                    return Err(Error::Nonsense { what });
                }
                while self.ahead.len() < AHEAD {
                    self.ahead.push_back(run.request(self.side, &Request::Readdir { handle: &self.handle }));
                }
                checked_names(names, &self.path, &mut self.empty).map(Some)
            }
            Err(Error::Status { code: Code::Eof, .. }) => Ok(None),
            Err(error) => Err(error),
            Ok(_) => {
                let what = format!("{}: the server's answer makes no sense", doing("list", &self.path));
                Err(Error::Nonsense { what })
            }
        }
    }
}
