//! The SFTP server by other people's clients: built into `nacre serve`, and started by others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/serve.rs"]
mod serve;

use common::{Scratch, nacre, program};
use serve::{Done, Server, eventually, finish, is_alive};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// OpenSSH's options that every client here gets.
fn options(server: &Server, name: &str) -> Command {
    let mut command = program(name);
    command.args(["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR", "-o", "BatchMode=yes"]);
    command.arg("-o").arg(format!("UserKnownHostsFile={}", server.place.path("known").display()));
    command
        .args(["-o", "IdentitiesOnly=yes", "-i"])
        .arg(server.place.path("id"))
        .arg("-P")
        .arg(server.port.to_string());
    command
}

/// OpenSSH's sftp with these commands.
fn sftp(server: &Server, commands: &str) -> Done {
    let mut sftp = options(server, "sftp");
    finish(sftp.args(["-b", "-"]).arg(format!("{}@127.0.0.1", server.user)), commands.as_bytes())
}

/// OpenSSH's scp; `@` at the beginning of a word is the server.
fn scp(server: &Server, words: &[&str]) -> Done {
    let mut scp = options(server, "scp");
    for word in words {
        match word.strip_prefix('@') {
            Some(path) => scp.arg(format!("{}@127.0.0.1:{path}", server.user)),
            None => scp.arg(word),
        };
    }
    finish(&mut scp, b"")
}

fn folder(place: &Scratch, name: &str) -> PathBuf {
    fs::create_dir_all(place.path(name)).unwrap();
    place.path(name)
}

fn noise(length: u32) -> Vec<u8> {
    (0..length).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}

#[track_caller]
fn good(done: &Done) {
    assert_eq!(done.code, 0, "{done:?}");
}

#[test]
fn openssh_sftp_does_its_work() {
    // No word of a subsystem in the configuration.
    let server = Server::start("");
    let (here, there) = (folder(&server.place, "here"), folder(&server.place, "there"));
    let content = noise(3_000_000);
    fs::write(here.join("big"), &content).unwrap();
    fs::write(here.join("sp ace"), b"small").unwrap();
    let (h, t) = (here.display(), there.display());
    let done = sftp(
        &server,
        &format!(
            "version\ncd {t}\nput {h}/big\nput \"{h}/sp ace\" in\nget big {h}/back\nmkdir sub\nrename in sub/moved\n\
             symlink sub/moved link\nln big hard\nchmod 640 big\nls -l\npwd\ndf\ncp big copy\nrm hard\n"
        ),
    );
    good(&done);
    assert!(done.out.contains("SFTP protocol version 3"), "{}", done.out);
    assert!(done.out.contains(&format!("Remote working directory: {t}")), "{}", done.out);
    assert!(done.out.contains("-rw-r-----    "), "as ls has it: {}", done.out);
    for copy in [there.join("big"), here.join("back"), there.join("copy")] {
        assert!(fs::read(&copy).unwrap() == content, "{}", copy.display());
    }
    assert_eq!(fs::read(there.join("link")).unwrap(), b"small");
    assert!(!there.join("hard").exists());
    assert_eq!(fs::metadata(there.join("big")).unwrap().mode() & 0o7777, 0o640);
    let failed = sftp(&server, &format!("get {t}/absent {h}/absent\n"));
    assert!(failed.code == 1 && failed.err.contains("not found"), "{failed:?}");
}

#[test]
fn openssh_scp_takes_whole_trees() {
    let server = Server::start("");
    let tree = folder(&server.place, "tree/deep/er");
    let root = server.place.path("tree");
    fs::write(tree.join("file"), noise(100_000)).unwrap();
    fs::write(root.join(OsStr::from_bytes(b"not \xff UTF-8 \xfe")), b"odd").unwrap();
    fs::set_permissions(tree.join("file"), fs::Permissions::from_mode(0o751)).unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_234_567_890);
    File::options().write(true).open(tree.join("file")).unwrap().set_modified(time).unwrap();
    let (up, down) = (server.place.path("up"), server.place.path("down"));
    let path = |path: &Path| path.display().to_string();
    good(&scp(&server, &["-rp", &path(&root), &format!("@{}", path(&up))]));
    good(&scp(&server, &["-rp", &format!("@{}", path(&up)), &path(&down)]));
    for copy in [&up, &down] {
        let meta = fs::metadata(copy.join("deep/er/file")).unwrap();
        assert_eq!((meta.mode() & 0o7777, meta.mtime()), (0o751, 1_234_567_890));
        assert!(fs::read(copy.join("deep/er/file")).unwrap() == noise(100_000));
        assert_eq!(fs::read(copy.join(OsStr::from_bytes(b"not \xff UTF-8 \xfe"))).unwrap(), b"odd");
    }
}

