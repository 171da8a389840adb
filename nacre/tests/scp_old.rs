//! The old scp protocol against far sides that follow no rules: names, sizes and modes that were not asked for
//! (threats F9, F10), and both ends with each other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "common/carrier.rs"]
mod carrier;
mod common;
#[path = "common/serve.rs"]
mod serve;

use carrier::{scp, script, shortcut};
use common::{Scratch, nacre};
use serve::{Done, finish};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// All names below a folder, sorted.
fn tree(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            names.push(path.strip_prefix(folder).unwrap().display().to_string());
            if path.symlink_metadata().unwrap().is_dir() {
                open.push(path);
            }
        }
    }
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().mode() & 0o7777
}

/// A place with an inner folder `in`, and a far side that says `words` (for printf) whatever it is told.
fn evil(words: &str) -> Scratch {
    let place = Scratch::new();
    std::fs::create_dir(place.path("in")).unwrap();
    script(&place, "evil", &format!("printf '{words}'\nexec cat >/dev/null"));
    place
}

/// Fetches with `-O` and these words from the evil far side.
fn fetch(place: &Scratch, words: &[&str]) -> Done {
    let done = finish(scp(place, "evil").arg("-O").args(words), b"");
    assert!(!done.err.chars().any(|c| c.is_control() && c != '\n'), "{:?}", done.err);
    assert_eq!(done.out, "");
    done
}

#[test]
fn f09_no_name_comes_but_those_asked_for() {
    for (asked, words) in [
        ("h:a", r"C0644 5 .bashrc\nhello\0"),
        ("h:a", r"C0644 5 ../up\nhello\0"),
        ("h:a", r"C0644 5 /tmp/up\nhello\0"),
        ("h:a", r"C0644 5 in/a\nhello\0"),
        ("h:a", r"C0644 5 ..\nhello\0"),
        ("h:a", r"C0644 5 \nhello\0"),
        ("h:a", r"C0644 5 b\nhello\0"),
        ("h:*", r"C0644 5 .bashrc\nhello\0"),
        ("h:*.txt", r"C0644 5 x.sh\nhello\0"),
        ("h:{a,b}", r"C0644 5 c\nhello\0"),
        ("h:a", r"D0755 0 a\nC0644 5 x\nhello\0E\n"),
        ("h:a", r"X0644 5 a\nhello\0"),
        ("h:a", r"Welcome to this machine!\nC0644 5 a\nhello\0"),
    ] {
        let place = evil(words);
        let done = fetch(&place, &[asked, "in"]);
        assert_eq!((done.code, tree(&place.path("in"))), (1, vec![]), "{asked} {words}: {}", done.err);
        assert_eq!(tree(place.root()), ["evil", "in"], "{words}");
        assert!(done.err.starts_with("scp: "), "{words}: {}", done.err);
    }
}

#[test]
fn f09_folders_change_no_modes_and_bring_no_strangers() {
    for words in [
        r"D0777 0 .\nE\n",
        r"D0777 0 ..\nE\n",
        r"D0777 0 \nE\n",
        r"D0777 0 in/..\nE\n",
        r"D0755 0 .ssh\nC0644 5 authorized_keys\nhello\0E\n",
        r"C0644 5 .bashrc\nhello\0",
    ] {
        let place = evil(words);
        std::fs::set_permissions(place.path("in"), std::fs::Permissions::from_mode(0o700)).unwrap();
        let before = mode(place.root());
        let done = fetch(&place, &["-r", "-p", "h:good", "in"]);
        assert_eq!((done.code, tree(&place.path("in"))), (1, vec![]), "{words}: {}", done.err);
        assert_eq!((mode(&place.path("in")), mode(place.root())), (0o700, before), "{words}");
    }
}

#[test]
fn f09_set_user_id_comes_only_when_modes_are_kept() {
    for (flags, wanted) in [(&[][..], 0o755), (&["-p"], 0o6755)] {
        let place = evil(r"C6755 5 a\nhello\0");
        let done = fetch(&place, &[flags, &["h:a", "in"]].concat());
        assert_eq!((done.code, mode(&place.path("in/a"))), (0, wanted), "{}", done.err);
        assert_eq!(place.read("in/a"), "hello");
    }
    let place = evil(r"D7777 0 d\nC0644 5 a\nhello\0E\n");
    assert_eq!(fetch(&place, &["-r", "h:d", "in"]).code, 0);
    assert_eq!(mode(&place.path("in/d")) & 0o7000, 0);
}

