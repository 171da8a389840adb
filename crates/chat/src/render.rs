//! Events as plain lines, in the shapes of the first chat (`[hh:mm:ss] Bob: text`,
//! `[hh:mm:ss] [SYSTEM] Bob joined (secure channel)`): what the plain face prints and the classic
//! theme draws. No colours, no control characters, no line feeds in a line.

use crate::event::{Event, Leaving, Person};
use crate::id::AccountId;
use crate::line::{Line, LineKind, Place, Standing};
use crate::name::RoomName;
use crate::record::Settings;
use crate::text::clean_line;
use crate::time::Time;
use std::sync::Arc;

/// Stands before the further lines of one message, so that none of them can pass for a line of
/// somebody else (threat U4).
pub const CONTINUED: &str = "    | ";

/// For whom an event is said.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Whose session it is.
    pub you: AccountId,
    /// Where it is: what belongs elsewhere says where.
    pub at: Option<&'a Place>,
    /// Zone and times.
    pub settings: &'a Settings,
}

/// An event as lines; none for what only other faces draw.
pub fn plain(event: &Event, view: View<'_>) -> Vec<String> {
    let system = |at: Time, text: &str| vec![format!("{}[SYSTEM] {text}", stamp(at, view))];
    match event {
        Event::Welcome { you, greeting, at, .. } => {
            let mut lines = several(*at, &format!("You are {}", you.nick), view);
            lines.extend(greeting.lines().map(str::to_owned));
            lines
        }
        Event::Line(said) | Event::Confirmed { line: said, .. } => line(said, view),
        Event::Pending(_)
        | Event::Entered(_)
        | Event::Focus(None)
        | Event::Chosen(_)
        | Event::Face(_)
        | Event::Clear => Vec::new(),
        Event::Lost { why, .. } => vec![format!("[SYSTEM] Your last line was not kept: {why}")],
        Event::Joined { room, who, at } => {
            system(*at, &format!("{} joined{} (secure channel)", who.nick, elsewhere(room, view)))
        }
        Event::Left { room, who, how, at } => system(*at, &left(room, &who.nick, how, view)),
        Event::NodeLeft { room, nicks, at } => {
            let nicks: Vec<&str> = nicks.iter().map(|nick| &**nick).collect();
            system(*at, &format!("{} left{} (their server is gone)", nicks.join(", "), elsewhere(room, view)))
        }
        Event::Renamed { old, who, at } => system(*at, &format!("{old} is now {}", who.nick)),
        Event::Away { who, message: Some(message), at } => system(*at, &format!("{} is away: {message}", who.nick)),
        Event::Away { who, message: None, at } => system(*at, &format!("{} is back", who.nick)),
        Event::Gone(room) => vec![format!("[SYSTEM] You are not in {room} any more")],
        Event::Focus(Some(Place::Room(room))) => vec![format!("[SYSTEM] You are in {room}")],
        Event::Focus(Some(Place::Direct(_))) => vec!["[SYSTEM] You talk to one person".to_owned()],
        Event::Past { title, lines, .. } => {
            let mut out = vec![format!("— {title} —")];
            out.extend(lines.iter().flat_map(|said| line(said, view)));
            out
        }
        Event::Missed { place, count } => vec![format!("— {count} missed{} —", where_(place, view))],
        Event::Apart { place, count } => vec![format!("— {count} lines while apart{} —", where_(place, view))],
        Event::Linked(true) => vec!["[SYSTEM] connected to other nodes".to_owned()],
        Event::Linked(false) => vec!["[SYSTEM] not connected to other nodes".to_owned()],
        Event::Notice { text, at, .. } | Event::Problem { text, at, .. } => several(*at, text, view),
        Event::People { room, people, at } => system(*at, &online(room.as_ref(), people)),
        Event::Rooms { rooms, at } => {
            let mut text = String::from("Rooms:");
            for room in rooms.iter() {
                let topic = if room.topic.is_empty() { String::new() } else { format!(" — {}", room.topic) };
                text.push_str(&format!("\n{} ({}){topic}", room.name, room.people));
            }
            several(*at, &text, view)
        }
        Event::Skipped { count } => {
            vec![format!("— {count} lines left out: your connection is too slow. /history shows them —")]
        }
        Event::Bye { reason, at } if reason.is_empty() => system(*at, "Goodbye"),
        Event::Bye { reason, at } => system(*at, reason),
    }
}

