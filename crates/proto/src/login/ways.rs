//! How far a login has come on the ways that lead in: which methods have succeeded, which may be
//! tried next, and when it is enough (RFC 4252 §5, partial success).
//!
//! The protocol keeps one; as root the monitor, which trusts the protocol with nothing, keeps its own.

/// The ways to log in that are still open, and what has succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ways {
    /// What is still wanted on each way, in order.
    remaining: Vec<Vec<String>>,
    succeeded: Vec<String>,
}

impl Ways {
    /// Nothing has succeeded yet. Each way is a list of methods that must succeed in order.
    pub fn new(ways: Vec<Vec<String>>) -> Self {
        Self { remaining: ways, succeeded: Vec::new() }
    }

    /// The methods that may be tried now, each once: the head of every way.
    pub fn heads(&self) -> Vec<&str> {
        let mut heads: Vec<&str> = Vec::new();
        for head in self.remaining.iter().filter_map(|way| way.first()) {
            if !heads.contains(&head.as_str()) {
                heads.push(head);
            }
        }
        heads
    }

    /// Whether this method may be tried now.
    pub fn wants(&self, method: &str) -> bool {
        self.remaining.iter().any(|way| way.first().is_some_and(|head| head == method))
    }

    /// A method succeeded. True when nothing more is wanted on some way.
    pub fn succeed(&mut self, method: &str) -> bool {
        if !self.wants(method) {
            return false;
        }
        self.succeeded.push(method.to_owned());
        for way in &mut self.remaining {
            if way.first().is_some_and(|head| head == method) {
                way.remove(0);
            }
        }
        self.remaining.iter().any(Vec::is_empty)
    }

    /// What has succeeded, in order.
    pub fn succeeded(&self) -> &[String] {
        &self.succeeded
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ways(text: &str) -> Ways {
        Ways::new(text.split(' ').map(|way| way.split(',').map(str::to_owned).collect()).collect())
    }

    #[test]
    fn a02_a_way_must_be_gone_to_its_end_and_in_its_order() {
        let mut ways = ways("publickey,password publickey,keyboard-interactive password,publickey,publickey");
        assert_eq!(ways.heads(), ["publickey", "password"]);
        assert!(!ways.succeed("keyboard-interactive"), "it is nobody's turn");
        assert!(!ways.succeed("publickey"));
        assert_eq!(ways.heads(), ["password", "keyboard-interactive"]);
        assert!(ways.succeed("keyboard-interactive"));
        assert_eq!(ways.succeeded(), ["publickey", "keyboard-interactive"]);
    }

    #[test]
    fn no_way_leads_nowhere() {
        let mut none = Ways::new(Vec::new());
        assert!(none.heads().is_empty());
        assert!(!none.succeed("password"));
        assert!(none.succeeded().is_empty());
    }
}
