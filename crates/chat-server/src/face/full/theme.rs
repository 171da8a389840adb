//! How it looks: shapes of lines and styles. A theme says nothing about the background, which is the terminal's own.

use nacre_chat::Settings;
use ratatui::style::{Color, Modifier, Style};

/// What a line that somebody said is made like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// As the first chat wrote it: `[hh:mm:ss] Bob: text`.
    Classic,
    /// `hh:mm Bob: text`, names in colours, further rows set in.
    Set,
}

/// Which theme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Skin {
    /// The first chat's shapes; no colours but for alarms.
    Classic,
    /// For dark backgrounds.
    Dark,
    /// For light ones.
    Light,
    /// No colours at all.
    Mono,
}

impl Skin {
    /// What `/theme` calls so.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "classic" => Some(Self::Classic),
            "dark" => Some(Self::Dark),
            "light" => Some(Self::Light),
            "mono" => Some(Self::Mono),
            _ => None,
        }
    }

    /// Its styles.
    pub fn theme(self) -> &'static Theme {
        match self {
            Self::Classic => &CLASSIC,
            Self::Dark => &DARK,
            Self::Light => &LIGHT,
            Self::Mono => &MONO,
        }
    }
}

/// All that the look of a line depends on, beside the line and the width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Look {
    /// Of which theme.
    pub skin: Skin,
    /// Whether the terminal is to show colours.
    pub colours: bool,
    /// Minutes east of UTC.
    pub zone: i32,
    /// Whether times are shown.
    pub times: bool,
    /// Whether emoji are written as words.
    pub emoji_as_text: bool,
}

impl Look {
    /// As a person chose. An unknown theme is the first one.
    pub fn chosen(settings: &Settings, colours: bool) -> Self {
        Self {
            skin: Skin::named(&settings.theme).unwrap_or(Skin::Classic),
            colours,
            zone: settings.zone,
            times: settings.times,
            emoji_as_text: settings.emoji_as_text,
        }
    }

    /// The styles.
    pub fn theme(&self) -> &'static Theme {
        self.skin.theme()
    }
}

/// Shapes and styles.
#[derive(Debug)]
pub(super) struct Theme {
    /// Of the lines.
    pub shape: Shape,
    /// Times.
    pub stamp: Style,
    /// What the server says.
    pub system: Style,
    /// What went wrong.
    pub alarm: Style,
    /// One's own line that nobody else may have yet.
    pub pending: Style,
    /// A line with one's own name in it.
    pub mention: Style,
    /// Rules between lines: `— 12 missed —`.
    pub rule: Style,
    /// What a reply answers, and that a line was edited or taken back.
    pub aside: Style,
    /// The bars above and below.
    pub bar: Style,
    /// The lists beside the lines.
    pub side: Style,
    /// Where one is, in a list.
    pub here: Style,
    /// A room with something unread, in a list.
    pub unread: Style,
    /// Somebody who is away, in a list.
    pub away: Style,
    /// Nicks; each person keeps one of them. None where names are not coloured.
    pub nicks: &'static [Color],
}

impl Theme {
    /// The style of somebody's nick.
    pub fn nick(&self, account: u128) -> Style {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let count = u128::try_from(self.nicks.len()).unwrap_or(1).max(1);
        // Ids of one moment differ in the middle and at the end.
        let mixed = (account ^ (account >> 64)) % 1_000_003 % count;
        let color = usize::try_from(mixed).ok().and_then(|at| self.nicks.get(at));
        color.map_or(bold, |color| bold.fg(*color))
    }
}

const PLAIN: Style = Style::new();
const BOLD: Style = PLAIN.add_modifier(Modifier::BOLD);
const DIM: Style = PLAIN.add_modifier(Modifier::DIM);
const BAR: Style = PLAIN.add_modifier(Modifier::REVERSED);

const MONO: Theme = Theme {
    shape: Shape::Set,
    stamp: DIM,
    system: DIM,
    alarm: BOLD,
    pending: DIM,
    mention: BOLD,
    rule: DIM,
    aside: DIM,
    bar: BAR,
    side: PLAIN,
    here: BAR,
    unread: BOLD,
    away: DIM,
    nicks: &[],
};

const CLASSIC: Theme = Theme { shape: Shape::Classic, system: PLAIN, alarm: BOLD.fg(Color::Red), ..MONO };

const DARK: Theme = Theme {
    shape: Shape::Set,
    stamp: PLAIN.fg(Color::Indexed(244)),
    system: PLAIN.fg(Color::Indexed(109)),
    alarm: BOLD.fg(Color::Indexed(203)),
    pending: PLAIN.fg(Color::Indexed(242)),
    mention: BOLD.fg(Color::Indexed(222)),
    rule: PLAIN.fg(Color::Indexed(240)),
    aside: PLAIN.fg(Color::Indexed(246)),
    bar: PLAIN.fg(Color::Indexed(253)).bg(Color::Indexed(237)),
    side: PLAIN.fg(Color::Indexed(250)),
    here: BOLD.fg(Color::Indexed(231)).bg(Color::Indexed(239)),
    unread: BOLD.fg(Color::Indexed(222)),
    away: PLAIN.fg(Color::Indexed(242)),
    nicks: &[
        Color::Indexed(75),
        Color::Indexed(114),
        Color::Indexed(180),
        Color::Indexed(176),
        Color::Indexed(80),
        Color::Indexed(216),
        Color::Indexed(147),
        Color::Indexed(186),
    ],
};

const LIGHT: Theme = Theme {
    shape: Shape::Set,
    stamp: PLAIN.fg(Color::Indexed(243)),
    system: PLAIN.fg(Color::Indexed(24)),
    alarm: BOLD.fg(Color::Indexed(160)),
    pending: PLAIN.fg(Color::Indexed(247)),
    mention: BOLD.fg(Color::Indexed(130)),
    rule: PLAIN.fg(Color::Indexed(248)),
    aside: PLAIN.fg(Color::Indexed(242)),
    bar: PLAIN.fg(Color::Indexed(235)).bg(Color::Indexed(252)),
    side: PLAIN.fg(Color::Indexed(238)),
    here: BOLD.fg(Color::Indexed(16)).bg(Color::Indexed(250)),
    unread: BOLD.fg(Color::Indexed(130)),
    away: PLAIN.fg(Color::Indexed(247)),
    nicks: &[
        Color::Indexed(25),
        Color::Indexed(28),
        Color::Indexed(94),
        Color::Indexed(90),
        Color::Indexed(30),
        Color::Indexed(131),
        Color::Indexed(55),
        Color::Indexed(58),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_theme_that_can_be_chosen_is_there() {
        assert!(nacre_chat::THEMES.iter().all(|name| Skin::named(name).is_some()));
    }
}
