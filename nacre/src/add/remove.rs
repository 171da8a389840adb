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
