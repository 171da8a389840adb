//! Names for the numbers of TLS, from its registries (RFC 8446 §4.2.3, §4.2.7, §B.4).

/// A number's name, or the number.
fn named(known: &[(u16, &str)], number: u16) -> String {
    let found = known.iter().find(|(other, _)| *other == number);
    found.map_or_else(|| format!("0x{number:04x}"), |(_, name)| (*name).to_owned())
}

/// A version of the protocol.
pub fn version(number: u16) -> String {
    named(&[(0x0304, "TLS 1.3"), (0x0303, "TLS 1.2"), (0x0302, "TLS 1.1"), (0x0301, "TLS 1.0")], number)
}

/// A way to agree on a secret.
pub fn group(number: u16) -> String {
    let known = [
        (0x0017, "secp256r1"),
        (0x0018, "secp384r1"),
        (0x0019, "secp521r1"),
        (0x001d, "X25519"),
        (0x001e, "X448"),
        (0x11eb, "SecP256r1MLKEM768"),
        (0x11ec, "X25519MLKEM768"),
    ];
    named(&known, number)
}

/// A way to sign.
pub fn signature(number: u16) -> String {
    let known = [
        (0x0403, "ecdsa_secp256r1_sha256"),
        (0x0503, "ecdsa_secp384r1_sha384"),
        (0x0603, "ecdsa_secp521r1_sha512"),
        (0x0804, "rsa_pss_rsae_sha256"),
        (0x0805, "rsa_pss_rsae_sha384"),
        (0x0806, "rsa_pss_rsae_sha512"),
        (0x0807, "ed25519"),
    ];
    named(&known, number)
}

/// Words for each of the numbers.
pub fn all(numbers: &[u16], name: fn(u16) -> String) -> String {
    numbers.iter().map(|number| name(*number)).collect::<Vec<_>>().join(", ")
}
