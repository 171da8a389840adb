//! `nacre sftp` against servers that follow no rules: names that lead elsewhere (threat F7), answers that lie (F8), and names
//! that drive terminals (U2).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/evil_sftp.rs"]
mod evil_sftp;
#[path = "common/serve.rs"]
mod serve;
#[path = "common/terminal.rs"]
mod terminal;

use common::{Scratch, nacre};
use evil_sftp::{Asked, folder, start, version};
use nacre_sftp::packet;
use nacre_wire::WriteExt;
use serve::{Done, finish};
use std::time::{Duration, Instant};
use terminal::Terminal;

const FILE: u32 = 0o100_644;
const FOLDER: u32 = 0o040_755;
const LINK: u32 = 0o120_777;

/// A place with a folder for what is fetched, and a file beside it that nobody may touch.
fn place() -> Scratch {
    let place = Scratch::new();
    std::fs::create_dir_all(place.path("in/out")).unwrap();
    place.write("canary", "safe");
    place.write("in/canary", "safe");
    place
}

/// Runs these lines as a batch against the server.
fn batch(place: &Scratch, server: &str, lines: &str) -> Done {
    let mut command = nacre();
    command.args(["sftp", "-b", "-", "-D", server]).current_dir(place.path("in")).env("HOME", place.root());
    let since = Instant::now();
    let done = finish(&mut command, lines.as_bytes());
    assert!(since.elapsed() < Duration::from_secs(30), "{lines}: it took too long");
    assert!(!done.err.contains("panicked"), "{}", done.err);
    let harmless = |text: &str| !text.chars().any(|c| c.is_control() && c != '\n');
    assert!(harmless(&done.err) && harmless(&done.out), "{lines}: {:?} {:?}", done.out, done.err);
    done
}

/// What is in the place now, but for the server's own pipes.
fn all_names(place: &Scratch) -> Vec<String> {
    let mut names = Vec::new();
    let mut open = vec![place.root().to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            names.push(path.strip_prefix(place.root()).unwrap().display().to_string());
            if path.is_dir() {
                open.push(path);
            }
        }
    }
    names.retain(|name| !matches!(name.as_str(), "requests" | "replies"));
    names.sort();
    names
}

#[test]
fn f07_names_that_lead_elsewhere_are_never_written() {
    let place = place();
    let before = all_names(&place);
    let absolute = place.path("canary").display().to_string();
    let evil: [&str; 16] = [
        "../canary",
        "../../canary",
        "/canary",
        &absolute,
        "a/b",
        "a/../../canary",
        "./canary",
        "out/../canary",
        "/",
        "//",
        "",
        "a\0b",
        "..//canary",
        "sub/",
        "/tmp/nacre-canary",
        "../",
    ];
    for name in evil {
        for mode in [FILE, FOLDER, LINK] {
            for lines in ["get -r /evil out\n", "get /evil/* out\n", "get -R /evil/* out\n", "ls -l /evil\n"] {
                let (name, mut listed) = (name.as_bytes().to_vec(), false);
                let server = start(&place, &[], move |asked| folder(asked, &mut listed, &[(name.as_slice(), mode)]));
                let done = batch(&place, &server, lines);
                assert_eq!(done.code, 1, "{lines}: {} {}", done.out, done.err);
                // The folder itself may have been made; nothing in it and nothing elsewhere.
                let _ = std::fs::remove_dir(place.path("in/out/evil"));
                assert_eq!(all_names(&place), before, "{lines}");
            }
        }
    }
    assert_eq!((place.read("canary"), place.read("in/canary")), ("safe".into(), "safe".into()));
    assert!(!std::path::Path::new("/tmp/nacre-canary").exists());
}

#[test]
fn f07_a_link_that_the_server_names_first_is_not_followed_later() {
    let place = place();
    // First a folder's name that is a link here already, then a file with a name beside it.
    std::fs::create_dir(place.path("in/out/evil")).unwrap();
    std::os::unix::fs::symlink(place.path("canary"), place.path("in/out/evil/file")).unwrap();
    let mut listed = false;
    let server = start(&place, &[], move |asked| folder(asked, &mut listed, &[(b"file", FILE)]));
    let _ = batch(&place, &server, "-get -r /evil out\n");
    assert_eq!(place.read("canary"), "safe", "what a link points to is not written through");
}

