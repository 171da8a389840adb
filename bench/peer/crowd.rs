//! A crowd in the chat: members with terminals of their own who see what is said. They come in from several threads and
//! are driven by one from then on, so that the server has the rest of the machine.

use crate::Problem;
use crate::client::{Client, Target};
use nacre_proto::{Event, LocalChannel, Stream};
use nacre_wire::session::{SessionRequest, WindowSize};
use rustix::event::{Timespec, epoll};
use rustix::net::sockopt;
use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

/// Threads that bring the members in.
const DOORS: usize = 4;
/// A mark in a line: its number between two of these.
const SIGN: u8 = b'~';
/// Digits of the number.
const DIGITS: usize = 6;
/// What a sentence holds besides.
const WORDS: &str = "is a line as people say them to each other";
/// How long the last line may take to reach everybody.
const PATIENCE: Duration = Duration::from_secs(20);
/// Room for what one read brings.
const SCRATCH: usize = 64 * 1024;
/// Bytes that the kernel keeps for a member who never reads.
const DEAF_BYTES: usize = 4096;

/// Who comes, and how much is said.
pub struct Plan {
    members: usize,
    /// How many of them have the full screen; the others have lines on a plain terminal.
    full: usize,
    /// How many never read after they came in: the last ones.
    deaf: usize,
    /// Lines a second.
    rate: f64,
    seconds: f64,
}

impl Plan {
    /// As the command line has it, in the order above.
    pub fn parse(words: &[&str]) -> Result<Self, Problem> {
        let [members, full, deaf, rate, seconds] = words else { return Err("five numbers".into()) };
        Ok(Self {
            members: members.parse()?,
            full: full.parse()?,
            deaf: deaf.parse()?,
            rate: rate.parse()?,
            seconds: seconds.parse()?,
        })
    }

    fn lines(&self) -> usize {
        (self.rate * self.seconds) as usize
    }

    /// Who hears what is said.
    fn hearing(&self) -> usize {
        self.members - self.deaf
    }
}

/// Prints the seconds until all are in and waits for a line of input; then prints how long each line took to reach
/// the last one, in milliseconds, and waits for the end of the input.
pub fn run(port: u16, plan: &Plan) -> Result<(), Problem> {
    let names = (0..plan.members).map(|number| Target::stranger(port, format!("m{number:04}")));
    let targets = names.collect::<Result<Vec<_>, _>>()?;
    let start = Instant::now();
    let members = come_in(&targets, plan)?;
    println!("{:.3}", start.elapsed().as_secs_f64());
    std::io::stdout().flush()?;
    let mut input = std::io::stdin().lock();
    let mut crowd = Crowd::new(members, plan)?;
    crowd.rest(Duration::from_secs(3))?;
    input.read_line(&mut String::new())?;
    for time in crowd.talk(plan)? {
        println!("{:.3}", time.as_secs_f64() * 1e3);
    }
    println!();
    std::io::stdout().flush()?;
    input.read_line(&mut String::new())?;
    Ok(())
}

fn come_in<'a>(targets: &'a [Target], plan: &Plan) -> Result<Vec<Member<'a>>, Problem> {
    let share = targets.len().div_ceil(DOORS);
    std::thread::scope(|scope| {
        let doors: Vec<_> = targets
            .chunks(share)
            .enumerate()
            .map(|(door, targets)| {
                let first = door * share;
                let come = move |(at, target)| Member::comes(target, first + at, plan);
                scope.spawn(move || targets.iter().enumerate().map(come).collect::<Result<Vec<_>, Problem>>())
            })
            .collect();
        let mut members = Vec::new();
        for door in doors {
            members.extend(door.join().map_err(|_| "a thread died")??);
        }
        Ok(members)
    })
}

struct Member<'a> {
    client: Client<'a>,
    channel: LocalChannel,
    /// How many lines were seen, or are behind one that was seen: a screen may show only the last ones of many.
    seen: usize,
    /// The last bytes that came: a mark may be cut.
    tail: Vec<u8>,
}

impl<'a> Member<'a> {
    fn comes(target: &'a Target, number: usize, plan: &Plan) -> Result<Self, Problem> {
        let mut client = Client::log_in(target)?;
        let deaf = number >= plan.hearing();
        // Who never reads has a large window, so that it is soon full.
        let (columns, rows) = if deaf { (250, 80) } else { (80, 24) };
        let size = WindowSize { columns, rows, width: 0, height: 0 };
        // By turns, so that both kinds are among those who come last.
        let full = number * plan.full % plan.members + plan.full >= plan.members;
        let term = if full { "xterm-256color" } else { "dumb" }.to_owned();
        let terminal = SessionRequest::PtyReq { term, size, modes: Vec::new() };
        let channel = client.session(&[terminal, SessionRequest::Shell])?;
        while !matches!(client.next()?, Event::Data { .. }) {}
        if deaf {
            sockopt::set_socket_recv_buffer_size(client.stream(), DEAF_BYTES)?;
        }
        Ok(Self { client, channel, seen: 0, tail: Vec::new() })
    }

