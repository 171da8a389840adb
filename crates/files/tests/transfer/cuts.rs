//! Connections that end in the middle, and transfers that go on afterwards.

use super::peers::{Cut, PEERS, Peer, Seen, part_of, raw, servers_end, write};
use nacre_files::remote::Error;
use nacre_files::transfer::{How, Options, get, put};
use std::path::{Path, PathBuf};

const SIZE: usize = 24_000_000;

/// Nothing ends a stream but the cut.
const ENDLESS: u64 = u64::MAX;

fn resume() -> Options {
    Options { resume: true, ..Options::default() }
}

fn cut_transfer(peer: Peer, up: bool, cut: u64, options: &Options, (from, to): (&Path, &Path)) -> Error {
    let cut = if up { Cut { to: cut, from: ENDLESS } } else { Cut { to: ENDLESS, from: cut } };
    let mut remote = peer.connect_until(cut);
    let mut seen = Seen::default();
    let error = if up {
        put(&mut remote, &[from.to_owned()], &raw(to), options, &mut seen)
    } else {
        get(&mut remote, &[raw(from)], to, options, &mut seen)
    }
    .unwrap_err();
    assert!(seen.failed.contains_key(from.file_name().unwrap().to_str().unwrap()), "{seen:?}");
    error
}

fn whole_transfer(peer: Peer, up: bool, options: &Options, (from, to): (&Path, &Path)) -> (u64, Seen) {
    let (mut remote, mut seen) = (peer.connect(), Seen::default());
    let report = if up {
        put(&mut remote, &[from.to_owned()], &raw(to), options, &mut seen)
    } else {
        get(&mut remote, &[raw(from)], to, options, &mut seen)
    };
    let report = report.unwrap();
    assert_eq!(report.failed, 0, "{seen:?}");
    (report.bytes, seen)
}

/// How much there is when the server's own end has seen the cut as well.
fn settled(part: &Path) -> u64 {
    servers_end();
    length(part)
}

fn length(part: &Path) -> u64 {
    std::fs::metadata(part).map_or(0, |metadata| metadata.len())
}

#[test]
fn what_was_cut_anywhere_goes_on_with_little_sent_twice() {
    for peer in PEERS {
        for up in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let (from, to) = (folder.path().join("from"), folder.path().join("to"));
            let data = write(&from, 7, SIZE);
            for cut in [700_000u64, 9_000_000, 23_500_000] {
                let _ = std::fs::remove_file(&to);
                let error = cut_transfer(peer, up, cut, &Options::default(), (&from, &to));
                assert!(matches!(error, Error::Closed), "{error}");
                assert!(!to.exists(), "nothing incomplete has the name");
                let left = settled(&part_of(&to));
                assert!(left > cut * 9 / 10 - 300_000, "{peer:?} {up}: {left} of {cut}");
                let (sent, seen) = whole_transfer(peer, up, &resume(), (&from, &to));
                assert_eq!(std::fs::read(&to).unwrap(), data, "{peer:?} {up} {cut}");
                assert!(!part_of(&to).exists());
                let (resumed_at, how) = seen.started["from"];
                let expected = match peer {
                    Peer::Nacre => How::Hash,
                    Peer::OpenSsh if left <= SIZE as u64 / 10 => How::ReadBack,
                    Peer::OpenSsh => How::SizeAndTime,
                };
                assert_eq!(how, expected, "{peer:?} {up} {cut}");
                assert_eq!(resumed_at, left, "{peer:?} {up} {cut}");
                let back = if how == How::ReadBack { left } else { 0 };
                assert_eq!(sent, SIZE as u64 - left + back, "{peer:?} {up} {cut}");
            }
        }
    }
}

#[test]
fn a_part_of_something_else_is_not_gone_on_with() {
    for peer in PEERS {
        for up in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let (from, to) = (folder.path().join("from"), folder.path().join("to"));
            let data = write(&from, 7, SIZE);
            write(&part_of(&to), 8, 15_000_000);
            let (sent, seen) = whole_transfer(peer, up, &resume(), (&from, &to));
            assert_eq!(seen.started["from"], (0, How::Mismatch), "{peer:?} {up}");
            assert_eq!(sent, SIZE as u64);
            assert_eq!(std::fs::read(&to).unwrap(), data);
            // Longer than the source is no part of it either.
            write(&part_of(&to), 7, SIZE + 1);
            let (_, seen) = whole_transfer(peer, up, &resume(), (&from, &to));
            assert_eq!(seen.started["from"], (0, How::Mismatch), "{peer:?} {up}");
            assert_eq!(std::fs::read(&to).unwrap(), data);
        }
    }
}

#[test]
fn a_source_that_changed_since_the_cut_is_begun_again() {
    for peer in PEERS {
        for up in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let (from, to) = (folder.path().join("from"), folder.path().join("to"));
            write(&from, 7, SIZE);
            cut_transfer(peer, up, 12_000_000, &Options::default(), (&from, &to));
            settled(&part_of(&to));
            let data = write(&from, 9, SIZE);
            let later = std::time::SystemTime::now() + std::time::Duration::from_secs(7);
            std::fs::File::open(&from).unwrap().set_modified(later).unwrap();
            let (_, seen) = whole_transfer(peer, up, &resume(), (&from, &to));
            assert_eq!(seen.started["from"], (0, How::Mismatch), "{peer:?} {up}");
            assert_eq!(std::fs::read(&to).unwrap(), data, "{peer:?} {up}");
        }
    }
}

