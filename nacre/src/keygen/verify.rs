//! `-Y verify` and its relatives: whose signature is it, and does it count? (ssh-keygen(1), ALLOWED SIGNERS)

use super::{failure, load, shown, shown_fingerprint, sign};
use crate::cli::keygen::{KeygenArgs, SignatureArgs};
use crate::failure::Failure;
use crate::{output, revocations};
use nacre_config::allowed_signers::{AllowedSigner, AllowedSigners};
use nacre_config::authorized_keys::Expiry;
use nacre_config::pattern::matches;
use nacre_crypto::{Certificate, CertificateKind, SshSignature};
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Exit code of everything that is not good, as ssh-keygen's.
const EXIT: u8 = 255;
/// Programs look for this line.
const NO_MATCH: &str = "No principal matched.";

/// When the signature is to count, and what is printed beside the verdict.
struct Options {
    /// Seconds since 1970.
    at: i64,
    print_key: bool,
}

impl Options {
    fn read(words: &[String]) -> Result<Self, Failure> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut options = Self { at: i64::try_from(now).unwrap_or(i64::MAX), print_key: false };
        for word in words {
            match word.split_once('=') {
                Some((name, time)) if name.eq_ignore_ascii_case("verify-time") => {
                    let bad = || failure(format!("-O verify-time={}: not a time such as 20261231235959Z", shown(time)));
                    let time = Expiry::parse(time).ok_or_else(|| bad().code(EXIT))?;
                    options.at = time.instant(nacre_sys::clock::utc_offset(time.instant(0)));
                }
                None if word.eq_ignore_ascii_case("print-pubkey") => options.print_key = true,
                _ => return Err(failure(format!("-O {}: no such option is known here", shown(word))).code(EXIT)),
            }
        }
        Ok(options)
    }

    fn second(&self) -> u64 {
        u64::try_from(self.at).unwrap_or_default()
    }
}

/// `-Y verify` with a person, `-Y check-novalidate` without: whether standard input is what was signed.
pub(super) fn verify(args: &KeygenArgs, wanted: &SignatureArgs, person: Option<&str>) -> Result<(), Failure> {
    let checked = Options::read(&wanted.options).and_then(|options| {
        let signature = read(wanted)?;
        judge(args, wanted, person, &signature, &options).map_err(|why| failure(why).code(EXIT))?;
        Ok((options, signature))
    });
    let (options, signature) = match checked {
        Ok(good) => good,
        Err(why) if args.quiet => return Err(why),
        // Programs look for this line.
        Err(why) => return output::print("Could not verify signature.\n").and(Err(why)),
    };
    let key = signature.key();
    if !args.quiet {
        let kind = signature.certificate().map_or_else(|| key.type_label().to_owned(), Certificate::type_label);
        let by = person.map_or(String::new(), |person| format!("for {} ", shown(person)));
        let (name, print) = (shown(&wanted.namespace), shown_fingerprint(key, args.fingerprint));
        output::print(&format!("Good \"{name}\" signature {by}with {kind} key {print}\n"))?;
    }
    if options.print_key {
        let line = signature.certificate().map_or_else(|| key.to_line(), Certificate::to_line);
        output::print(&format!("{line}\n"))?;
    }
    Ok(())
}

fn judge(
    args: &KeygenArgs,
    wanted: &SignatureArgs,
    person: Option<&str>,
    signature: &SshSignature,
    options: &Options,
) -> Result<(), String> {
    let digest = sign::digest(signature.hash(), &mut io::stdin().lock()).map_err(|error| error.to_string())?;
    signature.verify(&wanted.namespace, &digest).map_err(|error| format!("the signature: {error}"))?;
    if let Some(list) = &wanted.revoked
        && let Some(why) =
            revocations::refusal("-r", &list.to_string_lossy(), signature.shown(), signature.certificate())
    {
        return Err(why);
    }
    let Some(person) = person else { return Ok(()) };
    let path = args.file.as_deref().ok_or("no file of allowed signers was given")?;
    let mut reason = format!("no line of {} is about {} and this key", path.display(), shown(person));
    for line in &allowed(path)?.entries {
        if !line.names(person) || !of_key(line, signature) {
            continue;
        }
        match counts(line, signature, options, person, &wanted.namespace) {
            Ok(()) => return Ok(()),
            Err(why) => reason = format!("{}:{}: {why}", path.display(), line.line),
        }
    }
    Err(reason)
}

