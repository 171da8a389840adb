//! Certificates that ssh-keygen made, shown by OpenSSH's client to `nacre serve`: who gets in, who does not, and what
//! the log says of it (threat A7).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/serve.rs"]
mod serve;

use common::{Scratch, program};
use serve::{Done, Server, eventually, finish, make_key, own_name};
use std::fs;

/// A server whose account has no key of its own, and a CA that may vouch for it.
fn server(lines: &str) -> Server {
    let place = Scratch::new();
    for key in ["host", "id", "ca", "other"] {
        make_key(&place, key);
    }
    let lines = lines.replace("{DIR}", place.root().to_str().unwrap());
    place.write("keys", "");
    place.write("none", "");
    Server::start_in(place, &lines)
}

const TRUSTED: &str = "TrustedUserCAKeys {DIR}/ca.pub\n";

/// Has `ca` sign `id`'s key with these words.
#[track_caller]
fn sign(server: &Server, ca: &str, words: &[&str]) {
    let place = &server.place;
    let mut keygen = program("ssh-keygen");
    keygen
        .args(["-q", "-s"])
        .arg(place.path(ca))
        .args(["-I", "the id", "-z", "42"])
        .args(words)
        .arg(place.path("id.pub"));
    let done = finish(&mut keygen, b"");
    assert_eq!(done.code, 0, "{}", done.err);
}

fn login(server: &Server, more: &[&str], command: &str) -> Done {
    finish(server.ssh(more).arg(command), b"")
}

#[track_caller]
fn is_in(server: &Server) {
    let done = login(server, &[], "echo in");
    assert_eq!((done.code, done.out.as_str()), (0, "in\n"), "{} {}", done.err, server.log());
}

/// Nobody gets in, and one line says why.
#[track_caller]
fn is_out(server: &Server, why: &str) {
    let what = if server.place.path("id-cert.pub").exists() { "Certificate of " } else { "Key of " };
    let before = server.log().matches(what).count();
    let done = login(server, &[], "echo in");
    assert_eq!((done.code, done.out.as_str()), (255, ""), "{why}");
    server.logs(why);
    let log = server.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(what)).skip(before).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(why), "{why}: {lines:?}");
}

#[test]
fn a_trusted_ca_lets_in_whom_its_certificate_names() {
    let server = server(TRUSTED);
    let user = own_name();
    for kind in ["", "-V+1d", "-Valways:forever"] {
        let words = ["-n", &format!("somebody,{user}"), kind];
        sign(&server, "ca", &words[..if kind.is_empty() { 2 } else { 3 }]);
        is_in(&server);
    }
    let log = server.log();
    let accepted = log.lines().find(|line| line.contains("Accepted publickey")).unwrap();
    for part in ["ED25519-CERT SHA256:", " ID the id (serial 42) CA ED25519 SHA256:"] {
        assert!(accepted.contains(part), "{accepted}");
    }
}

#[test]
fn every_kind_of_key_and_ca() {
    let server = server("TrustedUserCAKeys {DIR}/cas\n");
    let place = &server.place;
    let kinds: [&[&str]; 4] =
        [&["ecdsa", "-b", "256"], &["ecdsa", "-b", "384"], &["ecdsa", "-b", "521"], &["rsa", "-b", "2048"]];
    let mut list = String::from("# CAs\n\n");
    for (number, kind) in kinds.iter().enumerate() {
        let mut keygen = program("ssh-keygen");
        keygen.args(["-q", "-N", "", "-f"]).arg(place.path(&format!("k{number}"))).arg("-t").args(*kind);
        assert_eq!(finish(&mut keygen, b"").code, 0);
        list += &place.read(&format!("k{number}.pub"));
    }
    place.write("cas", &list);
    for number in 0..kinds.len() {
        let (ca, key) = (format!("k{}", (number + 1) % kinds.len()), format!("k{number}"));
        for name in ["id", "id.pub"] {
            let _ = fs::remove_file(place.path(name));
            fs::copy(place.path(&name.replace("id", &key)), place.path(name)).unwrap();
        }
        sign(&server, &ca, &["-n", &server.user]);
        is_in(&server);
    }
    server.logs("RSA-CERT SHA256:");
}

