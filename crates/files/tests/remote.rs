//! The calls that wait, against our own worker and OpenSSH's program.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]
#![allow(dead_code, reason = "the peers are shared with the tests of transfers, which need more of them")]

#[path = "transfer/peers.rs"]
mod peers;

use nacre_files::remote::{Error, Remote};
use nacre_sftp::attributes::Kind;
use nacre_sftp::{Attributes, Code};
use peers::{PEERS, Peer, pipe, raw};
use std::os::unix::fs::{MetadataExt, symlink};

#[test]
fn every_call_does_what_it_says() {
    for peer in PEERS {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| raw(&folder.path().join(name));
        let mut remote = peer.connect();
        remote.mkdir(&at("d"), Attributes { permissions: Some(0o750), ..Attributes::default() }).unwrap();
        assert_eq!(remote.stat(&at("d")).unwrap().kind(), Some(Kind::Directory));
        std::fs::write(folder.path().join("d/f"), b"hello").unwrap();
        assert_eq!(remote.stat(&at("d/f")).unwrap().size, Some(5));
        remote.symlink(b"f", &at("d/l")).unwrap();
        assert_eq!(std::fs::read_link(folder.path().join("d/l")).unwrap(), std::path::Path::new("f"));
        assert_eq!(remote.readlink(&at("d/l")).unwrap(), b"f");
        assert_eq!(remote.lstat(&at("d/l")).unwrap().kind(), Some(Kind::Symlink));
        assert_eq!(remote.stat(&at("d/l")).unwrap().kind(), Some(Kind::File));
        remote.hardlink(&at("d/f"), &at("d/h")).unwrap();
        assert_eq!(std::fs::metadata(folder.path().join("d/h")).unwrap().nlink(), 2);
        let links = (peer == Peer::Nacre).then_some(2);
        assert_eq!(remote.link_count(&at("d/f")).unwrap(), links);
        remote.setstat(&at("d/f"), Attributes { permissions: Some(0o600), ..Attributes::default() }).unwrap();
        assert_eq!(remote.stat(&at("d/h")).unwrap().permissions.map(|mode| mode & 0o777), Some(0o600));
        remote.lsetstat(&at("d/l"), Attributes { times: Some((5, 7)), ..Attributes::default() }).unwrap();
        assert_eq!(remote.lstat(&at("d/l")).unwrap().times.unwrap().1, 7);
        assert_ne!(remote.stat(&at("d/l")).unwrap().times.unwrap().1, 7);
        remote.remove(&at("d/h")).unwrap();
        remote.copy(&at("d/f"), &at("d/copy")).unwrap();
        assert_eq!(std::fs::read(folder.path().join("d/copy")).unwrap(), b"hello");
        std::fs::write(folder.path().join("d/other"), b"other").unwrap();
        assert!(remote.plain_rename(&at("d/copy"), &at("d/other")).is_err(), "the draft's rename replaces nothing");
        remote.rename(&at("d/copy"), &at("d/other")).unwrap();
        assert_eq!(std::fs::read(folder.path().join("d/other")).unwrap(), b"hello");
        let mut names: Vec<_> = remote.list(&at("d")).unwrap().into_iter().map(|name| name.name).collect();
        names.sort();
        assert_eq!(names, [&b"f"[..], b"l", b"other"]);
        assert_eq!(remote.realpath(&at("d/../d/f")).unwrap(), remote.realpath(&at("d/f")).unwrap());
        let home = remote.expand_path(b"~").unwrap();
        assert_eq!(remote.expand_path(b"~/x").unwrap(), [&home[..], b"/x"].concat());
        assert!(remote.statvfs(&at("d")).unwrap().block() > 0);
        if remote.extensions().has("home-directory") {
            assert_eq!(remote.home_directory(b"root").unwrap(), b"/root");
        }
        if remote.extensions().has("users-groups-by-id@openssh.com") {
            let (users, groups) = remote.users_groups(&[0, 3_999_999], &[0]).unwrap();
            assert_eq!((users, groups), (vec![b"root".to_vec(), Vec::new()], vec![b"root".to_vec()]));
        }
        for name in ["d/f", "d/l", "d/other"] {
            remote.remove(&at(name)).unwrap();
        }
        remote.rmdir(&at("d")).unwrap();
        let gone = remote.stat(&at("d")).unwrap_err();
        assert_eq!(gone.code(), Some(Code::NoSuchFile));
        assert!(gone.to_string().contains(": No such file"), "{gone}");
    }
}

#[test]
fn a_folder_of_a_hundred_thousand_entries_is_listed_and_globbed() {
    let folder = tempfile::tempdir().unwrap();
    let big = folder.path().join("big");
    std::fs::create_dir(&big).unwrap();
    std::fs::write(big.join("0"), b"").unwrap();
    for name in 1..100_000 {
        std::fs::hard_link(big.join("0"), big.join(name.to_string()))
            .or_else(|_| std::fs::write(big.join(name.to_string()), b""))
            .unwrap();
    }
    for peer in PEERS {
        let mut remote = peer.connect();
        assert_eq!(remote.list(&raw(&big)).unwrap().len(), 100_000, "{peer:?}");
        let some = remote.glob(&raw(&big.join("9999?"))).unwrap();
        assert_eq!(some.len(), 10);
        assert_eq!(some[0], raw(&big.join("99990")));
    }
}

#[test]
fn globs_find_what_the_shell_finds() {
    let folder = tempfile::tempdir().unwrap();
    for path in ["a/1.txt", "a/2.txt", "b/1.txt", "b/sub/3.txt", ".h/4.txt", "star*"] {
        peers::write(&folder.path().join(path), 1, 1);
    }
    symlink("a", folder.path().join("link")).unwrap();
    for peer in PEERS {
        let mut remote = peer.connect();
        let mut found = |pattern: &str| {
            let root = raw(folder.path());
            let all = remote.glob(&[&root[..], b"/", pattern.as_bytes()].concat()).unwrap();
            let strip = |path: Vec<u8>| String::from_utf8(path[root.len() + 1..].to_vec()).unwrap();
            all.into_iter().map(strip).collect::<Vec<_>>()
        };
        assert_eq!(found("*/1.txt"), ["a/1.txt", "b/1.txt", "link/1.txt"]);
        assert_eq!(found("b/*/*.txt"), ["b/sub/3.txt"]);
        assert_eq!(found("[ab]/[12].txt"), ["a/1.txt", "a/2.txt", "b/1.txt"]);
        assert_eq!(found(".h/*"), [".h/4.txt"]);
        assert_eq!(found("star\\*"), ["star*"]);
        assert_eq!(found("nothing*"), ["nothing*"]);
    }
}

#[test]
fn what_is_no_sftp_server_is_told_as_such() {
    for (words, expected) in [
        (&b"Welcome to this machine\n"[..], "does a login script print something?"),
        (b"\0\0\0\x05\x02\0\0\0\x04", "version 4"),
        (b"\0\0\0\x05\x65\0\0\0\x04", "malformed"),
        (b"", "the connection was closed"),
    ] {
        let (near_input, far_output) = pipe();
        let (_far_input, near_output) = pipe();
        rustix::io::write(&far_output, words).unwrap();
        drop(far_output);
        let error = Remote::open(near_input, near_output).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn a_connection_that_ends_is_said_to_and_calls_do_not_hang() {
    for peer in PEERS {
        let mut remote = peer.connect_until(peers::Cut { to: 200, from: u64::MAX });
        let error = (0..100).find_map(|_| remote.stat(b"/tmp").err()).unwrap();
        assert!(matches!(error, Error::Closed), "{error}");
    }
}
