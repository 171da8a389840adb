//! Attacks on SSH as people use it: A19, the control group, which does what A2, A4 and A7 do to the classroom protocols,
//! and A18, which fells SSH as it was before 2024.

mod mallory;
mod parties;
mod proxy;
mod told;

use super::stage::Act;
use crate::failure::Failure;
use crate::lab::failed;
use crate::output;
use mallory::Mallory;
pub use parties::{Kind, Parties};
use proxy::{Proxy, Trick};
use std::process::ExitCode;
use told::{json, story};

/// What Alice types.
const LINE: &str = "pay Bob 10\n";

/// What is done to SSH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A18.
    Terrapin,
    /// A19.
    Control,
}

/// What came of one attack.
struct Came {
    attack: &'static str,
    what: &'static str,
    /// What Alice's client said.
    said: String,
    code: i32,
    /// What Mallory did.
    deeds: Vec<Act>,
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
pub fn run(what: What, kind: Kind, as_json: bool) -> Result<ExitCode, Failure> {
    let parties = Parties::new(kind)?;
    log_in(&parties, what)?;
    let all = match what {
        What::Terrapin => vec![terrapin(&parties)?],
        What::Control => vec![middle(&parties)?, tricked(&parties, Trick::Twice)?, tricked(&parties, Trick::Turn)?],
    };
    output::print(&if as_json { json(what, kind, &all) } else { story(what, kind, &all) })?;
    let succeeded = all.iter().any(Came::succeeded);
    Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Options of Alice's client.
const fn options(what: What) -> &'static [&'static str] {
    match what {
        What::Terrapin => &["Ciphers=chacha20-poly1305@openssh.com"],
        What::Control => &[],
    }
}

/// Alice logs in without Mallory: where she cannot, no attack fails or succeeds.
fn log_in(parties: &Parties, what: What) -> Result<(), Failure> {
    let server = parties.serve("server")?;
    let mut client = parties.client(server.port, options(what))?;
    let is_in = client.is_in();
    client.hang_up();
    let (_, said) = client.ends()?;
    if is_in { Ok(()) } else { Err(cannot_log_in(&said)) }
}

fn cannot_log_in(said: &str) -> Failure {
    failed(format!("the attack cannot be tried, for Alice cannot log in: {}", said.trim()))
}

/// Alice comes through Mallory's hands to a server, and types her line if she gets in. Gives what passed, and how her
/// client ended.
fn through(parties: &Parties, server: &'static str, trick: Option<Trick>) -> Result<(Proxy, i32, String), Failure> {
    parties.forget();
    let server = parties.serve(server)?;
    let proxy = Proxy::start(server.port)?;
    let mut client = parties.client(proxy.port, &[])?;
    let is_in = client.is_in();
    if is_in {
        if let Some(trick) = trick {
            proxy.arm(trick);
        }
        client.say(LINE);
    }
    let (code, said) = client.ends()?;
    if trick.is_some() && !is_in {
        return Err(cannot_log_in(&said));
    }
    Ok((proxy, code, said))
}

/// A2: Mallory answers with a server of her own.
fn middle(parties: &Parties) -> Result<Came, Failure> {
    let (_, code, said) = through(parties, "mallory", None)?;
    let reached = parties.application().len();
    let what = "Mallory answers in the server's place, with a host key of her own";
    Ok(Came { attack: "A2", what, said, code, deeds: Vec::new(), reached })
}

/// A4 and A7: Mallory does something to a packet that she cannot read.
fn tricked(parties: &Parties, trick: Trick) -> Result<Came, Failure> {
    let (proxy, code, said) = through(parties, "server", Some(trick))?;
    let (sent, passed) = proxy.done().ok_or_else(|| failed("the attack was not tried: Alice sent nothing"))?;
    // What is genuine may have come in, once; everything else is Mallory's.
    let application = parties.application();
    let (attack, what, genuine) = match trick {
        Trick::Twice => ("A4", "Mallory sends one of Alice's packets twice", LINE.as_bytes()),
        Trick::Turn => ("A7", "Mallory turns one bit of one of Alice's packets", b"".as_slice()),
    };
    let reached = application.strip_prefix(genuine).unwrap_or(&application).len();
    let deeds = vec![Act::Shows("what Alice sent".to_owned(), sent), Act::Shows("what went on".to_owned(), passed)];
    Ok(Came { attack, what, said, code, deeds, reached })
}

/// A18: Mallory cuts off the beginning of what the server says. It succeeds when Alice's client goes on.
fn terrapin(parties: &Parties) -> Result<Came, Failure> {
    parties.forget();
    let server = parties.serve("server")?;
    let mallory = Mallory::start(server.port, nacre_lab::attack::terrapin())?;
    let mut client = parties.client(mallory.port, options(What::Terrapin))?;
    if client.is_in() {
        client.say(LINE);
    }
    client.hang_up();
    let (code, said) = client.ends()?;
    drop(server);
    let reached = parties.application().len();
    let what = "Mallory adds a packet before the keys, and takes away the first one after";
    Ok(Came { attack: "A18", what, said, code, deeds: mallory.ends(), reached })
}
