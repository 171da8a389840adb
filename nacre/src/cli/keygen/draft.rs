//! Reading the words of a call of `nacre keygen`. One letter says what is to be done; what some of the others mean
//! depends on it, so all are kept until the last was seen.

use super::{
    CertifyArgs, FingerprintHash, KeyFormat, KeyType, KeygenAction, KeygenArgs, RevokeArgs, SignatureArgs,
    SignatureOperation, SshfpArgs, command,
};
use crate::cli::getopt::{Operands, Opt};
use crate::cli::{Early, printable, read};
use crate::failure::Failure;
use std::ffi::OsString;
use std::path::PathBuf;

/// Reads the words after the program's or subcommand's name.
pub(crate) fn parse(name: &str, words: Vec<OsString>) -> Result<KeygenArgs, Early> {
    let words = read(command(), name, Operands::Anywhere, words)?;
    let mut draft = Draft::default();
    for option in &words.options {
        draft.option(option).map_err(|problem| Failure::new(format!("keygen: {problem}")))?;
    }
    draft.files = words.operands.iter().map(PathBuf::from).collect();
    draft.finish().map_err(|problem| Failure::new(format!("keygen: {problem}")).into())
}

#[derive(Default)]
struct Draft {
    mode: Option<char>,
    list: bool,
    host: Option<String>,
    key_type: Option<String>,
    bits: Option<u32>,
    file: Option<PathBuf>,
    quiet: bool,
    old_passphrase: Option<String>,
    new_passphrase: Option<String>,
    comment: Option<String>,
    rounds: Option<u32>,
    fingerprint: FingerprintHash,
    verbose: bool,
    certify: CertifyArgs,
    ca: Option<PathBuf>,
    signature: Option<SignatureOperation>,
    /// `-r`: a file or a host, as the mode has it.
    records: Option<String>,
    generic: bool,
    hashed: bool,
    format: Option<KeyFormat>,
    update: bool,
    files: Vec<PathBuf>,
}

impl Draft {
    fn option(&mut self, option: &Opt) -> Result<(), String> {
        let letter = option.flag.chars().nth(1).unwrap_or_default();
        let Some(value) = &option.value else { return self.plain(letter) };
        let text = value.to_str().ok_or_else(|| format!("the value of {} is not UTF-8", option.flag))?;
        self.valued(letter, text)
    }

    fn plain(&mut self, letter: char) -> Result<(), String> {
        match letter {
            'q' => self.quiet = true,
            'v' => self.verbose = true,
            'l' => self.list = true,
            'h' => self.certify.host = true,
            'U' => self.certify.agent = true,
            'g' => self.generic = true,
            'H' => self.hashed = true,
            'K' => return Err(hardware(letter)),
            'u' => self.update = true,
            'y' | 'p' | 'c' | 'L' | 'k' | 'Q' | 'A' | 'e' | 'i' | 'B' => self.mode(letter)?,
            _ => {}
        }
        Ok(())
    }

    fn valued(&mut self, letter: char, text: &str) -> Result<(), String> {
        let given = || Some(text.to_owned());
        match letter {
            't' => self.key_type = given(),
            'b' => self.bits = Some(number("-b", text)?),
            'f' => self.file = Some(text.into()),
            'N' => self.new_passphrase = given(),
            'P' => self.old_passphrase = given(),
            'C' => self.comment = given(),
            'a' => self.rounds = Some(number("-a", text)?),
            'E' => self.fingerprint = hash(text)?,
            'I' => self.certify.key_id = text.to_owned(),
            'n' => self.certify.principals = text.to_owned(),
            'V' => self.certify.validity = given(),
            'O' => self.certify.options.push(text.to_owned()),
            'z' => {
                self.certify.counts = text.starts_with('+');
                let digits = text.strip_prefix('+').unwrap_or(text);
                self.certify.serial = serial(digits)
                    .ok_or_else(|| format!("-z needs a number from 0 to {}, not '{}'", u64::MAX, printable(text)))?;
            }
            's' => self.ca = Some(text.into()),
            'r' => self.records = given(),
            'm' => self.format = Some(format(text)?),
            'D' | 'w' | 'M' => return Err(hardware(letter)),
            'Z' if text != "aes256-ctr" => {
                return Err(format!("-Z {}: keys are protected with aes256-ctr", printable(text)));
            }
            'Y' => {
                self.mode(letter)?;
                self.signature = Some(operation(text)?);
            }
            'F' | 'R' => {
                self.mode(letter)?;
                self.host = given();
            }
            _ => {}
        }
        Ok(())
    }

    fn mode(&mut self, letter: char) -> Result<(), String> {
        match self.mode.replace(letter) {
            Some(earlier) if earlier != letter => Err(format!("-{earlier} and -{letter} cannot be used together")),
            _ => Ok(()),
        }
    }

    /// What is signed with `-s`.
    fn certify(&mut self, ca: PathBuf) -> Result<KeygenAction, String> {
        let mut args = std::mem::take(&mut self.certify);
        args.ca = ca;
        if args.key_id.is_empty() {
            return Err("-s needs a name for the certificate: give it with -I".to_owned());
        }
        args.files = std::mem::take(&mut self.files);
        if args.files.is_empty() {
            return Err("-s needs at least one public key file to sign".to_owned());
        }
        args.algorithm = self.key_type.take();
        Ok(KeygenAction::Certify(Box::new(args)))
    }

