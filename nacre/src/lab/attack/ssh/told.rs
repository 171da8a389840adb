//! What came of attacks on SSH, as it is told to a person or a program.

use super::super::stage::Act;
use super::super::tell::{self, paragraph};
use super::{Came, End, Kind, What};
use nacre_lab::attack::{Person, TERRAPIN};

/// What does not depend on the run.
struct Tale {
    name: &'static str,
    title: &'static str,
    claim: &'static str,
    idea: &'static str,
    in_ssh: &'static str,
}

const CONTROL: Tale = Tale {
    name: "A19",
    title: "the same against SSH",
    claim: "SSH holds where the classroom protocols fall.",
    idea: "Alice types a line, which a program at the server writes to a file. Mallory is in between and does what A2, \
           A4 and A7 do. What counts is how many bytes of hers reach that file.",
    in_ssh: "The host key signs the exchange, every packet has a number that both ends count, and a MAC that is checked \
             before anything else. That is F1, F2 and F3.",
};

const fn tale(what: What) -> Tale {
    match what {
        What::Control => CONTROL,
        What::Terrapin => Tale {
            name: TERRAPIN.name,
            title: TERRAPIN.title,
            claim: TERRAPIN.claim,
            idea: TERRAPIN.idea,
            in_ssh: TERRAPIN.in_ssh,
        },
    }
}

const fn names(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Nacre => ("nacre serve", "nacre ssh"),
        Kind::OpenSsh => ("OpenSSH's sshd", "OpenSSH's ssh"),
    }
}

/// For a person.
pub fn story(what: What, kind: Kind, all: &[Came]) -> String {
    let (tale, (server, client)) = (tale(what), names(kind));
    let mut out = format!("{}  {}, {client} to {server}\n\n", tale.name, tale.title);
    out += &paragraph("CLAIM", tale.claim);
    out += &paragraph("IDEA", tale.idea);
    for came in all {
        out += &run(came);
    }
    out += "\n";
    out + &paragraph("IN SSH", tale.in_ssh)
}

fn run(came: &Came) -> String {
    let mut out = format!("\nRUN       {}: {}\n", came.attack, came.what);
    for deed in &came.deeds {
        tell::act_told(&mut out, Person::Mallory, deed);
    }
    for line in came.said.lines() {
        tell::act_told(&mut out, Person::Alice, &Act::Prints(line.to_owned()));
    }
    out + &paragraph("VERDICT", &verdict(came))
}

fn verdict(came: &Came) -> String {
    let code = came.code;
    match came.end {
        End::Reached(_) if !came.succeeded() => {
            format!("the attack FAILS: Alice's client ends with code {code}, 0 bytes reach the application.")
        }
        End::Reached(reached) => format!("the attack SUCCEEDS: {reached} bytes reach the application."),
        End::CutOff(count) => {
            format!("the attack SUCCEEDS: Alice is in without {count} bytes that the server said, and goes on.")
        }
        End::HungUp => format!(
            "the attack FAILS: with the packet that was added Alice's client ends, with code {code}, before she is in."
        ),
    }
}

/// For a program: a JSON object.
pub fn json(what: What, kind: Kind, all: &[Came]) -> String {
    let run = |came: &Came| {
        let told: Vec<serde_json::Value> =
            came.deeds.iter().map(|deed| tell::told_json(Person::Mallory, deed)).collect();
        let (key, count) = match came.end {
            End::Reached(count) => ("bytes_reached", count),
            End::CutOff(count) => ("bytes_cut_off", count),
            End::HungUp => ("bytes_cut_off", 0),
        };
        serde_json::json!({
            "attack": came.attack, "what": came.what, "said": came.said, "exit_code": came.code,
            "succeeded": came.succeeded(), "told": told, key: count,
        })
    };
    let runs: Vec<serde_json::Value> = all.iter().map(run).collect();
    let (server, client) = names(kind);
    format!("{}\n", serde_json::json!({ "attack": tale(what).name, "server": server, "client": client, "runs": runs }))
}
