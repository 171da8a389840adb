//! Every algorithm that Nacre shares with another make, at least once and each with each of
//! another kind; with `NACRE_LONG=1` every combination there is.
//!
//! A call forces its algorithms, so that it can log in only if both sides do them alike.

use interop::algorithms::{Offer, of};
use interop::client::{Call, Forced};
use interop::keys::KeyType;
use interop::pair::Pair;
use interop::pairs;
use interop::server::{Make, Server, Setup};
use std::collections::BTreeSet;

pairs!(all_algorithms);

fn all_algorithms(pair: Pair) {
    let shared = shared(pair);
    let mut calls = shared.calls();
    assert!(!calls.is_empty());
    if pair.client == Make::Dropbear {
        return forced_by_the_server(pair, &calls);
    }
    // One server after another, each with one host key: not all take all of them at once.
    calls.sort_by(|a, b| a.host_key.cmp(&b.host_key));
    for group in calls.chunk_by(|a, b| a.host_key == b.host_key) {
        let server = start(pair.server, &group[0].host_key).start();
        for forced in group {
            logs_in(pair, &server, forced, forced.clone());
        }
    }
}

/// A client that cannot be told all: the server is started anew for each combination.
fn forced_by_the_server(pair: Pair, calls: &[Forced]) {
    for forced in calls {
        let setup = start(pair.server, &forced.host_key)
            .line(format!("KexAlgorithms {}", forced.kex))
            .line(format!("HostKeyAlgorithms {}", forced.host_key))
            .line(format!("PubkeyAcceptedAlgorithms {}", forced.user_key));
        let told = Forced { kex: String::new(), host_key: String::new(), ..forced.clone() };
        logs_in(pair, &setup.start(), forced, told);
    }
}

fn start(make: Make, host_key: &str) -> Setup {
    Setup::new(make).host_keys(&[KeyType::of(host_key)])
}

fn logs_in(pair: Pair, server: &Server, forced: &Forced, told: Forced) {
    let done = Call::new(pair.client, server).forced(told).run("cat", b"through");
    assert_eq!((done.code, done.text().as_str()), (0, "through"), "{forced:?}\n{}", done.errors());
}

fn shared(pair: Pair) -> Offer {
    let shared = of(pair.client).shared(&of(pair.server));
    if pair.server == Make::Nacre { shared.without_group18() } else { shared }
}

/// Whatever Nacre knows, some foreign program knows too and confirms.
#[test]
fn all_peers_together_try_every_algorithm_of_nacre() {
    let peers = [Make::OpenSsh, Make::Dropbear, Make::Russh];
    for role in [Pair::client as fn(Make) -> Pair, Pair::server] {
        let mut tried = BTreeSet::new();
        for peer in peers {
            let offer = shared(role(peer));
            tried.extend([offer.kex, offer.ciphers, offer.macs, offer.host_keys].concat());
        }
        let all = of(Make::Nacre);
        let all = if role(Make::OpenSsh).server == Make::Nacre { all.without_group18() } else { all };
        let missing: Vec<String> = [all.kex, all.ciphers, all.macs, all.host_keys]
            .concat()
            .into_iter()
            .filter(|n| !tried.contains(n))
            .collect();
        assert_eq!(missing, Vec::<String>::new(), "no foreign program tries these");
    }
}

/// Where there is nothing in common there is no login, and the message says what is missing.
#[test]
fn openssh_client_with_nothing_in_common_is_told() {
    let server = Setup::new(Make::Nacre).line("Ciphers aes128-ctr").start();
    let done = Call::new(Make::OpenSsh, &server).option("Ciphers=aes256-ctr").run("true", b"");
    assert_eq!(done.code, 255);
    assert!(done.errors().contains("no matching cipher"), "{}", done.errors());
}

/// The same the other way round.
#[test]
fn openssh_server_with_nothing_in_common_is_told() {
    let server = Setup::new(Make::OpenSsh).line("KexAlgorithms ecdh-sha2-nistp256").start();
    let done = Call::new(Make::Nacre, &server).option("KexAlgorithms=curve25519-sha256").run("true", b"");
    assert_eq!(done.code, 255);
    assert!(done.errors().contains("key exchange"), "{}", done.errors());
}
