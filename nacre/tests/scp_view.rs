//! What people and programs see of scp: bars on a terminal, objects for programs, nothing elsewhere; and the end by Ctrl-C.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "common/carrier.rs"]
mod carrier;
mod common;
#[path = "common/person.rs"]
mod person;
#[path = "common/serve.rs"]
mod serve;

use carrier::{scp, shortcut};
use common::Scratch;
use person::Person;
use serve::{Done, eventually, finish, is_alive, send};
use std::path::Path;
use std::process::Command;

/// A name that would clear the screen and change the window's title.
const EVIL: &str = "evil\x1b[2J\x1b]0;title\x07\u{9b}2J name";

/// The flags of each way.
const WAYS: [&[&str]; 2] = [&[], &["-O"]];

/// A place with files of these sizes in `src`.
fn filled(files: &[(&str, usize)]) -> Scratch {
    let place = Scratch::new();
    let _ = shortcut(&place);
    std::fs::create_dir(place.path("src")).unwrap();
    std::fs::create_dir(place.path("to")).unwrap();
    for (name, size) in files {
        std::fs::write(place.path("src").join(name), vec![b'x'; *size]).unwrap();
    }
    place
}

fn far(place: &Scratch, name: &str) -> String {
    format!("h:{}", place.path(name).display())
}

/// A person in the place who calls scp.
fn person(place: &Scratch, words: &[&str]) -> Person {
    let carrier = place.path("shortcut");
    let all = [&["scp", "-S", carrier.to_str().unwrap()], words].concat();
    Person::runs(place.root(), &all)
}

fn run(place: &Scratch, words: &[&str]) -> Done {
    finish(scp(place, "shortcut").args(words), b"")
}

/// No escape sequence of a name is on the screen, only those that paint.
#[track_caller]
fn is_clean(screen: &str) {
    for bad in ["\x1b[2J", "\x1b]", "\x07", "\u{9b}"] {
        assert!(!screen.contains(bad), "{bad:?}: {screen:?}");
    }
}

#[test]
fn u02_names_cannot_write_on_the_terminal() {
    for way in WAYS {
        let place = filled(&[(EVIL, 600_000)]);
        for (from, to) in [("src".to_owned(), far(&place, "up")), (far(&place, "src"), "down".to_owned())] {
            // Slow enough for the bar to be seen.
            let (code, screen) = person(&place, &[way, &["-r", "-l", "8000", &from, &to]].concat()).ends();
            assert_eq!(code, 0, "{screen:?}");
            is_clean(&screen);
            assert!(screen.contains("evil\u{fffd}[2J") && screen.contains('━'), "{screen:?}");
        }
        let gone = format!("gone{EVIL}");
        let (code, screen) = person(&place, &[way, &[gone.as_str(), "also", &far(&place, "to")]].concat()).ends();
        is_clean(&screen);
        assert!(code == 1 && screen.contains("scp: goneevil\u{fffd}[2J"), "{screen:?}");
    }
}

#[test]
fn bars_fit_the_width_and_stay_as_lines() {
    let names =
        ["first", "second", "a-name-that-is-far-too-long-for-any-line-of-a-terminal-日本語のファイルの名前-end.iso"];
    let place = filled(&[(names[0], 300_000), (names[1], 0), (names[2], 500_000)]);
    for (number, columns) in [80, 40, 20].into_iter().enumerate() {
        let to = far(&place, &format!("up{number}"));
        let carrier = place.path("shortcut");
        // It starts when the window has its size.
        let waits = ["-c", "read go; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_nacre"), "scp", "-S"];
        let words = [carrier.to_str().unwrap(), "-r", "-l", "8000", "src", &to];
        let mut person = Person::starts(Path::new("/bin/sh"), place.root(), &[&waits[..], &words].concat(), &[]);
        person.resizes(columns, 24);
        person.types("go");
        let (code, screen) = person.ends();
        assert_eq!(code, 0, "{screen:?}");
        for line in screen.split(['\r', '\n']).skip(2) {
            let shown = console::measure_text_width(line);
            // A line with a bar is as wide as the terminal, and the next one follows without a line feed.
            let columns = usize::try_from(columns).unwrap();
            assert!(shown <= columns || shown.is_multiple_of(columns), "{shown} columns of {columns}: {line:?}");
        }
        if columns == 80 {
            for what in ["first", "second", "-end.iso", "100%"] {
                assert!(screen.contains(what), "{what}: {screen:?}");
            }
        }
    }
}

