//! The file: a header, the bytes in order, and what happened.

use super::Outcome;
use nacre_proto::Role;
use nacre_proto::algorithm::{CipherAlgorithm, KexMethod, MacAlgorithm, SignatureAlgorithm};
use std::fmt::Write;

/// Digits of a line.
const WIDTH: usize = 112;

/// How somebody logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// With `keys/user-ed25519`.
    PublicKey,
    /// With the test password.
    Password,
    /// With the test code.
    KeyboardInteractive,
    /// With a key that is not known.
    Refused,
}

/// What our owner does after login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// A server's: whatever it is asked.
    Serve,
    /// A client's: run a command, with this text as its input.
    Run(String, String),
    /// A client's: run a command on a terminal.
    RunOnTerminal(String),
}

/// What a recording was made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The name of the file, without its end.
    pub name: String,
    /// The peer, as its identification line says.
    pub peer: String,
    /// What the peer was told to do, in words.
    pub about: String,
    /// Our role.
    pub role: Role,
    /// The user who is logged in.
    pub user: String,
    /// The seed of our provider.
    pub seed: u64,
    /// The key exchange.
    pub kex: KexMethod,
    /// The host key's algorithm.
    pub host_key: SignatureAlgorithm,
    /// The cipher.
    pub cipher: CipherAlgorithm,
    /// The MAC, also where the cipher needs none.
    pub mac: MacAlgorithm,
    /// How somebody logs in.
    pub login: Login,
    /// What our owner does.
    pub task: Task,
    /// Bytes after which we renew keys.
    pub rekey: Option<u64>,
    /// How it ends.
    pub outcome: Outcome,
}

/// One line of the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A whole packet or identification line of the peer.
    In(Vec<u8>),
    /// All that we said to it.
    Out(Vec<u8>),
}

/// A recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// What it was made with.
    pub header: Header,
    /// The conversation.
    pub entries: Vec<Entry>,
    /// What happened at our side, in order, and sums.
    pub events: Vec<String>,
}

const LOGINS: [(Login, &str); 4] = [
    (Login::PublicKey, "publickey"),
    (Login::Password, "password"),
    (Login::KeyboardInteractive, "keyboard-interactive"),
    (Login::Refused, "refused"),
];

impl Flow {
    /// The file's text.
    pub fn print(&self) -> String {
        let h = &self.header;
        let login = LOGINS.iter().find(|(login, _)| *login == h.login).map_or("", |(_, word)| word);
        let role = if h.role == Role::Client { "client" } else { "server" };
        let mut out = format!(
            "# A recorded SSH connection; vectors/README.md says how to read and renew it.\nname: {}\npeer: {}\nabout: {}\nrole: {role}\nuser: {}\nseed: {}\nkex: {}\nhost-key: {}\ncipher: {}\nmac: {}\nlogin: {login}\n",
            h.name, h.peer, h.about, h.user, h.seed, h.kex, h.host_key, h.cipher, h.mac
        );
        match &h.task {
            Task::Serve => {}
            Task::Run(command, input) => out += &format!("run: {command}\ninput: {input}\n"),
            Task::RunOnTerminal(command) => out += &format!("run-on-terminal: {command}\n"),
        }
        if let Some(bytes) = h.rekey {
            out += &format!("rekey: {bytes}\n");
        }
        out += &format!("outcome: {}\n\n", h.outcome.word());
        for entry in &self.entries {
            let (mark, bytes) = match entry {
                Entry::In(bytes) => ('<', bytes),
                Entry::Out(bytes) => ('>', bytes),
            };
            let hex = hex(bytes);
            for (at, line) in hex.as_bytes().chunks(WIDTH).enumerate() {
                let line = String::from_utf8_lossy(line);
                let _ = writeln!(out, "{} {line}", if at == 0 { mark } else { ' ' });
            }
        }
        out.push('\n');
        for event in &self.events {
            let _ = writeln!(out, "= {event}");
        }
        out
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// The line that cannot be read.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut fields, mut entries, mut events) = (Vec::new(), Vec::new(), Vec::new());
        for line in text.lines() {
            match line.as_bytes() {
                [] | [b'#', ..] => {}
                [b'<', b' ', ..] => entries.push(Entry::In(unhex(&line[2..])?)),
                [b'>', b' ', ..] => entries.push(Entry::Out(unhex(&line[2..])?)),
                [b' ', b' ', ..] => match entries.last_mut() {
                    Some(Entry::In(bytes) | Entry::Out(bytes)) => bytes.extend(unhex(&line[2..])?),
                    None => return Err(format!("nothing goes on here: {line}")),
                },
                [b'=', b' ', ..] => events.push(line[2..].to_owned()),
                _ => fields.push(line.split_once(": ").ok_or_else(|| format!("no field: {line}"))?),
            }
        }
        Ok(Self { header: header(&fields)?, entries, events })
    }
}

fn header(fields: &[(&str, &str)]) -> Result<Header, String> {
    let field = |name: &str| fields.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
    let need = |name: &str| field(name).ok_or_else(|| format!("no field {name}"));
    let unknown = |what: &str| format!("unknown {what}");
    let login = need("login")?;
    let task = match (field("run"), field("run-on-terminal")) {
        (Some(command), _) => Task::Run(command, need("input")?),
        (None, Some(command)) => Task::RunOnTerminal(command),
        (None, None) => Task::Serve,
    };
    Ok(Header {
        name: need("name")?,
        peer: need("peer")?,
        about: need("about")?,
        role: if need("role")? == "client" { Role::Client } else { Role::Server },
        user: need("user")?,
        seed: need("seed")?.parse().map_err(|_| unknown("seed"))?,
        kex: KexMethod::from_name(&need("kex")?).ok_or_else(|| unknown("kex"))?,
        host_key: SignatureAlgorithm::from_name(&need("host-key")?).ok_or_else(|| unknown("host-key"))?,
        cipher: CipherAlgorithm::from_name(&need("cipher")?).ok_or_else(|| unknown("cipher"))?,
        mac: MacAlgorithm::from_name(&need("mac")?).ok_or_else(|| unknown("mac"))?,
        login: LOGINS.iter().find(|(_, word)| *word == login).map(|l| l.0).ok_or_else(|| unknown("login"))?,
        task,
        rekey: field("rekey").map(|n| n.parse().map_err(|_| unknown("rekey"))).transpose()?,
        outcome: Outcome::from_word(&need("outcome")?).ok_or_else(|| unknown("outcome"))?,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Result<Vec<u8>, String> {
    let pair = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|p| u8::from_str_radix(p, 16).ok());
    if !text.len().is_multiple_of(2) {
        return Err(format!("half a byte: {text}"));
    }
    text.as_bytes().chunks(2).map(|p| pair(p).ok_or_else(|| format!("not hex: {text}"))).collect()
}
