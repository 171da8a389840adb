//! What `nacre ssh` makes of the command lines that people and other programs write.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use nacre::cli::setting::Setting;
use nacre::cli::ssh::{ForwardKind, SshAction, SshArgs};
use nacre::cli::{Invocation, parse};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

fn ssh(line: &[&str]) -> SshArgs {
    let words = std::iter::once("/usr/bin/ssh").chain(line.iter().copied());
    match parse(words.map(OsString::from).collect()) {
        Ok(Invocation::Ssh(args)) => *args,
        other => panic!("{line:?} became {other:?}"),
    }
}

fn refused(line: &[&str]) -> String {
    let words = std::iter::once("ssh").chain(line.iter().copied());
    let failure = parse(words.map(OsString::from).collect()).expect_err(&format!("{line:?} was accepted"));
    assert_eq!(failure.exit_code(), 255, "{line:?}");
    assert!(!failure.message().contains('\n'), "{line:?}: {}", failure.message());
    failure.message().to_owned()
}

/// The settings as `-o` lines are kept and other flags as `keyword value`.
fn settings(args: &SshArgs) -> Vec<String> {
    let show = |setting: &Setting| match setting {
        Setting::Line(line) => line.clone(),
        Setting::Value { keyword, argument, .. } => format!("{keyword} {argument}"),
    };
    args.settings.iter().map(show).collect()
}

fn host(args: &SshArgs) -> &str {
    &args.destination.as_ref().unwrap().host
}

fn command(args: &SshArgs) -> String {
    String::from_utf8(args.command_bytes().unwrap_or_default()).unwrap()
}

/// Host, settings and command in one go.
#[track_caller]
fn check(line: &[&str], want_host: &str, want_settings: &[&str], want_command: &str) -> SshArgs {
    let args = ssh(line);
    assert_eq!(host(&args), want_host, "{line:?}");
    assert_eq!(settings(&args), want_settings, "{line:?}");
    assert_eq!(command(&args), want_command, "{line:?}");
    assert_eq!(args.action, SshAction::Connect, "{line:?}");
    args
}

#[test]
fn plain_destinations() {
    check(&["h"], "h", &[], "");
    check(&["u@h"], "h", &["User u"], "");
    check(&["ssh://u@h:2222"], "h", &["User u", "Port 2222"], "");
    check(&["ssh://[::1]:22/", "uptime"], "::1", &["Port 22"], "uptime");
    check(&["::1"], "::1", &[], "");
}

#[test]
fn the_first_of_flag_option_and_destination_wins_by_standing_first() {
    check(&["-p", "22", "-oPort=23", "h"], "h", &["Port 22", "Port=23"], "");
    check(&["-oPort=23", "-p22", "h"], "h", &["Port=23", "Port 22"], "");
    check(&["-l", "a", "b@h", "-l", "c"], "h", &["User a", "User b", "User c"], "");
    check(&["b@h", "-l", "c"], "h", &["User b", "User c"], "");
    check(&["-p", "1", "ssh://h:2"], "h", &["Port 1", "Port 2"], "");
}

#[test]
fn clusters_and_values_as_getopt_reads_them() {
    check(&["-tt", "h"], "h", &["RequestTTY force"], "");
    check(&["-vvv", "h"], "h", &["LogLevel DEBUG3"], "");
    check(&["-vvvvv", "h"], "h", &["LogLevel DEBUG3"], "");
    check(&["-4Nnp22", "h"], "h", &["AddressFamily inet", "SessionType none", "StdinNull yes", "Port 22"], "");
    check(&["-oFoo=bar", "-o", "Foo bar", "-oFoo bar", "h"], "h", &["Foo=bar", "Foo bar", "Foo bar"], "");
    check(&["-o", "ProxyCommand=-x", "-i", "-key", "h"], "h", &["ProxyCommand=-x", "IdentityFile -key"], "");
    check(&["-e^]", "h"], "h", &["EscapeChar ^]"], "");
    check(&["-e", "none", "h"], "h", &["EscapeChar none"], "");
    check(
        &["-c", "aes256-ctr", "-maes", "-b", "::1", "h"],
        "h",
        &["Ciphers aes256-ctr", "MACs aes", "BindAddress ::1"],
        "",
    );
}

