//! `nacre scp` by SFTP: what is copied where, what is resumed and checked, and how ssh is started.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "common/carrier.rs"]
mod carrier;
mod common;
#[path = "common/serve.rs"]
mod serve;

use carrier::{scp, script, shortcut};
use common::{Scratch, nacre};
use serve::{Done, eventually, finish, send};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

fn place() -> Scratch {
    let place = Scratch::new();
    let _ = shortcut(&place);
    place
}

fn far(place: &Scratch, name: &str) -> String {
    format!("h:{}", place.path(name).display())
}

fn run(place: &Scratch, words: &[&str]) -> Done {
    finish(scp(place, "shortcut").args(words), b"")
}

#[track_caller]
fn good(done: &Done) {
    assert_eq!((done.code, done.out.as_str(), done.err.as_str()), (0, "", ""));
}

/// Bytes that do not repeat soon.
fn noise(length: usize) -> Vec<u8> {
    (0..length as u64 / 8 + 1)
        .flat_map(|n| (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
        .take(length)
        .collect()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn f10_no_shell_reads_a_path() {
    let place = place();
    std::fs::create_dir(place.path("in")).unwrap();
    let evil = ["$(touch x)", "`touch x`", "a;touch x", "a'b\"c", "a b", "-rf", "a\\b", "~", "{a,b}", "a\nb"];
    for (number, name) in evil.iter().enumerate() {
        std::fs::write(place.path("in").join(name), number.to_string()).unwrap();
        // For patterns a backslash is no name's, but takes the meaning from what follows.
        let asked = name.replace('\\', "\\\\");
        good(&run(&place, &[&far(&place, &format!("in/{asked}")), "back"]));
        assert_eq!(place.read("back"), number.to_string(), "{name}");
        good(&run(&place, &["back", &far(&place, &format!("up{name}"))]));
        assert_eq!(place.read(&format!("up{name}")), number.to_string());
    }
    assert!(!place.path("x").exists());
}

#[test]
fn wildcards_are_the_far_side_s() {
    let place = place();
    std::fs::create_dir_all(place.path("in/sub1")).unwrap();
    std::fs::create_dir_all(place.path("in/sub2")).unwrap();
    for name in ["a1", "a2", "b1", ".hidden", "[x]", "sub1/deep", "sub2/deep2"] {
        place.write(&format!("in/{name}"), name);
    }
    for (pattern, wanted) in [
        ("in/a*", &["a1", "a2"][..]),
        ("in/?1", &["a1", "b1"]),
        ("in/[ab]1", &["a1", "b1"]),
        ("in/[!a]1", &["b1"]),
        ("in/[x]", &["[x]"]),
        ("in/\\[x]", &["[x]"]),
        ("in/.h*", &[".hidden"]),
        ("in/s*/d*", &["deep", "deep2"]),
    ] {
        std::fs::create_dir(place.path("to")).unwrap();
        good(&run(&place, &[&far(&place, pattern), "to"]));
        assert_eq!(names(&place.path("to")), wanted, "{pattern}");
        std::fs::remove_dir_all(place.path("to")).unwrap();
    }
    // What matches several files needs a folder, and makes it.
    good(&run(&place, &[&far(&place, "in/a*"), "new"]));
    assert_eq!(names(&place.path("new")), ["a1", "a2"]);
    let done = run(&place, &[&far(&place, "in/a*"), "in/b1"]);
    assert!(done.code == 1 && done.err.contains("in/b1: several files match"), "{}", done.err);
    assert_eq!(place.read("in/b1"), "b1");
    let done = run(&place, &[&far(&place, "in/z*"), "new"]);
    assert_eq!(
        (done.code, done.err),
        (1, format!("scp: {}: No such file or directory\n", place.path("in/z*").display()))
    );
}

#[test]
fn targets_are_names_or_folders() {
    let place = place();
    std::fs::create_dir(place.path("to")).unwrap();
    for name in ["a", "b"] {
        place.write(name, name);
    }
    good(&run(&place, &["a", "b", &far(&place, "to")]));
    assert_eq!(names(&place.path("to")), ["a", "b"]);
    good(&run(&place, &["a", "b", &far(&place, "made")]));
    assert_eq!(names(&place.path("made")), ["a", "b"]);
    // Relative to the home folder there, which is the place for our stand-in.
    good(&run(&place, &["a", "h:"]));
    good(&run(&place, &["a", "h:~/c"]));
    assert_eq!(place.read("c"), "a");
    for (words, reason) in [
        (vec!["a".to_owned(), "b".into(), far(&place, "c")], "c: not a directory"),
        (vec![far(&place, "a"), far(&place, "b"), "c".into()], "c: Not a directory"),
        (vec![far(&place, "a"), far(&place, "b"), "none".into()], "none: No such file or directory"),
        (vec!["to".into(), far(&place, "x")], "to: is a directory"),
        (vec![far(&place, "to"), "x".into()], "to: is a directory"),
        (vec!["a".into(), far(&place, "none/x")], "none/x: No such file or directory"),
        (vec!["none".into(), far(&place, "x")], "none: No such file or directory"),
        (vec!["h;id:x".into(), "y".into()], "h;id:x: host name"),
    ] {
        let done = finish(scp(&place, "shortcut").args(&words), b"");
        assert_eq!((done.code, done.out), (1, String::new()), "{words:?}");
        assert!(done.err.starts_with("scp: ") && done.err.contains(reason), "{words:?}: {}", done.err);
        assert_eq!(done.err.lines().count(), 1, "{}", done.err);
    }
    // What can be copied is, whatever befalls the rest.
    let done = run(&place, &["none", "a", &far(&place, "rest")]);
    assert_eq!((done.code, names(&place.path("rest"))), (1, vec!["a".to_owned()]), "{}", done.err);
}

#[test]
fn f09_set_user_id_never_comes() {
    let place = place();
    place.write("tool", "x");
    std::fs::set_permissions(place.path("tool"), std::fs::Permissions::from_mode(0o6751)).unwrap();
    for (flags, to) in [(&[][..], "plain"), (&["-p"], "kept")] {
        good(&run(&place, &[flags, &[&far(&place, "tool"), to]].concat()));
        let mode = place.path(to).metadata().unwrap().mode() & 0o7777;
        // As with OpenSSH by SFTP, even with the modes that -p keeps.
        assert_eq!(mode & 0o7700, 0o700, "{to}: {mode:o}");
    }
}

#[test]
fn from_host_to_host_through_this_machine_and_not() {
    let place = place();
    std::fs::create_dir(place.path("in")).unwrap();
    std::fs::write(place.path("in/a"), noise(700_000)).unwrap();
    place.write("in/b", "b");
    let to = format!("other:{}", place.path("to").display());
    for flags in [&["-r"][..], &["-3", "-r"]] {
        good(&run(&place, &[flags, &[&far(&place, "in"), &to]].concat()));
        assert_eq!(names(&place.path("to")), ["a", "b"]);
        assert!(std::fs::read(place.path("to/a")).unwrap() == noise(700_000));
        std::fs::remove_dir_all(place.path("to")).unwrap();
    }
    // With -R the first host is told to run scp: nothing of the second is asked here.
    script(&place, "told", "for word; do printf '%s|' \"$word\"; done");
    let words = ["-R", "-r", "-p", "-i", "key", "-P", "22", "u@h:x y", "v@[::1]:z"];
    let done = finish(scp(&place, "told").args(words), b"");
    let wanted = "-x|-oClearAllForwardings=yes|-n|-i|key|-p|22|-l|u|--|h|scp -r -p|x y|v@[::1]:z|";
    assert_eq!((done.code, done.out.as_str()), (0, wanted));
    good(&run(&place, &["in/b", "copy"]));
    assert_eq!(place.read("copy"), "b");
    assert_eq!(run(&place, &["in/none", "copy"]).code, 1);
}

#[test]
fn ssh_is_called_as_openssh_calls_it() {
    let place = Scratch::new();
    place.write("f", "");
    let known = place.path("words");
    script(&place, "told", &format!("for word; do printf '%s|' \"$word\"; done >{}\nexit 7", known.display()));
    let first = "-x|-oPermitLocalCommand=no|-oClearAllForwardings=yes|-oRemoteCommand=none|-oRequestTTY=no|\
                 -oControlMaster=no|";
    for (words, rest) in [
        (vec!["f", "h:"], "-oForwardAgent=no|-s|--|h|sftp|"),
        (vec!["-P", "9", "f", "u@h:"], "-oForwardAgent=no|-p|9|-l|u|-s|--|h|sftp|"),
        (vec!["f", "scp://u@h:8/x"], "-oForwardAgent=no|-p|8|-l|u|-s|--|h|sftp|"),
        (
            vec!["-6CAqB", "-J", "j", "-oUser=x", "-F", "c", "-i", "k", "-c", "aes", "f", "h:"],
            "-6|-C|-A|-q|-oBatchMode=yes|-J|j|-o|User=x|-F|c|-i|k|-c|aes|-oForwardAgent=no|-s|--|h|sftp|",
        ),
        (vec!["-O", "-rp", "f", "h:-x"], "-oForwardAgent=no|--|h|scp -r -p -t -- -x|"),
        (vec!["-O", "f", "f", "h:d"], "-oForwardAgent=no|--|h|scp -d -t d|"),
        (vec!["-O", "h:a b", "."], "-oForwardAgent=no|--|h|scp -f a b|"),
    ] {
        let done = finish(scp(&place, "told").args(&words), b"");
        assert_eq!(done.code, 1, "ssh failed: {words:?} {}", done.err);
        assert_eq!(std::fs::read_to_string(&known).unwrap(), format!("{first}{rest}"), "{words:?}");
    }
    let done = finish(scp(&place, "none").args(["f", "h:"]), b"");
    assert!(done.code == 1 && done.err.contains("scp: cannot run ") && done.err.contains("none"), "{}", done.err);
}

#[test]
fn a_local_server_takes_the_place_of_ssh() {
    let place = Scratch::new();
    place.write("f", "x");
    let server = script(&place, "server", &format!("exec {} sftp-server", env!("CARGO_BIN_EXE_nacre")));
    let mut command = nacre();
    command.args(["scp", "-D"]).arg(server).args(["f", "anywhere:g"]).current_dir(place.root());
    good(&finish(&mut command, b""));
    assert_eq!(place.read("g"), "x");
}

/// The events of a call with --json.
fn events(done: &Done) -> Vec<serde_json::Value> {
    done.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of<'a>(events: &'a [serde_json::Value], kind: &str) -> Vec<&'a serde_json::Value> {
    events.iter().filter(|event| event["event"] == kind).collect()
}

#[test]
fn what_was_cut_goes_on_where_it_was() {
    const SIZE: usize = 6_000_000;
    let place = place();
    std::fs::write(place.path("large"), noise(SIZE)).unwrap();
    let up = far(&place, "there/large");
    let down = far(&place, "large");
    for (folder, from, to) in [("there", "large", up.as_str()), ("here", down.as_str(), "here/large")] {
        std::fs::create_dir(place.path(folder)).unwrap();
        let part = place.path(folder).join(".large.nacre-part");
        let mut cut = scp(&place, "shortcut").args(["-l", "2400", from, to]).spawn().unwrap();
        eventually("some of it", || part.metadata().is_ok_and(|metadata| metadata.len() > 1_000_000));
        send(cut.id(), "KILL");
        let _ = cut.wait();
        assert!(!place.path(folder).join("large").exists(), "it looks finished");
        let done = run(&place, &["--resume", "--verify", "--json", from, to]);
        assert_eq!((done.code, done.err.as_str()), (0, ""), "{}", done.out);
        let events = events(&done);
        let start = of(&events, "start")[0];
        let (at, moved) = (start["resumed_at"].as_u64().unwrap(), of(&events, "total")[0]["moved"].as_u64().unwrap());
        assert!(at > 500_000 && at + moved == SIZE as u64 && start["resumed_by"] == "hash", "{}", done.out);
        assert_eq!(of(&events, "verified")[0]["by"], "hash");
        assert!(std::fs::read(place.path(folder).join("large")).unwrap() == noise(SIZE));
        assert_eq!(names(&place.path(folder)), ["large"]);
    }
}

#[test]
fn a_part_that_does_not_match_is_not_built_on() {
    let place = place();
    std::fs::write(place.path("large"), noise(500_000)).unwrap();
    std::fs::create_dir(place.path("to")).unwrap();
    std::fs::write(place.path("to/.large.nacre-part"), vec![b'z'; 200_000]).unwrap();
    let done = run(&place, &["--resume", "--verify", "--json", "large", &far(&place, "to")]);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(std::fs::read(place.path("to/large")).unwrap() == noise(500_000));
    let events = events(&done);
    assert_eq!(of(&events, "start")[0]["resumed_at"], 0, "{}", done.out);
    assert_eq!(of(&events, "verified").len(), 1);
}

#[test]
fn a_full_device_is_named() {
    let place = place();
    std::fs::write(place.path("large"), noise(500_000)).unwrap();
    for (from, to) in [("large".to_owned(), "h:/dev/full".to_owned()), (far(&place, "large"), "/dev/full".into())] {
        for way in [&[][..], &["-O"]] {
            let done = run(&place, &[way, &[from.as_str(), &to]].concat());
            let first = done.err.lines().next().unwrap_or_default();
            assert!(done.code == 1 && first.starts_with("scp: "), "{way:?} {from}: {}", done.err);
            assert!(done.err.contains("No space left on device"), "{way:?} {from}: {}", done.err);
        }
    }
}

#[test]
fn a_limit_is_kept() {
    let place = place();
    std::fs::write(place.path("f"), noise(1_500_000)).unwrap();
    for way in [&[][..], &["-O"]] {
        for (from, to) in [("f".to_owned(), far(&place, "g")), (far(&place, "f"), "h".into())] {
            let start = std::time::Instant::now();
            // 1,024,000 bytes a second.
            good(&run(&place, &[way, &["-l", "8000", &from, &to]].concat()));
            let seconds = start.elapsed().as_secs_f64();
            assert!(seconds > 1.0, "{way:?} {from}: {seconds}");
        }
    }
}

#[test]
fn a_command_line_that_makes_no_sense_is_explained() {
    let place = place();
    for (words, reason) in [
        (&["a"][..], "two words"),
        (&[], "is missing"),
        (&["-Z", "a", "h:"], "unknown option -Z"),
        (&["-P", "x", "a", "h:"], "bad port 'x'"),
        (&["a", "h:", "--verify"], "before the names"),
        (&["-O", "--resume", "a", "h:"], "cannot do --resume"),
    ] {
        let done = run(&place, words);
        assert_eq!((done.code, done.out.as_str()), (1, ""), "{words:?}");
        assert!(done.err.contains(reason), "{words:?}: {}", done.err);
    }
    let help = finish(nacre().args(["scp", "--help"]), b"");
    for flag in [
        "-3",
        "-4",
        "-6",
        "-A",
        "-B",
        "-C",
        "-O",
        "-p",
        "-q",
        "-R",
        "-r",
        "-s",
        "-T",
        "-v",
        "-c",
        "-D",
        "-F",
        "-i",
        "-J",
        "-l",
        "-o",
        "-P",
        "-S",
        "-X",
        "--resume",
        "--verify",
        "--in-place",
        "--json",
    ] {
        assert!(help.out.contains(&format!(" {flag}")), "{flag}");
    }
}
