//! A19, the control group: what A2, A4 and A7 do to the classroom protocols, done to SSH itself.

mod parties;
mod proxy;

use super::tell::{self, paragraph};
use crate::failure::Failure;
use crate::output;
pub use parties::{Kind, Parties};
use proxy::{Proxy, Trick};
use std::process::ExitCode;

/// What Alice types.
const LINE: &str = "pay Bob 10\n";

/// What came of one attack.
struct Came {
    attack: &'static str,
    what: &'static str,
    /// What Alice's client said.
    said: String,
    code: i32,
    /// What Alice sent, and what went on in its place.
    bytes: Option<(Vec<u8>, Vec<u8>)>,
    /// Bytes that reached the application and are not what Alice typed, once.
    reached: usize,
}

impl Came {
    const fn succeeded(&self) -> bool {
        self.reached > 0 || self.code == 0
    }
}

/// Does it and tells it: 1, because nothing of it succeeds.
///
/// # Errors
/// A program does not start, or does not end.
pub fn run(kind: Kind, as_json: bool) -> Result<ExitCode, Failure> {
    let parties = Parties::new(kind)?;
    let all = [middle(&parties)?, tricked(&parties, Trick::Twice)?, tricked(&parties, Trick::Turn)?];
    output::print(&if as_json { json(kind, &all) } else { story(kind, &all) })?;
    let succeeded = all.iter().any(Came::succeeded);
    Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A2: Mallory answers with a server of her own.
fn middle(parties: &Parties) -> Result<Came, Failure> {
    parties.forget();
    let mallory = parties.serve("mallory")?;
    let proxy = Proxy::start(mallory.port)?;
    let mut client = parties.client(proxy.port)?;
    if client.is_in() {
        client.say(LINE);
    }
    let (code, said) = client.ends()?;
    drop(mallory);
    let reached = parties.application().len();
    let what = "Mallory answers in the server's place, with a host key of her own";
    Ok(Came { attack: "A2", what, said, code, bytes: None, reached })
}

/// A4 and A7: Mallory does something to a packet that she cannot read.
fn tricked(parties: &Parties, trick: Trick) -> Result<Came, Failure> {
    parties.forget();
    let server = parties.serve("server")?;
    let proxy = Proxy::start(server.port)?;
    let mut client = parties.client(proxy.port)?;
    if client.is_in() {
        proxy.arm(trick);
        client.say(LINE);
    }
    let (code, said) = client.ends()?;
    drop(server);
    // What is genuine may have come in, once; everything else is Mallory's.
    let application = parties.application();
    let (attack, what, genuine) = match trick {
        Trick::Twice => ("A4", "Mallory sends one of Alice's packets twice", LINE.as_bytes()),
        Trick::Turn => ("A7", "Mallory turns one bit of one of Alice's packets", b"".as_slice()),
    };
    let reached = application.strip_prefix(genuine).unwrap_or(&application).len();
    Ok(Came { attack, what, said, code, bytes: proxy.done(), reached })
}

const fn names(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Nacre => ("nacre serve", "nacre ssh"),
        Kind::OpenSsh => ("OpenSSH's sshd", "OpenSSH's ssh"),
    }
}

fn story(kind: Kind, all: &[Came]) -> String {
    let (server, client) = names(kind);
    let mut out = format!("A19  the same against SSH, {client} to {server}\n\n");
    out += &paragraph("CLAIM", "SSH holds where the classroom protocols fall.");
    out += &paragraph(
        "IDEA",
        "Alice types a line, which a program at the server writes to a file. Mallory is in between and does what A2, \
         A4 and A7 do. What counts is how many bytes of hers reach that file.",
    );
    for came in all {
        out += &format!("\nRUN       {}: {}\n", came.attack, came.what);
        if let Some((sent, passed)) = &came.bytes {
            out += &tell::bytes("what Alice sent", sent);
            out += &tell::bytes("what went on", passed);
        }
        for line in came.said.lines().filter(|line| !line.trim().is_empty()) {
            out += &format!("  Alice     {line}\n");
        }
        let verdict = match came.succeeded() {
            false => {
                format!("the attack FAILS: Alice's client ends with code {}, 0 bytes reach the application.", came.code)
            }
            true => format!("the attack SUCCEEDS: {} bytes reach the application.", came.reached),
        };
        out += &paragraph("VERDICT", &verdict);
    }
    out += "\n";
    out + &paragraph(
        "IN SSH",
        "The host key signs the exchange, every packet has a number that both ends count, and a MAC that is checked \
         before anything else. That is F1, F2 and F3.",
    )
}

fn json(kind: Kind, all: &[Came]) -> String {
    let runs: Vec<serde_json::Value> = all
        .iter()
        .map(|came| {
            serde_json::json!({
                "attack": came.attack, "what": came.what, "said": came.said, "exit_code": came.code,
                "bytes_reached": came.reached, "succeeded": came.succeeded(), "tricked": came.bytes.is_some(),
            })
        })
        .collect();
    format!(
        "{}\n",
        serde_json::json!({ "attack": "A19", "server": names(kind).0, "client": names(kind).1, "runs": runs })
    )
}
