//! The full-screen face: rooms and people to the left, what was said to the right of them, what is being typed below.
//!
//! A member keeps little: shared lines, the draft, and a hash of each row on the screen. Lines are wrapped and painted
//! once for each width and look and shared between the members of a thread ([`shared`]); a frame sends the rows whose
//! hash changed, at most every [`TICK`].

mod bars;
mod brush;
mod item;
mod marks;
mod menu;
mod pane;
mod panes;
mod press;
mod prompt;
mod roster;
mod screen;
mod shape;
mod shared;
mod side;
mod take;
mod theme;
mod wrap;

use super::draft::{Draft, History};
use super::keys::Keys;
use super::width::width_of_glyph;
use super::{Asked, Face, Size};
use brush::Row;
use menu::Menu;
use nacre_chat::command::Completion;
use nacre_chat::{Author, Event, Place, Settings, Time};
use panes::Panes;
use prompt::Prompt;
use ratatui::text::{Line, Span};
use screen::{Layout, Screen, Whole};
use std::sync::Arc;
use std::time::Duration;
use theme::Look;

/// Time between two frames, at least.
const TICK: Duration = Duration::from_millis(50);
/// The largest terminal that is filled; a larger one is used in part.
const LARGEST: Size = Size { columns: 300, rows: 100 };
/// Lines that the plain face begins with when it goes on instead.
const REPEATED: usize = 20;
/// Told to who comes in: the most wanted first, and all of it within 80 cells.
const KEYS: &str = "/help, /quit, Tab completes, PgUp: the past, Alt-1: rooms, Alt-Enter: new line";

/// The full-screen face of one session.
pub struct Full {
    size: Size,
    colours: bool,
    settings: Settings,
    look: Look,
    you: Option<Author>,
    away: bool,
    linked: bool,
    panes: Panes,
    /// Where the engine has what is typed go to.
    at: Option<Place>,
    /// Where it was asked to have it go to.
    going: Option<Place>,
    keys: Keys,
    draft: Draft,
    history: History,
    menu: Menu,
    /// Something to say in the bar below until the next key, and whether it is a warning.
    hint: Option<(String, bool)>,
    /// The last Enter asked for another one.
    sure: bool,
    screen: Screen,
    stale: Stale,
    bell: bool,
    drawn: Option<Time>,
    farewell: Option<String>,
}

/// What has to be painted again.
#[derive(Debug, Default)]
struct Stale {
    /// The lines.
    text: bool,
    /// Bars and lists.
    bars: bool,
    /// The draft.
    prompt: bool,
}

impl Stale {
    fn all(&mut self) {
        *self = Self { text: true, bars: true, prompt: true };
    }

    fn any(&self) -> bool {
        self.text || self.bars || self.prompt
    }
}

impl Full {
    /// For a terminal of that size. Without `colours` (`NO_COLOR`, terminals that have none) nothing but bold, dim and
    /// reverse is used, whatever the theme.
    pub fn new(size: Size, colours: bool) -> Self {
        let settings = Settings::default();
        let mut face = Self {
            size,
            colours,
            look: Look::chosen(&settings, colours),
            settings,
            you: None,
            away: false,
            linked: true,
            panes: Panes::default(),
            at: None,
            going: None,
            keys: Keys::default(),
            draft: Draft::default(),
            history: History::default(),
            menu: Menu::default(),
            hint: Some((KEYS.to_owned(), false)),
            sure: false,
            screen: Screen::default(),
            stale: Stale::default(),
            bell: false,
            drawn: None,
            farewell: None,
        };
        face.resize(size);
        face
    }

    fn warn(&mut self, text: &str) {
        self.hint = Some((text.to_owned(), true));
        self.stale.bars = true;
    }

    fn tell(&mut self, text: &str) {
        self.hint = Some((text.to_owned(), false));
        self.stale.bars = true;
    }

    fn laid_out(&self) -> (Prompt, Layout) {
        let prompt = Prompt::new(self.draft.text(), self.draft.before().len(), self.size.columns);
        let layout = Layout::new(self.size.columns, self.size.rows, prompt.len());
        (prompt, layout)
    }

    fn layout(&self) -> Layout {
        self.laid_out().1
    }

    /// Paints what is stale but the lines, which are painted as they are needed.
    fn paint(&mut self, prompt: &Prompt, layout: &Layout) {
        let (look, colours) = (self.look, self.colours);
        if self.screen.painted_for.replace(*layout) != Some(*layout) {
            self.stale.all();
        }
        if std::mem::take(&mut self.stale.prompt) {
            let lines = prompt.lines(self.draft.text(), layout.prompt);
            self.screen.prompt = shared::paint(self.size.columns, lines, colours);
        }
        if !std::mem::take(&mut self.stale.bars) {
            return;
        }
        let title = bars::title(self.panes.current(), self.linked, &look);
        self.screen.title = shared::paint(self.size.columns, vec![title], colours);
        let nick = self.you.as_ref().map_or("", |you| &*you.nick);
        let hint = self.hint.as_ref().map(|(text, alarm)| (text.as_str(), *alarm));
        let status = bars::Status { nick, away: self.away, hint, narrow: layout.side == 0 };
        let status = bars::status(&status, &self.menu, &self.panes, &look);
        self.screen.status = shared::paint(self.size.columns, vec![status], colours);
        if layout.side > 0 {
            let rows = side::rows(&self.panes, &look, layout.side - 2, usize::from(layout.height));
            let rows = rows.into_iter().map(|row| bordered(row, layout.side, &look)).collect();
            self.screen.side = shared::paint(layout.side, rows, colours);
        }
    }

