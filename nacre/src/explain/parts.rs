//! What each part of a command line of `ssh` means.

use super::message::{detail, text};
use crate::cli::destination::Destination;
use crate::cli::ssh::words_of;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// Flags that our own help says nothing about.
const MORE: &[(&str, &str)] = &[
    ("-A", "let programs on the other machine use the agent on this one"),
    ("-a", "let no program there use the agent"),
    ("-B", "connect from this network interface"),
    ("-C", "compress everything"),
    ("-D", "a SOCKS server here, whose connections are made from there"),
    ("-g", "let other machines use the ports forwarded from here"),
    ("-I", "the library of a key's token"),
    ("-J", "reach it through this machine"),
    ("-K", "log in with Kerberos, and take its tickets along"),
    ("-k", "take no tickets of Kerberos along"),
    ("-L", "a port here, whose connections are made from there"),
    ("-M", "share this connection with later calls"),
    ("-O", "say this to the connection that is shared"),
    ("-P", "a tag for the configuration file"),
    ("-R", "a port there, whose connections are made from here"),
    ("-S", "the socket of the connection that is shared"),
    ("-W", "join standard input and output to this host and port, seen from there"),
    ("-w", "a tunnel between network devices"),
    ("-X", "show windows of programs there on the screen here"),
    ("-x", "show no windows from there"),
    ("-Y", "show windows from there, and trust their programs"),
    ("-y", "complain to the system's log"),
];

/// The parts in their order: flags, destination, command. `words` begins with the program.
pub fn parts(words: &[OsString]) -> Vec<(String, String)> {
    let shown = |word: &OsStr| text(word.as_bytes());
    let mut words = words.iter();
    let program = words.next().map(|word| shown(word)).unwrap_or_default();
    let mut parts = vec![detail(&program, "the client: a secure shell on another machine")];
    let (read, help) = words_of(words.cloned());
    for option in &read.options {
        let more = || MORE.iter().find(|(flag, _)| *flag == option.flag).map(|(_, meaning)| (*meaning).to_owned());
        let meaning = help(&option.flag).or_else(more).unwrap_or_else(|| "a flag that is not known here".to_owned());
        let value = option.value.as_deref().map(|value| format!(" {}", shown(value))).unwrap_or_default();
        parts.push((format!("{}{value}", text(option.flag.as_bytes())), meaning));
    }
    let mut operands = read.operands.iter();
    if let Some(word) = operands.next() {
        parts.push((shown(word), destination(&shown(word))));
    }
    let command: Vec<String> = operands.map(|word| shown(word)).collect();
    if !command.is_empty() {
        parts.push((command.join(" "), "what runs there, in place of a shell".to_owned()));
    }
    parts
}

fn destination(word: &str) -> String {
    let Ok(destination) = Destination::parse(word) else { return "where to".to_owned() };
    let user = destination.user.map_or_else(|| "the same user as here".to_owned(), |user| format!("the user {user}"));
    let port = destination.port.map(|port| format!(" at port {port}")).unwrap_or_default();
    format!("where to: {user} on the machine {}{port}", destination.host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_command_has_a_meaning() {
        let words = ["ssh", "-i", "key.pem", "-tJ", "gate", "ann@example.com", "-p2222", "ls", "-l"];
        let parts = parts(&words.map(OsString::from));
        let labels: Vec<&str> = parts.iter().map(|(label, _)| label.as_str()).collect();
        assert_eq!(labels, ["ssh", "-i key.pem", "-t", "-J gate", "-p 2222", "ann@example.com", "ls -l"]);
        for (label, meaning) in &parts {
            assert!(!meaning.is_empty() && !meaning.contains("not known"), "{label}: {meaning}");
        }
        assert!(parts.iter().any(|(_, meaning)| meaning.contains("the user ann on the machine example.com")));
    }
}
