//! What `nacre serve`, `nacre keygen` and the rest make of their command lines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use nacre::cli::explain::Source;
use nacre::cli::keygen::{FingerprintHash, KeyType, KeygenAction, KeygenArgs};
use nacre::cli::passwd::{PasswdAction, TotpChange};
use nacre::cli::serve::{ServeAction, ServeArgs};
use nacre::cli::setting::Setting;
use nacre::cli::{Invocation, parse};
use std::ffi::OsString;
use std::path::Path;

fn call(line: &[&str]) -> Result<Invocation, nacre::failure::Failure> {
    parse(line.iter().map(OsString::from).collect())
}

fn serve(line: &[&str]) -> ServeArgs {
    match call(line) {
        Ok(Invocation::Serve(args)) => *args,
        other => panic!("{line:?} became {other:?}"),
    }
}

fn keygen(line: &[&str]) -> KeygenArgs {
    let line: Vec<&str> = std::iter::once("ssh-keygen").chain(line.iter().copied()).collect();
    match call(&line) {
        Ok(Invocation::Keygen(args)) => *args,
        other => panic!("{line:?} became {other:?}"),
    }
}

#[track_caller]
fn refused(line: &[&str], code: u8) -> String {
    let failure = call(line).expect_err("accepted");
    assert_eq!(failure.exit_code(), code, "{line:?}");
    failure.message().to_owned()
}

fn values(args: &ServeArgs) -> Vec<String> {
    let show = |setting: &Setting| match setting {
        Setting::Line(line) => line.clone(),
        Setting::Value { keyword, argument, .. } => format!("{keyword} {argument}"),
    };
    args.settings.iter().map(show).collect()
}

#[test]
fn sshd_flags() {
    let line =
        ["/usr/sbin/sshd", "-D", "-e", "-f", "/c", "-p22", "-p", "23", "-h", "k1", "-hk2", "-oUsePAM=no", "-g", "30"];
    let args = serve(&line);
    assert!(args.as_sshd && args.foreground && args.log_to_stderr);
    assert_eq!(args.config_file.as_deref(), Some(Path::new("/c")));
    let want = ["Port 22", "Port 23", "HostKey k1", "HostKey k2", "UsePAM=no", "LoginGraceTime 30"];
    assert_eq!(values(&args), want);
    assert_eq!(args.action, ServeAction::Serve);
}

#[test]
fn our_own_flags() {
    let args = serve(&["nacre", "serve", "--user-mode", "--state=/s", "--listen", "[::1]:2", "-ddd"]);
    assert!(!args.as_sshd && args.user_mode && args.foreground);
    assert_eq!(args.debug, 3);
    assert_eq!(args.state.as_deref(), Some(Path::new("/s")));
    assert_eq!(values(&args), ["LogLevel DEBUG3", "ListenAddress [::1]:2"]);
    let args = serve(&["sshd", "-i", "-q", "-E", "/l", "-4", "-u0", "-r", "-Q", "-k5", "-b", "9"]);
    assert!(args.inetd && !args.foreground);
    assert_eq!(args.log_file.as_deref(), Some(Path::new("/l")));
    assert_eq!(values(&args), ["LogLevel QUIET", "AddressFamily inet", "UseDNS no"]);
}

#[test]
fn checks_that_do_not_serve() {
    assert_eq!(serve(&["sshd", "-t"]).action, ServeAction::Test);
    assert_eq!(serve(&["sshd", "-V"]).action, ServeAction::Version);
    let print = ServeAction::PrintConfig { check_keys: false, connection: None, why: false };
    assert_eq!(serve(&["sshd", "-G"]).action, print);
    let args = serve(&[
        "sshd",
        "-T",
        "--why",
        "-C",
        "user=u,addr=::1,lport=22",
        "-C",
        "host=h,laddr=a,rdomain=r,invalid-user",
    ]);
    let ServeAction::PrintConfig { check_keys: true, connection: Some(c), why: true } = args.action else { panic!() };
    let text = |t: &str| Some(t.to_owned());
    assert_eq!((c.user, c.address, c.local_port), (text("u"), text("::1"), Some(22)));
    assert_eq!((c.host, c.local_address, c.rdomain, c.invalid_user), (text("h"), text("a"), text("r"), true));
}

#[test]
fn serve_mistakes() {
    assert_eq!(refused(&["sshd", "extra"], 2), "serve: 'extra' is one word too many");
    assert_eq!(refused(&["sshd", "-p", "0"], 2), "serve: bad port '0'");
    assert_eq!(refused(&["sshd", "-C", "user=x"], 2), "serve: -C means something only with -T or -G");
    assert_eq!(refused(&["sshd", "--why"], 2), "serve: --why means something only with -T or -G");
    assert_eq!(refused(&["sshd", "-T", "-C", "x=y"], 2), "serve: -C: unknown word 'x'");
    assert_eq!(refused(&["sshd", "-T", "-C", "lport=0"], 2), "serve: -C: bad port '0'");
}

#[test]
fn keygen_makes() {
    let created = |line: &[&str]| match keygen(line).action {
        KeygenAction::Create(kind) => kind,
        other => panic!("{other:?}"),
    };
    assert_eq!(created(&[]), KeyType::Ed25519);
    assert_eq!(created(&["-t", "ed25519", "-b", "4096"]), KeyType::Ed25519);
    assert_eq!(created(&["-trsa"]), KeyType::Rsa(3072));
    assert_eq!(created(&["-t", "rsa", "-b4096"]), KeyType::Rsa(4096));
    assert_eq!(created(&["-b", "521", "-t", "ecdsa"]), KeyType::EcdsaNistp521);
    assert_eq!(created(&["-t", "ecdsa"]), KeyType::EcdsaNistp256);
    assert_eq!(created(&["-t", "ecdsa-sha2-nistp384"]), KeyType::EcdsaNistp384);
    let args = keygen(&["-qN", "", "-C", "=c", "-f", "k", "-a", "16", "-P", "-x"]);
    assert!(args.quiet);
    assert_eq!(args.new_passphrase.as_deref(), Some(""));
    assert_eq!(args.comment.as_deref(), Some("=c"));
    assert_eq!(args.old_passphrase.as_deref(), Some("-x"));
    assert_eq!(args.rounds, Some(16));
    assert_eq!(args.file.as_deref(), Some(Path::new("k")));
}