#[test]
fn f07_the_server_does_not_choose_the_name_of_one_file() {
    let place = place();
    let mut listed = false;
    // REALPATH says another name for everything.
    let server = start(&place, &[], move |asked| match asked.kind {
        packet::REALPATH => asked.names(1, &[(b"/other/canary", FILE)]),
        _ => folder(asked, &mut listed, &[(b"canary", FILE)]),
    });
    let done = batch(&place, &server, "get /x/wanted\n");
    assert_eq!((done.code, place.read("in/wanted").as_str()), (0, "evil"), "{}", done.err);
    assert_eq!(place.read("in/canary"), "safe");
}

/// Answers READ, and all else as an honest server would.
fn reading(mut read: impl FnMut(&Asked<'_>) -> Vec<u8> + Send + 'static) -> impl FnMut(&Asked<'_>) -> Vec<u8> + Send {
    let mut listed = false;
    move |asked| if asked.kind == packet::READ { read(asked) } else { folder(asked, &mut listed, &[(b"x", FILE)]) }
}

#[test]
fn f08_answers_that_lie_end_the_transfer_or_the_connection() {
    let place = place();
    let data = |bytes: &'static [u8]| move |asked: &Asked<'_>| asked.reply(packet::DATA, |out| out.put_string(bytes));
    let fails = |server: &str, what: &str| {
        let done = batch(&place, server, "get /x\n");
        assert!(done.code == 1 || done.code == 255, "{what}: {} {}", done.code, done.err);
        assert!(!done.err.is_empty(), "{what} is told");
        assert!(!place.path("in/x").exists(), "{what}: it looks finished");
    };
    fails(&start(&place, &[], reading(data(b""))), "reads of no bytes");
    fails(&start(&place, &[], reading(data(&[7; 100_000]))), "more bytes than asked for");
    fails(&start(&place, &[], reading(|asked| asked.handle())), "a handle in place of data");
    fails(&start(&place, &[], reading(|asked| asked.status(0))), "data that is just fine");
    let stranger = |asked: &Asked<'_>| Asked { id: asked.id ^ 0x8000_0000, ..*asked }.status(0);
    fails(&start(&place, &[], reading(stranger)), "an unknown number");
    let twice = |asked: &Asked<'_>| [asked.status(1), asked.status(1), asked.status(1)].concat();
    fails(&start(&place, &[], reading(twice)), "answers given twice");
    fails(&start(&place, &[], reading(|_| version(&[]))), "another VERSION");
    fails(&start(&place, &[], reading(|_| vec![0xff; 64])), "a packet of 4 GiB");
    fails(&start(&place, &[], reading(|_| vec![0, 0, 0, 0])), "an empty packet");
    fails(
        &start(&place, &[], reading(|asked| asked.reply(packet::DATA, |out| out.put_u32(500)))),
        "a string that is cut",
    );
}

#[test]
fn f08_lists_that_lie_are_refused() {
    let place = place();
    let lists = |what: &str, reply: fn(&Asked<'_>) -> Vec<u8>| {
        let mut listed = false;
        let server = start(&place, &[], move |asked| match asked.kind {
            packet::READDIR => reply(asked),
            _ => folder(asked, &mut listed, &[]),
        });
        let done = batch(&place, &server, "ls /evil\n");
        assert!(done.code == 1 || done.code == 255, "{what}: {} {}", done.code, done.err);
        assert!(!done.err.is_empty(), "{what} is told");
    };
    lists("more names than there are", |asked| asked.names(1000, &[(b"a", FILE)]));
    lists("fewer names than there are", |asked| asked.names(0, &[(b"a", FILE)]));
    lists("four billion names", |asked| asked.names(u32::MAX, &[(b"a", FILE)]));
    lists("no names, for ever", |asked| asked.names(0, &[]));
    lists("data in place of names", |asked| asked.reply(packet::DATA, |out| out.put_string(b"a")));
}

#[test]
fn f08_first_answers_that_lie_are_refused() {
    let place = place();
    let begins =
        |what: &str, announced: &'static [(&'static str, &'static str)], reply: fn(&Asked<'_>) -> Option<Vec<u8>>| {
            let mut listed = false;
            let server =
                start(&place, announced, move |asked| reply(asked).unwrap_or_else(|| folder(asked, &mut listed, &[])));
            let done = batch(&place, &server, "get /x\n");
            (done.code, done.err, what.to_owned())
        };
    let (code, err, what) =
        begins("no real path", &[], |asked| (asked.kind == packet::REALPATH).then(|| asked.names(1, &[(b"", FOLDER)])));
    assert!(code == 255 && !err.is_empty(), "{what}: {code} {err}");
    let (code, err, what) = begins("two real paths", &[], |asked| {
        (asked.kind == packet::REALPATH).then(|| asked.names(2, &[(b"/".as_slice(), FOLDER); 2]))
    });
    assert!(code == 255 && !err.is_empty(), "{what}: {code} {err}");
    const LIMITS: &[(&str, &str)] = &[("limits@openssh.com", "1")];
    let limits = |numbers: [u64; 4]| {
        move |asked: &Asked<'_>| asked.reply(packet::EXTENDED_REPLY, |out| numbers.iter().for_each(|n| out.put_u64(*n)))
    };
    let is_limits = |asked: &Asked<'_>| asked.kind == packet::EXTENDED;
    for numbers in [[u64::MAX; 4], [1; 4], [0; 4], [34_000, 1, 1, 1], [0, u64::MAX, 0, 1]] {
        let mut listed = false;
        let reply = limits(numbers);
        let server =
            start(
                &place,
                LIMITS,
                move |asked| {
                    if is_limits(asked) { reply(asked) } else { folder(asked, &mut listed, &[]) }
                },
            );
        let done = batch(&place, &server, "get /x\n");
        assert_eq!(done.code, 0, "{numbers:?}: {}", done.err);
        assert_eq!(place.read("in/x"), "evil");
        std::fs::remove_file(place.path("in/x")).unwrap();
    }
    let (code, err, what) = begins("limits that are cut", LIMITS, |asked| {
        (asked.kind == packet::EXTENDED).then(|| asked.reply(packet::EXTENDED_REPLY, |out| out.put_u64(1)))
    });
    assert!(code == 255 && !err.is_empty(), "{what}: {code} {err}");
}

