//! What every client does.

use crate::driver::{Got, Raw, bytes};
use nacre_files::server::Settings;
use nacre_sftp::extensions::Statvfs;
use nacre_sftp::request::{FXF_APPEND, FXF_CREAT, FXF_EXCL, FXF_READ, FXF_WRITE};
use nacre_sftp::{Attributes, Code, Extended, Extensions, Request};
use nacre_sys::account::Account;
use nacre_wire::Reader;
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::Path;
use tempfile::TempDir;

/// Each test runs without a root and below one; paths count from its folder.
fn both_ways(test: impl Fn(&mut Raw, &Path)) {
    for rooted in [false, true] {
        let place = TempDir::new().unwrap();
        let folder = place.path().canonicalize().unwrap();
        let settings = match rooted {
            true => Settings { root: Some(folder.clone()), ..Settings::default() },
            false => Settings { start: Some(folder.clone()), ..Settings::default() },
        };
        let mut raw = Raw::start(settings);
        assert_eq!(raw.extensions, Extensions::ours());
        test(&mut raw, &folder);
        raw.end().unwrap();
    }
}

#[test]
fn what_is_written_is_read_back() {
    both_ways(|raw, folder| {
        let content: Vec<u8> = (0..700_000_u32).map(|n| (n / 5) as u8).collect();
        let handle = raw.create(b"file");
        // Pieces in any order.
        for piece in [2, 0, 1] {
            let offset = piece * 250_000;
            let data = &content[offset..content.len().min(offset + 250_000)];
            assert!(raw.ask(&Request::Write { handle: &handle, offset: offset as u64, data }).is_ok());
        }
        assert!(raw.ask(&Request::Extended(Extended::Fsync { handle: &handle })).is_ok());
        assert!(raw.ask(&Request::Close { handle: &handle }).is_ok());
        assert!(fs::read(folder.join("file")).unwrap() == content);
        assert!(raw.content(b"file") == content);
        assert_eq!(raw.open(b"./sub/../file", FXF_READ).code(), Code::NoSuchFile, "through what is not there");
    });
}

#[test]
fn requests_are_done_in_the_order_they_came() {
    both_ways(|raw, _| {
        let handle = raw.open(b"file", FXF_READ | FXF_WRITE | FXF_CREAT).handle();
        for n in 0..5000_u64 {
            raw.send(&Request::Write { handle: &handle, offset: 0, data: &n.to_be_bytes() });
            raw.send(&Request::Read { handle: &handle, offset: 0, length: 8 });
            if n % 100 == 99 {
                for before in n - 99..=n {
                    assert!(raw.receive().1.is_ok());
                    assert_eq!(raw.receive().1.data(), before.to_be_bytes());
                }
            }
        }
    });
}

#[test]
fn flags_of_open_mean_what_they_mean_to_the_system() {
    both_ways(|raw, folder| {
        fs::write(folder.join("file"), b"12345").unwrap();
        let write = |raw: &mut Raw, flags, data: &[u8]| match raw.open(b"file", flags) {
            Got::Handle(handle) => raw.ask(&Request::Write { handle: &handle, offset: 0, data }).code(),
            other => other.code(),
        };
        assert_eq!(write(raw, FXF_WRITE, b"ab"), Code::Ok);
        assert_eq!(fs::read(folder.join("file")).unwrap(), b"ab345");
        assert_eq!(write(raw, FXF_WRITE | FXF_APPEND, b"67"), Code::Ok);
        assert_eq!(fs::read(folder.join("file")).unwrap(), b"ab34567");
        assert_eq!(write(raw, FXF_WRITE | FXF_CREAT | FXF_EXCL, b"x"), Code::Failure);
        assert_eq!(write(raw, FXF_READ, b"x"), Code::NoSuchFile, "not open for writing: EBADF, as OpenSSH's");
        assert_eq!(raw.open(b"new", FXF_WRITE).code(), Code::NoSuchFile);
        let attributes = Attributes { permissions: Some(0o600), ..Attributes::default() };
        let made = raw.ask(&Request::Open { path: b"new", flags: FXF_WRITE | FXF_CREAT, attributes });
        assert!(matches!(made, Got::Handle(_)));
        assert_eq!(fs::metadata(folder.join("new")).unwrap().mode() & 0o7777, 0o600);
    });
}

