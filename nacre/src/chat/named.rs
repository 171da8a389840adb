//! Names with a password, put into the password file by `nacre passwd`: they come in by it, and by their one-time code
//! where there is one, as to `nacre serve`. Whoever has a key needs none.

use crate::passwd;
use crate::serve::authority::LocalAuthority;
use crate::serve::judge::Judge;
use crate::serve::login::Ends;
use crate::serve::shared::Shared;
use nacre_net::server::Authority;
use nacre_net::server::authority::Answer;
use nacre_proto::crypto::SecretBytes;
use nacre_proto::login::server::{KeyboardInteractiveVerdict, PasswordVerdict, UserPolicy};
use nacre_wire::names::AUTH_PUBLICKEY;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

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
    /// The name has a password; said once it was looked up.
    has_one: Arc<OnceLock<bool>>,
    /// A password or code was right, and nothing is left to ask.
    proved: Arc<AtomicBool>,
}

impl Named {
    pub(super) fn new(shared: Arc<Shared>, ends: Ends) -> Self {
        let judge = Arc::new(Judge::new(shared, ends));
        let authority = LocalAuthority::new(judge.clone());
        Self { judge, authority, has_one: Arc::default(), proved: Arc::default() }
    }

    /// Adds the ways of a name with a password to those that everybody has.
    pub(super) fn look_up(&mut self, name: Vec<u8>, everybody: UserPolicy) -> Answer<UserPolicy> {
        // What was found out belongs to one name.
        (self.has_one, self.proved) = Default::default();
        let looked_up = self.authority.look_up(name);
        let (judge, has_one) = (self.judge.clone(), self.has_one.clone());
        Box::pin(async move {
            let named = looked_up.await;
            let asked = tokio::task::spawn_blocking(move || has_password(&judge));
            let found = asked.await.unwrap_or(false);
            if !*has_one.get_or_init(|| found) {
                return everybody;
            }
            let own = named.methods.into_iter().filter(|way| way.first().is_some_and(|first| first != AUTH_PUBLICKEY));
            let keys = everybody.methods.into_iter().filter(|way| way.iter().all(|method| method == AUTH_PUBLICKEY));
            UserPolicy { methods: keys.chain(own).collect(), ..everybody }
        })
    }

    /// Whether the name has a password.
    pub(super) fn is_meant(&self) -> bool {
        self.has_one.get().copied().unwrap_or(false)
    }

    /// Whether it was proved.
    pub(super) fn is_proved(&self) -> bool {
        self.proved.load(Ordering::SeqCst)
    }

    pub(super) fn check_password(
        &mut self,
        password: SecretBytes,
        new: Option<SecretBytes>,
    ) -> Answer<PasswordVerdict> {
        let (checked, proved) = (self.authority.check_password(password, new), self.proved.clone());
        Box::pin(async move {
            let verdict = checked.await;
            proved.fetch_or(verdict == PasswordVerdict::Accept, Ordering::SeqCst);
            verdict
        })
    }

    pub(super) fn check_interactive(
        &mut self,
        answers: Option<Vec<SecretBytes>>,
    ) -> Answer<KeyboardInteractiveVerdict> {
        let (checked, proved) = (self.authority.check_interactive(answers), self.proved.clone());
        Box::pin(async move {
            let verdict = checked.await;
            proved.fetch_or(matches!(verdict, KeyboardInteractiveVerdict::Accept), Ordering::SeqCst);
            verdict
        })
    }
}

/// Whether the name that is logging in stands in the password file with a password.
fn has_password(judge: &Judge) -> bool {
    let Some(login) = judge.login() else { return false };
    let Some(name) = login.name.as_deref().filter(|_| login.account.is_some()) else { return false };
    let record = passwd::open_in(&judge.shared.state).and_then(|store| store.lookup(name));
    record.ok().flatten().is_some_and(|record| record.password.is_some())
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
