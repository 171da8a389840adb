//! Round trips are not waited for one after the other.

use super::peers::{PEERS, Seen, far_away, raw, write};
use nacre_files::transfer::{Options, get, put};
use std::time::{Duration, Instant};

/// A round trip of 100 ms.
const DELAY: Duration = Duration::from_millis(50);

#[test]
fn many_small_files_far_away_take_few_round_trips() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("from");
    for name in 0..400 {
        write(&from.join(name.to_string()), name, 4096);
    }
    for peer in PEERS {
        for up in [true, false] {
            let to = folder.path().join(format!("{peer:?}-{up}"));
            let (mut remote, mut seen) = (far_away(peer, DELAY), Seen::default());
            let options = Options { recursive: true, ..Options::default() };
            let start = Instant::now();
            if up {
                put(&mut remote, std::slice::from_ref(&from), &raw(&to), &options, &mut seen).unwrap();
            } else {
                get(&mut remote, &[raw(&from)], &to, &options, &mut seen).unwrap();
            }
            let trips = start.elapsed().as_millis() / 100;
            eprintln!("{peer:?} {up}: {trips} round trips");
            assert_eq!((seen.finished, seen.failed.len()), (400, 0));
            // One after the other they would take three trips each. The bound leaves a busy machine its time.
            assert!(trips < 200, "{peer:?} {up}: {trips} round trips for 400 files");
        }
    }
}

#[test]
fn one_large_file_far_away_fills_the_path() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("from");
    let data = write(&from, 1, 64_000_000);
    for peer in PEERS {
        for up in [true, false] {
            let to = folder.path().join("to");
            let (mut remote, mut seen) = (far_away(peer, DELAY), Seen::default());
            let start = Instant::now();
            if up {
                put(&mut remote, std::slice::from_ref(&from), &raw(&to), &Options::default(), &mut seen).unwrap();
            } else {
                get(&mut remote, &[raw(&from)], &to, &Options::default(), &mut seen).unwrap();
            }
            let seconds = start.elapsed().as_secs_f64();
            assert!(std::fs::read(&to).unwrap() == data);
            eprintln!("{peer:?} {up}: {:.0} MB/s over 100 ms", 64.0 / seconds);
            // One 256 KiB piece after the other would take 24 s. How fast it is, the bench says.
            assert!(seconds < 20.0, "{peer:?} {up}: {seconds} s for 64 MB");
        }
    }
}
