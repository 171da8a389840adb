//! Taking keys away.

use super::link::Link;
use super::{each_file, files, shown, tell};
use crate::cli::add::AddArgs;
use crate::failure::Failure;
use crate::output;
use nacre_agent::Request;
use std::path::Path;

/// Takes the keys of the files away, and the certificates beside them.
pub fn files(args: &AddArgs, link: &mut Link) -> Result<bool, Failure> {
    each_file(args, |file| {
        if files::is_stdin(file) {
            return Ok(from_stdin(args, link));
        }
        let mut well = match (args.certificates_only, files::public(file)) {
            (true, _) => true,
            (false, Ok(public)) => remove(args, link, file, &public),
            (false, Err(line)) => failed(&line),
        };
        let private = file.to_str().and_then(|name| name.strip_suffix(".pub")).map_or(file, Path::new);
        match files::certificate(private) {
            Ok(Some((path, certificate))) if !args.plain_only => well &= remove(args, link, &path, &certificate),
            Ok(_) => {}
            Err(line) => well = failed(&line),
        }
        Ok(well)
    })
}

/// Takes the keys and certificates away whose public halves come from standard input, a line each. True when one went, as for
/// ssh-add: a list is mostly of more keys than an agent holds.
fn from_stdin(args: &AddArgs, link: &mut Link) -> bool {
    let bytes = match files::standard_input() {
        Ok(bytes) => bytes,
        Err(line) => return failed(&line),
    };
    let text = String::from_utf8_lossy(&bytes);
    let mut any = false;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match files::line(line) {
            Some(public) if public.is_certificate && args.plain_only => {}
            Some(public) if !public.is_certificate && args.certificates_only => {}
            Some(public) => any |= remove(args, link, Path::new(files::STDIN), &public),
            None => any |= failed(&format!("{}:{number}: invalid key: invalid format", files::STDIN)),
        }
    }
    any
}

fn remove(args: &AddArgs, link: &mut Link, file: &Path, public: &files::Public) -> bool {
    let name = file.display();
    match link.order(&Request::RemoveIdentity(&public.blob)) {
        Ok(()) => {
            tell(args, &format!("Identity removed: {name} {} ({})", public.label, shown(&public.comment)));
            true
        }
        Err(why) => failed(&format!("Could not remove identity \"{name}\": {why}")),
    }
}

/// Takes all keys away.
pub fn all(args: &AddArgs, link: &mut Link) -> bool {
    match link.order(&Request::RemoveAllIdentities) {
        Ok(()) => {
            tell(args, "All identities removed.");
            true
        }
        Err(_) => failed("Failed to remove all identities."),
    }
}

fn failed(line: &str) -> bool {
    output::complain(line);
    false
}
