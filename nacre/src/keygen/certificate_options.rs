//! `-O`: what a certificate allows and demands, in ssh-keygen's words.

use nacre_crypto::NewOption;

/// What a user's certificate allows unless something is taken away.
const USUAL: [&str; 5] =
    ["permit-X11-forwarding", "permit-agent-forwarding", "permit-port-forwarding", "permit-pty", "permit-user-rc"];

/// The words that take away, and what.
const TAKING: [(&str, &str); 5] = [
    ("no-x11-forwarding", "permit-X11-forwarding"),
    ("no-agent-forwarding", "permit-agent-forwarding"),
    ("no-port-forwarding", "permit-port-forwarding"),
    ("no-pty", "permit-pty"),
    ("no-user-rc", "permit-user-rc"),
];

/// The options of a certificate.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) critical: Vec<NewOption>,
    pub(super) extensions: Vec<NewOption>,
}

impl Options {
    /// Reads the words of `-O` in their order. What a user may do is allowed to begin with.
    pub(super) fn read(host: bool, words: &[String]) -> Result<Self, String> {
        let mut options = Self::default();
        if !host {
            options.extensions.extend(USUAL.map(|name| new(name, None)));
        }
        for word in words {
            options.apply(word).map_err(|why| format!("-O {}: {why}", super::shown(word)))?;
        }
        Ok(options)
    }

    fn apply(&mut self, word: &str) -> Result<(), &'static str> {
        let lower = word.to_ascii_lowercase();
        if lower == "clear" {
            self.extensions.retain(|option| !USUAL.contains(&option.name.as_str()));
            return Ok(());
        }
        if let Some((_, name)) = TAKING.iter().find(|(word, _)| *word == lower) {
            self.extensions.retain(|option| option.name != *name);
            return Ok(());
        }
        if let Some(name) = USUAL.iter().chain(&["no-touch-required"]).find(|name| name.eq_ignore_ascii_case(word)) {
            self.extensions.retain(|option| option.name != *name);
            self.extensions.push(new(name, None));
            return Ok(());
        }
        match (lower.as_str(), word.split_once(['=', ':'])) {
            ("verify-required", _) => add(&mut self.critical, new("verify-required", None)),
            (_, Some((name, value))) if name.eq_ignore_ascii_case("force-command") && word.contains('=') => {
                if value.is_empty() {
                    Err("it needs a command")
                } else {
                    add(&mut self.critical, new("force-command", Some(value)))
                }
            }
            (_, Some((name, value))) if name.eq_ignore_ascii_case("source-address") && word.contains('=') => {
                add(&mut self.critical, new("source-address", Some(value)))
            }
            (_, Some((kind, rest))) if kind.eq_ignore_ascii_case("extension") => add(&mut self.extensions, own(rest)?),
            (_, Some((kind, rest))) if kind.eq_ignore_ascii_case("critical") => add(&mut self.critical, own(rest)?),
            _ => Err("no such certificate option is known"),
        }
    }
}

/// `NAME[=VALUE]` as somebody made it up.
fn own(text: &str) -> Result<NewOption, &'static str> {
    let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
    if name.is_empty() { Err("it needs a name") } else { Ok(new(name, value)) }
}

fn new(name: &str, value: Option<&str>) -> NewOption {
    NewOption { name: name.to_owned(), value: value.map(str::to_owned) }
}

fn add(list: &mut Vec<NewOption>, option: NewOption) -> Result<(), &'static str> {
    if list.iter().any(|known| known.name == option.name) {
        return Err("it was given already");
    }
    list.push(option);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(host: bool, words: &[&str]) -> Result<String, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let show = |list: &[NewOption]| {
            let one =
                |o: &NewOption| format!("{}{}", o.name, o.value.as_ref().map_or(String::new(), |v| format!("={v}")));
            list.iter().map(one).collect::<Vec<_>>().join(" ")
        };
        Options::read(host, &words).map(|o| format!("{}|{}", show(&o.critical), show(&o.extensions)))
    }

    #[test]
    fn words_of_options() {
        let all = USUAL.join(" ");
        assert_eq!(of(false, &[]).unwrap(), format!("|{all}"));
        assert_eq!(of(true, &[]).unwrap(), "|");
        assert_eq!(of(false, &["clear", "permit-PTY"]).unwrap(), "|permit-pty");
        assert_eq!(of(false, &["clear", "no-pty", "extension:a@b=c", "critical:d@e"]).unwrap(), "d@e|a@b=c");
        assert_eq!(
            of(true, &["force-command=a=b:c", "source-address=::1", "verify-required"]).unwrap(),
            "force-command=a=b:c source-address=::1 verify-required|"
        );
        let bad = [
            "",
            "pty",
            "force-command",
            "force-command=",
            "force-command:x",
            "extension:",
            "critical:=x",
            "force-commands=x",
        ];
        for bad in bad {
            assert!(of(false, &[bad]).is_err(), "{bad}");
        }
        for twice in ["force-command=x", "source-address=::1", "verify-required", "extension:a=b"] {
            assert!(of(false, &[twice, twice]).is_err(), "{twice}");
        }
        assert!(of(false, &["permit-pty", "permit-pty"]).is_ok());
    }
}
