//! `mini-ssh`: what both ends print, foreign ends written from the wire format, and strangers that misbehave.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "common/lab.rs"]
mod lab;
#[path = "common/terminal.rs"]
mod terminal;

use lab::{foreign_client, foreign_server, join, repeats_itself, rest, serve, socket};
use std::io::Write;
use std::process::Command;
use terminal::Terminal;

const MARKER: &str = "listening on 127.0.0.1:";
const PEER: &str = "mini_ssh.py";

/// The session of the protocol's description: name, password, commands, `exit`. A seed stops the clock.
#[test]
fn lab_mini_ssh_prints_what_its_description_prints() {
    let (server, port) = serve("mini-ssh", MARKER, &["--seed", "1"]);
    let mut client = join("mini-ssh", port, &["--seed", "1"]);
    for line in
        ["user", "wrong", "user", "pass123", "dir", "ls", "whoami", "", "pwd", "date", "echo a b", "rm -rf /", "exit"]
    {
        client.say(line);
    }
    assert_eq!(client.ends(), 0);
    assert_eq!(
        client.out().replace(&port.to_string(), "8022"),
        "\
[*] Connecting to localhost:8022...
[+] Session key established
Username: user
Password: wrong
[-] Authentication failed
Username: user
Password: pass123
[+] Authentication successful
ssh> dir
README.md
ssh_client_enc.py
ssh_server_enc.py
ssh> ls
README.md
ssh_client_enc.py
ssh_server_enc.py
ssh> whoami
user
ssh> 
ssh> pwd
/home/user
ssh> date
2023-11-15 14:30:10
ssh> echo a b
a b
ssh> rm -rf /
rm: command not allowed
ssh> exit
BYE
"
    );
    server.hears("Session ended");
    let out = server.out();
    assert!(out.contains("[-] ('127.0.0.1', 54321) Authentication failed for 'user'\n"), "{out}");
    assert!(out.contains("[>] ('127.0.0.1', 54321) rm -rf /\n"), "{out}");
    assert!(!out.contains("pass123"));
}

#[test]
fn lab_mini_ssh_serves_two_foreign_clients() {
    let (server, port) = serve("mini-ssh", MARKER, &["--user", "guest", "--password", "guest"]);
    let mut clients = [foreign_client(PEER, port, &[]), foreign_client(PEER, port, &[])];
    for client in &mut clients {
        client.hears("heard: Username: \n");
        client.say("guest");
        client.hears("heard: Password: \n");
    }
    clients[0].say("guest");
    clients[0].hears("heard: AUTH_OK\n");
    clients[1].say("guess");
    clients[1].hears("heard: AUTH_FAILED\nheard: Username: \n");
    clients[0].say("whoami");
    clients[0].hears("heard: guest\n");
    clients[0].say("echo äöü");
    clients[0].hears("heard: äöü\n");
    clients[1].say("guest");
    clients[1].hears_times("heard: Password: \n", 2);
    clients[1].say("guest");
    clients[1].hears("heard: AUTH_OK\n");
    clients[1].say("exit");
    clients[1].hears("heard: BYE\n");
    clients[0].say("!");
    clients[0].end_input();
    assert_eq!(clients[0].ends(), 0);
    server.hears("closed: a message cannot be decrypted");
}

#[test]
fn lab_mini_ssh_closes_after_three_wrong_passwords() {
    let (server, port) = serve("mini-ssh", MARKER, &[]);
    let mut client = join("mini-ssh", port, &[]);
    for _ in 0..3 {
        client.say("user\nwrong");
    }
    assert_eq!(client.ends(), 1);
    assert_eq!(client.out().matches("[-] Authentication failed\n").count(), 3, "{}", client.out());
    assert_eq!(client.out().matches("Username: ").count(), 3);
    server.hears_times("Authentication failed for 'user'", 3);
}

#[test]
fn lab_mini_ssh_joins_a_foreign_server() {
    let (server, port) = foreign_server(PEER);
    let mut client = join("mini-ssh", port, &[]);
    client.say("guest\nwrong\nguest\nguest\nlist\ntrue\nmore");
    client.end_input();
    assert_eq!(client.ends(), 0);
    server.hears("heard: list\nheard: true\nheard: more\n");
    let out = client.out();
    assert!(out.contains("[-] Authentication failed\n") && out.contains("[+] Authentication successful\n"), "{out}");
    assert!(out.contains("ssh> list\nfirst of list\nsecond\nssh> true\nssh> more\nfirst of more\n"), "{out}");
    assert!(out.ends_with("BYE\n"), "{out}");
}

