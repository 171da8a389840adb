//! Events as plain lines, for both faces that print them one below the other.

use super::emoji::in_words;
use nacre_chat::render::{View, plain};
use nacre_chat::text::clean_line;
use nacre_chat::{AccountId, Event, Place, Settings};

/// What has to be known of a session to say an event to it.
#[derive(Debug)]
pub(super) struct Printer {
    you: AccountId,
    at: Option<Place>,
    settings: Settings,
}

impl Printer {
    pub(super) fn new() -> Self {
        Self { you: AccountId(0), at: None, settings: Settings::default() }
    }

    /// The event as lines; remembers what later ones need.
    pub(super) fn lines(&mut self, event: &Event) -> Vec<String> {
        match event {
            Event::Welcome { you, settings, .. } => {
                self.you = you.account;
                self.settings = settings.clone();
            }
            Event::Chosen(settings) => self.settings = settings.clone(),
            Event::Focus(place) => self.at = place.clone(),
            _ => {}
        }
        let lines = plain(event, View { you: self.you, at: self.at.as_ref(), settings: &self.settings });
        lines.iter().map(|line| self.once_more(line)).collect()
    }

    /// Clean once more, whatever it came through; set in as it was.
    fn once_more(&self, line: &str) -> String {
        let text = line.trim_start_matches(' ');
        let indent = " ".repeat(line.len() - text.len());
        let clean = clean_line(text.as_bytes(), usize::MAX);
        if self.settings.emoji_as_text { indent + &in_words(&clean) } else { indent + &clean }
    }
}
