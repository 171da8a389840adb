//! Keys into changes of the draft and things asked for.

use super::super::Asked;
use super::super::keys::{Key, Motion};
use super::Full;
use super::prompt::Prompt;
use nacre_chat::Place;
use nacre_chat::command::{Command, parse};
use nacre_chat::limits::{BODY_BYTES, BODY_LINES};

/// A message of more lines than this is sent only by a second Enter.
const SURE_LINES: usize = 20;

impl Full {
    /// A key was pressed.
    pub(super) fn press(&mut self, key: Key, asked: &mut Vec<Asked>) {
        let sure = std::mem::take(&mut self.sure);
        if self.hint.take().is_some() {
            self.stale.bars = true;
        }
        if self.menu.is_open() && !matches!(key, Key::Tab | Key::BackTab) {
            self.menu.close();
            self.stale.bars = true;
        }
        match key {
            Key::Enter => self.enter(sure, asked),
            Key::Char(character) => self.insert(character.encode_utf8(&mut [0; 4]), asked),
            Key::NewLine => self.insert("\n", asked),
            Key::Paste { text, cut } => self.pasted(&text, cut, asked),
            Key::Tab if self.menu.is_open() => self.choose_next(false),
            Key::BackTab if self.menu.is_open() => self.choose_next(true),
            Key::Tab => {
                self.go(asked);
                if self.menu.ask(&self.draft) {
                    asked.push(Asked::Complete(self.draft.before().to_owned()));
                }
            }
            Key::BackTab | Key::Alt('a') => self.look_at(self.panes.next_unread(), asked),
            Key::Alt(digit @ '1'..='9') => {
                let number = digit.to_digit(10).and_then(|digit| usize::try_from(digit).ok());
                self.look_at(number.and_then(|number| number.checked_sub(1)), asked);
            }
            Key::Alt('0') => self.look_at(Some(9), asked),
            Key::Move { to: Motion::Up, far: true } => self.look_at(self.panes.view().checked_sub(1), asked),
            Key::Move { to: Motion::Down, far: true } => self.look_at(Some(self.panes.view() + 1), asked),
            Key::Move { to: Motion::PageUp, .. } => self.scroll(true),
            Key::Move { to: Motion::PageDown, .. } => self.scroll(false),
            Key::Ctrl('l') => self.screen.forget(),
            Key::Ctrl('c' | 'd') if self.draft.text().is_empty() => asked.push(Asked::End),
            key => self.edit(&key),
        }
    }

    /// What changes the draft, or moves in it.
    fn edit(&mut self, key: &Key) {
        match key {
            Key::Ctrl('p') | Key::Move { to: Motion::Up, .. } => self.up_or_down(true),
            Key::Ctrl('n') | Key::Move { to: Motion::Down, .. } => self.up_or_down(false),
            key if self.draft.edit(key) => {}
            _ => return,
        }
        self.stale.prompt = true;
    }

    /// A row up or down within the draft, and beyond it to what was typed before.
    fn up_or_down(&mut self, up: bool) {
        let prompt = Prompt::new(self.draft.text(), self.draft.before().len(), self.size.columns);
        if let Some(at) = prompt.beside(self.draft.text(), up) {
            return self.draft.move_to(at);
        }
        let text = if up { self.history.older(self.draft.text()) } else { self.history.newer() };
        if let Some(text) = text {
            self.draft.set(&text);
        }
    }

    fn insert(&mut self, text: &str, asked: &mut Vec<Asked>) {
        self.go(asked);
        if self.draft.insert(text) {
            self.stale.prompt = true;
        } else {
            self.warn(&format!("One message has at most {BODY_BYTES} bytes"));
        }
    }

    /// A text from the clipboard is one message, to be looked at before it is sent.
    fn pasted(&mut self, text: &str, cut: bool, asked: &mut Vec<Asked>) {
        let text = nacre_chat::text::clean(text.as_bytes());
        let lines = text.lines().count();
        if cut || lines > BODY_LINES || text.len() > BODY_BYTES {
            let (sign, bytes) = (if cut { "more than " } else { "" }, text.len());
            return self.warn(&format!(
                "Not taken: {sign}{lines} lines, {bytes} bytes; at most {BODY_LINES} lines, {BODY_BYTES} bytes"
            ));
        }
        self.insert(&text, asked);
        if lines > 1 && self.hint.is_none() {
            self.tell(&format!("{lines} lines pasted: Enter sends them as one message, Ctrl-C drops them"));
        }
    }

