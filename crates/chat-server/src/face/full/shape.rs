//! An item in words and styles, as the theme has it. All text is cleaned once more here, whatever it came through.

use super::super::emoji::in_words;
use super::item::{Fate, Item, Note, Said};
use super::marks;
use super::theme::{Look, Shape};
use super::wrap::wrap;
use nacre_chat::render::{self, CONTINUED, View};
use nacre_chat::text::clean_line;
use nacre_chat::{AccountId, Line as Spoken, LineKind, Settings, Standing, Time};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// Stands for `[SYSTEM]` where the shapes are not the first chat's.
const SYSTEM: &str = "-- ";
/// Cells that further rows are set in, in the first chat's shapes.
const SET_IN: u16 = 6;
/// Characters of a line that are repeated in an answer to it.
const QUOTED: usize = 30;

/// An item as rows of at most `width` cells.
pub(super) fn rows(item: &Item, width: u16, look: &Look) -> Vec<Line<'static>> {
    let theme = look.theme();
    match item {
        Item::Said(said) if theme.shape == Shape::Classic => classic(said, width, look),
        Item::Said(said) => set(said, width, look),
        Item::Note(note) => notice(note, width, look),
        Item::Rule(text) => wrap(&[Span::styled(once_more(text, look), theme.rule)], width, 2),
        Item::Unseen => wrap(&[Span::styled("— new —", theme.rule)], width, 2),
        Item::Traffic(traffic) => {
            let text = format!("[SYSTEM] {}", traffic.words());
            notice(&Note { at: Some(traffic.at), alarm: false, text }, width, look)
        }
    }
}

/// As the plain face writes it.
fn classic(said: &Said, width: u16, look: &Look) -> Vec<Line<'static>> {
    let settings = Settings { zone: look.zone, times: false, ..Settings::default() };
    let place = (!said.found).then_some(&said.line.place);
    let you = if said.own { said.line.from.account } else { AccountId(!said.line.from.account.0) };
    let style = base(said, look);
    let mut rows = Vec::new();
    for (number, text) in render::line(&said.line, View { you, at: place, settings: &settings }).iter().enumerate() {
        let text = match text.strip_prefix(CONTINUED).filter(|_| number > 0) {
            Some(text) => format!("{CONTINUED}{}", once_more(text, look)),
            None => once_more(text, look),
        };
        let mut spans = vec![Span::styled(text, style)];
        if number == 0 {
            spans.insert(0, stamp(Some(said.line.at), look));
        }
        rows.extend(wrap(&spans, width, SET_IN));
    }
    with_fate(rows, said, look)
}

/// Names in colours, further rows set in.
fn set(said: &Said, width: u16, look: &Look) -> Vec<Line<'static>> {
    let (theme, line) = (look.theme(), &*said.line);
    let style = base(said, look);
    let nick = once_more(&line.from.nick, look);
    let guest = if line.from.verified { "" } else { "~" };
    let name = if said.fate == Fate::Kept { theme.nick(line.from.account.0) } else { style };
    let mut head = vec![stamp(Some(line.at), look)];
    if said.found {
        let place = line.place.room().map_or_else(|| "private".to_owned(), ToString::to_string);
        head.push(Span::styled(format!("[{}] ", once_more(&place, look)), theme.aside));
    }
    match line.kind {
        LineKind::Action => head.extend([Span::styled("* ", style), Span::styled(format!("{guest}{nick} "), name)]),
        LineKind::Topic => head.push(Span::styled(format!("{SYSTEM}{nick} set the topic: "), theme.system)),
        LineKind::Delete(_) => head.push(Span::styled(format!("{SYSTEM}{nick} took a line back"), theme.system)),
        LineKind::Message | LineKind::Edit(_) => {
            head.extend([Span::styled(format!("{guest}{nick}"), name), Span::styled(": ", style)]);
        }
    }
    if let Some(answered) = answered(said, look) {
        head.push(Span::styled(format!("({answered}) "), theme.aside));
    }
    let indent = if look.times { 8 } else { 2 };
    let taken_back = line.standing == Standing::Deleted;
    let mut texts = line.body.lines().filter(|_| !taken_back);
    let spoken = |text: &str| marks::spans(&once_more(text, look), style, theme);
    head.extend(spoken(texts.next().unwrap_or_default()));
    let edited = line.standing == Standing::Edited || matches!(line.kind, LineKind::Edit(_));
    let tail = if taken_back { "(taken back)" } else { " (edited)" };
    let mut lines = vec![head];
    let margin = " ".repeat(usize::from(indent));
    lines.extend(texts.map(|text| std::iter::once(Span::raw(margin.clone())).chain(spoken(text)).collect()));
    if (edited || taken_back)
        && let Some(last) = lines.last_mut()
    {
        last.push(Span::styled(tail, theme.aside));
    }
    let rows = lines.iter().flat_map(|spans| wrap(spans, width, indent)).collect();
    with_fate(rows, said, look)
}

