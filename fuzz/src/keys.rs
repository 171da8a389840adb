//! Keys: what can be read can be written, and is then the same key.

use nacre_crypto::{
    Certificate, CertificateKind, PrivateKey, PublicKey, RevocationList, SshSignature, base64_encode,
    fingerprint_sha256, public_half,
};

/// A private key file as it lies on the disk.
pub fn private_key_file(data: &[u8]) {
    let half = public_half(data);
    let Ok(key) = PrivateKey::read(data, None) else { return };
    if let Ok(half) = half {
        assert_eq!(half.blob(), key.public_blob(), "the public half names another key");
    }
    let written = key.write_openssh(None).expect("a key that was read can be written");
    let again = PrivateKey::read(written.as_bytes(), None).expect("a key that was written can be read");
    assert_eq!(again.public_blob(), key.public_blob());
    assert_eq!(again.comment(), key.comment());
}

fn armoured(label: &str, data: &[u8]) -> String {
    let base64 = base64_encode(data);
    let lines: Vec<&str> =
        base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("base64 is text")).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// What stands inside OpenSSH's armour.
pub fn openssh_private_key(data: &[u8]) {
    private_key_file(armoured("OPENSSH PRIVATE KEY", data).as_bytes());
}

/// DER inside each of the PEM labels; the first byte says which.
pub fn pem(data: &[u8]) {
    const LABELS: [&str; 6] = [
        "PRIVATE KEY",
        "ENCRYPTED PRIVATE KEY",
        "RSA PRIVATE KEY",
        "EC PRIVATE KEY",
        "DSA PRIVATE KEY",
        "OPENSSH PRIVATE KEY",
    ];
    let Some((which, der)) = data.split_first() else { return };
    private_key_file(armoured(LABELS[usize::from(*which) % LABELS.len()], der).as_bytes());
}

/// A public key line, and a blob.
pub fn public_key_line(data: &[u8]) {
    if let Ok(key) = PublicKey::from_blob(data, "") {
        assert_eq!(key.blob(), data);
        assert!(fingerprint_sha256(data).starts_with("SHA256:"));
    }
    let Ok(line) = std::str::from_utf8(data) else { return };
    if let Ok(key) = PublicKey::parse_line(line) {
        let again = PublicKey::parse_line(&key.to_line()).expect("a line that was written can be read");
        assert_eq!((again.blob(), again.comment()), (key.blob(), key.comment()));
        assert!(!key.randomart().is_empty() && key.bits() > 0);
    }
}

/// A certificate's blob, and its line.
pub fn certificate(data: &[u8]) {
    let by_line = std::str::from_utf8(data).ok().and_then(|line| Certificate::parse_line(line).ok());
    let Some(certificate) = Certificate::from_blob(data).ok().or(by_line) else { return };
    let again = Certificate::parse_line(&certificate.to_line()).expect("a line that was written can be read");
    assert_eq!((again.blob(), again.key().comment()), (certificate.blob(), certificate.key().comment()));
    assert!(!certificate.describe().contains(char::is_control));
    // Nobody is everybody, and a user's is no host's.
    let (user, host) = (certificate.check(CertificateKind::User, 1), certificate.check_host("host", 1));
    assert!(user.is_err() || host.is_err());
    assert!(user.is_err() || !certificate.principals().is_empty());
    let _ = certificate.user_limits(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));
    let inside = nacre_proto::certificate::plain_key(certificate.blob());
    assert_eq!(certificate.key().blob(), &*inside);
}

/// A key revocation list: what was read is written and read as the same.
pub fn revocation_list(data: &[u8]) {
    let Ok(list) = RevocationList::read(data) else { return };
    let again = RevocationList::read(&list.write(list.generated())).expect("a list that was written can be read");
    assert_eq!(again, list);
    for key in list.keys() {
        assert!(list.revokes_key(key));
    }
}

/// A signature of a file: what was read is put together again and is the same; it signs nothing that it was not made for.
pub fn ssh_signature(data: &[u8]) {
    let Some(signature) = SshSignature::from_armour(data).ok().or_else(|| SshSignature::decode(data).ok()) else {
        return;
    };
    let digest = vec![0; signature.hash().length()];
    assert!(signature.verify("fuzz", &digest).is_err() || signature.namespace() == "fuzz");
    let _ = signature.verify(signature.namespace(), &digest);
    assert_eq!(signature.certificate().is_some(), signature.key().blob() != signature.shown());
}

/// A public key in another program's form is a key that a line can hold.
pub fn foreign_public_key(data: &[u8]) {
    let forms = [PublicKey::read_rfc4716(data), PublicKey::read_spki(data), PublicKey::read_pkcs1(data)];
    for key in forms.into_iter().flatten() {
        assert_eq!(PublicKey::parse_line(&key.to_line()).expect("a line that was written can be read"), key);
        if let Ok(text) = key.write_spki() {
            assert_eq!(PublicKey::read_spki(text.as_bytes()).expect("a key that was written can be read"), key);
        }
    }
}
