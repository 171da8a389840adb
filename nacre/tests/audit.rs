//! `nacre audit` of servers and clients that we did not write, of our own, and of peers that mean no good.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/peer.rs"]
mod peer;
#[path = "common/serve.rs"]
mod serve;

use common::{nacre, program};
use peer::{Outcome, Peer, place, run};
use serde_json::Value;
use serve::Server;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread::spawn;

fn audit(port: u16, more: &[&str]) -> Outcome {
    let target = format!("tester@127.0.0.1:{port}");
    run(nacre().args(["audit", "-F", "none"]).args(more).arg(target), b"")
}

struct Found(Value);

impl Found {
    fn of(outcome: &Outcome) -> Self {
        let found = Self(serde_json::from_str(&outcome.text()).unwrap_or_else(|_| panic!("{}", outcome.err)));
        let code = match found.0["verdict"].as_str().unwrap() {
            "good" => 0,
            "warn" => 1,
            _ => 2,
        };
        assert_eq!(outcome.code, code, "{}", found.0);
        found
    }

    fn lines(&self) -> &Vec<Value> {
        self.0["findings"].as_array().unwrap()
    }

    /// The one line about this that holds the text.
    #[track_caller]
    fn line(&self, topic: &str, text: &str) -> &Value {
        let about = |line: &&Value| line["topic"] == topic && line["text"].as_str().unwrap().contains(text);
        let lines: Vec<&Value> = self.lines().iter().filter(about).collect();
        assert_eq!(lines.len(), 1, "{topic}, {text}: {:#}", self.0);
        lines[0]
    }

    #[track_caller]
    fn is(&self, verdict: &str, topic: &str, text: &str) {
        assert_eq!(self.line(topic, text)["verdict"], verdict, "{topic}, {text}: {:#}", self.0);
    }

    #[track_caller]
    fn mended_by(&self, topic: &str, text: &str, openssh: &str) {
        let lines = &self.line(topic, text)["openssh"];
        assert!(lines.as_array().unwrap().iter().any(|line| line == openssh), "{lines}");
    }
}

#[test]
fn our_own_server_is_good_in_every_line() {
    let server = Server::start("");
    let outcome = audit(server.port, &["--json"]);
    let found = Found::of(&outcome);
    assert_eq!(outcome.code, 0, "{:#}", found.0);
    assert!(found.lines().iter().all(|line| line["verdict"] == "good"), "{:#}", found.0);
    found.is("good", "post-quantum", "mlkem768x25519-sha256");
    found.is("good", "strict kex", "announced");
    found.is("good", "host key", "ED25519, 256 bits, SHA256:");
    found.is("good", "server-sig-algs", "ssh-ed25519");
    let text = audit(server.port, &[]).text();
    assert!(text.starts_with("The server at 127.0.0.1 port ") && !text.contains("To mend it"), "{text}");
    assert!(!text.contains('\x1b'), "colour goes to terminals only");
}

#[test]
fn a_weak_sshd_is_told_line_by_line_and_its_own_advice_mends_it() {
    let place = place();
    peer::make_key(&place, "host_rsa", &["-t", "rsa", "-b", "2048"]);
    let keys = peer::host_key(&place, "host_ed25519") + &peer::host_key(&place, "host_rsa");
    let weak = "KexAlgorithms curve25519-sha256,diffie-hellman-group14-sha1,diffie-hellman-group14-sha256\n\
        Ciphers aes256-ctr,aes128-cbc,3des-cbc,chacha20-poly1305@openssh.com\n\
        MACs hmac-sha2-256-etm@openssh.com,hmac-sha1,hmac-md5\n\
        HostKeyAlgorithms ssh-ed25519,rsa-sha2-512,ssh-rsa\nCompression yes\n";
    let sshd = Peer::sshd(
        &place,
        &format!("{weak}{keys}Banner {}\n", place.write("banner", "Hi \u{1b}[31mthere\n").display()),
    );
    let outcome = audit(sshd.port, &["--json"]);
    let found = Found::of(&outcome);
    assert_eq!(outcome.code, 2);
    found.is("bad", "key exchange", "diffie-hellman-group14-sha1");
    found.is("warn", "key exchange", "diffie-hellman-group14-sha256");
    found.is("warn", "post-quantum", "no such key exchange");
    found.is("bad", "ciphers", "3des-cbc");
    found.is("warn", "ciphers", "aes128-cbc");
    found.is("bad", "MACs", "hmac-md5");
    found.is("bad", "host key types", "ssh-rsa");
    found.is("warn", "host key", "RSA, 2048 bits");
    found.is("good", "host key", "ED25519");
    found.is("good", "banner", "there");
    found.mended_by("ciphers", "3des-cbc", "Ciphers aes256-ctr,chacha20-poly1305@openssh.com");
    found.mended_by("MACs", "hmac-md5", "MACs hmac-sha2-256-etm@openssh.com");
    let kex = "KexAlgorithms sntrup761x25519-sha512@openssh.com,curve25519-sha256";
    found.mended_by("key exchange", "diffie-hellman-group14-sha1", kex);
    assert!(outcome.text().chars().all(|c| c == '\n' || !c.is_control()));

    let text = audit(sshd.port, &[]).text();
    assert!(text.contains("To mend it, in sshd_config for OpenSSH:") && text.contains("for Nacre:"), "{text}");
    // OpenSSH itself takes the lines, and they help.
    let advice = text.split_once("for OpenSSH:\n").unwrap().1.split_once("\n\n").unwrap().0;
    let advice: String = advice
        .lines()
        .map(|line| line.trim())
        .filter(|line| !line.starts_with("HostKey "))
        .fold(String::new(), |text, line| text + line + "\n");
    let mended = Peer::sshd(&place, &format!("{advice}{}", peer::host_key(&place, "host_ed25519")));
    let found = Found::of(&audit(mended.port, &["--json"]));
    let only_strict = |line: &&Value| line["verdict"] != "good" && line["topic"] != "strict kex";
    let left: Vec<&Value> = found.lines().iter().filter(only_strict).collect();
    assert!(left.is_empty(), "{left:#?}");
}