#[test]
fn flags_that_overrule_let_the_last_one_win() {
    check(&["-t", "-T", "h"], "h", &["RequestTTY no"], "");
    check(&["-T", "-t", "h"], "h", &["RequestTTY yes"], "");
    check(&["-t", "-T", "-t", "h"], "h", &["RequestTTY yes"], "");
    check(&["-4", "-6", "h"], "h", &["AddressFamily inet6"], "");
    check(&["-v", "-q", "h"], "h", &["LogLevel QUIET"], "");
    check(&["-oRequestTTY=force", "-T", "h"], "h", &["RequestTTY no", "RequestTTY=force"], "");
    check(&["-f", "h", "sleep 1"], "h", &["ForkAfterAuthentication yes", "StdinNull yes"], "sleep 1");
    check(&["-A", "-a", "-x", "h"], "h", &["ForwardAgent no", "ForwardX11 no"], "");
    check(&["-MM", "-S", "none", "h"], "h", &["ControlMaster ask", "ControlPath none"], "");
    check(
        &["-C", "-g", "-J", "hop", "-P", "tag", "h"],
        "h",
        &["Compression yes", "GatewayPorts yes", "ProxyJump hop", "Tag tag"],
        "",
    );
}

#[test]
fn options_follow_the_host_and_end_at_the_command() {
    check(&["h", "-p", "22", "ls", "-l", "-p", "3"], "h", &["Port 22"], "ls -l -p 3");
    check(&["h", "-T", "ls"], "h", &["RequestTTY no"], "ls");
    check(&["h", "ls", "--", "-v"], "h", &[], "ls -- -v");
    check(&["h", "--", "-v"], "h", &[], "-v");
    check(&["--", "h", "-v", "--help"], "h", &[], "-v --help");
    check(&["h", "", "x"], "h", &[], " x");
    check(&["h", "echo  two  spaces", "'q'"], "h", &[], "echo  two  spaces 'q'");
}

#[test]
fn commands_are_bytes() {
    let words = [&b"ssh"[..], b"h", b"cat", b"\xff\xfe"].map(|w| OsString::from_vec(w.to_vec()));
    let Ok(Invocation::Ssh(args)) = parse(words.to_vec()) else { panic!() };
    assert_eq!(args.command_bytes().unwrap(), b"cat \xff\xfe");
    assert_eq!(ssh(&["h"]).command_bytes(), None);
}

#[test]
fn git_calls() {
    let line = ["-o", "SendEnv=GIT_PROTOCOL", "git@example.org", "git-upload-pack 'a/b.git'"];
    check(&line, "example.org", &["SendEnv=GIT_PROTOCOL", "User git"], "git-upload-pack 'a/b.git'");
    let line = ["-p", "2222", "-4", "git@h", "git-receive-pack '/x y'"];
    check(&line, "h", &["AddressFamily inet", "Port 2222", "User git"], "git-receive-pack '/x y'");
    let probe = ssh(&["-G", "-p", "2222", "git@h"]);
    assert_eq!(probe.action, SshAction::PrintConfig { why: false });
    assert_eq!(host(&probe), "h");
}

#[test]
fn rsync_calls() {
    let line = ["-l", "me", "-6", "h", "rsync", "--server", "--sender", "-vlogDtpre.iLsfxCIvu", ".", "src/"];
    let want = "rsync --server --sender -vlogDtpre.iLsfxCIvu . src/";
    check(&line, "h", &["AddressFamily inet6", "User me"], want);
}

#[test]
fn scp_and_sftp_calls() {
    let line = [
        "-x",
        "-oPermitLocalCommand=no",
        "-oClearAllForwardings=yes",
        "-oRemoteCommand=none",
        "-oRequestTTY=no",
        "-oControlMaster=no",
        "-oForwardAgent=no",
        "-v",
        "-p",
        "22",
        "-l",
        "u",
        "-s",
        "--",
        "h",
        "sftp",
    ];
    let args = ssh(&line);
    assert_eq!(host(&args), "h");
    assert_eq!(command(&args), "sftp");
    let all = settings(&args);
    assert_eq!(all[..3], ["ForwardX11 no", "LogLevel DEBUG1", "SessionType subsystem"]);
    assert!(all.contains(&"Port 22".to_owned()) && all.contains(&"User u".to_owned()));
    let line =
        ["-oForwardX11 no", "-oClearAllForwardings yes", "-oPort 22", "-obatchmode yes", "-s", "--", "h", "sftp"];
    let args = ssh(&line);
    assert!(settings(&args).contains(&"Port 22".to_owned()));
    check(&["h", "scp", "-t", "-r", "dir"], "h", &[], "scp -t -r dir");
}

