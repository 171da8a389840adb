//! A question that is asked before something happens, and answered by it.

/// A question with three answers to choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// What is asked.
    pub text: &'static str,
    /// What can be answered.
    pub choices: [&'static str; 3],
    /// Which of them is right, from 0.
    pub right: usize,
    /// Why it is.
    pub because: &'static str,
}

/// The letters that the choices are answered by.
const LETTERS: [char; 3] = ['a', 'b', 'c'];

impl Question {
    /// The letters of the choices with their texts.
    pub fn answers(&self) -> impl Iterator<Item = (char, &'static str)> {
        LETTERS.into_iter().zip(self.choices)
    }

    /// The right answer: its letter and its text.
    pub fn answer(&self) -> (char, &'static str) {
        self.answers().nth(self.right).unwrap_or_default()
    }

    /// The letter that somebody typed, if it stands for an answer.
    pub fn letter(typed: &str) -> Option<char> {
        let mut typed = typed.trim().chars();
        let letter = typed.next()?.to_ascii_lowercase();
        (typed.next().is_none() && LETTERS.contains(&letter)).then_some(letter)
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::super::Card;
    use super::*;

    #[test]
    fn every_card_asks_something_that_has_an_answer() {
        for card in Card::ALL {
            let fixed = card.falls.iter().any(|(_, fix)| fix.is_some());
            assert_eq!(card.predict_fix.is_some(), fixed, "{}", card.name);
            for question in std::iter::once(card.predict).chain(card.predict_fix) {
                assert!(question.right < question.choices.len(), "{}", card.name);
                assert!(question.text.contains('?') && !question.because.is_empty(), "{}", card.name);
            }
        }
    }

    #[test]
    fn the_right_answer_has_no_favourite_letter() {
        let mut counts = [0; 3];
        for question in Card::ALL.iter().flat_map(|card| std::iter::once(card.predict).chain(card.predict_fix)) {
            counts[question.right] += 1;
        }
        assert!(counts.iter().all(|count| *count >= 8), "{counts:?}");
    }

    #[test]
    fn letters() {
        assert_eq!(Question::letter(" B\n"), Some('b'));
        for typed in ["", "d", "ab", "1", "\u{e9}"] {
            assert_eq!(Question::letter(typed), None, "{typed:?}");
        }
    }
}