#[test]
fn a07_what_is_refused_and_why() {
    let server = server(TRUSTED);
    let user = own_name();
    for (ca, words, why) in [
        ("ca", &["-n", &user, "-V", "20200101:20200102"][..], "expired"),
        ("ca", &["-n", &user, "-V", "+1d:+2d"], "not yet valid"),
        ("ca", &["-n", "somebody"], "wrong principal"),
        ("ca", &["-n", "*"], "wrong principal"),
        ("ca", &[], "it lists no principal"),
        ("other", &["-n", &user], "unknown CA"),
        ("ca", &["-n", &user, "-O", "critical:own@example.org"], "'own@example.org' is not known"),
        ("ca", &["-n", &user, "-O", "source-address=192.0.2.0/24"], "source-address"),
        ("ca", &["-n", &user, "-O", "verify-required"], "verify-required"),
    ] {
        sign(&server, ca, words);
        is_out(&server, why);
    }
    // A certificate is no way round the account's plain keys, and a CA's own key is none of them.
    let done = finish(
        server.ssh_options().args(["-o", "BatchMode=yes", "-i"]).arg(server.place.path("ca")).arg("127.0.0.1"),
        b"",
    );
    assert_eq!(done.code, 255);
    sign(&server, "ca", &["-n", &user, "-O", "source-address=127.0.0.0/8,::1"]);
    is_in(&server);
}

#[test]
fn a07_commands_and_permissions_narrow() {
    let server = server(TRUSTED);
    let user = own_name();
    sign(&server, "ca", &["-n", &user, "-O", "force-command=echo forced $SSH_ORIGINAL_COMMAND"]);
    assert_eq!(login(&server, &[], "echo in").out, "forced echo in\n");
    let tty = |server: &Server| login(server, &["-tt"], "tty").out;
    sign(&server, "ca", &["-n", &user]);
    assert!(tty(&server).starts_with("/dev/"), "{}", server.log());
    // Through the server to itself, which says its first word.
    let there = format!("127.0.0.1:{}", server.port);
    let through = |server: &Server| finish(&mut server.ssh(&["-W", &there]), b"");
    let done = through(&server);
    assert!(done.out.starts_with("SSH-2.0-"), "{} {}", done.err, server.log());
    sign(&server, "ca", &["-n", &user, "-O", "no-port-forwarding"]);
    let done = through(&server);
    assert_eq!((done.code, done.out.as_str()), (255, ""), "{}", server.log());
    for words in [&["-O", "no-pty"][..], &["-O", "clear"]] {
        sign(&server, "ca", &[&["-n", &user], words].concat());
        assert!(!tty(&server).contains("/dev/"), "{words:?}");
    }
}

#[test]
fn a_line_with_cert_authority() {
    let server = server("");
    let user = own_name();
    let ca = server.place.read("ca.pub");
    let line = |options: &str| server.place.write("keys", &format!("{options} {ca}"));
    sign(&server, "ca", &["-n", &user]);
    is_out(&server, "unknown CA");
    line("cert-authority");
    is_in(&server);
    line("cert-authority,principals=\"somebody,else\"");
    is_out(&server, "wrong principal");
    sign(&server, "ca", &["-n", "else"]);
    is_in(&server);
    line("cert-authority");
    is_out(&server, "wrong principal");
    line("cert-authority,principals=\"else\",command=\"echo forced\"");
    assert_eq!(login(&server, &[], "echo in").out, "forced\n");
    sign(&server, "ca", &["-n", "else", "-O", "force-command=echo other"]);
    is_out(&server, "forced command");
    line("cert-authority,principals=\"else\",from=\"192.0.2.1\"");
    is_out(&server, "does not permit it");
    // The CA's key does not log in by its own line, nor does a plain line vouch for anybody.
    fs::copy(server.place.path("ca"), server.place.path("id2")).unwrap();
    let by_ca = |server: &Server| {
        let mut ssh = server.ssh_options();
        ssh.args(["-o", "BatchMode=yes", "-i"]).arg(server.place.path("id2")).args(["127.0.0.1", "echo in"]);
        finish(&mut ssh, b"").code
    };
    line("cert-authority");
    assert_eq!(by_ca(&server), 255);
    server.place.write("keys", &ca);
    assert_eq!(by_ca(&server), 0);
    sign(&server, "ca", &["-n", &user]);
    is_out(&server, "unknown CA");
}

