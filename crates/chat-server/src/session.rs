//! One session: bytes of its stream to the face, what the face asks for to the hub, and back.

use crate::clock::now;
use crate::face::{Asked, Face, Full, Json, Lines, Size, Typing};
use crate::hub::Hub;
use crate::pace::FRAME;
use crate::seat::Seat;
use nacre_chat::{self as chat, Connect, Event, Input, LineId, Proof, SessionId, Time};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;

/// Bytes read at once.
const READ_BYTES: usize = 4096;
/// How long a terminal that is to be left as it was found may take for that.
const LEAVING: Duration = Duration::from_secs(2);
/// How often it is looked whether the lines of a pipe that has ended have had their turn.
const TURN: Duration = Duration::from_millis(100);
/// How long a pipe that has ended waits for what it searched.
const SEARCH: Duration = Duration::from_secs(5);

/// Who comes, and with what.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// What the login proved.
    pub proof: Proof,
    /// The login name, as it came.
    pub login: Vec<u8>,
    /// Rooms to go to.
    pub rooms: Vec<String>,
    /// Whence.
    pub address: Option<IpAddr>,
    /// The client's version, as it came.
    pub client: Vec<u8>,
    /// The type of the terminal, if there is one.
    pub term: Option<String>,
    /// A program: JSON lines.
    pub json: bool,
    /// Show what came after this line.
    pub since: Option<LineId>,
    /// Colours are wanted (`NO_COLOR` says not).
    pub colours: bool,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// By its own wish.
    Left,
    /// By the chat, with a reason.
    Closed(String),
    /// The stream ended or failed.
    Cut,
}

impl Ended {
    /// As the exit code of a program.
    pub fn code(&self) -> u8 {
        match self {
            Self::Left => 0,
            Self::Closed(reason) if reason.is_empty() => 0,
            Self::Closed(_) | Self::Cut => 1,
        }
    }
}

/// Ends the session in the hub however its task ends.
struct Present<'a> {
    hub: &'a Hub,
    session: SessionId,
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.hub.disconnect(self.session);
    }
}

impl Hub {
    /// Serves a session to its end. `size` brings the terminal's size, and each new one.
    pub async fn serve<S>(&self, stream: S, mut size: watch::Receiver<Size>, arrival: Arrival) -> Ended
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let first = *size.borrow_and_update();
        let (kind, face) = face_for(&arrival, first);
        let term = arrival.term.clone().unwrap_or_default();
        let session = self.number();
        let present = Present { hub: self, session };
        let seat = self.connect(connect(session, kind, arrival));
        let (ended, rest) = {
            let mut play =
                Play { hub: self, session, seat: &seat, face, term, size: first, drawn: None, pressed: false };
            let ended = play.run(&mut reader, &mut writer, &mut size).await;
            let mut rest = Vec::new();
            if ended != Ended::Cut {
                play.face.draw(now(), &mut rest);
                play.face.leave(&mut rest);
            }
            (ended, rest)
        };
        drop(present);
        let said = async {
            writer.write_all(&rest).await?;
            writer.shutdown().await
        };
        let _ = tokio::time::timeout(LEAVING, said).await;
        ended
    }
}

fn face_for(arrival: &Arrival, size: Size) -> (chat::Face, Box<dyn Face>) {
    match &arrival.term {
        _ if arrival.json => (chat::Face::Json, Box::new(Json::default())),
        None => (chat::Face::Plain, Box::new(Lines::default())),
        Some(term) if matches!(term.as_str(), "" | "dumb") => (chat::Face::Plain, Box::new(Typing::new(term, size))),
        Some(term) => (chat::Face::Full, Box::new(Full::new(size, arrival.colours && !is_monochrome(term)))),
    }
}

/// Terminals of paper-white, green and amber days: bold and reverse they know, colours they would print.
fn is_monochrome(term: &str) -> bool {
    let old = ["vt100", "vt102", "vt220", "vt320"].iter().any(|name| term.starts_with(name));
    old || term.ends_with("-m") || term.ends_with("-mono")
}

fn connect(session: SessionId, face: chat::Face, arrival: Arrival) -> Connect {
    Connect {
        session,
        proof: arrival.proof,
        login: Arc::from(arrival.login),
        rooms: arrival.rooms.into_iter().map(Arc::from).collect(),
        address: arrival.address,
        client: Arc::from(arrival.client),
        face,
        since: arrival.since,
    }
}

/// A session under way.
struct Play<'a> {
    hub: &'a Hub,
    session: SessionId,
    seat: &'a Seat,
    face: Box<dyn Face>,
    /// The type and size of the terminal, for another face.
    term: String,
    size: Size,
    /// When it was drawn last.
    drawn: Option<Time>,
    /// A key was pressed since then.
    pressed: bool,
}

