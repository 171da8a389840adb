//! As root: the SFTP server that is built in is the account's, with its groups and nothing else (threat A18).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/root.rs"]
mod root;
#[path = "common/serve.rs"]
mod serve;

use root::{ACCOUNTS, GROUPS, Root, argv0, below, possible, sftp, status};
use serve::{eventually, is_alive};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Stdio;

fn server(lines: &str) -> Root {
    Root::start(Path::new(env!("CARGO_BIN_EXE_nacre")), &format!("PerSourcePenalties no\n{lines}"))
}

fn worker(server: &Root) -> Option<u32> {
    below(server.pid()).into_iter().find(|pid| argv0(*pid) == "sftp-server")
}

#[test]
fn a18_files_are_the_accounts_own_and_others_stay_closed() {
    if !possible() {
        return;
    }
    let server = server("");
    server.place.write("small", "content");
    let home = server.place.path("home-carol");
    let (singers, secret) = (server.place.path("singers"), server.place.path("secret"));
    for (folder, group, mode) in [(&singers, GROUPS[0].1, 0o2770), (&secret, 0, 0o700)] {
        fs::create_dir(folder).unwrap();
        chown(folder, Some(0), Some(group)).unwrap();
        fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
    }
    let (small, song) = (server.place.path("small"), singers.join("song"));
    let done = sftp(
        &server,
        "carol",
        &format!(
            "pwd\nput {0} new\nmkdir sub\nput {0} {1}\n-put {0} {2}/x\n-ls {2}\n-get /etc/shadow {3}\n-chown 0 new\n",
            small.display(),
            song.display(),
            secret.display(),
            server.place.path("stolen").display(),
        ),
    );
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.out.contains(&format!("Remote working directory: {}", home.display())), "{}", done.out);
    let id = ACCOUNTS[0].1;
    for name in ["new", "sub"] {
        let meta = fs::metadata(home.join(name)).unwrap();
        assert_eq!((meta.uid(), meta.gid()), (id, id), "{name}");
    }
    // Her further groups count too.
    let meta = fs::metadata(&song).unwrap();
    assert_eq!((meta.uid(), meta.gid()), (id, GROUPS[0].1));
    assert!(done.err.matches("ermission denied").count() >= 3, "{}", done.err);
    assert_eq!(fs::read_dir(&secret).unwrap().count(), 0);
    assert!(fs::read(server.place.path("stolen")).unwrap_or_default().is_empty());
    // He is in none of them.
    let refused = sftp(&server, "dave", &format!("put {} {}\n", small.display(), singers.join("noise").display()));
    assert!(refused.code == 1 && !singers.join("noise").exists(), "{refused:?}");
}

#[test]
fn a18_the_worker_is_the_account_and_has_nothing_of_the_server() {
    if !possible() {
        return;
    }
    let server = server("");
    let mut ssh = server.ssh("carol", &["-s"]);
    let mut child = ssh.arg("sftp").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    eventually("a worker", || worker(&server).is_some());
    let pid = worker(&server).unwrap();
    let id = ACCOUNTS[0].1.to_string();
    let all = [id.as_str(); 4].join(" ");
    assert_eq!((status(pid, "Uid"), status(pid, "Gid")), (all.clone(), all));
    let groups = status(pid, "Groups");
    let groups: Vec<&str> = groups.split(' ').collect();
    assert!(GROUPS.iter().all(|(_, id)| groups.contains(&id.to_string().as_str())), "{groups:?}");
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(status(pid, set), "0000000000000000");
    }
    assert_eq!(fs::read_link(format!("/proc/{pid}/cwd")).unwrap(), server.place.path("home-carol"));
    eventually("a start", || fs::metadata(format!("/proc/{pid}/mem")).is_ok_and(|meta| meta.uid() == 0));
    // Three streams, and what the worker opened itself: its folder, the client's end once more, a log.
    let home = server.place.path("home-carol").display().to_string();
    let strange = || {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
        let mut targets = open.filter_map(|entry| fs::read_link(entry.path()).ok());
        let known = ["pipe:", "socket:", &home];
        targets.find(|target| !known.iter().any(|known| target.to_string_lossy().starts_with(known)))
    };
    eventually("nothing but these", || strange().is_none());
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap();
    let environment = String::from_utf8_lossy(&environment).into_owned();
    assert!(environment.split('\0').any(|variable| variable == "USER=carol"), "{environment}");
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("the worker's end", || !is_alive(pid));
    server.settles(0);
}

#[test]
fn a18_forced_sftp_runs_no_shell_and_no_file_of_the_user() {
    if !possible() {
        return;
    }
    let server = server("ForceCommand internal-sftp -R");
    let home = server.place.path("home-carol");
    for file in [".ssh/rc", ".profile", ".bashrc", ".shrc"] {
        fs::write(home.join(file), format!("touch {}/ran\n", home.display())).unwrap();
    }
    fs::write(home.join("file"), "content").unwrap();
    let got = server.place.path("got");
    let done = sftp(&server, "carol", &format!("get file {}\n-rm file\n", got.display()));
    assert!(done.code == 0 && done.err.contains("ermission denied"), "{done:?}");
    assert_eq!(fs::read(got).unwrap(), b"content");
    assert!(home.join("file").exists());
    let done = server.run("carol", "touch ran");
    assert_eq!((done.code, done.out.as_str()), (1, "This service allows sftp connections only.\n"));
    assert!(!home.join("ran").exists());
}