    fn revoke(&mut self) -> Result<KeygenAction, String> {
        if self.file.is_none() {
            return Err("-k needs the name of the list: give it with -f".to_owned());
        }
        let files = std::mem::take(&mut self.files);
        let version = std::mem::take(&mut self.certify.serial);
        Ok(KeygenAction::Revoke(RevokeArgs { ca: self.ca.take(), version, update: self.update, files }))
    }

    fn check_revoked(&mut self) -> Result<KeygenAction, String> {
        if self.file.is_none() {
            return Err("-Q needs the name of the list: give it with -f".to_owned());
        }
        Ok(KeygenAction::CheckRevoked { list: std::mem::take(&mut self.list), files: std::mem::take(&mut self.files) })
    }

    /// `-r` without `-Y`.
    fn sshfp(&mut self, host: String) -> Result<KeygenAction, String> {
        let mut hash = None;
        for option in std::mem::take(&mut self.certify.options) {
            hash = Some(match option.to_ascii_lowercase().as_str() {
                "hashalg=sha1" => 1,
                "hashalg=sha256" => 2,
                _ => return Err(format!("-O {}: hashalg=sha1 and hashalg=sha256 are known here", printable(&option))),
            });
        }
        Ok(KeygenAction::Sshfp(SshfpArgs { host, generic: self.generic, hash }))
    }

    /// `-Y`. What it cannot do without is named; ssh-keygen(1) has the rest.
    fn sign(&mut self, operation: SignatureOperation) -> Result<KeygenAction, String> {
        let args = std::mem::take(&mut self.certify);
        let wanted = SignatureArgs {
            operation,
            namespace: args.principals.clone(),
            identity: args.key_id.clone(),
            signature: self.ca.take(),
            revoked: self.records.take().map(PathBuf::from),
            options: args.options.clone(),
            agent: args.agent,
            files: std::mem::take(&mut self.files),
        };
        use SignatureOperation::{CheckNoValidate, FindPrincipals, MatchPrincipals, Sign, Verify};
        let missing = |letter: &str, what: &str| Err(format!("-Y needs {what} here: give it with {letter}"));
        if wanted.namespace.is_empty() && matches!(operation, Sign | Verify | CheckNoValidate) {
            return missing("-n", "a namespace, such as file or git");
        }
        if wanted.signature.is_none() && matches!(operation, Verify | FindPrincipals | CheckNoValidate) {
            return missing("-s", "the file of a signature");
        }
        if self.file.is_none() && operation != CheckNoValidate {
            return missing("-f", if operation == Sign { "a key" } else { "a file of allowed signers" });
        }
        if wanted.identity.is_empty() && matches!(operation, Verify | MatchPrincipals) {
            return missing("-I", "the name of somebody");
        }
        if wanted.agent && operation != Sign {
            return Err("-U goes with -s and -Y sign only".to_owned());
        }
        if operation != Sign && !wanted.files.is_empty() {
            self.files.clone_from(&wanted.files);
        }
        Ok(KeygenAction::Signature(Box::new(wanted)))
    }

    /// What `-l` with one of the others means, or is refused.
    fn action(&mut self) -> Result<KeygenAction, String> {
        // -H beside -F says how names are printed.
        if self.hashed && self.mode != Some('F') {
            self.mode('H')?;
        }
        let host = self.host.take().unwrap_or_default();
        if let (Some(other @ ('L' | 'R' | 'H' | 'y' | 'p' | 'c' | 'k' | 'Y' | 'A' | 'e' | 'i')), true) =
            (self.mode, self.list)
        {
            return Err(format!("-{other} and -l cannot be used together"));
        }
        Ok(match self.mode {
            Some('Y') => match self.signature {
                Some(operation) => self.sign(operation)?,
                None => return Err("-Y needs a word".to_owned()),
            },
            Some('k') => self.revoke()?,
            Some('Q') => self.check_revoked()?,
            Some('F') => KeygenAction::FindHost { host, fingerprints: self.list, hashed: self.hashed },
            Some('A') => KeygenAction::HostKeys,
            Some('e') => KeygenAction::Export,
            Some('i') => KeygenAction::Import,
            Some('B') => KeygenAction::BubbleBabble,
            Some('L') => KeygenAction::ShowCertificate,
            Some('R') => KeygenAction::RemoveHost(host),
            Some('H') => KeygenAction::HashHosts,
            Some('y') => KeygenAction::Public,
            Some('p') => KeygenAction::ChangePassphrase,
            Some('c') => KeygenAction::ChangeComment,
            _ if self.list && self.ca.is_some() => return Err("-s and -l cannot be used together".to_owned()),
            _ if self.list => KeygenAction::Fingerprint,
            _ => match (self.ca.take(), self.records.take()) {
                (Some(ca), None) => self.certify(ca)?,
                (Some(_), Some(_)) => return Err("-r and -s cannot be used together".to_owned()),
                (None, Some(host)) => self.sshfp(host)?,
                (None, None) => KeygenAction::Create(key_type(self.key_type.as_deref(), self.bits)?),
            },
        })
    }

