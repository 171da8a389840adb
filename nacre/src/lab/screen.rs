//! The terminal: lines, prompts, and what was typed behind them.

use crate::failure::Failure;
use crate::output;
use std::io::IsTerminal;

/// Standard output.
pub struct Screen {
    /// Typed lines are shown by the terminal itself.
    shown_by_terminal: bool,
    prompt_open: bool,
}

impl Screen {
    /// A screen on which nothing is.
    pub fn new() -> Self {
        Self { shown_by_terminal: std::io::stdin().is_terminal(), prompt_open: false }
    }

    /// Whether a person types.
    pub const fn has_person(&self) -> bool {
        self.shown_by_terminal
    }

    /// Lines, below a prompt that stands open.
    pub fn print(&mut self, lines: &str) -> Result<(), Failure> {
        let before = if std::mem::take(&mut self.prompt_open) { "\n" } else { "" };
        output::print(&format!("{before}{lines}\n"))
    }

    /// A prompt.
    pub fn prompt(&mut self, text: &str) -> Result<(), Failure> {
        let before = if self.prompt_open { "\n" } else { "" };
        self.prompt_open = true;
        output::print(&format!("{before}{text}"))
    }

    /// What was typed behind the prompt: shown where no terminal does it, so that a saved run reads like a live one.
    pub fn typed(&mut self, line: Option<&str>) -> Result<(), Failure> {
        if !std::mem::take(&mut self.prompt_open) || (self.shown_by_terminal && line.is_some()) {
            return Ok(());
        }
        output::print(&format!("{}\n", line.unwrap_or_default()))
    }
}