#[test]
fn a_file_of_principals() {
    let server = server(&format!("{TRUSTED}AuthorizedPrincipalsFile {{DIR}}/names-%u\n"));
    let user = own_name();
    let file = format!("names-{user}");
    sign(&server, "ca", &["-n", &user]);
    is_out(&server, "wrong principal");
    server.place.write(&file, "# who\n\nadmin\ncommand=\"echo forced\" operator # at night\nno-such-option guest\n");
    is_out(&server, "wrong principal");
    sign(&server, "ca", &["-n", "admin"]);
    is_in(&server);
    sign(&server, "ca", &["-n", "operator"]);
    assert_eq!(login(&server, &[], "echo in").out, "forced\n");
    sign(&server, "ca", &["-n", "guest"]);
    is_out(&server, "wrong principal");
}

#[test]
fn a_program_tells_the_names() {
    let user = own_name();
    let (told, names) = ("{DIR}/told", "{DIR}/names");
    let program = format!("/bin/sh -c 'echo \"$@ $USER\" >{told}; cat {names}' sh %u %U %h %i %s %t %T %f %F %C %%");
    let lines = format!("{TRUSTED}AuthorizedPrincipalsCommand {program}\nAuthorizedPrincipalsCommandUser {user}\n");
    let server = server(&lines);
    let names = |text: &str| server.place.write("names", text);
    sign(&server, "ca", &["-n", "admin"]);
    names("somebody\n# admin\n");
    is_out(&server, "wrong principal: none that it lists stands in /bin/sh");
    names("somebody\nadmin # yes\n");
    is_in(&server);
    let account = nacre_sys::account::Account::current().unwrap();
    let told = server.place.read("told");
    let types = "ssh-ed25519-cert-v01@openssh.com ssh-ed25519 SHA256:";
    assert!(
        told.starts_with(&format!("{user} {} {} the id 42 {types}", account.uid, account.home.display())),
        "{told}"
    );
    assert!(told.contains(&format!(" 127.0.0.1 {} % {user}\n", server.port)), "{told}");
    // Options count, and the user's own name alone does not.
    names("command=\"echo forced\" admin\n");
    assert_eq!(login(&server, &[], "echo in").out, "forced\n");
    names("from=\"10.0.0.1\" admin\n");
    is_out(&server, "wrong principal");
    names("");
    sign(&server, "ca", &["-n", &user]);
    is_out(&server, "wrong principal");
    // What failed may have told only a part.
    std::fs::remove_file(server.place.path("names")).unwrap();
    is_out(&server, "AuthorizedPrincipalsCommand failed");
    server.logs("it ended with exit status 1");
}

#[test]
fn the_file_of_principals_counts_before_the_program() {
    let user = own_name();
    let server = server(&format!(
        "{TRUSTED}AuthorizedPrincipalsFile {{DIR}}/names\nAuthorizedPrincipalsCommand /bin/echo operator\n\
         AuthorizedPrincipalsCommandUser {user}\n"
    ));
    server.place.write("names", "admin\n");
    for name in ["admin", "operator"] {
        sign(&server, "ca", &["-n", name]);
        is_in(&server);
    }
    sign(&server, "ca", &["-n", &user]);
    is_out(&server, "wrong principal: none that it lists stands in /bin/echo");
}

