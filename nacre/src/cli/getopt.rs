//! Reading a command line as getopt(3) does, before clap sees it.
//!
//! OpenSSH's programs are called by other programs that lean on every corner of getopt: flags
//! in one word (`-tt`, `-4Nf`), values in the same word (`-p22`, `-oFoo=bar`), values that begin
//! with a dash, and for `ssh` a first operand after which options go on. clap reads most of that
//! but not all (`-C=x` loses its `=`, options never end at the command's first word), so the
//! words are first put into a form that can be read in one way only. Which letters exist and
//! which of them take a value still comes from the clap table alone.

use clap::{ArgAction, Command};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// One option of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opt {
    /// The flag with its dashes: `-p`, `--why`.
    pub flag: String,
    /// Its value, if the table says it takes one and the line had one.
    pub value: Option<OsString>,
}

/// A command line taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    /// The options in the order they stand in.
    pub options: Vec<Opt>,
    /// What is not an option: for `ssh` the destination and the words of the command.
    pub operands: Vec<OsString>,
    /// How many of `options` stand before the first operand.
    pub before_operand: usize,
    /// The flag at the end of the line whose value is not there.
    pub missing_value: Option<String>,
}

/// Which options a command has, read from its clap table.
#[derive(Debug)]
pub struct Spec {
    short: BTreeMap<u8, bool>,
    long: BTreeMap<String, bool>,
    operands: Operands,
}

/// What a command takes beside options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operands {
    /// Options may stand anywhere.
    Anywhere,
    /// Behind all options only, as POSIX has it: a file whose name begins with a dash, further on, is no option.
    Last,
    /// As `ssh`: one operand, then perhaps more options, and from the second operand on every
    /// word belongs to the remote command.
    ThenCommand,
}

impl Spec {
    /// Reads the letters and long names from `command`.
    pub fn of(command: &Command, operands: Operands) -> Self {
        let mut spec = Self { short: BTreeMap::new(), long: BTreeMap::new(), operands };
        for arg in command.get_arguments() {
            let takes_value = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
            if let Some(letter) = arg.get_short().and_then(|c| u8::try_from(c).ok()) {
                spec.short.insert(letter, takes_value);
            }
            for name in arg.get_long().into_iter().chain(arg.get_all_aliases().into_iter().flatten()) {
                spec.long.insert(name.to_owned(), takes_value);
            }
        }
        spec
    }

    /// Takes `words` (without the program's name) apart. Nothing is refused here: an unknown
    /// flag, or one that lacks its value, is passed on for clap to name.
    pub fn scan(&self, words: impl IntoIterator<Item = OsString>) -> Words {
        let mut out = Words::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let bytes = word.as_bytes();
            if bytes == b"--" {
                out.operand_seen();
                out.operands.extend(words);
                break;
            } else if let Some(long) = bytes.strip_prefix(b"--") {
                self.long(long, &mut words, &mut out);
            } else if bytes.len() > 1 && bytes.first() == Some(&b'-') {
                self.cluster(bytes.get(1..).unwrap_or_default(), &mut words, &mut out);
            } else {
                out.operand_seen();
                out.operands.push(word);
                let ends = match self.operands {
                    Operands::Anywhere => false,
                    Operands::Last => true,
                    Operands::ThenCommand => out.operands.len() > 1,
                };
                if ends {
                    out.operands.extend(words);
                    break;
                }
            }
        }
        if out.operands.is_empty() {
            out.before_operand = out.options.len();
        }
        out
    }

    fn long(&self, name: &[u8], rest: &mut impl Iterator<Item = OsString>, out: &mut Words) {
        let mut parts = name.splitn(2, |b| *b == b'=');
        let name = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
        let joined = parts.next().map(|value| OsStr::from_bytes(value).to_owned());
        let flag = format!("--{name}");
        match (self.long.get(&name), joined) {
            (Some(true), joined) => out.push_value(flag, joined.or_else(|| rest.next())),
            (_, None) => out.options.push(Opt { flag, value: None }),
            (_, Some(value)) => {
                // No such flag, or none that takes a value: clap says which.
                out.options.push(Opt { flag: format!("{flag}={}", value.display()), value: None });
            }
        }
    }

    fn cluster(&self, letters: &[u8], rest: &mut impl Iterator<Item = OsString>, out: &mut Words) {
        let mut letters = letters;
        while let Some((letter, tail)) = letters.split_first() {
            let flag = if letter.is_ascii() {
                format!("-{}", char::from(*letter))
            } else {
                // The rest of the word is one run of text that is no letter of ours.
                let text = String::from_utf8_lossy(letters).into_owned();
                out.options.push(Opt { flag: format!("-{text}"), value: None });
                return;
            };
            if self.short.get(letter).copied().unwrap_or(false) {
                let value = if tail.is_empty() { rest.next() } else { Some(OsString::from_vec(tail.to_vec())) };
                out.push_value(flag, value);
                return;
            }
            out.options.push(Opt { flag, value: None });
            letters = tail;
        }
    }
}

