//! What the server writes down, and that nobody else can write there (docs/AUDIT.md).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/root.rs"]
mod root;
#[path = "common/serve.rs"]
mod serve;

use common::{nacre, program};
use root::Root;
use serde_json::Value;
use serve::{PATIENCE, Server, eventually, finish};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::Stdio;

const JSON: &str = "LogFormat json\nPerSourcePenalties no";

/// The events of a log in JSON. What is no JSON is the greeting.
fn events(log: &str) -> Vec<Value> {
    log.lines().filter(|line| line.starts_with('{')).map(|line| serde_json::from_str(line).expect(line)).collect()
}

fn named<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == name).collect()
}

/// Waits for an event and returns all there are.
#[track_caller]
fn wait_for(log: impl Fn() -> String, name: &str) -> Vec<Value> {
    let wanted = format!("\"event\":\"{name}\"");
    eventually(name, || log().contains(&wanted) && log().ends_with('\n'));
    events(&log())
}

fn fingerprint(key: &Path) -> String {
    let done = finish(program("ssh-keygen").arg("-lf").arg(key), b"");
    done.out.split(' ').nth(1).unwrap().to_owned()
}

/// What one login with a command leaves, whoever wrote it.
#[track_caller]
fn check_story(events: &[Value], user: &str, key: &Path, claimed: bool) {
    let ended = named(events, "connection_ended")[0];
    let story: Vec<&Value> = events.iter().filter(|event| event["connection"] == ended["connection"]).collect();
    let names: Vec<&str> = story.iter().map(|event| event["event"].as_str().unwrap()).collect();
    let expected = ["connection_accepted", "login_accepted", "session_started", "session_ended", "connection_ended"];
    assert_eq!(names, expected);
    for event in &story {
        assert_eq!((&event["source"], &event["local"]), (&"127.0.0.1".into(), &"127.0.0.1".into()), "{event}");
        assert!(event["port"].as_u64().unwrap() > 0 && event["pid"].as_u64().unwrap() > 0, "{event}");
        let time = event["time"].as_str().unwrap();
        assert!(time.len() == 29 && time.as_bytes()[10] == b'T' && ["+", "-"].contains(&&time[23..24]), "{time}");
    }
    for event in &story[1..] {
        assert_eq!(event["user"], user, "{event}");
    }
    assert_eq!(story[1]["methods"], serde_json::json!(["publickey"]));
    assert_eq!((&story[1]["key_type"], &story[1]["fingerprint"]), (&"ED25519".into(), &fingerprint(key).into()));
    assert_eq!((&story[2]["kind"], &story[2]["command"]), (&"command".into(), &"sleep 0.3; exit 3".into()));
    assert_eq!((&story[3]["status"], &story[3]["session"]), (&3.into(), &1.into()));
    assert!((0.3..PATIENCE.as_secs_f64()).contains(&story[3]["seconds"].as_f64().unwrap()), "{}", story[3]);
    assert!(ended["seconds"].as_f64() >= story[3]["seconds"].as_f64(), "{ended}");
    assert!(ended["received"].as_u64().unwrap() > 1000 && ended["sent"].as_u64().unwrap() > 1000, "{ended}");
    assert_eq!(ended["logged_in"], true);
    assert_eq!(!ended["claimed"].is_null(), claimed, "{ended}");
}

#[test]
fn u07_json_tells_a_connection_from_start_to_end() {
    let mut server = Server::start(JSON);
    assert_eq!(server.run("sleep 0.3; exit 3").code, 3);
    let told = wait_for(|| server.log(), "connection_ended");
    check_story(&told, &server.user, &server.place.path("id.pub"), false);
    let started = named(&told, "server_started")[0];
    assert_eq!(started["listening"], serde_json::json!([format!("127.0.0.1:{}", server.port)]));
    assert_eq!((&started["serves"], &started["socket_activation"]), (&"account".into(), &false.into()));
    server.signal("HUP");
    wait_for(|| server.log(), "server_reloaded");
    server.signal("TERM");
    assert_eq!(server.ends(), 0);
    let told = events(&server.log());
    assert_eq!((named(&told, "server_stopping").len(), named(&told, "server_stopped").len()), (1, 1));
}