/// Whose line is answered and how it begins; its short name where the line is not known here.
fn answered(said: &Said, look: &Look) -> Option<String> {
    let id = said.line.reply_to?;
    let Some(line) = &said.answers else { return Some(format!("to {}", id.short())) };
    let body = once_more(&line.body, look);
    let mut start: String = body.chars().take(QUOTED).collect();
    if start.len() < body.len() {
        start.push('…');
    }
    Some(format!("to {}: {start}", once_more(&line.from.nick, look)))
}

fn with_fate(mut rows: Vec<Line<'static>>, said: &Said, look: &Look) -> Vec<Line<'static>> {
    if said.fate == Fate::Lost {
        rows.push(Line::from(Span::styled("      not kept: nobody has it", look.theme().alarm)));
    }
    rows
}

fn base(said: &Said, look: &Look) -> Style {
    let theme = look.theme();
    match said.fate {
        Fate::Pending => theme.pending,
        Fate::Lost => theme.alarm,
        Fate::Kept if said.mention => theme.mention,
        Fate::Kept => Style::new(),
    }
}

/// What the server says: the first line after the time, the others set in.
fn notice(note: &Note, width: u16, look: &Look) -> Vec<Line<'static>> {
    let theme = look.theme();
    let style = if note.alarm { theme.alarm } else { theme.system };
    let mut rows = Vec::new();
    for (number, text) in note.text.lines().enumerate() {
        let text = once_more(text, look);
        let spans = match (number, theme.shape, text.strip_prefix("[SYSTEM] ")) {
            (0, Shape::Set, Some(text)) => {
                vec![stamp(note.at, look), Span::styled(format!("{SYSTEM}{text}"), style)]
            }
            (0, ..) => vec![stamp(note.at, look), Span::styled(text, style)],
            _ => vec![Span::raw("  "), Span::styled(text, style)],
        };
        rows.extend(wrap(&spans, width, SET_IN));
    }
    rows
}

fn stamp(at: Option<Time>, look: &Look) -> Span<'static> {
    let theme = look.theme();
    let text = match (at.filter(|_| look.times), theme.shape) {
        (None, _) => String::new(),
        (Some(at), Shape::Classic) => format!("[{}] ", at.clock(look.zone)),
        (Some(at), Shape::Set) => format!("{} ", at.clock(look.zone).get(..5).unwrap_or_default()),
    };
    Span::styled(text, theme.stamp)
}

/// One clean line of it.
pub(super) fn once_more(text: &str, look: &Look) -> String {
    let clean = clean_line(text.as_bytes(), usize::MAX);
    if look.emoji_as_text { in_words(&clean) } else { clean }
}

/// Whether somebody is named in a line, as a whole word in any case.
pub(super) fn is_named(line: &Spoken, nick: &str) -> bool {
    if !matches!(line.kind, LineKind::Message | LineKind::Action) || nick.is_empty() {
        return false;
    }
    let part_of_nick = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    let wanted = nick.to_lowercase();
    line.body.split(|c| !part_of_nick(c)).any(|word| word.len() >= nick.len().min(3) && word.to_lowercase() == wanted)
}
