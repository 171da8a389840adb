//! `nacre lab` itself: what there is, and what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{nacre, text};

fn run(words: &[&str]) -> (i32, String, String) {
    let done = nacre().arg("lab").args(words).stdin(std::process::Stdio::null()).output().unwrap();
    (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
}

#[test]
fn lab_alone_says_what_there_is_and_what_to_type_first() {
    let (code, out, err) = run(&[]);
    assert_eq!((code, err.as_str()), (0, ""));
    let commands: Vec<&str> = out.lines().filter(|line| line.starts_with("  nacre lab ")).collect();
    assert_eq!(commands.len(), 3, "{out}");
    for (name, port) in [("dh-chat", 12345), ("rsa-chat", 5174), ("mini-ssh", 8022), ("toy-socket", 8820)] {
        assert!(out.contains(&format!("  {name:<11} port {port:<6}")), "{out}");
    }
    assert!(out.lines().all(|line| line.chars().count() <= 100), "{out}");
}

#[test]
fn lab_stays_on_this_machine() {
    let (code, _, err) = run(&["join", "dh-chat", "192.0.2.1"]);
    assert_eq!(code, 1);
    assert!(err.contains("'192.0.2.1' is not this machine"), "{err}");
}

#[test]
fn lab_says_when_there_is_no_server_or_no_port() {
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port().to_string();
    let (code, _, err) = run(&["serve", "dh-chat", "--port", &port]);
    assert_eq!(code, 1);
    assert!(err.contains(&format!("cannot listen on 127.0.0.1 port {port}")) && err.contains("--port PORT"), "{err}");
    // A port that is taken, and on which nobody listens.
    let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0)).unwrap();
    let name = std::net::SocketAddr::try_from(rustix::net::getsockname(&socket).unwrap()).unwrap();
    // What did not start leaves no trace that would be in the way of the next.
    let place = common::Scratch::new();
    let trace = place.path("trace");
    let words = ["join", "dh-chat", "localhost", &name.port().to_string(), "--trace", trace.to_str().unwrap()];
    let (code, _, err) = run(&words);
    assert_eq!(code, 1);
    assert!(err.contains("no server at 127.0.0.1:") && !trace.exists(), "{err}");
}

#[test]
fn lab_refuses_what_it_cannot_do() {
    for (words, hint) in [
        (&["serve", "dh-chat", "--bits", "1024"][..], "one of 2048, 4096"),
        (&["serve", "dh-chat", "--iterations", "0"], "0"),
        (&["serve", "nobody"], "nobody"),
        (&["serve", "dh-chat", "--really-exec"], "dh-chat has no --really-exec"),
        (&["serve", "mini-ssh", "--bits", "2048"], "mini-ssh has no --bits"),
        (&["join", "toy-socket", "--bits", "13"], "one of 9, 10, 11, 12"),
        (&["join", "mini-ssh", "--password", "x"], "--password"),
        (&["join", "dh-chat", "localhost", "0"], "0"),
        (&["serve", "dh-chat", "--fix", "F1", "--trust", "SHA256:x"], "--trust is of no use here without --fix F7"),
        (&["join", "dh-chat", "--fix", "F1", "--key", "x"], "--key is of no use here without --fix F7"),
        (&["watch", "dh-chat", "--key", "x"], "without --fix F1 or F7"),
        (&["serve", "mini-ssh", "--fix", "F2"], "mini-ssh has no F2"),
        (&["serve", "dh-chat", "--fix", "F11"], "'F11' is no fix"),
        (&["attack", "A18", "--seed", "1"], "ssh has no --seed"),
        (&["attack", "A18", "--on", "nacre", "--fix", "F9"], "there is no --fix"),
        (&["attack", "A19", "--on", "dh-chat"], "A19 cannot be tried on dh-chat"),
        (&["attack", "A2", "--on", "openssh"], "A2 cannot be tried on openssh"),
        (&["attack", "A2", "--on", "ssh"], "A2 cannot be tried on ssh"),
        (&["serve", "ssh"], "ssh"),
        (&["attack", "A99"], "no attack 'A99'"),
        (&["attack", "A7", "--on", "mini-ssh"], "A7 cannot be tried on mini-ssh"),
        (&["attack", "A2", "--on", "10.0.0.1"], "10.0.0.1"),
    ] {
        let (code, _, err) = run(words);
        assert_eq!(code, 2, "{words:?}");
        assert!(err.contains(hint), "{words:?}: {err}");
    }
}

/// Both ends, told in the seven rows of SSH; the rows that a protocol lacks say so.
#[test]
fn lab_watch_tells_every_protocol() {
    for (name, missing) in [("dh-chat", 3), ("rsa-chat", 3), ("mini-ssh", 2), ("toy-socket", 3)] {
        let (code, out, err) = run(&["watch", name, "--seed", "1"]);
        assert_eq!((code, err.as_str()), (0, ""), "{name}");
        for row in
            ["1. connect", "2. versions", "3. key exchange", "4. server proof", "5. user proof", "6. session", "7. end"]
        {
            assert_eq!(out.lines().filter(|line| line.starts_with(row)).count(), 1, "{name}: {row}\n{out}");
        }
        assert_eq!(out.matches("    not reached\n").count(), missing, "{name}:\n{out}");
        assert!(
            out.contains("(secret; --show-secrets shows it)")
                && !out.contains("pass123")
                && !out.contains("encrypted!")
        );
        assert_eq!(run(&["watch", name, "--seed", "1"]).1, out);
        let (_, shown, _) = run(&["watch", name, "--seed", "1", "--show-secrets"]);
        assert!(!shown.contains("(secret;") && shown != out);
        let (_, lines, _) = run(&["watch", name, "--json"]);
        assert!(lines.lines().count() > 5 && lines.lines().all(|line| line.starts_with('{') && line.ends_with('}')));
    }
}

