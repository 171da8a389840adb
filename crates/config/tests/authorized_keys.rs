//! `authorized_keys` against a corpus, and against real logins through the `sshd` on this machine (threat A17).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

mod common;

use std::path::Path;
use std::process::{Command, Stdio};

use common::{Folder, have};
use nacre_config::authorized_keys::{AuthorizedKeys, Entry, KeyOptions, MAX_FILE, MAX_LINE, PermitPort};
use nacre_config::blob;
use nacre_wire::WriteExt;

/// What becomes of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Is {
    /// The key may log in.
    Taken,
    /// The line is refused, with a reason.
    Refused,
    /// Nothing is on the line.
    Empty,
    /// The line is good and its time is over.
    Expired,
    /// Refused by us, taken by OpenSSH: not done yet, or not clear enough.
    Stricter,
    /// The line is good and the key on it is a CA's, which does not log in itself.
    Authority,
}

use Is::{Authority, Empty, Expired, Refused, Stricter, Taken};

/// `{K}` is the key with its type, `{64}` its base64, `{R}` an RSA key, `{LONG}` 8 KiB of comment.
const CORPUS: &[(&str, Is)] = &[
    ("{K}", Taken),
    ("{K} user@host", Taken),
    ("{K} a comment with blanks and \"quotes", Taken),
    ("  \t{K}", Taken),
    ("{K}\r", Taken),
    ("ssh-ed25519\t{64}\tcomment", Taken),
    ("restrict {K}", Taken),
    ("restrict,pty {K}", Taken),
    ("RESTRICT,Pty,NO-x11-forwarding {K}", Taken),
    ("restrict\t{K}", Taken),
    ("restrict   {K}", Taken),
    ("no-pty,no-port-forwarding,no-agent-forwarding,no-X11-forwarding,no-user-rc {K}", Taken),
    ("agent-forwarding,port-forwarding,X11-forwarding,pty,user-rc {K}", Taken),
    ("command=\"/bin/true\" {K}", Taken),
    ("command=\"echo \\\"a b\\\"\" {K}", Taken),
    ("command=\"\" {K}", Taken),
    ("command=\"true a,b\",no-pty {K}", Taken),
    ("COMMAND=\"true\" {K}", Taken),
    ("command=\"true\\\\\" {K}", Refused),
    ("permitopen=\"localhost:80\" {K}", Taken),
    ("permitopen=\"localhost:*\" {K}", Taken),
    ("permitopen=\"[::1]:80\",permitopen=\"db:5432\" {K}", Taken),
    ("permitopen=\"localhost:65535\" {K}", Taken),
    ("permitlisten=\"8080\" {K}", Taken),
    ("permitlisten=\"localhost:8080\" {K}", Taken),
    ("permitlisten=\"*:*\" {K}", Taken),
    ("expiry-time=\"20991231\" {K}", Taken),
    ("expiry-time=\"209912312359\" {K}", Taken),
    ("expiry-time=\"20991231235959Z\" {K}", Taken),
    ("expiry-time=\"20200101Z\" {K}", Expired),
    ("expiry-time=\"20200101\" {K}", Expired),
    ("expiry-time=\"20200101\",expiry-time=\"20991231\" {K}", Expired),
    ("expiry-time=\"20991231\",expiry-time=\"20200101\" {K}", Expired),
    ("no-touch-required {K}", Taken),
    ("from=\"192.0.2.0/24,!192.0.2.7,*.example.com\" {K}", Taken),
    ("", Empty),
    ("   ", Empty),
    ("# {K}", Empty),
    ("  # {K}", Empty),
    ("frobnicate {K}", Refused),
    ("restrictt {K}", Refused),
    ("restrict,frobnicate {K}", Refused),
    ("restrict, {K}", Taken),
    (",restrict {K}", Taken),
    ("restrict,,pty {K}", Taken),
    ("restrict pty {K}", Refused),
    ("restrict=yes {K}", Refused),
    ("restrict=\"yes\" {K}", Refused),
    ("no-restrict {K}", Refused),
    ("no-command=\"true\" {K}", Refused),
    ("command {K}", Refused),
    ("command= {K}", Refused),
    ("command=true {K}", Refused),
    ("command='true' {K}", Refused),
    ("command=\"true {K}", Refused),
    ("command=\"true\"no-pty {K}", Refused),
    ("command=\"a\",command=\"b\" {K}", Refused),
    ("from=\"*\",from=\"*\" {K}", Refused),
    ("from=\"192.0.2.0/33\" {K}", Refused),
    ("from=\"192.0.2.0/8\" {K}", Refused),
    ("from= {K}", Refused),
    ("permitopen=\"localhost\" {K}", Refused),
    ("permitopen=\"localhost:0\" {K}", Refused),
    ("permitopen=\"localhost:65536\" {K}", Refused),
    ("permitopen=\"localhost:99999999999\" {K}", Refused),
    ("permitopen=\"localhost:-1\" {K}", Refused),
    ("permitopen=\":80\" {K}", Stricter),
    ("permitopen=\"80\" {K}", Refused),
    ("permitlisten=\"65536\" {K}", Refused),
    ("permitlisten=\"x\" {K}", Refused),
    ("expiry-time=\"tomorrow\" {K}", Refused),
    ("expiry-time=\"20991399\" {K}", Refused),
    ("expiry-time=20991231 {K}", Refused),
    ("environment=\"A=b\" {K}", Taken),
    ("environment=\"A=b\",environment=\"A=c\" {K}", Taken),
    ("environment=\"A\" {K}", Refused),
    ("environment=\"=b\" {K}", Refused),
    ("environment=\"A B=c\" {K}", Refused),
    ("tunnel=\"0\" {K}", Stricter),
    ("principals=\"ann\" {K}", Refused),
    ("verify-required {K}", Stricter),
    ("cert-authority {K}", Authority),
    ("cert-authority,principals=\"ann,bob\" {K}", Authority),
    ("principals=\"ann\",cert-authority,no-pty {K}", Authority),
    ("cert-authority,principals=\"\" {K}", Refused),
    ("cert-authority,principals=\"ann\",principals=\"bob\" {K}", Refused),
    ("cert-authority=\"yes\" {K}", Refused),
    ("ssh-ed25519", Refused),
    ("ssh-ed25519 ", Refused),
    ("ssh-ed25519 AAAA", Refused),
    ("ssh-ed25519 {64}AAAA", Refused),
    ("ssh-rsa {64}", Refused),
    ("ssh-dss {64}", Refused),
    ("SSH-ED25519 {64}", Refused),
    ("{64}", Refused),
    ("restrict", Refused),
    ("restrict ssh-ed25519", Refused),
    ("1024 35 1234567890", Refused),
    ("ssh-ed25519\u{a0}{64}", Refused),
    ("\u{feff}{K}", Refused),
    ("restrict\u{a0}{K}", Refused),
    ("{K} {LONG}", Stricter),
    ("{LONG} {K}", Refused),
];