/// Whether a line is about the key or the very certificate that signed, or about the CA of the certificate.
fn of_key(line: &AllowedSigner, signature: &SshSignature) -> bool {
    match (line.cert_authority, signature.certificate()) {
        (true, Some(certificate)) => certificate.ca().blob() == line.blob,
        (false, _) => signature.shown() == line.blob,
        (true, None) => false,
    }
}

fn counts(
    line: &AllowedSigner,
    signature: &SshSignature,
    options: &Options,
    person: &str,
    namespace: &str,
) -> Result<(), String> {
    if let Some(certificate) = signature.certificate().filter(|_| line.cert_authority) {
        certificate.check(CertificateKind::User, options.second()).map_err(|why| why.to_string())?;
        if !certificate.names_user(person) {
            return Err(nacre_crypto::CertificateRefusal::WrongPrincipal.to_string());
        }
    }
    line.counts_for(namespace).map_err(|why| why.to_string())?;
    line.counts_at(options.at, nacre_sys::clock::utc_offset).map_err(|why| why.to_string())
}

/// `-Y find-principals`: who the first line that counts says has signed.
pub(super) fn find(args: &KeygenArgs, wanted: &SignatureArgs) -> Result<(), Failure> {
    let options = Options::read(&wanted.options)?;
    let signature = match read(wanted) {
        Ok(signature) => signature,
        Err(why) => {
            output::complain(NO_MATCH);
            return Err(why);
        }
    };
    let path = args.file.as_deref().ok_or_else(|| failure("no file of allowed signers was given"))?;
    let lines = allowed(path).map_err(|why| failure(why).code(EXIT))?;
    for line in lines.entries.iter().filter(|line| of_key(line, &signature)) {
        let names = match signature.certificate() {
            Some(certificate) if line.cert_authority => certified(line, certificate, &options),
            _ => line.principals.split(',').map(str::to_owned).collect(),
        };
        match line.counts_at(options.at, nacre_sys::clock::utc_offset) {
            Ok(()) if names.is_empty() => {
                output::complain(&format!("{}:{}: no valid principals found", path.display(), line.line));
            }
            Ok(()) => return output::print(&names.iter().map(|name| format!("{}\n", shown(name))).collect::<String>()),
            Err(why) => output::complain(&format!("{}:{}: {why}", path.display(), line.line)),
        }
    }
    output::complain(NO_MATCH);
    Err(Failure::silent(EXIT))
}

/// The names of a certificate that its CA's line takes.
fn certified(line: &AllowedSigner, certificate: &Certificate, options: &Options) -> Vec<String> {
    if certificate.check(CertificateKind::User, options.second()).is_err() {
        return Vec::new();
    }
    let taken =
        |pattern: &str| certificate.principals().iter().filter(|name| matches(name, pattern)).cloned().collect();
    line.principals.split(',').flat_map(|pattern| -> Vec<String> { taken(pattern) }).collect()
}

/// `-Y match-principals`: what the lines that are about somebody have for names.
pub(super) fn match_principals(args: &KeygenArgs, wanted: &SignatureArgs) -> Result<(), Failure> {
    Options::read(&wanted.options)?;
    let path = args.file.as_deref().ok_or_else(|| failure("no file of allowed signers was given"))?;
    let lines = allowed(path).map_err(|why| failure(why).code(EXIT))?;
    let about: Vec<_> = lines.entries.iter().filter(|line| line.names(&wanted.identity)).collect();
    if about.is_empty() {
        output::complain(NO_MATCH);
        return Err(Failure::silent(EXIT));
    }
    output::print(&about.iter().map(|line| format!("{}\n", shown(&line.principals))).collect::<String>())
}

fn allowed(path: &Path) -> Result<AllowedSigners, String> {
    let bytes = revocations::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let lines = AllowedSigners::parse(&bytes);
    for refused in &lines.refused {
        output::complain(&format!("{}:{}: line refused: {}", path.display(), refused.line, refused.error));
    }
    Ok(lines)
}

fn read(wanted: &SignatureArgs) -> Result<SshSignature, Failure> {
    let path = wanted.signature.as_deref().ok_or_else(|| failure("no signature was given: name its file with -s"))?;
    let content = load::content(path).map_err(|error| failure(format!("{}: {error}", path.display())).code(EXIT))?;
    SshSignature::from_armour(content.as_bytes())
        .map_err(|error| failure(format!("{}: {error}", path.display())).code(EXIT))
}