#[test]
fn files_beyond_4_gib_are_continued() {
    let server = Server::start("");
    let far = 4 << 30;
    let sparse = |name: &str, length: u64| {
        let file =
            File::options().read(true).write(true).create(true).truncate(false).open(server.place.path(name)).unwrap();
        file.set_len(length).unwrap();
        file
    };
    sparse("whole", far + 4096).write_all_at(b"end", far).unwrap();
    let (up, down) = (sparse("up", far), sparse("down", far));
    let path = |name: &str| server.place.path(name).display().to_string();
    let (whole, up_name, down_name) = (path("whole"), path("up"), path("down"));
    good(&sftp(&server, &format!("reput {whole} {up_name}\nreget {whole} {down_name}\nls -l {up_name}\n")));
    for copy in [up, down] {
        let mut end = [0; 3];
        copy.read_exact_at(&mut end, far).unwrap();
        assert_eq!((copy.metadata().unwrap().len(), &end), (far + 4096, b"end"));
    }
}

#[test]
fn folders_with_very_many_names_are_listed() {
    let server = Server::start("");
    let many = folder(&server.place, "many");
    for n in 0..12_345 {
        File::create(many.join(format!("{n:06}"))).unwrap();
    }
    let done = sftp(&server, &format!("ls -1 {}\n", many.display()));
    good(&done);
    assert_eq!(done.out.lines().filter(|line| !line.starts_with("sftp>")).count(), 12_345);
}

#[test]
fn a_subsystem_line_has_flags_and_other_servers_stay_possible() {
    let server = Server::start(
        "Subsystem sftp internal-sftp -R -P realpath,expand-path -l VERBOSE -e\nSubsystem other /usr/lib/openssh/sftp-server",
    );
    let file = server.place.write("file", "content").display().to_string();
    let copy = server.place.path("copy").display().to_string();
    let to = format!("@{}", server.place.path("new").display());
    let refused = scp(&server, &[&file, &to]);
    assert!(refused.code != 0 && !server.place.path("new").exists(), "{refused:?}");
    assert!(refused.err.contains("Permission denied"), "{refused:?}");
    let done = scp(&server, &["-v", &format!("@{file}"), &copy]);
    assert_eq!(server.place.read("copy"), "content");
    // With -e the log comes to the client's standard error.
    assert!(done.err.contains(&format!("open \"{file}\" flags READ mode 0666")), "{}", done.err);
    assert!(done.err.contains(&format!("close \"{file}\" bytes read 7 written 0")), "{}", done.err);
    if Path::new("/usr/lib/openssh/sftp-server").exists() {
        let mut sftp = options(&server, "sftp");
        let words = ["-b", "-", "-s", "other"];
        good(&finish(sftp.args(words).arg(format!("{}@127.0.0.1", server.user)), b"ls /\n"));
    }
}

#[test]
fn f01_forced_sftp_below_a_root_needs_no_rights_of_root() {
    let place = Scratch::new();
    let jail = folder(&place, "jail");
    fs::write(jail.join("inside"), b"inside").unwrap();
    place.write("canary", "canary");
    symlink("../canary", jail.join("out")).unwrap();
    let server = Server::start(&format!("ForceCommand internal-sftp --root {} -d /%u", jail.display()));
    fs::create_dir(jail.join(&server.user)).unwrap();
    let here = server.place.path("got");
    let got = here.display();
    let done =
        sftp(&server, &format!("pwd\nget /inside {got}\nput {got} new\n-get ../../canary\n-get /out\nls -l /\n"));
    good(&done);
    assert!(done.out.contains(&format!("Remote working directory: /{}", server.user)), "{}", done.out);
    assert_eq!(server.place.read("got"), "inside");
    assert_eq!(fs::read(jail.join(&server.user).join("new")).unwrap(), b"inside");
    assert!(!done.out.contains("canary ") && !done.out.contains(&jail.display().to_string()), "{}", done.out);
    assert!(done.err.contains("not found") && done.err.contains("No such file"), "{}", done.err);
    // Whatever else is asked for gets a word of why and nothing more.
    for command in [&["id"][..], &[], &["scp", "-t", "/"], &["internal-sftp"]] {
        let done = finish(server.ssh(&[]).args(command), b"");
        assert_eq!((done.code, done.out.as_str()), (1, "This service allows sftp connections only.\n"), "{command:?}");
    }
}

