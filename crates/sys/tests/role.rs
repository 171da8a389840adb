//! Forking, starting this program in other roles, and becoming a user. Without the test harness, because that has threads.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block
)]

mod support;

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nacre_sys::account::{Account, Credentials};
use nacre_sys::become_account::become_account;
use nacre_sys::forked::{fork_into, fork_sibling_into};
use nacre_sys::messages::MessageSocket;
use nacre_sys::privileges::is_root;
use nacre_sys::records::Records;
use nacre_sys::role::{Forked, Program, RoleSpec, adopt, fork, inherited};
use nacre_sys::spawn::{Child, ExitStatus};

const ENDED_WELL: ExitStatus = ExitStatus::Exited(0);

type Test = (&'static str, fn(&Program));

fn main() {
    let words: Vec<String> = std::env::args().collect();
    match words.get(1).map(String::as_str) {
        Some("tell") => tell(&words),
        Some("removed") => started_after_the_file_was_removed(Path::new(&words[0])),
        Some("replaced") => started_after_the_file_was_replaced(Path::new(&words[0])),
        Some("become") => becomes(),
        Some("middle") => middle(words.iter().any(|w| w == "dies"), words.iter().any(|w| w == "nobody")),
        Some("leaf") => leaf(words.iter().any(|w| w == "nobody")),
        Some("loginuid") => set_loginuid(),
        Some(other) => panic!("no role {other}"),
        None => all(),
    }
}

fn all() {
    let program = Program::own().unwrap();
    let mut tests: Vec<Test> = vec![
        ("fork_has_fresh_signals_and_an_ending_of_its_own", fork_is_fresh),
        ("fork_is_refused_with_two_threads", fork_refuses_threads),
        ("a_killed_fork_is_reaped", killed_fork),
        ("a_fork_without_a_group_of_its_own_is_killed_too", forks_killed_at_once),
        ("a_sibling_is_the_parents_child", siblings),
        ("c11_descriptors_come_by_number_and_no_others", descriptors_by_number),
        ("many_descriptors_keep_their_order", many_descriptors),
        ("session_and_stderr_are_as_asked", session_and_stderr),
        ("bad_strings_are_refused", bad_strings),
        ("p18_removed_program_still_starts", |_| copied("removed")),
        ("p18_replaced_program_starts_the_old_one", |_| copied("replaced")),
        ("p18_ends_with_its_parent_if_asked", |p| ends_with_parent(p, false)),
        ("wrong_count_of_descriptors_is_refused", wrong_count),
    ];
    let as_root: [Test; 4] = [
        ("p18_ends_with_its_parent_also_as_another_user", |p| ends_with_parent(p, true)),
        ("a18_becoming_a_user_is_for_good", becoming),
        ("a18_becoming_is_refused_with_two_threads", becoming_with_threads),
        ("loginuid_of_a_child_is_set", loginuid),
    ];
    if is_root() {
        tests.extend(as_root);
    } else {
        as_root.iter().for_each(|(name, _)| println!("test {name} ... NOT RUN because not root"));
    }
    for (name, test) in &tests {
        test(&program);
        println!("test {name} ... ok");
    }
    println!("test result: ok. {} passed (role)", tests.len());
}

fn role(args: &[&str], fds: Vec<OwnedFd>) -> RoleSpec {
    RoleSpec {
        arg0: "nacre: test".into(),
        args: args.iter().map(OsString::from).collect(),
        env: Vec::new(),
        fds,
        stderr: Some(rustix::io::dup(std::io::stderr()).unwrap()),
        new_session: false,
        ends_with_parent: false,
    }
}

fn receive_text(socket: &MessageSocket) -> String {
    // Fails after a while instead of waiting for a process that should be gone.
    support::poll_in(socket);
    let mut buf = vec![0; 65536];
    let received = socket.receive(&mut buf).unwrap();
    assert!(received.fds.is_empty());
    buf.truncate(received.len);
    String::from_utf8(buf).unwrap()
}

fn status_field(name: &str) -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(&format!("{name}:"))).unwrap();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn end(child: &Child) -> ExitStatus {
    child.wait().unwrap()
}

extern "C" fn handler(_: i32) {}

