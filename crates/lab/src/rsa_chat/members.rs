//! Who is in the chat, and what is said to whom. Only text goes in and comes out.

use crate::console::ConnectionId;
use std::collections::BTreeMap;

/// The members by connection.
#[derive(Debug, Default)]
pub(super) struct Members(BTreeMap<ConnectionId, String>);

/// What comes of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Lines for members.
    Say(Vec<(ConnectionId, String)>),
    /// The same, and a line for the server's log.
    SayAndLog(Vec<(ConnectionId, String)>, String),
    /// The member leaves.
    Quit,
}

impl Members {
    /// Why a name cannot be had, if so.
    pub(super) fn refusal(&self, name: &str) -> Option<&'static str> {
        if name.is_empty() {
            Some("empty")
        } else if name.chars().count() > super::MAX_NAME {
            Some("too long")
        } else if name.contains(char::is_whitespace) {
            Some("white space")
        } else if self.0.values().any(|other| other == name) {
            Some("taken")
        } else {
            None
        }
    }

    /// A member comes in: what the others hear.
    pub(super) fn join(&mut self, id: ConnectionId, name: &str, hms: &str) -> Vec<(ConnectionId, String)> {
        let said = self.others(id, &format!("[{hms}] [SYSTEM] {name} joined (secure channel)"));
        self.0.insert(id, name.to_owned());
        said
    }

    /// A member goes: the name, and what the others hear.
    pub(super) fn leave(&mut self, id: ConnectionId, hms: &str) -> Option<(String, Vec<(ConnectionId, String)>)> {
        let name = self.0.remove(&id)?;
        let said = self.others(id, &format!("[{hms}] [SYSTEM] {name} left"));
        Some((name, said))
    }

    /// A member says a line.
    pub(super) fn line(&self, id: ConnectionId, line: &str, hms: &str) -> Outcome {
        let Some(name) = self.0.get(&id) else { return Outcome::Say(Vec::new()) };
        if !line.starts_with('/') {
            let log = format!("[{hms}] [ENCRYPTED BROADCAST] {name}: {line}");
            return Outcome::SayAndLog(self.others(id, &format!("[{hms}] {name}: {line}")), log);
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "/quit" => Outcome::Quit,
            "/list" => Outcome::Say(vec![(id, format!("[{hms}] [SYSTEM] Online: {}", self.names()))]),
            "/pm" => self.private(id, name, rest, hms),
            _ => Outcome::Say(vec![(id, format!("[{hms}] [SYSTEM] Unknown command: {word}"))]),
        }
    }

    fn private(&self, id: ConnectionId, name: &str, rest: &str, hms: &str) -> Outcome {
        let (to, text) = rest.split_once(' ').unwrap_or((rest, ""));
        match self.0.iter().find(|(_, name)| *name == to) {
            Some((recipient, _)) => {
                let lines = vec![
                    (*recipient, format!("[{hms}] [PM from {name}] {text}")),
                    (id, format!("[{hms}] [PM to {to}] {text}")),
                ];
                Outcome::SayAndLog(lines, format!("[{hms}] [PM ENCRYPTED] {name} -> {to}"))
            }
            None => Outcome::Say(vec![(id, format!("[{hms}] [SYSTEM] No such user: {to}"))]),
        }
    }

    fn names(&self) -> String {
        let mut names: Vec<&str> = self.0.values().map(String::as_str).collect();
        names.sort_unstable();
        names.join(", ")
    }

    fn others(&self, id: ConnectionId, line: &str) -> Vec<(ConnectionId, String)> {
        self.0.keys().filter(|other| **other != id).map(|other| (*other, line.to_owned())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Members {
        let mut members = Members::default();
        for (id, name) in [(1, "Bob"), (2, "Alice"), (3, "Carol")] {
            members.join(id, name, "t");
        }
        members
    }

    #[test]
    fn lab_names_are_refused_with_a_reason() {
        let members = three();
        for (name, reason) in [
            ("", Some("empty")),
            ("Bob", Some("taken")),
            ("bob", None),
            ("a b", Some("white space")),
            ("a\tb", Some("white space")),
            (&"x".repeat(32), None),
            (&"é".repeat(33), Some("too long")),
        ] {
            assert_eq!(members.refusal(name), reason, "{name}");
        }
    }

    #[test]
    fn lab_lines_reach_whom_they_are_for() {
        let members = three();
        let to_others = vec![(2, "[t] Bob: hello".to_owned()), (3, "[t] Bob: hello".to_owned())];
        let log = "[t] [ENCRYPTED BROADCAST] Bob: hello".to_owned();
        assert_eq!(members.line(1, "hello", "t"), Outcome::SayAndLog(to_others, log));
        let lines = vec![(2, "[t] [PM from Bob] a b".to_owned()), (1, "[t] [PM to Alice] a b".to_owned())];
        let log = "[t] [PM ENCRYPTED] Bob -> Alice".to_owned();
        assert_eq!(members.line(1, "/pm Alice a b", "t"), Outcome::SayAndLog(lines, log));
        for (line, answer) in [
            ("/list", "[t] [SYSTEM] Online: Alice, Bob, Carol"),
            ("/pm Dave hi", "[t] [SYSTEM] No such user: Dave"),
            ("/pm", "[t] [SYSTEM] No such user: "),
            ("/dance now", "[t] [SYSTEM] Unknown command: /dance"),
        ] {
            assert_eq!(members.line(1, line, "t"), Outcome::Say(vec![(1, answer.to_owned())]), "{line}");
        }
        assert_eq!(members.line(1, "/quit", "t"), Outcome::Quit);
        assert_eq!(members.line(9, "who am I", "t"), Outcome::Say(Vec::new()));
    }

    #[test]
    fn lab_others_hear_who_comes_and_goes() {
        let mut members = three();
        let said = members.join(4, "Dave", "t");
        assert_eq!(said.len(), 3);
        assert!(said.iter().all(|(_, line)| line == "[t] [SYSTEM] Dave joined (secure channel)"));
        let (name, said) = members.leave(1, "t").unwrap_or_default();
        assert_eq!((name.as_str(), said.len()), ("Bob", 3));
        assert!(said.iter().all(|(_, line)| line == "[t] [SYSTEM] Bob left"));
        assert_eq!(members.leave(1, "t"), None);
        assert_eq!(members.refusal("Bob"), None);
    }
}
