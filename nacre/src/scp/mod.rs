//! `nacre scp`: files to, from and between other machines.
//!
//! [`modern`] speaks SFTP through `nacre-files`, [`old`] the old protocol of [`legacy`]; both start their ssh by
//! [`crate::ssh_child`], and [`view`] shows what happens.

pub(crate) mod address;
mod legacy;
mod modern;
mod old;
pub(crate) mod view;

use crate::cli::scp::{Role, ScpArgs};
use crate::failure::Failure;
use crate::ssh_child::interrupts::{self, OnInterrupt};
use crate::ssh_child::{self, Ended, Place, SshChild, SshOptions};
use address::Address;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use view::{Style, View};

/// Nothing more can be done here; why was told already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told;

/// Sources that are on the same machine, next to each other on the command line.
enum Group {
    Here(Vec<PathBuf>),
    There(Place, Vec<Vec<u8>>),
}

/// Runs `nacre scp`.
///
/// # Errors
/// What keeps it from beginning. What happens to files is told as it happens and comes back as the exit code.
pub fn run(args: &ScpArgs) -> Result<ExitCode, Failure> {
    if args.role != Role::Caller {
        return legacy::run_role(args);
    }
    interrupts::catch(OnInterrupt::End).map_err(|error| Failure::new(format!("scp: signals: {error}")))?;
    let mut view = View::new(Style::choose(args.json, args.quiet, args.verbose));
    // What failed is told, and counted by the view.
    let _ = copy(args, &mut view);
    view.finish();
    Ok(match (interrupts::came(), view.any_failed()) {
        (Some(signal), _) => ExitCode::from(u8::try_from(128 + signal).unwrap_or(1)),
        (None, true) => ExitCode::FAILURE,
        (None, false) => ExitCode::SUCCESS,
    })
}

fn copy(args: &ScpArgs, view: &mut View) -> Result<(), Told> {
    let Some((target, sources)) = args.words.split_last() else { return Err(Told) };
    let target = address(target, args, view)?;
    let several = sources.len() > 1;
    let groups = groups(sources, args, view);
    match (&target, args.legacy) {
        (Address::Here(target), _) => {
            if several && let Err(reason) = is_folder(target) {
                view.complain(&format!("{}: {reason}", shown(target.as_os_str())));
                return Err(Told);
            }
            for group in groups {
                to_here(args, group, target, view);
            }
            Ok(())
        }
        (Address::There { place, path }, true) => old::to_there(args, groups, place, path, several, view),
        (Address::There { place, path }, false) => modern::to_there(args, groups, place, path, several, view),
    }
}

fn to_here(args: &ScpArgs, group: Group, target: &Path, view: &mut View) {
    // A group that fails does not keep the others from being tried.
    let _ = match group {
        Group::Here(sources) => copy_here(args, &sources, target, view),
        Group::There(place, paths) if args.legacy => old::to_here(args, &place, &paths, target, view),
        Group::There(place, paths) => modern::to_here(args, &place, &paths, target, view),
    };
}

/// Reads one word; a wrong one is told.
fn address(word: &OsStr, args: &ScpArgs, view: &mut View) -> Result<Address, Told> {
    Address::parse(word, args.port).map_err(|problem| {
        view.complain(&format!("{}: {problem}", shown(word)));
        Told
    })
}

/// Wrong words are told and left out.
fn groups(words: &[OsString], args: &ScpArgs, view: &mut View) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for word in words {
        match (address(word, args, view), groups.last_mut()) {
            (Err(Told), _) => {}
            (Ok(Address::Here(path)), Some(Group::Here(paths))) => paths.push(path),
            (Ok(Address::Here(path)), _) => groups.push(Group::Here(vec![path])),
            (Ok(Address::There { place, path }), Some(Group::There(last, paths))) if *last == place => paths.push(path),
            (Ok(Address::There { place, path }), _) => groups.push(Group::There(place, vec![path])),
        }
    }
    groups
}

fn is_folder(path: &Path) -> Result<(), &'static str> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err("Not a directory"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err("No such file or directory"),
        Err(_) => Err("cannot be examined"),
    }
}

/// From here to here: cp's work, as OpenSSH has it.
fn copy_here(args: &ScpArgs, sources: &[PathBuf], target: &Path, view: &mut View) -> Result<(), Told> {
    let mut cp = Command::new("cp");
    cp.args(args.recursive.then_some("-r")).args(args.preserve.then_some("-p")).arg("--").args(sources).arg(target);
    match cp.status() {
        Ok(status) if status.success() => Ok(()),
        // It said why.
        Ok(_) => failed_quietly(view),
        Err(error) => {
            view.complain(&format!("cannot run cp: {error}"));
            Err(Told)
        }
    }
}

/// `-R`: the first host runs scp itself. It reaches the second with its own keys, and its shell reads the paths.
fn from_there_to_there(
    args: &ScpArgs,
    from: &Place,
    path: &[u8],
    to: &Place,
    target: &[u8],
    view: &mut View,
) -> Result<(), Told> {
    if to.port.is_some_and(|port| port != 22) {
        view.complain("the second host's port cannot be told with -R: leave -R out, or set the port in a file there");
        return Err(Told);
    }
    let mut ssh = ssh_child::own_or(args.program.as_deref(), "ssh");
    ssh.args(["-x", "-oClearAllForwardings=yes", "-n"]).args(&args.flags);
    if let Some(port) = from.port {
        ssh.arg("-p").arg(port.to_string());
    }
    if let Some(user) = &from.user {
        ssh.arg("-l").arg(user);
    }
    let login = to.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
    let host = if to.host.contains(':') { format!("[{}]", to.host) } else { to.host.clone() };
    let target = [format!("{login}{host}:").as_bytes(), target].concat();
    ssh.arg("--").arg(&from.host).arg(old::command(args, false));
    ssh.arg(OsStr::from_bytes(path)).arg(OsStr::from_bytes(&target)).stdin(Stdio::null());
    match ssh.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => failed_quietly(view),
        Err(error) => {
            view.complain(&format!("cannot run ssh: {error}"));
            Err(Told)
        }
    }
}

/// Something failed that another program has told about.
fn failed_quietly<T>(view: &mut View) -> Result<T, Told> {
    view.count_failure();
    Err(Told)
}

/// How ssh is to be started.
fn ssh_options(args: &ScpArgs) -> SshOptions {
    SshOptions {
        program: args.program.clone(),
        direct: args.direct.iter().cloned().collect(),
        flags: args.flags.clone(),
        ignores_interrupts: false,
    }
}

/// Waits for ssh, whose own code says whether the far side was content.
fn ends_well(mut child: SshChild, view: &mut View) {
    match child.wait() {
        Ok(Ended::Code(0)) => {}
        Ok(_) => view.count_failure(),
        Err(failure) => view.complain(failure.message()),
    }
}

/// Command-line text made fit for a message.
fn shown(word: &OsStr) -> String {
    nacre_files::remote::shown(word.as_bytes())
}