#[test]
fn ansible_calls() {
    let line = [
        "-C",
        "-o",
        "ControlMaster=auto",
        "-o",
        "ControlPersist=60s",
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "Port=22",
        "-o",
        "IdentityFile=\"/k\"",
        "-o",
        "KbdInteractiveAuthentication=no",
        "-o",
        "PreferredAuthentications=gssapi-with-mic,gssapi-keyex,hostbased,publickey",
        "-o",
        "PasswordAuthentication=no",
        "-o",
        "User=\"me\"",
        "-o",
        "ConnectTimeout=10",
        "-o",
        "ControlPath=\"/c/x\"",
        "-tt",
        "-vvv",
        "h",
        "/bin/sh -c 'echo ~ && sleep 0'",
    ];
    let args = ssh(&line);
    assert_eq!(settings(&args)[..3], ["Compression yes", "RequestTTY force", "LogLevel DEBUG3"]);
    assert!(settings(&args).contains(&"IdentityFile=\"/k\"".to_owned()));
    assert_eq!(command(&args), "/bin/sh -c 'echo ~ && sleep 0'");
}

#[test]
fn sshfs_and_vscode_and_mosh_calls() {
    let line = ["-x", "-a", "-oClearAllForwardings=yes", "-F", "/f", "-oPort=22", "-2", "u@h", "-s", "sftp"];
    let args = ssh(&line);
    assert_eq!(args.config_file.as_deref(), Some(std::path::Path::new("/f")));
    assert_eq!(settings(&args)[..3], ["ForwardX11 no", "ForwardAgent no", "SessionType subsystem"]);
    assert_eq!(command(&args), "sftp");

    let args = ssh(&["-T", "-D", "41234", "-o", "ClearAllForwardings=true", "h", "bash"]);
    assert_eq!(args.forwards.len(), 1);
    assert_eq!((args.forwards[0].kind, args.forwards[0].spec.as_str()), (ForwardKind::Dynamic, "41234"));
    assert_eq!(command(&args), "bash");

    let line = [
        "-n",
        "-tt",
        "-4",
        "-S",
        "none",
        "-o",
        "ProxyCommand=mosh --fake-proxy -- %h %p",
        "h",
        "--",
        "mosh-server",
        "new",
    ];
    let args = ssh(&line);
    assert_eq!(command(&args), "mosh-server new");
    assert_eq!(settings(&args)[..4], ["StdinNull yes", "RequestTTY force", "AddressFamily inet", "ControlPath none"]);
}

#[test]
fn forwards_keep_their_order() {
    let args = ssh(&["-L", "1:a:2", "-R3:b:4", "-D", "5", "-W", "c:6", "-w", "0:1", "-N", "h"]);
    let forwards: Vec<_> = args.forwards.iter().map(|f| (f.kind, f.spec.as_str())).collect();
    let want = [(ForwardKind::Local, "1:a:2"), (ForwardKind::Remote, "3:b:4"), (ForwardKind::Dynamic, "5")];
    assert_eq!(forwards, want);
    assert_eq!(args.stdio_forward.map(|to| to.to_string()).as_deref(), Some("[c]:6"));
    assert_eq!(args.tunnel.as_deref(), Some("0:1"));
}

