//! The server as a service: what it tells the manager, sockets it is given, and what outlives it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/root.rs"]
mod root;
#[path = "common/serve.rs"]
mod serve;

use common::{nacre, program};
use root::Root;
use serve::{PATIENCE, Server, eventually, finish, free_port, is_alive, send};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nacre");

/// The fields of the next notification.
fn notified(manager: &UnixDatagram) -> Vec<String> {
    let mut buffer = [0; 4096];
    let got = manager.recv(&mut buffer).unwrap();
    String::from_utf8_lossy(&buffer[..got]).lines().map(str::to_owned).collect()
}

#[test]
fn the_service_manager_hears_of_start_reload_and_stop() {
    let server = Server::start("");
    let path = server.place.path("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let port = free_port();
    let mut child = serve::serve(&server.place, port).env("NOTIFY_SOCKET", &path).spawn().unwrap();
    let first = notified(&manager);
    for field in ["READY=1".to_owned(), format!("MAINPID={}", child.id())] {
        assert!(first.contains(&field), "{first:?}");
    }
    assert!(first.contains(&format!("STATUS=Server listening on 127.0.0.1 port {port}.")), "{first:?}");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok(), "ready means that it listens");

    for (lines, said) in [("", "reloaded"), ("NoSuchWord x", "not reloaded")] {
        server.configure(lines);
        send(child.id(), "HUP");
        let begun = notified(&manager);
        let micros = begun.iter().find_map(|field| field.strip_prefix("MONOTONIC_USEC=")?.parse::<u64>().ok());
        assert!(begun.contains(&"RELOADING=1".to_owned()) && micros > Some(0), "{begun:?}");
        let done = notified(&manager);
        let status = done.iter().find(|field| field.starts_with("STATUS=")).unwrap();
        assert!(done.contains(&"READY=1".to_owned()) && status.contains(said), "{done:?}");
    }
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok(), "a wrong configuration changes nothing");

    send(child.id(), "TERM");
    let last = notified(&manager);
    assert!(last.contains(&"STOPPING=1".to_owned()), "{last:?}");
    assert!(child.wait().unwrap().success());
}

/// The server with a socket as descriptor 3, as a service manager starts it.
fn with_socket(server: &Server, socket: impl Into<OwnedFd>, flags: &[&str]) -> Command {
    let mut command = program("sh");
    let script = "exec 3<&0 0</dev/null; export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=ssh; exec \"$@\"";
    command.args(["-c", script, "sh", PROGRAM, "serve", "--user-mode"]).args(flags);
    command.arg("--state").arg(server.place.path("state")).arg("-f").arg(server.place.path("config"));
    command.stdin(Stdio::from(socket.into())).stdout(Stdio::null());
    command.stderr(std::fs::File::create(server.place.path("log")).unwrap());
    command
}

#[test]
fn sockets_that_are_passed_are_the_only_ones() {
    let mut server = Server::start("PerSourcePenalties no");
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let unused = free_port();
    let listen = format!("127.0.0.1:{unused}");
    let mut child = with_socket(&server, socket, &["--listen", &listen]).spawn().unwrap();
    eventually("the greeting", || server.log().contains("  stop  "));
    let line = format!("  listening   127.0.0.1:{port} (passed by the service manager;");
    assert!(server.log().contains(&line), "{}", server.log());
    assert!(TcpStream::connect(("127.0.0.1", unused)).is_err(), "ListenAddress does not count");
    server.port = port;
    let done = server.run("echo $LISTEN_FDS in; ls -l /proc/self/fd | grep -c socket");
    assert_eq!(done.out, "in\n0\n", "no session gets the socket or hears of it: {}", done.err);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_passed_connection_is_served_and_what_is_none_is_refused() {
    let mut server = Server::start("PerSourcePenalties no");
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    server.port = socket.local_addr().unwrap().port();
    let mut ssh = server.ssh(&[]);
    let client = ssh.arg("echo $SSH_CLIENT; exit 5").stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let (connection, peer) = socket.accept().unwrap();
    let mut child = with_socket(&server, connection, &["-i"]).spawn().unwrap();
    let done = client.wait_with_output().unwrap();
    let said = String::from_utf8(done.stdout).unwrap();
    assert_eq!(
        (done.status.code(), said.starts_with(&format!("127.0.0.1 {} ", peer.port()))),
        (Some(5), true),
        "{said}"
    );
    assert!(child.wait().unwrap().success());

    let status = with_socket(&server, socket.try_clone().unwrap(), &["-i"]).status().unwrap();
    assert_eq!(status.code(), Some(255));
    assert!(server.log().contains("without -i"), "{}", server.log());
    let (one, _other) = (TcpStream::connect(socket.local_addr().unwrap()).unwrap(), socket.accept().unwrap());
    assert_eq!(with_socket(&server, one, &[]).status().unwrap().code(), Some(255));
    assert!(server.log().contains("does not listen"), "{}", server.log());
}

/// The sections of a unit file: (section, keyword, value).
fn parse(unit: &str) -> Vec<(String, String, String)> {
    let mut section = String::new();
    let mut all = Vec::new();
    for line in unit.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', ';'])) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.to_owned();
            continue;
        }
        let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("no assignment: {line:?}"));
        assert!(!section.is_empty() && !value.is_empty() && !line.ends_with('\\'), "{line}");
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "{line}");
        all.push((section.clone(), name.to_owned(), value.to_owned()));
    }
    all
}