fn fork_is_fresh(_: &Program) {
    let (ours, theirs) = MessageSocket::pair().unwrap();
    let blocked = [libc::SIGUSR1];
    unsafe {
        libc::signal(libc::SIGUSR2, handler as extern "C" fn(i32) as libc::sighandler_t);
        libc::signal(libc::SIGHUP, libc::SIG_IGN);
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, blocked[0]);
        libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
    }
    let before = ["SigBlk", "SigIgn", "SigCgt"].map(status_field);
    match fork().unwrap() {
        Forked::Child => {
            let signals = ["SigBlk", "SigIgn", "SigCgt"].map(status_field).join(" ");
            let death = rustix::process::parent_process_death_signal().unwrap();
            theirs.send(format!("{signals} {death:?} {}", std::process::id()).as_bytes(), &[]).unwrap();
            std::process::exit(7);
        }
        Forked::Parent(child) => {
            let pipe = 1_u64 << (libc::SIGPIPE - 1);
            let wanted = format!("{:016x} {pipe:016x} {:016x} None {}", 0, 0, child.pid());
            assert_eq!(receive_text(&ours), wanted);
            assert_eq!(end(&child), ExitStatus::Exited(7));
        }
    }
    assert_eq!(["SigBlk", "SigIgn", "SigCgt"].map(status_field), before, "the parent's signals changed");
}

fn fork_refuses_threads(_: &Program) {
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || stopped.recv());
    assert_eq!(fork().unwrap_err().kind(), std::io::ErrorKind::Unsupported);
    drop(stop);
    let _ = thread.join();
    await_one_thread();
}