#[test]
fn flags_become_lines_that_the_configuration_reads_back() {
    use nacre_config::client::{Forward, Keyword};
    use nacre_config::kind::Keyword as _;
    use nacre_config::token;
    let every = [
        "-4",
        "-A",
        "-B",
        "lo",
        "-b",
        "::1",
        "-C",
        "-c",
        "x",
        "-e",
        "^]",
        "-f",
        "-g",
        "-I",
        "p",
        "-i",
        "my \"key\"",
        "-J",
        "j",
        "-K",
        "-k",
        "-l",
        r"DOMAIN\me",
        "-M",
        "-m",
        "x",
        "-N",
        "-n",
        "-P",
        "t",
        "-p",
        "22",
        "-q",
        "-S",
        "s",
        "-t",
        "-X",
        "-Y",
        "-o",
        "Foo bar",
    ];
    let args = ssh(&[&every[..], &["h"]].concat());
    for setting in &args.settings {
        if let Setting::Value { flag, keyword, .. } = setting {
            assert!(Keyword::find(keyword).is_some(), "{flag} stands for {keyword}, which nobody knows");
        }
    }
    let lines = args.option_lines();
    assert!(lines.contains(&"Foo bar".to_owned()) && lines.contains(&"User \"DOMAIN\\\\me\"".to_owned()), "{lines:?}");
    for (flag, spec) in [
        ("-L", "8080:example.org:80"),
        ("-L", "[::1]:8080:[2001:db8::1]:80"),
        ("-L", "*:8080:h:80"),
        ("-L", "/tmp/a b:/tmp/c"),
        ("-R", "3:b:4"),
        ("-R", "1080"),
        ("-D", "localhost:1080"),
        ("-D", "5"),
    ] {
        let args = ssh(&[flag, spec, "h"]);
        let line = args.option_lines().pop().unwrap();
        let words = token::words(line.split_once(' ').unwrap().1, false).unwrap();
        let read = Forward::parse(&words.join(":"), args.forwards[0].kind);
        assert_eq!(read, Forward::parse(spec, args.forwards[0].kind), "{line}");
    }
    assert_eq!(refused(&["-L", "1", "h"]), "ssh: bad local forwarding specification '1'");
    assert_eq!(refused(&["-D", "x", "h"]), "ssh: bad dynamic forwarding specification 'x'");
}

#[test]
fn other_actions() {
    assert_eq!(ssh(&["-V"]).action, SshAction::Version);
    assert_eq!(ssh(&["-Q", "kex"]).action, SshAction::Query("kex".into()));
    assert_eq!(ssh(&["-Qcipher"]).action, SshAction::Query("cipher".into()));
    assert_eq!(ssh(&["-O", "exit", "h"]).action, SshAction::Control("exit".into()));
    assert_eq!(ssh(&["-G", "--why", "h"]).action, SshAction::PrintConfig { why: true });
    assert_eq!(ssh(&["h", "-G"]).action, SshAction::PrintConfig { why: false });
    let args = ssh(&["-E", "log", "-y", "h"]);
    assert_eq!(args.log_file.as_deref(), Some(std::path::Path::new("log")));
    assert!(args.to_syslog);
    let Ok(Invocation::Help(_)) = parse(["ssh", "--help"].map(OsString::from).to_vec()) else { panic!() };
    let Ok(Invocation::Ssh(same)) = parse(["nacre", "ssh", "-V"].map(OsString::from).to_vec()) else { panic!() };
    assert_eq!(same.action, SshAction::Version);
}

#[test]
fn mistakes_exit_255_with_one_line() {
    assert_eq!(refused(&[]), "ssh: <DESTINATION> is missing");
    assert_eq!(refused(&["-Z", "h"]), "ssh: unknown option -Z");
    assert_eq!(refused(&["h", "-p"]), "ssh: -p needs a value");
    assert_eq!(refused(&["-p", "0", "h"]), "ssh: bad port '0'");
    assert_eq!(refused(&["-p", "x", "h"]), "ssh: bad port 'x'");
    assert_eq!(refused(&["-p", "65536", "h"]), "ssh: bad port '65536'");
    assert_eq!(refused(&["--why=1", "h"]), "ssh: --why takes no value");
    assert_eq!(refused(&["-1", "h"]), "ssh: SSH protocol version 1 is not supported");
    assert_eq!(refused(&["-e", "ab", "h"]), "ssh: bad escape character 'ab'");
    assert_eq!(refused(&["-N", "-s", "h", "x"]), "ssh: -N and -s cannot be used together");
    assert_eq!(refused(&["-s", "h"]), "ssh: -s needs the name of a subsystem after the host");
    assert!(refused(&["--why", "h"]).contains("-G"));
}

#[test]
fn a15_names_that_look_like_options_or_shell_text_are_refused() {
    for line in [
        &["--", "-oProxyCommand=id"][..],
        &["-l", "-froot", "h"],
        &["u;id@h"],
        &["$(id)"],
        &["a\nb"],
        &["@h"],
        &["-J", "$(id)", "h"],
        &["-J", "a,`id`@b", "h"],
    ] {
        refused(line);
    }
}