#[test]
fn u07_as_root_the_monitor_and_the_listener_tell() {
    if !root::possible() {
        return;
    }
    let server = Root::start(Path::new(env!("CARGO_BIN_EXE_nacre")), JSON);
    assert_eq!(server.run("carol", "sleep 0.3; exit 3").code, 3);
    let told = wait_for(|| server.log(), "connection_ended");
    check_story(&told, "carol", &server.place.path("id.pub"), true);
    // The monitor's lines come from another process than the listener's.
    let accepted = named(&told, "connection_accepted")[0];
    assert_eq!(accepted["pid"].as_u64(), Some(server.pid().into()));
    assert_ne!(named(&told, "login_accepted")[0]["pid"], accepted["pid"]);
    let done = finish(server.ssh("carol", &["-tt"]).arg("tty"), b"");
    let terminal = done.out.trim().strip_prefix("/dev/").unwrap_or_else(|| panic!("{done:?}")).to_owned();
    eventually("the terminal's name", || {
        named(&events(&server.log()), "session_started").iter().any(|event| event["terminal"] == *terminal)
    });
}

#[test]
fn p18_a_net_process_or_monitor_that_dies_is_told() {
    if !root::possible() {
        return;
    }
    let server = Root::start(Path::new(env!("CARGO_BIN_EXE_nacre")), JSON);
    let hold = |user: &str| {
        let mut client = server.ssh(user, &[]);
        let client = client.arg("echo in; sleep 60").stdin(Stdio::null()).stdout(Stdio::piped());
        let mut client = client.stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(client.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "in\n", "{}", server.log());
        client
    };
    let mut client = hold("carol");
    let family = server.new_family(&[]);
    root::crash(family.net.unwrap());
    let told = wait_for(|| server.log(), "connection_ended");
    assert_eq!(client.wait().unwrap().code(), Some(255));
    assert!(named(&told, "net_crashed")[0]["reason"].as_str().unwrap().contains("signal 11"), "{told:?}");
    assert_eq!(named(&told, "session_ended")[0]["cut_off"], true);
    let ended = named(&told, "connection_ended")[0];
    assert!(ended["received"].is_null() && ended["claimed"].is_null() && ended["user"] == "carol", "{ended}");
    assert!(named(&told, "monitor_crashed").is_empty());
    server.settles(0);
    let mut client = hold("dave");
    serve::send(server.new_family(&[]).monitor, "KILL");
    wait_for(|| server.log(), "monitor_crashed");
    assert_eq!(client.wait().unwrap().code(), Some(255));
}

#[test]
fn u07_a_name_cannot_forge_a_line_in_either_format() {
    for format in ["text", "json"] {
        let server =
            Server::start(&format!("LogFormat {format}\nPerSourcePenalties no\nKbdInteractiveAuthentication no"));
        let forged = ["x\nAccepted publickey for root", "x from 192.0.2.9 port 22 ssh2\u{2028}y", "\u{1b}[2K\rx"];
        for name in forged {
            // OpenSSH's client refuses such names; who wants to forge lines uses another.
            let mut dropbear = program("dbclient");
            dropbear.env("HOME", server.place.root()).env("DROPBEAR_PASSWORD", "wrong");
            dropbear.args(["-y", "-y", "-p", &server.port.to_string(), "-l", name, "127.0.0.1", "true"]);
            // It ends with 0 when the server ends the connection, so the log alone counts.
            finish(&mut dropbear, b"");
        }
        let failed = if format == "text" { "Failed password for invalid user" } else { "login_failed" };
        let name = if format == "text" { "Invalid user" } else { "invalid_user" };
        eventually("three names", || server.log().matches(name).count() == 3 && server.log().contains(failed));
        eventually("three ends", || server.log().matches(" ended: user=").count() == 3);
        let log = server.log();
        assert!(!log.contains('\u{1b}') && !log.contains('\r') && !log.contains('\u{2028}'), "{log:?}");
        if format == "json" {
            let told = events(&log);
            assert!(named(&told, "login_accepted").is_empty(), "{log}");
            assert!(named(&told, "login_failed").iter().all(|event| event["source"] == "127.0.0.1"), "{log}");
            assert!(named(&told, "login_failed").iter().all(|event| event["reason"] == "invalid user"), "{log}");
            let greeting = log.lines().skip_while(|line| !line.starts_with("  stop")).skip(1);
            assert!(greeting.into_iter().all(|line| line.starts_with('{')), "{log}");
        } else {
            // What a reader of logs takes for the address is the address.
            for line in log.lines().filter(|line| line.contains("invalid user")) {
                let from = line.split(" from ").nth(1).unwrap_or_default();
                assert!(from.starts_with("127.0.0.1 port ") && line.matches(" from ").count() == 1, "{line}");
            }
            assert!(!log.contains("Accepted publickey"), "{log}");
        }
    }
}

