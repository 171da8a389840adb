//! `nacre keygen`: the flags of ssh-keygen(1) that are done.

mod draft;

use super::arg::{flag, long_help, value};
use clap::{Arg, Command, value_parser};
use std::ffi::OsString;
use std::path::PathBuf;

pub(super) use draft::hash;
pub(crate) use draft::parse;

/// What a call of `nacre keygen` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeygenArgs {
    /// What is to be done.
    pub action: KeygenAction,
    /// `-f`: the key or known_hosts file; `None` asks, or takes the usual one.
    pub file: Option<PathBuf>,
    /// `-q`: print nothing that is not asked for.
    pub quiet: bool,
    /// `-P`: the passphrase that a key has now.
    pub old_passphrase: Option<String>,
    /// `-N`: the passphrase it shall have; empty for none.
    pub new_passphrase: Option<String>,
    /// `-C`: the comment.
    pub comment: Option<String>,
    /// `-a`: rounds of the key derivation that protects a passphrase.
    pub rounds: Option<u32>,
    /// `-E`: how fingerprints are shown.
    pub fingerprint: FingerprintHash,
    /// `-v`: draw the fingerprint as well.
    pub verbose: bool,
    /// `-m`: the form that a key has or gets.
    pub format: Option<KeyFormat>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeygenAction {
    /// Make a key pair.
    Create(KeyType),
    /// `-l`: show a key's fingerprint.
    Fingerprint,
    /// `-y`: print the public half of a private key.
    Public,
    /// `-p`: change the passphrase.
    ChangePassphrase,
    /// `-c`: change the comment.
    ChangeComment,
    /// `-F`: look a host up in known_hosts.
    FindHost {
        /// The host, or `[host]:port`.
        host: String,
        /// `-l`: print fingerprints, not keys.
        fingerprints: bool,
        /// `-H`: print the names hashed.
        hashed: bool,
    },
    /// `-R`: take a host out of known_hosts.
    RemoveHost(String),
    /// `-H`: hash the names in known_hosts.
    HashHosts,
    /// `-s`: make certificates.
    Certify(Box<CertifyArgs>),
    /// `-L`: print certificates.
    ShowCertificate,
    /// `-A`: make the host's keys that are missing.
    HostKeys,
    /// `-e`: print a public key in another program's form.
    Export,
    /// `-i`: print OpenSSH's line for a public key in another program's form.
    Import,
    /// `-B`: show a key's fingerprint in words.
    BubbleBabble,
    /// `-r`: print records for the DNS.
    Sshfp(SshfpArgs),
    /// `-Y`: signatures of files.
    Signature(Box<SignatureArgs>),
    /// `-k`: make a key revocation list.
    Revoke(RevokeArgs),
    /// `-Q`: look keys up in a key revocation list.
    CheckRevoked {
        /// `-l`: print the list as well.
        list: bool,
        /// The keys.
        files: Vec<PathBuf>,
    },
}

/// Which records are printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshfpArgs {
    /// `-r`: the host's name.
    pub host: String,
    /// `-g`: for name servers that do not know the type.
    pub generic: bool,
    /// `-O hashalg=`: 1 for SHA-1, 2 for SHA-256; `None` for both.
    pub hash: Option<u8>,
}

/// The forms of key files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFormat {
    /// RFC 4716; for private keys OpenSSH's own form.
    Rfc4716,
    /// PKCS#8, or `PUBLIC KEY`.
    Pkcs8,
    /// `RSA PUBLIC KEY`; `RSA PRIVATE KEY` and `EC PRIVATE KEY`.
    Pem,
}

/// What is to be signed, or which signature is to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureArgs {
    /// What is to be done.
    pub operation: SignatureOperation,
    /// `-n`: the purpose.
    pub namespace: String,
    /// `-I`: who is said to have signed.
    pub identity: String,
    /// `-s`: the file of the signature.
    pub signature: Option<PathBuf>,
    /// `-r`: revoked keys.
    pub revoked: Option<PathBuf>,
    /// `-O`: options as they were written, in order.
    pub options: Vec<String>,
    /// `-U`: the key must be in the agent.
    pub agent: bool,
    /// What is signed; nothing for standard input.
    pub files: Vec<PathBuf>,
}