#[test]
fn f09_links_inside_of_what_comes_are_not_followed() {
    let place = evil(r"D0755 0 d\nC0644 5 link\nhello\0D0755 0 way\nC0644 5 x\nhello\0E\nE\n");
    std::fs::create_dir_all(place.path("in/d")).unwrap();
    std::fs::create_dir(place.path("out")).unwrap();
    place.write("out/file", "before");
    std::os::unix::fs::symlink(place.path("out/file"), place.path("in/d/link")).unwrap();
    std::os::unix::fs::symlink(place.path("out"), place.path("in/d/way")).unwrap();
    let done = fetch(&place, &["-r", "h:d", "in"]);
    assert_eq!(done.code, 1, "{}", done.err);
    assert_eq!((place.read("out/file"), tree(&place.path("out"))), ("before".into(), vec!["file".to_owned()]));
}

#[test]
fn f09_the_far_side_s_words_are_harmless() {
    for words in [
        r"\1scp: \033[2J\033]0;x\007gone\n",
        r"\2\033[2J\n",
        r"\033[2J\n",
        r"C0644 1 \033[2J\n",
        r"D0644 1 a\033[2J\n",
        r"C0644 1 a\302\233x\n",
    ] {
        let done = fetch(&evil(words), &["h:a", "in"]);
        assert!(done.code == 1 && !done.err.is_empty(), "{words}: {}", done.err);
    }
}

#[test]
fn what_is_cut_does_not_look_finished() {
    let place = evil("");
    script(&place, "evil", r"printf 'C0644 50 a\nhello'; head -c 2 >/dev/null");
    let done = fetch(&place, &["h:a", "in"]);
    assert_eq!((done.code, tree(&place.path("in"))), (1, vec![".a.nacre-part".to_owned()]), "{}", done.err);
    assert!(done.err.contains("in/a: 5 B of 50 B are kept, --resume goes on"), "{}", done.err);
    // A file that could not be read to its end is none either.
    let place = evil(r"C0644 5 a\nhel\0\0\1scp: a: Input/output error\n");
    let done = fetch(&place, &["h:a", "in"]);
    assert_eq!((done.code, tree(&place.path("in"))), (1, vec![]), "{}", done.err);
    assert!(done.err.contains("a: Input/output error"), "{}", done.err);
}

/// `scp -t in`, told these words: what it did and said.
fn sink(words: &[u8], flags: &[&str]) -> (Scratch, Done) {
    let place = Scratch::new();
    std::fs::create_dir(place.path("in")).unwrap();
    let mut command = nacre();
    command.arg("scp").args(flags).args(["-t", "in"]).current_dir(place.root());
    let done = finish(&mut command, words);
    (place, done)
}

#[test]
fn f10_a_sink_takes_no_nonsense() {
    for words in [
        &b"C0644 -9999999999 a\n"[..],
        b"C0644 9223372036854775808 a\n",
        b"C0644 99999999999999999999999999 a\n",
        b"C0644 5x a\n",
        b"C0999 5 a\n",
        b"C-644 5 a\n",
        b"C0644 5 ../a\nhello\0",
        b"C0644 5 /etc/a\nhello\0",
        b"C0644 5 .\nhello\0",
        b"D0755 0 ..\nE\n",
        b"E\n",
        b"D0755 0 d\nE\nE\n",
        b"T1 2\n",
        b"T1 99999999 2 0\n",
        b"T-1 0 -1 0\n",
        b"T99999999999999999999 0 1 0\n",
        b"\x03\n",
        b"Z\n",
    ] {
        let (place, done) = sink(words, &["-r"]);
        assert_eq!(done.code, 1, "{words:?}");
        assert!(done.out.contains("\u{1}scp: "), "{words:?}: {:?}", done.out);
        assert!(!place.path("a").exists() && !place.path("in/a").exists(), "{words:?}: {:?}", tree(place.root()));
    }
    let (place, done) = sink(&[b'C'; 100_000], &[]);
    assert_eq!((done.code, tree(&place.path("in"))), (1, vec![]));
    let (place, done) = sink(b"D0755 0 d\n", &[]);
    assert_eq!((done.code, tree(&place.path("in"))), (1, vec![]), "without -r");
}

#[test]
fn f10_folders_within_folders_without_end_are_the_sink_s_own_limit() {
    let (_place, done) = sink("D0755 0 d\n".repeat(5000).as_bytes(), &["-r"]);
    let (made, refused) = (done.out.matches('\0').count(), done.out.matches("File name too long").count());
    assert!(done.code == 1 && (1000..2048).contains(&made), "{made}");
    assert_eq!(made + refused, 5001, "one answer for the start, one for each folder");
}

#[test]
fn f10_a_file_that_cannot_be_written_does_not_end_the_rest() {
    let words = b"C0644 5 d\nhello\0C0644 5 b\nworld\0";
    let place = Scratch::new();
    std::fs::create_dir_all(place.path("in/d")).unwrap();
    let mut command = nacre();
    command.args(["scp", "-t", "in"]).current_dir(place.root());
    // The sender hears of it before it would send the bytes, and goes on with the next.
    let done = finish(&mut command, &words[..10].iter().chain(&words[16..]).copied().collect::<Vec<u8>>());
    assert_eq!((done.code, place.read("in/b")), (1, "world".into()), "{:?}", done.out);
    assert!(done.out.contains("\u{1}scp: in/d: "), "{:?}", done.out);
}

