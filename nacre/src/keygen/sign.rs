//! `-Y sign`: signatures of files, which others verify with `-Y verify` (OpenSSH PROTOCOL.sshsig).

use super::agent::AgentKey;
use super::load;
use super::{create, failure, open_private, shown};
use crate::atomic;
use crate::cli::keygen::{KeygenArgs, SignatureArgs};
use crate::failure::Failure;
use crate::output;
use nacre_crypto::{HashKind, Hasher, PrivateKey, PublicKey, SshSignature};
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::certificate::plain_key;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Bytes hashed at once.
const CHUNK: usize = 64 * 1024;
/// Exit code of ssh-keygen for what could not be signed or verified.
const EXIT: u8 = 255;

/// Signs each file, or standard input.
pub(super) fn run(args: &KeygenArgs, wanted: &SignatureArgs) -> Result<(), Failure> {
    let hash = hash(&wanted.options)?;
    let path = args.file.as_deref().ok_or_else(|| failure("-Y sign needs a key: give it with -f").code(EXIT))?;
    let mut signer = Signer::of(args, path, wanted.agent).map_err(|failure| failure.code(EXIT))?;
    let say = |text: &str| {
        if !args.quiet {
            output::complain(text)
        }
    };
    if wanted.files.is_empty() {
        say("Signing data on standard input");
        let text = signer.sign(&wanted.namespace, hash, &mut io::stdin().lock())?;
        return output::print(&text);
    }
    for file in &wanted.files {
        if file.as_os_str() == "-" {
            say("Signing data on standard input");
            output::print(&signer.sign(&wanted.namespace, hash, &mut io::stdin().lock())?)?;
            continue;
        }
        say(&format!("Signing file {}", file.display()));
        let failed = |error: io::Error| failure(format!("{}: {error}", file.display())).code(EXIT);
        let text = signer.sign(&wanted.namespace, hash, &mut File::open(file).map_err(failed)?)?;
        let path = signature_path(file);
        let existing = create::confirm_overwrite(&path)?;
        atomic::write(&path, text.as_bytes(), 0o644, existing)
            .map_err(|error| failure(format!("{}: {error}", path.display())).code(EXIT))?;
        say(&format!("Write signature to {}", path.display()));
    }
    Ok(())
}

fn signature_path(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

/// `-O hashalg=`.
fn hash(options: &[String]) -> Result<HashKind, Failure> {
    let mut hash = HashKind::Sha512;
    for option in options {
        hash = option
            .split_once('=')
            .filter(|(name, _)| name.eq_ignore_ascii_case("hashalg"))
            .and_then(|(_, value)| HashKind::by_name(value.to_ascii_lowercase().as_bytes()))
            .ok_or_else(|| {
                failure(format!("-O {}: only hashalg=sha256 and hashalg=sha512 are known here", shown(option)))
                    .code(EXIT)
            })?;
    }
    Ok(hash)
}

/// The hash of everything that can be read.
pub(super) fn digest(hash: HashKind, from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut hasher = Hasher::new(hash);
    let mut chunk = vec![0; CHUNK];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(count) => hasher.update(chunk.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Who signs, and what is shown of it.
struct Signer {
    shown: Vec<u8>,
    algorithm: SignatureAlgorithm,
    hand: Hand,
}

enum Hand {
    Key(Box<PrivateKey>),
    Agent(AgentKey),
}

impl Signer {
    /// The key of a file: private, public, or a certificate. As with ssh-keygen the agent is asked first.
    fn of(args: &KeygenArgs, path: &Path, agent_only: bool) -> Result<Self, Failure> {
        let loaded = load::public(path);
        if let Ok(loaded) = &loaded {
            let of_agent = match AgentKey::find(loaded.blob()) {
                Ok(found) => found,
                Err(why) if agent_only => return Err(failure(why)),
                Err(_) => None,
            };
            if let Some(key) = of_agent {
                return Self::new(loaded.blob(), loaded.key(), Hand::Agent(key));
            }
        }
        if agent_only {
            return Err(match loaded {
                Ok(_) => failure(format!("the agent does not hold the key of {}", path.display())),
                Err(why) => failure(format!("{}: {why}", path.display())),
            });
        }
        let (key, _) = open_private(args, &private_path(path))?;
        let public = key.public_key();
        let blob = match &loaded {
            Ok(loaded) if *plain_key(loaded.blob()) == *public.blob() => loaded.blob(),
            Ok(_) => return Err(failure(format!("{} is not of the private key beside it", path.display()))),
            Err(_) => public.blob(),
        };
        Self::new(blob, &public, Hand::Key(Box::new(key)))
    }

    fn new(shown: &[u8], key: &PublicKey, hand: Hand) -> Result<Self, Failure> {
        let algorithm = SshSignature::algorithm(key).ok_or_else(|| failure("the key signs with nothing"))?;
        Ok(Self { shown: shown.to_vec(), algorithm, hand })
    }

    fn sign(&mut self, namespace: &str, hash: HashKind, from: &mut impl Read) -> Result<String, Failure> {
        let digest = digest(hash, from).map_err(|error| failure(format!("cannot read: {error}")).code(EXIT))?;
        let message = SshSignature::message(namespace, hash, &digest);
        let signature = match &mut self.hand {
            Hand::Key(key) => key.sign(self.algorithm, &message).map_err(|error| error.to_string()),
            Hand::Agent(key) => key.sign(self.algorithm, &message),
        };
        let signature = signature.map_err(|why| failure(why).code(EXIT))?;
        Ok(SshSignature::armour(&SshSignature::encode(&self.shown, namespace, hash, &signature)))
    }
}

/// `id`, `id.pub` and `id-cert.pub` all have the private key `id`.
fn private_path(path: &Path) -> PathBuf {
    let text = path.to_string_lossy();
    let bare = text.strip_suffix("-cert.pub").or_else(|| text.strip_suffix(".pub"));
    bare.filter(|bare| Path::new(bare).exists()).map_or_else(|| path.to_owned(), PathBuf::from)
}
