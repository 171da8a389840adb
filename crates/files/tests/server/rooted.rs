//! A client below a root (threats F1 to F3).

use crate::driver::{Got, Raw, bytes};
use nacre_files::server::Settings;
use nacre_sftp::request::{FXF_CREAT, FXF_READ, FXF_TRUNC, FXF_WRITE};
use nacre_sftp::{Attributes, Code, Extended, Request};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

const SECRET: &[u8] = b"the canary";

/// `root` with something inside, and beside it what must never be reached.
fn place() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    for folder in ["root/inside/deep", "root2", "roo"] {
        fs::create_dir_all(at(folder)).unwrap();
    }
    fs::write(at("root/inside/file"), b"inside").unwrap();
    for canary in ["canary", "root2/canary", "roo/canary"] {
        fs::write(at(canary), SECRET).unwrap();
    }
    symlink(at("root2"), at("root/absolute")).unwrap();
    symlink("../root2", at("root/relative")).unwrap();
    symlink("../../../root2/canary", at("root/inside/up")).unwrap();
    symlink("/proc/self/root", at("root/magic")).unwrap();
    symlink("/inside", at("root/good")).unwrap();
    symlink("loop", at("root/loop")).unwrap();
    place
}

fn below(place: &TempDir) -> Raw {
    Raw::start(Settings { root: Some(place.path().join("root")), ..Settings::default() })
}

/// Everything about the files outside that a client could change.
fn outside(place: &Path) -> Vec<(String, u32, u64, i64, Vec<u8>)> {
    let mut all = Vec::new();
    for folder in ["", "root2", "roo"] {
        for entry in fs::read_dir(place.join(folder)).unwrap() {
            let entry = entry.unwrap();
            let (path, meta) = (entry.path(), entry.metadata().unwrap());
            if entry.file_name() == "root" {
                continue;
            }
            let content = if meta.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
            all.push((path.display().to_string(), meta.mode(), meta.nlink(), meta.mtime(), content));
        }
    }
    all.sort();
    all
}

/// More than 200 ways to say "out of here".
fn evil_paths(place: &Path) -> Vec<Vec<u8>> {
    let mut paths = Vec::new();
    let place = bytes(place).to_vec();
    for before in ["", "/", "./", "//", "inside/", "/inside/deep/", "inside/../", "absolute/", "relative/", "magic/"] {
        for up in 0..5 {
            for target in ["canary", "root2/canary", "roo/canary", "root2/new", "new"] {
                paths.push(format!("{before}{}{target}", "../".repeat(up)).into_bytes());
            }
        }
        for target in ["canary", "root2/canary", "root/../canary", "root2"] {
            paths.push([before.as_bytes(), &place, b"/", target.as_bytes()].concat());
        }
    }
    paths.extend(
        [&b"inside/up"[..], b"/proc/self/cwd", b"magic", b"relative/canary", b"absolute/canary"].map(<[u8]>::to_vec),
    );
    paths
}

#[test]
fn f01_no_path_leads_out_of_the_root() {
    let place = place();
    let paths = evil_paths(place.path());
    assert!(paths.len() > 200);
    let before = outside(place.path());
    let mut raw = below(&place);
    let handle = raw.open_read(b"inside/file");
    let mode = Attributes { permissions: Some(0o777), times: Some((1, 2)), size: Some(3), ..Attributes::default() };
    let unsized_mode = Attributes { size: None, ..mode.clone() };
    for path in &paths {
        if let Got::Handle(handle) = raw.open(path, FXF_READ) {
            let read = raw.ask(&Request::Read { handle: &handle, offset: 0, length: 99 });
            assert_ne!(read, Got::Data(SECRET.to_vec()), "{}", path.escape_ascii());
            raw.ask(&Request::Close { handle: &handle });
        }
        if let Got::Handle(handle) = raw.open(path, FXF_WRITE | FXF_CREAT | FXF_TRUNC) {
            raw.ask(&Request::Write { handle: &handle, offset: 0, data: b"evil" });
            raw.ask(&Request::Close { handle: &handle });
        }
        for request in [
            Request::Setstat { path, attributes: mode.clone() },
            Request::Extended(Extended::Lsetstat { path, attributes: unsized_mode.clone() }),
            Request::Extended(Extended::Hardlink { old: path, new: b"/hard" }),
            Request::Extended(Extended::PosixRename { old: path, new: b"/stolen" }),
            Request::Extended(Extended::PosixRename { old: b"inside/file", new: path }),
            Request::Rename { old: path, new: b"/stolen2" },
            Request::Symlink { target: b"/etc", link: path },
            Request::Mkdir { path, attributes: Attributes::default() },
            Request::Rmdir { path },
            Request::Remove { path },
        ] {
            raw.ask(&request);
        }
        for request in [Request::Opendir { path }, Request::Stat { path }, Request::Realpath { path }] {
            raw.ask(&request);
        }
        for stolen in ["hard", "stolen", "stolen2"] {
            let stolen = place.path().join("root").join(stolen);
            assert_ne!(fs::read(&stolen).unwrap_or_default(), SECRET, "{}", path.escape_ascii());
            let _ = fs::remove_file(stolen);
        }
    }
    assert_eq!(outside(place.path()), before);
    assert_eq!(raw.ask(&Request::Read { handle: &handle, offset: 0, length: 9 }).data(), b"inside");
    raw.end().unwrap();
}