#[test]
fn a_stock_sshd_with_every_host_key_and_dropbear_are_judged() {
    let place = place();
    let mut keys = peer::host_key(&place, "host_ed25519");
    for (name, words) in [("host_ecdsa", &["-t", "ecdsa"][..]), ("host_rsa", &["-t", "rsa", "-b", "3072"])] {
        peer::make_key(&place, name, words);
        keys += &peer::host_key(&place, name);
    }
    let sshd = Peer::sshd(&place, &keys);
    let found = Found::of(&audit(sshd.port, &["--json"]));
    for key in ["ED25519, 256 bits", "ECDSA, 256 bits", "RSA, 3072 bits"] {
        found.is("good", "host key", key);
    }
    found.is("good", "version", "OpenSSH_");
    let dropbear = Peer::dropbear(&place, &[]);
    let found = Found::of(&audit(dropbear.port, &["--json"]));
    found.is("good", "version", "dropbear");
    found.is("good", "host key", "ED25519, 256 bits");
    found.is("good", "login", "publickey");
}

#[test]
fn host_certificates_are_judged_by_name_and_time() {
    let place = place();
    peer::make_key(&place, "ca", &["-t", "ed25519"]);
    for (names, verdict) in [("127.0.0.1", "good"), ("other.example", "bad")] {
        let mut sign = program("ssh-keygen");
        sign.args(["-q", "-h", "-I", "host", "-n", names, "-s"]).arg(place.path("ca"));
        assert!(sign.arg(place.path("host_ed25519.pub")).status().unwrap().success());
        let certificate = format!("HostCertificate {}\n", place.path("host_ed25519-cert.pub").display());
        let sshd = Peer::sshd(&place, &certificate);
        Found::of(&audit(sshd.port, &["--json"])).is(verdict, "certificate", names);
    }
}

/// Serves one connection with these bytes, again and again when they have no end, and reads nothing.
fn odd(bytes: &'static [u8], endless: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        while stream.write_all(bytes).is_ok() && endless {}
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    port
}

#[test]
fn peers_that_mean_no_good_are_one_clear_line() {
    for (bytes, endless) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], false),
        (b"", false),
        (b"\0\xff\x1b[31m", true),
        (b"a line without end, again and again. ", true),
        (b"a short line\n", true),
        (b"SSH-2.0-x\r\n\0\0\0\x01junk", false),
        (b"SSH-2.0-x\r\n\xff\xff\xff\xff", true),
    ] {
        let outcome = audit(odd(bytes, endless), &[]);
        assert_eq!((outcome.code, outcome.text().as_str()), (255, ""), "{bytes:?}");
        assert_eq!(outcome.err.lines().count(), 1, "{}", outcome.err);
        assert!(outcome.err.starts_with("nacre: audit: 127.0.0.1 port "), "{}", outcome.err);
        assert!(outcome.err.trim_end().chars().all(|c| !c.is_control()), "{:?}", outcome.err);
    }
    let outcome = run(nacre().args(["audit", "-F", "none", "127.0.0.1:1"]), b"");
    assert_eq!((outcome.code, outcome.err.lines().count()), (255, 1), "{}", outcome.err);
    let outcome = run(nacre().args(["audit"]), b"");
    assert_eq!(outcome.code, 2);
}