#[test]
fn a_sink_that_wants_a_folder_says_when_there_is_none() {
    for (target, reason) in [("nope", "No such file or directory"), ("file", "Not a directory")] {
        let place = Scratch::new();
        place.write("file", "");
        let mut command = nacre();
        command.args(["scp", "-d", "-t", target]).current_dir(place.root());
        let done = finish(&mut command, b"C0644 5 a\nhello\0");
        assert_eq!((done.code, done.out), (1, format!("\u{1}scp: {target}: {reason}\n")));
    }
}

/// Something to copy: folders, names that need care, modes, times, an empty and a larger file.
fn fill(place: &Scratch) {
    use std::os::unix::ffi::OsStrExt;
    std::fs::create_dir_all(place.path("src/sub/deep")).unwrap();
    std::fs::create_dir(place.path("src/bare")).unwrap();
    for (name, bytes) in [
        (&b"plain"[..], &b"hello"[..]),
        (b"empty", b""),
        (b"sub/with space", b"x"),
        (b"sub/deep/-dash", b"y"),
        (b"sub/not-utf8-\xff", b"z"),
    ] {
        let path = place.path("src").join(std::ffi::OsStr::from_bytes(name));
        std::fs::write(&path, bytes).unwrap();
    }
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[(n % 3) as usize]).collect();
    std::fs::write(place.path("src/large"), large).unwrap();
    std::fs::set_permissions(place.path("src/plain"), std::fs::Permissions::from_mode(0o4751)).unwrap();
    std::fs::set_permissions(place.path("src/sub"), std::fs::Permissions::from_mode(0o500)).unwrap();
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_500_000_000);
    for name in ["src/plain", "src/large"] {
        std::fs::File::open(place.path(name)).unwrap().set_modified(long_ago).unwrap();
    }
}

#[track_caller]
fn equal(place: &Scratch, one: &str, other: &str) {
    let done = finish(common::program("diff").arg("-r").arg(place.path(one)).arg(place.path(other)), b"");
    assert_eq!((done.code, done.out), (0, String::new()), "{}", done.err);
}

#[test]
fn both_ends_are_ours() {
    let place = Scratch::new();
    let _ = shortcut(&place);
    fill(&place);
    let run = |words: &[&str]| finish(scp(&place, "shortcut").arg("-O").args(words), b"");
    let far = |name: &str| format!("h:{}", place.path(name).display());
    for (from, to, local) in [("src".to_owned(), far("up"), "up"), (far("src"), "down".to_owned(), "down")] {
        let done = run(&["-r", "-p", &from, &to]);
        assert_eq!((done.code, done.err, done.out), (0, String::new(), String::new()));
        equal(&place, "src", local);
        let copy = |name: &str| place.path(local).join(name);
        assert_eq!((mode(&copy("plain")), mode(&copy("sub"))), (0o4751, 0o500));
        assert_eq!(copy("plain").metadata().unwrap().mtime(), 1_500_000_000);
        assert!(!tree(&place.path(local)).iter().any(|name| name.contains("nacre-part")));
    }
    let done = run(&["-3", &far("src/large"), &far("through")]);
    assert_eq!((done.code, done.err), (0, String::new()));
    equal(&place, "src/large", "through");
    // A file that is there keeps its mode.
    std::fs::set_permissions(place.path("through"), std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(run(&[&far("src/plain"), "through"]).code, 0);
    assert_eq!((mode(&place.path("through")), place.read("through")), (0o600, "hello".into()));
}

#[test]
fn errors_are_named_as_openssh_names_them() {
    let place = Scratch::new();
    let _ = shortcut(&place);
    std::fs::create_dir(place.path("in")).unwrap();
    place.write("file", "x");
    let far = |name: &str| format!("h:{}", place.path(name).display());
    for (words, line) in [
        (vec![far("nope"), "in".into()], format!("scp: {}: No such file or directory\n", place.path("nope").display())),
        (vec![far("in"), "x".into()], format!("scp: {}: not a regular file\n", place.path("in").display())),
        (vec!["nope".into(), far("in")], "scp: nope: No such file or directory\n".into()),
        (vec!["in".into(), far("in")], "scp: in: not a regular file\n".into()),
        (
            vec!["file".into(), far("no/x")],
            format!("scp: {}: No such file or directory\n", place.path("no/x").display()),
        ),
        (
            vec!["file".into(), "file".into(), far("no")],
            format!("scp: {}: No such file or directory\n", place.path("no").display()),
        ),
        (vec![far("file"), far("file"), "no".into()], "scp: no: No such file or directory\n".into()),
    ] {
        let done = finish(scp(&place, "shortcut").arg("-O").args(&words), b"");
        assert_eq!((done.code, done.err), (1, line), "{words:?}");
    }
}
