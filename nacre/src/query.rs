//! `ssh -Q`: which algorithms are known, from the tables in `nacre_proto::algorithm`.

use crate::failure::{Failure, SSH};
use nacre_proto::algorithm::{CipherAlgorithm, CompressionMethod, KexMethod, MacAlgorithm, SignatureAlgorithm};

/// Every kind that can be asked for, as `-Q help` lists them.
const KINDS: &[&str] = &[
    "cipher",
    "cipher-auth",
    "compression",
    "kex",
    "kex-gss",
    "key",
    "key-cert",
    "key-plain",
    "key-sig",
    "mac",
    "protocol-version",
    "sig",
];

/// Answers `ssh -Q kind` with one name a line. The kind may also be the configuration word whose
/// value it lists, in any case.
///
/// # Errors
/// There is no such kind.
pub fn answer(kind: &str) -> Result<String, Failure> {
    let names = match kind.to_ascii_lowercase().as_str() {
        "cipher" | "ciphers" => CipherAlgorithm::ALL.iter().map(|a| a.name()).collect(),
        "cipher-auth" => CipherAlgorithm::ALL.iter().filter(|a| a.is_aead()).map(|a| a.name()).collect(),
        "mac" | "macs" => MacAlgorithm::ALL.iter().map(|a| a.name()).collect(),
        "kex" | "kexalgorithms" => KexMethod::ALL.iter().map(|a| a.name()).collect(),
        "key" => [key_types(SignatureAlgorithm::PLAIN), key_types(SignatureAlgorithm::CERTIFICATES)].concat(),
        "key-plain" => key_types(SignatureAlgorithm::PLAIN),
        "key-cert" => key_types(SignatureAlgorithm::CERTIFICATES),
        // No GSSAPI method is known.
        "kex-gss" => Vec::new(),
        "sig" | "casignaturealgorithms" => SignatureAlgorithm::PLAIN.iter().map(|a| a.name()).collect(),
        // Keys of which there are files here; those inside security keys are for users, and through an agent.
        "key-sig"
        | "hostkeyalgorithms"
        | "hostbasedacceptedalgorithms"
        | "hostbasedacceptedkeytypes"
        | "hostbasedkeytypes" => {
            SignatureAlgorithm::ALL.iter().filter(|a| !a.is_security_key()).map(|a| a.name()).collect()
        }
        "pubkeyacceptedalgorithms" | "pubkeyacceptedkeytypes" => {
            SignatureAlgorithm::ALL.iter().map(|a| a.name()).collect()
        }
        "compression" => CompressionMethod::ALL.iter().map(|a| a.name()).collect(),
        "protocol-version" => vec!["2"],
        "help" => KINDS.to_vec(),
        _ => {
            let message = format!("ssh: -Q does not know '{}'", nacre_wire::text::clean_line(kind.as_bytes(), 64));
            return Err(Failure::with_code(SSH, message).hint(format!("known: {}", KINDS.join(", "))));
        }
    };
    Ok(names.iter().map(|name| format!("{name}\n")).collect())
}

fn key_types(algorithms: &[SignatureAlgorithm]) -> Vec<&'static str> {
    let mut types: Vec<&str> = Vec::new();
    for algorithm in algorithms {
        if !types.contains(&algorithm.key_type()) {
            types.push(algorithm.key_type());
        }
    }
    types
}
