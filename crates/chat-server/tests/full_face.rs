//! The full-screen face as a person sees it: what it sends goes through a terminal emulator.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use nacre_chat::command::Completion;
use nacre_chat::{
    AccountId, Author, Event, Line, LineId, LineKind, Pair, Person, Place, RoomName, RoomView, Settings, Standing, Time,
};
use nacre_chat_server::face::Full;
use nacre_chat_server::{Asked, Face, Size};
use std::sync::Arc;
use std::time::Duration;

/// A person at a terminal.
struct Seat {
    face: Full,
    terminal: avt::Terminal,
    now: Time,
    /// All bytes that reached the terminal.
    sent: Vec<u8>,
    asked: Vec<Asked>,
}

const START: Time = Time(1_700_000_000_000);

fn author(nick: &str) -> Author {
    let account = AccountId(u128::from(nick.len() as u64) << 64 | nick.bytes().map(u128::from).sum::<u128>());
    Author { account, nick: Arc::from(nick), verified: true, key: None }
}

fn room(name: &str) -> Place {
    Place::Room(RoomName::parse(name).unwrap())
}

fn line_in(place: Place, id: u128, nick: &str, body: &str) -> Arc<Line> {
    Arc::new(Line {
        id: LineId(id),
        node: Arc::from("node"),
        kind: LineKind::Message,
        place,
        from: author(nick),
        to: None,
        at: START,
        body: Arc::from(body),
        reply_to: None,
        standing: Standing::AsSaid,
    })
}

fn line(id: u128, nick: &str, body: &str) -> Arc<Line> {
    line_in(room("lobby"), id, nick, body)
}

fn entered(name: &str, people: &[&str]) -> Event {
    let people = people.iter().map(|nick| Person { who: author(nick), role: None, away: None }).collect();
    Event::Entered(Arc::new(RoomView { name: RoomName::parse(name).unwrap(), topic: Arc::from("All things"), people }))
}

impl Seat {
    /// Alice in the lobby with Bob.
    fn new(columns: u16, rows: u16) -> Self {
        Self::with(columns, rows, true)
    }

    fn with(columns: u16, rows: u16, colours: bool) -> Self {
        let terminal = avt::Terminal::new(usize::from(columns), usize::from(rows)).unwrap();
        let face = Full::new(Size { columns, rows }, colours);
        let mut seat = Self { face, terminal, now: START, sent: Vec::new(), asked: Vec::new() };
        let (greeting, settings) = (Arc::from(""), Settings::default());
        seat.show(&Event::Welcome { you: author("Alice"), greeting, settings, at: START });
        seat.show(&entered("lobby", &["Alice", "Bob"]));
        seat.show(&Event::Focus(Some(room("lobby"))));
        seat.press("\x0c");
        seat
    }

    fn show(&mut self, event: &Event) {
        self.face.show(self.now, event, false);
        self.draw();
    }

    fn press(&mut self, keys: &str) {
        self.face.typed(self.now, keys.as_bytes(), &mut self.asked);
        self.draw();
    }

    fn resize(&mut self, columns: u16, rows: u16) {
        self.terminal.resize(usize::from(columns), usize::from(rows));
        self.face.resize(Size { columns, rows });
        self.draw();
    }

    fn draw(&mut self) {
        self.now = self.now.after(Duration::from_millis(50));
        let mut out = Vec::new();
        self.face.draw(self.now, &mut out);
        self.terminal.feed(std::str::from_utf8(&out).expect("whole characters"));
        self.sent.extend_from_slice(&out);
        assert!(self.face.next_draw().is_none(), "nothing is left to draw");
    }

    fn rows(&self) -> Vec<String> {
        self.terminal.screen().visible_lines().map(|row| row.text().trim_end().to_owned()).collect()
    }

    fn screen(&self) -> String {
        self.rows().join("\n")
    }

    fn asks(&mut self) -> Vec<String> {
        let text = |asked: Asked| match asked {
            Asked::Typed(bytes) => String::from_utf8(bytes).unwrap(),
            other => format!("{other:?}"),
        };
        std::mem::take(&mut self.asked).into_iter().map(text).collect()
    }

    fn theme(&mut self, name: &str) {
        self.show(&Event::Chosen(Settings { theme: Arc::from(name), ..Settings::default() }));
    }

    /// Column and row of the cursor.
    fn cursor(&self) -> (usize, usize) {
        let cursor = self.terminal.cursor();
        (cursor.col, cursor.row)
    }
}

