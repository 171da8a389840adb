//! Why each algorithm won.

use super::message::detail;
use nacre_proto::Negotiated;
use nacre_proto::negotiate_names::Category;
use nacre_wire::NameList;
use nacre_wire::Role;
use nacre_wire::message::KexInit;

/// The lists of a KEXINIT.
#[derive(Debug, Clone, Default)]
pub struct Offer(Vec<(Category, Vec<String>)>);

impl Offer {
    /// The lists of this message.
    pub fn of(message: &KexInit<'_>) -> Self {
        let names = |list: NameList<'_>| list.iter().map(str::to_owned).collect();
        Self(Category::ALL.iter().map(|category| (*category, names(category.list(message)))).collect())
    }

    fn of_category(&self, category: Category) -> &[String] {
        self.0.iter().find(|(known, _)| *known == category).map_or(&[], |(_, list)| list)
    }

    /// The lists by what they are for.
    pub fn details(&self) -> Vec<(String, String)> {
        self.0.iter().map(|(category, list)| detail(category.title(), list.join(", "))).collect()
    }
}

/// What both ends offer.
#[derive(Debug, Clone, Default)]
pub struct Offers {
    client: Offer,
    server: Offer,
}

impl Offers {
    /// Keeps an end's offer.
    pub fn keep(&mut self, by: Role, offer: Offer) {
        match by {
            Role::Client => self.client = offer,
            Role::Server => self.server = offer,
        }
    }

    /// The winner of each list, and why.
    pub fn winners(&self, algorithms: &Negotiated, strict: bool) -> Vec<(String, String)> {
        let mut details: Vec<_> = Category::ALL.iter().map(|category| self.winner(*category, algorithms)).collect();
        let guard = if strict { "yes, both ask for it: no packet can be slipped in" } else { "no" };
        details.push(detail("strict key exchange", guard));
        details.push(detail("post-quantum", self.quantum(algorithms)));
        details
    }

    fn winner(&self, category: Category, algorithms: &Negotiated) -> (String, String) {
        let (client, server) = (self.client.of_category(category), self.server.of_category(category));
        let value = match category.winner(algorithms) {
            Some(winner) => format!("{winner}: {}", why(winner, client, server)),
            None => match category {
                Category::MacClientToServer | Category::MacServerToClient => {
                    "none of the list: the cipher proves by itself that nothing was changed".to_owned()
                }
                _ => format!("none: {}", why("none", client, server)),
            },
        };
        detail(category.title(), value)
    }

    fn quantum(&self, algorithms: &Negotiated) -> &'static str {
        if algorithms.kex.is_post_quantum() {
            return "yes: recorded traffic stays secret even from a future quantum computer";
        }
        let hybrid = |list: &[String]| list.iter().any(|name| name.starts_with("mlkem") || name.starts_with("sntrup"));
        match (hybrid(self.client.of_category(Category::Kex)), hybrid(self.server.of_category(Category::Kex))) {
            (false, _) => "no: this client was told not to offer any such method",
            (true, false) => "no: the server offers no such method",
            (true, true) => "no: the two have no such method in common",
        }
    }
}

/// Why this name won (RFC 4253 §7.1).
fn why(winner: &str, client: &[String], server: &[String]) -> String {
    let before: Vec<&str> = client.iter().map(String::as_str).take_while(|name| *name != winner).collect();
    let passed: Vec<&str> = before.into_iter().filter(|name| !server.iter().any(|s| s == name)).collect();
    match passed.as_slice() {
        [] => "the client's first choice, and the server has it".to_owned(),
        names => format!("the server has none of {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_names_what_was_passed_over() {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            why("a", &list(&["a", "b"]), &list(&["b", "a"])),
            "the client's first choice, and the server has it"
        );
        assert_eq!(why("c", &list(&["a", "b", "c"]), &list(&["c"])), "the server has none of a, b");
    }
}