/// Names that would do something to a terminal.
const EVIL: [(&[u8], u32); 6] = [
    (b"a\x1b]0;owned\x07", FILE),
    (b"b\x1b[2J\r\nsftp> rm *", FILE),
    (b"c\x9b31m", FILE),
    ("d\u{9b}31m\u{202e}txt.exe".as_bytes(), FILE),
    (b"e\x08\x08\x7f", FOLDER),
    (b"f plain", FILE),
];

#[test]
fn u02_no_name_drives_the_terminal() {
    let place = place();
    let mut listed = false;
    let server = start(&place, &[], move |asked| folder(asked, &mut listed, &EVIL));
    let mut command = nacre();
    command.args(["sftp", "-D", &server]).env("HOME", place.root()).env("TERM", "xterm");
    let mut terminal = Terminal::runs(&command, 100, 30);
    // The editor says this when it begins to read a line; a name might say "sftp> ".
    let prompt = "\x1b[?2004h";
    terminal.sees(prompt);
    terminal.types(&format!("lcd {}", place.path("in/out").display()));
    for line in ["ls", "ls -l", "ls -1 *", "get *", "rm *"] {
        terminal.sees(prompt);
        terminal.types(line);
        terminal.sees("f plain");
    }
    terminal.sees(prompt);
    // Completion offers only what can be shown as it is.
    terminal.presses(b"get \t");
    terminal.sees("f\\ plain ");
    terminal.presses(b"\x15bye\r");
    let screen = terminal.ends_with_screen();
    for evil in ["\x1b]0;", "\x1b[2J", "\x07owned", "\u{9b}", "\u{202e}", "\x1b[31m", "\x7f", "\nsftp> rm *\r\n\n"] {
        assert!(!screen.contains(evil), "{evil:?} is on the screen: {screen:?}");
    }
    assert!(screen.contains("a\u{fffd}]0;owned\u{fffd}"), "{screen:?}");
}
