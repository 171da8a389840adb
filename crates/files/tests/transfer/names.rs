//! Names of any bytes arrive as they are, and are harmless where they are shown (threat U2).

use super::peers::{PEERS, Seen, bytes, part_of, raw};
use nacre_files::transfer::{Options, get, put};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

#[test]
fn any_bytes_but_slash_and_nul_make_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("from");
    std::fs::create_dir(&from).unwrap();
    let mut names: Vec<Vec<u8>> = (1..=255u8).filter(|byte| *byte != b'/').map(|byte| vec![b'n', byte]).collect();
    names.extend([vec![0xff, 0xfe], b"-rf *".to_vec(), b"a\nb\x1b[2J".to_vec(), b"...".to_vec(), vec![b'l'; 255]]);
    for (place, name) in names.iter().enumerate() {
        std::fs::write(from.join(OsStr::from_bytes(name)), bytes(place as u64, place)).unwrap();
    }
    for peer in PEERS {
        for up in [true, false] {
            let to = folder.path().join(format!("{peer:?}-{up}"));
            let (mut remote, mut seen) = (peer.connect(), Seen::default());
            let options = Options { recursive: true, ..Options::default() };
            let report = if up {
                put(&mut remote, std::slice::from_ref(&from), &raw(&to), &options, &mut seen)
            } else {
                get(&mut remote, &[raw(&from)], &to, &options, &mut seen)
            };
            assert_eq!(report.unwrap().files as usize, names.len(), "{seen:?}");
            assert!(super::peers::tree(&from) == super::peers::tree(&to), "{peer:?} {up}");
        }
    }
}

#[test]
fn u02_what_is_said_of_evil_names_is_one_harmless_line() {
    let folder = tempfile::tempdir().unwrap();
    let evil = folder.path().join(OsStr::from_bytes(b"a\nb\x1b[2J\xff"));
    for peer in PEERS {
        let (mut remote, mut seen) = (peer.connect(), Seen::default());
        put(&mut remote, std::slice::from_ref(&evil), b"/tmp/nowhere-at-all", &Options::default(), &mut seen).unwrap();
        get(&mut remote, &[raw(&evil)], Path::new("/tmp/nowhere-at-all"), &Options::default(), &mut seen).unwrap();
        std::fs::create_dir(&evil).unwrap();
        get(&mut remote, &[raw(&evil)], Path::new("/tmp/nowhere-at-all"), &Options::default(), &mut seen).unwrap();
        std::fs::remove_dir(&evil).unwrap();
        assert!(!seen.failed.is_empty());
        for line in seen.failed.values().chain(&seen.notes) {
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
    }
}

#[test]
fn a_part_is_hidden_beside_its_file() {
    assert_eq!(part_of(Path::new("/x/name")), Path::new("/x/.name.nacre-part"));
}