#[test]
fn install_prints_units_and_writes_nothing() {
    let place = common::Scratch::new();
    let mut command = nacre();
    let odd = place.path("a $x 50%");
    command.args(["serve", "--install", "-f"]).arg(&odd).current_dir(place.root()).env("HOME", place.root());
    let done = finish(&mut command, b"");
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    assert_eq!(std::fs::read_dir(place.root()).unwrap().count(), 0);
    let parts: Vec<&str> = done.out.split("\n# ======== ").collect();
    let (steps, files) = parts.split_first().unwrap();
    assert!(steps.lines().all(|line| line.starts_with('#')), "the steps are comments: {steps}");
    for words in ["useradd --system", "/var/lib/nacre", "/etc/nacre", "systemctl enable --now nacre.socket", PROGRAM] {
        assert!(steps.contains(words), "{words}: {steps}");
    }
    let mut found = Vec::new();
    for file in files {
        let (heading, unit) = file.split_once(" ========\n").unwrap();
        let known: &[&str] = match heading {
            "/etc/systemd/system/nacre.service" => &["Unit", "Service", "Install"],
            "/etc/systemd/system/nacre.socket" => &["Unit", "Socket", "Install"],
            other => panic!("what is {other}?"),
        };
        let settings = parse(unit);
        assert!(settings.iter().all(|(section, ..)| known.contains(&section.as_str())), "{settings:?}");
        assert!(known.iter().all(|section| settings.iter().any(|(known, ..)| known == section)), "{settings:?}");
        found.extend(settings);
    }
    let value = |name: &str| {
        let mut values = found.iter().filter(|(_, known, _)| known == name);
        (values.next().map(|(_, _, value)| value.clone()), values.count())
    };
    let config = odd.display().to_string().replace('$', "$$").replace('%', "%%");
    assert_eq!(value("ExecStart"), (Some(format!("{PROGRAM} serve -f \"{config}\"")), 0));
    for (name, wanted) in
        [("Type", "notify-reload"), ("KillMode", "process"), ("KillSignal", "SIGQUIT"), ("Accept", "no")]
    {
        assert_eq!(value(name), (Some(wanted.to_owned()), 0), "{name}");
    }
    // What would keep sudo from working in sessions is there to be taken, and off.
    assert_eq!(value("NoNewPrivileges").0, None);
    assert!(done.out.contains("\n#NoNewPrivileges=yes\n"));
}