#[test]
fn a_first_look() {
    let mut seat = Seat::new(80, 24);
    seat.show(&Event::Line(line(1, "Bob", "Hello, Alice")));
    let rows = seat.rows();
    assert_eq!(rows[0], " #lobby — All things");
    assert!(rows[1].starts_with(" 1 #lobby"), "{}", seat.screen());
    assert!(rows.iter().any(|row| row.starts_with(" Alice")) && rows.iter().any(|row| row.starts_with(" Bob")));
    assert!(rows[21].ends_with("│ [22:13:20] Bob: Hello, Alice"), "{}", seat.screen());
    assert_eq!(rows[22], " Alice");
    assert_eq!(rows[23], ">");
    assert_eq!(seat.cursor(), (2, 23));
}

#[test]
fn a_half_typed_text_of_three_rows_survives_a_hundred_lines_and_a_resize() {
    let mut seat = Seat::new(80, 24);
    let text = "word ".repeat(44);
    seat.press(&text);
    let typed = |seat: &Seat| {
        let rows = seat.rows();
        let from = rows.iter().rposition(|row| row.starts_with("> ")).unwrap();
        let width = seat.terminal.size().0 - 3;
        rows[from..].iter().map(|row| format!("{:<width$}", row.get(2..).unwrap_or_default())).collect::<String>()
    };
    assert_eq!(typed(&seat).trim_end(), text.trim_end());
    assert_eq!(seat.rows().iter().filter(|row| row.contains("word")).count(), 3);
    for number in 0..50 {
        seat.show(&Event::Line(line(number, "Bob", &format!("line {number}"))));
    }
    assert_eq!(typed(&seat).trim_end(), text.trim_end());
    for (columns, rows) in [(40, 24), (72, 30), (100, 12), (60, 24)] {
        seat.resize(columns, rows);
        for number in 0..25 {
            seat.show(&Event::Line(line(100 + number, "Bob", &format!("line {number}"))));
        }
        if rows >= 24 {
            assert_eq!(typed(&seat).trim_end(), text.trim_end(), "{columns}x{rows}\n{}", seat.screen());
        }
        assert!(seat.screen().contains("Bob: line 24"), "{}", seat.screen());
    }
    seat.press("end\r");
    assert_eq!(seat.asks(), [format!("{text}end")]);
}

#[test]
fn from_80x24_down_to_40x10_and_beyond_nothing_is_lost() {
    let mut seat = Seat::new(80, 24);
    for number in 0..30 {
        seat.show(&Event::Line(line(number, "Bob", &format!("said {number}"))));
    }
    seat.press("draft");
    for (columns, rows) in (40..=80).rev().zip((10..=24).rev().cycle()) {
        seat.resize(columns, rows);
        assert!(seat.screen().contains("said 29"), "{columns}x{rows}\n{}", seat.screen());
        assert!(seat.rows().last().unwrap().starts_with("> draft"), "{columns}x{rows}\n{}", seat.screen());
    }
    for (columns, rows) in [(10, 3), (1, 1), (500, 200), (80, 24)] {
        seat.resize(columns, rows);
    }
    assert!(seat.screen().contains("said 29") && seat.screen().contains("> draft"), "{}", seat.screen());
}

#[test]
fn a_paste_is_one_message_and_one_too_long_is_refused_whole() {
    let mut seat = Seat::new(80, 24);
    seat.press("\x1b[200~one\r\ntwo\r\nthree\x1b[201~");
    assert!(seat.screen().contains("3 lines pasted"), "{}", seat.screen());
    assert_eq!(seat.asks(), [""; 0], "nothing goes before Enter");
    seat.press("\r");
    assert_eq!(seat.asks(), ["one\ntwo\nthree"]);
    let long: String = (0..1000).map(|number| format!("line {number}\r\n")).collect();
    seat.press("before ");
    seat.press(&format!("\x1b[200~{long}\x1b[201~"));
    assert!(seat.screen().contains("Not taken: 1000 lines"), "{}", seat.screen());
    seat.press("after\r");
    assert_eq!(seat.asks(), ["before after"]);
    let fifty: String = (0..50).map(|number| format!("{number}\n")).collect();
    seat.press(&format!("\x1b[200~{fifty}\x1b[201~\r"));
    assert_eq!(seat.asks(), [""; 0], "so many lines want a second Enter");
    seat.press("\r");
    assert_eq!(seat.asks(), [fifty.trim_end()]);
}