#[test]
fn hashes_find_where_a_part_goes_wrong() {
    for up in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let data = write(&from, 7, SIZE);
        let mut part = data[..20_000_000].to_vec();
        part[9_000_000] ^= 1;
        std::fs::write(part_of(&to), part).unwrap();
        let (sent, seen) = whole_transfer(Peer::Nacre, up, &resume(), (&from, &to));
        assert_eq!(seen.started["from"], (8 * 1024 * 1024, How::Hash));
        assert_eq!(sent, SIZE as u64 - 8 * 1024 * 1024);
        assert_eq!(std::fs::read(&to).unwrap(), data);
    }
}

#[test]
fn in_place_goes_on_in_the_file_itself() {
    for peer in PEERS {
        for up in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let (from, to) = (folder.path().join("from"), folder.path().join("to"));
            let data = write(&from, 7, SIZE);
            std::fs::write(&to, &data[..10_000_000]).unwrap();
            let options = Options { in_place: true, ..resume() };
            let (sent, seen) = whole_transfer(peer, up, &options, (&from, &to));
            assert_eq!(seen.started["from"].0, 10_000_000, "{peer:?} {up}");
            assert_eq!(sent, SIZE as u64 - 10_000_000);
            assert_eq!(std::fs::read(&to).unwrap(), data);
        }
    }
}

#[test]
fn what_is_complete_stays_and_the_rest_follows() {
    for peer in PEERS {
        for up in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let (from, to) = (folder.path().join("from"), folder.path().join("to"));
            for name in 0..60u64 {
                write(&from.join(name.to_string()), name, 200_000);
            }
            let wanted = super::peers::tree(&from);
            let cut = if up { Cut { to: 5_000_000, from: ENDLESS } } else { Cut { to: ENDLESS, from: 5_000_000 } };
            let (mut remote, mut seen) = (peer.connect_until(cut), Seen::default());
            let options = Options { recursive: true, ..Options::default() };
            let error = if up {
                put(&mut remote, std::slice::from_ref(&from), &raw(&to), &options, &mut seen)
            } else {
                get(&mut remote, &[raw(&from)], &to, &options, &mut seen)
            };
            assert!(matches!(error.unwrap_err(), Error::Closed));
            drop(remote);
            servers_end();
            let whole: Vec<PathBuf> =
                (0..60).map(|name| to.join(name.to_string())).filter(|path| path.exists()).collect();
            assert!(whole.len() > 5 && whole.len() < 30, "{peer:?} {up}: {}", whole.len());
            for path in &whole {
                let content = std::fs::read(path).unwrap();
                assert_eq!(Some(&content), wanted[Path::new(path.file_name().unwrap())].1.as_ref(), "{path:?}");
            }
            let from_inner = from.join(".");
            let options = Options { resume: true, ..options };
            let (mut remote, mut seen) = (peer.connect(), Seen::default());
            let report = if up {
                put(&mut remote, &[from_inner], &raw(&to), &options, &mut seen)
            } else {
                get(&mut remote, &[raw(&from_inner)], &to, &options, &mut seen)
            };
            assert_eq!(report.unwrap().files, 60);
            assert!(super::peers::tree(&to) == wanted, "{peer:?} {up} {:?}", super::peers::tree(&to).keys());
        }
    }
}

#[test]
fn a_cancelled_transfer_leaves_a_part_and_a_connection_that_still_serves() {
    for peer in PEERS {
        for up in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let (from, to) = (folder.path().join("from"), folder.path().join("to"));
            let data = write(&from, 7, SIZE);
            let mut remote = peer.connect();
            let mut seen = Seen { cancel_at: Some(1_000_000), ..Seen::default() };
            let options = Options { limit: Some(8_000_000), ..Options::default() };
            let error = if up {
                put(&mut remote, std::slice::from_ref(&from), &raw(&to), &options, &mut seen)
            } else {
                get(&mut remote, &[raw(&from)], &to, &options, &mut seen)
            };
            assert!(matches!(error.unwrap_err(), Error::Cancelled));
            assert_eq!(remote.stat(&raw(&from)).unwrap().size, Some(SIZE as u64), "the connection still serves");
            assert!(!to.exists() && length(&part_of(&to)) >= 1_000_000, "{peer:?} {up}");
            let mut seen = Seen::default();
            if up {
                put(&mut remote, std::slice::from_ref(&from), &raw(&to), &resume(), &mut seen).unwrap();
            } else {
                get(&mut remote, &[raw(&from)], &to, &resume(), &mut seen).unwrap();
            }
            assert!(seen.started["from"].0 >= 1_000_000, "{peer:?} {up} {seen:?}");
            assert_eq!(std::fs::read(&to).unwrap(), data);
        }
    }
}
