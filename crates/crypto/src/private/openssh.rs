//! OpenSSH's private key format, `openssh-key-v1` (OpenSSH PROTOCOL.key), read and written here.
//!
//! ssh-key 0.6.7 was measured and not taken: it wants ECDSA scalars at full width, while the
//! format has them as mpint, so it cannot open one in four of the P-521 keys that `ssh-keygen` makes.

use super::error::KeyError;
use super::material::{ED25519_SEED_LEN, Material, RsaParts};
use super::openssh_cipher::{Cipher, Derived, MIN_BLOCK_LEN};
use super::{PrivateKey, pem, same_public};
use crate::blob::{ED25519_PUBLIC_LEN, EcCurve, KeyBlob};
use crate::provider::fill_random;
use crate::public::PublicKey;
use nacre_wire::{DecodeError, Reader, WriteExt, names};
use zeroize::Zeroizing;

const LABEL: &str = "OPENSSH PRIVATE KEY";
const MAGIC: &[u8] = b"openssh-key-v1\0";
const LINE_WIDTH: usize = 70;
const SALT_LEN: usize = 16;

/// bcrypt rounds that are used unless asked otherwise, as OpenSSH since 9.4.
pub const DEFAULT_ROUNDS: u32 = 24;

/// The most bcrypt rounds that are accepted, in files and in requests (threat K1). This many take
/// around 20 seconds.
pub const MAX_ROUNDS: u32 = 2048;

/// How a key that is written is to be encrypted (aes256-ctr under bcrypt).
#[derive(Clone, Copy)]
pub struct Protection<'a> {
    /// The passphrase; must not be empty.
    pub passphrase: &'a [u8],
    /// bcrypt rounds, [`DEFAULT_ROUNDS`] unless there is a wish.
    pub rounds: u32,
}

/// The container, taken apart but not opened.
struct Container<'a> {
    cipher: Cipher,
    kdf: Option<(&'a [u8], u32)>,
    public: &'a [u8],
    private: &'a [u8],
    tag: &'a [u8],
}

impl From<DecodeError> for KeyError {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error.field)
    }
}

fn parse(body: &[u8]) -> Result<Container<'_>, KeyError> {
    let mut reader = Reader::new(body);
    if reader.bytes(MAGIC.len(), "magic")? != MAGIC {
        return Err(KeyError::Malformed("magic"));
    }
    let cipher = Cipher::from_name(reader.string("cipher name")?)?;
    let kdf_name = reader.string("kdf name")?;
    let kdf_options = reader.string("kdf options")?;
    if reader.u32("number of keys")? != 1 {
        return Err(KeyError::Unsupported("a file with more or fewer than one key".into()));
    }
    let public = reader.string("public key")?;
    let private = reader.string("private key")?;
    let tag = reader.bytes(cipher.tag_len(), "tag")?;
    reader.finish()?;
    if private.is_empty() || !private.len().is_multiple_of(cipher.block_len()) {
        return Err(KeyError::Malformed("private key length"));
    }
    Ok(Container { cipher, kdf: parse_kdf(cipher, kdf_name, kdf_options)?, public, private, tag })
}

fn parse_kdf<'a>(cipher: Cipher, name: &[u8], options: &'a [u8]) -> Result<Option<(&'a [u8], u32)>, KeyError> {
    match (cipher, name) {
        (Cipher::None, b"none") if options.is_empty() => Ok(None),
        (Cipher::None, _) | (_, b"none") => Err(KeyError::Malformed("kdf name")),
        (_, b"bcrypt") => {
            let mut reader = Reader::new(options);
            let salt = reader.string("kdf salt")?;
            let rounds = reader.u32("kdf rounds")?;
            reader.finish()?;
            check_rounds(rounds)?;
            Ok(Some((salt, rounds)))
        }
        (_, other) => Err(KeyError::Unsupported(format!("kdf {}", nacre_wire::text::clean(other, 64)))),
    }
}

fn check_rounds(rounds: u32) -> Result<(), KeyError> {
    if (1..=MAX_ROUNDS).contains(&rounds) {
        Ok(())
    } else {
        Err(KeyError::Unsupported(format!("bcrypt with {rounds} rounds (1 to {MAX_ROUNDS} are allowed)")))
    }
}

/// The public half, which is not encrypted.
pub(super) fn public_half(body: &[u8]) -> Result<PublicKey, KeyError> {
    let container = parse(body)?;
    KeyBlob::decode(container.public)?;
    Ok(PublicKey { blob: container.public.to_vec(), comment: String::new() })
}

/// Reads a container and, if need be, decrypts it.
pub(super) fn read(body: &[u8], passphrase: Option<&[u8]>) -> Result<PrivateKey, KeyError> {
    let container = parse(body)?;
    let mut private = Zeroizing::new(container.private.to_vec());
    if let Some((salt, rounds)) = container.kdf {
        let passphrase = passphrase.ok_or(KeyError::NeedsPassphrase)?;
        let derived = Derived::new(container.cipher, passphrase, salt, rounds)?;
        derived.decrypt(&mut private, container.tag)?;
    }
    let mut reader = Reader::new(&private);
    if reader.u32("check number")? != reader.u32("check number")? {
        return Err(match container.kdf {
            Some(_) => KeyError::WrongPassphrase,
            None => KeyError::Malformed("check number"),
        });
    }
    let material = read_material(&mut reader)?;
    let comment = String::from_utf8_lossy(reader.string("comment")?).into_owned();
    check_padding(reader.rest())?;
    same_public(&material, container.public)?;
    Ok(PrivateKey::new(material, comment))
}

