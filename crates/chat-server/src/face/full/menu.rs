//! Completion: what the text before the cursor may become.

use super::super::draft::Draft;
use nacre_chat::command::Completion;

/// What was asked, and what may be chosen.
#[derive(Debug, Default)]
pub(super) struct Menu {
    /// The text before the cursor when it was asked.
    asked: Option<String>,
    /// Where the word begins that is replaced.
    from: usize,
    words: Vec<String>,
    /// The one that stands in the draft.
    chosen: Option<usize>,
}

impl Menu {
    /// Whether there is something to choose from.
    pub fn is_open(&self) -> bool {
        !self.words.is_empty()
    }

    /// What there is to choose from, and which one is chosen.
    pub fn words(&self) -> (&[String], Option<usize>) {
        (&self.words, self.chosen)
    }

    /// Another key was pressed: no longer.
    pub fn close(&mut self) {
        *self = Self::default();
    }

    /// The completion key: true if something is to be asked.
    pub fn ask(&mut self, draft: &Draft) -> bool {
        self.close();
        self.asked = Some(draft.before().to_owned());
        true
    }

    /// The next one, or the one before.
    pub fn step(&mut self, draft: &mut Draft, back: bool) {
        let count = self.words.len().max(1);
        let at = match (self.chosen, back) {
            (None, false) => 0,
            (None, true) => count - 1,
            (Some(at), false) => (at + 1) % count,
            (Some(at), true) => (at + count - 1) % count,
        };
        if let Some(word) = self.words.get(at) {
            draft.replace_from(self.from, word);
            self.chosen = Some(at);
        }
    }

    /// The answer came: what is sure goes into the draft, and the rest is there to choose.
    pub fn answered(&mut self, draft: &mut Draft, completion: &Completion) {
        if self.asked.take().is_none_or(|asked| asked != draft.before()) {
            return;
        }
        if let [word] = completion.words.as_slice() {
            return draft.replace_from(completion.from, word);
        }
        let sure = common(&completion.words);
        let typed = draft.before().get(completion.from..).unwrap_or_default();
        if sure.len() > typed.len() {
            draft.replace_from(completion.from, &sure);
        }
        self.from = completion.from;
        self.words.clone_from(&completion.words);
    }
}

/// What all words begin with.
fn common(words: &[String]) -> String {
    let Some((first, others)) = words.split_first() else { return String::new() };
    let same = |other: &String| first.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    let length = others.iter().map(same).min().unwrap_or(0);
    first.chars().take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completion(from: usize, words: &[&str]) -> Completion {
        Completion { from, words: words.iter().map(|word| (*word).to_owned()).collect() }
    }

    #[test]
    fn what_is_sure_is_put_in_and_the_rest_is_chosen() {
        let (mut menu, mut draft) = (Menu::default(), Draft::default());
        draft.set("/pm al");
        assert!(menu.ask(&draft));
        menu.answered(&mut draft, &completion(4, &["alice ", "alina "]));
        assert_eq!(draft.text(), "/pm ali");
        for expected in ["/pm alice ", "/pm alina ", "/pm alice "] {
            menu.step(&mut draft, false);
            assert_eq!(draft.text(), expected);
        }
        menu.step(&mut draft, true);
        assert_eq!(draft.text(), "/pm alina ");
    }

    #[test]
    fn an_answer_that_comes_too_late_changes_nothing() {
        let (mut menu, mut draft) = (Menu::default(), Draft::default());
        draft.set("b");
        menu.ask(&draft);
        draft.set("be");
        menu.answered(&mut draft, &completion(0, &["Bob: "]));
        assert_eq!(draft.text(), "be");
        assert!(!menu.is_open());
        menu.answered(&mut draft, &completion(0, &["Bob: "]));
        assert_eq!(draft.text(), "be", "nobody asked");
    }
}
