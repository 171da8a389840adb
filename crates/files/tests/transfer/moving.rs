//! Files of every awkward size, trees, modes, times and places, both ways.

use super::peers::{PEERS, Peer, Seen, bytes, part_of, raw, tree, write};
use nacre_files::transfer::{Options, between, get, put};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

const SIZES: [usize; 12] = [
    0,
    1,
    4095,
    4096,
    32 * 1024,
    252 * 1024 - 1,
    252 * 1024,
    252 * 1024 + 1,
    255 * 1024,
    255 * 1024 + 1,
    1024 * 1024,
    3 * 1024 * 1024 + 17,
];

fn recursive() -> Options {
    Options { recursive: true, ..Options::default() }
}

fn move_tree(peer: Peer, up: bool, from: &Path, to: &Path, options: &Options) -> Seen {
    let (mut remote, mut seen) = (peer.connect(), Seen::default());
    let report = if up {
        put(&mut remote, &[from.to_owned()], &raw(to), options, &mut seen)
    } else {
        get(&mut remote, &[raw(from)], to, options, &mut seen)
    };
    let report = report.unwrap();
    assert_eq!(report.failed as usize, seen.failed.len(), "{seen:?}");
    assert_eq!(report.files as usize, seen.finished);
    seen
}

#[test]
fn every_size_arrives_whole_in_both_directions() {
    for peer in PEERS {
        for up in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let (from, to) = (folder.path().join("from"), folder.path().join("to"));
            for (place, size) in SIZES.iter().enumerate() {
                write(&from.join(format!("f{size}")), place as u64, *size);
            }
            let seen = move_tree(peer, up, &from, &to, &recursive());
            assert!(seen.failed.is_empty(), "{peer:?} {up} {seen:?}");
            assert_eq!(seen.finished, SIZES.len());
            assert_eq!(seen.planned, (SIZES.len() as u64, SIZES.iter().map(|size| *size as u64).sum()));
            assert_eq!(tree(&from), tree(&to), "{peer:?} {up}");
        }
    }
}

#[test]
fn any_size_of_piece_and_number_of_requests_will_do() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("from");
    write(&from.join("a"), 1, 300_001);
    write(&from.join("b"), 2, 65_536);
    for peer in PEERS {
        for up in [true, false] {
            for (place, (buffer, requests)) in
                [(1000, 1), (4096, 3), (65_536, 2), (1 << 30, 64)].into_iter().enumerate()
            {
                let to = folder.path().join(format!("to-{peer:?}-{up}-{place}"));
                let options = Options { buffer, requests, ..recursive() };
                let seen = move_tree(peer, up, &from, &to, &options);
                assert!(seen.failed.is_empty(), "{peer:?} {up} {buffer} {seen:?}");
                assert_eq!(tree(&from), tree(&to), "{peer:?} {up} {buffer}");
            }
        }
    }
}

#[test]
fn trees_keep_their_shape_and_with_preserve_modes_and_times() {
    for peer in PEERS {
        for up in [true, false] {
            for preserve in [true, false] {
                let folder = tempfile::tempdir().unwrap();
                let (from, to) = (folder.path().join("from"), folder.path().join("to"));
                for (place, path) in
                    ["a/b/c/d/e", "a/b/x", "a/y", "z", ".hidden", "a/with space", "a/-dash"].iter().enumerate()
                {
                    write(&from.join(path), place as u64, 1000 * place);
                }
                std::fs::create_dir_all(from.join("empty/in")).unwrap();
                std::fs::set_permissions(from.join("z"), PermissionsExt::from_mode(0o600)).unwrap();
                std::fs::set_permissions(from.join("a/y"), PermissionsExt::from_mode(0o4755)).unwrap();
                std::fs::set_permissions(from.join("a/b/c"), PermissionsExt::from_mode(0o500)).unwrap();
                let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
                for path in ["a/b/x", "z", "a/b"] {
                    std::fs::File::open(from.join(path)).unwrap().set_modified(old).unwrap();
                }
                let seen = move_tree(peer, up, &from, &to, &Options { preserve, ..recursive() });
                assert!(seen.failed.is_empty(), "{peer:?} {up} {seen:?}");
                let (mut wanted, there) = (tree(&from), tree(&to));
                // Threat F9: who may run it as whom is not for a copy to keep.
                wanted.get_mut(Path::new("a/y")).unwrap().0 = 0o755;
                assert_eq!(wanted, there, "{peer:?} {up} {preserve}");
                for path in ["a/b/x", "z", "a/b"] {
                    let modified = std::fs::metadata(to.join(path)).unwrap().modified().unwrap();
                    assert_eq!(modified == old, preserve, "{peer:?} {up} {path}");
                }
            }
        }
    }
}