/// The word behind `-Y`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureOperation {
    /// Sign files.
    Sign,
    /// Does this signature of that person's count?
    Verify,
    /// Who may have made it?
    FindPrincipals,
    /// Which lines are about that person?
    MatchPrincipals,
    /// Is it a signature at all?
    CheckNoValidate,
}

/// What is to be revoked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RevokeArgs {
    /// `-s`: the CA's public key, for serial numbers and key IDs; `none` for every CA.
    pub ca: Option<PathBuf>,
    /// `-z`: the list's own number; 0 leaves it.
    pub version: u64,
    /// `-u`: add to the list that is there.
    pub update: bool,
    /// Keys and lists of what to revoke.
    pub files: Vec<PathBuf>,
}

/// What certificates are to be made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CertifyArgs {
    /// `-s`: the CA's private key.
    pub ca: PathBuf,
    /// `-I`: the CA's name for the certificate.
    pub key_id: String,
    /// `-h`: for hosts.
    pub host: bool,
    /// `-n`: users or hosts, between commas.
    pub principals: String,
    /// `-V`: the validity as it was written.
    pub validity: Option<String>,
    /// `-O`: options as they were written, in order.
    pub options: Vec<String>,
    /// `-z`: the number of the first.
    pub serial: u64,
    /// `-U`: the CA's private key is in the agent; [`CertifyArgs::ca`] is the public one.
    pub agent: bool,
    /// `-z +N`: the next has the next number.
    pub counts: bool,
    /// `-t` as it was written: for an RSA CA the signature algorithm.
    pub algorithm: Option<String>,
    /// The public keys.
    pub files: Vec<PathBuf>,
}

/// The kinds of key that can be made, with their size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// RFC 8709.
    Ed25519,
    /// RFC 5656 over NIST P-256.
    EcdsaNistp256,
    /// RFC 5656 over NIST P-384.
    EcdsaNistp384,
    /// RFC 5656 over NIST P-521.
    EcdsaNistp521,
    /// RFC 4253 §6.6, with a modulus of this many bits: 2048, 3072, 4096 or 8192.
    Rsa(u32),
}

/// How a fingerprint is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FingerprintHash {
    /// `SHA256:` and base64.
    #[default]
    Sha256,
    /// `MD5:` and hexadecimal pairs.
    Md5,
}

const MAKE: &str = "Make a key";
const KEYS: &str = "Look at keys and change them";
const HOSTS: &str = "Look after known_hosts";
const CERTIFY: &str = "Make certificates, and look at them";
const SIGN: &str = "Sign files, and verify signatures";
const REVOKE: &str = "Revoke keys and certificates";

/// The row of the command table.
pub(crate) fn command() -> Command {
    Command::new("keygen")
        .about("Make, show and change keys; look after known_hosts")
        .after_help(
            "Without options it makes an ed25519 key and asks where to put it and which \
             passphrase protects it. The files are OpenSSH's.\n\n\
             -Y sign -f KEY -n NAMESPACE [FILE...] writes FILE.sig, or signs standard input. \
             -Y verify -f ALLOWED -I WHO -n NAMESPACE -s SIG < FILE verifies it.",
        )
        .disable_help_flag(true)
        .args(make().map(|arg| arg.help_heading(MAKE)))
        .args(look().map(|arg| arg.help_heading(KEYS)))
        .args(
            [
                value('F', "find", "HOST", "Find HOST in known_hosts (with -l: its fingerprints)"),
                value('R', "remove", "HOST", "Take HOST out of known_hosts"),
                flag('H', "hash", "Hash the names in known_hosts"),
            ]
            .map(|arg| arg.help_heading(HOSTS)),
        )
        .args(certify().map(|arg| arg.help_heading(CERTIFY)))
        .args(
            [
                value('Y', "signature", "WHAT", "sign, verify, find-principals, match-principals, check-novalidate"),
                value(
                    'r',
                    "records",
                    "NAME",
                    "With -Y verify: a file of keys that do not count. Alone: SSHFP records for a host",
                ),
                flag('g', "generic", "With -r: in the form for name servers that do not know SSHFP"),
            ]
            .map(|arg| arg.help_heading(SIGN)),
        )
        .args(
            [
                flag('k', "revoke", "Write what each FILE names into the revocation list -f"),
                flag('u', "update", "With -k: add to the list"),
                flag('Q', "query", "Look each FILE, a key, up in the revocation list -f (with -l: print it)"),
            ]
            .map(|arg| arg.help_heading(REVOKE)),
        )
        .args(hardware())
        .arg(Arg::new("files").value_name("FILE").num_args(0..).value_parser(value_parser!(OsString)).hide(true))
        .arg(long_help())
}

