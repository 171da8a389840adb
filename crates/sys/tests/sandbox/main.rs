//! What a confined process can do and cannot (threats P18, P19). Without the test harness, because that has threads: `main`
//! starts itself once more for each deed, confined.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block
)]

mod deeds;
mod gone;
mod runtime;
mod seldom;
mod works;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use deeds::{DEEDS, Deed, End};
use gone::GONE;
use nacre_sys::readiness::wait_readable;
use nacre_sys::sandbox::{Answer, Confinement, TABLE, empty_folder, missing};
use rustix::process::Signal;
use seldom::{SELDOM, p19_what_is_seldom_made_is_shown};

const UID: u32 = 65_533;
const GID: u32 = 65_532;
const MAX_OPEN: u64 = 64;

fn main() {
    if let Some(role) = std::env::args().nth(1) {
        return match deeds().find(|(name, ..)| *name == role) {
            Some((_, _, deed)) => do_confined(deed),
            None => other_role(&role),
        };
    }
    p19_table_lists_nothing_dangerous();
    p19_empty_folder_stays_empty();
    assert_eq!(missing(), [""; 0], "this machine must have what the server asks of it");
    if !nacre_sys::privileges::is_root() {
        println!("sandbox: {} tests NOT RUN because not root", deeds().count() + 4);
        println!("test result: ok. 3 passed (sandbox)");
        return;
    }
    let failed: Vec<String> = deeds().filter_map(|(name, end, _)| check(name, end)).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    p19_nothing_is_left();
    p19_wrong_users_and_threads_are_refused();
    p19_stopped_and_continued_it_goes_on();
    match p19_what_is_seldom_made_is_shown(|deed| deeds().any(|(name, ..)| name == deed)) {
        Some(lines) => println!("{lines} lines of the table were shown to be needed"),
        None => println!("sandbox: what is seldom made NOT TRIED because there is no strace"),
    }
    println!("test result: ok. {} passed (sandbox)", deeds().count() + 7);
}

fn deeds() -> impl Iterator<Item = (&'static str, End, Deed)> {
    DEEDS.iter().chain(GONE).chain(SELDOM).copied()
}

fn own(role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(role);
    command
}

fn confinement() -> Confinement {
    Confinement { uid: UID, gid: GID, root: empty_folder(&std::env::temp_dir()).unwrap(), max_open_files: MAX_OPEN }
}

fn confine() {
    confinement().confine().unwrap();
    println!("confined");
}

fn do_confined(deed: Deed) {
    let result = deed(confine);
    let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
    println!("{}", if result < 0 { errno } else { 0 });
}

/// What went wrong, if something did.
fn check(name: &str, end: End) -> Option<String> {
    let output = own(name).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    let good = match end {
        End::Killed => said == "confined\n" && output.status.signal() == Some(libc::SIGSYS),
        // The limit of core files is zero.
        End::Signal(signal) => {
            said == "confined\n" && output.status.signal() == Some(signal) && !output.status.core_dumped()
        }
        End::Errno(errno) => said == format!("confined\n{errno}\n") && output.status.success(),
        End::Works => said == "confined\n0\n" && output.status.success(),
    };
    println!("test {name} ... {}", if good { "ok" } else { "FAILED" });
    (!good).then(|| format!("{name}: wanted {end:?}, got {output:?}"))
}

fn other_role(role: &str) {
    match role {
        "wait" => {
            confine();
            let stdin = std::io::stdin();
            // Stopped and continued, the call must not be resumed by another one.
            while wait_readable(&[stdin.as_fd()], Some(Duration::from_secs(60))).unwrap() != [true] {}
            let _ = std::io::stdin().read(&mut [0; 1]);
        }
        "threads" => {
            let (_keep, wait) = std::sync::mpsc::channel::<()>();
            std::thread::spawn(move || wait.recv());
            refused_with(confinement(), "threads are running");
        }
        "root" => refused_with(Confinement { uid: 0, ..confinement() }, "uid and gid must not be root's"),
        "root's group" => refused_with(Confinement { gid: 0, ..confinement() }, "uid and gid must not be root's"),
        other => panic!("no role {other}"),
    }
}

fn refused_with(confinement: Confinement, why: &str) {
    let error = confinement.confine().unwrap_err().to_string();
    assert!(error.starts_with("confine: ") && error.contains(why), "{error}");
    println!("refused");
}

