//! What the server's own processes say to each other: one that was taken over may say anything.

use nacre::serve::privsep::helper_messages::{FromHelper, ToHelper};
use nacre_net::privsep::{FromMonitor, Gate, Phase, ToMonitor};
use nacre_proto::login::server::UserPolicy;
use nacre_testkit::keys::host_key;
use nacre_testkit::provider::Seeded;

/// A user whom everything that there is may let in.
fn policy() -> UserPolicy {
    let ways = ["publickey", "password", "keyboard-interactive"];
    UserPolicy {
        methods: ways.iter().map(|way| vec![(*way).to_owned()]).collect(),
        max_tries: 6,
        algorithms: nacre_proto::algorithm::SignatureAlgorithm::ALL.to_vec(),
        ..UserPolicy::of_nobody()
    }
}

/// Messages of a net process, each behind its length in two bytes, against the monitor's gate:
/// nobody proves a key that they do not hold, and nobody is in.
pub fn privsep_to_monitor(data: &[u8]) {
    let provider = Seeded::new(1);
    let mut gate = Gate::new(vec![host_key().public_blob().to_vec(), b"a host key".to_vec()]);
    let mut rest = data;
    while let Some((head, after)) = rest.split_first_chunk::<2>() {
        let (bytes, next) = after.split_at(usize::from(u16::from_be_bytes(*head)).min(after.len()));
        rest = next;
        let Ok(message) = ToMonitor::from_bytes(bytes) else { return };
        let written = message.to_bytes();
        let again = ToMonitor::from_bytes(&written).expect("what was written is read");
        assert_eq!(format!("{again:?}"), format!("{message:?}"));
        if gate.check(&provider, &message).is_err() {
            return;
        }
        match message {
            ToMonitor::LookUp { .. } => gate.looked_up(&policy(), None),
            ToMonitor::CheckKey { check, .. } => assert!(check.proof.is_none(), "a key was proven"),
            ToMonitor::CheckPassword { .. } => gate.failed(),
            ToMonitor::CheckInteractive { answers: None, .. } => gate.asked(),
            ToMonitor::CheckInteractive { .. } => gate.failed(),
            _ => {}
        }
        assert_ne!(gate.phase(), Phase::Authenticated);
    }
}

/// A message of a monitor.
pub fn privsep_from_monitor(data: &[u8]) {
    let Ok(message) = FromMonitor::from_bytes(data) else { return };
    let again = FromMonitor::from_bytes(&message.to_bytes()).expect("what was written is read");
    assert_eq!(format!("{again:?}"), format!("{message:?}"));
}

/// A message of a monitor to its user's helper.
pub fn privsep_to_helper(data: &[u8]) {
    let Ok(message) = ToHelper::from_bytes(data) else { return };
    let again = ToHelper::from_bytes(&message.to_bytes()).expect("what was written is read");
    assert_eq!(format!("{again:?}"), format!("{message:?}"));
}

/// A message of a helper, whose user is anybody.
pub fn privsep_from_helper(data: &[u8]) {
    let Ok(message) = FromHelper::from_bytes(data) else { return };
    let again = FromHelper::from_bytes(&message.to_bytes()).expect("what was written is read");
    assert_eq!(format!("{again:?}"), format!("{message:?}"));
}
