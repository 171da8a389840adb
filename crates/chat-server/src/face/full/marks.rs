//! Marks inside a line: `**strong**`, `*stressed*`, `_stressed_` and `` `code` `` are shown as that, with the marks, so that
//! nothing anybody wrote is hidden.

use super::theme::Theme;
use ratatui::style::{Modifier, Style};
use ratatui::text::Span;

/// The longer one of two that begin alike first.
const MARKS: [&str; 4] = ["**", "*", "_", "`"];

/// A text in spans; `style` is that of what has no mark.
pub(super) fn spans(text: &str, style: Style, theme: &Theme) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    let mut open = MARKS.to_vec();
    let (mut rest, mut plain) = (text, 0);
    let mut before = None;
    while let Some(next) = rest.get(plain..).and_then(|left| left.chars().next()) {
        let (head, left) = rest.split_at(plain);
        match marked(before, left, &mut open) {
            Some((mark, length)) => {
                let (inside, left) = left.split_at(length);
                spans.extend([
                    Span::styled(head.to_owned(), style),
                    Span::styled(inside.to_owned(), shown(mark, style, theme)),
                ]);
                (rest, plain, before) = (left, 0, inside.chars().next_back());
            }
            None => (plain, before) = (plain + next.len_utf8(), Some(next)),
        }
    }
    spans.push(Span::styled(rest.to_owned(), style));
    spans.retain(|span| !span.content.is_empty());
    spans
}

/// The mark that a text begins with, and how long it is with what it marks. A mark that has no end in the text is `open` no more.
fn marked(before: Option<char>, text: &str, open: &mut Vec<&'static str>) -> Option<(&'static str, usize)> {
    if before.is_some_and(|c| c.is_alphanumeric() || MARKS.iter().any(|mark| mark.starts_with(c))) {
        return None;
    }
    let mark = *open.iter().find(|mark| text.starts_with(**mark))?;
    let inside = text.get(mark.len()..)?;
    let first = inside.chars().next()?;
    if first.is_whitespace() || mark.starts_with(first) {
        return None;
    }
    match end(inside, mark) {
        Some(end) => Some((mark, 2 * mark.len() + end)),
        None => {
            open.retain(|other| *other != mark);
            None
        }
    }
}

/// Where the mark stands that ends it: behind no space, before no letter, and alone.
fn end(inside: &str, mark: &str) -> Option<usize> {
    let ends = |at: &usize| {
        let (before, after) = (inside.get(..*at), inside.get(*at + mark.len()..));
        let last = before.and_then(|before| before.chars().next_back());
        let next = after.and_then(|after| after.chars().next());
        last.is_some_and(|c| !c.is_whitespace() && !mark.starts_with(c))
            && next.is_none_or(|c| !c.is_alphanumeric() && !mark.starts_with(c))
    };
    inside.match_indices(mark).map(|(at, _)| at).find(ends)
}

fn shown(mark: &str, style: Style, theme: &Theme) -> Style {
    match mark {
        "**" => style.add_modifier(Modifier::BOLD),
        "`" => style.patch(theme.aside),
        _ => style.add_modifier(Modifier::ITALIC),
    }
}

#[cfg(test)]
mod tests {
    use super::super::theme::Skin;
    use super::*;

    /// What is marked, each with the modifier's name.
    fn found(text: &str) -> Vec<String> {
        let spans = spans(text, Style::new(), Skin::Mono.theme());
        assert_eq!(spans.iter().map(|span| &*span.content).collect::<String>(), text);
        let marked = spans.iter().filter(|span| span.style != Style::new());
        marked.map(|span| format!("{} {:?}", span.content, span.style.add_modifier)).collect()
    }

    #[test]
    fn marks_stand_around_words() {
        assert_eq!(found("a **strong** word"), ["**strong** BOLD"]);
        assert_eq!(found("*so* _it_ is"), ["*so* ITALIC", "_it_ ITALIC"]);
        assert_eq!(found("use `a * b`, or (`c`)"), ["`a * b` DIM", "`c` DIM"]);
        assert_eq!(found("**two words** and **é**."), ["**two words** BOLD", "**é** BOLD"]);
        assert_eq!(found("*日本*"), ["*日本* ITALIC"]);
    }

    #[test]
    fn what_is_no_mark_stays_as_it_is() {
        let texts = [
            "2 * 3 * 4",
            "snake_case_name",
            "a*b*c",
            "** no **",
            "*open",
            "``",
            "****",
            "5*",
            "*",
            "",
            "__init__",
            "a ` b",
        ];
        for text in texts {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
    }

    #[test]
    fn many_marks_cost_little() {
        let text = "*a ".repeat(100_000);
        let start = std::time::Instant::now();
        assert!(found(&text).is_empty());
        assert!(start.elapsed() < std::time::Duration::from_secs(60));
    }
}
