//! Ways to log in: keys, passwords, codes, both of two, agents; and ways not to.

use interop::agent::Agent;
use interop::client::{Call, Secrets};
use interop::keys::{KeyType, Owner, PASSPHRASE, key};
use interop::pair::Pair;
use interop::programs::{account, nacre};
use interop::run::{Done, run};
use interop::server::{Make, PASSWORD, Server, Setup};
use interop::{pairs, totp};
use std::fs;
use std::process::Command;

pairs!(
    a_key_that_nobody_knows_is_refused,
    the_right_password_lets_in_and_a_wrong_one_does_not,
    a_changed_host_key_ends_it,
);

fn password(password: &str) -> Secrets {
    Secrets { password: password.to_owned(), ..Secrets::default() }
}

fn code(pair: Pair, code: &str) -> Secrets {
    // Dropbear's client has one answer for every question; what it calls a password is it.
    let password = if pair.client == Make::Dropbear { code } else { "" };
    Secrets { password: password.to_owned(), code: code.to_owned(), ..Secrets::default() }
}

/// Sets the running account's password in the file of a server of Nacre's.
fn nacre_passwd(server: &Server, words: &[&str], input: &str) -> Done {
    let mut command = Command::new(nacre());
    command.arg("passwd").arg(account()).arg("--state").arg(server.path("state")).args(words);
    let done = run(&mut command, input.as_bytes());
    assert_eq!(done.code, 0, "{}", done.errors());
    done
}

/// A server on which the running account has [`PASSWORD`].
fn with_password(setup: Setup) -> Server {
    match setup.make {
        Make::Nacre => {
            let server = setup.start();
            nacre_passwd(&server, &["--stdin"], &format!("{PASSWORD}\n"));
            server
        }
        Make::Russh => setup.words(&["--password", PASSWORD]).start(),
        // Both read the accounts of our making.
        Make::OpenSsh | Make::Dropbear => setup.start(),
    }
}

#[track_caller]
fn lets_in(call: &Call<'_>) {
    let done = call.run("cat", b"in");
    assert_eq!((done.code, done.text().as_str()), (0, "in"), "{}", done.errors());
}

#[track_caller]
fn refuses(call: &Call<'_>) -> String {
    let done = call.run("echo in", b"");
    // Dropbear's client ends with 0 where the server breaks off.
    assert!(done.code != 0 || call.make == Make::Dropbear, "{}", done.errors());
    assert_eq!(done.text(), "");
    done.errors()
}

fn a_key_that_nobody_knows_is_refused(pair: Pair) {
    let server = pair.start();
    let stranger = key(Owner::Stranger, KeyType::Ed25519);
    let call = pair.call(&server).key(&stranger);
    // Without an answer to its question, Dropbear's client would wait at the terminal.
    refuses(&if pair.client == Make::Dropbear { call.secrets(password("wrong")) } else { call });
    lets_in(&pair.call(&server));
}

fn the_right_password_lets_in_and_a_wrong_one_does_not(pair: Pair) {
    let server = with_password(Setup::new(pair.server));
    let call = pair.call(&server).no_key();
    lets_in(&call.clone().secrets(password(PASSWORD)));
    refuses(&call.clone().secrets(password("wrong")));
    refuses(&call.secrets(password("")));
}

fn a_changed_host_key_ends_it(pair: Pair) {
    if pair.client == Make::Dropbear || pair.client == Make::Russh {
        // The first is told not to look, the second is given the one key that will do.
        return lets_in(&pair.call(&pair.start()));
    }
    let server = pair.start();
    let known = server.path("known_hosts");
    let kinds = [KeyType::Ed25519, KeyType::Ecdsa256, KeyType::Ecdsa384, KeyType::Ecdsa521, KeyType::Rsa];
    let lines = kinds.map(|kind| format!("[127.0.0.1]:{} {}\n", server.port, key(Owner::Stranger, kind).line()));
    fs::write(&known, lines.concat()).unwrap();
    let errors = refuses(&pair.call(&server));
    assert!(errors.to_lowercase().contains("changed"), "{errors}");
    fs::write(&known, "").unwrap();
    refuses(&pair.call(&server));
}

/// Both a key and a password, in that order.
fn key_and_password(pair: Pair) {
    let setup = Setup::new(pair.server);
    let server = with_password(match pair.server {
        Make::Dropbear => setup.words(&["-t"]),
        _ => setup.line("AuthenticationMethods publickey,password"),
    });
    lets_in(&pair.call(&server).secrets(password(PASSWORD)));
    refuses(&pair.call(&server).secrets(password("wrong")));
    refuses(&pair.call(&server).no_key().secrets(password(PASSWORD)));
    refuses(&pair.call(&server).key(&key(Owner::Stranger, KeyType::Ed25519)).secrets(password(PASSWORD)));
}

