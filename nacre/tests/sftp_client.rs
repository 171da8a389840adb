//! Every command of `nacre sftp`, with its effect on the disk, through OpenSSH's sftp-server and through our own; and how
//! batches end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/serve.rs"]
mod serve;

use common::{Scratch, nacre};
use serve::{Done, finish};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

const OPENSSH: &str = "/usr/lib/openssh/sftp-server";

/// The servers that all of this is done with, as `-D` takes them.
fn servers() -> [String; 2] {
    assert!(Path::new(OPENSSH).exists(), "{OPENSSH} is missing: apt-get install openssh-sftp-server");
    [OPENSSH.to_owned(), format!("'{}' sftp-server", env!("CARGO_BIN_EXE_nacre"))]
}

/// A place with a far folder `far`, and a near one that is the client's own.
fn place() -> Scratch {
    let place = Scratch::new();
    for folder in ["far", "near"] {
        std::fs::create_dir(place.path(folder)).unwrap();
    }
    place
}

fn sftp(place: &Scratch, server: &str) -> Command {
    let mut command = nacre();
    command.args(["sftp", "-D", server]).current_dir(place.path("near")).env("HOME", place.root());
    command
}

/// Does these commands in the far folder, none of which may fail.
#[track_caller]
fn does(place: &Scratch, server: &str, lines: &str) -> String {
    let script = format!("@cd \"{}\"\n{lines}\n", place.path("far").display());
    let done = finish(sftp(place, server).args(["-b", "-"]), script.as_bytes());
    assert_eq!((done.code, done.err.as_str()), (0, ""), "{lines}\n{}", done.out);
    done.out
}

/// Does these commands in the far folder from a file that is no batch: none ends it.
fn tries(place: &Scratch, server: &str, lines: &str) -> Done {
    let script = format!("cd \"{}\"\n{lines}\n", place.path("far").display());
    finish(&mut sftp(place, server), script.as_bytes())
}

fn mode(place: &Scratch, name: &str) -> u32 {
    place.path(name).symlink_metadata().unwrap().mode() & 0o7777
}

#[test]
fn files_are_fetched_and_sent() {
    for server in servers() {
        let place = place();
        let large: Vec<u8> = (0..700_000_u32).flat_map(u32::to_le_bytes).collect();
        std::fs::write(place.path("far/large"), &large).unwrap();
        place.write("far/a one", "one");
        place.write("near/mine", "mine");
        std::fs::set_permissions(place.path("near/mine"), std::fs::Permissions::from_mode(0o640)).unwrap();
        let then = UNIX_EPOCH + Duration::from_secs(1_400_000_000);
        std::fs::File::open(place.path("near/mine")).unwrap().set_modified(then).unwrap();
        let lines = "get large\nget -f 'a one' two\nput mine\nput -pf mine kept\nput -a mine \"m 3\"";
        let out = does(&place, &server, lines);
        assert!(!out.contains("Fetching"), "a batch is quiet: {out}");
        assert!(std::fs::read(place.path("near/large")).unwrap() == large);
        assert_eq!(place.read("near/two"), "one");
        for name in ["far/mine", "far/kept", "far/m 3"] {
            assert_eq!(place.read(name), "mine");
        }
        assert_eq!(mode(&place, "far/kept"), 0o640);
        assert_eq!(place.path("far/kept").metadata().unwrap().mtime(), 1_400_000_000);
        let left = |folder: &str| std::fs::read_dir(place.path(folder)).unwrap().count();
        assert_eq!((left("near"), left("far")), (3, 5), "nothing else is left over");
    }
}

#[test]
fn folders_and_patterns_move() {
    for server in servers() {
        let place = place();
        std::fs::create_dir_all(place.path("far/tree/sub")).unwrap();
        for name in ["far/tree/one", "far/tree/sub/two", "far/x1", "far/x2", "far/x*", "far/.x3"] {
            place.write(name, name);
        }
        std::os::unix::fs::symlink("one", place.path("far/tree/link")).unwrap();
        std::fs::create_dir(place.path("near/all")).unwrap();
        does(&place, &server, "get -r tree\nget -R tree again\nmget x? all\nget 'x*' star\nget x\\* star2");
        for folder in ["near/tree", "near/again"] {
            assert_eq!(place.read(&format!("{folder}/sub/two")), "far/tree/sub/two");
            assert!(!place.path(&format!("{folder}/link")).exists(), "links stay behind");
        }
        let mut all: Vec<_> =
            std::fs::read_dir(place.path("near/all")).unwrap().map(|e| e.unwrap().file_name()).collect();
        all.sort();
        assert_eq!(all, ["x*", "x1", "x2"]);
        assert_eq!((place.read("near/star"), place.read("near/star2")), ("far/x*".into(), "far/x*".into()));
        does(&place, &server, "mkdir up\nput -r tree up\nmput all/x? up\nlcd tree\nput -R sub");
        assert_eq!(place.read("far/up/tree/sub/two"), "far/tree/sub/two");
        assert_eq!((place.read("far/up/x1"), place.read("far/up/x*")), ("far/x1".into(), "far/x*".into()));
        assert_eq!(place.read("far/sub/two"), "far/tree/sub/two");
    }
}

