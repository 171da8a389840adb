//! As root: ChrootDirectory, a folder that is all there is for a user.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/root.rs"]
mod root;
#[path = "common/serve.rs"]
mod serve;

use root::{ACCOUNTS, Root, below, possible, sftp, status};
use serve::{eventually, finish};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

/// A jail for each user, where nobody but root can change what is above it.
struct Jails(PathBuf);

impl Jails {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = PathBuf::from(format!("/var/lib/nacre-jails-{}-{number}", std::process::id()));
        for (name, id) in ACCOUNTS {
            let inside = folder.join(name).join("files");
            fs::create_dir_all(&inside).unwrap();
            chown(&inside, Some(id), Some(id)).unwrap();
        }
        Self(folder)
    }

    fn of(&self, user: &str) -> PathBuf {
        self.0.join(user)
    }

    /// Puts a program in, with the libraries that it wants.
    fn furnish(&self, user: &str, program: &str) {
        let listed = finish(common::program("ldd").arg(program), b"").out;
        let files = listed.split_whitespace().filter(|word| word.starts_with('/')).chain([program]);
        for file in files {
            let copy = self.of(user).join(&file[1..]);
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::copy(file, copy).unwrap();
        }
    }

    fn server(&self, lines: &str) -> Root {
        let lines = format!("PerSourcePenalties no\nChrootDirectory {}/%u\n{lines}", self.0.display());
        Root::start(Path::new(env!("CARGO_BIN_EXE_nacre")), &lines)
    }
}

impl Drop for Jails {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a18_files_go_in_and_out_of_a_jail_and_nothing_else_is_seen() {
    if !possible() {
        return;
    }
    let jails = Jails::new();
    let server = jails.server("ForceCommand internal-sftp");
    server.place.write("small", "content");
    fs::write(jails.of("carol").join("note"), "from root").unwrap();
    let (small, back, stolen) = (server.place.path("small"), server.place.path("back"), server.place.path("stolen"));
    let commands = format!(
        "pwd\nls /\nput {} files/new\nchmod 600 files/new\nget /note {}\n-get /etc/passwd {2}\n-get ../../../etc/passwd {2}\n\
         -mkdir /mine\n",
        small.display(),
        back.display(),
        stolen.display(),
    );
    let done = sftp(&server, "carol", &commands);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.out.contains("Remote working directory: /\n"), "{}", done.out);
    assert!(
        done.out.contains("files") && done.out.contains("note") && !done.out.contains("home-carol"),
        "{}",
        done.out
    );
    let (new, id) = (fs::metadata(jails.of("carol").join("files/new")).unwrap(), ACCOUNTS[0].1);
    assert_eq!((new.uid(), new.gid(), new.mode() & 0o777, new.len()), (id, id, 0o600, 7));
    assert_eq!(fs::read(back).unwrap(), b"from root");
    assert!(!stolen.exists() && !jails.of("carol").join("mine").exists(), "{done:?}");
    // There is no shell in it, and none is found outside.
    let shell = server.run("carol", "echo out");
    assert!(shell.code != 0 && !shell.out.contains("out"), "{shell:?}");
    assert_eq!(sftp(&server, "carol", "ls files\n").out.lines().last().map(str::trim_end), Some("files/new"));
    server.settles(0);
}

#[test]
fn a18_who_serves_in_a_jail_is_the_user_and_has_nothing_of_the_server() {
    if !possible() {
        return;
    }
    let jails = Jails::new();
    let server = jails.server("");
    let mut ssh = server.ssh("carol", &["-s"]);
    let mut client = ssh.arg("sftp").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let worker = || {
        below(server.pid())
            .into_iter()
            .find(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "sftp-server\n"))
    };
    eventually("a worker", || worker().is_some());
    let pid = worker().unwrap();
    let all = [ACCOUNTS[0].1.to_string().as_str(); 4].join(" ");
    assert_eq!((status(pid, "Uid"), status(pid, "Gid")), (all.clone(), all));
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(status(pid, set), "0000000000000000");
    }
    assert_eq!(fs::read_link(format!("/proc/{pid}/root")).unwrap(), jails.of("carol"));
    assert_eq!(fs::metadata(format!("/proc/{pid}/mem")).unwrap().uid(), 0, "the user's processes may look at it");
    let inside = jails.of("carol");
    let open = || {
        fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten().filter_map(|entry| fs::read_link(entry.path()).ok())
    };
    let strange =
        || open().find(|target| !target.to_string_lossy().starts_with("pipe:") && !target.starts_with(&inside));
    eventually("nothing but its streams and its folder", || strange().is_none());
    client.kill().unwrap();
    client.wait().unwrap();
    server.settles(0);
}

