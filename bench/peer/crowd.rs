//! A crowd in the chat: members with terminals of their own who see what is said. They come in from several threads and
//! are driven by one from then on, so that the server has the rest of the machine.

use crate::Problem;
use crate::client::{Client, Target};
use nacre_proto::{Event, LocalChannel, Stream};
use nacre_wire::session::{SessionRequest, WindowSize};
use rustix::event::{Timespec, epoll};
use rustix::net::sockopt;
use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::ops::Range;
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
/// Long lines that are said until nothing more fits on the way to those who never read; the most of them, and how many follow
/// once the kernel holds no more, for what the server itself holds: all together less than what makes it cut such members off.
const FILLING: usize = 150;
const FOLLOWING: usize = 30;
/// Bytes of each: many rows on a large window.
const LONG: usize = 1000;
/// Between two of them.
const FILLING_PACE: Duration = Duration::from_millis(200);
/// Who says them, by turns, so that nobody speaks too fast.
const FILLERS: usize = 20;

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
    /// The port of another node: there is the second half of the members, and only they are waited for.
    other: Option<u16>,
}

impl Plan {
    /// As the command line has it, in the order above.
    pub fn parse(words: &[&str]) -> Result<Self, Problem> {
        let [members, full, deaf, rate, seconds, other @ ..] = words else { return Err("five numbers".into()) };
        Ok(Self {
            members: members.parse()?,
            full: full.parse()?,
            deaf: deaf.parse()?,
            rate: rate.parse()?,
            seconds: seconds.parse()?,
            other: other.first().map(|port| port.parse()).transpose()?,
        })
    }

    fn lines(&self) -> usize {
        (self.rate * self.seconds) as usize
    }

    /// Those who read: the first ones.
    fn hearing(&self) -> usize {
        self.members - self.deaf
    }

    /// Those who are waited for.
    fn awaited(&self) -> Range<usize> {
        let first = if self.other.is_some() { self.members / 2 } else { 0 };
        first..self.hearing()
    }

    /// Where a member comes in.
    fn port(&self, near: u16, number: usize) -> u16 {
        self.other.filter(|_| number >= self.members / 2).unwrap_or(near)
    }
}

/// Prints the seconds until all were in and waits for a line of input; then prints how long each line took to reach
/// the last one, in milliseconds, and waits for the end of the input.
pub fn run(port: u16, plan: &Plan) -> Result<(), Problem> {
    let names = (0..plan.members).map(|number| Target::stranger(plan.port(port, number), format!("m{number:04}")));
    let targets = names.collect::<Result<Vec<_>, _>>()?;
    let start = Instant::now();
    let members = come_in(&targets, plan)?;
    let joining = start.elapsed();
    let mut crowd = Crowd::new(members, plan)?;
    crowd.rest(Duration::from_secs(3))?;
    let held = crowd.fill(port, plan)?;
    println!("{:.3}", joining.as_secs_f64());
    std::io::stdout().flush()?;
    let mut input = std::io::stdin().lock();
    input.read_line(&mut String::new())?;
    let times = crowd.talk(plan)?;
    if crowd.held(port, plan)? != held {
        return Err("those who never read were not stuck all the time".into());
    }
    for time in times {
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

/// A line of the kernel's table: the peer's port, and how much is on its way there or waits, if the connection is one of `port`'s.
fn queue_from(port: u16, line: &str) -> Option<(u16, u64)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, own, peer, _, queues, ..] = fields.as_slice() else { return None };
    let port_of = |end: &str| u16::from_str_radix(end.split_once(':')?.1, 16).ok();
    let sent = u64::from_str_radix(queues.split_once(':')?.0, 16).ok()?;
    (port_of(own)? == port).then_some((port_of(peer)?, sent))
}

struct Crowd<'a> {
    members: Vec<Member<'a>>,
    poll: std::os::fd::OwnedFd,
    scratch: Vec<u8>,
    /// Of each line: when it was to be said, how many have it, and when the last one got it.
    lines: Vec<(Instant, usize, Option<Instant>)>,
    awaited: Range<usize>,
}

impl<'a> Crowd<'a> {
    fn new(members: Vec<Member<'a>>, plan: &Plan) -> Result<Self, Problem> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (number, member) in members.iter().enumerate().take(plan.hearing()) {
            let stream = member.client.stream();
            stream.set_nonblocking(true)?;
            epoll::add(&poll, stream, epoll::EventData::new_u64(number as u64), epoll::EventFlags::IN)?;
        }
        Ok(Self { members, poll, scratch: vec![0; SCRATCH], lines: Vec::new(), awaited: plan.awaited() })
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
                let who = event.data.u64() as usize;
                let (lines, awaited) = (&mut self.lines, &self.awaited);
                let heard = |number: usize| {
                    if let Some((_, count, last)) = lines.get_mut(number).filter(|_| awaited.contains(&who)) {
                        *count += 1;
                        *last = (*count == awaited.len()).then(Instant::now);
                    }
                };
                let member = &mut self.members[who];
                member.read(&mut self.scratch, heard)?;
            }
        }
    }

    /// Until what the others' coming brought is read.
    fn rest(&mut self, time: Duration) -> Result<(), Problem> {
        self.read_until(Instant::now() + time, false)
    }

    /// Speaks until those who never read are stuck: their end of the connection is full, and so is the server's, so that
    /// the kernel takes nothing more for them while much is being said. How much it holds for each.
    fn fill(&mut self, port: u16, plan: &Plan) -> Result<Vec<u64>, Problem> {
        let (mut held, mut since) = (Vec::new(), 0);
        for number in (0..FILLING).take_while(|_| plan.deaf > 0) {
            let speaker = number % FILLERS.min(plan.hearing());
            self.members[speaker].say(&format!("{}\r", "word ".repeat(LONG / 5)))?;
            self.read_until(Instant::now() + FILLING_PACE, false)?;
            let now = self.held(port, plan)?;
            since = if now == held && !now.contains(&0) { since + 1 } else { 0 };
            held = now;
            if since == FOLLOWING {
                break;
            }
        }
        if plan.deaf > 0 && since < FOLLOWING {
            return Err("those who never read do not get stuck".into());
        }
        self.rest(Duration::from_secs(2))?;
        Ok(held)
    }

    /// Bytes that the kernel holds at the server's end for those who never read (proc(5), `net/tcp`, `tx_queue`).
    fn held(&self, port: u16, plan: &Plan) -> Result<Vec<u64>, Problem> {
        if plan.deaf == 0 {
            return Ok(Vec::new());
        }
        let table = std::fs::read_to_string("/proc/net/tcp")?;
        let queues: HashMap<u16, u64> = table.lines().filter_map(|line| queue_from(port, line)).collect();
        let deaf = self.members.iter().skip(plan.hearing());
        deaf.map(|member| {
            let own = member.client.stream().local_addr()?.port();
            queues.get(&own).copied().ok_or_else(|| "one who never reads is gone".into())
        })
        .collect()
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