/// Five columns over the seven rows; the four lack what SSH has, and SSH is a real connection.
#[test]
fn lab_compare_puts_five_protocols_over_the_same_rows() {
    let (code, out, err) = run(&["compare"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let head: Vec<&str> = out.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(head, ["dh-chat", "rsa-chat", "mini-ssh", "toy-socket", "ssh"]);
    assert!(out.lines().all(|line| line.chars().count() <= 110), "{out}");
    let (code, out, err) = run(&["compare", "--json"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let rows: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 7);
    for row in &rows {
        assert!(!row["ssh"].as_array().unwrap().is_empty(), "{row}");
    }
    let proof = rows.iter().find(|row| row["row"] == "server proof").unwrap();
    for name in ["dh-chat", "rsa-chat", "mini-ssh", "toy-socket"] {
        assert!(proof[name].as_array().unwrap().is_empty(), "{proof}");
    }
}

/// With TLS beside them, where this program has it.
#[test]
fn lab_compare_has_a_column_for_tls() {
    let (code, out, err) = run(&["compare", "--tls"]);
    if !cfg!(feature = "tls") {
        assert!(code == 1 && err.contains("--features tls"), "{err}");
        return;
    }
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.lines().all(|line| line.chars().count() <= 130), "{out}");
    for said in [
        "a cell is a message that passed in it, or with = what both made of them:",
        "X25519MLKEM768: both send a half",
        // The PEM alone of: PEM, key, HANDSHAKE_OK, name.
        "handshake         4 messages, 1 in the clear        7 messages, 2 in the clear",
        "The other cells are how the protocols are made",
    ] {
        assert!(out.contains(said), "{said}: {out}");
    }
    let (code, out, _) = run(&["compare", "--tls", "--json"]);
    let rows: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((code, rows.len()), (0, 7));
    for row in &rows {
        let cells = row["tls"].as_array().unwrap();
        // Nobody asked for the client's certificate.
        assert_eq!(cells.is_empty(), row["row"] == "user proof", "{row}");
    }
}

/// Both ends write what they do; a page comes of it, without secrets.
#[test]
fn lab_traces_of_both_ends_become_pages() {
    let place = common::Scratch::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let (ours, theirs) = (place.path("client.json"), place.path("server.json"));
    let mut server = nacre()
        .args(["lab", "serve", "dh-chat", "--port", &port, "--trace"])
        .arg(&theirs)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(server.stdout.take().unwrap()));
    assert!(lines.any(|line| line.unwrap().contains("Waiting for client")));
    let mut client = nacre();
    client.args(["lab", "join", "dh-chat", "localhost", &port, "--trace"]).arg(&ours);
    client.stdin(std::fs::File::open(place.write("typed", "my plover egg\n")).unwrap());
    assert!(client.output().unwrap().status.success());
    // What the client said last is the last that the server writes down.
    assert!(lines.any(|line| line.unwrap().contains("plover")));
    server.kill().unwrap();
    server.wait().unwrap();
    for (trace, key) in [(&ours, "client"), (&theirs, "server")] {
        let page = place.path(&format!("{key}.html"));
        let mut explain = nacre();
        explain.args(["explain", "--trace"]).arg(trace).arg("--html").arg(&page);
        let done = explain.output().unwrap();
        assert!(done.status.success(), "{}", text(done.stderr));
        let (told, page) = (text(done.stdout), place.read(&format!("{key}.html")));
        for shown in [&told, &page] {
            assert!(shown.contains("key exchange") && shown.contains("(secret; --show-secrets shows it)"), "{shown}");
            assert!(!shown.contains("plover"), "{shown}");
        }
    }
    let (code, _, err) = run(&["join", "dh-chat", "localhost", &port, "--trace", ours.to_str().unwrap()]);
    assert!(code == 1 && err.contains("exists"), "{err}");
}

/// What was searched takes twice as long with each bit; what takes too long is reckoned and says so.
#[test]
fn cost_grows_with_every_bit() {
    let cost = |words: &[&str]| run(&[&["cost"], words].concat());
    let (code, out, err) = cost(&["--bits", "12,20,40,2048", "--seconds", "1", "--seed", "7"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let rows: Vec<&str> = out.lines().skip(1).take(4).collect();
    assert_eq!(
        rows.iter().map(|row| row.split_whitespace().next().unwrap()).collect::<Vec<_>>(),
        ["12", "20", "40", "2048"]
    );
    assert_eq!(rows.iter().map(|row| row.matches('~').count()).collect::<Vec<_>>(), [0, 0, 1, 2], "{out}");
    assert!(rows[3].contains("2^2047 tries ~10^"), "{out}");
    let (_, out, _) = cost(&["--bits", "12,16", "--seed", "7", "--json"]);
    let tries: Vec<f64> = out
        .lines()
        .map(|row| serde_json::from_str::<serde_json::Value>(row).unwrap())
        .inspect(|row| assert_eq!(row["private_number"]["measured"], true))
        .map(|row| row["private_number"]["tries_log2"].as_f64().unwrap())
        .collect();
    assert!((10.0..11.0).contains(&tries[0]) && (14.0..15.0).contains(&tries[1]), "{out}");
    for wrong in [&["--bits", "7"][..], &["--bits", "9,x"], &["--bits", "20000"], &["--seconds", "0"]] {
        let (code, out, err) = cost(wrong);
        assert_eq!((code, out.as_str()), (2, ""), "{wrong:?}");
        assert!(err.contains("bad value"), "{err}");
    }
}
