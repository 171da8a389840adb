//! Folders: all of their entries, and none with a name that leads elsewhere (threat F7).

use super::{Answer, Error, Remote, shown, unexpected};
use nacre_sftp::{Code, Name, Request};

/// READDIRs under way at once for one folder. They are answered in order, and what is too many ends in EOF.
const AHEAD: usize = 4;

/// The most entries of one folder that are kept, and the most bytes of their names: a server that never ends (threat F8).
const MAX_ENTRIES: usize = 4_000_000;

impl Remote {
    /// All entries of a folder in the server's order, without `.` and `..`.
    ///
    /// # Errors
    /// The server refuses, but for giving the handle back, or the connection is of no use any more; or the server names something that is not a single
    /// component of a path, or more than 4,000,000 entries.
    pub fn list(&mut self, path: &[u8]) -> Result<Vec<Name>, Error> {
        let what = || format!("list {}", shown(path));
        let handle = self.handle(&Request::Opendir { path }, what)?;
        let entries = self.entries(&handle, path);
        if entries.as_ref().is_err_and(Error::is_fatal) {
            return entries;
        }
        match self.done(&Request::Close { handle: &handle }, what) {
            Err(error) if error.is_fatal() => Err(error),
            _ => entries,
        }
    }

    fn entries(&mut self, handle: &[u8], path: &[u8]) -> Result<Vec<Name>, Error> {
        let what = || format!("list {}", shown(path));
        let (mut entries, mut ahead, mut empty) = (Vec::new(), 1, 0);
        loop {
            for answer in self.call_all(std::iter::repeat_n(Request::Readdir { handle }, ahead))? {
                match answer {
                    Ok(Answer::Names(names)) => entries.extend(checked_names(names, path, &mut empty)?),
                    Err((Code::Eof, _)) => return Ok(entries),
                    Err((code, message)) => return Err(Error::Status { code, message, what: what() }),
                    Ok(_) => return Err(unexpected(&what())),
                }
            }
            if entries.len() > MAX_ENTRIES {
                return Err(Error::Nonsense { what: format!("{}: the server's list has no end", what()) });
            }
            ahead = AHEAD;
        }
    }
}

/// NAME replies without a name that are borne while one folder is listed: the end has a code of its own, so a server that
/// sends nothing for ever would never be done (threat F8).
const EMPTY_REPLIES: u32 = 16;

/// The entries of one NAME reply but `.` and `..`; `empty` counts the folder's replies without a name. A name that is no
/// single component is an error: a server that sends one is either broken or means harm, and neither should choose where
/// bytes go.
pub(crate) fn checked_names(mut names: Vec<Name>, folder: &[u8], empty: &mut u32) -> Result<Vec<Name>, Error> {
    *empty += u32::from(names.is_empty());
    if *empty > EMPTY_REPLIES {
        return Err(Error::Nonsense { what: format!("list {}: the server sends empty lists", shown(folder)) });
    }
    names.retain(|name| !matches!(name.name.as_slice(), b"." | b".."));
    match names.iter().find(|name| !name.is_one_component()) {
        Some(bad) => Err(Error::BadName { name: shown(&bad.name), folder: shown(folder) }),
        None => Ok(names),
    }
}