/// An audit that waits for a client, and the port it waits on.
fn waiting() -> (Child, u16, BufReader<std::process::ChildStderr>) {
    let mut command = nacre();
    command.args(["audit", "--client", "--json"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    err.read_line(&mut line).unwrap();
    let port = line.split("port ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    (child, port, err)
}

/// What the audit says of this client, which is given the port.
fn judged(client: impl Fn(u16) -> Command) -> Found {
    let (child, port, _err) = waiting();
    run(&mut client(port), b"");
    let out = child.wait_with_output().unwrap();
    Found::of(&Outcome { code: out.status.code().unwrap(), out: out.stdout, err: String::new() })
}

#[test]
fn clients_are_judged_whether_or_not_they_trust_us() {
    let place = place();
    let known = format!("UserKnownHostsFile={}", place.path("none").display());
    let ssh = |port: u16, words: &[&str]| {
        let mut ssh = program("ssh");
        let port = port.to_string();
        ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o", &known, "-o", "IdentitiesOnly=yes", "-p", &port]);
        ssh.arg("-i").arg(place.path("id")).args(words).arg("tester@127.0.0.1");
        ssh
    };
    let found = judged(|port| ssh(port, &["-o", "StrictHostKeyChecking=yes"]));
    found.is("good", "version", "OpenSSH_");
    found.is("good", "post-quantum", "sntrup761");
    let found = judged(|port| {
        ssh(
            port,
            &[
                "-o",
                "StrictHostKeyChecking=no",
                "-o",
                "Ciphers=3des-cbc,aes128-ctr",
                "-o",
                "KexAlgorithms=ecdh-sha2-nistp256",
            ],
        )
    });
    found.is("bad", "ciphers", "3des-cbc");
    found.is("warn", "post-quantum", "no such key exchange");
    found.is("good", "login", "publickey SHA256:");
    let found = judged(|port| {
        let mut ours = nacre();
        ours.args(["ssh", "-F", "none", "-o", "BatchMode=yes", "-o", &known, "-o", "StrictHostKeyChecking=yes"]);
        ours.args(["-p", &port.to_string(), "tester@127.0.0.1"]);
        ours
    });
    assert!(found.lines().iter().all(|line| line["verdict"] == "good"), "{:#}", found.0);
    let found = judged(|port| {
        let mut dropbear = program("dbclient");
        dropbear.env("HOME", place.path("home")).args([
            "-y",
            "-y",
            "-p",
            &port.to_string(),
            "tester@127.0.0.1",
            "true",
        ]);
        dropbear
    });
    found.is("good", "version", "dropbear");
    if program("plink").arg("-V").output().is_ok() {
        let found = judged(|port| {
            let mut plink = program("plink");
            plink.env("HOME", place.path("home")).args(["-batch", "-P", &port.to_string(), "tester@127.0.0.1", "true"]);
            plink
        });
        found.is("good", "version", "PuTTY");
    }
}

#[test]
fn clients_that_speak_no_ssh_are_one_clear_line() {
    for bytes in [&b""[..], b"GET / HTTP/1.0\r\n\r\n", b"SSH-2.0-x\r\n\xff\xff\xff\xff\xff"] {
        let (mut child, port, mut err) = waiting();
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.write_all(bytes).unwrap();
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let code = child.wait().unwrap().code();
        let mut said = String::new();
        err.read_to_string(&mut said).unwrap();
        let said = said.lines().last().unwrap();
        assert!(code == Some(255) && said.starts_with("nacre: audit: the client from 127.0.0.1:"), "{said}");
    }
}

#[test]
fn limits_are_tried_when_asked_for_and_only_then() {
    let server = Server::start("LoginGraceTime 3");
    assert!(!audit(server.port, &["--json"]).text().contains("\"limits\""));
    let outcome = audit(server.port, &["--json", "--probe"]);
    let found = Found::of(&outcome);
    found.is("good", "limits", "silent connections at once");
    found.is("good", "limits", "a connection that says nothing ends after ");
    assert_eq!(outcome.code, 0, "{:#}", found.0);
    let place = place();
    let sshd = Peer::sshd(&place, "MaxStartups 1000\nLoginGraceTime 15\nMaxAuthTries 30");
    let found = Found::of(&audit(sshd.port, &["--json", "--probe"]));
    found.is("warn", "limits", "128 silent connections at once were all kept");
    found.mended_by("limits", "128 silent", "MaxStartups 10:30:100");
    found.is("warn", "limits", "10 wrong passwords are taken on one connection");
    found.is("good", "limits", "a connection that says nothing ends after 1");
}
