//! The fixes: switches that change a protocol's wire, each of which stops some attacks. Both ends need the same.

mod guard;
mod proof;
mod switch;

pub(crate) use guard::{Cipher, Guard};
pub use proof::Identity;
use proof::Transcript;
pub use switch::{Fix, Fixes};

use crate::{Fault, Row, Step};
use data_encoding::HEXLOWER;
use nacre_wire::Role;
use std::sync::Arc;

/// What one end has of fixes.
#[derive(Debug, Clone, Default)]
pub struct Repairs {
    /// The switches.
    pub fixes: Fixes,
    /// What this end proves itself with: the server with F1, the client with F7.
    pub identity: Option<Arc<Identity>>,
    /// The fingerprint of the only key that the peer may have; without one the peer may have any.
    pub trust: Option<String>,
}

impl Repairs {
    /// No fixes: the protocol as its description has it.
    pub const NONE: Self = Self { fixes: Fixes::NONE, identity: None, trust: None };

    /// Whether a switch is on.
    pub const fn has(&self, fix: Fix) -> bool {
        self.fixes.has(fix)
    }

    /// With F1: what a server says of its key when it starts.
    pub(crate) fn server_line(&self) -> Option<String> {
        let identity = self.identity.as_ref().filter(|_| self.has(Fix::F1))?;
        Some(format!("The server's key is {}", identity.fingerprint()))
    }
}

/// The proofs of one connection: what both sides sent, and what came of it.
pub(crate) struct Proofs {
    repairs: Repairs,
    transcript: Transcript,
    proven: Option<String>,
}

impl Proofs {
    pub(crate) fn new(repairs: &Repairs) -> Self {
        Self { repairs: repairs.clone(), transcript: Transcript::default(), proven: None }
    }

    /// The switches.
    pub(crate) const fn fixes(&self) -> Fixes {
        self.repairs.fixes
    }

    /// Whether the end with this role proves who it is.
    pub(crate) const fn wants(&self, role: Role) -> bool {
        match role {
            Role::Server => self.repairs.has(Fix::F1),
            Role::Client => self.repairs.has(Fix::F7),
        }
    }

    /// One more value that either side sent in the exchange.
    pub(crate) fn saw(&mut self, value: &[u8]) {
        self.transcript.add(value);
    }

    /// Our proof.
    pub(crate) fn prove(&self, role: Role) -> Result<Vec<u8>, Fault> {
        let none = Fault::Refused { what: "the proof", why: "this end has no key to sign with" };
        Ok(self.repairs.identity.as_ref().ok_or(none)?.prove(role, &self.transcript))
    }

    /// Checks the proof of the peer, which has this role.
    pub(crate) fn check(&mut self, role: Role, proof: &[u8]) -> Result<(), Fault> {
        let fingerprint = proof::check(role, &self.transcript, proof)?;
        let whose = proof::whose(role);
        self.proven = Some(match &self.repairs.trust {
            Some(trust) if *trust == fingerprint => format!("{whose} is {fingerprint}, as it should be"),
            Some(_) => return Err(Fault::Refused { what: whose, why: "it is not the one that is trusted" }),
            None => format!("{whose} is {fingerprint}; whose that is nobody says (--trust FINGERPRINT does)"),
        });
        Ok(())
    }

    /// A line about the peer's key, once.
    pub(crate) fn take_line(&mut self) -> Option<String> {
        self.proven.take()
    }
}

/// The step of a proof.
pub(crate) fn proof_step(by: Role, proof: &[u8]) -> Step {
    let (row, number) = match by {
        Role::Server => (Row::ServerProof, 5),
        Role::Client => (Row::UserProof, 6),
    };
    let (public, signature) = proof.split_at(proof.len().min(32));
    Step::new(row, number, by, "proof", "signs all that both sides sent so far")
        .public("key", HEXLOWER.encode(public))
        .public("signature", HEXLOWER.encode(signature))
}