#[test]
fn nothing_is_printed_where_nobody_looks() {
    for way in WAYS {
        let place = filled(&[("a", 10), ("b", 0)]);
        for flags in [&[][..], &["-q"]] {
            let done = run(&place, &[way, flags, &["-r", "src", &far(&place, "to")]].concat());
            assert_eq!((done.code, done.out, done.err), (0, String::new(), String::new()));
        }
        // Quiet is quiet on a terminal as well.
        let (code, screen) = person(&place, &[way, &["-q", "-r", &far(&place, "src"), "to"]].concat()).ends();
        assert_eq!((code, screen.as_str()), (0, ""));
    }
}

#[test]
fn programs_get_objects() {
    use std::os::unix::ffi::OsStrExt;
    for way in WAYS {
        let place = filled(&[("a", 1_000_000), ("b\n\"c\"", 5)]);
        std::fs::write(place.path("src").join(std::ffi::OsStr::from_bytes(b"\xff")), "y").unwrap();
        let done = run(&place, &[way, &["--json", "-r", "-l", "10000", "src", "gone", &far(&place, "to")]].concat());
        assert_eq!(done.code, 1);
        let objects: Vec<serde_json::Value> =
            done.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of = |event: &str| objects.iter().filter(|object| object["event"] == event).collect::<Vec<_>>();
        assert_eq!(of("start").len(), 3, "{}", done.out);
        let names: Vec<&str> = of("start").iter().map(|start| start["name"].as_str().unwrap()).collect();
        assert!(names.iter().any(|name| name.ends_with("b\n\"c\"")), "{names:?}");
        assert!(of("start").iter().any(|start| start["name_base64"].is_string()), "{}", done.out);
        assert_eq!(of("done").iter().map(|done| done["bytes"].as_u64().unwrap()).sum::<u64>(), 1_000_006);
        assert!((1..=8).contains(&of("progress").len()), "{} in a second", of("progress").len());
        let failed = of("failed");
        assert_eq!((failed.len(), &failed[0]["name"]), (1, &"gone".into()), "{}", done.out);
        let total = objects.last().unwrap();
        assert_eq!((&total["event"], &total["files"], &total["failed"]), (&"total".into(), &3.into(), &1.into()));
        assert_eq!((&total["bytes"], &total["moved"]), (&1_000_006.into(), &1_000_006.into()));
    }
}

/// The processes that run the script which stands in for ssh, or what it became.
fn carriers(place: &Scratch) -> Vec<u32> {
    let here = |pid: u32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let home = format!("HOME={}", place.root().display());
        environment.split(|byte| *byte == 0).any(|variable| variable == home.as_bytes())
    };
    let all = std::fs::read_dir("/proc").unwrap();
    let numbers = all.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    numbers.filter(|pid| here(*pid) && is_alive(*pid)).collect()
}

#[test]
fn ctrl_c_ends_it_all_and_says_what_is_left() {
    for (way, kept) in WAYS.into_iter().zip(["kept, --resume goes on", "not finished"]) {
        let place = filled(&[("large", 40_000_000)]);
        let mut person = person(&place, &[way, &["-l", "8000", "src/large", &far(&place, "to/large")]].concat());
        person.sees("━");
        person.presses(b"\x03");
        person.sees(kept);
        let (code, screen) = person.ends();
        assert_eq!(code, 130, "{screen:?}");
        assert!(!place.path("to/large").exists(), "it looks finished");
        eventually("the end of all processes", || carriers(&place).is_empty());
    }
}

/// The same command where these tests were started to ignore signals (by nohup, or behind a shell's &).
fn heeding(command: &Command) -> Command {
    let mut heeding = Command::new("env");
    heeding.arg("--default-signal=HUP,TERM").arg(command.get_program()).args(command.get_args());
    heeding.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    heeding.current_dir(command.get_current_dir().unwrap());
    heeding
}

#[test]
fn a_signal_to_scp_alone_ends_its_ssh_too() {
    for (way, (signal, number)) in WAYS.into_iter().zip([("TERM", 15), ("HUP", 1)]) {
        let place = filled(&[("large", 40_000_000)]);
        let from = far(&place, "src/large");
        let mut child = scp(&place, "shortcut");
        let mut child = heeding(child.args(way).args(["-l", "8000", &from, "to/large"])).spawn().unwrap();
        eventually("the part", || place.path("to/.large.nacre-part").exists());
        send(child.id(), signal);
        assert_eq!(child.wait().unwrap().code(), Some(128 + number));
        assert!(!place.path("to/large").exists(), "it looks finished");
        eventually("the end of all processes", || carriers(&place).is_empty());
    }
}
