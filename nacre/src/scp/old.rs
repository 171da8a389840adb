//! Copies by the old protocol (`-O`). The far side's shell reads the paths there, as it always did.

use super::legacy::{self, Pace, Receiving, Request, Sending, Wire};
use super::view::View;
use super::{Group, Told, ends_well, from_there_to_there, ssh_options};
use crate::cli::scp::ScpArgs;
use crate::ssh_child::interrupts;
use crate::ssh_child::{self, Errand, Place, SshChild};
use std::io;
use std::path::Path;

/// The far side's program and flags.
pub(super) fn command(args: &ScpArgs, folder: bool) -> String {
    let flags = [(args.verbose, " -v"), (args.recursive, " -r"), (args.preserve, " -p"), (folder, " -d")];
    let given: String = flags.iter().filter(|(given, _)| *given).map(|(_, flag)| *flag).collect();
    format!("scp{given}")
}

/// The command line for the far side's shell: `role` is `-t` or `-f`.
fn line(args: &ScpArgs, role: &str, folder: bool, path: &[u8]) -> Vec<u8> {
    let dashes = if path.first() == Some(&b'-') { "-- " } else { "" };
    [format!("{} {role} {dashes}", command(args, folder)).as_bytes(), path].concat()
}

/// Starts ssh and the far side's scp.
fn connect(args: &ScpArgs, place: &Place, line: &[u8], view: &mut View) -> Result<(SshChild, Wire), Told> {
    match ssh_child::start(&ssh_options(args), place, Errand::Command(line)) {
        Ok((child, pipes)) => Ok((child, Wire::new(pipes.input, pipes.output))),
        Err(failure) => {
            view.complain(failure.message());
            Err(Told)
        }
    }
}

/// Tells why the conversation ended.
fn ended(result: io::Result<()>, resumable: bool, view: &mut View) -> Result<(), Told> {
    view.transfer_ended(resumable);
    let Err(error) = result else { return Ok(()) };
    match error.kind() {
        _ if interrupts::came().is_some() => view.count_failure(),
        // The far side's last message was told.
        io::ErrorKind::ConnectionAborted => view.count_failure(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => view.complain("Connection closed"),
        _ => view.complain(&error.to_string()),
    }
    Err(Told)
}

/// From a server to here.
pub(super) fn to_here(
    args: &ScpArgs,
    place: &Place,
    paths: &[Vec<u8>],
    target: &Path,
    view: &mut View,
) -> Result<(), Told> {
    // Each path has a conversation of its own, and a failed one does not end the others.
    for path in paths {
        let _ = receive(args, place, path, target, view);
    }
    Ok(())
}

fn receive(args: &ScpArgs, place: &Place, path: &[u8], target: &Path, view: &mut View) -> Result<(), Told> {
    let request = if args.any_names { None } else { Some(request(path, view)?) };
    let receiving = Receiving { recursive: args.recursive, preserve: args.preserve, folder: false, request };
    let (child, mut wire) = connect(args, place, &line(args, "-f", false, path), view)?;
    let result = legacy::receive(&mut wire, target, &receiving, &mut Pace::new(args.limit), view);
    drop(wire);
    ended(result, true, view)?;
    ends_well(child, view);
    Ok(())
}

fn request(path: &[u8], view: &mut View) -> Result<Request, Told> {
    Request::of(path).ok_or_else(|| {
        view.complain(&format!("{}: stands for too many names", nacre_files::remote::shown(path)));
        Told
    })
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
    let target = line(args, "-t", several, path);
    for group in groups {
        let _ = match group {
            Group::Here(sources) => {
                let sources: Vec<&Path> = sources.iter().map(AsRef::as_ref).collect();
                send(args, place, &target, &sources, view)
            }
            Group::There(from, paths) if args.far_sends => {
                paths.iter().try_for_each(|source| from_there_to_there(args, &from, source, place, path, view))
            }
            Group::There(from, paths) => {
                paths.iter().try_for_each(|source| through_here(args, &from, source, place, &target, view))
            }
        };
    }
    Ok(())
}

fn send(args: &ScpArgs, place: &Place, target: &[u8], sources: &[&Path], view: &mut View) -> Result<(), Told> {
    let (child, mut wire) = connect(args, place, target, view)?;
    let sending = Sending { recursive: args.recursive, preserve: args.preserve };
    let result = match wire.answer() {
        Ok(legacy::Answer::Good) => legacy::send(&mut wire, sources, sending, &mut Pace::new(args.limit), view),
        Ok(legacy::Answer::Failed(message) | legacy::Answer::Fatal(message)) => {
            legacy::Tell::said(view, &message);
            Err(io::ErrorKind::ConnectionAborted.into())
        }
        Err(error) => Err(error),
    };
    drop(wire);
    ended(result, false, view)?;
    ends_well(child, view);
    Ok(())
}

/// From one server to another: two programs there talk to each other through two ssh here.
fn through_here(
    args: &ScpArgs,
    from: &Place,
    path: &[u8],
    to: &Place,
    target: &[u8],
    view: &mut View,
) -> Result<(), Told> {
    let options = ssh_options(args);
    let source = line(args, "-f", false, path);
    let children = ssh_child::start(&options, from, Errand::Command(&source)).and_then(|(source, pipes)| {
        let sink = ssh_child::join(&options, to, Errand::Command(target), pipes)?;
        Ok((source, sink))
    });
    match children {
        Ok((source, sink)) => {
            ends_well(source, view);
            ends_well(sink, view);
            Ok(())
        }
        Err(failure) => {
            view.complain(failure.message());
            Err(Told)
        }
    }
}
