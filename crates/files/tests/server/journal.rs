//! What the log is told (threat U2), and what a client is told of names.

use crate::driver::{Got, Raw, bytes};
use nacre_files::server::{Level, Log, Settings};
use nacre_sftp::request::{FXF_CREAT, FXF_READ, FXF_TRUNC, FXF_WRITE};
use nacre_sftp::{Attributes, Request};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Log for Lines {
    fn wants(&self, level: Level) -> bool {
        level <= Level::Verbose
    }

    fn line(&self, level: Level, line: &str) {
        assert!(self.wants(level));
        self.0.lock().unwrap().push(line.to_owned());
    }
}

#[test]
fn doings_are_told_as_openssh_tells_them() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("old"), b"1234567").unwrap();
    let lines = Lines::default();
    let root = Some(place.path().to_owned());
    let mut raw = Raw::start(Settings { root, log: Box::new(lines.clone()), ..Settings::default() });
    assert_eq!(raw.content(b"/old"), b"1234567");
    let attributes = Attributes { permissions: Some(0o100_600), ..Attributes::default() };
    let flags = FXF_WRITE | FXF_CREAT | FXF_TRUNC;
    let handle = raw.ask(&Request::Open { path: b"/new", flags, attributes: attributes.clone() }).handle();
    assert!(raw.ask(&Request::Write { handle: &handle, offset: 0, data: b"abc" }).is_ok());
    assert!(raw.ask(&Request::Fsetstat { handle: &handle, attributes }).is_ok());
    assert!(raw.ask(&Request::Rename { old: b"/old", new: b"/older" }).is_ok());
    assert!(!raw.ask(&Request::Rmdir { path: b"/absent" }).is_ok());
    let totals = raw.end().unwrap();
    assert_eq!((totals.files_read, totals.files_written), (1, 1));
    assert_eq!((totals.bytes_read, totals.bytes_written), (7, 3));
    let lines = lines.0.lock().unwrap();
    assert_eq!(
        lines.as_slice(),
        [
            "open \"/old\" flags READ mode 0666",
            "close \"/old\" bytes read 7 written 0",
            "open \"/new\" flags WRITE,CREATE,TRUNCATE mode 0100600",
            "set \"/new\" mode 0600",
            "rename old \"/old\" new \"/older\"",
            "rmdir name \"/absent\"",
            "sent status No such file or directory",
            "forced close \"/new\" bytes read 0 written 3",
        ]
    );
}

#[test]
fn u02_names_are_bytes_on_the_wire_and_clean_in_the_log() {
    let place = tempfile::tempdir().unwrap();
    let evil = b"x\x1b[2J\n\" flags READ\r\x07\xff\xe2\x80\xae";
    fs::write(place.path().join(OsStr::from_bytes(evil)), b"content").unwrap();
    let lines = Lines::default();
    let mut raw = Raw::start(Settings { log: Box::new(lines.clone()), ..Settings::default() });
    let names = raw.list(bytes(place.path()));
    assert_eq!(names[0].name, evil);
    let path = [bytes(place.path()), b"/", evil].concat();
    assert_eq!(raw.content(&path), b"content");
    assert!(matches!(raw.open(&path, FXF_READ), Got::Handle(_)));
    assert!(raw.ask(&Request::Remove { path: &path }).is_ok());
    raw.end().unwrap();
    let lines = lines.0.lock().unwrap();
    assert!(lines.len() > 5);
    for line in lines.iter() {
        assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line:?}");
    }
    assert!(lines.iter().any(|line| line.contains("\\\" flags READ")), "{lines:?}");
}