#[test]
fn commands_and_terminals_of_a_furnished_jail() {
    if !possible() {
        return;
    }
    let jails = Jails::new();
    for program in ["/bin/sh", "/bin/ls", "/bin/stty"] {
        jails.furnish("carol", program);
    }
    let server = jails.server("");
    let done = server.run("carol", "ls -d /* && pwd && echo \"$USER\"");
    assert_eq!(done.code, 0, "{done:?}: {}", server.log());
    assert!(
        done.out.contains("/files\n") && !done.out.contains("/etc") && done.out.ends_with("/\ncarol\n"),
        "{done:?}"
    );
    let done = finish(server.ssh("carol", &["-tt"]).arg("test -t 0 && stty -a && echo \"on $SSH_TTY\""), b"");
    assert!(done.code == 0 && done.out.contains("speed") && done.out.contains("on /dev/pts/"), "{done:?}");
    server.settles(0);
}

#[test]
fn a18_no_folder_outside_is_held_open_in_a_jail() {
    if !possible() {
        return;
    }
    let jails = Jails::new();
    for program in ["/bin/sh", "/bin/sleep"] {
        jails.furnish("carol", program);
    }
    fs::create_dir(jails.of("carol").join(".ssh")).unwrap();
    fs::write(jails.of("carol").join(".ssh/rc"), "exit 1").unwrap();
    let server = jails.server("");
    let mut client = server.ssh("carol", &["-tt"]).arg("sleep 30").stdin(Stdio::piped()).spawn().unwrap();
    let uid = ACCOUNTS[0].1.to_string();
    let own =
        || below(server.pid()).into_iter().filter(|pid| status(*pid, "Uid").starts_with(&uid)).collect::<Vec<_>>();
    eventually("a helper and a command", || own().len() >= 2);
    // From a folder that is held open, /proc/self/fd would lead to what is above it.
    let inside = jails.of("carol");
    let holds_more = |pid: &u32| {
        let mut open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        open.any(|entry| {
            let held = fs::metadata(entry.path()).is_ok_and(|meta| meta.is_dir());
            held && fs::read_link(entry.path()).is_ok_and(|target| !target.starts_with(&inside))
        })
    };
    eventually("no folder above is held", || !own().iter().any(holds_more));
    client.kill().unwrap();
    client.wait().unwrap();
    server.settles(0);
}

#[test]
fn nologin_holds_for_those_in_a_jail() {
    if !possible() {
        return;
    }
    let jails = Jails::new();
    for program in ["/bin/sh", "/bin/echo"] {
        jails.furnish("carol", program);
    }
    let server = jails.server("");
    assert_eq!(server.run("carol", "/bin/echo in").out, "in\n");
    server.place.write("run/nologin", "closed for a while");
    for done in [server.run("carol", "/bin/echo in"), sftp(&server, "carol", "ls\n")] {
        assert!(done.code != 0 && done.out.is_empty(), "{done:?}");
    }
    server.settles(0);
}

#[test]
fn a18_a_jail_that_somebody_else_can_change_is_not_entered() {
    if !possible() {
        return;
    }
    let jails = Jails::new();
    let server = jails.server("");
    chown(jails.of("carol"), Some(ACCOUNTS[0].1), None).unwrap();
    fs::set_permissions(jails.of("dave"), fs::Permissions::from_mode(0o775)).unwrap();
    for user in ["carol", "dave"] {
        let done = sftp(&server, user, "ls\n");
        assert!(done.code != 0 && done.out.is_empty(), "{done:?}");
        server
            .logs(&format!("cannot become {user}: enter {}: look at {0}: it has owner uid", jails.of(user).display()));
    }
    fs::remove_dir_all(jails.of("dave")).unwrap();
    assert_ne!(sftp(&server, "dave", "ls\n").code, 0);
    server.logs(&format!("look at {}: No such file", jails.of("dave").display()));
    server.settles(0);
}
