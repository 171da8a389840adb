//! What characters look like, UTS #39 §4: the table is made by `build.rs`.

use unicode_normalization::UnicodeNormalization;

include!(concat!(env!("OUT_DIR"), "/look_alikes.rs"));

/// The skeleton of a text: texts that people could take for one another have the same.
pub(crate) fn skeleton(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.nfd() {
        match shape(character) {
            Some(shape) => out.push_str(shape),
            None => out.push(character),
        }
    }
    out.nfd().collect()
}

/// What stands for a character, if something does.
fn shape(character: char) -> Option<&'static str> {
    let place = CHARACTERS.binary_search(&character).ok()?;
    let start = place.checked_sub(1).and_then(|before| ENDS.get(before)).copied().unwrap_or(0);
    SHAPES.get(usize::from(start)..usize::from(*ENDS.get(place)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use unicode_security::confusable_detection;

    #[test]
    fn every_character_has_the_skeleton_that_unicode_gives_it() {
        for character in '\0'..=char::MAX {
            let text = character.to_string();
            let theirs: String = confusable_detection::skeleton(&text).collect();
            assert_eq!(skeleton(&text), theirs, "{character:?}");
        }
    }

    proptest! {
        #[test]
        fn texts_too(text in "\\PC{0,20}") {
            let theirs: String = confusable_detection::skeleton(&text).collect();
            prop_assert_eq!(skeleton(&text), theirs);
        }
    }
}
