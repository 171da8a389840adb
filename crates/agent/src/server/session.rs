//! What a client's connection is known to be for: the hosts it passes through (OpenSSH PROTOCOL.agent §1).

use super::demand::Bind;
use super::refusal::Refusal;

/// The most hosts of one connection.
pub const MAX_BINDINGS: usize = 16;

/// The longest session identifier, in bytes. Those of SSH are 20 to 64.
const MAX_IDENTIFIER: usize = 128;

/// The longest host key or certificate, in bytes.
const MAX_HOST_KEY: usize = 16 * 1024;

/// One host on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binding {
    pub(super) host_key: Vec<u8>,
    pub(super) session_identifier: Vec<u8>,
    pub(super) is_forwarding: bool,
}

/// What one connection of a client is bound to. A new connection is bound to nothing: it is a local one.
#[derive(Debug, Default)]
pub struct Session {
    bindings: Vec<Binding>,
    attempted: bool,
}

impl Session {
    /// A new connection's.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// Whether every binding failed. Such a connection may come from anywhere, so it must not pass for a local one
    /// (threat G3).
    pub(super) fn is_doubtful(&self) -> bool {
        self.attempted && self.bindings.is_empty()
    }

    /// Notes that something like a binding could not even be read.
    pub(super) const fn note_attempt(&mut self) {
        self.attempted = true;
    }

    /// Notes the next host. `verified`: the signature is the host's own.
    pub(super) fn bind(&mut self, bind: &Bind<'_>, verified: bool) -> Result<(), Refusal> {
        self.attempted = true;
        if bind.session_identifier.is_empty()
            || bind.session_identifier.len() > MAX_IDENTIFIER
            || bind.host_key.len() > MAX_HOST_KEY
        {
            return Err(Refusal::BadBinding("its session identifier or host key has an impossible length"));
        }
        if !verified {
            return Err(Refusal::BadBinding("its signature is not the host's"));
        }
        for earlier in &self.bindings {
            if !earlier.is_forwarding {
                return Err(Refusal::BadBinding("the connection was already bound for a login"));
            }
            if earlier.session_identifier == bind.session_identifier {
                return match earlier.host_key == bind.host_key {
                    true => Ok(()),
                    false => Err(Refusal::BadBinding("the session was bound to another host key")),
                };
            }
        }
        if self.bindings.len() >= MAX_BINDINGS {
            return Err(Refusal::BadBinding("the connection passes through too many hosts"));
        }
        self.bindings.push(Binding {
            host_key: bind.host_key.to_vec(),
            session_identifier: bind.session_identifier.to_vec(),
            is_forwarding: bind.is_forwarding,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn bind<'a>(host_key: &'a [u8], session_identifier: &'a [u8], is_forwarding: bool) -> Bind<'a> {
        Bind { host_key, session_identifier, signature: b"", is_forwarding }
    }

    #[test]
    fn a_login_is_the_end_of_the_way() {
        let mut session = Session::new();
        assert!(session.bind(&bind(b"A", b"1", true), true).is_ok());
        assert!(session.bind(&bind(b"A", b"1", true), true).is_ok(), "again");
        assert!(session.bind(&bind(b"B", b"1", true), true).is_err(), "same session, other key");
        assert!(session.bind(&bind(b"B", b"2", false), true).is_ok());
        assert!(session.bind(&bind(b"C", b"3", false), true).is_err());
        assert_eq!(session.bindings().len(), 2);
    }

    #[test]
    fn g03_a_binding_that_failed_is_remembered() {
        let mut session = Session::new();
        assert!(!session.is_doubtful());
        assert!(session.bind(&bind(b"A", b"1", false), false).is_err());
        assert!(session.is_doubtful());
        assert!(session.bind(&bind(b"A", b"1", false), true).is_ok());
        assert!(!session.is_doubtful());
    }

    #[test]
    fn g01_hosts_of_a_connection_are_bounded() {
        let mut session = Session::new();
        for number in 0..MAX_BINDINGS {
            assert!(session.bind(&bind(b"A", &number.to_be_bytes(), true), true).is_ok());
        }
        assert!(session.bind(&bind(b"A", b"more", true), true).is_err());
        assert!(Session::new().bind(&bind(b"A", &[1; 200], true), true).is_err());
    }
}
