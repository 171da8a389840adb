//! `--ask`: the story of an attack, with questions before its parts and the answers after them.

use super::tell::paragraph;
use crate::failure::Failure;
use crate::output;
use nacre_lab::attack::Question;
use std::io::BufRead;

/// The longest line that is read as an answer, in bytes.
const LONGEST: u64 = 1024;

/// A part of the story.
#[derive(Debug)]
pub enum Part {
    /// What is told.
    Told(String),
    /// What can be guessed before the next part.
    Ask(Question),
    /// The answer to it.
    Answer(Question),
}

impl Part {
    /// What is told to whoever does not want to be asked.
    pub fn text(&self) -> &str {
        match self {
            Self::Told(text) => text,
            Self::Ask(_) | Self::Answer(_) => "",
        }
    }
}

/// Tells the parts and reads a guess at each question. Input that ends is no guess.
///
/// # Errors
/// Nobody reads.
pub fn tell(parts: &[Part], input: &mut impl BufRead) -> Result<(), Failure> {
    let mut guess = None;
    for part in parts {
        match part {
            Part::Told(text) => output::print(text)?,
            Part::Ask(question) => {
                output::print(&asked(question))?;
                guess = guessed(input)?;
            }
            Part::Answer(question) => output::print(&answered(question, guess.take()))?,
        }
    }
    Ok(())
}

fn asked(question: &Question) -> String {
    let mut out = paragraph("PREDICT", question.text);
    for (letter, text) in question.answers() {
        out += &paragraph("", &format!("{letter}) {text}"));
    }
    out
}

/// The letter that was typed; asks again for as long as something else is.
fn guessed(input: &mut impl BufRead) -> Result<Option<char>, Failure> {
    loop {
        output::print("\nYour guess (a, b or c; Enter for none): ")?;
        let mut line = Vec::new();
        let read = std::io::Read::take(&mut *input, LONGEST).read_until(b'\n', &mut line).unwrap_or(0);
        let line = String::from_utf8_lossy(&line);
        if line.trim().is_empty() {
            // Whoever typed Enter is on a new line already.
            output::print(if read == 0 { "\n\n" } else { "\n" })?;
            return Ok(None);
        }
        if let Some(letter) = Question::letter(&line) {
            output::print("\n")?;
            return Ok(Some(letter));
        }
    }
}

fn answered(question: &Question, guess: Option<char>) -> String {
    let (letter, text) = question.answer();
    let judged = match guess {
        Some(guess) if guess == letter => format!("{letter}, as you said."),
        Some(guess) => format!("not {guess} but {letter}: {text}"),
        None => format!("{letter}: {text}"),
    };
    format!("\n{}", paragraph("ANSWER", &format!("{judged} {}", question.because)))
}