#[test]
fn emoji_right_to_left_and_combining_text_shift_nothing_else() {
    let mut seat = Seat::new(80, 24);
    for (number, body) in
        ["👩‍🔬❄️👍🏽🏳️‍🌈", "שלום עולם مرحبا", "e\u{301}o\u{308}\u{304} a\u{336}b", "日本語 ｶﾞ テスト"].iter().enumerate()
    {
        seat.show(&Event::Line(line(number as u128, "Bob", &format!("{body} end"))));
    }
    let rows = seat.rows();
    // Whatever a terminal makes of the text, the lists and their border stand where they stood.
    for row in &rows[1..22] {
        assert_eq!(row.chars().position(|c| c == '│'), Some(14), "{}", seat.screen());
    }
    assert!(rows[21].ends_with("end") && rows[20].ends_with("end") && rows[18].ends_with("end"), "{}", seat.screen());
    assert_eq!(rows[23], ">");
}

#[test]
fn u03_u04_hostile_text_reaches_no_terminal() {
    let mut seat = Seat::with(80, 24, true);
    let evil = "\x1b]0;title\x07\x1b[2J\u{9b}31m\u{202e}\u{200b}\x1bP1$r\x1b\\\r\x08\x7f\u{90}x\u{9c}";
    let nasty = |place, id| {
        let mut bad = (*line_in(place, id, "Bob", &format!("{evil}\n{evil}"))).clone();
        bad.from.nick = Arc::from(format!("B{evil}ob"));
        Arc::new(bad)
    };
    let mut topic = (*nasty(room("lobby"), 4)).clone();
    topic.kind = LineKind::Topic;
    let events = [
        Event::Line(nasty(room("lobby"), 1)),
        Event::Line(nasty(Place::Direct(Pair::new(author("Alice").account, author("Bob").account)), 2)),
        Event::Line(Arc::new(topic)),
        Event::Notice { place: None, text: Arc::from(evil), at: START },
        Event::Problem { text: Arc::from(evil), draft: Some(Arc::from(evil)), at: START },
        Event::Joined { room: RoomName::parse("lobby").unwrap(), who: author(evil), at: START },
        Event::Renamed { old: Arc::from("Bob"), who: author(evil), at: START },
        Event::Away { who: author(evil), message: Some(Arc::from(evil)), at: START },
        Event::Past { place: None, title: Arc::from(evil), lines: [nasty(room("lobby"), 3)].into(), more: true },
        Event::Bye { reason: Arc::from(evil), at: START },
    ];
    for theme in ["classic", "dark", "light", "mono"] {
        seat.theme(theme);
        for event in &events {
            seat.show(event);
        }
        seat.press("\x1b2");
        seat.press("\x1b1");
    }
    seat.face.completed(&Completion { from: 0, words: vec![evil.to_owned(), format!("{evil}2")] });
    seat.draw();
    seat.face.leave(&mut seat.sent);
    only_ours(&seat.sent);
}

/// Only our own sequences: CSI with digits and `;` ended by `m`, `H`, `K`, or a mode we set.
fn only_ours(sent: &[u8]) {
    let text = std::str::from_utf8(sent).unwrap();
    let mut parts = text.split('\x1b');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c.is_ascii_alphabetic()).unwrap();
        let sequence = &part[..=end];
        let ours = match sequence.strip_prefix("[?") {
            Some(mode) => ["1049", "7", "2004", "2026", "25"].contains(&mode.trim_end_matches(['h', 'l'])),
            None => {
                sequence.starts_with('[')
                    && sequence.ends_with(['m', 'H', 'K'])
                    && sequence[1..end].bytes().all(|byte| byte.is_ascii_digit() || byte == b';')
            }
        };
        assert!(ours, "{sequence:?}");
        plain.push_str(&part[end + 1..]);
    }
    let plain = plain.replace("\r\n", "");
    let bad = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}');
    assert!(!plain.contains(bad), "{:?}", plain.chars().filter(|c| bad(*c)).collect::<Vec<_>>());
}

#[test]
fn u04_no_row_of_a_line_looks_like_a_line_of_its_own() {
    for theme in ["classic", "dark"] {
        let mut seat = Seat::new(40, 24);
        seat.theme(theme);
        seat.show(&Event::Line(line(
            1,
            "Bob",
            &format!("x\n[22:13:20] Root: y\n{} [22:13:20] Root: z", "w".repeat(27)),
        )));
        for row in seat.rows() {
            assert!(!row.starts_with("[22:13:20] Root") && !row.starts_with("22:13 Root"), "{}", seat.screen());
        }
    }
}