#[test]
fn f01_links_inside_lead_to_places_inside() {
    let place = place();
    let mut raw = below(&place);
    assert_eq!(raw.content(b"good/file"), b"inside");
    assert_eq!(raw.content(b"/good/deep/../file"), b"inside");
    assert_eq!(raw.content(b"../../good/./file"), b"inside");
    assert_eq!(raw.ask(&Request::Realpath { path: b"good/deep/.." }).name(), b"/inside");
    assert_eq!(raw.ask(&Request::Readlink { path: b"good" }).name(), b"/inside");
    assert_eq!(raw.ask(&Request::Lstat { path: b"good" }).attributes().permissions.unwrap() & 0o170_000, 0o120_000);
    assert_eq!(raw.ask(&Request::Lstat { path: b"good/" }).attributes().permissions.unwrap() & 0o170_000, 0o040_000);
    assert_eq!(raw.ask(&Request::Stat { path: b"loop" }).code(), Code::NoSuchFile);
    assert_eq!(raw.ask(&Request::Realpath { path: b"loop" }).code(), Code::NoSuchFile);
    // A folder named by itself, and what cannot be done to it.
    for path in [&b"/"[..], b".", b"..", b"inside/.."] {
        assert!(matches!(raw.ask(&Request::Lstat { path }), Got::Attributes(_)));
        assert!(!raw.ask(&Request::Rmdir { path }).is_ok());
        assert!(!raw.ask(&Request::Remove { path }).is_ok());
        assert!(!raw.ask(&Request::Rename { old: path, new: b"moved" }).is_ok());
    }
    // What a path that ends with a slash may name.
    assert_eq!(raw.ask(&Request::Remove { path: b"inside/file/" }).code(), Code::NoSuchFile);
    assert!(raw.ask(&Request::Mkdir { path: b"made/", attributes: Attributes::default() }).is_ok());
    assert!(raw.ask(&Request::Rmdir { path: b"made//" }).is_ok());
    // Modes and times through a link, of a folder and of a file that may not be read.
    let set = |mode| Attributes { permissions: Some(mode), times: Some((10, 20)), ..Attributes::default() };
    assert!(raw.ask(&Request::Setstat { path: b"good", attributes: set(0o700) }).is_ok());
    assert!(raw.ask(&Request::Setstat { path: b"good/file", attributes: set(0o200) }).is_ok());
    let meta = |name: &str| fs::metadata(place.path().join("root").join(name)).unwrap();
    assert_eq!((meta("inside").mode() & 0o7777, meta("inside").mtime()), (0o700, 20));
    assert_eq!((meta("inside/file").mode() & 0o7777, meta("inside/file").atime()), (0o200, 10));
    raw.end().unwrap();
}

#[test]
fn f01_the_start_folder_is_below_the_root() {
    let place = place();
    let settings = |start: &str| Settings {
        root: Some(place.path().join("root")),
        start: Some(start.into()),
        ..Settings::default()
    };
    let mut raw = Raw::start(settings("/inside"));
    assert_eq!(raw.content(b"file"), b"inside");
    assert_eq!(raw.ask(&Request::Realpath { path: b"." }).name(), b"/inside");
    assert_eq!(raw.ask(&Request::Realpath { path: b"../.." }).name(), b"/");
    assert_eq!(raw.ask(&Request::Extended(Extended::HomeDirectory { user: b"" })).name(), b"/inside");
    assert_eq!(raw.ask(&Request::Extended(Extended::ExpandPath { path: b"~/deep" })).name(), b"/inside/deep");
    raw.end().unwrap();
    // One that is not there, or not inside, leaves the client at the root.
    for start in ["/absent", "/relative"] {
        let mut raw = Raw::start(settings(start));
        assert_eq!(raw.ask(&Request::Realpath { path: b"." }).name(), b"/");
        assert_eq!(raw.content(b"inside/file"), b"inside");
        raw.end().unwrap();
    }
}

