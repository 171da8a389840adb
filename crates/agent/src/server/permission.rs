//! Whether a key may be used on a connection (OpenSSH PROTOCOL.agent §2 and §3).

use super::Vault;
use super::refusal::Refusal;
use super::session::Session;
use crate::constraint::{DestinationConstraint, Hop};
use nacre_wire::pattern;

const NOT_THERE: Refusal = Refusal::Destination("it may not be used there");

/// Whether a connection may know that a key exists, and for a login (`user` given) whether it may be used. A key without
/// constraints may everything, and all may be seen on a local connection.
pub(super) fn permitted(
    vault: &impl Vault,
    constraints: &[DestinationConstraint],
    session: &Session,
    user: Option<&[u8]>,
) -> Result<(), Refusal> {
    if constraints.is_empty() {
        return Ok(());
    }
    if session.is_doubtful() {
        return Err(Refusal::Destination("the connection could not be bound to a host"));
    }
    let Some((last, before)) = session.bindings().split_last() else { return Ok(()) };
    let mut from = None;
    for binding in before {
        if !binding.is_forwarding {
            return Err(Refusal::Destination("the connection was bound for a login and then went on"));
        }
        step(vault, constraints, from, Some(&binding.host_key), None)?;
        from = Some(binding.host_key.as_slice());
    }
    if last.is_forwarding && user.is_some() {
        return Err(Refusal::Destination("the last binding is for forwarding, not for a login"));
    }
    step(vault, constraints, from, Some(&last.host_key), user)?;
    // Who can only forward may see the keys that lead on from there, and no others.
    if last.is_forwarding { step(vault, constraints, Some(&last.host_key), None, None) } else { Ok(()) }
}

/// One step from a host (`None`: the machine of the agent) to a host (`None`: any).
fn step(
    vault: &impl Vault,
    constraints: &[DestinationConstraint],
    from: Option<&[u8]>,
    to: Option<&[u8]>,
    user: Option<&[u8]>,
) -> Result<(), Refusal> {
    let allowed = constraints.iter().any(|constraint| {
        let begins = match from {
            None => constraint.from.host.is_none(),
            Some(key) => is_host(vault, &constraint.from, key),
        };
        let wanted = constraint.to.user.as_deref();
        begins
            && to.is_none_or(|key| is_host(vault, &constraint.to, key))
            && wanted.zip(user).is_none_or(|(wanted, user)| pattern::matches(wanted, user))
    });
    if allowed { Ok(()) } else { Err(NOT_THERE) }
}

/// Whether the host that proved itself with `key`, a plain key or a certificate, is the one that the constraint means.
fn is_host(vault: &impl Vault, hop: &Hop, key: &[u8]) -> bool {
    let name = hop.host.as_deref().unwrap_or_default();
    hop.host_keys.iter().any(|known| match known.is_ca {
        true => vault.certifies(key, &known.key, name),
        false => known.key == key,
    })
}