impl Play<'_> {
    async fn run(
        &mut self,
        reader: &mut (impl AsyncRead + Unpin),
        writer: &mut (impl AsyncWrite + Unpin),
        size: &mut watch::Receiver<Size>,
    ) -> Ended {
        let mut out = Vec::new();
        let mut input = vec![0; READ_BYTES];
        let (mut stale, mut ended) = (true, None);
        loop {
            if ended.as_mut().is_some_and(|since| self.was_all(since)) {
                return self.input_ended(writer, &mut out).await;
            }
            // While bytes wait for the reader nothing is taken or drawn: what comes is gathered, and bounded, in the seat.
            if out.is_empty() {
                stale |= self.take_events(&mut out) || self.seat.closed().is_some();
            }
            let due = if out.is_empty() { self.next_frame(stale) } else { None };
            let due = if ended.is_some() { Some(due.map_or(TURN, |due| due.min(TURN))) } else { due };
            if due.is_some_and(|wait| wait.is_zero()) {
                self.face.draw(now(), &mut out);
                (stale, self.pressed) = (false, false);
                // What showed nothing does not put the next frame off.
                if !out.is_empty() {
                    self.drawn = Some(now());
                }
                if let Some(reason) = self.seat.closed() {
                    return self.finish(writer, &out, &reason).await;
                }
                continue;
            }
            let asked = Instant::now();
            let pause = async {
                match due {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // Whoever takes nothing is not heard either: what a face answers by itself would pile up.
                read = reader.read(&mut input), if ended.is_none() && out.is_empty() => match read {
                    Ok(0) => {
                        // The last line of a file may lack its end. Lines that have to wait for their turn still get it.
                        ended = Some(Instant::now());
                        self.typed(b"\n");
                    }
                    Err(_) => return Ended::Cut,
                    Ok(count) => {
                        (stale, self.pressed) = (true, true);
                        if self.typed(input.get(..count).unwrap_or_default()) {
                            return Ended::Left;
                        }
                    }
                },
                written = writer.write(&out), if !out.is_empty() => match written {
                    Ok(count) if count > 0 => drop(out.drain(..count)),
                    _ => return Ended::Cut,
                },
                reason = self.seat.cut(), if !out.is_empty() => {
                    let said = tokio::time::timeout(LEAVING, writer.write_all(&out)).await;
                    if !matches!(said, Ok(Ok(()))) {
                        return Ended::Closed(reason.to_string());
                    }
                    out.clear();
                }
                // Before a frame that is due anyway nobody is woken by each thing that will be in it.
                () = self.seat.news(), if out.is_empty() && !stale => {}
                Ok(()) = size.changed() => {
                    self.size = *size.borrow_and_update();
                    self.face.resize(self.size);
                    stale = true;
                }
                () = pause => self.hub.pace().woke_late(asked.elapsed().saturating_sub(due.unwrap_or_default())),
            }
        }
    }

    /// Shows the face what waits for it. False if nothing did.
    fn take_events(&mut self, out: &mut Vec<u8>) -> bool {
        let (now, mut any) = (now(), false);
        while let Some((event, ring)) = self.seat.pop(now) {
            if let Event::Face(chat::Face::Plain) = &*event {
                self.turn_plain(out);
            }
            self.face.show(now, &event, ring);
            any = true;
        }
        any
    }

    /// `/plain`: the full screen goes and leaves the terminal as it was found, lines follow.
    fn turn_plain(&mut self, out: &mut Vec<u8>) {
        let Some(known) = self.face.known() else { return };
        self.face.leave(out);
        self.face = Box::new(Typing::new(&self.term, self.size));
        for event in known {
            self.face.show(now(), &event, false);
        }
    }

    /// How long until the next frame; none if nothing asks for one. Whoever presses keys sees them soon, however busy it is.
    fn next_frame(&self, stale: bool) -> Option<Duration> {
        let now = now();
        let asked = [stale.then_some(now), self.face.next_draw()].into_iter().flatten().min()?;
        let between = if self.pressed { FRAME } else { self.hub.pace().frame() };
        let earliest = self.drawn.map_or(Time(0), |drawn| drawn.after(between));
        Some(asked.max(earliest).since(now))
    }

    /// Does what was typed. True when that was to go.
    fn typed(&mut self, bytes: &[u8]) -> bool {
        let mut asked = Vec::new();
        self.face.typed(now(), bytes, &mut asked);
        // Only the last completion is of the line as it is now.
        let last = asked.iter().rposition(|wish| matches!(wish, Asked::Complete(_)));
        for (place, wish) in asked.into_iter().enumerate() {
            let session = self.session;
            match wish {
                Asked::Typed(bytes) => self.hub.handle(Input::Typed { session, bytes: Arc::from(bytes) }),
                Asked::Command(command) => self.hub.handle(Input::Command { session, command }),
                Asked::Read { place, line } => self.hub.handle(Input::Read { session, place, line }),
                Asked::Complete(_) if Some(place) != last => {}
                Asked::Complete(before) => {
                    let completion = self.hub.complete(session, &before);
                    self.face.completed(&completion);
                }
                Asked::End => return true,
            }
        }
        false
    }

    /// Whether all that came before the input ended had its turn, and what was searched was found or takes too long. `since` is
    /// when the last line had its turn.
    fn was_all(&self, since: &mut Instant) -> bool {
        if self.hub.is_behind(self.session) {
            *since = Instant::now();
            return false;
        }
        !self.hub.is_searching(self.session) || since.elapsed() > SEARCH
    }

    /// A pipe that wrote what it had to say still sees it kept.
    async fn input_ended(&mut self, writer: &mut (impl AsyncWrite + Unpin), out: &mut Vec<u8>) -> Ended {
        self.hub.settled().await;
        self.take_events(out);
        self.face.draw(now(), out);
        let _ = tokio::time::timeout(LEAVING, writer.write_all(out)).await;
        Ended::Left
    }

    /// The chat ended the session: what it was shown last still goes out.
    async fn finish(&mut self, writer: &mut (impl AsyncWrite + Unpin), out: &[u8], reason: &str) -> Ended {
        let _ = tokio::time::timeout(LEAVING, writer.write_all(out)).await;
        Ended::Closed(reason.to_owned())
    }
}