    fn choose_next(&mut self, back: bool) {
        self.menu.step(&mut self.draft, back);
        self.stale.prompt = true;
        self.stale.bars = true;
    }

    /// What is typed goes to where one looks: says so to the engine before the first character.
    fn go(&mut self, asked: &mut Vec<Asked>) {
        let Some(pane) = self.panes.current() else { return };
        let Some(place) = &pane.place else { return };
        if self.at.as_ref() == Some(place) || self.going.as_ref() == Some(place) || pane.label.is_empty() {
            return;
        }
        asked.push(Asked::Typed(format!("/go {}", pane.label).into_bytes()));
        self.going = Some(place.clone());
    }

    fn enter(&mut self, sure: bool, asked: &mut Vec<Asked>) {
        let text = self.draft.text().to_owned();
        let lines = text.lines().count();
        if text.trim().is_empty() {
            return;
        }
        if lines > BODY_LINES {
            return self.warn(&format!("{lines} lines; one message has at most {BODY_LINES}"));
        }
        if lines > SURE_LINES && !sure {
            self.sure = true;
            return self.warn(&format!("{lines} lines: Enter once more sends them as one message"));
        }
        let Some(text) = self.addressed(&text) else {
            return self.warn("What you type does not go here yet: Enter once more");
        };
        asked.push(Asked::Typed(text.into_bytes()));
        self.history.add(self.draft.text());
        self.draft.set("");
        self.stale.prompt = true;
        if let Some(pane) = self.panes.current_mut() {
            pane.follow();
        }
        self.stale.all();
    }

    /// The text so that it reaches the pane one looks at, wherever the engine believes one to be; none for a command
    /// that could reach another one.
    fn addressed(&self, text: &str) -> Option<String> {
        let pane = self.panes.current()?;
        let said = match text.strip_prefix('/') {
            _ if pane.place.is_none() || self.at == pane.place => return Some(text.to_owned()),
            None => text,
            Some(rest) if rest.starts_with('/') => rest,
            // The engine takes what is typed in its order, and to a room one is in there is always a way.
            Some(_) => {
                let certain = matches!(pane.place, Some(Place::Room(_))) || is_the_same_everywhere(text);
                return certain.then(|| text.to_owned());
            }
        };
        (!pane.label.is_empty()).then(|| format!("/pm {} {said}", pane.label))
    }

    /// Looks at another pane; what is in it is read.
    fn look_at(&mut self, number: Option<usize>, asked: &mut Vec<Asked>) {
        let Some(number) = number else { return };
        if !self.panes.look_at(number) {
            return;
        }
        self.stale.all();
        let Some(pane) = self.panes.current() else { return };
        let last = pane.lines().filter(|said| !said.found).map(|said| said.line.id).next();
        if let (Some(place @ Place::Room(_)), Some(line)) = (&pane.place, last) {
            asked.push(Asked::Read { place: place.clone(), line });
        }
        if !self.draft.text().is_empty() {
            self.go(asked);
        }
    }

    /// A screen back or on.
    fn scroll(&mut self, back: bool) {
        let layout = self.layout();
        let (width, look) = (layout.text_width, self.look);
        let rows = |item: &super::item::Item| super::shared::rows(item, width, &look);
        let height = usize::from(layout.height);
        let Some(pane) = self.panes.current_mut() else { return };
        let by = height.saturating_sub(1).max(1);
        if back {
            pane.scroll_back(by, height, &rows);
        } else {
            pane.scroll_on(by, &rows);
        }
        self.stale.all();
    }
}

/// Whether a command means the same in every room, or nothing at all.
fn is_the_same_everywhere(text: &str) -> bool {
    let Ok(command) = parse(text) else { return true };
    matches!(
        command,
        Command::Direct { .. }
            | Command::Query(_)
            | Command::Go(_)
            | Command::Join { .. }
            | Command::List
            | Command::Quit(_)
            | Command::Help(_)
            | Command::Rooms
            | Command::Whois(_)
            | Command::Nick(_)
            | Command::Away(_)
            | Command::Ignore(_)
            | Command::Unignore(_)
            | Command::Key(_)
            | Command::Bell(_)
            | Command::Theme(_)
            | Command::Zone(_)
            | Command::Times(_)
            | Command::EmojiAsText(_)
            | Command::Plain
            | Command::Clear
    )
}
