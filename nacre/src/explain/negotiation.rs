//! Why each algorithm won.

use super::message::detail;
use nacre_proto::Negotiated;
use nacre_proto::negotiate_names::Category;
use nacre_wire::NameList;
use nacre_wire::Role;
use nacre_wire::message::KexInit;
use nacre_wire::names;

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
        self.told(|category| category.winner(algorithms), strict)
    }

    /// Whether both are known.
    pub fn are_both(&self) -> bool {
        !self.client.0.is_empty() && !self.server.0.is_empty()
    }

    /// The same for ends that may know more algorithms than we do.
    pub fn winners_by_name(&self) -> Vec<(String, String)> {
        let kex = |offer: &Offer, name: &str| offer.of_category(Category::Kex).iter().any(|known| known == name);
        let strict = kex(&self.client, names::KEX_STRICT_C) && kex(&self.server, names::KEX_STRICT_S);
        self.told(|category| self.named(category), strict)
    }

    /// The first of the client's that the server has too (RFC 4253 §7.1); none for a MAC beside a cipher that needs none.
    fn named(&self, category: Category) -> Option<&str> {
        let cipher = match category {
            Category::MacClientToServer => self.named(Category::CipherClientToServer),
            Category::MacServerToClient => self.named(Category::CipherServerToClient),
            _ => None,
        };
        if cipher.is_some_and(|cipher| cipher.contains("-gcm@") || cipher.contains("-poly1305@")) {
            return None;
        }
        let server = self.server.of_category(category);
        let common = self.client.of_category(category).iter().find(|name| server.contains(name));
        common.map(String::as_str).filter(|name| *name != names::COMPRESSION_NONE)
    }

    fn told<'a>(&self, winner: impl Fn(Category) -> Option<&'a str>, strict: bool) -> Vec<(String, String)> {
        let told = |category: &Category| self.winner(*category, winner(*category));
        let mut details: Vec<_> = Category::ALL.iter().map(told).collect();
        let guard = if strict { "yes, both ask for it: no packet can be slipped in" } else { "no" };
        details.push(detail("strict key exchange", guard));
        details.push(detail("post-quantum", self.quantum(winner(Category::Kex).unwrap_or_default())));
        details
    }

    fn winner(&self, category: Category, winner: Option<&str>) -> (String, String) {
        let (client, server) = (self.client.of_category(category), self.server.of_category(category));
        let value = match winner {
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

    fn quantum(&self, kex: &str) -> &'static str {
        let is_hybrid = |name: &str| name.starts_with("mlkem") || name.starts_with("sntrup");
        if is_hybrid(kex) {
            return "yes: recorded traffic stays secret even from a future quantum computer";
        }
        let hybrid = |list: &[String]| list.iter().any(|name| is_hybrid(name));
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
