//! `get` and `put`: which files, where to, and what is said of it.

use super::command::Transfer;
use super::local;
use super::session::{Session, Trouble, base_name, joined, quoted, refused};
use super::words::plain;
use crate::scp::view::{Style, View, Voice};
use nacre_files::remote::{Error, shown};
use nacre_files::transfer::{self, Event, Options, Watcher};
use nacre_sftp::Code;
use nacre_sftp::attributes::Kind;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// How the messages of a session speak: no name before them, and its own word for going on.
const GET: Voice = Voice { name: "", resume: "reget" };
const PUT: Voice = Voice { name: "", resume: "reput" };

impl Session<'_> {
    /// `get`.
    pub fn get(&self, what: &Transfer) -> Result<(), Trouble> {
        let pattern = self.absolute_pattern(&what.pattern);
        let target = what.target.as_deref().map(local::with_home);
        let sources = self.sources(&pattern)?;
        let into = target.as_deref().is_some_and(local::is_folder);
        if let Some(target) = &target
            && sources.len() > 1
            && !into
        {
            let target = quoted(target.as_os_str().as_bytes());
            return Err(Trouble::Say(format!("Multiple source paths, but destination {target} is not a directory")));
        }
        let word = self.word(what, "Fetching");
        for source in &sources {
            let name = OsStr::from_bytes(base_name(source));
            let lands = match &target {
                None => PathBuf::from(name),
                Some(target) if into => target.join(name),
                Some(target) => target.clone(),
            };
            self.remark(&format!("{word} {} to {}", shown(source), shown(lands.as_os_str().as_bytes())))?;
        }
        let target = target.unwrap_or_else(|| Path::new(".").to_owned());
        let (options, mut watch) = (self.options(what), self.watch(GET));
        let moved = transfer::get(&mut self.far.remote(), &sources, &target, &options, &mut watch);
        self.ended(moved, watch)
    }

    /// `put`.
    pub fn put(&self, what: &Transfer) -> Result<(), Trouble> {
        let sources = local::glob(&what.pattern);
        if sources.is_empty() {
            let name = shown(&plain(&what.pattern));
            return Err(Trouble::Say(format!("stat {name}: No such file or directory")));
        }
        let target = what.target.as_deref().map(|target| self.expanded(target)).transpose()?;
        let into = match &target {
            None => true,
            Some(target) => self.is_folder(target)?,
        };
        if let Some(target) = &target
            && sources.len() > 1
            && !into
        {
            let target = quoted(target);
            return Err(Trouble::Say(format!("Multiple paths match, but destination {target} is not a directory")));
        }
        let target = target.unwrap_or_else(|| self.folder());
        let word = self.word(what, "Uploading");
        for source in &sources {
            let bytes = source.as_os_str().as_bytes();
            let lands = if into { joined(&target, base_name(bytes)) } else { target.clone() };
            self.remark(&format!("{word} {} to {}", shown(bytes), shown(&lands)))?;
        }
        let (options, mut watch) = (self.options(what), self.watch(PUT));
        let moved = transfer::put(&mut self.far.remote(), &sources, &target, &options, &mut watch);
        self.ended(moved, watch)
    }

    /// What a pattern matches there.
    fn sources(&self, pattern: &[u8]) -> Result<Vec<Vec<u8>>, Trouble> {
        let mut remote = self.far.remote();
        let found = remote.glob(pattern).map_err(|error| refused("glob", error))?;
        // A pattern that matches nothing comes back as a name.
        if let [only] = found.as_slice() {
            match remote.lstat(only) {
                Err(error) if error.code() == Some(Code::NoSuchFile) => {
                    return Err(Trouble::Say(format!("File {} not found.", quoted(only))));
                }
                Err(error) => return Err(refused(&format!("stat remote {}", quoted(only)), error)),
                Ok(_) => {}
            }
        }
        Ok(found)
    }

    /// Whether a path there is a folder, links followed.
    pub fn is_folder(&self, path: &[u8]) -> Result<bool, Trouble> {
        match self.far.remote().stat(path) {
            Ok(told) => Ok(told.kind() == Some(Kind::Directory)),
            Err(error) if error.is_fatal() => Err(Trouble::Gone(error)),
            Err(_) => Ok(false),
        }
    }

    fn word(&self, what: &Transfer, afresh: &'static str) -> &'static str {
        if what.resume || self.args.resume { "Resuming" } else { afresh }
    }

    fn options(&self, what: &Transfer) -> Options {
        let args = self.args;
        Options {
            preserve: what.preserve || args.preserve,
            recursive: what.recursive || args.recursive,
            resume: what.resume || args.resume,
            fsync: what.fsync || args.fsync,
            verify: self.verify,
            in_place: args.in_place,
            // OpenSSH's sftp leaves links out of folders, unlike its scp.
            skip_links: true,
            limit: args.limit,
            requests: args.tuning.requests,
            buffer: args.tuning.buffer,
        }
    }

    fn watch(&self, voice: Voice) -> Watch {
        let style = Style::choose(false, !self.progress, self.args.verbose);
        Watch { view: View::speaking(style, voice), silent: style == Style::Errors, verified: 0 }
    }

    /// What failed was told by the view; why nothing more was done is told here.
    fn ended(&self, moved: Result<transfer::Report, Error>, mut watch: Watch) -> Result<(), Trouble> {
        watch.view.transfer_ended(true);
        watch.view.finish();
        if watch.silent && watch.verified > 0 {
            let files = if watch.verified == 1 { "file" } else { "files" };
            self.remark(&format!("Verified: {} {files} equal at both ends", watch.verified))?;
        }
        match moved {
            Err(error) if error.is_fatal() => Err(Trouble::Gone(error)),
            Err(Error::Cancelled) => Err(Trouble::Say("Interrupted".to_owned())),
            Err(error) => Err(Trouble::Say(error.to_string())),
            Ok(_) if watch.view.any_failed() => Err(Trouble::Told),
            Ok(_) => Ok(()),
        }
    }
}

/// The view, and a count of what a view without bars does not tell.
struct Watch {
    view: View,
    silent: bool,
    verified: u64,
}

impl Watcher for Watch {
    fn event(&mut self, event: &Event<'_>) {
        self.verified += u64::from(matches!(event, Event::Verified { .. }));
        self.view.event(event);
    }

    fn cancelled(&self) -> bool {
        self.view.cancelled()
    }
}