fn certify() -> [Arg; 9] {
    [
        value(
            's',
            "sign",
            "CA",
            "Sign each FILE, a public key, with the CA's private key (with -k: the CA's public key)",
        ),
        value('I', "identity", "ID", "The certificate's name, which logs show"),
        flag('h', "host", "For hosts, not for users"),
        value('n', "principals", "NAMES", "The users or hosts it is for, between commas"),
        value('V', "validity", "INTERVAL", "When it is valid: +52w, 20260101:20270101, always:forever"),
        value('O', "option", "OPTION", "What it allows and demands: clear, no-pty, source-address=10.0.0.0/8, ..."),
        value('z', "serial", "NUMBER", "Its number; +NUMBER counts on from file to file (with -k: the list's)"),
        flag('U', "agent", "The private key is in the agent, and CA its public key"),
        flag('L', "show", "Print a certificate"),
    ]
}

/// What needs hardware or has no use any more: taken, so that the reason can be told.
fn hardware() -> [Arg; 6] {
    [
        value('D', "pkcs11", "LIBRARY", "Refused: no token is asked"),
        value('w', "provider", "LIBRARY", "Refused: security keys are not made"),
        flag('K', "resident", "Refused: security keys are not read"),
        value('M', "moduli", "WHAT", "Refused: groups are not made"),
        value('Z', "cipher", "CIPHER", "aes256-ctr, which is used anyway"),
        flag('o', "new-form", "OpenSSH's own form, which is used anyway"),
    ]
    .map(|arg| arg.hide(true))
}

fn make() -> [Arg; 9] {
    [
        flag('A', "host-keys", "Make the host's keys that are missing, below the folder -f"),
        value('m', "format", "FORMAT", "Form of the key: RFC4716, PKCS8 or PEM"),
        value('t', "type", "TYPE", "ed25519 (the default), ecdsa or rsa"),
        value('b', "bits", "BITS", "ecdsa: 256, 384, 521; rsa: 2048, 3072, 4096, 8192"),
        value('f', "file", "FILE", "The key file, or the known_hosts file"),
        value('N', "new-passphrase", "PASSPHRASE", "New passphrase; '' for none"),
        value('C', "comment", "COMMENT", "New comment"),
        value('a', "rounds", "ROUNDS", "Work that each guess at the passphrase costs"),
        flag('q', "quiet", "Say nothing"),
    ]
}

fn look() -> [Arg; 10] {
    [
        flag('e', "export", "Print the public half in the form -m"),
        flag('i', "import", "Print OpenSSH's line for a public key in the form -m"),
        flag('B', "bubble-babble", "Show the fingerprint in words"),
        flag('l', "list", "Show the fingerprint of a key or of a file of keys"),
        flag('v', "verbose", "With -l: draw it as well"),
        value('E', "hash-name", "HASH", "Hash of fingerprints: sha256 or md5"),
        flag('y', "public", "Print the public half of a private key"),
        flag('p', "change-passphrase", "Change a key's passphrase"),
        flag('c', "change-comment", "Change a key's comment"),
        value('P', "passphrase", "PASSPHRASE", "The passphrase that the key has now"),
    ]
}