    fn frame(&mut self, out: &mut Vec<u8>) {
        let (prompt, layout) = self.laid_out();
        self.paint(&prompt, &layout);
        self.stale.text = false;
        let height = usize::from(layout.height);
        let rows = |item: &item::Item| shared::rows(item, layout.text_width, &self.look);
        let text = self.panes.current().map(|pane| pane.visible(height, &rows)).unwrap_or_default();
        // A short past stands at the bottom, beside where one types.
        let empty = height - text.len();
        let Screen { side, title, status, prompt: typed, .. } = &self.screen;
        let (side, title, status, typed) = (Arc::clone(side), Arc::clone(title), Arc::clone(status), Arc::clone(typed));
        let nothing = Row { hash: 0, bytes: &[] };
        let across = |left| Whole { left, right: nothing, column: 0 };
        let body = (0..height).map(|number| {
            let said = number.checked_sub(empty).and_then(|at| text.get(at));
            let said = said.map_or(nothing, |(painted, row)| painted.row(*row));
            match layout.side {
                0 => across(said),
                column => Whole { left: side.row(number), right: said, column },
            }
        });
        let above = (0..usize::from(layout.top)).map(|number| across(title.row(number)));
        let below = std::iter::once(across(status.row(0)));
        let draft = (0..usize::from(layout.prompt)).map(|number| across(typed.row(number)));
        let (row, column) = prompt.cursor(layout.prompt);
        let cursor = (layout.top + layout.height + 1 + row, column);
        self.screen.show(above.chain(body).chain(below).chain(draft), cursor, out);
    }
}

/// A row of the lists with the border that stands between them and the lines.
fn bordered(row: Line<'static>, width: u16, look: &Look) -> Line<'static> {
    let room = width.saturating_sub(2);
    let mut spans = Vec::new();
    let mut used = 0;
    for span in row.spans {
        let length = u16::try_from(span.content.len()).unwrap_or(u16::MAX);
        if span.content.is_ascii() && length <= room - used {
            used += length;
            spans.push(span);
            continue;
        }
        let mut text = String::new();
        for symbol in unicode_segmentation::UnicodeSegmentation::graphemes(&*span.content, true) {
            let width = width_of_glyph(symbol);
            if used + width > room {
                break;
            }
            used += width;
            text.push_str(symbol);
        }
        spans.push(Span::styled(text, span.style));
    }
    spans.push(Span::raw(" ".repeat(usize::from(room - used))));
    spans.push(Span::styled("│", look.theme().rule));
    Line::from(spans)
}

impl Face for Full {
    fn typed(&mut self, _now: Time, bytes: &[u8], asked: &mut Vec<Asked>) {
        let mut keys = std::mem::take(&mut self.keys);
        keys.feed(bytes, |key| self.press(key, asked));
        self.keys = keys;
    }

    fn show(&mut self, _now: Time, event: &Event, ring: bool) {
        self.bell |= ring;
        self.take(event);
    }

    fn completed(&mut self, completion: &Completion) {
        self.menu.answered(&mut self.draft, completion);
        self.stale.prompt = true;
        self.stale.bars = true;
    }

    fn resize(&mut self, size: Size) {
        self.size = Size { columns: size.columns.clamp(1, LARGEST.columns), rows: size.rows.clamp(2, LARGEST.rows) };
        self.screen.forget();
        self.stale.all();
    }

    fn draw(&mut self, now: Time, out: &mut Vec<u8>) {
        if self.next_draw().is_none_or(|due| now < due) {
            return;
        }
        self.drawn = Some(now);
        if std::mem::take(&mut self.bell) {
            out.push(0x07);
        }
        self.frame(out);
    }

    fn next_draw(&self) -> Option<Time> {
        let wanted = self.stale.any() || self.bell;
        wanted.then(|| self.drawn.map_or(Time(0), |drawn| drawn.after(TICK)))
    }

    fn known(&self) -> Option<Vec<Event>> {
        let you = self.you.clone()?;
        let (greeting, settings, at) = (Arc::from(""), self.settings.clone(), self.drawn.unwrap_or_default());
        let mut events = vec![Event::Welcome { you, greeting, settings, at }, Event::Focus(self.at.clone())];
        let place = self.panes.current().and_then(|pane| pane.place.clone());
        let lines: Vec<_> = self
            .panes
            .current()
            .map(|pane| pane.lines().take(REPEATED).map(|said| Arc::clone(&said.line)).collect())
            .unwrap_or_default();
        let lines = lines.into_iter().rev().collect();
        events.push(Event::Past { place, title: Arc::from("Last lines"), lines, more: false });
        Some(events)
    }

    fn leave(&mut self, out: &mut Vec<u8>) {
        self.screen.leave(out);
        if let Some(farewell) = self.farewell.take() {
            let farewell = shape::once_more(&farewell, &self.look);
            out.extend_from_slice(farewell.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
}
