//! `nacre ssh --explain`: what our own session says on its way, told at its end.

use super::check::Checks;
use super::files::{self, Manner};
use super::record::Recorder;
use super::several::Several;
use super::story::{Style, story};
use super::watching::Watching;
use super::{page, tell_connect};
use crate::cli::ssh::ExplainWishes;
use crate::failure::Failure;
use crate::output;
use crate::ssh::connect::Reached;
use nacre_config::client::ClientOptions;
use nacre_proto::observe::Observer;
use std::time::Instant;

/// The story of a session while it is being lived.
pub struct SessionTale {
    wishes: ExplainWishes,
    recorder: Recorder,
}

impl SessionTale {
    /// A story, if one is wished for.
    ///
    /// # Errors
    /// Its page may not be written.
    pub fn begin(wishes: &ExplainWishes) -> Result<Option<Self>, Failure> {
        if let Some(path) = &wishes.html {
            files::check(path, manner(wishes))?;
        }
        let tale = || Self { wishes: wishes.clone(), recorder: Recorder::new(Instant::now()) };
        Ok(wishes.any().then(tale))
    }

    /// The connection stands; `other` watches it too.
    pub fn observer(&self, reached: &Reached, options: &ClientOptions, other: Box<dyn Observer>) -> Box<dyn Observer> {
        tell_connect(&self.recorder, reached, options);
        let checks = Checks::new(&options.host_name, options.port);
        let watching = Watching::new(self.recorder.clone(), checks, self.wishes.show_secrets);
        Box::new(Several(vec![other, Box::new(watching)]))
    }

    /// Tells it on standard error, and writes its page.
    ///
    /// # Errors
    /// The page cannot be written.
    pub fn finish(&self, host: &str) -> Result<(), Failure> {
        let records = self.recorder.records();
        if self.wishes.story {
            let colour = output::in_colour(&std::io::stderr());
            output::complain(story(&records, Style { colour }).trim_end());
        }
        match &self.wishes.html {
            Some(path) => {
                let page = page::page(&format!("A session with {host}"), &records);
                files::write(path, page.as_bytes(), manner(&self.wishes))
            }
            None => Ok(()),
        }
    }
}

const fn manner(wishes: &ExplainWishes) -> Manner {
    Manner { force: wishes.force, secret: wishes.show_secrets }
}