#[test]
fn a_key_can_be_for_sftp_alone_and_a_client_cannot_name_the_inner_server() {
    let server = Server::start("");
    let key = server.place.read("id.pub");
    server.place.write("keys", &format!("restrict,command=\"internal-sftp -R\" {key}"));
    good(&sftp(&server, "ls /\n"));
    assert_eq!(server.run("id").code, 1);
    let refused = sftp(&server, &format!("put {} {0}.new\n", server.place.path("id.pub").display()));
    assert!(refused.code == 1 && !server.place.path("id.pub.new").exists(), "{refused:?}");
    // Without a forced command it is the shell that looks for such a program, and finds none.
    server.place.write("keys", &key);
    assert_eq!(server.run("internal-sftp -R").code, 127);
}

/// The processes below one that call themselves `sftp-server`.
fn workers(server: &Server) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{0}/task/{0}/children", server.pid())).unwrap_or_default();
    let all = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap().flatten();
    let lists = all.map(|task| fs::read_to_string(task.path().join("children")).unwrap_or_default());
    let pids: String = lists.collect::<String>() + &list;
    let is_worker =
        |pid: &u32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"sftp-server"));
    let mut found: Vec<u32> = pids.split_whitespace().filter_map(|pid| pid.parse().ok()).filter(is_worker).collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[test]
fn the_worker_is_a_process_of_its_own_and_ends_with_its_client() {
    let server = Server::start("SetEnv INSIDE=yes");
    let mut ssh = server.ssh(&["-s"]);
    let mut child = ssh.arg("sftp").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    eventually("a worker", || workers(&server).len() == 1);
    let pid = workers(&server)[0];
    let environment = fs::read(format!("/proc/{pid}/environ"));
    // It is root's who asks, or nobody may look: its memory is not for other processes of the user.
    if nacre_sys::privileges::is_root() {
        let environment = environment.unwrap();
        assert!(environment.split(|byte| *byte == 0).any(|variable| variable == b"INSIDE=yes"));
        eventually("an owner", || fs::metadata(format!("/proc/{pid}/mem")).is_ok_and(|meta| meta.uid() == 0));
    } else {
        eventually("a guard", || fs::read(format!("/proc/{pid}/environ")).is_err());
    }
    eventually("a name", || fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "sftp-server\n"));
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("the worker's end", || !is_alive(pid));
}

#[test]
fn any_sshd_can_start_it() {
    let place = Scratch::new();
    let link = place.path("sftp-server");
    symlink(env!("CARGO_BIN_EXE_nacre"), &link).unwrap();
    place.write("file", "content");
    let mut sftp = program("sftp");
    let commands = format!("cd {0}\nput file copy\nls -l\n", place.root().display());
    let server = format!("{} -e -l INFO", link.display());
    let done = finish(sftp.current_dir(place.root()).args(["-b", "-", "-D", &server]), commands.as_bytes());
    good(&done);
    assert_eq!(place.read("copy"), "content");
    assert!(done.err.contains("session opened for local user"), "{}", done.err);
    let list = finish(nacre().args(["sftp-server", "-Q", "requests"]), b"");
    good(&list);
    for name in ["open", "posix-rename", "users-groups-by-id", "copy-data"] {
        assert!(list.out.lines().any(|line| line == name), "{}", list.out);
    }
    // How it ends: a client that hangs up, one that talks nonsense, flags that mean nothing.
    assert_eq!(finish(nacre().arg("sftp-server"), b"").code, 0);
    assert_eq!(finish(nacre().arg("sftp-server"), b"Welcome!").code, 11);
    assert_eq!(finish(nacre().args(["sftp-server", "-P", "nonsense"]), b"").code, 1);
    let absent = place.path("absent").display().to_string();
    let done = finish(nacre().args(["sftp-server", "--root", &absent]), b"");
    assert!(done.code == 1 && done.err.contains("cannot open the root folder"), "{done:?}");
}

#[test]
fn umask_and_start_folder_are_taken() {
    let place = Scratch::new();
    let start = folder(&place, "start %");
    place.write("file", "content");
    let mut sftp = program("sftp");
    // OpenSSH's client cuts the words of -D at blanks.
    let link = place.path("sftp-server");
    symlink(env!("CARGO_BIN_EXE_nacre"), &link).unwrap();
    let start_flag = format!("-d '{}/start %%'", place.root().display());
    let script = place.write("run", &format!("#!/bin/sh\nexec '{}' -u 027 {start_flag}\n", link.display()));
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    let commands = format!("put {} new\nmkdir sub\n", place.path("file").display());
    let done = finish(sftp.args(["-b", "-", "-D"]).arg(script), commands.as_bytes());
    good(&done);
    assert_eq!(fs::metadata(start.join("new")).unwrap().mode() & 0o777, 0o640);
    assert_eq!(fs::metadata(start.join("sub")).unwrap().mode() & 0o777, 0o750);
}
