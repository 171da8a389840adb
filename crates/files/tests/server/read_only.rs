//! A worker that changes nothing (threat F5), and one that answers only what it may.

use crate::driver::{Got, Raw, bytes};
use nacre_files::server::{Settings, request_names};
use nacre_sftp::request::{FXF_APPEND, FXF_CREAT, FXF_EXCL, FXF_READ, FXF_TRUNC, FXF_WRITE};
use nacre_sftp::{Attributes, Code, Extended, Request};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

/// All that can be told of a tree but when it was last read.
fn tree(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let meta = fs::symlink_metadata(&path).unwrap();
        let content = if meta.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        let times = (meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec());
        all.push(format!("{path:?} {:o} {} {} {times:?} {content:?}", meta.mode(), meta.ino(), meta.nlink()));
        if meta.is_dir() {
            all.extend(tree(&path));
        }
    }
    all.sort();
    all
}

#[test]
fn f05_nothing_changes_under_read_only() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    fs::write(at("file"), b"content").unwrap();
    fs::create_dir(at("folder")).unwrap();
    symlink("file", at("link")).unwrap();
    let before = tree(place.path());
    let path = |name: &str| bytes(&at(name)).to_vec();
    let (file, folder, link, new) = (path("file"), path("folder"), path("link"), path("new"));
    for rooted in [false, true] {
        let root = rooted.then(|| "/".into());
        let mut raw = Raw::start(Settings { read_only: true, root, ..Settings::default() });
        let reading = raw.open_read(&file);
        let listed = raw.ask(&Request::Opendir { path: &folder }).handle();
        let all = Attributes {
            size: Some(1),
            permissions: Some(0o777),
            times: Some((1, 1)),
            owner: Some((1, 1)),
            ..Attributes::default()
        };
        let unsized_all = Attributes { size: None, ..all.clone() };
        for name in [&file, &folder, &link, &new] {
            for flags in [
                FXF_WRITE,
                FXF_READ | FXF_WRITE,
                FXF_READ | FXF_CREAT,
                FXF_READ | FXF_TRUNC,
                FXF_READ | FXF_APPEND,
                FXF_CREAT | FXF_EXCL,
                FXF_CREAT,
                FXF_TRUNC,
                FXF_WRITE | FXF_CREAT | FXF_TRUNC,
            ] {
                assert_eq!(raw.open(name, flags).code(), Code::PermissionDenied, "{flags:#x}");
            }
            let name = name.as_slice();
            for request in [
                Request::Setstat { path: name, attributes: all.clone() },
                Request::Setstat { path: name, attributes: Attributes::default() },
                Request::Fsetstat { handle: &reading, attributes: unsized_all.clone() },
                Request::Fsetstat { handle: &listed, attributes: unsized_all.clone() },
                Request::Write { handle: &reading, offset: 0, data: b"x" },
                Request::Remove { path: name },
                Request::Mkdir { path: name, attributes: Attributes::default() },
                Request::Rmdir { path: name },
                Request::Rename { old: name, new: &new },
                Request::Symlink { target: b"file", link: name },
                Request::Extended(Extended::PosixRename { old: name, new: &new }),
                Request::Extended(Extended::Hardlink { old: name, new: &new }),
                Request::Extended(Extended::Lsetstat { path: name, attributes: unsized_all.clone() }),
                Request::Extended(Extended::Fsync { handle: &reading }),
                Request::Extended(Extended::CopyData {
                    from: &reading,
                    from_offset: 0,
                    length: 0,
                    to: &reading,
                    to_offset: 0,
                }),
            ] {
                assert_eq!(raw.ask(&request).code(), Code::PermissionDenied, "{request:?}");
            }
        }
        // Reading goes on as ever.
        assert_eq!(raw.content(&link), b"content");
        assert_eq!(raw.list(bytes(place.path())).len(), 3);
        assert_eq!(raw.open(&new, FXF_READ).code(), Code::NoSuchFile);
        for changing in ["posix-rename@openssh.com", "hardlink@openssh.com", "copy-data", "lsetstat@openssh.com"] {
            assert!(!raw.extensions.has(changing), "{changing} is announced");
        }
        assert!(raw.extensions.has("statvfs@openssh.com") && raw.extensions.has("check-file"));
        raw.end().unwrap();
    }
    assert_eq!(tree(place.path()), before);
}

#[test]
fn f05_lists_of_requests_are_kept_to() {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let stat = Request::Stat { path: b"/" };
    let realpath = Request::Realpath { path: b"/" };
    let expand = Request::Extended(Extended::ExpandPath { path: b"/" });
    let mut raw = Raw::start(Settings { denied: list(&["stat", "expand-path"]), ..Settings::default() });
    assert_eq!(raw.ask(&stat).code(), Code::PermissionDenied);
    assert_eq!(raw.ask(&expand).code(), Code::PermissionDenied);
    assert_eq!(raw.ask(&realpath).name(), b"/");
    assert!(!raw.extensions.has("expand-path@openssh.com") && raw.extensions.has("limits@openssh.com"));
    raw.end().unwrap();
    let (allowed, denied) = (Some(list(&["stat", "realpath"])), list(&["realpath"]));
    let mut raw = Raw::start(Settings { allowed, denied, ..Settings::default() });
    assert!(matches!(raw.ask(&stat), Got::Attributes(_)));
    assert_eq!(raw.ask(&realpath).code(), Code::PermissionDenied);
    assert_eq!(raw.ask(&expand).code(), Code::PermissionDenied);
    assert_eq!(raw.extensions.iter().count(), 0);
    raw.end().unwrap();
    assert_eq!(request_names().count(), 33);
}