fn p19_wrong_users_and_threads_are_refused() {
    for role in ["threads", "root", "root's group"] {
        let output = own(role).output().unwrap();
        assert_eq!(
            (output.status.code(), output.stdout.as_slice()),
            (Some(0), &b"refused\n"[..]),
            "{role}: {output:?}"
        );
    }
}

fn start_confined() -> Child {
    let mut child = own("wait").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "confined\n");
    child
}

fn p19_stopped_and_continued_it_goes_on() {
    let mut child = start_confined();
    let pid = rustix::process::Pid::from_child(&child);
    for (signal, state) in [(Signal::STOP, "T"), (Signal::CONT, "S")] {
        rustix::process::kill_process(pid, signal).unwrap();
        let place = format!("/proc/{}/stat", child.id());
        let is_so = || {
            let stat = std::fs::read_to_string(&place).unwrap();
            stat.rsplit(") ").next().unwrap().starts_with(state)
        };
        while !is_so() {
            assert!(child.try_wait().unwrap().is_none(), "it ended by {signal:?}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    child.stdin.take().unwrap().write_all(b"x").unwrap();
    assert!(child.wait().unwrap().success());
}

/// Seen from outside, by root.
fn p19_nothing_is_left() {
    let mut child = start_confined();
    let proc = format!("/proc/{}", child.id());
    let status = std::fs::read_to_string(format!("{proc}/status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
        line.unwrap_or_else(|| panic!("no {name}")).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(field("Uid"), [UID; 4].map(|id| id.to_string()).join(" "));
    assert_eq!(field("Gid"), [GID; 4].map(|id| id.to_string()).join(" "));
    assert_eq!(field("Groups"), "");
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(field(set), "0000000000000000", "{set}");
    }
    assert_eq!((field("NoNewPrivs").as_str(), field("Seccomp").as_str()), ("1", "2"));
    let limits = std::fs::read_to_string(format!("{proc}/limits")).unwrap();
    let limit = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().take(2).map(|n| n.parse::<u64>().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(limit("Max file size"), [0, 0]);
    assert_eq!(limit("Max processes"), [0, 0]);
    assert_eq!(limit("Max core file size"), [0, 0]);
    assert_eq!(limit("Max open files"), [MAX_OPEN, MAX_OPEN]);
    for link in ["root", "cwd"] {
        let place = std::fs::read_link(format!("{proc}/{link}")).unwrap();
        assert!(place.to_str().unwrap().ends_with(" (deleted)"), "{link}: {place:?}");
        assert_eq!(std::fs::read_dir(format!("{proc}/{link}/.")).unwrap().count(), 0, "{link}");
    }
    // Not dumpable: its entry in /proc belongs to root and not to its user.
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(format!("{proc}/mem")).unwrap()), 0);
    child.stdin.take().unwrap().write_all(b"x").unwrap();
    assert!(child.wait().unwrap().success());
}

fn p19_empty_folder_stays_empty() {
    let parent = tempfile::tempdir().unwrap();
    let folder = empty_folder(parent.path()).unwrap();
    assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    let made = rustix::fs::mkdirat(&folder, "x", rustix::fs::Mode::RWXU);
    assert_eq!(made, Err(rustix::io::Errno::NOENT));
    assert!(empty_folder(Path::new("/no/such/folder")).unwrap_err().to_string().contains("/no/such/folder"));
}

fn p19_table_lists_nothing_dangerous() {
    const NEVER: [&str; 24] = [
        "execve",
        "execveat",
        "fork",
        "vfork",
        "clone",
        "clone3",
        "ptrace",
        "kill",
        "tkill",
        "connect",
        "bind",
        "listen",
        "accept",
        "socketpair",
        "setuid",
        "setresuid",
        "chroot",
        "mount",
        "prctl",
        "seccomp",
        "mknodat",
        "bpf",
        "unshare",
        "io_uring_setup",
    ];
    for line in TABLE {
        assert!(!NEVER.contains(&line.name), "{}", line.name);
        assert!(!line.why.is_empty() && line.number >= 0, "{}", line.name);
        let same = TABLE.iter().filter(|other| other.number == line.number);
        assert!(same.clone().all(|other| other.name == line.name), "{}", line.name);
        let always = same.clone().filter(|other| other.when.is_none()).count();
        assert!(always <= 1, "{} twice without a condition", line.name);
        let unconditional_allow = same.clone().any(|l| l.when.is_none() && l.answer != Answer::Refuse);
        assert!(!unconditional_allow || same.count() == 1, "{}: a line that never counts", line.name);
    }
}
