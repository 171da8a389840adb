//! The same request for many paths, all under way at once.

use super::{Answer, Error, Remote, shown, unexpected};
use nacre_sftp::{Attributes, Request};

/// Requests under way at once.
const AHEAD: usize = 128;

impl Remote {
    /// [`Self::lstat`] of each path, in their order: what the server refuses is an error of its own.
    ///
    /// # Errors
    /// The connection is of no use any more.
    pub fn lstat_all(&mut self, paths: &[Vec<u8>]) -> Result<Vec<Result<Attributes, Error>>, Error> {
        let mut all = Vec::with_capacity(paths.len());
        for paths in paths.chunks(AHEAD) {
            let answers = self.call_all(paths.iter().map(|path| Request::Lstat { path }))?;
            for (path, answer) in paths.iter().zip(answers) {
                let what = || format!("stat {}", shown(path));
                all.push(match answer {
                    Ok(Answer::Attributes(attributes)) => Ok(attributes),
                    Ok(_) => return Err(unexpected(&what())),
                    Err((code, message)) => Err(Error::Status { code, message, what: what() }),
                });
            }
        }
        Ok(all)
    }
}

// A connection may go to another thread: whoever completes names for a person waits for a list with a bound.
const _: fn() = || {
    fn may_move<T: Send>() {}
    may_move::<Remote>();
};
