//! A chat with a long past, and how fast something is found in it.

use crate::Problem;
use crate::client::{Client, Target};
use nacre_chat::{
    AccountId, Author, Line, LineId, LineKind, Modes, Place, Record, RoomName, RoomRecord, Standing, StoreAnswer,
    StoreRequest, Time,
};
use nacre_chat_server::Store;
use nacre_proto::{Event, Stream};
use nacre_wire::session::SessionRequest;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// Words of all lines, by turns of different lengths, so that each line is another one.
const WORDS: [&[&str]; 4] = [
    &["today", "tomorrow", "yesterday", "sometimes", "never", "always", "soon"],
    &["the server", "a client", "our tunnel", "the key", "this room", "that disk", "my shell", "the build", "a test"],
    &["starts", "stops", "works", "fails", "waits", "sleeps", "hangs", "answers", "restarts", "compiles", "listens"],
    &[
        "slowly",
        "at once",
        "again",
        "with noise",
        "in vain",
        "by itself",
        "after lunch",
        "at night",
        "quietly",
        "twice",
    ],
];
/// One line in so many holds a word that is in few.
const RARE: usize = 100_000;
/// Said a while before now, one line a second.
const END: u64 = 1_700_000_000_000;
/// How long nothing may come of a search.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often each search is made.
const TIMES: usize = 20;

/// Puts so many lines into the lobby of a store that is made there.
pub fn fill(file: &Path, count: usize) -> Result<(), Problem> {
    let (store, _) = Store::open(file, None)?;
    let name = RoomName::parse("lobby").map_err(|_| "no room")?;
    let place = Place::Room(name.clone());
    let (done, waiting) = mpsc::channel();
    // What was said before a room was made is nobody's to see.
    let room = StoreRequest::Put(Record::Room(Arc::new(room(name, Time(END - 1000 * (count as u64 + 1))))));
    store.ask(room, drop).map_err(|_| "the store has stopped")?;
    for number in 0..count {
        let line = Arc::new(line(number, count, place.clone()));
        let done = done.clone();
        let asked = store.ask(StoreRequest::Append { line, sequence: None }, move |answer| drop(done.send(answer)));
        asked.map_err(|_| "the store has stopped")?;
    }
    drop(done);
    if waiting.iter().filter(|answer| matches!(answer, StoreAnswer::Kept)).count() < count {
        return Err("not all lines were kept".into());
    }
    Ok(())
}

fn room(name: RoomName, made: Time) -> RoomRecord {
    RoomRecord {
        name,
        topic: Arc::from(""),
        made,
        stamp: made,
        modes: Modes::default(),
        roles: Default::default(),
        invited: Default::default(),
    }
}

fn line(number: usize, count: usize, place: Place) -> Line {
    let words: Vec<&str> = WORDS.iter().map(|words| words[number % words.len()]).collect();
    let rare = if number % RARE == RARE / 2 { " nacreous" } else { "" };
    let at = END - 1000 * (count - number) as u64;
    let nick = format!("m{:04}", number % 1000);
    let account = AccountId(number as u128 % 1000 + 1);
    Line {
        // The time in milliseconds stands in the upper 48 bits.
        id: LineId(u128::from(at) << 80 | number as u128),
        node: Arc::from("local"),
        kind: LineKind::Message,
        place,
        from: Author { account, nick: Arc::from(nick), verified: true, key: None },
        to: None,
        at: Time(at),
        body: Arc::from(format!("{}{rare} number {number}", words.join(" "))),
        reply_to: None,
        standing: Standing::AsSaid,
    }
}

/// How long `/search` takes over a connection, until what was found is there.
pub fn search(port: u16, words: &str) -> Result<Vec<Duration>, Problem> {
    let target = Target::stranger(port, "searcher".to_owned())?;
    let mut client = Client::log_in(&target)?;
    client.stream().set_read_timeout(Some(PATIENCE))?;
    let channel = client.session(&[SessionRequest::Shell])?;
    let (mut times, mut scratch) = (Vec::new(), vec![0; 1 << 20]);
    for _ in 0..TIMES {
        // Nobody may ask too often; half a second is nobody's rush.
        std::thread::sleep(Duration::from_millis(600));
        // What is left of the last answer.
        client.stream().set_nonblocking(true)?;
        client.pump(&mut scratch)?;
        client.stream().set_nonblocking(false)?;
        let start = Instant::now();
        let said = format!("/search {words}\n");
        client.connection.channel(channel).ok_or("the session is over")?.write(Stream::Main, said.as_bytes());
        client.flush()?;
        let mut out = Vec::new();
        let first = words.split(' ').next().unwrap_or_default();
        // The words stand in what is above the lines, and then in the first of them.
        while String::from_utf8_lossy(&out).matches(first).count() < 2 {
            if let Event::Data { channel, data, .. } = client.next()? {
                client.take(channel, data.len());
                out.extend_from_slice(&data);
            }
        }
        times.push(start.elapsed());
    }
    Ok(times)
}
