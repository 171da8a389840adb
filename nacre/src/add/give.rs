//! Giving keys to the agent.

use super::link::Link;
use super::{destinations, each_file, files, shown, tell};
use crate::cli::add::AddArgs;
use crate::failure::Failure;
use crate::ssh::ask;
use crate::{output, prompt};
use nacre_agent::{AddIdentity, DestinationConstraint, Request};
use nacre_crypto::{KeyError, PrivateKey};
use std::io::ErrorKind;
use std::path::Path;
use zeroize::Zeroizing;

/// A passphrase that opened a key: it is tried on the next ones too.
type Passphrase = Zeroizing<Vec<u8>>;

/// Gives the files' keys, and their certificates. True when all went well.
pub fn run(args: &AddArgs, link: &mut Link) -> Result<bool, Failure> {
    let destinations = destinations::resolve(args)?;
    let mut passphrase = None;
    each_file(args, |file| give(args, link, file, &destinations, &mut passphrase))
}

fn give(
    args: &AddArgs,
    link: &mut Link,
    file: &Path,
    destinations: &[DestinationConstraint],
    passphrase: &mut Option<Passphrase>,
) -> Result<bool, Failure> {
    let (bytes, name) = match files::private_bytes(file) {
        Ok(read) => read,
        Err(line) => return Ok(failed(&line)),
    };
    let Some(mut key) = open(args, &bytes, &name, passphrase)? else { return Ok(false) };
    if key.comment().is_empty() {
        key.set_comment(name.clone());
    }
    let mut well = true;
    if !args.certificates_only {
        let form = key.dangerous_agent_form();
        let done = link.order(&constrained(args, &form, destinations));
        well &= report(args, "Identity", &name, &shown(key.comment()), done);
    }
    if args.plain_only || files::is_stdin(file) {
        return Ok(well);
    }
    match files::certificate(file) {
        Ok(Some((path, certificate))) => match key.dangerous_agent_form_certified(&certificate.blob) {
            Ok(form) => {
                let done = link.order(&constrained(args, &form, destinations));
                well &= report(args, "Certificate", &path.display().to_string(), &certificate.key_id, done);
            }
            Err(_) => {
                well = failed(&format!("Certificate {} does not match private key {name}", path.display()));
            }
        },
        Ok(None) => {}
        Err(line) => well = failed(&line),
    }
    Ok(well)
}

fn constrained<'a>(args: &AddArgs, key: &'a [u8], destinations: &'a [DestinationConstraint]) -> Request<'a> {
    let lifetime = args.lifetime.map(|time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
    Request::AddIdentity(AddIdentity { key, lifetime, confirm: args.confirm, destinations })
}

fn failed(line: &str) -> bool {
    output::complain(line);
    false
}

fn report(args: &AddArgs, what: &str, name: &str, comment: &str, done: Result<(), String>) -> bool {
    if let Err(why) = done {
        return failed(&format!("Could not add {} \"{name}\": {why}", what.to_ascii_lowercase()));
    }
    tell(args, &format!("{what} added: {name} ({comment})"));
    if let Some(lifetime) = args.lifetime {
        tell(args, &format!("Lifetime set to {} seconds", lifetime.as_secs()));
    }
    if args.confirm {
        tell(args, "The user must confirm each use of the key");
    }
    true
}

/// Opens a key: without a passphrase, with the last one, or with those that the person is asked for until one fits or
/// none is given. `None`: it stays closed.
fn open(
    args: &AddArgs,
    bytes: &[u8],
    name: &str,
    last: &mut Option<Passphrase>,
) -> Result<Option<PrivateKey>, Failure> {
    let mut tried = PrivateKey::read(bytes, None);
    if let (Err(KeyError::NeedsPassphrase), Some(passphrase)) = (&tried, last.as_ref()) {
        tried = PrivateKey::read(bytes, Some(passphrase));
    }
    let use_of = if args.confirm { " (will confirm each use)" } else { "" };
    let mut question = format!("Enter passphrase for {name}{use_of}: ");
    loop {
        match tried {
            Ok(key) => return Ok(Some(key)),
            Err(KeyError::NeedsPassphrase | KeyError::WrongPassphrase) => {}
            Err(error) => {
                failed(&format!("Error loading key \"{name}\": {error}"));
                return Ok(None);
            }
        }
        let Some(passphrase) = hidden(&question)?.filter(|passphrase| !passphrase.is_empty()) else { return Ok(None) };
        tried = PrivateKey::read(bytes, Some(&passphrase));
        *last = Some(passphrase);
        question = format!("Bad passphrase, try again for {name}{use_of}: ");
    }
}

/// Asks as ssh-add does: through `SSH_ASKPASS` where it may, else on the terminal, else from standard input.
pub fn hidden(question: &str) -> Result<Option<Passphrase>, Failure> {
    match ask::by_program(question) {
        Some(Ok(answer)) => Ok(answer),
        Some(Err(error)) if error.kind() == ErrorKind::Interrupted => Err(Failure::silent(130)),
        Some(Err(error)) => Err(Failure::new(format!("add: SSH_ASKPASS: {error}"))),
        None => prompt::hidden(question),
    }
}