/// Only when it was asked for does a shell of this machine run what comes.
#[test]
fn lab_mini_ssh_executes_for_real_when_told_to() {
    let (_server, port) = serve("mini-ssh", MARKER, &["--really-exec"]);
    let mut client = join("mini-ssh", port, &[]);
    for line in [
        "user",
        "pass123",
        "echo error >&2; echo out $((6 * 7))",
        "true",
        "head -c 900000 /dev/zero | tr '\\0' x; echo no end",
        "exit 3",
        "yes | head -c 2000000",
        "echo \"last $?\"",
    ] {
        client.say(line);
    }
    client.end_input();
    assert_eq!(client.ends(), 0);
    let out = client.out();
    assert!(out.contains("\nout 42\nerror\nssh> true\nssh> head"), "{}", &out[..500]);
    assert_eq!(out.matches('x').count() - out.matches("exit").count() - out.matches("tr '\\0' x").count(), 700_000);
    assert!(
        out.contains("ssh> exit 3\nssh> yes") && out.contains("last 0\n") && !out.contains("xno end"),
        "{}",
        out.len()
    );
}

/// Bytes that no honest client sends: the server closes without an answer, and lives on.
#[test]
fn lab_mini_ssh_outlives_strangers() {
    let (server, port) = serve("mini-ssh", MARKER, &[]);
    let zero = [&[0, 0, 0, 32][..], &[0; 32]].concat();
    let strangers: [(&[u8], &str); 3] = [
        (&[255; 4], "4294967295 bytes announced"),
        (&[0, 0, 0, 1, 7], "the public key has 1 bytes and should have 32"),
        (&zero, "the secret would be known to all"),
    ];
    for (bytes, line) in strangers {
        let mut stranger = socket(port);
        stranger.write_all(bytes).unwrap();
        assert_eq!(rest(stranger), b"");
        server.hears(line);
    }
    let mut cut = socket(port);
    cut.write_all(&[0, 0]).unwrap();
    drop(cut);
    server.hears("Connection lost");
    let mut late = join("mini-ssh", port, &[]);
    late.say("user\npass123\necho the server lives");
    late.end_input();
    assert_eq!(late.ends(), 0);
    assert!(late.out().contains("\nthe server lives\n"), "{}", late.out());
}

#[test]
fn lab_mini_ssh_repeats_itself_with_a_seed() {
    repeats_itself("mini-ssh", MARKER, "closes the connection", |_, client| client.say("user\npass123\ndate"));
}

/// A person's password is not shown; what else they type is.
#[test]
fn lab_mini_ssh_shows_no_password_on_a_terminal() {
    let (_server, port) = serve("mini-ssh", MARKER, &[]);
    let mut command = common::nacre();
    command.args(["lab", "join", "mini-ssh", "localhost", &port.to_string()]);
    let mut screen = Terminal::runs(&command, 80, 24);
    screen.sees("Username: ");
    screen.types("user");
    screen.sees("Password: ");
    screen.types("wrong");
    screen.sees("Authentication failed");
    screen.sees("Username: ");
    screen.types("user");
    screen.sees("Password: ");
    screen.types("pass123");
    screen.sees("Authentication successful");
    screen.sees("ssh> ");
    screen.types("echo plover");
    screen.sees("\nplover");
    let shown = screen.text();
    assert!(shown.contains("Username: user") && shown.contains("ssh> echo plover"), "{shown}");
    assert!(!shown.contains("pass123") && !shown.contains("wrong"), "{shown}");
    screen.types("exit");
    assert_eq!(screen.ends(), 0);
}

/// A terminal is left as it was by a client whose server goes while the password is asked for.
#[test]
fn lab_mini_ssh_leaves_the_terminal_as_it_was() {
    let (server, port) = serve("mini-ssh", MARKER, &[]);
    let nacre = common::nacre();
    let script = format!("{} lab join mini-ssh localhost {port}; stty -a", nacre.get_program().display());
    let mut command = Command::new("sh");
    command.args(["-c", &script]).env("PATH", "/usr/bin:/bin");
    let mut screen = Terminal::runs(&command, 200, 24);
    screen.sees("Username: ");
    screen.types("user");
    screen.sees("Password: ");
    drop(server);
    screen.sees("The server closed the connection");
    screen.sees("icanon iexten echo echoe");
    assert_eq!(screen.ends(), 0);
}
