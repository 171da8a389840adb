//! Which copies a command line means: into a folder that is there, or under a name.

use super::run::{Reply, Run, Side, doing};
use super::source::Facts;
use super::walk::{File, Folder, Tree, add_file, add_tree};
use super::{Report, local};
use crate::remote::{Answer, Error, shown};
use nacre_sftp::attributes::Kind;
use nacre_sftp::{Code, Request, extended};
use rustix::fs::{CWD, FileType};
use rustix::io::Errno;
use std::rc::Rc;

/// Sources of a server that are asked for at once.
const AHEAD: usize = 64;

/// Where the copies go.
struct Goal {
    folder: Rc<Folder>,
    /// The name of the one copy; none: each has its source's name.
    name: Option<Vec<u8>>,
    /// The name was written as a folder's, and none is there.
    must_be_folder: bool,
}

/// Moves everything, and says how that went.
pub(super) fn begin<'a>(run: &Rc<Run<'a>>, sources: Vec<Vec<u8>>, target: Vec<u8>) -> Result<Report, Error> {
    let task_run = Rc::clone(run);
    run.drive(Box::pin(async move {
        let run = &*task_run;
        if run.options.fsync && run.is_remote(Side::To) && !run.has(Side::To, extended::FSYNC) {
            run.note("the server cannot be told to write files to the disk (fsync@openssh.com)");
        }
        match goal(run, &target, sources.len()).await {
            Ok(goal) => all(run, &goal, sources).await,
            Err(error) => run.stop(error),
        }
    }))
}

async fn goal(run: &Run<'_>, target: &[u8], sources: usize) -> Result<Goal, Error> {
    if is_folder(run, target).await? {
        let mut folder = Folder::named(target, false);
        if !run.is_remote(Side::To) {
            let opened = local::open_folder(target);
            folder.target_fd = Some(opened.map_err(|error| Error::io(doing("open", target), error))?);
        }
        return Ok(Goal { folder: Rc::new(folder), name: None, must_be_folder: false });
    }
    if sources > 1 {
        return Err(Error::NoFolder { name: shown(target) });
    }
    let must_be_folder = target.last() == Some(&b'/');
    let trimmed = trim(target);
    let (parent, name) = match trimmed.iter().rposition(|byte| *byte == b'/') {
        Some(0) => (&b"/"[..], trimmed.get(1..)),
        Some(slash) => (trimmed.get(..slash).unwrap_or_default(), trimmed.get(slash + 1..)),
        None => (&b""[..], Some(trimmed)),
    };
    let name = name.filter(|name| nacre_sftp::name::is_one_component(name));
    let Some(name) = name else { return Err(Error::NoName { name: shown(target) }) };
    let mut folder = Folder::named(parent, true);
    if !run.is_remote(Side::To) {
        let opened = local::open_folder(parent);
        folder.target_fd = Some(opened.map_err(|error| Error::io(doing("open", target), error))?);
    }
    Ok(Goal { folder: Rc::new(folder), name: Some(name.to_vec()), must_be_folder })
}

/// Whether the target is a folder that is there.
async fn is_folder(run: &Run<'_>, target: &[u8]) -> Result<bool, Error> {
    if !run.is_remote(Side::To) {
        return match local::stat(CWD, if target.is_empty() { b"." } else { target }, true) {
            Ok(stat) => Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(Error::io(doing("stat", target), error)),
        };
    }
    let path = if target.is_empty() { b"." } else { target };
    match run.ask(Side::To, &Request::Stat { path }, || doing("stat", target)).await {
        Ok(Answer::Attributes(attributes)) => Ok(attributes.kind() == Some(Kind::Directory)),
        Err(Error::Status { code: Code::NoSuchFile, .. }) => Ok(false),
        Err(error) => Err(error),
        Ok(_) => Ok(false),
    }
}

/// Queues all sources.
async fn all(run: &Run<'_>, goal: &Goal, sources: Vec<Vec<u8>>) {
    for batch in sources.chunks(AHEAD) {
        let asked: Vec<Option<Reply>> = batch
            .iter()
            .map(|path| run.is_remote(Side::From).then(|| run.request(Side::From, &Request::Stat { path })))
            .collect();
        for (path, asked) in batch.iter().zip(asked) {
            let added = match look(run, path, asked).await {
                Ok((kind, facts)) => add(run, goal, path, kind, facts).await,
                Err(error) => Err(error),
            };
            if let Err(error) = added {
                run.failed(None, path, &error);
            }
        }
    }
    goal.folder.all_done(run).await;
}

/// What a source is, links followed.
async fn look(run: &Run<'_>, path: &[u8], asked: Option<Reply>) -> Result<(Kind, Facts), Error> {
    let Some(asked) = asked else {
        let stat = local::stat(CWD, path, true).map_err(|error| Error::io(doing("stat", path), error))?;
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Kind::Directory,
            FileType::RegularFile => Kind::File,
            _ => Kind::Other,
        };
        return Ok((kind, Facts::of_stat(&stat)));
    };
    match run.answer(asked, || doing("stat", path)).await? {
        // A server that does not tell what it is: reading it will.
        Answer::Attributes(attributes) => {
            Ok((attributes.kind().unwrap_or(Kind::File), Facts::of_attributes(&attributes)))
        }
        _ => Err(Error::Nonsense { what: format!("{}: the server's answer makes no sense", doing("stat", path)) }),
    }
}

async fn add(run: &Run<'_>, goal: &Goal, path: &[u8], kind: Kind, facts: Facts) -> Result<(), Error> {
    let (folder, source_name) = (Rc::clone(&goal.folder), path.to_vec());
    let own = last_name(path);
    match kind {
        Kind::Directory if !run.options.recursive => Err(Error::IsFolder { name: shown(path) }),
        Kind::Directory => {
            let target_name = goal.name.clone().or(own);
            add_tree(run, Tree { parent: folder, source_name, target_name, facts }).await;
            Ok(())
        }
        Kind::Other => Err(Error::NotRegular { name: shown(path) }),
        _ if goal.must_be_folder => Err(Error::NoFolder { name: shown(&goal.folder.target) }),
        _ => {
            let name = goal.name.clone().or(own);
            let target_name = name.ok_or_else(|| Error::NoName { name: shown(path) })?;
            add_file(run, File { folder, source_name, target_name, facts }).await;
            Ok(())
        }
    }
}

/// A path without slashes at its end.
fn trim(path: &[u8]) -> &[u8] {
    let length = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    path.get(..length).unwrap_or_default()
}

/// The name that a copy gets from its source; none for `.`, `..` and `/`, whose content goes straight into the folder.
fn last_name(path: &[u8]) -> Option<Vec<u8>> {
    let name = trim(path).rsplit(|byte| *byte == b'/').next()?;
    nacre_sftp::name::is_one_component(name).then(|| name.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f07_the_last_name_leads_nowhere_else() {
        for (path, expected) in [
            ("a", Some("a")),
            ("a/b//", Some("b")),
            ("/x", Some("x")),
            ("/", None),
            ("..", None),
            ("a/..", None),
            ("./", None),
        ] {
            assert_eq!(last_name(path.as_bytes()), expected.map(|name| name.as_bytes().to_vec()), "{path}");
        }
    }
}
