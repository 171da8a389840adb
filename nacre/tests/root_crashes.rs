//! As root: a process of a connection dies at any moment, and nobody else notices (promise P18).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/relay.rs"]
mod relay;
#[path = "common/root.rs"]
mod root;
#[path = "common/serve.rs"]
mod serve;

use relay::Relay;
use root::{Bystander, Family, Root, argv0, children, crash, possible, terminals};
use serve::{eventually, is_alive, send};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

fn server(lines: &str) -> Root {
    let lines = format!("PerSourcePenalties no\nMaxStartups 300\n{lines}");
    Root::start(Path::new(env!("CARGO_BIN_EXE_nacre")), &lines)
}

/// Waits until a client has ended, which must not take long.
#[track_caller]
fn client_ends(client: &mut Child) -> i32 {
    let start = Instant::now();
    let mut code = None;
    eventually("the client's end", || {
        code = client.try_wait().unwrap();
        code.is_some()
    });
    assert!(start.elapsed() < Duration::from_secs(120), "the client hung for {:?}", start.elapsed());
    code.unwrap().code().unwrap_or(-1)
}

/// Runs a whole connection whose net process is ended after so many packets of the client and of
/// the server. False when the connection was over before.
fn crash_after(server: &Root, known: &[u32], packets: (usize, usize), words: &[&str]) -> bool {
    let relay = Relay::start(server.port, packets);
    let mut ssh = server.ssh_by(relay.port, "carol", &["-o", "ConnectTimeout=30"]);
    let mut client = ssh.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let family = server.new_family(known);
    let stopped = relay.wait_for_stop();
    if stopped {
        crash(family.net.unwrap());
    }
    relay.go_on();
    client_ends(&mut client);
    stopped
}

#[test]
fn p18_segv_at_every_step_of_a_connection() {
    if !possible() {
        return;
    }
    let server = server("");
    let bystander = Bystander::start(&server);
    let known = [bystander.family.monitor];
    let pts = terminals();
    let mut descriptors = 0;
    let mut crashes = 0;
    for words in [&["-tt", "echo words; head -c 200000 /dev/zero"][..], &["head -c 200000 /dev/zero"]] {
        for step in 1..60 {
            let by_client = crash_after(&server, &known, (step, usize::MAX), words);
            let by_server = crash_after(&server, &known, (usize::MAX, step), words);
            crashes += usize::from(by_client) + usize::from(by_server);
            if !by_client && !by_server {
                assert!(step > 8, "only {step} packets");
                break;
            }
        }
        server.settles(1);
        descriptors = if descriptors == 0 { server.descriptors() } else { descriptors };
        eventually("the listener keeps no descriptors", || server.descriptors() == descriptors);
    }
    assert!(crashes > 30, "only {crashes} crashes");
    eventually("terminals given back", || terminals() <= pts);
    // At the last steps some had just ended by themselves.
    let told = server.log().matches("signal 11").count();
    assert!(told * 10 >= crashes * 9, "{told} of {crashes} crashes: {}", server.log());
    println!("{crashes} crashes");
    bystander.ends_well();
    assert_eq!(server.run("carol", "echo still here").out, "still here\n");
}

#[test]
fn p18_fifty_crashes_leave_nothing_behind() {
    if !possible() {
        return;
    }
    let server = server("");
    let bystander = Bystander::start(&server);
    let known = [bystander.family.monitor];
    let (pts, before) = (terminals(), server.descriptors());
    for _ in 0..50 {
        let mut ssh = server.ssh("carol", &["-tt"]);
        let mut client = ssh.arg("sleep 600").stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let mut family = Family::default();
        eventually("a session", || {
            family = server.new_family(&known);
            family.helper.is_some_and(|helper| !children(helper).is_empty())
        });
        let shell = children(family.helper.unwrap())[0];
        crash(family.net.unwrap());
        assert_eq!(client_ends(&mut client), 255);
        eventually("the session's end", || !is_alive(shell) && !is_alive(family.helper.unwrap()));
        server.settles(1);
    }
    eventually("the listener keeps no descriptors", || server.descriptors() == before);
    // Other tests have terminals too, for a moment.
    eventually("terminals given back", || terminals() <= pts);
    bystander.ends_well();
}

/// A session of carol's with these words, and its processes.
fn session(server: &Root, known: &[u32], words: &[&str]) -> (Child, Family, u32) {
    let mut ssh = server.ssh("carol", &[]);
    let client = ssh.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut family = Family::default();
    eventually("a session", || {
        family = server.new_family(known);
        family.helper.is_some_and(|helper| !children(helper).is_empty())
    });
    let shell = children(family.helper.unwrap())[0];
    (client, family, shell)
}

#[test]
fn p18_a_monitor_that_is_killed_takes_its_connection_with_it_and_no_other() {
    if !possible() {
        return;
    }
    let server = server("");
    let bystander = Bystander::start(&server);
    let known = [bystander.family.monitor];
    for words in [&["-tt", "sleep 600"][..], &["sleep 600"]] {
        let (mut client, family, shell) = session(&server, &known, words);
        send(family.monitor, "KILL");
        assert_eq!(client_ends(&mut client), 255);
        for (name, pid) in [("net", family.net.unwrap()), ("helper", family.helper.unwrap()), ("session", shell)] {
            eventually(&format!("the end of the {name} process {pid}"), || !is_alive(pid));
        }
        server.settles(1);
    }
    bystander.ends_well();
}