/// A joined thread's entry stays in /proc for a moment.
fn await_one_thread() {
    while std::fs::read_dir("/proc/self/task").unwrap().count() > 1 {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn killed_fork(_: &Program) {
    match fork().unwrap() {
        Forked::Child => loop {
            std::thread::sleep(Duration::from_secs(1));
        },
        Forked::Parent(child) => {
            assert_eq!(child.try_wait().unwrap(), None);
            child.kill().unwrap();
            assert!(matches!(end(&child), ExitStatus::Signaled { signal: libc::SIGKILL, .. }));
            child.kill().unwrap();
        }
    }
}

/// The group of a fork begins to exist a moment after it does.
fn forks_killed_at_once(_: &Program) {
    for _ in 0..50 {
        let child = fork_into(Vec::new(), &[], |_| {
            loop {
                std::thread::sleep(Duration::from_secs(1));
            }
        })
        .unwrap();
        child.kill_group().unwrap();
        assert!(matches!(end(&child), ExitStatus::Signaled { signal: libc::SIGKILL, .. }));
    }
}

/// A process starts another for its parent, leaves, and the parent waits for the one that it never forked.
fn siblings(_: &Program) {
    let (ours, theirs) = MessageSocket::pair().unwrap();
    let own = nix::unistd::getpid();
    let middle = fork_into(vec![theirs.into()], &[], |given| {
        let socket = MessageSocket::from(given.into_iter().next().unwrap());
        let (wait, go) = MessageSocket::pair().unwrap();
        let pid = fork_sibling_into(vec![wait.into()], &[], |given| {
            let wait = MessageSocket::from(given.into_iter().next().unwrap());
            assert_eq!(receive_text(&wait), "", "the middle has not gone");
            let leads = nix::unistd::getsid(None).unwrap() == nix::unistd::getpid();
            if nix::unistd::getppid() == own && leads && descriptors() == [0, 1, 2, 3] { 7 } else { 8 }
        });
        socket.send(&pid.unwrap().to_ne_bytes(), &[]).unwrap();
        drop(go);
        0
    });
    let (pid, _) = ours.receive_whole(4).unwrap();
    let sibling = adopt(i32::from_ne_bytes(pid.try_into().unwrap())).unwrap();
    assert_eq!(end(&middle.unwrap()), ENDED_WELL);
    assert_eq!(end(&sibling), ExitStatus::Exited(7));
}

/// The role: says on descriptor 3 how it was started.
fn tell(words: &[String]) {
    let count = words.get(2).map_or(2, |count| count.parse().unwrap());
    let open = descriptors();
    let fds = inherited(count).unwrap();
    assert_eq!(inherited(count).unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    for fd in &fds {
        assert!(rustix::io::fcntl_getfd(fd).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
    }
    let marks: String = fds[1..].iter().map(read_a_letter).collect();
    let streams = [0, 1].map(|fd| std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap().display().to_string());
    let env = std::env::vars_os().count();
    // By nix: rustix has no name for a session that began outside of this pid namespace.
    let leads = nix::unistd::getsid(None).unwrap() == nix::unistd::getpid();
    let cwd = std::env::current_dir().unwrap();
    let text = format!("{open:?} {marks} {streams:?} env={env} leads={leads} cwd={} {}", cwd.display(), words[0]);
    eprint!("{}", if leads { "led" } else { "" });
    let socket = MessageSocket::from(fds.into_iter().next().unwrap());
    socket.send(text.as_bytes(), &[]).unwrap();
}

/// Without the descriptor that reads the list.
fn descriptors() -> Vec<u32> {
    let names = std::fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().file_name());
    let mut numbers: Vec<u32> = names.map(|name| name.to_str().unwrap().parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers.retain(|fd| std::fs::read_link(format!("/proc/self/fd/{fd}")).is_ok());
    numbers
}

fn read_a_letter(fd: &OwnedFd) -> char {
    let mut byte = [0; 1];
    if rustix::io::read(fd, &mut byte) == Ok(1) { char::from(byte[0]) } else { '?' }
}

fn pipe_with(letter: u8) -> OwnedFd {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    rustix::io::write(&write, &[letter]).unwrap();
    read
}

fn wanted(last_fd: u32, marks: &str, leads: bool) -> String {
    let open: Vec<u32> = (0..=last_fd).collect();
    let null = ["/dev/null"; 2];
    format!("{open:?} {marks} {null:?} env=0 leads={leads} cwd=/ nacre: test")
}

fn descriptors_by_number(program: &Program) {
    // A library's descriptor that is not close-on-exec must not come along.
    let leak = rustix::fs::open("/dev/null", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty()).unwrap();
    assert!(!rustix::io::fcntl_getfd(&leak).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
    let (ours, theirs) = MessageSocket::pair().unwrap();
    let child = program.start(role(&["tell"], vec![theirs.into(), pipe_with(b'a')])).unwrap();
    assert_eq!(receive_text(&ours), wanted(4, "a", false));
    assert_eq!(end(&child), ENDED_WELL);
    // Ours of the descriptors it was given are closed: the socket ends with the child.
    assert_eq!(receive_text(&ours), "");
}

/// Numbers that are each other's destinations, in every order that mixes them up.
fn many_descriptors(program: &Program) {
    for turn in 0..6 {
        let (ours, theirs) = MessageSocket::pair().unwrap();
        let mut letters: Vec<u8> = (b'a'..=b'f').collect();
        let mut pipes: Vec<OwnedFd> = letters.iter().map(|letter| pipe_with(*letter)).collect();
        letters.rotate_left(turn);
        pipes.rotate_left(turn);
        letters.reverse();
        pipes.reverse();
        let fds = std::iter::once(OwnedFd::from(theirs)).chain(pipes).collect();
        let child = program.start(role(&["tell", "7"], fds)).unwrap();
        assert_eq!(receive_text(&ours), wanted(9, std::str::from_utf8(&letters).unwrap(), false));
        assert_eq!(end(&child), ENDED_WELL);
    }
}

fn session_and_stderr(program: &Program) {
    let (ours, theirs) = MessageSocket::pair().unwrap();
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let mut spec = role(&["tell"], vec![theirs.into(), pipe_with(b'z')]);
    spec.stderr = Some(write);
    spec.new_session = true;
    let child = program.start(spec).unwrap();
    assert_eq!(receive_text(&ours), wanted(4, "z", true));
    assert_eq!(end(&child), ENDED_WELL);
    let mut buf = [0; 100];
    let len = rustix::io::read(&read, &mut buf).unwrap();
    assert_eq!(&buf[..len], b"led");
}

fn bad_strings(program: &Program) {
    for (args, name) in [(vec!["a\0b"], "A"), (vec!["a"], "A=B"), (vec!["a"], "")] {
        let mut spec = role(&args, Vec::new());
        spec.env = vec![(name.into(), "x".into())];
        assert_eq!(program.start(spec).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    }
}

fn wrong_count(program: &Program) {
    let (ours, theirs) = MessageSocket::pair().unwrap();
    // It panics, as told on its stderr, and says nothing.
    let mut spec = role(&["tell", "3"], vec![theirs.into(), pipe_with(b'a')]);
    spec.stderr = None;
    let child = program.start(spec).unwrap();
    assert_eq!(receive_text(&ours), "");
    assert_eq!(end(&child), ExitStatus::Exited(101));
}

fn copied(role: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("program");
    std::fs::copy(std::env::current_exe().unwrap(), &file).unwrap();
    let output = Command::new(&file).arg(role).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "started\n", "{output:?}");
    assert!(output.status.success());
}

fn start_and_hear(program: &Program) {
    let (ours, theirs) = MessageSocket::pair().unwrap();
    let child = program.start(role(&["tell"], vec![theirs.into(), pipe_with(b'r')])).unwrap();
    assert_eq!(receive_text(&ours), wanted(4, "r", false));
    assert_eq!(end(&child), ENDED_WELL);
    println!("started");
}

fn started_after_the_file_was_removed(file: &Path) {
    let program = Program::own().unwrap();
    std::fs::remove_file(file).unwrap();
    start_and_hear(&program);
}

fn started_after_the_file_was_replaced(file: &Path) {
    let program = Program::own().unwrap();
    std::fs::rename(file, file.with_extension("old")).unwrap();
    std::fs::copy("/bin/false", file).unwrap();
    start_and_hear(&program);
}

/// The role between: starts the leaf, which shares descriptor 3 with us, and stays until killed.
fn middle(dies: bool, nobody: bool) {
    let fds = inherited(1).unwrap();
    let mut spec = role(if nobody { &["leaf", "nobody"] } else { &["leaf"] }, fds);
    spec.ends_with_parent = dies;
    let _leaf = Program::own().unwrap().start(spec).unwrap();
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// Answers every message with itself.
fn leaf(nobody: bool) {
    let socket = MessageSocket::from(inherited(1).unwrap().remove(0));
    if nobody {
        become_account(&nobodys()).unwrap();
    }
    let mut buf = [0; 100];
    loop {
        match socket.receive(&mut buf).unwrap().len {
            0 => return,
            len => socket.send(&buf[..len], &[]).unwrap(),
        }
    }
}

fn ends_with_parent(program: &Program, nobody: bool) {
    for dies in [true, false] {
        let (ours, theirs) = MessageSocket::pair().unwrap();
        let args: Vec<&str> =
            [Some("middle"), dies.then_some("dies"), nobody.then_some("nobody")].into_iter().flatten().collect();
        let child = program.start(role(&args, vec![theirs.into()])).unwrap();
        ours.send(b"one", &[]).unwrap();
        assert_eq!(receive_text(&ours), "one");
        child.kill().unwrap();
        assert!(matches!(end(&child), ExitStatus::Signaled { signal: libc::SIGKILL, .. }));
        if dies {
            // The other end closes: the leaf is gone with its parent.
            assert_eq!(receive_text(&ours), "");
        } else {
            ours.send(b"two", &[]).unwrap();
            assert_eq!(receive_text(&ours), "two");
        }
    }
}

fn nobodys() -> Credentials {
    Account::by_name("nobody").unwrap().expect("account nobody").credentials().unwrap()
}

fn becomes() {
    let target = nobodys();
    become_account(&target).unwrap();
    let [uid, gid] = [target.uid, target.gid].map(|id| [id; 4].map(|id| id.to_string()).join(" "));
    assert_eq!((status_field("Uid"), status_field("Gid")), (uid, gid));
    let mut groups = target.groups.clone();
    groups.sort_unstable();
    assert_eq!(status_field("Groups"), groups.iter().map(u32::to_string).collect::<Vec<_>>().join(" "));
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(status_field(set), "0000000000000000", "{set}");
    }
    assert_ne!(unsafe { libc::setuid(0) }, 0);
    assert_ne!(unsafe { libc::setgid(0) }, 0);
    assert!(std::fs::File::open("/etc/shadow").is_err());
    assert_eq!(rustix::process::dumpable_behavior().unwrap(), rustix::process::DumpableBehavior::NotDumpable);
    // Becoming root again is an error and not a pretence.
    assert!(become_account(&Credentials { uid: 0, gid: 0, groups: vec![0] }).is_err());
}

fn becoming(program: &Program) {
    assert_eq!(end(&program.start(role(&["become"], Vec::new())).unwrap()), ENDED_WELL);
}

fn becoming_with_threads(_: &Program) {
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || stopped.recv());
    assert_eq!(become_account(&nobodys()).unwrap_err().kind(), std::io::ErrorKind::Unsupported);
    assert!(is_root());
    drop(stop);
    let _ = thread.join();
    await_one_thread();
}

/// The role: sets its own and reads it back, where the kernel keeps one.
fn set_loginuid() {
    let file = Path::new("/proc/self/loginuid");
    Records::default().set_loginuid(12345).unwrap();
    if file.exists() {
        assert_eq!(std::fs::read_to_string(file).unwrap(), "12345");
    } else {
        eprintln!("this kernel keeps no login id: only that setting it is no error was tried");
    }
}

fn loginuid(program: &Program) {
    let own = || std::fs::read_to_string("/proc/self/loginuid").ok();
    let before = own();
    assert_eq!(end(&program.start(role(&["loginuid"], Vec::new())).unwrap()), ENDED_WELL);
    assert_eq!(own(), before, "only the child's was to change");
}