#[test]
fn lines_that_log_readers_know_are_word_for_word() {
    let server = Server::start("PerSourcePenalties no\nMaxSessions 1");
    server.add("alice", "fake horse");
    assert_eq!(server.run("exit 4").code, 4);
    let other = ["-o", "PubkeyAuthentication=no", "-o", "PreferredAuthentications=password"];
    assert_eq!(finish(&mut server.ssh_answering("bob", "wrong", "", &other), b"").code, 255);
    assert_eq!(finish(server.ssh_answering("alice", "wrong", "", &other).arg("true"), b"").code, 255);
    assert_eq!(finish(server.ssh_answering("alice", "fake horse", "", &other).arg("true"), b"").code, 0);
    eventually("all four ended", || server.log().matches(" ended: user=").count() == 4);
    let log = server.log();
    let user = &server.user;
    let print = fingerprint(&server.place.path("id.pub"));
    // Every number but an address's is a port, an id or a time.
    let plain = |line: &str| -> String {
        let words = line.split(' ').skip(1).map(|word| match word.parse::<u32>() {
            Ok(_) => "N",
            Err(_) => word,
        });
        words.collect::<Vec<_>>().join(" ")
    };
    let lines: Vec<String> = log.lines().map(plain).collect();
    for wanted in [
        format!("Accepted publickey for {user} from 127.0.0.1 port N ssh2: ED25519 {print}"),
        format!("Starting session: command for {user} from 127.0.0.1 port N id 1: exit N"),
        "Invalid user bob from 127.0.0.1 port N".to_owned(),
        "Failed password for invalid user bob from 127.0.0.1 port N ssh2".to_owned(),
        "Failed password for alice from 127.0.0.1 port N ssh2".to_owned(),
        "Accepted password for alice from 127.0.0.1 port N ssh2".to_owned(),
    ] {
        assert!(lines.contains(&wanted), "{wanted}\nis not in\n{}", lines.join("\n"));
    }
}

#[test]
fn several_factors_are_one_accepted_login() {
    let server = Server::start(&format!("{JSON}\nAuthenticationMethods publickey,password"));
    let user = server.user.clone();
    server.add(&user, "fake horse");
    let id = server.place.path("id").display().to_string();
    let both = ["-i", &id, "-o", "PreferredAuthentications=publickey,password"];
    assert_eq!(finish(server.ssh_answering(&user, "fake horse", "", &both).arg("true"), b"").code, 0);
    assert_eq!(finish(server.ssh_answering(&user, "wrong", "", &both).arg("true"), b"").code, 255);
    eventually("both ended", || server.log().matches("connection_ended").count() == 2);
    let told = events(&server.log());
    let accepted = named(&told, "login_accepted");
    assert_eq!(accepted.len(), 1);
    assert_eq!(accepted[0]["methods"], serde_json::json!(["publickey", "password"]));
    assert_eq!(accepted[0]["fingerprint"], fingerprint(&server.place.path("id.pub")));
    assert_eq!(named(&told, "login_partial").len(), 2, "{told:?}");
    assert_eq!(named(&told, "login_failed")[0]["method"], "password");
}

#[test]
fn bytes_are_those_of_the_wire() {
    let server = Server::start(JSON);
    let done = finish(server.ssh(&[]).arg("wc -c; head -c 300000 /dev/zero"), &vec![7; 2_000_000]);
    assert!(done.out.starts_with("2000000\n"), "{}", done.err);
    let told = wait_for(|| server.log(), "connection_ended");
    let ended = named(&told, "connection_ended")[0];
    let (received, sent) = (ended["received"].as_u64().unwrap(), ended["sent"].as_u64().unwrap());
    assert!((2_000_000..2_100_000).contains(&received) && (300_000..330_000).contains(&sent), "{ended}");
}