#[test]
fn a_copy_goes_into_a_folder_or_gets_the_name_it_is_given() {
    for peer in PEERS {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let data = write(&at("src/one"), 1, 5000);
        let other = write(&at("src/two"), 2, 6000);
        std::fs::create_dir(at("dir")).unwrap();
        let (mut remote, mut seen) = (peer.connect(), Seen::default());
        let options = recursive();
        put(&mut remote, &[at("src/one")], &raw(&at("named")), &options, &mut seen).unwrap();
        put(&mut remote, &[at("src/one"), at("src/two")], &raw(&at("dir")), &options, &mut seen).unwrap();
        get(&mut remote, &[raw(&at("src/two"))], &at("gotten"), &options, &mut seen).unwrap();
        get(&mut remote, &[raw(&at("src"))], &at("dir"), &options, &mut seen).unwrap();
        get(&mut remote, &[raw(&at("src/."))], &at("copy"), &options, &mut seen).unwrap();
        put(&mut remote, &[at("src/")], &raw(&at("dir/src")), &options, &mut seen).unwrap();
        assert!(seen.failed.is_empty(), "{seen:?}");
        for (name, wanted) in [
            ("named", &data),
            ("dir/one", &data),
            ("dir/two", &other),
            ("gotten", &other),
            ("dir/src/one", &data),
            ("copy/two", &other),
            ("dir/src/src/two", &other),
        ] {
            assert_eq!(&std::fs::read(at(name)).unwrap(), wanted, "{peer:?} {name}");
        }
        // Several need a folder; a folder needs to be asked for; a name that ends in a slash is a folder's.
        let many = put(&mut remote, &[at("src/one"), at("src/two")], &raw(&at("named")), &options, &mut seen);
        assert!(many.unwrap_err().to_string().contains("not a directory"));
        let many = get(&mut remote, &[raw(&at("src/one")), raw(&at("src/two"))], &at("none"), &options, &mut seen);
        assert!(many.unwrap_err().to_string().contains("not a directory"));
        let report = get(&mut remote, &[raw(&at("src"))], &at("x"), &Options::default(), &mut seen).unwrap();
        assert_eq!((report.failed, report.files), (1, 0));
        assert!(seen.failed["src"].contains("-r"), "{seen:?}");
        let report = put(&mut remote, &[at("src/one")], b"/nowhere/at/all/", &options, &mut seen).unwrap();
        assert_eq!(report.failed, 1);
    }
}

#[test]
fn files_that_are_there_are_replaced_and_keep_their_own_mode() {
    for peer in PEERS {
        for up in [true, false] {
            for many in [false, true] {
                let folder = tempfile::tempdir().unwrap();
                let (from, to) = (folder.path().join("from"), folder.path().join("to"));
                let names = if many { 20 } else { 2 };
                for name in 0..names {
                    write(&from.join(name.to_string()), name, 3000);
                    write(&to.join(name.to_string()), 100 + name, 9000);
                    std::fs::set_permissions(to.join(name.to_string()), PermissionsExt::from_mode(0o640)).unwrap();
                }
                let before = std::fs::metadata(to.join("1")).unwrap().ino();
                let (mut remote, mut seen) = (peer.connect(), Seen::default());
                let options = recursive();
                let from_inner = from.join(".");
                let report = if up {
                    put(&mut remote, &[from_inner], &raw(&to), &options, &mut seen)
                } else {
                    get(&mut remote, &[raw(&from_inner)], &to, &options, &mut seen)
                };
                assert_eq!(report.unwrap().files, names, "{seen:?}");
                for name in 0..names {
                    let path = to.join(name.to_string());
                    assert_eq!(std::fs::read(&path).unwrap(), bytes(name, 3000), "{peer:?} {up}");
                    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o640, "{peer:?} {up}");
                    assert!(!part_of(&path).exists());
                }
                assert_ne!(before, std::fs::metadata(to.join("1")).unwrap().ino(), "renamed into its place");
            }
        }
    }
}

#[test]
fn a_file_with_more_names_and_one_reached_by_a_link_are_written_into() {
    for peer in PEERS {
        for up in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let at = |name: &str| folder.path().join(name);
            let data = write(&at("from"), 1, 70_000);
            write(&at("twin"), 2, 90_000);
            std::fs::hard_link(at("twin"), at("to")).unwrap();
            write(&at("far/real"), 3, 10);
            symlink(at("far/real"), at("link")).unwrap();
            let (mut remote, mut seen) = (peer.connect(), Seen::default());
            for target in ["to", "link"] {
                if up {
                    put(&mut remote, &[at("from")], &raw(&at(target)), &Options::default(), &mut seen).unwrap();
                } else {
                    get(&mut remote, &[raw(&at("from"))], &at(target), &Options::default(), &mut seen).unwrap();
                }
            }
            assert!(seen.failed.is_empty(), "{peer:?} {up} {seen:?}");
            for name in ["to", "twin", "link", "far/real"] {
                assert_eq!(std::fs::read(at(name)).unwrap(), data, "{peer:?} {up} {name}");
            }
            assert!(std::fs::symlink_metadata(at("link")).unwrap().is_symlink());
        }
    }
}