#[test]
fn a07_revoked_keys_and_cas() {
    let server = server(&format!("{TRUSTED}RevokedKeys {{DIR}}/revoked\n"));
    let user = own_name();
    sign(&server, "ca", &["-n", &user]);
    is_out(&server, "cannot be read");
    let revoke = |text: &str| server.place.write("revoked", text);
    revoke(&server.place.read("other.pub"));
    is_in(&server);
    revoke(&format!("# gone\n{}", server.place.read("ca.pub")));
    is_out(&server, "CA of the certificate is revoked");
    revoke(&server.place.read("id.pub"));
    is_out(&server, "the key is revoked");
    revoke("nonsense\n");
    is_out(&server, "not a public key");
    // Plain keys too.
    fs::remove_file(server.place.path("id-cert.pub")).unwrap();
    fs::copy(server.place.path("id.pub"), server.place.path("keys")).unwrap();
    revoke("");
    is_in(&server);
    revoke(&server.place.read("id.pub"));
    is_out(&server, "the key is revoked");
}

#[test]
fn a07_key_revocation_lists_of_openssh() {
    let server = server(&format!("{TRUSTED}RevokedKeys {{DIR}}/revoked\n"));
    let user = own_name();
    sign(&server, "ca", &["-n", &user]);
    let place = &server.place;
    let revoke = |args: &[&str], lines: &str| {
        place.write("spec", lines);
        let mut keygen = program("ssh-keygen");
        keygen.args(["-q", "-k", "-f"]).arg(place.path("new")).args(args).arg(place.path("spec"));
        let done = finish(keygen.current_dir(place.root()), b"");
        assert_eq!(done.code, 0, "{}", done.err);
        fs::rename(place.path("new"), place.path("revoked")).unwrap();
    };
    let (ca, id) = (place.read("ca.pub"), place.read("id.pub"));
    revoke(&["-s", "ca.pub"], "serial: 41\nserial: 43-99\nid: another");
    is_in(&server);
    revoke(&["-s", "other.pub"], "serial: 42\nid: the id");
    is_in(&server);
    for (args, lines, why) in [
        (&["-s", "ca.pub"][..], "serial: 42", "serial number 42 is revoked"),
        (&["-s", "none"], "id: the id", "key ID is revoked"),
        (&[], &format!("sha1: {ca}"), "CA of the certificate is revoked"),
        (&[], &format!("sha256: {id}"), "the key is revoked"),
    ] {
        revoke(args, lines);
        is_out(&server, why);
    }
    // What cannot be read to its end revokes everything.
    revoke(&[], &place.read("other.pub"));
    is_in(&server);
    let whole = fs::read(place.path("revoked")).unwrap();
    fs::write(place.path("revoked"), &whole[..whole.len() - 1]).unwrap();
    is_out(&server, "damaged key revocation list");
    // Plain keys too.
    fs::remove_file(place.path("id-cert.pub")).unwrap();
    fs::copy(place.path("id.pub"), place.path("keys")).unwrap();
    fs::write(place.path("revoked"), &whole).unwrap();
    is_in(&server);
    revoke(&[], &id);
    is_out(&server, "the key is revoked");
}

#[test]
fn a07_a_damaged_revocation_list_stops_the_start() {
    let place = Scratch::new();
    make_key(&place, "host");
    place.write("krl", "SSHKRL\n\0\0\0\0\x02");
    place.write("config", &format!("HostKey {0}/host\nRevokedKeys {0}/krl\n", place.root().display()));
    let mut serve = common::nacre();
    serve.args(["serve", "--user-mode", "-t", "-f"]).arg(place.path("config"));
    let done = finish(&mut serve, b"");
    assert_ne!(done.code, 0);
    assert!(done.err.contains("line 2") || done.err.contains(":2"), "{}", done.err);
    assert!(done.err.contains("key revocation list of format 2"), "{}", done.err);
}

