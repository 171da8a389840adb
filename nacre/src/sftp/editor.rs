//! The prompt: lines that a person types, with history and completion.

use super::completion::Completion;
use super::session::{Session, Trouble};
use crate::state;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config};
use std::path::PathBuf;

const PROMPT: &str = "sftp> ";

/// The most lines that are remembered.
const MAX_HISTORY: usize = 1000;

/// The line editor. Lines are remembered in `$XDG_STATE_HOME/nacre/sftp_history`, which only its owner can read.
pub(super) struct Editor {
    inner: rustyline::Editor<Completion, FileHistory>,
    file: Option<PathBuf>,
}

impl Editor {
    /// An editor for the session; without history where there is no safe place for it.
    ///
    /// # Errors
    /// The terminal is of no use.
    pub fn new(session: &Session<'_>) -> Result<Self, Trouble> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .auto_add_history(true)
            .history_ignore_space(true)
            .max_history_size(MAX_HISTORY)
            .and_then(|config| config.history_ignore_dups(true))
            .map_or_else(|_| Config::default(), rustyline::config::Builder::build);
        let history = FileHistory::with_config(&config);
        let mut inner = rustyline::Editor::with_history(config, history).map_err(|error| failed(&error))?;
        inner.set_helper(Some(Completion::new(&session.far)));
        let file = history_file();
        if let Some(file) = &file {
            // There is none before the first session.
            let _ = inner.load_history(file);
        }
        Ok(Self { inner, file })
    }

    /// The next line; none at Ctrl-D. After Ctrl-C it is an empty one.
    pub fn next(&mut self) -> Result<Option<Vec<u8>>, Trouble> {
        match self.inner.readline(PROMPT) {
            Ok(line) => {
                self.remember();
                Ok(Some(line.into_bytes()))
            }
            Err(ReadlineError::Interrupted) => Ok(Some(Vec::new())),
            Err(ReadlineError::Eof) => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    /// Appends what is new at once: a session may end in many ways.
    fn remember(&mut self) {
        if let Some(file) = &self.file
            && self.inner.append_history(file).is_err()
        {
            self.file = None;
        }
    }
}

fn failed(error: &ReadlineError) -> Trouble {
    Trouble::Say(format!("reading commands: {error}"))
}

fn history_file() -> Option<PathBuf> {
    let folder = state::directory(None).ok()?;
    state::prepare(&folder).ok()?;
    Some(folder.join("sftp_history"))
}
