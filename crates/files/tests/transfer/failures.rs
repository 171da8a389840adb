//! What goes wrong with one file is said of that file, and the others go on.

use super::peers::{PEERS, Peer, Seen, bytes, part_of, raw, refusing, write};
use nacre_files::remote::Remote;
use nacre_files::server::{Settings, serve};
use nacre_files::transfer::{Event, Options, Report, Watcher, get, put};
use nacre_sftp::{Code, Request};
use std::path::{Path, PathBuf};
use std::process::Command;

fn recursive() -> Options {
    Options { recursive: true, ..Options::default() }
}

/// Does something as soon as the first file has begun, before any of its bytes moved.
struct Meddler<F: FnMut()> {
    seen: Seen,
    meddle: Option<F>,
}

impl<F: FnMut()> Watcher for Meddler<F> {
    fn event(&mut self, event: &Event<'_>) {
        self.seen.event(event);
        if matches!(event, Event::Started { .. })
            && let Some(mut meddle) = self.meddle.take()
        {
            meddle();
        }
    }
}

fn meddled(peer: Peer, up: bool, (from, to): (&Path, &Path), meddle: impl FnMut()) -> (Report, Seen) {
    let mut remote = peer.connect();
    let mut watcher = Meddler { seen: Seen::default(), meddle: Some(meddle) };
    let report = if up {
        put(&mut remote, &[from.to_owned()], &raw(to), &recursive(), &mut watcher)
    } else {
        get(&mut remote, &[raw(from)], to, &recursive(), &mut watcher)
    };
    (report.unwrap(), watcher.seen)
}

#[test]
fn a_source_that_grows_is_copied_to_its_end() {
    for peer in PEERS {
        for up in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let (from, to) = (folder.path().join("from"), folder.path().join("to"));
            let mut data = write(&from, 1, 3_000_000);
            let more = bytes(2, 1_000_001);
            let (report, seen) = meddled(peer, up, (&from, &to), || {
                let mut file = std::fs::File::options().append(true).open(&from).unwrap();
                std::io::Write::write_all(&mut file, &more).unwrap();
            });
            assert_eq!((report.files, report.failed), (1, 0), "{peer:?} {up} {seen:?}");
            assert!(seen.notes.iter().any(|note| note.contains("grew")), "{seen:?}");
            data.extend_from_slice(&more);
            assert!(std::fs::read(&to).unwrap() == data, "{peer:?} {up}");
        }
    }
}

#[test]
fn a_source_that_is_written_over_or_cut_short_fails_and_stays_a_part() {
    for peer in PEERS {
        for up in [true, false] {
            for shorter in [true, false] {
                let folder = tempfile::tempdir().unwrap();
                let (from, to) = (folder.path().join("from"), folder.path().join("to"));
                write(&from, 1, 3_000_000);
                write(&to, 9, 10);
                let (report, seen) = meddled(peer, up, (&from, &to), || {
                    let file = std::fs::File::options().write(true).open(&from).unwrap();
                    if shorter {
                        file.set_len(1_000_000).unwrap();
                    } else {
                        use std::os::unix::fs::FileExt;
                        file.write_all_at(b"other", 2_000_000).unwrap();
                        file.set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(5)).unwrap();
                    }
                });
                assert_eq!((report.files, report.failed), (0, 1), "{peer:?} {up} {shorter} {seen:?}");
                assert!(seen.failed["from"].contains("changed while it was being copied"), "{seen:?}");
                assert_eq!(std::fs::read(&to).unwrap(), bytes(9, 10), "what was there before is untouched");
                assert!(part_of(&to).exists(), "{peer:?} {up} {shorter}");
            }
        }
    }
}

#[test]
fn sources_that_vanish_are_named_and_the_others_arrive() {
    for peer in PEERS {
        for up in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let (from, to) = (folder.path().join("from"), folder.path().join("to"));
            for name in 0..600u64 {
                write(&from.join(name.to_string()), name, 5000);
            }
            let (report, seen) = meddled(peer, up, (&from, &to), || {
                (0..600).for_each(|name| std::fs::remove_file(from.join(name.to_string())).unwrap());
            });
            assert_eq!(report.files + report.failed, seen.planned.0, "{peer:?} {up}");
            assert!(report.failed > 0 && report.files > 0, "{report:?}");
            assert!(seen.failed.values().all(|error| error.contains("No such file")), "{seen:?}");
            for name in 0..600u64 {
                let path = to.join(name.to_string());
                let there = !seen.failed.contains_key(&name.to_string());
                let there = there && seen.started.contains_key(&name.to_string());
                assert_eq!(std::fs::read(&path).ok(), there.then(|| bytes(name, 5000)), "{peer:?} {up} {path:?}");
                assert!(!part_of(&path).exists());
            }
        }
    }
}

#[test]
fn a_full_device_fails_the_file_with_a_clear_word() {
    for peer in PEERS {
        for up in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let from = folder.path().join("from");
            write(&from, 1, 600_000);
            let full = Path::new("/dev/full");
            let (mut remote, mut seen) = (peer.connect(), Seen::default());
            let report = if up {
                put(&mut remote, std::slice::from_ref(&from), &raw(full), &Options::default(), &mut seen)
            } else {
                get(&mut remote, &[raw(&from)], full, &Options::default(), &mut seen)
            };
            assert_eq!((report.unwrap().failed, seen.finished), (1, 0), "{peer:?} {up} {seen:?}");
            let words = if up { "write" } else { "No space left on device" };
            assert!(seen.failed["from"].contains(words), "{seen:?}");
        }
    }
}