#[test]
fn attributes_are_told_and_set() {
    both_ways(|raw, folder| {
        fs::write(folder.join("file"), b"12345").unwrap();
        symlink("file", folder.join("link")).unwrap();
        let told = raw.ask(&Request::Stat { path: b"link" }).attributes();
        let meta = fs::metadata(folder.join("file")).unwrap();
        assert_eq!((told.size, told.permissions), (Some(5), Some(meta.mode())));
        assert_eq!(told.owner, Some((meta.uid(), meta.gid())));
        assert_eq!(told.times, Some((meta.atime() as u32, meta.mtime() as u32)));
        let itself = raw.ask(&Request::Lstat { path: b"link" }).attributes();
        assert_eq!(itself.permissions.unwrap() & 0o170_000, 0o120_000);

        let attributes = Attributes {
            size: Some(3),
            permissions: Some(0o4711),
            times: Some((1_000_000_000, u32::MAX)),
            owner: Some((meta.uid(), meta.gid())),
            ..Attributes::default()
        };
        assert!(raw.ask(&Request::Setstat { path: b"link", attributes }).is_ok());
        let meta = fs::metadata(folder.join("file")).unwrap();
        assert_eq!((meta.size(), meta.atime()), (3, 1_000_000_000));
        // Set again after the year 2106 this would come out cut.
        assert!(meta.mtime() == i64::from(u32::MAX) || meta.mtime() == i64::from(i32::MAX), "{}", meta.mtime());
        assert_eq!(meta.mode() & 0o777, 0o711);

        // Of the link itself times can be set, the mode cannot, and it has no size.
        let times = Attributes { times: Some((5, 6)), ..Attributes::default() };
        let lsetstat = |attributes| Request::Extended(Extended::Lsetstat { path: b"link", attributes });
        assert!(raw.ask(&lsetstat(times)).is_ok());
        assert_eq!(fs::symlink_metadata(folder.join("link")).unwrap().mtime(), 6);
        assert_eq!(fs::metadata(folder.join("file")).unwrap().mtime(), meta.mtime());
        let mode = Attributes { permissions: Some(0o600), ..Attributes::default() };
        assert_eq!(raw.ask(&lsetstat(mode.clone())).code(), Code::Failure);
        assert_eq!(fs::metadata(folder.join("file")).unwrap().mode(), meta.mode());
        let size = Attributes { size: Some(0), ..Attributes::default() };
        assert_eq!(raw.ask(&lsetstat(size)).code(), Code::BadMessage);
        let file = Request::Extended(Extended::Lsetstat { path: b"file", attributes: mode });
        assert!(raw.ask(&file).is_ok());
        assert_eq!(fs::metadata(folder.join("file")).unwrap().mode() & 0o7777, 0o600);

        // A folder's, by its handle.
        let handle = raw.ask(&Request::Opendir { path: b"." }).handle();
        let mode = Attributes { permissions: Some(0o750), ..Attributes::default() };
        assert!(raw.ask(&Request::Fsetstat { handle: &handle, attributes: mode }).is_ok());
        assert_eq!(raw.ask(&Request::Fstat { handle: &handle }).attributes().permissions, Some(0o040_750));
    });
}

