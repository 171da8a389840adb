//! Names with a password, put into the password file by `nacre passwd`: they come in by it, and by their one-time code
//! where there is one, as to `nacre serve`. Whoever has a key needs none.

use crate::serve::authority::LocalAuthority;
use crate::serve::judge::Judge;
use crate::serve::login::Ends;
use crate::serve::shared::Shared;
use nacre_net::server::Authority;
use nacre_net::server::authority::Answer;
use nacre_proto::crypto::SecretBytes;
use nacre_proto::login::server::{KeyboardInteractiveVerdict, PasswordVerdict, UserPolicy};
use nacre_wire::names::AUTH_PUBLICKEY;
use std::sync::Arc;

/// A login's name, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    /// Who: what the password belongs to.
    pub(super) name: Vec<u8>,
    /// The room behind `+`.
    pub(super) room: Option<String>,
}

impl Parts {
    /// Of `name`, `name+room`, `name@device` and `name@device+room`.
    pub(super) fn of(login: &[u8]) -> Self {
        let end = login.iter().position(|byte| matches!(byte, b'@' | b'+')).unwrap_or(login.len());
        let (name, rest) = login.split_at(end);
        let room = rest.iter().position(|byte| *byte == b'+').and_then(|place| rest.get(place + 1..));
        let room = room.filter(|room| !room.is_empty()).map(|room| format!("#{}", String::from_utf8_lossy(room)));
        Self { name: name.to_vec(), room }
    }
}

/// The judgement of one connection's passwords.
pub(super) struct Named {
    judge: Arc<Judge>,
    authority: LocalAuthority,
}

impl Named {
    pub(super) fn new(shared: Arc<Shared>, ends: Ends) -> Self {
        let judge = Arc::new(Judge::new(shared, ends));
        Self { authority: LocalAuthority::new(judge.clone()), judge }
    }

    /// Adds the ways of a name with a password to those that everybody has.
    pub(super) fn look_up(&mut self, name: Vec<u8>, everybody: UserPolicy) -> Answer<UserPolicy> {
        let looked_up = self.authority.look_up(name);
        let judge = self.judge.clone();
        Box::pin(async move {
            let named = looked_up.await;
            if !has_password(&judge) {
                return everybody;
            }
            let own = named.methods.into_iter().filter(|way| way.first().is_some_and(|first| first != AUTH_PUBLICKEY));
            let keys = everybody.methods.into_iter().filter(|way| way.iter().all(|method| method == AUTH_PUBLICKEY));
            UserPolicy { methods: keys.chain(own).collect(), ..everybody }
        })
    }

    /// Whether the name has a password: who comes in by it without a key has proved that.
    pub(super) fn is_meant(&self) -> bool {
        has_password(&self.judge)
    }

    pub(super) fn check_password(
        &mut self,
        password: SecretBytes,
        new: Option<SecretBytes>,
    ) -> Answer<PasswordVerdict> {
        self.authority.check_password(password, new)
    }

    pub(super) fn check_interactive(
        &mut self,
        answers: Option<Vec<SecretBytes>>,
    ) -> Answer<KeyboardInteractiveVerdict> {
        self.authority.check_interactive(answers)
    }
}

/// Whether the name that is logging in stands in the password file with a password, and may come in by it.
fn has_password(judge: &Judge) -> bool {
    judge.login().is_some_and(|login| login.account.is_some() && login.has_own_password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_names_somebody_and_perhaps_a_room() {
        for (login, name, room) in [
            ("alice", "alice", None),
            ("alice+rust", "alice", Some("#rust")),
            ("alice@phone", "alice", None),
            ("alice@phone+rust", "alice", Some("#rust")),
            ("alice+", "alice", None),
            ("+rust", "", Some("#rust")),
            ("", "", None),
        ] {
            let wanted = Parts { name: name.into(), room: room.map(str::to_owned) };
            assert_eq!(Parts::of(login.as_bytes()), wanted, "{login}");
        }
    }
}