impl Words {
    fn push_value(&mut self, flag: String, value: Option<OsString>) {
        if value.is_none() {
            self.missing_value = Some(flag.clone());
        }
        self.options.push(Opt { flag, value });
    }

    fn operand_seen(&mut self) {
        if self.operands.is_empty() {
            self.before_operand = self.options.len();
        }
    }

    /// The same line in the one form that clap reads without a doubt: every flag and every value
    /// a word of its own, then `--`, then the operands. `name` becomes word 0.
    pub fn to_clap(&self, name: &str) -> Vec<OsString> {
        let mut words = vec![OsString::from(name)];
        for option in &self.options {
            words.push(option.flag.clone().into());
            words.extend(option.value.clone());
        }
        if !self.operands.is_empty() {
            words.push("--".into());
            words.extend(self.operands.iter().cloned());
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Arg;

    fn spec(operands: Operands) -> Spec {
        let flag = |c: char| Arg::new(c.to_string()).short(c).action(ArgAction::Count);
        let value = |c: char| Arg::new(c.to_string()).short(c).action(ArgAction::Append);
        let command = Command::new("x")
            .args(['t', 'v', '4'].map(flag))
            .args(['p', 'o', 'e'].map(value))
            .arg(Arg::new("state").long("state").action(ArgAction::Set))
            .arg(Arg::new("why").long("why").action(ArgAction::SetTrue));
        Spec::of(&command, operands)
    }

    fn read(operands: Operands, line: &[&str]) -> (Vec<String>, Vec<String>, usize) {
        let words = spec(operands).scan(line.iter().map(OsString::from));
        let options = words
            .options
            .iter()
            .map(|o| match &o.value {
                Some(value) => format!("{} {}", o.flag, value.display()),
                None => o.flag.clone(),
            })
            .collect();
        (options, words.operands.iter().map(|o| o.display().to_string()).collect(), words.before_operand)
    }

    #[test]
    fn clusters_and_joined_values_come_apart() {
        let (options, operands, _) =
            read(Operands::ThenCommand, &["-tt4", "-vp22", "-oA=b", "-o", "A b", "-e=", "-p", "-x", "h"]);
        assert_eq!(options, ["-t", "-t", "-4", "-v", "-p 22", "-o A=b", "-o A b", "-e =", "-p -x"]);
        assert_eq!(operands, ["h"]);
    }

    #[test]
    fn options_follow_the_host_but_not_the_command() {
        let (options, operands, before) = read(Operands::ThenCommand, &["-4", "h", "-p", "1", "ls", "-v", "--", "-t"]);
        assert_eq!(options, ["-4", "-p 1"]);
        assert_eq!(operands, ["h", "ls", "-v", "--", "-t"]);
        assert_eq!(before, 1);
    }

    #[test]
    fn two_dashes_end_the_options_wherever_they_stand() {
        assert_eq!(read(Operands::ThenCommand, &["--", "h", "-v"]).1, ["h", "-v"]);
        assert_eq!(read(Operands::ThenCommand, &["h", "--", "-v"]).1, ["h", "-v"]);
        assert_eq!(read(Operands::ThenCommand, &["h", "-4", "--", "a", "--"]).1, ["h", "a", "--"]);
        assert_eq!(read(Operands::ThenCommand, &["-e", "--", "h"]).0, ["-e --"]);
    }

    #[test]
    fn long_options_split_at_the_first_equals_sign() {
        let (options, operands, _) = read(Operands::Anywhere, &["--state=a=b", "x", "--state", "c", "--why", "--nope"]);
        assert_eq!(options, ["--state a=b", "--state c", "--why", "--nope"]);
        assert_eq!(operands, ["x"]);
    }

    #[test]
    fn a_lone_dash_is_an_operand_and_strange_bytes_pass_through() {
        assert_eq!(read(Operands::Anywhere, &["-", "-t"]).1, ["-"]);
        assert_eq!(read(Operands::Anywhere, &["-té4"]).0, ["-t", "-é4"]);
        let short = spec(Operands::Anywhere).scan(["h", "-4p"].map(OsString::from));
        assert_eq!(short.missing_value.as_deref(), Some("-p"));
        assert_eq!(read(Operands::Anywhere, &["--why=1", "--x=y"]).0, ["--why=1", "--x=y"]);
        let raw = OsString::from_vec(vec![b'-', b'o', 0xff]);
        let words = spec(Operands::Anywhere).scan([raw]);
        assert_eq!(words.options.first().and_then(|o| o.value.clone()), Some(OsString::from_vec(vec![0xff])));
    }

    #[test]
    fn what_clap_is_given_has_one_reading() {
        let words = spec(Operands::ThenCommand).scan(["-tp22", "h", "-4", "ls", "-l"].map(OsString::from));
        let line: Vec<_> = words.to_clap("x").iter().map(|w| w.display().to_string()).collect();
        assert_eq!(line, ["x", "-t", "-p", "22", "-4", "--", "h", "ls", "-l"]);
    }
}