    /// Every action takes what it knows; what is left was meant for another.
    fn finish(mut self) -> Result<KeygenArgs, String> {
        let action = self.action()?;
        if let (Some(letter), true) = (self.mode, self.ca.is_some()) {
            return Err(format!("-{letter} and -s cannot be used together"));
        }
        if let Some(word) = self.files.first() {
            return Err(format!("'{}' is one word too many", printable(&word.to_string_lossy())));
        }
        if self.certify != CertifyArgs::default() {
            return Err("-I, -n, -h, -V, -O, -z and -U stand with -s only".to_owned());
        }
        if let (Some(letter), true) = (self.mode, self.records.is_some()) {
            return Err(format!("-{letter} and -r cannot be used together"));
        }
        if self.generic && !matches!(action, KeygenAction::Sshfp(_)) {
            return Err("-g stands with -r only".to_owned());
        }
        if self.update && !matches!(action, KeygenAction::Revoke(_)) {
            return Err("-u stands with -k only".to_owned());
        }
        Ok(KeygenArgs {
            action,
            file: self.file,
            quiet: self.quiet,
            old_passphrase: self.old_passphrase,
            new_passphrase: self.new_passphrase,
            comment: self.comment,
            rounds: self.rounds,
            fingerprint: self.fingerprint,
            verbose: self.verbose,
            format: self.format,
        })
    }
}

/// Why a letter that ssh-keygen has is not done.
fn hardware(letter: char) -> String {
    let why = match letter {
        'D' => "PKCS#11 tokens are not supported",
        'M' => "groups for Diffie-Hellman are not made or screened; none is used here",
        _ => "security keys (FIDO) are not made or read; they can log in, and sign elsewhere",
    };
    format!("-{letter}: {why}")
}

fn format(text: &str) -> Result<KeyFormat, String> {
    match text.to_ascii_lowercase().as_str() {
        "rfc4716" | "ssh2" => Ok(KeyFormat::Rfc4716),
        "pkcs8" => Ok(KeyFormat::Pkcs8),
        "pem" => Ok(KeyFormat::Pem),
        _ => Err(format!("-m {}: RFC4716, PKCS8 and PEM are known", printable(text))),
    }
}

fn operation(text: &str) -> Result<SignatureOperation, String> {
    Ok(match text {
        "sign" => SignatureOperation::Sign,
        "verify" => SignatureOperation::Verify,
        "find-principals" => SignatureOperation::FindPrincipals,
        "match-principals" => SignatureOperation::MatchPrincipals,
        "check-novalidate" => SignatureOperation::CheckNoValidate,
        other => return Err(format!("-Y {}: no such thing is done with signatures", printable(other))),
    })
}

fn serial(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| !text.starts_with('+'))
}

fn number(flag: &str, text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{flag} needs a number, not '{}'", printable(text))),
    }
}

pub(crate) fn hash(text: &str) -> Result<FingerprintHash, String> {
    match text.to_ascii_lowercase().as_str() {
        "sha256" => Ok(FingerprintHash::Sha256),
        "md5" => Ok(FingerprintHash::Md5),
        _ => Err(format!("unknown hash '{}': sha256 and md5 are known", printable(text))),
    }
}

fn key_type(name: Option<&str>, bits: Option<u32>) -> Result<KeyType, String> {
    let ecdsa = |bits| match bits {
        None | Some(256) => Ok(KeyType::EcdsaNistp256),
        Some(384) => Ok(KeyType::EcdsaNistp384),
        Some(521) => Ok(KeyType::EcdsaNistp521),
        Some(other) => Err(format!("an ecdsa key has 256, 384 or 521 bits, not {other}")),
    };
    match name.unwrap_or("ed25519").to_ascii_lowercase().as_str() {
        // The size of an ed25519 key is fixed; ssh-keygen passes over -b here, and so do scripts.
        "ed25519" | "ssh-ed25519" => Ok(KeyType::Ed25519),
        "ecdsa" => ecdsa(bits),
        "ecdsa-sha2-nistp256" => Ok(KeyType::EcdsaNistp256),
        "ecdsa-sha2-nistp384" => Ok(KeyType::EcdsaNistp384),
        "ecdsa-sha2-nistp521" => Ok(KeyType::EcdsaNistp521),
        "rsa" | "ssh-rsa" | "rsa-sha2-256" | "rsa-sha2-512" => match bits.unwrap_or(3072) {
            bits @ (2048 | 3072 | 4096 | 8192) => Ok(KeyType::Rsa(bits)),
            other => Err(format!("an rsa key is made with 2048, 3072, 4096 or 8192 bits, not {other}")),
        },
        "ed25519-sk" | "ecdsa-sk" => Err(hardware('w').split_off(4)),
        "dsa" | "ssh-dss" => Err("dsa keys are broken and are not made; use ed25519".to_owned()),
        other => Err(format!("unknown key type '{}': ed25519, ecdsa and rsa can be made", printable(other))),
    }
}