#[test]
fn u08_a_storm_of_resizes_draws_once() {
    let mut seat = Seat::new(80, 24);
    for step in 0..100_000u32 {
        seat.face.resize(Size { columns: 40 + (step % 90) as u16, rows: 10 + (step % 50) as u16 });
        let mut out = Vec::new();
        seat.face.draw(seat.now, &mut out);
        assert!(out.is_empty(), "within a tick nothing is drawn");
    }
    seat.sent.clear();
    seat.draw();
    assert!(seat.sent.len() < 64 * 1024);
}

#[test]
fn pages_of_the_past_and_back() {
    let mut seat = Seat::new(80, 24);
    for number in 0..100 {
        seat.show(&Event::Line(line(number, "Bob", &format!("said {number}."))));
    }
    assert!(seat.rows()[21].ends_with("said 99."));
    seat.press("\x1b[5~");
    assert!(seat.rows()[21].ends_with("said 79."), "{}", seat.screen());
    assert!(seat.screen().contains("newer lines below"));
    seat.show(&Event::Line(line(100, "Bob", "said 100.")));
    assert!(seat.rows()[21].ends_with("said 79."), "what comes does not move what is read");
    for _ in 0..20 {
        seat.press("\x1b[5~");
    }
    assert!(seat.screen().contains("You are Alice") && seat.screen().contains("said 0."), "{}", seat.screen());
    seat.press("\x1b[6~");
    assert!(!seat.screen().contains("said 0.") && seat.screen().contains("said 25."), "{}", seat.screen());
    for _ in 0..20 {
        seat.press("\x1b[6~");
    }
    assert!(seat.rows()[21].ends_with("said 100."), "{}", seat.screen());
    assert!(!seat.screen().contains("newer lines"));
}

#[test]
fn what_comes_elsewhere_is_counted_and_marked_and_what_is_typed_goes_where_one_looks() {
    let mut seat = Seat::new(80, 24);
    seat.show(&entered("rust", &["Alice", "Carol"]));
    seat.show(&Event::Line(line_in(room("rust"), 1, "Carol", "early")));
    seat.show(&Event::Line(line_in(room("rust"), 2, "Carol", "hey alice!")));
    assert!(seat.screen().contains(" 2 #rust 2!"), "{}", seat.screen());
    seat.press("\x1b2");
    assert!(seat.rows()[0].starts_with(" #rust"), "{}", seat.screen());
    assert!(seat.screen().contains("— new —") && seat.screen().contains("hey alice!"));
    assert!(!seat.screen().contains("2!"));
    assert_eq!(seat.asks(), [format!("{:?}", Asked::Read { place: room("rust"), line: LineId(2) })]);
    // The engine is told before the first character; a text in between still goes to the right room.
    seat.press("hi\r");
    assert_eq!(seat.asks(), ["/go #rust", "/pm #rust hi"]);
    seat.press("/topic x\r");
    assert_eq!(seat.asks(), ["/topic x"], "after the /go");
    seat.show(&Event::Focus(Some(room("rust"))));
    seat.press("there\r");
    assert_eq!(seat.asks(), ["there"]);
    seat.show(&Event::Gone(RoomName::parse("rust").unwrap()));
    assert!(seat.rows()[0].starts_with(" #lobby"), "{}", seat.screen());
}

#[test]
fn private_talks_have_the_name_of_the_other_one() {
    let mut seat = Seat::new(80, 24);
    let place = Place::Direct(Pair::new(author("Alice").account, author("Bob").account));
    seat.show(&Event::Line(line_in(place.clone(), 1, "Bob", "psst")));
    assert!(seat.screen().contains(" 2 Bob 1!"), "{}", seat.screen());
    seat.press("\x1b[1;3B");
    assert!(seat.rows()[0].starts_with(" in private with Bob") && seat.screen().contains("[PM from Bob] psst"));
    seat.press("/kick Bob\r");
    assert_eq!(seat.asks(), ["/go Bob"], "not in the room one came from");
    assert!(seat.screen().contains("does not go here yet"), "{}", seat.screen());
    seat.press("\x03/list\r");
    seat.press("yes\r");
    seat.show(&Event::Focus(Some(place)));
    seat.press("no\r");
    assert_eq!(seat.asks(), ["/list", "/pm Bob yes", "no"]);
}

