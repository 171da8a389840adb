//! Programs that speak SFTP in their own way, or need a shell beside it, over `nacre serve`. Their tests are named after them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/serve.rs"]
mod serve;

use common::program;
use serve::{Server, eventually, finish};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The `ssh` that a program is to call, in one line of a shell.
fn ssh(server: &Server) -> String {
    let at = |name: &str| server.place.path(name).display().to_string();
    format!(
        "ssh -F none -o StrictHostKeyChecking=no -o LogLevel=ERROR -o BatchMode=yes -o IdentitiesOnly=yes \
         -o UserKnownHostsFile={} -i {} -p {}",
        at("known"),
        at("id"),
        server.port
    )
}

/// A tree with files of all sizes, and an empty folder.
fn tree(server: &Server) -> PathBuf {
    let tree = server.place.path("tree");
    fs::create_dir_all(tree.join("deep/er")).unwrap();
    fs::create_dir(tree.join("empty")).unwrap();
    for (name, length) in [("zero", 0_u32), ("one", 1), ("deep/middle", 40_000), ("deep/er/big", 3_000_000)] {
        let content: Vec<u8> = (0..length).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
        fs::write(tree.join(name), content).unwrap();
    }
    tree
}

#[track_caller]
fn same(a: &Path, b: &Path) {
    let done = finish(program("diff").arg("-r").args([a, b]), b"");
    assert_eq!((done.code, done.out.as_str()), (0, ""), "{}", done.err);
}

#[track_caller]
fn good(command: &mut Command, input: &str) -> String {
    let done = finish(command, input.as_bytes());
    assert_eq!(done.code, 0, "{done:?}");
    done.out
}

#[test]
fn lftp_mirrors_both_ways() {
    let server = Server::start("");
    let (tree, up, down) = (tree(&server), server.place.path("up"), server.place.path("down"));
    let connect = format!("set sftp:connect-program \"{} -a -x\"", ssh(&server));
    let open = format!("open sftp://{}:@127.0.0.1:{}", server.user, server.port);
    let there = format!("mirror -R {} {}", tree.display(), up.display());
    let back = format!("mirror {} {}", up.display(), down.display());
    let script = ["set sftp:auto-confirm yes", "set net:max-retries 1", &connect, &open, &there, &back].join("\n");
    good(program("lftp").env("HOME", server.place.root()).args(["--norc", "-c", &script]), "");
    same(&tree, &up);
    same(&tree, &down);
}

#[test]
fn curl_gets_and_puts() {
    // The library below older releases knows no others.
    let server = Server::start("MACs +hmac-sha2-256,hmac-sha2-512");
    let tree = tree(&server);
    let url = |path: &Path| format!("sftp://127.0.0.1:{}{}", server.port, path.display());
    let curl = || {
        let mut curl = program("curl");
        curl.args(["--silent", "--show-error", "--insecure", "--user", &format!("{}:", server.user), "--key"]);
        curl.arg(server.place.path("id")).arg("--pubkey").arg(server.place.path("id.pub"));
        curl
    };
    let (big, got, put) = (tree.join("deep/er/big"), server.place.path("got"), server.place.path("put"));
    good(curl().arg("-o").arg(&got).arg(url(&big)), "");
    good(curl().arg("-T").arg(&big).arg(url(&put)), "");
    for copy in [got, put] {
        assert!(fs::read(&copy).unwrap() == fs::read(&big).unwrap(), "{}", copy.display());
    }
    let list = good(curl().arg(format!("{}/", url(&tree))), "");
    assert!(list.lines().any(|line| line.starts_with("drwx") && line.ends_with(" deep")), "{list}");
    assert_ne!(finish(curl().arg(url(&tree.join("absent"))), b"").code, 0);
}

#[test]
fn rsync_brings_a_tree_and_then_only_what_changed() {
    let server = Server::start("");
    let (tree, up) = (tree(&server), server.place.path("up"));
    let remote = format!("{}@127.0.0.1:{}", server.user, up.display());
    let rsync = || {
        let mut rsync = program("rsync");
        rsync.args(["-a", "--stats", "-e", &ssh(&server), &format!("{}/", tree.display()), &remote]);
        rsync
    };
    good(&mut rsync(), "");
    same(&tree, &up);
    fs::write(tree.join("one"), "changed").unwrap();
    let stats = good(&mut rsync(), "");
    assert!(stats.contains("regular files transferred: 1"), "{stats}");
    same(&tree, &up);
}

#[test]
fn sshfs_is_a_file_system() {
    if !Path::new("/dev/fuse").exists() || !nacre_sys::privileges::is_root() {
        eprintln!("NOT RUN: this test needs root and /dev/fuse");
        return;
    }
    let server = Server::start("");
    let (tree, mount) = (tree(&server), server.place.path("mount"));
    fs::create_dir(&mount).unwrap();
    let at = |name: &str| server.place.path(name).display().to_string();
    let mut sshfs = program("sshfs");
    sshfs.args(["-F", "none", "-f", "-p", &server.port.to_string(), "-o", "StrictHostKeyChecking=no,BatchMode=yes"]);
    sshfs.arg("-o").arg(format!("UserKnownHostsFile={},IdentityFile={}", at("known"), at("id")));
    sshfs.arg(format!("{}@127.0.0.1:{}", server.user, tree.display())).arg(&mount);
    let mut child = sshfs.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mounted = Mounted(mount.clone());
    let mut ended = None;
    eventually("a file system", || {
        ended = child.try_wait().unwrap();
        ended.is_some() || mount.join("one").exists()
    });
    if let Some(status) = ended {
        let why = std::io::read_to_string(child.stderr.take().unwrap()).unwrap_or_default();
        // A container may have the device and not be allowed to mount.
        assert!(why.contains("fuse") && why.contains("ermitted"), "{status}: {why}");
        eprintln!("NOT RUN: this test may not mount: {why}");
        return;
    }
    same(&tree, &mount);
    fs::write(mount.join("new"), vec![7; 500_000]).unwrap();
    fs::rename(mount.join("new"), mount.join("one")).unwrap();
    fs::hard_link(mount.join("one"), mount.join("hard")).unwrap();
    std::os::unix::fs::symlink("one", mount.join("link")).unwrap();
    fs::create_dir(mount.join("folder")).unwrap();
    fs::remove_file(mount.join("zero")).unwrap();
    assert_eq!(fs::read(tree.join("one")).unwrap(), vec![7; 500_000]);
    assert_eq!(fs::metadata(tree.join("hard")).unwrap().nlink(), 2);
    assert_eq!(fs::read_link(tree.join("link")).unwrap(), Path::new("one"));
    assert!(tree.join("folder").is_dir() && !tree.join("zero").exists());
    assert!(finish(program("df").arg(&mount), b"").out.contains("127.0.0.1"));
    drop(mounted);
    eventually("its end", || child.try_wait().unwrap().is_some());
}

/// A mount that goes with the test.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = program("umount").arg("-l").arg(&self.0).stderr(Stdio::null()).status();
    }
}
