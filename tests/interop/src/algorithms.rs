//! Which algorithms each make knows, and the calls that try them.

use crate::client::Forced;
use crate::pairwise::{cover, product};
use crate::programs::{nacre, system};
use crate::server::Make;
use std::process::Command;

/// The algorithms of one make, or those two makes share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub kex: Vec<String>,
    pub ciphers: Vec<String>,
    pub macs: Vec<String>,
    pub host_keys: Vec<String>,
    pub user_keys: Vec<String>,
}

const SIGNATURES: &[&str] = &[
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-256",
    "rsa-sha2-512",
];

/// What Nacre says it knows.
pub fn of_nacre() -> Offer {
    let ask = |kind: &str| {
        let mut command = Command::new(nacre());
        command.arg("ssh");
        query(command, kind)
    };
    from_queries(ask)
}

/// What OpenSSH says it knows.
pub fn of_openssh() -> Offer {
    from_queries(|kind| query(Command::new(system("ssh")), kind))
}

/// What Dropbear 2022.83 offers (its programs cannot be asked for all of it).
pub fn of_dropbear() -> Offer {
    Offer {
        kex: own(&[
            "curve25519-sha256",
            "curve25519-sha256@libssh.org",
            "ecdh-sha2-nistp521",
            "ecdh-sha2-nistp384",
            "ecdh-sha2-nistp256",
            "diffie-hellman-group14-sha256",
        ]),
        ciphers: own(&["chacha20-poly1305@openssh.com", "aes128-ctr", "aes256-ctr"]),
        macs: own(&["hmac-sha2-256"]),
        host_keys: own(&SIGNATURES[..5]),
        user_keys: own(&SIGNATURES[..5]),
    }
}

/// What the programs of this crate that are made with russh know.
pub fn of_russh() -> Offer {
    Offer {
        kex: own(&[
            "mlkem768x25519-sha256",
            "curve25519-sha256",
            "curve25519-sha256@libssh.org",
            "ecdh-sha2-nistp256",
            "ecdh-sha2-nistp384",
            "ecdh-sha2-nistp521",
            "diffie-hellman-group14-sha256",
            "diffie-hellman-group16-sha512",
            "diffie-hellman-group18-sha512",
        ]),
        ciphers: own(&[
            "aes256-gcm@openssh.com",
            "aes128-gcm@openssh.com",
            "chacha20-poly1305@openssh.com",
            "aes256-ctr",
            "aes192-ctr",
            "aes128-ctr",
        ]),
        macs: own(&[
            "hmac-sha2-256-etm@openssh.com",
            "hmac-sha2-512-etm@openssh.com",
            "hmac-sha2-256",
            "hmac-sha2-512",
        ]),
        host_keys: own(SIGNATURES),
        user_keys: own(SIGNATURES),
    }
}

/// What a make knows.
pub fn of(make: Make) -> Offer {
    match make {
        Make::Nacre => of_nacre(),
        Make::OpenSsh => of_openssh(),
        Make::Dropbear => of_dropbear(),
        Make::Russh => of_russh(),
    }
}

impl Offer {
    /// What both know.
    pub fn shared(&self, other: &Self) -> Self {
        let both = |ours: &[String], theirs: &[String]| {
            ours.iter().filter(|name| theirs.contains(name)).cloned().collect::<Vec<_>>()
        };
        Self {
            kex: both(&self.kex, &other.kex),
            ciphers: both(&self.ciphers, &other.ciphers),
            macs: both(&self.macs, &other.macs),
            host_keys: both(&self.host_keys, &other.host_keys),
            user_keys: both(&self.user_keys, &other.user_keys),
        }
    }

    /// Without group18, which Nacre's server does not do.
    pub fn without_group18(mut self) -> Self {
        self.kex.retain(|name| name != "diffie-hellman-group18-sha512");
        self
    }

    /// Calls in which every algorithm meets every algorithm of another kind, or with
    /// `NACRE_LONG=1` all calls there are.
    pub fn calls(&self) -> Vec<Forced> {
        let sizes = [&self.kex, &self.ciphers, &self.macs, &self.host_keys, &self.user_keys].map(Vec::len);
        let sealed = |row: &[usize]| is_sealed(&self.ciphers[row[1]]);
        let rows = match std::env::var_os("NACRE_LONG") {
            // With a cipher that needs no MAC, all rows that differ in the MAC only are one.
            Some(_) => product(&sizes).into_iter().filter(|row| row[2] == 0 || !sealed(row)).collect(),
            None => cover(&sizes, |row, column| column != 2 || !sealed(row)),
        };
        rows.iter().map(|row| self.call(row)).collect()
    }

    fn call(&self, row: &[usize]) -> Forced {
        let cipher = self.ciphers[row[1]].clone();
        let mac = if is_sealed(&cipher) { String::new() } else { self.macs[row[2]].clone() };
        Forced {
            kex: self.kex[row[0]].clone(),
            cipher,
            mac,
            host_key: self.host_keys[row[3]].clone(),
            user_key: self.user_keys[row[4]].clone(),
        }
    }
}

/// Whether a cipher authenticates by itself.
fn is_sealed(cipher: &str) -> bool {
    cipher.contains("gcm") || cipher.contains("poly1305")
}

fn from_queries(ask: impl Fn(&str) -> Vec<String>) -> Offer {
    let signatures: Vec<String> = ask("sig").into_iter().filter(|name| SIGNATURES.contains(&name.as_str())).collect();
    Offer {
        kex: ask("kex"),
        ciphers: ask("cipher"),
        macs: ask("mac"),
        host_keys: signatures.clone(),
        user_keys: signatures,
    }
}

fn query(mut command: Command, kind: &str) -> Vec<String> {
    let output = command.args(["-Q", kind]).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

fn own(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
