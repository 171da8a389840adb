//! check-file and link-count: what lets a client know that a copy is one.

use crate::driver::{Got, Raw, bytes};
use nacre_crypto::{HashKind, Hasher};
use nacre_files::server::Settings;
use nacre_sftp::extended::{Check, CheckReply, CheckedFile};
use nacre_sftp::{Code, Extended, MAX_PACKET, Request};
use std::fs;

fn hash(kind: HashKind, data: &[u8]) -> Vec<u8> {
    let mut hasher = Hasher::new(kind);
    hasher.update(data);
    hasher.finish()
}

fn check<'a>(file: CheckedFile<'a>, algorithms: &'a str, (offset, length, block): (u64, u64, u32)) -> Request<'a> {
    let check = Check { algorithms: algorithms.as_bytes(), offset, length, block };
    Request::Extended(Extended::CheckFile { file, check })
}

#[test]
fn hashes_are_those_of_the_file() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("file");
    let content: Vec<u8> = (0..1_000_000_u32).map(|n| (n / 3) as u8).collect();
    fs::write(&path, &content).unwrap();
    let mut raw = Raw::start(Settings::default());
    let handle = raw.open_read(bytes(&path));
    for file in [CheckedFile::Handle(&handle), CheckedFile::Path(bytes(&path))] {
        for (name, kind) in [("sha256", HashKind::Sha256), ("sha512", HashKind::Sha512)] {
            let mut hashes = |range| {
                let data = raw.ask(&check(file, &format!("md5,{name},sha256"), range)).data();
                let reply = CheckReply::decode(&data).unwrap();
                assert_eq!(reply.algorithm, name.as_bytes());
                reply.hashes.to_vec()
            };
            assert_eq!(hashes((0, 0, 0)), hash(kind, &content));
            assert_eq!(hashes((5, 700_000, 0)), hash(kind, &content[5..700_005]));
            assert_eq!(hashes((999_999, u64::MAX, 0)), hash(kind, &content[999_999..]));
            let blocks: Vec<u8> = content.chunks(300_000).flat_map(|block| hash(kind, block)).collect();
            assert_eq!(hashes((0, 0, 300_000)), blocks);
            assert_eq!(hashes((300_000, 300_001, 300_000)), {
                [hash(kind, &content[300_000..600_000]), hash(kind, &content[600_000..600_001])].concat()
            });
            // Beyond the end there are no blocks; one hash of nothing is one all the same.
            assert_eq!(hashes((1_000_000, 0, 256)), b"");
            assert_eq!(hashes((1_000_000, 0, 0)), hash(kind, b""));
        }
    }
    raw.end().unwrap();
}

#[test]
fn f04_hashes_are_bounded_and_of_files_alone() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("file");
    fs::write(&path, vec![1; 4 << 20]).unwrap();
    let mut raw = Raw::start(Settings::default());
    let file = CheckedFile::Path(bytes(&path));
    // As many as a packet holds, from the beginning on.
    let data = raw.ask(&check(file, "sha256", (0, 0, 256))).data();
    let hashes = CheckReply::decode(&data).unwrap().hashes.to_vec();
    assert!(hashes.len().is_multiple_of(32) && hashes.len() > 200_000 && data.len() < MAX_PACKET);
    assert!(hashes.chunks(32).all(|one| one == hash(HashKind::Sha256, &[1; 256])));
    assert_eq!(raw.ask(&check(file, "sha256", (0, 0, 255))).code(), Code::BadMessage);
    assert_eq!(raw.ask(&check(file, "md5,crc32,sha", (0, 0, 0))).code(), Code::Failure);
    assert_eq!(raw.ask(&check(file, "", (0, 0, 0))).code(), Code::Failure);
    assert_eq!(raw.ask(&check(file, "sha256", (u64::MAX, 0, 0))).code(), Code::BadMessage);
    // A device need not have an end.
    for (path, code) in [(&b"/dev/zero"[..], Code::Failure), (b"/", Code::Failure), (b"/no/such", Code::NoSuchFile)] {
        assert_eq!(raw.ask(&check(CheckedFile::Path(path), "sha256", (0, 0, 0))).code(), code);
    }
    raw.end().unwrap();
}

#[test]
fn names_of_a_file_are_counted() {
    let place = tempfile::tempdir().unwrap();
    let (one, two, link) = (place.path().join("one"), place.path().join("two"), place.path().join("link"));
    fs::write(&one, b"").unwrap();
    fs::hard_link(&one, &two).unwrap();
    std::os::unix::fs::symlink("one", &link).unwrap();
    let mut raw = Raw::start(Settings::default());
    for (path, count) in [(&one, 2_u64), (&link, 1)] {
        let got = raw.ask(&Request::Extended(Extended::LinkCount { path: bytes(path) }));
        assert_eq!(got, Got::Extended(count.to_be_bytes().to_vec()));
    }
    raw.end().unwrap();
}
