//! What clients ask of an agent.

use nacre_agent::server::{Inbound, Keeper, Opened, Outcome, Session, Vault};
use nacre_agent::{Answer, MAX_FRAME};
use nacre_crypto::PrivateKey;
use std::time::Duration;

/// Opens real keys; what is signed and by whom is of no interest here, so every signature is taken for good.
struct Real;

impl Vault for Real {
    type Key = PrivateKey;

    fn open(&self, form: &[u8]) -> Option<Opened<PrivateKey>> {
        let (key, certificate) = PrivateKey::read_agent_form(form).ok()?;
        let public_key = certificate.unwrap_or_else(|| key.public_blob().to_vec());
        Some(Opened { key, public_key })
    }

    fn sign(&self, key: &PrivateKey, data: &[u8], _flags: u32) -> Option<Vec<u8>> {
        key.sign(key.algorithms().first().copied()?, data).ok()
    }

    fn verifies(&self, _public_key: &[u8], _message: &[u8], signature: &[u8]) -> bool {
        !signature.is_empty()
    }

    fn certifies(&self, _certificate: &[u8], _authority: &[u8], _host: &[u8]) -> bool {
        false
    }
}

/// The bytes of one client, whom nobody confirms anything. Every message gets one answer that the client's side can read,
/// and a locked agent lists nothing.
pub fn agent_requests(data: &[u8]) {
    let mut keeper = Keeper::new(Real, None);
    let (mut session, mut inbound) = (Session::new(), Inbound::new());
    let mut now = Duration::ZERO;
    for piece in data.chunks(1 + data.first().map_or(0, |byte| usize::from(*byte))) {
        inbound.receive(piece);
        while let Ok(Some(message)) = inbound.next_message() {
            now += Duration::from_secs(1);
            let outcome = match keeper.handle(now, &mut session, &message) {
                Outcome::Confirm(question) => {
                    assert!(!question.comment.contains(char::is_control));
                    Keeper::<Real>::unconfirmed()
                }
                Outcome::Lock(passphrase) => keeper.finish_lock(Some(format!("{passphrase:?}"))),
                Outcome::Unlock(passphrase) => {
                    let right = keeper.verifier() == Some(format!("{passphrase:?}").as_str());
                    keeper.finish_unlock(right)
                }
                answered @ Outcome::Answer(..) => answered,
            };
            let Outcome::Answer(answer, _) = outcome else { panic!("a question about a question") };
            assert!(!answer.is_empty() && answer.len() <= MAX_FRAME);
            // The answer to `query` is for other clients than ours.
            let read = Answer::decode(&answer);
            assert!(read.is_ok() || answer.first() == Some(&29), "{read:?}");
            if let (Ok(Answer::Identities(keys)), true) = (read, keeper.verifier().is_some()) {
                assert!(keys.is_empty(), "a locked agent lists keys");
            }
        }
    }
}
