//! copy-data (threat F6) and data-ranges.

use crate::driver::{Got, Raw, bytes};
use nacre_files::server::Settings;
use nacre_sftp::extended::decode_ranges;
use nacre_sftp::request::{FXF_APPEND, FXF_READ, FXF_WRITE};
use nacre_sftp::{Code, Extended, Request};
use std::fs;
use std::os::unix::fs::FileExt;

/// From, its offset, length, to, its offset.
fn copy<'a>(from: &'a [u8], from_offset: u64, length: u64, to: &'a [u8], to_offset: u64) -> Request<'a> {
    Request::Extended(Extended::CopyData { from, from_offset, length, to, to_offset })
}

#[test]
fn f06_a_file_is_never_copied_onto_itself() {
    let place = tempfile::tempdir().unwrap();
    let (file, hard) = (place.path().join("file"), place.path().join("hard"));
    let content: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
    fs::write(&file, &content).unwrap();
    fs::hard_link(&file, &hard).unwrap();
    std::os::unix::fs::symlink("file", place.path().join("link")).unwrap();
    let mut raw = Raw::start(Settings::default());
    let both = FXF_READ | FXF_WRITE;
    let one = raw.open(bytes(&file), both).handle();
    let others = [&file, &hard, &place.path().join("link"), &place.path().join("./file")];
    let mut handles: Vec<_> = others.iter().map(|path| raw.open(bytes(path), both).handle()).collect();
    handles.push(one.clone());
    for other in &handles {
        // Parts that overlap, parts that do not, and all of it, which would never end.
        for (from, length, to) in [(0, 10, 5), (0, 10, 50_000), (0, 0, 50_000), (0, 0, 0), (10, 0, 0)] {
            let got = raw.ask(&copy(&one, from, length, other, to));
            assert_eq!(got.code(), Code::Failure, "{from} {length} {to}");
        }
    }
    assert_eq!(fs::read(&file).unwrap(), content);
    raw.end().unwrap();
}

#[test]
fn f06_offsets_that_no_file_has_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let (file, target) = (place.path().join("file"), place.path().join("target"));
    fs::write(&file, b"content").unwrap();
    let mut raw = Raw::start(Settings::default());
    let (from, to) = (raw.open_read(bytes(&file)), raw.create(bytes(&target)));
    let last = i64::MAX as u64;
    for (a, length, b) in [
        (u64::MAX, 1, 0),
        (0, 1, u64::MAX),
        (u64::MAX, 0, 0),
        (0, 0, u64::MAX),
        (1, u64::MAX, 0),
        (0, u64::MAX, 1),
        (last, 1, 0),
        (0, last, 1),
        (0, 0, 1 << 63),
    ] {
        assert_eq!(raw.ask(&copy(&from, a, length, &to, b)).code(), Code::BadMessage, "{a} {length} {b}");
    }
    assert_eq!(fs::read(&target).unwrap(), b"");
    // From beyond the end there is nothing to copy; where something was asked for, that is too little.
    assert!(raw.ask(&copy(&from, 1 << 40, 0, &to, 0)).is_ok());
    assert_eq!(raw.ask(&copy(&from, 7, 1, &to, 0)).code(), Code::Eof);
    assert_eq!(fs::read(&target).unwrap(), b"");
    raw.end().unwrap();
}

#[test]
fn parts_and_whole_files_are_copied() {
    let place = tempfile::tempdir().unwrap();
    let (file, target) = (place.path().join("file"), place.path().join("target"));
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n / 7) as u8).collect();
    fs::write(&file, &content).unwrap();
    let mut raw = Raw::start(Settings::default());
    let (from, to) = (raw.open_read(bytes(&file)), raw.create(bytes(&target)));
    assert!(raw.ask(&copy(&from, 0, 0, &to, 0)).is_ok());
    assert_eq!(fs::read(&target).unwrap(), content);
    assert!(raw.ask(&copy(&from, 1000, 5, &to, 0)).is_ok());
    assert_eq!(fs::read(&target).unwrap()[..6], [&content[1000..1005], &content[5..6]].concat()[..]);
    // Fewer bytes than asked for are copied, and it is said.
    assert_eq!(raw.ask(&copy(&from, 2_999_990, 100, &to, 10)).code(), Code::Eof);
    assert_eq!(fs::read(&target).unwrap()[10..20], content[2_999_990..]);
    // To a file that is appended to, the kernel does not copy by itself.
    let appended = raw.open(bytes(&target), FXF_WRITE | FXF_APPEND).handle();
    assert!(raw.ask(&copy(&from, 0, 300_000, &appended, 0)).is_ok());
    let now = fs::read(&target).unwrap();
    assert_eq!((now.len(), &now[3_000_000..]), (3_300_000, &content[..300_000]));
    // Neither from one that it makes up as it is read.
    let made_up = raw.open_read(b"/proc/self/mountinfo");
    assert!(raw.ask(&copy(&made_up, 0, 0, &to, 0)).is_ok());
    assert!(fs::read(&target).unwrap().windows(3).any(|part| part == b" / "));
    let totals = raw.end().unwrap();
    assert!(totals.bytes_written > 3_300_000 && totals.bytes_written == totals.bytes_read);
}

#[test]
fn data_is_where_the_file_system_says() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("sparse");
    let file = fs::File::create(&path).unwrap();
    let far = 5 << 30;
    file.write_all_at(&[1; 65536], 1 << 20).unwrap();
    file.write_all_at(&[2; 65536], far).unwrap();
    file.set_len(far + (1 << 20)).unwrap();
    let mut raw = Raw::start(Settings::default());
    let handle = raw.open_read(bytes(&path));
    let mut ranges = |offset| {
        let got = raw.ask(&Request::Extended(Extended::DataRanges { handle: &handle, offset }));
        match got {
            Got::Extended(data) => decode_ranges(&data).unwrap(),
            other => panic!("{other:?}"),
        }
    };
    let all = ranges(0);
    let covers = |at: u64| all.iter().any(|(start, end)| *start <= at && at < *end);
    assert!(covers(1 << 20) && covers(far) && covers(far + 65535));
    // A file system without holes gives one range; ours have them.
    if all.len() > 1 {
        assert!(!covers(1 << 30) && !covers(far + (1 << 19)));
        assert!(ranges(far).iter().all(|(start, _)| *start >= far));
        assert_eq!(ranges(far + 65536), []);
    }
    assert_eq!(ranges(1 << 40), []);
    let read = raw.ask(&Request::Read { handle: &handle, offset: far - 4, length: 8 });
    assert_eq!(read.data(), [0, 0, 0, 0, 2, 2, 2, 2], "beyond 4 GiB");
    raw.end().unwrap();
}
