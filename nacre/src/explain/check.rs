//! Commands by which a reader can see the same without us.

use super::record::Who;
use crate::agent::shell::quoted;
use nacre_wire::Reader;

/// An Ed25519 public key as `openssl` reads it: RFC 8410 §4 up to the key itself.
const ED25519_DER: &str = "302A300506032B6570032100";

/// The commands for one server.
#[derive(Debug, Clone, Default)]
pub struct Checks {
    server: Option<(String, u16)>,
    client: &'static str,
}

impl Checks {
    /// For the server that answers here, with ours as the client.
    pub fn new(host: &str, port: u16) -> Self {
        Self { server: Some((quoted(host), port)), client: "nacre ssh" }
    }

    /// With `ssh` as the client.
    pub fn of_ssh(self) -> Self {
        Self { client: "ssh", ..self }
    }

    /// The command for a record.
    pub fn of(&self, name: &str, who: Who) -> Option<String> {
        let (host, port) = self.server.as_ref()?;
        Some(match (name, who) {
            ("ident", Who::Server) => format!("nc {host} {port} </dev/null | head -n 1"),
            ("ident", Who::Client) => format!("{} -V", self.client),
            ("kexinit", Who::Client) => "ssh -Q kex; ssh -Q cipher; ssh -Q mac; ssh -Q HostKeyAlgorithms".to_owned(),
            ("kexinit", Who::Server) => {
                format!("ssh -vv -o BatchMode=yes -p {port} {host} true 2>&1 | grep -A 10 'peer server KEXINIT'")
            }
            ("negotiated", _) => format!("ssh -v -o BatchMode=yes -p {port} {host} true 2>&1 | grep 'kex: '"),
            ("host_key_proof", _) => format!("ssh-keyscan -p {port} {host} 2>/dev/null | ssh-keygen -lf -"),
            ("known_hosts", _) if *port == 22 => format!("ssh-keygen -F {host}"),
            ("known_hosts", _) => format!("ssh-keygen -F '[{}]:{port}'", host.trim_matches('\'')),
            _ => return None,
        })
    }

    /// The command that verifies an Ed25519 signature over an exchange hash.
    pub fn of_signature(hash: &[u8], key: &[u8], signature: &[u8]) -> Option<String> {
        let second = |blob| -> Option<String> {
            let mut reader = Reader::new(blob);
            let kind = reader.string("algorithm").ok()?;
            let value = reader.string("value").ok()?;
            (kind == b"ssh-ed25519").then(|| data_encoding::HEXUPPER.encode(value))
        };
        let (key, signature, hash) = (second(key)?, second(signature)?, data_encoding::HEXUPPER.encode(hash));
        Some(format!(
            "basenc -d --base16 <<<{hash} >hash.bin; openssl pkeyutl -verify -rawin -in hash.bin \
             -pubin -keyform DER -inkey <(basenc -d --base16 <<<{ED25519_DER}{key}) \
             -sigfile <(basenc -d --base16 <<<{signature})"
        ))
    }
}