#[test]
fn in_place_keeps_the_file_itself_and_long_names_need_no_part() {
    for peer in PEERS {
        for up in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let (from, to) = (folder.path().join("from"), folder.path().join("to"));
            let long = "n".repeat(250);
            let data = write(&from.join("x"), 1, 100_000);
            let other = write(&from.join(&long), 2, 100_000);
            write(&to.join("from/x"), 3, 500_000);
            let inode = std::fs::metadata(to.join("from/x")).unwrap().ino();
            let options = Options { in_place: true, ..recursive() };
            let seen = move_tree(peer, up, &from, &to, &options);
            assert!(seen.failed.is_empty(), "{peer:?} {up} {seen:?}");
            assert_eq!(std::fs::read(to.join("from/x")).unwrap(), data);
            assert_eq!(inode, std::fs::metadata(to.join("from/x")).unwrap().ino());
            let again = folder.path().join("again");
            move_tree(peer, up, &from, &again, &recursive());
            assert_eq!(std::fs::read(again.join(&long)).unwrap(), other, "{peer:?} {up}");
        }
    }
}

#[test]
fn links_to_files_are_followed_and_those_to_folders_left_out() {
    for peer in PEERS {
        for up in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let (from, to) = (folder.path().join("from"), folder.path().join("to"));
            let data = write(&from.join("real"), 1, 1000);
            std::fs::create_dir(from.join("sub")).unwrap();
            symlink("real", from.join("link")).unwrap();
            symlink("sub", from.join("loop")).unwrap();
            symlink("..", from.join("sub/up")).unwrap();
            symlink("nowhere", from.join("dangling")).unwrap();
            rustix::fs::mkfifoat(rustix::fs::CWD, from.join("fifo"), rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
            let seen = move_tree(peer, up, &from, &to, &recursive());
            assert_eq!(seen.failed.keys().collect::<Vec<_>>(), ["dangling"], "{peer:?} {up} {seen:?}");
            assert_eq!(seen.notes.len(), 3, "{seen:?}");
            let there = tree(&to);
            assert_eq!(there.len(), 3, "{there:?}");
            assert_eq!(there[Path::new("link")].1.as_ref(), Some(&data));
            let without = folder.path().join("without");
            let seen = move_tree(peer, up, &from, &without, &Options { skip_links: true, ..recursive() });
            assert!(seen.failed.is_empty() && !without.join("link").exists(), "{seen:?}");
        }
    }
}

#[test]
fn ten_thousand_small_files_arrive() {
    // In memory where that can be had: this is not about the disk.
    let memory = Path::new("/dev/shm");
    let folder = tempfile::tempdir_in(if memory.is_dir() { memory } else { Path::new("/tmp") }).unwrap();
    let from = folder.path().join("from");
    for place in 0..10_000u64 {
        let path = from.join((place % 7).to_string());
        if place < 7 {
            std::fs::create_dir_all(&path).unwrap();
        }
        std::fs::write(path.join(place.to_string()), bytes(place, (place % 300) as usize)).unwrap();
    }
    let wanted = tree(&from);
    for peer in PEERS {
        for up in [true, false] {
            let to = folder.path().join(format!("to-{peer:?}-{up}"));
            let seen = move_tree(peer, up, &from, &to, &recursive());
            assert_eq!((seen.finished, seen.failed.len()), (10_000, 0));
            assert!(tree(&to) == wanted, "{peer:?} {up}");
            std::fs::remove_dir_all(&to).unwrap();
        }
    }
}

#[test]
fn from_one_server_to_another_through_here() {
    for from_peer in PEERS {
        for to_peer in PEERS {
            let folder = tempfile::tempdir().unwrap();
            let (from, to) = (folder.path().join("from"), folder.path().join("to"));
            for (place, size) in SIZES.iter().enumerate() {
                write(&from.join(format!("{}/f{size}", place % 3)), place as u64, *size);
            }
            write(&from.join("large"), 99, 30_000_000);
            let (mut near, mut far, mut seen) = (from_peer.connect(), to_peer.connect(), Seen::default());
            let options = Options { preserve: true, verify: true, ..recursive() };
            let report = between(&mut near, &[raw(&from)], &mut far, &raw(&to), &options, &mut seen).unwrap();
            assert_eq!((report.files as usize, report.failed), (SIZES.len() + 1, 0), "{seen:?}");
            assert_eq!(seen.verified.len(), SIZES.len() + 1);
            assert!(tree(&from) == tree(&to), "{from_peer:?} {to_peer:?}");
        }
    }
}

#[test]
fn a_limit_slows_it_down() {
    let folder = tempfile::tempdir().unwrap();
    let data = write(&folder.path().join("from"), 1, 300_000);
    for up in [true, false] {
        let (mut remote, mut seen) = (Peer::Nacre.connect(), Seen::default());
        let to = folder.path().join("to");
        let options = Options { limit: Some(400_000), ..Options::default() };
        let start = std::time::Instant::now();
        if up {
            put(&mut remote, &[folder.path().join("from")], &raw(&to), &options, &mut seen).unwrap();
        } else {
            get(&mut remote, &[raw(&folder.path().join("from"))], &to, &options, &mut seen).unwrap();
        }
        let seconds = start.elapsed().as_secs_f64();
        assert!(seconds > 0.5, "300 kB at 400 kB a second took {seconds}");
        assert_eq!(std::fs::read(&to).unwrap(), data);
        assert!(!seen.progress.is_empty());
    }
}