interop::pairs!(@peer openssh_client_with_both, Pair::client(Make::OpenSsh), key_and_password);
interop::pairs!(@peer openssh_server_wants_both, Pair::server(Make::OpenSsh), key_and_password);
interop::pairs!(@peer dropbear_client_with_both, Pair::client(Make::Dropbear), key_and_password);
interop::pairs!(@peer dropbear_server_wants_both, Pair::server(Make::Dropbear), key_and_password);
interop::pairs!(@peer russh_client_with_both, Pair::client(Make::Russh), key_and_password);
interop::pairs!(@peer nacre_alone_with_both, Pair::client(Make::Nacre), key_and_password);

/// A key and then a code that works once.
fn key_and_code(pair: Pair) {
    let server = Setup::new(Make::Nacre).start();
    let secret = totp::secret(&nacre_passwd(&server, &["--totp", "--no-password"], "").text());
    let now = totp::code(&secret, 0);
    let wrong = if now == "000000" { "111111" } else { "000000" };
    refuses(&pair.call(&server).secrets(code(pair, wrong)));
    // Of the half minute before, which a slow clock makes good too, or of this one.
    lets_in(&pair.call(&server).secrets(code(pair, &now)));
    refuses(&pair.call(&server).secrets(code(pair, &now)));
    lets_in(&pair.call(&server).secrets(code(pair, &totp::code(&secret, 1))));
    // The code alone is nothing.
    refuses(&pair.call(&server).no_key().secrets(code(pair, &totp::code(&secret, 1))));
}

interop::pairs!(@peer openssh_client_with_a_code, Pair::client(Make::OpenSsh), key_and_code);
interop::pairs!(@peer dropbear_client_with_a_code, Pair::client(Make::Dropbear), key_and_code);
interop::pairs!(@peer russh_client_with_a_code, Pair::client(Make::Russh), key_and_code);
interop::pairs!(@peer nacre_alone_with_a_code, Pair::client(Make::Nacre), key_and_code);

#[test]
fn russh_server_asks_nacre_for_a_code() {
    let pair = Pair::server(Make::Russh);
    let server = Setup::new(pair.server).words(&["--code", "123456"]).start();
    lets_in(&pair.call(&server).secrets(code(pair, "123456")));
    refuses(&pair.call(&server).secrets(code(pair, "654321")));
    let asked = fs::read_to_string(server.path("questions")).unwrap();
    assert!(asked.contains("One-time code:"), "{asked}");
}

/// A key under a passphrase.
fn encrypted_keys(pair: Pair) {
    let server = pair.start();
    for kind in KeyType::ALL {
        let call = pair.call(&server).key_path(&key(Owner::User, kind).encrypted);
        let with = |passphrase: &str| Secrets { passphrase: passphrase.to_owned(), ..Secrets::default() };
        lets_in(&call.clone().secrets(with(PASSPHRASE)));
        if kind == KeyType::Ed25519 {
            refuses(&call.secrets(with("wrong")));
        }
    }
}

interop::pairs!(@peer openssh_server_with_encrypted_keys, Pair::server(Make::OpenSsh), encrypted_keys);
interop::pairs!(@peer dropbear_server_with_encrypted_keys, Pair::server(Make::Dropbear), encrypted_keys);
interop::pairs!(@peer russh_server_with_encrypted_keys, Pair::server(Make::Russh), encrypted_keys);

/// Keys that Nacre made and encrypted, in the hands of OpenSSH's client.
#[test]
fn openssh_client_reads_encrypted_keys_of_nacre_s() {
    let server = Setup::new(Make::Nacre).start();
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let path = server.path(&format!("made-{kind}"));
        let mut keygen = Command::new(nacre());
        keygen.args(["keygen", "-q", "-t", kind, "-N", PASSPHRASE, "-f"]).arg(&path);
        let done = run(&mut keygen, b"");
        assert_eq!(done.code, 0, "{}", done.errors());
        fs::copy(path.with_extension("pub"), server.path("authorized_keys")).unwrap();
        let secrets = Secrets { passphrase: PASSPHRASE.to_owned(), ..Secrets::default() };
        lets_in(&Call::new(Make::OpenSsh, &server).key_path(&path).secrets(secrets));
    }
}

/// OpenSSH's agent signs for Nacre's client, with every type of key.
fn an_agent_s_keys(pair: Pair) {
    let server = pair.start();
    for kind in KeyType::ALL {
        let agent = Agent::start();
        refuses(&pair.call(&server).agent(&agent.socket()));
        agent.add(&key(Owner::Stranger, KeyType::Ed25519).private);
        agent.add(&key(Owner::User, kind).private);
        lets_in(&pair.call(&server).agent(&agent.socket()));
    }
}

interop::pairs!(@peer openssh_server_and_an_agent, Pair::server(Make::OpenSsh), an_agent_s_keys);
interop::pairs!(@peer dropbear_server_and_an_agent, Pair::server(Make::Dropbear), an_agent_s_keys);
interop::pairs!(@peer russh_server_and_an_agent, Pair::server(Make::Russh), an_agent_s_keys);