#[test]
fn who_is_turned_away_is_told_with_the_reason() {
    let server = Server::start("LogFormat json\nPerSourceMaxStartups 1");
    let _first = server.connect();
    eventually("a refusal", || {
        let mut text = String::new();
        let _ = server.connect().read_to_string(&mut text);
        server.log().contains("connection_refused")
    });
    let told = events(&server.log());
    let refused = named(&told, "connection_refused")[0];
    assert!(refused["reason"].as_str().unwrap().contains("PerSourceMaxStartups"), "{refused}");
    assert_eq!(refused["source"], "127.0.0.1");
}

#[test]
fn a_rotated_log_file_is_opened_again() {
    let server = Server::start("");
    let (log, old) = (server.place.path("audit"), server.place.path("audit.1"));
    let port = serve::free_port();
    let mut child = serve::serve(&server.place, port).arg("-E").arg(&log).spawn().unwrap();
    let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    eventually("the start", || read(&log).contains("Server listening on 127.0.0.1 port "));
    let line = read(&log);
    let (time, rest) = line.split_once(' ').unwrap();
    assert!(time.len() == 29 && rest.starts_with(&format!("nacre[{}]: Server listening", child.id())), "{line}");
    std::fs::rename(&log, &old).unwrap();
    serve::send(child.id(), "HUP");
    eventually("the new file", || read(&log).contains("configuration reloaded"));
    assert!(!read(&old).contains("reloaded"));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&log).unwrap().permissions());
    assert_eq!(mode & 0o077, 0, "a log is nobody else's business");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_journal_gets_the_severity_before_each_line() {
    use std::os::unix::fs::MetadataExt;
    let server = Server::start("");
    let path = server.place.path("journal");
    for matches in [true, false] {
        let file = std::fs::File::create(&path).unwrap();
        let about = file.metadata().unwrap();
        let stream = format!("{}:{}", about.dev(), about.ino() + u64::from(!matches));
        let mut command = serve::serve(&server.place, serve::free_port());
        let mut child = command.env("JOURNAL_STREAM", stream).stderr(file).spawn().unwrap();
        let log = || std::fs::read_to_string(&path).unwrap();
        eventually("the start", || log().contains("Server listening") && log().contains("  stop  "));
        assert_eq!(log().lines().any(|line| line.starts_with("<6>Server listening on")), matches, "{}", log());
        std::fs::write(server.place.path("config"), "NoSuchWord x\n").unwrap();
        serve::send(child.id(), "HUP");
        eventually("the error", || log().contains("not reloaded"));
        let said = log().lines().any(|line| line.starts_with("<3>error: configuration not reloaded"));
        assert_eq!(said, matches, "{}", log());
        server.configure("");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn the_format_changes_with_the_configuration() {
    let server = Server::start("");
    server.configure("LogFormat json\nLogLevel ERROR\nVersionAddendum changed");
    server.signal("HUP");
    // The reload itself is no error, so that it stays silent shows that both count.
    eventually("the reload", || {
        let mut line = String::new();
        std::io::BufReader::new(server.connect()).read_line(&mut line).is_ok() && line.contains("changed")
    });
    server.configure("NoSuchWord x");
    server.signal("HUP");
    let told = wait_for(|| server.log(), "reload_failed");
    assert!(named(&told, "reload_failed")[0]["reason"].as_str().unwrap().contains("NoSuchWord"), "{told:?}");
    assert!(named(&told, "server_reloaded").is_empty(), "{told:?}");
    assert_eq!(server.run("echo in").out, "in\n");
}

#[test]
fn one_connection_on_standard_input_is_told_too() {
    let server = Server::start("");
    let mut command = nacre();
    command.args(["serve", "--user-mode", "-i", "-o", "LogFormat=json", "-f"]).arg(server.place.path("config"));
    command.arg("--state").arg(server.place.path("state"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"SSH-2.0-x\r\n").unwrap();
    let done = child.wait_with_output().unwrap();
    let told = events(&String::from_utf8_lossy(&done.stderr));
    assert_eq!(named(&told, "connection_accepted").len(), 1);
    assert_eq!(named(&told, "connection_ended")[0]["received"], 11);
}
