//! The owner of our half: it does what a function of what happened does, so that it does the same
//! when the recording is played.

use super::text::{Header, Task};
use crate::end::End;
use nacre_proto::{LocalChannel, Stream};
use nacre_wire::session::{SessionRequest, WindowSize};
use std::collections::VecDeque;
use std::time::Instant;

/// The terminal of a client of ours.
const SIZE: WindowSize = WindowSize { columns: 80, rows: 24, width: 0, height: 0 };

/// What is still to be written to a channel, and what comes after.
struct Work {
    channel: LocalChannel,
    main: VecDeque<u8>,
    /// Exit status to end with; without one the channel stays open.
    ends: Option<u32>,
}

/// The owner's memory.
pub(super) struct App {
    task: Task,
    started: bool,
    used: bool,
    left: bool,
    /// A session was served to its end: its status is on its way, and the channel's end.
    pub(super) finished: bool,
    requests: usize,
    work: Vec<Work>,
    /// A channel whose input goes back to its sender, and how much has gone.
    cat: Option<(LocalChannel, usize)>,
}

impl App {
    pub(super) fn new(header: &Header) -> Self {
        let task = header.task.clone();
        Self {
            task,
            started: false,
            used: false,
            left: false,
            finished: false,
            requests: 0,
            work: Vec::new(),
            cat: None,
        }
    }

    /// Does what can be done now. True when something was.
    pub(super) fn act(&mut self, end: &mut End, now: Instant) -> bool {
        let mut moved = match &self.task {
            Task::Serve => false,
            task => self.ask(&task.clone(), end, now),
        };
        while let Some((number, request)) = end.requests.get(self.requests).cloned() {
            self.requests += 1;
            if let Some(id) = end.channels.iter().find(|id| id.number() == number).copied() {
                moved |= self.serve(id, &request, end);
            }
        }
        moved |= self.give_back(end);
        moved | self.write(end, now)
    }

    /// A client's side.
    fn ask(&mut self, task: &Task, end: &mut End, now: Instant) -> bool {
        if end.connection.is_authenticated() && !self.started {
            self.started = true;
            return end.connection.open_channel(now, "session", b"").is_ok();
        }
        if let (Some(id), false) = (end.channels.first().copied(), self.used) {
            self.used = true;
            let Some(mut channel) = end.connection.channel(id) else { return false };
            let (command, input) = match task {
                Task::Run(command, input) => (command, input.as_str()),
                Task::RunOnTerminal(command) => {
                    let request = SessionRequest::PtyReq { term: "xterm".into(), size: SIZE, modes: vec![(53, 1)] };
                    let _ = channel.request(now, &request, true);
                    (command, "")
                }
                Task::Serve => return false,
            };
            let _ = channel.request(now, &SessionRequest::Exec { command: command.clone().into_bytes() }, true);
            channel.write(Stream::Main, input.as_bytes());
            channel.eof();
            return true;
        }
        if !self.left && end.log.iter().any(|line| line.starts_with("closed")) {
            self.left = true;
            end.connection.disconnect(now, 11, "done");
            return true;
        }
        false
    }

    /// A server's side.
    fn serve(&mut self, channel: LocalChannel, request: &SessionRequest, end: &mut End) -> bool {
        let mut work = Work { channel, main: VecDeque::new(), ends: None };
        match request {
            SessionRequest::Exec { command } => {
                let command = String::from_utf8_lossy(command);
                match command.split_once(' ') {
                    Some(("exit", status)) => {
                        work.main.extend(b"a line of output\n");
                        if let Some(mut channel) = end.connection.channel(channel) {
                            channel.write(Stream::Stderr, b"a line of errors\n");
                        }
                        work.ends = status.parse().ok();
                    }
                    Some(("pour", bytes)) => {
                        let bytes: usize = bytes.parse().unwrap_or_default();
                        work.main.extend((0..=u8::MAX).cycle().take(bytes));
                        work.ends = Some(0);
                    }
                    _ => self.cat = Some((channel, 0)),
                }
            }
            SessionRequest::WindowChange { size } => {
                work.main.extend(format!("{}x{}\r\n", size.columns, size.rows).bytes());
                work.ends = Some(7);
            }
            _ => return false,
        }
        self.work.push(work);
        true
    }

    /// What came for `cat` goes back, and after its end the channel too ends.
    fn give_back(&mut self, end: &End) -> bool {
        let Some((id, gone)) = self.cat else { return false };
        let data = end.data.get(&(id.number(), Stream::Main)).map_or(&[][..], Vec::as_slice);
        let ended = end.log.contains(&format!("eof {}", id.number()));
        let Some(work) = self.work.iter_mut().find(|work| work.channel == id) else { return false };
        work.main.extend(&data[gone..]);
        work.ends = ended.then_some(0);
        self.cat = if ended { None } else { Some((id, data.len())) };
        ended || data.len() > gone
    }

    fn write(&mut self, end: &mut End, now: Instant) -> bool {
        let mut moved = false;
        for work in &mut self.work {
            let Some(mut channel) = end.connection.channel(work.channel) else { continue };
            let written = channel.write(Stream::Main, work.main.make_contiguous());
            work.main.drain(..written);
            moved |= written > 0;
            if let (true, Some(status)) = (work.main.is_empty(), work.ends.take()) {
                let _ = channel.request(now, &SessionRequest::ExitStatus { status }, false);
                channel.eof();
                channel.close();
                self.finished = true;
                moved = true;
            }
        }
        moved
    }
}
