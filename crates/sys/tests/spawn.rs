//! Starting, awaiting, signalling and reaping session processes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::path::Path;

use nacre_sys::account::{Account, Credentials};
use nacre_sys::pty::{Pty, WindowSize, set_window_size};
use nacre_sys::spawn::{ChildStdio, ExitStatus, SpawnSpec, pipe_to_child, reap_orphans, signal_group, spawn};
use support::{drain, finish, read_until, root_or_say_so, run, spec, start};

fn nobody() -> Credentials {
    Account::by_name("nobody").unwrap().expect("account nobody").credentials().unwrap()
}

fn exited(code: u32) -> ExitStatus {
    ExitStatus::Exited(code)
}

#[test]
fn output_and_exit_code_come_back() {
    assert_eq!(run("echo out; echo err >&2; exit 7", |_| ()), (exited(7), "out\nerr\n".into()));
}

#[test]
fn input_reaches_the_child_and_end_of_file_too() {
    let piped = start("cat", |_| ()).unwrap();
    rustix::io::write(&piped.stdin, b"hello").unwrap();
    drop(piped.stdin);
    assert_eq!(drain(&piped.stdout), "hello");
    assert_eq!(finish(&piped.child), exited(0));
}

#[test]
fn c11_child_holds_exactly_fds_0_1_2() {
    let leak = rustix::fs::open("/dev/null", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty()).unwrap();
    assert!(!rustix::io::fcntl_getfd(&leak).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
    for credentials in [None, nacre_sys::privileges::is_root().then(nobody)] {
        // The shell's own expansion of the glob needs a directory descriptor of its own; `ls` reads another process's.
        let (status, text) = run("ls /proc/$$/fd; exit 0", |spec| spec.credentials = credentials);
        assert_eq!((status, text.split_whitespace().collect::<Vec<_>>()), (exited(0), vec!["0", "1", "2"]));
    }
}

#[test]
fn nothing_of_our_environment_is_inherited() {
    let (_, text) = run("", |spec| {
        spec.program = "/usr/bin/env".into();
        spec.args.clear();
        spec.env = vec![("A".into(), "1".into()), ("LANG".into(), "x=y".into())];
    });
    assert_eq!(text, "A=1\nLANG=x=y\n");
}

#[test]
fn bad_environment_and_arguments_are_refused() {
    for name in ["", "A=B", "A\0B"] {
        let err = start("true", |spec| spec.env = vec![(name.into(), "v".into())]).err().unwrap();
        assert_eq!(err.kind(), std::io::ErrorKind::InvalidInput, "{name:?}");
    }
    assert!(start("a\0b", |_| ()).is_err());
}

#[test]
fn arg0_is_given_and_umask_set() {
    let (_, text) = run("echo $0; umask", |spec| {
        spec.arg0 = "-login".into();
        spec.umask = Some(0o077);
    });
    // A shell run as `-login -c` names itself by $0.
    assert_eq!(text, "-login\n0077\n");
}

#[test]
fn failed_exec_names_path_and_errno() {
    for credentials in [None, nacre_sys::privileges::is_root().then(nobody)] {
        let err = start("", |spec| {
            spec.program = "/no/such/shell".into();
            spec.credentials = credentials;
        })
        .err()
        .unwrap();
        assert_eq!(nacre_sys::errno_of(&err), Some(rustix::io::Errno::NOENT.raw_os_error()));
        assert_eq!(err.kind(), std::io::ErrorKind::NotFound);
        assert!(err.to_string().contains("/no/such/shell: execute"), "{err}");
    }
    let err = start("", |spec| spec.program = "/etc/passwd".into()).err().unwrap();
    assert_eq!(err.kind(), std::io::ErrorKind::PermissionDenied);
}

#[test]
fn unreachable_working_directory_falls_back_to_root() {
    let piped = start("pwd", |spec| spec.cwd = "/no/such/home".into()).unwrap();
    assert_eq!(drain(&piped.stdout), "/\n");
    assert_eq!(piped.child.cwd_error().unwrap().raw_os_error(), Some(rustix::io::Errno::NOENT.raw_os_error()));
    let piped = start("pwd", |spec| spec.cwd = "/tmp".into()).unwrap();
    assert_eq!(drain(&piped.stdout), "/tmp\n");
    assert!(piped.child.cwd_error().is_none());
}

#[test]
fn signals_end_the_whole_group_and_have_names() {
    for (name, grandchild) in [("TERM", "sleep 100 & wait"), ("KILL", "sleep 100 & wait"), ("HUP", "sleep 100")] {
        let piped = start(&format!("echo ready; {grandchild}"), |_| ()).unwrap();
        read_until(&piped.stdout, "ready");
        piped.child.signal_group(name).unwrap();
        let status = finish(&piped.child);
        assert_eq!(status.signal_name(), Some(name));
        // The grandchild held stdout too: end of file proves that it went.
        drain(&piped.stdout);
    }
}

#[test]
fn only_the_names_of_the_rfc_are_sent() {
    let piped = start("sleep 100", |_| ()).unwrap();
    for name in ["STOP", "SIGTERM", "term", "9", "", "CHLD", "INFO@openssh.com"] {
        let err = piped.child.signal_group(name).unwrap_err();
        assert_eq!(err.kind(), std::io::ErrorKind::InvalidInput, "{name}");
    }
    for pid in [0, 1, -1, -5] {
        assert_eq!(signal_group(pid, "TERM").unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    }
    assert_eq!(piped.child.try_wait().unwrap(), None);
    piped.child.hang_up().unwrap();
    assert_eq!(finish(&piped.child).signal_name(), Some("HUP"));
}

#[test]
fn hang_up_of_an_empty_group_is_no_error_and_never_hits_a_reused_id() {
    let piped = start("exit 0", |_| ()).unwrap();
    finish(&piped.child);
    // The zombie is still there and is ours to signal; both calls reach nobody.
    piped.child.hang_up().unwrap();
    piped.child.kill_group().unwrap();
    assert_eq!(piped.child.try_wait().unwrap(), Some(exited(0)));
}

#[test]
fn core_dump_flag_and_unnamed_signals() {
    let (status, _) = run("ulimit -c 0; kill -BUS $$", |_| ());
    assert_eq!(status.signal_name(), None);
    assert!(matches!(status, ExitStatus::Signaled { signal: 7, core_dumped: false }), "{status:?}");
}

#[test]
fn dropped_children_leave_no_zombie() {
    let ended = start("exit 0", |_| ()).unwrap();
    let ended_pid = ended.child.pid();
    finish(&ended.child);
    drop(ended);
    assert!(!Path::new(&format!("/proc/{ended_pid}")).exists());

    let running = start("read line", |_| ()).unwrap();
    let pid = running.child.pid();
    drop(running.child);
    assert!(Path::new(&format!("/proc/{pid}")).exists());
    drop(running.stdin);
    let start = std::time::Instant::now();
    while Path::new(&format!("/proc/{pid}")).exists() {
        assert!(start.elapsed() < support::PATIENCE, "process {pid} is still there");
        reap_orphans();
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn signal_state_is_reset() {
    // The Rust runtime ignores SIGPIPE; this thread blocks SIGUSR1 and SIGTERM.
    let mut set = nix::sys::signal::SigSet::empty();
    set.add(nix::sys::signal::Signal::SIGUSR1);
    set.add(nix::sys::signal::Signal::SIGTERM);
    let old = set.thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_BLOCK).unwrap();
    let (_, text) = run("grep -E '^Sig(Ign|Blk)' /proc/self/status", |_| ());
    old.thread_set_mask().unwrap();
    assert_eq!(text, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

#[test]
fn child_leads_its_own_session_without_terminal() {
    let piped = start("ps -o sid=,pgid=,tty= -p $$ 2>/dev/null || cut -d' ' -f5,6,7 /proc/$$/stat", |_| ()).unwrap();
    let pid = piped.child.pid().to_string();
    let text = drain(&piped.stdout);
    let fields: Vec<_> = text.split_whitespace().collect();
    assert_eq!(&fields[..2], [pid.as_str(), pid.as_str()]);
    assert!(["?", "0"].contains(&fields[2]), "{text}");
}

#[test]
fn pty_is_the_controlling_terminal() {
    let pty = Pty::open().unwrap();
    pty.resize(WindowSize { columns: 132, rows: 43, ..Default::default() }).unwrap();
    let (path, slave) = (pty.path.clone(), pty.slave);
    let child = spawn(spec("tty; stty size; tty < /dev/tty; read a; stty size", ChildStdio::Pty(slave))).unwrap();
    let text = read_until(&pty.master, "43 132\r\n");
    assert!(text.starts_with(&format!("{}\r\n", path.display())), "{text}");
    set_window_size(&pty.master, WindowSize { columns: 80, rows: 25, ..Default::default() }).unwrap();
    rustix::io::write(&pty.master, b"\n").unwrap();
    read_until(&pty.master, "25 80\r\n");
    assert_eq!(finish(&child), exited(0));
    drain(&pty.master);
}

#[test]
fn interrupt_character_reaches_the_foreground_job() {
    let pty = Pty::open().unwrap();
    // Not a shell: dash loses an interrupt that comes while it forks.
    let cat = SpawnSpec { program: "/bin/cat".into(), args: Vec::new(), ..spec("", ChildStdio::Pty(pty.slave)) };
    let child = spawn(cat).unwrap();
    rustix::io::write(&pty.master, b"ready\n").unwrap();
    read_until(&pty.master, "ready\r\nready");
    rustix::io::write(&pty.master, b"\x03").unwrap();
    assert_eq!(finish(&child).signal_name(), Some("INT"));
}

#[test]
fn a18_child_has_only_the_users_ids_and_groups() {
    if !root_or_say_so("a18_child_has_only_the_users_ids_and_groups") {
        return;
    }
    // As if the server still carried groups of its own.
    let target = Credentials { groups: vec![65534, 7, 100], ..nobody() };
    let (status, text) = run("grep -E '^(Uid|Gid|Groups|Cap(Prm|Eff|Amb)):' /proc/self/status; id", |spec| {
        spec.credentials = Some(target.clone());
    });
    assert_eq!(status, exited(0));
    let expected = "Uid:\t65534\t65534\t65534\t65534\nGid:\t65534\t65534\t65534\t65534\nGroups:\t7 100 65534 \n\
        CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapAmb:\t0000000000000000\n";
    assert!(text.starts_with(expected), "{text}");
    assert!(!text.contains("(root)"), "{text}");
}

#[test]
fn a18_child_cannot_read_what_root_can() {
    if !root_or_say_so("a18_child_cannot_read_what_root_can") {
        return;
    }
    let (status, text) = run("cat /etc/shadow", |spec| spec.credentials = Some(nobody()));
    assert_ne!(status, exited(0));
    assert!(text.contains("ermission denied"), "{text}");
    let (_, text) = run("pwd", |spec| {
        spec.credentials = Some(nobody());
        spec.cwd = "/root".into();
    });
    // The directory is entered as the user, not as root before becoming the user.
    let readable = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata("/root").unwrap()) & 0o001 != 0;
    assert_eq!(text, if readable { "/root\n" } else { "/\n" });
}

#[test]
fn a18_becoming_without_root_is_an_error_not_a_shell() {
    if !root_or_say_so("a18_becoming_without_root_is_an_error_not_a_shell") {
        return;
    }
    let piped = run_as_nobody_spawning();
    assert!(piped.contains("set supplementary groups"), "{piped}");
}

/// Runs this very test binary as nobody, where `child_tries_to_become` below does the attempt.
fn run_as_nobody_spawning() -> String {
    let dir = tempfile::Builder::new().prefix("nacre-sys").tempdir_in("/tmp").unwrap();
    let copy = dir.path().join("test");
    // By a process of its own: a writable descriptor here would be copied into children of other tests, and exec would say ETXTBSY.
    assert!(
        std::process::Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&copy).status().unwrap().success()
    );
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(dir.path(), mode).unwrap();
    let (status, text) = run("", |spec| {
        *spec = SpawnSpec {
            program: copy.clone(),
            args: ["--exact", "child_tries_to_become", "--nocapture"].map(Into::into).to_vec(),
            env: vec![("NACRE_TEST_CHILD".into(), "1".into())],
            credentials: Some(nobody()),
            stdio: std::mem::replace(&mut spec.stdio, ChildStdio::Pty(pipe_to_child().unwrap().child)),
            ..support::spec("", ChildStdio::Pty(pipe_to_child().unwrap().child))
        };
    });
    assert_eq!(status, exited(0), "{text}");
    text
}

#[test]
fn child_tries_to_become() {
    if std::env::var_os("NACRE_TEST_CHILD").is_none() {
        return;
    }
    let root = Credentials { uid: 0, gid: 0, groups: vec![0] };
    let err = start("id", |spec| spec.credentials = Some(root)).err().expect("must not start");
    println!("{err}");
    assert_eq!(err.kind(), std::io::ErrorKind::PermissionDenied);
}

#[test]
fn descriptors_given_as_0_1_2_are_not_mixed_up() {
    // In a process of its own, because it closes its own standard descriptors.
    if std::env::var_os("NACRE_TEST_LOW_FDS").is_some() {
        low_descriptors();
    }
    let exe = std::env::current_exe().unwrap();
    let status = std::process::Command::new(exe)
        .args(["--exact", "descriptors_given_as_0_1_2_are_not_mixed_up", "--nocapture"])
        .env("NACRE_TEST_LOW_FDS", "1")
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(42));
}

fn low_descriptors() -> ! {
    let (input, output) = (pipe_to_child().unwrap(), nacre_sys::spawn::pipe_from_child().unwrap());
    // fd 0 becomes what the child shall have as stdout, fd 1 what it shall have as stdin.
    rustix::stdio::dup2_stdin(&output.child).unwrap();
    rustix::stdio::dup2_stdout(&input.child).unwrap();
    // SAFETY: fd 0 is open (just made) and std's stdin is not used any more.
    let zero = unsafe { rustix::stdio::take_stdin() };
    // SAFETY: fd 1 is open (just made) and std's stdout is not used any more.
    let one = unsafe { rustix::stdio::take_stdout() };
    drop((input.child, output.child));
    let err = rustix::fs::open("/dev/null", rustix::fs::OFlags::WRONLY, rustix::fs::Mode::empty()).unwrap();
    let child = spawn(spec("tr a-z A-Z", ChildStdio::Fds { stdin: one, stdout: zero, stderr: err })).unwrap();
    rustix::io::write(&input.parent, b"mixed").unwrap();
    drop(input.parent);
    let right = drain(&output.parent) == "MIXED" && finish(&child) == exited(0);
    std::process::exit(if right { 42 } else { 1 })
}

#[test]
fn parents_pipe_ends_do_not_block_and_childs_do() {
    let pipe = pipe_to_child().unwrap();
    let nonblocking = |fd| rustix::fs::fcntl_getfl(fd).unwrap().contains(rustix::fs::OFlags::NONBLOCK);
    assert!(nonblocking(&pipe.parent) && !nonblocking(&pipe.child));
    let socket = nacre_sys::spawn::socket_pair().unwrap();
    assert!(nonblocking(&socket.parent) && !nonblocking(&socket.child));
    for fd in [&pipe.parent, &pipe.child, &socket.parent, &socket.child] {
        assert!(rustix::io::fcntl_getfd(fd).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
    }
    assert!(rustix::pipe::fcntl_getpipe_size(&pipe.parent).unwrap() >= 65536);
}

#[test]
fn failed_start_closes_the_descriptors_it_was_given() {
    let pipe = pipe_to_child().unwrap();
    let (out, err) = (pipe_to_child().unwrap(), pipe_to_child().unwrap());
    let stdio = ChildStdio::Fds { stdin: pipe.child, stdout: out.child, stderr: err.child };
    assert!(spawn(SpawnSpec { program: "/no/such".into(), ..spec("", stdio) }).is_err());
    // Nobody holds the reading end any more, once other tests' children that were just cloned have reached exec.
    let start = std::time::Instant::now();
    while rustix::io::write(&pipe.parent, b"x") != Err(rustix::io::Errno::PIPE) {
        assert!(start.elapsed() < support::PATIENCE, "the child's end is still open");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