#[test]
fn names_are_made_moved_and_removed() {
    both_ways(|raw, folder| {
        let mode = Attributes { permissions: Some(0o700), ..Attributes::default() };
        assert!(raw.ask(&Request::Mkdir { path: b"folder", attributes: mode.clone() }).is_ok());
        assert_eq!(fs::metadata(folder.join("folder")).unwrap().mode() & 0o7777, 0o700);
        assert_eq!(raw.ask(&Request::Mkdir { path: b"folder", attributes: mode }).code(), Code::Failure);
        for (name, content) in [("one", "1"), ("two", "2")] {
            fs::write(folder.join(name), content).unwrap();
        }
        // Version 3's does not replace; OpenSSH's does.
        assert_eq!(raw.ask(&Request::Rename { old: b"one", new: b"two" }).code(), Code::Failure);
        assert_eq!(raw.ask(&Request::Rename { old: b"folder", new: b"two" }).code(), Code::Failure);
        assert_eq!(fs::read(folder.join("two")).unwrap(), b"2");
        assert!(raw.ask(&Request::Rename { old: b"one", new: b"folder/one" }).is_ok());
        let rename = |old, new| Request::Extended(Extended::PosixRename { old, new });
        assert!(raw.ask(&rename(b"folder/one", b"two")).is_ok());
        assert_eq!(fs::read(folder.join("two")).unwrap(), b"1");
        assert!(raw.ask(&Request::Extended(Extended::Hardlink { old: b"two", new: b"three" })).is_ok());
        assert_eq!(fs::metadata(folder.join("three")).unwrap().nlink(), 2);
        assert_eq!(
            raw.ask(&Request::Extended(Extended::Hardlink { old: b"two", new: b"three" })).code(),
            Code::Failure
        );
        assert!(raw.ask(&Request::Remove { path: b"three" }).is_ok());
        assert!(!raw.ask(&Request::Remove { path: b"folder" }).is_ok());
        assert_eq!(raw.ask(&Request::Rmdir { path: b"two" }).code(), Code::NoSuchFile, "ENOTDIR, as OpenSSH's");
        assert!(raw.ask(&Request::Rmdir { path: b"folder" }).is_ok());
        assert_eq!(raw.ask(&Request::Remove { path: b"absent" }).code(), Code::NoSuchFile);
        assert_eq!(raw.list(b".").iter().map(|name| name.name.as_slice()).collect::<Vec<_>>(), [b"two"]);
    });
}

#[test]
fn links_are_made_with_the_target_first() {
    let place = TempDir::new().unwrap();
    let mut raw = Raw::start(Settings { start: Some(place.path().into()), ..Settings::default() });
    assert!(raw.ask(&Request::Symlink { target: b"no/where", link: b"link" }).is_ok());
    assert_eq!(fs::read_link(place.path().join("link")).unwrap(), Path::new("no/where"));
    assert_eq!(raw.ask(&Request::Readlink { path: b"link" }).name(), b"no/where");
    assert_eq!(raw.ask(&Request::Readlink { path: b"." }).code(), Code::BadMessage, "EINVAL, as OpenSSH's");
    assert_eq!(raw.ask(&Request::Symlink { target: b"x", link: b"link" }).code(), Code::Failure);
    raw.end().unwrap();
}

#[test]
fn paths_become_whole() {
    let place = TempDir::new().unwrap();
    let folder = place.path().canonicalize().unwrap();
    fs::create_dir_all(folder.join("a/b")).unwrap();
    fs::write(folder.join("a/file"), b"").unwrap();
    symlink("a/b", folder.join("link")).unwrap();
    symlink(folder.join("a"), folder.join("absolute")).unwrap();
    let mut raw = Raw::start(Settings { start: Some(folder.clone()), ..Settings::default() });
    let here = bytes(&folder).to_vec();
    for (path, whole) in [
        ("", ""),
        (".", ""),
        ("link", "/a/b"),
        ("link/..", "/a"),
        ("absolute//./file", "/a/file"),
        ("absent", "/absent"),
        ("a/absent", "/a/absent"),
        ("link/../../absent", "/absent"),
    ] {
        let got = raw.ask(&Request::Realpath { path: path.as_bytes() }).name();
        assert_eq!(got, [&here, whole.as_bytes()].concat(), "{path}");
    }
    assert_eq!(raw.ask(&Request::Realpath { path: b"/../.." }).name(), b"/");
    for bad in ["absent/file", "a/file/x", "a/file/.."] {
        assert_eq!(raw.ask(&Request::Realpath { path: bad.as_bytes() }).code(), Code::NoSuchFile, "{bad}");
    }
    let own = Account::current().unwrap();
    fn expand(path: &[u8]) -> Request<'_> {
        Request::Extended(Extended::ExpandPath { path })
    }
    assert_eq!(raw.ask(&expand(b"~")).name(), here, "where the client starts");
    assert_eq!(raw.ask(&expand(b"~/link")).name(), bytes(&folder.join("a/b")));
    // Some accounts have a home that is not there.
    if let Ok(home) = fs::canonicalize(&own.home) {
        let named = format!("~{}/absent", own.name);
        assert_eq!(raw.ask(&expand(named.as_bytes())).name(), bytes(&home.join("absent")));
    }
    assert_eq!(raw.ask(&expand(b"link")).name(), bytes(&folder.join("a/b")));
    assert_eq!(raw.ask(&expand(b"~no-such-account/x")).code(), Code::NoSuchFile);
    let user = own.name.as_bytes();
    assert_eq!(raw.ask(&Request::Extended(Extended::HomeDirectory { user })).name(), bytes(&own.home));
    assert_eq!(raw.ask(&Request::Extended(Extended::HomeDirectory { user: b"" })).name(), bytes(&own.home));
    raw.end().unwrap();
}

