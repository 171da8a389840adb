//! As root: who sessions are and what they have, and what the processes of a connection are and
//! have not (threat A18, promises P18 and P20).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/root.rs"]
mod root;
#[path = "common/serve.rs"]
mod serve;

use root::{ACCOUNTS, Family, GROUPS, NOBODY, Root, children, possible, status};
use serve::{Done, eventually, finish};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, Stdio};

fn server(lines: &str) -> Root {
    let lines = format!("PerSourcePenalties no\n{lines}");
    Root::start(Path::new(env!("CARGO_BIN_EXE_nacre")), &lines)
}

/// What a session says of itself.
const WHO: &str = "id -u; id -g; id -G; umask; pwd; grep -E '^(CapEff|CapPrm|CapInh|CapAmb|NoNewPrivs|Seccomp):' \
    /proc/self/status | tr -d '\\t'; for fd in /proc/$$/fd/*; do \
    [ -L \"$fd\" ] && printf '%s ' \"${fd##*/}\"; done; echo; ps -o tty= -p $$; env | sort";

fn check(done: &Done, name: &str, id: u32, home: &Path, terminal: bool) {
    assert_eq!(done.code, 0, "{}", done.err);
    let lines: Vec<&str> = done.out.lines().map(str::trim_end).collect();
    let own = id.to_string();
    assert_eq!((lines[0], lines[1]), (own.as_str(), own.as_str()), "{}", done.out);
    let mut groups: Vec<&str> = lines[2].split(' ').collect();
    groups.sort_unstable();
    let further: Vec<String> = GROUPS.iter().map(|(_, id)| id.to_string()).collect();
    let mut wanted = vec![own.as_str()];
    wanted.extend(further.iter().filter(|_| name == "carol").map(String::as_str));
    assert_eq!(groups, wanted, "the groups of {name}");
    assert_eq!(lines[3], "0022");
    assert_eq!(Path::new(lines[4]), home);
    let none = "0000000000000000";
    for (place, set) in ["CapInh", "CapPrm", "CapEff"].iter().enumerate() {
        assert_eq!(lines[5 + place], format!("{set}:{none}"));
    }
    assert_eq!(&lines[8..11], [&format!("CapAmb:{none}"), "NoNewPrivs:0", "Seccomp:0"]);
    // 255 and 10 are the shell's own.
    let inherited = lines[11].split(' ').filter(|fd| !["0", "1", "2", "10", "255", ""].contains(fd));
    assert_eq!(inherited.count(), 0, "descriptors {}", lines[11]);
    assert_eq!(lines[12].trim().starts_with("pts/"), terminal, "{}", lines[12]);
    let environment = &lines[13..];
    for line in
        [format!("HOME={}", home.display()), format!("USER={name}"), format!("LOGNAME={name}"), "SHELL=/bin/sh".into()]
    {
        assert!(environment.contains(&line.as_str()), "{line} is not in {environment:?}");
    }
    let known = [
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "PATH",
        "MAIL",
        "SSH_CLIENT",
        "SSH_CONNECTION",
        "SSH_TTY",
        "TERM",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
        "LANG",
        "TZ",
    ];
    for line in environment {
        let variable = line.split('=').next().unwrap();
        assert!(known.contains(&variable), "{line} in the environment");
    }
    assert_eq!(environment.iter().any(|line| line.starts_with("SSH_TTY=/dev/pts/")), terminal);
}

#[test]
fn a18_sessions_are_their_user_and_nothing_else() {
    if !possible() {
        return;
    }
    let server = server("UsePAM no\nAuthenticationMethods publickey password keyboard-interactive");
    for (name, id) in ACCOUNTS {
        let home = server.place.path(&format!("home-{name}"));
        check(&server.run(name, WHO), name, id, &home, false);
        let on_terminal = finish(server.ssh(name, &["-tt", "-o", "LogLevel=QUIET"]).arg(WHO), b"");
        check(&on_terminal, name, id, &home, true);
        for method in ["password", "keyboard-interactive"] {
            let method = format!("PreferredAuthentications={method}");
            let mut ssh = server.ssh_with_password(name, root::PASSWORD, &["-o", &method]);
            check(&finish(ssh.arg(WHO), b""), name, id, &home, false);
            let mut ssh = server.ssh_with_password(name, "fake and wrong", &["-o", &method]);
            assert_eq!(finish(ssh.arg(WHO), b"").code, 255, "{method}");
        }
    }
    assert_eq!(server.run("root", "true").code, 255, "PermitRootLogin no");
    assert_eq!(server.run("nobody-at-all", "true").code, 255);
}

/// Whether root may say here who logged in (/proc/PID/loginuid): a kernel may have none, or keep the one it has.
fn kernel_keeps_login_ids() -> bool {
    let probe = finish(common::program("sh").args(["-c", "echo 54401 >/proc/self/loginuid"]), b"");
    if probe.code != 0 {
        eprintln!("NOT TRIED: the login id cannot be set here: {}", probe.err.trim());
    }
    probe.code == 0
}