#[test]
fn what_is_cut_is_gone_on_with() {
    for server in servers() {
        let place = place();
        let whole: Vec<u8> = (0..400_000_u32).flat_map(u32::to_be_bytes).collect();
        std::fs::write(place.path("far/big"), &whole).unwrap();
        // As OpenSSH's sftp leaves them: the beginning under the name itself.
        std::fs::write(place.path("near/big"), &whole[..1_000_000]).unwrap();
        std::fs::write(place.path("near/up"), &whole).unwrap();
        std::fs::write(place.path("far/up"), &whole[..500_000]).unwrap();
        let out = tries(&place, &server, "reget big\nreput up\nget -a big\nverify on\nget big other\nverify off").out;
        assert!(out.contains("\nResuming "), "{out}");
        assert!(out.contains("\nVerified: 1 file equal at both ends\n"), "{out}");
        assert!(out.contains("Transfers are verified\n") && out.contains("Transfers are not verified\n"), "{out}");
        for name in ["near/big", "far/up", "near/other"] {
            assert!(std::fs::read(place.path(name)).unwrap() == whole, "{name} with {server}");
        }
    }
}

/// A command of each kind needs what OpenSSH's client needs for it, and no more: `-p` of its server refuses all else.
#[test]
fn a_server_that_permits_little_is_asked_for_little() {
    // More than one READ brings from a server that does not tell how much it bears.
    let text = "data".repeat(50_000);
    for (others, one, line, made) in [
        ("realpath,stat,lstat,read,close", "open", "get FAR/data copy", "near/copy"),
        ("realpath,stat,lstat,open,close", "write", "put own FAR/new", "far/new"),
        ("realpath,stat,lstat,readdir", "opendir", "ls -ln FAR", ""),
        ("realpath,stat,lstat", "rename", "rename -l FAR/data FAR/new", "far/new"),
    ] {
        for (permitted, code) in [(format!("{others},{one}"), 0), (others.to_owned(), 1)] {
            let place = place();
            place.write("far/data", &text);
            place.write("near/own", &text);
            let line = line.replace("FAR", &place.path("far").display().to_string());
            let server = format!("{OPENSSH} -p {permitted}");
            let done = finish(sftp(&place, &server).args(["-b", "-"]), format!("{line}\n").as_bytes());
            assert_eq!(done.code, code, "{permitted}: {}{}", done.out, done.err);
            let whole = std::fs::read_to_string(place.path(made)).is_ok_and(|there| there == text);
            assert_eq!(whole, code == 0 && !made.is_empty(), "{permitted}: {line}");
            assert!(!place.path("far/.new.nacre-part").exists());
        }
    }
}

#[test]
fn the_far_side_is_changed() {
    for server in servers() {
        let place = place();
        for name in ["a", "b", "r1", "r2", "keep*"] {
            place.write(&format!("far/{name}"), name);
        }
        let me = place.path("far/a").metadata().unwrap();
        let lines = format!(
            "mkdir one\nmkdir 'two words'\nrmdir one\nchmod 600 a\nchmod 0751 r?\nrename a c\nln c hard\nln -s c soft\n\
             symlink c soft2\nchown {} c\nchgrp {} c\ncopy b copied\ncp b \"copied 2\"\nrm r*\nrm keep\\*\ncd 'two words'\n\
             mkdir inner\nrmdir ../'two words'/inner\ncd ..\nrename b two\\ words/b",
            me.uid(),
            me.gid()
        );
        does(&place, &server, &lines);
        let far = |name: &str| place.path("far").join(name);
        assert!(!far("one").exists() && !far("a").exists() && !far("r1").exists() && !far("keep*").exists());
        assert_eq!(mode(&place, "far/c"), 0o600);
        assert_eq!(far("hard").metadata().unwrap().ino(), far("c").metadata().unwrap().ino());
        assert_eq!(std::fs::read_link(far("soft")).unwrap(), Path::new("c"));
        assert_eq!(std::fs::read_link(far("soft2")).unwrap(), Path::new("c"));
        assert_eq!((place.read("far/copied"), place.read("far/copied 2")), ("b".into(), "b".into()));
        assert_eq!(place.read("far/two words/b"), "b");
        assert!(std::fs::read_dir(far("two words")).unwrap().count() == 1);
        does(&place, &server, "chmod -h 644 c");
        assert_eq!(mode(&place, "far/c"), 0o644);
        // Only root gives files away.
        let other = if me.uid() == 0 { 1 } else { me.uid() };
        does(&place, &server, &format!("chown -h {other} soft"));
        assert_eq!(far("soft").symlink_metadata().unwrap().uid(), other, "the link itself");
        assert_eq!(far("c").metadata().unwrap().uid(), me.uid());
    }
}