#[test]
fn keygen_shows_and_changes() {
    let args = keygen(&["-lvE", "md5", "-f", "k"]);
    assert_eq!((args.action, args.verbose, args.fingerprint), (KeygenAction::Fingerprint, true, FingerprintHash::Md5));
    assert_eq!(keygen(&["-y"]).action, KeygenAction::Public);
    assert_eq!(keygen(&["-p"]).action, KeygenAction::ChangePassphrase);
    assert_eq!(keygen(&["-c", "-C", "x"]).action, KeygenAction::ChangeComment);
    let find = |fingerprints| KeygenAction::FindHost { host: "[h]:2".into(), fingerprints, hashed: false };
    assert_eq!(keygen(&["-F", "[h]:2"]).action, find(false));
    assert_eq!(keygen(&["-lF[h]:2"]).action, find(true));
    assert_eq!(keygen(&["-R", "h"]).action, KeygenAction::RemoveHost("h".into()));
    assert_eq!(keygen(&["-H"]).action, KeygenAction::HashHosts);
}

#[test]
fn keygen_mistakes_exit_1() {
    for (line, want) in [
        (&["ssh-keygen", "-t", "dsa"][..], "keygen: dsa keys are broken and are not made; use ed25519"),
        (&["ssh-keygen", "-t", "x"], "keygen: unknown key type 'x': ed25519, ecdsa and rsa can be made"),
        (
            &["ssh-keygen", "-t", "rsa", "-b", "1024"],
            "keygen: an rsa key is made with 2048, 3072, 4096 or 8192 bits, not 1024",
        ),
        (&["ssh-keygen", "-t", "ecdsa", "-b", "1"], "keygen: an ecdsa key has 256, 384 or 521 bits, not 1"),
        (&["ssh-keygen", "-E", "sha1", "-l"], "keygen: unknown hash 'sha1': sha256 and md5 are known"),
        (&["ssh-keygen", "-y", "-p"], "keygen: -y and -p cannot be used together"),
        (&["ssh-keygen", "-l", "-R", "h"], "keygen: -R and -l cannot be used together"),
        (&["ssh-keygen", "-a", "0"], "keygen: -a needs a number, not '0'"),
        (&["ssh-keygen", "-N"], "keygen: -N needs a value"),
        (&["ssh-keygen", "file"], "keygen: 'file' is one word too many"),
        (&["ssh-keygen", "-W"], "keygen: unknown option -W"),
        (&["ssh-keygen", "-D", "x"], "keygen: -D: PKCS#11 tokens are not supported"),
        (&["ssh-keygen", "-m", "x"], "keygen: -m x: RFC4716, PKCS8 and PEM are known"),
        (&["ssh-keygen", "-g"], "keygen: -g stands with -r only"),
        (
            &["ssh-keygen", "-t", "ed25519-sk"],
            "keygen: security keys (FIDO) are not made or read; they can log in, and sign elsewhere",
        ),
    ] {
        assert_eq!(refused(line, 1), want);
    }
}

#[test]
fn passwd_and_the_rest() {
    let passwd = |line: &[&str]| match call(&[&["nacre", "passwd"], line].concat()) {
        Ok(Invocation::Passwd(args)) => args.action,
        other => panic!("{line:?} became {other:?}"),
    };
    assert_eq!(passwd(&["--list"]), PasswdAction::List);
    assert_eq!(passwd(&["u", "--remove"]), PasswdAction::Remove("u".into()));
    let set =
        |stdin, no_password, totp| PasswdAction::Set { name: "u".into(), stdin, no_password, expire: false, totp };
    assert_eq!(passwd(&["u"]), set(false, false, TotpChange::Keep));
    assert_eq!(passwd(&["--stdin", "u", "--totp"]), set(true, false, TotpChange::Enrol));
    assert_eq!(passwd(&["u", "--no-password", "--no-totp"]), set(false, true, TotpChange::Drop));
    refused(&["nacre", "passwd", "u", "--remove", "--totp"], 2);
    refused(&["nacre", "passwd", "--list", "u"], 2);
    assert_eq!(refused(&["nacre", "passwd"], 2), "passwd: <NAME> is missing");
    assert!(matches!(call(&["nacre", "try", "--keep"]), Ok(Invocation::Try(args)) if args.keep));
    let Ok(Invocation::Explain(args)) = call(&["nacre", "explain", "u@h", "--json", "-p22"]) else { panic!() };
    assert!(args.json && args.settings.len() == 2);
    assert!(matches!(&args.source, Source::Host(destination) if destination.host == "h"));
    assert!(matches!(call(&["nacre"]), Ok(Invocation::Text(text)) if text.contains("nacre try")));
}

#[test]
fn a_mistyped_word_is_told_the_nearest() {
    let hint = |line: &[&str]| call(line).unwrap_err().hint_text().unwrap().to_owned();
    assert_eq!(hint(&["nacre", "keygn"]), "did you mean `keygen`?");
    assert_eq!(hint(&["nacre", "serve", "--user-mod"]), "did you mean `--user-mode`?");
    assert_eq!(hint(&["nacre", "passwd", "--stdn", "u"]), "did you mean `--stdin`?");
}
