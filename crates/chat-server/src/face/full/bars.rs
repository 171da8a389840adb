//! The bar above the lines (where one is) and the one below (who one is, what else is new).

use super::menu::Menu;
use super::pane::Pane;
use super::panes::Panes;
use super::shape::once_more;
use super::side::name;
use super::theme::Look;
use nacre_chat::Place;
use ratatui::text::{Line, Span};

/// Above: the banner when other nodes cannot be reached, the place and what it is about.
pub(super) fn title(pane: Option<&Pane>, linked: bool, look: &Look) -> Line<'static> {
    let theme = look.theme();
    let mut spans = Vec::new();
    if !linked {
        spans.push(Span::styled(" not connected to other nodes ", theme.alarm));
    }
    if let Some(pane) = pane {
        let before = if matches!(pane.place, Some(Place::Direct(_))) { " in private with" } else { "" };
        spans.push(Span::raw(format!("{before} {}", name(pane, look))));
        if !pane.topic.is_empty() {
            spans.push(Span::raw(format!(" — {}", once_more(&pane.topic, look))));
        }
    }
    Line::from(spans).style(theme.bar)
}

/// What the bar below tells beside what there is to choose from.
pub(super) struct Status<'a> {
    /// One's nick.
    pub nick: &'a str,
    /// Whether one is away.
    pub away: bool,
    /// Something to say just now, and whether it is a warning.
    pub hint: Option<(&'a str, bool)>,
    /// Whether there is no room for the lists beside the lines.
    pub narrow: bool,
}

/// Below.
pub(super) fn status(status: &Status<'_>, menu: &Menu, panes: &Panes, look: &Look) -> Line<'static> {
    let theme = look.theme();
    if menu.is_open() {
        return choices(menu, look);
    }
    if let Some((hint, alarm)) = status.hint {
        let style = if alarm { theme.alarm } else { theme.bar };
        return Line::from(Span::styled(format!(" {}", once_more(hint, look)), style)).style(theme.bar);
    }
    let away = if status.away { " (away)" } else { "" };
    let mut spans = vec![Span::raw(format!(" {}{away}", once_more(status.nick, look)))];
    if panes.current().is_some_and(Pane::is_scrolled) {
        spans.push(Span::raw(" | newer lines below: PgDn"));
    }
    for (number, pane) in panes.all().iter().enumerate().filter(|(_, pane)| status.narrow && pane.unread > 0) {
        let sign = if pane.called { "!" } else { "" };
        spans.push(Span::styled(format!(" | {}:{} {}{sign}", number + 1, name(pane, look), pane.unread), theme.unread));
    }
    Line::from(spans).style(theme.bar)
}

/// The words to choose from, beginning so that the chosen one is seen.
fn choices(menu: &Menu, look: &Look) -> Line<'static> {
    let theme = look.theme();
    let (words, chosen) = menu.words();
    let skipped = chosen.unwrap_or(0).saturating_sub(2);
    let word = |(number, word): (usize, &String)| {
        let text = format!(" {} ", once_more(word, look));
        if Some(number) == chosen { Span::styled(text, theme.here) } else { Span::raw(text) }
    };
    let spans: Vec<Span<'static>> = words.iter().enumerate().skip(skipped).map(word).collect();
    Line::from(spans).style(theme.bar)
}
