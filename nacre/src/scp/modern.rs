//! Copies by SFTP, the way that is taken unless `-O` asks for the old one. No shell reads a path (threats F9, F10).

use super::view::View;
use super::{Group, Told, ends_well, failed_quietly, from_there_to_there, is_folder, shown, ssh_options};
use crate::cli::scp::ScpArgs;
use crate::ssh_child::{self, Errand, Place, SshChild};
use nacre_files::remote::{self, Error, Remote};
use nacre_files::transfer::{self, Options, Report};
use nacre_sftp::Attributes;
use nacre_sftp::attributes::Kind;
use std::path::{Path, PathBuf};

/// One SFTP session. Fields are dropped in their order: the pipes close before the child is waited for.
struct Connection {
    remote: Remote,
    child: SshChild,
}

/// Starts ssh and SFTP over it.
fn connect(args: &ScpArgs, place: &Place, view: &mut View) -> Result<Connection, Told> {
    let (child, pipes) = ssh_child::start(&ssh_options(args), place, Errand::Subsystem("sftp")).map_err(|failure| {
        view.complain(failure.message());
        Told
    })?;
    match Remote::open(pipes.input, pipes.output) {
        Ok(remote) => Ok(Connection { remote, child }),
        Err(error) => {
            // ssh has said why it ended, if it did.
            complain(&error, view);
            Err(Told)
        }
    }
}

impl Connection {
    fn close(self, view: &mut View) {
        drop(self.remote);
        ends_well(self.child, view);
    }
}

/// Tells what a whole transfer, or what comes before one, ended with.
fn complain(error: &Error, view: &mut View) {
    match error {
        Error::Closed => view.complain("Connection closed"),
        // The person who did this knows.
        Error::Cancelled => view.count_failure(),
        other => view.complain(&other.to_string()),
    }
}

fn options(args: &ScpArgs) -> Options {
    Options {
        preserve: args.preserve,
        recursive: args.recursive,
        resume: args.resume,
        verify: args.verify,
        in_place: args.in_place,
        limit: args.limit,
        requests: args.tuning.requests,
        buffer: args.tuning.buffer,
        ..Options::default()
    }
}

fn done(result: Result<Report, Error>, view: &mut View) -> Result<(), Told> {
    view.transfer_ended(true);
    result.map(drop).map_err(|error| {
        complain(&error, view);
        Told
    })
}

/// From a server to here.
pub(super) fn to_here(
    args: &ScpArgs,
    place: &Place,
    paths: &[Vec<u8>],
    target: &Path,
    view: &mut View,
) -> Result<(), Told> {
    let mut connection = connect(args, place, view)?;
    let sources = sources(&mut connection.remote, paths, view)?;
    if sources.len() > 1 {
        make_folder_here(target, view)?;
    }
    let result = transfer::get(&mut connection.remote, &sources, target, &options(args), view);
    done(result, view)?;
    connection.close(view);
    Ok(())
}

/// From here, or from other servers, to a server.
pub(super) fn to_there(
    args: &ScpArgs,
    groups: Vec<Group>,
    place: &Place,
    path: &[u8],
    several: bool,
    view: &mut View,
) -> Result<(), Told> {
    let mut open = None;
    for group in groups {
        if let Group::There(from, paths) = &group
            && args.far_sends
        {
            for source in paths {
                let _ = from_there_to_there(args, from, source, place, path, view);
            }
            continue;
        }
        if open.is_none() {
            let mut connection = connect(args, place, view)?;
            let target = expanded(&mut connection.remote, path).map_err(|error| {
                complain(&error, view);
                Told
            })?;
            if several {
                make_folder_there(&mut connection.remote, &target, view)?;
            }
            open = Some((connection, target));
        }
        let Some((connection, target)) = &mut open else { return Err(Told) };
        match group {
            Group::Here(sources) => put(args, &mut connection.remote, &sources, target, view)?,
            Group::There(from, paths) => between(args, &from, &paths, &mut connection.remote, target, view)?,
        }
    }
    if let Some((connection, _)) = open {
        connection.close(view);
    }
    Ok(())
}

fn put(args: &ScpArgs, remote: &mut Remote, sources: &[PathBuf], target: &[u8], view: &mut View) -> Result<(), Told> {
    let result = transfer::put(remote, sources, target, &options(args), view);
    done(result, view)
}

fn between(
    args: &ScpArgs,
    from: &Place,
    paths: &[Vec<u8>],
    to: &mut Remote,
    target: &[u8],
    view: &mut View,
) -> Result<(), Told> {
    // Without the source, the other sources are tried all the same.
    let Ok(mut connection) = connect(args, from, view) else { return Ok(()) };
    let Ok(sources) = sources(&mut connection.remote, paths, view) else { return Ok(()) };
    if sources.len() > 1 {
        make_folder_there(to, target, view)?;
    }
    let result = transfer::between(&mut connection.remote, &sources, to, target, &options(args), view);
    let result = done(result, view);
    connection.close(view);
    result
}

/// The files that paths with `~` and wildcards stand for there.
fn sources(remote: &mut Remote, paths: &[Vec<u8>], view: &mut View) -> Result<Vec<Vec<u8>>, Told> {
    let mut all = Vec::new();
    for path in paths {
        match expanded(remote, path).and_then(|path| remote.glob(&path)) {
            Ok(found) => all.extend(found),
            Err(error) => {
                complain(&error, view);
                if error.is_fatal() {
                    return Err(Told);
                }
            }
        }
    }
    if all.is_empty() { Err(Told) } else { Ok(all) }
}

/// A path without `~`: of one's own home folder by leaving it out, of another's by asking the server.
fn expanded(remote: &mut Remote, path: &[u8]) -> Result<Vec<u8>, Error> {
    match path {
        b"" | b"~" => Ok(b".".to_vec()),
        [b'~', b'/', rest @ ..] => {
            let slashes = rest.iter().take_while(|byte| **byte == b'/').count();
            let rest = rest.get(slashes..).unwrap_or_default();
            Ok(if rest.is_empty() { b".".to_vec() } else { rest.to_vec() })
        }
        [b'~', ..] => remote.expand_path(path),
        other => Ok(other.to_vec()),
    }
}

/// Several files go into a folder, which is made if nothing is there.
fn make_folder_here(target: &Path, view: &mut View) -> Result<(), Told> {
    let name = shown(target.as_os_str());
    match (is_folder(target), target.symlink_metadata()) {
        (Ok(()), _) => return Ok(()),
        (Err(_), Ok(_)) => view.complain(&format!("{name}: several files match, and this is not a directory")),
        (Err(_), Err(_)) => match std::fs::create_dir(target) {
            Ok(()) => return Ok(()),
            Err(error) => view.complain(&super::legacy::line(name.as_bytes(), &error)),
        },
    }
    failed_quietly(view)
}

fn make_folder_there(remote: &mut Remote, target: &[u8], view: &mut View) -> Result<(), Told> {
    let made = match remote.stat(target) {
        Ok(attributes) if attributes.kind() == Some(Kind::Directory) => Ok(()),
        Ok(_) => Err(Error::NoFolder { name: remote::shown(target) }),
        Err(error) if error.code().is_none() => Err(error),
        Err(_) => remote.mkdir(target, Attributes { permissions: Some(0o777), ..Attributes::default() }),
    };
    made.map_err(|error| {
        complain(&error, view);
        Told
    })
}