#[test]
fn the_far_side_is_shown() {
    for server in servers() {
        let place = place();
        std::fs::create_dir(place.path("far/sub")).unwrap();
        place.write("far/sub/inner", "");
        place.write("far/.hidden", "");
        place.write("far/bb", "22");
        place.write("far/a", "333");
        let then = UNIX_EPOCH + Duration::from_secs(1_400_000_000);
        std::fs::File::open(place.path("far/a")).unwrap().set_modified(then).unwrap();
        let shows = |command: &str| does(&place, &server, &format!("@{command}"));
        assert_eq!(shows("ls"), "a    bb   sub\n");
        assert_eq!(shows("ls -1"), "a\nbb\nsub\n");
        assert_eq!(shows("ls -1r"), "sub\nbb\na\n");
        assert_eq!(shows("ls -1a"), ".\n..\n.hidden\na\nbb\nsub\n");
        assert_eq!(shows("ls -1S ?*").lines().nth(1), Some("a"));
        assert_eq!(shows("ls -1t").lines().last(), Some("a"));
        assert_eq!(shows("ls -1f").lines().count(), 3);
        assert_eq!(shows("ls -1 sub"), "sub/inner\n");
        assert_eq!(shows("ls -1 s*"), "sub/inner\n");
        assert_eq!(shows("ls -1 *"), "a\nbb\nsub/\n");
        let absolute = place.path("far").display().to_string();
        assert_eq!(shows(&format!("ls -1 {absolute}/sub")), format!("{absolute}/sub/inner\n"));
        for long in [shows("ls -l a"), shows("ls -ln a"), shows("ls -l").lines().next().unwrap().to_owned()] {
            assert!(long.starts_with("-rw-r--r--") && long.contains(" 3 May 13  2014 a"), "{long}");
        }
        assert!(shows("ls -lh bb").contains(" 2B "));
        assert_eq!(shows("ls -lr").lines().count(), 3);
        assert!(shows("df").starts_with("        Size         Used        Avail       (root)    %Capacity\n"));
        assert!(shows("df -h sub").contains("B  "));
        assert!(shows("df -i").starts_with("     Inodes"));
        assert_eq!(shows("pwd"), format!("Remote working directory: {absolute}\n"));
        assert_eq!(shows("version"), "SFTP protocol version 3\n");
        assert!(shows("help").contains("\nreput [-fpR] local [remote]        Resume upload file\n"));
        assert_eq!(shows("?"), shows("help"));
    }
}

#[test]
fn the_near_side_has_commands_of_its_own() {
    let place = place();
    place.write("far/new", "");
    let near = place.path("near").display().to_string();
    let out =
        does(&place, OPENSSH, "@lmkdir sub\n@lumask 077\n@get new\n@lpwd\n@lcd sub\n@!pwd\n@lcd\n@lpwd\n@lls near");
    let home = place.root().display();
    let expected = format!(
        "Local umask: 077\nLocal working directory: {near}\n{near}/sub\nLocal working directory: {home}\nnew\nsub\n"
    );
    assert_eq!(out, expected);
    assert_eq!(mode(&place, "near/new"), 0o600);
    let done = tries(&place, OPENSSH, "!exit 3\n!kill -9 $$\nprogress\nprogress");
    assert!(done.err.contains("Shell exited with status 3\nShell exited abnormally\n"), "{}", done.err);
    assert!(done.out.contains("Progress meter enabled\n") && done.out.contains("Progress meter disabled\n"));
}