/// A line that somebody said.
pub fn line(said: &Line, view: View<'_>) -> Vec<String> {
    let nick = &said.from.nick;
    let own = said.from.account == view.you;
    let room = said.place.room().map_or_else(String::new, |room| match elsewhere(room, view).trim() {
        "" => String::new(),
        name => format!("[{name}] "),
    });
    let head = match (&said.place, said.kind) {
        (Place::Direct(_), _) if own => format!("[PM to {}] ", said.to.as_deref().unwrap_or(nick)),
        (Place::Direct(_), _) => format!("[PM from {nick}] "),
        (_, LineKind::Message) => format!("{room}{nick}: "),
        (_, LineKind::Action) => format!("{room}* {nick} "),
        (_, LineKind::Topic) => format!("{room}[SYSTEM] {nick} set the topic: "),
        (_, LineKind::Edit(_)) => format!("{room}{nick} (edited): "),
        (_, LineKind::Delete(_)) => {
            return vec![format!("{}{room}[SYSTEM] {nick} took a line back", stamp(said.at, view))];
        }
    };
    let reply = said.reply_to.map(|id| format!("(to {}) ", id.short())).unwrap_or_default();
    let tail = if said.standing == Standing::Edited { " (edited)" } else { "" };
    let body = if said.standing == Standing::Deleted { "(taken back)" } else { &said.body };
    let mut out = body_lines(format!("{}{head}{reply}", stamp(said.at, view)), body);
    if let Some(last) = out.last_mut() {
        last.push_str(tail);
    }
    out
}

/// A text of several lines after a head; the further ones are marked.
fn body_lines(head: String, body: &str) -> Vec<String> {
    // What comes from a store or another node is cleaned again where it is drawn.
    let clean = |text: &str| clean_line(text.as_bytes(), usize::MAX);
    let mut lines = body.lines();
    let mut out = vec![head + &clean(lines.next().unwrap_or_default())];
    out.extend(lines.map(|text| format!("{CONTINUED}{}", clean(text))));
    out
}

/// A notice of one or several lines. They are the server's own, so they need no mark.
fn several(at: Time, text: &str, view: View<'_>) -> Vec<String> {
    let mut lines = text.lines();
    let mut out = vec![format!("{}[SYSTEM] {}", stamp(at, view), lines.next().unwrap_or_default())];
    out.extend(lines.map(|line| format!("  {line}")));
    out
}

fn stamp(at: Time, view: View<'_>) -> String {
    if view.settings.times { format!("[{}] ", at.clock(view.settings.zone)) } else { String::new() }
}

/// ` #room`, where the session is elsewhere.
fn elsewhere(room: &RoomName, view: View<'_>) -> String {
    if view.at.and_then(Place::room) == Some(room) { String::new() } else { format!(" {room}") }
}

fn where_(place: &Place, view: View<'_>) -> String {
    match place {
        Place::Room(room) => elsewhere(room, view).replacen(' ', " in ", 1),
        Place::Direct(_) => " in private".to_owned(),
    }
}

fn left(room: &RoomName, nick: &str, how: &Leaving, view: View<'_>) -> String {
    let place = elsewhere(room, view);
    let why = |reason: &Arc<str>| if reason.is_empty() { String::new() } else { format!(": {reason}") };
    match how {
        Leaving::Quit => format!("{nick} left{place}"),
        Leaving::Parted(reason) => format!("{nick} left{place}{}", why(reason)),
        Leaving::Kicked { by, reason } => format!("{nick} was put out of {room} by {by}{}", why(reason)),
    }
}

fn online(room: Option<&RoomName>, people: &[Person]) -> String {
    let sign = |person: &Person| match person.role {
        Some(crate::record::Role::Owner | crate::record::Role::Operator) => "@",
        Some(crate::record::Role::Voice) => "+",
        None => "",
    };
    let name = |person: &Person| {
        let away = if person.away.is_some() { " (away)" } else { "" };
        format!("{}{}{away}", sign(person), person.who.nick)
    };
    let names: Vec<String> = people.iter().map(name).collect();
    match room {
        None => format!("Online: {}", names.join(", ")),
        Some(room) => format!("In {room}: {}", names.join(", ")),
    }
}
