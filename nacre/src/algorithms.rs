//! The algorithms of this build, as configuration files see them.

use nacre_config::algorithms::{AlgorithmSets, AlgorithmTable};
use nacre_proto::TransportConfig;
use nacre_proto::algorithm::{CipherAlgorithm, KexMethod, MacAlgorithm, SignatureAlgorithm};

/// What is known and what is offered unless somebody says otherwise.
pub fn sets() -> AlgorithmSets {
    let offered = TransportConfig::default();
    let ca_keys: Vec<_> = SignatureAlgorithm::signing().map(SignatureAlgorithm::name).collect();
    let user_keys = names(SignatureAlgorithm::ALL, SignatureAlgorithm::name);
    // ECDSA host keys are known and not offered by a server unless configured.
    let host_default = [SignatureAlgorithm::Ed25519, SignatureAlgorithm::RsaSha512, SignatureAlgorithm::RsaSha256];
    // A certificate is shown where one is configured.
    let host_default = [SignatureAlgorithm::CERTIFICATES, &host_default].concat();
    AlgorithmSets {
        kex: table(KexMethod::ALL, &offered.kex, KexMethod::name),
        ciphers: table(CipherAlgorithm::ALL, &offered.ciphers, CipherAlgorithm::name),
        macs: table(MacAlgorithm::ALL, &offered.macs, MacAlgorithm::name),
        host_keys: table(SignatureAlgorithm::ALL, &host_default, SignatureAlgorithm::name),
        user_keys: AlgorithmTable::new(&user_keys, &user_keys),
        ca_keys: AlgorithmTable::new(&ca_keys, &ca_keys),
    }
}

fn names<T: Copy>(list: &[T], name: impl Fn(T) -> &'static str) -> Vec<&'static str> {
    list.iter().map(|item| name(*item)).collect()
}

fn table<T: Copy>(known: &[T], offered: &[T], name: impl Fn(T) -> &'static str + Copy) -> AlgorithmTable {
    AlgorithmTable::new(&names(known, name), &names(offered, name))
}