#[test]
fn every_refusal_is_told_in_openssh_s_words_and_goes_on() {
    for server in servers() {
        let place = place();
        place.write("far/file", "");
        place.write("far/other", "");
        let far = place.path("far").display().to_string();
        let lines = "cd nope\ncd file\nget nope\nget f*\nget * nowhere\nput nope\nput no*\nrm nope\nrmdir nope\nrename nope x\n\
                     ln nope x\nchmod 600 nope\nchown 1 nope\ncopy nope x\nls nope\nmkdir nope/x\nlcd nope\nlmkdir .\n\
                     df nope\nrm\nnonsense\nls -z\nget \"x\npwd extra";
        let done = tries(&place, &server, lines);
        assert_eq!(done.code, 0, "{}", done.err);
        let none = "No such file or directory";
        for line in [
            format!("stat remote \"{far}/nope\": {none}"),
            format!("Can't change directory: \"{far}/file\" is not a directory"),
            format!("File \"{far}/nope\" not found."),
            "Multiple source paths, but destination \"nowhere\" is not a directory".to_owned(),
            format!("stat nope: {none}"),
            format!("stat no*: {none}"),
            format!("remote delete {far}/nope: {none}"),
            format!("remote rmdir \"{far}/nope\": {none}"),
            format!("remote rename \"{far}/nope\" to \"{far}/x\": {none}"),
            format!("remote link \"{far}/nope\" to \"{far}/x\": {none}"),
            format!("remote setstat \"{far}/nope\": {none}"),
            format!("Couldn't copy file \"{far}/nope\" to \"{far}/x\": {none}"),
            format!("Can't ls: \"{far}/nope\" not found"),
            format!("remote mkdir \"{far}/nope/x\": {none}"),
            format!("Couldn't change local directory to \"nope\": {none}"),
            "Couldn't create local directory \".\": File exists".to_owned(),
            "You must specify a path after a rm command.".to_owned(),
            "Invalid command.".to_owned(),
            "ls: Invalid flag -z".to_owned(),
            "Unterminated quoted argument".to_owned(),
            "\"extra\" is one word too many, and is ignored".to_owned(),
        ] {
            assert!(done.err.lines().any(|told| told == line), "{line}\nis missing in\n{}", done.err);
        }
        for line in [format!("Fetching {far}/file to file"), format!("Removing {far}/nope"), format!("sftp> cd {far}")]
        {
            let line = line.replace("sftp> cd ", "Remote working directory: ");
            assert!(done.out.lines().any(|told| told == line), "{line}\nis missing in\n{}", done.out);
        }
    }
}

#[test]
fn a_batch_ends_at_the_first_failure_but_for_lines_with_a_dash() {
    let place = place();
    for (script, code, out) in [
        ("pwd\nrm nope\npwd\n", 1, "sftp> pwd\nRemote working directory: /\nsftp> rm nope\n"),
        ("-rm nope\n@pwd\n", 0, "sftp> -rm nope\nRemote working directory: /\n"),
        ("@-rm nope\n-@ls nope\n@version", 0, "SFTP protocol version 3\n"),
        ("nonsense\npwd\n", 1, "sftp> nonsense\n"),
        ("!exit 1\n@lls /nope\n@version\n", 0, "sftp> !exit 1\nSFTP protocol version 3\n"),
        ("bye\npwd\n", 0, "sftp> bye\n"),
        ("# nothing\n\n", 0, "sftp> # nothing\nsftp> \n"),
        ("", 0, ""),
    ] {
        let file = place.write("batch", script);
        let from_file = finish(sftp(&place, OPENSSH).arg("-b").arg(&file).current_dir("/"), b"");
        assert_eq!((from_file.code, from_file.out.as_str()), (code, out), "{script:?}: {}", from_file.err);
        let piped = finish(sftp(&place, OPENSSH).args(["-b", "-"]).current_dir("/"), script.as_bytes());
        assert_eq!((piped.code, piped.out.as_str()), (code, out), "{script:?}");
    }
}

#[test]
fn what_keeps_a_session_from_beginning_has_openssh_s_codes() {
    let place = place();
    let code = |words: &[&str]| {
        let done =
            finish(nacre().arg("sftp").args(words).current_dir(place.root()).env("HOME", place.root()), b"pwd\n");
        assert!(!done.err.contains("panicked"), "{}", done.err);
        (done.code, done.err)
    };
    assert_eq!(code(&["-D", "/bin/true"]), (255, "Connection closed\n".into()));
    assert_eq!(code(&["-b", "/nope", "-D", OPENSSH]).0, 255);
    assert_eq!(code(&["-D", "/nope"]).0, 255);
    assert_eq!(code(&["-D", "'"]).0, 255);
    let (number, words) = code(&["-D", "/bin/sh -c 'echo hello there'"]);
    assert!(number == 255 && words.contains("login script"), "{words}");
    assert_eq!(code(&[]).0, 1);
    assert_eq!(code(&["-z", "h"]).0, 1);
    let (number, words) = code(&["-q", "-P", "1", "127.0.0.1"]);
    assert!(number == 255 && words.ends_with("Connection closed\n"), "{words}");
}
