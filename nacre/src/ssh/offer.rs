//! Algorithms between the configuration's names and the transport's values.

use crate::algorithms;
use nacre_config::{AlgorithmSets, AlgorithmTable};
use nacre_proto::TransportConfig;
use nacre_proto::algorithm::SignatureAlgorithm;

/// What the client knows and offers. Unlike a server it takes ECDSA host keys without being told:
/// many hosts have no other key on people's records, and to such a person a host that is asked for
/// another type only would look changed.
pub fn client_sets() -> AlgorithmSets {
    let names = |list: &[SignatureAlgorithm]| list.iter().map(|a| a.name().to_owned()).collect();
    let plain = TransportConfig::default().host_key_algorithms;
    let default = names(&[SignatureAlgorithm::CERTIFICATES, &plain].concat());
    AlgorithmSets { host_keys: AlgorithmTable { known: names(SignatureAlgorithm::ALL), default }, ..algorithms::sets() }
}

/// The algorithms behind configured names, in the same order. The configuration lets only known
/// names through.
pub fn by_name<A>(names: &[String], find: fn(&str) -> Option<A>) -> Vec<A> {
    names.iter().filter_map(|name| find(name)).collect()
}