#[test]
fn ones_own_line_is_pale_until_it_is_kept() {
    let mut seat = Seat::new(80, 24);
    let said = line(1, "Alice", "mine");
    seat.show(&Event::Pending(Arc::clone(&said)));
    let dim = |seat: &Seat, text: &str| {
        let row = seat.terminal.screen().visible_lines().find(|row| row.text().contains(text)).unwrap();
        row.cells().iter().rev().find(|cell| cell.char() != ' ').unwrap().pen().is_faint()
    };
    assert!(dim(&seat, "mine"));
    seat.show(&Event::Line(line(2, "Bob", "other")));
    seat.show(&Event::Confirmed { line: Arc::clone(&said), sequence: None });
    assert!(!dim(&seat, "mine"));
    assert!(seat.rows()[21].contains("other"), "one node: where it was said");
    let next = line(3, "Alice", "next");
    seat.show(&Event::Pending(Arc::clone(&next)));
    seat.show(&Event::Line(line(4, "Bob", "before it")));
    seat.show(&Event::Confirmed { line: next, sequence: Some(9) });
    assert!(seat.rows()[21].contains("next"), "several nodes: where the stream has it\n{}", seat.screen());
    assert_eq!(seat.screen().matches("next").count(), 1);
    let lost = line(5, "Alice", "gone");
    seat.show(&Event::Pending(lost));
    seat.show(&Event::Lost { id: LineId(5), why: Arc::from("the disk is full") });
    assert!(seat.screen().contains("not kept") && seat.screen().contains("the disk is full"), "{}", seat.screen());
}

#[test]
fn edits_deletions_answers_and_rules_are_shown() {
    for theme in ["classic", "light"] {
        let mut seat = Seat::new(80, 24);
        seat.theme(theme);
        seat.show(&Event::Line(line(1, "Bob", "teh word")));
        seat.show(&Event::Line(line(2, "Bob", "secret")));
        let change = |id, kind, body: &str, nick: &str| {
            let mut change = (*line(id, nick, body)).clone();
            change.kind = kind;
            Event::Line(Arc::new(change))
        };
        seat.show(&change(3, LineKind::Edit(LineId(1)), "the word", "Bob"));
        seat.show(&change(4, LineKind::Delete(LineId(2)), "", "Bob"));
        seat.show(&change(5, LineKind::Edit(LineId(1)), "forged", "Carol"));
        let mut answer = (*line(6, "Carol", "yes")).clone();
        answer.reply_to = Some(LineId(1));
        seat.show(&Event::Line(Arc::new(answer)));
        seat.show(&Event::Missed { place: room("lobby"), count: 12 });
        let screen = seat.screen();
        assert!(screen.contains("Bob: the word (edited)") && !screen.contains("teh"), "{screen}");
        assert!(screen.contains("(taken back)") && !screen.contains("secret"), "{screen}");
        assert!(screen.contains("Carol (edited): forged") || screen.contains("Carol: forged (edited)"), "{screen}");
        let answered = if theme == "light" {
            "(to Bob: the word) yes".to_owned()
        } else {
            format!("(to {}) yes", LineId(1).short())
        };
        assert!(screen.contains(&answered), "{screen}");
        assert!(screen.contains("— 12 missed —"), "{screen}");
    }
}

#[test]
fn people_come_and_go_in_one_entry_and_are_marked_away() {
    let mut seat = Seat::new(80, 24);
    let lobby = RoomName::parse("lobby").unwrap();
    for number in 0..20 {
        let who = author(&format!("guest{number}"));
        seat.show(&Event::Joined { room: lobby.clone(), who, at: START });
    }
    assert!(seat.screen().contains("22 here"), "{}", seat.screen());
    assert!(seat.screen().contains("15 others joined (secure channel)"), "{}", seat.screen());
    seat.show(&Event::Away { who: author("Bob"), message: Some(Arc::from("lunch")), at: START });
    assert!(seat.screen().contains("Bob (away)") && seat.screen().contains("Bob is away: lunch"));
    let who = author("Bobby");
    seat.show(&Event::Renamed { old: Arc::from("Bob"), who, at: START });
    assert!(seat.screen().contains("Bobby (away)"), "{}", seat.screen());
}

