//! Beside the lines: the rooms and private talks, and who is in the one looked at. It stands to the left of them, so
//! that nothing is to the right of a text whose width a terminal may see otherwise than we do.

use super::pane::Pane;
use super::panes::Panes;
use super::shape::once_more;
use super::theme::Look;
use ratatui::text::{Line, Span};

/// Rows of the lists, `height` of them; the last of `width` cells is left free.
pub(super) fn rows(panes: &Panes, look: &Look, width: u16, height: usize) -> Vec<Line<'static>> {
    let mut rows = rooms(panes, look, width, (height / 2).max(1));
    rows.push(Line::default());
    if let Some(pane) = panes.current() {
        let room = height.saturating_sub(rows.len());
        rows.extend(people(pane, look, room));
    }
    rows.truncate(height);
    rows.resize(height, Line::default());
    rows
}

/// The panes around the one looked at.
fn rooms(panes: &Panes, look: &Look, width: u16, most: usize) -> Vec<Line<'static>> {
    let top = (panes.view() + 1).saturating_sub(most);
    let shown = panes.all().iter().enumerate().skip(top).take(most);
    shown.map(|(number, pane)| room(number, pane, number == panes.view(), look, width)).collect()
}

fn room(number: usize, pane: &Pane, here: bool, look: &Look, width: u16) -> Line<'static> {
    let theme = look.theme();
    let style = match (here, pane.unread > 0) {
        (true, _) => theme.here,
        (false, true) => theme.unread,
        (false, false) => theme.side,
    };
    let unread = match (pane.unread, pane.called) {
        (0, _) => String::new(),
        (count, false) => format!(" {count}"),
        (count, true) => format!(" {count}!"),
    };
    // A long name gives way to the number of lines.
    let room = usize::from(width).saturating_sub(unread.len() + 4);
    let mut label: String = name(pane, look).chars().take(room).collect();
    label.push_str(&unread);
    Line::from(Span::styled(format!("{:>2} {label}", number + 1), style))
}

/// What a pane is called.
pub(super) fn name(pane: &Pane, look: &Look) -> String {
    match (pane.label.is_empty(), pane.place.is_none()) {
        (_, true) => "chat".to_owned(),
        (true, false) => "private".to_owned(),
        (false, false) => once_more(&pane.label, look),
    }
}

fn people(pane: &Pane, look: &Look, most: usize) -> Vec<Line<'static>> {
    let (theme, members) = (look.theme(), pane.people.members());
    if members.is_empty() || most < 2 {
        return Vec::new();
    }
    let mut rows = vec![Line::from(Span::styled(format!("{} here", members.len()), theme.rule))];
    let shown = if members.len() < most { members.len() } else { most.saturating_sub(2) };
    for member in members.iter().take(shown) {
        let style = if member.away { theme.away } else { theme.side };
        let away = if member.away { " (away)" } else { "" };
        let text = format!("{}{}{away}", char::from(member.sign), once_more(&member.nick, look));
        rows.push(Line::from(Span::styled(text, style)));
    }
    let others = members.len() - shown;
    if others > 0 {
        rows.push(Line::from(Span::styled(format!(" and {others} others"), theme.rule)));
    }
    rows
}