#[test]
fn f02_a_folder_swapped_for_a_link_is_never_left() {
    let place = place();
    let at = |name: &str| place.path().join(name);
    fs::create_dir(at("root/flip")).unwrap();
    fs::write(at("root/flip/canary"), b"inside").unwrap();
    symlink("../root2", at("root/other")).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let flipping = {
        let (stop, a, b) = (Arc::clone(&stop), at("root/flip"), at("root/other"));
        std::thread::spawn(move || {
            let mut flips = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                renameat_with(CWD, &a, CWD, &b, RenameFlags::EXCHANGE).unwrap();
                flips += 1;
            }
            flips
        })
    };
    let mut raw = below(&place);
    let (mut opened, mut refused) = (0_u32, 0_u32);
    for round in 0..1000 {
        // Every other path has a `..` in it, which the kernel looks at twice.
        let path: &[u8] = if round % 2 == 0 { b"flip/canary" } else { b"inside/../flip/canary" };
        for _ in 0..100 {
            raw.send(&Request::Open { path, flags: FXF_READ, attributes: Attributes::default() });
        }
        let replies: Vec<Got> = (0..100).map(|_| raw.receive().1).collect();
        for reply in replies {
            let Got::Handle(handle) = reply else {
                refused += 1;
                continue;
            };
            opened += 1;
            assert_eq!(raw.ask(&Request::Read { handle: &handle, offset: 0, length: 99 }).data(), b"inside");
            assert!(raw.ask(&Request::Close { handle: &handle }).is_ok());
        }
    }
    stop.store(true, Ordering::Relaxed);
    let flips = flipping.join().unwrap();
    assert!(flips > 100 && opened > 100 && refused > 100, "{flips} flips, {opened} opened, {refused} refused");
    raw.end().unwrap();
}

#[test]
fn f02_no_link_is_made_below_a_root() {
    let place = place();
    let mut raw = below(&place);
    for target in [&b"/etc/passwd"[..], b"inside", b"../root2"] {
        assert_eq!(raw.ask(&Request::Symlink { target, link: b"link" }).code(), Code::PermissionDenied);
    }
    assert!(fs::symlink_metadata(place.path().join("root/link")).is_err());
    raw.end().unwrap();
}

#[test]
fn f03_what_is_set_by_handle_is_set_on_the_file_that_was_opened() {
    let place = place();
    let mut raw = below(&place);
    let at = |name: &str| place.path().join("root").join(name);
    let handle = raw.open(b"inside/file", FXF_READ | FXF_WRITE).handle();
    fs::rename(at("inside/file"), at("inside/moved")).unwrap();
    fs::write(at("inside/file"), b"another").unwrap();
    fs::set_permissions(at("inside/file"), fs::Permissions::from_mode(0o640)).unwrap();
    let attributes =
        Attributes { size: Some(2), permissions: Some(0o604), times: Some((7, 8)), ..Attributes::default() };
    assert!(raw.ask(&Request::Fsetstat { handle: &handle, attributes }).is_ok());
    let meta = |name: &str| fs::metadata(at(name)).unwrap();
    assert_eq!(fs::read(at("inside/file")).unwrap(), b"another");
    assert_eq!(meta("inside/file").mode() & 0o7777, 0o640);
    assert_eq!(fs::read(at("inside/moved")).unwrap(), b"in");
    assert_eq!((meta("inside/moved").mode() & 0o7777, meta("inside/moved").mtime()), (0o604, 8));
    assert_eq!(raw.ask(&Request::Fstat { handle: &handle }).attributes().size, Some(2));
    raw.end().unwrap();
}

#[test]
fn f03_what_is_outside_and_what_is_nowhere_are_told_alike() {
    let place = place();
    symlink(place.path().join("nowhere"), place.path().join("root/dangling")).unwrap();
    let mut raw = below(&place);
    let real = [bytes(place.path()), b"/root2/canary"].concat();
    let unreal = [bytes(place.path()), b"/root3/canary"].concat();
    let pairs: [(&[u8], &[u8]); 5] = [
        (b"../root2/canary", b"../root3/canary"),
        (&real, &unreal),
        (b"absolute/canary", b"dangling/canary"),
        (b"absolute", b"dangling"),
        (b"inside/up", b"inside/absent"),
    ];
    for (there, absent) in pairs {
        let requests: [fn(&[u8]) -> Request<'_>; 5] = [
            |path| Request::Stat { path },
            |path| Request::Opendir { path },
            |path| Request::Open { path, flags: FXF_READ, attributes: Attributes::default() },
            |path| Request::Setstat { path, attributes: Attributes::default() },
            |path| Request::Extended(Extended::Statvfs { path }),
        ];
        for request in requests {
            let (there, absent) = (raw.ask(&request(there)), raw.ask(&request(absent)));
            assert_eq!(there, absent);
            assert_eq!(there, Got::Status(Code::NoSuchFile, "No such file or directory".into()));
        }
    }
    for path in [&b"absolute"[..], b"relative", b"inside/up", b"/", b"..", b"magic"] {
        if let Got::Names(names) = raw.ask(&Request::Realpath { path }) {
            let (name, real) = (&names[0].name, bytes(place.path()));
            assert!(name == b"/" || !real.starts_with(name), "{}", name.escape_ascii());
            assert!(!name.starts_with(real), "{}", name.escape_ascii());
        }
    }
    // Whether an account exists is none of a client's business either.
    let home = |user: &'static [u8]| Request::Extended(Extended::HomeDirectory { user });
    assert_eq!(raw.ask(&home(b"root")), raw.ask(&home(b"no-such-account")));
    assert_eq!(raw.ask(&home(b"root")).code(), Code::NoSuchFile);
    raw.end().unwrap();
}
