//! The lines of configuration that mend what was found.

use super::tables::{self, Verdict};
use nacre_proto::algorithm::{CipherAlgorithm, KexMethod, MacAlgorithm, SignatureAlgorithm};
use nacre_proto::{Role, TransportConfig};

/// Lines for OpenSSH's configuration and for ours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mend {
    /// For OpenSSH.
    pub openssh: Vec<String>,
    /// For Nacre.
    pub nacre: Vec<String>,
}

impl Mend {
    fn both(line: &str) -> Self {
        Self { openssh: vec![line.to_owned()], nacre: vec![line.to_owned()] }
    }

    /// The list without what is not good; ours without what we do not know. `otherwise` when nothing is left.
    fn list(keyword: &str, names: &[String], good: impl Fn(&str) -> bool, ours: &[&str], otherwise: &[&str]) -> Self {
        let kept: Vec<&str> = names.iter().map(String::as_str).filter(|name| good(name)).collect();
        let known: Vec<&str> = kept.iter().copied().filter(|name| ours.contains(name)).collect();
        let line = |list: &[&str]| {
            let list = if list.is_empty() { otherwise } else { list };
            vec![format!("{keyword} {}", list.join(","))]
        };
        Self { openssh: line(&kept), nacre: line(&known) }
    }
}

fn is_good(grade: Option<tables::Grade>) -> bool {
    grade.is_some_and(|(verdict, _)| verdict == Verdict::Good)
}

/// Key exchange methods; a post-quantum one is added where there is none.
pub fn kex(names: &[String]) -> Mend {
    let ours: Vec<&str> = KexMethod::ALL.iter().map(|method| method.name()).collect();
    let hybrid = KexMethod::Sntrup761X25519OpenSsh.name().to_owned();
    let missing = !names.iter().any(|name| tables::is_post_quantum(name));
    let names: Vec<String> = missing.then_some(hybrid).into_iter().chain(names.iter().cloned()).collect();
    Mend::list("KexAlgorithms", &names, |name| is_good(tables::kex(name)), &ours, &[])
}

/// Types of host keys.
pub fn host_keys(names: &[String], peer: Role) -> Mend {
    let ours: Vec<&str> = SignatureAlgorithm::ALL.iter().map(|algorithm| algorithm.name()).collect();
    let good = |name: &str| is_good(Some(tables::signature(name)));
    let mut mend = Mend::list("HostKeyAlgorithms", names, good, &ours, &[SignatureAlgorithm::Ed25519.name()]);
    if peer == Role::Server && !names.iter().any(|name| good(name)) {
        mend.openssh.extend(new_host_key().openssh);
        mend.nacre.extend(new_host_key().nacre);
    }
    mend
}

/// Signature algorithms of users' keys.
pub fn user_keys(names: &[String]) -> Mend {
    let ours: Vec<&str> = SignatureAlgorithm::ALL.iter().map(|algorithm| algorithm.name()).collect();
    let good = |name: &str| is_good(Some(tables::signature(name)));
    Mend::list("PubkeyAcceptedAlgorithms", names, good, &ours, &[SignatureAlgorithm::Ed25519.name()])
}

/// Ciphers.
pub fn ciphers(names: &[String]) -> Mend {
    let ours: Vec<&str> = CipherAlgorithm::ALL.iter().map(|cipher| cipher.name()).collect();
    let default: Vec<&str> = TransportConfig::default().ciphers.iter().map(|cipher| cipher.name()).collect();
    Mend::list("Ciphers", names, |name| is_good(Some(tables::cipher(name))), &ours, &default)
}

/// MACs.
pub fn macs(names: &[String]) -> Mend {
    let ours: Vec<&str> = MacAlgorithm::ALL.iter().map(|mac| mac.name()).collect();
    let default: Vec<&str> = TransportConfig::default().macs.iter().map(|mac| mac.name()).collect();
    Mend::list("MACs", names, |name| is_good(Some(tables::mac(name))), &ours, &default)
}

/// Compression.
pub fn compression(peer: Role) -> Mend {
    Mend::both(if peer == Role::Server { "Compression delayed" } else { "Compression no" })
}

/// No strict key exchange.
pub fn terrapin() -> Mend {
    let openssh = [
        "# strict key exchange comes with OpenSSH 9.6; until then:",
        "Ciphers aes256-gcm@openssh.com,aes128-gcm@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr",
    ];
    Mend {
        openssh: openssh.map(str::to_owned).into(),
        nacre: vec!["# nothing: strict key exchange is always on".to_owned()],
    }
}

/// A host key that is too weak.
pub fn new_host_key() -> Mend {
    let line = "HostKey /etc/ssh/ssh_host_ed25519_key".to_owned();
    Mend {
        openssh: vec!["# ssh-keygen -t ed25519 -f /etc/ssh/ssh_host_ed25519_key".to_owned(), line.clone()],
        nacre: vec!["# nacre keygen -t ed25519 -f /etc/ssh/ssh_host_ed25519_key".to_owned(), line],
    }
}

/// A certificate that does not hold.
pub fn certificate() -> Mend {
    Mend::both("HostCertificate /etc/ssh/ssh_host_ed25519_key-cert.pub")
}

/// Somebody is let in without anything.
pub fn empty_passwords() -> Mend {
    Mend::both("PermitEmptyPasswords no")
}

/// Login by the name of a machine.
pub fn hostbased() -> Mend {
    Mend::both("HostbasedAuthentication no")
}

/// A client that shows all its keys.
pub fn many_keys() -> Mend {
    Mend::both("IdentitiesOnly yes")
}

/// No bound on connections that are not logged in.
pub fn startups() -> Mend {
    let lines = ["MaxStartups 10:30:100", "PerSourceMaxStartups 10"].map(str::to_owned).to_vec();
    Mend { openssh: lines.clone(), nacre: lines }
}

/// No bound on wrong attempts.
pub fn tries() -> Mend {
    let lines = ["MaxAuthTries 6", "PerSourcePenalties authfail:5s"].map(str::to_owned).to_vec();
    Mend { openssh: lines.clone(), nacre: lines }
}

/// No bound on the time of a login.
pub fn grace() -> Mend {
    Mend::both("LoginGraceTime 120")
}