#[test]
fn p18_a_spawner_that_is_killed_is_replaced_and_no_connection_notices() {
    if !possible() {
        return;
    }
    let server = server("");
    let (mut client, family, shell) = session(&server, &[], &["sleep 600"]);
    let spawner = server.spawner().unwrap();
    send(spawner, "KILL");
    eventually("the spawner's end", || !is_alive(spawner));
    assert_eq!(server.run("carol", "exit 4").code, 4, "{}", server.log());
    let second = server.spawner();
    assert!(second.is_some_and(|new| new != spawner), "{second:?}");
    send(server.pid(), "HUP");
    eventually("the end of one with the old configuration", || server.spawner() != second);
    assert_eq!(server.run("carol", "exit 5").code, 5, "{}", server.log());
    assert!([family.monitor, shell].into_iter().all(is_alive));
    client.kill().unwrap();
    client_ends(&mut client);
    server.settles(0);
}

#[test]
fn p18_a_helper_that_is_killed_ends_its_sessions_and_the_client_knows() {
    if !possible() {
        return;
    }
    let server = server("");
    let bystander = Bystander::start(&server);
    let known = [bystander.family.monitor];
    for words in [&["-tt", "sleep 600"][..], &["sleep 600"], &["cat"]] {
        let (mut client, family, _) = session(&server, &known, words);
        send(family.helper.unwrap(), "KILL");
        assert_ne!(client_ends(&mut client), 0);
        eventually("its processes' end", || !is_alive(family.net.unwrap()));
        server.settles(1);
    }
    bystander.ends_well();
}

#[test]
fn p18_sessions_outlive_a_listener_that_is_killed() {
    if !possible() {
        return;
    }
    let server = server("");
    let (mut client, family, _) = session(&server, &[], &["cat"]);
    send(server.pid(), "KILL");
    eventually("the listener's end", || !is_alive(server.pid()));
    assert_eq!(argv0(family.net.unwrap()), "nacre: net");
    client.stdin.take().unwrap().write_all(b"it goes on").unwrap();
    let done = client.wait_with_output().unwrap();
    assert_eq!((done.status.code(), done.stdout.as_slice()), (Some(0), &b"it goes on"[..]));
    for pid in [family.monitor, family.net.unwrap(), family.helper.unwrap()] {
        eventually("its processes' end", || !is_alive(pid));
    }
}

/// Its connection is there; a quick one may be over before anybody looked.
fn arrives_or_ends(server: &Root, client: &mut Child) {
    eventually("a connection", || {
        client.try_wait().unwrap().is_some() || server.families().iter().any(|family| family.net.is_some())
    });
}

/// A client that leaves while something is on its way to it is no crash of its net process.
#[test]
fn p06_clients_that_leave_at_a_bad_moment_are_no_crash() {
    if !possible() {
        return;
    }
    let server = server("");
    // While a password is hashed, which takes long.
    for wait in [0, 20, 50, 100, 200, 300, 400, 500, 600, 800, 1000] {
        let mut ssh = server.ssh_with_password("carol", "fake and wrong", &[]);
        let mut client = ssh.arg("true").stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        arrives_or_ends(&server, &mut client);
        sleep(Duration::from_millis(wait));
        let _ = client.kill();
        let _ = client.wait();
        server.settles(0);
    }
    // While a session starts, runs or ends.
    for wait in (0..30).map(|n| n * 12) {
        let mut ssh = server.ssh("carol", &[]);
        ssh.arg("echo words; sleep 0.1; exit 3").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut client = ssh.spawn().unwrap();
        arrives_or_ends(&server, &mut client);
        sleep(Duration::from_millis(wait));
        let _ = client.kill();
        let _ = client.wait();
        server.settles(0);
    }
    assert!(!server.log().contains("net process of"), "{}", server.log());
}

/// More keys than a server takes, more attempts, more channels: an honest net process holds its
/// peer back itself, and the gate has nothing to say.
#[test]
fn p18_an_honest_net_process_never_meets_the_gate() {
    if !possible() {
        return;
    }
    let server = server("MaxAuthTries 200\nMaxSessions 2");
    let keys: Vec<String> = (0..30).map(|n| format!("extra-{n}")).collect();
    let mut ssh = server.client(server.port);
    ssh.args(["-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"]);
    for key in &keys {
        serve::make_key(&server.place, key);
        ssh.arg("-i").arg(server.place.path(key));
    }
    ssh.args(["-l", "carol", "127.0.0.1", "true"]);
    assert_ne!(serve::finish(&mut ssh, b"").code, 0);
    let master = server.place.path("master").display().to_string();
    let path = format!("ControlPath={master}");
    let mut ssh = server.ssh("carol", &["-M", "-N", "-o", &path]);
    let mut client = ssh.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    eventually("a master", || server.place.path("master").exists());
    for _ in 0..3 {
        let start = || {
            let mut ssh = server.ssh("carol", &["-o", &path]);
            ssh.arg("trap '' HUP; sleep 600").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            ssh.spawn().unwrap()
        };
        let mut clients: Vec<Child> = (0..4).map(|_| start()).collect();
        sleep(Duration::from_millis(60));
        for client in &mut clients {
            let _ = client.kill();
            let _ = client.wait();
        }
    }
    assert!(client.try_wait().unwrap().is_none(), "the connection is gone: {}", server.log());
    let _ = client.kill();
    let _ = client.wait();
    server.settles(0);
    assert!(!server.log().contains("net process of"), "{}", server.log());
}
