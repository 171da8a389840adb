//! The corpora, replayed on stable, and then changed by the in-tree mutator. The seed is fixed, so a
//! run that fails fails again; `NACRE_FUZZ_ROUNDS` (in percent) and `NACRE_FUZZ_SEED` make longer
//! and other runs.

use nacre_fuzz::TARGETS;
use nacre_testkit::mutate::{Rng, mutate_message};
use std::path::{Path, PathBuf};

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |value| value.parse().expect("a number"))
}

/// A target's files, by name.
fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).expect("a file"))).collect()
}

/// Says which input it was when the target panics.
struct Blame<'a>(&'a str, &'a str, &'a [u8]);

impl Drop for Blame<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("target {}, input {}: {}", self.0, self.1, self.2.escape_ascii());
        }
    }
}

fn run(name: &str, target: fn(&[u8]), from: &str, data: &[u8]) {
    let blame = Blame(name, from, data);
    target(data);
    drop(blame);
}

#[test]
fn every_corpus_replays() {
    for (name, target, _) in TARGETS {
        let files = corpus(name);
        assert!(files.len() >= 12, "{name} has only {} files", files.len());
        for (path, data) in &files {
            run(name, *target, &path.display().to_string(), data);
        }
        run(name, *target, "nothing", b"");
    }
}

/// One or a few changes, sometimes two files spliced.
fn changed(rng: &mut Rng, files: &[(PathBuf, Vec<u8>)]) -> Vec<u8> {
    let mut data = files[rng.below(files.len())].1.clone();
    if rng.below(6) == 0 {
        let other = &files[rng.below(files.len())].1;
        data.truncate(rng.below(data.len() + 1));
        data.extend_from_slice(&other[rng.below(other.len() + 1)..]);
    }
    for _ in 0..=rng.below(4) {
        mutate_message(&mut data, rng);
    }
    data
}

#[test]
fn changed_corpora_break_nothing() {
    let percent = setting("NACRE_FUZZ_ROUNDS", 100);
    for (number, (name, target, rounds)) in (0..).zip(TARGETS) {
        let files = corpus(name);
        let mut rng = Rng::new(setting("NACRE_FUZZ_SEED", 0x5eed) + number);
        let start = std::time::Instant::now();
        for round in 0..u64::from(*rounds) * percent / 100 {
            let data = changed(&mut rng, &files);
            run(name, *target, &format!("of round {round}"), &data);
        }
        println!("{name}: {rounds} in {:?}", start.elapsed());
    }
}

/// A target without an entry for libFuzzer, or the other way round, is forgotten work.
#[test]
fn every_target_has_its_entry() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets");
    let mut entries: Vec<String> = std::fs::read_dir(folder)
        .expect("fuzz_targets")
        .map(|file| file.expect("a file").path().file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    entries.sort();
    let mut names: Vec<String> = TARGETS.iter().map(|(name, _, _)| (*name).to_owned()).collect();
    names.sort();
    assert_eq!(entries, names);
}