#[test]
fn a09_a_key_and_its_certificate_are_one_factor() {
    let server = server(&format!("{TRUSTED}AuthenticationMethods publickey,publickey\n"));
    fs::copy(server.place.path("id.pub"), server.place.path("keys")).unwrap();
    sign(&server, "ca", &["-n", &own_name()]);
    assert_eq!(login(&server, &[], "echo in").code, 255, "{}", server.log());
    // With another key beside it there are two.
    let both = format!("{}{}", server.place.read("id.pub"), server.place.read("other.pub"));
    server.place.write("keys", &both);
    let other = server.place.path("other");
    assert_eq!(login(&server, &["-i", other.to_str().unwrap()], "echo in").out, "in\n", "{}", server.log());
}

#[test]
fn a_ca_that_signs_with_what_is_left_out() {
    let server = server(&format!("{TRUSTED}CASignatureAlgorithms -ssh-ed25519\n"));
    sign(&server, "ca", &["-n", &own_name()]);
    is_out(&server, "CASignatureAlgorithms");
}

#[test]
fn h07_openssh_trusts_the_hosts_certificate() {
    let place = Scratch::new();
    for key in ["host", "id", "ca"] {
        make_key(&place, key);
    }
    fs::copy(place.path("id.pub"), place.path("keys")).unwrap();
    let mut keygen = program("ssh-keygen");
    keygen
        .args(["-q", "-s"])
        .arg(place.path("ca"))
        .args(["-I", "h", "-h", "-n", "127.0.0.1"])
        .arg(place.path("host.pub"));
    assert_eq!(finish(&mut keygen, b"").code, 0);
    place.write("known", &format!("@cert-authority 127.0.0.1,[127.0.0.1]:* {}", place.read("ca.pub")));
    let line = format!("HostCertificate {}\n", place.path("host-cert.pub").display());
    let server = Server::start_in(place, &line);
    let strict = |server: &Server| {
        let mut ssh = program("ssh");
        ssh.args(["-F", "none", "-T", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o"]);
        ssh.arg(format!("UserKnownHostsFile={}", server.place.path("known").display()));
        ssh.arg("-i").arg(server.place.path("id")).args(["-p", &server.port.to_string(), "127.0.0.1", "echo in"]);
        finish(&mut ssh, b"")
    };
    let done = strict(&server);
    assert_eq!(done.out, "in\n", "{}", done.err);
    server.place.write("known", "");
    assert_eq!(strict(&server).code, 255, "nothing is known of it");
}

/// Revokes `id` behind 20,000 keys that nobody has, and says how many bytes that are.
fn long_list(place: &Scratch) -> u64 {
    let line = |number: u32| {
        let mut blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20".to_vec();
        blob.extend([number.to_be_bytes(); 8].concat());
        format!("ssh-ed25519 {}\n", nacre_crypto::base64_encode(&blob))
    };
    let list = (0..20_000).map(line).collect::<String>() + &place.read("id.pub");
    place.write("revoked", &list);
    list.len() as u64
}

#[test]
fn a12_a_long_list_of_revoked_keys_tells_nobody_who_exists() {
    let server = server("RevokedKeys {DIR}/revoked\nPerSourcePenalties no\n");
    let place = &server.place;
    fs::copy(place.path("id.pub"), place.path("keys")).unwrap();
    let length = long_list(place);
    let work = |user: &str| {
        let before = server.bytes_read();
        let line = format!("Key of {user} refused: the key is revoked");
        let told = server.log().matches(&line).count();
        let done = finish(server.ssh(&["-l", user]).arg("echo in"), b"");
        assert_eq!((done.code, done.out.as_str()), (255, ""), "{}", done.err);
        eventually("the reason", || server.log().matches(&line).count() > told);
        server.bytes_read() - before
    };
    // Until nothing that changed the list could look like what was read.
    eventually("the list is kept", || work(&server.user) < length / 2);
    for user in [&server.user, "nobody-has-this-name"] {
        let bytes = work(user);
        assert!(bytes < length / 2, "{bytes} of {length} bytes were read for {user}");
    }
    // Both see at once that it has changed, and that it cannot be read.
    place.write("revoked", &place.read("other.pub"));
    is_in(&server);
    fs::remove_file(place.path("revoked")).unwrap();
    is_out(&server, "cannot be read");
}