#[test]
fn why_shows_where_every_limit_came_from() {
    let place = common::Scratch::new();
    let lines = "MaxSessions 4\nPerSourcePenalties authfail:7s\nRekeyLimit 1G\nClientAliveCountMax 9\n";
    let file = place.write("config", lines);
    let mut command = nacre();
    command.args(["serve", "--user-mode", "-G", "--why", "-g", "7", "-o", "MaxStartups=3:4:5", "-f"]).arg(&file);
    let done = finish(command.arg("--state").arg(place.path("state")), b"");
    assert_eq!(done.code, 0, "{}", done.err);
    let at = |line: u32| format!("# {}:{line}", file.display());
    for (keyword, origin) in [
        ("logingracetime 7", "# command line".to_owned()),
        ("maxauthtries 6", "# default".to_owned()),
        ("maxstartups 3:4:5", "# command line".to_owned()),
        ("persourcemaxstartups none", "# default".to_owned()),
        ("persourcenetblocksize 32:64", "# default".to_owned()),
        ("persourcepenalties crash:90 authfail:7 ", at(2)),
        ("persourcepenaltyexemptlist 127.0.0.0/8", "# default".to_owned()),
        ("banner none", "# default".to_owned()),
        ("maxsessions 4", at(1)),
        ("rekeylimit ", at(3)),
        ("clientaliveinterval 60", "# default".to_owned()),
        ("clientalivecountmax 9", at(4)),
        ("tcpkeepalive yes", "# default".to_owned()),
        ("channeltimeout none", "# default".to_owned()),
        ("unusedconnectiontimeout 600", "# default".to_owned()),
        ("kexalgorithms mlkem768x25519-sha256,", "# default".to_owned()),
        ("ciphers aes256-gcm@openssh.com,", "# default".to_owned()),
        ("macs hmac-sha2-256-etm@openssh.com,", "# default".to_owned()),
        ("hostkeyalgorithms ssh-ed25519", "# default".to_owned()),
        ("pubkeyacceptedalgorithms ssh-ed25519", "# default".to_owned()),
        ("requiredrsasize 2048", "# default".to_owned()),
        ("logformat text", "# default".to_owned()),
    ] {
        let line = done.out.lines().find(|line| line.starts_with(keyword));
        assert!(line.is_some_and(|line| line.ends_with(&origin)), "{keyword}: {line:?} does not end in {origin}");
    }
}

/// A session that says `in`, waits for a line of ours and ends with 6.
fn waiting(server: &Root) -> (Child, BufReader<ChildStdout>) {
    let mut ssh = server.ssh("carol", &[]);
    ssh.arg("echo in; read line; echo got $line; exit 6").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut client = ssh.spawn().unwrap();
    let mut out = BufReader::new(client.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "in\n", "{}", server.log());
    (client, out)
}

#[track_caller]
fn finishes(server: &Root, (mut client, mut out): (Child, BufReader<ChildStdout>)) {
    client.stdin.take().unwrap().write_all(b"it\n").unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!((rest.as_str(), client.wait().unwrap().code()), ("got it\n", Some(6)), "{}", server.log());
}

#[test]
fn sessions_outlive_a_listener_that_is_killed_and_one_that_leaves() {
    if !root::possible() {
        return;
    }
    for (signal, words) in [("KILL", None), ("QUIT", Some("running sessions go on by themselves"))] {
        let server = Root::start(Path::new(PROGRAM), "PerSourcePenalties no");
        let session = waiting(&server);
        let family = server.new_family(&[]);
        send(server.pid(), signal);
        eventually("the listener's end", || !is_alive(server.pid()));
        assert!(TcpStream::connect(("127.0.0.1", server.port)).is_err());
        assert!(words.is_none_or(|words| server.log().contains(words)), "{}", server.log());
        // Whoever comes next has the port at once, while the session goes on.
        let next = TcpListener::bind(("127.0.0.1", server.port));
        assert!(next.is_ok() && is_alive(family.monitor));
        finishes(&server, session);
        for pid in [Some(family.monitor), family.net, family.helper].into_iter().flatten() {
            eventually("the end of its processes", || !is_alive(pid));
        }
        let log = server.log();
        assert!(log.contains("ended, exit status 6") && log.contains(" ended: user=carol"), "{log}");
        assert!(!log.contains("net process of"), "it ended well: {log}");
    }
}

#[test]
fn a_program_that_is_replaced_goes_on() {
    if !root::possible() {
        return;
    }
    let place = common::Scratch::new();
    let program = place.path("nacre");
    std::fs::copy(PROGRAM, &program).unwrap();
    let server = Root::start(&program, "PerSourcePenalties no");
    let session = waiting(&server);
    // As a package manager does it: the new file takes the name.
    let new = place.write("new", "#!/bin/sh\nexit 9\n");
    std::fs::set_permissions(&new, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::rename(new, &program).unwrap();
    assert_eq!(server.run("dave", "echo new").out, "new\n", "{}", server.log());
    std::fs::remove_file(&program).unwrap();
    assert_eq!(server.run("dave", "echo newer").out, "newer\n", "{}", server.log());
    finishes(&server, session);
}
