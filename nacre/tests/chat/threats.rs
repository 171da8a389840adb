//! Threat rows of what people type, on real terminals with OpenSSH's client: what one sends never drives, spoofs, stalls
//! or floods another one's terminal.

use crate::chats::Chat;
use crate::programs::Running;
use std::time::{Duration, Instant};

/// A program as this person, which may send any text.
fn program_of(chat: &Chat, name: &str) -> Running {
    let program = Running::start(chat.ssh(name).args(["-s", &format!("{name}@127.0.0.1"), "chat-json"]));
    program.hears("\"event\":\"welcome\"");
    program
}

/// A text as JSON has it, all but letters, digits and spaces by their numbers.
fn json(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == ' ';
    let units = |c: char| c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
    text.chars().map(|c| if plain(c) { c.to_string() } else { units(c) }).collect()
}

fn says(text: &str) -> String {
    format!("{{\"do\":\"say\",\"to\":\"#lobby\",\"text\":\"{}\"}}", json(text))
}

fn types(text: &str) -> String {
    format!("{{\"do\":\"type\",\"text\":\"{}\"}}", json(text))
}

/// What drives terminals, in 300 forms: titles, clipboard, links, questions whose answers come back as typing, colours,
/// screens, bells, and the same by C1 characters and without an end.
fn sequences() -> Vec<String> {
    let bodies = [
        "]0;evil",
        "]52;c;ZXZpbA==",
        "]8;;http://evil",
        "[2J",
        "[6n",
        "[c",
        "P$qm",
        "[?1049l",
        "[31m",
        "_Gevil",
        "^evil",
        "c",
        "#8",
        "[21t",
        "]4;1;?",
    ];
    let starts = ["\x1b", "\u{9b}", "\u{9d}", "\u{90}"];
    let ends = ["", "\x07", "\x1b\\", "\u{9c}", "\r"];
    let all = bodies.iter().flat_map(|body| starts.map(|start| (start, *body)));
    all.flat_map(|(start, body)| ends.map(|end| format!("{start}{body}{end}"))).collect()
}

/// What a terminal got beside the full screen's own sequences.
fn beside_our_own(raw: &[u8]) -> String {
    let text = std::str::from_utf8(raw).expect("whole characters");
    let mut rest = String::new();
    let mut pieces = text.split('\x1b');
    rest.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let own = piece.strip_prefix('[').and_then(|sequence| {
            let end = sequence.find(|c: char| !c.is_ascii_digit() && !matches!(c, ';' | '?'))?;
            let (parameters, last) = (&sequence[..end], &sequence[end..=end]);
            let ours = match last {
                "H" | "K" | "m" => !parameters.contains('?'),
                "h" | "l" => matches!(parameters, "?1049" | "?7" | "?2004" | "?2026" | "?25"),
                _ => false,
            };
            ours.then(|| &sequence[end + 1..])
        });
        rest.push_str(own.unwrap_or_else(|| panic!("not one of ours: {piece:?}")));
    }
    rest
}

#[test]
fn u01_u03_nothing_that_others_set_or_say_drives_a_terminal() {
    let chat = Chat::start();
    let mut alice = chat.sits("alice", 80, 24);
    let mut mallory = program_of(&chat, "mallory");
    let all = sequences();
    assert_eq!(all.len(), 300);
    for (number, some) in all.chunks(75).enumerate() {
        mallory.say(&says(&format!("{}\nround {number}", some.join("\n"))));
        alice.sees(&format!("round {number}"));
    }
    let evil = "\x1b]0;evil\x07\u{9b}2J";
    for order in ["/me", "/away", "/join #evil", "/topic", "/nick", "/pm alice", "/part #evil", "/nosuch", "/whois"] {
        mallory.say(&types(&format!("{order} {evil}x")));
    }
    mallory.say(&types("/pm alice that was all"));
    // In a private talk of its own.
    alice.sees(" 2 mallory 2!");
    alice.presses(b"\x1b2");
    alice.sees("that was all");
    alice.presses(b"\x1b1");
    alice.loses("that was all");
    // Terminal type, variables and the login name are text of others as well.
    let mut eve = chat.ssh("bob");
    eve.env("TERM", evil).env("CHAT_SINCE", evil);
    let mut eve = Running::start(eve.args(["-tt", "-o", "SendEnv=CHAT_SINCE", "bob@127.0.0.1"]));
    eve.hears("#lobby");
    eve.say("I am here\r");
    alice.sees("bob: I am here");
    let login = "ca\x1b]0;c\x07\u{9b}2Jrol";
    let mut carol = Running::start(chat.dropbear("carol").args(["-T", "-l", login, "127.0.0.1"]));
    carol.hears("You are ");
    carol.say("I am here too");
    alice.sees("I am here too");
    let beside = beside_our_own(alice.raw());
    let bad: Vec<char> = beside.chars().filter(|c| c.is_control()).collect();
    // Two private messages ring.
    assert_eq!(bad, ['\x07', '\x07']);
}