    fn say(&mut self, text: &str) -> Result<(), Problem> {
        let mut channel = self.client.connection.channel(self.channel).ok_or("a member's session is over")?;
        if channel.write(Stream::Main, text.as_bytes()) < text.len() {
            return Err("no room for a line".into());
        }
        self.client.flush()
    }

    /// Takes what has come and calls back with the lines that are new to this member.
    fn read(&mut self, scratch: &mut [u8], mut heard: impl FnMut(usize)) -> Result<(), Problem> {
        for event in self.client.pump(scratch)? {
            match event {
                Event::Data { channel, data, .. } => {
                    self.client.take(channel, data.len());
                    self.tail.extend_from_slice(&data);
                    if let Some(last) = marks(&self.tail).max() {
                        (self.seen..=last).for_each(&mut heard);
                        self.seen = self.seen.max(last + 1);
                    }
                    self.tail.drain(..self.tail.len().saturating_sub(DIGITS + 1));
                }
                Event::Closed { .. } => return Err("a member's session ended".into()),
                _ => {}
            }
        }
        self.client.flush()
    }
}

/// The numbers of the marks in a text.
fn marks(text: &[u8]) -> impl Iterator<Item = usize> {
    text.windows(DIGITS + 2).filter_map(|window| match window {
        [SIGN, digits @ .., SIGN] => std::str::from_utf8(digits).ok()?.parse().ok(),
        _ => None,
    })
}

struct Crowd<'a> {
    members: Vec<Member<'a>>,
    poll: std::os::fd::OwnedFd,
    scratch: Vec<u8>,
    /// Of each line: when it was to be said, how many have it, and when the last one got it.
    lines: Vec<(Instant, usize, Option<Instant>)>,
    hearing: usize,
}

impl<'a> Crowd<'a> {
    fn new(members: Vec<Member<'a>>, plan: &Plan) -> Result<Self, Problem> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (number, member) in members.iter().enumerate().take(plan.hearing()) {
            let stream = member.client.stream();
            stream.set_nonblocking(true)?;
            epoll::add(&poll, stream, epoll::EventData::new_u64(number as u64), epoll::EventFlags::IN)?;
        }
        Ok(Self { members, poll, scratch: vec![0; SCRATCH], lines: Vec::new(), hearing: plan.hearing() })
    }

    /// Reads what comes until `end`, or until nobody waits for anything.
    fn read_until(&mut self, end: Instant, all_heard: bool) -> Result<(), Problem> {
        let mut events = Vec::with_capacity(256);
        loop {
            if all_heard && self.lines.iter().all(|(_, _, last)| last.is_some()) {
                return Ok(());
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            events.clear();
            epoll::wait(&self.poll, rustix::buffer::spare_capacity(&mut events), Some(&Timespec::try_from(left)?))?;
            for event in &events {
                let (lines, hearing) = (&mut self.lines, self.hearing);
                let heard = |number: usize| {
                    if let Some((_, count, last)) = lines.get_mut(number) {
                        *count += 1;
                        *last = (*count == hearing).then(Instant::now);
                    }
                };
                let member = &mut self.members[event.data.u64() as usize];
                member.read(&mut self.scratch, heard)?;
            }
        }
    }

    /// Until what the others' coming brought is read.
    fn rest(&mut self, time: Duration) -> Result<(), Problem> {
        self.read_until(Instant::now() + time, false)
    }

    /// Says all lines in their time; how long each took to reach the last one who hears.
    fn talk(&mut self, plan: &Plan) -> Result<Vec<Duration>, Problem> {
        let start = Instant::now();
        for number in 0..plan.lines() {
            let due = start + Duration::from_secs_f64(number as f64 / plan.rate);
            self.read_until(due, false)?;
            self.lines.push((due, 0, None));
            // As many speak by turns as there are lines a second, and one more: nobody speaks too fast.
            let speaker = number % (plan.rate as usize + 1);
            self.members[speaker].say(&format!("~{number:0DIGITS$}~ {WORDS}\r"))?;
        }
        self.read_until(Instant::now() + PATIENCE, true)?;
        let times = self.lines.iter().map(|(due, _, last)| last.map(|last| last - *due));
        times.collect::<Option<Vec<_>>>().ok_or_else(|| "a line did not reach everybody".into())
    }
}