#[test]
fn file_systems_and_people_are_told_of() {
    both_ways(|raw, folder| {
        let told = Statvfs::decode(&raw.ask(&Request::Extended(Extended::Statvfs { path: b"." })).data()).unwrap();
        let real = rustix::fs::statvfs(folder).unwrap();
        assert_eq!((told.numbers[0], told.block(), told.numbers[2]), (real.f_bsize, real.f_frsize, real.f_blocks));
        assert_eq!((told.numbers[8], told.longest_name), (real.f_fsid, real.f_namemax));
        let handle = raw.ask(&Request::Opendir { path: b"." }).handle();
        let by_handle = raw.ask(&Request::Extended(Extended::Fstatvfs { handle: &handle })).data();
        assert_eq!(Statvfs::decode(&by_handle).unwrap().numbers[8], real.f_fsid);

        let own = Account::current().unwrap();
        let ask = Extended::UsersGroupsById { users: vec![own.uid, 4_000_000_000, own.uid], groups: vec![0] };
        let data = raw.ask(&Request::Extended(ask)).data();
        let mut reader = Reader::new(&data);
        let (users, groups) = (reader.string("users").unwrap(), reader.string("groups").unwrap());
        reader.finish().unwrap();
        let mut users = Reader::new(users);
        for name in [own.name.as_str(), "", own.name.as_str()] {
            assert_eq!(users.string("user").unwrap(), name.as_bytes());
        }
        users.finish().unwrap();
        assert_eq!(groups, b"\0\0\0\x04root");
        let many = Extended::UsersGroupsById { users: vec![own.uid; 8192], groups: vec![0; 8192] };
        assert!(raw.ask(&Request::Extended(many)).data().len() <= nacre_sftp::MAX_PACKET);
    });
}

#[test]
fn long_names_look_like_those_of_ls() {
    both_ways(|raw, folder| {
        fs::write(folder.join("file"), b"12345").unwrap();
        fs::hard_link(folder.join("file"), folder.join("hard")).unwrap();
        fs::create_dir(folder.join("folder")).unwrap();
        let own = Account::current().unwrap();
        for name in raw.list(b".") {
            let long = String::from_utf8(name.long).unwrap();
            let words: Vec<&str> = long.split_whitespace().collect();
            let meta = fs::metadata(folder.join(words[8])).unwrap();
            assert_eq!(long.starts_with('d'), meta.is_dir(), "{long}");
            assert_eq!(words[1], meta.nlink().to_string(), "{long}");
            assert_eq!(words[2], own.name, "{long}");
            assert_eq!(words[4], meta.size().to_string(), "{long}");
            assert_eq!(words[7].len(), 5, "a time of day: {long}");
        }
    });
}

#[test]
fn files_beyond_4_gib_are_as_any_other() {
    both_ways(|raw, folder| {
        let far = (4 << 30) + 12_345;
        let handle = raw.create(b"big");
        assert!(raw.ask(&Request::Write { handle: &handle, offset: far, data: b"far" }).is_ok());
        assert_eq!(raw.ask(&Request::Fstat { handle: &handle }).attributes().size, Some(far + 3));
        let mut read = [0; 3];
        fs::File::open(folder.join("big")).unwrap().read_exact_at(&mut read, far).unwrap();
        assert_eq!(&read, b"far");
        let handle = raw.open_read(b"big");
        assert_eq!(raw.ask(&Request::Read { handle: &handle, offset: far, length: 99 }).data(), b"far");
    });
}

#[test]
fn a_full_disk_says_so() {
    let mut raw = Raw::start(Settings::default());
    let handle = raw.open(b"/dev/full", FXF_WRITE).handle();
    let got = raw.ask(&Request::Write { handle: &handle, offset: 0, data: b"x" });
    assert_eq!(got, Got::Status(Code::Failure, "No space left on device".into()));
    raw.end().unwrap();
}