#[test]
fn the_banner_the_bell_and_no_colours() {
    let mut seat = Seat::with(80, 24, false);
    seat.theme("dark");
    seat.sent.clear();
    seat.show(&Event::Linked(false));
    assert!(seat.rows()[0].contains("not connected to other nodes"), "{}", seat.screen());
    seat.face.show(seat.now, &Event::Line(line(1, "Bob", "Alice!")), true);
    seat.draw();
    assert_eq!(seat.sent.iter().filter(|byte| **byte == 7).count(), 1);
    seat.show(&Event::Linked(true));
    assert!(!seat.rows()[0].contains("not connected"));
    assert!(!String::from_utf8_lossy(&seat.sent).contains("8;5;"), "no colours");
}

#[test]
fn completion_by_tab() {
    let mut seat = Seat::new(80, 24);
    seat.press("/pm al\t");
    assert_eq!(seat.asks(), [format!("{:?}", Asked::Complete("/pm al".to_owned()))]);
    let words = ["alice ".to_owned(), "alina ".to_owned()].to_vec();
    seat.face.completed(&Completion { from: 4, words });
    seat.draw();
    assert!(seat.screen().contains("> /pm ali") && seat.rows()[22].contains("alice  alina"), "{}", seat.screen());
    seat.press("\t\tx");
    assert!(seat.screen().contains("> /pm alina x"), "{}", seat.screen());
}

#[test]
fn a_refused_text_comes_back_and_the_arrows_bring_others() {
    let mut seat = Seat::new(80, 24);
    seat.press("one\rtwo\r");
    seat.show(&Event::Problem { text: Arc::from("No"), draft: Some(Arc::from("two")), at: START });
    assert!(seat.screen().contains("> two") && seat.screen().contains("No"));
    seat.press("\x03half\x1b[A\x1b[A");
    assert!(seat.screen().contains("> one"), "{}", seat.screen());
    seat.press("\x1b[B\x1b[B!");
    assert!(seat.screen().contains("> half!"), "{}", seat.screen());
    seat.press("\x1b\rsecond\r");
    assert_eq!(seat.asks(), ["one", "two", "half!\nsecond"]);
}

#[test]
fn the_terminal_is_left_as_it_was_found() {
    let mut terminal = avt::Terminal::new(40, 10).unwrap();
    terminal.feed("$ ssh chat\r\n");
    let mut face = Full::new(Size { columns: 40, rows: 10 }, true);
    let mut out = Vec::new();
    face.show(START, &Event::Line(line(1, "Bob", "hi")), false);
    face.draw(START, &mut out);
    terminal.feed(std::str::from_utf8(&out).unwrap());
    assert!(terminal.screen().visible_lines().any(|row| row.text().contains("hi")));
    face.show(START, &Event::Bye { reason: Arc::from("Goodbye"), at: START }, false);
    out.clear();
    face.leave(&mut out);
    terminal.feed(std::str::from_utf8(&out).unwrap());
    let rows: Vec<String> = terminal.screen().visible_lines().map(|row| row.text().trim_end().to_owned()).collect();
    assert_eq!(rows[..2], ["$ ssh chat", "[22:13:20] [SYSTEM] Goodbye"]);
    assert!(terminal.cursor().visible);
}

/// A frame is what changed, not the whole screen; the bound is generous, so that only a mistake of order fails.
#[test]
fn a_thousand_members_are_cheap() {
    let people: Vec<String> = (0..1000).map(|number| format!("member{number}")).collect();
    let names: Vec<&str> = people.iter().map(String::as_str).collect();
    let mut seats: Vec<Seat> = (0..100).map(|_| Seat::new(80, 24)).collect();
    let event = entered("lobby", &names);
    for seat in &mut seats {
        seat.face.show(seat.now, &event, false);
        for number in 0..40 {
            seat.face.show(seat.now, &Event::Line(line(number, "Bob", "some words that somebody says here")), false);
        }
        seat.draw();
    }
    let (mut bytes, rounds) = (0, 20);
    for round in 0..rounds {
        let body = format!("{round}: one more line of usual length, as people write them");
        let event = Event::Line(line(1000 + round, "Bob", &body));
        for seat in &mut seats {
            seat.now = seat.now.after(Duration::from_millis(50));
            seat.face.show(seat.now, &event, false);
            let mut out = Vec::new();
            seat.face.draw(seat.now, &mut out);
            bytes += out.len();
        }
    }
    let frames = seats.len() as u32 * rounds as u32;
    let each = bytes / frames as usize;
    println!("a frame with one more line: {each} bytes");
    assert!(each < 2048, "{each} bytes");
}
