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
use nacre_lab::attack::{ADDS, TAKEN};
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
    end: End,
}

/// What an attack is judged by.
enum End {
    /// A2, A4, A7: bytes that reached the application and are not what Alice typed, once.
    Reached(usize),
    /// A18: Alice went on without so many bytes of what the server said.
    CutOff(usize),
    /// A18: Alice did not go on after a packet was added.
    HungUp,
}

impl Came {
    const fn succeeded(&self) -> bool {
        match self.end {
            End::Reached(reached) => reached > 0 || self.code == 0,
            End::CutOff(_) => true,
            End::HungUp => false,
        }
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
    Ok(Came { attack: "A2", what, said, code, deeds: Vec::new(), end: End::Reached(reached) })
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
    Ok(Came { attack, what, said, code, deeds, end: End::Reached(reached) })
}

/// A18: Mallory cuts off the beginning of what the server says. It succeeds when Alice's client goes on.
fn terrapin(parties: &Parties) -> Result<Came, Failure> {
    parties.forget();
    let server = parties.serve("server")?;
    let mallory = Mallory::start(server.port, nacre_lab::attack::terrapin())?;
    let mut client = parties.client(mallory.port, options(What::Terrapin))?;
    let is_in = client.is_in();
    if is_in {
        client.say(LINE);
    }
    client.hang_up();
    let (code, said) = client.ends()?;
    drop(server);
    let deeds = mallory.ends();
    let end = cut_off(&deeds, is_in).map_err(|problem| failed(format!("the attack was not performed: {problem}")))?;
    let what = "Mallory adds a packet before the keys, and takes away the first one after";
    Ok(Came { attack: "A18", what, said, code, deeds, end })
}

/// What came of what Mallory did to a client that got in, or did not; or what she has not done.
fn cut_off(deeds: &[Act], is_in: bool) -> Result<End, &'static str> {
    let added = deeds.iter().any(|deed| matches!(deed, Act::Says(text) if text.starts_with(ADDS)));
    let taken = deeds.iter().find_map(|deed| match deed {
        Act::Shows(label, bytes) if label == TAKEN => Some(bytes.len()),
        _ => None,
    });
    match (added, is_in, taken) {
        (false, _, _) => Err("Mallory has added no packet"),
        (true, false, _) => Ok(End::HungUp),
        (true, true, None | Some(0)) => Err("Alice went on, and nothing of what the server said was cut off"),
        (true, true, Some(count)) => Ok(End::CutOff(count)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lab_a18_counts_only_what_mallory_has_done() {
        let added = || Act::Says(format!("{ADDS}: Alice counts it as number 1"));
        let taken = |count| Act::Shows(TAKEN.to_owned(), vec![0; count]);
        assert!(cut_off(&[], true).is_err() && cut_off(&[], false).is_err() && cut_off(&[taken(9)], true).is_err());
        assert!(matches!(cut_off(&[added()], false), Ok(End::HungUp)));
        assert!(cut_off(&[added()], true).is_err() && cut_off(&[added(), taken(0)], true).is_err());
        assert!(matches!(cut_off(&[added(), taken(9)], true), Ok(End::CutOff(9))));
    }
}