/// Padding is 1, 2, 3, ...
fn check_padding(padding: &[u8]) -> Result<(), KeyError> {
    if padding.iter().zip(1u8..=u8::MAX).filter(|(byte, expected)| **byte == *expected).count() == padding.len() {
        Ok(())
    } else {
        Err(KeyError::Malformed("padding"))
    }
}

pub(super) fn read_material(reader: &mut Reader<'_>) -> Result<Material, KeyError> {
    let key_type = reader.string("key type")?;
    if key_type == names::SSH_ED25519.as_bytes() {
        let public = reader.string("public key")?;
        let both = reader.string("private key")?;
        let (seed, again) = both.split_at_checked(ED25519_SEED_LEN).ok_or(KeyError::Malformed("private key"))?;
        if public.len() != ED25519_PUBLIC_LEN || again != public {
            return Err(KeyError::Malformed("public key"));
        }
        return Material::ed25519(seed, Some(public));
    }
    if key_type == names::SSH_RSA.as_bytes() {
        let mut next = |field| reader.mpint(field).map(<[u8]>::to_vec);
        let (n, e) = (next("modulus")?, next("exponent")?);
        let d = Zeroizing::new(next("private exponent")?);
        let iqmp = Zeroizing::new(next("coefficient")?);
        let p = Zeroizing::new(next("first prime")?);
        let q = Zeroizing::new(next("second prime")?);
        return Material::rsa(RsaParts { n, e, d, p, q, iqmp });
    }
    if let Some(curve) = EcCurve::ALL.into_iter().find(|curve| curve.key_type().as_bytes() == key_type) {
        if reader.string("curve")? != curve.identifier().as_bytes() {
            return Err(KeyError::Malformed("curve"));
        }
        let point = reader.string("point")?;
        let scalar = reader.mpint("scalar")?;
        return Material::ecdsa(curve, scalar, Some(point));
    }
    Err(KeyError::Unsupported(format!("key type {}", nacre_wire::text::clean(key_type, 64))))
}

/// Writes a key.
pub(super) fn write(key: &PrivateKey, protection: Option<Protection<'_>>) -> Result<Zeroizing<String>, KeyError> {
    let cipher = if protection.is_some() { Cipher::WRITTEN } else { Cipher::None };
    let mut private = private_section(key, cipher.block_len().max(MIN_BLOCK_LEN))?;
    let mut kdf_options = Vec::new();
    if let Some(protection) = protection {
        check_rounds(protection.rounds)?;
        let mut salt = [0; SALT_LEN];
        fill_random(&mut salt).map_err(|_| KeyError::Failed)?;
        kdf_options.put_string(salt);
        kdf_options.put_u32(protection.rounds);
        Derived::new(cipher, protection.passphrase, &salt, protection.rounds)?.encrypt(&mut private)?;
    }
    let mut body = Zeroizing::new(Vec::with_capacity(private.len() + key.blob.len() + 256));
    body.extend_from_slice(MAGIC);
    body.put_string(cipher.name());
    body.put_string(if protection.is_some() { "bcrypt" } else { "none" });
    body.put_string(&kdf_options);
    body.put_u32(1);
    body.put_string(&key.blob);
    body.put_string(private.as_slice());
    Ok(pem::write(LABEL, &body, LINE_WIDTH))
}

fn private_section(key: &PrivateKey, block_len: usize) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let mut check = [0; 4];
    fill_random(&mut check).map_err(|_| KeyError::Failed)?;
    // All of the room at once: a vector that grows leaves copies of the secret behind.
    let mut out = Zeroizing::new(Vec::with_capacity(8 * 1024 + key.comment.len()));
    out.extend_from_slice(&check);
    out.extend_from_slice(&check);
    put_key(&mut out, key);
    let padding = out.len().next_multiple_of(block_len) - out.len();
    out.extend((1u8..=u8::MAX).take(padding));
    Ok(out)
}

/// Appends the key type, the key's numbers and the comment, as OpenSSH's files and the agent protocol have them.
fn put_key(out: &mut Vec<u8>, key: &PrivateKey) {
    match &key.material {
        Material::Ed25519 { pair, seed } => {
            let public = aws_lc_rs::signature::KeyPair::public_key(pair).as_ref();
            out.put_string(names::SSH_ED25519);
            out.put_string(public);
            out.put_string(Zeroizing::new([seed.as_slice(), public].concat()).as_slice());
        }
        Material::Ecdsa { curve, pair, scalar } => {
            out.put_string(curve.key_type());
            out.put_string(curve.identifier());
            out.put_string(aws_lc_rs::signature::KeyPair::public_key(pair).as_ref());
            out.put_mpint(scalar);
        }
        Material::Rsa { parts, .. } => {
            out.put_string(names::SSH_RSA);
            for number in [&parts.n, &parts.e, &*parts.d, &*parts.iqmp, &*parts.p, &*parts.q] {
                out.put_mpint(number);
            }
        }
    }
    out.put_string(&key.comment);
}

/// The key as `SSH_AGENTC_ADD_IDENTITY` carries it (RFC 9987 §3.2).
pub(super) fn agent_form(key: &PrivateKey) -> Zeroizing<Vec<u8>> {
    // All of the room at once: a vector that grows leaves copies of the secret behind.
    let mut out = Zeroizing::new(Vec::with_capacity(8 * 1024 + key.comment.len()));
    put_key(&mut out, key);
    out
}
