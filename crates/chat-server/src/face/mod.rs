//! What a person or a program sees of the chat, and how it is typed into.
//!
//! A face does no I/O and knows no clock: bytes in, what is asked for out; events in, bytes out
//! when there is a reader for them.

mod draft;
mod emoji;
mod full;
pub(crate) mod json;
pub mod keys;
mod lines;
mod printer;
mod typing;
mod width;

pub use full::Full;
pub use json::Json;
pub use lines::Lines;
pub use typing::Typing;

use nacre_chat::command::{Command, Completion};
use nacre_chat::{Event, LineId, Place, Time};

/// A terminal's size, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// From left to right.
    pub columns: u16,
    /// From top to bottom.
    pub rows: u16,
}

/// What a face asks for in the name of whoever types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A line was entered, a command or something to say. A paste is one.
    Typed(Vec<u8>),
    /// A command that was not spelled out.
    Command(Command),
    /// What may the text before the cursor become? [`Face::completed`] brings the answer.
    Complete(String),
    /// Somebody read so far.
    Read {
        /// Where.
        place: Place,
        /// The last line seen.
        line: LineId,
    },
    /// The end: nothing more will be typed.
    End,
}

/// One of the three faces of a session.
pub trait Face: Send {
    /// Bytes were typed; appends what that asks for.
    fn typed(&mut self, now: Time, bytes: &[u8], asked: &mut Vec<Asked>);

    /// Something is to be shown. `ring`: with the bell.
    fn show(&mut self, now: Time, event: &Event, ring: bool);

    /// The answer to [`Asked::Complete`], if it still fits.
    fn completed(&mut self, _completion: &Completion) {}

    /// The terminal has another size.
    fn resize(&mut self, _size: Size) {}

    /// Appends the bytes that bring the other end up to date. Called when what was drawn before
    /// has left, so a slow reader makes a face draw less often and not more.
    fn draw(&mut self, now: Time, out: &mut Vec<u8>);

    /// When [`Face::draw`] wants to be called again although nothing happens: a paste that may be over, a clock on
    /// the screen.
    fn next_draw(&self) -> Option<Time> {
        None
    }

    /// What another face must be shown first to go on instead of this one; none if none is to.
    fn known(&self) -> Option<Vec<Event>> {
        None
    }

    /// Appends what leaves the terminal as it was found.
    fn leave(&mut self, _out: &mut Vec<u8>) {}
}