/// A file system of two mebibytes, unmounted when it goes.
struct Small(PathBuf);

impl Small {
    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir(at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(at).output();
        mounted.is_ok_and(|mounted| mounted.status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_leaves_what_was_there_and_a_part_that_goes_on_when_there_is_room() {
    for peer in PEERS {
        for up in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let Some(small) = Small::mount(&folder.path().join("small")) else {
                eprintln!("SKIPPED: a full disk needs the right to mount a file system");
                return;
            };
            let from = folder.path().join("from");
            let to = small.0.join("to");
            let data = write(&from, 1, 1_800_000);
            let ballast = small.0.join("ballast");
            write(&ballast, 2, 900_000);
            write(&to, 3, 50_000);
            let (mut remote, mut seen) = (peer.connect(), Seen::default());
            let mut go = |options: &Options, seen: &mut Seen| {
                if up {
                    put(&mut remote, std::slice::from_ref(&from), &raw(&to), options, seen)
                } else {
                    get(&mut remote, &[raw(&from)], &to, options, seen)
                }
            };
            assert_eq!(go(&Options::default(), &mut seen).unwrap().failed, 1, "{peer:?} {up} {seen:?}");
            assert_eq!(std::fs::read(&to).unwrap(), bytes(3, 50_000), "what was there is untouched");
            let left = std::fs::metadata(part_of(&to)).unwrap().len();
            assert!(left > 500_000, "{peer:?} {up} {left}");
            std::fs::remove_file(&ballast).unwrap();
            std::fs::remove_file(&to).unwrap();
            let mut seen = Seen::default();
            let report = go(&Options { resume: true, ..Options::default() }, &mut seen).unwrap();
            assert_eq!((report.files, report.bytes), (1, data.len() as u64 - left), "{peer:?} {up} {seen:?}");
            assert_eq!(std::fs::read(&to).unwrap(), data);
        }
    }
}

#[test]
fn a_server_that_refuses_everything_fails_each_file_and_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("from");
    for name in 0..5 {
        write(&from.join(name.to_string()), name, 100);
    }
    let to = folder.path().join("to");
    std::fs::create_dir(&to).unwrap();
    let (near_input, far_output) = super::peers::pipe();
    let (far_input, near_output) = super::peers::pipe();
    let settings = Settings { read_only: true, ..Settings::default() };
    std::thread::spawn(move || serve(settings, far_input, far_output).map(drop));
    let mut remote = Remote::open(near_input, near_output).unwrap();
    let mut seen = Seen::default();
    let report = put(&mut remote, &[from.join(".")], &raw(&to), &recursive(), &mut seen).unwrap();
    assert_eq!((report.failed, report.files), (5, 0), "{seen:?}");
    assert!(seen.failed.values().all(|error| error.contains("Permission denied")), "{seen:?}");
}

#[test]
fn a_folder_that_takes_no_new_names_has_its_files_written_straight() {
    for peer in PEERS {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let data = write(&from, 1, 400_000);
        write(&to, 2, 900_000);
        let mut remote = refusing(peer, |request| match request {
            Request::Open { path, .. } if path.ends_with(b".nacre-part") => Some(Code::PermissionDenied),
            _ => None,
        });
        let mut seen = Seen::default();
        let report = put(&mut remote, std::slice::from_ref(&from), &raw(&to), &Options::default(), &mut seen).unwrap();
        assert_eq!(report.files, 1, "{peer:?} {seen:?}");
        assert_eq!(std::fs::read(&to).unwrap(), data);
    }
}

#[test]
fn a_write_that_fails_never_gets_the_files_name() {
    for peer in PEERS {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        for name in 0..40 {
            write(&from.join(name.to_string()), name, 3000);
        }
        let mut count = 0;
        let mut remote = refusing(peer, move |request| match request {
            Request::Write { .. } => {
                count += 1;
                (count % 3 == 0).then_some(Code::Failure)
            }
            _ => None,
        });
        let mut seen = Seen::default();
        let report = put(&mut remote, &[from], &raw(&to), &recursive(), &mut seen).unwrap();
        assert_eq!((report.files, report.failed), (27, 13), "{peer:?} {seen:?}");
        for name in 0..40u64 {
            let path = to.join(name.to_string());
            let whole = !seen.failed.contains_key(&name.to_string());
            assert_eq!(std::fs::read(&path).ok(), whole.then(|| bytes(name, 3000)), "{peer:?} {path:?}");
            assert!(!part_of(&path).exists(), "nothing is left where nothing arrived");
        }
    }
}

#[test]
fn a_server_without_any_extension_does_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    for name in 0..30u64 {
        write(&from.join(name.to_string()), name, 100_000);
        write(&to.join(name.to_string()), 100 + name, 10);
    }
    for peer in PEERS {
        let mut remote = super::peers::plain(peer);
        assert!(remote.extensions().iter().next().is_none());
        let mut seen = Seen::default();
        let report = put(&mut remote, &[from.join(".")], &raw(&to), &recursive(), &mut seen).unwrap();
        assert_eq!((report.files, report.failed), (30, 0), "{peer:?} {seen:?}");
        let back = folder.path().join(format!("back-{peer:?}"));
        let report = get(&mut remote, &[raw(&to)], &back, &Options { verify: true, ..recursive() }, &mut seen).unwrap();
        assert_eq!((report.files, report.failed), (30, 0), "{peer:?} {seen:?}");
        assert!(super::peers::tree(&from) == super::peers::tree(&back));
    }
}
