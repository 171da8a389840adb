//! `-s`: certificates for public keys.

use super::agent::AgentKey;
use super::certificate_options::Options;
use super::certificate_text::validity;
use super::{failure, interval, open_private, shown};
use crate::atomic::{self, Existing};
use crate::cli::keygen::{CertifyArgs, KeygenArgs};
use crate::failure::Failure;
use crate::{keyfile, output};
use nacre_crypto::{
    Certificate, CertificateKind, CertificateRefusal, CertificateRequest, FOREVER, KeyError, PrivateKey, PublicKey,
};
use nacre_proto::algorithm::SignatureAlgorithm;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The largest public key file that is read, in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// Makes a certificate for each file, beside it as `NAME-cert.pub`.
pub(super) fn run(args: &KeygenArgs, wanted: &CertifyArgs) -> Result<(), Failure> {
    // All that can be known to be wrong is said before a passphrase is typed and a file written.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let window = match &wanted.validity {
        Some(text) => interval::read(text, now).map_err(failure)?,
        None => (0, FOREVER),
    };
    let options = Options::read(wanted.host, &wanted.options).map_err(failure)?;
    let principals = principals(&wanted.principals)?;
    let keys = wanted.files.iter().map(|file| public_key(file)).collect::<Result<Vec<_>, _>>()?;
    let mut ca = Authority::open(args, wanted)?;
    let algorithm = algorithm(&ca.key, wanted.algorithm.as_deref())?;
    let mut serial = wanted.serial;
    for (key, file) in keys.iter().zip(&wanted.files) {
        let request = CertificateRequest {
            key,
            kind: super::certificate_text::kind(wanted.host),
            serial,
            key_id: &wanted.key_id,
            principals: &principals,
            valid_after: window.0,
            valid_before: window.1,
            critical: &options.critical,
            extensions: &options.extensions,
        };
        let certificate = ca.sign(&request, algorithm)?;
        refuse_senseless(&certificate)?;
        let path = certificate_path(file);
        atomic::write(&path, format!("{}\n", certificate.to_line()).as_bytes(), 0o644, Existing::Replace)
            .map_err(|error| failure(format!("{}: {error}", path.display())))?;
        if !args.quiet {
            output::complain(&told(&certificate, &path, &wanted.principals));
        }
        if wanted.counts {
            serial = serial.wrapping_add(1);
        }
    }
    Ok(())
}

fn told(certificate: &Certificate, path: &Path, principals: &str) -> String {
    let names = if principals.is_empty() { String::new() } else { format!(" for {}", shown(principals)) };
    format!(
        "Signed {} key {}: id \"{}\" serial {}{names} valid {}",
        certificate.kind(),
        path.display(),
        certificate.key_id(),
        certificate.serial(),
        validity(certificate.valid_after(), certificate.valid_before())
    )
}

fn principals(list: &str) -> Result<Vec<String>, Failure> {
    if list.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<String> = list.split(',').map(str::to_owned).collect();
    if names.iter().any(String::is_empty) {
        return Err(failure(format!("-n {}: a name is empty", shown(list))));
    }
    Ok(names)
}

/// A value that no server understands makes a certificate that no server takes.
fn refuse_senseless(certificate: &Certificate) -> Result<(), Failure> {
    let anywhere = IpAddr::V4(Ipv4Addr::LOCALHOST);
    match certificate.user_limits(anywhere) {
        Err(CertificateRefusal::BadOption(name)) if certificate.kind() == CertificateKind::User => {
            Err(failure(format!("-O {}: its value makes no sense", shown(&name))))
        }
        _ => Ok(()),
    }
}

/// Who signs: a key in our hands, or one that the agent holds.
struct Authority {
    key: PublicKey,
    hand: Hand,
}

enum Hand {
    Key(Box<PrivateKey>),
    Agent(AgentKey),
}

impl Authority {
    fn open(args: &KeygenArgs, wanted: &CertifyArgs) -> Result<Self, Failure> {
        if !wanted.agent {
            let (key, _) = open_private(args, &wanted.ca)?;
            return Ok(Self { key: key.public_key(), hand: Hand::Key(Box::new(key)) });
        }
        let key = public_key(&wanted.ca)?;
        let held = AgentKey::find(key.blob()).map_err(failure)?;
        let held =
            held.ok_or_else(|| failure(format!("the agent does not hold the key of {}", wanted.ca.display())))?;
        Ok(Self { key, hand: Hand::Agent(held) })
    }

    fn sign(
        &mut self,
        request: &CertificateRequest<'_>,
        algorithm: SignatureAlgorithm,
    ) -> Result<Certificate, Failure> {
        let held = match &mut self.hand {
            Hand::Key(key) => return request.sign(key, algorithm).map_err(failure),
            Hand::Agent(held) => held,
        };
        let mut refused = None;
        let sign = |data: &[u8]| {
            held.sign(algorithm, data).map_err(|why| {
                refused = Some(why);
                KeyError::Failed
            })
        };
        let signed = request.sign_by(&self.key, sign);
        signed.map_err(|error| failure(refused.unwrap_or_else(|| error.to_string())))
    }
}

/// What an RSA CA signs with can be chosen; others have one algorithm.
fn algorithm(ca: &PublicKey, chosen: Option<&str>) -> Result<SignatureAlgorithm, Failure> {
    let mut own = SignatureAlgorithm::PLAIN.iter().copied().filter(|algorithm| algorithm.key_type() == ca.key_type());
    let usual = own.clone().next().ok_or_else(|| failure("the CA's key signs with nothing"))?;
    match chosen {
        Some(name) if usual.is_rsa() => own
            .find(|a| a.name() == name)
            .ok_or_else(|| failure(format!("-t {}: an RSA CA signs with rsa-sha2-512 or rsa-sha2-256", shown(name)))),
        _ => Ok(usual),
    }
}

/// The key of a `.pub` file, or of the one beside a private key.
fn public_key(file: &Path) -> Result<PublicKey, Failure> {
    let failed = |error: &dyn std::fmt::Display| failure(format!("{}: {error}", file.display()));
    let open = |path: &Path| File::open(path).and_then(|file| io::read_to_string(file.take(MAX_FILE)));
    let first = |text: &str| {
        text.lines().map(str::trim).find(|l| !l.is_empty() && !l.starts_with('#')).map(PublicKey::parse_line)
    };
    let own = open(file).map_err(|error| failed(&error));
    if let Ok(text) = &own
        && let Some(Ok(key)) = first(text)
    {
        return Ok(key);
    }
    match open(&keyfile::public_path(file)) {
        Ok(text) => match first(&text) {
            Some(Ok(key)) => Ok(key),
            Some(Err(error)) => Err(failed(&error)),
            None => Err(failed(&"its public key file is empty")),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => match own.map(|text| first(&text)) {
            Ok(Some(Err(error))) => Err(failed(&error)),
            Ok(_) => Err(failed(&"not a public key file")),
            Err(error) => Err(error),
        },
        Err(error) => Err(failed(&error)),
    }
}

/// `id.pub` and `id` both have `id-cert.pub`.
fn certificate_path(file: &Path) -> PathBuf {
    let mut name = if file.extension().is_some_and(|extension| extension == "pub") {
        file.with_extension("").into_os_string()
    } else {
        file.as_os_str().to_owned()
    };
    name.push("-cert.pub");
    name.into()
}
