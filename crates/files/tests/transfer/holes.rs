//! Sparse files stay sparse.

use super::peers::{PEERS, Seen, bytes, raw};
use nacre_files::transfer::{Options, between, get, put};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

const SIZE: u64 = 5 * 1024 * 1024 * 1024 + 12_345;

/// Five gibibytes with three islands of data, and a hole at the end.
fn islands(path: &Path) {
    let file = std::fs::File::create(path).unwrap();
    for (seed, at) in [(1u64, 0u64), (2, 1_000_000_000), (3, (1 << 32) + 4096)] {
        file.write_all_at(&bytes(seed, 600_000), at).unwrap();
    }
    file.set_len(SIZE).unwrap();
}

fn check(path: &Path, most: u64, context: &str) {
    let metadata = std::fs::metadata(path).unwrap();
    assert_eq!(metadata.len(), SIZE, "{context}");
    assert!(metadata.blocks() * 512 < most, "{context}: {} bytes are used", metadata.blocks() * 512);
    let file = std::fs::File::open(path).unwrap();
    let mut data = vec![0; 600_100];
    for (seed, at) in [(1u64, 0u64), (2, 1_000_000_000), (3, (1 << 32) + 4096)] {
        file.read_exact_at(&mut data, at).unwrap();
        assert_eq!(data[..600_000], bytes(seed, 600_000), "{context}");
        assert_eq!(data[600_000..], [0; 100], "{context}");
    }
}

#[test]
fn a_file_over_4_gib_with_holes_keeps_them() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("from");
    islands(&from);
    for peer in PEERS {
        let to = folder.path().join("to");
        let start = std::time::Instant::now();
        let (mut remote, mut seen) = (peer.connect(), Seen::default());
        let report = put(&mut remote, std::slice::from_ref(&from), &raw(&to), &Options::default(), &mut seen).unwrap();
        assert_eq!(report.failed, 0, "{seen:?}");
        check(&to, 4_000_000, &format!("put {peer:?}"));
        assert!(start.elapsed().as_secs() < 120, "holes do not travel");
        std::fs::remove_file(&to).unwrap();
        if peer == super::peers::Peer::Nacre {
            let report = get(&mut remote, &[raw(&from)], &to, &Options::default(), &mut seen).unwrap();
            assert_eq!(report.failed, 0, "{seen:?}");
            check(&to, 4_000_000, "get");
            std::fs::remove_file(&to).unwrap();
            let mut other = peer.connect();
            let report = between(&mut remote, &[raw(&from)], &mut other, &raw(&to), &Options::default(), &mut seen);
            assert_eq!(report.unwrap().failed, 0, "{seen:?}");
            check(&to, 4_000_000, "between");
        }
    }
}

#[test]
fn zeros_from_a_server_that_does_not_tell_become_holes() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    let mut data = vec![0; 40_000_000];
    data[20_000_000..21_000_000].copy_from_slice(&bytes(1, 1_000_000));
    std::fs::write(&from, &data).unwrap();
    for peer in PEERS {
        let (mut remote, mut seen) = (peer.connect(), Seen::default());
        get(&mut remote, &[raw(&from)], &to, &Options::default(), &mut seen).unwrap();
        assert!(std::fs::read(&to).unwrap() == data, "{peer:?}");
        let used = std::fs::metadata(&to).unwrap().blocks() * 512;
        assert!(used < 2_000_000, "{peer:?}: {used} bytes are used");
    }
}