#[test]
fn a18_a_terminal_belongs_to_its_user_and_is_recorded() {
    if !possible() {
        return;
    }
    let server = server("");
    let script =
        "stat -c '%U %G %a' $(tty); cat /proc/$$/stat | cut -d' ' -f7; echo $(cat /proc/self/loginuid); exit 3";
    let done = finish(server.ssh("carol", &["-tt", "-o", "LogLevel=QUIET"]).arg(script), b"");
    assert_eq!(done.code, 3, "{}", done.out);
    let lines: Vec<&str> = done.out.lines().map(str::trim_end).collect();
    assert!(["carol tty 620", "carol tty 600", "carol carol 600"].contains(&lines[0]), "{}", lines[0]);
    assert_ne!(lines[1], "0", "no controlling terminal");
    if kernel_keeps_login_ids() {
        assert_eq!(lines[2], "54401", "the kernel's audit log would name somebody else");
    }
    let records = std::fs::read(server.place.path("wtmp")).unwrap();
    assert!(records.windows(5).any(|bytes| bytes == b"carol"), "wtmp has no record");
    let (mut client, _) = session(&server, &["-tt"]);
    let utmp = || std::fs::read(server.place.path("run/utmp")).unwrap().windows(5).any(|bytes| bytes == b"carol");
    eventually("a record of who is there", utmp);
    let _ = client.kill();
    let _ = client.wait();
    server.settles(0);
    assert!(std::fs::read(server.place.path("wtmp")).unwrap().len() > records.len());
}

/// A session of carol's that stays.
fn session(server: &Root, more: &[&str]) -> (Child, Family) {
    let mut ssh = server.ssh("carol", more);
    let client = ssh.arg("sleep 600").stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let mut family = Family::default();
    eventually("a session", || {
        family = server.new_family(&[]);
        family.helper.is_some_and(|helper| !children(helper).is_empty())
    });
    (client, family)
}

#[test]
fn p18_p20_the_processes_of_a_connection_have_no_right_too_many() {
    if !possible() {
        return;
    }
    let server = server("");
    let (mut client, family) = session(&server, &[]);
    let (net, helper) = (family.net.unwrap(), family.helper.unwrap());
    let four = |id: u32| [id.to_string(), id.to_string(), id.to_string(), id.to_string()].join(" ");
    assert_eq!((status(net, "Uid"), status(net, "Gid")), (four(NOBODY.1), four(NOBODY.1)));
    assert_eq!(status(net, "Groups"), "");
    assert_eq!((status(net, "Seccomp"), status(net, "NoNewPrivs")), ("2".into(), "1".into()));
    assert_eq!((status(helper, "Uid"), status(helper, "Gid")), (four(54_401), four(54_401)));
    for pid in [net, helper] {
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(status(pid, set), "0000000000000000", "{set}");
        }
        // Not dumpable: its files in /proc belong to root, so the user cannot look in.
        let owner =
            std::fs::metadata(format!("/proc/{pid}/mem")).map(|file| std::os::unix::fs::MetadataExt::uid(&file));
        assert_eq!(owner.unwrap(), 0);
        let done =
            server.run("carol", &format!("cat /proc/{pid}/mem; head -c 1 /proc/{pid}/environ; ls /proc/{pid}/fd"));
        assert!(done.code != 0 && done.out.is_empty(), "{done:?}");
    }
    assert_eq!(std::fs::read_dir(format!("/proc/{net}/root")).unwrap().count(), 0, "its root is not empty");
    assert_eq!(std::fs::read(format!("/proc/{net}/environ")).unwrap(), b"");
    let _ = client.kill();
    let _ = client.wait();
}

/// Whether a process's memory holds these bytes.
fn holds(pid: u32, wanted: &[u8]) -> bool {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let mut memory = std::fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut read = 0;
    let mut found = false;
    for line in maps.lines().filter(|line| line.contains(" r") && !line.contains("[v")) {
        let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let [from, to] = [from, to].map(|hex| u64::from_str_radix(hex, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
        if memory.seek(SeekFrom::Start(from)).is_err() || memory.read_exact(&mut bytes).is_err() {
            continue;
        }
        read += bytes.len();
        found |= bytes.windows(wanted.len()).any(|window| window == wanted);
    }
    assert!(read > 1_000_000, "only {read} bytes of {pid} could be read");
    found
}

#[test]
fn p18_the_host_key_is_in_no_process_that_parses_or_runs_as_a_user() {
    if !possible() {
        return;
    }
    let server = server("");
    let (mut client, family) = session(&server, &[]);
    // The 32 bytes of an Ed25519 key's seed stand behind the last occurrence of its public half's length.
    let pem = std::fs::read(server.place.path("host")).unwrap();
    let key = nacre_crypto::PrivateKey::read(&pem, None).unwrap();
    let form = key.dangerous_agent_form();
    let public = &key.public_blob()[key.public_blob().len() - 32..];
    let at = form.windows(32).rposition(|window| window == public).unwrap();
    let seed = form[at - 32..at].to_vec();
    assert!(holds(family.monitor, &seed) && holds(server.pid(), &seed), "the search does not find what is there");
    assert!(!holds(family.net.unwrap(), &seed), "the net process holds the host key");
    assert!(!holds(family.helper.unwrap(), &seed), "the helper holds the host key");
    let _ = client.kill();
    let _ = client.wait();
}

#[test]
fn a18_a_code_is_wanted_after_a_key_where_one_is_enrolled() {
    if !possible() {
        return;
    }
    let server = server("");
    let mut store = nacre::passwd::store::Store::open(server.place.path("state/passwd")).unwrap();
    let secret = nacre_proto::crypto::SecretBytes::new(serve::SECRET.to_vec());
    store.set_totp("carol", Some(secret), None).unwrap();
    let key = server.place.path("id").display().to_string();
    let with = |answer: &str| {
        let mut ssh = server.ssh_answering("carol", answer, &["-o", "PubkeyAuthentication=yes", "-i", &key]);
        finish(ssh.arg("id -un"), b"")
    };
    assert_ne!(with("000000").code, 0);
    let done = with(&serve::code_now());
    assert_eq!((done.code, done.out.as_str()), (0, "carol\n"), "{}{}", done.err, server.log());
}