#[test]
fn u04_nobody_speaks_as_somebody_else() {
    let chat = Chat::start();
    let mut alice = chat.sits("alice", 80, 24);
    let mut mallory = program_of(&chat, "mallory");
    let table = [
        ("a\r[00:00:00] alice: fake", "mallory: a"),
        ("b\u{202e}olleh\u{202c}", "mallory: bolleh"),
        ("c\u{2066}\u{200b}\u{feff}\u{2069}d", "mallory: cd"),
        ("e\u{0}\u{8}\u{7f}f", "mallory: ef"),
        ("   spaced   ", "mallory: spaced"),
    ];
    for (said, shown) in table {
        mallory.say(&says(said));
        alice.shows(shown, |rows| rows.iter().any(|row| row.ends_with(shown)));
    }
    // Five at once is what one session may say.
    let mut again = program_of(&chat, "mallory");
    again.say(&says(&format!("x{}y", "\u{323}".repeat(300))));
    alice.shows("few marks", |rows| rows.iter().any(|row| row.contains("mallory: x") && row.ends_with('y')));
    // No further row or line begins where one of somebody else would.
    for row in alice.rows() {
        assert!(!row.contains("│ [00:00:00] alice"), "{}", alice.picture());
    }
    mallory.say(&types("/nick \u{430}lice"));
    mallory.hears("\"event\":\"problem\"");
}

#[test]
fn u05_who_never_reads_costs_nobody_anything() {
    let chat = Chat::start();
    let mut alice = chat.sits("alice", 80, 24);
    let mut mallory = program_of(&chat, "mallory");
    for number in 0..5 {
        mallory.say(&says(&format!("{} end {number}", "long ".repeat(800))));
    }
    alice.sees("end 4");
    let deaf: Vec<Running> = (0..10)
        .map(|_| {
            let mut deaf = chat.comes("carol", &[]);
            crate::serve::send(deaf.id(), "STOP");
            deaf.say(&"/history 500\n".repeat(20));
            deaf
        })
        .collect();
    let mut bob = chat.comes("bob", &[]);
    for number in 0..10 {
        let start = Instant::now();
        bob.say(&format!("line {number}"));
        alice.sees(&format!("bob: line {number}"));
        assert!(start.elapsed() < Duration::from_secs(30), "line {number} took {:?}", start.elapsed());
    }
    let memory = chat.memory();
    assert!(memory < 100.0, "{memory} MiB");
    for deaf in &deaf {
        crate::serve::send(deaf.id(), "KILL");
    }
    bob.hears("carol left");
    alice.types("/list");
    alice.shows("nobody but who is there", |rows| {
        rows.iter().any(|row| row.contains("Online") && !row.contains("carol"))
    });
}

#[test]
fn u07_a_login_name_forges_no_line_of_the_log() {
    let chat = Chat::start();
    let forged = "x\nAccepted publickey for root";
    // OpenSSH's client refuses such a name itself.
    let eve = Running::start(chat.dropbear("bob").args(["-T", "-l", forged, "127.0.0.1"]));
    eve.hears("You are ");
    let alice = chat.comes("alice", &[]);
    drop((eve, alice));
    let log = chat.log();
    assert!(log.lines().all(|line| !line.starts_with("Accepted publickey for root")), "{log}");
}

#[test]
fn u08_endless_sequences_resizes_and_pastes_disturb_nobody() {
    let chat = Chat::start();
    let mut alice = chat.sits("alice", 80, 24);
    let mut bob = chat.comes("bob", &[]);
    let mut mallory = chat.sits("mallory", 80, 24);
    mallory.floods(&[b"\x1b[", "1;".repeat(500_000).as_bytes(), b"A"].concat());
    for round in 0..1000 {
        mallory.resizes(40 + round % 60, 10 + round % 20);
    }
    mallory.resizes(80, 24);
    mallory.floods(&[b"\x1b[200~".as_slice(), &b"x\n".repeat(5_000_000), b"\x1b[201~"].concat());
    bob.say("still here");
    alice.sees("bob: still here");
    mallory.sees("bob: still here");
    mallory.sees("Not taken: more than");
    // A character in pieces is one.
    for byte in "é👩\u{200d}🔬\r".bytes() {
        mallory.presses(&[byte]);
    }
    bob.hears("mallory: é👩\u{200d}🔬");
    assert!(chat.memory() < 100.0, "{} MiB", chat.memory());
}