fn fill(line: &str, base64: &str) -> String {
    line.replace("{K}", &format!("ssh-ed25519 {base64}"))
        .replace("{64}", base64)
        .replace("{LONG}", &"x".repeat(8 * 1024))
}

fn ed25519() -> String {
    let mut blob = Vec::new();
    blob.put_string("ssh-ed25519");
    blob.put_string([1; 32]);
    blob::encode(&blob)
}

const NOW: i64 = 1_795_240_805;

#[test]
fn a17_every_line_of_the_corpus_has_its_verdict() {
    assert!(CORPUS.len() >= 80, "{}", CORPUS.len());
    let mut failures = Vec::new();
    for (line, wanted) in CORPUS {
        let is = match Entry::parse(fill(line, &ed25519()).as_bytes(), 1) {
            Ok(None) => Empty,
            Ok(Some(entry)) if entry.options.expiry_time.is_some_and(|e| e.is_past(NOW, 0)) => Expired,
            Ok(Some(entry)) if entry.options.cert_authority => Authority,
            Ok(Some(_)) => Taken,
            Err(_) => Refused,
        };
        if is != *wanted && (is, *wanted) != (Refused, Stricter) {
            failures.push(format!("{line:?}: {is:?}, not {wanted:?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A server on standard input and output, and a login through it with the key in `id`.
fn peer_lets_in(folder: &Path, index: usize, line: &str) -> bool {
    let name = |what: &str| folder.join(format!("{what}{index}")).to_string_lossy().into_owned();
    let (conf, keys) = (name("conf"), name("keys"));
    std::fs::write(&keys, format!("{line}\n")).unwrap();
    let text = format!(
        "HostKey {0}/host\nPermitRootLogin yes\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
         KbdInteractiveAuthentication no\nAuthorizedKeysFile {keys}\nPidFile none\n",
        folder.display()
    );
    std::fs::write(&conf, text).unwrap();
    let sshd = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"].into_iter().find(|p| Path::new(p).exists()).unwrap();
    let status = Command::new("ssh")
        .args(["-F", "none", "-o", &format!("ProxyCommand={sshd} -i -f {conf} 2>/dev/null")])
        .args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "IdentitiesOnly=yes"])
        .args(["-o", "BatchMode=yes", "-o", &format!("IdentityFile={}/id", folder.display()), "here", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.unwrap().success()
}

#[test]
fn a17_real_logins_agree() {
    if !have("sshd") || !have("ssh") {
        return;
    }
    let run = Path::new("/run/sshd");
    if !run.exists() {
        let _ = std::fs::create_dir(run);
    }
    let folder = Folder::new("authorized-keys");
    for name in ["id", "host"] {
        let path = folder.path().join(name);
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path).status();
        assert!(made.unwrap().success());
    }
    let public = std::fs::read_to_string(folder.path().join("id.pub")).unwrap();
    let base64 = public.split(' ').nth(1).unwrap();
    if !peer_lets_in(folder.path(), 9_999, &fill("{K}", base64)) {
        // An account that is locked or has no shell cannot log in at all: nothing to compare.
        assert!(std::env::var_os("NACRE_WITHOUT_PEERS").is_some(), "this account cannot log in through sshd -i");
        return;
    }
    let failures = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for part in 0..4 {
            let (failures, folder) = (&failures, folder.path());
            scope.spawn(move || {
                for (index, (line, is)) in CORPUS.iter().enumerate().filter(|(index, _)| index % 4 == part) {
                    // There is no address on a pipe, so `from` is compared elsewhere.
                    if line.contains("from=") {
                        continue;
                    }
                    let theirs = peer_lets_in(folder, index, &fill(line, base64));
                    if theirs != matches!(is, Taken | Stricter) {
                        failures.lock().unwrap().push(format!("{line:?}: {is:?}, and the peer says {theirs}"));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a17_what_a_line_allows() {
    let of = |options: &str| KeyOptions::parse(options).unwrap();
    let all = KeyOptions::default();
    assert!(all.pty && all.port_forwarding && all.agent_forwarding && all.x11_forwarding && all.user_rc);
    let none = of("restrict");
    assert!(!(none.pty || none.port_forwarding || none.agent_forwarding || none.x11_forwarding || none.user_rc));
    let some = of("restrict,PTY,port-forwarding");
    assert!(some.pty && some.port_forwarding && !some.agent_forwarding);
    assert!(!of("pty,no-pty").pty && of("no-pty,pty").pty);
    assert_eq!(of("command=\"echo \\\"a\\\" \\\\ b\"").command.unwrap(), "echo \"a\" \\\\ b");
    let permits = of("permitopen=\"db:5432\",permitopen=\"[2001:db8::1]:*\",permitlisten=\"8080\"");
    assert_eq!(permits.permit_open[0].port, PermitPort::Only(5432));
    assert_eq!((permits.permit_open[1].host.as_str(), permits.permit_open[1].port), ("2001:db8::1", PermitPort::Any));
    assert_eq!(permits.permit_listen[0].host, "*");
    let said = KeyOptions::parse("comand=\"x\"").unwrap_err().to_string();
    assert_eq!(said, "unknown key option comand (did you mean command?)");
}

#[test]
fn a17_where_a_key_may_come_from() {
    let at = |from: &str, host: Option<&str>, address: &str| {
        KeyOptions::parse(&format!("from=\"{from}\"")).unwrap().permits_source(host, address.parse().unwrap())
    };
    assert!(at("192.0.2.0/24", None, "192.0.2.7"));
    assert!(at("192.0.2.0/24", None, "::ffff:192.0.2.7"));
    assert!(!at("192.0.2.0/24,!192.0.2.7", None, "192.0.2.7"));
    assert!(!at("!192.0.2.7,*", None, "192.0.2.7"));
    assert!(at("!192.0.2.7,*", None, "192.0.2.8"));
    assert!(!at("!192.0.2.7", None, "192.0.2.8"));
    assert!(at("*.example.com", Some("web.example.com"), "192.0.2.7"));
    assert!(!at("*.example.com", None, "192.0.2.7"));
    assert!(!at("*.example.com,!web.*", Some("Web.example.com"), "192.0.2.7"));
    assert!(at("2001:db8::/32", None, "2001:db8::5"));
    assert!(KeyOptions::default().permits_source(None, "192.0.2.7".parse().unwrap()));
}

#[test]
fn a17_a_long_line_or_file_gives_no_key() {
    let key = format!("ssh-ed25519 {}", ed25519());
    // What is behind 8 KiB is not a line of its own.
    let long = format!("# {}{key}\n{key}\n", "x".repeat(MAX_LINE));
    let keys = AuthorizedKeys::parse(long.as_bytes());
    assert_eq!((keys.entries.len(), keys.entries[0].line, keys.refused[0].line), (1, 2, 1));
    let huge = format!("{key}\n{}", "#\n".repeat(MAX_FILE / 2));
    let keys = AuthorizedKeys::parse(huge.as_bytes());
    assert!(keys.entries.is_empty() && keys.refused.len() == 1);
}

#[test]
fn a14_one_bad_line_does_not_hide_the_others() {
    let key = format!("ssh-ed25519 {}", ed25519());
    let text = format!("ssh-future AAAA\n\u{0}\n{key}\nfrob {key}\nrestrict {key} latin \u{e9}\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(b"ssh-ed25519 ");
    bytes.extend_from_slice(ed25519().as_bytes());
    bytes.extend_from_slice(b" comment in latin1 \xe9\n");
    let keys = AuthorizedKeys::parse(&bytes);
    assert_eq!(keys.entries.iter().map(|e| e.line).collect::<Vec<_>>(), [3, 5, 6]);
    assert_eq!(keys.refused.iter().map(|r| r.line).collect::<Vec<_>>(), [1, 2, 4]);
    assert!(keys.entries[1].options.restrict && !keys.entries[0].options.restrict);
    assert_eq!(keys.find(&keys.entries[0].blob.clone()).count(), 3);
}

#[test]
fn a17_security_keys() {
    let mut blob = Vec::new();
    blob.put_string("sk-ssh-ed25519@openssh.com");
    blob.put_string([1; 32]);
    blob.put_string("ssh:");
    let key = format!("sk-ssh-ed25519@openssh.com {}", blob::encode(&blob));
    let entry = Entry::parse(format!("verify-required,no-touch-required {key}").as_bytes(), 1).unwrap().unwrap();
    assert!(entry.options.verify_required && entry.options.no_touch_required);
}

#[test]
fn a17_no_bytes_can_hurt() {
    let sample =
        CORPUS.iter().map(|(line, _)| fill(&line.replace("{LONG}", "x"), &ed25519())).collect::<Vec<_>>().join("\n");
    let mut seed = 7_u64;
    for _ in 0..2_000 {
        let mut bytes = sample.clone().into_bytes();
        for _ in 0..8 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = (seed >> 33) as usize % bytes.len();
            match seed % 3 {
                0 => bytes[at] = (seed >> 20) as u8,
                1 => {
                    bytes.remove(at);
                }
                _ => bytes.insert(at, (seed >> 20) as u8),
            }
        }
        for entry in AuthorizedKeys::parse(&bytes).entries {
            assert_eq!(blob::decode(&entry.key_type, &blob::encode(&entry.blob)).unwrap(), entry.blob);
        }
    }
}
