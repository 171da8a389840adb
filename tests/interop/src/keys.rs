//! Keys for hosts and users, made once by OpenSSH's `ssh-keygen` and kept between runs.

use crate::programs::{cache, system};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;

/// The passphrase of the encrypted copies of the users' keys.
pub const PASSPHRASE: &str = "not a secret passphrase";

/// A type of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    Ed25519,
    Ecdsa256,
    Ecdsa384,
    Ecdsa521,
    Rsa,
}

impl KeyType {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Ed25519, Self::Ecdsa256, Self::Ecdsa384, Self::Ecdsa521, Self::Rsa];

    /// The type whose keys sign with `algorithm`.
    pub fn of(algorithm: &str) -> Self {
        match algorithm {
            "ssh-ed25519" => Self::Ed25519,
            "ecdsa-sha2-nistp256" => Self::Ecdsa256,
            "ecdsa-sha2-nistp384" => Self::Ecdsa384,
            "ecdsa-sha2-nistp521" => Self::Ecdsa521,
            "rsa-sha2-256" | "rsa-sha2-512" => Self::Rsa,
            other => panic!("{other}: no key type signs with this"),
        }
    }

    fn file(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::Ecdsa256 => "ecdsa256",
            Self::Ecdsa384 => "ecdsa384",
            Self::Ecdsa521 => "ecdsa521",
            Self::Rsa => "rsa",
        }
    }

    fn keygen(self) -> &'static [&'static str] {
        match self {
            Self::Ed25519 => &["-t", "ed25519"],
            Self::Ecdsa256 => &["-t", "ecdsa", "-b", "256"],
            Self::Ecdsa384 => &["-t", "ecdsa", "-b", "384"],
            Self::Ecdsa521 => &["-t", "ecdsa", "-b", "521"],
            Self::Rsa => &["-t", "rsa", "-b", "3072"],
        }
    }
}

/// Whose key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A server.
    Host,
    /// The user that every server lets in.
    User,
    /// A user that no server knows.
    Stranger,
}

/// A key's files.
#[derive(Debug, Clone)]
pub struct Key {
    /// In OpenSSH's format, without a passphrase.
    pub private: PathBuf,
    /// The same under [`PASSPHRASE`].
    pub encrypted: PathBuf,
    /// In Dropbear's format.
    pub dropbear: PathBuf,
    /// The public key's line.
    pub public: PathBuf,
}

impl Key {
    /// The public key's line, `type base64 comment`.
    pub fn line(&self) -> String {
        read(&self.public).trim().to_owned()
    }
}

/// The key of that owner and type.
pub fn key(owner: Owner, kind: KeyType) -> Key {
    let folder = folder();
    let name = format!("{owner:?}-{}", kind.file()).to_lowercase();
    Key {
        private: folder.join(&name),
        encrypted: folder.join(format!("{name}.encrypted")),
        dropbear: folder.join(format!("{name}.dropbear")),
        public: folder.join(format!("{name}.pub")),
    }
}

/// The lines of an authorized_keys file that lets in [`Owner::User`] with any type of key.
pub fn authorized() -> String {
    KeyType::ALL.map(|kind| key(Owner::User, kind).line() + "\n").concat()
}

fn folder() -> PathBuf {
    static MADE: Once = Once::new();
    let folder = cache().join("keys");
    MADE.call_once(|| {
        if !folder.is_dir() {
            // Another test program may be doing the same: whoever is first to rename, wins.
            let draft = cache().join(format!("keys-{}", std::process::id()));
            std::fs::create_dir_all(&draft).expect("a folder for keys");
            make_all(&draft);
            if std::fs::rename(&draft, &folder).is_err() {
                std::fs::remove_dir_all(&draft).expect("the draft can be removed");
            }
        }
    });
    folder
}

fn make_all(folder: &Path) {
    for owner in [Owner::Host, Owner::User, Owner::Stranger] {
        for kind in KeyType::ALL {
            let path = folder.join(format!("{owner:?}-{}", kind.file()).to_lowercase());
            let encrypted = path.with_extension("encrypted");
            keygen(kind, &path);
            std::fs::copy(&path, &encrypted).expect("a copy of a key");
            quiet(Command::new("ssh-keygen").args(["-q", "-p", "-P", "", "-N", PASSPHRASE, "-f"]).arg(&encrypted));
            convert(&path);
        }
    }
}

fn keygen(kind: KeyType, path: &Path) {
    let comment = format!("interop-{}", kind.file());
    quiet(Command::new("ssh-keygen").args(["-q", "-N", "", "-C", &comment]).args(kind.keygen()).arg("-f").arg(path));
}

/// Dropbear's copy; where there is no Dropbear, its tests do not run and nobody misses it.
fn convert(path: &Path) {
    if std::env::var_os("NACRE_WITHOUT_DROPBEAR").is_none() {
        let to = path.with_extension("dropbear");
        quiet(Command::new(system("dropbearconvert")).args(["openssh", "dropbear"]).arg(path).arg(to));
    }
}

fn quiet(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
